"""Public indexing: gather and scatter, slices, masks, one-hot codes, partitions, embeddings."""

from __future__ import annotations

import builtins
import math
from typing import Any

import numpy as np

from .core.arguments import axis_of, dimensions, integer, sized, vector
from .core.slicing import boolean_mask, getitem, remember
from .core.tensor import Tensor, convert
from .core.variable import Variable
from .ground.dtypes import as_dtype, bool_, float32, int32
from .ground.errors import invalid
from .ground.primitive import Primitive
from .ground.shapes import dims_text
from .primitives import elementwise as ew
from .primitives import indexing as ix
from .primitives import structure as st
from .primitives.indexing import IndexedSlices

__all__ = [
    "IndexedSlices", "boolean_mask", "dynamic_partition", "dynamic_stitch", "embedding_lookup", "gather", "gather_nd", "one_hot", "scatter_nd",
    "slice", "strided_slice", "tensor_scatter_nd_add", "tensor_scatter_nd_max", "tensor_scatter_nd_min", "tensor_scatter_nd_sub",
    "tensor_scatter_nd_update", "where",
]  # fmt: skip


def gather(
    params: Any,
    indices: Any,
    validate_indices: Any = None,
    axis: Any = None,
    batch_dims: int = 0,
    name: str | None = None,
) -> Tensor:
    """The slices of ``params`` along ``axis`` that ``indices`` names.

    Args:
        params: a Tensor or Variable, or anything that converts to one.
        indices: an integer tensor of any shape; every index lies in ``[0, params.shape[axis])``.
        validate_indices: ignored, for TensorFlow's sake: indices are always checked.
        axis: the axis to gather along, negative ones counted from the end; None for ``batch_dims``.
        batch_dims: how many leading dimensions ``params`` and ``indices`` share, each member gathered for itself; a negative number
            counts from the rank of ``indices``.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of shape ``params.shape[:axis] + indices.shape[batch_dims:] + params.shape[axis + 1:]``. Its gradient for ``params`` is an
        IndexedSlices where ``axis`` is 0.

    Raises:
        InvalidArgumentError: an index is out of range (its place and the range are named) or no integer; the shapes do not fit.

    >>> import gradtape as tf
    >>> tf.gather([[1, 2], [3, 4], [5, 6]], [2, 0]).numpy().tolist()
    [[5, 6], [1, 2]]
    >>> tf.gather([[1, 2], [3, 4], [5, 6]], [1], axis=1).numpy().tolist()
    [[2], [4], [6]]
    """
    x, i = convert(params), convert(indices)
    batch_dims = integer(batch_dims, "batch_dims")
    if axis is None:
        axis = batch_dims
    if type(axis) is not int or axis < 0:
        axis = axis_of(axis, max(1, len(x._shape)))
    if batch_dims < 0:
        batch_dims += len(i._shape)
    return ix.gather(x, i, axis=axis, batch_dims=batch_dims)


def gather_nd(
    params: Any, indices: Any, batch_dims: int = 0, name: str | None = None, bad_indices_policy: str = ""
) -> Tensor:
    """The elements or slices of ``params`` that index vectors name.

    Args:
        params: a Tensor or Variable, or anything that converts to one.
        indices: an integer tensor of shape (..., k): its last dimension holds places in k dimensions of ``params``.
        batch_dims: how many leading dimensions ``params`` and ``indices`` share.
        name: ignored, for TensorFlow's sake.
        bad_indices_policy: "" or "ERROR"; the policy "IGNORE" is not supported.

    Returns:
        A Tensor of shape ``indices.shape[:-1] + params.shape[batch_dims + k:]``.

    Raises:
        InvalidArgumentError: an index vector lies outside of ``params`` or holds no integers; the shapes do not fit.
        ValueError: ``batch_dims`` is negative or too large.

    >>> import gradtape as tf
    >>> tf.gather_nd([[1, 2], [3, 4]], [[0, 1], [1, 0]]).numpy().tolist()
    [2, 3]
    """
    _check_policy(bad_indices_policy)
    x, i = convert(params), convert(indices)
    batch_dims = integer(batch_dims, "batch_dims")
    if batch_dims < 0:
        raise ValueError("tf.gather_nd does not allow negative batch_dims.")
    return ix.gather_nd(x, i, batch_dims=batch_dims)


