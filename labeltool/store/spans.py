"""What stands on the stretches of a recording, and verdicts on spans that somebody marks in it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from labeltool.errors import LabeltoolError
from labeltool.records import Event, Suggestion, Value
from labeltool.store.clips import WAITING, names_today
from labeltool.store.database import Store
from labeltool.store.journal import JournalRow, append_verdict
from labeltool.store.journal_rows import append
from labeltool.store.models import add_suggestion, older_networks
from labeltool.store.recordings import StoredRecording
from labeltool.util.time_grid import MICROSECONDS, span_us

SUGGESTED_FROM = 0.5
"""How sure a model must be of a clip for its suggestion to be worth a look in the whole recording."""


# A clip c that a model found in a whole recording: marked, and nobody said anything of it that even was taken back.
_HELD = "(c.marked AND NOT c.answered AND NOT EXISTS (SELECT 1 FROM journal j WHERE j.clip_id = c.id))"


class Kind(StrEnum):
    """What a span is: said by somebody, noted by somebody, or held by a model."""

    VERDICT = "verdict"
    NOTE = "note"
    SUGGESTION = "suggestion"


@dataclass(frozen=True, slots=True)
class Span:
    """What stands on a stretch of a recording, seconds and hertz; a frequency that is not known is None.

    Attributes
    ----------
    clip_id
        The clip it was said of, or found as; of a suggestion over several, the first.
    text
        The label, or a note's words; None where a verdict is on the whole clip.
    value
        What a verdict says of its label.
    probability, model_uid
        How sure the model is that suggests the label, and which it is.
    exact
        Whether the bounds are the verdict's own, not only its clip's.
    """

    kind: Kind
    clip_id: int
    start_s: float
    end_s: float
    text: str | None
    low_hz: float | None = None
    high_hz: float | None = None
    value: Value | None = None
    probability: float | None = None
    model_uid: str | None = None
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """A span that somebody marks in a recording: seconds, and hertz where it has a band."""

    start_s: float
    end_s: float
    low_hz: float | None = None
    high_hz: float | None = None


def on_grid(recording: StoredRecording, mark: Mark) -> Mark:
    """Return a mark as it is stored and written out: cut to the recording, in whole microseconds and microhertz.

    Raises
    ------
    LabeltoolError
        When it has no length, or no height.
    """
    start_us, end_us = span_us(mark.start_s, mark.end_s, recording.frames, recording.sample_rate_hz)
    low_hz, high_hz = (None if hertz is None else round(hertz, 6) for hertz in (mark.low_hz, mark.high_hz))
    if start_us >= end_us:
        raise LabeltoolError("a span needs a beginning and an end after it")
    if low_hz is not None and high_hz is not None and not 0 <= low_hz < high_hz:
        raise LabeltoolError("a band needs a lowest frequency and a higher one")
    return Mark(start_us / MICROSECONDS, end_us / MICROSECONDS, low_hz, high_hz)


def say_span(
    store: Store,
    recording: StoredRecording,
    mark: Mark,
    label: str | None,
    value: Value = Value.PRESENT,
    *,
    annotator: str,
    accepted_from: str | None = None,
    suggested: str | None = None,
    took_ms: int | None = None,
    instead_of: Sequence[str] = (),
) -> str:
    """Append a person's verdict on a marked span, which becomes a clip if it is none yet; return the row's id.

    The clip is the one that importing the span from a label track would make. The other parameters are those of
    `journal.say`.

    Raises
    ------
    LabeltoolError
        As `on_grid`, and when the label is no name.
    """
    mark = on_grid(recording, mark)
    with store.transaction() as connection:
        return append_verdict(
            connection,
            _clip_of(connection, recording, mark),
            label,
            value,
            annotator=annotator,
            accepted_from=accepted_from,
            suggested=suggested,
            took_ms=took_ms,
            instead_of=instead_of,
            start_s=mark.start_s,
            end_s=mark.end_s,
            low_hz=mark.low_hz,
            high_hz=mark.high_hz,
        )


def note_span(store: Store, recording: StoredRecording, mark: Mark, text: str, *, annotator: str) -> str:
    """Append a remark on a marked span and return the row's id.

    Raises
    ------
    LabeltoolError
        As `on_grid`, and when there are no words.
    """
    if not text.strip():
        raise LabeltoolError("a note needs words")
    mark = on_grid(recording, mark)
    with store.transaction() as connection:
        clip_id = _clip_of(connection, recording, mark)
        return append(connection, kind="note", clip_id=clip_id, note=text, annotator=annotator, origin="human")


def replace_held(store: Store, recording: StoredRecording, model_id: int, found: Iterable[Event]) -> int:
    """Put what a model found in a whole recording in place of what it found there before; return how many there are.

    What older networks of the project's found there gives way to a newer one's, too; an ear's finds and a network's
    stand beside each other. Nobody is asked about them, and no verdict is touched: each is a marked span that nobody
    said anything of. Stretches of no length are left out.
    """
    told: dict[Mark, dict[str, float]] = {}
    for one in found:
        start_us, end_us = span_us(one.start_s, one.end_s, recording.frames, recording.sample_rate_hz)
        if start_us < end_us:
            mark = Mark(start_us / MICROSECONDS, end_us / MICROSECONDS)
            told.setdefault(mark, {})[one.label] = one.probability
    with store.transaction() as connection:
        connection.execute(
            f"DELETE FROM suggestions WHERE model_id IN (SELECT value FROM json_each(?)) AND clip_id IN "
            f"(SELECT c.id FROM clips c WHERE c.recording_id = ? AND {_HELD})",
            (json.dumps([model_id, *older_networks(store, model_id)]), recording.id),
        )
        for mark, labels in told.items():
            clip_id = _untold_clip(connection, recording, mark)
            add_suggestion(connection, Suggestion(clip_id, model_id, labels, independent=True))
        connection.execute(
            f"DELETE FROM clips WHERE id IN (SELECT c.id FROM clips c WHERE c.recording_id = ? AND {_HELD}) "
            "AND NOT EXISTS (SELECT 1 FROM suggestions g WHERE g.clip_id = clips.id) "
            # What was said there stays findable, whatever a model finds there the next time.
            "AND NOT EXISTS (SELECT 1 FROM transcripts t WHERE t.clip_id = clips.id)",
            (recording.id,),
        )
    return sum(map(len, told.values()))


def place_of(store: Store, row: JournalRow) -> tuple[int, Mark] | None:
    """Return where a row of the journal speaks of, as a recording's id and a span; None where it is of no clip."""
    found = store.connection.execute(
        """
        SELECT c.recording_id, COALESCE(j.start_s, c.start_s), COALESCE(j.end_s, c.end_s), j.low_hz, j.high_hz
        FROM journal j JOIN clips c ON c.id = j.clip_id WHERE j.id = ?
        """,
        (row.id,),
    ).fetchone()
    return None if found is None else (found[0], Mark(*found[1:]))


