"""Labels that are each other's twins: always on the same clips, or not distinguished by their sound."""

from __future__ import annotations

import shlex
from itertools import combinations

import numpy as np

from labeltool.checks.finding import Finding, Subject
from labeltool.checks.labels.cross_validation import CrossValidated, cross_validated
from labeltool.evaluation.intervals import clustered_share
from labeltool.store import clips
from labeltool.type_aliases import Float64

# Standard errors up to the upper bound, 95 % on one side: few clips prove nothing.
_Z = 1.645
# Of the clips with either label, the share that has both must be this, with 95 % confidence.
_MIN_TOGETHER = 0.8
# Of a clip with each, the chance that the right one gets more of its label, at the most: 0.5 is chance. Two names for
# one class of ESC-10 have 0.24 to 0.79, two classes of it 0.77 and more.
_MAX_SEPARATION = 0.75
# And its upper bound, which few clips do not reach.
_MAX_UPPER = 0.9


def find_twin_labels(subject: Subject) -> list[Finding]:
    """Find pairs of labels that are always together, or that cross-validated predictions confuse both ways."""
    together = _always_together(subject)
    checked = cross_validated(subject)
    confused = _confused(checked) if checked is not None else []
    return [*together, *(one for one in confused if not any(one.labels == other.labels for other in together))]


def _always_together(subject: Subject) -> list[Finding]:
    with_label: dict[str, set[int]] = {}
    group_of: dict[int, str] = {}
    pairs = set[tuple[str, str]]()
    for one in clips.labelled(subject.store, which="all"):
        group_of[one.clip.id] = one.clip.group
        pairs.update(combinations(one.present, 2))
        for label in one.present:
            with_label.setdefault(label, set()).add(one.clip.id)
    found = []
    for first, second in sorted(pairs):
        either, both = with_label[first] | with_label[second], with_label[first] & with_label[second]
        has_both = np.array([clip_id in both for clip_id in either])
        share = clustered_share(has_both, np.unique([group_of[clip_id] for clip_id in either], return_inverse=True)[1])
        if share is not None and share.low >= _MIN_TOGETHER:
            why = f"are together on {len(both)} of the {len(either)} clips with either"
            found.append(_finding(first, second, why, share.value))
    return found


def _confused(checked: CrossValidated) -> list[Finding]:
    labelled = checked.labelled
    present = labelled.present > 0
    found = []
    for one, other in combinations(range(len(labelled.labels)), 2):
        only_one, only_other = present[:, one] & ~present[:, other], present[:, other] & ~present[:, one]
        # What is right of each: of two labels under a sigmoid both may be probable.
        odds = checked.probabilities[:, one] - checked.probabilities[:, other]
        right, upper = separation(odds[only_one], odds[only_other])
        if (
            right < _MAX_SEPARATION
            and upper < _MAX_UPPER
            and labelled.background not in (labelled.labels[one], labelled.labels[other])
        ):
            why = f"are not distinguished by {checked.by} ({right:.0%} right, chance is 50%)"
            found.append(_finding(labelled.labels[one], labelled.labels[other], why, 1.0 - right))
    return found


def _finding(first: str, second: str, why: str, score: float) -> Finding:
    rename = f"`labeltool rename {shlex.quote(first)} {shlex.quote(second)}`"
    message = f"{first!r} and {second!r} {why}"
    return Finding("twin-labels", message, f"{rename} where they are one", labels=(first, second), score=score)


def separation(higher: Float64, lower: Float64) -> tuple[float, float]:
    """Return the chance that a value of the first is higher than one of the second (AUC), and its upper bound.

    The bound is that of Hanley and McNeil (1982); 1 where there are too few values. NaN is no value.
    """
    higher, lower = higher[~np.isnan(higher)], np.sort(lower[~np.isnan(lower)])
    n, m = len(higher), len(lower)
    if not n or not m:
        return 1.0, 1.0
    below = np.searchsorted(lower, higher, side="left") + np.searchsorted(lower, higher, side="right")
    auc = float(below.sum()) / (2 * n * m)
    both = max(auc, 1.0 - auc)
    q1, q2 = both / (2 - both), 2 * both**2 / (1 + both)
    variance = (both * (1 - both) + (n - 1) * (q1 - both**2) + (m - 1) * (q2 - both**2)) / (n * m)
    return auc, auc + _Z * float(np.sqrt(max(0.0, variance)))
