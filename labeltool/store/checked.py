"""Parts of recordings in which a person labelled every sound: outside their labelled regions no label is present."""

from __future__ import annotations

from dataclasses import dataclass

from labeltool.errors import LabeltoolError
from labeltool.records import StoredClip
from labeltool.store.clips import CLIP_COLUMNS, stored_clip
from labeltool.store.database import Store
from labeltool.store.journal_rows import append, append_batch
from labeltool.store.recordings import StoredRecording
from labeltool.store.spans import Region, clip_of_region, on_grid


@dataclass(frozen=True, slots=True)
class CheckedPart:
    """A part of a recording that was checked.

    Attributes
    ----------
    clip
        The part; it is in no queue.
    labels
        Current names of the labels that the project had when it was checked.
    """

    clip: StoredClip
    labels: frozenset[str]
    newer_labels: frozenset[str] = frozenset()


def mark_checked(store: Store, recording: StoredRecording, region: Region | None = None, *, annotator: str) -> str:
    """Append that a recording is checked, or a region of it; return the row's id.

    Raises
    ------
    LabeltoolError
        When the region is empty.
    """
    whole = Region(0.0, recording.duration_s)
    part = on_grid(recording, whole if region is None else Region(region.start_s, region.end_s))
    with store.transaction() as connection:
        clip_id = clip_of_region(connection, recording, part)
        return append(connection, kind="checked", clip_id=clip_id, annotator=annotator, origin="human")


def mark_unchecked(store: Store, recording: StoredRecording, *, annotator: str) -> int:
    """Revoke everything by which a recording, or a part of it, is checked; return the number of rows revoked.

    Raises
    ------
    LabeltoolError
        When nothing of it is checked.
    """
    with store.transaction() as connection:
        found = connection.execute("SELECT journal_id FROM checked_parts WHERE recording_id = ?", (recording.id,))
        revoked = [row_id for (row_id,) in found]
        if not revoked:
            raise LabeltoolError("is not marked as checked", file=recording.path)
        revoke = {"kind": "revoke", "annotator": annotator, "origin": "human"}
        append_batch(connection, [{**revoke, "revokes": row_id} for row_id in revoked])
    return len(revoked)


def checked_parts(store: Store, recording_id: int | None = None) -> list[CheckedPart]:
    """Return the checked parts of every recording, or of one, by recording and in the order of their start."""
    # A label that was renamed is as old as its first name.
    since = store.connection.execute(
        "SELECT COALESCE(t.name, l.name), MIN(l.created_at) FROM labels l "
        "LEFT JOIN labels t ON t.id = l.merged_into WHERE l.retired_at IS NULL GROUP BY 1"
    ).fetchall()
    parts = []
    for row in store.connection.execute(
        f"SELECT p.created_at, {CLIP_COLUMNS} FROM checked_parts p JOIN clips c ON c.id = p.clip_id "
        "JOIN recordings r ON r.id = c.recording_id WHERE :recording_id IS NULL OR c.recording_id = :recording_id "
        "ORDER BY c.recording_id, c.start_s, c.end_s, p.journal_id",
        {"recording_id": recording_id},
    ):
        known = frozenset(name for name, created_at in since if created_at <= row["created_at"])
        parts.append(CheckedPart(stored_clip(store, row), known, frozenset(name for name, _ in since) - known))
    return parts


def occupied(store: Store, recording_id: int) -> list[tuple[float, float]]:
    """Return start and end, seconds, of everything in a recording that has a label, may have one, or is bad audio.

    In the order of the start; a verdict covers its own bounds and its clip.
    """
    return [
        (start_s, end_s)
        for start_s, end_s in store.connection.execute(
            """
            SELECT MIN(c.start_s, COALESCE(e.start_s, c.start_s)) AS first_s,
                   MAX(c.end_s, COALESCE(e.end_s, c.end_s))
            FROM active_events e JOIN clips c ON c.id = e.clip_id
            WHERE c.recording_id = ? AND (e.kind = 'bad audio' OR (e.kind = 'verdict' AND e.value <> 'absent'))
            ORDER BY first_s
            """,
            (recording_id,),
        )
    ]


def recordings_with_bounds(store: Store) -> set[int]:
    """Return the ids of the recordings in which a verdict has bounds of its own."""
    return {
        recording_id
        for (recording_id,) in store.connection.execute(
            "SELECT DISTINCT c.recording_id FROM journal j JOIN clips c ON c.id = j.clip_id WHERE j.start_s NOT NULL"
        )
    }
