"""The text of tensors, variables and `tf.print`, held against text recorded from TensorFlow 2.21.

`RECORDED` is a table of (function, arguments as Python source, text that TensorFlow wrote). To record it
anew, or to add rows (with "" for the text), run this file as a script where tensorflow is installed:

    python tests/core/test_text.py          # evaluates each row with TensorFlow and rewrites the table below
    python tests/core/test_text.py --check  # only shows the rows whose text differs; exits with 1 if any does

It was recorded with NumPy 2.4 and Python 3.11. The functions of the rows:
    repr, str       of the tensor `T(value, dtype)`
    variable        the repr and the str of the variable `V(value, dtype, name, shape)`
    print           the text of `tf.print(arguments)` with end=""
    print-sha256    the same, too long to be kept: the SHA-256 of its UTF-8 bytes

The source is evaluated with the names that `names(...)`, below, gives it; `T` and `V` make a tensor and a
variable of TensorFlow, or stand-ins that hold NumPy values.
"""

import collections
import dataclasses
import decimal
import enum
import hashlib
import pathlib
import sys
import types

import numpy as np

# ----------------------------------------------------------------------- the names that the rows' sources use


def as_array(value, dtype=None):
    """A NumPy array with TensorFlow's default dtypes; strings as an object array of bytes."""
    if isinstance(value, np.ndarray) and dtype is None:
        return value
    if dtype is not None and not hasattr(np, dtype):
        import ml_dtypes

        dtype = getattr(ml_dtypes, dtype)
    array = np.array(value, dtype)
    if array.dtype.kind in "US":
        as_bytes = np.empty(array.shape, object)
        for place, item in np.ndenumerate(np.array(value, object)):
            as_bytes[place] = item.encode() if isinstance(item, str) else item
        return as_bytes
    if dtype is None:
        array = array.astype({"float64": "float32", "int64": "int32"}.get(array.dtype.name, array.dtype))
    return array


