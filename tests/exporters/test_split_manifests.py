"""Manifests of splits: nights and copies on one side, folds, official folds that leak."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from helpers.command_line import labeltool_here
from helpers.tones import tone_writer
from labeltool.audio.files import describe
from labeltool.importers.base import recording_of, whole_clip
from labeltool.project import Project
from labeltool.records import Verdict
from labeltool.store.importing import import_records

Add = Callable[..., Path]


@pytest.fixture
def add(project: Project, tmp_path: Path) -> Add:
    """Write a tone and import it with a label, each recording in a group of its own."""
    write = tone_writer(tmp_path / "card")

    def added(name: str, label: str, *, fold: int | None = None, path: Path | None = None) -> Path:
        path = path or write(name, frequency_hz=200.0 + 37 * len(list(tmp_path.rglob("*.wav"))), seconds=2.0)
        recording = recording_of(describe(path), f"group of {name}", None)
        clip = whole_clip(recording, fold)
        with project.open_store() as store:
            import_records(store, [recording, clip, Verdict(clip, label)], kind="test", source=name)
        return path

    return added


def sides(project: Project, *options: str) -> tuple[dict[str, str], str]:
    """Export; return the side of each recording, and what was written on stderr."""
    done = labeltool_here(project, "export", "--splits", *options)
    found = {}
    for path in (project.exports / "splits").glob("[!n]*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            found |= {Path(row["path"]).name: row["fold"] or path.stem for row in csv.DictReader(file)}
    return found, done.stderr


def summary(project: Project) -> dict[str, object]:
    content: dict[str, object] = json.loads((project.exports / "splits" / "summary.json").read_text())
    return content


def test_the_recordings_of_a_night_are_on_one_side(project: Project, add: Add) -> None:
    nights = {
        f"201906{day:02}": [f"201906{day:02}_213000.wav", f"201906{day + 1:02}_043000.wav"] for day in range(1, 13)
    }
    for number, names in enumerate(nights.values()):
        for name in names:
            add(name, "ab"[number % 2])
    for options in ((), ("--seed", "3"), ("--folds", "3")):
        found, text = sides(project, *options)
        assert all(found[first] == found[second] for first, second in nights.values())
        assert len(set(found.values())) == 3
        assert "24 recordings of 1 site stayed together by blocks of 24 hours, 12 in all; 17.0 h at least" in text
    blocks = summary(project)["time_blocks"]
    assert isinstance(blocks, dict) and (blocks["recordings"], blocks["sites"], blocks["blocks"]) == (24, 1, 12)
    by_hand = [sides(project, "--block-hours", "0", "--seed", str(seed)) for seed in range(4)]
    assert any(found[first] != found[second] for found, _ in by_hand for first, second in nights.values())
    assert not any("blocks of" in text for _, text in by_hand)


def test_a_copy_under_another_name_is_on_the_side_of_its_original(project: Project, add: Add, tmp_path: Path) -> None:
    pairs = []
    for number in range(12):
        path = add(f"tone{number}.wav", "ab"[number % 2])
        sound, rate = soundfile.read(path)
        copy = tmp_path / f"copy{number}.flac"
        soundfile.write(copy, np.clip(0.5 * sound[rate // 10 :], -1, 1), rate)
        add(copy.name, "ab"[number % 2], path=copy)
        pairs.append((path.name, copy.name))
    for options in ((), ("--seed", "1"), ("--shares", "50,25,25"), ("--folds", "4")):
        found, text = sides(project, *options)
        assert all(found[first] == found[second] for first, second in pairs)
    assert "of nearly equal sound stayed together beside the groups" in text
    named = summary(project)["near_duplicates"]
    assert isinstance(named, list) and len(named) >= len(pairs)


def test_official_folds_that_part_a_copy_are_refused_unless_forced(project: Project, add: Add, tmp_path: Path) -> None:
    for number in range(8):
        path = add(f"tone{number}.wav", "ab"[number % 2], fold=number % 4 + 1)
    copy = tmp_path / "copy.flac"
    sound, rate = soundfile.read(path)
    soundfile.write(copy, 0.5 * sound, rate)
    add(copy.name, "b", fold=1, path=copy)
    refused = labeltool_here(project, "export", "--splits", check=1)
    assert "tone7.wav (fold 4) and copy.flac (fold 1), nearly equal sound" in refused.stderr
    assert not project.exports.exists() or not list(project.exports.glob("splits*"))
    found, _ = sides(project, "--force")
    with (project.exports / "splits" / "test.csv").open(encoding="utf-8", newline="") as file:
        tested = {Path(row["path"]).name for row in csv.DictReader(file)}
    assert tested == {"tone3.wav", "tone7.wav", "copy.flac"}
    refused = labeltool_here(project, "export", "--splits", "--folds", "3", "--force", check=1)
    assert "official folds (1, 2, 3, 4), not 3" in refused.stderr
    found, _ = sides(project, "--folds", "4", "--force")
    assert found["tone0.wav"] == "1" and found["tone7.wav"] == found["copy.flac"]


@pytest.mark.parametrize(
    ("options", "remedy"),
    [
        (("--shares", "70,20,20"), "add up to 100"),
        (("--shares", "a,b,c"), "three whole numbers"),
        (("--folds", "1"), "2<=x<=100"),
        (("--folds", "3", "--lock"), "lock first"),
        (("--lock", "--as-of", "2026-01-01"), "--as-of"),
    ],
)
def test_options_that_mean_nothing_are_refused(
    project: Project, add: Add, options: tuple[str, ...], remedy: str
) -> None:
    add("tone.wav", "a")
    done = labeltool_here(project, "export", "--splits", *options, check=None)
    assert done.returncode in (1, 2) and remedy in done.stderr
