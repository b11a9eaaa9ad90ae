"""``tf.test``: compute_gradient with TensorFlow's results, check_gradients and what its report says."""

import inspect

import numpy as np
import pytest

import gradtape as tf

F64 = tf.float64


def test_compute_gradient_has_tensorflows_signature_and_kind_of_result():
    assert str(inspect.signature(tf.test.compute_gradient)).partition(" ->")[0].startswith("(f: ")
    assert list(inspect.signature(tf.test.compute_gradient).parameters) == ["f", "x", "delta"]
    result = tf.test.compute_gradient(lambda x: x * x, [1.0])
    assert isinstance(result, tuple) and [type(part) for part in result] == [tuple, tuple]
    assert [a.dtype for part in result for a in part] == [np.float32, np.float32]
    assert result[0][0].tolist() == [[2.0]] and result[1][0].tolist() == [[2.0]]


# each with what TensorFlow 2.21 gives: by the tape, and by differences
TENSORFLOW = [
    (lambda x: x**3, [([1.0, 2.0], F64)], [[3, 0], [0, 12]], [[3.00000095367432, 0], [0, 12.00000095367432]]),
    (lambda x: tf.gather(x, [1, 1]), [([3.0, 4.0, 5.0], F64)], [[0, 1, 0], [0, 1, 0]], [[0, 1, 0], [0, 1, 0]]),
    (lambda z: tf.math.conj(z) * z, [(0.1 + 1j, tf.complex128)], [[0.2, 2], [0, 0]], [[0.2, 2], [0, 0]]),
    (lambda x: tf.complex(x, x * x), [([0.5], F64)], [[1], [1]], [[1], [1]]),
    (lambda x: x * 0 + 3.0, [(2.0, F64)], [[0]], [[0]]),
]


@pytest.mark.parametrize(("f", "args", "by_tape", "by_differences"), TENSORFLOW)
def test_compute_gradient_gives_what_tensorflow_gives(f, args, by_tape, by_differences):
    got = tf.test.compute_gradient(f, [tf.constant(v, d) for v, d in args])
    np.testing.assert_allclose(got[0][0], by_tape, rtol=0, atol=1e-13)
    np.testing.assert_allclose(got[1][0], by_differences, rtol=0, atol=1e-12)


def test_compute_gradient_with_several_arguments_and_its_own_step():
    m, v = tf.constant([[1.0, 2.0], [3.0, 4.0]], F64), tf.constant([[0.5], [1.5]], F64)
    by_tape, by_differences = tf.test.compute_gradient(tf.matmul, [m, v], delta=1e-3)
    want = [[0.5, 1.5, 0, 0], [0, 0, 0.5, 1.5]], [[1, 2], [3, 4]]
    for got in (by_tape, by_differences):
        for a, b in zip(got, want, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-9)
    unused, used = tf.test.compute_gradient(lambda x, y: 2.0 * y, [tf.constant(1.0, F64), tf.constant(2.0, F64)])[0]
    assert unused.tolist() == [[0.0]] and used.tolist() == [[2.0]]
    assert tf.test.compute_gradient(tf.identity, [tf.zeros([0], F64)])[0][0].shape == (0, 0)


def test_compute_gradient_refuses():
    with pytest.raises(ValueError, match=r"put it into \[ \]"):
        tf.test.compute_gradient(tf.sin, 1.0)
    with pytest.raises(ValueError, match="argument 0 is of int32"):
        tf.test.compute_gradient(tf.identity, [1])
    with pytest.raises(ValueError, match="The result is of int64"):
        tf.test.compute_gradient(lambda x: tf.argmax(x), [[1.0, 2.0]])


GOOD = {
    "elementwise": (lambda x, y: tf.sin(x) * y, [[0.1, 0.2], 3.0]),
    "matrix product": (lambda x, y: tf.tanh(x @ y), [[[0.1, 0.2], [0.3, -0.4]], [[1.0], [2.0]]]),
    "structures": (lambda d: {"a": d["x"] * d["y"], "b": [tf.exp(d["x"])]}, [{"x": [1.0, 2.0], "y": 0.5}]),
    "close to an edge": (lambda x: tf.math.log(x), [[1e-3, 2.0]]),
    "control flow": (lambda x: tf.cond(x > 0.0, lambda: x * x, lambda: -x), [0.7]),
}


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("dtype", [tf.float64, tf.float32])
def test_right_derivatives_pass(name, dtype):
    f, args = GOOD[name]
    if name == "close to an edge" and dtype is tf.float32:
        args = [[0.1, 2.0]]  # closer by, differences in float32 say nothing of second derivatives
    args = tf.nest.map_structure(lambda v: tf.constant(v, dtype), args) if name == "structures" else [tf.constant(a, dtype) for a in args]  # fmt: skip
    report = tf.test.check_gradients(f, args)
    assert report.ok and not report.disagreements
    assert [(c.order, c.how) for c in report.checks] == [
        (1, "reverse"), (2, "reverse over reverse"), (2, "forward over reverse"),
        (1, "forward"), (2, "reverse over forward"), (2, "forward over forward"),
    ]  # fmt: skip
    if dtype is tf.float64:
        assert max(c.allowed / max(1, abs(c.value)) for c in report.checks) < 1e-6


