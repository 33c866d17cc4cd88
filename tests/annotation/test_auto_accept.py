"""Predictions are accepted without listening to each only as one action that a sample justifies."""

from __future__ import annotations

import math
import random

import pytest

from helpers.store import add_model_row, current, fill, replace_suggestions
from labeltool.annotation import annotation_table, auto_accept, speed
from labeltool.annotation.auto_accept import error_interval, sample_size
from labeltool.records import Clip, Recording, Suggestion
from labeltool.store import Store, clips, journal, models
from labeltool.store.importing import import_records


def predict(store: Store, **probabilities: float) -> str:
    """Let a model predict `dog` for the clips, in their order; return its uid."""
    model_id = add_model_row(store)
    replace_suggestions(
        store,
        [
            Suggestion(clip.id, model_id, {"dog": probability, "cat": 1 - probability})
            for clip, probability in zip(clips.all_clips(store), probabilities.values(), strict=True)
        ],
    )
    return models.uid(store, model_id)


def test_a_sample_of_many_clips_is_that_of_clopper_and_pearson() -> None:
    # None wrong of 59 excludes an error of 5 % in endlessly many clips: 0.95 ** 59 < 0.05.
    assert sample_size(20_000, 0.05) == 59
    assert error_interval(0, 59, 20_000) == pytest.approx((0.0, 1 - 0.05 ** (1 / 59)), abs=2e-4)
    low, high = error_interval(2, 40, 20_000)
    # The bounds solve P(X >= 2) = 0.05 and P(X <= 2) = 0.05 of the binomial distribution.
    assert sum(math.comb(40, k) * low**k * (1 - low) ** (40 - k) for k in (0, 1)) == pytest.approx(0.95, abs=1e-3)
    assert sum(math.comb(40, k) * high**k * (1 - high) ** (40 - k) for k in range(3)) == pytest.approx(0.05, abs=1e-3)


@pytest.mark.parametrize("count", [1, 2, 9, 30, 100, 1000])
def test_the_sample_of_few_clips_excludes_the_error_and_one_clip_less_does_not(count: int) -> None:
    size = sample_size(count, 0.05)
    assert error_interval(0, size, count)[1] <= 0.05
    assert error_interval(0, size - 1, count)[1] > 0.05
    assert error_interval(size, size, count)[1] == 1.0


def test_everything_known_has_no_interval() -> None:
    assert error_interval(2, 10, 10) == (0.2, 0.2)
    assert error_interval(0, 0, 0) == (0.0, 0.0)
    assert error_interval(0, 0, 10) == (0.0, 1.0)


def test_the_rest_is_accepted_as_one_action_marked_as_automatic(store: Store) -> None:
    fill(store, *"abcdef")
    uid = predict(store, a=0.99, b=0.98, c=0.9, d=0.6, e=0.4, f=0.95)
    found = auto_accept.candidates(store, "dog", 0.9, max_error=0.05, annotator="ann")
    assert list(found.model_uids) == [1, 2, 6, 3]
    assert (found.sample_size, found.rest) == (4, 0)
    journal.annotate(store, 2, "cat", annotator="bob")
    rows = auto_accept.accept(store, found, annotator="ann")
    assert [(row.clip_id, row.auto_accepted, row.response_ms) for row in rows] == [
        (one, True, None) for one in (1, 6, 3)
    ]
    assert {row.batch_id for row in rows} == {rows[0].id}
    assert current(store) == {
        (1, "dog"): "present",
        (6, "dog"): "present",
        (3, "dog"): "present",
        (2, "cat"): "present",
    }
    assert speed.annotation_statistics(store, annotator="ann").answers == 0
    # What a model is measured on, and a classifier within the app given, are labels that a person gave.
    assert clips.auto_accepted(store) == {1, 3, 6}
    assert clips.last_labelled(store, 10) == [2]
    assert journal.changed_clips(store, "") == {2}
    table = annotation_table.annotation_table(store)
    assert dict(zip(table["clip_id"], table["origin"], strict=True)) == {
        **dict.fromkeys((1, 3, 6), "auto-accepted"), 2: "human",
    }  # fmt: skip
    stored = store.connection.execute("SELECT DISTINCT model_uid FROM journal WHERE origin = 'suggestion'").fetchall()
    assert [model_uid for (model_uid,) in stored] == [uid]
    journal.undo(store, annotator="ann")
    assert current(store) == {(2, "cat"): "present"}


def test_claimed_and_skipped_clips_are_not_accepted(store: Store) -> None:
    fill(store, *"abc")
    predict(store, a=0.99, b=0.98, c=0.97)
    found = auto_accept.candidates(store, "dog", 0.9, max_error=0.05, annotator="ann")
    store.connection.execute("INSERT INTO claims VALUES (1, 'bob', 4e9)")
    journal.exclude(store, 2, "skip", annotator="ann")
    assert [row.clip_id for row in auto_accept.accept(store, found, annotator="ann")] == [3]


def test_the_sample_is_drawn_from_all_candidates(store: Store) -> None:
    fill(store, *map(str, range(60)))
    predict(store, **{str(place): 0.9 + place / 1000 for place in range(60)})
    found = auto_accept.candidates(store, "dog", 0.9, max_error=0.2, annotator="ann")
    pages = [
        auto_accept.sample_page(store, found, annotator="ann", generator=random.Random(seed)) for seed in range(20)
    ]
    assert all(len(set(page.clip_ids)) == found.sample_size < 60 for page in pages)
    assert set.union(*(set(page.clip_ids) for page in pages)) == set(range(1, 61))


def test_ten_thousand_clips_are_one_action_and_one_undo(store: Store) -> None:
    recording = Recording("/nowhere/long.wav", "0" * 64, 16_000, 1, 16_000 * 10_000, "long")
    spans = [Clip(recording.sha256, float(start), start + 1.0) for start in range(10_000)]
    import_records(store, [recording, *spans], kind="audio", source="made up")
    model_id = add_model_row(store)
    replace_suggestions(store, [Suggestion(place, model_id, {"dog": 0.99}) for place in range(1, 10_001)])
    found = auto_accept.all_candidates(store, "dog", max_error=0.05, annotator="ann")
    assert [(one.threshold, len(one.model_uids), one.sample_size) for one in found] == [(0.99, 10_000, 59)]
    rows = auto_accept.accept(store, found[0], annotator="ann")
    assert len(rows) == rows[0].batch_size == 10_000
    assert not clips.unlabelled(store)
    journal.undo(store, annotator="ann")
    assert len(clips.unlabelled(store)) == 10_000
