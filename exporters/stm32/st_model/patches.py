"""A clip through ST's frontend and `model_st.tflite`, as ST's applications would run it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labeltool.audio.frontend import LogMelFrontend
from labeltool.exporters.stm32.st_model.frontend import DECIBELS, buffers, logarithm_of, quantise, st_log_mels
from labeltool.networks.quantization import FloatOutputModel
from labeltool.type_aliases import Bools, Float32, Int8, Int16


@dataclass(frozen=True, slots=True)
class StPatches:
    """The patches of a clip.

    Attributes
    ----------
    probabilities : (patches, labels) float32
        Outputs of the network.
    loudness_db : (patches,) float32
        Mean of each patch's input, decibels.
    empty : (patches,) bool
        Whether the whole patch lies at or below the floor: digital silence, or nearly.
    """

    probabilities: Float32
    loudness_db: Float32
    empty: Bools


def codes(pcm: Int16, frontend: LogMelFrontend, network: FloatOutputModel, step: int | None = None) -> Int8:
    """Compute the network's inputs from samples, `(samples,)`: one patch a buffer, `(patches, n_mels, frames)`."""
    return quantise(st_log_mels(buffers(pcm, frontend, step), frontend), network.input.scale, network.input.zero_point)


def st_patches(pcm: Int16, frontend: LogMelFrontend, network: FloatOutputModel, step: int | None = None) -> StPatches:
    """Run the patches of a clip, `(samples,)`; `step` as in `buffers`."""
    given = codes(pcm, frontend, network, step)
    means = given.mean(axis=(1, 2), dtype=np.float32)
    decibels = np.float32(network.input.scale * DECIBELS[logarithm_of(frontend)])
    return StPatches(
        probabilities=network.predict(given),
        loudness_db=(means - np.float32(network.input.zero_point)) * decibels,
        empty=np.asarray((given == -128).all(axis=(1, 2))),
    )
