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
from .derivative import _vars
from .evaluation import flat, like
from .expression import Const, Expression, Var, topological
from .lowering import Lowering, Number, Op


class _Numpy:
    """The operations by their NumPy kernels, block by block: where there is no native engine."""

    BLOCK = 1 << 15

    def __init__(self, ops: list[Op], outs: list[Any], dtype: np.dtype) -> None:
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
                    xs = [self.type.type(x.v) if x.__class__ is Number else env[x] for x in op.ins]
                    env[i] = op.p.compute(
                        *[x != 0 if b and getattr(x, "dtype", None) != np.bool_ else x for x, b in zip(xs, op.bools)],
                        **op.attrs,
                    )
                    for x in op.ins:
                        if x.__class__ is int and x >= 0 and self.last[x] == i and x not in self.outs:
                            env.pop(x, None)
                for out, v in zip(outs, self.outs):
                    out[part] = v.v if v.__class__ is Number else env[v]
        return outs


def _formula(ops: list[Op], outs: list[Any], inputs: int, singles: tuple[bool, ...], dtype: np.dtype) -> Callable:
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
    blockwise: Any, ops: list[Op], outs: list[Any], inputs: int, singles: tuple[bool, ...], dtype: np.dtype
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
        ins = [("c", const(x.v)) if x.__class__ is Number else ("i", -1 - x) if x < 0 else place[x] for x in op.ins]
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
    copies = [(j, v) for j, v in enumerate(outs) if v.__class__ is Number or v < 0 or direct[v] != j]
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
        if v.__class__ is Number or (v < 0 and singles[-1 - v]):
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
    plain = [(j, v) for j, v in copies if v.__class__ is Number or (v < 0 and singles[-1 - v])]
    if not plain:
        return formula

    def run(arrays: Sequence[np.ndarray], n: int) -> list[np.ndarray]:
        found = formula(arrays, n)
        for j, v in plain:
            found[j][...] = v.v if v.__class__ is Number else arrays[-1 - v][0]
        return found

    return run


class Compiled:
    """A formula, or several, as a function of arrays. ``symbolic.compile`` makes it.

    Attributes:
        args: the Vars whose values it takes, in order.
        dtype: the dtype that it computes with.
    """

    def __init__(self, e: Any, args: Sequence[Var], dtype: Any, order: list[Expression]) -> None:
        self.args, self.dtype = list(args), as_dtype(dtype)
        self._form = e
        self._roots = flat(e)
        low = Lowering(self.args)
        low.lower(order)
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
        is_single = lambda x: x.__class__ is Number or (singles[-1 - x] if x < 0 else alone[x])
        for i, op in enumerate(ops):
            alone[i] = all([is_single(x) for x in op.ins])
        needed = {
            x for i, op in enumerate(ops) if not alone[i] for x in op.ins if x.__class__ is int and x >= 0 and alone[x]
        }
        needed |= {x for x in outs if x.__class__ is int and x >= 0 and alone[x]}
        first = sorted(needed)
        if not first:
            return _formula(ops, outs, inputs, singles, self._type)
        renumbered: dict[int, int] = {}
        early: list[Op] = []
        for i, op in enumerate(ops):
            if alone[i]:
                renumbered[i] = len(early)
                early.append(
                    Op(
                        op.p,
                        op.attrs,
                        tuple([renumbered[x] if x.__class__ is int and x >= 0 else x for x in op.ins]),
                        op.bools,
                    )
                )
        before = _formula(early, [renumbered[i] for i in first], inputs, (False,) * inputs, self._type)
        late: list[Op] = []
        of: dict[int, int] = {i: -1 - inputs - k for k, i in enumerate(first)}
        for i, op in enumerate(ops):
            if not alone[i]:
                of[i] = len(late)
                late.append(
                    Op(op.p, op.attrs, tuple([of[x] if x.__class__ is int and x >= 0 else x for x in op.ins]), op.bools)
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
    order = topological(roots)
    xs = _vars(args, order, "args lists the arguments, symbolic.Vars")
    _check(order, xs)
    for x in order:
        if not (x._d.is_floating or x._d is bool_):
            raise TypeError(
                f"compile is for real numbers, but {x!r} is of dtype {x._d.name}: use evaluate, or symbolic.function."
            )
    return Compiled(e, xs, d, order)


def _check(order: list[Expression], xs: list[Var]) -> None:
    known = {id(x) for x in xs}
    if len(known) < len(xs):
        raise ValueError(f"args names a variable twice: {[x.name for x in xs]}.")
    missing = [v.name for v in order if isinstance(v, Var) and id(v) not in known]
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
    order = topological(roots)
    xs = _vars(args, order, "args lists the arguments, symbolic.Vars")
    _check(order, xs)

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
