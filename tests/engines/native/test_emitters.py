"""Every emitter against its row's kernel: shapes, broadcasting, dtypes, special values. The cases come from the tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gradtape.engines.native.emit import EMITTERS, REDUCERS
from gradtape.engines.native.lower import RULES
from gradtape.engines.native.mathfn import MATH, ULP
from gradtape.ground import dtypes as dt
from gradtape.ground.primitive import TABLE

from .graphs import Build, check, sample

KINDS = {"f": (dt.float32, dt.float64), "i": (dt.int32, dt.int64), "b": (dt.bool_,)}
CASES = [(name, d) for name in sorted(EMITTERS) for kind in EMITTERS[name] for d in KINDS[kind]]
ATTRS: dict[str, dict] = {
    "leaky_relu": {"alpha": 0.2},
    "leaky_relu_grad": {"alpha": 0.2},
    "check_numerics": {"message": "m"},
}
# rows that only add, subtract, multiply, divide, take roots, choose or convert: equal to the bit
INEXACT = {*MATH, "pow", "pow_slope", "xlogy", "xlog1py", "elu", "selu", "sigmoid_xent"} - {"rsqrt"}


def test_registries_name_rows() -> None:
    """A misspelt name, or one whose row is gone, would be native code that nothing runs."""
    assert TABLE.keys() >= EMITTERS.keys() | REDUCERS.keys() | RULES.keys()
    assert MATH.keys() == ULP.keys() and EMITTERS.keys() >= MATH.keys()
    assert not EMITTERS.keys() & RULES.keys()  # one way for each
    assert RULES.keys() >= REDUCERS.keys()
    known = set("fib")
    assert all(e.keys() <= known for e in EMITTERS.values()) and all(set(r.kinds) <= known for r in REDUCERS.values())


def attrs_of(name: str, d: Any, to: Any = None) -> dict:
    """Attributes for a row."""
    return {"dtype": to or dt.float64, "source": d} if name == "cast" else ATTRS.get(name, {})


def dtypes_of(name: str, d: Any, count: int) -> list:
    """The inputs' dtypes, the one that matters being ``d``."""
    out = [d] * count
    if name == "select":
        out[0] = dt.bool_
    if name == "keep_where":
        out[1] = dt.bool_
    return out


def inputs_of(name: str) -> int:
    """How many inputs a row takes."""
    return 3 if TABLE[name].variadic else len(TABLE[name].inputs)


def domain_of(name: str, d: Any, i: int) -> tuple[float, float]:
    """Where to sample an input."""
    p = TABLE[name]
    lo, hi = p.domain[min(i, len(p.domain) - 1)] if p.domain else (-3, 3)
    if d.is_integer and EMITTERS[name]["i"].can_fail and i == 1:
        return 1, 5
    return lo, hi


SHAPES = [
    [()],
    [(1,)],
    [(7,)],
    [(16,)],
    [(100,)],
    [(3, 5), (5,)],
    [(4, 1), (1, 37)],
    [(2, 3, 18), (3, 1)],
    [(33,), ()],
    [(0, 3), (3,)],
]


@pytest.mark.parametrize(("name", "d"), CASES, ids=[f"{n}-{d.name}" for n, d in CASES])
def test_values(name: str, d: Any) -> None:
    rng = np.random.default_rng(1)
    b = Build()
    xs, outs = [], []
    count = inputs_of(name)
    for shapes in SHAPES:
        if TABLE[name].variadic:
            shapes = shapes[:1]
        ins = []
        for i, t in enumerate(dtypes_of(name, d, count)):
            ins.append(b.input(shapes[i % len(shapes)], t))
            xs.append(sample(rng, ins[-1].aval, *domain_of(name, t, i)))
        outs.append(b(name, *ins, **attrs_of(name, d)))
    exact = name not in INEXACT
    check(b.graph(*outs), xs, exact=exact, rtol=8 * np.finfo(d.np).eps if d.is_floating and not exact else None)


SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, -2.5, np.nan, np.inf, -np.inf, 1e-40, -1e-40, 3.0, -3.0, 5e-324, 2.0, 1e30]


