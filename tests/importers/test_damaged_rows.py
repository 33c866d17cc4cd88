"""Tables of which a part is odd: joined ones, stray quotation marks, rows without times; nothing is lost silently."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.records import rows_of
from labeltool.errors import LabeltoolError
from labeltool.importers.tables import table
from labeltool.records import Note

RAVEN = "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)"


def parsed(path: Path, content: str) -> tuple[list[tuple[float | None, str]], list[tuple[int | None, str, bool]]]:
    """The start and label of each row; the line and beginning of each report, and whether it is a note."""
    path.write_text(content, encoding="utf-8", newline="")
    found = table.parse(path)
    reports = [(one.line, one.reason.split(":")[0], isinstance(one, Note)) for one in found.skipped]
    return [(row.start_s, row.label) for row in rows_of(found)], reports


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("filename,fold,category", "a.wav,1,dog"),
        ("filename,fold,category,esc10", "a.wav,1,dog,True"),
        ("slice_file_name,class", "a.wav,dog"),
        ("slice_file_name,class,fsID", "a.wav,dog,3"),
    ],
)
def test_a_table_with_some_columns_of_a_data_set_is_one_of_a_person(tmp_path: Path, header: str, row: str) -> None:
    rows, _ = parsed(tmp_path / "x.csv", f"{header}\n{row}\n")
    assert rows == [(None, "dog")]


def test_selections_of_joined_tables_of_raven_are_all_there(tmp_path: Path) -> None:
    header = f"{RAVEN}\tBegin File\tFile Offset (s)\tSpecies\n"
    first = "1\tSpectrogram 1\t1\t1\t2\t90\t990\ta.wav\t1\tdog\n2\tSpectrogram 1\t1\t3\t4\t90\t990\ta.wav\t3\tcat\n"
    views = "1\tWaveform 1\t1\t5\t6\t\t\tb.wav\t5\towl\n1\tSpectrogram 1\t1\t5\t6\t90\t990\tb.wav\t5\towl\n"
    rows, reports = parsed(
        tmp_path / "x.txt", header + first + header + views + "2\tSpectrogram 1\t1\t7\t8\t90\t990\tb.wav\t7\telk\n"
    )
    assert rows == [(1.0, "dog"), (3.0, "cat"), (5.0, "owl"), (7.0, "elk")]
    assert reports == [(4, "repeats the header", False)]


def test_a_quotation_mark_is_a_letter_in_a_table_of_raven(tmp_path: Path) -> None:
    labels = ["dog", '"', '"', '"hi" bird', '"a, b"', "owl"]
    rows = [f"{n}\tSpectrogram 1\t1\t{n}\t{n + 0.5}\t90\t990\t{label}\n" for n, label in enumerate(labels, 1)]
    found, reports = parsed(tmp_path / "x.txt", f"{RAVEN}\tSpecies\n" + "".join(rows))
    assert [label for _, label in found] == ["dog", '"', '"', '"hi" bird', "a, b", "owl"] and reports == []


def test_one_row_with_a_stray_quotation_mark_or_a_huge_field_does_not_stop_the_others(tmp_path: Path) -> None:
    huge = "x" * 140_000
    found, reports = parsed(
        tmp_path / "x.csv",
        '"file", "start",end,label\na.wav,1,2,dog\n"a.wav" ,2,3,"cat" \na.wav,3,4,"do"g\n'
        f'a.wav,4,5,"{huge}"\na.wav,5,6,owl\n',
    )
    assert found == [(1.0, "dog"), (2.0, "cat"), (5.0, "owl")]
    assert [(line, is_note) for line, _, is_note in reports] == [(4, False), (5, False)]


def test_rows_between_two_stray_quotation_marks_are_named(tmp_path: Path) -> None:
    content = 'file,start,end,label\na.wav,1,2,dog\na.wav,2,3,"\na.wav,3,4,"\na.wav,4,5,owl\n'
    _, reports = parsed(tmp_path / "x.csv", content)
    assert (3, "is one row up to line 4", True) in reports
    # A field of a person with line breaks and commas is none.
    _, reports = parsed(tmp_path / "x.csv", 'file,start,end,label,note\na.wav,1,2,dog,"a, b\nc, d"\n')
    assert reports == []
    with pytest.raises(LabeltoolError, match="unexpected end"):
        parsed(tmp_path / "x.csv", 'file,start,end,label\na.wav,1,2,"dog\na.wav,2,3,cat\n')


def test_rows_behind_a_quotation_mark_that_closes_elsewhere_are_there(tmp_path: Path) -> None:
    content = 'file,start,end,label\na.wav,0,1,"dog\nb.wav,0,1,cat\nc.wav,0,1,"cow"\nd.wav,0,1,hen\n'
    rows, reports = parsed(tmp_path / "x.csv", content)
    assert [label for _, label in rows] == ["cat", "cow", "hen"] and [one[0] for one in reports] == [2]
    huge = "".join(f"a.wav,{n},{n + 1},cat\n" for n in range(9000))
    rows, reports = parsed(tmp_path / "x.csv", f'file,start,end,label\na.wav,0,1,"dog\n{huge}')
    assert len(rows) == 9000 and [(line, is_note) for line, _, is_note in reports] == [(2, False)]
    _, reports = parsed(tmp_path / "x.csv", 'file,label\na.wav,"\nb.wav,"\nc.wav,owl\n')
    assert (2, "is one row up to line 3", True) in reports


def test_a_damaged_row_of_a_table_without_a_header_is_named_by_its_line(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text('a.wav,dog\nb.wav,"c"x\nc.wav,owl\n')
    found = table.parse(path, column=("file=1", "label=2"))
    assert [row.label for row in rows_of(found)] == ["dog", "owl"] and found.skipped[0].line == 2


def test_ditto_marks_in_a_table_of_raven_are_two_fields(tmp_path: Path) -> None:
    row = '1\tSpectrogram 1\t1\t1\t2\t90\t990\t"\t"\n'
    found, reports = parsed(tmp_path / "x.txt", f"{RAVEN}\tSpecies\tNotes (own)\n{row}")
    assert found == [(1.0, '"')] and reports == []


def test_a_label_without_the_times_that_others_have_is_named(tmp_path: Path) -> None:
    content = "file,start,end,label,value\na.wav,1,2,dog,1\na.wav,,,cat,1\na.wav,,,owl,0\n"
    found, reports = parsed(tmp_path / "x.csv", content)
    assert [label for _, label in found] == ["dog", "cat", "owl"]
    assert reports == [(3, "1 row with a label and no times, this one first", True)]


def test_rows_that_contradict_each_other_are_named(tmp_path: Path) -> None:
    _, reports = parsed(
        tmp_path / "x.csv", "file,label,value\na.wav,dog,present\nb.wav,dog,present\na.wav,dog,absent\n"
    )
    assert (2, "2 rows contradict each other, this one first", True) in reports
