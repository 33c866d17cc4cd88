"""Learning: arrays in, network out. Nothing here knows of the store, of files or of the screen.

Fixed schedule, averaged weights, no checkpoint picking: the validation clips only calibrate the temperature and say how
good the network is, so that number stays honest. The threshold is theirs too; what tests has a say in neither.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from labeltool import aggregate, heads, metrics, models
from labeltool.augment import Augmentation, PatchSampler
from labeltool.backbones import Weights, give_weights
from labeltool.errors import LabeltoolError
from labeltool.frontend import Frontend
from labeltool.pool import REVIEWS, Pool, believed, draw_weights
from labeltool.splits import hold_out
from labeltool.waves import WaveSampler

if TYPE_CHECKING:
    import keras

Float32 = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]
Progress = Callable[[dict[str, Any]], None]

_REPORTS = 50
# The first steps pay for tracing: what a step takes is timed from there.
_UNTIMED_STEPS = 3
_SETTLING_BATCHES = 20


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
    """

    seed: int = 0
    epochs: int = 250
    least_patches: int = 12_800
    most_patches: int = 320_000
    warm_share: float = 0.03
    budget_s: float | None = None
    batch: int = 32
    learning_rate: float = 3e-3
    warm_learning_rate: float = 1e-3
    weight_decay: float = 0.1
    average_share: float = 0.03
    validation_share: float = 0.1
    loudness_exponent: float = 1.0
    augmentation: Augmentation = field(default_factory=Augmentation)

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON values, for the model card."""
        return asdict(self)


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
        Indices of the clips it has not learned from; empty when there were too few to spare any.
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
    rule: aggregate.ClipRule
    validation: Indices
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
    pool: Pool | None = None,
    validation: Indices | None = None,
    on_progress: Progress | None = None,
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
    pool
        Clips without a verdict to learn from too, by what its teacher says of them or else the network itself.
    validation
        Clips to keep aside; default a grouped share of every label that can spare it.
    on_progress
        Called now and then with `{"step", "steps", "loss", "seconds", "left_s"}`.

    Raises
    ------
    LabeltoolError
        When there are fewer than two labels with clips to learn from, or the given validation parts a group.
    """
    import keras
    import tensorflow as tf

    settings = settings or TrainingSettings()
    started = time.monotonic()
    targets = np.asarray(targets, np.float32)
    absent = np.zeros_like(targets) if absent is None else np.asarray(absent, np.float32)
    held_out = split_validation(targets, groups, settings) if validation is None else np.asarray(validation, np.int64)
    learn = np.setdiff1d(np.arange(len(log_mels)), held_out)
    _refuse_parted([groups[i] for i in learn], [groups[i] for i in held_out])
    _refuse_one_sided(targets[learn], absent[learn], head, label_names)

    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(settings.seed)
    if warm_start is None:
        model = models.build(arch, len(label_names), frontend, head)
        if backbone is not None:
            give_weights(model, backbone)
    else:
        model = keras.models.clone_model(warm_start)
        model.set_weights(warm_start.get_weights())
    pool = (pool or Pool()).without({groups[i] for i in held_out})
    heard = [*(log_mels[i] for i in learn), *pool.log_mels]
    said = heads.known(head, targets[learn], absent[learn])

    def known(pool_scores: Float32) -> Float32:
        """Return what is known of all that is heard; of the pool nothing is known to be absent."""
        nothing = np.zeros((len(pool), said.shape[1] - len(label_names)), np.float32)
        return np.concatenate([said, np.concatenate([pool_scores, nothing], axis=1)])

    taught = np.zeros((len(pool), len(label_names)), np.float32) if pool.targets is None else pool.targets
    sampler = (WaveSampler if frontend.kind == "pcm" else PatchSampler)(
        frontend,
        heard,
        known(taught),
        settings.augmentation,
        np.random.default_rng(settings.seed),
        head,
        draw_weights(len(learn), np.full(len(pool), pool.targets is not None)),
    )
    # What the network says itself is worth a longer look at what people said; a teacher's word is worth theirs.
    self_taught = len(pool) > 0 and pool.targets is None
    listened = heard[: len(learn)] * 2 if self_taught else heard
    history: list[dict[str, Any]] = []

    def report(entry: dict[str, Any]) -> None:
        history.append(entry)
        if on_progress is not None:
            on_progress(entry)

    clips = [log_mels[i] for i in held_out]
    to_check = sum(len(frontend.patch_starts(len(clip))) for clip in clips)
    deadline = None if settings.budget_s is None else Deadline(started + settings.budget_s, to_check)
    rule = aggregate.ClipRule(settings.loudness_exponent, head=head)

    def review(network: keras.Model, share: float) -> None:
        scores, _ = clip_probabilities(partial(predict, network), frontend, pool.log_mels, rule)
        sampler.relabel(known(scores), draw_weights(len(learn), believed(scores, share)))

    plan = _Plan(
        steps=_schedule_steps(listened, frontend, settings, warm_start is not None),
        rate=settings.learning_rate if warm_start is None and backbone is None else settings.warm_learning_rate,
        reviews=() if not self_taught else REVIEWS if warm_start is None else (0.0,),
        review=review,
    )
    steps = _descend(model, sampler, plan, settings, deadline, report)
    accuracy = patch_accuracy = None
    if len(held_out):
        rule, accuracy, patch_accuracy = _validate(model, frontend, clips, targets[held_out], absent[held_out], rule)
    return Fitted(
        model=model,
        label_names=tuple(label_names),
        rule=rule,
        validation=held_out,
        validation_accuracy=accuracy,
        validation_patch_accuracy=patch_accuracy,
        history=tuple(history),
        patches=steps * settings.batch,
        seconds=time.monotonic() - started,
    )


