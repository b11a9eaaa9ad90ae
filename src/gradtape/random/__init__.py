"""``tf.random``: random numbers from a seed, from a Generator, or from seeds passed along by hand.

All three draw by the same rows (``primitives/random.py``, ``primitives/distribution.py``), which are functions of a key and remember
nothing. What is remembered, how far a generator has come, is a Variable that each draw reads and advances; ``normal`` and the others
without a generator of their own use one of this module's.

The same program draws the same numbers, given the same seeds and the same NumPy; they are not the numbers TensorFlow draws.
"""

from types import SimpleNamespace

from .candidates import (
    all_candidate_sampler,
    fixed_unigram_candidate_sampler,
    log_uniform_candidate_sampler,
    uniform_candidate_sampler,
)
from .generator import Generator, get_global_generator, set_global_generator, set_seed
from .generator import stream as _stream  # noqa: F401  (dropout draws by it)
from .keys import Algorithm, create_rng_state
from .keys import seed_key as _seed_key  # noqa: F401
from .seeded import categorical, gamma, normal, poisson, shuffle, truncated_normal, uniform
from .stateless import (
    stateless_binomial,
    stateless_categorical,
    stateless_fold_in,
    stateless_gamma,
    stateless_normal,
    stateless_parameterized_truncated_normal,
    stateless_poisson,
    stateless_shuffle,
    stateless_split,
    stateless_truncated_normal,
    stateless_uniform,
)

split, fold_in = stateless_split, stateless_fold_in

experimental = SimpleNamespace(
    Algorithm=Algorithm, Generator=Generator, create_rng_state=create_rng_state, get_global_generator=get_global_generator,
    set_global_generator=set_global_generator, stateless_fold_in=stateless_fold_in, stateless_shuffle=stateless_shuffle,
    stateless_split=stateless_split,
)  # fmt: skip

__all__ = [
    "Algorithm", "Generator", "create_rng_state", "get_global_generator", "set_global_generator", "set_seed",
    "normal", "truncated_normal", "uniform", "gamma", "poisson", "shuffle", "categorical",
    "stateless_normal", "stateless_truncated_normal", "stateless_parameterized_truncated_normal", "stateless_uniform", "stateless_gamma",
    "stateless_poisson", "stateless_binomial", "stateless_categorical", "stateless_shuffle", "stateless_split", "stateless_fold_in", "split",
    "fold_in", "experimental",
    "uniform_candidate_sampler", "log_uniform_candidate_sampler", "fixed_unigram_candidate_sampler", "all_candidate_sampler",
]  # fmt: skip