def _check_policy(policy: str) -> None:
    if policy not in ("", "ERROR", "DEFAULT"):
        raise NotImplementedError(
            f"bad_indices_policy {policy!r} is not supported: indices out of range are always an error."
        )


@sized
def scatter_nd(indices: Any, updates: Any, shape: Any, bad_indices_policy: str = "", name: str | None = None) -> Tensor:
    """Zeros of ``shape`` with ``updates`` added where index vectors say.

    Args:
        indices: an integer tensor of shape (..., k): its last dimension holds places in the first k dimensions of the result.
        updates: a tensor of shape ``indices.shape[:-1] + shape[k:]``.
        shape: the shape of the result.
        bad_indices_policy: "" or "ERROR"; the policy "IGNORE" is not supported.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the dtype of ``updates``; where a place repeats, its updates add up.

    Raises:
        InvalidArgumentError: an index vector lies outside of ``shape`` or holds no integers; the shapes do not fit.

    >>> import gradtape as tf
    >>> tf.scatter_nd([[1], [3], [1]], [10, 20, 30], [5]).numpy().tolist()
    [0, 40, 0, 20, 0]
    """
    _check_policy(bad_indices_policy)
    if not isinstance(shape, Tensor) and np.ndim(shape) == 0 and not hasattr(shape, "rank"):
        raise invalid(f"Shape must be a vector, but is {shape!r}.")
    return ix.scatter_nd(convert(indices), convert(updates), shape=dimensions(shape), batch_dims=0)


def _scatter_into(p: Primitive, tensor: Any, indices: Any, updates: Any, policy: str, negate: bool = False) -> Tensor:
    _check_policy(policy)
    x, u = _matching(tensor, updates, p, 2)
    return p(x, convert(indices), ew.neg(u) if negate else u, batch_dims=0)


def tensor_scatter_nd_update(tensor: Any, indices: Any, updates: Any, name: str | None = None) -> Tensor:
    """``tensor`` with ``updates`` put where index vectors say; where a place repeats, the last stays.

    Args:
        tensor: a Tensor, or anything that converts to one.
        indices: an integer tensor of shape (..., k): its last dimension holds places in the first k dimensions of ``tensor``.
        updates: of the dtype of ``tensor`` and of shape ``indices.shape[:-1] + tensor.shape[k:]``.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the shape and dtype of ``tensor``.

    Raises:
        InvalidArgumentError: an index vector lies outside of ``tensor`` or holds no integers; shapes or dtypes do not fit.

    >>> import gradtape as tf
    >>> tf.tensor_scatter_nd_update([1, 2, 3, 4], [[0], [2]], [10, 30]).numpy().tolist()
    [10, 2, 30, 4]
    """
    return _scatter_into(ix.tensor_scatter_update, tensor, indices, updates, "")


def tensor_scatter_nd_add(
    tensor: Any, indices: Any, updates: Any, bad_indices_policy: str = "", name: str | None = None
) -> Tensor:
    """``tensor`` with ``updates`` added where index vectors say, repeated places more than once; otherwise as ``tensor_scatter_nd_update``.

    >>> import gradtape as tf
    >>> tf.tensor_scatter_nd_add([1, 2, 3], [[0], [0]], [10, 20]).numpy().tolist()
    [31, 2, 3]
    """
    return _scatter_into(ix.tensor_scatter_add, tensor, indices, updates, bad_indices_policy)


def tensor_scatter_nd_sub(
    tensor: Any, indices: Any, updates: Any, bad_indices_policy: str = "", name: str | None = None
) -> Tensor:
    """``tensor`` with ``updates`` subtracted where index vectors say, repeated places more than once; otherwise as ``tensor_scatter_nd_update``.

    >>> import gradtape as tf
    >>> tf.tensor_scatter_nd_sub([1, 2, 3], [[0], [0]], [10, 20]).numpy().tolist()
    [-29, 2, 3]
    """
    return _scatter_into(ix.tensor_scatter_add, tensor, indices, updates, bad_indices_policy, negate=True)


def tensor_scatter_nd_min(
    tensor: Any, indices: Any, updates: Any, bad_indices_policy: str = "", name: str | None = None
) -> Tensor:
    """The smaller of ``tensor`` and ``updates`` where index vectors say; otherwise as ``tensor_scatter_nd_update``.

    >>> import gradtape as tf
    >>> tf.tensor_scatter_nd_min([1, 2, 3], [[0], [2]], [10, 0]).numpy().tolist()
    [1, 2, 0]
    """
    return _scatter_into(ix.tensor_scatter_min, tensor, indices, updates, bad_indices_policy)


