"""The training loop: a warm-up, a cosine decay of the learning rate, averaged weights.

A deadline shortens the schedule; it never breaks it off.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING, Any

import numpy as np

from labeltool.networks import build as networks
from labeltool.networks import heads
from labeltool.parallel.threads import map_in_threads
from labeltool.training.augmentation.samplers import PatchSampler

if TYPE_CHECKING:
    import keras

Clock = Callable[[], float]
"""Seconds from any beginning, as `time.monotonic` counts them."""

_REPORTS = 50
# The first steps pay for tracing: the duration of a step is measured from there.
_UNTIMED_STEPS = 3
# Batches whose statistics the batch norms get in the end.
_NORM_BATCHES = 20
# Share of the schedule over which the learning rate rises.
_WARM_UP_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class TrainingProgress:
    """How far a training is.

    Attributes
    ----------
    step, steps
        Steps taken, and those of the whole schedule as it is now.
    loss
        Mean over the steps since the last report.
    seconds, left_s
        Since the beginning, and estimated to the end.
    """

    step: int
    steps: int
    loss: float
    seconds: float
    left_s: float


OnProgress = Callable[[TrainingProgress], None]


@dataclass(frozen=True, slots=True)
class Deadline:
    """When `fit` must have ended, with `patches_after` still to be scored then."""

    at_s: float
    patches_after: int
    clock: Clock = time.monotonic

    def share(self, began_s: float, steps: int, batch: int) -> float:
        """Return the share of the time since `began_s`, in which `steps` steps were taken, that is used; 1: all."""
        now_s = self.clock()
        a_step_s = (now_s - began_s) / max(1, steps)
        # Neither the norms' statistics nor scoring take a step's time for a batch.
        after_s = a_step_s * (_NORM_BATCHES + self.patches_after / batch)
        return (now_s - began_s) / max(1e-6, self.at_s - after_s - began_s)


@dataclass(frozen=True, slots=True)
class Schedule:
    """Length and learning rate of a training.

    Attributes
    ----------
    steps, batch
        Steps, and patches of each.
    rate, weight_decay
        AdamW's, the rate at its highest.
    average_share
        Horizon of the average of the weights, as a share of the steps.
    distillation_weight
        Weight of the distillation targets' squared error beside the labels' loss, where the sampler has such targets.
    """

    steps: int
    batch: int
    rate: float
    weight_decay: float
    average_share: float
    distillation_weight: float = 1.0


def run_schedule(
    model: keras.Model,
    sampler: PatchSampler,
    schedule: Schedule,
    deadline: Deadline | None,
    report: OnProgress,
    *,
    clock: Clock = time.monotonic,
) -> int:
    """Train in place and return the number of steps taken. The model ends with averaged weights."""
    trainer = _Trainer(model, sampler, schedule)
    started_s = timed_from_s = clock()
    steps, taken, reported, losses = schedule.steps, 0, 0, []
    while taken < steps:
        losses.append(trainer.step(taken, steps))
        taken += 1
        if taken == _UNTIMED_STEPS:
            timed_from_s = clock()
        if deadline is not None and taken > _UNTIMED_STEPS:
            # After every step: where the machine becomes busier, the schedule ends sooner.
            share = deadline.share(timed_from_s, taken - _UNTIMED_STEPS, schedule.batch)
            steps = min(schedule.steps, taken if share >= 1.0 else max(taken + 1, round(taken / share)))
        if taken == steps or taken - reported >= steps // _REPORTS:
            seconds, reported = clock() - started_s, taken
            left_s = (clock() - timed_from_s) / max(1, taken - _UNTIMED_STEPS) * (steps - taken)
            loss = float(np.mean([float(value) for value in losses]))
            losses = []
            report(TrainingProgress(taken, steps, loss, seconds, left_s))
    trainer.finish()
    return taken


class _Trainer:
    """Takes single training steps on a fast copy of a network, and averages its weights."""

    def __init__(self, model: keras.Model, sampler: PatchSampler, schedule: Schedule) -> None:
        import keras
        import tensorflow as tf

        self._sampler, self._schedule = sampler, schedule
        # Drawn in one thread, while TensorFlow takes a step: in the same order, so the same batches. It has ended
        # before anything else reads the clips' frames.
        self._batches = map_in_threads(sampler.batch, repeat(schedule.batch), 1, threading.Thread.join)
        width = sampler.clips.distillation_width
        self._model = networks.with_distillation_output(model, width) if width else model
        twin = self._twin = networks.training_copy(self._model)
        optimizer = self._optimizer = keras.optimizers.AdamW(learning_rate=0.0, weight_decay=schedule.weight_decay)
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        optimizer.build(twin.trainable_variables)
        averages = self._averages = [tf.Variable(variable.value, trainable=False) for variable in twin.weights]

        @tf.function  # type: ignore[untyped-decorator]
        def update(patches: Any, targets: Any, keep: Any) -> Any:
            with tf.GradientTape() as tape:
                loss = self._loss(patches, targets)
            gradients = tape.gradient(loss, twin.trainable_variables)
            optimizer.apply_gradients(zip(gradients, twin.trainable_variables, strict=True))
            for average, variable in zip(averages, twin.weights, strict=True):
                average.assign(keep * average + (1.0 - keep) * variable.value)
            return loss

        self._update = update

    def step(self, taken: int, steps: int) -> Any:
        """Take one of `steps` steps after `taken` ones and return its loss, a scalar tensor."""
        import tensorflow as tf

        schedule = self._schedule
        rise = min(1.0, (taken + 1) / max(1.0, _WARM_UP_SHARE * steps))
        self._optimizer.learning_rate = schedule.rate * rise * 0.5 * (1.0 + math.cos(math.pi * (taken / steps)))
        # A young average forgets faster: it must not remember the random start.
        keep = min(1.0 - 1.0 / max(1.0, schedule.average_share * steps), (taken + 1.0) / (taken + 10.0))
        patches, targets = next(self._batches)
        return self._update(tf.constant(patches[..., None]), tf.constant(targets), tf.constant(keep, tf.float32))

    def finish(self) -> None:
        """Give the network the averaged weights, and batch norms that fit them."""
        self._model.set_weights([average.numpy() for average in self._averages])
        batches = [next(self._batches)[0][..., None] for _ in range(_NORM_BATCHES)]
        self._batches.close()
        networks.recompute_norm_statistics(self._model, batches)

    def _loss(self, patches: Any, targets: Any) -> Any:
        import tensorflow as tf

        outputs = self._twin(patches, training=True)
        head, width = self._sampler.clips.head, self._sampler.clips.distillation_width
        if not width:
            return heads.tensor_log_loss(head, outputs, targets)
        squared_error = tf.reduce_mean(tf.square(outputs[1] - targets[:, -width:]))
        label_loss = heads.tensor_log_loss(head, outputs[0], targets[:, :-width])
        return label_loss + self._schedule.distillation_weight * squared_error
