"""Clip scores by a trained model: one row of probabilities a clip, computed the same way for every command."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

from labeltool.networks import build as networks
from labeltool.networks import predict as networks_predict
from labeltool.networks.model_folder import KERAS, ModelFiles
from labeltool.type_aliases import Float32

if TYPE_CHECKING:
    import keras

# Clips predicted together: enough to fill a batch, few enough that their patches fit the memory (8 MB each).
_CLIPS_AT_ONCE = 64


class Predictor(Protocol):
    """A function from patches, (n, mels, frames) float32, to probabilities, (n, labels) float32."""

    def __call__(self, patches: Float32, /) -> Float32:
        """Predict."""


@dataclass(frozen=True, slots=True)
class ClipScore:
    """Probabilities of a clip, (labels,) float32, calibrated, and of its patches, (patches, labels) float32, raw."""

    probabilities: Float32
    patches: Float32


def float_predictor(files: ModelFiles, network: keras.Model | None = None) -> Predictor:
    """Return the predictor of a model's float network, which is loaded unless it is given."""
    return partial(networks_predict.predict, network or networks.load(files.directory / KERAS))


def int8_predictor(files: ModelFiles, *, fast: bool = False) -> Predictor:
    """Load a model's int8 network, computed bit for bit as on the MCU; with `fast`, by kernels that differ slightly."""
    from labeltool.networks.quantization import Int8Model

    return Int8Model(files.int8, fast=fast).predict


def score_clips(files: ModelFiles, predict: Predictor, log_mels: Sequence[Float32]) -> Iterator[ClipScore]:
    """Yield the score of each clip.

    Parameters
    ----------
    log_mels : (frames, mels) float32 each
        One array a clip, of at least one patch.
    """
    for first in range(0, len(log_mels), _CLIPS_AT_ONCE):
        batch = log_mels[first : first + _CLIPS_AT_ONCE]
        scores, patches = networks_predict.clip_probabilities(predict, files.frontend, batch, files.rule)
        yield from map(ClipScore, scores, patches)
