"""Plug-ins: the example is installed and used; whatever is wrong with one is a line, and the others are there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from labeltool.active_learning import strategies
from labeltool.errors import LabeltoolError
from labeltool.util import plugins
from labeltool.util.plugins import Registry, instance_named

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "fieldnotes"


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example, as pip installs it."""
    folder = tmp_path_factory.mktemp("plugins")
    shutil.copytree(EXAMPLE, folder / "source")
    install = ["install", "--quiet", "--no-index", "--no-build-isolation", "--no-deps", "--target", folder / "target"]
    subprocess.run([sys.executable, "-m", "pip", *install, folder / "source"], check=True, capture_output=True)
    return folder / "target"


def labeltool(target: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    # Behind the path of this process: pytest finds the product by it.
    path = os.pathsep.join([str(target), *filter(None, sys.path)])
    command = [sys.executable, "-m", "labeltool", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path})


def add_plugin(target: Path, name: str, code: str, *points: str) -> None:
    """Write a distribution of one module as pip would install it."""
    target.mkdir(exist_ok=True)
    (target / f"{name}.py").write_text(code)
    metadata = target / f"{name}-0.1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1\n")
    (metadata / "entry_points.txt").write_text("\n".join(points) + "\n")


def test_the_example_is_installed_listed_and_used(
    target: Path, write_tone: Callable[..., Path], tmp_path: Path
) -> None:
    listed = json.loads(labeltool(target, "formats", "--json").stdout)
    assert {
        "direction": "in",
        "name": "fieldnotes",
        "carries": ["regions", "unsure"],
        "distribution": "labeltool-fieldnotes 1.0",
    } in listed["formats"]
    assert listed["failed"] == []
    write_tone("dawn.wav", seconds=3.0)
    (tmp_path / "dawn.notes").write_text("0:00.5-0:01 robin\n0:1-0:2.25 wren ?\nnothing\n0:05-0:06 owl\n")
    assert labeltool(target, "init", tmp_path / "p").returncode == 0
    done = labeltool(target, "--project", tmp_path / "p", "import", "fieldnotes", tmp_path / "dawn.notes", "--json")
    result = json.loads(done.stdout)
    assert (result["clips"], result["verdicts"]) == (2, 2) and [one["line"] for one in result["skipped"]] == [3, 4]
    clips = json.loads(labeltool(target, "--project", tmp_path / "p", "clips", "--json").stdout)["clips"]
    assert [(one["start_s"], one["end_s"], one["present"], one["unsure"]) for one in clips] == [
        (0.5, 1.0, ["robin"], []),
        (1.0, 2.25, [], ["wren"]),
    ]
    assert "fieldnotes" in labeltool(target, "import", "--help").stdout


BROKEN = {
    "raises": ("raise RuntimeError('no\\nluck')", "raises:FORMAT", "cannot be loaded: RuntimeError: no\\nluck"),
    "leaves": ("raise SystemExit(3)", "leaves:FORMAT", "cannot be loaded: SystemExit: 3"),
    "lacks": ("import nowhere_at_all", "lacks:FORMAT", "cannot be loaded: ModuleNotFoundError: No module named"),
    "other": ("FORMAT = 3", "other:FORMAT", "cannot be loaded: TypeError: is no Format, but int"),
}


def test_one_that_cannot_be_loaded_is_a_line_and_stops_no_other(target: Path, tmp_path: Path) -> None:
    both = tmp_path / "both"
    shutil.copytree(target, both)
    for name, (code, value, _) in BROKEN.items():
        add_plugin(both, name, code, "[labeltool.importers]", f"{name} = {value}")
    taken = "from labeltool_fieldnotes import FORMAT"
    add_plugin(both, "takes_ours", taken, "[labeltool.importers]", "audio = takes_ours:FORMAT")
    add_plugin(both, "takes_theirs", taken, "[labeltool.importers]", "fieldnotes = takes_theirs:FORMAT")
    (both / "takes_theirs-0.1.dist-info").rename(both / "zz-0.1.dist-info")
    (both / "raises-0.1.dist-info" / "RECORD").write_text("damaged")
    (both / "damaged-1.dist-info").mkdir()
    (both / "damaged-1.dist-info" / "entry_points.txt").write_bytes(b"[labeltool.importers\n\xff\xfe = =\n")
    done = labeltool(both, "formats")
    lines = done.stderr.splitlines()
    assert done.returncode == 0 and "Traceback" not in done.stderr
    for name, (_, _, reason) in BROKEN.items():
        (line,) = [line for line in lines if f"plug-in '{name}' of {name} 0.1: " in line]
        assert reason in line
    assert [line for line in lines if "'audio' of takes_ours 0.1: the name is labeltool's own" in line]
    assert [
        line for line in lines if "'fieldnotes' of takes_theirs 0.1: the name is taken by labeltool-fieldnotes" in line
    ]
    assert len(lines) == len(BROKEN) + 2
    assert "in        fieldnotes" in done.stdout
    # A format of ours asks no plug-in.
    assert labeltool(both, "import", "audio", "--help").stderr == ""


