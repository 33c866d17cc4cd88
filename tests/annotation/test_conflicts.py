"""Conflicts are found, settled by rule with one undo, or by listening; a rule is nobody's verdict."""

from __future__ import annotations

import json

import pytest

from helpers.command_line import labeltool_here
from helpers.records import records_of
from helpers.store import current, fill
from labeltool.annotation import speed
from labeltool.annotation.people import conflicts
from labeltool.annotation.people.agreement import project_agreement
from labeltool.annotation.people.conflicts import find_conflicts
from labeltool.annotation.review import confirmed_verdicts, label_issues
from labeltool.project import Project
from labeltool.records import Value
from labeltool.store import Store, journal
from labeltool.store.importing import import_records
from labeltool.store.journal import AnnotationContext


@pytest.fixture
def labelled(store: Store) -> Store:
    """Three people; they differ on clips 1 to 4, on 1 and 2 two of them agree."""
    fill(store, *"abcde")
    given = {
        1: ("dog", "cat", "dog"),
        2: (None, None, "dog"),
        3: ("dog", "cat", "owl"),
        4: ("dog", "cat"),
        5: ("dog", "dog", "dog"),
    }
    for place, who in enumerate(("ann", "bob", "carol")):
        for clip, labels in given.items():
            if place < len(labels):
                label = labels[place]
                value = Value.PRESENT if label else Value.ABSENT
                journal.annotate(store, clip, label, value, annotator=who, context=AnnotationContext(response_ms=10))
    return store


def open_clips(store: Store) -> list[int]:
    return [one.clip_id for one in find_conflicts(store)]


def test_a_majority_settles_what_it_decides_and_one_undo_brings_all_back(labelled: Store) -> None:
    before = current(labelled)
    # Clip 1 is settled by listening already: two gave its newest label.
    assert open_clips(labelled) == [2, 3, 4]
    tried = conflicts.settle(labelled, "majority", annotator="ann", dry_run=True)
    assert current(labelled) == before
    settled = conflicts.settle(labelled, "majority", annotator="ann")
    assert settled == tried
    # Three gave one label each: that none of them is present, nobody gave.
    assert {one.conflict.clip_id: dict(one.verdicts) for one in settled} == {
        2: {None: Value.ABSENT},
        3: {},
        4: {},
    }
    assert current(labelled)[2, None] == "absent" and (2, "dog") not in current(labelled)
    assert open_clips(labelled) == [3, 4]
    journal.undo(labelled, annotator="ann")
    assert current(labelled) == before and open_clips(labelled) == [2, 3, 4]


def test_the_newest_or_a_trusted_annotator_settles(labelled: Store) -> None:
    conflicts.settle(labelled, "newest", annotator="dora")
    assert current(labelled)[3, "owl"] == current(labelled)[4, "cat"] == "present"
    assert current(labelled)[3, "dog"] == current(labelled)[4, "dog"] == "absent"
    journal.undo(labelled, annotator="dora")
    conflicts.settle(labelled, "trusted", trusted="carol", annotator="dora")
    assert open_clips(labelled) == [4]  # she did not label it
    # A label that is given later opens the clip again.
    journal.annotate(labelled, 3, "bat", annotator="ann")
    assert open_clips(labelled) == [3, 4]


def test_a_rule_is_nobodys_verdict(labelled: Store) -> None:
    agreement, statistics = project_agreement(labelled), speed.annotation_statistics(labelled)
    conflicts.settle(labelled, "trusted", trusted="bob", annotator="ann")
    assert project_agreement(labelled) == agreement
    assert (4, "cat", Value.PRESENT) not in confirmed_verdicts(labelled)
    assert speed.annotation_statistics(labelled) == statistics


@pytest.mark.parametrize(
    "who, label, instead_of", [("ann", "dog", ["cat"]), ("dora", "cat", ["dog"]), ("bob", "cat", [])]
)
def test_who_labels_again_settles_by_listening(labelled: Store, who: str, label: str, instead_of: list[str]) -> None:
    journal.annotate(labelled, 4, label, annotator=who, context=AnnotationContext(instead_of=instead_of))
    assert 4 not in open_clips(labelled) and 4 not in [one.clip_id for one in label_issues(labelled)]


def test_the_command_lists_and_settles(project: Project) -> None:
    with project.open_store() as store:
        fill(store, "a")
        journal.annotate(store, 1, "dog", annotator="ann")
        journal.annotate(store, 1, "cat", annotator="bob")

    def run(*options: str, check: int = 0) -> str:
        done = labeltool_here(project, "conflicts", *options, check=check)
        return done.stdout + done.stderr

    assert "clip 1: 'ann': 'dog', 'bob': 'cat'" in run() and "1 clip that people label differently" in run()
    assert "1 of 1 would be settled" in run("--settle", "newest", "--dry-run")
    found = json.loads(run("--settle", "trusted", "--trusted", "ann", "--json"))
    assert (found["conflicts"], found["settled"]) == (1, 1)
    assert found["clips"][0]["settled"] == [{"label": "dog", "value": "present"}, {"label": "cat", "value": "absent"}]
    assert json.loads(run("--json"))["conflicts"] == 0
    assert "go together" in run("--settle", "trusted", check=2)
    assert "no label is by 'eve'" in run("--settle", "trusted", "--trusted", "eve", check=1)
    labeltool_here(project, "undo")
    assert json.loads(run("--json"))["conflicts"] == 1


def test_what_was_imported_contradicts_nobody_who_labelled_since(store: Store) -> None:
    import_records(store, records_of("a", "dog"), kind="folders", source="x")
    journal.annotate(store, 1, "dog", Value.ABSENT, annotator="ann")
    journal.annotate(store, 1, "cat", annotator="ann")
    assert open_clips(store) == []
    # Another person does.
    journal.annotate(store, 1, "owl", annotator="bob")
    assert open_clips(store) == [1]
