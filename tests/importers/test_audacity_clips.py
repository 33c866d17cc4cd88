"""Labels of Audacity become clips of the recording they belong to, and the recording is found beside them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from helpers.records import of_kind, one_by_one, read_audacity
from labeltool.errors import LabeltoolError
from labeltool.records import MAX_LABEL_CHARACTERS, Checked, Clip, Recording, Skipped, Verdict

WriteTone = Callable[..., Path]


def label_file(path: Path, *lines: str) -> Path:
    path.write_text("".join(line + "\n" for line in lines))
    return path


def test_a_row_becomes_a_clip_inside_the_recording_and_a_verdict_with_its_exact_bounds(
    tmp_path: Path, write_tone: WriteTone
) -> None:
    sound = write_tone("dawn.wav", seconds=3.0)
    labels = label_file(tmp_path / "dawn.txt", "-0.5\t1.25\twren\t0.75", "\\\t2000\t4000", "2.5\t9.0\trobin")
    recording, clip, verdict, later_clip, later = one_by_one(read_audacity([labels], None))
    assert isinstance(recording, Recording)
    assert recording.path == str(sound)
    assert recording.group == recording.sha256
    assert clip == Clip(recording.sha256, 0.0, 1.25)
    assert verdict == Verdict(
        clip, "wren", start_s=-0.5, end_s=1.25, low_hz=2000.0, high_hz=4000.0, confidence=0.75, file=str(labels), line=1
    )
    assert later_clip == Clip(recording.sha256, 2.5, 3.0)
    assert isinstance(later, Verdict)
    assert (later.start_s, later.end_s, later.line) == (2.5, 9.0, 3)


@pytest.mark.parametrize(
    ("at", "clip"), [("1.5", (1.0, 2.0)), ("0.2", (0.0, 0.7)), ("3.0", (2.5, 3.0)), ("0", (0.0, 0.5))]
)
def test_a_point_label_becomes_a_clip_of_a_second_around_it(
    tmp_path: Path, write_tone: WriteTone, at: str, clip: tuple[float, float]
) -> None:
    sound = write_tone("dawn.wav", seconds=3.0)
    records = list(read_audacity([label_file(tmp_path / "x.txt", f"{at}\t{at}\tcall")], sound))
    assert [(c.start_s, c.end_s) for c in of_kind(records, Clip)] == [clip]
    assert [(v.start_s, v.end_s) for v in of_kind(records, Verdict)] == [(float(at), float(at))]


def test_rows_outside_the_recording_are_skipped_with_their_times(tmp_path: Path, write_tone: WriteTone) -> None:
    sound = write_tone("dawn.wav", seconds=3.0)
    rows = ("3.0\t4.0\tafter", "-2\t0\tbefore", "3.2\t3.2\tpoint", "1e305\t1e306\tfar", "1\t2\tin")
    records = list(read_audacity([label_file(tmp_path / "x.txt", *rows)], sound))
    assert [v.label for v in of_kind(records, Verdict)] == ["in"]
    notes = {note.line: note.reason for note in of_kind(records, Skipped)}
    assert sorted(notes) == [1, 2, 3, 4]
    assert "3.000000 to 4.000000 s" in notes[1]
    assert "ends at 3.000000 s" in notes[1]


def test_a_row_without_a_title_is_an_unlabelled_clip_and_reported(tmp_path: Path, write_tone: WriteTone) -> None:
    sound = write_tone("dawn.wav", seconds=3.0)
    records = list(read_audacity([label_file(tmp_path / "x.txt", "1\t2\t", "2\t3")], sound))
    assert len(of_kind(records, Clip)) == 2
    assert of_kind(records, Verdict) == []
    assert ["imported as an unlabelled clip" in note.reason for note in of_kind(records, Skipped)] == [True, True]


def test_a_title_longer_than_any_name_is_skipped_with_its_line(tmp_path: Path, write_tone: WriteTone) -> None:
    sound = write_tone("dawn.wav", seconds=3.0)
    longest = "x" * MAX_LABEL_CHARACTERS
    rows = (f"0\t1\t{longest}x", f"1\t2\t{longest} ", f"2\t3\t{'x' * 5_000_000}")
    records = list(read_audacity([label_file(tmp_path / "x.txt", *rows)], sound))
    assert [verdict.label.strip() for verdict in of_kind(records, Verdict) if verdict.label] == [longest]
    assert len(of_kind(records, Clip)) == 1
    skipped = of_kind(records, Skipped)
    assert [one.line for one in skipped] == [1, 3] and all("more than 1000" in one.reason for one in skipped)
    assert all(len(one.reason) < 200 for one in skipped)


def test_two_labels_on_one_region_share_its_clip_also_across_files(tmp_path: Path, write_tone: WriteTone) -> None:
    sound = write_tone("dawn.wav", seconds=3.0)
    files = [label_file(tmp_path / name, "0.1\t0.3\tdog", f"0.1000000004\t0.3\t{name}") for name in ("a.txt", "b.txt")]
    records = list(read_audacity(files, sound))
    assert [len(of_kind(records, kind)) for kind in (Recording, Clip, Verdict)] == [1, 1, 4]


def test_no_clip_ends_after_its_recording_at_any_rate(tmp_path: Path, write_tone: WriteTone) -> None:
    for rate in (8_000, 11_025, 22_050, 44_100, 48_000):
        sound = write_tone(f"{rate}.wav", seconds=1.00007, rate=rate)
        records = list(read_audacity([label_file(tmp_path / "x.txt", "0.5\t2\tlong")], sound))
        ((recording,), (clip,)) = of_kind(records, Recording), of_kind(records, Clip)
        assert clip.end_s <= recording.duration_s < clip.end_s + 1e-6


@pytest.mark.parametrize(
    ("labels", "sound"),
    [
        ("dawn.txt", "dawn.wav"),
        ("dawn.txt", "dawn.FLAC"),
        ("dawn_labels.txt", "dawn.wav"),
        ("dawn.audacity.txt", "dawn.ogg"),
        ("dawn.BirdNET.results.txt", "dawn.wav"),
        ("dawn.wav.txt", "dawn.wav"),
        ("dawn.chorus.txt", "dawn.chorus.wav"),
    ],
)
def test_the_recording_is_found_beside_its_labels(
    tmp_path: Path, write_tone: WriteTone, labels: str, sound: str
) -> None:
    write_tone("tone.wav").rename(tmp_path / sound)
    recording = next(read_audacity([label_file(tmp_path / labels, "0\t1\tx")], None))
    assert isinstance(recording, Recording)
    assert recording.path == str(tmp_path / sound)


def test_the_same_stem_is_preferred_to_a_shortened_one(tmp_path: Path, write_tone: WriteTone) -> None:
    for name in ("dawn.wav", "dawn_labels.wav"):
        write_tone(name)
    recording = next(read_audacity([label_file(tmp_path / "dawn_labels.txt", "0\t1\tx")], None))
    assert isinstance(recording, Recording)
    assert recording.path == str(tmp_path / "dawn_labels.wav")


def test_labels_without_a_recording_or_with_two_need_the_audio_option(tmp_path: Path, write_tone: WriteTone) -> None:
    labels = label_file(tmp_path / "dawn.txt", "0\t1\tx")
    with pytest.raises(LabeltoolError, match=r"dawn\.txt: .*--audio"):
        list(read_audacity([labels], None))
    write_tone("dawn.wav")
    write_tone("tone.wav").rename(tmp_path / "dawn.flac")
    with pytest.raises(LabeltoolError, match=r"dawn\.flac, dawn\.wav.*--audio"):
        list(read_audacity([labels], None))


def test_an_empty_label_file_is_accepted_and_needs_no_recording(tmp_path: Path) -> None:
    (note,) = read_audacity([label_file(tmp_path / "empty.txt")], None)
    assert isinstance(note, Skipped)
    assert note.reason == "contains no labels"


def test_a_recording_that_is_not_a_sound_file_is_an_error(tmp_path: Path) -> None:
    labels = label_file(tmp_path / "dawn.txt", "0\t1\tx")
    for sound in (labels, tmp_path, tmp_path / "none.wav"):
        with pytest.raises(LabeltoolError):
            list(read_audacity([labels], sound))


def test_a_complete_track_checks_all_of_its_recording_and_may_be_empty(tmp_path: Path, write_tone: WriteTone) -> None:
    sound = write_tone("dawn.wav", seconds=3.0)
    labels = label_file(tmp_path / "dawn.txt", "1.0\t2.0\twren")
    *others, part = one_by_one(read_audacity([labels, labels], checked=True))
    (recording,) = of_kind(others, Recording)
    assert part == Checked(recording.sha256, 0.0, 3.0)
    assert not of_kind(others, Checked)
    recording, part = read_audacity([label_file(tmp_path / "empty.txt")], sound, checked=True)
    assert isinstance(recording, Recording) and part == Checked(recording.sha256, 0.0, 3.0)
