"""Descriptors of a clip that need no network, and scalings for comparing embeddings."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from labeltool.type_aliases import Float32, Float64

_DESCRIPTOR_WIDTH = 192
_BANDS = 16
_MODULATION_HZ = (0.2, 0.6, 1.2, 2.4, 5.0, 10.0, 20.0)
# Length of a row of embeddings: with one length a regularisation means the same for embeddings of any width.
_NORM = 45.0


def describe_log_mel(log_mel: Float32, scale_db: float, frames_per_s: float) -> Float32:
    """Summarise a clip by the levels of its bands and how fast they change.

    Levels are the 10th, 50th and 90th percentile over time of 16 bands, their mean where the clip is loud, their
    deviation and mean change from frame to frame; change is the logarithm of their modulation spectrum in six
    octave bands below 20 Hz. Clips of one sound are close in this space whatever their length.

    Parameters
    ----------
    log_mel : (frames, n_mels) float32
    scale_db
        Decibels per unit of `log_mel`.

    Returns
    -------
    (192,) float32
        To be scaled over clips (`standardise`) before distances mean anything.
    """
    bands = np.stack([part.mean(axis=1) for part in np.array_split(log_mel.astype(np.float64), _BANDS, axis=1)], axis=1)
    loudness = 10.0 ** (bands.mean(axis=1) * scale_db / 10.0)
    levels = [
        *np.quantile(bands, (0.1, 0.5, 0.9), axis=0),
        loudness @ bands / loudness.sum(),
        bands.std(axis=0),
        np.abs(np.diff(bands, axis=0)).mean(axis=0),
    ]
    # A short clip is padded with silence to the length that resolves the slowest band.
    length = max(len(bands), round(2.0 * frames_per_s / _MODULATION_HZ[0]))
    spectrum = np.abs(np.fft.rfft(bands - bands.mean(axis=0), length, axis=0)) / len(bands)
    hertz = np.fft.rfftfreq(length, 1.0 / frames_per_s)
    octaves = [spectrum[(low <= hertz) & (hertz < high)] for low, high in pairwise(_MODULATION_HZ)]
    changes = [np.log(1e-3 + octave.mean(axis=0)) for octave in octaves]
    return np.concatenate([*levels, *changes]).astype(np.float32)


def describe_embeddings(embeddings: Float32) -> Float32:
    """Summarise a clip's embeddings, `(windows, width)`: mean and maximum, projected to `(192,) float32`."""
    rows = hellinger(embeddings, 1.0)
    mean_and_max = np.concatenate([rows.mean(axis=0), rows.max(axis=0)])
    return np.asarray(mean_and_max @ random_projection(len(mean_and_max), _DESCRIPTOR_WIDTH))


@lru_cache(maxsize=2)
def random_projection(width: int, to: int = 128) -> Float32:
    """Return random directions that preserve distances (Johnson-Lindenstrauss), (width, to) float32, read-only."""
    directions = np.random.default_rng(0).normal(0.0, 1.0 / np.sqrt(to), (width, to)).astype(np.float32)
    directions.flags.writeable = False  # shared by every caller
    return directions


def standardise(features: Float32) -> Float32:
    """Give every feature mean 0 and one variance, such that a clip's expected square is 1: `(clips, features)`."""
    spread = features.std(axis=0)
    scale = np.maximum(spread, 1e-6 + 1e-3 * spread.max(initial=0.0)) * np.sqrt(features.shape[1])
    centred = features - features.mean(axis=0)
    return np.asarray(np.divide(centred, scale, out=np.asarray(centred, np.float32), casting="same_kind"))


def hellinger(rows: npt.NDArray[Any], length: float, axis: int = -1) -> npt.NDArray[Any]:
    """Return the signed square roots of embeddings, each row scaled to one length; activations compare better so.

    The inner product of two is the Hellinger kernel (Vedaldi and Zisserman 2012, "Efficient additive kernels via
    explicit feature maps"). A row of zeros (silence) stays one.
    """
    roots = np.sign(rows) * np.sqrt(np.abs(rows))
    roots *= length / np.maximum(np.linalg.norm(roots, axis=axis, keepdims=True), 1e-9)
    return np.asarray(roots)


def hellinger_embeddings(embeddings: Float32) -> Float64:
    """Return embeddings scaled by `hellinger`, each row of the length that the classifiers here expect."""
    return hellinger(embeddings.astype(np.float64), _NORM)
