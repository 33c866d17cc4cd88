"""What is heard where in recordings of hours: heard once, in parts, by several, gone on with, shown as suggestions."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from chip_helpers import LABELS
from ear_helpers import onnx, onnx_weights, quiet, rising, written
from hypothesis import given
from hypothesis import strategies as st
from test_command_line import labeltool

from labeltool import project as projects
from labeltool.annotation import next_clips
from labeltool.audio.windows import Windows
from labeltool.errors import LabeltoolError
from labeltool.importers import audacity, audio_files
from labeltool.inference import detect as inference_detect
from labeltool.inference import events
from labeltool.inference.events import Rules, find_events
from labeltool.pretrained import registry
from labeltool.project import Project
from labeltool.records import Event, Suggestion, Value, Verdict
from labeltool.store import Store, clips, journal, models, recordings, spans
from labeltool.store.importing import take_in
from labeltool.store.recordings import StoredRecording
from labeltool.store.spans import Kind, Mark
from labeltool.tasks.process import Child

RATE, WINDOW = 8000, 400
PLAIN = Rules(smooth_s=0.0, join_s=0.0, shortest_s=0.0, lower=1.0)


def found(scores: Iterable[np.ndarray], rules: Rules = PLAIN, *, deep: int = 1, **options: Any) -> list[Event]:
    """Find events of "owl" from 0.5 on, a second a window."""
    blocks = [np.asarray(block, np.float32).reshape(-1, 1) for block in scores]
    moments = sum(map(len, blocks)) + deep - 1
    return find_events(blocks, ["owl"], [0.5], rules, **{"hop_s": 1.0, "deep": deep, "duration_s": moments, **options})


def bounds(events: list[Event]) -> list[tuple[float, float]]:
    return [(event.start_s, event.end_s) for event in events]


# -- from scores to events


def test_an_event_lasts_while_the_lower_threshold_is_reached_and_needs_the_higher_once() -> None:
    scores = [[0, 0.3, 0.6, 0.3, 0, 0.4, 0.4, 0, 0.9]]
    (call, last) = found(scores, replace(PLAIN, lower=0.5))
    assert (call.start_s, call.end_s, call.probability) == (1.0, 4.0, 0.6)
    assert (last.start_s, last.end_s, last.label) == (8.0, 9.0, "owl")
    assert bounds(found(scores)) == [(2, 3), (8, 9)]


def test_close_events_are_one_before_short_ones_go() -> None:
    scores = [[1, 0, 1, 0, 0, 0, 1, 0, 0, 1, 1]]
    assert bounds(found(scores, replace(PLAIN, join_s=1.0))) == [(0, 3), (6, 7), (9, 11)]
    assert bounds(found(scores, replace(PLAIN, join_s=1.0, shortest_s=2.0))) == [(0, 3), (9, 11)]
    # A recording that is shorter than the shortest event may still hold one.
    assert bounds(found([[1]], replace(PLAIN, shortest_s=5.0))) == [(0, 1)]


def test_a_moment_is_the_mean_of_the_windows_that_hear_it_and_a_median_passes_over_what_flickers() -> None:
    (moments,) = list(events.posteriors([np.array([[1], [0], [0.5], [1]], np.float32)], 1))
    assert moments[:, 0].tolist() == [1, 0, 0.5, 1]
    mean = np.concatenate(list(events.posteriors([np.array([[1], [0], [0.5], [1]], np.float32)], 2)))[:, 0]
    assert mean.tolist() == [1, 0.5, 0.25, 0.75, 1]
    assert bounds(found([[0, 1, 0, 0, 1, 1, 0, 1, 1, 0, 0]], replace(PLAIN, smooth_s=3.0))) == [(4, 9)]


@given(
    scores=st.lists(st.sampled_from([0.0, 0.2, 0.3, 0.45, 0.5, 0.7, 1.0]), min_size=1, max_size=40),
    cuts=st.lists(st.integers(1, 39)),
    deep=st.integers(1, 4),
    smooth=st.integers(0, 5),
)
def test_where_blocks_meet_changes_nothing(scores: list[float], cuts: list[int], deep: int, smooth: int) -> None:
    rules = Rules(smooth_s=smooth, join_s=1.0, shortest_s=2.0)
    places = sorted({cut for cut in cuts if cut < len(scores)})
    in_blocks = np.split(np.array(scores), places)
    whole = found([scores], rules, deep=deep)
    assert found(in_blocks, rules, deep=deep) == whole
    ends = [moment for pair in bounds(whole) for moment in pair]
    assert ends == sorted(ends) and (not ends or 0 <= ends[0] < ends[-1] <= len(scores) + deep - 1)


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
def eared(project: Project, tmp_path: Path) -> Project:
    """A project with an ear that is the surer of "high" the further samples lie above zero."""
    weights = (rising(WINDOW, 2) * 16 - 8 / WINDOW).astype(np.float32)
    path = written(tmp_path / "net.onnx", onnx(onnx_weights(weights), shape=(1, WINDOW), classes=2))
    names = written(tmp_path / "names.txt", b"low\nhigh\n")
    registry.add(project, report=quiet, file=str(path), labels=str(names), rate_hz=RATE, name="ear")
    return project


def recorded(path: Path, seconds: float, *calls: tuple[float, float], rate: int = RATE) -> Path:
    """Write a recording that lies above zero in some stretches and below it elsewhere."""
    samples = np.full(round(seconds * rate), -0.9, np.float32)
    for start_s, end_s in calls:
        samples[round(start_s * rate) : round(end_s * rate)] = 0.9
    soundfile.write(path, samples, rate, subtype="PCM_16")
    return path


def high(told: dict[str, Any]) -> list[tuple[float, float]]:
    return [(one["start_s"], one["end_s"]) for one in told["spans"] if one["label"] == "high"]


def detect(project: Project, *files: Path, **options: Any) -> list[dict[str, Any]]:
    told = inference_detect.detect(
        project, report=quiet, files=[str(file) for file in files], **{"model": "ear", **options}
    )
    return list(told["files"])


CALLS = [(10.0, 12.0), (20.0, 23.5), (55.0, 70.0)]


def test_calls_are_found_where_they_are(eared: Project, tmp_path: Path) -> None:
    (told,) = detect(eared, recorded(tmp_path / "a.wav", 90.0, *CALLS))
    np.testing.assert_allclose(high(told), CALLS, atol=0.05)
    assert (told["seconds"], told["suggestions"]) == (90.0, None)
    assert [one for one in detect(eared, tmp_path / "a.wav", threshold=1.0)[0]["spans"]] == []
    (only,) = detect(eared, tmp_path / "a.wav", thresholds={"low": 1.0})
    assert high(only) == high(told) and {one["label"] for one in only["spans"]} == {"high"}
    # Digital silence is no sound, whatever a network would make of it.
    soundfile.write(tmp_path / "silent.wav", np.zeros(5 * RATE, np.int16), RATE)
    assert detect(eared, tmp_path / "silent.wav", threshold=0.01)[0]["spans"] == []
    with pytest.raises(LabeltoolError, match=r"no label 'hihg' \(of these it does: low, high\)"):
        detect(eared, tmp_path / "a.wav", thresholds={"hihg": 0.5})


def test_an_ear_tells_of_the_projects_labels_where_it_knows_any(eared: Project, tmp_path: Path) -> None:
    path = recorded(tmp_path / "a.wav", 30.0, (10, 12))
    with eared.open_store() as store:
        take_in(store, audio_files.read([path], None, None), kind="audio", source="test")
        recording = recordings.find_recording(store, "a.wav")
        spans.say_span(store, recording, Mark(1.0, 2.0), "High", annotator="ann")
    for threshold in (0.5, 0.6):
        (told,) = detect(eared, path, threshold=threshold)
    assert ({one["label"] for one in told["spans"]}, told["suggestions"]) == ({"High"}, 1)
    with eared.open_store() as store:
        assert [one[0] for one in suggested(store, recording)] == ["High"]
        # What it found in the whole is no opinion on the clips that people are asked about.
        assert models.suggester(store) is None and models.latest(store) is None
        # Nor when somebody says yes to it, at its own bounds.
        (found,) = (one for one in spans.standing(store, recording.id) if one.kind is Kind.SUGGESTION)
        spans.say_span(store, recording, Mark(found.start_s, found.end_s), "High", annotator="ann")
        assert models.suggester(store) is None
    assert json.loads(labeltool("--project", eared.directory, "status", "--json").stdout)["model"] is None


def test_where_no_class_stands_for_a_label_that_is_said_in_one_line(eared: Project, tmp_path: Path) -> None:
    path = recorded(tmp_path / "a.wav", 30.0, (10, 12))
    at = ("--project", eared.directory, "detect", path, "--model", "ear", "-o", tmp_path / "tracks")
    assert "is mapped" not in labeltool(*at).stderr
    with eared.open_store() as store:
        take_in(store, audio_files.read([path], None, None), kind="audio", source="test")
        journal.say(store, 1, "Türklingel", annotator="ann")
    told = labeltool(*at)
    assert [line for line in told.stderr.splitlines() if "is mapped" in line] == [
        "none of ear's classes is mapped to a label of the project: all of them are told"
    ]
    assert "  high" in told.stdout


def test_killed_half_way_it_goes_on_and_two_hear_what_one_hears(eared: Project, tmp_path: Path) -> None:
    path = recorded(tmp_path / "long.wav", 900.0, *((start + 0.3, start + 4.0) for start in range(7, 890, 37)))
    options: dict[str, Any] = {"files": [str(path)], "model": "ear", "processes": 2}
    child = Child.start(eared, "detect", **options)
    kept = eared.cache / "detect"
    for message in child.messages():
        if message["event"] == "progress" and 0 < message["done"] < 600:
            os.killpg(child.process_id, signal.SIGKILL)
            break
    child.stop()
    before = {one: one.stat().st_mtime_ns for one in kept.glob("*/[0-9]*.npy")}
    assert 0 < len(before) < 15
    # One that was cut short by a full disk, say, is heard again.
    damaged = max(before)
    damaged.write_bytes(damaged.read_bytes()[:50])
    done = labeltool("--project", eared.directory, "detect", path, "--model", "ear", "--processes", "2", "--json")
    (told,) = json.loads(done.stdout)["files"]
    assert len(list(kept.glob("*/[0-9]*.npy"))) == 15
    assert all(one.stat().st_mtime_ns == when for one, when in before.items() if one != damaged)
    (afresh,) = detect(eared, path, cache=str(tmp_path / "elsewhere"), processes=1)
    assert told["spans"] == afresh["spans"] and len(high(told)) == 24
    # Nothing is left to hear.
    assert detect(eared, path, processes=2)[0]["spans"] == told["spans"]


def test_what_a_model_of_ones_own_finds_stands_in_the_room(modelled: Project, tmp_path: Path) -> None:
    shutil.copytree(modelled.directory, tmp_path / "copy")
    project = projects.load(tmp_path / "copy")
    path = modelled.directory.parent / "0.wav"
    (told,) = detect(project, path, model=None, threshold=0.05)
    with project.open_store() as store:
        recording = recordings.find_recording(store, "0.wav")
        standing = [span for span in spans.standing(store, recording.id) if span.kind is Kind.SUGGESTION]
    heard = {(one["label"], one["start_s"], one["end_s"]) for one in told["spans"]}
    assert told["suggestions"] == len(heard) > 1
    # Somebody has said of the whole recording that it is the first label: it is not suggested again.
    wanted = {one for one in heard if one[0] != LABELS[0]}
    assert {(span.text, span.start_s, span.end_s) for span in standing} == wanted < heard


# -- in the store


def event(label: str, start_s: float, end_s: float, probability: float = 0.4) -> Event:
    return Event(label, start_s, end_s, probability)


def suggested(store: Store, recording: StoredRecording) -> list[tuple[str | None, float, float]]:
    return [
        (span.text, span.start_s, span.end_s)
        for span in spans.standing(store, recording.id)
        if span.kind is Kind.SUGGESTION
    ]


@pytest.fixture
def scanned(store: Store, tmp_path: Path) -> tuple[StoredRecording, int]:
    """A recording of a minute in two clips, and a model."""
    path = recorded(tmp_path / "a.wav", 60.0)
    take_in(store, audio_files.read([path], 30.0, None), kind="audio", source="test")
    card = {"architecture": "none", "labels_seen": 2, "clip_accuracy": None, "int8_clip_accuracy": None}
    model_id = models.add(store, parent_id=None, card=card, journal_mark="", publish=lambda _: None)
    return recordings.find_recording(store, "a.wav"), model_id


def test_found_spans_are_suggested_and_the_next_ones_take_their_place(
    store: Store, scanned: tuple[StoredRecording, int]
) -> None:
    recording, model_id = scanned
    before = clips.counts(store)
    first = [event("owl", 1, 2), event("rain", 1, 2), event("owl", 40, 50)]
    assert spans.replace_held(store, recording, model_id, first) == 3
    assert sorted(suggested(store, recording)) == [("owl", 1, 2), ("owl", 40, 50), ("rain", 1, 2)]
    assert clips.counts(store) == before and len(clips.all_clips(store)) == 2
    assert {clip.id for clip in next_clips.next_clips(store, 9, annotator="ann")} == {1, 2}
    spans.replace_held(store, recording, model_id, [event("owl", 41, 50)])
    assert suggested(store, recording) == [("owl", 41, 50)]
    (rows,) = store.connection.execute("SELECT COUNT(*) FROM clips").fetchone()
    assert rows == 3


def test_found_spans_never_touch_what_people_said_and_are_not_doubled(
    store: Store, scanned: tuple[StoredRecording, int]
) -> None:
    recording, model_id = scanned
    spans.say_span(store, recording, Mark(20.0, 22.0), "owl", Value.ABSENT, annotator="ann")
    spans.say_span(store, recording, Mark(10.0, 12.0), "owl", annotator="ann")
    said = spans.verdicts(store)
    held = [event("owl", 11, 13), event("owl", 20, 22), event("rain", 10, 12), event("owl", 30, 60)]
    spans.replace_held(store, recording, model_id, held)
    assert spans.verdicts(store) == said
    # The bounds of a clip that stands already are its own; the end of the other is a microsecond away.
    assert suggested(store, recording) == [("rain", 10, 11.999999), ("owl", 30, 59.999999)]
    journal.undo(store, annotator="ann")
    assert ("owl", 11, 13) in suggested(store, recording)


def test_a_new_model_leaves_found_spans_and_they_say_more_exactly_where_than_clips_do(
    store: Store, scanned: tuple[StoredRecording, int]
) -> None:
    recording, model_id = scanned
    spans.replace_held(store, recording, model_id, [event("owl", 3, 5)])
    whole = [Suggestion(clip.id, model_id, {"owl": 0.9, "rain": 0.1}) for clip in clips.all_clips(store)]
    models.replace_suggestions(store, whole)
    assert suggested(store, recording) == [("owl", 3, 5), ("owl", 30, 60)]


def test_a_newer_network_puts_its_finds_in_the_place_of_an_older_ones_but_for_what_was_answered(
    store: Store, scanned: tuple[StoredRecording, int]
) -> None:
    recording, first = scanned
    ear = models.finder(store, "ear")
    card = {"architecture": "none", "labels_seen": 2, "clip_accuracy": None, "int8_clip_accuracy": None}
    second = models.add(store, parent_id=None, card=card, journal_mark="", publish=lambda _: None)
    spans.replace_held(store, recording, first, [event("owl", 1, 2), event("rain", 5, 6)])
    spans.replace_held(store, recording, ear, [event("Speech", 8, 9)])
    spans.say_span(store, recording, Mark(5, 6), "rain", annotator="ann")
    said = spans.verdicts(store)
    spans.replace_held(store, recording, second, [event("owl", 20, 21)])
    assert sorted(suggested(store, recording)) == [("Speech", 8, 9), ("owl", 20, 21)]
    assert spans.verdicts(store) == said
    # Somebody who asks the older one again gets its finds beside the newer one's; an ear's put no network's aside.
    spans.replace_held(store, recording, first, [event("owl", 30, 31)])
    spans.replace_held(store, recording, ear, [])
    assert sorted(suggested(store, recording)) == [("owl", 20, 21), ("owl", 30, 31)]


# -- from the command line


def test_a_label_track_reads_back_and_none_is_ever_overwritten(eared: Project, tmp_path: Path) -> None:
    path = recorded(tmp_path / "night.wav", 90.0, *CALLS)
    at = ("--project", eared.directory, "detect", path, "--model", "ear", "--threshold", "low=1")
    done = labeltool(*at)
    track = eared.exports / "detect" / "night.detected.txt"
    assert str(track) in done.stderr and "  1.00  high\n" in done.stdout
    read = [one for one in audacity.read([track], audio=path) if isinstance(one, Verdict)]
    np.testing.assert_allclose([(one.clip.start_s, one.clip.end_s) for one in read], CALLS, atol=0.05)
    kept = track.read_bytes()
    assert json.loads(labeltool(*at, "--json").stdout)["files"][0]["track"] == str(track)
    track.write_text("1.0\t2.0\tmine\n")
    assert json.loads(labeltool(*at, "--json").stdout)["files"][0]["track"].endswith("night.detected-2.txt")
    assert track.read_text() == "1.0\t2.0\tmine\n" and track.with_name("night.detected-2.txt").read_bytes() == kept


def test_without_a_project_it_keeps_its_scores_beside_the_tracks(eared: Project, tmp_path: Path) -> None:
    path = recorded(tmp_path / "night.wav", 20.0, (3, 5))
    at = ("detect", path, "--model", eared.models / "ears" / "ear", "-o", tmp_path / "out")
    done = labeltool(*at, "--json")
    assert json.loads(done.stdout)["files"][0]["suggestions"] is None
    assert {one.name for one in (tmp_path / "out").iterdir()} == {"night.detected.txt", ".labeltool-detect"}
    for wrong in ("high", "high=2", "0"):
        labeltool(*at, "--threshold", wrong, check=2)
