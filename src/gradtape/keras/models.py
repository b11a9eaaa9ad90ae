"""Keras's models, which also keep raw variables."""

from __future__ import annotations

from typing import Any

from . import _keras
from ._tracking import Tracking


class Model(Tracking, _keras.Model):
    """``keras.Model``, of which ``self.v = tf.Variable(...)`` makes ``v`` one of its weights."""

    __module__ = _keras.Model.__module__

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """A functional model where inputs and outputs are given."""
        if cls is Model and (args or {"inputs", "outputs"} & kwargs.keys()):
            return _keras.Model(*args, **kwargs)
        return super().__new__(cls, *args, **kwargs)


class Sequential(Tracking, _keras.Sequential):
    """``keras.Sequential``, which also takes what the old spellings of layers bring."""

    __module__ = _keras.Sequential.__module__


Model.__doc__, Sequential.__doc__ = _keras.Model.__doc__, _keras.Sequential.__doc__


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    return getattr(_keras.models, name)


def __dir__() -> list[str]:
    return dir(_keras.models)
