"""Lists of clips and label issues."""

from __future__ import annotations

import json

import pytest

from helpers.command_line import labeltool_here, labeltool_json
from helpers.records import records_of
from helpers.store import add_model_row
from labeltool.annotation import listing, next_clips, review
from labeltool.annotation.listing import Filter
from labeltool.project import Project
from labeltool.records import Suggestion, Value
from labeltool.store import Store, journal, labels, models
from labeltool.store.importing import import_records


@pytest.fixture
def predicted(store: Store) -> Store:
    """Six clips; a model is less and less confident of a dog in the first three, of a cat in the rest."""
    import_records(store, [r for name in "abcdef" for r in records_of(name)], kind="audio", source="test")
    model_id = add_model_row(store)
    for clip_id in range(1, 7):
        dog = 1 - 0.15 * clip_id
        models_row = Suggestion(clip_id, model_id, {"dog": dog, "cat": 1 - dog})
        with store.transaction() as connection:
            models.add_suggestion(connection, models_row)
    return store


def test_disagreements_come_before_contradictions_and_those_by_weight(predicted: Store) -> None:
    journal.annotate(predicted, 1, "cat", annotator="ann")
    journal.annotate(predicted, 2, "cat", annotator="ann")
    journal.annotate(predicted, 6, "cat", annotator="ann")
    journal.annotate(predicted, 5, "dog", annotator="ann")
    journal.annotate(predicted, 5, "dog", Value.ABSENT, annotator="bob")
    found = review.label_issues(predicted)
    assert [one.clip_id for one in found] == [5, 1, 2]
    assert "'ann': 'dog', 'bob': no 'dog'" in found[0].reason
    assert "'dog' (85%)" in found[1].reason
    journal.undo(predicted, annotator="bob")
    # Without bob's verdict, clip 5 is only what the model contradicts: 0.75 against 0.25.
    assert [one.clip_id for one in review.label_issues(predicted)] == [1, 5, 2]


def test_annotators_with_different_labels_disagree(predicted: Store) -> None:
    journal.annotate(predicted, 6, "cat", annotator="ann")
    journal.annotate(predicted, 6, "owl", annotator="bob")
    assert [one.reason for one in review.label_issues(predicted)] == ["'ann': 'cat', 'bob': 'owl'"]
    journal.annotate(predicted, 6, "cat", annotator="bob")
    assert review.label_issues(predicted) == []


def test_none_of_these_replaces_earlier_labels_and_denies_each_label(predicted: Store) -> None:
    journal.annotate(predicted, 5, "cat", annotator="ann")
    journal.annotate(predicted, 5, None, Value.ABSENT, annotator="ann")
    journal.annotate(predicted, 5, "owl", Value.ABSENT, annotator="bob")
    # Ann has no cat any more, and neither has an owl.
    assert review.label_issues(predicted) == []
    journal.annotate(predicted, 5, "owl", annotator="bob")
    (found,) = review.label_issues(predicted)
    assert found.reason.startswith("'ann': none of these, 'bob': 'owl'")
    assert (found.label, found.value) == ("owl", Value.PRESENT)
    journal.annotate(predicted, 5, None, Value.ABSENT, annotator="cem")
    journal.annotate(predicted, 5, "owl", annotator="bob")
    # Bob confirmed it: he gave the same verdict twice.
    assert [one.weight for one in review.label_issues(predicted)] == []


def test_a_verdict_given_twice_is_confirmed_by_whomever(predicted: Store) -> None:
    journal.annotate(predicted, 1, "cat", annotator="ann")
    journal.annotate(predicted, 5, "dog", annotator="ann")
    journal.annotate(predicted, 5, "dog", Value.ABSENT, annotator="bob")
    assert [one.clip_id for one in review.label_issues(predicted)] == [5, 1]
    journal.annotate(predicted, 1, "cat", annotator="ann")
    journal.annotate(predicted, 5, "dog", Value.ABSENT, annotator="cem")
    assert review.label_issues(predicted) == []
    journal.undo(predicted, annotator="cem")
    assert [one.clip_id for one in review.label_issues(predicted)] == [5]


def test_a_label_that_is_there_as_well_is_no_contradiction(predicted: Store) -> None:
    journal.annotate(predicted, 1, "cat", annotator="ann")
    journal.annotate(predicted, 1, "dog", annotator="ann")
    assert review.label_issues(predicted) == []


def test_filters_take_text_literally(predicted: Store) -> None:
    import_records(predicted, records_of("50%_x"), kind="audio", source="test")
    journal.annotate(predicted, 2, "dog", annotator="ann")
    assert list(listing.matching(predicted)) == [1, 2, 3, 4, 5, 6, 7]
    assert list(listing.matching(predicted, Filter(text="%"))) == [7]
    assert list(listing.matching(predicted, Filter(text="SOUNDS/B"))) == [2]
    assert list(listing.matching(predicted, Filter(label="dog"))) == [2]
    assert list(listing.matching(predicted, Filter(labelled=False, text="/sounds/"))) == [1, 3, 4, 5, 6, 7]


