"""Equal parts are one object, so formulas stay as small as what is different in them."""

import gc
import pickle

import pytest

import gradtape as tf
from gradtape import symbolic as S
from gradtape.symbolic import expression as module


def test_equal_expressions_are_one_object():
    x, y = S.variables("x y")
    assert tf.sin(x) * y is S.Mul(S.Sin(x), y)
    assert S.Const(2) is S.Const(2) and S.Const(2) is not S.Const(2.0) and S.Const(True) is not S.Const(1)
    assert S.Const(0.0) is not S.Const(-0.0) and S.Const(float("nan")) is S.Const(float("nan"))
    assert S.Polygamma(x, n=1) is S.Polygamma(x, n=1) and S.Polygamma(x, n=1) is not S.Polygamma(x, n=2)
    assert x - y is not y - x and S.Var("x") is not S.Var("x")


def test_what_nobody_holds_goes():
    x = S.Var("x")
    before = len(module._made)
    e = x
    for k in range(100):
        e = tf.sin(e) + k
    assert len(module._made) >= before + 200
    del e
    gc.collect()
    assert len(module._made) <= before + 110  # the numbers may be in use elsewhere


def product(x, n):
    p = tf.sin(x)
    for k in range(2, n + 1):
        p = p * tf.sin(k * x)
    return p


@pytest.mark.parametrize("raw", [False, True], ids=["diff", "gradients"])
def test_the_nth_derivative_of_a_product_of_n_factors_stays_small(raw):
    x = S.Var("x")
    sizes = {}
    for n in (4, 8, 12, 16) if not raw else (2, 4, 8):
        d = product(x, n)
        for _ in range(n):
            d = d.gradients(x) if raw else d.diff(x)
        sizes[n] = d.size
    for n, size in sizes.items():
        assert size <= (12 if raw else 4) * n**3 + 100, sizes  # written out it has more than n! terms
    if not raw:
        assert sizes[16] < 10 * sizes[8]  # doubling n: at most a little over 2³


def test_the_value_of_such_a_derivative():
    """The 12th derivative of the product of (x + k), k = 1..12, is 12!."""
    x = S.Var("x")
    p = x + 1
    for k in range(2, 13):
        p = p * (x + k)
    d = p.diff(x, 12)
    assert S.evaluate(d, {x: 0.7}) == pytest.approx(479001600)
    assert p.diff(x, 13) is S.Const(0) or S.evaluate(p.diff(x, 13), {x: 0.3}) == 0
    assert S.simplify(S.expand(p).diff(x, 12)) is S.Const(479001600)


def test_gradients_of_many_variables_cost_a_few_times_the_formula():
    xs = S.variables([f"x{i}" for i in range(60)])
    e = xs[0]
    for x in xs[1:]:
        e = tf.tanh(e * x) + x
    assert sum(g.size for g in S.gradient(e, xs[:1])) < 10 * e.size
    everything = S.common_parts(S.gradient(e, xs))[0]
    assert len(everything) < 10 * e.size


def test_deep_formulas_need_no_recursion():
    x = S.Var("x", value=0.25)
    e = x
    for _ in range(5000):
        e = tf.tanh(e) * 0.5 + x
    d = e.diff(x)
    assert d.evaluate() == pytest.approx(S.evaluate(S.gradient(e, [x])[0]), rel=1e-12)
    e.backpropagate(1.0)
    assert x.gradient == pytest.approx(d.evaluate(), rel=1e-12)
    assert S.compile(e, [x])(0.25) == pytest.approx(e.evaluate(), rel=1e-12)
    assert e.subs(x, 0.25 * S.Var("y")).size == e.size + 2
    assert len(str(e)) < 200_000 and len(repr(e)) < 300 and len(e.pretty()) < 400_000 and e.latex()
    assert S.simplify(e) is not None


def test_a_text_that_would_not_end_names_its_parts():
    x = S.Var("x")
    e = x
    for _ in range(200):
        e = e * e + 1
    assert len(str(e)) < 20_000 and str(e).startswith("t0 = (x) * (x) + 1\nt1 = ")
    assert "where" in e.pretty() and "t0 = x² + 1" in e.pretty()


def test_pickles():
    x, y = S.variables("x y")
    x.value = 3
    e, same = pickle.loads(pickle.dumps((x * x + tf.sin(y) + 2, x)))
    assert str(e) == "(x) * (x) + sin(y) + 2"
    assert same in e.variables and same.value == 3 and same is not x
