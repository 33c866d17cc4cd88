"""Labelling remote sounds: the next clips are fetched ahead, and without a network those on this disk go on."""

from __future__ import annotations

import queue
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.app import answer, opened, until
from helpers.sound_server import SoundServer, serving
from helpers.waits import DEADLINE_S
from helpers.waits import until as waited
from labeltool.annotation import next_clips
from labeltool.audio import files
from labeltool.audio.remote import block_cache, fetching, reference
from labeltool.importers import audio_files
from labeltool.project import Project
from labeltool.store import Store, clips
from labeltool.store.importing import import_records
from labeltool.tui.background import prefetch
from labeltool.tui.background.prefetch import Delivery
from labeltool.tui.media.player import PLAYBACK_RATE_HZ
from labeltool.tui.media.stream import Stream
from labeltool.tui.media.tiles import TileReader, Tiles, VisibleRange

pytest.importorskip("aiohttp")
pytest.importorskip("fsspec")


@pytest.fixture
def server(tmp_path: Path, write_tone: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[SoundServer]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user cache"))
    monkeypatch.setattr(fetching, "_FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(fetching, "_unreachable_until", {})
    monkeypatch.setattr(block_cache, "_written_since_look", None)
    for number in range(12):
        write_tone(f"served/{number}.wav", frequency_hz=300.0 + 100 * number, seconds=3.0, rate=44_100)
    with serving(tmp_path / "served") as state:
        yield state


@pytest.fixture
def remote(project: Project, server: SoundServer) -> Project:
    sources = [Path(f"{server.url}/{number}.wav") for number in range(12)]
    with project.open_store() as store:
        import_records(store, audio_files.read(sources), kind="audio", source="server")
    return project


async def test_the_next_clips_are_fetched_ahead(remote: Project, server: SoundServer) -> None:
    shutil.rmtree(block_cache.root())
    async with opened(remote) as (_, screen, pilot):
        await until(pilot, lambda: len(block_cache.kept_ids()) >= 4, "the clip on the screen and three more")
        await answer(screen, pilot, "n")
        assert screen.current is not None and screen.current.sound is not None
        await until(pilot, lambda: len(block_cache.kept_ids()) >= 5, "one more")


async def test_without_a_network_clips_on_this_disk_go_on(
    remote: Project, server: SoundServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with remote.open_store() as store:
        stored = clips.unlabelled(store)
        first = next_clips.next_clips(store, 1, annotator="me")
    kept = {clip.id for clip in (*first, *stored[::6])}  # the first is delivered before another is out of reach
    for clip in stored:
        files.read_mono(clip.path)
        if clip.id not in kept:
            shutil.rmtree(block_cache.folder_of(clip.sha256))
    queues: list[list[int]] = []

    def delivery(**fields: Any) -> Delivery:
        queues.append([one.clip.id for one in fields.get("queue") or ()])
        return Delivery(**fields)

    monkeypatch.setattr(prefetch, "Delivery", delivery)
    monkeypatch.setattr(reference, "FRESH_S", 0.0)
    monkeypatch.setattr(fetching, "_unreachable_until", {server.url.removeprefix("http://"): float("inf")})
    shown = set()
    async with opened(remote) as (_, screen, pilot):
        await until(pilot, lambda: "offline: " in screen.notice.warning, "one line")
        for _ in range(len(kept)):
            assert screen.current is not None
            shown.add(screen.current.clip.id)
            assert screen.current.problem == "" and screen.current.sound is not None
            await answer(screen, pilot, "n")
        await until(pilot, lambda: screen.current is not None and screen.current.problem, "a clip out of reach")
        assert "its server cannot be reached" in screen.current.problem
    assert shown == kept
    assert all(len(set(one)) == len(one) for one in queues)
    with remote.open_store() as store:
        assert clips.counts(store).labelled == len(kept)


async def test_without_a_network_nobody_gets_what_another_has_just_claimed(
    remote: Project, server: SoundServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with remote.open_store() as store:
        stored = clips.unlabelled(store)
        claimed = {clip.id for clip in next_clips.next_clips(store, prefetch.AHEAD, annotator="me")}
    kept = [clip for clip in stored if clip.id not in claimed][:6]
    for clip in stored:
        files.read_mono(clip.path)
        if clip not in kept:
            shutil.rmtree(block_cache.folder_of(clip.sha256))
    free_among, taken = next_clips.free_among, kept[0].id

    def faster(store: Store, clip_ids: list[int], **fields: Any) -> set[int]:
        found = free_among(store, clip_ids, **fields)
        next_clips.claim(store, [taken], annotator="another")
        return found

    monkeypatch.setattr(next_clips, "free_among", faster)
    monkeypatch.setattr(reference, "FRESH_S", 0.0)
    monkeypatch.setattr(fetching, "_unreachable_until", {server.url.removeprefix("http://"): float("inf")})
    async with opened(remote) as (_, screen, pilot):
        await until(pilot, lambda: "offline: " in screen.notice.warning, "one line")
        for _ in range(3):
            assert screen.current is not None and screen.current.clip.id != taken
            await answer(screen, pilot, "n")


def test_sound_and_picture_go_on_after_a_failure_that_passes(server: SoundServer) -> None:
    server.kinds = ("fails",)
    path = f"{server.url}/4.wav"
    files.describe(path)
    stream, places = Stream(path, 3.0), np.arange(PLAYBACK_RATE_HZ // 2) + PLAYBACK_RATE_HZ
    tiles, problems = Tiles(3.0, 44_100), queue.Queue[str]()
    reader = TileReader(path, tiles, problems.put)
    server.fault_every = 1
    reader.start()
    try:
        reader.request(VisibleRange(0.0, 3.0, 100))
        assert "could not be read" in problems.get(timeout=DEADLINE_S)
        waited(lambda: stream.samples_at(places) is None and stream.failure, "the failure")
        server.fault_every = 0
        assert "could not be read" in stream.take_failure()
        reader.request(VisibleRange(0.0, 3.0, 100))
        assert problems.get(timeout=DEADLINE_S) == ""
        waited(lambda: stream.samples_at(places) is not None, "the sound")
        assert stream.failure == ""
    finally:
        stream.close()
        reader.stop()


def test_a_remote_recording_is_played_as_a_stream(server: SoundServer) -> None:
    stream = Stream(f"{server.url}/3.wav", 3.0)
    try:
        places = np.arange(PLAYBACK_RATE_HZ // 2) + PLAYBACK_RATE_HZ
        samples = None
        while samples is None:
            assert not stream.failure
            samples = stream.samples_at(places)
    finally:
        stream.close()
    expected = Stream(str(server.folder / "3.wav"), 3.0)
    try:
        same = None
        while same is None:
            same = expected.samples_at(places)
    finally:
        expected.close()
    np.testing.assert_array_equal(samples, same)
