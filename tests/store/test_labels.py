"""Labels are renamed and merged, and their verdicts follow."""

from __future__ import annotations

from itertools import pairwise

import pytest

from helpers.records import records_of
from helpers.store import current, fill
from labeltool.errors import LabeltoolError
from labeltool.records import MAX_LABEL_CHARACTERS, Value
from labeltool.store import Store, clips, journal, labels
from labeltool.store.importing import import_records
from labeltool.store.journal_rows import append


def test_a_renamed_label_keeps_its_verdicts_through_undo_redo_and_back(store: Store) -> None:
    fill(store, "a")
    journal.annotate(store, 1, "dog", annotator="ann")
    labels.rename(store, "dog", "hound", annotator="ann")
    assert current(store) == {(1, "hound"): "present"} and clips.label_names(store) == ["hound"]
    journal.undo(store, annotator="ann")
    assert current(store) == {(1, "dog"): "present"}
    journal.redo(store, annotator="ann")
    assert current(store) == {(1, "hound"): "present"}
    labels.rename(store, "hound", "dog", annotator="ann")
    assert current(store) == {(1, "dog"): "present"} and clips.label_names(store) == ["dog"]


def test_a_merge_joins_two_labels_and_can_be_undone(store: Store) -> None:
    fill(store, "a", "b")
    journal.annotate(store, 1, "dog", annotator="ann")
    journal.annotate(store, 2, "hound", annotator="ann")
    labels.rename(store, "dog", "hound", annotator="ann")
    assert clips.counts(store).labels == {"hound": 2}
    journal.undo(store, annotator="ann")
    assert clips.counts(store).labels == {"dog": 1, "hound": 1}


def test_a_name_longer_than_any_is_refused_and_an_old_one_can_be_shortened(store: Store) -> None:
    fill(store, "a")
    too_long = "x" * (MAX_LABEL_CHARACTERS + 1)
    journal.annotate(store, 1, f" {too_long[1:]} ", annotator="ann")
    for act in (
        lambda: journal.annotate(store, 1, too_long, annotator="ann"),
        lambda: journal.annotate_batch(store, too_long, {1: Value.PRESENT}, annotator="ann", response_ms=0),
        lambda: labels.rename(store, too_long[1:], too_long, annotator="ann"),
    ):
        with pytest.raises(LabeltoolError, match="at most 1000 characters, this one 1001"):
            act()
    assert clips.label_names(store) == [too_long[1:]]
    with store.transaction() as connection:
        labels.ensure_label(connection, too_long)  # of an older version
    context = journal.AnnotationContext(instead_of=[too_long])
    journal.annotate(store, 1, "dog", annotator="ann", context=context)
    labels.rename(store, too_long, "dog", annotator="ann")
    assert "dog" in clips.label_names(store)


@pytest.mark.parametrize(
    "pairs, current_names",
    [
        ("aa", {}),
        ("ab bb", {"a": "b"}),
        ("ab bc ca", {"b": "a", "c": "a"}),
        ("ab bc cd ba", {"b": "a", "c": "d"}),
        ("ab ba ab ba", {"b": "a"}),
        ("ab cd ac", {"a": "c"}),
    ],
)
def test_renamings_of_any_journal_come_to_an_end(store: Store, pairs: str, current_names: dict[str, str]) -> None:
    """Of a stranger's database, or of the merged journals of two people: no label is renamed for ever."""
    rename_rows(store, [(old, new) for old, new in pairs.split()])
    assert clips.current_names(store) == current_names


def test_a_long_chain_of_names_takes_no_walk_for_each(store: Store) -> None:
    names = list(map(str, range(5000)))
    rename_rows(store, list(pairwise(names)))
    assert clips.label_names(store) == [names[-1]]


def rename_rows(store: Store, pairs: list[tuple[str, str]]) -> None:
    """Rename as rows of the journal alone, with nothing checked."""
    with store.transaction() as connection:
        for old, new in pairs:
            for name in (old, new):
                labels.ensure_label(connection, name)
            append(connection, kind="rename", label=old, new_label=new, annotator="", origin="human")
        labels.update_derived_columns(connection)


def test_a_chain_of_names_ends_at_the_last(store: Store) -> None:
    fill(store, "a", "b")
    journal.annotate(store, 1, "a", annotator="ann")
    labels.rename(store, "a", "b", annotator="ann")
    labels.rename(store, "b", "c", annotator="ann")
    journal.annotate(store, 2, "a", annotator="ann")
    assert clips.counts(store).labels == {"c": 2}


@pytest.mark.parametrize(
    ("old", "new", "reason"), [("no", "x", "no label"), ("dog", "dog", "already"), ("dog", " ", "name")]
)
def test_a_renaming_that_makes_no_sense_is_refused(store: Store, old: str, new: str, reason: str) -> None:
    fill(store, "a")
    journal.annotate(store, 1, "dog", annotator="ann")
    with pytest.raises(LabeltoolError, match=reason):
        labels.rename(store, old, new, annotator="ann")
    assert clips.label_names(store) == ["dog"]


def test_a_label_that_is_not_text_is_refused(store: Store) -> None:
    fill(store, "a")
    with pytest.raises(LabeltoolError, match="not text"):
        journal.annotate(store, 1, "\udcff", annotator="ann")
    with pytest.raises(LabeltoolError, match="no clip"):
        clips.find_clip(store, "b\udcff.wav")
    with pytest.raises(LabeltoolError, match="no clip"):
        clips.find_clip(store, "9" * 30)