def bit_patterns(dtype):
    """Numbers of all sizes: every pattern of a 16-bit type, 20000 seeded ones of a wider one.

    Without the subnormals that TensorFlow flushes to zero as it prints (float16's are normal in float32).
    """
    width = as_array(0, dtype).itemsize
    if width == 2:
        numbers = np.arange(1 << 16, dtype=np.uint16).view(as_array(0, dtype).dtype)
    else:
        words = np.random.Generator(np.random.PCG64(7)).integers(0, 1 << 32, 20000 * width // 4, np.uint32)
        numbers = words.view(dtype)
    tiny = 2.0 ** {"float64": -1022}.get(dtype, -126)
    with np.errstate(invalid="ignore"):
        size = np.abs(numbers.astype(np.float64))
    return numbers[~((size > 0) & (size < tiny))]


def decimals(dtype):
    """The decimal numbers that people write, 0.001 to 9.999e9 (float16: to 9.999)."""
    exponents = (0,) if dtype == "float16" else (0, 3, 6, 9)
    return as_array([float(f"{m / 1000}e{e}") for m in range(1, 10000, 7) for e in exponents], dtype)


Pair = collections.namedtuple("Pair", "x y")


class Triple(tuple):
    """A tuple subclass without fields, and with tuple's own repr."""


class Stack(list):
    pass


class Settings(dict):
    pass


class Word(str):
    pass


class Colour(enum.Enum):
    RED = 1


class Braces:
    def __repr__(self):
        return "<{}>"


@dataclasses.dataclass
class Record:
    """An atom: `tf.nest` does not look into dataclasses."""

    a: object
    b: object


@dataclasses.dataclass
class Node:
    """A dataclass that `tf.nest` does look into, by its protocol."""

    child: object
    label: str

    def __tf_flatten__(self):
        return (self.label,), (self.child,)

    @classmethod
    def __tf_unflatten__(cls, kept, parts):
        return cls(parts[0], kept[0])


class Attrs:
    """What a class made by the attrs package looks like to `tf.nest`."""

    __attrs_attrs__ = (types.SimpleNamespace(name="x"), types.SimpleNamespace(name="y"))

    def __init__(self, x, y):
        self.x, self.y = x, y

    def __repr__(self):
        return f"Attrs(x={self.x!r}, y={self.y!r})"


def names(tensor, variable):
    """The name space of the sources; `call` gives back the arguments that it was given."""
    own = (Pair, Triple, Stack, Settings, Word, Colour, Braces, Record, Node, Attrs, bit_patterns, decimals)
    return {
        "np": np, "collections": collections, "decimal": decimal, "pathlib": pathlib, "types": types,
        "T": tensor, "V": variable, "call": lambda *args, **options: (args, options),
        **{thing.__name__: thing for thing in own},
    }  # fmt: skip


# ---------------------------------------------------------------------------------------------- recorded rows
# fmt: off
RECORDED = [
    ("repr", "T(True)", "<tf.Tensor: shape=(), dtype=bool, numpy=True>"),
    ("repr", "T([True, False])", "<tf.Tensor: shape=(2,), dtype=bool, numpy=array([ True, False])>"),
    ("str", "T(True)", "tf.Tensor(True, shape=(), dtype=bool)"),
    ("str", "T([True, False])", "tf.Tensor([ True False], shape=(2,), dtype=bool)"),
    ("print", "T(True)", "1"),
    ("print", "T([True, False])", "[1 0]"),
    ("repr", "T('abc')", "<tf.Tensor: shape=(), dtype=string, numpy=b'abc'>"),
    (
        "repr",
        "T(['abc', 'd'])",
        "<tf.Tensor: shape=(2,), dtype=string, numpy=array([b'abc', b'd'], dtype=object)>",
    ),
    ("str", "T('abc')", "tf.Tensor(b'abc', shape=(), dtype=string)"),
    ("str", "T(['abc', 'd'])", "tf.Tensor([b'abc' b'd'], shape=(2,), dtype=string)"),
    ("print", "T('abc')", "abc"),
    ("print", "T(['abc', 'd'])", '["abc" "d"]'),
    ("repr", "T(-128, 'int8')", "<tf.Tensor: shape=(), dtype=int8, numpy=-128>"),
    (
        "repr",
        "T([-128, 127, 0, 65], 'int8')",
        "<tf.Tensor: shape=(4,), dtype=int8, numpy=array([-128,  127,    0,   65], dtype="
        "int8)>",
    ),
    ("str", "T(-128, 'int8')", "tf.Tensor(-128, shape=(), dtype=int8)"),
    ("str", "T([-128, 127, 0, 65], 'int8')", "tf.Tensor([-128  127    0   65], shape=(4,), dtype=int8)"),
    ("print", "T(-128, 'int8')", "-128"),
    ("print", "T([-128, 127, 0, 65], 'int8')", "[-128 127 0 65]"),
    ("repr", "T(255, 'uint8')", "<tf.Tensor: shape=(), dtype=uint8, numpy=255>"),
    (
        "repr",
        "T([0, 255, 65], 'uint8')",
        "<tf.Tensor: shape=(3,), dtype=uint8, numpy=array([  0, 255,  65], dtype=uint8)>",
    ),
    ("str", "T(255, 'uint8')", "tf.Tensor(255, shape=(), dtype=uint8)"),
    ("str", "T([0, 255, 65], 'uint8')", "tf.Tensor([  0 255  65], shape=(3,), dtype=uint8)"),
    ("print", "T(255, 'uint8')", "255"),
    ("print", "T([0, 255, 65], 'uint8')", "[0 255 65]"),
    ("repr", "T(-5, 'int16')", "<tf.Tensor: shape=(), dtype=int16, numpy=-5>"),
    (
        "repr",
        "T([-32768, 32767], 'int16')",
        "<tf.Tensor: shape=(2,), dtype=int16, numpy=array([-32768,  32767], dtype=int16)>",
    ),
    ("str", "T(-5, 'int16')", "tf.Tensor(-5, shape=(), dtype=int16)"),
    ("str", "T([-32768, 32767], 'int16')", "tf.Tensor([-32768  32767], shape=(2,), dtype=int16)"),
    ("print", "T(-5, 'int16')", "-5"),
    ("print", "T([-32768, 32767], 'int16')", "[-32768 32767]"),
    ("repr", "T(65535, 'uint16')", "<tf.Tensor: shape=(), dtype=uint16, numpy=65535>"),
    (
        "repr",
        "T([0, 65535], 'uint16')",
        "<tf.Tensor: shape=(2,), dtype=uint16, numpy=array([    0, 65535], dtype=uint16)>",
    ),
    ("str", "T(65535, 'uint16')", "tf.Tensor(65535, shape=(), dtype=uint16)"),
    ("str", "T([0, 65535], 'uint16')", "tf.Tensor([    0 65535], shape=(2,), dtype=uint16)"),
    ("print", "T(65535, 'uint16')", "65535"),
    ("print", "T([0, 65535], 'uint16')", "[0 65535]"),
    ("repr", "T(-5, 'int32')", "<tf.Tensor: shape=(), dtype=int32, numpy=-5>"),
    (
        "repr",
        "T([-2147483648, 2147483647], 'int32')",
        "<tf.Tensor: shape=(2,), dtype=int32, numpy=array([-2147483648,  2147483647], dty"
        "pe=int32)>",
    ),
    ("str", "T(-5, 'int32')", "tf.Tensor(-5, shape=(), dtype=int32)"),
    (
        "str",
        "T([-2147483648, 2147483647], 'int32')",
        "tf.Tensor([-2147483648  2147483647], shape=(2,), dtype=int32)",
    ),
    ("print", "T(-5, 'int32')", "-5"),
    ("print", "T([-2147483648, 2147483647], 'int32')", "[-2147483648 2147483647]"),
    ("repr", "T(7, 'uint32')", "<tf.Tensor: shape=(), dtype=uint32, numpy=7>"),
    (
        "repr",
        "T([0, 4294967295], 'uint32')",
        "<tf.Tensor: shape=(2,), dtype=uint32, numpy=array([         0, 4294967295], dtyp"
        "e=uint32)>",
    ),
    ("str", "T(7, 'uint32')", "tf.Tensor(7, shape=(), dtype=uint32)"),
    ("str", "T([0, 4294967295], 'uint32')", "tf.Tensor([         0 4294967295], shape=(2,), dtype=uint32)"),
    ("print", "T(7, 'uint32')", "7"),
    ("print", "T([0, 4294967295], 'uint32')", "[0 4294967295]"),
    ("repr", "T(2**53 + 1, 'int64')", "<tf.Tensor: shape=(), dtype=int64, numpy=9007199254740993>"),
    (
        "repr",
        "T([-2**63, 2**63 - 1], 'int64')",
        "<tf.Tensor: shape=(2,), dtype=int64, numpy=array([-9223372036854775808,  9223372"
        "036854775807])>",
    ),
    ("str", "T(2**53 + 1, 'int64')", "tf.Tensor(9007199254740993, shape=(), dtype=int64)"),
    (
        "str",
        "T([-2**63, 2**63 - 1], 'int64')",
        "tf.Tensor([-9223372036854775808  9223372036854775807], shape=(2,), dtype=int64)",
    ),
    ("print", "T(2**53 + 1, 'int64')", "9007199254740993"),
    ("print", "T([-2**63, 2**63 - 1], 'int64')", "[-9223372036854775808 9223372036854775807]"),
    ("repr", "T(2**64 - 1, 'uint64')", "<tf.Tensor: shape=(), dtype=uint64, numpy=18446744073709551615>"),
    (
        "repr",
        "T([0, 2**64 - 1], 'uint64')",
        "<tf.Tensor: shape=(2,), dtype=uint64, numpy=array([                   0, 1844674"
        "4073709551615], dtype=uint64)>",
    ),
    ("str", "T(2**64 - 1, 'uint64')", "tf.Tensor(18446744073709551615, shape=(), dtype=uint64)"),
    (
        "str",
        "T([0, 2**64 - 1], 'uint64')",
        "tf.Tensor([                   0 18446744073709551615], shape=(2,), dtype=uint64)",
    ),
    ("print", "T(2**64 - 1, 'uint64')", "18446744073709551615"),
    ("print", "T([0, 2**64 - 1], 'uint64')", "[0 18446744073709551615]"),
    ("repr", "T(0.1, 'float16')", "<tf.Tensor: shape=(), dtype=float16, numpy=0.0999755859375>"),
    (
        "repr",
        "T([0.1, 1, 65504, 6e-8], 'float16')",
        "<tf.Tensor: shape=(4,), dtype=float16, numpy=array([1.00e-01, 1.00e+00, 6.55e+04"
        ", 5.96e-08], dtype=float16)>",
    ),
    ("str", "T(0.1, 'float16')", "tf.Tensor(0.1, shape=(), dtype=float16)"),
    (
        "str",
        "T([0.1, 1, 65504, 6e-8], 'float16')",
        "tf.Tensor([1.00e-01 1.00e+00 6.55e+04 5.96e-08], shape=(4,), dtype=float16)",
    ),
    ("print", "T(0.1, 'float16')", "0.0999755859"),
    ("print", "T([0.1, 1, 65504, 6e-8], 'float16')", "[0.0999755859 1 65504 5.96046448e-08]"),
    ("repr", "T(0.1, 'bfloat16')", "<tf.Tensor: shape=(), dtype=bfloat16, numpy=0.10009765625>"),
    (
        "repr",
        "T([0.1, 1, 3e38, -2.5], 'bfloat16')",
        "<tf.Tensor: shape=(4,), dtype=bfloat16, numpy=array([0.100098, 1, 3.00406e+38, -"
        "2.5], dtype=bfloat16)>",
    ),
    ("str", "T(0.1, 'bfloat16')", "tf.Tensor(0.100098, shape=(), dtype=bfloat16)"),
    (
        "str",
        "T([0.1, 1, 3e38, -2.5], 'bfloat16')",
        "tf.Tensor([0.100098 1 3.00406e+38 -2.5], shape=(4,), dtype=bfloat16)",
    ),
    ("print", "T(0.1, 'bfloat16')", "0.100097656"),
    ("print", "T([0.1, 1, 3e38, -2.5], 'bfloat16')", "[0.100097656 1 3.00405527e+38 -2.5]"),
    ("repr", "T(0.1, 'float32')", "<tf.Tensor: shape=(), dtype=float32, numpy=0.10000000149011612>"),
    (
        "repr",
        "T([0.1, 1, 1e6, -2.5e-8], 'float32')",
        "<tf.Tensor: shape=(4,), dtype=float32, numpy=array([ 1.0e-01,  1.0e+00,  1.0e+06"
        ", -2.5e-08], dtype=float32)>",
    ),
    ("str", "T(0.1, 'float32')", "tf.Tensor(0.1, shape=(), dtype=float32)"),
    (
        "str",
        "T([0.1, 1, 1e6, -2.5e-8], 'float32')",
        "tf.Tensor([ 1.0e-01  1.0e+00  1.0e+06 -2.5e-08], shape=(4,), dtype=float32)",
    ),
    ("print", "T(0.1, 'float32')", "0.1"),
    ("print", "T([0.1, 1, 1e6, -2.5e-8], 'float32')", "[0.1 1 1e+06 -2.5e-08]"),
    ("repr", "T(0.1, 'float64')", "<tf.Tensor: shape=(), dtype=float64, numpy=0.1>"),
    (
        "repr",
        "T([0.1, 1/3, 1e16, -2.5e-8], 'float64')",
        "<tf.Tensor: shape=(4,), dtype=float64, numpy=array([ 1.00000000e-01,  3.33333333"
        "e-01,  1.00000000e+16, -2.50000000e-08])>",
    ),
    ("str", "T(0.1, 'float64')", "tf.Tensor(0.1, shape=(), dtype=float64)"),
    (
        "str",
        "T([0.1, 1/3, 1e16, -2.5e-8], 'float64')",
        "tf.Tensor([ 1.00000000e-01  3.33333333e-01  1.00000000e+16 -2.50000000e-08], sha"
        "pe=(4,), dtype=float64)",
    ),
    ("print", "T(0.1, 'float64')", "0.1"),
    ("print", "T([0.1, 1/3, 1e16, -2.5e-8], 'float64')", "[0.1 0.33333333333333331 1e+16 -2.5e-08]"),
    ("repr", "T(1+2j, 'complex64')", "<tf.Tensor: shape=(), dtype=complex64, numpy=(1+2j)>"),
    (
        "repr",
        "T([1+2j, -1.5-0.1j], 'complex64')",
        "<tf.Tensor: shape=(2,), dtype=complex64, numpy=array([ 1. +2.j , -1.5-0.1j], dty"
        "pe=complex64)>",
    ),
    ("str", "T(1+2j, 'complex64')", "tf.Tensor((1+2j), shape=(), dtype=complex64)"),
    (
        "str",
        "T([1+2j, -1.5-0.1j], 'complex64')",
        "tf.Tensor([ 1. +2.j  -1.5-0.1j], shape=(2,), dtype=complex64)",
    ),
    ("print", "T(1+2j, 'complex64')", "?"),
    ("print", "T([1+2j, -1.5-0.1j], 'complex64')", "[? ?]"),
    ("repr", "T(1+2j, 'complex128')", "<tf.Tensor: shape=(), dtype=complex128, numpy=(1+2j)>"),
    (
        "repr",
        "T([1+2j, -1.5-0.1j, 0], 'complex128')",
        "<tf.Tensor: shape=(3,), dtype=complex128, numpy=array([ 1. +2.j , -1.5-0.1j,  0."
        " +0.j ])>",
    ),
    ("str", "T(1+2j, 'complex128')", "tf.Tensor((1+2j), shape=(), dtype=complex128)"),
    (
        "str",
        "T([1+2j, -1.5-0.1j, 0], 'complex128')",
        "tf.Tensor([ 1. +2.j  -1.5-0.1j  0. +0.j ], shape=(3,), dtype=complex128)",
    ),
    ("print", "T(1+2j, 'complex128')", "?"),
    ("print", "T([1+2j, -1.5-0.1j, 0], 'complex128')", "[? ? ?]"),
    ("repr", "T(1.5, 'float8_e5m2')", "<tf.Tensor: shape=(), dtype=float8_e5m2, numpy=1.5>"),
    (
        "repr",
        "T([0.1, 1.5, -2], 'float8_e5m2')",
        "<tf.Tensor: shape=(3,), dtype=float8_e5m2, numpy=array([0.09375, 1.5, -2], dtype"
        "='float8_e5m2')>",
    ),
    ("str", "T(1.5, 'float8_e5m2')", "tf.Tensor(1.5, shape=(), dtype=float8_e5m2)"),
    ("str", "T([0.1, 1.5, -2], 'float8_e5m2')", "tf.Tensor([0.09375 1.5 -2], shape=(3,), dtype=float8_e5m2)"),
    ("print", "T(1.5, 'float8_e5m2')", "1.5"),
    ("print", "T([0.1, 1.5, -2], 'float8_e5m2')", "[0.09375 1.5 -2]"),
    ("repr", "T(0.1, 'float8_e4m3fn')", "<tf.Tensor: shape=(), dtype=float8_e4m3fn, numpy=0.1015625>"),
    (
        "repr",
        "T([0.1, 448, -2], 'float8_e4m3fn')",
        "<tf.Tensor: shape=(3,), dtype=float8_e4m3fn, numpy=array([0.101562, 448, -2], dt"
        "ype='float8_e4m3fn')>",
    ),
    ("str", "T(0.1, 'float8_e4m3fn')", "tf.Tensor(0.101562, shape=(), dtype=float8_e4m3fn)"),
    (
        "str",
        "T([0.1, 448, -2], 'float8_e4m3fn')",
        "tf.Tensor([0.101562 448 -2], shape=(3,), dtype=float8_e4m3fn)",
    ),
    ("print", "T(0.1, 'float8_e4m3fn')", "0.1015625"),
    ("print", "T([0.1, 448, -2], 'float8_e4m3fn')", "[0.1015625 448 -2]"),
    ("repr", "T(0.1, 'float8_e4m3fnuz')", "<tf.Tensor: shape=(), dtype=float8_e4m3fnuz, numpy=0.1015625>"),
    (
        "repr",
        "T([0.1, 1], 'float8_e4m3fnuz')",
        "<tf.Tensor: shape=(2,), dtype=float8_e4m3fnuz, numpy=array([0.101562, 1], dtype="
        "'float8_e4m3fnuz')>",
    ),
    ("str", "T(0.1, 'float8_e4m3fnuz')", "tf.Tensor(0.101562, shape=(), dtype=float8_e4m3fnuz)"),
    ("str", "T([0.1, 1], 'float8_e4m3fnuz')", "tf.Tensor([0.101562 1], shape=(2,), dtype=float8_e4m3fnuz)"),
    ("print", "T(0.1, 'float8_e4m3fnuz')", "?"),
    ("print", "T([0.1, 1], 'float8_e4m3fnuz')", "[? ?]"),
    ("repr", "T(3, 'float8_e4m3b11fnuz')", "<tf.Tensor: shape=(), dtype=float8_e4m3b11fnuz, numpy=3.0>"),
    (
        "repr",
        "T([0, 3], 'float8_e4m3b11fnuz')",
        "<tf.Tensor: shape=(2,), dtype=float8_e4m3b11fnuz, numpy=array([0, 3], dtype='flo"
        "at8_e4m3b11fnuz')>",
    ),
    ("str", "T(3, 'float8_e4m3b11fnuz')", "tf.Tensor(3, shape=(), dtype=float8_e4m3b11fnuz)"),
    ("str", "T([0, 3], 'float8_e4m3b11fnuz')", "tf.Tensor([0 3], shape=(2,), dtype=float8_e4m3b11fnuz)"),
    ("print", "T(3, 'float8_e4m3b11fnuz')", "3"),
    ("print", "T([0, 3], 'float8_e4m3b11fnuz')", "[0 3]"),
    ("repr", "T(3, 'float8_e5m2fnuz')", "<tf.Tensor: shape=(), dtype=float8_e5m2fnuz, numpy=3.0>"),
    (
        "repr",
        "T([0, 3], 'float8_e5m2fnuz')",
        "<tf.Tensor: shape=(2,), dtype=float8_e5m2fnuz, numpy=array([0, 3], dtype='float8"
        "_e5m2fnuz')>",
    ),
    ("str", "T(3, 'float8_e5m2fnuz')", "tf.Tensor(3, shape=(), dtype=float8_e5m2fnuz)"),
    ("str", "T([0, 3], 'float8_e5m2fnuz')", "tf.Tensor([0 3], shape=(2,), dtype=float8_e5m2fnuz)"),
    ("print", "T(3, 'float8_e5m2fnuz')", "?"),
    ("print", "T([0, 3], 'float8_e5m2fnuz')", "[? ?]"),
    ("repr", "T(3, 'float4_e2m1fn')", "<tf.Tensor: shape=(), dtype=float4_e2m1fn, numpy=3.0>"),
    (
        "repr",
        "T([0, 3, -6], 'float4_e2m1fn')",
        "<tf.Tensor: shape=(3,), dtype=float4_e2m1fn, numpy=array([0, 3, -6], dtype='floa"
        "t4_e2m1fn')>",
    ),
    ("str", "T(3, 'float4_e2m1fn')", "tf.Tensor(3, shape=(), dtype=float4_e2m1fn)"),
    ("str", "T([0, 3, -6], 'float4_e2m1fn')", "tf.Tensor([0 3 -6], shape=(3,), dtype=float4_e2m1fn)"),
    ("print", "T(3, 'float4_e2m1fn')", "3"),
    ("print", "T([0, 3, -6], 'float4_e2m1fn')", "[0 3 -6]"),
    ("repr", "T(7, 'int4')", "<tf.Tensor: shape=(), dtype=int4, numpy=7>"),
    ("repr", "T([-8, 7], 'int4')", "<tf.Tensor: shape=(2,), dtype=int4, numpy=array([-8, 7], dtype=int4)>"),
    ("str", "T(7, 'int4')", "tf.Tensor(7, shape=(), dtype=int4)"),
    ("str", "T([-8, 7], 'int4')", "tf.Tensor([-8 7], shape=(2,), dtype=int4)"),
    ("print", "T(7, 'int4')", "7"),
    ("print", "T([-8, 7], 'int4')", "[-8 7]"),
    ("repr", "T(15, 'uint4')", "<tf.Tensor: shape=(), dtype=uint4, numpy=15>"),
    (
        "repr",
        "T([0, 15], 'uint4')",
        "<tf.Tensor: shape=(2,), dtype=uint4, numpy=array([0, 15], dtype=uint4)>",
    ),
    ("str", "T(15, 'uint4')", "tf.Tensor(15, shape=(), dtype=uint4)"),
    ("str", "T([0, 15], 'uint4')", "tf.Tensor([0 15], shape=(2,), dtype=uint4)"),
    ("print", "T(15, 'uint4')", "15"),
    ("print", "T([0, 15], 'uint4')", "[0 15]"),
    ("repr", "T(-2, 'int2')", "<tf.Tensor: shape=(), dtype=int2, numpy=-2>"),
    ("repr", "T([-2, 1], 'int2')", "<tf.Tensor: shape=(2,), dtype=int2, numpy=array([-2, 1], dtype=int2)>"),
    ("str", "T(-2, 'int2')", "tf.Tensor(-2, shape=(), dtype=int2)"),
    ("str", "T([-2, 1], 'int2')", "tf.Tensor([-2 1], shape=(2,), dtype=int2)"),
    ("print", "T(-2, 'int2')", "-2"),
    ("print", "T([-2, 1], 'int2')", "[-2 1]"),
    ("repr", "T(3, 'uint2')", "<tf.Tensor: shape=(), dtype=uint2, numpy=3>"),
    ("repr", "T([0, 3], 'uint2')", "<tf.Tensor: shape=(2,), dtype=uint2, numpy=array([0, 3], dtype=uint2)>"),
    ("str", "T(3, 'uint2')", "tf.Tensor(3, shape=(), dtype=uint2)"),
    ("str", "T([0, 3], 'uint2')", "tf.Tensor([0 3], shape=(2,), dtype=uint2)"),
    ("print", "T(3, 'uint2')", "3"),
    ("print", "T([0, 3], 'uint2')", "[0 3]"),
    ("repr", "T(1.)", "<tf.Tensor: shape=(), dtype=float32, numpy=1.0>"),
    ("str", "T(1.)", "tf.Tensor(1.0, shape=(), dtype=float32)"),
    ("repr", "T(1)", "<tf.Tensor: shape=(), dtype=int32, numpy=1>"),
    ("str", "T(1)", "tf.Tensor(1, shape=(), dtype=int32)"),
    ("repr", "T(-0., 'float64')", "<tf.Tensor: shape=(), dtype=float64, numpy=-0.0>"),
    ("str", "T(-0., 'float64')", "tf.Tensor(-0.0, shape=(), dtype=float64)"),
    ("repr", "T(np.nan)", "<tf.Tensor: shape=(), dtype=float32, numpy=nan>"),
    ("str", "T(np.nan)", "tf.Tensor(nan, shape=(), dtype=float32)"),
    ("repr", "T(np.inf)", "<tf.Tensor: shape=(), dtype=float32, numpy=inf>"),
    ("str", "T(np.inf)", "tf.Tensor(inf, shape=(), dtype=float32)"),
    ("repr", "T(-np.inf)", "<tf.Tensor: shape=(), dtype=float32, numpy=-inf>"),
    ("str", "T(-np.inf)", "tf.Tensor(-inf, shape=(), dtype=float32)"),
    ("repr", "T(1e20)", "<tf.Tensor: shape=(), dtype=float32, numpy=1.0000000200408773e+20>"),
    ("str", "T(1e20)", "tf.Tensor(1e+20, shape=(), dtype=float32)"),
    ("repr", "T(1e-7)", "<tf.Tensor: shape=(), dtype=float32, numpy=1.0000000116860974e-07>"),
    ("str", "T(1e-7)", "tf.Tensor(1e-07, shape=(), dtype=float32)"),
    ("repr", "T(123456789.)", "<tf.Tensor: shape=(), dtype=float32, numpy=123456792.0>"),
    ("str", "T(123456789.)", "tf.Tensor(1.2345679e+08, shape=(), dtype=float32)"),
    ("repr", "T(1e16, 'float64')", "<tf.Tensor: shape=(), dtype=float64, numpy=1e+16>"),
    ("str", "T(1e16, 'float64')", "tf.Tensor(1e+16, shape=(), dtype=float64)"),
    ("repr", "T(0.1 + 0.2, 'float64')", "<tf.Tensor: shape=(), dtype=float64, numpy=0.30000000000000004>"),
    ("str", "T(0.1 + 0.2, 'float64')", "tf.Tensor(0.30000000000000004, shape=(), dtype=float64)"),
    ("repr", "T(2**63, 'uint64')", "<tf.Tensor: shape=(), dtype=uint64, numpy=9223372036854775808>"),
    ("str", "T(2**63, 'uint64')", "tf.Tensor(9223372036854775808, shape=(), dtype=uint64)"),
    ("repr", "T(-1j)", "<tf.Tensor: shape=(), dtype=complex128, numpy=(-0-1j)>"),
    ("str", "T(-1j)", "tf.Tensor((-0-1j), shape=(), dtype=complex128)"),
    ("repr", "T(complex(0, -0.))", "<tf.Tensor: shape=(), dtype=complex128, numpy=-0j>"),
    ("str", "T(complex(0, -0.))", "tf.Tensor(-0j, shape=(), dtype=complex128)"),
    (
        "repr",
        "T([np.nan, np.inf, -np.inf, -0.])",
        "<tf.Tensor: shape=(4,), dtype=float32, numpy=array([ nan,  inf, -inf,  -0.], dty"
        "pe=float32)>",
    ),
    (
        "str",
        "T([np.nan, np.inf, -np.inf, -0.])",
        "tf.Tensor([ nan  inf -inf  -0.], shape=(4,), dtype=float32)",
    ),
    ("repr", "T([1., 2.])", "<tf.Tensor: shape=(2,), dtype=float32, numpy=array([1., 2.], dtype=float32)>"),
    ("str", "T([1., 2.])", "tf.Tensor([1. 2.], shape=(2,), dtype=float32)"),
    (
        "repr",
        "T([1e-10, 1., 1e10])",
        "<tf.Tensor: shape=(3,), dtype=float32, numpy=array([1.e-10, 1.e+00, 1.e+10], dty"
        "pe=float32)>",
    ),
    ("str", "T([1e-10, 1., 1e10])", "tf.Tensor([1.e-10 1.e+00 1.e+10], shape=(3,), dtype=float32)"),
    (
        "repr",
        "T([0.1, 22.5, 333.125])",
        "<tf.Tensor: shape=(3,), dtype=float32, numpy=array([1.00000e-01, 2.25000e+01, 3."
        "33125e+02], dtype=float32)>",
    ),
    (
        "str",
        "T([0.1, 22.5, 333.125])",
        "tf.Tensor([1.00000e-01 2.25000e+01 3.33125e+02], shape=(3,), dtype=float32)",
    ),
    (
        "repr",
        "T([1, 22, 333])",
        "<tf.Tensor: shape=(3,), dtype=int32, numpy=array([  1,  22, 333], dtype=int32)>",
    ),
    ("str", "T([1, 22, 333])", "tf.Tensor([  1  22 333], shape=(3,), dtype=int32)"),
    (
        "repr",
        "T([[1., 2.], [3., 4.]])",
        "<tf.Tensor: shape=(2, 2), dtype=float32, numpy=\n"
        "array([[1., 2.],\n"
        "       [3., 4.]], dtype=float32)>",
    ),
    ("str", "T([[1., 2.], [3., 4.]])", "tf.Tensor(\n[[1. 2.]\n [3. 4.]], shape=(2, 2), dtype=float32)"),
    (
        "repr",
        "T([[1], [2]])",
        "<tf.Tensor: shape=(2, 1), dtype=int32, numpy=\n"
        "array([[1],\n"
        "       [2]], dtype=int32)>",
    ),
    ("str", "T([[1], [2]])", "tf.Tensor(\n[[1]\n [2]], shape=(2, 1), dtype=int32)"),
    (
        "repr",
        "T([[[1., 2.], [3., 4.]], [[5., 6.], [7., 8.]]])",
        "<tf.Tensor: shape=(2, 2, 2), dtype=float32, numpy=\n"
        "array([[[1., 2.],\n"
        "        [3., 4.]],\n"
        "\n"
        "       [[5., 6.],\n"
        "        [7., 8.]]], dtype=float32)>",
    ),
    (
        "str",
        "T([[[1., 2.], [3., 4.]], [[5., 6.], [7., 8.]]])",
        "tf.Tensor(\n"
        "[[[1. 2.]\n"
        "  [3. 4.]]\n"
        "\n"
        " [[5. 6.]\n"
        "  [7. 8.]]], shape=(2, 2, 2), dtype=float32)",
    ),
    (
        "repr",
        "T(np.zeros((2, 1, 2, 2)))",
        "<tf.Tensor: shape=(2, 1, 2, 2), dtype=float64, numpy=\n"
        "array([[[[0., 0.],\n"
        "         [0., 0.]]],\n"
        "\n"
        "\n"
        "       [[[0., 0.],\n"
        "         [0., 0.]]]])>",
    ),
    (
        "str",
        "T(np.zeros((2, 1, 2, 2)))",
        "tf.Tensor(\n"
        "[[[[0. 0.]\n"
        "   [0. 0.]]]\n"
        "\n"
        "\n"
        " [[[0. 0.]\n"
        "   [0. 0.]]]], shape=(2, 1, 2, 2), dtype=float64)",
    ),
    (
        "repr",
        "T(np.zeros((1, 1, 1, 1)))",
        "<tf.Tensor: shape=(1, 1, 1, 1), dtype=float64, numpy=array([[[[0.]]]])>",
    ),
    ("str", "T(np.zeros((1, 1, 1, 1)))", "tf.Tensor([[[[0.]]]], shape=(1, 1, 1, 1), dtype=float64)"),
    ("repr", "T([[True, False]])", "<tf.Tensor: shape=(1, 2), dtype=bool, numpy=array([[ True, False]])>"),
    ("str", "T([[True, False]])", "tf.Tensor([[ True False]], shape=(1, 2), dtype=bool)"),
    (
        "repr",
        "T([[1+2j], [3]])",
        "<tf.Tensor: shape=(2, 1), dtype=complex128, numpy=\n"
        "array([[1.+2.j],\n"
        "       [3.+0.j]])>",
    ),
    ("str", "T([[1+2j], [3]])", "tf.Tensor(\n[[1.+2.j]\n [3.+0.j]], shape=(2, 1), dtype=complex128)"),
    (
        "repr",
        "T(np.zeros(0, 'float32'))",
        "<tf.Tensor: shape=(0,), dtype=float32, numpy=array([], dtype=float32)>",
    ),
    ("str", "T(np.zeros(0, 'float32'))", "tf.Tensor([], shape=(0,), dtype=float32)"),
    (
        "repr",
        "T(np.zeros((0, 3), 'float32'))",
        "<tf.Tensor: shape=(0, 3), dtype=float32, numpy=array([], shape=(0, 3), dtype=flo"
        "at32)>",
    ),
    ("str", "T(np.zeros((0, 3), 'float32'))", "tf.Tensor([], shape=(0, 3), dtype=float32)"),
    (
        "repr",
        "T(np.zeros((2, 0), 'float32'))",
        "<tf.Tensor: shape=(2, 0), dtype=float32, numpy=array([], shape=(2, 0), dtype=flo"
        "at32)>",
    ),
    ("str", "T(np.zeros((2, 0), 'float32'))", "tf.Tensor([], shape=(2, 0), dtype=float32)"),
    ("repr", "T(np.zeros(0, 'int32'))", "<tf.Tensor: shape=(0,), dtype=int32, numpy=array([], dtype=int32)>"),
    ("str", "T(np.zeros(0, 'int32'))", "tf.Tensor([], shape=(0,), dtype=int32)"),
    (
        "repr",
        "T(np.zeros(0), 'bfloat16')",
        "<tf.Tensor: shape=(0,), dtype=bfloat16, numpy=array([], dtype=bfloat16)>",
    ),
    ("str", "T(np.zeros(0), 'bfloat16')", "tf.Tensor([], shape=(0,), dtype=bfloat16)"),
    (
        "repr",
        "T(np.zeros(0, object))",
        "<tf.Tensor: shape=(0,), dtype=string, numpy=array([], dtype=object)>",
    ),
    ("str", "T(np.zeros(0, object))", "tf.Tensor([], shape=(0,), dtype=string)"),
    ("repr", "T('')", "<tf.Tensor: shape=(), dtype=string, numpy=b''>"),
    ("str", "T('')", "tf.Tensor(b'', shape=(), dtype=string)"),
    ("repr", "T('it\\'s')", '<tf.Tensor: shape=(), dtype=string, numpy=b"it\'s">'),
    ("str", "T('it\\'s')", 'tf.Tensor(b"it\'s", shape=(), dtype=string)'),
    (
        "repr",
        "T('caf\\u00e9 \\U0001f600')",
        "<tf.Tensor: shape=(), dtype=string, numpy=b'caf\\xc3\\xa9 \\xf0\\x9f\\x98\\x80'>",
    ),
    (
        "str",
        "T('caf\\u00e9 \\U0001f600')",
        "tf.Tensor(b'caf\\xc3\\xa9 \\xf0\\x9f\\x98\\x80', shape=(), dtype=string)",
    ),
    ("repr", "T(b'\\xff\\x00')", "<tf.Tensor: shape=(), dtype=string, numpy=b'\\xff\\x00'>"),
    ("str", "T(b'\\xff\\x00')", "tf.Tensor(b'\\xff\\x00', shape=(), dtype=string)"),
    ("repr", "T('two\\nlines')", "<tf.Tensor: shape=(), dtype=string, numpy=b'two\\nlines'>"),
    ("str", "T('two\\nlines')", "tf.Tensor(b'two\\nlines', shape=(), dtype=string)"),
    (
        "repr",
        "T(['two\\nlines', 'x'])",
        "<tf.Tensor: shape=(2,), dtype=string, numpy=array([b'two\\nlines', b'x'], dtype=o"
        "bject)>",
    ),
    ("str", "T(['two\\nlines', 'x'])", "tf.Tensor([b'two\\nlines' b'x'], shape=(2,), dtype=string)"),
    (
        "repr",
        "T([['a'], ['bc']])",
        "<tf.Tensor: shape=(2, 1), dtype=string, numpy=\n"
        "array([[b'a'],\n"
        "       [b'bc']], dtype=object)>",
    ),
    ("str", "T([['a'], ['bc']])", "tf.Tensor(\n[[b'a']\n [b'bc']], shape=(2, 1), dtype=string)"),
    (
        "repr",
        "T(np.full(1001, b'a', object))",
        "<tf.Tensor: shape=(1001,), dtype=string, numpy=\n"
        "array([b'a', b'a', b'a', ..., b'a', b'a', b'a'],\n"
        "      shape=(1001,), dtype=object)>",
    ),
    (
        "str",
        "T(np.full(1001, b'a', object))",
        "tf.Tensor([b'a' b'a' b'a' ... b'a' b'a' b'a'], shape=(1001,), dtype=string)",
    ),
    (
        "repr",
        "T(np.arange(30, dtype='int32'))",
        "<tf.Tensor: shape=(30,), dtype=int32, numpy=\n"
        "array([ 0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14, 15, 16,\n"
        "       17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29], dtype=int32)>",
    ),
    (
        "str",
        "T(np.arange(30, dtype='int32'))",
        "tf.Tensor(\n"
        "[ 0  1  2  3  4  5  6  7  8  9 10 11 12 13 14 15 16 17 18 19 20 21 22 23\n"
        " 24 25 26 27 28 29], shape=(30,), dtype=int32)",
    ),
    (
        "repr",
        "T(np.arange(40)[::2] / 7)",
        "<tf.Tensor: shape=(20,), dtype=float64, numpy=\n"
        "array([0.        , 0.28571429, 0.57142857, 0.85714286, 1.14285714,\n"
        "       1.42857143, 1.71428571, 2.        , 2.28571429, 2.57142857,\n"
        "       2.85714286, 3.14285714, 3.42857143, 3.71428571, 4.        ,\n"
        "       4.28571429, 4.57142857, 4.85714286, 5.14285714, 5.42857143])>",
    ),
    (
        "str",
        "T(np.arange(40)[::2] / 7)",
        "tf.Tensor(\n"
        "[0.         0.28571429 0.57142857 0.85714286 1.14285714 1.42857143\n"
        " 1.71428571 2.         2.28571429 2.57142857 2.85714286 3.14285714\n"
        " 3.42857143 3.71428571 4.         4.28571429 4.57142857 4.85714286\n"
        " 5.14285714 5.42857143], shape=(20,), dtype=float64)",
    ),
    (
        "repr",
        "T(np.arange(1001))",
        "<tf.Tensor: shape=(1001,), dtype=int64, numpy=array([   0,    1,    2, ...,  998"
        ",  999, 1000], shape=(1001,))>",
    ),
    (
        "str",
        "T(np.arange(1001))",
        "tf.Tensor([   0    1    2 ...  998  999 1000], shape=(1001,), dtype=int64)",
    ),
    (
        "repr",
        "T(np.arange(2000, dtype='float32'))",
        "<tf.Tensor: shape=(2000,), dtype=float32, numpy=\n"
        "array([0.000e+00, 1.000e+00, 2.000e+00, ..., 1.997e+03, 1.998e+03,\n"
        "       1.999e+03], shape=(2000,), dtype=float32)>",
    ),
    (
        "str",
        "T(np.arange(2000, dtype='float32'))",
        "tf.Tensor([0.000e+00 1.000e+00 2.000e+00 ... 1.997e+03 1.998e+03 1.999e+03], sha"
        "pe=(2000,), dtype=float32)",
    ),
    (
        "repr",
        "T(np.zeros((40, 50), 'float32'))",
        "<tf.Tensor: shape=(40, 50), dtype=float32, numpy=\n"
        "array([[0., 0., 0., ..., 0., 0., 0.],\n"
        "       [0., 0., 0., ..., 0., 0., 0.],\n"
        "       [0., 0., 0., ..., 0., 0., 0.],\n"
        "       ...,\n"
        "       [0., 0., 0., ..., 0., 0., 0.],\n"
        "       [0., 0., 0., ..., 0., 0., 0.],\n"
        "       [0., 0., 0., ..., 0., 0., 0.]], shape=(40, 50), dtype=float32)>",
    ),
    (
        "str",
        "T(np.zeros((40, 50), 'float32'))",
        "tf.Tensor(\n"
        "[[0. 0. 0. ... 0. 0. 0.]\n"
        " [0. 0. 0. ... 0. 0. 0.]\n"
        " [0. 0. 0. ... 0. 0. 0.]\n"
        " ...\n"
        " [0. 0. 0. ... 0. 0. 0.]\n"
        " [0. 0. 0. ... 0. 0. 0.]\n"
        " [0. 0. 0. ... 0. 0. 0.]], shape=(40, 50), dtype=float32)",
    ),
    (
        "repr",
        "T(np.arange(1200.).reshape(2, 3, 200))",
        "<tf.Tensor: shape=(2, 3, 200), dtype=float64, numpy=\n"
        "array([[[0.000e+00, 1.000e+00, 2.000e+00, ..., 1.970e+02, 1.980e+02,\n"
        "         1.990e+02],\n"
        "        [2.000e+02, 2.010e+02, 2.020e+02, ..., 3.970e+02, 3.980e+02,\n"
        "         3.990e+02],\n"
        "        [4.000e+02, 4.010e+02, 4.020e+02, ..., 5.970e+02, 5.980e+02,\n"
        "         5.990e+02]],\n"
        "\n"
        "       [[6.000e+02, 6.010e+02, 6.020e+02, ..., 7.970e+02, 7.980e+02,\n"
        "         7.990e+02],\n"
        "        [8.000e+02, 8.010e+02, 8.020e+02, ..., 9.970e+02, 9.980e+02,\n"
        "         9.990e+02],\n"
        "        [1.000e+03, 1.001e+03, 1.002e+03, ..., 1.197e+03, 1.198e+03,\n"
        "         1.199e+03]]], shape=(2, 3, 200))>",
    ),
    (
        "str",
        "T(np.arange(1200.).reshape(2, 3, 200))",
        "tf.Tensor(\n"
        "[[[0.000e+00 1.000e+00 2.000e+00 ... 1.970e+02 1.980e+02 1.990e+02]\n"
        "  [2.000e+02 2.010e+02 2.020e+02 ... 3.970e+02 3.980e+02 3.990e+02]\n"
        "  [4.000e+02 4.010e+02 4.020e+02 ... 5.970e+02 5.980e+02 5.990e+02]]\n"
        "\n"
        " [[6.000e+02 6.010e+02 6.020e+02 ... 7.970e+02 7.980e+02 7.990e+02]\n"
        "  [8.000e+02 8.010e+02 8.020e+02 ... 9.970e+02 9.980e+02 9.990e+02]\n"
        "  [1.000e+03 1.001e+03 1.002e+03 ... 1.197e+03 1.198e+03 1.199e+03]]], shape=(2,"
        " 3, 200), dtype=float64)",
    ),
    (
        "repr",
        "T(np.zeros((1001, 1), 'int8'))",
        "<tf.Tensor: shape=(1001, 1), dtype=int8, numpy=\n"
        "array([[0],\n"
        "       [0],\n"
        "       [0],\n"
        "       ...,\n"
        "       [0],\n"
        "       [0],\n"
        "       [0]], shape=(1001, 1), dtype=int8)>",
    ),
    (
        "str",
        "T(np.zeros((1001, 1), 'int8'))",
        "tf.Tensor(\n"
        "[[0]\n"
        " [0]\n"
        " [0]\n"
        " ...\n"
        " [0]\n"
        " [0]\n"
        " [0]], shape=(1001, 1), dtype=int8)",
    ),
    (
        "repr",
        "T(np.ones(1001), 'bfloat16')",
        "<tf.Tensor: shape=(1001,), dtype=bfloat16, numpy=array([1, 1, 1, ..., 1, 1, 1], "
        "shape=(1001,), dtype=bfloat16)>",
    ),
    ("str", "T(np.ones(1001), 'bfloat16')", "tf.Tensor([1 1 1 ... 1 1 1], shape=(1001,), dtype=bfloat16)"),
    (
        "repr",
        "T(np.eye(3, dtype='float32'))",
        "<tf.Tensor: shape=(3, 3), dtype=float32, numpy=\n"
        "array([[1., 0., 0.],\n"
        "       [0., 1., 0.],\n"
        "       [0., 0., 1.]], dtype=float32)>",
    ),
    (
        "str",
        "T(np.eye(3, dtype='float32'))",
        "tf.Tensor(\n"
        "[[1. 0. 0.]\n"
        " [0. 1. 0.]\n"
        " [0. 0. 1.]], shape=(3, 3), dtype=float32)",
    ),
    (
        "repr",
        "T(np.full((3, 2), 0.1), 'bfloat16')",
        "<tf.Tensor: shape=(3, 2), dtype=bfloat16, numpy=\n"
        "array([[0.100098, 0.100098],\n"
        "       [0.100098, 0.100098],\n"
        "       [0.100098, 0.100098]], dtype=bfloat16)>",
    ),
    (
        "str",
        "T(np.full((3, 2), 0.1), 'bfloat16')",
        "tf.Tensor(\n"
        "[[0.100098 0.100098]\n"
        " [0.100098 0.100098]\n"
        " [0.100098 0.100098]], shape=(3, 2), dtype=bfloat16)",
    ),
    ("variable", "V(2.)", "<tf.Variable 'Variable:0' shape=() dtype=float32, numpy=2.0>"),
    (
        "variable",
        "V([1., 2.])",
        "<tf.Variable 'Variable:0' shape=(2,) dtype=float32, numpy=array([1., 2.], dtype="
        "float32)>",
    ),
    (
        "variable",
        "V([[1., 2.], [3., 4.]])",
        "<tf.Variable 'Variable:0' shape=(2, 2) dtype=float32, numpy=\n"
        "array([[1., 2.],\n"
        "       [3., 4.]], dtype=float32)>",
    ),
    ("variable", "V(3)", "<tf.Variable 'Variable:0' shape=() dtype=int32, numpy=3>"),
    ("variable", "V(True)", "<tf.Variable 'Variable:0' shape=() dtype=bool, numpy=True>"),
    ("variable", "V('a')", "<tf.Variable 'Variable:0' shape=() dtype=string, numpy=b'a'>"),
    (
        "variable",
        "V(['a', 'b'])",
        "<tf.Variable 'Variable:0' shape=(2,) dtype=string, numpy=array([b'a', b'b'], dty"
        "pe=object)>",
    ),
    (
        "variable",
        "V(0.1, name='learning_rate')",
        "<tf.Variable 'learning_rate:0' shape=() dtype=float32, numpy=0.10000000149011612"
        ">",
    ),
    (
        "variable",
        "V([[1.]], name='layer/kernel')",
        "<tf.Variable 'layer/kernel:0' shape=(1, 1) dtype=float32, numpy=array([[1.]], dt"
        "ype=float32)>",
    ),
    (
        "variable",
        "V([[1.]], shape=[None, 1])",
        "<tf.Variable 'Variable:0' shape=(None, 1) dtype=float32, numpy=array([[1.]], dty"
        "pe=float32)>",
    ),
    (
        "variable",
        "V([[1.]], shape=None)",
        "<tf.Variable 'Variable:0' shape=<unknown> dtype=float32, numpy=array([[1.]], dty"
        "pe=float32)>",
    ),
    (
        "variable",
        "V(0.1, 'bfloat16')",
        "<tf.Variable 'Variable:0' shape=() dtype=bfloat16, numpy=0.10009765625>",
    ),
    ("variable", "V(0.1, 'float64')", "<tf.Variable 'Variable:0' shape=() dtype=float64, numpy=0.1>"),
    ("variable", "V(1j)", "<tf.Variable 'Variable:0' shape=() dtype=complex128, numpy=1j>"),
    (
        "variable",
        "V(np.zeros((0, 3), 'float32'))",
        "<tf.Variable 'Variable:0' shape=(0, 3) dtype=float32, numpy=array([], shape=(0, "
        "3), dtype=float32)>",
    ),
    (
        "variable",
        "V(np.zeros(2000, 'float32'), name='big')",
        "<tf.Variable 'big:0' shape=(2000,) dtype=float32, numpy=array([0., 0., 0., ..., "
        "0., 0., 0.], shape=(2000,), dtype=float32)>",
    ),
    ("print", "T(0.)", "0"),
    ("print", "T(np.float32(-0.))", "-0"),
    ("print", "T(1.)", "1"),
    ("print", "T(1e6)", "1e+06"),
    ("print", "T(999999.)", "999999"),
    ("print", "T(1234567.)", "1234567"),
    ("print", "T(123456.7)", "123456.703"),
    ("print", "T(0.0001)", "0.0001"),
    ("print", "T(0.00001)", "1e-05"),
    ("print", "T(1/3)", "0.333333343"),
    ("print", "T(16777217.)", "16777216"),
    ("print", "T(np.nan)", "nan"),
    ("print", "T(np.inf)", "inf"),
    ("print", "T(-np.inf)", "-inf"),
    ("print", "T(np.array([np.nan, -np.nan, np.inf, -np.inf, -0.]))", "[nan -nan inf -inf -0]"),
    ("print", "T([np.nan, np.inf], 'float16')", "[nan inf]"),
    ("print", "T([-np.inf, np.nan], 'bfloat16')", "[-inf nan]"),
    ("print", "T([np.nan, np.inf, -np.inf], 'float8_e5m2')", "[nan inf -inf]"),
    ("print", "T(1e15, 'float64')", "1e+15"),
    ("print", "T([123456789012345678, 1e100, 5e-300], 'float64')", "[1.2345678901234568e+17 1e+100 5e-300]"),
    (
        "print",
        "T([1.7976931348623157e308, 2.2250738585072014e-308], 'float64')",
        "[1.7976931348623157e+308 2.2250738585072014e-308]",
    ),
    ("print", "T([3.4028235e38, 1.17549435e-38])", "[3.40282347e+38 1.17549435e-38]"),
    ("print", "T(np.pi)", "3.14159274"),
    ("print", "T(np.pi, 'float64')", "3.1415926535897931"),
    ("print", "T(2.5, 'float64')", "2.5"),
    ("print", "T(0.1 + 0.2, 'float64')", "0.30000000000000004"),
    ("print", "T(np.zeros((2, 2), 'complex64'))", "[? ? ?...]"),
    ("print", "T(np.zeros((2, 2), 'complex64')), summarize=1", "[?...]"),
    ("print", "T(np.zeros((2, 2), 'complex64')), summarize=-1", "[? ? ? ?]"),
    ("print", "T(np.zeros((2, 0), 'complex64'))", "[]"),
    ("print", "T(np.zeros(3, 'complex64')), summarize=0", "[...]"),
    ("print", "T(1j), summarize=0", "..."),
    (
        "print-sha256",
        "T(bit_patterns('float16')), summarize=-1",
        "d6edc0668698f9cbfb93b34a518da5839c39bd57d6e9d40e4aa27bf3713a2269",
    ),
    (
        "print-sha256",
        "T(bit_patterns('bfloat16')), summarize=-1",
        "a0c1b4189b5c85a0b667f3e576f4d6b3c36fb5c609a00030d86749f4e3625680",
    ),
    (
        "print-sha256",
        "T(bit_patterns('float32')), summarize=-1",
        "abc75e8b5e0f2e9514aaac471630261f24b6aa1f125a79b35c2d5284a6c4958a",
    ),
    (
        "print-sha256",
        "T(bit_patterns('float64')), summarize=-1",
        "31045a4b0424ea141f8bf9840dbb70b895dba4007620a777e45ce61ffcbfb867",
    ),
    (
        "print-sha256",
        "T(decimals('float16')), summarize=-1",
        "826ab9b4dbb9a0252357126dc67d71dc95897bd31875fbeda3a0ad65b56c2785",
    ),
    (
        "print-sha256",
        "T(decimals('bfloat16')), summarize=-1",
        "841fbda9350df81de06d1a972eefbd880a213652125afc829ad3b569ac01ea9a",
    ),
    (
        "print-sha256",
        "T(decimals('float32')), summarize=-1",
        "c0bed40a7fdb4e5cc5f345d2b75d3f5c845c0ab4fce51a42bed55a2f62a24949",
    ),
    (
        "print-sha256",
        "T(decimals('float64')), summarize=-1",
        "167bb3ff2e991197d717fc85f0967ea76d8d456ad1db2379cefecc4b7b7be72e",
    ),
    ("print", "T(np.arange(6))", "[0 1 2 3 4 5]"),
    ("print", "T(np.arange(7))", "[0 1 2 ... 4 5 6]"),
    ("print", "T(np.arange(10))", "[0 1 2 ... 7 8 9]"),
    (
        "print",
        "T(np.arange(64).reshape(8, 8))",
        "[[0 1 2 ... 5 6 7]\n"
        " [8 9 10 ... 13 14 15]\n"
        " [16 17 18 ... 21 22 23]\n"
        " ...\n"
        " [40 41 42 ... 45 46 47]\n"
        " [48 49 50 ... 53 54 55]\n"
        " [56 57 58 ... 61 62 63]]",
    ),
    (
        "print",
        "T(np.arange(24).reshape(2, 3, 4))",
        "[[[0 1 2 3]\n"
        "  [4 5 6 7]\n"
        "  [8 9 10 11]]\n"
        "\n"
        " [[12 13 14 15]\n"
        "  [16 17 18 19]\n"
        "  [20 21 22 23]]]",
    ),
    ("print", "T(np.arange(7).reshape(1, 7))", "[[0 1 2 ... 4 5 6]]"),
    ("print", "T(np.arange(7).reshape(7, 1))", "[[0]\n [1]\n [2]\n ...\n [4]\n [5]\n [6]]"),
    (
        "print",
        "T(np.arange(16).reshape(2, 2, 2, 2))",
        "[[[[0 1]\n"
        "   [2 3]]\n"
        "\n"
        "  [[4 5]\n"
        "   [6 7]]]\n"
        "\n"
        "\n"
        " [[[8 9]\n"
        "   [10 11]]\n"
        "\n"
        "  [[12 13]\n"
        "   [14 15]]]]",
    ),
    (
        "print",
        "T(np.arange(48).reshape(2, 1, 3, 8))",
        "[[[[0 1 2 ... 5 6 7]\n"
        "   [8 9 10 ... 13 14 15]\n"
        "   [16 17 18 ... 21 22 23]]]\n"
        "\n"
        "\n"
        " [[[24 25 26 ... 29 30 31]\n"
        "   [32 33 34 ... 37 38 39]\n"
        "   [40 41 42 ... 45 46 47]]]]",
    ),
    (
        "print",
        "T(np.arange(8).reshape(1, 2, 1, 2, 2))",
        "[[[[[0 1]\n"
        "    [2 3]]]\n"
        "\n"
        "\n"
        "  [[[4 5]\n"
        "    [6 7]]]]]",
    ),
    ("print", "T(np.arange(7)), summarize=1", "[0 ... 6]"),
    ("print", "T(np.arange(7)), summarize=2", "[0 1 ... 5 6]"),
    ("print", "T(np.arange(7)), summarize=-1", "[0 1 2 3 4 5 6]"),
    ("print", "T(np.arange(7)), summarize=0", "[ ...]"),
    ("print", "T(np.arange(7)), summarize=None", "[0 1 2 ... 4 5 6]"),
    ("print", "T(np.arange(7)), summarize=-5", "[0 1 2 3 4 5 6]"),
    ("print", "T(np.arange(7)), summarize=100", "[0 1 2 3 4 5 6]"),
    ("print", "T(np.arange(64).reshape(8, 8)), summarize=1", "[[0 ... 7]\n ...\n [56 ... 63]]"),
    (
        "print",
        "T(np.arange(64).reshape(8, 8)), summarize=2",
        "[[0 1 ... 6 7]\n"
        " [8 9 ... 14 15]\n"
        " ...\n"
        " [48 49 ... 54 55]\n"
        " [56 57 ... 62 63]]",
    ),
    (
        "print",
        "T(np.arange(64).reshape(8, 8)), summarize=-1",
        "[[0 1 2 3 4 5 6 7]\n"
        " [8 9 10 11 12 13 14 15]\n"
        " [16 17 18 19 20 21 22 23]\n"
        " [24 25 26 27 28 29 30 31]\n"
        " [32 33 34 35 36 37 38 39]\n"
        " [40 41 42 43 44 45 46 47]\n"
        " [48 49 50 51 52 53 54 55]\n"
        " [56 57 58 59 60 61 62 63]]",
    ),
    ("print", "T(np.arange(64).reshape(8, 8)), summarize=0", "[\n ...]"),
    (
        "print",
        "T(np.arange(64).reshape(8, 8)), summarize=None",
        "[[0 1 2 ... 5 6 7]\n"
        " [8 9 10 ... 13 14 15]\n"
        " [16 17 18 ... 21 22 23]\n"
        " ...\n"
        " [40 41 42 ... 45 46 47]\n"
        " [48 49 50 ... 53 54 55]\n"
        " [56 57 58 ... 61 62 63]]",
    ),
    (
        "print",
        "T(np.arange(64).reshape(8, 8)), summarize=100",
        "[[0 1 2 3 4 5 6 7]\n"
        " [8 9 10 11 12 13 14 15]\n"
        " [16 17 18 19 20 21 22 23]\n"
        " [24 25 26 27 28 29 30 31]\n"
        " [32 33 34 35 36 37 38 39]\n"
        " [40 41 42 43 44 45 46 47]\n"
        " [48 49 50 51 52 53 54 55]\n"
        " [56 57 58 59 60 61 62 63]]",
    ),
    (
        "print",
        "T(np.arange(24).reshape(2, 3, 4)), summarize=1",
        "[[[0 ... 3]\n"
        "  ...\n"
        "  [8 ... 11]]\n"
        "\n"
        " [[12 ... 15]\n"
        "  ...\n"
        "  [20 ... 23]]]",
    ),
    (
        "print",
        "T(np.arange(24).reshape(2, 3, 4)), summarize=2",
        "[[[0 1 2 3]\n"
        "  [4 5 6 7]\n"
        "  [8 9 10 11]]\n"
        "\n"
        " [[12 13 14 15]\n"
        "  [16 17 18 19]\n"
        "  [20 21 22 23]]]",
    ),
    (
        "print",
        "T(np.arange(24).reshape(2, 3, 4)), summarize=-1",
        "[[[0 1 2 3]\n"
        "  [4 5 6 7]\n"
        "  [8 9 10 11]]\n"
        "\n"
        " [[12 13 14 15]\n"
        "  [16 17 18 19]\n"
        "  [20 21 22 23]]]",
    ),
    ("print", "T(np.arange(24).reshape(2, 3, 4)), summarize=0", "[\n\n ...]"),
    (
        "print",
        "T(np.arange(24).reshape(2, 3, 4)), summarize=None",
        "[[[0 1 2 3]\n"
        "  [4 5 6 7]\n"
        "  [8 9 10 11]]\n"
        "\n"
        " [[12 13 14 15]\n"
        "  [16 17 18 19]\n"
        "  [20 21 22 23]]]",
    ),
    (
        "print",
        "T(np.arange(24).reshape(2, 3, 4)), summarize=-5",
        "[[[0 1 2 3]\n"
        "  [4 5 6 7]\n"
        "  [8 9 10 11]]\n"
        "\n"
        " [[12 13 14 15]\n"
        "  [16 17 18 19]\n"
        "  [20 21 22 23]]]",
    ),
    (
        "print",
        "T(np.arange(24).reshape(2, 3, 4)), summarize=100",
        "[[[0 1 2 3]\n"
        "  [4 5 6 7]\n"
        "  [8 9 10 11]]\n"
        "\n"
        " [[12 13 14 15]\n"
        "  [16 17 18 19]\n"
        "  [20 21 22 23]]]",
    ),
    (
        "print",
        "T(np.arange(81).reshape(3, 3, 3, 3)), summarize=1",
        "[[[[0 ... 2]\n"
        "   ...\n"
        "   [6 ... 8]]\n"
        "\n"
        "  ...\n"
        "\n"
        "  [[18 ... 20]\n"
        "   ...\n"
        "   [24 ... 26]]]\n"
        "\n"
        "\n"
        " ...\n"
        "\n"
        "\n"
        " [[[54 ... 56]\n"
        "   ...\n"
        "   [60 ... 62]]\n"
        "\n"
        "  ...\n"
        "\n"
        "  [[72 ... 74]\n"
        "   ...\n"
        "   [78 ... 80]]]]",
    ),
    (
        "print",
        "T(np.arange(81).reshape(3, 3, 3, 3)), summarize=2",
        "[[[[0 1 2]\n"
        "   [3 4 5]\n"
        "   [6 7 8]]\n"
        "\n"
        "  [[9 10 11]\n"
        "   [12 13 14]\n"
        "   [15 16 17]]\n"
        "\n"
        "  [[18 19 20]\n"
        "   [21 22 23]\n"
        "   [24 25 26]]]\n"
        "\n"
        "\n"
        " [[[27 28 29]\n"
        "   [30 31 32]\n"
        "   [33 34 35]]\n"
        "\n"
        "  [[36 37 38]\n"
        "   [39 40 41]\n"
        "   [42 43 44]]\n"
        "\n"
        "  [[45 46 47]\n"
        "   [48 49 50]\n"
        "   [51 52 53]]]\n"
        "\n"
        "\n"
        " [[[54 55 56]\n"
        "   [57 58 59]\n"
        "   [60 61 62]]\n"
        "\n"
        "  [[63 64 65]\n"
        "   [66 67 68]\n"
        "   [69 70 71]]\n"
        "\n"
        "  [[72 73 74]\n"
        "   [75 76 77]\n"
        "   [78 79 80]]]]",
    ),
    ("print", "T(np.arange(81).reshape(3, 3, 3, 3)), summarize=0", "[\n\n\n ...]"),
    (
        "print-sha256",
        "T(np.arange(81).reshape(3, 3, 3, 3)), summarize=-1",
        "b0f7b81f93d71ba6e18b2dfb8637e20eb16cc91dad925cfc13ad1e02acf0ec79",
    ),
    (
        "print-sha256",
        "T(np.arange(512).reshape(8, 8, 8))",
        "c1ad82057ee4be68f3e7d23b2711e53e3733567b4257db9ccd0d48ec3efc94de",
    ),
    (
        "print-sha256",
        "T(np.arange(4096).reshape(8, 8, 8, 8))",
        "50fbd62ae9b255c8643b1f827aaa9fd8b1900e8b241518e2fd69dc043ae09032",
    ),
    (
        "print-sha256",
        "T(np.arange(210).reshape(5, 6, 7)), summarize=2",
        "537ecfb873ff03a5c0572adc1a00f9c6a068563940b0c6fd67c75b71d295341f",
    ),
    (
        "print-sha256",
        "T(np.arange(10000).reshape(100, 100)), summarize=-1",
        "00e9e2ae71c417c0aabc5e66c78fb8952d93a65539985a89a197fa30de56daa3",
    ),
    ("print", "T(np.zeros((0,)))", "[]"),
    ("print", "T(np.zeros((0, 3)))", "[]"),
    ("print", "T(np.zeros((2, 0)))", "[\n ...]"),
    ("print", "T(np.zeros((2, 0, 3)))", "[\n\n ...]"),
    ("print", "T(np.zeros((3, 2, 0)))", "[\n\n ...]"),
    ("print", "T(np.zeros((0, 0)))", "[]"),
    ("print", "T(np.zeros((7, 0)))", "[\n ...]"),
    ("print", "T(np.zeros((7, 0, 7)))", "[\n\n ...]"),
    ("print", "T(np.zeros((2, 0))), summarize=-1", "[\n ...]"),
    ("print", "T(np.zeros((1, 1))), summarize=0", "[\n ...]"),
    ("print", "T(1.), summarize=0", "..."),
    ("print", "T(1.), summarize=-1", "1"),
    ("print", "T(np.zeros(0, object))", "[]"),
    ("print", "T(np.zeros((2, 0), bool))", ""),
    ("print", "[T(np.zeros(0, bool)), 1]", "[, 1]"),
    ("print", "T([True, False]), summarize=0", ""),
    ("print", "T(True), summarize=0", ""),
    ("print", "T(list('ab')), summarize=0", "[ ...]"),
    ("print", "[T('a')], summarize=0", "[...]"),
    ("print", "T(np.arange(9) > 4)", "[0 0 0 ... 1 1 1]"),
    ("print", "T('hello')", "hello"),
    ("print", "V('hello')", "hello"),
    ("print", "T('')", ""),
    ("print", "'x', T('hello')", 'x "hello"'),
    ("print", "T('a'), T('b')", '"a" "b"'),
    ("print", "T(['a', 'b'])", '["a" "b"]'),
    ("print", "T([['a', 'b'], ['c', 'd']])", '[["a" "b"]\n ["c" "d"]]'),
    ("print", "T(list('abcdefgh'))", '["a" "b" "c" ... "f" "g" "h"]'),
    ("print", "T(list('abcdefgh')), summarize=1", '["a" ... "h"]'),
    ("print", 'T(\'two\\nlines\\t"q" \\\'s\\\' \\\\\')', 'two\nlines\t"q" \'s\' \\'),
    ("print", '\'x\', T(\'two\\nlines\\t"q" \\\'s\\\' \\\\\')', 'x "two\\nlines\\t\\"q\\" \\\'s\\\' \\\\"'),
    ("print", "[T('tab\\t')]", '["tab\\t"]'),
    ("print", "T(b'\\x00\\x01\\x1f\\x7f')", "\x00\x01\x1f\x7f"),
    (
        "print",
        "T([b'\\x00\\x01\\x1f\\x7f\\x000', b'\\r\\v\\a'])",
        '["\\000\\001\\037\\177\\0000" "\\r\\013\\007"]',
    ),
    ("print", "T('caf\\u00e9 \\U0001f600')", "café 😀"),
    ("print", "[T('caf\\u00e9 \\U0001f600')]", '["café 😀"]'),
    ("print", "T(b'\\xff\\xfe')", "��"),
    ("print", "[T(b'\\xff\\xfe')]", '["��"]'),
    ("print", "T('{}')", "{}"),
    ("print", "T('{}'), T('{}')", '"{}" "{}"'),
    (
        "print",
        "[T('x y ' * 30)]",
        '["x y x y x y x y x y x y x y x y x y x y x y x y x y x y x y x y x y x y x y x '
        'y x y x y x y x y x y x y x y x y x y x y "]',
    ),
    ("print", "", ""),
    ("print", '""', ""),
    ("print", "1", "1"),
    ("print", "1.0", "1.0"),
    ("print", "1e6", "1000000.0"),
    ("print", "1e-7", "1e-07"),
    ("print", "True", "True"),
    ("print", "None", "None"),
    ("print", "1+2j", "(1+2j)"),
    ("print", "10**30", "1000000000000000000000000000000"),
    ("print", "'text'", "text"),
    ("print", '"it\'s"', "it's"),
    ("print", "b'bytes'", "b'bytes'"),
    ("print", "Word('word')", "word"),
    ("print", "[Word('word')]", "['word']"),
    ("print", "float('nan')", "nan"),
    ("print", "...", "Ellipsis"),
    ("print", "int", "<class 'int'>"),
    ("print", "Colour.RED", "<Colour.RED: 1>"),
    ("print", "Braces()", "<{}>"),
    ("print", "decimal.Decimal('1.5')", "Decimal('1.5')"),
    ("print", "pathlib.PurePosixPath('/a/b')", "PurePosixPath('/a/b')"),
    ("print", "slice(1, 2)", "slice(1, 2, None)"),
    ("print", "{3, 1, 2}", "{1, 2, 3}"),
    ("print", "frozenset({1})", "frozenset({1})"),
    ("print", "bytearray(b'ab')", "bytearray(b'ab')"),
    ("print", "range(3)", "[0, 1, 2]"),
    ("print", "[range(2)]", "[[0, 1]]"),
    ("print", "()", "()"),
    ("print", "[]", "[]"),
    ("print", "{}", "{}"),
    ("print", "[[]]", "[[]]"),
    ("print", "({},)", "({},)"),
    ("print", "[[], {}]", "[[], {}]"),
    ("print", "(1,)", "(1,)"),
    ("print", "[1, 'a', None, 2.5]", "[1, 'a', None, 2.5]"),
    ("print", "{'b': 1, 'a': 'x'}", "{'a': 'x', 'b': 1}"),
    ("print", "{'b': {'d': 1, 'c': (2,)}, 'a': []}", "{'a': [], 'b': {'c': (2,), 'd': 1}}"),
    ("print", "np.array([1., 2.])", "array([1., 2.])"),
    ("print", "np.zeros((2, 2))", "array([[0., 0.],\n       [0., 0.]])"),
    ("print", "np.arange(3), [np.arange(3)]", "array([0, 1, 2]) [array([0, 1, 2])]"),
    ("print", "np.array(['a'])", "array(['a'], dtype='<U1')"),
    ("print", "np.array(1.5)", "array(1.5)"),
    ("print", "np.float32(1.5)", "np.float32(1.5)"),
    ("print", "[np.int64(2), np.bool_(True)]", "[np.int64(2), np.True_]"),
    ("print", "np.str_('q')", "q"),
    ("print", "Pair(1, 'a')", "Pair(x=1, y='a')"),
    ("print", "[Pair(1, 2)]", "[Pair(x=1, y=2)]"),
    ("print", "Record(1, [2])", "Record(a=1, b=[2])"),
    ("print", "collections.deque([1, 2])", "deque([1, 2])"),
    ("print", "collections.Counter('aab')", "Counter({'a': 2, 'b': 1})"),
    ("print", "collections.UserList([1, 2])", "[1, 2]"),
    ("print", "collections.ChainMap({'a': 1}, {'b': 2})", "ChainMap({'b': 2, 'a': 1})"),
    ("print", "types.SimpleNamespace(a=1)", "namespace(a=1)"),
    ("print", "{'b': 1, 'a': 2}.keys()", "['b', 'a']"),
    ("print", "{'b': 1, 'a': 2}.items()", "[('b', 1), ('a', 2)]"),
    ("print", "[T([1., 2.])]", "[[1 2]]"),
    ("print", "(T([1., 2.]),)", "([1 2],)"),
    ("print", "(T(1), T(2))", "(1, 2)"),
    ("print", "{'a': T([1., 2.])}", "{'a': [1 2]}"),
    ("print", "{'b': T([1., 2.]), 'a': T(3)}", "{'a': 3, 'b': [1 2]}"),
    ("print", "{'b': {'d': T(1), 'c': T(2.5)}, 'a': 1}", "{'a': 1, 'b': {'c': 2.5, 'd': 1}}"),
    ("print", "{2: T([2.]), 1: T([1.])}", "{1: [1], 2: [2]}"),
    ("print", "{(1, 2): T(1), (0, 1): T(2)}", "{(0, 1): 2, (1, 2): 1}"),
    ("print", "{True: T(1), False: T(2)}", "{False: 2, True: 1}"),
    ("print", "{b'b': T(1), b'a': T(2)}", "{b'a': 2, b'b': 1}"),
    ("print", "{1: T(1), 2.5: T(2), 0: 3}", "{0: 3, 1: 1, 2.5: 2}"),
    ("print", "[T([[1., 2.], [3., 4.]])]", "[[[1 2]\n [3 4]]]"),
    ("print", "{'m': T([[1, 2], [3, 4]]), 'n': [T(1.)]}", "{'m': [[1 2]\n [3 4]], 'n': [1]}"),
    ("print", "(T([[1, 2], [3, 4]]), (T([5]), [T(6)]))", "([[1 2]\n [3 4]], ([5], [6]))"),
    ("print", "[V([1., 2.]), V(True)]", "[[1 2], 1]"),
    ("print", "V(2.5)", "2.5"),
    ("print", "V([[1], [2]]), 'x'", "[[1]\n [2]] x"),
    ("print", "[None, T(1), True, 1.5, 'x', b'y']", "[None, 1, True, 1.5, 'x', b'y']"),
    ("print", "((((((T([1.]),),),),),),)", "(((((([1],),),),),),)"),
    ("print", "[T(np.zeros((2, 0)))]", "[[\n ...]]"),
    ("print", "[T(1j)]", "[?]"),
    ("print", "'loss:', T(0.25), 'accuracy:', T(0.5)", "loss: 0.25 accuracy: 0.5"),
    ("print", "'step', 3, T(3), 3.0, T(3.)", "step 3 3 3.0 3"),
    ("print", "T([1.]), None, [None]", "[1] None [None]"),
    ("print", "'a\\nb', T(1)", "a\nb 1"),
    ("print", "['a\\nb', T(1)]", "['a\\nb', 1]"),
    ("print", "'', T(1)", " 1"),
    ("print", "'', ''", " "),
    ("print", "'é', ['é', T(1)]", "é ['é', 1]"),
    ("print", '["it\'s", T(1)]', '["it\'s", 1]'),
    ("print", '[\'"\', \'\\\\\', T(1)]', '[\'"\', \'\\\\\', 1]'),
    ("print", '[\'\\\'"\', T(1)]', '[\'\\\'"\', 1]'),
    ("print", "'%s', T(1), '%d {0}'", "%s 1 %d {0}"),
    ("print", "'tab\\t', T(1)", "tab\t 1"),
    ("print", "Pair(T(1), T([2.]))", "Pair(x=1, y=[2])"),
    ("print", "[Pair(T(1), 'b')]", "[Pair(x=1, y='b')]"),
    ("print", "{'p': Pair(x=[T(1)], y=None)}", "{'p': Pair(x=[1], y=None)}"),
    ("print", "Triple([T(1), 2])", "(1, 2)"),
    ("print", "Stack([T(1), 2])", "[1, 2]"),
    ("print", "Settings(b=T(1), a=2)", "{'a': 2, 'b': 1}"),
    ("print", "collections.deque([T(1), T([2.])])", "deque([1, [2]])"),
    ("print", "collections.deque([1, T(2)], maxlen=5)", "deque([1, 2])"),
    ("print", "collections.UserList([T(1), T(2)])", "[1, 2]"),
    (
        "print",
        "collections.defaultdict(list, {'a': T(1), 'b': [T(2)]})",
        "defaultdict(<class 'list'>, {'a': 1, 'b': [2]})",
    ),
    ("print", "collections.UserDict(a=T(1), b=2)", "{'a': 1, 'b': 2}"),
    ("print", "collections.ChainMap({'a': 1}, {'b': T(3)})", "ChainMap({'b': 3, 'a': 1})"),
    ("print", "{'b': 1, 'a': T(3)}.values()", "[1, 3]"),
    ("print", "{'b': T(1), 'a': T(3)}.items()", "[('b', 1), ('a', 3)]"),
    ("print", "Attrs(T(1), [T([2.])])", "Attrs(x=1, y=[[2]])"),
    ("print", "[Node(T([1.]), 'leaf'), 2]", "[Node(child=[1], label='leaf'), 2]"),
    ("print", "[Braces(), T(1)]", "[<{}>, 1]"),
    ("print", "[Colour.RED, T(1)]", "[<Colour.RED: 1>, 1]"),
    ("print", "[np.arange(3), T(3)]", "[array([0, 1, 2]), 3]"),
    (
        "print",
        "{'x': np.zeros((2, 2)), 'y': T([[1], [2]])}",
        "{'x': array([[0., 0.],\n"
        "       [0., 0.]]), 'y': [[1]\n"
        " [2]]}",
    ),
    ("print", "T(1), T(2), sep=','", "1,2"),
    ("print", "'a', T(1), sep=''", "a1"),
    ("print", "'a', T(1), 'b', sep='\\n'", "a\n1\nb"),
    ("print", '"\'", T(1), "\'", sep=\'\'', "'1'"),
    ("print", 'T(1), \'x\', sep="\'\'"', "1''x"),
    ("print", "[T(np.arange(10)), {'a': T(np.arange(10))}], summarize=1", "[[0 ... 9], {'a': [0 ... 9]}]"),
    (
        "print",
        "[T(np.arange(10)), {'a': T(np.arange(10))}], summarize=-1",
        "[[0 1 2 3 4 5 6 7 8 9], {'a': [0 1 2 3 4 5 6 7 8 9]}]",
    ),
    ("print", "list(range(10)), summarize=1", "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]"),
    ("print", "'{}', T(1), '{}'", "{} 1 {}"),
    ("print", "'x{}', T(1)", "x{} 1"),
    ("print", "'{}{}9', T(1)", "{}{}9 1"),
    ("print", "Word('z{}'), T(1)", "z{} 1"),
    ("print", "{}, T(1)", "{} 1"),
    ("print", "[{}], T(1)", "[{}] 1"),
    ("print", "['{}', T(1)]", "['{}', 1]"),
    ("print", '["\'{}\'", T(1)]', '["\'{}\'", 1]'),
    ("print", "{'{}': T(1)}", "{'{}': 1}"),
    ("print", "{'a': '{}', 'b': T(1)}", "{'a': '{}', 'b': 1}"),
    ("print", "['{}', '{}9', '{}90', '{}97', T(1)]", "['{}', '{}9', '{}90', '{}97', 1]"),
    ("print", "[T(3)] * 13", "[3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3]"),
    ("print", "[T(3)] * 14", "[3,\n 3,\n 3,\n 3,\n 3,\n 3,\n 3,\n 3,\n 3,\n 3,\n 3,\n 3,\n 3,\n 3]"),
    ("print", "(T(3),) * 14", "(3,\n 3,\n 3,\n 3,\n 3,\n 3,\n 3,\n 3,\n 3,\n 3,\n 3,\n 3,\n 3,\n 3)"),
    (
        "print",
        "[T([1., 2.])] * 15",
        "[[1 2],\n"
        " [1 2],\n"
        " [1 2],\n"
        " [1 2],\n"
        " [1 2],\n"
        " [1 2],\n"
        " [1 2],\n"
        " [1 2],\n"
        " [1 2],\n"
        " [1 2],\n"
        " [1 2],\n"
        " [1 2],\n"
        " [1 2],\n"
        " [1 2],\n"
        " [1 2]]",
    ),
    (
        "print",
        "list(range(27))",
        "[0,\n"
        " 1,\n"
        " 2,\n"
        " 3,\n"
        " 4,\n"
        " 5,\n"
        " 6,\n"
        " 7,\n"
        " 8,\n"
        " 9,\n"
        " 10,\n"
        " 11,\n"
        " 12,\n"
        " 13,\n"
        " 14,\n"
        " 15,\n"
        " 16,\n"
        " 17,\n"
        " 18,\n"
        " 19,\n"
        " 20,\n"
        " 21,\n"
        " 22,\n"
        " 23,\n"
        " 24,\n"
        " 25,\n"
        " 26]",
    ),
    (
        "print",
        "list(range(28))",
        "[0,\n"
        " 1,\n"
        " 2,\n"
        " 3,\n"
        " 4,\n"
        " 5,\n"
        " 6,\n"
        " 7,\n"
        " 8,\n"
        " 9,\n"
        " 10,\n"
        " 11,\n"
        " 12,\n"
        " 13,\n"
        " 14,\n"
        " 15,\n"
        " 16,\n"
        " 17,\n"
        " 18,\n"
        " 19,\n"
        " 20,\n"
        " 21,\n"
        " 22,\n"
        " 23,\n"
        " 24,\n"
        " 25,\n"
        " 26,\n"
        " 27]",
    ),
    (
        "print",
        "range(30)",
        "[0,\n"
        " 1,\n"
        " 2,\n"
        " 3,\n"
        " 4,\n"
        " 5,\n"
        " 6,\n"
        " 7,\n"
        " 8,\n"
        " 9,\n"
        " 10,\n"
        " 11,\n"
        " 12,\n"
        " 13,\n"
        " 14,\n"
        " 15,\n"
        " 16,\n"
        " 17,\n"
        " 18,\n"
        " 19,\n"
        " 20,\n"
        " 21,\n"
        " 22,\n"
        " 23,\n"
        " 24,\n"
        " 25,\n"
        " 26,\n"
        " 27,\n"
        " 28,\n"
        " 29]",
    ),
    (
        "print",
        "set(range(28))",
        "{0,\n"
        " 1,\n"
        " 2,\n"
        " 3,\n"
        " 4,\n"
        " 5,\n"
        " 6,\n"
        " 7,\n"
        " 8,\n"
        " 9,\n"
        " 10,\n"
        " 11,\n"
        " 12,\n"
        " 13,\n"
        " 14,\n"
        " 15,\n"
        " 16,\n"
        " 17,\n"
        " 18,\n"
        " 19,\n"
        " 20,\n"
        " 21,\n"
        " 22,\n"
        " 23,\n"
        " 24,\n"
        " 25,\n"
        " 26,\n"
        " 27}",
    ),
    (
        "print",
        "frozenset(range(28))",
        "frozenset({0,\n"
        "           1,\n"
        "           2,\n"
        "           3,\n"
        "           4,\n"
        "           5,\n"
        "           6,\n"
        "           7,\n"
        "           8,\n"
        "           9,\n"
        "           10,\n"
        "           11,\n"
        "           12,\n"
        "           13,\n"
        "           14,\n"
        "           15,\n"
        "           16,\n"
        "           17,\n"
        "           18,\n"
        "           19,\n"
        "           20,\n"
        "           21,\n"
        "           22,\n"
        "           23,\n"
        "           24,\n"
        "           25,\n"
        "           26,\n"
        "           27})",
    ),
    ("print", "['{}'] + [T(3)] * 10", "['{}', 3, 3, 3, 3, 3, 3, 3, 3, 3, 3]"),
    ("print", "['{}'] + [T(3)] * 11", "['{}',\n 3,\n 3,\n 3,\n 3,\n 3,\n 3,\n 3,\n 3,\n 3,\n 3,\n 3]"),
    ("print", "['{}9', '{}'] + [T(3)] * 8", "['{}9', '{}', 3, 3, 3, 3, 3, 3, 3, 3]"),
    ("print", "['{}9', '{}'] + [T(3)] * 9", "['{}9',\n '{}',\n 3,\n 3,\n 3,\n 3,\n 3,\n 3,\n 3,\n 3,\n 3]"),
    ("print", "'{}', [T(3)] * 11", "{} [3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3]"),
    ("print", "'{}', [T(3)] * 12", "{} [3,\n 3,\n 3,\n 3,\n 3,\n 3,\n 3,\n 3,\n 3,\n 3,\n 3,\n 3]"),
    ("print", "'{}', '{}9', [T(3)] * 10", "{} {}9 [3, 3, 3, 3, 3, 3, 3, 3, 3, 3]"),
    ("print", "'{}', '{}9', [T(3)] * 11", "{} {}9 [3,\n 3,\n 3,\n 3,\n 3,\n 3,\n 3,\n 3,\n 3,\n 3,\n 3]"),
    ("print", "[{}] * 13 + [T(3)]", "[{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, 3]"),
    (
        "print",
        "[{}] * 19 + [T(3)]",
        "[{},\n"
        " {},\n"
        " {},\n"
        " {},\n"
        " {},\n"
        " {},\n"
        " {},\n"
        " {},\n"
        " {},\n"
        " {},\n"
        " {},\n"
        " {},\n"
        " {},\n"
        " {},\n"
        " {},\n"
        " {},\n"
        " {},\n"
        " {},\n"
        " {},\n"
        " 3]",
    ),
    (
        "print",
        "{'key%d' % i: T(i) for i in range(12)}",
        "{'key0': 0,\n"
        " 'key1': 1,\n"
        " 'key10': 10,\n"
        " 'key11': 11,\n"
        " 'key2': 2,\n"
        " 'key3': 3,\n"
        " 'key4': 4,\n"
        " 'key5': 5,\n"
        " 'key6': 6,\n"
        " 'key7': 7,\n"
        " 'key8': 8,\n"
        " 'key9': 9}",
    ),
    (
        "print",
        "{'key%d' % i: [T(3)] * 8 for i in range(4)}",
        "{'key0': [3, 3, 3, 3, 3, 3, 3, 3],\n"
        " 'key1': [3, 3, 3, 3, 3, 3, 3, 3],\n"
        " 'key2': [3, 3, 3, 3, 3, 3, 3, 3],\n"
        " 'key3': [3, 3, 3, 3, 3, 3, 3, 3]}",
    ),
    (
        "print",
        "[[T(3)] * 10] * 4",
        "[[3, 3, 3, 3, 3, 3, 3, 3, 3, 3],\n"
        " [3, 3, 3, 3, 3, 3, 3, 3, 3, 3],\n"
        " [3, 3, 3, 3, 3, 3, 3, 3, 3, 3],\n"
        " [3, 3, 3, 3, 3, 3, 3, 3, 3, 3]]",
    ),
    (
        "print",
        "[[[T(3)] * 10] * 4] * 3",
        "[[[3, 3, 3, 3, 3, 3, 3, 3, 3, 3],\n"
        "  [3, 3, 3, 3, 3, 3, 3, 3, 3, 3],\n"
        "  [3, 3, 3, 3, 3, 3, 3, 3, 3, 3],\n"
        "  [3, 3, 3, 3, 3, 3, 3, 3, 3, 3]],\n"
        " [[3, 3, 3, 3, 3, 3, 3, 3, 3, 3],\n"
        "  [3, 3, 3, 3, 3, 3, 3, 3, 3, 3],\n"
        "  [3, 3, 3, 3, 3, 3, 3, 3, 3, 3],\n"
        "  [3, 3, 3, 3, 3, 3, 3, 3, 3, 3]],\n"
        " [[3, 3, 3, 3, 3, 3, 3, 3, 3, 3],\n"
        "  [3, 3, 3, 3, 3, 3, 3, 3, 3, 3],\n"
        "  [3, 3, 3, 3, 3, 3, 3, 3, 3, 3],\n"
        "  [3, 3, 3, 3, 3, 3, 3, 3, 3, 3]]]",
    ),
    (
        "print",
        "{'k': {'kk': [T(3)] * 14}}",
        "{'k': {'kk': [3,\n"
        "              3,\n"
        "              3,\n"
        "              3,\n"
        "              3,\n"
        "              3,\n"
        "              3,\n"
        "              3,\n"
        "              3,\n"
        "              3,\n"
        "              3,\n"
        "              3,\n"
        "              3,\n"
        "              3]}}",
    ),
    (
        "print",
        "([T(3)] * 14, T([[1], [2]]))",
        "([3,\n"
        "  3,\n"
        "  3,\n"
        "  3,\n"
        "  3,\n"
        "  3,\n"
        "  3,\n"
        "  3,\n"
        "  3,\n"
        "  3,\n"
        "  3,\n"
        "  3,\n"
        "  3,\n"
        "  3],\n"
        " [[1]\n"
        " [2]])",
    ),
    (
        "print",
        "['word ' * 30]",
        "['word word word word word word word word word word word word word word word '\n"
        " 'word word word word word word word word word word word word word word word ']",
    ),
    (
        "print",
        "['word ' * 30, T(1)]",
        "['word word word word word word word word word word word word word word word '\n"
        " 'word word word word word word word word word word word word word word word ',\n"
        " 1]",
    ),
    (
        "print",
        "'word ' * 30",
        "word word word word word word word word word word word word word word word word "
        "word word word word word word word word word word word word word word ",
    ),
    (
        "print",
        "b'word ' * 30",
        "(b'word word word word word word word word word word word word word word word w'"
        "\n"
        " b'ord word word word word word word word word word word word word word word ')",
    ),
    (
        "print",
        "[b'word ' * 30, T(1)]",
        "[b'word word word word word word word word word word word word word word word w'"
        "\n"
        " b'ord word word word word word word word word word word word word word word ',\n"
        " 1]",
    ),
    (
        "print",
        "['x' * 100]",
        "['xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
        "xxxxxxxxxxxxxxxxxxxxxx']",
    ),
    (
        "print",
        "{'a' * 80: [T(1)] * 3}",
        "{'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aa': [1,\n"
        "                                                                                "
        "      1,\n"
        "                                                                                "
        "      1]}",
    ),
    (
        "print",
        "[(T(3),) * 14, 'abc ' * 30, {'k': 'def ' * 30}]",
        "[(3,\n"
        "  3,\n"
        "  3,\n"
        "  3,\n"
        "  3,\n"
        "  3,\n"
        "  3,\n"
        "  3,\n"
        "  3,\n"
        "  3,\n"
        "  3,\n"
        "  3,\n"
        "  3,\n"
        "  3),\n"
        " 'abc abc abc abc abc abc abc abc abc abc abc abc abc abc abc abc abc abc abc '\n"
        " 'abc abc abc abc abc abc abc abc abc abc abc ',\n"
        " {'k': 'def def def def def def def def def def def def def def def def def '\n"
        "       'def def def def def def def def def def def def def '}]",
    ),
    (
        "print",
        "[Pair(T(3), [T(3)] * 20)]",
        "[Pair(x=3, y=[3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3])]",
    ),
    (
        "print",
        "collections.deque([[T(3)] * 10] * 4)",
        "deque([[3, 3, 3, 3, 3, 3, 3, 3, 3, 3],\n"
        "       [3, 3, 3, 3, 3, 3, 3, 3, 3, 3],\n"
        "       [3, 3, 3, 3, 3, 3, 3, 3, 3, 3],\n"
        "       [3, 3, 3, 3, 3, 3, 3, 3, 3, 3]])",
    ),
    (
        "print",
        "collections.defaultdict(list, {str(i): [T(3)] * 10 for i in range(4)})",
        "defaultdict(<class 'list'>,\n"
        "            {'0': [3, 3, 3, 3, 3, 3, 3, 3, 3, 3],\n"
        "             '1': [3, 3, 3, 3, 3, 3, 3, 3, 3, 3],\n"
        "             '2': [3, 3, 3, 3, 3, 3, 3, 3, 3, 3],\n"
        "             '3': [3, 3, 3, 3, 3, 3, 3, 3, 3, 3]})",
    ),
    (
        "print",
        "[Record([1] * 28, 'z')]",
        "[Record(a=[1,\n"
        "           1,\n"
        "           1,\n"
        "           1,\n"
        "           1,\n"
        "           1,\n"
        "           1,\n"
        "           1,\n"
        "           1,\n"
        "           1,\n"
        "           1,\n"
        "           1,\n"
        "           1,\n"
        "           1,\n"
        "           1,\n"
        "           1,\n"
        "           1,\n"
        "           1,\n"
        "           1,\n"
        "           1,\n"
        "           1,\n"
        "           1,\n"
        "           1,\n"
        "           1,\n"
        "           1,\n"
        "           1,\n"
        "           1,\n"
        "           1],\n"
        "        b='z')]",
    ),
    (
        "print",
        "Node([T(3)] * 20, 'leaf')",
        "Node(child=[3,\n"
        "            3,\n"
        "            3,\n"
        "            3,\n"
        "            3,\n"
        "            3,\n"
        "            3,\n"
        "            3,\n"
        "            3,\n"
        "            3,\n"
        "            3,\n"
        "            3,\n"
        "            3,\n"
        "            3,\n"
        "            3,\n"
        "            3,\n"
        "            3,\n"
        "            3,\n"
        "            3,\n"
        "            3],\n"
        "     label='leaf')",
    ),
    (
        "print",
        "types.SimpleNamespace(a=[1] * 28)",
        "namespace(a=[1,\n"
        "             1,\n"
        "             1,\n"
        "             1,\n"
        "             1,\n"
        "             1,\n"
        "             1,\n"
        "             1,\n"
        "             1,\n"
        "             1,\n"
        "             1,\n"
        "             1,\n"
        "             1,\n"
        "             1,\n"
        "             1,\n"
        "             1,\n"
        "             1,\n"
        "             1,\n"
        "             1,\n"
        "             1,\n"
        "             1,\n"
        "             1,\n"
        "             1,\n"
        "             1,\n"
        "             1,\n"
        "             1,\n"
        "             1,\n"
        "             1])",
    ),
    ("print", "np.arange(2000)", "array([   0,    1,    2, ..., 1997, 1998, 1999], shape=(2000,))"),
    (
        "print",
        "[np.arange(40.), T(1)]",
        "[array([ 0.,  1.,  2.,  3.,  4.,  5.,  6.,  7.,  8.,  9., 10., 11., 12.,\n"
        "       13., 14., 15., 16., 17., 18., 19., 20., 21., 22., 23., 24., 25.,\n"
        "       26., 27., 28., 29., 30., 31., 32., 33., 34., 35., 36., 37., 38.,\n"
        "       39.]),\n"
        " 1]",
    ),
    ("print", "['{}', '{}9', '{}94'] + [T(3)] * 4", "['{}', '{}9', '{}94', 3, 3, 3, 3]"),
    ("print", "['{}', '{}9', '{}94'] + [T(3)] * 5", "['{}', '{}9', '{}94', 3, 3, 3, 3, 3]"),
    ("print", "['{}', '{}9', '{}94'] + [T(3)] * 6", "['{}', '{}9', '{}94', 3, 3, 3, 3, 3, 3]"),
    (
        "print",
        "['{}', '{}9', '{}94'] + [T(3)] * 7",
        "['{}',\n"
        " '{}9',\n"
        " '{}94',\n"
        " 3,\n"
        " 3,\n"
        " 3,\n"
        " 3,\n"
        " 3,\n"
        " 3,\n"
        " 3]",
    ),
]
# fmt: on
# -------------------------------------------------------------------------------------------- end of the rows


def record_with_tensorflow(rows):
    """The rows with the text that the installed TensorFlow writes."""
    import os
    import tempfile

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    def tensor(value, dtype=None):
        array = as_array(value, dtype)
        return tf.constant(array[()] if array.dtype == object and array.ndim == 0 else array)

    def variable(value, dtype=None, name=None, shape=()):
        declared = None if shape == () else tf.TensorShape(shape)
        return tf.Variable(tensor(value, dtype), name=name, shape=declared)

    def text(function, source):
        args, options = eval(f"call({source})", names(tensor, variable))
        if function == "variable":
            assert repr(args[0]) == str(args[0])
        if function in ("repr", "variable"):
            return repr(args[0])
        if function == "str":
            return str(args[0])
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "text")
            tf.print(*args, **options, output_stream="file://" + path, end="")
            with open(path, "rb") as file:
                written = file.read()
        if function == "print-sha256":
            return hashlib.sha256(written).hexdigest()
        return written.decode("utf-8", "replace")

    return [(function, source, text(function, source)) for function, source, _ in rows]


