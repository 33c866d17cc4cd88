"""The STM32 package: C with the frontend's values, and labels that stay text in a compiler."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.exports import add_model, bytes_of, export
from helpers.stm32 import HOSTILE, LABELS, STRICT, needs, run, without
from labeltool import project as projects
from labeltool.audio.frontend import LogMelFrontend, frontend_from_dict
from labeltool.audio.log_mel_frontend import YAMNET_FRONTEND
from labeltool.errors import LabeltoolError
from labeltool.exporters.stm32.codegen.c_text import c_float, c_identifiers, c_string
from labeltool.exporters.stm32.codegen.st_mel_tables import mel_tables, sparse_filters
from labeltool.exporters.stm32.package import check_fit
from labeltool.exporters.stm32.st_applications.config_header import class_list
from labeltool.exporters.stm32.tflite.summary import read_network
from labeltool.exporters.stm32.verification import keeps_up
from labeltool.networks import build as networks
from labeltool.networks import model_folder, quantization
from labeltool.networks.model_folder import ModelFiles
from labeltool.networks.postprocessing import ClipRule
from labeltool.project import Project
from labeltool.records import Value
from labeltool.store.journal import annotate
from labeltool.store.labels import rename


def compiled(folder: Path, program: str, *sources: Path) -> bytes:
    """Compile a program without warnings, run it and return its output."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    (folder / "program.c").write_text(program, encoding="utf-8")
    built = subprocess.run(
        ["gcc", *STRICT, "-I", folder, "program.c", *sources, "-lm", "-o", "program"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    return subprocess.run([folder / "program"], capture_output=True, check=True).stdout


def test_labels_read_back_unchanged_from_a_compiled_program(tmp_path: Path) -> None:
    labels = [*HOSTILE, *("".join(map(chr, range(first, first + 64))) for first in range(1, 512, 64))]
    program = f"#include <stdio.h>\n#define LABELS {class_list(labels)}\n" + (
        "static const char *const labels[] = LABELS;\n"
        "int main(void) {\n"
        "    for (unsigned i = 0; i < sizeof labels / sizeof *labels; i++) { fputs(labels[i], stdout); putchar(0); }\n"
        "    return 0;\n}\n"
    )
    assert compiled(tmp_path, program).decode("utf-8").split("\0") == [*labels, ""]


@given(st.text())
def test_a_c_string_is_plain_ascii_and_cannot_be_left(text: str) -> None:
    literals = c_string(text).split("\n    ")
    assert all(re.fullmatch(r'"(?:[ !#-\[\]-~]|\\[0-3][0-7]{2})*"', literal) for literal in literals)
    assert "?" not in c_string(text)
    inside = "".join(literal[1:-1] for literal in literals)
    read = re.sub(rb"\\([0-7]{3})", lambda found: bytes([int(found[1], 8)]), inside.encode("ascii"))
    assert read == text.replace("\0", "\ufffd").encode("utf-8", "replace")


@given(st.lists(st.one_of(st.text(), st.sampled_from(("a b", "A_B", "a-b", "", "é", "deadbeef"))), unique=True))
def test_identifiers_are_legal_and_all_different(names: list[str]) -> None:
    identifiers = c_identifiers("AED_LABEL_", names)
    assert all(re.fullmatch(r"AED_LABEL_[A-Z0-9_]{1,52}", name) for name in identifiers)
    assert len(set(identifiers)) == len(names)


def test_a_plain_label_keeps_its_identifier_when_others_come(tmp_path: Path) -> None:
    assert c_identifiers("L_", ["sea waves", "dog"]) == ["L_SEA_WAVES", "L_DOG"]
    alone, together = c_identifiers("L_", ["صوت"]), c_identifiers("L_", ["dog", "صوت"])
    assert alone == together[1:]


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_float_constants_read_back_exactly(value: float) -> None:
    constant = c_float(value)
    assert re.fullmatch(r"-?\d+(\.\d+)?(e[+-]\d+)?F", constant) and ("." in constant or "e" in constant)
    assert np.float32(constant[:-1]) == np.float32(value)


@pytest.mark.parametrize(
    "frontend",
    [
        LogMelFrontend(),
        LogMelFrontend(n_fft=512, hop=160, n_mels=40, low_hz=125.0),
        LogMelFrontend(sample_rate_hz=48_000, n_fft=4096),
        YAMNET_FRONTEND,
    ],
    ids=["default", "short", "48 kHz", "YAMNet's"],
)
def test_tables_read_back_from_the_compiled_c_equal_the_frontend(tmp_path: Path, frontend: LogMelFrontend) -> None:
    source, header = mel_tables(frontend)
    (tmp_path / "user_mel_tables.c").write_text(source)
    (tmp_path / "user_mel_tables.h").write_text(header)
    names = ("user_win", "user_melFiltersLut", "user_melFiltersStartIndices", "user_melFiltersStopIndices")
    dump = "\n".join(f"    fwrite({name}, sizeof {name}, 1, stdout);" for name in names)
    program = f'#include <stdio.h>\n#include "user_mel_tables.h"\nint main(void) {{\n{dump}\n    return 0;\n}}\n'
    raw = compiled(tmp_path, program, tmp_path / "user_mel_tables.c")
    ends = np.cumsum([frontend.frame_samples, len(sparse_filters(frontend).coefficients), frontend.n_mels])
    window, coefficients = np.split(np.frombuffer(raw[: 4 * ends[1]], np.float32), ends[:1])
    starts, stops = np.split(np.frombuffer(raw[4 * ends[1] :], np.uint32), 2)
    assert np.array_equal(window, frontend.window())
    filters = np.zeros_like(frontend.mel_filters())
    used = 0
    for band, (start, stop) in enumerate(zip(starts, stops, strict=True)):
        filters[band, start : stop + 1] = coefficients[used : used + stop - start + 1]
        used += stop - start + 1
    assert used == len(coefficients)
    # A bin that ST's library may spoil has no weight; its neighbours take its weight.
    spoilt, expected = frontend.n_fft // 4, frontend.mel_filters()
    others = np.delete(np.arange(frontend.n_fft // 2 + 1), [spoilt - 1, spoilt, spoilt + 1])
    assert np.array_equal(filters[:, others], expected[:, others]) and not filters[:, spoilt].any()
    np.testing.assert_allclose(filters.sum(axis=1), expected.sum(axis=1), rtol=1e-6)


@pytest.mark.parametrize(
    ("frontend", "reason"),
    [
        (LogMelFrontend(sample_rate_hz=22_050), "16 or 48 kHz"),
        (LogMelFrontend(n_fft=1000), "power of two"),
        (LogMelFrontend(n_mels=512), "empty"),
    ],
)
def test_a_frontend_st_cannot_compute_is_refused(frontend: LogMelFrontend, reason: str) -> None:
    with pytest.raises(LabeltoolError, match=reason):
        mel_tables(frontend)


def test_a_file_that_is_not_tflite_is_refused(int8: bytes) -> None:
    for damaged in (b"", b"not a model", int8[:4] + b"TFL3" + b"\xff" * 200):
        with pytest.raises(LabeltoolError, match="TFLite"):
            read_network(damaged)


FIRMWARE = (
    *("README.md", "CMakeLists.txt", "CMakePresets.json", "arm-none-eabi.cmake"),
    *("app.c", "app.h", "app_network.h", "board.h", "main.c", "microphone_file.c", "microphone_taps.h"),
    *(f"{name}.{kind}" for name in ("decimate", "microphone", "pdm", "ring") for kind in "ch"),
    *("network_reference.c", "network_stai.c", "network_legacy.c", "network_tflm.cc"),
    *("tflm_model.S", "tflm_operators.h"),
    *(f"board_{name}/board.c" for name in ("cubemx", "host", "qemu", "stm32f405", "stm32u585")),
    "board_stm32u585/u585.ld",
)


def test_the_package_has_all_its_files(package: Path) -> None:
    assert set(bytes_of(package)) == {
        "README.md",
        "MANIFEST.sha256",
        "report.json",
        *(f"docs/{name}.md" for name in ("c_code", "model_card", "numbers", "st_tools")),
        *(f"model/{name}" for name in ("model_int8.tflite", "labels.txt", "model_config.json")),
        *(f"model/model_st.{kind}" for kind in ("tflite", "onnx")),
        "c/aed_lines.h",
        "c/aed_math.h",
        "c/aed_status.h",
        *(f"st/n6/{name}" for name in ("README.md", "user_config.yaml", "ai_model_config.h")),
        *("st/n6/user_mel_tables.c", "st/n6/user_mel_tables.h"),
        *(
            f"c/aed_{part}.{kind}"
            for part in ("preproc", "preproc_fixed", "postproc", "stream", "tables", "nn", "model")
            for kind in "ch"
        ),
        *(f"test/{name}" for name in ("Makefile", "aed_probe.c", "aed_run.c", "test_selftest.c")),
        *(f"test/{name}" for name in ("golden_pcm.h", "golden_scores.h", "port.h", "port_host.c")),
        *(
            f"test/arm/{name}"
            for name in ("port.c", "startup.c", "startup.h", "sections.ld", "f405.ld", "m33.ld", "m55.ld", "mps2.ld")
        ),
        *(f"validation/{name}" for name in ("val.npz", "val_in.csv", "val_out.csv", "val_clips.csv", "val_st.npz")),
        *(f"firmware/{name}" for name in FIRMWARE),
    }


def test_the_configuration_has_the_values_of_the_model_and_the_frontend(package: Path, int8: bytes) -> None:
    config = json.loads((package / "model" / "model_config.json").read_text())
    network = read_network(int8)
    assert frontend_from_dict(config["frontend"]).fingerprint == config["fingerprint"] == LogMelFrontend().fingerprint
    assert config["input"] == {
        "shape": [1, 64, 50, 1],
        "dtype": "INT8",
        "scale": network.input.scale,
        "zero_point": network.input.zero_point,
    }
    assert config["labels"] == list(LABELS)
    header = (package / "c" / "aed_tables.h").read_text()
    assert re.search(rf"#define AED_INPUT_SCALE +\({re.escape(c_float(network.input.scale or 0))}\)", header)
    assert re.search(r"AED_LABEL_BELL = 0,\n +AED_LABEL_DOG = 1,\n +AED_LABEL_RAIN = 2,", header)


def with_labels(files: ModelFiles, labels: tuple[str, ...]) -> ModelFiles:
    return ModelFiles(files.directory, replace(files.card, labels=labels), files.frontend)


def test_a_network_that_does_not_match_its_card_is_refused(modelled: Project, int8: bytes) -> None:
    files = model_folder.read(modelled.models / "1")
    with pytest.raises(LabeltoolError, match="2 labels"):
        check_fit(with_labels(files, ("a", "b")), read_network(int8))


def test_validation_data_are_outputs_of_the_int8_network_for_unseen_clips(
    package: Path, modelled: Project, int8: bytes
) -> None:
    from labeltool.audio.clip_samples import clip_pcm
    from labeltool.networks.quantization import Int8Model
    from labeltool.store import clips

    arrays = np.load(package / "validation" / "val.npz", allow_pickle=False)
    assert arrays["m_inputs"].dtype == arrays["m_outputs"].dtype == np.int8
    assert arrays["m_inputs"].shape == (3, 64, 50, 1) and arrays["m_outputs"].shape == (3, 3)
    network = Int8Model(int8)
    assert np.array_equal(network.predict_int8(arrays["m_inputs"][..., 0]), arrays["m_outputs"])
    for name, key in (("val_in.csv", "m_inputs"), ("val_out.csv", "m_outputs")):
        rows = np.loadtxt(package / "validation" / name, delimiter=",", dtype=np.int64)
        assert np.array_equal(rows, arrays[key].reshape(3, -1))
    with (package / "validation" / "val_clips.csv").open(newline="") as file:
        patches = list(csv.DictReader(file))
    assert {row["part"] for row in patches} == {"unseen"}
    assert [json.loads(row["labels_present"]) for row in patches] == [["bell"], ["dog"], ["rain"]]
    with modelled.open_store() as store:
        by_hash = {clip.sha256: clip for clip in clips.all_clips(store)}
    for codes, row in zip(arrays["m_inputs"], patches, strict=True):
        clip = by_hash[row["recording_sha256"]]
        assert clip.group in {"g3", "g4", "g5"}
        first = int(row["first_frame"])
        patch = LogMelFrontend().patches(
            LogMelFrontend().compute_frames(clip_pcm(clip, LogMelFrontend()))[first : first + 50]
        )
        assert np.array_equal(network.quantise(patch)[0], codes[..., 0])


def test_the_same_patches_are_there_for_the_model_for_st(package: Path, modelled: Project) -> None:
    from labeltool.audio.clip_samples import clip_pcm
    from labeltool.exporters.stm32.st_model import frontend, patches
    from labeltool.networks.quantization import FloatOutputModel
    from labeltool.store import clips

    arrays = np.load(package / "validation" / "val_st.npz", allow_pickle=False)
    inputs, outputs = arrays["m_inputs"], arrays["m_outputs"]
    assert (inputs.dtype, inputs.shape, outputs.dtype, outputs.shape) == (np.int8, (3, 64, 50, 1), np.float32, (3, 3))
    network = FloatOutputModel((package / "model" / "model_st.tflite").read_bytes())
    assert np.array_equal(network.predict(inputs[..., 0]), outputs)
    ours = LogMelFrontend()
    with (package / "validation" / "val_clips.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    with modelled.open_store() as store:
        by_hash = {clip.sha256: clip for clip in clips.all_clips(store)}
    for codes, row in zip(inputs, rows, strict=True):
        first = int(row["first_frame"]) * ours.hop
        pcm = clip_pcm(by_hash[row["recording_sha256"]], ours)[first : first + frontend.buffer_samples(ours)]
        assert np.array_equal(patches.codes(pcm, ours, network), codes[None, ..., 0])
        # The same sound as in val.npz: well above the floor, which ST's frontend lacks, the decibels are our
        # own but for those of the bin that the mel tables leave out.
        decibels = (codes[..., 0].astype(float) - network.input.zero_point) * network.input.scale
        expected = ours.compute_frames(pcm).T * ours.scale_db + ours.offset_db
        loud = expected > 10 * np.log10(ours.floor) + 20
        assert loud.any() and np.median(np.abs(decibels - expected)[loud]) <= network.input.scale / 2


def test_training_clips_validate_the_model_only_where_there_are_no_others(
    modelled: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(monkeypatch, "cc")  # the C is the one that other exports check
    shutil.copytree(modelled.directory, tmp_path / "copy")
    project = projects.load(tmp_path / "copy")
    with project.open_store() as store:
        rename(store, "rain", "drizzle", annotator="ann")
        for clip_id in (4, 5, 6):
            annotate(store, clip_id, None, Value.ABSENT, annotator="ann")
    package = Path(export(project, "stm32").written[0])
    with (package / "validation" / "val_clips.csv").open(newline="") as file:
        patches = [(row["labels_present"], row["part"]) for row in csv.DictReader(file)]
    assert patches == [('["bell"]', "train"), ('["dog"]', "train"), ('["drizzle"]', "train")]
    assert "3 patches of clips the model was trained on (there are no others)" in (package / "README.md").read_text()
    seen = project.models / "1" / "seen.csv"
    # Clips of the unlabelled pool are no validation clips.
    seen.write_text(seen.read_text().replace("g1,train", "g1,validation").replace("g2,train", "g2,pool"))
    export(project, "stm32")
    assert [
        line.split(",")[-2:] for line in (package / "validation" / "val_clips.csv").read_text().splitlines()[1:]
    ] == [['"[""dog""]"', '"validation"']]


def test_the_report_has_the_known_numbers_and_no_others(package: Path) -> None:
    report: dict[str, Any] = json.loads((package / "report.json").read_text())
    assert report["parameters"] == 107_331
    counted = report["counted_from_the_model_file"]
    assert counted["macc"] == 14_414_336 and counted["weight_bytes"] == 105_792
    assert report["measured_on_the_laptop_on_the_validation_split"]["int8_clip_accuracy"] == 0.9
    assert not {"ram_bytes", "flash_bytes", "milliseconds"} & (set(report) | set(counted))


def test_the_c_in_the_documents_runs_with_the_files_it_names(package: Path, tmp_path: Path) -> None:
    needs("gcc")
    page = (package / "docs" / "c_code.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```c\n(.*?)```", page, re.DOTALL)
    main = """
#include <stdio.h>
int main(void) {
    static const int16_t silence[40000];
    const aed_status before = on_samples(silence, 40000); /* refused, not an endless loop */
    if (start() != AED_OK) return 1;
    printf("%d %d\\n", before, on_samples(silence, 40000));
    return 0;
}
"""
    (tmp_path / "example.c").write_text(example + main)
    named = re.findall(r"`(aed_\w+\.c)`", page.split("```c")[0])
    sources = [package / "c" / name for name in named]
    command = ["gcc", *STRICT, "-ffp-contract=off", "-I", package / "c", tmp_path / "example.c", *sources]
    assert subprocess.run([*command, "-o", tmp_path / "example"], check=False).returncode == 0
    assert run(tmp_path / "example").split() == [b"2", b"0"]


def test_the_documents_give_the_commands_and_the_licences_of_the_training_clips(package: Path) -> None:
    page = (package / "README.md").read_text(encoding="utf-8")
    assert len(page.split()) <= 700
    assert "`CC BY 3.0`" in page
    for path in re.findall(r"\]\((docs/[^)]+)\)", page):
        assert (package / path).is_file()
    for part in re.findall(r"`((?:model|c|st|docs|test|validation|firmware)/[\w./]*)`", page):
        assert (package / part).exists() or (package / f"{part}.c").exists(), part
    commands = (package / "docs" / "st_tools.md").read_text(encoding="utf-8")
    for command in ("analyze", "validate", "generate"):
        assert f"stedgeai {command} --model model/model_int8.tflite --target stm32u5" in commands
    assert "| 14,414,336 | counted" in (package / "docs" / "numbers.md").read_text(encoding="utf-8")


def test_without_the_recordings_there_is_an_error_and_no_package(modelled: Project, tmp_path: Path) -> None:
    shutil.copytree(modelled.directory, tmp_path / "copy", ignore=shutil.ignore_patterns("exports", "features"))
    project = projects.load(tmp_path / "copy")
    with project.open_store() as store, store.transaction() as connection:
        connection.execute("UPDATE recordings SET path = '/nowhere/' || id || '.wav'")
    with pytest.raises(LabeltoolError, match=r"stm32: /nowhere/.*nothing was exported"):
        export(project, "stm32")
    assert not project.exports.exists()


@pytest.mark.slow
def test_the_package_of_a_model_with_independent_labels_passes_its_checks_and_is_the_same_again(
    modelled: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keras

    # One core of each kind: without and with floating point, each frontend.
    monkeypatch.setattr(keeps_up, "TARGETS", [one for one in keeps_up.TARGETS if one.machine in ("m0plus", "m4")])

    keras.utils.set_random_seed(2)
    patches = np.random.default_rng(2).normal(0, 1, (16, 64, 50)).astype(np.float32)
    int8 = quantization.to_int8(networks.build("miniresnet", len(LABELS), LogMelFrontend(), "sigmoid"), patches)
    shutil.copytree(modelled.directory, tmp_path / "copy")
    project = projects.load(tmp_path / "copy")
    rule = ClipRule(1.0, 0.6, "sigmoid", 0.4)
    add_model(project, labels=LABELS, int8=int8, parameters=1, validation_clips=12, clip_rule=rule)
    # The export runs the self-test of the C on this machine: patches, scores and probabilities.
    package = Path(export(project, "stm32").written[0])
    report = json.loads((package / "report.json").read_text())
    if "the C on this machine" not in report["not_measured"]:
        assert any("self-test" in check for check in report["measured_by_this_export"]["checks_passed"])
    assert "all labels with at least 0.4" in (package / "README.md").read_text()
    # The header of the log that firmware prints has it too.
    header = (package / "c" / "aed_tables.h").read_text().replace('" \\\n    "', "")
    assert " head=sigmoid" in header
    before = bytes_of(package)
    shutil.rmtree(project.cache / "features")
    export(project, "stm32")
    assert bytes_of(package) == before
