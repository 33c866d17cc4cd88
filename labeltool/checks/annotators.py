"""Annotators who differ from the rest."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from labeltool.annotation.agreement import Rating, ratings_by_clip
from labeltool.checks.finding import Finding, Subject
from labeltool.checks.twin_labels import lower_bound

# Of two people who differ, nobody knows which one it is: a third one is needed, on some clips at least.
_MIN_CLIPS = 10


def find_differing_annotators(subject: Subject) -> list[Finding]:
    """Find annotators who agree with others less often than those do with each other, beyond what chance may do.

    On the clips that two or more people labelled, whose labels must be the same to agree.
    """
    rated = ratings_by_clip(subject.store)
    found = []
    for annotator in sorted({who for ratings in rated.values() for who in ratings}):
        own = [_same(ratings, annotator) for ratings in rated.values() if annotator in ratings]
        without = [{who: one for who, one in ratings.items() if who != annotator} for ratings in rated.values()]
        others = [_same(ratings) for ratings in without if len(ratings) > 1]
        if min(len(own), len(others)) < _MIN_CLIPS:
            continue
        agreed, among_others = float(np.mean(own)), float(np.mean(others))
        low, high = (lower_bound(share * len(own), len(own)) for share in (agreed, 1.0 - agreed))
        if 1.0 - high < lower_bound(among_others * len(others), len(others)):
            found.append(
                Finding(
                    "annotator",
                    f"{annotator!r} agrees with the others on {agreed:.0%} ({low:.0%} to {1.0 - high:.0%}) of "
                    f"{len(own)} clips, these with each other on {among_others:.0%} of {len(others)}",
                    "`labeltool review` lists the clips; `labeltool stats` has the agreement of each pair and label",
                    clips=tuple(clip_id for clip_id, ratings in rated.items() if annotator in ratings),
                    score=among_others - agreed,
                )
            )
    return found


def _same(ratings: dict[str, Rating], annotator: str | None = None) -> float:
    """Return the share of pairs of ratings of a clip with the same labels: of all pairs, or those with an annotator."""
    pairs = [pair for pair in combinations(ratings, 2) if annotator is None or annotator in pair]
    return float(np.mean([ratings[first].labels == ratings[second].labels for first, second in pairs]))
