"""``tf.random``: distributions by statistical tests with fixed seeds, what determines the numbers, threads, gradients, errors.

A statistical test fails by chance with the probability of its threshold, 1e-4 here, but with a fixed seed it does so always or
never: a failure means that the numbers have changed, and then that they should be looked at.
"""

import copy
import hashlib
import inspect
import math
import pickle
import threading
from itertools import permutations

import numpy as np
import pytest
import scipy.stats

import gradtape as tf
from gradtape import random
from gradtape.core.reductions import reduce_sum
from gradtape.ground import dtypes as dt
from gradtape.ground.errors import InvalidArgumentError, UnimplementedError
from gradtape.ground.shapes import TensorShape
from gradtape.primitives import random as rows

P = 1e-4
FLOATS = [dt.float16, dt.bfloat16, dt.float32, dt.float64]
SEED = [12, 34]


def same(a, b):
    return np.array_equal(np.asarray(a), np.asarray(b))


def wide(t):
    return t.numpy().astype(float)


# -- distributions ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("d", [dt.float32, dt.float64])
@pytest.mark.parametrize("n", [1000, 100000])
class TestDistribution:
    """The whole distribution, by Kolmogorov and Smirnov."""

    def test_uniform(self, d, n):
        assert scipy.stats.kstest(wide(random.stateless_uniform([n], SEED, dtype=d)), "uniform").pvalue > P

    def test_uniform_between(self, d, n):
        x = random.stateless_uniform([n], SEED, -3.0, 5.0, dtype=d)
        assert scipy.stats.kstest(wide(x), scipy.stats.uniform(-3, 8).cdf).pvalue > P

    def test_normal(self, d, n):
        assert scipy.stats.kstest(wide(random.stateless_normal([n], SEED, dtype=d)), "norm").pvalue > P

    def test_normal_with_mean_and_deviation(self, d, n):
        x = random.stateless_normal([n], SEED, 2.0, 0.5, dtype=d)
        assert scipy.stats.kstest(wide(x), scipy.stats.norm(2, 0.5).cdf).pvalue > P

    def test_truncated_normal(self, d, n):
        x = wide(random.stateless_truncated_normal([n], SEED, dtype=d))
        assert scipy.stats.kstest(x, scipy.stats.truncnorm(-2, 2).cdf).pvalue > P
        assert np.abs(x).max() < 2


def chi2(counts, probabilities):
    counts = np.asarray(counts)
    return scipy.stats.chisquare(counts, np.asarray(probabilities) * counts.sum()).pvalue


@pytest.mark.parametrize(("d", "bits"), [(dt.float16, 10), (dt.bfloat16, 7), (dt.float32, 23), (dt.float64, 52)])
def test_uniform_is_made_of_multiples_of_the_smallest_step_and_never_1(d, bits):
    x = wide(random.stateless_uniform([1 << 16], SEED, dtype=d))
    whole = x * 2.0**bits
    assert (whole == np.floor(whole)).all() and x.min() >= 0 and x.max() <= 1 - 2.0**-bits
    assert chi2(np.bincount((x * 64).astype(int), minlength=64), np.full(64, 1 / 64)) > P
    lowest = whole.astype(np.int64) & 1  # the lowest bit is as random as the others
    assert chi2(np.bincount(lowest, minlength=2), [0.5, 0.5]) > P


@pytest.mark.parametrize("d", [dt.float16, dt.bfloat16])
def test_normal_in_half_precision(d):
    """Rounded from float32: the moments, and the tails that are beyond any rounding."""
    n = 50000
    x = wide(random.stateless_normal([n], SEED, dtype=d))
    assert abs(x.mean()) < 4 / math.sqrt(n) and abs(x.var() - 1) < 4 * math.sqrt(2 / n) + 1e-4
    assert abs(np.count_nonzero(np.abs(x) > 3) - 0.0027 * n) < 4 * math.sqrt(0.0027 * n)
    assert np.abs(wide(random.stateless_truncated_normal([n], SEED, dtype=d))).max() < 2


@pytest.mark.parametrize("d", [dt.int32, dt.int64])
@pytest.mark.parametrize(("low", "high"), [(0, 2), (-3, 4), (10, 27), (0, 1)])
def test_uniform_integers(d, low, high):
    x = random.stateless_uniform([20000], SEED, low, high, dtype=d).numpy()
    assert x.min() == low and x.max() == high - 1
    if high - low > 1:
        assert chi2(np.bincount(x - low), np.full(high - low, 1 / (high - low))) > P


