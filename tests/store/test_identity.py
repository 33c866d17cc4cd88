"""A recording is known by its samples: retagged files and lossless copies are the recording that is there already."""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from helpers.records import read_audacity
from helpers.store import dump
from labeltool.audio import files
from labeltool.errors import LabeltoolError
from labeltool.importers import audio_files
from labeltool.importers.grouping import grouped
from labeltool.records import Note
from labeltool.store import Store, clips, journal, recordings
from labeltool.store.importing import ImportResult, import_records
from labeltool.store.text_journal.lines import export_lines
from labeltool.store.text_journal.reading import import_journal
from labeltool.tasks.relocate import Relocation
from labeltool.training.stratified_groups import hold_out

RATE = 16_000


@pytest.fixture
def store(new_store: Callable[..., Store], tmp_path: Path) -> Iterator[Store]:
    with new_store(tmp_path) as store:
        yield store


def samples(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(-9000, 9000, RATE // 2).astype(np.int16)


def write(path: Path, pcm: np.ndarray, subtype: str = "PCM_16", title: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = pcm.astype(np.float32) / 32768 if subtype == "FLOAT" else pcm.astype(np.int32) << 16
    with soundfile.SoundFile(path, "w", RATE, pcm.ndim, subtype) as file:
        if title:
            file.title = title
        file.write(data)
    return path


TWINS = [
    ("a.wav", "PCM_16", "retagged"),
    ("a.flac", "PCM_16", ""),
    ("a.flac", "PCM_24", "with tags"),
    ("a.aiff", "PCM_16", ""),
    ("a.wav", "PCM_24", ""),
    ("a.wav", "PCM_32", ""),
    ("a.wav", "FLOAT", ""),
]


def import_audio(store: Store, *paths: Path) -> ImportResult:
    return import_records(store, grouped(audio_files.read(paths)), kind="audio", source="test")


def import_track(store: Store, sound: Path, label: str = "dog") -> ImportResult:
    track = sound.with_suffix(".txt")
    track.write_text(f"0.1\t0.2\t{label}\n")
    return import_records(store, grouped(read_audacity([track])), kind="audacity", source="test")


def paths(store: Store) -> list[str]:
    return [recording.path for recording, _ in recordings.all_recordings(store)]


@pytest.mark.parametrize(("name", "subtype", "title"), TWINS)
def test_a_retagged_or_losslessly_encoded_file_is_the_same_recording(
    store: Store, tmp_path: Path, name: str, subtype: str, title: str
) -> None:
    first = write(tmp_path / "first" / "a.wav", samples(1))
    twin = write(tmp_path / "second" / name, samples(1), subtype, title)
    assert files.content_hash(first) != files.content_hash(twin)
    import_audio(store, first)
    import_track(store, first)
    result = import_audio(store, twin)
    assert (result.recordings, result.clips) == (0, 0)
    assert "same sound" in next(one.reason for one in result.skipped if isinstance(one, Note))
    # The same label on the twin is there already, another one lands on the clip that is there.
    again, other = import_track(store, twin), import_track(store, twin, "owl")
    assert (again.verdicts, again.clips, other.verdicts, other.clips) == (0, 0, 1, 0)
    assert [one.present for one in clips.labelled(store)] == [("dog", "owl")]
    assert paths(store) == [str(first)]


def test_other_samples_another_rate_or_other_channels_are_another_recording(tmp_path: Path) -> None:
    pcm = samples(1)
    hashes = [files.samples_hash(write(tmp_path / f"{n}.wav", one)) for n, one in enumerate((pcm, pcm[:-1], pcm + 1))]
    hashes.append(files.samples_hash(write(tmp_path / "stereo.wav", pcm.reshape(-1, 2))))
    soundfile.write(tmp_path / "rate.wav", pcm, 2 * RATE)
    hashes.append(files.samples_hash(tmp_path / "rate.wav"))
    assert len(set(hashes)) == 5 and None not in hashes


def test_a_damaged_file_is_known_by_its_bytes_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, 20 * RATE), RATE)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 4096] = bytes(4096)
    path.write_bytes(content)
    try:
        sound = files.describe(path)
    except LabeltoolError:
        return  # some versions of libsndfile cannot read it at all
    assert sound.sha256 == files.content_hash(path)


