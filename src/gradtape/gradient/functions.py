"""Derivatives of functions as functions: jvp, vjp, linearize, grad, value_and_grad, jacfwd, jacrev, jacobian, hessian, hvp.

They are made of the tape and the accumulator and of nothing else, so they nest with these, with each other, with ``vmap`` and with ``tf.function``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.tensor import Tensor, convert
from ..core.variable import Variable, variable_of
from ..ground import nest
from ..ground.errors import invalid
from ..primitives import structure as st
from ..primitives.indexing import IndexedSlices
from .batching import BatchedTensor, new_level, unbatch
from .forward import ForwardAccumulator
from .jacobian import _check_chunk
from .tape import GradientTape, UnconnectedGradients

ZERO = UnconnectedGradients.ZERO

# -- arguments ------------------------------------------------------------------------------------------------------------


def like(f: Callable, call: Callable) -> Callable:
    """``call`` with the name and docstring of ``f``. Not with its signature: ``tf.function`` would then pass defaults as arguments, which argnums and in_axes count."""
    call.__name__ = call.__qualname__ = getattr(f, "__name__", type(f).__name__)
    call.__doc__ = getattr(f, "__doc__", None)
    return call


def _tensors(x: Any, what: str) -> Any:
    """A nest of tensors of a nest of what converts to them: each its own object, so that no argument is taken for another."""

    def of(v: Any) -> Any:
        v = variable_of(v)
        t = v if isinstance(v, Variable) else convert(v)
        if not t.dtype.is_inexact:
            raise invalid(
                f"{what} must be floating or complex to be differentiated, but is {t.dtype.name}: write 1.0 for 1, cast it, "
                f"or name by argnums the arguments to differentiate."
            )
        return t if isinstance(t, Variable) else st.identity(t)

    return nest.map_structure(of, x)


def _dense(x: Any) -> Any:
    return nest.map_structure(lambda v: v.to_dense() if isinstance(v, IndexedSlices) else v, x)


def _chosen(argnums: int | Sequence[int], args: tuple) -> tuple[tuple[int, ...], bool]:
    """The numbers of the arguments to differentiate, and whether it is a single one."""
    single = isinstance(argnums, int)
    numbers: tuple = (argnums,) if single else tuple(argnums)  # type: ignore[arg-type]
    for n in numbers:
        if not isinstance(n, int) or not -len(args) <= n < len(args):
            raise invalid(f"argnums names argument {n!r}, but the function was given {len(args)} by position.")
    numbers = tuple([n % len(args) for n in numbers])
    if len({*numbers}) < len(numbers):
        raise invalid(f"argnums names an argument twice: {argnums!r}.")
    return numbers, single


def _with(f: Callable, args: tuple, kwargs: dict, numbers: tuple[int, ...]) -> Callable:
    """``f`` as a function of the arguments ``numbers`` alone."""

    def of(*chosen: Any) -> Any:
        full = list(args)
        for n, x in zip(numbers, chosen, strict=True):
            full[n] = x
        return f(*full, **kwargs)

    return of


def _prepared(f: Callable, argnums: Any, args: tuple, kwargs: dict) -> tuple[Callable, tuple, bool]:
    """``f`` of the chosen arguments, these as tensors, and whether it is a single one."""
    numbers, single = _chosen(argnums, args)
    xs = tuple([_tensors(args[n], f"Argument {n}") for n in numbers])
    return _with(f, args, kwargs, numbers), xs, single


def _split(out: Any, has_aux: bool) -> tuple[Any, Any]:
    """(value, aux) of what a function returned."""
    if not has_aux:
        return out, None
    if not isinstance(out, tuple) or len(out) != 2:
        raise TypeError(
            f"With has_aux=True the function must return a pair (value, anything), but it returned {out!r}."
        )
    return out


def _scalar(y: Any) -> Tensor:
    if isinstance(y, list | tuple) and len(y) > 1:
        raise invalid(
            f"The gradient is defined for functions with one number for a result, but this one returned {len(y)} values: with has_aux=True it may return "
            "(value, anything)."
        )
    if isinstance(y, np.ndarray | np.generic):
        raise invalid(
            f"The function returned a NumPy {type(y).__name__}: what NumPy computes from a tensor has no derivative. Use tf functions (tf.reduce_sum for np.sum), or "
            "differences: tf.numeric.gradient. A constant is tf.constant(...)."
        )
    t = convert(y)
    if t._shape != () or not t._d.is_inexact:
        raise invalid(
            f"The gradient is defined for functions with a floating scalar result, but this one gave {t._d.name}{list(t._shape)}: "
            f"reduce it, or use jacrev."
        )
    return t


def _like(v: Any, t: Tensor, what: str) -> Tensor:
    """``v`` as a tensor of the shape and dtype of ``t``.

    Raises:
        InvalidArgumentError: it has another.
    """
    c = convert(v, None, t._d)
    if c._d is not t._d or c._shape != t._shape:
        raise invalid(f"{what} must be {t._d.name}{list(t._shape)}, but is {c._d.name}{list(c._shape)}.")
    return c


def _paired(primals: Any, tangents: Any) -> tuple[tuple, tuple]:
    if not isinstance(primals, list | tuple) or not isinstance(tangents, list | tuple):
        raise TypeError("primals and tangents must be lists, with one element for each argument.")
    if len(primals) != len(tangents):
        raise invalid(
            f"There must be a tangent for each primal, but there are {len(primals)} primals and {len(tangents)} tangents."
        )
    xs = tuple([_tensors(x, f"Primal {n}") for n, x in enumerate(primals)])
    nest.assert_same_structure(list(xs), list(tangents), check_types=False)
    pairs = zip(nest.flatten(xs), nest.flatten(tangents), strict=True)
    return xs, tuple(nest.pack_sequence_as(list(xs), [convert(t, None, x.dtype) for x, t in pairs]))


# -- products with Jacobians ----------------------------------------------------------------------------------------------


def jvp(f: Callable, primals: Sequence, tangents: Sequence, has_aux: bool = False) -> tuple:
    """The value of ``f`` and its Jacobian times a vector, by forward mode.

    Args:
        f: a function of tensors.
        primals: a list of its arguments, each a tensor or a nest of them.
        tangents: a list of the same form.
        has_aux: ``f`` returns (value, anything).

    Returns:
        ``(f(*primals), tangents of it)``, and what else ``f`` returned. The tangents of what does not depend on ``primals`` are zeros.

    Raises:
        InvalidArgumentError: a primal is of integers, or the numbers of primals and tangents differ.
        ValueError: a tangent does not have its primal's form, shape and dtype.

    >>> import gradtape as tf
    >>> y, t = tf.autodiff.jvp(lambda x: x * x, [tf.constant(3.0)], [tf.constant(1.0)])
    >>> y.numpy(), t.numpy()
    (np.float32(9.0), np.float32(6.0))
    """
    xs, ts = _paired(primals, tangents)
    with ForwardAccumulator(xs, ts) as acc:
        y, aux = _split(f(*xs), has_aux)
    t = acc.jvp(nest.map_structure(convert, y), ZERO)
    return (y, t, aux) if has_aux else (y, t)


def vjp(f: Callable, *primals: Any, has_aux: bool = False) -> tuple:
    """The value of ``f`` and a function that multiplies a vector with its Jacobian, by reverse mode.

    Args:
        f: a function of tensors.
        *primals: its arguments, each a tensor or a nest of them.
        has_aux: ``f`` returns (value, anything).

    Returns:
        ``(f(*primals), pullback)``, and what else ``f`` returned; ``pullback(cotangent)`` gives a tuple with the cotangent of each argument, as
        often as it is called.

    Raises:
        InvalidArgumentError: a primal is of integers.

    >>> import gradtape as tf
    >>> y, pullback = tf.autodiff.vjp(lambda x, y: x * y, 3.0, 4.0)
    >>> [g.numpy() for g in pullback(1.0)]
    [np.float32(4.0), np.float32(3.0)]
    """
    xs = tuple([_tensors(x, f"Primal {n}") for n, x in enumerate(primals)])
    with GradientTape(persistent=True) as tape:
        tape.watch(xs)
        y, aux = _split(f(*xs), has_aux)
    ys = [convert(v) for v in nest.flatten(y)]

    def pullback(cotangent: Any) -> tuple:
        nest.assert_same_structure(y, cotangent, check_types=False)
        given = [_like(c, v, "The cotangent of a result") for c, v in zip(nest.flatten(cotangent), ys, strict=True)]
        return _dense(tape.gradient(ys, xs, output_gradients=given, unconnected_gradients=ZERO))

    return (y, pullback, aux) if has_aux else (y, pullback)


def linearize(f: Callable, *primals: Any) -> tuple[Any, Callable]:
    """The value of ``f`` and its derivative there as a linear function of tangents.

    ``f`` runs once, however often the derivative is applied: it is the transpose of the recorded pullback. Where it is applied once, ``jvp`` costs less.

    Args:
        f: a function of tensors.
        *primals: its arguments, each a tensor or a nest of them.

    Returns:
        ``(f(*primals), derivative)``; ``derivative(*tangents)`` gives a tangent of the result's form.

    Raises:
        InvalidArgumentError: a primal is of integers.

    >>> import gradtape as tf
    >>> y, derivative = tf.autodiff.linearize(tf.sin, 0.0)
    >>> derivative(2.0).numpy()
    np.float32(2.0)
    """
    y, pullback = vjp(f, *primals)
    ys = [convert(v) for v in nest.flatten(y)]
    with GradientTape(persistent=True) as tape:
        zeros = [st.zeros_like(v) for v in ys]
        tape.watch([z for z in zeros if z._d.is_inexact])
        back = pullback(nest.pack_sequence_as(y, zeros))
    ds = nest.flatten(back)

    def derivative(*tangents: Any) -> Any:
        nest.assert_same_structure(list(back), list(tangents), check_types=False)
        ts = [_like(t, d, "The tangent of an argument") for t, d in zip(nest.flatten(tangents), ds, strict=True)]
        out = _dense(tape.gradient(ds, zeros, output_gradients=ts, unconnected_gradients=ZERO))
        return nest.pack_sequence_as(y, out)

    return y, derivative


# -- gradients ------------------------------------------------------------------------------------------------------------


def value_and_grad(f: Callable, argnums: int | Sequence[int] = 0, has_aux: bool = False) -> Callable:
    """A function that gives the value of ``f`` and its gradient.

    Args:
        f: a function with a scalar result; with ``has_aux`` a pair of that and anything else.
        argnums: with respect to which arguments: a number, or a tuple of them, for which the gradient is a tuple.
        has_aux: the result is (value, anything).

    Returns:
        A function of the arguments of ``f`` that gives (value, gradient), with ``has_aux`` ((value, anything), gradient). Each gradient has the form of its
        argument; where the value does not depend on it, it is zeros.

    Raises:
        InvalidArgumentError: when called: the result is no floating scalar, an argument is of integers, or there is none with that number.

    >>> import gradtape as tf
    >>> [x.numpy() for x in tf.autodiff.value_and_grad(lambda x: x * x)(3.0)]
    [np.float32(9.0), np.float32(6.0)]
    """

    def call(*args: Any, **kwargs: Any) -> tuple:
        of, xs, single = _prepared(f, argnums, args, kwargs)
        with GradientTape() as tape:
            tape.watch(xs)
            value, aux = _split(of(*xs), has_aux)
        y = _scalar(value)
        gs = _dense(tape.gradient(y, xs, unconnected_gradients=ZERO))
        result = gs[0] if single else gs
        return ((value, aux), result) if has_aux else (value, result)

    return like(f, call)


def grad(f: Callable, argnums: int | Sequence[int] = 0, has_aux: bool = False) -> Callable:
    """A function that gives the gradient of ``f``, with ``has_aux`` (gradient, anything); arguments and errors as for ``value_and_grad``.

    >>> import gradtape as tf
    >>> tf.autodiff.grad(tf.autodiff.grad(lambda x: x ** 3))(2.0).numpy()
    np.float32(12.0)
    """
    both = value_and_grad(f, argnums, has_aux)

    def call(*args: Any, **kwargs: Any) -> Any:
        value, g = both(*args, **kwargs)
        return (g, value[1]) if has_aux else g

    return like(f, call)


def hvp(f: Callable, primals: Sequence, tangents: Sequence) -> Any:
    """The Hessian of ``f`` times a vector, forward over reverse: a few gradients' work, whatever the number of inputs.

    Args:
        f: a function with a scalar result.
        primals: a list of its arguments.
        tangents: a list of the same form.

    Returns:
        For one argument its product, for several a tuple.

    Raises:
        InvalidArgumentError: the result is no floating scalar, or as for ``jvp``.

    Source: B. Pearlmutter, "Fast exact multiplication by the Hessian", Neural Computation 6 (1994).

    >>> import gradtape as tf
    >>> tf.autodiff.hvp(lambda x: tf.reduce_sum(x ** 3), [tf.constant([1.0, 2.0])], [tf.constant([1.0, 0.0])]).numpy().tolist()
    [6.0, 0.0]
    """
    _, product = jvp(grad(f, tuple(range(len(primals)))), primals, tangents)
    return product[0] if len(product) == 1 else product


# -- Jacobians ------------------------------------------------------------------------------------------------------------


def _assemble(rows: list, y: Any, xs: tuple, single: bool) -> Any:
    """The Jacobian of nest ``y`` by ``xs`` from the flat pieces of each of its rows."""
    form = xs[0] if single else xs
    return nest.pack_sequence_as(y, [nest.pack_sequence_as(form, row) for row in rows])


def jacrev(
    f: Callable, argnums: int | Sequence[int] = 0, has_aux: bool = False, chunk_size: int | None = None
) -> Callable:
    """A function that gives the Jacobian of ``f`` by reverse mode: one run, and one backward pass over a batch of cotangents. Best where there are few outputs.

    Args:
        f: a function of tensors.
        argnums: with respect to which arguments: a number, or a tuple of them.
        has_aux: ``f`` returns (value, anything), and the new function (Jacobian, anything).
        chunk_size: how many rows to carry at once, to bound memory; None means all.

    Returns:
        A function that gives, for each output and argument, a tensor of shape ``output.shape + argument.shape``: a nest of the result's form, of nests of
        the arguments' form.

    Raises:
        InvalidArgumentError: when called: an argument is of integers, or there is none with that number.

    >>> import gradtape as tf
    >>> tf.autodiff.jacrev(lambda x: x * x)(tf.constant([1.0, 2.0])).numpy().tolist()
    [[2.0, 0.0], [0.0, 4.0]]
    """
    _check_chunk(chunk_size)

    def call(*args: Any, **kwargs: Any) -> Any:
        of, xs, single = _prepared(f, argnums, args, kwargs)
        with GradientTape(persistent=True) as tape:
            tape.watch(xs)
            y, aux = _split(of(*xs), has_aux)
        rows = [
            nest.flatten(tape.jacobian(convert(v), xs, unconnected_gradients=ZERO, chunk_size=chunk_size))
            for v in nest.flatten(y)
        ]
        j = _assemble(rows, y, xs, single)
        return (j, aux) if has_aux else j

    return like(f, call)


def jacfwd(
    f: Callable, argnums: int | Sequence[int] = 0, has_aux: bool = False, chunk_size: int | None = None
) -> Callable:
    """A function that gives the Jacobian of ``f`` by forward mode: one run with a batch of tangents. Best where there are few inputs.

    Arguments, result and errors as for ``jacrev``. With ``chunk_size``, ``f`` runs once for each chunk of columns.

    >>> import gradtape as tf
    >>> tf.autodiff.jacfwd(lambda x: tf.stack([x, x * x]))(3.0).numpy().tolist()
    [1.0, 6.0]
    """
    _check_chunk(chunk_size)

    def call(*args: Any, **kwargs: Any) -> Any:
        of, xs, single = _prepared(f, argnums, args, kwargs)
        flat = nest.flatten(xs)
        sizes = [math.prod(x._shape) for x in flat]
        n = sum(sizes)
        step = max(1, n if chunk_size is None else chunk_size)
        pieces: list[list[Tensor]] = []
        for start in range(0, max(n, 1), step):
            y, aux, columns = _columns(of, xs, flat, sizes, start, min(start + step, n), has_aux)
            pieces.append(columns)
        rows = []
        for o, parts in zip(nest.flatten(y), zip(*pieces, strict=True), strict=True):
            whole = parts[0] if len(parts) == 1 else st.concat(*parts, axis=0)
            rank = len(whole._shape) - 1
            whole = st.transpose(whole, perm=(*range(1, rank + 1), 0)) if rank else whole
            blocks = [whole] if len(flat) == 1 else st.split(whole, sizes=tuple(sizes), axis=rank)
            shape = convert(o)._shape
            rows.append([st.reshape(b, shape=shape + x._shape) for b, x in zip(blocks, flat, strict=True)])
        j = _assemble(rows, y, xs, single)
        return (j, aux) if has_aux else j

    return like(f, call)


def _columns(
    of: Callable, xs: tuple, flat: list, sizes: list[int], start: int, stop: int, has_aux: bool
) -> tuple[Any, Any, list[Tensor]]:
    """The result, what else was returned, and columns ``start`` to ``stop`` of the Jacobian: for each output a tensor with the columns in front."""
    n = stop - start
    with new_level() as level:
        moving, tangents = [], []
        at = -start  # of the first element of x among the columns
        for x, size in zip(flat, sizes, strict=True):
            first, last = max(at, 0), min(at + size, n)
            if first < last:
                rows = np.zeros((n, size), x.dtype.np)
                rows[np.arange(first, last), np.arange(first - at, last - at)] = 1
                moving.append(x)
                tangents.append(BatchedTensor(Tensor(rows.reshape((n, *x._shape)), x.dtype), level))
            at += size
        with ForwardAccumulator(moving, tangents) as acc:
            y, aux = _split(of(*xs), has_aux)
        ys = [convert(o) for o in nest.flatten(y)]
        return y, aux, [unbatch(d, n, level) for d in acc.jvp(ys, ZERO)]


def jacobian(
    f: Callable,
    argnums: int | Sequence[int] = 0,
    mode: str = "auto",
    has_aux: bool = False,
    chunk_size: int | None = None,
) -> Callable:
    """The dense ones of ``autodiff.jacobian``."""
    if mode not in ("auto", "forward", "reverse"):
        raise ValueError(f"mode must be 'auto', 'forward' or 'reverse', but is {mode!r}.")
    if mode != "auto":
        return (jacfwd if mode == "forward" else jacrev)(f, argnums, has_aux, chunk_size)

    def call(*args: Any, **kwargs: Any) -> Any:
        of, xs, _ = _prepared(f, argnums, args, kwargs)
        inputs = sum([math.prod(x._shape) for x in nest.flatten(xs)])
        y, _ = _split(of(*xs), has_aux)
        outputs = sum([math.prod(convert(v)._shape) for v in nest.flatten(y)])
        return (jacfwd if inputs < outputs else jacrev)(f, argnums, has_aux, chunk_size)(*args, **kwargs)

    return like(f, call)


def hessian(
    f: Callable, argnums: int | Sequence[int] = 0, has_aux: bool = False, chunk_size: int | None = None
) -> Callable:
    """The dense ones of ``autodiff.hessian``."""
    return jacfwd(grad(f, argnums, has_aux), argnums, has_aux, chunk_size)
