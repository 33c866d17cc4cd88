"""The Parquet file of each recording and model: what it has, and that what is finished is not searched again."""

from __future__ import annotations

import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from helpers.pretrained import onnx, onnx_weights, rising, written
from helpers.progress import quiet
from labeltool.audio import files as audio_file
from labeltool.errors import LabeltoolError
from labeltool.importers import audio_files
from labeltool.inference import detect as inference_detect
from labeltool.inference import event_files, scan
from labeltool.inference.detection_records import DetectedFile, DetectOptions
from labeltool.inference.event_files import EventFiles, SearchingModel
from labeltool.inference.scan import Scan
from labeltool.inference.window_scorers import ModelChoice, PretrainedScorer
from labeltool.inference.windows import Windows
from labeltool.pretrained import registry
from labeltool.project import Project
from labeltool.records import Event
from labeltool.store.detections import scans
from labeltool.store.importing import import_records

pyarrow = pytest.importorskip("pyarrow", reason="the extra `parquet` is not installed")
parquet = pytest.importorskip("pyarrow.parquet", reason="the extra `parquet` is not installed")

RATE, WINDOW = 8000, 400


@pytest.fixture
def searching(project: Project, tmp_path: Path) -> Project:
    """A project with a pretrained model that predicts "high" where samples lie above zero, else "low"."""
    weights = (rising(WINDOW, 2) * 16 - 8 / WINDOW).astype(np.float32)
    path = written(tmp_path / "net.onnx", onnx(onnx_weights(weights), shape=(1, WINDOW), classes=2))
    names = written(tmp_path / "names.txt", b"low\nhigh\n")
    registry.add(project, report=quiet, file=str(path), labels=str(names), rate_hz=RATE, name="net")
    return project


def recorded(path: Path, high_s: float, seconds: float = 8.0) -> Path:
    """Write a recording that lies above zero from the second second on, for some time."""
    samples = np.full(round(seconds * RATE), -0.9, np.float32)
    samples[2 * RATE : round((2 + high_s) * RATE)] = 0.9
    path.parent.mkdir(exist_ok=True)
    soundfile.write(path, samples, RATE, subtype="PCM_16")
    return path


def detect(project: Project, *files: Path, **options: Any) -> tuple[DetectedFile, ...]:
    wanted = DetectOptions(events=str(project.exports / "detect"), **options)
    return inference_detect.detect(
        project, report=quiet, files=[str(one) for one in files], model="net", options=wanted
    ).files


