"""The public products (``@``, matmul, matvec, tensordot, einsum) and the rest of ``tf.linalg``.

Values come from NumPy or from the definition; where only TensorFlow can say (its errors, gradients where there is no
derivative, the layout of several diagonals), what TensorFlow 2.21 gave is written down.
"""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gradtape as tf
from gradtape import linalg
from gradtape.core.tensor import Tensor
from gradtape.ground import dtypes as dt
from gradtape.ground.errors import FailedPreconditionError, InvalidArgumentError
from gradtape.primitives.indexing import IndexedSlices

INF = np.inf


def some(*shape, seed=0, dtype=float):
    rng = np.random.default_rng(seed)
    a = rng.uniform(0.5, 2, shape) * rng.choice([-1, 1], shape)
    return a + 1j * rng.uniform(0.5, 2, shape) if dtype is complex else a


def value(t):
    return np.asarray(t._a)


def gradient(f, *arrays):
    """The value of f and its gradients, as arrays."""
    xs = [tf.constant(a) for a in arrays]
    with tf.GradientTape() as tape:
        tape.watch(xs)
        y = f(*xs)
    return value(y), [None if g is None else value(g) for g in tape.gradient(y, xs)]


def slope(f, h=2e-3):
    """The derivative at 0 of a function of a number: central differences, extrapolated to an error of the fourth order."""
    coarse, fine = ((f(s) - f(-s)) / (2 * s) for s in (h, h / 2))
    return (4 * fine - coarse) / 3


def check_derivatives(f, *arrays, tol=1e-7):
    """First and second derivatives of f, weighted at random, against differences of f and of its gradient, in float64."""
    rng = np.random.default_rng(1)
    xs = [tf.constant(a) for a in arrays]
    weights = tf.constant(rng.uniform(0.5, 1.5, np.shape(value(f(*xs)))))
    steps = [rng.uniform(0.5, 1, a.shape) for a in arrays]

    def first(t):
        at = [tf.constant(a + t * s) for a, s in zip(arrays, steps, strict=True)]
        with tf.GradientTape() as tape:
            tape.watch(at)
            y = f(*at) * weights
        return float(np.sum(value(y))), tape.gradient(y, at, unconnected_gradients="zero")

    gs = [value(g) for g in first(0.0)[1]]
    along = sum(np.sum(g * s) for g, s in zip(gs, steps, strict=True))
    assert along == pytest.approx(slope(lambda t: first(t)[0]), rel=tol, abs=tol)
    turns = [tf.constant(rng.uniform(0.5, 1.5, a.shape)) for a in arrays]
    with tf.GradientTape() as outer:
        outer.watch(xs)
        with tf.GradientTape() as tape:
            tape.watch(xs)
            y = f(*xs) * weights
        weighted = [g * u for g, u in zip(tape.gradient(y, xs, unconnected_gradients="zero"), turns, strict=True)]
    hs = outer.gradient(weighted, xs, unconnected_gradients="zero")
    second = sum(np.sum(value(h) * s) for h, s in zip(hs, steps, strict=True))
    want = slope(lambda t: sum(np.sum(value(g) * value(u)) for g, u in zip(first(t)[1], turns, strict=True)))
    assert second == pytest.approx(want, rel=tol, abs=tol)


# -- matmul and @ ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "dtype", [np.float32, np.float64, np.int32, np.int64, np.complex64, np.complex128, np.float16, ml_dtypes.bfloat16]
)
def test_matmul_keeps_the_dtype(dtype):
    a, b = np.array([[1, 2, 3]], dtype), np.array([[4], [5], [6]], dtype)
    for out in (tf.constant(a) @ tf.constant(b), linalg.matmul(a, b)):
        assert out._a.dtype == dtype
        assert value(out).astype(complex).tolist() == [[32]]


@pytest.mark.parametrize(
    "flags",
    [
        "",
        "transpose_a",
        "transpose_b",
        "transpose_a transpose_b",
        "adjoint_a",
        "adjoint_b",
        "adjoint_a adjoint_b",
        "transpose_a adjoint_b",
    ],
)
def test_matmul_transposes_and_adjoints(flags):
    on = dict.fromkeys(flags.split(), True)
    x, y = some(2, 3, dtype=complex), some(3, 4, seed=1, dtype=complex)
    turn = {"transpose": lambda m: m.T, "adjoint": lambda m: m.conj().T}
    given_x = next((turn[f[:-2]](x) for f in on if f.endswith("_a")), x)
    given_y = next((turn[f[:-2]](y) for f in on if f.endswith("_b")), y)
    np.testing.assert_allclose(value(linalg.matmul(given_x, given_y, **on)), x @ y, rtol=1e-14)


def test_the_operator_takes_what_converts():
    t = tf.constant([[1.0, 2.0]])
    for other in ([[3], [4]], np.array([[3.0], [4.0]]), tf.Variable([[3.0], [4.0]]), tf.constant([[3.0], [4.0]])):
        assert value(t @ other).tolist() == [[11.0]]
        assert (t @ other).dtype == dt.float32
    for other in ([[1, 2]], np.array([[1.0, 2.0]]), tf.Variable([[1.0, 2.0]])):
        assert value(other @ tf.constant([[3.0], [4.0]])).tolist() == [[11.0]]
        assert value(other @ tf.Variable([[3.0], [4.0]])).tolist() == [[11.0]]


