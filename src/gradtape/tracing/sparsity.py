"""Which elements of a Jacobian can be other than zero: sets of input elements carried through a traced graph.

For every value in the graph, a matrix of bools says which elements of the argument each of its elements depends on. A row of the table moves it by its
own structure: elementwise rows unite what their inputs have at one place, rows that move elements are asked for their map by running them on the
elements' numbers, sums by running their transpose on the results' numbers, other linear rows are asked for their matrix. Products of matrices
and tensors know their labels, reductions their axes, branches and loops their graphs. Of any other row every result depends on everything
that its inputs depend on. So the pattern may be too large, never too small.

Values count where they are constants of the graph (index tensors, matrices, masks); of all others only shapes do. The same idea is in A. Griewank,
A. Walther, "Evaluating Derivatives" (2008), section 7.1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.tensor import Tensor
from ..gradient.batching import batch_call
from ..gradient.forward import apply_vjp
from ..ground.dtypes import float64, of_numpy
from ..ground.errors import invalid
from ..ground.graph import Graph, Node, Value

LARGEST = 10_000_000  # elements of a matrix; where there would be more, every element is taken to depend on the same
PROBED = 20_000_000  # the size of the matrix of a linear row that is found from unit vectors

# rows each of whose results is one element of one input, or 0
MOVERS = {
    "identity", "reshape", "transpose", "broadcast_to", "reverse", "roll", "repeat", "concat", "stack", "unstack", "split", "pad", "strided_slice", "unslice",
    "gather", "gather_nd", "take_along", "take_row", "put_row", "tensor_scatter_update", "random_shuffle", "random_unshuffle",
}  # fmt: skip
# rows each element of whose inputs goes, by addition, into one result
ADDERS = {"sum", "sum_repeats", "add_n", "ungather", "scatter_nd", "tensor_scatter_add", "segment_sum", "add_along"}
REDUCTIONS = {"mean", "prod", "max", "min", "logsumexp"}  # over the axes in `axis`
ALONG = {
    "softmax",
    "log_softmax",
    "cumsum",
    "cumprod",
    "cumulative_logsumexp",
    "cummax",
    "cummin",
    "sort",
    "recurrence",
}  # within `axis`


def _sparse() -> Any:
    import scipy.sparse

    return scipy.sparse


class Dependence:
    """For each element of a value, the elements of the argument it depends on.

    Attributes:
        size: how many elements the value has.
        rows: a CSR array of bools, (size, elements of the argument); None where all depend on the same.
        all: what all depend on, a vector of bools, where ``rows`` is None.
    """

    __slots__ = ("all", "rows", "size")

    def __init__(self, size: int, rows: Any = None, all: Any = None) -> None:
        self.size, self.rows, self.all = size, rows, all

    @property
    def any(self) -> np.ndarray:
        """What some element depends on."""
        if self.rows is None:
            return self.all
        out = np.zeros(self.rows.shape[1], bool)
        out[self.rows.indices] = True
        return out

    def matrix(self) -> Any:
        """The CSR array, also where all depend on the same."""
        if self.rows is not None:
            return self.rows
        each = np.flatnonzero(self.all)
        indptr = np.arange(self.size + 1, dtype=np.int64) * len(each)
        shape = (self.size, len(self.all))
        return _sparse().csr_array((np.ones(indptr[-1], bool), np.tile(each, self.size), indptr), shape)

    def through(self, s: Any) -> Dependence:
        """The dependence of values whose elements depend on this one's as the matrix ``s`` says."""
        if self.rows is None:
            return Dependence(s.shape[0], all=self.all)
        s = _sparse().csr_array(s)
        lengths = np.diff(self.rows.indptr)
        if lengths[s.indices].sum() > LARGEST:
            return Dependence(s.shape[0], all=self.any)
        return Dependence(s.shape[0], s @ self.rows)

    def taken(self, where: np.ndarray) -> Dependence:
        """The dependence of values that are elements of this one, by number; -1 for none."""
        if self.rows is None:
            return Dependence(len(where), all=self.all)
        if not self.size:
            return Dependence(len(where), _sparse().csr_array((len(where), self.rows.shape[1]), dtype=bool))
        lengths = np.where(where >= 0, np.diff(self.rows.indptr)[where], 0)
        if lengths.sum() > LARGEST:
            return Dependence(len(where), all=self.any)
        if (where >= 0).all():
            return Dependence(len(where), self.rows[where])
        some = where >= 0
        indptr = np.concatenate([[0], np.cumsum(some)])
        pick = _sparse().csr_array((np.ones(indptr[-1], bool), where[some], indptr), (len(where), self.size))
        return Dependence(len(where), pick @ self.rows)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Dependence) or (self.rows is None) is not (other.rows is None):
            return False
        return bool(np.array_equal(self.all, other.all)) if self.rows is None else (self.rows != other.rows).nnz == 0

    __hash__ = None  # type: ignore[assignment]


