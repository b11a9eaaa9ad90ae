"""Forward mode over the whole table: each differentiable row's tangents against its cotangents, at first and at second order.

The adjoint identity <u, J t> = <Jᵀ u, t> needs no differences, so it holds to rounding; that Jᵀ is right is ``test_table``'s business.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gradtape.core.dispatch import quiet
from gradtape.core.tensor import Tensor, unbox
from gradtape.gradient.batching import BatchedTensor, new_level, unbatch
from gradtape.gradient.forward import ForwardAccumulator, _how, _transposed, apply_jvp
from gradtape.gradient.tape import GradientTape
from gradtape.ground import dtypes as dt
from gradtape.ground.errors import DegenerateWarning
from gradtape.ground.primitive import Primitive, not_implemented
from gradtape.primitives import complete
from gradtape.tracing import control  # noqa: F401  (whose rows are in the table too)

from .checks import (
    agree,
    arrays_of,
    assert_close,
    aval,
    call,
    cases,
    dense,
    differentiable,
    directions,
    dtype_of,
    dtypes_of,
    epsilon,
    expected,
    generator,
    gradients,
    inexact,
    inner,
    tensor,
    weights_for,
    wide,
)

TABLE = complete()
REAL, COMPLEX = dt.float64, dt.complex128


@pytest.fixture(autouse=True)
def no_warnings():
    quiet()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateWarning)
        yield


def rows(wanted: Callable[[Primitive], Any]) -> Any:
    """The parameter ``p`` over the rows for which ``wanted`` holds."""
    return pytest.mark.parametrize("p", [pytest.param(p, id=name) for name, p in TABLE.items() if wanted(p)])


def has_gradient(p: Primitive) -> bool:
    if p.joint is not None:
        return True
    rules = [p.rule(i) for i in range(1 if callable(p.grad) else len(p.grad or ()))]
    return any(r is not None and r is not not_implemented for r in rules)


def takes(*kinds: int) -> Callable[[Primitive], bool]:
    return lambda p: has_gradient(p) and any(p.accepts & k for k in kinds) and bool(p.inputs)


each_field = pytest.mark.parametrize(
    ("p", "d"),
    [
        pytest.param(p, d, id=f"{name}-{d.name}")
        for name, p in TABLE.items()
        for d in (REAL, COMPLEX)
        if takes(d.kind)(p)
    ],
)


def samples(p: Primitive, d: dt.DType, salt: str, spread: bool = False) -> Any:
    """(case, differentiable inputs, tangents for them, cotangents of the float outputs)."""
    rng = generator(p, salt)
    for case in cases(p, d, spread=spread):
        chosen = differentiable(p, case.arrays)
        outs = inexact(call(p, case.arrays, case.attrs))
        if not chosen or not outs:
            continue
        for step in directions(rng, [case.arrays[i] for i in chosen]):
            yield case, chosen, step, weights_for(rng, arrays_of(outs))


def as_tensors(arrays: Any, like: list) -> list[Tensor]:
    return [tensor(unbox(np.asarray(a, dtype=dtype_of(x).np))) for a, x in zip(arrays, like, strict=True)]


def tangents(p: Primitive, case: Any, chosen: list[int], step: list) -> tuple[list[Tensor], list]:
    """The float outputs and their tangents, by an accumulator."""
    xs = [tensor(a) for a in case.arrays]
    moving = [xs[i] for i in chosen]
    with ForwardAccumulator(moving, as_tensors(step, [case.arrays[i] for i in chosen])) as acc:
        out = p(*xs, **case.attrs)
    outs = inexact(out if p.multi else [out])
    return outs, acc.jvp(outs, "zero")


def values(tensors: Any) -> list[np.ndarray]:
    return [wide(t._a) for t in tensors]


def size(arrays: Any) -> float:
    """The largest absolute value."""
    return max((float(np.max(np.abs(a), initial=0)) for a in arrays), default=0.0)


def assert_adjoint(left: tuple, right: tuple, tol: float, what: str, noise: float = 0.0) -> None:
    """The two inner products, relative to the sums of their terms' sizes; ``noise`` is the size of terms that have cancelled before."""
    a, b = inner(*left), inner(*right)
    terms = sum(float(np.sum(np.abs(x) * np.abs(y))) for side in (left, right) for x, y in zip(*side, strict=True))
    assert abs(a - b) <= tol * (terms + noise), f"{what}: forward gives {a!r}, reverse {b!r} (of size {terms:g})"


