"""A model's detections in a long recording: written in place of its earlier ones."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from labeltool.records import Event, Suggestion
from labeltool.store.database import Store, now
from labeltool.store.models import add_suggestion, older_networks
from labeltool.store.recordings import StoredRecording
from labeltool.store.spans import DETECTED, Region, clip_of_region
from labeltool.util.time_grid import MICROSECONDS, span_us


@dataclass(frozen=True, slots=True)
class DetectionScan:
    """How a recording was searched for events; `is_device`: as the device does, with other scores."""

    is_device: bool
    thresholds: Mapping[str, float]


def replace_detections(
    store: Store, recording: StoredRecording, model_id: int, events: Iterable[Event], scan: DetectionScan | None = None
) -> int:
    """Replace a model's detections in a recording by new ones; return their number.

    Detections of older models trained in the project are replaced as well; those of a pretrained model and of a trained
    one are kept beside each other. Detections are not in the queue, and no verdict changes: each is a region without
    rows in the journal. Events without duration are skipped.

    Parameters
    ----------
    scan
        How they were detected; without it they cannot be reviewed for their precision.
    """
    with store.transaction():
        return _write_detections(store, recording, model_id, _by_region(recording, events), scan)


def import_detections(store: Store, recording: StoredRecording, model_id: int, events: Iterable[Event]) -> int | None:
    """Replace detections inside a transaction; return None, without a change, where just these are stored already."""
    wanted = _by_region(recording, events)
    rows = store.connection.execute(
        f"SELECT c.start_s, c.end_s, g.probabilities, {DETECTED} FROM clips c JOIN suggestions g ON g.clip_id = c.id "
        "WHERE c.recording_id = ? AND g.model_id = ? AND c.is_region",
        (recording.id, model_id),
    ).fetchall()
    stored = {_place(start_s, end_s): json.loads(labels) for start_s, end_s, labels, _ in rows}
    replaceable = {_place(start_s, end_s) for start_s, end_s, _, is_pending in rows if is_pending}
    places = {_place(region.start_s, region.end_s): labels for region, labels in wanted.items()}
    if places.items() <= stored.items() and replaceable <= places.keys():
        return None
    return _write_detections(store, recording, model_id, wanted, None)


def _place(start_s: float, end_s: float) -> tuple[float, int]:
    """Return bounds that do not depend on what `_detected_clip` cuts off, microseconds: the end in 10 us, upwards."""
    return start_s, -(-round(end_s * MICROSECONDS) // 10)


_ByRegion = dict[Region, dict[str, float]]
"""Label to probability of each region."""


def _by_region(recording: StoredRecording, events: Iterable[Event]) -> _ByRegion:
    probabilities: _ByRegion = {}
    for event in events:
        start_us, end_us = span_us(event.start_s, event.end_s, recording.frames, recording.sample_rate_hz)
        if start_us < end_us:
            region = Region(start_us / MICROSECONDS, end_us / MICROSECONDS)
            probabilities.setdefault(region, {})[event.label] = event.probability
    return probabilities


def _write_detections(
    store: Store, recording: StoredRecording, model_id: int, probabilities: _ByRegion, scan: DetectionScan | None
) -> int:
    connection, replaced = store.connection, json.dumps([model_id, *older_networks(store, model_id)])
    connection.execute(
        # By the recording's clips: by `model_id`, SQLite would go through all that the model ever detected.
        "DELETE FROM suggestions WHERE clip_id IN (SELECT id FROM clips WHERE recording_id = ? AND is_region) "
        "AND +model_id IN (SELECT value FROM json_each(?)) "
        # The model's own go from labelled regions too: only what was detected last is its detection.
        f"AND (model_id = ? OR EXISTS (SELECT 1 FROM clips c WHERE c.id = clip_id AND {DETECTED}))",
        (recording.id, replaced, model_id),
    )
    connection.execute(
        "DELETE FROM detection_scans WHERE model_id IN (SELECT value FROM json_each(?)) AND recording_id = ?",
        (replaced, recording.id),
    )
    if scan is not None:
        connection.execute(
            "INSERT INTO detection_scans (model_id, recording_id, is_device, thresholds, scanned_at) "
            "VALUES (?, ?, ?, ?, ?)",
            (model_id, recording.id, int(scan.is_device), json.dumps(dict(scan.thresholds)), now()),
        )
    for region, labels in probabilities.items():
        clip_id = _detected_clip(connection, recording, region)
        add_suggestion(connection, Suggestion(clip_id, model_id, labels, independent=True))
    connection.execute(
        f"DELETE FROM clips WHERE id IN (SELECT c.id FROM clips c WHERE c.recording_id = ? AND {DETECTED}) "
        "AND NOT EXISTS (SELECT 1 FROM suggestions g WHERE g.clip_id = clips.id) "
        # A clip with a transcript stays, so that the transcript can be found.
        "AND NOT EXISTS (SELECT 1 FROM transcripts t WHERE t.clip_id = clips.id)",
        (recording.id,),
    )
    return sum(map(len, probabilities.values()))


def _detected_clip(connection: sqlite3.Connection, recording: StoredRecording, region: Region) -> int:
    """Return the clip for a detection, which has no journal rows; microseconds shorter where another has its bounds."""
    shorter_us = 0
    while True:
        end_s = round(region.end_s * MICROSECONDS - shorter_us) / MICROSECONDS
        clip_id = clip_of_region(connection, recording, Region(region.start_s, end_s))
        if connection.execute(f"SELECT 1 FROM clips c WHERE c.id = ? AND {DETECTED}", (clip_id,)).fetchone():
            return clip_id
        shorter_us += 1
