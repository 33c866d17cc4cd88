"""Suggestions: what a model holds of every clip; of those answered too, so that its doubts can be reviewed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from labeltool import modelfiles, scoring
from labeltool.features import FeatureCache
from labeltool.project import Project
from labeltool.records import StoredClip, Suggestion
from labeltool.store import Store, clips, models

# Clips whose features are held at once: progress moves, and an interrupted run keeps what it has heard.
_BATCH = 512


def suggest(project: Project, *, report: Callable[..., None], model_id: int | None = None) -> dict[str, Any]:
    """Score every clip by a model, by default the newest; a task of the worker."""
    with project.open_store() as store:
        chosen = models.model(store, model_id).id
        return {"model": chosen, "suggestions": suggest_for_all(project, store, chosen, report=report)}


def suggest_for_all(project: Project, store: Store, model_id: int, *, report: Callable[..., None]) -> int:
    """Write a model's suggestions for every clip; return the number of those without an answer."""
    files = modelfiles.read(project.models / str(model_id))
    waiting = {clip.id for clip in clips.unanswered(store)}
    rows = list(_score(project, files, model_id, clips.all_clips(store), report))
    models.replace_suggestions(store, rows)
    return sum(row.clip_id in waiting for row in rows)


def _score(
    project: Project,
    files: modelfiles.ModelFiles,
    model_id: int,
    wanted: list[StoredClip],
    report: Callable[..., None],
) -> Iterator[Suggestion]:
    if not wanted:
        return
    cache = FeatureCache(project.cache / "features", files.frontend)
    predict = scoring.float_predictor(files)
    for first in range(0, len(wanted), _BATCH):
        report("suggesting", first, len(wanted))
        batch = wanted[first : first + _BATCH]
        failed = cache.compute(batch)
        heard = [clip for clip in batch if clip.key not in failed]
        scores = scoring.score_clips(files, predict, [cache.log_mel(clip) for clip in heard])
        for clip, score in zip(heard, scores, strict=True):
            order = score.probabilities.argsort()[::-1]
            probabilities = {files.labels[i]: float(score.probabilities[i]) for i in order}
            yield Suggestion(clip.id, model_id, probabilities)
    report("suggesting", len(wanted), len(wanted))
