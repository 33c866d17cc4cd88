"""Predictions of a device become suggestions, the least confident first in the queue."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers.command_line import labeltool
from helpers.store import add_model_row
from labeltool.annotation import next_clips
from labeltool.errors import LabeltoolError
from labeltool.importers import device_log
from labeltool.project import Project
from labeltool.records import DevicePrediction, Skipped
from labeltool.store import Store, models
from labeltool.store.importing import import_records

INT8 = hashlib.sha256(b"the int8 model").hexdigest()
HEADER = f"# aed_run 1 model={INT8[:16]} labels=3 rate=16000 patch_s=1.044 patch_hop_s=0.5\n"
# Confident of the first label, then undecided between the second and the third.
LINES = "0.000 127 -128 -128\n0.500 120 -120 -128\n2.000 -128 0 -1\n2.500 -128 -2 -1\n"


@pytest.fixture
def log(tmp_path: Path, write_tone: Callable[..., Path]) -> Path:
    write_tone("yard.wav", seconds=4.0)
    path = tmp_path / "yard.txt"
    path.write_text("# device started\n" + HEADER + LINES)
    return path


def test_patches_of_one_interval_are_one_clip_with_their_mean_scores(log: Path) -> None:
    _, first, first_prediction, second, second_prediction = device_log.read([log])
    assert (first.start_s, first.end_s, second.start_s, second.end_s) == (0.0, 1.544, 2.0, 3.544)
    assert isinstance(first_prediction, DevicePrediction) and isinstance(second_prediction, DevicePrediction)
    assert first_prediction.scores.index(max(first_prediction.scores)) == 0
    assert sum(second_prediction.scores) == pytest.approx(1.0)
    assert abs(second_prediction.scores[1] - second_prediction.scores[2]) < 0.02


def test_the_least_confident_clip_is_first_and_importing_again_changes_nothing(store: Store, log: Path) -> None:
    model_id = add_model_row(store, {"labels": ["bird", "dog", "rain"], "int8_sha256": INT8})
    result = import_records(store, device_log.read([log]), kind="device", source="test")
    assert (result.clips, result.suggestions, result.verdicts) == (2, 2, 0)
    queue = next_clips.next_clips(store, 2, annotator="ann")
    assert [clip.start_s for clip in queue] == [2.0, 0.0]
    suggestion = models.suggestion(store, queue[1].id)
    assert suggestion is not None and suggestion.model_id == model_id and next(iter(suggestion.probabilities)) == "bird"
    before = list(store.connection.iterdump())
    again = import_records(store, device_log.read([log]), kind="device", source="test")
    assert again.changes == 0 and again.already_there["suggestions"] == 2
    assert list(store.connection.iterdump()) == before


def test_a_log_of_another_projects_model_is_refused_as_a_whole(store: Store, log: Path) -> None:
    with pytest.raises(LabeltoolError, match="no model of this project"):
        import_records(store, device_log.read([log]), kind="device", source="test")
    add_model_row(store, {"labels": ["bird", "dog"], "int8_sha256": INT8})
    with pytest.raises(LabeltoolError, match="has 2 labels, its scores 3"):
        import_records(store, device_log.read([log]), kind="device", source="test")
    assert store.connection.execute("SELECT COUNT(*) FROM recordings").fetchone()[0] == 0


def test_lines_that_cannot_be_read_are_reported(log: Path) -> None:
    log.write_text("0.0 1 2 3\n" + HEADER + "0.0 1 2\nnoise\n0.5 1 2 300\n0.5 -1 2 x\n9.0 0 0 0\n1.0 0 0 0\n")
    skipped = [record for record in device_log.read([log]) if isinstance(record, Skipped)]
    assert [one.line for one in skipped] == [1, 3, 4, 5, 6, None]
    assert "after the end" in skipped[-1].reason


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a log of a device"),
        ("0.0 1 2 3\n", "not a log of a device"),
        (HEADER.replace("aed_run 1", "aed_run 2"), "format 2"),
        (HEADER + HEADER.replace("labels=3", "labels=4"), "several models"),
        (HEADER.replace(" patch_s=1.044", ""), "not a log of a device"),
    ],
)
def test_a_file_that_is_not_a_log_is_refused_in_one_line(log: Path, text: str, message: str) -> None:
    log.write_text(text)
    with pytest.raises(LabeltoolError, match=message):
        list(device_log.read([log]))


def test_the_command_line_imports_a_log(project: Project, store: Store, log: Path) -> None:
    add_model_row(store, {"labels": ["bird", "dog", "rain"], "int8_sha256": INT8})
    result = json.loads(labeltool("--project", project.directory, "import", "device", log, "--json").stdout)
    assert (result["recordings"], result["clips"], result["suggestions"], result["skipped"]) == (1, 2, 2, [])
