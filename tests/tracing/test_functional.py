"""map_fn, scan, foldl, foldr, case, switch_case, vectorized_map and TensorArray: eager and traced, values and gradients."""

import numpy as np
import pytest

import gradtape as tf
from gradtape.tracing.control import cond
from gradtape.tracing.functional import case, foldl, foldr, map_fn, scan, switch_case, vectorized_map
from gradtape.tracing.signature import TensorSpec
from gradtape.tracing.tensor_array import TensorArray

from .forms import assert_every_form, assert_same, forms, graph

X = tf.constant(1.5, tf.float64)
V = tf.constant([1.0, 2.0, 3.0], tf.float64)
M = tf.constant([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], tf.float64)


# -- map_fn ---------------------------------------------------------------------------------------------------------------------------


def test_map_fn_in_every_form():
    assert_every_form(lambda x: map_fn(lambda e: e * e * x[0], x), V, rtol=1e-11)
    assert_every_form(lambda x: map_fn(lambda e: tf.reduce_sum(e * e) * e, x), M, rtol=1e-11)
    assert_every_form(lambda x: map_fn(lambda e: cond(e > 1.5, lambda: e**3, lambda: e * x[2]), x), V, rtol=1e-11)


def test_map_fn_over_nests():
    f = lambda x: map_fn(
        lambda e: {"p": e[0] * e[1], "q": (e[0], tf.cast(e[1], tf.int32))},
        (x, x * 2.0),
        fn_output_signature={"p": tf.float64, "q": (tf.float64, tf.int32)},
    )
    want = {"p": [2.0, 8.0, 18.0], "q": ([1.0, 2.0, 3.0], [2, 4, 6])}
    for g in (f, graph(f)):
        out = g(V)
        assert out["p"].numpy().tolist() == want["p"] and out["q"][1].dtype is tf.int32
        assert [t.numpy().tolist() for t in out["q"]] == [want["q"][0], want["q"][1]]


def test_map_fn_gives_other_dtypes_and_takes_numbers():
    for how in (
        {"dtype": tf.int32},
        {"fn_output_signature": tf.int32},
        {"fn_output_signature": TensorSpec([], tf.int32)},
    ):

        def f(x):
            return map_fn(lambda e: tf.cast(e, tf.int32) + 1, x, **how)  # noqa: B023

        assert_same(f(V), tf.constant([2, 3, 4]))
        assert_same(graph(f)(V), tf.constant([2, 3, 4]))
    assert map_fn(lambda e: 7, V, fn_output_signature=tf.float32).dtype is tf.float32
    assert graph(lambda x: map_fn(lambda e: 7, x, fn_output_signature=tf.float32))(V).numpy().tolist() == [
        7.0,
        7.0,
        7.0,
    ]


def test_map_fn_of_nothing():
    for g in (lambda f: f, graph):
        assert g(lambda x: map_fn(lambda e: e[0], x))(tf.zeros([0, 2])).shape == (0,)
        assert g(lambda x: map_fn(lambda e: tf.cast(e, tf.int32), x, fn_output_signature=tf.int32))(
            tf.zeros([0, 2])
        ).shape == (0, 2)


@pytest.mark.parametrize(
    ("elems", "error"), [((tf.ones([2]), tf.ones([3])), ValueError), (X, ValueError), ((), ValueError)]
)
def test_map_fn_refuses(elems, error):
    with pytest.raises(error):
        map_fn(lambda e: e, elems)
    with pytest.raises(TypeError, match="callable"):
        map_fn(3, V)


# -- scan, foldl, foldr ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("start", [False, True])
def test_scan_in_every_form(reverse, start):
    f = lambda x: (
        scan(lambda a, e: a * e + tf.sin(a), x, initializer=x[1] * 2.0 if start else None, reverse=reverse) * x
    )
    assert_every_form(f, V, rtol=1e-11)


def test_scan_is_numpys_accumulation():
    for g in (lambda f: f, graph):
        np.testing.assert_allclose(g(lambda x: scan(tf.multiply, x))(V), np.cumprod(V))
        np.testing.assert_allclose(g(lambda x: scan(tf.add, x, reverse=True))(V), np.cumsum(V.numpy()[::-1])[::-1])
        a, b = g(
            lambda x: scan(
                lambda s, e: (s[0] + e, s[1] * e),
                x,
                initializer=(tf.constant(0.0, tf.float64), tf.constant(1.0, tf.float64)),
            )
        )(V)
        assert (a.numpy().tolist(), b.numpy().tolist()) == ([1.0, 3.0, 6.0], [1.0, 2.0, 6.0])
        squares = g(lambda x: scan(lambda s, e: s + e[0] * e[1], (x, x), initializer=tf.constant(0.0, tf.float64)))(V)
        np.testing.assert_allclose(squares, np.cumsum(V.numpy() ** 2))
        assert g(lambda x: scan(tf.add, x, initializer=tf.constant(0.0)))(tf.zeros([0])).shape == (0,)


