"""Indexing with brackets: ``x[i, 1:, ..., tf.newaxis]`` of tensors and variables, ``v[1:3].assign(x)``, masks, iteration."""

from __future__ import annotations

import math
import operator
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from numbers import Integral
from typing import Any

import numpy as np

from ..ground.dtypes import BOOL, int16, int32, int64
from ..ground.errors import invalid
from ..ground.primitive import Aval
from ..ground.shapes import TensorShape, dims_text
from ..primitives import elementwise as ew
from ..primitives import indexing as ix
from ..primitives import structure as st
from .arguments import NoValue, axis_of, sized
from .dispatch import aval, run
from .operators import install
from .state import state
from .tensor import Tensor, convert
from .variable import Variable

_new = Tensor.__new__
_ndarray = np.ndarray
_ALL = slice(None)


def _refused(i: Any) -> TypeError:
    cure = ""
    rank = (
        np.ndim(i)
        if isinstance(i, _ndarray | np.generic | list | tuple)
        else len(i._shape)
        if isinstance(i, Tensor | Variable)
        else 0
    )
    if rank:
        cure = ". For many places at once use tf.gather(x, indices) or tf.gather_nd(x, indices), for a mask tf.boolean_mask(x, mask)"
    elif getattr(getattr(i, "dtype", None), "name", type(i).__name__).startswith(("float", "bfloat")):
        cure = ". Convert it with int(...) or tf.cast"
    return TypeError(
        "Only integers, slices (`:`), ellipsis (`...`), tf.newaxis (`None`) and scalar tf.int32/tf.int64 tensors are valid indices, "
        f"got {i!r}{cure}"
    )


def _integer(i: Any) -> Any:
    """An index that is no slice, as an int; a tensor whose value is not known yet, as it is."""
    if isinstance(i, Integral):
        return operator.index(i)  # a bool among other indices counts as 0 or 1, as in TensorFlow
    if isinstance(i, Variable):
        i = i._read()
    if isinstance(i, Tensor):
        if not i._shape and i._d in (int16, int32, int64):
            return i if i._special else int(i._a)
    elif isinstance(i, _ndarray) and not i.ndim and i.dtype.kind == "i":
        return int(i)
    raise _refused(i)


def _bound(i: Any) -> Any:
    """A slice's start, stop or step as an int or None."""
    if i is None or type(i) is int:
        return i
    if type(i) is bool:
        raise invalid(f"A slice's start, stop and step must be integers, but one is {i}.")
    i = _integer(i)
    if type(i) is not int:
        raise NoValue(f"A slice's start, stop and step must have known values, got {i!r}.")
    return i


def _slice(s: slice) -> slice:
    start, stop, step = s.start, s.stop, s.step
    if (
        (start is None or type(start) is int)
        and (stop is None or type(stop) is int)
        and (step is None or type(step) is int)
    ):
        return s
    return slice(_bound(start), _bound(stop), _bound(step))


def static_index(key: Any, rank: int) -> tuple[tuple, list]:
    """What stands between the brackets, as the ``index`` of the row ``strided_slice``.

    Returns:
        The index, and the places in it where a tensor of unknown value stands.

    Raises:
        TypeError: something that does not index.
        InvalidArgumentError: more than one ellipsis, a list of bools.
    """
    if type(key) is list:
        if key and all(type(i) is bool for i in key):
            raise invalid(f"A list of bools is no index, got {key}: use tf.boolean_mask(x, mask), or make it a tensor.")
    elif type(key) is not tuple:
        key = (key,)
    index: list = []
    unknown: list = []
    seen = False
    for i in key:
        t = type(i)
        if t is int or i is None:
            index.append(i)
        elif t is slice:
            index.append(_slice(i))
        elif i is Ellipsis:
            if seen:
                raise invalid("Multiple ellipses in slice spec not allowed.")
            seen = True
            index.extend([_ALL] * (rank - sum([j is not None and j is not Ellipsis for j in key])))
        else:
            i = _integer(i)
            if type(i) is not int:
                unknown.append(len(index))
            index.append(i)
    return tuple(index), unknown


def _is_mask(key: Any) -> bool:
    t = type(key)
    if t is int or t is slice or t is tuple:
        return False
    return (
        t is bool
        or (isinstance(key, Tensor) and key._d.kind == BOOL)
        or (isinstance(key, _ndarray) and key.dtype == bool)
    )


