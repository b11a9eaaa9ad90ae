"""Cholesky, LU, QR, singular values and eigenvalues: what the table's tests cannot say, for vectors are fixed only up to a sign or a phase.

Gradients are checked for functions that do not depend on it, in real and complex numbers, to the second order.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import gradtape as tf
from gradtape import linalg
from gradtape.errors import DegenerateWarning, InvalidArgumentError, UnimplementedError
from gradtape.primitives import lapack

from .slopes import apart, assert_derivatives, assert_jacobian, herm, positive, random, total

DTYPES = (np.float32, np.float64, np.complex64, np.complex128)
NUMBERS = (np.float64, np.complex128)
SHAPES = ((3, 3), (1, 1), (0, 0), (2, 3, 3), (2, 1, 4, 4), (0, 3, 3), (40, 40))
RECTANGLES = (
    *SHAPES,
    (4, 2),
    (2, 4),
    (5, 4),
    (4, 5),
    (2, 5, 3),
    (2, 3, 5),
    (3, 0),
    (0, 3),
    (0, 4, 2),
    (40, 25),
    (25, 40),
)
both = pytest.mark.parametrize("dtype", NUMBERS)


def close(got, want, dtype, scale=100):
    """Within so many roundings of the dtype."""
    assert got.shape == want.shape and got.dtype == want.dtype
    np.testing.assert_allclose(
        got, want, rtol=0, atol=scale * np.finfo(dtype).eps * max(1, np.max(np.abs(want), initial=0))
    )


def identity(q):
    n = q.shape[-1]
    return np.broadcast_to(np.eye(n, dtype=q.dtype), (*q.shape[:-2], n, n))


# -- values ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_cholesky_and_lu_multiply_to_the_matrix(shape, dtype):
    a = positive(*shape, dtype=dtype)
    low = linalg.cholesky(a).numpy()
    close(low @ herm(low), a, dtype)
    assert not np.triu(low, 1).any()
    b = random(*shape, dtype=dtype)
    both, perm = linalg.lu(b)
    assert perm.dtype == tf.int32 and linalg.lu(b, tf.int64).p.dtype == tf.int64
    f, p = both.numpy(), perm.numpy()
    product = (np.tril(f, -1) + identity(f)) @ np.triu(f)
    close(product, np.take_along_axis(b, p[..., None].astype(int), -2), dtype)
    assert np.all(np.abs(np.tril(f, -1)) <= 1.5)  # rows were exchanged
    close(linalg.lu_reconstruct(both, perm).numpy(), b, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("shape", RECTANGLES)
def test_qr_and_svd_multiply_to_the_matrix(shape, full, dtype):
    a = random(*shape, dtype=dtype)
    m, n = shape[-2:]
    q, r = (t.numpy() for t in linalg.qr(a, full_matrices=full))
    k = m if full else min(m, n)
    assert q.shape[-2:] == (m, k) and r.shape[-2:] == (k, n)
    close(q @ r, a, dtype)
    close(herm(q) @ q, identity(q), dtype)
    assert not np.tril(r, -1).any()
    s, u, v = (t.numpy() for t in linalg.svd(a, full_matrices=full))
    k = min(m, n)
    assert u.shape[-2:] == (m, m if full else k) and v.shape[-2:] == (n, n if full else k)
    close((u[..., :k] * s[..., None, :]) @ herm(v[..., :k]), a, dtype)
    close(herm(u) @ u, identity(u), dtype)
    close(herm(v) @ v, identity(v), dtype)
    assert np.all(s[..., :-1] >= s[..., 1:]) and np.all(s >= 0)
    close(linalg.svd(a, compute_uv=False).numpy(), s, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_eigenvectors_are_eigenvectors(shape, dtype):
    a = positive(*shape, dtype=dtype)
    e, v = (t.numpy() for t in linalg.eigh(np.tril(a)))  # the other triangle is not read
    assert e.dtype == dtype
    close(a @ v, v * e[..., None, :], dtype)
    close(herm(v) @ v, identity(v), dtype)
    assert np.all(e.real[..., :-1] <= e.real[..., 1:]) and not e.imag.any()
    close(linalg.eigvalsh(a).numpy(), e, dtype)
    b = random(*shape, dtype=dtype)
    e, v = (t.numpy() for t in linalg.eig(b))
    assert e.dtype == v.dtype == np.result_type(dtype, np.complex64)
    close(b @ v, v * e[..., None, :], dtype)
    close(np.linalg.norm(v, axis=-2), np.ones(e.shape, e.real.dtype), dtype)
    close(np.sort_complex(linalg.eigvals(b).numpy()), np.sort_complex(e), dtype, 1000)


def test_half_precisions_are_computed_in_float32():
    """TensorFlow has inv and qr of float16 alone."""
    a = tf.constant([[4.0, 2.0], [2.0, 5.0]], tf.bfloat16)
    assert linalg.cholesky(a).numpy().astype(float).tolist() == [[2, 0], [1, 2]]
    for t in (*linalg.qr(a), *linalg.svd(a), *linalg.eigh(a), linalg.inv(a), linalg.det(a), linalg.solve(a, a)):
        assert t.dtype == tf.bfloat16


def test_results_have_tensorflows_names():
    a = positive(3, 3)
    assert linalg.lu(a)._fields == ("lu", "p") and linalg.qr(a)._fields == ("q", "r")
    assert linalg.slogdet(a)._fields == ("sign", "log_abs_determinant")
    assert type(linalg.svd(a)) is tuple and type(linalg.eigh(a)) is tuple


def test_scipys_routines_serve_where_numpys_library_is_not_found(monkeypatch):
    import ctypes

    monkeypatch.setattr(lapack, "_library", lambda: (lapack._scipys, ctypes.c_int, np.intc))
    lapack._routine.cache_clear()
    try:
        for dtype in DTYPES:
            test_cholesky_and_lu_multiply_to_the_matrix((5, 5), dtype)
            test_qr_and_svd_multiply_to_the_matrix((5, 4), False, dtype)
            a, b = random(20, 20, dtype=dtype), random(20, 2, dtype=dtype)
            close(lapack.inverse(a) @ a, np.eye(20, dtype=dtype), dtype, 10000)
            for adjoint in (False, True):
                t = np.tril(a) + 9 * np.eye(20, dtype=dtype)
                close((herm(t) if adjoint else t) @ lapack.trsm(t, b, True, adjoint), b, dtype)
    finally:
        lapack._routine.cache_clear()


# -- what is refused ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: linalg.cholesky([[1.0, 2.0], [2.0, 1.0]]), InvalidArgumentError, "Cholesky decomposition was not successful"),
        (lambda: linalg.cholesky(np.stack([np.eye(2), -np.eye(2)])), InvalidArgumentError, "not positive definite"),
        (lambda: linalg.cholesky([[4, 2], [2, 3]]), InvalidArgumentError, "cholesky does not take int32"),
        (lambda: linalg.cholesky(np.ones((2, 3))), InvalidArgumentError, r"must be square, but its shape is \[2,3\]"),
        (lambda: linalg.cholesky(np.ones(3)), InvalidArgumentError, "must have rank >= 2, got 1"),
        (lambda: linalg.lu([[1.0, 2.0], [2.0, 4.0]]), InvalidArgumentError, "Input is not invertible"),
        (lambda: linalg.lu(np.eye(2), tf.int16), TypeError, "int32 or int64"),
        (lambda: linalg.eigh(np.full((2, 2), np.nan)), InvalidArgumentError, "Self-adjoint eigen decomposition was not successful"),
        (lambda: linalg.eig(np.full((2, 2), np.inf)), InvalidArgumentError, "Eigen decomposition was not successful"),
        (lambda: linalg.qr(np.ones(3)), InvalidArgumentError, "rank >= 2"),
        (lambda: linalg.svd(3.0), InvalidArgumentError, "rank >= 2"),
        (lambda: linalg.eigh_tridiagonal([1.0, 2.0], [1.0, 1.0]), InvalidArgumentError, r"\(..., n - 1\)"),
        (lambda: linalg.eigh_tridiagonal([1.0, 2.0], [1.0], select="x"), ValueError, "select"),
        (lambda: linalg.eigh_tridiagonal([1.0, 2.0], [1.0], select="i"), ValueError, "select_range"),
        (lambda: linalg.eigh_tridiagonal([1.0, 2.0], [1.0], select="i", select_range=(0, 2)), ValueError, "within 0 and 1"),
    ],
)  # fmt: skip
def test_messages(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_the_message_names_the_users_line():
    with pytest.raises(InvalidArgumentError, match=r"test_decompositions.py:\d+: linalg.cholesky"):
        linalg.cholesky(-np.eye(2))


def test_nan_goes_through_singular_values():
    for t in linalg.svd(np.full((3, 2), np.nan)):
        assert np.isnan(t.numpy()).all()
    assert np.isnan(linalg.svd(np.full((3, 2), np.inf), compute_uv=False).numpy()).all()


# -- gradients ---------------------------------------------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("shape", [(4, 4), (2, 3, 3), (1, 1)])
def test_gradient_of_cholesky(shape, dtype):
    assert_derivatives(lambda x: total(linalg.cholesky(x)), positive(*shape, dtype=dtype), hermitian=True)


@both
def test_gradient_of_cholesky_is_hermitian(dtype):
    x = tf.constant(positive(2, 4, 4, dtype=dtype))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = total(linalg.cholesky(x))
    g = tape.gradient(y, x).numpy()
    np.testing.assert_allclose(g, herm(g), rtol=1e-13, atol=1e-14)


@both
@pytest.mark.parametrize("shape", [(4, 4), (2, 3, 3)])
def test_gradient_of_lu(shape, dtype):
    assert_derivatives(lambda x: total(linalg.lu(x).lu), random(*shape, dtype=dtype), tol=1e-6)


@both
@pytest.mark.parametrize("shape", [(4, 4), (5, 3), (3, 5), (2, 4, 3), (2, 3, 4), (1, 1), (4, 1)])
def test_gradient_of_qr(shape, dtype):
    """Of Q and R themselves: the diagonal of R is real, which leaves no phase open."""
    a = apart(*shape, dtype=dtype)
    assert_derivatives(lambda x: total(linalg.qr(x).q) + total(linalg.qr(x).r), a)
    assert_derivatives(lambda x: total(linalg.qr(x).q), a)
    assert_derivatives(lambda x: total(linalg.qr(x).r), a)
    if shape[-2] <= shape[-1]:
        assert_derivatives(lambda x: total(linalg.qr(x, full_matrices=True).q), a)
    else:  # R does not depend on the columns that are added to Q
        assert_derivatives(lambda x: total(linalg.qr(x, full_matrices=True).r), a, second=False)


def columns(u, k, power=1.0):
    """Projections on the columns, each with another weight: what the signs and phases of vectors leave."""
    weights = np.arange(1, k + 1, dtype=u.dtype.as_numpy_dtype) ** power
    return linalg.matmul(u[..., :k] * weights, u[..., :k], adjoint_b=True)


@both
@pytest.mark.parametrize("shape", [(4, 4), (5, 3), (3, 5), (2, 4, 3), (2, 3, 4), (4, 1), (1, 1)])
def test_gradient_of_singular_vectors(shape, dtype):
    a, k = apart(*shape, dtype=dtype), min(shape[-2:])

    def pairs(x, full=False):
        _, u, v = linalg.svd(x, full)
        return linalg.matmul(u[..., :k] * np.arange(1, k + 1), v[..., :k], adjoint_b=True)

    assert_derivatives(lambda x: total(linalg.svd(x)[0] ** 3), a)
    assert_derivatives(lambda x: total(linalg.svd(x, compute_uv=False) ** 3), a)
    assert_derivatives(lambda x: total(columns(linalg.svd(x)[1], k)), a)
    assert_derivatives(lambda x: total(columns(linalg.svd(x)[2], k)), a)
    assert_derivatives(lambda x: total(pairs(x)) + total(linalg.svd(x)[0]), a)
    if abs(shape[-2] - shape[-1]) == 1:  # one vector more, which is determined
        assert_derivatives(lambda x: total(pairs(x, True)), a)
        assert_derivatives(lambda x: total(columns(linalg.svd(x, True)[1], shape[-2], 2.0)), a)
        assert_derivatives(lambda x: total(columns(linalg.svd(x, True)[2], shape[-1], 2.0)), a)


@both
@pytest.mark.parametrize("shape", [(4, 4), (2, 3, 3), (1, 1)])
def test_gradient_of_eigh(shape, dtype):
    """Also in directions that are not Hermitian, for real numbers: only the lower triangle is read, and only that gets a gradient."""
    a, k = positive(*shape, dtype=dtype), shape[-1]
    hermitian = dtype is np.complex128
    assert_derivatives(lambda x: total(linalg.eigh(x)[0] ** 3), a, hermitian=hermitian)
    assert_derivatives(lambda x: total(linalg.eigvalsh(x) ** 3), a, hermitian=hermitian)
    assert_derivatives(lambda x: total(columns(linalg.eigh(x)[1], k)), a, hermitian=hermitian)
    assert_derivatives(
        lambda x: total(columns(linalg.eigh(x)[1], k)) + total(linalg.eigh(x)[0]), a, hermitian=hermitian
    )


@both
@pytest.mark.parametrize("shape", [(4, 4), (2, 3, 3), (1, 1)])
def test_gradient_of_eig(shape, dtype):
    a = apart(*shape, dtype=dtype) + 3 * np.triu(random(*shape, dtype=dtype))

    def vectors(x):
        e, v = linalg.eig(x)
        return linalg.matmul(v * e[..., None, :] ** 2, v, adjoint_b=True)

    def product(x):  # V diag(e²) V⁻¹ = x²
        e, v = linalg.eig(x)
        return linalg.matmul(v * e[..., None, :] ** 2, linalg.inv(v))

    assert_derivatives(lambda x: total(tf.reduce_sum(linalg.eigvals(x) ** 3, -1)), a, tol=1e-6)
    assert_derivatives(lambda x: total(tf.reduce_sum(linalg.eig(x)[0] ** 3, -1)), a, tol=1e-6)
    assert_derivatives(lambda x: total(vectors(x)), a, tol=1e-5)
    x = tf.constant(a)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y, z = total(product(x)), total(tf.cast(x @ x, tf.complex128))
    np.testing.assert_allclose(tape.gradient(y, x).numpy(), tape.gradient(z, x).numpy(), rtol=1e-9, atol=1e-9)


def test_gradient_of_eigh_tridiagonal():
    a, b = np.array([1.0, 2, 4, 7]), np.array([0.5, 1, 0.7])
    assert_derivatives(lambda a, b: total(linalg.eigh_tridiagonal(a, b)), a, b)
    assert_derivatives(lambda a, b: total(linalg.eigh_tridiagonal(a, b, select="i", select_range=(1, 2)) ** 2), a, b)
    e, v = linalg.eigh_tridiagonal(a, b, eigvals_only=False, select="v", select_range=(1.5, 5.0))
    dense = np.diag(a) + np.diag(b, 1) + np.diag(b, -1)
    want = np.linalg.eigvalsh(dense)
    np.testing.assert_allclose(e.numpy(), want[(want > 1.5) & (want <= 5)], rtol=1e-13)
    np.testing.assert_allclose(dense @ v.numpy(), v.numpy() * e.numpy(), atol=1e-13)
    z = linalg.eigh_tridiagonal(a.astype(complex), b * 1j)
    assert z.dtype == tf.float64
    np.testing.assert_allclose(z.numpy(), want, rtol=1e-13)  # a phase in the off-diagonal changes nothing
    batch = linalg.eigh_tridiagonal(np.stack([a, 2 * a]), np.stack([b, 2 * b])).numpy()
    np.testing.assert_allclose(batch, np.stack([want, 2 * want]), rtol=1e-13)


@both
def test_jacobians_and_functions(dtype):
    a = positive(3, 3, dtype=dtype)
    for f in (linalg.cholesky, lambda x: linalg.lu(x).lu, lambda x: linalg.qr(x).q, linalg.eigvalsh, lambda x: linalg.svd(x, compute_uv=False),
              lambda x: columns(linalg.svd(x)[1], 3), lambda x: columns(linalg.eigh(x)[1], 3), lambda x: columns(linalg.eig(x)[1], 3),
              lambda x: linalg.qr(x[:2]).r, lambda x: columns(linalg.svd(x[:, :2])[2], 2), linalg.eigvals):  # fmt: skip
        assert_jacobian(f, a + 0.1 * random(3, 3, dtype=dtype))


# -- where there is no derivative ----------------------------------------------------------------------------------------------------------


def gradient(f, x):
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = f(x)
    return tape.gradient(y, x).numpy()


@pytest.mark.parametrize(
    "f",
    [
        lambda x: linalg.svd(x)[1][0, 0],
        lambda x: linalg.eigh(x)[1][0, 0],
        lambda x: tf.math.real(linalg.eig(x)[1][0, 0]),
    ],
)
def test_equal_values_are_warned_of(f):
    with pytest.warns(DegenerateWarning, match="two of the values are equal") as caught:
        g = gradient(f, 2 * np.eye(3))
    assert caught[0].filename == __file__ and "tape.gradient(y, x)" in str(caught[0].message)
    assert np.isfinite(g).all()


def test_values_that_are_equal_within_rounding():
    q = np.linalg.qr(random(4, 4))[0]
    a = (q * [1, 2, 2, 3]) @ q.T
    with pytest.warns(DegenerateWarning):
        assert np.abs(gradient(lambda x: linalg.eigh(x)[1][0, 0], (a + a.T) / 2)).max() < 10


def test_a_singular_value_of_0_is_warned_of():
    a = np.array([[1.0, 0], [0, 0], [0, 0]])
    with pytest.warns(DegenerateWarning, match="a singular value is 0"):
        assert np.isfinite(gradient(lambda x: linalg.svd(x)[1][0, 0], a)).all()


@pytest.mark.filterwarnings("error::gradtape.errors.DegenerateWarning")
def test_values_alone_may_be_equal():
    eye = np.eye(3)
    np.testing.assert_allclose(gradient(lambda x: tf.reduce_sum(linalg.svd(x, compute_uv=False)), eye), eye, atol=1e-15)
    np.testing.assert_allclose(gradient(lambda x: tf.reduce_sum(linalg.svd(x)[0]), eye), eye, atol=1e-15)
    np.testing.assert_allclose(gradient(lambda x: tf.reduce_sum(linalg.eigvalsh(x)), eye), eye, atol=1e-15)
    np.testing.assert_allclose(gradient(lambda x: tf.reduce_sum(linalg.eigh(x)[0]), eye), eye, atol=1e-15)
    np.testing.assert_allclose(
        gradient(lambda x: tf.norm(x, 2, (0, 1)), np.diag([3.0, 1, 1])), np.diag([1.0, 0, 0]), atol=1e-15
    )
    np.testing.assert_allclose(gradient(lambda x: linalg.pinv(x)[0, 0], eye), -np.diag([1.0, 0, 0]), atol=1e-15)


def test_gradient_of_qr_of_dependent_columns():
    for a in (np.ones((3, 2)), np.zeros((2, 2)), np.ones((2, 3))):
        with pytest.raises(InvalidArgumentError, match="linearly dependent"):
            gradient(lambda x: linalg.qr(x).q[0, 0], a)
    gradient(lambda x: linalg.qr(x).q[0, 0], np.array([[1.0, 0, 0], [0, 1, 0]]))  # the last column may depend


def test_full_matrices_have_no_gradient_where_they_are_arbitrary():
    with pytest.raises(UnimplementedError, match="full_matrices=True is not defined for more rows than columns"):
        gradient(lambda x: linalg.qr(x, True).q[0, 0], random(4, 2))
    for shape, which in (((4, 2), 1), ((2, 4), 2)):
        with pytest.raises(UnimplementedError, match="full_matrices=True is not defined"):
            gradient(lambda x: linalg.svd(x, True)[which][0, 0], random(*shape))  # noqa: B023
        a, other = apart(*shape), 3 - which
        assert_derivatives(lambda x: total(columns(linalg.svd(x, True)[other], 2)), a, second=False)  # noqa: B023  (the square one is determined)


def test_no_warning_without_need():
    with warnings.catch_warnings():
        warnings.simplefilter("error", DegenerateWarning)
        gradient(lambda x: total(linalg.svd(x)[1]), apart(4, 3))
        gradient(lambda x: total(linalg.eigh(x)[1]), positive(4, 4))
