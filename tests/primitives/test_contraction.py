"""The contraction rows, beyond what the generated tests of the table say: shapes at random, messages, accumulation, order of contraction."""

from __future__ import annotations

import math
import string
from itertools import pairwise

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gradtape as tf
from gradtape.ground import dtypes as dt
from gradtape.ground.errors import InvalidArgumentError
from gradtape.ground.primitive import Aval
from gradtape.primitives import contraction


def tensor(a) -> tf.Tensor:
    return tf.Tensor(a[()] if isinstance(a, np.ndarray) and not a.ndim else a, dt.of_numpy[a.dtype])


def matmul(x, y, tx=False, ty=False):
    return contraction.matmul(tensor(x), tensor(y), transpose_x=tx, transpose_y=ty)


def einsum(equation, *xs):
    return contraction.einsum(*map(tensor, xs), equation=equation)


# -- matmul ----------------------------------------------------------------------------------------------------------------

small = st.integers(0, 3)


@st.composite
def factors(draw):
    """Two arrays whose batch dimensions broadcast, each stored transposed or not, in a layout of some sort; and the flags."""
    m, k, n = draw(small), draw(small), draw(small)
    batch = draw(st.lists(small, max_size=2))
    flags, arrays = [], []
    dtype = draw(st.sampled_from([np.float64, np.float32, np.int32, np.complex128]))
    seed = draw(st.integers(0, 2**16))
    rng = np.random.default_rng(seed)
    for core in ((m, k), (k, n)):
        own = [1 if draw(st.booleans()) else d for d in batch][draw(st.integers(0, len(batch))) :]
        turned = draw(st.booleans())
        shape = (*own, *(core[::-1] if turned else core))
        layout = draw(st.sampled_from(["C", "F", "strided"]))
        a = rng.integers(-4, 5, shape) + (1j * rng.integers(-4, 5, shape) if dtype is np.complex128 else 0)
        a = np.asarray(a, dtype, order="F" if layout == "F" else "C")
        if layout == "strided":
            wide = np.zeros((*shape[:-1], 2 * shape[-1]), dtype)
            wide[..., ::-2] = a
            a = wide[..., ::-2]
        arrays.append(a)
        flags.append(turned)
    return arrays, flags


@given(factors())
def test_matmul_is_numpys_for_all_ranks_layouts_and_transposes(case):
    """Whole numbers are summed exactly, so that any order of summation must give the same."""
    (x, y), (tx, ty) = case
    got = matmul(x, y, tx, ty)
    want = np.matmul(x.swapaxes(-1, -2) if tx else x, y.swapaxes(-1, -2) if ty else y)
    assert got._a.dtype == x.dtype and got._a.shape == want.shape
    np.testing.assert_array_equal(got._a, want)


@given(st.data())
def test_matmul_refuses_what_does_not_fit(data):
    """Any two shapes: the rule and the operation agree, and agree with NumPy on matrices."""
    shapes = [tuple(data.draw(st.lists(small, max_size=4))) for _ in range(2)]
    tx, ty = data.draw(st.booleans()), data.draw(st.booleans())
    x, y = (np.ones(s, data.draw(st.sampled_from(["float32", "int32"]))) for s in shapes)
    y = y.astype(x.dtype)
    try:
        if min(x.ndim, y.ndim) < 2:
            raise ValueError
        want = np.matmul(x.swapaxes(-1, -2) if tx else x, y.swapaxes(-1, -2) if ty else y).shape
    except ValueError:
        with pytest.raises(InvalidArgumentError):
            matmul(x, y, tx, ty)
        return
    assert matmul(x, y, tx, ty)._shape == want
    assert (
        contraction.matmul.shape(
            Aval(x.shape, dt.float64), Aval(y.shape, dt.float64), transpose_x=tx, transpose_y=ty
        ).shape
        == want
    )


@pytest.mark.parametrize(
    ("x", "y", "tx", "message"),
    [
        ((2, 3), (2, 3), False, r"Matrix size-incompatible: In\[0\]: \[2,3\], In\[1\]: \[2,3\]"),
        ((2, 3), (3, 1), True, r"Matrix size-incompatible: In\[0\]: \[2,3\], In\[1\]: \[3,1\] \(In\[0\] transposed\)"),
        (
            (4, 2, 3),
            (5, 3, 1),
            False,
            r"In\[0\] and In\[1\] must have compatible batch dimensions: \[4,2,3\] vs. \[5,3,1\]",
        ),
        ((3,), (3, 1), False, r"In\[0\] ndims must be >= 2: 1"),
        ((2, 3), (3,), False, r"In\[1\] ndims must be >= 2: 1.*tf.linalg.matvec"),
        ((2, 3), (), False, r"In\[1\] ndims must be >= 2: 0"),
    ],
)
def test_matmul_messages(x, y, tx, message):
    """TensorFlow's words, and what to do."""
    with pytest.raises(InvalidArgumentError, match=message):
        matmul(np.ones(x), np.ones(y), tx)


