"""Sound files that arrive in a folder: complete once they have stayed as they are and have what their header claims."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

import pytest

from labeltool.importers.arriving import ArrivingFiles, is_whole


def wav(path: Path, samples: int = 100, written: int | None = None) -> Path:
    """Write a WAV of one channel whose header claims some samples, of which some are there."""
    size = 2 * samples
    head = struct.pack(
        "<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + size, b"WAVE", b"fmt ", 16, 1, 1, 8000, 16000, 2, 16, b"data", size
    )
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(head + bytes(2 * (samples if written is None else written)))
    return path


def test_a_file_is_given_out_once_when_it_has_not_changed_for_a_while(tmp_path: Path) -> None:
    files = ArrivingFiles(tmp_path, settle_s=10.0)
    first = wav(tmp_path / "a.wav")
    assert files.complete(0.0) == [] and files.arriving == 1
    assert files.complete(9.0) == []
    assert files.complete(10.0) == [first] and files.arriving == 0
    second = wav(tmp_path / "card" / "b.wav")
    (tmp_path / "notes.txt").write_text("no sound")
    wav(tmp_path / ".hidden.wav")
    assert files.complete(20.0) == []
    wav(second, 150)  # it grows
    assert files.complete(30.0) == [] and files.complete(39.0) == []
    assert files.complete(40.0) == [second] and files.complete(60.0) == []
    files.give_again([second, tmp_path / "gone.wav"])
    assert files.complete(61.0) == [second] and files.complete(62.0) == []
    wav(first, 120)  # recorded anew
    assert files.complete(70.0) == [] and files.complete(80.0) == [first]


def test_a_file_that_is_cut_short_waits_for_its_rest(tmp_path: Path) -> None:
    files = ArrivingFiles(tmp_path, settle_s=1.0)
    path = wav(tmp_path / "a.wav", 100, written=40)
    assert files.complete(0.0) == [] == files.complete(5.0) and files.arriving == 1
    wav(path)
    assert files.complete(6.0) == [] and files.complete(7.0) == [path]


def test_a_file_that_stays_cut_short_is_given_out_after_an_hour(tmp_path: Path) -> None:
    files = ArrivingFiles(tmp_path, settle_s=1.0)
    path = wav(tmp_path / "a.wav", 100, written=40)
    assert files.complete(0.0) == [] == files.complete(3599.0)
    assert files.complete(3600.0) == [path] and files.complete(9999.0) == []


@pytest.mark.parametrize(
    ("content", "whole"),
    [
        (b"RIFF\xff\xff\xff\x7fWAVEfmt ", True),
        (b"RIFF\xdb\xff\xff\x7fWAVEfmt ", True),
        (b"RIFF\xdb\xff\xff\xffWAVEfmt ", True),
        (b"RIFF\0\xf0\xff\x7fWAVEfmt ", True),  # of SoX
        (b"RIFF\0\0\0\xc0WAVEfmt ", False),
        (b"", False),
        (b"RIFF\xff\xff\xff\xffWAVEfmt ", True),  # of a recorder that does not know the length
        (b"RIFF\x05\0\0\0WAVE", True),  # an odd chunk without its last byte
        (b"RIFF\x06\0\0\0WAVE", False),
        (b"fLaC" + bytes(20), True),
    ],
)
def test_what_a_header_claims(tmp_path: Path, content: bytes, whole: bool) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    assert is_whole(path, len(content)) is whole


def test_a_folder_that_is_gone_for_a_while_changes_nothing(tmp_path: Path) -> None:
    folder, aside = tmp_path / "mount", tmp_path / "aside"
    path = wav(folder / "a.wav")
    files = ArrivingFiles(folder, settle_s=0.0)
    assert files.complete(0.0) == [path]
    shutil.move(folder, aside)
    assert files.complete(1.0) == [] and len(files.unlisted) == 1
    folder.mkdir()  # where it is mounted
    assert files.complete(2.0) == [] and files.unlisted == []
    folder.rmdir()
    shutil.move(aside, folder)
    assert files.complete(3.0) == [] and files.unlisted == []
