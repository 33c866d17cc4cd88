"""The clips that a model is most confidently wrong about, with picture and sound."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from labeltool.errors import in_one_line
from labeltool.networks.heads import decide
from labeltool.records import LabelledClip, StoredClip
from labeltool.report.contents import Media, Mistake, Mistakes
from labeltool.report.media import clip_media
from labeltool.report.model import decision_threshold, wrong_clips
from labeltool.store import Store
from labeltool.tasks.measure_clips import HeldOut, OnClips, unseen_labels_of
from labeltool.type_aliases import Bools, Float32, Progress

MAX_SOUND_BYTES, MAX_PICTURE_BYTES = 4 << 20, 2 << 20
"""Of the sounds and the pictures of all errors: with what the map plays, a page stays below 15 MB."""

_SCORES = 3
NONE_OF_THESE = "none of these"


def collect(store: Store, held: HeldOut, tested: OnClips, *, limit: int, is_shared: bool, report: Progress) -> Mistakes:
    """Return the mistakes of the float network on the clips that were measured, the most confident first."""
    assert tested.predictions is not None
    wrong = wrong_clips(held, tested, tested.predictions.as_float)
    confidence = _confidence(held, tested)
    rows = [int(row) for row in np.lexsort((np.arange(len(wrong)), -confidence)) if wrong[row]]
    shown, room, part = list[Mistake](), _Room(), _part_of(held)
    for number, row in enumerate(rows[:limit]):
        report("errors: pictures and sounds", number, min(limit, len(rows)))
        one = tested.clips[row]
        media = clip_media(one.clip, with_sound=not is_shared)
        media = Media(problem="cannot be read") if is_shared and media.problem else room.cut(media)
        shown.append(
            Mistake(
                one.clip.id,
                _true(held, tested, one),
                _predicted(held, tested, row),
                float(confidence[row]),
                _scores(tested, row),
                part(one.clip),
                "" if is_shared else clip_name(one.clip),
                () if is_shared else _notes(store, one.clip.id),
                media,
            )
        )
    return Mistakes(len(rows), tuple(shown))


class _Room:
    """What is left of the bytes that the page may have for errors."""

    def __init__(self) -> None:
        self._sound, self._picture = MAX_SOUND_BYTES, MAX_PICTURE_BYTES

    def cut(self, media: Media) -> Media:
        """Return what there is room for."""
        sound, picture = media.sound or b"", media.picture or b""
        self._sound -= len(sound)
        self._picture -= len(picture)
        missing = [name for name, left in (("sound", self._sound), ("picture", self._picture)) if left < 0]
        if not missing:
            return media
        return replace(
            media,
            sound=None if self._sound < 0 else media.sound,
            picture=None if self._picture < 0 else media.picture,
            problem=f"no {' and no '.join(missing)}: the page would be too large",
        )


def clip_name(clip: StoredClip) -> str:
    """Return the file and the times of a clip."""
    return in_one_line(f"{clip.path}, {clip.start_s:g} to {clip.end_s:g} s")


def _notes(store: Store, clip_id: int) -> tuple[str, ...]:
    rows = store.connection.execute(
        "SELECT note FROM active_events WHERE kind = 'note' AND clip_id = ? ORDER BY id", (clip_id,)
    )
    return tuple(str(note) for (note,) in rows)


def _part_of(held: HeldOut) -> Callable[[StoredClip], str]:
    """Return what says of a clip which part of the data it is to the model."""
    validated, pooled = held.files.groups_validated_on(), held.files.groups_in_pools()
    test_fold = held.files.card.test_fold

    def part(clip: StoredClip) -> str:
        if held.is_locked or (test_fold is not None and clip.fold == test_fold):
            return "test"
        if clip.group in validated:
            return "validation"
        return "trained on without its label" if clip.group in pooled else "not trained on"

    return part


def _true(held: HeldOut, tested: OnClips, one: LabelledClip) -> tuple[str, ...]:
    """Return the clip's labels, by the names of the rows of the confusion matrix."""
    if one.present or not one.none_of_these:
        return one.present
    if (background := held.files.background) is not None:
        return (held.names[held.files.labels.index(background)],)
    return unseen_labels_of(held.files, tested.scored.labels, one) or (NONE_OF_THESE,)


def _predicted(held: HeldOut, tested: OnClips, row: int) -> tuple[str, ...]:
    assert tested.predictions is not None
    scored = tested.scored
    chosen = decide(tested.predictions.as_float.clips[row : row + 1], scored.head, decision_threshold(held.files.rule))[
        0
    ]
    if scored.head == "sigmoid":  # a prediction that nobody has checked is no mistake
        chosen &= (scored.present[row] > 0) | (scored.absent[row] > 0)
    return tuple(label for label, is_chosen in zip(scored.labels, chosen, strict=True) if is_chosen)


def _scores(tested: OnClips, row: int) -> tuple[tuple[str, float], ...]:
    assert tested.predictions is not None
    scores: Float32 = tested.predictions.as_float.clips[row]
    best = np.argsort(-scores, kind="stable")[:_SCORES]
    return tuple((tested.scored.labels[column], float(scores[column])) for column in best)


def _confidence(held: HeldOut, tested: OnClips) -> Float32:
    """Return the probability of each clip's most certain wrong decision, (clips,)."""
    assert tested.predictions is not None
    scored, scores = tested.scored, tested.predictions.as_float.clips
    if scored.head == "softmax":
        return np.asarray(scores.max(axis=1), np.float32)
    predicted = decide(scores, scored.head, decision_threshold(held.files.rule))
    checked: Bools = (scored.present > 0) | (scored.absent > 0)
    is_wrong = checked & (predicted != (scored.present > scored.absent))
    return np.asarray(np.where(is_wrong, np.where(predicted, scores, 1 - scores), 0).max(axis=1), np.float32)