def scored(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that gets the path of each block that is scored."""
    paths: list[str] = []
    before = PretrainedScorer.scores

    def scores(self: PretrainedScorer, windows: Any, first: int, count: int) -> Any:
        paths.append(Path(windows.path).name)
        return before(self, windows, first, count)

    monkeypatch.setattr(PretrainedScorer, "scores", scores)
    return paths


def test_a_file_has_the_events_and_what_is_known_of_the_recording(searching: Project, tmp_path: Path) -> None:
    named = recorded(tmp_path / "card" / "POND_20240531_203000.wav", 3.0)
    plain, empty = recorded(tmp_path / "x.wav", 2.0), recorded(tmp_path / "empty.wav", 0.0)
    found = detect(searching, named, plain, empty, thresholds={"low": 1.0})
    tables = [parquet.read_table(one.parquet) for one in found]
    rows = tables[0].to_pylist()
    assert [(row["label"], row["start_s"], row["end_s"], row["score"]) for row in rows] == [
        (one.label, one.start_s, one.end_s, one.probability) for one in found[0].spans
    ]
    (row,) = rows
    assert (row["path"], row["model"], row["low_hz"], row["high_hz"]) == (str(named), "net", None, None)
    assert (row["site"], row["recorded_at"]) == ("card/POND", datetime(2024, 5, 31, 20, 30))
    assert tables[1].to_pylist()[0]["recorded_at"] is None and tables[2].num_rows == 0
    assert tables[0].schema.remove_metadata() == tables[2].schema.remove_metadata()


def test_only_new_recordings_are_searched(searching: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = scored(monkeypatch)
    first, second = recorded(tmp_path / "a.wav", 2.0), recorded(tmp_path / "b.wav", 3.0)
    (before,) = detect(searching, first)
    assert paths == ["a.wav"] and not before.was_finished
    # The sound of the first is not even read: by its size and its time of change it is the same.
    when = first.stat()
    first.write_bytes(bytes(when.st_size))
    os.utime(first, ns=(when.st_atime_ns, when.st_mtime_ns))
    known, new = detect(searching, first, second)
    assert paths == ["a.wav", "b.wav"]
    assert (known.was_finished, new.was_finished, known.spans) == (True, False, before.spans)
    # One that has changed is another recording.
    recorded(first, 4.0)
    (changed,) = detect(searching, first)
    assert paths[2:] == ["a.wav"] and changed.spans != before.spans and changed.parquet != before.parquet


def test_another_threshold_replaces_the_events_without_a_new_scan(
    searching: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, paths = recorded(tmp_path / "a.wav", 2.0), scored(monkeypatch)
    (low,) = detect(searching, path, threshold=0.1)
    (high,) = detect(searching, path, threshold=0.1, thresholds={"low": 1.0})
    assert len(paths) == 1 and not high.was_finished and high.parquet == low.parquet
    assert set(parquet.read_table(high.parquet)["label"].to_pylist()) == {"high"} < {one.label for one in low.spans}
    # A damaged file is made again.
    assert high.parquet is not None
    Path(high.parquet).write_bytes(Path(high.parquet).read_bytes()[:-9])
    (again,) = detect(searching, path, threshold=0.1, thresholds={"low": 1.0})
    assert again == DetectedFile(**{**_fields(high), "scoring_s": again.scoring_s}) and len(paths) == 1


def _fields(one: DetectedFile) -> dict[str, Any]:
    return {name: getattr(one, name) for name in DetectedFile.__slots__}


def test_a_recording_that_is_imported_later_gets_what_was_found(searching: Project, tmp_path: Path) -> None:
    path = recorded(tmp_path / "a.wav", 2.0)
    (alone,) = detect(searching, path)
    with searching.open_store() as store:
        import_records(store, audio_files.read([path], None, None), kind="audio", source="test")
        (imported,) = detect(searching, path)
        assert (alone.suggestions, imported.suggestions) == (None, len(alone.spans)) and imported.was_finished
        (model,) = scans.scanned_models(store)
        there = scans.detected_events(store, model.id, 1, {})
        assert [(one.label, one.score) for one in there] == [(one.label, one.probability) for one in alone.spans]
        assert list(scans.searched_at(store, "net")) == [str(path)] and scans.searched_at(store, "other") == {}
    assert detect(searching, path) == (imported,)


def test_one_that_fails_on_the_way_does_not_stop_the_others(
    searching: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [recorded(tmp_path / f"{name}.wav", 2.0) for name in "abc"]
    before = PretrainedScorer.scores

    def scores(self: PretrainedScorer, windows: Any, first: int, count: int) -> Any:
        if windows.path.endswith("b.wav"):
            raise LabeltoolError("cannot be decoded", file=windows.path)
        return before(self, windows, first, count)

    monkeypatch.setattr(PretrainedScorer, "scores", scores)
    result = inference_detect.detect(searching, report=quiet, files=list(map(str, files)), model="net")
    assert [one.file for one in result.files] == [str(files[0]), str(files[2])]
    assert [(one.file, "cannot be decoded" in one.reason) for one in result.failed] == [(str(files[1]), True)]


def test_without_pyarrow_events_are_kept_in_the_project_alone(
    searching: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_files, "is_available", lambda: False)
    (found,) = detect(searching, recorded(tmp_path / "a.wav", 2.0))
    assert found.spans and found.parquet is None and not (searching.exports / "detect").exists()


def test_a_pyarrow_that_does_not_load_is_reported_before_any_recording_is_searched(
    searching: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def scores(*_: Any) -> Any:
        raise AssertionError("a recording is searched")

    monkeypatch.setattr(PretrainedScorer, "scores", scores)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)  # importing it is an ImportError
    with pytest.raises(LabeltoolError, match="pyarrow cannot be loaded"):
        detect(searching, recorded(tmp_path / "a.wav", 2.0))


def test_scores_that_are_mostly_zero_are_compressed_and_read_as_they_were(tmp_path: Path) -> None:
    windows = Windows(str(tmp_path / "a.wav"), RATE, WINDOW, 100, 100 * 99 + WINDOW)
    kept = Scan(ModelChoice("net", tmp_path, is_own=False), windows, tmp_path / "scores")
    (block,) = windows.blocks()
    random = np.random.default_rng(1)
    dense = random.random((100, 50)).astype(np.float32)
    sparse = np.where(dense < 0.05, dense, np.float32(0))
    for scores, is_small in ((dense, False), (sparse, True)):
        kept.write(block, scores)
        (file,) = (tmp_path / "scores").iterdir()
        assert (file.stat().st_size < scores.size) is is_small  # half of what float16 takes
        np.testing.assert_array_equal(next(kept.scores()), scores.astype(np.float16).astype(np.float32))
        np.testing.assert_array_equal(kept.rows(10, 5), scores[10:15].astype(np.float16).astype(np.float32))
        assert kept.missing() == []
        file.write_bytes(file.read_bytes()[:-20])
        assert kept.missing() == [block]


def test_a_file_that_changes_while_it_is_searched_is_searched_again(
    searching: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    growing, other = recorded(tmp_path / "a.wav", 2.0), recorded(tmp_path / "b.wav", 2.0)
    before = PretrainedScorer.scores

    def scores(self: PretrainedScorer, windows: Any, first: int, count: int) -> Any:
        found = before(self, windows, first, count)
        if windows.path == str(growing):
            recorded(growing, 5.0, 10.0)
        return found

    with monkeypatch.context() as during:
        during.setattr(PretrainedScorer, "scores", scores)
        wanted = DetectOptions(events=str(searching.exports / "detect"))
        files = [str(growing), str(other)]
        result = inference_detect.detect(searching, report=quiet, files=files, model="net", options=wanted)
    assert [one.file for one in result.files] == [str(other)]
    assert [(one.file, "changed while it was searched" in one.reason) for one in result.failed] == [(files[0], True)]
    (again,) = detect(searching, growing)
    assert (again.was_finished, again.seconds) == (False, 10.0)


def test_events_that_cannot_be_written_do_not_stop_the_others(
    searching: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = recorded(tmp_path / "a.wav", 2.0), recorded(tmp_path / "b.wav", 3.0)
    before = parquet.write_table

    def write_table(table: Any, *rest: Any, **options: Any) -> None:
        if table["path"].to_pylist()[0] == str(first):
            raise pyarrow.ArrowInvalid("no such thing")
        before(table, *rest, **options)

    monkeypatch.setattr(parquet, "write_table", write_table)
    wanted = DetectOptions(events=str(searching.exports / "detect"))
    files = [str(first), str(second)]
    result = inference_detect.detect(searching, report=quiet, files=files, model="net", options=wanted)
    assert [one.file for one in result.files] == [str(second)]
    assert ["events cannot be written: no such thing" in one.reason for one in result.failed] == [True]


def test_two_models_of_one_name_have_two_files(tmp_path: Path) -> None:
    kept = EventFiles(tmp_path)
    sound, other = audio_file.describe(recorded(tmp_path / "x" / "1.wav", 2.0)), tmp_path / "y" / "1.wav"
    first, second = SearchingModel("net", "one"), SearchingModel("net", "two")
    version = event_files.current_version(sound.path)
    assert version is not None and event_files.current_version(str(other)) is None
    paths = {kept.write(sound, version, model, "", [Event("low", 0.0, 1.0, 0.5)], {}) for model in (first, second)}
    assert len(paths) == 2 and {one.parent for one in paths if one is not None} == {tmp_path}
    # The file of a recording that was moved is the one that it had.
    recorded(other, 2.0)
    assert EventFiles(tmp_path).path(audio_file.describe(other), first) == kept.path(sound, first)
    assert EventFiles(tmp_path).known_sound(str(other), event_files.current_version(str(other))) is None
    assert EventFiles(tmp_path).known_sound(sound.path, version) == sound


def test_what_is_no_file_of_events_is_not_read(tmp_path: Path) -> None:
    sound = audio_file.describe(recorded(tmp_path / "x" / "1.wav", 2.0))
    model, version = SearchingModel("net", "one"), event_files.current_version(sound.path)
    assert version is not None

    def finished(events: list[Event]) -> tuple[Event, ...] | None:
        kept = EventFiles(tmp_path)
        kept.write(sound, version, model, "", events, {})
        return kept.finished(sound, model, "")

    event = Event("low", 0.0, 1.0, 0.5)
    assert finished([event]) == (event,)
    assert finished([event, Event("low", 0.0, float("inf"), 0.5)]) is None
    assert finished([Event("low", float("nan"), 1.0, 0.5)]) is None
    assert finished([event]) == (event,)
    path = EventFiles(tmp_path).path(sound, model)
    assert path is not None
    path.rename(aside := tmp_path / "aside")
    path.symlink_to(aside)
    assert EventFiles(tmp_path).finished(sound, model, "") is None
    path.unlink()
    os.mkfifo(path)  # reading it would hang
    assert EventFiles(tmp_path).finished(sound, model, "") is None


def test_scores_that_were_not_used_for_long_are_deleted(searching: Project, tmp_path: Path) -> None:
    old = searching.cache / "detect" / "old"
    old.mkdir(parents=True)
    os.utime(old, (0, 0))
    detect(searching, recorded(tmp_path / "a.wav", 2.0))
    assert len(list(old.parent.iterdir())) == 1 and not old.exists()


def test_a_link_in_place_of_the_folder_of_scores_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "outside").mkdir()
    os.utime(tmp_path / "outside", (0, 0))
    windows = Windows(str(tmp_path / "a.wav"), RATE, WINDOW, WINDOW, WINDOW)
    # As somebody would put it there, right after it was made.
    monkeypatch.setattr(scan, "make_folder", lambda folder: folder.symlink_to(tmp_path / "outside"))
    Scan(ModelChoice("net", tmp_path, is_own=False), windows, tmp_path / "scores").missing()
    assert (tmp_path / "outside").stat().st_mtime == 0
