"""Public ``tf.signal``. Expected values are TensorFlow 2.21's; what differs is in docs/differences.md.

Gradients against differences are in the tests generated from the table; here are TensorFlow's own numbers for some.
"""

import numpy as np
import pytest

import gradtape as tf

S = tf.signal
X = np.arange(8, dtype=np.float32)


def close(got, want, atol=1e-5):
    np.testing.assert_allclose(got.numpy(), want, rtol=1e-5, atol=atol)


def gradient(f, x):
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = f(x)
    return tape.gradient(y, x)


# -- transforms -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_complex_transforms(rank, dtype):
    rng = np.random.default_rng(0)
    z = (rng.standard_normal((2, 3, 4, 5)) + 1j * rng.standard_normal((2, 3, 4, 5))).astype(dtype)
    suffix = {1: "", 2: "2d", 3: "3d"}[rank]
    axes = tuple(range(4 - rank, 4))
    for name, f in (("fft", np.fft.fftn), ("ifft", np.fft.ifftn)):
        got = getattr(S, name + suffix)(z)
        assert got.dtype == dtype
        close(got, f(z, axes=axes), 1e-4)
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"rank of at least {rank}"):
        getattr(S, "fft" + suffix)(z[(0,) * (5 - rank)])


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_real_transforms(rank):
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 5))
    suffix = {1: "", 2: "2d", 3: "3d"}[rank]
    axes, lengths = tuple(range(4 - rank, 4)), (6, 2, 4)[-rank:]
    forward, backward = getattr(S, "rfft" + suffix), getattr(S, "irfft" + suffix)
    x64 = tf.constant(x)
    close(forward(x64), np.fft.rfftn(x, axes=axes))
    close(forward(x64, lengths), np.fft.rfftn(x, lengths, axes))
    close(backward(forward(x64), x.shape[-rank:]), x)
    z = np.fft.rfftn(x, axes=axes)
    close(backward(z), np.fft.irfftn(z, axes=axes))
    close(backward(z, lengths), np.fft.irfftn(z, lengths, axes))
    assert forward(tf.constant(x, tf.float32)).dtype == tf.complex64


def test_the_gradients_are_tensorflows():
    z = np.array([1 + 1j, 2 + 3j, 4 + 1j], np.complex64)
    close(gradient(lambda v: tf.abs(S.rfft(v)) ** 2, [1.0, 2.0, 4.0]), [10, 13, 19], 1e-3)
    close(gradient(lambda v: S.irfft(v) * [1.0, 2.0, 3.0, 4.0], z), [2.5, -1 + 1j, -0.5])
    close(gradient(lambda v: S.fft(v) * [1.0, 2.0, 3.0], z), [6, -1.5 - 0.8660254j, -1.5 + 0.8660254j])
    odd = gradient(lambda v: S.irfft(v, [5]) * [1.0, 2.0, 3.0, 4.0, 5.0], z)
    close(odd, [3, -1 + 1.376382j, -1 + 0.3249197j])
    two = np.array([[1 + 1j, 2 + 3j], [4 + 1j, 2j]], np.complex64)
    close(gradient(lambda v: S.irfft2d(v) * [[1.0, 2.0], [3.0, 5.0]], two), [[2.75, -0.75], [-1.25, 0.25]])


def test_gradients_of_cut_signals_and_of_three_dimensions():
    """TensorFlow has none of these: it raises an error about shapes, or has no entry."""
    x = np.random.default_rng(1).standard_normal((2, 3, 5))
    g = gradient(lambda v: tf.math.real(S.rfft(v, [3])), x).numpy()
    assert not g[..., 3:].any()
    close(tf.constant(g[..., :3]), np.broadcast_to(np.real(np.fft.fft(np.eye(3))[:, :2].sum(1)), (2, 3, 3)))
    w = np.random.default_rng(2).standard_normal((2, 3, 3))
    three = gradient(lambda v: tf.math.real(S.rfft3d(v)) * w, x)
    step = 1e-6 * np.random.default_rng(3).standard_normal(x.shape)
    f = lambda v: np.sum(np.real(np.fft.rfftn(v)) * w)
    assert np.sum(three.numpy() * step) == pytest.approx(f(x + step) - f(x), rel=1e-5)


