"""What layers on gradtape have beside Keras's own: raw variables among their attributes are weights."""

from __future__ import annotations

from typing import Any

import gradtape as tf


class _RawVariables(list):
    """The raw variables of a layer. For each that comes, a Keras variable with it as its value joins the layer's weights."""

    def __init__(self, tracker: Any) -> None:
        super().__init__()
        self._tracker = tracker
        self._weights: dict[int, Any] = {}
        self.name = "variable"  # of the attribute that is being set

    def append(self, v: tf.Variable) -> None:
        """Take a variable."""
        from .variable import Variable

        super().append(v)
        weight = Variable(v, trainable=v.trainable, dtype=v.dtype.name, name=self.name)
        weight._value = v
        self._weights[id(v)] = weight
        self._tracker.add_to_store("trainable_variables" if v.trainable else "non_trainable_variables", weight)

    def __delitem__(self, i: Any) -> None:
        weight = self._weights.pop(id(self[i]), None)
        super().__delitem__(i)
        if weight is not None:
            self._tracker.untrack(weight)


class GradtapeLayer:
    """Before Keras's layer: ``self.v = tf.Variable(...)``, alone or in lists and dicts, makes ``v`` one of the layer's weights."""

    def _setattr_hook(self, name: str, value: Any) -> tuple[str, Any]:
        if name == "_tracker":
            value.config["raw_variables"] = (lambda x: isinstance(x, tf.Variable), _RawVariables(value))
            value.stored_ids["raw_variables"] = set()
            return name, value
        old = self.__dict__.get(name)
        if isinstance(value, tf.Variable | list | tuple | dict) or isinstance(old, tf.Variable):
            tracker = self.__dict__.get("_tracker")
            if tracker is not None:
                self._meet(tracker, name, old, value)
        return name, value

    def _meet(self, tracker: Any, name: str, old: Any, value: Any) -> None:
        tracker.config["raw_variables"][1].name = name
        if isinstance(old, tf.Variable) and old is not value:
            tracker.untrack(old)
        if isinstance(value, tf.Variable) and tracker.locked:  # as in Keras 2, also when the layer is built
            tracker.unlock()
            try:
                tracker.track(value)
            finally:
                tracker.lock()
