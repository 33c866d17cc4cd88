"""Labels are defined, ordered, split, retired and deleted; every act is undone and redone, and a log has it."""

from __future__ import annotations

import pytest

from helpers.records import records_of
from helpers.store import current, dump, fill
from labeltool.annotation.annotation_table import annotation_table
from labeltool.errors import LabeltoolError
from labeltool.records import Value
from labeltool.store import Store, clips, journal, labels, recordings
from labeltool.store.importing import import_records
from labeltool.store.journal_rows import append
from labeltool.store.label_acts import changes


def keys(store: Store) -> dict[str, str]:
    return {label.name: label.key for label in labels.project_labels(store)}


def dogs(store: Store) -> None:
    """Two clips with a dog, one without, an imported one, and a cat."""
    fill(store, "a", "b", "c")
    journal.annotate(store, 1, "hound", annotator="ann")
    labels.rename(store, "hound", "dog", annotator="ann")
    journal.annotate(store, 2, "dog", annotator="bob")
    journal.annotate(store, 3, "dog", Value.ABSENT, annotator="bob")
    journal.annotate(store, 3, "cat", annotator="ann")
    import_records(store, records_of("d", "dog"), kind="test", source="x")


def test_deleting_a_label_is_undone_exactly_and_redone(store: Store) -> None:
    dogs(store)
    before, counts, had = current(store), clips.counts(store), keys(store)
    assert changes.delete(store, "dog", annotator="ann") == 4
    assert current(store) == {(3, "cat"): "present"} and keys(store) == {"cat": had["cat"]}
    assert clips.counts(store).unlabelled == 3
    for _ in range(2):
        undone = journal.undo(store, annotator="ann")
        assert undone is not None and (undone.kind, undone.batch_size) == ("retire", 5)
        assert (current(store), clips.counts(store), keys(store)) == (before, counts, had)
        redone = journal.redo(store, annotator="ann")
        assert redone is not None and redone.batch_size == 5
        assert current(store) == {(3, "cat"): "present"}
    # What was deleted counts for nobody else's undo.
    journal.undo(store, annotator="ann")
    undone = journal.undo(store, annotator="bob")
    assert undone is not None and (undone.clip_id, undone.value) == (3, "absent")


def test_an_earlier_state_has_the_annotations_of_its_time(store: Store) -> None:
    dogs(store)
    states = [(journal.newest_id(store), current(store))]
    changes.delete(store, "dog", annotator="ann")
    states.append((journal.newest_id(store), current(store)))
    journal.undo(store, annotator="ann")
    states.append((journal.newest_id(store), current(store)))
    for event, expected in states:
        table = annotation_table(store, event)
        assert dict(zip(zip(table["clip_id"], table["label"], strict=True), table["value"], strict=True)) == expected


def test_a_deleted_label_is_not_brought_back_with_a_recording_or_an_import_of_the_same(store: Store) -> None:
    dogs(store)
    recording = recordings.recording(store, 2)
    recordings.remove(store, [recording], annotator="eve")
    changes.delete(store, "dog", annotator="ann")
    recordings.bring_back(store, [recording], annotator="eve")
    import_records(store, records_of("d", "dog"), kind="test", source="x")
    assert current(store) == {(3, "cat"): "present"} and clips.label_names(store) == ["cat"]


def test_a_retired_label_keeps_its_annotations_and_returns_with_the_first_that_is_not_absent(store: Store) -> None:
    dogs(store)
    before, had = current(store), keys(store)
    changes.retire(store, "dog", annotator="ann")
    assert (current(store), clips.label_names(store)) == (before, ["cat"])
    journal.annotate(store, 3, "dog", Value.ABSENT, annotator="ann")
    journal.annotate(store, 3, "cat", annotator="ann", context=journal.AnnotationContext(instead_of=["dog"]))
    assert clips.label_names(store) == ["cat"]
    journal.annotate(store, 3, "dog", annotator="bob")
    assert keys(store) == had
    journal.undo(store, annotator="bob")
    assert clips.label_names(store) == ["cat"]
    journal.redo(store, annotator="bob")
    assert keys(store) == had