def test_errors_of_transforms():
    for f, x, words in (
        (S.fft, [1.0], "rfft for real signals"), (S.irfft, [1.0], "complex"), (S.rfft, tf.constant([1j]), "complex128"),
        (S.rfft, tf.constant([1], tf.int32), "int32"), (S.rfft, tf.constant([1.0], tf.float16), "float16"), (S.fft, tf.constant(1j), "rank"),
        (S.irfft, tf.constant([1j]), "at least 1"), (S.rfft, tf.zeros([2, 0]), "at least one element"),
    ):  # fmt: skip
        with pytest.raises(tf.errors.InvalidArgumentError, match=words):
            f(x)
    for lengths in ([4, 4], [0], [-1]):
        with pytest.raises(tf.errors.InvalidArgumentError, match="fft_length"):
            S.rfft(X, lengths)
    assert S.fft(tf.zeros([2, 0], tf.complex64)).shape == (2, 0)
    assert S.rfft(tf.zeros([0, 4])).shape == (0, 3)


@pytest.mark.parametrize("norm", [None, "backward", "ortho", "forward"])
@pytest.mark.parametrize(("lengths", "axes"), [(None, None), ([4, 3], None), (None, [0]), ([5, 2], [2, 0])])
def test_any_axes(norm, lengths, axes):
    x = np.random.default_rng(4).standard_normal((2, 3, 4))
    z = x + 1j * x[::-1]
    where = axes if axes is not None or lengths is None else range(3 - len(lengths), 3)
    close(S.fftnd(z, lengths, axes, norm), np.fft.fftn(z, lengths, where, norm))
    close(S.ifftnd(z, lengths, axes, norm), np.fft.ifftn(z, lengths, where, norm))
    close(
        S.rfftnd(tf.constant(x), lengths, axes, norm),
        np.fft.rfftn(x, lengths, range(3) if where is None else where, norm),
    )
    close(S.irfftnd(z, lengths, axes, norm), np.fft.irfftn(z, lengths, range(3) if where is None else where, norm))


def test_errors_of_any_axes():
    z = tf.zeros([2, 3], tf.complex64)
    with pytest.raises(ValueError, match="norm"):
        S.fftnd(z, norm="x")
    for lengths, axes in (([2], [0, 1]), (None, [0, 0]), (None, [2]), ([1, 2, 3], None)):
        with pytest.raises(tf.errors.InvalidArgumentError):
            S.fftnd(z, lengths, axes)


def test_shifts():
    assert S.fftshift([1, 2, 3, 4, 5]).numpy().tolist() == [4, 5, 1, 2, 3]
    assert S.ifftshift([[1, 2, 3], [4, 5, 6]], axes=1).numpy().tolist() == [[2, 3, 1], [5, 6, 4]]
    assert S.fftshift([[1, 2, 3], [4, 5, 6]], axes=(0, 1)).numpy().tolist() == [[6, 4, 5], [3, 1, 2]]
    with pytest.raises(tf.errors.InvalidArgumentError, match="axes"):
        S.fftshift([[1, 2, 3]], axes=2)


DCT = {  # (type, norm, n): of [1, 2, 4, 3]
    (1, None, None): [16, -4, -2, 2], (2, None, None): [20, -5.226252, -2.828427, 2.164784], (2, None, 2): [6, -1.4142135],
    (2, "ortho", None): [5, -1.8477591, -1, 0.7653669], (3, None, 6): [16.034546, -0.4142135, -9.1355667, -2.720839, 2.4142137, -0.178141],
    (3, "ortho", None): [4.6183567, -2.9186482, -0.0813515, 0.3816431], (4, None, None): [10.902553, -10.297125, 3.7375395, -1.0650547],
    (4, "ortho", 2): [1.6892463, -1.4650755],
}  # fmt: skip


