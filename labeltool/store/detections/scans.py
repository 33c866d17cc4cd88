"""What a model detected in the recordings that it searched last, and the verdicts of people on it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from labeltool.records import Value
from labeltool.store import spans
from labeltool.store.clips import current_names
from labeltool.store.database import Store
from labeltool.store.detections.replacing import DetectionScan
from labeltool.store.models import ModelRow, latest


@dataclass(frozen=True, slots=True)
class Scanned:
    """A recording that a model searched for events.

    Attributes
    ----------
    path
        Its last known place, as it is stored.
    scan
        How; the thresholds by the labels' current names.
    """

    recording_id: int
    path: str
    sha256: str
    group: str
    duration_s: float
    scan: DetectionScan


@dataclass(frozen=True, slots=True)
class DetectedEvent:
    """An event that a model detected, seconds, and a person's verdict on its label there; None without."""

    clip_id: int
    label: str
    start_s: float
    end_s: float
    score: float
    verdict: Value | None


def scanned_recordings(store: Store, model_id: int) -> list[Scanned]:
    """Return the recordings that a model searched, the last one first, without those that are removed."""
    renamed = current_names(store)
    return [
        Scanned(
            *(recording_id, path, sha256, group, frames / rate_hz),
            DetectionScan(
                bool(is_device), {renamed.get(name, name): one for name, one in json.loads(thresholds).items()}
            ),
        )
        for recording_id, path, sha256, group, frames, rate_hz, is_device, thresholds in store.connection.execute(
            "SELECT r.id, r.path, r.sha256, r.group_name, r.frames, r.sample_rate_hz, s.is_device, s.thresholds "
            "FROM detection_scans s "
            "JOIN active_recordings r ON r.id = s.recording_id WHERE s.model_id = ? ORDER BY s.rowid DESC",
            (model_id,),
        )
    ]


def count_stored_detections(store: Store, recording_id: int, model_id: int, scan: DetectionScan) -> int | None:
    """Count a model's detections in a recording; None unless it was last searched in the same way."""
    row = store.connection.execute(
        "SELECT is_device, thresholds FROM detection_scans WHERE model_id = ? AND recording_id = ?",
        (model_id, recording_id),
    ).fetchone()
    if row is None or (bool(row[0]), json.loads(row[1])) != (scan.is_device, dict(scan.thresholds)):
        return None
    (count,) = store.connection.execute(
        "SELECT COUNT(*) FROM suggestions g JOIN clips c ON c.id = g.clip_id, json_each(g.probabilities) "
        "WHERE g.model_id = ? AND c.recording_id = ? AND c.is_region",
        (model_id, recording_id),
    ).fetchone()
    return int(count)


def searched_at(store: Store, model: str | None) -> dict[str, datetime]:
    """Return when a model searched each recording last, by the recording's absolute path.

    Parameters
    ----------
    model
        Its id, or a pretrained model's name; None for the newest network.
    """
    if model is None and (newest := latest(store)) is not None:
        model = str(newest.id)
    found = [one.id for one in scanned_models(store) if model in (str(one.id), one.pretrained)]
    rows = store.connection.execute(
        "SELECT r.path, s.scanned_at FROM detection_scans s JOIN active_recordings r ON r.id = s.recording_id "
        "WHERE s.model_id = ?",
        (found[0] if found and model is not None else 0,),
    )
    return {store.absolute_path(path): datetime.fromisoformat(at) for path, at in rows}


def scanned_models(store: Store) -> list[ModelRow]:
    """Return the models that searched recordings, the one that did last first."""
    rows = store.connection.execute(
        "SELECT m.* FROM models m JOIN (SELECT model_id, MAX(rowid) AS at FROM detection_scans GROUP BY model_id) "
        "s ON s.model_id = m.id ORDER BY s.at DESC"
    )
    return [ModelRow(**row) for row in rows]


def detected_events(store: Store, model_id: int, recording_id: int, renamed: Mapping[str, str]) -> list[DetectedEvent]:
    """Return the events that a model detected in a recording, by the labels' current names, by start.

    `renamed` is what `clips.current_names` returns: read once for many recordings.
    """
    verdicts = spans.verdicts(store, recording_id).get(recording_id, [])
    return [
        DetectedEvent(clip_id, name, start_s, end_s, score, _verdict_on(name, start_s, end_s, verdicts))
        for clip_id, start_s, end_s, labels in store.connection.execute(
            "SELECT c.id, c.start_s, c.end_s, g.probabilities FROM suggestions g JOIN active_clips c "
            "ON c.id = g.clip_id WHERE g.model_id = ? AND c.recording_id = ? AND c.is_region ORDER BY c.start_s, c.id",
            (model_id, recording_id),
        )
        for name, score in _by_name(json.loads(labels), renamed).items()
    ]


def _by_name(scores: Mapping[str, float], renamed: Mapping[str, str]) -> dict[str, float]:
    """Return the scores by current names; the larger one where labels were merged."""
    found: dict[str, float] = {}
    for old, score in scores.items():
        name = renamed.get(old, old)
        found[name] = max(score, found.get(name, 0.0))
    return found


def _verdict_on(label: str, start_s: float, end_s: float, verdicts: Sequence[spans.Span]) -> Value | None:
    """Return the verdict on a label that shares most time with an event; of equals, that it is present.

    A person who moves a region's bounds, or detects anew with another threshold, need not judge it again. A sound that
    is somewhere in a long clip is not therefore in the event: at least half of what is labelled present has to be. What
    is absent has to be so in at least half of the event.
    """
    best, most_s = None, 0.0
    for one in verdicts:
        shared_s = min(end_s, one.end_s) - max(start_s, one.start_s)
        whole_s = one.end_s - one.start_s if one.value is Value.PRESENT else end_s - start_s
        if one.text not in (None, label) or one.value is None or shared_s <= 0 or shared_s < whole_s / 2:
            continue
        if shared_s > most_s or (shared_s == most_s and one.value is Value.PRESENT):
            best, most_s = one.value, shared_s
    return best
