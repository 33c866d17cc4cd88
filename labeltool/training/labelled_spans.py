"""The labelled clips to train on, with the labels of regions that overlap them, and the background of checked parts.

A span that a person labelled is a clip of its own, but other labelled spans of its recording may overlap it. In a part
of a recording that a person checked, what has no label is background; elsewhere nothing is known of it.
"""

from __future__ import annotations

import bisect
import itertools
import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, replace

from labeltool.clip_arrays import LabelledClips
from labeltool.records import LabelledClip, StoredClip, Value
from labeltool.store import Store, checked, clips, groups, spans
from labeltool.store.checked import CheckedPart
from labeltool.store.spans import Span

# A label is present on a clip too where its span overlaps it by half of the shorter one; by less, it is unsure.
_SHARE_OF_SHORTER = 0.5
# Between a labelled span and the background, seconds: bounds drawn by hand are no more exact, and sounds fade away.
_MARGIN_S = 0.5
# Longest window of background, seconds: as long as the clips of common data sets.
_MAX_WINDOW_S = 5.0


@dataclass(frozen=True, slots=True)
class TrainingClips:
    """The labelled clips of a project, and windows of background.

    Attributes
    ----------
    labelled
        The labelled clips, each with the labels of spans that overlap it.
    background
        Windows of checked parts of recordings without any label, with the group of their recording. They are no clips
        of the store: their ids are below zero.
    """

    labelled: LabelledClips
    background: list[LabelledClip]


def labels_above(store: Store, highest_hz: float) -> dict[str, float]:
    """Return the labels of which at least half of the regions with a frequency range lie above a frequency.

    Returns
    -------
    dict
        Label to the share of its regions with a frequency range, 0.5 to 1.
    """
    rows = store.connection.execute(
        """
        SELECT label, AVG(low_hz >= ?) AS share FROM active_events
        WHERE kind = 'verdict' AND value = 'present' AND label IS NOT NULL AND low_hz IS NOT NULL
        GROUP BY label HAVING share >= 0.5 ORDER BY label
        """,
        (highest_hz,),
    )
    return dict(rows.fetchall())


def read_training_clips(store: Store, *, min_window_s: float) -> TrainingClips:
    """Read the labelled clips and the background of checked recordings, nothing of the locked test set.

    Shorter windows of background than `min_window_s` would give a network what is around them too.
    """
    labelled = clips.labelled(store)
    parts: dict[int, list[CheckedPart]] = {}
    locked = groups.locked_groups(store)
    for part in (one for one in checked.checked_parts(store) if one.clip.group not in locked):
        parts.setdefault(part.clip.recording_id, []).append(part)
    rows: dict[int, array[int]] = {}
    for row, clip in enumerate(labelled.clips):
        rows.setdefault(clip.recording_id, array("q")).append(row)
    # Recording by recording: the spans of one are in memory at a time.
    for id_ in rows.keys() & (checked.recordings_with_bounds(store) | parts.keys()):
        verdicts = _ByStart(spans.verdicts(store, id_).get(id_, []))
        for row in rows[id_]:
            one = labelled[row]
            labelled.set_verdicts(row, with_overlapping_labels(one, verdicts.around(one.clip), parts.get(id_, ())))
    windows = []
    for id_, of_recording in parts.items():
        # Read last: a span that is labelled meanwhile is no background.
        occupied = checked.occupied(store, id_)
        windows += [window for part in of_recording for window in background_windows(part, occupied, min_window_s)]
    # Parts may overlap: each window once.
    windows = list({one.clip.key: one for one in windows}.values())
    return TrainingClips(
        labelled, [replace(one, clip=replace(one.clip, id=-number)) for number, one in enumerate(windows, 1)]
    )


class _ByStart:
    """Spans of one recording, of which those around a clip are found without looking at all of them."""

    def __init__(self, found: Sequence[Span]) -> None:
        self._spans = sorted(found, key=lambda span: span.start_s)
        self._starts = [span.start_s for span in self._spans]
        self._longest_s = max((span.end_s - span.start_s for span in self._spans), default=0.0)

    def around(self, clip: StoredClip) -> Sequence[Span]:
        """Return the spans that may overlap a clip, in the order of their starts."""
        # A difference of two floats may be a little shorter than it is.
        first = bisect.bisect_left(self._starts, clip.start_s - self._longest_s - 1e-6)
        return self._spans[first : bisect.bisect_right(self._starts, clip.end_s)]


def with_overlapping_labels(one: LabelledClip, verdicts: Sequence[Span], parts: Sequence[CheckedPart]) -> LabelledClip:
    """Return a clip with the labels of other spans of its recording.

    A verdict on the clip itself counts in any case. In a checked part, labels that do not overlap the clip are absent.

    Parameters
    ----------
    verdicts
        All on the recording. Those without bounds of their own are on a whole clip, perhaps on a short sound in it:
        they place no label in another clip.
    """
    if one.none_of_these or not one.verdicts:
        return one
    found: dict[str, Value] = {}
    near: set[str] = set()
    for span in verdicts:
        overlap_s = min(one.clip.end_s, span.end_s) - max(one.clip.start_s, span.start_s)
        shorter_s = min(one.clip.end_s - one.clip.start_s, span.end_s - span.start_s)
        if span.text is None or span.value is Value.ABSENT or overlap_s < 0 or (overlap_s == 0 and shorter_s > 0):
            continue
        near.add(span.text)
        if span.exact and found.get(span.text) is not Value.PRESENT:
            is_present = span.value is Value.PRESENT and overlap_s >= _SHARE_OF_SHORTER * shorter_s
            found[span.text] = Value.PRESENT if is_present else Value.UNSURE
    for part in parts:
        if part.clip.start_s <= one.clip.start_s and one.clip.end_s <= part.clip.end_s:
            found |= dict.fromkeys(part.labels - near, Value.ABSENT)
    return replace(one, verdicts={**found, **one.verdicts})


def background_windows(
    part: CheckedPart, occupied: Sequence[tuple[float, float]], min_window_s: float
) -> list[LabelledClip]:
    """Cut what is free of a checked part into windows of about equal length, at most five seconds.

    Parameters
    ----------
    occupied
        Start and end of what has a label or may have one, seconds; in the order of the start.
    min_window_s
        As for `read_training_clips`.
    """
    windows = []
    free_from_s = part.clip.start_s
    for start_s, end_s in [*occupied, (part.clip.end_s + _MARGIN_S, math.inf)]:
        free_to_s = min(start_s - _MARGIN_S, part.clip.end_s)
        if free_to_s - free_from_s >= min_window_s:
            windows += _cut(part.clip, free_from_s, free_to_s, max(min_window_s, _MAX_WINDOW_S))
        free_from_s = max(free_from_s, end_s + _MARGIN_S)
    # Nobody looked for labels that are newer than the check.
    verdicts = dict.fromkeys(part.labels, Value.ABSENT) | dict.fromkeys(part.newer_labels, Value.UNSURE)
    return [LabelledClip(window, verdicts, none_of_these=True) for window in windows]


def _cut(clip: StoredClip, start_s: float, end_s: float, max_s: float) -> list[StoredClip]:
    count = math.ceil((end_s - start_s) / max_s)
    bounds_s = [round(start_s + (end_s - start_s) * number / count, 6) for number in range(count + 1)]
    return [replace(clip, start_s=first_s, end_s=last_s, fold=None) for first_s, last_s in itertools.pairwise(bounds_s)]
