"""The process that computes: `python -m labeltool.tasks.worker JOB`, started by `labeltool.tasks.process`.

It prints one JSON object a line: `{"event": "progress", "stage", "done", "total", "text"}` any number of times, then
`{"event": "done", "result"}` (progress may follow) or
`{"event": "error", "reason", "exit_code", "traceback"}`; without LABELTOOL_DEBUG the last is "".
"""

from __future__ import annotations

# What takes long to import is imported once this process ends with its parent: on a busy machine that is seconds.
import atexit
import importlib.abc
import json
import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from labeltool.errors import ExitCode, LabeltoolError, in_one_line
from labeltool.tasks.registry import TASKS
from labeltool.util import lifetime
from labeltool.util.crash import crash_line, is_debugging


class _OptionalImportsOfKeras(importlib.abc.MetaPathFinder):
    """Keeps Keras, while it is imported, from importing what is optional for it and what no task needs of it.

    Of the 3.3 s of processor time that `import tensorflow` takes, 1.2 s go into these three.
    """

    OPTIONAL = frozenset({"matplotlib", "pandas", "sklearn"})

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        """Fail where Keras imports an optional module; leave all else to the other finders."""
        keras = sys.modules.get("keras")
        if fullname in self.OPTIONAL and keras is not None and getattr(keras.__spec__, "_initializing", False):
            raise ModuleNotFoundError(f"{fullname} is not imported for Keras", name=fullname)


def report(stage: str, done: int, total: int, text: str = "") -> None:
    """Send progress to the parent."""
    _send({"event": "progress", "stage": stage, "done": done, "total": total, "text": text})


def main(job_text: str) -> int:
    """Do one job and return the exit code."""
    import msgspec

    from labeltool import project as projects
    from labeltool.parallel import engine
    from labeltool.util.files.writable import write_instead

    job: dict[str, Any] = json.loads(job_text)
    _lower_priority(job["niceness"])
    sys.meta_path.insert(0, _OptionalImportsOfKeras())
    try:
        project = projects.find(Path(job["project"])) if job["project"] else None
        if project is not None:
            write_instead(project.own_cache, Path(job["cache"]))
        with engine.using(engine.Engine(**job["engine"]), project.cache if project else None):
            result = TASKS[job["task"]].run(project, report=report, **job["options"])
    except Exception as error:
        with suppress(OSError):  # the disk may be full
            traceback.print_exc()
        shown = traceback.format_exc() if is_debugging() else ""
        code = error.exit_code if isinstance(error, LabeltoolError) else ExitCode.FAILED
        reason = _reason(error, job["task"], job["log"])
        _send({"event": "error", "reason": reason, "exit_code": code, "traceback": shown})
        return ExitCode.FAILED
    _send({"event": "done", "result": msgspec.to_builtins(result, enc_hook=_plain)})
    if project is not None and TASKS[job["task"]].writes:
        from labeltool.tasks.remote_hashes import store_known_hashes

        with suppress(Exception):  # the task is done: what fails here is for the next time
            store_known_hashes(project, report)
    return ExitCode.FINE


def _plain(value: Any) -> Any:
    """Return the Python value of a NumPy scalar."""
    return value.item()


def _lower_priority(niceness: int) -> None:
    if not hasattr(os, "nice"):
        _lower_priority_on_windows(niceness)
        return
    os.nice(niceness)
    if niceness:
        # Where Linux shares the cores out by session, niceness counts within one only: the session's is set too.
        with suppress(OSError):
            Path("/proc/self/autogroup").write_text(str(niceness), encoding="ascii")


def _lower_priority_on_windows(niceness: int) -> None:
    import psutil

    if niceness:
        psutil.Process().nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)


def _reason(error: Exception, task: str, log: str | None) -> str:
    import sqlite3

    if isinstance(error, LabeltoolError):
        return str(error)
    if isinstance(error, OSError):
        return in_one_line(f"{error.filename or 'the disk'}: {error.strerror or error}")
    if isinstance(error, sqlite3.Error):
        return f"the project's database refused: {error}"
    if isinstance(error, MemoryError):
        return str(error) or "there is not enough memory"
    return crash_line(error, task, Path(log) if log else None)


def _send(message: dict[str, Any]) -> None:
    try:
        print(json.dumps(message, ensure_ascii=False), file=_MESSAGES, flush=True)
    except BrokenPipeError:
        sys.exit(ExitCode.INTERRUPTED)  # nobody waits for the result


if __name__ == "__main__":
    lifetime.end_with_parent()
    # Messages keep the real stdout; whatever a library prints goes where its errors go.
    _MESSAGES = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
    os.dup2(2, 1)
    code = main(sys.argv[1])
    # The interpreter takes more than a second to take TensorFlow apart. Of what it does else at its end, exit functions
    # run and output is written here; threads that still run, as TensorFlow's do, are not waited for.
    atexit._run_exitfuncs()
    sys.stdout.flush()
    os._exit(code)