@pytest.mark.parametrize(
    ("name", "d"),
    [(n, d) for n, d in CASES if d.is_floating and n not in ("cast", "check_numerics", "floordiv")],
    ids=lambda x: getattr(x, "name", x),
)
def test_special_values(name: str, d: Any) -> None:
    """NaN, infinities, signed zeros and denormals: as vectors, and one by one as scalars."""
    count = inputs_of(name) if not TABLE[name].variadic else 2
    types = dtypes_of(name, d, count)
    grids = np.meshgrid(*[SPECIAL if t.is_floating else [0, 1] for t in types])
    b = Build()
    xs = [g.ravel().astype(t.np) for g, t in zip(grids, types, strict=True)]
    out = b(name, *[b.input(x.shape, t) for x, t in zip(xs, types, strict=True)], **attrs_of(name, d))
    exact = name not in INEXACT
    (got,) = check(b.graph(out), xs, exact=exact, rtol=8 * np.finfo(d.np).eps)
    scalar = Build()
    out = scalar(name, *[scalar.input((), t) for t in types], **attrs_of(name, d))
    from gradtape.engines.native import compile as native

    run = native(scalar.graph(out))
    for i in range(0, len(got), max(1, len(got) // 64)):
        (r,) = run(*[x[i] for x in xs])
        assert r.tobytes() == got[i].tobytes() or (r != r and got[i] != got[i])


def test_signed_zeros() -> None:
    """The sign of a zero result is NumPy's."""
    z = np.array([0.0, -0.0] * 9, np.float32)
    for name in sorted(
        set(MATH)
        - {"acosh", "cos", "cosh", "erfc", "exp", "log", "rsqrt", "sigmoid", "softplus", "acos", "pow", "atan2"}
    ):
        b = Build()
        (got,) = check(b.graph(b(name, b.input(z.shape))), [z])
        assert (np.signbit(got) == np.signbit(z)).all(), name


@pytest.mark.parametrize("source", [dt.float32, dt.float64, dt.int32, dt.int64, dt.bool_], ids=lambda d: d.name)
def test_cast(source: Any) -> None:
    rng = np.random.default_rng(2)
    b = Build()
    x, s = b.input((3, 21), source), b.input((), source)
    to = [d for d in (dt.float32, dt.float64, dt.int32, dt.int64, dt.bool_) if d is not source]
    outs = [b("cast", v, dtype=d, source=source) for v in (x, s) for d in to]
    check(b.graph(*outs), [sample(rng, v.aval, -100, 100) for v in (x, s)], exact=True)


@pytest.mark.parametrize("name", ["floordiv", "floormod", "truncatediv", "truncatemod"])
@pytest.mark.parametrize("d", [dt.int32, dt.int64], ids=lambda d: d.name)
def test_integer_division(name: str, d: Any) -> None:
    ys = np.array([1, -1, 2, -2, 7, -7, 100], d.np)
    xs = np.array([0, 1, -1, 2, -3, 7, -8, 100, -101, np.iinfo(d.np).max], d.np)
    x, y = (g.ravel().copy() for g in np.meshgrid(xs, ys))
    b = Build()
    check(b.graph(b(name, b.input(x.shape, d), b.input(y.shape, d))), [x, y])


@pytest.mark.parametrize("name", ["floordiv", "floormod", "truncatediv", "truncatemod"])
@pytest.mark.parametrize("shape", [(), (5,), (40,)])
def test_division_by_zero_raises_as_the_kernel(name: str, shape: tuple) -> None:
    from gradtape.engines.native import compile as native
    from gradtape.ground.errors import InvalidArgumentError

    b = Build()
    run = native(b.graph(b(name, b.input(shape, dt.int32), b.input(shape, dt.int32))))
    x = np.ones(shape, np.int32)[()]
    y = np.ones(shape, np.int32)
    assert np.array_equal(run(x, y[()])[0], x // y if "div" in name else x * 0)
    y.reshape(-1)[-1] = 0
    with pytest.raises(InvalidArgumentError, match="division by zero"):
        run(x, y[()])
    assert np.array_equal(run(x, x)[0], x if "div" in name else x * 0)


def test_check_numerics_raises() -> None:
    from gradtape.engines.native import compile as native
    from gradtape.ground.errors import InvalidArgumentError

    b = Build()
    x = b.input((21,))
    run = native(b.graph(b("multiply", b("check_numerics", b("log", x), message="here"), 2.0)))
    a = np.ones(21, np.float32)
    assert run(a)[0].tolist() == [0.0] * 21
    a[20] = 0
    with pytest.raises(InvalidArgumentError, match="here : Tensor had Inf"):
        run(a)


@pytest.mark.parametrize("d", [dt.int32, dt.int64], ids=lambda d: d.name)
def test_integer_powers_and_shifts(d: Any) -> None:
    rng = np.random.default_rng(3)
    b = Build()
    x, y = b.input((50,), d), b.input((50,), d)
    outs = [b("pow", x, y), b("pow", x, b.const(3, d)), b("left_shift", x, y), b("right_shift", x, y), b("invert", x)]
    check(b.graph(*outs), [rng.integers(-9, 9, 50).astype(d.np), rng.integers(0, 70, 50).astype(d.np)])


AXES = [((7,), (0,)), ((100,), (0,)), ((3, 5), (0,)), ((3, 5), (1,)), ((3, 5), (0, 1)), ((40, 64), (0,)), ((40, 70), (1,)), ((2, 3, 20), (1,)),
        ((2, 3, 20), (0, 2)), ((2, 3, 20), (2,)), ((4, 1, 3), (0, 1)), ((5,), ()), ((), ()), ((3, 40, 5), (1,)), ((6000,), (0,)), ((1, 1), (0,))]  # fmt: skip


@pytest.mark.parametrize("name", sorted(REDUCERS))
def test_reductions(name: str) -> None:
    rng = np.random.default_rng(4)
    for d in [d for k in REDUCERS[name].kinds for d in KINDS[k]]:
        b = Build()
        xs, outs = [], []
        for shape, axis in AXES:
            x = b.input(shape, d)
            xs.append(sample(rng, x.aval, 0.9, 1.1) if name == "prod" else sample(rng, x.aval, 0.5, 3))
            outs += [b(name, x, axis=axis, keepdims=k) for k in (False, True)]
        check(b.graph(*outs), xs, rtol=1e-5 if d is dt.float32 else 1e-13)


@pytest.mark.parametrize("name", ["sum", "prod", "any", "all", "max", "min", "mean"])
def test_reductions_of_nothing(name: str) -> None:
    """Empty arrays: the kernel's answer."""
    d = dt.bool_ if name in ("any", "all") else dt.float32
    for shape, axis in (((0,), (0,)), ((0, 3), (0,)), ((3, 0), (1,)), ((0, 3), (1,))):
        b = Build()
        check(b.graph(b(name, b.input(shape, d), axis=axis, keepdims=False)), [np.zeros(shape, d.np)])


@pytest.mark.parametrize("name", ["max", "min", "sum"])
def test_reductions_meet_nan(name: str) -> None:
    for n in (3, 16, 50, 700):
        for at in (0, n // 2, n - 1):
            x = np.arange(n, dtype=np.float32)
            x[at] = np.nan
            b = Build()
            v = b.input((n,))
            check(b.graph(b(name, v, axis=(0,), keepdims=False)), [x])


@pytest.mark.parametrize("d", [dt.float32, dt.float64], ids=lambda d: d.name)
def test_long_sums_are_accurate(d: Any) -> None:
    """No worse than pairwise summation."""
    rng = np.random.default_rng(5)
    for n in (200_003, 1_000_000):
        x = rng.uniform(0, 1, n).astype(d.np)
        b = Build()
        v = b.input((n,), d)
        (got,) = check(b.graph(b("sum", v, axis=(0,), keepdims=False)), [x], rtol=1e-5)
        exact = np.sum(x.astype(np.longdouble))
        assert abs(got - exact) <= 4 * np.finfo(d.np).eps * exact
