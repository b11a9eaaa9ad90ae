"""A class for every elementwise row of the table: values, derivatives to second order, compiled code, texts and C."""

import ctypes
import shutil
import subprocess

import numpy as np
import pytest

import gradtape as tf
from gradtape import symbolic as S
from gradtape.engines.native import blockwise
from gradtape.ground.dtypes import BOOL, COMPLEX, FLOAT
from gradtape.primitives import complete
from gradtape.symbolic.making import class_of_name
from gradtape.symbolic.notation import SPELLINGS

ROWS = [p for p in complete().values() if p.elementwise and not (p.multi or p.variadic) and p.name not in S._NO_CLASS]
REAL = [p for p in ROWS if p.accepts & FLOAT and p.name != "complex"]
NO_DERIVATIVE = {("betainc", 0), ("betainc", 1), ("zeta", 0), ("polygamma_of", 0)}  # TensorFlow has none either

named = lambda rows: pytest.mark.parametrize("p", rows, ids=lambda p: p.name)


def kinds(p):
    """The dtype of each argument for a test."""
    if not p.accepts & FLOAT:
        return ["bool" if p.accepts & BOOL else "complex128" if p.accepts & COMPLEX else "int32"] * len(p.inputs)
    at = {"select": 0, "keep_where": 1}.get(p.name)
    return ["bool" if i == at else "float64" for i in range(len(p.inputs))]


def samples(p):
    """(arrays of five elements, attributes) from the row's own domain or cases."""
    rng = np.random.default_rng(7)
    cases = [(tuple(rng.uniform(*d, (5,)) for d in p.domain), {})] if p.domain else p.cases(rng)
    for arrays, attrs in cases:
        shape = np.broadcast_shapes(*[np.shape(a) for a in arrays])
        flat = [np.broadcast_to(a, shape).ravel() for a in arrays]
        yield [a > 0.5 if k == "bool" else a.astype(k) for a, k in zip(flat, kinds(p), strict=True)], attrs


def formula(p, attrs):
    xs = [S.Var("abc"[i], dtype=k) for i, k in enumerate(kinds(p))]
    return class_of_name(p.name)(*xs, **attrs), xs


def each(e, xs, arrays):
    return [S.evaluate(e, {x: a[k] for x, a in zip(xs, arrays, strict=True)}) for k in range(len(arrays[0]))]


def test_every_elementwise_row_has_a_class_of_its_own():
    assert len(ROWS) > 100
    names = {p.name: class_of_name(p.name).__name__ for p in ROWS}
    assert len({*names.values()}) == len(ROWS)
    for p in ROWS:
        assert getattr(S, names[p.name]).primitive is p and names[p.name] in dir(S)
    assert (S.Sub.primitive.name, S.Log1p.primitive.name, S.BesselI0e.primitive.name) == (
        "subtract",
        "log1p",
        "bessel_i0e",
    )


@named(ROWS)
def test_values(p):
    for arrays, attrs in samples(p):
        e, xs = formula(p, attrs)
        np.testing.assert_allclose(each(e, xs, arrays), p.kernel(*arrays, **attrs), rtol=1e-15)


@named(ROWS)
def test_functions_of_variables_make_the_class(p):
    """The dispatch of the row makes the same object as its class."""
    _, attrs = next(samples(p))
    e, xs = formula(p, attrs)
    if p.name != "pow_slope":  # a shorthand, which is written out
        assert p(*xs, **attrs) is e
    assert e.args == tuple(xs) and type(e).__doc__.startswith(p.doc)


@named(REAL)
@pytest.mark.parametrize("native", [True, False], ids=["native", "numpy"])
def test_compiled(p, native, monkeypatch):
    if not native:
        monkeypatch.setenv("GRADTAPE_NATIVE", "0")
    for arrays, attrs in samples(p):
        e, xs = formula(p, attrs)
        f = S.compile(e, xs)
        np.testing.assert_allclose(f(*arrays), p.kernel(*arrays, **attrs), rtol=5e-14)
        for i in range(len(arrays)):  # each argument but one a single number
            some = [a if k == i else a[:1] for k, a in enumerate(arrays)]
            np.testing.assert_allclose(f(*some), p.kernel(*some, **attrs), rtol=5e-14)


