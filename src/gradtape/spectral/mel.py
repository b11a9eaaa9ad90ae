"""The mel scale: weights that turn a spectrum into mel bands, and cepstral coefficients."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core.arguments import integer, sized
from ..core.tensor import Tensor, convert
from ..ground.dtypes import as_dtype, float32
from .transforms import dct


def _mel(hertz: Any) -> Any:
    """Frequencies on the mel scale (O'Shaughnessy 1987, as in HTK): 1127 ln(1 + f / 700)."""
    return 1127.0 * np.log1p(np.asarray(hertz) / 700.0)


@sized
def linear_to_mel_weight_matrix(
    num_mel_bins: Any = 20,
    num_spectrogram_bins: Any = 129,
    sample_rate: Any = 8000,
    lower_edge_hertz: Any = 125.0,
    upper_edge_hertz: Any = 3800.0,
    dtype: Any = float32,
    name: str | None = None,
) -> Tensor:
    """The matrix that turns a spectrum, ``spectrum @ matrix``, into mel bands: overlapping triangles on the mel scale.

    Args:
        num_mel_bins: how many bands.
        num_spectrogram_bins: how many frequencies the spectrum has, 0 and half the sample rate included.
        sample_rate: samples a second.
        lower_edge_hertz: where the first band begins.
        upper_edge_hertz: where the last one ends: not above half the sample rate.
        dtype: a float dtype.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of shape (num_spectrogram_bins, num_mel_bins).

    Raises:
        ValueError: a number is not positive, the edges are not in order, or ``dtype`` is no float's.

    >>> import gradtape as tf
    >>> tf.signal.linear_to_mel_weight_matrix(2, 5, dtype=tf.float64).numpy().round(3).tolist()
    [[0.0, 0.0], [0.721, 0.279], [0.0, 0.903], [0.0, 0.346], [0.0, 0.0]]
    """
    bands, bins = integer(num_mel_bins, "num_mel_bins"), integer(num_spectrogram_bins, "num_spectrogram_bins")
    rate, lower, upper = (float(np.asarray(v)) for v in (sample_rate, lower_edge_hertz, upper_edge_hertz))
    d = as_dtype(dtype)
    for what, value in (("num_mel_bins", bands), ("num_spectrogram_bins", bins), ("sample_rate", rate)):
        if value <= 0:
            raise ValueError(f"{what} must be positive. Got: {value:g}")
    if lower < 0:
        raise ValueError(f"lower_edge_hertz must be non-negative. Got: {lower:g}")
    if lower >= upper:
        raise ValueError(f"lower_edge_hertz {lower:g} >= upper_edge_hertz {upper:g}")
    if upper > rate / 2:
        raise ValueError(
            f"upper_edge_hertz must not be larger than the Nyquist frequency (sample_rate / 2). Got {upper:g} for sample_rate: {rate:g}"
        )
    if not d.is_floating:
        raise ValueError(f"dtype must be a floating point type. Got: {d!r}")
    # frequency 0 belongs to no band
    frequencies = _mel(np.linspace(0, rate / 2, bins)[1:])[:, None]
    edges = np.linspace(_mel(lower), _mel(upper), bands + 2)
    left, middle, right = edges[:-2], edges[1:-1], edges[2:]
    rise, fall = (frequencies - left) / (middle - left), (right - frequencies) / (right - middle)
    weights = np.maximum(0, np.minimum(rise, fall))
    return convert(np.concatenate([np.zeros((1, bands)), weights]).astype(d.np))


@sized
def mfccs_from_log_mel_spectrograms(log_mel_spectrograms: Any, name: str | None = None) -> Tensor:
    """The mel-frequency cepstral coefficients: the cosine transform, type II, of log mel bands, as in HTK (Davis and Mermelstein 1980).

    Args:
        log_mel_spectrograms: a float Tensor of shape (..., bands).
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the same shape and dtype.

    Raises:
        ValueError: there are no bands.

    >>> import gradtape as tf
    >>> tf.signal.mfccs_from_log_mel_spectrograms(tf.constant([0., 1.], tf.float64)).numpy().round(4).tolist()
    [1.0, -0.7071]
    """
    x = convert(log_mel_spectrograms)
    bands = x._shape[-1] if x._shape else 0
    if bands == 0:
        raise ValueError(f"num_mel_bins must be positive. Got a tensor of shape {x.shape}.")
    return dct(x, type=2) * (1 / math.sqrt(2.0 * bands))


__all__ = ["linear_to_mel_weight_matrix", "mfccs_from_log_mel_spectrograms"]
