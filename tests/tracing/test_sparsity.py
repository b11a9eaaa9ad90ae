"""Patterns of Jacobians: never smaller than the Jacobian, and no larger than they need be; sparse matrices against dense ones."""

import numpy as np
import pytest
import scipy.optimize
import scipy.sparse as sp

import gradtape as tf
from gradtape import autodiff as ad
from gradtape.ground import dtypes as dt
from gradtape.ground.errors import InvalidArgumentError
from gradtape.ground.primitive import Aval
from gradtape.primitives import complete
from gradtape.tracing import control, sparsity  # noqa: F401  (whose rows are in the table too)
from gradtape.tracing.trace import Trace

from ..primitives.checks import cases, dense, differentiable, dtype_of, inexact, tensor
from ..primitives.test_table import rows, with_gradient

TABLE = complete()
RNG = np.random.default_rng(0)


# -- one row at a time ----------------------------------------------------------------------------------------------------


def graph_of(p, arrays, attrs, moving):
    """A graph of one node: input ``moving`` is the graph's, the others are constants, or inputs where they are floats of an odd number."""
    trace = Trace(p.name)
    with trace:
        xs = [
            trace.input(Aval(np.shape(a), dtype_of(a)), "x")
            if i == moving or (i % 2 and dtype_of(a).is_inexact)
            else tensor(a)
            for i, a in enumerate(arrays)
        ]
        out = p(*xs, **attrs)
        outs = inexact(out if p.multi else [out])
        graph = trace.finish(outs, p.name)
    return graph, graph.inputs.index(xs[moving].value)


@rows(lambda p: with_gradient(dt.FLOAT)(p) and not p.dynamic)  # its shape is known before it runs
def test_the_pattern_holds_the_jacobian(p):
    """Of each float output by each differentiable input, for every case of the row."""
    for case in cases(p, dt.float64, spread=False):
        for i in differentiable(p, case.arrays):
            xs = [tensor(a) for a in case.arrays]
            with tf.GradientTape(persistent=True) as tape:
                tape.watch(xs[i])
                out = p(*xs, **case.attrs)
            outs = inexact(out if p.multi else [out])
            graph, at = graph_of(p, case.arrays, case.attrs, i)
            n = np.size(case.arrays[i])
            start = [None] * len(graph.inputs)
            start[at] = sparsity.Dependence(n, sp.eye_array(n, dtype=bool, format="csr"))
            found = sparsity.propagate(graph, start)
            for o, d in zip(outs, found, strict=True):
                (j,) = dense([tape.jacobian(o, xs[i], unconnected_gradients="zero")])
                j = np.asarray(j).reshape(np.size(o._a), n)
                pattern = np.zeros(j.shape, bool) if d is None else d.matrix().toarray()
                assert pattern.shape == j.shape
                assert not (np.abs(j) > 1e-12)[~pattern].any(), f"{p.name} {case.label}, input {i}"


def test_every_row_that_is_known_by_name_is_in_the_table():
    assert sparsity.named() - set(TABLE) == set()


# -- functions ------------------------------------------------------------------------------------------------------------

U = tf.constant(np.triu(RNG.normal(size=(6, 6))))
V = tf.Variable(np.triu(RNG.normal(size=(6, 6))))
LAPLACE = tf.constant(np.array([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]]).reshape(3, 3, 1, 1))