def getitem(x: Tensor, key: Any) -> Tensor:
    """``x[key]``: the part of a tensor that ints, slices, an ellipsis and new axes pick, or those elements that a mask marks.

    Args:
        x: a Tensor.
        key: an int or scalar integer tensor, a slice, ``...``, ``tf.newaxis`` (None), a tuple of those; or a bool tensor or array that
            has the shape of ``x``, or of its first dimensions. Negative ints count from the end.

    Returns:
        A Tensor of the dtype of ``x``.

    Raises:
        InvalidArgumentError: an index out of range, more indices than dimensions, a step of 0.
        TypeError: something that does not index; for lists and tensors of indices there are ``tf.gather`` and ``tf.gather_nd``.
        ValueError: a mask whose shape does not fit.

    >>> import gradtape as tf
    >>> x = tf.constant([[1, 2, 3], [4, 5, 6]])
    >>> x[0, 1:].numpy().tolist(), x[..., -1].numpy().tolist(), x[:, tf.newaxis].shape, x[x > 3].numpy().tolist()
    ([2, 3], [3, 6], TensorShape([2, 1, 3]), [4, 5, 6])
    """
    t = type(key)
    if t is int:
        index: tuple = (key,)
    elif t is not tuple and t is not slice and _is_mask(key):
        return boolean_mask(x, key)
    else:
        try:
            if t is slice:
                index = (_slice(key),)
            else:
                index, unknown = static_index(key, len(x._shape))
                if unknown:
                    return _dynamic(x, index, unknown)
        except NoValue:
            return _by_parts(x, *_parts(key))
    if type(x) is Tensor:
        a = x._a
        if type(a) is _ndarray:
            # the dispatch, written out: indexing is the commonest thing done in loops
            try:
                a = a[index]
            except (IndexError, ValueError):
                ix.strided_slice.shape(aval(x), index=index)  # raises the user's error
                raise
            out = _new(Tensor)
            out._a = a
            out._d = x._d
            out._k = 0
            tapes = state.tapes
            if tapes:
                attrs = {"index": index}
                for tape in tapes:
                    tape._record(ix.strided_slice, (x,), out, attrs)
            return out
        return run(ix.strided_slice, (x,), {"index": index})
    return ix.strided_slice(x, index=index)


def _parts(key: Any) -> tuple[tuple, list]:
    """A key whose integers are replaced by None, and they: a slice as its class and three parts."""
    form: list[Any] = []
    values: list[Any] = []
    for i in key if type(key) is tuple else (key,):
        bounds = (i.start, i.stop, i.step) if type(i) is slice else (i,)
        tensors = [isinstance(b, Tensor | Variable) for b in bounds]
        values += [b for b, tensor in zip(bounds, tensors, strict=True) if tensor]
        form.append(
            (type(i) is slice, tuple([_HERE if tensor else b for b, tensor in zip(bounds, tensors, strict=True)]))
        )
    return tuple(form), values


_HERE = object()


@sized
def _by_parts(x: Tensor, form: tuple, values: list) -> Tensor:
    """``x[key]`` for the key that ``_parts`` took apart."""
    it = iter(values)
    key = []
    for is_slice, bounds in form:
        given = [next(it) if b is _HERE else b for b in bounds]
        key.append(slice(*given) if is_slice else given[0])
    if any([isinstance(v, Tensor) and v._special for v in values]):
        if state.trace is None:
            raise TypeError(
                "A slice's start, stop and step must have known values. Use tf.gather with the indices wanted."
            )
        raise NoValue("a bound whose value is not known")
    return getitem(x, tuple(key))


def _dynamic(x: Tensor, index: tuple, unknown: list) -> Tensor:
    """``x[index]`` where some ints are tensors whose values are not known yet: those are gathered."""
    y = ix.strided_slice(x, index=tuple([_ALL if at in unknown else i for at, i in enumerate(index)]))
    for at in reversed(unknown):
        i = index[at]
        axis = at - sum([type(j) is int for j in index[:at]])
        n = y._shape[axis]
        length = st.full_like(i, value=n) if n is not None else ix.take_one(st.shape_of(y, dtype=i._d), 0, axis)
        i = ew.select(ew.less(i, st.zeros_like(i)), ew.add(i, length), i)
        y = ix.gather(y, i, axis=axis, batch_dims=0)
    return y


