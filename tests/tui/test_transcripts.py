"""Transcripts in the app: beside a clip, in Regions, and as a filter."""

from __future__ import annotations

from helpers.app import STRANGE_LABELS, list_opened, opened, shows, text_of, until, whole
from labeltool.project import Project
from labeltool.records import Segment, Transcript
from labeltool.store import Store, clips, recordings, transcripts
from labeltool.tui.dialogs.prompts import TextPrompt
from labeltool.tui.screens.browse import BrowseScreen
from labeltool.tui.widgets.transcript import TranscriptText


def say(store: Store, clip_id: int, *segments: tuple[float, str]) -> None:
    """Give a clip a transcript: start in seconds of its recording, and text."""
    texts = tuple(Segment(start_s, start_s + 0.1, text) for start_s, text in segments)
    transcripts.save(
        store,
        Transcript(clip_id, "m", "ab", language="en", language_probability=None, segments=texts, options="{}"),
    )


async def test_the_transcript_is_shown_under_the_spectrogram_as_text(app_project: Project, reading: Store) -> None:
    for clip in clips.all_clips(reading):
        say(reading, clip.id, (0.0, "[red]a[/]b \\[x] @click"), (0.2, "ende."))
    async with opened(app_project) as (_, screen, pilot):
        spoken = screen.query_one(TranscriptText)
        await until(pilot, lambda: "[red]a[/]b \\[x] @click ende." in text_of(spoken), "the transcript")


async def test_a_project_without_transcripts_has_the_whole_spectrogram(app_project: Project, reading: Store) -> None:
    async with opened(app_project) as (_, screen, _):
        assert not screen.query_one(TranscriptText).display
        without = screen.query_one("#spectrogram").size.height
    for clip in clips.all_clips(reading):
        say(reading, clip.id, (0.0, "something"))
    async with opened(app_project) as (_, screen, pilot):
        await until(pilot, lambda: screen.query_one("#spectrogram").size.height < without, "space for the transcript")


async def test_a_long_transcript_follows_the_playhead_and_highlights_its_segment(
    app_project: Project, reading: Store
) -> None:
    sentences = [f"sentence {place} " + "word " * 30 for place in range(20)]
    async with opened(app_project, size=(100, 30)) as (_, screen, pilot):
        spoken = screen.query_one(TranscriptText)
        spoken.show([Segment(10.0 * place, 10.0 * place + 9, text.strip()) for place, text in enumerate(sentences)])
        await pilot.pause()
        for moment_s, seen in ((0.0, "sentence 0"), (55.0, "sentence 5"), (1e6, "sentence 19"), (3.0, "sentence 0")):
            spoken.follow(moment_s)
            assert text_of(spoken).strip().startswith(seen)
        for text in STRANGE_LABELS:
            spoken.show([Segment(0.0, 1.0, text)])
            await pilot.pause()
            assert "\x1b" not in text_of(spoken)
        spoken.show(())
        await pilot.pause()
        assert not text_of(spoken).strip()


async def test_in_regions_the_transcript_follows_the_playhead(app_project: Project, reading: Store) -> None:
    clip = clips.all_clips(reading)[0]
    long = "word " * 60
    say(reading, clip.id, (0.0, f"first {long}"), (0.3, f"second {long}"))
    async with whole(app_project, recordings.recording(reading, clip.recording_id)) as (_, screen, pilot):
        spoken = screen.query_one(TranscriptText)
        await until(pilot, lambda: spoken.display and "first" in text_of(spoken), "the transcript")
        screen.go(0.4)
        await until(pilot, lambda: text_of(spoken).strip().startswith("second"), "the transcript there")


async def test_clips_are_filtered_by_transcript(app_project: Project, reading: Store) -> None:
    third = clips.all_clips(reading)[2]
    say(reading, third.id, (0.0, "The fire brigade came."))
    async with list_opened(app_project, "B", BrowseScreen) as (_, screen, pilot):
        await shows(pilot, TextPrompt, "ctrl+f")
        await pilot.press("quotation_mark", *"came", "space", *"FIRE", "quotation_mark", "enter")
        await until(pilot, lambda: list(screen.clips.ids) == [third.id], "the clip with that text")
        await until(pilot, lambda: "fire brigade" in text_of(screen.query_one(TranscriptText)), "its transcript")
        await pilot.press("backspace")
        await until(pilot, lambda: len(screen.clips.ids) == 5, "every clip")
