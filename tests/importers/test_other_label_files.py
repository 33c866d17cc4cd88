"""Labels in SubRip, WebVTT and Audacity 2 projects, files that are something else, and one bad file among others."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers.records import of_kind, read_audacity, rows_of
from labeltool.errors import LabeltoolError
from labeltool.importers import audacity
from labeltool.importers.file_kinds import FILE_KINDS, file_kind
from labeltool.importers.registry import FORMATS
from labeltool.records import Checked, Failed, Skipped, Verdict

WriteTone = Callable[..., Path]

SUBRIP = "1\n00:00:01,000 --> 00:00:02,500\nblackbird\n\n2\n00:00:04,000 --> 00:00:04,000\n\n\n"
WEBVTT = "WEBVTT - a title\n\nNOTE\nof mine\n\nSTYLE\n::cue {}\n\nintro\n00:01.000 --> 01:02.500 align:start\n"


def labels(path: Path, content: str) -> list[tuple[float, float, str]]:
    path.write_bytes(content.encode())
    return [(row.start_s, row.end_s, row.label) for row in rows_of(audacity.parse(path))]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_subrip_is_read_as_audacity_writes_it(tmp_path: Path, end: str) -> None:
    rows = labels(tmp_path / "any.txt", SUBRIP.replace("\n", end))
    assert rows == [(1.0, 2.5, "blackbird"), (4.0, 4.0, "")]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (WEBVTT + "<v Ann>a &amp; <i>b</i></v>\nc < d\n", [(1.0, 62.5, "a & b c < d")]),
        ("\ufeffWEBVTT\n\n100:00:01.000 --> 100:00:02.000\nlate\n", [(360001.0, 360002.0, "late")]),
        (SUBRIP.rstrip("\n") + "\nrobin", [(1.0, 2.5, "blackbird"), (4.0, 4.0, "robin")]),
        (
            "1\n00:00:01,0 --> 00:00:02,5\na --> b\nc\n2\n00:00:03,0 --> 00:00:04,0\nd",
            [(1, 2.5, "a --> b c"), (3, 4, "d")],
        ),
        ("1\n00:00:01,0 --> 00:00:02,5\na &amp; {b}\n", [(1.0, 2.5, "a &amp; {b}")]),
    ],
)
def test_cues_are_labels(tmp_path: Path, content: str, expected: list[tuple[float, float, str]]) -> None:
    assert labels(tmp_path / "x.vtt", content) == expected


def test_text_that_belongs_to_no_cue_is_reported_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "x.srt"
    path.write_text(SUBRIP + "lost\nwords\n\n3\n00:00:05,000 -> 00:00:06,000\nbroken\n")
    assert {note.line for note in audacity.parse(path).skipped} == {9, 10}


ONE = "1\n00:00:01,000 --> 00:00:02,500\nwren\n\n"
TWO = "2\n00:00:03,000 --> 00:00:04,000\nrobin\n"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("00:00:01,000 --> 00:00:02,500", "00:00:01 --> 00:00:02.5"),
        *(("-->", arrow) for arrow in ("–>", "—>", "->", "→", "==>", "-- >", "--&gt;", "−−>")),
        ("1\n", "\n\n  1  \n"),
        ("1\n", ""),
        ("1\n00", "0"),
        (" --> ", "\t-->\t"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_times_are_read_with_whatever_arrow_and_digits(tmp_path: Path, old: str, new: str, encoding: str) -> None:
    path = tmp_path / "x.srt"
    path.write_text(ONE.replace(old, new) + TWO.replace(old, new), encoding=encoding)
    parsed = audacity.parse(path)
    assert [row.label for row in rows_of(parsed)] == ["wren", "robin"] and parsed.skipped == []
    assert (rows_of(parsed)[0].start_s, rows_of(parsed)[0].end_s) == (1.0, 2.5)


@pytest.mark.parametrize(
    "times",
    [
        "00:00:00,x00 --> 00:00:01,000",
        "9" * 60_000 + ":00:00,000 --> 00:00:01,000",
        "00:00:00,100 --> ",
        "-0:00:01,000 --> 00:00:01,000",
        "--> 00:00:01,000",
        "garbage – > nonsense",
    ],
)
@pytest.mark.parametrize("blank", ["\n", ""])
def test_a_damaged_cue_is_named_by_its_line_and_the_good_ones_are_read(tmp_path: Path, times: str, blank: str) -> None:
    path = tmp_path / "x.txt"
    damaged = f"1\n{times}\nlost -> words\nand more\n{blank}"
    path.write_text(damaged + TWO + "\n" + damaged)
    parsed = audacity.parse(path)
    assert [(row.start_s, row.end_s, row.label) for row in rows_of(parsed)] == [(3.0, 4.0, "robin")]
    second = 5 + len(blank) + 4
    assert [one.line for one in parsed.skipped] == [2, second + 1]
    assert all(len(one.reason) < 200 for one in parsed.skipped)
    path.write_text(damaged)
    with pytest.raises(LabeltoolError) as raised:
        audacity.parse(path)
    assert raised.value.line == 2


@pytest.mark.parametrize(
    "content",
    [
        *("1\n2.0\t3.0\ta --> b\n", "1\n2\n3\n", "0:01\t0:02\t0:01 --> 0:02\n", "1\tx\n->\n"),
        *(f"5.0\t{title}\n1.0\t2.0\tdog\n" for title in ("-> two", "→", "--> 2 dogs", "=> 0:10")),
        *(f"1.0\t2.0\tdog\n{damaged}\n" for damaged in ("5\n-> 6", "5.0 -> 6.0 cat", "00:05 --> 00:06")),
    ],
)
def test_a_label_track_with_arrows_in_its_titles_is_no_subtitle(tmp_path: Path, content: str) -> None:
    (tmp_path / "x.txt").write_text(content)
    kind = file_kind(tmp_path / "x.txt")
    assert kind is None and rows_of(audacity.parse(tmp_path / "x.txt"))


def test_an_arrow_in_a_cue_is_text(tmp_path: Path) -> None:
    text = ONE.replace("wren", "12\na -> b\n0:10 -> 0:20")
    assert labels(tmp_path / "x.srt", text) == [(1.0, 2.5, "12 a -> b 0:10 -> 0:20")]


AUP = '<?xml version="1.0"?>\n<project audacityversion="2.4.2">\n<labeltrack name="Birds">{}</labeltrack></project>'


def test_labels_of_an_audacity_2_project_are_read(tmp_path: Path) -> None:
    path = tmp_path / "old.aup"
    path.write_text(
        AUP.format('<label t="1.0" t1="2.5" title="wren &amp; co" selLow="100"/><label t="4" title="robin"/>')
    )
    assert [(row.track, row.start_s, row.end_s, row.label, row.low_hz) for row in rows_of(audacity.parse(path))] == [
        ("Birds", 1.0, 2.5, "wren & co", 100.0),
        ("Birds", 4.0, 4.0, "robin", None),
    ]


@pytest.mark.parametrize(
    "content",
    [
        AUP.format('<label title="no time"/>'),
        AUP.format('<label t="soon"/>'),
        AUP.format("<label t='1'>"),
        AUP.format("&a;").replace("\n<project", '<!DOCTYPE project [<!ENTITY a "aaa">]><project'),
    ],
)
def test_a_damaged_audacity_2_project_is_one_line(tmp_path: Path, content: str) -> None:
    path = tmp_path / "old.aup"
    path.write_text(content)
    with pytest.raises(LabeltoolError, match=r"old\.aup: is a damaged Audacity project: .*export its labels"):
        audacity.parse(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"%PDF-1.4", "is a PDF, not a label track"),
        (b"PK\x03\x04", "a ZIP archive or a spreadsheet"),
        (b'File type = "ooTextFile"\n', "a TextGrid of Praat"),
        (b"Selection\tView\tChannel\tBegin Time (s)\n1\tW\t1\t2.0\n", "a selection table of Raven"),
        (b"filename,fold,target,category,esc10\n", "the table of ESC-50, not a label track (`labeltool import esc50`"),
        (b"\xef\xbb\xbfslice_file_name;fsID\n", "the table of UrbanSound8K"),
        (b"# aed_run 2 model=1\n", "`labeltool import device` reads it"),
        (b'{"file_metadata": {}}', "a JAMS file, not a label track (`labeltool import jams` reads it"),
        (b'{"a": 1}', "a JSON file"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"....ftypM4A ", "an MP4 file"),
        (b"0.5 1.5 dog\n", r":1: is not a label track: this line must have its columns separated by tabs"),
        (b"start,end,label\n0.5,1.5,dog\n", r":1: is not a label track: this line must begin with a time in seconds"),
    ],
)
def test_a_file_that_is_something_else_is_one_line_that_names_it(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "x.txt"
    path.write_bytes(content)
    with pytest.raises(LabeltoolError, match=re.escape(words).replace(r"\\:", ":")) as caught:
        audacity.parse(path)
    assert "\n" not in str(caught.value)


def test_kinds_of_files_are_of_different_names_and_name_formats_that_exist(tmp_path: Path) -> None:
    assert len({kind.name for kind in FILE_KINDS}) == len(FILE_KINDS)
    assert {kind.importer for kind in FILE_KINDS} - {None} <= set(FORMATS)
    assert file_kind(tmp_path) is None and file_kind(tmp_path / "none") is None


def test_of_several_files_those_that_can_be_read_are_and_the_others_are_named(
    tmp_path: Path, write_tone: WriteTone
) -> None:
    write_tone("good.wav", seconds=3.0)
    write_tone("far.wav", seconds=3.0)
    contents = {
        "good": "1\t2\twren\n",
        "alone": "1\t2\tx\n",
        "far": "8\t9\tx\n",
        "bad": "one\ttwo\n",
        "nan": "nan\t1\n",
    }
    for name, content in contents.items():
        (tmp_path / f"{name}.txt").write_text(content)
    files = [tmp_path / f"{name}.txt" for name in (*contents, "none")]
    records = list(read_audacity(files, checked=True))
    assert [one.label for one in of_kind(records, Verdict)] == ["wren"]
    assert {Path(one.file).stem for one in of_kind(records, Failed)} == {"alone", "far", "bad", "nan", "none"}
    # A recording of which a track could not be read is not known to have no other sound.
    assert len(of_kind(records, Checked)) == 1
    assert [type(one) for one in read_audacity([files[0]])].count(Skipped) == 0
    with pytest.raises(LabeltoolError, match="none of its labels is inside the recording"):
        list(read_audacity([tmp_path / "far.txt"]))
