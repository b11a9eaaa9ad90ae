"""From expressions to a list of operations: equal ones once, numbers worked out, small powers as products."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from ..ground.dtypes import bool_
from ..ground.primitive import Primitive
from .evaluation import call
from .expression import CLASSES, Expression, Var

_COMMUTE = ("add", "multiply", "maximum", "minimum", "equal", "not_equal", "logical_and", "logical_or")
_POWERS = 16  # whole powers up to here are products


class Number:
    """A constant; each value is one object, which is no other's equal."""

    __slots__ = ("v",)

    def __init__(self, v: float) -> None:
        self.v = v


class Op:
    """One operation: a row on values, which are numbers of operations, of inputs (below 0), or constants."""

    __slots__ = ("attrs", "bools", "ins", "p")

    def __init__(self, p: Primitive, attrs: dict[str, Any], ins: tuple, bools: tuple[bool, ...]) -> None:
        self.p, self.attrs, self.ins, self.bools = p, attrs, ins, bools


class Lowering:
    """Expressions as a list of operations, equal ones once, numbers worked out."""

    def __init__(self, args: Sequence[Var]) -> None:
        self.ops: list[Op] = []
        self.known: dict[Any, int] = {}
        self.of: dict[int, Any] = {id(v): -1 - i for i, v in enumerate(args)}
        self.numbers: dict[str, Number] = {}

    def number(self, v: float) -> Number:
        """A constant."""
        return self.numbers.setdefault(repr(v), Number(v))

    def op(
        self,
        e: Any,
        ins: tuple,
        attrs: dict[str, Any],
        p: Primitive | None = None,
        bools: tuple[bool, ...] | None = None,
    ) -> Any:
        p = p or e.primitive
        name = p.name
        if bools is None:
            bools = (*[x._d is bool_ for x in e.args], e._d is bool_) if e is not None else (False,) * (len(ins) + 1)
        if name in _COMMUTE and ins[0].__class__ is int and ins[1].__class__ is int and ins[1] < ins[0]:
            ins = ins[::-1]
        key = (name, ins, *sorted(attrs.items())) if attrs else (name, ins)
        k = self.known.get(key)
        if k is None:
            k = self.known[key] = len(self.ops)
            self.ops.append(Op(p, attrs, ins, bools))
        return k

    def row(self, name: str, *ins: Any) -> Any:
        """A row of floats."""
        return self.op(None, ins, {}, CLASSES[name].primitive)

    def power(self, x: Any, n: int) -> Any:
        if n < 0:
            return self.row("divide", self.number(1.0), self.power(x, -n))
        out: Any = None
        while n:
            if n & 1:
                out = x if out is None else self.row("multiply", out, x)
            n >>= 1
            if n:
                x = self.row("multiply", x, x)
        return out

    def lower(self, order: list[Expression]) -> None:
        """Enter expressions, arguments first."""
        of = self.of
        for e in order:
            k = id(e)
            if k in of:
                continue
            args = e.args
            if not args:
                of[k] = self.number(float(e._value))
                continue
            ins = tuple([of[id(x)] for x in args])
            name = e.primitive.name
            if all([x.__class__ is Number for x in ins]):
                vs = [x.v != 0 if y._d is bool_ else x.v for x, y in zip(ins, args)]
                of[k] = self.number(float(call(e.primitive, vs, args, e.attrs)))
                continue
            special = _SPECIAL.get(name)
            v = special(self, ins) if special is not None else None
            of[k] = self.op(e, ins, e.attrs) if v is None else v


def _lower_pow(low: Lowering, ins: tuple) -> Any:
    x, n = ins[0], ins[1].v if ins[1].__class__ is Number else math.nan
    if math.isfinite(n) and n == int(n):
        return low.number(1.0) if not n else low.power(x, int(n)) if abs(n) <= _POWERS else None
    return (
        low.row("sqrt", x)
        if n == 0.5
        else low.row("divide", low.number(1.0), low.row("sqrt", x))
        if n == -0.5
        else None
    )


def _is_one(x: Any) -> bool:
    return x.__class__ is Number and x.v == 1.0


_SPECIAL: dict[str, Callable[[Lowering, tuple], Any]] = {
    "pow": _lower_pow,
    "square": lambda low, ins: low.row("multiply", ins[0], ins[0]),
    "reciprocal": lambda low, ins: low.row("divide", low.number(1.0), ins[0]),
    "stop_gradient": lambda low, ins: ins[0],
    "conj": lambda low, ins: ins[0],
    "real": lambda low, ins: ins[0],
    "multiply": lambda low, ins: ins[1] if _is_one(ins[0]) else ins[0] if _is_one(ins[1]) else None,
    "divide": lambda low, ins: ins[0] if _is_one(ins[1]) else None,
}