def rewrite_this_file(rows):
    """Put the rows in the place of those between the two rulers."""

    def literal(text):
        shown = repr(text)
        return f'"{shown[1:-1]}"' if shown[0] == "'" and '"' not in text else shown

    def pieces(text):
        """Adjacent literals, broken at line ends and at 80 characters."""
        lines = text.splitlines(keepends=True) if "\n" in text else [text]
        parts = [line[i : i + 80] for line in lines for i in range(0, len(line), 80)]
        return "\n        ".join(map(literal, parts))

    def row(function, source, text):
        line = f"    ({literal(function)}, {literal(source)}, {literal(text)}),\n"
        if len(line) <= 111:
            return line
        cells = (literal(function), pieces(source), pieces(text))
        return "    (\n" + "".join(f"        {cell},\n" for cell in cells) + "    ),\n"

    with open(__file__, encoding="utf-8") as file:
        before, rest = file.read().split("RECORDED = [\n", 1)
        _, after = rest.split("]\n# fmt: on", 1)
    table = "RECORDED = [\n" + "".join(row(*r) for r in rows) + "]\n# fmt: on"
    with open(__file__, "w", encoding="utf-8") as file:
        file.write(before + table + after)


if __name__ == "__main__":
    fresh = record_with_tensorflow(RECORDED)
    if "--check" in sys.argv:
        differing = [(old, new[2]) for old, new in zip(RECORDED, fresh) if old != new]
        for old, new in differing:
            print(*old[:2], f"recorded {old[2]!r}", f"now      {new!r}", sep="\n    ")
        sys.exit(bool(differing))
    rewrite_this_file(fresh)
    sys.exit()

