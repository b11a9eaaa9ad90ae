"""Variables: making, assigning, and that no assignment is ever seen through a tensor read before it. As TensorFlow 2.21."""

import copy
import gc
import pickle
import threading
import weakref

import numpy as np
import pytest

import gradtape as tf

InvalidArgumentError = tf.errors.InvalidArgumentError


def values(*xs):
    return [tf.convert_to_tensor(x).numpy().tolist() for x in xs]


# -- making -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "initial, dtype, shape",
    [(1.5, "float32", ()), (1, "int32", ()), ([1.0, 2.0], "float32", (2,)), (np.ones((2, 1)), "float64", (2, 1)), (True, "bool", ()), ("a", "string", ()),
     (tf.constant([1]), "int32", (1,)), (lambda: [[1.0]], "float32", (1, 1)), (lambda: tf.constant(2.0), "float32", ()), (1 + 2j, "complex128", ())],
)  # fmt: skip
def test_initial_values(initial, dtype, shape):
    v = tf.Variable(initial)
    assert (v.dtype.name, v.shape, v.trainable, v.name, v.ndim if hasattr(v, "ndim") else len(shape)) == (
        dtype,
        shape,
        True,
        "Variable:0",
        len(shape),
    )
    want = initial() if callable(initial) else initial
    assert v.numpy().tolist() == tf.convert_to_tensor(want).numpy().tolist() if dtype != "string" else v.numpy() == b"a"


def test_made_of_another_variable():
    v = tf.Variable([1.0, 2.0])
    w = tf.Variable(v)
    v.assign([5.0, 6.0])
    assert values(v, w) == [[5.0, 6.0], [1.0, 2.0]]


def test_options():
    v = tf.Variable([1, 2], dtype=tf.float64, name="w", trainable=False, constraint=abs)
    assert (v.dtype, v.name, v.trainable, v.constraint) == (tf.float64, "w:0", False, abs)
    assert v._shared_name == "w"
    assert "CPU" in v.device


def test_no_initial_value():
    with pytest.raises(ValueError, match="initial_value"):
        tf.Variable()


def test_values_that_do_not_fit():
    for initial, dtype, error in (("a", tf.float32, (TypeError, ValueError)), (1.5, tf.int32, (TypeError, ValueError)), (tf.constant(1.0), tf.float64, ValueError),
                                  ([[1.0], [1.0, 2.0]], None, ValueError)):  # fmt: skip
        with pytest.raises(error):
            tf.Variable(initial, dtype=dtype)


# -- assigning ----------------------------------------------------------------------------------------------------------------


def test_assignments_chain():
    v = tf.Variable([1.0, 2.0])
    assert values(v.assign([3.0, 4.0]).assign_add([1.0, 1.0]).assign_sub(tf.constant([2.0, 2.0]))) == [[2.0, 3.0]]
    assert values(v) == [[2.0, 3.0]]
    w = v.assign_add([1.0, 1.0])
    v.assign([0.0, 0.0])
    assert values(w) == [[0.0, 0.0]]  # what an assignment returns is the variable


def test_without_read_value_nothing_comes_back():
    # TensorFlow's graphs had the operation there; eagerly it is None
    v = tf.Variable(1.0)
    assert v.assign(2.0, read_value=False) is None
    assert v.assign_add(2.0, read_value=False) is None
    assert v.assign_sub(1.0, read_value=False) is None
    assert values(v) == [3.0]


@pytest.mark.parametrize(
    "what",
    [
        3,
        3.5,
        [[1, 2]],
        np.array([[1.0, 2.0]]),
        np.array([[1, 2]]),
        tf.constant([[1.0, 2.0]]),
        tf.Variable([[1.0, 2.0]]),
    ],
    ids=repr,
)
def test_what_can_be_assigned(what):
    v = tf.Variable([[5.0, 6.0]] if np.ndim(what) else 5.0)
    before = v.numpy()
    want = np.asarray(what, np.float32)
    v.assign(what)
    np.testing.assert_array_equal(v.numpy(), want)
    v.assign(before)
    v.assign_add(what)
    np.testing.assert_array_equal(v.numpy(), before + want)
    v.assign_sub(what)
    np.testing.assert_array_equal(v.numpy(), before)
    assert v.dtype == tf.float32


@pytest.mark.parametrize(
    "dtype", ["int8", "int64", "uint8", "float16", "bfloat16", "float32", "float64", "complex64", "complex128"]
)
def test_updates_keep_the_dtype(dtype):
    for initial in (3, [3, 4], np.full((80, 80, 80), 3)):
        v = tf.Variable(initial, dtype=dtype)
        v.assign_add(tf.ones_like(v))
        v.assign_sub(tf.ones_like(v)).assign_sub(tf.ones_like(v))
        assert v.dtype == dtype and v.numpy().dtype == tf.as_dtype(dtype).as_numpy_dtype
        np.testing.assert_array_equal(v.numpy(), np.asarray(initial) - 1)