@each_field
def test_forward_is_the_adjoint_of_reverse(p, d):
    """Each differentiable input alone and all together."""
    for case, each, step, ws in samples(p, d, "forward", spread=True):
        for some in [[k] for k in range(len(each))] + ([list(range(len(each)))] if len(each) > 1 else []):
            chosen, moved = [each[k] for k in some], [step[k] for k in some]
            what = f"{p.name} {d.name} {case.label}, inputs {chosen}"
            outs, ts = tangents(p, case, chosen, moved)
            for o, t in zip(outs, ts, strict=True):
                assert aval(t._a) == aval(o._a) and t._d is o._d, (
                    f"{what}: {o._d.name}{o._shape} has the tangent {t._d.name}{t._shape}"
                )
            gs = gradients(p, case.arrays, case.attrs, chosen, ws, "zero")
            tol = 1e3 * max(epsilon(t._d) for t in (*outs, *gs))
            assert_adjoint((ws, values(ts)), (values(gs), moved), tol, what)


@each_field
def test_second_order_is_the_same_in_every_order_of_modes(p, d):
    """The gradient under cotangents w is a map G of the inputs, with derivative G'. All four orders of two modes against each other.

    Forward over reverse gives G' t; reverse over reverse G'ᵀ v for any v; reverse over forward G'ᵀ t, as <w, J t> = <G, t>; forward over forward
    <w, J' t t> = <G' t, t>. That G' is symmetric is not asked: softmax cross-entropy has a G' that is not, off the simplex.
    """
    rng = generator(p, "weights")
    for case, chosen, step, ws in samples(p, d, "forward twice"):
        what = f"{p.name} {d.name} {case.label}"
        xs = [tensor(a) for a in case.arrays]
        moving = [xs[i] for i in chosen]
        ts = as_tensors(step, [case.arrays[i] for i in chosen])
        outs = inexact(call(p, case.arrays, case.attrs))
        gs = as_tensors(ws, arrays_of(outs))

        def run():
            out = p(*xs, **case.attrs)  # noqa: B023
            return inexact(out if p.multi else [out])

        def gradient():
            with GradientTape() as tape:
                tape.watch(moving)  # noqa: B023
                ys = run()
            return dense(tape.gradient(ys, moving, gs, "zero"))  # noqa: B023

        with ForwardAccumulator(moving, ts) as acc:
            first = gradient()
        forward_reverse = acc.jvp(first, "zero")

        with GradientTape(persistent=True) as outer:
            outer.watch(moving)
            first = gradient()
        vs = weights_for(rng, arrays_of(first))
        back = dense(outer.gradient(first, moving, as_tensors(vs, arrays_of(first)), "zero"))
        reverse_reverse = dense(outer.gradient(first, moving, ts, "zero"))

        with GradientTape() as outer:
            outer.watch(moving)
            with ForwardAccumulator(moving, ts) as acc:
                ys = run()
            js = acc.jvp(ys, "zero")
        reverse_forward = dense(outer.gradient(js, moving, gs, "zero"))

        with ForwardAccumulator(moving, ts) as around:
            with ForwardAccumulator(moving, ts) as acc:
                ys = run()
            js = acc.jvp(ys, "zero")
        twice = around.jvp(js, "zero")

        tol = 1e4 * max(epsilon(t._d) for t in (*outs, *first))
        largest = size(values([*first, *forward_reverse]))
        noise = largest * sum(np.size(s) for s in step)
        assert_adjoint(
            (vs, values(forward_reverse)),
            (values(back), step),
            tol,
            f"{what}: forward over reverse, reverse over reverse",
            noise,
        )
        for a, b in zip(reverse_forward, reverse_reverse, strict=True):
            assert_close(a._a, b._a, tol, f"{what}: reverse over forward, reverse over reverse", atol=tol * largest)
        assert_adjoint(
            (ws, values(twice)), (values(forward_reverse), step), tol, f"{what}: forward over forward", noise
        )


