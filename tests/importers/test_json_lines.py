"""JSON Lines, as Hugging Face's AudioFolder has its metadata, are a table like any other."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.records import rows_of
from labeltool.errors import LabeltoolError
from labeltool.importers.file_kinds import file_kind
from labeltool.importers.tables import json_table, table, text


def test_the_metadata_of_an_audio_folder_are_read(tmp_path: Path) -> None:
    path = tmp_path / "metadata.jsonl"
    path.write_text(
        '{"file_name": "train/a.wav", "label": "dog", "site": "marsh", "n": 3, "checked": true}\n'
        '{"file_name": "b.wav", "label": ["Baby cry, infant cry", "rain"], "start": [0.5, 1], "end": [1, 2.5]}\n\n'
        "[1]\n"
        '{"file_name": "c.wav", "label": null, "other": {"a": 1}, "site": ["x"]}\n'
        '{"file_name": "d.wa'
    )
    got = table.parse(path)
    assert [(row.line, row.recording, row.start_s, row.end_s, row.label) for row in rows_of(got)] == [
        (1, "train/a.wav", None, None, "dog"),
        (2, "b.wav", 0.5, 1.0, "Baby cry, infant cry"),
        (2, "b.wav", 1.0, 2.5, "rain"),
        (5, "c.wav", None, None, ""),
    ]
    assert got.rows["site"].tolist() == ["marsh", None, None, "x"] and got.rows["n"].tolist()[0] == "3"
    assert [(one.line, one.reason.split(":")[0]) for one in got.skipped] == [
        (4, "is no JSON object"),
        (6, "is no JSON object"),
        (1, "1 row with a label and no times, this one first"),
    ]
    kind = file_kind(path)
    assert kind is not None and kind.importer == "table"


A = '{"file": "a.wav", "start": 1, "end": 2, "label": "dog"}'
B = A.replace("a.wav", "b.wav")


@pytest.mark.parametrize("damaged", ["not json", A[:20], "[1]", "12", '{"a": {', "start,end,label"])
@pytest.mark.parametrize("suffix", [".jsonl", ".ndjson", ".JSONL"])
def test_a_damaged_line_anywhere_is_reported_and_the_others_are_read(tmp_path: Path, damaged: str, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    for lines in ([A, damaged, B], [damaged, A, B], [A, B, damaged], ["", damaged, A, "", damaged]):
        path.write_text("\n".join(lines))
        got = table.parse(path)
        assert [row.line for row in rows_of(got)] == [n for n, one in enumerate(lines, 1) if one in (A, B)]
        bad = [n for n, one in enumerate(lines, 1) if one == damaged]
        assert [(one.line, one.reason.split(":")[0]) for one in got.skipped] == [(n, "is no JSON object") for n in bad]


def test_the_first_line_decides_whatever_the_name(tmp_path: Path) -> None:
    for lines in ([A, "not json", B], [A[:20], A, B]):
        (tmp_path / "x.txt").write_text("\n".join(lines))
        assert len(table.parse(tmp_path / "x.txt").rows) == 2


def test_a_first_line_longer_than_what_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text(A[:-1] + ', "site": "' + "x" * 70_000 + f'"}}\n{B}\n')
    assert [row.line for row in rows_of(table.parse(tmp_path / "x.jsonl"))] == [1, 2]


@pytest.mark.parametrize(
    "document",
    [
        f"[\n{A},\n{B}\n]",
        f"[\n{A}\n,{B}\n]",
        f"[{A},\n{B}]",
        f'{{"data": [\n{A},\n{B}\n]}}',
        '{"a.wav": "dog", "b.wav": "dog"}',
        '{\n  "a.wav": {"label": "dog"},\n  "b.wav": {"label": "dog"}\n}',
    ],
)
def test_one_document_is_read_as_that_whatever_its_name(tmp_path: Path, document: str) -> None:
    (tmp_path / "x.jsonl").write_text(document)
    got = table.parse(tmp_path / "x.jsonl")
    assert [(row.recording, row.label) for row in rows_of(got)] == [("a.wav", "dog"), ("b.wav", "dog")]
    assert not [one for one in got.skipped if one.line is not None]


def test_one_record_is_a_table_too(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text('{"file_name": "a.wav", "label": "owl"}')
    assert [(row.recording, row.label) for row in rows_of(table.parse(tmp_path / "x.jsonl"))] == [("a.wav", "owl")]


def test_columns_are_named_as_in_any_table(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text('{"sound": "a.wav", "bird": "wren"}\n{"sound": "b.wav", "bird": "owl"}\n')
    rows = rows_of(table.parse(path, column=("file=sound", "label=bird")))
    assert [(row.recording, row.label) for row in rows] == [("a.wav", "wren"), ("b.wav", "owl")]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('{"file_name": 3\n', r"x:1: is not a table as JSON Lines"),
        ("\n".join(f'{{"file_name": "a.wav", "{number}": 1}}' for number in range(60)), "more than 50 columns"),
        ('{"file_name": "a.wav", "label": [' + "1," * 200 + "1]}", "more than 100 rows"),
    ],
)
def test_what_is_no_table_is_one_line(
    tmp_path: Path, content: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text, "_MAX_ROWS", 100)
    monkeypatch.setattr(json_table, "MAX_COLUMNS", 50)
    (tmp_path / "x").write_text(content)
    with pytest.raises(LabeltoolError, match=reason):
        json_table.read(tmp_path / "x")
