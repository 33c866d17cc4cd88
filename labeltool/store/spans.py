"""Spans of a recording that carry verdicts, notes or suggestions, and verdicts on regions that a person selects."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum

from labeltool.errors import LabeltoolError
from labeltool.records import Value
from labeltool.store.clips import UNLABELLED, current_names, retired_names
from labeltool.store.database import Store
from labeltool.store.journal import NO_CONTEXT, AnnotationContext, JournalRow, append_verdict, check_note
from labeltool.store.journal_rows import append
from labeltool.store.recordings import StoredRecording
from labeltool.util.time_grid import MICROSECONDS, span_us

MIN_SUGGESTED_PROBABILITY = 0.5
"""Suggestions of a lower probability are not shown in the whole recording."""

DETECTED = "(c.is_region AND NOT c.is_labelled AND NOT EXISTS (SELECT 1 FROM journal j WHERE j.clip_id = c.id))"
"""A region c that a model detected in a recording: the journal has no row of it, not even a revoked one."""


class Kind(StrEnum):
    """What a span carries: a person's verdict or note, or a model's suggestion."""

    VERDICT = "verdict"
    NOTE = "note"
    SUGGESTION = "suggestion"


@dataclass(frozen=True, slots=True)
class Span:
    """A verdict, note or suggestion on a span of a recording, in seconds and hertz; an unknown frequency is None.

    Attributes
    ----------
    clip_id
        The clip of the verdict or suggestion; the first, where a suggestion covers several.
    text
        The label, or a note's text; None where a verdict is on the whole clip.
    probability, model_uid
        Of a suggestion: the label's probability, and the model's unique id.
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
    journal_id: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a recording that a person selects: seconds, and hertz where it has a frequency range."""

    start_s: float
    end_s: float
    low_hz: float | None = None
    high_hz: float | None = None


def on_grid(recording: StoredRecording, region: Region) -> Region:
    """Return a region as it is stored and exported: cut to the recording, in whole microseconds and microhertz.

    Raises
    ------
    LabeltoolError
        When it has no duration, or an empty frequency range.
    """
    start_us, end_us = span_us(region.start_s, region.end_s, recording.frames, recording.sample_rate_hz)
    low_hz, high_hz = (None if hertz is None else round(hertz, 6) for hertz in (region.low_hz, region.high_hz))
    if start_us >= end_us:
        raise LabeltoolError("a region needs a start and an end after it")
    if low_hz is not None and high_hz is not None and not 0 <= low_hz < high_hz:
        raise LabeltoolError("a frequency range needs a lowest frequency and a higher one")
    return Region(start_us / MICROSECONDS, end_us / MICROSECONDS, low_hz, high_hz)


def annotate_region(
    store: Store,
    recording: StoredRecording,
    region: Region,
    label: str | None,
    value: Value = Value.PRESENT,
    *,
    annotator: str,
    context: AnnotationContext = NO_CONTEXT,
) -> str:
    """Append a person's verdict on a region, which becomes a clip if it is none yet; return the row's id.

    The clip is the one that importing the region from a label track would create. The other parameters are those of
    `journal.annotate`.

    Raises
    ------
    LabeltoolError
        As `on_grid`, and when the label is not a valid name.
    """
    region = on_grid(recording, region)
    with store.transaction() as connection:
        clip_id = clip_of_region(connection, recording, region)
        return append_verdict(
            connection, clip_id, label, value, annotator=annotator, context=context, bounds=asdict(region)
        )


def note_region(store: Store, recording: StoredRecording, region: Region, text: str, *, annotator: str) -> str:
    """Append a note on a region and return the row's id.

    Raises
    ------
    LabeltoolError
        As `on_grid`, and when there is no text.
    """
    check_note(text)
    region = on_grid(recording, region)
    with store.transaction() as connection:
        clip_id = clip_of_region(connection, recording, region)
        return append(connection, kind="note", clip_id=clip_id, note=text, annotator=annotator, origin="human")


def region_of(store: Store, row: JournalRow) -> tuple[int, Region] | None:
    """Return the recording's id and the region of a row of the journal; None where the row has no clip."""
    place = store.connection.execute(
        """
        SELECT c.recording_id, COALESCE(j.start_s, c.start_s), COALESCE(j.end_s, c.end_s), j.low_hz, j.high_hz
        FROM journal j JOIN clips c ON c.id = j.clip_id WHERE j.id = ?
        """,
        (row.id,),
    ).fetchone()
    return None if place is None else (place[0], Region(*place[1:]))