# -------------------------------------------------------------------------------------------------- the tests

import pytest  # noqa: E402  (the script above runs where there is no pytest, and no gradtape)

from gradtape.core.text import print_text, tensor_repr, tensor_str, variable_repr  # noqa: E402


class Tensor:
    """A stand-in: the value as gradtape's tensors hold it, a scalar for shape ()."""

    def __init__(self, value, dtype=None):
        array = as_array(value, dtype)
        self.value = array[()]
        self.shape = array.shape
        self.dtype_name = "string" if array.dtype == object else array.dtype.name


class Variable(Tensor):
    def __init__(self, value, dtype=None, name="Variable", shape=()):
        super().__init__(value, dtype)
        self.name = name + ":0"
        self.shape = self.shape if shape == () else shape


def value_of(x):
    return x.value if isinstance(x, Tensor) else NotImplemented


def written(function, source):
    args, options = eval(f"call({source})", names(Tensor, Variable))
    if function.startswith("print"):
        text = print_text(args, **options, leaf=value_of)
        return text if function == "print" else hashlib.sha256(text.encode()).hexdigest()
    (x,) = args
    if function == "variable":
        return variable_repr(x.name, x.value, x.shape, x.dtype_name)
    return {"repr": tensor_repr, "str": tensor_str}[function](x.value, x.shape, x.dtype_name)


