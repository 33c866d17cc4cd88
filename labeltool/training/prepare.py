"""The request for a training, and its arrays: features, validation clips, unlabelled clips with their targets."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from labeltool.audio.feature_cache import FeatureCache
from labeltool.audio.frontend import Frontend
from labeltool.audio.trunk_frontend import Pools
from labeltool.errors import LabeltoolError
from labeltool.inference.clip_features import (
    ClipFeatures,
    bounded_cache,
    compute_features,
    feature_cache_of,
    shuffled_indices,
)
from labeltool.networks.architectures import architecture, frontend_of
from labeltool.networks.model_card import Comparison, ModelCard
from labeltool.networks.postprocessing import ClipRule
from labeltool.networks.stream_rule import StreamRule
from labeltool.pretrained.card import read_card
from labeltool.pretrained.embedding_frames import pretrained_for
from labeltool.pretrained.trunk import Trunk, trunk_of
from labeltool.pretrained.trunk_frames import trunk_frames
from labeltool.project import Project
from labeltool.records import Skipped, StoredClip
from labeltool.settings import LearningSettings
from labeltool.training.budget import NO_BUDGET, Budget
from labeltool.training.fit import TrainingSettings
from labeltool.training.targets import TrainingSet
from labeltool.training.training_data import TrainingData
from labeltool.training.unlabelled.semi_supervised import Teacher, UnlabelledData, gather_unlabelled
from labeltool.training.warm_start import Parent, choose_validation
from labeltool.type_aliases import Int64, Progress
from labeltool.util.lazy_frames import pick

if TYPE_CHECKING:
    import keras

# A training may use this many labelled clips however short it is: their features serve the next ones, and a tenth of
# them validates.
_LEAST_DRAWN = 20_000
# Their accuracy is known to 0.6 points; all of them are scored several times. A warm start keeps those of its parent.
_MOST_VALIDATION_CLIPS = 10_000
# Sample rate of a bare model file that does not give one.
_TEACHER_RATE_HZ = 16_000


@dataclass(frozen=True, slots=True)
class KnownHead:
    """The kind of head that an earlier training chose, with its rules, and the clips and labels it was chosen for."""

    pools: Pools
    units: int
    without_unlabelled: bool
    rule: ClipRule
    stream_rule: StreamRule
    compared: Comparison


@dataclass(frozen=True, slots=True)
class TrainingRequest:
    """How to train.

    Attributes
    ----------
    budget_s, budget
        Seconds at most, None: no limit; and what they mean now that it has begun.
    trunk
        The pretrained layers that the network begins with; None for a network trained whole.
    units
        Units of the hidden layer of the head on a trunk; 0: none.
    known_head
        The kind of head on a trunk that an earlier comparison chose; None: it is compared.
    teacher, teacher_tensor
        A pretrained model's file, and the name of its embedding tensor (`labeltool.pretrained.probe.open_model`).
    backbone
        File of pretrained weights that a network from scratch starts with (`labeltool.networks.pretrained_weights`).
    patch_s
        Seconds of a patch; None: the architecture's own, or what `target` allows.
    pretrained
        File of the pretrained model whose embeddings are the network's input; None where it needs none.
    validation_groups
        Groups to validate on; None: `warm_start.choose_validation` chooses.
    accepted
        Ids of the clips that were accepted automatically, which validate last.
    """

    arch: str
    seed: int = 0
    budget_s: float | None = None
    budget: Budget = NO_BUDGET
    test_fold: int | None = None
    teacher: Path | None = None
    teacher_tensor: str | None = None
    backbone: Path | None = None
    patch_s: float | None = None
    target: str | None = None
    pretrained: Path | None = None
    validation_groups: Collection[str] | None = None
    accepted: frozenset[int] = frozenset()
    trunk: Trunk | None = None
    units: int = LearningSettings().head_units
    finetune: bool = False
    known_head: KnownHead | None = None

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


def make_request(
    project: Project,
    arch: str,
    *,
    pretrained: str | None = None,
    patch_s: float | None = None,
    finetune: bool = False,
    **more: Any,
) -> TrainingRequest:
    """Return a request with what the project's settings and pretrained models give an architecture.

    Parameters
    ----------
    pretrained
        Name of the pretrained model that the architecture uses; None: as `pretrained_for` and `trunk_of` choose.
    patch_s
        Seconds of a patch; None: as in the settings, which have no say in the patches of a trunk.
    more
        Further fields of `TrainingRequest`.

    Raises
    ------
    LabeltoolError
        When the architecture needs a pretrained model that the project does not have.
    """
    learning = project.settings.learning
    common = {"patch_s": patch_s, "target": learning.target, **more}
    if not architecture(arch).has_trunk:
        if finetune:
            raise LabeltoolError(f"{arch} has no pretrained layers to fine-tune", remedy="`--arch yamnet256` has")
        if patch_s is None:
            common["patch_s"] = learning.patch_s
        return TrainingRequest(arch, pretrained=pretrained_for(project, arch, pretrained), **common)
    if common.get("backbone") is not None:
        raise LabeltoolError(f"{arch} begins with a pretrained YAMNet, not with a backbone", remedy="no --backbone")
    trunk = trunk_of(project, pretrained, learning.trunk_layers, preferred=learning.pretrained)
    # The whole model labels the pool: its embeddings are there anyway.
    if common.get("teacher") is None and read_card(trunk.path.parent).embedding is not None:
        common["teacher"] = trunk.path
    return TrainingRequest(arch, trunk=trunk, units=learning.head_units, finetune=finetune, **common)


def feature_cache_for(project: Project, request: TrainingRequest) -> FeatureCache:
    """Return the cache of what a network is trained on: frames of its frontend, or of its trunk."""
    if request.trunk is None or request.finetune:
        return feature_cache_of(project, request.frontend)
    return trunk_feature_cache(project, request.trunk)


def trunk_feature_cache(project: Project, trunk: Trunk) -> FeatureCache:
    """Return the project's cache of a trunk's frames."""
    frames = trunk_frames(trunk, project.cache / "trunks")
    return bounded_cache(project, frames.frontend, frames)


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A model that was trained.

    Attributes
    ----------
    network
        The float network of its folder where that is one of Keras.
    left_out
        Number of labelled clips for which the time was up.
    """

    card: ModelCard
    network: keras.Model | None
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Prepared:
    """The arrays of a training, computed or read from the cache.

    Attributes
    ----------
    training_set, data
        The clips whose features could be computed, and their arrays.
    held_out, train
        Indices of the validation clips and of the others.
    left_out
        Number of labelled clips without features, for which the time was up.
    """

    training_set: TrainingSet
    data: TrainingData
    held_out: Int64
    train: Int64
    unlabelled: UnlabelledData
    teacher: Teacher | None
    skipped: tuple[Skipped, ...]
    left_out: int


