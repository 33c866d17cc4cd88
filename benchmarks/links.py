"""What a link in a project does: every path that a command writes, with a link to elsewhere planted in its place.

    python benchmarks/links.py --pretrained yamnet.tflite

Each command runs in a small project of synthetic sounds while an audit hook records what Python opens for writing,
makes, renames and removes, below the project and below a home of its own; what compiled code left there is added. Then
the command runs again for each of those paths: from the same state, with a link in the path's place, to a file or a
folder elsewhere that holds what was there. What it leads to must stay as it was. One line a command: how many paths,
and what became of the links: replaced by the command's own files, refused (in a message that names the path, or the
folder it is in), or left as they were (what is behind is read and suffices). Excluded are random names, which nobody
can plant, and the database, whose links other tests try.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import soundfile
from click.testing import CliRunner

from labeltool import project as projects
from labeltool.cli.main import cli
from labeltool.parallel.engine import LOCAL, Engine
from labeltool.project import Project
from labeltool.tasks import executor
from labeltool.tasks.registry import Task
from labeltool.tui import launch

LABELS = {"low": 300.0, "high": 4000.0}
NAMED = (Path("out", "tracks"), Path("out", "products"))
"""What -o names is a person's own, and may be a link; what is in it may not."""

OF_LIBRARIES = ("home/.cache/Microsoft", "home/.cache/matplotlib", "home/.config/matplotlib", "home/.keras")
"""What onnxruntime, matplotlib and Keras keep of their own."""

_RANDOM = re.compile(r"[0-9a-f]{32}")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


@dataclass(frozen=True)
class Step:
    """A command, as arguments of the command line or a function of the project's directory."""

    name: str
    run: tuple[str, ...] | Callable[[Path], None]


@dataclass(frozen=True)
class Outcome:
    """What became of a link that was planted before a command."""

    step: str
    path: str
    became: str
    changed_elsewhere: bool
    output: str


class InThisProcess:
    """An executor without processes: the hook sees what a task does."""

    def start(
        self, project: Project | None, task: Task[Any], *, niceness: int = 0, engine: Engine = LOCAL, **options: Any
    ) -> _Done:
        """Do a task at once."""
        if project is not None:
            project.refuse_links()
            project.open_log(task.name).close()
        return _Done(task.run(project, report=lambda *_: None, **options))


@dataclass
class _Done:
    result: Any
    log: None = None

    def wait(self, _: object) -> Any:
        """Return the result."""
        return self.result

    def stop(self) -> None:
        """Do nothing: it has ended."""


_recorded: set[Path] | None = None


def _hook(event: str, values: tuple[Any, ...]) -> None:
    if _recorded is None:
        return
    if event == "open":
        # A name in an open folder is found in the comparison of what there was before and after.
        path, mode, flags = values
        if (isinstance(mode, str) and set(mode) & set("wax+")) or (isinstance(flags, int) and flags & _WRITING):
            _record(path)
    elif event in ("os.remove", "os.rmdir", "shutil.rmtree"):
        _record(*values)
    elif event == "os.mkdir":
        _record(values[0], values[2])
    elif event in ("os.rename", "os.link"):
        _record(values[0], values[2])
        _record(values[1], values[3])
    elif event == "os.symlink":
        _record(values[1], values[2])
    elif event in ("os.truncate", "os.utime", "os.chmod", "sqlite3.connect"):
        _record(values[0])


def _record(path: object, folder: int | None = None) -> None:
    if _recorded is None or not isinstance(path, (str, bytes, os.PathLike)):
        return
    at = Path(os.fsdecode(path))
    if folder is not None and folder >= 0:
        at = Path(os.readlink(f"/proc/self/fd/{folder}")) / at  # noqa: PTH115
    _recorded.add(at)


@contextmanager
def recorded_writes() -> Iterator[set[Path]]:
    """Add what is written in the block, by Python, to the set."""
    global _recorded
    if not hasattr(recorded_writes, "hooked"):  # a hook cannot be taken out: one is enough
        sys.addaudithook(_hook)
        setattr(recorded_writes, "hooked", True)  # noqa: B010
    _recorded = written = set[Path]()
    try:
        yield written
    finally:
        _recorded = None