@pytest.mark.parametrize("given", DCT, ids=str)
def test_cosine_transforms(given):
    kind, norm, n = given
    x = tf.constant([1.0, 2.0, 4.0, 3.0])
    close(S.dct(x, kind, n, norm=norm), DCT[given])
    close(S.idct(x, {1: 1, 2: 3, 3: 2, 4: 4}[kind], n, norm=norm), DCT[given])
    close(S.dct(tf.transpose([x, x]), kind, n, axis=0, norm=norm), np.transpose([DCT[given]] * 2))


def test_errors_of_cosine_transforms():
    for arguments, words in (
        ({"type": 5}, "Types"),
        ({"norm": "x"}, "normalization"),
        ({"n": 0}, "positive"),
        ({"type": 1, "norm": "ortho"}, "Type-I"),
    ):
        with pytest.raises(ValueError, match=words):
            S.dct(X, **arguments)
    with pytest.raises(tf.errors.InvalidArgumentError, match="int32"):
        S.dct(tf.constant([1, 2]))
    with pytest.raises(tf.errors.InvalidArgumentError, match="at least 2"):
        S.dct(tf.constant([1.0]), 1)


# -- windows ----------------------------------------------------------------------------------------------------------------------

WINDOWS = {
    "hann": {0: [], 1: [1], 4: [0, 0.5, 1, 0.5], 5: [0, 0.5, 1, 0.5, 0]},
    "hamming": {0: [], 1: [1], 4: [0.08, 0.54, 1, 0.54], 5: [0.08, 0.54, 1, 0.54, 0.08]},
    "kaiser": {1: [1], 4: [5.277344e-05, 0.5188447, 0.5188447, 5.277344e-05], 5: [5.277344e-05, 0.2156727, 1, 0.2156727, 5.277344e-05]},
    "kaiser_bessel_derived": {0: [], 1: [], 4: [0.0072641, 0.9999736, 0.9999736, 0.0072641], 5: [0.0072641, 0.9999736, 0.9999736, 0.0072641]},
    "vorbis": {0: [], 1: [1], 4: [0.2280143, 0.9736578, 0.9736578, 0.2280143], 5: [0.1494358, 0.8563191, 1, 0.8563191, 0.1494358]},
}  # fmt: skip


@pytest.mark.parametrize("name", WINDOWS)
def test_windows(name):
    f = getattr(S, f"{name}_window")
    for n, want in WINDOWS[name].items():
        close(f(n), want, 1e-7)
        close(f(tf.constant(n)), want, 1e-7)
    for dtype in (tf.float16, tf.bfloat16, tf.float32, tf.float64):
        assert f(4, dtype=dtype).dtype == dtype
    assert f(0).shape == (0,)
    with pytest.raises(ValueError, match="floating point"):
        f(4, dtype=tf.int32)
    with pytest.raises(tf.errors.InvalidArgumentError, match="negative"):
        f(-1)
    with pytest.raises(TypeError, match="integers"):
        f(4.0)


def test_symmetric_windows():
    close(S.hann_window(4, periodic=False), [0, 0.75, 0.75, 0])
    close(S.hamming_window(4, periodic=False), [0.08, 0.77, 0.77, 0.08])
    assert S.hann_window(1, periodic=False).numpy().tolist() == [1]


def test_kaiser_windows_are_differentiable_in_beta():
    close(gradient(lambda b: S.kaiser_window(4, beta=b), 3.0), -0.4348543)
    beta = tf.Variable(3.0)
    with tf.GradientTape() as tape:
        y = S.kaiser_bessel_derived_window(6, beta)
    close(y, [0.3085376, 0.7071068, 0.9512122, 0.9512122, 0.7071068, 0.3085376])
    assert tape.gradient(y, beta) is not None
    assert np.isfinite(S.kaiser_window(64, beta=2000.0)).all()  # where I0 itself overflows


# -- frames ----------------------------------------------------------------------------------------------------------------------


