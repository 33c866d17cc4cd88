"""Lists in the app: browse every clip, review suspicious labels."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from helpers.app import answer, clip_on, list_opened, opened, shows, suggest, text_of, until, verdicts
from helpers.store import add_model_row, replace_suggestions
from labeltool.evaluation import detections
from labeltool.project import Project
from labeltool.records import Event, Suggestion, Value
from labeltool.similarity import search
from labeltool.store import Store, clips, journal, models, recordings
from labeltool.store.detections.replacing import DetectionScan, replace_detections
from labeltool.tui.dialogs.labels import LabelsScreen
from labeltool.tui.dialogs.palette import Palette
from labeltool.tui.dialogs.prompts import Confirm, TextPrompt
from labeltool.tui.screens.browse import BrowseScreen
from labeltool.tui.screens.list_base import ListScreen
from labeltool.tui.screens.review import ReviewScreen


async def moved(screen: ListScreen, pilot: Pilot[None], *keys: str) -> None:
    """Press keys and wait until the highlighted clip is on the screen."""
    await pilot.press(*keys)
    await until(pilot, lambda: not screen.busy, f"the clip after {keys}")


def lines(screen: ListScreen) -> list[str]:
    """The list's lines as they are painted."""
    return text_of(screen.clips).splitlines()


# -- browsing


async def test_every_clip_is_in_the_list_and_the_selected_one_is_shown(app_project: Project) -> None:
    async with list_opened(app_project, "B", BrowseScreen) as (_, screen, pilot):
        await until(pilot, lambda: "tone4" in text_of(screen.clips), "the lines")
        assert len(screen.clips.ids) == 5
        await moved(screen, pilot, "down", "down")
        assert clip_on(screen).id == screen.clips.ids[2]
        assert lines(screen)[2].startswith("▸")
        await moved(screen, pilot, "end")
        await moved(screen, pilot, "down")
        assert screen.clips.place == 4
        await moved(screen, pilot, "home")
        assert screen.clips.place == 0


async def test_a_label_on_a_labelled_clip_replaces_it_and_undo_restores_it(
    app_project: Project, reading: Store
) -> None:
    async with list_opened(app_project, "B", BrowseScreen) as (_, screen, pilot):
        first = screen.clips.ids[0]
        assert clips.verdicts_on(reading, [first])[first] == {"high": Value.ABSENT, "low": Value.PRESENT}
        place = [offer.label for offer in screen.choices].index("high") + 1
        await moved(screen, pilot, str(place))
        assert screen.clips.place == 1
        assert screen.notice.text == "✓ high (was low)"
        assert clips.verdicts_on(reading, [first])[first] == {"high": Value.PRESENT, "low": Value.ABSENT}
        await moved(screen, pilot, "u")
        assert screen.clips.place == 0
        assert clips.verdicts_on(reading, [first])[first] == {"high": Value.ABSENT, "low": Value.PRESENT}
        await until(pilot, lambda: "low" in lines(screen)[0], "the line as it was")
        await pilot.press("U")
        await until(pilot, lambda: clips.verdicts_on(reading, [first])[first]["high"] is Value.PRESENT, "both redone")


async def test_m_adds_a_label_and_keeps_the_first(app_project: Project, reading: Store) -> None:
    async with list_opened(app_project, "B", BrowseScreen) as (_, screen, pilot):
        first = screen.clips.ids[0]
        place = [offer.label for offer in screen.choices].index("high") + 1
        await pilot.press("m", str(place))
        await until(
            pilot, lambda: clips.verdicts_on(reading, [first])[first]["high"] is Value.PRESENT, "the second label"
        )
        assert clips.verdicts_on(reading, [first])[first]["low"] is Value.PRESENT
        assert screen.clips.place == 0


