"""Long recordings: spectrograms at any zoom in tiles, and playback from a stream."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.long_recording import CHIRP_HZ, CHIRP_LONG_S, CHIRP_S, HOURS_S, HUM_HZ, HUM_LONG_S, HUM_S, RATE
from helpers.waits import DEADLINE_S
from labeltool.audio import files
from labeltool.audio.sound_reader import SoundReader
from labeltool.tui.media.clip_picture import PLAYBACK_RATE_HZ, to_playback_pcm
from labeltool.tui.media.player import Player
from labeltool.tui.media.stream import Stream
from labeltool.tui.media.tiles import TileReader, Tiles, VisibleRange, read_tile


class CountingReader(SoundReader):
    """Counts the samples that are decoded."""

    decoded = 0

    def mono(self, first: int, count: int) -> np.ndarray:
        self.decoded += count
        return super().mono(first, count)


@pytest.fixture
def reader(two_hours: Path) -> Iterator[CountingReader]:
    reader = CountingReader(two_hours)
    yield reader
    reader.close()


def read_tiles(reader: SoundReader, tiles: Tiles, shown: VisibleRange, moments: int = 4) -> None:
    for key in list(tiles.missing(shown, moments)):
        tiles.add(key, read_tile(reader, key, moments))


@pytest.mark.parametrize(("span_s", "columns"), [(7200.0, 100), (300.0, 110), (20.0, 95), (4.0, 150)])
def test_an_event_is_drawn_in_its_column_and_band_at_every_zoom_and_little_is_read(
    reader: CountingReader, span_s: float, columns: int
) -> None:
    event_s, hertz, long_s = (HUM_S, HUM_HZ, HUM_LONG_S) if span_s > 1000 else (CHIRP_S, CHIRP_HZ, CHIRP_LONG_S)
    shown = VisibleRange(max(0.0, event_s - span_s * 0.1) if span_s < 1000 else 0.0, span_s, columns)
    tiles = Tiles(HOURS_S, RATE)
    read_tiles(reader, tiles, shown)
    assert reader.decoded / RATE <= max(0.01 * HOURS_S, 2 * span_s + 64)
    assert reader.decoded / RATE < 0.02 * HOURS_S
    picture = tiles.picture(shown)
    assert picture.mel_db.shape == (96, columns) and picture.envelope.shape == (2, 2 * columns)
    band = int(np.abs(picture.band_hz - hertz).argmin())
    loud = np.flatnonzero(picture.mel_db[band] > -30)
    column_s = span_s / columns
    first, last = (event_s - shown.start_s) / column_s, (event_s + long_s - shown.start_s) / column_s
    assert abs(loud[0] - int(first)) <= 1 and abs(loud[-1] - int(last)) <= 1
    assert len(loud) == loud[-1] - loud[0] + 1
    assert abs(int(picture.mel_db[:, loud].mean(axis=1).argmax()) - band) <= 1
    loud_halves = np.flatnonzero(picture.envelope[1] > 0.1)
    assert abs(loud_halves[0] / 2 - first) <= 1.5 and abs(loud_halves[-1] / 2 - last) <= 1.5


def test_an_event_read_at_a_far_zoom_is_shown_at_a_near_zoom_until_that_is_read(reader: CountingReader) -> None:
    tiles = Tiles(HOURS_S, RATE)
    read_tiles(reader, tiles, VisibleRange(0.0, HOURS_S, 100))
    decoded = reader.decoded
    near = tiles.picture(VisibleRange(HUM_S - 600, 1200.0, 60))
    band = int(np.abs(near.band_hz - HUM_HZ).argmin())
    loud = np.flatnonzero(near.mel_db[band] > -30)
    assert reader.decoded == decoded
    assert 25 <= loud[0] <= 32 and loud[-1] <= 40


def test_the_tiles_used_longest_ago_are_dropped(reader: CountingReader) -> None:
    tiles = Tiles(HOURS_S, RATE, max_bytes=200_000)
    for start_s in range(0, 200, 10):
        read_tiles(reader, tiles, VisibleRange(float(start_s), 10.0, 100))
        assert tiles.size_bytes <= 200_000
    assert not list(tiles.missing(VisibleRange(190.0, 10.0, 100), 4))
    assert list(tiles.missing(VisibleRange(0.0, 10.0, 100), 4))


@given(st.floats(0, 7100), st.floats(-3, 4).map(lambda power: 10.0**power), st.integers(1, 300))
def test_any_range_fits_any_width(start_s: float, span_s: float, columns: int) -> None:
    picture = Tiles(HOURS_S, RATE).picture(VisibleRange(start_s, span_s, columns))
    assert picture.mel_db.shape == (96, columns) and picture.envelope.shape == (2, 2 * columns)


def test_the_thread_delivers_tile_by_tile_and_reports_a_file_that_cannot_be_read(
    two_hours: Path, tmp_path: Path
) -> None:
    problems: list[str] = []
    delivered = threading.Event()

    def deliver(problem: str) -> None:
        problems.append(problem)
        delivered.set()

    tiles, shown = Tiles(HOURS_S, RATE), VisibleRange(0.0, HOURS_S, 100)
    tile_reader = TileReader(str(two_hours), tiles, deliver)
    tile_reader.start()
    tile_reader.request(shown)
    while list(tiles.missing(shown, 4)):
        assert delivered.wait(20)
        delivered.clear()
    tile_reader.stop()
    assert not any(problems)
    delivered.clear()
    missing_file = TileReader(str(tmp_path / "gone.flac"), tiles, deliver)
    missing_file.start()
    missing_file.request(VisibleRange(0.0, 1.0, 10))
    assert delivered.wait(20)
    missing_file.stop()
    assert "gone.flac" in problems[-1] and "relocate" in problems[-1]


def played(player: Player, seconds: float) -> np.ndarray:
    """Return what a player plays, without the silence while it waits for the stream."""
    blocks, count = [], round(seconds * PLAYBACK_RATE_HZ)
    deadline = time.monotonic() + DEADLINE_S
    while sum(map(len, blocks)) < count and player.playing:
        block = player.render(480)
        if block.any():
            blocks.append(block)
        else:
            assert time.monotonic() < deadline, "the stream has no samples"
            time.sleep(0.002)
    return np.concatenate(blocks)[:count]


@pytest.mark.parametrize("rate", [8_000, 11_025, 44_100, 48_000])
def test_a_stream_plays_the_same_as_the_whole_file_without_seams(
    tmp_path: Path, rate: int, write_tone: Callable[..., Path]
) -> None:
    path = write_tone("noise.wav", seconds=3.5, rate=rate, subtype="FLOAT")
    mono, _ = files.read_mono(path)
    whole = to_playback_pcm(mono, rate) / 32768.0
    stream, player = Stream(str(path), 3.5), Player()
    try:
        player.put(stream, play=True)
        played(player, 3.4)  # after waiting it fades in again; once all is decoded it does not wait
        player.replay()
        faded = PLAYBACK_RATE_HZ * 3 // 1000
        assert np.abs(played(player, 3.4)[faded:] - whole[faded : round(3.4 * PLAYBACK_RATE_HZ)]).max() < 4 / 32768
        # A region alone: from its start to its end, and in a loop without a gap.
        player.limit_to(0.9, 1.2)
        player.loop = True
        begin, end = round(0.9 * PLAYBACK_RATE_HZ), round(1.2 * PLAYBACK_RATE_HZ)
        player.replay()
        expected = np.tile(whole[begin:end], 4)[:PLAYBACK_RATE_HZ]
        assert np.abs(played(player, 1.0)[faded:] - expected[faded:]).max() < 4 / 32768
        player.loop = False
        player.replay()
        assert len(played(player, 9.0)) == pytest.approx(end - begin, abs=480)
        assert not player.playing and player.position_s == pytest.approx(1.2)
        player.clear_limits()
        player.seek(3.0)
        assert player.position_s == pytest.approx(3.0)
    finally:
        stream.close()


def test_a_stream_of_a_missing_file_has_a_failure_and_never_stops_the_player(tmp_path: Path) -> None:
    stream, player = Stream(str(tmp_path / "gone.wav"), 5.0), Player()
    player.put(stream, play=True)
    stream.close()
    assert "gone.wav" in stream.failure
    assert not player.render(480).any()
    assert player.position_s == 0.0
