"""Storing what an importer read: all of it in one transaction, and nothing twice."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field

from labeltool.errors import LabeltoolError
from labeltool.records import (
    Checked,
    Clip,
    DeviceDetections,
    DevicePrediction,
    Event,
    Imported,
    Recording,
    Skipped,
    Verdict,
    VerdictTable,
    label_name,
)
from labeltool.store import labels, models, recordings, spans
from labeltool.store.database import Store, now
from labeltool.store.importing.imported_recordings import ImportedRecordings
from labeltool.store.journal_rows import append


@dataclass(slots=True)
class ImportResult:
    """Numbers of rows that an import added, that were there already, and what it skipped.

    `amended` counts recordings found in another place or of another length than was stored, their hashes and columns,
    folds added to clips, groups that were joined, and recordings whose detections were replaced by none.
    """

    recordings: int = 0
    clips: int = 0
    verdicts: int = 0
    checked: int = 0
    suggestions: int = 0
    amended: int = 0
    already_there: dict[str, int] = field(
        default_factory=lambda: {"recordings": 0, "clips": 0, "verdicts": 0, "suggestions": 0}
    )
    skipped: list[Skipped] = field(default_factory=list)

    @property
    def changes(self) -> int:
        """Number of changes to the store."""
        return self.recordings + self.clips + self.verdicts + self.checked + self.suggestions + self.amended


class _NothingNew(Exception):
    """Ends the transaction without a change."""


def import_records(store: Store, records: Iterable[Imported], *, kind: str, source: str) -> ImportResult:
    """Store an importer's records, or nothing at all when anything fails.

    Importing the same thing again changes nothing: a recording is identified by the hash of its bytes or of its
    samples, a clip by its span, a verdict by all its content. A verdict that was undone stays so when its file is
    imported again, and a recording that was removed stays removed: what is imported for it is stored and counts once it
    is brought back.

    Parameters
    ----------
    records
        Read to the end before the first row is written, so that a person who is labelling never waits for hashing.
    kind, source
        The importer ("audacity", "esc50") and the source, for the `imports` table.
    """
    read = list(_expanded(records))
    result = ImportResult(skipped=[record for record in read if isinstance(record, Skipped)])
    try:
        with store.transaction() as connection:
            _Import(store, connection, result, kind, source).write(read)
            if not result.changes:
                raise _NothingNew
    except _NothingNew:
        pass
    return result


def _expanded(records: Iterable[Imported]) -> Iterator[Imported]:
    for record in records:
        yield from record.records() if isinstance(record, VerdictTable) else (record,)


class _Import:
    """Writes the records of one import and keeps the ids that they got."""

    def __init__(
        self, store: Store, connection: sqlite3.Connection, result: ImportResult, kind: str, source: str
    ) -> None:
        self.store = store
        self.connection = connection
        self.result = result
        self.kind = kind
        self.recordings = ImportedRecordings(store, connection, result)
        self.recording_ids = self.recordings.ids
        self.clip_ids: dict[tuple[str, float, float], int] = {}
        self.keys: set[str] = set()
        self.hash = hashlib.sha256()
        cursor = connection.execute(
            "INSERT INTO imports (kind, source, sha256, imported_at, recordings, clips, verdicts, skipped) "
            "VALUES (?, ?, '', ?, 0, 0, 0, '[]')",
            (kind, _as_utf8(source), now()),
        )
        self.import_id = cursor.lastrowid
        self.newest_label = labels.newest_id(connection)

    def write(self, records: Iterable[Imported]) -> None:
        """Write all records and complete the import's own row."""
        for record in records:
            self.hash.update(repr(record).encode("utf-8", "surrogatepass"))
            if isinstance(record, Recording):
                self.recordings.write(record)
            elif isinstance(record, Clip):
                self._clip(record)
            elif isinstance(record, Verdict):
                self._verdict(record)
            elif isinstance(record, Checked):
                self._checked(record)
            elif isinstance(record, DevicePrediction):
                self._device_prediction(record)
            elif isinstance(record, DeviceDetections):
                self._device_detections(record)
        self.recordings.finish()
        self.result.skipped += labels.notes_on_case(self.connection, self.newest_label)
        skipped = [asdict(record) for record in self.result.skipped]
        self.connection.execute(
            "UPDATE imports SET sha256 = ?, recordings = ?, clips = ?, verdicts = ?, skipped = ? WHERE id = ?",
            (
                self.hash.hexdigest(),
                self.result.recordings,
                self.result.clips,
                self.result.verdicts,
                _as_utf8(json.dumps(skipped, ensure_ascii=False)),
                self.import_id,
            ),
        )

    def _clip(self, clip: Clip) -> None:
        key = (clip.recording_sha256, clip.start_s, clip.end_s)
        recording_id = self.recording_ids[clip.recording_sha256]
        row = self.connection.execute(
            "SELECT id, fold FROM clips WHERE recording_id = ? AND start_s = ? AND end_s = ?",
            (recording_id, clip.start_s, clip.end_s),
        ).fetchone()
        if row is None:
            cursor = self.connection.execute(
                "INSERT INTO clips (recording_id, start_s, end_s, fold) VALUES (?, ?, ?, ?)",
                (recording_id, clip.start_s, clip.end_s, clip.fold),
            )
            self.result.clips += 1
            self.clip_ids[key] = cursor.lastrowid or 0
            return
        if key not in self.clip_ids:
            self.result.already_there["clips"] += 1
        self.clip_ids[key] = row["id"]
        # A region so far, now a clip of a source: it goes into the queue like any other.
        changed = self.connection.execute("UPDATE clips SET is_region = 0 WHERE id = ? AND is_region", (row["id"],))
        self.result.amended += changed.rowcount
        if row["fold"] is None and clip.fold is not None:
            self.connection.execute("UPDATE clips SET fold = ? WHERE id = ?", (clip.fold, row["id"]))
            self.result.amended += 1
        elif clip.fold is not None and row["fold"] != clip.fold:
            path = self.recordings.paths[clip.recording_sha256]
            self.result.skipped.append(
                Skipped(path, None, f"its sound is in fold {row['fold']} already: fold {clip.fold} was ignored")
            )

    def _verdict(self, verdict: Verdict) -> None:
        clip = verdict.clip
        clip_id = self.clip_ids[clip.recording_sha256, clip.start_s, clip.end_s]
        key = _import_key(
            self.kind,
            self.recordings.identities[clip.recording_sha256],
            clip.start_s,
            clip.end_s,
            verdict.label,
            verdict.value.value,
            verdict.start_s,
            verdict.end_s,
            verdict.low_hz,
            verdict.high_hz,
            verdict.confidence,
            verdict.track,
        )
        if key in self.keys:
            self.result.skipped.append(Skipped(verdict.file or "", verdict.line, "repeats a verdict of this import"))
            return
        self.keys.add(key)
        if self.connection.execute("SELECT 1 FROM journal WHERE import_key = ?", (key,)).fetchone():
            self.result.already_there["verdicts"] += 1
            return
        # The key has the label as the source has it: a file that an older version imported stays known.
        label = None if verdict.label is None else label_name(verdict.label)
        if label is not None:
            labels.ensure_label(self.connection, label)
        append(
            self.connection,
            kind="verdict",
            clip_id=clip_id,
            label=label,
            value=verdict.value.value,
            annotator=self.kind,
            origin="import",
            import_id=self.import_id,
            import_key=key,
            start_s=verdict.start_s,
            end_s=verdict.end_s,
            low_hz=verdict.low_hz,
            high_hz=verdict.high_hz,
            confidence=verdict.confidence,
            track=verdict.track,
        )
        self.result.verdicts += 1

    def _checked(self, part: Checked) -> None:
        identity = self.recordings.identities[part.recording_sha256]
        key = _import_key(self.kind, "checked", identity, part.start_s, part.end_s)
        if self.connection.execute("SELECT 1 FROM journal WHERE import_key = ?", (key,)).fetchone():
            return
        recording = recordings.recording(self.store, self.recording_ids[part.recording_sha256])
        append(
            self.connection,
            kind="checked",
            clip_id=spans.clip_of_region(self.connection, recording, spans.Region(part.start_s, part.end_s)),
            annotator=self.kind,
            origin="import",
            import_id=self.import_id,
            import_key=key,
        )
        self.result.checked += 1

    def _device_prediction(self, prediction: DevicePrediction) -> None:
        clip = prediction.clip
        clip_id = self.clip_ids[clip.recording_sha256, clip.start_s, clip.end_s]
        model = models.by_int8_hash(self.store, prediction.model)
        suggestion = models.suggestion_from_scores(clip_id, model.id, model.outputs, prediction.scores)
        if models.add_suggestion(self.connection, suggestion):
            self.result.suggestions += 1
        else:
            self.result.already_there["suggestions"] += 1

    def _device_detections(self, detections: DeviceDetections) -> None:
        model = models.by_int8_hash(self.store, detections.model)
        outputs = model.outputs
        if len(outputs.labels) != detections.labels:
            raise LabeltoolError(f"model {model.id} has {len(outputs.labels)} labels, its log {detections.labels}")
        events = [
            Event(outputs.labels[event.label], event.start_s, event.end_s, event.peak) for event in detections.events
        ]
        recording = recordings.recording(self.store, self.recording_ids[detections.recording_sha256])
        added = spans.import_detections(self.store, recording, model.id, events)
        if added is None:
            self.result.already_there["suggestions"] += len(events)
        elif added:
            self.result.suggestions += added
        else:
            self.result.amended += 1


def _as_utf8(text: str) -> str:
    r"""Return text that SQLite takes: bytes of a file name that are no UTF-8 are escaped, as JSON escapes them."""
    return text.encode("utf-8", "backslashreplace").decode()


def _import_key(*content: str | float | None) -> str:
    """Return a hash of the content of a row, wherever it was read: equal content is the same row."""
    return hashlib.sha256(json.dumps(content, ensure_ascii=False).encode("utf-8", "surrogatepass")).hexdigest()
