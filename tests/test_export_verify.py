"""`labeltool verify`: a whole package passes, one that was tampered with does not, what did not run did not pass."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chip_helpers import LABELS, needs, run
from click.testing import CliRunner
from test_export_products import silent

from labeltool.cli.main import cli
from labeltool.errors import LabeltoolError
from labeltool.exporters.atomic_folder import MANIFEST
from labeltool.exporters.source import Source
from labeltool.exporters.stm32 import package_c
from labeltool.exporters.stm32.verification.checks import check_manifest, read_package
from labeltool.exporters.stm32.verification.toolchain import Bench
from labeltool.exporters.stm32.verification.validation_set import held_out
from labeltool.exporters.stm32.verification.verify import verify
from labeltool.project import Project

ARM = ("arm-none-eabi-gcc", "qemu-system-arm")


def outcomes(result: dict[str, Any]) -> dict[str, str]:
    return {check["name"]: check["outcome"] for check in result["checks"]}


def without(monkeypatch: pytest.MonkeyPatch, *tools: str) -> None:
    """Let a machine lack some tools."""
    which = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name: None if name in tools else which(name))


def resealed(package: Path, folder: Path, change: Callable[[Path], None]) -> Path:
    """Copy a package, change it, and write the manifest as if it had always been so."""
    copy = folder / "copy"
    shutil.copytree(package, copy)
    change(copy)
    names = [line.split("  ", 1)[1] for line in (copy / MANIFEST).read_text().splitlines()]
    lines = [f"{hashlib.sha256((copy / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (copy / MANIFEST).write_text("".join(lines))
    assert check_manifest(copy).outcome == "passed"
    return copy


def replaced(name: str, old: str, new: str) -> Callable[[Path], None]:
    """Change the first of some text in a file."""

    def change(package: Path) -> None:
        text = (package / name).read_text(encoding="utf-8")
        assert old in text
        (package / name).write_text(text.replace(old, new, 1), encoding="utf-8")

    return change


def test_a_whole_package_passes_and_says_what_was_counted(package: Path, modelled: Project) -> None:
    needs("make", "gcc")
    result = verify(modelled, report=silent, directory=str(package))
    assert result["passed"], result["checks"]
    told = outcomes(result)
    assert told["host: builds without a warning, self-test"] == "passed"
    assert told["host: the C answers the project's clips as the int8 network does"] == "passed"
    held_out = result["held_out"]
    assert held_out["clips"] == 3 and held_out["clip_accuracy_c"] == held_out["clip_accuracy_int8"]
    assert {label: of["clips"] for label, of in held_out["right_by_label"].items()} == dict.fromkeys(LABELS, 1)
    needs(*ARM)
    for chip in ("Cortex-M4", "Cortex-M33", "Cortex-M7", "Cortex-M55", "STM32F405"):
        same = [outcome for name, outcome in told.items() if name.startswith(chip)]
        assert same == ["passed", "passed"], chip
    counted = result["instructions"]["Cortex-M4 (mps2-an386)"]
    assert 1_000_000 < counted["next_patch"] < counted["first_patch"] <= 5_000_000


def test_the_report_tells_what_the_export_measured(package: Path) -> None:
    needs("make", "gcc")
    told = json.loads((package / "report.json").read_text())
    measured = told["measured_by_this_export"]
    assert measured["held_out_clips"]["clips_on_which_c_and_int8_differ"] == 0
    assert told["front_end_bytes"]["beside_the_patch"] <= 8192 and told["front_end_bytes"]["tables_in_flash"] <= 16384
    page = (package / "README.md").read_text(encoding="utf-8")
    assert "| clips right, this C, PCM to answer |" in page
    right = measured["held_out_clips"]["right_by_label"]["dog"]
    assert f"| `dog` | 1 | {right['int8']} | {right['c']} |" in page
    needs(*ARM)
    count = measured["instructions_on_an_emulated_cortex_m4"]["first_patch"]
    assert f"| instructions, front end, a patch of new frames | {count:,} | counted by QEMU" in page
    assert told["not_measured"] == {}


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


def test_a_file_too_many_or_too_few_is_found_and_nothing_is_run(package: Path, tmp_path: Path) -> None:
    shutil.copytree(package, tmp_path / "more")
    (tmp_path / "more" / "c" / "extra.h").write_text("")
    assert "c/extra.h is not in the manifest" in check_manifest(tmp_path / "more").detail
    (tmp_path / "more" / "c" / "extra.h").unlink()
    (tmp_path / "more" / "test" / "build").mkdir()
    (tmp_path / "more" / "test" / "build" / "left.o").write_text("")
    assert check_manifest(tmp_path / "more").outcome == "passed"
    (tmp_path / "more" / "c" / "aed_nn.c").unlink()
    result = verify(None, report=silent, directory=str(tmp_path / "more"))
    assert not result["passed"] and [check["outcome"] for check in result["checks"]] == ["failed", "not run"]
    (tmp_path / "more" / MANIFEST).write_text(f"{'0' * 64}  ../outside\n")
    assert "line 1 is damaged" in check_manifest(tmp_path / "more").detail


def first_weight(package: Path) -> None:
    """Turn the first weight of the C network by one bit."""
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
        (replaced("c/ai_model_config.h", '"bell", \\\n    "dog"', '"dog", \\\n    "bell"'), "in ai_model_config.h"),
        (replaced("model/labels.txt", "bell\ndog\n", "dog\nbell\n"), "has other labels, or another order"),
        (replaced("model/model_config.json", '"bell",\n    "dog"', '"dog",\n    "bell"'), "or another order"),
        (other_model, "is another model's"),
        (replaced("c/aed_preproc.c", "float sum = 0.0F", "float unused, sum = 0.0F"), "unused"),
    ],
    ids=["weight", "table", "labels in C", "labels for ST", "labels.txt", "configuration", "model", "warning"],
)
def test_sabotage_that_the_manifest_vouches_for_is_found(
    package: Path, tmp_path: Path, change: Callable[[Path], None], found: str
) -> None:
    needs("make", "gcc")
    result = verify(None, report=silent, directory=str(resealed(package, tmp_path, change)))
    failed = [check["detail"] for check in result["checks"] if check["outcome"] == "failed"]
    assert not result["passed"] and any(found in detail for detail in failed), failed


def test_what_this_machine_cannot_run_is_said_not_passed(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "cc", "qemu-system-arm")
    result = verify(None, report=silent, directory=str(package))
    host = result["checks"][2]
    assert host["outcome"] == "not run" and host["detail"] == "no cc"
    assert {check["outcome"] for check in result["checks"][3:]} == {"not run"}
    monkeypatch.undo()
    needs("make", "gcc", "arm-none-eabi-gcc")
    without(monkeypatch, "qemu-system-arm")
    result = verify(None, report=silent, directory=str(package))
    emulated = [check for check in result["checks"] if check["name"].endswith("prints what the host prints")]
    assert len(emulated) == 5 and {check["outcome"] for check in emulated} == {"not run"}
    assert {check["detail"] for check in emulated} == {"no qemu-system-arm"} and result["passed"]


def test_a_chip_the_program_does_not_fit_is_named_with_what_is_too_much(package: Path, tmp_path: Path) -> None:
    needs("make", "gcc", *ARM)
    small = replaced("test/arm/f405.ld", "LENGTH = 128K", "LENGTH = 64K")
    bench = Bench(resealed(package, tmp_path, small), tmp_path / "build")
    assert bench.make("host").passed
    found = bench.emulate("f405")
    assert not found.same and "RAM" in found.unfit and "overflowed by" in found.unfit
    assert "f405: not run, too large for netduinoplus2" in found.text


def test_a_package_whose_c_fails_is_not_published(
    modelled: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs("make", "gcc")
    from test_export_products import export

    shutil.copytree(modelled.directory, tmp_path / "copy", ignore=shutil.ignore_patterns("exports"))
    copy = Project(tmp_path / "copy", modelled.settings)
    monkeypatch.setattr(package_c, "golden_scores_h", lambda *_: "#error golden\n")
    with pytest.raises(LabeltoolError, match=r"stm32: the package does not pass its own check.*nothing was exported"):
        export(copy, "stm32")
    assert not copy.exports.exists()
    monkeypatch.undo()
    without(monkeypatch, "cc")
    told = json.loads((Path(export(copy, "stm32")["written"][0]) / "report.json").read_text())
    assert told["not_measured"] == {"the C on this machine": "no cc"}
    assert told["measured_by_this_export"] == {"checks_passed": [], "tools": {}}


def test_silence_full_scale_and_odd_lengths_are_clean_under_the_sanitisers(package: Path, tmp_path: Path) -> None:
    needs("make", "gcc")
    sanitised = "OPTIMISE=-O1 -fsanitize=address,undefined -fno-sanitize-recover=all"
    command = ["make", "-s", "-C", package / "test", f"BUILD={tmp_path}", sanitised, "host"]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
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
        probabilities = np.frombuffer(run(tmp_path / "host" / "aed_probe", "clip", data=pcm), np.float32)
        assert np.isfinite(probabilities).all() and abs(probabilities.sum() - 1) < 1e-5


@pytest.mark.parametrize(
    ("parts", "wanted"),
    [
        ("tttvvu", ("validation", {"g3", "g4", "g5"})),
        ("tttvuu", ("unseen", {"g4", "g5"})),
        ("tttttt", ("train", {f"g{number}" for number in range(6)})),
    ],
)
def test_clips_that_taught_the_model_nothing_measure_it(
    modelled: Project, tmp_path: Path, parts: str, wanted: tuple[str, set[str]]
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
    assert (part, {one.clip.group for one in clips}) == wanted


def test_golden_sound_is_the_projects_own_and_starts_a_patch_before_its_end(package: Path) -> None:
    told = read_package(package)
    assert told.golden_pcm.shape == (2, told.frontend.n_fft + 74 * told.frontend.hop)
    assert np.abs(told.golden_pcm).max() > 5000


def test_the_command_prints_a_table_and_fails_where_a_check_does(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(package, tmp_path / "copy")
    (tmp_path / "copy" / "report.json").write_text("{}")
    ran = CliRunner().invoke(cli, ["verify", "copy"])
    assert isinstance(ran.exception, LabeltoolError) and "1 of 2 checks failed" in str(ran.exception)
    assert ran.stdout.splitlines()[0].split() == [
        *["failed", "every", "file", "is", "the", "one", "in", "the", "manifest", "report.json", "was", "changed"]
    ]
    ran = CliRunner().invoke(cli, ["verify", "copy", "--json"])
    assert json.loads(ran.stdout)["passed"] is False
    ran = CliRunner().invoke(cli, ["verify", "nothing"])
    assert isinstance(ran.exception, LabeltoolError) and "is no folder" in str(ran.exception)
