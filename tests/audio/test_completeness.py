"""Files that lost some of their bytes: one line names each, and none a whole file."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from helpers import odd_sounds
from helpers.progress import quiet
from helpers.records import of_kind
from labeltool.audio import completeness, files
from labeltool.audio.completeness import Damage, Loss
from labeltool.audio.feature_cache import FeatureCache
from labeltool.audio.frontend import LogMelFrontend
from labeltool.checks.sound.measure import measure
from labeltool.cli.import_ import print_skipped
from labeltool.errors import LabeltoolError
from labeltool.importers.registry import FORMATS
from labeltool.records import Damaged, Note, Recording, StoredClip

_SAMPLES = {"a.wav": "PCM_16", "a.aiff": "PCM_16", "a.au": "PCM_16", "a.w64": "PCM_16", "a.caf": "PCM_16"}
_CODED = {"a.flac": "PCM_16", "a.ogg": "VORBIS", "a.opus": "OPUS", "a.mp3": "MPEG_LAYER_III"}
_LOST = 3000


def written(path: Path, subtype: str) -> Path:
    kind = {"opus": "OGG"}.get(path.suffix[1:], path.suffix[1:].upper())
    soundfile.write(path, odd_sounds.samples(), odd_sounds.RATE, format=kind, subtype=subtype)
    return path


def overwritten(content: bytes, at: int) -> bytes:
    return content[:at] + np.random.default_rng(3).bytes(_LOST) + content[at + _LOST :]


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "overwritten": lambda content: overwritten(content, len(content) // 2),
    "overwritten twice": lambda content: overwritten(overwritten(content, len(content) // 4), 2 * len(content) // 3),
    "zeros": lambda content: content[: len(content) // 2] + bytes(_LOST) + content[len(content) // 2 + _LOST :],
    "cut out": lambda content: content[: len(content) // 2] + content[len(content) // 2 + _LOST :],
    "cut short": lambda content: content[: 2 * len(content) // 3],
    "cut short by little": lambda content: content[:-100],
}


def found_fault(path: Path) -> str | None:
    """Return the line on a file, the same as it is imported and as it is searched."""
    found = []
    for samples in (True, False):
        try:
            found.append(files.describe(path, samples=samples).fault or "")
        except LabeltoolError as error:
            found.append(str(error))
    assert found[0] == found[1]
    return found[0] or None


@pytest.mark.parametrize("kind", DAMAGE)
@pytest.mark.parametrize("name", _CODED)
def test_a_coded_file_that_lost_something_is_named(tmp_path: Path, name: str, kind: str) -> None:
    path = written(tmp_path / name, _CODED[name])
    assert found_fault(path) is None
    path.write_bytes(DAMAGE[kind](path.read_bytes()))
    fault = found_fault(path)
    assert fault is not None and ("damaged or cut short" in fault or "malformed" in fault) and "\n" not in fault


@pytest.mark.parametrize("kind", DAMAGE)
@pytest.mark.parametrize("name", _SAMPLES)
def test_a_file_of_plain_samples_is_named_where_it_is_shorter(tmp_path: Path, name: str, kind: str) -> None:
    path = written(tmp_path / name, _SAMPLES[name])
    assert found_fault(path) is None
    path.write_bytes(DAMAGE[kind](path.read_bytes()))
    # It has no checksums: samples that were overwritten are read, and none is missing.
    is_shorter = kind.startswith("cut")
    assert (found_fault(path) is not None) == is_shorter


@pytest.mark.parametrize("kind", ["overwritten", "cut out", "cut short by little"])
def test_an_mp3_without_a_length_is_named_too(tmp_path: Path, kind: str) -> None:
    path = odd_sounds.mp3(tmp_path / "a.mp3", with_length=False)
    path.write_bytes(DAMAGE[kind](path.read_bytes()))
    assert found_fault(path) is not None


def id3(size: int, content: bytes = b"") -> bytes:
    sizes = bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x04\0\0" + sizes + content.ljust(size, b"\0")


def ape(size: int, *, header: bool) -> bytes:
    flags = 1 << 31 if header else 0
    footer = b"APETAGEX" + struct.pack("<IIII", 2000, size + 32, 1, flags) + bytes(8)
    head = b"APETAGEX" + struct.pack("<IIII", 2000, size + 32, 1, flags | 1 << 29) + bytes(8)
    return (head if header else b"") + b"\xff\xfb\x90\x64" * (size // 4) + footer


_ID3V1 = b"TAG".ljust(128, b" ")
_PICTURE = b"\xff\xfb\x90\x64" * 500  # what looks like the heads of frames
_LYRICS = b"LYRICSBEGIN" + b"IND00002" + b"10" + b"000021LYRICS200"
WHOLE: dict[str, Callable[[bytes], bytes]] = {
    "a picture before": lambda sound: id3(4000, _PICTURE) + sound,
    "two tags before": lambda sound: id3(100) + id3(50) + sound,
    "a tag behind": lambda sound: sound + _ID3V1,
    "APE behind": lambda sound: sound + ape(4000, header=True),
    "an older APE and a tag behind": lambda sound: sound + ape(4000, header=False) + _ID3V1,
    "lyrics and a tag behind": lambda sound: sound + _LYRICS + _ID3V1,
    "joined": lambda sound: id3(100) + sound + _ID3V1 + id3(300, _PICTURE[:300]) + sound + ape(400, header=True),
    "zeros behind": lambda sound: sound + bytes(40),
}


@pytest.mark.parametrize("with_length", [True, False])
@pytest.mark.parametrize("kind", WHOLE)
def test_an_mp3_with_tags_is_whole(tmp_path: Path, kind: str, with_length: bool) -> None:
    path = odd_sounds.mp3(tmp_path / "a.mp3", loud_first=True, with_length=with_length)
    path.write_bytes(WHOLE[kind](path.read_bytes()))
    assert found_fault(path) is None


def test_a_wav_with_chunks_behind_or_without_a_length_is_whole(tmp_path: Path) -> None:
    of_pipes = (0x7FFFF000, 0x7FFFFFFF - 36, 0x80000000, 0xFFFFFFFF - 44, 0xFFFFFFFF - 36)  # SoX, arecord, FFmpeg
    for claimed in (0, 0xFFFFFFFF, None, *of_pipes):
        path = odd_sounds.wav(tmp_path / "a.wav", claimed_bytes=claimed)
        assert found_fault(path) is None
    path.write_bytes(path.read_bytes() + b"LIST" + struct.pack("<I", 5) + b"INFOx")  # without the byte that fills it up
    assert found_fault(path) is None


@pytest.mark.parametrize("name", ["a.wav", "a.aiff"])
def test_what_was_cut_out_is_missed_though_chunks_behind_are_as_long(tmp_path: Path, name: str) -> None:
    path = written(tmp_path / name, "PCM_16")
    order = "<" if name == "a.wav" else ">"
    content = path.read_bytes() + b"LIST" + struct.pack(f"{order}I", 2 * _LOST) + bytes(2 * _LOST)
    content = content[:4] + struct.pack(f"{order}I", len(content) - 8) + content[8:]
    path.write_bytes(content)
    assert found_fault(path) is None
    path.write_bytes(DAMAGE["cut out"](content))
    assert "says 0.09" in (found_fault(path) or "")


@pytest.mark.parametrize(("end", "claimed_more"), [(-1500, 0), (-4000, 0), (-5008, 0), (None, 36), (-5008, 36)])
def test_a_wav_of_which_only_what_is_behind_the_sound_was_cut_is_whole(
    tmp_path: Path, end: int | None, claimed_more: int
) -> None:
    content = odd_sounds.wav(tmp_path / "a.wav").read_bytes()
    for name, size in ((b"LIST", 2000), (b"iXML", 2992)):
        content += name + struct.pack("<I", size) + b"text" * (size // 4)
    content = content[:4] + struct.pack("<I", len(content) - 8 + claimed_more) + content[8:]
    path = tmp_path / "a.wav"
    path.write_bytes(content[:end])
    assert found_fault(path) is None
    path.write_bytes(DAMAGE["cut out"](content[:-1500]))  # the texts look like chunks
    assert found_fault(path) is not None


def test_a_big_endian_wav_that_was_cut_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, odd_sounds.samples(), odd_sounds.RATE, format="WAV", subtype="PCM_16", endian="BIG")
    content = path.read_bytes()
    assert content.startswith(b"RIFX") and found_fault(path) is None
    path.write_bytes(content[:-_LOST])
    assert "says 0.09" in (found_fault(path) or "")


def test_an_ogg_file_that_was_never_finished_has_no_proper_end(tmp_path: Path) -> None:
    path = written(tmp_path / "a.ogg", "VORBIS")
    content = bytearray(path.read_bytes())
    last = content.rindex(b"OggS")
    content[last + 5] &= ~4
    content[last + 22 : last + 26] = bytes(4)
    content[last + 22 : last + 26] = completeness._ogg_checksum(bytes(content[last:]))
    path.write_bytes(content)
    fault = found_fault(path) or ""
    assert fault.startswith("has no proper end")
    assert (Loss(0.0, Damage(int(measure(str(path))["single"][-2]))).reason or "?") in fault  # as `check` keeps it
    path.write_bytes(content[:-1])
    assert "cut short: " in (found_fault(path) or "")


def test_the_import_and_a_search_name_it(tmp_path: Path) -> None:
    for name, subtype in {**_CODED, **_SAMPLES}.items():
        written(tmp_path / name, subtype)
        path = tmp_path / f"cut{name}"
        path.write_bytes((tmp_path / name).read_bytes()[:-_LOST])
    (batch,) = FORMATS["audio"].batches([tmp_path], quiet)
    records = list(batch.records)
    taken = {Path(one.path).name for one in of_kind(records, Recording)}
    notes = {Path(one.file).name: one.reason for one in of_kind(records, Damaged)}
    assert {"a.ogg", "a.mp3", "a.wav"} < taken
    assert set(notes) == {name for name in taken if name.startswith("cut")} >= {"cuta.ogg", "cuta.mp3", "cuta.wav"}
    path = str(tmp_path / "cuta.mp3")
    sounds, failed = files.describe_each([path])
    assert failed == [] and "cut short" in str(sounds[path].fault)


def test_however_many_notes_there_are_each_damaged_file_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    notes = [Note("a.txt", number, "is assumed") for number in range(12)]
    print_skipped([*notes, *(Damaged(f"{number}.mp3", None, "is cut short") for number in range(12))])
    lines = capsys.readouterr().err.splitlines()
    assert sum(line.startswith("damaged: ") for line in lines) == 12 and "... and 2 more" in lines[-1]


def test_a_clip_whose_file_was_damaged_since_is_left_out_by_name(tmp_path: Path) -> None:
    clips = []
    for number, (name, subtype) in enumerate(_CODED.items()):
        path = written(tmp_path / name, subtype)
        clips.append(StoredClip(number, number, str(path), files.content_hash(path), 0.0, 3.0, None, str(number)))
        if number:
            path.write_bytes(overwritten(path.read_bytes(), path.stat().st_size // 2))
    failed = FeatureCache(tmp_path / "cache", LogMelFrontend()).compute(clips)
    assert set(failed) == {one.key for one in clips[1:]}
    assert {error.file for error in failed.values()} == {one.path for one in clips[1:]}
