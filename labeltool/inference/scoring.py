"""What a model holds of clips: patches in, one answer a clip, the same way for every command and precision."""

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
    """Something that maps patches, (n, mels, frames) float32, to probabilities, (n, labels) float32."""

    def __call__(self, patches: Float32, /) -> Float32:
        """Predict."""


@dataclass(frozen=True, slots=True)
class ClipScore:
    """Probabilities: a clip's, (labels,) float32, calibrated; its patches', (patches, labels) float32, as they came."""

    probabilities: Float32
    patches: Float32


def float_predictor(files: ModelFiles, network: keras.Model | None = None) -> Predictor:
    """Return a model's float network, loaded unless it is at hand."""
    return partial(networks_predict.predict, network or networks.load(files.directory / KERAS))


def int8_predictor(files: ModelFiles, *, fast: bool = False) -> Predictor:
    """Load a model's int8 network, computed bit for bit as the chip's reference kernels do; `fast`: nearly so."""
    from labeltool.networks.quantization import Int8Model

    return Int8Model(files.int8, fast=fast).predict


def score_clips(files: ModelFiles, predict: Predictor, log_mels: Sequence[Float32]) -> Iterator[ClipScore]:
    """Yield each clip's answer.

    Parameters
    ----------
    log_mels
        Each (frames, mels) float32, of at least one patch.
    """
    for first in range(0, len(log_mels), _CLIPS_AT_ONCE):
        batch = log_mels[first : first + _CLIPS_AT_ONCE]
        scores, patches = networks_predict.clip_probabilities(predict, files.frontend, batch, files.rule)
        yield from map(ClipScore, scores, patches)
