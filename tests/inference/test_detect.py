"""Event detection in long recordings: from scores to events, interrupted and resumed, stored as suggestions."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from helpers.command_line import labeltool, labeltool_here, labeltool_json
from helpers.pretrained import onnx, onnx_weights, rising, written
from helpers.progress import quiet
from helpers.records import of_kind, read_audacity
from helpers.stm32 import LABELS
from labeltool import project as projects
from labeltool.annotation import next_clips
from labeltool.errors import LabeltoolError
from labeltool.importers import audio_files
from labeltool.inference import detect as inference_detect
from labeltool.inference import events
from labeltool.inference.detection_records import DetectOptions
from labeltool.inference.events import EventRules, find_events
from labeltool.inference.windows import Windows
from labeltool.pretrained import registry
from labeltool.project import Project
from labeltool.records import Event, Value, Verdict
from labeltool.store import Store, clips, journal, models, recordings, spans
from labeltool.store.detections import replacing
from labeltool.store.importing import import_records
from labeltool.store.recordings import StoredRecording
from labeltool.store.spans import Kind, Region
from labeltool.tasks.process import LocalProcesses
from labeltool.tasks.registry import DETECT

RATE, WINDOW = 8000, 400
PLAIN = EventRules(smooth_s=0.0, merge_gap_s=0.0, min_duration_s=0.0, low_threshold_ratio=1.0)


def found(scores: Iterable[np.ndarray], rules: EventRules = PLAIN, *, overlap: int = 1, **options: Any) -> list[Event]:
    """Find events of "owl" from 0.5 on, a second a window."""
    blocks = [np.asarray(block, np.float32).reshape(-1, 1) for block in scores]
    moments = sum(map(len, blocks)) + overlap - 1
    defaults = {"hop_s": 1.0, "overlap": overlap, "duration_s": moments}
    return find_events(blocks, ["owl"], [0.5], rules, **{**defaults, **options})


def bounds(events: list[Event]) -> list[tuple[float, float]]:
    return [(event.start_s, event.end_s) for event in events]


# -- from scores to events


def test_an_event_lasts_while_the_lower_threshold_is_reached_and_needs_the_higher_once() -> None:
    scores = [[0, 0.3, 0.6, 0.3, 0, 0.4, 0.4, 0, 0.9]]
    (call, last) = found(scores, replace(PLAIN, low_threshold_ratio=0.5))
    assert (call.start_s, call.end_s, call.probability) == (1.0, 4.0, 0.6)
    assert (last.start_s, last.end_s, last.label) == (8.0, 9.0, "owl")
    assert bounds(found(scores)) == [(2, 3), (8, 9)]


def test_close_events_are_merged_before_short_ones_are_dropped() -> None:
    scores = [[1, 0, 1, 0, 0, 0, 1, 0, 0, 1, 1]]
    assert bounds(found(scores, replace(PLAIN, merge_gap_s=1.0))) == [(0, 3), (6, 7), (9, 11)]
    assert bounds(found(scores, replace(PLAIN, merge_gap_s=1.0, min_duration_s=2.0))) == [(0, 3), (9, 11)]
    # A recording that is shorter than the shortest event may still be one.
    assert bounds(found([[1]], replace(PLAIN, min_duration_s=5.0))) == [(0, 1)]


def test_a_moment_is_the_mean_of_the_windows_that_cover_it_and_a_median_removes_flicker() -> None:
    (moments,) = list(events.average_windows([np.array([[1], [0], [0.5], [1]], np.float32)], 1))
    assert moments[:, 0].tolist() == [1, 0, 0.5, 1]
    mean = np.concatenate(list(events.average_windows([np.array([[1], [0], [0.5], [1]], np.float32)], 2)))[:, 0]
    assert mean.tolist() == [1, 0.5, 0.25, 0.75, 1]
    assert bounds(found([[0, 1, 0, 0, 1, 1, 0, 1, 1, 0, 0]], replace(PLAIN, smooth_s=3.0))) == [(4, 9)]


@given(
    scores=st.lists(st.sampled_from([0.0, 0.2, 0.3, 0.45, 0.5, 0.7, 1.0]), min_size=1, max_size=40),
    cuts=st.lists(st.integers(1, 39)),
    overlap=st.integers(1, 4),
    smooth=st.integers(0, 5),
)
def test_where_blocks_meet_changes_nothing(scores: list[float], cuts: list[int], overlap: int, smooth: int) -> None:
    rules = EventRules(smooth_s=smooth, merge_gap_s=1.0, min_duration_s=2.0)
    places = sorted({cut for cut in cuts if cut < len(scores)})
    in_blocks = np.split(np.array(scores), places)
    whole = found([scores], rules, overlap=overlap)
    assert found(in_blocks, rules, overlap=overlap) == whole
    ends = [moment for pair in bounds(whole) for moment in pair]
    assert ends == sorted(ends) and (not ends or 0 <= ends[0] < ends[-1] <= len(scores) + overlap - 1)


# -- windows


@pytest.mark.parametrize(("stream", "starts"), [(False, [0, 150, 300, 450, 600, 650]), (True, [0, 150, 300, 450, 600])])
def test_windows_are_the_same_however_many_are_read_at_once(tmp_path: Path, stream: bool, starts: list[int]) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.arange(1050, dtype=np.int16), RATE, subtype="PCM_16")
    laid = Windows.of(path, RATE, WINDOW, 150, stream=stream)
    assert [first for first, _ in laid] == starts and len(laid) == len(starts)
    for number, (first, pcm) in enumerate(laid):
        np.testing.assert_array_equal(pcm, np.arange(first, first + WINDOW))
        np.testing.assert_array_equal(laid.read(number, 1), pcm)


# -- in a project


@pytest.fixture
def with_pretrained(project: Project, tmp_path: Path) -> Project:
    """A project with a pretrained model that is more confident of "high" the further samples lie above zero."""
    weights = (rising(WINDOW, 2) * 16 - 8 / WINDOW).astype(np.float32)
    path = written(tmp_path / "net.onnx", onnx(onnx_weights(weights), shape=(1, WINDOW), classes=2))
    names = written(tmp_path / "names.txt", b"low\nhigh\n")
    registry.add(project, report=quiet, file=str(path), labels=str(names), rate_hz=RATE, name="pretrained")
    return project


def recorded(path: Path, seconds: float, *calls: tuple[float, float], rate: int = RATE) -> Path:
    """Write a recording that lies above zero in some stretches and below it elsewhere."""
    samples = np.full(round(seconds * rate), -0.9, np.float32)
    for start_s, end_s in calls:
        samples[round(start_s * rate) : round(end_s * rate)] = 0.9
    soundfile.write(path, samples, rate, subtype="PCM_16")
    return path


def high(result: dict[str, Any]) -> list[tuple[float, float]]:
    return [(one["start_s"], one["end_s"]) for one in result["spans"] if one["label"] == "high"]


def detect(project: Project, *files: Path, model: str | None = "pretrained", **options: Any) -> list[dict[str, Any]]:
    """Detect events and return each file's result as JSON values."""
    result = inference_detect.detect(
        project, report=quiet, files=[str(file) for file in files], model=model, options=DetectOptions(**options)
    )
    return list(msgspec.to_builtins(result)["files"])


