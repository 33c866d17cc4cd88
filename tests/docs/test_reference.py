"""What the documentation names exists: commands and options in the program, reference pages in the code."""

from __future__ import annotations

import re
import runpy
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from helpers.command_line import commands
from helpers.pages import DOCS, PAGES, ROOT, blocks, inline_code

COMMANDS = {path: command for path, command in commands()}
OPTIONS = {
    path: {
        name
        for parameter in command.get_params(click.Context(command))
        for name in (*parameter.opts, *parameter.secondary_opts)
        if isinstance(parameter, click.Option)
    }
    for path, command in COMMANDS.items()
}
EVERY_OPTION = set().union(*OPTIONS.values())

# Options of `dask`, which the text names alone; on the pages of figures those of the benchmarks.
OTHERS = {"--nthreads"}
OF_BENCHMARKS = {DOCS / "measured.md", DOCS / "scale.md"}
_ENDS = {"&&", "||", "|", ";", ">", ">>", "<", "then", "do", "done"}


def written(page: Path) -> Iterator[tuple[str, str]]:
    """Yield what a page says to type, with its place: inline code, and the lines of blocks, run or not."""
    for code in inline_code(page):
        yield code.place, code.text
    for block in blocks(page):
        if block.language in ("sh", "console"):
            joined = block.commands.replace("\\\n", " ")
            yield from ((block.place, line) for line in joined.splitlines())


def words_of(text: str) -> list[str]:
    """Return the words of a command line, without what a synopsis writes around them."""
    try:
        return shlex.split(text, comments=True)
    except ValueError:  # an apostrophe in the comment or the text
        return text.split()


def calls(text: str) -> Iterator[list[str]]:
    """Yield the arguments of each call of `labeltool` in a line."""
    words = words_of(text)
    for at, word in enumerate(words):
        if word.removeprefix("$(") == "labeltool" or word.endswith("/labeltool"):
            arguments = []
            for argument in words[at + 1 :]:
                if argument in _ENDS or argument == "labeltool":
                    break
                arguments.append(argument)
            yield arguments


def named(arguments: list[str]) -> tuple[str, ...]:
    """Return the path of the command that the arguments name, as far as they do."""
    path: tuple[str, ...] = ()
    skipped = 0
    for at, argument in enumerate(arguments):
        if argument == "--project":
            skipped = at + 1
        elif at == skipped and skipped:
            continue
        elif (*path, argument) in COMMANDS:
            path = (*path, argument)
        elif (
            isinstance(COMMANDS[path], click.Group)
            and not argument.startswith("-")
            and re.fullmatch(r"[a-z-]+", argument)
        ):
            raise AssertionError(f"no command `{' '.join(['labeltool', *path, argument])}`")
        else:
            break
    return path


def options_in(words: list[str]) -> Iterator[str]:
    """Yield the options among words, as a synopsis writes them too: `[--absent | --unsure]`, `--threshold=0.5`."""
    for word in words:
        found = re.match(r"\[?(--[a-z][\w-]*|-[a-z])(?![\w-])", word)
        if found:
            yield found[1]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_and_options_that_a_page_names_exist(page: Path) -> None:
    wrong = []
    for place, text in written(page):
        for arguments in calls(text):
            try:
                path = named(arguments)
            except AssertionError as error:
                wrong.append(f"{place}: {error}")
                continue
            unknown = set(options_in(arguments)) - OPTIONS[path] - OPTIONS[()]
            wrong += [f"{place}: `labeltool {' '.join(path)}` has no {option}" for option in sorted(unknown)]
        if re.match(r"--[a-z]", text) and page not in OF_BENCHMARKS:
            unknown = set(options_in(words_of(text)[:1])) - EVERY_OPTION - OTHERS
            wrong += [f"{place}: no command has {option}" for option in sorted(unknown)]
    assert not wrong, "\n".join(wrong)


def test_a_command_or_an_option_that_does_not_exist_is_found() -> None:
    (arguments,) = calls("cd x && labeltool --project y import audacity a.txt --chekced | head")
    assert named(arguments) == ("import", "audacity")
    assert set(options_in(arguments)) - OPTIONS[("import", "audacity")] == {"--chekced"}
    with pytest.raises(AssertionError, match="no command `labeltool lable`"):
        named(["lable"])


def test_the_generated_pages_are_those_of_this_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    generate = runpy.run_path(str(DOCS / "generate.py"))
    outdated = [path.name for path, text in generate["pages"]().items() if path.read_text(encoding="utf-8") != text]
    assert not outdated, f"{outdated}: run `python docs/generate.py`"


def test_every_command_and_setting_has_its_section() -> None:
    page = (DOCS / "reference" / "commands.md").read_text(encoding="utf-8")
    assert all(f"`{' '.join(['labeltool', *path])}`\n" in page for path in COMMANDS)
    shown = set(re.findall(r"--[a-z][\w-]*", page))
    assert {option for option in EVERY_OPTION if option.startswith("--")} <= shown


def test_figures_of_how_it_learns_are_measured_ones() -> None:
    measured = (DOCS / "measured.md").read_text(encoding="utf-8")
    page = (DOCS / "how_it_learns.md").read_text(encoding="utf-8")
    figures = re.findall(r"\d+\.\d+(?= %)", page)
    assert len(figures) > 5
    assert [figure for figure in figures if figure not in measured] == []