def test_the_operator_defers_to_a_foreign_type():
    class Foreign:
        def __rmatmul__(self, other):
            return "theirs"

        def __matmul__(self, other):
            return "theirs too"

    t = tf.constant([[1.0]])
    assert t @ Foreign() == "theirs"
    assert Foreign() @ t == "theirs too"
    with pytest.raises(TypeError, match="unsupported operand"):
        t @ object()


def test_the_operator_refuses_vectors_scalars_and_other_dtypes():
    m, v = tf.constant(np.ones((2, 2), np.float32)), tf.constant([1.0, 1.0])
    for x, y in ((m, v), (v, m), (v, v), (m, 2.0)):
        with pytest.raises(InvalidArgumentError, match=r"In\[[01]\] ndims must be >= 2"):
            x @ y
    with pytest.raises(InvalidArgumentError, match=r"Matrix size-incompatible: In\[0\]: \[2,2\], In\[1\]: \[3,2\]"):
        m @ tf.constant(np.ones((3, 2), np.float32))
    with pytest.raises(
        InvalidArgumentError,
        match=r"cannot compute MatMul as input #1.* expected to be a float32 tensor but is a float64 tensor",
    ):
        m @ tf.constant(np.ones((2, 2)))
    with pytest.raises(InvalidArgumentError, match="does not take bool"):
        linalg.matmul([[True]], [[True]])


def test_the_message_names_the_users_line():
    m = tf.constant([[1.0, 2.0]])
    with pytest.raises(InvalidArgumentError, match=r"test_linalg\.py:\d+: m @ m"):
        m @ m


def test_matmul_refuses_transpose_with_adjoint():
    with pytest.raises(ValueError, match=r"Only one of `transpose_b` and `adjoint_b` can be True"):
        linalg.matmul([[1.0]], [[1.0]], transpose_b=True, adjoint_b=True)


def test_matmul_output_type():
    """Sums of int8 products in int32, as in TensorFlow; and the two may differ."""
    a = np.full((1, 4), 100, np.int8)
    out = linalg.matmul(a, np.full((4, 1), 200, np.uint8), output_type=tf.int32)
    assert out.dtype == dt.int32 and value(out).tolist() == [[80000]]
    x = tf.constant([[3.0]])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = linalg.matmul(x, x, output_type=tf.float64)
    g = tape.gradient(y, x)
    assert y.dtype == dt.float64 and g.dtype == dt.float32 and value(g).tolist() == [[6.0]]


def test_matmul_of_variables_is_recorded():
    """Both by operator and by name: their gradients are gᵀ's products with the other factor."""
    a, b = some(3, 2), some(2, 4, seed=1)
    for multiply in (lambda x, y: x @ y, linalg.matmul):
        x, y = tf.Variable(a), tf.Variable(b)
        with tf.GradientTape() as tape:
            z = multiply(x, y)
        gx, gy = tape.gradient(z, [x, y])
        np.testing.assert_allclose(value(gx), np.ones((3, 4)) @ b.T, rtol=1e-14)
        np.testing.assert_allclose(value(gy), a.T @ np.ones((3, 4)), rtol=1e-14)


def test_complex_gradients():
    """TensorFlow's convention: of z aᴴ b, the gradients are conjugated. These are TensorFlow 2.21's figures."""
    z = np.array([[1 + 2j, 3j], [1, 1 - 1j]])
    _, (g,) = gradient(lambda x: linalg.einsum("ij,jk->ik", x, x), z)
    assert g.tolist() == [[3 - 7j, 4 - 1j], [2 - 7j, 3 - 1j]]
    _, (g,) = gradient(lambda x: linalg.matmul(x, x, adjoint_a=True), z)
    assert g.tolist() == [[2 + 10j, 2 + 10j], [4 - 2j, 4 - 2j]]


@pytest.mark.parametrize(
    "flags", [{}, {"transpose_a": True}, {"transpose_b": True}, {"transpose_a": True, "transpose_b": True}]
)
@pytest.mark.parametrize("batch", [((), ()), ((5,), (5,)), ((5,), ()), ((), (5,)), ((2, 1), (3,))])
def test_matmul_derivatives(flags, batch):
    x = some(*batch[0], *((3, 2) if "transpose_a" in flags else (2, 3)))
    y = some(*batch[1], *((4, 3) if "transpose_b" in flags else (3, 4)), seed=1)
    check_derivatives(lambda a, b: linalg.matmul(a, b, **flags), x, y)


# -- matvec, tensordot -----------------------------------------------------------------------------------------------------------


def test_matvec():
    a, b = some(4, 2, 3), some(4, 3, seed=1)
    np.testing.assert_allclose(value(linalg.matvec(a, b)), np.einsum("bij,bj->bi", a, b), rtol=1e-14)
    np.testing.assert_allclose(value(linalg.matvec(a, b[0])), np.einsum("bij,j->bi", a, b[0]), rtol=1e-14)
    np.testing.assert_allclose(
        value(linalg.matvec(a, b[:, :2], transpose_a=True)), np.einsum("bij,bi->bj", a, b[:, :2]), rtol=1e-14
    )
    c = some(2, 3, dtype=complex)
    np.testing.assert_allclose(value(linalg.matvec(c, c[:, 0], adjoint_a=True)), c.conj().T @ c[:, 0], rtol=1e-14)
    check_derivatives(linalg.matvec, a, b)
    with pytest.raises(InvalidArgumentError, match=r"Matrix size-incompatible: In\[0\]: \[2,3\], In\[1\]: \[2,1\]"):
        linalg.matvec(a[0], b[0, :2])
    with pytest.raises(InvalidArgumentError, match="b is a scalar"):
        linalg.matvec(a[0], 1.0)


