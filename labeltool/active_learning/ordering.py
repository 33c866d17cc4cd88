"""The order to ask in: from how clips sound, and what a model holds of them, to places in the queue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from labeltool.active_learning import strategies
from labeltool.audio import descriptors
from labeltool.inference.clip_features import cache_of, hear, some_of
from labeltool.inference.embed import Impression
from labeltool.networks.architectures import sound_frontend
from labeltool.networks.heads import Head
from labeltool.project import Project
from labeltool.records import StoredClip
from labeltool.store import Store, clips, models, queue
from labeltool.type_aliases import Float32, Progress

if TYPE_CHECKING:
    pass

# Before the first model so many clips are listened to at most: the first questions cannot wait for a whole archive.
_HEARD_AT_FIRST = 4096


def order_by_model(
    project: Project,
    store: Store,
    impressions: Sequence[Impression],
    *,
    head: Head,
    seed: int,
) -> int:
    """Write the order to ask in down, by what a model makes of all clips, answered ones too; return how many wait.

    Parameters
    ----------
    head
        Whether the model's outputs are one answer together or one each.
    """
    if not impressions:
        queue.replace(store, [])
        return 0
    # What the network has learnt to tell apart, and what any ear does: early on the second is the better guide.
    embeddings = np.concatenate(
        [
            descriptors.standardised(np.stack([one.features for one in impressions])),
            descriptors.standardised(np.stack([one.sound for one in impressions])),
        ],
        axis=1,
    )
    int8 = [one.int8_probabilities for one in impressions if one.int8_probabilities is not None]
    return order(
        project,
        store,
        [one.clip for one in impressions],
        embeddings,
        np.stack([one.probabilities for one in impressions]),
        np.stack(int8) if int8 else None,
        head=head,
        seed=seed,
    )


def order(
    project: Project,
    store: Store,
    heard: Sequence[StoredClip],
    embeddings: Float32,
    probabilities: Float32,
    int8_probabilities: Float32 | None = None,
    *,
    head: Head,
    seed: int,
) -> int:
    """Write the order to ask in down, by what is held of clips, answered ones too; return how many wait.

    Parameters
    ----------
    embeddings : (clips, features) float32
        Clips that sound alike lie close.
    probabilities, int8_probabilities : (clips, labels) float32
    head
        Whether the labels are one answer together or one each.
    """
    waiting = {clip.id for clip in clips.unanswered(store)}
    is_waiting = np.array([clip.id in waiting for clip in heard], bool)
    asked = [clip for clip in heard if clip.id in waiting]
    held = [None if one is None else one[is_waiting] for one in (probabilities, int8_probabilities)]
    as_float, as_int8 = _as_shares(held, head)
    pool = strategies.Pool(
        embeddings=embeddings[is_waiting],
        groups=[clip.group for clip in asked],
        answered=embeddings[~is_waiting],
        probabilities=as_float,
        int8_probabilities=as_int8,
    )
    _write(project, store, asked, pool, seed)
    return len(asked)


def _as_shares(held: Sequence[Float32 | None], head: Head) -> list[Float32 | None]:
    """Return clips' probabilities, the float ones first, as shares that sum to one, which is what strategies compare.

    Where each label stands for itself, a clip is as doubtful as the label that the model is least sure of: yes or no.
    """
    first = held[0]
    if head == "softmax" or first is None or not len(first):
        return list(held)
    doubted = np.arange(len(first)), np.abs(first - 0.5).argmin(axis=1)
    return [None if one is None else np.stack([one[doubted], 1 - one[doubted]], axis=1) for one in held]


def order_by_sound(project: Project, store: Store, *, seed: int, report: Progress) -> list[dict[str, str]]:
    """Write an order down before there is a model; return which files could not be heard."""
    frontend = sound_frontend(project.settings.architecture, project.settings.patch_s)
    waiting = clips.unanswered(store)
    waiting_ids = {clip.id for clip in waiting}
    answered = [clip for clip in clips.all_clips(store) if clip.id not in waiting_ids]
    wanted = some_of(waiting, _HEARD_AT_FIRST, seed=seed) + answered[:_HEARD_AT_FIRST]
    hearing = hear(cache_of(project, frontend), wanted, report=report, need=False)
    if not hearing.clips:
        return hearing.left_out
    embeddings = descriptors.standardised(
        np.stack([descriptors.describe(heard, frontend) for heard in hearing.log_mels])
    )
    is_waiting = np.array([clip.id in waiting_ids for clip in hearing.clips])
    asked = [clip for clip in hearing.clips if clip.id in waiting_ids]
    pool = strategies.Pool(embeddings[is_waiting], [clip.group for clip in asked], embeddings[~is_waiting])
    # A model that was trained meanwhile knows better.
    if models.latest(store) is None:
        _write(project, store, asked, pool, seed)
    return hearing.left_out


def _write(project: Project, store: Store, asked: Sequence[StoredClip], pool: strategies.Pool, seed: int) -> None:
    # Twice as many as are answered before the next model: people go on while it trains.
    count = 2 * project.settings.retrain_after
    order = strategies.rank(project.settings.asking, pool, seed=seed, count=count)
    queue.replace(store, [asked[index].id for index in order])
