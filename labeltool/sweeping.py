"""Sweeping: pages of clips that a model would give one label, to be accepted at once but for the wrong ones."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from labeltool import query
from labeltool.listing import sweepable
from labeltool.records import Value
from labeltool.store import Store, models
from labeltool.store.clips import WAITING, names_today
from labeltool.store.journal import JournalRow


@dataclass(frozen=True, slots=True)
class Held:
    """What a model (its `uid`) holds of a clip: the probability, 0 to 1, of the page's label, and what else it may be.

    `rival` is the likeliest other label with its probability, "" and 0 where the model knows none.
    """

    probability: float
    model_uid: str
    rival: tuple[str, float]


@dataclass(frozen=True, slots=True)
class Page:
    """Clips to be swept.

    Attributes
    ----------
    label
        What the model takes them for.
    held
        The clips' ids, the surest first.
    struck
        Those that were struck out when the page was swept before.
    waiting
        How many clips the model would give the label, those of the page among them.
    """

    label: str
    held: Mapping[int, Held]
    struck: frozenset[int]
    waiting: int


def next_page(store: Store, label: str, most: int, *, annotator: str) -> Page:
    """Return up to `most` clips that a model would give a label, the surest first, and keep them from others."""
    ids = sweepable(store, label, annotator=annotator)
    got = query.claim(store, ids[:most], annotator=annotator)
    return Page(label, _held(store, got, label), frozenset(), len(ids))


def page_again(store: Store, rows: Sequence[JournalRow], *, annotator: str) -> Page:
    """Return the page that was swept by an act that is taken back now, without the clips others have by now.

    Parameters
    ----------
    rows
        The act's, see `journal.said_together`.
    """
    said = str(rows[0].label)
    label = names_today(store).get(said, said)
    said_of = {row.clip_id: row.value for row in rows if row.clip_id is not None}
    waiting = still_waiting(store, said_of)
    got = query.claim(store, [clip_id for clip_id in said_of if clip_id in waiting], annotator=annotator)
    struck = frozenset(clip_id for clip_id, value in said_of.items() if value == Value.ABSENT.value)
    return Page(label, _held(store, got, label), struck, len(sweepable(store, label, annotator=annotator)))


def still_waiting(store: Store, clip_ids: Collection[int]) -> set[int]:
    """Return those of some clips that nobody has answered yet."""
    rows = store.connection.execute(
        f"SELECT c.id FROM clips c WHERE c.id IN (SELECT value FROM json_each(?)) AND {WAITING}",
        (json.dumps(list(clip_ids)),),
    )
    return {clip_id for (clip_id,) in rows}


def _held(store: Store, clip_ids: Sequence[int], label: str) -> dict[int, Held]:
    held, uids = {}, dict[int, str]()
    for clip_id in clip_ids:
        suggestion = models.suggestion(store, clip_id)
        if suggestion is not None:
            if suggestion.model_id not in uids:
                uids[suggestion.model_id] = models.uid(store, suggestion.model_id)
            shares = suggestion.probabilities
            rival = next((other for other in shares.items() if other[0] != label), ("", 0.0))
            held[clip_id] = Held(shares.get(label, 0.0), uids[suggestion.model_id], rival)
    return held
