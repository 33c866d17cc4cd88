"""From a training set to a model's folder: a network is trained, converted to int8, validated and written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from labeltool.networks import build as networks
from labeltool.networks import model_folder, pretrained_weights, quantization
from labeltool.networks.calibration import pooling_named
from labeltool.project import Project
from labeltool.records import StoredClip
from labeltool.training import fit
from labeltool.training.budget import NO_BUDGET, estimate_seconds_after_training
from labeltool.training.loop import TrainingProgress
from labeltool.training.prepare import Prepared, TrainedModel, TrainingRequest, feature_cache_for, prepare
from labeltool.training.targets import TrainingSet
from labeltool.training.train_head import finetune_start, train_head
from labeltool.training.unlabelled import label_propagation
from labeltool.training.unlabelled.pool import Pool
from labeltool.training.warm_start import Parent
from labeltool.training.write_model import Fitted, make_card, write_model
from labeltool.type_aliases import Progress
from labeltool.util.lazy_frames import join, pick
from labeltool.util.time_limit import TimeLimit

if TYPE_CHECKING:
    import keras


def train_model(
    project: Project,
    training_set: TrainingSet,
    request: TrainingRequest,
    parent: Parent | None,
    directory: Path,
    *,
    report: Progress,
    unlabelled: Sequence[StoredClip] = (),
    settings: fit.TrainingSettings | None = None,
) -> TrainedModel:
    """Train on a training set and fill a model's folder.

    Parameters
    ----------
    parent
        The model to start from; None starts from scratch.
    directory
        Exists; gets the files of `labeltool.networks.model_folder`.
    settings
        None: the architecture's own, with the seed of the request and the pooling of the project. A head on a trunk
        that is not fine-tuned has none.
    """
    if request.trunk is not None and not request.finetune:
        return train_head(
            project, training_set, request, request.trunk, directory, report=report, unlabelled=unlabelled
        )
    if settings is None:
        pooling = pooling_named(project.settings.learning.pooling) if project.settings.learning.pooling else None
        settings = fit.settings_for(request.arch, seed=request.seed, pooling=pooling)
    _require_buildable(request, training_set)
    cache = feature_cache_for(project, request)
    prepared = prepare(project, cache, training_set, request, parent, settings, unlabelled, report)
    limit = request.budget.model
    if request.budget != NO_BUDGET and not limit.has_passed:
        limit = replace(limit, at_s=limit.at_s - _seconds_after_training(request, prepared, report))

    def with_time_left() -> fit.TrainingSettings:
        return settings if request.budget == NO_BUDGET else replace(settings, budget_s=max(0.0, limit.left_s))

    start = _initial_network(project, request, parent, prepared, unlabelled, report)
    pool = Pool() if limit.has_passed else _pool_with_targets(start, prepared, with_time_left(), report)
    report("training", 0, 0)
    result = fit.fit(
        start,
        prepared.data,
        with_time_left(),
        pool=pool,
        validation=prepared.held_out,
        on_progress=lambda progress: report("training", progress.step, progress.steps, f"{progress.left_s:.0f} s left"),
        clock=limit.clock,
    )
    report("converting to int8", 0, 0)
    int8 = _to_int8(result.model, prepared, pool, request.budget.model)
    card = make_card(request, parent, prepared, _fitted(result))
    half = request.budget.end.after(0.5)  # the other half is for the suggestions
    save = partial(_save, result.model)
    return write_model(directory, card, int8, save, prepared, parent, report, network=result.model, limit=half)


def _require_buildable(request: TrainingRequest, training_set: TrainingSet) -> None:
    """Build a network whose frontend is not the architecture's: it may refuse, better before features are computed."""
    if request.frontend != networks.architecture(request.arch).frontend:
        networks.build(request.arch, len(training_set.labels), request.frontend, training_set.head)


def _to_int8(network: keras.Model, prepared: Prepared, pool: Pool, limit: TimeLimit) -> bytes:
    """Convert a network; the int8 scales come from clips that were trained on, as the weights do."""
    frames = join(pick(prepared.data.frames, prepared.train), pool.frames)
    return quantization.to_int8(network, quantization.representative_patches(prepared.data.frontend, frames), limit)


def _save(network: keras.Model, folder: Path) -> None:
    network.save(folder / model_folder.KERAS)


def _fitted(result: fit.FitResult) -> Fitted:
    return Fitted(
        int(result.model.count_params()),
        networks.macc(result.model),
        result.rule,
        result.stream_rule,
        result.seconds,
        result.patches,
        tuple((progress.step, round(progress.loss, 5)) for progress in result.history),
    )


def _initial_network(
    project: Project,
    request: TrainingRequest,
    parent: Parent | None,
    prepared: Prepared,
    unlabelled: Sequence[StoredClip],
    report: Progress,
) -> fit.InitialNetwork:
    """Return what the training starts from: the parent, pretrained layers with a fitted head, weights, or nothing."""
    weights = pretrained_weights.read_weights(request.backbone) if request.backbone else None
    network = parent.network if parent else None
    if request.trunk is not None and network is None:
        network = finetune_start(
            project, prepared.training_set, request, request.trunk, report=report, unlabelled=unlabelled
        )
    return fit.InitialNetwork(request.arch, network, weights)


def _seconds_after_training(request: TrainingRequest, prepared: Prepared, report: Progress) -> float:
    report("estimating the time after training", 0, 0)
    data = prepared.data
    return estimate_seconds_after_training(
        request.arch,
        data.frontend,
        len(data.label_names),
        data.head,
        patches_to_check=data.only(prepared.held_out).patch_count,
        seed=request.seed,
    )


def _pool_with_targets(
    start: fit.InitialNetwork, prepared: Prepared, settings: fit.TrainingSettings, report: Progress
) -> Pool:
    """Return the pool with targets: the teacher's, or labels propagated from similar clips."""
    pool = prepared.unlabelled.pool
    if not len(pool) or prepared.teacher is not None:
        return pool
    report("comparing clips", 0, 0)

    def on_progress(progress: TrainingProgress) -> None:
        report("training to distinguish clips", progress.step, progress.steps)

    labelled = prepared.data.only(prepared.train)
    return label_propagation.propagate_labels(start, labelled, pool, settings, on_progress=on_progress)
