"""Gamma, Poisson, binomial, truncated normal numbers and candidate samplers: distributions by tests with fixed seeds, gradients, shapes, functions.

As in ``test_random.py``, a statistical test fails by chance with the probability of its threshold, but with a fixed seed always or never.
"""

import inspect
import math

import numpy as np
import pytest
import scipy.special as sp
import scipy.stats

import gradtape as tf
from gradtape import random
from gradtape.ground import dtypes as dt
from gradtape.ground.errors import InvalidArgumentError
from gradtape.primitives import distribution as ds
from gradtape.primitives import special

P = 1e-4
SEED = [12, 34]


def wide(t):
    return t.numpy().astype(float)


def same(a, b):
    return np.array_equal(np.asarray(a), np.asarray(b))


def chi2(x, distribution):
    """Counts against the distribution's, those with less than 10 expected taken together at either end."""
    lo, hi = (int(q) for q in distribution.ppf([20 / x.size, 1 - 20 / x.size]))
    bins = np.arange(lo, hi + 1)
    p = np.concatenate([[distribution.cdf(lo)], distribution.pmf(bins[1:-1]), [distribution.sf(hi - 1)]])
    counts = np.bincount(np.clip(x, lo, hi).astype(int) - lo, minlength=len(bins))
    keep = p > 0
    return scipy.stats.chisquare(counts[keep], p[keep] / p[keep].sum() * x.size).pvalue


# -- distributions ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("d", [dt.float32, dt.float64])
@pytest.mark.parametrize("alpha", [0.1, 0.9, 1.0, 3.5, 200.0])
def test_gamma(alpha, d):
    x = wide(random.stateless_gamma([20000], SEED, alpha, dtype=d))
    assert scipy.stats.kstest(x, scipy.stats.gamma(alpha).cdf).pvalue > P
    x = wide(random.stateless_gamma([20000], SEED, alpha, 2.5, dtype=d))
    assert scipy.stats.kstest(x, scipy.stats.gamma(alpha, scale=0.4).cdf).pvalue > P


def test_each_parameter_has_its_own_gamma_distribution():
    alpha, beta = np.array([0.5, 2.0, 9.0]), np.array([[1.0], [4.0]])
    random.set_seed(3)
    for x in (
        random.gamma([5000], alpha, beta, tf.float64),
        random.stateless_gamma([5000, 2, 3], SEED, alpha, beta, tf.float64),
    ):
        assert x._shape == (5000, 2, 3)
        for i in range(2):
            for j in range(3):
                want = scipy.stats.gamma(alpha[j], scale=1 / beta[i, 0])
                assert scipy.stats.kstest(x.numpy()[:, i, j], want.cdf).pvalue > P / 6


@pytest.mark.parametrize("d", [dt.float16, dt.bfloat16])
def test_gamma_in_half_precision(d):
    x = wide(random.stateless_gamma([20000], SEED, 2.0, dtype=d))
    assert abs(x.mean() - 2) < 4 * math.sqrt(2 / 20000) + 0.01
    assert random.stateless_gamma([3], SEED, 2.0, dtype=d).dtype is d


@pytest.mark.parametrize("d", [dt.float16, dt.bfloat16, dt.float32, dt.float64])
def test_gamma_is_never_0(d):
    """As in TensorFlow: log(x) of a sample stays finite."""
    x = random.stateless_gamma([100], SEED, 1e-4, dtype=d)
    assert (x.numpy() > 0).all() and np.isfinite(np.log(wide(x))).all()
    assert same(random.stateless_gamma([2], SEED, 0.0, dtype=d) > 0, [True, True])


def test_gamma_of_what_is_no_parameter_is_nan():
    x = random.stateless_gamma([4], SEED, [-1.0, math.nan, 1.0, math.inf]).numpy()
    assert np.isnan(x[:2]).all() and np.isfinite(x[2]) and x[3] == math.inf


@pytest.mark.parametrize("d", [dt.float32, dt.float64, dt.int32, dt.int64])
@pytest.mark.parametrize("rate", [0.3, 5.0, 30.0, 1000.0])
def test_poisson(rate, d):
    random.set_seed(1)
    for x in (random.poisson([20000], rate, d), random.stateless_poisson([20000], SEED, rate, d)):
        assert x.dtype is d and chi2(x.numpy(), scipy.stats.poisson(rate)) > P


