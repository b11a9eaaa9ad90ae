"""Element types: thin names over NumPy's dtypes, with TensorFlow's spelling and questions."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

BOOL, INT, UINT, FLOAT, COMPLEX, STRING = 1, 2, 4, 8, 16, 32
STORAGE = 64  # float8, int4 ...: kept, moved and cast, but not calculated with
HALF = 128  # in place of FLOAT in `lane`: float16 and bfloat16
REAL = INT | UINT | FLOAT
NUMERIC = REAL | COMPLEX
INEXACT = FLOAT | COMPLEX
ANY = BOOL | NUMERIC | STRING | STORAGE

_KIND_WORDS = {
    BOOL: "bool",
    INT: "signed integer",
    UINT: "unsigned integer",
    FLOAT: "float",
    COMPLEX: "complex",
    STRING: "string",
    STORAGE: "8-bit float and 4-bit integer",
}


def kinds_text(mask: int) -> str:
    """The kinds in ``mask`` in words, for error messages."""
    return ", ".join(word for bit, word in _KIND_WORDS.items() if bit & mask)


class DType:
    """The type of a tensor's elements. There is one object for each type: compare with ``==`` or ``is``.

    Attributes:
        name: ``"float32"``, ...
        np: the NumPy dtype.
        type: the NumPy scalar type.
        kind: one of the kind bits (BOOL, INT, UINT, FLOAT, COMPLEX, STRING, STORAGE).
        lane: the kind, but HALF for float16 and bfloat16: by it the dispatch tells which kernel to run.
    """

    __slots__ = (
        "_real",
        "enum",
        "is_complex",
        "is_floating",
        "is_inexact",
        "is_integer",
        "kind",
        "lane",
        "name",
        "np",
        "numbers",
        "type",
    )

    def __init__(self, name: str, np_type: Any, kind: int, enum: int) -> None:
        self.name = name
        self.np = np.dtype(np_type)
        self.type: Any = self.np.type if kind != STRING else bytes
        self.kind = kind
        self.enum = enum
        self.lane = HALF if kind == FLOAT and self.np.itemsize == 2 else kind
        self.is_floating = kind == FLOAT or (kind == STORAGE and "float" in name)
        self.is_integer = kind in (INT, UINT) or (kind == STORAGE and "int" in name)
        self.is_complex = kind == COMPLEX
        self.is_inexact = kind in (FLOAT, COMPLEX)
        self._real = self
        self.numbers: dict[float, Any] = {}  # tensors of Python numbers that operators have met

    @property
    def as_numpy_dtype(self) -> Any:
        """The NumPy scalar type (``object`` for strings)."""
        return object if self.kind == STRING else self.type

    @property
    def as_datatype_enum(self) -> int:
        """TensorFlow's number for this type."""
        return self.enum

    @property
    def base_dtype(self) -> DType:
        """Itself: there are no reference types."""
        return self

    @property
    def real_dtype(self) -> DType:
        """float32 for complex64, float64 for complex128, otherwise itself."""
        return self._real

    @property
    def is_bool(self) -> bool:
        """Whether this is tf.bool."""
        return self.kind == BOOL

    @property
    def is_unsigned(self) -> bool:
        """Whether this is an unsigned integer type."""
        return self.kind == UINT or self.name.startswith("uint")

    @property
    def is_numeric(self) -> bool:
        """Whether arithmetic is defined."""
        return bool(self.kind & NUMERIC)

    @property
    def is_numpy_compatible(self) -> bool:
        """Always true."""
        return True

    @property
    def size(self) -> int:
        """Bytes of one element."""
        return 1 if self.kind == STRING else self.np.itemsize

    @property
    def min(self) -> Any:
        """The smallest finite value. TypeError for complex and string types."""
        return self._limit("min")

    @property
    def max(self) -> Any:
        """The largest finite value. TypeError for complex and string types."""
        return self._limit("max")

    @property
    def limits(self) -> tuple[Any, Any]:
        """(min, max)."""
        return self.min, self.max

    def _limit(self, which: str) -> Any:
        if self.kind == BOOL:
            return which == "max"
        if self.is_integer:
            return int(getattr(ml_dtypes.iinfo(self.np), which))
        if self.is_floating:
            return self.type(getattr(ml_dtypes.finfo(self.np), which))
        raise TypeError(f"Cannot find {which}imum value of {self!r}.")

    def is_compatible_with(self, other: Any) -> bool:
        """Whether ``other`` names the same type."""
        return as_dtype(other) is self

    def __eq__(self, other: object) -> bool:
        if other is self:
            return True
        if other is None or isinstance(other, DType):
            return False
        try:
            return as_dtype(other) is self
        except TypeError:
            return False

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = object.__hash__  # there is one object for each type

    def __repr__(self) -> str:
        return f"tf.{self.name}"

    def __str__(self) -> str:
        return f"<dtype: '{self.name}'>"

    def __reduce__(self) -> tuple:
        return as_dtype, (self.name,)