@st.composite
def contractions(draw):
    """Two arrays and axes for tensordot, in each of the forms that it takes."""
    n = draw(st.integers(0, 2))
    lengths = [draw(st.integers(0, 3)) for _ in range(n)]
    free = [draw(st.lists(st.integers(0, 3), max_size=2)) for _ in range(2)]
    if draw(st.booleans()):
        return (*free[0], *lengths), (*lengths, *free[1]), n
    shapes, axes = [], []
    for extra in free:
        places = draw(st.permutations(range(n + len(extra))))[:n]
        rest = iter(extra)
        shapes.append(tuple(lengths[places.index(i)] if i in places else next(rest) for i in range(n + len(extra))))
        axes.append([p - (n + len(extra)) * draw(st.booleans()) for p in places])
    return shapes[0], shapes[1], axes if n != 1 or draw(st.booleans()) else [axes[0][0], axes[1][0]]


@given(contractions())
def test_tensordot_is_numpys(case):
    s, t, axes = case
    a, b = (
        np.arange(np.prod(s, dtype=int), dtype=float).reshape(s),
        np.arange(np.prod(t, dtype=int), dtype=float).reshape(t),
    )
    got = value(linalg.tensordot(a, b, axes))
    want = np.tensordot(a, b, axes)
    assert got.shape == want.shape
    np.testing.assert_array_equal(got, want)


def test_tensordot_derivatives_and_tensor_axes():
    a, b = some(2, 3, 4), some(4, 3, 2, seed=1)
    check_derivatives(lambda x, y: linalg.tensordot(x, y, [[1, 2], [1, 0]]), a, b)
    check_derivatives(lambda x, y: linalg.tensordot(x, y, 1), a, b)
    check_derivatives(lambda x, y: linalg.tensordot(x, y, 1), a, b[:, 0])
    check_derivatives(lambda x, y: linalg.tensordot(x, y, 0), a[0], b[0])
    np.testing.assert_allclose(
        value(linalg.tensordot(a, b, tf.constant([[2], [0]]))), np.tensordot(a, b, 1), rtol=1e-14
    )
    np.testing.assert_allclose(
        value(linalg.tensordot(a, b, [tf.constant([2]), np.array([0])])), np.tensordot(a, b, 1), rtol=1e-14
    )
    np.testing.assert_allclose(value(linalg.tensordot(a, b, tf.constant(1))), np.tensordot(a, b, 1), rtol=1e-14)


@pytest.mark.parametrize(
    ("axes", "error", "message"),
    [
        ([1], ValueError, r"`axes` must be an integer or have length 2. Received \[1\]"),
        (-1, ValueError, "`axes` must be at least 0. Received: -1"),
        (3, ValueError, "`axes` must not be larger than the number of dimensions"),
        ([[0, 1], [0]], ValueError, "Different number of contraction axes `a` and `b`, 2 != 1"),
        ([[0, 0], [0, 1]], ValueError, "each axis of a tensor once"),
        (None, ValueError, "`axes` must be"),
        ("ab", ValueError, "`axes` must be"),
        ([[2], [1]], InvalidArgumentError, r"axis of a in the range \[-2, 2\)"),
        (
            1,
            InvalidArgumentError,
            r"Matrix size-incompatible: In\[0\]: \[2,3\], In\[1\]: \[2,3\]: tensordot sums over axis 1 of a and axis 0 of b",
        ),
    ],
)
def test_tensordot_messages(axes, error, message):
    with pytest.raises(error, match=message):
        linalg.tensordot(np.ones((2, 3)), np.ones((2, 3)), axes)


# -- einsum --------------------------------------------------------------------------------------------------------------------


@st.composite
def public_equations(draw):
    """Equations with spaces, with and without an arrow, with ellipses that broadcast."""
    letters = "abcZ"
    sizes = {label: draw(st.integers(1, 3)) for label in letters}
    wide = draw(st.lists(st.integers(1, 3), max_size=2))
    terms, shapes, most = [], [], 0
    for _ in range(draw(st.integers(1, 3))):
        before, after = draw(st.text(letters, max_size=2)), draw(st.text(letters, max_size=2))
        dots, own = "", []
        if draw(st.booleans()):
            own = [1 if draw(st.booleans()) else d for d in wide[draw(st.integers(0, len(wide))) :]]
            dots, most = "...", max(most, len(own))
        terms.append(before + dots + after)
        shapes.append((*(sizes[label] for label in before), *own, *(sizes[label] for label in after)))
    used = sorted({label for t in terms for label in t} - {"."})
    equation = ", ".join(terms)
    if most or draw(st.booleans()):
        out = "".join(draw(st.permutations(used))[: draw(st.integers(0, len(used)))]) if used else ""
        at = draw(st.integers(0, len(out)))
        equation += " -> " + (out[:at] + "..." + out[at:] if most or "..." in equation else out)
    return equation, shapes


@given(public_equations())
def test_einsum_is_numpys_for_any_equation(case):
    equation, shapes = case
    rng = np.random.default_rng(len(equation))
    arrays = [np.asarray(rng.integers(-3, 4, s), float) for s in shapes]
    got, want = value(linalg.einsum(equation, *arrays)), np.einsum(equation, *arrays)
    assert got.shape == want.shape
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("ij,jk->ik", ((2, 3), (3, 4))), ("ij,jk", ((2, 3), (3, 4))), ("ii", ((3, 3),)), ("ii->i", ((3, 3),)), ("iij,jk->ik", ((2, 2, 3), (3, 2))),
        ("...ij,...jk->...ik", ((4, 1, 2, 3), (5, 3, 2))), ("...i,...i->...", ((2, 1, 3), (4, 3))), ("i...j->j...i", ((2, 1, 3),)),
        ("ij,kl->ik", ((2, 3), (2, 4))), ("ij,jk,kl->il", ((2, 3), (3, 4), (4, 2))), ("i,i,i->", ((3,), (3,), (3,))), ("i,j->ji", ((2,), (3,))),
    ],
)  # fmt: skip
def test_einsum_derivatives(equation, shapes):
    check_derivatives(lambda *xs: linalg.einsum(equation, *xs), *[some(*s, seed=i) for i, s in enumerate(shapes)])


