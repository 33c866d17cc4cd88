"""The package's C, built and run on this machine: for the host, and for emulated devices where QEMU is installed."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from labeltool.audio.device.device_frontend import PatchInputs
from labeltool.audio.frontend import LogMelFrontend
from labeltool.errors import LabeltoolError
from labeltool.exporters.stm32.verification.tools import ToolResult, missing_tools, overflow, run_filter, run_tool
from labeltool.networks.stream_rule import StreamEvent
from labeltool.type_aliases import Float32, Int8, Int16

MACHINES = {
    "m4": "Cortex-M4 (mps2-an386)",
    "m33": "Cortex-M33 (mps2-an505)",
    "m7": "Cortex-M7 (mps2-an500)",
    "m55": "Cortex-M55 (mps3-an547)",
    "f405": "STM32F405 (netduinoplus2)",
    "m3": "Cortex-M3, soft float (mps2-an385)",
    "m0plus": "Cortex-M0+, soft float (on a Cortex-M3, mps2-an385)",
}
"""Emulated machines by their names in the package's Makefile."""
WITHOUT_FPU = ("m3", "m0plus")
"""Those on which the frontend in fixed point is the faster one."""

# The linker script's STACK_SIZE.
_STACK_BYTES = 8192
_COUNTS = ("first_patch", "next_patch", "network")


@dataclass(frozen=True, slots=True)
class InstructionCounts:
    """Instructions of the self-test, counted by the emulator.

    Attributes
    ----------
    first_patch
        Frontend, a patch of new frames.
    next_patch
        Frontend, the patch after it: only the frames of one hop are new.
    """

    first_patch: int
    next_patch: int
    network: int


@dataclass(frozen=True, slots=True)
class Footprint:
    """Memory of frontend, network and rules on a device, bytes.

    Attributes
    ----------
    flash
        Code and tables, with what they need of the compiler's library; without the self-test and its recordings.
    static_ram
        The states, a patch and its scores.
    stack
        Largest use in frontend, network and the rule for streams, with that of the self-test around them.
    """

    flash: int
    static_ram: int
    stack: int


@dataclass(frozen=True, slots=True)
class EmulatorResult:
    """Result of the self-test on an emulated device.

    Attributes
    ----------
    too_large
        How far the program exceeds the memory of the machine; empty where it fits.
    instructions, footprint
        None where it did not run to its end.
    """

    same: bool
    too_large: str
    instructions: InstructionCounts | None
    footprint: Footprint | None
    reason: str


