"""Predictions of a device become suggestions, the least confident first in the queue."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers.command_line import labeltool_json
from helpers.store import add_model_row
from labeltool.annotation import next_clips
from labeltool.errors import LabeltoolError
from labeltool.importers import device_log
from labeltool.project import Project
from labeltool.records import DeviceDetections, DeviceEvent, DevicePrediction, Skipped, Value
from labeltool.store import Store, models, recordings, spans
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
        (HEADER.replace("aed_run 1", "aed_run 3"), "format 3, not 2"),
        (HEADER + HEADER.replace("aed_run 1", "aed_run 2"), "several runs"),
        (HEADER + LINES + HEADER + LINES, r":6: contains several runs .*one log per run"),
        (HEADER.replace("aed_run 1", f"aed_run {'9' * 5000}"), "not a log of a device"),
        *(
            (re.sub(rf" {name}=\S+", f" {name}={value}" if value else "", HEADER), ":1: has a damaged header")
            for name, value in (
                *(("labels", value) for value in ("", "0", "-10", "9" * 20, "x")),
                *(("patch_s", value) for value in ("", "nan", "inf", "-1", "1e308")),
                *(("model", value) for value in ("", "a", "../x")),
            )
        ),
    ],
)
def test_a_file_that_is_not_a_log_is_refused_in_one_line(log: Path, text: str, message: str) -> None:
    log.write_text(text)
    with pytest.raises(LabeltoolError, match=message):
        list(device_log.read([log]))


def test_times_that_no_device_reaches_are_reported(log: Path) -> None:
    log.write_text(HEADER.replace("aed_run 1", "aed_run 2") + "1e305 1 2 3\nevent 0 0 1e305 0.5\n")
    skipped = [record for record in device_log.read([log], clip_seconds=1e-4) if isinstance(record, Skipped)]
    assert [one.line for one in skipped] == [2, 3] and all("out of range" in one.reason for one in skipped)


EVENTS = "event 0 0.000000 1.544000 0.972\nevent 2 2.000000 3.500000 0.640\n"


@pytest.fixture
def log_2(log: Path) -> Path:
    log.write_text(HEADER.replace("aed_run 1", "aed_run 2") + LINES + EVENTS)
    return log


def add_model(store: Store) -> int:
    return add_model_row(store, {"labels": ["bird", "dog", "rain"], "int8_sha256": INT8})


def suggested(store: Store) -> list[tuple[float, float, str | None, float | None]]:
    recording = recordings.find_recording(store, "yard.wav")
    return [
        (span.start_s, span.end_s, span.text, span.probability)
        for span in spans.annotated_spans(store, recording.id)
        if span.kind is spans.Kind.SUGGESTION
    ]


def test_events_are_read_beside_the_patches(log_2: Path) -> None:
    with_events = list(device_log.read([log_2]))
    assert len(device_log.parse(log_2).patches) == 4
    (detections,) = (record for record in with_events if isinstance(record, DeviceDetections))
    assert detections.events == (DeviceEvent(0, 0.0, 1.544, 0.972), DeviceEvent(2, 2.0, 3.5, 0.64))
    assert not [record for record in with_events if isinstance(record, Skipped)]
    log_2.write_text(HEADER + LINES + EVENTS)
    assert [record.line for record in device_log.read([log_2]) if isinstance(record, Skipped)] == [6, 7]


def test_events_become_regions_to_review_and_importing_again_changes_nothing(store: Store, log_2: Path) -> None:
    add_model(store)
    result = import_records(store, device_log.read([log_2]), kind="device", source="test")
    assert (result.clips, result.suggestions) == (2, 4)  # two clips by their patches, two events
    # A clip has the bounds of the first event already: its region is a microsecond shorter.
    assert suggested(store) == [(0.0, 1.543999, "bird", 0.972), (2.0, 3.5, "rain", 0.64)]
    # Regions are not in the queue, the clips are.
    assert [clip.start_s for clip in next_clips.next_clips(store, 9, annotator="ann")] == [2.0, 0.0]
    before = list(store.connection.iterdump())
    again = import_records(store, device_log.read([log_2]), kind="device", source="test")
    assert again.changes == 0 and again.already_there["suggestions"] == 4
    assert list(store.connection.iterdump()) == before


def test_a_later_log_replaces_the_events_but_no_verdict(store: Store, log_2: Path) -> None:
    add_model(store)
    import_records(store, device_log.read([log_2]), kind="device", source="test")
    recording = recordings.find_recording(store, "yard.wav")
    spans.annotate_region(store, recording, spans.Region(0.0, 1.544), "bird", Value.PRESENT, annotator="ann")
    assert import_records(store, device_log.read([log_2]), kind="device", source="test").changes == 0
    log_2.write_text(log_2.read_text().replace("event 2 2.000000", "event 2 2.500000"))
    assert import_records(store, device_log.read([log_2]), kind="device", source="test").suggestions == 2
    assert suggested(store) == [(2.5, 3.5, "rain", 0.64)]
    log_2.write_text(log_2.read_text().replace(EVENTS.replace("2.000000", "2.500000"), ""))
    assert import_records(store, device_log.read([log_2]), kind="device", source="test").changes == 1
    assert not [one for one in suggested(store) if one[1] == 3.5]
    assert [span.text for span in spans.verdicts(store)[recording.id]] == ["bird"]


def test_damaged_events_and_lost_sound_are_reported(log_2: Path) -> None:
    bad = "event 3 0.0 1.0 0.5\nevent 0 1.0 1.0 0.5\nevent 0 1.0 nan 0.5\nevent 0 1 2\nevent 0 1.0 2.0 1.5\n"
    late = "# late 3 1.000000 1.060000\n# late 1 2.000000 2.020000\n# late and something else\n"
    log_2.write_text(HEADER.replace("aed_run 1", "aed_run 2") + bad + late + "event 1 9.0 9.5 0.5\n")
    skipped = [record for record in device_log.read([log_2]) if isinstance(record, Skipped)]
    assert [one.line for one in skipped] == [2, 3, 4, 5, 6, None, None]
    assert "the event at 9 s is after the end" in skipped[-2].reason
    assert skipped[-1].reason == "the device was late 2 times and did not process 0.080 s of the sound"


def test_events_of_a_model_with_other_outputs_are_refused(store: Store, log_2: Path) -> None:
    add_model_row(store, {"labels": ["bird", "dog"], "int8_sha256": INT8})
    log_2.write_text(HEADER.replace("aed_run 1", "aed_run 2") + EVENTS)
    with pytest.raises(LabeltoolError, match="has 2 labels, its log 3"):
        import_records(store, device_log.read([log_2]), kind="device", source="test")


def test_the_command_line_imports_a_log(project: Project, store: Store, log: Path) -> None:
    add_model_row(store, {"labels": ["bird", "dog", "rain"], "int8_sha256": INT8})
    result = labeltool_json(project, "import", "device", log)
    assert (result["recordings"], result["clips"], result["suggestions"], result["skipped"]) == (1, 2, 2, [])
