"""Sound files that arrive in a folder, for example from synchronised recorders: which of them are complete.

The folder is listed again and again: network mounts report no changes. A file is complete when its size and its time of
change have stayed as they are for a while, by this machine's clock, and its header claims no more than is there; one
that is cut short is given out when it has not changed for an hour.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from labeltool.audio.completeness import is_unknown_length
from labeltool.audio.files import walk
from labeltool.errors import LabeltoolError

# What has not changed for this long gets no rest any more: for example, the recorder's battery was empty.
_NO_REST_AFTER_S = 3600.0


@dataclass(frozen=True, slots=True)
class _State:
    """Size (bytes) and time of change (nanoseconds) of a file; when it was first seen so, whether it was given out."""

    size: int
    modified_ns: int
    since_s: float
    is_given: bool = False


class ArrivingFiles:
    """The sound files in and below a folder, each given out once, and again when it has changed.

    It remembers some hundred bytes of each file that is there.

    Parameters
    ----------
    settle_s
        How long a file must not have changed, seconds.

    Attributes
    ----------
    unlisted
        What could not be listed the last time.
    arriving
        Number of files that were not complete the last time.
    """

    def __init__(self, directory: Path, settle_s: float) -> None:
        self._directory = directory
        self._settle_s = settle_s
        self._states: dict[Path, _State] = {}
        self.unlisted: list[LabeltoolError] = []
        self.arriving = 0

    def complete(self, now_s: float) -> list[Path]:
        """Return the files that have become complete since the last call.

        Parameters
        ----------
        now_s
            By a clock that is never set back, seconds.
        """
        self.unlisted, self.arriving = [], 0
        states: dict[Path, _State] = {}
        complete = []
        for path in walk(self._directory, failed=self.unlisted):
            try:
                status = path.stat()
            except OSError:
                continue  # removed or renamed meanwhile
            before = self._states.get(path)
            if before is None or (before.size, before.modified_ns) != (status.st_size, status.st_mtime_ns):
                before = _State(status.st_size, status.st_mtime_ns, now_s)
            if not before.is_given:
                same_s = now_s - before.since_s
                if same_s >= self._settle_s and (same_s >= _NO_REST_AFTER_S or is_whole(path, status.st_size)):
                    complete.append(path)
                    before = replace(before, is_given=True)
                else:
                    self.arriving += 1
            states[path] = before
        if not self._directory.is_dir():
            self.unlisted.append(LabeltoolError("is no folder any more", file=self._directory))
        if self.unlisted or not states:  # a mount that is gone for a while: what was given out stays so
            states = {**self._states, **states}
        self._states = states
        return complete

    def give_again(self, files: Iterable[Path]) -> None:
        """Let `complete` return files anew that were given out."""
        for path in files:
            if (before := self._states.get(path)) is not None:
                self._states[path] = replace(before, is_given=False)


def is_whole(path: Path, size: int) -> bool:
    """Return whether a file has all that its header claims: of a WAV its chunks, of any other some bytes.

    A recorder that does not know the length claims none; what else is wrong with a file is found when it is read.
    """
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except OSError:
        return False
    if len(head) < 12:
        return False
    kind, claimed, form = struct.unpack("<4sI4s", head)
    is_wav = kind == b"RIFF" and form == b"WAVE"
    # Of a last chunk of odd length, some writers leave out the byte that fills it up.
    return not is_wav or is_unknown_length(claimed) or size + 1 >= claimed + 8
