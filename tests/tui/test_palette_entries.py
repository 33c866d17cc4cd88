"""Every entry of the palette in every view: it works, and only one that names a label records one.

Some 600 entries take a tenth of a second each: one app for each view runs them all.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from textual.pilot import Pilot

from helpers.app import fill, opened, until, verdicts
from helpers.batch_review import hold
from labeltool.pretrained import registry
from labeltool.pretrained.card import CARD, PretrainedCard
from labeltool.pretrained.project_classes import AgreementResult, LabelAgreement
from labeltool.project import Project
from labeltool.records import Value
from labeltool.similarity.search import FeatureSource, SimilarClips
from labeltool.store import Store, clips, journal, recordings
from labeltool.store.spans import Region
from labeltool.tasks import registry as tasks
from labeltool.tasks.registry import Task
from labeltool.tui.app import LabelApp
from labeltool.tui.background.comparer import Comparison, Groups
from labeltool.tui.background.task import BackgroundTask
from labeltool.tui.dialogs.commands import Command, commands
from labeltool.tui.keys import VIEWS
from labeltool.tui.media.selection import Selection
from labeltool.tui.media.viewport import BandRange
from labeltool.tui.screens.browse import BrowseScreen
from labeltool.tui.screens.class_mapping import ClassMappingScreen
from labeltool.tui.screens.find import FindScreen
from labeltool.tui.screens.frame import ViewScreen
from labeltool.tui.screens.list_base import ListScreen
from labeltool.tui.screens.pages.clusters import ClustersScreen
from labeltool.tui.screens.pages.page_base import PageScreen
from labeltool.tui.screens.picture_base import PictureScreen
from labeltool.tui.screens.regions import RegionsScreen

LABELS = ("owl", "fox")
REGION = Region(0.1, 0.3)
QUIT = "quit"
VIEW_NAMES = tuple(sorted({*(view.name for view in VIEWS), "similar"}))


@pytest.fixture
def app_project(project: Project, tmp_path: Path) -> Project:
    """Eleven tones: labelled clips that somebody else labels otherwise, predictions, and a model with classes."""
    fill(project, tmp_path / "sounds", 11)
    with project.open_store() as store:
        for clip_id, label, other in ((1, "owl", "fox"), (2, "fox", "owl"), (3, "owl", "fox"), (8, "fox", "owl")):
            journal.annotate(store, clip_id, label, annotator="before")
            journal.annotate(store, clip_id, label, Value.ABSENT, annotator="other")
            journal.annotate(store, clip_id, other, annotator="other")
    hold(project, *LABELS, high=4)
    folder = registry.folder(project, "pretrained")
    folder.mkdir(parents=True)
    card = PretrainedCard({"net.tflite": "0" * 64}, 16_000, 400, (1, 400), ("Hoot", "Bark", "Wind"), "y")
    (folder / CARD).write_text(json.dumps(card.to_dict()))
    with project.open_store() as store:
        # What `undo` is for: an answer of an earlier session, on a clip of every list.
        journal.annotate(store, 3, "owl", annotator="ann")
    return project


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the tasks that the app starts, and `QUIT`; none runs: processes would take minutes in all."""
    names: list[str] = []

    def start(task: BackgroundTask[object], **options: object) -> bool:
        names.append(task._task.name)
        return True

    monkeypatch.setattr(BackgroundTask, "start", start)
    monkeypatch.setattr(LabelApp, "exit", lambda *_, **__: names.append(QUIT))
    return names


# -- the views, as the entries meet them


