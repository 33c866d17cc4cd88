"""What is said, shown in the labelling room: beside the clip, through a whole recording, and to browse by."""

from __future__ import annotations

import room_helpers
from room_helpers import STRANGE_LABELS, opened, text_of, until
from test_room_lists import list_opened
from test_room_spans import whole

from labeltool.project import Project
from labeltool.records import Segment, Transcript
from labeltool.store import Store, clips, recordings, transcripts
from labeltool.tui.screens.browse import BrowseScreen
from labeltool.tui.screens.text_prompt import Wording
from labeltool.tui.widgets.transcript import Spoken

room_project = room_helpers.room_project
reading = room_helpers.reading


def say(store: Store, clip_id: int, *segments: tuple[float, str]) -> None:
    """Give a clip a transcript: what is said from when on, seconds of its recording."""
    told = tuple(Segment(start_s, start_s + 0.1, text) for start_s, text in segments)
    transcripts.keep(
        store,
        Transcript(clip_id, "m", "ab", language="en", language_probability=None, segments=told, asked="{}"),
    )


async def test_what_is_said_stands_under_the_picture_as_text_whatever_it_holds(
    room_project: Project, reading: Store
) -> None:
    for clip in clips.all_clips(reading):
        say(reading, clip.id, (0.0, "[red]a[/]b \\[x] @click"), (0.2, "ende."))
    async with opened(room_project) as (_, screen, _):
        assert "[red]a[/]b \\[x] @click ende." in text_of(screen.query_one(Spoken))


async def test_a_project_without_transcripts_keeps_its_whole_picture(room_project: Project, reading: Store) -> None:
    async with opened(room_project) as (_, screen, _):
        assert not screen.query_one(Spoken).display
        without = screen.query_one("#spectrogram").size.height
    for clip in clips.all_clips(reading):
        say(reading, clip.id, (0.0, "something"))
    async with opened(room_project) as (_, screen, pilot):
        await until(pilot, lambda: screen.query_one("#spectrogram").size.height < without, "room for what is said")


async def test_a_long_text_follows_the_sound_and_the_segment_that_is_heard_is_lit(
    room_project: Project, reading: Store
) -> None:
    sentences = [f"sentence {place} " + "word " * 30 for place in range(20)]
    async with opened(room_project, size=(100, 30)) as (_, screen, pilot):
        spoken = screen.query_one(Spoken)
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


async def test_in_a_whole_recording_what_is_said_follows_the_playhead(room_project: Project, reading: Store) -> None:
    clip = clips.all_clips(reading)[0]
    long = "word " * 60
    say(reading, clip.id, (0.0, f"first {long}"), (0.3, f"second {long}"))
    async with whole(room_project, recordings.recording(reading, clip.recording_id)) as (_, screen, pilot):
        spoken = screen.query_one(Spoken)
        await until(pilot, lambda: spoken.display and "first" in text_of(spoken), "what is said")
        screen.go(0.4)
        await until(pilot, lambda: text_of(spoken).strip().startswith("second"), "what is said there")


async def test_clips_are_browsed_by_what_is_said_in_them(room_project: Project, reading: Store) -> None:
    third = clips.all_clips(reading)[2]
    say(reading, third.id, (0.0, "The fire brigade came."))
    async with list_opened(room_project, "B", BrowseScreen) as (room, screen, pilot):
        await pilot.press("v")
        await until(pilot, lambda: isinstance(room.screen, Wording), "the line to write in")
        await pilot.press(*"came", "space", *"FIRE", "enter")
        await until(pilot, lambda: list(screen.clips.ids) == [third.id], "the clip in which that is said")
        await until(pilot, lambda: "fire brigade" in text_of(screen.query_one(Spoken)), "what is said in it")
        await pilot.press("0")
        await until(pilot, lambda: len(screen.clips.ids) == 5, "every clip")