@pytest.mark.parametrize("name", ["assign", "assign_add", "assign_sub"])
@pytest.mark.parametrize("bad", [[1.0], [1.0, 2.0, 3.0], 1.0, [[1.0, 2.0]], [[1.0], [2.0]], []], ids=repr)
def test_shapes_are_checked(name, bad):
    v = tf.Variable([5.0, 6.0])
    with pytest.raises((ValueError, InvalidArgumentError), match=r"[Ss]hape"):
        getattr(v, name)(bad)
    assert values(v) == [[5.0, 6.0]]


@pytest.mark.parametrize("name", ["assign", "assign_add", "assign_sub"])
@pytest.mark.parametrize(
    "bad", [tf.constant([1.0, 2.0], tf.float64), tf.constant([1, 2]), ["a", "b"], [1j, 2j]], ids=repr
)
def test_dtypes_are_checked(name, bad):
    v = tf.Variable([5.0, 6.0])
    with pytest.raises((TypeError, ValueError, InvalidArgumentError), match=r"float32|float"):
        getattr(v, name)(bad)
    assert values(v) == [[5.0, 6.0]]


def test_the_shape_error_names_both_shapes():
    v = tf.Variable([5.0, 6.0], name="w")
    with pytest.raises(ValueError, match=r"Cannot assign value to variable ' ?w:0': Shape mismatch.*\(2,\).*\(3,\)"):
        v.assign([1.0, 2.0, 3.0])


def test_a_wider_shape():
    v = tf.Variable([[1.0, 2.0]], shape=[None, 2])
    assert v.shape.as_list() == [None, 2]
    v.assign([[1.0, 2.0], [3.0, 4.0]])
    assert values(v) == [[[1.0, 2.0], [3.0, 4.0]]] and v.shape.as_list() == [None, 2]
    with pytest.raises(ValueError):
        v.assign([[1.0, 2.0, 3.0]])
    anything = tf.Variable(1.0, shape=tf.TensorShape(None))
    anything.assign([[1.0]])
    assert values(anything) == [[[1.0]]]
    with pytest.raises(ValueError):
        tf.Variable([1.0, 2.0], shape=[3])


def test_item_assignment_is_an_error():
    v = tf.Variable([1.0, 2.0])
    with pytest.raises(TypeError, match="does not support item assignment"):
        v[0] = 5.0


# -- an assignment is never seen through what was read before ------------------------------------------------------------------


SHAPES = [(), (3,), (600, 600)]  # a scalar, a small array, one above the size from which memory is reused

READS = {
    "value": lambda v: v.value(),
    "read_value": lambda v: v.read_value(),
    "convert_to_tensor": lambda v: tf.convert_to_tensor(v),
    "constant": lambda v: tf.constant(v),
    "identity": lambda v: tf.identity(v),
    "reshape": lambda v: tf.reshape(v, [-1]),
    "transpose": lambda v: tf.transpose(v),
    "slice": lambda v: tf.reshape(v, [-1])[:2],
    "strided slice": lambda v: tf.reshape(v, [-1])[::-1],
    "new axis": lambda v: v[None] if v.shape.rank else tf.reshape(v, [1]),
    "rows": lambda v: next(iter(tf.reshape(v, [1, -1]))),
    "add zero": lambda v: v + 0.0,
    "plus": lambda v: +v if hasattr(v, "__pos__") else v.value(),
    "stop_gradient": lambda v: tf.stop_gradient(v),
    "broadcast": lambda v: tf.broadcast_to(v, (2, *v.shape)),
    "numpy": lambda v: v.numpy(),
    "asarray": lambda v: np.asarray(v),
    "array": lambda v: np.array(v),
    "asarray of value": lambda v: np.asarray(v.value()),
    "asarray of a slice": lambda v: np.asarray(tf.reshape(v, [-1])[:2]),
    "dlpack": lambda v: np.from_dlpack(tf.convert_to_tensor(v)),
    "memoryview": lambda v: np.asarray(memoryview(np.asarray(v.value()))),
    "another variable": lambda v: tf.Variable(v),
    "another variable's value": lambda v: tf.Variable(v.value()),
    "copy": lambda v: copy.copy(v.value()),
    "deepcopy": lambda v: copy.deepcopy(v),
}


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("read", READS)
def test_what_was_read_stays(read, shape):
    v = tf.Variable(tf.ones(shape) * 3.0)
    for _ in range(2):  # after a first update the variable owns its memory
        v.assign_add(tf.ones(shape))
    seen = READS[read](v)
    before = np.array(seen)
    assert np.all(before == 5.0)
    for change in (lambda: v.assign_add(tf.ones(shape)), lambda: v.assign_sub(tf.ones(shape) * 7.0), lambda: v.assign(tf.zeros(shape)),
                   lambda: v.assign_add(tf.ones(shape) * 2.0), lambda: v.assign_sub(v), lambda: v.assign_add(v.value())):  # fmt: skip
        change()
        np.testing.assert_array_equal(np.array(seen), before)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_what_was_assigned_stays(shape):
    """The assigned tensor and the variable part ways at the next update."""
    t = tf.ones(shape) * 3.0
    v, w = tf.Variable(tf.zeros(shape)), tf.Variable(tf.zeros(shape))
    v.assign(t)
    w.assign(v)
    for _ in range(3):
        v.assign_add(tf.ones(shape))
    assert np.all(t.numpy() == 3.0) and np.all(v.numpy() == 6.0) and np.all(w.numpy() == 3.0)
    w.assign_sub(t)
    assert np.all(t.numpy() == 3.0) and np.all(v.numpy() == 6.0) and np.all(w.numpy() == 0.0)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_initial_value_stays(shape):
    a = np.full(shape, 3.0, np.float32)
    t = tf.constant(a)
    v, w = tf.Variable(t), tf.Variable(a)
    for _ in range(3):
        v.assign_add(tf.ones(shape))
        w.assign_sub(tf.ones(shape))
    assert np.all(a == 3.0) and np.all(t.numpy() == 3.0)
    assert np.all(v.numpy() == 6.0) and np.all(w.numpy() == 0.0)
    a[...] = 9.0
    assert np.all(v.numpy() == 6.0)