@pytest.mark.parametrize(("dtype", "n"), [(np.float16, 4096), (ml_dtypes.bfloat16, 1024)])
def test_half_precisions_are_summed_in_float32(dtype, n):
    """In the dtype itself, a sum of ones stops at 2048 in float16 and at 256 in bfloat16."""
    ones = np.ones((1, n), dtype)
    assert float(matmul(ones, ones, ty=True)._a[0, 0]) == n
    assert float(einsum("ij,kj->", ones, ones)._a) == n
    assert float(einsum("ij->i", ones)._a[0]) == n
    assert matmul(ones, ones, ty=True)._a.dtype == dtype


def test_integers_wrap():
    x = np.array([[2**31 - 1, 1]], np.int32)
    assert matmul(x, x, ty=True)._a.tolist() == [[2]]  # (2³¹ - 1)² + 1, of which the lowest 32 bits are 2
    assert einsum("ij,kj->ik", x, x)._a.tolist() == [[2]]


def test_matrices_of_a_batch_are_one_product_with_a_shared_matrix():
    """The gradient of a shared factor is summed over the batch within the product: no array of the batch of its gradients is made."""
    rng = np.random.default_rng(0)
    x, w = tensor(rng.normal(size=(64, 5, 3))), tensor(rng.normal(size=(3, 4)))
    sizes = []
    kernel = contraction.matmul.kernel

    def watched(*xs, **attrs):
        out = kernel(*xs, **attrs)
        sizes.append(out.size)
        return out

    with tf.GradientTape() as tape:
        tape.watch(w)
        y = contraction.matmul(x, w, transpose_x=False, transpose_y=False)

    def bind_anew(kernel):
        contraction.matmul.kernel = kernel
        for one in contraction.product.values():
            one.bound = None

    bind_anew(watched)
    try:
        g = tape.gradient(y, w)
    finally:
        bind_anew(kernel)
    assert sizes == [12]
    np.testing.assert_allclose(g._a, np.repeat(x._a.sum((0, 1))[:, None], 4, 1), rtol=1e-12)


# -- einsum ----------------------------------------------------------------------------------------------------------------


@st.composite
def equations(draw):
    """An equation of the row and arrays of small whole numbers for it."""
    letters = "abcdeX"
    sizes = {label: draw(st.integers(0 if draw(st.integers(0, 9)) == 0 else 1, 3)) for label in letters}
    terms = [draw(st.text(letters, max_size=4)) for _ in range(draw(st.integers(1, 4)))]
    used = sorted(set("".join(terms)))
    out = "".join(draw(st.permutations(used))[: draw(st.integers(0, len(used)))]) if used else ""
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    arrays = [np.asarray(rng.integers(-3, 4, tuple(sizes[label] for label in t)), float) for t in terms]
    arrays = [np.asfortranarray(a) if a.ndim and draw(st.booleans()) else a for a in arrays]
    return f"{','.join(terms)}->{out}", arrays


@given(equations())
def test_einsum_is_numpys_for_any_equation(case):
    equation, arrays = case
    got, want = einsum(equation, *arrays)._a, np.einsum(equation, *arrays)
    assert np.shape(got) == np.shape(want)
    np.testing.assert_array_equal(got, want)


@given(equations(), st.data())
def test_einsum_of_integers_is_the_same(case, data):
    equation, arrays = case
    dtype = data.draw(st.sampled_from([np.int8, np.int32, np.uint16]))
    arrays = [np.abs(a).astype(dtype) for a in arrays]
    got = einsum(equation, *arrays)._a
    assert got.dtype == dtype
    np.testing.assert_array_equal(got, np.einsum(equation, *arrays))


@given(equations(), st.data())
def test_einsum_gradient_is_the_adjoint(case, data):
    """<einsum(.., dx_i, ..), g> = <dx_i, gradient_i>, exactly for whole numbers: einsum is linear in each operand."""
    equation, arrays = case
    rng = np.random.default_rng(data.draw(st.integers(0, 2**16)))
    xs = [tensor(a) for a in arrays]
    with tf.GradientTape() as tape:
        tape.watch(xs)
        y = contraction.einsum(*xs, equation=equation)
    g = np.asarray(rng.integers(-3, 4, y._shape), float)[()]
    gradients = tape.gradient(y, xs, output_gradients=tensor(np.asarray(g)))
    for i, (a, d) in enumerate(zip(arrays, gradients, strict=True)):
        dx = np.asarray(rng.integers(-3, 4, a.shape), float)
        moved = np.einsum(equation, *arrays[:i], dx, *arrays[i + 1 :])
        assert d._shape == a.shape
        assert np.sum(moved * g) == np.sum(dx * d._a)


