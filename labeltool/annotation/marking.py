"""Labels that a person gives by a command or by Python: on a clip, or on a part of its recording."""

from __future__ import annotations

import math

from labeltool.errors import LabeltoolError
from labeltool.records import StoredClip, Value
from labeltool.store import Store, journal, recordings, spans
from labeltool.store.recordings import StoredRecording


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
        Seconds from the start of the recording; one that is None is that of the clip.
    low_hz, high_hz
        Hertz; one that is None is not known. Without times, they are of the clip from its start to its end.

    Raises
    ------
    LabeltoolError
        When the label is not a valid name, or the bounds are empty, no numbers or outside the recording.
    """
    if {start_s, end_s, low_hz, high_hz} == {None}:
        return journal.annotate(store, clip.id, label, value, annotator=annotator)
    recording = recordings.recording(store, clip.recording_id)
    _require_inside(recording, start_s, end_s, low_hz, high_hz)
    start_s, end_s = (clip.start_s if start_s is None else start_s), (clip.end_s if end_s is None else end_s)
    region = spans.Region(start_s, end_s, low_hz, high_hz)
    return spans.annotate_region(store, recording, region, label, value, annotator=annotator)


def _require_inside(
    recording: StoredRecording, start_s: float | None, end_s: float | None, low_hz: float | None, high_hz: float | None
) -> None:
    """Raise a `LabeltoolError` where a bound is outside the recording, by more than a frame, or no number."""
    length_s = recording.frames / recording.sample_rate_hz
    remedy = f"{recording.path} is from 0 to {length_s:.6f} s"
    for name, time_s in {"start": start_s, "end": end_s}.items():
        if time_s is not None and not 0 <= time_s <= length_s + 1 / recording.sample_rate_hz:
            raise LabeltoolError(f"the {name} of {time_s} s is outside the recording", remedy=remedy)
    for hertz in (low_hz, high_hz):
        if hertz is not None and not (math.isfinite(hertz) and hertz >= 0):
            raise LabeltoolError(f"{hertz} is no frequency in hertz", remedy="a number from 0 to half the sample rate")
