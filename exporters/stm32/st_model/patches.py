"""A clip through ST's front end and `model_st.tflite`, as ST's applications would run it."""

from __future__ import annotations

import numpy as np

from labeltool.exporters.stm32.st_model.frontend import StFrontend, buffers, quantise
from labeltool.networks.quantization import FloatOutputModel
from labeltool.type_aliases import Float32, Int8, Int16


def codes(pcm: Int16, frontend: StFrontend, network: FloatOutputModel) -> Int8:
    """Compute the network's inputs from samples, `(samples,)`: one patch a buffer, `(patches, n_mels, columns)`.

    A clip shorter than a buffer is padded with zeros at its end.
    """
    missing = max(0, frontend.patch_samples - len(pcm))
    cut = buffers(np.pad(pcm, (0, missing)), frontend.patch_samples)
    return quantise(frontend.log_mels(cut), network.input.scale, network.input.zero_point)


def probabilities(pcm: Int16, frontend: StFrontend, network: FloatOutputModel) -> Float32:
    """Return the network's outputs for the patches of a clip, `(patches, labels)`."""
    return network.predict(codes(pcm, frontend, network))