def iterate(x: Tensor) -> Iterator[Tensor]:
    """The slices ``x[0]``, ``x[1]``, ...

    Raises:
        TypeError: ``x`` is a scalar, or its first dimension is unknown.
    """
    shape = x._shape
    if not shape:
        raise TypeError("Cannot iterate over a scalar tensor.")
    n = shape[0]
    if n is None:
        raise TypeError("Cannot iterate over a tensor with unknown first dimension.")
    if n and state.tapes and x._d.is_inexact and type(x) is Tensor:
        return iter(st.unstack(x, axis=0))  # one record, and a backward pass that is linear in n
    return map(partial(getitem, x), range(n))


@sized
def boolean_mask(tensor: Any, mask: Any, axis: Any = None, name: str | None = None) -> Tensor:
    """The elements, rows or slices of ``tensor`` that ``mask`` marks.

    Args:
        tensor: a Tensor, or anything that converts to one.
        mask: a bool (or numeric) tensor, of the shape that ``tensor`` has from ``axis`` on for as many dimensions.
        axis: the dimension of ``tensor`` with which the mask begins; None for the first.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor that has one dimension, of the marked places, where ``tensor`` has those that the mask covers.

    Raises:
        ValueError: the mask is a scalar, or its shape does not fit.

    >>> import gradtape as tf
    >>> tf.boolean_mask([[1, 2], [3, 4], [5, 6]], [True, False, True]).numpy().tolist()
    [[1, 2], [5, 6]]
    """
    x, m = convert(tensor), convert(mask)
    s, marked = x._shape, m._shape
    if not marked:
        raise ValueError("mask cannot be scalar.")
    a = 0 if axis is None else axis_of(axis, len(s))
    end = a + len(marked)
    if not ix.fitting(s[a:end], marked):
        raise ValueError(f"Shapes {TensorShape(s[a:end])} and {TensorShape(marked)} are incompatible")
    n = math.prod(marked)
    places = ix.take_one(ix.nonzero(st.reshape(m, shape=(n,))), 1, 0)
    return ix.gather(st.reshape(x, shape=(*s[:a], n, *s[end:])), places, axis=a, batch_dims=0)


# -- parts of variables ------------------------------------------------------------------------------------------------------
# `v[1:3]` is a plain tensor, so that computing with it costs nothing extra. What it was read from is kept beside it, for as long as
# it lives: `v[1:3].assign(x)` looks it up.


class _Origin(weakref.ref):
    __slots__ = ("at", "key", "variable")

    at: int
    key: Any
    variable: Variable


_origins: dict[int, _Origin] = {}


def _forget(origin: _Origin) -> None:
    _origins.pop(origin.at, None)


def remember(part: Tensor, v: Variable, key: Any) -> Tensor:
    """``part``, which is ``v[key]``, with methods ``assign``, ``assign_add``, ``assign_sub``."""
    origin = _Origin(part, _forget)
    origin.at, origin.variable, origin.key = id(part), v, key
    _origins[origin.at] = origin
    return part


def _variable_getitem(self: Variable, key: Any) -> Tensor:
    """``v[key]``: as ``x[key]`` of a tensor, with the method ``assign`` that changes this part of the variable."""
    part = getitem(self._read(), key)
    return part if _is_mask(key) else remember(part, self, key)


def _part_method(name: str, what: str, f: Callable) -> property:
    def method(self: Tensor) -> Callable:
        origin = _origins.get(id(self))
        if origin is None or origin() is not self:
            raise AttributeError(
                f"'Tensor' object has no attribute {name!r}: a tensor never changes. Only v[...] read directly from a Variable v has it.",
                name=name,
                obj=self,
            )
        return partial(_write_part, origin.variable, origin.key, what, f)

    return property(
        method,
        doc=f"For a part ``v[...]`` of a variable only: the method that will {what} a value, broadcast to the part's shape, there.",
    )


def _write_part(
    v: Variable,
    key: Any,
    what: str,
    f: Callable,
    value: Any,
    use_locking: bool = False,
    name: str | None = None,
    read_value: bool = True,
) -> Variable:
    """Write ``value`` into the part ``v[key]``.

    Raises:
        ValueError: ``value`` has another dtype. The variable is unchanged.
        InvalidArgumentError: ``value`` does not broadcast to the part's shape. The variable is unchanged.
    """
    u = v._operand(value, what)
    if v._trace is not None and (trace := v._trace()) is not None:
        _trace_part(trace, v, key, {"assign": "update", "add": "add", "subtract": "sub"}[what], u)
        return v
    index, _ = static_index(key, len(v._shape))
    want = ix.strided_slice.shape(Aval(v._shape, v._d), index=index).shape
    have = u._shape
    for extra in range(len(have) - len(want)):
        if have[extra] != 1:
            raise invalid(f"Cannot broadcast input shape {dims_text(have)} into final shape {dims_text(want)}")
    if any(h not in (1, w) for h, w in zip(reversed(have), reversed(want), strict=False)):
        raise invalid(f"Cannot broadcast input shape {dims_text(have)} into final shape {dims_text(want)}")
    with v._turn():
        t = v._t
        a = t._a
        if type(a) is not _ndarray:
            a = np.array(st._array(a))
        elif not v._free(t):
            a = a.copy()
        f(a, index, u._a if have == want else np.reshape(st._array(u._a), have[max(0, len(have) - len(want)) :]))
        return v._set(a if a.ndim else a[()])


