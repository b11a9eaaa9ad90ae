"""What operations on arrays are, written out element by element: matrices, softmax, running products, and whatever is linear.

Arrays of expressions are NumPy arrays of objects, whose elements may be plain numbers too. A row that only moves or adds elements runs its own
kernel on them. Of any other row that the table calls linear, or linear in each input, the coefficients are asked for: what it makes of
arrays with a single 1. The rest stands here as formulas, as textbooks have them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import combinations, product
from typing import Any

import numpy as np

from ..ground.graph import Node
from .expression import CLASSES, Const, Expression
from .making import apply, class_of_name, expression

MOST_COEFFICIENTS = 200_000
LARGEST_MATRIX = 8  # the determinant of n rows has 2ⁿ minors

AS_WRITTEN = (
    "sum",
    "mean",
    "prod",
    "max",
    "min",
    "all",
    "any",
    "cumsum",
    "cumprod",
    "matmul",
)  # rules that are not tidied
# by the row's name: arrays of expressions and its attributes in, one array (or a list) out
RULES: dict[str, Callable[..., Any]] = {}


class Refused(TypeError):
    """Why something cannot be written out."""


def is_number(x: Any) -> bool:
    """Whether an element is known."""
    return not isinstance(x, Expression) or x.__class__ is Const


def number(x: Any) -> Any:
    """An element that is known, as Python's number; whole floats are whole numbers, as one writes them."""
    v = x._value if isinstance(x, Const) else x.item() if isinstance(x, np.generic | np.ndarray) else x
    return int(v) if isinstance(v, float) and abs(v) < 1e15 and v == int(v) and (v or math.copysign(1, v) > 0) else v


def as_expression(x: Any) -> Expression:
    """An element as an expression."""
    return x if isinstance(x, Expression) else expression(number(x))


def each(f: Callable, *xs: Any) -> np.ndarray:
    """``f`` on the elements of arrays that broadcast, as expressions."""
    arrays = np.broadcast_arrays(*[np.asarray(x, object) for x in xs])
    out = np.empty(arrays[0].shape, object)
    for at in np.ndindex(*out.shape):
        out[at] = f(*[as_expression(a[at]) for a in arrays])
    return out


def each_row(name: str, *xs: Any) -> np.ndarray:
    """An elementwise row without attributes on the elements of arrays."""
    cls = class_of_name(name)
    return each(lambda *es: apply(cls, es, {}), *xs)


def objects(x: np.ndarray) -> np.ndarray:
    """Known numbers among expressions: whole ones as whole numbers."""
    if x.dtype == object:
        return x
    out = np.empty(x.shape, object)
    for at in np.ndindex(*x.shape):
        out[at] = number(x[at])
    return out


# -- reductions ------------------------------------------------------------------------------------------------------------------


def reduced(name: str, x: np.ndarray, axis: tuple[int, ...], keepdims: bool) -> np.ndarray:
    """The elements along axes, joined one after the other by a row of two arguments."""
    cls, kept = CLASSES[name], [d for i, d in enumerate(x.shape) if i not in axis]
    moved = np.moveaxis(x, axis, range(len(axis))).reshape(-1, *kept)
    out = np.empty(kept, object)
    for at in np.ndindex(*kept):
        column = [as_expression(v) for v in moved[(slice(None), *at)]]
        if not column and name not in _EMPTY:
            raise Refused("there are no elements along the axis")
        total = column[0] if column else Const(_EMPTY[name])
        for v in column[1:]:
            total = apply(cls, (total, v), {})
        out[at] = total
    return out.reshape([1 if i in axis else d for i, d in enumerate(x.shape)]) if keepdims else out


_EMPTY = {"add": 0, "multiply": 1, "logical_and": True, "logical_or": False}


def _reduction(name: str) -> Callable:
    return lambda x, axis, keepdims: reduced(name, x, axis, keepdims)


RULES.update({"sum": _reduction("add"), "prod": _reduction("multiply"), "max": _reduction("maximum"), "min": _reduction("minimum"),
              "all": _reduction("logical_and"), "any": _reduction("logical_or")})  # fmt: skip


def _rule(f: Callable) -> Callable:
    RULES[f.__name__.lstrip("_")] = f
    return f


@_rule
def _mean(x: np.ndarray, axis: tuple[int, ...], keepdims: bool) -> np.ndarray:
    return reduced("add", x, axis, keepdims) / math.prod([x.shape[a] for a in axis])


@_rule
def _logsumexp(x: np.ndarray, axis: tuple[int, ...], keepdims: bool) -> np.ndarray:
    return each_row("log", reduced("add", each_row("exp", x), axis, keepdims))


@_rule
def _softmax(x: np.ndarray, axis: int) -> np.ndarray:
    e = each_row("exp", x)
    return e / reduced("add", e, (axis,), True)


@_rule
def _log_softmax(x: np.ndarray, axis: int) -> np.ndarray:
    return x - _logsumexp(x, (axis,), True)


@_rule
def _softmax_xent(z: np.ndarray, y: np.ndarray, axis: int) -> list:
    loss = -reduced("add", y * _log_softmax(z, axis), (axis,), False)
    return [loss, _softmax(z, axis) - y]