def test_uniform_integers_are_not_biased_by_a_remainder():
    """Of 3·2^30 values, a remainder of 32 random bits would draw the lower third twice as often."""
    x = random.stateless_uniform([20000], SEED, -(2**31), 2**30, dtype=dt.int32).numpy().astype(np.int64)
    assert chi2(np.bincount((x + 2**31) >> 30, minlength=3), [1 / 3] * 3) > P


@pytest.mark.parametrize("d", [dt.int32, dt.int64, dt.uint32, dt.uint64])
def test_full_integers_have_fair_bits(d):
    n, bits = 4000, 8 * d.size
    x = random.Generator.from_seed(5).uniform_full_int([n], d).numpy().view(f"u{d.size}")
    ones = [(int(np.count_nonzero(x >> np.array(b, x.dtype) & np.array(1, x.dtype)))) for b in range(bits)]
    p = [scipy.stats.binomtest(k, n, 0.5).pvalue for k in ones]
    assert min(p) > P / bits


def test_categorical():
    logits = np.log([[0.1, 0.2, 0.7], [0.5, 0.25, 0.25]]) + [[100.0], [-100.0]]
    for n, times in ((20000, 1), (3, 700)):  # many samples are drawn another way than few
        x = np.concatenate([random.stateless_categorical(logits, n, [1, i]).numpy() for i in range(times)], 1)
        assert chi2(np.bincount(x[0]), [0.1, 0.2, 0.7]) > P
        assert chi2(np.bincount(x[1]), [0.5, 0.25, 0.25]) > P
        assert abs(np.corrcoef(x)[0, 1]) < 4 / math.sqrt(x.shape[1])


def test_categorical_of_impossible_classes():
    inf = float("inf")
    x = random.stateless_categorical([[-inf, 0.0, -inf, 0.0, -inf]], 1000, SEED).numpy()
    assert set(x.ravel()) == {1, 3}
    assert same(random.stateless_categorical([[0.0, -2000.0]] * 2, 5, SEED), np.zeros((2, 5)))


@pytest.mark.parametrize("d", [dt.float16, dt.float32])
@pytest.mark.parametrize("n", [0, 1, 7, 8, 50])
def test_categorical_shapes(d, n):
    x = random.categorical(tf.constant(np.zeros((3, 4)), d), n, dtype=dt.int32)
    assert x._shape == (3, n) and x.dtype is dt.int32
    assert random.categorical(np.zeros((0, 4), np.float32), n)._shape == (0, n)


def test_every_permutation_is_as_likely():
    counts = dict.fromkeys(permutations(range(4)), 0)
    g = random.Generator.from_seed(3)
    for seed in g.make_seeds(4800).numpy().T:
        counts[tuple(random.stateless_shuffle(np.arange(4), seed).numpy().tolist())] += 1
    assert chi2(list(counts.values()), np.full(24, 1 / 24)) > P


def test_shuffle_moves_whole_slices():
    x = np.arange(60).reshape(20, 3)
    y = random.stateless_shuffle(x, SEED).numpy()
    assert not same(x, y) and same(np.sort(y[:, 0]), x[:, 0]) and same(y - y[:, :1], [[0, 1, 2]] * 20)
    assert sorted(random.shuffle(["a", "b", "c"]).numpy().tolist()) == [b"a", b"b", b"c"]
    assert random.shuffle(5.0).numpy() == 5.0 and random.shuffle(np.zeros((0, 2)))._shape == (0, 2)


def test_mask_has_the_given_probability():
    prob = tf.constant(0.3)
    x = rows.mask(tf.constant(SEED), prob, tf.constant(np.zeros(50000, np.float32)), shape=(None,)).numpy()
    assert scipy.stats.binomtest(int(x.sum()), 50000, 0.3).pvalue > P


# -- independence -------------------------------------------------------------------------------------------------------------------


def uncorrelated(*xs):
    x = np.array(xs)
    r = np.corrcoef(x)[np.triu_indices(len(xs), 1)]
    return np.abs(r).max() < 5 / math.sqrt(x.shape[1])


N = 4000


def test_draws_that_follow_one_another_are_independent():
    g = random.Generator.from_seed(1)
    assert uncorrelated(*[wide(g.normal([N])) for _ in range(8)])
    random.set_seed(1)
    assert uncorrelated(
        *[wide(random.uniform([N])) for _ in range(4)], *[wide(random.uniform([N], seed=s)) for s in range(4)]
    )


