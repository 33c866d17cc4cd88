"""Progress of a project: labelled clips of each label, and what the models measured as the labels grew.

All accuracies are those that models were measured with on validation clips, as their cards have them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from labeltool.store import Store, clips
from labeltool.store.labels import project_labels
from labeltool.store.models import PRETRAINED
from labeltool.util.files.bounded_read import parse_json

_MAX_MODELS = 40  # each card takes a millisecond to read
_MAX_PAIRS = 5


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """A model's accuracy, or its recall of one label, 0 to 1, and the labelled clips it was trained on."""

    labels_seen: int
    share: float


@dataclass(frozen=True, slots=True)
class LabelProgress:
    """A label, the clips that have it, and its recall by one model after the other, oldest first."""

    label: str
    clips: int
    curve: tuple[CurvePoint, ...]


@dataclass(frozen=True, slots=True)
class Confusion:
    """Validation clips with one label for which a model predicted another."""

    label: str
    predicted: str
    clips: int


@dataclass(frozen=True, slots=True)
class Progress:
    """See `project_progress`; `model` is the newest that was measured, of which `confusions` are; None without one."""

    labels: tuple[LabelProgress, ...]
    curve: tuple[CurvePoint, ...]
    model: int | None
    confusions: tuple[Confusion, ...]

    def missing(self, goal: int) -> int:
        """Return the number of labelled clips that are missing until every label has `goal`."""
        return sum(max(0, goal - one.clips) for one in self.labels)


@dataclass(frozen=True, slots=True)
class _Recall:
    label: str
    recall: float | None = None


@dataclass(frozen=True, slots=True)
class _Card:
    """The fields of a model's card that are needed here; those of an earlier version may lack all of them."""

    labels: tuple[str, ...] = ()
    background: str | None = None
    by_label: tuple[_Recall, ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()


def project_progress(store: Store) -> Progress:
    """Return a project's labels with clips and recalls, the rarest first, and what the newest model confuses.

    A label without a clip is one of them where it was defined, unless it only groups others: one that was given by
    mistake and undone is no goal.
    """
    renamed, curve, recalls = clips.current_names(store), list[CurvePoint](), dict[str, list[CurvePoint]]()
    newest, confusions = None, tuple[Confusion, ...]()
    for model_id, labels_seen, accuracy, card in _measured(store):
        curve.append(CurvePoint(labels_seen, accuracy))
        for one in card.by_label:
            if one.recall is not None:
                name = renamed.get(one.label, one.label)
                recalls.setdefault(name, []).append(CurvePoint(labels_seen, one.recall))
        newest, confusions = model_id, _confusions(card, renamed)
    known = project_labels(store)
    wanted = {one.name for one in known if one.definition} - {one.parent for one in known}
    counts = sorted(clips.counts(store).labels.items(), key=lambda item: item[1])
    labels = tuple(
        LabelProgress(name, count, tuple(recalls.get(name, ()))) for name, count in counts if count or name in wanted
    )
    return Progress(labels, tuple(curve), newest, confusions)


def _measured(store: Store) -> Iterator[tuple[int, int, float, _Card]]:
    """Yield the models trained here that were measured, oldest first: id, labels seen, clip accuracy, card."""
    import msgspec

    rows = store.connection.execute(
        "SELECT id, labels_seen, clip_accuracy, card FROM models "
        "WHERE architecture <> ? AND clip_accuracy IS NOT NULL ORDER BY id DESC LIMIT ?",
        (PRETRAINED, _MAX_MODELS),
    ).fetchall()
    for row in reversed(rows):
        card = _Card()
        with suppress(ValueError):  # a damaged card: its accuracy is known all the same
            card = msgspec.convert(parse_json(row["card"]), _Card)
        yield row["id"], row["labels_seen"], row["clip_accuracy"], card


def _confusions(card: _Card, renamed: dict[str, str]) -> tuple[Confusion, ...]:
    """Return the pairs of labels that a model confuses most."""
    names = ["no label" if name == card.background else renamed.get(name, name) for name in card.labels]
    pairs = [
        Confusion(names[true], names[predicted], count)
        for true, row in enumerate(card.confusion[: len(names)])
        for predicted, count in enumerate(row[: len(names)])
        if count > 0 and names[true] != names[predicted]
    ]
    return tuple(sorted(pairs, key=lambda pair: -pair.clips)[:_MAX_PAIRS])
