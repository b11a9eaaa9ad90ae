"""Derivatives of functions as functions: jvp, vjp, linearize, grad, jacobians, hessian, hvp, vmap.

They are made of the tape and the accumulator and of nothing else, so they nest with these, with each other and with ``tf.function``.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

from ..core.tensor import Tensor, convert
from ..core.variable import Variable
from ..ground import nest
from ..ground.errors import invalid
from ..primitives import structure as st
from ..primitives.indexing import IndexedSlices
from .batching import BatchedTensor, new_level, unbatch
from .forward import ForwardAccumulator
from .jacobian import _unit_cotangents
from .tape import GradientTape, UnconnectedGradients

ZERO = UnconnectedGradients.ZERO


def _tensors(x: Any) -> Any:
    """A nest of tensors of a nest of what converts to them: each its own object, so that no argument is taken for another."""
    return nest.map_structure(lambda v: st.identity(convert(v)) if not isinstance(v, Variable) else v, x)


def _dense(x: Any) -> Any:
    return nest.map_structure(lambda v: v.to_dense() if isinstance(v, IndexedSlices) else v, x)


def _chosen(argnums: int | Sequence[int], args: tuple) -> tuple[tuple[int, ...], bool]:
    single = isinstance(argnums, int)
    numbers = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    for n in numbers:
        if not -len(args) <= n < len(args):
            raise invalid(f"argnums names argument {n}, but the function was given {len(args)}.")
    return tuple([n % len(args) for n in numbers]), single


def _with(f: Callable, args: tuple, kwargs: dict, numbers: tuple[int, ...]) -> Callable:
    """``f`` as a function of the arguments ``numbers`` alone."""

    def of(*chosen: Any) -> Any:
        full = list(args)
        for n, x in zip(numbers, chosen, strict=True):
            full[n] = x
        return f(*full, **kwargs)

    return of


def _scalar(y: Any, what: str) -> Tensor:
    t = convert(y)
    if t._shape != ():
        raise invalid(
            f"{what} is defined for functions with a scalar result, but this one gave shape {list(t._shape)}: use jacrev, or reduce it."
        )
    return t


def jvp(f: Callable, primals: Sequence, tangents: Sequence) -> tuple:
    """The value of ``f`` and its Jacobian times a vector, by forward mode.

    Args:
        f: a function of tensors.
        primals: a list of its arguments.
        tangents: a list of tensors of the same forms.

    Returns:
        ``(f(*primals), tangents of it)``; the tangents of what does not depend on ``primals`` are zeros.

    >>> import gradtape as tf
    >>> y, t = tf.autodiff.jvp(lambda x: x * x, [tf.constant(3.0)], [tf.constant(1.0)])
    >>> y.numpy(), t.numpy()
    (np.float32(9.0), np.float32(6.0))
    """
    xs, ts = _paired(primals, tangents)
    with ForwardAccumulator(xs, ts) as acc:
        y = f(*xs)
    return y, acc.jvp(nest.map_structure(convert, y), ZERO)


def _paired(primals: Any, tangents: Any) -> tuple[tuple, tuple]:
    if not isinstance(primals, list | tuple) or not isinstance(tangents, list | tuple):
        raise TypeError("primals and tangents must be lists, one element for each argument.")
    if len(primals) != len(tangents):
        raise invalid(
            f"There must be a tangent for each primal, but there are {len(primals)} primals and {len(tangents)} tangents."
        )
    xs = tuple([_tensors(x) for x in primals])
    pairs = zip(nest.flatten(list(xs)), nest.flatten(list(tangents)), strict=True)
    flat = [convert(t, None, x.dtype) for x, t in pairs]
    return xs, tuple(nest.pack_sequence_as(list(xs), flat))


def vjp(f: Callable, *primals: Any) -> tuple[Any, Callable]:
    """The value of ``f`` and a function that multiplies a vector with its Jacobian, by reverse mode.

    Args:
        f: a function of tensors.
        *primals: its arguments.

    Returns:
        ``(f(*primals), pullback)``; ``pullback(cotangent)`` gives a tuple with the cotangent of each argument, as often as it is called.

    >>> import gradtape as tf
    >>> y, pullback = tf.autodiff.vjp(lambda x, y: x * y, 3.0, 4.0)
    >>> [g.numpy() for g in pullback(1.0)]
    [np.float32(4.0), np.float32(3.0)]
    """
    xs = tuple([_tensors(x) for x in primals])
    with GradientTape(persistent=True) as tape:
        tape.watch(xs)
        y = f(*xs)

    def pullback(cotangent: Any) -> tuple:
        given = nest.flatten(cotangent)
        ys = [convert(v) for v in nest.flatten(y)]
        return tuple(_dense(tape.gradient(ys, list(xs), output_gradients=given, unconnected_gradients=ZERO)))

    return y, pullback


def linearize(f: Callable, *primals: Any) -> tuple[Any, Callable]:
    """The value of ``f`` and its derivative there as a linear function of tangents.

    ``f`` runs once; the linear function is the transpose of its recorded pullback.

    >>> import gradtape as tf
    >>> y, derivative = tf.autodiff.linearize(tf.sin, 0.0)
    >>> derivative(2.0).numpy()
    np.float32(2.0)
    """
    y, pullback = vjp(f, *primals)
    ys = [convert(v) for v in nest.flatten(y)]
    with GradientTape(persistent=True) as tape:
        zeros = [st.zeros_like(v) for v in ys]
        tape.watch(zeros)
        ds = nest.flatten(list(pullback(zeros)))

    def derivative(*tangents: Any) -> Any:
        flat = nest.flatten(list(tangents))
        if len(flat) != len(ds):
            raise invalid(f"The function has {len(ds)} arguments, but {len(flat)} tangents were given.")
        ts = [convert(t, None, d._d) for t, d in zip(flat, ds, strict=True)]
        out = tape.gradient(ds, zeros, output_gradients=ts, unconnected_gradients=ZERO)
        return nest.pack_sequence_as(y, out) if nest.is_nested(y) else out[0]

    return y, derivative


def value_and_grad(f: Callable, argnums: int | Sequence[int] = 0, has_aux: bool = False) -> Callable:
    """A function that gives the value of ``f`` and its gradient.

    Args:
        f: a function with a scalar result; with ``has_aux`` a pair of that and anything else.
        argnums: with respect to which arguments: a number, or a tuple of them, for which the gradient is a tuple.
        has_aux: the result is (value, anything).

    >>> import gradtape as tf
    >>> [x.numpy() for x in tf.autodiff.value_and_grad(lambda x: x * x)(3.0)]
    [np.float32(9.0), np.float32(6.0)]
    """

    @functools.wraps(f)
    def call(*args: Any, **kwargs: Any) -> tuple:
        numbers, single = _chosen(argnums, args)
        xs = [_tensors(args[n]) for n in numbers]
        with GradientTape() as tape:
            tape.watch(xs)
            out = _with(f, args, kwargs, numbers)(*xs)
        value, aux = out if has_aux else (out, None)
        y = _scalar(value, "grad")
        gs = _dense(tape.gradient(y, xs, unconnected_gradients=ZERO))
        result = gs[0] if single else tuple(gs)
        return ((value, aux), result) if has_aux else (value, result)

    return call


def grad(f: Callable, argnums: int | Sequence[int] = 0, has_aux: bool = False) -> Callable:
    """A function that gives the gradient of ``f``; arguments as for ``value_and_grad``.

    >>> import gradtape as tf
    >>> tf.autodiff.grad(tf.autodiff.grad(lambda x: x ** 3))(2.0).numpy()
    np.float32(12.0)
    """
    both = value_and_grad(f, argnums, has_aux)

    @functools.wraps(f)
    def call(*args: Any, **kwargs: Any) -> Any:
        value, g = both(*args, **kwargs)
        return (g, value[1]) if has_aux else g

    return call


def _assemble(columns: list, y: Any, x: Any) -> Any:
    """Jacobian of nest ``y`` by nest ``x`` from rows of flat pieces."""
    outs = [nest.pack_sequence_as(x, row) if nest.is_nested(x) else row[0] for row in columns]
    return nest.pack_sequence_as(y, outs) if nest.is_nested(y) else outs[0]


def jacrev(f: Callable, argnums: int | Sequence[int] = 0) -> Callable:
    """A function that gives the Jacobian of ``f`` by reverse mode: one batched backward pass over all outputs. Best where there are few of them.

    Args:
        f: a function of tensors.
        argnums: with respect to which arguments.

    Returns:
        A function that gives, for each output and argument, a tensor of shape ``output.shape + argument.shape``.

    >>> import gradtape as tf
    >>> tf.autodiff.jacrev(lambda x: x * x)(tf.constant([1.0, 2.0])).numpy().tolist()
    [[2.0, 0.0], [0.0, 4.0]]
    """

    @functools.wraps(f)
    def call(*args: Any, **kwargs: Any) -> Any:
        numbers, single = _chosen(argnums, args)
        xs = [_tensors(args[n]) for n in numbers]
        with GradientTape(persistent=True) as tape:
            tape.watch(xs)
            y = _with(f, args, kwargs, numbers)(*xs)
        rows = [nest.flatten(tape.jacobian(convert(v), xs, unconnected_gradients=ZERO)) for v in nest.flatten(y)]
        return _assemble(rows, y, xs[0] if single else xs) if single else _assemble(rows, y, xs)

    return call


def jacfwd(f: Callable, argnums: int | Sequence[int] = 0) -> Callable:
    """A function that gives the Jacobian of ``f`` by forward mode: one run with a batch of tangents. Best where there are few inputs.

    Arguments and result as for ``jacrev``.

    >>> import gradtape as tf
    >>> tf.autodiff.jacfwd(lambda x: tf.stack([x, x * x]))(3.0).numpy().tolist()
    [1.0, 6.0]
    """

    @functools.wraps(f)
    def call(*args: Any, **kwargs: Any) -> Any:
        numbers, single = _chosen(argnums, args)
        xs = [_tensors(args[n]) for n in numbers]
        inner = _with(f, args, kwargs, numbers)
        flat = nest.flatten(xs)
        pieces: list[list] = []
        y: Any = None
        for k, x in enumerate(flat):
            v = x._value() if isinstance(x, Variable) else x
            n = math.prod(v._shape)
            with new_level() as level:
                t = BatchedTensor(_unit_cotangents(v, 0, n), level)
                with ForwardAccumulator(x, t) as acc:
                    y = inner(*xs)
                ys = [convert(o) for o in nest.flatten(y)]
                columns = [unbatch(d, n, level) for d in acc.jvp(ys, ZERO)]
            pieces.append([_last(c, o, v) for c, o in zip(columns, ys, strict=True)])
        rows = [list(row) for row in zip(*pieces, strict=True)]
        return _assemble(rows, y, xs[0] if single else xs)

    return call


def _last(columns: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """(inputs, *output) as (*output, *input)."""
    rank = len(y._shape)
    moved = st.transpose(columns, perm=(*range(1, rank + 1), 0)) if rank else columns
    return st.reshape(moved, shape=y._shape + x._shape)


def jacobian(f: Callable, argnums: int | Sequence[int] = 0, mode: str = "auto") -> Callable:
    """A function that gives the Jacobian of ``f``, forward or in reverse by the number of inputs and outputs.

    Args:
        f: a function of tensors.
        argnums: with respect to which arguments.
        mode: "forward", "reverse" or "auto".

    >>> import gradtape as tf
    >>> tf.autodiff.jacobian(tf.sin)(0.0).numpy()
    np.float32(1.0)
    """
    if mode not in ("auto", "forward", "reverse"):
        raise ValueError(f"mode must be 'auto', 'forward' or 'reverse', but is {mode!r}.")
    if mode != "auto":
        return (jacfwd if mode == "forward" else jacrev)(f, argnums)

    @functools.wraps(f)
    def call(*args: Any, **kwargs: Any) -> Any:
        numbers, _ = _chosen(argnums, args)
        inputs = sum([math.prod(convert(x)._shape) for n in numbers for x in nest.flatten(args[n])])
        sizes: list[int] = []

        def measured(*a: Any, **k: Any) -> Any:
            y = f(*a, **k)
            sizes.append(sum([math.prod(convert(v)._shape) for v in nest.flatten(y)]))
            return y

        measured(*[nest.map_structure(convert, a) if n in numbers else a for n, a in enumerate(args)], **kwargs)
        return (jacfwd if inputs < sizes[0] else jacrev)(f, argnums)(*args, **kwargs)

    return call


def hessian(f: Callable, argnums: int | Sequence[int] = 0) -> Callable:
    """A function that gives the Hessian of ``f``, forward over reverse.

    >>> import gradtape as tf
    >>> tf.autodiff.hessian(lambda x: tf.reduce_sum(x ** 3))(tf.constant([1.0, 2.0])).numpy().tolist()
    [[6.0, 0.0], [0.0, 12.0]]
    """
    return jacfwd(grad(f, argnums), argnums)


def hvp(f: Callable, primals: Sequence, tangents: Sequence) -> Any:
    """The Hessian of ``f`` times a vector, forward over reverse: a few gradients' work, whatever the number of inputs.

    Args:
        f: a function with a scalar result.
        primals: a list of its arguments.
        tangents: a list of tensors of the same forms.

    Returns:
        For one argument its product, for several a tuple.

    >>> import gradtape as tf
    >>> tf.autodiff.hvp(lambda x: tf.reduce_sum(x ** 3), [tf.constant([1.0, 2.0])], [tf.constant([1.0, 0.0])]).numpy().tolist()
    [6.0, 0.0]
    """
    numbers = tuple(range(len(primals)))
    _, product = jvp(lambda *xs: grad(f, numbers)(*xs), primals, tangents)
    return product[0] if len(product) == 1 else tuple(product)


def vmap(f: Callable, in_axes: Any = 0, out_axes: int = 0) -> Callable:
    """``f`` over a batch: one run of the operations' batch rules serves all members.

    Args:
        f: a function of tensors, without Python control flow over their values.
        in_axes: the batch's axis in each argument: a number for all, or a list with one for each, None where an argument serves all members.
        out_axes: the batch's axis in the results.

    Raises:
        InvalidArgumentError: the arguments' batches differ, or there is none.

    >>> import gradtape as tf
    >>> tf.autodiff.vmap(lambda a, b: tf.tensordot(a, b, 1), in_axes=(0, None))(tf.eye(2), tf.constant([3.0, 4.0])).numpy().tolist()
    [3.0, 4.0]
    """

    @functools.wraps(f)
    def call(*args: Any) -> Any:
        axes = list(in_axes) if isinstance(in_axes, list | tuple) else [in_axes] * len(args)
        if len(axes) != len(args):
            raise invalid(f"in_axes has {len(axes)} entries for {len(args)} arguments.")
        sizes: set[int] = set()
        moved = [
            a if k is None else nest.map_structure(lambda x, k=k: _to_front(convert(x), k, sizes), a)
            for a, k in zip(args, axes, strict=True)
        ]
        if len(sizes) != 1:
            raise invalid(f"vmap needs arguments with one batch size, but found {sorted(sizes) or 'no batch'}.")
        (n,) = sizes
        with new_level() as level:
            inner = [
                a if k is None else nest.map_structure(lambda x: BatchedTensor(x, level), a)
                for a, k in zip(moved, axes, strict=True)
            ]
            out = nest.map_structure(lambda o: unbatch(convert(o), n, level), f(*inner))
        return nest.map_structure(lambda o: _from_front(o, out_axes), out)

    return call


def _to_front(x: Tensor, axis: int, sizes: set[int]) -> Tensor:
    rank = len(x._shape)
    if not -rank <= axis < rank:
        raise invalid(f"in_axes names axis {axis} of a tensor of rank {rank}.")
    axis %= rank
    sizes.add(x._shape[axis])
    return x if axis == 0 else st.transpose(x, perm=(axis, *[i for i in range(rank) if i != axis]))


def _from_front(x: Tensor, axis: int) -> Tensor:
    rank = len(x._shape)
    axis %= rank
    return x if axis == 0 else st.transpose(x, perm=(*range(1, axis + 1), 0, *range(axis + 1, rank)))