def verdicts(store: Store, recording_id: int | None = None) -> dict[int, list[Span]]:
    """Return the verdicts that stand on each recording, or on one, by its id and by start: the last word on each label.

    A verdict has its own bounds; the clip's where it has none of its own, and then it is left out when another one
    places the same label inside the clip.
    """
    recording_of: dict[int, int] = {}
    # Clip, then label: what stands on it.
    said: dict[int, dict[str | None, list[Span]]] = {}
    of_recording = "" if recording_id is None else "AND c.recording_id = :recording_id"
    for row in store.connection.execute(
        f"""
        SELECT s.clip_id, c.recording_id, s.label, s.value, c.start_s AS clip_start_s, c.end_s AS clip_end_s,
               s.start_s, s.end_s, s.low_hz, s.high_hz
        FROM standing s JOIN clips c ON c.id = s.clip_id
        WHERE s.kind = 'verdict' {of_recording} ORDER BY s.id
        """,
        {"recording_id": recording_id},
    ):
        on_clip = said.setdefault(row["clip_id"], {})
        recording_of[row["clip_id"]] = row["recording_id"]
        span = Span(
            Kind.VERDICT,
            row["clip_id"],
            row["clip_start_s"] if row["start_s"] is None else row["start_s"],
            row["clip_end_s"] if row["end_s"] is None else row["end_s"],
            row["label"],
            row["low_hz"],
            row["high_hz"],
            Value(row["value"]),
            exact=row["start_s"] is not None or row["end_s"] is not None,
        )
        # As in the view `truth`: a word on the whole clip takes back all before it, a later word what it contradicts.
        if span.text is None:
            on_clip.clear()
        else:
            on_clip.pop(None, None)
        stood = on_clip.get(span.text, [])
        agrees = span.value is Value.PRESENT and all(before.value is Value.PRESENT for before in stood)
        on_clip[span.text] = [*stood, span] if agrees else [span]
    found: dict[int, list[Span]] = {}
    for clip_id, labels in said.items():
        for stood in labels.values():
            placed = any(span.exact for span in stood)
            found.setdefault(recording_of[clip_id], []).extend(span for span in stood if span.exact or not placed)
    for spans in found.values():
        spans.sort(key=lambda span: (span.start_s, span.end_s))
    return found


