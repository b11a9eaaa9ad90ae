"""Sparse Jacobians and Hessians of functions: the pattern, its colouring, and one batch of derivatives for each colour.

The function is traced once for each form of its arguments, as by ``tf.function``. From the graph comes the pattern (``sparsity.py``), from the pattern the
colouring (``gradient/coloring.py``), and with it a program that computes the compressed matrix; later calls run that program alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..core.state import state
from ..core.tensor import Tensor, convert
from ..gradient.batching import BatchedTensor, new_level, unbatch
from ..gradient.coloring import Coloring, color_columns, pattern_of, star_color, symmetric
from ..gradient.forward import ForwardAccumulator
from ..gradient.functions import _chosen, _tensors, grad, like
from ..gradient.functions import hessian as dense_hessian
from ..gradient.functions import jacobian as dense_jacobian
from ..gradient.jacobian import _batched_gradients, _check_chunk
from ..gradient.tape import GradientTape, UnconnectedGradients
from ..ground import nest
from ..ground.errors import invalid
from ..primitives import structure as st
from .function import function
from .sparsity import jacobian_pattern, size_of


class _Plan(NamedTuple):
    """What is known for one form of the arguments."""

    pattern: Any  # CSR, of bools
    coloring: Coloring
    compress: Callable  # (x, other arguments, keyword arguments) -> the compressed matrix, a row for each colour


class _Sparse:
    """The trace of a function of one tensor and other arguments, and a plan for each form of them.

    Args:
        f: the function.
        argnum: which argument.
        order: 1 for the Jacobian, 2 for the Hessian.
        mode: "auto", "forward" or "reverse".
        sparsity: "auto" or a pattern.
        chunk_size: how many colours to carry at once.
    """

    def __init__(self, f: Callable, argnum: Any, order: int, mode: str, sparsity: Any, chunk_size: int | None) -> None:
        if not isinstance(argnum, int):
            raise invalid(f"A sparse matrix is for one argument, but argnums is {argnum!r}.")
        if isinstance(sparsity, str) and sparsity != "auto":
            raise invalid(f"sparsity must be 'auto', a SciPy sparse matrix or an array, but is {sparsity!r}.")
        _check_chunk(chunk_size)
        self.argnum, self.order, self.mode, self.sparsity, self.chunk_size = argnum, order, mode, sparsity, chunk_size
        self.plans: dict[Any, _Plan] = {}
        first = grad(f, argnum) if order == 2 else f

        def of(x: Any, rest: tuple, named: dict) -> Any:
            at = argnum % (len(rest) + 1)
            y = first(*rest[:at], x, *rest[at:], **named)
            if order == 1 and nest.is_nested(y):
                raise invalid(
                    f"A sparse Jacobian is for a function with one tensor for a result, but it returned {type(y).__name__}."
                )
            y = convert(y)
            if not y._d.is_inexact or y._d.is_complex:
                raise invalid(f"A sparse Jacobian is for a floating result, but it is {y._d.name}.")
            return y

        self.of = of
        self.traced = function(of)

    def arguments(self, args: tuple, kwargs: dict) -> tuple[Tensor, tuple, dict]:
        """The argument as a tensor, and the others."""
        if state.trace is not None:
            raise TypeError(
                "A sparse Jacobian is a SciPy matrix, which cannot be made while a function is traced: call it outside, or use a dense one."
            )
        (n,), _ = _chosen(self.argnum, args)
        if nest.is_nested(args[n]) and not isinstance(args[n], list | tuple):
            raise invalid(
                f"A sparse matrix is for an argument that is one tensor, but it is a {type(args[n]).__name__}."
            )
        x = _tensors(convert(args[n]), f"Argument {n}")
        if x._d.is_complex:
            raise invalid(f"Argument {n} must be floating for a sparse matrix, but is {x._d.name}.")
        return x, (*args[:n], *args[n + 1 :]), kwargs

    def pattern(self, x: Tensor, rest: tuple, named: dict) -> tuple[Any, Any]:
        """The trace for arguments of this form, and its pattern."""
        concrete = self.traced.get_concrete_function(x, rest, named)
        graph = concrete.program.graph
        m, n = size_of(graph.outputs[0]), math.prod(x._shape)
        if isinstance(self.sparsity, str):
            p = jacobian_pattern(graph, 0)
        else:
            p = pattern_of(self.sparsity, (m, n))
        return concrete, symmetric(p) if self.order == 2 else p

    def plan(self, x: Tensor, rest: tuple, named: dict) -> _Plan:
        """The plan for arguments of this form."""
        key = self.traced._key((x, rest, named), {})
        found = self.plans.get(key)
        if found is None:
            _, p = self.pattern(x, rest, named)
            if self.order == 2:
                coloring, transposed = star_color(p), False
            else:
                coloring, transposed = _best(p, self.mode)
            seeds = coloring.seeds(x._d.np)
            compress = function(self._backward(seeds) if transposed else self._forward(seeds))
            found = self.plans[key] = _Plan(p, coloring, compress)
        return found

    def _forward(self, seeds: np.ndarray) -> Callable:
        """Derivatives along the sums of columns of one colour, by forward mode."""

        def compressed(x: Tensor, rest: tuple, named: dict) -> Tensor:
            parts = []
            for rows in self._chunks(seeds):
                with new_level() as level:
                    t = BatchedTensor(Tensor(rows.reshape((len(rows), *x._shape)), x._d), level)
                    with ForwardAccumulator(x, t) as acc:
                        y = self.of(x, rest, named)
                    parts.append(unbatch(acc.jvp(y, UnconnectedGradients.ZERO), len(rows), level))
            return _joined(parts)

        return compressed

    def _backward(self, seeds: np.ndarray) -> Callable:
        """Gradients of the sums of rows of one colour, by reverse mode."""

        def compressed(x: Tensor, rest: tuple, named: dict) -> Tensor:
            with GradientTape(persistent=True) as tape:
                tape.watch(x)
                y = self.of(x, rest, named)
            parts = []
            for rows in self._chunks(seeds):
                g = Tensor(rows.reshape((len(rows), *y._shape)).astype(y._d.np), y._d)
                (d,) = _batched_gradients(tape, y, [tape._keys_of(x)], g)
                parts.append(convert(np.zeros((len(rows), *x._shape), x._d.np)) if d is None else d)
            return _joined(parts)

        return compressed

    def _chunks(self, seeds: np.ndarray) -> list[np.ndarray]:
        step = self.chunk_size or max(1, len(seeds))
        return [seeds[i : i + step] for i in range(0, max(1, len(seeds)), step)]

    def matrix(self, x: Tensor, rest: tuple, named: dict) -> Any:
        """The sparse matrix, in CSR format."""
        import scipy.sparse as sp

        plans = len(self.plans)
        p, c, compress = self.plan(x, rest, named)
        if p.nnz:
            found = compress(x, rest, named)._a.reshape(c.number, -1)
            matrix = sp.csr_array((found[c.columns, c.rows], p.indices.copy(), p.indptr.copy()), p.shape)
        else:
            matrix = sp.csr_array(p.shape, dtype=x._d.np)
        if len(self.plans) > plans and not isinstance(self.sparsity, str):
            self._probe(matrix, x, rest, named)
        return matrix

    def _probe(self, matrix: Any, x: Tensor, rest: tuple, named: dict) -> None:
        """A pattern that somebody gave, on its first use: the matrix times a vector must be what forward mode says.

        Raises:
            InvalidArgumentError: it is not, so the pattern is too small.
        """
        v = np.random.default_rng(0).uniform(0.5, 1.5, x._shape).astype(x._d.np)
        with ForwardAccumulator(x, Tensor(v[()], x._d)) as acc:
            y = self.of(x, rest, named)
        want = np.ravel(acc.jvp(y, UnconnectedGradients.ZERO)._a).astype(np.float64)
        v = np.ravel(v).astype(np.float64)
        allowed = np.finfo(np.float32 if x._d.size <= 4 else np.float64).eps ** 0.5 * (
            abs(matrix) @ np.abs(v) + np.abs(want)
        )
        off = np.flatnonzero(np.abs(matrix @ v - want) > allowed)
        if off.size and x._d.size > 2:
            what = "Hessian" if self.order == 2 else "Jacobian"
            raise invalid(
                f"The sparsity pattern is too small: the {what} has elements outside it, in or beside row {off[0]} among others. "
                "Give all elements that can be other than zero, or sparsity='auto'."
            )


def _joined(parts: list[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else st.concat(*parts, axis=0)


def _best(p: Any, mode: str) -> tuple[Coloring, bool]:
    """The colouring with fewer colours, of the columns (forward mode) or of the rows (reverse), and whether it is that of the rows.

    No colouring has fewer colours than the fullest row, or column, has elements.
    """
    least = [int(np.bincount(k, minlength=1).max(initial=0)) for k in (p.tocoo().row, p.indices)]
    columns = rows = None
    if mode == "forward" or (mode == "auto" and least[0] <= least[1]):
        columns = color_columns(p)
        if mode == "forward" or columns.number <= least[1]:
            return columns, False
    rows = _color_rows(p)
    if mode == "reverse" or rows.number < least[0]:
        return rows, True
    columns = columns or color_columns(p)
    return (rows, True) if rows.number < columns.number else (columns, False)


def _color_rows(p: Any) -> Coloring:
    """The columns of the transpose coloured; the places in the order of ``p``."""
    import scipy.sparse as sp

    turned = p.T.tocsr()
    turned.sort_indices()
    c = color_columns(turned)
    order = sp.csr_array((np.arange(p.nnz), turned.indices, turned.indptr), turned.shape).T.tocsr()
    order.sort_indices()
    return c._replace(rows=c.rows[order.data], columns=c.columns[order.data])


def _sparse(f: Callable, made: _Sparse, has_aux: bool) -> Callable:
    if has_aux:
        raise invalid("has_aux is not supported together with sparsity.")

    def call(*args: Any, **kwargs: Any) -> Any:
        return made.matrix(*made.arguments(args, kwargs))

    return like(f, call)


# -- the public functions -------------------------------------------------------------------------------------------------


def jacobian(
    f: Callable,
    argnums: int | Sequence[int] = 0,
    mode: str = "auto",
    sparsity: Any = None,
    has_aux: bool = False,
    chunk_size: int | None = None,
) -> Callable:
    """A function that gives the Jacobian of ``f``, forward or in reverse by the number of inputs and outputs, dense or sparse.

    Args:
        f: a function of tensors.
        argnums: with respect to which arguments: a number, or a tuple of them.
        mode: "forward", "reverse", or "auto": forward where there are fewer inputs than outputs (which ``f`` is run once more to find out); of sparse ones, what
            takes fewer colours.
        sparsity: None for a dense Jacobian. "auto" finds out from the graph of ``f`` which elements can be other than zero, and computes only these; so does
            a pattern, a SciPy sparse matrix (or an array) that is not zero where the Jacobian may be. ``f`` must have one tensor for an argument and one for
            a result, whose elements the columns and rows stand for, and is traced as by ``tf.function``.
        has_aux: ``f`` returns (value, anything), and the new function (Jacobian, anything); not for sparse ones.
        chunk_size: how many rows, columns or colours to carry at once, to bound memory; None means all.

    Returns:
        A function that gives what ``jacrev`` and ``jacfwd`` give; with ``sparsity`` a SciPy sparse array in CSR format, of shape
        (size of the result, size of the argument), which holds all elements of the pattern.

    Raises:
        ValueError: the mode is unknown.
        InvalidArgumentError: as for ``jacrev``; or the pattern does not have the Jacobian's shape, or cannot be found.
        TypeError: a sparse Jacobian is asked for while a ``tf.function`` is traced.

    Source: A. Gebremedhin, F. Manne, A. Pothen, "What color is your Jacobian?", SIAM Review 47 (2005).

    >>> import gradtape as tf
    >>> tf.autodiff.jacobian(tf.sin)(0.0).numpy()
    np.float32(1.0)
    >>> j = tf.autodiff.jacobian(lambda x: x[1:] * x[:-1], sparsity="auto")(tf.range(4.0))
    >>> j.nnz, j.toarray().tolist()
    (6, [[1.0, 0.0, 0.0, 0.0], [0.0, 2.0, 1.0, 0.0], [0.0, 0.0, 3.0, 2.0]])
    """
    if mode not in ("auto", "forward", "reverse"):
        raise ValueError(f"mode must be 'auto', 'forward' or 'reverse', but is {mode!r}.")
    if sparsity is None:
        return dense_jacobian(f, argnums, mode, has_aux, chunk_size)
    return _sparse(f, _Sparse(f, argnums, 1, mode, sparsity, chunk_size), has_aux)


def hessian(
    f: Callable,
    argnums: int | Sequence[int] = 0,
    sparsity: Any = None,
    has_aux: bool = False,
    chunk_size: int | None = None,
) -> Callable:
    """A function that gives the Hessian of ``f``, forward over reverse, dense or sparse.

    Args:
        f: a function with a scalar result.
        argnums: with respect to which arguments: a number, or a tuple of them, for which the Hessian is a tuple of tuples.
        sparsity: as for ``jacobian``: "auto" finds the pattern in the graph of the gradient. A pattern is made symmetric. Elements are found
            from a star colouring of it, so each is computed once.
        has_aux: ``f`` returns (value, anything), and the new function (Hessian, anything); not for sparse ones.
        chunk_size: how many columns or colours to carry at once, to bound memory; None means all.

    Returns:
        A function that gives, for each pair of arguments, a tensor of shape ``first.shape + second.shape``; with ``sparsity`` a SciPy sparse array.

    Raises:
        InvalidArgumentError, TypeError: as for ``grad`` and ``jacobian``.

    >>> import gradtape as tf
    >>> tf.autodiff.hessian(lambda x: tf.reduce_sum(x ** 3))(tf.constant([1.0, 2.0])).numpy().tolist()
    [[6.0, 0.0], [0.0, 12.0]]
    >>> h = tf.autodiff.hessian(lambda x: tf.reduce_sum(x ** 3), sparsity="auto")(tf.ones(1000))
    >>> h.shape, h.nnz
    ((1000, 1000), 1000)
    """
    if sparsity is None:
        return dense_hessian(f, argnums, has_aux, chunk_size)
    return _sparse(f, _Sparse(f, argnums, 2, "forward", sparsity, chunk_size), has_aux)


def sparsity_pattern(f: Callable, argnums: int = 0, order: int = 1) -> Callable:
    """A function that gives the pattern of the Jacobian of ``f``, or of its Hessian: which elements can be other than zero, whatever the argument's values.

    Args:
        f: a function of tensors; for order 2 one with a scalar result.
        argnums: the number of the argument.
        order: 1 for the Jacobian, 2 for the Hessian.

    Returns:
        A function of the arguments of ``f`` that gives a SciPy sparse array of bools, of shape (size of the result, size of the argument). It holds every element
        that can be other than zero, and may hold others.

    Raises:
        InvalidArgumentError: when called: as for ``jacobian``.

    >>> import gradtape as tf
    >>> pattern = tf.autodiff.sparsity_pattern(lambda x: tf.reduce_sum(x[1:] * x[:-1]), order=2)
    >>> pattern(tf.ones(3)).toarray().astype(int).tolist()
    [[0, 1, 0], [1, 0, 1], [0, 1, 0]]
    """
    if order not in (1, 2):
        raise invalid(f"order must be 1 or 2, but is {order!r}.")
    made = _Sparse(f, argnums, order, "auto", "auto", None)

    def call(*args: Any, **kwargs: Any) -> Any:
        return made.pattern(*made.arguments(args, kwargs))[1]

    return like(f, call)
