"""Lists of clips: what looks wrong, and all there are."""

from __future__ import annotations

import json

import pytest
from conftest import records_of

from labeltool.annotation import listing, next_clips, review
from labeltool.annotation.listing import Filter
from labeltool.project import Project
from labeltool.records import Suggestion, Value
from labeltool.store import Store, journal, labels, models
from labeltool.store.importing import take_in


@pytest.fixture
def held(store: Store) -> Store:
    """Six clips; a model is ever less sure of a dog in the first three, of a cat in the rest."""
    take_in(store, [r for name in "abcdef" for r in records_of(name)], kind="audio", source="test")
    card = {"architecture": "x", "labels_seen": 1, "clip_accuracy": None, "int8_clip_accuracy": None}
    model_id = models.add(store, parent_id=None, card=card, journal_mark="", publish=lambda _: None)
    for clip_id in range(1, 7):
        dog = 1 - 0.15 * clip_id
        models_row = Suggestion(clip_id, model_id, {"dog": dog, "cat": 1 - dog})
        with store.transaction() as connection:
            models.add_suggestion(connection, models_row)
    return store


def test_disagreements_come_before_contradictions_and_those_by_weight(held: Store) -> None:
    journal.say(held, 1, "cat", annotator="ann")
    journal.say(held, 2, "cat", annotator="ann")
    journal.say(held, 6, "cat", annotator="ann")
    journal.say(held, 5, "dog", annotator="ann")
    journal.say(held, 5, "dog", Value.ABSENT, annotator="bob")
    found = review.suspicions(held)
    assert [one.clip_id for one in found] == [5, 1, 2]
    assert "'ann' hears 'dog', 'bob' hears no 'dog'" in found[0].reason
    assert "'dog' (85%)" in found[1].reason
    journal.undo(held, annotator="bob")
    # Without bob's word, clip 5 is only what the model contradicts: 0.75 against 0.25.
    assert [one.clip_id for one in review.suspicions(held)] == [1, 5, 2]


def test_annotators_who_hear_different_sounds_disagree(held: Store) -> None:
    journal.say(held, 6, "cat", annotator="ann")
    journal.say(held, 6, "owl", annotator="bob")
    assert [one.reason for one in review.suspicions(held)] == ["'ann' hears 'cat', 'bob' hears 'owl'"]
    journal.say(held, 6, "cat", annotator="bob")
    assert review.suspicions(held) == []


def test_a_word_on_the_whole_clip_takes_back_and_denies(held: Store) -> None:
    journal.say(held, 5, "cat", annotator="ann")
    journal.say(held, 5, None, Value.ABSENT, annotator="ann")
    journal.say(held, 5, "owl", Value.ABSENT, annotator="bob")
    # Ann hears no cat any more, and neither of them an owl.
    assert review.suspicions(held) == []
    journal.say(held, 5, "owl", annotator="bob")
    (found,) = review.suspicions(held)
    assert found.reason.startswith("'ann' hears none of these, 'bob' hears 'owl'")
    assert (found.label, found.value) == ("owl", Value.PRESENT)
    journal.say(held, 5, None, Value.ABSENT, annotator="cem")
    journal.say(held, 5, "owl", annotator="bob")
    # Bob meant it: he said so twice.
    assert [one.weight for one in review.suspicions(held)] == []


def test_what_was_said_twice_was_meant_whoever_says_it_again(held: Store) -> None:
    journal.say(held, 1, "cat", annotator="ann")
    journal.say(held, 5, "dog", annotator="ann")
    journal.say(held, 5, "dog", Value.ABSENT, annotator="bob")
    assert [one.clip_id for one in review.suspicions(held)] == [5, 1]
    journal.say(held, 1, "cat", annotator="ann")
    journal.say(held, 5, "dog", Value.ABSENT, annotator="cem")
    assert review.suspicions(held) == []
    journal.undo(held, annotator="cem")
    assert [one.clip_id for one in review.suspicions(held)] == [5]


def test_a_label_that_is_there_as_well_is_no_contradiction(held: Store) -> None:
    journal.say(held, 1, "cat", annotator="ann")
    journal.say(held, 1, "dog", annotator="ann")
    assert review.suspicions(held) == []


