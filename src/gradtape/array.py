"""The shape and the order of tensors: reshaping, joining and parting, repeating, padding."""

from __future__ import annotations

import math as _math
from typing import Any

import numpy as np

from .core.arguments import NoValue, alike, axis_of, dimensions, integer, integers, sized, vector
from .core.tensor import Tensor, convert
from .dtypes import bitcast, cast, saturate_cast
from .ground.dtypes import STRING, DType, as_dtype, int32, int64
from .ground.errors import invalid
from .ground.primitive import Aval
from .ground.shapes import TensorShape, broadcast, dims_text
from .primitives import elementwise as ew
from .primitives import indexing, reduction
from .primitives import structure as st
from .primitives.indexing import IndexedSlices

newaxis = None

# -- one tensor, same elements -------------------------------------------------------------------------------------------


@sized
def reshape(tensor: Any, shape: Any, name: str | None = None) -> Any:
    """The same elements, in row-major order, under another shape.

    Args:
        tensor: a Tensor, or anything that converts to one.
        shape: the new shape; one dimension may be -1, and is then what remains.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of shape ``shape``.

    Raises:
        InvalidArgumentError: the number of elements differs, or more than one dimension is -1.
        TypeError: ``shape`` is not made of integers.

    >>> import gradtape as tf
    >>> tf.reshape([1, 2, 3, 4], [2, -1]).numpy().tolist()
    [[1, 2], [3, 4]]
    """
    x = tensor if isinstance(tensor, Tensor) else convert(tensor)
    dims = dimensions(shape, least=-1)
    if x._special and hasattr(x, "flatten"):
        x.flatten()
    return st.reshape(x, shape=_resolve(dims, x._shape) if -1 in dims else dims)


def _reshaped(tensor: Any, shape: Any, name: str | None = None) -> list | None:
    """The form of a reshape by a traced vector: its length is the rank."""
    if not isinstance(shape, Tensor) or len(shape._shape) != 1 or shape._shape[0] is None:
        return None
    return [Aval((None,) * shape._shape[0], convert(tensor)._d)]


reshape.form = _reshaped  # type: ignore[attr-defined]