def verdicts(store: Store, recording_id: int | None = None) -> dict[int, list[Span]]:
    """Return the current verdicts on each recording, or on one, by its id and in the order of their start.

    A verdict has its own bounds, or else its clip's; one with the clip's bounds is not returned where another places
    the same label inside the clip.
    """
    recording_of: dict[int, int] = {}
    # Clip, then label.
    by_clip: dict[int, dict[str | None, list[Span]]] = {}
    of_recording = "" if recording_id is None else "AND c.recording_id = :recording_id"
    for row in store.connection.execute(
        f"""
        SELECT s.id, s.clip_id, c.recording_id, s.label, s.value, c.start_s AS clip_start_s, c.end_s AS clip_end_s,
               s.start_s, s.end_s, s.low_hz, s.high_hz
        FROM active_events s JOIN clips c ON c.id = s.clip_id
        WHERE s.kind = 'verdict' {of_recording} ORDER BY s.id
        """,
        {"recording_id": recording_id},
    ):
        recording_of[row["clip_id"]] = row["recording_id"]
        _add_verdict(by_clip.setdefault(row["clip_id"], {}), _verdict_span(row))
    by_recording: dict[int, list[Span]] = {}
    for clip_id, labels in by_clip.items():
        for spans in labels.values():
            any_exact = any(span.exact for span in spans)
            by_recording.setdefault(recording_of[clip_id], []).extend(
                span for span in spans if span.exact or not any_exact
            )
    for spans in by_recording.values():
        spans.sort(key=lambda span: (span.start_s, span.end_s))
    return by_recording


def _verdict_span(row: sqlite3.Row) -> Span:
    return Span(
        Kind.VERDICT,
        row["clip_id"],
        row["clip_start_s"] if row["start_s"] is None else row["start_s"],
        row["clip_end_s"] if row["end_s"] is None else row["end_s"],
        row["label"],
        row["low_hz"],
        row["high_hz"],
        Value(row["value"]),
        exact=row["start_s"] is not None or row["end_s"] is not None,
        journal_id=row["id"],
    )


def _add_verdict(on_clip: dict[str | None, list[Span]], span: Span) -> None:
    """Add a clip's next verdict, as the view `current_annotations` does.

    A verdict on the whole clip replaces all before it, a later verdict on a label replaces those it contradicts.
    """
    if span.text is None:
        on_clip.clear()
    else:
        on_clip.pop(None, None)
    earlier = on_clip.get(span.text, [])
    agrees = span.value is Value.PRESENT and all(one.value is Value.PRESENT for one in earlier)
    on_clip[span.text] = [*earlier, span] if agrees else [span]


def annotated_spans(store: Store, recording_id: int) -> list[Span]:
    """Return a recording's verdicts, notes and suggestions for unlabelled clips, in the order of the start.

    Suggestions of one label on neighbouring clips are joined, with the highest probability; where there is a verdict on
    the label already, nothing is suggested. Detections in the whole recording come before suggestions for its clips,
    because their bounds are more exact.
    """
    with store.snapshot():
        annotated = verdicts(store, recording_id).get(recording_id, [])
        notes = [
            Span(Kind.NOTE, *row)
            for row in store.connection.execute(
                "SELECT s.clip_id, COALESCE(s.start_s, c.start_s), COALESCE(s.end_s, c.end_s), s.note "
                "FROM active_events s JOIN clips c ON c.id = s.clip_id WHERE s.kind = 'note' AND c.recording_id = ?",
                (recording_id,),
            )
        ]
        detected = _detections(store, recording_id)
        predicted = _predictions(store, recording_id)
        retired = retired_names(store)
    suggested = [*(span for span in predicted if not any(_covers(one, span) for one in detected)), *detected]
    suggested = [one for one in suggested if one.text not in retired and not any(_covers(v, one) for v in annotated)]
    joined = _joined(sorted(suggested, key=lambda span: span.start_s))
    return sorted([*annotated, *notes, *joined], key=lambda span: (span.start_s, span.end_s))


