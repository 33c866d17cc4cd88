"""Databases of every schema open, with a backup and all their annotations; others are left alone."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from helpers.old_schemas import add_recordings, add_rows, released, row_id, verdict
from helpers.store import add_model_row, current, fill, replace_suggestions
from labeltool.annotation import listing, next_clips
from labeltool.errors import LabeltoolError
from labeltool.project import Project
from labeltool.records import Suggestion, Value
from labeltool.store import (
    Store,
    checked,
    clips,
    groups,
    journal,
    labels,
    models,
    recordings,
    schema,
    spans,
    transcripts,
)
from labeltool.store.detections.operating_points import OperatingPoint, operating_points, replace_operating_points


def test_a_newer_database_is_refused_and_not_changed(project: Project) -> None:
    with sqlite3.connect(project.database) as connection:
        connection.execute(f"PRAGMA user_version = {schema.SCHEMA_VERSION + 1}")
    connection.close()
    before = project.database.read_bytes()
    with pytest.raises(LabeltoolError, match="newer labeltool"):
        project.open_store()
    assert project.database.read_bytes() == before


def test_an_older_database_is_backed_up_before_it_is_migrated(
    store: Store, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store, "a")
    journal.annotate(store, 1, "dog", annotator="ann")
    store.close()

    def add_column(connection: sqlite3.Connection) -> None:
        connection.execute("ALTER TABLE recordings ADD COLUMN place TEXT")

    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, ("m_next", add_column)))
    monkeypatch.setattr("labeltool.store.opening.SCHEMA_VERSION", schema.SCHEMA_VERSION + 1)
    with project.open_store() as migrated:
        assert migrated.connection.execute("SELECT place FROM recordings").fetchone()[0] is None
        assert current(migrated) == {(1, "dog"): "present"}
    (backup,) = project.directory.glob("*.bak")
    with sqlite3.connect(backup) as copy:
        assert copy.execute("PRAGMA user_version").fetchone()[0] == schema.SCHEMA_VERSION
        assert copy.execute("SELECT label FROM journal").fetchall() == [("dog",)]
    copy.close()


def test_a_project_of_the_first_schema_is_backed_up_and_keeps_everything(tmp_path: Path) -> None:
    path = tmp_path / "labels.db"
    old = released(path, 1)
    add_recordings(old, 4)
    old.execute("INSERT INTO labels (id, name, merged_into, created_at) VALUES (2, 'hound', NULL, '2026')")
    old.execute(
        "INSERT INTO labels (id, name, merged_into, created_at) VALUES (1, 'dog', 2, '2026'), (3, 'cat', NULL, '2026')"
    )
    rows = [
        verdict(1, "dog") | {"took_ms": 5},
        verdict(2, "cat"),
        {"kind": "revoke", "revokes": row_id(2)},
        {"kind": "bad audio", "clip_id": 3},
        {"kind": "rename", "label": "dog", "new_label": "hound"},
    ]
    add_rows(old, rows)
    before = old.execute("SELECT * FROM journal ORDER BY id").fetchall()
    old.close()
    with Store.open(path) as migrated:
        assert migrated.connection.execute("PRAGMA user_version").fetchone()[0] == schema.SCHEMA_VERSION
        kept = [tuple(row) for row in migrated.connection.execute("SELECT * FROM journal ORDER BY id")]
        # Columns that came later are empty, after the others.
        assert [row[: len(before[0])] for row in kept] == before
        assert not any(any(row[len(before[0]) :]) for row in kept)
        assert current(migrated) == {(1, "hound"): "present"}
        assert [clip.id for clip in clips.unlabelled(migrated)] == [2, 4]
        assert transcripts.search(migrated, "fire") == (0, [])
        assert journal.undo(migrated, annotator="ann") is not None
        assert current(migrated) == {(1, "dog"): "present"}
        assert migrated.connection.execute("PRAGMA foreign_key_check").fetchall() == []
    (backup,) = tmp_path.glob("*.schema-1.*.bak")
    with sqlite3.connect(backup) as copy:
        assert copy.execute("PRAGMA user_version").fetchone()[0] == 1
        assert copy.execute("SELECT * FROM journal ORDER BY id").fetchall() == before
    copy.close()


@pytest.mark.parametrize("version", [2, 3, 4, 5])
def test_a_project_of_an_early_schema_is_backed_up_and_keeps_its_labels(tmp_path: Path, version: int) -> None:
    path = tmp_path / "labels.db"
    old = released(path, version)
    add_recordings(old, 2)
    old.execute("INSERT INTO labels (name, created_at) VALUES ('dog', '2026')")
    add_rows(old, [verdict(1, "dog"), verdict(2, "dog", "absent")])
    old.close()
    with Store.open(path) as migrated:
        assert current(migrated) == {(1, "dog"): "present", (2, "dog"): "absent"}
        assert transcripts.search(migrated, "fire") == (0, [])
    assert list(tmp_path.glob(f"*.schema-{version}.*.bak"))


CARDS = (
    {
        "architecture": "miniresnet",
        "clip_rule": {"head": "softmax"},
        "background": "(none)",
        "left_out": [{"file": "x"}],
    },
    {"architecture": "borrowed ear", "ear": "yamnet", "clip_rule": {"head": "sigmoid"}},  # former names
    {"architecture": "borrowed ear", "ear": "yamnet", "finds": True},  # former names
)


@pytest.fixture
def schema_6(tmp_path: Path) -> Path:
    """A database of schema 6 with something of everything: eight clips, 9 and 10 regions of the eighth recording."""
    path = tmp_path / "labels.db"
    old = released(path, 6)
    add_recordings(old, 8)
    old.execute(
        "INSERT INTO clips (id, recording_id, start_s, end_s, marked) VALUES (9, 8, 1.0, 2.0, 1), (10, 8, 6.0, 7.0, 1)"
    )
    old.executemany(
        "INSERT INTO labels (name, created_at) VALUES (?, '2026')", [("dog",), ("cattle",), ("owl",), ("cat",)]
    )
    old.execute("INSERT INTO labels (name, merged_into, created_at) VALUES ('cow', 2, '2026')")
    old.execute("INSERT INTO imports VALUES (1, 'esc50', '/esc', 'ab', '2026', 8, 8, 1, '[]')")
    for number, card in enumerate(CARDS, start=1):
        old.execute(
            "INSERT INTO models VALUES (?, ?, NULL, ?, 1, '', 0.5, NULL, '2026', ?)",
            (number, f"uid {number}", card["architecture"], json.dumps(card)),
        )
    suggestions = [(1, clip, "dog", 0.5, json.dumps({"dog": 0.5, "cow": 0.3})) for clip in range(1, 9)]
    suggestions += [(2, 6, "cat", 0.9, '{"cat": 0.9, "dog": 0.8}'), (3, 10, "cat", 0.4, '{"cat": 0.4}')]
    old.executemany(
        "INSERT INTO suggestions (model_id, clip_id, top_label, top_probability, margin, entropy, probabilities) "
        "VALUES (?, ?, ?, ?, 0.2, 1.0, ?)",
        suggestions,
    )
    old.executemany("INSERT INTO queue (place, clip_id) VALUES (?, ?)", [(0, 8), (1, 7), (2, 1)])
    add_rows(
        old,
        [
            verdict(1, "dog", annotator="esc50", origin="import", import_id=1, import_key="k"),
            verdict(2, "dog", origin="suggestion", model_uid="uid 1", suggested_label="dog") | {"took_ms": 100},
            verdict(3, "dog", act=row_id(3)),
            verdict(4, "dog", "absent", act=row_id(3)),
            {"kind": "revoke", "revokes": row_id(3), "act": row_id(5)},
            {"kind": "revoke", "revokes": row_id(4), "act": row_id(5)},
            {"kind": "skip", "clip_id": 7, "annotator": "bob"},
            {"kind": "bad audio", "clip_id": 5, "annotator": "bob"},
            {"kind": "note", "clip_id": 2, "note": "two dogs?", "annotator": "bob"},
            verdict(9, "owl", start_s=1.0, end_s=2.0, low_hz=100.0, high_hz=200.0, annotator="bob"),
            verdict(1, None, "absent", annotator="bob"),
            verdict(1, "cow", annotator="bob"),
            {"kind": "rename", "label": "cow", "new_label": "cattle", "annotator": "bob"},
        ],
    )
    old.execute(
        "INSERT INTO transcripts VALUES (2, 'whisper', 'ab', 'en', 0.9, 'fire brigade', '{\"words\": true}', '2026')"
    )
    old.execute(
        "INSERT INTO transcript_segments VALUES (2, 0, 0.0, 1.0, 'fire brigade', '[[0.0, 0.5, \"fire\", 0.5]]')"
    )
    old.execute("INSERT INTO claims VALUES (8, 'eve', 4e9)")
    old.close()
    return path


def test_a_project_of_schema_6_has_the_same_annotations_and_rows(schema_6: Path) -> None:
    with sqlite3.connect(schema_6) as old:
        truth = old.execute("SELECT * FROM truth ORDER BY clip_id, label").fetchall()
        standing = old.execute("SELECT * FROM standing ORDER BY id").fetchall()
        rows = [(*row, None, None) for row in old.execute("SELECT * FROM journal ORDER BY id")]  # columns were added
    old.close()
    with Store.open(schema_6) as store:
        read = store.connection.execute
        assert [tuple(row) for row in read("SELECT * FROM current_annotations ORDER BY clip_id, label")] == truth
        assert [tuple(row) for row in read("SELECT * FROM active_events ORDER BY id")] == standing
        assert [tuple(row) for row in read("SELECT * FROM journal ORDER BY id")] == rows
        assert current(store) == {(1, "cattle"): "present", (2, "dog"): "present", (9, "owl"): "present"}
        for statement in ("UPDATE journal SET label = 'x'", "DELETE FROM journal"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                read(statement)
        assert read("PRAGMA integrity_check").fetchone()[0] == "ok"
        assert read("PRAGMA foreign_key_check").fetchall() == []
    assert list(schema_6.parent.glob("*.schema-6.*.bak"))


def test_a_project_of_schema_6_is_listed_undone_and_labelled_as_before(schema_6: Path) -> None:
    with Store.open(schema_6) as store:
        counts = clips.counts(store)
        assert (counts.clips, counts.labelled, counts.unlabelled, counts.excluded) == (9, 3, 5, 1)
        assert [clip.id for clip in clips.unlabelled(store)] == [3, 4, 6, 7, 8]
        assert [clip.id for clip in next_clips.next_clips(store, 1, annotator="ann")] == [7]
        assert listing.count_by_predicted_label(store) == {"dog": 4, "cat": 1}
        recording = recordings.find_recording(store, "/sounds/8.wav")
        found = [
            (span.kind, span.text, span.start_s, span.low_hz) for span in spans.annotated_spans(store, recording.id)
        ]
        assert found == [
            ("suggestion", "dog", 0.0, None),
            ("verdict", "owl", 1.0, 100.0),
            ("suggestion", "cat", 6.0, None),
        ]
        redone = journal.redo(store, annotator="ann")
        assert redone is not None and redone.batch_size == 2
        assert current(store)[3, "dog"] == "present" and current(store)[4, "dog"] == "absent"
        journal.undo(store, annotator="ann")
        assert (3, "dog") not in current(store)
        journal.undo(store, annotator="bob")
        assert current(store)[1, "cow"] == "present"
        journal.annotate_batch(store, "dog", {6: Value.PRESENT, 7: Value.ABSENT}, annotator="ann", response_ms=3)
        assert [clip.id for clip in clips.unlabelled(store)] == [3, 4, 8]
        assert transcripts.search(store, "fire")[0] == 1
        transcript = transcripts.of_clip(store, 2)
        assert transcript is not None and transcript.options == '{"words": true}'


def test_models_and_suggestions_of_schema_6_get_the_new_words_and_columns(schema_6: Path) -> None:
    with Store.open(schema_6) as store:
        trained, suggester = models.model(store), models.suggester(store)
        assert (trained.id, trained.architecture) == (1, "miniresnet")
        assert json.loads(trained.card)["skipped"] == [{"file": "x"}]
        assert suggester is not None and (suggester.id, suggester.pretrained) == (2, "yamnet")
        assert models.detection_model_id(store, "yamnet") == 3
        softmax, sigmoid, detected = (models.suggestion(store, clip_id) for clip_id in (8, 6, 10))
        assert softmax == Suggestion(8, 1, {"dog": 0.5, "cattle": 0.3}, 0.2)
        assert sigmoid == Suggestion(6, 2, {"cat": 0.9, "dog": 0.8}, 0.0, independent=True)
        assert detected == Suggestion(10, 3, {"cat": 0.4}, 0.0, independent=True)


@pytest.mark.parametrize(
    "card", ["not JSON", "[1]", '{"clip_rule": 3}', "[" * 100_000, '{"left_out": "\\ud800", "background": "x"}']
)
def test_a_damaged_card_and_damaged_probabilities_stop_no_migration(schema_6: Path, card: str) -> None:
    with sqlite3.connect(schema_6) as old:
        old.execute("UPDATE models SET card = ? WHERE id = 1", (card,))
        old.execute("UPDATE suggestions SET probabilities = 'no JSON' WHERE model_id = 1")
    old.close()
    with Store.open(schema_6) as store:
        assert models.suggester(store) is not None
        assert current(store)[(2, "dog")] == "present"


def test_the_users_own_views_stay_and_get_the_new_names(schema_6: Path) -> None:
    with sqlite3.connect(schema_6) as old:
        old.execute("CREATE VIEW fast AS SELECT clip_id, took_ms FROM journal WHERE took_ms < 500")
        old.execute("CREATE VIEW counted AS SELECT label, COUNT(*) AS n FROM labelled_clips GROUP BY label")
        old.execute("CREATE VIEW most AS SELECT MAX(n) AS n FROM counted")
    old.close()
    with Store.open(schema_6) as store:
        assert store.connection.execute("SELECT response_ms FROM fast").fetchall()[0][0] == 100
        assert store.connection.execute("SELECT n FROM most").fetchone()[0] > 0


def test_a_suggestion_is_read_back_whole(store: Store) -> None:
    fill(store, "a", "b")
    model_id = add_model_row(store)
    whole = [
        Suggestion(1, model_id, {"dog": 0.6, "cat": 0.1}, 0.3),
        Suggestion(2, model_id, {"dog": 0.9}, independent=True),
    ]
    replace_suggestions(store, whole)
    assert [models.suggestion(store, clip_id) for clip_id in (1, 2)] == whole


def test_every_table_and_view_has_a_description_that_datasette_reads(project: Project, schema_6: Path) -> None:
    for path in (project.database, schema_6):
        with Store.open(path) as store:
            names = {
                name
                for (name,) in store.connection.execute(
                    "SELECT name FROM sqlite_master WHERE type IN ('table', 'view')"
                )
                if not name.startswith("transcripts_fts_")
            }
            described = schema.table_descriptions(store.connection)
        assert described.keys() == names
        assert all(text.endswith(".") and len(text) > 20 for text in described.values())
        metadata = json.loads(path.with_name("metadata.json").read_text(encoding="utf-8"))
        shown = metadata["databases"]["labels"]["tables"]
        assert {name: table["description"] for name, table in shown.items()} == described


def test_a_metadata_file_of_the_user_stays(schema_6: Path) -> None:
    mine = schema_6.with_name("metadata.json")
    mine.write_text("{}")
    Store.open(schema_6).close()
    assert mine.read_text() == "{}"


@pytest.fixture(params=[7, 8, 9, 11])
def later_schema(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A database of a later schema with rows of every kind, and a view, an index and a trigger of the user."""
    path = tmp_path / "labels.db"
    old = released(path, request.param)
    add_recordings(old, 3)
    old.executemany(
        "INSERT INTO labels (name, created_at) VALUES (?, '2026')", [("hound",), ("cat",), ("owl",), ("dog",)]
    )
    old.execute("UPDATE labels SET merged_into = 1 WHERE name = 'dog'")
    old.execute("INSERT INTO imports VALUES (1, 'esc50', '/esc', 'ab', '2026', 8, 8, 1, '[]')")
    rows = [
        verdict(1, "dog"),
        verdict(2, "dog", "absent", batch_id=row_id(2)),
        verdict(2, "cat", batch_id=row_id(2), response_ms=5),
        verdict(3, "owl", annotator="bob", start_s=1.0, low_hz=5.0, confidence=0.5),
        {"kind": "revoke", "revokes": row_id(2), "batch_id": row_id(5)},
        {"kind": "revoke", "revokes": row_id(3), "batch_id": row_id(5)},
        verdict(2, "cat", redoes=row_id(6)),
        {"kind": "skip", "clip_id": 3, "annotator": "bob"},
        {"kind": "note", "clip_id": 1, "note": "two dogs?", "annotator": "bob"},
        {"kind": "rename", "label": "dog", "new_label": "hound"},
        verdict(2, "cat", annotator="esc50", origin="import", import_id=1, import_key="k"),
    ]
    checks = [{"kind": "checked", "clip_id": 1}] if request.param >= 8 else []
    add_rows(old, [*rows, *checks])
    for statement in (
        "CREATE VIEW mine AS SELECT clip_id, label FROM active_events",
        "CREATE INDEX my_index ON journal (created_at)",
    ):
        old.execute(statement)
    old.close()
    return path


