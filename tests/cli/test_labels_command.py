"""`labeltool labels` lists labels; each change shows first what it concerns, and is undone by `labeltool undo`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from helpers.command_line import labeltool_here
from helpers.exports import export
from helpers.records import records_of
from helpers.store import current, dump, fill
from labeltool.project import Project
from labeltool.store import Store, clips, journal, models
from labeltool.store.importing import import_records

Run = Callable[..., Any]


@pytest.fixture
def run(store: Store, project: Project) -> Run:
    """The command line over a project of five clips, three of them birds."""
    fill(store, "a", "b", "c", "d", "e")
    for clip_id, label in enumerate(("bird", "bird", "bird", "dog"), start=1):
        journal.annotate(store, clip_id, label, annotator="ann" if clip_id < 3 else "bob")

    def run(*arguments: object, check: int = 0) -> Any:
        done = labeltool_here(project, *arguments, check=check)
        return json.loads(done.stdout) if "--json" in arguments and not check else done

    return run


def test_labels_are_listed_with_what_is_known_of_them(run: Run, store: Store) -> None:
    run("labels", "define", "bird", "any bird,  near", "--example", "2", "--annotator", "ann")
    run("labels", "parent", "dog", "bird")
    run("labels", "split", "bird", "robin", "wren")
    run("labels", "retire", "wren")
    bird, dog, robin, wren = run("labels", "--json")["labels"]
    assert (bird["label"], bird["clips"], bird["key"], bird["examples"]) == ("bird", 3, "1", [2])
    assert bird["definition"] == "any bird, near"
    assert bird["split"] == {"into": ["robin", "wren"], "left": 3}
    assert dog["parent"] == "bird" and robin["clips"] == 0 and wren["retired_at"]
    lines = run("labels").stdout.splitlines()
    assert "[3 to label again as 'robin', 'wren']" in lines[0] and "< 'bird'" in lines[1] and "[retired]" in lines[3]
    log = run("log").stdout
    for text in (
        "define 'bird'",
        "clip 2: example of 'bird'",
        "'dog' has the parent 'bird'",
        "split 'bird' into 'robin', 'wren'",
    ):
        assert text in log
    run("labels", "parent", "dog", "--none")
    assert "'dog' has no parent" in run("log").stdout


@pytest.mark.parametrize("command", [("retire", "bird"), ("delete", "bird"), ("split", "bird", "robin", "wren")])
def test_the_effect_is_shown_first_and_a_dry_run_changes_nothing(run: Run, store: Store, command: tuple[str]) -> None:
    before, shown = dump(store), current(store)
    text = run("labels", *command, "--dry-run").stderr
    assert "3" in text and "clip 1  " in text and "a.wav  0-1 s" in text
    assert run("labels", *command, "--dry-run", "--json")["examples"] == [1, 2, 3]
    assert dump(store) == before
    changed = run("labels", *command, "--json")
    assert changed["changed"] and changed["label"] == "bird"
    assert current(store) == ({(4, "dog"): "present"} if command[0] == "delete" else shown)
    run("undo")
    assert current(store) == shown and clips.label_names(store)[:2] == ["bird", "dog"]


def test_a_merge_shows_both_counts(run: Run, store: Store) -> None:
    text = run("rename", "bird", "dog", "--dry-run").stderr
    assert "3 clips of 'bird' into 'dog', which has 1 clip" in text and clips.counts(store).labels["dog"] == 1
    run("rename", "bird", "dog")
    assert clips.counts(store).labels == {"dog": 4}


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("retire", "cat"), "no label 'cat'"),
        (("delete", "cat"), "no label 'cat'"),
        (("split", "bird", "robin"), "two names or more"),
        (("define", "cat", "a cat"), "no label 'cat'"),
        (("define", "dog", "x" * 1001), "at most 1000 characters"),
        (("define", "dog", "--example", "99"), "no clip 99"),
        (("parent", "cat", "dog"), "no label 'cat'"),
    ],
)
def test_what_cannot_be_done_is_one_line(run: Run, arguments: tuple[str, ...], reason: str, store: Store) -> None:
    before = dump(store)
    text = run("labels", *arguments, check=1).stderr
    assert reason in text and text.count("\n") == 1 and dump(store) == before


def test_on_a_terminal_it_asks(run: Run, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter("ny")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda _: next(answers))
    run("labels", "delete", "dog", check=130)
    assert "dog" in clips.label_names(store)
    run("labels", "delete", "dog", "--yes")
    assert "dog" not in clips.label_names(store)
    run("undo")


def test_a_retired_label_is_not_suggested_nor_trained_on_and_the_export_names_it(
    run: Run, store: Store, project: Project
) -> None:
    import_records(store, records_of("f", "dog"), kind="test", source="x")
    model_id = models.add(store, models.NewModel("x", "{}", 1), parent_id=None, journal_mark="", publish=lambda _: None)
    with store.transaction() as connection:
        models.add_suggestion(connection, models.Suggestion(5, model_id, {"bird": 0.8, "dog": 0.2}))
    run("labels", "retire", "bird")
    suggestion = models.suggestion(store, 5)
    assert suggestion is not None and suggestion.probabilities == {"dog": 0.2}
    trained = {name for one in clips.labelled(store) for name in one.verdicts}
    assert trained == {"dog"} and len(clips.labelled(store)) == 5
    assert run("clips", "--label", "bird", "--json")["matching"] == 3
    result = export(project, "table")
    assert any("retired labels are exported as they are: 'bird' (3)" in note for note in result.notes)
