"""Structural primitives: shape changes, joining and parting, padding, order, casts, constants made from a tensor's form."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..ground.dtypes import (
    ANY,
    BOOL,
    FLOAT,
    INT,
    NUMERIC,
    STORAGE,
    DType,
    bool_,
    complex128,
    float32,
    float64,
    int32,
    int64,
    uint8,
)
from ..ground.errors import InvalidArgumentError, invalid
from ..ground.primitive import Aval, Primitive
from ..ground.shapes import TensorShape, check_axes, check_axis, dims_text

Shape = tuple[int, ...]


def _some(rng: Any, *shape: int) -> np.ndarray:
    return rng.uniform(-3, 3, shape)


def _array(x: Any) -> Any:
    """``x`` as NumPy takes it: a string as an array of one object, for NumPy's own strings lose zero bytes at the end."""
    if type(x) is not bytes:
        return x
    a = np.empty((), object)
    a[()] = x
    return a


# -- one tensor, same elements -------------------------------------------------------------------------------------------


def _reshape(x: Any, *, shape: tuple) -> Any:
    if not shape:
        return np.reshape(x, shape)[()]
    try:
        return np.reshape(_array(x), shape)
    except TypeError:
        if None not in shape:
            raise
    return np.reshape(_array(x), [-1 if d is None else d for d in shape])


def _reshape_shape(x: Aval, *, shape: tuple) -> Aval:
    if shape.count(None) > 1:
        raise TypeError(f"a reshape to {dims_text(shape)}: only one dimension may be what remains")
    if None not in x.shape and None not in shape and math.prod(x.shape) != math.prod(shape):
        raise invalid(
            f"Input to reshape is a tensor with {math.prod(x.shape)} values (shape {dims_text(x.shape)}), but the requested shape {dims_text(shape)} has {math.prod(shape)}."
        )
    return Aval(shape, x.dtype)


