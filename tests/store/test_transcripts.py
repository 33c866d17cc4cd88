"""Transcripts in the store: one a clip, found by their words, whatever is typed."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import sqlite_utils
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers.records import records_of
from helpers.store import add_model_row
from labeltool.annotation import listing
from labeltool.annotation.listing import Filter
from labeltool.inference.transcribe import speech_clips
from labeltool.records import Event, Segment, Suggestion, Transcript, Value
from labeltool.store import Store, clips, journal, labels, models, recordings, spans, transcripts
from labeltool.store.detections import replacing
from labeltool.store.importing import import_records
from labeltool.store.spans import Region

TEXTS = (
    ("The fire brigade came.", "Nobody was hurt at the harbour."),
    ("Fire! Fire, Müller öffnet die Tür",),
    ('a "quoted" word AND one\'s own, 100% of C:\\dir_x',),
    ("東京は今日も雨です", "fire alarm"),
    (),
)


def transcript(clip_id: int, *texts: str, **fields: str) -> Transcript:
    segments = tuple(Segment(0.1 * place, 0.1 * place + 0.1, text) for place, text in enumerate(texts))
    return Transcript(clip_id, **{"model": "m", "model_sha256": "ab", "options": "{}", "language": "en", **fields},
                      language_probability=None, segments=segments)  # fmt: skip


@pytest.fixture
def spoken(store: Store) -> Store:
    """A project of five clips with transcripts and one without."""
    for name in "abcdef":
        import_records(store, records_of(name), kind="test", source="test")
    for clip_id, texts in enumerate(TEXTS, start=1):
        transcripts.save(store, transcript(clip_id, *texts))
    return store


def search(store: Store, text: str) -> list[tuple[int, int]]:
    """The clips found, the best first, each with the index of the segment that matches."""
    count, found = transcripts.search(store, text)
    assert count == len(found)
    assert [one.clip.id for one in found] == [one.transcript.clip_id for one in found]
    return [(one.clip.id, one.segment) for one in found]


def ids(found: Sequence[tuple[int, int]]) -> set[int]:
    return {clip_id for clip_id, _ in found}


def test_words_are_found_in_any_order_whatever_their_case_and_accents(spoken: Store) -> None:
    assert ids(search(spoken, "fire")) == {1, 2, 4}
    assert search(spoken, "HURT fire") == [(1, 0)]
    assert search(spoken, "harbour") == [(1, 1)]  # the segment that says it
    assert search(spoken, "mULLER tur") == [(2, 0)]
    assert search(spoken, "fi") == []
    assert ids(search(spoken, "fi*")) == {1, 2, 4}
    assert search(spoken, '"fire brigade"') == [(1, 0)]
    assert search(spoken, '"brigade fire"') == []
    assert search(spoken, "came nobody") == [(1, 0)]  # across segments


def test_nothing_typed_is_an_order_to_the_index(spoken: Store) -> None:
    assert search(spoken, "AND") == [(3, 0)]
    assert search(spoken, "one's") == [(3, 0)]
    for typed in ('"', '"quoted', "fire OR", "NOT hurt", "text: fire", "NEAR(fire", "^fire", "fire + -", "(fire", "*"):
        search(spoken, typed)
    assert search(spoken, 'fire "') == search(spoken, "fire")
    assert search(spoken, "fire OR nobody") == []  # OR is a word that nobody says
    assert search(spoken, "!!! ...") == []
    assert search(spoken, "fi\0re") == []
    assert ids(search(spoken, "fire \udcff")) == {1, 2, 4}


def test_of_scripts_without_spaces_any_part_is_found_where_it_stands(spoken: Store) -> None:
    transcripts.save(spoken, transcript(6, "雨が降る", "晴れのち雨です"))
    assert search(spoken, "今日") == [(4, 0)]
    assert search(spoken, "雨です") == [(4, 0), (6, 1)]
    assert search(spoken, "雨 alarm") == [(4, 1)]
    assert search(spoken, "雪") == []


def test_without_words_every_transcript_is_listed_and_a_limit_still_counts_all(spoken: Store) -> None:
    assert search(spoken, "  ") == [(clip_id, 0) for clip_id in range(1, 6)]
    count, found = transcripts.search(spoken, "fire", limit=2)
    assert (count, len(found)) == (3, 2)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.text(max_size=30) | st.lists(st.sampled_from(['"', "fire", " ", "*", "AND", "(", "雨", "%", "ö"])).map("".join)
)
def test_any_text_can_be_searched(spoken: Store, text: str) -> None:
    found = search(spoken, text)
    statement, values = transcripts.select_matching(text)
    assert {clip_id for (clip_id,) in spoken.connection.execute(statement, values)} == ids(found)


def test_another_transcript_of_a_clip_takes_the_place_of_the_first_and_its_words(spoken: Store) -> None:
    before = list(spoken.connection.iterdump())
    first = transcripts.of_clip(spoken, 1)
    assert first is not None
    transcripts.save(spoken, transcript(1, "Something else", model_sha256="cd"))
    assert ids(search(spoken, "fire")) == {2, 4}
    assert search(spoken, "else") == [(1, 0)]
    assert transcripts.transcribed_with(spoken)[1] == ("cd", "{}")
    kept = transcripts.of_clip(spoken, 1)
    assert kept is not None and [one.text for one in kept.segments] == ["Something else"]
    spoken.connection.execute("INSERT INTO transcripts_fts (transcripts_fts, rank) VALUES ('integrity-check', 1)")
    transcripts.save(spoken, first)
    journal_lines = [line for line in before if "journal" in line]
    assert [line for line in spoken.connection.iterdump() if "journal" in line] == journal_lines
    assert transcripts.of_clip(spoken, 6) is None


def test_datasette_finds_and_uses_the_index(spoken: Store) -> None:
    table = sqlite_utils.Database(spoken.connection)["transcripts"]
    assert table.detect_fts() == "transcripts_fts"
    assert {row["clip_id"] for row in table.search("muller")} == {2}


def test_lists_are_filtered_by_the_transcripts(spoken: Store) -> None:
    journal.annotate(spoken, 2, "dog", annotator="ann")
    assert list(listing.matching(spoken, Filter(transcript="fire"))) == [1, 2, 4]
    assert list(listing.matching(spoken, Filter(transcript="fire", labelled=False))) == [1, 4]
    assert list(listing.matching(spoken, Filter(transcript="?!"))) == []


def add_suggestions(store: Store, **by_clip: dict[str, float]) -> None:
    """Store a newer model that suggests labels; `by_clip` has the probabilities of clip 1 as `c1`, and so on."""
    model_id = add_model_row(store)
    with store.transaction() as connection:
        for clip, probabilities in by_clip.items():
            models.add_suggestion(connection, Suggestion(int(clip[1:]), model_id, probabilities))


def test_speech_clips_follow_current_labels_and_the_newest_model(store: Store) -> None:
    for name in "abcdefg":
        import_records(store, records_of(name), kind="test", source="test")
    add_suggestions(store, c1={"speech": 1.0, "dog": 0.0}, c6={"speech": 0.9, "dog": 0.1})
    speech, dog = {"speech": 0.8, "dog": 0.2}, {"speech": 0.4, "dog": 0.6}
    add_suggestions(store, c1=speech, c3=speech, c4=dog, c5=speech, c6=dog)
    journal.annotate(store, 2, "talk", annotator="ann")
    labels.rename(store, "talk", "SPEECH", annotator="ann")
    journal.annotate(store, 5, "dog", annotator="ann")
    journal.annotate(store, 7, "speech", Value.ABSENT, annotator="ann")
    assert speech_clips(store, ["Speech"]) == [1, 2, 3]
    assert speech_clips(store, ["talk"]) == []
    assert speech_clips(store, ["DOG"]) == [4, 5, 6]


def test_a_detected_region_keeps_its_transcript_when_detections_are_replaced(store: Store) -> None:
    import_records(store, records_of("a"), kind="test", source="test")
    recording = recordings.by_content(store, "aaaa")
    assert recording is not None
    pretrained = models.detection_model_id(store, "yamnet")
    replacing.replace_detections(
        store, recording, pretrained, [Event("Speech", 0.25, 0.5, 0.3), Event("Speech", 0.75, 1.0, 0.3)]
    )
    first, second = speech_clips(store, ["speech"])
    transcripts.save(store, transcript(first, "fire"))
    replacing.replace_detections(store, recording, pretrained, [Event("Speech", 0.5, 0.75, 0.9)])
    assert first not in speech_clips(store, ["speech"]) and second not in transcripts.transcribed_with(store)
    assert search(store, "fire") == [(first, 0)]
    assert [clip.id for clip in clips.all_clips(store)] == [1]
    # A person selects the same region: it is that clip, with its transcript.
    spans.annotate_region(store, recording, Region(0.25, 0.5), "speech", annotator="ann")
    assert speech_clips(store, ["speech"])[0] == first
