"""Clips and verdicts that are stored a table at a time are as if each row had been stored by itself."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from helpers.records import records_of
from helpers.store import add_model_row, fill
from labeltool.errors import LabeltoolError
from labeltool.records import Clip, Imported, Skipped, Suggestion, Value, Verdict, VerdictTable, label_name
from labeltool.store import Store, journal, journal_rows, models, queue, recordings, spans
from labeltool.store.importing import ImportResult, import_records, import_rows
from labeltool.store.importing.import_rows import import_key
from labeltool.store.journal_rows import append
from labeltool.store.labels import ensure_label

SOUNDS = "abc"  # the last one is removed


@dataclass(frozen=True)
class Row:
    """A row of a source; without a value it is a clip alone, without a label its verdict is on the whole clip."""

    sound: str
    span_us: tuple[int, int]
    fold: int | None
    label: str | None
    value: Value | None
    low_hz: float | None
    confidence: float | None
    track: str | None

    def records(self, line: int) -> list[Clip | Verdict]:
        clip = Clip(self.sound * 4, self.span_us[0] / 1e6, self.span_us[1] / 1e6, self.fold)
        if self.value is None:
            return [clip]
        place = (clip.start_s, clip.end_s, self.low_hz, None, self.confidence, self.track, "labels.txt", line)
        return [clip, Verdict(clip, self.label, self.value, *place)]


def table(rows: Sequence[Row]) -> VerdictTable:
    has_verdict = [row.value is not None for row in rows]
    columns: dict[str, Any] = {
        "recording_sha256": pd.Series([row.sound * 4 for row in rows], dtype=object),
        "start_us": pd.Series([row.span_us[0] for row in rows], dtype="int64"),
        "end_us": pd.Series([row.span_us[1] for row in rows], dtype="int64"),
        "fold": pd.array([row.fold for row in rows], "Int64"),
        "label": pd.Series(
            [row.label if there else None for row, there in zip(rows, has_verdict, strict=True)], dtype=object
        ),
        "value": pd.Series([(row.value or Value.PRESENT).value for row in rows], dtype=object),
        "start_s": pd.Series([row.span_us[0] / 1e6 for row in rows], dtype=float),
        "end_s": pd.Series([row.span_us[1] / 1e6 for row in rows], dtype=float),
        "low_hz": pd.Series([row.low_hz for row in rows], dtype=float),
        "high_hz": pd.Series([None for _ in rows], dtype=float),
        "confidence": pd.Series([row.confidence for row in rows], dtype=float),
        "track": pd.Series([row.track for row in rows], dtype=object),
        "file": pd.Series(["labels.txt" for _ in rows], dtype=object),
        "line": pd.array(range(len(rows)), "Int64"),
    }
    return VerdictTable(pd.DataFrame(columns))


def as_records(rows: Sequence[Row]) -> list[Clip | Verdict]:
    return [record for line, row in enumerate(rows) for record in row.records(line)]


def as_tables(rows: Sequence[Row]) -> Iterator[Imported]:
    """Yield rows as tables; that a whole clip is present, which a table cannot have, as records between them."""
    together: list[tuple[int, Row]] = []
    for line, row in enumerate(rows):
        if row.label is not None or row.value is not Value.PRESENT:
            together.append((line, row))
            continue
        yield from _table_of(together)
        together = []
        yield from row.records(line)
    yield from _table_of(together)


def _table_of(rows: Sequence[tuple[int, Row]]) -> list[VerdictTable]:
    made = table([row for _, row in rows])
    made.rows["line"] = pd.array([line for line, _ in rows], "Int64")
    return [made] if rows else []


def store_one_by_one(store: Store, records: Sequence[Clip | Verdict]) -> ImportResult:
    """Store records by statements for each, with the database's triggers: what is expected."""
    result, clip_ids, keys = ImportResult(), dict[tuple[str, float, float], int](), set[str]()
    with store.transaction() as connection:
        cursor = connection.execute("INSERT INTO imports VALUES (NULL, 'test', '', '', '', 0, 0, 0, '[]')")
        for record in records:
            if isinstance(record, Clip):
                _clip_by_itself(connection, record, clip_ids, result)
                continue
            clip = record.clip
            content = (record.start_s, record.end_s, record.low_hz, record.high_hz, record.confidence, record.track)
            place = (clip.recording_sha256, clip.start_s, clip.end_s)
            key = import_key("test", *place, record.label, record.value.value, *content)
            if key in keys:
                result.skipped.append(Skipped(record.file or "", record.line, "repeats a verdict of this import"))
                continue
            keys.add(key)
            if connection.execute("SELECT 1 FROM journal WHERE import_key = ?", (key,)).fetchone():
                result.already_there["verdicts"] += 1
                continue
            name = None if record.label is None else label_name(record.label)
            if name is not None:
                ensure_label(connection, name)
            columns = dict(zip(("start_s", "end_s", "low_hz", "high_hz", "confidence", "track"), content, strict=True))
            who = {"annotator": "test", "origin": "import", "import_id": cursor.lastrowid, "import_key": key}
            verdict = {"kind": "verdict", "clip_id": clip_ids[place], "label": name, "value": record.value.value}
            append(connection, **verdict, **who, **columns)
            result.verdicts += 1
        if not result.changes:
            connection.execute("DELETE FROM imports WHERE id = ?", (cursor.lastrowid,))
    return result


