"""What is left when labeltool is ended: processes and temporary files, after every kind of ending.

    python benchmarks/processes.py [--runs 5] [--only app retrain serve] [--endings KILL TERM]

Each run starts the app in a pseudo-terminal, a retraining, or the app in a browser with an open page, waits for a
random while, ends it by a signal or by closing its terminal, and looks for processes that it started: they all have one
variable in their environment. The table has the longest time until none was left, those left after 3 s, and exit codes.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import os
import pty
import random
import re
import select
import signal
import struct
import subprocess
import tempfile
import termios
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from commands import command_line, labeltool

from labeltool.cli.demo.sounds import make_world

MARK = "LABELTOOL_BENCHMARK_RUN"
LEFT_AFTER_S = 3.0
GIVE_UP_S = 30.0
LONGEST_START_S = 12.0
CLOSED = "closed terminal"
ENDINGS = ("KILL", "TERM", "HUP", "INT", CLOSED)


@dataclass
class Row:
    """What was seen of one kind of ending."""

    runs: int = 0
    longest_s: float = 0.0
    left: int = 0
    files: Counter[str] = field(default_factory=Counter)
    codes: Counter[int] = field(default_factory=Counter)

    def text(self) -> str:
        """Return the columns after the names."""
        codes = ", ".join(f"{code} x {count}" for code, count in sorted(self.codes.items()))
        files = ", ".join(f"{name} x {count}" for name, count in self.files.items()) or "none"
        return f"{self.runs:>5} {self.longest_s:>9.2f} {self.left:>13}   {codes:<22} {files}"


def marked(mark: str) -> list[int]:
    """Return the processes with a mark in their environment that still run."""
    return [one.pid for one in psutil.process_iter(["environ"]) if (one.info["environ"] or {}).get(MARK) == mark]


@contextlib.contextmanager
def in_terminal(
    command: list[str], environment: dict[str, str]
) -> Iterator[tuple[subprocess.Popen[bytes], Callable[[], None]]]:
    """Start a program in a pseudo-terminal of its own; what it paints is read and dropped."""
    terminal, program_side = pty.openpty()
    fcntl.ioctl(program_side, termios.TIOCSWINSZ, struct.pack("HHHH", 36, 120, 0, 0))
    process = subprocess.Popen(
        command,
        stdin=program_side,
        stdout=program_side,
        stderr=program_side,
        env=environment,
        preexec_fn=lambda: (os.setsid(), fcntl.ioctl(0, termios.TIOCSCTTY, 0)),
    )
    os.close(program_side)

    closed = threading.Event()

    def read() -> None:
        with contextlib.suppress(OSError):
            # Not in a read that waits: a terminal closed meanwhile would stay open.
            while not closed.is_set():
                if select.select([terminal], [], [], 0.02)[0]:
                    os.read(terminal, 1 << 16)
        os.close(terminal)

    reading = threading.Thread(target=read, daemon=True)
    reading.start()

    def close() -> None:
        closed.set()
        reading.join()

    try:
        yield process, close
    finally:
        process.kill()
        process.wait()
        close()


async def visit(url: str, until: threading.Event) -> None:
    """Open the page's websocket and read what it paints."""
    import aiohttp

    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as client:
        async with client.get(url):
            pass
        base = url.partition("?")[0].rstrip("/")
        with contextlib.suppress(aiohttp.ClientError):
            async with client.ws_connect(f"{base}/ws?width=120&height=36", headers={"Origin": base}) as socket:
                while not until.is_set() and not socket.closed:
                    with contextlib.suppress(TimeoutError):
                        await socket.receive(timeout=0.2)


def run(what: str, ending: str, project: Path, temporary: Path, wait_s: float, row: Row) -> None:
    """Start a program, end it, and add what was seen to a row."""
    mark = uuid.uuid4().hex
    environment = {
        **os.environ,
        **{MARK: mark, "LABELTOOL_AUDIO": "null", "LABELTOOL_ANNOTATOR": "ann", "TMPDIR": str(temporary)},
    }
    words = {"app": ["label"], "retrain": ["retrain"], "serve": ["label", "--serve"]}[what]
    command = command_line(*words, project=project)
    with contextlib.ExitStack() as stack:
        if what == "serve":
            command = ["sh", "-c", 'exec "$@" 2>"$0"', str(temporary / "serve.log"), *command]
        process, close_terminal = stack.enter_context(in_terminal(command, environment))
        if what == "serve":
            done = threading.Event()
            stack.callback(done.set)
            url = address(temporary / "serve.log")
            threading.Thread(target=lambda: asyncio.run(visit(url, done)), daemon=True).start()
        time.sleep(wait_s)
        if ending == CLOSED:
            close_terminal()
        else:
            process.send_signal(getattr(signal, f"SIG{ending}"))
        ended_s = time.monotonic()
        left_s, still = 0.0, 0
        while (left := marked(mark)) and left_s < GIVE_UP_S:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.02)
            left_s = time.monotonic() - ended_s
            if left_s <= LEFT_AFTER_S:
                still = len(left)
        row.left += still if left_s > LEFT_AFTER_S else 0
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        row.longest_s = max(row.longest_s, left_s)
        row.codes[process.wait()] += 1
    row.runs += 1
    (temporary / "serve.log").unlink(missing_ok=True)
    for path in (*temporary.iterdir(), *project.rglob(".*.partial"), *(project / "models").glob(".*")):
        row.files[re.sub(r"[0-9a-f]{8,}|[a-z0-9_]{8}$", "*", path.name)] += 1


def address(log: Path) -> str:
    for _ in range(600):
        found = re.search(r"http://\S+", log.read_text(encoding="utf-8")) if log.exists() else None
        if found:
            return found.group()
        time.sleep(0.05)
    raise SystemExit(f"no address in {log.read_text(encoding='utf-8')!r}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=("app", "retrain", "serve"), default=["app", "retrain", "serve"])
    parser.add_argument("--endings", nargs="+", choices=ENDINGS, default=ENDINGS)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        project, temporary = Path(folder) / "project", Path(folder) / "tmp"
        temporary.mkdir()
        world = make_world(Path(folder) / "sounds")
        labeltool("init", project)
        labeltool("import", "esc50", world.esc_style, project=project)
        labeltool("import", "audio", world.pool, project=project)
        print(f"{'what':<8} {'ending':<16} {'runs':>5} {'longest s':>9} {'left at 3 s':>13}   {'exit codes':<22} files")
        for what in options.only:
            for ending in options.endings:
                row = Row()
                for _ in range(options.runs):
                    run(what, ending, project, temporary, rng.uniform(0.02, LONGEST_START_S), row)
                print(f"{what:<8} {ending:<16} {row.text()}", flush=True)


if __name__ == "__main__":
    main()
