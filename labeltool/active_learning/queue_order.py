"""The order of the queue: from the embeddings and probabilities of clips to their ranks, by a query strategy.

`strategies` ranks, `store.queue` keeps the ranks, and `annotation.next_clips` serves clips by them.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labeltool.active_learning import strategies
from labeltool.audio import descriptors
from labeltool.inference.clip_features import compute_features, draw_clips, feature_cache_of, shuffled_indices
from labeltool.networks.architectures import sound_frontend
from labeltool.networks.heads import Head
from labeltool.project import Project
from labeltool.records import Skipped, StoredClip
from labeltool.store import Store, clips, models, queue
from labeltool.type_aliases import Bools, Float32, Progress
from labeltool.util.lazy_frames import pick

# Before the first model at most this many clips are read: the first clips to label cannot wait for a whole archive.
_MAX_CLIPS_BEFORE_MODEL = 4096
# With a model the order is chosen among at most this many unlabelled clips, compared with as many labelled ones: the
# embeddings of a clip are 1.3 kB, and some forty clips are labelled before the order is computed again.
_MAX_COMPARED = 32_768


@dataclass(frozen=True, slots=True)
class ClipPredictions:
    """The embeddings and predictions of clips, labelled and unlabelled, that query strategies compare.

    Attributes
    ----------
    embeddings : (clips, features) float32
        Similar clips lie close.
    probabilities, int8_probabilities : (clips, labels) float32
        By the float and the int8 network; the second only where the strategy needs it.
    head
        "softmax": one label a clip; "sigmoid": each label has a probability of its own.
    """

    clips: Sequence[StoredClip]
    embeddings: Float32
    probabilities: Float32
    head: Head
    int8_probabilities: Float32 | None = None


def clips_to_compare(all_clips: Sequence[StoredClip], is_unlabelled: Bools, *, seed: int) -> Bools:
    """Return whether the embedding of each clip orders the queue: of all, or of a draw of many, always the same."""
    compared = np.zeros(len(all_clips), bool)
    for rows in (np.flatnonzero(is_unlabelled), np.flatnonzero(~is_unlabelled)):
        compared[rows[shuffled_indices(pick(all_clips, rows), seed=seed)[:_MAX_COMPARED]]] = True
    return compared


def order_by_predictions(project: Project, store: Store, predictions: ClipPredictions, *, seed: int) -> int:
    """Write the queue by predictions for clips, labelled ones too; return how many are unlabelled."""
    is_unlabelled = np.isin([clip.id for clip in predictions.clips], np.asarray(queue.unlabelled_ids(store)))
    unlabelled = [*pick(predictions.clips, np.flatnonzero(is_unlabelled))]
    both = (predictions.probabilities, predictions.int8_probabilities)
    probabilities, int8_probabilities = _as_distributions(
        [None if rows is None else rows[is_unlabelled] for rows in both], predictions.head
    )
    pool = strategies.Pool(
        embeddings=predictions.embeddings[is_unlabelled],
        groups=[clip.group for clip in unlabelled],
        labelled=predictions.embeddings[~is_unlabelled],
        probabilities=probabilities,
        int8_probabilities=int8_probabilities,
    )
    _write_queue(project, store, unlabelled, pool, seed)
    return len(unlabelled)


def _as_distributions(probabilities: Sequence[Float32 | None], head: Head) -> list[Float32 | None]:
    """Return probabilities, the float ones first, as distributions that sum to one, which is what strategies compare.

    Under a sigmoid a clip is as uncertain as its most uncertain label: the distribution is that label's yes and no.
    """
    first = probabilities[0]
    if head == "softmax" or first is None or not len(first):
        return list(probabilities)
    most_uncertain = np.arange(len(first)), np.abs(first - 0.5).argmin(axis=1)
    return [
        None if rows is None else np.stack([rows[most_uncertain], 1 - rows[most_uncertain]], axis=1)
        for rows in probabilities
    ]


def order_by_sound(project: Project, store: Store, *, seed: int, report: Progress) -> tuple[Skipped, ...]:
    """Write the queue before there is a model, by descriptors; return the unreadable files."""
    frontend = sound_frontend(project.settings.learning)
    unlabelled, every = clips.unlabelled(store), clips.all_clips(store)
    unlabelled_ids = set(unlabelled.ids)
    labelled = (clip for clip in every if clip.id not in unlabelled_ids)
    wanted = draw_clips(unlabelled, _MAX_CLIPS_BEFORE_MODEL, seed=seed)
    wanted += itertools.islice(labelled, _MAX_CLIPS_BEFORE_MODEL)
    features = compute_features(feature_cache_of(project, frontend), wanted, report=report, require_any=False)
    if not features.clips:
        return features.skipped
    embeddings = descriptors.standardise(np.stack([frontend.describe(frames) for frames in features.frames]))
    is_unlabelled = np.array([clip.id in unlabelled_ids for clip in features.clips])
    candidates = [clip for clip in features.clips if clip.id in unlabelled_ids]
    pool = strategies.Pool(embeddings[is_unlabelled], [clip.group for clip in candidates], embeddings[~is_unlabelled])
    # A model that was trained meanwhile has written a better order.
    if models.latest(store) is None:
        _write_queue(project, store, candidates, pool, seed)
    return features.skipped


def _write_queue(
    project: Project, store: Store, unlabelled: Sequence[StoredClip], pool: strategies.Pool, seed: int
) -> None:
    # Twice the labels that start a training: people go on labelling while it runs.
    count = 2 * project.settings.learning.retrain_after
    order = strategies.rank(project.settings.learning.query_strategy, pool, seed=seed, count=count)
    queue.replace(store, [unlabelled[index].id for index in order])