def test_neighbouring_seeds_are_independent():
    assert uncorrelated(*[wide(random.stateless_uniform([N], [a, b])) for a in range(3) for b in range(3)])
    assert uncorrelated(*[wide(random.Generator.from_seed(s).uniform([N])) for s in range(6)])


def test_one_seed_gives_independent_draws_of_different_kinds():
    """In TensorFlow a seed used twice, for uniform and for normal numbers, gives the one as a function of the other."""
    for f, g in (
        (random.stateless_uniform, random.stateless_normal),
        (random.stateless_normal, random.stateless_truncated_normal),
    ):
        assert uncorrelated(wide(f([N], SEED)), wide(g([N], SEED)))
    random.set_seed(1)
    assert uncorrelated(
        wide(random.uniform([N], seed=1)),
        wide(random.normal([N], seed=1)),
        wide(random.normal([N], seed=1, dtype=dt.float64)),
    )


def test_split_and_folded_seeds_are_independent():
    parts = random.split(SEED, 4).numpy()
    assert len({tuple(p) for p in parts.tolist()} | {tuple(SEED)}) == 5
    folded = [random.fold_in(SEED, i).numpy() for i in range(4)]
    assert uncorrelated(*[wide(random.stateless_normal([N], s)) for s in [SEED, *parts, *folded]])


def test_generators_split_off_are_independent():
    g = random.Generator.from_seed(1)
    a, b = g.split(2)
    assert uncorrelated(*[wide(x.normal([N])) for x in (g, a, b)])


# -- what determines the numbers ------------------------------------------------------------------------------------------------------


def philox(key, counter, n):
    """The raw words of NumPy's Philox, from an object of their own."""
    mask = (1 << 64) - 1
    words = lambda ks: np.array(
        [k & mask for k in ks], np.uint64
    )  # a list of ints of both sizes would go through float64
    return np.random.Philox(key=words(key), counter=words(counter)).random_raw(n)


def test_uniform_is_philox():
    """The bit stream is part of what a version promises: the key is the seed, the counter names the kind of draw and the position."""
    words = philox([12, 34], [0, 1, 0, 0], 5)
    assert same(random.stateless_uniform([5], SEED, dtype=dt.float64), (words >> 12) * 2.0**-52)
    assert same(random.stateless_uniform([9], SEED), (words.view(np.uint32)[:9] >> 9) * np.float32(2**-23))
    assert same(
        random.stateless_uniform([3], [-1, -2], dtype=dt.float64), (philox([-1, -2], [0, 1, 0, 0], 3) >> 12) * 2.0**-52
    )
    g = random.Generator.from_state([7, 8, -9], "philox")
    assert same(g.uniform_full_int([5]), philox([-9, 0x9E3779B97F4A7C15], [0, 4, 7, 8], 5))


@pytest.mark.parametrize(
    ("seeds", "names"), [((1, None), None), ((1, 5), ("uniform", "float64", 5)), ((None, 5), ("uniform", "float64", 5))]
)
def test_the_key_of_a_sequence_is_a_hash_of_the_seeds(seeds, names):
    """Part of the promise too: a seed gives the same numbers in the next version."""
    digest = hashlib.blake2b(repr((seeds[0] or 87654321, names)).encode(), digest_size=8).digest()
    random.set_seed(seeds[0])
    words = philox([int.from_bytes(digest, "little"), 0x9E3779B97F4A7C15], [0, 1, 0, 0], 4)
    assert same(random.uniform([4], dtype=dt.float64, seed=seeds[1]), (words >> 12) * 2.0**-52)


@pytest.mark.parametrize("f", [random.stateless_normal, random.stateless_uniform, random.stateless_truncated_normal])
def test_stateless_draws_depend_on_the_seed_alone(f):
    a = f([3, 4], SEED)
    random.normal([5])
    assert (
        same(f([3, 4], SEED), a)
        and same(f([3, 4], tf.constant(SEED, dt.int64)), a)
        and same(f([3, 4], np.array(SEED)), a)
    )
    assert not same(f([3, 4], [12, 35]), a) and not same(f([3, 4], [34, 12]), a)


def test_set_seed_starts_the_sequences_again():
    """The four cases of TensorFlow's documentation."""

    def program():
        return [
            random.normal([2]), random.normal([2]), random.uniform([2], seed=1), random.uniform([2], seed=1),
            random.shuffle(np.arange(50)), random.categorical([[0.0] * 50], 3), random.truncated_normal([2], seed=1),
            random.uniform([2], seed=2), random.uniform([3], 0, 1000, dtype=dt.int32),
        ]  # fmt: skip

    random.set_seed(1)
    first = program()
    random.set_seed(1)
    assert all(map(same, first, program()))
    assert not any(map(same, first, program()))  # it goes on
    random.set_seed(2)
    assert not any(map(same, first, program()))


