"""How a process ends: with the one that started it, and in good order when a signal stops it.

A command ends within two seconds of Ctrl-C, TERM or HUP. A process that computes holds the end of a pipe, whose other
end its parent holds: the kernel closes that one however the parent ends. PR_SET_PDEATHSIG would not do: it signals the
end of the *thread* that started the process, and the app starts them from threads that end before it.

Without fork and process groups (Windows) a thread watches the pipe, and what a process has started is ended one by one.
"""

from __future__ import annotations

import _thread
import atexit
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, NoReturn

from labeltool.errors import ExitCode

GRACE_S = 0.9
"""Seconds that a process which computes has to clean up before it is killed."""

INTERRUPTED = "interrupted"
"""The last line of a command that a signal ended, before what `keep` was given."""

KEPT = "kept: "
"""How the text of a task's progress begins that names what is kept even where the task is interrupted."""

INTERRUPTS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)
)
"""The signals that ask a command to end; HUP where there are terminals that hang up, BREAK on Windows."""

HAS_GROUPS = hasattr(os, "fork") and hasattr(os, "killpg") and hasattr(select, "poll")
"""Whether processes are forked and signalled in groups, and a pipe can be watched without reading it."""

# Python runs a signal's handler only between two instructions: a command that is inside a long call of C ends after it.
_LEAVE_S = 0.9
_TERM_EVERY_S = 0.1
_LOOK_EVERY_S = 0.1

# A command that a signal ends leaves semaphores; the process that multiprocessing has for that removes them, unasked.
_NO_WARNING = "ignore:resource_tracker:UserWarning"

# What is kept where a signal ends this command.
_kept = ""

# The pipe from the parent, in a process that ends with it; and whether this process was stopped.
_parent: int | None = None
_stopped = False
_ending = threading.Lock()  # held once the last line is written


def interrupt_on_signals() -> None:
    """Let TERM and HUP do what Ctrl-C does in this command, and end it soon after."""
    handle_interrupts(signal.default_int_handler)
    arrived, arrives = os.pipe()
    if hasattr(os, "set_blocking"):
        os.set_blocking(arrives, False)
    signal.set_wakeup_fd(arrives, warn_on_full_buffer=False)
    threading.Thread(target=_leave_after_signal, args=(arrived,), name="labeltool-signals", daemon=True).start()


def handle_interrupts(handler: Callable[[int, FrameType | None], None]) -> None:
    """Handle the signals that ask a command to end; what nohup or a shell ignores stays ignored."""
    for number in INTERRUPTS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


