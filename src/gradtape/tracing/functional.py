"""Functional control flow over the first axis and over cases: map_fn, scan, foldl, foldr, vectorized_map, case, switch_case; TensorArray."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.arguments import integer, sized
from ..core.state import state
from ..core.tensor import Tensor, convert
from ..gradient.batching import BatchedTensor, new_level, unbatch
from ..ground import nest
from ..ground.dtypes import ANY, DType, as_dtype, int32
from ..ground.errors import OutOfRangeError, invalid, user_line
from ..ground.primitive import Aval, Primitive
from ..primitives import elementwise as ew
from ..primitives import indexing
from ..primitives import structure as st
from .control import cond, put_row, take_row, traced_while
from .trace import SymbolicTensor, Trace

# -- rows of a buffer -------------------------------------------------------------------------------------------------------


def _write_kernel(x: Any, at: Any, u: Any) -> Any:
    i = int(at)
    if not 0 <= i < len(x):
        raise OutOfRangeError(f"Tried to write to index {i} of a TensorArray of size {len(x)}.")
    out = x.copy()
    out[i] = u
    return out


write_row: Primitive = Primitive("write_row", "x at u", _write_kernel, shape=lambda x, at, u: x,
                      grad=(lambda g, at: write_row(g, at, st.zeros_like(take_row(g, at))), None, lambda g, at: take_row(g, at)),
                      cases=lambda rng: [((rng.uniform(-3, 3, (4, 2)), np.int32(1), rng.uniform(-3, 3, (2,))), {})], doc="x with its row `at` replaced by u.")  # fmt: skip


def _grow_kernel(x: Any, at: Any, u: Any) -> Any:
    i = int(at)
    if i < 0:
        raise OutOfRangeError(f"Tried to write to index {i} of a TensorArray.")
    out = np.zeros((max(len(x), i + 1), *x.shape[1:]), x.dtype)
    out[: len(x)] = x
    out[i] = u
    return out


def _grow_dx(g: Tensor, x_shape: tuple, at: Tensor) -> Tensor:
    n = x_shape[0]
    return write_row(g, at, st.zeros_like(take_row(g, at)))[:n] if int(at) < n else g[:n]


grow_row: Primitive = Primitive("grow_row", "x at u", _grow_kernel, shape=lambda x, at, u: Aval((None, *x.shape[1:]), x.dtype),
                     grad=(_grow_dx, None, lambda g, at: take_row(g, at)), dynamic=True,
                     cases=lambda rng: [((rng.uniform(-3, 3, (4, 2)), np.int32(i), rng.uniform(-3, 3, (2,))), {}) for i in (1, 4, 6)],
                     doc="x with its row `at` replaced by u, longer where it has to be.")  # fmt: skip
open_length = Primitive("open_length", "x", lambda x: x, shape=lambda x: Aval((None, *x.shape[1:]), x.dtype), grad=(lambda g: g,), accepts=ANY, linear=True, dynamic=True,
                        cases=lambda rng: [((rng.uniform(-3, 3, (4, 2)),), {})], doc="x, whose length a trace takes for unknown.")  # fmt: skip


@sized
def _zeros(n: Any, shape: tuple, d: DType) -> Tensor:
    """A buffer of ``n`` zero elements."""
    return Tensor(np.zeros((integer(n, "size"), *shape), d.np), d)


def _index(i: Any) -> Tensor:
    t = convert(i, None, int32)
    return t if t._d is int32 else st.cast(t, int32)


class TensorArray:
    """An array of tensors of one dtype that a loop fills.

    Writing gives a new TensorArray: use the result, ``ta = ta.write(i, x)``.

    Args:
        dtype: the dtype of the elements.
        size: the number of elements; with ``dynamic_size`` it may grow.
        dynamic_size: whether writing behind the end makes it longer.
        element_shape: the shape of the elements, where it is known.
        clear_after_read, tensor_array_name, handle, flow, infer_shape, colocate_with_first_write_call, name: accepted for TensorFlow's sake.

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
        self._meta = _Meta(None if element_shape is None else tuple(element_shape))

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
        from ..ground.shapes import TensorShape

        return TensorShape(self._meta.shape)

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
        if shape is None:
            raise invalid("A TensorArray whose element shape is not known cannot enter a loop: give element_shape.")
        if self._size is not None:
            return _zeros(self._size, shape, self._d)
        parts = [Tensor(np.zeros(shape, self._d.np)[()], self._d) if x is None else x for x in self._items]
        whole = st.stack(*parts, axis=0) if parts else Tensor(np.zeros((0, *shape), self._d.np), self._d)
        return open_length(state.trace.local(whole)) if self._dynamic and state.trace is not None else whole

    def write(self, index: Any, value: Any, name: str | None = None) -> TensorArray:
        """The array with element ``index`` set to ``value``. OutOfRangeError behind the end of an array that may not grow."""
        v = convert(value, None, self._d)
        if v._d is not self._d:
            raise invalid(f"A TensorArray of {self._d.name} cannot hold a tensor of {v._d.name}.")
        self._meta.see(v._shape)
        i = _index(index)
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
        i = _index(index)
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
        for n, i in enumerate(np.asarray(indices).ravel()):
            out = out.write(int(i), indexing.take_one(v, 0, n))
        return out

    def split(self, value: Any, lengths: Any, name: str | None = None) -> TensorArray:
        """The array filled with pieces of ``value`` of the given lengths along the first axis."""
        sizes = tuple(int(n) for n in np.asarray(lengths).ravel())
        return self._with(list(st.split(convert(value, None, self._d), sizes=sizes, axis=0)), None)

    def size(self, name: str | None = None) -> Tensor:
        """The number of elements, int32."""
        if self._buffer is None:
            return self._size if self._size is not None else Tensor(np.int32(len(self._items)), int32)
        return _count([self._buffer], self._buffer._shape[0])

    def identity(self) -> TensorArray:
        """The array."""
        return self

    def close(self, name: str | None = None) -> None:
        """Nothing: memory goes with the last reference."""

    def mark_used(self) -> None:
        """Nothing."""