@pytest.mark.parametrize("d", [dt.float32, dt.int32, dt.int64])
@pytest.mark.parametrize(("n", "p"), [(1, 0.3), (10, 0.5), (1000, 0.02), (400, 0.9)])
def test_binomial(n, p, d):
    g = random.Generator.from_seed(4)
    for x in (random.stateless_binomial([20000], SEED, n, p, d), g.binomial([20000], n, p, d)):
        assert x.dtype is d and chi2(x.numpy(), scipy.stats.binom(n, p)) > P
    assert g.state.numpy()[0] == 20000


def test_counts_at_the_ends():
    x = random.stateless_binomial([3, 2], SEED, [0.0, 7.0], [0.5, 1.0]).numpy()
    assert x.tolist() == [[0, 7]] * 3
    assert random.stateless_poisson([2], SEED, 0.0).numpy().tolist() == [0, 0]
    assert random.stateless_poisson([2], SEED, 1e12).numpy().tolist() == [2**31 - 1] * 2  # as many as int32 holds
    x = random.stateless_poisson([2], SEED, [math.nan, 2.0], dt.float32).numpy()
    assert np.isnan(x[0]) and not np.isnan(x[1])


@pytest.mark.parametrize("d", [dt.float32, dt.float64])
@pytest.mark.parametrize(
    ("m", "s", "lo", "hi"),
    [(0, 1, -2, 2), (1, 2, -1, 1.5), (0, 1, 8, 9), (0, 1, -9, -8), (0, 1, -math.inf, 1), (0, 1, -1, math.inf), (0, 1, 4, math.inf), (5, 3, -math.inf, math.inf)],
)  # fmt: skip
def test_truncated_normal_with_parameters(m, s, lo, hi, d):
    ps = [tf.constant(float(v), d) for v in (m, s, lo, hi)]
    x = wide(random.stateless_parameterized_truncated_normal([20000], SEED, *ps))
    assert x.min() >= lo and x.max() <= hi
    assert scipy.stats.kstest(x, scipy.stats.truncnorm((lo - m) / s, (hi - m) / s, m, s).cdf).pvalue > P


@pytest.mark.parametrize("unique", [False, True])
@pytest.mark.parametrize("how", ["uniform", "log_uniform", "fixed"])
def test_candidates(how, unique):
    """How often each class comes up in many draws, against the expected counts that each draw reports."""
    n, k, times = 8, 4, 3000
    weights = np.arange(1.0, 9)
    true = np.arange(8)[None]
    counts, told = np.zeros(n), np.zeros(n)
    random.set_seed(6)
    for _ in range(times):
        if how == "fixed":
            r = random.fixed_unigram_candidate_sampler(true, 8, k, unique, n, unigrams=weights, distortion=0.5)
        else:
            r = getattr(random, how + "_candidate_sampler")(true, 8, k, unique, n)
        sampled, expected, of_sampled = (x.numpy() for x in r)
        assert sampled.shape == (k,) and sampled.dtype == np.int64 and expected.dtype == np.float32
        assert not unique or len(set(sampled.tolist())) == k
        np.testing.assert_allclose(of_sampled, expected[0, sampled], rtol=1e-6)
        counts += np.bincount(sampled, minlength=n)
        told += expected[0]
    p = {"uniform": np.ones(n), "log_uniform": np.log1p(1 / (np.arange(n) + 1.0)), "fixed": np.sqrt(weights)}[how]
    if not unique:
        np.testing.assert_allclose(told / times, k * p / p.sum(), rtol=1e-5)
        assert scipy.stats.chisquare(counts, counts.sum() * p / p.sum()).pvalue > P
    else:  # what is told is an approximation: with the number of tries as if it had been fixed beforehand
        np.testing.assert_allclose(told, counts, rtol=0.2)