async def test_the_list_is_filtered_by_file_label_and_unlabelled(app_project: Project) -> None:
    async with list_opened(app_project, "B", BrowseScreen) as (_, screen, pilot):
        await shows(pilot, TextPrompt, "f")
        await pilot.press(*"TONE3", "enter")
        await until(pilot, lambda: len(screen.clips.ids) == 1, "the one file")
        await pilot.press("backspace")
        await until(pilot, lambda: len(screen.clips.ids) == 5, "every clip")
        await shows(pilot, Palette, "F")
        await pilot.press(*"low", "enter")
        await until(pilot, lambda: len(screen.clips.ids) == 1, "the clip with the label")
        await pilot.press("backspace", "o")
        await until(pilot, lambda: len(screen.clips.ids) == 4, "the open clips")
        await shows(pilot, TextPrompt, "f")
        await pilot.press(*"nothing like it", "enter")
        await until(pilot, lambda: not screen.clips.ids, "an empty list")
        assert screen.current is None
        await pilot.press("n", "1", "x", "N", "u")  # nothing to answer on: nothing happens


async def test_the_filter_is_one_line_that_the_keys_fill(app_project: Project) -> None:
    async with list_opened(app_project, "B", BrowseScreen) as (app, screen, pilot):
        await shows(pilot, Palette, "F")
        await pilot.press(*"low", "enter")
        await until(pilot, lambda: "label:low" in text_of(screen._title), "the filter in the title")
        await shows(pilot, TextPrompt, "f")
        assert app.screen.query_one(Input).value == "label:low"
        await pilot.press("ctrl+u", *"unlabelled tone3", "enter")
        await until(pilot, lambda: "file:tone3 unlabelled" in text_of(screen._title), "another filter")
        assert len(screen.clips.ids) == 1
        await shows(pilot, TextPrompt, "f")
        await pilot.press("ctrl+u", *"site=A", "enter")
        await until(pilot, lambda: "no recording has a column 'site'" in screen.notice.warning, "the reason")


async def test_a_label_is_found_in_any_case_and_a_wrong_word_of_the_filter_is_refused(app_project: Project) -> None:
    async with list_opened(app_project, "B", BrowseScreen) as (_, screen, pilot):
        for line, shown in (("label:LOW", "label:low"), ("label:lwo", "No label is called lwo")):
            await shows(pilot, TextPrompt, "f")
            await pilot.press("ctrl+u", *line, "enter")
            await until(pilot, lambda shown=shown: shown in text_of(screen._title) + text_of(screen._spectrogram), line)
            assert bool(screen.clips.ids) == (shown == "label:low")
        await shows(pilot, TextPrompt, "f")
        await pilot.press("ctrl+u", *"lable:low", "enter")
        await until(pilot, lambda: "lable:low: looked for in the path" in screen.notice.text, "what was wrong")


async def test_a_label_is_renamed_and_merged_from_the_list(app_project: Project, reading: Store) -> None:
    async with list_opened(app_project, "B", BrowseScreen) as (_, screen, pilot):
        await shows(pilot, Palette, "F")
        await pilot.press(*"low", "enter")
        await until(pilot, lambda: "low" in lines(screen)[0], "the clip with the label")
        page = await shows(pilot, LabelsScreen, "f3")
        page._rows.select("low")
        await shows(pilot, TextPrompt, "r")
        await pilot.press("ctrl+u", *"deep", "enter")
        await until(pilot, lambda: "deep" in clips.label_names(reading), "the renaming")
        await pilot.press("escape")
        await until(pilot, lambda: "deep" in lines(screen)[0], "the line with the new name")
        screen.load()
        await until(pilot, lambda: "label:deep" in text_of(screen._title), "the filter with the new name")
        assert len(screen.clips.ids) == 1
        await pilot.press("u")
        await until(pilot, lambda: "low" in clips.label_names(reading), "the undo")
        await until(pilot, lambda: "low" in lines(screen)[0], "the line with the former name")