def test_einsum_third_derivative():
    """Of Σ x³, by einsum alone: 6."""
    x = tf.constant([1.0, -2.0])
    with tf.GradientTape() as third:
        third.watch(x)
        with tf.GradientTape() as second:
            second.watch(x)
            with tf.GradientTape() as first:
                first.watch(x)
                y = linalg.einsum("i,i,i->", x, x, x)
            g = first.gradient(y, x)
        h = second.gradient(g, x)
    assert value(third.gradient(h, x)).tolist() == [6.0, 6.0]


@pytest.mark.parametrize(
    ("equation", "shapes", "error", "message"),
    [
        ("ij,jk->ik", ((3, 2),), ValueError, 'Got 1 inputs for equation "ij,jk->ik", expecting 2'),
        ("i->ii", ((3,),), ValueError, "label appearing more than once: i->ii"),
        ("i->j", ((3,),), ValueError, "label j not present in the input subscripts"),
        ("i->i,j", ((3,),), ValueError, "Subscripts have incorrect format: i->i,j"),
        ("i1->i", ((3, 2),), ValueError, "incorrect format"),
        ("i->i->i", ((3,),), ValueError, "incorrect format"),
        ("..i->i", ((3, 2),), ValueError, "incorrect format"),
        ("...i...->i", ((3, 2),), ValueError, "incorrect format"),
        ("...i->i", ((4, 3),), InvalidArgumentError, r"Output contains 1 broadcasting dimension\(s\) but no ellipsis"),
        ("...ij,...jk", ((4, 2, 3), (3, 2)), InvalidArgumentError, "Output contains 1 broadcasting dimension"),
        ("...ijk->...", ((3, 2),), InvalidArgumentError, "Expected input 0 to have rank at least 3 but got: 2"),
        ("...i,...i->...", ((2, 3), (4, 3)), InvalidArgumentError, "Expected dimension 2 at axis 0"),
    ],
)
def test_einsum_messages(equation, shapes, error, message):
    """TensorFlow's errors and words."""
    with pytest.raises(error, match=message):
        linalg.einsum(equation, *[np.ones(s) for s in shapes])


def test_einsum_arguments():
    x = tf.constant([1.0, 2.0])
    assert (
        value(linalg.einsum("i,i->", x, [3, 4], name="n", optimize="greedy")) == 11
    )  # the list takes the tensor's dtype
    assert linalg.einsum("i,i->", [1, 2], x).dtype == dt.float32
    assert value(linalg.einsum("i,i->", tf.Variable([1.0, 2.0]), x)) == 5
    with pytest.raises(TypeError, match="Invalid keyword arguments for einsum: foo"):
        linalg.einsum("i->", x, foo=1)
    with pytest.raises(TypeError, match="must be a string"):
        linalg.einsum(x, x)
    with pytest.raises(InvalidArgumentError, match="expected to be a float32 tensor but is a float64 tensor"):
        linalg.einsum("i,i->", x, tf.constant(np.ones(2)))


# -- norms -----------------------------------------------------------------------------------------------------------------------

MATRIX = np.array([[1.0, -2, 3], [4, 5, -6]])


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [None, 0, -1])
@pytest.mark.parametrize("ord", ["euclidean", 1, 2, INF, 3, 1.5, 0.5])
def test_vector_norms(ord, axis, keepdims):
    p = 2 if ord == "euclidean" else ord
    a = np.abs(MATRIX)
    want = (
        np.max(a, axis=axis, keepdims=keepdims) if p == INF else np.sum(a**p, axis=axis, keepdims=keepdims) ** (1 / p)
    )
    got = value(linalg.norm(MATRIX, ord, axis, keepdims))
    assert got.shape == want.shape
    np.testing.assert_allclose(got, want, rtol=1e-14)


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [(0, 1), (1, 0), [0, 2], (-1, 0), (1, 2)])
@pytest.mark.parametrize("ord", ["euclidean", "fro", 1, INF])
def test_matrix_norms(ord, axis, keepdims):
    a = some(2, 3, 4)
    want = np.linalg.norm(a, "fro" if ord == "euclidean" else ord, tuple(axis), keepdims)
    got = value(linalg.norm(a, ord, axis, keepdims))
    assert got.shape == want.shape
    np.testing.assert_allclose(got, want, rtol=1e-14)


def test_norms_of_complex_numbers():
    """The Euclidean norm keeps the complex dtype, the others are real, as in TensorFlow."""
    z = np.array([3 + 4j, 1])
    for ord, want, d in (
        ("euclidean", 26**0.5, dt.complex128),
        (1, 6.0, dt.float64),
        (INF, 5.0, dt.float64),
        (3, 126 ** (1 / 3), dt.float64),
    ):
        n = linalg.norm(z, ord)
        assert n.dtype is d
        np.testing.assert_allclose(value(n), want, rtol=1e-14)
    _, (g,) = gradient(linalg.norm, z)
    np.testing.assert_allclose(g, z / 26**0.5, rtol=1e-14)


