"""Who could suggest by a borrowed ear, and how each fares on answers that it was not told of."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from labeltool.errors import LabeltoolError
from labeltool.evaluation import metrics
from labeltool.networks import model_folder
from labeltool.networks.heads import Head, log_loss
from labeltool.project import Project
from labeltool.store import models
from labeltool.training.targets import Lesson
from labeltool.training.warm_start import FEWEST_TO_JUDGE_BY
from labeltool.type_aliases import Float32, Int64

# Parts in which a guess is checked on answers that it was not told.
_PARTS = 5
_DOUBT = 0.01

Tell = Callable[[Float32], Float32]
"""What an ear makes of clips, (clips, width), to probabilities of labels, (clips, labels)."""


@dataclass(frozen=True, slots=True)
class Guess:
    """Somebody who could suggest.

    Attributes
    ----------
    embedding
        Whether by the ear's embeddings, or by its scores of classes.
    taught
        Returns who it is without the answers on clips of some groups; None where too little is left to go by.
    known, rows
        Answers to judge it by, and what the ear makes of their clips; None where there are not two things to tell
        apart.
    loss, accuracy
        How it fares on answers that it was not told; None before there are enough of them.
    """

    by: str
    labels: tuple[str, ...]
    background: str | None
    head: Head
    embedding: bool
    tell: Tell
    taught: Callable[[Collection[str]], Tell | None]
    known: Lesson | None
    rows: Float32
    loss: float | None = None
    accuracy: float | None = None


def best(guesses: Sequence[Guess]) -> Guess | None:
    """Return who fares best on answers that were not told to it; where not both were checked, the classes."""
    if len(guesses) > 1 and all(one.loss is not None for one in guesses):
        return min(guesses, key=lambda one: one.loss or 0.0)
    return guesses[-1] if guesses else None


def checked(guess: Guess) -> Guess:
    """Judge a guess by answers of groups that it was not told of, part by part."""
    known = guess.known
    if known is None or len(known.clips) < FEWEST_TO_JUDGE_BY:
        return guess
    part = _parts(known.groups)
    held = np.zeros_like(known.present)
    judged = np.zeros(len(part), bool)
    for number in range(_PARTS):
        test = part == number
        tell = guess.taught({known.groups[place] for place in np.flatnonzero(test)}) if test.any() else None
        if tell is not None:
            held[test], judged[test] = _held_of(guess, known, tell(guess.rows[test])), True
    if judged.sum() < FEWEST_TO_JUDGE_BY:
        return guess
    loss, accuracy = _fares(known.head, held[judged], known.present[judged], known.absent[judged])
    return replace(guess, loss=loss, accuracy=accuracy)


def _held_of(guess: Guess, known: Lesson, told: Float32) -> Float32:
    """Put what a guess told of its labels into the order of the answers' labels."""
    held = np.zeros((len(told), len(known.labels)), np.float32)
    for column, name in enumerate(known.labels):
        if name in guess.labels:
            held[:, column] = told[:, guess.labels.index(name)]
        elif name == known.background:
            held[:, column] = 1.0 - told.sum(axis=1)
    return held


def against(project: Project, guess: Guess, network: models.ModelRow) -> tuple[bool, str, dict[str, Any]]:
    """Hold a guess against the network on the network's validation clips, of which it is told nothing.

    Returns
    -------
    better
        Whether the guess is the one to suggest.
    why
        In words.
    compared
        The figures, for the card.
    """
    unjudged = True, f"model {network.id} has too few validation clips to be judged by", dict[str, Any]()
    known = guess.known
    if known is None:
        return unjudged
    try:
        checked_on = model_folder.read(project.models / str(network.id)).groups_checked()
    except LabeltoolError:
        return unjudged
    test = np.array([group in checked_on for group in known.groups], bool)
    # A sum over labels cannot be held against the loss of one answer.
    same = network.card.get("clip_rule", {}).get("head") == known.head
    own = network.card.get("log_loss") if same else None
    if own is None or test.sum() < FEWEST_TO_JUDGE_BY or (tell := guess.taught(checked_on)) is None:
        return unjudged
    held = _held_of(guess, known, tell(guess.rows[test]))
    loss, _ = _fares(known.head, held, known.present[test], known.absent[test])
    compared = {"network": network.id, "network_log_loss": own, "log_loss": loss}
    told = f"log loss {loss:.3f} on model {network.id}'s {int(test.sum())} validation clips, the model's {own:.3f}"
    return loss < own, told, compared


def _parts(groups: Sequence[str]) -> Int64:
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