def test_the_initial_value_is_not_kept():
    v = tf.Variable([1.0, 2.0])
    with pytest.raises(RuntimeError, match="not supported when eager execution is enabled"):
        v.initial_value


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_writing_into_what_numpy_gave_changes_nothing(shape):
    v = tf.Variable(tf.ones(shape))
    v.assign_add(tf.ones(shape))
    for get in (lambda: v.numpy(), lambda: np.array(v), lambda: np.asarray(v), lambda: v.value().numpy()):
        a = get()
        if np.ndim(a) and a.flags.writeable:
            a[...] = 9.0
        assert np.all(v.numpy() == 2.0)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_what_operations_hold_stays(shape):
    """A result that is a view of the variable's memory, with no other tensor alive."""
    v = tf.Variable(tf.ones(shape))
    v.assign_add(tf.ones(shape))
    view = tf.reshape(tf.reshape(v, [-1, 1]), [-1])
    gc.collect()
    v.assign_add(tf.ones(shape))
    assert np.all(view.numpy() == 2.0)
    v.assign_sub(tf.reshape(view, shape))
    assert np.all(v.numpy() == 1.0) and np.all(view.numpy() == 2.0)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_updates_that_read_the_variable_itself(shape):
    v = tf.Variable(tf.ones(shape) * 4.0)
    v.assign_sub(0.5 * v)
    v.assign_sub(v * v)
    v.assign_add(v)
    v.assign_add(tf.convert_to_tensor(v))
    v.assign_sub(tf.reshape(tf.reshape(v, [-1])[::-1], shape) * 0.5)
    v.assign(v)
    assert np.all(v.numpy() == -4.0)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_gradients_see_the_value_that_was_read(shape):
    v = tf.Variable(tf.ones(shape) * 3.0)
    v.assign_add(tf.zeros(shape))
    with tf.GradientTape() as tape:
        y = v * v
        v.assign_add(tf.ones(shape))
        z = v * v
        v.assign_sub(tf.ones(shape))
    v.assign(tf.zeros(shape))
    assert np.all(tape.gradient([y, z], v).numpy() == 14.0)


def test_training_leaves_earlier_snapshots_alone():
    """Snapshots of every kind over a run of updates, some of which may write in place."""
    rng = np.random.default_rng(0)
    v = tf.Variable(np.zeros((300, 300)))
    want, kept = np.zeros((300, 300)), []
    for i in range(40):
        step = rng.normal(size=(300, 300))
        v.assign_sub(tf.constant(step)) if i % 2 else v.assign_add(step)
        want = want - step if i % 2 else want + step
        if i % 5 == 0:
            kept.append((list(READS.values())[i % len(READS)](v), want.copy()))
        if i % 7 == 0 and kept:
            kept.pop(rng.integers(len(kept)))
    np.testing.assert_allclose(v.numpy(), want, atol=1e-12)
    for seen, then in kept:
        np.testing.assert_allclose(np.ravel(np.array(seen))[:2], np.ravel(then)[: np.size(seen)][:2], atol=1e-12)


