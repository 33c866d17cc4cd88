"""How long it takes, here and now, to make int8 of a network and to check it: what a budget must leave room for."""

from __future__ import annotations

import time

import numpy as np

from labeltool.audio.frontend import Frontend
from labeltool.networks.heads import Head

_REHEARSED_PATCHES = 16
# The machine may grow busier than it was when this was rehearsed.
_MARGIN = 1.5


def seconds_after_training(
    arch: str, frontend: Frontend, n_labels: int, head: Head, *, patches_to_check: int, seed: int
) -> float:
    """Rehearse on an untrained network what follows training, and return how long it would take.

    Parameters
    ----------
    patches_to_check
        Of the validation clips.
    """
    from labeltool.networks import build as networks
    from labeltool.networks import quantization

    network = networks.build(arch, n_labels, frontend, head)
    shape = (_REHEARSED_PATCHES, frontend.n_mels, frontend.patch_frames)
    patches = np.random.default_rng(seed).normal(0, 1, shape).astype(np.float32)
    # Without, the signal of a deep network dies away and leaves layers of no scale, over which the kernels abort.
    networks.settle_norms(network, [patches[..., None]])
    began = time.monotonic()
    int8 = quantization.to_int8(network, patches)
    converted = time.monotonic()
    quantization.Int8Model(int8).predict(patches)
    a_patch_s = (time.monotonic() - converted) / _REHEARSED_PATCHES
    # The float patches that fix the scales take about half an int8 one each; files are written and read meanwhile.
    reckoned_s = 2 * (converted - began) + a_patch_s * (quantization.REPRESENTATIVE_PATCHES / 2 + 2 * patches_to_check)
    return _MARGIN * reckoned_s