@pytest.mark.parametrize(
    ("equation", "shapes", "message"),
    [
        (
            "ij,jk->ik",
            ((3, 2), (3, 2)),
            r"Expected dimension 2 at axis 0 of the input shaped \[3,2\] but got dimension 3.*'j'",
        ),
        (
            "ij,jk->ik",
            ((2, 3), (1, 4)),
            r"Expected dimension 3 at axis 0 of the input shaped \[1,4\] but got dimension 1",
        ),
        ("ii->i", ((3, 2),), r"Expected dimension 3 at axis 1 of the input shaped \[3,2\] but got dimension 2"),
        ("ij->i", ((3, 2, 1),), r"Expected input 0 to have rank 2 but got: 3"),
        ("ij,j->i", ((3, 2),), r"2 operands, but 1 tensors"),
    ],
)
def test_einsum_messages(equation, shapes, message):
    with pytest.raises(InvalidArgumentError, match=message):
        einsum(equation, *[np.ones(s) for s in shapes])


def test_einsum_does_not_mix_dtypes():
    with pytest.raises(InvalidArgumentError, match=r"expected to be a float64 tensor but is a float32 tensor"):
        einsum("i,i->", np.ones(2), np.ones(2, np.float32))


def multiplications(equation, shapes):
    """How many the order that einsum takes needs, and the fewest that any order by pairs needs."""
    terms, out = equation.split("->")
    terms = terms.split(",")
    sizes = {label: d for t, s in zip(terms, shapes, strict=True) for label, d in zip(t, s, strict=True)}

    def after(live, i, j):
        rest = [t for n, t in enumerate(live) if n not in (i, j)]
        labels = sorted(set(live[i] + live[j]))
        kept = "".join(label for label in labels if label in out or any(label in t for t in rest))
        return math.prod(sizes[label] for label in labels), [*rest, kept]

    def fewest(live):
        pairs = [(i, j) for j in range(len(live)) for i in range(j)]
        return min((cost + fewest(rest) for cost, rest in (after(live, *pair) for pair in pairs)), default=0)

    claimed, path = contraction._path(terms, out, sizes)
    spent, live = 0, terms
    for i, j in path:
        cost, live = after(live, i, j)
        spent += cost
    assert claimed == spent and len(live) == 1
    return spent, fewest(terms)


@pytest.mark.parametrize("seed", range(6))
def test_the_order_of_contraction_is_the_best_for_up_to_five(seed):
    rng = np.random.default_rng(seed)
    n = 3 + seed % 3
    sizes = dict(zip(string.ascii_lowercase, rng.integers(2, 30, n + 1), strict=False))
    terms = [a + b for a, b in pairwise(sizes)]
    spent, fewest = multiplications(
        f"{','.join(terms)}->a{list(sizes)[-1]}", [tuple(sizes[label] for label in t) for t in terms]
    )
    assert spent == fewest


def test_a_long_chain_is_contracted_pair_by_pair():
    """The naive loop over all labels of this one would take 4¹³ steps."""
    rng = np.random.default_rng(0)
    letters = string.ascii_lowercase[:13]
    matrices = [rng.normal(size=(4, 4)) for _ in range(12)]
    equation = ",".join(a + b for a, b in pairwise(letters)) + f"->{letters[0]}{letters[-1]}"
    want = matrices[0]
    for m in matrices[1:]:
        want = want @ m
    np.testing.assert_allclose(einsum(equation, *matrices)._a, want, rtol=1e-10, atol=1e-10 * np.abs(want).max())


def test_diagonals_and_transposes_are_views():
    """They share the operand's memory, as NumPy's own views do."""
    a = np.arange(9.0).reshape(3, 3)
    for equation in ("ij->ji", "ii->i"):
        assert np.shares_memory(einsum(equation, a)._a, a)


def test_blas_gets_contiguous_rows_or_columns():
    """Of matrices that have neither, a copy is made; none of others, transposed ones included."""
    a = np.ones((4, 6, 5))
    for view in (a, a.swapaxes(1, 2), a[:, :, :2], a[::2]):
        assert contraction._unit_stride(view) is view
    for view in (a[:, :, ::2], a.transpose(2, 0, 1), a[:, ::2, ::-2]):
        copy = contraction._unit_stride(view)
        assert copy.itemsize in copy.strides[-2:]
        np.testing.assert_array_equal(copy, view)
