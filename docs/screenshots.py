"""Draw the README's pictures of the labelling room: `python docs/screenshots.py PROJECT` (a copy of it is used)."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
from pathlib import Path

from labeltool import project as projects
from labeltool.tui.app import Room
from labeltool.tui.spectrogram import Spectrogram

HERE = Path(__file__).resolve().parent


async def draw(directory: Path) -> None:
    """Open the room on a project and save what it shows."""
    os.environ["LABELTOOL_AUDIO"] = "null"
    room = Room(projects.load(directory), annotator="you")
    async with room.run_test(size=(110, 34)) as pilot:
        for _ in range(200):
            await pilot.pause(0.05)
            if room.screen.query(Spectrogram) and room.services.player.position_s > 0.8:
                break
        (HERE / "room.svg").write_text(room.export_screenshot(title="labeltool label"), encoding="utf-8")
        room.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "project"
        shutil.copytree(Path(sys.argv[1]), copy)
        asyncio.run(draw(copy))