def tensor_scatter_nd_max(
    tensor: Any, indices: Any, updates: Any, bad_indices_policy: str = "", name: str | None = None
) -> Tensor:
    """The larger of ``tensor`` and ``updates`` where index vectors say; otherwise as ``tensor_scatter_nd_update``.

    >>> import gradtape as tf
    >>> tf.tensor_scatter_nd_max([1, 2, 3], [[0], [2]], [10, 0]).numpy().tolist()
    [10, 2, 3]
    """
    return _scatter_into(ix.tensor_scatter_max, tensor, indices, updates, bad_indices_policy)


def _matching(x: Any, y: Any, p: Primitive, number: int) -> tuple[Tensor, Tensor]:
    """``x`` and ``y``, which is input ``number`` of the row, as tensors of one dtype: what is no tensor takes the other's dtype."""
    x_is, y_is = isinstance(x, Tensor | Variable), isinstance(y, Tensor | Variable)
    x = convert(x) if x_is or not y_is else convert(x, y.dtype)
    y = convert(y) if y_is else convert(y, x._d)
    if x._d is not y._d:
        raise invalid(
            f"cannot compute {p.tf} as input #{number}(zero-based) was expected to be a {x._d.name} tensor but is a {y._d.name} tensor: "
            "both must have one dtype. Convert one of them with tf.cast."
        )
    return x, y


def where(condition: Any, x: Any = None, y: Any = None, name: str | None = None) -> Tensor:
    """The elements of ``x`` where ``condition`` holds, else of ``y``; or, without these two, the places where it holds.

    Args:
        condition: a bool tensor; without ``x`` and ``y`` a numeric one will do, whose places that are not zero count.
        x: a Tensor, or anything that converts to one.
        y: the same, of the dtype of ``x``; the shapes of all three must broadcast.
        name: ignored, for TensorFlow's sake.

    Returns:
        With ``x`` and ``y``, a Tensor of the broadcast shape. The gradient flows to each from where it was chosen; where the other branch's
        derivative is infinite, that one is 0 · inf = NaN, so keep it finite inside the branch too.
        Without them, an int64 Tensor of shape (number of places, rank), in row-major order.

    Raises:
        ValueError: only one of ``x`` and ``y`` is given.
        InvalidArgumentError: ``condition`` is no bool tensor, dtypes differ or shapes do not broadcast; without ``x`` and ``y``: a scalar.
        TypeError: a value does not fit the dtype of the other.

    >>> import gradtape as tf
    >>> tf.where([True, False], [1, 2], [3, 4]).numpy().tolist()
    [1, 4]
    >>> tf.where([[0, 5], [7, 0]]).numpy().tolist()
    [[0, 1], [1, 0]]
    """
    if x is None and y is None:
        return ix.nonzero(convert(condition))
    if x is None or y is None:
        raise ValueError("x and y must both be non-None or both be None.")
    given, condition = condition, convert(condition)
    if condition._d is not bool_:
        if not isinstance(given, Tensor | Variable):
            raise TypeError(
                f"Cannot convert {given!r} to a tensor of dtype bool: compare it with something, for instance x != 0."
            )
        raise invalid(
            f"cannot compute SelectV2 as input #0(zero-based) was expected to be a bool tensor but is a {condition._d.name} tensor."
        )
    return ew.select(condition, *_matching(x, y, ew.select, 2))


