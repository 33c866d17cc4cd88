"""Draw the pictures of the documentation: `python docs/screenshots.py demo/project`, after `make demo`.

The app itself writes them, each view from a copy of the demo project. With `--all FOLDER` every view and dialog in
three sizes, dark, light and without colour, to look at: `FOLDER/index.html` shows them all. One app draws all pictures
of a look and a size, in seconds, so any project will do.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from itertools import product
from pathlib import Path

from textual.pilot import Pilot

from labeltool import project as projects
from labeltool.project import Project
from labeltool.store import clips, journal
from labeltool.store.journal import AnnotationContext
from labeltool.tui.app import LabelApp
from labeltool.tui.keys import LABEL
from labeltool.tui.screens.base import AudioScreen
from labeltool.tui.screens.find import FindScreen
from labeltool.tui.theme import LIGHT
from labeltool.util.user_state import change_user_state

HERE = Path(__file__).resolve().parent
SIZE = (110, 34)

Steps = tuple[str, ...]
"""Keys, actions of the app, and `wait` for work in the background."""

PICTURES: dict[str, Steps] = {
    "label": (),
    "batch_review": ("S", "down", "x", "down"),
    "review": ("R",),
    "browse": ("B", "down", "down"),
    "regions": ("B", "f", *"yard", "enter", "w", "tab", "tab"),
}
"""The pictures' names, and the keys that lead to them."""

EVERYTHING: dict[str, Steps] = {
    **PICTURES,
    "regions": ("w", "wait", "tab"),
    "clusters": ("C", "wait"),
    "find": ("E", "enter", "wait"),
    "class_mapping": ("M", "wait"),
    "similar": ("L", "wait", "L"),
    "notice": ("n",),
    "help": ("question_mark",),
    "commands": ("colon",),
    "find_label": ("slash", "s"),
    "note": ("N",),
    "settings": ("f2",),
    "labels": ("f3",),
    "export": ("ctrl+e",),
    "progress": ("P",),
    "tour": ("app.tour",),
}
DIALOGS = ("help", "commands", "find_label", "note", "settings", "labels", "export", "progress")
SIZES = ((80, 24), (120, 40), (200, 60))
LOOKS = ("dark", "light", "no_colour")
_WAIT_S, _SETTLE_S = 60.0, 0.3
_PLAYS_S = 3.0  # a clip that is not found plays nothing


def mislabel(project: Project) -> None:
    """Give the project a few wrong labels, for Review to find."""
    with project.open_store() as store:
        for labelled in clips.labelled(store)[:12:4]:
            (label,) = labelled.verdicts
            wrong = "rain" if label != "rain" else "bird"
            context = AnnotationContext(instead_of=[label])
            journal.annotate(store, labelled.clip.id, wrong, annotator="tired", context=context)


@asynccontextmanager
async def opened(project: Project, size: tuple[int, int], look: str) -> AsyncIterator[tuple[LabelApp, Pilot[None]]]:
    """Open the app on a project, and wait for its first clip to play."""
    with closing(LabelApp(project, annotator="you")) as app:
        if look == "light":
            app.theme = LIGHT.name
        async with app.run_test(size=size) as pilot:
            if not await until(pilot, lambda: plays(app)):
                raise SystemExit("timed out")
            yield app, pilot


async def until(pilot: Pilot[None], condition: Callable[[], object], seconds: float = _WAIT_S) -> bool:
    """Wait for something to come true; return whether it did."""
    for _ in range(round(seconds / 0.05)):
        await pilot.pause(0.05)
        if condition():
            return True
    return False


def plays(app: LabelApp) -> bool:
    """Return whether the playhead is to be seen."""
    return app.current_view is not None and app.services.player.position_s > 0.4


def works(app: LabelApp) -> bool:
    """Return whether something is computed that the view shows."""
    view, services = app.current_view, app.services
    searching = isinstance(view, FindScreen) and (view._embedding.busy or view.busy)
    return services.comparer.busy or services.class_agreement.busy or searching


