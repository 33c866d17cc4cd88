"""What grows with a project and what does not: counted in steps of SQLite and in objects, not in seconds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from helpers.records import records_of
from helpers.store import add_model_row, fill
from labeltool import project as projects
from labeltool.annotation import listing, next_clips
from labeltool.project import Project
from labeltool.store import Store, clips, journal, models, progress, queue
from labeltool.store.importing import import_records

FEW, MANY = 300, 3000


@pytest.fixture
def steps(
    new_project: Callable[[Path], Project], tmp_path: Path
) -> Callable[[Callable[[Store], object]], tuple[int, int]]:
    """Return what gives the steps of SQLite for some work in a small project, and in one ten times as large."""

    def count(work: Callable[[Store], object]) -> tuple[int, int]:
        counted = []
        for number in (FEW, MANY):
            where = tmp_path / str(number)
            project = projects.load(where) if where.exists() else made(new_project(where), number)
            with project.open_store() as store:
                taken = [0]

                def add(taken: list[int] = taken) -> int:
                    taken[0] += 1
                    return 0

                store.connection.set_progress_handler(add, 1)
                work(store)
                store.connection.set_progress_handler(None, 0)
                counted.append(taken[0])
        return counted[0], counted[1]

    return count


def made(project: Project, number: int) -> Project:
    """Give a project a number of clips of three recordings: a third labelled, the others suggested and queued."""
    with project.open_store() as store:
        fill(store, "a", "b", "c")
        with store.transaction() as connection:
            connection.executemany(
                "INSERT INTO clips (recording_id, start_s, end_s) VALUES (?, ?, ?)",
                ((1 + one % 3, one * 1e-4, one * 1e-4 + 0.5) for one in range(number - 3)),
            )
        model = add_model_row(store)
        scores = np.full((number, 1), 0.8, np.float32)
        models.replace_by_scores(store, model, models.Outputs(("dog",)), range(1, number + 1), scores)
        queue.replace(store, range(1, number + 1))
        for clip_id in range(1, number, 3):
            journal.annotate(store, clip_id, "dog", annotator="ann")
    return project


def test_the_next_clip_a_label_and_its_undo_take_no_more_in_a_larger_project(
    steps: Callable[[Callable[[Store], object]], tuple[int, int]],
) -> None:
    def work(store: Store) -> None:
        (clip, *_) = next_clips.claim_clips(store, 5, annotator="bob")
        journal.annotate(store, clip.id, "cat", annotator="bob")
        journal.undo(store, annotator="bob")
        next_clips.release(store, annotator="bob")

    few, many = steps(work)
    assert many < 1.2 * few


def test_what_a_model_has_not_seen_is_counted_from_its_mark_on(
    steps: Callable[[Callable[[Store], object]], tuple[int, int]],
) -> None:
    few, many = steps(lambda store: progress.count_labelled_since(store, journal.newest_id(store)))
    assert many < 1.2 * few


def test_counts_hours_and_lists_grow_no_faster_than_the_clips(
    steps: Callable[[Callable[[Store], object]], tuple[int, int]],
) -> None:
    works: tuple[Callable[[Store], object], ...] = (
        clips.counts,
        lambda store: progress.hours(store, any_excluded=False),
        lambda store: progress.hours(store, any_excluded=True),
        lambda store: progress.count_labelled_since(store, ""),
        listing.matching,
        listing.count_by_predicted_label,
        clips.labelled,
        clips.all_clips,
    )
    for work in works:
        few, many = steps(work)
        assert many < 1.2 * MANY / FEW * few


def test_clips_of_a_recording_share_its_texts(project: Project) -> None:
    with made(project, FEW).open_store() as store:
        for found in (clips.all_clips(store), [one.clip for one in clips.labelled(store)]):
            assert len(found) in (FEW, FEW // 3)
            for texts in zip(*((one.path, one.sha256, one.group) for one in found), strict=True):
                assert len(set(map(id, texts))) == len(set(texts))


def test_hours_are_those_of_the_clips_that_count(store: Store) -> None:
    for name, kind in (("a", "one"), ("b", "one"), ("c", "one")):
        import_records(store, records_of(name), kind=kind, source="test")  # a second each
    journal.annotate(store, 1, "dog", annotator="ann")
    journal.exclude(store, 2, "bad audio", annotator="ann")
    with store.transaction() as connection:
        connection.execute("INSERT INTO clips (recording_id, start_s, end_s, is_region) VALUES (1, 0.25, 0.5, 1)")
    found = progress.hours(store, any_excluded=True)
    assert (found.labelled * 3600, found.all * 3600) == (pytest.approx(1.0), pytest.approx(3.0))
    journal.annotate(store, 4, "dog", annotator="ann")  # a region with a label is a clip
    found = progress.hours(store, any_excluded=True)
    assert (found.labelled * 3600, found.all * 3600) == (pytest.approx(1.25), pytest.approx(3.25))
