"""Signatures: what a function was called with, as a key for its traces, and in words."""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..core.tensor import Tensor, convert
from ..core.variable import Variable
from ..ground.dtypes import as_dtype
from ..ground.shapes import TensorShape
from ..primitives.indexing import IndexedSlices


class TensorSpec:
    """The shape and dtype of a tensor argument; dimensions may be unknown.

    Args:
        shape: a shape; None for an unknown dimension or, as a whole, an unknown rank.
        dtype: the dtype.
        name: the argument's name.

    >>> import gradtape as tf
    >>> tf.TensorSpec([None, 3], tf.float32)
    TensorSpec(shape=(None, 3), dtype=tf.float32, name=None)
    """

    __slots__ = ("_d", "_name", "_shape")

    def __init__(self, shape: Any, dtype: Any = "float32", name: str | None = None) -> None:
        self._shape, self._d, self._name = TensorShape(shape), as_dtype(dtype), name

    shape = property(lambda self: self._shape, doc="The TensorShape.")
    dtype = property(lambda self: self._d, doc="The DType.")
    name = property(lambda self: self._name, doc="The argument's name, or None.")

    @classmethod
    def from_tensor(cls, tensor: Any, name: str | None = None) -> TensorSpec:
        """The spec of a tensor."""
        return cls(tensor.shape, tensor.dtype, name)

    from_spec = from_tensor

    def is_compatible_with(self, other: Any) -> bool:
        """Whether a tensor or spec could be passed for this one."""
        other = other if isinstance(other, TensorSpec) else convert(other)
        return other.dtype is self._d and self._shape.is_compatible_with(other.shape)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TensorSpec) and (self._shape, self._d, self._name) == (
            other._shape,
            other._d,
            other._name,
        )

    def __hash__(self) -> int:
        return hash((self._shape, self._d))

    def __repr__(self) -> str:
        return f"TensorSpec(shape={self._shape}, dtype={self._d!r}, name={self._name!r})"


_SAME_OBJECT: Any = object.__eq__


class Ref:
    """A key for an object of the user's: equal for the same object, and for one that says it is equal."""

    __slots__ = ("_hash", "_identity", "_ref")

    def __init__(self, x: Any, by_identity: bool = False) -> None:
        self._identity = by_identity or getattr(type(x), "__eq__", None) is _SAME_OBJECT
        try:
            self._hash = id(x) if by_identity else hash(x)
        except TypeError:
            raise TypeError(
                f"Could not generate a generic TraceType for {x!r}. Please verify that it is immutable/hashable, or pass its contents as tensors."
            ) from None
        try:
            self._ref: Any = weakref.ref(x)
        except TypeError:
            self._ref = lambda: x

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Ref) or (mine := self._ref()) is None:
            return False
        yours = other._ref()
        return mine is yours or (not self._identity and type(mine) is type(yours) and (mine == yours) is True)

    def __repr__(self) -> str:
        return repr(self._ref())


_PLAIN = frozenset([int, float, bool, str, bytes, complex, type(None)])


def key_of(x: Any, leaves: list[Tensor]) -> Any:
    """The key of one argument; its tensors are appended to ``leaves``."""
    t = type(x)
    if t is Tensor:
        leaves.append(x)
        return x._d, x._a.shape if type(x._a) is not bytes else ()
    if t in _PLAIN:
        if t is float and (x == 0 or x != x):
            return t, repr(x)  # 0.0 and -0.0 are equal, and a NaN is not equal to itself
        return t, x
    if isinstance(x, Tensor):
        leaves.append(x)
        return x._d, x._shape
    if isinstance(x, (np.ndarray, np.generic)):
        tensor = convert(x)
        leaves.append(tensor)
        return tensor._d, tensor._shape
    if isinstance(x, Variable):
        # of variables alike one trace serves all; which arguments are the same variable is a part of the form
        first = next((i for i, other in enumerate(leaves) if other is x), len(leaves))
        leaves.append(x)  # type: ignore[arg-type]
        return Variable, x._d, tuple(x.shape) if x.shape.rank is not None else None, x._trainable, first
    if isinstance(x, TensorSpec):
        leaves.append(x)  # type: ignore[arg-type]
        return x._d, tuple(x._shape)
    if isinstance(x, Mapping):
        return t, tuple([(k, key_of(x[k], leaves)) for k in x])
    if isinstance(x, (list, tuple)):
        return t, tuple([key_of(v, leaves) for v in x])
    if isinstance(x, IndexedSlices):
        return t, key_of(convert(x.values), leaves), key_of(convert(x.indices), leaves), x._dense_shape
    if hasattr(x, "_to_tensor"):
        tensor = convert(x)
        leaves.append(tensor)
        return tensor._d, tensor._shape
    return t, Ref(x)


