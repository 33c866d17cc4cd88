"""Recordings without labels: read in order, cut into clips, broken files reported."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import odd_sounds
from helpers.records import of_kind
from labeltool.errors import LabeltoolError
from labeltool.importers import audio_files
from labeltool.records import Clip, Failed, Imported, Recording, Skipped

WriteTone = Callable[..., Path]


def spans(records: Sequence[Imported]) -> list[tuple[float, float]]:
    return [(clip.start_s, clip.end_s) for clip in of_kind(records, Clip)]


def test_a_recording_is_one_clip_unless_lengths_are_given(write_tone: WriteTone) -> None:
    recording, clip = audio_files.read([write_tone("long.wav", seconds=3.25)])
    assert isinstance(recording, Recording)
    assert recording.group == recording.sha256
    assert clip == Clip(recording.sha256, 0.0, 3.25)


@pytest.mark.parametrize(
    ("seconds", "clip_s", "hop_s", "expected"),
    [
        (3.0, 1.0, None, [(0, 1), (1, 2), (2, 3)]),
        (3.5, 1.0, None, [(0, 1), (1, 2), (2, 3), (2.5, 3.5)]),
        (3.4, 1.0, None, [(0, 1), (1, 2), (2, 3)]),
        (0.3, 1.0, None, [(0, 0.3)]),
        (2.0, 1.0, 0.5, [(0, 1), (0.5, 1.5), (1, 2)]),
        (2.4, 1.0, 0.8, [(0, 1), (0.8, 1.8), (1.4, 2.4)]),
        (2.25, 1.0, 0.5, [(0, 1), (0.5, 1.5), (1, 2)]),
        (4.0, 0.5, 2.0, [(0, 0.5), (2, 2.5)]),
        (4.3, 0.5, 2.0, [(0, 0.5), (2, 2.5), (3.8, 4.3)]),
    ],
)
def test_long_recordings_are_cut_at_every_hop(
    write_tone: WriteTone, seconds: float, clip_s: float, hop_s: float | None, expected: list[tuple[float, float]]
) -> None:
    assert spans(list(audio_files.read([write_tone("long.wav", seconds=seconds)], clip_s, hop_s))) == expected


@settings(deadline=None, max_examples=60)
@given(
    frames=st.integers(1, 40_000),
    rate=st.sampled_from([8_000, 11_025, 22_050, 44_100]),
    clip_s=st.floats(0.05, 3.0),
    hop_s=st.none() | st.floats(0.05, 3.0),
)
def test_clips_are_equal_in_length_distinct_and_never_beyond_the_end(
    frames: int, rate: int, clip_s: float, hop_s: float | None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    import numpy as np
    import soundfile

    path = tmp_path_factory.getbasetemp() / "cut.wav"
    soundfile.write(path, np.zeros(frames), rate)
    records = list(audio_files.read([path], clip_s, hop_s))
    (recording,) = of_kind(records, Recording)
    clips = spans(records)
    assert clips
    assert len(set(clips)) == len(clips)
    assert all(0 <= start < end <= recording.duration_s for start, end in clips)
    if len(clips) > 1:
        assert {round(end - start, 6) for start, end in clips} == {round(clip_s, 6)}


def test_directories_are_read_in_order_without_hidden_files_and_link_cycles(
    tmp_path: Path, write_tone: WriteTone
) -> None:
    sounds = [write_tone(f"pool/{name}") for name in ("a.wav", "b/c.FLAC", "b/d.wav", "e.wav")]
    for hidden in ("pool/.hidden.wav", "pool/.git/x.wav"):
        write_tone(hidden)
    (tmp_path / "pool" / "notes.txt").write_text("not a sound")
    (tmp_path / "pool" / "b" / "round").symlink_to(tmp_path / "pool")
    records = list(audio_files.read([tmp_path / "pool"]))
    assert [recording.path for recording in of_kind(records, Recording)] == [str(path) for path in sounds]
    assert of_kind(records, Skipped) == []


def test_a_broken_file_never_stops_the_others_and_alone_is_an_error(tmp_path: Path, write_tone: WriteTone) -> None:
    good = write_tone("pool/good.wav")
    broken = tmp_path / "pool" / "broken.wav"
    broken.write_text("text, named .wav")
    empty = write_tone("pool/empty.wav", seconds=0.0)
    os.mkfifo(tmp_path / "pool" / "pipe.wav")
    (tmp_path / "pool" / "dangling.wav").symlink_to("nowhere.wav")
    (tmp_path / "pool" / "loop.wav").symlink_to("loop.wav")
    (tmp_path / "pool" / "phone.M4A").write_bytes(b"\0\0\0\x20ftypM4A ")
    odd_sounds.flac(tmp_path / "pool" / "cut.flac", kept=0.5)
    not_utf8 = os.fsencode(tmp_path / "pool") + b"/caf\xe9.wav"
    Path(os.fsdecode(not_utf8)).write_bytes(good.read_bytes())
    records = list(audio_files.read([tmp_path / "pool"]))
    assert len(of_kind(records, Recording)) == 1
    notes = {Path(note.file).name: note.reason for note in of_kind(records, Failed)}
    names = [
        "broken.wav",
        "caf\\udce9.wav",
        "cut.flac",
        "dangling.wav",
        "empty.wav",
        "loop.wav",
        "phone.M4A",
        "pipe.wav",
    ]
    assert sorted(notes) == names
    assert "not a sound file" in notes["broken.wav"] and "cut short" in notes["cut.flac"]
    assert "MPEG-4" in notes["phone.M4A"] and "not UTF-8" in notes["caf\\udce9.wav"]
    for path in (broken, empty, tmp_path / "none.wav", Path(os.fsdecode(not_utf8))):
        with pytest.raises(LabeltoolError) as caught:
            list(audio_files.read([path]))
        assert caught.value.file == str(path)
        kinds = [type(record) for record in audio_files.read([path, good])]
        assert kinds == [Failed, Recording, Clip]


def test_equal_content_is_one_recording_and_reported(tmp_path: Path, write_tone: WriteTone) -> None:
    first = write_tone("a.wav")
    (tmp_path / "copy.wav").write_bytes(first.read_bytes())
    records = list(audio_files.read([tmp_path, first]))
    assert len(of_kind(records, Recording)) == 1
    assert len(of_kind(records, Clip)) == 1
    assert [note.reason for note in of_kind(records, Skipped)] == [f"has the same content as {first}"] * 2


def test_a_file_argument_is_read_whatever_its_suffix(tmp_path: Path, write_tone: WriteTone) -> None:
    sound = write_tone("a.wav").rename(tmp_path / "recording.bin")
    assert len(of_kind(list(audio_files.read([sound])), Recording)) == 1


def test_no_sound_file_at_all_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a sound")
    for paths in ([tmp_path], []):
        with pytest.raises(LabeltoolError):
            list(audio_files.read(paths))


@pytest.mark.parametrize(
    ("clip_s", "hop_s"),
    [(0, None), (-1, None), (1, 0), (1, -2), (float("nan"), None), (1, float("inf")), (1e-9, None), (None, 1)],
)
def test_lengths_that_are_not_possible_are_errors(
    write_tone: WriteTone, clip_s: float | None, hop_s: float | None
) -> None:
    with pytest.raises(LabeltoolError):
        list(audio_files.read([write_tone("a.wav")], clip_s, hop_s))


def test_recordings_are_yielded_one_by_one_so_that_progress_can_be_shown(tmp_path: Path, write_tone: WriteTone) -> None:
    first = write_tone("pool/a.wav")
    records = audio_files.read([tmp_path / "pool", tmp_path / "none.wav"])
    recording = next(records)
    assert isinstance(recording, Recording)
    assert recording.path == str(first)