@sized
def one_hot(
    indices: Any,
    depth: Any,
    on_value: Any = None,
    off_value: Any = None,
    axis: Any = None,
    dtype: Any = None,
    name: str | None = None,
) -> Tensor:
    """``on_value`` at the place that each index names along a new axis, ``off_value`` elsewhere.

    Args:
        indices: an integer tensor; an index outside of ``[0, depth)`` marks no place.
        depth: the length of the new axis.
        on_value: a scalar, 1 by default.
        off_value: a scalar, 0 by default.
        axis: where the new axis stands, -1 or None for last.
        dtype: the dtype of the result; by default that of the values, else float32.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the rank of ``indices`` and one more. It has no gradient for ``indices``.

    Raises:
        TypeError: the dtypes of ``on_value``, ``off_value`` and ``dtype`` differ, or ``depth`` is no integer.
        InvalidArgumentError: ``depth`` is negative, ``axis`` out of range, a value no scalar, ``indices`` not made of integers.

    >>> import gradtape as tf
    >>> tf.one_hot([0, 2], 3).numpy().tolist()
    [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """
    i = convert(indices)
    if i._d is bool_ or (not i._d.is_integer and 0 in i._shape):
        i = st.cast(i, int32)
    if not i._d.is_integer:
        raise invalid(f"The indices must be integers, but are {i._d.name}: convert them with tf.cast.")
    rank = len(i._shape)
    n = integer(depth, "depth")
    if n < 0:
        raise invalid(f"depth must be non-negative, got: {n}.")
    a = -1 if axis is None else integer(axis, "axis")
    if a == -1:
        a = rank
    if not 0 <= a <= rank:
        raise invalid(f"Expected axis to be -1 or between [0, {rank + 1}).  But received: {a}.")
    on, off = _one_hot_values(on_value, off_value, None if dtype is None else as_dtype(dtype))
    if i._d.size < 4:
        i = st.cast(i, int32)
    places = Tensor(np.arange(n, dtype=i._d.np).reshape((n,) + (1,) * (rank - a)), i._d)
    return ew.select(ew.equal(st.expand_dims(i, a), places), on, off)


def _one_hot_values(on: Any, off: Any, d: Any) -> tuple[Tensor, Tensor]:
    given = {}
    for what, value in (("on_value", on), ("off_value", off)):
        if value is not None:
            t = given[what] = convert(value, None, d)
            if t._shape:
                raise invalid(f"{what} must be a scalar, but got: {dims_text(t._shape)}.")
            if d is not None and t._d is not d:
                raise TypeError(f"dtype {t._d} of {what} does not match dtype parameter {d}")
    if len(given) == 2 and given["on_value"]._d is not given["off_value"]._d:
        raise TypeError(
            f"dtype {given['on_value']._d} of on_value does not match dtype {given['off_value']._d} of off_value"
        )
    if d is None:
        d = next((t._d for t in given.values()), float32)
    return tuple(
        [given[what] if what in given else convert(default, d) for what, default in (("on_value", 1), ("off_value", 0))]
    )  # type: ignore[return-value]


@sized
def slice(input_: Any, begin: Any, size: Any, name: str | None = None) -> Tensor:
    """The part of ``input_`` that begins at ``begin`` and has the shape ``size``.

    Args:
        input_: a Tensor, or anything that converts to one.
        begin: the first place in each dimension.
        size: the number of places in each dimension; -1 for all that follow.
        name: ignored, for TensorFlow's sake.

    Raises:
        InvalidArgumentError: not one number for each dimension, or the part does not lie inside.

    >>> import gradtape as tf
    >>> tf.slice([[1, 2, 3], [4, 5, 6]], [0, 1], [-1, 2]).numpy().tolist()
    [[2, 3], [5, 6]]
    """
    x = convert(input_)
    b, s = vector(begin, "begin"), vector(size, "size")
    shape = x._shape
    if len(b) != len(shape) or len(s) != len(shape):
        raise invalid(
            f"Expected begin and size arguments to be 1-D tensors of size {len(shape)}, but got shapes [{len(b)}] and [{len(s)}] instead."
        )
    index = []
    for j, (start, n, d) in enumerate(zip(b, s, shape, strict=True)):
        if not 0 <= start <= d:
            raise invalid(f"Expected begin[{j}] in [0, {d}], but got {start}.")
        if n == -1:
            n = d - start
        if not 0 <= n <= d - start:
            raise invalid(f"Expected size[{j}] in [0, {d - start}], but got {n}.")
        index.append(builtins.slice(start, start + n, 1))
    return ix.strided_slice(x, index=tuple(index))


