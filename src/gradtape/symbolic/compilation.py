"""Expressions as fast functions of arrays: a list of steps for the native engine's loop over blocks, which LLVM need not see.

Making one takes microseconds for each part of the formula. ``function`` is the other way: the formula as a ``tf.function`` of tensors, which
tapes differentiate and other functions contain.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.state import state
from ..core.tensor import Tensor
from ..core.variable import Variable
from ..ground.dtypes import as_dtype, bool_, float32, float64
from ..ground.primitive import Primitive
from .derivative import _vars
from .evaluation import call, flat, like
from .expression import CLASSES, Const, Expression, Var, topological

_COMMUTE = ("add", "multiply", "maximum", "minimum", "equal", "not_equal", "logical_and", "logical_or")
_POWERS = 16  # whole powers up to here are products


class _Op:
    """One operation: a row on values, which are numbers of operations, of inputs (below 0), or constants (floats)."""

    __slots__ = ("attrs", "bools", "ins", "p")

    def __init__(self, p: Primitive, attrs: dict[str, Any], ins: tuple, bools: tuple[bool, ...]) -> None:
        self.p, self.attrs, self.ins, self.bools = p, attrs, ins, bools


class _Lowering:
    """Expressions as a list of operations, equal ones once, numbers worked out."""

    def __init__(self, args: Sequence[Var]) -> None:
        self.ops: list[_Op] = []
        self.known: dict[Any, int] = {}
        self.of: dict[int, Any] = {id(v): -1 - i for i, v in enumerate(args)}
        self.bool = [False] * len(args)

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
            self.ops.append(_Op(p, attrs, ins, bools))
        return k

    def row(self, name: str, *ins: Any) -> Any:
        """A row of floats."""
        return self.op(None, ins, {}, CLASSES[name].primitive)

    def power(self, x: Any, n: int) -> Any:
        if n < 0:
            return self.row("divide", 1.0, self.power(x, -n))
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
                of[k] = float(e._value) if e._value.__class__ is not bool else (1.0 if e._value else 0.0)  # type: ignore[union-attr]
                continue
            ins = tuple([of[id(x)] for x in args])
            name = e.primitive.name
            if all([x.__class__ is float for x in ins]):
                of[k] = float(
                    call(e.primitive, [x != 0 if y._d is bool_ else x for x, y in zip(ins, args)], args, e.attrs)
                )
                continue
            special = _SPECIAL.get(name)
            v = special(self, ins) if special is not None else None
            of[k] = self.op(e, ins, e.attrs) if v is None else v


def _lower_pow(low: _Lowering, ins: tuple) -> Any:
    x, n = ins
    if n.__class__ is not float:
        return None
    if n == int(n) if math.isfinite(n) else False:
        return 1.0 if not n else low.power(x, int(n)) if abs(n) <= _POWERS else None
    return low.row("sqrt", x) if n == 0.5 else low.row("divide", 1.0, low.row("sqrt", x)) if n == -0.5 else None


_SPECIAL: dict[str, Callable[[_Lowering, tuple], Any]] = {
    "pow": _lower_pow,
    "square": lambda low, ins: low.row("multiply", ins[0], ins[0]),
    "reciprocal": lambda low, ins: low.row("divide", 1.0, ins[0]),
    "stop_gradient": lambda low, ins: ins[0],
    "conj": lambda low, ins: ins[0],
    "real": lambda low, ins: ins[0],
    "multiply": lambda low, ins: (
        ins[1]
        if ins[0] == 1.0 and ins[0].__class__ is float
        else ins[0]
        if ins[1] == 1.0 and ins[1].__class__ is float
        else None
    ),
    "divide": lambda low, ins: ins[0] if ins[1] == 1.0 and ins[1].__class__ is float else None,
}


class _Numpy:
    """The operations by their NumPy kernels, block by block: where there is no native engine."""

    BLOCK = 1 << 15

    def __init__(self, ops: list[_Op], outs: list[Any], dtype: np.dtype) -> None:
        self.ops, self.outs, self.type = ops, outs, dtype
        self.last: dict[Any, int] = {}
        for i, op in enumerate(ops):
            for x in op.ins:
                self.last[x] = i

    def __call__(self, arrays: Sequence[np.ndarray], n: int) -> list[np.ndarray]:
        outs = [np.empty(n, self.type) for _ in self.outs]
        with np.errstate(all="ignore"):
            for at in range(0, n, self.BLOCK):
                part = slice(at, min(n, at + self.BLOCK))
                env: dict[Any, Any] = {-1 - i: a[part] if a.size == n else a[0] for i, a in enumerate(arrays)}
                for i, op in enumerate(self.ops):
                    xs = [self.type.type(x) if x.__class__ is float else env[x] for x in op.ins]
                    env[i] = op.p.compute(
                        *[x != 0 if b and getattr(x, "dtype", None) != np.bool_ else x for x, b in zip(xs, op.bools)],
                        **op.attrs,
                    )
                    for x in op.ins:
                        if x.__class__ is int and x >= 0 and self.last[x] == i and x not in self.outs:
                            env.pop(x, None)
                for out, v in zip(outs, self.outs):
                    out[part] = v if v.__class__ is float else env[v]
        return outs


def _formula(ops: list[_Op], outs: list[Any], inputs: int, singles: tuple[bool, ...], dtype: np.dtype) -> Callable:
    """What runs the operations on arrays: native where that is to be had."""
    from ..tracing.engine import native_wanted

    if native_wanted():
        from ..engines.native import blockwise

        try:
            return _native(blockwise, ops, outs, inputs, singles, dtype)
        except blockwise.Unsupported:
            pass
    return _Numpy(ops, outs, dtype)


def _native(
    blockwise: Any, ops: list[_Op], outs: list[Any], inputs: int, singles: tuple[bool, ...], dtype: np.dtype
) -> Any:
    last: dict[int, int] = {}
    for i, op in enumerate(ops):
        for x in op.ins:
            if x.__class__ is int:
                last[x] = i
    # an operation whose result is wanted writes it there at once; others get a place that is free
    direct: dict[int, int] = {}
    for j, v in enumerate(outs):
        if v.__class__ is int and v >= 0:
            direct.setdefault(v, j)
    place: dict[int, Any] = {}
    free: list[int] = []
    kept = 0
    consts: dict[Any, int] = {}
    nan: list[int] = []
    listed: list[float] = []

    def const(v: float) -> int:
        if v != v:
            if not nan:
                nan.append(len(listed))
                listed.append(v)
            return nan[0]
        at = consts.setdefault(v if v else (v, math.copysign(1, v)), len(listed))
        if at == len(listed):
            listed.append(v)
        return at

    steps: list[tuple] = []
    for i, op in enumerate(ops):
        ins = [("c", const(x)) if x.__class__ is float else ("i", -1 - x) if x < 0 else place[x] for x in op.ins]
        for x in dict.fromkeys(op.ins):
            if x.__class__ is int and x >= 0 and last[x] == i and place[x][0] == "k":
                free.append(place[x][1])
        if i in direct:
            place[i] = ("o", direct[i])
        else:
            if free:
                place[i] = ("k", free.pop())
            else:
                place[i] = ("k", kept)
                kept += 1
        steps.append((op, ins, place[i]))
    copies = [(j, v) for j, v in enumerate(outs) if v.__class__ is float or v < 0 or direct[v] != j]
    one = const(1.0) if copies else 0
    start = {"k": 0, "i": kept, "o": kept + inputs, "c": kept + inputs + len(outs)}
    number = lambda w: start[w[0]] + w[1]
    single = lambda w: w[0] == "c" or (w[0] == "i" and singles[w[1]])
    made = []
    for op, ins, to in steps:
        pattern = tuple([single(w) for w in ins])
        if all(pattern):
            raise AssertionError("an operation on single numbers alone")
        made.append(
            blockwise.Step(op.p.name, op.attrs, number(to), tuple(map(number, ins)), pattern, op.bools, op.p.kernel)
        )
    for j, v in copies:  # an output that is an input, a number or another output
        if v.__class__ is float or (v < 0 and singles[-1 - v]):
            continue
        w = ("i", -1 - v) if v < 0 else place[v]
        made.append(
            blockwise.Step(
                "multiply",
                {},
                number(("o", j)),
                (number(w), number(("c", one))),
                (False, True),
                (False, False, False),
                np.multiply,
            )
        )
    formula = blockwise.Formula(made, kept, inputs, len(outs), listed, dtype.name)
    plain = [(j, v) for j, v in copies if v.__class__ is float or (v < 0 and singles[-1 - v])]
    if not plain:
        return formula

    def run(arrays: Sequence[np.ndarray], n: int) -> list[np.ndarray]:
        found = formula(arrays, n)
        for j, v in plain:
            found[j][...] = v if v.__class__ is float else arrays[-1 - v][0]
        return found

    return run


class Compiled:
    """A formula, or several, as a function of arrays. ``symbolic.compile`` makes it.

    Attributes:
        args: the Vars whose values it takes, in order.
        dtype: the dtype that it computes with.
    """

    def __init__(self, e: Any, args: Sequence[Var], dtype: Any) -> None:
        self.args, self.dtype = list(args), as_dtype(dtype)
        self._form = e
        self._roots = flat(e)
        low = _Lowering(self.args)
        low.lower(topological(self._roots))
        self._ops = low.ops
        self._outs = [low.of[id(r)] for r in self._roots]
        self._bool = [r._d is bool_ for r in self._roots]
        self._type = self.dtype.np
        self._runs: dict[tuple[bool, ...], Callable] = {}
        self._function: Any = None
        self.__name__ = "formula"

    @property
    def operations(self) -> int:
        """How many operations it does for each element."""
        return len(self._ops)

    def __call__(self, *arrays: Any) -> Any:
        if len(arrays) != len(self.args):
            raise TypeError(
                f"The function takes {len(self.args)} arguments ({', '.join(v.name for v in self.args)}), but got {len(arrays)}."
            )
        tensors = False
        for a in arrays:
            if isinstance(a, Tensor | Variable):
                tensors = True
                if isinstance(a, Expression) or _watched(a):
                    return self._through_dispatch(arrays)
        xs = [
            np.asarray(a._read()._a if isinstance(a, Variable) else a._a if isinstance(a, Tensor) else a)
            for a in arrays
        ]
        for x, v in zip(xs, self.args):
            if x.dtype.kind not in "biuf":
                raise TypeError(f"The argument {v.name!r} must be real numbers, but is an array of {x.dtype}: {x!r}.")
        shape = np.broadcast_shapes(*[x.shape for x in xs]) if xs else ()
        n = math.prod(shape)
        flats = []
        for x in xs:
            if x.size != 1 and x.shape != shape:
                x = np.broadcast_to(x, shape)
            flats.append(np.ascontiguousarray(x, self._type).reshape(-1))
        singles = tuple([x.size == 1 and n > 1 for x in flats])
        run = self._runs.get(singles)
        if run is None:
            run = self._runs[singles] = self._prepared(singles)
        outs = run(flats, n)
        got = []
        for o, b in zip(outs, self._bool):
            o = o.reshape(shape) if shape else o[0]
            o = o != 0 if b else o
            got.append(Tensor(o, bool_ if b else self.dtype) if tensors else o)
        return like(self._form, got)

    def _prepared(self, singles: tuple[bool, ...]) -> Callable:
        """What runs for arguments of which some are single numbers: what depends on these alone is worked out first, once."""
        ops, outs, inputs = self._ops, self._outs, len(self.args)
        if not any(singles):
            return _formula(ops, outs, inputs, singles, self._type)
        alone = [False] * len(ops)
        is_single = lambda x: x.__class__ is float or (singles[-1 - x] if x < 0 else alone[x])
        for i, op in enumerate(ops):
            alone[i] = all([is_single(x) for x in op.ins])
        needed = {
            x for i, op in enumerate(ops) if not alone[i] for x in op.ins if x.__class__ is int and x >= 0 and alone[x]
        }
        needed |= {x for x in outs if x.__class__ is int and x >= 0 and alone[x]}
        first = sorted(needed)
        if not first:
            return _formula(ops, outs, inputs, singles, self._type)
        renumbered, early = {}, []
        for i, op in enumerate(ops):
            if alone[i]:
                renumbered[i] = len(early)
                early.append(
                    _Op(
                        op.p,
                        op.attrs,
                        tuple([renumbered[x] if x.__class__ is int and x >= 0 else x for x in op.ins]),
                        op.bools,
                    )
                )
        before = _formula(early, [renumbered[i] for i in first], inputs, (False,) * inputs, self._type)
        late: list[_Op] = []
        of: dict[int, int] = {i: -1 - inputs - k for k, i in enumerate(first)}
        for i, op in enumerate(ops):
            if not alone[i]:
                of[i] = len(late)
                late.append(
                    _Op(
                        op.p, op.attrs, tuple([of[x] if x.__class__ is int and x >= 0 else x for x in op.ins]), op.bools
                    )
                )
        results = [of[x] if x.__class__ is int and x >= 0 else x for x in outs]
        after = _formula(late, results, inputs + len(first), (*singles, *[True] * len(first)), self._type)

        def run(arrays: Sequence[np.ndarray], n: int) -> list[np.ndarray]:
            numbers = before([a if s else a[:1] for a, s in zip(arrays, singles)], 1)
            return after([*arrays, *numbers], n)

        return run

    def _through_dispatch(self, arrays: Sequence[Any]) -> Any:
        if self._function is None:
            self._function = function(self._form, self.args)
        return self._function(*arrays)

    def __repr__(self) -> str:
        return f"<compiled function of ({', '.join(v.name for v in self.args)}): {len(self._ops)} operations on {self.dtype.name}>"


def _watched(a: Any) -> bool:
    """Whether something hears of what becomes of a tensor: a tape, or the trace or batch that it belongs to."""
    if state.trace is not None:
        return True
    if isinstance(a, Variable):
        return bool(state.tapes)
    return bool(a._special) or any([a._k in t._live for t in state.tapes])


def compile(e: Any, args: Any = None, dtype: Any = float64) -> Compiled:
    """A fast function of arrays that computes an expression, or several at once. Common parts are computed once.

    Args:
        e: an expression, or a list or array of them (an expression and its derivatives, say).
        args: the arguments' order, Vars; None: that of first mention. An array of Vars counts for its elements.
        dtype: float64 or float32, with which it computes.

    Returns:
        A function of arrays (or numbers, or tensors) that broadcast. It returns an array of the broadcast shape, a NumPy number for numbers, in the
        structure of ``e``; for tensors tensors, through which gradients flow.

    Raises:
        TypeError: something in ``args`` is no Var; ``dtype`` is another; the expression is not made of real numbers.
        ValueError: a variable is not among ``args``.

    Whole powers up to 16 are computed as products; other functions as the rows' native code has them.

    >>> import gradtape as tf
    >>> x, y = tf.symbolic.variables("x y")
    >>> e = x * x * y + y + 2
    >>> f = tf.symbolic.compile([e, e.diff(x)], [x, y])
    >>> f([3.0, 1.0], 4.0)
    [array([42., 10.]), array([24.,  8.])]
    """
    roots = flat(e)
    d = as_dtype(dtype)
    if d not in (float32, float64):
        raise TypeError(f"compile computes with float32 or float64, not with {d.name}.")
    xs = _vars(args, roots)
    _check(roots, xs)
    for x in topological(roots):
        if not (x._d.is_floating or x._d is bool_):
            raise TypeError(
                f"compile is for real numbers, but {x!r} is of dtype {x._d.name}: use evaluate, or symbolic.function."
            )
    return Compiled(e, xs, d)


def _check(roots: list[Expression], xs: list[Var]) -> None:
    known = {id(x) for x in xs}
    if len(known) < len(xs):
        raise ValueError(f"args names a variable twice: {[x.name for x in xs]}.")
    missing = [v.name for v in topological(roots) if isinstance(v, Var) and id(v) not in known]
    if missing:
        raise ValueError(f"args lacks the variables {list(dict.fromkeys(missing))} of the expression.")


def function(e: Any, args: Any = None) -> Any:
    """The expression as a ``tf.function`` of tensors: tapes differentiate it, other functions may call it.

    Args:
        e: an expression, or a list or array of them.
        args: the arguments' order, Vars; None: that of first mention.

    Returns:
        A function of tensors of one dtype that broadcast.

    Raises:
        TypeError: something in ``args`` is no Var.
        ValueError: a variable is not among ``args``.

    >>> import gradtape as tf
    >>> x = tf.symbolic.Var("x")
    >>> f = tf.symbolic.function(x * x, [x])
    >>> t = tf.constant(3.0)
    >>> with tf.GradientTape() as tape:
    ...     tape.watch(t)
    ...     y = f(t)
    >>> print(tape.gradient(y, t).numpy())
    6.0
    """
    from ..primitives.structure import cast
    from ..tracing.function import function as traced

    roots = flat(e)
    xs = _vars(args, roots)
    _check(roots, xs)
    order = topological(roots)

    def formula(*tensors: Any) -> Any:
        from ..core.tensor import convert

        ts = [convert(t) for t in tensors]
        d = next((t._d for t in ts if t._d.is_floating), float64)
        env: dict[int, Any] = {id(v): t if t._d is d else cast(t, d) for v, t in zip(xs, ts, strict=True)}
        for x in order:
            if id(x) in env:
                continue
            if isinstance(x, Const):
                k = x._d if x._d is bool_ else d
                env[id(x)] = Tensor(k.type(x._value), k)
            else:
                env[id(x)] = x.primitive(*[env[id(y)] for y in x.args], **x.attrs)
        return like(e, [env[id(r)] for r in roots])

    return traced(formula, autograph=False)


__all__ = ["Compiled", "compile", "function"]