def test_threads_reading_while_one_updates():
    """A snapshot is whole: all its elements are of one update."""
    v = tf.Variable(np.zeros(200_000))
    one = tf.constant(np.ones(200_000))
    stop, torn = threading.Event(), []

    def read():
        while not stop.is_set():
            a = tf.identity(v).numpy()
            first, last = a[0], a[-1]
            if first != last or (a != first).any():
                torn.append((first, last))

    readers = [threading.Thread(target=read) for _ in range(2)]
    for t in readers:
        t.start()
    for _ in range(150):
        v.assign_add(one)
    stop.set()
    for t in readers:
        t.join()
    assert v.numpy()[0] == 150.0
    assert torn == []


def test_memory_is_reused_where_nobody_looks():
    """gradtape's own promise: an update of a large variable that nobody else holds needs no new array."""
    v, step = tf.Variable(np.ones((300, 300))), tf.constant(np.ones((300, 300)))
    v.assign_sub(step)
    before = id(v._t._a)
    for _ in range(3):
        v.assign_sub(step)
    assert id(v._t._a) == before


# -- as a value ----------------------------------------------------------------------------------------------------------------


def test_operators_read_the_value():
    v, x = tf.Variable([1.0, 2.0]), tf.constant([3.0, 4.0])
    assert values(v + x, x + v, v * 2.0, 2.0 - v, v / v, v**2, -v, abs(-v), v > 1.0, v == v, v[1], v[None, :1]) == [
        [4.0, 6.0], [4.0, 6.0], [2.0, 4.0], [1.0, 0.0], [1.0, 1.0], [1.0, 4.0], [-1.0, -2.0], [1.0, 2.0], [False, True], [True, True], 2.0, [[1.0]]]  # fmt: skip
    assert not isinstance(v + x, tf.Variable)


@pytest.mark.parametrize(
    "update", ["v += 1.0", "v -= 1.0", "v *= 2.0", "v /= 2.0", "v **= 2.0", "v += tf.constant(1.0)"]
)
def test_augmented_assignment_is_an_error(update):
    """It would put a tensor in the variable's place, and its gradient would be None."""
    names = {"v": tf.Variable(1.0), "tf": tf}
    with pytest.raises(RuntimeError, match="is not supported"):
        exec(update, names)


def test_python_protocols():
    v = tf.Variable(2)
    assert (int(v), float(v), bool(v)) == (2, 2.0, True)
    assert [t.numpy() for t in tf.Variable([1.0, 2.0])] == [1.0, 2.0]
    with pytest.raises(TypeError, match=r"Variable is unhashable.*\.ref\(\)"):
        hash(v)
    assert {v.ref(): 1}[v.ref()] == 1 and v.ref().deref() is v
    assert v.ref() != tf.Variable(2).ref()


def test_text():
    v = tf.Variable([1.0, 2.0], name="w")
    text = "<tf.Variable 'w:0' shape=(2,) dtype=float32, numpy=array([1., 2.], dtype=float32)>"
    assert (repr(v), str(v), f"{v}") == (text, text, text)


def test_numpy_functions_take_variables():
    v = tf.Variable([1.0, 4.0])
    assert np.sqrt(v).tolist() == [1.0, 2.0] and np.sum(v) == 5.0 and np.asarray(v, np.float64).dtype == np.float64
    assert tf.is_tensor(np.array([1.0, 2.0], np.float32) * v)
    assert type(tf.Variable(1.0).numpy()) is np.float32


def test_copies():
    v = tf.Variable([1.0, 2.0], name="w", trainable=False)
    w = copy.deepcopy(v)
    w.assign([5.0, 6.0])
    assert values(v, w) == [[1.0, 2.0], [5.0, 6.0]] and (w.trainable, w.dtype) == (False, tf.float32)
    inside = copy.deepcopy({"a": [v, v]})
    assert inside["a"][0] is inside["a"][1] and inside["a"][0] is not v


def test_pickles():
    # TensorFlow's forgets the wider shape
    v = tf.Variable([1.0, 2.0], name="w", trainable=False, shape=[None])
    w = pickle.loads(pickle.dumps(v))
    assert (values(w), w.name, w.trainable, w.shape.as_list()) == ([[1.0, 2.0]], "w:0", False, [None])


def test_variables_die():
    gc.collect()
    gc.disable()
    try:
        v = tf.Variable(np.ones(10))
        v.assign_add(np.ones(10))
        v.value()
        dead = weakref.ref(v)
        del v
        assert dead() is None
    finally:
        gc.enable()


def test_many_variables_have_their_own_values():
    vs = [tf.Variable(float(i)) for i in range(100)]
    for v in vs:
        v.assign_add(1.0)
    assert values(*vs) == [float(i + 1) for i in range(100)]
