"""The classes as the seed documents have them: the same text, the same numbers."""

import pytest

from gradtape.symbolic import Add, Const, Mul, Var


def formula(x, y):
    return Add(Mul(Mul(x, x), y), Add(y, Const(2)))


def test_text_and_value():
    x, y = Var("X"), Var("Y")
    f = formula(x, y)
    assert str(f) == "((X) * (X)) * (Y) + Y + 2"
    x.value = 3
    y.value = 4
    assert f.evaluate() == 42 and type(f.evaluate()) is int


def test_operators_make_the_same_expression():
    x, y = Var("x"), Var("y")
    assert x * x * y + y + 2 is Add(Add(Mul(Mul(x, x), y), y), Const(2))
    assert str(x * x * y + y + 2) == str(formula(x, y)) == "((x) * (x)) * (y) + y + 2"


def test_gradients_are_written_out():
    x, y = Var(name="x", value=3.0), Var(name="y", value=4.0)
    f = formula(x, y)
    dfdx, dfdy = f.gradients(x), f.gradients(y)
    assert str(dfdx) == "((x) * (x)) * (0) + ((x) * (1) + (1) * (x)) * (y) + 0 + 0"
    assert str(dfdy) == "((x) * (x)) * (1) + ((x) * (0) + (0) * (x)) * (y) + 1 + 0"
    assert (str(dfdx.evaluate()), str(dfdy.evaluate())) == ("24.0", "10.0")
    second = [[dfdx.gradients(x), dfdx.gradients(y)], [dfdy.gradients(x), dfdy.gradients(y)]]
    assert str([[d.evaluate() for d in row] for row in second]) == "[[8.0, 6.0], [6.0, 0.0]]"


def test_the_derivative_with_respect_to_anything_else_is_zero():
    c = Const(2)
    assert str(c.gradients(c.value)) == "0"
    x, y = Var("x"), Var("x")
    assert str(x.gradients(x)) == "1" and str(x.gradients(y)) == "0"  # two variables, even of one name


def test_backpropagate_accumulates():
    x, y = Var("x", init_value=3), Var("y", init_value=4)
    f = formula(x, y)
    assert f.evaluate() == 42
    assert (x.gradient, y.gradient) == (0, 0)
    f.backpropagate(1.0)
    assert (str(x.gradient), str(y.gradient)) == ("24.0", "10.0")
    f.backpropagate(1.0)
    assert (x.gradient, y.gradient) == (48.0, 20.0)
    x.gradient = 0
    f.backpropagate(2)
    assert x.gradient == 48 and type(x.gradient) is int


def test_nodes_keep_their_parts_and_values():
    x, y = Var("x", value=3), Var("y", value=4)
    f = Mul(x, y)
    assert (f.a, f.b) == (x, y) and f.a is x and f.value is None
    f.evaluate()
    assert f.value == 12
    with pytest.raises(AttributeError, match="one argument"):
        (-x).b
