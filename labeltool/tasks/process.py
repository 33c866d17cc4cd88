"""Tasks in child processes of this machine, which print JSON lines.

TensorFlow imported in the screen's own process stalls its event loop for more than a second; in a child, 21 ms. So the
command line and the app start `labeltool.tasks.worker`, read its messages and never load what it loads. What the
child's libraries write on stderr goes to a log file.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Generic, TypeVar

from labeltool.errors import LabeltoolError
from labeltool.project import Project
from labeltool.tasks.executor import JobStopped
from labeltool.tasks.registry import Task
from labeltool.type_aliases import Progress

R = TypeVar("R")

_STOP_TIMEOUT_S = 5.0


class LocalProcesses:
    """An `Executor`: one child process for each task."""

    def start(self, project: Project | None, task: Task[R], *, niceness: int = 0, **options: Any) -> ProcessJob[R]:
        """Start a task; see `Executor.start`."""
        log = _log_file(project, task.name)
        job = {
            "project": str(project.directory) if project else None,
            "task": task.name,
            "niceness": niceness,
            "options": options,
            "log": str(log) if log else None,
        }
        with (log or Path(os.devnull)).open("wb") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", "labeltool.tasks.worker", json.dumps(job)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                encoding="utf-8",
                # Its own session: Ctrl-C in the terminal reaches the parent, which stops the child in good order.
                start_new_session=True,
                env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
            )
        return ProcessJob(process, task, log)


class ProcessJob(Generic[R]):
    """A `Job` in a child process.

    Attributes
    ----------
    log
        What the child wrote on stderr; None without a project, which has nowhere to keep it.
    process_id
        The child's, which leads a process group of its own.
    """

    def __init__(self, process: subprocess.Popen[str], task: Task[R], log: Path | None) -> None:
        self._process = process
        self._task = task
        self._stopped = False
        self.process_id = process.pid
        self.log: Path | None = log

    def wait(self, report: Progress) -> R:
        """Report progress until the task has ended, and return its result; see `Job.wait`."""
        result: list[object] = []
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                try:
                    message = json.loads(line)
                except ValueError:
                    continue  # cut short: the process died while it wrote
                if message["event"] == "error":
                    self._process.wait()
                    error = LabeltoolError(message["reason"])
                    error.add_note(message["traceback"])
                    raise error
                if message["event"] == "done":
                    result = [message["result"]]
                else:
                    report(message["stage"], message["done"], message["total"], message["text"])
        code = self._process.wait()
        if result:
            try:
                return self._task.result_from(result[0])
            except ValueError as error:
                raise LabeltoolError(f"{self._task.name} returned what this version cannot read: {error}") from error
        if self._stopped:
            raise JobStopped
        how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
        raise LabeltoolError(
            f"{self._task.name} {how}", remedy=f"nothing was changed{f'; see {self.log}' if self.log else ''}"
        )

    def stop(self) -> None:
        """End the child and its own processes; what the task had not finished leaves no trace."""
        self._stopped = True
        if self._process.poll() is not None:
            return
        for ending in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self._process.pid, ending)
                self._process.wait(_STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                continue
            except ProcessLookupError:
                return
            else:
                return


def _log_file(project: Project | None, task: str) -> Path | None:
    if project is None:
        return None
    directory = project.cache / "logs"
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LabeltoolError(f"{error.strerror}", file=directory) from error
    return directory / f"{task}.log"