def test_a_project_of_a_later_schema_keeps_every_row_and_takes_what_is_new(later_schema: Path) -> None:
    tables = ("journal", "latest_events", "active_events", "current_annotations", "mine", "clips", "recordings")
    with sqlite3.connect(later_schema) as old:
        before = {
            name: list(old.execute(f"SELECT * FROM {name} ORDER BY 1, 2, 3")) for name in tables if name != "mine"
        }
        before["mine"] = list(old.execute("SELECT * FROM mine ORDER BY 1, 2"))
        names = old.execute("SELECT type, name FROM sqlite_schema WHERE type <> 'table' AND sql NOT NULL").fetchall()
        version = old.execute("PRAGMA user_version").fetchone()[0]
    old.close()
    with Store.open(later_schema) as store:
        read = store.connection.execute
        for name, rows in before.items():
            after = [tuple(row) for row in read(f"SELECT * FROM {name} ORDER BY 1, 2{', 3' * (name != 'mine')}")]
            # Columns that were added come last.
            assert [row[: len(rows[0])] for row in after] == rows, name
            assert not any(any(row[len(rows[0]) :]) for row in after)
        assert {tuple(row) for row in read("SELECT type, name FROM sqlite_schema")} >= {tuple(one) for one in names}
        assert read("PRAGMA integrity_check").fetchone()[0] == "ok"
        assert read("PRAGMA foreign_key_check").fetchall() == []
        for statement in ("UPDATE journal SET label = 'x'", "DELETE FROM journal"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                read(statement)
        for kind in ("checked", "remove", "group", "lock", "define", "example", "parent", "retire", "split"):
            with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
                read(
                    "INSERT INTO journal (id, kind, annotator, origin, created_at) VALUES ('x', ?, '', 'human', '')",
                    (kind,),
                )
        first = recordings.find_recording(store, "1.wav")
        checked.mark_checked(store, first, annotator="ann")
        parts = [(part.clip.id, part.labels) for part in checked.checked_parts(store)]
        assert parts == [(1, frozenset({"hound", "cat", "owl"}))] * (2 if version >= 8 else 1)
        # The triggers are there again.
        journal.annotate(store, 1, "cat", annotator="ann")
        assert current(store)[1, "cat"] == "present"
        groups.set_groups(store, {2: "g1"}, annotator="ann")
        assert groups.group_sizes(store) == {"g1": 2, "g3": 1}
        # Recording 1 is of the group of 2: it is locked with it.
        assert groups.lock_recordings(store, [2, 3], annotator="ann") == 2
        assert groups.locked_recordings(store) == {1, 2, 3}
        journal.undo(store, annotator="ann")
        assert groups.locked_recordings(store) == set()
        recordings.remove(store, [first], annotator="ann")
        assert checked.checked_parts(store) == [] and {clip_id for clip_id, _ in current(store)} == {2, 3}
    assert list(later_schema.parent.glob(f"*.schema-{version}.*.bak"))


def test_a_failed_migration_changes_nothing(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TABLE half_done (x)")
        connection.execute("SELECT no_such_column FROM recordings")

    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, ("m_next", fail)))
    monkeypatch.setattr("labeltool.store.opening.SCHEMA_VERSION", schema.SCHEMA_VERSION + 1)
    with pytest.raises(LabeltoolError, match="no_such_column"):
        project.open_store()
    with sqlite3.connect(project.database) as connection:
        assert connection.execute("PRAGMA user_version").fetchone()[0] == schema.SCHEMA_VERSION
        assert not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'half_done'").fetchone()
    connection.close()
    assert not list(project.directory.glob("*.bak"))