def test_norms_of_integers():
    assert value(linalg.norm([3, -4], 1)) == 7 and linalg.norm([3, -4], INF).dtype is dt.int32
    with pytest.raises(InvalidArgumentError, match="int32"):
        linalg.norm([3, -4])


@pytest.mark.parametrize("ord", ["euclidean", 2, 3, 1.5])
def test_gradient_of_a_norm_at_zero_is_nan(ord):
    """As in TensorFlow: there is no derivative, and inf times 0 says so."""
    y, (g,) = gradient(lambda x: linalg.norm(x, ord), np.zeros((2, 2)))
    assert y == 0 and np.isnan(g).all()


@pytest.mark.parametrize(("ord", "axis"), [(1, None), (INF, None), (1, (0, 1)), (INF, (0, 1))])
def test_gradient_of_a_norm_by_absolute_values_at_zero_is_zero(ord, axis):
    _, (g,) = gradient(lambda x: linalg.norm(x, ord, axis), np.zeros((2, 2)))
    assert not g.any()


def test_gradients_of_norms_at_ties():
    """The largest elements share the gradient evenly; figures of TensorFlow 2.21."""
    a = np.array([[1.0, -2], [3, -3]])
    assert gradient(lambda x: linalg.norm(x, INF), a)[1][0].tolist() == [[0, 0], [0.5, -0.5]]
    assert gradient(lambda x: linalg.norm(x, 1, (0, 1)), a)[1][0].tolist() == [[0, -1], [0, -1]]
    assert gradient(lambda x: linalg.norm(x, INF, (0, 1)), a)[1][0].tolist() == [[0, 0], [1, -1]]


@pytest.mark.parametrize(
    ("ord", "axis"),
    [
        ("euclidean", None),
        (1, 1),
        (3, None),
        (1.5, 0),
        (INF, 1),
        ("fro", (0, 1)),
        (1, (0, 1)),
        (INF, (1, 0)),
        (2, (0, 1)),
    ],
)
def test_norm_derivatives(ord, axis):
    check_derivatives(lambda x: linalg.norm(x, ord, axis), some(3, 4))


@pytest.mark.parametrize(
    ("ord", "axis", "error", "message"),
    [
        ("fro", None, ValueError, "'ord' must be a supported vector norm, got fro"),
        (0, None, ValueError, "'ord' must be a supported vector norm, got 0"),
        (-INF, 0, ValueError, "'ord' must be a supported vector norm, got -inf"),
        (3, (0, 1), ValueError, r"'ord' must be a supported matrix norm in \['euclidean', 'fro', 1, 2, inf\], got 3"),
        (
            "euclidean",
            (1,),
            ValueError,
            r"'axis' must be None, an integer, or a tuple of 2 unique integers, got \(1,\)",
        ),
        ("euclidean", (1, 1), ValueError, "unique integers"),
        ("euclidean", 2, InvalidArgumentError, "Invalid reduction dimension 2"),
    ],
)
def test_norm_messages(ord, axis, error, message):
    with pytest.raises(error, match=message):
        linalg.norm(MATRIX, ord, axis)


def test_normalize():
    for ord, axis in (("euclidean", None), (1, 1), ("fro", (0, 1))):
        unit, length = linalg.normalize(MATRIX, ord, axis)
        np.testing.assert_allclose(value(length), value(linalg.norm(MATRIX, ord, axis, True)), rtol=1e-14)
        np.testing.assert_allclose(value(unit), MATRIX / value(length), rtol=1e-14)
    check_derivatives(lambda x: linalg.normalize(x, 3, 1)[0], some(2, 3))
    unit, length = linalg.normalize(np.array([3 + 4j, 0]), 1)
    assert unit.dtype is dt.complex128 and length.dtype is dt.float64
    np.testing.assert_allclose(value(unit), [0.6 + 0.8j, 0], rtol=1e-14)


def test_l2_normalize():
    np.testing.assert_allclose(
        value(linalg.l2_normalize(MATRIX, 1)), MATRIX / np.linalg.norm(MATRIX, axis=1, keepdims=True), rtol=1e-14
    )
    np.testing.assert_allclose(
        value(linalg.l2_normalize(MATRIX, dim=[0, 1])), MATRIX / np.linalg.norm(MATRIX), rtol=1e-14
    )
    assert value(linalg.l2_normalize([0.1, 0.0], epsilon=1.0)).tolist() == np.array([0.1, 0], np.float32).tolist()
    z = np.array([3 + 4j, 1])
    np.testing.assert_allclose(value(linalg.l2_normalize(z)), z / 26**0.5, rtol=1e-14)
    check_derivatives(lambda x: linalg.l2_normalize(x, 0), some(2, 3))
    with pytest.raises(ValueError, match="both"):
        linalg.l2_normalize(MATRIX, 0, dim=0)
    with pytest.raises(InvalidArgumentError, match="int32"):
        linalg.l2_normalize([1, 2])


def first(t):
    """The sum of a vector's elements, weighted 1, 0, ...: its first."""
    return linalg.tensordot(t, np.eye(1, t._shape[0])[0], 1)