@pytest.mark.parametrize("fold", [foldl, foldr])
def test_folds_in_every_form(fold):
    assert_every_form(lambda x: fold(lambda a, e: a * e + tf.sin(a), x), V, rtol=1e-11)
    assert_every_form(lambda x: fold(lambda a, e: a * e - tf.cos(e), x, initializer=x[0] * 2.0), V, rtol=1e-11)
    assert_every_form(lambda x: fold(lambda a, e: tf.tanh(a + e), x), M, rtol=1e-11)


def test_folds_start_where_they_should():
    string = lambda fold, **how: [
        fold(lambda a, e: a * 10 + e, tf.constant([1, 2, 3]), **how),
        graph(lambda x: fold(lambda a, e: a * 10 + e, x, **how))(tf.constant([1, 2, 3])),
    ]
    assert [int(x) for x in string(foldl)] == [123, 123]
    assert [int(x) for x in string(foldr)] == [321, 321]
    assert [int(x) for x in string(foldl, initializer=7)] == [7123, 7123]
    assert [int(x) for x in string(foldr, initializer=7)] == [7321, 7321]
    for fold in (foldl, foldr, scan):
        with pytest.raises(ValueError, match="needs an initializer"):
            fold(tf.add, tf.zeros([0]))
        with pytest.raises(TypeError, match="callable"):
            fold(3, V)
        with pytest.raises(ValueError, match="same first dimension"):
            fold(lambda a, e: a, (tf.ones([2]), tf.ones([3])))
    assert float(foldl(tf.add, tf.zeros([0]), initializer=5.0)) == 5.0


def test_loops_of_one_element():
    one = tf.constant([2.0], tf.float64)
    for f in (
        lambda x: map_fn(lambda e: e * e, x),
        lambda x: scan(lambda a, e: a * e, x),
        lambda x: foldl(lambda a, e: a * e, x),
        lambda x: vectorized_map(lambda e: e * e, x),
    ):
        assert_same(graph(f)(one), f(one))


# -- case, switch_case ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("x", [0.5, 1.5, 2.5])
def test_case_in_every_form(x):
    f = lambda x: case([(x < 1.0, lambda: tf.sin(x)), (x < 2.0, lambda: x**3)], default=lambda: x**4)
    assert_every_form(f, tf.constant(x, tf.float64), rtol=1e-11)


def test_case_without_a_default():
    f = lambda x: case([(x < 1.0, lambda: x), (x < 2.0, lambda: x * x)])
    for g in (f, graph(f)):
        assert float(g(X)) == 2.25
        with pytest.raises(tf.errors.InvalidArgumentError, match="default"):
            g(tf.constant(3.0, tf.float64))


def test_case_takes_the_first_that_holds_and_checks_its_pairs():
    f = lambda x: case([(x < 2.0, lambda: 1), (x < 3.0, lambda: 2)], default=lambda: 3)
    for g in (f, graph(f)):
        assert [int(g(tf.constant(k, tf.float64))) for k in (1.0, 2.5, 9.0)] == [1, 2, 3]
    with pytest.raises(tf.errors.InvalidArgumentError, match="more than one"):
        case([(X < 2.0, lambda: X), (X < 3.0, lambda: X)], exclusive=True)
    with pytest.raises(TypeError, match="predicate, callable"):
        case([(X < 2.0, X)])


def test_switch_case():
    f = lambda i: switch_case(i, [lambda: X, lambda: X * X, lambda: X**3])
    g = lambda i: switch_case(i, {0: lambda: X, 1: lambda: X * X}, default=lambda: X**3)
    for h in (f, graph(f), g, graph(g)):
        assert [float(h(tf.constant(i))) for i in (0, 1, 2, 3, -1)] == [1.5, 2.25, 3.375, 3.375, 3.375]
    d = graph(lambda i, x: switch_case(i, [lambda: x, lambda: x * x]))
    for i, want in ((0, 1.0), (1, 3.0)):
        for what, got in forms(lambda x, i=i: d(tf.constant(i), x), X, 1):
            assert float(got) == want, what


@pytest.mark.parametrize(
    ("index", "branches", "error"),
    [
        (X, [lambda: X], TypeError),
        (tf.constant(1), [], ValueError),
        (tf.constant(1), {1.5: lambda: X}, TypeError),
        (tf.constant(0), [X], TypeError),
    ],
)
def test_switch_case_refuses(index, branches, error):
    with pytest.raises(error):
        switch_case(index, branches)


