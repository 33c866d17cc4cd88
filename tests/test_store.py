"""Nothing labelled is ever lost: the journal, undo, renaming, imports, versions and the disk."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import records_of
from hypothesis import given
from hypothesis import strategies as st

from labeltool.annotation import listing, next_clips
from labeltool.errors import LabeltoolError
from labeltool.project import Project
from labeltool.records import Recording, Suggestion, Value, Verdict
from labeltool.store import Store, clips, journal, journal_rows, labels, models, queue, schema
from labeltool.store.importing import take_in


def dump(store: Store) -> list[str]:
    return list(store.connection.iterdump())


def fill(store: Store, *names: str) -> None:
    take_in(store, [r for name in names for r in records_of(name)], kind="audio", source="test")


def truth(store: Store) -> dict[tuple[int, str | None], str]:
    return {
        (clip, label): value
        for clip, label, value in store.connection.execute("SELECT clip_id, label, value FROM truth")
    }


def test_a_verdict_is_committed_with_full_synchronisation(store: Store, project: Project) -> None:
    fill(store, "a")
    assert store.connection.execute("PRAGMA synchronous").fetchone()[0] == 2
    assert store.connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    journal.say(store, 1, "dog", annotator="ann")
    with project.open_store() as another:
        assert truth(another) == {(1, "dog"): "present"}


def test_the_journal_cannot_be_edited_or_cut(store: Store) -> None:
    fill(store, "a")
    journal.say(store, 1, "dog", annotator="ann")
    for statement in (
        "UPDATE journal SET label = 'cat'",
        "DELETE FROM journal",
        "INSERT OR REPLACE INTO journal (id, kind, clip_id, label, value, annotator, origin, said_at) "
        "SELECT id, kind, clip_id, 'cat', value, annotator, origin, said_at FROM journal",
    ):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            store.connection.execute(statement)


def test_undo_takes_back_act_after_act_and_keeps_every_row(store: Store) -> None:
    fill(store, "a", "b")
    journal.say(store, 1, "dog", annotator="ann")
    journal.say(store, 2, "cat", annotator="ann")
    journal.say(store, 2, "cat", Value.ABSENT, annotator="bob")
    undone = journal.undo(store, annotator="ann")
    assert undone is not None and undone.label == "cat"
    assert truth(store) == {(1, "dog"): "present", (2, "cat"): "absent"}
    undone = journal.undo(store, annotator="ann")
    assert undone is not None and undone.label == "dog"
    assert journal.undo(store, annotator="ann") is None
    assert [row.kind for row in journal.rows(store)] == ["revoke", "revoke", "verdict", "verdict", "verdict"]


def test_redo_says_again_what_undo_took_back_until_something_new_is_said(store: Store) -> None:
    fill(store, "a")
    for label in ("dog", "cat", "cow"):
        journal.say(store, 1, label, annotator="ann")
    everything = truth(store)
    for _ in range(3):
        journal.undo(store, annotator="ann")
    assert truth(store) == {}
    redone = [journal.redo(store, annotator="ann") for _ in range(4)]
    assert [row.label if row else None for row in redone] == ["dog", "cat", "cow", None]
    assert truth(store) == everything
    journal.undo(store, annotator="ann")
    journal.redo(store, annotator="ann")
    assert truth(store) == everything
    journal.undo(store, annotator="ann")
    journal.say(store, 1, "pig", annotator="ann")
    assert journal.redo(store, annotator="ann") is None


def test_redo_brings_a_renaming_back(store: Store) -> None:
    fill(store, "a")
    journal.say(store, 1, "dog", annotator="ann")
    labels.rename(store, "dog", "hound", annotator="ann")
    journal.undo(store, annotator="ann")
    journal.redo(store, annotator="ann")
    assert truth(store) == {(1, "hound"): "present"}


def test_a_note_is_kept_and_answers_nothing(store: Store) -> None:
    fill(store, "a")
    journal.note(store, 1, "two dogs?", annotator="ann")
    assert [clip.id for clip in clips.unanswered(store)] == [1]
    assert next(journal.rows(store)).note == "two dogs?"
    journal.undo(store, annotator="ann")
    assert next(journal.rows(store, clip_id=1)).revoked


def test_two_people_are_never_given_the_same_clip(store: Store, project: Project) -> None:
    fill(store, *"abcdefgh")
    with project.open_store() as another:
        first = next_clips.claim_clips(store, 3, annotator="ann")
        second = next_clips.claim_clips(another, 10, annotator="bob")
        assert len(first) == 3 and len(second) == 5
        assert not {clip.id for clip in first} & {clip.id for clip in second}
        # One's own clips are not kept from oneself, and what is let go is there for the other.
        assert len(next_clips.next_clips(store, 10, annotator="ann")) == 3
        next_clips.release(store, annotator="ann")
        assert len(next_clips.claim_clips(another, 10, annotator="bob")) == 8


def test_undo_reaches_acts_of_an_earlier_process(store: Store, project: Project) -> None:
    fill(store, "a")
    journal.say(store, 1, "dog", annotator="ann")
    store.close()
    with project.open_store() as later:
        assert journal.undo(later, annotator="ann") is not None
        assert truth(later) == {}


def test_absent_unsure_and_unchecked_are_three_things(store: Store) -> None:
    fill(store, "a", "b", "c")
    journal.say(store, 1, "dog", Value.ABSENT, annotator="ann")
    journal.say(store, 2, "dog", Value.UNSURE, annotator="ann")
    assert truth(store) == {(1, "dog"): "absent", (2, "dog"): "unsure"}
    assert clips.counts(store).labels == {"dog": 0}
    assert [clip.id for clip in clips.unanswered(store)] == [3]


def test_none_of_these_takes_back_what_was_heard_and_gives_way_to_what_is_heard_later(store: Store) -> None:
    fill(store, "a")
    journal.say(store, 1, "dog", annotator="ann")
    journal.say(store, 1, None, Value.ABSENT, annotator="ann")
    assert truth(store) == {(1, None): "absent"}
    assert clips.labelled(store)[0].none_of_these
    journal.say(store, 1, "cat", annotator="ann")
    assert truth(store) == {(1, "cat"): "present"}
    assert not clips.labelled(store)[0].none_of_these


def test_a_renamed_label_takes_its_verdicts_along_and_undo_brings_the_name_back(store: Store) -> None:
    fill(store, "a")
    journal.say(store, 1, "dog", annotator="ann")
    labels.rename(store, "dog", "hound", annotator="ann")
    assert truth(store) == {(1, "hound"): "present"}
    assert clips.label_names(store) == ["hound"]
    journal.undo(store, annotator="ann")
    assert truth(store) == {(1, "dog"): "present"}


def test_a_merge_joins_two_labels_and_can_be_undone(store: Store) -> None:
    fill(store, "a", "b")
    journal.say(store, 1, "dog", annotator="ann")
    journal.say(store, 2, "hound", annotator="ann")
    labels.rename(store, "dog", "hound", annotator="ann")
    assert clips.counts(store).labels == {"hound": 2}
    journal.undo(store, annotator="ann")
    assert clips.counts(store).labels == {"dog": 1, "hound": 1}


def test_renaming_there_and_back_ends_where_it_began(store: Store) -> None:
    fill(store, "a")
    journal.say(store, 1, "dog", annotator="ann")
    labels.rename(store, "dog", "hound", annotator="ann")
    labels.rename(store, "hound", "dog", annotator="ann")
    assert truth(store) == {(1, "dog"): "present"}
    assert clips.label_names(store) == ["dog"]


def test_a_chain_of_names_ends_at_the_last(store: Store) -> None:
    fill(store, "a", "b")
    journal.say(store, 1, "a", annotator="ann")
    labels.rename(store, "a", "b", annotator="ann")
    labels.rename(store, "b", "c", annotator="ann")
    journal.say(store, 2, "a", annotator="ann")
    assert clips.counts(store).labels == {"c": 2}


@pytest.mark.parametrize(
    ("old", "new", "told"), [("no", "x", "no label"), ("dog", "dog", "already"), ("dog", " ", "name")]
)
def test_a_renaming_that_makes_no_sense_is_refused(store: Store, old: str, new: str, told: str) -> None:
    fill(store, "a")
    journal.say(store, 1, "dog", annotator="ann")
    with pytest.raises(LabeltoolError, match=told):
        labels.rename(store, old, new, annotator="ann")
    assert clips.label_names(store) == ["dog"]


def test_importing_twice_changes_nothing(store: Store) -> None:
    records = [*records_of("a", "dog", fold=1), *records_of("b", "cat", group="g")]
    first = take_in(store, records, kind="esc50", source="here")
    assert (first.recordings, first.clips, first.verdicts) == (2, 2, 2)
    before = dump(store)
    second = take_in(store, records, kind="esc50", source="elsewhere")
    assert (second.recordings, second.clips, second.verdicts) == (0, 0, 0)
    assert second.already_there == {"recordings": 2, "clips": 2, "verdicts": 2, "suggestions": 0}
    assert dump(store) == before


def test_importing_again_after_a_renaming_brings_nothing_back(store: Store) -> None:
    records = records_of("a", "dog")
    take_in(store, records, kind="esc50", source="here")
    labels.rename(store, "dog", "hound", annotator="ann")
    take_in(store, records, kind="esc50", source="here")
    assert clips.counts(store).labels == {"hound": 1}


def test_what_moved_is_found_again_by_importing_it_again(store: Store, tmp_path: Path) -> None:
    recording, clip = records_of("a")
    take_in(store, [recording, clip], kind="audio", source="test")
    moved = replace(recording, path=str(tmp_path / "moved.wav"))
    take_in(store, [moved, clip], kind="audio", source="test")
    assert clips.clip(store, 1).path == moved.path
    (tmp_path / "moved.wav").write_bytes(b"here")
    take_in(store, [replace(recording, path="/a/copy.wav"), clip], kind="audio", source="test")
    assert clips.clip(store, 1).path == moved.path


def test_what_is_said_after_the_clock_was_stepped_back_still_comes_last(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store, "a")
    tomorrow = time.time_ns() + 86_400 * 10**9
    with monkeypatch.context() as patched:
        patched.setattr("labeltool.store.journal_rows.time.time_ns", lambda: tomorrow)
        journal.say(store, 1, "dog", annotator="ann")
    monkeypatch.setattr("labeltool.store.journal_rows._last_id", 0)  # another process
    journal.say(store, 1, "dog", Value.ABSENT, annotator="ann")
    assert truth(store) == {(1, "dog"): "absent"}
    undone = journal.undo(store, annotator="ann")
    assert undone is not None and undone.value == "absent"


def test_a_label_that_is_not_text_is_refused(store: Store) -> None:
    fill(store, "a")
    with pytest.raises(LabeltoolError, match="not text"):
        journal.say(store, 1, "\udcff", annotator="ann")
    with pytest.raises(LabeltoolError, match="no clip"):
        clips.find_clip(store, "b\udcff.wav")
    with pytest.raises(LabeltoolError, match="no clip"):
        clips.find_clip(store, "9" * 30)


def test_reading_labels_while_somebody_answers_sees_one_moment(store: Store, project: Project) -> None:
    fill(store, *(f"{number:02}" for number in range(60)))
    stop = threading.Event()

    def answer() -> None:
        with project.open_store() as mine:
            for clip_id in range(1, 61):
                journal.say(mine, clip_id, "dog", annotator="bob")
        stop.set()

    thread = threading.Thread(target=answer)
    thread.start()
    seen = [len(clips.labelled(store))]
    while not stop.is_set():
        seen.append(len(clips.labelled(store)))
    thread.join()
    assert seen == sorted(seen) and len(clips.labelled(store)) == 60


def test_a_failing_import_stores_nothing(store: Store) -> None:
    before = dump(store)

    def records():
        yield from records_of("a", "dog")
        raise LabeltoolError("broken", file="b.wav")

    with pytest.raises(LabeltoolError, match=r"b\.wav: broken"):
        take_in(store, records(), kind="audio", source="test")
    with pytest.raises(LabeltoolError, match="CHECK"):
        # The fault lies in the last record, after others were written.
        take_in(store, [*records_of("c"), Recording("/d", "d", 1, 1, 1, "d"), *bad_clip("d")], kind="audio", source="t")
    assert dump(store) == before


def bad_clip(sha256: str):
    from labeltool.records import Clip

    return [Clip(sha256, 1.0, 0.5)]


def test_equal_sounds_are_one_recording_and_one_group_for_ever(store: Store) -> None:
    same = records_of("a", "dog", group="session 1")
    twin = Recording("/sounds/copy.wav", same[0].sha256, 16_000, 1, 16_000, "session 2")
    intake = take_in(store, [*same, twin, *records_of("b", group="session 2")], kind="audio", source="test")
    assert intake.recordings == 2
    assert "same sound" in intake.skipped[0].reason
    take_in(store, records_of("c", group="session 2"), kind="audio", source="test")
    assert {clip.group for clip in clips.all_clips(store)} == {"session 1"}


def test_a_sound_in_two_folds_stays_in_the_first_and_it_is_said(store: Store) -> None:
    take_in(store, records_of("a", "dog", fold=1), kind="esc50", source="test")
    intake = take_in(store, records_of("a", "dog", fold=2), kind="esc50", source="test")
    assert "fold 1" in intake.skipped[0].reason
    assert clips.clip(store, 1).fold == 1


def test_a_newer_database_is_refused_and_left_alone(project: Project) -> None:
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
    journal.say(store, 1, "dog", annotator="ann")
    store.close()

    def add_column(connection: sqlite3.Connection) -> None:
        connection.execute("ALTER TABLE recordings ADD COLUMN place TEXT")

    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, ("m_next", add_column)))
    monkeypatch.setattr("labeltool.store.database.SCHEMA_VERSION", schema.SCHEMA_VERSION + 1)
    with project.open_store() as migrated:
        assert migrated.connection.execute("SELECT place FROM recordings").fetchone()[0] is None
        assert truth(migrated) == {(1, "dog"): "present"}
    (backup,) = project.directory.glob("*.bak")
    with sqlite3.connect(backup) as copy:
        assert copy.execute("PRAGMA user_version").fetchone()[0] == schema.SCHEMA_VERSION
        assert copy.execute("SELECT label FROM journal").fetchall() == [("dog",)]
    copy.close()


def test_a_project_of_the_first_schema_is_backed_up_and_keeps_all_it_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "labels.db"
    with monkeypatch.context() as patched:
        patched.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:1])
        patched.setattr("labeltool.store.database.SCHEMA_VERSION", 1)
        with Store.create(path) as old:
            fill(old, "a", "b", "c", "d")
            journal.say(old, 1, "dog", annotator="ann")
            said = journal.say(old, 2, "cat", annotator="ann")
            with old.transaction() as connection:
                journal_rows.append(connection, kind="revoke", revokes=said, annotator="ann", origin="human")
            journal.set_aside(old, 3, "bad audio", annotator="ann")
            labels.rename(old, "dog", "hound", annotator="ann")
            before = [tuple(row) for row in old.connection.execute("SELECT * FROM journal ORDER BY id")]
    with Store.open(path) as migrated:
        assert migrated.connection.execute("PRAGMA user_version").fetchone()[0] == schema.SCHEMA_VERSION
        kept = [tuple(row) for row in migrated.connection.execute("SELECT * FROM journal ORDER BY id")]
        # Columns that came later stand empty after the others.
        assert [row[: len(before[0])] for row in kept] == before
        assert not any(any(row[len(before[0]) :]) for row in kept)
        assert truth(migrated) == {(1, "hound"): "present"}
        assert [clip.id for clip in clips.unanswered(migrated)] == [2, 4]
        assert journal.undo(migrated, annotator="ann") is not None
        assert truth(migrated) == {(1, "dog"): "present"}
        assert migrated.connection.execute("PRAGMA foreign_key_check").fetchall() == []
    (backup,) = tmp_path.glob("*.schema-1.*.bak")
    with sqlite3.connect(backup) as copy:
        assert copy.execute("PRAGMA user_version").fetchone()[0] == 1
        assert copy.execute("SELECT * FROM journal ORDER BY id").fetchall() == before
    copy.close()


def test_a_mark_is_never_asked_and_rests_when_it_is_taken_back(store: Store) -> None:
    fill(store, "a", "b")
    with store.transaction() as connection:
        connection.execute("INSERT INTO clips (recording_id, start_s, end_s, marked) VALUES (1, 0.25, 0.5, 1)")
    journal.say(store, 3, "dog", annotator="ann")
    told = clips.counts(store)
    assert (told.clips, told.labelled, told.unlabelled, told.set_aside, told.labels) == (3, 1, 2, 0, {"dog": 1})
    assert [clip.clip.id for clip in clips.labelled(store)] == [3]
    journal.undo(store, annotator="ann")
    told = clips.counts(store)
    assert (told.clips, told.labelled, told.unlabelled, told.set_aside) == (2, 0, 2, 0)
    assert [clip.id for clip in clips.unanswered(store)] == [clip.id for clip in clips.all_clips(store)] == [1, 2]
    assert {clip.id for clip in next_clips.next_clips(store, 9, annotator="ann")} == {1, 2}
    assert list(listing.matching(store)) == [1, 2]
    journal.redo(store, annotator="ann")
    assert list(listing.matching(store, listing.Filter(answered=True))) == [3]


def test_a_failed_migration_changes_nothing(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TABLE half_done (x)")
        connection.execute("SELECT no_such_column FROM recordings")

    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, ("m_next", fail)))
    monkeypatch.setattr("labeltool.store.database.SCHEMA_VERSION", schema.SCHEMA_VERSION + 1)
    with pytest.raises(LabeltoolError, match="no_such_column"):
        project.open_store()
    with sqlite3.connect(project.database) as connection:
        assert connection.execute("PRAGMA user_version").fetchone()[0] == schema.SCHEMA_VERSION
        assert not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'half_done'").fetchone()
    connection.close()


def test_somebody_elses_database_is_not_touched(tmp_path: Path) -> None:
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


def test_row_ids_are_unique_and_ordered() -> None:
    ids = [journal_rows.new_row_id() for _ in range(20_000)]
    assert ids == sorted(set(ids))


LABELS = ["dog", "cat", "hound", "a[/]b", "=SUM(A1)", "سلام"]
ACTS = st.one_of(
    st.tuples(st.just("say"), st.sampled_from(LABELS), st.sampled_from(list(Value))),
    st.tuples(st.just("rename"), st.sampled_from(LABELS), st.sampled_from(LABELS)),
    st.tuples(st.just("undo")),
)


@given(acts=st.lists(ACTS, max_size=15))
def test_undoing_everything_leads_back_to_the_beginning(
    acts: list[tuple], tmp_path_factory: pytest.TempPathFactory
) -> None:
    store = Store.create(tmp_path_factory.mktemp("p") / "labels.db")
    take_in(store, records_of("a", "dog"), kind="audio", source="test")
    history = [truth(store)]
    for act in [*acts, *[("undo",)] * len(acts)]:
        if act[0] == "undo":
            if journal.undo(store, annotator="ann"):
                history.pop()
            assert truth(store) == history[-1]
            continue
        try:
            if act[0] == "say":
                journal.say(store, 1, act[1], act[2], annotator="ann")
            else:
                labels.rename(store, act[1], act[2], annotator="ann")
        except LabeltoolError:
            continue
        history.append(truth(store))
    assert history == [{(1, "dog"): "present"}]
    store.close()


def test_new_suggestions_replace_all_there_were_while_somebody_answers(
    store: Store, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store, *"abcdefg")
    monkeypatch.setattr("labeltool.store.models._WRITTEN_AT_ONCE", 2)
    card = {"architecture": "x", "labels_seen": 1, "clip_accuracy": None, "int8_clip_accuracy": None}
    old, new = (models.add(store, parent_id=None, card=card, journal_mark="", publish=lambda _: None) for _ in range(2))
    with project.open_store() as another:
        # Each pause is long enough for somebody else to write.
        monkeypatch.setattr(
            "labeltool.store.models.time.sleep", lambda _: journal.say(another, 4, "cow", annotator="bob")
        )
        models.replace_suggestions(store, [Suggestion(clip, new, {"dog": 0.9}) for clip in range(7, 0, -1)])
        models.replace_suggestions(store, [Suggestion(clip, old, {"cat": 0.6}) for clip in (1, 2, 4, 6)])
    rows = store.connection.execute("SELECT clip_id, model_id, waiting FROM suggestions ORDER BY clip_id").fetchall()
    assert [tuple(row) for row in rows] == [(1, old, 1), (2, old, 1), (4, old, 0), (6, old, 1)]
    models.replace_suggestions(store, [])
    assert models.suggestion(store, 1) is None


WHO = st.sampled_from(["ann", "bob"])
CLIP = st.integers(1, 3)
EVENTS = st.one_of(
    st.tuples(st.just("say"), WHO, CLIP, st.sampled_from(["dog", "cat", "hound", None]), st.sampled_from(list(Value))),
    st.tuples(st.just("aside"), WHO, CLIP, st.sampled_from(["skip", "bad audio"])),
    st.tuples(st.sampled_from(["undo", "redo"]), WHO),
    st.tuples(
        st.just("rename"), WHO, st.sampled_from(["dog", "cat", "hound"]), st.sampled_from(["dog", "cat", "hound"])
    ),
    st.tuples(st.just("import"), st.sampled_from("abc"), st.sampled_from(["dog", "cat"])),
    st.tuples(st.just("suggest"), CLIP, st.integers(1, 2)),
    st.tuples(st.just("order"), st.permutations([1, 2, 3])),
    st.tuples(st.just("mark"), WHO),
)


@given(events=st.lists(EVENTS, max_size=25))
def test_the_sums_say_what_the_journal_says(events: list[tuple], tmp_path_factory: pytest.TempPathFactory) -> None:
    with Store.create(tmp_path_factory.mktemp("p") / "labels.db") as store:
        fill(store, "a", "b", "c")
        card = {"architecture": "x", "labels_seen": 1, "clip_accuracy": None, "int8_clip_accuracy": None}
        for _ in range(2):
            models.add(store, parent_id=None, card=card, journal_mark="", publish=lambda _: None)
        for kind, *given_ in events:
            with suppress(LabeltoolError):  # a renaming that makes no sense
                happen(store, kind, *given_)
        clip_ids = [row[0] for row in store.connection.execute("SELECT id FROM clips ORDER BY id")]
        assert truth(store) == told_by_the_journal(store)
        answered = {
            row[0]
            for row in store.connection.execute(
                "SELECT DISTINCT clip_id FROM standing WHERE kind IN ('verdict', 'bad audio')"
            )
        }
        has_verdict = {clip for clip, _ in truth(store)}
        waiting = {clip for clip in (1, 2, 3) if clip not in answered}
        told = clips.counts(store)
        assert told.clips == len(waiting | answered) and told.unlabelled == len(waiting)
        assert told.labelled == len(has_verdict) and told.set_aside == len(answered - has_verdict)
        heard = [label for (_, label), value in truth(store).items() if label and value == "present"]
        assert told.labels == {label: heard.count(label) for label in clips.label_names(store)}
        for label in (*told.labels, "dog", "cat", "hound"):
            assert list(listing.matching(store, listing.Filter(label=label))) == sorted(
                clip for (clip, said), value in truth(store).items() if said == label and value == "present"
            )
        assert set(listing.matching(store, listing.Filter(answered=True))) == answered
        assert set(listing.matching(store, listing.Filter(answered=False))) == waiting
        said: dict[int, dict[str | None, Value]] = {}
        for (clip, label), value in truth(store).items():
            said.setdefault(clip, {})[label] = Value(value)
        assert clips.verdicts_on(store, clip_ids) == said
        newest = {
            clip: store.connection.execute(
                "SELECT MAX(model_id) FROM suggestions WHERE clip_id = ?", (clip,)
            ).fetchone()[0]
            for clip in clip_ids
        }
        assert {
            tuple(row) for row in store.connection.execute("SELECT clip_id, model_id FROM suggestions WHERE waiting")
        } == {(clip, model) for clip, model in newest.items() if model and clip in waiting}
        assert sum(listing.sweep_labels(store).values()) == sum(1 for clip in waiting if newest[clip])
        placed = {row[0] for row in store.connection.execute("SELECT clip_id FROM queue")}
        assert {
            row[0] for row in store.connection.execute("SELECT clip_id FROM queue WHERE waiting")
        } == placed & waiting
        assert {clip.id for clip in next_clips.next_clips(store, 9, annotator="ann")} == waiting


def happen(store: Store, kind: str, *given_: Any) -> None:
    if kind == "say":
        who, clip_id, label, value = given_
        journal.say(store, clip_id, label, value, annotator=who)
    elif kind == "aside":
        journal.set_aside(store, given_[1], given_[2], annotator=given_[0])
    elif kind in ("undo", "redo"):
        getattr(journal, kind)(store, annotator=given_[0])
    elif kind == "rename":
        labels.rename(store, given_[1], given_[2], annotator=given_[0])
    elif kind == "import":
        take_in(store, records_of(*given_), kind="test", source="test")
    elif kind == "suggest":
        with store.transaction() as connection:
            models.add_suggestion(connection, Suggestion(given_[0], given_[1], {"dog": 0.7, "cat": 0.3}))
    elif kind == "order":
        queue.replace(store, given_[0])
    else:
        with store.transaction() as connection:
            marked = connection.execute(
                "INSERT INTO clips (recording_id, start_s, end_s, marked) SELECT 1, 0, 2 + COUNT(*), 1 FROM clips"
            ).lastrowid
        journal.say(store, marked or 0, "dog", annotator=given_[0])


def told_by_the_journal(store: Store) -> dict[tuple[int, str | None], str]:
    """What the view `truth` says, from the journal's rows alone, read one after the other."""
    said: dict[int, dict[str | None, str]] = {}
    for row in store.connection.execute(
        "SELECT clip_id, label, value FROM standing WHERE kind = 'verdict' ORDER BY id"
    ):
        words = said.setdefault(row["clip_id"], {})
        for gone in [label for label in words if (label is None) != (row["label"] is None)]:
            del words[gone]
        words[row["label"]] = row["value"]
    return {(clip, label): value for clip, words in said.items() for label, value in words.items()}


