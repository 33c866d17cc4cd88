"""One training's way down: a warm rise, a cosine fall, averaged weights.

The clock shortens the schedule where there is a deadline; it never breaks it off.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from labeltool.networks import build as networks
from labeltool.networks import heads
from labeltool.training.augment import PatchSampler

if TYPE_CHECKING:
    import keras

Report = Callable[[dict[str, Any]], None]
"""Called with `{"step", "steps", "loss", "seconds", "left_s"}`."""

_REPORTS = 50
# The first steps pay for tracing: what a step takes is timed from there.
_UNTIMED_STEPS = 3
_SETTLING_BATCHES = 20


@dataclass(frozen=True, slots=True)
class Deadline:
    """When `fit` must have ended: `at_s` on the clock, with so many patches still to be scored after."""

    at_s: float
    patches_after: int
    clock: Callable[[], float] = time.monotonic

    def share(self, began_s: float, steps: int, batch: int) -> float:
        """Return how much of the time since `began_s`, in which so many steps were taken, is gone; 1 is all of it."""
        now_s = self.clock()
        a_step_s = (now_s - began_s) / max(1, steps)
        # Neither settling the norms nor scoring takes a step's time for a batch.
        after_s = a_step_s * (_SETTLING_BATCHES + self.patches_after / batch)
        return (now_s - began_s) / max(1e-6, self.at_s - after_s - began_s)


@dataclass(frozen=True, slots=True)
class Plan:
    """How far to descend, and from which rate.

    `average_share` is the part of the steps that the averaged weights remember; `hint_weight` is what a hint's squared
    error counts beside the labels' loss, where the sampler wants hints.
    """

    steps: int
    batch: int
    rate: float
    weight_decay: float
    average_share: float
    hint_weight: float = 1.0


def descend(
    model: keras.Model,
    sampler: PatchSampler,
    plan: Plan,
    deadline: Deadline | None,
    report: Report,
) -> int:
    """Run the plan in place; returns the steps taken. The model ends with averaged weights."""
    import keras
    import tensorflow as tf

    plain = networks.hinting(model, sampler.hint_width) if sampler.hint_width else model
    twin, steps = networks.for_training(plain), plan.steps
    optimizer = keras.optimizers.AdamW(learning_rate=0.0, weight_decay=plan.weight_decay)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    optimizer.build(twin.trainable_variables)
    averages = [tf.Variable(variable.value, trainable=False) for variable in twin.weights]

    def loss_of(patches: Any, wanted: Any) -> Any:
        told = twin(patches, training=True)
        if not sampler.hint_width:
            return heads.tensor_log_loss(sampler.head, told, wanted)
        known, hints = wanted[:, : -sampler.hint_width], wanted[:, -sampler.hint_width :]
        apart = tf.reduce_mean(tf.square(told[1] - hints))
        return heads.tensor_log_loss(sampler.head, told[0], known) + plan.hint_weight * apart

    @tf.function  # type: ignore[untyped-decorator]
    def step(patches: Any, wanted: Any, keep: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = loss_of(patches, wanted)
        gradients = tape.gradient(loss, twin.trainable_variables)
        optimizer.apply_gradients(zip(gradients, twin.trainable_variables, strict=True))
        for average, variable in zip(averages, twin.weights, strict=True):
            average.assign(keep * average + (1.0 - keep) * variable.value)
        return loss

    def settle_averages() -> None:
        plain.set_weights([average.numpy() for average in averages])
        networks.settle_norms(plain, [sampler.batch(plan.batch)[0][..., None] for _ in range(_SETTLING_BATCHES)])

    now = deadline.clock if deadline is not None else time.monotonic
    started = clock = now()
    taken, told, losses = 0, 0, []
    while taken < steps:
        progress = taken / steps
        rise = min(1.0, (taken + 1) / max(1.0, 0.05 * steps))
        optimizer.learning_rate = plan.rate * rise * 0.5 * (1.0 + math.cos(math.pi * progress))
        # A young average forgets faster: it must not remember the random start.
        keep = min(1.0 - 1.0 / max(1.0, plan.average_share * steps), (taken + 1.0) / (taken + 10.0))
        patches, wanted = sampler.batch(plan.batch)
        losses.append(step(tf.constant(patches[..., None]), tf.constant(wanted), tf.constant(keep, tf.float32)))
        taken += 1
        if taken == _UNTIMED_STEPS:
            clock = now()
        if deadline is not None and taken > _UNTIMED_STEPS:
            # Asked after every step: a machine that grows busy ends the schedule sooner, at its own pace.
            share = deadline.share(clock, taken - _UNTIMED_STEPS, plan.batch)
            steps = min(plan.steps, taken if share >= 1.0 else max(taken + 1, round(taken / share)))
        if taken == steps or taken - told >= steps // _REPORTS:
            seconds, told = now() - started, taken
            left = (now() - clock) / max(1, taken - _UNTIMED_STEPS) * (steps - taken)
            loss = float(np.mean([float(value) for value in losses]))
            losses = []
            report({"step": taken, "steps": steps, "loss": loss, "seconds": seconds, "left_s": left})
    settle_averages()
    return taken
