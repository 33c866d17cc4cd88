"""A pretrained model of the project applied to stored clips, and its classes mapped to the project's labels."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from labeltool.errors import LabeltoolError
from labeltool.pretrained import class_mapping, registry
from labeltool.pretrained.card import PretrainedCard, read_card
from labeltool.pretrained.class_mapping import LabelMapping
from labeltool.project import Project
from labeltool.records import LabelledClip, Skipped, StoredClip, skipped_files
from labeltool.store import clips
from labeltool.type_aliases import Bools, Float32, Progress

if TYPE_CHECKING:
    from labeltool.pretrained.model import PretrainedModel


class ClassScorer:
    """A pretrained model of the project; what it computes is cached.

    Attributes
    ----------
    failed
        Clip key to error, of the clips that could not be read so far.

    Raises
    ------
    LabeltoolError
        When there is no such model.
    """

    def __init__(self, project: Project, name: str, *, report: Progress) -> None:
        self._project = project
        self.name = name
        self._path = registry.find(project, name)
        self.card: PretrainedCard = read_card(self._path.parent)
        self.folder = self._path.parent
        self._report = report
        self._opened: dict[bool, PretrainedModel] = {}
        self.failed: dict[str, LabeltoolError] = {}

    def compute(self, wanted: Sequence[StoredClip], *, embedding: bool) -> dict[str, Float32]:
        """Return embeddings, or scores of classes, by the key of the clip; clips that fail are added to `failed`."""
        from labeltool.pretrained.clip_cache import embed_clips, score_clips
        from labeltool.pretrained.model import PretrainedModel

        if embedding not in self._opened:
            self._opened[embedding] = PretrainedModel(self._path, self.card, embedding=embedding)
        compute = embed_clips if embedding else score_clips
        found, failed = compute(self._opened[embedding], self._project.cache / "teacher", wanted, report=self._report)
        self.failed |= failed
        return found


@dataclass(frozen=True, slots=True)
class ScoredClips:
    """Annotated clips and a model's class scores of them, (clips, classes) float32."""

    labelled: tuple[LabelledClip, ...]
    scores: Float32

    @classmethod
    def compute(cls, scorer: ClassScorer, labelled: Sequence[LabelledClip]) -> ScoredClips:
        """Score the clips that are annotated; those that cannot be read are skipped.

        Raises
        ------
        LabeltoolError
            When the model has no class list.
        """
        if not scorer.card.classes:
            raise LabeltoolError(
                f"{scorer.name} has no class list", remedy="`labeltool model add --labels FILE` gives it one"
            )
        annotated = [one for one in labelled if one.present or one.none_of_these]
        scores = scorer.compute([one.clip for one in annotated], embedding=False)
        scored = [one for one in annotated if one.clip.key in scores]
        rows = [scores[one.clip.key] for one in scored] or [np.zeros(len(scorer.card.classes), np.float32)]
        return cls(tuple(scored), np.stack(rows)[: len(scored)])

    def without(self, groups: Collection[str]) -> ScoredClips:
        """Return those whose clips are of other groups."""
        kept = np.array([one.clip.group not in groups for one in self.labelled], bool)
        labelled = tuple(one for one, is_kept in zip(self.labelled, kept, strict=True) if is_kept)
        return ScoredClips(labelled, self.scores[kept])

    def present(self, labels: Sequence[str]) -> Bools:
        """Return which of some labels are present in each clip, (clips, labels) bool."""
        rows = [[label in one.present for label in labels] for one in self.labelled]
        return np.array(rows, bool).reshape(len(rows), len(labels))