def _trace_part(trace: Any, v: Variable, key: Any, how: str, u: Tensor) -> None:
    """``_write_part`` in a traced program, where integers of the key may have values only when it runs."""
    shape = v._shape
    form, holes = _open_index(key, len(shape))
    if not holes:
        index, _ = static_index(key, len(shape))
        want = ix.strided_slice.shape(Aval(shape, v._d), index=index).shape
        trace.update(v, partial(ix.write_slice, index=index, how=how), st.broadcast_to(u, shape=want))
        return
    k = len(form)
    while k and form[k - 1] == (None, None, None):  # a full slice
        k -= 1
    row = form[:k]
    if all([i == ix.HOLE or type(i) is int for i in row]) and k <= len(shape):
        it = iter(holes)
        at = [_from_the_start(next(it) if i == ix.HOLE else i, n) for i, n in zip(row, shape, strict=False)]
        u = st.broadcast_to(u, shape=shape[k:])
        if k == 1:
            u = st.reshape(u, shape=(1, *shape[1:]))
            trace.update(v, partial(ix.write_rows, how=how, vectors=False, axis=0), st.reshape(at[0], shape=(1,)), u)
        else:
            trace.update(v, partial(ix.write_rows, how=how, vectors=True, axis=0), st.stack(*at, axis=0), u)
        return
    at = [st.cast(i, int64) for i in holes]
    trace.update(v, partial(ix.write_open, form=form, how=how), u, st.stack(*at, axis=0))


def _from_the_start(i: Any, n: int) -> Tensor:
    """An index into ``n`` places, which may count from the end, as an int64 tensor that does not."""
    if type(i) is int:
        ix.strided_slice.shape(Aval((n,), int64), index=(i,))  # raises the user's error
        return convert(i + n if i < 0 else i, None, int64)
    i = st.cast(i, int64)
    return ew.select(ew.less(i, st.zeros_like(i)), ew.add(i, st.full_like(i, value=n)), i)


def _open_index(key: Any, rank: int) -> tuple[tuple, list]:
    """A key as the ``form`` of the row ``write_open``, and the tensors that fill its holes."""
    holes: list[Tensor] = []

    def known(i: Any, read: Callable) -> Any:
        tensor = i._read() if isinstance(i, Variable) else i
        if isinstance(tensor, Tensor) and tensor._special and isinstance(j := _integer(tensor), Tensor):
            holes.append(j)
            return ix.HOLE
        return read(i)

    form: list = []
    parts = key if type(key) is tuple else (key,)
    for i in parts:
        if isinstance(i, slice):
            form.append(tuple([known(b, _bound) for b in (i.start, i.stop, i.step)]))
        elif i is Ellipsis:
            given = sum([j is not None and j is not Ellipsis for j in parts])
            form.extend([(None, None, None)] * (rank - given))
        else:
            form.append(known(i, lambda i: i if i is None else _integer(i)))
    return tuple(form), holes


def _put(a: np.ndarray, index: tuple, value: Any) -> None:
    a[index] = value


def _put_sum(a: np.ndarray, index: tuple, value: Any) -> None:
    a[index] += value


def _put_difference(a: np.ndarray, index: tuple, value: Any) -> None:
    a[index] -= value


install({"__getitem__": getitem, "__iter__": iterate})
Variable.__getitem__ = _variable_getitem  # type: ignore[attr-defined,method-assign,misc]
Tensor.assign = _part_method("assign", "assign", _put)  # type: ignore[attr-defined]
Tensor.assign_add = _part_method("assign_add", "add", _put_sum)  # type: ignore[attr-defined]
Tensor.assign_sub = _part_method("assign_sub", "subtract", _put_difference)  # type: ignore[attr-defined]
