"""A clip through ST's front end and `model_st.tflite`, as ST's applications would run it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labeltool.exporters.stm32.st_model.frontend import StFrontend, buffers, quantise
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


def codes(pcm: Int16, frontend: StFrontend, network: FloatOutputModel) -> Int8:
    """Compute the network's inputs from samples, `(samples,)`: one patch a buffer, `(patches, n_mels, columns)`.

    A clip shorter than a buffer is padded with zeros at its end.
    """
    missing = max(0, frontend.patch_samples - len(pcm))
    cut = buffers(np.pad(pcm, (0, missing)), frontend.patch_samples)
    return quantise(frontend.log_mels(cut), network.input.scale, network.input.zero_point)


def st_patches(pcm: Int16, frontend: StFrontend, network: FloatOutputModel) -> StPatches:
    """Run the patches of a clip, `(samples,)`, which do not overlap."""
    given = codes(pcm, frontend, network)
    means = given.mean(axis=(1, 2), dtype=np.float32)
    return StPatches(
        probabilities=network.predict(given),
        loudness_db=(means - np.float32(network.input.zero_point)) * np.float32(network.input.scale),
        empty=np.asarray((given == -128).all(axis=(1, 2))),
    )
