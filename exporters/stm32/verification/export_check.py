"""What the export checks and measures of a package's C before it is released."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from labeltool.errors import LabeltoolError
from labeltool.exporters.source import Source
from labeltool.exporters.stm32.verification.accuracy import Accuracy, held_out_clips, measure
from labeltool.exporters.stm32.verification.checks import host_checks, read_package
from labeltool.exporters.stm32.verification.toolchain import MACHINES, InstructionCounts, Toolchain

MAX_CLIPS = 40
"""Maximum number of clips on which the export measures accuracy; `labeltool verify` uses all."""

_COUNTED_ON = "m4"
_EMULATED = f"the C on an emulated {MACHINES[_COUNTED_ON]}"


@dataclass(frozen=True, slots=True)
class ExportCheck:
    """What an export checked and measured.

    Attributes
    ----------
    checks
        Names and details of the checks that passed.
    accuracy
        Clip accuracy on held-out clips; None where it was not measured.
    instructions
        Counted on an emulated Cortex-M4; None where it was not emulated.
    tools
        Version lines of the tools, by command.
    not_measured
        The reason, by what was not measured.
    """

    checks: tuple[str, ...] = ()
    accuracy: Accuracy | None = None
    instructions: InstructionCounts | None = None
    tools: Mapping[str, str] = field(default_factory=dict)
    not_measured: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Emulation:
    """Result of the self-test on the emulated device: its counts, or why it did not run."""

    instructions: InstructionCounts | None
    not_run: str = ""


def check_export(source: Source, directory: Path) -> ExportCheck:
    """Build and check the C of a package before it gets its final name.

    Raises
    ------
    LabeltoolError
        When a check fails: the package must not be released.
    """
    missing = Toolchain.missing_for_host()
    if missing:
        return ExportCheck(not_measured={"the C on this machine": missing})
    checks: list[str] = []
    not_measured: dict[str, str] = {}
    accuracy: Accuracy | None = None
    with tempfile.TemporaryDirectory(prefix="labeltool-export-check-") as build:
        toolchain = Toolchain(directory, Path(build))
        for check in host_checks(read_package(directory), toolchain):
            source.report("checking the C", len(checks), 0, check.name)
            if check.outcome == "failed":
                raise LabeltoolError(f"the package does not pass its own check, {check.name}: {check.detail}")
            checks.append(f"{check.name}: {check.detail}")
        tools = {"cc": _version("cc")}
        try:
            clips = held_out_clips(source, MAX_CLIPS)
        except LabeltoolError as error:
            not_measured["clips right"] = str(error)
        else:
            accuracy = measure(source, toolchain, clips)
        emulation = _emulate(toolchain)
    if emulation.not_run:
        not_measured[_EMULATED] = emulation.not_run
    else:
        checks.append(f"{_EMULATED}: prints the same as the host")
        tools |= {tool: _version(tool) for tool in ("arm-none-eabi-gcc", "qemu-system-arm")}
    return ExportCheck(tuple(checks), accuracy, emulation.instructions, tools, not_measured)


def _emulate(toolchain: Toolchain) -> _Emulation:
    missing = Toolchain.missing_for_devices(emulate=True)
    if missing:
        return _Emulation(None, missing)
    result = toolchain.emulate(_COUNTED_ON)
    if result.too_large:
        return _Emulation(None, result.too_large)
    if not result.same:
        raise LabeltoolError(
            f"the package does not pass its own check: {_EMULATED} prints other numbers than on the host"
        )
    return _Emulation(result.instructions)


def _version(tool: str) -> str:
    result = subprocess.run([tool, "--version"], capture_output=True, text=True, check=False)
    return (result.stdout.splitlines() or [""])[0]