def as_parameter(row):
    function, source, text = row
    # NumPy 2.1 does not yet name the shape of an array that it summarises.
    older = np.lib.NumpyVersion(np.__version__) < "2.2.0" and "..." in text and "array(" in text
    marks = [pytest.mark.skip("recorded with a later NumPy")] if older else []
    return pytest.param(function, source, text, id=f"{function}: {source[:60]}", marks=marks)


@pytest.mark.parametrize(("function", "source", "text"), [as_parameter(row) for row in RECORDED])
def test_text_is_that_of_tensorflow(function, source, text):
    assert written(function, source) == text


def test_table_is_recorded():
    assert len(RECORDED) > 500
    assert len({row[:2] for row in RECORDED}) == len(RECORDED)


# Where TensorFlow misinforms or gives up, gradtape differs; see the docstring of print_text.


def shown(*inputs, **options):
    return print_text(inputs, leaf=value_of, **options)


def test_a_tensor_in_an_ordered_mapping_stands_beside_its_own_key():
    ordered = collections.OrderedDict(b=Tensor(1), a=Tensor([2.0, 3.0]))
    assert shown(ordered) == repr(collections.OrderedDict(b=1, a=2)).replace("2", "[2 3]")
    assert shown(collections.UserDict(b=Tensor(1), a=Tensor(2))) == "{'b': 1, 'a': 2}"
    default = collections.defaultdict(list, {"b": Tensor(1), "a": Tensor(2)})
    assert shown(default) == "defaultdict(<class 'list'>, {'b': 1, 'a': 2})"


