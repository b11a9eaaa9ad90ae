"""The dispatch: what operations take, whose errors and warnings users see, and memory that is used again."""

import gc
import linecache
import operator
import subprocess
import sys
import textwrap
import threading
import warnings

import numpy as np
import pytest

import gradtape as tf
from gradtape.core.buffers import BIG
from gradtape.core.tensor import Tensor
from gradtape.ground.errors import InvalidArgumentError
from gradtape.ground.primitive import TABLE, Aval, Primitive

add, mul, matmul, reshape, stack, exp = (
    TABLE[name] for name in ("add", "multiply", "matmul", "reshape", "stack", "exp")
)


# -- what a row takes ---------------------------------------------------------------------------------------------------------


def test_rows_take_what_converts():
    x = tf.constant([1.0, 2.0], tf.float64)
    for y in (x, tf.Variable([1.0, 2.0], dtype=tf.float64), [1, 2], [1.0, 2.0], np.array([1.0, 2.0]), np.array([1, 2])):
        assert add(x, y).numpy().tolist() == [2.0, 4.0] and add(y, x).dtype == tf.float64
    assert mul(2, x).numpy().tolist() == [2.0, 4.0] and mul(x, 2.5).dtype == tf.float64
    assert reshape(np.array([1.0, 2.0]), shape=(2, 1)).shape == (2, 1)
    assert stack(1.0, tf.Variable(2.0), axis=0).numpy().tolist() == [1.0, 2.0]


class Spy(Tensor):
    """A tensor that interprets operations itself."""

    __slots__ = ("heard",)
    _special = 5

    def __init__(self, value):
        super().__init__(np.asarray(value, np.float32), tf.float32)
        self.heard = []

    def _interpret(self, p, xs, attrs):
        self.heard.append((p.name, [type(x).__name__ for x in xs], attrs))
        return "mine"


class HigherSpy(Spy):
    __slots__ = ()
    _special = 9


@pytest.mark.parametrize("f, name", [(lambda s, t: s + t, "add"), (lambda s, t: t + s, "add"), (lambda s, t: s * 2.0, "multiply"), (lambda s, t: 2.0 - s, "subtract"),
                                     (lambda s, t: tf.exp(s), "exp"), (lambda s, t: -s, "negative"), (lambda s, t: add(t, s), "add"), (lambda s, t: add(s, 1.0), "add"),
                                     (lambda s, t: tf.maximum(t, s), "maximum"), (lambda s, t: s < t, "less"), (lambda s, t: stack(t, s, axis=0), "stack"),
                                     (lambda s, t: s**t, "pow"), (lambda s, t: np.ones(2, np.float32) * s, "multiply")])  # fmt: skip
def test_special_tensors_interpret_operations_themselves(f, name):
    spy = Spy([1.0, 2.0])
    assert f(spy, tf.constant([1.0, 2.0])) == "mine"
    assert [h[0] for h in spy.heard] == [name]


def test_the_highest_special_tensor_goes_first():
    low, high = Spy([1.0]), HigherSpy([1.0])
    for f in (lambda: low + high, lambda: high + low, lambda: add(low, high), lambda: stack(low, high, low, axis=0)):
        assert f() == "mine"
    assert len(high.heard) == 4 and low.heard == []


# -- errors -------------------------------------------------------------------------------------------------------------------


FAILURES = {
    "x + y": "ncompatible shapes: [2] vs. [3]",
    "y * v": "ncompatible shapes: [3] vs. [2]",
    "tf.maximum(x, y)": "ncompatible shapes",
    "x + tf.constant([1.0, 2.0], tf.float64)": "float64",
    "x & x": "float32",
    "x // n": "float32",
    "n // 0": "division by zero",
    "n % tf.constant([1, 0])": "division by zero",
    "n ** -1": "negative integer powers",
    "x == tf.constant([1, 2])": "int32",
    "tf.reshape(x, [3])": "3",
    "tf.exp(n)": "int32",
    "tf.reduce_sum(x, axis=5)": "5",
    "tf.stack([x, y])": "hape",
    "v.assign_add(y)": "hape",
    "bool(x)": "",
    "tf.matmul(tf.ones([2, 3]), tf.ones([2, 3]))": "2,3",
    "x[5]": "5",
}


@pytest.mark.parametrize("line", FAILURES)
def test_errors_say_what_and_where(line):
    """The message names what was given and ends with the user's own line."""
    file = f"<program with {line}>"
    source = f"import gradtape as tf\nx, y, n, v = tf.constant([1.0, 2.0]), tf.constant([1.0, 2.0, 3.0]), tf.constant([7, 8]), tf.Variable([1.0, 2.0])\n{line}\n"
    linecache.cache[file] = (len(source), None, source.splitlines(True), file)
    with pytest.raises((InvalidArgumentError, ValueError)) as e:
        exec(compile(source, file, "exec"), {})
    text = str(e.value)
    assert isinstance(e.value, InvalidArgumentError), repr(e.value)
    assert FAILURES[line] in text
    assert text.endswith(f"at {file}:3: {line}"), text
    del linecache.cache[file]


