"""Draw the README's pictures: `python docs/screenshots.py demo/project`, after `make demo`.

The app itself writes them, each way to work from a copy of the demo project.
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
from labeltool.tui.app import Room

HERE = Path(__file__).resolve().parent
SIZE = (110, 34)

PICTURES: dict[str, tuple[str, ...]] = {
    "room": (),
    "sweep": ("S", "down", "x", "down"),
    "review": ("R",),
    "browse": ("B", "down", "down"),
    "spans": ("B", "f", *"yard", "enter", "w", "tab", "tab"),
}
"""The pictures' names, and the keys that lead to them."""


def mishear(project: Project) -> None:
    """Give the project a few verdicts that are wrong, for review to find."""
    with project.open_store() as store:
        for labelled in clips.labelled(store)[:12:4]:
            (label,) = labelled.verdicts
            wrong = "rain" if label != "rain" else "bird"
            journal.say(store, labelled.clip.id, wrong, annotator="tired", instead_of=[label])


async def draw(project: Project, name: str, keys: tuple[str, ...]) -> None:
    """Open the room on a project, go to a way to work and save what it shows while the sound plays."""
    room = Room(project, annotator="you")
    async with room.run_test(size=SIZE) as pilot:

        async def until(condition: Callable[[], bool]) -> None:
            for _ in range(400):
                await pilot.pause(0.05)
                if condition():
                    return
            raise SystemExit(f"{name}: waited in vain")

        def playing() -> bool:
            return room.desk is not None and room.services.player.position_s > 0.4

        await until(playing)
        for key in keys:
            await pilot.press(key)
            await pilot.pause(0.3)
        await until(playing)
        (HERE / f"{name}.svg").write_text(room.export_screenshot(title=f"labeltool label: {name}"), encoding="utf-8")
    room.close()


def main() -> None:
    """Draw all of them."""
    os.environ["LABELTOOL_AUDIO"] = "null"
    for name, keys in PICTURES.items():
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / "yard"
            shutil.copytree(Path(sys.argv[1]), copy)
            project = projects.load(copy)
            if name == "review":
                mishear(project)
            asyncio.run(draw(project, name, keys))


if __name__ == "__main__":
    main()
