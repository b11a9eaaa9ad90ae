"""keras.ops core, nn and image, random numbers and recurrent layers on gradtape: traced as eager, their derivatives, the interface.

Keras's own tests say more about values and dtypes; these say what they do not: that a traced program gives the same, also where the
batch's size is not known, and gradients.
"""

from __future__ import annotations

import ast
import importlib
import inspect
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import gradtape as tf
from keras_gradtape.src import random
from keras_gradtape.src import rnn as _rnn  # noqa: F401  (the module; the package's `rnn` is the function)
from keras_gradtape.src.ops import core, image, nn

recurrent = importlib.import_module("keras_gradtape.src.rnn")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(3, 6)) + 0.01
P = np.exp(X) / np.exp(X).sum(1, keepdims=True)
T = np.eye(6)[[1, 5, 0]]
LINE, PICTURE, SOLID = RNG.normal(size=(2, 7, 4)), RNG.normal(size=(2, 6, 5, 4)), RNG.normal(size=(2, 4, 4, 3, 2))
K1, K2, K3 = RNG.normal(size=(3, 4, 6)), RNG.normal(size=(3, 2, 4, 6)), RNG.normal(size=(2, 2, 2, 2, 3))
Q, KV = RNG.normal(size=(2, 5, 4, 3)), RNG.normal(size=(2, 6, 2, 3))
PHOTO = RNG.uniform(0.1, 0.9, size=(2, 6, 5, 3))
LABELS = np.array([[1, 2, 1], [3, 1, 0]], np.int32)
SPEECH = RNG.normal(size=(2, 7, 5))
GATES, BACK, BIAS = RNG.normal(size=(4, 12)), RNG.normal(size=(3, 12)), RNG.normal(size=(12,))
STATE = RNG.normal(size=(2, 3))
ACTIVATIONS = (
    "celu elu gelu glu hard_silu leaky_relu log_sigmoid log_softmax selu sigmoid silu soft_shrink softmax softplus softsign sparse_plus "
    "sparse_sigmoid sparsemax squareplus tanh tanh_shrink relu relu6 hard_sigmoid hard_tanh hard_shrink"
)


def case(module: Any, name: str, *args: Any, **kwargs: Any) -> Any:
    return pytest.param(getattr(module, name), args, kwargs, id=name)


