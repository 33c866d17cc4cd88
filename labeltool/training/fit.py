"""Training a network: arrays in, network out; no store, no files, no screen.

Fixed schedule, averaged weights, no choice among checkpoints: validation clips only choose the temperature, the pooling
and thresholds, so that the accuracy that they measure stays honest. Test clips have no part in any of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from labeltool.audio.frontend import EmbeddingFrontend, Frontend, LogMelFrontend, SampleFrontend
from labeltool.errors import LabeltoolError
from labeltool.networks import build as networks
from labeltool.networks import calibration, heads, postprocessing
from labeltool.networks.predict import patch_probabilities, predict
from labeltool.networks.pretrained_weights import Weights, apply_weights
from labeltool.networks.stream_calibration import choose_stream_rule
from labeltool.networks.stream_rule import StreamRule
from labeltool.training.augmentation.embedding import EmbeddingSampler
from labeltool.training.augmentation.log_mel import LogMelSampler
from labeltool.training.augmentation.samplers import Augmentation, PatchSampler, SampledClips
from labeltool.training.augmentation.waveform import WaveformSampler
from labeltool.training.expected_temperature import expected_temperature
from labeltool.training.loop import Clock, Deadline, OnProgress, Schedule, TrainingProgress, run_schedule
from labeltool.training.training_data import TrainingData
from labeltool.training.unlabelled.distillation import DistillationTargets
from labeltool.training.unlabelled.pool import Pool, draw_weights
from labeltool.type_aliases import Float32, Int64
from labeltool.util.lazy_frames import frame_counts, join

if TYPE_CHECKING:
    import keras


_SAMPLERS: Mapping[type[Frontend], Callable[[SampledClips, Augmentation, np.random.Generator], PatchSampler]] = {
    LogMelFrontend: LogMelSampler,
    SampleFrontend: WaveformSampler,
    EmbeddingFrontend: EmbeddingSampler,
}


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """Settings of a training.

    Attributes
    ----------
    seed
        Same seed, same machine, same numbers (unless `budget_s` cuts the schedule short).
    epochs
        Rounds over the clips; a round draws as many patches as fit into them side by side.
    least_patches, most_patches
        Bounds on the patches drawn in all: few clips need more rounds, thousands need fewer.
    warm_share
        Share of the schedule that a warm start runs, at `warm_learning_rate`.
    budget_s
        Seconds after which `fit` must have ended; the schedule is shortened to fit, not broken off.
    batch, learning_rate, warm_learning_rate, weight_decay
        AdamW (Loshchilov and Hutter 2019), the rate falling along half a cosine after a short rise.
    average_share
        Horizon of the exponential average of the weights, as a share of the steps.
    validation_share
        Share of the clips kept for validation, by whole groups.
    loudness_exponent
        See `postprocessing.ClipRule`.
    distillation_weight
        Weight of the distillation targets' mean squared error beside the labels' loss, where there are such targets.
    pooling
        How patches are pooled to a clip; None: chosen on the validation clips.
    """

    seed: int = 0
    epochs: int = 250
    least_patches: int = 12_800
    most_patches: int = 320_000
    warm_share: float = 0.02
    budget_s: float | None = None
    batch: int = 32
    learning_rate: float = 3e-3
    warm_learning_rate: float = 1e-3
    weight_decay: float = 0.1
    average_share: float = 0.03
    validation_share: float = 0.1
    loudness_exponent: float = 1.0
    distillation_weight: float = 1.0
    pooling: postprocessing.Pooling | None = None
    augmentation: Augmentation = field(default_factory=Augmentation)


def settings_for(arch: str, **settings: Any) -> TrainingSettings:
    """Return an architecture's training settings, with those given in place of its own.

    Raises
    ------
    LabeltoolError
        When there is no such architecture.
    """
    return TrainingSettings(**{**networks.architecture(arch).training, **settings})


@dataclass(frozen=True, slots=True)
class InitialNetwork:
    """The network that a training starts from.

    Attributes
    ----------
    arch
        A name in `architectures.ARCHITECTURES`; ignored with `warm_start`.
    warm_start
        A trained network with the same labels in the same order (`networks.widen_head` makes it so); copied, not
        changed.
    backbone
        Weights that an untrained network starts with (`pretrained_weights.read_weights`), at a warm start's lower rate.
    """

    arch: str
    warm_start: keras.Model | None = None
    backbone: Weights | None = None

    @property
    def is_pretrained(self) -> bool:
        """Whether its weights are not random."""
        return self.warm_start is not None or self.backbone is not None

    def build(self, data: TrainingData) -> keras.Model:
        """Return a network of its own for the labels and the frontend of some clips."""
        import keras

        if self.warm_start is not None:
            model = keras.models.clone_model(self.warm_start)
            model.set_weights(self.warm_start.get_weights())
            return model
        model = networks.build(self.arch, len(data.label_names), data.frontend, data.head)
        if self.backbone is not None:
            apply_weights(model, self.backbone)
        return model


@dataclass(frozen=True, slots=True)
class FitResult:
    """A trained network and what the training measured.

    Attributes
    ----------
    rule
        How its patches are pooled to a clip, calibrated on the validation clips.
    stream_rule
        How they become events in a stream, the thresholds chosen on the validation clips.
    seconds
        Wall-clock time.
    """

    model: keras.Model
    rule: postprocessing.ClipRule
    stream_rule: StreamRule
    history: tuple[TrainingProgress, ...]
    patches: int
    seconds: float


def fit(
    start: InitialNetwork,
    data: TrainingData,
    settings: TrainingSettings,
    *,
    validation: Int64,
    pool: Pool | None = None,
    on_progress: OnProgress | None = None,
    clock: Clock = time.monotonic,
) -> FitResult:
    """Train a network.

    Parameters
    ----------
    validation : (validation clips,) int64
        Indices of the clips to validate on; there may be none.
    clock
        Seconds, by which the budget is counted.

    Raises
    ------
    LabeltoolError
        When fewer than two labels have clips to train on, or the given validation clips split a group.
    """
    started_s = clock()
    train = data.only(np.setdiff1d(np.arange(len(data)), validation))
    check = data.only(validation)
    _refuse_split_groups(train, check)
    _refuse_single_label(train)
    _seed(settings.seed)
    model = start.build(data)
    pool = (pool or Pool()).without(set(check.groups))
    sampler = _sampler(train, pool, settings)
    history: list[TrainingProgress] = []

    def report(progress: TrainingProgress) -> None:
        history.append(progress)
        if on_progress is not None:
            on_progress(progress)

    expected = expected_temperature(train, pool)
    schedule = _schedule(start, train, pool, settings)
    steps = run_schedule(model, sampler, schedule, _deadline(started_s, check, settings, clock), report, clock=clock)
    rule, stream_rule = _choose_rules(partial(predict, model), check, settings, expected)
    patches, seconds = steps * settings.batch, clock() - started_s
    return FitResult(model, rule, stream_rule, tuple(history), patches, seconds)


def _seed(seed: int) -> None:
    """Make what follows the same each time: initial weights, and operations on several threads."""
    import keras
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(seed)


def _refuse_split_groups(train: TrainingData, check: TrainingData) -> None:
    split = set(train.groups) & set(check.groups)
    if split:
        raise LabeltoolError(f"the validation clips split the group {sorted(split)[0]!r}", remedy="keep groups whole")


def _refuse_single_label(train: TrainingData) -> None:
    present = train.present.sum(axis=0) > 0
    if train.head == "sigmoid":
        if not (present & (train.absent.sum(axis=0) > 0)).any():
            raise LabeltoolError(
                "every label is on every clip: there is nothing to distinguish", remedy="reject labels on some clips"
            )
        return
    names = [name for name, some in zip(train.label_names, present, strict=True) if some]
    if len(names) < 2:
        found = f"only {names[0]!r} has any" if names else "none has any"
        raise LabeltoolError(f"training needs clips of at least two labels, and {found}", remedy="label other sounds")


def _sampler(train: TrainingData, pool: Pool, settings: TrainingSettings) -> PatchSampler:
    targets = heads.stack_targets(train.head, train.present, train.absent)
    pool_targets = np.concatenate(pool.label_targets(len(train.label_names)), axis=1)[:, : targets.shape[1]]
    distillation_targets = None
    if train.distillation_targets is not None:
        distillation_targets = DistillationTargets.of([*train.distillation_targets, *(pool.distillation_targets or ())])
    clips = SampledClips(
        train.frontend,
        join(train.frames, pool.frames),
        np.concatenate([targets, pool_targets]),
        train.head,
        draw_weights(len(train), pool, pool_targets),
        distillation_targets,
    )
    return _SAMPLERS[type(train.frontend)](clips, settings.augmentation, np.random.default_rng(settings.seed))


def _schedule(start: InitialNetwork, train: TrainingData, pool: Pool, settings: TrainingSettings) -> Schedule:
    warm = start.warm_start is not None
    return Schedule(
        steps=_steps(train.frames, pool, train.frontend, settings, warm),
        batch=settings.batch,
        rate=settings.warm_learning_rate if start.is_pretrained else settings.learning_rate,
        weight_decay=settings.weight_decay,
        average_share=settings.average_share,
        distillation_weight=settings.distillation_weight,
    )


def _deadline(started_s: float, check: TrainingData, settings: TrainingSettings, clock: Clock) -> Deadline | None:
    if settings.budget_s is None:
        return None
    return Deadline(started_s + settings.budget_s, check.patch_count, clock)


def _steps(labelled: Sequence[Float32], pool: Pool, frontend: Frontend, settings: TrainingSettings, warm: bool) -> int:
    pool_frames = pool.schedule_weight * int(frame_counts(pool.frames).sum())
    a_round = (int(frame_counts(labelled).sum()) + pool_frames) / frontend.patch_frames
    patches = min(max(settings.epochs * a_round, settings.least_patches), settings.most_patches)
    if warm:
        patches *= settings.warm_share
    return max(1, round(patches / settings.batch))


def _choose_rules(
    score: Callable[[Float32], Float32], check: TrainingData, settings: TrainingSettings, expected: float
) -> tuple[postprocessing.ClipRule, StreamRule]:
    """Choose the pooling rule and the stream rule on validation clips; without any they are the defaults.

    `score` is the network, from patches to probabilities, `expected` the temperature before any of them.
    """
    head, pooling, frontend = check.head, settings.pooling, check.frontend
    first = pooling or postprocessing.POOLINGS[0]
    rule = postprocessing.ClipRule(settings.loudness_exponent, expected, head, pooling=first)
    if not len(check):
        return rule, StreamRule()
    by_clip, loudness_db = patch_probabilities(score, frontend, check.frames)
    rule, _ = calibration.choose_rule(by_clip, loudness_db, check.present, check.absent, rule, pooling=pooling)
    return rule, choose_stream_rule(frontend, check.frames, by_clip, check.present, check.absent, rule)