def test_another_programs_database_is_not_changed(tmp_path: Path) -> None:
    path = tmp_path / "labels.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE labels (address TEXT)")
    connection.close()
    with pytest.raises(LabeltoolError, match="not a labeltool database"):
        Store.open(path)
    before = path.read_bytes()
    with pytest.raises(LabeltoolError, match="not a labeltool database"):
        Store.open(path)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]
    path.write_bytes(b"not SQLite at all" * 100)
    with pytest.raises(LabeltoolError, match="not a labeltool database"):
        Store.open(path)


def test_a_label_that_was_removed_without_a_row_of_the_journal_stays_so_until_it_is_used(tmp_path: Path) -> None:
    connection = released(tmp_path / "labels.db", 11)
    add_recordings(connection, 1)
    connection.execute("INSERT INTO labels (name, created_at, retired_at) VALUES ('dog', '2026', '2026')")
    connection.close()
    with Store.open(tmp_path / "labels.db") as store:
        assert clips.label_names(store) == []
        journal.annotate(store, 1, "dog", annotator="ann")
        assert clips.label_names(store) == ["dog"]


def test_operating_points_are_stored_by_model_label_and_source(store: Store) -> None:
    point = OperatingPoint("uid", "dog", "validation", 0.4, 0.9, 0.8, 0.95, 0.7, 40)
    reviewed = replace(point, source="review", recall=None)
    replace_operating_points(store, "uid", "validation", [point, replace(point, label="cat")])
    replace_operating_points(store, "uid", "review", [reviewed])
    replace_operating_points(store, "uid", "validation", [replace(point, threshold=0.5)])
    replace_operating_points(store, "other", "validation", [replace(point, model_uid="other")])
    assert operating_points(store, "uid") == [reviewed, replace(point, threshold=0.5)]


def test_labels_of_an_older_project_get_keys_the_most_used_first(tmp_path: Path) -> None:
    path = tmp_path / "labels.db"
    connection = released(path, 10)
    add_recordings(connection, 3)
    connection.executemany(
        "INSERT INTO labels (name, created_at, hotkey) VALUES (?, '2026-01-01', ?)",
        [("dog", "q"), ("hound", None), ("cat", None), ("owl", None)],
    )
    connection.execute("UPDATE labels SET merged_into = 1 WHERE name = 'hound'")
    rows = [verdict(1, "owl"), verdict(2, "owl"), verdict(1, "cat"), verdict(1, "dog"), verdict(2, "hound")]
    add_rows(connection, [*rows, verdict(3, "hound"), verdict(3, "cat", "absent")])
    connection.close()
    with Store.open(path) as store:
        assert {label.name: label.key for label in labels.project_labels(store)} == {"dog": "1", "owl": "2", "cat": "3"}
