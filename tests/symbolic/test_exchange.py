"""SymPy: to it, from it, and its derivatives beside ours."""

import numpy as np
import pytest

import gradtape as tf
from gradtape import symbolic as S
from gradtape.symbolic.notation import SPELLINGS

from .test_rows import REAL, each, formula, kinds, samples

sp = pytest.importorskip("sympy")
x, y = S.variables("x y")
u, v = sp.symbols("x y", real=True)


@pytest.mark.parametrize(
    "p",
    [p for p in REAL if p.name in SPELLINGS and SPELLINGS[p.name].sympy and "bool" not in kinds(p)],
    ids=lambda p: p.name,
)
def test_sympys_form_of_every_row_has_its_values(p):
    arrays, attrs = next(samples(p))
    e, xs = formula(p, attrs)
    form = S.to_sympy(e)
    symbols = [sp.Symbol(x.name, real=True) for x in xs]
    for k in range(2):
        got = form.subs({s: float(a[k]) for s, a in zip(symbols, arrays, strict=True)})
        want = each(e, xs, [a[k : k + 1] for a in arrays])[0]
        assert (
            bool(got) == want
            if isinstance(want, bool)
            else abs(complex(got.evalf()) - want) <= 1e-10 * max(1, abs(want))
        )


@pytest.mark.parametrize(
    "e",
    [
        tf.sin(x) * tf.exp(-x * y), x**3 / (1 + y * y), tf.math.log(1.5 + tf.sin(x * y)), tf.where(x > y, x * x, y / x), tf.sqrt(x * x + y * y),
        tf.tanh(x) ** y, tf.math.erf(x / 3), tf.atan2(x, y), tf.math.lgamma(x + 2), x * tf.math.softplus(y),
    ],
)  # fmt: skip
def test_the_derivatives_are_sympys(e):
    at = {x: 1.3, y: 0.7}
    form = S.to_sympy(e)
    numbers = {u: 1.3, v: 0.7}
    for a, s in ((x, u), (y, v)):
        first = sp.diff(form, s)
        assert S.evaluate(e.diff(a), at) == pytest.approx(float(first.subs(numbers).evalf()), rel=1e-10)
        for b, t in ((x, u), (y, v)):
            want = float(sp.diff(first, t).subs(numbers).evalf())
            assert S.evaluate(e.diff(a).diff(b), at) == pytest.approx(want, rel=1e-10, abs=1e-12)
            # and a derivative of SymPy's, read by us
            assert S.evaluate(S.from_sympy(sp.diff(first, t), {"x": x, "y": y}), at) == pytest.approx(
                want, rel=1e-10, abs=1e-12
            )


@pytest.mark.parametrize(
    "form",
    [
        u**2 + 3 * u / 4 - sp.sqrt(v), sp.pi * sp.E**u, sp.Rational(2, 3) * u, 1 / sp.sqrt(v), sp.Max(u, v, 1), sp.Piecewise((u, u > v), (v, sp.Eq(u, 3)), (1, True)),
        sp.sec(u) + sp.cot(v) - sp.csc(u), sp.gamma(v), sp.Heaviside(u - v), sp.floor(u * 3) + sp.ceiling(v), sp.polygamma(2, u), sp.digamma(u), sp.Ei(u), sp.sinc(u),
        sp.Abs(u - v) ** sp.Rational(3, 2), sp.And(u > 1, v > 1), sp.exp(-u) * sp.log(v), sp.erfc(u), sp.Mod(u, v), sp.sign(-u),
    ],
)  # fmt: skip
def test_from_sympy(form):
    got = S.evaluate(S.from_sympy(form, {"x": x, "y": y}), {x: 1.3, y: 0.7})
    want = form.subs({u: 1.3, v: 0.7})
    assert got == pytest.approx(
        float(want.evalf()) if not isinstance(want, sp.logic.boolalg.BooleanAtom) else float(bool(want)), rel=1e-12
    )


def test_symbols_and_variables_are_matched():
    s = sp.Symbol("s")
    assert S.to_sympy(x * y, {x: s, "y": s}) == s**2
    e = S.from_sympy(s**2 + s)
    assert [w.name for w in e.variables] == ["s"]
    assert S.from_sympy(u + v, {u: x, v: y}) is x + y
    assert S.to_sympy([x, y + 1]) == [u, v + 1]
    with pytest.raises(ValueError, match="Two variables are named 'x'"):
        S.to_sympy(x + S.Var("x"))


def test_what_sympy_or_gradtape_does_not_have():
    with pytest.raises(NotImplementedError, match="SymPy has no form of rint"):
        S.to_sympy(tf.math.rint(x))
    with pytest.raises(NotImplementedError, match="no operation for SymPy's LambertW"):
        S.from_sympy(sp.LambertW(u))
    with pytest.raises(NotImplementedError, match="no real number"):
        S.from_sympy(sp.I * u)


def test_constants_keep_their_kind():
    assert S.to_sympy(x * 2) == 2 * u and isinstance(S.to_sympy(S.Const(2)), sp.Integer)
    np.testing.assert_equal(float(S.to_sympy(S.Const(0.1))), 0.1)


def test_choices_between_conditions_come_back():
    """SymPy makes an ITE of a Piecewise in whose condition another stands."""
    x, y = S.variables("x y")
    inner = tf.where(x > y, x * y, tf.sin(y) - x)
    e = tf.where(x > inner, x * inner, tf.sin(inner) - x)
    back = S.from_sympy(S.to_sympy(e), {"x": x, "y": y})
    for a in (-1.5, 0.0, 0.7):
        for b in (-1.0, 0.0, 2.0):
            assert S.evaluate(back, {x: a, y: b}) == pytest.approx(S.evaluate(e, {x: a, y: b}), abs=1e-12)
