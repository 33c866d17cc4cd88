"""Classification of files of any length, by a pretrained model and by the project's own."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import soundfile

from helpers import odd_sounds
from helpers.command_line import labeltool_here, labeltool_json
from helpers.pretrained import onnx, onnx_weights, rising, written
from helpers.progress import quiet
from labeltool.errors import LabeltoolError, in_one_line
from labeltool.inference import classify, windows
from labeltool.inference.windows import Windows
from labeltool.pretrained import registry
from labeltool.project import Project, load
from labeltool.store import labels

RATE, WINDOW = 8000, 400


@pytest.fixture
def with_pretrained(project: Project, tmp_path: Path) -> Project:
    """A project with a pretrained model of three classes, whose logits are how far samples lie above zero."""
    path = written(tmp_path / "net.onnx", onnx(onnx_weights(rising(WINDOW, 3)), shape=(1, WINDOW), classes=3))
    names = written(tmp_path / "names.txt", b"low\nmiddle\n\x1b[1mhigh\n")
    registry.add(project, report=quiet, file=str(path), labels=str(names), rate_hz=RATE, name="pretrained")
    return project


def sound(path: Path, samples: np.ndarray, rate: int = RATE) -> Path:
    soundfile.write(path, samples.astype(np.float32), rate, subtype="FLOAT")
    return path


def classified(project: Project | None, file: Path, model: str = "pretrained", top: int = 3) -> dict[str, Any]:
    """Classify a file and return its result as JSON values."""
    result = classify.classify(project, report=quiet, files=[str(file)], model=model, top=top)
    (found,) = msgspec.to_builtins(result)["files"]
    return dict(found)


def test_windows_overlap_by_half_and_the_last_ends_with_the_file(with_pretrained: Project, tmp_path: Path) -> None:
    found = classified(with_pretrained, sound(tmp_path / "a.wav", np.full(1050, 0.5)))
    spans = [(one["start_s"], one["end_s"]) for one in found["windows"]]
    assert spans == [(0, 0.05), (0.025, 0.075), (0.05, 0.1), (0.075, 0.125), (0.0813, 0.1313)]
    assert [one["index"] for one in found["scores"]] == [2, 1, 0]
    # Sigmoids of the logits 0, 0.5 and 1.
    assert [one["score"] for one in found["scores"]] == pytest.approx([0.7311, 0.6225, 0.5], abs=2e-4)
    assert all(
        one["label"].endswith("high") and one["score"] == pytest.approx(0.7311, abs=2e-4) for one in found["windows"]
    )


def test_digital_silence_in_a_file_counts_for_nothing(with_pretrained: Project, tmp_path: Path) -> None:
    loud, padded = np.full(800, 0.5), np.zeros(8000)
    padded[3200:4000] = 0.5
    found = classified(with_pretrained, sound(tmp_path / "padded.wav", padded))
    assert [one["start_s"] for one in found["windows"]] == [0.375, 0.4, 0.425, 0.45, 0.475]
    whole = classified(with_pretrained, sound(tmp_path / "loud.wav", loud))
    assert whole["scores"][0]["score"] >= found["scores"][0]["score"] > 0.65
    assert classified(with_pretrained, sound(tmp_path / "silent.wav", np.zeros(8000))) == {
        "file": str(tmp_path / "silent.wav"),
        "predicted": None,
        "scores": (),
        "windows": (),
        "fault": None,
    }
    # Shorter than a window: padded, and its window ends with the file.
    (short,) = classified(with_pretrained, sound(tmp_path / "short.wav", np.full(100, 0.5)))["windows"]
    assert (short["start_s"], short["end_s"]) == (0, 0.0125)


@pytest.mark.parametrize("rate", [8000, 44_100])
def test_a_long_file_is_read_block_by_block_as_if_whole(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, rate: int
) -> None:
    path = sound(tmp_path / "long.wav", np.random.default_rng(0).uniform(-0.5, 0.5, round(5.37 * rate)), rate)
    whole = list(Windows.of(path, RATE, WINDOW))
    monkeypatch.setattr(windows, "BLOCK_S", 1)
    in_blocks = list(Windows.of(path, RATE, WINDOW))
    assert [first for first, _ in in_blocks] == [first for first, _ in whole]
    assert whole[-1][0] + WINDOW == pytest.approx(5.37 * RATE, abs=1)
    for (_, one), (_, other) in zip(in_blocks, whole, strict=True):
        # Where blocks meet, the resampler's filter covers only a part of the next one.
        np.testing.assert_allclose(one.astype(np.int32), other, atol=0 if rate == RATE else 40)


def test_an_own_model_classifies_a_long_file_block_by_block_too(
    modelled: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = sound(tmp_path / "long.wav", np.random.default_rng(0).uniform(-0.5, 0.5, 16_000 * 5 + 123), 16_000)
    whole = classified(modelled, path, "1")
    monkeypatch.setattr(windows, "BLOCK_S", 1.0)
    in_blocks = classified(modelled, path, "1")
    assert in_blocks["windows"] == whole["windows"] and len(whole["windows"]) == 8
    assert [one["score"] for one in in_blocks["scores"]] == pytest.approx(
        [one["score"] for one in whole["scores"]], abs=2e-4
    )


def test_a_label_that_was_renamed_since_the_training_has_its_present_name(modelled: Project, tmp_path: Path) -> None:
    path = sound(tmp_path / "a.wav", np.random.default_rng(0).uniform(-0.5, 0.5, 16_000 * 3), 16_000)
    before = classified(modelled, path, "1")
    shutil.copytree(modelled.directory, tmp_path / "copy")
    project = load(tmp_path / "copy")
    first = before["scores"][0]["label"]
    with project.open_store() as store:
        labels.rename(store, first, "chaffinch", annotator="ann")
    expected = json.loads(json.dumps(before).replace(f'"{first}"', '"chaffinch"'))
    assert json.loads(json.dumps(classified(project, path, "1"))) == expected != before


def test_a_label_is_printed_as_text_whatever_it_holds_and_several_files_are_listed(
    with_pretrained: Project, tmp_path: Path, write_tone: Callable[..., Path]
) -> None:
    files = [sound(tmp_path / "a.wav", np.full(800, 0.5)), write_tone("b.flac", rate=44_100, channels=2, seconds=0.3)]
    at = (with_pretrained, "classify", *files, "--model", "pretrained", "--top", "1")
    lines = labeltool_here(*at).stdout.splitlines()
    assert lines[:2] == [str(files[0]), r"Category: \x1b[1mhigh, index: 2, score: 0.73"]
    assert lines[2] == str(files[1]) and len(lines) == 4
    result = labeltool_json(*at)
    assert (result["model"], [one["file"] for one in result["files"]]) == ("pretrained", [str(file) for file in files])
    assert set(result["files"][0]["windows"][0]) == {"start_s", "end_s", "label", "index", "score"}
    printed = labeltool_here(with_pretrained, "model", "list", "--json").stdout
    listed = json.loads(printed)["ears"]  # promised name
    assert [(one["name"], one["rate_hz"], one["activation"]) for one in listed] == [("pretrained", RATE, "sigmoid")]


def test_a_pretrained_model_is_named_by_name_folder_or_file_also_without_a_project(
    with_pretrained: Project, tmp_path: Path
) -> None:
    file = sound(tmp_path / "a.wav", np.full(800, 0.5))
    folder = registry.folder(with_pretrained, "pretrained")
    by_name = classified(with_pretrained, file)
    assert classified(None, file, str(folder)) == classified(None, file, str(folder / "net.onnx")) == by_name
    with pytest.raises(LabeltoolError, match=r"no file or .* 'eat' .*labeltool model add FILE.*are: pretrained"):
        classified(with_pretrained, file, "eat")
    with pytest.raises(LabeltoolError, match=r"does not give its sample rate"):
        classified(None, file, str(tmp_path / "net.onnx"))
    registry.add(with_pretrained, report=quiet, file=str(tmp_path / "net.onnx"), rate_hz=RATE, name="mute")
    with pytest.raises(LabeltoolError, match=r"has no class list .*--labels FILE"):
        classified(with_pretrained, file, "mute")


def test_one_bad_file_never_stops_the_others(with_pretrained: Project, tmp_path: Path) -> None:
    good = sound(tmp_path / "good.wav", np.full(800, 0.5))
    cut = odd_sounds.flac(tmp_path / "cut.flac", kept=0.5)
    not_utf8 = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.wav"))
    not_utf8.write_bytes(good.read_bytes())
    bad = [cut, tmp_path / "none.wav", not_utf8]
    where = (with_pretrained, "--model", "pretrained")
    for command, rest in (("classify", ()), ("detect", ("-o", tmp_path / "tracks"))):
        done = labeltool_here(command, cut, good, *bad[1:], *where, *rest, "--json", check=1)
        result = json.loads(done.stdout)
        assert [one["file"] for one in result["files"]] == [str(good)]
        assert [one["file"] for one in result["failed"]] == list(map(in_one_line, map(str, bad)))
        assert not any(one["file"] in one["reason"] for one in result["failed"])
        assert all(f"failed: {one['file']}: {one['reason']}" in done.stderr for one in result["failed"])
        assert "3 of 4 files failed" in done.stderr and "Traceback" not in done.stderr
    done = labeltool_here("classify", cut, *where, "--json", check=1)
    assert done.stdout == "" and len(done.stderr.splitlines()) == 1
