"""Converted Python over tensors: functions that are handed on, loop options, variables that begin as None, written parts of variables."""

import contextlib
import functools
import sys

import numpy as np
import pytest

import gradtape as tf
from gradtape.tracing.autograph import calls

XS = tf.constant([1.0, 3.0])


# -- whose code is converted ---------------------------------------------------------------------------------------------------

PACKAGE = """
import gradtape as tf

def helper(x):
    if x > 0:
        return x * 2.0
    return -x

@tf.function
def decorated(x):
    if x > 0:
        return helper(x)
    return x

class Model:
    @tf.function
    def run(self, x):
        while x < 10.0:
            x = helper(x)
        return x

    def __call__(self, x):
        if x > 0:
            return x
        return x - 1.0
"""


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A package of the user's that stands among the installed ones."""
    folder = tmp_path / "site-packages" / "a_users_package"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(PACKAGE)
    monkeypatch.syspath_prepend(folder.parent)
    import a_users_package

    yield a_users_package
    del sys.modules["a_users_package"]


def test_installed_packages_are_converted(installed):
    x = tf.constant(3.0)
    for f in (installed.decorated, tf.function(installed.helper), tf.function(lambda x: installed.helper(x))):
        assert float(f(x)) == 6.0
    assert float(installed.Model().run(x)) == 12.0
    assert float(tf.function(installed.Model())(-x)) == -4.0
    assert float(tf.function(lambda x: installed.Model()(x))(-x)) == -4.0


@pytest.mark.parametrize(
    "folder", ["/usr/lib/python3.11/site-packages", "C/lib/site-packages", "/usr/lib/python3/dist-packages"]
)
def test_some_installed_packages_run_as_they_are(folder):
    for package in ("numpy", "scipy", "keras", "pandas", "sklearn", "matplotlib", "tensorflow", "gradtape"):
        assert calls.is_library(f"{folder}/{package}/core/x.py")
    assert calls.is_library(f"{folder}/six.py")
    for file in ("mine/keras/x.py", "keras_mine/x.py", "mine.py"):
        assert not calls.is_library(f"{folder}/{file}")


def test_a_package_in_the_folder_of_the_standard_library_is_none_of_it():
    assert calls.is_library(functools.__file__)
    assert not calls.is_library(calls._STANDARD + "site-packages/mine/x.py")


# -- functions that are handed to gradtape's ---------------------------------------------------------------------------------


def double(x):
    if x > 2.0:
        return x * 2.0
    return x


def add_large(a, x):
    if x > 2.0:
        return a + x
    return a


def constant():
    x = tf.constant(3.0)
    if x > 2.0:
        return x * 2.0
    return x


def either(x, y):
    if x > 2.0:
        return y
    return x


def go_on(i):
    if i > 1:
        return i < 9
    return i < 20


def faster(i):
    if i > 1:
        return [i + 2]
    return [i + 1]


class Layer:
    def method(self, x):
        return double(x) if x > 1.0 else x

    def __call__(self, x):
        if x > 2.0:
            return x
        return -x


@pytest.mark.parametrize(
    ("f", "x", "want"),
    [
        (lambda xs: tf.map_fn(double, xs), XS, [1.0, 6.0]),
        (lambda xs: tf.map_fn(elems=xs, fn=Layer().method), XS, [1.0, 6.0]),
        (lambda xs: tf.map_fn(Layer(), xs), XS, [-1.0, 3.0]),
        (lambda xs: tf.map_fn(functools.partial(either, y=7.0), xs), XS, [1.0, 7.0]),
        (lambda xs: (lambda f: f(double, xs))(tf.map_fn), XS, [1.0, 6.0]),
        (lambda xs: tf.scan(add_large, xs), XS, [1.0, 4.0]),
        (lambda xs: tf.foldl(add_large, xs), XS, 4.0),
        (lambda xs: tf.foldr(add_large, xs), XS, 3.0),
        (lambda x: tf.cond(x > 0, constant, lambda: x), tf.constant(1.0), 6.0),
        (lambda x: tf.while_loop(go_on, faster, [x])[0], tf.constant(0), 10),
        (lambda x: tf.switch_case(x, [constant, lambda: 1.0]), tf.constant(0), 6.0),
        (lambda x: tf.switch_case(x, {0: lambda: 1.0}, default=constant), tf.constant(3), 6.0),
        (lambda x: tf.case([(x > 0, constant)], default=lambda: 1.0), tf.constant(1), 6.0),
        (lambda x: tf.case([(x > 0, lambda: 1.0)], default=constant), tf.constant(-1), 6.0),
    ],
)
def test_functions_handed_on_are_converted(f, x, want):
    assert np.array_equal(tf.function(f)(x), want)


