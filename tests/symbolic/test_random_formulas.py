"""Formulas at random: values, first and second derivatives, rewritings and compiled forms against the tape."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import gradtape as tf
from gradtape import symbolic as S
from gradtape.symbolic.expression import CLASSES
from gradtape.symbolic.making import expression as as_expression

from .formulas import LEAVES, build, trees

points = st.tuples(*[st.floats(-2, 2).map(lambda v: round(v, 3)) for _ in LEAVES])


def f64(v):
    return tf.constant(float(v), tf.float64)


def by_tape(tree, point):
    """The value, the gradient and the Hessian, by two tapes; None where something is not finite."""
    ts = [f64(v) for v in point]
    with tf.GradientTape(persistent=True) as outer:
        outer.watch(ts)
        with tf.GradientTape() as inner:
            inner.watch(ts)
            y = build(tree, dict(zip(LEAVES, ts, strict=True)), f64)
        first = inner.gradient(y, ts, unconnected_gradients="zero")
    second = [outer.gradient(g, ts, unconnected_gradients="zero") for g in first]
    numbers = lambda gs: [float(g.numpy()) for g in gs]
    return float(y.numpy()), numbers(first), [numbers(row) for row in second]


def expression(tree):
    xs = S.variables(LEAVES)
    return as_expression(build(tree, dict(zip(LEAVES, xs, strict=True)), S.Const)), xs


def close(got, want, tol=1e-10):
    np.testing.assert_allclose(np.array(got, float), np.array(want, float), rtol=tol, atol=tol)


@settings(max_examples=150)
@given(trees, points)
def test_values_and_derivatives_to_second_order_are_the_tapes(tree, point):
    value, first, second = by_tape(tree, point)
    assume(all(math.isfinite(v) and abs(v) < 1e6 for v in [value, *first, *np.ravel(second)]))
    e, xs = expression(tree)
    at = dict(zip(xs, point, strict=True))
    close(S.evaluate(e, at), value)
    close(S.evaluate(S.gradient(e, xs), at), first)  # backward
    forward = [e.diff(x) for x in xs]
    close(S.evaluate(forward, at), first)
    close([S.evaluate(e.gradients(x), at) for x in xs], first)  # nothing simplified
    close(S.evaluate(S.hessian(e, xs), at), second)
    close(S.evaluate([[d.diff(x) for x in xs] for d in forward], at), second)


@settings(max_examples=60)
@given(trees, points)
def test_compiled_forms_give_the_same(tree, point):
    e, xs = expression(tree)
    both = [e, *S.gradient(e, xs)]
    at = dict(zip(xs, point, strict=True))
    want = S.evaluate(both, at)
    assume(all(math.isfinite(v) and abs(v) < 1e6 for v in want))
    f = S.compile(both, xs)
    close(f(*point), want, 1e-12)
    spread = [np.full(37, v) if i != 1 else v for i, v in enumerate(point)]  # an odd length, and one number
    for got, v in zip(f(*spread), want, strict=True):
        close(got, np.full(37, v), 1e-12)
    close(S.compile(both, xs, dtype="float32")(*point), want, 2e-3)


@settings(max_examples=60)
@given(trees, points)
def test_rewriting_changes_no_value(tree, point):
    e, xs = expression(tree)
    at = dict(zip(xs, point, strict=True))
    want = S.evaluate(e, at)
    assume(math.isfinite(want) and abs(want) < 1e6)
    for f in (S.simplify, S.expand):
        close(S.evaluate(f(e), at), want, 1e-9)
    parts, rest = S.common_parts(e)
    put_back = dict(at)
    for v, part in parts:
        put_back[v] = S.evaluate(part, {x: put_back[x] for x in part.variables})
    close(S.evaluate(rest, {x: put_back[x] for x in rest.variables}), want, 1e-12)
    close(S.evaluate(e.subs(dict(at))), want, 1e-9)


@settings(max_examples=40)
@given(trees, points)
def test_there_and_back_through_sympy(tree, point):
    pytest.importorskip("sympy")
    e, xs = expression(tree)
    at = dict(zip(xs, point, strict=True))
    want = S.evaluate(e, at)
    assume(math.isfinite(want) and abs(want) < 1e6)
    back = S.from_sympy(S.to_sympy(e), {x.name: x for x in xs})
    close(S.evaluate(back, at), want, 1e-9)


@settings(max_examples=40)
@given(trees, points)
def test_backpropagate_gives_the_gradient(tree, point):
    e, xs = expression(tree)
    at = dict(zip(xs, point, strict=True))
    want = S.evaluate(S.gradient(e, xs), at)
    assume(all(math.isfinite(v) and abs(v) < 1e6 for v in want))
    for x, v in at.items():
        x.value = v
    e.backpropagate(1.0)
    close([x.gradient for x in xs], want)


@settings(max_examples=40)
@given(trees)
def test_texts_are_made_of_every_form(tree):
    e, xs = expression(tree)
    for d in (e, e.diff(xs[0])):
        assert str(d) and d.pretty()
        source = d.latex()
        assert source.count("{") == source.count("}") and source.count(r"\left") == source.count(r"\right")
    # the text is Python: read back it is the same expression, up to the order of additions
    names = {**dict(zip(LEAVES, xs, strict=True)), **CLASSES, "where": CLASSES["select"]}
    at = {x: 0.3 + i for i, x in enumerate(xs)}
    want = S.evaluate(e, at)
    assume(math.isfinite(want))
    close(S.evaluate(eval(str(e), {"__builtins__": {}}, names), at), want)
