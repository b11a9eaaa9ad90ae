"""tf.debugging: what holds passes, what does not raises TensorFlow's exception with a message that shows where."""

import numpy as np
import pytest

import gradtape as tf
from gradtape.errors import InvalidArgumentError

D = tf.debugging

# -- two tensors -------------------------------------------------------------------------------------------------------------------

COMPARISONS = {
    D.assert_equal: np.equal,
    D.assert_none_equal: np.not_equal,
    D.assert_less: np.less,
    D.assert_less_equal: np.less_equal,
    D.assert_greater: np.greater,
    D.assert_greater_equal: np.greater_equal,
}
PAIRS = [
    ([1.0, 2.0], [1.0, 2.0]),
    ([1.0, 2.0], [1.0, 3.0]),
    ([1.0, 2.0], [0.0, 1.0]),
    ([1.0, 2.0], 1.0),
    ([[1.0, 2.0]], [1.0, 2.0]),
    (1, 2),
    (2, 1),
    ([], []),
    (np.nan, np.nan),
    (np.arange(9), np.arange(9)[::-1].copy()),
]


@pytest.mark.parametrize(("x", "y"), PAIRS)
@pytest.mark.parametrize("check", COMPARISONS, ids=lambda f: f.__name__)
def test_comparison(check, x, y):
    for a, b in ((x, y), (tf.constant(x), tf.Variable(y))):
        if np.all(COMPARISONS[check](x, y)):
            assert check(a, b, message="m") is None
        else:
            with pytest.raises(
                InvalidArgumentError, match=r"(?s)m\nCondition x .* y did not hold.*elements of x:.*elements of y:"
            ):
                check(a, b, message="m")


@pytest.mark.parametrize("check", COMPARISONS, ids=lambda f: f.__name__)
def test_comparison_refuses(check):
    with pytest.raises(InvalidArgumentError, match="dtype"):
        check(tf.constant([1]), tf.constant([1.0]))
    with pytest.raises(InvalidArgumentError, match="Incompatible shapes"):
        check([1, 2], [1, 2, 3])


def test_the_message_shows_where():
    """Recorded from TensorFlow 2.21, but for the last line."""
    with pytest.raises(InvalidArgumentError) as e:
        D.assert_equal([1.0, 2.0, 4.0], [1.0, 3.0, 4.0], message="weights")
    lines = str(e.value).splitlines()
    assert lines[:-1] == [
        "weights",
        "Condition x == y did not hold.",
        "Indices of first 1 different values:",
        "[[1]]",
        "Corresponding x values:",
        "[2.]",
        "Corresponding y values:",
        "[3.]",
        "First 3 elements of x:",
        "[1. 2. 4.]",
        "First 3 elements of y:",
        "[1. 3. 4.]",
    ]
    assert lines[-1].startswith("  at ") and "test_debugging.py" in lines[-1] and "assert_equal" in lines[-1]


@pytest.mark.parametrize(("summarize", "n"), [(None, 3), (2, 2), (-1, 5), (100, 5)])
def test_summarize(summarize, n):
    with pytest.raises(InvalidArgumentError, match=f"First {n} elements of x:"):
        D.assert_less(np.arange(5), 0, summarize=summarize)
    with pytest.raises(InvalidArgumentError, match=f"Indices of first {n} different values:"):
        D.assert_less(np.arange(5), np.arange(5), summarize=summarize)


def test_strings():
    D.assert_equal(["a", "b"], ["a", "b"])
    with pytest.raises(InvalidArgumentError, match="b'a'"):
        D.assert_equal("a", "b")


@pytest.mark.parametrize(
    ("args", "kwargs", "near"),
    [
        ((1.0, 1.0 + 1e-7), {}, True),
        ((1.0, 1.0 + 1e-5), {}, False),
        ((0.0, 1e-6), {}, True),  # ten times the machine epsilon of float32
        ((0.0, 2e-6), {}, False),
        ((1.0, 1.1), {"rtol": 0.2}, True),
        ((1.0, 1.1), {"atol": 0.2}, True),
        ((1.0, 1.1), {"rtol": 0.05, "atol": 0.01}, False),
        ((tf.constant(1.0, tf.float64), tf.constant(1 + 1e-10, tf.float64)), {}, False),
        ((tf.constant(1.0, tf.float64), tf.constant(1 + 1e-15, tf.float64)), {}, True),
        ((tf.constant(1.0, tf.float16), tf.constant(1.005, tf.float16)), {}, True),
        ((tf.cast(1.0, tf.bfloat16), tf.cast(1.05, tf.bfloat16)), {}, True),
        (([1.0, 2.0], [[1.0, 2.1]]), {"rtol": tf.constant(0.2)}, True),
        ((1j, 1j + 1e-9), {}, False),
        ((1, 1), {}, True),
        ((1, 2), {}, False),
        ((np.nan, np.nan), {}, False),
        (([], []), {}, True),
    ],
)
def test_near(args, kwargs, near):
    if near:
        D.assert_near(*args, **kwargs)
    else:
        with pytest.raises(InvalidArgumentError, match=r"(?s)^m\nx and y not equal to tolerance.*rtol"):
            D.assert_near(*args, **kwargs, message="m")


