"""Draw the pictures of the documentation: `python docs/screenshots.py demo/project`, after `make demo`.

The app itself writes them, each view from a copy of the demo project.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from labeltool import project as projects
from labeltool.project import Project
from labeltool.store import clips, journal
from labeltool.store.journal import AnnotationContext
from labeltool.tui.app import LabelApp

HERE = Path(__file__).resolve().parent
SIZE = (110, 34)

PICTURES: dict[str, tuple[str, ...]] = {
    "label": (),
    "batch_review": ("S", "down", "x", "down"),
    "review": ("R",),
    "browse": ("B", "down", "down"),
    "regions": ("B", "f", *"yard", "enter", "w", "tab", "tab"),
}
"""The pictures' names, and the keys that lead to them."""


def mislabel(project: Project) -> None:
    """Give the project a few wrong labels, for Review to find."""
    with project.open_store() as store:
        for labelled in clips.labelled(store)[:12:4]:
            (label,) = labelled.verdicts
            wrong = "rain" if label != "rain" else "bird"
            context = AnnotationContext(instead_of=[label])
            journal.annotate(store, labelled.clip.id, wrong, annotator="tired", context=context)


async def draw(project: Project, name: str, keys: tuple[str, ...]) -> None:
    """Open the app on a project, go to a view and save the screen while the sound plays."""
    app = LabelApp(project, annotator="you")
    async with app.run_test(size=SIZE) as pilot:

        async def until(condition: Callable[[], bool]) -> None:
            for _ in range(400):
                await pilot.pause(0.05)
                if condition():
                    return
            raise SystemExit(f"{name}: timed out")

        def playing() -> bool:
            return app.current_view is not None and app.services.player.position_s > 0.4

        await until(playing)
        for key in keys:
            await pilot.press(key)
            await pilot.pause(0.3)
        await until(playing)
        title = f"labeltool label: {name.replace('_', ' ')}"
        (HERE / f"{name}.svg").write_text(app.export_screenshot(title=title), encoding="utf-8")
    app.close()


def main() -> None:
    """Draw all of them."""
    os.environ["LABELTOOL_AUDIO"] = "null"
    for name, keys in PICTURES.items():
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / "yard"
            shutil.copytree(Path(sys.argv[1]), copy)
            project = projects.load(copy)
            if name == "review":
                mislabel(project)
            asyncio.run(draw(project, name, keys))


if __name__ == "__main__":
    main()
