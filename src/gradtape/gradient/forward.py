"""Forward mode: tangents carried along with the values, by the same rules that carry cotangents back.

A gradient rule is linear in its cotangent. Of an elementwise row it is the derivative itself, so with a tangent in place of the cotangent it is the
JVP; a linear row is its own JVP; of a multilinear row (a product) it is the sum over the inputs of the row with one tangent in its input's place. Some
rows have a JVP of their own (``jvp=``). For all others the VJP is transposed: x̄(ū) is linear in ū, and the gradient of <x̄(ū), t> with respect to ū
is the tangent of the output (the method of double backward passes; see Townsend, "A new trick for calculating Jacobian vector products", 2017).

Accumulators stand among the tapes. The operations that carry tangents are seen by the tapes and accumulators around this one, so forward over
reverse, reverse over forward and forward over forward nest to any order.
"""

from __future__ import annotations

import warnings
import weakref
from typing import Any

from ..core.dispatch import apply, quiet
from ..core.state import state
from ..core.tensor import Tensor, _next_key, convert
from ..core.variable import Variable, variable_of
from ..ground import nest
from ..ground.primitive import Primitive, not_implemented
from ..primitives import elementwise as ew
from ..primitives import structure as st
from ..primitives.indexing import IndexedSlices
from .driver import backward
from .tape import GradientTape, UnconnectedGradients, _unconnected, key_of


def apply_vjp(
    p: Any, xs: tuple, outs: list[Tensor], attrs: dict | None, wanted: tuple[int, ...], cotangents: dict[int, Tensor]
) -> list:
    """The cotangents of the inputs ``wanted`` of one operation, None where nothing flows.

    Args:
        p: the row, or what a tape recorded in the place of one.
        xs: its inputs.
        outs: its outputs.
        attrs: its attributes.
        wanted: which inputs, by number.
        cotangents: those of the outputs, by number.
    """
    plan = p.plan(sum([1 << i for i in wanted]))
    if plan is None:
        return [None for _ in wanted]
    keys = tuple(range(1, len(xs) + 1))
    out_keys = tuple(range(len(xs) + 1, len(xs) + 1 + len(outs)))
    shapes = tuple([x._a.shape for x in xs])
    out: Any = tuple(outs) if p.multi else outs[0]
    record = (p, plan.vjps, keys, xs, shapes, out, out_keys if p.multi else out_keys[0], attrs)
    found = backward([record], {out_keys[j]: g for j, g in cotangents.items()}, {keys[i] for i in wanted}, None, False)
    return [found.get(keys[i]) for i in wanted]


def apply_jvp(
    p: Any, xs: tuple, ts: list[Tensor | None], outs: list[Tensor], attrs: dict | None
) -> list[Tensor | None]:
    """The tangents of the outputs of one operation, None where they are certainly zero.

    Args:
        p: the row, or what is recorded in the place of one.
        xs: its inputs.
        ts: their tangents, None for zero.
        outs: its outputs.
        attrs: its attributes.
    """
    own = getattr(p, "jvp", None)
    if own is not None:
        return own(xs, ts, outs, attrs or {})
    mask, bit = 0, 1
    for t in ts:
        if t is not None:
            mask |= bit
        bit += bit
    how = _HOW.get((p, mask)) or _how(p, mask)
    return how(p, xs, ts, outs, attrs)


_HOW: dict[tuple[Any, int], Any] = {}  # row and moving inputs -> the function that gives the tangents


def _how(p: Any, mask: int) -> Any:
    """The function for ``p`` where the inputs in ``mask`` move."""
    if not isinstance(p, Primitive) or p.joint is not None:
        return _transposed
    rules = [p.rule(i) for i in range(mask.bit_length()) if mask >> i & 1]
    if all([r is None for r in rules]):
        how: Any = _unmoved
    elif not_implemented in rules:
        how = _transposed  # which raises the error
    elif p.elementwise and not p.multi:
        how = _elementwise(p, mask)
    elif p.linear:
        how = _linear
    elif p.multilinear:
        how = _multilinear
    else:
        how = _transposed
    _HOW[p, mask] = how
    return how