CALLS = [(10.0, 12.0), (20.0, 23.5), (55.0, 70.0)]


def test_calls_are_detected_where_they_are(with_pretrained: Project, tmp_path: Path) -> None:
    (result,) = detect(with_pretrained, recorded(tmp_path / "a.wav", 90.0, *CALLS))
    np.testing.assert_allclose(high(result), CALLS, atol=0.05)
    assert (result["seconds"], result["suggestions"]) == (90.0, None)
    assert [one for one in detect(with_pretrained, tmp_path / "a.wav", threshold=1.0)[0]["spans"]] == []
    (only,) = detect(with_pretrained, tmp_path / "a.wav", thresholds={"low": 1.0})
    assert high(only) == high(result) and {one["label"] for one in only["spans"]} == {"high"}
    # Digital silence has no events, whatever the network predicts.
    soundfile.write(tmp_path / "silent.wav", np.zeros(5 * RATE, np.int16), RATE)
    assert detect(with_pretrained, tmp_path / "silent.wav", threshold=0.01)[0]["spans"] == ()
    with pytest.raises(LabeltoolError, match=r"no label 'hihg' \(its labels: low, high\)"):
        detect(with_pretrained, tmp_path / "a.wav", thresholds={"hihg": 0.5})


def test_a_pretrained_model_detects_the_projects_labels_where_classes_are_mapped(
    with_pretrained: Project, tmp_path: Path
) -> None:
    path = recorded(tmp_path / "a.wav", 30.0, (10, 12))
    with with_pretrained.open_store() as store:
        import_records(store, audio_files.read([path], None, None), kind="audio", source="test")
        recording = recordings.find_recording(store, "a.wav")
        spans.annotate_region(store, recording, Region(1.0, 2.0), "High", annotator="ann")
    for threshold in (0.5, 0.6):
        (result,) = detect(with_pretrained, path, threshold=threshold)
    assert ({one["label"] for one in result["spans"]}, result["suggestions"]) == ({"High"}, 1)
    with with_pretrained.open_store() as store:
        assert [one[0] for one in suggested(store, recording)] == ["High"]
        # Events in a recording are no suggestions for the clips of the queue.
        assert models.suggester(store) is None and models.latest(store) is None
        # Nor when somebody accepts one, at its own bounds.
        (found,) = (one for one in spans.annotated_spans(store, recording.id) if one.kind is Kind.SUGGESTION)
        spans.annotate_region(store, recording, Region(found.start_s, found.end_s), "High", annotator="ann")
        assert models.suggester(store) is None
    assert labeltool_json(with_pretrained, "status")["model"] is None


