"""Tensors: how they are made, what may be mixed, and how they meet Python and NumPy. As TensorFlow 2.21 unless a test says otherwise."""

import contextlib
import copy
import math
import operator
import pickle
import subprocess
import sys

import numpy as np
import pytest

import gradtape as tf

INTS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
FLOATS = ["float16", "bfloat16", "float32", "float64"]
COMPLEXES = ["complex64", "complex128"]
NUMBERS = INTS + FLOATS + COMPLEXES
InvalidArgumentError = tf.errors.InvalidArgumentError


def facts(t):
    """Dtype, shape and value."""
    return t.dtype.name, tuple(t.shape), t.numpy().tolist() if hasattr(t.numpy(), "tolist") else t.numpy()


# -- constant and convert_to_tensor -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [tf.constant, tf.convert_to_tensor], ids=["constant", "convert_to_tensor"])
@pytest.mark.parametrize(
    "value, dtype, shape, got",
    [
        (1, "int32", (), 1),
        (2**31 - 1, "int32", (), 2**31 - 1),
        (2**31, "int64", (), 2**31),
        (-(2**31) - 1, "int64", (), -(2**31) - 1),
        (1.0, "float32", (), 1.0),
        (1j, "complex128", (), 1j),
        (True, "bool", (), True),
        ("a", "string", (), b"a"),
        (b"a\0", "string", (), b"a\0"),
        ("ü", "string", (), "ü".encode()),
        ([], "float32", (0,), []),
        ([[]], "float32", (1, 0), [[]]),
        ([1, 2.5], "float32", (2,), [1.0, 2.5]),
        ([1, 2**40], "int64", (2,), [1, 2**40]),
        ((1, (2)), "int32", (2,), [1, 2]),
        ([[1, 2], [3, 4]], "int32", (2, 2), [[1, 2], [3, 4]]),
        ([1j, 2j], "complex128", (2,), [1j, 2j]),
        ([1, True], "int32", (2,), [1, 1]),
        ([1.0, True], "float32", (2,), [1.0, 1.0]),
        ([True, False], "bool", (2,), [True, False]),
        (["a", "bc"], "string", (2,), [b"a", b"bc"]),
        (np.float64(1.5), "float64", (), 1.5),
        (np.int64(3), "int64", (), 3),
        (np.array([1, 2]), "int64", (2,), [1, 2]),
        (np.array([1.5]), "float64", (1,), [1.5]),
        (np.array([1.5], ">f4"), "float32", (1,), [1.5]),
        (np.array(["a", "bc"]), "string", (2,), [b"a", b"bc"]),
        (np.array([b"a", b"bc"], object), "string", (2,), [b"a", b"bc"]),
        ([np.float32(1), np.float32(2)], "float32", (2,), [1.0, 2.0]),
        # in a list, the first element decides among the floats; NumPy's integers count as Python's
        ([np.float64(1), 2.0], "float64", (2,), [1.0, 2.0]),
        ([1.0, np.float64(2)], "float32", (2,), [1.0, 2.0]),
        ([np.float32(1), np.float64(2)], "float32", (2,), [1.0, 2.0]),
        ([1, np.float64(2)], "float32", (2,), [1.0, 2.0]),
        ([[1.0], [np.float64(2)]], "float32", (2, 1), [[1.0], [2.0]]),
        ([np.float16(1), np.float16(2)], "float16", (2,), [1.0, 2.0]),
        ([np.array([1.0, 2.0]), np.array([3.0, 4.0])], "float64", (2, 2), [[1.0, 2.0], [3.0, 4.0]]),
        ([[1.0, 2.0], np.array([3.0, 4.0])], "float32", (2, 2), [[1.0, 2.0], [3.0, 4.0]]),
        ([np.int64(1), np.int64(2)], "int32", (2,), [1, 2]),
        ([np.uint8(1), np.int16(2)], "int32", (2,), [1, 2]),
        ([np.array([1, 2]), np.array([3, 4])], "int32", (2, 2), [[1, 2], [3, 4]]),
        ([np.int64(2**40)], "int64", (1,), [2**40]),
        ([np.complex64(1j)], "complex128", (1,), [1j]),
        ([np.bool_(True)], "bool", (1,), [True]),
        ([np.str_("a"), b"b\0"], "string", (2,), [b"a", b"b\0"]),
        (range(3), "int32", (3,), [0, 1, 2]),
        (float("inf"), "float32", (), math.inf),
    ],
)  # fmt: skip
def test_the_dtype_that_values_get(make, value, dtype, shape, got):
    assert facts(make(value)) == (dtype, shape, got)