def _unmoved(p: Primitive, xs: tuple, ts: list, outs: list[Tensor], attrs: dict | None) -> list:
    return [None] * len(outs)


def _elementwise(p: Primitive, mask: int) -> Any:
    """The sum of the rules, each with its input's tangent for a cotangent."""
    plan = p.plan(mask)
    rules = plan.vjps if plan is not None else ()
    moving = [i for i in range(mask.bit_length()) if mask >> i & 1]

    def sum_of_rules(p: Primitive, xs: tuple, ts: list, outs: list[Tensor], attrs: dict | None) -> list:
        out = outs[0]
        d = out._d
        if d.is_complex and not p.holomorphic:
            return _transposed(p, xs, ts, outs, attrs)
        for i in moving:
            if xs[i]._d is not d and xs[i]._d.is_complex is not d.is_complex:  # the derivative is no complex number
                return _transposed(p, xs, ts, outs, attrs)
        total: Any = None
        shapes = None
        for i, rule in rules:
            t = ts[i]
            if rule is not None:
                if shapes is None:
                    shapes = tuple([x._a.shape for x in xs])
                t = rule(t, xs, shapes, out, attrs)
                if t is None:
                    continue
            if t._d is not d:
                t = st.cast(t, d)
            total = t if total is None else ew.add(total, t)
        if total is not None and total._a.shape != out._a.shape:
            known = None not in out._shape
            total = st.broadcast_to(total, shape=out._shape) if known else ew.add(total, st.zeros_like(out))
        return [total]

    return sum_of_rules


def _linear(p: Primitive, xs: tuple, ts: list, outs: list[Tensor], attrs: dict | None) -> list:
    """The row itself, on the tangents."""
    inputs = [
        x if p.rule(i) is None else st.zeros_like(x) if t is None else t
        for i, (x, t) in enumerate(zip(xs, ts, strict=True))
    ]
    return _moving(p, apply(p, *inputs, **attrs or {}), outs)


def _multilinear(p: Primitive, xs: tuple, ts: list, outs: list[Tensor], attrs: dict | None) -> list:
    """The product rule: the sum of the row's values with one input's tangent in its place."""
    total: Any = None
    for i, t in enumerate(ts):
        if t is not None and p.rule(i) is not None:
            term = _moving(p, apply(p, *xs[:i], t, *xs[i + 1 :], **attrs or {}), outs)
            total = term if total is None else [ew.add(a, b) for a, b in zip(total, term, strict=True)]
    return total


def _moving(p: Primitive, found: Any, outs: list[Tensor]) -> list:
    return [t if o._d.is_inexact else None for t, o in zip(found if p.multi else (found,), outs, strict=True)]


def _transposed(p: Any, xs: tuple, ts: list, outs: list[Tensor], attrs: dict | None) -> list:
    """The transpose of the VJP."""
    moving = tuple([i for i, t in enumerate(ts) if t is not None])
    floats = [j for j, o in enumerate(outs) if o._d.is_inexact]
    with GradientTape(persistent=len(floats) > 1, watch_accessed_variables=False) as tape:
        us = {j: st.zeros_like(outs[j]) for j in floats}
        tape.watch(list(us.values()))
        ds = apply_vjp(p, xs, outs, attrs, moving, us)
        ds = [d.to_dense() if isinstance(d, IndexedSlices) else d for d in ds]
    pairs = [(d, ts[i]) for d, i in zip(ds, moving, strict=True) if d is not None]
    found: list[Tensor | None] = [None] * len(outs)
    if pairs:
        tangents = tape.gradient([d for d, _ in pairs], list(us.values()), output_gradients=[t for _, t in pairs])
        for j, t in zip(us, tangents, strict=True):
            found[j] = t.to_dense() if isinstance(t, IndexedSlices) else t
    return found


