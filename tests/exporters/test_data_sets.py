"""Sound cut to files: exactly the samples of the recording, found by label, and read as others read them."""

from __future__ import annotations

import csv
import json
import wave
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from helpers.exports import bytes_of, export
from labeltool.audio import files, sound_reader
from labeltool.errors import LabeltoolError
from labeltool.exporters.file_names import OWN_FILES
from labeltool.importers.tables import table
from labeltool.project import Project
from labeltool.records import Clip, Imported, Recording, Value, Verdict
from labeltool.store import Store
from labeltool.store.importing import import_records

RATE_HZ = 22_050
Region = tuple[float, float, str]


@pytest.fixture
def add_sound(store: Store, tmp_path: Path) -> Callable[..., Path]:
    """Write two seconds of noise in some coding, and label regions of it, each on a clip of its own."""

    def add(
        name: str,
        subtype: str,
        regions: Sequence[Region],
        *,
        channels: int = 1,
        others: Sequence[tuple[str, Value]] = (),
        licence: str | None = None,
    ) -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        noise = np.random.default_rng(list(name.encode())).normal(0, 0.2, (2 * RATE_HZ, channels)).clip(-1, 1)
        soundfile.write(path, noise, RATE_HZ, subtype=subtype)
        found = files.describe(path)
        properties = found.sample_rate_hz, found.channels, found.frames
        records: list[Imported] = [
            Recording(found.path, found.sha256, *properties, name, licence, found.samples_sha256)
        ]
        for start_s, end_s, label in regions:
            clip = Clip(found.sha256, start_s, max(end_s, start_s + 0.001))
            records += [clip, Verdict(clip, label, start_s=start_s, end_s=end_s)]
            records += [Verdict(clip, other, value) for other, value in others]
        import_records(store, records, kind="test", source="test")
        return path

    return add


def metadata(directory: Path) -> list[dict[str, str]]:
    with (directory / "metadata.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("name", "subtype", "stored", "dtype"),
    [
        ("a.wav", "PCM_U8", "PCM_U8", "int16"),
        ("a.wav", "PCM_16", "PCM_16", "int16"),
        ("a.wav", "PCM_24", "PCM_24", "int32"),
        ("a.wav", "PCM_32", "PCM_32", "int32"),
        ("a.wav", "FLOAT", "FLOAT", "float32"),
        ("a.wav", "DOUBLE", "DOUBLE", "float64"),
        ("a.wav", "ULAW", "PCM_16", "int16"),
        ("a.flac", "PCM_16", "PCM_16", "int16"),
        ("a.flac", "PCM_24", "PCM_24", "int32"),
        ("a.flac", "PCM_S8", "PCM_U8", "int16"),
        ("a.aiff", "PCM_S8", "PCM_U8", "int16"),
        ("a.ogg", "VORBIS", "FLOAT", "float32"),
        ("a.mp3", "MPEG_LAYER_III", "FLOAT", "float32"),
    ],
)
def test_a_file_has_the_samples_of_its_region_in_every_channel(
    project: Project, add_sound: Callable[..., Path], name: str, subtype: str, stored: str, dtype: str
) -> None:
    regions = [(0.25, 0.75, "call"), (0.123456, 0.5, "song"), (0.0, 2.0, "whole"), (1.9, 2.0, "end")]
    path = add_sound(name, subtype, regions, channels=2)
    whole, _ = soundfile.read(path, dtype=dtype, always_2d=True)
    directory = Path(export(project, "clips").written[0])
    assert len(metadata(directory)) == len(regions)
    for row in metadata(directory):
        cut = directory / row["file_name"]
        first, last = round(float(row["start_s"]) * RATE_HZ), round(float(row["end_s"]) * RATE_HZ)
        samples, rate_hz = soundfile.read(cut, dtype=dtype, always_2d=True)
        assert rate_hz == RATE_HZ and soundfile.info(cut).subtype == stored
        # Decoders of MP3 and Ogg round in another order after a seek.
        np.testing.assert_allclose(samples, whole[first:last], rtol=0, atol=1e-6 if stored == "FLOAT" else 0)


