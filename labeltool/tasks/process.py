"""Work that needs TensorFlow, done in a child process that prints JSON lines.

TensorFlow imported in the screen's own process stalls its event loop for more than a second; in a child, 21 ms. So the
command line and the screen start `labeltool.worker` here, read its messages and never load what it loads. What the
child's libraries say on stderr goes to a log file.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from labeltool.errors import LabeltoolError
from labeltool.project import Project

_STOP_TIMEOUT_S = 5.0


class Child:
    """A worker process on a task. Make one with `Child.start`.

    Attributes
    ----------
    log
        What the worker wrote on stderr; None without a project, which has nowhere to keep it.
    process_id
        The worker's, which leads a process group of its own.
    """

    def __init__(self, process: subprocess.Popen[str], task: str, log: Path | None) -> None:
        self._process = process
        self.process_id = process.pid
        self._task = task
        self._stopped = False
        self.log = log

    @classmethod
    def start(cls, project: Project | None, task: str, *, niceness: int = 0, **options: Any) -> Child:
        """Start a task of `labeltool.worker.TASKS`.

        Parameters
        ----------
        project
            None for a task that needs none.
        niceness
            Added to the process's own: above 0, a screen in front of it stays quick.
        options
            The task's keyword arguments, as JSON values.
        """
        log = _log_file(project, task)
        job = {
            "project": str(project.directory) if project else None,
            "task": task,
            "niceness": niceness,
            "options": options,
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
        return cls(process, task, log)

    def messages(self) -> Iterator[dict[str, Any]]:
        """Yield what the worker says, as it says it; blocks between messages.

        Yields
        ------
        dict
            `{"event": "progress", "stage", "done", "total", "text"}` any number of times, at last
            `{"event": "done", "result": {...}}`.

        Raises
        ------
        LabeltoolError
            When the task failed, with its reason, or the process died, naming its log. Not after `stop`.
        """
        finished = False
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                try:
                    message = json.loads(line)
                except ValueError:
                    continue  # cut short: the process died while it wrote
                if message["event"] == "error":
                    self._process.wait()
                    raise LabeltoolError(message["reason"])
                finished = finished or message["event"] == "done"
                yield message
        code = self._process.wait()
        if not finished and not self._stopped:
            how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
            raise LabeltoolError(
                f"{self._task} {how}", remedy=f"nothing was changed{f'; see {self.log}' if self.log else ''}"
            )

    def stop(self) -> None:
        """End the worker; what it had not finished leaves no trace."""
        self._stopped = True
        if self._process.poll() is not None:
            return
        # The whole session: the worker has processes of its own while it computes features.
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
