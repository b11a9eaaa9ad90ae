"""``tape.table()``: every operation with its line, value, local derivatives and adjoint, in the order of the chain rule."""

import numpy as np
import pytest

import gradtape as tf


def recorded(persistent=False):
    x, y = tf.Variable(3.0), tf.Variable(4.0)
    with tf.debugging.trace_lines(), tf.GradientTape(persistent=persistent) as tape:
        a = x * x
        b = a * y
        f = b + y + 2.0
    return tape, f, (x, y, a, b)


def test_the_rows_are_the_chain_rule():
    tape, f, (x, y, _, _) = recorded()
    table = tape.table(f)
    assert [(r.operation, float(r.value), float(r.adjoint)) for r in table] == [
        ("add", 42.0, 1.0), ("add", 40.0, 1.0), ("multiply", 36.0, 1.0), ("multiply", 9.0, 4.0),
    ]  # fmt: skip
    assert [r.number for r in table] == [4, 3, 2, 1]
    assert [r.operation for r in table.forward] == ["multiply", "multiply", "add", "add"]
    assert {k: float(v) for k, v in table[2].local.items()} == {"a": 4.0, "y": 9.0}
    assert {k: float(v) for k, v in table[3].local.items()} == {"x": 6.0}  # both uses of x
    assert table[2].result == "b" and table[2].inputs == ("a", "y")
    assert {k: float(v[1]) for k, v in table.sources.items()} == {"x": 24.0, "y": 10.0}
    dx, dy = tape.gradient(f, [x, y])
    assert (float(dx), float(dy)) == (24.0, 10.0)


def test_each_row_has_its_line():
    tape, f, _ = recorded()
    places = [r.place for r in tape.table(f).forward]
    assert [p.file for p in places] == [__file__] * 4
    first = places[0].line
    assert [p.line for p in places] == [first, first + 1, first + 2, first + 2]
    assert [p.expression for p in places] == ["x * x", "a * y", "b + y", "b + y + 2.0"]


def test_the_product_of_local_derivatives_and_adjoints_is_the_adjoint():
    """Of elementwise operations on one shape: what a table's reader would check by hand."""
    x = tf.Variable(np.linspace(0.1, 0.9, 5))
    with tf.debugging.trace_lines(), tf.GradientTape() as tape:
        z = tf.exp(tf.sin(x) * x) / (1.0 + x)
        y = tf.reduce_sum(z)
    table = tape.table(y)
    given = {}
    for r in table:
        if r.operation != "sum":
            for name, d in r.local.items():
                given[name] = given.get(name, 0) + d * r.adjoint
    for r in table:
        if r.result in given:
            np.testing.assert_allclose(r.adjoint, given[r.result], rtol=1e-12)
    np.testing.assert_allclose(table.sources["x"][1], given["x"], rtol=1e-12)
    np.testing.assert_allclose(tape.gradient(y, x), given["x"], rtol=1e-12)


def test_local_derivatives_of_matrices_are_jacobians():
    w, x = tf.Variable([[1.0, 2.0], [3.0, 4.0]]), tf.Variable([[5.0], [6.0]])
    with tf.debugging.trace_lines(), tf.GradientTape() as tape:
        p = w @ x
        y = tf.reduce_sum(p)
    rows = tape.table(y)
    assert rows[1].local["x"].shape == (2, 1, 2, 1)
    assert rows[1].local["x"][:, 0, :, 0].tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert rows[0].local["p"].tolist() == [[1.0], [1.0]]


def test_it_prints_and_turns_into_data():
    tape, f, _ = recorded()
    table = tape.table(f)
    text = str(table)
    assert text.splitlines()[0].split() == ["#", "line", "operation", "value", "local", "derivatives", "df/d·"]
    assert "a = multiply(x, x)" in text and "∂/∂x 6.0" in text
    assert f"test_table.py:{table[3].place.line}" in text
    assert "<table>" in table._repr_html_()
    data = table.to_dict()
    assert data[0]["operation"] == "add" and float(data[3]["local"]["x"]) == 6.0
    assert data[3]["place"].startswith(__file__)
    assert len(table) == 4 and [r.number for r in table[1:3]] == [3, 2]


def test_before_the_gradient_the_tape_alone_does():
    x = tf.Variable(3.0)
    with tf.GradientTape() as tape:
        a = x * x
        y = tf.sin(a)
    table = tape.table(y)
    assert [(r.operation, r.place) for r in table] == [("sin", None), ("multiply", None)]
    assert table[1].result == "a" and float(table[1].value) == 9.0
    np.testing.assert_allclose(table[0].local["a"], np.cos(9.0), rtol=1e-6)
    np.testing.assert_allclose(table.sources["x"][1], 6 * np.cos(9.0), rtol=1e-6)
    assert "tf.debugging.trace_lines()" in str(table)
    assert float(tape.gradient(y, x)) == pytest.approx(6 * np.cos(9.0), rel=1e-6)


def test_after_the_gradient_a_once_only_tape_says_what_to_do():
    x = tf.Variable(3.0)
    with tf.GradientTape() as tape:
        y = x * x
    tape.gradient(y, x)
    table = tape.table(y)
    assert len(table) == 0
    assert "persistent=True" in str(table)


def test_after_the_gradient_the_journal_has_it():
    tape, f, (x, _, _, _) = recorded()
    before = str(tape.table(f))
    tape.gradient(f, x)
    assert str(tape.table(f)) == before


def test_without_a_target_the_last_result_counts():
    tape, _, _ = recorded()
    assert float(tape.table()[0].adjoint) == 1.0
    assert float(tape.table()[0].value) == 42.0


def test_a_traced_function_is_shown_operation_by_operation():
    @tf.function
    def g(x):
        s = tf.sin(x)
        return s * x

    x = tf.Variable(2.0)
    with tf.debugging.trace_lines(), tf.GradientTape() as tape:
        y = 3.0 * g(x)
    rows = tape.table(y)
    assert [r.operation for r in rows] == ["multiply", "multiply", "sin"]
    assert rows[2].place.code == "s = tf.sin(x)"
    assert rows[2].result == "s"
    np.testing.assert_allclose(rows.sources["x"][1], 3 * (np.sin(2.0) + 2 * np.cos(2.0)), rtol=1e-6)


def test_sparse_and_complex_adjoints():
    e = tf.Variable(np.arange(6.0).reshape(3, 2))
    with tf.debugging.trace_lines(), tf.GradientTape() as tape:
        rows = tf.gather(e, [0, 0, 2])
        y = tf.reduce_sum(rows * rows)
    table = tape.table(y)
    np.testing.assert_allclose(table.sources["e"][1], tf.convert_to_tensor(tape.gradient(y, e)))
    z = tf.constant(1.0 + 2.0j)
    with tf.debugging.trace_lines(), tf.GradientTape() as tape:
        tape.watch(z)
        w = tf.math.real(z * z)
    np.testing.assert_allclose(tape.table(w).sources["z"][1], tape.gradient(w, z).numpy())


def test_a_target_that_is_no_tensor():
    tape, _, _ = recorded()
    with pytest.raises(ValueError, match=r"must be a tf.Tensor"):
        tape.table(3.0)