def test_complex_numbers_integers_functions_and_half_precision():
    z = tf.constant([0.1 + 1j, 2 - 0.4j], tf.complex128)
    assert tf.test.check_gradients(lambda z: z * tf.exp(z) + tf.math.conj(z), [z]).ok
    assert tf.test.check_gradients(lambda z: tf.abs(z), [z]).ok
    assert tf.test.check_gradients(
        lambda x, i: tf.gather(x, i), [tf.constant([1.0, 2.0], F64), tf.constant([1, 0, 1])]
    ).ok
    assert tf.test.check_gradients(tf.function(lambda x: tf.sin(x) ** 2), [tf.constant(0.3, F64)]).ok
    assert tf.test.check_gradients(tf.nn.softmax, [tf.constant([0.1, 2.0, -0.3], tf.bfloat16)]).ok


def test_orders_modes_and_directions():
    x = [tf.constant(0.3, F64)]
    assert [c.how for c in tf.test.check_gradients(tf.sin, x, 1, "reverse").checks] == ["reverse"]
    three = tf.test.check_gradients(tf.sin, x, order=3, modes=("forward",))
    assert three.checks[-1].how == "forward over forward over forward" and three.checks[-1].order == 3
    assert len(tf.test.check_gradients(tf.sin, x, directions=3).checks) == 18
    same = [str(tf.test.check_gradients(tf.sin, x, seed=s)) for s in (4, 4, 5)]
    assert same[0] == same[1] != same[2]


@tf.custom_gradient
def wrong_in_one_place(x):
    return x * x, lambda g: g * tf.constant([2.0, 2.0, 3.0], F64) * x


@tf.custom_gradient
def wrong_at_order_two(x):
    def back(g):
        return g * 2.0 * (x + tf.stop_gradient(x)) / 2.0

    return x * x, back


def mismatch(f, *args, **options):
    with pytest.raises(tf.test.GradientMismatch) as caught:
        tf.test.check_gradients(f, [tf.constant(a, F64) for a in args], **options)
    assert isinstance(caught.value, AssertionError)
    return caught.value.report, str(caught.value)


def test_the_report_shows_the_element_that_is_wrong():
    report, text = mismatch(wrong_in_one_place, [1.0, 2.0, 3.0], modes=["reverse"], order=1)
    (d,) = report.disagreements
    assert d.where == "result[2] by argument 0[2]" and d.value == 9 and not d.kink
    assert abs(d.differences - 6) < 1e-9 and abs(d.left - 6) < 1e-6 and abs(d.right - 6) < 1e-6
    assert "DIFFERS" in text and "result[2] by argument 0[2]" in text


def test_a_wrong_second_derivative_is_found_at_the_second_order():
    assert tf.test.check_gradients(wrong_at_order_two, [tf.constant(1.5, F64)], order=1).ok
    report, _ = mismatch(wrong_at_order_two, 1.5, modes=("reverse",))
    assert [(c.how, c.ok) for c in report.checks] == [("reverse", True), ("reverse over reverse", False)]


def test_forward_mode_alone_may_be_wrong():
    report, _ = mismatch(wrong_in_one_place, [1.0, 2.0, 3.0], modes=["forward"], order=1)
    assert [d.how for d in report.disagreements] == ["forward"] and report.disagreements[0].value == 9


def test_a_kink_is_named():
    report, text = mismatch(tf.nn.relu, [0.0, 1.0], order=1)
    assert all(d.kink and abs(d.left) < 1e-6 and abs(d.right - 1) < 1e-6 for d in report.disagreements)
    assert "a kink" in text and "check beside it" in text


def test_a_way_that_the_tape_does_not_see_is_named():
    _, text = mismatch(lambda x, y: x * tf.constant(y.numpy()), [1.0, 2.0], [3.0, 4.0], order=1, modes=["reverse"])
    assert "the tape sees no way from argument 1 to the result" in text


def test_nan_and_jumps_do_not_pass():
    nan = tf.custom_gradient(lambda x: (x * x, lambda g: g * x * np.nan))
    report, text = mismatch(lambda x: nan(x), [0.5, 1.0], order=1, modes=["reverse"])
    assert (
        not report.ok and len(report.disagreements) == 4 and "DIFFERS" in text
    )  # NaN times the 0 of other elements, too
    report, text = mismatch(lambda x: tf.floor(x) * x, [1.0], order=1)
    assert "UNCLEAR" in text and "do not settle" in text


def test_large_functions_say_that_they_are_too_large():
    a = np.linspace(0.1, 1, 100)
    bad = tf.custom_gradient(lambda x: (x * x, lambda g: g * x))
    report, text = mismatch(lambda x: bad(x), a, order=1, modes=["reverse"])
    assert "100 x 100 elements are too many" in text and not report.disagreements
    report, text = mismatch(lambda x: bad(x), a[:20], order=1, modes=["reverse"])
    assert len(report.disagreements) == 8 and "12 more elements differ" in text


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: tf.test.check_gradients(tf.sin, 1.0), TypeError, "must be a list"),
        (lambda: tf.test.check_gradients(tf.sin, [1.0], modes=("back",)), ValueError, "'reverse' and 'forward'"),
        (lambda: tf.test.check_gradients(tf.sin, [1.0], order=0), ValueError, "order"),
        (lambda: tf.test.check_gradients(tf.identity, [1]), ValueError, "none of the arguments is of floats"),
        (lambda: tf.test.check_gradients(lambda x: tf.argmax(x), [[1.0, 2.0]]), ValueError, "returns no tensor of floats"),
    ],
)  # fmt: skip
def test_what_check_gradients_refuses(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_there_is_no_accelerator():
    assert not tf.test.is_gpu_available() and not tf.test.is_built_with_cuda() and tf.test.gpu_device_name() == ""
