"""Ctrl-C, TERM, HUP and KILL: a command that waits for another one ends, and its worker with it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from helpers.processes import alive, children, group
from helpers.terminal import TerminalApp
from helpers.tones import tone_writer
from helpers.waits import DEADLINE_S, until
from labeltool.importers import audio_files
from labeltool.project import Project
from labeltool.store.importing import import_records
from labeltool.util.files.locks import try_lock

Started = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def retrain(project: Project) -> Iterator[Started]:
    """Start `labeltool retrain`, while another process retrains, and wait until it says so."""
    started: list[subprocess.Popen[str]] = []

    def start(**options: bool) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "labeltool", "--project", str(project.directory), "retrain"]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, **options)
        started.append(process)
        assert process.stderr is not None
        assert process.stderr.readline() == f"waiting for another retraining (process {os.getpid()})\n"
        return process

    with try_lock(project.cache / "retrain.lock", "retraining"):
        yield start
    for process in started:
        process.kill()
        process.communicate(timeout=DEADLINE_S)


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_command_and_its_worker(retrain: Started, ending: signal.Signals) -> None:
    process = retrain()
    (worker,) = children(process.pid)
    process.send_signal(ending)
    _, stderr = process.communicate(timeout=DEADLINE_S)
    assert (process.returncode, stderr) == (130, "labeltool: interrupted\n")
    until(lambda: not alive(worker), "the worker's end")


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGHUP])
def test_what_a_terminal_sends_ends_a_command_and_the_workers_of_dask_in_one_line(
    project: Project, tmp_path: Path, ending: signal.Signals
) -> None:
    pytest.importorskip("distributed")
    tone = tone_writer(tmp_path / "sounds")
    for number in range(20):
        tone(f"{number}.wav", frequency_hz=300.0 + number)
    command = [sys.executable, "-m", "labeltool", "--project", str(project.directory)]
    command += ["import", "audio", str(tmp_path / "sounds"), "--workers", "2"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    until(lambda: len(children(process.pid)) > 1, "the first worker, beside multiprocessing's own process")
    os.killpg(process.pid, ending)
    _, stderr = process.communicate(timeout=DEADLINE_S)
    assert (process.returncode, stderr) == (130, "labeltool: interrupted\n")
    until(lambda: not group(process.pid), "the workers' end")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the signals that a process blocks are in /proc")
def test_workers_of_dask_never_get_what_a_terminal_sends() -> None:
    pytest.importorskip("distributed")
    program = (
        "from labeltool.parallel.dask_workers import _start_cluster\n"
        "with _start_cluster(2) as cluster:\n"
        "    for worker in cluster.workers.values():\n"
        "        print(open(f'/proc/{worker.pid}/status').read().partition('SigBlk:')[2].split()[0])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=DEADLINE_S)
    blocked = [int(line, 16) for line in done.stdout.split()]
    wanted = sum(1 << number - 1 for number in (signal.SIGINT, signal.SIGHUP))
    assert [mask & wanted for mask in blocked] == [wanted] * 2, done.stderr


def test_a_killed_command_takes_its_worker_along(retrain: Started) -> None:
    process = retrain()
    (worker,) = children(process.pid)
    process.kill()
    until(lambda: not alive(worker), "the worker's end")


def test_what_nohup_ignores_stays_ignored(project: Project) -> None:
    program = (
        "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "from labeltool.util import lifetime; lifetime.interrupt_on_signals()\n"
        "signal.raise_signal(signal.SIGHUP); print('goes on', flush=True)\n"
        "signal.raise_signal(signal.SIGTERM)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=DEADLINE_S)
    # On a busy machine the thread that ends it may be first; then there is no traceback.
    assert done.stdout == "goes on\n" and done.returncode in (1, 130, -signal.SIGINT)


def test_a_waiting_retraining_goes_on_when_the_other_has_ended(project: Project) -> None:
    command = [sys.executable, "-m", "labeltool", "--project", str(project.directory), "retrain"]
    with try_lock(project.cache / "retrain.lock", "retraining"):
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        assert re.match("waiting for another retraining", process.stderr.readline())
    _, stderr = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 1
    assert re.fullmatch("labeltool: .*label.*\n", stderr)  # there is nothing to train on


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL, None])
def test_the_app_ends_with_its_worker_and_keeps_every_label(
    project: Project, tmp_path: Path, ending: signal.Signals | None
) -> None:
    tone_writer(tmp_path / "sounds")("tone.wav", frequency_hz=440.0, seconds=0.5)
    with project.open_store() as store:
        folder = tmp_path / "sounds"
        import_records(store, audio_files.read([folder], None, None), kind="audio", source=str(folder))
    # The first suggestions of a new project wait for it.
    with try_lock(project.cache / "suggest.lock", "suggester"), TerminalApp(project) as app:
        app.until("▀")
        until(lambda: app.workers(), "the worker of the first suggestions")
        (worker,) = app.workers()
        app.press("n")
        app.until("1 of 1")
        if ending is None:
            app.close_terminal()
        else:
            app.process.send_signal(ending)
        code = app.process.wait(DEADLINE_S)
        assert code == (-signal.SIGKILL if ending == signal.SIGKILL else 130)
        until(lambda: not alive(worker), "the worker's end")
        if ending not in (None, signal.SIGKILL):
            assert "labeltool: interrupted" in app.painted()
    with project.open_store() as store:
        assert len(store.connection.execute("SELECT 1 FROM active_events").fetchall()) == 1
