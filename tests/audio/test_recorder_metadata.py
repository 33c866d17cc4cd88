"""What recorders write into a WAV: GUANO and an AudioMoth's comment, and where the project uses it."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers.command_line import labeltool_here, labeltool_json
from labeltool.audio.recorder_metadata import recorder_columns
from labeltool.project import Project
from labeltool.store import groups
from labeltool.util.recorded_at import recorded_at

SONG_METER = """GUANO|Version:1.0
Make:Wildlife Acoustics, Inc.
Model:Song Meter Mini
Serial:SMA00646
WA|Song Meter|Prefix:POND
WA|Song Meter|Audio settings:[{"rate":24000,"gain":18}]
Timestamp:2020-10-17 13:05:00+1:00
Loc Position:54.75656 -1.59106
Note: one: two
"""
AUDIOMOTH = (
    "Recorded at 19:17:30 12/12/2018 (UTC) by AudioMoth 24F319055FDF2F5B at gain setting 2 while battery state was 3.6V"
)


def chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


def with_chunks(path: Path, *chunks: bytes, first: bool = False) -> Path:
    """Add chunks to a WAV, before its other ones or after them."""
    content = path.read_bytes()
    body = b"".join(chunks) + content[12:] if first else content[12:] + b"".join(chunks)
    path.write_bytes(b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WAVE" + body)
    return path


def guano(text: str) -> bytes:
    return chunk(b"guan", text.encode() + b"\0" * 7)


def comment(text: str) -> bytes:
    return chunk(b"LIST", b"INFO" + chunk(b"ICMT", text.encode() + bytes(32)) + chunk(b"IART", b"AudioMoth"))


@pytest.mark.parametrize("first", [True, False])
def test_guano_is_read_before_and_after_the_sound(write_tone: Callable[..., Path], first: bool) -> None:
    path = with_chunks(write_tone("a.wav", seconds=0.1), guano(SONG_METER), first=first)
    assert dict(recorder_columns(path)) == {
        "recorded_at": "2020-10-17T13:05:00",
        "site": "POND",
        "device": "Wildlife Acoustics, Inc. Song Meter Mini SMA00646",
        "location": "54.75656 -1.59106",
    }


def test_what_the_name_has_too_is_no_column(write_tone: Callable[..., Path]) -> None:
    text = SONG_METER.replace("Loc Position:54.75656 -1.59106", "Loc Position:0.0 0.0")
    path = with_chunks(write_tone("POND_20201017_130500.wav", seconds=0.1), guano(text))
    assert [name for name, _ in recorder_columns(path)] == ["device"]
    # A part that a program cut out has the name of the whole and its own time.
    later = with_chunks(write_tone("POND_20201017_130000.wav", seconds=0.1), guano(text))
    assert dict(recorder_columns(later))["recorded_at"] == "2020-10-17T13:05:00"


@pytest.mark.parametrize(
    "text",
    [
        AUDIOMOTH,
        AUDIOMOTH.replace("(UTC)", "(UTC-5:30) during deployment 0011223344556677"),
        AUDIOMOTH.replace("19:17:30", "19:17:30.250"),
        AUDIOMOTH.replace(" (UTC)", ""),
    ],
)
def test_the_comment_of_an_audiomoth(write_tone: Callable[..., Path], text: str) -> None:
    path = with_chunks(write_tone("a.wav", seconds=0.1), comment(text), first=True)
    assert dict(recorder_columns(path)) == {
        "recorded_at": "2018-12-12T19:17:30",
        "device": "AudioMoth 24F319055FDF2F5B",
    }


def test_a_chunk_that_lacks_something_hides_nothing(write_tone: Callable[..., Path]) -> None:
    poor = guano("Timestamp:2018-12-12 19:17\nLoc Position:54,75656 -1,59106\nMake:\n")
    expected = {
        "recorded_at": "2018-12-12T19:17:00",
        "location": "54.75656 -1.59106",
        "device": "AudioMoth 24F319055FDF2F5B",
    }
    # The time of the chunk that comes last counts.
    first, last = with_chunks(write_tone("a.wav"), comment(AUDIOMOTH), poor), write_tone("b.wav")
    assert dict(recorder_columns(first)) == expected
    with_chunks(last, poor, comment(AUDIOMOTH))
    assert dict(recorder_columns(last)) == expected | {"recorded_at": "2018-12-12T19:17:30"}


@pytest.mark.parametrize(
    ("position", "location"),
    [
        ("54.7 -1.5", "54.7 -1.5"),
        ("54.7, -1.5", "54.7 -1.5"),
        ("54.7,-1.5", "54.7 -1.5"),
        ("54,7 -1,5", "54.7 -1.5"),
        ("54,7;-1,5", "54.7 -1.5"),
        ("54,7, -1,5", "54.7 -1.5"),
        ("54 -1", "54.0 -1.0"),
        ("54,75656", None),
        ("54.7 -1.5 3", None),
        ("nan 1", None),
    ],
)
def test_positions(write_tone: Callable[..., Path], position: str, location: str | None) -> None:
    path = with_chunks(write_tone("a.wav"), guano(f"Loc Position:{position}"))
    assert dict(recorder_columns(path)).get("location") == location


@pytest.mark.parametrize("wrong", [0, 1, 1 << 63])
def test_the_size_of_the_sound_in_an_rf64_is_in_its_first_chunk(tmp_path: Path, wrong: int) -> None:
    sound = bytes(1000)
    sizes = struct.pack("<QQQI", 0, len(sound) + wrong, 500, 0)
    body = chunk(b"ds64", sizes) + b"data\xff\xff\xff\xff" + sound + guano(SONG_METER)
    (tmp_path / "a.wav").write_bytes(b"RF64\xff\xff\xff\xffWAVE" + body)
    assert dict(recorder_columns(tmp_path / "a.wav")).get("site") == (None if wrong else "POND")


@pytest.mark.parametrize(
    "added",
    [
        guano(""),
        guano("Timestamp:2020-13-17T13:05:00\nLoc Position:91 0\n: :\nMake:\n"),
        guano("Timestamp:never\nLoc Position:here\nSite: \u200b \n"),
        comment(AUDIOMOTH.replace("12/12", "31/02")).replace(b"AudioMoth 24", b"Audiomoth 24"),
        comment("Recorded at home"),
        b"guan\xff\xff\xff\xff",
        b"LIS",
        chunk(b"guan", bytes(range(128, 256))),
    ],
)
def test_what_is_no_metadata_gives_no_column(write_tone: Callable[..., Path], added: bytes) -> None:
    assert recorder_columns(with_chunks(write_tone("a.wav", seconds=0.1), added)) == ()


def test_other_files_give_no_column(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"")
    assert recorder_columns(tmp_path / "a.wav") == ()
    (tmp_path / "b.wav").write_bytes(guano(SONG_METER))
    assert recorder_columns(tmp_path / "b.wav") == ()


def test_an_import_takes_it_as_columns_that_a_table_may_change(
    project: Project, tmp_path: Path, write_tone: Callable[..., Path]
) -> None:
    for name, site in (("a", "POND"), ("b", "POND"), ("c", "WOOD")):
        with_chunks(write_tone(f"sounds/{name}.wav", seconds=1.0), guano(SONG_METER.replace("POND", site)))

    def own() -> list[dict[str, str]]:
        with project.open_store() as store:
            return [dict(columns) for _, columns in sorted(groups.own_columns(store).items())]

    labeltool_here(project, "import", "audio", tmp_path / "sounds", "--group-by", "column:site")
    assert [one["site"] for one in own()] == ["POND", "POND", "WOOD"]
    with project.open_store() as store:
        assert {row[0] for row in store.connection.execute("SELECT group_name FROM recordings")} == {
            *("site=POND", "site=WOOD")
        }
    when = recorded_at(str(tmp_path / "sounds/a.wav"), own()[0], 1.0)
    assert when is not None and (when.site, when.start.isoformat()) == ("POND", "2020-10-17T13:05:00")
    (tmp_path / "labels.csv").write_text("file,label,site\nsounds/a.wav,frog,LAKE\n")
    labeltool_here(project, "import", "table", tmp_path / "labels.csv")
    labeltool_here(project, "import", "audio", tmp_path / "sounds")
    assert [one["site"] for one in own()] == ["LAKE", "POND", "WOOD"]
    listed = labeltool_json(project, "clips", "--where", "site=WOOD")
    assert [Path(one["file"]).name for one in listed["clips"]] == ["c.wav"]