async def test_the_list_is_sorted_by_a_key_and_by_a_click_on_a_heading(app_project: Project) -> None:
    with app_project.open_store() as store:
        model_id = add_model_row(store)
        shares = {clip.id: 0.5 + 0.1 * (clip.id % 3) + 0.01 * clip.id for clip in clips.all_clips(store)}
        replace_suggestions(
            store, [Suggestion(clip_id, model_id, {"high": share}) for clip_id, share in shares.items()]
        )
        journal.annotate(store, 4, "a first", annotator="before")
    async with list_opened(app_project, "B", BrowseScreen) as (_, screen, pilot):
        for order, ids in (
            ("file", [1, 2, 3, 4, 5]),
            ("labels", [4, 1, 2, 3, 5]),
            ("predicted", [5, 2, 4, 1, 3]),
            ("%", [5, 2, 4, 1, 3]),
        ):
            await pilot.press("O")
            arrow = "▾" if order == "%" else "▴"
            await until(pilot, lambda text=f"{order} {arrow}": text in text_of(screen._columns), f"sorted by {order}")
            assert list(screen.clips.ids) == ids
        await pilot.press("O")
        await until(pilot, lambda: not {*"▴▾"} & {*text_of(screen._columns)}, "as they were added")
        await pilot.click(screen._columns, offset=(text_of(screen._columns).index("labels"), 0))
        await until(pilot, lambda: list(screen.clips.ids) == [4, 1, 2, 3, 5], "sorted by label")


async def test_marked_clips_are_labelled_as_one_action_and_undone_at_once(app_project: Project, reading: Store) -> None:
    async with list_opened(app_project, "B", BrowseScreen) as (app, screen, pilot):
        await pilot.press("v", "down", "down")
        await until(pilot, lambda: "3 marked" in text_of(screen._title), "the count")
        await shows(pilot, Palette, "slash")
        await shows(pilot, Confirm, *"high", "enter")
        question = str(app.screen.query_one("#confirm Static").render())
        assert "Label 3 clips with high?" in question and "1 of them have other labels" in question
        await pilot.press("escape")
        assert not verdicts(reading) and len(screen.clips.marked_ids) == 3
        await shows(pilot, Palette, "slash")
        await shows(pilot, Confirm, *"high", "enter")
        await pilot.press("a")
        await until(pilot, lambda: "3 clips: high" in screen.notice.text, "the end")
        assert clips.verdicts_on(reading, [1, 2, 3]) == {
            1: {"high": Value.PRESENT, "low": Value.ABSENT},
            2: {"high": Value.PRESENT},
            3: {"high": Value.PRESENT},
        }
        assert app.services.state.label_counts == {"low": 0, "high": 3} and app.services.state.labelled == 3
        assert len({row.batch_id for row in journal.rows(reading, limit=4)}) == 1
        await until(pilot, lambda: [line[2] for line in lines(screen)[:4]] == ["✓", "✓", "✓", "·"], "the lines")
        assert not screen.clips.marked_ids and "marked" not in text_of(screen._title)
        await pilot.press("u")
        await until(pilot, lambda: not verdicts(reading), "the undo")
        await until(pilot, lambda: [line[2] for line in lines(screen)[:4]] == ["✓", "·", "·", "·"], "the lines again")
        # One of them was labelled before.
        assert app.services.state.label_counts == {"low": 1, "high": 0} and app.services.state.labelled == 1
        await pilot.press("U")
        await until(pilot, lambda: app.services.state.labelled == 3, "the redo")
        assert app.services.state.label_counts == {"low": 0, "high": 3}
        await pilot.press("u")
        await until(pilot, lambda: not verdicts(reading), "the undo again")
    assert clips.verdicts_on(reading, [1])[1] == {"high": Value.ABSENT, "low": Value.PRESENT}


async def test_all_clips_are_marked_and_none_of_the_labels_written(app_project: Project, reading: Store) -> None:
    async with list_opened(app_project, "B", BrowseScreen) as (_, screen, pilot):
        await pilot.press("o")
        await until(pilot, lambda: len(screen.clips.ids) == 4 and not screen.busy, "the unlabelled ones")
        await shows(pilot, Confirm, "asterisk", "n")
        with app_project.open_store() as store:
            journal.annotate(store, screen.clips.ids[0], "low", annotator="bob")
        await pilot.press("a")
        await until(pilot, lambda: "1 labelled elsewhere meanwhile" in screen.notice.text, "the end")
    assert verdicts(reading) == [(clip_id, None, "absent", "verdict") for clip_id in (3, 4, 5)]


