"""Find the events of a label in hours of sound, from a few that are marked.

`find` ranks the segments of all recordings by a classifier over a pretrained model's embeddings, which is fitted to the
verdicts in the store; it stores the events as suggestions of regions, says which to check next and how many there are.
Annotations are ordinary verdicts, so each call starts from all of them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from labeltool.errors import LabeltoolError
from labeltool.project import Project
from labeltool.records import Event, Skipped, Value
from labeltool.similarity.event_classifier import Annotations, Estimate, EventClassifier, estimate, question_order
from labeltool.similarity.segment_index import SegmentIndex, embedding_model, segment_index
from labeltool.store import Store, groups, models, recordings, spans
from labeltool.store.detections import replacing
from labeltool.store.spans import Span
from labeltool.type_aliases import Bools, Float64, Int64, Progress
from labeltool.util.files.locks import wait_for_lock

LISTED_FROM = 0.5
"""Probability from which a candidate counts as found."""

RECALL = 0.9
"""Default bound of the estimated recall."""

# Events of the label that are no further apart are one, as `detect` merges them.
_MERGE_GAP_S = 1.0
# A segment that a verdict covers by this share of the shorter of the two needs no other.
_COVERED = 0.5
_APART_S = 2e-6


@dataclass(frozen=True, slots=True)
class Candidate:
    """An event that nobody judged: its region's clip, recording, place in seconds, and the probability of the label."""

    clip: int
    recording: str
    start_s: float
    end_s: float
    score: float


@dataclass(frozen=True, slots=True)
class FindResult:
    """What `find` returns.

    Attributes
    ----------
    accepted, rejected
        Events that people labelled, and regions where they found the label absent.
    found
        The accepted events and the candidates from `LISTED_FROM` on.
    estimate, interval
        How many events there are: expected, and the range from the 5th to the 95th percentile.
    candidates
        Those to check next, the most informative first.
    """

    label: str
    by: str
    accepted: int
    rejected: int
    found: int
    estimate: float
    interval: tuple[int, int]
    recall: float
    done: bool
    candidates: tuple[Candidate, ...]
    skipped: tuple[Skipped, ...]


def find(
    project: Project,
    *,
    report: Progress,
    label: str,
    limit: int = 10,
    recall: float = RECALL,
    pretrained: str | None = None,
    processes: int | None = None,
) -> FindResult:
    """Embed the recordings, as far as that was not done yet, and propose events of a label; a worker's task.

    Parameters
    ----------
    recall
        The bound of the estimated recall, 0 to 1.
    pretrained
        The pretrained model; None: see `embedding_model`.
    processes
        As `Scan.run` takes it.

    Raises
    ------
    LabeltoolError
        When the label has no example, there is no pretrained model, or no recording can be read.
    """
    with (
        wait_for_lock(project.cache / "find.lock", "search", lambda what: report(what, 0, 0)),
        project.open_store(to_write=True) as store,
    ):
        _require_example(spans.verdicts(store), label)
        name = embedding_model(project, pretrained)
        index = segment_index(project, store, name, report, processes=processes)
        return propose(store, index, label, limit=limit, recall=recall)


def propose(store: Store, index: SegmentIndex, label: str, *, limit: int, recall: float = RECALL) -> FindResult:
    """Fit the classifier to the store's verdicts, and store the events as suggestions in place of the earlier ones.

    Raises
    ------
    LabeltoolError
        When the label has no example.
    """
    verdicts, locked = spans.verdicts(store), groups.locked_recordings(store)
    _require_example(verdicts, label)
    judged = _Judged.of(verdicts, index, label, locked)
    free = np.flatnonzero(~judged.covers(index))
    trains = free[~np.isin(index.recordings[free], sorted(locked))]
    classifier = EventClassifier(judged.annotations, index.rows[trains])
    probabilities = classifier.probabilities(index.rows[free])
    merged = _merged(index, free, probabilities >= LISTED_FROM)
    best = np.array([max(group, key=probabilities.__getitem__) for group in merged], np.int64)
    scores = probabilities[best]
    listed = scores >= LISTED_FROM
    expected = (
        estimate(classifier, judged.annotations, scores, listed, judged.accepted)
        if len(merged)
        else Estimate(judged.accepted, judged.accepted, judged.accepted, 1.0)
    )
    mismatched = classifier.mismatched(index.rows[free[best]], scores) if len(merged) else listed
    order = question_order(scores, mismatched, limit, seed=len(judged.annotations.present))
    events = [_event(index, free[group], joins=bool(one)) for group, one in zip(merged, listed, strict=True)]
    clips = _store(store, index, label, events, scores, np.union1d(order, np.flatnonzero(listed)))
    files = {recording_id: scan.windows.path for recording_id, scan in index.scans.items()}
    return FindResult(
        label,
        index.pretrained,
        judged.accepted,
        judged.rejected,
        judged.accepted + int(listed.sum()),
        round(expected.events, 1),
        (expected.low, expected.high),
        round(expected.recall, 3),
        expected.recall >= recall,
        tuple(_candidate(clips[number], files, events[number], float(scores[number])) for number in order.tolist()),
        index.skipped,
    )


