"""Tests generated from the table of primitives: each row is sampled from its own test domain and checked in every way it is used.

A new row is tested by being in the table. ``formulas.py`` may add a definition of its value written without NumPy, but need
not. What a test needs of a row (float inputs, a derivative, a reference) it reads from the row, and a row that lacks it is
not among that test's parameters.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gradtape.core.buffers import BIG
from gradtape.core.dispatch import quiet
from gradtape.core.tensor import Tensor
from gradtape.gradient.batching import batch_call
from gradtape.gradient.tape import GradientTape
from gradtape.ground import dtypes as dt
from gradtape.ground.errors import DegenerateWarning, InvalidArgumentError, OpError
from gradtape.ground.primitive import Aval, Primitive, not_implemented
from gradtape.primitives import complete

from . import formulas
from .checks import (
    COMPLEXES,
    FLOATS,
    agree,
    arrays_of,
    assert_close,
    assert_slope,
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
    extreme,
    generator,
    gradients,
    inexact,
    inner,
    mangled,
    moved,
    tensor,
    unbox,
    weights_for,
    wide,
)

EPS = epsilon(dt.float64)
TABLE = complete()


@pytest.fixture(autouse=True)
def no_warnings_of_numpy():
    quiet()  # pytest sets the filters of warnings anew for each test


def rows(wanted: Callable[[Primitive], Any] = lambda p: True) -> Any:
    """The parameter ``p`` over the rows for which ``wanted`` holds."""
    return pytest.mark.parametrize("p", [pytest.param(p, id=name) for name, p in TABLE.items() if wanted(p)])


def has_gradient(p: Primitive) -> bool:
    if p.joint is not None:
        return True
    rules = [p.rule(i) for i in range(1 if callable(p.grad) else len(p.grad or ()))]
    return any(r is not None and r is not not_implemented for r in rules)


def takes(kind: int) -> Callable[[Primitive], bool]:
    return lambda p: bool(p.accepts & kind) and bool(p.inputs)


def with_gradient(kind: int) -> Callable[[Primitive], bool]:
    return lambda p: has_gradient(p) and takes(kind)(p)


# -- the table itself -------------------------------------------------------------------------------------------------------


@rows(
    lambda p: not p.effect and not p.outside and not p.surrogate
)  # no values to look at; no derivative to compare with
def test_has_a_test_domain(p):
    accepted = [d for d in dt.ALL if d.kind & p.accepts]
    assert any(next(cases(p, d, spread=False), None) for d in accepted), "give the row `domain` or `cases`"
    assert p.domain is None or len(p.domain) == len(p.inputs), "one interval for each input"


@rows()
def test_is_documented(p):
    assert p.doc.strip().endswith("."), "`doc` is one sentence or more"


def test_names_are_unique():
    with pytest.raises(ValueError, match="two rows are named 'sin'"):
        Primitive("sin", "x", np.sin, shape=lambda x: x)
    assert all(p.name == name for name, p in TABLE.items())


@rows(lambda p: p.grad is not None and not callable(p.grad))
def test_has_a_rule_for_each_input(p):
    assert len(p.grad) == len(p.inputs)


# -- values -----------------------------------------------------------------------------------------------------------------


@rows(lambda p: p.reference is not None or p.name in formulas.BY_NAME)
def test_value_against_an_independent_definition(p):
    for d in (dt.float64, dt.complex128, dt.int32, dt.bool_, dt.string):
        if not d.kind & p.accepts:
            continue
        for case in cases(p, d, spread=False):
            got = arrays_of(call(p, case.arrays, case.attrs))
            for reference in filter(None, (p.reference, formulas.BY_NAME.get(p.name))):
                want = reference(*case.arrays, **case.attrs)
                if want is NotImplemented:
                    continue
                for g, w in zip(got, want if p.multi else [want], strict=True):
                    size = float(np.max(np.abs(wide(w)), initial=0)) if np.asarray(w).dtype.kind in "fc" else 0.0
                    # of a sum of terms, the error is relative to the largest result, not to each
                    assert_close(
                        g,
                        w,
                        16 * EPS,
                        f"{p.name} {d.name} {case.label}",
                        atol=8 * EPS * (min(size, 0.5) if p.elementwise else size),
                    )


@rows(takes(dt.INEXACT))
def test_value_in_lower_precision_is_near_that_of_the_higher(p):
    """The same numbers in float64 and in a smaller dtype: only the kernel's own rounding may tell them apart."""
    for d in dtypes_of(p, (dt.float16, dt.bfloat16, dt.float32, dt.complex64)):
        high = dt.complex128 if d.is_complex else dt.float64
        for case in cases(p, d, spread=False):
            low = call(p, case.arrays, case.attrs)
            exact = tuple(unbox(np.asarray(a).astype(high.np)) if dtype_of(a) is d else a for a in case.arrays)
            attrs = {k: high if v is d else v for k, v in case.attrs.items()}
            for a, b in zip(low, call(p, exact, attrs), strict=True):
                eps = epsilon(a._d) if a._d.is_inexact else 0.0
                size = float(np.max(np.abs(wide(b._a)), initial=0)) if a._d.is_inexact else 0.0
                if not p.elementwise:  # sums may cancel: what counts is the size of their terms
                    size = max(
                        [size] + [float(np.max(np.abs(wide(x)), initial=0)) for x in exact if dtype_of(x) is high]
                    )
                assert_close(a._a, b._a, 4 * eps, f"{p.name} {d.name} {case.label}", atol=2 * eps * size)


