"""Spans in long recordings: marked, said, written out, read back; seen at any zoom and heard, a stretch at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from test_export_products import export

from labeltool.annotation import next_clips
from labeltool.audio import files
from labeltool.audio.files import SoundReader
from labeltool.errors import LabeltoolError
from labeltool.importers import audacity, audio_files
from labeltool.project import Project
from labeltool.records import Suggestion, Value
from labeltool.store import Store, clips, journal, models, recordings, spans
from labeltool.store.importing import take_in
from labeltool.store.recordings import StoredRecording
from labeltool.store.spans import Kind, Mark
from labeltool.tui.media.clip_picture import PLAYBACK_RATE_HZ, for_playback
from labeltool.tui.media.player import Player
from labeltool.tui.media.stream import Stream
from labeltool.tui.media.tiles import Surveyor, Tiles, View, make

RATE = 8_000
HOURS_S = 7200.0
CHIRP_S, CHIRP_HZ, CHIRP_LONG_S = 5025.0, 2500.0, 3.0
HUM_S, HUM_HZ, HUM_LONG_S = 1800.0, 300.0, 90.0


@pytest.fixture(scope="session")
def two_hours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two hours of almost nothing, with a hum of a minute and a half and a call of three seconds."""
    path = tmp_path_factory.mktemp("long") / "two hours.flac"
    silence = np.zeros(60 * RATE, np.int16)
    silence[::4000] = 1
    with soundfile.SoundFile(path, "w", RATE, 1, subtype="PCM_16", compression_level=0.0) as file:
        for minute in range(int(HOURS_S // 60)):
            samples = silence.copy()
            for start_s, hertz, long_s in ((CHIRP_S, CHIRP_HZ, CHIRP_LONG_S), (HUM_S, HUM_HZ, HUM_LONG_S)):
                moments = minute * 60 + np.arange(60 * RATE) / RATE
                sounds = (moments >= start_s) & (moments < start_s + long_s)
                if sounds.any():
                    samples[sounds] += (8000 * np.sin(2 * np.pi * hertz * moments[sounds])).astype(np.int16)
            file.write(samples)
    return path


@pytest.fixture
def recording(store: Store, two_hours: Path) -> StoredRecording:
    """The long recording, taken into the project in pieces of ten minutes."""
    take_in(store, audio_files.read([two_hours], 600.0, None), kind="audio", source="test")
    return recordings.find_recording(store, two_hours.name)


# -- saying


def test_a_marked_span_is_one_clip_with_its_verdict_and_undo_takes_both_away(
    store: Store, recording: StoredRecording
) -> None:
    before = clips.counts(store).clips
    asked = [clip.id for clip in next_clips.next_clips(store, 99, annotator="ann")]
    mark = Mark(12.3456789, 13.5, 400.0, 2_000.5)
    row_id = spans.say_span(store, recording, mark, "owl", annotator="ann")
    spans.say_span(store, recording, mark, "wind", annotator="ann")
    (owl, wind) = spans.verdicts(store)[recording.id]
    assert (owl.start_s, owl.end_s, owl.low_hz, owl.high_hz) == (12.345679, 13.5, 400.0, 2_000.5)
    assert (owl.text, wind.text, owl.clip_id) == ("owl", "wind", wind.clip_id)
    assert clips.counts(store).clips == before + 1
    assert [clip.id for clip in next_clips.next_clips(store, 99, annotator="ann")] == asked
    assert spans.place_of(store, journal.row(store, row_id)) == (recording.id, Mark(12.345679, 13.5, 400.0, 2_000.5))
    journal.undo(store, annotator="ann")
    journal.undo(store, annotator="ann")
    assert spans.verdicts(store) == {}
    assert clips.counts(store).clips == before
    assert [clip.id for clip in next_clips.next_clips(store, 99, annotator="ann")] == asked
    journal.redo(store, annotator="ann")
    assert spans.verdicts(store)[recording.id] == [owl]


def test_what_cannot_be_a_span_is_refused_and_leaves_nothing(store: Store, recording: StoredRecording) -> None:
    before = store.connection.execute("SELECT COUNT(*) FROM clips").fetchone()[0]
    for mark in (Mark(5.0, 5.0), Mark(6.0, 5.0), Mark(8000.0, 8001.0), Mark(1.0, 2.0, 900.0, 800.0)):
        with pytest.raises(LabeltoolError):
            spans.say_span(store, recording, mark, "owl", annotator="ann")
    with pytest.raises(LabeltoolError, match="name"):
        spans.say_span(store, recording, Mark(1.0, 2.0), " ", annotator="ann")
    with pytest.raises(LabeltoolError, match="words"):
        spans.note_span(store, recording, Mark(1.0, 2.0), " ", annotator="ann")
    assert store.connection.execute("SELECT COUNT(*) FROM clips").fetchone()[0] == before
    assert next(journal.rows(store), None) is None
    spans.say_span(store, recording, Mark(-1.0, 9000.0), "all", annotator="ann")
    (whole,) = spans.verdicts(store)[recording.id]
    assert (whole.start_s, whole.end_s) == (0.0, HOURS_S)


def test_all_that_stands_on_a_recording_comes_by_time_and_suggestions_of_neighbours_are_one(
    store: Store, recording: StoredRecording
) -> None:
    pieces = clips.all_clips(store)
    model_id = models.add(
        store,
        parent_id=None,
        card={"architecture": "none", "labels_seen": 2, "clip_accuracy": None, "int8_clip_accuracy": None},
        journal_mark="",
        publish=lambda _: None,
    )
    held = [0.9, 0.8, 0.3, 0.7, 0.6, 0.6]
    models.replace_suggestions(
        store,
        [Suggestion(piece.id, model_id, {"owl": p, "rain": 1 - p}) for piece, p in zip(pieces[:6], held, strict=True)],
    )
    spans.say_span(store, recording, Mark(650.0, 660.0), "rain", annotator="ann")
    spans.note_span(store, recording, Mark(100.0, 101.0), "a [b]car[/b]?", annotator="ann")
    told = [(span.kind, span.start_s, span.end_s, span.text) for span in spans.standing(store, recording.id)]
    assert told == [
        (Kind.SUGGESTION, 0.0, 1200.0, "owl"),
        (Kind.NOTE, 100.0, 101.0, "a [b]car[/b]?"),
        (Kind.VERDICT, 650.0, 660.0, "rain"),
        (Kind.SUGGESTION, 1200.0, 1800.0, "rain"),
        (Kind.SUGGESTION, 1800.0, 3600.0, "owl"),
    ]
    # What was said of a suggestion answers it; so does a word on the clip itself.
    spans.say_span(store, recording, Mark(1210.0, 1220.0), "rain", Value.ABSENT, annotator="ann")
    journal.say(store, pieces[0].id, None, Value.ABSENT, annotator="ann")
    left = [span for span in spans.standing(store, recording.id) if span.kind is Kind.SUGGESTION]
    assert [(span.start_s, span.end_s, span.probability) for span in left] == [
        (600.0, 1200.0, 0.8),
        (1800.0, 3600.0, 0.7),
    ]


# -- writing out and reading back


def test_a_mark_exported_and_imported_is_the_same_clip_at_the_same_bounds(
    project: Project, store: Store, recording: StoredRecording
) -> None:
    rng = np.random.default_rng(5)
    marks = [Mark(float(start), float(start + long)) for start, long in rng.uniform((0, 0.001), (7000, 90), (40, 2))]
    marks += [
        Mark(7199.5, 7300.0),
        Mark(0.0000004, 0.1),
        Mark(1 / 3, 2 / 3, 1000 / 3, 2000 / 3),
        Mark(5.0, 6.0, None, 9.0),
    ]
    for number, mark in enumerate(marks):
        spans.say_span(store, recording, mark, f"label {number}", annotator="ann")
    marked = {(s.start_s, s.end_s, s.low_hz, s.high_hz, s.text) for s in spans.verdicts(store)[recording.id]}
    assert len(marked) == len(marks)
    track = Path(export(project, "audacity")["written"][0]) / "two hours.txt"
    assert {(r.start_s, r.end_s, r.low_hz, r.high_hz, r.label) for r in audacity.parse(track).rows} == marked
    before = clips.counts(store)
    intake = take_in(store, audacity.read([track], Path(recording.path)), kind="audacity", source="test")
    assert (intake.clips, intake.verdicts, intake.skipped) == (0, len(marks), [])
    assert clips.counts(store) == before
    assert {(s.start_s, s.end_s, s.low_hz, s.high_hz, s.text) for s in spans.verdicts(store)[recording.id]} == marked


def test_a_mark_that_an_import_brings_too_is_asked_about_once_it_was_taken_back(
    store: Store, recording: StoredRecording, tmp_path: Path
) -> None:
    spans.say_span(store, recording, Mark(3.25, 4.5), "owl", annotator="ann")
    journal.undo(store, annotator="ann")
    unlabelled = clips.counts(store).unlabelled
    track = tmp_path / "track.txt"
    track.write_text("3.250000\t4.500000\t\n")  # a clip without a title: nothing is said of it
    take_in(store, audacity.read([track], Path(recording.path)), kind="audacity", source="test")
    assert clips.counts(store).unlabelled == unlabelled + 1


# -- seeing


class Counting(SoundReader):
    """Counts what is decoded."""

    decoded = 0

    def mono(self, first: int, count: int) -> np.ndarray:
        self.decoded += count
        return super().mono(first, count)


@pytest.fixture
def reader(two_hours: Path) -> Iterator[Counting]:
    reader = Counting(two_hours)
    yield reader
    reader.close()


def look(reader: SoundReader, tiles: Tiles, view: View, looks: int = 4) -> None:
    for place in list(tiles.missing(view, looks)):
        tiles.keep(place, make(reader, place, looks))


@pytest.mark.parametrize(("span_s", "columns"), [(7200.0, 100), (300.0, 110), (20.0, 95), (4.0, 150)])
def test_a_sound_is_drawn_in_its_column_and_band_at_every_zoom_and_little_is_read(
    reader: Counting, span_s: float, columns: int
) -> None:
    event_s, hertz, long_s = (HUM_S, HUM_HZ, HUM_LONG_S) if span_s > 1000 else (CHIRP_S, CHIRP_HZ, CHIRP_LONG_S)
    view = View(max(0.0, event_s - span_s * 0.1) if span_s < 1000 else 0.0, span_s, columns)
    tiles = Tiles(HOURS_S, RATE)
    look(reader, tiles, view)
    assert reader.decoded / RATE <= max(0.01 * HOURS_S, 2 * span_s + 64)
    assert reader.decoded / RATE < 0.02 * HOURS_S
    sight = tiles.sight(view)
    assert sight.picture.shape == (96, columns) and sight.envelope.shape == (2, 2 * columns)
    band = int(np.abs(sight.band_hz - hertz).argmin())
    loud = np.flatnonzero(sight.picture[band] > -30)
    column_s = span_s / columns
    first, last = (event_s - view.start_s) / column_s, (event_s + long_s - view.start_s) / column_s
    assert abs(loud[0] - int(first)) <= 1 and abs(loud[-1] - int(last)) <= 1
    assert len(loud) == loud[-1] - loud[0] + 1
    assert abs(int(sight.picture[:, loud].mean(axis=1).argmax()) - band) <= 1
    waves = np.flatnonzero(sight.envelope[1] > 0.1)
    assert abs(waves[0] / 2 - first) <= 1.5 and abs(waves[-1] / 2 - last) <= 1.5


def test_an_event_is_seen_from_afar_before_it_was_looked_at_closely(reader: Counting) -> None:
    tiles = Tiles(HOURS_S, RATE)
    look(reader, tiles, View(0.0, HOURS_S, 100))
    decoded = reader.decoded
    near = tiles.sight(View(HUM_S - 600, 1200.0, 60))
    band = int(np.abs(near.band_hz - HUM_HZ).argmin())
    loud = np.flatnonzero(near.picture[band] > -30)
    assert reader.decoded == decoded
    assert 25 <= loud[0] <= 32 and loud[-1] <= 40


def test_what_was_looked_at_longest_ago_is_let_go(reader: Counting) -> None:
    tiles = Tiles(HOURS_S, RATE, most_bytes=200_000)
    for start_s in range(0, 200, 10):
        look(reader, tiles, View(float(start_s), 10.0, 100))
        assert tiles.size_bytes <= 200_000
    assert not list(tiles.missing(View(190.0, 10.0, 100), 4))
    assert list(tiles.missing(View(0.0, 10.0, 100), 4))


@given(st.floats(0, 7100), st.floats(-3, 4).map(lambda power: 10.0**power), st.integers(1, 300))
def test_any_stretch_fits_any_width(start_s: float, span_s: float, columns: int) -> None:
    sight = Tiles(HOURS_S, RATE).sight(View(start_s, span_s, columns))
    assert sight.picture.shape == (96, columns) and sight.envelope.shape == (2, 2 * columns)


def test_the_thread_brings_a_view_tile_by_tile_and_tells_what_is_wrong(two_hours: Path, tmp_path: Path) -> None:
    told: list[str] = []
    came = threading.Event()

    def deliver(problem: str) -> None:
        told.append(problem)
        came.set()

    tiles, view = Tiles(HOURS_S, RATE), View(0.0, HOURS_S, 100)
    surveyor = Surveyor(str(two_hours), tiles, deliver)
    surveyor.start()
    surveyor.want(view)
    while list(tiles.missing(view, 4)):
        assert came.wait(20)
        came.clear()
    surveyor.stop()
    assert not any(told)
    came.clear()
    gone = Surveyor(str(tmp_path / "gone.flac"), tiles, deliver)
    gone.start()
    gone.want(View(0.0, 1.0, 10))
    assert came.wait(20)
    gone.stop()
    assert "gone.flac" in told[-1] and "relocate" in told[-1]


# -- hearing


def heard(player: Player, seconds: float) -> np.ndarray:
    """What a player gives, without the silence while the stream catches up."""
    blocks, wanted = [], round(seconds * PLAYBACK_RATE_HZ)
    deadline = time.monotonic() + 20
    while sum(map(len, blocks)) < wanted and player.playing:
        block = player.render(480)
        if block.any():
            blocks.append(block)
        else:
            assert time.monotonic() < deadline, "the stream does not come"
            time.sleep(0.002)
    return np.concatenate(blocks)[:wanted]


@pytest.mark.parametrize("rate", [8_000, 11_025, 44_100, 48_000])
def test_a_stream_sounds_as_the_whole_file_does_without_seams(
    tmp_path: Path, rate: int, write_tone: Callable[..., Path]
) -> None:
    path = write_tone("noise.wav", seconds=3.5, rate=rate, subtype="FLOAT")
    mono, _ = files.read_span(path)
    whole = for_playback(mono[:, 0], rate) / 32768.0
    stream, player = Stream(str(path), 3.5), Player()
    try:
        player.put(stream, play=True)
        heard(player, 3.4)  # where it had to wait it fades in again; once decoded it need not
        player.replay()
        faded = PLAYBACK_RATE_HZ * 3 // 1000
        assert np.abs(heard(player, 3.4)[faded:] - whole[faded : round(3.4 * PLAYBACK_RATE_HZ)]).max() < 4 / 32768
        # A span by itself: from its first moment to its last, and round again without a gap.
        player.keep_within(0.9, 1.2)
        player.loop = True
        begin, end = round(0.9 * PLAYBACK_RATE_HZ), round(1.2 * PLAYBACK_RATE_HZ)
        player.replay()
        expected = np.tile(whole[begin:end], 4)[:PLAYBACK_RATE_HZ]
        assert np.abs(heard(player, 1.0)[faded:] - expected[faded:]).max() < 4 / 32768
        player.loop = False
        player.replay()
        assert len(heard(player, 9.0)) == pytest.approx(end - begin, abs=480)
        assert not player.playing and player.position_s == pytest.approx(1.2)
        player.roam()
        player.seek(3.0)
        assert player.position_s == pytest.approx(3.0)
    finally:
        stream.close()


def test_a_stream_of_a_missing_file_says_so_and_never_stops_the_player(tmp_path: Path) -> None:
    stream, player = Stream(str(tmp_path / "gone.wav"), 5.0), Player()
    player.put(stream, play=True)
    stream.close()
    assert "gone.wav" in stream.failure
    assert not player.render(480).any()
    assert player.position_s == 0.0
