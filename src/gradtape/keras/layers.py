"""Keras's layers, which also take ``batch_input_shape`` and ``weights``."""

from __future__ import annotations

import functools
from typing import Any

from . import _keras
from ._spelling import Namespace, shape_first


def _modern(stock: type, kwargs: dict) -> Any:
    """Put the shape into today's words; gives the weights."""
    shape = kwargs.pop("batch_input_shape", None)
    if shape is not None:
        batch = issubclass(stock, _keras.layers.InputLayer)
        kwargs["batch_shape" if batch else "input_shape"] = tuple(shape) if batch else tuple(shape)[1:]
    return kwargs.pop("weights", None)


def _give(layer: Any, weights: Any) -> None:
    """Set the weights as soon as there are any."""
    if layer.built:
        layer.set_weights(weights)
        return
    build = layer.build

    @functools.wraps(build)
    def build_and_set(*args: Any, **kwargs: Any) -> None:
        del layer.__dict__["build"]
        build(*args, **kwargs)
        layer.set_weights(weights)

    layer.__dict__["build"] = build_and_set


class _Old:
    """The spellings of Keras 2, before any of Keras's layers."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # of a class of the user's; the arrays of `weights` are given to the layers that Keras has
        weights = _modern(type(self), kwargs)
        super().__init__(*args, **kwargs)
        if weights is not None:
            _give(self, weights)

    def add_weight(self, *args: Any, **kwargs: Any) -> Any:
        """See ``keras.Layer.add_weight``; the name may come first."""
        args, kwargs = shape_first(args, kwargs, ("shape", "dtype", "initializer", "regularizer", "trainable"))
        return super().add_weight(*args, **kwargs)  # type: ignore[misc]

    @staticmethod
    def _instance(stock: type, *args: Any, **kwargs: Any) -> Any:
        weights = _modern(stock, kwargs)
        layer = stock(*args, **kwargs)
        if weights is not None:
            _give(layer, weights)
        return layer


_get = Namespace(_keras.layers, _keras.layers.Layer, _Old)


def __getattr__(name: str) -> Any:
    return _get(name)


def __dir__() -> list[str]:
    return dir(_keras.layers)
