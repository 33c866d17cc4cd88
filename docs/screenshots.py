"""Draw the pictures of the documentation: `python docs/screenshots.py demo/project`, after `make demo`.

The app itself writes them, each view from a copy of the demo project. With `--all FOLDER` every view and dialog in
three sizes, dark, light and without colour, to look at: `FOLDER/index.html` shows them all.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path

from labeltool import project as projects
from labeltool.project import Project
from labeltool.store import clips, journal
from labeltool.store.journal import AnnotationContext
from labeltool.tui.app import LabelApp
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
    "clusters": ("C", "wait"),
    "find": ("E", "enter", "wait"),
    "class_mapping": ("M",),
    "similar": ("L", "wait", "L"),
    "notice": ("n",),
    "help": ("question_mark",),
    "commands": ("colon",),
    "find_label": ("slash", "s"),
    "note": ("N",),
    "settings": ("f2",),
    "progress": ("P",),
    "tour": ("app.tour",),
}
SIZES = ((80, 24), (120, 40), (200, 60))
LOOKS = ("dark", "light", "no_colour")
_WAIT_S = 6.0


def mislabel(project: Project) -> None:
    """Give the project a few wrong labels, for Review to find."""
    with project.open_store() as store:
        for labelled in clips.labelled(store)[:12:4]:
            (label,) = labelled.verdicts
            wrong = "rain" if label != "rain" else "bird"
            context = AnnotationContext(instead_of=[label])
            journal.annotate(store, labelled.clip.id, wrong, annotator="tired", context=context)


async def draw(
    project: Project, name: str, steps: Steps, path: Path, size: tuple[int, int] = SIZE, look: str = LOOKS[0]
) -> None:
    """Open the app on a project, go to a view and save the screen while the sound plays."""
    app = LabelApp(project, annotator="you")
    if look == "light":
        app.theme = LIGHT.name
    async with app.run_test(size=size) as pilot:

        async def until(condition: Callable[[], object], seconds: float = 20.0) -> bool:
            for _ in range(round(seconds / 0.05)):
                await pilot.pause(0.05)
                if condition():
                    return True
            return False

        def playing() -> bool:
            return app.current_view is not None and app.services.player.position_s > 0.4

        if not await until(playing):
            raise SystemExit(f"{name}: timed out")
        for step in steps:
            if step.startswith("app."):
                await app.run_action(step)
            elif step == "wait":
                await pilot.pause(_WAIT_S)
            else:
                await pilot.press(step)
            await pilot.pause(0.3)
        # A clip that is not found, or a dialog, plays nothing.
        await until(playing, 20.0 if name in PICTURES else 2.0)
        title = f"labeltool label: {name.replace('_', ' ')}"
        path.write_text(app.export_screenshot(title=title), encoding="utf-8")
    app.close()


def draw_documentation(demo: Path) -> None:
    """Draw the pictures of the documentation."""
    for name, steps in PICTURES.items():
        with copy_of(demo) as project:
            if name == "review":
                mislabel(project)
            asyncio.run(draw(project, name, steps, HERE / f"{name}.svg"))


def draw_everything(demo: Path, folder: Path, names: Collection[str]) -> None:
    """Draw views and dialogs in all sizes and looks, and a page that shows them."""
    folder.mkdir(parents=True, exist_ok=True)
    for look in LOOKS:
        os.environ.pop("NO_COLOR", None)
        if look == "no_colour":
            os.environ["NO_COLOR"] = "1"
        for (columns, rows), name in product(SIZES, names):
            with copy_of(demo) as project:
                mislabel(project)
                path = folder / f"{name}-{columns}x{rows}-{look}.svg"
                asyncio.run(draw(project, name, EVERYTHING[name], path, (columns, rows), look))
                print(path, file=sys.stderr)
    pictures = "".join(f'<figure><img src="{path.name}"></figure>' for path in sorted(folder.glob("*.svg")))
    style = "<style>figure { display: inline-block; margin: 4px } img { height: 30vh }</style>"
    (folder / "index.html").write_text(f"<!DOCTYPE html>{style}{pictures}", encoding="utf-8")


@contextmanager
def copy_of(demo: Path) -> Iterator[Project]:
    """Copy a project, and forget the copy afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "yard"
        shutil.copytree(demo, copy)
        yield projects.load(copy)


def main() -> None:
    """Draw what was asked for."""
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