@contextmanager
def without_terminal_signals() -> Iterator[None]:
    """Let the threads and processes that are started here, and all that those start, never get what a terminal sends.

    A process that ends with this one needs no Ctrl-C of its own, which would end it in its own words. One that arrives
    meanwhile ends this command by its other threads.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker

    if _NO_WARNING not in sys.warnoptions:
        sys.warnoptions.append(_NO_WARNING)
    blocked = {signal.SIGINT, signal.SIGHUP}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
    try:
        resource_tracker.ensure_running()  # its start unblocks SIGINT, in a thread whose workers would inherit that
        signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def leave_within(seconds: float, code: int, line: str = "") -> None:
    """End this process after some seconds, with a line on stderr, whatever its other threads wait for then."""

    def leave() -> None:
        time.sleep(seconds)
        if line:
            write_ending(line)
        os._exit(code)

    threading.Thread(target=leave, name="labeltool-leave", daemon=True).start()


def keep(text: str) -> None:
    """Name in the last line, where a signal ends this command, what is kept: text that begins with `KEPT`."""
    global _kept
    _kept = text


def write_ending(line: str) -> None:
    """Write on stderr how this process ends, unless another thread has done so; after a hang-up nobody reads it."""
    if line == INTERRUPTED and _kept:
        line = f"{line}; {_kept}"
    if _ending.acquire(blocking=False) and sys.__stderr__ is not None:
        with suppress(OSError):
            os.write(sys.__stderr__.fileno(), f"labeltool: {line}\n".encode())


def is_hung_up(descriptor: int) -> bool:
    """Return whether nobody holds the other end of a pipe or a terminal; False where that cannot be seen."""
    return HAS_GROUPS and _is_hung_up(descriptor, timeout_s=0.0) is True


def wait_for_hang_up(descriptor: int) -> None:
    """Return when nobody holds the other end of a pipe; needs `HAS_GROUPS`."""
    while _is_hung_up(descriptor) is None:
        time.sleep(_LOOK_EVERY_S)


def end_with_parent() -> None:
    """End this process and all it has started when the other end of its standard input is closed, however.

    To be called before there are threads. A forked child watches, as a thread cannot while C code holds the
    interpreter's lock: it sends TERM to the process group until this process has ended, and KILL then or after
    `GRACE_S`. The first TERM raises SystemExit in the main thread. Without `HAS_GROUPS` a thread does what it can.

    Raises
    ------
    SystemExit
        When the other end is closed already: the parent ended while this process started.
    """
    global _parent
    _parent = os.dup(0)  # those that this process starts do not inherit it
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    if not HAS_GROUPS:
        atexit.register(_kill_children, os.getpid())  # a thread does not see this process end by itself
        signal.signal(signal.SIGTERM, _end)
        threading.Thread(target=_end_after_parent, args=(_parent,), name="labeltool-parent", daemon=True).start()
        return
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # of the child
    ended, _held_until_the_end = os.pipe()
    if os.fork() == 0:
        try:
            _watch(_parent, ended)
        finally:
            os._exit(ExitCode.FAILED)
    os.close(ended)
    signal.signal(signal.SIGTERM, _end)
    exit_if_stopped()


def exit_if_stopped() -> None:
    """Raise SystemExit where this process was stopped or its parent is gone: nothing is to be published then."""
    if _stopped or (_parent is not None and is_hung_up(_parent)):
        sys.exit(ExitCode.INTERRUPTED)


def of_its_own() -> dict[str, Any]:
    """Return what `subprocess.Popen` is to be given for a process that Ctrl-C in the terminal does not reach."""
    if HAS_GROUPS:
        return {"start_new_session": True}
    import subprocess

    return {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}


def ask_to_end(process_id: int) -> None:
    """Ask a process that was started `of_its_own`, and what it has started, to end; else the end of its pipe does."""
    if HAS_GROUPS:
        with suppress(ProcessLookupError):
            os.killpg(process_id, signal.SIGTERM)


def kill_with_children(process_id: int) -> None:
    """Kill a process that was started `of_its_own`, and what it has started."""
    if HAS_GROUPS:
        with suppress(ProcessLookupError):
            os.killpg(process_id, signal.SIGKILL)
        return
    import psutil

    _kill_children(process_id)
    with suppress(psutil.NoSuchProcess):
        psutil.Process(process_id).kill()


def _kill_children(process_id: int) -> None:
    import psutil

    with suppress(psutil.NoSuchProcess):
        for one in psutil.Process(process_id).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                one.kill()


def _leave_after_signal(arrived: int) -> None:
    while os.read(arrived, 1)[0] not in INTERRUPTS:
        pass
    time.sleep(_LEAVE_S)
    write_ending(INTERRUPTED)
    if (started := sys.modules.get("multiprocessing.process")) is not None:
        with suppress(Exception):  # those that have begun to watch this process end anyway
            for child in started.active_children():
                child.kill()
    os._exit(ExitCode.INTERRUPTED)


def _end(number: int, frame: FrameType | None) -> NoReturn:
    global _stopped
    _stopped = True
    signal.signal(number, signal.SIG_IGN)  # a second one must not break off the cleaning up
    sys.exit(ExitCode.INTERRUPTED)


def _end_after_parent(parent: int) -> None:
    """End this process in good order once the other end of its pipe is closed; after `GRACE_S`, in any order."""
    global _stopped
    with suppress(OSError):
        os.read(parent, 1)  # nothing is ever written
    _stopped = True
    _thread.interrupt_main(signal.SIGTERM)
    time.sleep(GRACE_S)
    try:
        kill_with_children(os.getpid())
    finally:
        os._exit(ExitCode.FAILED)


def _watch(parent: int, ended: int) -> None:
    """Wait until the parent's or this process's end of a pipe is closed, and end the process group."""
    # What this one would hold open: the worker's end of its own pipe, and what its parent reads.
    os.closerange(0, parent)
    os.closerange(parent + 1, ended)
    os.closerange(ended + 1, ended + 64)
    # Nothing is ever written there: what can be read is the end. (A hang-up alone is not reported by every system.)
    if ended not in select.select([parent, ended], [], [])[0]:
        deadline = time.monotonic() + GRACE_S
        # One TERM may come between Python's look for signals and a call that waits, which then waits on.
        while time.monotonic() < deadline and not select.select([ended], [], [], 0)[0]:
            os.killpg(0, signal.SIGTERM)
            select.select([ended], [], [], _TERM_EVERY_S)
    os.killpg(0, signal.SIGKILL)


def _is_hung_up(descriptor: int, timeout_s: float | None = None) -> bool | None:
    """Wait until the other end of a pipe is closed; None where it is not, False where the descriptor is of no use.

    macOS reports a hang-up only where that is asked for, and ends the wait early where there is something to read.
    """
    hang_ups = select.poll()
    hang_ups.register(descriptor, select.POLLHUP)
    for _, event in hang_ups.poll(None if timeout_s is None else timeout_s * 1000):
        return bool(event & select.POLLHUP)
    return None
