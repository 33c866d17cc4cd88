"""Programs of others, run for a check: compilers, make, emulators, ST's tool."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# Builds and emulations take seconds, on a busy machine minutes; one that hangs must not block an export.
_TIMEOUT_S = 900
# Bytes of output, the last ones.
_MOST_OUTPUT = 1_000_000
_TELLING = ("FAILED", "error", "Error", "ERROR", "undefined", "differ")


@dataclass(frozen=True, slots=True)
class ToolResult:
    """Result of a program: whether it passed, and its output."""

    passed: bool
    text: str

    @property
    def reason(self) -> str:
        """The most informative line of the output: the first that names a failure, or the last one."""
        lines = [line.strip() for line in self.text.splitlines() if line.strip()]
        # Make's own line follows that of the program which failed.
        others = [line for line in lines if not line.startswith("make")]
        telling = (line for mark in _TELLING for line in others if mark in line)
        return next(telling, lines[-1] if lines else "it failed without output")


def run_tool(
    command: Sequence[str | Path], *, folder: Path | None = None, environment: Mapping[str, str] | None = None
) -> ToolResult:
    """Run a program without input; it fails when it does not end in time, too."""
    with tempfile.TemporaryFile() as output:
        try:
            result = subprocess.run(
                command,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=_TIMEOUT_S,
                check=False,
            )
        except OSError as error:
            return ToolResult(False, f"{command[0]} cannot be run: {error.strerror}")
        except subprocess.TimeoutExpired:
            return ToolResult(False, f"{command[0]} did not end in {_TIMEOUT_S} s")
        output.seek(max(0, output.seek(0, os.SEEK_END) - _MOST_OUTPUT))
        text = output.read().decode("utf-8", "replace")
    return ToolResult(result.returncode == 0, text or f"it ended with code {result.returncode}")


def run_filter(command: Sequence[str | Path], data: bytes) -> bytes | None:
    """Run a program on its standard input; return its output, or None where it failed or did not end in time."""
    try:
        result = subprocess.run(command, input=data, capture_output=True, timeout=_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        return None
    return result.stdout if result.returncode == 0 else None


def missing_tools(*tools: str) -> str:
    """Return which of the tools are missing on this machine; empty when none is."""
    missing = [name for name in tools if shutil.which(name) is None]
    return f"no {' and no '.join(missing)}" if missing else ""


def overflow(linker_text: str) -> str:
    """Return what a linker says of a program too large for its memory, without paths of the machine."""
    found = re.findall(r"region `?'?(\w+)'? overflowed by (\d+) bytes", linker_text)
    return "; ".join(f"{region} overflows by {size} bytes" for region, size in found)