def test_l2_normalize_gradients_of_tensorflow():
    """At 0, at the threshold (where x² counts, not epsilon), and of complex numbers; figures of TensorFlow 2.21."""
    assert gradient(lambda x: first(linalg.l2_normalize(x)), np.zeros(2))[1][0].tolist() == [1e6, 0]
    np.testing.assert_allclose(
        gradient(lambda x: first(linalg.l2_normalize(x, epsilon=25.0)), np.array([3.0, 4]))[1][0],
        [0.128, -0.096],
        rtol=1e-12,
    )
    _, (g,) = gradient(lambda x: first(linalg.l2_normalize(x)), np.array([3 + 4j, 1]))
    np.testing.assert_allclose(
        g, [0.12822978066727417 - 0.09051513929454649j, -0.022628784823636623 + 0j], rtol=1e-12, atol=1e-17
    )


def test_global_norm():
    slices = IndexedSlices(tf.constant([[1.0, 2.0]]), tf.constant([0]), (3, 2))
    assert value(linalg.global_norm([slices, None, tf.Variable(2.0)])) == 3
    empty = linalg.global_norm([])
    assert empty.dtype is dt.float32 and value(empty) == 0
    check_derivatives(lambda x, y: linalg.global_norm([x, y]), some(2, 3), some(2, seed=1))
    assert np.isnan(gradient(lambda x: linalg.global_norm([x]), np.zeros(2))[1][0]).all()
    for wrong in (tf.constant([1.0]), {"a": 1.0}, iter([])):
        with pytest.raises(TypeError, match="should be a sequence"):
            linalg.global_norm(wrong)
    for wrong in ([tf.constant([1])], [tf.constant(1.0), tf.constant(np.ones(2))]):
        with pytest.raises(InvalidArgumentError, match="float tensors of one dtype"):
            linalg.global_norm(wrong)


# -- matrices as a whole ---------------------------------------------------------------------------------------------------------------


def test_eye():
    np.testing.assert_array_equal(value(linalg.eye(2, 3)), np.eye(2, 3))
    np.testing.assert_array_equal(value(linalg.eye(tf.constant(3), 2, tf.constant([2]))), np.stack([np.eye(3, 2)] * 2))
    assert linalg.eye(0).shape == (0, 0) and linalg.eye(1, batch_shape=[0, 2]).shape == (0, 2, 1, 1)
    for name in ("int32", "bool", "complex64", "float16"):
        assert linalg.eye(2, dtype=name).dtype.name == name
    with pytest.raises(InvalidArgumentError, match="Dimension -2 must be >= 0"):
        linalg.eye(-2)
    with pytest.raises(TypeError):
        linalg.eye(2.5)
    with pytest.raises(TypeError):
        linalg.eye(2, dtype="string")


def test_transposes():
    a = some(2, 3, 4, dtype=complex)
    np.testing.assert_array_equal(value(linalg.matrix_transpose(a)), a.swapaxes(1, 2))
    np.testing.assert_array_equal(value(linalg.matrix_transpose(a, conjugate=True)), a.swapaxes(1, 2).conj())
    np.testing.assert_array_equal(value(linalg.adjoint(a)), a.swapaxes(1, 2).conj())
    assert linalg.adjoint([[1, 2]]).dtype is dt.int32
    with pytest.raises(ValueError, match="rank >= 2"):
        linalg.matrix_transpose([1.0])


def test_trace():
    a = some(2, 3, 4)
    np.testing.assert_allclose(value(linalg.trace(a)), np.trace(a, axis1=1, axis2=2), rtol=1e-14)
    assert gradient(linalg.trace, a[0])[1][0].tolist() == np.eye(3, 4).tolist()
    with pytest.raises(InvalidArgumentError, match="at least 2-dim"):
        linalg.trace([1.0])


def test_cross():
    a, b = some(2, 3), some(2, 3, seed=1)
    np.testing.assert_allclose(value(linalg.cross(a, b)), np.cross(a, b), rtol=1e-14)
    assert value(linalg.cross(np.array([1, 2, 3], np.uint8), np.array([4, 5, 6], np.uint8))).tolist() == [253, 6, 253]
    check_derivatives(linalg.cross, a, b)
    with pytest.raises(InvalidArgumentError, match=r"must be of same shape: \[2,3\] vs. \[3\]"):
        linalg.cross(a, b[0])
    with pytest.raises(FailedPreconditionError, match="3-element vectors"):
        linalg.cross([1.0, 2.0], [3.0, 4.0])
    with pytest.raises(InvalidArgumentError, match="at least 1D"):
        linalg.cross(1.0, 2.0)
    with pytest.raises(InvalidArgumentError, match="cannot compute Cross"):
        linalg.cross(tf.constant([1, 2, 3]), tf.constant([1.0, 2.0, 3.0]))


# -- diagonals and bands -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(3, 3), (2, 4), (4, 2), (1, 1), (2, 3, 4)])
def test_each_diagonal_is_read_and_laid(shape):
    """Against NumPy's diagonals, for every diagonal that there is."""
    a = some(*shape)
    m, n = shape[-2:]
    for k in range(1 - m, n):
        d = np.diagonal(a, k, -2, -1)
        np.testing.assert_array_equal(value(linalg.diag_part(a, k=k)), d)
        laid = np.where(np.eye(m, n, k, dtype=bool), a, 0)
        np.testing.assert_array_equal(value(linalg.diag(d, k=k, num_rows=m, num_cols=n)), laid)
        np.testing.assert_array_equal(value(linalg.set_diag(a, -d, k=k)), a - 2 * laid)
    with pytest.raises(InvalidArgumentError, match="lower_diag_index is out of bound"):
        linalg.diag_part(a, k=n)
    with pytest.raises(InvalidArgumentError, match="lower_diag_index is out of bound"):
        linalg.set_diag(a, [1.0], k=-m)