@pytest.mark.parametrize(
    "value, dtype, got",
    [
        (1, "float32", 1.0), (1, "int64", 1), (1.5, "float64", 1.5), (1, "complex64", 1 + 0j), (1.5, "complex64", 1.5 + 0j), (255, "uint8", 255),
        ([1, 2.5], "float16", [1.0, 2.5]), ([1, 2], "bfloat16", [1.0, 2.0]), (np.array([1.7]), "float32", [np.float32(1.7)]),
        (np.array([1, 2]), "float32", [1.0, 2.0]), (np.array([300]), "int16", [300]), ("a", "string", b"a"), (True, "bool", True),
        (True, "float32", 1.0), (True, "int32", 1), ([True, False], "float64", [1.0, 0.0]), (np.array([True]), "int8", [1]),
    ],
)  # fmt: skip
def test_a_given_dtype(value, dtype, got):
    assert facts(tf.constant(value, dtype=dtype))[::2] == (dtype, got)


@pytest.mark.parametrize(
    "value, dtype, error",
    [
        (1.5, "int32", TypeError), ([1.5], "int32", TypeError), ("a", "float32", (TypeError, ValueError)), (1.0, "string", TypeError), (1, "string", TypeError),
        (1, "bool", TypeError), (1.0, "bool", TypeError), (1j, "float32", TypeError), (2**40, "int32", (TypeError, ValueError, InvalidArgumentError)),
        ([1, 2**40], "int32", (TypeError, ValueError, InvalidArgumentError)), (None, None, ValueError), ([None], None, ValueError), ([1, [2, 3]], None, ValueError),
        (["a", 1], None, (TypeError, ValueError)), ([1, "a"], None, (TypeError, ValueError)), ([True, 1], None, ValueError), ([True, 0.5], None, ValueError),
        ([1, 2j], None, ValueError), (1e40, None, ValueError), ([1e40], None, ValueError), (object(), None, ValueError), (2**70, None, (OverflowError, ValueError)), (1, "no such dtype", TypeError),
        ({"a": 1}, None, ValueError), (lambda: 1, None, ValueError),
    ],
)  # fmt: skip
def test_values_that_do_not_fit(value, dtype, error):
    with pytest.raises(error) as e:
        tf.constant(value, dtype=dtype)
    assert str(e.value)


@pytest.mark.parametrize("dtype", INTS)
def test_python_integers_out_of_range(dtype):
    # TensorFlow lets some of them wrap around in silence
    for value in (tf.as_dtype(dtype).max + 1, tf.as_dtype(dtype).min - 1):
        with pytest.raises((TypeError, ValueError, OverflowError, InvalidArgumentError)):
            tf.constant(value, dtype)


def test_constant_with_a_shape():
    assert facts(tf.constant(7, shape=(2, 3))) == ("int32", (2, 3), [[7] * 3] * 2)
    assert facts(tf.constant([1, 2, 3, 4], shape=[2, 2])) == ("int32", (2, 2), [[1, 2], [3, 4]])
    assert facts(tf.constant([1.0], shape=())) == ("float32", (), 1.0)
    assert facts(tf.constant(1.0, shape=(0, 2))) == ("float32", (0, 2), [])
    assert facts(tf.constant("a", shape=(2,))) == ("string", (2,), [b"a", b"a"])
    with pytest.raises(TypeError, match="3 elements"):
        tf.constant([1, 2, 3], shape=(2, 2))