def test_candidates_as_tensorflow_counts_them():
    """1 - (1 - p)^tries where classes were drawn again, p·n where none was. Values of TensorFlow 2.21, whose tries the first are told by."""
    assert math.isclose(ds._expected(np.array(math.log(2) / math.log(11)), 5, 6), 0.87088406, rel_tol=1e-6)
    assert ds._expected(np.array(0.1), 5, 5) == 0.5
    r = random.fixed_unigram_candidate_sampler(
        [[0, 1]], 2, 3, False, 5, unigrams=[1.0, 2.0, 3.0, 4.0], distortion=0.5, num_reserved_ids=1
    )
    np.testing.assert_allclose(r.true_expected_count, [[0, 0.48810133]], rtol=1e-6)
    assert same(random.all_candidate_sampler([[0, 1]], 2, 4, True).true_expected_count, [[1, 1]])


def test_candidates_of_one_shard_and_of_a_file(tmp_path):
    file = tmp_path / "words.csv"
    file.write_text("the,10\na,5\nof,1\n")
    r = random.fixed_unigram_candidate_sampler([[0]], 1, 50, False, 3, vocab_file=str(file), num_shards=2, shard=1)
    assert set(r.sampled_candidates.numpy().tolist()) == {1}


# -- the implicit gradient of gamma numbers ----------------------------------------------------------------------------------------


def quantile(alpha, u):
    return sp.gammaincinv(alpha, u)


@pytest.mark.parametrize("alpha", [0.02, 0.3, 1.0, 1.49, 4.0, 30.0, 1000.0])
def test_slope_is_that_of_the_quantile(alpha):
    """dx/dα at a fixed value of the distribution function, by differences of SciPy's quantile function."""
    u = np.array([0.02, 0.3, 0.5, 0.9, 0.999])
    x = quantile(alpha, u)
    h = 1e-4 * alpha
    # fourth order, so that the step may be large enough for the quantile's own errors
    want = (
        8 * (quantile(alpha + h, u) - quantile(alpha - h, u)) - quantile(alpha + 2 * h, u) + quantile(alpha - 2 * h, u)
    ) / (12 * h)
    np.testing.assert_allclose(ds._slope(np.full(5, alpha), x, n=1), want, rtol=1e-7)


@pytest.mark.parametrize("alpha", [1e-3, 0.1, 0.5, 1.0, 1.4, 2.0, 20.0, 100.0, 1e4])
def test_slope_by_another_method(alpha):
    """-P_α/f with P_α by Taylor coefficients of the series and of the continued fraction."""
    x = quantile(alpha, np.random.default_rng(0).uniform(1e-6, 1 - 1e-6, 100))
    x = x[x > 1e-290]
    density = np.exp((alpha - 1) * np.log(x) - x - sp.gammaln(alpha))
    want = -special._igamma(np.full_like(x, alpha), x, n=1) / density
    np.testing.assert_allclose(ds._slope(np.float64(alpha), x, n=1), want, rtol=1e-10 if alpha < 1e3 else 1e-9)


def test_slope_as_tensorflow_has_it():
    """Of ``tf.raw_ops.RandomGammaGrad`` in TensorFlow 2.21."""
    alpha, x = [1e-3, 0.1, 1.0, 2.0, 10.0, 1e3, 1e5], [1e-10, 0.1, 1.5, 3.0, 8.0, 1010.0, 1e5 + 100]
    want = [2.24502790e-06, 2.14692206e00, 1.43093744e00, 1.32179852e00, 9.07547718e-01, 1.00515093e00, 1.00050150e00]
    np.testing.assert_allclose(ds._slope(np.array(alpha), np.array(x), n=1), want, rtol=1e-8)


def test_slope_far_out():
    got = ds._slope(np.array([1.0, 1e8, 0.01, 2.0, 2.0, 1e-300]), np.array([1e-300, 1e8, 600.0, 0.0, np.inf, 1.0]), n=1)
    assert np.isfinite(got[:4]).all() and got[3] == 0 and math.isclose(got[1], 1, rel_tol=1e-4)


@pytest.mark.parametrize("alpha", [0.4, 2.5])
def test_gamma_gradients_have_the_right_mean(alpha):
    """d E[x²]/dα = 2α + 1 and d E[log x]/dα = ψ'(α), from 40000 samples within four standard errors."""
    a = tf.constant([alpha] * 40000, tf.float64)
    for f, want in ((lambda x: x * x, 2 * alpha + 1), (tf.math.log, float(sp.polygamma(1, alpha)))):
        with tf.GradientTape() as tape:
            tape.watch(a)
            y = f(random.stateless_gamma([40000], SEED, a, dtype=tf.float64))
        each = tape.gradient(y, a).numpy()
        assert abs(each.mean() - want) < 4 * each.std() / 200


