"""Checks of labels alone: one group, imbalance, spelling, annotators who differ."""

from __future__ import annotations

import random

import pytest

from helpers.command_line import labeltool_here, labeltool_json
from helpers.records import records_of
from labeltool.checks.finding import Finding, Subject
from labeltool.checks.labels.annotators import find_differing_annotators
from labeltool.checks.labels.counts import find_imbalance, find_single_groups
from labeltool.checks.labels.spelling import find_spelling_twins, spelling_twins
from labeltool.project import Project
from labeltool.store import Store, journal
from labeltool.store.importing import import_records


def add(store: Store, label: str, count: int, *, group: str | None = None) -> None:
    records = [r for number in range(count) for r in records_of(f"{label}{number}", label, group=group)]
    import_records(store, records, kind="test", source="test")


def subject(project: Project, store: Store) -> Subject:
    return Subject(project, store, lambda *_: None)


def test_labels_of_one_group_are_named_with_their_clips(project: Project) -> None:
    with project.open_store() as store:
        add(store, "dog", 3)
        add(store, "owl", 4, group="night 1")
        add(store, "fox", 1)
        found = find_single_groups(subject(project, store))
    assert {one.labels: len(one.clips) for one in found} == {("owl",): 4, ("fox",): 1}
    assert "'night 1'" in next(one.message for one in found if one.labels == ("owl",))


def test_imbalance_counts_from_the_setting_on(project: Project) -> None:
    (project.directory / "labeltool.toml").write_text("[check]\nmax_imbalance = 4\n")
    project.reread_settings()
    with project.open_store() as store:
        add(store, "dog", 12)
        add(store, "owl", 3)
        add(store, "fox", 2)
        found = find_imbalance(subject(project, store))
    assert [(one.labels, one.score, one.severity) for one in found] == [(("fox",), 6.0, "note")]


@pytest.mark.parametrize(
    "twin", ["dog_bark", "Dog Bark", "dog barks", "DogBark", "dog-bark", "bark dog", "dogbark", "Dogs bark"]
)
def test_spelling_twins_differ_in_case_separators_plurals_and_order(twin: str) -> None:
    # "dogs" is a plural only where "dog" is a word of another label.
    assert [(set(pair), is_sure) for *pair, is_sure in spelling_twins(["rain", "dog bark", twin])] == [
        ({"dog bark", twin}, True)
    ]


@pytest.mark.parametrize(
    ("one", "other"), [("sneezing", "sneezzing"), ("chainsaw", "chiansaw"), ("crackling fire", "cracling fire")]
)
def test_a_slip_of_one_letter_is_a_note(one: str, other: str) -> None:
    assert list(spelling_twins([one, other])) == [(one, other, False)]


def test_other_names_are_no_twins() -> None:
    names = ["rain", "train", "clip", "clap", "site 1", "site 2", "class1", "class2", "male speech", "female speech"]
    assert list(spelling_twins(names)) == []


def test_the_remedy_renames_the_rarer_of_two_spellings(project: Project) -> None:
    with project.open_store() as store:
        add(store, "dog bark", 3)
        add(store, "dog_barks", 1)
        (found,) = find_spelling_twins(subject(project, store))
    assert "`labeltool rename dog_barks 'dog bark'`" in found.remedy
    labeltool_here("rename", project, "dog_barks", "dog bark")
    assert labeltool_json("check", project, "spelling")["findings"] == []


def differing(project: Project, slips: dict[str, float]) -> list[Finding]:
    """Let annotators label the same clips, each with a share of wrong labels."""
    rng = random.Random(1)
    with project.open_store() as store:
        import_records(store, [r for n in range(60) for r in records_of(f"c{n}")], kind="test", source="test")
        for clip_id in range(1, 61):
            for who, share in slips.items():
                journal.annotate(store, clip_id, "owl" if rng.random() < share else "dog", annotator=who)
        return find_differing_annotators(subject(project, store))


def test_an_annotator_who_differs_from_the_rest_is_named(project: Project) -> None:
    (found,) = differing(project, {"ann": 0.05, "bob": 0.05, "cem": 0.4})
    assert found.message.startswith("'cem' agrees with the others on") and len(found.clips) == 60


def test_nobody_is_named_where_all_slip_alike_or_there_are_two(project: Project) -> None:
    assert differing(project, {"ann": 0.1, "bob": 0.1, "cem": 0.1}) == []


def test_of_two_annotators_neither_is_named(project: Project) -> None:
    assert differing(project, {"ann": 0.0, "bob": 0.5}) == []
