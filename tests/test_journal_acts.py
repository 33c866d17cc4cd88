"""Several verdicts as one act: said, taken back and said again at once."""

from __future__ import annotations

import sqlite3

import pytest
from conftest import records_of

from labeltool.annotation import next_clips, pace
from labeltool.errors import LabeltoolError
from labeltool.project import Project
from labeltool.records import Suggestion, Value
from labeltool.store import Store, clips, journal, models
from labeltool.store.importing import take_in
from labeltool.store.journal import JournalRow

CARD = {"architecture": "none", "labels_seen": 1, "clip_accuracy": None, "int8_clip_accuracy": None}


@pytest.fixture
def held(store: Store) -> Store:
    """Six clips, all of which a model calls a dog."""
    take_in(store, [r for name in "abcdef" for r in records_of(name)], kind="audio", source="test")
    model_id = models.add(store, parent_id=None, card=CARD, journal_mark="", publish=lambda _: None)
    models.replace_suggestions(store, [Suggestion(number, model_id, {"dog": 0.9}) for number in range(1, 7)])
    return store


def sweep(store: Store, *clip_ids: int, struck: tuple[int, ...] = (), annotator: str = "ann") -> list[JournalRow]:
    """Accept clips as dogs but for those struck out."""
    uid = models.model(store).uid
    values = {clip_id: Value.ABSENT if clip_id in struck else Value.PRESENT for clip_id in clip_ids}
    return journal.say_all(
        store,
        "dog",
        values,
        annotator=annotator,
        accepted_from=dict.fromkeys(clip_ids, uid),
        suggested=dict.fromkeys(clip_ids, "dog"),
        took_ms=1001,
    )


def truth(store: Store) -> dict[int, str]:
    """What holds for the dog, by clip."""
    return dict(store.connection.execute("SELECT clip_id, value FROM truth WHERE label = 'dog'").fetchall())


def waiting(store: Store) -> list[int]:
    """The clips that have no answer, after seeing that all sums of the journal agree on them."""
    ids = [clip.id for clip in clips.unanswered(store)]
    told = clips.counts(store)
    said = [value for value in truth(store).values() if value == "present"]
    assert (told.unlabelled, told.labels.get("dog", 0)) == (len(ids), len(said))
    assert sorted(clip.id for clip in next_clips.next_clips(store, 10, annotator="eve")) == ids
    return ids


def test_a_sweep_says_whose_suggestion_was_accepted_and_shares_its_time(held: Store) -> None:
    uid = models.model(held).uid
    rows = sweep(held, 2, 1, 3, struck=(3,))
    assert [(row.clip_id, row.value, row.origin) for row in rows] == [
        (2, "present", "suggestion"),
        (1, "present", "suggestion"),
        (3, "absent", "human"),
    ]
    assert [row.took_ms for row in rows] == [334, 334, 333]
    stored = held.connection.execute("SELECT model_uid, suggested_label FROM journal ORDER BY id").fetchall()
    assert [tuple(row) for row in stored] == [(uid, "dog"), (uid, "dog"), (None, "dog")]
    assert truth(held) == {1: "present", 2: "present", 3: "absent"}
    assert waiting(held) == [4, 5, 6]
    found = pace.measure(held)
    assert (found.answers, found.suggested, found.median_ms) == (3, 3, 334)
    assert found.first_right == pytest.approx(2 / 3)


def test_an_act_is_taken_back_and_said_again_whole_also_after_a_restart(held: Store, project: Project) -> None:
    journal.say(held, 6, "cat", annotator="ann")
    sweep(held, 1, 2, 3, struck=(2,))
    said = truth(held)
    held.close()
    with project.open_store() as later:
        undone = journal.undo(later, annotator="ann")
        assert undone is not None
        assert (undone.clip_id, undone.value, undone.together) == (3, "present", 3)
        assert [row.clip_id for row in journal.said_together(later, undone)] == [1, 2, 3]
        assert truth(later) == {}
        assert waiting(later) == [1, 2, 3, 4, 5]
        cat = journal.undo(later, annotator="ann")
        assert cat is not None
        assert (cat.label, cat.together) == ("cat", 1)
        assert journal.said_together(later, cat) == [next(row for row in journal.rows(later) if row.id == cat.id)]
        assert journal.undo(later, annotator="ann") is None
    with project.open_store() as latest:
        redone = [journal.redo(latest, annotator="ann") for _ in range(3)]
        assert [row and (row.label, row.together) for row in redone] == [("cat", 1), ("dog", 3), None]
        assert truth(latest) == said
        assert waiting(latest) == [4, 5]
        # What was said again is one act, too, and so is its undoing.
        journal.undo(latest, annotator="ann")
        assert truth(latest) == {}
        again = journal.redo(latest, annotator="ann")
        assert again is not None and [row.value for row in journal.said_together(latest, again)] == [
            "present",
            "absent",
            "present",
        ]
        assert truth(latest) == said
        journal.undo(latest, annotator="ann")
        journal.say(latest, 5, "cow", annotator="ann")
        assert journal.redo(latest, annotator="ann") is None


