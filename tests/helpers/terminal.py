"""The real program in a pseudo-terminal: keys go in, what it paints is searched for words."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import threading
from contextlib import nullcontext
from pathlib import Path
from types import TracebackType

from helpers.processes import children
from helpers.waits import DEADLINE_S
from labeltool.project import Project

# What the program asks a terminal, and the answer of one without pictures of pixels.
_ATTRIBUTES_QUERY, _ATTRIBUTES = b"\x1b[c", b"\x1b[?62c"
_ESCAPES = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|[^\[])")


class TerminalApp:
    """`labeltool label` of a project; leave the context to end it.

    Parameters
    ----------
    arguments
        What else the command is given.
    stderr
        A file for stderr, in place of the terminal.
    environment
        Set for the program, beside what the test has.
    """

    def __init__(self, project: Project, *arguments: str, stderr: Path | None = None, **environment: str) -> None:
        self._terminal, program_side = pty.openpty()
        fcntl.ioctl(program_side, termios.TIOCSWINSZ, struct.pack("HHHH", 36, 120, 0, 0))
        with stderr.open("w") if stderr is not None else nullcontext(program_side) as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "labeltool", "--project", str(project.directory), "label", *arguments],
                stdin=program_side,
                stdout=program_side,
                stderr=errors,
                start_new_session=True,
                env={**os.environ, "TERM": "xterm-256color", **environment},
            )
        os.close(program_side)
        self._painted = bytearray()
        self._from = 0
        self._more = threading.Condition()
        self._closing = threading.Event()
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def __enter__(self) -> TerminalApp:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        self.close_terminal()

    def _read(self) -> None:
        # Not in a read that waits: a terminal that is closed meanwhile would stay open.
        while not self._closing.is_set():
            try:
                if not select.select([self._terminal], [], [], 0.05)[0]:
                    continue
                got = os.read(self._terminal, 1 << 16)
            except OSError:  # the program has ended
                return
            if _ATTRIBUTES_QUERY in got:
                os.write(self._terminal, _ATTRIBUTES)
            with self._more:
                self._painted += got
                self._more.notify_all()

    def workers(self) -> list[int]:
        """The processes that the program has started."""
        return children(self.process.pid)

    def close_terminal(self) -> None:
        """Close the terminal under the program."""
        self._closing.set()
        self._reading.join()
        if self._terminal >= 0:
            os.close(self._terminal)
            self._terminal = -1

    def painted(self, since: int = 0) -> str:
        """What was painted since some byte, without what moves the cursor and colours it."""
        return _ESCAPES.sub(b"", self._painted[since:]).decode(errors="replace")

    def press(self, keys: str) -> None:
        """Press keys; `until` then looks at what is painted from now on."""
        self._from = len(self._painted)
        os.write(self._terminal, keys.encode())

    def until(self, pattern: str) -> re.Match[str]:
        """Wait until something that matches was painted since the last keys, and return the last such match."""
        found: list[re.Match[str]] = []

        def there() -> bool:
            found[:] = re.finditer(pattern, self.painted(self._from))
            return bool(found)

        with self._more:
            assert self._more.wait_for(there, DEADLINE_S), (
                f"timed out waiting for {pattern!r} in\n{self.painted(self._from)}"
            )
        return found[-1]

    def leave(self) -> int:
        """Press q and return the exit code."""
        self.press("q")
        return self.process.wait(DEADLINE_S)
