"""The text of tensors and variables, and of `tf.print`, to the letter as TensorFlow 2.21 writes it.

Two printers with different habits live here, as they do in TensorFlow:

- `repr` and `str` show NumPy's own text of the value, so a long array is summarised where NumPy does it
  (above 1000 elements), and `numpy.set_printoptions` applies;
- `tf.print` has a formatter of its own: `%g`-like numbers (1.0 is `1`, True is `1`), quoted strings, the
  first and the last `summarize` entries of every dimension, and Python structures laid out by `pprint`.

The functions take NumPy values, not tensors, so that the module stands below all the others.
"""

from __future__ import annotations

import re
from collections import abc, defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

__all__ = ["print_text", "tensor_repr", "tensor_str", "variable_repr"]


# ---------------------------------------------------------------------------------------------- repr and str


def tensor_repr(value: Any, shape: Iterable[int], dtype_name: str) -> str:
    """The `repr` of an eager tensor.

    Args:
      value: a NumPy array or scalar; for dtype string an object array of `bytes`, or a `bytes`.
      shape: the dimensions in order.
      dtype_name: the TensorFlow name of the dtype, such as "float32".

    >>> tensor_repr(np.array([1, 2], np.float32), (2,), "float32")
    '<tf.Tensor: shape=(2,), dtype=float32, numpy=array([1., 2.], dtype=float32)>'
    >>> tensor_repr(np.float32(0.1), (), "float32")
    '<tf.Tensor: shape=(), dtype=float32, numpy=0.10000000149011612>'
    """
    return f"<tf.Tensor: shape={_shape_text(shape)}, dtype={dtype_name}, numpy={_value_repr(value)}>"


def tensor_str(value: Any, shape: Iterable[int], dtype_name: str) -> str:
    """The `str` of an eager tensor, which is what `print` shows; arguments as for `tensor_repr`.

    >>> tensor_str(np.array([1, 2], np.float32), (2,), "float32")
    'tf.Tensor([1. 2.], shape=(2,), dtype=float32)'
    >>> tensor_str(np.float32(0.1), (), "float32")
    'tf.Tensor(0.1, shape=(), dtype=float32)'
    """
    value = _unwrap(value)
    text = repr(value) if isinstance(value, bytes) else str(value)
    return f"tf.Tensor({_on_own_lines(text)}, shape={_shape_text(shape)}, dtype={dtype_name})"


def variable_repr(name: str, value: Any, shape: Iterable[int | None] | None, dtype_name: str) -> str:
    """The `repr` and the `str` of a variable.

    Args:
      name: the variable's full name, such as "Variable:0".
      value: as for `tensor_repr`.
      shape: the declared shape, which may be wider than the value's: None for an open dimension or rank.
      dtype_name: as for `tensor_repr`.

    >>> variable_repr("Variable:0", np.float32(2), (), "float32")
    "<tf.Variable 'Variable:0' shape=() dtype=float32, numpy=2.0>"
    """
    return f"<tf.Variable '{name}' shape={_shape_text(shape)} dtype={dtype_name}, numpy={_value_repr(value)}>"


def _value_repr(value: Any) -> str:
    value = _unwrap(value)
    # A scalar is shown as the Python number, all of its digits included.
    plain = value.item() if isinstance(value, np.generic) and not isinstance(value, bytes) else value
    return _on_own_lines(repr(plain))


def _unwrap(value: Any) -> Any:
    """A 0-d array as the scalar that it holds."""
    return value[()] if isinstance(value, np.ndarray) and value.ndim == 0 else value


def _on_own_lines(text: str) -> str:
    return "\n" + text if "\n" in text else text


def _shape_text(shape: Iterable[int | None] | None) -> str:
    if shape is None:
        return "<unknown>"
    dims = [str(d) for d in shape]
    return f"({dims[0]},)" if len(dims) == 1 else f"({', '.join(dims)})"


# ---------------------------------------------------------------------------- tf.print: the text of one array


def _array_text(value: Any, summarize: int) -> str:
    """One tensor as `tf.print` shows it: `summarize` entries at both ends of each dimension; all if < 0."""
    array = np.array(value, object) if isinstance(value, (bytes, str)) else np.asarray(value)
    shape, size = array.shape, array.size
    edge = min(size if summarize < 0 else summarize, size)
    form = _formatter(array.dtype)
    if edge == 0 and array.dtype == bool:
        return ""  # so says TensorFlow, of bool alone
    if not shape:
        return "..." if edge == 0 else form(array.reshape(1))[0]
    if form is _no_form:
        # TensorFlow gives up on the layout along with the numbers.
        return "[" + " ".join("?" * edge) + ("..." if 0 <= summarize < size else "") + "]"
    if any(length > 2 * edge for length in shape):
        array = array[np.ix_(*[_shown_places(length, edge) for length in shape])]
    return _brackets(iter(form(array.reshape(-1))), shape, edge, 0)


