"""``tf.numeric.compare``: every way, its error and its work."""

import math

import numpy as np
import pytest

import gradtape as tf

compare = tf.numeric.compare
EXACT = ["reverse", "forward", "symbolic", "compiled", "complex step"]


def f(x, y):
    return x * x * y + y + 2


def test_all_ways_of_the_first_order():
    c = compare(f, 3.0, 4.0)
    assert [w.name for w in c.ways] == [
        *EXACT,
        "Richardson",
        "scipy.differentiate",
        "central difference",
        "forward difference",
    ]
    assert c.best.tolist() == [24, 10] and c.value == 42 and c.dtype == "float64"
    for name in EXACT:
        assert c.way(name).error < 1e-15
    for w in c.ways[4:]:
        assert w.estimate is not None and w.error <= w.estimate + 1e-15
    assert c.way("forward difference").error > 100 * c.way("central difference").error
    assert c.way("forward difference").evaluations == "3" and c.way("central difference").evaluations == "5"
    assert c.way("reverse").evaluations == "1 + back" and all(w.seconds > 0 for w in c.ways)
    assert c.formulas == ["2·x·y", "x² + 1"]
    text = str(c)
    assert text.startswith("f at x = 3, y = 4: 42 (float64)") and "df/dx" in text and "df/dy = x² + 1" in text
    assert "<table>" in c._repr_html_()


def test_the_second_order():
    c = compare(f, 3.0, 4.0, order=2)
    assert c.labels == ["d²f/dx²", "d²f/dxdy", "d²f/dydx", "d²f/dy²"]
    assert c.best.tolist() == [8, 6, 6, 0]
    assert all(w.values is not None and w.error < 1e-5 for w in c.ways)
    assert c.way("forward over reverse").error < 1e-15


def test_vectors_matrices_and_several_arguments():
    g = lambda m, v: tf.reduce_sum(tf.linalg.matvec(m, v) ** 2)
    m, v = [[1.0, 2.0], [3.0, 4.0]], [0.5, -1.0]
    for order in (1, 2):
        c = compare(g, m, v, order=order)
        assert c.best.size == 6**order and len(c.labels) == 6**order
        assert all(w.values is not None and w.error < 1e-4 for w in c.ways)
    assert c.labels[1] == "d²f/dm[0,0]dm[0,1]" and "..." in str(c)
    want = np.asarray(tf.autodiff.hessian(lambda v: g(tf.constant(m, tf.float64), v))(tf.constant(v, tf.float64)))
    np.testing.assert_allclose(c.best.reshape(6, 6)[4:, 4:], want)


def test_what_does_not_apply_says_why():
    c = compare(
        lambda x: tf.abs(x) * tf.linalg.trace(tf.linalg.expm(tf.reshape(tf.stack([x, x * x, 1 / x, x]), [2, 2]))), 2.0
    )
    assert c.way("symbolic").values is None and "expm cannot become part of a formula" in str(c)
    assert c.way("complex step").values is None or c.way("complex step").error > 1e-3
    c = compare(lambda x: tf.abs(x), 2.0)
    assert "analytic" in c.way("complex step").why
    with pytest.raises(KeyError, match="is none of"):
        c.way("guessing")


def test_functions_of_numbers_that_no_tape_sees():
    c = compare(lambda x: math.gamma(x), 2.5)
    assert abs(c.best.item() - 0.9347345216258) < 1e-10
    assert c.way("reverse").error == 1 and "reverse is not what differences say, for it gives 0" in str(c)


def test_a_wrong_rule_is_pointed_out():
    bad = tf.custom_gradient(lambda x: (tf.sin(x), lambda g: g * tf.cos(x) * 1.01))
    assert "reverse is not what differences say: a kink, or a wrong derivative rule?" in str(
        compare(lambda x: bad(x), 0.3)
    )
    assert not compare(tf.sin, 0.3).notes


def test_the_dtype_follows_the_function():
    c = compare(lambda x: x * tf.constant(2.0), 3.0)
    assert c.dtype == "float32"
    c = compare(tf.exp, 0.3, dtype="float32")
    assert c.dtype == "float32" and abs(c.best.item() - math.exp(0.3)) < 1e-15  # measured against float64
    assert 0 < c.way("reverse").error < 1e-6


def test_errors_by_step_have_the_slopes_of_the_textbook():
    c = compare(lambda x: tf.exp(x) / tf.sqrt(tf.sin(x) ** 3 + tf.cos(x) ** 3), 1.5)
    _, errors = c.errors_by_step([1e-2, 1e-3, 1e-4, 1e-12, 1e-30])
    ratios = {name: e[0] / e[1] for name, e in errors.items()}
    assert 9 < ratios["forward difference"] < 11
    assert 90 < ratios["central difference"] < 110 and 90 < ratios["complex step"] < 110
    assert errors["forward difference"][3] > 1e-6 and errors["complex step"][3] < 1e-15  # subtraction, and none
    assert np.isnan(errors["forward difference"][4]) and errors["complex step"][4] < 1e-15
    assert "complex step" not in compare(tf.sin, 1.0, order=2).errors_by_step([0.1])[1]


def test_plot(tmp_path):
    pytest.importorskip("matplotlib")
    figure = compare(tf.sin, 1.0).plot(tmp_path / "p.png")
    assert (tmp_path / "p.png").read_bytes()[:4] == b"\x89PNG"
    (axes,) = figure.axes
    labels = [t.get_text() for t in figure.legends[0].get_texts()]
    assert labels[:3] == ["forward difference", "central difference", "complex step"] and "reverse (no step)" in labels
    assert axes.get_xlabel() and axes.get_ylabel() and axes.get_title() == "sin at x = 1"


def test_what_compare_refuses():
    with pytest.raises(tf.errors.InvalidArgumentError, match="one number"):
        compare(tf.sin, [1.0, 2.0])
    with pytest.raises(ValueError, match="order"):
        compare(tf.sin, 1.0, order=3)
    with pytest.raises(TypeError, match="point"):
        compare(tf.sin)


@pytest.mark.parametrize(
    "f, x, says",
    [
        (lambda x: tf.abs(x), 0.0, "df/dx is -1 to the left and 1 to the right: the function has no derivative here"),
        (lambda x: tf.floor(x), 1.0, "Differences do not settle here"),
        (lambda x: tf.sqrt(x), 0.0, "The derivative is infinite or undefined here"),
        (lambda x: 1 / x, 0.0, "The function is infinite or undefined here"),
    ],
)
def test_points_without_a_derivative(f, x, says):
    c = compare(f, x)
    assert says in str(c) and says in c._repr_html_().replace("&#x27;", "'")
    assert c.way("reverse").error == 0 or says.startswith("Diff")


def test_functions_of_python_numbers_keep_their_digits():
    c = compare(math.gamma, 2.5)
    assert c.way("scipy.differentiate").error < 1e-10 and c.way("Richardson").estimate < 1e-10
