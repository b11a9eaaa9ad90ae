"""Contractions: the matrix product, and Einstein summation over any number of tensors.

Gradients need no rules beyond the rows themselves: the adjoint of a product with a matrix is a product with its transpose, and
the adjoint of an einsum is an einsum in which the cotangent stands for the operand.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from itertools import combinations
from typing import Any

import numpy as np

from ..ground.dtypes import NUMERIC, DType
from ..ground.errors import InvalidArgumentError, invalid
from ..ground.primitive import Aval, Given, Primitive
from ..ground.shapes import broadcast, dims_text
from . import elementwise as ew
from . import indexing
from . import structure as st

Shape = tuple[int, ...]
_FLOAT32, _FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)


def _mixed(op: str, i: int, first: DType, other: DType) -> str:
    return f"cannot compute {op} as input #{i}(zero-based) was expected to be a {first.name} tensor but is a {other.name} tensor: convert one with tf.cast."


# -- the matrix product ----------------------------------------------------------------------------------------------------


def _matmul(x: Any, y: Any, *, transpose_x: bool, transpose_y: bool) -> Any:
    t = x.dtype
    if x.ndim == 2 and y.ndim == 2 and (t is _FLOAT32 or t is _FLOAT64) and y.dtype is t:
        # the method costs a third of np.matmul's overhead, and hands transposed views to BLAS as they are
        return (x.T if transpose_x else x).dot(y.T if transpose_y else y)
    if x.ndim < 2 or y.ndim < 2 or y.dtype != t:
        raise ValueError("two matrices of one dtype are wanted")
    if transpose_x:
        x = x.swapaxes(-1, -2)
    if transpose_y:
        y = y.swapaxes(-1, -2)
    if t.kind in "iu":  # BLAS has no integers, and of NumPy's own loops einsum's are the fastest
        if x.shape[-1] != y.shape[-2]:  # it would broadcast 1 and n
            raise ValueError("inner dimensions differ")
        return np.einsum("...ij,...jk->...ik", x, y)
    if y.ndim == 2 < x.ndim and not transpose_x:
        *batch, k = x.shape  # one large product instead of many small ones
        return x.reshape(math.prod(batch), k).dot(y).reshape(*batch, y.shape[1])
    return _stacks(x, y)


def _unit_stride(x: Any) -> Any:
    """``x`` in a layout that BLAS takes, with contiguous rows or columns: for others NumPy before 2.3 has slow loops of its own."""
    return x if x.itemsize in x.strides[-2:] else x.copy()


def _stacks(x: Any, y: Any) -> Any:
    return np.matmul(_unit_stride(x), _unit_stride(y))


def _matmul_shape(x: Aval, y: Aval, *, transpose_x: bool, transpose_y: bool) -> Aval:
    if x.dtype is not y.dtype:
        raise invalid(_mixed("MatMul", 1, x.dtype, y.dtype))
    for i, a in enumerate((x, y)):
        if a.ndim < 2:
            raise invalid(f"In[{i}] ndims must be >= 2: {a.ndim}. A matrix product of shapes {dims_text(x.shape)} and {dims_text(y.shape)} is not defined; "
                          f"give vectors a second dimension by tf.expand_dims, or use tf.linalg.matvec or tf.tensordot.")  # fmt: skip
    m, k = x.shape[-1:-3:-1] if transpose_x else x.shape[-2:]
    j, n = y.shape[-1:-3:-1] if transpose_y else y.shape[-2:]
    if k != j and None not in (k, j):
        which = [f"In[{i}]" for i, t in enumerate((transpose_x, transpose_y)) if t]
        note = f" ({' and '.join(which)} transposed)" if which else ""
        raise invalid(f"Matrix size-incompatible: In[0]: {dims_text(x.shape)}, In[1]: {dims_text(y.shape)}{note}. "
                      f"The inner dimensions must be equal, but are {k} and {j}.")  # fmt: skip
    try:
        batch = broadcast(x.shape[:-2], y.shape[:-2])
    except InvalidArgumentError:
        raise invalid(
            f"In[0] and In[1] must have compatible batch dimensions: {dims_text(x.shape)} vs. {dims_text(y.shape)}."
        ) from None
    return Aval((*batch, m, n), x.dtype)


def _matmul_dx(g: Any, y: Any, transpose_x: bool, transpose_y: bool) -> Any:
    """g yᵀ, or its transpose."""
    if transpose_x:
        return product[transpose_y, True](y, g)
    return product[False, not transpose_y](g, y)


def _matmul_dy(g: Any, x: Any, shapes: tuple | None, transpose_x: bool, transpose_y: bool) -> Any:
    """xᵀ g, or its transpose; summed over the batch by one product where a batch of x meets a single y."""
    if shapes is not None and len(shapes[1]) == 2 < len(shapes[0]) and not transpose_x:  # None: x and y have one shape
        x, g = _rows(x), _rows(g)
    if transpose_y:
        return product[True, transpose_x](g, x)
    return product[not transpose_x, False](x, g)


def _rows(x: Any) -> Any:
    """The rows of all the matrices of a batch as one matrix."""
    *batch, n = x._shape
    return st.reshape(x, shape=(math.prod(batch), n))


def _matmul_cases(rng: Any) -> list:
    def case(x: Shape, y: Shape, tx: bool = False, ty: bool = False) -> tuple:
        turned = (*y[:-2], y[-1], y[-2]) if ty else y
        arrays = rng.uniform(-2, 2, (*x[:-2], x[-1], x[-2]) if tx else x), rng.uniform(-2, 2, turned)
        return arrays, {"transpose_x": tx, "transpose_y": ty}

    return [
        *[case((2, 3), (3, 4), tx, ty) for tx in (False, True) for ty in (False, True)],
        *[case((5, 2, 3), (3, 2), tx, ty) for tx in (False, True) for ty in (False, True)],
        case((2, 3), (5, 3, 2), ty=True), case((2, 1, 2, 3), (3, 3, 1), tx=True), case((2, 2, 3), (2, 3, 2)),
        case((1, 1), (1, 1)), case((2, 0), (0, 3)), case((0, 2, 3), (3, 1)),
    ]  # fmt: skip


def _matmul_reference(x: Any, y: Any, *, transpose_x: bool, transpose_y: bool) -> Any:
    return np.matmul(np.swapaxes(x, -1, -2) if transpose_x else x, np.swapaxes(y, -1, -2) if transpose_y else y)


def _batch_matmul(p: Primitive, xs: tuple, batched: tuple[bool, ...], attrs: dict[str, Any]) -> Any:
    """A batch of vectors with one matrix is one product of matrices, not many with a vector."""
    x, y = xs
    if batched == (False, True) and len(x._shape) == 2 and len(y._shape) == 3:
        n, k = y._shape[0], y._shape[-1 if attrs["transpose_y"] else -2]
        if y._shape[-2 if attrs["transpose_y"] else -1] == 1:
            rows = st.reshape(y, shape=(n, k))
            out = product[False, not attrs["transpose_x"]](rows, x)
            return st.reshape(out, shape=(*out._shape, 1))
    if batched == (True, False) and len(y._shape) == 2 and len(x._shape) == 3:
        n, k = x._shape[0], x._shape[-2 if attrs["transpose_x"] else -1]
        if x._shape[-1 if attrs["transpose_x"] else -2] == 1:
            out = product[False, attrs["transpose_y"]](st.reshape(x, shape=(n, k)), y)
            return st.reshape(out, shape=(n, 1, out._shape[1]))
    return ew.batch_elementwise(p, xs, batched, attrs)


matmul = Primitive(
    "matmul", "x y", _matmul, shape=_matmul_shape, grad=(_matmul_dx, _matmul_dy), accepts=NUMERIC, broadcasts=True, multilinear=True, batch=_batch_matmul,
    cases=_matmul_cases, reference=_matmul_reference, tf="MatMul",
    doc="The product of matrices, or of batches of them whose batch dimensions broadcast. Either may be transposed first.",
)  # fmt: skip
product = {(tx, ty): Given(matmul, transpose_x=tx, transpose_y=ty) for tx in (False, True) for ty in (False, True)}

# -- Einstein summation ------------------------------------------------------------------------------------------------------
# `equation` is explicit and bare: one letter for each dimension, no spaces, no ellipsis, an arrow, no letter twice in the output.

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


@lru_cache(maxsize=4096)
def _parse(equation: str) -> tuple[tuple[str, ...], str]:
    """The operands' labels, and the output's."""
    left, out = equation.split("->")
    return tuple(left.split(",")), out


def _unique(labels: str) -> str:
    return "".join(dict.fromkeys(labels))


def _sizes(terms: tuple[str, ...], shapes: tuple[tuple, ...]) -> dict[str, Any]:
    """The length of each label's dimension; None where no operand knows it."""
    if len(terms) != len(shapes):
        raise invalid(f"einsum: the equation has {len(terms)} operands, but {len(shapes)} tensors are given.")
    sizes: dict[str, Any] = {}
    for n, (term, shape) in enumerate(zip(terms, shapes, strict=True)):
        if len(term) != len(shape):
            raise invalid(
                f"Expected input {n} to have rank {len(term)} but got: {len(shape)} (shape {dims_text(shape)} for {term!r})."
            )
        for axis, (label, d) in enumerate(zip(term, shape, strict=True)):
            want = sizes.get(label)
            if want is None:
                sizes[label] = d
            elif d is not None and d != want:
                raise invalid(f"Expected dimension {want} at axis {axis} of the input shaped {dims_text(shape)} but got dimension {d}: "
                              f"the label {label!r} stands for both.")  # fmt: skip
    return sizes


