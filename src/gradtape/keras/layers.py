"""Keras's layers, which also take ``batch_input_shape`` and ``weights``, and keep raw variables."""

from __future__ import annotations

import functools
from typing import Any

from . import _keras
from ._spelling import Namespace, renamed
from ._tracking import Tracking


class _Old(Tracking):
    """The spellings of Keras 2, before any of Keras's layers."""

    def __init__(self, *args: Any, batch_input_shape: Any = None, weights: Any = None, **kwargs: Any) -> None:
        if batch_input_shape is not None:
            kwargs["batch_shape" if isinstance(self, _keras.layers.InputLayer) else "input_shape"] = (
                tuple(batch_input_shape) if isinstance(self, _keras.layers.InputLayer) else tuple(batch_input_shape)[1:]
            )
        super().__init__(*args, **kwargs)
        if weights is not None:
            build = self.build  # type: ignore[attr-defined]

            @functools.wraps(build)
            def build_and_set(*a: Any, **k: Any) -> None:
                build(*a, **k)
                self.set_weights(weights)  # type: ignore[attr-defined]

            self.__dict__["build"] = build_and_set


class _Base(Tracking):
    """Before ``Layer`` itself, from which users derive."""


Layer: Any = renamed(_Base, _keras.layers.Layer)
_get = Namespace(_keras.layers, _keras.layers.Layer, _Old)


def __getattr__(name: str) -> Any:
    return _get(name)


def __dir__() -> list[str]:
    return dir(_keras.layers)
