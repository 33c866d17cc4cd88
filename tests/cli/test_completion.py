"""Tab in bash, zsh and fish: commands, options, labels, architectures; and a label that is a command is never run."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from helpers.command_line import HEAVY, labeltool
from helpers.store import fill
from helpers.tmux import Terminal
from labeltool.cli.main import cli
from labeltool.project import Project
from labeltool.store import journal

SHELLS = {
    "bash": ("bash --norc --noprofile -i", 'eval "$(labeltool completion bash)"'),
    "zsh": ("zsh -f -i", 'autoload -Uz compinit; compinit -u; eval "$(labeltool completion zsh)"'),
    "fish": ("fish --no-config -i", "labeltool completion fish | source"),
}
COMMAND = "owl$(touch ran)"


@pytest.fixture
def labelled(project: Project) -> Project:
    """A project with two labels, one of them a command of a shell."""
    with project.open_store() as store:
        fill(store, "a", "b")
        for number, label in ((1, "barn owl"), (2, COMMAND)):
            journal.annotate(store, number, label, annotator="ben")
    return project


def completions(line: str, project: Project, shell: str = "bash") -> list[str]:
    """What a shell gets for a line, whose last word is completed."""
    words = shlex.split(line) + ([""] if line.endswith(" ") else [])
    request = {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1), "_LABELTOOL_COMPLETE": f"{shell}_complete"}
    done = labeltool(**{**os.environ, "PWD": str(project.directory), **request})
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("labeltool retr", "plain,retrain"),
        ("labeltool import aud", "plain,audacity"),
        ("labeltool retrain --ar", "plain,--arch"),
        ("labeltool retrain --arch embedding-", "plain,embedding-mlp"),
        ("labeltool simulate --strategy me", "plain,medoid"),
        ("labeltool --project {project} mark 1 barn", "plain,'barn owl'"),
        ("labeltool clips --project {project} --label barn", "plain,'barn owl'"),
        ("labeltool --project {project} mark 1 owl", f"plain,{shlex.quote(COMMAND)}"),
        ("labeltool model fetch ", "plain,yamnet"),
        ("labeltool check near", "plain,near-duplicate"),
        ("labeltool classify ", "file,"),
        ("labeltool export --o", "plain,--output"),
    ],
)
def test_a_shell_gets_what_fits(line: str, expected: str, labelled: Project) -> None:
    assert expected in completions(line.format(project=labelled.directory), labelled)


def test_outside_a_project_there_are_no_labels_and_no_error(tmp_path: Path, labelled: Project) -> None:
    assert "".join(completions(f"labeltool --project {tmp_path} mark 1 ", labelled)) == ""


def test_a_folder_that_is_no_model_any_more_is_none(labelled: Project) -> None:
    for name in ("2", "10", "3.not-in-the-database-ab12cd34"):
        (labelled.models / name).mkdir()
    line = f"labeltool --project {labelled.directory} evaluate --model "
    assert completions(line, labelled) == ["plain,2", "plain,10"]


def test_nothing_raises_at_a_tab(monkeypatch: pytest.MonkeyPatch) -> None:
    from labeltool.cli.completion import _completions

    monkeypatch.setenv("_LABELTOOL_COMPLETE", "bash_complete")
    assert _completions(lambda: [str(1 // 0)], click.Context(cli), "") == []


def test_completion_loads_nothing_heavy(labelled: Project) -> None:
    line = f"labeltool --project {labelled.directory} mark 1 barn"
    program = f"""
import atexit, sys
atexit.register(lambda: print("LOADED", *sorted({HEAVY - {"sqlite_utils"}!r} & set(sys.modules))))
from labeltool.__main__ import main
main()
"""
    request = {"COMP_WORDS": line, "COMP_CWORD": "5", "_LABELTOOL_COMPLETE": "bash_complete"}
    done = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, **request}, capture_output=True, text=True
    )
    assert done.stdout.splitlines() == ["plain,'barn owl'", "LOADED"]


def test_every_completed_parameter_is_one_of_a_command() -> None:
    from labeltool.cli.completion import _COMPLETERS

    there: set[str] = set()

    def walk(command: object, path: str) -> None:
        for parameter in getattr(command, "params", ()):
            there.update((parameter.name, f"{path}{parameter.name}"))
        for name, one in getattr(command, "commands", {}).items():
            walk(one, f"{path}{name} ")

    walk(cli, "")
    assert set(_COMPLETERS) <= there


@pytest.fixture(params=SHELLS)
def terminal(request: pytest.FixtureRequest, labelled: Project, tmp_path: Path) -> Iterator[Terminal]:
    """A shell in the project, with completion."""
    for program in ("tmux", request.param):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    (bin_folder / "labeltool").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m labeltool "$@"\n')
    (bin_folder / "labeltool").chmod(0o755)
    command, setup = SHELLS[request.param]
    terminal = Terminal(tmp_path / "socket", labelled)
    values = {
        "HOME": str(tmp_path),
        "PATH": f"{bin_folder}:{os.environ['PATH']}",
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        "LABELTOOL_ANNOTATOR": "ann",
    }
    # By env, not by tmux: it starts the user's shell in between, whose files may set another PATH.
    program = shlex.join(["env", *(f"{name}={value}" for name, value in values.items()), *command.split()])
    terminal.tmux("new-session", "-d", "-s", "app", "-x", "100", "-y", "40", "-c", str(labelled.directory), program)
    terminal.press(f"{setup}; echo re''ady", "Enter")
    terminal.until(lambda: "ready" in terminal.screen(), "the shell")
    yield terminal
    terminal.close()


@pytest.mark.slow
def test_tab_in_a_real_shell(terminal: Terminal, labelled: Project) -> None:
    for typed, expected in (
        ("labeltool retr", "labeltool retrain"),
        ("labeltool retrain --patch", "labeltool retrain --patch-s"),
        ("labeltool retrain --arch embedding-m", "labeltool retrain --arch embedding-mlp"),
    ):
        terminal.press(typed, "Tab")
        terminal.until(lambda expected=expected: expected in terminal.screen(), expected)
        terminal.press("C-u", "C-l")
    # A label that is a command: what is completed is its text, and that is what the shell passes on.
    terminal.press("labeltool mark 1 owl", "Tab")
    terminal.until(lambda: "touch" in terminal.screen(), "the label")
    terminal.press("Enter")
    terminal.until(lambda: ("a.wav", COMMAND, "present") in terminal.annotations(), "the label of the first clip")
    assert not (labelled.directory / "ran").exists()
