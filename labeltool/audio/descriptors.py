"""Descriptors of a clip that need no network, and scalings for comparing embeddings."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import numpy as np

from labeltool.audio.frontend import Frontend, hellinger
from labeltool.type_aliases import Float32, Float64


def describe(log_mel: Float32, frontend: Frontend) -> Float32:
    """Sum a clip up without a network: how loud its bands are, and how fast they change.

    Levels are the 10th, 50th and 90th percentile over time of 16 bands, their mean where the clip is loud, their
    deviation and mean change from frame to frame; change is the logarithm of their modulation spectrum in six
    octave bands below 20 Hz. Clips of one sound lie close in this space whatever their length.

    Parameters
    ----------
    log_mel : (frames, n_mels) float32
        Or the plain samples of a frontend of that kind: their log-mels are made here. Of embeddings, which need no
        summing up of bands, it is the mean and maximum over windows, projected.

    Returns
    -------
    (192,) float32
        To be standardised over clips (`standardised`) before distances mean anything.
    """
    if frontend.kind == "pcm":
        frontend = Frontend(sample_rate_hz=frontend.sample_rate_hz)
        log_mel = frontend.log_mel(np.rint(log_mel[:, 0] * 32768.0).clip(-32768, 32767).astype(np.int16))
    if frontend.kind == "embedding":
        rows = hellinger(log_mel[:, 1:], 1.0)
        both = np.concatenate([rows.mean(axis=0), rows.max(axis=0)])
        return both @ _projection(len(both))
    bands = np.stack([part.mean(axis=1) for part in np.array_split(log_mel.astype(np.float64), _BANDS, axis=1)], axis=1)
    loudness = 10.0 ** (bands.mean(axis=1) * frontend.scale_db / 10.0)
    levels = [
        *np.quantile(bands, (0.1, 0.5, 0.9), axis=0),
        loudness @ bands / loudness.sum(),
        bands.std(axis=0),
        np.abs(np.diff(bands, axis=0)).mean(axis=0),
    ]
    frames_per_s = frontend.sample_rate_hz / frontend.hop
    # A short clip is filled up with silence to the length that resolves the slowest band.
    length = max(len(bands), round(2.0 * frames_per_s / _MODULATION_HZ[0]))
    spectrum = np.abs(np.fft.rfft(bands - bands.mean(axis=0), length, axis=0)) / len(bands)
    hertz = np.fft.rfftfreq(length, 1.0 / frames_per_s)
    octaves = [spectrum[(low <= hertz) & (hertz < high)] for low, high in pairwise(_MODULATION_HZ)]
    changes = [np.log(1e-3 + octave.mean(axis=0)) for octave in octaves]
    return np.concatenate([*levels, *changes]).astype(np.float32)


@lru_cache(maxsize=1)
def _projection(width: int) -> Float32:
    """Return random directions on which distances survive (Johnson-Lindenstrauss), (width, 192)."""
    drawn = np.random.default_rng(0).normal(0.0, 1.0 / np.sqrt(_DESCRIBED), (width, _DESCRIBED))
    return drawn.astype(np.float32)


_DESCRIBED = 192


_BANDS = 16


_MODULATION_HZ = (0.2, 0.6, 1.2, 2.4, 5.0, 10.0, 20.0)


def standardised(features: Float32) -> Float32:
    """Give every feature mean 0 and one variance, such that a clip's expected square is 1: `(clips, features)`."""
    spread = features.std(axis=0)
    scale = np.maximum(spread, 1e-6 + 1e-3 * spread.max(initial=0.0)) * np.sqrt(features.shape[1])
    return np.asarray((features - features.mean(axis=0)) / scale, np.float32)


# A row's length: with it a regularisation means the same for embeddings of any width.
_NORM = 45.0


def hellinger_embeddings(embeddings: Float32) -> Float64:
    """Return the square roots of embeddings, each row of one length: as such, activations compare better."""
    return hellinger(embeddings.astype(np.float64), _NORM)
