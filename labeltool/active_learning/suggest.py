"""Suggest labels for every clip, labelled ones too, for the review of their labels; and order the queue."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from labeltool.active_learning import candidates, pretrained_suggester, queue_order, strategies
from labeltool.active_learning.result import SuggestResult
from labeltool.active_learning.scored_clips import ScoredClips
from labeltool.inference.clip_features import compute_features, feature_cache_of_model
from labeltool.inference.embed import FeatureExtractor
from labeltool.networks import model_folder
from labeltool.parallel import engine
from labeltool.project import Project
from labeltool.records import Skipped
from labeltool.store import Store, clips, models, queue
from labeltool.type_aliases import Progress
from labeltool.util.files import locks
from labeltool.util.lazy_frames import pick
from labeltool.util.time_limit import NO_LIMIT, TimeLimit

if TYPE_CHECKING:
    import keras

# Clips whose features are in memory at once; an interrupted run keeps the features of the batches before.
_BATCH, _BATCH_IN_A_BUDGET = 512, 32


def suggest(
    project: Project, *, report: Progress, model_id: int | None = None, pretrained: str | None = None, seed: int = 0
) -> SuggestResult:
    """Suggest labels for every clip and order the queue; a task of the worker.

    By the model or pretrained model that is named; else by the pretrained model of the settings where there is no
    network yet or it does better than the newest one (`pretrained_suggester`); else by the newest network. Before all
    of them only the queue is written, by descriptors of the sound.
    """
    with suggestion_lock(project, report), project.open_store(to_write=True) as store:
        why = ""
        name = pretrained_suggester.select_pretrained(project, pretrained) if model_id is None else None
        if name is not None:
            result = pretrained_suggester.suggest_by_pretrained(
                project, store, name, report=report, seed=seed, forced=pretrained is not None
            )
            if isinstance(result, SuggestResult):
                return result
            why = result.why
        chosen = candidates.suggesting_model(store) if model_id is None else models.model(store, model_id)
        if chosen is None:
            skipped = queue_order.order_by_sound(project, store, seed=seed, report=report)
            return SuggestResult(None, None, why, 0, skipped)
        return replace(suggest_by_model(project, store, chosen.id, report=report), why=why)


@contextmanager
def suggestion_lock(project: Project, report: Progress) -> Iterator[None]:
    """Let one process at a time compute suggestions and write them; report while another one does.

    Else what one process wrote between another's reading and writing would be lost.
    """
    with locks.wait_for_lock(project.cache / "suggest.lock", "suggester", lambda what: report(what, 0, 0)):
        yield


def suggest_by_model(
    project: Project,
    store: Store,
    model_id: int,
    *,
    report: Progress,
    network: keras.Model | None = None,
    limit: TimeLimit = NO_LIMIT,
) -> SuggestResult:
    """Write a model's suggestions for every clip, and the queue.

    Parameters
    ----------
    limit
        No clips are begun that would not be ready by then, but for the first few. The unlabelled ones come first, in
        a pseudo-random order, and among them those by which the queue is ordered.
    """
    files = model_folder.read(project.models / str(model_id))
    cache = feature_cache_of_model(project, files)
    with_int8 = project.settings.learning.query_strategy == strategies.BY_INT8
    extractor = FeatureExtractor(files, network, with_int8=with_int8)
    all_clips, batch = clips.all_clips(store), _BATCH
    ids, order = np.asarray(all_clips.ids), np.arange(len(all_clips))
    is_unlabelled = np.isin(ids, np.asarray(queue.unlabelled_ids(store)))
    is_compared = queue_order.clips_to_compare(all_clips, is_unlabelled, seed=files.card.seed)
    if limit != NO_LIMIT:
        batch, order = _BATCH_IN_A_BUDGET, np.random.default_rng(files.card.seed).permutation(len(all_clips))
        order = order[np.lexsort((~is_compared[order], ~is_unlabelled[order]))]
    scored = ScoredClips(set(ids[is_compared].tolist()), cache.frontend)
    skipped: list[Skipped] = []
    longest_s, left_s = 0.0, limit.left_s
    # Dask's workers get enough at once that all have some; scores are computed as without them.
    ahead = batch * engine.worker_count() if engine.uses_dask() and limit == NO_LIMIT else 0
    for first in range(0, len(all_clips), batch):
        report("suggesting", first, len(all_clips))
        before_s, left_s = left_s, limit.left_s
        longest_s = max(longest_s, before_s - left_s) if limit != NO_LIMIT else 0.0
        if scored.ids and left_s <= longest_s:
            break
        if ahead and first % ahead == 0:
            cache.compute(pick(all_clips, order[first : first + ahead]))
        features = compute_features(
            cache,
            pick(all_clips, order[first : first + batch]),
            report=_ignore,
            require_any=False,
            limit=limit if scored.ids else NO_LIMIT,
        )
        skipped += (one for one in features.skipped if one not in skipped)
        scored.add(extractor.extract(features), features.frames)
    outputs = models.Outputs(files.labels, files.background, files.rule.head == "sigmoid")
    models.replace_by_scores(store, model_id, outputs, scored.ids, scored.probabilities)
    compared = scored.predictions_to_order_by(files.rule.head)
    queue_order.order_by_predictions(project, store, compared, seed=files.card.seed)
    # The time may be up within a batch too.
    missing = pick(all_clips, np.flatnonzero(is_unlabelled & ~np.isin(ids, np.asarray(scored.ids))))
    unreadable = {one.file for one in skipped}
    left_out = 0 if limit == NO_LIMIT else sum(clip.path not in unreadable for clip in missing)
    return SuggestResult(model_id, None, "", int(is_unlabelled.sum()) - len(missing), tuple(skipped), left_out)


def _ignore(*_: object) -> None:
    """Take a report and drop it: batches are reported already."""
