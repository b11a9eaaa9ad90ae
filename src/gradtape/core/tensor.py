"""Tensor: an immutable array with a dtype, and the conversion of everything else to it."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np

from ..ground.dtypes import (
    COMPLEX,
    FLOAT,
    INT,
    STRING,
    DType,
    as_dtype,
    bool_,
    complex128,
    float32,
    int32,
    int64,
    of_numpy,
    string,
)
from ..ground.errors import invalid, none_gradient
from ..ground.shapes import TensorShape

_next_key = count(1).__next__


class Tensor:
    """A multi-dimensional array of one dtype that never changes. Make one with ``tf.constant`` or by an operation.

    Operators follow TensorFlow: Python numbers take the tensor's dtype, two tensors of different dtype are an error.

    Attributes:
        dtype: the DType of its elements.
        shape: its TensorShape.
    """

    # _a: a NumPy array, or a NumPy scalar where the shape is () (an operation on it costs an eighth); `bytes` for string scalars
    # _d: the DType;  _k: 0, or the number under which tapes know this tensor
    __slots__ = ("__weakref__", "_a", "_d", "_k")
    __array_priority__ = 100
    _special = (
        0  # above 0 for subclasses (batched, traced) that interpret operations themselves; the highest goes first
    )
    _unites = False  # True for formulas, which take numbers of any real dtype

    def __init__(self, a: Any, d: DType) -> None:
        self._a = a
        self._d = d
        self._k = 0

    if TYPE_CHECKING:  # installed by core.operators, core.products and core.slicing
        # fmt: off
        def __add__(self, other: Any, /) -> Tensor: ...
        def __radd__(self, other: Any, /) -> Tensor: ...
        def __sub__(self, other: Any, /) -> Tensor: ...
        def __rsub__(self, other: Any, /) -> Tensor: ...
        def __mul__(self, other: Any, /) -> Tensor: ...
        def __rmul__(self, other: Any, /) -> Tensor: ...
        def __truediv__(self, other: Any, /) -> Tensor: ...
        def __rtruediv__(self, other: Any, /) -> Tensor: ...
        def __floordiv__(self, other: Any, /) -> Tensor: ...
        def __rfloordiv__(self, other: Any, /) -> Tensor: ...
        def __mod__(self, other: Any, /) -> Tensor: ...
        def __rmod__(self, other: Any, /) -> Tensor: ...
        def __pow__(self, other: Any, /) -> Tensor: ...
        def __rpow__(self, other: Any, /) -> Tensor: ...
        def __matmul__(self, other: Any, /) -> Tensor: ...
        def __rmatmul__(self, other: Any, /) -> Tensor: ...
        def __lt__(self, other: Any, /) -> Tensor: ...
        def __le__(self, other: Any, /) -> Tensor: ...
        def __gt__(self, other: Any, /) -> Tensor: ...
        def __ge__(self, other: Any, /) -> Tensor: ...
        def __and__(self, other: Any, /) -> Tensor: ...
        def __rand__(self, other: Any, /) -> Tensor: ...
        def __or__(self, other: Any, /) -> Tensor: ...
        def __ror__(self, other: Any, /) -> Tensor: ...
        def __xor__(self, other: Any, /) -> Tensor: ...
        def __rxor__(self, other: Any, /) -> Tensor: ...
        def __neg__(self) -> Tensor: ...
        def __pos__(self) -> Tensor: ...
        def __abs__(self) -> Tensor: ...
        def __invert__(self) -> Tensor: ...
        def __getitem__(self, key: Any, /) -> Tensor: ...
        def __iter__(self) -> Iterator[Tensor]: ...
        # fmt: on

    # -- what it is ---------------------------------------------------------------------------------------------------
    @property
    def dtype(self) -> DType:
        """The DType of the elements."""
        return self._d

    @property
    def shape(self) -> TensorShape:
        """The TensorShape."""
        return TensorShape._of(self._shape)

    @property
    def _shape(self) -> tuple[Any, ...]:
        a = self._a
        return a.shape if type(a) is not bytes else ()

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return len(self._shape)

    @property
    def device(self) -> str:
        """The device that holds the tensor."""
        return "/job:localhost/replica:0/task:0/device:CPU:0"

    @property
    def name(self) -> str:
        """Undefined for eager tensors, as in TensorFlow."""
        raise AttributeError("Tensor.name is undefined when eager execution is enabled.")

    def get_shape(self) -> TensorShape:
        """The TensorShape."""
        return self.shape

    def set_shape(self, shape: Any) -> None:
        """Check that the shape is compatible with ``shape``. ValueError if not."""
        if not self.shape.is_compatible_with(shape):
            raise ValueError(f"Tensor's shape {self.shape} is not compatible with supplied shape {TensorShape(shape)}.")

    def numpy(self) -> Any:
        """The value as a NumPy array (a copy) or, for shape (), a NumPy scalar; strings are ``bytes``."""
        a = self._a
        return a.copy() if isinstance(a, np.ndarray) else a

    def _numpy(self) -> Any:
        return self._a

    def ref(self) -> Reference:
        """A hashable reference to this tensor, for use as a dict key."""
        return Reference(self)

    def experimental_ref(self) -> Reference:
        """The old name of ``ref``."""
        return Reference(self)

    # -- to Python and NumPy ------------------------------------------------------------------------------------------
    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        a = self._a
        if not isinstance(a, np.ndarray):
            return np.array(a, dtype=dtype if dtype is not None else self._d.np)
        if dtype is not None and dtype != a.dtype:
            return a.astype(dtype)
        if copy:
            return a.copy()
        view = a.view()
        view.flags.writeable = False
        return view

    def __dlpack__(self, **kwargs: Any) -> Any:
        return np.asarray(self._a).copy().__dlpack__(**kwargs)

    def __dlpack_device__(self) -> tuple[int, int]:
        return 1, 0

    def _scalar(self, what: str) -> Any:
        a = self._a
        if isinstance(a, np.ndarray):
            if a.size != 1:
                raise TypeError(
                    f"Only tensors with one element can be converted to a Python {what}; this one has shape {self.shape}."
                )
            return a.reshape(())[()]
        return a

    def __bool__(self) -> bool:
        a = self._a
        if isinstance(a, np.ndarray) and a.size != 1:
            if not a.size:
                return False
            raise invalid(
                f"The truth value of a tensor of shape {self.shape} is ambiguous. Use tf.reduce_any(x) or tf.reduce_all(x)."
            )
        return bool(a)

    __nonzero__ = __bool__

    def __int__(self) -> int:
        return int(self._scalar("int"))

    def __float__(self) -> float:
        return float(self._scalar("float"))

    def __complex__(self) -> complex:
        return complex(self._scalar("complex"))

    def __index__(self) -> int:
        if not self._d.is_integer:
            raise TypeError(f"Only integer scalar tensors can be converted to a scalar index, not {self._d.name}.")
        return operator.index(self._scalar("index"))

    def __len__(self) -> int:
        shape = self._shape
        if not shape:
            raise TypeError("Scalar tensor has no `len()`")
        return shape[0]

    def __format__(self, spec: str) -> str:
        return format(self._a, spec)

    def __hash__(self) -> int:
        raise TypeError("Tensor is unhashable. Instead, use tensor.ref() as the key.")

    def __copy__(self) -> Tensor:
        return self

    def __deepcopy__(self, memo: Any) -> Tensor:
        return Tensor(self._a, self._d)

    def __reduce__(self) -> tuple:
        return _rebuild, (self._a if type(self._a) is bytes else np.asarray(self._a), self._d.name)

    def __setitem__(self, key: Any, value: Any) -> None:
        raise TypeError(
            "'Tensor' object does not support item assignment. Tensors never change: use tf.tensor_scatter_nd_update(t, indices, updates) or a Variable."
        )

    def __str__(self) -> str:
        from .text import tensor_str

        return tensor_str(self._a, self._shape, self._d.name)

    def __repr__(self) -> str:
        from .text import tensor_repr

        return tensor_repr(self._a, self._shape, self._d.name)


def _rebuild(a: np.ndarray, name: str) -> Tensor:
    return Tensor(unbox(a.copy()) if isinstance(a, np.ndarray) else a, as_dtype(name))


class Reference:
    """A hashable stand-in for a tensor or variable, equal when it refers to the same object."""

    __slots__ = ("_x",)

    def __init__(self, x: Any) -> None:
        self._x = x

    def deref(self) -> Any:
        """The object referred to."""
        return self._x

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reference) and (self._x is other._x or hash(self) == hash(other) < 0)

    def __hash__(self) -> int:
        return -1 - getattr(self._x, "_uid", -1 - id(self._x))  # a variable's own number, below 0; else the address

    def __repr__(self) -> str:
        return f"<Reference wrapping {self._x!r}>"


def unbox(a: Any) -> Any:
    """A 0-d array as its scalar; anything else as it is."""
    return a[()] if type(a) is np.ndarray and not a.ndim else a


_FLOAT32_MAX = float(np.finfo(np.float32).max)
_INT64_MAX = np.iinfo(np.int64).max
_UNSIZED = {float: float32, int: int32, bool: bool_, complex: complex128, str: string, bytes: string}


def convert(value: Any, dtype: DType | None = None, hint: DType | None = None) -> Tensor:
    """``value`` as a Tensor.

    Args:
        value: a Tensor, Variable, Python number, string, NumPy array or scalar, or a nest of lists of those.
        dtype: the wanted dtype; a Tensor of another dtype is an error.
        hint: a dtype to prefer where ``value`` can take it without loss of kind.

    Raises:
        ValueError, TypeError: no tensor can be made of it, or not one of that dtype.
    """
    if isinstance(value, Tensor):
        if dtype is not None and value._d is not dtype:
            raise ValueError(
                f"Tensor conversion requested dtype {dtype.name} for Tensor with dtype {value._d.name}: {value!r}. Use tf.cast to convert."
            )
        return value
    to = getattr(value, "_to_tensor", None)  # Variable, IndexedSlices
    if to is not None:
        return convert(to(), dtype)
    if type(value) not in _UNSIZED and hasattr(value, "__tf_tensor__"):  # TensorFlow's protocol
        return convert(value.__tf_tensor__(dtype), dtype)
    if dtype is None and hint is not None and fits(value, hint):
        dtype = hint
    if isinstance(value, list | tuple) and _holds_tensors(value):
        return _pack(value, dtype)
    return Tensor(*array_of(value, dtype))


def fits(value: Any, d: DType) -> bool:
    """Whether ``value`` (no tensor) may take dtype ``d`` without a change of kind: ints fit floats, floats do not fit ints."""
    t = type(value)
    if t is int or t is float or t is bool:
        if t is bool:
            return d is not string
        return d.is_inexact or (t is int and d.is_integer)
    if isinstance(value, list | tuple):
        return all(fits(v, d) for v in value) if value else True
    if isinstance(value, complex):
        return d.is_complex
    if isinstance(value, str | bytes):
        return d is string
    if isinstance(value, Tensor):
        return value._d is d
    have = of_numpy.get(getattr(value, "dtype", None))
    if have is None:
        return False
    if have.kind == d.kind:
        return True
    return (have.is_integer and d.kind & (INT | FLOAT | COMPLEX) != 0) or (have.is_floating and d.is_inexact)


def array_of(value: Any, dtype: DType | None) -> tuple[Any, DType]:
    """(array or scalar, DType) for a value that holds no tensors; always a copy of an array."""
    t = type(value)
    if t in _UNSIZED:
        d = dtype or _UNSIZED[t]
        if dtype is None and t is int and not -2147483648 <= value <= 2147483647:
            d = int64
        elif dtype is not None and not _python_fits(t, d):
            raise TypeError(f"Cannot convert {value!r} to a tensor of dtype {d.name}.")
        try:
            if d.kind == STRING:
                return (value.encode() if t is str else value), d
            if t is float and d is float32 and abs(value) > _FLOAT32_MAX and value not in (math.inf, -math.inf):
                raise ValueError(
                    f"{value!r} is out of range for dtype float32: it holds numbers up to {_FLOAT32_MAX:.7g}."
                )
            return d.type(value), d
        except OverflowError:
            raise invalid(f"{value!r} is out of range for dtype {d.name}: it holds [{d.min}, {d.max}].") from None
    if value is None:
        raise none_gradient(
            "Attempt to convert a value (None) with an unsupported type (<class 'NoneType'>) to a Tensor"
        )
    if isinstance(value, list | tuple) or getattr(value, "dtype", None) is None:
        a, default = _from_sequence(value)
    else:
        a, default = np.asarray(value), None
    python = default is not None
    kind = a.dtype.kind
    if kind in "USO":
        if kind == "O" and not all(isinstance(v, str | bytes) for v in a.ravel()):
            raise ValueError(
                f"Can't convert a Python sequence with mixed types, or an object of type {t.__name__}, to a Tensor: {_short(value)}."
            )
        if dtype not in (None, string):
            raise TypeError(f"Cannot convert strings to a tensor of dtype {dtype.name}: {_short(value)}.")
        b = np.empty(a.shape, object)
        b.ravel()[:] = [v.encode() if isinstance(v, str) else v for v in a.ravel().tolist()]
        return (b[()] if not b.ndim else b), string
    have = of_numpy.get(a.dtype) or of_numpy.get(a.dtype.newbyteorder("="))
    if have is None:
        raise ValueError(f"Failed to convert a NumPy array of dtype {a.dtype} to a Tensor: {_short(value)}.")
    if dtype is None:
        d = default or have
    else:
        d = dtype
        if (
            d is string
            or (python and have.kind == FLOAT and d.is_integer and a.size)
            or (have.is_complex and not d.is_complex)
        ):
            raise TypeError(f"Cannot convert {_short(value)} to a tensor of dtype {d.name}.")
        if python and d.is_integer and a.size and (a.min() < d.min or a.max() > d.max):
            raise invalid(f"{_short(value)} is out of range for dtype {d.name}: it holds [{d.min}, {d.max}].")
    with np.errstate(all="ignore"):
        out = a.astype(d.np, order="C")  # always a copy: the caller's array may change, a tensor may not
        if python and d is float32 and np.isinf(out).any() and not np.array_equal(np.isinf(out), np.isinf(a)):
            raise ValueError(
                f"{_short(value)} is out of range for dtype float32: it holds numbers up to {_FLOAT32_MAX:.7g}."
            )
    return (out[()] if not out.ndim else out), d


def _python_fits(t: type, d: DType) -> bool:
    if t is bool:
        return d is not string
    if t in (str, bytes):
        return d is string
    if t is int:
        return bool(d.kind & ~STRING) and d is not bool_
    return d.is_complex if t is complex else d.is_inexact or d.is_floating


def _from_sequence(value: Any) -> tuple[np.ndarray, DType | None]:
    """A nest of lists as an array, and the dtype that it gets where none is asked for.

    As in TensorFlow, NumPy's integers count as Python's, and the first element says which float is meant.
    """
    try:
        a = np.array(value)
        if a.dtype.kind in "SU":  # NumPy's strings lose zero bytes at the end, and swallow numbers
            a = np.array(value, dtype=object)
    except (ValueError, TypeError, OverflowError) as e:
        raise ValueError(f"Can't convert non-rectangular Python sequence to Tensor: {_short(value)} ({e}).") from None
    kind = a.dtype.kind
    if kind not in "fiuc" or not a.size:
        return a, float32 if kind == "f" else None
    first = value
    while isinstance(first, list | tuple | range):
        first = next((v for v in first if not isinstance(v, list | tuple) or len(v)), None)
    if isinstance(first, bool | np.bool_) or (kind == "c" and np.asarray(first).dtype.kind != "c"):
        raise ValueError(f"Can't convert Python sequence with mixed types to Tensor: {_short(value)}.")
    if kind == "f":
        first_dtype = of_numpy.get(getattr(first, "dtype", None))
        return a, first_dtype if first_dtype is not None and first_dtype.is_floating else float32
    if kind == "c":
        return a, complex128
    if a.max() > _INT64_MAX:
        raise ValueError(f"Can't convert Python sequence with out-of-range integer to Tensor: {_short(value)}.")
    return a, int32 if a.min() >= -2147483648 and a.max() <= 2147483647 else int64


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _holds_tensors(value: Any) -> bool:
    for v in value:
        if isinstance(v, Tensor) or hasattr(v, "_to_tensor") or (isinstance(v, list | tuple) and _holds_tensors(v)):
            return True
    return False


def _pack(value: Any, dtype: DType | None) -> Tensor:
    """A nest of lists that holds tensors, stacked (differentiably)."""
    from ..primitives.structure import stack

    if dtype is None:
        flat = list(value)
        while flat and dtype is None:
            v = flat.pop(0)
            if isinstance(v, list | tuple):
                flat[:0] = v
            elif isinstance(v, Tensor) or hasattr(v, "_to_tensor"):
                dtype = v.dtype
    parts = [convert(v, None, dtype) for v in value]
    shapes = {p._shape for p in parts}
    if len(shapes) > 1:
        raise invalid(f"Shapes of all inputs must match to be packed into one tensor: got {[list(s) for s in shapes]}.")
    for p in parts:
        if p._d is not parts[0]._d:
            raise invalid(
                f"All tensors in a list must have one dtype to be packed into one tensor: got {parts[0]._d.name} and {p._d.name}."
            )
    return stack(*parts, axis=0)


def constant(value: Any, dtype: Any = None, shape: Any = None, name: str | None = None) -> Tensor:
    """A tensor made of a Python number, string, list or NumPy array.

    Args:
        value: the value; floats become float32, ints int32 (int64 where they need it), unless NumPy gave them a dtype.
        dtype: the wanted dtype.
        shape: the wanted shape; a single value is repeated to fill it.
        name: ignored, for TensorFlow's sake.

    Raises:
        TypeError: the value does not fit ``dtype`` (a float for an integer type, say).
        ValueError: not rectangular, or not of ``shape``.

    >>> import gradtape as tf
    >>> tf.constant([1, 2, 3])
    <tf.Tensor: shape=(3,), dtype=int32, numpy=array([1, 2, 3], dtype=int32)>
    """
    d = None if dtype is None else as_dtype(dtype)
    if isinstance(value, Tensor):
        if d is not None and value._d is not d:
            from ..primitives.structure import cast

            value = cast(value, dtype=d)
        t = value
    else:
        t = convert(value, d)
    if shape is None:
        return t if not isinstance(value, Tensor) else value
    want = tuple(int(s) for s in shape)
    a = np.asarray(t._a)
    if a.shape == want:
        return t
    if a.size == 1:
        return Tensor(unbox(np.full(want, a.reshape(())[()], a.dtype)), t._d)
    if a.size != int(np.prod(want)):
        raise TypeError(
            f"Eager execution of tf.constant with unsupported shape. Tensor {t!r} (converted from {_short(value)}) has {a.size:d} elements, but got `shape` {want} with {int(np.prod(want)):d} elements)."
        )
    return Tensor(unbox(a.reshape(want)), t._d)


def convert_to_tensor(value: Any, dtype: Any = None, dtype_hint: Any = None, name: str | None = None) -> Tensor:
    """``value`` as a Tensor; a Tensor is returned as it is.

    Args:
        value: a Tensor, Variable, Python number, string, NumPy array, or a nest of lists of those.
        dtype: the dtype it must have; a Tensor of another is an error.
        dtype_hint: the dtype to prefer where ``value`` has none of its own.
        name: ignored, for TensorFlow's sake.

    Raises:
        ValueError: a Tensor of another dtype, or no tensor can be made of ``value``.
        TypeError: ``value`` does not fit ``dtype``.

    >>> import gradtape as tf
    >>> tf.convert_to_tensor([1.0, 2.0]).dtype
    tf.float32
    """
    own = getattr(value, "value", None) if hasattr(value, "assign") else None
    if callable(own):  # a variable: a tensor of its own, so that it does not count as a read of the variable later on
        value = own()
    return convert(
        value, None if dtype is None else as_dtype(dtype), None if dtype_hint is None else as_dtype(dtype_hint)
    )


def is_tensor(x: Any) -> bool:
    """Whether ``x`` is a Tensor, Variable or IndexedSlices.

    >>> import gradtape as tf
    >>> tf.is_tensor(tf.constant(1.0)), tf.is_tensor(1.0)
    (True, False)
    """
    return isinstance(x, Tensor) or hasattr(x, "_to_tensor")
