"""What the export itself measures of a package's C before it lets it out, and what it could not measure, and why."""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labeltool.errors import LabeltoolError
from labeltool.exporters.source import Source
from labeltool.exporters.stm32.verification.accuracy import Accuracy, held_out_clips, measure
from labeltool.exporters.stm32.verification.checks import host_checks, read_package
from labeltool.exporters.stm32.verification.toolchain import MACHINES, Bench

MOST_CLIPS = 40
"""Clips on which the export measures; `labeltool verify` takes all."""

_COUNTED_ON = "m4"


@dataclass(slots=True)
class Proof:
    """What was measured here.

    Attributes
    ----------
    checks
        What passed on the host, in words.
    instructions
        Of a Cortex-M4, counted by the emulator: "first_patch" (front end, every frame new), "next_patch", "network".
    tools
        What built and ran it, in its own words.
    not_measured
        What, and why not.
    """

    checks: list[str] = field(default_factory=list)
    accuracy: Accuracy | None = None
    instructions: dict[str, int] = field(default_factory=dict)
    tools: dict[str, str] = field(default_factory=dict)
    not_measured: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return what was measured as JSON values."""
        told: dict[str, Any] = {"checks_passed": self.checks, "tools": self.tools}
        if self.accuracy is not None:
            told["held_out_clips"] = self.accuracy.to_dict()
        if self.instructions:
            told["instructions_on_an_emulated_cortex_m4"] = self.instructions
        return told


def prove(source: Source, directory: Path) -> Proof:
    """Build and check a package that is about to be published.

    Raises
    ------
    LabeltoolError
        When a check fails: the package must not go out.
    """
    proof = Proof()
    missing = Bench.missing_for_host()
    if missing:
        proof.not_measured["the C on this machine"] = missing
        return proof
    with tempfile.TemporaryDirectory(prefix="labeltool-prove-") as build:
        bench = Bench(directory, Path(build))
        for check in host_checks(read_package(directory), bench):
            source.report("checking the C", len(proof.checks), 0, check.name)
            if check.outcome == "failed":
                raise LabeltoolError(f"the package does not pass its own check, {check.name}: {check.detail}")
            proof.checks.append(f"{check.name}: {check.detail}")
        proof.tools["cc"] = _version("cc")
        try:
            clips = held_out_clips(source, MOST_CLIPS)
        except LabeltoolError as error:
            proof.not_measured["clips right"] = str(error)
        else:
            proof.accuracy = measure(source, bench, clips)
        _emulate(bench, proof)
    return proof


def _emulate(bench: Bench, proof: Proof) -> None:
    what = f"the C on an emulated {MACHINES[_COUNTED_ON]}"
    missing = bench.missing_for_chips(emulate=True)
    if missing:
        proof.not_measured[what] = missing
        return
    found = bench.emulate(_COUNTED_ON)
    if found.unfit:
        proof.not_measured[what] = found.unfit
        return
    if not found.same:
        raise LabeltoolError(f"the package does not pass its own check: {what} prints other numbers than the host")
    proof.checks.append(f"{what}: prints what the host prints")
    proof.instructions = found.instructions
    proof.tools |= {tool: _version(tool) for tool in ("arm-none-eabi-gcc", "qemu-system-arm")}


def _version(tool: str) -> str:
    ran = subprocess.run([tool, "--version"], capture_output=True, text=True, check=False)
    return (ran.stdout.splitlines() or [""])[0]
