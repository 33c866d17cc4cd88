"""Log-mels that a network can be trained on in seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from labeltool.audio.frontend import LogMelFrontend
from labeltool.networks.architectures import Architecture
from labeltool.networks.heads import Head
from labeltool.parallel import engine
from labeltool.training import fit, loop
from labeltool.training.fit import TrainingSettings
from labeltool.training.training_data import TrainingData

FRONTEND = LogMelFrontend()
QUICK = TrainingSettings(most_patches=960, least_patches=960, batch=32)
NAMES = ["high", "low", "middle"]


def _tiny_backbone(x: Any) -> Any:
    import keras

    layers = keras.layers
    x = layers.Conv2D(12, 5, strides=(3, 4), name="stem_conv")(x)
    x = layers.BatchNormalization(name="stem_norm")(x)
    x = layers.ReLU(name="stem_relu")(x)
    x = layers.MaxPooling2D((2, 3), name="stem_pool")(x)
    return layers.Flatten(name="features")(x)


TINY = Architecture("tiny", _tiny_backbone)
"""Trains in a tenth of the time of the smallest network of the registry, into which the fixture `tiny` puts it.

For tests of what is around a network; of every network of the registry a training is tested too.
"""


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


def work_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let items be worked on in this process, which knows what a test has replaced."""
    monkeypatch.setattr(engine, "map_in_pool", lambda function, items, *_: map(function, items))


def train_quickly(monkeypatch: pytest.MonkeyPatch, **settings: Any) -> None:
    """Let every training in this process be a short one, with other settings too."""
    short = replace(TrainingSettings(), least_patches=1280, most_patches=1280, **settings)
    monkeypatch.setattr(fit, "TrainingSettings", lambda **given: replace(short, **given))


class ClockOfDraws:
    """A clock that only drawing a batch of patches moves on, by `draw_s` seconds: the machine's speed does not matter.

    From the draw `slower_from` on, each takes twice as long.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, draw_s: float, slower_from: int = 1_000_000) -> None:
        self.now_s, self.draws = 100.0, 0

        def draw_when_needed(draw: Callable[[int], Any], sizes: Iterable[int], *_: object) -> Iterator[Any]:
            for n in sizes:
                self.draws += 1
                self.now_s += draw_s if self.draws < slower_from else 2 * draw_s
                yield draw(n)

        # None ahead of time in a thread: how many, the machine's load would decide.
        monkeypatch.setattr(loop, "map_in_threads", draw_when_needed)

    def __call__(self) -> float:
        return self.now_s
