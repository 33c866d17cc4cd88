"""Dask's workers: every result once, also when a worker is killed, the scheduler is lost or an item kills."""

from __future__ import annotations

import os
import pickle
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile

from helpers.command_line import labeltool_here
from helpers.waits import DEADLINE_S
from helpers.worker_items import (
    FRONTEND,
    KillsItsWorker,
    end_every_worker,
    end_worker_once,
    fail_at_three,
    nested,
    remote_setting,
    reporting,
    square,
    wait_for_go,
)
from labeltool import project as projects
from labeltool.audio import files
from labeltool.audio.feature_cache import FeatureCache
from labeltool.errors import LabeltoolError
from labeltool.parallel import dask_tasks, dask_workers, engine, worker_process
from labeltool.parallel.dask_tasks import SharedFolder
from labeltool.parallel.dask_workers import KilledWorkers
from labeltool.parallel.engine import LOCAL, Engine, map_in_processes, map_shards, using, worker_count
from labeltool.parallel.worker_process import PassedOn
from labeltool.project import Project
from labeltool.records import StoredClip

pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def two_workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Two workers of this machine, started once, and the folder they share; what kills one is soon tried alone."""
    folder = tmp_path_factory.mktemp("shared")
    with pytest.MonkeyPatch.context() as patched, using(Engine(workers=2), folder):
        patched.setitem(dask_workers._SETTINGS, "distributed.scheduler.allowed-failures", 0)
        yield folder


def test_every_item_is_done_once_by_workers(two_workers: Path) -> None:
    results = list(map_in_processes(square, range(300)))
    assert sorted(found for found, _ in results) == [number * number for number in range(300)]
    assert os.getpid() not in {process for _, process in results} and worker_count() == 2


def test_items_are_taken_as_they_are_needed(two_workers: Path) -> None:
    taken = 0

    def numbers() -> Iterator[int]:
        nonlocal taken
        while True:
            taken += 1
            yield taken

    results = map_in_processes(square, numbers())
    for _ in range(5):
        next(results)
    results.close()
    assert taken < 5000


def test_a_worker_works_in_its_own_process(two_workers: Path) -> None:
    assert list(map_in_processes(nested, [7, 8])) in (
        [(1, [7], True), (1, [8], True)],
        [(1, [8], True), (1, [7], True)],
    )


def test_an_error_ends_the_work_with_its_line(two_workers: Path) -> None:
    with pytest.raises(LabeltoolError, match=r"^3.wav: three$"):
        list(map_in_processes(fail_at_three, range(9)))
    assert len(list(map_in_processes(square, range(3)))) == 3


def test_what_a_killed_worker_had_begun_is_done_by_another(two_workers: Path, tmp_path: Path) -> None:
    assert sorted(map_in_processes(partial(end_worker_once, tmp_path), range(20))) == list(range(20))


def test_an_item_that_kills_every_worker_is_named_after_the_rest_is_done(two_workers: Path) -> None:
    done = []
    with pytest.raises(KilledWorkers, match=r"^5\.wav: every worker that processed it was killed") as raised:
        for result in map_in_processes(end_every_worker, range(9), name_of=lambda number: f"{number}.wav"):
            done.append(result)
    assert raised.value.items == [5] and sorted(done) == [0, 1, 2, 3, 4, 6, 7, 8]


class WorkersThatFiveKills:
    """Workers that are killed by every shard which has number 5."""

    def map(
        self, function: Callable[[list[int]], list[int]], shards: list[list[int]], *_: object
    ) -> Iterator[list[int]]:
        yield from (function(shard) for shard in shards if 5 not in shard)
        if killers := [shard for shard in shards if 5 in shard]:
            raise KilledWorkers(killers, "5")


def test_of_a_shard_that_kills_every_worker_each_item_is_tried_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_workers_of_dask", WorkersThatFiveKills)
    with using(Engine(workers=2)):
        for shards in ([[4, 5], [6, 7]], [[5], [4], [6, 7]]):
            done = map_shards(list, shards, None, lambda number: [-number])
            assert sorted(done) == [[-5], [4], [6, 7]]


@contextmanager
def scheduler_with_worker(port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Start a scheduler with a worker, in one process."""
    process = subprocess.Popen(
        [sys.executable, Path(__file__).parents[1] / "helpers" / "scheduler_with_worker.py", str(port)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_what_a_lost_scheduler_had_is_submitted_again_once_it_is_back(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with using(Engine(scheduler=f"tcp://127.0.0.1:{port}"), tmp_path):
        with scheduler_with_worker(port):
            results = map_in_processes(partial(wait_for_go, tmp_path), range(7))
            first = next(results)  # others are submitted now, and wait
        (tmp_path / "go").touch()
        with scheduler_with_worker(port):
            assert sorted([first, *results]) == list(range(7))


def test_progress_of_a_worker_is_sent_back(two_workers: Path) -> None:
    sent = []
    report = PassedOn(lambda *report: sent.append(report))
    until_s = time.monotonic() + DEADLINE_S
    while not sent and time.monotonic() < until_s:
        list(map_in_processes(partial(reporting, report), range(3), report=report))
        time.sleep(0.3)
    assert sent[0][0] == "working"


def stored_clips(folder: Path, count: int) -> list[StoredClip]:
    """Write a sound, the last three seconds of which are silent, and return clips of a second of it."""
    samples = np.random.default_rng(0).normal(0, 0.1, count * 16_000)
    samples[-3 * 16_000 :] = 0
    path = folder / "sound.wav"
    soundfile.write(path, samples, 16_000)
    sha256 = files.content_hash(path)
    return [StoredClip(n, 1, str(path), sha256, float(n), n + 1.0, None, "group") for n in range(count)]


def test_features_are_those_of_this_process_though_a_worker_is_killed(two_workers: Path, tmp_path: Path) -> None:
    clips = stored_clips(tmp_path, 90)
    with using(LOCAL):
        here = FeatureCache(tmp_path / "here", FRONTEND)
        assert here.compute(clips[:45]) == here.compute(clips[45:]) == {}  # too few for more processes
    by_workers = FeatureCache(tmp_path / "there", FRONTEND, KillsItsWorker(tmp_path))
    assert by_workers.compute(clips) == {}
    assert (tmp_path / "killed").exists()
    for clip in clips:
        np.testing.assert_array_equal(here.log_mel(clip), by_workers.log_mel(clip))


def test_import_by_workers_is_as_without(project: Project, tmp_path: Path, write_tone: Callable[..., Path]) -> None:
    for number in range(4):
        write_tone(f"pool/{number}.wav", frequency_hz=300 * (number + 1))
    (tmp_path / "pool" / "5.wav").write_bytes(b"RIFF")
    other = projects.create(tmp_path / "other")
    results = [
        labeltool_here(one, "import", "audio", tmp_path / "pool", "--json", *options, check=1)
        for one, options in ((project, ("--workers", "1")), (other, ()))
    ]
    assert results[0].stdout == results[1].stdout and '"recordings": 4' in results[0].stdout
    assert "5.wav" in results[0].stdout


def test_a_scheduler_that_does_not_answer_is_one_line(
    project: Project, write_tone: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask_workers, "_CONNECT_S", 0.3)
    at = (project, "import", "audio", write_tone("tone.wav"))
    result = labeltool_here(*at, "--scheduler", "tcp://127.0.0.1:1", check=1)
    assert result.stderr.splitlines()[-1].startswith("labeltool: no Dask scheduler answers at tcp://127.0.0.1:1 (")
    assert "is no address" in labeltool_here(*at, "--scheduler", "here", check=2).stderr
    assert "one of them" in labeltool_here(*at, "--scheduler", "tcp://a:1", "--workers", "2", check=2).stderr


def test_workers_that_cannot_be_started_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ImportError("TLS needs cryptography")

    monkeypatch.setattr("distributed.LocalCluster", fail)
    with using(Engine(workers=2)), pytest.raises(LabeltoolError) as raised:
        worker_count()
    assert str(raised.value) == (
        """Dask's workers cannot be started: TLS needs cryptography (`pip install "labeltool[dask]"`)"""
    )


def test_each_batch_has_the_settings_and_the_progress_of_its_own_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_process, "_is_worker", False)
    monkeypatch.setattr(worker_process, "_send", None)
    for name in worker_process._THREAD_SETTINGS:
        monkeypatch.setenv(name, "1")
    sent: list[str] = []
    monkeypatch.setattr(dask_tasks, "_sender", lambda topic: lambda *_: sent.append(topic))
    shared = []
    for run in ("a", "b"):
        monkeypatch.setenv("LABELTOOL_REMOTE", f"[{len(shared)}.0, 1.0]")
        shared.append(SharedFolder.of(tmp_path, run))
    report = PassedOn(lambda *_: None)
    for one in (*shared, *shared):
        monkeypatch.setattr(worker_process, "_sent_at_s", 0.0)
        batch = dask_tasks.process_batch(one, pickle.dumps((partial(remote_setting, report), [1])))
        assert batch.error is None and batch.results == [one.remote]
    assert sent == ["labeltool-a", "labeltool-b"] * 2


def test_a_worker_that_sees_another_folder_refuses(tmp_path: Path) -> None:
    shared = SharedFolder.of(tmp_path, "run")
    shared.require()
    (tmp_path / "cluster-id").unlink()
    with pytest.raises(LabeltoolError, match=r"does not reach .*\(the project must be there under the same path\)"):
        shared.require()
    with pytest.raises(LabeltoolError, match=r"has labeltool .*, not 99 \(install the same version there\)"):
        replace(shared, version="99").require()
