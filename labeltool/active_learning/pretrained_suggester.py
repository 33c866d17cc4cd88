"""What a borrowed ear suggests, until the project's own network does it better.

At first by its own classes, put to the project's labels; then, as soon as that fares better, by a classifier over its
embeddings that learns in a moment from all that was answered.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from labeltool.active_learning import candidates, ordering
from labeltool.active_learning.candidates import Guess, Tell
from labeltool.audio.descriptors import hellinger_embeddings
from labeltool.errors import LabeltoolError, files_of
from labeltool.inference.clip_features import some_of
from labeltool.networks.heads import Head
from labeltool.pretrained import class_mapping, registry
from labeltool.pretrained.class_mapping import Mapped
from labeltool.pretrained.project_classes import Answers, Listener, propose
from labeltool.project import Project
from labeltool.records import LabelledClip, StoredClip
from labeltool.store import Store, clips, journal, models
from labeltool.training import linear_probe
from labeltool.training.targets import Lesson, lesson
from labeltool.type_aliases import Bools, Float32, Progress

# Before the first network so many clips without an answer are listened to at most: suggestions cannot wait for an
# archive. Of them so many teach the classifier by its own word.
_HEARD_AT_FIRST, _TEACHING = 4096, 512
_BATCH = 512
_KEPT_FEATURES = 128
# What no class is heard in is none of the labels: so much is held for that, where the best score is 1.
_NOTHING = 0.05


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


def chosen(project: Project, named: str | None = None) -> str | None:
    """Return the ear that was named, or the one the settings name where it is on the shelf."""
    name = named if named is not None else project.settings.ear
    return name if named is not None or name in registry.names(project) else None


def suggest(
    project: Project, store: Store, name: str, *, report: Progress, seed: int, asked_for: bool = False
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
        lessons = lesson(labelled)
    except LabeltoolError:
        lessons = None  # too few answers; told when there is nothing else either
    guess = candidates.best(_guesses(listener, labelled, clips.label_names(store), lessons, some, seed))
    if guess is None:
        if not clips.label_names(store):
            return f"{name} has no labels yet to suggest: answer a few clips, or import some that are labelled"
        return (
            f"none of {name}'s classes stands for a label: answer clips of two sounds, or `labeltool model map {name}`"
        )
    compared: dict[str, Any] = {}
    why = guess.by
    if network is not None:
        better, told, compared = candidates.against(project, guess, network)
        if not better and not asked_for:
            return told
        why = f"{guess.by}; {told}"
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
    guess: Guess,
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
        held = _of_clips(listener, guess, batch)
        rows = hellinger_embeddings(np.stack([sounds[clip.key] for clip in batch])) if batch else np.zeros((0, 1))
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
    count = ordering.order(
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
) -> list[Guess]:
    found = []
    if lessons is not None and listener.card.embedding:
        found += _by_answers(listener, lessons, waiting, seed)
    if listener.card.classes and labels:
        found += _by_classes(listener, Answers.heard(listener, labelled), labels, lessons)
    return [candidates.checked(guess) for guess in found]


def _by_answers(listener: Listener, lessons: Lesson, waiting: Sequence[StoredClip], seed: int) -> list[Guess]:
    """Return a classifier, or nothing where too little of what was answered can still be heard."""
    known, rows, pool = _rows(listener, lessons, waiting, seed)

    def taught(groups: Collection[str]) -> Tell | None:
        learnt = np.array([group not in groups for group in known.groups], bool)
        if not _teachable(known, learnt):
            return None
        # Near-duplicates in the pool teach nothing either.
        clear = np.array([group not in groups for group in pool.groups], bool)
        return linear_probe.taught(
            known.head, rows[learnt], known.present[learnt], known.absent[learnt], pool.rows[clear]
        )

    tell = taught(())
    if tell is None:
        return []
    by = f"a classifier over {listener.name}'s embeddings, taught by {len(known.clips)} clips"
    return [Guess(by, known.labels, known.background, known.head, True, tell, taught, known, rows)]


def _by_classes(listener: Listener, answers: Answers, labels: Sequence[str], lessons: Lesson | None) -> list[Guess]:
    """Return the ear's own classes, or nothing where none stands for a label."""
    head: Head = lessons.head if lessons is not None else "softmax"

    def spoken_for(mapped: Sequence[Mapped]) -> Tell:
        def tell(scores: Float32) -> Float32:
            told = class_mapping.shares(scores, mapped)
            return told if head == "sigmoid" else told / (told.sum(axis=1, keepdims=True) + np.float32(_NOTHING))

        return tell

    mapped = propose(listener, answers, labels)
    if not any(one.classes for one in mapped):
        return []
    known, rows = None, np.zeros((0, len(listener.card.classes)), np.float32)
    if lessons is not None:
        sounds = listener.hear(lessons.clips, embedding=False)
        known = lessons.only([clip for clip in lessons.clips if clip.key in sounds])
        rows = np.stack([sounds[clip.key] for clip in known.clips]) if known.clips else rows
    by = f"{listener.name}'s own classes for {sum(bool(one.classes) for one in mapped)} of {len(mapped)} labels"
    return [
        Guess(
            *(by, tuple(labels), None, head, False, spoken_for(mapped)),
            taught=lambda groups: spoken_for(propose(listener, answers.without(groups), labels)),
            known=known,
            rows=rows,
        )
    ]


def _of_clips(listener: Listener, guess: Guess, wanted: Sequence[StoredClip]) -> Float32:
    if not wanted:
        return np.zeros((0, len(guess.labels)), np.float32)
    sounds = listener.hear(wanted, embedding=guess.embedding)
    # What could be embedded may still have failed here: a file that went away meanwhile.
    silent = np.zeros_like(next(iter(sounds.values()), guess.rows[:1].sum(axis=0)))
    return guess.tell(np.stack([sounds.get(clip.key, silent) for clip in wanted]))


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


def _teachable(known: Lesson, learnt: Bools) -> bool:
    return int((known.present[learnt] > 0).any(axis=0).sum()) >= (2 if known.head == "softmax" else 1)
