"""Taking in what an importer read: all of it in one transaction, and nothing twice."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from labeltool.records import Clip, Heard, Imported, Recording, Skipped, Verdict
from labeltool.store import models
from labeltool.store.database import Store, now
from labeltool.store.journal_rows import append
from labeltool.store.labels import ensure_label


@dataclass(slots=True)
class Intake:
    """What an import added, what was there before, and what was not taken.

    `amended` counts recordings found in another place, folds learnt of late, groups that turned out to be one.
    """

    recordings: int = 0
    clips: int = 0
    verdicts: int = 0
    suggestions: int = 0
    amended: int = 0
    already_there: dict[str, int] = field(
        default_factory=lambda: {"recordings": 0, "clips": 0, "verdicts": 0, "suggestions": 0}
    )
    skipped: list[Skipped] = field(default_factory=list)

    @property
    def changes(self) -> int:
        """How much is not as it was before."""
        return self.recordings + self.clips + self.verdicts + self.suggestions + self.amended


class _NothingNew(Exception):
    """Leaves the transaction without a trace."""


def take_in(store: Store, records: Iterable[Imported], *, kind: str, source: str) -> Intake:
    """Store an importer's records, or nothing at all when anything fails.

    Importing the same thing again changes nothing: a recording is known by its hash, a clip by its span, a verdict by
    all it says. A verdict that was taken back is not brought back by importing its file again.

    Parameters
    ----------
    records
        Read to the end before the first row is written, so that somebody labelling meanwhile never waits for hashing.
    kind, source
        What read it ("audacity", "esc50") and from where, for the `imports` table.
    """
    everything = list(records)
    intake = Intake(skipped=[record for record in everything if isinstance(record, Skipped)])
    try:
        with store.transaction() as connection:
            _Taker(store, connection, intake, kind, source).take(everything)
            if not intake.changes:
                raise _NothingNew
    except _NothingNew:
        pass
    return intake


class _Taker:
    """One import's rows on their way into the store, with the ids they got."""

    def __init__(self, store: Store, connection: sqlite3.Connection, intake: Intake, kind: str, source: str) -> None:
        self.store = store
        self.connection = connection
        self.intake = intake
        self.kind = kind
        self.recording_ids: dict[str, int] = {}
        self.recording_paths: dict[str, str] = {}
        self.clip_ids: dict[tuple[str, float, float], int] = {}
        self.keys: set[str] = set()
        self.read = hashlib.sha256()
        cursor = connection.execute(
            "INSERT INTO imports (kind, source, sha256, imported_at, recordings, clips, verdicts, skipped) "
            "VALUES (?, ?, '', ?, 0, 0, 0, '[]')",
            (kind, source, now()),
        )
        self.import_id = cursor.lastrowid

    def take(self, records: Iterable[Imported]) -> None:
        """Write all records and close the import's own row."""
        for record in records:
            self.read.update(repr(record).encode("utf-8", "surrogatepass"))
            if isinstance(record, Recording):
                self._recording(record)
            elif isinstance(record, Clip):
                self._clip(record)
            elif isinstance(record, Verdict):
                self._verdict(record)
            elif isinstance(record, Heard):
                self._heard(record)
        told = [{"file": s.file, "line": s.line, "reason": s.reason} for s in self.intake.skipped]
        self.connection.execute(
            "UPDATE imports SET sha256 = ?, recordings = ?, clips = ?, verdicts = ?, skipped = ? WHERE id = ?",
            (
                self.read.hexdigest(),
                self.intake.recordings,
                self.intake.clips,
                self.intake.verdicts,
                json.dumps(told, ensure_ascii=False),
                self.import_id,
            ),
        )

    def _recording(self, recording: Recording) -> None:
        if recording.sha256 in self.recording_ids and self.recording_paths[recording.sha256] != recording.path:
            self.intake.skipped.append(
                Skipped(
                    recording.path, None, f"is the same sound as {self.recording_paths[recording.sha256]}: counted once"
                )
            )
        group = self._group(recording.group)
        row = self.connection.execute(
            "SELECT id, path, group_name FROM recordings WHERE sha256 = ?", (recording.sha256,)
        ).fetchone()
        if row is None:
            cursor = self.connection.execute(
                "INSERT INTO recordings (sha256, path, sample_rate_hz, channels, frames, duration_s, group_name, "
                "licence, added_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    recording.sha256,
                    self.store.stored_path(recording.path),
                    recording.sample_rate_hz,
                    recording.channels,
                    recording.frames,
                    recording.duration_s,
                    group,
                    recording.licence,
                    now(),
                ),
            )
            self.intake.recordings += 1
            self.recording_ids[recording.sha256] = cursor.lastrowid or 0
        else:
            self._known_recording(recording, row, group)
        self.recording_paths.setdefault(recording.sha256, recording.path)

    def _known_recording(self, recording: Recording, row: sqlite3.Row, group: str) -> None:
        if recording.sha256 not in self.recording_ids:
            self.intake.already_there["recordings"] += 1
        self.recording_ids[recording.sha256] = row["id"]
        if row["group_name"] != group:
            self._join_groups(row["group_name"], group)
        stored = self.store.stored_path(recording.path)
        if row["path"] != stored and not Path(self.store.absolute_path(row["path"])).is_file():
            # The sound is known by its content: where it was found now is where it is.
            self.connection.execute("UPDATE recordings SET path = ? WHERE id = ?", (stored, row["id"]))
            self.intake.amended += 1

    def _group(self, name: str) -> str:
        row = self.connection.execute("SELECT group_name FROM group_aliases WHERE alias = ?", (name,)).fetchone()
        return row["group_name"] if row else name

    def _join_groups(self, kept: str, joined: str) -> None:
        for table in ("recordings", "group_aliases"):
            self.connection.execute(f"UPDATE {table} SET group_name = ? WHERE group_name = ?", (kept, joined))
        self.connection.execute("INSERT INTO group_aliases (alias, group_name) VALUES (?, ?)", (joined, kept))
        self.intake.amended += 1

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
            self.intake.clips += 1
            self.clip_ids[key] = cursor.lastrowid or 0
            return
        if key not in self.clip_ids:
            self.intake.already_there["clips"] += 1
        self.clip_ids[key] = row["id"]
        # Marked by hand before, now a clip of a source: it is asked about like any other.
        unmarked = self.connection.execute("UPDATE clips SET marked = 0 WHERE id = ? AND marked", (row["id"],))
        self.intake.amended += unmarked.rowcount
        if row["fold"] is None and clip.fold is not None:
            self.connection.execute("UPDATE clips SET fold = ? WHERE id = ?", (clip.fold, row["id"]))
            self.intake.amended += 1
        elif clip.fold is not None and row["fold"] != clip.fold:
            path = self.recording_paths[clip.recording_sha256]
            self.intake.skipped.append(
                Skipped(path, None, f"its sound is in fold {row['fold']} already: fold {clip.fold} was not taken")
            )

    def _verdict(self, verdict: Verdict) -> None:
        clip = verdict.clip
        clip_id = self.clip_ids[clip.recording_sha256, clip.start_s, clip.end_s]
        key = _import_key(self.kind, verdict)
        if key in self.keys:
            self.intake.skipped.append(
                Skipped(verdict.file or "", verdict.line, "says what was said before in this import")
            )
            return
        self.keys.add(key)
        if self.connection.execute("SELECT 1 FROM journal WHERE import_key = ?", (key,)).fetchone():
            self.intake.already_there["verdicts"] += 1
            return
        if verdict.label is not None:
            ensure_label(self.connection, verdict.label)
        append(
            self.connection,
            kind="verdict",
            clip_id=clip_id,
            label=verdict.label,
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
        self.intake.verdicts += 1

    def _heard(self, heard: Heard) -> None:
        clip = heard.clip
        clip_id = self.clip_ids[clip.recording_sha256, clip.start_s, clip.end_s]
        model = models.by_int8_hash(self.store, heard.model)
        suggestion = models.suggestion_of(clip_id, model.id, model.card, heard.scores)
        if models.add_suggestion(self.connection, suggestion):
            self.intake.suggestions += 1
        else:
            self.intake.already_there["suggestions"] += 1


def _import_key(kind: str, verdict: Verdict) -> str:
    """Return a name for all a verdict says, wherever it was read: the same words are the same verdict."""
    said = (
        kind,
        verdict.clip.recording_sha256,
        verdict.clip.start_s,
        verdict.clip.end_s,
        verdict.label,
        verdict.value.value,
        verdict.start_s,
        verdict.end_s,
        verdict.low_hz,
        verdict.high_hz,
        verdict.confidence,
        verdict.track,
    )
    return hashlib.sha256(json.dumps(said, ensure_ascii=False).encode("utf-8", "surrogatepass")).hexdigest()
