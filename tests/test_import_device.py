"""What the board heard becomes what is asked next."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from labeltool.annotation import next_clips
from labeltool.errors import LabeltoolError
from labeltool.importers import device_log
from labeltool.project import Project
from labeltool.records import Heard, Skipped
from labeltool.store import Store, models
from labeltool.store.importing import take_in

INT8 = hashlib.sha256(b"the int8 model").hexdigest()
HEADER = f"# aed_run 1 model={INT8[:16]} labels=3 rate=16000 patch_s=1.044 patch_hop_s=0.5\n"
# Sure of the first label, then torn between the second and the third.
LINES = "0.000 127 -128 -128\n0.500 120 -120 -128\n2.000 -128 0 -1\n2.500 -128 -2 -1\n"


@pytest.fixture
def log(tmp_path: Path, write_tone: Callable[..., Path]) -> Path:
    write_tone("yard.wav", seconds=4.0)
    path = tmp_path / "yard.txt"
    path.write_text("# board up\n" + HEADER + LINES)
    return path


def add_model(store: Store, labels: list[str]) -> int:
    card = {
        "architecture": "miniresnet",
        "labels_seen": 1,
        "clip_accuracy": None,
        "int8_clip_accuracy": None,
        "labels": labels,
        "int8_sha256": INT8,
    }
    return models.add(store, parent_id=None, card=card, journal_mark="", publish=lambda _: None)


def test_patches_that_begin_together_are_one_clip_with_their_mean_scores(log: Path) -> None:
    _, first, first_heard, second, second_heard = device_log.read([log])
    assert (first.start_s, first.end_s, second.start_s, second.end_s) == (0.0, 1.544, 2.0, 3.544)
    assert isinstance(first_heard, Heard) and isinstance(second_heard, Heard)
    assert first_heard.scores.index(max(first_heard.scores)) == 0
    assert sum(second_heard.scores) == pytest.approx(1.0)
    assert abs(second_heard.scores[1] - second_heard.scores[2]) < 0.02


def test_the_boards_least_sure_clip_is_asked_first_and_importing_again_changes_nothing(store: Store, log: Path) -> None:
    model_id = add_model(store, ["bird", "dog", "rain"])
    intake = take_in(store, device_log.read([log]), kind="device", source="test")
    assert (intake.clips, intake.suggestions, intake.verdicts) == (2, 2, 0)
    asked = next_clips.next_clips(store, 2, annotator="ann")
    assert [clip.start_s for clip in asked] == [2.0, 0.0]
    held = models.suggestion(store, asked[1].id)
    assert held is not None and held.model_id == model_id and next(iter(held.probabilities)) == "bird"
    before = list(store.connection.iterdump())
    again = take_in(store, device_log.read([log]), kind="device", source="test")
    assert again.changes == 0 and again.already_there["suggestions"] == 2
    assert list(store.connection.iterdump()) == before


def test_a_log_of_a_model_made_elsewhere_is_refused_whole(store: Store, log: Path) -> None:
    with pytest.raises(LabeltoolError, match="no model of this project"):
        take_in(store, device_log.read([log]), kind="device", source="test")
    add_model(store, ["bird", "dog"])
    with pytest.raises(LabeltoolError, match="has 2 labels, its scores 3"):
        take_in(store, device_log.read([log]), kind="device", source="test")
    assert store.connection.execute("SELECT COUNT(*) FROM recordings").fetchone()[0] == 0


def test_lines_that_say_nothing_are_named(log: Path) -> None:
    log.write_text("0.0 1 2 3\n" + HEADER + "0.0 1 2\nnoise\n0.5 1 2 300\n0.5 -1 2 x\n9.0 0 0 0\n1.0 0 0 0\n")
    skipped = [record for record in device_log.read([log]) if isinstance(record, Skipped)]
    assert [one.line for one in skipped] == [1, 3, 4, 5, 6, None]
    assert "beyond" in skipped[-1].reason


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "not a board's log"),
        ("0.0 1 2 3\n", "not a board's log"),
        (HEADER.replace("aed_run 1", "aed_run 2"), "format 2"),
        (HEADER + HEADER.replace("labels=3", "labels=4"), "several models"),
        (HEADER.replace(" patch_s=1.044", ""), "not a board's log"),
    ],
)
def test_what_is_no_log_is_refused_in_one_line(log: Path, text: str, told: str) -> None:
    log.write_text(text)
    with pytest.raises(LabeltoolError, match=told):
        list(device_log.read([log]))


def test_the_command_line_takes_a_log(project: Project, store: Store, log: Path) -> None:
    from test_command_line import labeltool

    add_model(store, ["bird", "dog", "rain"])
    told = json.loads(labeltool("--project", project.directory, "import", "device", log, "--json").stdout)
    assert (told["recordings"], told["clips"], told["suggestions"], told["skipped"]) == (1, 2, 2, [])
