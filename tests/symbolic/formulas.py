"""Random formulas: trees that can be built of anything that gradtape's functions take, for tests that compare two ways."""

import operator

from hypothesis import strategies as st

import gradtape as tf

LEAVES = ("x", "y", "z")
UNARY = {
    "neg": operator.neg,
    "sin": tf.sin,
    "cos": tf.cos,
    "tanh": tf.tanh,
    "sigmoid": tf.sigmoid,
    "atan": tf.atan,
    "exp of sin": lambda u: tf.exp(tf.sin(u)),
    "sqrt": lambda u: tf.sqrt(1 + u * u),
    "log": lambda u: tf.math.log(1.5 + u * u),
    "square": tf.square,
    "cube": lambda u: tf.tanh(u) ** 3,
    "power": lambda u: (1.5 + tf.sin(u)) ** 2.5,
    "erf": tf.math.erf,
    "softplus": tf.math.softplus,
    "lgamma": lambda u: tf.math.lgamma(1.5 + tf.sin(u)),
    "reciprocal": lambda u: tf.math.reciprocal(2 + tf.cos(u)),
    "abs": lambda u: abs(u + 0.0123),
    "expm1": lambda u: tf.math.expm1(tf.sin(u)),
}
BINARY = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": lambda u, v: tf.tanh(u) * v,
    "div": lambda u, v: u / (1.5 + v * v),
    "maximum": tf.maximum,
    "atan2": lambda u, v: tf.atan2(u, 2 + tf.sin(v)),
    "pow": lambda u, v: (1.5 + tf.sin(u)) ** tf.cos(v),
    "where": lambda u, v: tf.where(u > v, u * v, tf.sin(v) - u),
    "squared_difference": lambda u, v: tf.math.squared_difference(tf.sin(u), tf.cos(v)),
}

numbers = st.integers(-3, 3) | st.sampled_from([0.5, -1.25, 2.75])
trees = st.recursive(
    st.sampled_from(LEAVES) | numbers,
    lambda inner: (
        st.tuples(st.sampled_from(sorted(UNARY)), inner) | st.tuples(st.sampled_from(sorted(BINARY)), inner, inner)
    ),
    max_leaves=12,
)


def build(tree, leaves, number):
    """The tree of ``leaves`` (by name) and of what ``number`` makes of its numbers."""
    if isinstance(tree, tuple):
        f = (UNARY if len(tree) == 2 else BINARY)[tree[0]]
        return f(*[build(t, leaves, number) for t in tree[1:]])
    return leaves[tree] if isinstance(tree, str) else number(tree)