@rows(takes(dt.FLOAT))
def test_half_precisions_are_float32_rounded_once(p):
    """To the bit: a row either is widened (`widen`) or does nothing that its own dtype rounds twice."""
    for d in dtypes_of(p, (dt.float16, dt.bfloat16)):
        for case in cases(p, d, spread=False):
            exact = tuple(unbox(np.asarray(a).astype(np.float32)) if dtype_of(a) is d else a for a in case.arrays)
            attrs = {k: dt.float32 if v is d else v for k, v in case.attrs.items()}
            for a, b in zip(call(p, case.arrays, case.attrs), call(p, exact, attrs), strict=True):
                want = np.asarray(b._a).astype(a._d.np)
                assert np.array_equal(wide(a._a), wide(want), equal_nan=want.dtype.kind in "fV"), (
                    f"{p.name} {d.name} {case.label}: {a._a}, not {want}"
                )


@rows(lambda p: p.elementwise)
def test_elementwise_value_is_the_same_in_arrays_and_scalars(p):
    """Kernels take other paths for scalars, strided arrays and (by ufuncs) large ones: every element must come out alike."""
    for d in dtypes_of(p):
        if d.kind == dt.STRING:
            continue
        for case in cases(p, d):
            together = np.broadcast_arrays(*case.arrays)
            (out,) = arrays_of(call(p, case.arrays, case.attrs))
            one_by_one = np.empty_like(out)
            for at in np.ndindex(np.shape(out)):
                one_by_one[at] = call(p, [a[at] for a in together], case.attrs)[0]._a
            if np.shape(out):
                assert_close(
                    one_by_one,
                    out,
                    4 * epsilon(dtype_of(out)) if dtype_of(out).is_inexact else 0,
                    f"{p.name} {d.name} {case.label}",
                )


