"""`detect --as-device`: the events of the package's C, on the laptop."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from helpers.command_line import labeltool_here, labeltool_json
from helpers.exports import add_model
from helpers.pretrained import onnx, onnx_weights, rising, written
from helpers.progress import quiet
from helpers.stm32 import LABELS, build, run, write_c_sources
from labeltool.audio.frontend import LogMelFrontend
from labeltool.errors import LabeltoolError
from labeltool.exporters.source import Source
from labeltool.exporters.stm32.codegen import network_c
from labeltool.exporters.stm32.package import event_thresholds
from labeltool.exporters.stm32.tflite.summary import read_network
from labeltool.importers import audio_files
from labeltool.inference import detect as inference_detect
from labeltool.inference import windows
from labeltool.inference.detection_records import DetectedFile, DetectOptions
from labeltool.networks.postprocessing import ClipRule
from labeltool.networks.stream_rule import StreamRule
from labeltool.pretrained import registry
from labeltool.project import Project
from labeltool.records import Event
from labeltool.store import models, recordings, spans
from labeltool.store.detections.operating_points import OperatingPoint, replace_operating_points
from labeltool.store.importing import import_records
from labeltool.store.spans import Kind
from labeltool.type_aliases import Int16

RATE = 16_000
FRONTEND = LogMelFrontend()
# An untrained network is certain of nothing: low thresholds and a low temperature make events of its whims.
CLIP_RULE, STREAM_RULE = ClipRule(temperature=0.2), StreamRule(0.7, 0.95, 0, 1, (0.42, 0.3, 0.35))
EVENT = np.dtype([("label", np.int32), ("first", np.uint32), ("last", np.uint32), ("peak", np.float32)])
PATCH = np.dtype([("probabilities", np.float32, 3), ("count", np.uint32), ("events", EVENT, 3)])


def sounds() -> Int16:
    """Return a minute and a half of different sounds and pauses: two blocks."""
    random = np.random.default_rng(3)
    parts = []
    for number in range(30):
        samples = random.normal(0, 1500, 2 * RATE) * np.sin(random.uniform(0.01, 1.5) * np.arange(2 * RATE))
        parts += [samples * (number % 3 > 0), np.zeros(RATE)]
    return np.clip(np.rint(np.concatenate(parts)), -32768, 32767).astype(np.int16)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "night.wav"
    soundfile.write(path, sounds(), RATE, subtype="PCM_16")
    return path


@pytest.fixture
def with_model(project: Project, int8: bytes) -> Project:
    add_model(project, labels=LABELS, int8=int8, clip_rule=CLIP_RULE, stream_rule=STREAM_RULE)
    return project


def detect(project: Project, file: Path, *, model: str | None = None, **options: Any) -> DetectedFile:
    chosen = DetectOptions(as_device=True, **options)
    return inference_detect.detect(project, report=quiet, files=[str(file)], model=model, options=chosen).files[0]


def test_events_are_those_of_the_package(with_model: Project, recording: Path, int8: bytes, tmp_path: Path) -> None:
    sources = write_c_sources(tmp_path, FRONTEND, read_network(int8), rule=CLIP_RULE, stream=STREAM_RULE)
    network_c.write_c(int8, tmp_path)
    probe = build(tmp_path, "aed_probe.c", [*sources, tmp_path / "aed_model.c"], "-O2")
    records = np.frombuffer(run(probe, "stream", data=sounds().tobytes()), PATCH)
    expected = [
        Event(
            LABELS[one["label"]],
            round(int(one["first"]) * FRONTEND.patch_hop_s, 6),
            round(int(one["last"]) * FRONTEND.patch_hop_s + FRONTEND.patch_s, 6),
            round(float(one["peak"]), 4),
        )
        for record in records
        for one in record["events"][: record["count"]]
    ]
    found = detect(with_model, recording).spans
    assert len(found) > 5 and len({event.label for event in found}) > 1
    assert list(found) == sorted(expected, key=lambda event: (event.start_s, event.end_s, event.label))


def test_events_become_suggestions_and_a_label_track(with_model: Project, recording: Path, tmp_path: Path) -> None:
    with with_model.open_store() as store:
        import_records(store, audio_files.read([recording], None, None), kind="audio", source="test")
    at = (with_model, "detect", recording, "--as-device", "--json", "-o", tmp_path / "tracks")
    result = json.loads(labeltool_here(*at).stdout)
    assert result["labels"] == dict(zip(LABELS, STREAM_RULE.thresholds, strict=True))
    (file,) = result["files"]
    assert file["suggestions"] == len(file["spans"]) > 5
    with with_model.open_store() as store:
        stored = recordings.find_recording(store, recording.name)
        kinds = [span.kind for span in spans.annotated_spans(store, stored.id)]
    assert kinds.count(Kind.SUGGESTION) == len(file["spans"])
    track = Path(file["track"]).read_text().splitlines()
    assert [line.split("\t")[2] for line in track] == [one["label"] for one in file["spans"]]


def test_thresholds_apply(with_model: Project, recording: Path) -> None:
    usual = detect(with_model, recording).spans
    (name,) = {max(usual, key=lambda event: event.probability).label}
    assert {event.label for event in detect(with_model, recording, thresholds={name: 1.0}).spans} == (
        {event.label for event in usual} - {name}
    )
    assert detect(with_model, recording, threshold=1.0).spans == ()


def test_saved_thresholds_are_those_of_the_package_and_of_detect(
    with_model: Project, recording: Path, tmp_path: Path
) -> None:
    with with_model.open_store() as store:
        uid = models.uid(store, 1)
        for source, thresholds in (("validation", (0.36, 0.34)), ("device review", (0.56,)), ("review", (0.9,))):
            points = [
                OperatingPoint(uid, label, source, threshold, 0.9, 0.8, 0.95, None, 40)
                for label, threshold in zip(reversed(LABELS), thresholds, strict=False)
            ]
            replace_operating_points(store, uid, source, points)
        source_of_export = Source(with_model, store, model_id=None, report=quiet)
        exported = source_of_export.model
        used = {name: one.source for name, one in source_of_export.operating_points.items()}
        rows = event_thresholds(exported, source_of_export.operating_points)
    assert [(row["threshold"], row["from"].split()[-1]) for row in rows] == [
        (STREAM_RULE.thresholds[0], "training"),
        (0.34, "clips"),
        (0.56, "detected"),
    ]
    assert used == {LABELS[2]: "device review", LABELS[1]: "validation"}
    saved = exported.card.stream_thresholds
    assert saved == (STREAM_RULE.thresholds[0], 0.34, 0.56)
    chosen = DetectOptions(as_device=True)
    result = inference_detect.detect(with_model, report=quiet, files=[str(recording)], options=chosen)
    assert result.labels == dict(zip(LABELS, saved, strict=True)) and result.operating_points == used
    named = dict(zip(LABELS, saved, strict=True))
    assert result.files[0].spans == detect(with_model, recording, thresholds=named).spans
    assert (
        result.files[0].spans
        != detect(with_model, recording, thresholds=dict(zip(LABELS, STREAM_RULE.thresholds, strict=True))).spans
    )
    # By overlapping windows the review of those counts, and --threshold overrides it.
    by_windows = inference_detect.detect(with_model, report=quiet, files=[str(recording)])
    assert by_windows.labels[LABELS[2]] == 0.9 and by_windows.operating_points[LABELS[2]] == "review"
    at = (with_model, "detect", recording, "-o", tmp_path)
    assert f"thresholds saved from a review of detections: '{LABELS[2]}'" in labeltool_here(*at).stderr
    overridden = labeltool_json(*at, "--threshold", "0.5")
    assert overridden["operating_points"] == {} and set(overridden["labels"].values()) == {0.5}


def test_silence_has_no_event_at_any_threshold(with_model: Project, tmp_path: Path) -> None:
    for name, level in (("silent", 0), ("offset", -30_000)):
        path = tmp_path / f"{name}.wav"
        soundfile.write(path, np.full(5 * RATE, level, np.int16), RATE, subtype="PCM_16")
        assert detect(with_model, path, threshold=0.001).spans == ()


def test_what_does_not_apply_is_refused(with_model: Project, recording: Path, tmp_path: Path) -> None:
    at = (with_model, "detect", recording, "--as-device")
    for option in (("--smooth", "1"), ("--merge-gap", "0"), ("--min-duration", "1"), ("--processes", "2")):
        refused = labeltool_here(*at, *option, check=1)
        assert refused.stderr.strip().splitlines() == [
            "labeltool: --as-device has its own rule for events "
            "(leave out --smooth, --merge-gap, --min-duration and --processes)"
        ]
    network = written(tmp_path / "net.onnx", onnx(onnx_weights(rising(400, 2)), shape=(1, 400), classes=2))
    names = written(tmp_path / "names.txt", b"low\nhigh\n")
    registry.add(with_model, report=quiet, file=str(network), labels=str(names), rate_hz=8000, name="pretrained")
    with pytest.raises(LabeltoolError, match=r"pretrained is a pretrained model.*\(leave --as-device out"):
        detect(with_model, recording, model="pretrained")


def test_memory_is_bounded_and_where_blocks_meet_changes_nothing(
    with_model: Project, recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = detect(with_model, recording)
    assert len(whole.spans) > 5 and {event.label for event in whole.spans} <= set(LABELS)
    read: list[int] = []
    original = windows.Windows.read

    def counted(self: windows.Windows, first: int, count: int) -> Int16:
        read.append(count)
        return original(self, first, count)

    monkeypatch.setattr(windows.Windows, "read", counted)
    monkeypatch.setattr(windows, "BLOCK_S", 7.0)
    assert detect(with_model, recording).spans == whole.spans
    assert len(read) > 10 and max(read) <= 14