SMOOTH = [
    *[case(nn, name, X) for name in ACTIVATIONS.split()],
    case(nn, "softmax", PICTURE, axis=(1, 3)),
    case(nn, "threshold", X, 0.3, 0.1),
    case(nn, "max_pool", PICTURE, 2),
    case(nn, "max_pool", LINE, 3, 2, "same", "channels_first"),
    case(nn, "average_pool", PICTURE, (2, 3), 1, "same"),
    case(nn, "average_pool", SOLID, 2),
    case(nn, "adaptive_average_pool", PICTURE, (2, 3)),
    case(nn, "adaptive_max_pool", PICTURE, (4, 2)),
    case(nn, "conv", LINE, K1, 2, "same"),
    case(nn, "conv", PICTURE, K2, 1, "valid", None, (2, 1)),
    case(nn, "conv", PICTURE, K2[:, :, :2], 1, "same"),
    case(nn, "conv", SOLID, K3, 1, "same"),
    case(nn, "depthwise_conv", PICTURE, K2[..., :2], 2, "same"),
    case(nn, "separable_conv", PICTURE, K2[..., :2], RNG.normal(size=(1, 1, 8, 3))),
    case(nn, "conv_transpose", PICTURE, RNG.normal(size=(3, 3, 2, 4)), 2, "same"),
    case(nn, "conv_transpose", LINE, RNG.normal(size=(3, 2, 4)), 2, "valid", 1),
    case(nn, "unfold", PICTURE, 2, 1, 1, 2),
    case(nn, "fold", RNG.normal(size=(2, 8, 12)), (4, 5), 2),
    case(nn, "depth_to_space", PICTURE, 2),
    case(nn, "space_to_depth", PICTURE[:, :, :4], 2),
    case(nn, "categorical_crossentropy", T, P),
    case(nn, "categorical_crossentropy", T, X, True),
    case(nn, "sparse_categorical_crossentropy", LABELS[:, 0], P[:2]),
    case(nn, "sparse_categorical_crossentropy", LABELS, RNG.normal(size=(2, 3, 4)), True),
    case(nn, "sparse_categorical_crossentropy", LABELS, RNG.normal(size=(2, 4, 3)), True, 1),
    case(nn, "binary_crossentropy", T, P),
    case(nn, "binary_crossentropy", T, X, True),
    case(nn, "ctc_loss", LABELS, SPEECH, np.array([3, 2]), np.array([7, 6])),
    case(nn, "moments", PICTURE, (0, 2)),
    case(nn, "batch_normalization", PICTURE, X[0, :4], P[0, :4], -1, X[1, :4], X[2, :4]),
    case(nn, "psnr", PHOTO, PHOTO[::-1], 1.0),
    case(nn, "dot_product_attention", Q, KV, KV),
    case(nn, "dot_product_attention", Q, KV, KV, RNG.normal(size=(1, 4, 5, 6)), is_causal=True, flash_attention=True),
    case(image, "rgb_to_grayscale", PHOTO),
    case(image, "rgb_to_hsv", PHOTO),
    case(image, "hsv_to_rgb", PHOTO),
    case(image, "resize", PHOTO, (4, 7), "bicubic"),
    case(image, "resize", PHOTO, (9, 3), antialias=True, data_format="channels_last"),
    case(image, "resize", PHOTO, (4, 4), crop_to_aspect_ratio=True),
    case(image, "scale_and_translate", PHOTO, (2, 8, 7, 3), np.array([1.3, 0.8]), np.array([0.43, -0.37]), (1, 2), "cubic"),
    case(image, "map_coordinates", X, np.array([[[0.3, 1.6]], [[2.2, 0.7]]]), 1, "reflect"),
    case(image, "affine_transform", PHOTO, np.array([1.1137, 0.0931, 0.2171, -0.1053, 0.9171, 0.3519, 0, 0])),
    case(image, "perspective_transform", PHOTO, np.array([[0.13, 0.07], [0.11, 5.03], [3.92, 0.06], [3.93, 5.01]]), np.array([[0, 0], [0, 4], [3, 0.2], [4, 5.0]])),
    case(image, "gaussian_blur", PHOTO, (3, 3), (1.0, 0.7)),
    case(image, "sobel_edges", PHOTO),
    case(core, "slice_update", X, (1, 2), RNG.normal(size=(2, 3))),
    case(core, "scatter_update", X, np.array([[0, 1], [2, 2]]), RNG.normal(size=2)),
    case(core, "scatter_update", X, np.array([[0], [2]]), RNG.normal(size=(2, 6)), "add"),
    case(core, "scatter_update", X, np.array([[0, 1], [2, 2], [0, 1]]), RNG.normal(size=3), "mul"),
    case(core, "slice", X, (1, 0), (2, 4)),
    case(core, "unstack", PICTURE, None, 2),
    pytest.param(lambda x: core.map(lambda r: r * r[0], x), (X,), {}, id="map"),
    pytest.param(lambda x: core.vectorized_map(lambda r: r * r[0], x), (X,), {}, id="vectorized_map"),
    pytest.param(lambda c, x: core.scan(lambda c, r: (c * r + 1, c), c, x, reverse=True), (X[0], X), {}, id="scan"),
    pytest.param(lambda x: core.associative_scan(lambda a, b: a * b, x, axis=1), (X,), {}, id="associative_scan"),
    pytest.param(lambda x: core.fori_loop(0, 3, lambda i, y: y * x, x), (X,), {}, id="fori_loop"),
    pytest.param(lambda x: core.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, y * x), (0, x))[1], (X,), {}, id="while_loop"),
    pytest.param(lambda x: core.cond(tf.reduce_sum(x) > 0, lambda: x * x, lambda: -x), (X,), {}, id="cond"),
    pytest.param(lambda x: core.switch(1, [lambda x: x, lambda x: x**3], x), (X,), {}, id="switch"),
    pytest.param(lambda x: core.remat(lambda x: tf.sin(x) * x)(x), (X,), {}, id="remat"),
]  # fmt: skip

RECURRENT = [
    pytest.param(lambda x, h, c, k, r, b: recurrent.lstm(x, h, c, None, k, r, b, tf.tanh, tf.sigmoid, True), (LINE, STATE, STATE, GATES, BACK, BIAS), {}, id="lstm"),
    pytest.param(lambda x, h, c, k, r: recurrent.lstm(x, h, c, None, k, r, None, tf.tanh, tf.sigmoid, False, True), (LINE, STATE, STATE, GATES, BACK), {}, id="lstm_back"),
    pytest.param(lambda x, h, k, r, b: recurrent.gru(x, h, None, k, r, b, tf.tanh, tf.sigmoid, True, True), (LINE, STATE, GATES[:, :9], BACK[:, :9], BACK[:2, :9]), {}, id="gru"),
    pytest.param(lambda x, h: recurrent.rnn(lambda x, s: (tf.tanh(x[:, :3] * s[0]),) * 1 + ([x[:, 1:] + s[0]],), x, [h], mask=np.array([[1] * 7, [0, 1, 1, 1, 0, 1, 0]])), (LINE, STATE), {}, id="rnn"),
]  # fmt: skip