def test_a_seed_of_its_own_makes_a_sequence_of_its_own():
    random.set_seed(None)
    a, b = random.uniform([2], seed=1), random.uniform([2], seed=1)
    assert not same(a, b)
    random.set_seed(None)
    random.uniform([2])
    random.uniform([2], seed=2)
    assert same(random.uniform([2], seed=1), a) and same(random.uniform([2], seed=1), b)
    random.set_seed(87654321)  # TensorFlow's default
    assert same(random.uniform([2], seed=1), a)


def test_without_a_seed_numbers_differ_from_run_to_run():
    random.set_seed(None)
    a = random.normal([4])
    random.set_seed(None)
    assert not same(random.normal([4]), a)
    assert not same(
        random.Generator.from_non_deterministic_state().normal([4]),
        random.Generator.from_non_deterministic_state().normal([4]),
    )


@pytest.mark.parametrize("seed", [0, -3, 2**40, 2**70, 1.5, np.int64(7), np.float32(0.5), True])
def test_seeds_may_be_any_number(seed):
    random.set_seed(seed)
    a, b = random.normal([4]), random.normal([4], seed=seed)
    random.set_seed(seed)
    assert same(random.normal([4]), a) and same(random.normal([4], seed=seed), b)


def test_a_seed_is_the_same_as_a_tensor_or_a_float():
    random.set_seed(5)
    a = random.normal([4])
    for seed in (tf.constant(5), 5.0, np.int8(5)):
        random.set_seed(seed)
        assert same(random.normal([4]), a)


# -- generators ---------------------------------------------------------------------------------------------------------------------------


def test_generator_repeats_from_its_state():
    g = random.Generator.from_seed(3)
    state = g.state.numpy()
    a = g.normal([5])
    b = g.normal([5])
    assert not same(a, b)
    g.reset(state)
    assert same(g.normal([5]), a)
    g.reset_from_seed(3)
    assert same(g.normal([5]), a) and same(g.normal([5]), b)
    h = random.Generator(copy_from=g)
    assert same(h.normal([5]), g.normal([5])) and h.state is not g.state
    v = tf.Variable(state)
    assert random.Generator(state=v, alg=1).state is v


def test_generator_state():
    """Position and key; ``skip(n)`` moves as far as a draw of n numbers, whatever the draw."""
    g = random.Generator.from_seed(1234)
    assert g.state.dtype is dt.int64 and g.state.numpy().tolist() == [0, 0, 1234]
    assert g.key.numpy() == 1234 and g.algorithm == 1
    draws = [
        lambda: g.normal([2, 3]), lambda: g.uniform([6]), lambda: g.uniform([6], 0, 9, dt.int32), lambda: g.truncated_normal([6], dtype=dt.float64),
        lambda: g.uniform_full_int([6]), lambda: g.skip(6), lambda: g.make_seeds(6), lambda: g.split(6),
    ]  # fmt: skip
    for i, draw in enumerate(draws):
        draw()
        assert g.state.numpy().tolist() == [6 * (i + 1), 0, 1234]
    g.normal([0])
    assert g.state.numpy()[0] == 48
    g.skip(-8)
    assert g.state.numpy()[0] == 40
    assert random.Generator.from_key_counter(9, [7, 8], "philox").state.numpy().tolist() == [7, 8, 9]
    g.reset_from_key_counter(-1, [-2, 3])
    assert g.state.numpy().tolist() == [-2, 3, -1]
    assert g.skip(1).numpy().tolist() == [-2, 3, -1]


@pytest.mark.parametrize(
    ("before", "by", "after"),
    [
        ([0, 0, 5], 1, [1, 0, 5]),
        ([-1, 0, 5], 1, [0, 1, 5]),  # the low word is full
        ([-1, -1, 5], 2, [1, 0, 5]),
        ([2**63 - 1, 7, 5], 1, [-(2**63), 7, 5]),
        ([-5, 7, 5], 10, [5, 8, 5]),
        ([5, 7, 5], -10, [-5, 6, 5]),
        ([0, 0, 5], -1, [-1, -1, 5]),
    ],
)
def test_advancing_carries(before, by, after):
    assert rows.advance(tf.constant(before, dt.int64), tf.constant(by, dt.int64)).numpy().tolist() == after
    strided = np.repeat(np.array(before), 2)[::2]
    assert rows.advance.kernel(strided, np.int64(by)).tolist() == after