float32 = DType("float32", np.float32, FLOAT, 1)
float64 = DType("float64", np.float64, FLOAT, 2)
int32 = DType("int32", np.int32, INT, 3)
uint8 = DType("uint8", np.uint8, UINT, 4)
int16 = DType("int16", np.int16, INT, 5)
int8 = DType("int8", np.int8, INT, 6)
string = DType("string", object, STRING, 7)
complex64 = DType("complex64", np.complex64, COMPLEX, 8)
int64 = DType("int64", np.int64, INT, 9)
bool_ = DType("bool", np.bool_, BOOL, 10)
bfloat16 = DType("bfloat16", ml_dtypes.bfloat16, FLOAT, 14)
uint16 = DType("uint16", np.uint16, UINT, 17)
complex128 = DType("complex128", np.complex128, COMPLEX, 18)
float16 = DType("float16", np.float16, FLOAT, 19)
uint32 = DType("uint32", np.uint32, UINT, 22)
uint64 = DType("uint64", np.uint64, UINT, 23)
float8_e5m2 = DType("float8_e5m2", ml_dtypes.float8_e5m2, STORAGE, 24)
float8_e4m3fn = DType("float8_e4m3fn", ml_dtypes.float8_e4m3fn, STORAGE, 25)
float8_e4m3fnuz = DType("float8_e4m3fnuz", ml_dtypes.float8_e4m3fnuz, STORAGE, 26)
float8_e4m3b11fnuz = DType("float8_e4m3b11fnuz", ml_dtypes.float8_e4m3b11fnuz, STORAGE, 27)
float8_e5m2fnuz = DType("float8_e5m2fnuz", ml_dtypes.float8_e5m2fnuz, STORAGE, 28)
int4 = DType("int4", ml_dtypes.int4, STORAGE, 29)
uint4 = DType("uint4", ml_dtypes.uint4, STORAGE, 30)
half, double = float16, float64
complex64._real, complex128._real = float32, float64

ALL = (
    bool_,
    int8,
    int16,
    int32,
    int64,
    uint8,
    uint16,
    uint32,
    uint64,
    float16,
    bfloat16,
    float32,
    float64,
    complex64,
    complex128,
    string,
)
STORED = (float8_e5m2, float8_e4m3fn, float8_e4m3fnuz, float8_e4m3b11fnuz, float8_e5m2fnuz, int4, uint4)
BY_NAME = {d.name: d for d in ALL + STORED} | {"half": float16, "float": float32, "double": float64, "int": int32}
of_numpy: dict[Any, DType] = {d.np: d for d in ALL + STORED}
_BY_TYPE: dict[Any, DType] = {d.np.type: d for d in ALL + STORED if d.kind != STRING}
_BY_TYPE |= {float: float32, int: int32, bool: bool_, complex: complex128, str: string, bytes: string, object: string}
_BY_ENUM = {d.enum: d for d in ALL + STORED}


def as_dtype(value: Any) -> DType:
    """The DType that ``value`` names.

    Args:
        value: a DType, its name, a NumPy dtype or scalar type, a Python type (float means float32, int means int32) or
            TensorFlow's enum number.

    Raises:
        TypeError: ``value`` names no type that gradtape has.

    >>> import gradtape as tf
    >>> tf.as_dtype("float32")
    tf.float32
    """
    if isinstance(value, DType):
        return value
    found = None
    if isinstance(value, str):
        found = BY_NAME.get(value)
    elif isinstance(value, type):
        found = _BY_TYPE.get(value)
    elif isinstance(value, int):
        found = _BY_ENUM.get(value)
    if found is None and value is not None:
        try:
            dt = np.dtype(getattr(value, "dtype", value))
            found = string if dt.kind in "SUO" else of_numpy.get(dt)
        except TypeError:
            found = None
    if found is None:
        raise TypeError(f"Cannot convert the argument `type_value`: {value!r} to a gradtape DType.")
    return found
