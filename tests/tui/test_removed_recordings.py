"""The app goes on when a recording is removed in another terminal while its clip is on the screen."""

from __future__ import annotations

from helpers.app import answer, clip_on, opened, until
from labeltool.project import Project
from labeltool.store import Store, journal, recordings
from labeltool.tui.screens.browse import BrowseScreen


async def test_the_clip_on_the_screen_is_labelled_and_the_next_is_shown(app_project: Project, reading: Store) -> None:
    async with opened(app_project) as (app, screen, pilot):
        clip = clip_on(screen)
        gone = recordings.recording(reading, clip.recording_id)
        recordings.remove(reading, [gone], annotator="bob")
        await answer(screen, pilot, "1")
        assert [row.clip_id for row in journal.rows(reading, clip_id=clip.id)] == [clip.id]
        # Undo cannot return to the clip, but to work.
        await pilot.press("u")
        await until(pilot, lambda: "was removed" in screen.notice.warning, "the reason")
        assert not app._exception
        await until(pilot, lambda: screen.current is not None and screen.current.clip.id != clip.id, "another clip")
        await answer(screen, pilot, "1")
        assert next(journal.rows(reading)).clip_id != clip.id


async def test_a_removal_by_the_same_person_is_undone_in_the_app(app_project: Project, reading: Store) -> None:
    async with opened(app_project) as (_, screen, pilot):
        gone = recordings.find_recording(reading, "tone0.wav")
        recordings.remove(reading, [gone], annotator="ann")
        await pilot.press("u")
        await until(pilot, lambda: "tone0.wav" in screen.notice.text, "what was undone")
        assert recordings.find_recording(reading, "tone0.wav") == gone
        await pilot.press("U")
        await until(pilot, lambda: "redone" in screen.notice.text, "what was redone")


async def test_a_list_that_has_a_removed_clip_goes_on(app_project: Project, reading: Store) -> None:
    async with opened(app_project) as (app, _, pilot):
        await app.action_view("browse")
        await until(pilot, lambda: isinstance(app.screen, BrowseScreen) and app.screen.current, "the list")
        screen = app.screen
        assert isinstance(screen, BrowseScreen) and screen.current is not None
        following = screen.clips.following(1)[0]
        gone = reading.connection.execute("SELECT recording_id FROM clips WHERE id = ?", (following,)).fetchone()[0]
        recordings.remove(reading, [recordings.recording(reading, gone)], annotator="bob")
        await pilot.press("down")
        await until(pilot, lambda: "was removed" in screen.notice.warning, "the reason")
        await pilot.press("down")
        await until(pilot, lambda: screen.current is not None and screen.current.clip.recording_id != gone, "the next")