def test_frame():
    assert S.frame([1, 2, 3, 4, 5], 3, 2).numpy().tolist() == [[1, 2, 3], [3, 4, 5]]
    assert S.frame([1, 2, 3, 4], 3, 2, pad_end=True).numpy().tolist() == [[1, 2, 3], [3, 4, 0]]
    assert S.frame([1, 2, 3, 4], 3, 2, pad_end=True, pad_value=9).numpy().tolist() == [[1, 2, 3], [3, 4, 9]]
    assert S.frame([1, 2, 3, 4, 5, 6, 7], 2, 3).numpy().tolist() == [[1, 2], [4, 5]]
    rows = S.frame(np.arange(12.0).reshape(4, 3), 3, 3, axis=0, pad_end=True).numpy()
    assert rows[1].tolist() == [[9, 10, 11], [0, 0, 0], [0, 0, 0]]
    assert S.frame([1], 3, 2).shape == (0, 3)
    assert S.frame([1, 2], 0, 1).shape == (3, 0)
    assert S.frame(tf.zeros([0]), 2, 1, pad_end=True).shape == (0, 2)
    assert S.frame(["a", "b"], 2, 1).numpy().tolist() == [[b"a", b"b"]]
    with pytest.raises(ValueError, match="rank at least 1"):
        S.frame(1.0, 1, 1)
    for length, step, axis in ((1, 0, -1), (-1, 1, -1), (1, 1, 1)):
        with pytest.raises(tf.errors.InvalidArgumentError):
            S.frame([1, 2], length, step, axis=axis)


def test_overlap_and_add():
    close(S.overlap_and_add([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], 2), [1, 2, 7, 5, 6])
    close(S.overlap_and_add([[1.0, 2.0], [4.0, 5.0]], 3), [1, 2, 0, 4, 5])
    close(S.overlap_and_add([[1, 2], [3, 4]], 1), [1, 5, 4])
    close(S.overlap_and_add(tf.zeros([0, 3]), 1), [0, 0])
    assert S.overlap_and_add(tf.zeros([2, 3, 4]), 1).shape == (2, 6)
    with pytest.raises(ValueError, match="rank at least 2"):
        S.overlap_and_add([1.0, 2.0], 3)
    with pytest.raises(ValueError, match="integer"):
        S.overlap_and_add([[1.0]], 1.0)
    with pytest.raises(tf.errors.InvalidArgumentError, match="positive"):
        S.overlap_and_add([[1.0]], 0)


def test_stft():
    close(S.stft(X, 4, 2), [[4, -2 + 1j, 0], [8, -4 + 1j, 0], [12, -6 + 1j, 0]])
    close(S.stft(X, 3, 2), [[1, -1j, -1], [3, -3j, -3], [5, -5j, -5]])
    close(S.stft(X, 4, 2, window_fn=None)[0], [6, -2 + 2j, -2])
    close(S.stft(X, 4, 2, fft_length=2), [[0.5, -0.5], [1.5, -1.5], [2.5, -2.5]])
    assert S.stft(X, 4, 2, fft_length=8).shape == (3, 5) and S.stft(X, 4, 3, pad_end=True).shape == (3, 3)
    assert S.stft(X, 16, 2).shape == (0, 9) and S.stft(X, tf.constant(4), tf.constant(2)).shape == (3, 3)
    with pytest.raises(ValueError, match="floating point"):
        S.stft(tf.constant([1, 2, 3, 4]), 2, 2)


def test_inverse_stft():
    z = S.stft(X, 4, 2)
    close(S.inverse_stft(z, 4, 2), [0, 0.25, 2, 1.5, 4, 2.5, 6, 1.75])
    close(S.inverse_stft(z, 4, 2, window_fn=S.inverse_stft_window_fn(2)), [0, 0.5, 2, 3, 4, 5, 6, 3.5])
    longer = S.inverse_stft(S.stft(X, 4, 2, fft_length=4), 6, 2, fft_length=4)
    close(longer, [0, 0.125, 1.5, 1.875, 3, 3.125, 4.5, 3.5, 0, 0])
    close(S.inverse_stft_window_fn(3)(5, tf.float32), [0, 2, 1, 2, 0])
    close(S.inverse_stft_window_fn(4)(4), [0, 2, 1, 2])  # TensorFlow: NaN where no window reaches


def test_inverse_stft_undoes_stft():
    x = np.random.default_rng(6).standard_normal(120)
    for length, step in ((8, 2), (8, 4), (12, 5)):
        z = S.stft(x, length, step)
        back = S.inverse_stft(z, length, step, window_fn=S.inverse_stft_window_fn(step)).numpy()
        np.testing.assert_allclose(back[length:-length], x[length : len(back) - length], atol=1e-12)