def united(some: list[Dependence | None]) -> Dependence | None:
    """What elements depend on that depend on all of these at their place; None: on nothing."""
    found = [d for d in some if d is not None]
    if not found:
        return None
    total = found[0]
    for d in found[1:]:
        if total.rows is not None and d.rows is not None and total.rows.nnz + d.rows.nnz <= LARGEST:
            total = Dependence(total.size, total.rows + d.rows)
        else:
            total = Dependence(total.size, all=total.any | d.any)
    return total


def jacobian_pattern(graph: Graph, at: int) -> Any:
    """The pattern of the Jacobian of the graph's output with respect to input ``at``: a CSR array of bools.

    Raises:
        InvalidArgumentError: a shape is not known before the function runs.
    """
    n = size_of(graph.inputs[at])
    start: list[Dependence | None] = [None] * len(graph.inputs)
    start[at] = Dependence(n, _sparse().eye_array(n, dtype=bool, format="csr"))
    (found,) = propagate(graph, start)
    m = size_of(graph.outputs[0])
    if found is None:
        return _sparse().csr_array((m, n), dtype=bool)
    p = _sparse().csr_array(found.matrix())
    p.sum_duplicates()
    p.sort_indices()
    return p


def size_of(v: Value) -> int:
    if None in v.aval.shape:
        raise invalid(
            f"The sparsity pattern cannot be found: the shape {v.aval} of a value is known only when the function runs. Give the pattern by `sparsity=`."
        )
    return math.prod(v.aval.shape)


def propagate(graph: Graph, inputs: list[Dependence | None]) -> list[Dependence | None]:
    """The dependence of the graph's outputs for that of its inputs."""
    known = _Known(graph)
    of: dict[int, Dependence | None] = {id(v): d for v, d in zip(graph.inputs, inputs, strict=True)}
    for n in graph.nodes:
        deps = [None if n.p.joint is None and n.p.rule(i) is None else of.get(id(v)) for i, v in enumerate(n.ins)]
        if all([d is None for d in deps]):
            continue
        found = _through(n, deps, known)
        of.update({id(v): d if v.aval.dtype.is_inexact else None for v, d in zip(n.outs, found, strict=True)})
    return [of.get(id(v)) for v in graph.outputs]


class _Known:
    """The values that follow from constants of the graph, computed when they are asked for."""

    def __init__(self, graph: Graph) -> None:
        self.made = {id(v): n for n in graph.nodes for v in n.outs}
        self.values: dict[int, Any] = {}

    def __call__(self, v: Value) -> Any:
        """The array, or None where it is known only when the function runs."""
        if v.const is not None:
            return v.const
        if id(v) not in self.values:
            n = self.made.get(id(v))
            self.values[id(v)] = None
            if n is not None and n.ins and not n.effect and not any(isinstance(a, Graph) for a in n.attrs.values()):
                ins = [self(x) for x in n.ins]
                if all([x is not None for x in ins]):
                    with np.errstate(all="ignore"):
                        outs = n.p.compute(*ins, **n.attrs)
                    for w, a in zip(n.outs, outs if n.p.multi else (outs,), strict=True):
                        self.values[id(w)] = a
        return self.values[id(v)]