def _einsum_shape(*xs: Aval, equation: str) -> Aval:
    terms, out = _parse(equation)
    sizes = _sizes(terms, tuple(x.shape for x in xs))
    for n, x in enumerate(xs):
        if x.dtype is not xs[0].dtype:
            raise invalid(_mixed("Einsum", n, xs[0].dtype, x.dtype))
    if not set(out) <= set(sizes) or len(_unique(out)) != len(out):
        raise invalid(
            f"einsum: each label of the output must stand in an operand, and once in the output: {equation!r}."
        )
    return Aval(tuple(sizes[label] for label in out), xs[0].dtype)


def _einsum(*xs: Any, equation: str) -> Any:
    t = xs[0].dtype
    for x in xs:
        if x.dtype != t:
            raise ValueError("mixed dtypes")
    live = list(xs)
    for i, j, f in _program(equation, tuple([x.shape for x in xs]), t.kind in "iu"):
        if j is None:
            live[i] = f(live[i])
        else:
            y = live.pop(j)
            live.append(f(live.pop(i), y))
    return live[0][()]


@lru_cache(maxsize=1024)
def _program(equation: str, shapes: tuple[Shape, ...], integers: bool) -> list[tuple[int, int | None, Callable]]:
    """The steps of an einsum: (i, None, f) puts f(operand i) in its place, (i, j, f) takes operands i < j away and appends f of both."""
    terms, out = _parse(equation)
    sizes = _sizes(terms, shapes)
    live = list(terms)
    steps: list[tuple[int, int | None, Callable]] = []
    for n, term in enumerate(terms):
        live[n], f = _alone(term, keep="".join(live[:n]) + "".join(live[n + 1 :]) + out)
        if f is not None:
            steps.append((n, None, f))
    for i, j in _path(live, out, sizes)[1]:
        b, a = live.pop(j), live.pop(i)
        labels, g = _pair(a, b, "".join(live) + out, out, sizes, integers)
        live.append(labels)
        steps.append((i, j, g))
    if live[0] != out:
        perm = tuple(live[0].index(label) for label in out)
        steps.append((0, None, lambda x: x.transpose(perm)))
    return steps