async def ready(app: LabelApp, pilot: Pilot[None], name: str) -> ViewScreen:
    """Go to a view, as it is before each entry: with a clip or a region in the middle, without a dialog or a mark."""
    app.tour = None
    await close_dialogs(app, pilot)
    await app.action_view("browse" if name == "similar" else name)
    await close_dialogs(app, pilot)
    view = app.screen
    assert isinstance(view, ViewScreen)
    app.services.player.loop = False
    if app.services.player.playing:
        app.services.player.toggle()
    if isinstance(view, ListScreen):
        await ready_list(app, pilot, view, similar=name == "similar")
    elif isinstance(view, RegionsScreen):
        ready_region(app, view)
        await until(pilot, lambda: view._spans_read and view.current is not None, "the region")
    elif isinstance(view, ClassMappingScreen):
        await until(pilot, lambda: view._shown, "the labels")
        if view._agreement is None:
            owl = LabelAgreement(3, (3, 0, 1), (0,), "by name")
            fox = LabelAgreement(1, (0, 1, 0), (1,), "by answers")
            app.call_later(app.show_agreement, AgreementResult(4, (3, 1, 1), {"owl": owl, "fox": fox}, ()))
        await until(pilot, lambda: len(view._shown) > 3, "the classes")
        view.lines.move_to(1)
    else:
        await until(pilot, lambda: view.current is not None and not getattr(view, "busy", False), "a clip")
    if isinstance(view, PictureScreen) and view.viewport is not None:
        view.viewport.put(view.viewport.duration_s / 4, view.viewport.duration_s / 2)
        view._bands = BandRange()
        view._bands.zoom(0.5, 0.5)
        middle_s = view.viewport.duration_s / 2

        def is_placed() -> bool:  # not before the clip's samples are there
            app.services.player.seek(middle_s)
            return app.services.player.position_s > 0

        await until(pilot, is_placed, "a place in the clip")
    view.notice.clear()
    return view


async def close_dialogs(app: LabelApp, pilot: Pilot[None]) -> None:
    while len(app.screen_stack) > 1:
        app.pop_screen()
        await pilot.pause()


async def ready_list(app: LabelApp, pilot: Pilot[None], view: ListScreen, *, similar: bool) -> None:
    if isinstance(view, BrowseScreen) and similar:
        if view._similar is None:
            with app.services.project.open_store() as store:
                near = tuple((clip, 0.1 * place) for place, clip in enumerate(clips.all_clips(store)))
            view.show_similar(SimilarClips(FeatureSource("sound", "", ""), near))
    elif isinstance(view, BrowseScreen):
        view.action_show_all()
    elif isinstance(view, ClustersScreen) and view._groups is None:
        app.call_later(app.show_comparison, Comparison(groups=Groups("sound", ((6, 5, 4), (7, 8, 9, 10, 11)))))
    await until(pilot, lambda: len(view.clips.ids) > 2, "clips")
    if isinstance(view, PageScreen):
        await until(pilot, lambda: not view._turning, "the page")
        view._rejected.clear()
    view.clips.remove_mark()
    view.clips.move_to(view.clips.ids[1])
    await until(pilot, lambda: not view.busy and view.current is not None and view.choices, "the clip")


def ready_region(app: LabelApp, view: RegionsScreen) -> None:
    if view.opened is None:
        with app.services.project.open_store() as store:
            view.open(recordings.find_recording(store, "tone5.wav"))
    if isinstance(view, FindScreen):
        view._label = "owl"
    view.selection = Selection()
    view._select(REGION)


def seen(app: LabelApp, view: ViewScreen, store: Store, started: list[str]) -> SimpleNamespace:
    """What an entry may change, to compare before and after it."""
    player, state = app.services.player, app.services.state
    now = SimpleNamespace(
        mode=app.current_mode,
        top=type(app.screen).__name__,
        tour=app.tour is not None,
        quits=started.count(QUIT),
        theme=app.theme,
        started=tuple(started),
        player=(player.loop, player.playing),
        speed=player.speed,
        gain_db=player.gain_db,
        at_s=player.position_s,
        autoplay=state.autoplay,
        look=state.look,
        brightness_db=state.look.brightness_db,
        notice=view.notice.text,
        prompt=getattr(view, "prompt", ""),
        rows=Counter(verdicts(store)),
    )
    if isinstance(view, PictureScreen) and view.viewport is not None:
        now.span_s, now.start_s = view.viewport.span_s, view.viewport.start_s
        now.low, now.bands = view._bands.low, view._bands.high - view._bands.low
    if isinstance(view, ListScreen):
        now.ids, now.line, now.marked = tuple(view.clips.ids), view.clips.place, tuple(view.clips.marked_ids)
        now.heading = view.heading
    if isinstance(view, PageScreen):
        now.page, now.rejected = view._page, frozenset(view._rejected)
    if isinstance(view, BrowseScreen):
        now.order = view._order
    if isinstance(view, RegionsScreen):
        now.region, now.edge = view.selected_region, view.selection.edge
    if isinstance(view, ClassMappingScreen):
        now.line, now.classes = view.lines.place, tuple(view._shown)
    return now


