"""Clips that annotators contradict each other on, and settling them by rule.

The labels that a rule gives are rows of the origin `rule`: they count as labels, but as nobody's in agreement. A person
settles conflicts by listening in the app's Review view.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from labeltool.annotation.people.by_annotator import (
    ClipVerdicts,
    Verdicts,
    present_labels,
    verdict_on,
    verdicts_by_annotator,
)
from labeltool.errors import LabeltoolError
from labeltool.records import Value
from labeltool.store import Store
from labeltool.store.journal_rows import append_batch

Rule = Literal["majority", "trusted", "newest"]
"""What most annotators gave; what one of them gave; what was given last."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """A clip on which annotators contradict each other.

    Attributes
    ----------
    label, value
        Of the newest verdict that another contradicts.
    is_explicit
        Whether two gave one label another value; else their labels have none in common.
    """

    clip_id: int
    label: str
    value: Value
    reason: str
    is_explicit: bool
    verdicts: ClipVerdicts


def find_conflicts(store: Store) -> Iterator[Conflict]:
    """Yield the clips where two annotators' latest verdicts on a label differ, or their labels have none in common.

    What was imported contradicts nobody who labelled the clip since. Settled is a clip where a rule was applied since,
    or where the newest labels were given twice: by two, or by one who gave them again.
    """
    for clip_id, given in verdicts_by_annotator(store).items():
        if given.settled < given.newest and not _is_confirmed(given):
            conflict = _conflict(clip_id, given)
            if conflict is not None:
                yield conflict


def _is_confirmed(given: ClipVerdicts) -> bool:
    newest = max(given.by_annotator.values(), key=lambda verdicts: max(one.row_id for one in verdicts.values()))
    present = present_labels(newest)
    return bool(present) and all(given.times[label, Value.PRESENT] > 1 for label in present)


def _conflict(clip_id: int, given: ClipVerdicts) -> Conflict | None:
    """Compare the latest verdicts of each two annotators on a clip."""
    times = given.times
    for (one, first), (other, second) in combinations(sorted(given.without_corrected_imports().items()), 2):
        for label in dict.fromkeys(name for name in (*first, *second) if name is not None):
            ours, theirs = verdict_on(label, first), verdict_on(label, second)
            if ours is None or theirs is None or ours.value == theirs.value:
                continue
            _, name, value = max(ours, theirs, key=lambda verdict: verdict.row_id)
            if times[name, value] == 1:
                reason = f"{one!r}: {_in_words(*ours[1:])}, {other!r}: {_in_words(*theirs[1:])}"
                return Conflict(clip_id, label, Value(value), reason, True, given)
        present, also_present = present_labels(first), present_labels(second)
        differ = present and also_present and not set(present) & set(also_present)
        if differ and all(times[label, Value.PRESENT] == 1 for label in (*present, *also_present)):
            reason = f"{one!r}: {present[0]!r}, {other!r}: {also_present[0]!r}"
            return Conflict(clip_id, present[0], Value.PRESENT, reason, False, given)
    return None


def _in_words(label: str | None, value: str) -> str:
    if label is None:
        return "none of these"
    return {"present": f"{label!r}", "absent": f"no {label!r}"}.get(value, f"unsure of {label!r}")


@dataclass(frozen=True, slots=True)
class Settled:
    """What a rule makes of a conflict; `verdicts` is empty where it decides nothing, and the clip stays a conflict."""

    conflict: Conflict
    verdicts: Mapping[str | None, Value]


def settle(
    store: Store, rule: Rule, *, trusted: str | None = None, annotator: str, dry_run: bool = False
) -> list[Settled]:
    """Settle every conflict that a rule decides, as one batch that one undo reverts; return all, decided or not.

    Parameters
    ----------
    trusted
        The annotator whose labels count by the rule `trusted`.

    Raises
    ------
    LabeltoolError
        When no label is by `trusted`.
    """
    with store.transaction() if not dry_run else store.snapshot() as connection:
        labelled_by = "SELECT EXISTS (SELECT 1 FROM active_events WHERE kind = 'verdict' AND annotator = ?)"
        if trusted is not None and not connection.execute(labelled_by, (trusted,)).fetchone()[0]:
            raise LabeltoolError(f"no label is by {trusted!r}", remedy="`labeltool conflicts` names who labelled")
        found = [Settled(one, _decided(one.verdicts, rule, trusted)) for one in find_conflicts(store)]
        if not dry_run:
            row = {"kind": "verdict", "annotator": annotator, "origin": "rule"}
            append_batch(
                connection,
                [
                    {**row, "clip_id": one.conflict.clip_id, "label": label, "value": value.value}
                    for one in found
                    for label, value in one.verdicts.items()
                ],
            )
    return found


def _decided(given: ClipVerdicts, rule: Rule, trusted: str | None) -> dict[str | None, Value]:
    """Return the value of each label that anybody gave the clip, by a rule; empty where it does not decide."""
    people = given.by_annotator
    if rule == "majority":
        return _by_majority([*people.values()])
    who = (
        trusted if rule == "trusted" else max(people, key=lambda name: max(one.row_id for one in people[name].values()))
    )
    return _of_one(people[who], people) if who in people else {}


def _of_one(chosen: Verdicts, people: Mapping[str, Verdicts]) -> dict[str | None, Value]:
    """Return one annotator's verdicts; what only others gave is absent, unless this one was not able to say."""
    if None in chosen:
        return {None: Value(chosen[None].value)}
    decided: dict[str | None, Value] = {label: Value(one.value) for label, one in chosen.items()}
    if present_labels(chosen):
        others = {label for verdicts in people.values() for label in verdicts if label is not None}
        decided.update(dict.fromkeys(sorted(others - chosen.keys()), Value.ABSENT))
    return decided


def _by_majority(people: list[Verdicts]) -> dict[str | None, Value]:
    """Return what most annotators gave; empty where that is a tie, or most gave labels but no label has a majority.

    Somebody who gave the clip other labels counts against a label, somebody who was unsure for neither.
    """
    labels = sorted({label for verdicts in people for label in verdicts if label is not None})
    decided: dict[str | None, Value] = {}
    for label in labels:
        votes = Counter(_vote(label, verdicts) for verdicts in people)
        if votes[Value.PRESENT] == votes[Value.ABSENT]:
            return {}
        decided[label] = max((Value.PRESENT, Value.ABSENT), key=lambda value: votes[value])
    if Value.PRESENT in decided.values():
        return decided
    if 2 * sum(bool(present_labels(verdicts)) for verdicts in people) > len(people):
        return {}  # most found something: that it is none of these, nobody or hardly anybody gave
    return {None: Value.ABSENT} if any(None in verdicts for verdicts in people) else decided


def _vote(label: str, verdicts: Verdicts) -> Value | None:
    given = verdict_on(label, verdicts)
    if given is not None:
        return Value(given.value)
    return Value.ABSENT if present_labels(verdicts) else None