def _shown_places(length: int, edge: int) -> np.ndarray:
    places = np.arange(min(length, 2 * edge))
    places[edge:] += length - len(places)
    return places


def _brackets(cells: Iterator[str], shape: tuple[int, ...], edge: int, depth: int) -> str:
    """Lay out the cells (those shown, in order) from dimension `depth` on of a tensor of shape `shape`."""
    if depth == len(shape):
        return next(cells)
    length, inner = shape[depth], len(shape) - 1 - depth
    gap = "\n" * inner + " " * (depth + 1) if inner else " "
    head = min(edge, length)
    parts = [_brackets(cells, shape, edge, depth + 1) for _ in range(head)]
    if length > 2 * edge:
        # With nothing before it the ellipsis still gets its gap: an empty (2, 0) tensor is "[\n ...]".
        parts += ["..."] if parts else ["", "..."]
    parts += [_brackets(cells, shape, edge, depth + 1) for _ in range(min(edge, length - head))]
    return "[" + gap.join(parts) + "]"


_Formatter = Callable[[np.ndarray], list[str]]

# The extension types of ml_dtypes are told by name, so that the package need not be imported here.
_NARROW_FLOATS = {
    "bfloat16", "float8_e5m2", "float8_e4m3fn", "float8_e4m3b11fnuz", "float4_e2m1fn",
}  # fmt: skip
_NARROW_INTS = {"int4", "uint4", "int2", "uint2"}


def _formatter(dtype: np.dtype) -> _Formatter:
    """The function from a flat array of that dtype to the texts of its elements."""
    kind, name = dtype.kind, dtype.name
    if name in _NARROW_FLOATS or name in ("float16", "float32"):
        return lambda flat: _float_texts(flat.astype(np.float32), "%.6g", "%.9g")
    if name == "float64":
        return lambda flat: _float_texts(flat, "%.15g", "%.17g")
    if kind in "biu" or name in _NARROW_INTS:
        return lambda flat: [str(int(x)) for x in flat.tolist()]
    if kind in "OSU":
        return lambda flat: [_quoted(x) for x in flat.tolist()]
    return _no_form


def _float_texts(flat: np.ndarray, short: str, exact: str) -> list[str]:
    """Each number with the digits that its type always keeps; with enough where these do not give it back."""
    texts = [short % x for x in flat.tolist()]
    with np.errstate(over="ignore"):
        given_back = np.array([float(text) for text in texts]).astype(flat.dtype) == flat
    for i in np.flatnonzero(~given_back):
        x = flat[i]
        texts[i] = exact % x if x == x else "-nan" if np.signbit(x) else "nan"
    return texts


def _no_form(flat: np.ndarray) -> list[str]:
    """Complex numbers, and the dtypes that TensorFlow only carries: a question mark for each."""
    return ["?"] * flat.size


_NAMED_ESCAPES = {10: "\\n", 13: "\\r", 9: "\\t", 34: '\\"', 39: "\\'", 92: "\\\\"}
_ESCAPES = [
    _NAMED_ESCAPES.get(c) or (f"\\{c:03o}" if c < 32 or c == 127 else chr(c)) for c in range(256)
]  # fmt: skip


def _quoted(string: bytes | str) -> str:
    """A string element in quotes, with C's escapes; bytes from 128 up stay, for they may be UTF-8."""
    octets = string.encode() if isinstance(string, str) else string
    return '"' + _decoded("".join(map(_ESCAPES.__getitem__, octets)).encode("latin-1")) + '"'


def _decoded(octets: bytes) -> str:
    """TensorFlow writes the bytes themselves; this is what a reader who expects UTF-8 then sees."""
    return octets.decode("utf-8", "replace")


# ------------------------------------------------------------------------------------- tf.print: structures


def print_text(
    inputs: Iterable[Any],
    sep: str = " ",
    summarize: int | None = 3,
    leaf: Callable[[Any], Any] | None = None,
) -> str:
    """The text that `tf.print(*inputs)` writes, without the end.

    Args:
      inputs: the arguments of `tf.print`: strings, tensors, Python objects, and nests of lists, tuples and
        dictionaries that hold them. Strings stand as they are; within a nest they are quoted, as by `repr`.
      sep: what stands between two inputs.
      summarize: how many entries to show at both ends of each dimension of a tensor; all if
        negative, 3 if None.
      leaf: gives the NumPy value of a tensor or variable, and NotImplemented for all else. Without it nothing
        is a tensor; NumPy arrays are Python objects here, shown by their `repr`.

    Differs from TensorFlow where that misinforms or gives up: a tensor in an OrderedDict, defaultdict or
    UserDict stands beside its own key (TensorFlow assigns tensors to the sorted keys, then shows the keys
    unsorted); subnormal numbers are shown (TensorFlow shows 0); dictionaries whose keys do not compare,
    read-only mappings and a `sep` that contains "{}" are printed (TensorFlow raises).

    >>> arrays = lambda x: x if isinstance(x, (np.generic, np.ndarray)) else NotImplemented
    >>> print_text(["loss:", np.float32(1), [np.arange(9)]], leaf=arrays)
    'loss: 1 [[0 1 2 ... 6 7 8]]'
    >>> print_text(["loss:", {"b": 1.0, "a": ["x", None]}])
    "loss: {'a': ['x', None], 'b': 1.0}"
    """
    inputs = list(inputs)
    summarize = 3 if summarize is None else int(summarize)
    value_of = leaf if leaf is not None else _nothing_is_a_leaf
    if len(inputs) == 1 and isinstance(alone := _unwrap(value_of(inputs[0])), bytes):
        return _decoded(alone)  # One string tensor is the message itself: no quotes, no escapes.

    width = 0
    texts: list[str] = []
    for x in inputs:
        if isinstance(x, str):
            texts.append(x)
        elif (value := value_of(x)) is not NotImplemented:
            texts.append(_array_text(value, summarize))
        else:
            if _is_nest(x):
                width = width or _slot_width(inputs, value_of)
            texts.append(_object_text(x, width, summarize, value_of))
    return sep.join(texts)


