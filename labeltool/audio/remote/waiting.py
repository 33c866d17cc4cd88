"""Waiting for servers in threads, which end at once when nobody wants the result any more."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import Future, TimeoutError
from typing import TypeVar

from labeltool.audio.remote.reference import RemoteError

T = TypeVar("T")

# Between two looks whether the result is still wanted.
_LOOK_S = 0.1

_given_up: weakref.WeakSet[threading.Thread] = weakref.WeakSet()


def give_up(thread: threading.Thread) -> None:
    """Let a thread that waits for a server, or will, get a `RemoteError` at once: it is to end."""
    _given_up.add(thread)


def require_wanted(url: str) -> None:
    """Raise a `RemoteError` where the thread that calls this was given up."""
    if threading.current_thread() in _given_up:
        raise RemoteError("was cancelled", file=url)


def pause(url: str, seconds: float) -> None:
    """Wait some time; raises as `require_wanted`."""
    end = time.monotonic() + seconds
    while (left_s := end - time.monotonic()) > 0:
        require_wanted(url)
        time.sleep(min(left_s, _LOOK_S))
    require_wanted(url)


def result_of(url: str, request: Callable[[], T]) -> T:
    """Return the result of a request, which may block for long; raises what it raises, or as `require_wanted`."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(request())
        except BaseException as error:
            future.set_exception(error)

    # A daemon: the process need not wait for a server that stalls.
    threading.Thread(target=run, name="labeltool-request", daemon=True).start()
    while not future.done():
        try:
            future.exception(_LOOK_S)
        except TimeoutError:
            require_wanted(url)
    return future.result()