async def draw(app: LabelApp, pilot: Pilot[None], name: str, steps: Steps, path: Path) -> None:
    """Go to a view, and save the screen while the sound plays."""
    for step in steps:
        if step.startswith("app."):
            await app.run_action(step)
        elif step == "wait":
            await until(pilot, lambda: not works(app))
        else:
            await pilot.press(step)
        await pilot.pause(_SETTLE_S)
    if name not in DIALOGS and isinstance(app.current_view, AudioScreen) and app.current_view.current is not None:
        app.current_view.action_replay()
        await until(pilot, lambda: plays(app), _PLAYS_S)
    elif name in DIALOGS:
        await until(pilot, lambda: app.screen is not app.current_view)
    title = f"labeltool label: {name.replace('_', ' ')}"
    # Rich has browsers fetch a font from a server; the reader's own monospaced one does.
    picture = re.sub(r"@font-face \{.*?\}\s*", "", app.export_screenshot(title=title), flags=re.DOTALL)
    path.write_text(picture, encoding="utf-8")


async def go_back(app: LabelApp, pilot: Pilot[None]) -> None:
    """Close what is open over the views, and go back to Label."""
    while app.screen is not app.current_view:
        await pilot.press("escape")
        await pilot.pause(_SETTLE_S)
    if app.tour is not None:
        await pilot.press("escape")
    await app.action_view(LABEL.name)


def draw_documentation(demo: Path) -> None:
    for name, steps in PICTURES.items():
        with copy_of(demo) as project:
            if name == "review":
                mislabel(project)
            asyncio.run(draw_one(project, name, steps))


async def draw_one(project: Project, name: str, steps: Steps) -> None:
    async with opened(project, SIZE, LOOKS[0]) as (app, pilot):
        await draw(app, pilot, name, steps, HERE / f"{name}.svg")


def draw_everything(demo: Path, folder: Path, names: Collection[str]) -> None:
    """Draw views and dialogs in all sizes and looks, and a page that shows them."""
    folder.mkdir(parents=True, exist_ok=True)
    for look, size in product(LOOKS, SIZES):
        os.environ.pop("NO_COLOR", None)
        if look == "no_colour":
            os.environ["NO_COLOR"] = "1"
        with copy_of(demo) as project:
            mislabel(project)
            asyncio.run(draw_look(project, folder, names, look, size))
    pictures = "".join(f'<figure><img src="{path.name}"></figure>' for path in sorted(folder.glob("*.svg")))
    style = "<style>figure { display: inline-block; margin: 4px } img { height: 30vh }</style>"
    (folder / "index.html").write_text(f"<!DOCTYPE html>{style}{pictures}", encoding="utf-8")


async def draw_look(project: Project, folder: Path, names: Collection[str], look: str, size: tuple[int, int]) -> None:
    columns, rows = size
    async with opened(project, size, look) as (app, pilot):
        for name in names:
            path = folder / f"{name}-{columns}x{rows}-{look}.svg"
            await draw(app, pilot, name, EVERYTHING[name], path)
            print(path, file=sys.stderr)
            await go_back(app, pilot)


@contextmanager
def copy_of(demo: Path) -> Iterator[Project]:
    """Copy a project, and forget the copy afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "yard"
        shutil.copytree(demo, copy)
        yield projects.load(copy)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("project", type=Path)
    parser.add_argument("--all", type=Path, metavar="FOLDER")
    parser.add_argument("--only", nargs="+", choices=EVERYTHING, default=list(EVERYTHING), metavar="NAME")
    arguments = parser.parse_args()
    os.environ["LABELTOOL_AUDIO"] = "null"
    with tempfile.TemporaryDirectory() as home:
        os.environ["XDG_STATE_HOME"] = home
        change_user_state(tour_shown=True)
        if arguments.all is None:
            draw_documentation(arguments.project)
        else:
            draw_everything(arguments.project, arguments.all, arguments.only)


if __name__ == "__main__":
    main()
