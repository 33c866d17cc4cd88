"""Log-mels that a network can be trained on in seconds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from labeltool.audio.frontend import LogMelFrontend
from labeltool.networks.heads import Head
from labeltool.training.augmentation.log_mel import LogMelSampler
from labeltool.training.fit import TrainingSettings
from labeltool.training.training_data import TrainingData

FRONTEND = LogMelFrontend()
QUICK = TrainingSettings(most_patches=960, least_patches=960, batch=32)
NAMES = ["high", "low", "middle"]


def clips(per_label: int = 6, labels: int = 3, seed: int = 0) -> tuple[list[np.ndarray], np.ndarray, list[str]]:
    """Log-mels of clips whose labels are bands of sound, in the second half of the clip only; two clips a group."""
    rng = np.random.default_rng(seed)
    log_mels, targets, groups = [], [], []
    for label in range(labels):
        for index in range(per_label):
            power = rng.exponential(1e-5, (110, 64))
            power[60:, 5 + 20 * label : 15 + 20 * label] += rng.exponential(0.1, (50, 10))
            log_mels.append(FRONTEND.log_of_power(power.astype(np.float32)))
            targets.append(np.eye(labels, dtype=np.float32)[label])
            groups.append(f"{label}-{index // 2}")
    return log_mels, np.array(targets), groups


def training_data(
    log_mels: Sequence[np.ndarray],
    present: np.ndarray,
    groups: Sequence[str],
    names: Sequence[str] = NAMES,
    *,
    absent: np.ndarray | None = None,
    head: Head = "softmax",
    distillation_targets: Sequence[np.ndarray] | None = None,
) -> TrainingData:
    """Make training data of log-mels; without `absent` nothing is known to be absent."""
    absent = np.zeros_like(present) if absent is None else absent
    return TrainingData(FRONTEND, log_mels, present, absent, groups, names, head, distillation_targets)


class ClockOfDraws:
    """A clock that only drawing a batch of patches moves on, by `draw_s` seconds: the machine's speed does not matter.

    From the draw `slower_from` on, each takes twice as long.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, draw_s: float, slower_from: int = 1_000_000) -> None:
        self.now_s, self.draws = 100.0, 0
        draw = LogMelSampler.batch

        def batch(sampler: LogMelSampler, n: int) -> tuple[np.ndarray, np.ndarray]:
            self.draws += 1
            self.now_s += draw_s if self.draws < slower_from else 2 * draw_s
            return draw(sampler, n)

        monkeypatch.setattr(LogMelSampler, "batch", batch)

    def __call__(self) -> float:
        return self.now_s