@named([p for p in REAL if p.name not in ("is_nan", "is_inf", "is_finite")])
def test_derivatives_to_second_order_are_the_tapes(p):
    for arrays, attrs in samples(p):
        e, xs = formula(p, attrs)
        if not e._d.is_floating:
            continue
        for i, x in enumerate(xs):
            if not x.dtype.is_floating:
                continue
            if (p.name, i) in NO_DERIVATIVE:
                with pytest.raises(LookupError, match=f"{p.name} has no derivative with respect to its argument"):
                    e.diff(x)
                continue
            ts = [tf.constant(a) for a in arrays]
            with tf.GradientTape() as outer:
                outer.watch(ts[i])
                with tf.GradientTape() as inner:
                    inner.watch(ts[i])
                    y = p(*ts, **attrs)
                first = inner.gradient(y, ts[i])
            second = None if first is None else outer.gradient(first, ts[i])
            d = e.diff(x)
            for got, want in ((d, first), (d.diff(x), second)):
                want = np.zeros(len(arrays[0])) if want is None else want.numpy()
                np.testing.assert_allclose(each(got, xs, arrays), want, rtol=1e-10, atol=1e-13)
                compiled = np.broadcast_to(S.compile(got, xs)(*arrays), want.shape)
                np.testing.assert_allclose(compiled, want, rtol=1e-10, atol=1e-13)


@named(ROWS)
def test_texts(p):
    for _, attrs in samples(p):
        e, _ = formula(p, attrs)
        assert str(e) and e.pretty()
        source = e.latex()
        assert source.count("{") == source.count("}") and source.count(r"\left") == source.count(r"\right")
        assert repr(e).startswith(f"<{type(e).__name__}: ")


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc")
def test_c_of_every_row_that_has_a_form(tmp_path):
    """All in one file, so that gcc runs once."""
    sources, checks = ["#include <math.h>"], []
    for p in REAL:
        for k, (arrays, attrs) in enumerate(samples(p)):
            e, xs = formula(p, attrs)
            if "bool" in kinds(p):
                c, x = S.variables("c x")
                e, xs = class_of_name(p.name)(*([x > 1, x, c] if p.name == "select" else [x, c > 1]), **attrs), [x, c]
                arrays = arrays[1:] if p.name == "select" else [arrays[0], arrays[0] + 0.5]
            try:
                text = S.to_c(e, f"f_{p.name}_{k}", args=xs)
            except NotImplementedError as error:
                assert p.name in str(error) and (p.name not in SPELLINGS or not SPELLINGS[p.name].c)
                continue
            sources.append(text.replace("#include <math.h>\n", "") if "gt_polygamma" not in text or not any("static double gt_polygamma" in s for s in sources)
                           else text[text.index("double f_"):])  # fmt: skip
            checks.append((f"f_{p.name}_{k}", arrays, each(e, xs, arrays)))
    assert len(checks) > 70
    (tmp_path / "rows.c").write_text("\n".join(sources))
    library = tmp_path / "rows.so"
    subprocess.run(
        ["gcc", "-O1", "-std=gnu99", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library, tmp_path / "rows.c", "-lm"],
        check=True,
    )
    loaded = ctypes.CDLL(str(library))
    for name, arrays, want in checks:
        f = getattr(loaded, name)
        f.restype, f.argtypes = ctypes.c_double, [ctypes.c_double] * len(arrays)
        np.testing.assert_allclose(
            [f(*map(float, at)) for at in zip(*arrays, strict=True)],
            np.array(want, float),
            rtol=1e-12,
            atol=1e-15,
            err_msg=name,
        )


def test_which_rows_have_native_code():
    """What the engine emits, formulas use."""
    for name in ("add", "sin", "pow", "erf", "select", "maximum", "gelu", "lgamma"):
        bools = (True, False, False, False) if name == "select" else (False, False, False)
        assert blockwise.has_code(name, bools, blockwise.F64) == (name not in ("gelu", "lgamma"))