COUNTED = np.arange(1, 13).reshape(3, 4)
# what TensorFlow 2.21 gives for tf.linalg.diag_part(COUNTED, k=(-2, 3), padding_value=0, align=...)
ALIGNED = {
    "RIGHT_LEFT": [[0, 0, 4], [0, 3, 8], [2, 7, 12], [1, 6, 11], [5, 10, 0], [9, 0, 0]],
    "LEFT_RIGHT": [[4, 0, 0], [3, 8, 0], [2, 7, 12], [1, 6, 11], [0, 5, 10], [0, 0, 9]],
    "LEFT_LEFT": [[4, 0, 0], [3, 8, 0], [2, 7, 12], [1, 6, 11], [5, 10, 0], [9, 0, 0]],
    "RIGHT_RIGHT": [[0, 0, 4], [0, 3, 8], [2, 7, 12], [1, 6, 11], [0, 5, 10], [0, 0, 9]],
}


@pytest.mark.parametrize("align", ALIGNED)
def test_several_diagonals(align):
    want = np.array(ALIGNED[align])
    np.testing.assert_array_equal(value(linalg.diag_part(COUNTED, k=(-2, 3), align=align)), want)
    np.testing.assert_array_equal(
        value(linalg.diag_part(COUNTED, k=(-2, 3), padding_value=99, align=align)), np.where(want, want, 99)
    )
    np.testing.assert_array_equal(value(linalg.diag(want, k=(-2, 3), num_rows=3, num_cols=4, align=align)), COUNTED)
    np.testing.assert_array_equal(value(linalg.set_diag(COUNTED * 0, want, k=(-2, 3), align=align)), COUNTED)
    for low in range(-2, 4):
        for high in range(low + 1, 4):
            band = np.triu(np.tril(COUNTED, high), low)
            some_diagonals = linalg.diag_part(COUNTED, k=(low, high), align=align)
            np.testing.assert_array_equal(
                value(linalg.diag(some_diagonals, k=(low, high), num_rows=3, num_cols=4, align=align)), band
            )
            np.testing.assert_array_equal(
                value(linalg.set_diag(-COUNTED, some_diagonals, k=(low, high), align=align)),
                np.where(band, band, -COUNTED),
            )


def test_pairs_of_one_diagonal_and_tensors_for_k():
    assert value(linalg.diag_part(COUNTED, k=(1, 1))).tolist() == [2, 7, 12]
    assert value(linalg.diag_part(COUNTED, k=[1])).tolist() == [2, 7, 12]
    assert value(linalg.diag_part(COUNTED, k=tf.constant(1))).tolist() == [2, 7, 12]
    assert value(linalg.diag_part(COUNTED, k=tf.constant([0, 1]))).tolist() == [[2, 7, 12], [1, 6, 11]]


# the sizes that TensorFlow 2.21 chooses, and refuses
@pytest.mark.parametrize(
    ("k", "rows", "columns", "shape"),
    [(0, -1, -1, (2, 2)), (1, -1, -1, (3, 3)), (-1, -1, -1, (3, 3)), (0, 3, -1, (3, 2)), (0, -1, 4, (2, 4)), (1, 2, -1, (2, 3)), (1, 4, -1, (4, 3)),
     (1, -1, 4, (2, 4)), (-1, -1, 4, (3, 4)), (-1, 4, -1, (4, 2)), (1, 2, 5, (2, 5)), ((0, 1), -1, -1, (2, 2))],
)  # fmt: skip
def test_size_of_diag(k, rows, columns, shape):
    d = np.array([1.0, 2.0]) if isinstance(k, int) else np.array([[0.0, 1.0], [2.0, 3.0]])
    assert linalg.diag(d, k=k, num_rows=rows, num_cols=columns).shape == shape