def test_a_recording_with_other_tags_or_in_another_encoding_is_found(store: Store, tmp_path: Path) -> None:
    one, two = (write(tmp_path / f"{n}.wav", samples(n)) for n in (1, 2))
    import_audio(store, one, two)
    write(one, samples(1), title="edited in place")
    (recording, sha256), _ = recordings.all_recordings(store)
    files.require_content(recording.path, sha256, recording.samples_sha256)
    with pytest.raises(LabeltoolError, match="replaced"):
        files.require_content(recording.path, sha256)
    two.unlink()
    found = write(tmp_path / "archive" / "two.flac", samples(2))
    relocation = Relocation(store)
    for path in (one, write(tmp_path / "other.wav", samples(3)), found):
        relocation.look_at(path)
    assert relocation.store_found() == 1 and not relocation.missing
    assert paths(store) == [str(one), str(found)]


def test_an_older_projects_recordings_get_their_hash_when_they_are_seen(store: Store, tmp_path: Path) -> None:
    one = write(tmp_path / "one.wav", samples(1))
    twin = write(tmp_path / "twin.flac", samples(1))
    other = write(tmp_path / "other.wav", samples(2))
    import_audio(store, one, other)
    # As an older version stored them: two recordings, for their bytes differ.
    store.connection.execute("UPDATE recordings SET samples_sha256 = NULL")
    import_audio(store, twin)
    store.connection.execute("UPDATE recordings SET samples_sha256 = NULL")
    assert len(paths(store)) == 3
    assert import_audio(store, one).amended == 1
    relocation = Relocation(store)
    relocation.look_at(twin)
    assert relocation.store_found() == 0
    groups = {clip.path: clip.group for clip in clips.all_clips(store)}
    assert groups[str(one)] == groups[str(twin)] != groups[str(other)]
    before = dump(store)
    import_audio(store, one, twin)
    assert dump(store) == before


def test_twins_and_pieces_of_one_recording_are_on_one_side_of_a_split(store: Store, tmp_path: Path) -> None:
    for night in range(6):
        for piece in range(3):
            write(tmp_path / "field" / f"night{night}-{piece:03}.wav", samples(10 * night + piece))
        write(tmp_path / "twins" / f"x{night}.flac", samples(10 * night))
    import_audio(store, tmp_path / "field")
    import_audio(store, tmp_path / "twins")
    found = clips.all_clips(store)
    assert len(found) == 18
    held_out = set(hold_out([clip.group for clip in found], [["dog"]] * len(found), share=0.3, seed=1))
    nights = [
        {Path(clip.path).name[:6] for n, clip in enumerate(found) if (n in held_out) is side} for side in (False, True)
    ]
    assert nights[0] and nights[1] and not nights[0] & nights[1]


def test_the_journal_of_somebody_who_has_the_sound_in_another_encoding(store: Store, tmp_path: Path) -> None:
    ours = write(tmp_path / "ours.wav", samples(1))
    theirs = write(tmp_path / "theirs.flac", samples(1))
    import_audio(store, ours)
    (tmp_path / "other").mkdir()
    with Store.create(tmp_path / "other" / "labels.db") as other:
        import_audio(other, theirs)
        journal.annotate(other, 1, "A\u030astrup", annotator="bob")
        text = b"".join(export_lines(other))
    result = import_journal(store, io.BytesIO(text), "other.jsonl")
    assert (result.recordings, result.clips, result.verdicts, result.skipped) == (0, 0, 1, [])
    assert [one.present for one in clips.labelled(store)] == [("\u00c5strup",)]
    before = dump(store)
    import_journal(store, io.BytesIO(text), "other.jsonl")
    assert dump(store) == before


@pytest.mark.parametrize("on_disk", ["NFC", "NFD"])
def test_a_file_is_found_in_any_unicode_form_of_its_name(
    store: Store, tmp_path: Path, on_disk: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    form: Callable[[str], str] = lambda text: unicodedata.normalize(on_disk, text)  # noqa: E731
    other: Callable[[str], str] = lambda text: unicodedata.normalize("NFD" if on_disk == "NFC" else "NFC", text)  # noqa: E731
    path = write(tmp_path / form("Vögel") / form("Käuzchen.wav"), samples(1))
    given = tmp_path / other("Vögel") / other("Käuzchen.wav")
    import_audio(store, given)
    assert paths(store) == [str(path)]
    for name in (str(given), given.name, str(path)):
        assert recordings.find_recording(store, name).path == str(path)
        assert clips.find_clip(store, name).path == str(path)