def test_a_page_keeps_its_order_and_has_the_current_labels(predicted: Store) -> None:
    journal.annotate(predicted, 3, "dog", annotator="ann")
    journal.annotate(predicted, 3, "cat", Value.ABSENT, annotator="ann")
    third, first = listing.page(predicted, [3, 1])
    assert (third.clip.id, third.present, third.absent, third.labelled) == (3, ("dog",), ("cat",), True)
    assert (first.clip.id, first.present, first.labelled, first.top_label) == (1, (), False, "dog")
    assert first.top_probability == pytest.approx(0.85)
    assert json.dumps(listing.page(predicted, [])) == "[]"
    labels.rename(predicted, "dog", "hound", annotator="ann")
    assert [one.top_label for one in listing.page(predicted, [1, 6])] == ["hound", "cat"]


def test_the_command_line_lists_and_reviews(predicted: Store, project: Project) -> None:
    labeltool_here(project, "mark", "1", "cat")
    labeltool_here(project, "note", "1", "far away")
    listed = labeltool_json(project, "clips", "--labelled")
    assert (listed["matching"], listed["clips"][0]["present"], listed["clips"][0]["suggestion"]) == (1, ["cat"], "dog")
    assert labeltool_here(project, "clips", "--limit", "2").stdout.count("model:") == 2
    assert "'cat' present, but the model predicts 'dog' (85%)" in labeltool_here(project, "review").stdout
    assert labeltool_json(project, "review")["doubtful"] == 1
    assert "note 'far away'" in labeltool_here(project, "log").stdout
    assert labeltool_json(project, "stats")["answers"] == 1
    labeltool_here(project, "undo")
    labeltool_here(project, "undo")
    assert labeltool_json(project, "redo")["redone"]["label"] == "cat"


def test_predicted_clips_are_listed_under_current_names_most_confident_first(predicted: Store) -> None:
    assert listing.count_by_predicted_label(predicted) == {"dog": 3, "cat": 3}
    assert list(listing.clips_predicted_as(predicted, "dog")) == [1, 2, 3]
    assert list(listing.clips_predicted_as(predicted, "cat")) == [6, 5, 4]
    journal.annotate(predicted, 2, "cat", annotator="ann")
    assert list(listing.clips_predicted_as(predicted, "dog")) == [1, 3]
    labels.rename(predicted, "cat", "lynx", annotator="ann")
    assert list(listing.clips_predicted_as(predicted, "lynx")) == [6, 5, 4]
    assert list(listing.clips_predicted_as(predicted, "cat")) == []
    assert listing.count_by_predicted_label(predicted) == {"lynx": 3, "dog": 2}
    journal.undo(predicted, annotator="ann")
    journal.undo(predicted, annotator="ann")
    assert listing.count_by_predicted_label(predicted) == {"dog": 3, "cat": 3}


def test_predicted_clips_exclude_what_others_claimed_and_follow_the_newest_model(
    predicted: Store,
) -> None:
    (mine,) = next_clips.claim_clips(predicted, 1, annotator="bob")
    for annotator, found in (("ann", 5), ("bob", 6), (None, 6)):
        assert sum(listing.count_by_predicted_label(predicted, annotator=annotator).values()) == found
        listed = {
            *listing.clips_predicted_as(predicted, "dog", annotator=annotator),
            *listing.clips_predicted_as(predicted, "cat", annotator=annotator),
        }
        assert (mine.id in listed, len(listed)) == (annotator != "ann", found)
    newer = add_model_row(predicted)
    with predicted.transaction() as connection:
        models.add_suggestion(connection, Suggestion(1, newer, {"cat": 0.99, "dog": 0.01}))
    assert list(listing.clips_predicted_as(predicted, "dog")) == [2, 3]
    assert list(listing.clips_predicted_as(predicted, "cat")) == [1, 6, 5, 4]


def test_a_label_that_the_model_all_but_excludes_is_not_predicted(predicted: Store) -> None:
    newer = add_model_row(predicted)
    with predicted.transaction() as connection:
        models.add_suggestion(connection, Suggestion(1, newer, {"dog": 0.014}, background=0.986))
        models.add_suggestion(connection, Suggestion(2, newer, {"dog": 0.015}, background=0.985))
    assert list(listing.clips_predicted_as(predicted, "dog")) == [3, 2]
    assert listing.count_by_predicted_label(predicted)["dog"] == 2
    assert [one.top_label for one in listing.page(predicted, [1, 2])] == [None, "dog"]
