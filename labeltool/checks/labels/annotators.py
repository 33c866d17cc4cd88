"""Annotators who differ from the rest."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np

from labeltool.annotation.people.agreement import Rating, ratings_by_clip
from labeltool.checks.finding import Finding, Subject
from labeltool.evaluation.intervals import Share, clustered_share

# Of two people who differ, nobody knows which one it is: a third one is needed, on some clips at least.
_MIN_CLIPS = 10


def find_differing_annotators(subject: Subject) -> list[Finding]:
    """Find annotators who agree with others less often than those do with each other, beyond what chance may do.

    On the clips that two or more people labelled, whose labels must be the same to agree.
    """
    rated = ratings_by_clip(subject.store)
    found = []
    for annotator in sorted({who for ratings in rated.values() for who in ratings}):
        own = {clip_id: ratings for clip_id, ratings in rated.items() if annotator in ratings}
        others = [{who: one for who, one in ratings.items() if who != annotator} for ratings in rated.values()]
        agreed, among_others = _agreement(own, annotator), _agreement(dict(enumerate(others)))
        if agreed is None or among_others is None or agreed.high >= among_others.low:
            continue
        found.append(
            Finding(
                "annotator",
                f"{annotator!r} agrees with the others on {agreed.value:.0%} ({agreed.low:.0%} to {agreed.high:.0%}) "
                f"of {len(own)} clips, these with each other on {among_others.value:.0%}",
                "`labeltool review` lists the clips; `labeltool stats` has the agreement of each pair and label",
                clips=tuple(own),
                score=among_others.value - agreed.value,
            )
        )
    return found


def _agreement(rated: Mapping[int, Mapping[str, Rating]], annotator: str | None = None) -> Share | None:
    """Return how often two people gave a clip the same labels, all pairs or those with one; None of too few clips."""
    same = [
        (clip_id, ratings[first].labels == ratings[second].labels)
        for clip_id, ratings in rated.items()
        for first, second in combinations(ratings, 2)
        if annotator is None or annotator in (first, second)
    ]
    if len({clip_id for clip_id, _ in same}) < _MIN_CLIPS:
        return None
    return clustered_share(np.array([one for _, one in same]), np.array([clip_id for clip_id, _ in same]))