@pytest.mark.parametrize("d", [dt.float32, dt.float64])
@pytest.mark.parametrize("alpha", [0.6, 5.0])
def test_second_derivative_of_gamma_numbers(alpha, d):
    """By differences of the quantile's slope; TensorFlow has none."""
    a = tf.constant(alpha, d)
    with tf.GradientTape() as outer:
        outer.watch(a)
        with tf.GradientTape() as tape:
            tape.watch(a)
            x = random.stateless_gamma([], SEED, a, dtype=d)
        first = tape.gradient(x, a)
    u, h = sp.gammainc(float(a), float(x)), 1e-4
    slope = lambda s: ds._slope(np.float64(s), quantile(s, u), n=1)
    np.testing.assert_allclose(first.numpy(), slope(float(a)), rtol=20 * np.finfo(d.np).eps * 10)
    want = (slope(float(a) + h) - slope(float(a) - h)) / (2 * h)
    np.testing.assert_allclose(outer.gradient(first, a).numpy(), want, rtol=1e-4 if d is dt.float32 else 1e-6)


@pytest.mark.parametrize("stateless", [False, True])
def test_gamma_gradients_sum_over_the_draws(stateless):
    alpha, beta = tf.constant([0.5, 2.0, 50.0]), tf.constant([[2.0], [3.0]])
    random.set_seed(2)
    with tf.GradientTape() as tape:
        tape.watch([alpha, beta])
        x = random.stateless_gamma([4, 2, 3], SEED, alpha, beta) if stateless else random.gamma([4], alpha, beta)
    da, db = tape.gradient(x, [alpha, beta])
    z = wide(x) * beta.numpy()
    slope = ds._slope(np.broadcast_to(alpha.numpy().astype(float), z.shape), z, n=1)
    np.testing.assert_allclose(da.numpy(), (slope / beta.numpy()).sum((0, 1)), rtol=1e-5)
    np.testing.assert_allclose(db.numpy(), (-wide(x) / beta.numpy()).sum((0, 2))[:, None], rtol=1e-5)