def predict(model: keras.Model, patches: Float32) -> Float32:
    """Score patches with the float network: `(n, mels, frames)` to `(n, labels)` probabilities."""
    if len(patches) == 0:
        return np.empty((0, model.output_shape[-1]), np.float32)
    return np.concatenate(
        [np.asarray(model(patches[i : i + 256, :, :, None], training=False)) for i in range(0, len(patches), 256)]
    )


def clip_probabilities(
    score: Callable[[Float32], Float32], frontend: Frontend, log_mels: Sequence[Float32], rule: aggregate.ClipRule
) -> tuple[Float32, list[Float32]]:
    """Score clips by the model's rule.

    Parameters
    ----------
    score
        Patches to probabilities: a partial of `predict`, or `Int8Model.predict`.
    frontend, log_mels
        As in `fit`.
    rule
        How patches make a clip.

    Returns
    -------
    clips : (clips, labels) float32
    patches : list of (patches, labels) float32
        One array a clip.
    """
    cut = [frontend.patches(log_mel) for log_mel in log_mels]
    if not cut:
        return score(np.empty((0, frontend.n_mels, frontend.patch_frames), np.float32)), []
    scored = score(np.concatenate(cut))
    by_clip = np.split(scored, np.cumsum([len(patches) for patches in cut])[:-1])
    rows = [
        aggregate.clip_scores(probabilities, frontend.loudness_db(log_mel), rule)
        for probabilities, log_mel in zip(by_clip, log_mels, strict=True)
    ]
    return np.stack(rows), list(by_clip)


def split_validation(targets: Float32, groups: Sequence[str], settings: TrainingSettings) -> Indices:
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


def _schedule_steps(log_mels: Sequence[Float32], frontend: Frontend, settings: TrainingSettings, warm: bool) -> int:
    a_round = sum(len(log_mel) / frontend.patch_frames for log_mel in log_mels)
    patches = min(max(settings.epochs * a_round, settings.least_patches), settings.most_patches)
    if warm:
        patches *= settings.warm_share
    return max(1, round(patches / settings.batch))


@dataclass(frozen=True, slots=True)
class Deadline:
    """When `fit` must have ended: `at_s` on the monotonic clock, with so many patches still to be scored after."""

    at_s: float
    patches_after: int

    def share(self, began_s: float, steps: int, batch: int) -> float:
        """Return how much of the time since `began_s`, in which so many steps were taken, is gone; 1 is all of it."""
        now_s = time.monotonic()
        a_step_s = (now_s - began_s) / max(1, steps)
        # Neither settling the norms nor scoring takes a step's time for a batch.
        after_s = a_step_s * (_SETTLING_BATCHES + self.patches_after / batch)
        return (now_s - began_s) / max(1e-6, self.at_s - after_s - began_s)