def test_undo_leaves_what_others_said_in_between(held: Store) -> None:
    sweep(held, 1, 2, annotator="ann")
    sweep(held, 3, 4, struck=(4,), annotator="bob")
    journal.say(held, 1, "dog", Value.ABSENT, annotator="bob")
    journal.undo(held, annotator="ann")
    assert truth(held) == {1: "absent", 3: "present", 4: "absent"}
    assert waiting(held) == [2, 5, 6]
    journal.undo(held, annotator="bob")
    journal.undo(held, annotator="bob")
    assert truth(held) == {}
    journal.redo(held, annotator="ann")
    assert truth(held) == {1: "present", 2: "present"}


def test_a_sweep_is_stored_whole_or_not_at_all(held: Store) -> None:
    with pytest.raises(LabeltoolError, match="FOREIGN KEY"):
        sweep(held, 1, 2)
        uid = models.model(held).uid
        journal.say_all(
            held,
            "dog",
            dict.fromkeys((3, 99), Value.PRESENT),
            annotator="ann",
            accepted_from=dict.fromkeys((3, 99), uid),
            took_ms=1,
        )
    assert truth(held) == {1: "present", 2: "present"}
    undone = journal.undo(held, annotator="ann")
    assert undone is not None and undone.together == 2


def test_journals_of_two_people_join_as_a_set_of_rows_and_keep_their_acts(held: Store, project: Project) -> None:
    """Ann swept here, Bob in a copy of the project; Bob's rows are added to Ann's."""
    other_path = project.directory / "elsewhere.db"
    with sqlite3.connect(other_path) as copied:
        held.connection.backup(copied)
    copied.close()
    sweep(held, 1, 2, annotator="ann")
    with Store.open(other_path) as other:
        sweep(other, 2, 3, struck=(2,), annotator="bob")
        sweep(other, 5, 6, annotator="bob")
        journal.undo(other, annotator="bob")
        theirs = other.connection.execute("SELECT * FROM journal ORDER BY id").fetchall()
    for _ in range(2):
        known = {row.id for row in journal.rows(held)}
        with held.transaction() as connection:
            for row in theirs:
                if row["id"] not in known:
                    connection.execute(f"INSERT INTO journal VALUES ({', '.join('?' * len(row))})", tuple(row))
    assert truth(held) == {1: "present", 2: "absent", 3: "present"}
    assert waiting(held) == [4, 5, 6]
    journal.redo(held, annotator="bob")
    assert waiting(held) == [4]
    journal.undo(held, annotator="bob")
    journal.undo(held, annotator="bob")
    assert truth(held) == {1: "present", 2: "present"}


def test_the_command_line_counts_what_was_said_at_once(held: Store, project: Project) -> None:
    import json

    from test_command_line import labeltool

    at = ("--project", project.directory)
    sweep(held, 1, 2, 3, struck=(3,))
    assert "took back 3 verdicts, the last: clip 3: 'dog' absent" in labeltool(*at, "undo").stderr
    assert "said again 3 verdicts" in labeltool(*at, "redo").stderr
    told = json.loads(labeltool(*at, "undo", "--json").stdout)["undone"]
    assert (told["clip_id"], told["together"]) == (3, 3)
    log = labeltool(*at, "log").stdout.splitlines()
    assert len(log) == 12
    assert "undo (one of 3 at once)" in log[0]
    assert "clip 1: 'dog' present (one of 3 at once)  (taken back)" in log[-1]
