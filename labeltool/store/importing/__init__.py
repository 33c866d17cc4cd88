"""Storing what an importer read: all of it in one transaction, and nothing twice."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

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
)
from labeltool.store import labels, models, recordings, spans
from labeltool.store.database import Store, now
from labeltool.store.detections import replacing
from labeltool.store.importing.import_rows import ClipRows, import_key
from labeltool.store.importing.imported_recordings import ImportedRecordings
from labeltool.store.importing.undo import bring_back
from labeltool.store.journal_rows import append

if TYPE_CHECKING:
    from labeltool.type_aliases import Progress


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

    def add(self, other: ImportResult) -> None:
        """Add the numbers of a later import, and what it skipped."""
        for name in ("recordings", "clips", "verdicts", "checked", "suggestions", "amended"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name, count in other.already_there.items():
            self.already_there[name] = self.already_there.get(name, 0) + count
        self.skipped += other.skipped


class _NothingNew(Exception):
    """Ends the transaction without a change."""


def import_records(
    store: Store, records: Iterable[Imported], *, kind: str, source: str, report: Progress = lambda *_: None
) -> ImportResult:
    """Store an importer's records, or nothing at all when anything fails.

    Importing the same thing again changes nothing: a recording is identified by the hash of its bytes or of its
    samples, a clip by its span, a verdict by all its content. A verdict whose label was deleted stays so when its file
    is imported again, one whose import was undone counts again. A recording that was removed stays removed: what is
    imported for it is stored and counts once it is brought back.

    Parameters
    ----------
    records
        Read to the end before the first row is written, so that a person who is labelling never waits for hashing.
    kind, source
        The importer ("audacity", "esc50") and the source, for the `imports` table.
    report
        Called with how many of the clips and verdicts are stored, some at a time.
    """
    read = list(records)
    result = ImportResult(skipped=[record for record in read if isinstance(record, Skipped)])
    with suppress(_NothingNew), store.transaction_of_many_rows() as connection:
        _Import(store, connection, result, kind, source).write(read, report)
        if not result.changes:
            raise _NothingNew
    return result


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
        cursor = connection.execute(
            "INSERT INTO imports (kind, source, sha256, imported_at, recordings, clips, verdicts, skipped) "
            "VALUES (?, ?, '', ?, 0, 0, 0, '[]')",
            (kind, _as_utf8(source), now()),
        )
        self.import_id = cursor.lastrowid or 0
        self.newest_label = labels.newest_id(connection)

    def write(self, records: Sequence[Imported], report: Progress) -> None:
        """Write all records and complete the import's own row."""
        for record in records:
            if isinstance(record, Recording):
                self.recordings.write(record)
        content = hashlib.sha256(self._write_clips(records, report))
        for record in records:
            if not isinstance(record, Clip | Verdict | VerdictTable):
                content.update(repr(record).encode("utf-8", "surrogatepass"))
            if isinstance(record, Checked):
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
                content.hexdigest(),
                self.result.recordings,
                self.result.clips,
                self.result.verdicts,
                _as_utf8(json.dumps(skipped, ensure_ascii=False)),
                self.import_id,
            ),
        )

    def _write_clips(self, records: Sequence[Imported], report: Progress) -> bytes:
        """Write all clips and verdicts and return a hash of them."""
        rows = ClipRows(self.connection, self.kind, self.import_id, self.recordings.stored)
        wanted = [one for one in records if isinstance(one, Clip | Verdict | VerdictTable)]
        total = sum(len(one.rows) if isinstance(one, VerdictTable) else 1 for one in wanted)
        content = rows.write(wanted, lambda done: report("storing", done, total))
        self.result.clips += rows.new_clips
        self.result.verdicts += rows.new_verdicts
        self.result.amended += rows.amended_clips
        self.result.already_there["clips"] += rows.known_clips
        self.result.already_there["verdicts"] += rows.known_verdicts
        self.result.skipped += rows.skipped
        return content

    def _checked(self, part: Checked) -> None:
        sound = self.recordings.stored[part.recording_sha256]
        key = import_key(self.kind, "checked", sound.identity, part.start_s, part.end_s)
        if self.connection.execute("SELECT 1 FROM journal WHERE import_key = ?", (key,)).fetchone():
            self.result.checked += bring_back(
                self.connection, f"'{key}'", annotator=self.kind, import_id=self.import_id
            )  # the key is a hash
            return
        recording = recordings.recording(self.store, sound.id)
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
        (clip_id,) = self.connection.execute(
            "SELECT id FROM clips WHERE recording_id = ? AND start_s = ? AND end_s = ?",
            (self.recordings.stored[clip.recording_sha256].id, clip.start_s, clip.end_s),
        ).fetchone()
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
        recording = recordings.recording(self.store, self.recordings.stored[detections.recording_sha256].id)
        added = replacing.import_detections(self.store, recording, model.id, events)
        if added is None:
            self.result.already_there["suggestions"] += len(events)
        elif added:
            self.result.suggestions += added
        else:
            self.result.amended += 1


def _as_utf8(text: str) -> str:
    r"""Return text that SQLite takes: bytes of a file name that are no UTF-8 are escaped, as JSON escapes them."""
    return text.encode("utf-8", "backslashreplace").decode()
