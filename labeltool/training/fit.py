"""Learning: arrays in, network out. Nothing here knows of the store, of files or of the screen.

Fixed schedule, averaged weights, no checkpoint picking: the validation clips only calibrate the temperature and say how
good the network is, so that number stays honest. The threshold is theirs too; what tests has a say in neither.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from labeltool.audio.frontend import Frontend, Kind
from labeltool.errors import LabeltoolError
from labeltool.evaluation import metrics
from labeltool.networks import build as networks
from labeltool.networks import calibration, heads, postprocessing
from labeltool.networks.predict import clip_probabilities, predict
from labeltool.networks.pretrained_weights import Weights, give_weights
from labeltool.training.augment import Augmentation, PatchSampler
from labeltool.training.augment_embedding import EmbeddingSampler
from labeltool.training.augment_waveform import WaveSampler
from labeltool.training.distillation import Hints
from labeltool.training.loop import Deadline, Plan, Report, descend
from labeltool.training.splits import hold_out
from labeltool.training.unlabelled_pool import Pool, draw_weights
from labeltool.type_aliases import Float32, Int64

if TYPE_CHECKING:
    import keras


_SAMPLERS: Mapping[Kind, type[PatchSampler]] = {
    "log-mel": PatchSampler,
    "pcm": WaveSampler,
    "embedding": EmbeddingSampler,
}


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """What steers the learning.

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
    hint_weight
        What a hint's mean squared error counts beside the labels' loss, where there are hints.
    pooling
        How patches make a clip; None: chosen on the validation clips.
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
    hint_weight: float = 1.0
    pooling: postprocessing.Pooling | None = None
    augmentation: Augmentation = field(default_factory=Augmentation)

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON values, for the model card."""
        return asdict(self)


def settings_for(arch: str, **settings: Any) -> TrainingSettings:
    """Return the settings an architecture is trained with, but for those given.

    Raises
    ------
    LabeltoolError
        When there is no such architecture.
    """
    return TrainingSettings(**{**networks.architecture(arch).training, **settings})


@dataclass(frozen=True, slots=True)
class Fitted:
    """What came out.

    Attributes
    ----------
    model
        The network, weights averaged.
    rule
        How its patches make a clip, temperature calibrated on the validation clips.
    validation
        Int64 of the clips it has not learned from; empty when there were too few to spare any.
    validation_accuracy, validation_patch_accuracy
        On those, by clip and by patch, how many of the labels that were checked are told right (under a softmax: how
        often the first is one that is there); None when there are none.
    history
        Reports as `on_progress` got them.
    patches, seconds
        Patches drawn; wall-clock time.
    """

    model: keras.Model
    label_names: tuple[str, ...]
    rule: postprocessing.ClipRule
    validation: Int64
    validation_accuracy: float | None
    validation_patch_accuracy: float | None
    history: tuple[Mapping[str, Any], ...]
    patches: int
    seconds: float


def fit(
    arch: str,
    frontend: Frontend,
    log_mels: Sequence[Float32],
    targets: Float32,
    groups: Sequence[str],
    *,
    label_names: Sequence[str],
    absent: Float32 | None = None,
    head: heads.Head = "softmax",
    settings: TrainingSettings | None = None,
    warm_start: keras.Model | None = None,
    backbone: Weights | None = None,
    hints: Sequence[Float32] | None = None,
    pool: Pool | None = None,
    validation: Int64 | None = None,
    on_progress: Report | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Fitted:
    """Train a network.

    Parameters
    ----------
    arch
        A name in `models.ARCHITECTURES`; ignored with `warm_start`.
    frontend
        What the log-mels were made with.
    log_mels : (frames, n_mels) float32 each
        One array a clip, at least `frontend.patch_frames` frames.
    targets : (clips, labels) float32
        How far each label is present; under a softmax rows sum to one, or to zero where only `absent` knows something.
    groups
        One a clip: what must not be parted between training and validation.
    label_names
        One a column of `targets`.
    absent : (clips, labels) float32
        How far each label is known to be absent; None: nothing is but what the head implies. See `heads`.
    head
        One label a clip, or several.
    settings
        Default: `TrainingSettings()`.
    warm_start
        A trained network with the same labels in the same order (`models.widen_head` makes it so); copied, not changed.
    backbone
        Weights that a network built anew starts from (`backbones.read_weights`), at the lower rate of a warm start.
    hints : (moments, width) float32 each
        One array a clip: what a teacher makes of its moments, to be told beside the labels while learning (see
        `labeltool.hints`); those of validation clips are not looked at. The pool's clips then have theirs.
    pool
        Clips without a verdict to learn from too, by another's word.
    validation
        Clips to keep aside; default a grouped share of every label that can spare it.
    on_progress
        Called now and then with `{"step", "steps", "loss", "seconds", "left_s"}`.
    clock
        Seconds, by which `budget_s` is kept.

    Raises
    ------
    LabeltoolError
        When there are fewer than two labels with clips to learn from, or the given validation parts a group.
    """
    import keras
    import tensorflow as tf

    settings = settings or TrainingSettings()
    started = clock()
    targets = np.asarray(targets, np.float32)
    absent = np.zeros_like(targets) if absent is None else np.asarray(absent, np.float32)
    held_out = split_validation(targets, groups, settings) if validation is None else np.asarray(validation, np.int64)
    learn = np.setdiff1d(np.arange(len(log_mels)), held_out)
    _refuse_parted([groups[i] for i in learn], [groups[i] for i in held_out])
    _refuse_one_sided(targets[learn], absent[learn], head, label_names)

    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(settings.seed)
    if warm_start is None:
        model = networks.build(arch, len(label_names), frontend, head)
        if backbone is not None:
            give_weights(model, backbone)
    else:
        model = keras.models.clone_model(warm_start)
        model.set_weights(warm_start.get_weights())
    pool = (pool or Pool()).without({groups[i] for i in held_out})
    heard = [*(log_mels[i] for i in learn), *pool.log_mels]
    said = heads.known(head, targets[learn], absent[learn])
    by_pool = np.concatenate(pool.told(len(label_names)), axis=1)[:, : said.shape[1]]
    # Of some clips of a pool nothing may be known: they are never drawn.
    weights = draw_weights(len(learn), np.any(by_pool, axis=1).astype(np.float64))
    sampler = _SAMPLERS[frontend.kind](
        frontend,
        heard,
        np.concatenate([said, by_pool]),
        settings.augmentation,
        np.random.default_rng(settings.seed),
        head,
        weights,
        None if hints is None else Hints.of([*(hints[i] for i in learn), *(pool.hints or ())]),
    )
    history: list[dict[str, Any]] = []

    def report(entry: dict[str, Any]) -> None:
        history.append(entry)
        if on_progress is not None:
            on_progress(entry)

    clips = [log_mels[i] for i in held_out]
    to_check = sum(len(frontend.patch_starts(len(clip))) for clip in clips)
    deadline = None if settings.budget_s is None else Deadline(started + settings.budget_s, to_check, clock)
    rule = postprocessing.ClipRule(
        settings.loudness_exponent, head=head, pooling=settings.pooling or postprocessing.POOLINGS[0]
    )
    plan = Plan(
        steps=_schedule_steps(heard[: len(learn)], pool, frontend, settings, warm_start is not None),
        batch=settings.batch,
        rate=settings.learning_rate if warm_start is None and backbone is None else settings.warm_learning_rate,
        weight_decay=settings.weight_decay,
        average_share=settings.average_share,
        hint_weight=settings.hint_weight,
    )
    steps = descend(model, sampler, plan, deadline, report)
    accuracy = patch_accuracy = None
    if len(held_out):
        rule, accuracy, patch_accuracy = _validate(
            model, frontend, clips, targets[held_out], absent[held_out], rule, settings.pooling
        )
    return Fitted(
        model=model,
        label_names=tuple(label_names),
        rule=rule,
        validation=held_out,
        validation_accuracy=accuracy,
        validation_patch_accuracy=patch_accuracy,
        history=tuple(history),
        patches=steps * settings.batch,
        seconds=clock() - started,
    )


def split_validation(targets: Float32, groups: Sequence[str], settings: TrainingSettings) -> Int64:
    """Choose validation clips by whole groups, label by label.

    A label gives groups until its share is reached, and keeps at least two groups to learn from; with fewer than three
    groups it gives none. A clip without a label counts as of a label of its own.

    Returns
    -------
    (validation clips,) int64, ascending
    """
    kinds = [str(row.argmax()) if row.any() else "" for row in targets]
    return np.array(hold_out(groups, kinds, share=settings.validation_share, seed=settings.seed), dtype=np.int64)


def _refuse_parted(learn_groups: Sequence[str], held_groups: Sequence[str]) -> None:
    parted = set(learn_groups) & set(held_groups)
    if parted:
        raise LabeltoolError(f"the validation clips part the group {sorted(parted)[0]!r}", remedy="keep groups whole")


def _refuse_one_sided(targets: Float32, absent: Float32, head: heads.Head, names: Sequence[str]) -> None:
    heard = targets.sum(axis=0) > 0
    if head == "sigmoid":
        if not (heard & (absent.sum(axis=0) > 0)).any():
            raise LabeltoolError(
                "every label is on every clip: nothing can be told apart", remedy="say on some clips what they are not"
            )
        return
    taught = [name for name, some in zip(names, heard, strict=True) if some]
    if len(taught) < 2:
        told = f"only {taught[0]!r} has any" if taught else "none has any"
        raise LabeltoolError(f"learning needs clips of at least two labels, and {told}", remedy="label other sounds")


def _schedule_steps(
    labelled: Sequence[Float32], pool: Pool, frontend: Frontend, settings: TrainingSettings, warm: bool
) -> int:
    frames = sum(len(log_mel) for log_mel in labelled) + pool.worth * sum(len(log_mel) for log_mel in pool.log_mels)
    a_round = frames / frontend.patch_frames
    patches = min(max(settings.epochs * a_round, settings.least_patches), settings.most_patches)
    if warm:
        patches *= settings.warm_share
    return max(1, round(patches / settings.batch))


def _validate(
    model: keras.Model,
    frontend: Frontend,
    clips: Sequence[Float32],
    present: Float32,
    absent: Float32,
    rule: postprocessing.ClipRule,
    pooling: postprocessing.Pooling | None,
) -> tuple[postprocessing.ClipRule, float, float]:
    _, by_clip = clip_probabilities(partial(predict, model), frontend, clips, rule)
    loudness_db = [frontend.loudness_db(clip) for clip in clips]
    chosen, honest = calibration.choose_rule(by_clip, loudness_db, present, absent, rule, pooling=pooling)
    right = [
        metrics.right(rows, np.tile(there, (len(rows), 1)), np.tile(away, (len(rows), 1)), rule.head).mean()
        for rows, there, away in zip(by_clip, present, absent, strict=True)
    ]
    return chosen, float(metrics.right(honest, present, absent, rule.head).mean()), float(np.mean(right))