def test_a_clip_is_found_by_id_and_by_file(store: Store) -> None:
    take_in(store, [*records_of("a"), *records_of("b")], kind="audio", source="test")
    assert clips.find_clip(store, "2").id == 2
    assert clips.find_clip(store, "b.wav").id == 2
    assert clips.find_clip(store, "/sounds/b.wav").id == 2
    for name in ("%.wav", "c.wav", "9"):
        with pytest.raises(LabeltoolError, match="no clip"):
            clips.find_clip(store, name)


def test_the_queue_spreads_over_groups_and_asks_skipped_clips_last(store: Store) -> None:
    records = [r for name in "abcdef" for r in records_of(name, group="one" if name in "abcd" else name)]
    take_in(store, records, kind="audio", source="test")
    asked = next_clips.next_clips(store, 3, annotator="ann")
    assert len({clip.group for clip in asked}) == 3
    journal.set_aside(store, asked[0].id, "skip", annotator="ann")
    journal.set_aside(store, asked[1].id, "bad audio", annotator="ann")
    journal.say(store, asked[2].id, "dog", annotator="ann")
    rest = next_clips.next_clips(store, 10, annotator="ann")
    assert rest[-1].id == asked[0].id
    assert len(rest) == 4
    assert next_clips.next_clips(store, 10, annotator="bob", exclude={asked[0].id})[-1].id != asked[0].id


def test_a_verdict_needs_its_clip(store: Store) -> None:
    with pytest.raises(LabeltoolError, match="FOREIGN KEY"):
        journal.say(store, 7, "dog", annotator="ann")
    assert truth(store) == {}


def test_an_imports_verdict_keeps_its_bounds(store: Store) -> None:
    recording, clip, _ = records_of("a", "dog")
    verdict = Verdict(clip, "dog", start_s=-0.25, end_s=0.5, low_hz=100.0, high_hz=None, confidence=0.9, track="birds")
    take_in(store, [recording, clip, verdict], kind="audacity", source="test")
    row = store.connection.execute("SELECT * FROM standing").fetchone()
    assert (row["start_s"], row["end_s"], row["low_hz"], row["high_hz"], row["confidence"], row["track"]) == (
        -0.25,
        0.5,
        100.0,
        None,
        0.9,
        "birds",
    )
