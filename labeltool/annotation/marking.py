"""Labels that a person gives by a command or by Python: on a clip, or on a part of its recording."""

from __future__ import annotations

from labeltool.records import StoredClip, Value
from labeltool.store import Store, journal, recordings, spans


def mark(
    store: Store,
    clip: StoredClip,
    label: str | None,
    value: Value,
    *,
    start_s: float | None = None,
    end_s: float | None = None,
    low_hz: float | None = None,
    high_hz: float | None = None,
    annotator: str,
) -> str:
    """Append a verdict on a clip, or where a bound is given on that part of its recording; return the row's id.

    Parameters
    ----------
    label
        As in `journal.annotate`.
    start_s, end_s
        Seconds from the start of the recording; None: those of the clip.
    low_hz, high_hz
        Hertz.

    Raises
    ------
    LabeltoolError
        When the label is not a valid name, or the bounds are empty.
    """
    if {start_s, end_s, low_hz, high_hz} == {None}:
        return journal.annotate(store, clip.id, label, value, annotator=annotator)
    start_s, end_s = (clip.start_s if start_s is None else start_s), (clip.end_s if end_s is None else end_s)
    region = spans.Region(start_s, end_s, low_hz, high_hz)
    recording = recordings.recording(store, clip.recording_id)
    return spans.annotate_region(store, recording, region, label, value, annotator=annotator)
