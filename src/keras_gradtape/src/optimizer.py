"""Optimizers on gradtape: the update of all variables is one compiled call, in eager loops too."""

from __future__ import annotations

from typing import Any

from keras.src.backend.common import KerasVariable
from keras.src.backend.common.stateless_scope import in_stateless_scope
from keras.src.optimizers import base_optimizer

import gradtape as tf


class GradtapeOptimizer(base_optimizer.BaseOptimizer):
    """Keras's optimizer, whose ``apply`` is compiled once for each list of variables. Setting an attribute compiles it anew."""

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        updates = self.__dict__.get("_updates")
        if updates:
            updates.clear()

    def apply(self, grads: Any, trainable_variables: Any = None) -> None:
        """Update the variables by their gradients; see ``keras.Optimizer.apply``."""
        grads = [tf.convert_to_tensor(g) if isinstance(g, tf.IndexedSlices) else g for g in grads]
        if not self._compiles(grads):
            return super().apply(grads, trainable_variables)
        variables = self._trainable_variables if trainable_variables is None else list(trainable_variables)
        updates = self.__dict__.setdefault("_updates", {})
        key = tuple([id(v) for v in variables])
        found = updates.get(key)
        if found is None:
            self._check_variables_are_known(variables)
            base = super().apply

            def update(gradients: list) -> None:
                base(gradients, variables)

            found = updates[key] = tf.function(update, autograph=False), variables  # which keeps the ids in use
        found[0](grads)
        return None

    def _compiles(self, grads: list) -> bool:
        """Whether the update may run as a program: eagerly, for an optimizer that is built, with a gradient for each variable."""
        return (
            self.built
            and bool(grads)
            and not any([g is None or isinstance(g, KerasVariable) for g in grads])
            and tf.executing_eagerly()
            and not in_stateless_scope()
        )