# -- vectorized_map -----------------------------------------------------------------------------------------------------------------------


def test_vectorized_map_in_every_form():
    assert_every_form(lambda x: vectorized_map(lambda e: tf.reduce_sum(e * e) * e, x), M, rtol=1e-11)
    assert_every_form(lambda x: vectorized_map(lambda e: tf.tensordot(e, x[0], 1) + tf.sin(e[0]), x), M, rtol=1e-11)


def test_vectorized_map_over_nests_and_constants():
    f = lambda x: vectorized_map(lambda e: {"a": e[0][0] + e[1], "b": tf.constant(7.0)}, (x, x[:, 1]))
    for g in (f, graph(f)):
        out = g(M)
        assert out["a"].numpy().tolist() == [3.0, 7.0, 11.0] and out["b"].numpy().tolist() == [7.0, 7.0, 7.0]
    assert_same(
        vectorized_map(lambda e: e[0] @ e[1], (tf.ones([2, 2, 3]), tf.ones([2, 3, 1]))), tf.fill([2, 2, 1], 3.0)
    )
    assert_same(vectorized_map(lambda e: e[0] + e[1], (M, tf.ones([1, 2], tf.float64))), M + 1.0)
    assert_same(vectorized_map(graph(lambda e: e * 2.0), M), M * 2.0)
    with pytest.raises(ValueError, match="same first dimension"):
        vectorized_map(lambda e: e[0] + e[1], (tf.ones([2, 2]), tf.ones([3, 2])))


def test_vectorized_map_agrees_with_map_fn():
    bodies = [lambda e: tf.cumsum(e), lambda e: tf.gather(e, [1, 0]), lambda e: tf.concat([e, e], 0), lambda e: tf.nn.softmax(e), lambda e: tf.argmax(e),
              lambda e: tf.where(e > 2.0, e, -e), lambda e: e[None, :] * e[:, None], lambda e: tf.linalg.norm(e)]  # fmt: skip
    for n, body in enumerate(bodies):
        assert_same(vectorized_map(body, M), map_fn(body, M), 1e-14, f"body {n}")


def test_conditions_inside_vectorized_map():
    f = lambda e: cond(e > 0.0, lambda: e * 2.0, lambda: -e)
    x = tf.constant([1.0, -2.0, 3.0], tf.float64)
    assert_same(vectorized_map(f, x), tf.constant([2.0, 2.0, 6.0], tf.float64))
    rows = lambda e: cond(tf.reduce_sum(e) > 5.0, lambda: (e, 1.0), lambda: (e * 10.0, 2.0))
    a, b = vectorized_map(rows, M)
    assert a.numpy().tolist() == [[10.0, 20.0], [3.0, 4.0], [5.0, 6.0]] and b.numpy().tolist() == [2.0, 1.0, 1.0]
    assert_every_form(lambda x: vectorized_map(lambda e: cond(e > 1.5, lambda: e**3, lambda: e * e), x), V, rtol=1e-11)


# -- TensorArray ----------------------------------------------------------------------------------------------------------------------------


def test_tensor_arrays_in_every_form():
    def f(x):
        array = TensorArray(tf.float64, size=3).unstack(x)
        a = array.read(0) * array.read(1)
        array = array.write(0, a)
        return tf.reduce_sum(array.stack() * array.gather([2, 0, 1])) + tf.reduce_sum(array.concat() ** 2)

    assert_every_form(f, M, rtol=1e-11)


def test_tensor_arrays_are_values():
    a = TensorArray(tf.float32, size=2).write(0, 1.0)
    b = a.write(1, 2.0)
    assert b.stack().numpy().tolist() == [1.0, 2.0]
    assert a.stack().numpy().tolist() == [1.0, 0.0]
    assert int(a.size()) == 2 and a.dtype is tf.float32 and a.element_shape == () and not a.dynamic_size


def test_tensor_arrays_written_and_read_at_traced_places():
    f = graph(lambda i, x: TensorArray(tf.float64, size=3).write(i, x).write(i - 1, x * 2.0).stack())
    assert f(tf.constant(1), X).numpy().tolist() == [3.0, 1.5, 0.0]
    assert f(tf.constant(2), X).numpy().tolist() == [0.0, 3.0, 1.5]
    for what, got in forms(lambda x: tf.reduce_sum(f(tf.constant(1), x)), X, 1):
        assert float(got) == 3.0, what
    assert float(graph(lambda i, x: TensorArray(tf.float64, size=3).unstack(x).read(i))(tf.constant(2), V)) == 3.0


