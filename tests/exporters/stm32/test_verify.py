"""`labeltool verify`: a complete package passes, a changed one fails, a check that did not run has not passed."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from helpers.exports import bytes_of, export
from helpers.progress import silent
from helpers.stm32 import LABELS, needs, run, without
from labeltool.cli.main import cli
from labeltool.errors import LabeltoolError
from labeltool.exporters.atomic_folder import MANIFEST
from labeltool.exporters.source import Source
from labeltool.exporters.stm32 import package_c
from labeltool.exporters.stm32.verification import checks, toolchain
from labeltool.exporters.stm32.verification.checks import check_manifest, read_package
from labeltool.exporters.stm32.verification.keeps_up import TARGETS, TargetFigures
from labeltool.exporters.stm32.verification.toolchain import Footprint, InstructionCounts, Toolchain
from labeltool.exporters.stm32.verification.validation_set import held_out
from labeltool.exporters.stm32.verification.verify import VerifyResult, verify
from labeltool.project import Project

ARM = ("arm-none-eabi-gcc", "qemu-system-arm")


def outcomes(result: VerifyResult) -> dict[str, str]:
    return {check.name: check.outcome for check in result.checks}


def resealed(package: Path, folder: Path, change: Callable[[Path], None]) -> Path:
    """Copy a package, change it, and write the manifest of the changed files."""
    copy = folder / "copy"
    shutil.copytree(package, copy)
    change(copy)
    names = [line.split("  ", 1)[1] for line in (copy / MANIFEST).read_text().splitlines()]
    lines = [f"{hashlib.sha256((copy / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (copy / MANIFEST).write_text("".join(lines))
    assert check_manifest(copy).outcome == "passed"
    return copy


def replaced(name: str, old: str, new: str) -> Callable[[Path], None]:
    """Return a change that replaces the first occurrence of a text in a file."""

    def change(package: Path) -> None:
        text = (package / name).read_text(encoding="utf-8")
        assert old in text
        (package / name).write_text(text.replace(old, new, 1), encoding="utf-8")

    return change


@pytest.mark.slow
def test_a_complete_package_passes_and_instructions_are_counted(package: Path, modelled: Project) -> None:
    needs("make", "gcc")
    result = verify(modelled, report=silent, directory=str(package))
    assert result.passed, result.checks
    outcome_of = outcomes(result)
    assert outcome_of["host: builds without warnings, self-test"] == "passed"
    assert outcome_of["host: the C and the int8 network predict the same labels for the project's clips"] == "passed"
    held_out = result.held_out
    assert (
        held_out is not None
        and held_out["clips"] == 3
        and held_out["clip_accuracy_c"] == held_out["clip_accuracy_int8"]
    )
    assert {label: of["clips"] for label, of in held_out["right_by_label"].items()} == dict.fromkeys(LABELS, 1)
    needs(*ARM)
    for device in ("Cortex-M4", "Cortex-M33", "Cortex-M7", "Cortex-M55", "STM32F405", "Cortex-M3,", "Cortex-M0+"):
        same = [outcome for name, outcome in outcome_of.items() if name.startswith(device)]
        assert same == ["passed"] * (4 if device in ("Cortex-M3,", "Cortex-M0+") else 2), device
    assert outcome_of["host: self-test, frontend in fixed point"] == "passed"
    counts = result.instructions["Cortex-M4 (mps2-an386)"]
    assert 1_000_000 < counts.next_patch < counts.first_patch <= 5_000_000
    in_float, in_integers = (
        result.instructions[f"Cortex-M0+, soft float (on a Cortex-M3, mps2-an385){suffix}"].next_patch
        for suffix in ("", ", fixed point")
    )
    assert in_integers * 4 < in_float


def test_the_report_has_what_the_export_measured(package: Path) -> None:
    needs("make", "gcc")
    report = json.loads((package / "report.json").read_text())
    measured = report["measured_by_this_export"]
    assert measured["held_out_clips"]["clips_on_which_c_and_int8_differ"] == 0
    front_end = report["front_end_bytes"]
    assert front_end["beside_the_patch"] <= 8192 and front_end["tables_in_flash"] <= 16384
    page = (package / "docs" / "numbers.md").read_text(encoding="utf-8")
    assert "| clip accuracy, this C, samples to label |" in page
    right = measured["held_out_clips"]["right_by_label"]["dog"]
    (row,) = [line for line in page.splitlines() if line.startswith("| `dog` | 1 |")]
    assert row == f"| `dog` | 1 | {' | '.join(str(right[path]) for path in ('int8', 'st', 'st_application', 'c'))} |"
    needs(*ARM)
    count = measured["instructions_on_an_emulated_cortex_m4"]["first_patch"]
    assert f"| instructions, frontend, a patch of new frames | {count:,} | counted by QEMU" in page
    assert report["not_measured"] == {}
    cores = {(row["core"], row["front_end"]): row for row in report["keeps_up"]["targets"]}
    assert len(cores) == 8
    m0plus = cores["Cortex-M0+", "fixed point (AED_FIXED_POINT)"]
    assert m0plus["front_end_alone"].startswith("keeps up at 64 MHz")
    assert m0plus["with_network"].startswith("cannot keep up at 64 MHz, needs ")
    assert cores["Cortex-M0+", "float32"]["front_end_alone"].startswith("cannot keep up at 64 MHz, needs ")
    per_hop = m0plus["instructions"]["next_patch"] + m0plus["instructions"]["network"]
    assert m0plus["with_network_million_instructions_per_s"] == pytest.approx(per_hop / 0.5 / 1e6, abs=0.01)
    # 132 KB of weights and tables, the planned arena of 50 KiB and the states, no recordings of the self-test.
    assert 120_000 < m0plus["bytes"]["flash"] < 180_000 and 50_000 < m0plus["bytes"]["static_ram"] < 80_000
    assert 200 < m0plus["bytes"]["stack"] < 2048


def test_an_mcu_with_too_little_memory_is_named_with_what_is_missing(package: Path) -> None:
    f405 = next(target for target in TARGETS if target.example == "STM32F405")

    def of(flash: int, ram: int) -> str:
        return TargetFigures(f405, False, InstructionCounts(1, 1, 1), Footprint(flash, ram, 600), 0.5).too_small

    assert of(2**20, 2**17 - 600) == ""
    assert of(2**20, 2**17 + 11_000) == "STM32F405 would need 11,600 bytes more RAM than its 128 KiB"
    assert of(2**20 + 5, 2**17).endswith(
        "600 bytes more RAM than its 128 KiB and 5 bytes more flash than its 1,024 KiB"
    )
    needs("make", "gcc", *ARM)
    rows = json.loads((package / "report.json").read_text())["keeps_up"]["targets"]
    memory = {row["example"]: row["memory"] for row in rows}
    assert memory["STM32F405"] == "fits" and memory["STM32G071"].startswith("STM32G071 would need ")
    assert f"- Too small: an {memory['STM32G071']}." in (package / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "name",
    ["README.md", "model/model_int8.tflite", "c/aed_model.c", "test/golden_pcm.h", "validation/val.npz", MANIFEST],
)
def test_one_flipped_bit_is_found_in_any_file(package: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(package, tmp_path / "copy")
    data = bytearray((package / name).read_bytes())
    data[len(data) // 2] ^= 0x10
    (tmp_path / "copy" / name).write_bytes(data)
    assert check_manifest(tmp_path / "copy").outcome == "failed"


def test_an_extra_or_missing_file_is_found_and_nothing_is_run(package: Path, tmp_path: Path) -> None:
    shutil.copytree(package, tmp_path / "more")
    (tmp_path / "more" / "c" / "extra.h").write_text("")
    assert "c/extra.h is not in the manifest" in check_manifest(tmp_path / "more").detail
    (tmp_path / "more" / "c" / "extra.h").unlink()
    (tmp_path / "more" / "test" / "build").mkdir()
    (tmp_path / "more" / "test" / "build" / "left.o").write_text("")
    assert check_manifest(tmp_path / "more").outcome == "passed"
    (tmp_path / "more" / "c" / "aed_nn.c").unlink()
    result = verify(None, report=silent, directory=str(tmp_path / "more"))
    assert not result.passed and [check.outcome for check in result.checks] == ["failed", "not run"]
    (tmp_path / "more" / MANIFEST).write_text(f"{'0' * 64}  ../outside\n")
    assert "line 1 is damaged" in check_manifest(tmp_path / "more").detail


def cut_short(name: str) -> Callable[[Path], None]:
    """Return a change that leaves the first thousand bytes of a file."""

    def change(package: Path) -> None:
        (package / name).write_bytes((package / name).read_bytes()[:1000])

    return change


def first_weight(package: Path) -> None:
    """Flip one bit of the first weight of the C network."""
    path = package / "c" / "aed_model.c"
    text = path.read_text()
    place = text.index("{\n", text.index("weights")) + 2
    end = text.index(",", place)
    path.write_text(f"{text[:place]}    {int(text[place:end]) ^ 64}{text[end:]}")


def other_model(package: Path) -> None:
    """Put another model's file beside the configuration."""
    path = package / "model" / "model_int8.tflite"
    path.write_bytes(path.read_bytes() + b"\0")


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (first_weight, "scores, patch"),
        (replaced("c/aed_tables.c", "0.5F,", "0.6F,"), "features, patch"),
        (replaced("c/aed_tables.c", '"bell",\n    "dog"', '"dog",\n    "bell"'), "order of the labels in aed_tables.c"),
        (replaced("c/aed_preproc.c", "float sum = 0.0F", "float unused, sum = 0.0F"), "unused"),
        (cut_short("validation/val.npz"), "validation/val.npz cannot be read"),
    ],
    ids=["weight", "table", "labels in C", "warning", "validation"],
)
def test_a_change_with_a_matching_manifest_is_found_by_the_c(
    package: Path, tmp_path: Path, change: Callable[[Path], None], found: str
) -> None:
    needs("make", "gcc")
    result = verify(None, report=silent, directory=str(resealed(package, tmp_path, change)))
    failed = [check.detail for check in result.checks if check.outcome == "failed"]
    assert not result.passed and any(found in detail for detail in failed), failed