def label_mapping(scorer: ClassScorer, scored: ScoredClips, labels: Sequence[str]) -> list[LabelMapping]:
    """Map a model's classes to labels, by `mapping.toml`, by name, and by the annotations so far.

    Raises
    ------
    LabeltoolError
        When the project has no labels yet, and as `class_mapping.map_labels`.
    """
    if not labels:
        raise LabeltoolError(
            "the project has no labels yet that classes could suggest",
            remedy="label a few clips, or import some that are labelled",
        )
    classes = scorer.card.classes
    if not scored.labelled:
        return class_mapping.map_labels(scorer.folder, classes, labels)
    present = scored.present(labels)
    return class_mapping.map_labels(scorer.folder, classes, labels, scores=scored.scores, present=present)


@dataclass(frozen=True, slots=True)
class MappedLabel:
    """A label of the project, the names of the classes that suggest it, and where the mapping is from."""

    label: str
    classes: tuple[str, ...]
    source: str


@dataclass(frozen=True, slots=True)
class MapResult:
    """The mapping of a model's classes to labels, its file, and whether anything was written to that."""

    pretrained: str
    file: str
    written: bool
    labels: tuple[MappedLabel, ...]
    skipped: tuple[Skipped, ...]


def map_classes(project: Project, *, report: Progress, name: str) -> MapResult:
    """Map a model's classes to the project's labels and write what the file does not have; a task of the worker.

    Raises
    ------
    LabeltoolError
        As `label_mapping` and `ScoredClips.compute`, and where the model is not one of the project's.
    """
    scorer = ClassScorer(project, name, report=report)
    if scorer.folder != registry.folder(project, name):
        raise LabeltoolError(f"{name!r} is no model of the project", remedy="`labeltool model list` names them")
    with project.open_store() as store:
        labelled, labels = clips.labelled(store), clips.label_names(store)
    mapping = label_mapping(scorer, ScoredClips.compute(scorer, labelled), labels)
    classes = scorer.card.classes
    return MapResult(
        pretrained=name,
        file=str(scorer.folder / class_mapping.MAPPING_FILE),
        written=class_mapping.add_to_mapping(scorer.folder, classes, mapping),
        labels=tuple(MappedLabel(one.label, tuple(classes[i] for i in one.classes), one.reason) for one in mapping),
        skipped=skipped_files(scorer.failed.values()),
    )


@dataclass(frozen=True, slots=True)
class LabelAgreement:
    """Of one label: its clips, those of them in which each class is detected, the classes proposed for it, and why."""

    clips: int
    detections: tuple[int, ...]
    proposed: tuple[int, ...]
    source: class_mapping.Reason


@dataclass(frozen=True, slots=True)
class AgreementResult:
    """How a model's classes agree with the annotations.

    Attributes
    ----------
    detections
        In how many of them each class is detected, in the order of the class list.
    labels
        The same of each label; the proposed classes do not depend on the mapping's file.
    """

    clips: int
    detections: tuple[int, ...]
    labels: dict[str, LabelAgreement]
    skipped: tuple[Skipped, ...]


def agreement(project: Project, *, report: Progress, name: str) -> AgreementResult:
    """Count how a model's classes agree with the annotations so far, and propose a mapping; a task of the worker.

    Raises
    ------
    LabeltoolError
        As `ScoredClips.compute`.
    """
    scorer = ClassScorer(project, name, report=report)
    with project.open_store() as store:
        labelled, labels = clips.labelled(store), clips.label_names(store)
    scored = ScoredClips.compute(scorer, labelled)
    present = scored.present(labels)
    detections = class_mapping.count_detections(scored.scores, present)
    proposed = class_mapping.propose_mapping(scorer.card.classes, labels, scores=scored.scores, present=present)
    every_clip = np.ones((len(present), 1), bool)
    return AgreementResult(
        clips=len(present),
        detections=tuple(class_mapping.count_detections(scored.scores, every_clip)[0].tolist()),
        labels={
            one.label: LabelAgreement(
                int(present[:, column].sum()), tuple(detections[column].tolist()), tuple(one.classes), one.reason
            )
            for column, one in enumerate(proposed)
        },
        skipped=skipped_files(scorer.failed.values()),
    )
