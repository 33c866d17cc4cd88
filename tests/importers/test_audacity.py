"""Label tracks are imported as Audacity reads them, and what is not imported is reported."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.real_data import REAL_DATA
from helpers.records import of_kind, read_audacity, rows_of
from labeltool.errors import LabeltoolError
from labeltool.importers import audacity
from labeltool.importers.label_rows import ParsedLabels
from labeltool.importers.registry import FORMATS
from labeltool.records import Verdict

WriteTone = Callable[..., Path]
SpanAndTitle = tuple[float, float, str]


def spans(got: ParsedLabels) -> list[SpanAndTitle]:
    return [(row.start_s, row.end_s, row.label) for row in rows_of(got)]


def parsed(tmp_path: Path, content: str | bytes) -> ParsedLabels:
    path = tmp_path / "labels.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return audacity.parse(path)


def oracle_names() -> list[str]:
    return sorted(path.name for path in (REAL_DATA / "audacity_oracle" / "inputs").glob("*.txt")) or ["absent"]


@pytest.mark.parametrize("name", oracle_names())
def test_text_is_read_as_audacity_reads_it(real_data: Path, name: str) -> None:
    folder = real_data / "audacity_oracle"
    oracle = json.loads((folder / "audacity_3.2.4_import_oracle.json").read_text())
    path = folder / "inputs" / name
    if name == "syn_nan.txt":
        with pytest.raises(LabeltoolError, match=r"syn_nan\.txt:1: .*nan"):
            audacity.parse(path)
        return
    ((_, expected),) = oracle.get(name, [[0, []]])  # of an empty file Audacity makes no track
    if name == "syn_hms.txt":  # times that Audacity does not read
        expected = [[1.5, 2.5, "hms"], [62.0, 63.0, "hms2"]]
    try:
        got = audacity.parse(path)
    except LabeltoolError as error:  # of a file without any label Audacity makes an empty track
        assert "is not a label track: this line" in str(error) and expected == []
        return
    # The oracle prints six significant digits.
    assert [[float(f"{start:.6g}"), float(f"{end:.6g}"), title] for start, end, title in spans(got)] == expected


def test_every_line_of_published_label_files_is_imported_or_reported(real_data: Path) -> None:
    files = sorted((real_data / "audacity").rglob("*.txt"))
    assert len(files) == 80
    for file in files:
        got = audacity.parse(file)
        lines = file.read_text("utf-8-sig").split("\n")
        continued = {number - 1 for number, line in enumerate(lines, start=1) if line.startswith("\\")}
        imported = {row.line for row in rows_of(got)} | {number + 1 for number in continued}
        reported = {note.line for note in got.skipped}
        full = {number for number, line in enumerate(lines, start=1) if line.strip()}
        assert imported | reported == full, file.name
        assert all(note.reason for note in got.skipped)


def test_frequencies_of_the_bird_recording_are_imported_with_their_labels(real_data: Path) -> None:
    folder = real_data / "pairs" / "spinetail"
    verdicts = of_kind(read_audacity([folder / "spinetail.txt"], None), Verdict)
    assert (verdicts[0].label, verdicts[0].low_hz, verdicts[0].high_hz) == ("SP", 6441.064453, 12296.577148)
    assert len(verdicts) == 18


TITLES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=60)
TIMES = st.integers(0, 10**11).map(lambda microseconds: microseconds / 1e6)
FREQUENCIES = st.none() | st.integers(0, 10**11).map(lambda microhertz: microhertz / 1e6)
LABELS = st.tuples(st.tuples(TIMES, TIMES).map(sorted), st.tuples(FREQUENCIES, FREQUENCIES), TITLES)


def as_audacity_writes(labels: Sequence[Any]) -> str:
    """Write what LabelStruct::Export writes in the extended style."""
    lines = []
    for (start_s, end_s), (low_hz, high_hz), title in labels:
        lines.append(f"{start_s:.6f}\t{end_s:.6f}\t{title}\n")
        if low_hz is not None or high_hz is not None:
            bounds = (-1.0 if hz is None else hz for hz in (low_hz, high_hz))
            lines.append("\\\t" + "\t".join(f"{hz:.6f}" for hz in bounds) + "\n")
    return "".join(lines)


@settings(deadline=None, max_examples=150)
@given(labels=st.lists(LABELS, max_size=12), encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
def test_what_audacity_writes_is_read_back_exactly(
    labels: list[Any], encoding: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "round-trip.txt"
    path.write_bytes(as_audacity_writes(labels).encode(encoding))
    got = FORMATS["audacity"].parser()(path)

    def ordered(low_hz: float | None, high_hz: float | None) -> tuple[float | None, float | None]:
        swap = low_hz is not None and high_hz is not None and high_hz < low_hz
        return (high_hz, low_hz) if swap else (low_hz, high_hz)

    in_order = sorted(labels, key=lambda label: label[0][0])
    assert spans(got) == [(start, end, title) for (start, end), _, title in in_order]
    assert [(row.low_hz, row.high_hz) for row in rows_of(got)] == [ordered(*bounds) for _, bounds, _ in in_order]
    above = sum(ordered(*bounds) != bounds for _, bounds, _ in labels)
    assert [one.reason.partition("exchanged ")[2] for one in got.skipped] == [f"({above} such rows)"] * (above > 0)


@settings(deadline=None, max_examples=200)
@given(content=st.binary(max_size=300))
def test_any_bytes_are_rows_or_one_clear_error(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "bytes.txt"
    path.write_bytes(content)
    try:
        audacity.parse(path)
    except LabeltoolError as error:
        assert error.file == str(path) and "\n" not in str(error)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("0,5\t1,25\ta\n", [(0.5, 1.25, "a")]),
        ("1e1\t1.2e+01\ta\n", [(10.0, 12.0, "a")]),
        ("\t1\t\t2\t\ta\n", [(1.0, 2.0, "a")]),
        ("3\t1\tbackwards\n-1\t2\tearly\n", [(-1.0, 2.0, "early"), (1.0, 3.0, "backwards")]),
        ("1.5\n2.5\tpoint\n3.5\t4.5\n", [(1.5, 1.5, ""), (2.5, 2.5, "point"), (3.5, 4.5, "")]),
        ("1\t2\ta\r3\t4\tb\r\n5\t6\tc", [(1.0, 2.0, "a"), (3.0, 4.0, "b"), (5.0, 6.0, "c")]),
        (
            "00:00:01.5\t00:01:02,25\tx\n90:00\t1:30:01\ty\n7\t10:30\n",
            [(1.5, 62.25, "x"), (7, 7, "10:30"), (5400, 5401, "y")],
        ),
        ("1\t2\tcafé\n".encode("utf-16"), [(1.0, 2.0, "café")]),
        (b"", []),
    ],
)
def test_the_dialects_audacity_accepts_are_accepted(
    tmp_path: Path, content: str | bytes, expected: list[SpanAndTitle]
) -> None:
    got = parsed(tmp_path, content)
    assert spans(got) == expected
    assert got.skipped == []


@pytest.mark.parametrize(
    ("encoding", "title", "assumed"),
    [
        ("cp1252", "Cetti’s warbler – Grünfink", "Windows-1252"),
        ("latin-1", "café", "Windows-1252"),
        ("shift_jis", "ウグイス", "Shift-JIS"),
    ],
)
def test_an_encoding_without_a_mark_is_assumed_and_reported(
    tmp_path: Path, encoding: str, title: str, assumed: str
) -> None:
    got = parsed(tmp_path, f"1\t2\t{title}\n".encode(encoding))
    assert spans(got) == [(1.0, 2.0, title)]
    (note,) = got.skipped
    assert f"read as {assumed}" in note.reason and "--encoding" in note.reason
    named = audacity.parse(tmp_path / "labels.txt", encoding=encoding)
    assert (spans(named), named.skipped) == ([(1.0, 2.0, title)], [])


def test_an_encoding_that_does_not_fit_or_is_needed_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_bytes("1\t2\tСоловей\n".encode("utf-16-le"))
    assert spans(audacity.parse(path, encoding="utf-16-le")) == [(1.0, 2.0, "Соловей")]
    with pytest.raises(LabeltoolError, match="binary data"):
        audacity.parse(path)
    path.write_bytes(b"1\t2\tx\x81\xff\n")
    for encoding in (None, "utf-8", "rot13", "no such"):
        with pytest.raises(LabeltoolError, match="encoding"):
            audacity.parse(path, encoding=encoding)


def test_only_the_first_line_of_frequencies_counts_and_the_others_are_reported(tmp_path: Path) -> None:
    got = parsed(tmp_path, "1\t2\ta\n\\\t100\t500\n\\\t1\t2\n\\\tx\ty\n3\t4\tb\n\\\t-1\t50\n")
    assert [(row.label, row.low_hz, row.high_hz) for row in rows_of(got)] == [("a", 100.0, 500.0), ("b", None, 50.0)]
    assert [note.line for note in got.skipped] == [3, 4]


@pytest.mark.parametrize(
    "title", ["NA", "1e5", "007", "  spaced  ", '"quoted"', "a[/]b", "=SUM(A1)", "../../x", "x" * 10_000]
)
def test_a_title_stays_unchanged(tmp_path: Path, title: str) -> None:
    assert spans(parsed(tmp_path, f"1\t2\t{title}\n")) == [(1.0, 2.0, title)]


def test_a_number_after_the_title_is_the_confidence(tmp_path: Path) -> None:
    (row,) = rows_of(parsed(tmp_path, "0.0\t3.0\tTurdus merula_Common Blackbird\t0.8321\n"))
    assert (row.label, row.confidence) == ("Turdus merula_Common Blackbird", 0.8321)


def test_columns_without_a_meaning_are_reported(tmp_path: Path) -> None:
    got = parsed(tmp_path, "0\t3\tdog\tloud\tnear\n")
    assert spans(got) == [(0.0, 3.0, "dog")]
    assert [note.line for note in got.skipped] == [1]
    assert "'loud', 'near'" in got.skipped[0].reason


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("0.5 1.0 dog", "tabs, not by spaces"),
        ("start\tend\tlabel", "'start'"),
        ("0:00:61.5\t0:01:02\tdog", "'0:00:61.5'"),
        ("9" * 60_000 + "x\t2\tdog", "must begin with a time"),
        ("1_000\t2_000\tdog", "'1_000'"),
        ("# by Ann", "comment"),
        ("\\\t100\t200", "does not follow a label"),
        ("\u0661\t\u0662\tdog", "must begin with a time"),
        *((f"{times}\tdog", "a time that is not possible") for times in ("nan\t1", "1\tNaN", "-inf\t1", "Infinity\t1")),
    ],
)
def test_a_line_that_is_not_a_label_is_reported_with_the_reason(tmp_path: Path, line: str, reason: str) -> None:
    got = parsed(tmp_path, f"1\t2\tfirst\n\n{line}\n3\t4\tlast\n")
    assert [row.label for row in rows_of(got)] == ["first", "last"]
    (note,) = got.skipped
    assert note.line == 3
    assert reason in note.reason


def test_a_label_with_unreadable_frequencies_is_not_imported_as_in_audacity(tmp_path: Path) -> None:
    got = parsed(tmp_path, "1\t2\tlost\n\\\tlow\thigh\n3\t4\tkept\n")
    assert [row.label for row in rows_of(got)] == ["kept"]
    assert [note.line for note in got.skipped] == [1, 2]


@pytest.mark.parametrize("line", ["nan\t1\tx", "1\tNaN\tx", "-inf\t1\tx", "1\tInfinity\tx"])
@pytest.mark.parametrize("labels", [1, 2])
def test_where_as_many_times_are_no_numbers_as_there_are_labels_the_first_line_is_named(
    tmp_path: Path, line: str, labels: int
) -> None:
    with pytest.raises(LabeltoolError, match="correct or delete the line") as caught:
        parsed(tmp_path, f"1\t2\tfine\n{line}\n" * labels)
    assert caught.value.line == 2


def test_a_title_keeps_characters_that_other_readers_treat_as_line_ends(tmp_path: Path) -> None:
    title = "one\u2028two\x85three\x0bfour"
    assert spans(parsed(tmp_path, f"1\t2\t{title}\n")) == [(1.0, 2.0, title)]


@pytest.mark.parametrize(
    "kind", ["noise", "noise without a zero", "noise after a byte order mark", "a zero far on", "png", "wav"]
)
def test_binary_data_is_not_a_label_track(tmp_path: Path, write_tone: WriteTone, kind: str) -> None:
    content = {
        "noise": os.urandom(4096),
        "noise without a zero": bytes(byte or 1 for byte in os.urandom(4096)),
        "noise after a byte order mark": b"\xff\xfe" + os.urandom(4096),
        "a zero far on": b"1\t2\ta\n" * 20_000 + b"\0",
        "png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(20),
        "wav": write_tone("sound.wav").read_bytes(),
    }[kind]
    with pytest.raises(LabeltoolError, match=r"is .*not a label track") as caught:
        parsed(tmp_path, content)
    assert caught.value.remedy


def test_a_missing_file_and_a_directory_are_errors(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.txt", tmp_path / "none.aup3"):
        with pytest.raises(LabeltoolError) as caught:
            audacity.parse(path)
        assert caught.value.file == str(path)


# Labels and their recording