def _resolve(dims: tuple[int, ...], have: tuple) -> tuple:
    """``dims`` with the one -1 in it replaced by what remains of the elements of a tensor of shape ``have``."""
    at = dims.index(-1)
    if None in have and 0 not in dims and dims.count(-1) == 1:
        return (*dims[:at], None, *dims[at + 1 :])
    if -1 in dims[at + 1 :]:
        raise invalid(
            f"Only one input size may be -1, not both {at} and {dims.index(-1, at + 1)}: shape is {list(dims)}."
        )
    # where a 0 is asked for, it takes the place of the 0 in the tensor's own shape, and the others decide
    others = [d for d in dims if d > 0]
    n, known = _math.prod([d for d in have if d or 0 not in dims]), _math.prod(others)
    if n % known and not (0 in dims and 0 in have):
        raise invalid(
            f"Input to reshape is a tensor with {n} values (shape {dims_text(have)}), but the requested shape {list(dims)} requires a multiple of {known}."
        )
    return (*dims[:at], n // known, *dims[at + 1 :])


def transpose(a: Any, perm: Any = None, conjugate: bool = False, name: str | None = None) -> Any:
    """The dimensions in another order.

    Args:
        a: a Tensor, or anything that converts to one.
        perm: for each dimension of the result, which of ``a`` it is; None reverses them.
        conjugate: also take the complex conjugate.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor whose dimension ``i`` is dimension ``perm[i]`` of ``a``.

    Raises:
        InvalidArgumentError: ``perm`` is no permutation of the dimensions.
        TypeError: ``perm`` is not made of integers.

    >>> import gradtape as tf
    >>> tf.transpose([[1, 2, 3], [4, 5, 6]]).numpy().tolist()
    [[1, 4], [2, 5], [3, 6]]
    """
    x = a if isinstance(a, Tensor) else convert(a)
    rank = len(x._shape)
    if perm is None:
        order = tuple(range(rank - 1, -1, -1))
    else:
        order = vector(perm, "perm")
        if len(order) != rank:
            raise invalid(
                f"transpose expects a vector of size {rank}, one for each dimension, but perm is {list(order)}."
            )
        order = tuple(axis_of(p, rank, "perm") for p in order)
    out = st.transpose(x, perm=order)
    return ew.conj(out) if conjugate and x._d.is_complex else out


@sized
def expand_dims(input: Any, axis: Any, name: str | None = None) -> Any:
    """The tensor with a dimension of length 1 inserted.

    Args:
        input: a Tensor, or anything that converts to one.
        axis: where the new dimension stands in the result; negative ones counted from its end.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of one more dimension.

    Raises:
        InvalidArgumentError: ``axis`` is out of range.
        TypeError: ``axis`` is no integer.

    >>> import gradtape as tf
    >>> tf.expand_dims([1, 2], -1).shape
    TensorShape([2, 1])
    """
    x = input if isinstance(input, Tensor) else convert(input)
    rank = len(x._shape)
    a = integer(axis, "axis")
    if not -rank - 1 <= a <= rank:
        raise invalid(
            f"Tried to expand dim index {a} for tensor with {rank} dimensions: axis must lie in [{-rank - 1}, {rank}]."
        )
    return st.expand_dims(x, a + rank + 1 if a < 0 else a)


@sized
def squeeze(input: Any, axis: Any = None, name: str | None = None) -> Any:
    """The tensor without dimensions of length 1.

    Args:
        input: a Tensor, or anything that converts to one.
        axis: the dimensions to take away, which must have length 1; None for all that have it.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the same elements.

    Raises:
        InvalidArgumentError: an axis is out of range, or longer than 1.
        TypeError: ``axis`` is not made of integers.

    >>> import gradtape as tf
    >>> tf.squeeze([[[1], [2]]]).shape, tf.squeeze([[[1], [2]]], axis=0).shape
    (TensorShape([2]), TensorShape([2, 1]))
    """
    x = input if isinstance(input, Tensor) else convert(input)
    have = x._shape
    rank = len(have)
    axes = () if axis is None else integers(axis, "axis")
    for a in axes:
        if not -rank <= a < rank:
            raise invalid(
                f"Tried to squeeze dim index {a} for tensor with {rank} dimensions: axis must lie in [{-rank}, {rank})."
            )
        if have[a] != 1:
            raise invalid(
                f"Can not squeeze dim[{a % rank}], expected a dimension of 1, got {have[a]} in shape {dims_text(have)}."
            )
    gone = {a % rank for a in axes} if axes else {i for i, d in enumerate(have) if d == 1}
    return st.reshape(x, shape=tuple(d for i, d in enumerate(have) if i not in gone))


@sized
def broadcast_to(input: Any, shape: Any, name: str | None = None) -> Any:
    """The tensor repeated along new and length-1 dimensions to fill a shape.

    Args:
        input: a Tensor, or anything that converts to one.
        shape: the new shape.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of shape ``shape``.

    Raises:
        InvalidArgumentError: the shapes are not compatible.
        TypeError: ``shape`` is not made of integers.

    >>> import gradtape as tf
    >>> tf.broadcast_to([1, 2], [3, 2]).numpy().tolist()
    [[1, 2], [1, 2], [1, 2]]
    """
    return st.broadcast_to(convert(input), shape=dimensions(shape))


@sized
def broadcast_dynamic_shape(shape_x: Any, shape_y: Any) -> Any:
    """The shape that two shapes broadcast to.

    Args:
        shape_x: a vector of ints.
        shape_y: a vector of ints.

    Returns:
        An integer Tensor.

    Raises:
        InvalidArgumentError: the shapes are not compatible.

    >>> import gradtape as tf
    >>> tf.broadcast_dynamic_shape([2, 1], [3]).numpy().tolist()
    [2, 3]
    """
    d = next((s.dtype for s in (shape_x, shape_y) if isinstance(s, Tensor)), int32)
    out = broadcast(vector(shape_x, "shape_x"), vector(shape_y, "shape_y"))
    return convert(np.asarray(out, d.np))


def broadcast_static_shape(shape_x: Any, shape_y: Any) -> TensorShape:
    """The TensorShape that two TensorShapes broadcast to. Where a dimension is unknown, so is the result's unless the other is not 1.

    Raises:
        ValueError: the shapes are not compatible.

    >>> import gradtape as tf
    >>> tf.broadcast_static_shape(tf.TensorShape([2, 1]), tf.TensorShape([3]))
    TensorShape([2, 3])
    """
    x, y = TensorShape(shape_x), TensorShape(shape_y)
    if x.rank is None or y.rank is None:
        return TensorShape(None)
    return TensorShape(broadcast(tuple(x), tuple(y)))


@sized
def reverse(tensor: Any, axis: Any, name: str | None = None) -> Any:
    """The elements in opposite order along the given axes.

    Args:
        tensor: a Tensor, or anything that converts to one.
        axis: a list of axes.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the same shape.

    Raises:
        InvalidArgumentError: ``axis`` is no vector, or an axis is out of range or given twice.
        TypeError: ``axis`` is not made of integers.

    >>> import gradtape as tf
    >>> tf.reverse([1, 2, 3], [0]).numpy().tolist()
    [3, 2, 1]
    """
    x = convert(tensor)
    axes = tuple(sorted(axis_of(a, len(x._shape)) for a in vector(axis, "axis")))
    for a in axes:
        if axes.count(a) > 1:
            raise invalid(f"axis {a} specified more than once.")
    return st.reverse(x, axis=axes)


@sized
def roll(input: Any, shift: Any, axis: Any, name: str | None = None) -> Any:
    """The elements shifted along axes, those that fall off coming in at the other end.

    Args:
        input: a Tensor, or anything that converts to one.
        shift: how far, towards higher indices; an int, or a list with one for each of ``axis``.
        axis: an axis, or a list of them.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the same shape.

    Raises:
        InvalidArgumentError: ``shift`` and ``axis`` differ in length, or an axis is out of range.
        TypeError: they are not made of integers.

    >>> import gradtape as tf
    >>> tf.roll([1, 2, 3, 4], 1, 0).numpy().tolist()
    [4, 1, 2, 3]
    """
    x = convert(input)
    by = integers(shift, "shift")
    axes = tuple(axis_of(a, len(x._shape)) for a in integers(axis, "axis"))
    if len(by) != len(axes):
        raise invalid(f"shift and axis must have the same size, but are {list(by)} and {list(axes)}.")
    return st.roll(x, shift=by, axis=axes)


# -- several tensors -----------------------------------------------------------------------------------------------------


def concat(values: Any, axis: Any, name: str = "concat") -> Any:
    """Tensors joined along an axis.

    Args:
        values: a list of Tensors, or of what converts to them, of one dtype and of shapes that are equal but for ``axis``.
        axis: the axis; negative ones counted from the end.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor.

    Raises:
        InvalidArgumentError: dtypes or shapes do not fit, or ``axis`` is out of range.
        TypeError: ``axis`` is no integer.

    >>> import gradtape as tf
    >>> tf.concat([[[1, 2]], [[3, 4]]], axis=0).numpy().tolist()
    [[1, 2], [3, 4]]
    """
    if not isinstance(values, list | tuple):
        values = [values]
    a = integer(axis, "axis")
    if not values:
        raise invalid("concat needs at least one tensor: the list is empty.")
    xs = alike(values)
    if len(xs) == 1:
        return st.identity(xs[0])
    return st.concat(*xs, axis=axis_of(a, len(xs[0]._shape)) if xs[0]._shape else a)


def stack(values: Any, axis: Any = 0, name: str = "stack") -> Any:
    """Tensors of one shape stacked along a new axis.

    Args:
        values: a list of Tensors, or of what converts to them, of one dtype and shape.
        axis: where the new axis stands in the result.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of one more dimension.

    Raises:
        InvalidArgumentError: dtypes or shapes differ, or ``axis`` is out of range.
        TypeError: ``axis`` is no integer.

    >>> import gradtape as tf
    >>> tf.stack([[1, 2], [3, 4]], axis=1).numpy().tolist()
    [[1, 3], [2, 4]]
    """
    a = integer(axis, "axis")
    if a == 0 and not (isinstance(values, list | tuple) and any(isinstance(v, Tensor) for v in values)):
        try:  # in one go, where the values are numbers
            return convert(values)
        except (ValueError, TypeError):
            pass
    xs = alike(values if isinstance(values, list | tuple) else unstack(values))
    if not xs:
        raise invalid("stack needs at least one tensor: the list is empty.")
    rank = len(xs[0]._shape) + 1
    if not -rank <= a < rank:
        raise invalid(f"Argument `axis` = {a} not in range [{-rank}, {rank}).")
    return st.stack(*xs, axis=a % rank)


def unstack(value: Any, num: int | None = None, axis: Any = 0, name: str = "unstack") -> list:
    """The slices of a tensor along an axis.

    Args:
        value: a Tensor, or anything that converts to one.
        num: how many there must be, or None.
        axis: the axis; negative ones counted from the end.
        name: ignored, for TensorFlow's sake.

    Returns:
        A list of Tensors of one dimension less.

    Raises:
        InvalidArgumentError: ``axis`` is out of range, or the number of slices is not ``num``.
        TypeError: ``axis`` is no integer.

    >>> import gradtape as tf
    >>> [row.numpy().tolist() for row in tf.unstack([[1, 2], [3, 4]])]
    [[1, 2], [3, 4]]
    """
    x = convert(value)
    rank = len(x._shape)
    a = integer(axis, "axis")
    if not -rank <= a < rank:
        raise invalid(f"Argument `axis` = {a} not in range [{-rank}, {rank}).")
    if num is not None and num != x._shape[a]:
        raise invalid(f"Input shape axis {a} must equal {num}, got shape {dims_text(x._shape)}.")
    return list(st.unstack(x, axis=a % rank))


@sized
def split(value: Any, num_or_size_splits: Any, axis: Any = 0, num: int | None = None, name: str = "split") -> list:
    """The tensor parted along an axis.

    Args:
        value: a Tensor, or anything that converts to one.
        num_or_size_splits: how many equal parts, or a list of their sizes, one of which may be -1, and is then what remains.
        axis: the axis; negative ones counted from the end.
        num: how many sizes there must be, or None.
        name: ignored, for TensorFlow's sake.

    Returns:
        A list of Tensors.

    Raises:
        InvalidArgumentError: the axis does not divide equally, the sizes do not add up to it, or it is out of range.
        ValueError: the number of parts is given as a tensor.

    >>> import gradtape as tf
    >>> [part.numpy().tolist() for part in tf.split([1, 2, 3, 4], [1, -1])]
    [[1], [2, 3, 4]]
    """
    x = convert(value)
    a = axis_of(axis, len(x._shape), "split_dim")
    n = x._shape[a]
    if isinstance(num_or_size_splits, int | np.integer):
        parts = int(num_or_size_splits)
        if parts < 1:
            raise invalid(f"The number of parts must be at least 1, but is {parts}.")
        if n % parts:
            raise invalid(
                f"Number of ways to split should evenly divide the split dimension, but got split_dim {a} (size = {n}) and num_split {parts}."
            )
        return list(st.split(x, sizes=(n // parts,) * parts, axis=a))
    if isinstance(num_or_size_splits, float | str) or (
        isinstance(num_or_size_splits, Tensor) and not num_or_size_splits._shape
    ):
        raise ValueError(
            f"Rank-0 tensors are not supported as the num_or_size_splits argument to split: got {num_or_size_splits!r}. Give a Python int, or a list of sizes."
        )
    sizes = list(vector(num_or_size_splits, "num_or_size_splits"))
    if not sizes or (num is not None and num != len(sizes)):
        raise invalid(f"num_or_size_splits must have {num or 'at least 1'} element(s), but is {sizes}.")
    if sizes.count(-1) == 1:
        sizes[sizes.index(-1)] = max(n - sum(sizes) - 1, 0)
    if min(sizes) < 0:
        raise invalid(f"Split sizes must be non-negative, and at most one -1: got {sizes}.")
    return list(st.split(x, sizes=tuple(sizes), axis=a))


# -- repeating and padding -------------------------------------------------------------------------------------------------


@sized
def tile(input: Any, multiples: Any, name: str | None = None) -> Any:
    """The tensor repeated as a whole along each dimension.

    Args:
        input: a Tensor, or anything that converts to one.
        multiples: how often, for each dimension.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor whose dimension ``i`` is ``multiples[i]`` times as long.

    Raises:
        InvalidArgumentError: ``multiples`` does not have one non-negative number for each dimension.
        TypeError: it is not made of integers.

    >>> import gradtape as tf
    >>> tf.tile([[1, 2]], [2, 2]).numpy().tolist()
    [[1, 2, 1, 2], [1, 2, 1, 2]]
    """
    x = convert(input)
    have = x._shape
    times = vector(multiples, "multiples")
    if len(times) != len(have):
        raise invalid(f"Expected multiples argument to be a vector of length {len(have)} but got length {len(times)}.")
    for i, m in enumerate(times):
        if m < 0:
            raise invalid(f"Expected multiples[{i}] >= 0, but got {m}.")
    # each repeated dimension d becomes (m, d), of which broadcasting fills the m
    split_dims = [(m, d) if m != 1 else (d,) for m, d in zip(times, have, strict=True)]
    ones = tuple(e for p in split_dims for e in ((1, *p[1:]) if len(p) == 2 else p))
    filled = st.broadcast_to(st.reshape(x, shape=ones), shape=tuple(e for p in split_dims for e in p))
    return st.reshape(filled, shape=tuple(m * d for m, d in zip(times, have, strict=True)))


@sized
def repeat(input: Any, repeats: Any, axis: Any = None, name: str | None = None) -> Any:
    """Each slice along an axis repeated.

    Args:
        input: a Tensor, or anything that converts to one.
        repeats: how often: one number, or one for each slice.
        axis: the axis; None flattens the tensor first.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor.

    Raises:
        InvalidArgumentError: ``repeats`` has the wrong length or a negative number, or ``axis`` is out of range.
        TypeError: they are not made of integers.

    >>> import gradtape as tf
    >>> tf.repeat([[1, 2], [3, 4]], [1, 2], axis=0).numpy().tolist()
    [[1, 2], [3, 4], [3, 4]]
    """
    x = convert(input)
    times = dimensions(repeats, "repeats")
    if axis is None or not x._shape:
        x, a = st.reshape(x, shape=(_math.prod(x._shape),)), 0
    else:
        a = axis_of(axis, len(x._shape))
    if len(times) not in (1, x._shape[a]):
        raise invalid(
            f"Repeats must have the same size as input along axis {a}, {x._shape[a]}, or 1, but has {len(times)}."
        )
    return st.repeat(x, repeats=times[0] if len(times) == 1 else times, axis=a)


@sized
def pad(tensor: Any, paddings: Any, mode: str = "CONSTANT", constant_values: Any = 0, name: str | None = None) -> Any:
    """The tensor with elements added before and after along each dimension.

    Args:
        tensor: a Tensor, or anything that converts to one.
        paddings: for each dimension, how many before and how many after.
        mode: "CONSTANT"; "REFLECT", which mirrors the tensor in its edge, without the edge itself; or "SYMMETRIC", with it.
        constant_values: the constant, a number or a Tensor of shape ().
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor.

    Raises:
        InvalidArgumentError: ``paddings`` is not of shape (rank, 2), is negative, or is longer than what can be mirrored.
        ValueError: an unknown mode.
        TypeError: ``paddings`` is not made of integers, or the constant is a float and the tensor is not.

    >>> import gradtape as tf
    >>> tf.pad([1, 2, 3], [[2, 1]], "REFLECT").numpy().tolist()
    [3, 2, 1, 2, 3, 2]
    """
    x = convert(tensor)
    rank = len(x._shape)
    pairs = _pairs(paddings, rank)
    how = mode.upper() if isinstance(mode, str) else mode
    if how == "CONSTANT":
        if type(constant_values) is int and not constant_values:
            return st.pad(x, paddings=pairs, value=b"" if x._d.kind == STRING else x._d.np.type(0))
        value = convert(constant_values, x._d)
        if value._shape:
            raise invalid(f"constant_values must be a scalar, but has shape {dims_text(value._shape)}.")
        return st.pad(x, paddings=pairs, value=np.asarray(value)[()])
    if how not in ("REFLECT", "SYMMETRIC"):
        raise ValueError(
            f"Value of argument `mode` expected to be one of CONSTANT, REFLECT or SYMMETRIC. Received `mode` = {mode!r}."
        )
    edge = 1 if how == "REFLECT" else 0  # how many elements at the edge stand for themselves
    for axis, (before, after) in enumerate(pairs):
        n = x._shape[axis]
        if max(before, after) > n - edge:
            raise invalid(
                f"paddings must be no greater than the dimension size{' less one' if edge else ''}: {before}, {after} greater than {n - edge} for dimension {axis}."
            )
        lead = (slice(None),) * axis
        parts = [x]
        if before:
            parts.insert(
                0, indexing.strided_slice(x, index=(*lead, slice(before - 1 + edge, edge - 1 if edge else None, -1)))
            )
        if after:
            last = n - 1 - edge
            parts.append(
                indexing.strided_slice(x, index=(*lead, slice(last, last - after if last >= after else None, -1)))
            )
        x = st.concat(*parts, axis=axis) if len(parts) > 1 else x
    return x


def _pairs(paddings: Any, rank: int) -> tuple[tuple[int, ...], ...]:
    """``paddings`` as (before, after) for each of ``rank`` dimensions."""
    rows = paddings if isinstance(paddings, list | tuple) else np.atleast_1d(np.asarray(convert(paddings)))
    pairs = tuple(integers(row, "paddings") for row in rows)
    if any(len(pair) != 2 for pair in pairs):
        raise invalid(f"paddings must be a matrix with 2 columns, before and after, but is {paddings!r}.")
    if len(pairs) != rank:
        raise invalid(
            f"The first dimension of paddings must be the rank of inputs, {rank}, but paddings is {paddings!r}."
        )
    if any(n < 0 for pair in pairs for n in pair):
        raise invalid(f"Paddings must be non-negative: got {paddings!r}.")
    return pairs


# -- nodes and shapes ------------------------------------------------------------------------------------------------------


def identity(input: Any, name: str | None = None) -> Any:
    """The same tensor, as a new node.

    Args:
        input: a Tensor, anything that converts to one, or IndexedSlices.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor (IndexedSlices) of the same value.

    >>> import gradtape as tf
    >>> tf.identity(5).numpy()
    np.int32(5)
    """
    if isinstance(input, IndexedSlices):
        return IndexedSlices(st.identity(input.values), input.indices, input._dense_shape)
    return st.identity(convert(input))


def identity_n(input: Any, name: str | None = None) -> list:
    """``tf.identity`` of each of a list of tensors.

    Args:
        input: a list of Tensors, or of what converts to them.
        name: ignored, for TensorFlow's sake.

    Returns:
        A list of Tensors.

    >>> import gradtape as tf
    >>> [x.numpy().tolist() for x in tf.identity_n([1, [2]])]
    [1, [2]]
    """
    return [st.identity(convert(x)) for x in (unstack(input) if isinstance(input, Tensor) else input)]


def stop_gradient(input: Any, name: str | None = None) -> Any:
    """The same tensor, taken as a constant by differentiation: no gradient flows through it.

    Args:
        input: a Tensor, or anything that converts to one.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the same value.

    >>> import gradtape as tf
    >>> x = tf.constant(3.)
    >>> with tf.GradientTape() as tape:
    ...     tape.watch(x)
    ...     y = x * tf.stop_gradient(x)
    >>> tape.gradient(y, x).numpy()
    np.float32(3.0)
    """
    return st.stop_gradient(convert(input))


def _shape_of(x: Any, d: DType) -> Tensor:
    """The shape of anything that has one or converts to a tensor."""
    if isinstance(x, IndexedSlices) and x._dense_shape is not None:
        return Tensor(np.array(x._dense_shape, d.np), d)
    t = x if isinstance(x, Tensor) else convert(x)
    return st.shape_of(t, dtype=d) if None in t._shape else Tensor(np.array(t._shape, d.np), d)


def _index_type(out_type: Any) -> DType:
    d = int32 if out_type is None else as_dtype(out_type)
    if d is not int32 and d is not int64:
        raise invalid(f"out_type must be tf.int32 or tf.int64, but is {d.name}.")
    return d


def shape(input: Any, out_type: Any = None, name: str | None = None) -> Any:
    """The shape of a tensor, as a tensor.

    Args:
        input: a Tensor, IndexedSlices, or anything that converts to a Tensor.
        out_type: tf.int32 (also by None) or tf.int64.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of shape (rank,).

    >>> import gradtape as tf
    >>> tf.shape([[1, 2, 3]]).numpy().tolist()
    [1, 3]
    """
    return _shape_of(input, _index_type(out_type))


def shape_n(input: Any, out_type: Any = int32, name: str | None = None) -> list:
    """``tf.shape`` of each of a list of tensors.

    Args:
        input: a list of Tensors, or of what converts to them.
        out_type: tf.int32 or tf.int64.
        name: ignored, for TensorFlow's sake.

    Returns:
        A list of Tensors.

    >>> import gradtape as tf
    >>> [s.numpy().tolist() for s in tf.shape_n([[1, 2], [[3]]])]
    [[2], [1, 1]]
    """
    return [shape(x, out_type) for x in input]


def rank(input: Any, name: str | None = None) -> Any:
    """The number of dimensions, as an int32 Tensor of shape ().

    >>> import gradtape as tf
    >>> tf.rank([[1, 2, 3]]).numpy()
    np.int32(2)
    """
    return Tensor(np.int32(_shape_of(input, int32)._shape[0]), int32)


def size(input: Any, out_type: Any = None, name: str | None = None) -> Any:
    """The number of elements.

    Args:
        input: a Tensor, IndexedSlices, or anything that converts to a Tensor.
        out_type: the dtype of the result; None for tf.int32.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of shape ().

    >>> import gradtape as tf
    >>> tf.size([[1, 2, 3]]).numpy()
    np.int32(3)
    """
    n = reduction.prod(_shape_of(input, int64), axis=(0,), keepdims=False)
    return cast(n, int32 if out_type is None else out_type)


@sized
def ensure_shape(x: Any, shape: Any, name: str | None = None) -> Any:
    """The tensor itself, once its shape is checked: dimensions that are unknown while tracing are checked when the program runs.

    Args:
        x: a Tensor, or anything that converts to one.
        shape: a TensorShape, or dimensions of which some may be None; None for any.
        name: ignored, for TensorFlow's sake.

    Returns:
        ``x``.

    Raises:
        InvalidArgumentError: the shape is another.

    >>> import gradtape as tf
    >>> tf.ensure_shape([[1, 2]], [None, 2]).numpy().tolist()
    [[1, 2]]
    """
    t = convert(x)
    want = TensorShape(vector(shape, "shape") if isinstance(shape, Tensor) else shape)
    if t._special and hasattr(t, "take_shape"):
        t.take_shape(want)
    if not want.is_compatible_with(t._shape):
        raise invalid(f"Shape of tensor {dims_text(t._shape)} is not compatible with expected shape {want}.")
    if any(
        [
            have is None is not d
            for have, d in zip(t._shape, want.as_list() if want.rank is not None else (), strict=False)
        ]
    ):
        raise NoValue("dimensions that are not known yet")
    return st.identity(t)


def _ensured(x: Any, shape: Any, name: str | None = None) -> list[Aval]:
    want = TensorShape(shape)
    return [Aval(tuple([w if d is None else d for d, w in zip(x._shape, want, strict=True)]), x._d)]


ensure_shape.form = _ensured  # type: ignore[attr-defined]  # what a trace knows of it while it waits


__all__ = [
    "newaxis", "reshape", "transpose", "expand_dims", "squeeze", "broadcast_to", "broadcast_dynamic_shape", "broadcast_static_shape",
    "reverse", "roll", "concat", "stack", "unstack", "split", "tile", "repeat", "pad", "cast", "saturate_cast", "bitcast",
    "identity", "identity_n", "stop_gradient", "shape", "shape_n", "rank", "size", "ensure_shape",
]  # fmt: skip
