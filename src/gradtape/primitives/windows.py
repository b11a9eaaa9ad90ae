"""Windows: overlapping pieces along an axis, their sum back in place, and sequences turned round."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..ground.dtypes import ANY, NUMERIC
from ..ground.errors import InvalidArgumentError, invalid
from ..ground.primitive import Aval, Primitive
from ..ground.shapes import check_axis, dims_text
from . import indexing as ix
from . import structure as st


def span(size: int, rate: int) -> int:
    """How far a window of ``size`` elements reaches that stand ``rate`` apart."""
    return (size - 1) * rate + 1 if size else 0


def count(n: int, size: int, step: int, rate: int = 1) -> int:
    """How many windows fit into ``n`` elements."""
    reach = span(size, rate)
    return 0 if n < reach else (n - reach) // step + 1


def _windows(x: Any, *, axis: int, size: int, step: int, rate: int) -> Any:
    n = x.shape[axis]
    many = count(n, size, step, rate)
    if not many or not size:
        return np.zeros(x.shape[:axis] + (many, size) + x.shape[axis + 1 :], x.dtype)
    strides = x.strides
    own = strides[axis]
    shape = x.shape[:axis] + (many, size) + x.shape[axis + 1 :]
    view = np.lib.stride_tricks.as_strided(
        x, shape, strides[:axis] + (own * step, own * rate) + strides[axis + 1 :], writeable=False
    )
    return view.copy()


def _check(size: int, step: int, rate: int) -> None:
    if size < 0 or step < 1 or rate < 1:
        raise invalid(f"A window needs a size >= 0, a step >= 1 and a rate >= 1: got {size}, {step} and {rate}.")


def _windows_shape(x: Aval, *, axis: int, size: int, step: int, rate: int) -> Aval:
    a = check_axis(axis, x.ndim)
    if not x.ndim:
        raise invalid("Windows need at least one dimension, but the tensor has shape [].")
    _check(size, step, rate)
    n = x.shape[a]
    return Aval(x.shape[:a] + (None if n is None else count(n, size, step, rate), size) + x.shape[a + 1 :], x.dtype)


_FORMS = (
    ((7,), 0, 3, 2, 1),
    ((7,), 0, 2, 3, 1),
    ((2, 6), 1, 4, 1, 1),
    ((7, 2), 0, 3, 2, 2),
    ((2, 2, 3), 1, 2, 1, 1),
    ((2,), 0, 3, 1, 1),
)

windows = Primitive(
    "windows", "x", _windows, shape=_windows_shape, accepts=ANY, linear=True, holomorphic=False, batch=st._shift_axis,
    grad=(lambda g, x_shape, axis, step, rate: overlap_add(g, axis=axis, n=x_shape[axis], step=step, rate=rate),),
    cases=lambda rng: [((ix._some(rng, *s),), {"axis": a, "size": n, "step": t, "rate": r}) for s, a, n, t, r in _FORMS],
    doc="The windows of a size along an axis, one every so many steps, each a row of a new axis; their elements stand ``rate`` apart.",
)  # fmt: skip


def _overlap_add(x: Any, *, axis: int, n: int, step: int, rate: int) -> Any:
    many, size = x.shape[axis : axis + 2]
    if many and n < (many - 1) * step + span(size, rate):
        raise ValueError("too short")
    lead, tail = x.shape[:axis], x.shape[axis + 2 :]
    x = x.reshape(math.prod(lead), many, size, math.prod(tail))
    if rate == 1:
        # A window is cut into pieces of one step. The pieces of one number do not overlap, so each number is one addition.
        pieces = -(-size // step)
        blocks = np.zeros((len(x), max(many + pieces, -(-n // step)), step, x.shape[-1]), x.dtype)
        for q in range(pieces):
            piece = x[:, :, q * step : (q + 1) * step]
            blocks[:, q : q + many, : piece.shape[2]] += piece
        out = blocks.reshape(len(x), blocks.shape[1] * step, x.shape[-1])[:, :n]
    else:
        out = np.zeros((len(x), n, x.shape[-1]), x.dtype)
        for j in range(size if many else 0):
            out[:, j * rate : j * rate + (many - 1) * step + 1 : step] += x[:, :, j]
    return out.reshape(*lead, n, *tail)


def _overlap_add_shape(x: Aval, *, axis: int, n: int, step: int, rate: int) -> Aval:
    if axis + 2 > x.ndim:
        raise invalid(f"Windows stand in two dimensions from {axis} on, but the tensor has shape {dims_text(x.shape)}.")
    many, size = x.shape[axis : axis + 2]
    if None not in (many, size):
        _check(size, step, rate)
        if many and n < (many - 1) * step + span(size, rate):
            raise invalid(
                f"{many} windows of {size} elements, one every {step} steps, do not fit into {n}: shape {dims_text(x.shape)}."
            )
    return Aval(x.shape[:axis] + (n,) + x.shape[axis + 2 :], x.dtype)


def _overlap_add_grad(g: Any, x_shape: tuple[int, ...], axis: int, step: int, rate: int) -> Any:
    out = windows(g, axis=axis, size=x_shape[axis + 1], step=step, rate=rate)
    return out if out._shape == x_shape else ix.along(out, axis, 0, x_shape[axis])


overlap_add = Primitive(
    "overlap_add", "x", _overlap_add, shape=_overlap_add_shape, accepts=NUMERIC, linear=True, holomorphic=False, batch=st._shift_axis, grad=(_overlap_add_grad,),
    cases=lambda rng: [((_windows(ix._some(rng, *s), axis=a, size=n, step=t, rate=r),), {"axis": a, "n": s[a] + more, "step": t, "rate": r}) for s, a, n, t, r in _FORMS for more in (0, 5)],
    doc="Windows added up where they stand in ``n`` elements: the adjoint of windows.",
)  # fmt: skip

# -- sequences of unequal lengths --------------------------------------------------------------------------------------------


def _reverse_sequence(x: Any, lengths: Any, *, seq_axis: int, batch_axis: int) -> Any:
    ix._check_integer(lengths)
    lengths = np.asarray(lengths).astype(np.intp)
    if lengths.shape != (x.shape[batch_axis],):
        raise ValueError("one length for each sequence")
    n = x.shape[seq_axis]
    for i in np.flatnonzero((lengths < 0) | (lengths > n)):
        raise InvalidArgumentError(
            f"seq_lengths({i}) = {lengths[i]} is not in [0, {n}], the length of axis {seq_axis}."
        )
    j, m = np.arange(n), lengths[:, None]
    places = np.where(j < m, m - 1 - j, j)
    rows = np.moveaxis(x, (batch_axis, seq_axis), (0, 1))
    return np.moveaxis(rows[np.arange(len(rows))[:, None], places], (0, 1), (batch_axis, seq_axis))


def _reverse_sequence_shape(x: Aval, lengths: Aval, *, seq_axis: int, batch_axis: int) -> Aval:
    if not lengths.dtype.is_integer or lengths.ndim != 1:
        raise invalid(f"seq_lengths must be a vector of integers, but is {lengths!r}.")
    s, b = check_axis(seq_axis, x.ndim, "seq_axis"), check_axis(batch_axis, x.ndim, "batch_axis")
    if not x.ndim or s == b:
        raise invalid(
            f"seq_axis and batch_axis must be two axes of a tensor of rank {x.ndim}: got {seq_axis} and {batch_axis}."
        )
    if not ix.fitting(lengths.shape, (x.shape[b],)):
        raise invalid(
            f"seq_lengths must have one length for each of the {x.shape[b]} sequences along axis {b}, but has shape {dims_text(lengths.shape)}."
        )
    return x


def _batch_reverse_sequence(p: Primitive, xs: tuple, batched: tuple, attrs: dict) -> Any:
    s, b = attrs["seq_axis"] + 1, attrs["batch_axis"] + 1
    if not batched[1]:
        return p(*xs, seq_axis=s, batch_axis=b)
    # the two batches become one
    x, lengths = st._all_batched(xs, batched)
    perm = (0, b, *(a for a in range(1, len(x._shape)) if a != b))
    moved = st.transpose(x, perm=perm)
    n, m, *rest = moved._shape
    out = p(
        st.reshape(moved, shape=(n * m, *rest)),
        st.reshape(lengths, shape=(n * m,)),
        seq_axis=perm.index(s) - 1,
        batch_axis=0,
    )
    return st.transpose(st.reshape(out, shape=moved._shape), perm=st._inverse(perm))


reverse_sequence = Primitive(
    "reverse_sequence", "x lengths", _reverse_sequence, shape=_reverse_sequence_shape, accepts=ANY, linear=True, holomorphic=False, batch=_batch_reverse_sequence,
    grad=(lambda g, lengths, seq_axis, batch_axis: reverse_sequence(g, lengths, seq_axis=seq_axis, batch_axis=batch_axis), None),
    cases=lambda rng: [((ix._some(rng, *shape), rng.integers(0, shape[s] + 1, shape[b], np.int32)), {"seq_axis": s, "batch_axis": b})
                       for shape, s, b in (((3, 4), 1, 0), ((4, 3), 0, 1), ((2, 3, 4), 2, 0), ((2, 3, 4), 0, 1))],
    doc="The first so many elements of each sequence in opposite order, the others where they are.",
)  # fmt: skip
