"""The kernels of segments and windows against loops. Gradients, batch rules, shapes and dtypes are in the tests generated from the table."""

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as hs

from gradtape.ground.errors import InvalidArgumentError
from gradtape.primitives import segment as sg
from gradtape.primitives import windows as wd

EMPTY = {"sum": 0, "prod": 1}
REDUCE = {"sum": np.sum, "prod": np.prod, "max": np.max, "min": np.min}


@given(hs.integers(0, 10**6), hs.sampled_from(sorted(REDUCE)), hs.booleans(), hs.sampled_from([(), (3,), (0,), (2, 2)]))
@settings(deadline=None, max_examples=80)
def test_segments(seed, how, ascending, row):
    rng = np.random.default_rng(seed)
    n, num = int(rng.integers(0, 40)), 6
    ids = rng.integers(-1, num, n).astype(np.int32)
    ids = np.sort(ids) if ascending else ids
    data = rng.standard_normal((n, *row))
    zero = bool(seed % 2)
    attrs = {"num": num} if how == "sum" else {"num": num, "zero": zero}
    if how in ("max", "min"):
        data[rng.random(n) < 0.2] = rng.choice([np.inf, -np.inf, np.nan])
    got = getattr(sg, f"segment_{how}").kernel(data, ids, **attrs)
    for s in range(num):
        mine = data[ids == s]
        ends = {"max": 0 if zero else np.finfo(float).min, "min": 0 if zero else np.finfo(float).max}
        want = REDUCE[how](mine, 0) if len(mine) else np.full(row, 0 if zero else EMPTY.get(how, ends.get(how)))
        np.testing.assert_allclose(got[s], want, rtol=1e-12)


@pytest.mark.parametrize(
    ("t", "low", "high"),
    [
        (np.float16, -65504.0, 65504.0),
        (np.float32, np.finfo(np.float32).min, np.finfo(np.float32).max),
        (
            ml_dtypes.bfloat16,
            float(ml_dtypes.finfo(ml_dtypes.bfloat16).min),
            float(ml_dtypes.finfo(ml_dtypes.bfloat16).max),
        ),
        (np.int32, -(2**31), 2**31 - 1),
        (np.uint8, 0, 255),
    ],
    ids=lambda v: np.dtype(v).name if isinstance(v, type) else "",
)
def test_extremes_of_nothing_are_the_ends_of_the_dtype(t, low, high):
    none = np.zeros(0, t), np.zeros(0, np.int32)
    assert float(sg.segment_max.kernel(*none, num=1, zero=False)[0]) == low
    assert float(sg.segment_min.kernel(*none, num=1, zero=False)[0]) == high
    assert float(sg.segment_max.kernel(*none, num=1, zero=True)[0]) == 0


def test_a_number_out_of_range_is_named():
    with pytest.raises(InvalidArgumentError, match=r"segment_ids\[2\] = 3 is not in \[0, 3\)"):
        sg._segment_sum(np.zeros(3), np.array([-1, 2, 3]), num=3)


@given(hs.integers(0, 12), hs.integers(0, 5), hs.integers(1, 4), hs.integers(1, 3), hs.integers(0, 3))
@settings(deadline=None, max_examples=150)
def test_windows_and_their_sum(n, size, step, rate, more):
    x = np.random.default_rng(n).standard_normal((2, n, 2))
    got = wd._windows(x, axis=1, size=size, step=step, rate=rate)
    starts = [i for i in range(0, n + 1, step) if i + wd.span(size, rate) <= n]
    assert got.shape == (2, len(starts), size, 2)
    total = np.zeros((2, n + more, 2))
    for w, start in enumerate(starts):
        for j in range(size):
            np.testing.assert_array_equal(got[:, w, j], x[:, start + j * rate])
            total[:, start + j * rate] += got[:, w, j]
    np.testing.assert_allclose(wd._overlap_add(got, axis=1, n=n + more, step=step, rate=rate), total, atol=1e-12)
