"""The wheel as a stranger has it, beside its dependencies and without the tree; `make install-test` does more."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from helpers.tones import tone_writer
from helpers.waits import DEADLINE_S

ROOT = Path(__file__).parents[2]
HEAVY = {"tensorflow", "keras", "librosa", "pandas", "textual", "sklearn", "numba", "psutil", "platformdirs"}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of an environment in which only labeltool is new; it finds the rest in this one's."""
    folder = tmp_path_factory.mktemp("installed")
    run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder, cwd=ROOT)
    run(sys.executable, "-m", "venv", "--without-pip", folder / "venv")
    (wheel,) = folder.glob("*.whl")
    python = folder / "venv" / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel)
    (site,) = (folder / "venv" / "lib").glob("*/site-packages")
    # A path in a .pth is only looked in: the editable install there stays unknown.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python.parent


def run(*command: str | Path, cwd: Path | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True, timeout=DEADLINE_S)
    assert not check or done.returncode == 0, done.stderr
    return done


def test_every_room_is_imported_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    program = """
import labeltool, labeltool.exporters.registry, labeltool.importers.registry, labeltool.tui.app, labeltool.web
print(*(module.__file__ for module in (labeltool, labeltool.exporters, labeltool.importers, labeltool.tui)))
"""
    for path in run(installed / "python", "-c", program, cwd=tmp_path).stdout.split():
        assert Path(path).is_relative_to(installed.parent / "lib")


def test_importing_it_and_its_help_stay_light(installed: Path, tmp_path: Path) -> None:
    program = f"""
import sys
import labeltool
assert not {{"numpy", "msgspec", "click"}} & set(sys.modules)
sys.argv = ["labeltool", "--help"]
from labeltool.__main__ import main
try:
    main()
finally:
    print("LOADED", *sorted({HEAVY!r} & set(sys.modules)))
"""
    assert run(installed / "python", "-c", program, cwd=tmp_path).stdout.splitlines()[-1] == "LOADED"


def test_the_label_track_of_a_search_is_written_without_loading_tables(installed: Path, tmp_path: Path) -> None:
    program = f"""
import sys
from pathlib import Path
from labeltool.cli.detection.detect_parts import LabelTracks
from labeltool.inference.detection_records import DetectedFile
from labeltool.records import Event
LabelTracks(Path("tracks")).write(DetectedFile("night.wav", 9.0, 1.0, None, (Event("owl", 1.0, 2.5, 0.8),)))
print("LOADED", *sorted({HEAVY!r} & set(sys.modules)))
"""
    assert run(installed / "python", "-c", program, cwd=tmp_path).stdout.splitlines()[-1] == "LOADED"
    assert (tmp_path / "tracks" / "night.detected.txt").read_text() == "1.000000\t2.500000\towl\n"


def test_a_session_with_the_installed_command(installed: Path, tmp_path: Path) -> None:
    write = tone_writer(tmp_path / "sounds")
    for number in range(3):
        write(f"{number}.wav", frequency_hz=300.0 * (number + 1), seconds=1.0)
    labeltool, at = installed / "labeltool", ("--project", tmp_path / "p")
    run(labeltool, "init", tmp_path / "p", cwd=tmp_path)
    run(labeltool, *at, "import", "audio", tmp_path / "sounds", cwd=tmp_path)
    run(labeltool, *at, "mark", "1", "low", cwd=tmp_path)
    run(labeltool, *at, "export", "--table", "--clips", cwd=tmp_path)
    assert json.loads(run(labeltool, *at, "status", "--json", cwd=tmp_path).stdout)["labelled"] == 1
    assert (tmp_path / "p" / "exports" / "clips" / "low").is_dir()
    assert run(labeltool, "nothing", cwd=tmp_path, check=False).returncode == 2