def test_where_no_class_is_mapped_to_a_label_one_line_reports_it(with_pretrained: Project, tmp_path: Path) -> None:
    path = recorded(tmp_path / "a.wav", 30.0, (10, 12))
    at = (with_pretrained, "detect", path, "--model", "pretrained", "-o", tmp_path / "tracks")
    before = labeltool_here(*at).stderr
    assert "is mapped" not in before
    assert ", not in the project (`labeltool import audio FILE`, then detect again), " in before
    with with_pretrained.open_store() as store:
        import_records(store, audio_files.read([path], None, None), kind="audio", source="test")
        journal.annotate(store, 1, "Türklingel", annotator="ann")
    result = labeltool_here(*at)
    assert [line for line in result.stderr.splitlines() if "is mapped" in line] == [
        "no class of pretrained is mapped to a label of the project: all of its classes are shown"
    ]
    assert "  high" in result.stdout and "not in the project" not in result.stderr


def test_labels_that_no_class_is_mapped_to_are_named(with_pretrained: Project, tmp_path: Path) -> None:
    path = recorded(tmp_path / "a.wav", 30.0, (10, 12))
    with with_pretrained.open_store() as store:
        import_records(store, audio_files.read([path], None, None), kind="audio", source="test")
        for label in ("Türklingel", "High"):
            journal.annotate(store, 1, label, annotator="ann")
    at = (with_pretrained, "detect", path, "--model", "pretrained", "-o", tmp_path / "tracks")
    result = labeltool_here(*at, "--json")
    assert json.loads(result.stdout)["unmapped"] == ["Türklingel"]
    assert result.stderr.splitlines()[0] == (
        "not searched for: 'Türklingel' (no class of pretrained is mapped to them: `labeltool model map pretrained`)"
    )