@rows(lambda p: p.ufunc is not None)
def test_large_arrays_give_what_small_ones_do(p):
    """Above a size, results are written by ``ufunc`` into reused memory: same values, and no array that is in use is overwritten."""
    for d in dtypes_of(p, (dt.float32, dt.float64, dt.int32)):
        case = next(
            c
            for c in cases(p, d, spread=False)
            if np.shape(c.arrays[0]) == (5,) and all(np.shape(a) == (5,) for a in c.arrays)
        )
        small = call(p, case.arrays, case.attrs)[0]._a
        n = -(-BIG // (5 * d.size))
        large = [tensor(np.tile(a, n)) for a in case.arrays]
        first = p(*large)
        kept = first._a.copy()
        second = p(*[tensor(t._a[::-1].copy()) for t in large])
        del second
        p(*[tensor(t._a[::-1].copy()) for t in large])
        assert_close(first._a, kept, 0, p.name)
        assert_close(first._a[:5], small, 4 * EPS if not d.is_floating else 4 * epsilon(d), p.name)
        assert_close(first._a[-5:], small, 4 * EPS if not d.is_floating else 4 * epsilon(d), p.name)


@rows(lambda p: takes(dt.FLOAT)(p) and not p.dynamic)  # a shape that follows the values has limits to refuse
def test_overflow_division_by_zero_and_nan_are_silent(p):
    """No warning of NumPy's or SciPy's gets out, and the values do not depend on what the process does with warnings.

    A row may refuse such values (a singular matrix has no inverse), but then it always does.
    """

    def outcome(case: Any) -> list:
        try:
            return [t._a for t in call(p, case.arrays, case.attrs)]
        except OpError as refusal:
            return [refusal.message.split("\n")[0]]

    for d in dtypes_of(p, (dt.float32, dt.float16)):
        for case in extreme(p, d):
            what = f"{p.name} {d.name} {case.label}"
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore", DegenerateWarning)
                silent = outcome(case)
            with warnings.catch_warnings(record=True) as caught:
                warnings.resetwarnings()
                warnings.simplefilter("always")
                quiet()
                results = [outcome(case)]
            assert [str(w.message) for w in caught if w.category is not DegenerateWarning] == [], what
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                warnings.simplefilter("ignore", DegenerateWarning)
                results.append(outcome(case))
            with np.errstate(all="raise"), warnings.catch_warnings():
                warnings.simplefilter("ignore", DegenerateWarning)
                results.append(outcome(case))
            for got in results:
                for a, b in zip(got, silent, strict=True):
                    if isinstance(b, str):
                        assert a == b, what
                    else:
                        assert_close(a, b, 0, what)


# -- shapes and dtypes --------------------------------------------------------------------------------------------------------


@rows()
def test_shape_rule_says_what_the_kernel_gives(p):
    """Shape, dtype and sort of result, for each dtype, layout and broadcast: a NumPy scalar (or ``bytes``) for shape (), never a 0-d array."""
    for d in dtypes_of(p):
        for case in cases(p, d):
            for a in case.arrays:
                if isinstance(a, np.ndarray):
                    a.flags.writeable = False  # a kernel never writes into its inputs
            what = f"{p.name} {d.name} {case.label}"
            out = call(p, case.arrays, case.attrs)
            want = expected(p, case.arrays, case.attrs)
            assert len(out) == len(want), what
            for t, w in zip(out, want, strict=True):
                assert t._d is w.dtype, f"{what}: the tensor says {t._d.name}, the rule {w.dtype.name}"
                assert agree(aval(t._a), w), f"{what}: the kernel gives {aval(t._a)}, the rule {w}"
                sort = (bytes if t._d is dt.string else t._d.type) if t._shape == () else np.ndarray
                assert type(t._a) is sort, f"{what}: {type(t._a).__name__} for shape {t._shape}"


@rows()
def test_shape_rule_with_unknown_dimensions(p):
    """With None for some dimension, the rule still gives the right rank, and nothing that the known shape contradicts."""
    for d in dtypes_of(p)[:1]:
        for case in cases(p, d, spread=False):
            known = expected(p, case.arrays, case.attrs)
            avals = [aval(a) for a in case.arrays]
            for j, x in enumerate(avals):
                for axis in range(x.ndim):
                    unknown = Aval((*x.shape[:axis], None, *x.shape[axis + 1 :]), x.dtype)
                    try:
                        got = p.shape(*[unknown if i == j else y for i, y in enumerate(avals)], **case.attrs)
                    except InvalidArgumentError as refusal:
                        assert "known" in str(refusal), f"{p.name} {case.label}: input {j} as {unknown}: {refusal}"
                        continue  # a rank, or how many outputs there are, depends on it
                    for g, k in zip(got if p.multi else [got], known, strict=True):
                        fits = len(g.shape) == len(k.shape) and all(
                            a is None or a == b for a, b in zip(g.shape, k.shape, strict=True)
                        )
                        assert fits and g.dtype is k.dtype, (
                            f"{p.name} {case.label}, input {j} as {unknown}: {g}, not {k}"
                        )


@rows(lambda p: p.inputs)
def test_wrong_shapes(p):
    """Where the shape rule refuses, so does the operation, by an InvalidArgumentError; where it does not, the kernel gives what it says."""
    for d in dtypes_of(p, (dt.float64, dt.int32, dt.bool_, dt.string))[:1]:
        for case in cases(p, d, spread=False):
            for label, arrays in mangled(case.arrays):
                what = f"{p.name} {case.label}, {label} ({[np.shape(a) for a in arrays]})"
                try:
                    want = expected(p, arrays, case.attrs)
                except InvalidArgumentError as refusal:
                    assert len(str(refusal)) > 10, what
                    want = None
                except Exception as e:
                    raise AssertionError(f"{what}: the shape rule raises {e!r}") from e
                try:
                    got = call(p, arrays, case.attrs)
                except OpError as e:
                    # what values decide (an index out of range) the rule cannot know
                    by_value = any(not dtype_of(a).is_inexact for a in arrays)
                    assert want is None or by_value, f"{what}: the rule says {want}, but the operation raises {e!r}"
                    continue
                assert want is not None, (
                    f"{what}: the rule refuses it, but the operation gives shape {[t._shape for t in got]}"
                )
                fits = len(got) == len(want) and all(agree(aval(t._a), w) for t, w in zip(got, want, strict=True))
                assert fits, f"{what}: the rule says {want}, the operation gives {[aval(t._a) for t in got]}"


@rows(lambda p: p.inputs and p.accepts != dt.ANY)
def test_wrong_dtype(p):
    """A dtype of a kind that the row does not accept is refused by name."""
    accepted = next(iter(dtypes_of(p)), None)
    if accepted is None and p.surrogate:
        return
    case = next(iter(cases(p, accepted, spread=False)))
    for d in dt.ALL:
        if d.kind & p.accepts:
            continue
        a = np.zeros(np.shape(case.arrays[p.like]), d.np)
        if d is dt.string:
            a[...] = b""
        xs = [unbox(a) if dtype_of(x) is accepted else x for x in case.arrays]
        with pytest.raises(InvalidArgumentError, match=d.name):
            call(p, xs, case.attrs)


@rows(lambda p: p.variadic or len(p.inputs) > 1)
def test_mixed_dtypes(p):
    """Where the shape rule refuses inputs of different dtypes, the operation does too."""
    for d, other in ((dt.float64, dt.float32), (dt.int64, dt.int32)):
        if d not in dtypes_of(p, (d,)):
            continue
        case = next(iter(cases(p, d, spread=False)))
        for i, a in enumerate(case.arrays):
            if dtype_of(a) is not d or len(case.arrays) == 1:
                continue
            arrays = [unbox(np.asarray(x).astype(other.np)) if i == j else x for j, x in enumerate(case.arrays)]
            try:
                expected(p, arrays, case.attrs)
            except InvalidArgumentError:
                with pytest.raises(InvalidArgumentError):
                    call(p, arrays, case.attrs)


# -- gradients ----------------------------------------------------------------------------------------------------------------


def check_gradients(p: Primitive, d: dt.DType) -> None:
    """Each differentiable input alone and all together, in random directions, under random cotangents."""
    rng = generator(p, "gradient")
    for case in cases(p, d):
        outs = [i for i, t in enumerate(call(p, case.arrays, case.attrs)) if t._d.is_inexact]
        if any(epsilon(expected(p, case.arrays, case.attrs)[i].dtype) > EPS for i in outs):
            continue  # results of lower precision are too coarse for differences

        def f(arrays: Any) -> list:
            return [wide(call(p, arrays, case.attrs)[i]._a) for i in outs]  # noqa: B023

        ws = weights_for(rng, f(case.arrays))
        each = differentiable(p, case.arrays)
        for chosen in [[i] for i in each] + ([each] if len(each) > 1 else []):
            gs = gradients(p, case.arrays, case.attrs, chosen, ws, "zero")
            for g, i in zip(gs, chosen, strict=True):
                assert g._d is d and g._shape == np.shape(case.arrays[i]), (
                    f"{p.name} {case.label}: gradient {g._d.name}{g._shape}"
                )
            for step in directions(rng, [case.arrays[i] for i in chosen]):
                assert_slope(inner([wide(g._a) for g in gs], step), lambda t: f(moved(case.arrays, chosen, step, t)), ws,  # noqa: B023
                             p.tol, f"{p.name} {case.label}, inputs {chosen}")  # fmt: skip


@rows(lambda p: with_gradient(dt.FLOAT)(p) and not p.surrogate)
def test_gradient(p):
    check_gradients(p, dt.float64)


@rows(lambda p: with_gradient(dt.COMPLEX)(p) and not p.surrogate)
def test_complex_gradient(p):
    """TensorFlow's convention: the gradient's real part is the derivative along the real axis, its imaginary part that along the other."""
    check_gradients(p, dt.complex128)


def check_second(p: Primitive, d: dt.DType) -> None:
    """The gradient of the gradient, also with respect to the cotangent, against differences of the gradient."""
    rng = generator(p, "second")
    for case in cases(p, d, spread=False):
        chosen = differentiable(p, case.arrays)
        outs = inexact(call(p, case.arrays, case.attrs))
        ws = weights_for(rng, arrays_of(outs))
        if not chosen or not outs or any(epsilon(o._d) > EPS for o in outs):
            continue

        def first(arrays: Any, ws: list) -> list:
            return [wide(g._a) for g in gradients(p, arrays, case.attrs, chosen, ws, "zero")]  # noqa: B023

        us = weights_for(rng, first(case.arrays, ws))
        xs = [tensor(a) for a in case.arrays]
        cotangents = [tensor(unbox(np.asarray(w, dtype=o._d.np))) for w, o in zip(ws, outs, strict=True)]
        watched = [xs[i] for i in chosen]
        with GradientTape() as outer:
            outer.watch([watched, cotangents])
            with GradientTape() as tape:
                tape.watch(watched)
                y = p(*xs, **case.attrs)
                y = inexact(y if p.multi else [y])
            gs = dense(tape.gradient(y, watched, output_gradients=cotangents, unconnected_gradients="zero"))
        weights = [tensor(unbox(np.asarray(u, dtype=g._d.np))) for u, g in zip(us, gs, strict=True)]
        hs = dense(outer.gradient(gs, watched + cotangents, output_gradients=weights, unconnected_gradients="zero"))
        n = len(chosen)
        for step in directions(rng, [case.arrays[i] for i in chosen] + ws):
            assert_slope(inner([wide(h._a) for h in hs], step),
                         lambda t: first(moved(case.arrays, chosen, step[:n], t), [w + t * s for w, s in zip(ws, step[n:], strict=True)]),  # noqa: B023
                         us, p.tol, f"second derivative of {p.name} {case.label}")  # fmt: skip


@rows(lambda p: with_gradient(dt.FLOAT)(p) and not p.surrogate)
def test_second_derivative(p):
    check_second(p, dt.float64)


@rows(lambda p: with_gradient(dt.COMPLEX)(p) and not p.surrogate)
def test_complex_second_derivative(p):
    check_second(p, dt.complex128)


@rows(takes(dt.ANY))
def test_gradient_is_none_exactly_where_there_is_no_rule(p):
    for d in dtypes_of(p, (dt.float32, dt.complex64, dt.int32, dt.bool_)):
        for case in cases(p, d, spread=False):
            xs = [tensor(a) for a in case.arrays]
            with GradientTape() as tape:
                tape.watch(inexact(xs))
                out = p(*xs, **case.attrs)
            outs = list(out) if p.multi else [out]
            if any(p.rule(i) is not_implemented for i in range(len(xs))) and outs[0]._d.is_inexact:
                with pytest.raises(LookupError, match="not implemented"):
                    tape.gradient(outs, xs)
                continue
            gs = tape.gradient(outs, xs)
            some = any(t._d.is_inexact for t in outs)
            for i, (x, g) in enumerate(zip(xs, gs, strict=True)):
                flows = p.rule(i) is not None and x._d.is_inexact and some
                assert (g is not None) == flows, (
                    f"{p.name} {case.label}: the gradient of input {i} ({x._d.name}) is {g!r}"
                )


@rows(with_gradient(dt.INEXACT))
def test_gradient_keeps_the_dtype(p):
    """Gradients have their input's dtype and shape, and in small dtypes the values that float64 gives, within a few roundings.

    Not where cotangents are summed over a broadcast: there the terms may cancel.
    """
    for d in dtypes_of(p, FLOATS[:3] + COMPLEXES[:1]):
        rng = generator(p, "dtype")
        high = dt.complex128 if d.is_complex else dt.float64
        for case in cases(p, d, spread=False):
            chosen = differentiable(p, case.arrays)
            outs = inexact(call(p, case.arrays, case.attrs))
            if not chosen or not outs:
                continue
            ws = [np.asarray(w).astype(o._d.np) for w, o in zip(weights_for(rng, arrays_of(outs)), outs, strict=True)]
            exact = tuple(unbox(np.asarray(a).astype(high.np)) if dtype_of(a) is d else a for a in case.arrays)
            attrs = {k: high if v is d else v for k, v in case.attrs.items()}
            low = gradients(p, case.arrays, case.attrs, chosen, ws, "zero")
            want = gradients(p, exact, attrs, chosen, ws, "zero")
            for g, w, i in zip(low, want, chosen, strict=True):
                what = f"{p.name} {d.name} {case.label}, input {i}"
                assert g._d is dtype_of(case.arrays[i]), f"{what}: the gradient has dtype {g._d.name}"
                assert aval(g._a) == aval(case.arrays[i]), f"{what}: the gradient is {aval(g._a)}"
                if p.broadcasts and len({np.shape(a) for a in case.arrays}) > 1:
                    continue
                size = float(np.max(np.abs(wide(w._a)), initial=0))
                assert_close(g._a, w._a, 32 * epsilon(d), what, atol=16 * epsilon(d) * size)


@rows(with_gradient(dt.INEXACT))
def test_jacobian_is_made_of_gradients(p):
    """The gradient rules on a whole batch of cotangents at once give what they give for each cotangent alone."""
    for d in dtypes_of(p, (dt.float64, dt.complex128)):
        for case in cases(p, d, spread=False):
            chosen = differentiable(p, case.arrays)
            xs = [tensor(a) for a in case.arrays]
            watched = [xs[i] for i in chosen]
            with GradientTape(persistent=True) as tape:
                tape.watch(watched)
                out = p(*xs, **case.attrs)
            for y in inexact(out if p.multi else [out]):
                if not chosen or np.size(y._a) > 24:
                    continue
                whole = tape.jacobian(y, watched)
                for at in np.ndindex(*y._shape):
                    unit = np.zeros(y._shape, y._d.np)
                    unit[at] = 1
                    for j, g, i in zip(
                        whole, dense(tape.gradient(y, watched, tensor(unbox(unit)))), chosen, strict=True
                    ):
                        what = f"{p.name} {d.name} {case.label}, input {i}, row {at}"
                        assert (g is None) == (j is None), what
                        if g is not None:
                            assert aval(j._a) == Aval(y._shape + g._shape, g._d), f"{what}: {aval(j._a)}"
                            size = float(np.max(np.abs(wide(g._a)), initial=0))
                            assert_close(np.asarray(j._a)[at], g._a, 16 * EPS, what, atol=8 * EPS * size)


# -- what the row claims --------------------------------------------------------------------------------------------------------


@rows(lambda p: p.linear and takes(dt.FLOAT)(p))
def test_linear_rows_are_linear(p):
    """In the differentiable inputs together: only then is a row its own JVP."""
    for case in cases(p, dt.float64, spread=False):
        chosen = differentiable(p, case.arrays)

        def f(arrays: Any) -> list:
            return [wide(t._a) for t in inexact(call(p, arrays, case.attrs))]  # noqa: B023

        doubled = [unbox(np.asarray(-2.0 * a)) if i in chosen else a for i, a in enumerate(case.arrays)]
        zeros = [unbox(np.zeros_like(a)) if i in chosen else a for i, a in enumerate(case.arrays)]
        for one, two, none in zip(f(case.arrays), f(doubled), f(zeros), strict=True):
            assert_close(two, -2.0 * one, 8 * EPS, f"{p.name} {case.label}", atol=1e-14)
            assert_close(none, 0 * one, 0, f"{p.name} {case.label}")


@rows(lambda p: p.inputs and not p.dynamic)  # the members of a batch would differ in shape
def test_batched_is_stacked(p):
    """The row over a batch of one or of all inputs is the row on each member: by its batch rule, or by the loop that stands for one."""
    rng = generator(p, "batch")
    n = 3
    for d in dtypes_of(p, (dt.float64, dt.int32, dt.bool_))[:2]:
        for case in cases(p, d, spread=False):
            k = len(case.arrays)
            for batched in {tuple(i == j for i in range(k)) for j in range(k)} | {(True,) * k}:
                members = [
                    [_shuffled(a, rng) if b else a for a, b in zip(case.arrays, batched, strict=True)] for _ in range(n)
                ]
                what = f"{p.name} {d.name} {case.label}, batched {batched}"
                try:
                    singles = [call(p, m, case.attrs) for m in members]
                except OpError:  # a shuffled index can be out of range
                    members = [case.arrays] * n
                    singles = [call(p, m, case.attrs) for m in members]

                def f(*some: Tensor) -> list:
                    given = iter(some)
                    xs = [next(given) if b else tensor(a) for a, b in zip(case.arrays, batched, strict=True)]  # noqa: B023
                    out = p(*xs, **case.attrs)  # noqa: B023
                    return list(out) if p.multi else [out]

                got = batch_call(f, [tensor(np.stack([m[i] for m in members])) for i in range(k) if batched[i]])
                assert len(got) == len(singles[0]), what
                for o, g in enumerate(got):
                    want = np.stack([np.asarray(s[o]._a) for s in singles])
                    assert aval(g._a) == aval(want), f"{what}: {aval(g._a)}, not {aval(want)}"
                    size = float(np.max(np.abs(want), initial=0)) if want.dtype.kind in "fc" else 0.0
                    assert_close(g._a, want, 8 * EPS, what, atol=4 * EPS * size)


def _shuffled(a: Any, rng: np.random.Generator) -> Any:
    """Another value for the same input: rows in another order, numbers a little smaller."""
    a = np.asarray(a)
    if a.ndim:
        a = a[rng.permutation(len(a))]
    return unbox(a * rng.uniform(0.95, 1) if a.dtype.kind in "fc" else a)