def _reshape_settled(xs: list, attrs: dict) -> list | None:
    """With the size of the open dimension."""
    shape, have = attrs["shape"], xs[0]._shape
    if None not in shape or None in have:
        return None
    rest = math.prod([d for d in shape if d is not None])
    if not rest or math.prod(have) % rest:
        raise invalid(
            f"Input to reshape is a tensor with {math.prod(have)} values (shape {dims_text(have)}), but the requested shape requires a multiple of {rest}."
        )
    return [reshape(xs[0], shape=tuple([math.prod(have) // rest if d is None else d for d in shape]))]


reshape = Primitive(
    "reshape", "x", _reshape, settle=_reshape_settled, open_shape=True,
    shape=_reshape_shape, grad=(lambda g, x_shape: reshape(g, shape=x_shape),), linear=True,
    batch=lambda p, xs, batched, attrs: p(xs[0], shape=xs[0]._shape[:1] + attrs["shape"]),
    cases=lambda rng: [((_some(rng, 2, 3),), {"shape": (3, 2)}), ((_some(rng, 1),), {"shape": ()}), ((_some(rng),), {"shape": (1, 1)}), ((_some(rng, 0, 2),), {"shape": (2, 0)})],
    doc="The same elements in row-major order under another shape.",
)  # fmt: skip


def _transpose_shape(x: Aval, *, perm: Shape) -> Aval:
    if sorted(perm) != list(range(x.ndim)):
        raise invalid(
            f"perm {list(perm)} is no permutation of the {x.ndim} dimensions of a tensor of shape {dims_text(x.shape)}."
        )
    return Aval(tuple(x.shape[p] for p in perm), x.dtype)


def _inverse(perm: Shape) -> Shape:
    out = [0] * len(perm)
    for i, p in enumerate(perm):
        out[p] = i
    return tuple(out)


transpose = Primitive(
    "transpose", "x", lambda x, *, perm: np.transpose(x, perm) if perm else _require_scalar(x),
    shape=_transpose_shape, grad=(lambda g, perm: transpose(g, perm=_inverse(perm)),), linear=True,
    batch=lambda p, xs, batched, attrs: p(xs[0], perm=(0, *(q + 1 for q in attrs["perm"]))),
    cases=lambda rng: [((_some(rng, 2, 3),), {"perm": (1, 0)}), ((_some(rng, 2, 3, 4),), {"perm": (2, 0, 1)}), ((_some(rng),), {"perm": ()})],
    doc="The dimensions in another order.",
)  # fmt: skip


def _require_scalar(x: Any) -> Any:
    if np.ndim(x):
        raise ValueError("axes don't match array")
    return x


def _broadcast_to_shape(x: Aval, *, shape: Shape) -> Aval:
    pad = len(shape) - x.ndim
    if pad < 0 or any(d not in (1, t, None) for d, t in zip(x.shape, shape[pad:], strict=True)):
        raise invalid(f"A tensor of shape {dims_text(x.shape)} does not broadcast to {dims_text(shape)}.")
    return Aval(shape, x.dtype)


def _batch_broadcast_to(p: Primitive, xs: tuple, batched: tuple, attrs: dict) -> Any:
    (x,), shape = xs, attrs["shape"]
    n, *dims = x._shape
    return p(reshape(x, shape=(n,) + (1,) * (len(shape) - len(dims)) + tuple(dims)), shape=(n, *shape))


broadcast_to = Primitive(
    "broadcast_to", "x", lambda x, *, shape: np.broadcast_to(_array(x), shape) if shape else _require_scalar(x),
    shape=_broadcast_to_shape, grad=(lambda g, x_shape: reduction.sum_to(g, x_shape),), linear=True, batch=_batch_broadcast_to,
    cases=lambda rng: [((_some(rng, 3),), {"shape": (2, 3)}), ((_some(rng),), {"shape": (2,)}), ((_some(rng, 2, 1),), {"shape": (4, 2, 3)})],
    doc="The tensor repeated along new and length-1 dimensions to fill a shape.",
)  # fmt: skip

reverse = Primitive(
    "reverse", "x", lambda x, *, axis: np.flip(x, axis) if axis else x, shape=lambda x, *, axis: (check_axes(axis, x.ndim), x)[1],
    grad=(lambda g, axis: reverse(g, axis=axis),), linear=True,
    batch=lambda p, xs, batched, attrs: p(xs[0], axis=tuple(a + 1 for a in attrs["axis"])),
    cases=lambda rng: [((_some(rng, 2, 3),), {"axis": (1,)}), ((_some(rng, 2, 3),), {"axis": (0, 1)})],
    tf="ReverseV2", doc="The elements in opposite order along the given axes.",
)  # fmt: skip

roll = Primitive(
    "roll", "x", lambda x, *, shift, axis: np.roll(x, shift, axis), shape=lambda x, *, shift, axis: ([check_axis(a, x.ndim) for a in axis], x)[1],
    grad=(lambda g, shift, axis: roll(g, shift=tuple(-s for s in shift), axis=axis),), linear=True,
    batch=lambda p, xs, batched, attrs: p(xs[0], shift=attrs["shift"], axis=tuple(a + 1 for a in attrs["axis"])),
    cases=lambda rng: [((_some(rng, 5),), {"shift": (2,), "axis": (0,)}), ((_some(rng, 2, 3),), {"shift": (1, -1), "axis": (0, 1)})],
    doc="The elements shifted along the given axes, those that fall off coming in at the other end.",
)  # fmt: skip


def _times(repeats: int | Shape, n: int | None) -> int | None:
    return sum(repeats) if not isinstance(repeats, int) else None if n is None else n * repeats


def _repeat_shape(x: Aval, *, repeats: int | Shape, axis: int) -> Aval:
    a = check_axis(axis, x.ndim)
    if not isinstance(repeats, int) and x.shape[a] not in (len(repeats), None):
        raise invalid(
            f"repeats must be one number or {x.shape[a]}, one for each element of axis {a} of a tensor of shape {dims_text(x.shape)}, but there are {len(repeats)}."
        )
    return Aval(x.shape[:a] + (_times(repeats, x.shape[a]),) + x.shape[a + 1 :], x.dtype)


def _sum_repeats_shape(g: Aval, *, n: int, repeats: int | Shape, axis: int) -> Aval:
    a = check_axis(axis, g.ndim)
    if g.shape[a] not in (_times(repeats, n), None):
        raise invalid(
            f"{n} slices repeated {repeats} times are {_times(repeats, n)}, not the {g.shape[a]} of axis {a} of a tensor of shape {dims_text(g.shape)}."
        )
    return Aval(g.shape[:a] + (n,) + g.shape[a + 1 :], g.dtype)


def _sum_repeats(g: Any, *, n: int, repeats: int | Shape, axis: int) -> Any:
    if g.shape[axis] != _times(repeats, n):
        raise ValueError("not what repeat gives")
    if isinstance(repeats, int):
        return np.add.reduce(g.reshape(g.shape[:axis] + (n, repeats) + g.shape[axis + 1 :]), axis + 1, dtype=g.dtype)
    # reduceat sums from each start to the next; an element that is repeated no times has no start of its own
    out = np.zeros(g.shape[:axis] + (n,) + g.shape[axis + 1 :], g.dtype)
    counts = np.asarray(repeats)
    some = counts > 0
    if some.any():
        out[(slice(None),) * axis + (some,)] = np.add.reduceat(
            g, (np.cumsum(counts) - counts)[some], axis, dtype=g.dtype
        )
    return out


repeat = Primitive(
    "repeat", "x", lambda x, *, repeats, axis: np.repeat(x, repeats, axis), shape=_repeat_shape, linear=True, batch=lambda p, xs, batched, attrs: p(xs[0], **{**attrs, "axis": attrs["axis"] + 1}),
    grad=(lambda g, x_shape, repeats, axis: sum_repeats(g, n=x_shape[axis], repeats=repeats, axis=axis),),
    cases=lambda rng: [((_some(rng, 2, 3),), {"repeats": 2, "axis": 1}), ((_some(rng, 2, 3),), {"repeats": (2, 0, 3), "axis": 1}), ((_some(rng, 2),), {"repeats": (1, 2), "axis": 0})],
    doc="Each slice along an axis repeated: all of them equally often, or each its own number of times.",
)  # fmt: skip
sum_repeats = Primitive(
    "sum_repeats", "g", _sum_repeats, shape=_sum_repeats_shape, accepts=NUMERIC, linear=True,
    grad=(lambda g, repeats, axis: repeat(g, repeats=repeats, axis=axis),), batch=lambda p, xs, batched, attrs: p(xs[0], **{**attrs, "axis": attrs["axis"] + 1}),
    cases=lambda rng: [((_some(rng, 2, 6),), {"n": 3, "repeats": 2, "axis": 1}), ((_some(rng, 5, 2),), {"n": 3, "repeats": (2, 0, 3), "axis": 0})],
    doc="The sums of the slices that ``repeat`` made from one: its adjoint.",
)  # fmt: skip

# -- several tensors -----------------------------------------------------------------------------------------------------


def _all_batched(xs: tuple, batched: tuple) -> list:
    """The inputs with the batch dimension added where it is missing."""
    n = next(x._shape[0] for x, b in zip(xs, batched, strict=True) if b)
    return [x if b else broadcast_to(x, shape=(n, *x._shape)) for x, b in zip(xs, batched, strict=True)]


def _shift_axis(p: Primitive, xs: tuple, batched: tuple, attrs: dict) -> Any:
    """The batch rule of rows whose attribute ``axis`` is one non-negative int."""
    return p(*_all_batched(xs, batched), **{**attrs, "axis": attrs["axis"] + 1})


def _concat_shape(*xs: Aval, axis: int) -> Aval:
    first = xs[0]
    for x in xs:
        if x.ndim != first.ndim or x.ndim == 0:
            raise invalid(
                f"concat needs tensors of one rank, at least 1: got shapes {', '.join(dims_text(x.shape) for x in xs)}."
            )
    a = check_axis(axis, first.ndim)
    for x in xs:
        if x.dtype is not first.dtype:
            raise invalid(f"concat needs tensors of one dtype: got {first.dtype.name} and {x.dtype.name}.")
        if any(
            d != e and None not in (d, e) for i, (d, e) in enumerate(zip(x.shape, first.shape, strict=True)) if i != a
        ):
            raise invalid(
                f"Dimensions of inputs should match except on axis {a}: got shapes {', '.join(dims_text(x.shape) for x in xs)}."
            )
    total = None if any(x.shape[a] is None for x in xs) else sum(x.shape[a] for x in xs)
    return Aval(first.shape[:a] + (total,) + first.shape[a + 1 :], first.dtype)


def _concat_grad(g: Any, i: int, shapes: tuple, axis: int) -> Any:
    start = sum(s[axis] for s in shapes[:i])
    return indexing.along(g, axis, start, start + shapes[i][axis])


concat = Primitive(
    "concat", "*xs", lambda *xs, axis: np.concatenate(xs, axis, casting="no"), shape=_concat_shape, grad=_concat_grad, linear=True, batch=_shift_axis,
    cases=lambda rng: [((_some(rng, 2, 3), _some(rng, 1, 3)), {"axis": 0}), ((_some(rng, 2, 1), _some(rng, 2, 2), _some(rng, 2, 3)), {"axis": 1})],
    tf="ConcatV2", doc="The tensors joined along an axis.",
)  # fmt: skip


def _stack_shape(*xs: Aval, axis: int) -> Aval:
    shape, dtype = TensorShape(xs[0].shape), xs[0].dtype
    for x in xs:
        if not shape.is_compatible_with(x.shape) or x.dtype is not dtype:
            raise invalid(f"stack needs tensors of one shape and dtype: got {', '.join(map(repr, xs))}.")
        shape = shape.merge_with(x.shape)
    a = check_axis(axis, xs[0].ndim + 1)
    return Aval((*shape[:a], len(xs), *shape[a:]), dtype)


stack = Primitive(
    "stack", "*xs", lambda *xs, axis: np.stack([_array(x) for x in xs], axis, casting="no"), shape=_stack_shape, grad=lambda g, i, axis: indexing.take_one(g, axis, i), linear=True, batch=_shift_axis,
    cases=lambda rng: [((_some(rng, 2, 3), _some(rng, 2, 3)), {"axis": 1}), ((_some(rng), _some(rng)), {"axis": 0})],
    tf="Pack", doc="The tensors stacked along a new axis.",
)  # fmt: skip


def _unstack(x: Any, *, axis: int) -> tuple:
    return tuple(np.moveaxis(x, axis, 0))


def _unstack_shape(x: Aval, *, axis: int) -> list[Aval]:
    a = check_axis(axis, x.ndim)
    if x.shape[a] is None:
        raise invalid(
            f"Cannot unstack along axis {a} of a tensor of shape {dims_text(x.shape)}: its length is unknown."
        )
    return [Aval(x.shape[:a] + x.shape[a + 1 :], x.dtype)] * x.shape[a]


def _unstack_grad(g: tuple, axis: int) -> Any:
    like = next(c for c in g if c is not None)
    return stack(*[zeros_like(like) if c is None else c for c in g], axis=axis)


unstack = Primitive(
    "unstack", "x", _unstack, shape=_unstack_shape, grad=(_unstack_grad,), multi=True, linear=True, batch=_shift_axis,
    cases=lambda rng: [((_some(rng, 2, 3),), {"axis": 0}), ((_some(rng, 2, 3),), {"axis": 1}), ((_some(rng, 3),), {"axis": 0})],
    tf="Unpack", doc="The slices of a tensor along an axis, as a list.",
)  # fmt: skip


def _split(x: Any, *, sizes: Shape, axis: int) -> tuple:
    if sum(sizes) != x.shape[axis]:
        raise ValueError("sizes do not add up")
    return tuple(np.split(x, np.cumsum(sizes)[:-1], axis))


def _split_shape(x: Aval, *, sizes: Shape, axis: int) -> list[Aval]:
    a = check_axis(axis, x.ndim)
    if x.shape[a] is not None and sum(sizes) != x.shape[a]:
        raise invalid(
            f"The sizes {list(sizes)} add up to {sum(sizes)}, but axis {a} of the tensor of shape {dims_text(x.shape)} has {x.shape[a]}."
        )
    return [Aval(x.shape[:a] + (s,) + x.shape[a + 1 :], x.dtype) for s in sizes]


def _split_grad(g: tuple, x_shape: Shape, sizes: Shape, axis: int) -> Any:
    like = next(c for c in g if c is not None)
    parts = [
        zeros_of(like, shape=x_shape[:axis] + (n,) + x_shape[axis + 1 :]) if c is None else c
        for c, n in zip(g, sizes, strict=True)
    ]
    return concat(*parts, axis=axis)


split = Primitive(
    "split", "x", _split, shape=_split_shape, grad=(_split_grad,), multi=True, linear=True, batch=_shift_axis,
    cases=lambda rng: [((_some(rng, 4, 3),), {"sizes": (1, 3), "axis": 0}), ((_some(rng, 2, 6),), {"sizes": (2, 2, 2), "axis": 1})],
    tf="SplitV", doc="The tensor parted along an axis into pieces of the given sizes.",
)  # fmt: skip


def _pad_shape(x: Aval, *, paddings: tuple[tuple[int, int], ...], value: float) -> Aval:
    if len(paddings) != x.ndim:
        raise invalid(f"paddings must have one row for each of the {x.ndim} dimensions, but has {len(paddings)}.")
    if any(p < 0 for pair in paddings for p in pair):
        raise invalid(f"Paddings must be non-negative: got {[list(p) for p in paddings]}.")
    return Aval(tuple(None if d is None else d + a + b for d, (a, b) in zip(x.shape, paddings, strict=True)), x.dtype)


def _pad(x: Any, *, paddings: tuple[tuple[int, int], ...], value: Any) -> Any:
    if len(paddings) != np.ndim(x):  # np.pad would use one row for all dimensions
        raise ValueError("one row for each dimension")
    if type(x) is not np.ndarray:
        return x
    if x.dtype.kind == "O" and type(value) is not bytes:
        value = b""
    out = np.full([a + d + b for d, (a, b) in zip(x.shape, paddings, strict=True)], value, x.dtype)
    out[tuple([slice(a, a + d) for d, (a, _) in zip(x.shape, paddings, strict=True)])] = x
    return out


def _pad_grad(g: Any, x_shape: Shape, paddings: tuple) -> Any:
    return indexing.strided_slice(
        g, index=tuple(slice(a, a + d, 1) for d, (a, _) in zip(x_shape, paddings, strict=True))
    )


pad = Primitive(
    "pad", "x", _pad, shape=_pad_shape, grad=(_pad_grad,),  # affine: linear only where the value is 0
    jvp=lambda xs, ts, outs, attrs: [pad(ts[0], paddings=attrs["paddings"], value=0)],
    batch=lambda p, xs, batched, attrs: p(xs[0], paddings=((0, 0), *attrs["paddings"]), value=attrs["value"]),
    cases=lambda rng: [((_some(rng, 2, 3),), {"paddings": ((1, 0), (0, 2)), "value": 0.0}), ((_some(rng, 2),), {"paddings": ((0, 3),), "value": 0.0})],
    tf="PadV2", doc="The tensor with a constant added before and after along each axis.",
)  # fmt: skip

# -- dtype and constants -------------------------------------------------------------------------------------------------


def _cast(x: Any, *, dtype: DType, source: DType) -> Any:
    if source.is_complex and not dtype.is_complex:
        x = x.real
    if dtype.kind == BOOL:
        return np.not_equal(x, 0)
    return x.astype(dtype.np)


cast_p = Primitive(
    "cast", "x", _cast, shape=lambda x, *, dtype, source: Aval(x.shape, dtype), accepts=NUMERIC | BOOL | STORAGE, out="kernel", holomorphic=False, linear=True, widen=False,
    grad=(lambda g, source: cast(g, source) if source.is_inexact else None,),
    batch=lambda p, xs, batched, attrs: p(xs[0], **attrs),
    cases=lambda rng: [((_some(rng, 2, 3),), {"dtype": d, "source": float64}) for d in (float64, float32, complex128, int32, bool_)]
    + [((_some(rng),), {"dtype": complex128, "source": float64})],
    doc="The tensor with its elements converted to another dtype.",
)  # fmt: skip


def cast(x: Any, dtype: DType) -> Any:
    """``x`` itself where it has the dtype already."""
    return x if x._d is dtype else cast_p(x, dtype=dtype, source=x._d)


def _bitcast(x: Any, *, dtype: DType) -> Any:
    a = np.asarray(x)
    had, has = a.dtype.itemsize, dtype.np.itemsize
    if has < had:
        a = a[..., None]
    elif has > had and (not a.ndim or a.shape[-1] * had != has):
        raise ValueError("not the parts of one element")
    out = np.ascontiguousarray(a).view(dtype.np)
    return out[..., 0][()] if has > had else out.reshape(x.shape)[()] if has == had else out


def _bitcast_shape(x: Aval, *, dtype: DType) -> Aval:
    had, has = x.dtype.size, dtype.size
    if has < had:
        return Aval((*x.shape, had // has), dtype)
    if has > had and (not x.ndim or x.shape[-1] not in (has // had, None)):
        raise invalid(
            f"Cannot bitcast from {x.dtype.name} to {dtype.name}: the last dimension of shape {dims_text(x.shape)} must be {has // had}, the parts of one element."
        )
    return Aval(x.shape[:-1] if has > had else x.shape, dtype)


bitcast = Primitive("bitcast", "x", _bitcast, shape=_bitcast_shape, accepts=NUMERIC | STORAGE, out="kernel", widen=False, batch=lambda p, xs, batched, attrs: p(xs[0], **attrs),
                    cases=lambda rng: [((rng.integers(-99, 99, (3, 2), np.int32),), {"dtype": d}) for d in (int64, uint8, float32)] + [((np.int32(rng.integers(99)),), {"dtype": uint8})],
                    doc="The same bytes read as another dtype.")  # fmt: skip


def match(g: Any, x: Any) -> Any:
    """``g`` in the dtype of ``x``."""
    return cast(g, x._d)


def _same(x: Aval, **attrs: Any) -> Aval:
    return x


def _pointwise(p: Primitive, xs: tuple, batched: tuple, attrs: dict) -> Any:
    return p(xs[0], **attrs)


identity = Primitive("identity", "x", lambda x: x, shape=_same, grad=(lambda g: g,), linear=True, elementwise=True, passes=0, batch=_pointwise, domain=((-3, 3),),
                     label="Identity", doc="The same tensor, as a new node.")  # fmt: skip
stop_gradient = Primitive("stop_gradient", "x", lambda x: x, shape=_same, batch=_pointwise, elementwise=True, passes=0, domain=((-3, 3),),
                          doc="The same tensor, through which no gradient flows: it is None behind it.")  # fmt: skip


after = Primitive("after", "*xs", lambda *xs, n: xs[:n], shape=lambda *xs, n: list(xs[:n]), multi=True, linear=True, holomorphic=False,
                  joint=lambda g, wanted, xs, out, attrs: [g[i] if i < attrs["n"] else zeros_like(xs[i]) for i in wanted],
                  jvp=lambda xs, ts, outs, attrs: ts[: attrs["n"]],
                  batch=lambda p, xs, batched, attrs: p(*_all_batched(xs, batched), **attrs),
                  cases=lambda rng: [((_some(rng, 2), _some(rng), _some(rng, 3)), {"n": n}) for n in (1, 2)],
                  doc="The first n inputs, when the others are known: programs do not share what is computed from them with what was computed before.")  # fmt: skip
shape_of = Primitive("shape_of", "x", lambda x, *, dtype: np.array(np.shape(x), dtype.np), shape=lambda x, *, dtype: Aval((x.ndim,), dtype), out="kernel",
                     settle=lambda xs, attrs: None if None in xs[0]._shape else [np.array(xs[0]._shape, attrs["dtype"].np)],
                     cases=lambda rng: [((_some(rng, 2, 3),), {"dtype": int64}), ((_some(rng),), {"dtype": int64})],
                     tf="Shape", doc="The shape as a tensor, where it is not known before the operation runs.")  # fmt: skip


def assertion_text(condition: Any, data: tuple, message: str, labels: tuple[str, ...], summarize: int | None) -> str:
    """``message``, where the condition failed if it has the shape of all the data, and the first elements of each."""
    arrays = [np.asarray(_array(a)) for a in data]
    n = 3 if summarize is None else summarize
    lines = [message]
    if np.ndim(condition) and all(a.shape == condition.shape for a in arrays):
        where = np.argwhere(np.logical_not(condition))
        where = where[:n] if n >= 0 else where
        lines.append(f"Indices of first {len(where)} different values:\n{where}")
        lines += [
            f"Corresponding {label} values:\n{a[tuple(where.T)]}" for label, a in zip(labels, arrays, strict=True)
        ]
    for label, a in zip(labels, arrays, strict=True):
        head = a.ravel()[:n] if n >= 0 else a.ravel()
        lines.append(f"First {len(head)} elements of {label}:\n{head}")
    return "\n".join(lines)


def _assert_that(condition: Any, *data: Any, message: str, labels: tuple[str, ...], summarize: int | None) -> Any:
    if not np.all(condition):
        raise InvalidArgumentError(assertion_text(condition, data, message, labels, summarize))
    return condition


assert_that = Primitive("assert_that", "*xs", _assert_that, shape=lambda *xs, **attrs: xs[0], accepts=BOOL, effect=True,
                        cases=lambda rng: [((np.ones(3, bool), _some(rng, 3), _some(rng, 2)), {"message": "m", "labels": ("x", "y"), "summarize": None})],
                        tf="Assert", doc="The condition; an error that shows the data if it does not hold everywhere.")  # fmt: skip


def _like(value: int) -> Any:
    def kernel(x: Any) -> Any:
        if type(x) is np.ndarray:
            if x.dtype.kind == "O":
                return np.full(x.shape, b"", object)
            return np.zeros(x.shape, x.dtype) if value == 0 else np.ones(x.shape, x.dtype)
        return b"" if type(x) is bytes else x.dtype.type(value)

    return kernel


zeros_like = Primitive(
    "zeros_like",
    "x",
    _like(0),
    shape=_same,
    accepts=ANY,
    elementwise=True,
    batch=_pointwise,
    domain=((-3, 3),),
    doc="Zeros of the same shape and dtype.",
)
ones_like = Primitive(
    "ones_like",
    "x",
    _like(1),
    shape=_same,
    accepts=NUMERIC | BOOL | STORAGE,
    widen=False,
    elementwise=True,
    batch=_pointwise,
    domain=((-3, 3),),
    doc="Ones of the same shape and dtype.",
)
full_like = Primitive("full_like", "x", lambda x, *, value: np.full_like(x, value)[()], shape=_same, accepts=NUMERIC | BOOL | STORAGE, widen=False, batch=_pointwise,
                      cases=lambda rng: [((_some(rng, 2, 3),), {"value": 2.5})], doc="A constant of the same shape and dtype.")  # fmt: skip
zeros_of = Primitive("zeros_of", "x", lambda x, *, shape: np.zeros(shape, x.dtype)[()], shape=lambda x, *, shape: Aval(shape, x.dtype), accepts=NUMERIC | BOOL | STORAGE, widen=False,
                     batch=lambda p, xs, batched, attrs: p(xs[0], shape=xs[0]._shape[:1] + attrs["shape"]),
                     cases=lambda rng: [((_some(rng, 2),), {"shape": (3, 1)})], doc="Zeros of the same dtype and a given shape.")  # fmt: skip


def _range(start: Any, limit: Any, delta: Any) -> Any:
    if delta == 0:
        raise InvalidArgumentError(f"Requires delta != 0: {delta}")
    if delta > 0 and not start <= limit:
        raise InvalidArgumentError(f"Requires start <= limit when delta > 0: {start}/{limit}")
    if delta < 0 and not start >= limit:
        raise InvalidArgumentError(f"Requires start >= limit when delta < 0: {start}/{limit}")
    if delta.dtype.kind == "i":
        n = -((int(start) - int(limit)) // int(delta))
    else:
        count = np.ceil((np.float64(limit) - np.float64(start)) / np.float64(delta))
        if not count < 2**63:
            raise InvalidArgumentError(f"Requires (limit - start) / delta < 2**63: {start}, {limit}, {delta}")
        n = int(count)
    return start + np.arange(n).astype(delta.dtype) * delta


def _range_shape(start: Aval, limit: Aval, delta: Aval) -> Aval:
    if start.ndim or limit.ndim or delta.ndim:
        raise invalid(
            f"range takes scalars, but was given shapes {dims_text(start.shape)}, {dims_text(limit.shape)} and {dims_text(delta.shape)}."
        )
    return Aval((None,), start.dtype)


range_row = Primitive("range", "start limit delta", _range, shape=_range_shape, accepts=INT | FLOAT, dynamic=True,
                      cases=lambda rng: [((np.float64(0.5), np.float64(3.2), np.float64(0.7)), {})], doc="The numbers from start in steps of delta, up to limit and without it.")  # fmt: skip

# -- compositions that rules and public functions share --------------------------------------------------------------------


def expand_dims(x: Any, axis: int) -> Any:
    """``x`` with a length-1 dimension inserted at ``axis`` (non-negative)."""
    s = x._shape
    return reshape(x, shape=s[:axis] + (1,) + s[axis:])


def restore_axes(g: Any, x_shape: Shape, axis: Shape, keepdims: bool) -> Any:
    """A reduced tensor with its reduced dimensions back, at length 1."""
    return g if keepdims else reshape(g, shape=tuple(1 if i in axis else d for i, d in enumerate(x_shape)))


def spread(g: Any, x_shape: Shape, axis: Shape, keepdims: bool) -> Any:
    """A reduced tensor broadcast back over the dimensions it was reduced along."""
    return broadcast_to(restore_axes(g, x_shape, axis, keepdims), shape=x_shape)


from . import indexing, reduction  # noqa: E402  (their rows use the rules above)