def test_an_import_a_renaming_and_a_split_make_a_retired_label_one_again(store: Store) -> None:
    dogs(store)
    for bring_back in (
        lambda: import_records(store, records_of("e", "cat"), kind="test", source="y"),
        lambda: labels.rename(store, "dog", "cat", annotator="ann"),
        lambda: changes.split(store, "cat", ["cat", "lion"], annotator="ann"),
    ):
        changes.retire(store, "cat", annotator="ann")
        assert "cat" not in clips.label_names(store)
        if "lion" in clips.label_names(store) or "dog" not in clips.label_names(store):
            journal.annotate(store, 1, "cat", annotator="ann")
        bring_back()
        assert "cat" in clips.label_names(store)


def test_the_key_of_a_retired_label_is_given_last_and_a_label_that_returns_takes_none_away(store: Store) -> None:
    dogs(store)
    changes.retire(store, "dog", annotator="ann")
    journal.annotate(store, 1, "owl", annotator="ann")
    assert keys(store) == {"cat": "2", "owl": "3"}
    labels.set_key(store, "owl", "1")
    journal.annotate(store, 1, "dog", annotator="ann")
    assert keys(store)["owl"] == "1" and keys(store)["dog"] not in ("1", "2", "")


def test_definitions_and_parents_follow_renamings_and_are_undone(store: Store) -> None:
    dogs(store)
    changes.define(store, "dog", " a tame  canid ", [1, 2], annotator="ann")
    changes.set_parent(store, "dog", "cat", annotator="ann")
    labels.rename(store, "dog", "wolf", annotator="ann")
    label = next(label for label in labels.project_labels(store) if label.name == "wolf")
    assert (label.definition, label.parent) == ("a tame canid", "cat")
    assert labels.parents(store.connection) == {"wolf": "cat"}
    for _ in range(2):
        journal.undo(store, annotator="ann")
    assert labels.parents(store.connection) == {}
    changes.define(store, "dog", "", annotator="ann")
    assert not any(label.definition for label in labels.project_labels(store))
    for _ in range(2):
        journal.undo(store, annotator="ann")
    assert not any(label.definition for label in labels.project_labels(store))
    assert journal.undo(store, annotator="ann").label == "cat"  # type: ignore[union-attr]


def test_a_cycle_of_parents_is_refused_and_one_of_two_journals_ends(store: Store) -> None:
    fill(store, "a")
    for name in ("a", "b", "c"):
        journal.annotate(store, 1, name, annotator="ann")
    changes.set_parent(store, "a", "b", annotator="ann")
    changes.set_parent(store, "b", "c", annotator="ann")
    before = dump(store)
    with pytest.raises(LabeltoolError, match="'c' is above 'a' already: a < b < c"):
        changes.set_parent(store, "c", "a", annotator="ann")
    assert dump(store) == before
    with store.transaction() as connection:
        append(connection, kind="parent", label="c", new_label="a", annotator="bob", origin="human")
        labels.update_derived_columns(connection)
    assert labels.parents(store.connection) == {"a": "b", "b": "c"}
    changes.set_parent(store, "b", None, annotator="ann")
    assert labels.parents(store.connection) == {"a": "b", "c": "a"}


@pytest.mark.parametrize("name", ["no", "hound", "owl"])
def test_what_is_no_label_in_use_is_refused(store: Store, name: str) -> None:
    dogs(store)
    journal.annotate(store, 1, "owl", annotator="ann")
    changes.retire(store, "owl", annotator="ann")
    before = dump(store)
    for act in (
        lambda: changes.define(store, name, "x", annotator="ann"),
        lambda: changes.set_parent(store, name, "dog", annotator="ann"),
        lambda: changes.set_parent(store, "dog", "x" * 1001 if name == "no" else name, annotator="ann"),
        lambda: changes.retire(store, name, annotator="ann"),
        lambda: changes.delete(store, name, annotator="ann"),
        lambda: changes.split(store, name, ["x", "y"], annotator="ann"),
        lambda: changes.split(store, "dog", ["x", " x"], annotator="ann"),
    ):
        with pytest.raises(LabeltoolError):
            act()
    assert dump(store) == before