def _event(index: SegmentIndex, group: Int64, *, joins: bool) -> tuple[int, float, float]:
    """Return the recording's id, the start and the end of a candidate, in whole microseconds.

    Suggestions that touch are shown as one: a candidate that does not count as found is kept apart from its neighbours.
    """
    apart_s = 0.0 if joins else _APART_S
    start_s, end_s = float(index.starts[group[0]]) + apart_s, float(index.ends[group[-1]]) - apart_s
    return int(index.recordings[group[0]]), round(start_s, 6), round(end_s, 6)


def _candidate(clip: int, files: Mapping[int, str], event: tuple[int, float, float], score: float) -> Candidate:
    recording_id, start_s, end_s = event
    return Candidate(clip, files[recording_id], start_s, end_s, round(score, 4))


@dataclass(frozen=True, slots=True)
class _Judged:
    """The verdicts that bear on a label.

    Attributes
    ----------
    places
        Start and end of the verdicts on the label itself, seconds, by the recording's id.
    accepted, rejected
        Their number with the label present and absent; the latter without those on locked recordings.
    """

    annotations: Annotations
    places: Mapping[int, Float64]
    accepted: int
    rejected: int

    @classmethod
    def of(
        cls, verdicts: Mapping[int, Sequence[Span]], index: SegmentIndex, label: str, locked: Collection[int]
    ) -> _Judged:
        """Read verdicts; the classifier gets none on recordings that are `locked`."""
        rows, present, direct, places = [], [], [], {}
        accepted = 0
        for recording_id, here in verdicts.items():
            own = [span for span in here if span.text in (label, None)]
            accepted += sum(span.text == label and span.value is Value.PRESENT for span in own)
            if recording_id not in index.scans:
                continue  # it cannot be read
            certain = [span for span in own if span.value is not Value.UNSURE]
            others = [span for span in here if span not in own and span.value is Value.PRESENT]
            others = [span for span in others if not any(_overlap_s(span, one) > 0 for one in certain)]
            if own:
                places[recording_id] = np.array([(span.start_s, span.end_s) for span in own])
            used = [] if recording_id in locked else [*certain, *others]
            if not used:
                continue
            rows.append(index.span_rows(recording_id, [(span.start_s, span.end_s) for span in used]))
            present += [span.value is Value.PRESENT for span in certain] + [False] * len(others)
            direct += [True] * len(certain) + [False] * len(others)
        if not any(present):
            where = " outside the locked test set" if locked else ""
            raise LabeltoolError(
                f"no example of {label!r} can be read{where}", remedy="`labeltool relocate` finds moved files"
            )
        annotations = Annotations(np.concatenate(rows), np.array(present), np.array(direct))
        rejected = int((annotations.direct & ~annotations.present).sum())
        return cls(annotations, places, accepted, rejected)

    def covers(self, index: SegmentIndex) -> Bools:
        """Return which segments the verdicts cover."""
        covered = np.zeros(len(index.starts), bool)
        for recording_id, places in self.places.items():
            here = np.flatnonzero(index.recordings == recording_id)
            starts, ends = index.starts[here, None], index.ends[here, None]
            overlap = np.minimum(ends, places[:, 1]) - np.maximum(starts, places[:, 0])
            shorter = np.minimum(ends - starts, places[:, 1] - places[:, 0])
            covered[here] = (overlap > _COVERED * shorter).any(axis=1)
        return covered


def _require_example(verdicts: Mapping[int, Sequence[Span]], label: str) -> None:
    if not any(span.text == label and span.value is Value.PRESENT for here in verdicts.values() for span in here):
        raise LabeltoolError(
            f"no example of {label!r} is labelled", remedy="label a few events in `labeltool label` (w: regions)"
        )


def _overlap_s(span: Span, other: Span) -> float:
    return min(span.end_s, other.end_s) - max(span.start_s, other.start_s)


def _merged(index: SegmentIndex, free: Int64, likely: Bools) -> list[list[int]]:
    """Return the candidates, each as places in `free`: likely segments with a short pause at most are one event.

    The pause becomes part of it, unless something in it was judged.
    """
    groups: list[list[int]] = []
    last = None  # the newest likely group
    for place in range(len(free)):
        before = None if last is None or not likely[place] else groups[last][-1]
        if (
            before is not None
            and index.recordings[free[before]] == index.recordings[free[place]]
            and index.starts[free[place]] - index.ends[free[before]] <= _MERGE_GAP_S
            and free[place] - free[before] == place - before
        ):
            groups[last:] = [[one for group in groups[last:] for one in group] + [place]]
            continue
        groups.append([place])
        if likely[place]:
            last = len(groups) - 1
    return groups


def _store(
    store: Store,
    index: SegmentIndex,
    label: str,
    events: Sequence[tuple[int, float, float]],
    scores: Float64,
    kept: Int64,
) -> dict[int, int]:
    """Replace the suggestions of a label by some of the events; return the clip of each of those."""
    model_id = models.detection_model_id(store, index.pretrained, label)
    by_recording: dict[int, list[int]] = {recording_id: [] for recording_id, _ in models.detections_of(store, model_id)}
    for number in kept.tolist():
        by_recording.setdefault(events[number][0], []).append(number)
    for recording_id, numbers in by_recording.items():
        recording = recordings.recording(store, recording_id)
        found = [Event(label, *events[number][1:], round(float(scores[number]), 4)) for number in numbers]
        replacing.replace_detections(store, recording, model_id, found)
    clips = models.detections_of(store, model_id)
    return {number: clips[events[number][:2]] for number in kept.tolist()}
