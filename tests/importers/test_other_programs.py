"""Files of AviaNZ, VIA 3, audino, HTK, RTTM and Sonic Visualiser: what their programs mean by them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from fuzz import label_files
from helpers.records import of_kind, rows_of
from labeltool.errors import LabeltoolError
from labeltool.importers import auto
from labeltool.importers.file_kinds import file_kind
from labeltool.importers.registry import FORMATS
from labeltool.records import Note, Recording, Verdict

Row = tuple[str | None, float | None, float | None, str, str, str | None]
CASES: list[tuple[str, str, str, list[Row], list[str]]] = [
    (
        "a.wav.data",
        "avianz",
        label_files.AVIANZ,
        [
            (None, 1.0, 19.5, "Kiwi (Little spotted)", "present", None),
            (None, 35.0, 45.0, "", "unsure", None),
        ],
        [],
    ),
    (
        "p.json",
        "via",
        label_files.VIA,
        [
            ("a.wav", 0.5, 1.25, "wren", "present", "s"),
            ("a.wav", 0.5, 1.25, "a", "present", "c"),
            ("a.wav", 0.5, 1.25, "b", "present", "c"),
        ],
        [],
    ),
    *(
        ("p.csv", "via", content, [("a.wav", 0.5, 1.25, "wren", "present", "s")], [])
        for content in label_files.VIA_TABLES
    ),
    (
        "x.json",
        "audino",
        label_files.AUDINO,
        [("a.wav", 0.5, 1.25, "wren", "present", "s"), ("a.wav", 0.5, 1.25, "x", "present", "m")],
        ["1 transcription not taken"],
    ),
    (
        "a.lab",
        "htk",
        label_files.LAB,
        [(None, 0.0, 0.5, "sil", "present", None), (None, 0.5, 1.25, "wren", "present", None)],
        ["has labels of several levels: only the first is taken (1 lines)"],
    ),
    (
        "x.mlf",
        "htk",
        label_files.MLF,
        [
            ("a", 0.0, 0.5, "sil", "present", None),
            ("a", 0.5, 1.25, "wren", "present", None),
            ("b", 0.0, 0.5, "owl", "present", None),
        ],
        ["has labels of several levels: only the first is taken (1 lines)"],
    ),
    (
        "x.rttm",
        "rttm",
        label_files.RTTM,
        [("a", 0.5, 1.25, "s1", "present", "SPEAKER"), ("a", 2.0, 3.0, "noise", "present", "NON-SPEECH")],
        ["1 line of other kinds not taken: 'SPKR-INFO'"],
    ),
    (
        "a.svl",
        "sonic-visualiser",
        label_files.SVL,
        [(None, 0.5, 1.25, "wren & co", "present", None)],
        ["1 point without a label not taken"],
    ),
]


@pytest.mark.parametrize(("name", "reader", "content", "expected", "notes"), CASES)
def test_labels_are_what_their_program_means(
    tmp_path: Path, name: str, reader: str, content: str, expected: list[Row], notes: list[str]
) -> None:
    path = tmp_path / name
    path.write_text(content)
    kind = file_kind(path)
    assert kind is not None and kind.importer == reader
    got = FORMATS[reader].parser()(path)
    rows = [(row.recording, row.start_s, row.end_s, row.label, row.value, row.track) for row in rows_of(got)]
    assert rows == expected
    assert [one.reason for one in got.skipped] == notes and all(isinstance(one, Note) for one in got.skipped)


@pytest.mark.parametrize(("name", "reader", "content", "expected", "notes"), CASES)
def test_their_sounds_are_found(
    tmp_path: Path,
    write_tone: Callable[..., Path],
    name: str,
    reader: str,
    content: str,
    expected: list[Row],
    notes: list[str],
) -> None:
    write_tone("a.wav", seconds=50.0, rate=1000)
    (tmp_path / name).write_text(content)
    records = list(auto.read([tmp_path]))
    assert [Path(one.path).name for one in of_kind(records, Recording)] == ["a.wav"]
    of_a = [row for row in expected if row[0] != "b" and row[3]]
    assert [one.label for one in of_kind(records, Verdict) if one.label] == [row[3] for row in of_a]


@pytest.mark.parametrize(
    ("name", "reader", "content", "reason"),
    [
        ("a.data", "avianz", "{}", "is not an annotation file of AviaNZ"),
        ("a.csv", "via", "# Exported using VGG Image Annotator\n1,2\n", "no line with CSV_HEADER"),
        ("a.json", "audino", "[{}]", "no sound has segmentations"),
        ("a.lab", "htk", "0 1000 h#\n1000 2500 sh\n", "they may be seconds or samples"),
        ("a.lab", "htk", "0 5000000 sil\n5000000 5000001 x\n", "they may be seconds or samples"),
        ("a.lab", "htk", "0 10000 x\n", "they may be seconds or samples"),
        ("a.lab", "htk", "one two\n", "no line has a start, an end and a label"),
        ("a.rttm", "rttm", "SPKR-INFO a 1 <NA>\n", "no line is a segment"),
        ("a.svl", "sonic-visualiser", label_files.SVL.replace("8000", "0", 1), "a sample rate of 0 is not possible"),
    ],
)
def test_what_is_none_is_one_line(tmp_path: Path, name: str, reader: str, content: str, reason: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(LabeltoolError, match=re.escape(reason)):
        FORMATS[reader].parser()(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "reader", "content", "rows", "reason"),
    [
        (
            "a.data",
            "avianz",
            '[{"Operator": ""}, [1, 2, 0, 0, ["Kiwi?"]], [1, 2], [1, 2, 0.1, 0.9, [{"species": "x", "certainty": 5}]]]',
            1,
            "segment 1 has a label without species and certainty, as older versions wrote it",
        ),
        ("a.json", "via", label_files.VIA.replace("[0.5, 1.25]", "[]"), 0, "segment 1 has no times"),
        ("a.json", "audino", label_files.AUDINO.replace("0.5", '"0.5"'), 0, "must have a start and an end"),
        ("a.lab", "htk", label_files.LAB + "x y\n10000000 5000000 z\n", 2, "has no start, end and label: 'x y'"),
        ("a.rttm", "rttm", label_files.RTTM + "SPEAKER a 1 <NA> 1\n", 2, "has no sound, start, duration and name"),
    ],
)
def test_a_part_that_cannot_be_read_is_named(
    tmp_path: Path, name: str, reader: str, content: str, rows: int, reason: str
) -> None:
    (tmp_path / name).write_text(content)
    got = FORMATS[reader].parser()(tmp_path / name)
    assert len(got.rows) == rows
    assert any(reason in one.reason for one in got.skipped)


def test_a_certainty_of_avianz_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.data"
    path.write_text(label_files.AVIANZ.replace("100,", "50,"))
    row, _ = rows_of(FORMATS["avianz"].parser()(path))
    assert (row.value, row.confidence, row.low_hz, row.high_hz, row.Operator) == ("unsure", 0.5, 1200.0, 2500.0, "A")