def test_diag_of_nothing_and_paddings():
    assert linalg.diag(np.zeros(0)).shape == (0, 0)
    assert linalg.diag_part(np.zeros((0, 3))).shape == (0,)
    assert value(linalg.diag([1.0, 2.0], padding_value=9)).tolist() == [[1, 9], [9, 2]]
    assert value(linalg.diag([0.0, 2.0], padding_value=np.nan)).tolist()[0][0] == 0
    assert value(linalg.diag_part([[True, False]])).tolist() == [True]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: linalg.diag(1.0), InvalidArgumentError, "at least 1-dim"),
        (lambda: linalg.diag([1.0], k=(0, 1)), InvalidArgumentError, "at least 2-dim"),
        (lambda: linalg.diag([[1.0, 2.0]], k=(0, 1)), InvalidArgumentError, "number of diagonals"),
        (lambda: linalg.diag([1.0, 2.0], num_rows=1), InvalidArgumentError, "number of rows is too small"),
        (lambda: linalg.diag([1.0, 2.0], num_cols=1), InvalidArgumentError, "number of columns is too small"),
        (lambda: linalg.diag([1.0, 2.0], num_rows=4, num_cols=4), InvalidArgumentError, "not consistent"),
        (lambda: linalg.diag(np.ones((5, 2)), k=(-2, 2)), InvalidArgumentError, "lower_diag_index is out of bound: -2"),
        (lambda: linalg.diag([1, 2], padding_value=9.5), TypeError, "9.5"),
        (lambda: linalg.diag([1, 2], padding_value=[1, 2]), InvalidArgumentError, "must be a scalar"),
        (lambda: linalg.diag(["a"]), TypeError, "string"),
        (lambda: linalg.diag_part([1.0]), InvalidArgumentError, "at least 2-dim"),
        (lambda: linalg.diag_part(COUNTED, k=(1, -1)), InvalidArgumentError, "must not be larger than upper_diag_index: 1 > -1"),
        (lambda: linalg.diag_part(COUNTED, k=(-1, 4)), InvalidArgumentError, "upper_diag_index is out of bound: 4"),
        (lambda: linalg.diag_part(COUNTED, k=(1, 2, 3)), InvalidArgumentError, "only one or two elements, received 3"),
        (lambda: linalg.diag_part(COUNTED, k=1.5), TypeError, "integers"),
        (lambda: linalg.diag_part(COUNTED, k=(0, 1), align="FOO"), InvalidArgumentError, "align must be one of"),
        (lambda: linalg.set_diag(COUNTED, [1, 2]), InvalidArgumentError, r"have shape \[3\], but diagonal has shape \[2\]"),
        (lambda: linalg.set_diag(COUNTED, [1, 2, 3], k=(0, 1)), InvalidArgumentError, r"have shape \[2,3\], but diagonal has shape \[3\]"),
        (lambda: linalg.set_diag(tf.constant([[1.0]]), tf.constant([1])), InvalidArgumentError, "MatrixSetDiagV3"),
        (lambda: linalg.set_diag([1.0], [1.0]), InvalidArgumentError, "at least 2-dim"),
        (lambda: linalg.band_part([1.0], 0, 0), InvalidArgumentError, "at least 2-dim"),
        (lambda: linalg.band_part(COUNTED, 4, 0), InvalidArgumentError, r"num_lower must be negative or less or equal to number of rows \(3\) got: 4"),
        (lambda: linalg.band_part(COUNTED, 0, 5), InvalidArgumentError, r"num_upper must be negative or less or equal to number of columns \(4\) got: 5"),
        (lambda: linalg.band_part(COUNTED, 1.0, 0), TypeError, "num_lower"),
        (lambda: linalg.tensor_diag(1.0), InvalidArgumentError, "at least rank 1"),
        (lambda: linalg.tensor_diag_part(COUNTED), InvalidArgumentError, "twice over"),
    ],
)  # fmt: skip
def test_messages_of_diagonals(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize(("lower", "upper"), [(0, 0), (-1, 0), (0, -1), (1, 1), (2, 0), (3, 4), (-5, 1), (0, 2)])
def test_band_part(lower, upper):
    a = some(2, 3, 4)
    want = np.triu(np.tril(a, upper if upper >= 0 else 9), -lower if lower >= 0 else -9)
    np.testing.assert_array_equal(value(linalg.band_part(a, lower, tf.constant(upper))), want)


def test_band_part_leaves_nothing_of_nan():
    assert value(linalg.band_part(np.full((2, 2), np.nan), 0, 0))[0, 1] == 0
    assert value(linalg.band_part([[True, True]], 0, 0)).tolist() == [[True, False]]


def test_tensor_diag():
    a = some(2, 3)
    whole = value(linalg.tensor_diag(a))
    np.testing.assert_array_equal(whole, np.diag(a.ravel()).reshape(2, 3, 2, 3))
    np.testing.assert_array_equal(value(linalg.tensor_diag_part(whole)), a)


@pytest.mark.parametrize(
    ("f", "shapes"),
    [
        (lambda x: linalg.diag(x, k=1) ** 2, [(2, 3)]),
        (lambda x: linalg.diag(x, k=(-1, 1), padding_value=2.0) ** 2, [(2, 3, 3)]),
        (lambda x: linalg.diag_part(x, k=-1) ** 2, [(2, 3, 4)]),
        (lambda x: linalg.diag_part(x, k=(-1, 1)) ** 2, [(2, 3, 4)]),
        (lambda x, d: linalg.set_diag(x, d, k=1) ** 2, [(2, 3, 4), (2, 3)]),
        (lambda x, d: linalg.set_diag(x, d, k=(-1, 0)) ** 2, [(3, 4), (2, 3)]),
        (lambda x: linalg.band_part(x, 1, 0) ** 2, [(2, 3, 4)]),
        (lambda x: linalg.tensor_diag(x) ** 2, [(2, 3)]),
        (lambda x: linalg.tensor_diag_part(x) ** 2, [(2, 3, 2, 3)]),
        (lambda x: linalg.trace(x) ** 2, [(2, 3, 3)]),
        (lambda x: linalg.adjoint(x) ** 2, [(2, 3)]),
    ],
)
def test_derivatives_of_diagonals(f, shapes):
    check_derivatives(f, *[some(*s, seed=i) for i, s in enumerate(shapes)])


# -- batches -----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x @ x, lambda x: linalg.matmul(x, x, transpose_a=True), lambda x: linalg.einsum("ij,ij,kj->ki", x, x, x),
        lambda x: linalg.set_diag(x, linalg.diag_part(x) ** 2), lambda x: linalg.cross(x, x * x), lambda x: linalg.norm(x, 3, 1),
        lambda x: linalg.diag(x), lambda x: linalg.band_part(x, 0, 1) @ x, lambda x: linalg.tensordot(x, x, [[0], [1]]),
    ],
)  # fmt: skip
def test_jacobians(f):
    """All rows of the jacobian in one batched pass, against one pass for each element."""
    x = tf.constant(some(3, 3))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = f(x)
    got = value(tape.jacobian(y, x)).reshape(-1, 3, 3)
    size = value(y).size
    for i in range(size):
        unit = np.zeros(size)
        unit[i] = 1
        want = tape.gradient(y, x, output_gradients=Tensor(unit.reshape(y._shape), y._d))
        np.testing.assert_allclose(got[i], value(want), rtol=1e-12, atol=1e-14)
