"""Accepting predictions without listening to each: only after a random sample of them was listened to and was right.

How large the sample must be, and between which bounds the share of wrong predictions lies, follows from the
hypergeometric distribution: the exact interval of Clopper and Pearson (1934), for a finite number of clips.
"""

from __future__ import annotations

import json
import random
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import comb

from labeltool.annotation import next_clips
from labeltool.annotation.batch_review import LabelPage, page_of_label
from labeltool.annotation.listing import clips_predicted_as
from labeltool.records import Value
from labeltool.store import Store, groups, journal
from labeltool.store.journal import AnnotationContext, JournalRow

CONFIDENCE = 0.95
"""With which each bound of the error holds."""

MAX_CLIPS = 20_000
"""Clips of one action, the most confident: more would keep the journal busy for seconds."""

THRESHOLDS = (0.99, 0.97, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5)


@dataclass(frozen=True, slots=True)
class Candidates:
    """The unlabelled clips predicted as a label with at least a probability, and the sample that they need.

    Attributes
    ----------
    threshold
        The smallest probability, 0 to 1.
    model_uids
        For each clip, the most confident first, the model that predicts it.
    """

    label: str
    threshold: float
    model_uids: Mapping[int, str]
    sample_size: int

    @property
    def rest(self) -> int:
        """The number of clips that are not in the sample."""
        return len(self.model_uids) - self.sample_size


def candidates(store: Store, label: str, threshold: float, *, max_error: float, annotator: str) -> Candidates:
    """Return the clips predicted as a label with at least a probability, without those that others have claimed.

    Clips of the locked test set are labelled by people alone.

    Parameters
    ----------
    max_error
        The share of wrong predictions, 0 to 1, that the sample is to exclude.
    """
    predicted = clips_predicted_as(store, label, annotator=annotator, min_probability=threshold)
    # What a model accepted would measure that model.
    locked = groups.locked_clips(store, predicted)
    ids = [clip_id for clip_id in predicted if clip_id not in locked][:MAX_CLIPS]
    model_uids = _model_uids(store, ids)
    return Candidates(label, threshold, model_uids, sample_size(len(model_uids), max_error))


def all_candidates(store: Store, label: str, *, max_error: float, annotator: str) -> list[Candidates]:
    """Return the candidates for each of `THRESHOLDS` that adds clips to those before it."""
    found: list[Candidates] = []
    for threshold in THRESHOLDS:
        one = candidates(store, label, threshold, max_error=max_error, annotator=annotator)
        if len(one.model_uids) > (len(found[-1].model_uids) if found else 0):
            found.append(one)
    return found


def sample_page(store: Store, of: Candidates, *, annotator: str, generator: random.Random) -> LabelPage:
    """Draw the sample, and return it as a page in random order."""
    drawn = generator.sample(list(of.model_uids), of.sample_size)
    return page_of_label(store, of.label, drawn, len(of.model_uids), annotator=annotator)


def accept(store: Store, accepted: Candidates, *, annotator: str) -> list[JournalRow]:
    """Append the label to all candidates that are still unlabelled, as one batch, and return its rows.

    The rows have the model as their origin and no time (`JournalRow.auto_accepted`). Clips that others have claimed, or
    that the annotator skipped, are excluded.
    """
    free = next_clips.free_among(store, accepted.model_uids, annotator=annotator)
    contexts = {
        clip_id: AnnotationContext(accepted_from=uid) for clip_id, uid in accepted.model_uids.items() if clip_id in free
    }
    values = dict.fromkeys(contexts, Value.PRESENT)
    return journal.annotate_batch(
        store, accepted.label, values, annotator=annotator, contexts=contexts, response_ms=None
    )


def _model_uids(store: Store, clip_ids: Sequence[int]) -> dict[int, str]:
    uids = dict(
        store.connection.execute(
            "SELECT g.clip_id, m.uid FROM suggestions g JOIN models m ON m.id = g.model_id "
            "WHERE g.is_unlabelled AND g.clip_id IN (SELECT value FROM json_each(?))",
            (json.dumps(list(clip_ids)),),
        ).fetchall()
    )
    return {clip_id: uids[clip_id] for clip_id in clip_ids if clip_id in uids}


def sample_size(clips: int, max_error: float) -> int:
    """Return how many of some clips must be drawn and right, so that at most `max_error` of all are wrong.

    Where one more were wrong, a sample without any would be less probable than 1 - `CONFIDENCE`.
    """
    wrong = min(clips, int(max_error * clips) + 1)
    sizes: Sequence[int] = range(clips + 1)
    # Larger samples are less probable to have none: the first that is improbable enough.
    return bisect_left(sizes, True, key=lambda size: _at_most(0, size, wrong, clips) <= 1 - CONFIDENCE)


def error_interval(wrong: int, sample: int, clips: int) -> tuple[float, float]:
    """Return the smallest and the largest share of all clips that may be wrong; each bound holds with `CONFIDENCE`.

    Parameters
    ----------
    wrong, sample, clips
        Wrong clips in the sample, clips in the sample, all clips; the sample was drawn at random.
    """
    if not clips:
        return 0.0, 0.0
    # As many as in the sample are wrong for certain, and as many as are right there are right.
    counts: Sequence[int] = range(wrong, clips - (sample - wrong) + 1)
    alpha = 1 - CONFIDENCE
    first = bisect_left(counts, True, key=lambda count: 1 - _at_most(wrong - 1, sample, count, clips) > alpha)
    beyond = bisect_left(counts, True, key=lambda count: _at_most(wrong, sample, count, clips) <= alpha)
    return counts[min(first, len(counts) - 1)] / clips, counts[max(0, beyond - 1)] / clips


def _at_most(found: int, sample: int, wrong: int, clips: int) -> float:
    """Return the probability that a sample has at most `found` of the `wrong` among all clips."""
    ways = sum(comb(wrong, each) * comb(clips - wrong, sample - each) for each in range(min(found, sample) + 1))
    return ways / comb(clips, sample)
