"""The firmware of the STM32 package, with the default frontend and a small network, built by CMake and run."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np

from helpers.stm32 import LOUDEST_THIRD, needs, network_of, write_c_sources
from labeltool.audio.frontend import LogMelFrontend
from labeltool.exporters.stm32.codegen.microphone_filters import microphone_taps_h
from labeltool.exporters.stm32.codegen.tflm_operators import tflm_operators_h
from labeltool.type_aliases import Int16

RATE = 16_000
HALF = 320
"""Samples of a half buffer."""

MACHINES = {"qemu_an386": "mps2-an386", "qemu_an505": "mps2-an505", "stm32f405": "netduinoplus2"}
"""The boards that QEMU emulates, and its names of them."""


FROM_A_FILE = "# sound.raw: a start-up check, not from a microphone\n"
"""The line of an emulated board whose microphone is a file."""


def write_package(folder: Path) -> Path:
    """Write a package with the firmware and a network that predicts the third of the bands that is loudest."""
    sources = Path(str(files("labeltool.exporters.stm32").joinpath("csrc")))
    frontend = LogMelFrontend()
    (folder / "c").mkdir(parents=True)
    write_c_sources(folder / "c", frontend, network_of(frontend))
    (folder / "c" / "aed_nn.c").write_text(LOUDEST_THIRD)
    (folder / "c" / "aed_model.c").write_text('#include "aed_nn.h"\n')
    for name in ("test", "firmware"):
        shutil.copytree(sources / name, folder / name)
    (folder / "firmware" / "microphone_taps.h").write_text(microphone_taps_h())
    (folder / "firmware" / "tflm_operators.h").write_text(tflm_operators_h(["CONV_2D", "SOFTMAX"]))
    return folder


def cmake(package: Path, build: Path, *options: str, board: str = "host") -> Path:
    """Build the firmware of a package without warnings; return the program."""
    needs("cmake", "gcc", *(() if board == "host" else ("arm-none-eabi-gcc",)))
    source = package / "firmware"
    toolchain = [] if board == "host" else ["--toolchain", source / "arm-none-eabi.cmake"]
    configure = ["cmake", "-S", source, "-B", build, "-G", "Unix Makefiles", *toolchain, f"-DBOARD={board}"]
    run_tool([*configure, "-DWARNINGS_AS_ERRORS=ON", *options])
    run_tool(["cmake", "--build", build])
    return build / ("firmware" if board == "host" else "firmware.elf")


def run_tool(command: Sequence[object]) -> str:
    """Run a tool that must succeed; return what it printed."""
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def on_host(program: Path, sound: bytes) -> str:
    """Return the log of a host build."""
    path = program.with_name("sound.raw")
    path.write_bytes(sound)
    result = subprocess.run([program], env={**os.environ, "SOUND": str(path)}, capture_output=True, check=False)
    assert result.returncode == 0, result
    return result.stdout.decode()


def in_qemu(program: Path, machine: str, sound: bytes, instruction_ns_log2: int = 0) -> str:
    """Return the log of an emulated board without `FROM_A_FILE`.

    Each of its instructions takes 2^`instruction_ns_log2` nanoseconds.
    """
    program.with_name("sound.raw").write_bytes(sound)
    log = program.with_name("uart.txt")
    result = qemu(program, machine, log, instruction_ns_log2)
    assert result.returncode == 0, result.stderr
    assert log.read_text().count(FROM_A_FILE) == 1
    return log.read_text().replace(FROM_A_FILE, "")


def qemu(program: Path, machine: str, log: Path, instruction_ns_log2: int = 0) -> subprocess.CompletedProcess[bytes]:
    """Run a program on an emulated board, in its folder; its UART goes to a file."""
    needs("qemu-system-arm")
    command = ["qemu-system-arm", "-M", machine, "-display", "none", "-monitor", "none", "-serial", f"file:{log}"]
    command += ["-icount", f"shift={instruction_ns_log2},sleep=off"]
    command += ["-semihosting-config", "enable=on,target=native", "-kernel", str(program)]
    return subprocess.run(command, cwd=program.parent, stdin=subprocess.DEVNULL, capture_output=True, check=False)


def ten_events(seconds: int = 60, seed: int = 3) -> tuple[Int16, list[tuple[int, float, float]]]:
    """Return a recording of noise in the last bit with ten sounds, and the label, start and end of each, seconds.

    The label is the third of the bands that the sound is in.
    """
    rng = np.random.default_rng(seed)
    time = np.arange(seconds * RATE) / RATE
    sound = rng.normal(0, 0.3, len(time))
    events = []
    for number in range(10):
        label, start_s, end_s = number % 3, 2.0 + 5.7 * number, 4.5 + 5.7 * number
        inside = (time >= start_s) & (time < end_s)
        low, high = ((60, 700), (1100, 2300), (3200, 7000))[label]
        for hertz in np.geomspace(low, high, 12):
            sound[inside] += 700 * np.sin(2 * np.pi * hertz * time[inside] + rng.uniform(0, 6))
        events.append((label, start_s, end_s))
    return np.clip(np.rint(sound), -32768, 32767).astype(np.int16), events