def _path(terms: list[str], out: str, sizes: dict[str, int]) -> tuple[float, list[tuple[int, int]]]:
    """The multiplications of the cheapest order in which to contract, two operands at a time, and that order.

    The two are taken away and their product put at the end. With more than five operands, the cheapest pair goes first.
    """
    if len(terms) == 1:
        return 0, []
    options = []
    for i, j in combinations(range(len(terms)), 2):
        rest = terms[:i] + terms[i + 1 : j] + terms[j + 1 :]
        labels = _unique(terms[i] + terms[j])
        product = "".join(label for label in labels if label in out or any(label in t for t in rest))
        options.append((math.prod(sizes[label] for label in labels), i, j, [*rest, product]))
    best: tuple[float, list[tuple[int, int]]] = (math.inf, [])
    for cost, i, j, then in options if len(terms) <= 5 else [min(options)]:
        later, path = _path(then, out, sizes)
        best = min(best, (cost + later, [(i, j), *path]))
    return best


def _alone(term: str, keep: str) -> tuple[str, Callable | None]:
    """What can be done to one operand by itself: take diagonals where a label repeats, sum over labels that are not in ``keep``."""
    labels = _unique(term)
    kept = "".join(label for label in labels if label in keep)
    axes = tuple(i for i, label in enumerate(labels) if label not in keep)
    if labels == term:
        return kept, (lambda x: np.add.reduce(x, axis=axes, dtype=x.dtype)) if axes else None
    diagonals = f"{term}->{labels}"
    if not axes:
        return kept, lambda x: np.einsum(diagonals, x)  # a view
    return kept, lambda x: np.add.reduce(np.einsum(diagonals, x), axis=axes, dtype=x.dtype)


