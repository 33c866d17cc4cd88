"""What a borrowed ear suggests, until the project's own network does it better.

At first by its own classes, put to the project's labels; then, as soon as that fares better, by a classifier over its
embeddings that learns in a moment from all that was answered.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from labeltool import asking, metrics, modelfiles
from labeltool.ancestry import FEWEST_TO_JUDGE_BY
from labeltool.ears import mapping, shelf
from labeltool.ears.mapping import Mapped
from labeltool.earshot import Listener, Report, propose
from labeltool.errors import LabeltoolError
from labeltool.heads import Head, log_loss
from labeltool.hearing import files_of, some_of
from labeltool.hints import hellinger
from labeltool.lessons import Lesson, lesson
from labeltool.project import Project
from labeltool.records import LabelledClip, StoredClip
from labeltool.store import Store, clips, journal, models

Float32 = npt.NDArray[np.float32]

# Before the first network so many clips without an answer are listened to at most: suggestions cannot wait for an
# archive. Of them so many teach the classifier by its own word.
_HEARD_AT_FIRST, _TEACHING = 4096, 512
_BATCH = 512
_KEPT_FEATURES = 128
# What no class is heard in is none of the labels: so much is held for that, where the best score is 1.
_NOTHING = 0.05
# Parts in which the classifier is checked on answers that it was not told.
_PARTS = 5
_DOUBT = 0.01


@dataclass(frozen=True, slots=True)
class Heard:
    """What an ear makes of clips.

    Attributes
    ----------
    suggestions
        How many clips that wait for an answer got one.
    why
        Why the ear suggests, and by what, in words.
    """

    model_id: int
    suggestions: int
    why: str
    left_out: list[dict[str, str]]


@dataclass(frozen=True, slots=True)
class _Guess:
    """Somebody who could suggest: labels, probabilities of any embeddings or scores, and how that fared on answers."""

    by: str
    labels: tuple[str, ...]
    background: str | None
    head: Head
    tell: Callable[[Sequence[StoredClip]], Float32]
    loss: float | None
    accuracy: float | None


def chosen(project: Project, named: str | None = None) -> str | None:
    """Return the ear that was named, or the one the settings name where it is on the shelf."""
    name = named if named is not None else project.settings.ear
    return name if named is not None or name in shelf.names(project) else None


def suggest(
    project: Project, store: Store, name: str, *, report: Report, seed: int, asked_for: bool = False
) -> Heard | str:
    """Let an ear suggest for all clips and order the queue, or say why it does not.

    Parameters
    ----------
    asked_for
        Whether a person wants the ear's word, whatever the network is worth.

    Raises
    ------
    LabeltoolError
        When there is no such ear, or a file of the mapping cannot be read.
    """
    listener = Listener(project, name, report=report)
    mark = journal.mark(store)
    labelled = clips.labelled(store)
    network = models.latest(store)
    waiting = clips.unanswered(store)
    if network is not None and not asked_for and len(waiting) > _HEARD_AT_FIRST:
        return f"{name} would have to listen to {len(waiting):,} clips; `labeltool suggest --ear {name}` lets it"
    some = waiting if network is not None else some_of(waiting, _HEARD_AT_FIRST, seed=seed)
    try:
        lessons = lesson(labelled) if listener.card.embedding else None
    except LabeltoolError:
        lessons = None  # too few answers; told when there is nothing else either
    compared: dict[str, Any] = {}
    why = ""
    if lessons is not None and network is not None:
        better, why, compared = _against(project, listener, lessons, network, some, seed)
        if not better and not asked_for:
            return why
    guess = _best(_guesses(listener, labelled, clips.label_names(store), lessons, some, seed))
    if guess is None:
        if not clips.label_names(store):
            return f"{name} has no labels yet to suggest: answer a few clips, or import some that are labelled"
        return (
            f"none of {name}'s classes stands for a label: answer clips of two sounds, or `labeltool model map {name}`"
        )
    why = f"{guess.by}; {why}" if why else guess.by
    if asked_for:
        why = f"{guess.by}; asked for"
    card = {
        "architecture": models.BORROWED,
        "ear": name,
        "why": why,
        "labels": list(guess.labels),
        "background": guess.background,
        "clip_rule": {"head": guess.head},
        "labels_seen": len(labelled),
        "clip_accuracy": guess.accuracy,
        "int8_clip_accuracy": None,
        "seed": seed,
        **compared,
    }
    heard = [*some, *(one.clip for one in labelled)]
    return _write(project, store, listener, guess, card, heard, mark, why, network.id if network else None)


def _write(
    project: Project,
    store: Store,
    listener: Listener,
    guess: _Guess,
    card: dict[str, Any],
    wanted: Sequence[StoredClip],
    mark: str,
    why: str,
    network_id: int | None,
) -> Heard | str:
    embedding = listener.card.embedding is not None
    heard: list[StoredClip] = []
    told, features = [], []
    projection: Float32 | None = None
    for first in range(0, len(wanted), _BATCH):
        sounds = listener.hear(wanted[first : first + _BATCH], embedding=embedding)
        batch = [clip for clip in wanted[first : first + _BATCH] if clip.key in sounds]
        held = guess.tell(batch) if batch else np.zeros((0, len(guess.labels)), np.float32)
        rows = hellinger(np.stack([sounds[clip.key] for clip in batch])) if batch else np.zeros((0, 1))
        if batch and projection is None:
            # Distances survive a random projection onto so many (Johnson-Lindenstrauss).
            scale = 1.0 / np.sqrt(_KEPT_FEATURES)
            projection = np.random.default_rng(0).normal(0.0, scale, (rows.shape[1], _KEPT_FEATURES)).astype(np.float32)
        if batch and projection is not None:
            heard += batch
            told.append(held)
            features.append((rows @ projection).astype(np.float32))
    left_out = files_of(listener.failed.values())
    if not heard:
        raise next(iter(listener.failed.values()), LabeltoolError("there are no clips", remedy="`labeltool import`"))
    probabilities = np.concatenate(told)
    newest = models.latest(store)
    if newest is not None and newest.id != network_id:
        return f"model {newest.id} was trained meanwhile"
    model_id = models.add(store, parent_id=None, card=card, journal_mark=mark, publish=lambda _: None)
    models.replace_suggestions(
        store,
        [
            models.suggestion_of(clip.id, model_id, card, row.tolist())
            for clip, row in zip(heard, probabilities, strict=True)
        ],
    )
    shares = probabilities
    if guess.head == "softmax":
        # What is held for none of the labels is doubt, not certainty: such a clip may be of a label nobody has met.
        rest = np.maximum(0.0, 1.0 - probabilities.sum(axis=1, keepdims=True)) / (probabilities.shape[1] + 1)
        shares = np.concatenate([probabilities + rest, rest], axis=1).astype(np.float32)
    count = asking.order(
        project, store, heard, np.concatenate(features), shares, head=guess.head, seed=int(card["seed"])
    )
    return Heard(model_id, count, why, left_out)


def _guesses(
    listener: Listener,
    labelled: Sequence[LabelledClip],
    labels: Sequence[str],
    lessons: Lesson | None,
    waiting: Sequence[StoredClip],
    seed: int,
) -> list[_Guess]:
    found = []
    if lessons is not None:
        found += _by_answers(listener, lessons, waiting, seed)
    if listener.card.classes and labels:
        mapped = propose(listener, labelled, labels)
        if any(one.classes for one in mapped):
            found.append(_by_classes(listener, mapped, lessons))
    return found


def _best(guesses: Sequence[_Guess]) -> _Guess | None:
    """Return who fares best on answers that were not told to it; where not both were checked, the classes."""
    if len(guesses) > 1 and all(one.loss is not None for one in guesses):
        return min(guesses, key=lambda one: one.loss or 0.0)
    return guesses[-1] if guesses else None


def _by_answers(listener: Listener, lessons: Lesson, waiting: Sequence[StoredClip], seed: int) -> list[_Guess]:
    """Return a classifier, or nothing where too little of what was answered can still be heard."""
    known, rows, pool = _rows(listener, lessons, waiting, seed)
    if not _teachable(known, np.ones(len(rows), bool)):
        return []
    held = np.zeros_like(known.present)
    part = _parts(known.groups)
    checked = np.zeros(len(part), bool)
    for number in range(_PARTS):
        test, rest = part == number, part != number
        if test.any() and _teachable(known, rest):
            held[test], checked[test] = _taught(known, rows, rest, pool)(rows[test]), True
    tell = _taught(known, rows, np.ones(len(rows), bool), pool)
    loss = accuracy = None
    if checked.sum() >= FEWEST_TO_JUDGE_BY:
        loss, accuracy = _fares(known.head, held[checked], known.present[checked], known.absent[checked])

    def of_clips(wanted: Sequence[StoredClip]) -> Float32:
        sounds = listener.hear(wanted, embedding=True)
        return tell(np.stack([sounds[clip.key] for clip in wanted]))

    by = f"a classifier over {listener.name}'s embeddings, taught by {len(known.clips)} clips"
    return [_Guess(by, known.labels, known.background, known.head, of_clips, loss, accuracy)]


def _by_classes(listener: Listener, mapped: Sequence[Mapped], lessons: Lesson | None) -> _Guess:
    head: Head = lessons.head if lessons is not None else "softmax"

    def of_clips(wanted: Sequence[StoredClip]) -> Float32:
        sounds = listener.hear(wanted, embedding=False)
        # What could be embedded may still have failed here: a file that went away meanwhile.
        silent = np.zeros(len(listener.card.classes), np.float32)
        told = mapping.shares(np.stack([sounds.get(clip.key, silent) for clip in wanted]), mapped)
        return told if head == "sigmoid" else told / (told.sum(axis=1, keepdims=True) + np.float32(_NOTHING))

    labels = tuple(one.label for one in mapped)
    by = f"{listener.name}'s own classes for {sum(bool(one.classes) for one in mapped)} of {len(mapped)} labels"
    guess = _Guess(by, labels, None, head, of_clips, None, None)
    if lessons is None or len(lessons.clips) < FEWEST_TO_JUDGE_BY:
        return guess
    held = of_clips(lessons.clips)
    told = np.zeros_like(lessons.present)
    for column, name in enumerate(lessons.labels):
        if name in labels:
            told[:, column] = held[:, labels.index(name)]
        elif name == lessons.background:
            told[:, column] = 1.0 - held.sum(axis=1)
    loss, accuracy = _fares(lessons.head, told, lessons.present, lessons.absent)
    return replace(guess, loss=loss, accuracy=accuracy)


def _against(
    project: Project,
    listener: Listener,
    lessons: Lesson,
    network: models.ModelRow,
    waiting: Sequence[StoredClip],
    seed: int,
) -> tuple[bool, str, dict[str, Any]]:
    """Hold the classifier against the network on the network's validation clips.

    Returns
    -------
    better
        Whether the ear is the one to suggest.
    why
        In words.
    compared
        The figures, for the card.
    """
    known, rows, pool = _rows(listener, lessons, waiting, seed)
    try:
        checked_on = modelfiles.read(project.models / str(network.id)).groups_checked()
    except LabeltoolError:
        checked_on = set()
    test = np.array([group in checked_on for group in known.groups], bool)
    # A sum over labels cannot be held against the loss of one answer.
    same = network.card.get("clip_rule", {}).get("head") == known.head
    own = network.card.get("log_loss") if same else None
    if own is None or test.sum() < FEWEST_TO_JUDGE_BY or not _teachable(known, ~test):
        return True, f"model {network.id} has too few validation clips to be judged by", {}
    # None of their near-duplicates in the pool either.
    clear = np.array([group not in checked_on for group in pool.groups], bool)
    tell = _taught(known, rows, ~test, _Pool(pool.rows[clear], [g for g in pool.groups if g not in checked_on]))
    loss = float(log_loss(known.head, tell(rows[test]), known.present[test], known.absent[test]).mean())
    compared = {"network": network.id, "network_log_loss": own, "log_loss": loss}
    told = f"log loss {loss:.3f} on model {network.id}'s {int(test.sum())} validation clips, the model's {own:.3f}"
    return loss < own, told, compared


@dataclass(frozen=True, slots=True)
class _Pool:
    """Clips without an answer that teach: embeddings, (clips, width), and groups."""

    rows: Float32
    groups: list[str]


def _rows(
    listener: Listener, lessons: Lesson, waiting: Sequence[StoredClip], seed: int
) -> tuple[Lesson, Float32, _Pool]:
    """Return what can be learnt from: the answered clips that can be heard, embedded, and a pool of others."""
    sounds = listener.hear(lessons.clips, embedding=True)
    known = lessons.only([clip for clip in lessons.clips if clip.key in sounds])
    if not known.clips:
        raise next(iter(listener.failed.values()))
    some = some_of(waiting, _TEACHING, seed=seed)
    others = listener.hear(some, embedding=True)
    pooled = [clip for clip in some if clip.key in others]
    rows = np.stack([sounds[clip.key] for clip in known.clips])
    pool = np.stack([others[clip.key] for clip in pooled]) if pooled else rows[:0]
    return known, rows, _Pool(pool, [clip.group for clip in pooled])


def _taught(known: Lesson, rows: Float32, learnt: npt.NDArray[np.bool_], pool: _Pool) -> Callable[[Float32], Float32]:
    from labeltool.teacher import taught

    return taught(known.head, rows[learnt], known.present[learnt], known.absent[learnt], pool.rows)


def _teachable(known: Lesson, learnt: npt.NDArray[np.bool_]) -> bool:
    return int((known.present[learnt] > 0).any(axis=0).sum()) >= (2 if known.head == "softmax" else 1)


def _parts(groups: Sequence[str]) -> npt.NDArray[np.int64]:
    """Part clips for checking, groups whole; a group's name alone decides."""
    marks = (int.from_bytes(hashlib.sha256(group.encode()).digest()[:8]) for group in groups)
    return np.array([mark % _PARTS for mark in marks], np.int64)


def _fares(head: Head, held: Float32, present: Float32, absent: Float32) -> tuple[float, float]:
    """Return log loss and the share of clips that are right.

    A guess of nothing at all is charged as if a little were left for it: else one clip would settle everything.
    """
    left = _DOUBT / held.shape[1] if head == "softmax" else _DOUBT / 2
    loss = float(log_loss(head, (1.0 - _DOUBT) * held + np.float32(left), present, absent).mean())
    return loss, float((metrics.right(held, present, absent, head) == 1.0).mean())
