"""An ear of the project's shelf at work: what it hears of stored clips, and its classes put to the project's labels."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from labeltool.errors import LabeltoolError, files_of
from labeltool.pretrained import class_mapping, registry
from labeltool.pretrained.card import EarCard, read_card
from labeltool.pretrained.class_mapping import Mapped
from labeltool.project import Project
from labeltool.records import LabelledClip, StoredClip
from labeltool.store import clips
from labeltool.type_aliases import Bools, Float32, Progress

if TYPE_CHECKING:
    from labeltool.pretrained.model import Ear


class Listener:
    """An ear of the project's shelf, which remembers what it has heard in this run.

    Raises
    ------
    LabeltoolError
        When there is no such ear.
    """

    def __init__(self, project: Project, name: str, *, report: Progress) -> None:
        self._project = project
        self.name = name
        self._path = registry.find(project, name)
        self.card: EarCard = read_card(self._path.parent)
        self.folder = self._path.parent
        self._report = report
        self._opened: dict[bool, Ear] = {}
        self.failed: dict[str, LabeltoolError] = {}

    def hear(self, wanted: Sequence[StoredClip], *, embedding: bool) -> dict[str, Float32]:
        """Return embeddings, or scores of classes, by the key of the clip; files that fail are remembered."""
        from labeltool.pretrained.clip_cache import embed_clips, score_clips
        from labeltool.pretrained.model import Ear

        if embedding not in self._opened:
            self._opened[embedding] = Ear(self._path, self.card, embedding=embedding)
        hear = embed_clips if embedding else score_clips
        found, failed = hear(self._opened[embedding], self._project.cache / "teacher", wanted, report=self._report)
        self.failed |= failed
        return found


@dataclass(frozen=True, slots=True)
class Answers:
    """Clips that people answered and an ear has heard.

    Attributes
    ----------
    scores : (clips, classes) float32
        What the ear's classes make of them.
    """

    labelled: tuple[LabelledClip, ...]
    scores: Float32

    @classmethod
    def heard(cls, listener: Listener, labelled: Sequence[LabelledClip]) -> Answers:
        """Let an ear hear what was answered; files that fail are left out.

        Raises
        ------
        LabeltoolError
            When the ear has no class list.
        """
        if not listener.card.classes:
            raise LabeltoolError(
                f"{listener.name} has no class list", remedy="`labeltool model add --labels FILE` gives it one"
            )
        known = [one for one in labelled if one.present or one.none_of_these]
        scores = listener.hear([one.clip for one in known], embedding=False)
        known = [one for one in known if one.clip.key in scores]
        rows = [scores[one.clip.key] for one in known] or [np.zeros(len(listener.card.classes), np.float32)]
        return cls(tuple(known), np.stack(rows)[: len(known)])

    def without(self, groups: Collection[str]) -> Answers:
        """Return those whose clips are of other groups."""
        kept = np.array([one.clip.group not in groups for one in self.labelled], bool)
        return Answers(tuple(one for one, stays in zip(self.labelled, kept, strict=True) if stays), self.scores[kept])

    def of(self, labels: Sequence[str]) -> Bools:
        """Return which of some labels people heard in each, (clips, labels) bool."""
        told = [[label in one.present for label in labels] for one in self.labelled]
        return np.array(told, bool).reshape(len(told), len(labels))


def propose(listener: Listener, answers: Answers, labels: Sequence[str]) -> list[Mapped]:
    """Put an ear's classes to labels, by `mapping.toml`, names, and the answers given so far.

    Raises
    ------
    LabeltoolError
        When the project has no labels yet, and as `mapping.mapped`.
    """
    if not labels:
        raise LabeltoolError(
            "the project has no labels yet that classes could suggest",
            remedy="answer a few clips, or import some that are labelled",
        )
    classes = listener.card.classes
    if not answers.labelled:
        return class_mapping.mapped(listener.folder, classes, labels)
    return class_mapping.mapped(listener.folder, classes, labels, scores=answers.scores, heard=answers.of(labels))


def map_classes(project: Project, *, report: Progress, name: str) -> dict[str, Any]:
    """Put an ear's classes to the project's labels and write down what the file does not say; a task of the worker.

    Returns
    -------
    dict
        `{"ear", "file", "written", "labels": [{"label", "classes", "from"}], "left_out"}`.

    Raises
    ------
    LabeltoolError
        As `propose` and `Answers.heard`, and where the ear is not on the project's shelf.
    """
    listener = Listener(project, name, report=report)
    if listener.folder != registry.folder(project, name):
        raise LabeltoolError(f"{name!r} is not on the project's shelf", remedy="`labeltool model list` names the ears")
    with project.open_store() as store:
        labelled, labels = clips.labelled(store), clips.label_names(store)
    found = propose(listener, Answers.heard(listener, labelled), labels)
    classes = listener.card.classes
    return {
        "ear": name,
        "file": str(listener.folder / class_mapping.FILE),
        "written": class_mapping.write(listener.folder, classes, found),
        "labels": [
            {"label": one.label, "classes": [classes[place] for place in one.classes], "from": one.reason}
            for one in found
        ],
        "left_out": files_of(listener.failed.values()),
    }


def agreement(project: Project, *, report: Progress, name: str) -> dict[str, Any]:
    """Tell how an ear's classes agree with the answers so far, and what is proposed; a task of the worker.

    Returns
    -------
    dict
        `{"clips", "heard", "labels": {label: {"clips", "heard", "proposed", "from"}}, "left_out"}`: how many clips were
        answered, and how many of a label's; in how many of them each class is heard, in the order of the class list;
        the places of the classes that are proposed for a label, whatever the file has, and why.

    Raises
    ------
    LabeltoolError
        As `Answers.heard`.
    """
    listener = Listener(project, name, report=report)
    with project.open_store() as store:
        labelled, labels = clips.labelled(store), clips.label_names(store)
    answers = Answers.heard(listener, labelled)
    heard = answers.of(labels)
    hits = class_mapping.hits(answers.scores, heard)
    proposed = class_mapping.proposed(listener.card.classes, labels, scores=answers.scores, heard=heard)
    return {
        "clips": len(heard),
        "heard": class_mapping.hits(answers.scores, np.ones((len(heard), 1), bool))[0].tolist(),
        "labels": {
            one.label: {
                "clips": int(heard[:, place].sum()),
                "heard": hits[place].tolist(),
                "proposed": list(one.classes),
                "from": one.reason,
            }
            for place, one in enumerate(proposed)
        },
        "left_out": files_of(listener.failed.values()),
    }