@sized
def strided_slice(input_: Any, begin: Any, end: Any, strides: Any = None, begin_mask: int = 0, end_mask: int = 0, ellipsis_mask: int = 0,
                  new_axis_mask: int = 0, shrink_axis_mask: int = 0, var: Any = None, name: str | None = None) -> Tensor:  # fmt: skip
    """What ``input_[begin[0]:end[0]:strides[0], ...]`` gives. In programs, write the brackets.

    Args:
        input_: a Tensor, or anything that converts to one.
        begin: the first place in each dimension.
        end: the first place in each dimension that is left out.
        strides: the steps, ones by default.
        begin_mask: bit i set: ``begin[i]`` is ignored, the dimension is taken from its start.
        end_mask: bit i set: ``end[i]`` is ignored, the dimension is taken to its end.
        ellipsis_mask: bit i set: an ellipsis stands at i. At most one.
        new_axis_mask: bit i set: a new dimension of length 1 stands at i.
        shrink_axis_mask: bit i set: the one place ``begin[i]`` is taken, and the dimension goes.
        var: the Variable whose value ``input_`` is; the result then has the methods ``assign``, ``assign_add`` and ``assign_sub``.
        name: ignored, for TensorFlow's sake.

    Raises:
        InvalidArgumentError: the arguments differ in length, a step is 0, an index out of range.

    >>> import gradtape as tf
    >>> tf.strided_slice([1, 2, 3, 4, 5], [4], [0], [-2]).numpy().tolist()
    [5, 3]
    """
    b, e = vector(begin, "begin"), vector(end, "end")
    s = (1,) * len(b) if strides is None else vector(strides, "strides")
    if not len(b) == len(e) == len(s):
        raise invalid(
            f"Expected begin, end, and strides to be 1D equal size tensors, but got shapes [{len(b)}], [{len(e)}], and [{len(s)}] instead."
        )
    key: list = []
    for i in range(len(b)):
        bit = 1 << i
        if ellipsis_mask & bit:
            key.append(Ellipsis)
        elif new_axis_mask & bit:
            key.append(None)
        elif shrink_axis_mask & bit:
            if s[i] <= 0:
                raise invalid("only stride 1 allowed on non-range indexing.")
            key.append(b[i])
        else:
            key.append(builtins.slice(None if begin_mask & bit else b[i], None if end_mask & bit else e[i], s[i]))
    out = getitem(convert(input_), tuple(key))
    return out if var is None else remember(out, var, tuple(key))


def dynamic_partition(data: Any, partitions: Any, num_partitions: int, name: str | None = None) -> list[Tensor]:
    """``data`` parted by number: part p holds the slices of ``data`` where ``partitions`` is p, in their order.

    Args:
        data: a Tensor, or anything that converts to one.
        partitions: an integer tensor whose shape is the beginning of that of ``data``; its values lie in ``[0, num_partitions)``.
        num_partitions: the number of parts.
        name: ignored, for TensorFlow's sake.

    Returns:
        A list of ``num_partitions`` Tensors.

    Raises:
        InvalidArgumentError: a number is out of range, or the shapes do not fit.

    >>> import gradtape as tf
    >>> [p.numpy().tolist() for p in tf.dynamic_partition([10, 20, 30], [0, 1, 0], 2)]
    [[10, 30], [20]]
    """
    x = convert(data)
    p = partitions if isinstance(partitions, Tensor | Variable) else convert(partitions, int32)
    p = convert(p)
    if num_partitions < 1:
        raise invalid(f"num_partitions must be at least 1, but is {num_partitions}.")
    rank = len(p._shape)
    if x._shape[:rank] != p._shape:
        raise invalid(
            f"data.shape must start with partitions.shape, got data.shape = {dims_text(x._shape)}, partitions.shape = {dims_text(p._shape)}"
        )
    numbers = np.asarray(p._a)
    ix.row_numbers(numbers, (num_partitions,), what="partitions")  # all in range
    numbers = numbers.reshape(-1)
    order = Tensor(np.argsort(numbers, kind="stable").astype(np.int32), int32)
    sizes = tuple(np.bincount(numbers, minlength=num_partitions).tolist())
    rows = st.reshape(x, shape=(numbers.size, *x._shape[rank:]))
    return list(st.split(ix.gather(rows, order, axis=0, batch_dims=0), sizes=sizes, axis=0))