# a function of six numbers -> how many elements its pattern must have: as many as its Jacobian has that are not 0
EXACT = {
    "elementwise": (lambda x: tf.sin(x) * x, 6),
    "neighbours": (lambda x: x[1:] * x[:-1], 10),
    "reversed": (lambda x: x[::-1] + x, 12),
    "stride": (lambda x: x[::2] * 2.0, 3),
    "concatenated": (lambda x: tf.concat([x[:2], tf.zeros(2, tf.float64), x[::-1]], 0), 8),
    "stacked": (lambda x: tf.stack([x, x[::-1]]), 12),
    "rolled": (lambda x: tf.roll(x, 2, 0) * x, 12),
    "padded": (lambda x: tf.pad(x, [[1, 2]], constant_values=3.0), 6),
    "gathered": (lambda x: tf.gather(x, [0, 0, 5]), 3),
    "scattered": (lambda x: tf.scatter_nd([[1], [1], [4]], x[:3], [6]), 3),
    "added to": (lambda x: tf.tensor_scatter_nd_add(x, [[0], [0]], x[4:]), 8),
    "repeated": (lambda x: tf.repeat(x, 2), 12),
    "transposed": (lambda x: tf.transpose(tf.reshape(x, (2, 3))) ** 2, 6),
    "split": (lambda x: tf.split(x, 3)[1] * tf.split(x, 3)[0], 4),
    "row sums": (lambda x: tf.reduce_sum(tf.reshape(x, (2, 3)), 1), 6),
    "column means": (lambda x: tf.reduce_mean(tf.reshape(x, (2, 3)), 0), 6),
    "sums broadcast": (lambda x: tf.reshape(x, (2, 3)) * tf.reduce_sum(tf.reshape(x, (2, 3)), 1, keepdims=True), 18),
    "log of sums": (lambda x: tf.reduce_logsumexp(tf.reshape(x, (3, 2)), 1), 6),
    "softmax of rows": (lambda x: tf.nn.softmax(tf.reshape(x, (3, 2))), 12),
    "segment sums": (lambda x: tf.math.segment_sum(x, [0, 0, 1, 2, 2, 2]), 6),
    "running sums": (lambda x: tf.cumsum(x), 21),
    "triangular matrix": (lambda x: tf.linalg.matvec(U, x), 21),
    "triangular matrix, transposed": (lambda x: tf.linalg.matvec(U, x, transpose_a=True), 21),
    "matrix from the right": (lambda x: tf.reshape(x, (1, 6)) @ U, 21),
    "batch of products": (lambda x: tf.reshape(x, (3, 1, 2)) @ tf.reshape(x, (3, 2, 1)), 6),
    "product with itself": (lambda x: tf.reshape(x, (3, 2)) @ tf.reshape(x, (2, 3)), 30),
    "einsum": (lambda x: tf.einsum("i,j->ij", x, x), 6 * 11),
    "einsum with a constant": (lambda x: tf.einsum("ij,j->i", U, x), 21),
    "masked by zeros": (lambda x: x * tf.constant([0.0, 1, 1, 0, 1, 0], tf.float64), 3),
    "selected": (lambda x: tf.where([True, False] * 3, x, x[::-1]), 6),
    "selected by value": (lambda x: tf.where(x > 0, x, x[::-1]), 12),
    "no derivative": (lambda x: tf.round(x) + tf.stop_gradient(x[::-1]) + 0.0 * x, 0),
    "stencil": (lambda x: tf.nn.conv2d(tf.reshape(x, (1, 2, 3, 1)), LAPLACE, 1, "SAME"), 6 + 2 * 7),
    "means of windows": (lambda x: tf.nn.avg_pool1d(tf.reshape(x, (1, 6, 1)), 2, 2, "VALID"), 6),
    "branches": (tf.function(lambda x: tf.cond(x[0] > 0, lambda: x * 2.0, lambda: x[::-1])), 12),
    "loop": (tf.function(lambda x: tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, y * x), [0, x])[1]), 6),
    "constant": (lambda x: tf.ones(3, tf.float64), 0),
    "Fourier transform": (lambda x: tf.math.real(tf.signal.fft(tf.complex(x, tf.zeros_like(x)))), 36),
    "scalar": (lambda x: tf.reduce_sum(x[:4] ** 2), 4),
}  # fmt: skip
LARGER = {
    "by unknown indices": (lambda x: tf.gather(x, tf.argsort(x)), 36),
    "unknown matrix": (lambda x: tf.linalg.matvec(V, x), 36),
    "sorted": (tf.sort, 36),
    "solved": (lambda x: tf.linalg.solve(U + 5 * tf.eye(6, dtype=tf.float64), x[:, None]), 36),
    "loop that moves": (tf.function(lambda x: tf.while_loop(lambda i, y: i < 1, lambda i, y: (i + 1, tf.roll(y, 1, 0)), [0, x])[1]), 36),
}  # fmt: skip
X = tf.constant(RNG.uniform(0.5, 1.5, 6))


