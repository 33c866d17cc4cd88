"""The detections of a model in a project: what is reviewed, what a verdict is about, what is excluded."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import soundfile

from helpers.exports import add_model
from labeltool.errors import LabeltoolError
from labeltool.evaluation import detections
from labeltool.evaluation.detections import ReviewResult
from labeltool.importers import audio_files
from labeltool.project import Project
from labeltool.records import Event, Value
from labeltool.store import Store, groups, models, recordings, spans
from labeltool.store.detections.replacing import DetectionScan, replace_detections
from labeltool.store.importing import import_records
from labeltool.store.spans import Region

LOW = DetectionScan(False, {"owl": 0.1, "rain": 0.3})


@pytest.fixture
def model_id(store: Store, tmp_path: Path) -> int:
    """A pretrained model, and two recordings of half an hour."""
    for name in ("a", "b"):
        soundfile.write(tmp_path / f"{name}.wav", [ord(name) / 1e3] * 1_800_000, 1000, subtype="PCM_16")
    files = [tmp_path / "a.wav", tmp_path / "b.wav"]
    import_records(store, audio_files.read(files, None, None), kind="audio", source="test")
    return models.detection_model_id(store, "net")


def detected(
    store: Store, model_id: int, name: str, scan: DetectionScan = LOW, *events: tuple[str, float, float]
) -> None:
    found = [Event(label, start, start + 2, score) for label, start, score in events]
    replace_detections(store, recordings.find_recording(store, name), model_id, found, scan)


def owls(count: int, first: float = 0.2) -> list[tuple[str, float, float]]:
    return [("owl", 10.0 * i, first + i / 100) for i in range(count)]


def answer(store: Store, name: str, start: float, value: Value, *, seconds: float = 2, label: str = "owl") -> None:
    recording = recordings.find_recording(store, name)
    spans.annotate_region(store, recording, Region(start, start + seconds), label, value, annotator="ann")


def review(project: Project, store: Store, **options: object) -> ReviewResult:
    return detections.review_detections(project, store, limit=100, **options)  # type: ignore[arg-type]


def test_all_searched_hours_count_also_those_without_a_detection(project: Project, store: Store, model_id: int) -> None:
    with pytest.raises(LabeltoolError, match=r"nothing was detected in the project's recordings .*detect FILE"):
        review(project, store)
    assert detections.detections_to_review(project, store, limit=9) == ()
    detected(store, model_id, "a.wav", LOW, *owls(4))
    detected(store, model_id, "b.wav", LOW)
    for _, start, _ in owls(4):
        answer(store, "a.wav", start, Value.PRESENT if start else Value.ABSENT)
    result = review(project, store)
    (row,) = result.thresholds
    assert (result.model, result.recordings, result.hours, row.events, row.reviewed) == ("net", 2, 1.0, 4, 4)
    assert row.precision is not None and row.precision.value == row.precision.low == 0.75
    assert row.per_hour is not None and row.per_hour.value == 3.0 and result.next == ()


def test_a_verdict_counts_for_events_that_it_is_about(project: Project, store: Store, model_id: int) -> None:
    events = [("owl", start, 0.5) for start in (10.0, 20.0, 30.0, 40.0)]
    detected(store, model_id, "a.wav", LOW, *events, ("rain", 10.0, 0.6))
    answer(store, "a.wav", 10.5, Value.PRESENT, seconds=1)  # moved bounds
    answer(store, "a.wav", 19.0, Value.ABSENT, seconds=10)  # of a long part
    answer(store, "a.wav", 25.0, Value.PRESENT, seconds=13)  # somewhere in it
    answer(store, "a.wav", 41.9, Value.PRESENT, seconds=3)  # the next sound
    assert {(one.label, one.start_s) for one in review(project, store).next} == {
        ("owl", 30.0),
        ("owl", 40.0),
        ("rain", 10.0),
    }


def test_a_second_detection_keeps_the_verdicts_alone(project: Project, store: Store, model_id: int) -> None:
    detected(store, model_id, "a.wav", LOW, *owls(5))
    answer(store, "a.wav", 0.0, Value.ABSENT)
    answer(store, "a.wav", 40.0, Value.PRESENT)
    before = review(project, store)
    detected(store, model_id, "a.wav", LOW, *owls(5))
    after = review(project, store)
    assert after.thresholds == before.thresholds and len(after.next) == len(before.next) == 3
    detected(store, model_id, "a.wav", DetectionScan(False, {"owl": 0.22}), *owls(5)[2:])
    (row,) = review(project, store).thresholds
    assert (row.threshold, row.events) == (0.22, 3)


def test_only_scores_that_all_recordings_were_searched_for_count(project: Project, store: Store, model_id: int) -> None:
    detected(store, model_id, "a.wav", LOW, *owls(30))
    detected(store, model_id, "b.wav", DetectionScan(False, {"owl": 0.4}), ("owl", 1.0, 0.45))
    rows = review(project, store).thresholds
    assert rows[0].threshold == 0.4 and rows[0].events == 11


def test_test_data_and_what_was_searched_otherwise_is_excluded(project: Project, store: Store, model_id: int) -> None:
    detected(store, model_id, "a.wav", LOW, *owls(5))
    detected(store, model_id, "b.wav", DetectionScan(True, {"owl": 0.1}), *owls(3))
    result = review(project, store)
    assert result.as_device and result.source == "device review"
    assert (result.recordings, result.otherwise, len(result.next)) == (1, 1, 3)
    groups.lock_recordings(store, [recordings.find_recording(store, "b.wav").id], annotator="ann")
    result = review(project, store)
    assert (result.recordings, result.locked, result.thresholds) == (0, 1, ())


def test_the_models_test_fold_chooses_no_threshold(project: Project, store: Store, model_id: int) -> None:
    own = add_model(project, labels=("owl", "rain"), test_fold=5)
    for name in ("a.wav", "b.wav"):
        detected(store, own, name, LOW, *owls(3))
    with store.transaction() as connection:
        connection.execute("UPDATE clips SET fold = 5 WHERE recording_id = 1 AND NOT is_region")
    result = review(project, store, model=str(own))
    assert (result.recordings, result.trained_on, len(result.next)) == (1, 1, 3)
    assert all(one.file.endswith("b.wav") for one in result.next)
    shutil.rmtree(project.models / str(own))
    assert detections.detections_to_review(project, store, limit=9) == (), "the app's view goes on without them"


def test_what_was_searched_may_be_removed(project: Project, store: Store, model_id: int) -> None:
    detected(store, model_id, "a.wav", LOW, *owls(3))
    recordings.remove(store, [recordings.find_recording(store, "a.wav")], annotator="ann")
    assert detections.detections_to_review(project, store, limit=9) == review(project, store).next == ()
