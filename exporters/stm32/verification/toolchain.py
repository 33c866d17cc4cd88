"""The package's C, built and run on this machine: by the host's compiler, and on emulated chips where QEMU is there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from labeltool.audio.frontend import Frontend
from labeltool.errors import LabeltoolError
from labeltool.type_aliases import Float32, Int8, Int16

MACHINES = {
    "m4": "Cortex-M4 (mps2-an386)",
    "m33": "Cortex-M33 (mps2-an505)",
    "m7": "Cortex-M7 (mps2-an500)",
    "m55": "Cortex-M55 (mps3-an547)",
    "f405": "STM32F405 (netduinoplus2)",
}
"""What QEMU emulates, by the names that the package's Makefile gives them."""

# An emulated chip takes seconds for the self-test; one that hangs must not hang the export.
_TIMEOUT_S = 900


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of a target of the Makefile: whether it passed, and what it printed."""

    passed: bool
    text: str


@dataclass(frozen=True, slots=True)
class Emulated:
    """What came of an emulated chip.

    Attributes
    ----------
    same
        Whether it printed what the host printed.
    unfit
        The linker's words where the program does not fit the machine's memory; else empty.
    instructions
        Counted by the emulator: "first_patch" (front end, every frame new), "next_patch", "network".
    text
        What make printed.
    """

    same: bool
    unfit: str
    instructions: dict[str, int]
    text: str


class Bench:
    """A package's C.

    Parameters
    ----------
    package
        The package's folder; nothing is written there.
    build
        An empty folder for what is built.
    """

    def __init__(self, package: Path, build: Path) -> None:
        self._package = package
        self._build = build

    @staticmethod
    def missing_for_host() -> str:
        """Say what this machine lacks to build for itself; empty when it lacks nothing."""
        lacking = [name for name in ("make", "cc") if shutil.which(name) is None]
        return f"no {' and no '.join(lacking)}" if lacking else ""

    @staticmethod
    def missing_for_chips(*, emulate: bool) -> str:
        """Say what this machine lacks to build for chips, or to emulate them; empty when it lacks nothing."""
        tools = ["make", "cc", "arm-none-eabi-gcc", *(["qemu-system-arm"] if emulate else [])]
        lacking = [name for name in tools if shutil.which(name) is None]
        return f"no {' and no '.join(lacking)}" if lacking else ""

    def make(self, target: str) -> Ran:
        """Make a target of the package's Makefile."""
        # Flags of a make above this one (`make -n test`, its job server) are not for this one.
        environment = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS")}
        command = ["make", "-s", "-C", str(self._package / "test"), f"BUILD={self._build.resolve()}", target]
        try:
            ran = subprocess.run(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Ran(False, f"`make {target}` did not end in {_TIMEOUT_S} s")
        return Ran(ran.returncode == 0, ran.stdout)

    def emulate(self, machine: str) -> Emulated:
        """Run the self-test on an emulated chip, after `make("host")`."""
        ran = self.make(f"qemu-{machine}")
        folder = self._build / machine
        unfit = folder / "unfit.txt"
        printed = folder / "selftest.txt"
        text = printed.read_text(encoding="utf-8", errors="replace") if printed.is_file() else ""
        return Emulated(
            same=ran.passed and printed.is_file(),
            unfit=unfit.read_text(encoding="utf-8", errors="replace").strip() if unfit.is_file() else "",
            instructions={name: int(n) for name, n in re.findall(r"^# instructions (\w+) (\d+)$", text, re.MULTILINE)},
            text=ran.text,
        )

    def printed(self) -> str:
        """Return what the self-test printed on the host."""
        return (self._build / "host" / "selftest.txt").read_text(encoding="utf-8")

    def features(self, pcm: Int16, frontend: Frontend) -> tuple[Int8, Float32]:
        """Hear samples: the network's input of each patch, `(patches, n_mels, patch_frames)`, and its loudness, dB."""
        patch = np.dtype([("codes", np.int8, (frontend.n_mels, frontend.patch_frames)), ("loudness", np.float32)])
        found = np.frombuffer(self._probe("features", pcm.tobytes()), patch)
        return found["codes"], found["loudness"]

    def scores(self, codes: Int8, labels: int) -> Int8:
        """Run the network on patches: `(patches, labels) int8`."""
        return np.frombuffer(self._probe("scores", codes.tobytes()), np.int8).reshape(-1, labels)

    def clip(self, pcm: Int16) -> Float32:
        """Answer a clip: samples in, `(labels,)` probabilities out."""
        return np.frombuffer(self._probe("clip", pcm.tobytes()), np.float32)

    def _probe(self, stage: str, data: bytes) -> bytes:
        program = self._build / "host" / "aed_probe"
        ran = subprocess.run([program, stage], input=data, capture_output=True, timeout=_TIMEOUT_S, check=False)
        if ran.returncode != 0:
            raise LabeltoolError(f"aed_probe {stage} ended with code {ran.returncode}", file=self._package)
        return ran.stdout