# -- one tensor ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (D.assert_positive, [1, 2], [0, 1]),
        (D.assert_negative, [-1, -2], [0, -1]),
        (D.assert_non_negative, [0, 1], [-1, 0]),
        (D.assert_non_positive, [0, -1], [1, 0]),
    ],
)
def test_sign(check, good, bad):
    for d in (tf.int32, tf.float32, tf.float16):
        check(tf.constant(good, d))
        with pytest.raises(
            InvalidArgumentError, match=r"(?s)m\nCondition x .* 0 did not hold element-wise: x \(shape=\(2,\) dtype="
        ):
            check(tf.constant(bad, d), "m")
    check([])
    with pytest.raises(InvalidArgumentError):
        check(np.nan)
    with pytest.raises(TypeError):
        check("a")


@pytest.mark.parametrize("check", [D.check_numerics, D.assert_all_finite], ids=lambda f: f.__name__)
def test_numerics(check):
    x = tf.constant([1.0, 2.0])
    assert check(x, "m").numpy().tolist() == [1.0, 2.0]
    assert check([], "m").shape == [0]
    for bad, found in (
        ([1.0, np.nan], "NaN"),
        ([np.inf], "Inf"),
        ([-np.inf, np.nan], "Inf and NaN"),
        (tf.constant([np.nan], tf.float16), "NaN"),
    ):
        with pytest.raises(InvalidArgumentError, match=f"m : Tensor had {found} values"):
            check(bad, "m")
    for bad in ([1], ["a"], [1j]):
        with pytest.raises(InvalidArgumentError):
            check(bad, "m")
    for message in (None, 5):
        with pytest.raises(TypeError):
            check(x, message)


def test_numerics_are_checked_in_the_gradient_too():
    x = tf.constant([0.0, 4.0])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = tf.sqrt(D.check_numerics(x, "the root"))
        z = 2.0 * D.check_numerics(x, "twice")
    assert tape.gradient(z, x).numpy().tolist() == [2.0, 2.0]
    with pytest.raises(InvalidArgumentError, match=r"detected in gradient\. the root : Tensor had Inf"):
        tape.gradient(y, x)


