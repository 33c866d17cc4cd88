"""Label issues to review: annotators disagree, or the other clips, or the newest model, predict another label."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import islice

from labeltool.annotation.label_errors import LabelErrorList
from labeltool.annotation.listing import labels_with
from labeltool.annotation.people.conflicts import find_conflicts
from labeltool.records import Value
from labeltool.store import Store, models
from labeltool.store.clips import current_names, verdicts_on
from labeltool.store.labels import by_current_names
from labeltool.store.progress import labelled_since

MAX_LABEL_ISSUES = 1000
"""More than a person reviews in one session."""


@dataclass(frozen=True, slots=True)
class LabelIssue:
    """A verdict that may be wrong, and why.

    `label` and `value` are the newest verdict's, `reason` is text for the user, `weight` orders issues, the most
    suspicious first.
    """

    clip_id: int
    label: str
    value: Value
    reason: str
    weight: float


def label_issues(store: Store, errors: LabelErrorList | None = None) -> list[LabelIssue]:
    """Return verdicts that annotators disagree on or predictions contradict, the most suspicious first.

    Disagreement comes before contradiction: another person's verdict weighs more than a model's. Of the labels that
    `labeltool check` compared, its list counts: the newest model was trained on these labels, so it repeats their
    errors; it is compared with the labels given since. A verdict that was given twice is confirmed, and is no issue any
    more.
    """
    if errors is None:
        contradictions = _contradictions(store, MAX_LABEL_ISSUES)
    else:
        newer = labelled_since(store, errors.mark)
        of_model = [issue for issue in _contradictions(store, MAX_LABEL_ISSUES) if issue.clip_id in newer]
        contradictions = [*_from_check(store, errors), *of_model]
    disagreements = (
        LabelIssue(one.clip_id, one.label, one.value, one.reason, 2.0 if one.is_explicit else 1.5)
        for one in islice(find_conflicts(store), MAX_LABEL_ISSUES)
    )
    issues = [*disagreements, *contradictions]
    # One issue a clip: that of the largest weight.
    first: dict[int, LabelIssue] = {}
    for issue in sorted(issues, key=lambda issue: -issue.weight):
        first.setdefault(issue.clip_id, issue)
    return list(first.values())[:MAX_LABEL_ISSUES]


def compared_with(store: Store, errors: LabelErrorList | None = None) -> str:
    """Return in a sentence what the labels are compared with."""
    if errors is not None:
        return f"`labeltool check` compared the labels with each other, by {errors.by}."
    row = store.connection.execute(
        "SELECT g.model_id FROM suggestions g JOIN clips c ON c.id = g.clip_id WHERE c.is_labelled "
        "ORDER BY g.model_id DESC LIMIT 1"
    ).fetchone()
    if row is not None:
        predicting = models.suggester(store)
        name = predicting.pretrained if predicting is not None and predicting.id == row["model_id"] else None
        return f"The labels are compared with what {name or 'model ' + str(row['model_id'])} predicted."
    newest = models.latest(store)
    return "No model is trained yet." if newest is None else f"Model {newest.id} predicted none of the labelled clips."


def confirmed_verdicts(store: Store) -> set[tuple[int, str, Value]]:
    """Return the verdicts that were given twice, by whomever, not by a rule: clip id, label, value.

    "None of these" says absent of each label, so that one more absent of a label confirms it.
    """
    return {
        (clip_id, label, Value(value))
        for clip_id, label, value in store.connection.execute(
            """
            SELECT e.clip_id, e.label, e.value FROM active_events e
            WHERE e.kind = 'verdict' AND e.label IS NOT NULL AND e.origin <> 'rule'
              AND e.clip_id IN (SELECT clip_id FROM journal WHERE kind = 'verdict' GROUP BY clip_id HAVING COUNT(*) > 1)
            GROUP BY e.clip_id, e.label, e.value
            HAVING COUNT(*) > 1 OR (e.value = 'absent' AND EXISTS (
                SELECT 1 FROM active_events w
                WHERE w.clip_id = e.clip_id AND w.kind = 'verdict' AND w.label IS NULL AND w.value = 'absent'
                  AND w.origin <> 'rule'
            ))
            """
        )
    }


def _from_check(store: Store, errors: LabelErrorList) -> list[LabelIssue]:
    """Return what a check found, without the verdicts that were changed or confirmed since."""
    confirmed = confirmed_verdicts(store)
    verdicts = verdicts_on(store, {error.clip_id for error in errors.errors})
    issues = []
    for error in errors.errors:
        of_clip = verdicts.get(error.clip_id, {})
        value = of_clip.get(error.label, of_clip.get(None))
        if value is error.value and (error.clip_id, error.label, error.value) not in confirmed:
            issues.append(LabelIssue(error.clip_id, error.label, error.value, error.reason, error.score))
    return issues


def _contradictions(store: Store, limit: int) -> list[LabelIssue]:
    """Return labels where the newest model predicts another one; the `limit` clips of the highest probability."""
    confirmed = confirmed_verdicts(store)
    renamed = current_names(store)
    by_clip: dict[int, list[LabelIssue]] = {}
    for clip_id, model_id in store.connection.execute(
        """
        SELECT DISTINCT g.clip_id, g.model_id FROM latest_events e JOIN suggestions g ON g.clip_id = e.clip_id
        WHERE e.value = 'present' AND g.top_label <> e.label
          AND NOT EXISTS (SELECT 1 FROM suggestions n WHERE n.clip_id = g.clip_id AND n.model_id > g.model_id)
        ORDER BY g.top_probability DESC
        """
    ):
        if len(by_clip) == limit:
            break
        (stored,) = store.connection.execute(
            "SELECT probabilities FROM suggestions WHERE model_id = ? AND clip_id = ?", (model_id, clip_id)
        ).fetchone()
        probabilities = by_current_names(json.loads(stored), renamed)
        top = next(iter(probabilities))
        present = labels_with(Value.PRESENT, verdicts_on(store, [clip_id]).get(clip_id, {}))
        if present and top not in present:
            reason = f"the model predicts {top!r} ({probabilities[top]:.0%})"
            by_clip[clip_id] = [
                LabelIssue(clip_id, label, Value.PRESENT, reason, probabilities[top] - probabilities.get(label, 0.0))
                for label in present
                if (clip_id, label, Value.PRESENT) not in confirmed
            ]
    return [issue for issues in by_clip.values() for issue in issues]
