"""C source: compiled by gcc, with the values of the expression and its derivatives."""

import ctypes
import math
import shutil
import subprocess

import numpy as np
import pytest

import gradtape as tf
from gradtape import symbolic as S

x, y = S.variables("x y")
gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc")


def built(source, tmp_path):
    (tmp_path / "f.c").write_text(source)
    flags = ["-O2", "-std=gnu99", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    subprocess.run(["gcc", *flags, "-o", tmp_path / "f.so", tmp_path / "f.c", "-lm"], check=True)
    return ctypes.CDLL(str(tmp_path / "f.so"))


def call(f, args, outs=0):
    """The number that ``f`` returns, or the ``outs`` numbers that it writes."""
    f.argtypes = [ctypes.c_double] * len(args) + ([ctypes.POINTER(ctypes.c_double)] if outs else [])
    f.restype = None if outs else ctypes.c_double
    if not outs:
        return f(*args)
    room = (ctypes.c_double * outs)()
    f(*args, room)
    return list(room)


@gcc
@pytest.mark.parametrize(
    "e",
    [
        x * x * y + y + 2,
        tf.sin(x) * tf.exp(-x * y) + tf.where(x > 0, x**3, y / x) + tf.sqrt(abs(y)),
        tf.math.lgamma(x * x + y),
        tf.maximum(x, y) - tf.minimum(x * y, 1.5) + tf.math.softplus(x),
        tf.nn.gelu(x) * tf.nn.selu(y) + tf.nn.leaky_relu(-x),
        (x - y) ** 2.5 / (1 + x) ** -3,
        x - (y - (x - 1e-3)) - -y,
        x / (y / (x / 3)) / -2,
        tf.math.erf(x) + 0 * y,
    ],
)
def test_value_gradient_and_hessian(e, tmp_path):
    f = built(S.to_c(e, "formula", 2, [x, y]), tmp_path)
    for point in ((1.3, 0.7), (2.5, 1.1)):
        at = dict(zip((x, y), point, strict=True))
        np.testing.assert_allclose(call(f.formula, point), S.evaluate(e, at), rtol=1e-13)
        np.testing.assert_allclose(
            call(f.formula_grad, point, 2), S.evaluate(S.gradient(e, [x, y]), at), rtol=1e-11, atol=1e-14
        )
        np.testing.assert_allclose(
            call(f.formula_hess, point, 4), np.ravel(S.evaluate(S.hessian(e, [x, y]), at)), rtol=1e-10, atol=1e-13
        )


@gcc
def test_several_expressions_and_their_jacobian(tmp_path):
    es = [x * tf.cos(y), x * tf.sin(y), x]
    f = built(S.to_c(es, "polar", 1, [x, y]), tmp_path)
    at = {x: 2.0, y: 0.3}
    np.testing.assert_allclose(call(f.polar, (2.0, 0.3), 3), S.evaluate(es, at), rtol=1e-14)
    np.testing.assert_allclose(
        call(f.polar_jac, (2.0, 0.3), 6), np.ravel(S.evaluate(S.jacobian(es, [x, y]), at)), rtol=1e-14, atol=0
    )


@gcc
def test_a_formula_with_thousands_of_common_parts_stays_small(tmp_path):
    e = x
    for _ in range(60):
        e = tf.sin(e * e + y)
    source = S.to_c(e, "deep", 1)
    assert len(source) < 60_000
    f = built(source, tmp_path)
    at = {x: 0.4, y: 0.2}
    np.testing.assert_allclose(call(f.deep_grad, (0.4, 0.2), 2), S.evaluate(S.gradient(e, [x, y]), at), rtol=1e-9)


@gcc
def test_polygamma_in_c(tmp_path):
    source = S.to_c([S.Digamma(x), S.Polygamma(x, n=1), S.Polygamma(x, n=2), S.Polygamma(x, n=3)], "psi")
    f = built(source, tmp_path)
    import scipy.special

    for v in (0.1, 1.0, 3.7, 25.0, -0.5, -3.3):
        want = [scipy.special.psi(v), *[scipy.special.polygamma(n, v) for n in (1, 2, 3)]]
        if v < 0:  # SciPy's polygamma is for positive numbers: by the recurrence
            want[1:] = [_below(n, v) for n in (1, 2, 3)]
        np.testing.assert_allclose(call(f.psi, (v,), 4), want, rtol=2e-12)


def _below(n, v):
    import scipy.special

    total = 0.0
    while v < 1:
        total -= (-1) ** n * math.factorial(n) / v ** (n + 1)
        v += 1
    return total + scipy.special.polygamma(n, v)


def test_text():
    assert S.to_c(S.Const(2) + 0.5) == "#include <math.h>\n\ndouble f(void) {\n    return 2.0 + 0.5;\n}\n"
    assert (
        "x - (y - x)" in S.to_c(x - (y - x))
        and "x / (y / x)" in S.to_c(x / (y / x))
        and "x + y * x" in S.to_c(x + y * x)
    )
    assert "(-0.5)" in S.to_c(x * -0.5)


def test_errors():
    with pytest.raises(NotImplementedError, match="C library has no function for bessel_i0"):
        S.to_c(S.BesselI0(x))
    with pytest.raises(ValueError, match="'double' cannot be a name in C"):
        S.to_c(x, "double")
    with pytest.raises(ValueError, match="'2nd' cannot be a name"):
        S.to_c(S.Var("2nd"))
    with pytest.raises(ValueError, match="different names"):
        S.to_c(x + S.Var("x"))
    with pytest.raises(ValueError, match="different names"):
        S.to_c(x, "x")
    with pytest.raises(ValueError, match=r"args lacks the variables \['y'\]"):
        S.to_c(x * y, args=[x])
    with pytest.raises(ValueError, match="from 0 to 2"):
        S.to_c(x, derivatives=3)
    with pytest.raises(ValueError, match="from 0 to 1"):
        S.to_c([x], derivatives=2)
    with pytest.raises(NotImplementedError, match="real numbers"):
        S.to_c(S.Var("n", dtype="int32") * 2)