# -- what each entry does


Effect = Callable[[SimpleNamespace, SimpleNamespace], bool]


def changes(*names: str) -> Effect:
    return lambda before, after: any(getattr(before, name) != getattr(after, name) for name in names)


def lowers(name: str) -> Effect:
    return lambda before, after: bool(getattr(after, name) < getattr(before, name))


def raises(name: str) -> Effect:
    return lambda before, after: bool(getattr(after, name) > getattr(before, name))


def opens(kind: str) -> Effect:
    return lambda _, after: bool(after.top == kind)


def goes(mode: str) -> Effect:
    return lambda _, after: bool(after.mode == mode)


def starts(task: Task[Any]) -> Effect:
    return lambda before, after: task.name in after.started[len(before.started) :]


def notifies(text: str) -> Effect:
    return lambda _, after: text in after.notice


def either(*effects: Effect) -> Effect:
    return lambda before, after: any(effect(before, after) for effect in effects)


EFFECTS: dict[str, Effect] = {
    **{name: goes(name) for name in ("label", "batch_review", "clusters", "review", "browse", "class_mapping")},
    **{"regions": goes("regions"), "find_events": goes("find"), "return": changes("mode"), "tour": changes("tour")},
    **{"close_mapping": changes("mode"), "similar": either(starts(tasks.SIMILAR), notifies("Similar needs a clip"))},
    **{"labels": opens("LabelsScreen"), "settings": opens("SettingsScreen"), "help": opens("Help")},
    "definitions": opens("DefinitionsScreen"),
    **{"progress": opens("ProgressScreen"), "export": opens("ExportDialog"), "quit": raises("quits")},
    **{"open_project": either(opens("Palette"), notifies("no other project")), "train": starts(tasks.RETRAIN)},
    "undo_import": notifies("no import has labels"),
    **{"evaluate": starts(tasks.EVALUATE), "fetch_pretrained": starts(tasks.MODEL_FETCH)},
    "cancel_training": notifies("no training is running"),
    # playback
    **{
        "play": changes("player"),
        "replay": changes("player"),
        "loop": changes("player"),
        "play_all": notifies("playing"),
    },
    **{"back": lowers("at_s"), "forward": raises("at_s"), "slower": lowers("speed"), "faster": raises("speed")},
    **{"quieter": lowers("gain_db"), "louder": raises("gain_db"), "autoplay": changes("autoplay")},
    # display
    **{"zoom_time_in": lowers("span_s"), "zoom_time_out": raises("span_s"), "zoom_in": lowers("span_s")},
    **{"zoom_out": raises("span_s"), "pan_back": lowers("start_s"), "pan_forward": raises("start_s")},
    **{"zoom_frequency_in": lowers("bands"), "zoom_frequency_out": raises("bands"), "pan_up": raises("low")},
    **{"pan_down": lowers("low"), "show_whole": raises("bands"), "colour_map": changes("look")},
    **{"db_range": changes("look"), "darker": lowers("brightness_db"), "brighter": raises("brightness_db")},
    **{"pixels": notifies("not known to show pixels"), "theme": changes("theme")},
    # labels
    **{name: changes("rows") for name in ("accept_first", "accept", "keep", "none_of_these", "unsure", "bad_audio")},
    **{"undo": changes("rows"), "redo": changes("rows"), "checked": changes("rows"), "skip": changes("rows")},
    **{"reject_label": changes("prompt"), "add_label": changes("prompt"), "cancel": changes("prompt")},
    **{"find_label": opens("Palette"), "note": opens("TextPrompt")},
    # lists and pages
    **{"up": lowers("line"), "down": raises("line"), "page_up": lowers("line"), "page_down": raises("line")},
    **{"first": lowers("line"), "last": raises("line"), "mark": changes("marked"), "mark_all": changes("marked")},
    **{"next_label": changes("page"), "previous_label": changes("page"), "choose_label": opens("Palette")},
    **{"next_cluster": changes("page"), "previous_cluster": changes("page"), "recluster": starts(tasks.SIMILAR)},
    **{"reject": changes("rejected"), "auto_accept": either(opens("Palette"), notifies("no clip is predicted"))},
    **{"filter_file": opens("TextPrompt"), "filter_label": opens("Palette"), "filter_transcript": opens("TextPrompt")},
    **{"filter_labelled": changes("ids"), "next_order": changes("order"), "show_all": changes("ids", "heading")},
    # regions
    **{"set_start": changes("region"), "set_end": changes("region"), "nudge_left": changes("region")},
    **{"nudge_right": changes("region"), "go_to_start": lowers("at_s"), "go_to_end": raises("at_s")},
    **{"frequency_range": changes("edge"), "no_frequency_range": changes("region")},
    **{"next_region": changes("region", "notice"), "previous_region": changes("region", "notice")},
    **{"window_back": lowers("start_s"), "window_forward": raises("start_s")},
    **{"recording_start": lowers("at_s"), "recording_end": raises("at_s")},
    # class mapping
    **{"add_class": opens("Palette"), "remove_class": changes("classes"), "accept_proposal": changes("classes")},
    "accept_all": notifies("saved"),
}
"""Of each action, by its name in `[keys]`."""

