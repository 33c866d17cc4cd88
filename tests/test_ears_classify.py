"""What a borrowed network hears in files of any length, by whichever way it is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from ear_helpers import onnx, onnx_weights, quiet, rising, written
from test_command_line import labeltool

from labeltool.audio import windows
from labeltool.audio.windows import Windows
from labeltool.errors import LabeltoolError
from labeltool.inference import classify
from labeltool.pretrained import registry
from labeltool.project import Project

RATE, WINDOW = 8000, 400


@pytest.fixture
def eared(project: Project, tmp_path: Path) -> Project:
    """A project with an ear of three classes that tells, as logits, how far samples lie above zero."""
    path = written(tmp_path / "net.onnx", onnx(onnx_weights(rising(WINDOW, 3)), shape=(1, WINDOW), classes=3))
    names = written(tmp_path / "names.txt", b"low\nmiddle\n\x1b[1mhigh\n")
    registry.add(project, report=quiet, file=str(path), labels=str(names), rate_hz=RATE, name="ear")
    return project


def sound(path: Path, samples: np.ndarray, rate: int = RATE) -> Path:
    soundfile.write(path, samples.astype(np.float32), rate, subtype="FLOAT")
    return path


def heard(project: Project | None, file: Path, model: str = "ear", top: int = 3) -> dict[str, Any]:
    (found,) = classify.classify(project, report=quiet, files=[str(file)], model=model, top=top)["files"]
    return found


def test_windows_overlap_by_half_and_the_last_ends_with_the_file(eared: Project, tmp_path: Path) -> None:
    found = heard(eared, sound(tmp_path / "a.wav", np.full(1050, 0.5)))
    spans = [(one["start_s"], one["end_s"]) for one in found["windows"]]
    assert spans == [(0, 0.05), (0.025, 0.075), (0.05, 0.1), (0.075, 0.125), (0.0813, 0.1313)]
    assert [one["index"] for one in found["scores"]] == [2, 1, 0]
    # Logits 0, 0.5 and 1, each judged for itself.
    assert [one["score"] for one in found["scores"]] == pytest.approx([0.7311, 0.6225, 0.5], abs=2e-4)
    assert all(
        one["label"].endswith("high") and one["score"] == pytest.approx(0.7311, abs=2e-4) for one in found["windows"]
    )


def test_silence_that_fills_a_file_up_counts_for_nothing(eared: Project, tmp_path: Path) -> None:
    loud, padded = np.full(800, 0.5), np.zeros(8000)
    padded[3200:4000] = 0.5
    found = heard(eared, sound(tmp_path / "padded.wav", padded))
    assert [one["start_s"] for one in found["windows"]] == [0.375, 0.4, 0.425, 0.45, 0.475]
    whole = heard(eared, sound(tmp_path / "loud.wav", loud))
    assert whole["scores"][0]["score"] >= found["scores"][0]["score"] > 0.65
    assert heard(eared, sound(tmp_path / "silent.wav", np.zeros(8000))) == {
        "file": str(tmp_path / "silent.wav"),
        "scores": [],
        "windows": [],
    }
    # Shorter than a window: filled up, and told up to where it ends.
    (short,) = heard(eared, sound(tmp_path / "short.wav", np.full(100, 0.5)))["windows"]
    assert (short["start_s"], short["end_s"]) == (0, 0.0125)


@pytest.mark.parametrize("rate", [8000, 44_100])
def test_a_long_file_is_heard_block_by_block_as_if_whole(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, rate: int
) -> None:
    path = sound(tmp_path / "long.wav", np.random.default_rng(0).uniform(-0.5, 0.5, round(5.37 * rate)), rate)
    whole = list(Windows.of(path, RATE, WINDOW))
    monkeypatch.setattr(windows, "BLOCK_S", 1)
    in_blocks = list(Windows.of(path, RATE, WINDOW))
    assert [first for first, _ in in_blocks] == [first for first, _ in whole]
    assert whole[-1][0] + WINDOW == pytest.approx(5.37 * RATE, abs=1)
    for (_, one), (_, other) in zip(in_blocks, whole, strict=True):
        # Where blocks meet, the resampler's filter sees a stretch of the next one only.
        np.testing.assert_allclose(one.astype(np.int32), other, atol=0 if rate == RATE else 40)


def test_a_model_of_ones_own_hears_a_long_file_block_by_block_too(
    modelled: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = sound(tmp_path / "long.wav", np.random.default_rng(0).uniform(-0.5, 0.5, 16_000 * 5 + 123), 16_000)
    whole = heard(modelled, path, "1")
    monkeypatch.setattr(windows, "BLOCK_S", 1.0)
    in_blocks = heard(modelled, path, "1")
    assert in_blocks["windows"] == whole["windows"] and len(whole["windows"]) == 8
    assert [one["score"] for one in in_blocks["scores"]] == pytest.approx(
        [one["score"] for one in whole["scores"]], abs=2e-4
    )


def test_a_label_is_text_whatever_it_holds_and_several_files_are_told_at_once(
    eared: Project, tmp_path: Path, write_tone: Callable[..., Path]
) -> None:
    files = [sound(tmp_path / "a.wav", np.full(800, 0.5)), write_tone("b.flac", rate=44_100, channels=2, seconds=0.3)]
    at = ("--project", eared.directory, "classify", *files, "--model", "ear", "--top", "1")
    lines = labeltool(*at).stdout.splitlines()
    assert lines[:2] == [str(files[0]), r"Category: \x1b[1mhigh, index: 2, score: 0.73"]
    assert lines[2] == str(files[1]) and len(lines) == 4
    told = json.loads(labeltool(*at, "--json").stdout)
    assert (told["model"], [one["file"] for one in told["files"]]) == ("ear", [str(file) for file in files])
    assert set(told["files"][0]["windows"][0]) == {"start_s", "end_s", "label", "index", "score"}
    listed = json.loads(labeltool("--project", eared.directory, "model", "list", "--json").stdout)["ears"]
    assert [(one["name"], one["rate_hz"], one["activation"]) for one in listed] == [("ear", RATE, "sigmoid")]


def test_an_ear_goes_by_its_name_its_folder_or_its_file_also_without_a_project(eared: Project, tmp_path: Path) -> None:
    file = sound(tmp_path / "a.wav", np.full(800, 0.5))
    folder = eared.models / "ears" / "ear"
    by_name = heard(eared, file)
    assert heard(None, file, str(folder)) == heard(None, file, str(folder / "net.onnx")) == by_name
    with pytest.raises(LabeltoolError, match=r"no file or ear 'eat' .*labeltool model add FILE.*are: ear"):
        heard(eared, file, "eat")
    with pytest.raises(LabeltoolError, match=r"does not say at which rate it hears"):
        heard(None, file, str(tmp_path / "net.onnx"))
    registry.add(eared, report=quiet, file=str(tmp_path / "net.onnx"), rate_hz=RATE, name="mute")
    with pytest.raises(LabeltoolError, match=r"has no class list .*--labels FILE"):
        heard(eared, file, "mute")