def test_a_tensor_converts_to_itself():
    t = tf.constant([1.0])
    assert tf.convert_to_tensor(t) is t
    assert tf.constant(t).numpy().tolist() == [1.0]
    with pytest.raises(ValueError, match="Tensor conversion requested dtype float64 for Tensor with dtype float32"):
        tf.convert_to_tensor(t, dtype=tf.float64)


def test_dtype_hint():
    assert tf.convert_to_tensor(1, dtype_hint=tf.float32).dtype == tf.float32
    assert tf.convert_to_tensor(1.5, dtype_hint=tf.int32).dtype == tf.float32


def test_lists_of_tensors_are_packed():
    # TensorFlow packs one level, not two
    one, two = tf.constant(1.0, tf.float64), tf.constant(2.0, tf.float64)
    assert facts(tf.convert_to_tensor([one, 5.0])) == ("float64", (2,), [1.0, 5.0])
    assert facts(tf.convert_to_tensor([[one, two], [two, one]])) == ("float64", (2, 2), [[1.0, 2.0], [2.0, 1.0]])
    assert facts(tf.constant([tf.constant([1, 2]), tf.constant([3, 4])])) == ("int32", (2, 2), [[1, 2], [3, 4]])
    with pytest.raises((InvalidArgumentError, TypeError, ValueError)):
        tf.convert_to_tensor([one, tf.constant(1.0)])
    with pytest.raises((InvalidArgumentError, ValueError)):
        tf.convert_to_tensor([tf.constant([1.0]), tf.constant([1.0, 2.0])])


def test_is_tensor():
    assert [tf.is_tensor(x) for x in (tf.constant(1), tf.Variable(1), 1, np.ones(1), [tf.constant(1)], None)] == [
        True,
        True,
        False,
        False,
        False,
        False,
    ]


# -- dtype rules of operators ---------------------------------------------------------------------------------------------------


ARITHMETIC = [operator.add, operator.sub, operator.mul, operator.floordiv, operator.mod]


@pytest.mark.parametrize("dtype", NUMBERS)
def test_python_numbers_take_the_tensors_dtype(dtype):
    # TensorFlow has no powers of unsigned integers
    t = tf.constant([4, 6], dtype=dtype)
    for f in [operator.add, operator.sub, operator.mul] + (
        [operator.floordiv, operator.mod] if dtype not in COMPLEXES else []
    ):
        for got in (f(t, 2), f(2, t)):
            assert got.dtype == dtype
        assert f(t, 2).numpy().tolist() == [f(4, 2), f(6, 2)]
        assert f(2, t).numpy().tolist() == [f(2, 4), f(2, 6)] if dtype[0] != "u" or f is not operator.sub else True
    assert (t**2).dtype == dtype
    np.testing.assert_allclose((t**2).numpy().astype(complex), [16, 36], rtol=1e-15)
    assert (t == 4).numpy().tolist() == [True, False]


@pytest.mark.parametrize("dtype", FLOATS + COMPLEXES)
def test_python_floats_take_the_tensors_dtype(dtype):
    t = tf.constant([4, 6], dtype=dtype)
    for got in (t + 0.5, 0.5 + t, t * 0.5, t / 2, 2 / t, t**0.5, 2.0 - t):
        assert got.dtype == dtype
    assert (t * 0.5).numpy().tolist() == [2, 3]


def test_lists_and_nested_lists_take_the_tensors_dtype():
    t = tf.constant([1.0, 2.0], tf.float64)
    assert facts(t + [1, 2]) == ("float64", (2,), [2.0, 4.0])
    assert facts([1, 2] * t) == ("float64", (2,), [1.0, 4.0])


