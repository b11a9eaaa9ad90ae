"""The kernels of order and counting against definitions, at the sizes where they change their method.

Gradients, batch rules, shapes and dtypes of these rows are in the tests generated from the table.
"""

from itertools import pairwise

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as hs

from gradtape.ground import dtypes as dt
from gradtape.primitives import reduction as rd
from gradtape.primitives import sorting as so

DTYPES = [
    np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64, np.float16, ml_dtypes.bfloat16, np.float32, np.float64,
]  # fmt: skip
LENGTHS = [0, 1, 7, so._LONG - 1, so._LONG, so._LONG + 3]


def before(x, i, j, descending):
    """Whether element i comes before element j: by value, NaN the largest; of equal ones the first in the tensor."""
    a, b = float(x[i]), float(x[j])
    a, b = (np.inf, 1) if np.isnan(a) else (a, 0), (np.inf, 1) if np.isnan(b) else (b, 0)
    if a == b:
        return i < j
    return a > b if descending else a < b


def samples(t, n, seed=0):
    """Numbers of which many are equal, with NaN, infinities and both zeros where the dtype has them, and its ends."""
    rng = np.random.default_rng(seed)
    t = np.dtype(t)
    if t.kind in "iu":
        info = np.iinfo(t)
        pool = np.array([info.min, info.max, 0, 1, 2, 3, 100], t)
    else:
        pool = np.array([np.nan, -np.nan, np.inf, -np.inf, 0.0, -0.0, 1.5, -1.5, 2.0, 1e-7, -1e-7], t)
    fresh = rng.standard_normal(n) * 50
    return np.where(rng.random(n) < 0.4, rng.choice(pool, n), (np.abs(fresh) if t.kind == "u" else fresh).astype(t))


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("t", DTYPES, ids=lambda t: np.dtype(t).name)
def test_order(t, descending):
    for n in LENGTHS:
        x = samples(t, n)
        order = so._order(x, 0, descending)
        assert sorted(order.tolist()) == list(range(n))
        assert all(before(x, i, j, descending) for i, j in pairwise(order.tolist()))


@pytest.mark.parametrize("t", DTYPES, ids=lambda t: np.dtype(t).name)
def test_order_along_other_axes(t):
    x = samples(t, 2 * 1100 * 2).reshape(2, 1100, 2)
    order = so._order(x, 1, True)
    for at in np.ndindex(2, 2):
        np.testing.assert_array_equal(order[at[0], :, at[1]], so._order(x[at[0], :, at[1]].copy(), 0, True))


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("t", DTYPES, ids=lambda t: np.dtype(t).name)
def test_sort_is_in_order(t, descending):
    for n in LENGTHS:
        x = samples(t, n)
        got = so._sort(x, axis=0, descending=descending)
        assert got.dtype == x.dtype
        np.testing.assert_array_equal(got.astype(float), x[so._order(x, 0, descending)].astype(float))


@given(hs.integers(0, 10**6), hs.sampled_from(DTYPES), hs.sampled_from([1, 5, 63, 64, 300, 9000]), hs.data())
@settings(deadline=None, max_examples=60)
def test_largest_are_the_first_of_the_order(seed, t, n, data):
    k = data.draw(hs.integers(0, n) | hs.integers(0, min(n, 10)))
    x = samples(t, n, seed)
    if data.draw(hs.booleans()):  # without NaN, and fewer ties
        x = np.random.default_rng(seed).permutation(n).astype(t)
    np.testing.assert_array_equal(so._largest(x, k), so._order(x, 0, True)[:k])
    rows = np.stack([x, x[::-1]])
    np.testing.assert_array_equal(so._largest(rows, k), so._order(rows, 1, True)[:, :k])


@pytest.mark.parametrize(
    "x",
    [
        np.zeros(100_000, np.float32),  # all candidates
        np.arange(100_000, dtype=np.float32),  # all of the largest in few pieces
        np.arange(100_000, 0, -1).astype(np.float64),
        np.where(np.arange(100_000) % 1000 == 7, np.nan, 1.0).astype(np.float32),
    ],
    ids=["equal", "rising", "falling", "with NaN"],
)
def test_largest_of_long_vectors(x):
    for k in (1, 3, 50, 200):
        np.testing.assert_array_equal(so._largest(x, k), so._order(x, 0, True)[:k])


