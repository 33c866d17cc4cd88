"""Which clip comes next, for whom, and with which suggestion."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.records import records_of
from helpers.store import add_model_row, fill
from labeltool.annotation import listing, next_clips
from labeltool.errors import LabeltoolError
from labeltool.project import Project
from labeltool.store import Store, clips, journal, models, queue, recordings, spans
from labeltool.store.importing import import_records


def test_two_people_never_get_the_same_clip(store: Store, project: Project) -> None:
    fill(store, *"abcdefgh")
    with project.open_store() as another:
        first = next_clips.claim_clips(store, 3, annotator="ann")
        second = next_clips.claim_clips(another, 10, annotator="bob")
        assert len(first) == 3 and len(second) == 5
        assert not {clip.id for clip in first} & {clip.id for clip in second}
        # One's own claims stay available to oneself, and a released clip is available to others.
        assert len(next_clips.next_clips(store, 10, annotator="ann")) == 3
        next_clips.release(store, annotator="ann")
        assert len(next_clips.claim_clips(another, 10, annotator="bob")) == 8


def test_a_region_is_never_in_the_queue_and_is_hidden_when_it_is_undone(store: Store) -> None:
    fill(store, "a", "b")
    with store.transaction() as connection:
        connection.execute("INSERT INTO clips (recording_id, start_s, end_s, is_region) VALUES (1, 0.25, 0.5, 1)")
    journal.annotate(store, 3, "dog", annotator="ann")
    counts = clips.counts(store)
    assert (counts.clips, counts.labelled, counts.unlabelled, counts.excluded, counts.labels) == (
        3,
        1,
        2,
        0,
        {"dog": 1},
    )
    assert [clip.clip.id for clip in clips.labelled(store)] == [3]
    journal.undo(store, annotator="ann")
    counts = clips.counts(store)
    assert (counts.clips, counts.labelled, counts.unlabelled, counts.excluded) == (2, 0, 2, 0)
    assert [clip.id for clip in clips.unlabelled(store)] == [clip.id for clip in clips.all_clips(store)] == [1, 2]
    assert {clip.id for clip in next_clips.next_clips(store, 9, annotator="ann")} == {1, 2}
    assert list(listing.matching(store)) == [1, 2]
    journal.redo(store, annotator="ann")
    assert list(listing.matching(store, listing.Filter(labelled=True))) == [3]


def test_new_suggestions_replace_all_others_while_somebody_labels(
    store: Store, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store, *"abcdefg")
    monkeypatch.setattr("labeltool.store.models._ROWS_PER_TRANSACTION", 2)
    old, new = add_model_row(store), add_model_row(store)
    with project.open_store() as another:
        # Each pause is long enough for somebody else to write.
        monkeypatch.setattr(
            "labeltool.store.models.time.sleep", lambda _: journal.annotate(another, 4, "cow", annotator="bob")
        )
        scores = np.full((7, 1), 0.9, np.float32)
        models.replace_by_scores(store, new, models.Outputs(("dog",)), range(7, 0, -1), scores)
        models.replace_by_scores(store, old, models.Outputs(("cat",)), (1, 2, 4, 6), scores[:4])
    rows = store.connection.execute(
        "SELECT clip_id, model_id, is_unlabelled FROM suggestions ORDER BY clip_id"
    ).fetchall()
    assert [tuple(row) for row in rows] == [(1, old, 1), (2, old, 1), (4, old, 0), (6, old, 1)]
    models.replace_by_scores(store, new, models.Outputs(("dog",)), (), scores[:0])
    assert models.suggestion(store, 1) is None


def test_the_queue_spreads_over_groups_and_shows_skipped_clips_last(store: Store) -> None:
    records = [r for name in "abcdef" for r in records_of(name, group="one" if name in "abcd" else name)]
    import_records(store, records, kind="audio", source="test")
    chosen = next_clips.next_clips(store, 3, annotator="ann")
    assert len({clip.group for clip in chosen}) == 3
    journal.exclude(store, chosen[0].id, "skip", annotator="ann")
    journal.exclude(store, chosen[1].id, "bad audio", annotator="ann")
    journal.annotate(store, chosen[2].id, "dog", annotator="ann")
    rest = next_clips.next_clips(store, 10, annotator="ann")
    assert rest[-1].id == chosen[0].id
    assert len(rest) == 4
    assert next_clips.next_clips(store, 10, annotator="bob", exclude={chosen[0].id})[-1].id != chosen[0].id


def test_a_clip_is_found_by_id_and_by_file(store: Store) -> None:
    import_records(store, [*records_of("a"), *records_of("b")], kind="audio", source="test")
    assert clips.find_clip(store, "2").id == 2
    assert clips.find_clip(store, "b.wav").id == 2
    assert clips.find_clip(store, "/sounds/b.wav").id == 2
    for name in ("%.wav", "c.wav", "9"):
        with pytest.raises(LabeltoolError, match="no clip"):
            clips.find_clip(store, name)


def test_regions_of_a_file_do_not_hide_its_clip(store: Store) -> None:
    import_records(store, records_of("b"), kind="audio", source="test")
    recording = recordings.find_recording(store, "b.wav")
    for start_s in (0.1, 0.4):
        spans.annotate_region(store, recording, spans.Region(start_s, start_s + 0.2), "owl", annotator="ann")
    assert clips.find_clip(store, "b.wav").id == 1


def test_clips_that_are_put_first_stay_there_until_they_are_labelled(store: Store) -> None:
    fill(store, *"abcd")
    queue.put_first(store, 3)
    assert queue.is_empty(store)  # no order was computed yet
    queue.replace(store, [2, 1, 3, 4])
    queue.put_first(store, 4)

    def order() -> list[int]:
        return [clip.id for clip in next_clips.next_clips(store, 9, annotator="ann")]

    assert order() == [4, 3, 2, 1]
    queue.replace(store, [1, 2, 4, 3])
    assert order() == [4, 3, 1, 2]
    journal.annotate(store, 4, "dog", annotator="ann")
    queue.replace(store, [2, 1])
    assert order() == [3, 2, 1]
    journal.undo(store, annotator="ann")
    assert order()[:3] == [3, 2, 1]
