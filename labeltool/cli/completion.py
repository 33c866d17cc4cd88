"""Shell completion: of commands and options, as click has it, and of what the project and the registries know.

A shell requests them at every Tab by starting the command with `_LABELTOOL_COMPLETE` in its environment: nothing is
imported that takes longer than the command line itself, but for NumPy for architectures and query strategies.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial

import click
from click.shell_completion import CompletionItem, get_completion_class, shell_complete

from labeltool.cli.common import nearby_project

_PROGRAM = "labeltool"
_VARIABLE = "_LABELTOOL_COMPLETE"
_FILE = CompletionItem("", type="file")


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script for completion in a shell.

    Then Tab also completes labels of the project, models, architectures and query strategies. The line for `~/.bashrc`
    is `eval "$(labeltool completion bash)"`, for `~/.zshrc` the same with zsh, and for `~/.config/fish/config.fish`
    `labeltool completion fish | source`.

    \b
    labeltool completion bash
    """  # noqa: D301 - click's mark for "do not wrap" is a real backspace
    script = get_completion_class(shell)
    assert script is not None  # click has all three
    click.echo(script(context.find_root().command, {}, _PROGRAM, _VARIABLE).source())


def complete_if_requested(cli: click.Command) -> int | None:
    """Print completions where a shell requests them; return the exit code, or None where none does."""
    instruction = os.environ.get(_VARIABLE)
    if not instruction:
        return None
    _attach(cli, "")
    return shell_complete(cli, {}, _PROGRAM, _VARIABLE, instruction)


def _attach(command: click.Command, path: str) -> None:
    """Let the parameters of a command, and of those in it, complete what `_COMPLETERS` has for their names."""
    for parameter in command.params:
        names = (f"{path}{parameter.name}", parameter.name or "")
        complete = next((_COMPLETERS[name] for name in names if name in _COMPLETERS), None)
        if complete is not None and not isinstance(parameter.type, click.Path | click.Choice):
            vars(parameter)["shell_complete"] = partial(_completions, complete)
    for name, one in getattr(command, "commands", {}).items():
        _attach(one, f"{path}{name} ")


def _completions(
    complete: Callable[[], Iterable[str | CompletionItem]], context: click.Context, incomplete: str
) -> list[CompletionItem]:
    """Return what begins with what was typed so far; nothing where that fails: a traceback would spoil the line."""
    found: list[CompletionItem] = []
    with context.scope(cleanup=False), suppress(Exception):
        for one in complete():
            if isinstance(one, CompletionItem):
                found.append(one)
            # A label is foreign data: one that no line of a shell can have is skipped, the others are quoted.
            elif one.startswith(incomplete) and one.isprintable():
                found.append(CompletionItem(_quoted(one)))
    return found


def _quoted(text: str) -> str:
    """Quote text for bash, which takes a completion as it is; zsh and fish quote by themselves."""
    return shlex.quote(text) if os.environ[_VARIABLE].startswith("bash") else text


def _labels() -> list[str]:
    from labeltool.store.clips import label_names

    project = nearby_project()
    if project is None:
        return []
    with project.open_store() as store:
        return list(label_names(store))


def _thresholds() -> Iterator[str]:
    yield from (f"{label}=" for label in _labels())


def _architectures() -> Iterable[str]:
    from labeltool.networks.architectures import ARCHITECTURES

    return ARCHITECTURES


def _strategies() -> Iterable[str]:
    from labeltool.active_learning.strategies import STRATEGIES

    return STRATEGIES


def _own_models() -> list[str]:
    """Return the ids of the project's models, by their folders."""
    project = nearby_project()
    if project is None:
        return []
    # Beside them lie folders that are no models of the project any more; their names begin with a number too.
    return sorted((path.name for path in project.models.glob("[0-9]*") if path.name.isdecimal()), key=int)


def _pretrained_models() -> list[str]:
    from labeltool.pretrained.registry import folders

    project = nearby_project()
    return [path.name for path in folders(project.models)] if project else []


def _models() -> list[str]:
    return [*_own_models(), *_pretrained_models()]


def _models_or_file() -> list[str | CompletionItem]:
    return [*_models(), _FILE]


def _teachers() -> list[str | CompletionItem]:
    return [*_pretrained_models(), "none", _FILE]


def _published_models() -> Iterable[str]:
    from labeltool.pretrained.download import published_models

    return published_models()


def _kinds_of_findings() -> Iterable[str]:
    from labeltool.checks.registry import CHECKS

    return (one.kind for one in CHECKS)


def _files() -> list[CompletionItem]:
    return [_FILE]


_COMPLETERS: dict[str, Callable[[], Iterable[str | CompletionItem]]] = {
    "arch": _architectures,
    "strategies": _strategies,
    "label": _labels,
    "labels": _labels,
    "old": _labels,
    "rename new": _labels,
    "child": _labels,
    "parent": _labels,
    "labels define name": _labels,
    "labels retire name": _labels,
    "labels delete name": _labels,
    "thresholds": _thresholds,
    "model_id": _own_models,
    "evaluate model": _models,
    "density model": _models,
    "model": _models_or_file,
    "pretrained": _pretrained_models,
    "model map name": _pretrained_models,
    "model remove name": _pretrained_models,
    "model fetch name": _published_models,
    "teacher": _teachers,
    "kinds": _kinds_of_findings,
    "clip": _files,
    "clips": _files,
    "names": _files,
    "examples": _files,
    "recording": _files,
}
"""What completes a parameter, by its name, or by the command's and its name."""
