"""Functions traced with open dimensions: one trace serves all shapes, and computes what eager execution does."""

import gc
import tracemalloc

import numpy as np
import pytest

import gradtape as tf
from gradtape.ground import nest
from gradtape.tracing import concrete
from gradtape.tracing import function as function_module
from gradtape.tracing.function import function

from .forms import graph

ROWS = tf.TensorSpec([None, 2], tf.float32)


def by_turns(x):
    s = tf.zeros([2])
    for row in x:
        s += row
    return s


def into_an_array(x):
    a = tf.TensorArray(tf.float32, size=tf.shape(x)[0])
    for i in tf.range(tf.shape(x)[0]):
        a = a.write(i, x[i] * 2.0)
    return a.stack()


def into_a_growing_array(x):
    a = tf.TensorArray(tf.float32, size=0, dynamic_size=True)
    for i in tf.range(tf.shape(x)[0]):
        a = a.write(i, x[-1 - i] * 2.0)
    return a.stack(), a.size()


def branches(x):
    if tf.reduce_sum(x) > 4.0:
        y = x[1:] * 3.0
    else:
        y = x * x
    return y


def gradient(x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.reduce_sum(tf.reshape(x, [-1])[1:] ** 3) / tf.cast(tf.shape(x)[0], tf.float32)
    return tape.gradient(y, x)


def hessian_product(x):
    with tf.GradientTape() as outer:
        outer.watch(x)
        g = gradient(x)
    return outer.gradient(g, x)


PROGRAMS = {
    "elementwise": lambda x: tf.sin(x) * 2.0 + x[:1],
    "reductions": lambda x: (tf.reduce_mean(x), tf.reduce_max(x, 0), tf.math.reduce_std(x, 0), tf.argmax(x, 0)),
    "softmax": lambda x: (tf.nn.softmax(x, 0), tf.nn.log_softmax(x)),
    "moments": lambda x: tf.nn.moments(x, [0]),
    "matmul": lambda x: x @ tf.transpose(x),
    "einsum": lambda x: tf.einsum("ij,kj->ik", x, x),
    "joining": lambda x: (tf.concat([x, x], 0), tf.stack([x, x], 1), tf.split(x, 2, 1), tf.unstack(x, axis=1)),
    "tile": lambda x: tf.tile(x, [2, 1]),
    "pad": lambda x: tf.pad(x, [[1, 1], [0, 0]]),
    "one_hot": lambda x: tf.one_hot(tf.cast(x[:, 0], tf.int32), 3),
    "indices": lambda x: (x[1:], x[-1], x[::2], x[:, None], x[tf.shape(x)[0] - 1], x[: tf.shape(x)[0] - 1]),
    "squeeze": lambda x: tf.squeeze(x[:, :1], 1),
    "norm": lambda x: tf.norm(x, axis=1),
    "sizes": lambda x: (tf.size(x), tf.rank(x), tf.shape(x)),
    "filled": lambda x: (tf.zeros([tf.shape(x)[0], 3]), tf.ones_like(x, tf.int32), tf.fill(tf.shape(x), 2.0)),
    "identity matrix": lambda x: tf.eye(tf.shape(x)[0]),
    "flat": lambda x: (tf.reshape(x, [tf.shape(x)[0], -1]), tf.reshape(x, [-1])),
    "broadcast": lambda x: tf.broadcast_to(x[:1], tf.shape(x)),
    "range": lambda x: tf.range(tf.shape(x)[0]),
    "linspace": lambda x: tf.linspace(0.0, 1.0, tf.shape(x)[0]),
    "meshgrid": lambda x: tf.meshgrid(x[:, 0], x[:, 1]),
    "repeat": lambda x: tf.repeat(x, 2, axis=0),
    "mask": lambda x: tf.boolean_mask(x, x[:, 0] > 1.0),
    "cond": lambda x: tf.cond(tf.reduce_sum(x) > 4.0, lambda: x * 2.0, lambda: x[:1]),
    "map_fn": lambda x: tf.map_fn(lambda r: r * 2.0, x),
    "scan": lambda x: tf.scan(lambda a, r: a + r, x),
    "scan backwards": lambda x: tf.scan(lambda a, r: a + r, x, tf.zeros([2]), reverse=True),
    "foldr": lambda x: tf.foldr(lambda a, r: a * 0.5 + r, x),
    "sequence_mask": lambda x: tf.sequence_mask(tf.cast(x[:, 0] * 3.0, tf.int32)),
    "cross entropy": lambda x: tf.nn.softmax_cross_entropy_with_logits(tf.nn.softmax(x), x),
    "by turns": by_turns,
    "into an array": into_an_array,
    "into a growing array": into_a_growing_array,
    "branches": branches,
    "gradient": gradient,
    "hessian product": hessian_product,
}


def leaves(x):
    return [np.asarray(t) for t in nest.flatten(x)]


@pytest.mark.parametrize("name", PROGRAMS)
def test_one_trace_serves_all_shapes(name):
    f = PROGRAMS[name]
    g = function(f, input_signature=[ROWS])
    rng = np.random.default_rng(0)
    for n in (3, 4, 2, 3):
        x = tf.constant(rng.uniform(0.5, 1.5, (n, 2)), tf.float32)
        with tf.GradientTape() as eager, tf.GradientTape() as traced:
            eager.watch(x)
            traced.watch(x)
            want, got = f(x), g(x)
        for a, b in zip(leaves(got), leaves(want), strict=True):
            assert (a.shape, a.dtype) == (b.shape, b.dtype)
            np.testing.assert_allclose(a, b, 1e-5, 1e-6)
        floats = [k for k, y in enumerate(nest.flatten(want)) if y.dtype.is_floating]
        d_want = eager.gradient([nest.flatten(want)[k] for k in floats], x)
        d_got = traced.gradient([nest.flatten(got)[k] for k in floats], x)
        assert (d_want is None) <= (d_got is None)  # a connection that gives zeros only may be lost
        if d_got is not None and d_want is not None:
            np.testing.assert_allclose(np.asarray(d_got), np.asarray(d_want), 1e-4, 1e-5)
    assert g.experimental_get_tracing_count() == 1


def test_python_sees_open_dimensions_as_none():
    seen = []

    @function(input_signature=[tf.TensorSpec([None, 3], tf.float32)])
    def f(x):
        seen.append(x.shape.as_list())
        return x

    f(tf.ones([2, 3]))
    f(tf.ones([5, 3]))
    assert seen == [[None, 3]]


def test_a_function_that_needs_a_dimension_is_traced_for_each():
    f = graph(lambda x: x * float(x.shape[0]), input_signature=[ROWS])
    assert float(f(tf.ones([3, 2]))[0, 0]) == 3.0 and float(f(tf.ones([4, 2]))[0, 0]) == 4.0


def test_reduce_retracing_opens_the_dimensions_that_change():
    seen = []

    @function(reduce_retracing=True)
    def f(x, k=2):
        seen.append(x.shape.as_list())
        return tf.reduce_sum(x, 0) * k

    for n in (2, 2, 3, 4, 5):
        assert float(f(tf.ones([n, 4]))[0]) == 2.0 * n
    assert seen == [[2, 4], [None, 4]]
    f(tf.ones([2, 5]))
    assert seen[2:] == [[None, None]]
    f(tf.ones([2]))  # another rank is another form
    assert seen[3:] == [[2]]


def test_a_concrete_function_with_open_dimensions():
    v = tf.Variable(2.0)
    c = graph(lambda x: tf.reduce_sum(x * v, 0)).get_concrete_function(tf.TensorSpec([None, 2], tf.float32))
    assert "float32[None, 2]" in str(c.graph) and c.inputs[0] == tf.TensorSpec([None, 2], tf.float32)
    assert "TensorSpec(shape=(None, 2)" in c.pretty_printed_signature()
    for n in (1, 4):
        assert c(tf.ones([n, 2])).numpy().tolist() == [2.0 * n] * 2
    v.assign(1.0)
    with tf.GradientTape() as tape:
        y = c(tf.ones([3, 2]))
    assert float(tape.gradient(y, v)) == 6.0
    with pytest.raises(TypeError, match=r"must be float32\[None, 2\], but is float32\[3, 3\]"):
        c(tf.ones([3, 3]))
    with pytest.raises(ValueError, match="leaves the rank open"):
        graph(lambda x: x).get_concrete_function(tf.TensorSpec(None, tf.float32))


def test_closures_that_are_watched_get_gradients():
    w = tf.constant([2.0, 3.0])
    f = graph(lambda x: tf.reduce_sum(x * w), input_signature=[ROWS])
    f(tf.ones([2, 2]))
    with tf.GradientTape() as tape:
        tape.watch(w)
        y = f(tf.ones([3, 2]))
    assert tape.gradient(y, w).numpy().tolist() == [3.0, 3.0]


def test_open_functions_call_each_other():
    inner = graph(lambda x: tf.reshape(x, [-1]) * 2.0, input_signature=[ROWS])
    outer = graph(lambda x: tf.reduce_sum(inner(x)) + tf.reduce_sum(inner(x[:1])), input_signature=[ROWS])
    assert float(outer(tf.ones([3, 2]))) == 16.0 and float(outer(tf.ones([1, 2]))) == 8.0
    assert (inner.experimental_get_tracing_count(), outer.experimental_get_tracing_count()) == (1, 1)


def test_a_variable_of_open_shape():
    v = tf.Variable(tf.zeros([0, 2]), shape=[None, 2])

    @function
    def grow(x):
        v.assign(tf.concat([v, x], 0))
        return tf.reduce_sum(v)

    assert [float(grow(tf.ones([1, 2]))) for _ in range(3)] == [2.0, 4.0, 6.0]
    assert v.numpy().shape == (3, 2) and grow.experimental_get_tracing_count() == 1


@pytest.mark.parametrize("name", ["slice", "reshape", "zeros", "tile", "range"])
def test_sizes_computed_while_the_program_runs(name):
    f = {
        "slice": lambda x, n: x[n : n + 2] ** 2,
        "reshape": lambda x, n: tf.reshape(x, [n, -1]) ** 2,
        "zeros": lambda x, n: tf.zeros([n, 2]) + x[0],
        "tile": lambda x, n: tf.tile(x, [n]) ** 2,
        "range": lambda x, n: tf.range(n),
    }[name]
    g = graph(f)
    x = tf.constant([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    for n in (2, 3, 1):
        size = tf.constant(n)
        with tf.GradientTape() as eager, tf.GradientTape() as traced:
            eager.watch(x)
            traced.watch(x)
            want, got = f(x, size), g(x, size)
        np.testing.assert_array_equal(got.numpy(), want.numpy())
        if want.dtype.is_floating:
            np.testing.assert_array_equal(traced.gradient(got, x).numpy(), eager.gradient(want, x).numpy())
    assert g.experimental_get_tracing_count() == 1


@pytest.mark.parametrize(
    ("f", "n"),
    [
        (lambda x, n: tf.reshape(x, [n, 2]), 500),
        (lambda x, n: tf.reshape(x, [n, n, 10]), 10),
        (lambda x, n: tf.reshape(x, [n, x.shape[0] // n]), 40),
        (lambda x, n: tf.split(x, [n, n])[1], 500),
        (lambda x, n: tf.split(x, [n, 1000 - n])[1], 300),
        (lambda x, n: tf.broadcast_to(x, [3, n]), 1000),
    ],
)
def test_sizes_that_have_to_fit_to_the_others(f, n):
    x = tf.range(1000.0)
    got = graph(lambda x, n: f(x, n) * 1.0)(x, tf.constant(n))
    np.testing.assert_array_equal(got.numpy(), f(x, tf.constant(n)).numpy())


def test_a_size_that_never_fits():
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"reshape fails with all values.*tensor with 7 values"):
        graph(lambda x, n: tf.reshape(x, [n, 2]))(tf.ones([7]), tf.constant(3))


def test_a_size_that_cannot_be_is_the_functions_own_error():
    f = graph(lambda x, n: tf.reshape(x, [n, 4]), input_signature=[ROWS, tf.TensorSpec([], tf.int32)])
    assert f(tf.ones([4, 2]), tf.constant(2)).shape == (2, 4)
    with pytest.raises(tf.errors.InvalidArgumentError, match="Input to reshape is a tensor with 8 values"):
        f(tf.ones([4, 2]), tf.constant(3))
    with pytest.raises(TypeError, match="made of integers"):
        graph(lambda x: tf.reshape(x, ["a", x]))(tf.constant(1.0))


def test_shapes_without_end_stay_within_the_bound(monkeypatch):
    for module in (concrete, function_module):
        monkeypatch.setattr(module, "CACHE_SIZE", 16)
    f = graph(lambda x: tf.reduce_sum(x * 2.0), input_signature=[tf.TensorSpec([None], tf.float32)])
    xs = [tf.ones([n]) for n in range(1, 33)]

    def held():
        for x in xs:
            f(x)
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    held(), held()  # what is made once
    once, _, thrice = held(), held(), held()
    tracemalloc.stop()
    assert thrice < 1.1 * once and f.experimental_get_tracing_count() == 1
    (trace,) = f._open.values()
    assert len(trace._at) == 16


@pytest.mark.parametrize(
    ("f", "error", "message"),
    [
        (lambda x, i: x[i:, 7], tf.errors.InvalidArgumentError, "slice index 7 of dimension 1 out of bounds"),
        (lambda x, i: x[i:, 1, 2], tf.errors.InvalidArgumentError, "only 2 dims"),
        (lambda x, i: x[i:, "a"], TypeError, "are valid indices, got 'a'"),
    ],
)
def test_an_index_that_is_wrong_whatever_the_traced_one_is(f, error, message):
    with pytest.raises(error, match=message):
        tf.function(f)(tf.zeros([3, 4]), tf.constant(2))
    v = tf.Variable(tf.zeros([3, 4]))
    with pytest.raises(error, match=message):
        tf.function(lambda i: f(v, i).assign([1.0]))(tf.constant(2))
