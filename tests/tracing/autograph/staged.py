"""Values that Python control flow must not look at, and nests of them."""

from __future__ import annotations

import operator
from typing import Any

OPERATORS = [
    "add",
    "sub",
    "mul",
    "mod",
    "floordiv",
    "truediv",
    "pow",
    "lt",
    "le",
    "gt",
    "ge",
    "eq",
    "ne",
    "and_",
    "or_",
    "xor",
]


class LeakError(TypeError):
    """Python asked a staged value for what it does not have."""


class Staged:
    """A value that Python control flow must not look at."""

    def _refuse(self, *_: Any) -> Any:
        raise LeakError("a staged value was used by Python")

    __bool__ = __iter__ = __index__ = __len__ = __int__ = __float__ = __contains__ = _refuse
    __hash__ = object.__hash__

    def __getitem__(self, i: Any) -> Any:
        return self.stage.op(take, self, i)

    def __neg__(self) -> Any:
        return self.stage.op(operator.neg, self)

    def __abs__(self) -> Any:
        return self.stage.op(abs, self)


def _add_operator(name: str) -> None:
    f = _DIVISIONS.get(name) or getattr(operator, name)
    name = name.rstrip("_")
    setattr(Staged, f"__{name}__", lambda x, y: x.stage.op(f, x, y))
    if name not in ("lt", "le", "gt", "ge", "eq", "ne"):
        setattr(Staged, f"__r{name}__", lambda x, y: x.stage.op(f, y, x))


def _or_zero(f: Any) -> Any:
    """Division that does not stop the program, as in compiled code: a branch that is not taken may divide by anything."""
    return lambda x, y: f(x, y) if y != 0 else type(x)(0)


def take(x: Any, i: Any) -> Any:
    """Clipped, as in compiled code: a branch that is not taken may use any index."""
    return x[min(max(int(i), -len(x)), len(x) - 1)]


_DIVISIONS = {n: _or_zero(getattr(operator, n)) for n in ("mod", "floordiv", "truediv")}
for _name in OPERATORS:
    _add_operator(_name)


def is_array(x: Any) -> bool:
    """Whether a concrete value has a first axis: tuples stand for tensors of rank 1, NumPy arrays for themselves."""
    return isinstance(x, tuple) or (hasattr(x, "shape") and x.shape != ())


def kind(x: Any) -> Any:
    """What must agree where two values meet."""
    if is_array(x):
        return "array", len(x), kind(x[0]) if len(x) else None
    for t in (bool, int, float, str):
        if isinstance(x, t):
            return t.__name__
    return type(x).__name__


def flatten(x: Any) -> list:
    """The leaves of a nest of lists and dicts."""
    if isinstance(x, list):
        return [leaf for y in x for leaf in flatten(y)]
    if isinstance(x, dict):
        return [leaf for k in sorted(x) for leaf in flatten(x[k])]
    return [x]


def rebuilt(x: Any, leaves: Any) -> Any:
    """A nest like ``x`` with other leaves."""
    if isinstance(x, list):
        return [rebuilt(y, leaves) for y in x]
    if isinstance(x, dict):
        return {k: rebuilt(x[k], leaves) for k in sorted(x)}
    return next(leaves)


def form(x: Any) -> Any:
    """The structure of a nest."""
    if isinstance(x, list):
        return [form(y) for y in x]
    return {k: form(x[k]) for k in sorted(x)} if isinstance(x, dict) else None


def is_number(x: Any) -> bool:
    """Whether a Python value can become a staged one."""
    return isinstance(x, (bool, int, float, Staged)) or is_array(x)
