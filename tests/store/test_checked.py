"""Checked parts of recordings: rows of the journal that undo, renaming, moving and migrations treat as any other."""

from __future__ import annotations

import pytest

from helpers.records import records_of
from helpers.store import current, fill
from labeltool.annotation import next_clips
from labeltool.errors import LabeltoolError
from labeltool.records import Checked, Value
from labeltool.store import Store, checked, clips, journal, labels, progress, recordings, spans
from labeltool.store.importing import import_records
from labeltool.store.recordings import StoredRecording
from labeltool.store.spans import Region


@pytest.fixture
def recording(store: Store) -> StoredRecording:
    """A recording of one second with a labelled clip of all of it, and another."""
    import_records(store, [*records_of("a", "dog"), *records_of("b")], kind="test", source="test")
    return recordings.find_recording(store, "a.wav")


def parts(store: Store) -> list[tuple[int, float, float, frozenset[str]]]:
    return [
        (part.clip.recording_id, part.clip.start_s, part.clip.end_s, part.labels)
        for part in checked.checked_parts(store)
    ]


def test_a_checked_recording_is_undone_and_redone_and_changes_no_clip(store: Store, recording: StoredRecording) -> None:
    before = clips.counts(store), current(store)
    queued = [clip.id for clip in next_clips.next_clips(store, 9, annotator="ann")]
    checked.mark_checked(store, recording, annotator="ann")
    checked.mark_checked(store, recording, Region(0.25, 0.5, 100.0, 200.0), annotator="ann")
    dog = frozenset({"dog"})
    assert parts(store) == [(1, 0.0, 1.0, dog), (1, 0.25, 0.5, dog)]
    assert [len(checked.checked_parts(store, number)) for number in (1, 2)] == [2, 0]
    assert (clips.counts(store), current(store)) == before
    assert [clip.id for clip in next_clips.next_clips(store, 9, annotator="ann")] == queued
    undone = journal.undo(store, annotator="ann")
    assert undone is not None and undone.kind == "checked"
    assert parts(store) == [(1, 0.0, 1.0, dog)]
    journal.redo(store, annotator="ann")
    assert len(parts(store)) == 2
    assert checked.mark_unchecked(store, recording, annotator="bob") == 2
    assert parts(store) == []
    with pytest.raises(LabeltoolError, match="not marked as checked"):
        checked.mark_unchecked(store, recording, annotator="bob")
    with pytest.raises(LabeltoolError, match="end after"):
        checked.mark_checked(store, recording, Region(0.5, 0.5), annotator="ann")
    with pytest.raises(LabeltoolError, match="numbers of seconds"):
        checked.mark_checked(store, recording, Region(float("nan"), 0.5), annotator="ann")
    journal.redo(store, annotator="bob")
    assert len(parts(store)) == 2
    # Once, and as bob's: he can undo it.
    assert journal.redo(store, annotator="bob") is None
    assert journal.undo(store, annotator="bob") is not None
    assert parts(store) == []
    journal.redo(store, annotator="bob")


def test_a_check_is_of_the_labels_of_its_time_by_their_names_of_today(store: Store, recording: StoredRecording) -> None:
    checked.mark_checked(store, recording, annotator="ann")
    labels.rename(store, "dog", "hound", annotator="ann")
    (part,) = checked.checked_parts(store)
    assert (part.labels, part.newer_labels) == ({"hound"}, frozenset())
    journal.annotate(store, 2, "owl", annotator="ann")
    # Both may have been written in one millisecond.
    store.connection.execute("UPDATE labels SET created_at = '9999' WHERE name = 'owl'")
    (part,) = checked.checked_parts(store)
    assert (part.labels, part.newer_labels) == ({"hound"}, {"owl"})
    recordings.relocate(store, [("a" * 4, "/elsewhere/a.wav")])
    (part,) = checked.checked_parts(store)
    assert part.clip.path == "/elsewhere/a.wav"


def test_what_is_labelled_unsure_or_bad_is_not_free(store: Store) -> None:
    fill(store, "a")
    recording = recordings.find_recording(store, "a.wav")
    spans.annotate_region(store, recording, Region(0.5, 0.625), "dog", annotator="ann")
    spans.annotate_region(store, recording, Region(0.25, 0.375), "dog", Value.UNSURE, annotator="ann")
    spans.annotate_region(store, recording, Region(0.125, 0.25), "dog", Value.ABSENT, annotator="ann")
    spans.annotate_region(store, recording, Region(0.75, 0.875), None, Value.UNSURE, annotator="ann")
    spans.note_region(store, recording, Region(0.0, 0.125), "wind", annotator="ann")
    assert checked.occupied(store, recording.id) == [(0.25, 0.375), (0.5, 0.625), (0.75, 0.875)]
    journal.exclude(store, 1, "bad audio", annotator="ann")
    assert checked.occupied(store, recording.id)[0] == (0.0, 1.0)
    journal.undo(store, annotator="ann")
    assert checked.occupied(store, recording.id)[0] == (0.25, 0.375)
    assert checked.recordings_with_bounds(store) == {recording.id}


def test_a_check_that_was_imported_is_not_imported_twice(store: Store, recording: StoredRecording) -> None:
    records = [*records_of("a", "dog", "cat"), Checked("aaaa", 0.0, 1.0)]
    result = import_records(store, records, kind="audacity", source="test")
    assert (result.checked, parts(store)) == (1, [(1, 0.0, 1.0, frozenset({"cat", "dog"}))])
    assert not import_records(store, records, kind="audacity", source="test").changes
    # What a person revoked stays so.
    checked.mark_unchecked(store, recording, annotator="ann")
    assert not import_records(store, records, kind="audacity", source="test").changes
    assert parts(store) == []


def test_a_check_makes_a_model_out_of_date(store: Store, recording: StoredRecording) -> None:
    mark = journal.newest_id(store)
    checked.mark_checked(store, recording, annotator="ann")
    assert progress.count_labelled_since(store, mark) == 1
