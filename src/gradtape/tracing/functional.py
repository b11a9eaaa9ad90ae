"""Functional control flow over the first axis and over cases: map_fn, scan, foldl, foldr, vectorized_map, case, switch_case."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.state import state
from ..core.tensor import Tensor, convert
from ..gradient.batching import BatchedTensor, new_level, unbatch
from ..ground import nest
from ..ground.dtypes import as_dtype, int32
from ..ground.errors import invalid, user_line
from ..ground.primitive import Aval
from ..primitives import elementwise as ew
from ..primitives import indexing
from ..primitives import reduction as rd
from ..primitives import structure as st
from .control import cond, traced_while
from .control_rows import take_row
from .tensor_array import count_of, index_of, write_row, zeros
from .trace import SymbolicTensor, Trace, calls_back

# -- along the first axis ---------------------------------------------------------------------------------------------------


def _count(elems: list[Tensor], n: int | None) -> Tensor:
    """The length of the first axis as a tensor."""
    return count_of(elems[0]) if n is None else Tensor(np.int32(n), int32)


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


@calls_back("fn")
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
    buffers = [zeros(count, x._shape, x._d) for x in leaves]

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


@calls_back("fn")
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


def _like(new: Any, a: Any, what: str) -> list:
    """The leaves of what a function accumulated, which has the form of ``a``."""
    try:
        nest.assert_same_structure(a, new, check_types=False)
    except (TypeError, ValueError) as e:
        raise ValueError(f"{what}: fn must return the form of what it accumulates: {e}{user_line()}") from None
    return nest.flatten(new)


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
            new = fn(a, nest.pack_sequence_as(elems, _element(flat, n - 1 - i if backwards else i)))
            a = nest.pack_sequence_as(a, _like(new, a, what))
        return a
    count = _count(flat, n)
    last = count - 1

    def step(i: Tensor, *state_: Tensor) -> list:
        at = ew.sub(last, i) if backwards else i
        new = fn(nest.pack_sequence_as(a, state_), nest.pack_sequence_as(elems, _element(flat, at)))
        return [i + 1, *_like(new, a, what)]

    _, *done = traced_while(lambda i, *s: ew.less(i, count), step, [Tensor(np.int32(first), int32), *nest.flatten(a)])
    return nest.pack_sequence_as(a, done)


@calls_back("fn")
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


@calls_back("fn")
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


@calls_back("fn")
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
            new = _like(fn(a, nest.pack_sequence_as(elems, _element(flat, at(i)))), a, "scan")
            a = nest.pack_sequence_as(a, [convert(x) for x in new])
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
    buffers = [zeros(count, x._shape, x._d) for x in start]
    if first:
        buffers = [write_row(b, index_of(at(0)), x) for b, x in zip(buffers, start, strict=True)]

    def step(i: Tensor, *rest: Tensor) -> list:
        now, bufs = rest[:k], rest[k:]
        j = ew.sub(last, i) if reverse else i
        found = fn(nest.pack_sequence_as(a, now), nest.pack_sequence_as(elems, _element(flat, j)))
        new = [convert(x) for x in _like(found, a, "scan")]
        return [i + 1, *new, *[write_row(b, j, x) for b, x in zip(bufs, new, strict=True)]]

    done = traced_while(lambda i, *s: ew.less(i, count), step, [Tensor(np.int32(first), int32), *start, *buffers])
    return nest.pack_sequence_as(a, done[1 + k :])


# -- cases ------------------------------------------------------------------------------------------------------------------


@calls_back("pred_fn_pairs", "default")
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
        exclusive: check that at most one holds.
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
    if exclusive and any(isinstance(p, SymbolicTensor) for p, _ in pairs):
        held = st.stack(*[st.cast(convert(p), int32) for p, _ in pairs], axis=0)
        st.assert_that(
            ew.less(rd.sum(held, axis=(0,), keepdims=False), Tensor(np.int32(2), int32)),
            message="Input error: exclusive=True: more than 1 conditions evaluated as True.",
            labels=(),
            summarize=None,
        )
    elif exclusive and sum(bool(p) for p, _ in pairs) > 1:
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


@calls_back("branch_fns", "default")
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


__all__ = ["case", "foldl", "foldr", "map_fn", "scan", "switch_case", "vectorized_map"]
