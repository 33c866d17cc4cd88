"""What libraries of C print stays off stderr; what Python, and the processes that it starts, write there is shown."""

from __future__ import annotations

import os
import subprocess
import sys

_SCRIPT = """
import ctypes, subprocess, sys
from labeltool.util.library_messages import libraries_off_stderr

print_in_c = ctypes.CDLL(None).perror
with libraries_off_stderr():
    print_in_c(b"library")
    print("python", file=sys.stderr)
    subprocess.run([sys.executable, "-c", "import ctypes; ctypes.CDLL(None).perror(b'child')"])
print_in_c(b"afterwards")
"""


def test_a_librarys_lines_are_not_shown_but_those_of_children_are() -> None:
    done = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True, check=True)
    assert [line.split(":")[0] for line in done.stderr.splitlines()] == ["python", "child", "afterwards"]
    environment = {**os.environ, "LABELTOOL_DEBUG": "1"}
    shown = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True, check=True, env=environment)
    assert shown.stderr.startswith("library")
