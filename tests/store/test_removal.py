"""Recordings taken out of a project: nothing of them counts, nothing of them is lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from helpers.command_line import labeltool_here, labeltool_json
from helpers.records import records_of
from helpers.store import add_model_row, current, dump, replace_suggestions
from labeltool.annotation import listing, next_clips, review, speed
from labeltool.errors import LabeltoolError
from labeltool.inference.transcribe import speech_clips
from labeltool.project import Project
from labeltool.records import Event, Segment, Suggestion, Transcript, Value
from labeltool.store import Store, checked, clips, journal, queue, recordings, spans, transcripts
from labeltool.store.detections import replacing
from labeltool.store.importing import import_records
from labeltool.store.recordings import StoredRecording
from labeltool.store.spans import Region


def give_everything(store: Store, *names: str) -> None:
    """Give each recording a labelled clip, an unlabelled one, a region, and rows of every kind."""
    for name in names:
        records = records_of(name, "dog", "owl")
        records += [type(records[1])(records[0].sha256, 0.0, 0.5)]
        import_records(store, records, kind="test", source="test")
    model_id = add_model_row(store, {"labels": ["dog", "speech"]})
    for clip in clips.all_clips(store):
        journal.note(store, clip.id, "windy", annotator="ann")
        if clip.end_s < 1:
            journal.exclude(store, clip.id, "skip", annotator="ann")
        else:
            journal.annotate(store, clip.id, "dog", Value.ABSENT, annotator="bob")
            journal.annotate(store, clip.id, "speech", annotator="bob")
        transcripts.save(store, Transcript(clip.id, "w", "ab", "en", None, (Segment(0.0, 0.5, "fire"),), "{}"))
    for recording, _ in recordings.all_recordings(store):
        checked.mark_checked(store, recording, annotator="ann")
        spans.annotate_region(store, recording, Region(0.25, 0.75), "owl", annotator="ann")
    suggested = [Suggestion(clip.id, model_id, {"speech": 0.9, "dog": 0.1}) for clip in clips.all_clips(store)]
    replace_suggestions(store, suggested)
    for recording, _ in recordings.all_recordings(store):
        replacing.replace_detections(store, recording, model_id, [Event("dog", 0.1, 0.2, 0.9)])
    queue.replace(store, [clip.id for clip in clips.unlabelled(store)])


def shown(store: Store) -> dict[str, Any]:
    """Return what the rest of the program reads of a project."""
    everything = listing.matching(store, listing.Filter())
    return {
        "counts": clips.counts(store),
        "labelled": clips.labelled(store),
        "unlabelled": clips.unlabelled(store),
        "list": listing.page(store, everything),
        "by label": list(listing.matching(store, listing.Filter(label="owl"))),
        "by transcript": list(listing.matching(store, listing.Filter(transcript="fire"))),
        "by path": list(listing.matching(store, listing.Filter("sounds"))),
        "predicted": listing.count_by_predicted_label(store),
        "predicted as": sorted(listing.clips_predicted_as(store, "speech")),
        "queue": {clip.id for clip in next_clips.next_clips(store, 99, annotator="ann")},
        "of others": {clip.id for clip in next_clips.next_clips(store, 99, annotator="bob")},
        "issues": review.label_issues(store),
        "speed": speed.annotation_statistics(store),
        "recordings": recordings.all_recordings(store),
        "checked": checked.checked_parts(store),
        "verdicts": spans.verdicts(store),
        "transcripts": transcripts.search(store, "fire"),
        "segments": transcripts.of_recordings(store),
        "speech": speech_clips(store, ["speech"]),
        "annotations": current(store),
        "views": [
            [tuple(row) for row in store.connection.execute(f"SELECT * FROM {view}")]
            for view in ("labelled_clips", "unlabelled_clips", "active_events", "checked_parts")
        ],
    }


@pytest.fixture
def three(store: Store) -> Store:
    give_everything(store, "a", "b", "c")
    return store


def named(store: Store, *names: str) -> list[StoredRecording]:
    return [recordings.find_recording(store, f"{name}.wav") for name in names]


def test_a_project_looks_as_if_a_removed_recording_had_never_been_in_it(three: Store, tmp_path: Path) -> None:
    before, rows = shown(three), list(journal.rows(three))
    recordings.remove(three, named(three, "c"), annotator="ann")
    with Store.create(tmp_path / "labels.db") as two:
        give_everything(two, "a", "b")
        without = shown(two)
    now = shown(three)
    # Times differ, and the ids of regions, which were made later.
    for name in ("counts", "unlabelled", "predicted", "queue", "of others", "speech"):
        assert now[name] == without[name], name
    for name, value in now.items():
        assert "c.wav" not in repr(value) and "cccc" not in repr(value), name
    assert {name: len(value) for name, value in now.items() if isinstance(value, (list, dict, set))} == {
        name: len(value) for name, value in without.items() if isinstance(value, (list, dict, set))
    }
    assert [len(view) for view in now["views"]] == [len(view) for view in without["views"]]
    # Every row is still there, and undo brings all of it back.
    assert list(journal.rows(three))[1:] == rows
    undone = journal.undo(three, annotator="ann")
    assert undone is not None and (undone.kind, undone.recording) == ("remove", "/sounds/c.wav")
    assert shown(three) == before
    assert journal.redo(three, annotator="ann") is not None
    assert shown(three) == now


def test_several_recordings_are_removed_and_undone_as_one_and_brought_back_one_by_one(three: Store) -> None:
    before = shown(three)
    recordings.remove(three, named(three, "a", "b"), annotator="ann")
    recordings.remove(three, named(three, "c"), annotator="bob")
    assert clips.counts(three).recordings == clips.counts(three).clips == 0
    assert clips.has_no_clips(three)
    assert [row.batch_size for row in journal.batch_rows(three, journal.undo(three, annotator="ann"))] == [2, 2]
    assert [recording.path for recording, _ in recordings.all_recordings(three)] == ["/sounds/a.wav", "/sounds/b.wav"]
    recordings.bring_back(three, [recordings.find_recording(three, "c.wav", is_removed=True)], annotator="ann")
    assert shown(three) == before


def test_labels_given_after_the_removal_are_stored_and_count_later(three: Store) -> None:
    """In another terminal the clip may still be on the screen."""
    (gone,) = named(three, "c")
    clip = clips.of_recording(three, gone.id)[-1]
    recordings.remove(three, [gone], annotator="ann")
    journal.annotate(three, clip.id, "frog", annotator="bob")
    spans.annotate_region(three, gone, Region(0.0, 0.125), "frog", annotator="bob")
    import_records(three, records_of("c", "newt"), kind="test", source="test")
    assert clips.counts(three).labels == {"dog": 0, "owl": 4, "speech": 2, "frog": 0, "newt": 0}
    with pytest.raises(LabeltoolError, match=r"was removed.*remove --undo"):
        clips.clip(three, clip.id)
    for name in ("c.wav", "/sounds/c.wav"):
        with pytest.raises(LabeltoolError, match="was removed"):
            recordings.find_recording(three, name)
        with pytest.raises(LabeltoolError, match="no clip goes by"):
            clips.find_clip(three, name)
    journal.undo(three, annotator="ann")
    assert clips.counts(three).labels == {"dog": 0, "owl": 6, "speech": 3, "frog": 2, "newt": 1}


def test_a_removed_recording_that_is_imported_again_stays_removed(three: Store) -> None:
    recordings.remove(three, named(three, "c"), annotator="ann")
    before = dump(three)
    result = import_records(three, records_of("c", "dog", "owl"), kind="test", source="test")
    (skipped,) = result.skipped
    assert skipped.file == "/sounds/c.wav" and "removed" in skipped.reason and "remove --undo" in skipped.reason
    assert not result.changes and dump(three) == before


def test_two_people_who_remove_the_same_recording_both_bring_it_back(three: Store) -> None:
    """Each may have done it in a copy of the project, before their journals were merged."""
    (gone,) = named(three, "c")
    recordings.remove(three, [gone], annotator="ann")
    recordings.remove(three, [gone], annotator="bob")
    journal.undo(three, annotator="ann")
    assert clips.counts(three).recordings == 2
    journal.undo(three, annotator="bob")
    assert clips.counts(three).recordings == 3


def test_pages_of_a_review_pass_over_clips_of_removed_recordings(three: Store) -> None:
    (gone,) = named(three, "c")
    of_it = [clip.id for clip in clips.of_recording(three, gone.id)]
    unlabelled = [clip.id for clip in clips.unlabelled(three)]
    recordings.remove(three, [gone], annotator="ann")
    assert next_clips.free_among(three, unlabelled, annotator="eve") == set(unlabelled) - set(of_it)
    assert listing.page(three, of_it) == []


def test_the_command_names_what_it_removes_and_what_it_cannot(
    project: Project, write_tone: Callable[..., Path], tmp_path: Path
) -> None:
    files = [write_tone(f"{name}.wav", frequency_hz=hz) for name, hz in (("a", 300), ("b", 400), ("c", 500))]
    labeltool_here(project, "import", "audio", *files)
    labeltool_here(project, "remove", "no.wav", check=1)
    assert not (project.directory / "backups").exists()  # nothing was changed
    labeltool_here(project, "mark", "b.wav", "dog")
    done = labeltool_here(project, "remove", "b.wav", "3", "no.wav", "--json", check=1)
    found = json.loads(done.stdout)
    assert found["removed"] == [str(files[1]), str(files[2])]
    assert [one["file"] for one in found["failed"]] == ["no.wav"] and "no recording of this project" in done.stdout
    assert all(file.is_file() for file in files)
    status = labeltool_json(project, "status")
    assert (status["recordings"], status["clips"], status["labels"]) == (1, 1, {"dog": 0})
    again = labeltool_here(project, "remove", "b.wav", check=1).stderr
    assert "was removed from the project" in again and again.count("\n") == 1
    log = labeltool_here(project, "log").stdout.splitlines()
    assert f"remove '{files[1]}'" in log[1] and "dog" in log[2]
    assert "was removed" in labeltool_here(project, "import", "audio", files[1]).stderr
    assert "brought back" in labeltool_here(project, "remove", "--undo", "2").stderr
    assert labeltool_json(project, "status")["labels"] == {"dog": 1}
    # The rest of the batch is undone with it.
    assert "removal" in labeltool_here(project, "undo", "--help").stdout
    labeltool_here(project, "undo")
    assert labeltool_json(project, "status")["recordings"] == 3
    assert "no recording that was removed" in labeltool_here(project, "remove", "--undo", "a.wav", check=1).stderr
    assert labeltool_here(project, "remove", "--undo", "9" * 30, check=1).stderr.startswith(
        f"failed: {'9' * 30}: no clip 999"
    )
