"""Variable: a tensor-valued cell that training changes in place."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from ..ground.dtypes import as_dtype, float64
from ..ground.errors import invalid
from ..ground.primitive import Primitive
from ..ground.shapes import TensorShape
from ..primitives import elementwise as ew
from ..primitives import structure as st
from .dispatch import evaluate
from .state import state
from .tensor import Reference, Tensor, convert

_refs = sys.getrefcount


class Variable:
    """A value that can be assigned to. Tapes watch trainable variables when they are read.

    Args:
        initial_value: a Tensor, anything ``tf.constant`` takes, or a function of no arguments that returns one.
        trainable: whether tapes watch it by themselves.
        validate_shape: False allows assignments of any shape.
        name: shown in ``name`` as ``name:0``.
        dtype: the dtype; the initial value is converted to it.
        constraint: a function that optimizers apply to the value after an update.
        shape: the shape that assignments must be compatible with, where it is wider than the initial value's.

    Raises:
        ValueError: no initial value, or one that does not fit ``dtype`` or ``shape``.

    >>> import gradtape as tf
    >>> v = tf.Variable(2.0)
    >>> v.assign_add(1.0).numpy()
    np.float32(3.0)
    """

    # _t: the current value, replaced (never changed) by an assignment unless nobody else holds it
    __slots__ = ("__weakref__", "_constraint", "_d", "_initial", "_name", "_shape_spec", "_t", "_trainable", "_watched")
    __array_priority__ = 100
    _save_slice_info = None

    def __init__(self, initial_value: Any = None, trainable: bool | None = None, validate_shape: bool = True, caching_device: Any = None,
                 name: str | None = None, variable_def: Any = None, dtype: Any = None, import_scope: Any = None, constraint: Any = None,
                 synchronization: Any = None, aggregation: Any = None, shape: Any = None) -> None:  # fmt: skip
        if initial_value is None:
            raise ValueError("The `initial_value` arg to `tf.Variable` must be specified: got None.")
        if callable(initial_value) and not hasattr(initial_value, "_to_tensor"):
            initial_value = initial_value()
        if isinstance(trainable, str):
            raise TypeError(f"trainable must be True, False or None, but is {trainable!r}.")
        d = None if dtype is None else as_dtype(dtype)
        t = convert(initial_value, d if not isinstance(initial_value, Tensor) else None)
        if d is not None and t._d is not d:
            raise ValueError(f"Tensor conversion requested dtype {d.name} for Tensor with dtype {t._d.name}: {t!r}. Use tf.cast to convert.")
        spec = TensorShape(shape) if shape is not None else TensorShape(None) if not validate_shape else None
        if spec is not None and not spec.is_compatible_with(t._shape):
            raise ValueError(f"The initial value's shape {list(t._shape)} is not compatible with the explicitly supplied `shape` argument {spec}.")
        self._t = Tensor(t._a, t._d)  # a tensor of its own: watching the variable does not watch the initial value
        self._d = t._d
        self._initial = self._t
        self._shape_spec = spec
        self._trainable = True if trainable is None else bool(trainable)
        self._watched = self._trainable and t._d.is_inexact  # whether tapes watch it when it is read
        self._name = (name or "Variable") + ":0"
        self._constraint = constraint

    # -- reading ------------------------------------------------------------------------------------------------------
    def _read(self) -> Tensor:
        """The current value; tapes that watch variables by themselves watch it now."""
        t = self._t
        if self._watched:
            for tape in state.tapes:
                if tape._auto and t._k not in tape._live:
                    tape._watch_variable(self, t)
        return t

    _to_tensor = _read

    def value(self) -> Tensor:
        """The current value as a Tensor of its own."""
        return st.identity(self._read())

    read_value = value

    def numpy(self) -> Any:
        """The current value as a NumPy array (a copy) or scalar."""
        return self._t.numpy()

    def _numpy(self) -> Any:
        return self._t._a

    def eval(self, session: Any = None) -> Any:
        """The current value as a NumPy array."""
        return self.numpy()

    def initialized_value(self) -> Tensor:
        """The value it was made with."""
        return self._initial

    initial_value = property(initialized_value, doc="The value it was made with.")
    dtype = property(lambda self: self._d, doc="The DType of the elements.")
    trainable = property(lambda self: self._trainable, doc="Whether tapes watch it by themselves.")
    name = property(lambda self: self._name, doc="Its name with ``:0`` behind it.")
    constraint = property(lambda self: self._constraint, doc="What optimizers apply after an update, or None.")
    device = property(lambda self: self._t.device, doc="The device that holds it.")
    _shared_name = property(lambda self: self._name[:-2])
    _shape = property(lambda self: self._t._shape)

    @property
    def shape(self) -> TensorShape:
        """The TensorShape that every value must be compatible with."""
        return self._shape_spec if self._shape_spec is not None else self._t.shape

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return self._t.ndim

    def get_shape(self) -> TensorShape:
        """The TensorShape."""
        return self.shape

    def ref(self) -> Reference:
        """A hashable reference to this variable, for use as a dict key."""
        return Reference(self)

    experimental_ref = ref

    # -- assigning ----------------------------------------------------------------------------------------------------
    def _operand(self, value: Any, what: str) -> Tensor:
        t = value if type(value) is Tensor else convert(value, None, self._d)
        if t._d is not self._d:
            raise ValueError(f"Cannot {what} a tensor of dtype {t._d.name} to the variable {self._name!r} of dtype {self._d.name}: convert it with tf.cast.")
        return t

    def _free(self, t: Tensor) -> bool:
        """Whether nobody but this variable holds its value ``t`` or the array in it, so that the array may be written."""
        a = t._a
        return _refs(t) == _FREE_T and _refs(a) == _FREE_A and t is not self._initial and a.base is None and a.flags.writeable

    def _set(self, a: Any) -> Variable:
        self._t = Tensor(a, self._d)
        return self

    def assign(self, value: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True) -> Variable:
        """Give the variable a new value.

        Args:
            value: a Tensor of the variable's dtype, or anything that converts to one, of a compatible shape.

        Returns:
            The variable, so that calls chain.

        Raises:
            ValueError: the shape or dtype does not fit. The variable is unchanged.
        """
        t = self._operand(value, "assign")
        if self._shape_spec is None:
            if t._shape != self._t._shape:
                raise ValueError(f"Cannot assign value to variable '{self._name}': Shape mismatch. The variable shape {self._t.shape}, and the assigned value shape {t.shape} are incompatible.")
        elif not self._shape_spec.is_compatible_with(t._shape):
            raise ValueError(f"Cannot assign value to variable '{self._name}': Shape mismatch. The variable shape {self._shape_spec}, and the assigned value shape {t.shape} are incompatible.")
        return self._set(t._a)

    def _update(self, delta: Any, what: str, p: Primitive) -> Variable:
        d = delta if type(delta) is Tensor and delta._d is self._d else self._operand(delta, what)
        t = self._t
        a = t._a
        if type(a) is not np.ndarray:
            if type(d._a) is np.ndarray:
                raise self._bad_update(d, what)
        elif d._shape != a.shape:
            raise self._bad_update(d, what)
        elif p.ufunc is not None and self._free(t):
            p.ufunc(a, d._a, out=a)
            del t
            self._t = Tensor(a, self._d)  # a new tensor for the new value: tapes must not take it for the old
            return self
        self._t = Tensor(evaluate(p, t, d), self._d)
        return self

    def _bad_update(self, d: Tensor, what: str) -> Exception:
        return invalid(f"Cannot {what} a tensor of shape {list(d._shape)} to the variable '{self._name}' of shape {list(self._shape)}: the shapes must be equal.")

    def assign_add(self, delta: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True) -> Variable:
        """Add ``delta``, of the variable's shape and dtype, to the value. Returns the variable; raises as ``assign``."""
        return self._update(delta, "add", ew.add)

    def assign_sub(self, delta: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True) -> Variable:
        """Subtract ``delta``, of the variable's shape and dtype, from the value. Returns the variable; raises as ``assign``."""
        return self._update(delta, "subtract", ew.sub)

    # -- as a value ---------------------------------------------------------------------------------------------------
    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self._t._a, dtype=dtype)

    def __bool__(self) -> bool:
        return bool(self._t)

    __nonzero__ = __bool__

    def __int__(self) -> int:
        return int(self._t)

    def __float__(self) -> float:
        return float(self._t)

    def __complex__(self) -> complex:
        return complex(self._t)

    def __index__(self) -> int:
        return self._t.__index__()

    def __len__(self) -> int:
        return len(self._t)

    def __iter__(self) -> Any:
        return iter(self._read())

    def __format__(self, spec: str) -> str:
        return format(self._t, spec) if spec else str(self)

    def __hash__(self) -> int:
        raise TypeError("Variable is unhashable. Instead, use variable.ref() as the key.")

    def __setitem__(self, key: Any, value: Any) -> None:
        raise TypeError("'Variable' object does not support item assignment: use v[i].assign(value), v.assign(...) or v.scatter_nd_update(...).")

    def __deepcopy__(self, memo: Any) -> Variable:
        copy = Variable(Tensor(self._t._a, self._d), trainable=self._trainable, name=self._name[:-2], constraint=self._constraint, shape=self._shape_spec)
        memo[id(self)] = copy
        return copy

    def __reduce__(self) -> tuple:
        return _rebuild, (Tensor(self._t._a, self._d), self._trainable, self._name[:-2], self._shape_spec)

    def __repr__(self) -> str:
        from .text import variable_repr

        return variable_repr(self._name, self._t._a, self.shape, self._d.name)

    __str__ = __repr__


def _rebuild(t: Tensor, trainable: bool, name: str, shape: Any) -> Variable:
    return Variable(t, trainable=trainable, name=name, shape=shape)


class _Probe:
    """The pattern of references in ``Variable._update`` and ``_free``, to learn what getrefcount says there."""

    def __init__(self) -> None:
        self._t = Tensor(np.empty(2), float64)

    def counts(self) -> tuple[int, int]:
        t = self._t
        a = t._a
        return self._look(t) if a is not None else (0, 0)

    def _look(self, t: Tensor) -> tuple[int, int]:
        a = t._a
        return _refs(t), _refs(a)


_FREE_T, _FREE_A = _Probe().counts()