def _pair(a: str, b: str, keep: str, out: str, sizes: dict[str, int], integers: bool) -> tuple[str, Callable]:
    """Two operands into one, summed over the labels they share that are not in ``keep``; gives its labels and the function."""
    shared = [label for label in a if label in b]
    summed = "".join(label for label in shared if label not in keep)
    if not summed:
        labels = "".join(sorted(_unique(a + b), key=lambda label: (label not in out, out.find(label))))
        left, right = (_arrange(t, [label if label in t else "" for label in labels], sizes) for t in (a, b))
        return labels, lambda x, y: left(x) * right(y)
    batch = "".join(label for label in shared if label in keep)
    mine, yours = ("".join(label for label in t if label not in shared) for t in (a, b))
    labels = batch + mine + yours
    if integers or (batch and not mine and not yours):
        direct = f"{a},{b}->{labels}"
        return labels, lambda x, y: np.einsum(direct, x, y)
    if math.prod(sizes[label] for label in b) > math.prod(sizes[label] for label in a):
        summed = "".join(label for label in b if label in summed)  # in the order that spares the larger one a copy
    # without a batch, `dot` of a vector where an operand has no labels of its own; with one, stacks of matrices
    left = _arrange(a, [*batch, *([mine] if mine or batch else []), summed], sizes)
    right = _arrange(b, [*batch, summed, *([yours] if yours or batch else [])], sizes)
    product = _stacks if batch else _dot
    if (
        len(mine) > 1 or len(yours) > 1 or (batch and not (mine and yours))
    ):  # part the merged dimensions, drop the new ones
        shape = tuple(sizes[label] for label in labels)
        return labels, lambda x, y: product(left(x), right(y)).reshape(shape)
    return labels, lambda x, y: product(left(x), right(y))


def _dot(x: Any, y: Any) -> Any:
    return x.dot(y)


def _arrange(labels: str, groups: list[str], sizes: dict[str, int]) -> Callable:
    """A function that brings an array with dimensions ``labels`` into one dimension for each group: merged, or new where empty."""
    order = "".join(groups)
    perm = tuple(labels.index(label) for label in order)
    turned = order != labels
    if all(len(group) == 1 for group in groups):
        return (lambda x: x.transpose(perm)) if turned else lambda x: x
    shape = tuple(math.prod(sizes[label] for label in group) for group in groups)
    return (lambda x: x.transpose(perm).reshape(shape)) if turned else lambda x: np.reshape(x, shape)


@lru_cache(maxsize=4096)
def _adjoint(equation: str, i: int) -> tuple[str, str, str]:
    """For operand ``i``: the einsum of the cotangent and the other operands, the labels it yields, and those of the operand, each once."""
    terms, out = _parse(equation)
    others = terms[:i] + terms[i + 1 :]
    known = set(out).union(*others)
    wanted = _unique(terms[i])
    got = "".join(label for label in wanted if label in known)
    return f"{','.join((out, *others))}->{got}", got, wanted


