"""What a model holds of clips: patches in, one answer a clip, the same way for every command and precision."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from labeltool.aggregate import clip_scores
from labeltool.frontend import Float32
from labeltool.modelfiles import ModelFiles

# Clips predicted together: enough to fill a batch, few enough that their patches fit the memory (8 MB each).
_CLIPS_AT_ONCE = 64


class Predictor(Protocol):
    """Something that maps patches, (n, mels, frames) float32, to probabilities, (n, labels) float32."""

    def __call__(self, patches: Float32, /) -> Float32:
        """Predict."""


@dataclass(frozen=True, slots=True)
class ClipScore:
    """Probabilities: a clip's, (labels,) float32, calibrated; its patches', (patches, labels) float32, as they came."""

    probabilities: Float32
    patches: Float32


def float_predictor(files: ModelFiles) -> Predictor:
    """Load a model's float network."""
    from labeltool import models
    from labeltool.modelfiles import KERAS

    network = models.load(files.directory / KERAS)

    def predict(patches: Float32) -> Float32:
        found: Float32 = network.predict(patches[..., None], batch_size=256, verbose=0)
        return found

    return predict


def int8_predictor(files: ModelFiles) -> Predictor:
    """Load a model's int8 network, computed bit for bit as the chip's reference kernels do."""
    from labeltool.quantise import Int8Model

    return Int8Model(files.int8).predict


def score_clips(files: ModelFiles, predict: Predictor, log_mels: Sequence[Float32]) -> Iterator[ClipScore]:
    """Yield each clip's answer.

    Parameters
    ----------
    log_mels
        Each (frames, mels) float32, of at least one patch.
    """
    for first in range(0, len(log_mels), _CLIPS_AT_ONCE):
        batch = [np.asarray(log_mel) for log_mel in log_mels[first : first + _CLIPS_AT_ONCE]]
        patches = [files.frontend.patches(log_mel) for log_mel in batch]
        predicted = predict(np.concatenate(patches))
        ends = np.cumsum([len(one) for one in patches])[:-1]
        for log_mel, probabilities in zip(batch, np.split(predicted, ends), strict=True):
            loudness_db = files.frontend.loudness_db(log_mel)
            yield ClipScore(clip_scores(probabilities, loudness_db, files.rule), probabilities)