def standing(store: Store, recording_id: int) -> list[Span]:
    """Return all that stands on a recording, by start: verdicts, notes, and what a model holds of clips not answered.

    Neighbouring clips that are held for the same label are one suggestion, of the highest probability; where a verdict
    on the label stands already, nothing is suggested. What was found in the whole recording counts before what is held
    of its clips, for it says more exactly where.
    """
    with store.snapshot():
        said = verdicts(store, recording_id).get(recording_id, [])
        notes = [
            Span(Kind.NOTE, *row)
            for row in store.connection.execute(
                "SELECT s.clip_id, COALESCE(s.start_s, c.start_s), COALESCE(s.end_s, c.end_s), s.note "
                "FROM standing s JOIN clips c ON c.id = s.clip_id WHERE s.kind = 'note' AND c.recording_id = ?",
                (recording_id,),
            )
        ]
        held = _held(store, recording_id)
        suggested = [span for span in _suggested(store, recording_id) if not any(_answers(one, span) for one in held)]
    suggested = sorted([*suggested, *held], key=lambda span: span.start_s)
    open_ones = [span for span in suggested if not any(_answers(verdict, span) for verdict in said)]
    return sorted([*said, *notes, *_joined(open_ones)], key=lambda span: (span.start_s, span.end_s))


def _answers(verdict: Span, suggestion: Span) -> bool:
    """Say whether a verdict, or a better suggestion, makes a suggestion needless."""
    return (
        verdict.text in (None, suggestion.text)
        and verdict.start_s < suggestion.end_s
        and suggestion.start_s < verdict.end_s
    )


def _suggested(store: Store, recording_id: int) -> list[Span]:
    goes_by = names_today(store)
    # The newest model's word on each clip; a bare column beside MAX is of its row.
    return [
        Span(
            Kind.SUGGESTION,
            clip_id,
            start_s,
            end_s,
            goes_by.get(label, label),
            probability=probability,
            model_uid=uid,
        )
        for clip_id, start_s, end_s, label, probability, uid, _ in store.connection.execute(
            f"""
            SELECT c.id, c.start_s, c.end_s, g.top_label, g.top_probability, m.uid, MAX(g.model_id)
            FROM clips c JOIN suggestions g ON g.clip_id = c.id JOIN models m ON m.id = g.model_id
            WHERE c.recording_id = ? AND {WAITING} GROUP BY c.id ORDER BY c.start_s
            """,
            (recording_id,),
        )
        if probability >= SUGGESTED_FROM
    ]


def _held(store: Store, recording_id: int) -> list[Span]:
    """Return what models found in the whole recording, by start: each label of each span."""
    goes_by = names_today(store)
    return [
        Span(
            Kind.SUGGESTION,
            row["clip_id"],
            row["start_s"],
            row["end_s"],
            goes_by.get(label, label),
            probability=probability,
            model_uid=row["uid"],
        )
        for row in store.connection.execute(
            f"""
            SELECT g.clip_id, c.start_s, c.end_s, g.probabilities, m.uid
            FROM clips c JOIN suggestions g ON g.clip_id = c.id JOIN models m ON m.id = g.model_id
            WHERE c.recording_id = ? AND {_HELD} ORDER BY c.start_s
            """,
            (recording_id,),
        )
        for label, probability in json.loads(row["probabilities"]).items()
    ]


def _joined(suggestions: list[Span]) -> list[Span]:
    """Join suggestions of one label that touch or overlap; they come by start."""
    joined: list[Span] = []
    last_of: dict[str | None, int] = {}
    for span in suggestions:
        at = last_of.get(span.text)
        if at is not None and span.start_s <= joined[at].end_s:
            before = joined[at]
            joined[at] = replace(
                before,
                end_s=max(before.end_s, span.end_s),
                probability=max(before.probability or 0.0, span.probability or 0.0),
            )
        else:
            last_of[span.text] = len(joined)
            joined.append(span)
    return joined


def _untold_clip(connection: sqlite3.Connection, recording: StoredRecording, mark: Mark) -> int:
    """Return a marked clip that nobody said anything of; where other clips have the very bounds, a little shorter."""
    shorter_us = 0
    while True:
        end_s = round(mark.end_s * MICROSECONDS - shorter_us) / MICROSECONDS
        clip_id = _clip_of(connection, recording, Mark(mark.start_s, end_s))
        if connection.execute(f"SELECT 1 FROM clips c WHERE c.id = ? AND {_HELD}", (clip_id,)).fetchone():
            return clip_id
        shorter_us += 1


def _clip_of(connection: sqlite3.Connection, recording: StoredRecording, mark: Mark) -> int:
    """Return the clip of a span, made if there is none."""
    span = (recording.id, mark.start_s, mark.end_s)
    connection.execute("INSERT OR IGNORE INTO clips (recording_id, start_s, end_s, marked) VALUES (?, ?, ?, 1)", span)
    (clip_id,) = connection.execute(
        "SELECT id FROM clips WHERE recording_id = ? AND start_s = ? AND end_s = ?", span
    ).fetchone()
    return int(clip_id)
