"""Photograph the app in real terminals: `python docs/pixel_screenshots.py demo/project FOLDER`, after `make demo`.

kitty and xterm, where they are installed, run the app in an X server without a screen. It needs Xvfb, xdotool and
ImageMagick. Mesa's llvmpipe draws wrong colours where a picture lies below kitty's text; softpipe, slower, is right.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DISPLAY = ":78"
SIZE = "1100x760x24"
TERMINALS = {
    "kitty": (
        *("kitty", "--config", "NONE", "-o", "font_size=10", "-o", "remember_window_size=no"),
        *("-o", "initial_window_width=1000", "-o", "initial_window_height=680"),
    ),
    "xterm": ("xterm", "-ti", "vt340", "-tn", "xterm-256color", "-fa", "Mono", "-fs", "9", "-geometry", "120x38", "-e"),
}
STEPS = {
    "label": ("Escape", "space"),
    "zoomed": ("ctrl+Up", "shift+Up", "F5"),
    "help": ("question",),
    "regions": ("Escape", "w", "wait", "wait", "i", "Right", "Right", "Right", "o"),
}
START_S, KEY_S, WAIT_S = 16.0, 1.5, 3.0


def main() -> None:
    """Photograph each terminal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("project", type=Path)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    missing = [tool for tool in ("Xvfb", "xdotool", "import") if shutil.which(tool) is None]
    if missing:
        parser.error(f"not installed: {', '.join(missing)}")
    arguments.folder.mkdir(parents=True, exist_ok=True)
    with x_server():
        for name, command in TERMINALS.items():
            if shutil.which(name) is None:
                print(f"{name} is not installed")
                continue
            with tempfile.TemporaryDirectory() as copy:
                project = shutil.copytree(arguments.project, Path(copy) / "project")
                photograph(name, command, project, arguments.folder)


def photograph(name: str, command: tuple[str, ...], project: Path, folder: Path) -> None:
    """Run the app in a terminal and press keys; a picture after each step."""
    app = [sys.executable, "-m", "labeltool", "--project", str(project), "label"]
    variables = {"LABELTOOL_AUDIO": "null", "COLORTERM": "truecolor", "DISPLAY": DISPLAY}
    software = {"LIBGL_ALWAYS_SOFTWARE": "1", "GALLIUM_DRIVER": "softpipe"}
    terminal = subprocess.Popen(
        [*command, *app], env={**os.environ, **variables, **software}, stderr=subprocess.DEVNULL
    )
    try:
        time.sleep(START_S)
        for step, keys in STEPS.items():
            for key in keys:
                if key == "wait":
                    time.sleep(WAIT_S)
                else:
                    subprocess.run(["xdotool", "key", key], env={**os.environ, **variables}, check=True)
                    time.sleep(KEY_S)
            file = folder / f"{name}_{step}.png"
            subprocess.run(["import", "-window", "root", str(file)], env={**os.environ, **variables}, check=True)
            print(file)
    finally:
        terminal.terminate()
        terminal.wait(10)


@contextmanager
def x_server() -> Iterator[None]:
    """Run an X server without a screen."""
    server = subprocess.Popen(["Xvfb", DISPLAY, "-screen", "0", SIZE], stderr=subprocess.DEVNULL)
    try:
        time.sleep(1.0)
        yield
    finally:
        server.terminate()
        server.wait(10)


if __name__ == "__main__":
    main()