def test_gradients_of_a_beta_variable():
    """x/(x + y) of gamma numbers: d E/da of a Beta(a, b) is b/(a + b)²."""
    a, b = tf.constant([2.0] * 40000, tf.float64), tf.constant(3.0, tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(a)
        x = random.stateless_gamma([40000], [1, 2], a, dtype=tf.float64)
        y = random.stateless_gamma([40000], [3, 4], b, dtype=tf.float64)
        r = x / (x + y)
    assert scipy.stats.kstest(r.numpy(), scipy.stats.beta(2, 3).cdf).pvalue > P
    each = tape.gradient(r, a).numpy()
    assert abs(each.mean() - 3 / 25) < 4 * each.std() / 200


def test_gradients_of_truncated_normal_numbers_in_the_tails():
    """Against differences of the same draw, far out where the density is below 1e-14."""
    at = [0.1, 1.3, 9.0, 9.5]
    ps = [tf.constant(v, tf.float64) for v in at]
    draw = lambda *ps: random.stateless_parameterized_truncated_normal([20], SEED, *ps)
    with tf.GradientTape() as tape:
        tape.watch(ps)
        y = tf.reduce_sum(draw(*ps))
    for i, g in enumerate(tape.gradient(y, ps)):
        up, down = ([tf.constant(v + s * 1e-6 * (i == j), tf.float64) for j, v in enumerate(at)] for s in (1, -1))
        want = float(tf.reduce_sum(draw(*up) - draw(*down))) / 2e-6
        np.testing.assert_allclose(g.numpy(), want, rtol=1e-6)


def test_counts_have_no_gradient():
    rate = tf.constant(3.0)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(rate)
        ys = [random.poisson([3], rate), random.stateless_binomial([3], SEED, 5.0, rate / 10, tf.float32)]
    assert [tape.gradient(y, rate) for y in ys] == [None, None]


# -- what determines the numbers, and forms ------------------------------------------------------------------------------------------

STATELESS = {
    "gamma": lambda seed: random.stateless_gamma([50], seed, 2.0),
    "poisson": lambda seed: random.stateless_poisson([50], seed, 20.0),
    "binomial": lambda seed: random.stateless_binomial([50], seed, 20.0, 0.5),
    "truncated": lambda seed: random.stateless_parameterized_truncated_normal([50], seed),
}


@pytest.mark.parametrize("name", STATELESS)
def test_stateless_draws_depend_on_the_seed_alone(name):
    f = STATELESS[name]
    a = f(SEED)
    random.gamma([5], 2.0)
    assert same(f(SEED), a) and same(f(tf.constant(SEED, tf.int64)), a) and not same(f([12, 35]), a)


def test_one_seed_gives_independent_draws_of_different_kinds():
    n = 4000
    draws = [
        random.stateless_normal([n], SEED), random.stateless_uniform([n], SEED), random.stateless_gamma([n], SEED, 3.0),
        random.stateless_poisson([n], SEED, 50.0), random.stateless_binomial([n], SEED, 100.0, 0.5),
        random.stateless_parameterized_truncated_normal([n], SEED),
    ]  # fmt: skip
    r = np.corrcoef([wide(x) for x in draws])[np.triu_indices(len(draws), 1)]
    assert np.abs(r).max() < 5 / math.sqrt(n)


def test_set_seed_starts_these_sequences_again():
    program = lambda: [
        random.gamma([3], 2.0), random.gamma([3], 2.0, seed=1), random.poisson([3], 50.0), random.poisson([3], 50.0, seed=1),
        random.log_uniform_candidate_sampler([[1]], 1, 5, True, 1000)[0],
    ]  # fmt: skip
    random.set_seed(1)
    first = program()
    random.set_seed(1)
    assert all(map(same, first, program())) and not any(map(same, first, program()))


SIGNATURES = {
    "gamma": "(shape, alpha, beta=None, dtype=tf.float32, seed=None, name=None)",
    "poisson": "(shape, lam, dtype=tf.float32, seed=None, name=None)",
    "stateless_gamma": "(shape, seed, alpha, beta=None, dtype=tf.float32, name=None)",
    "stateless_poisson": "(shape, seed, lam, dtype=tf.int32, name=None)",
    "stateless_binomial": "(shape, seed, counts, probs, output_dtype=tf.int32, name=None)",
    "stateless_parameterized_truncated_normal": "(shape, seed, means=0.0, stddevs=1.0, minvals=-2.0, maxvals=2.0, name=None)",
    "uniform_candidate_sampler": "(true_classes, num_true, num_sampled, unique, range_max, seed=None, name=None)",
    "log_uniform_candidate_sampler": "(true_classes, num_true, num_sampled, unique, range_max, seed=None, name=None)",
    "fixed_unigram_candidate_sampler": "(true_classes, num_true, num_sampled, unique, range_max, vocab_file='', distortion=1.0, num_reserved_ids=0, num_shards=1, shard=0, unigrams=(), seed=None, name=None)",
    "all_candidate_sampler": "(true_classes, num_true, num_sampled, unique, seed=None, name=None)",
    "Generator.binomial": "(self, shape, counts, probs, dtype=tf.int32, name=None)",
}


@pytest.mark.parametrize("name", SIGNATURES)
def test_signature(name):
    """That of TensorFlow 2.21."""
    f = random
    for part in name.split("."):
        f = getattr(f, part)
    parameters = inspect.signature(f).parameters.values()
    assert str(inspect.Signature([p.replace(annotation=p.empty) for p in parameters])) == SIGNATURES[name]


REFUSED = {
    "integer gamma": (lambda: random.gamma([2], 2, dtype=tf.int32), TypeError, "int32"),
    "alpha of another dtype": (lambda: random.gamma([2], tf.constant(2.0, tf.float64)), ValueError, "float32 for Tensor with dtype float64"),
    "parameters that do not broadcast": (lambda: random.gamma([2], [1.0, 2.0], [1.0, 2.0, 3.0]), InvalidArgumentError, "Incompatible shapes"),
    "a shape that does not end with the parameters'": (lambda: random.stateless_gamma([2], SEED, [1.0, 2.0, 3.0]), InvalidArgumentError, r"\[3\] does not broadcast to \[2\]"),
    "a shape smaller than the parameters'": (lambda: random.stateless_gamma([3], SEED, [[1.0, 2.0, 3.0]]), InvalidArgumentError, "must end with that of its parameters"),
    "a negative rate": (lambda: random.poisson([2], -1.0), InvalidArgumentError, "must be >= 0.*-1.0"),
    "a NaN rate of integers": (lambda: random.poisson([2], math.nan, dtype=tf.int32), InvalidArgumentError, "but got nan"),
    "bfloat16 counts": (lambda: random.poisson([2], 1.0, dtype=tf.bfloat16), ValueError, "bfloat16"),
    "a probability above 1": (lambda: random.stateless_binomial([2], SEED, 3, 1.5), InvalidArgumentError, r"\[0, 1\], but got 1.5"),
    "negative counts": (lambda: random.stateless_binomial([2], SEED, -3, 0.5), InvalidArgumentError, "counts.*-3.0"),
    "a seed of three": (lambda: random.stateless_poisson([2], [1, 2, 3], 1.0), InvalidArgumentError, r"seed must have shape \[2\]"),
    "ends in the wrong order": (lambda: random.stateless_parameterized_truncated_normal([2], SEED, 0.0, 1.0, 2.0, 1.0), InvalidArgumentError, "minval < maxval"),
    "a negative deviation": (lambda: random.stateless_parameterized_truncated_normal([2], SEED, 0.0, -1.0), InvalidArgumentError, "stddev > 0"),
    "several dtypes": (lambda: random.stateless_parameterized_truncated_normal([2], SEED, tf.constant(0.0, tf.float64), tf.constant(1.0)), InvalidArgumentError, "one dtype, but have float64, float32"),
    "too many candidates": (lambda: random.uniform_candidate_sampler([[0]], 1, 11, True, 10), InvalidArgumentError, "range is too small"),
    "the wrong number of true classes": (lambda: random.uniform_candidate_sampler([[0]], 2, 5, True, 10), InvalidArgumentError, r"num_true being 2, but has \[1,1\]"),
    "a true class out of range": (lambda: random.uniform_candidate_sampler([[10]], 1, 5, True, 10), InvalidArgumentError, r"in \[0, 10\), but 10"),
    "no weights": (lambda: random.fixed_unigram_candidate_sampler([[0]], 1, 5, True, 10), InvalidArgumentError, "either vocab_file or unigrams"),
    "too few weights": (lambda: random.fixed_unigram_candidate_sampler([[0]], 1, 2, True, 10, unigrams=[1.0, 2.0]), InvalidArgumentError, "10 classes need as many weights, but got 2"),
    "too few weights that are not 0": (lambda: random.fixed_unigram_candidate_sampler([[0]], 1, 2, True, 2, unigrams=[1.0, 0.0]), InvalidArgumentError, "no 2 different ones"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    f, error, message = REFUSED[name]
    with pytest.raises(error, match=message):
        f()


# -- inside functions -----------------------------------------------------------------------------------------------------------------

DRAWS = {
    "gamma": lambda s: random.stateless_gamma([4, 3], s, [0.5, 1.0, 9.0], 2.0),
    "poisson": lambda s: random.stateless_poisson([4, 3], s, [0.5, 1.0, 9.0]),
    "binomial": lambda s: random.stateless_binomial([4, 3], s, 9.0, [0.5, 1.0, 0.1]),
    "truncated": lambda s: random.stateless_parameterized_truncated_normal([4, 3], s, [0.5, 1.0, 9.0]),
    "normal": lambda s: random.stateless_normal([4, 3], s, [0.5, 1.0, 9.0]),
    "shuffle": lambda s: random.stateless_shuffle(tf.range(10), s),
    "categorical": lambda s: random.stateless_categorical([[0.5, 1.0, 9.0]], 5, s),
    "split": lambda s: random.split(s, 3),
    "fold_in": lambda s: random.fold_in(s, 3),
}


@pytest.mark.parametrize("name", DRAWS)
def test_a_traced_draw_gives_the_eager_numbers(name):
    f = DRAWS[name]
    assert same(tf.function(f)(tf.constant(SEED)), f(SEED))


GENERATED = {
    "normal": lambda g: g.normal([3]),
    "truncated_normal": lambda g: g.truncated_normal([3]),
    "uniform": lambda g: g.uniform([3], 0, 1000, tf.int32),
    "uniform_full_int": lambda g: g.uniform_full_int([3]),
    "binomial": lambda g: g.binomial([3], 1000.0, 0.5),
    "make_seeds": lambda g: g.make_seeds(2),
    "skip": lambda g: g.skip(3),
}


@pytest.mark.parametrize("name", GENERATED)
def test_a_generator_goes_on_in_functions(name):
    f, g, h = GENERATED[name], random.Generator.from_seed(1), random.Generator.from_seed(1)
    traced = tf.function(lambda: f(g))
    for _ in range(3):
        assert same(traced(), f(h))
    assert same(g.state, h.state) and g.state.numpy()[0] > 0


def test_seeded_draws_go_on_in_functions():
    """Each call of the function draws anew, and the numbers are those of the eager program."""
    program = lambda: (
        random.normal([3]),
        random.gamma([2], 2.0),
        random.poisson([2], 5.0),
        random.uniform([2], seed=3),
        random.shuffle(tf.range(9)),
    )
    random.set_seed(8)
    want = [program() for _ in range(3)]
    random.set_seed(8)
    f = tf.function(program)
    for expected in want:
        assert all(map(same, f(), expected))


def test_set_seed_after_tracing():
    """A function keeps the generator that it was traced with: what set_seed starts anew are new traces' draws and eager ones."""
    random.set_seed(8)
    f = tf.function(lambda: random.normal([3]))
    a = f()
    assert not same(f(), a)


@pytest.mark.parametrize("shape", [lambda x: tf.shape(x), lambda x: [tf.shape(x)[0], 3], lambda x: (2, tf.shape(x)[1])])
def test_shapes_known_only_when_the_program_runs(shape):
    g = random.Generator.from_seed(1)
    draws = lambda x: (
        random.normal(shape(x)), random.uniform(shape(x), 1.0, 2.0), random.truncated_normal(shape(x)), g.normal(shape(x)), g.uniform_full_int(shape(x)),
        random.stateless_normal(shape(x), SEED), random.gamma(shape(x), 2.0), random.poisson(shape(x), 3.0), g.binomial(shape(x), 5.0, 0.5),
        random.stateless_parameterized_truncated_normal(shape(x), SEED), random.stateless_gamma(shape(x), SEED, 2.0),
    )  # fmt: skip
    f = tf.function(draws, input_signature=[tf.TensorSpec([None, None])])
    for n in (3, 5):
        x = tf.zeros([n, 3])
        want = tf.constant(shape(x)).numpy().tolist()
        outs = f(x)
        assert [list(o.shape) for o in outs] == [want] * len(outs)
        at = g.state.numpy()[0]
        again = f(x)
        assert not any(map(same, (outs[i] for i in (0, 1, 2, 3, 6)), (again[i] for i in (0, 1, 2, 3, 6))))
        assert g.state.numpy()[0] == at + 3 * math.prod(want)


def test_gradients_in_functions_of_unknown_shape():
    """Reparameterised samples of a batch of any size, as in a variational autoencoder."""

    @tf.function(input_signature=[tf.TensorSpec([None, 2])])
    def f(mean):
        with tf.GradientTape() as tape:
            tape.watch(mean)
            z = mean + random.stateless_normal(tf.shape(mean), SEED)
            y = random.stateless_gamma(tf.shape(mean), SEED, tf.exp(mean))
            loss = tf.reduce_sum(z * z + y)
        return z, y, tape.gradient(loss, mean)

    for n in (2, 5):
        x = tf.ones([n, 2])
        z, y, g = f(x)
        slope = ds._slope(np.full((n, 2), math.e), wide(y), n=1)
        np.testing.assert_allclose(g.numpy(), 2 * z.numpy() + slope * math.e, rtol=1e-5)