async def test_a_clip_labelled_in_the_list_leaves_the_queue(app_project: Project, reading: Store) -> None:
    async with opened(app_project) as (app, label_screen, pilot):
        first_clip = clip_on(label_screen).id
        browse = await shows(pilot, BrowseScreen, "B")
        await until(pilot, lambda: first_clip in browse.clips.ids, "the list's clips")
        others = [clip_id for clip_id in browse.clips.ids if clip_id != first_clip][1:]
        for other in others:
            browse.clips.move_to(other)
            await until(pilot, lambda: not browse.busy, "the clip")
            await moved(browse, pilot, "n")
        await pilot.press("A")
        await until(pilot, lambda: app.screen is label_screen, "label_view")
        # The clip under one's fingers is still there; after it nothing that was labelled elsewhere meanwhile comes.
        assert clip_on(label_screen).id == first_clip
        await answer(label_screen, pilot, "n")
        assert label_screen.current is None
        assert not clips.unlabelled(reading)


async def test_a_long_list_reads_only_what_it_shows(project: Project) -> None:
    from labeltool.records import Clip, Recording
    from labeltool.store.importing import import_records

    recording = Recording("/nowhere/long.wav", "0" * 64, 16_000, 1, 16_000 * 20_000, "long")
    spans = [Clip(recording.sha256, float(start), start + 1.0) for start in range(20_000)]
    with project.open_store() as store:
        import_records(store, [recording, *spans], kind="audio", source="made up")
    async with list_opened(project, "B", BrowseScreen) as (_, screen, pilot):
        await moved(screen, pilot, "end")
        await until(pilot, lambda: "5:33:19.0" in lines(screen)[-1], "the last line")
        assert len(screen._lines) <= 3 * screen.clips.size.height
        assert "This clip cannot be played" in text_of(screen._spectrogram)


async def test_resizing_keeps_the_place_and_a_small_screen_shows_list_and_picture(app_project: Project) -> None:
    async with list_opened(app_project, "B", BrowseScreen, size=(140, 40)) as (_, screen, pilot):
        await moved(screen, pilot, "end")
        for size in ((80, 24), (140, 40)):
            await pilot.resize_terminal(*size)
            await until(pilot, lambda: any(line.startswith("▸") for line in lines(screen)), "the highlight")
            await until(pilot, lambda: "▀" in text_of(screen._spectrogram), "the picture")
            assert screen.clips.place == 4


async def test_an_action_is_found_by_its_description(app_project: Project) -> None:
    async with opened(app_project) as (_, _, pilot):
        await shows(pilot, Palette, "colon")
        await shows(pilot, BrowseScreen, *"browse", "enter")


async def test_a_note_is_listed_and_undo_removes_it(app_project: Project, reading: Store) -> None:
    async with list_opened(app_project, "B", BrowseScreen) as (_, screen, pilot):
        await shows(pilot, TextPrompt, "N")
        await pilot.press(*"[b]two", "space", *"dogs?", "enter")
        await until(pilot, lambda: "✎ [b]two dogs?" in text_of(screen.panel), "the note")
        assert [row.note for row in journal.rows(reading, limit=1)] == ["[b]two dogs?"]
        await moved(screen, pilot, "u")
        await until(pilot, lambda: "✎" not in text_of(screen.panel), "the note to be gone")
        assert not verdicts(reading)


# -- reviewing


@pytest.fixture
def suspicious(app_project: Project) -> int:
    """A clip that was called low, which the model takes for high."""
    with app_project.open_store() as store:
        journal.undo(store, annotator="before")
        journal.undo(store, annotator="before")
        suggest(app_project)
        clip_id = clips.all_clips(store)[2].id
        journal.annotate(store, clip_id, "low", annotator="before")
        journal.annotate(store, clips.all_clips(store)[3].id, "high", annotator="before")
        return clip_id


async def test_what_the_model_contradicts_is_shown_with_the_reason_and_corrected_with_one_key(
    app_project: Project, suspicious: int, reading: Store
) -> None:
    async with list_opened(app_project, "R", ReviewScreen) as (_, screen, pilot):
        assert list(screen.clips.ids) == [suspicious]
        await until(pilot, lambda: "the model predicts 'high' (75%)" in text_of(screen.clips), "the reason")
        await pilot.press("enter")
        await until(
            pilot,
            lambda: clips.verdicts_on(reading, [suspicious])[suspicious].get("high") is Value.PRESENT,
            "the answer",
        )
        assert clips.verdicts_on(reading, [suspicious])[suspicious]["low"] is Value.ABSENT


