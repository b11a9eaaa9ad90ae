"""``tf.signal``: Fourier and cosine transforms, windows, frames, spectrograms.

The functions stand in ``gradtape.spectral``, a file for each subject.
"""

from __future__ import annotations

from .spectral.frames import frame, inverse_mdct, inverse_stft, inverse_stft_window_fn, mdct, overlap_and_add, stft
from .spectral.mel import linear_to_mel_weight_matrix, mfccs_from_log_mel_spectrograms
from .spectral.transforms import (
    dct,
    fft,
    fft2d,
    fft3d,
    fftnd,
    fftshift,
    idct,
    ifft,
    ifft2d,
    ifft3d,
    ifftnd,
    ifftshift,
    irfft,
    irfft2d,
    irfft3d,
    irfftnd,
    rfft,
    rfft2d,
    rfft3d,
    rfftnd,
)
from .spectral.windows import hamming_window, hann_window, kaiser_bessel_derived_window, kaiser_window, vorbis_window

__all__ = [
    "dct", "fft", "fft2d", "fft3d", "fftnd", "fftshift", "frame", "hamming_window", "hann_window", "idct", "ifft", "ifft2d", "ifft3d",
    "ifftnd", "ifftshift", "inverse_mdct", "inverse_stft", "inverse_stft_window_fn", "irfft", "irfft2d", "irfft3d", "irfftnd",
    "kaiser_bessel_derived_window", "kaiser_window", "linear_to_mel_weight_matrix", "mdct", "mfccs_from_log_mel_spectrograms",
    "overlap_and_add", "rfft", "rfft2d", "rfft3d", "rfftnd", "stft", "vorbis_window",
]  # fmt: skip