def dynamic_stitch(indices: Any, data: Any, name: str | None = None) -> Tensor:
    """One tensor made of many: ``out[indices[m][i]] = data[m][i]``; where a place repeats, the last stays.

    Args:
        indices: a list of integer tensors.
        data: a list of tensors; the shape of each begins with that of its indices, and all go on alike.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor with one row more than the largest index; rows that no index names are zero.

    Raises:
        ValueError: the lists differ in length.
        InvalidArgumentError: the shapes do not fit, an index is negative, the lists are empty.

    >>> import gradtape as tf
    >>> tf.dynamic_stitch([[0, 2], [1]], [[10, 30], [20]]).numpy().tolist()
    [10, 20, 30]
    """
    if len(indices) != len(data):
        raise ValueError(
            f"List argument 'data' to 'dynamic_stitch' Op with length {len(data)} must match length {len(indices)} of argument 'indices'."
        )
    if not len(indices):
        raise invalid("dynamic_stitch needs at least one tensor.")
    numbers = [convert(i, int32) if not isinstance(i, Tensor | Variable) else convert(i) for i in indices]
    first = convert(data[0])
    xs = [first] + [convert(x, None, first._d) for x in data[1:]]
    tail = first._shape[len(numbers[0]._shape) :]
    rows = []
    for m, (i, x) in enumerate(zip(numbers, xs, strict=True)):
        r = len(i._shape)
        if x._shape[:r] != i._shape:
            raise invalid(
                f"data[{m}].shape = {dims_text(x._shape)} does not start with indices[{m}].shape = {dims_text(i._shape)}"
            )
        if x._shape[r:] != tail:
            raise invalid(
                f"Need data[0].shape[{len(numbers[0]._shape)}:] = data[{m}].shape[{r}:], got {dims_text(tail)} and {dims_text(x._shape[r:])}"
            )
        rows.append(st.reshape(x, shape=(math.prod(i._shape), *tail)))
    where_to = np.concatenate([np.asarray(i._a).reshape(-1) for i in numbers])
    n = int(where_to.max(initial=-1)) + 1
    ix.row_numbers(where_to, (max(n, 1),))  # none negative
    flat = rows[0] if len(rows) == 1 else st.concat(*rows, axis=0)
    at = convert(where_to.reshape(-1, 1))
    return ix.tensor_scatter_update(st.zeros_of(flat, shape=(n, *tail)), at, flat, batch_dims=0)


def embedding_lookup(params: Any, ids: Any, max_norm: float | None = None, name: str | None = None) -> Tensor:
    """The rows of an embedding table that ``ids`` names: ``gather`` with, if wanted, a limit on the rows' length.

    Args:
        params: the table, a Tensor or Variable; or a list of such that hold consecutive rows of one table, in parts as equal as can be.
        ids: an integer tensor.
        max_norm: rows with a larger l2 norm are scaled down to it.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of shape ``ids.shape + params.shape[1:]``. A tape's gradient for a table is an IndexedSlices.

    Raises:
        InvalidArgumentError: an id is out of range.
        ValueError: ``params`` is None or empty.

    >>> import gradtape as tf
    >>> tf.nn.embedding_lookup([[1., 2.], [3., 4.]], [1, 1]).numpy().tolist()
    [[3.0, 4.0], [3.0, 4.0]]
    """
    if params is None:
        raise ValueError("params must be specified")
    i = convert(ids)
    parts = _tables(params)
    if not parts:
        raise ValueError("Length of params is currently 0. Need at least one param.")
    out = ix.gather(parts[0], i, axis=0, batch_dims=0) if len(parts) == 1 else _from_parts(parts, i)
    if max_norm is None:
        return out
    from .clipping import clip_by_norm  # needed here alone

    return clip_by_norm(out, max_norm, axes=list(range(len(i._shape), len(out._shape))))


def _tables(params: Any) -> list[Tensor]:
    """The tables in ``params``: a list is one of tables if it holds tensors or matrices, and otherwise a table itself."""
    if isinstance(params, list | tuple) and not (
        len(params) and np.ndim(params[0]) < 2 and not isinstance(params[0], Tensor | Variable)
    ):
        return [convert(p) for p in params]
    return [convert(params)]


def _from_parts(parts: list[Tensor], ids: Tensor) -> Tensor:
    """Rows of a table whose n rows are parted evenly: the first n mod len(parts) parts have one more."""
    each, extra = divmod(sum(p._shape[0] for p in parts), len(parts))
    flat = np.asarray(ids._a).reshape(-1)
    starts = np.cumsum([0] + [each + (j < extra) for j in range(len(parts))])
    ix.row_numbers(np.asarray(ids._a), (int(starts[-1]),), what="ids")  # all in range
    part = np.searchsorted(starts, flat, side="right") - 1
    places = dynamic_partition(Tensor(np.arange(flat.size, dtype=np.int32), int32), part, len(parts))
    within = dynamic_partition(Tensor((flat - starts[part]).astype(np.int32), int32), part, len(parts))
    rows = dynamic_stitch(places, [ix.gather(p, i, axis=0, batch_dims=0) for p, i in zip(parts, within, strict=True)])
    return st.reshape(rows, shape=ids._shape + parts[0]._shape[1:])
