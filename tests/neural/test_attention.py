"""Attention: against its formula, with masks, in groups and in halves."""

import numpy as np
import pytest

import gradtape as tf
from gradtape import nn

RNG = np.random.default_rng(0)


def attended(q, k, v, bias=0.0, mask=True, scale=None):
    scale = 1 / np.sqrt(q.shape[-1]) if scale is None else scale
    logits = np.einsum("bthd,bshd->bhts", q, k) * scale + bias
    e = np.where(mask, np.exp(logits - logits.max(-1, keepdims=True)), 0)
    total = e.sum(-1, keepdims=True)
    return np.einsum("bhts,bshd->bthd", e / np.where(total > 0, total, 1), v)


def some(*shape):
    return RNG.uniform(-1, 1, shape)


Q, K, V = some(2, 3, 4, 5), some(2, 6, 4, 5), some(2, 6, 4, 7)
BIAS, MASK = some(1, 4, 3, 6), RNG.uniform(size=(2, 1, 3, 6)) < 0.7


def test_values():
    for more in ({}, {"bias": BIAS}, {"mask": MASK}, {"scale": 2.0}, {"bias": BIAS, "mask": MASK, "scale": 0.3}):
        np.testing.assert_allclose(nn.dot_product_attention(Q, K, V, **more), attended(Q, K, V, **more), rtol=1e-12)
    causal = np.tri(3, 6, dtype=bool)
    np.testing.assert_allclose(nn.dot_product_attention(Q, K, V, is_causal=True), attended(Q, K, V, mask=causal))
    both = nn.dot_product_attention(Q, K, V, mask=MASK, is_causal=True)
    np.testing.assert_allclose(both, attended(Q, K, V, mask=causal & MASK))


def test_a_query_that_sees_nothing_gets_zeros():
    mask = np.ones((2, 1, 3, 6), bool)
    mask[0, 0, 1] = False
    q = tf.constant(Q)
    with tf.GradientTape() as tape:
        tape.watch(q)
        y = nn.dot_product_attention(q, K, V, mask=mask)
    np.testing.assert_array_equal(y.numpy()[0, 1], np.zeros((4, 7)))
    g = tape.gradient(y, q).numpy()
    assert np.isfinite(g).all() and (g[0, 1] == 0).all() and (g[1] != 0).any()


def test_heads_that_share_keys():
    want = attended(Q, np.repeat(K[:, :, :2], 2, 2), np.repeat(V[:, :, :2], 2, 2))
    np.testing.assert_allclose(nn.dot_product_attention(Q, K[:, :, :2], V[:, :, :2]), want)


def test_halves():
    q, k, v = (tf.constant(x, tf.bfloat16) for x in (Q * 20, K * 20, V))
    y = nn.dot_product_attention(q, k, v)
    assert y.dtype == tf.bfloat16
    exact = attended(*(x.numpy().astype(float) for x in (q, k, v)))
    np.testing.assert_allclose(y.numpy().astype(float), exact, atol=0.1)


def test_in_a_function_with_gradients():
    q, k, v = map(tf.constant, (Q, K, V))

    def step(q, k, v):
        with tf.GradientTape() as tape:
            tape.watch([q, k, v])
            y = nn.dot_product_attention(q, k, v, bias=BIAS, mask=MASK, is_causal=True)
        return [y, *tape.gradient(y, [q, k, v], output_gradients=y)]

    for a, b in zip(step(q, k, v), tf.function(step)(q, k, v), strict=True):
        np.testing.assert_allclose(a, b.numpy(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((Q[0], K, V), "query must have 4 dimensions"),
        ((Q, K, V[:, :5]), "same places and heads"),
        ((Q, K[:, :, :3], V[:, :, :3]), "4 heads of the queries must be a multiple of the 3"),
        ((Q, K.astype("f"), V), "float32"),
        ((Q, K, V, None, np.ones((3, 6))), "bool tensor"),
    ],
)
def test_refused(args, message):
    args = [tf.constant(a) if isinstance(a, np.ndarray) else a for a in args]
    with pytest.raises(ValueError, match=message):
        nn.dot_product_attention(*args)
