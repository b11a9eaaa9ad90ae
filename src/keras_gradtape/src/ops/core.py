"""Keras's core operations on gradtape: conversion, shapes, control flow, scatter and slice, gradients of one's own."""

from __future__ import annotations

import builtins
import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from keras.src import tree
from keras.src.backend.common import KerasVariable, standardize_dtype
from keras.src.backend.common.keras_tensor import KerasTensor
from keras.src.backend.common.stateless_scope import StatelessScope
from keras.src.backend.common.symbolic_scope import SymbolicScope

import gradtape as tf
from gradtape.tracing.outside import eval_shape

SUPPORTS_SPARSE_TENSORS = False
SUPPORTS_RAGGED_TENSORS = False
SUPPORTS_COMPLEX_DTYPES = True
IS_THREAD_SAFE = False  # callbacks run in the thread of the training loop

_NAMES = {name: getattr(tf, name) for name in ("float32", "float64", "float16", "bfloat16", "int32", "int64", "bool")}


# -- conversion -----------------------------------------------------------------------------------------------------------


def convert_to_tensor(x: Any, dtype: Any = None, sparse: Any = None, ragged: Any = None) -> Any:
    """``x`` as a Tensor of the dtype that Keras's rules give it; a Tensor or variable is cast where its dtype is another."""
    if sparse:
        raise ValueError("`sparse=True` is not supported with the gradtape backend")
    if ragged:
        raise ValueError("`ragged=True` is not supported with the gradtape backend")
    if isinstance(x, tf.Tensor):
        if dtype is None or x.dtype.name == dtype:
            return x
        return _cast(x, standardize_dtype(dtype))
    if isinstance(x, KerasVariable):
        return convert_to_tensor(x.value, dtype)
    if isinstance(x, tf.Variable | tf.IndexedSlices):
        t = tf.convert_to_tensor(x)
        return t if dtype is None else convert_to_tensor(t, dtype)
    if dtype is not None:
        dtype = standardize_dtype(dtype)
    return _converted(x, dtype)


def _converted(x: Any, dtype: str | None) -> Any:
    """A Tensor of a Python value or an array."""
    if isinstance(x, list | tuple) and any(
        [isinstance(v, tf.Tensor | tf.Variable | KerasVariable) for v in tree.flatten(x)]
    ):
        x = tree.map_structure(lambda v: convert_to_tensor(v) if isinstance(v, KerasVariable) else v, x)
        t = tf.convert_to_tensor(x)
        return t if dtype is None else tf.cast(t, dtype)
    if isinstance(x, str | bytes) or dtype == "string":
        return tf.convert_to_tensor(x)
    a = x if isinstance(x, np.ndarray | np.generic) else np.asarray(x)
    if a.dtype.kind in "SUO" and dtype is None:
        return tf.convert_to_tensor(x)
    if dtype is None:
        dtype = _natural(x, a)
    if a.dtype.name != dtype:
        a = a.astype(tf.as_dtype(dtype).as_numpy_dtype)
    return tf.constant(a)


def _natural(x: Any, a: np.ndarray | np.generic) -> str:
    """The dtype of a value that names none: Python floats are floatx, Python ints int32; 64-bit arrays keep theirs."""
    if isinstance(x, np.ndarray | np.generic):
        return a.dtype.name
    from keras.src.backend.common.dtypes import result_type

    return result_type(*[getattr(item, "dtype", type(item)) for item in tree.flatten(x)])


def convert_to_numpy(x: Any) -> np.ndarray:
    """A copy as an array."""
    if isinstance(x, KerasVariable):
        x = x.value
    return np.array(tf.convert_to_tensor(x) if isinstance(x, tf.IndexedSlices) else x)


def is_tensor(x: Any) -> bool:
    """Whether ``x`` is a gradtape tensor or variable."""
    return isinstance(x, tf.Tensor | tf.Variable | tf.IndexedSlices)