def test_a_strategy_of_a_plug_in_orders_the_queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "import numpy\ndef newest(pool, count, rng): return numpy.arange(len(pool))[::-1]\ndef bad(*_): return [99]\n"
    )
    add_plugin(
        tmp_path / "t",
        "newest_first",
        code,
        "[labeltool.strategies]",
        "newest = newest_first:newest",
        "bad = newest_first:bad",
    )
    monkeypatch.syspath_prepend(tmp_path / "t")
    plugins._entry_points.cache_clear()
    pool = strategies.Pool(np.zeros((3, 2), np.float32), ("a", "b", "c"), np.zeros((0, 2), np.float32))
    try:
        assert list(strategies.rank("newest", pool, seed=0, count=3)) == [2, 1, 0]
        with pytest.raises(LabeltoolError, match="does not return indices of the pool"):
            strategies.rank("bad", pool, seed=0, count=3)
        with pytest.raises(LabeltoolError, match=r"there are default, .*, int8, bad, newest"):
            strategies.find_strategy("none")
        assert strategies.STRATEGIES.distribution("newest") == "newest_first 0.1"
    finally:
        strategies.STRATEGIES._loaded.clear()
        plugins._entry_points.cache_clear()


def test_an_exporter_of_a_plug_in_writes_its_folder(tmp_path: Path) -> None:
    code = """
from labeltool.exporters.registry import Exporter
def write(source, directory):
    (directory / "labels.txt").write_text(" ".join(source.store.path.parts[-2:]))
COUNTS, JSON = (Exporter(name, "Something.", module=__name__, folder=name) for name in ("counts", "json"))
"""
    points = ("[labeltool.exporters]", "counts = counts_out:COUNTS", "json = counts_out:JSON")
    add_plugin(tmp_path / "t", "counts_out", code, *points)
    assert labeltool(tmp_path / "t", "init", tmp_path / "p").returncode == 0
    done = labeltool(tmp_path / "t", "--project", tmp_path / "p", "export", "--counts", "--json")
    assert json.loads(done.stdout)["written"] == [str(tmp_path / "p" / "exports" / "counts")]
    assert (tmp_path / "p" / "exports" / "counts" / "labels.txt").read_text() == "p labels.db"
    (line,) = done.stderr.splitlines()
    assert line.endswith("plug-in 'json' of counts_out 0.1: --json is an option of `labeltool export` already")


def test_a_runtime_of_a_plug_in_reads_its_ending(tmp_path: Path, target: Path) -> None:
    code = "def network_files(path): return (path,)\ndef read_layout(path): ...\ndef open_network(*_): ...\n"
    add_plugin(
        tmp_path / "t",
        "runtime_of_mine",
        code,
        "[labeltool.runtimes]",
        ".mine = runtime_of_mine",
        "mine = runtime_of_mine",
    )
    done = labeltool(tmp_path / "t", "formats")
    assert "model     .mine" in done.stdout
    assert done.stderr.splitlines() == [
        "labeltool: plug-in 'mine' of runtime_of_mine 0.1: cannot be loaded: "
        "ValueError: is no file ending such as .onnx"
    ]


def test_a_distribution_where_a_command_runs_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    add_plugin(tmp_path, "evil_here", "print('run')\nNAMES = {}", "[labeltool.tests]", "evil = evil_here:NAMES")
    monkeypatch.syspath_prepend(tmp_path)
    for place, expected in ((tmp_path, []), (tmp_path.parent, ["evil"])):
        monkeypatch.chdir(place)
        plugins._entry_points.cache_clear()
        registry: Registry[object] = Registry("labeltool.tests", {}, lambda name, loaded: loaded)
        assert list(registry) == expected
    plugins._entry_points.cache_clear()
    assert capsys.readouterr().out == "run\n"


def test_a_module_where_a_command_runs_never_stands_for_a_plug_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here, installed = tmp_path / "here", tmp_path / "t"
    here.mkdir()
    (here / "mine_by_name.py").write_text("print('a stranger')\nNAMES = {}")
    (here / "nowhere_else.py").write_text("print('a stranger')")
    code = "try:\n import nowhere_else\nexcept ImportError:\n print('mine')\nNAMES = {}"
    add_plugin(installed, "mine_by_name", code, "[labeltool.tests]", "mine = mine_by_name:NAMES")
    monkeypatch.syspath_prepend(installed)
    monkeypatch.syspath_prepend(here)
    monkeypatch.chdir(here)
    path = list(sys.path)
    plugins._entry_points.cache_clear()
    try:
        assert list(Registry("labeltool.tests", {}, lambda name, loaded: loaded)) == ["mine"]
        assert capsys.readouterr().out == "mine\n" and sys.path == path
        shutil.rmtree(here)
        plugins._entry_points.cache_clear()
        assert list(Registry("labeltool.tests", {}, lambda name, loaded: loaded)) == ["mine"]
    finally:
        plugins._entry_points.cache_clear()


def test_an_entry_has_its_name_and_is_of_its_class() -> None:
    accept = instance_named(Registry)
    with pytest.raises(TypeError, match="is no Registry, but int"):
        accept("a", 3)
    with pytest.raises(ValueError, match="is named None itself"):
        accept("a", Registry("labeltool.none", {}, lambda name, loaded: loaded))
