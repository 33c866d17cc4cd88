"""Batch review: pages of clips that get one label at once, except for those that are rejected.

A page has clips for which a model predicts one label, or clips of one group of similar clips.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from labeltool.annotation import next_clips
from labeltool.annotation.listing import clips_predicted_as
from labeltool.records import Suggestion, Value
from labeltool.store import Store, models
from labeltool.store.clips import UNLABELLED, current_names
from labeltool.store.journal import JournalRow


@dataclass(frozen=True, slots=True)
class Page:
    """Clips to be labelled at once.

    Attributes
    ----------
    clip_ids
        Most confident first, or those nearest to the centre of their group first.
    rejected
        Clips that were rejected when the page was labelled before.
    unlabelled
        Number of unlabelled clips of this label or group, those of the page included.
    """

    clip_ids: tuple[int, ...]
    rejected: frozenset[int]
    unlabelled: int


@dataclass(frozen=True, slots=True)
class Prediction:
    """The prediction of a model (its `uid`) for a clip: the probability, 0 to 1, of the page's label.

    `rival` is the most probable other label with its probability; "" and 0 where there is none.
    """

    probability: float
    model_uid: str
    rival: tuple[str, float]


@dataclass(frozen=True, slots=True)
class LabelPage(Page):
    """Clips for which a model predicts `label`, with the prediction for each."""

    label: str
    predictions: Mapping[int, Prediction]


@dataclass(frozen=True, slots=True)
class GroupPage(Page):
    """Similar clips of one group.

    Attributes
    ----------
    suggestions
        The newest model's for each clip.
    proposed
        Classes of a pretrained model, by name, that may be new labels, with their mean probabilities, highest first.
    """

    group: int
    suggestions: Mapping[int, Suggestion]
    proposed: Mapping[str, float] = field(default_factory=dict)

    @property
    def probabilities(self) -> dict[str, float]:
        """Mean probability of each label over the clips that are not rejected, 0 to 1, largest first.

        Empty where a clip has no suggestion.
        """
        accepted = [clip_id for clip_id in self.clip_ids if clip_id not in self.rejected]
        if not accepted or any(clip_id not in self.suggestions for clip_id in accepted):
            return {}
        sums: dict[str, float] = {}
        for clip_id in accepted:
            for label, probability in self.suggestions[clip_id].probabilities.items():
                sums[label] = sums.get(label, 0.0) + probability
        return {label: total / len(accepted) for label, total in sorted(sums.items(), key=lambda item: -item[1])}


def next_page(store: Store, label: str, max_clips: int, *, annotator: str) -> LabelPage:
    """Return up to `max_clips` clips for which a model predicts a label, most confident first, and claim them."""
    ids = clips_predicted_as(store, label, annotator=annotator)
    return page_of_label(store, label, ids[:max_clips], len(ids), annotator=annotator)


def page_of_label(store: Store, label: str, clip_ids: Iterable[int], unlabelled: int, *, annotator: str) -> LabelPage:
    """Claim some clips and return them in their order as a page of a label, `unlabelled` clips of which there are."""
    predictions = _predictions(store, next_clips.claim(store, clip_ids, annotator=annotator), label)
    return LabelPage(tuple(predictions), frozenset(), unlabelled, label, predictions)


def restored_page(store: Store, rows: Sequence[JournalRow], *, annotator: str) -> LabelPage:
    """Return the page of a batch that was undone, without the clips that others have claimed or labelled since."""
    original = str(rows[0].label)
    label = current_names(store).get(original, original)
    claimed = _claim_unlabelled(store, [row.clip_id for row in rows if row.clip_id is not None], annotator)
    predictions = _predictions(store, claimed, label)
    rejected = frozenset(row.clip_id for row in rows if row.clip_id is not None and row.value == Value.ABSENT.value)
    unlabelled = len(clips_predicted_as(store, label, annotator=annotator))
    return LabelPage(tuple(predictions), rejected, unlabelled, label, predictions)


def group_page(store: Store, clip_ids: Sequence[int], max_clips: int, *, group: int, annotator: str) -> GroupPage:
    """Return up to `max_clips` clips of a group in its order, and claim them.

    Labelled clips, clips that others have claimed, and clips that the annotator skipped are excluded.
    """
    free = next_clips.free_among(store, clip_ids, annotator=annotator)
    ids = [clip_id for clip_id in clip_ids if clip_id in free]
    claimed = next_clips.claim(store, ids[:max_clips], annotator=annotator)
    return GroupPage(tuple(claimed), frozenset(), len(ids), group, _suggestions(store, claimed))


def restored_group_page(
    store: Store, rows: Sequence[JournalRow], before: GroupPage | None, *, annotator: str
) -> GroupPage:
    """Return the page of a group whose batch was undone, as `restored_page` does.

    Parameters
    ----------
    before
        The page as it was labelled, where that is known: with the rejected clips, which have no rows.
    """
    clip_ids = [row.clip_id for row in rows if row.clip_id is not None] if before is None else before.clip_ids
    claimed = _claim_unlabelled(store, clip_ids, annotator)
    if before is None:
        return GroupPage(tuple(claimed), frozenset(), len(claimed), 0, _suggestions(store, claimed))
    return replace(before, clip_ids=tuple(claimed), suggestions=_suggestions(store, claimed))


def still_unlabelled(store: Store, clip_ids: Collection[int]) -> set[int]:
    """Return those of some clips that nobody has labelled yet."""
    rows = store.connection.execute(
        f"SELECT c.id FROM active_clips c WHERE c.id IN (SELECT value FROM json_each(?)) AND {UNLABELLED}",
        (json.dumps(list(clip_ids)),),
    )
    return {clip_id for (clip_id,) in rows}


def _claim_unlabelled(store: Store, clip_ids: Sequence[int], annotator: str) -> list[int]:
    """Claim those of some clips that are unlabelled; return the claimed ones."""
    unlabelled = still_unlabelled(store, clip_ids)
    return next_clips.claim(store, [one for one in dict.fromkeys(clip_ids) if one in unlabelled], annotator=annotator)


def _suggestions(store: Store, clip_ids: Sequence[int]) -> dict[int, Suggestion]:
    found = ((clip_id, models.suggestion(store, clip_id)) for clip_id in clip_ids)
    return {clip_id: suggestion for clip_id, suggestion in found if suggestion is not None}


def _predictions(store: Store, clip_ids: Sequence[int], label: str) -> dict[int, Prediction]:
    predictions, uids = {}, dict[int, str]()
    for clip_id, suggestion in _suggestions(store, clip_ids).items():
        if suggestion.model_id not in uids:
            uids[suggestion.model_id] = models.uid(store, suggestion.model_id)
        probabilities = suggestion.probabilities
        rival = next((other for other in probabilities.items() if other[0] != label), ("", 0.0))
        predictions[clip_id] = Prediction(probabilities.get(label, 0.0), uids[suggestion.model_id], rival)
    return predictions
