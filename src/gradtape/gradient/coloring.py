"""Colourings: which columns of a sparse matrix can be computed together, and how its elements are read off again.

A Jacobian J times the sum of columns that have no row in common gives all their elements at once. Columns of one colour are such a set, so that
J S, with a column of S for each colour, holds every element of J. Of a Hessian, which is symmetric, each element need only be found once, and
fewer colours do: those of a star colouring, in which every path over four vertices has at least three colours.

Sources: A. Curtis, M. Powell, J. Reid, "On the estimation of sparse Jacobian matrices" (1974); T. Coleman, J. Moré, "Estimation of sparse Hessian
matrices and graph coloring problems" (1984); A. Gebremedhin, F. Manne, A. Pothen, "What color is your Jacobian?", SIAM Review 47 (2005).

Sets of colours are Python integers, a bit for each colour.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..ground.errors import invalid


class Coloring(NamedTuple):
    """A colour for each column, and where each element of the pattern is found in the compressed matrix.

    Attributes:
        colors: the colour of each column, from 0.
        number: how many there are.
        rows, columns: of each element of the pattern, in CSR order, its place in the compressed matrix (row, colour).
    """

    colors: np.ndarray
    number: int
    rows: np.ndarray
    columns: np.ndarray

    def seeds(self, dtype: Any) -> np.ndarray:
        """A row for each colour: 1 at the columns that have it."""
        s = np.zeros((self.number, len(self.colors)), dtype)
        s[self.colors, np.arange(len(self.colors))] = 1
        return s


def pattern_of(sparsity: Any, shape: tuple[int, int]) -> Any:
    """A pattern that the user gave, as a CSR array of bools without duplicates.

    Raises:
        InvalidArgumentError: it is no matrix of that shape.
    """
    import scipy.sparse as sp

    try:
        p = sp.csr_array(sparsity)
    except (TypeError, ValueError) as e:
        raise invalid(f"sparsity must be 'auto', a SciPy sparse matrix or an array, but is {sparsity!r}.") from e
    if p.shape != shape:
        raise invalid(f"The sparsity pattern must have the shape {shape} (result, argument), but has {p.shape}.")
    p = sp.csr_array((np.ones(p.nnz, bool) if sp.issparse(sparsity) else p.data != 0, p.indices, p.indptr), shape)
    p.sum_duplicates()
    p.sort_indices()
    return p


def _first_free(taken: int) -> int:
    """The smallest colour that is not in the set."""
    free = ~taken & (taken + 1)
    return free.bit_length() - 1


def color_columns(p: Any) -> Coloring:
    """Columns of one colour have no row in common: a distance-2 colouring of the bipartite graph, greedy, densest columns first.

    Args:
        p: the pattern, a CSR array.
    """
    m, n = p.shape
    by_column = p.tocsc()
    starts, rows = by_column.indptr.tolist(), by_column.indices.tolist()
    in_row = [0] * m  # the colours of the columns with an element in each row
    colors = [0] * n
    for j in _largest_first(np.diff(by_column.indptr)):
        mine = rows[starts[j] : starts[j + 1]]
        taken = 0
        for i in mine:
            taken |= in_row[i]
        c = _first_free(taken)
        colors[j] = c
        bit = 1 << c
        for i in mine:
            in_row[i] |= bit
    of = np.array(colors, np.int64)
    lines = np.repeat(np.arange(m), np.diff(p.indptr))
    return Coloring(of, int(of.max(initial=-1)) + 1, lines, of[p.indices])


def star_color(p: Any) -> Coloring:
    """A star colouring of a symmetric pattern, greedy, vertices of the highest degree first.

    A colour is forbidden to v if a neighbour has it, or if it would make a path over four vertices with two colours. With w a coloured neighbour of v, and x
    one of w's, x's colour is forbidden if v has a second neighbour of w's colour (w' v w x), or x has (v w x w').

    Args:
        p: the pattern, a symmetric CSR array.
    """
    n = p.shape[0]
    starts, others = p.indptr.tolist(), p.indices.tolist()
    colors = [-1] * n
    around = [0] * n  # the colours among each vertex's neighbours
    having: list[dict[int, list]] = [{} for _ in range(n)]  # each vertex's neighbours by colour
    closed = [0] * n  # for w: the colours of neighbours that have a second neighbour of w's colour
    for v in _largest_first(np.diff(p.indptr)):
        mine = [w for w in others[starts[v] : starts[v + 1]] if w != v]
        taken = around[v]
        for w in mine:
            k = colors[w]
            if k >= 0:
                taken |= closed[w] | around[w] if len(having[v][k]) > 1 else closed[w]
        c = colors[v] = _first_free(taken)
        bit = 1 << c
        for found in having[v].values():  # v has a colour now, which pairs of neighbours of one colour must avoid
            if len(found) > 1:
                for w in found:
                    closed[w] |= bit
        for x in mine:
            around[x] |= bit
            found = having[x].setdefault(c, [])
            found.append(v)
            k = colors[x]
            if k >= 0 and len(found) > 1:
                for w in found if len(found) == 2 else (v,):
                    closed[w] |= 1 << k
    of = np.array(colors, np.int64)
    return Coloring(of, int(of.max(initial=-1)) + 1, *_where_stars_show(p, of))


def _where_stars_show(p: Any, colors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Element (i, j) stands alone in row i at j's colour, or else in row j at i's."""
    lines = np.repeat(np.arange(p.shape[0]), np.diff(p.indptr))
    columns = p.indices.astype(np.int64)
    width = int(colors.max(initial=0)) + 1
    places = lines * width + colors[columns]
    alone = np.bincount(places, minlength=p.shape[0] * width)[places] == 1
    return np.where(alone, lines, columns), np.where(alone, colors[columns], colors[lines])


def symmetric(p: Any) -> Any:
    """The pattern together with its transpose."""
    import scipy.sparse as sp

    q = sp.csr_array(p + p.T)
    q.sort_indices()
    return q


def _largest_first(degrees: np.ndarray) -> list[int]:
    return np.argsort(-degrees, kind="stable").tolist()