def shape(x: Any) -> tuple:
    """The shape as a tuple."""
    known = getattr(x, "shape", None)  # other libraries' tensors have one too
    dims = tuple(known if known is not None else convert_to_tensor(x).shape)
    if None not in dims or not isinstance(x, tf.Tensor):
        return dims
    sizes = tf.shape(x)
    return tuple([sizes[i] if d is None else d for i, d in enumerate(dims)])


def cast(x: Any, dtype: Any) -> Any:
    """``x`` in another dtype."""
    if isinstance(x, tf.Tensor) and x.dtype.name == dtype:
        return x
    dtype = standardize_dtype(dtype)
    if isinstance(x, KerasVariable):
        x = x.value
    return _cast(x, dtype) if isinstance(x, tf.Tensor | tf.Variable | tf.IndexedSlices) else convert_to_tensor(x, dtype)


_NARROW = frozenset(["int8", "int16", "uint8", "uint16", "uint32", "uint64"])


def _cast(x: Any, dtype: str) -> Any:
    """``x`` in another dtype. Floats beyond the bounds of narrow integers become the bounds, as in JAX: Keras's quantizers count on it."""
    return tf.saturate_cast(x, dtype) if dtype in _NARROW and x.dtype.is_floating else tf.cast(x, dtype)


# -- shapes without values ------------------------------------------------------------------------------------------------


def compute_output_spec(fn: Callable, *args: Any, **kwargs: Any) -> Any:
    """What ``fn`` gives for KerasTensors, by the operations' shape rules. Unknown dimensions are tried as two different numbers."""
    flat = tree.flatten((args, kwargs))
    first = _traced(fn, args, kwargs, 83)
    if not any([isinstance(x, KerasTensor) and None in x.shape for x in flat]):
        return tree.map_structure(
            lambda x: KerasTensor(tuple(x.shape), x.dtype.name) if isinstance(x, tf.TensorSpec) else x, first
        )
    second = _traced(fn, args, kwargs, 89)

    def joined(a: Any, b: Any) -> Any:
        if not isinstance(a, tf.TensorSpec):
            return a
        return KerasTensor(tuple([d if d == e else None for d, e in zip(a.shape, b.shape, strict=True)]), a.dtype.name)

    return tree.map_structure(joined, first, second)


def _traced(fn: Callable, args: tuple, kwargs: dict, size: int) -> Any:
    def spec(x: Any) -> Any:
        if not isinstance(x, KerasTensor):
            return x
        return tf.TensorSpec([size if d is None else d for d in x.shape], x.dtype)

    flat = [spec(x) for x in tree.flatten((args, kwargs))]
    at = [i for i, x in enumerate(flat) if isinstance(x, tf.TensorSpec)]
    out: list[Any] = []

    def run(*tensors: Any) -> list:
        leaves = list(flat)
        for i, t in zip(at, tensors, strict=True):
            leaves[i] = t
        a, k = tree.pack_sequence_as((args, kwargs), leaves)
        out.append(fn(*a, **k))
        return tree.flatten(out[0])

    with StatelessScope(), SymbolicScope():  # what is assigned is forgotten with the trace
        specs = eval_shape(run, *[flat[i] for i in at])
    specs = [tf.TensorSpec(x.shape, x.dtype) if isinstance(x, KerasVariable) else x for x in specs]
    return tree.pack_sequence_as(out[0], specs)


# -- control flow ---------------------------------------------------------------------------------------------------------


def cond(pred: Any, true_fn: Callable, false_fn: Callable) -> Any:
    """One of two functions, by a scalar."""
    if isinstance(pred, bool | np.bool_):
        return true_fn() if pred else false_fn()
    pred = convert_to_tensor(pred)
    return tf.cond(pred if pred.dtype.name == "bool" else tf.cast(pred, "bool"), _values(true_fn), _values(false_fn))


def _values(f: Callable) -> Callable:
    """``f`` with variables among its results read."""
    return lambda *args: tree.map_structure(lambda x: x.value if isinstance(x, KerasVariable) else x, f(*args))


def vectorized_map(function: Callable, elements: Any) -> Any:
    """``function`` over the first axis, all at once."""
    return tf.vectorized_map(function, tree.map_structure(convert_to_tensor, elements))