def test_a_recording_with_other_tags_is_cut_as_before(project: Project, add_sound: Callable[..., Path]) -> None:
    path = add_sound("a.wav", "PCM_16", [(0.5, 1.0, "call")])
    before = bytes_of(Path(export(project, "clips").written[0]))
    samples, _ = soundfile.read(path, dtype="int16")
    with soundfile.SoundFile(path, "w", RATE_HZ, 1, "PCM_16") as file:
        file.title = "marsh"
        file.write(samples)
    assert bytes_of(Path(export(project, "clips").written[0])) == before


def test_a_long_region_is_cut_in_bounded_blocks(
    project: Project, add_sound: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = add_sound("a.wav", "PCM_16", [(0.1, 1.9, "call")])
    monkeypatch.setattr(sound_reader, "_BLOCK_SAMPLES", 1000)
    directory = Path(export(project, "clips").written[0])
    with wave.open(str(directory / "call" / "a_0.100-1.900.wav")) as cut, wave.open(str(path)) as whole:
        whole.readframes(2205)
        assert cut.readframes(cut.getnframes()) == whole.readframes(cut.getnframes())
        assert cut.getnframes() == round(1.9 * RATE_HZ) - 2205


def test_labels_and_names_of_any_kind_become_folders_and_files_of_their_own(
    project: Project, add_sound: Callable[..., Path]
) -> None:
    labels = ["a/b", "a_b", "A_B", "..", "con", "🐦 صوت", "x" * 900, "x" * 901]
    add_sound("one/rec.wav", "PCM_16", [(0.5, 1.0, label) for label in labels])
    add_sound("two/REC.wav", "PCM_16", [(0.5, 1.0, "a/b"), (0.5001, 1.0, "a/b"), (0.5002, 1.0, "a/b")])
    directory = Path(export(project, "clips").written[0])
    rows = metadata(directory)
    assert len(rows) == len(labels) + 3 and {row["label"] for row in rows} == set(labels)
    names = [row["file_name"] for row in rows]
    assert len({name.casefold() for name in names}) == len(rows) and all((directory / name).is_file() for name in names)
    folders = {row["label"]: row["file_name"].split("/")[0] for row in rows}
    assert len({folder.casefold() for folder in folders.values()}) == len(labels)
    assert not any(folder in (".", "..") or "/" in folder for folder in folders.values())
    assert sorted(path.name for path in directory.iterdir() if path.is_dir()) == sorted(folders.values())


def test_labels_called_as_files_of_the_product_get_folders_of_their_own(
    project: Project, add_sound: Callable[..., Path]
) -> None:
    names = sorted({*OWN_FILES, *map(str.upper, OWN_FILES)})
    add_sound("a.wav", "PCM_16", [(number / 10, number / 10 + 0.1, name) for number, name in enumerate(names)])
    directory = Path(export(project, "clips").written[0])
    assert sorted(row["label"] for row in metadata(directory)) == names
    assert all((directory / row["file_name"]).is_file() for row in metadata(directory))
    entries = list(directory.iterdir())
    assert len({path.name.casefold() for path in entries}) == len(entries)
    assert {path.name for path in entries if path.is_file()} <= OWN_FILES


def test_what_cannot_be_cut_is_named_and_the_others_are_written(
    project: Project, add_sound: Callable[..., Path]
) -> None:
    add_sound("here.wav", "PCM_16", [(0.5, 1.0, "dog"), (1.0, 1.0, "point")])
    gone = add_sound("gone.wav", "PCM_16", [(0.5, 1.0, "cat")])
    other = add_sound("replaced.wav", "PCM_16", [(0.5, 1.0, "dog")])
    gone.unlink()
    soundfile.write(other, np.zeros(2 * RATE_HZ), RATE_HZ)
    result = export(project, "clips")
    directory = Path(result.written[0])
    assert [row["file_name"] for row in metadata(directory)] == ["dog/here_0.500-1.000.wav"]
    assert not (directory / "cat").exists()
    report = pd.read_csv(directory / "not_exported.csv", keep_default_na=False)
    reasons = dict(zip(report["path"].map(lambda path: Path(path).name), report["reason"], strict=True))
    assert "does not exist" in reasons["gone.wav"] and "was replaced" in reasons["replaced.wav"]
    assert reasons["here.wav"] == "a point has no duration" and (report["exported"] == "no").all()
    assert result.lost == {"clips": 3} and {Path(one.file) for one in result.skipped} == {gone, other}


def test_where_no_recording_can_be_read_there_is_no_product(project: Project, add_sound: Callable[..., Path]) -> None:
    add_sound("gone.wav", "PCM_16", [(0.5, 1.0, "cat")]).unlink()
    for product in ("clips", "audiofolder"):
        with pytest.raises(LabeltoolError, match=f"{product}: .*does not exist any more.*nothing was exported"):
            export(project, product)
    assert not project.exports.exists()


def test_the_same_sound_gives_the_same_bytes(
    project: Project, add_sound: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    add_sound("a.wav", "FLOAT", [(0.5, 1.0, "dog")])
    add_sound("b.ogg", "VORBIS", [(0.5, 1.0, "dog")])
    first = [bytes_of(Path(directory)) for directory in export(project, "clips", "audiofolder").written]
    assert [bytes_of(Path(directory)) for directory in export(project, "clips", "audiofolder").written] == first
    sounds = [content for name, content in first[0].items() if name.endswith(".wav")]
    # A time of writing would be in the chunk with the peaks.
    assert all(content[content.index(b"PEAK") + 12 :][:4] == bytes(4) for content in sounds) and len(sounds) == 2


def test_an_audiofolder_has_a_row_a_clip_and_a_part_a_group(project: Project, add_sound: Callable[..., Path]) -> None:
    for number in range(10):
        more = [("rain", Value.PRESENT), ("NA", Value.UNSURE)] if number == 3 else []
        others = [*more, ("cat", Value.ABSENT)]
        label = "dog" if number % 2 == 0 else "1"
        add_sound(f"{number}.wav", "PCM_16", [(0.5, 1.0, label)], others=others, licence="CC BY 4.0")
    directory = Path(export(project, "audiofolder").written[0])
    parts = sorted(path.name for path in directory.iterdir() if path.is_dir())
    rows = {part: metadata(directory / part) for part in parts}
    assert parts == ["test", "train", "validation"] and sum(map(len, rows.values())) == 10
    # What `datasets` asks of a metadata.csv: a row for each file beside it, and a file for each row.
    for part in parts:
        names = [row["file_name"] for row in rows[part]]
        assert sorted(names) == sorted(path.name for path in (directory / part).glob("*.wav"))
        assert all(len(soundfile.read(directory / part / name)[0]) == round(0.5 * RATE_HZ) for name in names)
    every = [row for part in rows.values() for row in part]
    assert len({row["group"] for row in every}) == 10 and {row["licence"] for row in every} == {"CC BY 4.0"}
    (several,) = [row for row in every if row["recording"] == "3.wav"]
    assert several["label"] == "" and json.loads(several["labels"]) == ["1", "rain"]
    assert json.loads(several["absent"]) == ["cat"] and json.loads(several["unsure"]) == ["NA"]
    assert {row["label"] for row in every} == {"dog", "1", ""}
    (part,) = [part for part in parts if several in rows[part]]
    read = table.parse(directory / part / "metadata.csv").rows
    assert "absent" not in read and "unsure" not in read
    of_file = read[read["recording"] == several["file_name"]]
    assert dict(zip(of_file["label"], of_file["value"], strict=True)) == {
        **dict.fromkeys(("1", "rain"), "present"),
        **{"cat": "absent", "NA": "unsure"},
    }
    front_matter = (directory / "README.md").read_text(encoding="utf-8").split("---\n")[1]
    assert all(f"- split: {part}\n    path: {part}/**" in front_matter for part in parts)
    assert pd.read_csv(directory / "not_exported.csv").empty
