"""Labels to review: where annotators disagree, or the newest model predicts another label."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from itertools import combinations, islice

from labeltool.annotation.listing import _of_value
from labeltool.records import Value
from labeltool.store import Store
from labeltool.store.clips import names_today, verdicts_on
from labeltool.store.models import under_todays_names

# A row of the journal, the label it is on, None for the whole clip, and what it says.
_Word = tuple[str, str | None, str]


_Words = dict[str | None, _Word]


MOST_SUSPICIONS = 1000
"""More verdicts than one looks at again in a sitting."""


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A verdict that looks wrong, and why.

    `label` and `value` are what was said last, `reason` is for people, `weight` orders, the most suspicious first.
    """

    clip_id: int
    label: str
    value: Value
    reason: str
    weight: float


def suspicions(store: Store, *, most: int = MOST_SUSPICIONS) -> list[Suspicion]:
    """Return verdicts that people disagree on or the model contradicts, the most suspicious first, `most` at most.

    Disagreement comes before contradiction: a person's other word weighs more than a network's. What was said twice was
    meant, and is not doubted again.
    """
    found = [*_disagreements(store, most), *_contradictions(store, most)]
    # One entry a clip, its weightiest.
    best: dict[int, Suspicion] = {}
    for one in sorted(found, key=lambda one: -one.weight):
        best.setdefault(one.clip_id, one)
    return list(best.values())[:most]


def _disagreements(store: Store, most: int) -> list[Suspicion]:
    """Where two annotators' last words on a label differ, or they hear labels that have none in common.

    As in what counts, an annotator's word on the whole clip takes back what they said of labels before, and gives way
    to what they say of one after.
    """
    last: dict[int, dict[str, _Words]] = {}
    times: Counter[tuple[int, str | None, str]] = Counter()
    for clip_id, annotator, label, value, count, newest in store.connection.execute(
        """
        SELECT clip_id, annotator, label, value, COUNT(*), MAX(id) AS newest FROM standing
        WHERE kind = 'verdict' AND clip_id IN (
            SELECT clip_id FROM journal WHERE kind = 'verdict'
            GROUP BY clip_id HAVING MIN(annotator) < MAX(annotator)
        )
        GROUP BY clip_id, annotator, label, value ORDER BY newest
        """
    ):
        words = last.setdefault(clip_id, {}).setdefault(annotator, {})
        for taken_back in [other for other in words if (other is None) is not (label is None)]:
            del words[taken_back]
        words[label] = (newest, label, value)
        times[clip_id, label, value] += count
    doubted = (_disagreement(clip_id, said, times) for clip_id, said in last.items())
    return list(islice((one for one in doubted if one is not None), most))


def _disagreement(
    clip_id: int, said: dict[str, _Words], times: Counter[tuple[int, str | None, str]]
) -> Suspicion | None:
    """Look at each two annotators' last words on a clip."""
    for (one, first), (other, second) in combinations(sorted(said.items()), 2):
        for label in dict.fromkeys(name for name in (*first, *second) if name is not None):
            ours, theirs = _word_on(label, first), _word_on(label, second)
            if ours is None or theirs is None or ours[2] == theirs[2]:
                continue
            _, name, value = max(ours, theirs, key=lambda word: word[0])
            if times[clip_id, name, value] == 1:
                reason = f"{one!r} {_says(*ours[1:])}, {other!r} {_says(*theirs[1:])}"
                return Suspicion(clip_id, label, Value(value), reason, 2.0)
        heard, also_heard = (
            [label for label, (_, _, value) in words.items() if label is not None and value == Value.PRESENT]
            for words in (first, second)
        )
        apart = heard and also_heard and not set(heard) & set(also_heard)
        if apart and all(times[clip_id, label, Value.PRESENT] == 1 for label in (*heard, *also_heard)):
            reason = f"{one!r} hears {heard[0]!r}, {other!r} hears {also_heard[0]!r}"
            return Suspicion(clip_id, heard[0], Value.PRESENT, reason, 1.5)
    return None


def _word_on(label: str, words: _Words) -> _Word | None:
    """Return what an annotator says of a label: "none of these" denies each."""
    whole = words.get(None)
    return words.get(label) or (whole if whole is not None and whole[2] == Value.ABSENT else None)


def _says(label: str | None, value: str) -> str:
    if label is None:
        return "hears none of these"
    return {"present": f"hears {label!r}", "absent": f"hears no {label!r}"}.get(value, f"is unsure of {label!r}")


def _contradictions(store: Store, most: int) -> list[Suspicion]:
    """Where the newest model holds another label likelier than what was heard; the `most` clips it is surest of."""
    meant = {
        tuple(row)
        for row in store.connection.execute(
            """
            SELECT clip_id, label FROM standing WHERE kind = 'verdict' AND value = 'present' AND label IS NOT NULL
              AND clip_id IN (SELECT clip_id FROM journal WHERE kind = 'verdict' GROUP BY clip_id HAVING COUNT(*) > 1)
            GROUP BY clip_id, label HAVING COUNT(*) > 1
            """
        )
    }
    goes_by = names_today(store)
    found: dict[int, list[Suspicion]] = {}
    for clip_id, model_id in store.connection.execute(
        """
        SELECT DISTINCT g.clip_id, g.model_id FROM last_words w JOIN suggestions g ON g.clip_id = w.clip_id
        WHERE w.value = 'present' AND g.top_label <> w.label
          AND NOT EXISTS (SELECT 1 FROM suggestions n WHERE n.clip_id = g.clip_id AND n.model_id > g.model_id)
        ORDER BY g.top_probability DESC
        """
    ):
        if len(found) == most:
            break
        (told,) = store.connection.execute(
            "SELECT probabilities FROM suggestions WHERE model_id = ? AND clip_id = ?", (model_id, clip_id)
        ).fetchone()
        held = under_todays_names(json.loads(told), goes_by)
        top = next(iter(held))
        heard = _of_value(verdicts_on(store, [clip_id]).get(clip_id, {}), Value.PRESENT)
        if heard and top not in heard:
            reason = f"the model hears {top!r} ({held[top]:.0%})"
            found[clip_id] = [
                Suspicion(clip_id, label, Value.PRESENT, reason, held[top] - held.get(label, 0.0))
                for label in heard
                if (clip_id, label) not in meant
            ]
    return [one for of_clip in found.values() for one in of_clip]