def _covers(verdict: Span, suggestion: Span) -> bool:
    """Return whether a verdict, or a more exact suggestion, makes a suggestion superfluous."""
    return (
        verdict.text in (None, suggestion.text)
        and verdict.start_s < suggestion.end_s
        and suggestion.start_s < verdict.end_s
    )


def _predictions(store: Store, recording_id: int) -> list[Span]:
    """Return the newest model's prediction for each unlabelled clip of a recording, in the order of the start."""
    renamed = current_names(store)
    # SQLite: a bare column beside MAX is from the row of the maximum.
    return [
        Span(
            *(Kind.SUGGESTION, clip_id, start_s, end_s, renamed.get(label, label)),
            probability=probability,
            model_uid=uid,
        )
        for clip_id, start_s, end_s, label, probability, uid, _ in store.connection.execute(
            f"""
            SELECT c.id, c.start_s, c.end_s, g.top_label, g.top_probability, m.uid, MAX(g.model_id)
            FROM clips c JOIN suggestions g ON g.clip_id = c.id JOIN models m ON m.id = g.model_id
            WHERE c.recording_id = ? AND {UNLABELLED} GROUP BY c.id ORDER BY c.start_s
            """,
            (recording_id,),
        )
        if probability >= MIN_SUGGESTED_PROBABILITY
    ]


def _detections(store: Store, recording_id: int) -> list[Span]:
    """Return models' detections in the whole recording, in the order of the start: each label of each region."""
    renamed = current_names(store)
    return [
        Span(
            Kind.SUGGESTION,
            row["clip_id"],
            row["start_s"],
            row["end_s"],
            renamed.get(label, label),
            probability=probability,
            model_uid=row["uid"],
        )
        for row in store.connection.execute(
            f"""
            SELECT g.clip_id, c.start_s, c.end_s, g.probabilities, m.uid
            FROM clips c JOIN suggestions g ON g.clip_id = c.id JOIN models m ON m.id = g.model_id
            WHERE c.recording_id = ? AND {DETECTED} ORDER BY c.start_s
            """,
            (recording_id,),
        )
        for label, probability in json.loads(row["probabilities"]).items()
    ]


def _joined(suggestions: list[Span]) -> list[Span]:
    """Join suggestions of one label that touch or overlap; they are in the order of the start."""
    joined: list[Span] = []
    last_of: dict[str | None, int] = {}
    for span in suggestions:
        last = last_of.get(span.text)
        if last is not None and span.start_s <= joined[last].end_s:
            before = joined[last]
            joined[last] = replace(
                before,
                end_s=max(before.end_s, span.end_s),
                probability=max(before.probability or 0.0, span.probability or 0.0),
            )
        else:
            last_of[span.text] = len(joined)
            joined.append(span)
    return joined


def clip_of_region(connection: sqlite3.Connection, recording: StoredRecording, region: Region) -> int:
    """Return the id of a region's clip, inside a transaction; it is created if there is none."""
    span = (recording.id, region.start_s, region.end_s)
    connection.execute(
        "INSERT OR IGNORE INTO clips (recording_id, start_s, end_s, is_region) VALUES (?, ?, ?, 1)", span
    )
    (clip_id,) = connection.execute(
        "SELECT id FROM clips WHERE recording_id = ? AND start_s = ? AND end_s = ?", span
    ).fetchone()
    return int(clip_id)
