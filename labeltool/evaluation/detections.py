"""The review of what a model detected in long recordings: what there is, what is known of it, and what to review next.

Only precision is known from it: what was not detected nobody reviews. Recall needs labelled clips.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from labeltool.errors import LabeltoolError
from labeltool.evaluation.detection_review import Detection, LabelReview, PrecisionRow
from labeltool.evaluation.operating_points import choose_points
from labeltool.networks import model_folder
from labeltool.project import Project
from labeltool.store import Store, clips, groups
from labeltool.store.detections import scans
from labeltool.store.detections.operating_points import OperatingPoint, Source
from labeltool.store.detections.scans import DetectedEvent, Scanned
from labeltool.store.models import ModelRow

_SECONDS_PER_HOUR = 3600


@dataclass(frozen=True, slots=True)
class ToReview:
    """A detection to review, as whose region it is: `labeltool mark CLIP LABEL` or the app says whether it is right."""

    clip: int
    file: str
    start_s: float
    end_s: float
    label: str
    score: float


@dataclass(frozen=True, slots=True)
class ReviewResult:
    """What `labeltool evaluate --detections --json` prints.

    Attributes
    ----------
    model
        Its id or name; `model_id` is its id in the database, `model_uid` its unique one.
    trained_on, locked, otherwise
        Number of recordings that are excluded: of groups that the model was trained on or that its test fold has, of
        the locked test set, and searched the other way than the last one (as the device does or not).
    next
        What to review, the most informative first.
    """

    model: str
    model_id: int
    model_uid: str
    as_device: bool
    recordings: int
    hours: float
    trained_on: int
    locked: int
    otherwise: int
    thresholds: tuple[PrecisionRow, ...]
    next: tuple[ToReview, ...]
    operating_points: tuple[OperatingPoint, ...] = ()

    @property
    def source(self) -> Source:
        """What operating points from it are of."""
        return "device review" if self.as_device else "review"


def review_detections(
    project: Project,
    store: Store,
    *,
    model: str | None = None,
    precision: float | None = None,
    width: float | None = None,
    limit: int = 0,
) -> ReviewResult:
    """Return what is known of a model's detections, and what to review next.

    Parameters
    ----------
    model
        Its id, or a pretrained model's name; None for the one that detected last.
    precision
        The wanted one: thresholds that reach it are chosen, and the review goes to where that is undecided.

    Raises
    ------
    LabeltoolError
        When nothing was detected by the model.
    """
    row = scanned_model(store, model)
    searched = _searched(project, store, row)
    rows: list[PrecisionRow] = []
    wanted: list[tuple[float, ToReview]] = []
    for review, found, hours in _reviews(store, row, searched.usable, precision):
        rows += review.rows(hours, width)
        wanted += [(gain, _to_review(*found[one.clip_id])) for gain, one in review.next_detections(limit)]
    source: Source = "device review" if searched.as_device else "review"
    return ReviewResult(
        model=row.pretrained or str(row.id),
        model_id=row.id,
        model_uid=row.uid,
        as_device=searched.as_device,
        recordings=len(searched.usable),
        hours=round(_hours(searched.usable), 4),
        trained_on=searched.trained_on,
        locked=searched.locked,
        otherwise=searched.otherwise,
        thresholds=tuple(rows),
        next=_first(wanted, limit),
        operating_points=() if precision is None else choose_points(rows, precision, model_uid=row.uid, source=source),
    )


def detections_to_review(project: Project, store: Store, *, limit: int) -> tuple[ToReview, ...]:
    """Return what to review next of the model that detected last.

    Nothing where none did, where all was reviewed, or where the model's folder is gone.
    """
    if not (models := scans.scanned_models(store)):
        return ()
    try:
        usable = _searched(project, store, models[0]).usable
    except LabeltoolError:
        return ()  # what it was trained on is not known
    wanted = [
        (gain, _to_review(*found[one.clip_id]))
        for review, found, _ in _reviews(store, models[0], usable, None)
        for gain, one in review.next_detections(limit)
    ]
    return _first(wanted, limit)


def _first(wanted: list[tuple[float, ToReview]], limit: int) -> tuple[ToReview, ...]:
    return tuple(one for _, one in sorted(wanted, key=lambda pair: -pair[0])[:limit])


@dataclass(frozen=True, slots=True)
class _Searched:
    """The recordings that a model searched and that may be reviewed, and the numbers that `ReviewResult` has."""

    usable: list[Scanned]
    as_device: bool
    trained_on: int
    locked: int
    otherwise: int


def _searched(project: Project, store: Store, row: ModelRow) -> _Searched:
    scanned = scans.scanned_recordings(store, row.id)
    as_device = scanned[0].scan.is_device if scanned else False
    alike = [one for one in scanned if one.scan.is_device == as_device]
    locked = groups.locked_recordings(store)
    unlocked = [one for one in alike if one.recording_id not in locked]
    seen = _groups_trained_on_or_tested(project, store, row)
    usable = [one for one in unlocked if one.group not in seen]
    counts = len(unlocked) - len(usable), len(alike) - len(unlocked), len(scanned) - len(alike)
    return _Searched(usable, as_device, *counts)


def _reviews(
    store: Store, row: ModelRow, usable: Sequence[Scanned], precision: float | None
) -> Iterator[tuple[LabelReview, dict[int, tuple[DetectedEvent, Scanned]], float]]:
    """Yield the review of each detected label, its events by the clip's id, and the hours of its recordings."""
    renamed = clips.current_names(store)
    events = {one.recording_id: scans.detected_events(store, row.id, one.recording_id, renamed) for one in usable}
    for label in sorted({name for one in usable for name in one.scan.thresholds}):
        of_label = [one for one in usable if label in one.scan.thresholds]
        lowest = max(one.scan.thresholds[label] for one in of_label)  # from there on all of them were searched
        found = {
            event.clip_id: (event, one)
            for one in of_label
            for event in events[one.recording_id]
            if event.label == label and event.score >= lowest
        }
        if found:
            detections = [_detection(event, one, row.uid) for event, one in found.values()]
            yield LabelReview(label, detections, lowest=lowest, precision=precision), found, _hours(of_label)


