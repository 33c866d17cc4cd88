"""Agreement equals that of other libraries, its intervals cover the true value, and only people's ratings count."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.command_line import labeltool_here, labeltool_json
from helpers.simulated_annotators import Annotators, oracle_differences
from helpers.store import fill
from labeltool.annotation.people.agreement import cohen_kappa, krippendorff_alpha, project_agreement
from labeltool.project import Project
from labeltool.records import Value
from labeltool.store import Store, journal
from labeltool.store.journal import AnnotationContext


@pytest.mark.parametrize("library", ["scikit-learn", "nltk"])
def test_the_coefficients_are_those_of_other_libraries(library: str) -> None:
    if library == "nltk":
        pytest.importorskip("nltk", reason="a development dependency")
    found = {name: worst for name, worst in oracle_differences(tables=40).items() if name.startswith(library)}
    assert found and max(found.values()) < 1e-12


@pytest.mark.parametrize(
    "clips, people", [(60, Annotators(0.8, (0.5, 0.3, 0.2))), (90, Annotators(0.85, (0.9, 0.1), 2, 3, 0.1))]
)
def test_an_interval_covers_the_true_value(clips: int, people: Annotators) -> None:
    rng = np.random.default_rng(0)
    codes, _ = people.label(200_000, rng)
    true = krippendorff_alpha(codes, np.arange(len(codes)) % 2).value
    runs = [krippendorff_alpha(*people.label(clips, rng)) for _ in range(400)]
    covered = np.mean([one.low <= true <= one.high for one in runs if one.low is not None])
    # With 400 runs, 0.95 gives 0.92 or more in 995 of 1000 cases.
    assert 0.92 <= covered <= 0.995


def test_without_a_difference_the_interval_ends_at_one_and_is_wider_for_fewer_clips() -> None:
    few, many = (cohen_kappa(np.arange(n)[:, None] % 2 * np.ones(2, int), np.arange(n)) for n in (10, 100))
    assert few.value == many.value == few.high == many.high == 1.0
    assert few.low is not None and many.low is not None and 0 < few.low < many.low < 1


def test_a_coefficient_that_is_not_defined_is_none() -> None:
    for codes in (np.zeros((5, 2), int), np.zeros((0, 2), int), np.array([[0, -1], [-1, 1]])):
        found = cohen_kappa(codes, np.arange(len(codes)))
        assert (found.value, found.low, found.high) == (None, None, None)


def test_where_omitting_any_clip_changes_nothing_there_is_no_interval() -> None:
    codes = np.array([[0, 1], [1, 2], [2, 0]])  # all different, each category twice
    for found in (krippendorff_alpha(codes, np.arange(3)), cohen_kappa(codes, np.arange(3))):
        assert found.value is not None and (found.low, found.high) == (None, None)


def test_only_what_people_gave_after_listening_is_a_rating(store: Store) -> None:
    fill(store, *"abcdefg")
    assert project_agreement(store) is None
    for clip, ann, bob in ((1, "dog", "dog"), (2, "dog", "cat"), (3, "cat", "cat"), (4, None, None)):
        for who, label in (("ann", ann), ("bob", bob)):
            journal.annotate(store, clip, label, Value.PRESENT if label else Value.ABSENT, annotator=who)
    journal.annotate(store, 5, "dog", annotator="ann")
    # Accepted without listening, and unsure of everything: no ratings.
    journal.annotate(store, 5, "dog", annotator="bob", context=AnnotationContext(accepted_from="m"))
    journal.annotate(store, 6, "dog", annotator="ann")
    journal.annotate(store, 6, None, Value.UNSURE, annotator="bob")
    found = project_agreement(store)
    assert found is not None and (found.clips, found.annotators) == (4, ("ann", "bob"))
    assert found.alpha.same == 0.75 and {one.label for one in found.by_label} == {"dog", "cat"}
    assert [one.annotators for one in found.by_pair] == [("ann", "bob")]
    # Unsure of a label: no rating of it, while that of the clip stays.
    journal.annotate(store, 2, "dog", Value.UNSURE, annotator="bob")
    again = project_agreement(store)
    assert again is not None and {one.label: one.alpha.clips for one in again.by_label} == {"dog": 3, "cat": 4}


def test_stats_shows_the_agreement(project: Project) -> None:
    with project.open_store() as store:
        fill(store, *"abcd")
        for clip, other in ((1, "dog"), (2, "cat"), (3, "cat"), (4, "dog")):
            journal.annotate(store, clip, "dog" if clip % 2 else "cat", annotator="ann")
            journal.annotate(store, clip, other, annotator="bob")
    text = labeltool_here(project, "stats").stdout
    assert "agreement         4 clips labelled by two or more of 2 people" in text
    assert "'ann' and 'bob'  Cohen's kappa 0.00 (" in text
    found = labeltool_json(project, "stats")["agreement"]
    assert (found["clips"], found["by_pair"][0]["kappa"]["value"], len(found["by_label"])) == (4, 0.0, 2)