def map(f: Callable, xs: Any) -> Any:
    """``f`` over the first axis, one after another."""
    _, ys = scan(lambda carry, x: (carry, f(x)), (), xs)
    return ys


def scan(f: Callable, init: Any, xs: Any = None, length: Any = None, reverse: bool = False, unroll: Any = 1) -> Any:
    """``carry, y = f(carry, x)`` along the first axis: the last carry, and the ys stacked."""
    if not callable(f):
        raise TypeError(f"`f` should be a callable. Received: f={f}")
    if not isinstance(unroll, bool) and (not isinstance(unroll, int) or unroll < 1):
        raise ValueError(f"`unroll` must be an positive integer or boolean. Received: unroll={unroll}")
    if xs is None and length is None:
        raise ValueError("Got no `xs` to scan over and `length` not provided.")
    elems = tree.map_structure(convert_to_tensor, xs) if xs is not None else None
    flat = [] if elems is None else tree.flatten(elems)
    n = int(length) if length is not None else flat[0].shape[0]
    carry = tree.map_structure(convert_to_tensor, init)
    if tf.executing_eagerly() or unroll is True or n == 0:
        return _unrolled_scan(f, carry, elems, n, reverse)

    def element(i: Any) -> Any:
        return None if elems is None else tree.map_structure(lambda x: tf.gather(x, i), elems)

    forms = eval_shape(lambda *a: f(*a)[1], tree.map_structure(_spec, carry), None if elems is None else tree.map_structure(lambda x: tf.TensorSpec(x.shape[1:], x.dtype), elems))  # fmt: skip
    y_flat = [] if forms is None else tree.flatten(forms)
    arrays = [tf.TensorArray(s.dtype, size=n, element_shape=s.shape) for s in y_flat]
    carries = tree.flatten(carry)

    def body(i: Any, carries: Any, arrays: Any) -> tuple:
        at = n - 1 - i if reverse else i
        new, y = f(tree.pack_sequence_as(init, list(carries)), element(at))
        new = [convert_to_tensor(c, c0.dtype.name) for c, c0 in zip(tree.flatten(new), carries, strict=True)]
        arrays = [
            a.write(at, convert_to_tensor(v)) for a, v in zip(arrays, [] if y is None else tree.flatten(y), strict=True)
        ]
        return i + 1, new, arrays

    _, carries, arrays = tf.while_loop(lambda i, *_: i < n, body, (tf.constant(0), carries, arrays))
    ys = None if forms is None else tree.pack_sequence_as(forms, [a.stack() for a in arrays])
    return tree.pack_sequence_as(init, list(carries)), ys


def _spec(x: Any) -> Any:
    return tf.TensorSpec(x.shape, x.dtype)


def _unrolled_scan(f: Callable, carry: Any, elems: Any, n: int, reverse: bool) -> Any:
    ys: list[Any] = []
    for i in reversed(builtins.range(n)) if reverse else builtins.range(n):
        carry, y = f(carry, None if elems is None else tree.map_structure(lambda x, i=i: x[i], elems))
        ys.append(y)
    if not ys or ys[0] is None:
        return carry, None
    if reverse:
        ys.reverse()
    return carry, tree.map_structure(lambda *parts: tf.stack(parts), *ys)


