"""Sweeping: pages of clips that are answered at once, but for the wrong ones.

A page is of clips that a model would give one label, or of clips that sound alike.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from labeltool.annotation import next_clips
from labeltool.annotation.listing import sweepable
from labeltool.records import Suggestion, Value
from labeltool.store import Store, models
from labeltool.store.clips import WAITING, names_today
from labeltool.store.journal import JournalRow


@dataclass(frozen=True, slots=True)
class Page:
    """Clips to be answered at once.

    Attributes
    ----------
    clip_ids
        The surest first, or those in the middle of their group.
    struck
        Those that were struck out when the page was answered before.
    waiting
        How many clips there are of its kind, those of the page among them.
    """

    clip_ids: tuple[int, ...]
    struck: frozenset[int]
    waiting: int


@dataclass(frozen=True, slots=True)
class Held:
    """What a model (its `uid`) holds of a clip: the probability, 0 to 1, of the page's label, and what else it may be.

    `rival` is the likeliest other label with its probability, "" and 0 where the model knows none.
    """

    probability: float
    model_uid: str
    rival: tuple[str, float]


@dataclass(frozen=True, slots=True)
class LabelPage(Page):
    """Clips that a model takes for `label`, with what it holds of each."""

    label: str
    held: Mapping[int, Held]


@dataclass(frozen=True, slots=True)
class GroupPage(Page):
    """Clips that sound alike, of one `group` by its place among them, with what the newest model holds of each."""

    group: int
    suggestions: Mapping[int, Suggestion]

    @property
    def shares(self) -> dict[str, float]:
        """What the model holds of the page, on the mean of the clips not struck out: label to 0 to 1, likeliest first.

        Empty where it has not heard all of them.
        """
        meant = [clip_id for clip_id in self.clip_ids if clip_id not in self.struck]
        if not meant or any(clip_id not in self.suggestions for clip_id in meant):
            return {}
        added: dict[str, float] = {}
        for clip_id in meant:
            for label, probability in self.suggestions[clip_id].probabilities.items():
                added[label] = added.get(label, 0.0) + probability
        return {label: total / len(meant) for label, total in sorted(added.items(), key=lambda item: -item[1])}


def next_page(store: Store, label: str, most: int, *, annotator: str) -> LabelPage:
    """Return up to `most` clips that a model would give a label, the surest first, and keep them from others."""
    ids = sweepable(store, label, annotator=annotator)
    got = next_clips.claim(store, ids[:most], annotator=annotator)
    held = _held(store, got, label)
    return LabelPage(tuple(held), frozenset(), len(ids), label, held)


def page_again(store: Store, rows: Sequence[JournalRow], *, annotator: str) -> LabelPage:
    """Return the page that was swept by an act that is taken back now, without the clips others have by now.

    Parameters
    ----------
    rows
        The act's, see `journal.said_together`.
    """
    said = str(rows[0].label)
    label = names_today(store).get(said, said)
    got = _had_again(store, [row.clip_id for row in rows if row.clip_id is not None], annotator)
    held = _held(store, got, label)
    struck = frozenset(row.clip_id for row in rows if row.clip_id is not None and row.value == Value.ABSENT.value)
    return LabelPage(tuple(held), struck, len(sweepable(store, label, annotator=annotator)), label, held)


def group_page(store: Store, clip_ids: Sequence[int], most: int, *, group: int, annotator: str) -> GroupPage:
    """Return up to `most` clips of a group in its order, and keep them from others.

    What has an answer, what somebody else is asked about, and what the annotator skipped is left out.
    """
    free = next_clips.free_among(store, clip_ids, annotator=annotator)
    ids = [clip_id for clip_id in clip_ids if clip_id in free]
    got = next_clips.claim(store, ids[:most], annotator=annotator)
    return GroupPage(tuple(got), frozenset(), len(ids), group, _suggestions(store, got))


def group_page_again(
    store: Store, rows: Sequence[JournalRow], before: GroupPage | None, *, annotator: str
) -> GroupPage:
    """Return the page of a group that was answered by an act that is taken back now, as `page_again` does.

    Parameters
    ----------
    before
        The page as it was answered, where that is known: what was struck out on it, of which nothing was said.
    """
    spoken_of = [row.clip_id for row in rows if row.clip_id is not None] if before is None else before.clip_ids
    got = _had_again(store, spoken_of, annotator)
    if before is None:
        return GroupPage(tuple(got), frozenset(), len(got), 0, _suggestions(store, got))
    return replace(before, clip_ids=tuple(got), suggestions=_suggestions(store, got))


def still_waiting(store: Store, clip_ids: Collection[int]) -> set[int]:
    """Return those of some clips that nobody has answered yet."""
    rows = store.connection.execute(
        f"SELECT c.id FROM clips c WHERE c.id IN (SELECT value FROM json_each(?)) AND {WAITING}",
        (json.dumps(list(clip_ids)),),
    )
    return {clip_id for (clip_id,) in rows}


def _had_again(store: Store, clip_ids: Sequence[int], annotator: str) -> list[int]:
    """Claim clips that an act spoke of, as far as they wait again."""
    waiting = still_waiting(store, clip_ids)
    return next_clips.claim(store, [one for one in dict.fromkeys(clip_ids) if one in waiting], annotator=annotator)


def _suggestions(store: Store, clip_ids: Sequence[int]) -> dict[int, Suggestion]:
    found = ((clip_id, models.suggestion(store, clip_id)) for clip_id in clip_ids)
    return {clip_id: suggestion for clip_id, suggestion in found if suggestion is not None}


def _held(store: Store, clip_ids: Sequence[int], label: str) -> dict[int, Held]:
    held, uids = {}, dict[int, str]()
    for clip_id, suggestion in _suggestions(store, clip_ids).items():
        if suggestion.model_id not in uids:
            uids[suggestion.model_id] = models.uid(store, suggestion.model_id)
        shares = suggestion.probabilities
        rival = next((other for other in shares.items() if other[0] != label), ("", 0.0))
        held[clip_id] = Held(shares.get(label, 0.0), uids[suggestion.model_id], rival)
    return held
