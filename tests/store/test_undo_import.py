"""An import is undone as a whole; importing its file again brings it back."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers.command_line import labeltool_here
from helpers.records import records_of
from helpers.store import current, fill
from labeltool.annotation.annotation_table import annotation_table
from labeltool.errors import LabeltoolError
from labeltool.project import Project
from labeltool.records import Checked, Imported
from labeltool.store import Store, clips, journal, labels, recordings
from labeltool.store.checked import checked_parts
from labeltool.store.importing import ImportResult, import_records
from labeltool.store.importing.undo import last_import, undo_last_import
from labeltool.store.label_acts import changes


def imported(store: Store, records: list[Imported], source: str = "x.csv") -> ImportResult:
    return import_records(store, records, kind="table", source=source)


def test_all_labels_of_the_last_import_no_longer_count_and_those_of_people_do(store: Store) -> None:
    fill(store, "a", "b")
    imported(store, records_of("c", "owl"), "first.csv")
    before = current(store)
    imported(store, [*records_of("a", "dog", "owl"), *records_of("d", "wolf")], "wrong.csv")
    journal.annotate(store, 1, "fox", annotator="ann")
    after = journal.newest_id(store), current(store)
    undone = undo_last_import(store, annotator="ann")
    assert undone is not None and (undone.kind, undone.source, undone.rows) == ("table", "wrong.csv", 3)
    assert undone.unused_labels == ("dog", "wolf")
    assert current(store) == {**before, (1, "fox"): "present"}
    assert clips.counts(store).unlabelled == 2
    table = annotation_table(store, after[0])
    assert dict(zip(zip(table["clip_id"], table["label"], strict=True), table["value"], strict=True)) == after[1]
    undone = undo_last_import(store, annotator="ann")
    assert undone is not None and undone.source == "first.csv"
    assert undo_last_import(store, annotator="ann") is None


def test_the_import_that_was_shown_is_undone_and_no_other(store: Store) -> None:
    assert last_import(store) is None
    imported(store, records_of("a", "dog"), "first.csv")
    shown = last_import(store)
    assert shown is not None and (shown.source, shown.rows, shown.rows_left) == ("first.csv", 1, 0)
    imported(store, records_of("b", "owl"), ", ".join(f"{number}.csv" for number in range(100)))
    with pytest.raises(LabeltoolError, match="have changed since"):
        undo_last_import(store, annotator="ann", expected=shown)
    assert len(current(store)) == 2
    of_many = last_import(store)
    assert of_many is not None and len(of_many.describe()) < 250
    assert re.search(r"import of 0\.csv, 1\.csv, .* … .*, 99\.csv \(table, 2", of_many.describe())
    assert undo_last_import(store, annotator="ann", expected=of_many) is not None
    assert last_import(store) == shown


def test_importing_again_brings_back_what_the_file_has(store: Store) -> None:
    records = [*records_of("a", "dog", "owl"), *records_of("b", "wolf")]
    imported(store, records)
    before = current(store)
    for _ in range(2):
        undo_last_import(store, annotator="ann")
        assert current(store) == {}
        again = imported(store, records)
        assert (again.verdicts, again.already_there["verdicts"]) == (3, 0)
        assert current(store) == before
    again = imported(store, records)
    assert (again.verdicts, again.already_there["verdicts"]) == (0, 3)
    undo_last_import(store, annotator="ann")
    corrected = imported(store, [*records_of("a", "dog"), *records_of("b", "fox")], "right.csv")
    assert corrected.verdicts == 2
    assert current(store) == {(1, "dog"): "present", (2, "fox"): "present"}


def test_undo_and_redo_of_people_pass_over_it(store: Store) -> None:
    fill(store, "a")
    journal.annotate(store, 1, "fox", annotator="ann")
    imported(store, records_of("b", "dog"))
    undo_last_import(store, annotator="ann")
    assert journal.redo(store, annotator="ann") is None
    undone = journal.undo(store, annotator="ann")
    assert undone is not None and undone.label == "fox"
    assert journal.redo(store, annotator="ann") is not None
    assert current(store) == {(1, "fox"): "present"}


def test_a_label_that_was_deleted_does_not_come_back_with_its_file(store: Store) -> None:
    records = [*records_of("a", "dog"), *records_of("b", "owl")]
    imported(store, records)
    changes.delete(store, "dog", annotator="ann")
    undo_last_import(store, annotator="ann")
    imported(store, records)
    assert current(store) == {(2, "owl"): "present"}


def test_undoing_a_deletion_does_not_bring_back_what_an_undone_import_had(store: Store) -> None:
    records = [*records_of("a", "dog"), *records_of("b", "owl")]
    imported(store, records)
    changes.delete(store, "dog", annotator="ann")
    undone = undo_last_import(store, annotator="ann")
    assert undone is not None and undone.rows == 1
    assert imported(store, records).verdicts == 1
    undo_last_import(store, annotator="ann")
    assert journal.undo(store, annotator="ann") is not None
    assert current(store) == {}


def test_what_an_import_brought_back_is_undone_with_it(store: Store) -> None:
    imported(store, [*records_of("a", "owl"), *records_of("b", "dgo")], "wrong.csv")
    undo_last_import(store, annotator="ann")
    imported(store, [*records_of("a", "owl"), *records_of("b", "dog")], "right.csv")
    undone = undo_last_import(store, annotator="ann")
    assert undone is not None and (undone.source, undone.rows) == ("right.csv", 2)
    assert current(store) == {} and undo_last_import(store, annotator="ann") is None


def test_the_last_import_is_the_one_that_came_last_also_when_it_brought_back(store: Store) -> None:
    first, second = records_of("a", "dog"), records_of("b", "owl")
    for source, records in (("1.csv", first), ("2.csv", second)):
        imported(store, records, source)
    undo_last_import(store, annotator="ann")
    undo_last_import(store, annotator="ann")
    imported(store, second, "2.csv")
    imported(store, first, "1.csv")
    undone = undo_last_import(store, annotator="ann")
    assert undone is not None and undone.source == "1.csv"


def test_other_imports_of_the_same_source_are_counted(store: Store) -> None:
    for name, label in (("a", "dog"), ("b", "owl")):
        imported(store, records_of(name, label), "mix")
    lefts = [undone.rows_left for _ in range(2) if (undone := undo_last_import(store, annotator="ann"))]
    assert lefts == [1, 0]


def test_a_label_that_somebody_else_uses_under_another_name_is_not_unused(store: Store) -> None:
    fill(store, "a")
    journal.annotate(store, 1, "dgo", annotator="ann")
    imported(store, records_of("b", "dog"))
    labels.rename(store, "dgo", "dog", annotator="ann")
    undone = undo_last_import(store, annotator="ann")
    assert undone is not None and undone.unused_labels == ()


def test_checked_parts_are_undone_and_come_back(store: Store) -> None:
    records = records_of("a", "dog")
    part = Checked("aaaa", 0.0, 1.0)
    imported(store, [*records, part])
    recording = recordings.recording(store, 1)
    assert len(checked_parts(store, recording.id)) == 1
    undone = undo_last_import(store, annotator="ann")
    assert undone is not None and undone.rows == 2 and not checked_parts(store, recording.id)
    again = imported(store, [*records, part])
    assert (again.verdicts, again.checked) == (1, 1) and len(checked_parts(store, recording.id)) == 1


def test_the_command_names_what_was_undone(project: Project, write_tone: Callable[..., Path]) -> None:
    at = ("--project", project.directory)
    table = write_tone("a.wav").with_name("wrong.csv")
    table.write_text("file,label\na.wav,dog\n")
    labeltool_here(*at, "import", "table", table)
    plain = labeltool_here(*at, "undo")
    assert "nothing to undo" in plain.stderr and "`labeltool undo --import` undoes it" in plain.stderr
    done = labeltool_here(*at, "undo", "--import")
    assert "undone: 1 annotation of the import of" in done.stderr and "wrong.csv" in done.stderr
    assert "no annotation has now: 'dog' (`labeltool labels retire NAME`)" in done.stderr
    assert json.loads(labeltool_here(*at, "undo", "--import", "--json").stdout) == {"undone": None}
    assert "undo --import" not in labeltool_here(*at, "undo").stderr