def associative_scan(f: Callable, elems: Any, reverse: bool = False, axis: int = 0) -> Any:
    """The running reduction of ``elems`` by an associative ``f``, in a logarithmic number of steps (Blelloch, 1990)."""
    if not callable(f):
        raise TypeError(f"`f` should be a callable. Received: f={f}")
    flat = [convert_to_tensor(x) for x in tree.flatten(elems)]
    if len({x.shape[axis] for x in flat}) > 1:
        raise ValueError(
            f"Array inputs to associative_scan must have the same first dimension. (saw: {[tuple(x.shape) for x in flat]})"
        )
    if reverse:
        flat = [tf.reverse(x, [axis % len(x.shape)]) for x in flat]

    def part(x: Any, start: int, stop: int | None, step: int = 1) -> Any:
        return x[(builtins.slice(None),) * (axis % len(x.shape)) + (builtins.slice(start, stop, step),)]

    def combine(a: list, b: list) -> list:
        return tree.flatten(f(tree.pack_sequence_as(elems, a), tree.pack_sequence_as(elems, b)))

    def interleave(a: Any, b: Any) -> Any:
        k, n = axis % len(a.shape), b.shape[axis]
        both = tf.stack([part(a, 0, n), b], axis=k + 1)
        shape = list(both.shape)
        both = tf.reshape(both, [*shape[:k], 2 * n, *shape[k + 2 :]])
        return tf.concat([both, part(a, n, None)], axis=k) if a.shape[axis] > n else both

    def run(xs: list) -> list:
        n = xs[0].shape[axis]
        if n < 2:
            return xs
        pairs = combine([part(x, 0, n - 1, 2) for x in xs], [part(x, 1, None, 2) for x in xs])
        odd = run(pairs)
        if n == 2:
            even_rest: list = []
        else:
            before = [part(o, 0, (n - 1) // 2) for o in odd]
            even_rest = combine(before, [part(x, 2, None, 2) for x in xs])
        firsts = [part(x, 0, 1) for x in xs]
        even = [tf.concat([a, b], axis=axis) for a, b in zip(firsts, even_rest, strict=True)] if even_rest else firsts
        return [interleave(e, o) for e, o in zip(even, odd, strict=True)]

    out = run(flat)
    if reverse:
        out = [tf.reverse(x, [axis % len(x.shape)]) for x in out]
    return tree.pack_sequence_as(elems, out)


def while_loop(cond: Callable, body: Callable, loop_vars: Any, maximum_iterations: int | None = None) -> Any:
    """Repeat ``body`` while ``cond`` holds."""
    is_tuple = isinstance(loop_vars, tuple | list)
    state = tuple(loop_vars) if is_tuple else (loop_vars,)
    state = tree.map_structure(convert_to_tensor, state)

    def step(*args: Any) -> tuple:
        out = body(*args)
        out = tuple(out) if isinstance(out, list | tuple) and is_tuple else (out,)
        return tree.map_structure(lambda new, old: convert_to_tensor(new, old.dtype.name), out, state)

    def test(*args: Any) -> Any:
        return tf.cast(convert_to_tensor(cond(*args)), "bool")

    out = tf.while_loop(test, step, state, maximum_iterations=maximum_iterations)
    return tuple(out) if is_tuple else out[0]


def fori_loop(lower: Any, upper: Any, body_fun: Callable, init_val: Any) -> Any:
    """``body_fun(i, value)`` for each i in turn."""
    if tf.executing_eagerly():  # a Python int goes with numbers of any dtype
        value = tree.map_structure(convert_to_tensor, init_val)
        for i in builtins.range(int(lower), int(upper)):
            value = body_fun(i, value)
        return value
    if tf.executing_eagerly():
        value = init_val
        for i in builtins.range(int(lower), int(upper)):
            value = body_fun(i, value)
        return tree.map_structure(convert_to_tensor, value)
    form = init_val
    start = convert_to_tensor(lower)

    def step(i: Any, *values: Any) -> tuple:
        return (i + 1, *tree.flatten(body_fun(i, tree.pack_sequence_as(form, list(values)))))

    done = tf.while_loop(
        lambda i, *_: i < tf.cast(upper, i.dtype),
        step,
        (start, *[convert_to_tensor(v) for v in tree.flatten(init_val)]),
    )
    return tree.pack_sequence_as(form, list(done[1:]))


def switch(index: Any, branches: Any, *operands: Any) -> Any:
    """The ``index``-th branch, the index clipped into range, on the operands."""
    index = tf.clip_by_value(convert_to_tensor(index, "int32"), 0, len(branches) - 1)
    return tf.switch_case(index, [lambda b=b: b(*operands) for b in branches])


# -- parts ----------------------------------------------------------------------------------------------------------------


def scatter(indices: Any, values: Any, shape: Any) -> Any:
    """Zeros of ``shape`` with ``values`` added at ``indices``."""
    return tf.scatter_nd(convert_to_tensor(indices), convert_to_tensor(values), shape)


_SCATTER = {
    None: tf.tensor_scatter_nd_update,
    "add": tf.tensor_scatter_nd_add,
    "max": tf.tensor_scatter_nd_max,
    "min": tf.tensor_scatter_nd_min,
}


def scatter_update(inputs: Any, indices: Any, updates: Any, reduction: str | None = None) -> Any:
    """``inputs`` with ``updates`` written, or combined, at ``indices``."""
    inputs, indices = convert_to_tensor(inputs), convert_to_tensor(indices)
    updates = convert_to_tensor(updates, inputs.dtype.name)
    if reduction == "mul":
        for i in builtins.range(indices.shape[0]):  # repeated indices multiply one after another
            at = indices[i : i + 1]
            inputs = tf.tensor_scatter_nd_update(inputs, at, tf.gather_nd(inputs, at) * updates[i : i + 1])
        return inputs
    if reduction not in _SCATTER:
        raise ValueError(f"Unsupported reduction: {reduction}")
    return _SCATTER[reduction](inputs, indices, updates)


def slice(inputs: Any, start_indices: Any, shape: Any) -> Any:
    """The part of ``inputs`` of ``shape`` that begins at ``start_indices``; -1 takes what remains."""
    if len(start_indices) != len(shape):
        raise ValueError(
            f"Length of `start_indices` must match length of `shape`. Received: start_indices={start_indices}, shape={shape}"
        )
    return tf.slice(convert_to_tensor(inputs), start_indices, shape)


def slice_update(inputs: Any, start_indices: Any, updates: Any) -> Any:
    """``inputs`` with the part that begins at ``start_indices`` replaced."""
    inputs = convert_to_tensor(inputs)
    updates = convert_to_tensor(updates, inputs.dtype.name)
    if 0 in updates.shape:
        return inputs
    rank = len(inputs.shape)
    here: Any = None
    for k, (start, n, m) in enumerate(zip(_each(start_indices), inputs.shape, updates.shape, strict=True)):
        if n == m:
            continue
        # as in jax.lax.dynamic_update_slice, the part is moved to where it fits
        if isinstance(start, int | np.integer):
            at = np.arange(n) - min(max(int(start), 0), n - m)
            places = np.clip(at, 0, m - 1)
        else:
            at = tf.range(n) - tf.clip_by_value(convert_to_tensor(start, "int32"), 0, n - m)
            places = tf.clip_by_value(at, 0, m - 1)
        updates = tf.gather(updates, places, axis=k)
        inside = tf.reshape((at >= 0) & (at < m), [n if i == k else 1 for i in builtins.range(rank)])
        here = inside if here is None else here & inside
    return updates if here is None else tf.where(here, updates, inputs)


def _each(x: Any) -> list:
    return list(x) if isinstance(x, list | tuple) else tf.unstack(convert_to_tensor(x))


def unstack(x: Any, num: int | None = None, axis: int = 0) -> list:
    """The parts along an axis."""
    return tf.unstack(convert_to_tensor(x), num, axis)


# -- gradients ------------------------------------------------------------------------------------------------------------


def stop_gradient(variable: Any) -> Any:
    """The value, taken as a constant by differentiation."""
    return tf.stop_gradient(convert_to_tensor(variable))


def custom_gradient(fun: Callable) -> Callable:
    """``fun`` with the gradient that it returns beside its result."""
    wrapped = tf.custom_gradient(fun)

    def call(*args: Any, **kwargs: Any) -> Any:
        args, kwargs = tree.map_structure(lambda x: x.value if isinstance(x, KerasVariable) else x, (args, kwargs))
        return wrapped(*args, **kwargs)

    return call


def remat(f: Callable) -> Callable:
    """``f`` that keeps no residuals: the backward pass computes it again."""
    return tf.recompute_grad(f)


# -- surroundings ---------------------------------------------------------------------------------------------------------


def random_seed_dtype() -> str:
    """The dtype of seeds."""
    return "uint32"


@contextlib.contextmanager
def device_scope(device_name: str) -> Iterator[None]:
    """Nothing: everything runs on the CPU."""
    yield