def _nothing_is_a_leaf(x: Any) -> Any:
    return NotImplemented


class _Slot:
    """Holds a tensor's place in a structure while `pprint` lays it out."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


# A slot's text is a mark, its number in two digits, and marks: private-use characters, which no text has.
_MARK, _DIGIT, _BASE = "\U00100000", 0xF0000, 0x8000
_SLOT = re.compile("\U00100000([\U000f0000-\U000f7fff])([\U000f0000-\U000f7fff])\U00100000+")


def _object_text(x: Any, width: int, summarize: int, value_of: Callable[[Any], Any]) -> str:
    """Any Python object by `pprint`, with the tensors within its nests shown as tensors."""
    from pprint import pformat  # imports dataclasses and inspect, which `import gradtape` need not pay for

    values: list[Any] = []

    def slot(x: Any) -> Any:
        value = value_of(x)
        if value is NotImplemented:
            return x
        high, low = divmod(len(values), _BASE)
        values.append(value)
        return _Slot((_MARK + chr(_DIGIT + high) + chr(_DIGIT + low)).ljust(width, _MARK))

    def tensor_text(found: re.Match[str]) -> str:
        high, low = (ord(digit) - _DIGIT for digit in found.groups())
        return _array_text(values[high * _BASE + low], summarize)

    laid_out = pformat(_map_nest(slot, x))
    return _SLOT.sub(tensor_text, laid_out) if values else laid_out


def _slot_width(inputs: list[Any], value_of: Callable[[Any], Any]) -> int:
    """The room for a tensor when lines are broken: TensorFlow's place holder in its quotes.

    The place holder is "{}" and grows by pseudo-random digits until it is found nowhere in the other text.
    """
    from pprint import pformat

    def without_tensors(x: Any) -> str:
        return pformat(_map_nest(lambda y: y if value_of(y) is NotImplemented else "", x))

    other_text = " ".join(without_tensors(x) for x in inputs)
    holder = "{}"
    if holder in other_text:
        import random

        digits = random.Random(5)
        while holder in other_text:
            holder += str(digits.randint(0, 9))
    return len(f"'{holder}'")


def _is_nest(x: Any) -> bool:
    if isinstance(x, (str, bytes, bytearray)):
        return False
    if isinstance(x, (abc.Sequence, abc.Mapping, abc.MappingView)):
        return True
    cls = type(x)
    return hasattr(cls, "__attrs_attrs__") or hasattr(cls, "__tf_flatten__")


def _map_nest(f: Callable[[Any], Any], x: Any) -> Any:
    """The structure `x` with `f` applied to its atoms, in containers of the same types."""
    y = f(x)  # gives a container back unless it is a leaf
    if y is not x or not _is_nest(x):
        return y
    try:
        return _map_children(lambda child: _map_nest(f, child), x)
    except (TypeError, ValueError):
        return x  # a container that cannot be made from its elements, such as a memoryview


def _map_children(f: Callable[[Any], Any], x: Any) -> Any:
    cls: Any = type(x)
    if cls in (list, tuple):
        return cls([f(v) for v in x])
    if isinstance(x, abc.MutableMapping):
        mapping = cls(x.default_factory) if isinstance(x, defaultdict) else cls()
        for key in x:
            mapping[key] = f(x[key])
        return mapping
    if isinstance(x, abc.Mapping):
        return cls({key: f(x[key]) for key in x})
    if hasattr(cls, "__attrs_attrs__"):
        return cls(*[f(getattr(x, field.name)) for field in cls.__attrs_attrs__])
    if hasattr(cls, "__tf_flatten__"):
        kept, parts = x.__tf_flatten__()
        return x.__tf_unflatten__(kept, tuple([f(v) for v in parts]))
    if isinstance(x, tuple) and hasattr(cls, "_fields"):
        return cls(*[f(v) for v in x])
    children = [f(v) for v in x]
    return children if isinstance(x, (range, abc.MappingView)) else cls(children)
