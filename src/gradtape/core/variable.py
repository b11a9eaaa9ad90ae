"""Variable: a tensor-valued cell that training changes in place."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable
from contextlib import ExitStack
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np

from ..ground.dtypes import as_dtype, float64
from ..ground.errors import invalid, user_line
from ..ground.primitive import Aval, Primitive
from ..ground.shapes import TensorShape
from ..primitives import elementwise as ew
from ..primitives import indexing
from ..primitives import structure as st
from .dispatch import evaluate
from .state import state
from .tensor import Reference, Tensor, convert

_refs = sys.getrefcount
_next_uid = count(1).__next__


# threading.active_count() takes a lock to count these; where they are not, there might be others at any time
_active: Any = getattr(threading, "_active", (None, None))
_limbo: Any = getattr(threading, "_limbo", ())


def others() -> bool:
    """Whether Python runs other threads than this one."""
    return len(_active) > 1 or bool(_limbo)


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
    __slots__ = (
        "__weakref__",
        "_constraint",
        "_d",
        "_lock",
        "_name",
        "_shape_spec",
        "_t",
        "_trainable",
        "_uid",
        "_watched",
    )
    __array_priority__ = 100
    _save_slice_info = None
    _trace: Any = None  # while some thread traces a function: gives this thread's trace, or None
    _made: Any = None  # while a checkpoint has values left for variables that do not exist yet: told of each new one

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
            raise ValueError(
                f"Tensor conversion requested dtype {d.name} for Tensor with dtype {t._d.name}: {t!r}. Use tf.cast to convert."
            )
        spec = TensorShape(shape) if shape is not None else TensorShape(None) if not validate_shape else None
        if spec is not None and not spec.is_compatible_with(t._shape):
            raise ValueError(
                f"The initial value's shape {list(t._shape)} is not compatible with the explicitly supplied `shape` argument {spec}."
            )
        self._t = Tensor(t._a, t._d)  # a tensor of its own: watching the variable does not watch the initial value
        self._d = t._d
        self._shape_spec = spec
        self._trainable = True if trainable is None else bool(trainable)
        self._watched = self._trainable and t._d.is_inexact  # whether tapes watch it when it is read
        self._name = state.scope + (name or "Variable") + ":0"
        self._uid = _next_uid()
        self._lock = threading.RLock()  # held where other threads run, from reading the value to replacing it
        self._constraint = constraint
        if self._trace is not None and (trace := self._trace()) is not None:
            trace.root().created.append(self)
        if self._made is not None:
            self._made(self)

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
        def __getitem__(self, key: Any, /) -> Any: ...
        # fmt: on

    def _set_trainable(self, trainable: bool) -> None:
        """Whether tapes that come watch it by themselves."""
        self._trainable = trainable
        self._watched = trainable and self._d.is_inexact

    def _stand_in(self) -> Variable:
        """Another variable of the same form and name, which stands for this one while a function of it is traced."""
        new = object.__new__(type(self))
        for name in Variable.__slots__[1:]:
            setattr(new, name, getattr(self, name))
        return new

    # -- reading ------------------------------------------------------------------------------------------------------
    def _read(self) -> Tensor:
        """The current value; tapes that watch variables by themselves watch it now."""
        t = self._t
        if self._trace is not None:
            trace = self._trace()
            if trace is not None:
                t = trace.read(self)
        for tape in state.tapes:
            if t._k not in tape._live and (
                (tape._auto and self._watched) or (tape._wanted is not None and id(self) in tape._wanted)
            ):
                tape._watch_variable(self, t)
        return t

    def _value(self) -> Tensor:
        """The current value, or what stands for it while this thread traces; no tape hears of it."""
        trace = self._trace() if self._trace is not None else None
        return self._t if trace is None else trace.read(self)

    _to_tensor = _read

    def value(self) -> Tensor:
        """The current value as a Tensor of its own."""
        return st.identity(self._read())

    read_value = value

    def numpy(self) -> Any:
        """The current value as a NumPy array (a copy) or scalar. NotImplementedError while a function is traced."""
        self._refuse_in_trace("numpy()")
        return self._t.numpy()

    def _refuse_in_trace(self, what: str) -> None:
        """A value read now would stand in the program for ever."""
        if self._trace is not None and self._trace() is not None:
            raise NotImplementedError(
                f"{what} of a variable is only available when eager execution is enabled: while a tf.function is traced it has no value yet.{user_line()}"
            )

    def _numpy(self) -> Any:
        return self._t._a

    def eval(self, session: Any = None) -> Any:
        """The current value as a NumPy array."""
        return self.numpy()

    @property
    def initial_value(self) -> Tensor:
        """Not kept, as in TensorFlow: RuntimeError."""
        raise RuntimeError(
            "This property is not supported when eager execution is enabled: a variable does not keep the value it was made with."
        )

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
            raise ValueError(
                f"Cannot {what} a tensor of dtype {t._d.name} to the variable {self._name!r} of dtype {self._d.name}: convert it with tf.cast."
            )
        return t

    def _free(self, t: Tensor) -> bool:
        """Whether nobody but this variable holds its value ``t`` or the array in it, so that the array may be written.

        Another thread could read the value while it is written, so with other threads the answer is no.
        """
        a = t._a
        return _refs(t) == _FREE_T and _refs(a) == _FREE_A and a.base is None and a.flags.writeable and not others()

    def _turn(self) -> Any:
        """A context in which no other thread updates this variable."""
        return self._lock if others() else _ALONE

    def _set(self, a: Any) -> Variable:
        self._t = Tensor(a, self._d)
        return self

    def assign(self, value: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True) -> Any:
        """Give the variable a new value.

        Args:
            value: a Tensor of the variable's dtype, or anything that converts to one, of a compatible shape.
            use_locking, name: accepted for TensorFlow's sake.
            read_value: False returns None.

        Returns:
            The variable, so that calls chain.

        Raises:
            ValueError: the shape or dtype does not fit. The variable is unchanged.
        """
        t = self._operand(value, "assign")
        trace = self._trace() if self._trace is not None else None
        if self._shape_spec is None:
            if t._shape != self._t._shape:
                raise ValueError(
                    f"Cannot assign value to variable '{self._name}': Shape mismatch. The variable shape {self._t.shape}, and the assigned value shape {t.shape} are incompatible."
                )
        elif not self._shape_spec.is_compatible_with(t._shape):
            raise ValueError(
                f"Cannot assign value to variable '{self._name}': Shape mismatch. The variable shape {self._shape_spec}, and the assigned value shape {t.shape} are incompatible."
            )
        if trace is not None:
            trace.assign(self, t)
            return self if read_value else None
        if len(_active) > 1 or _limbo:
            with self._lock:
                self._t = Tensor(t._a, self._d)
        else:
            self._t = Tensor(t._a, self._d)
        return self if read_value else None

    def _update(self, delta: Any, what: str, p: Primitive, read_value: bool) -> Any:
        d = delta if type(delta) is Tensor and delta._d is self._d else self._operand(delta, what)
        trace = self._trace() if self._trace is not None else None
        if trace is not None:
            if d._shape != self._shape:
                raise self._bad_update(d, what)
            trace.update(self, p, d)
            return self if read_value else None
        if not self._d.kind & p.accepts:
            raise invalid(
                f"Cannot {what} to the variable '{self._name}': {p.name} does not take {self._d.name} tensors."
            )
        lock = self._lock if len(_active) > 1 or _limbo else None
        if lock is not None:
            lock.acquire()
        try:
            t = self._t
            a = t._a
            if type(a) is not np.ndarray:
                if type(d._a) is np.ndarray:
                    raise self._bad_update(d, what)
            elif d._shape != a.shape:
                raise self._bad_update(d, what)
            elif p.ufunc is not None and self._free(t):
                try:
                    p.ufunc(a, d._a, out=a)
                except (FloatingPointError, RuntimeWarning):
                    pass  # NumPy looks for overflow and the like when the whole result is there
                del t
                self._t = Tensor(a, self._d)  # a new tensor for the new value: tapes must not take it for the old
                return self if read_value else None
            self._t = Tensor(evaluate(p, t, d), self._d)
            return self if read_value else None
        finally:
            if lock is not None:
                lock.release()

    def _bad_update(self, d: Tensor, what: str) -> Exception:
        return invalid(
            f"Cannot {what} a tensor of shape {list(d._shape)} to the variable '{self._name}' of shape {list(self._shape)}: the shapes must be equal."
        )

    def assign_add(
        self, delta: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True
    ) -> Any:
        """Add ``delta``, of the variable's shape and dtype, to the value. Returns the variable; raises as ``assign``."""
        return self._update(delta, "add", ew.add, read_value)

    def assign_sub(
        self, delta: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True
    ) -> Any:
        """Subtract ``delta``, of the variable's shape and dtype, from the value. Returns the variable; raises as ``assign``."""
        return self._update(delta, "subtract", ew.sub, read_value)

    # -- assigning parts ----------------------------------------------------------------------------------------------
    # `v[1:3].assign(x)` is in slicing.py
    def _write_rows(self, rows: Any, updates: Tensor, want: tuple, how: str) -> Variable:
        """Write ``updates``, checked to have the shape ``want``, into the ``rows`` of the value seen as a table."""
        if updates._shape != want:
            raise invalid(
                f"The updates to the variable '{self._name}' of shape {list(self._shape)} at these indices must have shape {list(want)}, but have {list(updates._shape)}."
            )
        numeric = self._d.is_numeric and not (self._d.is_complex and how in ("min", "max"))
        if not numeric and how != "update" and not (self._d.is_bool and how == "add"):
            raise invalid(f"scatter_{how} is not defined for a variable of dtype {self._d.name}.")
        with self._turn():
            t = self._t
            a = t._a
            free = type(a) is np.ndarray and self._free(t)
            return self._set(indexing.written(a, rows, updates._a, how, in_place=free))

    def _scatter_nd(self, how: str, indices: Any, updates: Any) -> Variable:
        u = self._operand(updates, "scatter")
        i, shape = convert(indices), self._shape
        want = indexing.gather_nd.shape(
            Aval(shape, self._d), Aval(i._shape, i._d), batch_dims=0
        ).shape  # raises the user's error
        if self._trace is not None and (trace := self._trace()) is not None:
            trace.update(self, partial(indexing.write_rows, how=how, vectors=True, axis=0), i, u)
            return self
        return self._write_rows(indexing.vector_row_numbers(i._a, shape), u, want, how)

    def _scatter(self, how: str, sparse_delta: Any, batched: bool = False) -> Variable:
        if not isinstance(sparse_delta, indexing.IndexedSlices):
            raise TypeError(f"Argument `sparse_delta` must be a `tf.IndexedSlices`. Received arg: {sparse_delta}")
        u = self._operand(sparse_delta.values, "scatter")
        i, shape = convert(sparse_delta.indices), self._shape
        axis = max(0, len(i._shape) - 1) if batched else 0
        indexing.gather.shape(
            Aval(shape, self._d), Aval(i._shape, i._d), axis=axis, batch_dims=axis
        )  # raises the user's error
        want = i._shape + shape[axis + 1 :]
        if not u._shape:
            u = st.broadcast_to(u, shape=want)
        if self._trace is not None and (trace := self._trace()) is not None:
            trace.update(self, partial(indexing.write_rows, how=how, vectors=False, axis=axis), i, u)
            return self
        return self._write_rows(indexing.row_numbers(i._a, shape, axis, axis), u, want, how)

    def scatter_nd_update(self, indices: Any, updates: Any, name: str | None = None) -> Variable:
        """Put ``updates`` where index vectors say; where a place repeats, the last stays.

        Args:
            indices: an integer tensor of shape (..., k): its last dimension holds places in the first k dimensions of the variable.
            updates: of the variable's dtype and of shape ``indices.shape[:-1] + v.shape[k:]``.
            name: ignored, for TensorFlow's sake.

        Returns:
            The variable.

        Raises:
            InvalidArgumentError: the shapes do not fit, or an index is out of range. The variable is unchanged.
            ValueError: ``updates`` has another dtype. The variable is unchanged.

        >>> import gradtape as tf
        >>> v = tf.Variable([1, 2, 3, 4])
        >>> v.scatter_nd_update([[0], [2]], [10, 30]).numpy().tolist()
        [10, 2, 30, 4]
        """
        return self._scatter_nd("update", indices, updates)

    def scatter_nd_add(self, indices: Any, updates: Any, name: str | None = None) -> Variable:
        """Add ``updates`` where index vectors say, repeated places more than once; otherwise as ``scatter_nd_update``."""
        return self._scatter_nd("add", indices, updates)

    def scatter_nd_sub(self, indices: Any, updates: Any, name: str | None = None) -> Variable:
        """Subtract ``updates`` where index vectors say, repeated places more than once; otherwise as ``scatter_nd_update``."""
        return self._scatter_nd("sub", indices, updates)

    def scatter_nd_min(self, indices: Any, updates: Any, name: str | None = None) -> Variable:
        """The smaller of value and ``updates`` where index vectors say; otherwise as ``scatter_nd_update``."""
        return self._scatter_nd("min", indices, updates)

    def scatter_nd_max(self, indices: Any, updates: Any, name: str | None = None) -> Variable:
        """The larger of value and ``updates`` where index vectors say; otherwise as ``scatter_nd_update``."""
        return self._scatter_nd("max", indices, updates)

    def scatter_update(self, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Variable:
        """Put the rows of an IndexedSlices in place of the variable's; where a row repeats, the last stays.

        Args:
            sparse_delta: an IndexedSlices of the variable's dtype; its values have the shape ``indices.shape + v.shape[1:]`` or ().
            use_locking, name: ignored, for TensorFlow's sake.

        Returns:
            The variable.

        Raises:
            TypeError: ``sparse_delta`` is no IndexedSlices.
            InvalidArgumentError: the shapes do not fit, or an index is out of range. The variable is unchanged.
            ValueError: the values have another dtype. The variable is unchanged.

        >>> import gradtape as tf
        >>> v = tf.Variable([[1.0, 2.0], [3.0, 4.0]])
        >>> v.scatter_update(tf.IndexedSlices([[9.0, 9.0]], [1])).numpy().tolist()
        [[1.0, 2.0], [9.0, 9.0]]
        """
        return self._scatter("update", sparse_delta)

    def scatter_add(self, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Variable:
        """Add an IndexedSlices, repeated rows more than once; otherwise as ``scatter_update``."""
        return self._scatter("add", sparse_delta)

    def scatter_sub(self, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Variable:
        """Subtract an IndexedSlices, repeated rows more than once; otherwise as ``scatter_update``."""
        return self._scatter("sub", sparse_delta)

    def scatter_mul(self, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Variable:
        """Multiply rows by those of an IndexedSlices; otherwise as ``scatter_update``."""
        return self._scatter("mul", sparse_delta)

    def scatter_div(self, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Variable:
        """Divide rows by those of an IndexedSlices (integers: rounded towards zero); otherwise as ``scatter_update``."""
        return self._scatter("div", sparse_delta)

    def scatter_min(self, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Variable:
        """The smaller of the rows and those of an IndexedSlices; otherwise as ``scatter_update``."""
        return self._scatter("min", sparse_delta)

    def scatter_max(self, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Variable:
        """The larger of the rows and those of an IndexedSlices; otherwise as ``scatter_update``."""
        return self._scatter("max", sparse_delta)

    def batch_scatter_update(self, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Variable:
        """``scatter_update`` within each member of a batch: all dimensions of ``indices`` but its last are batch dimensions."""
        return self._scatter("update", sparse_delta, batched=True)

    def sparse_read(self, indices: Any, name: str | None = None) -> Tensor:
        """The rows that ``indices`` names, as ``tf.gather``: a tape's gradient for the variable is an IndexedSlices."""
        return indexing.gather(self._read(), convert(indices), axis=0, batch_dims=0)

    def gather_nd(self, indices: Any, name: str | None = None) -> Tensor:
        """What the index vectors in ``indices`` name, as ``tf.gather_nd``."""
        return indexing.gather_nd(self._read(), convert(indices), batch_dims=0)

    # -- as a value ---------------------------------------------------------------------------------------------------
    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        self._refuse_in_trace("A NumPy array")
        return np.array(self._t._a, dtype=dtype)

    def __bool__(self) -> bool:
        return bool(self._value())

    __nonzero__ = __bool__

    def __int__(self) -> int:
        return int(self._value())

    def __float__(self) -> float:
        return float(self._value())

    def __complex__(self) -> complex:
        return complex(self._value())

    def __index__(self) -> int:
        return self._value().__index__()

    def __len__(self) -> int:
        return len(self._t)

    def __iter__(self) -> Any:
        return iter(self._read())

    def __format__(self, spec: str) -> str:
        return format(self._value(), spec) if spec else str(self)

    def __hash__(self) -> int:
        raise TypeError("Variable is unhashable. Instead, use variable.ref() as the key.")

    def __setitem__(self, key: Any, value: Any) -> None:
        raise TypeError(
            "'Variable' object does not support item assignment: use v[i].assign(value), v.assign(...) or v.scatter_nd_update(...)."
        )

    def __deepcopy__(self, memo: Any) -> Variable:
        copy = Variable(
            Tensor(self._t._a, self._d),
            trainable=self._trainable,
            name=self._name[:-2],
            constraint=self._constraint,
            shape=self._shape_spec,
        )
        copy._name = self._name
        memo[id(self)] = copy
        return copy

    def __reduce__(self) -> tuple:
        return _rebuild, (Tensor(self._t._a, self._d), self._trainable, self._name[:-2], self._shape_spec)

    def __repr__(self) -> str:
        from .text import variable_repr

        if self._trace is not None and self._trace() is not None:  # it has no value yet
            return f"<tf.Variable '{self._name}' shape={self.shape} dtype={self._d.name}>"
        return variable_repr(self._name, self._t._a, self.shape, self._d.name)

    __str__ = __repr__


def _rebuild(t: Tensor, trainable: bool, name: str, shape: Any) -> Variable:
    return Variable(t, trainable=trainable, name=name, shape=shape)


def _no_augmented(symbol: str, method: str) -> Any:
    def refuse(self: Variable, other: Any) -> Any:
        use = f"Use `variable.{method}(value)` to modify the variable or `out = variable {symbol} value` if you need to get a new output Tensor."
        raise RuntimeError(f"`variable {symbol}= value` with `tf.Variable`s is not supported. {use}")

    return refuse


for _name, _symbol, _method in (
    ("add", "+", "assign_add"), ("sub", "-", "assign_sub"), ("mul", "*", "assign"), ("truediv", "/", "assign"), ("floordiv", "//", "assign"),
    ("mod", "%", "assign"), ("pow", "**", "assign"), ("matmul", "@", "assign"),
):  # fmt: skip
    setattr(Variable, f"__i{_name}__", _no_augmented(_symbol, _method))


class _Alone:
    """What stands for a lock while there is one thread."""

    def __enter__(self) -> None: ...

    def __exit__(self, *exc: Any) -> None: ...


_ALONE = _Alone()


def in_turn(variables: Iterable[Variable]) -> ExitStack:
    """A context in which no other thread updates any of the variables. All take them in one order, so nobody waits for ever."""
    with ExitStack() as stack:
        for v in sorted(variables, key=lambda v: v._uid):
            stack.enter_context(v._lock)
        return stack.pop_all()


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


def variable_of(x: Any) -> Any:
    """The variable that ``x`` stands for, by its attribute ``handle`` (a variable of Keras's), or ``x`` itself."""
    handle = getattr(x, "handle", None)
    return handle if isinstance(handle, Variable) and not isinstance(x, Variable) else x