class _Pending:
    """The tangents of one program's results, computed when the first of them is asked for."""

    __slots__ = ("arguments", "tangents")

    def __init__(self, *arguments: Any) -> None:
        self.arguments: Any = arguments
        self.tangents: list | None = None

    def get(self, j: int) -> Tensor | None:
        """The tangent of output ``j``."""
        if self.tangents is None:
            before = state.tapes, state.trace
            state.tapes, state.trace = (), None
            try:
                self.tangents = apply_jvp(*self.arguments)
            finally:
                state.tapes, state.trace = before
            self.arguments = None
        return self.tangents[j]


class ForwardAccumulator:
    """Carry tangents forward: Jacobian-vector products without a backward pass.

    Args:
        primals: a Tensor or Variable, or a nest of them: what is moved.
        tangents: a nest of the same form: in which direction.

    Raises:
        ValueError: a tangent does not have its primal's shape or dtype, or a primal is named twice.
        TypeError, ValueError: the two nests differ.

    Accumulators nest with each other and with tapes; the operations that carry an inner one's tangents are seen by what is around it. They work around a
    ``tf.function`` and inside one. Tangents live no longer than the tensors they belong to. A primal of integers does not move: it warns.

    >>> import gradtape as tf
    >>> x = tf.constant([2.0, 3.0])
    >>> with tf.autodiff.ForwardAccumulator(x, tf.constant([1.0, 0.0])) as acc:
    ...     y = tf.reduce_sum(x * x)
    >>> acc.jvp(y).numpy()
    np.float32(4.0)

    The product of a Hessian and a vector, forward over reverse:

    >>> v = tf.Variable([1.0, 2.0])
    >>> with tf.autodiff.ForwardAccumulator(v, tf.constant([1.0, 0.0])) as acc:
    ...     with tf.GradientTape() as tape:
    ...         y = tf.reduce_sum(v ** 3)
    ...     g = tape.gradient(y, v)
    >>> acc.jvp(g).numpy().tolist()
    [6.0, 0.0]
    """

    __slots__ = ("__weakref__", "_active", "_given", "_live", "_primals", "_refs", "_sweep_at", "_waiting", "_wanted")
    _auto = False

    def __init__(self, primals: Any, tangents: Any) -> None:
        self._active = False
        self._live: dict[int, Any] = {}  # key of a value -> its tangent, or (_Pending, number)
        self._refs: dict[int, weakref.ref] = {}  # key of a result -> the tensor, with which the tangent goes
        self._sweep_at = 256
        self._waiting = False  # whether some tangent was ever postponed
        self._wanted: set[int] | None = None
        self._given: dict[int, tuple[Variable, Tensor]] = {}
        self._primals: list = []
        nest.assert_same_structure(primals, tangents)
        for x, t in zip(nest.flatten(primals), nest.flatten(tangents), strict=True):
            self._watch(variable_of(x), t)

    def _watch(self, x: Any, tangent: Any) -> None:
        if not isinstance(x, Tensor | Variable):
            raise ValueError(
                f"A primal must be a tf.Tensor or a tf.Variable, but is {x!r}: convert it with tf.constant first."
            )
        d, shape = x.dtype, tuple(x.shape)
        if not d.is_inexact:
            warnings.warn(
                f"The dtype of the watched primal must be floating (e.g. tf.float32), got {d!r}: it has no tangent.",
                stacklevel=3,
            )
            return
        if any([x is y for y in self._primals]):
            raise ValueError(
                f"{x!r} was specified as a primal multiple times. If it was intended, please sum the corresponding tangents."
            )
        t = convert(tangent, None, d)
        if (
            t._d is not d
            or len(t._shape) != len(shape)
            or any([None not in (m, n) and m != n for m, n in zip(t._shape, shape)])
        ):
            raise ValueError(
                f"A tangent must have its primal's shape and dtype {d.name}{list(shape)}, but has {t._d.name}{list(t._shape)}."
            )
        self._primals.append(x)
        if isinstance(x, Variable):
            self._wanted = self._wanted or set()
            self._wanted.add(id(x))
            self._given[id(x)] = (x, t)
            self._live[key_of(x._value())] = t
        else:
            self._live[key_of(x)] = t

    def __enter__(self) -> ForwardAccumulator:
        if self._active:
            raise ValueError("Accumulator is already recording.")
        quiet()
        self._active = True
        state.tapes = (*state.tapes, self)
        return self

    def __exit__(self, *exc: Any) -> None:
        self._active = False
        state.tapes = tuple([t for t in state.tapes if t is not self])

    def _watch_variable(self, v: Variable, t: Tensor) -> None:
        """``t`` is what was just read from ``v``."""
        self._live[key_of(t)] = self._given[id(v)][1]

    def _record(self, p: Any, xs: tuple, out: Any, attrs: dict[str, Any] | None) -> None:
        """Called by the dispatch for every operation that runs within the block."""
        live = self._live
        ts = [live.get(x._k) for x in xs]
        for t in ts:
            if t is not None:
                break
        else:
            return
        outs = list(out) if p.multi else [out]
        for o in outs:
            if o._d.is_inexact:
                break
        else:
            return
        tapes = state.tapes
        around = tapes[: tapes.index(self)]  # what is inside does not hear of the tangents
        if self._waiting:
            ts = [self._tangent(x._k) for x in xs]
        if p.multi and not around and state.trace is None and getattr(p, "postponed", False):
            waiting = _Pending(p, xs, ts, outs, attrs)
            self._waiting = True
            self._keep(outs, [(waiting, j) if o._d.is_inexact else None for j, o in enumerate(outs)])
            return
        state.tapes = around
        try:
            tangents = apply_jvp(p, xs, ts, outs, attrs)
        finally:
            state.tapes = tapes
        self._keep(outs, tangents)

    def _tangent(self, k: int) -> Tensor | None:
        """The tangent of the value with key ``k``; None for zero."""
        t = self._live.get(k)
        if type(t) is tuple:
            t = self._live[k] = t[0].get(t[1])
        return t

    def _keep(self, outs: Any, tangents: Any) -> None:
        """The tangents of results, None for those that do not move."""
        live, refs = self._live, self._refs
        for o, t in zip(outs, tangents, strict=True):
            if t is not None:
                k = o._k
                if not k:
                    k = o._k = _next_key()
                live[k] = t
                if type(o) is Tensor:
                    refs[k] = weakref.ref(o)
        if len(refs) > self._sweep_at:
            for k in [k for k, r in refs.items() if r() is None]:
                del refs[k], live[k]
            self._sweep_at = max(256, 2 * len(refs))

    def jvp(self, primals: Any, unconnected_gradients: Any = UnconnectedGradients.NONE) -> Any:
        """The tangents of results: the Jacobian times the tangents given at the start.

        Args:
            primals: a Tensor or Variable, or a nest of them, computed within the block.
            unconnected_gradients: "none" or "zero", for what does not depend on what is moved.

        Returns:
            A nest of the same form; IndexedSlices for IndexedSlices, whose indices do not move.

        Raises:
            ValueError: something in ``primals`` is neither Tensor nor Variable.
        """
        zero = _unconnected(unconnected_gradients) is UnconnectedGradients.ZERO

        def of(x: Any) -> Any:
            x = variable_of(x)
            if isinstance(x, IndexedSlices):
                values = of(x.values)
                return None if values is None else IndexedSlices(values, x.indices, x._dense_shape)
            if not isinstance(x, Tensor | Variable):
                raise ValueError(f"jvp is defined for tensors and variables, but was given {x!r}.")
            v = x._value() if isinstance(x, Variable) else x
            if isinstance(x, Variable) and id(x) in self._given:
                return self._given[id(x)][1]
            t = self._tangent(v._k) if v._k else None
            return st.zeros_like(v) if t is None and zero else t

        return nest.map_structure(of, primals)