def prepare(
    project: Project,
    cache: FeatureCache,
    training_set: TrainingSet,
    request: TrainingRequest,
    parent: Parent | None,
    settings: TrainingSettings,
    unlabelled: Sequence[StoredClip],
    report: Progress,
) -> Prepared:
    """Compute features into `cache`, choose validation clips and gather unlabelled clips with a teacher's targets."""
    training_set = _drawn(training_set, request, settings, report, warm=parent is not None)
    report("computing features", 0, 0)
    features = _labelled_features(cache, training_set, request, report)
    training_set = training_set.only(features.clips)
    if request.validation_groups is None:
        share = _share_to_validate(len(training_set.clips), settings)
        held_out = choose_validation(training_set, parent, share=share, seed=settings.seed, accepted=request.accepted)
    else:
        held_out = np.array(
            [i for i, group in enumerate(training_set.groups) if group in request.validation_groups], np.int64
        )
    limit = request.budget.model
    teacher = None if limit.has_passed else _open_teacher(project, request)
    beside = gather_unlabelled(
        cache, training_set, held_out, unlabelled, settings, teacher=teacher, report=report, limit=limit
    )
    data = TrainingData(
        cache.frontend,
        features.frames,
        training_set.present,
        training_set.absent,
        training_set.groups,
        training_set.labels,
        training_set.head,
        beside.distillation_targets,
    )
    skipped = tuple(dict.fromkeys((*features.skipped, *beside.features.skipped)))
    train = np.setdiff1d(np.arange(len(data)), held_out)
    return Prepared(training_set, data, held_out, train, beside, teacher, skipped, features.left_out)


def _drawn(
    training_set: TrainingSet, request: TrainingRequest, settings: TrainingSettings, report: Progress, *, warm: bool
) -> TrainingSet:
    """Return as many of the labelled clips as a training can draw patches of, so that the labels take turns."""
    patches = round(settings.most_patches * (settings.warm_share if warm else 1))
    rows, labels = _in_turns(training_set, request.seed)
    if len(rows) <= (most := max(patches, _LEAST_DRAWN, labels)):
        return training_set
    text = f"trains on {most:,} of {len(rows):,} labelled clips: it draws no more patches"
    report("reading", 0, 0, text)
    return training_set.only(pick(training_set.clips, np.sort(rows[:most])))


def _share_to_validate(clips: int, settings: TrainingSettings) -> float:
    return min(settings.validation_share, _MOST_VALIDATION_CLIPS / max(1, clips))


def _labelled_features(
    cache: FeatureCache, training_set: TrainingSet, request: TrainingRequest, report: Progress
) -> ClipFeatures:
    """Compute the features of labelled clips: of one for each label, and of as many more as the time allows."""
    clips = training_set.clips
    if request.budget == NO_BUDGET:
        return compute_features(cache, clips, report=report)
    rows, labels = _in_turns(training_set, request.seed)
    return compute_features(
        cache,
        clips,
        report=report,
        limit=request.budget.features,
        first=pick(clips, rows[:labels]),
        compute_order=pick(clips, rows),
    )


def _in_turns(training_set: TrainingSet, seed: int) -> tuple[Int64, int]:
    """Return the places of the clips so that the labels take turns, by chance among those of a label; and of how many.

    The first turn has a clip of each label. The chance depends on a clip's key alone, as in `draw_clips`: of most clips
    the next training has the features.
    """
    present = training_set.present
    order = shuffled_indices(training_set.clips, seed=seed)
    label = np.where(present.any(axis=1), present.argmax(axis=1), -1)[order]
    _, first, label = np.unique(label, return_index=True, return_inverse=True)
    by_label = np.argsort(label, kind="stable")
    turn = np.empty(len(order), np.int64)
    turn[by_label] = np.arange(len(order)) - np.searchsorted(label[by_label], label[by_label])
    return order[np.lexsort((first[label], turn))], len(first)


def _open_teacher(project: Project, request: TrainingRequest) -> Teacher | None:
    if request.teacher is None:
        return None
    from labeltool.pretrained.probe import open_model

    model = open_model(request.teacher, request.teacher_tensor, rate_hz=_TEACHER_RATE_HZ, embedding=True)
    return Teacher(model, project.cache / "teacher")
