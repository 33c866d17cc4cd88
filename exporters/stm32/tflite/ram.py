"""RAM of a network: measured with TensorFlow Lite Micro, and planned for `aed_nn.c`. ST's figure needs ST's tool."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from typing import NamedTuple

from labeltool.exporters.stm32.tflite.graph import read_graph
from labeltool.exporters.stm32.tflite.lowering import lower
from labeltool.exporters.stm32.tflite.memory_plan import plan_arena

# In a separate process: the runtime prints its allocations to the standard error of the process.
_PROGRAM = """\
import sys
from tflite_micro import runtime
runtime.Interpreter.from_bytes(sys.stdin.buffer.read()).print_allocations()
"""


class MeasuredArena(NamedTuple):
    """TensorFlow Lite Micro's arena, bytes: its tensors, and what its kernels keep beside them."""

    tensors: int
    kernels: int


@dataclass(frozen=True, slots=True)
class RamFigures:
    """RAM of a network, bytes.

    Attributes
    ----------
    measured
        TensorFlow Lite Micro's own figures; None where they could not be measured.
    planned
        The arena of `aed_nn.c`; the caller's input and output are not included.
    """

    measured: MeasuredArena | None
    planned: int


def ram_figures(tflite: bytes) -> RamFigures:
    """Measure and plan the RAM of a network."""
    return RamFigures(tflm_arena(tflite), plan_arena(lower(read_graph(tflite))).size)


def tflm_arena(tflite: bytes) -> MeasuredArena | None:
    """Measure TensorFlow Lite Micro's arena here; None where tflite-micro is missing or cannot run the model."""
    if find_spec("tflite_micro") is None:
        return None
    result = subprocess.run([sys.executable, "-c", _PROGRAM], input=tflite, capture_output=True, check=False)
    text = (result.stdout + result.stderr).decode(errors="replace")
    sizes = {part: int(size) for part, size in re.findall(r"Arena allocation (head|tail) (\d+) bytes", text)}
    return MeasuredArena(sizes["head"], sizes["tail"]) if sizes.keys() == {"head", "tail"} else None
