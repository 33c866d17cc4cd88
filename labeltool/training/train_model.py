"""From a training set to a model's folder: a network is trained, converted to int8, validated and written."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from labeltool import __version__
from labeltool.audio import files
from labeltool.audio.frontend import Frontend
from labeltool.errors import LabeltoolError, SkippedFile
from labeltool.evaluation.measure import measure
from labeltool.inference.clip_features import compute_features, feature_cache_of
from labeltool.networks import build as networks
from labeltool.networks import model_folder, pretrained_weights, quantization
from labeltool.networks.architectures import frontend_of
from labeltool.networks.calibration import pooling_named
from labeltool.networks.model_card import ModelCard, SourceFile
from labeltool.pretrained.card import read_card
from labeltool.project import Project
from labeltool.records import StoredClip
from labeltool.training import fit, label_propagation
from labeltool.training.budget import estimate_seconds_after_training
from labeltool.training.loop import TrainingProgress
from labeltool.training.semi_supervised import Teacher, UnlabelledData, gather_unlabelled
from labeltool.training.targets import TrainingSet
from labeltool.training.training_data import TrainingData
from labeltool.training.unlabelled_pool import Pool
from labeltool.training.warm_start import Parent, choose_validation, scratch_state
from labeltool.type_aliases import Int64, Progress

if TYPE_CHECKING:
    import keras

# Sample rate of a bare model file that does not give one.
_TEACHER_RATE_HZ = 16_000


@dataclass(frozen=True, slots=True)
class TrainingRequest:
    """How to train.

    Attributes
    ----------
    arch
        A name in `architectures.ARCHITECTURES`.
    budget_s
        Seconds at most; None: no limit.
    test_fold
        The fold kept for testing.
    teacher, teacher_tensor
        A pretrained model's file, and the name of its embedding tensor (`labeltool.pretrained.probe.open_model`).
    backbone
        File of pretrained weights that a network from scratch starts with (`labeltool.networks.pretrained_weights`).
    patch_s
        Seconds of a patch; None: the architecture's own, or what `target` allows.
    target
        The application of `device_targets` that the network is for; None: none.
    pretrained
        File of the pretrained model whose embeddings are the network's input; None where it needs none.
    validation_groups
        Groups to validate on; None: `warm_start.choose_validation` chooses.
    """

    arch: str
    seed: int = 0
    budget_s: float | None = None
    test_fold: int | None = None
    teacher: Path | None = None
    teacher_tensor: str | None = None
    backbone: Path | None = None
    patch_s: float | None = None
    target: str | None = None
    pretrained: Path | None = None
    validation_groups: Collection[str] | None = None

    @property
    def frontend(self) -> Frontend:
        """The network's frontend; raises where that needs a pretrained model which cannot be loaded."""
        if self.pretrained is None:
            return frontend_of(self.arch, self.patch_s, self.target)
        if self.target is not None:
            raise LabeltoolError(
                f"target {self.target}: no application computes the embeddings of a pretrained model",
                remedy="another architecture, or no target in labeltool.toml",
            )
        from labeltool.pretrained.embedding_frames import embedding_frontend

        return embedding_frontend(self.arch, self.patch_s, self.pretrained, read_card(self.pretrained.parent))


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A model that was trained: its card, and the float network of its folder."""

    card: ModelCard
    network: keras.Model


@dataclass(frozen=True, slots=True)
class _Prepared:
    """What there is to train on.

    Attributes
    ----------
    training_set, data
        The clips whose features could be computed, and their arrays.
    held_out, train
        Indices of the validation clips and of the others.
    unlabelled
        The unlabelled clips beside them.
    teacher
        None without one.
    skipped
        Files that could not be read, and why.
    """

    training_set: TrainingSet
    data: TrainingData
    held_out: Int64
    train: Int64
    unlabelled: UnlabelledData
    teacher: Teacher | None
    skipped: tuple[SkippedFile, ...]


def train_model(
    project: Project,
    training_set: TrainingSet,
    request: TrainingRequest,
    parent: Parent | None,
    directory: Path,
    *,
    report: Progress,
    unlabelled: Sequence[StoredClip] = (),
) -> TrainedModel:
    """Train on a training set and fill a model's folder.

    Parameters
    ----------
    parent
        The model to start from; None starts from scratch.
    directory
        Exists; gets the files of `labeltool.networks.model_folder`.
    unlabelled
        Clips to train on too.
    """
    began_s = time.monotonic()
    pooling = pooling_named(project.settings.learning.pooling) if project.settings.learning.pooling else None
    settings = fit.settings_for(request.arch, seed=request.seed, pooling=pooling)
    prepared = _prepare(project, training_set, request, parent, settings, unlabelled, report)
    ends_s = None
    if request.budget_s is not None:
        ends_s = began_s + request.budget_s - _seconds_after_training(request, prepared, report)

    def with_time_left() -> fit.TrainingSettings:
        return replace(settings, budget_s=None if ends_s is None else max(0.0, ends_s - time.monotonic()))

    weights = pretrained_weights.read_weights(request.backbone) if request.backbone else None
    start = fit.InitialNetwork(request.arch, parent.network if parent else None, weights)
    pool = _pool_with_targets(start, prepared, with_time_left(), report)
    report("training", 0, 0)
    result = fit.fit(
        start,
        prepared.data,
        with_time_left(),
        pool=pool,
        validation=prepared.held_out,
        on_progress=lambda progress: report("training", progress.step, progress.steps, f"{progress.left_s:.0f} s left"),
    )
    report("converting to int8", 0, 0)
    # The int8 scales come from clips that were trained on, as the weights do.
    frames = [*(prepared.data.frames[i] for i in prepared.train), *pool.frames]
    patches = np.concatenate([prepared.data.frontend.patches(one) for one in frames])
    int8 = quantization.to_int8(result.model, patches)
    card = _make_card(request, parent, prepared, result)
    return _write(directory, card, int8, result.model, prepared, parent, report)


def _prepare(
    project: Project,
    training_set: TrainingSet,
    request: TrainingRequest,
    parent: Parent | None,
    settings: fit.TrainingSettings,
    unlabelled: Sequence[StoredClip],
    report: Progress,
) -> _Prepared:
    """Compute features, choose validation clips and gather unlabelled clips with a teacher's targets."""
    frontend = request.frontend
    if frontend != networks.architecture(request.arch).frontend:
        # It may refuse: better before any features are computed.
        networks.build(request.arch, len(training_set.labels), frontend, training_set.head)
    report("computing features", 0, 0)
    cache = feature_cache_of(project, frontend)
    features = compute_features(cache, training_set.clips, report=report)
    training_set = training_set.only(features.clips)
    if request.validation_groups is None:
        held_out = choose_validation(training_set, parent, share=settings.validation_share, seed=settings.seed)
    else:
        held_out = np.array(
            [i for i, group in enumerate(training_set.groups) if group in request.validation_groups], np.int64
        )
    teacher = _open_teacher(project, request)
    beside = gather_unlabelled(cache, training_set, held_out, unlabelled, settings, teacher=teacher, report=report)
    data = TrainingData(
        frontend,
        features.log_mels,
        training_set.present,
        training_set.absent,
        training_set.groups,
        training_set.labels,
        training_set.head,
        beside.distillation_targets,
    )
    skipped = tuple(dict.fromkeys((*features.skipped, *beside.features.skipped)))
    train = np.setdiff1d(np.arange(len(data)), held_out)
    return _Prepared(training_set, data, held_out, train, beside, teacher, skipped)