@pytest.mark.parametrize(("key", "kind", "height"), [("B", BrowseScreen, 1), ("R", ReviewScreen, 2)])
@pytest.mark.usefixtures("suspicious")
async def test_a_long_title_ends_in_an_ellipsis_and_a_reason_has_two_lines(
    app_project: Project, key: str, kind: type[ListScreen], height: int
) -> None:
    async with list_opened(app_project, key, kind, size=(80, 24)) as (_, screen, pilot):
        screen._title.update("owl " * 30)
        await until(pilot, lambda: screen._title.size.height == height and "owl" in text_of(screen._title), "the title")
        shown = text_of(screen._title)
        assert (shown.count("owl") == 30, "…" in shown) == (height == 2, height == 1)


async def test_a_label_that_is_kept_does_not_come_back(app_project: Project, suspicious: int, reading: Store) -> None:
    async with list_opened(app_project, "R", ReviewScreen) as (_, screen, pilot):
        await pilot.press("k")
        await until(pilot, lambda: verdicts(reading), "the word")
        screen.load()
        await until(pilot, lambda: not screen.clips.ids, "an empty list")
        shown = text_of(screen._spectrogram)
        assert "No label is suspicious" in shown and "compared with what model 1 predicted" in shown
    assert verdicts(reading) == [(suspicious, "low", "present", "verdict")]


async def test_detections_are_reviewed_and_the_next_ones_come(app_project: Project, reading: Store) -> None:
    with app_project.open_store() as store:
        recording, _ = recordings.all_recordings(store)[-1]
        found = [Event("hiss", i / 100, (i + 1) / 100, 0.3 + i / 100) for i in range(12)]
        scan = DetectionScan(False, {"hiss": 0.3})
        replace_detections(store, recording, models.detection_model_id(store, "net"), found, scan)

    def answered() -> list[str]:
        return [value for _, label, value, _ in verdicts(reading) if label == "hiss"]

    async with list_opened(app_project, "R", ReviewScreen) as (_, screen, pilot):
        await until(pilot, lambda: "detected as 'hiss'" in text_of(screen.clips), "the detections")
        assert len(screen.clips.ids) == 10 and not reading.connection.execute("SELECT 1 FROM queue").fetchall()
        for number in range(12):
            await until(pilot, lambda: not screen.busy, "the clip")
            await pilot.press("kK"[number % 2])
            await until(pilot, lambda: len(answered()) == number + 1, f"answer {number}")  # noqa: B023 - awaited here
        assert answered().count("present") == answered().count("absent") == 6
        await until(pilot, lambda: not screen.clips.ids, "the end")
    (row,) = detections.review_detections(app_project, reading).thresholds
    assert row.precision is not None and row.precision.value == row.precision.low == 0.5


async def test_keeping_a_suspicious_label_keeps_the_other_labels_of_the_clip(
    app_project: Project, suspicious: int, reading: Store
) -> None:
    with app_project.open_store() as store:
        journal.annotate(store, suspicious, "mid", annotator="before")
    async with list_opened(app_project, "R", ReviewScreen) as (_, _, pilot):
        await pilot.press("k")
        await until(pilot, lambda: verdicts(reading), "the word")
    rows = clips.verdicts_on(reading, [suspicious])[suspicious]
    assert (rows["low"], rows["mid"]) == (Value.PRESENT, Value.PRESENT)


async def test_undoing_a_clip_outside_the_list_keeps_the_list(
    app_project: Project, suspicious: int, reading: Store
) -> None:
    with app_project.open_store() as store:
        journal.annotate(store, clips.all_clips(store)[-1].id, "high", annotator="ann")
    async with list_opened(app_project, "R", ReviewScreen) as (_, screen, pilot):
        await pilot.press("u")
        await until(pilot, lambda: "not in this list" in screen.notice.text, "the word")
        await pilot.press("k")
        await until(pilot, lambda: verdicts(reading) == [(suspicious, "low", "present", "verdict")], "the answer")