def test_tensor_arrays_that_grow_scatter_and_split():
    grown = TensorArray(tf.float32, size=0, dynamic_size=True).write(0, 1.0).write(2, 3.0)
    assert grown.stack().numpy().tolist() == [1.0, 0.0, 3.0] and grown.dynamic_size
    assert TensorArray(tf.float64, size=3).scatter([2, 0, 1], V).stack().numpy().tolist() == [2.0, 3.0, 1.0]
    parts = TensorArray(tf.float64, size=2).split(V, [1, 2])
    assert (
        parts.read(0).numpy().tolist() == [1.0]
        and parts.read(1).numpy().tolist() == [2.0, 3.0]
        and parts.concat().numpy().tolist() == [1.0, 2.0, 3.0]
    )


def test_tensor_arrays_refuse():
    array = TensorArray(tf.float32, size=2)
    with pytest.raises(
        tf.errors.OutOfRangeError, match="Tried to write to index 2 but array is not resizeable and size is: 2"
    ):
        array.write(2, 1.0)
    with pytest.raises(tf.errors.OutOfRangeError, match="Tried to read from index 2 but array size is: 2"):
        array.read(2)
    with pytest.raises(ValueError, match="nothing was written there"):
        TensorArray(tf.float32, size=2).read(0)
    with pytest.raises(ValueError, match="cannot hold"):
        array.write(0, tf.constant(1))
    with pytest.raises(ValueError):
        array.write(0, 1.0).write(1, [1.0, 2.0]).stack()
    for i in (5, -1):
        with pytest.raises(tf.errors.OutOfRangeError, match=rf"index {i}(.|\n)*test_functional.py"):
            graph(lambda i: TensorArray(tf.float32, size=2).write(i, 1.0).stack())(tf.constant(i))
        with pytest.raises((tf.errors.OutOfRangeError, tf.errors.InvalidArgumentError), match=r"test_functional.py"):
            graph(lambda i: TensorArray(tf.float32, size=2).unstack([1.0, 2.0]).read(i))(tf.constant(i))


def test_elements_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"Inconsistent shapes: saw \(2,\) but expected \(1,\)"):
        TensorArray(tf.float32, 3).write(0, [1.0]).write(1, [1.0, 2.0])
    with pytest.raises(ValueError, match=r"saw \(3,\) but expected \(2,\)"):
        TensorArray(tf.float32, 3, element_shape=[2]).write(0, [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="Inconsistent"):
        TensorArray(tf.float32, 3, infer_shape=False, element_shape=[2]).write(0, [1.0])
    ta = TensorArray(tf.float32, 2, element_shape=[None])
    with pytest.raises(ValueError, match="Inconsistent"):
        ta.write(0, [1.0]).write(1, [1.0, 2.0])


def test_elements_of_different_lengths():
    def joined(n):
        ta = TensorArray(tf.float32, 3, infer_shape=False)
        for i in range(3):
            ta = ta.write(i, tf.ones([i + 1]))
        return ta.concat()

    assert tf.function(joined)(3).shape == joined(3).shape == (6,)

    @tf.function
    def in_a_loop(n):
        ta = TensorArray(tf.float32, n, infer_shape=False, element_shape=[None])
        for i in tf.range(n):
            ta = ta.write(i, tf.ones([i + 1]))
        return ta.concat()

    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"elements of one shape, here \[1\], but \[2\] was written"
    ):
        in_a_loop(tf.constant(3))

    @tf.function
    def broadcast(x):
        ta = TensorArray(tf.float32, 2, element_shape=[3])
        for i in tf.range(2):
            ta = ta.write(i, x)
        return ta.stack()

    with pytest.raises(ValueError, match="Inconsistent"):
        broadcast(tf.ones([1]))


def test_scattering_to_traced_places():
    f = lambda i: TensorArray(tf.float32, 3).scatter(i, tf.constant([[1.0], [2.0], [3.0]])).stack()
    at = tf.constant([2, 0, 1])
    assert tf.function(f)(at).numpy().tolist() == f(at).numpy().tolist() == [[2.0], [3.0], [1.0]]


@pytest.mark.parametrize("wrap", [tf.function, lambda f: f])
@pytest.mark.parametrize("fold", [scan, foldl, foldr])
def test_what_is_accumulated_keeps_its_form(wrap, fold):
    with pytest.raises(ValueError, match="fn must return the form of what it accumulates"):
        wrap(lambda x: fold(lambda a, b: [a, b], x))(tf.constant([1.0, 2.0]))


def test_exclusive_cases_while_tracing():
    @tf.function
    def f(i):
        pairs = [(i < 1, lambda: 1), (i < 2, lambda: 2)]
        return case(pairs, exclusive=True, default=lambda: 3)

    assert [f(tf.constant(i)).numpy() for i in (1, 5)] == [2, 3]
    with pytest.raises(tf.errors.InvalidArgumentError, match="more than 1 conditions"):
        f(tf.constant(0))
