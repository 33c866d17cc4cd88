"""The time budget of a retraining: when each of its parts must end, and how much time follows the training."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

import numpy as np

from labeltool.audio.frontend import Frontend
from labeltool.networks.heads import Head
from labeltool.util.time_limit import NO_LIMIT, Clock, TimeLimit

_TIMED_PATCHES = 16
# The machine may become busier than it was during the estimate.
_MARGIN = 1.5
# A retraining may take this multiple of its budget, and ten seconds; two of these are for the process to start and end.
_ALL_SHARE, _ALL_S = 1.2, 10.0 - 2.0


@dataclass(frozen=True, slots=True)
class Budget:
    """When the parts of a retraining must end.

    Attributes
    ----------
    model
        When the model must be finished; the training is as long as that allows, or the shortest if it is late.
    end
        When all of the retraining must have ended.
    rest_s
        Estimated seconds of the shortest training: those that TensorFlow took to start, for both are Python building
        graphs.
    """

    model: TimeLimit = NO_LIMIT
    end: TimeLimit = NO_LIMIT
    rest_s: float = field(default=0.0, compare=False)

    @property
    def features(self) -> TimeLimit:
        """Until when features of labelled clips may be computed: half of the time from now, or what the rest leaves."""
        return max(self.model.after(0.5), replace(self.end, at_s=self.end.at_s - self.rest_s), key=lambda one: one.at_s)


NO_BUDGET = Budget()


def budget_of(seconds: float | None, began_s: float, clock: Clock = time.monotonic) -> Budget:
    """Return the budget of a retraining that began at some time of a clock; None: no limit."""
    if seconds is None:
        return NO_BUDGET
    return Budget(TimeLimit(began_s + seconds, clock), TimeLimit(began_s + _ALL_SHARE * seconds + _ALL_S, clock))


def estimate_seconds_after_training(
    arch: str, frontend: Frontend, n_labels: int, head: Head, *, patches_to_check: int, seed: int
) -> float:
    """Time what follows training on an untrained network, and return the seconds it will take."""
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