class _Meta:
    """What the versions of one TensorArray know together: the shape of the elements."""

    __slots__ = ("shape",)

    def __init__(self, shape: tuple | None) -> None:
        self.shape = shape

    def see(self, shape: tuple) -> None:
        if self.shape is None:
            self.shape = shape


# -- along the first axis ---------------------------------------------------------------------------------------------------


@sized
def _joined(x: Tensor) -> Tensor:
    """The first two axes as one."""
    s = x._shape
    return st.reshape(x, shape=(s[0] * s[1], *s[2:]))


def _count(elems: list[Tensor], n: int | None) -> Tensor:
    """The length of the first axis as a tensor, also where it is open."""
    if n is not None:
        return Tensor(np.int32(n), int32)
    return indexing.take_one(st.shape_of(elems[0], dtype=int32), 0, 0)


def _length(elems: list[Tensor], what: str) -> Any:
    """The length of the first axis; None where it is open."""
    if not elems:
        raise ValueError(f"{what} needs at least one tensor in elems.")
    for e in elems:
        if not e._shape:
            raise ValueError(f"{what} needs elems of rank at least 1: one is a scalar.")
    n = next((e._shape[0] for e in elems if e._shape[0] is not None), None)
    for e in elems:
        if e._shape[0] not in (n, None):
            raise ValueError(
                f"elements in elems must all have the same first dimension: got {[e._shape[0] for e in elems]}."
            )
    return n


def _element(elems: list[Tensor], i: Any) -> list[Tensor]:
    return [take_row(e, i) if isinstance(i, Tensor) else indexing.take_one(e, 0, i) for e in elems]


def map_fn(fn: Callable, elems: Any, dtype: Any = None, parallel_iterations: Any = None, back_prop: bool = True, swap_memory: bool = False, infer_shape: bool = True,
           name: str | None = None, fn_output_signature: Any = None) -> Any:  # fmt: skip
    """``fn`` applied to each element along the first axis, the results stacked.

    Args:
        fn: a function of one element (of the form of ``elems``).
        elems: a tensor, or a nest of them with one first dimension.
        dtype, fn_output_signature: the dtypes of the results, where ``fn`` gives Python values; otherwise not needed.
        parallel_iterations, back_prop, swap_memory, infer_shape, name: accepted for TensorFlow's sake.

    Returns:
        A nest of the form of ``fn``'s result.

    Raises:
        ValueError: the first dimensions differ, or a scalar was given.

    >>> import gradtape as tf
    >>> tf.map_fn(lambda x: x * x, tf.constant([1.0, 2.0, 3.0])).numpy().tolist()
    [1.0, 4.0, 9.0]
    """
    if not callable(fn):
        raise TypeError("The provided function (fn) is not callable. fn must be callable.")
    flat = [convert(e) for e in nest.flatten(elems)]
    n = _length(flat, "map_fn")
    hint = fn_output_signature if fn_output_signature is not None else dtype

    def one(xs: list[Tensor]) -> Any:
        out = fn(nest.pack_sequence_as(elems, xs))
        if hint is None:
            return nest.map_structure(convert, out)
        hints = nest.flatten(hint)
        leaves = nest.flatten(out)
        ds = [as_dtype(getattr(h, "dtype", h)) for h in hints] * (len(leaves) if len(hints) == 1 else 1)
        return nest.pack_sequence_as(out, [convert(x, None, d) for x, d in zip(leaves, ds, strict=True)])

    return _accumulate(one, flat, n)


