"""What a Dask worker does: it checks once that it can work for this project, then works on batches of items."""

from __future__ import annotations

import os
import pickle
import platform
import sys
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from labeltool.errors import LabeltoolError
from labeltool.parallel.worker_process import become_worker, set_sender
from labeltool.type_aliases import Progress
from labeltool.util.files.atomic_write import write_text
from labeltool.util.files.bounded_read import read_text

R = TypeVar("R")

_FILE = "cluster-id"
# The variable of `audio.remote.limits`, which is above this room: processes of this machine inherit it.
_REMOTE = "LABELTOOL_REMOTE"
_prepared: set[str] = set()  # runs whose check this process has passed


@dataclass(frozen=True, slots=True)
class SharedFolder:
    """What a worker must see as the process that submits does.

    Attributes
    ----------
    topic
        Where progress of this run is sent.
    folder, content
        The folder, and what its file `cluster-id` has; None and "" where nothing is shared.
    version
        Of labeltool.
    remote
        The limits of the work with remote sounds, "" for the defaults.
    """

    topic: str
    folder: Path | None
    content: str
    version: str
    remote: str

    @classmethod
    def of(cls, folder: Path | None, run: str) -> SharedFolder:
        """Describe a folder; a file is written into it where there is none yet.

        Raises
        ------
        LabeltoolError
            When the folder cannot be written.
        """
        content = ""
        if folder is not None:
            try:
                if not (content := _content(folder)):
                    write_text(folder / _FILE, uuid.uuid4().hex)
                    content = _content(folder)  # another command may have written its own at the same time
            except OSError as error:
                raise LabeltoolError(
                    f"cannot be written: {error.strerror}", file=folder, remedy="workers write their results there"
                ) from error
        return cls(f"labeltool-{run}", folder, content, _version(), os.environ.get(_REMOTE, ""))

    def require(self) -> None:
        """Raise a `LabeltoolError` where this process sees another folder, or is another version."""
        here = f"the Dask worker on {platform.node()}"
        if self.version != _version():
            raise LabeltoolError(
                f"{here} has labeltool {_version()}, not {self.version}", remedy="install the same version there"
            )
        if self.folder is not None and _content(self.folder) != self.content:
            raise LabeltoolError(
                f"{here} does not reach {self.folder}", remedy="the project must be there under the same path"
            )


def _version() -> str:
    # Not imported: the package's interface is above this room.
    return str(sys.modules["labeltool"].__version__)


def _content(folder: Path) -> str:
    try:
        return read_text(folder / _FILE).strip()
    except (OSError, ValueError):
        return ""


@dataclass(frozen=True, slots=True)
class BatchResult(Generic[R]):
    """The results of a batch, in its order, up to the item that raised an error; how long it took."""

    results: list[R]
    error: Exception | None
    seconds: float


def process_batch(shared: SharedFolder, payload: bytes) -> BatchResult[Any]:
    """Process a batch, which is `(function, items)` pickled; runs in a worker."""
    began_s = time.monotonic()
    results: list[Any] = []
    try:
        if shared.topic not in _prepared:
            shared.require()
            become_worker()
            _prepared.add(shared.topic)
        # Each time: batches of several commands may come in turn.
        set_sender(_sender(shared.topic))
        os.environ[_REMOTE] = shared.remote
        function, items = pickle.loads(payload)
        for item in items:
            results.append(function(item))
    except Exception as error:
        return BatchResult(results, error, time.monotonic() - began_s)
    return BatchResult(results, None, time.monotonic() - began_s)


def _sender(topic: str) -> Progress:
    def send(stage: str, done: int, total: int, text: str = "", /) -> None:
        from distributed import get_worker

        get_worker().log_event(topic, [stage, done, total, text])

    return send