def is_leaf(x: Any) -> bool:
    """Whether ``key_of`` takes ``x`` as a tensor."""
    return isinstance(x, (Tensor, np.ndarray, np.generic, TensorSpec)) or (
        hasattr(x, "_to_tensor") and not isinstance(x, (Variable, IndexedSlices))
    )


def replace_leaves(x: Any, make: Callable, variable: Callable | None = None) -> Any:
    """``x`` with ``make(leaf)`` for each tensor and ``variable(v)`` for each variable, in the order of ``key_of``."""
    if is_leaf(x):
        return make(x)
    if isinstance(x, Variable):
        return x if variable is None else variable(x)
    if type(x) in _PLAIN:
        return x
    if isinstance(x, IndexedSlices):
        return IndexedSlices(make(convert(x.values)), make(convert(x.indices)), x._dense_shape)
    if isinstance(x, Mapping):
        items = {k: replace_leaves(x[k], make, variable) for k in x}
        return items if type(x) is dict else type(x)(items)  # type: ignore[call-arg]
    if isinstance(x, tuple) and hasattr(x, "_fields"):
        return type(x)(*[replace_leaves(v, make, variable) for v in x])
    if isinstance(x, (list, tuple)):
        return type(x)([replace_leaves(v, make, variable) for v in x])
    return x


def describe(x: Any) -> str:
    """One argument in words, for messages and signatures."""
    if isinstance(x, TensorSpec):
        return repr(x)
    if isinstance(x, Tensor):
        return f"TensorSpec(shape={x.shape}, dtype={x.dtype!r}, name=None)"
    if isinstance(x, (np.ndarray, np.generic)):
        return describe(convert(x))
    if isinstance(x, IndexedSlices):
        return f"IndexedSlicesSpec(values={describe(x.values)}, indices={describe(x.indices)})"
    if isinstance(x, Variable):
        return f"VariableSpec(shape={x.shape}, dtype={x.dtype!r}, trainable={x.trainable})"
    if isinstance(x, Mapping):
        return "Dict[" + ", ".join(f"[{k!r}, {describe(v)}]" for k, v in x.items()) + "]"
    if isinstance(x, tuple) and hasattr(x, "_fields"):
        return (
            f"{type(x).__name__}["
            + ", ".join(f"[{k!r}, {describe(v)}]" for k, v in zip(x._fields, x, strict=True))
            + "]"
        )
    if isinstance(x, (list, tuple)):
        return ("List[" if isinstance(x, list) else "Tuple[") + ", ".join(map(describe, x)) + "]"
    return f"Literal[{x!r}]"


def leaves_of(x: Any) -> list:
    """The tensors and specs of a nest of arguments, in the order of ``key_of``."""
    out: list = []
    replace_leaves(x, lambda t: out.append(t if isinstance(t, TensorSpec) else convert(t)))
    return out


def specs_of(x: Any) -> Any:
    """A nest of arguments with specs for its tensors."""
    return replace_leaves(x, lambda t: t if isinstance(t, TensorSpec) else TensorSpec((t := convert(t))._shape, t._d))


def parameters_of(signature: inspect.Signature | None, args: tuple, kwargs: dict) -> list[tuple[str, Any, Any]]:
    """Name, kind and specs of each parameter."""
    if signature is None:
        return [(f"arg{i}", "POSITIONAL_ONLY", a) for i, a in enumerate(specs_of(args))]
    bound = signature.bind(*args, **kwargs)
    bound.apply_defaults()
    return [(n, signature.parameters[n].kind.name, specs_of(v)) for n, v in bound.arguments.items()]


def argument_names(signature: inspect.Signature | None, args: tuple, kwargs: dict) -> list[str]:
    """A name for each tensor of the arguments: the parameter's, numbered within a nest."""
    out: list[str] = []
    items = bound_items(signature, args, kwargs)
    for name, value in items:
        out += [name] if is_leaf(value) else [f"{name}_{i}" if i else name for i in range(len(leaves_of(value)))]
    return out


def bound_items(signature: inspect.Signature | None, args: tuple, kwargs: dict) -> list[tuple[str, Any]]:
    """Each argument with its parameter's name."""
    names: list[str] = []
    if signature is not None:
        for p in signature.parameters.values():
            if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD):
                names.append(p.name)
            elif p.kind is p.VAR_POSITIONAL:
                names += [p.name] * max(0, len(args) - len(names))
    names += [f"arg{i}" for i in range(len(names), len(args))]
    return [*zip(names, args), *kwargs.items()]
