"""TextGrids of Praat are read in both forms and in every encoding; what is damaged is named with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.records import rows_of
from labeltool.errors import LabeltoolError
from labeltool.importers.annotation_files import textgrid
from labeltool.importers.file_kinds import file_kind

LONG = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0 
xmax = 2.5 
tiers? <exists> 
size = 2 
item []: 
    item [1]:
        class = "IntervalTier" 
        name = "say ""it\""" 
        xmin = 0 
        xmax = 2.5 
        intervals: size = 3 
        intervals [1]:
            xmin = 0 
            xmax = 1e-3 
            text = "item [2]:
xmin = 3" 
        intervals [2]:
            xmin = 0.1234567890123456 
            xmax = 1 
            text = "" 
        intervals [3]:
            xmin = 1 ! a comment
            xmax = 2.5 
            text = "wrén" 
    item [2]:
        class = "TextTier" 
        name = "p" 
        xmin = 0 
        xmax = 2.5 
        points: size = 2 
        points [1]:
            number = 0.5 
            mark = "IntervalTier" 
        points [2]:
            number = 0.75
            mark = ""
"""
SHORT = """File type = "ooTextFile short"
"TextGrid"

0
2.5
<exists>
2
"IntervalTier"
"say ""it\"""
0
2.5
3
0
1e-3
"item [2]:
xmin = 3"
0.1234567890123456
1
""
1
2.5
"wrén"
"TextTier"
"p"
0
2.5
2
0.5
"IntervalTier"
0.75
""
"""
LABELS = [
    (0.0, 0.001, "item [2]:\nxmin = 3", 'say "it"'),
    (1.0, 2.5, "wrén", 'say "it"'),
    (0.5, 0.5, "IntervalTier", "p"),
    (0.75, 0.75, "", "p"),
]


def parsed(path: Path, text: str, encoding: str = "utf-8") -> tuple[list[tuple[float, float, str, str]], list[object]]:
    path.write_bytes(text.encode(encoding))
    got = textgrid.parse(path)
    return [(row.start_s, row.end_s, row.label, row.track) for row in rows_of(got)], [
        (one.line, one.reason) for one in got.skipped
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("text", [LONG, SHORT, " ".join(SHORT.split("\n"))], ids=["long", "short", "one line"])
def test_both_forms_give_the_same_labels_in_every_encoding(tmp_path: Path, text: str, end: str, encoding: str) -> None:
    path = tmp_path / "x.txt"
    labels, skipped = parsed(path, text.replace("\n", end), encoding)
    assert [(*times, " ".join(label.split()), track) for *times, label, track in labels] == [
        (*times, " ".join(label.split()), track) for *times, label, track in LABELS
    ]
    assert [line for line, _ in skipped] == ([None] if encoding == "cp1252" else [])
    kind = file_kind(path)
    assert kind is not None and kind.name == "textgrid"


def test_a_label_has_the_line_of_its_text(tmp_path: Path) -> None:
    (tmp_path / "x.TextGrid").write_text(LONG)
    lines = LONG.split("\n")
    numbers = [row.line for row in rows_of(textgrid.parse(tmp_path / "x.TextGrid"))]
    assert [lines[number - 1].split(" = ")[0].strip() for number in numbers] == ["text", "text", "mark", "mark"]


@pytest.mark.parametrize("number", ["soon", "1e999", "9" * 200, ""])
def test_a_damaged_time_costs_one_label(tmp_path: Path, number: str) -> None:
    labels, skipped = parsed(tmp_path / "x", LONG.replace("xmax = 1e-3", f"xmax = {number}"))
    assert labels == LABELS[1:]
    assert [line for line, _ in skipped] == [18] and "must have a start and an end" in str(skipped)


def test_a_file_that_is_cut_is_named_wherever_it_ends(tmp_path: Path) -> None:
    for end in range(LONG.index("item []"), LONG.rindex('mark = ""'), 7):
        labels, skipped = parsed(tmp_path / "x", LONG[:end])
        assert labels == LABELS[: len(labels)] and skipped


def test_intervals_of_no_length_and_turned_ones_are_kept(tmp_path: Path) -> None:
    labels, _ = parsed(tmp_path / "x", SHORT.replace("\n1\n2.5\n", "\n2.5\n-1\n").replace("\n0\n1e-3\n", "\n1\n1\n"))
    assert [times[:2] for times in labels[:2]] == [(1.0, 1.0), (-1.0, 2.5)]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (LONG.replace('"TextGrid"', '"Pitch 1"').encode(), "is no TextGrid of Praat, but 'Pitch 1'"),
        (b'File type = "ooTextFile"\n', "is no TextGrid of Praat, but 'ooTextFile'"),
        (b"ooBinaryFile\x08TextGrid\x00\x01", "is not a TextGrid in text form: it contains binary data .*as text file"),
        (b"1.0\t2.0\twren\n", "is not a TextGrid in text form"),
        (b"%PDF-1.4", "is a PDF, not a TextGrid"),
        (b'"Praat chronological TextGrid text file"\n0 2 ! Time\n', "is not a TextGrid in text form .*as text file"),
    ],
)
def test_what_is_no_textgrid_is_one_line(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(LabeltoolError, match=reason):
        textgrid.parse(tmp_path / "x")


def test_time_and_memory_are_bounded_whatever_the_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for filler in ('"' * 400_000, "1 " * 400_000, "9" * 400_000, "! " * 200_000, "+-.e" * 100_000):
        parsed(tmp_path / "x", SHORT + filler)
    monkeypatch.setattr(textgrid, "_MAX_ENTRIES", 500)
    with pytest.raises(LabeltoolError, match="more than 500 intervals"):
        parsed(tmp_path / "x", SHORT + '0 1 ""\n' * 501)
