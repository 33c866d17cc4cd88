"""What the export checks and measures of a package's C before it is released."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from labeltool.errors import LabeltoolError
from labeltool.exporters.source import Source
from labeltool.exporters.stm32.codegen.fixed_point_tables import fixed_point_problem
from labeltool.exporters.stm32.codegen.frontend_tables import require_log_mel
from labeltool.exporters.stm32.verification.accuracy import Accuracy, held_out_clips, measure
from labeltool.exporters.stm32.verification.checks import host_checks, read_package
from labeltool.exporters.stm32.verification.keeps_up import NotMeasured, TargetFigures, measure_targets
from labeltool.exporters.stm32.verification.toolchain import InstructionCounts, Toolchain

MAX_CLIPS = 40
"""Maximum number of clips on which the export measures accuracy; `labeltool verify` uses all."""

_EMULATED = "the C on emulated devices"


@dataclass(frozen=True, slots=True)
class ExportCheck:
    """What an export checked and measured.

    Attributes
    ----------
    checks
        Names and details of the checks that passed.
    tools
        Version lines of the tools, by command.
    """

    checks: tuple[str, ...] = ()
    accuracy: Accuracy | None = None
    targets: tuple[TargetFigures, ...] = ()
    tools: Mapping[str, str] = field(default_factory=dict)
    not_measured: Mapping[str, str] = field(default_factory=dict)

    @property
    def instructions(self) -> InstructionCounts | None:
        """Counts on a Cortex-M4 with the frontend in float32; None where it was not emulated."""
        return next((one.counts for one in self.targets if one.target.machine == "m4" and not one.fixed_point), None)


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
            not_measured["accuracy on held-out clips"] = str(error)
        else:
            accuracy = measure(source, toolchain, clips)
        missing = Toolchain.missing_for_devices(emulate=True)
        results = [] if missing else list(_on_devices(source, toolchain, Path(build)))
    targets = tuple(one for one in results if isinstance(one, TargetFigures))
    for one in targets:
        if one.target.core == "Cortex-M4F" and one.too_small:
            source.report("export", 0, 0, f"too large for an MCU: {one.too_small}")
    not_measured |= {f"the C on {one.name}": one.reason for one in results if isinstance(one, NotMeasured)}
    if missing:
        not_measured[_EMULATED] = missing
    elif targets:
        checks.append(f"{_EMULATED}: prints the same as the host, {', '.join(one.name for one in targets)}")
        tools |= {tool: _version(tool) for tool in ("arm-none-eabi-gcc", "qemu-system-arm")}
    return ExportCheck(tuple(checks), accuracy, targets, tools, not_measured)


def _on_devices(source: Source, toolchain: Toolchain, build: Path) -> Iterator[TargetFigures | NotMeasured]:
    frontend = require_log_mel(source.model.frontend)
    fixed_point = None if fixed_point_problem(frontend) else toolchain.in_fixed_point(build / "fixed")
    for number, one in enumerate(measure_targets(toolchain, fixed_point, frontend.patch_hop_s)):
        source.report(_EMULATED, number, 0, one.name)
        yield one


def _version(tool: str) -> str:
    result = subprocess.run([tool, "--version"], capture_output=True, text=True, check=False)
    return (result.stdout.splitlines() or [""])[0]