@pytest.mark.slow
def test_a_killed_scan_goes_on_and_two_processes_detect_what_one_does(with_pretrained: Project, tmp_path: Path) -> None:
    path = recorded(tmp_path / "long.wav", 900.0, *((start + 0.3, start + 4.0) for start in range(7, 890, 37)))
    options: dict[str, Any] = {"files": [str(path)], "model": "pretrained", "options": {"processes": 2}}
    job = LocalProcesses().start(with_pretrained, DETECT, **options)
    kept = with_pretrained.cache / "detect"

    def kill(_: str, done: int, *__: object) -> None:
        if 0 < done < 600:
            os.killpg(job.process_id, signal.SIGKILL)

    with pytest.raises(LabeltoolError, match="was killed by signal 9"):
        job.wait(kill)
    before = {one: one.stat().st_mtime_ns for one in kept.glob("*/[0-9]*.npy")}
    assert 0 < len(before) < 15
    # A block that was cut short, by a full disk for instance, is scored again.
    damaged = max(before)
    damaged.write_bytes(damaged.read_bytes()[:50])
    done = labeltool(with_pretrained, "detect", path, "--model", "pretrained", "--processes", "2", "--json")
    (result,) = json.loads(done.stdout)["files"]
    assert len(list(kept.glob("*/[0-9]*.npy"))) == 15
    assert all(one.stat().st_mtime_ns == when for one, when in before.items() if one != damaged)
    (afresh,) = detect(with_pretrained, path, cache=str(tmp_path / "elsewhere"), processes=1)
    assert result["spans"] == list(afresh["spans"]) and len(high(result)) == 24
    # Nothing is left to score.
    assert detect(with_pretrained, path, processes=2)[0]["spans"] == afresh["spans"]


def test_events_by_an_own_model_become_suggestions(modelled: Project, tmp_path: Path) -> None:
    shutil.copytree(modelled.directory, tmp_path / "copy")
    project = projects.load(tmp_path / "copy")
    path = modelled.directory.parent / "0.wav"
    (result,) = detect(project, path, model=None, threshold=0.05)
    with project.open_store() as store:
        recording = recordings.find_recording(store, "0.wav")
        suggestions = [span for span in spans.annotated_spans(store, recording.id) if span.kind is Kind.SUGGESTION]
    detected = {(one["label"], one["start_s"], one["end_s"]) for one in result["spans"]}
    assert result["suggestions"] == len(detected) > 1
    # The whole recording is labelled with the first label: it is not suggested again.
    wanted = {one for one in detected if one[0] != LABELS[0]}
    assert {(span.text, span.start_s, span.end_s) for span in suggestions} == wanted < detected


# -- in the store


def event(label: str, start_s: float, end_s: float, probability: float = 0.4) -> Event:
    return Event(label, start_s, end_s, probability)


def suggested(store: Store, recording: StoredRecording) -> list[tuple[str | None, float, float]]:
    return [
        (span.text, span.start_s, span.end_s)
        for span in spans.annotated_spans(store, recording.id)
        if span.kind is Kind.SUGGESTION
    ]


@pytest.fixture
def scanned(store: Store, tmp_path: Path) -> tuple[StoredRecording, int]:
    """A recording of a minute in two clips, and a model."""
    path = recorded(tmp_path / "a.wav", 60.0)
    import_records(store, audio_files.read([path], 30.0, None), kind="audio", source="test")
    return recordings.find_recording(store, "a.wav"), new_model(store)


def new_model(store: Store) -> int:
    model = models.NewModel("none", "{}", labels_seen=2)
    return models.add(store, model, parent_id=None, journal_mark="", publish=lambda _: None)


def test_events_are_suggested_and_the_next_ones_replace_them(
    store: Store, scanned: tuple[StoredRecording, int]
) -> None:
    recording, model_id = scanned
    before = clips.counts(store)
    first = [event("owl", 1, 2), event("rain", 1, 2), event("owl", 40, 50)]
    assert replacing.replace_detections(store, recording, model_id, first) == 3
    assert sorted(suggested(store, recording)) == [("owl", 1, 2), ("owl", 40, 50), ("rain", 1, 2)]
    assert clips.counts(store) == before and len(clips.all_clips(store)) == 2
    assert {clip.id for clip in next_clips.next_clips(store, 9, annotator="ann")} == {1, 2}
    replacing.replace_detections(store, recording, model_id, [event("owl", 41, 50)])
    assert suggested(store, recording) == [("owl", 41, 50)]
    (rows,) = store.connection.execute("SELECT COUNT(*) FROM clips").fetchone()
    assert rows == 3


