"""Suggestions: what a model holds of every clip; of those answered too, so that its doubts can be reviewed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from labeltool.active_learning import ordering, pretrained_suggester, strategies
from labeltool.inference import embed
from labeltool.inference.clip_features import cache_of, hear
from labeltool.networks import model_folder
from labeltool.project import Project
from labeltool.store import Store, clips, models
from labeltool.type_aliases import Progress
from labeltool.util import locks

if TYPE_CHECKING:
    import keras

# Clips whose features are held at once: progress moves, and an interrupted run keeps what it has heard.
_BATCH = 512


@dataclass(frozen=True, slots=True)
class Suggested:
    """How many clips without an answer got a suggestion, and which files could not be heard."""

    waiting: int
    left_out: list[dict[str, str]]


def suggest(
    project: Project,
    *,
    report: Progress,
    model_id: int | None = None,
    ear: str | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Score every clip and order the queue; a task of the worker.

    By the model or ear that is named; else by the ear of the settings where there is no network yet or the ear does
    better (`labeltool.borrowed`), by the newest network where there is one, and before both the order alone is made, by
    sound and with the seed: `model` is None then.

    Returns
    -------
    dict
        `{"model", "ear", "why", "suggestions", "left_out"}`; `why` says why an ear suggests, or does not.
    """
    with in_turn(project, report), project.open_store() as store:
        why = ""
        name = pretrained_suggester.chosen(project, ear) if model_id is None else None
        if name is not None:
            heard = pretrained_suggester.suggest(
                project, store, name, report=report, seed=seed, asked_for=ear is not None
            )
            if isinstance(heard, pretrained_suggester.Heard):
                return {
                    "model": heard.model_id,
                    "ear": name,
                    "why": heard.why,
                    "suggestions": heard.suggestions,
                    "left_out": heard.left_out,
                }
            why = heard
        if model_id is None and models.latest(store) is None:
            left_out = ordering.order_by_sound(project, store, seed=seed, report=report)
            return {"model": None, "ear": None, "why": why, "suggestions": 0, "left_out": left_out}
        chosen = models.model(store, model_id).id
        suggested = suggest_for_all(project, store, chosen, report=report)
    return {
        "model": chosen,
        "ear": None,
        "why": why,
        "suggestions": suggested.waiting,
        "left_out": suggested.left_out,
    }


@contextmanager
def in_turn(project: Project, report: Progress) -> Iterator[None]:
    """Let one process at a time work out suggestions and write them down; tell of it while one waits.

    What a second one wrote between the first one's reading and writing would be lost, or half of it.
    """
    with locks.in_turn(project.cache / "suggest.lock", lambda: report("waiting for another suggester", 0, 0)):
        yield


def suggest_for_all(
    project: Project,
    store: Store,
    model_id: int,
    *,
    report: Progress,
    network: keras.Model | None = None,
) -> Suggested:
    """Write a model's suggestions for every clip, and the order to ask in; `network` is its float one, if at hand."""
    files = model_folder.read(project.models / str(model_id))
    cache = cache_of(project, files.frontend, files.ear)
    listener = embed.Listener(files, network, with_int8=project.settings.asking == strategies.BY_INT8)
    wanted = clips.all_clips(store)
    impressions: list[embed.Impression] = []
    left_out: list[dict[str, str]] = []
    for first in range(0, len(wanted), _BATCH):
        report("suggesting", first, len(wanted))
        hearing = hear(cache, wanted[first : first + _BATCH], report=_quietly, need=False)
        left_out += (one for one in hearing.left_out if one not in left_out)
        impressions += listener.listen(hearing)
    suggestions = [
        models.suggestion_of(one.clip.id, model_id, files.card, one.probabilities.tolist()) for one in impressions
    ]
    models.replace_suggestions(store, suggestions)
    waiting = ordering.order_by_model(project, store, impressions, head=files.rule.head, seed=files.card["seed"])
    return Suggested(waiting, left_out)


def _quietly(*_: object) -> None:
    """Say nothing: the stage that listens is told of already."""
