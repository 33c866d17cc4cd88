"""How long int8 conversion and validation of a network take on this machine: what a time budget must leave room for."""

from __future__ import annotations

import time

import numpy as np

from labeltool.audio.frontend import Frontend
from labeltool.networks.heads import Head

_TIMED_PATCHES = 16
# The machine may become busier than it was during the estimate.
_MARGIN = 1.5


def estimate_seconds_after_training(
    arch: str, frontend: Frontend, n_labels: int, head: Head, *, patches_to_check: int, seed: int
) -> float:
    """Time what follows training on an untrained network, and return the seconds it will take.

    Parameters
    ----------
    patches_to_check
        Number of patches of the validation clips.
    """
    from labeltool.networks import build as networks
    from labeltool.networks import quantization

    network = networks.build(arch, n_labels, frontend, head)
    shape = (_TIMED_PATCHES, frontend.n_features, frontend.patch_frames)
    patches = np.random.default_rng(seed).normal(0, 1, shape).astype(np.float32)
    # Without it, the signal of a deep network dies away and leaves layers without a scale, on which the kernels abort.
    networks.recompute_norm_statistics(network, [patches[..., None]])
    began_s = time.monotonic()
    int8 = quantization.to_int8(network, patches)
    converted_s = time.monotonic()
    quantization.Int8Model(int8).predict(patches)
    a_patch_s = (time.monotonic() - converted_s) / _TIMED_PATCHES
    # The float patches that fix the scales take about half an int8 one each; files are written and read meanwhile.
    patches_after = quantization.REPRESENTATIVE_PATCHES / 2 + 2 * patches_to_check
    return _MARGIN * (2 * (converted_s - began_s) + a_patch_s * patches_after)