def test_candidates_hold_the_largest_and_are_few():
    x = np.random.default_rng(0).standard_normal(200_000).astype(np.float32)
    found = so._candidates(x, 100)
    assert len(found) < 2000
    assert set(so._order(x, 0, True)[:100].tolist()) <= set(found.tolist())


@given(hs.integers(0, 10**6), hs.sampled_from(["left", "right"]))
@settings(deadline=None, max_examples=40)
def test_searchsorted(seed, side):
    rng = np.random.default_rng(seed)
    s = np.sort(rng.integers(-3, 4, (3, rng.integers(0, 6))).astype(np.float32))
    v = rng.integers(-4, 5, (3, 4)).astype(np.float32)
    got = so._searchsorted(s, v, side=side, index_type=dt.int64)
    for i, j in np.ndindex(v.shape):
        assert got[i, j] == sum(a < v[i, j] if side == "left" else a <= v[i, j] for a in s[i])


@given(hs.lists(hs.integers(-3, 3)), hs.sampled_from([np.int32, np.float32, ml_dtypes.bfloat16, np.complex64]))
@settings(deadline=None, max_examples=60)
def test_unique(values, t):
    x = np.array(values, np.float32).astype(t)
    y, idx, count, first = so._unique(x, index_type=dt.int32)
    distinct = list(dict.fromkeys(values))
    assert [complex(v).real for v in y] == distinct
    assert idx.tolist() == [distinct.index(v) for v in values]
    assert count.tolist() == [values.count(v) for v in distinct]
    assert first.tolist() == [values.index(v) for v in distinct]


def test_unique_of_nan_zeros_and_strings():
    y, idx, _, _ = so._unique(np.array([np.nan, np.nan, 1.0]), index_type=dt.int32)
    assert idx.tolist() == [0, 1, 2] and len(y) == 3  # no NaN is like another
    assert so._unique(np.array([0.0, -0.0]), index_type=dt.int32)[1].tolist() == [0, 0]
    words = np.array([b"b", b"a", b"b"], object)
    assert so._unique(words, index_type=dt.int32)[0].tolist() == [b"b", b"a"]


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("largest", [False, True])
def test_running_extremes_and_their_places(largest, reverse):
    x = np.array([[1.0, 3, 3, 2, 5, 5], [2, 1, np.nan, 7, 0, np.nan]])
    row = so.cummax if largest else so.cummin
    out = row.kernel(x, axis=1, reverse=reverse)
    place = so._running_place(x, out, axis=1, reverse=reverse)
    for r in range(2):
        order = range(6)[::-1] if reverse else range(6)
        best = None
        for j in order:
            if best is None or (
                not np.isnan(x[r, best]) and not (x[r, j] <= x[r, best] if largest else x[r, j] >= x[r, best])
            ):
                best = j
            np.testing.assert_equal(out[r, j], x[r, best])
            assert place[r, j] == best


@given(hs.integers(0, 10**6), hs.integers(0, 6))
@settings(deadline=None, max_examples=40)
def test_bincount(seed, size):
    rng = np.random.default_rng(seed)
    i = rng.integers(0, 6, (2, 5)).astype(np.int32)
    w = rng.standard_normal((2, 5))
    counts = so._bincount(i, size=size, dtype=dt.float32, binary=False)
    sums = so._weighted_bincount(i, w, size=size)
    for r in range(2):
        for v in range(size):
            assert counts[r, v] == sum(i[r] == v)
            assert sums[r, v] == pytest.approx(sum(w[r][i[r] == v]))
    assert (
        so._weighted_bincount(i, w.astype(np.int64) + 2**60, size=6).sum() == (w.astype(np.int64) + 2**60).sum()
    )  # exact


# -- recurrences, which stand with the reductions ----------------------------------------------------------------------------


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("n", [0, 1, 5, 64, 65, 100, 1037])
def test_recurrence(n, reverse):
    rng = np.random.default_rng(n)
    a, b = rng.uniform(-1.2, 1.2, (n, 2)), rng.standard_normal((n, 2))
    want, last = np.zeros_like(b), np.zeros(2)
    for i in range(n)[::-1] if reverse else range(n):
        want[i] = last = a[i] * last + b[i]
    np.testing.assert_allclose(rd._recurrence(a, b, axis=0, reverse=reverse), want, rtol=1e-9, atol=1e-9)


def test_recurrence_of_factors_whose_product_overflows():
    a, b = np.full(400, 1e10), np.zeros(400)
    np.testing.assert_array_equal(rd._recurrence(a, b, axis=0, reverse=False), b)