def test_functions_handed_on_are_not_converted_where_nothing_is():
    @tf.autograph.experimental.do_not_convert
    def plain(xs):
        return tf.map_fn(double, xs)

    for f in (
        tf.function(plain),
        tf.function(lambda xs: plain(xs)),
        tf.function(lambda xs: tf.map_fn(double, xs), autograph=False),
    ):
        with pytest.raises(TypeError, match="as a Python `bool` is not allowed"):
            f(XS)
    assert tf.map_fn(double, XS).numpy().tolist() == [1.0, 6.0]  # eagerly, after all this


# -- and, or -----------------------------------------------------------------------------------------------------------------


def test_operands_are_traced_once():
    log, v = [], tf.Variable(0.0)

    def above(x):
        log.append("above")
        return x > 1.0

    def counted():
        log.append("counted")
        return v.assign_add(1.0) > 0.0

    def taken(i):
        log.append("taken")
        return tf.gather(XS, i) > 2.0

    for f, x, want, names in (
        (lambda x: x > 0 and above(x), 2.0, True, ["above"]),
        (lambda x: x > 0 or above(x), -2.0, False, ["above"]),
        (lambda x: (x > 0 and above(x)) or above(-x), -2.0, True, ["above", "above"]),
        (lambda x: x > 0 and counted(), -2.0, False, ["counted"]),
        (lambda x: x > 0 and counted(), 2.0, True, ["counted"]),
        (lambda x: x > 0 or counted(), 2.0, True, ["counted"]),
        (lambda i: i < 2 and taken(i), 7, False, ["taken"]),
        (lambda i: i < 2 and taken(i), 1, True, ["taken"]),
        (lambda i: i >= 2 or taken(i), 7, True, ["taken"]),
    ):  # fmt: skip
        log.clear()
        assert bool(tf.function(f)(tf.constant(x))) is want and log == names
    assert float(v) == 1.0


# -- set_loop_options --------------------------------------------------------------------------------------------------------


@tf.function
def collected(n):
    x = tf.zeros([0], tf.int32)
    for i in tf.range(n):
        tf.autograph.experimental.set_loop_options(shape_invariants=[(x, tf.TensorShape([None]))])
        x = tf.concat([x, [i]], 0)
    return x


def test_shape_invariants():
    assert collected(tf.constant(3)).numpy().tolist() == [0, 1, 2]
    assert collected(tf.constant(0)).numpy().tolist() == []

    @tf.function
    def local(n):
        import gradtape

        set_loop_options = gradtape.autograph.experimental.set_loop_options
        x = y = gradtape.zeros([1])
        for _ in gradtape.range(n):
            gradtape.autograph.experimental.set_loop_options(shape_invariants=[(x, [None])])
            x = gradtape.concat([x, x], 0)
        for _ in gradtape.range(n):
            set_loop_options(shape_invariants=[(y, [None])])
            y = gradtape.concat([y, y], 0)
        return x, y

    assert [x.shape for x in local(tf.constant(3))] == [(8,), (8,)]

    @tf.function
    def nests(n):
        d, i = {"a": tf.zeros([0], tf.int32)}, 0
        while i < n:
            tf.autograph.experimental.set_loop_options(
                parallel_iterations=1, swap_memory=True, shape_invariants=[(d, {"a": tf.TensorShape([None])})]
            )
            d, i = {"a": tf.concat([d["a"], [i]], 0)}, i + 1
        return d

    assert nests(tf.constant(3))["a"].numpy().tolist() == [0, 1, 2]

    @tf.function
    def items(n):
        d = {"a": tf.zeros([1, 2])}
        for _ in tf.range(n):
            tf.autograph.experimental.set_loop_options(shape_invariants=[(d["a"], [None, 2])])
            d["a"] = tf.concat([d["a"], d["a"]], 0)
        return d["a"]

    assert items(tf.constant(3)).shape == (8, 2)


