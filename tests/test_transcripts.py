"""Transcripts in the store: one a clip, found by their words, whatever people type."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import sqlite_utils
from conftest import records_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labeltool.annotation import listing
from labeltool.annotation.listing import Filter
from labeltool.inference.transcribe import speech_clips
from labeltool.records import Event, Segment, Suggestion, Transcript, Value
from labeltool.store import Store, clips, journal, labels, models, recordings, spans, transcripts
from labeltool.store.importing import take_in
from labeltool.store.spans import Mark

TEXTS = (
    ("The fire brigade came.", "Nobody was hurt at the harbour."),
    ("Fire! Fire, Müller öffnet die Tür",),
    ('a "quoted" word AND one\'s own, 100% of C:\\dir_x',),
    ("東京は今日も雨です", "fire alarm"),
    (),
)


def transcript(clip_id: int, *texts: str, **told: str) -> Transcript:
    segments = tuple(Segment(0.1 * place, 0.1 * place + 0.1, text) for place, text in enumerate(texts))
    return Transcript(clip_id, **{"model": "m", "model_sha256": "ab", "asked": "{}", "language": "en", **told},
                      language_probability=None, segments=segments)  # fmt: skip


@pytest.fixture
def spoken(store: Store) -> Store:
    """A project of five clips with transcripts and one without."""
    for name in "abcdef":
        take_in(store, records_of(name), kind="test", source="test")
    for clip_id, texts in enumerate(TEXTS, start=1):
        transcripts.keep(store, transcript(clip_id, *texts))
    return store


def sought(store: Store, text: str) -> list[tuple[int, int]]:
    """The clips found, the best first, each with the place of the segment that holds what was sought."""
    count, found = transcripts.found(store, text)
    assert count == len(found)
    assert [one.clip.id for one in found] == [one.transcript.clip_id for one in found]
    return [(one.clip.id, one.at) for one in found]


def ids(found: Sequence[tuple[int, int]]) -> set[int]:
    return {clip_id for clip_id, _ in found}


def test_words_are_found_in_any_order_whatever_their_case_and_accents(spoken: Store) -> None:
    assert ids(sought(spoken, "fire")) == {1, 2, 4}
    assert sought(spoken, "HURT fire") == [(1, 0)]
    assert sought(spoken, "harbour") == [(1, 1)]  # the segment that says it
    assert sought(spoken, "mULLER tur") == [(2, 0)]
    assert sought(spoken, "fi") == []
    assert ids(sought(spoken, "fi*")) == {1, 2, 4}
    assert sought(spoken, '"fire brigade"') == [(1, 0)]
    assert sought(spoken, '"brigade fire"') == []
    assert sought(spoken, "came nobody") == [(1, 0)]  # across segments


def test_nothing_typed_is_an_order_to_the_index(spoken: Store) -> None:
    assert sought(spoken, "AND") == [(3, 0)]
    assert sought(spoken, "one's") == [(3, 0)]
    for typed in ('"', '"quoted', "fire OR", "NOT hurt", "text: fire", "NEAR(fire", "^fire", "fire + -", "(fire", "*"):
        sought(spoken, typed)
    assert sought(spoken, 'fire "') == sought(spoken, "fire")
    assert sought(spoken, "fire OR nobody") == []  # OR is a word that nobody says
    assert sought(spoken, "!!! ...") == []
    assert sought(spoken, "fi\0re") == []
    assert ids(sought(spoken, "fire \udcff")) == {1, 2, 4}


def test_of_scripts_without_spaces_any_part_is_found_where_it_stands(spoken: Store) -> None:
    transcripts.keep(spoken, transcript(6, "雨が降る", "晴れのち雨です"))
    assert sought(spoken, "今日") == [(4, 0)]
    assert sought(spoken, "雨です") == [(4, 0), (6, 1)]
    assert sought(spoken, "雨 alarm") == [(4, 1)]
    assert sought(spoken, "雪") == []


def test_without_words_every_transcript_is_listed_and_a_limit_still_counts_all(spoken: Store) -> None:
    assert sought(spoken, "  ") == [(clip_id, 0) for clip_id in range(1, 6)]
    count, found = transcripts.found(spoken, "fire", limit=2)
    assert (count, len(found)) == (3, 2)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.text(max_size=30) | st.lists(st.sampled_from(['"', "fire", " ", "*", "AND", "(", "雨", "%", "ö"])).map("".join)
)
def test_any_text_can_be_sought(spoken: Store, text: str) -> None:
    found = sought(spoken, text)
    statement, values = transcripts.where_said(text)
    assert {clip_id for (clip_id,) in spoken.connection.execute(statement, values)} == ids(found)


def test_another_transcript_of_a_clip_takes_the_place_of_the_first_and_its_words(spoken: Store) -> None:
    before = list(spoken.connection.iterdump())
    first = transcripts.of_clip(spoken, 1)
    assert first is not None
    transcripts.keep(spoken, transcript(1, "Something else", model_sha256="cd"))
    assert ids(sought(spoken, "fire")) == {2, 4}
    assert sought(spoken, "else") == [(1, 0)]
    assert transcripts.makers(spoken)[1] == ("cd", "{}")
    kept = transcripts.of_clip(spoken, 1)
    assert kept is not None and [one.text for one in kept.segments] == ["Something else"]
    spoken.connection.execute("INSERT INTO transcripts_fts (transcripts_fts, rank) VALUES ('integrity-check', 1)")
    transcripts.keep(spoken, first)
    told = [line for line in before if "journal" in line]
    assert [line for line in spoken.connection.iterdump() if "journal" in line] == told
    assert transcripts.of_clip(spoken, 6) is None


def test_datasette_finds_the_index_and_seeks_in_it(spoken: Store) -> None:
    table = sqlite_utils.Database(spoken.connection)["transcripts"]
    assert table.detect_fts() == "transcripts_fts"
    assert {row["clip_id"] for row in table.search("muller")} == {2}


def test_lists_are_narrowed_to_what_is_said_in_the_clips(spoken: Store) -> None:
    journal.say(spoken, 2, "dog", annotator="ann")
    assert list(listing.matching(spoken, Filter(said="fire"))) == [1, 2, 4]
    assert list(listing.matching(spoken, Filter(said="fire", answered=False))) == [1, 4]
    assert list(listing.matching(spoken, Filter(said="?!"))) == []


def add_model(store: Store, **probabilities: dict[str, float]) -> int:
    """Give the project a newer model that suggests, by clip."""
    card = {"architecture": "none", "labels_seen": 0, "clip_accuracy": None, "int8_clip_accuracy": None}
    model_id = models.add(store, parent_id=None, card=card, journal_mark="", publish=lambda _: None)
    with store.transaction() as connection:
        for clip, held in probabilities.items():
            models.add_suggestion(connection, Suggestion(int(clip[1:]), model_id, held))
    return model_id


def test_what_is_speech_goes_by_labels_of_today_and_by_what_the_newest_model_holds(store: Store) -> None:
    for name in "abcdefg":
        take_in(store, records_of(name), kind="test", source="test")
    add_model(store, c1={"speech": 1.0, "dog": 0.0}, c6={"speech": 0.9, "dog": 0.1})
    speech, dog = {"speech": 0.8, "dog": 0.2}, {"speech": 0.4, "dog": 0.6}
    add_model(store, c1=speech, c3=speech, c4=dog, c5=speech, c6=dog)
    journal.say(store, 2, "talk", annotator="ann")
    labels.rename(store, "talk", "SPEECH", annotator="ann")
    journal.say(store, 5, "dog", annotator="ann")
    journal.say(store, 7, "speech", Value.ABSENT, annotator="ann")
    assert speech_clips(store, ["Speech"]) == [1, 2, 3]
    assert speech_clips(store, ["talk"]) == []
    assert speech_clips(store, ["DOG"]) == [4, 5, 6]


def test_what_was_found_in_a_whole_recording_keeps_its_transcript_when_it_is_sought_anew(store: Store) -> None:
    take_in(store, records_of("a"), kind="test", source="test")
    recording = recordings.by_content(store, "aaaa")
    assert recording is not None
    ear = models.finder(store, "yamnet")
    spans.replace_held(store, recording, ear, [Event("Speech", 0.25, 0.5, 0.3), Event("Speech", 0.75, 1.0, 0.3)])
    first, second = speech_clips(store, ["speech"])
    transcripts.keep(store, transcript(first, "fire"))
    spans.replace_held(store, recording, ear, [Event("Speech", 0.5, 0.75, 0.9)])
    assert first not in speech_clips(store, ["speech"]) and second not in transcripts.makers(store)
    assert sought(store, "fire") == [(first, 0)]
    assert [clip.id for clip in clips.all_clips(store)] == [1]
    # Somebody marks the same span: it is that clip, with its transcript.
    spans.say_span(store, recording, Mark(0.25, 0.5), "speech", annotator="ann")
    assert speech_clips(store, ["speech"])[0] == first
