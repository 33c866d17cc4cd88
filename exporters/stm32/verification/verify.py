"""`labeltool verify`: every check of a package that this machine can run; a task of the worker."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labeltool.errors import LabeltoolError
from labeltool.exporters.atomic_folder import MANIFEST
from labeltool.exporters.source import Source
from labeltool.exporters.stm32.codegen.fixed_point_tables import fixed_point_problem
from labeltool.exporters.stm32.verification.accuracy import Accuracy, HeldOut, held_out_clips, measure
from labeltool.exporters.stm32.verification.checks import (
    Check,
    Package,
    check_configuration,
    check_features,
    check_manifest,
    device_checks,
    fixed_point_check,
    host_checks,
    read_package,
)
from labeltool.exporters.stm32.verification.results_json import accuracy_json
from labeltool.exporters.stm32.verification.st_checks import st_checks, stedgeai_checks
from labeltool.exporters.stm32.verification.st_sources import check_st_sources
from labeltool.exporters.stm32.verification.stream_checks import check_builds, stream_checks
from labeltool.exporters.stm32.verification.toolchain import InstructionCounts, Toolchain
from labeltool.networks import model_folder
from labeltool.project import Project
from labeltool.type_aliases import Int16, Progress

_C_AND_INT8 = "host: the C and the int8 network predict the same labels for the project's clips"
# A feature that differs by one step may change a clip near a decision boundary: one clip, or this share of them.
_MAX_SHARE_THAT_DIFFERS = 0.02


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """The checks of a package.

    Attributes
    ----------
    held_out
        The accuracies on the project's clips as JSON (`results_json.accuracy_json`); None where they were not measured.
    """

    package: str
    passed: bool
    checks: tuple[Check, ...]
    instructions: dict[str, InstructionCounts]
    held_out: dict[str, Any] | None


def _require_package(folder: Path) -> None:
    if not folder.is_dir():
        raise LabeltoolError("is not a folder", file=folder, remedy="give the folder of an exported STM32 package")
    if not any((folder / name).exists() for name in (MANIFEST, "model")):
        inside = sorted(one.parent.name for one in folder.glob(f"*/{MANIFEST}"))
        remedy = f"give {folder / inside[0]}" if inside else "give a folder that `labeltool export --stm32` wrote"
        raise LabeltoolError(f"is no STM32 package: it has no {MANIFEST}", file=folder, remedy=remedy)


def verify(
    project: Project | None,
    *,
    report: Progress,
    directory: str,
    st_sources: str | None = None,
    stedgeai: str | None = None,
) -> VerifyResult:
    """Check a package: its manifest, its C on this machine and on emulated devices, and on the project's clips.

    Only complete packages are built and run: files that the manifest does not list are never executed.

    Parameters
    ----------
    st_sources
        A folder with ST's audio library and CMSIS-DSP, to compare ST's own C with its Python model; None: not compared.
    stedgeai
        ST's tool, to run the commands for its applications as well; None: they are not run.

    Raises
    ------
    LabeltoolError
        When the folder is not a package.
    """
    folder = Path(directory)
    _require_package(folder)
    checks: list[Check] = []
    instructions: dict[str, InstructionCounts] = {}
    measured: tuple[Accuracy, HeldOut] | None = None

    def add(check: Check) -> None:
        checks.append(check)
        report("verify", len(checks), 0, check.name)

    add(check_manifest(folder))
    package = _described(folder, add) if checks[0].outcome == "passed" else None
    if package is None:
        add(Check("everything else", "not run", "the package is not complete"))
    else:
        for check in (check_configuration(package), *st_checks(package)):
            add(check)
        with tempfile.TemporaryDirectory(prefix="labeltool-verify-") as build:
            toolchain = Toolchain(folder, Path(build))
            for check in host_checks(package, toolchain):
                add(check)
            if all(check.outcome != "failed" for check in checks) and not toolchain.missing_for_host():
                instructions = _check_devices(package, toolchain, Path(build) / "fixed", add)
                measured = _check_clips_of_project(project, report, package, toolchain, add)
            else:
                add(Check("devices and the project's clips", "not run", "they are compared with the host"))
        clips = measured[1].pcm if measured else list(package.golden_pcm)
        _check_by_st(package, clips, st_sources, stedgeai, add)
    return VerifyResult(
        package=directory,
        passed=all(check.outcome != "failed" for check in checks),
        checks=tuple(checks),
        instructions=instructions,
        held_out=None if measured is None else accuracy_json(measured[0]),
    )


def _check_devices(
    package: Package, toolchain: Toolchain, fixed_build: Path, add: Callable[[Check], None]
) -> dict[str, InstructionCounts]:
    """Check other builds and sounds on the host, then the devices with each frontend; return the counts by device."""
    for check in (*stream_checks(package, toolchain), check_builds(toolchain)):
        add(check)
    toolchains = [toolchain]
    if problem := fixed_point_problem(package.frontend):
        add(Check("host: self-test, frontend in fixed point", "not run", problem))
    else:
        toolchains.append(toolchain.in_fixed_point(fixed_build))
        add(fixed_point_check(toolchains[1]))
    instructions: dict[str, InstructionCounts] = {}
    for one in toolchains:
        for check, counts in device_checks(one):
            add(check)
            if counts is not None:
                instructions[check.name.split(":")[0]] = counts
    return instructions


def _check_by_st(
    package: Package, clips: list[Int16], st_sources: str | None, stedgeai: str | None, add: Callable[[Check], None]
) -> None:
    """Run what only some users have: ST's own C, and ST's tool."""
    if st_sources is not None:
        add(check_st_sources(package, Path(st_sources), clips))
    for check in stedgeai_checks(package.directory, None if stedgeai is None else Path(stedgeai)):
        add(check)


def _described(folder: Path, add: Callable[[Check], None]) -> Package | None:
    """Read a package's description; None, with a failed check, where that is not possible."""
    try:
        return read_package(folder)
    except LabeltoolError as error:
        add(Check("the package's description", "failed", str(error)))
        return None


def _check_clips_of_project(
    project: Project | None, report: Progress, package: Package, toolchain: Toolchain, add: Callable[[Check], None]
) -> tuple[Accuracy, HeldOut] | None:
    """Compare the C with the int8 network on clips that the model was not trained on, where the project is there."""
    if project is None:
        add(Check(_C_AND_INT8, "not run", "no project here or above (--project DIR names one)"))
        return None
    with ExitStack() as stack:
        source = Source(project, stack.enter_context(project.open_store()), package.model, report)
        try:
            if source.model.int8 != (package.directory / "model" / model_folder.INT8).read_bytes():
                raise LabeltoolError(f"the project's model {package.model} is another one")
            clips = held_out_clips(source)
        except LabeltoolError as error:
            add(Check(_C_AND_INT8, "not run", str(error)))
            return None
        add(check_features(package, toolchain, clips.pcm, f"{len(clips.pcm)} clips of the project"))
        accuracy = measure(source, toolchain, clips)
    different = accuracy.clips_that_differ
    add(
        Check(
            _C_AND_INT8,
            "passed" if different <= max(1, _MAX_SHARE_THAT_DIFFERS * accuracy.clips) else "failed",
            f"{accuracy.clips} clips ({accuracy.part}): C {accuracy.share('c'):.2%} correct, int8 "
            f"{accuracy.share('int8'):.2%}; {different} predicted differently",
        )
    )
    return accuracy, clips
