"""The end of a process that computes: with its parent, with all it has started, and without publishing anything."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from helpers.processes import group
from helpers.waits import DEADLINE_S, until
from labeltool.project import Project
from labeltool.store import models
from labeltool.tasks import executor
from labeltool.tasks.registry import RETRAIN
from labeltool.type_aliases import Progress
from labeltool.util import lifetime
from labeltool.util.files.atomic_write import write_text

# It starts a process of its own, works until it is stopped, and then writes a file.
WORKER = """
import itertools, os, subprocess, sys, time
from functools import partial
from pathlib import Path
from labeltool.util import lifetime
lifetime.GRACE_S = {grace_s}
lifetime.end_with_parent()
subprocess.Popen(["sleep", "600"])
try:
    {work}
finally:
    Path(sys.argv[1]).write_text("cleaned up")
"""
# "works" is written inside the work: nothing else must happen in between.
WAITS = "print('works', flush=True); time.sleep(600)"
# In C from the writing on: neither a signal's handler nor a thread runs meanwhile.
HOLDS_THE_INTERPRETER = r"sum(itertools.chain(map(partial(os.write, 1), [b'works\n']), range(10**12)))"
IGNORES = r"exec('while True:\n try: print(\'works\', flush=True); time.sleep(600)\n except SystemExit: pass')"


# As `select.poll` of macOS: a hang-up is reported only where it was asked for, and what can be read ends a wait early.
POLL_OF_MACOS = """
import select as _select
class _Poll:
    def __init__(self): self.asked, self.inner = dict(), _poll()
    def register(self, descriptor, events):
        self.asked[descriptor] = events
        if events:
            self.inner.register(descriptor, _select.POLLIN)
    def poll(self, timeout): return [(d, e & self.asked[d]) for d, e in self.inner.poll(timeout) if e & self.asked[d]]
_poll, _select.poll = _select.poll, _Poll
"""


def worker(work: str, file: Path, grace_s: float = lifetime.GRACE_S) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER.format(work=work, grace_s=grace_s), str(file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None and process.stdout.readline() == "works\n"
    assert len(group(process.pid)) == 3  # itself, the one that watches, and the one it has started
    return process


def gone(process: subprocess.Popen[str]) -> int:
    """Wait until a process and all of its group have ended; return its exit code."""
    until(lambda: process.poll() is not None and not group(process.pid), "the end of the group")
    assert process.stdin is not None and process.stdout is not None
    process.stdin.close()
    process.stdout.close()
    return process.returncode


def test_a_worker_whose_parent_is_gone_cleans_up_and_ends_with_all_it_has_started(tmp_path: Path) -> None:
    process = worker(WAITS, tmp_path / "file", DEADLINE_S)  # on a busy machine the cleaning up takes long
    assert process.stdin is not None
    process.stdin.close()
    assert gone(process) == 130
    assert (tmp_path / "file").read_text() == "cleaned up"


def test_a_worker_whose_parent_is_gone_already_does_not_begin(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(writing)
    program = WORKER.format(work=WAITS, grace_s=DEADLINE_S)
    command = [sys.executable, "-c", program, str(tmp_path / "file")]
    with os.fdopen(reading) as stdin:
        done = subprocess.run(command, stdin=stdin, capture_output=True, start_new_session=True, timeout=DEADLINE_S)
    assert (done.stdout, list(tmp_path.iterdir())) == (b"", [])


def test_a_worker_imports_little_until_it_ends_with_its_parent() -> None:
    program = "import sys; before = set(sys.modules); import labeltool.tasks.worker; print(*set(sys.modules) - before)"
    imported = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert not {"msgspec", "numpy", "sqlite3", "labeltool.project"} & set(imported.split())


@pytest.mark.parametrize("work", [HOLDS_THE_INTERPRETER, IGNORES])
def test_a_worker_that_does_not_end_is_killed(tmp_path: Path, work: str) -> None:
    process = worker(work, tmp_path / "file")
    assert process.stdin is not None
    process.stdin.close()
    assert gone(process) == -signal.SIGKILL
    assert not (tmp_path / "file").exists()


def test_a_killed_worker_leaves_nothing_behind(tmp_path: Path) -> None:
    process = worker(WAITS, tmp_path / "file")
    process.kill()
    assert gone(process) == -signal.SIGKILL


def test_a_worker_outlives_the_thread_that_started_it(tmp_path: Path) -> None:
    started: list[subprocess.Popen[str]] = []
    thread = threading.Thread(target=lambda: started.append(worker(WAITS, tmp_path / "file")))
    thread.start()
    thread.join()
    (process,) = started
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.3)  # the kernel's own signal for a dead parent would have come with the thread's end
    process.send_signal(signal.SIGTERM)
    assert gone(process) == 130


def test_one_that_was_stopped_publishes_nothing(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published: list[int] = []
    # The parent's end of the pipe is closed, and the signal has not arrived yet.
    reading, writing = os.pipe()
    os.close(writing)
    monkeypatch.setattr(lifetime, "_parent", reading)
    with project.open_store() as store:
        with pytest.raises(SystemExit) as ending:
            model = models.NewModel("none", "{}", 2, None, None)
            models.add(store, model, parent_id=None, journal_mark="", publish=published.append)
        assert ending.value.code == 130
        assert models.latest(store) is None
    with pytest.raises(SystemExit):
        write_text(tmp_path / "file", "text")
    assert (published, [path.name for path in tmp_path.iterdir() if path.is_file()]) == ([], [])
    os.close(reading)


def test_a_worker_ends_with_its_parent_on_macos_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "WORKER", POLL_OF_MACOS + WORKER)
    process = worker(WAITS, tmp_path / "file", DEADLINE_S)
    assert process.stdin is not None
    process.stdin.close()
    assert gone(process) == 130


def test_what_is_typed_is_no_hang_up_on_macos(tmp_path: Path) -> None:
    program = """
import os, threading
from labeltool.util import lifetime
reading, writing = os.pipe()
os.write(writing, b"key")
waiting = threading.Thread(target=lifetime.wait_for_hang_up, args=(reading,), daemon=True)
waiting.start()
waiting.join(0.3)
print(waiting.is_alive())
os.close(writing)
waiting.join()
"""
    done = subprocess.run(
        [sys.executable, "-c", POLL_OF_MACOS + program], capture_output=True, text=True, timeout=DEADLINE_S
    )
    assert (done.stdout, done.returncode) == ("True\n", 0), done.stderr


def test_the_last_line_names_what_a_task_that_was_interrupted_has_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Job:
        def wait(self, report: Progress) -> None:
            report("suggesting", 0, 0, f"{lifetime.KEPT}model 3")
            raise KeyboardInterrupt

        def stop(self) -> None: ...

    monkeypatch.setattr(lifetime, "_kept", "")
    monkeypatch.setattr(lifetime, "_ending", threading.Lock())
    monkeypatch.setattr(executor, "default_executor", lambda: SimpleNamespace(start=lambda *_, **__: Job()))
    with (tmp_path / "stderr").open("w", encoding="utf-8", newline="") as stderr:
        monkeypatch.setattr(sys, "__stderr__", stderr)
        with pytest.raises(KeyboardInterrupt):
            executor.run(None, RETRAIN, lambda *_: None)
        lifetime.write_ending(lifetime.INTERRUPTED)
    assert (tmp_path / "stderr").read_text() == "labeltool: interrupted; kept: model 3\n"
