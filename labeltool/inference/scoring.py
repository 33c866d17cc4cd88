"""Clip scores by a trained model: one row of probabilities a clip, computed the same way for every command."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

import numpy as np

from labeltool.audio.frontend import Frontend
from labeltool.audio.trunk_frontend import TrunkFrontend
from labeltool.errors import LabeltoolError
from labeltool.networks import build as networks
from labeltool.networks import predict as networks_predict
from labeltool.networks.dense_head import DenseHead
from labeltool.networks.model_folder import HEAD, INT8, KERAS, ModelFiles
from labeltool.networks.postprocessing import ClipRule
from labeltool.type_aliases import Float32, Int8

if TYPE_CHECKING:
    import keras

CLIPS_AT_ONCE = 64
"""Clips predicted together: enough to fill a batch, few enough that their patches fit the memory (8 MB each)."""


class Predictor(Protocol):
    """A function from patches, (n, features, frames), to probabilities, (n, labels) float32."""

    def __call__(self, patches: Float32, /) -> Float32:
        """Predict."""


@dataclass(frozen=True, slots=True)
class ClipScore:
    """Probabilities of a clip, (labels,) float32, calibrated, and of its patches, (patches, labels) float32, raw."""

    probabilities: Float32
    patches: Float32


def float_predictor(files: ModelFiles, network: keras.Model | None = None) -> Predictor:
    """Return the predictor of a model's float network, for patches of `ModelFiles.feature_frontend`."""
    if files.card.trunk is not None:
        head, codes_of = DenseHead.load(files.directory / HEAD), head_codes(files)
        return lambda patches: head.predict(codes_of(patches))
    return partial(networks_predict.predict, network or networks.load(files.directory / KERAS))


def int8_predictor(files: ModelFiles, *, fast: bool = False) -> Predictor:
    """Load a model's int8 network, computed bit for bit as on the MCU; with `fast`, by kernels that differ slightly.

    It takes patches of the model's frontend.
    """
    from labeltool.networks.quantization import Int8Model

    return Int8Model(files.int8, fast=fast).predict


def int8_feature_predictor(files: ModelFiles) -> Predictor:
    """Return `int8_predictor` for patches of `ModelFiles.feature_frontend`.

    Behind a trunk that is the head alone: the features are the codes that the network itself computes.
    """
    if files.card.trunk is None:
        return int8_predictor(files)
    from labeltool.networks.int8_head import int8_head
    from labeltool.networks.quantization import interpreter

    head = int8_head(interpreter(files.int8))
    if head is None:
        raise LabeltoolError(
            "has no head", file=files.directory / INT8, remedy="retrain: the model's folder is damaged"
        )

    codes_of = head_codes(files)

    def predict(patches: Float32, /) -> Float32:
        codes = head(codes_of(patches))
        return (codes.astype(np.float32) + np.float32(128)) * np.float32(1 / 256)

    return predict


def head_codes(files: ModelFiles) -> Callable[[Float32], Int8]:
    """Return the function from patches of a `TrunkFrontend`, (n, width, 1), to what a model's head reads of them."""
    frontend, trunk = files.feature_frontend, files.card.trunk
    assert isinstance(frontend, TrunkFrontend) and trunk is not None, "a model with a trunk"
    places = frontend.places(trunk.pools)
    return lambda patches: patches[:, places, 0].astype(np.int8)


def score_clips(
    frontend: Frontend, rule: ClipRule, predict: Predictor, clips: Sequence[Float32], *, at_once: int = CLIPS_AT_ONCE
) -> Iterator[ClipScore]:
    """Yield the score of each clip.

    Parameters
    ----------
    frontend
        Of the patches that the predictor takes.
    clips : (frames, columns) each
        One array a clip, of at least one patch.
    at_once
        Clips that are scored before the first of them is yielded.
    """
    for first in range(0, len(clips), at_once):
        batch = list(clips[first : first + at_once])  # read once, used three times
        scores, patches = networks_predict.clip_probabilities(predict, frontend, batch, rule)
        yield from map(ClipScore, scores, patches)