def test_errors_are_python_errors_too():
    with pytest.raises(ValueError):
        tf.constant([1.0, 2.0]) + tf.constant([1.0, 2.0, 3.0])


def test_errors_show_no_numpy_error_behind_them():
    with pytest.raises(InvalidArgumentError) as e:
        tf.constant([1.0, 2.0]) + tf.constant([1.0, 2.0, 3.0])
    assert e.value.__cause__ is None and e.value.__suppress_context__


def test_a_kernel_that_fails_where_the_shape_rule_does_not():
    """A fault of gradtape's own: the message says all that there is to say, with the cause."""

    def kernel(x):
        raise KeyError("a fault")

    p = Primitive("faulty row of a test", "x", kernel, shape=lambda x: Aval(x.shape, x.dtype))
    try:
        with pytest.raises(InvalidArgumentError, match=r"faulty row of a test failed on float32\[2\].*a fault") as e:
            p(tf.constant([1.0, 2.0]))
        assert isinstance(e.value.__cause__, KeyError)
    finally:
        del TABLE[p.name]


def test_interrupts_pass():
    def kernel(x):
        raise KeyboardInterrupt

    p = Primitive("interrupted row of a test", "x", kernel, shape=lambda x: x)
    try:
        with pytest.raises(KeyboardInterrupt):
            p(tf.constant(1.0))
    finally:
        del TABLE[p.name]


# -- NumPy's warnings -----------------------------------------------------------------------------------------------------------


NOISY = textwrap.dedent("""
    import numpy as np
    import gradtape as tf
    huge = np.finfo(np.float32).max
    for shape in ((), (3,), (400, 400)):
        one = tf.ones(shape)
        big, zero, minus = one * huge, one * 0.0, one * -1.0
        n = tf.cast(one, tf.int32)
        v = tf.Variable(big)
        with tf.GradientTape() as tape:
            tape.watch([big, zero, minus])
            ys = [big * big, big + big, one / zero, zero / zero, minus / zero, tf.math.log(zero), tf.math.log(minus), tf.sqrt(minus), tf.exp(big), zero ** -1.0,
                  minus ** 0.5, tf.math.reciprocal(zero), tf.reduce_sum(big), tf.reduce_mean(big) if shape else big, tf.square(big), tf.math.log1p(minus),
                  tf.asin(one * 2.0), tf.math.atanh(one), tf.math.rsqrt(zero), big % zero, big // zero, tf.math.divide_no_nan(one, zero), v * v,
                  tf.reduce_logsumexp(big * minus * big), tf.math.softplus(big), tf.sigmoid(big * minus), tf.cast(big, tf.float16), tf.math.lgamma(zero),
                  tf.math.digamma(zero), tf.math.erfinv(one * 2.0), tf.math.cumprod(tf.reshape(big, [-1]))]
        tape.gradient(ys, [big, zero, minus, v])
        v.assign_add(big)
        assert np.all(np.isinf(v.numpy()))
        v.assign_sub(v)
        assert np.all(np.isnan(v.numpy()))
        tf.constant(huge) * 10.0, tf.cast(big * big, tf.int32), tf.cast(zero / zero, tf.int64), n / (n - n), 1e300 * one, one * 1e300
        tf.constant(127, tf.int8) + 1, n * 2147483647 * n, -tf.constant([-128], tf.int8), tf.constant(1e10, tf.float16), tf.constant([1e10], tf.bfloat16)
        np.float32(huge) * big, np.full(3, huge) * tf.constant(huge)
    print("quiet")
""")


@pytest.mark.parametrize(
    "options", [[], ["-W", "always"], ["-W", "default"], ["-W", "error"], ["-W", "error", "-X", "dev"]], ids=" ".join
)
def test_numpys_warnings_do_not_leak(options):
    """Overflow, x/0 and NaN are silent as in TensorFlow, whatever the process does with warnings."""
    if options[:2] == ["-W", "error"]:  # for what this process itself imports
        options = [*options, "-W", "ignore::DeprecationWarning", "-W", "ignore::ResourceWarning"]
    done = subprocess.run([sys.executable, *options, "-c", NOISY], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "quiet\n", "")


def test_numpys_warnings_do_not_leak_where_the_filters_are_set_anew():
    """As under pytest, where each test has its own filters."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.resetwarnings()
        warnings.simplefilter("always")
        x = tf.constant(0.0)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.math.log(x) * (x / x)
        tape.gradient(y, x)
        tf.constant([3e38]) * 10.0
    assert [str(w.message) for w in caught] == []


def test_numpys_own_warnings_stay():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RuntimeWarning):
            np.float32(3e38) * np.float32(10)
    assert np.geterr()["over"] == "warn"


@pytest.mark.parametrize("shape", [(), (3,), (400, 400)], ids=str)
def test_where_numpy_is_told_to_raise(shape):
    """np.seterr(all="raise") is about the user's own arithmetic."""
    x = tf.ones(shape) * 3e38
    v = tf.Variable(x)
    with np.errstate(all="raise"):
        assert np.all(np.isinf((x * 10.0).numpy()))
        assert np.all(np.isinf(tf.exp(x).numpy()))
        v.assign_add(x)
        assert np.all(np.isinf(v.numpy()))


