"""Colourings of sparse patterns: valid by their definitions, enough to read every element off, few on known patterns, fast."""

import time

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from gradtape.gradient.coloring import color_columns, pattern_of, star_color, symmetric
from gradtape.ground.errors import InvalidArgumentError


@st.composite
def patterns(draw, square=False):
    m = draw(st.integers(1, 12))
    n = m if square else draw(st.integers(1, 12))
    bits = draw(st.lists(st.booleans(), min_size=m * n, max_size=m * n))
    return sp.csr_array(np.array(bits).reshape(m, n))


def elements(p, coloring, dense):
    """What is read off from the compressed matrix, as a dense matrix."""
    compressed = dense @ coloring.seeds(float).T
    return sp.csr_array((compressed[coloring.rows, coloring.columns], p.indices, p.indptr), p.shape).toarray()


@given(patterns())
def test_columns_of_one_colour_have_no_row_in_common(pattern):
    p = pattern_of(pattern, pattern.shape)
    c = color_columns(p)
    dense = p.toarray()
    for k in range(c.number):
        assert dense[:, c.colors == k].sum(axis=1).max(initial=0) <= 1
    values = np.random.default_rng(0).normal(size=p.shape) * dense
    np.testing.assert_allclose(elements(p, c, values), values, atol=1e-14)


@given(patterns(square=True))
def test_star_colourings(pattern):
    """Neighbours differ, and every path over four vertices has three colours."""
    p = symmetric(pattern_of(pattern, pattern.shape))
    c = star_color(p)
    near = [set(p.indices[a:b]) - {i} for i, (a, b) in enumerate(zip(p.indptr, p.indptr[1:], strict=False))]
    for v in range(p.shape[0]):
        for w in near[v]:
            assert c.colors[v] != c.colors[w]
            for x in near[w] - {v}:
                for y in near[x] - {v, w}:
                    assert len({c.colors[i] for i in (v, w, x, y)}) >= 3
    values = np.random.default_rng(0).normal(size=p.shape)
    values = (values + values.T) * p.toarray()
    np.testing.assert_allclose(elements(p, c, values), values, atol=1e-14)


N = 5000
LINE = sp.diags_array([np.ones(N - 1)] * 2, offsets=[-1, 1])
KNOWN = {  # pattern, colours of a star colouring, colours of the columns
    "diagonal": (sp.eye_array(N), 1, 1),
    "tridiagonal": (LINE + sp.eye_array(N), 3, 3),
    "pentadiagonal": (sp.diags_array([np.ones(N - abs(k)) for k in range(-2, 3)], offsets=range(-2, 3)), 5, 5),
    "arrow": (sp.coo_array((np.ones(N - 1), (np.zeros(N - 1, int), np.arange(1, N))), (N, N)) + sp.eye_array(N), 2, N),
    "grid": (
        sp.kron(sp.eye_array(50), LINE.tocsr()[:100, :100])
        + sp.kron(LINE.tocsr()[:50, :50], sp.eye_array(100))
        + sp.eye_array(N),
        6,
        8,
    ),
}


@pytest.mark.parametrize("name", KNOWN)
def test_known_patterns_take_few_colours_and_little_time(name):
    pattern, star, columns = KNOWN[name]
    p = symmetric(pattern_of(pattern, pattern.shape))
    start = time.process_time()
    assert star_color(p).number <= star
    assert color_columns(p).number <= columns
    assert time.process_time() - start < 2.0


def test_patterns_that_are_given():
    p = pattern_of(sp.coo_array(([0.0, 5.0, 1.0], ([1, 0, 0], [0, 1, 1])), (2, 2)), (2, 2))
    assert (
        p.toarray().tolist() == [[False, True], [True, False]] and p.nnz == 2
    )  # zeros that are stored belong to the pattern
    assert pattern_of([[0, 2], [0, 0]], (2, 2)).toarray().tolist() == [[False, True], [False, False]]
    assert pattern_of(np.zeros((0, 3)), (0, 3)).nnz == 0
    for wrong in (np.eye(3), "auto?", np.ones((2, 2, 2))):
        with pytest.raises(InvalidArgumentError, match=r"pattern must have the shape|must be 'auto'"):
            pattern_of(wrong, (2, 2))