def test_gradients_through_a_loop_whose_variable_grows():
    @tf.function
    def f(x, n):
        y = tf.reshape(x, [1])
        for _ in tf.range(n):
            tf.autograph.experimental.set_loop_options(shape_invariants=[(y, [None])])
            y = tf.concat([y, [y[-1] * x]], 0)
        return tf.reduce_sum(y)

    x = tf.constant(2.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = f(x, tf.constant(2))
    assert float(y) == 2 + 4 + 8 and float(tape.gradient(y, x)) == 1 + 2 * 2 + 3 * 4


@pytest.mark.parametrize("limit", [2, tf.constant(2)])
def test_maximum_iterations(limit):
    @tf.function
    def turns(n):
        s = t = u = 0
        for i in tf.range(n):
            tf.autograph.experimental.set_loop_options(maximum_iterations=limit)
            s += i + 1
        while t < n:
            tf.autograph.experimental.set_loop_options(maximum_iterations=limit)
            t += 1
        for i in tf.range(n):
            tf.autograph.experimental.set_loop_options(maximum_iterations=limit)
            if i == 1:
                break
            u += 1
        for _ in range(5):
            tf.autograph.experimental.set_loop_options(maximum_iterations=limit)  # of no account to Python's loops
            u += 10
        return s, t, u

    assert [int(x) for x in turns(tf.constant(9))] == [3, 2, 51]
    assert [int(x) for x in turns(tf.constant(1))] == [1, 1, 51]


def test_loop_options_that_cannot_be():
    @tf.function
    def other(n):
        x = tf.zeros([2])
        for _ in tf.range(n):
            tf.autograph.experimental.set_loop_options(shape_invariants=[(x, [3])])
            x = x + 1.0
        return x

    with pytest.raises(ValueError, match=r"'x' has shape \(2,\) before the loop, .* shape invariant \(3,\)"):
        other(tf.constant(3))

    @tf.function
    def late(n):
        x = 0
        for _ in tf.range(n):
            x += 1
            tf.autograph.experimental.set_loop_options(maximum_iterations=1)
        return x

    with pytest.raises(NotImplementedError, match="must be the first statement of a loop"):
        late(tf.constant(3))
    assert tf.autograph.experimental.set_loop_options(maximum_iterations=1) is None


# -- variables that are None before a loop -----------------------------------------------------------------------------------


def test_variables_that_begin_as_none():
    def total(xs):
        p = None
        for r in xs:
            p = r if p is None else p + r
        return p

    def least(xs):
        p = None
        for r in xs:
            if p is None:
                p = r
            else:
                p = tf.minimum(p, r)
        return p

    def last(xs):
        p, n = None, tf.size(xs)
        while n > 0:
            p = xs[n - 1]
            n -= 1
        return p

    def until(xs):
        p = None
        for i in tf.range(tf.size(xs)):
            p = xs[i] if p is None else p * xs[i]
            if p > 5.0:
                break
        return p

    def nested(xs):
        p = None
        for r in xs:
            for s in xs:
                p = r * s if p is None else p + r * s
        return p

    def two(xs):
        now = before = None
        for r in xs:
            before, now = now, r
        return before, now

    for f in (total, least, last, until, nested, two):
        for xs in ([2.0, 3.0, 4.0], [7.0, 8.0], [3.0, 1.0, 2.0]):
            xs = tf.constant(xs)
            want = np.array(f(xs.numpy()))
            for spec in ([3], [None]):
                g = tf.function(f, input_signature=[tf.TensorSpec(spec)]) if spec == [None] else tf.function(f)
                assert np.array_equal(np.array(tf.nest.map_structure(np.asarray, g(xs))), want), f.__name__


def test_attributes_that_begin_as_none():
    class Cell:
        def __init__(self):
            self.state = None

        def run(self, xs):
            for r in xs:
                self.state = r if self.state is None else self.state * 2.0 + r
            return self.state

    assert float(tf.function(lambda xs: Cell().run(xs))(tf.constant([1.0, 2.0, 3.0]))) == 11.0


def test_what_begins_as_none_needs_a_turn():
    def last(xs):
        p = None
        for r in xs:
            p = r
        return p

    f = tf.function(last, input_signature=[tf.TensorSpec([None])])
    assert float(f(XS)) == 3.0
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"must iterate at least 1 time, because 'p' is None(.|\n)*for r in xs"
    ):
        f(tf.zeros([0]))
    assert tf.function(last)(tf.zeros([0])) is None  # as Python has it, where the length is known

    @tf.function
    def gone(n):
        p = 1
        for _ in tf.range(n):
            p = None
        return p

    with pytest.raises(TypeError, match="'p' is a tensor before the loop, but None after one iteration"):
        gone(tf.constant(2))


