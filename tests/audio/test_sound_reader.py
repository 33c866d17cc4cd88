"""Sound files as strangers bring them: the length is the stream's, and what cannot be read is named in one line."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from helpers import odd_sounds
from helpers.odd_sounds import FRAMES, RATE
from labeltool.audio import files, sound_reader
from labeltool.audio.sound_reader import SoundReader
from labeltool.errors import LabeltoolError

MP3_FRAME = 1152
GIT_LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
M4A = b"\0\0\0\x20ftypM4A " + bytes(90)
# Of a header that says "not known", as an older version stored it.
UNKNOWN_S = (2**63 - 1) / RATE


def joined(path: Path, *parts: Path) -> Path:
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


LIES: dict[str, Callable[[Path], Path]] = {
    "flac, not known": lambda folder: odd_sounds.flac(folder / "a.flac", total=0),
    "flac, far too long": lambda folder: odd_sounds.flac(folder / "a.flac", total=2**36 - 1),
    "flac, one too many": lambda folder: odd_sounds.flac(folder / "a.flac", total=FRAMES + 1),
    "flac, too short": lambda folder: odd_sounds.flac(folder / "a.flac", total=1000),
    "wav, longer than the file": lambda folder: odd_sounds.wav(folder / "a.wav", claimed_bytes=200 * FRAMES),
    "wav, all ones": lambda folder: odd_sounds.wav(folder / "a.wav", claimed_bytes=0xFFFFFFFF),
    "wav, never written": lambda folder: odd_sounds.wav(folder / "a.wav", claimed_bytes=0),
}


@pytest.mark.parametrize("lie", LIES)
def test_the_length_is_the_streams_and_every_place_in_it_is_read(tmp_path: Path, lie: str) -> None:
    path = LIES[lie](tmp_path)
    assert files.describe(path).frames == FRAMES
    assert files.duration_s(path) == FRAMES / RATE
    expected = np.rint(odd_sounds.samples() * 32767) / 32768
    tail, rate = files.read_mono(path, 2.0, None)
    assert rate == RATE
    np.testing.assert_allclose(tail, expected[2 * RATE :], atol=1e-4)
    with SoundReader(path) as reader:
        for first in (40_000, 100, FRAMES - 1, FRAMES, 10 * FRAMES, 20_000):
            known = expected[first : first + 500]
            np.testing.assert_allclose(reader.mono(first, 500)[: len(known)], known, atol=1e-4)


@pytest.mark.parametrize(("name", "subtype"), [("a.ogg", "VORBIS"), ("a.mp3", "MPEG_LAYER_III"), ("a.flac", "PCM_24")])
def test_every_place_is_found_to_the_sample_after_another_was_read(tmp_path: Path, name: str, subtype: str) -> None:
    """libsndfile's seek in Ogg Vorbis ended at another sample, as often as not."""
    path = tmp_path / name
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.2, 48_000), 48_000, subtype=subtype)
    with SoundReader(path) as reader:
        whole = reader.mono(0, 48_000)
        for first in np.random.default_rng(1).integers(0, 47_500, 40).tolist():
            np.testing.assert_allclose(reader.mono(first, 500), whole[first : first + 500], rtol=0, atol=1e-6)


@pytest.mark.parametrize("loud_first", [True, False])
def test_an_mp3_without_a_length_is_read_to_its_end(tmp_path: Path, loud_first: bool) -> None:
    """Its length was guessed by its first frame, 48 s for 30, or cut what a loud beginning made look long."""
    path = odd_sounds.mp3(tmp_path / "a.mp3", loud_first=loud_first, with_length=False)
    frames = files.describe(path).frames
    assert FRAMES <= frames <= FRAMES + 3 * MP3_FRAME
    assert len(files.read_mono(path)[0]) == frames
    with_length = odd_sounds.mp3(tmp_path / "b.mp3", loud_first=loud_first)
    assert files.describe(with_length).frames == FRAMES
    assert len(files.read_mono(with_length, 2.5)[0]) == FRAMES // 6


def test_mp3_files_that_were_joined_are_read_as_one(tmp_path: Path) -> None:
    part = odd_sounds.mp3(tmp_path / "a.mp3")
    assert 2 * FRAMES <= files.describe(joined(tmp_path / "b.mp3", part, part)).frames <= 2 * FRAMES + 5 * MP3_FRAME


def test_a_wav_without_a_sample_stays_empty_whatever_follows(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(0), RATE)
    path.write_bytes(path.read_bytes() + b"LIST" + struct.pack("<I", 4) + b"INFO")
    with pytest.raises(LabeltoolError, match="has no samples"):
        files.describe(path)


