"""Linear systems, inverses, least squares, determinants and functions of matrices, banded matrices, conjugate gradients."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest

import gradtape as tf
from gradtape import linalg
from gradtape.errors import InvalidArgumentError, UnimplementedError

from .slopes import assert_derivatives, assert_jacobian, herm, positive, random, total

DTYPES = (np.float32, np.float64, np.complex64, np.complex128)
NUMBERS = (np.float64, np.complex128)
both = pytest.mark.parametrize("dtype", NUMBERS)
# matrices and right-hand sides whose batches broadcast; the largest is factored once for the solution and its gradient
SYSTEMS = [((3, 3), (3, 2)), ((1, 1), (1, 1)), ((2, 3, 3), (2, 3, 1)), ((3, 3), (4, 3, 1)), ((4, 3, 3), (3, 2)), ((2, 1, 3, 3), (4, 3, 1)), ((0, 0), (0, 2)),
           ((3, 3), (3, 0)), ((0, 3, 3), (0, 3, 1)), ((40, 40), (40, 2)), ((40, 40), (2, 40, 1)), ((2, 20, 20), (20, 1)), ((20, 20), (0, 20, 1))]  # fmt: skip
systems = pytest.mark.parametrize(("a", "b"), SYSTEMS)


def regular(*shape, seed=0, dtype=np.float64):
    """Matrices with singular values between 1 and 3, so that rounding stays small; nothing about them is symmetric."""
    u, _, v = np.linalg.svd(random(*shape, seed=seed, dtype=dtype), full_matrices=False)
    return ((u * np.linspace(3, 1, u.shape[-1])) @ v).astype(dtype)


def close(got, want, dtype, scale=100):
    assert got.shape == want.shape and got.dtype == want.dtype
    np.testing.assert_allclose(
        got, want, rtol=0, atol=scale * np.finfo(dtype).eps * max(1, np.max(np.abs(want), initial=0))
    )


# -- systems -------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("adjoint", [False, True])
@systems
def test_solutions_solve(a, b, adjoint, dtype):
    a, b = regular(*a, dtype=dtype), random(*b, seed=1, dtype=dtype)
    turned = herm(a) if adjoint else a
    x = linalg.solve(a, b, adjoint=adjoint).numpy()
    close(turned @ x, np.broadcast_to(b, x.shape), dtype)
    for lower in (True, False):
        t = (np.tril if lower else np.triu)(a) + 3 * np.eye(a.shape[-1], dtype=dtype)
        x = linalg.triangular_solve(
            t + 9 * (np.triu if lower else np.tril)(a, 1 if lower else -1), b, lower=lower, adjoint=adjoint
        ).numpy()
        close((herm(t) if adjoint else t) @ x, np.broadcast_to(b, x.shape), dtype)
    if a.ndim >= b.ndim:
        lu = linalg.lu(a)
        x = linalg.lu_solve(*lu, b).numpy()
        close(a @ x, np.broadcast_to(b, x.shape), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(3, 3), (1, 1), (0, 0), (2, 3, 3), (0, 3, 3), (40, 40), (2, 40, 40)])
def test_inverses(shape, dtype):
    a, s = regular(*shape, dtype=dtype), positive(*shape, dtype=dtype)
    eye = np.broadcast_to(np.eye(shape[-1], dtype=dtype), shape)
    close(linalg.inv(a).numpy() @ a, eye, dtype)
    close(linalg.inv(a, adjoint=True).numpy() @ herm(a), eye, dtype)
    close(linalg.lu_matrix_inverse(*linalg.lu(a)).numpy() @ a, eye, dtype)
    close(s @ linalg.cholesky_solve(linalg.cholesky(s), eye).numpy(), eye, dtype, 1000)
    close(linalg.pinv(a).numpy() @ a, eye, dtype)


@both
@systems
def test_gradient_of_solutions(a, b, dtype):
    if 0 in (*a, *b):
        return
    a, b = regular(*a, dtype=dtype), random(*b, seed=1, dtype=dtype)
    for adjoint in (False, True):
        assert_derivatives(lambda x, y: total(linalg.solve(x, y, adjoint=adjoint)), a, b)  # noqa: B023
        for lower in (False, True):
            tri = partial(linalg.triangular_solve, lower=lower, adjoint=adjoint)
            assert_derivatives(lambda x, y: total(tri(x + 3 * np.eye(a.shape[-1]), y)), a, b)  # noqa: B023


@both
@pytest.mark.parametrize("shape", [(3, 3), (2, 3, 3), (20, 20)])
def test_gradient_through_factors(shape, dtype):
    a, b = regular(*shape, dtype=dtype), random(*shape[:-1], 2, seed=1, dtype=dtype)
    assert_derivatives(lambda x: total(linalg.inv(x)) + total(linalg.inv(x, adjoint=True), 3), a)
    if shape[-1] < 9:
        assert_derivatives(lambda x, y: total(linalg.lu_solve(*linalg.lu(x), y)), a, b)
        assert_derivatives(lambda x: total(linalg.lu_reconstruct(*linalg.lu(x)) ** 2), a)
        assert_derivatives(lambda x: total(linalg.lu_matrix_inverse(*linalg.lu(x))), a)
        s = positive(*shape, dtype=dtype)
        assert_derivatives(lambda x, y: total(linalg.cholesky_solve(linalg.cholesky(x), y)), s, b, hermitian=True)


@both
def test_jacobians_and_functions(dtype):
    a, b = regular(3, 3, dtype=dtype), random(3, 2, seed=1, dtype=dtype)
    t = a + 3 * np.eye(3)
    for f in (lambda x: linalg.solve(x, b), lambda x: linalg.solve(t, x), lambda x: linalg.triangular_solve(x + 3 * np.eye(3), b), linalg.inv,
              lambda x: linalg.triangular_solve(t, x), linalg.det, lambda x: linalg.slogdet(x)[1], linalg.pinv, linalg.expm, lambda x: linalg.sqrtm(x @ x),
              lambda x: linalg.lstsq(x, b), lambda x: linalg.lstsq(x[:, :2], b, fast=False), lambda x: linalg.lu_solve(*linalg.lu(x), b),
              lambda x: linalg.tridiagonal_solve(x, b, "matrix"), lambda x: linalg.logm(tf.cast(x @ x, tf.complex128))):  # fmt: skip
        assert_jacobian(f, a)
    # where the matrix is large enough to be factored once
    large = regular(33, 33, dtype=dtype)
    assert_jacobian(lambda x: linalg.solve(large, x), random(33, 1, dtype=dtype))
    assert_jacobian(lambda x: linalg.solve(x, random(33, 1, dtype=dtype))[:2], large)


def test_batches_of_factored_systems():
    """vectorized_map over matrices, over right-hand sides, and over both."""
    a, b = regular(3, 33, 33), random(3, 33, 2, seed=1)
    want = np.linalg.solve(a, b)
    np.testing.assert_allclose(tf.vectorized_map(lambda ab: linalg.solve(*ab), (a, b)).numpy(), want, rtol=1e-11)
    np.testing.assert_allclose(
        tf.vectorized_map(lambda x: linalg.solve(x, b[0]), a).numpy(), np.linalg.solve(a, b[0]), rtol=1e-11
    )
    np.testing.assert_allclose(
        tf.vectorized_map(lambda y: linalg.solve(a[0], y), b).numpy(), np.linalg.solve(a[0], b), rtol=1e-11
    )
    stacks = tf.vectorized_map(lambda x: linalg.solve(x, b), a).numpy()
    np.testing.assert_allclose(stacks, np.linalg.solve(a[:, None], b), rtol=1e-11)


# -- least squares -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((5, 3), (5, 2)),
        ((3, 5), (3, 2)),
        ((3, 3), (3, 1)),
        ((2, 4, 3), (2, 4, 1)),
        ((4, 3), (2, 4, 1)),
        ((0, 2), (0, 1)),
        ((0, 4, 2), (0, 4, 1)),
    ],
)
def test_lstsq(a, b, fast, dtype):
    a, b = regular(*a, dtype=dtype), random(*b, seed=1, dtype=dtype)
    x = linalg.lstsq(a, b, fast=fast).numpy()
    close(x, np.linalg.pinv(a) @ b, dtype, 1000)


@both
@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (2, 4, 3)])
def test_gradient_of_least_squares(shape, dtype):
    a, b = regular(*shape, dtype=dtype), random(*shape[:-1], 2, seed=1, dtype=dtype)
    assert_derivatives(lambda x, y: total(linalg.lstsq(x, y)), a, b)
    assert_derivatives(lambda x, y: total(linalg.lstsq(x, y, 0.3)), a, b)
    assert_derivatives(lambda x, y: total(linalg.lstsq(x, y, fast=False)), a, b)
    assert_derivatives(lambda x: total(linalg.pinv(x)), a)


def test_least_squares_of_deficient_rank():
    a, b = np.ones((3, 2)), np.array([[1.0], [2], [3]])
    np.testing.assert_allclose(linalg.lstsq(a, b, fast=False).numpy(), [[1.0], [1]], rtol=1e-14)
    with pytest.raises(InvalidArgumentError, match="Cholesky decomposition was not successful"):
        linalg.lstsq(a, np.ones((3, 1)))
    x = linalg.lstsq(a, b, l2_regularizer=0.5).numpy()
    np.testing.assert_allclose(x, np.linalg.solve(a.T @ a + 0.5 * np.eye(2), a.T @ b), rtol=1e-14)
    np.testing.assert_allclose(linalg.lstsq(a, b, tf.constant(0.5)).numpy(), x, rtol=1e-14)
    np.testing.assert_allclose(
        linalg.lstsq(a.T, b[:2], 0.5).numpy(), a @ np.linalg.solve(a.T @ a + 0.5 * np.eye(2), b[:2]), rtol=1e-14
    )


def test_pinv_and_rank():
    a = np.diag([1.0, 1e-3])
    assert linalg.pinv(a, rcond=0.1).numpy().tolist() == [[1, 0], [0, 0]]
    np.testing.assert_allclose(
        linalg.pinv(np.stack([a, a]), rcond=[0.1, 1e-6]).numpy(), [[[1, 0], [0, 0]], [[1, 0], [0, 1000]]]
    )
    z = np.array([[1, 1j], [1j, -1]])
    np.testing.assert_allclose(linalg.pinv(z).numpy(), np.linalg.pinv(z), atol=1e-14)
    assert linalg.matrix_rank(a).numpy() == 2 and linalg.matrix_rank(a, tol=0.1).numpy() == 1
    assert linalg.matrix_rank(np.ones((2, 4, 3))).numpy().tolist() == [1, 1]
    assert linalg.matrix_rank(np.stack([a, a]), tol=[0.1, 1e-9]).numpy().tolist() == [1, 2]
    assert linalg.matrix_rank(np.zeros((2, 0))).numpy() == 0 and linalg.matrix_rank(np.zeros((2, 3))).numpy() == 0
    assert linalg.matrix_rank(random(4, 2) @ random(2, 5)).dtype == tf.int32


# -- determinants and functions ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(3, 3), (1, 1), (0, 0), (2, 3, 3), (0, 3, 3)])
def test_functions_of_matrices(shape, dtype):
    import scipy.linalg

    a, s = regular(*shape, dtype=dtype), positive(*shape, dtype=dtype)
    close(linalg.det(a).numpy(), np.asarray(np.linalg.det(a).astype(dtype)), dtype, 1000)
    sign, log = (t.numpy() for t in linalg.slogdet(a))
    close(np.asarray(sign * np.exp(log)), np.asarray(np.linalg.det(a).astype(dtype)), dtype, 1000)
    assert sign.dtype == log.dtype == dtype
    logdet = linalg.logdet(s).numpy()
    close(np.asarray(logdet), np.asarray(np.linalg.slogdet(s)[1].astype(s.real.dtype)), dtype)
    close(linalg.expm(a).numpy(), scipy.linalg.expm(a), dtype)
    root = linalg.sqrtm(s).numpy()
    close(root @ root, s, dtype)
    if s.dtype.kind == "c":
        close(linalg.expm(linalg.logm(s)).numpy(), s, dtype, 1000)


@both
@pytest.mark.parametrize("shape", [(3, 3), (2, 3, 3), (1, 1)])
def test_gradient_of_functions(shape, dtype):
    a, s = regular(*shape, dtype=dtype), positive(*shape, dtype=dtype)
    assert_derivatives(lambda x: total(linalg.det(x)), a)
    assert_derivatives(lambda x: total(linalg.slogdet(x)[0]) + total(linalg.slogdet(x)[1]), a)
    assert_derivatives(lambda x: total(linalg.logdet(x)), s, hermitian=True)
    assert_derivatives(lambda x: total(linalg.expm(x)), a)
    assert_derivatives(lambda x: total(linalg.sqrtm(x)), s + 0.1 * a, tol=1e-6)
    assert_derivatives(lambda x: total(linalg.logm(tf.cast(x, tf.complex128))), s + 0.1 * a, tol=1e-6)


@both
@pytest.mark.parametrize("rank", [3, 2, 1, 0])
def test_gradient_of_det_at_singular_matrices(rank, dtype):
    """The adjugate, which the product with the inverse does not give there."""
    a = random(4, rank, dtype=dtype) @ random(rank, 4, seed=1, dtype=dtype)
    assert_derivatives(lambda x: total(linalg.det(x)), a, second=False)
    assert_derivatives(lambda x: total(linalg.det(x)), np.stack([a, regular(4, 4, dtype=dtype)]), second=False)


def test_functions_at_the_edge():
    assert linalg.det(np.zeros((2, 2))).numpy() == 0 and linalg.slogdet(np.zeros((2, 2)))[1].numpy() == -math.inf
    assert linalg.det(np.zeros((0, 0))).numpy() == 1
    np.testing.assert_allclose(
        linalg.sqrtm(np.array([[0.0, 1], [-1, 0]])).numpy(), np.array([[1, 1], [-1, 1]]) / 2**0.5, rtol=1e-14
    )
    assert not linalg.sqrtm(np.zeros((2, 2))).numpy().any()
    np.testing.assert_allclose(abs(linalg.sqrtm(-np.eye(2, dtype=complex)).numpy()), np.eye(2))
    for f in (linalg.expm, linalg.sqrtm, linalg.det, linalg.pinv):
        assert np.isnan(f(np.full((2, 2), np.nan)).numpy()).all()


# -- bands ---------------------------------------------------------------------------------------------------------------------------------


def dense(compact):
    n = compact.shape[-1]
    out = np.zeros((*compact.shape[:-2], n, n), compact.dtype)
    for i in range(n):
        out[..., i, i] = compact[..., 1, i]
        if i + 1 < n:
            out[..., i, i + 1], out[..., i + 1, i] = compact[..., 0, i], compact[..., 2, i + 1]
    return out


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("batch", [(), (2,), (2, 1), (0,)])
@pytest.mark.parametrize("n", [4, 2, 1, 0])
def test_tridiagonal(n, batch, dtype):
    d, b = random(*batch, 3, n, dtype=dtype), random(*batch, n, 2, seed=1, dtype=dtype)
    d[..., 1, :] += 5
    a = dense(d)
    given = {"compact": d, "matrix": a, "sequence": (d[..., 0, :], d[..., 1, :], d[..., 2, :])}
    if n:
        given["sequence "] = (d[..., 0, :-1], d[..., 1, :], d[..., 2, 1:])
    for form, diagonals in given.items():
        form = form.strip()
        close(linalg.tridiagonal_matmul(diagonals, b, form).numpy(), a @ b, dtype)
        x = linalg.tridiagonal_solve(diagonals, b, form).numpy()
        close(a @ x, b, dtype)
        close(linalg.tridiagonal_solve(diagonals, b[..., 0], form).numpy(), x[..., 0], dtype)
        close(linalg.tridiagonal_solve(diagonals, np.swapaxes(b, -1, -2), form, transpose_rhs=True).numpy(), x, dtype)
        close(
            linalg.tridiagonal_solve(diagonals, herm(b), form, transpose_rhs=True, conjugate_rhs=True).numpy(), x, dtype
        )
        close(
            linalg.tridiagonal_solve(diagonals, b.conj(), form, conjugate_rhs=True, partial_pivoting=False).numpy(),
            x,
            dtype,
        )


def test_tridiagonal_pivots():
    d = [[1.0, 1, 0], [0, 1, 1], [0, 1, 1]]  # 0 stands first on the diagonal
    np.testing.assert_allclose(linalg.tridiagonal_solve(d, [[1.0], [1], [1]]).numpy(), [[0], [1], [0]], atol=1e-7)


@both
@pytest.mark.parametrize("batch", [(), (2,)])
def test_gradient_of_bands(batch, dtype):
    d, b = random(*batch, 3, 4, dtype=dtype), random(*batch, 4, 2, seed=1, dtype=dtype)
    d[..., 1, :] += 5
    assert_derivatives(lambda x, y: total(linalg.tridiagonal_solve(x, y)), d, b)
    assert_derivatives(lambda x, y: total(linalg.tridiagonal_matmul(x, y) ** 2), d, b)
    for lower in (False, True):
        bands = np.roll(d, 1 if not lower else -1, axis=-2)  # the dominant one is the main diagonal
        for adjoint in (False, True):
            f = partial(linalg.banded_triangular_solve, lower=lower, adjoint=adjoint)
            for c in (b, random(3, *batch, 4, 1, dtype=dtype)):
                assert_derivatives(lambda x, y: total(f(x, y)), bands, c)  # noqa: B023


def test_banded_triangular_as_tensorflow_lays_the_bands():
    """What TensorFlow 2.21 gives."""
    lower, upper = [[1.0, 2, 3], [7, 8, 9]], [[7.0, 8, 9], [1, 2, 3]]
    want = np.array([[1, 0, 0], [-4, 0.5, 0], [12, -1.5, 1 / 3]])
    np.testing.assert_allclose(
        linalg.banded_triangular_solve(lower, np.eye(3, dtype=np.float32)).numpy(), want, rtol=1e-6
    )
    np.testing.assert_allclose(
        linalg.banded_triangular_solve(lower, np.eye(3, dtype=np.float32), adjoint=True).numpy(), want.T, rtol=1e-6
    )
    want = np.array([[1, -3.5, 28 / 3], [0, 0.5, -4 / 3], [0, 0, 1 / 3]])
    np.testing.assert_allclose(
        linalg.banded_triangular_solve(upper, np.eye(3, dtype=np.float32), lower=False).numpy(), want, rtol=1e-6
    )
    more = np.ones((5, 3))  # more bands than the matrix has diagonals
    np.testing.assert_allclose(
        linalg.banded_triangular_solve(more, np.eye(3)).numpy(), [[1, 0, 0], [-1, 1, 0], [0, -1, 1]], atol=1e-15
    )


# -- conjugate gradients ---------------------------------------------------------------------------------------------------------------------


class Diagonal:
    """An operator as LinearOperator is one: it multiplies vectors and says what it is."""

    is_self_adjoint = is_positive_definite = True

    def __init__(self, d):
        self.d = tf.constant(d)

    def matvec(self, v):
        return self.d * v


@both
def test_conjugate_gradient(dtype):
    a, b = positive(6, 6, dtype=dtype), random(6, seed=1, dtype=dtype)
    state = linalg.experimental.conjugate_gradient(a, b, tol=1e-12)
    assert state.i.numpy() <= 7 and state._fields == ("i", "x", "r", "p", "gamma")
    np.testing.assert_allclose(a @ state.x.numpy(), b, atol=1e-11)
    np.testing.assert_allclose(b - a @ state.x.numpy(), state.r.numpy(), atol=1e-11)
    few = linalg.experimental.conjugate_gradient(a, b, max_iter=2)
    assert few.i.numpy() == 2 and np.linalg.norm(few.r.numpy()) < np.linalg.norm(b)
    near = linalg.experimental.conjugate_gradient(a, b, x=np.linalg.solve(a, b) + 1e-9, tol=1e-6)
    assert near.i.numpy() == 0
    diagonal = np.linspace(1, 1e4, 6)
    d = (a - np.diag(np.diag(a))) / 100 + np.diag(diagonal)
    plain = linalg.experimental.conjugate_gradient(d, b, tol=1e-8)
    helped = linalg.experimental.conjugate_gradient(
        d, b, preconditioner=Diagonal((1 / diagonal).astype(dtype)), tol=1e-8
    )
    assert helped.i.numpy() < plain.i.numpy()
    np.testing.assert_allclose(helped.x.numpy(), np.linalg.solve(d, b), atol=1e-7)


def test_conjugate_gradient_of_a_batch_in_a_function_and_its_gradient():
    a, b = positive(2, 4, 4), random(2, 4, seed=1)
    b[0] = 0  # this one has converged from the start
    solve = lambda a, b: linalg.experimental.conjugate_gradient(a, b, tol=1e-13).x
    want = np.linalg.solve(a, b[..., None])[..., 0]
    np.testing.assert_allclose(solve(a, b).numpy(), want, atol=1e-10)
    np.testing.assert_allclose(tf.function(solve)(tf.constant(a), tf.constant(b)).numpy(), want, atol=1e-10)
    xs = [tf.constant(a[1]), tf.constant(b[1])]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(xs)
        y, z = total(solve(*xs)), total(linalg.solve(xs[0], xs[1][:, None])[:, 0])
    np.testing.assert_allclose(tape.gradient(y, xs[1]).numpy(), tape.gradient(z, xs[1]).numpy(), rtol=1e-6)


# -- what is refused ---------------------------------------------------------------------------------------------------------------------------

ZEROS, EYE, D = np.zeros((2, 2)), np.eye(2), np.ones((3, 2))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: linalg.solve(ZEROS, EYE), InvalidArgumentError, "Input is not invertible"),
        (lambda: linalg.solve(np.zeros((40, 40)), np.ones((40, 1))), InvalidArgumentError, "Input is not invertible"),
        (lambda: linalg.solve(np.stack([EYE, ZEROS]), np.ones((2, 2, 1))), InvalidArgumentError, "or one of the batch, is singular"),
        (lambda: linalg.solve(EYE, np.ones((3, 1))), InvalidArgumentError, r"matrix of shape \[2,2\] needs right-hand sides with 2 rows, but their shape is \[3,1\]"),
        (lambda: linalg.solve(EYE, np.ones(2)), InvalidArgumentError, "rank >= 2, got 1"),
        (lambda: linalg.solve(np.ones((2, 3)), EYE), InvalidArgumentError, "must be square"),
        (lambda: linalg.solve(tf.constant(EYE), tf.ones([2, 1])), InvalidArgumentError, "expected to be a float64 tensor but is a float32"),
        (lambda: linalg.solve(np.ones((2, 1, 1)), np.ones((3, 1, 1))), InvalidArgumentError, r"batch dimensions \[2\] and \[3\] do not broadcast"),
        (lambda: linalg.solve([[1, 2], [3, 4]], [[1], [2]]), InvalidArgumentError, "int32"),
        (lambda: linalg.triangular_solve(ZEROS, EYE), InvalidArgumentError, "Input is not invertible"),
        (lambda: linalg.triangular_solve(EYE, np.ones((3, 1))), InvalidArgumentError, "needs right-hand sides with 2 rows"),
        (lambda: linalg.inv(ZEROS), InvalidArgumentError, "Input is not invertible"),
        (lambda: linalg.inv(np.zeros((40, 40))), InvalidArgumentError, "Input is not invertible"),
        (lambda: linalg.inv(np.ones((2, 3))), InvalidArgumentError, "must be square"),
        (lambda: linalg.pinv([[1, 2]]), TypeError, "saw int32"),
        (lambda: linalg.pinv([1.0]), ValueError, "at least 2 dimensions"),
        (lambda: linalg.pinv(EYE, rcond=[0.1, 0.1]), InvalidArgumentError, "rcond must be a number for each matrix"),
        (lambda: linalg.matrix_rank([1.0]), ValueError, "at least 2 dimensions"),
        (lambda: linalg.lu_solve(EYE, [0, 1], np.ones((3, 1))), ValueError, r"must equal `rhs.shape\[-2\]`"),
        (lambda: linalg.lu_solve(EYE, [0, 1], np.ones(2)), ValueError, "at least 2 dimensions"),
        (lambda: linalg.lu_solve(EYE, [[0, 1]], EYE), ValueError, "rank"),
        (lambda: linalg.lstsq(np.ones((3, 2)), np.ones(3)), InvalidArgumentError, "rhs must be at least 2-dim"),
        (lambda: linalg.lstsq(np.ones((3, 2)), np.ones((2, 1))), InvalidArgumentError, "equally many rows"),
        (lambda: linalg.logdet(-EYE), InvalidArgumentError, "not positive definite"),
        (lambda: linalg.logm(EYE), InvalidArgumentError, "logm does not take float64"),
        (lambda: linalg.logm(ZEROS.astype(complex)), InvalidArgumentError, "logarithm does not exist"),
        (lambda: linalg.sqrtm(-EYE), InvalidArgumentError, "no real square root.*tf.cast"),
        (lambda: linalg.sqrtm([[0.0, 1.0], [0.0, 0.0]]), InvalidArgumentError, "has no square root"),
        (lambda: linalg.expm(np.ones((2, 3))), InvalidArgumentError, "must be square"),
        (lambda: linalg.det([[1, 2], [3, 4]]), InvalidArgumentError, "det does not take int32"),
        (lambda: linalg.tridiagonal_solve(0 * D, [1.0, 2.0]), InvalidArgumentError, "Input is not invertible"),
        (lambda: linalg.tridiagonal_solve(D, EYE, perturb_singular=True), UnimplementedError, "perturb_singular"),
        (lambda: linalg.tridiagonal_solve(D, EYE, perturb_singular=True, partial_pivoting=False), ValueError, "must be True"),
        (lambda: linalg.tridiagonal_solve(D[:2], EYE), ValueError, "Expected 3 diagonals got 2"),
        (lambda: linalg.tridiagonal_solve(D, np.ones((3, 2))), ValueError, "got 2 and 3"),
        (lambda: linalg.tridiagonal_solve(D, np.ones((2, 2, 2))), ValueError, "rank of rhs to be 1 or 2, got 3"),
        (lambda: linalg.tridiagonal_solve(D, EYE, "foo"), ValueError, "Unrecognized diagonals_format: foo"),
        (lambda: linalg.tridiagonal_solve((D[0], D[1]), EYE, "sequence"), ValueError, "length 3, got 2"),
        (lambda: linalg.tridiagonal_solve((np.ones(4), D[1], D[2]), EYE, "sequence"), ValueError, "superdiagonal to have length 1 or 2, got 4"),
        (lambda: linalg.tridiagonal_solve(D, EYE, "matrix"), ValueError, "to be same, got 2 and 3"),
        (lambda: linalg.tridiagonal_matmul(D, np.ones(2)), InvalidArgumentError, "right-hand sides of shape"),
        (lambda: linalg.banded_triangular_solve([[0.0, 1.0]], EYE.astype(np.float32)), InvalidArgumentError, "Input is not invertible"),
        (lambda: linalg.banded_triangular_solve(D, np.ones((3, 1))), InvalidArgumentError, "got 2 and 3"),
        (lambda: linalg.banded_triangular_solve(np.ones(2), EYE), InvalidArgumentError, r"shape \(..., r, n\)"),
        (lambda: linalg.experimental.conjugate_gradient(type("A", (), {"is_self_adjoint": None, "matvec": None}), [1.0]), ValueError, "self-adjoint, positive definite"),
    ],
)  # fmt: skip
def test_messages(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (lambda x: linalg.slogdet(x)[1], "Input is not invertible"),
        (lambda x: tf.reduce_sum(linalg.sqrtm(x)), "no unique solution"),
    ],
)
def test_gradients_that_do_not_exist(f, message):
    x = tf.constant(ZEROS)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = f(x)
    with pytest.raises(InvalidArgumentError, match=message):
        tape.gradient(y, x)


def test_errors_inside_a_function_name_what_is_wrong():
    f = tf.function(lambda x: linalg.cholesky(x) + linalg.inv(x))
    with pytest.raises(InvalidArgumentError, match="not successful"):
        f(tf.constant(-EYE))
    np.testing.assert_allclose(f(tf.constant(EYE)).numpy(), 2 * EYE)
