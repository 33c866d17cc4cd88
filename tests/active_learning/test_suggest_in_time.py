"""Suggestions within a time: the unlabelled clips first, and no clip after it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.app import fill
from helpers.exports import add_model
from helpers.progress import quiet
from labeltool.active_learning import queue_order, suggest
from labeltool.inference.clip_features import ClipFeatures
from labeltool.inference.embed import ClipEmbedding
from labeltool.project import Project
from labeltool.store import clips, journal, models
from labeltool.util.time_limit import TimeLimit


class Extractor:
    """Predicts the first label for every clip."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def extract(self, features: ClipFeatures) -> Sequence[ClipEmbedding]:
        some = np.ones(3, np.float32)
        return [ClipEmbedding(clip, np.float32([0.75, 0.25]), None, some) for clip in features.clips]


@pytest.mark.parametrize(("ends_s", "expected"), [(math.inf, 5), (-math.inf, 2)])
def test_the_unlabelled_clips_come_first_and_none_is_begun_after_the_end(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends_s: float, expected: int
) -> None:
    fill(project, tmp_path / "sounds", 5)
    model = add_model(project)
    monkeypatch.setattr(suggest, "FeatureExtractor", Extractor)
    monkeypatch.setattr(suggest, "_BATCH_IN_A_BUDGET", 2)
    with project.open_store() as store:
        labelled = [clip.id for clip in clips.all_clips(store)[:3]]
        for clip_id in labelled:
            journal.annotate(store, clip_id, "dog", annotator="ann")
        result = suggest.suggest_by_model(project, store, model, report=quiet, limit=TimeLimit(ends_s))
        suggested = [clip.id for clip in clips.all_clips(store) if models.suggestion(store, clip.id)]
    assert (len(suggested), result.suggestions) == (expected, 2)
    assert expected == 5 or not set(suggested) & set(labelled)


def test_within_a_budget_the_clips_that_order_the_queue_come_first(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(project, tmp_path / "sounds", 12)
    model = add_model(project)
    monkeypatch.setattr(suggest, "FeatureExtractor", Extractor)
    monkeypatch.setattr(suggest, "_BATCH_IN_A_BUDGET", 3)
    monkeypatch.setattr(queue_order, "_MAX_COMPARED", 3)
    with project.open_store() as store:
        result = suggest.suggest_by_model(project, store, model, report=quiet, limit=TimeLimit(-math.inf))
        (queued,) = store.connection.execute("SELECT COUNT(*) FROM queue").fetchone()
    assert (result.suggestions, queued) == (3, 3)


def test_of_very_many_clips_a_draw_is_compared_and_all_get_suggestions(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(project, tmp_path / "sounds", 8)
    model, compared = add_model(project), list[int]()
    monkeypatch.setattr(suggest, "FeatureExtractor", Extractor)
    monkeypatch.setattr(queue_order, "_MAX_COMPARED", 2)
    order = queue_order.order_by_predictions

    def count(*given: Any, **more: Any) -> int:
        compared.append(len(given[2].clips))
        return order(*given, **more)

    monkeypatch.setattr(queue_order, "order_by_predictions", count)
    with project.open_store() as store:
        for clip in clips.all_clips(store)[:3]:
            journal.annotate(store, clip.id, "dog", annotator="ann")
        result = suggest.suggest_by_model(project, store, model, report=quiet)
        suggested = [clip.id for clip in clips.all_clips(store) if models.suggestion(store, clip.id)]
        (queued,) = store.connection.execute("SELECT COUNT(*) FROM queue").fetchone()
    assert (len(suggested), result.suggestions, compared, queued) == (8, 5, [4], 2)
