"""An import that was interrupted does not read again what it has read, and reads again what has changed."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from labeltool.audio import file_versions, files
from labeltool.audio.files import AudioFile
from labeltool.errors import LabeltoolError
from labeltool.importers import described_files, description_cache
from labeltool.parallel import engine

FILES = 40


@pytest.fixture
def sounds(write_tone: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    monkeypatch.setattr(description_cache._File, "is_last", lambda one: int(Path(one.place).name[:2]) % 4 == 3)
    return [write_tone(f"{number:02}.wav", frequency_hz=300 + number, seconds=0.05) for number in range(FILES)]


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that are read, in their order."""
    taken: list[Path] = []
    describe = described_files.describe

    def counted(path: Path) -> AudioFile:
        taken.append(path)
        return describe(path)

    monkeypatch.setattr(described_files, "describe", counted)
    return taken


def describe_all(folder: Path, sounds: list[Path], most: int | None = None) -> list[str]:
    """Return the hashes of files, None of one that cannot be read; after `most` the import is interrupted."""
    found = []
    with engine.using(engine.LOCAL, folder):
        for one in described_files.described(sounds):
            found.append("" if isinstance(one, LabeltoolError) else one.sha256)
            if len(found) == most:
                break
    return found


def test_what_was_read_before_the_interruption_is_not_read_again(
    tmp_path: Path, sounds: list[Path], read: list[Path]
) -> None:
    cache = tmp_path / "cache"
    expected = describe_all(tmp_path / "other", sounds)
    read.clear()
    describe_all(cache, sounds, most=FILES // 2)
    kept = sum(len(description_cache._decoder.decode(one.read_bytes())) for one in cache.rglob("*.json"))
    assert 0 < kept <= FILES // 2
    read.clear()
    assert describe_all(cache, sounds) == expected
    assert sorted(read) == sounds[kept:]
    read.clear()
    assert describe_all(cache, sounds) == expected and read == []


def test_a_new_and_a_changed_file_are_read_alone(
    tmp_path: Path, sounds: list[Path], read: list[Path], write_tone: Callable[..., Path]
) -> None:
    cache = tmp_path / "cache"
    before = describe_all(cache, sounds)
    kept = {one.name: one.read_bytes() for one in cache.rglob("*.json")}
    read.clear()
    status = sounds[7].stat()
    write_tone(sounds[7].name, frequency_hz=900.0, seconds=0.05)  # of the same size
    os.utime(sounds[7], ns=(status.st_atime_ns, status.st_mtime_ns))
    for remembered in (files._cached_hash, file_versions.decoded_properties):  # of this process, by size and time alone
        remembered.cache_clear()
    new = write_tone("22x.wav", frequency_hz=950.0, seconds=0.05)
    found = describe_all(cache, [*sounds[:23], new, *sounds[23:]])
    assert sorted(read) == [sounds[7], new]
    now = {one.name: one.read_bytes() for one in cache.rglob("*.json")}
    assert kept.keys() == now.keys() and len([name for name in kept if kept[name] != now[name]]) == 2
    assert [one for one, other in zip(before, [*found[:23], *found[24:]], strict=True) if one != other] == [before[7]]


def test_a_file_that_cannot_be_read_is_tried_again_and_a_damaged_cache_is_none(
    tmp_path: Path, sounds: list[Path], read: list[Path]
) -> None:
    cache = tmp_path / "cache"
    sounds[3].write_text("no sound")
    found = describe_all(cache, sounds)
    assert found[3] == "" and found.count("") == 1
    read.clear()
    assert describe_all(cache, sounds) == found and read == [sounds[3]]
    for number, one in enumerate(sorted(cache.rglob("*.json"))):
        one.write_bytes((b"", b"[]", b'{"a": {"path": 3}}', b"{")[number % 4])
    read.clear()
    assert describe_all(cache, sounds) == found and sorted(read) == sounds


def test_the_path_is_that_of_the_sound_when_a_folder_that_is_a_link_leads_elsewhere(
    tmp_path: Path, sounds: list[Path]
) -> None:
    first, moved, link = tmp_path / "first", tmp_path / "moved", tmp_path / "link"
    first.mkdir()
    names = [one.rename(first / one.name).name for one in sounds]
    link.symlink_to(first, target_is_directory=True)

    def paths() -> list[str]:
        with engine.using(engine.LOCAL, tmp_path / "cache"):
            found = described_files.described([link / name for name in names])
            return [one.path for one in found if isinstance(one, AudioFile)]

    assert paths() == [str((first / name).resolve()) for name in names]
    first.rename(moved)
    link.unlink()
    link.symlink_to(moved, target_is_directory=True)
    assert paths() == [str((moved / name).resolve()) for name in names]


def test_nothing_is_taken_of_a_file_that_is_not_there_or_that_cannot_be(
    tmp_path: Path, sounds: list[Path], read: list[Path]
) -> None:
    cache = tmp_path / "cache"
    sounds[3].unlink()
    found = describe_all(cache, sounds)
    assert found[3] == ""
    for one in cache.rglob("*.json"):
        kept = description_cache._decoder.decode(one.read_bytes())
        assert "" not in kept
        forged = {"": replace(next(iter(kept.values())), path=str(sounds[3]))} if kept else {}
        for number, (version, sound) in enumerate(kept.items()):
            changes = ({"path": "/etc/passwd"}, {"sha256": ""}, {"frames": 0}, {"sample_rate_hz": -1})[number % 4]
            forged[version] = replace(sound, **changes)
        one.write_bytes(msgspec.json.encode(forged))
    read.clear()
    assert describe_all(cache, sounds) == found and sorted(read) == sounds


def test_a_block_ends_with_a_large_file_and_else_after_some_32() -> None:
    def ends(size: int) -> int:
        return sum(description_cache._File("", f"/{number}.wav", size=size).is_last() for number in range(3200))

    assert 50 < ends(1) == ends(1 << 20) < 200
    assert ends(1) < ends(64 << 20) < ends(256 << 20) == 3200