def _einsum_grad(g: Any, xs: tuple, i: int, shapes: tuple, equation: str) -> Any:
    """The einsum with g in the operand's place; spread over labels that were summed away, laid on the diagonal of repeated ones."""
    adjoint, got, labels = _adjoint(equation, i)
    term = _parse(equation)[0][i]
    size = dict(zip(term, shapes[i], strict=True))
    d = einsum(g, *xs[:i], *xs[i + 1 :], equation=adjoint)
    if got != labels:
        d = st.reshape(d, shape=tuple(size[label] if label in got else 1 for label in labels))
        d = st.broadcast_to(d, shape=tuple(size[label] for label in labels))
    if labels == term:
        return d
    for label in labels:
        times = term.count(label)
        if times > 1:
            at, n = labels.index(label), size[label]
            labels = labels[:at] + labels[at + 1 :] + label * times
            others = [j for j in range(len(d._shape)) if j != at]
            d = _on_diagonal(st.transpose(d, perm=(*others, at)), n, times)
    # equal labels are interchangeable, so a label's k-th place here may serve as its k-th place there
    places = {label: [j for j, other in enumerate(labels) if other == label] for label in size}
    return st.transpose(d, perm=tuple(places[label].pop(0) for label in term))


def _on_diagonal(x: Any, n: int, times: int) -> Any:
    """The last dimension, of length ``n``, laid on the diagonal of ``times`` dimensions of that length."""
    batch = x._shape[:-1]
    stride = sum(n**p for p in range(times))
    flat = indexing.unslice(x, shape=(*batch, n**times), index=(slice(None),) * len(batch) + (slice(0, None, stride),))
    return st.reshape(flat, shape=batch + (n,) * times)


def _batch_einsum(p: Primitive, xs: tuple, batched: tuple[bool, ...], attrs: dict[str, Any]) -> Any:
    terms, out = _parse(attrs["equation"])
    new = next(label for label in LETTERS if label not in attrs["equation"])
    terms = tuple(new + t if b else t for t, b in zip(terms, batched, strict=True))
    return p(*xs, equation=f"{','.join(terms)}->{new}{out}")


def _einsum_cases(rng: Any) -> list:
    size = dict(zip("abcdijkl", (2, 1, 3, 2, 2, 3, 4, 2), strict=True))

    def case(equation: str, **other: int) -> tuple:
        sizes = {**size, **other}
        shapes = [tuple(sizes[label] for label in t) for t in _parse(equation)[0]]
        return tuple(rng.uniform(-2, 2, s)[()] for s in shapes), {"equation": equation}

    return [case(e) for e in (
        "ij,jk->ik", "ji,jk->ki", "ij,kj->ki", "i,i->", "ij,j->i", "j,ij->i", "ij,ij->", "ij,ji->", "ai,ai->a", "aij,ajk->aik", "iaj,jka->kai",
        "ijk,kjl->li", "ijk,jkl->il", "acij,ckla->lkc", "ijk,kl->ijl", "i,j->ij", "ij,j->ij", "aij,a->jia", ",i->i", ",->", "->", "ij->ji", "ij->", "ij->j",
        "ii->i", "ii->", "iji->j", "iij,ik->kj", "iii->i", "ij,kl->ik", "iijj->ji", "ijj,jkk->ik", "ij,jk,kl->il", "ij,j,jk->ik", "ai,aj,ak->aijk",
        "i,i,i,i,i->", "ab,bc,cd,di,ij->aj",
    )] + [case("ij,jk->ik", j=0), case("ii->", i=0), case("ij,jk,kl->il", i=0), case("ii,ij->j", i=1)]  # fmt: skip


einsum = Primitive(
    "einsum", "*xs", _einsum, shape=_einsum_shape, grad=_einsum_grad, accepts=NUMERIC, multilinear=True, batch=_batch_einsum, cases=_einsum_cases,
    reference=lambda *xs, equation: np.einsum(equation, *xs), doc="Products of tensors' elements, summed as an equation of labels says.",
)  # fmt: skip