def test_filters_narrow_and_take_text_as_text(held: Store) -> None:
    take_in(held, records_of("50%_x"), kind="audio", source="test")
    journal.say(held, 2, "dog", annotator="ann")
    assert list(listing.matching(held)) == [1, 2, 3, 4, 5, 6, 7]
    assert list(listing.matching(held, Filter(text="%"))) == [7]
    assert list(listing.matching(held, Filter(text="SOUNDS/B"))) == [2]
    assert list(listing.matching(held, Filter(label="dog"))) == [2]
    assert list(listing.matching(held, Filter(answered=False, text="/sounds/"))) == [1, 3, 4, 5, 6, 7]


def test_a_page_keeps_its_order_and_says_what_was_said(held: Store) -> None:
    journal.say(held, 3, "dog", annotator="ann")
    journal.say(held, 3, "cat", Value.ABSENT, annotator="ann")
    third, first = listing.page(held, [3, 1])
    assert (third.clip.id, third.present, third.absent, third.answered) == (3, ("dog",), ("cat",), True)
    assert (first.clip.id, first.present, first.answered, first.top_label) == (1, (), False, "dog")
    assert first.top_probability == pytest.approx(0.85)
    assert json.dumps(listing.page(held, [])) == "[]"
    labels.rename(held, "dog", "hound", annotator="ann")
    assert [one.top_label for one in listing.page(held, [1, 6])] == ["hound", "cat"]


def test_the_command_line_lists_and_reviews(held: Store, project: Project) -> None:
    from test_command_line import labeltool

    at = ("--project", project.directory)
    labeltool(*at, "mark", "1", "cat")
    labeltool(*at, "note", "1", "far away")
    told = json.loads(labeltool(*at, "clips", "--answered", "--json").stdout)
    assert (told["matching"], told["clips"][0]["present"], told["clips"][0]["suggestion"]) == (1, ["cat"], "dog")
    assert labeltool(*at, "clips", "--limit", "2").stdout.count("model:") == 2
    assert "'cat' present, but the model hears 'dog' (85%)" in labeltool(*at, "review").stdout
    assert json.loads(labeltool(*at, "review", "--json").stdout)["doubtful"] == 1
    assert "note 'far away'" in labeltool(*at, "log").stdout
    assert json.loads(labeltool(*at, "stats", "--json").stdout)["answers"] == 1
    labeltool(*at, "undo")
    labeltool(*at, "undo")
    assert json.loads(labeltool(*at, "redo", "--json").stdout)["redone"]["label"] == "cat"


def test_a_sweep_finds_what_waits_under_todays_names_the_surest_first(held: Store) -> None:
    assert listing.sweep_labels(held) == {"dog": 3, "cat": 3}
    assert list(listing.sweepable(held, "dog")) == [1, 2, 3]
    assert list(listing.sweepable(held, "cat")) == [6, 5, 4]
    journal.say(held, 2, "cat", annotator="ann")
    assert list(listing.sweepable(held, "dog")) == [1, 3]
    labels.rename(held, "cat", "lynx", annotator="ann")
    assert list(listing.sweepable(held, "lynx")) == [6, 5, 4]
    assert list(listing.sweepable(held, "cat")) == []
    assert listing.sweep_labels(held) == {"lynx": 3, "dog": 2}
    journal.undo(held, annotator="ann")
    journal.undo(held, annotator="ann")
    assert listing.sweep_labels(held) == {"dog": 3, "cat": 3}


def test_a_sweep_leaves_out_what_another_has_claimed_and_what_a_newer_model_hears_otherwise(held: Store) -> None:
    (mine,) = next_clips.claim_clips(held, 1, annotator="bob")
    for annotator, found in (("ann", 5), ("bob", 6), (None, 6)):
        assert sum(listing.sweep_labels(held, annotator=annotator).values()) == found
        swept = {
            *listing.sweepable(held, "dog", annotator=annotator),
            *listing.sweepable(held, "cat", annotator=annotator),
        }
        assert (mine.id in swept, len(swept)) == (annotator != "ann", found)
    card = {"architecture": "x", "labels_seen": 1, "clip_accuracy": None, "int8_clip_accuracy": None}
    newer = models.add(held, parent_id=1, card=card, journal_mark="", publish=lambda _: None)
    with held.transaction() as connection:
        models.add_suggestion(connection, Suggestion(1, newer, {"cat": 0.99, "dog": 0.01}))
    assert list(listing.sweepable(held, "dog")) == [2, 3]
    assert list(listing.sweepable(held, "cat")) == [1, 6, 5, 4]
