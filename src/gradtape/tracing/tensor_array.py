"""TensorArray: an array of tensors of one dtype that a loop fills; and the rows that write into its buffer."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.arguments import integer, sized
from ..core.state import state
from ..core.tensor import Tensor, convert
from ..ground.dtypes import ANY, DType, as_dtype, int32
from ..ground.errors import OutOfRangeError, invalid, user_line
from ..ground.primitive import Aval, Primitive
from ..ground.shapes import TensorShape, dims_text
from ..primitives import indexing
from ..primitives import structure as st
from .control_rows import take_row
from .trace import SymbolicTensor


def _write_kernel(x: Any, at: Any, u: Any) -> Any:
    i = int(at)
    if not 0 <= i < len(x):
        raise OutOfRangeError(f"Tried to write to index {i} of a TensorArray of size {len(x)}.")
    _fits(np.shape(u), x.shape[1:])
    out = x.copy()
    out[i] = u
    return out


def _fits(u: tuple, element: tuple) -> None:
    """InvalidArgumentError unless an element may have the shape ``u``."""
    if len(u) != len(element) or any([None not in (d, e) and d != e for d, e in zip(u, element, strict=False)]):
        raise invalid(
            f"A TensorArray that a loop fills has elements of one shape, here {dims_text(element)}, but {dims_text(u)} was written. "
            "Pad the elements (tf.pad), or grow one tensor by tf.concat, whose shape a shape invariant leaves open."
        )


def _written_shape(x: Aval, at: Aval, u: Aval) -> Aval:
    _fits(u.shape, x.shape[1:])
    return x


def _grown_shape(x: Aval, at: Aval, u: Aval) -> Aval:
    _fits(u.shape, x.shape[1:])
    return Aval((None, *x.shape[1:]), x.dtype)


write_row: Primitive = Primitive("write_row", "x at u", _write_kernel, shape=_written_shape,
                      grad=(lambda g, at: write_row(g, at, st.zeros_like(take_row(g, at))), None, lambda g, at: take_row(g, at)), needs="nothing",
                      cases=lambda rng: [((rng.uniform(-3, 3, (4, 2)), np.int32(1), rng.uniform(-3, 3, (2,))), {})], doc="x with its row `at` replaced by u.")  # fmt: skip


def _grow_kernel(x: Any, at: Any, u: Any) -> Any:
    i = int(at)
    if i < 0:
        raise OutOfRangeError(f"Tried to write to index {i} of a TensorArray.")
    _fits(np.shape(u), x.shape[1:])
    out = np.zeros((max(len(x), i + 1), *x.shape[1:]), x.dtype)
    out[: len(x)] = x
    out[i] = u
    return out


def _grow_dx(g: Tensor, x_shape: tuple, at: Tensor) -> Tensor:
    n = x_shape[0]
    return write_row(g, at, st.zeros_like(take_row(g, at)))[:n] if int(at) < n else g[:n]


grow_row: Primitive = Primitive("grow_row", "x at u", _grow_kernel, shape=_grown_shape,
                     grad=(_grow_dx, None, lambda g, at: take_row(g, at)), dynamic=True,
                     cases=lambda rng: [((rng.uniform(-3, 3, (4, 2)), np.int32(i), rng.uniform(-3, 3, (2,))), {}) for i in (1, 4, 6)],
                     doc="x with its row `at` replaced by u, longer where it has to be.")  # fmt: skip
open_length = Primitive("open_length", "x", lambda x: x, shape=lambda x: Aval((None, *x.shape[1:]), x.dtype), grad=(lambda g: g,), accepts=ANY, linear=True, dynamic=True,
                        cases=lambda rng: [((rng.uniform(-3, 3, (4, 2)),), {})], doc="x, whose length a trace takes for unknown.")  # fmt: skip


@sized
def zeros(n: Any, shape: tuple, d: DType) -> Tensor:
    """A buffer of ``n`` zero elements."""
    return Tensor(np.zeros((integer(n, "size"), *shape), d.np), d)


@sized
def _joined(x: Tensor) -> Tensor:
    """The first two axes as one."""
    s = x._shape
    return st.reshape(x, shape=(s[0] * s[1], *s[2:]))


def count_of(x: Tensor) -> Tensor:
    """The length of the first axis as a tensor, also where it is open."""
    n = x._shape[0]
    return Tensor(np.int32(n), int32) if n is not None else indexing.take_one(st.shape_of(x, dtype=int32), 0, 0)


def index_of(i: Any) -> Tensor:
    t = convert(i, None, int32)
    return t if t._d is int32 else st.cast(t, int32)


class TensorArray:
    """An array of tensors of one dtype that a loop fills.

    Writing gives a new TensorArray: use the result, ``ta = ta.write(i, x)``.

    Args:
        dtype: the dtype of the elements.
        size: the number of elements; with ``dynamic_size`` it may grow.
        dynamic_size: whether writing behind the end makes it longer.
        infer_shape: the elements all have the shape of the first. Without it they may differ, but not where a loop fills the array.
        element_shape: the shape of the elements, where it is known.
        clear_after_read, tensor_array_name, handle, flow, colocate_with_first_write_call, name: accepted for TensorFlow's sake.

    Raises:
        ValueError: by ``write``, for an element of another shape or dtype.

    >>> import gradtape as tf
    >>> ta = tf.TensorArray(tf.float32, size=2)
    >>> ta = ta.write(0, 1.0).write(1, 2.0)
    >>> ta.stack().numpy().tolist()
    [1.0, 2.0]
    """

    def __init__(self, dtype: Any, size: Any = None, dynamic_size: bool | None = None, clear_after_read: bool | None = None, tensor_array_name: str | None = None,
                 handle: Any = None, flow: Any = None, infer_shape: bool = True, element_shape: Any = None, colocate_with_first_write_call: bool = True,
                 name: str | None = None) -> None:  # fmt: skip
        self._d = as_dtype(dtype)
        self._dynamic = bool(dynamic_size)
        n = 0 if size is None else size
        n = n if isinstance(n, int) else convert(n)
        self._size = (
            n if isinstance(n, SymbolicTensor) else None
        )  # the number of elements, where a traced program computes it
        self._items: list[Any] = [] if self._size is not None else [None] * int(n)
        self._buffer: Tensor | None = None
        spec = TensorShape(element_shape)
        self._meta = _Meta(None if spec.rank is None else tuple(spec), infer_shape)

    @property
    def dtype(self) -> DType:
        """The dtype of the elements."""
        return self._d

    @property
    def dynamic_size(self) -> bool:
        """Whether it may grow."""
        return self._dynamic

    @property
    def element_shape(self) -> Any:
        """The TensorShape of the elements."""
        return TensorShape(self._meta.shape)

    @property
    def unsettled(self) -> bool:
        """Whether nobody knows yet what shape a buffer for its elements has."""
        return self._buffer is None and (self._meta.shape is None or None in self._meta.shape)

    def _with(self, items: list, buffer: Tensor | None) -> TensorArray:
        new = object.__new__(TensorArray)
        new._d, new._dynamic, new._meta, new._items, new._buffer = self._d, self._dynamic, self._meta, items, buffer
        new._size = self._size
        return new

    def _staged(self, shape: tuple | None = None) -> Tensor:
        """The buffer that stands for the array in a graph."""
        if self._buffer is not None:
            return self._buffer
        shape = self._meta.shape if self._meta.shape is not None else shape
        if shape is None or None in shape:
            raise invalid(
                f"A TensorArray that a loop fills has elements of one known shape, but here it is {'unknown' if shape is None else dims_text(shape)}: give element_shape. "
                f"For elements of different lengths pad them (tf.pad), or grow one tensor by tf.concat, whose shape a shape invariant leaves open.{user_line()}"
            )
        if self._size is not None:
            return zeros(self._size, shape, self._d)
        parts = [Tensor(np.zeros(shape, self._d.np)[()], self._d) if x is None else x for x in self._items]
        whole = st.stack(*parts, axis=0) if parts else Tensor(np.zeros((0, *shape), self._d.np), self._d)
        return open_length(state.trace.local(whole)) if self._dynamic and state.trace is not None else whole

    def write(self, index: Any, value: Any, name: str | None = None) -> TensorArray:
        """The array with element ``index`` set to ``value``. OutOfRangeError behind the end of an array that may not grow."""
        v = convert(value, None, self._d)
        if v._d is not self._d:
            raise invalid(f"A TensorArray of {self._d.name} cannot hold a tensor of {v._d.name}.")
        self._meta.see(v._shape)
        i = index_of(index)
        if self._buffer is None and self._size is None and not isinstance(i, SymbolicTensor):
            at = int(i)
            items = self._items.copy()
            if at >= len(items) and self._dynamic:
                items += [None] * (at + 1 - len(items))
            if not 0 <= at < len(items):
                raise OutOfRangeError(
                    f"Tried to write to index {at} but array is not resizeable and size is: {len(items)}{user_line()}"
                )
            items[at] = v
            return self._with(items, None)
        return self._with([], (grow_row if self._dynamic else write_row)(self._staged(v._shape), i, v))

    def read(self, index: Any, name: str | None = None) -> Tensor:
        """Element ``index``."""
        i = index_of(index)
        if self._buffer is None and self._size is None and not isinstance(i, SymbolicTensor):
            at = int(i)
            if not 0 <= at < len(self._items):
                raise OutOfRangeError(
                    f"Tried to read from index {at} but array size is: {len(self._items)}{user_line()}"
                )
            x = self._items[at]
            if x is None:
                if self._meta.shape is None:
                    raise invalid(f"Could not read from TensorArray index {at}: nothing was written there.")
                return Tensor(np.zeros(self._meta.shape, self._d.np)[()], self._d)
            return x
        return take_row(self._staged(), i)

    def stack(self, name: str | None = None) -> Tensor:
        """All elements in one tensor, along a new first axis."""
        return self._staged(())

    def gather(self, indices: Any, name: str | None = None) -> Tensor:
        """The elements at ``indices``, stacked."""
        return indexing.gather(self._staged(()), convert(indices), axis=0, batch_dims=0)

    def concat(self, name: str | None = None) -> Tensor:
        """All elements joined along their first axis."""
        if self._buffer is None:
            return st.concat(*self._items, axis=0)
        return _joined(self._buffer)

    def unstack(self, value: Any, name: str | None = None) -> TensorArray:
        """The array filled with the rows of ``value``."""
        v = convert(value, None, self._d)
        self._meta.see(v._shape[1:])
        if isinstance(v, SymbolicTensor):
            return self._with([], v)
        return self._with(list(st.unstack(v, axis=0)) if v._shape[0] else [], None)

    def scatter(self, indices: Any, value: Any, name: str | None = None) -> TensorArray:
        """The array with the rows of ``value`` written at ``indices``."""
        out = self
        v = convert(value, None, self._d)
        i = index_of(indices)
        if i._shape == (None,) or v._shape[0] is None:
            raise ValueError(
                f"TensorArray.scatter needs to know how many elements there are while it is traced.{user_line()}"
            )
        for n in range(v._shape[0]):
            out = out.write(indexing.take_one(i, 0, n), indexing.take_one(v, 0, n))
        return out

    def split(self, value: Any, lengths: Any, name: str | None = None) -> TensorArray:
        """The array filled with pieces of ``value`` of the given lengths along the first axis."""
        sizes = tuple(int(n) for n in np.asarray(lengths).ravel())
        return self._with(list(st.split(convert(value, None, self._d), sizes=sizes, axis=0)), None)

    def size(self, name: str | None = None) -> Tensor:
        """The number of elements, int32."""
        if self._buffer is None:
            return self._size if self._size is not None else Tensor(np.int32(len(self._items)), int32)
        return count_of(self._buffer)

    def identity(self) -> TensorArray:
        """The array."""
        return self

    def close(self, name: str | None = None) -> None:
        """Nothing: memory goes with the last reference."""

    def mark_used(self) -> None:
        """Nothing."""


class _Meta:
    """What the versions of one TensorArray know together: the shape of the elements."""

    __slots__ = ("given", "infer", "shape")

    def __init__(self, given: tuple | None, infer: bool) -> None:
        self.given, self.shape, self.infer = given, given, infer

    def see(self, shape: tuple) -> None:
        """An element has this shape. ValueError if it may not."""
        mine = self.shape
        if mine is None:
            self.shape = shape
            return
        if _compatible(mine, shape):
            self.shape = tuple([e if d is None else d for d, e in zip(mine, shape, strict=True)])
            return
        if self.infer or (self.given is not None and not _compatible(self.given, shape)):
            raise ValueError(
                f"Inconsistent shapes: saw {shape} but expected {mine}: the elements of a TensorArray have one shape.{user_line()}"
            )
        self.shape = (
            tuple([d if d == e else None for d, e in zip(mine, shape, strict=True)]) if len(mine) == len(shape) else ()
        )


def _compatible(a: tuple, b: tuple) -> bool:
    return len(a) == len(b) and all([d == e or None in (d, e) for d, e in zip(a, b, strict=True)])