@pytest.mark.parametrize("within", [False, True])
def test_checked_gradients_of_functions_name_the_line_differentiated(within):
    def root(x):
        return tf.sqrt(x)

    def slope(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = root(x) if within else tf.function(root)(x)
        return tape.gradient(y, x)

    line = root.__code__.co_firstlineno + 1
    D.enable_check_numerics()
    try:
        with pytest.raises(InvalidArgumentError, match=rf"in the gradient of 'sqrt'[^\n]*Inf values\n.*py:{line}:"):
            (tf.function(slope) if within else slope)(tf.constant(0.0))
    finally:
        D.disable_check_numerics()


def test_is_numeric_tensor():
    for x, want in (
        (tf.constant(1.0), True),
        (tf.constant(1), True),
        (tf.constant(1j), True),
        (tf.constant("a"), False),
        (tf.constant(True), False),
        (1.0, False),
        (np.ones(2), False),
    ):
        assert D.is_numeric_tensor(x) is want


# -- ranks, shapes and types -----------------------------------------------------------------------------------------------------------


def test_rank():
    D.assert_rank([1.0, 2.0], 1)
    D.assert_rank(5.0, tf.constant(0))
    D.assert_rank_at_least([[1]], 1)
    D.assert_rank_in([1.0], [0, 1])
    with pytest.raises(ValueError, match=r"m\nTensor must have rank 2. Received rank 1, shape \(1,\)"):
        D.assert_rank([1.0], 2, "m")
    with pytest.raises(ValueError, match="rank at least 3"):
        D.assert_rank_at_least([[1]], 3)
    with pytest.raises(ValueError, match=r"rank in \(2, 3\)"):
        D.assert_rank_in([1], [2, 3])
    for check, bad, error in (
        (D.assert_rank, 1.0, TypeError),
        (D.assert_rank, [1], ValueError),
        (D.assert_rank_in, [1.5], TypeError),
        (D.assert_rank, None, ValueError),
    ):
        with pytest.raises(error):
            check([1], bad)


@pytest.mark.parametrize(
    "shapes",
    [
        {},
        [(tf.ones([4, 3]), ("N", "D")), (tf.ones([4]), ("N",))],
        [(tf.ones([4, 3]), (4, 3))],
        [(tf.ones([4, 3]), "ab"), (tf.ones([3, 4]), "ba")],
        [(tf.ones([4, 3]), (None, 3)), (tf.ones([5, 3]), (".", "D"))],
        [(tf.ones([2, 4, 3]), ("...", "D")), (tf.ones([3]), ("*", "D")), (tf.ones([]), (...,))],
        [(1.0, ()), (1.0, ("N",)), (1.0, (1,))],
        [([1.0, 2.0], tf.TensorShape([2])), (tf.Variable([1.0]), ["1"])],
    ],
)
def test_shapes(shapes):
    D.assert_shapes(shapes)


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        (
            [(tf.ones([4, 3]), ("N", "D")), (tf.ones([5]), ("N",))],
            r"Specified by Tensor shape=\(4, 3\) dtype=float32 dimension 0. .* must have size 4. Received size 5",
        ),
        ([(tf.ones([4, 3]), (4, 2))], "Specified explicitly. .* dimension 1 must have size 2. Received size 3"),
        ([(tf.ones([4, 3]), ("N", "N"))], "must have size 4. Received size 3"),
        ([(tf.ones([4, 3]), ("N",))], "rank 1"),
        ([(tf.ones([4]), ("...", "a", "b"))], "rank at least 2"),
        ([(tf.ones([4, 3]), ("a", "..."))], "first entry"),
        ([(tf.ones([4]), 4)], "iterable"),
        ([(tf.ones([]), (2,))], "size 2"),
    ],
)
def test_shapes_that_differ(shapes, words):
    with pytest.raises(ValueError, match=words):
        D.assert_shapes(shapes)
    with pytest.raises(ValueError, match=r"^m\n"):
        D.assert_shapes(shapes, message="m")


def test_types():
    D.assert_type(tf.constant(1.0), tf.float32)
    D.assert_type([1], "int32")
    D.assert_integer(tf.constant(1, tf.uint8))
    D.assert_scalar(5)
    D.assert_proper_iterable([1])
    D.assert_proper_iterable({})
    for make in (
        lambda: D.assert_type(tf.constant(1), tf.float32),
        lambda: D.assert_integer(1.0),
        lambda: D.assert_integer(True),
        lambda: D.assert_proper_iterable(1),
        lambda: D.assert_proper_iterable("a"),
        lambda: D.assert_proper_iterable(tf.constant([1])),
        lambda: D.assert_proper_iterable(np.ones(2)),
    ):
        with pytest.raises(TypeError):
            make()
    with pytest.raises(ValueError, match=r"m\nExpected scalar shape, saw shape: \(1,\)"):
        D.assert_scalar([1], "m")


def test_same_float_dtype():
    assert D.assert_same_float_dtype([tf.constant(1.0), None, tf.Variable(2.0)]) is tf.float32
    assert D.assert_same_float_dtype() is tf.float32
    assert D.assert_same_float_dtype(dtype=tf.float64) is tf.float64
    for bad in (
        ([tf.constant(1.0), tf.constant(1)],),
        ([tf.constant(1.0)], tf.float64),
        ([tf.constant(1)],),
        ([tf.constant(1)], tf.int32),
    ):
        with pytest.raises(ValueError):
            D.assert_same_float_dtype(*bad)


def test_assert():
    D.Assert(True, ["x"])
    D.Assert(tf.constant(True), [1])
    with pytest.raises(
        InvalidArgumentError,
        match=r"Expected 'tf.Tensor\(False, shape=\(\), dtype=bool\)' to be true. Summarized data: 1.0\nb'two'\n1, 2, 3, \.\.\.\n",
    ):
        tf.Assert(tf.constant(False), [tf.constant(1.0), "two", tf.constant([[1, 2], [3, 4]])])
    with pytest.raises(InvalidArgumentError, match=r"Summarized data: 1, 2, 3, 4\n"):
        tf.Assert(False, [[1, 2, 3, 4]], summarize=-1)
    with pytest.raises(TypeError):
        tf.Assert(tf.constant(False), 1)


def test_assertions_leave_no_trace_on_a_tape():
    x = tf.constant([1.0, 2.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        D.assert_positive(x)
        D.assert_near(x, x)
        y = x * x
    assert tape.gradient(y, x).numpy().tolist() == [2.0, 4.0]
