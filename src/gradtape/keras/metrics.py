"""Keras's metrics, which also take ``reset_states``; called eagerly, update and result are one compiled call."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras.src.backend.common.masking import get_keras_mask
from keras.src.backend.common.stateless_scope import in_stateless_scope

import gradtape as tf

from . import _keras, losses
from ._spelling import Namespace, shape_first
from .losses import SHORT


class _Old:
    """The spelling of Keras 2, before any of Keras's metrics."""

    def reset_states(self) -> None:
        """Start anew."""
        self.reset_state()  # type: ignore[attr-defined]

    def add_weight(self, *args: Any, **kwargs: Any) -> Any:
        """See ``keras.Metric.add_weight``; the name may come first."""
        args, kwargs = shape_first(args, kwargs, ("shape", "aggregation", "synchronization", "initializer", "dtype"))
        for ignored in ("aggregation", "synchronization") if "name" in kwargs else ():
            kwargs.pop(ignored, None)
        return super().add_weight(*args, **kwargs)  # type: ignore[misc]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Update the state; gives the result."""
        return self._compiled("__call__", args, kwargs)

    def update_state(self, *args: Any, **kwargs: Any) -> Any:
        """Update the state."""
        return self._compiled("update_state", args, kwargs)

    def _compiled(self, name: str, args: tuple, kwargs: dict) -> Any:
        """Keras's method, as a program where nothing but tensors matters: eagerly, of a class of Keras's own, without masks."""
        method = getattr(super(), name)
        if "stock" not in type(self).__dict__ or not tf.executing_eagerly() or in_stateless_scope():
            return method(*args, **kwargs)
        if any([get_keras_mask(x) is not None for x in (*args, *kwargs.values()) if isinstance(x, tf.Tensor)]):
            return method(*args, **kwargs)
        args = tuple([_value(x) for x in args])
        kwargs = {k: _value(x) for k, x in kwargs.items()}
        programs = self.__dict__.setdefault("_programs", {})
        run = programs.get(name)
        if run is None:
            run = programs[name] = tf.function(lambda *a, **k: method(*a, **k), autograph=False)
        return run(*args, **kwargs)


def _value(x: Any) -> Any:
    """An argument of a metric: a tensor that no tape follows, since variables that are assigned end every path."""
    if isinstance(x, tf.Tensor):
        return tf.stop_gradient(x)
    return np.asarray(x) if isinstance(x, list | tuple | int | float) else x


_get = Namespace(_keras.metrics, _keras.metrics.Metric, _Old)


def __getattr__(name: str) -> Any:
    return getattr(losses, SHORT[name]) if name in SHORT else _get(name)


def __dir__() -> list[str]:
    return [*dir(_keras.metrics), *SHORT]