def _clip_by_itself(
    connection: sqlite3.Connection, clip: Clip, ids: dict[tuple[str, float, float], int], result: ImportResult
) -> None:
    place = (clip.recording_sha256, clip.start_s, clip.end_s)
    number, path = connection.execute("SELECT id, path FROM recordings WHERE sha256 = ?", place[:1]).fetchone()
    where = "recording_id = ? AND start_s = ? AND end_s = ?"
    row = connection.execute(f"SELECT id, fold FROM clips WHERE {where}", (number, *place[1:])).fetchone()
    if row is None:
        sql = "INSERT INTO clips (recording_id, start_s, end_s, fold) VALUES (?, ?, ?, ?)"
        ids[place] = connection.execute(sql, (number, *place[1:], clip.fold)).lastrowid or 0
        result.clips += 1
        return
    result.already_there["clips"] += place not in ids
    ids[place] = row["id"]
    sql = "UPDATE clips SET is_region = 0 WHERE id = ? AND is_region"
    result.amended += connection.execute(sql, (row["id"],)).rowcount
    if row["fold"] is None and clip.fold is not None:
        connection.execute("UPDATE clips SET fold = ? WHERE id = ?", (clip.fold, row["id"]))
        result.amended += 1
    elif clip.fold is not None and row["fold"] != clip.fold:
        reason = f"its sound is in fold {row['fold']} already: fold {clip.fold} was ignored"
        result.skipped.append(Skipped(path, None, reason))