def test_events_never_change_annotations_and_are_not_suggested_twice(
    store: Store, scanned: tuple[StoredRecording, int]
) -> None:
    recording, model_id = scanned
    spans.annotate_region(store, recording, Region(20.0, 22.0), "owl", Value.ABSENT, annotator="ann")
    spans.annotate_region(store, recording, Region(10.0, 12.0), "owl", annotator="ann")
    before = spans.verdicts(store)
    detected = [event("owl", 11, 13), event("owl", 20, 22), event("rain", 10, 12), event("owl", 30, 60)]
    replacing.replace_detections(store, recording, model_id, detected)
    assert spans.verdicts(store) == before
    # A region that is annotated keeps its bounds; the end of the other is a microsecond away.
    assert suggested(store, recording) == [("rain", 10, 11.999999), ("owl", 30, 59.999999)]
    journal.undo(store, annotator="ann")
    assert ("owl", 11, 13) in suggested(store, recording)


def test_a_new_model_leaves_events_and_they_hide_suggestions_for_the_whole_clip(
    store: Store, scanned: tuple[StoredRecording, int]
) -> None:
    recording, model_id = scanned
    replacing.replace_detections(store, recording, model_id, [event("owl", 3, 5)])
    whole, outputs = clips.all_clips(store).ids, models.Outputs(("owl", "rain"))
    models.replace_by_scores(store, model_id, outputs, whole, np.array([[0.9, 0.1]] * len(whole), np.float32))
    assert suggested(store, recording) == [("owl", 3, 5), ("owl", 30, 60)]


def test_events_by_a_newer_network_replace_older_ones_but_for_annotated_ones(
    store: Store, scanned: tuple[StoredRecording, int]
) -> None:
    recording, first = scanned
    pretrained = models.detection_model_id(store, "pretrained")
    second = new_model(store)
    replacing.replace_detections(store, recording, first, [event("owl", 1, 2), event("rain", 5, 6)])
    replacing.replace_detections(store, recording, pretrained, [event("Speech", 8, 9)])
    spans.annotate_region(store, recording, Region(5, 6), "rain", annotator="ann")
    before = spans.verdicts(store)
    replacing.replace_detections(store, recording, second, [event("owl", 20, 21)])
    assert sorted(suggested(store, recording)) == [("Speech", 8, 9), ("owl", 20, 21)]
    assert spans.verdicts(store) == before
    # The older network's new events are kept beside the newer one's; a pretrained model's replace no network's.
    replacing.replace_detections(store, recording, first, [event("owl", 30, 31)])
    replacing.replace_detections(store, recording, pretrained, [])
    assert sorted(suggested(store, recording)) == [("owl", 20, 21), ("owl", 30, 31)]


# -- from the command line


def test_a_label_track_reads_back_and_none_is_ever_overwritten(with_pretrained: Project, tmp_path: Path) -> None:
    path = recorded(tmp_path / "night.wav", 90.0, *CALLS)
    at = (with_pretrained, "detect", path, "--model", "pretrained", "--threshold", "low=1")
    done = labeltool_here(*at)
    track = with_pretrained.exports / "detect" / "night.detected.txt"
    assert str(track) in done.stderr and "  1.00  high\n" in done.stdout
    read = of_kind(read_audacity([track], audio=path), Verdict)
    np.testing.assert_allclose([(one.clip.start_s, one.clip.end_s) for one in read], CALLS, atol=0.05)
    kept = track.read_bytes()
    assert labeltool_json(*at)["files"][0]["track"] == str(track)
    track.write_text("1.0\t2.0\tmine\n")
    assert labeltool_json(*at)["files"][0]["track"].endswith("night.detected-2.txt")
    assert track.read_text() == "1.0\t2.0\tmine\n" and track.with_name("night.detected-2.txt").read_bytes() == kept


def test_without_a_project_it_keeps_its_scores_beside_the_tracks(with_pretrained: Project, tmp_path: Path) -> None:
    path = recorded(tmp_path / "night.wav", 20.0, (3, 5))
    at = ("detect", path, "--model", registry.folder(with_pretrained, "pretrained"), "-o", tmp_path / "out")
    done = labeltool_here(*at, "--json")
    assert json.loads(done.stdout)["files"][0]["suggestions"] is None
    names = {one.name for one in (tmp_path / "out").iterdir() if one.suffix != ".parquet"}
    assert names == {"night.detected.txt", ".labeltool-detect"}
    for wrong in ("high", "high=2", "0"):
        labeltool_here(*at, "--threshold", wrong, check=2)