def test_subnormal_numbers_are_shown():
    assert shown(Tensor(np.array([1e-45, -1e-40], np.float32))) == "[1.4013e-45 -9.99995e-41]"
    assert shown(Tensor(np.array([5e-324, -1e-310]))) == "[4.94065645841247e-324 -9.99999999999997e-311]"


def test_structures_that_tensorflow_refuses_are_shown():
    assert shown({1: Tensor(1), "a": Tensor(2)}) == "{1: 1, 'a': 2}"
    assert shown([types.MappingProxyType({"a": Tensor(1)})]) == "[mappingproxy({'a': 1})]"
    assert shown(Tensor(1), Tensor(2), sep="{}") == "1{}2"
    view = memoryview(b"ab")
    assert shown(view) == repr(view)


# What the table cannot say.


def test_zero_dimensional_arrays_read_as_scalars():
    assert tensor_repr(np.array(0.5), (), "float64") == "<tf.Tensor: shape=(), dtype=float64, numpy=0.5>"
    assert tensor_str(np.array(b"a", object), (), "string") == "tf.Tensor(b'a', shape=(), dtype=string)"
    assert print_text(["x", np.array(1.0)], leaf=lambda x: x) == "x 1"
    assert print_text([np.array(b"a", object)], leaf=lambda x: x) == "a"
    assert print_text([np.bytes_(b"a")], leaf=lambda x: x) == "a"