EFFECTS_IN: dict[str, dict[str, Effect]] = {
    "review": {"reject": changes("rows")},
    "find": {
        "reject": changes("rows"),
        "skip": lambda before, after: bool(before.rows == after.rows),  # there is no next candidate here
    },
}
"""Of each action that does something else in a view, by the view's name."""

FIRST = {
    **{"redo": "undo", "cancel": "add_label", "show_all": "filter_labelled", "no_frequency_range": "frequency_range"},
    **{"nudge_left": "go_to_end(False)", "nudge_right": "go_to_end(False)"},
}
"""What comes before an action, so that it has something to do."""

WITHOUT_A_LABEL = {"none_of_these", "unsure", "bad_audio", "skip", "undo", "redo", "checked"}
"""Actions that write rows to the journal, but no label."""


def own_commands(view: ViewScreen) -> dict[str, Command]:
    return {one.title: one for one in commands(view.view, view.services.state.labels, view.command_titles())}


def named(title: str) -> set[str]:
    return set(re.findall(r"\w+", title)) & set(LABELS)


async def put_back(
    view: ViewScreen, pilot: Pilot[None], now: Callable[[], SimpleNamespace], rows: Counter[Any]
) -> None:
    """Undo what an entry has written; redo what it has undone."""
    while (there := now().rows) != rows:
        await view.run_action("undo" if there - rows else "redo")
        await until(pilot, lambda there=there: now().rows != there, "the journal as it was")


@pytest.mark.parametrize("name", VIEW_NAMES)
async def test_every_entry_works_and_only_one_that_names_a_label_records_one(
    app_project: Project, reading: Store, started: list[str], name: str
) -> None:
    async with opened(app_project, size=(80, 24)) as (app, first, pilot):
        await until(pilot, lambda: first.services.state.labels, "the labels")
        view = await ready(app, pilot, name)
        titles = list(own_commands(view))
        assert {"label as owl", "label as fox"} <= set(titles) or name == "class_mapping"
        for title in titles:
            view = await ready(app, pilot, name)
            command = own_commands(view)[title]
            action = next((key.name for key in view.view.keys if key.action == command.action), "")
            if action in FIRST and hasattr(view, f"action_{FIRST[action].partition('(')[0]}"):
                await view.run_action(FIRST[action])
                await pilot.pause()

            def now(view: ViewScreen = view) -> SimpleNamespace:
                return seen(app, view, reading, started)

            effects = EFFECTS | EFFECTS_IN.get(name, {})
            before, effect = now(), changes("rows") if command.label else effects[action]
            await view.run_command(command)
            await until(pilot, lambda e=effect, b=before, n=now: e(b, n()), f"what {title!r} does in {name}")
            await pilot.pause()
            written = now().rows - before.rows
            verdict = "absent" if "is absent" in title else "present"  # a label that is replaced becomes absent
            given = {label for _, label, value, _ in written if value == verdict and label is not None}
            if action not in WITHOUT_A_LABEL:
                assert given == (named(title) if written else set()), title
                assert written if command.label else given or now().rows == before.rows, title
            assert app.is_running and app.failure is None
            await put_back(view, pilot, now, (now() if action == "redo" else before).rows)