def _open_teacher(project: Project, request: TrainingRequest) -> Teacher | None:
    if request.teacher is None:
        return None
    from labeltool.pretrained.probe import open_model

    model = open_model(request.teacher, request.teacher_tensor, rate_hz=_TEACHER_RATE_HZ, embedding=True)
    return Teacher(model, project.cache / "teacher")


def _seconds_after_training(request: TrainingRequest, prepared: _Prepared, report: Progress) -> float:
    report("estimating the time after training", 0, 0)
    data = prepared.data
    return estimate_seconds_after_training(
        request.arch,
        data.frontend,
        len(data.label_names),
        data.head,
        patches_to_check=sum(len(data.frontend.patch_starts(len(data.frames[i]))) for i in prepared.held_out),
        seed=request.seed,
    )


def _pool_with_targets(
    start: fit.InitialNetwork, prepared: _Prepared, settings: fit.TrainingSettings, report: Progress
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


def _make_card(
    request: TrainingRequest, parent: Parent | None, prepared: _Prepared, result: fit.FitResult
) -> ModelCard:
    """Return the model's card, without what `model_folder.write` and the measurement add."""
    training_set, frontend, teacher = prepared.training_set, prepared.data.frontend, prepared.teacher
    return ModelCard(
        architecture=request.arch,
        parameters=int(result.model.count_params()),
        macc=networks.macc(result.model),
        frontend=frontend.to_dict(),
        fingerprint=frontend.fingerprint,
        labels=training_set.labels,
        background=training_set.background,
        several_labels_clips=training_set.multi_label_clips,
        assumed_absent=training_set.assumed_absent,
        clip_rule=result.rule,
        stream_rule=result.stream_rule,
        labels_seen=len(training_set.clips) - training_set.background_windows,
        background_windows=training_set.background_windows,
        pool_clips=len(prepared.unlabelled.pool),
        teacher=_describe_file(request.teacher, fingerprint=teacher.model.fingerprint if teacher else None),
        embedding_model=_describe_file(
            request.pretrained, name=request.pretrained.parent.name if request.pretrained else None
        ),
        backbone=_describe_file(request.backbone) if parent is None else None,
        validation_clips=len(result.validation),
        skipped=prepared.skipped,
        seed=request.seed,
        test_fold=request.test_fold,
        seconds=round(result.seconds, 1),
        patches=result.patches,
        losses=tuple((progress.step, round(progress.loss, 5)) for progress in result.history),
        budget_s=request.budget_s,
        parent=parent.id if parent else None,
        compared=parent.files.card.compared if parent else scratch_state(training_set),
        versions=_versions(),
    )


def _write(
    directory: Path,
    card: ModelCard,
    int8: bytes,
    network: keras.Model,
    prepared: _Prepared,
    parent: Parent | None,
    report: Progress,
) -> TrainedModel:
    """Write the model's folder, and into its card what the validation clips measure."""
    training_set, held_out = prepared.training_set, sorted(prepared.held_out.tolist())
    network.save(directory / model_folder.KERAS)
    validation = set(held_out)
    parts = [(clip, "validation" if i in validation else "train") for i, clip in enumerate(training_set.clips)]
    parts += [(clip, "pool") for clip in prepared.unlabelled.features.clips]
    card = model_folder.write(directory, card=card, int8=int8, seen=parts, parent=parent.files if parent else None)
    if not held_out:
        return TrainedModel(card, network)
    measured = measure(
        model_folder.read(directory),
        [prepared.data.frames[i] for i in held_out],
        training_set.present[held_out],
        training_set.absent[held_out],
        names=training_set.labels,
        report=report,
        network=network,
    )
    card = replace(card, measured=measured)
    model_folder.write_card(directory, card)
    return TrainedModel(card, network)


def _describe_file(path: Path | None, *, name: str | None = None, fingerprint: str | None = None) -> SourceFile | None:
    return None if path is None else SourceFile(path.name, files.content_hash(path), name, fingerprint)


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    return {"labeltool": __version__, **{name: version(name) for name in ("tensorflow", "keras", "numpy")}}