class Toolchain:
    """Builds and runs the C of a package.

    Parameters
    ----------
    package
        The folder of the package; nothing is written to it.
    build
        An empty folder for the build.
    fixed_point
        Whether the frontend computes in integers (`AED_FIXED_POINT`).
    """

    def __init__(self, package: Path, build: Path, *, fixed_point: bool = False) -> None:
        self._package = package
        self._build = build
        self.fixed_point = fixed_point

    def in_fixed_point(self, build: Path) -> Toolchain:
        """Return the same package with the frontend in integers, with an empty folder for its build."""
        return Toolchain(self._package, build, fixed_point=True)

    @staticmethod
    def missing_for_host() -> str:
        """Return which tools for a build on this machine are missing; empty when none is."""
        return missing_tools("make", "cc")

    @staticmethod
    def missing_for_devices(*, emulate: bool) -> str:
        """Return which tools to build for devices, or also to emulate them, are missing; empty when none is."""
        return missing_tools("make", "cc", "arm-none-eabi-gcc", *(["qemu-system-arm"] if emulate else []))

    def make(self, target: str, *variables: str) -> ToolResult:
        """Make a target of the package's Makefile, with variables as `NAME=VALUE`."""
        # Without the flags and the job server of a make that runs this process (`make -n test`).
        environment = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS")}
        folders = ["-C", str(self._package / "test"), f"BUILD={self._build.resolve()}"]
        defines = "DEFINES=-DAED_FIXED_POINT" if self.fixed_point else "DEFINES="
        return run_tool(["make", "-s", *folders, defines, *variables, target], environment=environment)

    def emulate(self, machine: str) -> EmulatorResult:
        """Run the self-test on an emulated device and compare with the host."""
        result = self.make(f"qemu-{machine}")
        folder = self._build / machine
        too_large = folder / "unfit.txt"
        printed = folder / "selftest.txt"
        text = printed.read_text(encoding="utf-8", errors="replace") if printed.is_file() else ""
        counts = {name: int(n) for name, n in re.findall(r"^# instructions (\w+) (\d+)$", text, re.MULTILINE)}
        return EmulatorResult(
            same=result.passed and printed.is_file(),
            too_large=overflow(too_large.read_text(encoding="utf-8", errors="replace")) if too_large.is_file() else "",
            instructions=InstructionCounts(*(counts[name] for name in _COUNTS))
            if counts.keys() >= set(_COUNTS)
            else None,
            footprint=_footprint(folder / "size.txt", text),
            reason=result.reason,
        )

    def printed(self) -> str:
        """Return the output of the self-test on the host."""
        return (self._build / "host" / "selftest.txt").read_text(encoding="utf-8")

    def features(self, pcm: Int16, frontend: LogMelFrontend) -> PatchInputs:
        """Run the frontend: the input of each patch, and its level."""
        return read_features(self._probe("features", pcm.tobytes()), frontend)

    def scores(self, codes: Int8, labels: int) -> Int8:
        """Run the network on patches: `(patches, labels) int8`."""
        return np.frombuffer(self._probe("scores", codes.tobytes()), np.int8).reshape(-1, labels)

    def clip(self, pcm: Int16) -> Float32:
        """Run frontend, network and clip rule on the samples of a clip: `(labels,)` probabilities."""
        return np.frombuffer(self._probe("clip", pcm.tobytes()), np.float32)

    def stream(self, pcm: Int16, labels: int) -> tuple[Float32, list[StreamEvent]]:
        """Run frontend, network and the rule for streams on samples, to their end; see `read_stream`."""
        return read_stream(self._probe("stream", pcm.tobytes()), labels)

    def _probe(self, stage: str, data: bytes) -> bytes:
        output = run_filter([self._build / "host" / "aed_probe", stage], data)
        if output is None:
            raise LabeltoolError(f"aed_probe {stage} failed", file=self._package)
        return output


def _footprint(sizes: Path, printed: str) -> Footprint | None:
    """Read the sizes of the self-test, then of the objects that only it needs, and the stack that it printed."""
    stack = re.search(r"^# stack (\d+)$", printed, re.MULTILINE)
    if stack is None or not sizes.is_file():
        return None
    rows = [line.split() for line in sizes.read_text(encoding="utf-8").splitlines()[1:]]
    (text, data, bss), *tests = ([int(size) for size in row[:3]] for row in rows)
    flash = text + data - sum(row[0] + row[1] for row in tests)
    return Footprint(flash, static_ram=data + bss - _STACK_BYTES, stack=int(stack[1]))


def read_features(output: bytes, frontend: LogMelFrontend) -> PatchInputs:
    """Read the output of `aed_probe features`."""
    layout = [
        ("codes", np.int8, (frontend.n_mels, frontend.patch_frames)),
        ("loudness", np.float32),
        ("peak", np.float32),
    ]
    patches = np.frombuffer(output, np.dtype(layout))
    return PatchInputs(patches["codes"], patches["loudness"], patches["peak"])


def read_stream(output: bytes, labels: int) -> tuple[Float32, list[StreamEvent]]:
    """Read smoothed probabilities, `(patches, labels)`, and the events in the output of `aed_probe stream`."""
    event = np.dtype([("label", np.int32), ("first", np.uint32), ("last", np.uint32), ("peak", np.float32)])
    layout = [("probabilities", np.float32, (labels,)), ("count", np.uint32), ("events", event, (labels,))]
    records = np.frombuffer(output, np.dtype(layout))  # the last one has the events at the end of the stream
    events = [
        StreamEvent(int(one["label"]), int(one["first"]), int(one["last"]), float(one["peak"]))
        for record in records
        for one in record["events"][: record["count"]]
    ]
    return records["probabilities"][:-1], events