@pytest.mark.parametrize("name", [*EXACT, *LARGER])
@pytest.mark.parametrize("mode", ["auto", "forward", "reverse"])
def test_sparse_jacobians(name, mode):
    f, count = (EXACT | LARGER)[name]
    want = ad.jacrev(f)(X).numpy().reshape(-1, 6)
    j = ad.jacobian(f, mode=mode, sparsity="auto")(X)
    assert isinstance(j, sp.csr_array) and j.dtype == np.float64 and j.has_sorted_indices
    assert j.nnz == count
    np.testing.assert_allclose(j.toarray(), want, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("chunk_size", [1, 2])
@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_chunks(mode, chunk_size):
    f = lambda x: tf.roll(x, 1, 0) * x * tf.roll(x, -1, 0)
    j = ad.jacobian(f, mode=mode, sparsity="auto", chunk_size=chunk_size)(X)
    np.testing.assert_allclose(j.toarray(), ad.jacrev(f)(X).numpy(), rtol=1e-12)


def test_the_mode_is_the_one_with_fewer_colours():
    """A dense row needs reverse mode, a dense column forward mode."""
    from gradtape.tracing.compressed import _Sparse

    n = 40
    x = tf.constant(RNG.normal(size=n))
    row = lambda x: tf.concat([x[1:] * 2.0, tf.reduce_sum(x, keepdims=True)], 0)
    column = lambda x: x[1:] * x[:1]
    for f, colours in ((row, 2), (column, 2)):
        plan = _Sparse(f, 0, 1, "auto", "auto", None).plan(x, (), {})
        assert plan.coloring.number == colours
        np.testing.assert_allclose(ad.jacobian(f, sparsity="auto")(x).toarray(), ad.jacrev(f)(x).numpy())


# -- Hessians -------------------------------------------------------------------------------------------------------------


def rosenbrock(x):
    return tf.reduce_sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def arrow(x):
    return tf.reduce_sum(x[0] * x[1:] ** 2) + tf.sin(x[0])


def banded(x):
    return tf.reduce_sum(tf.sin(x[2:] * x[1:-1] * x[:-2])) + tf.reduce_sum(tf.exp(x))


def grid(x):
    u = tf.reshape(x, (5, -1))
    return tf.reduce_sum((u[1:] - u[:-1]) ** 4) + tf.reduce_sum(tf.cos(u[:, 1:] * u[:, :-1]))


def separable(x):
    return tf.reduce_sum(tf.exp(x) * x)


def full(x):
    return tf.reduce_sum(x) ** 3 + tf.reduce_logsumexp(x)


def linear(x):
    return tf.reduce_sum(3.0 * x)


HESSIANS = {
    rosenbrock: (58, 3),
    arrow: (58, 2),
    banded: (94, 5),
    grid: (82, 6),
    separable: (20, 1),
    full: (400, 20),
    linear: (0, 1),
}


@pytest.mark.parametrize("f", HESSIANS, ids=lambda f: f.__name__)
def test_sparse_hessians(f):
    from gradtape.tracing.compressed import _Sparse

    x = tf.constant(RNG.normal(size=20))
    count, colours = HESSIANS[f]
    h = ad.hessian(f, sparsity="auto")(x)
    assert isinstance(h, sp.csr_array) and h.shape == (20, 20) and h.nnz == count
    np.testing.assert_allclose(h.toarray(), ad.hessian(f)(x).numpy(), rtol=1e-11, atol=1e-12)
    assert _Sparse(f, 0, 2, "forward", "auto", None).plan(x, (), {}).coloring.number <= colours


def test_rosenbrock_in_ten_thousand_dimensions():
    x = tf.constant(RNG.normal(size=10_000))
    h = ad.hessian(rosenbrock, sparsity="auto")(x)
    assert h.nnz == 3 * 10_000 - 2
    some = scipy.optimize.rosen_hess(x.numpy()[:100])
    np.testing.assert_allclose(h[:99, :99].toarray(), some[:99, :99], rtol=1e-12)
    v = RNG.normal(size=10_000)
    np.testing.assert_allclose(h @ v, scipy.optimize.rosen_hess_prod(x.numpy(), v), rtol=1e-9, atol=1e-9)


def test_newtons_method():
    """What a sparse Hessian is for."""
    x = tf.constant(np.full(200, -1.2))
    gradient, hessian = tf.function(ad.grad(banded_convex)), ad.hessian(banded_convex, sparsity="auto")
    for _ in range(12):
        x = x - sp.linalg.spsolve(hessian(x).tocsc(), gradient(x).numpy())
    assert np.abs(gradient(x).numpy()).max() < 1e-9


def banded_convex(x):
    return tf.reduce_sum((x[1:] - x[:-1]) ** 2) + tf.reduce_sum(tf.exp(x) - 2 * x)


# -- given patterns, arguments, caching -----------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [sp.csr_array, sp.coo_array, sp.csc_matrix, np.asarray, lambda p: p.tolist()])
def test_given_patterns(form):
    f = lambda x: x[1:] * x[:-1]
    pattern = form(np.eye(5, 6, dtype=int) + np.eye(5, 6, 1, dtype=int))
    j = ad.jacobian(f, sparsity=pattern)(X)
    np.testing.assert_allclose(j.toarray(), ad.jacrev(f)(X).numpy())
    h = ad.hessian(rosenbrock, sparsity=form(np.tri(6, 6, 0, dtype=int) * np.tri(6, 6, 1, dtype=int).T))(
        X
    )  # one triangle is enough
    np.testing.assert_allclose(h.toarray(), ad.hessian(rosenbrock)(X).numpy(), rtol=1e-12)


def test_patterns():
    p = ad.sparsity_pattern(lambda x: x[1:] * x[:-1])(X)
    assert p.dtype == bool and p.shape == (5, 6)
    np.testing.assert_array_equal(p.toarray(), np.eye(5, 6, dtype=bool) | np.eye(5, 6, 1, dtype=bool))
    assert ad.sparsity_pattern(rosenbrock, order=2)(X).nnz == 16
    with pytest.raises(InvalidArgumentError, match="order must be 1 or 2"):
        ad.sparsity_pattern(rosenbrock, order=3)


def test_other_arguments():
    def f(scale, x, n, shift=0.0, *, power=2):
        return scale * x[:n] ** power + shift

    j = ad.jacobian(f, 1, sparsity="auto")
    np.testing.assert_allclose(j(tf.constant(3.0, tf.float64), X, 4).toarray(), np.diag(6 * X.numpy())[:4])
    np.testing.assert_allclose(j(tf.constant(5.0, tf.float64), X, 4, power=1).toarray(), 5 * np.eye(6)[:4])
    assert j(tf.constant(5.0, tf.float64), X, 2, tf.constant(1.0, tf.float64)).shape == (2, 6)
    np.testing.assert_allclose(
        ad.jacobian(f, -2, sparsity="auto")(tf.constant(1.0, tf.float64), X, 6).toarray(), np.diag(2 * X.numpy())
    )


def test_the_function_is_traced_once_for_each_form_of_its_arguments():
    traces = []

    def f(x):
        traces.append(1)
        return x[1:] * x[:-1]

    j = ad.jacobian(f, sparsity="auto")
    j(X)
    count = len(traces)
    for _ in range(3):
        x = tf.constant(RNG.normal(size=6))
        np.testing.assert_allclose(j(x).toarray(), ad.jacrev(lambda x: x[1:] * x[:-1])(x).numpy())
    assert len(traces) == count
    j(tf.ones(3))
    assert len(traces) == 2 * count
    first, second = j(X), j(X)
    first.data[:] = 0
    first.indices[:] = 0
    np.testing.assert_allclose(second.toarray(), j(X).toarray())  # what is returned is the caller's


def test_variables_are_read_anew():
    v = tf.Variable(2.0, dtype=tf.float64)
    j = ad.jacobian(lambda x: v * x * x, sparsity="auto")
    np.testing.assert_allclose(j(X).diagonal(), 4 * X.numpy())
    v.assign(3.0)
    np.testing.assert_allclose(j(X).diagonal(), 6 * X.numpy())
    x = tf.Variable(X)
    np.testing.assert_allclose(j(x).diagonal(), 6 * X.numpy())


def test_python_control_flow_over_tensors():
    def f(x):
        if tf.reduce_sum(x) > 0:
            y = x * x
        else:
            y = x[::-1]
        return y

    for x in (X, -X):
        np.testing.assert_allclose(ad.jacobian(f, sparsity="auto")(x).toarray(), ad.jacrev(f)(x).numpy())


def test_float32_and_numpy_arguments():
    j = ad.jacobian(lambda x: x * x, sparsity="auto")(np.arange(3, dtype=np.float32))
    assert j.dtype == np.float32 and j.toarray().tolist() == [[0, 0, 0], [0, 2, 0], [0, 0, 4]]
    assert ad.jacobian(lambda x: x * x, sparsity="auto")([1.0, 2.0]).diagonal().tolist() == [2.0, 4.0]
    assert ad.jacobian(lambda x: x * x, sparsity="auto")(3.0).toarray().tolist() == [[6.0]]
    assert ad.jacobian(lambda x: x * x, sparsity="auto")(tf.zeros([0])).shape == (0, 0)


def test_a_custom_gradient_may_depend_on_everything():
    @tf.custom_gradient
    def f(x):
        return x * 1.0, lambda g: tf.reduce_sum(g) * tf.ones_like(x)

    np.testing.assert_allclose(ad.jacobian(f, mode="reverse", sparsity="auto")(X).toarray(), np.ones((6, 6)))


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: ad.jacobian(tf.sin, sparsity="full"), "sparsity must be 'auto'"),
        (lambda: ad.jacobian(tf.sin, sparsity=3.0)(X), "sparsity must be 'auto'|must have the shape"),
        (lambda: ad.jacobian(tf.sin, sparsity=np.eye(5))(X), r"must have the shape \(6, 6\) .* but has \(5, 5\)"),
        (lambda: ad.jacobian(tf.sin, (0, 1), sparsity="auto"), "is for one argument"),
        (lambda: ad.jacobian(tf.sin, 1, sparsity="auto")(X), "argnums names argument 1"),
        (lambda: ad.jacobian(tf.sin, sparsity="auto", has_aux=True), "has_aux"),
        (lambda: ad.jacobian(tf.sin, sparsity="auto", chunk_size=0), "chunk_size"),
        (lambda: ad.jacobian(tf.sin, sparsity="auto")(3), "must be floating"),
        (lambda: ad.jacobian(lambda x: [x, x], sparsity="auto")(X), "one tensor for a result"),
        (lambda: ad.jacobian(lambda x: tf.argmax(x), sparsity="auto")(X), "floating result"),
        (lambda: ad.jacobian(lambda p: p["x"], sparsity="auto")({"x": X}), "one tensor, but it is a dict"),
        (lambda: ad.jacobian(tf.sin, sparsity="auto")(tf.constant([1j])), "must be floating for a sparse matrix"),
        (lambda: ad.hessian(tf.sin, sparsity="auto")(X), "scalar result"),
        (lambda: ad.jacobian(lambda x: tf.boolean_mask(x, x > 0), sparsity="auto")(X), "known only when the function runs"),
    ],
)  # fmt: skip
def test_wrong_input(call, text):
    with pytest.raises(InvalidArgumentError, match=text):
        call()


def test_not_inside_a_function():
    with pytest.raises(TypeError, match="SciPy matrix, which cannot be made while a function is traced"):
        tf.function(lambda x: ad.jacobian(tf.sin, sparsity="auto")(x))(X)