@_rule
def _sparse_softmax_xent(z: np.ndarray, labels: np.ndarray) -> list:
    if not all(map(is_number, labels.ravel())):
        raise Refused("the labels are not known")
    if not all(0 <= k < z.shape[-1] for k in labels.ravel()):
        raise Refused(f"a label is not from 0 to {z.shape[-1] - 1}")
    hot = np.where(np.arange(z.shape[-1]) == labels[..., None], 1, 0).astype(object)
    return _softmax_xent(z, hot, z.ndim - 1)


@_rule
def _l2_loss(x: np.ndarray) -> Any:
    return reduced("add", x * x, tuple(range(x.ndim)), False) / 2


def _running(name: str, start: int = 0) -> Callable:
    def rule(x: np.ndarray, axis: int, exclusive: bool = False, reverse: bool = False) -> np.ndarray:
        turn = slice(None, None, -1 if reverse else 1)
        y = np.moveaxis(x, axis, 0)[turn]
        out = np.empty(y.shape, object)
        for k in range(len(y)):
            out[k] = y[k] if not k else each_row(name, out[k - 1], y[k])[()]
        if exclusive:
            out[1:], out[:1] = out[:-1].copy(), start
        return np.moveaxis(out[turn], 0, axis)

    return rule


RULES.update(
    cumsum=_running("add"), cumprod=_running("multiply", 1), cummax=_running("maximum"), cummin=_running("minimum")
)


@_rule
def _recurrence(a: np.ndarray, b: np.ndarray, axis: int, reverse: bool) -> np.ndarray:
    turn = slice(None, None, -1 if reverse else 1)
    a, y = np.moveaxis(a, axis, 0)[turn], np.moveaxis(b, axis, 0)[turn].copy()
    for k in range(1, len(y)):
        y[k] = y[k] + a[k] * y[k - 1]
    return np.moveaxis(y[turn], 0, axis)


@_rule
def _pad(x: np.ndarray, paddings: tuple, value: Any) -> np.ndarray:
    out = np.full([a + d + b for d, (a, b) in zip(x.shape, paddings, strict=True)], value, object)
    out[tuple([slice(a, a + d) for d, (a, _) in zip(x.shape, paddings, strict=True)])] = x
    return out


# -- products --------------------------------------------------------------------------------------------------------------------


@_rule
def _matmul(x: np.ndarray, y: np.ndarray, transpose_x: bool = False, transpose_y: bool = False) -> np.ndarray:
    x, y = (np.swapaxes(a, -1, -2) if turned else a for a, turned in ((x, transpose_x), (y, transpose_y)))
    return np.asarray(np.matmul(x, y), object)


def linear(n: Node, xs: list[np.ndarray]) -> list[np.ndarray]:
    """A row that is linear in its inputs together, or in each, by its coefficients.

    Raises:
        Refused: an input is not known that it is not linear in, or it has too many coefficients.
    """
    p, attrs = n.p, n.attrs
    rules = p.grad if isinstance(p.grad, tuple) else (p.grad,) * len(xs)
    unknown = [i for i, x in enumerate(xs) if x.dtype == object]
    if any(rules[i] is None or not n.ins[i].aval.dtype.is_floating for i in unknown):
        raise Refused("it depends on an index or on a whole number that is not known")
    if any(v.aval.dtype.is_complex for v in n.outs):
        raise Refused("its results are complex, and expressions are made of real numbers")
    fixed = [np.zeros(x.shape, v.aval.dtype.np) if x.dtype == object else x for x, v in zip(xs, n.ins, strict=True)]
    totals = [np.full(v.aval.shape, 0, object) for v in n.outs]

    def add(arrays: list[np.ndarray], factor: Any) -> None:
        with np.errstate(all="ignore"):
            r = p.compute(*[a[()] for a in arrays], **attrs)
        for total, a in zip(totals, r if p.multi else (r,), strict=True):
            for at in zip(*np.nonzero(np.asarray(a)), strict=True) if np.ndim(a) else [()] if a else []:
                c = number(np.asarray(a)[at])
                term = c if factor is None else factor if c == 1 else c * factor
                total[at] = term if isinstance(total[at], int) and total[at] == 0 else total[at] + term

    def unit(i: int, at: tuple) -> np.ndarray:
        one = np.zeros_like(fixed[i])
        one[at] = 1
        return one

    groups = [[i] for i in unknown] if p.linear else [unknown]
    count = sum(math.prod([xs[i].size for i in g]) for g in groups)
    if count > MOST_COEFFICIENTS:
        raise Refused(f"it has {count:,} coefficients, and {MOST_COEFFICIENTS:,} are the most that are written out")
    if p.linear:
        known = [i for i in range(len(xs)) if i not in unknown and rules[i] is not None]
        if any(xs[i].any() for i in known):
            add(fixed, None)
        fixed = [np.zeros_like(x) if i in known else x for i, x in enumerate(fixed)]
    for g in groups:
        for ats in product(*[np.ndindex(*xs[i].shape) for i in g]):
            factor: Any = None
            for i, at in zip(g, ats, strict=True):
                factor = xs[i][at] if factor is None else factor * xs[i][at]
            add([unit(i, ats[g.index(i)]) if i in g else x for i, x in enumerate(fixed)], factor)
    return totals


