"""Keras's optimizers, which also take ``lr`` and ``decay``, ``minimize`` a function, and get to know variables when they come."""

from __future__ import annotations

import inspect
import warnings
from typing import Any

import gradtape as tf
from gradtape.ground.errors import NoneGradientError, none_gradient, user_line

from . import _keras
from ._spelling import Namespace, thin

schedules = _keras.optimizers.schedules


class _OldDecay:
    """``lr / (1 + decay * iterations)``, as ``decay`` asked for in Keras 2, with an ``lr`` that can be set. It saves as the stock schedule."""

    def __init__(self, lr: float, decay: float) -> None:
        super().__init__(lr, 1, decay)  # type: ignore[call-arg]
        with tf.init_scope():
            self.initial_learning_rate = _keras.Variable(lr, trainable=False, name="learning_rate")

    def get_config(self) -> dict:
        """What the stock schedule is made from."""
        return {**super().get_config(), "initial_learning_rate": float(self.initial_learning_rate)}  # type: ignore[misc]


_Decay: Any = thin(_OldDecay, schedules.InverseTimeDecay, "_Decay")


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
            rate = _Decay(start, decay)
        if rate is not None:
            if args:
                args = (rate, *args[1:])
            else:
                kwargs["learning_rate"] = rate
        super().__init__(*args, **kwargs)

    @property
    def lr(self) -> Any:
        """The learning rate: a variable, unless it follows a schedule."""
        rate = self._learning_rate  # type: ignore[attr-defined]
        return rate.initial_learning_rate if type(rate) is _Decay else self.learning_rate  # type: ignore[attr-defined]

    @lr.setter
    def lr(self, value: Any) -> None:
        rate = self._learning_rate  # type: ignore[attr-defined]
        if type(rate) is _Decay:
            rate.initial_learning_rate.assign(value)
        else:
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
            with tf.GradientTape(persistent=True) as tape:  # which can be asked for reasons afterwards
                if not callable(var_list):  # those that are trainable are watched when they are read
                    tape.watch([v for v in tf.nest.flatten(var_list) if not v.trainable])
                value = loss()
            loss = value
        variables = list(tf.nest.flatten(var_list() if callable(var_list) else var_list))
        gradients = tape.gradient(loss, variables, grad_loss)
        if any([g is None for g in gradients]):
            _complain(tape, loss, variables, gradients)
            pairs = [(g, v) for g, v in zip(gradients, variables) if g is not None]
        else:
            pairs = list(zip(gradients, variables))
        return self.apply_gradients(pairs)

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
        slots = {k: list(v) if isinstance(v, list) else [v] for k, v in vars(self).items() if _are_slots(v, len(known))}
        with tf.init_scope():
            self.built = False
            self.build(known + new)  # type: ignore[attr-defined]
        same = {}  # what was made anew for what is there; traced functions know the old ones
        for name, old in slots.items():
            now = getattr(self, name)
            same.update({id(a): b for a, b in zip(now if isinstance(now, list) else [now], old)})
            vars(self)[name] = [same.get(id(v), v) for v in now] if isinstance(now, list) else old[0]
        mine = self._variables  # type: ignore[attr-defined]
        mine[:] = list({id(v): v for v in [same.get(id(v), v) for v in mine]}.values())


def _complain(tape: Any, loss: Any, variables: list, gradients: list) -> None:
    """Say which variables have no gradient and why: an error where none has one, else a warning."""
    without = [v for v, g in zip(variables, gradients) if g is None]
    reasons = "\n".join([str(tape.explain(loss, getattr(v, "handle", v))) for v in without])
    if len(without) == len(variables):
        raise NoneGradientError(f"minimize: no variable has a gradient.\n{reasons}{user_line()}")
    warnings.warn(f"minimize leaves variables as they are that have no gradient.\n{reasons}", stacklevel=3)


def _are_slots(value: Any, n: int) -> bool:
    """Whether an optimizer's attribute is a variable, or has one for each of ``n`` variables."""
    if isinstance(value, _keras.Variable):
        return True
    return isinstance(value, list) and len(value) == n > 0 and all([isinstance(v, _keras.Variable) for v in value])


def _default_rate(cls: type) -> float:
    for base in cls.__mro__[1:]:
        found = inspect.signature(base.__init__).parameters.get("learning_rate")
        if found is not None:
            return found.default
    return 0.001


_get = Namespace(_keras.optimizers, _keras.optimizers.Optimizer, _Old)


class _Legacy:
    """``optimizers.legacy``: the same optimizers."""

    def __getattr__(self, name: str) -> Any:
        return _get(name)

    def __dir__(self) -> list[str]:
        return dir(_keras.optimizers)


legacy = _Legacy()


def __getattr__(name: str) -> Any:
    return _get(name)


def __dir__() -> list[str]:
    return [*dir(_keras.optimizers), "legacy"]


def get(identifier: Any) -> Any:
    """An optimizer from its name, its config, or itself."""
    found = _keras.optimizers.get(identifier)
    return found if found is identifier else old(found)


def old(optimizer: Any) -> Any:
    """An optimizer of Keras's own made to take the old spellings; others stay as they are."""
    cls = type(optimizer)
    if getattr(_keras.optimizers, cls.__name__, None) is cls:
        optimizer.__class__ = _get(cls.__name__)
    return optimizer
