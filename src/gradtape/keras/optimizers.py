"""Keras's optimizers, which also take ``lr`` and ``decay``, ``minimize`` a function, and get to know variables when they come."""

from __future__ import annotations

from typing import Any

import gradtape as tf
from gradtape.ground.errors import none_gradient

from . import _keras
from ._spelling import Namespace

schedules = _keras.optimizers.schedules


class _Old:
    """The spellings of Keras 2, before any of Keras's optimizers."""

    def __init__(self, *args: Any, lr: Any = None, decay: float = 0.0, **kwargs: Any) -> None:
        if lr is not None:
            if args or "learning_rate" in kwargs:
                raise TypeError("lr is the old name of learning_rate: give one of them.")
            kwargs["learning_rate"] = lr
        rate = args[0] if args else kwargs.get("learning_rate")
        if isinstance(rate, tf.Tensor | tf.Variable):
            rate = float(rate)
        elif isinstance(rate, int) and not isinstance(rate, bool):
            rate = float(rate)  # Keras 3 refuses ints
        if decay:
            start = float(rate if rate is not None else _default_rate(type(self)))
            rate = schedules.InverseTimeDecay(start, 1, decay)
        if rate is not None:
            if args:
                args = (rate, *args[1:])
            else:
                kwargs["learning_rate"] = rate
        super().__init__(*args, **kwargs)

    @property
    def lr(self) -> Any:
        """The learning rate."""
        return self.learning_rate  # type: ignore[attr-defined]

    @lr.setter
    def lr(self, value: Any) -> None:
        self.learning_rate = value

    def minimize(
        self, loss: Any, var_list: Any, tape: Any = None, grad_loss: Any = None, name: str | None = None
    ) -> Any:
        """One step that makes ``loss`` smaller.

        Args:
            loss: a function of no arguments; or, with ``tape``, the tensor that was recorded.
            var_list: the variables, or a function that gives them.
            tape: the tape that recorded ``loss``.

        Returns:
            The number of steps made so far.
        """
        if not callable(loss) and tape is None:
            raise ValueError(
                "`tape` is required when a `Tensor` loss is passed: give a function of no arguments, or the tape."
            )
        if callable(loss):
            with tf.GradientTape() as tape:
                if not callable(var_list):
                    tape.watch(var_list)
                value = loss()
            loss = value
        variables = list(tf.nest.flatten(var_list() if callable(var_list) else var_list))
        return self.apply_gradients(list(zip(tape.gradient(loss, variables, grad_loss), variables)))

    def apply_gradients(self, grads_and_vars: Any, name: str | None = None, **kwargs: Any) -> Any:
        """Update variables by their gradients.

        Raises:
            ValueError: there are no gradients, or none but None; the message says why.
        """
        pairs = list(grads_and_vars)
        if not pairs:
            raise ValueError("apply_gradients was given no (gradient, variable) pairs.")
        self._meet([v for _, v in pairs])
        if all([g is None for g, _ in pairs]):
            names = ", ".join([getattr(v, "path", None) or str(v.name) for _, v in pairs])
            raise none_gradient(f"apply_gradients: there is no gradient for {names}")
        return super().apply_gradients(pairs, **kwargs)  # type: ignore[misc]

    def _meet(self, variables: list) -> None:
        """Get to know variables that were not there when the optimizer was built; what it keeps for the others stays."""
        if not self.built:  # type: ignore[has-type]
            return
        known = list(self._trainable_variables)  # type: ignore[has-type]
        ids = {id(v) for v in known}
        new = [v for v in variables if id(v) not in ids]
        if not new:
            return
        with tf.init_scope():
            kept = {k: list(v) for k, v in vars(self).items() if _are_slots(v, len(known))}
            old = {id(v) for slots in kept.values() for v in slots}
            self._variables[:] = [v for v in self._variables if id(v) not in old]  # type: ignore[attr-defined]
            self.built = False
            self.build(known + new)  # type: ignore[attr-defined]
            for name, slots in kept.items():
                for fresh, slot in zip(getattr(self, name), slots):
                    fresh.assign(slot.value)


def _are_slots(value: Any, n: int) -> bool:
    return isinstance(value, list) and len(value) == n > 0 and all([isinstance(v, _keras.Variable) for v in value])


def _default_rate(cls: type) -> float:
    import inspect

    for base in cls.__mro__[1:]:
        found = inspect.signature(base.__init__).parameters.get("learning_rate")
        if found is not None:
            return found.default
    return 0.001


_get = Namespace(_keras.optimizers, _keras.optimizers.Optimizer, _Old)


def __getattr__(name: str) -> Any:
    if name == "legacy":
        return _Legacy()
    return _get(name)


class _Legacy:
    def __getattr__(self, name: str) -> Any:
        return _get(name)


legacy = _Legacy()  # type: ignore[assignment]


def __dir__() -> list[str]:
    return [*dir(_keras.optimizers), "legacy"]


def get(identifier: Any) -> Any:
    """An optimizer from its name, its config, or itself."""
    if isinstance(identifier, str):
        names = {n.lower(): n for n in dir(_keras.optimizers)}
        if identifier.lower() in names:
            return _get(names[identifier.lower()])()
    return _keras.optimizers.get(identifier)
