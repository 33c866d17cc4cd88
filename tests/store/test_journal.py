"""Nothing labelled is ever lost: verdicts, undo and redo."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.records import records_of
from helpers.store import current, fill
from labeltool.errors import LabeltoolError
from labeltool.project import Project
from labeltool.records import Value
from labeltool.store import Store, clips, journal, journal_rows, labels, progress
from labeltool.store.importing import import_records
from labeltool.store.stored_card import stored_card


def test_a_verdict_is_committed_with_full_synchronisation(store: Store, project: Project) -> None:
    fill(store, "a")
    assert store.connection.execute("PRAGMA synchronous").fetchone()[0] == 2
    assert store.connection.execute("PRAGMA fullfsync").fetchone()[0] == 1  # of macOS
    assert store.connection.execute("PRAGMA checkpoint_fullfsync").fetchone()[0] == 1
    assert store.connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    journal.annotate(store, 1, "dog", annotator="ann")
    with project.open_store() as another:
        assert current(another) == {(1, "dog"): "present"}


def test_the_journal_cannot_be_edited_or_cut(store: Store) -> None:
    fill(store, "a")
    journal.annotate(store, 1, "dog", annotator="ann")
    for statement in (
        "UPDATE journal SET label = 'cat'",
        "DELETE FROM journal",
        "INSERT OR REPLACE INTO journal (id, kind, clip_id, label, value, annotator, origin, created_at) "
        "SELECT id, kind, clip_id, 'cat', value, annotator, origin, created_at FROM journal",
    ):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            store.connection.execute(statement)


def test_undo_reverts_batch_after_batch_and_keeps_every_row(store: Store) -> None:
    fill(store, "a", "b")
    journal.annotate(store, 1, "dog", annotator="ann")
    journal.annotate(store, 2, "cat", annotator="ann")
    journal.annotate(store, 2, "cat", Value.ABSENT, annotator="bob")
    undone = journal.undo(store, annotator="ann")
    assert undone is not None and undone.label == "cat"
    assert current(store) == {(1, "dog"): "present", (2, "cat"): "absent"}
    undone = journal.undo(store, annotator="ann")
    assert undone is not None and undone.label == "dog"
    assert journal.undo(store, annotator="ann") is None
    assert [row.kind for row in journal.rows(store)] == ["revoke", "revoke", "verdict", "verdict", "verdict"]


def test_redo_repeats_what_undo_reverted_until_something_new_is_annotated(store: Store) -> None:
    fill(store, "a")
    for label in ("dog", "cat", "cow"):
        journal.annotate(store, 1, label, annotator="ann")
    everything = current(store)
    for _ in range(3):
        journal.undo(store, annotator="ann")
    assert current(store) == {}
    redone = [journal.redo(store, annotator="ann") for _ in range(4)]
    assert [row.label if row else None for row in redone] == ["dog", "cat", "cow", None]
    assert current(store) == everything
    journal.undo(store, annotator="ann")
    journal.redo(store, annotator="ann")
    assert current(store) == everything
    journal.undo(store, annotator="ann")
    journal.annotate(store, 1, "pig", annotator="ann")
    assert journal.redo(store, annotator="ann") is None


def test_what_is_newer_than_a_model_is_clips_with_other_labels(store: Store) -> None:
    fill(store, "a", "b", "c")
    journal.annotate(store, 1, "dog", annotator="ann")
    mark = journal.newest_id(store)
    for _ in range(2):
        journal.undo(store, annotator="ann")
        journal.redo(store, annotator="ann")
    labels.rename(store, "dog", "hound", annotator="ann")
    journal.exclude(store, 2, "skip", annotator="ann")
    assert progress.count_labelled_since(store, mark) == 0
    journal.annotate(store, 2, "dog", annotator="ann")
    journal.annotate(store, 2, "cat", annotator="ann")
    journal.annotate(store, 3, "cat", annotator="ann")
    assert progress.labelled_since(store, mark) == {2, 3}
    assert progress.labelled_since(store, mark, among=[1, 3]) == {3}
    journal.undo(store, annotator="ann")
    assert progress.labelled_since(store, mark) == {2}


def test_a_note_is_kept_and_is_no_label(store: Store) -> None:
    fill(store, "a")
    journal.note(store, 1, "two dogs?", annotator="ann")
    assert [clip.id for clip in clips.unlabelled(store)] == [1]
    assert next(journal.rows(store)).note == "two dogs?"
    journal.undo(store, annotator="ann")
    assert next(journal.rows(store, clip_id=1)).revoked


def test_undo_reverts_rows_of_an_earlier_process(store: Store, project: Project) -> None:
    fill(store, "a")
    journal.annotate(store, 1, "dog", annotator="ann")
    store.close()
    with project.open_store() as later:
        assert journal.undo(later, annotator="ann") is not None
        assert current(later) == {}


def test_absent_unsure_and_unchecked_are_three_things(store: Store) -> None:
    fill(store, "a", "b", "c")
    journal.annotate(store, 1, "dog", Value.ABSENT, annotator="ann")
    journal.annotate(store, 2, "dog", Value.UNSURE, annotator="ann")
    assert current(store) == {(1, "dog"): "absent", (2, "dog"): "unsure"}
    assert clips.counts(store).labels == {"dog": 0}
    assert [clip.id for clip in clips.unlabelled(store)] == [3]


def test_none_of_these_replaces_earlier_labels_and_later_labels_replace_it(store: Store) -> None:
    fill(store, "a")
    journal.annotate(store, 1, "dog", annotator="ann")
    journal.annotate(store, 1, None, Value.ABSENT, annotator="ann")
    assert current(store) == {(1, None): "absent"}
    assert clips.labelled(store)[0].none_of_these
    journal.annotate(store, 1, "cat", annotator="ann")
    assert current(store) == {(1, "cat"): "present"}
    assert not clips.labelled(store)[0].none_of_these


def test_a_row_appended_after_the_clock_was_set_back_still_comes_last(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store, "a")
    tomorrow = time.time_ns() + 86_400 * 10**9
    with monkeypatch.context() as patched:
        patched.setattr("labeltool.store.journal_rows.time.time_ns", lambda: tomorrow)
        journal.annotate(store, 1, "dog", annotator="ann")
    monkeypatch.setattr("labeltool.store.journal_rows._last_id", 0)  # another process
    journal.annotate(store, 1, "dog", Value.ABSENT, annotator="ann")
    assert current(store) == {(1, "dog"): "absent"}
    undone = journal.undo(store, annotator="ann")
    assert undone is not None and undone.value == "absent"


def test_reading_labels_while_somebody_labels_sees_one_state(store: Store, project: Project) -> None:
    fill(store, *(f"{number:02}" for number in range(60)))
    stop = threading.Event()

    def answer() -> None:
        with project.open_store() as mine:
            for clip_id in range(1, 61):
                journal.annotate(mine, clip_id, "dog", annotator="bob")
        stop.set()

    thread = threading.Thread(target=answer)
    thread.start()
    seen = [len(clips.labelled(store))]
    while not stop.is_set():
        seen.append(len(clips.labelled(store)))
    thread.join()
    assert seen == sorted(seen) and len(clips.labelled(store)) == 60


def test_row_ids_are_unique_and_ordered() -> None:
    ids = [journal_rows.new_row_id() for _ in range(20_000)]
    assert ids == sorted(set(ids))


def test_after_the_last_of_all_ids_nothing_is_stored(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_rows, "_last_id", 0)  # nor in this process later
    fill(store, "a")
    journal.annotate(store, 1, "dog", annotator="ann")
    with store.transaction() as connection:
        row = {"kind": "note", "clip_id": 1, "note": "x", "annotator": "", "origin": "human", "created_at": ""}
        connection.execute(
            f"INSERT INTO journal (id, {', '.join(row)}) VALUES (?, ?, ?, ?, ?, ?, ?)",
            ("ffffffff-ffff-ffff-ffff-fffffffffffe", *row.values()),
        )
    journal.annotate(store, 1, "cat", annotator="ann")
    before = current(store)
    with pytest.raises(LabeltoolError, match="the last of all ids"):
        journal.annotate(store, 1, "owl", annotator="ann")
    assert current(store) == before


LABELS = ["dog", "cat", "hound", "a[/]b", "=SUM(A1)", "سلام"]


ACTS = st.one_of(
    st.tuples(st.just("annotate"), st.sampled_from(LABELS), st.sampled_from(list(Value))),
    st.tuples(st.just("rename"), st.sampled_from(LABELS), st.sampled_from(LABELS)),
    st.tuples(st.just("undo")),
)


@given(acts=st.lists(ACTS, max_size=15))
def test_undoing_everything_restores_the_first_state(acts: list[tuple], new_store: Callable[..., Store]) -> None:
    store = new_store()
    import_records(store, records_of("a", "dog"), kind="audio", source="test")
    history = [current(store)]
    for act in [*acts, *[("undo",)] * len(acts)]:
        if act[0] == "undo":
            if journal.undo(store, annotator="ann"):
                history.pop()
            assert current(store) == history[-1]
            continue
        try:
            if act[0] == "annotate":
                journal.annotate(store, 1, act[1], act[2], annotator="ann")
            else:
                labels.rename(store, act[1], act[2], annotator="ann")
        except LabeltoolError:
            continue
        history.append(current(store))
    assert history == [{(1, "dog"): "present"}]
    store.close()


def test_a_verdict_needs_its_clip(store: Store) -> None:
    with pytest.raises(LabeltoolError, match="FOREIGN KEY"):
        journal.annotate(store, 7, "dog", annotator="ann")
    assert current(store) == {}


def test_a_journal_whose_newest_id_is_none_is_one_line_and_nothing_is_stored(store: Store) -> None:
    fill(store, "a")
    journal.annotate(store, 1, "dog", annotator="ann")
    with store.transaction() as connection:
        connection.execute(
            "INSERT INTO journal (id, kind, clip_id, annotator, origin, note, created_at) "
            "VALUES ('zzz', 'note', 1, 'x', 'human', 'n', '2026-01-01T00:00:00.000Z')"
        )
    with pytest.raises(LabeltoolError, match="has the id 'zzz', which is none"):
        journal.annotate(store, 1, "cat", annotator="ann")
    assert clips.counts(store).labels == {"dog": 1}


@pytest.mark.parametrize("card", ["", "[" * 3000, "[]", '{"labels": 3}', '{"test_fold": ' + "1" * 5000 + "}"])
def test_a_damaged_card_in_the_database_names_its_model(card: str) -> None:
    with pytest.raises(LabeltoolError, match=r"the card of model 7 in labels\.db is damaged"):
        stored_card(card, 7)