def test_mdct():
    close(S.mdct(X, 4), [[-5.607321, -0.2148695], [-11.189502, 0.7012293], [-16.771683, 1.6173289]], 1e-4)
    close(S.mdct(X, 4, norm="ortho")[0], [-2.8036602, -0.1074347])
    close(S.mdct(X, 4, window_fn=None)[0], [-7.0740108, -1.3994179])
    for norm in (None, "ortho"):
        for window in (S.vorbis_window, S.kaiser_bessel_derived_window, None):
            back = S.inverse_mdct(S.mdct(X, 4, window, norm=norm), window, norm).numpy()
            np.testing.assert_allclose(back[2:6], X[2:6], atol=1e-5)
    with pytest.raises(ValueError, match="multiple of 4"):
        S.mdct(X, 6)
    with pytest.raises(ValueError, match="norm"):
        S.mdct(X, 4, norm="x")


def test_mel():
    want = [
        [0, 0, 0],
        [0.9409824, 0.0590176, 0],
        [0.0312546, 0.9687454, 0],
        [0, 0.3578416, 0.6421584],
        [0, 0, 0.8229475],
        [0, 0, 0.3791953],
    ]
    m = S.linear_to_mel_weight_matrix(3, 9, 8000, 100.0, 3000.0)
    close(m, want + [[0, 0, 0]] * 3)
    assert S.linear_to_mel_weight_matrix(dtype=tf.float64, sample_rate=tf.constant(8000.0)).shape == (129, 20)
    for given in (
        {"num_mel_bins": 0},
        {"upper_edge_hertz": 9000.0},
        {"lower_edge_hertz": -1.0},
        {"lower_edge_hertz": 4000.0},
        {"sample_rate": 0},
        {"dtype": tf.int32},
    ):
        with pytest.raises(ValueError, match=next(iter(given))):
            S.linear_to_mel_weight_matrix(**given)


def test_mfccs():
    close(S.mfccs_from_log_mel_spectrograms(X), [14, -6.4423227, 0, -0.6734547, 0, -0.200903, 0, -0.0507021])
    with pytest.raises(ValueError, match="num_mel_bins"):
        S.mfccs_from_log_mel_spectrograms(tf.zeros([2, 0]))


# -- in functions ----------------------------------------------------------------------------------------------------------------


def spectrogram_loss(x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        z = S.stft(x, 8, 4, window_fn=S.hamming_window)
        power = tf.abs(z) ** 2
        mel = power @ S.linear_to_mel_weight_matrix(4, 5)
        loss = tf.reduce_sum(S.mfccs_from_log_mel_spectrograms(tf.math.log(mel + 1e-3)) ** 2)
        loss += tf.reduce_sum(S.inverse_stft(z, 8, 4) ** 2) + tf.reduce_sum(S.inverse_mdct(S.mdct(x, 8)) ** 2)
    return loss, tape.gradient(loss, x)


def test_in_functions():
    x = tf.constant(np.random.default_rng(7).standard_normal((2, 32)).astype(np.float32))
    for a, b in zip(spectrogram_loss(x), tf.function(spectrogram_loss)(x), strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-4, atol=1e-4)


def test_lengths_that_only_the_run_knows():
    @tf.function
    def f(x, n):
        return S.hann_window(n), S.frame(x, n, 2), S.rfft(x, [n])

    window, frames, spectrum = f(tf.constant(X), tf.constant(4))
    close(window, [0, 0.5, 1, 0.5])
    assert frames.shape == (3, 4) and spectrum.shape == (3,)


def test_jacobians():
    z = tf.constant(np.random.default_rng(8).standard_normal((2, 3)))
    with tf.GradientTape() as tape:
        tape.watch(z)
        y = S.dct(z)
    c = np.array([[2 * np.cos(np.pi * k * (2 * j + 1) / 6) for j in range(3)] for k in range(3)])
    np.testing.assert_allclose(tape.batch_jacobian(y, z), [c, c], atol=1e-12)
