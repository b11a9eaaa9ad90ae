"""Raw ``tf.Variable`` attributes of layers and models, tracked and trained."""

from __future__ import annotations

from typing import Any

import gradtape as tf

from . import _keras


def wrapped(v: tf.Variable, name: str) -> Any:
    """A Keras variable over the same value."""
    new = _keras.Variable(v.value(), trainable=v.trainable, dtype=v.dtype.name, name=name)
    new._value = v
    return new


def _raw(value: Any) -> list[tf.Variable]:
    if isinstance(value, tf.Variable):
        return [value]
    if isinstance(value, list | tuple):
        return [v for x in value for v in _raw(x)]
    if isinstance(value, dict):
        return [v for x in value.values() for v in _raw(x)]
    return []


class Tracking:
    """Before a layer or model: ``self.v = tf.Variable(...)`` makes ``v`` one of its weights."""

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        raw = _raw(value) if not name.startswith("_") or isinstance(value, tf.Variable) else []
        if not raw:
            return
        known = self.__dict__.setdefault("_raw_variables", {})
        for v in raw:
            if id(v) not in known and "_tracker" in self.__dict__:
                own = wrapped(v, name)
                known[id(v)] = own
                tracker = self._tracker  # type: ignore[attr-defined]
                locked, tracker.locked = tracker.locked, False
                tracker.add_to_store("trainable_variables" if v.trainable else "non_trainable_variables", own)
                tracker.locked = locked
