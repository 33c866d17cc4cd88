"""A locked test set: nothing is learned from it over retrainings, whoever joins it, and commands say so."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from helpers.command_line import labeltool_here, labeltool_json
from helpers.store import add_model_row, fill, replace_suggestions
from helpers.tones import P, add_tones
from labeltool.annotation import auto_accept
from labeltool.project import Project
from labeltool.records import Clip, Recording, Suggestion, Value
from labeltool.store import Store, clips, groups, journal
from labeltool.store.importing import import_records

PAIR: tuple[tuple[list[str], dict[str, Value]], ...] = ((["low"], {"low": P}), (["high"], {"high": P}))


def seen(project: Project, model: int) -> list[dict[str, str]]:
    with (project.models / str(model) / "seen.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def add(project: Project, path: Path, group: str, label: str | None = None) -> None:
    """Add a recording of its own, labelled or not."""
    from labeltool.audio.files import describe
    from labeltool.records import Verdict

    found = describe(path)
    recording = Recording(found.path, found.sha256, found.sample_rate_hz, 1, found.frames, group)
    clip = Clip(recording.sha256, 0.0, 1.5)
    with project.open_store() as store:
        verdicts = [] if label is None else [Verdict(clip, label)]
        import_records(store, [recording, clip, *verdicts], kind="test", source=path.name)


def louder(path: Path, to: Path, times: float) -> Path:
    """Write the same sound, louder, in other samples."""
    sound, rate = soundfile.read(path)
    soundfile.write(to, np.clip(times * sound, -1, 1), rate, subtype="PCM_24")
    return to


def locked_files(project: Project) -> set[str]:
    with project.open_store() as store:
        rows = store.connection.execute("SELECT id, sha256 FROM recordings").fetchall()
        locked = groups.locked_recordings(store)
        return {sha256 for number, sha256 in rows if number in locked}


@pytest.fixture
def sounds(project: Project, tmp_path: Path) -> Path:
    """Where the tones of a project lie: 24 that are labelled, each in a group of its own."""
    folder = tmp_path / "wav"
    add_tones(project, folder, *PAIR * 12)
    return folder


@pytest.mark.slow  # four trainings
@pytest.mark.usefixtures("quickly", "tiny")
def test_a_locked_test_set_is_held_through_three_retrainings(project: Project, sounds: Path, tmp_path: Path) -> None:
    before = labeltool_json(project, "retrain", "--arch", "tiny", "--seed", "0")
    assert before["locked_clips"] == 0
    exported = labeltool_here(project, "export", "--splits", "--lock", "--shares", "60,20,20")
    assert "locked: " in exported.stderr and "no model is trained on" in exported.stderr
    test = (project.exports / "splits" / "test.csv").read_text()
    first = locked_files(project)
    assert len(first) >= 4 and all(sha256 in test for sha256 in first)
    assert seen_any(project, before["model"], first)  # the model from before has seen some of it

    warm = []
    for number in range(3):
        add_tones(project, sounds, *PAIR * 3)
        member = next(iter(sorted(first)))
        with project.open_store() as store:
            (group, path) = store.connection.execute(
                "SELECT group_name, path FROM recordings WHERE sha256 = ?", (member,)
            ).fetchone()
            file = Path(store.absolute_path(path))
        # Later: one without a label that joins a locked group, and a copy of a locked sound in a group of its own.
        joined = add_tone(sounds / f"joined {number}.wav", 700.0 + 97 * number)
        add(project, joined, group, None if number else "low")
        add(project, louder(file, tmp_path / f"copy {number}.wav", 1.5 + number / 4), f"copy {number}", "low")
        result = labeltool_json(project, "retrain", "--arch", "tiny", "--seed", "0")
        warm.append(result["warm"])
        now = locked_files(project)
        assert len(now) == len(first) + 2 * (number + 1)
        assert not seen_any(project, result["model"], now)
        assert result["locked_clips"] >= len(first)
    assert warm == [False, True, True]  # the model from before the lock is not continued
    with project.open_store() as store:
        in_set = {one.id for one in clips.unlabelled(store)} - {one.id for one in clips.unlabelled_to_train_on(store)}
        accepted = {clip_id: journal.AnnotationContext(accepted_from="a model") for clip_id in in_set}
        values = dict.fromkeys(accepted, Value.PRESENT)
        journal.annotate_batch(store, "low", values, annotator="ann", contexts=accepted, response_ms=None)
    measured = labeltool_json(project, "evaluate")
    assert in_set and measured["locked"] is True
    assert measured["clips"] == result["locked_clips"], "what a model accepted does not measure it"
    assert labeltool_json(project, "evaluate", "--no-locked")["locked"] is False
    other = labeltool_json(project, "evaluate", "--model", str(before["model"]))
    assert other["locked"] is False
    refused = labeltool_here(project, "evaluate", "--locked", "--model", str(before["model"]), check=1)
    assert "has seen clips that are locked since" in refused.stderr


def add_tone(path: Path, frequency_hz: float) -> Path:
    time_s = np.arange(24_000) / 16_000
    noise = np.random.default_rng(int(frequency_hz)).normal(0, 0.003, len(time_s))
    soundfile.write(path, 0.2 * np.sin(2 * np.pi * frequency_hz * time_s) + noise, 16_000, subtype="PCM_16")
    return path


def seen_any(project: Project, model: int, files: Iterable[str]) -> bool:
    return bool({row["recording_sha256"] for row in seen(project, model)} & set(files))


def test_the_test_set_stays_the_same_and_is_released_again(project: Project, sounds: Path) -> None:
    labeltool_here(project, "export", "--splits", "--lock")
    test = (project.exports / "splits" / "test.csv").read_bytes()
    locked = labeltool_json(project, "lock")
    assert locked["clips"] == locked["recordings"] == len(locked_files(project)) and set(locked["labels"]) == {
        "low",
        "high",
    }
    add_tones(project, sounds, *PAIR * 10)
    again = labeltool_here(project, "export", "--splits", "--seed", "5", "--lock")
    assert "the test set is the locked one" in again.stderr
    assert (project.exports / "splits" / "test.csv").read_bytes() == test
    assert labeltool_json(project, "lock") == locked
    folds = labeltool_json(project, "export", "--splits", "--folds", "3")
    assert (project.exports / "splits" / "test.csv").read_bytes() == test
    rows = list(csv.DictReader((project.exports / "splits" / "folds.csv").read_text().splitlines()))
    assert {row["fold"] for row in rows} == {"1", "2", "3"} and len(rows) == 44 - locked["clips"]
    assert any("locked" in note for note in folds["notes"])
    assert "released" in labeltool_here(project, "lock", "--undo").stdout
    assert labeltool_json(project, "lock")["recordings"] == 0
    labeltool_here(project, "redo")
    assert labeltool_json(project, "lock") == locked


def test_readers_leave_out_what_is_locked_and_what_joins_its_group(store: Store) -> None:
    fill(store, *"abcdef")
    for clip_id in (1, 2, 3):
        journal.annotate(store, clip_id, "dog", annotator="ann")
    recording_of = {clip.id: clip.recording_id for clip in clips.all_clips(store)}
    groups.set_groups(store, {recording_of[2]: "night", recording_of[5]: "night"}, annotator="ann")
    groups.lock_recordings(store, [recording_of[2]], annotator="ann")
    assert [one.clip.id for one in clips.labelled(store)] == [1, 3]
    assert [one.clip.id for one in clips.labelled(store, which="locked")] == [2]
    assert [one.clip.id for one in clips.labelled(store, which="all")] == [1, 2, 3]
    assert [one.id for one in clips.unlabelled_to_train_on(store)] == [4, 6]
    assert groups.locked_recordings(store) == {recording_of[2], recording_of[5]}
    add_model_row(store)
    replace_suggestions(store, [Suggestion(n, 1, {"dog": 0.99, "cat": 0.01}) for n in (4, 5, 6)])
    found = auto_accept.candidates(store, "dog", 0.9, max_error=0.05, annotator="ann")
    assert sorted(found.model_uids) == [4, 6]