def _accumulate(
    one: Callable, flat: list[Tensor], n: Any, carried: list[Tensor] | None = None, order: Any = None
) -> Any:
    """Stack ``one(element)`` for each element in turn, as a loop while tracing."""
    if state.trace is None or n == 0:
        outs = [one(_element(flat, i)) for i in range(n)]
        if not outs:
            form = _probe(one, flat)
            return nest.map_structure(lambda x: Tensor(np.zeros((0, *x._shape), x._d.np), x._d), form)
        return (
            nest.map_structure(lambda *xs: st.stack(*xs, axis=0), *outs)
            if n > 1
            else nest.map_structure(lambda x: st.stack(x, axis=0), outs[0])
        )
    form = _probe(one, flat)
    leaves = nest.flatten(form)
    count = _count(flat, n)
    buffers = [_zeros(count, x._shape, x._d) for x in leaves]

    def step(i: Tensor, *bufs: Tensor) -> list:
        out = nest.flatten(one(_element(flat, i)))
        return [i + 1, *[write_row(b, i, o) for b, o in zip(bufs, out, strict=True)]]

    _, *done = traced_while(lambda i, *b: ew.less(i, count), step, [Tensor(np.int32(0), int32), *buffers])
    return nest.pack_sequence_as(form, done)


def _probe(f: Callable, flat: list[Tensor], *states: Any) -> Any:
    """What ``f`` gives for an element: traced aside, only for the form."""
    t = Trace("probe", state.trace)
    with t:
        return f([t.input(Aval(e._shape[1:], e._d), "x") for e in flat], *states)


def vectorized_map(fn: Callable, elems: Any, fallback_to_while_loop: bool = True, warn: bool = True) -> Any:
    """``fn`` applied to all elements along the first axis at once, by the operations' batch rules.

    Args:
        fn: a function of one element, without Python control flow over its values.
        elems: a tensor, or a nest of them with one first dimension (or 1).
        fallback_to_while_loop, warn: accepted for TensorFlow's sake: rows without a batch rule are looped over by themselves.

    Returns:
        A nest of the form of ``fn``'s result, the batch in front.

    Raises:
        ValueError: the first dimensions differ.

    >>> import gradtape as tf
    >>> tf.vectorized_map(lambda x: tf.reduce_sum(x * x), tf.constant([[1.0, 2.0], [3.0, 4.0]])).numpy().tolist()
    [5.0, 25.0]
    """
    flat = [convert(e) for e in nest.flatten(elems)]
    n = max([1, *[e._shape[0] for e in flat if e._shape]])
    flat = [st.broadcast_to(e, shape=(n, *e._shape[1:])) if e._shape[:1] == (1,) != (n,) else e for e in flat]
    _length(flat, "vectorized_map")
    with new_level() as level:
        out = fn(nest.pack_sequence_as(elems, [BatchedTensor(e, level) for e in flat]))
        return nest.map_structure(lambda o: unbatch(convert(o), n, level), out)


def _fold(fn: Callable, elems: Any, initializer: Any, backwards: bool, what: str) -> Any:
    if not callable(fn):
        raise TypeError(f"{what}: fn must be callable.")
    flat = [convert(e) for e in nest.flatten(elems)]
    n = _length(flat, what)
    first = 0
    if initializer is None:
        if n == 0:
            raise ValueError(f"{what} of no elements needs an initializer.")
        a = nest.pack_sequence_as(elems, _element(flat, _count(flat, n) - 1 if backwards else 0))
        first = 1
    else:
        a = nest.map_structure(convert, initializer)
    if state.trace is None:
        for i in range(first, n):
            a = fn(a, nest.pack_sequence_as(elems, _element(flat, n - 1 - i if backwards else i)))
        return a
    count = _count(flat, n)
    last = count - 1

    def step(i: Tensor, *state_: Tensor) -> list:
        at = ew.sub(last, i) if backwards else i
        new = fn(nest.pack_sequence_as(a, state_), nest.pack_sequence_as(elems, _element(flat, at)))
        return [i + 1, *nest.flatten(new)]

    _, *done = traced_while(lambda i, *s: ew.less(i, count), step, [Tensor(np.int32(first), int32), *nest.flatten(a)])
    return nest.pack_sequence_as(a, done)