def _text(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


REFUSED: dict[str, tuple[Callable[[Path], Path], str]] = {
    "1 Hz": (lambda folder: odd_sounds.wav(folder / "a.wav", rate=1), "claims a sample rate of 1 Hz"),
    "2 GHz": (lambda folder: odd_sounds.wav(folder / "a.wav", rate=2_000_000_000), "2000000000 Hz"),
    "0 Hz": (lambda folder: odd_sounds.wav(folder / "a.wav", rate=0), "impossible sample rate"),
    "65535 channels": (lambda folder: odd_sounds.wav(folder / "a.wav", channels=65535), "channels"),
    "7 bytes": (lambda folder: odd_sounds.wav(folder / "a.wav", bits=56), "not a sound file"),
    "flac cut": (lambda folder: odd_sounds.flac(folder / "a.flac", kept=0.6), "cut short"),
    "flac of unknown length cut": (lambda folder: odd_sounds.flac(folder / "a.flac", total=0, kept=0.6), "cut short"),
    "random": (lambda folder: _text(folder / "a.mp3", np.random.default_rng(0).bytes(9000)), "not a sound file"),
    "empty": (lambda folder: _text(folder / "a.wav", b""), "is empty"),
    "git-lfs": (lambda folder: _text(folder / "a.wav", GIT_LFS), "git-lfs pointer"),
    "m4a": (lambda folder: _text(folder / "my a.m4a", M4A), "`ffmpeg -i 'my a.m4a' 'my a'.flac`"),
    "aac": (lambda folder: _text(folder / "a.wav", b"\xff\xf1\x50\x80" + bytes(90)), "is AAC sound"),
    "web page": (lambda folder: _text(folder / "a.wav", b"<!DOCTYPE html>"), "web page"),
    "two Ogg streams": (
        lambda folder: joined(folder / "c.ogg", *(_ogg(folder / name, size) for name, size in (("a", 9), ("b", 8)))),
        "several Ogg streams",
    ),
}


def _ogg(path: Path, size: int) -> Path:
    soundfile.write(path, odd_sounds.samples()[: size * 1000], RATE, format="OGG")
    return path


@pytest.mark.parametrize("kind", REFUSED)
def test_the_error_names_what_a_file_is(tmp_path: Path, kind: str) -> None:
    make, reason = REFUSED[kind]
    path = make(tmp_path)
    with pytest.raises(LabeltoolError) as caught:
        files.describe(path)
    assert reason in str(caught.value) and caught.value.file == str(path)
    assert "\n" not in str(caught.value)


def test_a_damaged_file_is_read_up_to_the_damage(tmp_path: Path) -> None:
    path = odd_sounds.flac(tmp_path / "a.flac", kept=0.6)
    assert len(files.read_pcm(path, 0.0, 1.0, 8000)) == 8000
    with pytest.raises(LabeltoolError, match=r"cannot be decoded after 1\.\d+ s"):
        files.read_pcm(path, 0.0, 3.0, 8000)


def test_a_codec_that_only_goes_forward_is_read_at_any_place(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, odd_sounds.samples(), 8000, subtype="GSM610")
    whole, _ = files.read_mono(path)
    assert files.describe(path).frames == len(whole) >= FRAMES
    with SoundReader(path) as reader:
        for first in (30_000, 10_000):
            np.testing.assert_array_equal(reader.mono(first, 1000), whole[first : first + 1000])


def test_a_span_beyond_the_end_is_cut_to_the_file_or_named(tmp_path: Path) -> None:
    """As the clips of an older version are, which believed the header."""
    path = odd_sounds.flac(tmp_path / "a.flac", total=0)
    assert len(files.read_pcm(path, 0.0, UNKNOWN_S, RATE)) == FRAMES
    with pytest.raises(LabeltoolError, match="ends before 5 s"):
        files.read_pcm(path, 5.0, 6.0, RATE)


@pytest.mark.parametrize("rate", [8000, 44_100, 384_000])
def test_where_blocks_meet_changes_nothing(tmp_path: Path, rate: int, monkeypatch: pytest.MonkeyPatch) -> None:
    import soxr

    path = tmp_path / "a.wav"
    stereo = np.stack([odd_sounds.samples(), odd_sounds.samples()[::-1]], axis=1)
    soundfile.write(path, stereo, rate, subtype="FLOAT")
    monkeypatch.setattr(sound_reader, "_BLOCK_SAMPLES", 2 * 1117)
    mono = stereo.mean(axis=1, dtype=np.float32)
    expected = np.clip(np.rint(soxr.resample(mono, rate, RATE, quality="HQ") * 32768), -32768, 32767)
    np.testing.assert_array_equal(files.read_pcm(path, 0.0, None, RATE), expected.astype(np.int16))


def test_values_that_are_no_sound_are_silence_or_full_scale(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    values = np.zeros(44_100, np.float32)
    values[20_000:20_004] = [np.nan, np.inf, -np.inf, 3e38]
    soundfile.write(path, values, 44_100, subtype="FLOAT")
    pcm = files.read_pcm(path, 0.0, None, RATE)
    assert pcm.any() and not pcm[:5000].any() and not pcm[-5000:].any()
    soundfile.write(path, np.full(44_100, np.nan), 44_100, subtype="DOUBLE")
    assert not files.read_pcm(path, 0.0, None, RATE).any()


def test_a_file_that_changes_while_it_is_read_is_not_taken(
    tmp_path: Path, write_tone: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_tone("a.wav")
    hashed = files.content_hash

    def hash_and_append(file: Path) -> str:
        with file.open("ab") as out:
            out.write(bytes(100))
        return hashed(file)

    monkeypatch.setattr(files, "content_hash", hash_and_append)
    with pytest.raises(LabeltoolError, match="changed while it was read"):
        files.describe(path)


@pytest.mark.parametrize("content", [1, 2, 3])
def test_random_bytes_behind_a_good_header_are_read_or_named(tmp_path: Path, content: int) -> None:
    rng = np.random.default_rng(content)
    for suffix, kind in ((".wav", "WAV"), (".flac", "FLAC"), (".ogg", "OGG"), (".mp3", "MP3"), (".aiff", "AIFF")):
        path = tmp_path / f"a{content}{suffix}"
        soundfile.write(path, odd_sounds.samples()[:9000], RATE, format=kind)
        damaged = bytearray(path.read_bytes())
        for place in rng.integers(0, len(damaged), 30):
            damaged[place] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            assert files.describe(path).frames > 0
            assert len(files.read_mono(path)[0])
        except LabeltoolError as error:
            assert error.file == str(path)
