"""RAM of a network as three numbers never mixed up: measured, planned, and ST's, which only ST's tool knows."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from typing import Any

from labeltool.exporters.stm32.tflite.graph import read_graph
from labeltool.exporters.stm32.tflite.lowering import lower
from labeltool.exporters.stm32.tflite.memory_plan import our_plan

ST_OWN = "ST's own: run stedgeai analyze"

# In a process of its own: the runtime prints its account to the standard error of the process.
_PROGRAM = """\
import sys
from tflite_micro import runtime
runtime.Interpreter.from_bytes(sys.stdin.buffer.read()).print_allocations()
"""


def ram_numbers(tflite: bytes) -> dict[str, Any]:
    """Return the three numbers for `report.json`, bytes; the measured one is there only when it could be measured."""
    measured = tflm_arena(tflite)
    told: dict[str, Any] = {}
    if measured is not None:
        told["measured_tflm_arena"] = {
            "bytes": sum(measured),
            "of_which_tensors": measured[0],
            "how": "TensorFlow Lite Micro's own account, on a 64-bit machine",
        }
    told["our_plan"] = {
        "bytes": our_plan(lower(read_graph(tflite))).size,
        "how": "the arena of aed_nn.c; the patch and the scores are the caller's",
    }
    return {**told, "st": ST_OWN}


def tflm_arena(tflite: bytes) -> tuple[int, int] | None:
    """Measure TensorFlow Lite Micro's arena.

    Returns
    -------
    tuple of int, or None
        Bytes of the tensors and of what its kernels keep beside them; None where the package tflite-micro is not
        installed or cannot run the model.
    """
    if find_spec("tflite_micro") is None:
        return None
    ran = subprocess.run([sys.executable, "-c", _PROGRAM], input=tflite, capture_output=True, check=False)
    told = (ran.stdout + ran.stderr).decode(errors="replace")
    found = {part: int(size) for part, size in re.findall(r"Arena allocation (head|tail) (\d+) bytes", told)}
    return (found["head"], found["tail"]) if found.keys() == {"head", "tail"} else None