def foldl(
    fn: Callable,
    elems: Any,
    initializer: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    name: str | None = None,
) -> Any:
    """``fn(...fn(fn(initializer, elems[0]), elems[1])...)``.

    Args:
        fn: ``fn(accumulated, element)``.
        elems: a tensor, or a nest of them with one first dimension.
        initializer: where to start; by default the first element.
        parallel_iterations, back_prop, swap_memory, name: accepted for TensorFlow's sake.

    Raises:
        ValueError: the first dimensions differ, or there is nothing to start from.

    >>> import gradtape as tf
    >>> tf.foldl(lambda a, x: a * 2 + x, tf.constant([1, 2, 3])).numpy()
    np.int32(11)
    """
    return _fold(fn, elems, initializer, False, "foldl")


def foldr(
    fn: Callable,
    elems: Any,
    initializer: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    name: str | None = None,
) -> Any:
    """``foldl`` from the last element to the first; arguments as there.

    >>> import gradtape as tf
    >>> tf.foldr(lambda a, x: a * 2 + x, tf.constant([1, 2, 3])).numpy()
    np.int32(17)
    """
    return _fold(fn, elems, initializer, True, "foldr")


def scan(fn: Callable, elems: Any, initializer: Any = None, parallel_iterations: int = 10, back_prop: bool = True, swap_memory: bool = False, infer_shape: bool = True,
         reverse: bool = False, name: str | None = None) -> Any:  # fmt: skip
    """All the intermediate results of ``foldl``, stacked.

    Args:
        fn: ``fn(accumulated, element)``, giving the form of ``accumulated``.
        elems: a tensor, or a nest of them with one first dimension.
        initializer: where to start (it is not in the result); by default the first element (which then is).
        reverse: from the last element to the first; results stand at their elements' places.
        parallel_iterations, back_prop, swap_memory, infer_shape, name: accepted for TensorFlow's sake.

    Raises:
        ValueError: the first dimensions differ, or there is nothing to start from.

    >>> import gradtape as tf
    >>> tf.scan(lambda a, x: a + x, tf.constant([1, 2, 3])).numpy().tolist()
    [1, 3, 6]
    """
    if not callable(fn):
        raise TypeError("scan: fn must be callable.")
    flat = [convert(e) for e in nest.flatten(elems)]
    n = _length(flat, "scan")
    first = 0
    count = _count(flat, n)
    last = count - 1
    at = (lambda i: (n - 1 if n is not None else last) - i) if reverse else (lambda i: i)
    if initializer is None:
        if n == 0:
            raise ValueError("scan of no elements needs an initializer.")
        a = nest.pack_sequence_as(elems, _element(flat, at(0)))
        first = 1
    else:
        a = nest.map_structure(convert, initializer)
    if state.trace is None:
        outs = [a] if first else []
        for i in range(first, n):
            a = nest.map_structure(convert, fn(a, nest.pack_sequence_as(elems, _element(flat, at(i)))))
            outs.append(a)
        if not outs:
            return nest.map_structure(lambda x: Tensor(np.zeros((0, *x._shape), x._d.np), x._d), a)
        outs = outs[::-1] if reverse else outs
        return (
            nest.map_structure(lambda *xs: st.stack(*xs, axis=0), *outs)
            if len(outs) > 1
            else nest.map_structure(lambda x: st.stack(x, axis=0), outs[0])
        )
    start = nest.flatten(a)
    k = len(start)
    buffers = [_zeros(count, x._shape, x._d) for x in start]
    if first:
        buffers = [write_row(b, _index(at(0)), x) for b, x in zip(buffers, start, strict=True)]

    def step(i: Tensor, *rest: Tensor) -> list:
        now, bufs = rest[:k], rest[k:]
        j = ew.sub(last, i) if reverse else i
        new = [
            convert(x)
            for x in nest.flatten(fn(nest.pack_sequence_as(a, now), nest.pack_sequence_as(elems, _element(flat, j))))
        ]
        return [i + 1, *new, *[write_row(b, j, x) for b, x in zip(bufs, new, strict=True)]]

    done = traced_while(lambda i, *s: ew.less(i, count), step, [Tensor(np.int32(first), int32), *start, *buffers])
    return nest.pack_sequence_as(a, done[1 + k :])