@pytest.mark.parametrize(
    "f", [operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod, operator.pow]
)
@pytest.mark.parametrize(
    "dtypes", [("float32", "float64"), ("int32", "int64"), ("float32", "int32"), ("complex64", "float32")], ids=str
)
def test_two_tensors_of_different_dtype_are_an_error_that_names_both(f, dtypes):
    # TensorFlow: TypeError for a division, NotFoundError where an operation has no kernel for the first
    x, y = (tf.constant([1, 2], d) for d in dtypes)
    with pytest.raises((InvalidArgumentError, TypeError)) as e:
        f(x, y)
    assert isinstance(e.value, InvalidArgumentError) or f is operator.truediv
    names = {"float32": ("float32", "float tensor"), "float64": ("float64", "double tensor")}
    for d in dtypes:
        assert any(n in str(e.value) for n in names.get(d, (d,))), e.value


def test_a_tensor_with_a_variable_of_another_dtype():
    with pytest.raises(InvalidArgumentError):
        tf.constant(1.0) + tf.Variable(1.0, dtype=tf.float64)
    with pytest.raises(InvalidArgumentError):
        tf.Variable(1.0, dtype=tf.float64) * tf.constant(1.0)


@pytest.mark.parametrize("f", [*ARITHMETIC[1:], operator.truediv, operator.pow, operator.lt, operator.ge, operator.eq, operator.ne, lambda x, y: y + x,
                               lambda x, y: y - x, lambda x, y: y * x, lambda x, y: tf.multiply(x, y), lambda x, y: tf.maximum(x, y)])  # fmt: skip
@pytest.mark.parametrize("number", [0.5, 1.0, "a", 1j], ids=repr)
def test_a_value_that_does_not_go_into_an_integer_tensor_is_a_type_error(f, number):
    with pytest.raises((TypeError, InvalidArgumentError) if number == 1j else TypeError) as e:
        f(tf.constant([1, 2]), number)
    assert "int32" in str(e.value)


def test_a_float_added_to_integers_is_an_invalid_argument():
    for f in (lambda: tf.constant(1) + 0.5, lambda: tf.add(tf.constant(1), 0.5), lambda: tf.add(1, 0.5)):
        with pytest.raises(InvalidArgumentError, match="int32"):
            f()


def test_a_python_bool_counts_as_a_number():
    assert facts(tf.constant(1.5) + True) == ("float32", (), 2.5)
    assert facts(tf.constant(1) + True) == ("int32", (), 2)
    assert facts(tf.constant(1.0) == True) == ("bool", (), True)  # noqa: E712
    with pytest.raises(TypeError):
        tf.constant(True) == 1


def test_an_array_of_another_dtype():
    t = tf.constant([1.0, 2.0])
    assert facts(t + np.array([1, 2])) == ("float32", (2,), [2.0, 4.0])
    assert facts(t * np.array([1.0, 2.0])) == ("float32", (2,), [1.0, 4.0])
    assert facts(t * np.float64(2.0)) == ("float32", (2,), [2.0, 4.0])


@pytest.mark.parametrize("dtype, result", [("int8", "float32"), ("uint8", "float32"), ("int16", "float32"), ("uint16", "float32"), ("int32", "float64"),
                                           ("int64", "float64"), ("float16", "float16"), ("bfloat16", "bfloat16"), ("float64", "float64")])  # fmt: skip
def test_true_division(dtype, result):
    got = tf.constant([7, 8], dtype) / tf.constant([2, 2], dtype)
    assert facts(got) == (result, (2,), [3.5, 4.0])