def test_seeds_of_generators():
    state = lambda s: random.create_rng_state(s, "philox").numpy().tolist()
    assert state(2**63) == [0, 0, -(2**63)] and state(-5) == [0, 0, -5] and state(2**64 + 1) == [0, 0, 1]
    assert state([1, 2]) == [0, 1, 2] and state([1, 2, 3]) == [1, 2, 3] and state(tf.constant(4)) == [0, 0, 4]


def test_copies_and_pickles_go_their_own_way():
    g = random.Generator.from_seed(1)
    g.normal([3])
    for h in (copy.deepcopy(g), pickle.loads(pickle.dumps(g))):
        assert same(h.state, g.state)
        before = g.state.numpy()
        h.normal([3])
        assert same(g.state, before)


def test_global_generator():
    g = random.get_global_generator()
    assert random.get_global_generator() is g
    random.set_seed(1)
    assert random.get_global_generator() is g
    h = random.Generator.from_seed(1)
    try:
        random.set_global_generator(h)
        assert random.get_global_generator() is h and random.experimental.get_global_generator() is h
    finally:
        random.set_global_generator(g)


def test_threads_share_a_generator():
    """Each state is used once: together the threads draw what one would have drawn."""
    g = random.Generator.from_seed(2)
    alone = {g.normal([3]).numpy().tobytes() for _ in range(400)}
    g.reset_from_seed(2)
    drawn: list = []

    def work():
        for _ in range(100):
            drawn.append(g.normal([3]).numpy().tobytes())

    run_in_threads(work)
    assert len(drawn) == 400 and set(drawn) == alone
    assert g.state.numpy()[0] == 1200


def test_threads_share_the_global_seed():
    random.set_seed(4)
    alone = {random.normal([3], seed=1).numpy().tobytes() for _ in range(400)}
    random.set_seed(4)
    drawn: list = []

    def work():
        for _ in range(100):
            drawn.append(random.normal([3], seed=1).numpy().tobytes())
            random.uniform([1])

    run_in_threads(work)
    assert len(drawn) == 400 and set(drawn) == alone


def test_threads_do_not_disturb_stateless_draws():
    want = random.stateless_normal([50], SEED).numpy()
    wrong: list = []

    def work():
        for i in range(100):
            random.stateless_uniform([10], [i, i])
            if not same(random.stateless_normal([50], SEED), want):
                wrong.append(i)

    run_in_threads(work)
    assert not wrong