@pytest.mark.slow
def test_a_check_that_this_machine_cannot_run_is_not_passed(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "cc", "qemu-system-arm")
    result = verify(None, report=silent, directory=str(package))
    (place,) = [number for number, check in enumerate(result.checks) if check.name.startswith("host: builds")]
    host = result.checks[place]
    assert host.outcome == "not run" and host.detail == "no cc"
    assert {check.outcome for check in result.checks[place:]} == {"not run"}
    monkeypatch.undo()
    needs("make", "gcc", "arm-none-eabi-gcc")
    without(monkeypatch, "qemu-system-arm")
    monkeypatch.setattr(checks, "MACHINES", {name: toolchain.MACHINES[name] for name in ("m4", *toolchain.WITHOUT_FPU)})
    result = verify(None, report=silent, directory=str(package))
    emulated = [check for check in result.checks if check.name.endswith("prints the same as the host")]
    assert len(emulated) == 5 and {check.outcome for check in emulated} == {"not run"}
    assert {check.detail for check in emulated} == {"no qemu-system-arm"} and result.passed


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (replaced("st/n6/ai_model_config.h", '"bell", \\\n    "dog"', '"dog", \\\n    "bell"'), "n6/ai_model_config.h"),
        (replaced("model/labels.txt", "bell\ndog\n", "dog\nbell\n"), "has other labels or another order"),
        (replaced("model/model_config.json", '"bell",\n    "dog"', '"dog",\n    "bell"'), "or another order"),
        (other_model, "belongs to another model"),
        (cut_short("model/model_st.tflite"), "model_st.tflite is the int8 network behind ST's input and output"),
        (cut_short("model/model_st.onnx"), "model_st.onnx is the same network"),
        (
            replaced("st/n6/ai_model_config.h", "(320U)", "(321U)"),
            "st/n6: tables and configuration are the model's",
        ),
        (replaced("st/n6/user_mel_tables.c", "0.0", "0.1"), "st/n6: tables and configuration are the model's"),
        (replaced("model/model_config.json", '"background": null', '"background": "zzz"'), "the package's description"),
        (
            replaced("model/model_config.json", '"config_version": 2', '"config_version": 1'),
            "the package's description",
        ),
    ],
    ids=[
        "labels for ST",
        "labels.txt",
        "configuration",
        "model",
        "for ST",
        "ONNX",
        "N6",
        "mel",
        "background",
        "version",
    ],
)
def test_a_part_of_another_model_is_found_even_with_a_new_manifest_and_without_a_compiler(
    package: Path, tmp_path: Path, change: Callable[[Path], None], found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(monkeypatch, "cc")
    result = verify(None, report=silent, directory=str(resealed(package, tmp_path, change)))
    failed = [f"{check.name}: {check.detail}" for check in result.checks if check.outcome == "failed"]
    assert not result.passed and any(found in line for line in failed), failed


@pytest.mark.slow
def test_a_device_with_too_little_memory_is_named_with_the_overflow(package: Path, tmp_path: Path) -> None:
    needs("make", "gcc", *ARM)
    small = replaced("test/arm/f405.ld", "LENGTH = 128K", "LENGTH = 64K")
    of_small = Toolchain(resealed(package, tmp_path, small), tmp_path / "build")
    assert of_small.make("host").passed
    result = of_small.emulate("f405")
    assert not result.same and result.too_large.startswith("RAM overflows by ")
    assert "f405: not run, too large for netduinoplus2" in result.reason


def test_a_package_whose_c_fails_is_not_released_and_one_whose_c_is_not_checked_is_the_same(
    modelled: Project, package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs("make", "gcc")
    shutil.copytree(modelled.directory, tmp_path / "project", ignore=shutil.ignore_patterns("exports", "features"))
    copy = Project(tmp_path / "project", modelled.settings)
    monkeypatch.setattr(package_c, "golden_scores_h", lambda *_: "#error golden\n")
    with pytest.raises(LabeltoolError, match=r"stm32: the package does not pass its own check.*nothing was exported"):
        export(copy, "stm32")
    assert not copy.exports.exists()
    monkeypatch.undo()
    without(monkeypatch, "cc")
    made = Path(export(copy, "stm32").written[0])
    report = json.loads((made / "report.json").read_text())
    assert report["not_measured"] == {"the C on this machine": "no cc"}
    assert report["measured_by_this_export"] == {"checks_passed": [], "tools": {}}
    # From elsewhere, and often by another process: the same bytes, but for what was measured.
    one, other = bytes_of(made), bytes_of(package)
    for measured in ("README.md", "report.json", "docs/numbers.md", MANIFEST):
        assert one.pop(measured) and other.pop(measured)
    assert one == other


def test_silence_full_scale_and_odd_lengths_pass_the_sanitisers(package: Path, tmp_path: Path) -> None:
    needs("make", "gcc")
    sanitised = "OPTIMISE=-O1 -fsanitize=address,undefined -fno-sanitize-recover=all"
    command = ["make", "-s", "-C", package / "test", f"BUILD={tmp_path}", sanitised, "host"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    random = np.random.default_rng(5)
    for pcm in (
        b"",
        b"\x01",
        np.zeros(17_000, np.int16).tobytes(),
        random.choice(np.array([-32768, 32767], np.int16), 16_704).tobytes() + b"\x7f",
        random.integers(-32768, 32768, 30_001).astype(np.int16).tobytes(),
    ):
        patches = max(0, 1 + (len(pcm) // 2 - 16_704) // 8_000)
        lines = run(tmp_path / "host" / "aed_run", data=pcm).decode().splitlines()
        assert len(lines) == patches + 2 and lines[-1] == f"# end patches={patches}"
        probe = tmp_path / "host" / "aed_probe"
        if patches == 0:
            # A clip without a patch has no label, and the C says so.
            assert subprocess.run([probe, "clip"], input=pcm, check=False).returncode == 1
            continue
        probabilities = np.frombuffer(run(probe, "clip", data=pcm), np.float32)
        assert np.isfinite(probabilities).all() and abs(probabilities.sum() - 1) < 1e-5


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ("tttvvu", ("validation", {"g3", "g4", "g5"})),
        ("tttvuu", ("unseen", {"g4", "g5"})),
        ("tttttt", ("train", {f"g{number}" for number in range(6)})),
    ],
)
def test_accuracy_is_measured_on_clips_the_model_was_not_trained_on(
    modelled: Project, tmp_path: Path, parts: str, expected: tuple[str, set[str]]
) -> None:
    shutil.copytree(modelled.directory, tmp_path / "copy", ignore=shutil.ignore_patterns("exports"))
    seen = "".join(
        f"0,0.0,2.5,g{number},{'train' if part == 't' else 'validation'}\n"
        for number, part in enumerate(parts)
        if part != "u"
    )
    (tmp_path / "copy" / "models" / "1" / "seen.csv").write_text("recording_sha256,start_s,end_s,group,part\n" + seen)
    copy = Project(tmp_path / "copy", modelled.settings)
    with copy.open_store() as store:
        part, clips = held_out(Source(copy, store, None, silent))
    assert (part, {one.clip.group for one in clips}) == expected


def test_golden_samples_come_from_the_project_and_cover_two_patches(package: Path) -> None:
    description = read_package(package)
    frontend = description.frontend
    assert description.golden_pcm.shape == (2, frontend.n_fft + 74 * frontend.hop)
    assert np.abs(description.golden_pcm).max() > 5000


def test_the_command_prints_a_table_and_fails_where_a_check_does(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(package, tmp_path / "copy")
    (tmp_path / "copy" / "report.json").write_text("{}")
    result = CliRunner().invoke(cli, ["verify", "copy"])
    assert isinstance(result.exception, LabeltoolError) and "1 of 2 checks failed" in str(result.exception)
    assert result.stdout.splitlines()[0].split() == [
        *["failed", "all", "files", "match", "the", "manifest", "report.json", "was", "changed"]
    ]
    result = CliRunner().invoke(cli, ["verify", "copy", "--json"])
    assert json.loads(result.stdout)["passed"] is False
    result = CliRunner().invoke(cli, ["verify", "nothing"])
    assert isinstance(result.exception, LabeltoolError) and "is not a folder" in str(result.exception)
