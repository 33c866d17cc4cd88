"""Requests for remote sounds: failures, stalls and cuts are tried again a few times, then they are an error."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar
from urllib.parse import urlsplit

from labeltool.audio.remote.reference import Reference, RemoteError, Unreachable
from labeltool.audio.remote.waiting import pause, result_of
from labeltool.errors import LabeltoolError
from labeltool.util.urls import checked_url

T = TypeVar("T")

# Of a request, the first one too. With one request of five failing, the sixth is needed once in 15,000.
_TRIES = 6
# While there is no connection at all, a person is waiting: after these it is taken for offline.
_TRIES_UNREACHABLE = 3
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0
# A server that did not answer gets no request so soon again: each clip of a queue would wait for it.
_PAUSE_UNREACHABLE_S = 15.0

_unreachable_until: dict[str, float] = {}


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes of a remote sound from `first` on; more than was requested, where a server gives no parts of files."""

    reference: Reference
    first: int
    content: bytes


class TryAgainError(Exception):
    """A request failed in a way that may pass; `is_unreachable` where there was no connection."""

    def __init__(self, reason: str, *, is_unreachable: bool = False) -> None:
        super().__init__(reason)
        self.is_unreachable = is_unreachable


class Scheme(Protocol):
    """How the files of a scheme are read. All raise a `LabeltoolError`, or `TryAgainError`."""

    def find(self, url: str, with_head: bool) -> tuple[Reference, bytes]:
        """Return the reference of a file, and its first bytes where those are wanted and came with it."""

    def read(self, reference: Reference, first: int, count: int) -> Part:
        """Return a part of a file, of the version that is known."""

    def files(self, url: str) -> Iterator[Reference] | None:
        """Yield the files below a folder in the order of their names; None where it is a file."""


def find(url: str, *, with_head: bool) -> tuple[Reference, bytes]:
    """Return the reference of a URL from its server, and the first bytes of the file where those came with it.

    Parameters
    ----------
    with_head
        Whether the first bytes are wanted: where one request can bring both.

    Raises
    ------
    Unreachable
        When there is no connection.
    LabeltoolError
        When the URL is refused, the file is missing, access is denied, or fsspec is not installed.
    """
    url = checked_url(url)
    scheme = _scheme_of(url)
    return _tried(url, lambda: scheme.find(url, with_head))


def read(reference: Reference, first: int, count: int) -> Part:
    """Return `count` bytes of a file from `first` on, all of them; raises as `find`, and where the file has changed."""
    url = checked_url(reference.url)
    scheme = _scheme_of(url)

    def read_once() -> Part:
        part = scheme.read(reference, first, count)
        if part.reference != reference:
            raise changed(url)
        if part.first > first or part.first + len(part.content) < first + count:
            raise TryAgainError(f"{len(part.content)} bytes came of {count}")
        return part

    return _tried(url, read_once)


def files(url: str) -> Iterator[Reference] | None:
    """Yield the files below a folder of a store in the order of their names; None for a file; raises as `find`."""
    url = checked_url(url)
    scheme = _scheme_of(url)
    return _tried(url, lambda: scheme.files(url))


def changed(url: str) -> RemoteError:
    """Return the error for a file that is another one by now."""
    return RemoteError(
        "is not the sound that was imported: it was changed on its server",
        file=url,
        remedy=f"`labeltool import audio {url}` imports the new one",
    )


def _scheme_of(url: str) -> Scheme:
    try:
        scheme = url.partition(":")[0].lower()
        if scheme in ("http", "https"):
            from labeltool.audio.remote.http import Http

            return Http()
        from labeltool.audio.remote.object_store import ObjectStore

        return ObjectStore(scheme)
    except ImportError as error:
        raise missing_library(url, error) from error


def missing_library(url: str, error: ImportError) -> LabeltoolError:
    """Return the error for a scheme whose library is not installed."""
    extras = {"gs": "gcsfs", "sftp": "paramiko"}
    needed = extras.get(url.partition(":")[0], "'labeltool[remote]'")
    return LabeltoolError(
        f"cannot be read without {error.name or 'fsspec'}", file=url, remedy=f"`pip install {needed}`"
    )


def _tried(url: str, request: Callable[[], T]) -> T:
    host = urlsplit(url).netloc
    if time.monotonic() < _unreachable_until.get(host, 0.0):
        raise _unreachable(url, "did not answer a moment ago")
    for number in range(_TRIES):
        try:
            return result_of(url, request)
        except TryAgainError as error:
            last = error
            if error.is_unreachable and number + 1 >= _TRIES_UNREACHABLE:
                break
        if number + 1 < _TRIES:
            pause_s = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2**number)
            pause(url, pause_s * random.uniform(0.5, 1.0))  # processes that failed together do not come back together
    if last.is_unreachable:
        _unreachable_until[host] = time.monotonic() + _PAUSE_UNREACHABLE_S
        raise _unreachable(url, str(last))
    raise RemoteError(f"could not be read in {_TRIES} tries: {last}", file=url, remedy="try again later")


def _unreachable(url: str, reason: str) -> Unreachable:
    return Unreachable(
        f"its server cannot be reached: {reason}",
        file=url,
        remedy="is there a network? What was read before can be played: `labeltool status` counts it",
    )