def test_integer_division_and_remainder_follow_python():
    x, y = tf.constant([7, -7, 7, -7]), tf.constant([2, 2, -2, -2])
    assert (x // y).numpy().tolist() == [3, -4, -4, 3]
    assert (x % y).numpy().tolist() == [1, 1, -1, -1]
    for f in (operator.floordiv, operator.mod):
        with pytest.raises(InvalidArgumentError, match=r"[Dd]ivision by zero"):
            f(x, tf.constant([0, 1, 1, 1]))
    assert (x / tf.constant([0, 1, 1, 1])).numpy().tolist() == [math.inf, -7.0, 7.0, -7.0]


def test_integer_powers():
    assert (tf.constant([2, 3]) ** 3).numpy().tolist() == [8, 27]
    with pytest.raises(InvalidArgumentError, match="negative integer powers"):
        tf.constant([2, 3]) ** -1


def test_integers_wrap_around():
    assert facts(tf.constant(127, tf.int8) + 1) == ("int8", (), -128)
    assert facts(tf.constant([200], tf.uint8) * 2) == ("uint8", (1,), [144])
    assert facts(-tf.constant([-128], tf.int8)) == ("int8", (1,), [-128])


def test_logic_on_bools_and_bits():
    a, b = tf.constant([True, True, False]), tf.constant([True, False, False])
    assert [(a & b).numpy().tolist(), (a | b).numpy().tolist(), (a ^ b).numpy().tolist(), (~a).numpy().tolist()] == [
        [True, False, False], [True, True, False], [False, True, False], [False, False, True]]  # fmt: skip
    assert [
        (tf.constant(6) & 3).numpy(),
        (tf.constant(6) | 3).numpy(),
        (tf.constant(6) ^ 3).numpy(),
        (~tf.constant(6)).numpy(),
    ] == [2, 7, 5, -7]
    with pytest.raises((InvalidArgumentError, TypeError, ValueError)):
        tf.constant([1.0]) & tf.constant([1.0])


def test_no_arithmetic_on_bools_and_strings():
    with pytest.raises((InvalidArgumentError, TypeError)):
        tf.constant([True]) + tf.constant([True])
    with pytest.raises((InvalidArgumentError, TypeError)):
        tf.constant("a") * tf.constant("b")


def test_incompatible_shapes():
    with pytest.raises(InvalidArgumentError, match=r"ncompatible shapes: \[2\] vs. \[3\]"):
        tf.constant([1.0, 2.0]) + tf.constant([1.0, 2.0, 3.0])


# -- comparison, truth, hashing, iteration ----------------------------------------------------------------------------------------


def test_comparison_is_elementwise():
    x, y = tf.constant([1, 2, 3]), tf.constant([3, 2, 1])
    for f, want in ((operator.lt, [True, False, False]), (operator.le, [True, True, False]), (operator.gt, [False, False, True]),
                    (operator.ge, [False, True, True]), (operator.eq, [False, True, False]), (operator.ne, [True, False, True])):  # fmt: skip
        assert facts(f(x, y)) == ("bool", (3,), want)
        assert facts(f(x, 2)) == ("bool", (3,), [f(1, 2), f(2, 2), f(3, 2)])
        assert facts(f(2, x)) == ("bool", (3,), [f(2, 1), f(2, 2), f(2, 3)])


def test_equality_of_what_does_not_broadcast_is_one_answer():
    x, y = tf.constant([1, 2, 3]), tf.constant([1, 2])
    for z in (y, [1, 2], np.array([1, 2], np.int32), tf.Variable([1, 2])):
        assert facts(x == z) == ("bool", (), False)
        assert facts(x != z) == ("bool", (), True)
    assert (tf.constant(1.0) == None) is False  # noqa: E711
    assert (tf.constant(1.0) != None) is True  # noqa: E711


def test_equality_of_different_dtypes_is_an_error():
    with pytest.raises(InvalidArgumentError):
        tf.constant(1.0) == tf.constant(1)


def test_comparison_of_integers_with_a_float():
    for f in (operator.lt, operator.le, operator.gt, operator.ge):
        with pytest.raises(TypeError):
            f(tf.constant([1, 2]), 1.5)
    assert facts(tf.constant([1, 2]) < 2) == ("bool", (2,), [True, False])


def test_nan_is_not_equal_to_itself():
    t = tf.constant([math.nan, 1.0])
    assert (t == t).numpy().tolist() == [False, True]


def test_truth():
    assert tf.constant(1) and tf.constant([[2.0]]) and not tf.constant(0.0) and not tf.constant(False)
    for t in (tf.constant([1, 2]), tf.constant([[True, True]])):
        with pytest.raises((InvalidArgumentError, ValueError), match=r"ambiguous|Non-scalar"):
            bool(t)
    assert not tf.constant([])


def test_tensors_are_not_hashable():
    t = tf.constant(1.0)
    with pytest.raises(TypeError, match=r"Tensor is unhashable.*tensor.ref\(\)"):
        hash(t)
    with pytest.raises(TypeError):
        {t: 1}
    assert {t.ref(): 1}[t.ref()] == 1
    assert t.ref().deref() is t
    assert t.ref() == t.ref() and t.ref() != tf.constant(1.0).ref()


def test_python_numbers():
    t = tf.constant(3)
    assert (int(t), float(t), complex(t), operator.index(t), [10, 11, 12, 13][t]) == (3, 3.0, 3 + 0j, 3, 13)
    assert list(range(t)) == [0, 1, 2]
    assert float(tf.constant(1.5)) == 1.5 and int(tf.constant(1.5)) == 1 and f"{tf.constant(1.25):.1f}" == "1.2"
    assert math.isclose(math.sqrt(tf.constant(4.0)), 2.0)
    with pytest.raises((TypeError, AttributeError)):
        operator.index(tf.constant(1.5))
    for f in (int, float, complex):
        with pytest.raises(TypeError):
            f(tf.constant([1.0, 2.0]))


def test_format():
    """f"{x}" is NumPy's text, unlike str(x)."""
    assert f"{tf.constant(1.5)} {tf.constant(2):5d} {tf.constant(1.25):.1f} {tf.constant(True)}" == "1.5     2 1.2 True"
    assert f"{tf.constant([1.5, 2.0])} {tf.constant([[1, 2]])} {tf.constant('a')}" == "[1.5 2. ] [[1 2]] b'a'"
    assert "%s" % tf.constant(2.0) == "tf.Tensor(2.0, shape=(), dtype=float32)"  # noqa: UP031
    with pytest.raises(TypeError, match="unsupported format string"):
        f"{tf.constant([1.5]):.2f}"


def test_iteration_and_length():
    t = tf.constant([[1, 2], [3, 4], [5, 6]])
    assert len(t) == 3
    assert [row.numpy().tolist() for row in t] == [[1, 2], [3, 4], [5, 6]]
    one, two = tf.constant([1.0, 2.0])
    assert facts(one) == ("float32", (), 1.0) and facts(two) == ("float32", (), 2.0)
    assert [facts(x) for x in tf.constant(["a", "b"])] == [("string", (), b"a"), ("string", (), b"b")]
    for f in (len, iter):
        with pytest.raises(TypeError):
            f(tf.constant(1))


def test_membership_goes_through_iteration():
    assert tf.constant(2) in [tf.constant(1), tf.constant(2)]
    assert 3 not in list(tf.constant([1, 2]))


# -- immutability -----------------------------------------------------------------------------------------------------------------


def test_item_assignment_is_an_error():
    with pytest.raises(TypeError, match="does not support item assignment"):
        tf.constant([1, 2])[0] = 5


@pytest.mark.parametrize("make", [tf.constant, tf.convert_to_tensor, lambda a: tf.Variable(a).value(), lambda a: tf.identity(a)],
                         ids=["constant", "convert", "variable", "identity"])  # fmt: skip
def test_a_tensor_does_not_share_its_source(make):
    a = np.array([1.0, 2.0])
    t = make(a)
    a[:] = 7
    assert t.numpy().tolist() == [1.0, 2.0]


def test_numpy_gives_a_copy():
    # TensorFlow gives the memory itself, which must not be written
    t = tf.constant([1.0, 2.0])
    a = t.numpy()
    a[:] = 7
    assert t.numpy().tolist() == [1.0, 2.0]
    assert type(tf.constant(1.0).numpy()) is np.float32


def test_asarray_cannot_be_written_through():
    # TensorFlow's can
    t = tf.constant([1.0, 2.0])
    for get in (np.asarray, np.array, np.from_dlpack, lambda t: np.asarray(memoryview(np.asarray(t)))):
        a = get(t)
        with contextlib.suppress(ValueError):  # read-only
            a[:] = 7
        assert t.numpy().tolist() == [1.0, 2.0]


def test_augmented_assignment_makes_a_new_tensor():
    t = u = tf.constant([1.0])
    t += 1.0
    assert u.numpy().tolist() == [1.0] and t.numpy().tolist() == [2.0]


def test_attributes_cannot_be_set():
    t = tf.constant(1.0)
    for name in ("shape", "dtype"):
        with pytest.raises(AttributeError):
            setattr(t, name, None)


# -- NumPy ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["bool", *NUMBERS])
def test_to_numpy_and_back(dtype):
    t = tf.constant([[1, 0], [1, 1]], dtype=dtype if dtype != "bool" else None)
    t = tf.cast(t, dtype)
    a = t.numpy()
    assert a.dtype == t.dtype.as_numpy_dtype and a.shape == (2, 2)
    assert np.array_equal(np.asarray(t), a) and np.asarray(t).dtype == a.dtype
    again = tf.constant(a)
    assert again.dtype == t.dtype and np.array_equal(again.numpy(), a)


def test_asarray_with_a_dtype():
    t = tf.constant([1.5, 2.5])
    assert np.asarray(t, dtype=np.float64).dtype == np.float64
    assert np.asarray(tf.constant(2), dtype=np.float64) == 2.0
    assert np.array(t, dtype=int).tolist() == [1, 2]
    assert np.asarray(tf.constant(1.5)).shape == ()


def test_numpy_functions_take_tensors():
    t = tf.constant([1.0, 4.0])
    assert np.sqrt(t).tolist() == [1.0, 2.0]
    assert np.sum(t) == 5.0
    assert np.allclose(t, [1.0, 4.0])
    assert np.stack([t, t]).shape == (2, 2)
    np.testing.assert_array_equal(t, [1.0, 4.0])


@pytest.mark.parametrize(
    "f",
    [
        operator.add,
        operator.sub,
        operator.mul,
        operator.truediv,
        operator.pow,
        operator.lt,
        operator.eq,
        operator.ne,
        operator.ge,
    ],
)
@pytest.mark.parametrize(
    "left", [np.array([1.0, 2.0], np.float32), np.float32(2.0), np.float64(2.0)], ids=["array", "float32", "float64"]
)
def test_a_tensor_goes_before_an_array_on_its_left(f, left):
    t = tf.constant([3.0, 4.0])
    got = f(left, t)
    assert tf.is_tensor(got), type(got)
    np.testing.assert_allclose(got.numpy(), f(np.asarray(left), t.numpy()), rtol=1e-6)
    v = tf.Variable([3.0, 4.0])
    assert tf.is_tensor(f(left, v)) and tf.is_tensor(f(v, left))


def test_arrays_on_the_left_are_differentiated_through():
    x = tf.constant([1.0, 2.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = np.array([3.0, 4.0]) * x + np.float64(1.0) * x
    assert tape.gradient(y, x).numpy().tolist() == [4.0, 5.0]


def test_dlpack():
    t = tf.constant([[1.0, 2.0]])
    a = np.from_dlpack(t)
    assert a.tolist() == [[1.0, 2.0]] and a.dtype == np.float32


# -- strings ------------------------------------------------------------------------------------------------------------------------


def test_strings():
    t = tf.constant(["a", "b\0", "ü"])
    assert t.dtype == tf.string and t.numpy().tolist() == [b"a", b"b\0", "ü".encode()]
    assert (t == ["a", "b", "ü"]).numpy().tolist() == [True, False, True]
    assert (t != tf.constant("a")).numpy().tolist() == [False, True, True]
    assert (tf.constant("a") == "a").numpy() and not (tf.constant(b"a\0") == b"a").numpy()
    assert tf.constant("abc").numpy() == b"abc"
    assert tf.constant(["a", "b"])[1].numpy() == b"b"
    assert tf.reshape(tf.constant("a"), [1, 1]).numpy().tolist() == [[b"a"]]
    assert tf.stack([tf.constant("a"), tf.constant("b\0")]).numpy().tolist() == [b"a", b"b\0"]


def test_strings_are_printed():
    assert str(tf.constant("a")) == "tf.Tensor(b'a', shape=(), dtype=string)"
    assert (
        repr(tf.constant(["a", "b"]))
        == "<tf.Tensor: shape=(2,), dtype=string, numpy=array([b'a', b'b'], dtype=object)>"
    )


# -- copies and pickles ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [1.5, [1, 2], [[True]], "a\0", ["a", "b"], np.zeros((0, 2)), 1 + 2j], ids=repr)
@pytest.mark.parametrize(
    "how", [copy.copy, copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))], ids=["copy", "deepcopy", "pickle"]
)
def test_copies(value, how):
    t = tf.constant(value)
    u = how(t)
    assert facts(u) == facts(t) and u.device == t.device


def test_a_bfloat16_tensor_can_be_pickled():
    t = tf.constant([1.0, 2.0], tf.bfloat16)
    assert facts(pickle.loads(pickle.dumps(t))) == facts(t)


# -- attributes --------------------------------------------------------------------------------------------------------------------


def test_attributes():
    t = tf.constant([[1.0, 2.0, 3.0]])
    assert (t.shape, t.ndim, t.get_shape(), t.dtype) == ([1, 3], 2, tf.TensorShape([1, 3]), tf.float32)
    assert t.shape[1] == 3 and t.shape.rank == 2 and list(t.shape) == [1, 3]
    assert "CPU" in t.device
    with pytest.raises(AttributeError, match=r"Tensor\.name is undefined when eager execution is enabled"):
        t.name
    t.set_shape([1, None])
    with pytest.raises(ValueError):
        t.set_shape([2, 3])


def test_memory_of_scalars_is_numpys():
    """Operations on shape () stay scalars: a 0-d array would cost eight times as much."""
    t = tf.constant(2.0)
    for u in (
        t,
        t * t,
        -t,
        t + 1,
        tf.reduce_sum(tf.constant([1.0])),
        tf.constant([1.0, 2.0])[0],
        tf.constant(np.array(1.0)),
        tf.identity(t),
    ):
        assert isinstance(u._a, np.generic)


def test_conversions_in_a_fresh_process_need_no_scipy():
    code = "import gradtape as tf, sys; (tf.constant([1.0]) * 2).numpy(); print('scipy' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "False"


def test_objects_that_know_how_to_be_tensors():
    """TensorFlow's protocol, ``__tf_tensor__``; what it gives stays connected to the tape."""

    class Money:
        def __init__(self, cents):
            self.cents = cents

        def __tf_tensor__(self, dtype=None, name=None):
            return tf.cast(self.cents, dtype or tf.float32) / 100

    cents = tf.constant(250.0)
    with tf.GradientTape() as tape:
        tape.watch(cents)
        y = tf.square(Money(cents))
    assert y.numpy() == 6.25 and tape.gradient(y, cents).numpy() == np.float32(0.05)
    assert tf.convert_to_tensor(Money(100), dtype=tf.float64).numpy() == 1.0
