"""Locks between processes: one holds it, another fails or waits, and a killed process releases it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from labeltool.errors import LabeltoolError
from labeltool.util.files.locks import try_lock, wait_for_lock

HOLD = """
import sys, time
from pathlib import Path
from labeltool.util.files.locks import try_lock
with try_lock(Path(sys.argv[1]), "retraining"):
    print("locked", flush=True)
    time.sleep(600)
"""


@contextmanager
def held_by_another_process(path: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "locked\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_held_lock_is_refused_and_a_killed_process_releases_it(tmp_path: Path) -> None:
    path = tmp_path / "cache" / "retrain.lock"
    with held_by_another_process(path) as process:
        with (
            pytest.raises(LabeltoolError, match="another retraining of this project is under way"),
            try_lock(path, "retraining"),
        ):
            pass
        process.send_signal(signal.SIGKILL)
        process.wait()
        with try_lock(path, "retraining"):
            pass


def test_waiting_reports_and_ends_when_the_lock_is_free(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with held_by_another_process(path) as process, wait_for_lock(path, "retraining", lambda _: process.kill()):
        assert process.wait() != 0
    with try_lock(path, "retraining"):
        pass


def test_a_lock_follows_no_link(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (tmp_path / "lock").symlink_to(outside)
    (tmp_path / "cache").symlink_to(tmp_path)
    for path, link in ((tmp_path / "lock", "lock"), (tmp_path / "cache" / "other", "cache")):
        with pytest.raises(LabeltoolError, match=f"{link}: is a link"), try_lock(path, "retraining"):
            pass
    assert not outside.exists() and not (tmp_path / "other").exists()
