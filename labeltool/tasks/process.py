"""Tasks in child processes of this machine, which print JSON lines.

TensorFlow imported in the screen's own process stalls its event loop for more than a second; in a child, 21 ms. So the
command line and the app start `labeltool.tasks.worker`, read its messages and never load what it loads. What the
child's libraries write on stderr goes to a log file. A child ends with its parent (`labeltool.util.lifetime`): its
standard input is a pipe that the parent holds.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Generic, TypeVar

from labeltool.errors import ExitCode, LabeltoolError
from labeltool.parallel.engine import LOCAL, Engine
from labeltool.project import Project
from labeltool.tasks.executor import JobStopped
from labeltool.tasks.registry import Task
from labeltool.type_aliases import Progress
from labeltool.util import lifetime

R = TypeVar("R")

# How long `stop` waits for the child to clean up; one that takes longer is killed soon after.
_STOP_TIMEOUT_S = 0.7


def tensorflow_environment() -> dict[str, str]:
    """Return this process's environment with what TensorFlow is to have before it is imported.

    TensorFlow leaves oneDNN's kernels off where an x86 processor has no VNNI. With AVX2 alone a training step takes a
    third less processor time with them (`benchmarks/NOTES.md`). `TF_ENABLE_ONEDNN_OPTS=0` keeps them off.
    """
    onednn = {"TF_ENABLE_ONEDNN_OPTS": "1"} if platform.machine() in ("x86_64", "AMD64") else {}
    return {**onednn, **os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}


class LocalProcesses:
    """An `Executor`: one child process for each task."""

    def start(
        self, project: Project | None, task: Task[R], *, niceness: int = 0, engine: Engine = LOCAL, **options: Any
    ) -> ProcessJob[R]:
        """Start a task; see `Executor.start`."""
        if project is not None:
            project.refuse_links()
        log = project.log_file(task.name) if project else None
        job = {
            "project": str(project.directory) if project else None,
            "cache": str(project.cache) if project else None,
            "task": task.name,
            "niceness": niceness,
            "options": options,
            "engine": asdict(engine),
            "log": str(log) if log else None,
        }
        with project.open_log(task.name) if project else Path(os.devnull).open("wb") as errors:
            process = subprocess.Popen(
                # -P: the directory it starts in may be a stranger's, and no module is imported from there.
                [sys.executable, "-P", "-m", "labeltool.tasks.worker", json.dumps(job)],
                stdin=subprocess.PIPE,  # nothing is written: it tells the child when this process is gone
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                encoding="utf-8",
                # Ctrl-C in the terminal reaches the parent, which stops the child in good order.
                **lifetime.of_its_own(),
                # One heap for all threads: each of several would keep what TensorFlow had of it.
                env={"MALLOC_ARENA_MAX": "1", **tensorflow_environment()},
            )
        return ProcessJob(process, task, log)


class ProcessJob(Generic[R]):
    """A `Job` in a child process.

    Attributes
    ----------
    log
        What the child wrote on stderr; None without a project, which has nowhere to keep it.
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
                    self._hang_up()
                    error = LabeltoolError(message["reason"])
                    error.exit_code = ExitCode(message["exit_code"])
                    error.add_note(message["traceback"])
                    raise error
                if message["event"] == "done":
                    result = [message["result"]]
                else:
                    report(message["stage"], message["done"], message["total"], message["text"])
        code = self._process.wait()
        self._hang_up()
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
        """End the child and its own processes; what the task had not finished leaves no trace.

        It has ended when this returns, or is killed within a second and a half of the call.
        """
        self._stopped = True
        if self._process.poll() is not None:
            return
        lifetime.ask_to_end(self._process.pid)
        self._hang_up()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_STOP_TIMEOUT_S)
        if not lifetime.HAS_GROUPS and self._process.poll() is None:
            lifetime.kill_with_children(self._process.pid)

    def _hang_up(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
