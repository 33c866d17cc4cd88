"""Install labeltool as people do, each way in a clean environment, and work with it; sizes and seconds are printed.

`make install-test`. It takes what the registry that pip is set to has, without the extras.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import wave
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HERE = Path(sys.executable).parent


def main() -> int:
    """Try each way; return 1 where one failed."""
    failed = 0
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        run([sys.executable, "-m", "hatchling", "build", "--directory", str(folder / "dist")], {}, ROOT)
        (wheel,), (sdist,) = (folder / "dist").glob("*.whl"), (folder / "dist").glob("*.tar.gz")
        for name in ("pip-wheel", "pip-sdist", "uv-tool", "pipx"):
            home = folder / name
            home.mkdir()
            began_s = time.monotonic()
            try:
                program = install(name, home, sdist if name == "pip-sdist" else wheel)
                seconds = time.monotonic() - began_s
                work_with(program, home)
            except subprocess.CalledProcessError as error:
                print(f"{name}: failed: {error.cmd}\n{error.stderr}", file=sys.stderr)
                failed = 1
                continue
            size = sum(path.lstat().st_size for path in home.rglob("*") if path.is_file()) / 1e6
            print(f"{name}: {size:.0f} MB in {seconds:.0f} s")
    return failed


def install(way: str, home: Path, distribution: Path) -> Path:
    """Install a distribution into a folder and return the command."""
    if way.startswith("pip-"):
        run([sys.executable, "-m", "venv", str(home / "venv")], {})
        run([str(home / "venv" / "bin" / "pip"), "install", "--quiet", str(distribution)], {})
        return home / "venv" / "bin" / "labeltool"
    if way == "uv-tool":
        places = {"UV_TOOL_DIR": home / "tools", "UV_TOOL_BIN_DIR": home / "bin", "UV_LINK_MODE": "copy"}
        run([str(HERE / "uv"), "tool", "install", "--quiet", "--python", sys.executable, str(distribution)], places)
    else:
        places = {"PIPX_HOME": home / "pipx", "PIPX_BIN_DIR": home / "bin", "PIPX_MAN_DIR": home / "man"}
        run([str(HERE / "pipx"), "install", "--python", sys.executable, str(distribution)], places)
    return home / "bin" / "labeltool"


def work_with(program: Path, home: Path) -> None:
    """Make a project of a sound, label it and export the label."""
    sound = home / "sounds" / "a.wav"
    sound.parent.mkdir()
    with wave.open(str(sound), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(range(256)) * 125)
    project = str(home / "project")
    for arguments in (
        ("--help",),
        ("init", project),
        ("--project", project, "import", "audio", str(sound.parent)),
        ("--project", project, "mark", "1", "noise"),
        ("--project", project, "export", "--table", "--clips"),
        ("--project", project, "status", "--json"),
    ):
        run([str(program), *arguments], {"LABELTOOL_ANNOTATOR": "ann"}, home)


def run(command: list[str], more: Mapping[str, str | Path], cwd: Path | None = None) -> None:
    """Run a command outside of this tree; its output is shown where it fails."""
    inherited = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    environment = {**inherited, **{name: str(value) for name, value in more.items()}}
    subprocess.run(
        command, cwd=cwd or Path(tempfile.gettempdir()), env=environment, check=True, capture_output=True, text=True
    )


if __name__ == "__main__":
    sys.exit(main())