def scanned_model(store: Store, model: str | None) -> ModelRow:
    """Return the model of an id or a pretrained model's name that searched recordings; None: the one that did last.

    Raises
    ------
    LabeltoolError
        When there is none.
    """
    scanned = scans.scanned_models(store)
    for one in scanned:
        if model in (None, str(one.id), one.pretrained):
            return one
    by = "" if model is None else f" by {model}"
    raise LabeltoolError(
        f"nothing was detected{by} in the project's recordings",
        remedy=f"`labeltool import audio FILE`, then `labeltool detect FILE{by and f' --model {model}'}`",
    )


def _groups_trained_on_or_tested(project: Project, store: Store, row: ModelRow) -> set[str]:
    """Return the groups that a model was trained on, and those of its test fold, which chooses no threshold."""
    if row.pretrained is not None:
        return set()
    files = model_folder.read(project.models / str(row.id), groups.groups_now(store))
    return files.groups_trained_on() | groups.groups_of_fold(store, files.card.test_fold)


def _hours(scanned: Iterable[Scanned]) -> float:
    return sum(one.duration_s for one in scanned) / _SECONDS_PER_HOUR


def _detection(event: DetectedEvent, recording: Scanned, model_uid: str) -> Detection:
    """Return a detection; its order is by chance, but the same on every machine and whenever it is asked for."""
    name = f"{model_uid} {recording.sha256} {event.start_s:.6f} {event.label}"
    order = int.from_bytes(hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()[:6]) / 2**48
    return Detection(event.clip_id, event.score, order, event.verdict)


def _to_review(event: DetectedEvent, recording: Scanned) -> ToReview:
    return ToReview(event.clip_id, recording.path, event.start_s, event.end_s, event.label, event.score)
