"""Several verdicts as one batch: appended, undone and redone together."""

from __future__ import annotations

import sqlite3

import pytest

from helpers.command_line import labeltool_here, labeltool_json
from helpers.records import records_of
from helpers.store import add_model_row, replace_suggestions
from labeltool.annotation import next_clips, speed
from labeltool.errors import LabeltoolError
from labeltool.project import Project
from labeltool.records import Suggestion, Value
from labeltool.store import Store, clips, journal, models
from labeltool.store.importing import import_records
from labeltool.store.journal import AnnotationContext, JournalRow


@pytest.fixture
def predicted(store: Store) -> Store:
    """Six clips, all of which a model calls a dog."""
    import_records(store, [r for name in "abcdef" for r in records_of(name)], kind="audio", source="test")
    model_id = add_model_row(store)
    replace_suggestions(store, [Suggestion(number, model_id, {"dog": 0.9}) for number in range(1, 7)])
    return store


def label_page(
    store: Store, *clip_ids: int, rejected: tuple[int, ...] = (), annotator: str = "ann"
) -> list[JournalRow]:
    """Accept clips as dogs except for the rejected ones."""
    uid = models.model(store).uid
    values = {clip_id: Value.ABSENT if clip_id in rejected else Value.PRESENT for clip_id in clip_ids}
    return journal.annotate_batch(
        store,
        "dog",
        values,
        annotator=annotator,
        contexts=dict.fromkeys(clip_ids, AnnotationContext(accepted_from=uid, suggested="dog")),
        response_ms=1001,
    )


def dog_values(store: Store) -> dict[int, str]:
    """Value of the label dog, by clip."""
    return dict(
        store.connection.execute("SELECT clip_id, value FROM current_annotations WHERE label = 'dog'").fetchall()
    )


def unlabelled(store: Store) -> list[int]:
    """The unlabelled clips, after a check that everything derived from the journal agrees on them."""
    ids = [clip.id for clip in clips.unlabelled(store)]
    counts = clips.counts(store)
    present = [value for value in dog_values(store).values() if value == "present"]
    assert (counts.unlabelled, counts.labels.get("dog", 0)) == (len(ids), len(present))
    assert sorted(clip.id for clip in next_clips.next_clips(store, 10, annotator="eve")) == ids
    return ids


def test_a_batch_names_the_model_that_was_accepted_and_shares_its_time(predicted: Store) -> None:
    uid = models.model(predicted).uid
    rows = label_page(predicted, 2, 1, 3, rejected=(3,))
    assert [(row.clip_id, row.value, row.origin) for row in rows] == [
        (2, "present", "suggestion"),
        (1, "present", "suggestion"),
        (3, "absent", "human"),
    ]
    assert [row.response_ms for row in rows] == [334, 334, 333]
    stored = predicted.connection.execute("SELECT model_uid, suggested_label FROM journal ORDER BY id").fetchall()
    assert [tuple(row) for row in stored] == [(uid, "dog"), (uid, "dog"), (None, "dog")]
    assert dog_values(predicted) == {1: "present", 2: "present", 3: "absent"}
    assert unlabelled(predicted) == [4, 5, 6]
    found = speed.annotation_statistics(predicted)
    assert (found.answers, found.suggested, found.median_ms) == (3, 3, 334)
    assert found.first_right == pytest.approx(2 / 3)


def test_a_batch_is_undone_and_redone_whole_also_after_a_restart(predicted: Store, project: Project) -> None:
    journal.annotate(predicted, 6, "cat", annotator="ann")
    label_page(predicted, 1, 2, 3, rejected=(2,))
    before = dog_values(predicted)
    predicted.close()
    with project.open_store() as later:
        undone = journal.undo(later, annotator="ann")
        assert undone is not None
        assert (undone.clip_id, undone.value, undone.batch_size) == (3, "present", 3)
        assert [row.clip_id for row in journal.batch_rows(later, undone)] == [1, 2, 3]
        assert dog_values(later) == {}
        assert unlabelled(later) == [1, 2, 3, 4, 5]
        cat = journal.undo(later, annotator="ann")
        assert cat is not None
        assert (cat.label, cat.batch_size) == ("cat", 1)
        assert journal.batch_rows(later, cat) == [next(row for row in journal.rows(later) if row.id == cat.id)]
        assert journal.undo(later, annotator="ann") is None
    with project.open_store() as latest:
        redone = [journal.redo(latest, annotator="ann") for _ in range(3)]
        assert [row and (row.label, row.batch_size) for row in redone] == [("cat", 1), ("dog", 3), None]
        assert dog_values(latest) == before
        assert unlabelled(latest) == [4, 5]
        # The redone rows are one batch, too, and are undone together.
        journal.undo(latest, annotator="ann")
        assert dog_values(latest) == {}
        again = journal.redo(latest, annotator="ann")
        assert again is not None and [row.value for row in journal.batch_rows(latest, again)] == [
            "present",
            "absent",
            "present",
        ]
        assert dog_values(latest) == before
        journal.undo(latest, annotator="ann")
        journal.annotate(latest, 5, "cow", annotator="ann")
        assert journal.redo(latest, annotator="ann") is None


