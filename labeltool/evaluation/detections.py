"""The review of what a model detected in long recordings: what there is, what is known of it, and what to review next.

Only precision is known from it: what was not detected nobody reviews. Recall needs labelled clips.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from labeltool.errors import LabeltoolError
from labeltool.evaluation.detection_review import Detection, LabelReview, PrecisionRow
from labeltool.evaluation.operating_points import choose_points
from labeltool.networks import model_folder
from labeltool.project import Project
from labeltool.store import Store, groups
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
    as_device
        Whether the events were detected as the device does.
    recordings, hours
        That were searched, without the excluded.
    trained_on, locked, otherwise
        Number of recordings that are excluded: of groups that the model was trained on or that its test fold has, of
        the locked test set, and searched the other way than the last one (as the device does or not).
    thresholds
        The table, by label and threshold.
    next
        What to review, the most informative first.
    operating_points
        The thresholds that reach the wanted precision.
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
    width
        The wanted width of an interval.
    limit
        Number of detections to review.

    Raises
    ------
    LabeltoolError
        When nothing was detected by the model.
    """
    row = _scanned_model(store, model)
    scanned = scans.scanned_recordings(store, row.id)
    alike = [one for one in scanned if one.scan.is_device == scanned[0].scan.is_device]
    locked = groups.locked_recordings(store)
    seen = _groups_trained_on_or_tested(project, store, row)
    unlocked = [one for one in alike if one.recording_id not in locked]
    usable = [one for one in unlocked if one.group not in seen]
    events = {one.recording_id: scans.detected_events(store, row.id, one.recording_id) for one in usable}
    rows: list[PrecisionRow] = []
    wanted: list[tuple[float, ToReview]] = []
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
            review = LabelReview(label, detections, lowest=lowest, precision=precision)
            rows += review.rows(_hours(of_label), width)
            wanted += [(gain, _to_review(*found[one.clip_id])) for gain, one in review.next_detections(limit)]
    wanted.sort(key=lambda pair: -pair[0])
    source: Source = "device review" if scanned[0].scan.is_device else "review"
    return ReviewResult(
        model=row.pretrained or str(row.id),
        model_id=row.id,
        model_uid=row.uid,
        as_device=scanned[0].scan.is_device,
        recordings=len(usable),
        hours=round(_hours(usable), 4),
        trained_on=len(unlocked) - len(usable),
        locked=len(alike) - len(unlocked),
        otherwise=len(scanned) - len(alike),
        thresholds=tuple(rows),
        next=tuple(one for _, one in wanted[:limit]),
        operating_points=() if precision is None else choose_points(rows, precision, model_uid=row.uid, source=source),
    )


def detections_to_review(project: Project, store: Store, *, limit: int) -> tuple[ToReview, ...]:
    """Return what to review next of the model that detected last; nothing where none did, or all was reviewed."""
    return review_detections(project, store, limit=limit).next if scans.scanned_models(store) else ()


def _scanned_model(store: Store, model: str | None) -> ModelRow:
    scanned = scans.scanned_models(store)
    for one in scanned:
        if model in (None, str(one.id), one.pretrained):
            return one
    by = "" if model is None else f" by {model}"
    raise LabeltoolError(
        f"nothing was detected{by} in the project's recordings",
        remedy=f"`labeltool detect FILE{'' if model is None else f' --model {model}'}`",
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