# -- large results in memory that is used again ----------------------------------------------------------------------------------


N = BIG // 4  # float32 elements


def large(value=1.0, n=N):
    return tf.constant(np.full(n, value, np.float32))


KEEPERS = {
    "the tensor": lambda t: t,
    "its array": lambda t: t._a,
    "a slice": lambda t: tf.reshape(t, [-1])[10:20],
    "a view of a view": lambda t: np.asarray(tf.transpose(tf.reshape(t, [2, -1])))[:, 1:][::2],
    "a reshaped tensor": lambda t: tf.reshape(t, [2, -1]),
    "asarray": lambda t: np.asarray(t),
    "dlpack": lambda t: np.from_dlpack(t),
    "a memoryview": lambda t: memoryview(np.asarray(t)),
    "a variable": lambda t: tf.Variable(t),
    "an assigned variable": lambda t: tf.Variable(tf.zeros(t.shape)).assign(t),
    "a list": lambda t: [t],
    "a closure": lambda t: lambda: t,
}


def seen(kept):
    kept = kept() if callable(kept) and not tf.is_tensor(kept) else kept
    return np.array(kept[0] if isinstance(kept, list) else kept)


@pytest.mark.parametrize("keep", KEEPERS)
def test_memory_that_anything_holds_is_not_used_again(keep):
    x = large(2.0)
    kept = KEEPERS[keep](x * 3.0)
    gc.collect()
    for _ in range(60):  # more than are remembered
        y = x + 1.0
        y = tf.exp(y) - y
    assert np.all(seen(kept) == 6.0)


def test_results_of_one_expression_do_not_overlap():
    a, b = large(2.0), large(3.0)
    for _ in range(5):
        results = [a * b, a + b, a - b, (a * b) * (a + b), -(a * b), tf.exp(a - a), a * b + a * b]
        assert [float(r[0]) for r in results] == [6.0, 5.0, -1.0, 30.0, -6.0, 1.0, 12.0]
        assert [float(r[-1]) for r in results] == [6.0, 5.0, -1.0, 30.0, -6.0, 1.0, 12.0]
        assert len({id(r._a) for r in results}) == len(results)


def test_tapes_hold_the_memory_of_residuals():
    x = tf.Variable(np.full(N, 0.5, np.float32))
    with tf.GradientTape(persistent=True) as tape:
        y = x
        for _ in range(5):
            y = tf.sin(y) * x
    first = tape.gradient(y, x).numpy()
    for _ in range(30):
        tf.exp(x * 2.0) + x
    np.testing.assert_array_equal(tape.gradient(y, x).numpy(), first)
    small = tf.Variable(np.full(1, 0.5, np.float32))
    with tf.GradientTape() as tape:
        z = small
        for _ in range(5):
            z = tf.sin(z) * small
    np.testing.assert_allclose(first[[0, -1]], np.repeat(tape.gradient(z, small).numpy(), 2), rtol=1e-5)


@pytest.mark.parametrize("other", [(N,), (1,), (), (2, 1), (2, N)], ids=str)
def test_large_results_of_every_broadcast(other):
    x, y = large(2.0), tf.constant(np.full(other, 3.0, np.float32))
    for f in (operator.add, operator.mul, operator.sub, operator.truediv, operator.pow):
        for got, want in ((f(x, y), f(x.numpy(), y.numpy())), (f(y, x), f(y.numpy(), x.numpy()))):
            np.testing.assert_allclose(got.numpy(), want, rtol=1e-6)
            assert got.dtype == tf.float32 and got.shape == want.shape


def test_large_arrays_that_are_not_contiguous():
    a = tf.constant(np.arange(2 * N, dtype=np.float32).reshape(2, N))
    t = tf.transpose(a)
    np.testing.assert_array_equal((t + t).numpy(), 2 * a.numpy().T)
    np.testing.assert_array_equal((a[:, ::-1] * 2.0).numpy(), a.numpy()[:, ::-1] * 2)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64", "complex64", "int32", "int64", "uint8"])
def test_large_results_keep_the_dtype(dtype):
    x = tf.cast(large(3.0, 4 * N), dtype)
    for y in (x + x, x * x, x - x, -x if dtype != "uint8" else x, x * 2):
        assert y.dtype == dtype and y._a.dtype == x._a.dtype
    assert complex((x * x)[7]).real == 9.0


def test_threads_do_not_share_memory_that_is_used_again():
    wrong = []

    def work(k):
        x = large(float(k))
        for _ in range(40):
            y = x * 2.0 + 1.0
            z = y - x
            if float(z[0]) != k + 1.0 or float(z[-1]) != k + 1.0 or not np.all(z._a == k + 1.0):
                wrong.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(1, 5)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert wrong == []


def test_what_is_remembered_is_bounded():
    from gradtape.core import buffers

    for n in range(N, N + 400):
        large(1.0, n) * 2.0
    assert buffers._pool.bytes <= buffers.LIMIT
    assert buffers._pool.bytes == sum(a.nbytes for arrays in buffers._pool.arrays.values() for a in arrays)