# -- cases ------------------------------------------------------------------------------------------------------------------


def case(
    pred_fn_pairs: Any,
    default: Callable | None = None,
    exclusive: bool = False,
    strict: bool = False,
    name: str = "case",
) -> Any:
    """The function beside the first predicate that holds.

    Args:
        pred_fn_pairs: a list of (scalar bool, function of no arguments).
        default: what to call if none holds; without it, one must.
        exclusive: check that at most one holds (eagerly).
        strict, name: accepted for TensorFlow's sake.

    Raises:
        InvalidArgumentError: none holds and there is no default, or several hold with ``exclusive``.

    >>> import gradtape as tf
    >>> x = tf.constant(2)
    >>> tf.case([(x < 1, lambda: tf.constant(10)), (x < 3, lambda: tf.constant(20))], default=lambda: tf.constant(30)).numpy()
    np.int32(20)
    """
    pairs = list(pred_fn_pairs.items()) if isinstance(pred_fn_pairs, dict) else list(pred_fn_pairs)
    for p in pairs:
        if not isinstance(p, (list, tuple)) or len(p) != 2 or not callable(p[1]):
            raise TypeError(f"Each element of pred_fn_pairs must be a (predicate, callable) pair, but one is {p!r}.")
    pairs = [(p.deref() if hasattr(p, "deref") else p, f) for p, f in pairs]
    if exclusive and not any(isinstance(p, SymbolicTensor) for p, _ in pairs) and sum(bool(p) for p, _ in pairs) > 1:
        raise invalid("tf.case with exclusive=True: more than one predicate holds.")

    def rest(n: int) -> Any:
        if n == len(pairs):
            if default is None:
                raise invalid("tf.case: no predicate holds and there is no default.")
            return default()
        if n == len(pairs) - 1 and default is None and isinstance(pairs[n][0], SymbolicTensor):
            st.assert_that(
                pairs[n][0],
                message="Input error: None of conditions evaluated as True: tf.case has no default.",
                labels=(),
                summarize=None,
            )
            return pairs[n][1]()
        return cond(pairs[n][0], pairs[n][1], lambda: rest(n + 1))

    return rest(0)


def switch_case(branch_index: Any, branch_fns: Any, default: Callable | None = None, name: str = "switch_case") -> Any:
    """The ``branch_index``-th of several functions; ``default`` (or the last) where there is none of that number.

    Args:
        branch_index: a scalar int.
        branch_fns: a list of functions of no arguments, or a dict (or list of pairs) from ints to them.
        default: for every other index; by default the function of the highest number.
        name: ignored.

    Raises:
        TypeError: an entry is not callable, or an index no int.
        ValueError: there are no functions.

    >>> import gradtape as tf
    >>> tf.switch_case(tf.constant(1), [lambda: tf.constant(10), lambda: tf.constant(20)]).numpy()
    np.int32(20)
    """
    items = list(branch_fns.items()) if isinstance(branch_fns, dict) else list(branch_fns)
    table: dict[Any, Any] = dict(items) if items and isinstance(items[0], (list, tuple)) else dict(enumerate(items))
    if not table:
        raise ValueError("Must provide at least one item in 'branch_fns'.")
    if not all(callable(f) for f in table.values()) or not all(isinstance(k, int) for k in table):
        raise TypeError("branch_fns must be a list of callables, or map ints to callables.")
    otherwise = default or table[max(table)]
    index = convert(branch_index)
    if not index._d.is_integer:
        raise TypeError(f"'branch_index' must be an integer Tensor, got {index._d!r}.")
    if not isinstance(index, SymbolicTensor):
        return table.get(int(index), otherwise)()

    def rest(keys: list[int]) -> Any:
        if not keys:
            return otherwise()
        return cond(ew.equal(index, Tensor(index._d.type(keys[0]), index._d)), table[keys[0]], lambda: rest(keys[1:]))

    return rest(sorted(table))


__all__ = ["TensorArray", "case", "foldl", "foldr", "map_fn", "put_row", "scan", "switch_case", "vectorized_map"]