JAX_ALONE = {
    "should_shard_at_init",
    "wrap_flash_attention",
    "jax_draw_seed",
}  # and its `rnn` has an `unstack` of its own


def inputs(args: tuple) -> list[int]:
    return [i for i, a in enumerate(args) if isinstance(a, np.ndarray) and a.dtype == np.float64]


def bound(f: Any, args: tuple, kwargs: dict) -> Any:
    """``f`` as a function of its float arrays alone."""
    at = inputs(args)

    def run(*xs: Any) -> Any:
        given = list(args)
        for i, x in zip(at, xs, strict=True):
            given[i] = x
        return f(*given, **kwargs)

    return run, [tf.constant(args[i]) for i in at]


@pytest.mark.parametrize("f, args, kwargs", SMOOTH + RECURRENT)
@pytest.mark.parametrize("sizes", ["known", "batch unknown"])
def test_traced_as_eager(f, args, kwargs, sizes):
    run, xs = bound(f, args, kwargs)
    eager = keras.tree.flatten(run(*xs))
    batch = len(args[0])
    dims = [[None, *x.shape[1:]] if sizes != "known" and x.shape[0] == batch else x.shape for x in xs]
    traced = tf.function(run, input_signature=[tf.TensorSpec(d, x.dtype) for d, x in zip(dims, xs, strict=True)])
    for got, want in zip(keras.tree.flatten(traced(*xs)), eager, strict=True):
        assert got.shape == want.shape and got.dtype == want.dtype
        np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("f, args, kwargs", SMOOTH + RECURRENT)
def test_gradient(f, args, kwargs):
    run, xs = bound(f, args, kwargs)

    def total(*xs: Any) -> Any:
        parts = [p for p in keras.tree.flatten(run(*xs)) if p.dtype.is_floating]
        return sum(
            [
                tf.reduce_sum(tf.cast(p, tf.float64) * np.cos(np.arange(np.prod(p.shape))).reshape(p.shape))
                for p in parts
            ]
        )

    with tf.GradientTape() as tape:
        tape.watch(xs)
        y = total(*xs)
    gradients = tape.gradient(y, xs, unconnected_gradients="zero")
    way = [np.sin(1 + np.arange(x.shape.num_elements()) * (k + 2)).reshape(x.shape) for k, x in enumerate(xs)]
    h = 0.1 if f is image.resize else 1e-6  # which is linear, and in float32
    ahead, behind = [total(*[x + s * h * w for x, w in zip(xs, way, strict=True)]) for s in (1, -1)]
    along = sum([np.sum(np.asarray(tf.convert_to_tensor(g)) * w) for g, w in zip(gradients, way, strict=True)])
    np.testing.assert_allclose(along, (ahead - behind) / (2 * h), rtol=1e-5 if f is image.resize else 1e-6, atol=1e-6)