def contents(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    """Return what is stored and derived, with numbers of the journal's rows in place of their ids and times."""
    number = "(SELECT COUNT(*) FROM journal k WHERE k.id <= {}.id)"
    columns = [name for _, name, *_ in store.connection.execute("PRAGMA table_info(journal)")]
    plain = ", ".join(f"j.{one}" for one in columns if one not in ("id", "created_at", "revokes", "redoes", "batch_id"))
    queries = {
        "clips": "SELECT * FROM clips ORDER BY id",
        "labels": "SELECT id, name, merged_into FROM labels ORDER BY id",
        "journal": f"SELECT {number.format('r')}, {plain} FROM journal j LEFT JOIN journal r ON r.id = j.revokes "
        "ORDER BY j.id",
        "latest_events": f"SELECT {number.format('j')} AS place, e.clip_id, e.label, e.value "
        "FROM latest_events e JOIN journal j ON j.id = e.journal_id ORDER BY place",
        "suggestions": "SELECT model_id, clip_id, is_unlabelled FROM suggestions ORDER BY model_id, clip_id",
        "queue": "SELECT clip_id, rank, is_unlabelled FROM queue ORDER BY clip_id",
        "imports": "SELECT id FROM imports ORDER BY id",
    }
    return {name: [tuple(row) for row in store.connection.execute(query)] for name, query in queries.items()}


def reported(result: ImportResult) -> tuple[object, ...]:
    return result.clips, result.verdicts, result.amended, result.already_there, set(result.skipped)


@pytest.fixture(scope="module")
def labelled_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a database with verdicts by hand, revoked ones, a region, suggestions, a queue and a removed recording."""
    path = tmp_path_factory.mktemp("labelled") / "labels.db"
    with Store.create(path) as store:
        fill(store, *SOUNDS)
        journal.annotate(store, 1, "dog", annotator="ann")
        journal.annotate(store, 2, "cat", annotator="ann")
        journal.undo(store, annotator="ann")
        journal.annotate(store, 2, None, Value.ABSENT, annotator="ann")
        recording = recordings.all_recordings(store)[0][0]
        with store.transaction() as connection:
            region = spans.clip_of_region(connection, recording, spans.Region(0.25, 0.75))
        model = add_model_row(store)
        with store.transaction() as connection:
            for clip_id in (2, 3, region):
                models.add_suggestion(connection, Suggestion(clip_id, model, {"dog": 0.9}))
        queue.replace(store, [3, 2, 1])
        recordings.remove(store, [recordings.all_recordings(store)[2][0]], annotator="ann")
    return path


ROWS = st.builds(
    Row,
    st.sampled_from(SOUNDS),
    st.sampled_from([(0, 1_000_000), (0, 1_000_000), (250_000, 750_000), (333_333, 1_000_000)]),
    st.sampled_from([None, None, 1, 2]),
    st.sampled_from(["dog", " dog ", 'a\u0301 "b"\\\t', None, None]),
    st.sampled_from([*Value, Value.PRESENT, None]),
    st.sampled_from([None, 100.0, 1e-7]),
    st.sampled_from([None, 0.1 + 0.2]),
    st.sampled_from([None, "birds"]),
)


def on_a(label: str | None, value: Value) -> Row:
    return Row("a", (0, 1_000_000), None, label, value, None, None, None)


@settings(max_examples=25)
@example(
    imports=[
        [on_a("dog", Value.PRESENT), on_a(None, Value.ABSENT)],
        [on_a(None, Value.UNSURE), on_a("cat", Value.PRESENT)],
    ],
    undone=0,
    table_rows=100,
)
@given(
    imports=st.lists(st.lists(ROWS, max_size=12), min_size=1, max_size=3),
    undone=st.integers(0, 2),
    table_rows=st.sampled_from([3, 100]),
)
def test_rows_are_stored_as_if_one_by_one(
    imports: list[list[Row]],
    undone: int,
    table_rows: int,
    labelled_project: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("p")
    stores = [Store.open(Path(shutil.copy(labelled_project, folder / f"{number}.db"))) for number in range(3)]
    expected, by_tables, by_records = stores
    known = [record for name in SOUNDS for record in records_of(name)[:1]]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(import_rows, "MAX_TABLE_ROWS", table_rows)
        for rows in [*imports, imports[0]]:
            result = store_one_by_one(expected, as_records(rows))
            for store, records in ((by_tables, as_tables(rows)), (by_records, iter(as_records(rows)))):
                got = import_records(store, [*known, *records], kind="test", source="")
                got.already_there["recordings"] = 0
                got.skipped = [one for one in got.skipped if "was removed" not in one.reason]
                assert reported(got) == reported(result)
                assert contents(store) == contents(expected)
            for store in stores:
                for _ in range(undone):
                    journal.undo(store, annotator="ann")
                recordings.bring_back(store, [], annotator="ann")
    for store in stores:
        store.close()
        Store.open(store.path, to_write=True).close()  # its schema is as the migrations make it


def test_a_table_again_changes_nothing_and_is_counted(store: Store) -> None:
    fill(store, *SOUNDS)
    rows = [on_a(label, Value.PRESENT) for label in ("dog", "cat", "dog ")]
    records = [*records_of("a")[:1], table(rows)]
    first = import_records(store, records, kind="test", source="")
    assert (first.clips, first.verdicts, first.already_there["clips"]) == (0, 3, 1)
    before = contents(store)
    second = import_records(store, records, kind="test", source="")
    assert (second.changes, second.already_there["verdicts"], contents(store)) == (0, 3, before)


def test_the_checks_are_back_after_an_import(store: Store) -> None:
    fill(store, "a")
    wrong = table([on_a("dog", Value.PRESENT)])
    import_records(store, [*records_of("a")[:1], wrong], kind="test", source="")
    wrong.rows["value"] = "loud"
    before = contents(store)
    with pytest.raises(LabeltoolError, match="'loud' is no value"):
        import_records(store, [*records_of("a")[:1], wrong], kind="test", source="")
    with pytest.raises(LabeltoolError, match="CHECK"), store.transaction() as connection:
        append(connection, kind="verdict", clip_id=1, label="dog", value="loud", annotator="ann", origin="human")
    with pytest.raises(LabeltoolError, match="append-only"), store.transaction() as connection:
        connection.execute("DELETE FROM journal")
    assert contents(store) == before


def test_ids_that_follow_one_another_differ_in_their_last_digits_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_rows, "_last_id", 0)
    after = "7fffffff-0000-7000-8000-fffffffffffe"  # two more would need another digit before the last twelve
    beginning, number = journal_rows.new_row_ids(3, after)
    ids = [f"{beginning}{number + place:012x}" for place in range(3)]
    assert [after, *ids] == sorted([after, *ids]) and {len(one) for one in ids} == {36}
    assert journal_rows.new_row_id() > ids[-1]


def test_how_much_is_stored_is_reported(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_rows, "MAX_TABLE_ROWS", 2)
    records = [one for name in "abc" for one in records_of(name)]
    reports: list[tuple[str, int, int]] = []
    import_records(
        store, records, kind="a", source="s", report=lambda stage, done, total, *_: reports.append((stage, done, total))
    )
    assert reports == [("storing", 2, 3), ("storing", 3, 3)]