@pytest.mark.parametrize(
    "text", [" grey heron", "grey heron ", "grey\xa0heron", "grey  heron", "grey\u2003heron\u200b"]
)
def test_names_that_look_alike_are_one_label_on_every_way_in(store: Store, text: str) -> None:
    fill(store, "a", "b", "c")
    records = records_of("d", text)
    import_records(store, records, kind="test", source="x")
    assert import_records(store, records, kind="test", source="x").changes == 0
    journal.annotate(store, 1, text, annotator="ann")
    journal.annotate_batch(store, text, {2: Value.PRESENT}, annotator="ann", response_ms=10)
    journal.annotate(store, 3, "other", annotator="ann")
    labels.rename(store, "other", text, annotator="ann")
    assert clips.counts(store).labels == {"grey heron": 4}
    labels.rename(store, text, "heron", annotator="ann")
    assert clips.label_names(store) == ["heron"]


def test_a_composed_and_a_decomposed_name_are_one_and_letter_case_is_kept(store: Store) -> None:
    fill(store, "a", "b", "c")
    for clip, name in enumerate(["e\u0301toile", "\u00e9toile", "\u00c9toile"], start=1):
        journal.annotate(store, clip, name, annotator="ann")
    assert clips.counts(store).labels == {"\u00e9toile": 2, "\u00c9toile": 1}


def keys(store: Store) -> dict[str, str]:
    return {label.name: label.key for label in labels.project_labels(store)}


def test_a_label_keeps_the_key_of_its_first_use_whatever_is_used_most(store: Store) -> None:
    fill(store, "a", "b")
    for label in ("dog", "cat", "cat", "owl"):
        journal.annotate(store, 1, label, annotator="ann")
    journal.annotate(store, 2, "cat", annotator="ann")
    assert keys(store) == {"dog": "1", "cat": "2", "owl": "3"}
    assert len({label.colour for label in labels.project_labels(store)}) == 3


def test_a_renamed_label_keeps_its_key_and_undo_gives_it_back(store: Store) -> None:
    fill(store, "a")
    for label in ("dog", "cat"):
        journal.annotate(store, 1, label, annotator="ann")
    labels.rename(store, "dog", "hound", annotator="ann")
    assert keys(store) == {"hound": "1", "cat": "2"}
    # The key of a name that may return is given to a new label last.
    journal.annotate(store, 1, "owl", annotator="ann")
    journal.undo(store, annotator="ann")
    journal.undo(store, annotator="ann")
    assert keys(store) == {"dog": "1", "cat": "2", "hound": "4", "owl": "3"}
    labels.rename(store, "cat", "dog", annotator="ann")
    assert keys(store) == {"dog": "1", "hound": "4", "owl": "3"}
    journal.undo(store, annotator="ann")
    assert keys(store)["cat"] == "2"


def test_a_key_that_another_label_has_is_swapped(store: Store) -> None:
    fill(store, "a")
    for label in ("dog", "cat", "owl"):
        journal.annotate(store, 1, label, annotator="ann")
    labels.set_key(store, "owl", "1")
    labels.set_key(store, "cat", "Z")
    assert keys(store) == {"dog": "3", "cat": "Z", "owl": "1"}
    labels.set_colour(store, "owl", "red")
    assert next(label.colour for label in labels.project_labels(store) if label.name == "owl") == "red"
    for key in ("", "x", "12"):
        with pytest.raises(LabeltoolError, match="cannot be the key of a label"):
            labels.set_key(store, "owl", key)
    with pytest.raises(LabeltoolError, match="no label 'bat'"):
        labels.set_key(store, "bat", "1")


def test_more_labels_than_keys_have_none_and_get_one_that_is_set(store: Store) -> None:
    fill(store, "a")
    names = [f"label {number}" for number in range(len(labels.LABEL_KEYS) + 2)]
    for name in names:
        journal.annotate(store, 1, name, annotator="ann")
    assert "".join(keys(store).values()) == labels.LABEL_KEYS
    assert keys(store)[names[-1]] == ""
    labels.set_key(store, names[-1], "1")
    assert keys(store)[names[-1]] == "1" and keys(store)[names[0]] == ""


def test_each_key_is_that_of_one_label_whatever_the_database_has(store: Store) -> None:
    fill(store, "a")
    for label in ("dog", "cat", "owl"):
        journal.annotate(store, 1, label, annotator="ann")
    store.connection.execute("UPDATE labels SET created_at = '2026-01-01T00:00:0' || id")  # not within a millisecond
    store.connection.execute("UPDATE labels SET hotkey = '1', colour = '[red]' WHERE name <> 'owl'")
    store.connection.execute("UPDATE labels SET hotkey = 'q' WHERE name = 'owl'")
    assert keys(store) == {"dog": "1", "cat": "2", "owl": "3"}
    assert {label.colour for label in labels.project_labels(store)} == {"", "green"}
    # A key that is set by hand leaves the others theirs.
    labels.set_key(store, "owl", "1")
    assert keys(store) == {"dog": "3", "cat": "2", "owl": "1"}