@dataclass(frozen=True, slots=True)
class _Plan:
    """How far to descend, from which rate; when, as shares of the steps, a network labels the pool, and how."""

    steps: int
    rate: float
    reviews: Sequence[float]
    review: Callable[[keras.Model, float], None]


def _descend(
    model: keras.Model,
    sampler: PatchSampler,
    plan: _Plan,
    settings: TrainingSettings,
    deadline: Deadline | None,
    report: Progress,
) -> int:
    """Run the plan in place; returns the steps taken. The model ends with averaged weights."""
    import keras
    import tensorflow as tf

    plain, model, steps = model, models.for_training(model), plan.steps
    optimizer = keras.optimizers.AdamW(learning_rate=0.0, weight_decay=settings.weight_decay)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    optimizer.build(model.trainable_variables)
    averages = [tf.Variable(variable.value, trainable=False) for variable in model.weights]

    @tf.function  # type: ignore[untyped-decorator]
    def step(patches: Any, wanted: Any, keep: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = heads.tensor_log_loss(sampler.head, model(patches, training=True), wanted)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        for average, variable in zip(averages, model.weights, strict=True):
            average.assign(keep * average + (1.0 - keep) * variable.value)
        return loss

    def settle_averages() -> None:
        plain.set_weights([average.numpy() for average in averages])
        models.settle_norms(plain, [sampler.batch(settings.batch)[0][..., None] for _ in range(_SETTLING_BATCHES)])

    started = clock = time.monotonic()
    taken, told, reviewed, losses = 0, 0, 0, []
    while taken < steps:
        progress = taken / steps
        if reviewed < len(plan.reviews) and progress >= plan.reviews[reviewed]:
            reviewed += 1
            if taken:  # a warm start reviews first of all, by the weights it comes with
                settle_averages()
            plan.review(plain, reviewed / len(plan.reviews))
        rise = min(1.0, (taken + 1) / max(1.0, 0.05 * steps))
        optimizer.learning_rate = plan.rate * rise * 0.5 * (1.0 + math.cos(math.pi * progress))
        # A young average forgets faster: it must not remember the random start.
        keep = min(1.0 - 1.0 / max(1.0, settings.average_share * steps), (taken + 1.0) / (taken + 10.0))
        patches, wanted = sampler.batch(settings.batch)
        losses.append(step(tf.constant(patches[..., None]), tf.constant(wanted), tf.constant(keep, tf.float32)))
        taken += 1
        if taken == _UNTIMED_STEPS:
            clock = time.monotonic()
        if deadline is not None and taken > _UNTIMED_STEPS:
            # Asked after every step: a machine that grows busy ends the schedule sooner, at its own pace.
            share = deadline.share(clock, taken - _UNTIMED_STEPS, settings.batch)
            steps = min(plan.steps, taken if share >= 1.0 else max(taken + 1, round(taken / share)))
        if taken == steps or taken - told >= steps // _REPORTS:
            seconds, told = time.monotonic() - started, taken
            left = (time.monotonic() - clock) / max(1, taken - _UNTIMED_STEPS) * (steps - taken)
            loss = float(np.mean([float(value) for value in losses]))
            losses = []
            report({"step": taken, "steps": steps, "loss": loss, "seconds": seconds, "left_s": left})
    settle_averages()
    return taken


def _validate(
    model: keras.Model,
    frontend: Frontend,
    clips: Sequence[Float32],
    present: Float32,
    absent: Float32,
    rule: aggregate.ClipRule,
) -> tuple[aggregate.ClipRule, float, float]:
    _, by_clip = clip_probabilities(partial(predict, model), frontend, clips, rule)
    loudness_db = [frontend.loudness_db(clip) for clip in clips]
    chosen, honest = aggregate.choose_rule(by_clip, loudness_db, present, absent, rule)
    right = [
        metrics.right(rows, np.tile(there, (len(rows), 1)), np.tile(away, (len(rows), 1)), rule.head).mean()
        for rows, there, away in zip(by_clip, present, absent, strict=True)
    ]
    return chosen, float(metrics.right(honest, present, absent, rule.head).mean()), float(np.mean(right))