def _through(n: Node, deps: list[Dependence | None], known: _Known) -> list[Dependence | None]:
    """The dependence of a node's outputs."""
    p, name = n.p, n.p.name
    if name in _BY_NAME:
        found = _BY_NAME[name](n, deps, known)
    elif name in MOVERS:
        found = _moved(n, deps, known)
    elif name in ADDERS:
        found = _added(n, deps, known)
    elif p.elementwise and p.joint is None:
        found = [united([_aligned(d, v, n.outs[0]) for d, v in zip(deps, n.ins, strict=True)])]
    elif name in REDUCTIONS:
        found = [d and d.through(_groups(n)) for d in deps]
    elif name in ALONG:
        found = (_probed(n, deps, known) if p.linear else None) or _along(n, deps)
    elif p.linear or p.multilinear:
        found = _probed(n, deps, known)
    else:
        found = None
    return _dense(n, deps) if found is None else found


def _dense(n: Node, deps: list[Dependence | None]) -> list[Dependence | None]:
    """Every result depends on everything that an input depends on."""
    everything = np.logical_or.reduce([d.any for d in deps if d is not None])
    return [Dependence(size_of(v), all=everything) for v in n.outs]


def _numbers(v: Value, first: int = 1) -> Any:
    """The numbers of a value's elements, in its shape."""
    return np.arange(first, first + size_of(v), dtype=np.float64).reshape(v.aval.shape)[()]


def _places(numbers: Any) -> np.ndarray:
    return np.asarray(numbers).reshape(-1).astype(np.int64) - 1


def _aligned(d: Dependence | None, v: Value, out: Value) -> Dependence | None:
    """What broadcasting ``v`` to the shape of ``out`` makes of its dependence."""
    if d is None or v.aval.shape == out.aval.shape:
        return d
    size_of(out)
    return d.taken(_places(np.broadcast_to(_numbers(v), out.aval.shape)))


def _moved(n: Node, deps: list, known: _Known) -> list | None:
    """A row that moves elements, run on their numbers, says where each result comes from."""
    arrays, first, ranges = [], 1, []
    for v, d in zip(n.ins, deps, strict=True):
        if d is not None:
            arrays.append(_numbers(v, first))
            ranges.append((d, first - 1, first - 1 + d.size))
            first += d.size
        elif v.aval.dtype.is_inexact:
            arrays.append(np.zeros([size_of(v)]).reshape(v.aval.shape)[()])
        else:
            a = known(v)
            if a is None:
                return None
            arrays.append(a)
    attrs = {**n.attrs, "value": 0.0} if n.p.name == "pad" else n.attrs
    try:
        outs = n.p.compute(*arrays, **attrs)
    except Exception:  # an index that is out of range fails when the function runs, with the user's line
        return None
    found: list = []
    for o in outs if n.p.multi else (outs,):
        at = _places(o)
        found.append(united([d.taken(np.where((a <= at) & (at < b), at - a, -1)) for d, a, b in ranges]))
    return found


def _added(n: Node, deps: list, known: _Known) -> list | None:
    """The transpose of a row that adds elements up moves them: run on the results' numbers, it says where each element goes."""
    xs = []
    for v in n.ins:
        a = np.zeros([size_of(v)]).reshape(v.aval.shape)[()] if v.aval.dtype.is_inexact else known(v)
        if a is None:
            return None
        xs.append(Tensor(a, float64 if v.aval.dtype.is_inexact else of_numpy[np.asarray(a).dtype]))
    wanted = tuple([i for i, d in enumerate(deps) if d is not None])
    out = Tensor(_numbers(n.outs[0]), float64)
    backs = apply_vjp(n.p, tuple(xs), [out], n.attrs, wanted, {0: out})
    found = []
    for i, back in zip(wanted, backs, strict=True):
        at = _places((back.to_dense() if hasattr(back, "to_dense") else back)._a)
        found.append(deps[i].through(_matrix(at, np.arange(len(at)), (size_of(n.outs[0]), len(at)))))
    return [united(found)]


