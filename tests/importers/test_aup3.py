"""Projects of Audacity (`.aup3`) are imported as last saved; damaged and other databases are refused."""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers.audacity_project import document_of, project_file
from helpers.records import of_kind, read_audacity, rows_of
from labeltool.errors import LabeltoolError
from labeltool.importers import audacity
from labeltool.records import Verdict

WriteTone = Callable[..., Path]


@pytest.mark.parametrize("width", [1, 2, 4])
def test_a_project_keeps_full_precision_frequencies_and_track_names(tmp_path: Path, width: int) -> None:
    label = {"t": 1 / 3, "t1": 2 / 3, "selLow": 100.5, "selHigh": 2000.0, "title": "ñ\tü"}
    bare = {"t": 2.0, "t1": 2.0, "title": "point"}
    got = audacity.parse(project_file(tmp_path / "birds.aup3", [label, bare], width))
    rows = [(row.line, row.track, row.start_s, row.end_s, row.label, row.low_hz, row.high_hz) for row in rows_of(got)]
    assert rows == [
        (None, "Birds", 1 / 3, 2 / 3, "ñ\tü", 100.5, 2000.0),
        (None, "Birds", 2.0, 2.0, "point", None, None),
    ]
    assert got.skipped == []


def test_reading_a_project_in_wal_mode_writes_nothing_beside_it(tmp_path: Path) -> None:
    path = project_file(tmp_path / "birds.aup3", [{"t": 1.0, "t1": 2.0, "title": "x"}])
    database = sqlite3.connect(path)
    database.execute("PRAGMA journal_mode = WAL")
    database.close()
    before = path.read_bytes()
    assert len(audacity.parse(path).rows) == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["birds.aup3"]
    assert path.read_bytes() == before


def test_unsaved_changes_are_reported(tmp_path: Path) -> None:
    path = project_file(tmp_path / "birds.aup3", [{"t": 1.0, "t1": 2.0, "title": "saved"}])
    database = sqlite3.connect(path)
    with database:
        database.execute("INSERT INTO autosave SELECT * FROM project")
    database.close()
    got = audacity.parse(path)
    assert [row.label for row in rows_of(got)] == ["saved"]
    assert ["unsaved changes" in note.reason for note in got.skipped] == [True]


@pytest.mark.parametrize("name", ["project", "title"])
def test_a_project_of_audacity_4_has_blobs_in_its_document(tmp_path: Path, name: str) -> None:
    _, document = document_of([{"t": 1.0, "t1": 2.5, "title": "wren"}])
    names = {"project": 0, "title": 9}
    thumbnail = b"\x10" + struct.pack("<Hi", names[name], 5) + b"\xff\x01\x00\xd8\x02"  # no text in any encoding
    at = document.index(b"\x01" + struct.pack("<H", 1))  # before the label track begins
    with_blob = document[:at] + thumbnail + document[at:]
    project = project_file(tmp_path / "birds.aup4", [], document=with_blob + thumbnail)
    database = sqlite3.connect(project)
    with database:
        database.execute("CREATE TABLE project_history (id INTEGER PRIMARY KEY, doc BLOB)")
    database.close()
    assert [(row.track, row.start_s, row.end_s, row.label) for row in rows_of(audacity.parse(project))] == [
        ("Birds", 1.0, 2.5, "wren")
    ]
    project.unlink()
    project_file(project, [], document=with_blob + thumbnail[:-1])
    with pytest.raises(LabeltoolError, match="damaged"):
        audacity.parse(project)


@pytest.mark.parametrize("byte", [0x00, 0x0D, 0x7F, 0xFF])
def test_a_project_with_any_byte_damaged_is_rows_or_one_clear_error(tmp_path: Path, byte: int) -> None:
    path = project_file(tmp_path / "birds.aup3", [{"t": 1.0, "t1": 2.0, "selLow": 5.0, "title": "x"}], width=1)
    database = sqlite3.connect(path)
    (document,) = database.execute("SELECT doc FROM project").fetchone()
    for position in range(len(document)):
        with database:
            changed = document[:position] + bytes([byte]) + document[position + 1 :]
            database.execute("UPDATE project SET doc = ?", (changed,))
        try:
            audacity.parse(path)
        except LabeltoolError as error:
            assert error.file == str(path)
    database.close()


def test_a_change_in_the_write_ahead_log_is_read(tmp_path: Path) -> None:
    path = project_file(tmp_path / "birds.aup3", [{"t": 1.0, "t1": 2.0, "title": "old"}])
    newer = project_file(tmp_path / "newer.aup3", [{"t": 1.0, "t1": 2.0, "title": "new"}])
    source = sqlite3.connect(newer)
    (document,) = source.execute("SELECT doc FROM project").fetchone()
    source.close()
    open_in_audacity = sqlite3.connect(path)
    open_in_audacity.execute("PRAGMA journal_mode = WAL")
    with open_in_audacity:
        open_in_audacity.execute("UPDATE project SET doc = ?", (document,))
    try:
        assert [row.label for row in rows_of(audacity.parse(path))] == ["new"]
    finally:
        open_in_audacity.close()


def test_a_text_of_negative_length_does_not_make_the_decoder_loop(tmp_path: Path) -> None:
    path = project_file(tmp_path / "birds.aup3", [])
    database = sqlite3.connect(path)
    with database:
        database.execute("UPDATE project SET doc = ?", (b"\x0c" + struct.pack("<i", -5),))
    database.close()
    with pytest.raises(LabeltoolError, match="damaged"):
        audacity.parse(path)


def test_a_damaged_a_foreign_and_an_unsaved_database_are_errors(tmp_path: Path) -> None:
    label = {"t": 1.0, "t1": 2.0, "title": "x"}
    damaged, unsaved = (project_file(tmp_path / f"{name}.aup3", [label]) for name in ("damaged", "unsaved"))
    for path, change in (
        (damaged, "UPDATE project SET doc = substr(doc, 1, length(doc) - 30)"),
        (unsaved, "DELETE FROM project"),
    ):
        database = sqlite3.connect(path)
        with database:
            database.execute(change)
        database.close()
    foreign = project_file(tmp_path / "foreign.aup3", [label], application_id=1)
    cut = tmp_path / "cut.aup3"
    cut.write_bytes(damaged.read_bytes()[:5000])
    for path, reason in (
        (damaged, "damaged"),
        (unsaved, "never saved"),
        (foreign, "another SQLite database"),
        (cut, "cannot"),
    ):
        with pytest.raises(LabeltoolError, match=reason) as caught:
            audacity.parse(path)
        assert caught.value.file == str(path)


def test_a_project_has_the_labels_that_audacity_exported_from_it_and_their_track(real_data: Path) -> None:
    folder = real_data / "audacity_oracle"
    project = audacity.parse(folder / "real_label_project.aup3")
    exported = audacity.parse(folder / "exported_labels.txt")
    labels = [(round(row.start_s, 6), round(row.end_s, 6), row.label) for row in rows_of(project)]
    assert labels == [(row.start_s, row.end_s, row.label) for row in rows_of(exported)]
    assert {row.track for row in rows_of(project)} == {"Labels 1"}
    assert any("unsaved" in note.reason for note in project.skipped)


def test_a_project_finds_its_recording_too(tmp_path: Path, write_tone: WriteTone) -> None:
    write_tone("birds.wav")
    records = read_audacity([project_file(tmp_path / "birds.aup3", [{"t": 0.0, "t1": 0.5, "title": "x"}])], None)
    assert [record.track for record in of_kind(records, Verdict)] == ["Birds"]
