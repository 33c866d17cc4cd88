"""The process that computes: `python -m labeltool.tasks.worker JOB`, started by `labeltool.tasks.process`."""

from __future__ import annotations

import importlib
import importlib.abc
import json
import os
import signal
import sqlite3
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from labeltool import project as projects
from labeltool.errors import ExitCode, LabeltoolError, in_one_line

TASKS = {
    "retrain": "labeltool.tasks.retrain:retrain",
    "suggest": "labeltool.active_learning.suggest:suggest",
    "evaluate": "labeltool.tasks.evaluate:evaluate",
    "simulate": "labeltool.tasks.simulate:simulate",
    "classify": "labeltool.inference.classify:classify",
    "similar": "labeltool.similarity.compare:compare",
    "detect": "labeltool.inference.detect:detect",
    "transcribe": "labeltool.inference.transcribe:transcribe",
    "model-add": "labeltool.pretrained.registry:add",
    "model-map": "labeltool.pretrained.project_classes:map_classes",
    "agreement": "labeltool.pretrained.project_classes:agreement",
    "export": "labeltool.exporters.registry:export",
    "verify": "labeltool.exporters.stm32.verification.verify:verify",
}
"""Task name to `module:function`; each takes the project (None without one), `report` and its options."""


class _SparingFinder(importlib.abc.MetaPathFinder):
    """Keeps Keras, while it is imported, from importing what it would use if it were there, and no task needs of it.

    Of the 3.3 s of processor time that `import tensorflow` takes, 1.2 s go into these three.
    """

    SPARED = frozenset({"matplotlib", "pandas", "sklearn"})

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        """Fail where a spared module is wanted by Keras; leave all else to the other finders."""
        keras = sys.modules.get("keras")
        if fullname in self.SPARED and keras is not None and getattr(keras.__spec__, "_initializing", False):
            raise ModuleNotFoundError(f"{fullname} is spared", name=fullname)


def report(stage: str, done: int, total: int, text: str = "") -> None:
    """Tell the parent how far a stage is."""
    _tell({"event": "progress", "stage": stage, "done": done, "total": total, "text": text})


def main(job_text: str) -> int:
    """Do one job and return the exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(ExitCode.INTERRUPTED))
    job: dict[str, Any] = json.loads(job_text)
    _step_back(job["niceness"])
    sys.meta_path.insert(0, _SparingFinder())
    module, function = TASKS[job["task"]].split(":")
    try:
        project = projects.find(Path(job["project"])) if job["project"] else None
        result = getattr(importlib.import_module(module), function)(project, report=report, **job["options"])
    except (LabeltoolError, OSError, sqlite3.Error, MemoryError) as error:
        _tell({"event": "error", "reason": _in_words(error)})
        with suppress(OSError):  # the disk may be full
            traceback.print_exc()
        return ExitCode.FAILED
    _tell({"event": "done", "result": result})
    return ExitCode.FINE


def _step_back(niceness: int) -> None:
    """Let others go first."""
    os.nice(niceness)
    if niceness:
        # Where Linux shares the cores out by session, niceness counts within one only: the session steps back too.
        with suppress(OSError):
            Path("/proc/self/autogroup").write_text(str(niceness))


def _in_words(error: Exception) -> str:
    if isinstance(error, OSError):
        return in_one_line(f"{error.filename or 'the disk'}: {error.strerror or error}")
    if isinstance(error, sqlite3.Error):
        return f"the project's database refused: {error}"
    return str(error) or "there is not enough memory"


def _tell(message: dict[str, Any]) -> None:
    try:
        print(json.dumps(message, ensure_ascii=False), file=_MESSAGES, flush=True)
    except BrokenPipeError:
        # The screen that asked is gone; the model it asked for is still wanted.
        sys.stderr.write(f"nobody listens: {message}\n")


if __name__ == "__main__":
    # Messages keep the real stdout; whatever a library prints goes where its errors go.
    _MESSAGES = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.exit(main(sys.argv[1]))