def _matrix(rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int]) -> Any:
    """The matrix of bools that holds these places; rows of -1 are left out."""
    some = rows >= 0
    return _sparse().coo_array((np.ones(int(some.sum()), bool), (rows[some], columns[some])), shape).tocsr()


def _groups(n: Node) -> Any:
    """Of a reduction: which elements each result is made of."""
    shape, axes = n.ins[0].aval.shape, n.attrs["axis"]
    axes = axes if isinstance(axes, tuple) else (axes,)
    kept = tuple([1 if i in axes else d for i, d in enumerate(shape)])
    count = math.prod(kept)
    ids = np.broadcast_to(np.arange(count).reshape(kept), shape).reshape(-1)
    return _matrix(ids, np.arange(size_of(n.ins[0])), (count, len(ids)))


def _along(n: Node, deps: list) -> list:
    """Each result depends on all elements that differ from it along the axis alone."""
    g = _groups(n)
    return [united([d and d.through(g).taken(g.tocsc().indices) for d in deps])]


def _probed(n: Node, deps: list, known: _Known) -> list | None:
    """A linear row's own matrix, from unit vectors; all inputs but one must be known."""
    moving = [i for i, d in enumerate(deps) if d is not None]
    if n.p.multi or (n.p.multilinear and len(moving) > 1):
        return None
    size, count = size_of(n.outs[0]), max([size_of(n.ins[i]) for i in moving])
    if size * count > PROBED:
        return None
    # of a row that is linear in all of them together, those that do not move are 0
    rest = {
        i: None if n.p.linear and n.p.rule(i) is not None else known(v) for i, v in enumerate(n.ins) if i not in moving
    }
    if any([a is None and not (n.p.linear and n.p.rule(i) is not None) for i, a in rest.items()]):
        return None
    found = []
    for i in moving:
        v = n.ins[i]
        fixed = {
            j: Tensor(
                np.zeros(n.ins[j].aval.shape, n.ins[j].aval.dtype.np)[()] if rest.get(j) is None else rest[j],
                n.ins[j].aval.dtype,
            )
            for j in range(len(n.ins))
            if j != i
        }

        def run(unit: Tensor, i: int = i, fixed: dict = fixed) -> list:
            return [n.p(*[unit if j == i else fixed[j] for j in range(len(n.ins))], **n.attrs)]

        units = np.eye(size_of(v), dtype=v.aval.dtype.np).reshape(size_of(v), *v.aval.shape)
        (columns,) = batch_call(run, [Tensor(units, v.aval.dtype)])
        s = _sparse().csr_array(columns._a.reshape(len(units), size).T != 0)
        found.append(deps[i].through(s))
    return [united(found)]


# -- rows that need more ----------------------------------------------------------------------------------------------------


def _multiply(n: Node, deps: list, known: _Known) -> list:
    """What is multiplied by a constant 0 does not matter."""
    found = []
    for i, d in enumerate(deps):
        d = _aligned(d, n.ins[i], n.outs[0])
        other = known(n.ins[1 - i]) if d is not None else None
        found.append(d if other is None else _where(d, np.broadcast_to(other != 0, n.outs[0].aval.shape)))
    return [united(found)]


def _select(n: Node, deps: list, known: _Known) -> list:
    """Of a constant condition, each place takes one side."""
    out, condition = n.outs[0], known(n.ins[0])
    sides = [_aligned(d, v, out) for d, v in zip(deps[1:], n.ins[1:], strict=True)]
    if condition is not None:
        mask = np.broadcast_to(condition, out.aval.shape)
        sides = [_where(d, m) for d, m in zip(sides, (mask, ~mask), strict=True)]
    return [united(sides)]


def _where(d: Dependence | None, mask: np.ndarray) -> Dependence | None:
    if d is None or d.rows is None or mask.all():
        return d
    mask = mask.reshape(-1)
    return d.taken(np.where(mask, np.arange(len(mask)), -1))