# -- parts of variables ------------------------------------------------------------------------------------------------------


def parts(v, i):
    """``v[key].assign(...)`` for keys with ``i``."""
    v[i, 1].assign(5.0)
    v[i:].assign(tf.ones_like(v[i:]))
    v[i, :2].assign([1.0, 2.0])
    v[i : i + 1, ::2].assign_sub([[1.0, 3.0]])
    v[-i, i].assign(9.0)
    v[..., i].assign_add([1.0, 2.0, 3.0])
    v[i, None, 1:].assign_add([[4.0, 5.0, 6.0]])
    v[-i].assign_add(1.0)
    v[i, -1].assign_add(3.0)
    v[:i, ..., 0].assign(7.0)
    v[::i].assign_sub(0.5)


def test_parts_at_traced_places_are_written():
    traced = tf.function(parts)
    for i in (1, 2, 3):
        v, w = tf.Variable(tf.zeros([3, 4])), tf.Variable(tf.zeros([3, 4]))
        if i == 3:  # an index out of range, and nothing is written
            with pytest.raises(tf.errors.InvalidArgumentError):
                traced(v, tf.constant(i))
            assert not v.numpy().any()
            continue
        traced(v, tf.constant(i))
        parts(w, i)
        assert np.array_equal(v, w) and v.numpy().any()


def test_parts_are_written_in_loops():
    v = tf.Variable(tf.zeros([3, 4]))

    @tf.function
    def f(n):
        for i in tf.range(n):
            v[i, i + 1].assign(tf.cast(i, tf.float32) + 1.0)
            v[i, :i].assign(7.0)

    f(tf.constant(3))
    assert v.numpy().tolist() == [[0, 1, 0, 0], [7, 0, 2, 0], [7, 7, 0, 3]]


@pytest.mark.parametrize(
    ("write", "i", "error", "text"),
    [
        (lambda v, i: v[i].assign(5.0), 7, tf.errors.InvalidArgumentError, "7 is not in"),
        (lambda v, i: v[i, 0].assign(5.0), 7, tf.errors.InvalidArgumentError, "does not index into"),
        (lambda v, i: v[i, 7].assign(5.0), 1, tf.errors.InvalidArgumentError, "slice index 7 of dimension 1 out of bounds"),
        (lambda v, i: v[i, 1, 2].assign(5.0), 1, tf.errors.InvalidArgumentError, "has only 2 dims"),
        (lambda v, i: v[i:].assign([1.0, 2.0, 3.0, 4.0]), 1, tf.errors.InvalidArgumentError, r"Cannot broadcast input shape \[4\] into final shape \[2,3\]"),
        (lambda v, i: v[i].assign([1.0, 2.0]), 1, tf.errors.InvalidArgumentError, "broadcast"),
        (lambda v, i: v[::i].assign(1.0), 0, tf.errors.InvalidArgumentError, "must be non-zero"),
        (lambda v, i: v[i:].assign(1.0), 1.5, TypeError, "valid indices"),
    ],
)  # fmt: skip
def test_parts_that_cannot_be_written(write, i, error, text):
    v = tf.Variable(tf.zeros([3, 3]))
    with pytest.raises(error, match=text):
        tf.function(lambda i: write(v, i))(tf.constant(i))
    assert not v.numpy().any()


@pytest.mark.parametrize("f", [lambda a, b: a or b, lambda a, b: (a and b) or not a, lambda a, b: a and (b or not a)])
def test_operands_that_are_tensors_as_they_stand(f):
    for a in (True, False):
        for b in (True, False):
            assert bool(tf.function(f)(tf.constant(a), tf.constant(b))) is f(a, b)


def test_a_tensor_that_leaves_a_loop_by_a_list_says_what_to_do():
    def f(n):
        found = []
        for i in tf.range(n):
            found.append(i)
        return found

    with pytest.raises(TypeError, match=r"made in a branch or in the body of a loop .* tf.TensorArray"):
        tf.function(f)(tf.constant(3))


def test_a_loop_before_a_with_that_returns():
    """What the loop changes does not matter afterwards, nor must it be looked for where the branch ends."""

    def f(a, b, c):
        while c > 0:
            b = 2
            break
        else:
            for _ in range(b):
                a = 1 + b
            with contextlib.nullcontext():
                return c
        return a

    for c in (0, 5):
        assert int(tf.function(f)(tf.constant(9), 6, tf.constant(c))) == f(9, 6, c)