def test_undo_leaves_the_verdicts_of_others_in_between(predicted: Store) -> None:
    label_page(predicted, 1, 2, annotator="ann")
    label_page(predicted, 3, 4, rejected=(4,), annotator="bob")
    journal.annotate(predicted, 1, "dog", Value.ABSENT, annotator="bob")
    journal.undo(predicted, annotator="ann")
    assert dog_values(predicted) == {1: "absent", 3: "present", 4: "absent"}
    assert unlabelled(predicted) == [2, 5, 6]
    journal.undo(predicted, annotator="bob")
    journal.undo(predicted, annotator="bob")
    assert dog_values(predicted) == {}
    journal.redo(predicted, annotator="ann")
    assert dog_values(predicted) == {1: "present", 2: "present"}


def test_a_batch_is_stored_whole_or_not_at_all(predicted: Store) -> None:
    with pytest.raises(LabeltoolError, match="FOREIGN KEY"):
        label_page(predicted, 1, 2)
        uid = models.model(predicted).uid
        journal.annotate_batch(
            predicted,
            "dog",
            dict.fromkeys((3, 99), Value.PRESENT),
            annotator="ann",
            contexts=dict.fromkeys((3, 99), AnnotationContext(accepted_from=uid)),
            response_ms=1,
        )
    assert dog_values(predicted) == {1: "present", 2: "present"}
    undone = journal.undo(predicted, annotator="ann")
    assert undone is not None and undone.batch_size == 2


def test_journals_of_two_people_merge_as_a_set_of_rows_and_keep_their_batches(
    predicted: Store, project: Project
) -> None:
    """Ann labels here, Bob in a copy of the project; Bob's rows are added to Ann's."""
    other_path = project.directory / "elsewhere.db"
    with sqlite3.connect(other_path) as copied:
        predicted.connection.backup(copied)
    copied.close()
    label_page(predicted, 1, 2, annotator="ann")
    with Store.open(other_path) as other:
        label_page(other, 2, 3, rejected=(2,), annotator="bob")
        label_page(other, 5, 6, annotator="bob")
        journal.undo(other, annotator="bob")
        theirs = other.connection.execute("SELECT * FROM journal ORDER BY id").fetchall()
    for _ in range(2):
        known = {row.id for row in journal.rows(predicted)}
        with predicted.transaction() as connection:
            for row in theirs:
                if row["id"] not in known:
                    connection.execute(f"INSERT INTO journal VALUES ({', '.join('?' * len(row))})", tuple(row))
    assert dog_values(predicted) == {1: "present", 2: "absent", 3: "present"}
    assert unlabelled(predicted) == [4, 5, 6]
    journal.redo(predicted, annotator="bob")
    assert unlabelled(predicted) == [4]
    journal.undo(predicted, annotator="bob")
    journal.undo(predicted, annotator="bob")
    assert dog_values(predicted) == {1: "present", 2: "present"}


def test_the_command_line_shows_the_size_of_a_batch(predicted: Store, project: Project) -> None:
    label_page(predicted, 1, 2, 3, rejected=(3,))
    undone = labeltool_here(project, "undo").stderr
    assert "3 labels" in undone and "clip 3: 'dog' absent" in undone
    assert "3 labels" in labeltool_here(project, "redo").stderr
    row = labeltool_json(project, "undo")["undone"]
    # Scripts read these keys; the columns have other names.
    assert (row["clip_id"], row["together"]) == (3, 3)
    assert {"said_at", "took_ms", "act"} <= row.keys()
    log = labeltool_here(project, "log").stdout.splitlines()
    assert len(log) == 12
    assert "one of 3" in log[0]
    assert "clip 1: 'dog' present (one of 3" in log[-1]