def _matmul(n: Node, deps: list, known: _Known) -> list:
    """Of a known matrix the elements that are not 0, of an unknown one all."""
    turned = (n.attrs["transpose_x"], n.attrs["transpose_y"])
    *batch, rows, columns = n.outs[0].aval.shape
    total = math.prod(batch)
    inner = n.ins[0].aval.shape[-2 if turned[0] else -1]
    places = []
    for v, t, shape in zip(n.ins, turned, ((rows, inner), (inner, columns)), strict=True):
        at = np.arange(size_of(v)).reshape(v.aval.shape)
        at = at.swapaxes(-1, -2) if t else at
        places.append(np.broadcast_to(at, (*batch, *shape)).reshape(total, *shape))
    out = np.arange(total * rows * columns).reshape(total, rows, columns)
    found: list[Dependence | None] = [None, None]
    if max([m.size for m in places]) > LARGEST:
        return _dense(n, deps)
    for side, d in enumerate(deps):
        if d is None:
            continue
        # result (b, i, k) depends on x (b, i, j) where y (b, j, k) is not 0, and on y (b, j, k) where x (b, i, j) is not
        other = known(n.ins[1 - side])
        at = places[1 - side]
        matters = np.ones(at.shape, bool) if other is None else np.asarray(other).reshape(-1)[at] != 0
        across = np.arange(rows if side == 0 else columns)[:, None]
        if np.count_nonzero(matters) * len(across) > LARGEST:
            return _dense(n, deps)
        b, p, q = np.nonzero(matters)
        if side == 0:
            i, j = np.broadcast_arrays(out[b, across, q], places[0][b, across, p])
        else:
            i, j = np.broadcast_arrays(out[b, p, across], places[1][b, q, across])
        found[side] = d.through(_matrix(i.reshape(-1), j.reshape(-1), (out.size, d.size)))
    return [united(found)]


def _einsum(n: Node, deps: list, known: _Known) -> list | None:
    """An operand's element counts for the results that have its labels' values where the two share labels."""
    probed = _probed(n, deps, known)
    if probed is not None:
        return probed
    left, out = n.attrs["equation"].split("->")
    found: list[Dependence | None] = []
    for term, d, v in zip(left.split(","), deps, n.ins, strict=True):
        if d is None:
            found.append(None)
            continue
        sizes = dict(zip(out, n.outs[0].aval.shape, strict=True)) | dict(zip(term, v.aval.shape, strict=True))
        labels = "".join(dict.fromkeys(out + term))
        if math.prod([sizes[x] for x in labels]) > LARGEST:
            return None
        grid = dict(zip(labels, np.ix_(*[np.arange(sizes[x]) for x in labels]), strict=True))
        i = sum([grid[x] * math.prod([sizes[y] for y in out[k + 1 :]]) for k, x in enumerate(out)], np.int64(0))
        j = sum([grid[x] * math.prod([sizes[y] for y in term[k + 1 :]]) for k, x in enumerate(term)], np.int64(0))
        i, j = np.broadcast_arrays(i, j)
        found.append(d.through(_matrix(i.reshape(-1), j.reshape(-1), (size_of(n.outs[0]), d.size))))
    return [united(found)]


def _cond(n: Node, deps: list, known: _Known) -> list:
    both = [propagate(n.attrs[k], deps[1:]) for k in ("true", "false")]
    return [united(list(pair)) for pair in zip(*both, strict=True)]


def _while(n: Node, deps: list, known: _Known) -> list | None:
    """What the states depend on after any number of turns."""
    count = n.attrs["n"]
    states = deps[:count]
    for _ in range(64):
        after = propagate(n.attrs["body"], [*states, *deps[count:]])
        wider = [united([a, b]) for a, b in zip(states, after, strict=True)]
        if wider == states:
            return states
        states = wider
    return None


_BY_NAME: dict[str, Callable] = {
    "multiply": _multiply,
    "select": _select,
    "matmul": _matmul,
    "einsum": _einsum,
    "cond": _cond,
    "while_loop": _while,
    "after": lambda n, deps, known: deps[: n.attrs["n"]],
    "l2_loss": lambda n, deps, known: _dense(n, deps),
}


def named() -> set[str]:
    """The rows that this file knows by name."""
    return MOVERS | ADDERS | REDUCTIONS | ALONG | {*_BY_NAME}