def state(folder: Path) -> dict[str, tuple[bytes | str, int]]:
    """Return what is below a folder: content or kind, and when it was changed, of each path."""
    found: dict[str, tuple[bytes | str, int]] = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        content: bytes | str = "folder"
        if path.is_symlink():
            content = f"-> {path.readlink()}"
        elif path.is_file():
            content = path.read_bytes()
        found[str(path.relative_to(folder))] = content, 0 if path.is_dir() else status.st_mtime_ns
    return found


class World:
    """A folder with sounds, a home, a project, and what is elsewhere."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.work, self.elsewhere, self.kept = (self.root / name for name in ("work", "elsewhere", "kept"))
        self.project, self.home = self.work / "project", self.work / "home"
        self.home.mkdir(parents=True)
        self.sounds = self.root / "sounds"
        rng = np.random.default_rng(0)
        rows = ["filename,fold,target,category,esc10,src_file,take"]
        for fold in range(1, 5):
            for target, (label, pitch_hz) in enumerate(LABELS.items()):
                time_s = np.arange(16_000) / 16_000
                sound = 0.3 * np.sin(2 * np.pi * pitch_hz * (1 + 0.03 * fold) * time_s) + rng.normal(0, 0.01, 16_000)
                name = f"{fold}-{fold}0{target}-A-{target}.wav"
                for folder in ("set/audio", "pool"):
                    (self.sounds / folder).mkdir(parents=True, exist_ok=True)
                    soundfile.write(self.sounds / folder / name, sound + rng.normal(0, 0.01, 16_000), 16_000)
                rows.append(f"{name},{fold},{target},{label},True,{fold}0{target},A")
        (self.sounds / "set" / "meta").mkdir()
        (self.sounds / "set" / "meta" / "esc50.csv").write_text("\n".join(rows) + "\n")

    def run(self, step: Step) -> tuple[int, str]:
        """Run a command; return the exit code and what it printed."""
        environment = {"HOME": str(self.home), "XDG_CACHE_HOME": str(self.home / ".cache")}
        with mock.patch.dict(os.environ, environment), mock.patch.object(executor, "default_executor", InThisProcess):
            if not isinstance(step.run, tuple):
                try:
                    step.run(self.project)
                except Exception as error:
                    return 1, str(error)
                return 0, ""
            result = CliRunner().invoke(cli, ["--project", str(self.project), *step.run])
            return result.exit_code, f"{result.output}\n{result.exception or ''}"

    def keep(self) -> None:
        """Keep the state that the next command is tried from."""
        shutil.rmtree(self.kept, ignore_errors=True)
        shutil.copytree(self.work, self.kept, symlinks=True)

    def restore(self) -> None:
        """Bring back the state that was kept; nothing is elsewhere."""
        for folder in (self.work, self.elsewhere):
            shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.kept, self.work, symlinks=True)

    def paths_written(self, step: Step) -> list[tuple[Path, bool]]:
        """Run a command; return what it wrote below the project and the home, and whether that is a folder."""
        before = state(self.work)
        with recorded_writes() as written:
            code, output = self.run(step)
        if code:
            raise SystemExit(f"{step.name}: {output}")
        after = state(self.work)
        paths = {path.relative_to(self.work) for path in written if path.is_relative_to(self.work)}
        paths |= {Path(name) for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
        paths |= {parent for path in paths for parent in path.parents}
        chosen = [
            path
            for path in sorted(paths)
            if len(path.parts) > 1
            and path not in NAMED
            and not any(path.is_relative_to(one) or path in Path(one).parents for one in OF_LIBRARIES)
            and not _RANDOM.search(str(path))
            and not path.name.startswith(projects.DATABASE_FILE)
        ]
        folders = {str(path) for path in paths if any(path in other.parents for other in paths)}
        is_folder = {name for names in (before, after) for name, (content, _) in names.items() if content == "folder"}
        return [(path, str(path) in folders | is_folder) for path in chosen]

    def plant(self, path: Path, number: int, *, is_folder: bool) -> None:
        """Move what has a path elsewhere, or make it there, and put a link in its place."""
        link, target = self.work / path, self.elsewhere / str(number)
        self.elsewhere.mkdir(exist_ok=True)
        link.parent.mkdir(parents=True, exist_ok=True)
        if link.exists():
            shutil.move(link, target)
        elif is_folder:
            target.mkdir()
        else:
            target.write_text("somebody's\n")
        if is_folder:
            (target / "somebody's").write_text("somebody's\n")
        link.symlink_to(target)

    def outcome(self, step: Step, path: Path, *, is_folder: bool) -> Outcome:
        """Run a command with a link in the place of a path."""
        self.restore()
        self.plant(path, 0, is_folder=is_folder)
        before = state(self.elsewhere)
        code, output = self.run(step)
        became = "left"
        if not (self.work / path).is_symlink():
            became = "replaced"
        elif code and any(
            str(self.work / one) in output for one in (path, *path.parents) if len(one.parts) > 1 or one == path.parent
        ):
            became = "refused"
        elif code:
            became = "failed"
        return Outcome(step.name, str(path), became, state(self.elsewhere) != before, output.strip())


def app_log(directory: Path) -> None:
    """Open the log of the app as the app does."""
    project = projects.find(directory)
    project.refuse_links()
    with launch._messages_in_log(project):
        pass


def light_steps(world: World, pretrained: Path, options: Sequence[str] = ()) -> list[Step]:
    """Return the commands that train no network of their own."""
    sound, out = str(world.sounds / "pool" / "1-100-A-0.wav"), world.work / "out"
    name = ("--model", "net")
    return [
        Step("init", ("init", str(world.project))),
        Step("import esc50", ("import", "esc50", str(world.sounds / "set"))),
        Step("import audio", ("import", "audio", str(world.sounds / "pool"))),
        Step("label (its log)", app_log),
        Step("mark", ("mark", "1", "high", "--absent")),
        Step("model add", ("model", "add", str(pretrained), "--name", "net", *options)),
        Step("suggest", ("suggest", "--pretrained", "net")),
        Step("classify", ("classify", sound, *name)),
        Step("similar", ("similar", "1")),
        Step("detect", ("detect", sound, *name)),
        Step("detect -o", ("detect", sound, *name, "-o", str(out / "tracks"))),
        Step("export", ("export", "--splits", "--audacity")),
        Step("export -o", ("export", "--splits", "-o", str(out / "products"))),
    ]


def heavy_steps(world: World) -> list[Step]:
    """Return the commands that train, and what follows them."""
    sound = str(world.sounds / "pool" / "1-100-A-0.wav")
    return [
        Step("similar --map", ("similar", "--clusters", "2", "--map", str(world.work / "out" / "map.png"))),
        Step("retrain", ("retrain", "--arch", "miniresnet", "--budget", "1", "--test-fold", "4")),
        Step("retrain again", ("retrain", "--arch", "miniresnet", "--budget", "1", "--test-fold", "4")),
        Step("evaluate", ("evaluate",)),
        Step("detect by the model", ("detect", sound)),
        Step("export int8, stm32", ("export", "--int8", "--stm32", "--force")),
        Step("simulate", ("simulate", "--strategy", "default", "--budgets", "4", "--test-fold", "4", "--budget", "1")),
        Step("evaluate --cross-validate", ("evaluate", "--cross-validate")),
        Step("model remove", ("model", "remove", "net")),
    ]


def outcomes(world: World, steps: Sequence[Step]) -> Iterator[Outcome]:
    """Run commands one after the other, each again with every link; yield what became of the links."""
    for step in steps:
        world.keep()
        paths = world.paths_written(step)
        done = world.root / "done"
        world.work.rename(done)
        for path, is_folder in paths:
            yield world.outcome(step, path, is_folder=is_folder)
        world.restore()
        shutil.rmtree(world.work)
        done.rename(world.work)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pretrained", type=Path, required=True, metavar="FILE")
    parser.add_argument("--only", nargs="+", metavar="COMMAND", help="Plant links before these commands only.")
    options = parser.parse_args()
    followed = 0
    with tempfile.TemporaryDirectory() as root:
        world = World(Path(root))
        for step in (*light_steps(world, options.pretrained.resolve()), *heavy_steps(world)):
            if options.only is not None and step.name not in options.only:
                code, output = world.run(step)
                assert code == 0, output
                continue
            found = list(outcomes(world, [step]))
            print(f"{step.name}: {len(found)} paths,", dict(Counter(one.became for one in found)), flush=True)
            for one in found:
                if one.changed_elsewhere or one.became == "failed":
                    followed += one.changed_elsewhere
                    what = "FOLLOWED" if one.changed_elsewhere else one.became
                    print(f"  {what} {one.path}: {one.output[-300:]}", flush=True)
    sys.exit(followed > 0)


if __name__ == "__main__":
    main()