def run_in_threads(work):
    failures: list = []

    def guarded():
        try:
            work()
        except Exception as e:
            failures.append(e)

    threads = [threading.Thread(target=guarded) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failures


# -- gradients --------------------------------------------------------------------------------------------------------------------------------

G = random.Generator.from_seed(1)


@pytest.mark.parametrize(
    "draw",
    [random.normal, random.truncated_normal, lambda s, *a: random.stateless_normal(s, SEED, *a), lambda s, *a: random.stateless_truncated_normal(s, SEED, *a),
     lambda *a: G.normal(*a), lambda *a: G.truncated_normal(*a)],
)  # fmt: skip
def test_gradients_flow_to_mean_and_deviation(draw):
    m, s = tf.constant(1.0), tf.constant([2.0, 3.0])
    with tf.GradientTape() as tape:
        tape.watch([m, s])
        x = draw([5, 2], m, s)
        y = reduce_sum(x * x)
    dm, ds = tape.gradient(y, [m, s])
    z = (wide(x) - 1) / [2, 3]
    np.testing.assert_allclose(dm.numpy(), 2 * wide(x).sum(), rtol=1e-5)
    np.testing.assert_allclose(ds.numpy(), (2 * wide(x) * z).sum(0), rtol=1e-5)


@pytest.mark.parametrize(
    "draw", [random.uniform, lambda s, *a: random.stateless_uniform(s, SEED, *a), lambda *a: G.uniform(*a)]
)
def test_gradients_flow_to_the_bounds(draw):
    low, high = tf.constant(1.0), tf.constant(3.0)
    with tf.GradientTape() as tape:
        tape.watch([low, high])
        x = draw([50], low, high)
    dlow, dhigh = tape.gradient(x, [low, high])
    u = (wide(x) - 1) / 2
    np.testing.assert_allclose([dlow.numpy(), dhigh.numpy()], [(1 - u).sum(), u.sum()], rtol=1e-5)
    assert wide(x).min() >= 1 and wide(x).max() < 3


def test_gradients_flow_back_through_a_shuffle():
    x = tf.constant([1.0, 2.0, 3.0, 4.0, 5.0])
    for shuffle in (random.shuffle, lambda v: random.stateless_shuffle(v, SEED)):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = shuffle(x)
            loss = reduce_sum(y * y * y)
        np.testing.assert_allclose(tape.gradient(loss, x).numpy(), 3 * x.numpy() ** 2)


def test_categorical_has_no_gradient():
    x = tf.constant([[0.0, 1.0]])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = random.categorical(x, 3)
    assert tape.gradient(y, x) is None


# -- forms --------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("d", FLOATS)
@pytest.mark.parametrize("shape", [[], [3], [2, 0], (2, 3), np.array([2, 3]), tf.constant([4]), TensorShape([2, 1])])
def test_shape_and_dtype(d, shape):
    want = tuple(np.asarray(shape._a).tolist()) if isinstance(shape, tf.Tensor) else tuple(int(s) for s in shape)
    g = random.Generator.from_seed(1)
    for x in (
        random.normal(shape, dtype=d), random.uniform(shape, dtype=d), random.truncated_normal(shape, dtype=d), g.normal(shape, dtype=d), g.uniform(shape, dtype=d),
        random.stateless_normal(shape, SEED, dtype=d), random.stateless_uniform(shape, SEED, dtype=d.name), random.stateless_truncated_normal(shape, SEED, 1, 2, d),
    ):  # fmt: skip
        assert x._shape == want and x.dtype is d
        assert isinstance(x._a, np.ndarray if want else d.type)


def test_means_broadcast():
    x = random.normal([3, 1], [0.0, 100.0], [0.0, 1.0]).numpy()
    assert x.shape == (3, 2) and (x[:, 0] == 0).all() and (x[:, 1] > 90).all()
    assert random.normal([1000], mean=np.float64(5), stddev=0).numpy().tolist() == [5.0] * 1000


def test_integer_bounds():
    assert random.uniform([3], maxval=1, dtype=dt.int32).numpy().tolist() == [0, 0, 0]
    assert random.uniform([0], 7, 5, dtype=dt.int32)._shape == (0,)
    x = random.uniform([100], -(2**63), 2**63 - 1, dtype=dt.int64).numpy()
    assert x.min() < -(2**60) and x.max() > 2**60
    assert random.uniform([], tf.constant(4), tf.constant(5), dtype=dt.int32).numpy() == 4
    assert random.stateless_uniform([4], SEED, None, None, dt.uint64).dtype is dt.uint64
    assert random.Generator.from_seed(1).uniform([4], None, None, dt.uint32).dtype is dt.uint32


def test_split_and_fold_in():
    assert random.split(SEED)._shape == (2, 2) and random.split(SEED, 0)._shape == (0, 2)
    assert random.split(SEED).dtype is dt.int32 and random.split(np.array(SEED), 3).dtype is dt.int64
    assert same(random.split(SEED, 3), random.experimental.stateless_split(SEED, 3))
    f = random.fold_in(SEED, 7)
    assert f._shape == (2,) and f.dtype is dt.int32 and same(f, random.fold_in(SEED, 7))
    assert random.fold_in(SEED, np.int64(7)).dtype is dt.int64


def test_algorithms():
    for alg in ("philox", "PHILOX", "auto_select", 1, 3, None, random.Algorithm.PHILOX, tf.constant(1)):
        assert same(random.stateless_normal([3], SEED, alg=alg), random.stateless_normal([3], SEED))
    assert [(a.name, a.value) for a in random.Algorithm] == [("PHILOX", 1), ("THREEFRY", 2), ("AUTO_SELECT", 3)]


SIGNATURES = {
    "set_seed": "(seed)",
    "normal": "(shape, mean=0.0, stddev=1.0, dtype=tf.float32, seed=None, name=None)",
    "truncated_normal": "(shape, mean=0.0, stddev=1.0, dtype=tf.float32, seed=None, name=None)",
    "uniform": "(shape, minval=0, maxval=None, dtype=tf.float32, seed=None, name=None)",
    "shuffle": "(value, seed=None, name=None)",
    "categorical": "(logits, num_samples, dtype=None, seed=None, name=None)",
    "stateless_normal": "(shape, seed, mean=0.0, stddev=1.0, dtype=tf.float32, name=None, alg='auto_select')",
    "stateless_truncated_normal": "(shape, seed, mean=0.0, stddev=1.0, dtype=tf.float32, name=None, alg='auto_select')",
    "stateless_uniform": "(shape, seed, minval=0, maxval=None, dtype=tf.float32, name=None, alg='auto_select')",
    "stateless_categorical": "(logits, num_samples, seed, dtype=tf.int64, name=None)",
    "stateless_shuffle": "(value, seed, alg='auto_select', name=None)",
    "split": "(seed, num=2, alg='auto_select')",
    "fold_in": "(seed, data, alg='auto_select')",
    "create_rng_state": "(seed, alg)",
    "get_global_generator": "()",
    "set_global_generator": "(generator)",
    "Generator.__init__": "(self, copy_from=None, state=None, alg=None)",
    "Generator.from_seed": "(seed, alg=None)",
    "Generator.from_state": "(state, alg)",
    "Generator.from_key_counter": "(key, counter, alg)",
    "Generator.from_non_deterministic_state": "(alg=None)",
    "Generator.reset": "(self, state)",
    "Generator.reset_from_seed": "(self, seed)",
    "Generator.reset_from_key_counter": "(self, key, counter)",
    "Generator.skip": "(self, delta)",
    "Generator.normal": "(self, shape, mean=0.0, stddev=1.0, dtype=tf.float32, name=None)",
    "Generator.truncated_normal": "(self, shape, mean=0.0, stddev=1.0, dtype=tf.float32, name=None)",
    "Generator.uniform": "(self, shape, minval=0, maxval=None, dtype=tf.float32, name=None)",
    "Generator.uniform_full_int": "(self, shape, dtype=tf.uint64, name=None)",
    "Generator.make_seeds": "(self, count=1)",
    "Generator.split": "(self, count=1)",
}


@pytest.mark.parametrize("name", SIGNATURES)
def test_signature(name):
    """That of TensorFlow 2.21."""
    f = random
    for part in name.split("."):
        f = getattr(f, part)
    parameters = inspect.signature(f).parameters.values()
    assert str(inspect.Signature([p.replace(annotation=p.empty) for p in parameters])) == SIGNATURES[name]


# -- what is refused -------------------------------------------------------------------------------------------------------------------------------

REFUSED = {
    "a negative dimension": (lambda: random.normal([-3]), InvalidArgumentError, "Dimension -3 must be >= 0"),
    "a scalar shape": (lambda: random.normal(3), InvalidArgumentError, "must be a vector"),
    "a matrix for a shape": (lambda: random.uniform([[1]]), InvalidArgumentError, "must be a vector"),
    "a shape of floats": (lambda: random.normal([3.0]), TypeError, "shape must be made of integers"),
    "an unknown shape": (lambda: random.normal([None]), ValueError, "shape must be fully known"),
    "normal integers": (lambda: random.normal([2], dtype=dt.int32), TypeError, "int32"),
    "a mean of another dtype": (lambda: random.normal([2], tf.constant(1.0, dt.float64)), ValueError, "float32 for Tensor with dtype float64"),
    "means that do not broadcast": (lambda: random.normal([3], [0.0, 10.0]), InvalidArgumentError, r"\[3\] vs. \[2\]"),
    "integers without a bound": (lambda: random.uniform([2], dtype=dt.int32), ValueError, "Must specify maxval"),
    "unsigned integers": (lambda: random.uniform([2], 0, 9, dtype=dt.uint32), ValueError, "invalid value.*uint32"),
    "uniform bools": (lambda: random.uniform([2], dtype=dt.bool_), ValueError, "invalid value"),
    "an empty range": (lambda: random.uniform([2], 5, 5, dtype=dt.int32), InvalidArgumentError, "Need minval < maxval, got 5 >= 5"),
    "a range backwards": (lambda: random.uniform([2], 7, 5, dtype=dt.int64), InvalidArgumentError, "Need minval < maxval, got 7 >= 5"),
    "a vector of bounds": (lambda: random.uniform([2], [1, 2], [3, 4], dtype=dt.int32), InvalidArgumentError, r"minval must be 0-D, got shape \[2\]"),
    "fractional bounds": (lambda: random.uniform([2], 0.5, 5.5, dtype=dt.int32), TypeError, "0.5"),
    "a bound out of range": (lambda: random.uniform([2], 0, 2**31, dtype=dt.int32), InvalidArgumentError, "out of range for dtype int32"),
    "no lower bound": (lambda: random.uniform([2], None), ValueError, "minval must be given"),
    "one bound of two": (lambda: random.stateless_uniform([2], SEED, None, 5, dt.int32), ValueError, "both None or not None"),
    "unsigned with bounds": (lambda: random.stateless_uniform([2], SEED, 0, 5, dt.uint32), ValueError, "unsigned"),
    "one bound of two, generator": (lambda: G.uniform([2], 0, None, dt.int32), ValueError, "both `None`"),
    "full floats": (lambda: G.uniform_full_int([2], dt.float32), InvalidArgumentError, "not float32"),
    "a seed of three": (lambda: random.stateless_normal([2], [1, 2, 3]), InvalidArgumentError, r"seed must have shape \[2\], not \[3\]"),
    "a scalar seed": (lambda: random.stateless_normal([2], 1), InvalidArgumentError, r"must have shape \[2\], not \[\]"),
    "a float seed": (lambda: random.stateless_normal([2], [1.0, 2.0]), InvalidArgumentError, "made of integers"),
    "a word for a seed": (lambda: random.set_seed("a"), TypeError, "must be a number, but is 'a'"),
    "a word for a draw's seed": (lambda: random.normal([2], seed="a"), TypeError, "must be a number"),
    "logits of rank 1": (lambda: random.categorical([0.0, 1.0], 3), InvalidArgumentError, r"should be a matrix.*\[2\]"),
    "no classes": (lambda: random.categorical(np.zeros((2, 0), np.float32), 3), InvalidArgumentError, "num_classes should be positive"),
    "a negative number of samples": (lambda: random.categorical([[0.0]], -1), InvalidArgumentError, "non-negative, got -1"),
    "float samples": (lambda: random.categorical([[0.0]], 3, dtype=dt.float32), ValueError, "invalid value.*float32"),
    "integer logits": (lambda: random.categorical([[1, 2]], 3), InvalidArgumentError, "int32"),
    "NaN logits": (lambda: random.categorical([[0.0, 1.0], [0.0, math.nan]], 3), InvalidArgumentError, "Row 1 of the logits"),
    "impossible logits": (lambda: random.categorical([[-math.inf, -math.inf]], 3), InvalidArgumentError, "Row 0 of the logits"),
    "a negative number of seeds": (lambda: random.split(SEED, -1), InvalidArgumentError, "Dimension -1"),
    "a split float": (lambda: random.split([1.0, 2.0]), InvalidArgumentError, "made of integers"),
    "a vector folded in": (lambda: random.fold_in(SEED, [3, 4]), InvalidArgumentError, r"integer scalar.*\[2\]"),
    "a float folded in": (lambda: random.fold_in(SEED, 0.5), InvalidArgumentError, "integer scalar.*float32"),
    "an unknown algorithm": (lambda: random.stateless_normal([1], SEED, alg="x"), ValueError, "unsupported value 'x'"),
    "an unknown number": (lambda: random.Generator.from_seed(1, 7), ValueError, "unsupported value 7"),
    "ThreeFry": (lambda: random.Generator.from_seed(1, "threefry"), UnimplementedError, "ThreeFry"),
    "no algorithm": (lambda: random.create_rng_state(1, None), TypeError, "alg"),
    "a state of two": (lambda: G.reset([1, 2]), ValueError, r"vector of 3 elements, but got int64\[2\]"),
    "no state": (lambda: G.reset(None), ValueError, "None"),
    "a state of floats": (lambda: random.Generator.from_state([1.0, 2, 3], 1), TypeError, "int64"),
    "neither state nor copy": (lambda: random.Generator(), ValueError, "either copy_from or state"),
    "both state and copy": (lambda: random.Generator(copy_from=G, state=[1, 2, 3]), ValueError, "either copy_from or state"),
    "too long a seed": (lambda: random.Generator.from_seed([1, 2, 3, 4]), ValueError, "at most 3 elements"),
    "a seed of a word": (lambda: random.Generator.from_seed("a"), TypeError, "made of integers"),
    "a fractional seed": (lambda: random.Generator.from_seed(1.5), TypeError, "made of integers"),
    "too short a counter": (lambda: random.Generator.from_key_counter(1, [2], 1), ValueError, "2 elements"),
    "no generator": (lambda: random.set_global_generator(3), TypeError, "tf.random.Generator, but is a int"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    f, error, message = REFUSED[name]
    with pytest.raises(error, match=message):
        f()


def test_a_refused_draw_does_not_advance_the_generator():
    g = random.Generator.from_seed(1)
    for f in (
        lambda: g.normal([-1]),
        lambda: g.uniform([2], dtype=dt.bool_),
        lambda: g.uniform_full_int([2], dt.float32),
        lambda: g.normal([2], dtype=dt.int32),
    ):
        with pytest.raises((ValueError, TypeError)):
            f()
    assert g.state.numpy().tolist() == [0, 0, 1]