def test_without_leaf_arrays_are_python_objects():
    assert print_text(iter([np.array([1.0, 2.0]), "x"])) == "array([1., 2.]) x"


def test_numpy_print_options_apply_to_repr_and_str():
    third = np.array([1 / 3])
    with np.printoptions(precision=2):
        assert tensor_str(third, (1,), "float64") == "tf.Tensor([0.33], shape=(1,), dtype=float64)"
        assert shown(Tensor(third)) == "[0.33333333333333331]"


def test_shape_may_be_any_iterable_of_integers():
    value = np.zeros((1, 2))
    assert tensor_str(value, np.array([1, 2]), "float64") == tensor_str(value, (1, 2), "float64")


def test_the_inputs_stay_as_they_are():
    tensor = Tensor(1)
    inner = [tensor, 2]
    outer = {"b": inner, "a": (tensor,)}
    assert shown(outer, outer) == "{'a': (1,), 'b': [1, 2]} {'a': (1,), 'b': [1, 2]}"
    assert list(outer) == ["b", "a"] and outer["b"] is inner and inner == [tensor, 2]


def test_many_tensors_in_one_structure_keep_their_places():
    count = 33000
    assert shown([Tensor(i) for i in range(count)]) == "[" + ",\n ".join(map(str, range(count))) + "]"


def test_only_the_ends_of_a_huge_tensor_are_looked_at():
    huge = np.broadcast_to(np.arange(10**6, dtype=np.float32), (10**6, 10**6))  # 4 TB if it were copied
    row = "[0 1 2 ... 999997 999998 999999]"
    assert shown(Tensor(huge)) == f"[{row}\n {row}\n {row}\n ...\n {row}\n {row}\n {row}]"
    assert "..." in tensor_str(huge, huge.shape, "float32")
    assert "..." in tensor_repr(huge, huge.shape, "float32")