# -- square matrices -----------------------------------------------------------------------------------------------------------


def _matrices(*arrays: np.ndarray) -> tuple[tuple[int, ...], list[np.ndarray]]:
    """Batches of matrices with one shape of the batch."""
    batch = np.broadcast_shapes(*[a.shape[:-2] for a in arrays])
    return batch, [np.broadcast_to(a, (*batch, *a.shape[-2:])) for a in arrays]


def _for_each(f: Callable, *arrays: np.ndarray) -> np.ndarray:
    """A function of matrices on each of a batch."""
    batch, arrays_ = _matrices(*arrays)
    n = arrays[0].shape[-1]
    if n > LARGEST_MATRIX:
        raise Refused(f"matrices larger than {LARGEST_MATRIX}×{LARGEST_MATRIX} have too long formulas")
    found = {at: np.asarray(f(*[a[at] for a in arrays_]), object) for at in np.ndindex(*batch)}
    if not found:
        raise Refused("there is no matrix in the batch")
    out = np.empty((*batch, *next(iter(found.values())).shape), object)
    for at, a in found.items():
        out[at] = a if a.ndim else a.item()
    return out


def _zero(x: Any) -> bool:
    return is_number(x) and not isinstance(x, bool) and number(x) == 0


class _Minors:
    """The determinants of the rows from some row on, in all choices of columns: Laplace's expansion, each made once."""

    def __init__(self, m: np.ndarray) -> None:
        rows, n = m.shape
        self.of: dict[tuple[int, ...], Any] = {(): Const(1)}
        for k in range(1, rows + 1):
            row = m[rows - k]
            for columns in combinations(range(n), k):
                total: Any = 0
                for s, j in enumerate(columns):
                    minor = self.of[columns[:s] + columns[s + 1 :]]
                    if _zero(row[j]) or _zero(minor):
                        continue
                    term = row[j] * minor
                    total = (-term if s % 2 else term) if _zero(total) else total - term if s % 2 else total + term
                self.of[columns] = total


def _determinant(m: np.ndarray) -> Any:
    return _Minors(m).of[tuple(range(len(m)))]


def _cofactors(m: np.ndarray) -> np.ndarray:
    """Row i, column j: the determinant without row j and column i, with its sign."""
    n = len(m)
    out = np.empty((n, n), object)
    for j in range(n):
        minors = _Minors(np.delete(m, j, 0)).of
        for i in range(n):
            minor = minors[tuple(k for k in range(n) if k != i)]
            out[i, j] = -minor if (i + j) % 2 and not _zero(minor) else minor
    return out


def _inverted(m: np.ndarray) -> np.ndarray:
    return _cofactors(m) / _determinant(m) if m.size else m


@_rule
def _det(x: np.ndarray) -> np.ndarray:
    return _for_each(_determinant, x)


@_rule
def _slogdet(x: np.ndarray) -> list:
    d = _for_each(_determinant, x)
    return [each_row("sign", d), each_row("log", each_row("abs", d))]


@_rule
def _adjugate(x: np.ndarray) -> np.ndarray:
    return _for_each(_cofactors, x)


@_rule
def _inverse(x: np.ndarray) -> np.ndarray:
    return _for_each(_inverted, x)


@_rule
def _solve(a: np.ndarray, b: np.ndarray, adjoint: bool = False) -> np.ndarray:
    def one(m: np.ndarray, v: np.ndarray) -> np.ndarray:
        m = m.T if adjoint else m
        return np.matmul(_cofactors(m), v) / _determinant(m)  # Cramer's rule

    return _for_each(one, a, b)


@_rule
def _triangular_solve(a: np.ndarray, b: np.ndarray, lower: bool, adjoint: bool) -> np.ndarray:
    def one(m: np.ndarray, v: np.ndarray) -> np.ndarray:
        m = m.T if adjoint else m
        n, out = len(m), np.array(v, object)
        rows = range(n) if lower != adjoint else range(n - 1, -1, -1)
        for i in rows:
            for j in range(i) if lower != adjoint else range(i + 1, n):
                if not _zero(m[i, j]):
                    out[i] = out[i] - m[i, j] * out[j]
            out[i] = out[i] / m[i, i]
        return out

    return _for_each(one, a, b)


@_rule
def _cholesky(x: np.ndarray) -> np.ndarray:
    def one(m: np.ndarray) -> np.ndarray:
        n = len(m)
        out = np.full((n, n), 0, object)
        for i in range(n):
            for j in range(i + 1):
                rest = m[i, j]
                for k in range(j):
                    rest = rest - out[i, k] * out[j, k]
                out[i, j] = each_row("sqrt", rest).item() if i == j else rest / out[j, j]
        return out

    return _for_each(one, x)


__all__ = ["AS_WRITTEN", "RULES", "Refused", "as_expression", "each", "is_number", "linear", "number", "objects"]