@rows(takes(dt.FLOAT, dt.COMPLEX))
def test_batched_tangents_are_stacked(p):
    """A batch of tangents in one run gives what each of them gives alone: what ``jacfwd`` rests on."""
    for d in dtypes_of(p, (REAL, COMPLEX))[:1]:
        rng = generator(p, "tangents")
        for case, chosen, step, _ in samples(p, d, "tangents"):
            what = f"{p.name} {case.label}"
            steps = [step, [s * rng.uniform(0.5, 1, np.shape(s)) for s in step]]
            singles = [[t._a for t in tangents(p, case, chosen, s)[1]] for s in steps]
            xs = [tensor(a) for a in case.arrays]
            moving = [xs[i] for i in chosen]
            stacked = [
                np.stack([np.asarray(s[k], dtype_of(case.arrays[i]).np) for s in steps]) for k, i in enumerate(chosen)
            ]
            with new_level() as level:
                with ForwardAccumulator(moving, [BatchedTensor(tensor(s), level) for s in stacked]) as acc:
                    out = p(*xs, **case.attrs)
                got = [unbatch(t, 2, level) for t in acc.jvp(inexact(out if p.multi else [out]), "zero")]
            for n, g in enumerate(got):
                want = np.stack([np.asarray(s[n]) for s in singles])
                assert aval(g._a) == aval(want), what
                assert_close(g._a, want, 64 * epsilon(d), what, atol=64 * epsilon(d) * size([want]))


def pushes(p: Primitive) -> bool:
    """Whether some way cheaper than transposing the VJP is taken."""
    return p.jvp is not None or _how(p, (1 << max(len(p.inputs), 1)) - 1) is not _transposed


@rows(lambda p: takes(dt.FLOAT)(p) and not p.surrogate and pushes(p))
def test_every_way_to_push_forward_gives_what_transposing_the_rule_gives(p):
    """``jvp=``, ``linear``, ``multilinear`` and elementwise rules against the general way. It starts from cotangents that are 0, so it also shows that
    a rule is linear there, on which ``linearize`` rests."""
    for d in dtypes_of(p, (REAL, COMPLEX)):
        for case, chosen, step, _ in samples(p, d, "own"):
            xs = tuple(tensor(a) for a in case.arrays)
            out = p(*xs, **case.attrs)
            outs = list(out) if p.multi else [out]
            ts: list = [None] * len(xs)
            for i, t in zip(chosen, as_tensors(step, [case.arrays[i] for i in chosen]), strict=True):
                ts[i] = t
            for o, a, b in zip(
                outs, apply_jvp(p, xs, ts, outs, case.attrs), _transposed(p, xs, ts, outs, case.attrs), strict=True
            ):
                a, b = (np.zeros(o._shape) if t is None else wide(t._a) for t in (a, b))
                tol = 1e3 * max([epsilon(t._d) for t in inexact([o, *xs])])
                assert_close(a, b, tol, f"{p.name} {d.name} {case.label}", atol=tol * size([b]))


@rows(lambda p: takes(dt.FLOAT)(p) and p.accepts & dt.FLOAT)
def test_tangents_in_lower_precision(p):
    """Tangents have their output's dtype and shape, and in float32 the values that float64 gives, within a few roundings."""
    for d in dtypes_of(p, (dt.float32, dt.bfloat16)):
        for case, chosen, step, _ in samples(p, d, "low"):
            what = f"{p.name} {d.name} {case.label}"
            step = [np.asarray(s).astype(d.np) for s in step]
            outs, ts = tangents(p, case, chosen, step)
            want = expected(p, case.arrays, case.attrs)
            for o, t, w in zip(outs, ts, [w for w in want if w.dtype.is_inexact], strict=True):
                assert t._d is o._d and agree(aval(t._a), w), f"{what}: {t._d.name}{t._shape}"
            if d is not dt.float32 or p.surrogate:
                continue
            exact = tuple(unbox(np.asarray(a).astype(np.float64)) if dtype_of(a) is d else a for a in case.arrays)
            attrs = {k: REAL if v is d else v for k, v in case.attrs.items()}
            _, high = tangents(p, case._replace(arrays=exact, attrs=attrs), chosen, step)
            for t, h in zip(ts, high, strict=True):
                assert_close(t._a, h._a, 64 * epsilon(d), what, atol=64 * epsilon(d) * size(values([h])))
