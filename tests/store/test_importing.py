"""Imports are stored whole or not at all, and nothing twice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from helpers.records import records_of
from helpers.store import dump
from labeltool.errors import LabeltoolError
from labeltool.records import Clip, Recording, Verdict
from labeltool.store import Store, clips, labels
from labeltool.store.importing import import_records


def test_importing_twice_changes_nothing(store: Store) -> None:
    records = [*records_of("a", "dog", fold=1), *records_of("b", "cat", group="g")]
    first = import_records(store, records, kind="esc50", source="here")
    assert (first.recordings, first.clips, first.verdicts) == (2, 2, 2)
    before = dump(store)
    second = import_records(store, records, kind="esc50", source="elsewhere")
    assert (second.recordings, second.clips, second.verdicts) == (0, 0, 0)
    assert second.already_there == {"recordings": 2, "clips": 2, "verdicts": 2, "suggestions": 0}
    assert dump(store) == before


def test_importing_again_after_a_renaming_restores_nothing(store: Store) -> None:
    records = records_of("a", "dog")
    import_records(store, records, kind="esc50", source="here")
    labels.rename(store, "dog", "hound", annotator="ann")
    import_records(store, records, kind="esc50", source="here")
    assert clips.counts(store).labels == {"hound": 1}


def test_a_moved_recording_is_found_by_importing_it_again(store: Store, tmp_path: Path) -> None:
    recording, clip = records_of("a")
    import_records(store, [recording, clip], kind="audio", source="test")
    moved = replace(recording, path=str(tmp_path / "moved.wav"))
    import_records(store, [moved, clip], kind="audio", source="test")
    assert clips.clip(store, 1).path == moved.path
    (tmp_path / "moved.wav").write_bytes(b"here")
    import_records(store, [replace(recording, path="/a/copy.wav"), clip], kind="audio", source="test")
    assert clips.clip(store, 1).path == moved.path


def test_a_failing_import_stores_nothing(store: Store) -> None:
    before = dump(store)

    def records():
        yield from records_of("a", "dog")
        raise LabeltoolError("broken", file="b.wav")

    with pytest.raises(LabeltoolError, match=r"b\.wav: broken"):
        import_records(store, records(), kind="audio", source="test")
    with pytest.raises(LabeltoolError, match="CHECK"):
        # The fault lies in the last record, after others were written.
        import_records(
            store, [*records_of("c"), Recording("/d", "d", 1, 1, 1, "d"), *bad_clip("d")], kind="audio", source="t"
        )
    assert dump(store) == before


def bad_clip(sha256: str):
    return [Clip(sha256, 1.0, 0.5)]


def test_equal_sounds_are_one_recording_and_one_group(store: Store) -> None:
    same = records_of("a", "dog", group="session 1")
    twin = Recording("/sounds/copy.wav", same[0].sha256, 16_000, 1, 16_000, "session 2")
    intake = import_records(store, [*same, twin, *records_of("b", group="session 2")], kind="audio", source="test")
    assert intake.recordings == 2
    assert "same sound" in intake.skipped[0].reason
    import_records(store, records_of("c", group="session 2"), kind="audio", source="test")
    assert {clip.group for clip in clips.all_clips(store)} == {"session 1"}


def test_a_sound_in_two_folds_stays_in_the_first_and_is_reported(store: Store) -> None:
    import_records(store, records_of("a", "dog", fold=1), kind="esc50", source="test")
    intake = import_records(store, records_of("a", "dog", fold=2), kind="esc50", source="test")
    assert "fold 1" in intake.skipped[0].reason
    assert clips.clip(store, 1).fold == 1


def test_an_imports_verdict_keeps_its_bounds(store: Store) -> None:
    recording, clip, _ = records_of("a", "dog")
    verdict = Verdict(clip, "dog", start_s=-0.25, end_s=0.5, low_hz=100.0, high_hz=None, confidence=0.9, track="birds")
    import_records(store, [recording, clip, verdict], kind="audacity", source="test")
    row = store.connection.execute("SELECT * FROM active_events").fetchone()
    assert (row["start_s"], row["end_s"], row["low_hz"], row["high_hz"], row["confidence"], row["track"]) == (
        -0.25,
        0.5,
        100.0,
        None,
        0.9,
        "birds",
    )