def test_a_mask_that_is_made_before_the_loop_is_used_inside():
    """A cell's dropout mask is made once, by the trace around the loop."""

    @tf.function
    def run(x, h):
        mask = tf.cast(h > 0, h.dtype)
        return recurrent.rnn(lambda x, s: (x[:, :3] * mask + s[0], [x[:, :3] * mask + s[0]]), x, [h])[0]

    mask = STATE > 0
    np.testing.assert_allclose(run(LINE, STATE), STATE + (LINE[:, :, :3] * mask[:, None]).sum(1))


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("bias", [None, (2, 4, 9, 7), (1, 1, 9, 1), (4, 1, 7), (7,)])
@pytest.mark.parametrize("mask", [None, (2, 1, 9, 7), (9, 1), (7,)])
def test_attention_in_blocks(causal, bias, mask):
    q, k, v = RNG.normal(size=(2, 9, 4, 3)), RNG.normal(size=(2, 7, 2, 3)), RNG.normal(size=(2, 7, 2, 5))
    xs = [tf.constant(x) for x in (q, k, v, *([] if bias is None else [RNG.normal(size=bias)]))]
    seen = None if mask is None else tf.constant(RNG.random(mask) > 0.3)

    def with_gradients(f: Any) -> list:
        with tf.GradientTape() as tape:
            tape.watch(xs)
            y = f(*xs[:3], xs[3] if bias is not None else None, seen, 0.7, causal)
            z = tf.reduce_sum(tf.sin(y))
        return [y, *tape.gradient(z, xs)]

    want = with_gradients(tf.nn.dot_product_attention)
    in_blocks = lambda *args: nn._in_blocks(*args, size=4)
    for got in with_gradients(in_blocks), tf.function(with_gradients)(in_blocks):
        for a, b in zip(got, want, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_cast_to_narrow_integers_saturates():
    x = tf.constant([-3.7, 2.7, 300.0])
    assert core.cast(x, "uint8").numpy().tolist() == core.convert_to_tensor(x, "uint8").numpy().tolist() == [0, 2, 255]
    assert core.cast(x, "int8").numpy().tolist() == [-3, 2, 127]


def test_slice_update_moves_to_where_it_fits():
    x, u = np.zeros((4, 5), np.float32), np.ones((2, 3), np.float32)
    want = np.zeros((4, 5))
    want[2:, 2:] = 1
    for start in [(2, 2), (9, 3), np.array([3, 9])]:
        assert core.slice_update(x, start, u).numpy().tolist() == want.tolist()
    assert core.slice_update(x, (-4, 0), u).numpy()[:2, :3].all()


def test_shape_of_other_libraries_tensors():
    assert core.shape(np.zeros((2, 3))) == (2, 3)
    assert core.shape([[1.0], [2.0]]) == (2, 1)


def test_a_variable_takes_its_dtype():
    v = keras.Variable(lambda shape, dtype: np.ones(shape), shape=(2,), dtype="float32")
    assert v.value.dtype is tf.float32


def test_recurrent_layers_take_integers():
    layer = keras.layers.LSTM(3)
    assert layer(np.ones((2, 3, 4), np.int64)).shape == (2, 3)


def test_elastic_transform_moves_each_way():
    """The fields of the two directions are independent."""
    ramp = np.broadcast_to(np.arange(30, dtype=np.float32)[:, None, None], (30, 30, 1))
    down, along = [image.elastic_transform(r, 20.0, 3.0, seed=7).numpy() - r for r in (ramp, ramp.transpose(1, 0, 2))]
    inner = np.s_[8:-8, 8:-8, 0]
    assert abs(np.corrcoef(down[inner].ravel(), along[inner].ravel())[0, 1]) < 0.9
    assert np.array_equal(image.elastic_transform(ramp, seed=7), image.elastic_transform(ramp, seed=7))


@pytest.mark.parametrize("name", ["core", "nn", "image", "random", "rnn"])
def test_interface(name):
    """Each function of Keras's JAX backend is there, with the same parameters."""
    source = (Path(keras.src.__file__).parent / "backend" / "jax" / f"{name}.py").read_text()
    module = {"core": core, "nn": nn, "image": image, "random": random, "rnn": recurrent}[name]
    wanted = {n.name: n.args for n in ast.parse(source).body if isinstance(n, ast.FunctionDef) and n.name[0] != "_"}
    wanted = {f: args for f, args in wanted.items() if f not in JAX_ALONE and (name, f) != ("rnn", "unstack")}
    assert len(wanted) == {"core": 24, "nn": 50, "image": 12, "random": 10, "rnn": 6}[name]
    for f, args in wanted.items():
        got = [p.name for p in inspect.signature(getattr(module, f)).parameters.values()]
        star = [a.arg for a in (args.vararg, *args.kwonlyargs, args.kwarg) if a]
        if got != ["args", "kwargs"]:  # functions that only say that they are not supported
            assert got == [a.arg for a in args.args] + star, f


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("flash", [False, True])
def test_queries_that_see_no_key_get_the_mean_of_the_values(causal, flash):
    """As on Keras's other backends, so that padded texts give the same predictions there and here; gradients too."""
    rng = np.random.default_rng(0)
    q, v = rng.normal(size=(2, 2, 5, 4, 3)).astype("float32")
    k = v = v[:, :, :2]  # groups of two heads share keys and values
    mask = rng.random((2, 1, 5, 5)) > 0.4
    mask[0, 0, 0] = mask[1, 0, :, :2] = False
    seen = np.logical_and(mask, np.tri(5, dtype=bool)) if causal else mask
    assert not seen.any(-1).all()
    scores = np.einsum("btnh,bsnh->bnts", q, k.repeat(2, 2)) / np.sqrt(3)
    p = np.exp(np.where(seen, scores, -1e9) - np.where(seen, scores, -1e9).max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    value = tf.Variable(v)
    with tf.GradientTape() as tape:
        out = nn.dot_product_attention(q, k, value, mask=mask, is_causal=causal, flash_attention=flash)
        total = tf.reduce_sum(out)
    np.testing.assert_allclose(out, np.einsum("bnts,bsnh->btnh", p, v.repeat(2, 2)), rtol=1e-5, atol=1e-6)
    slopes = p.sum(2).reshape(2, 2, 2, 5).sum(2).transpose(0, 2, 1)[..., None]
    np.testing.assert_allclose(tape.gradient(total, value), np.broadcast_to(slopes, v.shape), rtol=1e-5, atol=1e-6)
