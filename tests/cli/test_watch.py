"""A folder that is watched: what arrives is imported and searched, what cannot be read is named, and it goes on."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
import soundfile

from helpers.command_line import labeltool_here, labeltool_json
from helpers.pretrained import onnx, onnx_weights, rising, written
from helpers.progress import quiet
from helpers.waits import DEADLINE_S
from labeltool.cli.detection import detect_parts
from labeltool.cli.detection.detect_parts import LabelTracks, Since, parts_of, recorded_since
from labeltool.errors import LabeltoolError
from labeltool.inference.detection_records import DetectResult
from labeltool.pretrained import registry
from labeltool.project import Project
from labeltool.records import Skipped
from labeltool.store.detections import scans

RATE, WINDOW = 8000, 400


@pytest.fixture
def searching(project: Project, tmp_path: Path) -> Project:
    """A project with a pretrained model that predicts "high" where samples lie above zero, else "low"."""
    weights = (rising(WINDOW, 2) * 16 - 8 / WINDOW).astype(np.float32)
    path = written(tmp_path / "net.onnx", onnx(onnx_weights(weights), shape=(1, WINDOW), classes=2))
    names = written(tmp_path / "names.txt", b"low\nhigh\n")
    registry.add(project, report=quiet, file=str(path), labels=str(names), rate_hz=RATE, name="net")
    return project


watch_command = importlib.import_module("labeltool.cli.detection.watch")
failures = watch_command._Failures


def recorded(path: Path, level: float = 0.9) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.full(3 * RATE, level, np.float32), RATE, subtype="PCM_16")
    return path


def searched(project: Project) -> set[str]:
    with project.open_store() as store:
        return {Path(path).name for path in scans.searched_at(store, "net")}


def test_once_imports_and_searches_what_is_complete_and_new(searching: Project, tmp_path: Path) -> None:
    folder = tmp_path / "recorders"
    recorded(folder / "POND_20240531_203000.wav")
    (folder / "bad.wav").write_bytes(b"RIFF but no sound at all")
    cut = recorded(folder / "cut.wav", -0.9)
    whole = cut.read_bytes()
    cut.write_bytes(whole[:20_000])
    at = (searching, "watch", folder, "--model", "net", "--once", "--settle", "0.01")
    first = labeltool_here(*at, check=1)
    assert searched(searching) == {"POND_20240531_203000.wav"}
    assert "1.00  high" in first.stdout and "1 file not complete yet" in first.stderr
    assert f"\nfailed: {folder / 'bad.wav'}: is not a sound file" in first.stderr
    (folder / "bad.wav").unlink()
    cut.write_bytes(whole)
    second = labeltool_here(*at)
    assert searched(searching) == {"POND_20240531_203000.wav", "cut.wav"}
    # What the model has searched is skipped.
    assert "cut.wav" in second.stdout and "POND" not in second.stdout
    status = labeltool_json(searching, "status")
    assert status["recordings"] == 2
    assert labeltool_here(*at).stdout == ""


def test_it_goes_on_until_it_is_interrupted(searching: Project, tmp_path: Path) -> None:
    folder = tmp_path / "recorders"
    folder.mkdir()
    options = ["--model", "net", "--interval", "0.1", "--settle", "0.1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "labeltool", "--project", str(searching.directory), "watch", str(folder), *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        for name, level in (("a.wav", 0.9), ("b.wav", 0.8)):
            recorded(folder / name, level)
            deadline = time.monotonic() + DEADLINE_S
            while name not in searched(searching):
                assert process.poll() is None and time.monotonic() < deadline
                time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=DEADLINE_S)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130 and errors.endswith("labeltool: interrupted\n")


def test_what_is_there_at_the_start_is_searched_once_whatever_its_time(searching: Project, tmp_path: Path) -> None:
    folder = tmp_path / "recorders"
    future = recorded(folder / "site" / "future.wav")
    os.utime(future, (time.time() + 1e6, time.time() + 1e6))
    at = (searching, "watch", folder, "--once", "--settle", "0", "--model")
    assert "future.wav" in labeltool_here(*at, "net").stdout
    assert [one.name for one in (searching.exports / "detect").glob("*.txt")] == ["site_future.detected.txt"]
    assert labeltool_here(*at, "net").stdout == ""
    # Another file with the time that the recorder gave it, long ago.
    late = recorded(future, -0.9)
    os.utime(late, (1e9, 1e9))
    assert "low" in labeltool_here(*at, "net").stdout
    # A model that is a file is not the project's: its Parquet files say what is finished.
    path = registry.find(searching, "net")
    assert "low" in labeltool_here(*at, path).stdout
    assert labeltool_here(*at, path).stdout == ""
    # A wrong name ends it at once.
    assert "none" in labeltool_here(*at, tmp_path / "none", check=1).stderr


def test_a_failure_that_is_not_the_files_is_tried_again(
    searching: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = recorded(tmp_path / "recorders" / "a.wav")
    tries: list[list[Path]] = []

    def import_and_detect(project: Project, files: list[Path], *others: Any) -> None:
        tries.append(files)
        if len(tries) == 1:
            raise LabeltoolError("is locked", file=project.directory)
        if len(tries) == 2:
            others[-1].again.add(path)
            return
        raise KeyboardInterrupt  # Ctrl-C

    monkeypatch.setattr(watch_command, "_import_and_detect", import_and_detect)
    options = ["--model", "net", "--interval", "0.1", "--settle", "0"]
    done = labeltool_here(searching, "watch", path.parent, *options, check=130)
    assert tries == [[path]] * 3 and done.stderr.count("is locked; tried again") == 1


def test_only_a_file_that_is_not_to_blame_is_tried_again(searching: Project, tmp_path: Path) -> None:
    whole, damaged = recorded(tmp_path / "whole.wav"), written(tmp_path / "damaged.wav", b"RIFF but no sound at all")
    no_folder = written(tmp_path / "events", b"a file in its place")  # which root could not write to either
    tracks = LabelTracks(tmp_path / "tracks")

    def tried(events: Path) -> tuple[int, set[Path]]:
        options, none, found = {"events": str(events), "is_part": True}, failures(), failures()
        with click.Context(watch_command.watch):
            watch_command._import_and_detect(searching, [whole, damaged], "net", options, tracks, none, found)
        return len(found.reasons), found.again

    assert tried(no_folder) == (2, {whole})
    assert tried(searching.exports / "detect") == (1, set())


def test_what_fails_for_a_reason_without_a_place_is_tried_again_thrice_and_named_once(
    searching: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path, other = recorded(tmp_path / "a.wav"), recorded(tmp_path / "b.wav", 0.8)
    failed = tuple(Skipped(str(one), None, "the network stopped") for one in (path, other))
    result = DetectResult("net", {}, None, (), failed, without_place=(str(path),))
    monkeypatch.setattr(watch_command, "detect_in_parts", lambda *_: [result])
    tracks = LabelTracks(tmp_path / "tracks")
    before = failures()
    for again in ({path}, {path}, set(), {path}):
        found = failures()
        watch_command._import_and_detect(searching, [path, other], "net", {}, tracks, before, found)
        assert found.again == again
        assert capsys.readouterr().err.count("the network stopped") == (0 if before.reasons else 2)
        before = found if again else failures()  # what is not given again is no part of the next look


def test_a_damaged_file_is_named_and_its_events_are_kept(searching: Project, tmp_path: Path) -> None:
    path = recorded(tmp_path / "recorders" / "cut.aiff")
    path.write_bytes(path.read_bytes()[:-RATE])
    named = f"damaged: {path}: is damaged or cut short: its header says 0.5 s more"
    for command in (["import", "audio"], ["classify", "--model", "net"], ["detect", "--model", "net"]):
        for _ in range(2):
            done = labeltool_here(searching, *command, path, "--json")
            assert done.stderr.count(named) == ("import" not in command) and "failed" not in done.stderr
            result = json.loads(done.stdout)
            assert not result.get("failed")
            (one,) = result["notes"] if "notes" in result else result.get("files", [result])
            assert "0.5 s more" in one.get("fault", one.get("reason")) and one.get("spans", True)
    assert named in labeltool_here(searching, "import", "audio", path).stderr
    other = recorded(path.with_name("new.aiff"), 0.8)
    other.write_bytes(other.read_bytes()[:-RATE])
    at = ("watch", path.parent, "--model", "net", "--once", "--settle", "0")
    done = labeltool_here(searching, *at)
    assert named.replace(path.name, other.name) in done.stderr and "failed" not in done.stderr and "high" in done.stdout


def test_since_counts_by_the_recorders_time_else_by_the_files(project: Project, tmp_path: Path) -> None:
    old, new = tmp_path / "P_20240530_235959.wav", tmp_path / "P_20240531_000000.wav"
    plain, changed = tmp_path / "x.wav", tmp_path / "y.wav"
    for path in (old, new, plain, changed):
        path.touch()
    os.utime(plain, (0, 0))
    missing = tmp_path / "missing.wav"
    files = [old, new, plain, changed, missing]
    assert recorded_since(project, files, datetime(2024, 5, 31)) == [new, changed, missing]
    kind = Since()
    assert kind.convert("2024-05-31T20:30", None, None) == datetime(2024, 5, 31, 20, 30)
    before, since, after = datetime.now(), kind.convert("1.5w", None, None), datetime.now()
    assert before <= since + timedelta(days=10.5) <= after
    for wrong in ("yesterday", "7 x", "-3d", "99999999w", "999999w"):
        with pytest.raises(click.BadParameter, match="neither a date"):
            kind.convert(wrong, None, None)


def test_files_go_in_parts_of_bounded_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [tmp_path / f"{number}.wav" for number in range(7)]
    for number, file in enumerate(files[:-1]):  # the last one is missing
        file.write_bytes(bytes(10 * number))
    monkeypatch.setattr(detect_parts, "_PART_BYTES", 60)
    monkeypatch.setattr(detect_parts, "_PART_FILES", 4)
    assert [[int(one.stem) for one in part] for part in parts_of(files)] == [[0, 1, 2, 3], [4], [5, 6]]
    monkeypatch.setattr(detect_parts, "_PART_LETTERS", len(str(files[0])) + 2)
    assert [len(part) for part in parts_of(files)] == [1] * 7


def test_a_folder_is_detected_in_parts_and_bad_files_fail_alone(
    searching: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(detect_parts, "_PART_FILES", 1)
    folder = tmp_path / "recorders"
    recorded(folder / "a" / "0001.wav")
    recorded(folder / "b" / "0001.wav", -0.9)
    (folder / "bad.wav").write_bytes(b"no sound")
    at = (searching, "detect", folder, "--model", "net", "--json")
    result = json.loads(labeltool_here(*at, check=1).stdout)
    assert [(Path(one["track"]).name, one["spans"][0]["label"]) for one in result["files"]] == [
        ("a_0001.detected.txt", "high"),
        ("b_0001.detected.txt", "low"),
    ]
    assert [Path(one["file"]).name for one in result["failed"]] == ["bad.wav"]
    assert len({one["parquet"] for one in result["files"]}) == 2
    again = labeltool_here(*at, check=1)
    assert [one["was_finished"] for one in json.loads(again.stdout)["files"]] == [True, True]
    assert "2 of 3 recordings were searched before" in again.stderr