async def test_a_label_found_while_the_clip_was_read_again_is_written(app_project: Project, reading: Store) -> None:
    async with list_opened(app_project, "B", BrowseScreen) as (_, screen, pilot):
        await moved(screen, pilot, "end")
        await shows(pilot, Palette, "slash")
        before = screen.current
        screen.reload()  # as at the end of a training
        await until(pilot, lambda: screen.current is not before, "the clip, read again")
        await pilot.press(*"zebra", "enter")
        await until(pilot, lambda: verdicts(reading), "the label")
    assert verdicts(reading)[0][1] == "zebra"


async def test_a_clip_left_by_undo_and_labelled_in_a_list_is_not_shown_again(
    app_project: Project, reading: Store
) -> None:
    async with opened(app_project) as (app, label_screen, pilot):
        await answer(label_screen, pilot, "n")
        left = clip_on(label_screen).id
        await answer(label_screen, pilot, "u")
        browse = await shows(pilot, BrowseScreen, "B")
        await until(pilot, lambda: left in browse.clips.ids, "the list's clips")
        browse.clips.move_to(left)
        await until(pilot, lambda: not browse.busy, "the clip")
        await moved(browse, pilot, "n")
        await pilot.press("A")
        await until(pilot, lambda: app.screen is label_screen, "label_view")
        for _ in range(3):
            assert clip_on(label_screen).id != left
            await answer(label_screen, pilot, "n")
        assert label_screen.current is None


# -- similar clips


async def test_similar_waits_for_the_row_of_a_list_that_was_just_opened(app_project: Project) -> None:
    async with opened(app_project, size=(110, 34)) as (app, _, pilot):
        app.services.comparer.start = lambda *_: False  # type: ignore[method-assign]
        app.call_later(app.action_view, "browse")
        browse = await shows(pilot, BrowseScreen)
        browse._current = None
        app.action_similar()
        browse.reload()
        browse._read_clip()
        await until(pilot, lambda: browse.notice.text or browse.notice.warning, "what came of it")
        assert "needs a clip" not in browse.notice.text


async def test_similar_clips_are_computed_in_the_background_and_then_browsed(
    app_project: Project, reading: Store
) -> None:
    async with opened(app_project, size=(110, 34)) as (app, screen, pilot):
        first_clip = clip_on(screen)
        await pilot.press("L")
        await until(pilot, lambda: "comparing 5 clips first" in screen.notice.text, "the notice")
        assert app.screen is screen
        while app.services.comparer.busy:  # as long as a busy machine takes
            await pilot.pause(0.05)
        await until(pilot, lambda: "5 clips compared" in screen.notice.text, "its end")
        browse = await shows(pilot, BrowseScreen, "L")
        await until(pilot, lambda: browse.clips.ids and not browse.busy, "the first clip of the list")
        with_distances = like_of(app_project, reading, first_clip.id)
        assert list(browse.clips.ids) == with_distances
        assert len(with_distances) == 5 and with_distances[0] == first_clip.id
        assert f"similar to {first_clip.path.rpartition('/')[2]}, by sound" in text_of(browse.query_one("#clips-title"))
        assert "distance" in text_of(browse._columns) and "0.000" in text_of(browse.clips)
        # A clip can be labelled, the list filtered further, and Similar used on another clip.
        await moved(browse, pilot, "1")
        await until(pilot, lambda: browse.clips.place == 1, "the next clip")
        second = browse.clips.clip_id
        await pilot.press("o")
        await until(pilot, lambda: first_clip.id not in browse.clips.ids, "the open ones")
        assert list(browse.clips.ids) == [one for one in with_distances if one in browse.clips.ids]
        await until(pilot, lambda: not browse.busy and browse.clips.clip_id == second, "the clip under the highlight")
        await pilot.press("L")
        await until(pilot, lambda: list(browse.clips.ids) == like_of(app_project, reading, second), "its like")
        assert browse.tabs._current == "similar"
        await pilot.press("B")
        await until(pilot, lambda: list(browse.clips.ids) == [1, 2, 3, 4, 5], "every clip")
        assert browse.tabs._current == "browse"
    assert [clip_id for clip_id, *_ in verdicts(reading)] == [first_clip.id]


def like_of(project: Project, store: Store, clip_id: int | None) -> list[int]:
    assert clip_id is not None
    found = search.similar_clips(project, store, search.feature_source(project, store), clips.clip(store, clip_id), 10)
    assert found is not None
    return [clip.id for clip, _ in found.clips]
