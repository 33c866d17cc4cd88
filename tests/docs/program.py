"""`labeltool` as the pages' commands start it: what waits for a person, or for ever, is ended as a reader would end it.

The app runs in a terminal of its own until it has drawn a clip, then gets `q`. What serves or watches until Ctrl-C gets
Ctrl-C when it has written its first line. Anything else is the program itself.
"""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

_COMMAND = [sys.executable, "-m", "labeltool"]
_INTERRUPTED = 130
_WAITS_S = 120.0
_SETTLED_S = 1.5
# What the app asks a terminal, and the answer of one without pictures of pixels.
_QUERY, _ANSWER = b"\x1b[c", b"\x1b[?62c"


def main(arguments: Sequence[str]) -> int:
    """Run the program, and return its exit code."""
    words = [word for word in arguments if not word.startswith("-")]
    command = words[0] if words else ""
    if arguments[:1] == ["--project"]:
        command = words[1] if len(words) > 1 else ""
    wants_help = {"-h", "--help"} & set(arguments)
    if wants_help or command not in ("label", "serve", "watch") or "--once" in arguments:
        return subprocess.run([*_COMMAND, *arguments]).returncode
    if command == "label" and "--serve" not in arguments:
        return in_terminal(arguments)
    return until_ctrl_c(arguments)


def until_ctrl_c(arguments: Sequence[str]) -> int:
    """Run until the first line, then press Ctrl-C; interrupted is how it ends."""
    process = subprocess.Popen([*_COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    sys.stdout.write(process.stdout.readline())
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    sys.stdout.write(process.stdout.read())
    code = process.wait(timeout=_WAITS_S)
    return 0 if code in (_INTERRUPTED, -signal.SIGINT) else code


def in_terminal(arguments: Sequence[str]) -> int:
    """Run the app in a terminal of 110 columns until it has drawn itself, then quit it; return its exit code."""
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "110", "LINES": "34"}
    terminal, program_side = pty.openpty()
    process = subprocess.Popen(
        [*_COMMAND, *arguments],
        **{name: program_side for name in ("stdin", "stdout", "stderr")},
        env=environment,
        start_new_session=True,
    )
    os.close(program_side)
    end_s, painted, pressed = time.monotonic() + _WAITS_S, b"", 0
    while time.monotonic() < end_s:
        ready, _, _ = select.select([terminal], [], [], _SETTLED_S)
        if ready:
            try:
                new = os.read(terminal, 1 << 16)
            except OSError:  # the program has ended
                break
            if not new:
                break
            if _QUERY in new:
                os.write(terminal, _ANSWER)
            painted += new
        if not pressed and b"\x1b[?1049h" in painted and len(painted) > 4000:
            os.write(terminal, b"\x1b" if b"tour" in painted else b"q")
            pressed = 1
        elif pressed and not ready:
            os.write(terminal, b"q")
    process.kill() if time.monotonic() >= end_s else None
    os.close(terminal)
    return process.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
