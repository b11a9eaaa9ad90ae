"""The kernels of the transforms against their definition, and long ones, which take another way, against SciPy's."""

import numpy as np
import pytest
import scipy.fft

from gradtape.primitives import fourier as fo


def matrix(n, sign):
    return np.exp(sign * 2j * np.pi * np.outer(np.arange(n), np.arange(n)) / n)


def signal(*shape):
    rng = np.random.default_rng(0)
    return rng.standard_normal(shape) + 1j * rng.standard_normal(shape)


@pytest.mark.parametrize("n", [1, 2, 5, 8])
def test_definition(n):
    z = signal(n)
    np.testing.assert_allclose(fo._fft(z, axes=(0,), inverse=False), matrix(n, -1) @ z, atol=1e-12)
    np.testing.assert_allclose(fo._fft(z, axes=(0,), inverse=True), matrix(n, 1) @ z / n, atol=1e-12)
    np.testing.assert_allclose(fo._rfft(z.real, axes=(0,)), (matrix(n, -1) @ z.real)[: n // 2 + 1], atol=1e-12)


@pytest.mark.parametrize(("dtype", "n"), [(np.complex64, 1 << 16), (np.complex64, 3 << 15), (np.complex128, 1 << 18)])
@pytest.mark.parametrize("inverse", [False, True])
def test_long_transforms(dtype, n, inverse):
    z = signal(2, n).astype(dtype)
    assert n >= fo._LONG[z.dtype]
    kept = z.copy()
    got = fo._fft(z, axes=(1,), inverse=inverse)
    want = (scipy.fft.ifft if inverse else scipy.fft.fft)(z.astype(np.complex128))
    assert got.dtype == dtype
    np.testing.assert_allclose(got, want, atol=np.abs(want).max() * 8 * np.finfo(dtype).eps)
    np.testing.assert_array_equal(z, kept)


def test_precision_is_kept():
    assert fo._fft(signal(8).astype(np.complex64), axes=(0,), inverse=False).dtype == np.complex64
    assert fo._rfft(np.ones(8, np.float32), axes=(0,)).dtype == np.complex64
    assert fo._irfft(np.ones(5, np.complex64), axes=(0,), n=8).dtype == np.float32
    assert fo._dct(np.ones(8, np.float32), type=2, axis=0, ortho=False).dtype == np.float32


@pytest.mark.parametrize("n", [4, 5])
def test_cosine_transforms(n):
    x = np.random.default_rng(1).standard_normal(n)
    i = np.arange(n)
    two = 2 * np.cos(np.pi * np.outer(i, 2 * i + 1) / (2 * n)) @ x
    four = 2 * np.cos(np.pi * np.outer(2 * i + 1, 2 * i + 1) / (4 * n)) @ x
    one = 2 * np.cos(np.pi * np.outer(i, i) / (n - 1)) @ (x * np.r_[0.5, np.ones(n - 2), 0.5])
    three = 2 * np.cos(np.pi * np.outer(2 * i + 1, i) / (2 * n)) @ (x * np.r_[0.5, np.ones(n - 1)])
    for t, want in enumerate((one, two, three, four), 1):
        np.testing.assert_allclose(fo._dct(x, type=t, axis=0, ortho=False), want, atol=1e-12)
