"""Clips in lists: verdicts that look wrong, and all there are.

A list is found once, as ids (8 bytes each, a million in 8 MB), and read a page at a time: so a screen over it starts
and scrolls as fast with a million clips as with a thousand.
"""

from __future__ import annotations

import json
import time
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, islice

from labeltool.records import StoredClip, Value
from labeltool.store import Store
from labeltool.store.clips import CLIP_COLUMNS, RESTING, names_today, said_names, stored_clip, verdicts_on, where_heard
from labeltool.store.models import under_todays_names
from labeltool.store.transcripts import where_said

# A row of the journal, the label it is on, None for the whole clip, and what it says.
_Word = tuple[str, str | None, str]
_Words = dict[str | None, _Word]

MOST_SUSPICIONS = 1000
"""More verdicts than one looks at again in a sitting."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A clip in a list, with what was said of it and what the newest model holds of it.

    Labels go by today's names; `answered` is also a clip set aside as bad audio.
    """

    clip: StoredClip
    present: tuple[str, ...]
    absent: tuple[str, ...]
    unsure: tuple[str, ...]
    top_label: str | None
    top_probability: float | None
    answered: bool


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


@dataclass(frozen=True, slots=True)
class Filter:
    """What a list of clips is narrowed to; None and "" do not narrow.

    `text` is sought in the recordings' paths, whatever its case; `label` among those heard; `answered` parts clips that
    somebody has answered on from those nobody has; `said` is sought in the transcripts, as `transcripts.found` does.
    """

    text: str = ""
    label: str | None = None
    answered: bool | None = None
    said: str = ""


def matching(store: Store, wanted: Filter = Filter()) -> array[int]:
    """Return the ids of the clips a filter lets through, in the order they came."""
    conditions, values = [f"NOT {RESTING}"], []
    if wanted.text:
        escaped = wanted.text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        conditions.append("c.recording_id IN (SELECT id FROM recordings WHERE path LIKE ? ESCAPE '\\')")
        values.append(f"%{escaped}%")
    if wanted.label is not None:
        heard, names = where_heard(store, wanted.label)
        conditions.append(f"c.id IN ({heard})")
        values += names
    if wanted.said:
        spoken, words = where_said(wanted.said)
        conditions.append(f"c.id IN ({spoken})")
        values += words
    if wanted.answered is not None:
        conditions.append("c.answered" if wanted.answered else "NOT c.answered")
    rows = store.connection.execute(f"SELECT c.id FROM clips c WHERE {' AND '.join(conditions)} ORDER BY c.id", values)
    return array("q", (row[0] for row in rows))


def sweepable(store: Store, label: str, *, annotator: str | None = None) -> array[int]:
    """Return the ids of the clips that wait for an answer and that the model would call so, the surest first.

    Parameters
    ----------
    label
        Under the name it goes by today. What a model held of two labels that have become one since is not added up.
    annotator
        Whose sweep it is: what others have claimed is left out.
    """
    names = said_names(store, label)
    condition, values = _sweep(annotator)
    rows = store.connection.execute(
        f"""
        SELECT g.clip_id FROM suggestions g WHERE g.top_label IN (SELECT value FROM json_each(:names)) AND {condition}
        ORDER BY g.top_probability DESC
        """,
        {"names": json.dumps(names), **values},
    )
    return array("q", (row[0] for row in rows))


def sweep_labels(store: Store, *, annotator: str | None = None) -> dict[str, int]:
    """Return how many clips `sweepable` finds for each label it finds any for, the most first."""
    goes_by = names_today(store)
    condition, values = _sweep(annotator)
    found: dict[str, int] = {}
    for name, count in store.connection.execute(
        f"SELECT g.top_label, COUNT(*) FROM suggestions g WHERE {condition} GROUP BY g.top_label", values
    ):
        today = goes_by.get(name, name)
        found[today] = found.get(today, 0) + count
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def _sweep(annotator: str | None) -> tuple[str, dict[str, object]]:
    if annotator is None:
        return "g.waiting", {}
    # Claims are few: one set of them is faster than a look for each of a label's clips.
    claimed = "SELECT m.clip_id FROM claims m WHERE m.annotator <> :annotator AND m.until_s > :now_s"
    return f"g.waiting AND g.clip_id NOT IN ({claimed})", {"annotator": annotator, "now_s": time.time()}


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


def page(store: Store, ids: Sequence[int]) -> list[Listed]:
    """Read the clips of some ids, in their order; a page, not a million."""
    if not ids:
        return []
    said, goes_by = verdicts_on(store, ids), names_today(store)
    rows = {
        row["id"]: row
        for row in store.connection.execute(
            f"""
            SELECT {CLIP_COLUMNS}, c.answered, g.top_label, g.top_probability
            FROM clips c JOIN recordings r ON r.id = c.recording_id
            LEFT JOIN suggestions g ON g.clip_id = c.id AND g.model_id =
                (SELECT MAX(n.model_id) FROM suggestions n WHERE n.clip_id = c.id)
            WHERE c.id IN (SELECT value FROM json_each(?))
            """,
            (json.dumps(list(ids)),),
        )
    }
    return [
        Listed(
            clip=stored_clip(store, row),
            present=_of_value(said.get(row["id"], {}), Value.PRESENT),
            absent=_of_value(said.get(row["id"], {}), Value.ABSENT),
            unsure=_of_value(said.get(row["id"], {}), Value.UNSURE),
            top_label=goes_by.get(row["top_label"], row["top_label"]),
            top_probability=row["top_probability"],
            answered=bool(row["answered"]),
        )
        for row in (rows[clip_id] for clip_id in ids if clip_id in rows)
    ]


def _of_value(said: dict[str | None, Value], wanted: Value) -> tuple[str, ...]:
    return tuple(label for label, value in said.items() if label is not None and value is wanted)


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
