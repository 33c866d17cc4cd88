"""The documentation is true: a reader who types its commands, page by page, gets through.

The pages that train, export or verify are run by `make docs-test`, the others by every `make test`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import pytest

from helpers.pages import DOCS, LANGUAGES, PAGES, ROOT, Block, blocks, is_printed
from helpers.reader import Reader
from labeltool.util.files.project_names import SETTINGS_FILE

DOCTESTS = {DOCS / "python.md": "tests/api/test_doctests.py"}
"""Pages with prompts of Python, and the test that runs them."""

DIRECTIVES = ("{toctree}", "{eval-rst}")
"""Blocks for Sphinx; the Python reference has the docstrings, whose examples tests/api/test_doctests.py runs."""

# A setup that has this line begins with what a fixture has made for all pages.
_WITH = {"# with: trained": "trained", "# with: pretrained": "small_yamnet"}
_SLOW = ("retrain", "verify", "--stm32", "simulate", "cross-validate", *_WITH)


def is_slow(page: Path) -> bool:
    """Whether a page trains, or builds a package."""
    return any(word in block.text for block in runnable(page) for word in _SLOW)


def runnable(page: Path) -> list[Block]:
    """Return the blocks of a page that are run, in their order."""
    return [one for one in blocks(page) if not one.not_run and one.language in ("sh", "console", "python", "toml")]


def marks(page: Path) -> list[pytest.MarkDecorator]:
    """Return the marks of a page's test; pages with the trained project share a process, and so one training."""
    shares = any("# with: trained" in block.text for block in runnable(page))
    return [pytest.mark.slow, pytest.mark.docs] * is_slow(page) + [pytest.mark.xdist_group("trained")] * shares


PARAMETERS = [pytest.param(page, id=str(page.relative_to(ROOT)), marks=marks(page)) for page in PAGES if runnable(page)]


@pytest.mark.parametrize("page", PARAMETERS)
def test_a_reader_gets_through(page: Path, new_reader: Callable[[Collection[str]], Reader]) -> None:
    setups = "".join(block.text for block in runnable(page) if block.is_setup)
    reader = new_reader([fixture for line, fixture in _WITH.items() if line in setups])
    directory = reader.home
    preamble = ""
    for block in runnable(page):
        if block.language == "toml":
            directory = run(reader, Block(block.page, block.line, "sh", settings(block.text)), directory)
        elif block.language == "python":
            preamble += block.text if block.is_setup else ""
            script = preamble if block.is_setup else preamble + block.text
            directory = run(reader, Block(block.page, block.line, "sh", f"python - <<'END'\n{script}\nEND"), directory)
        else:
            directory = run(reader, block, directory)


def settings(text: str) -> str:
    """Return commands that read a file of settings, as of a project that has nothing else."""
    return f"""\
new=$(mktemp -d)/project
labeltool init $new
cat >$new/{SETTINGS_FILE} <<'END'
{text}
END
labeltool --project $new status
"""


def run(reader: Reader, block: Block, directory: Path) -> Path:
    """Run a block; return the directory that the shell is in then."""
    done, directory = reader.run(block.commands, directory)
    assert done.returncode == 0, f"{block.place}: exit code {done.returncode}\n{block.commands}\n{done.stdout}"
    printed = done.stdout.replace(f"{reader.home}/", "")
    missing = [line for line in block.shown if not is_printed(line, printed)]
    assert not missing, f"{block.place}: the page shows {missing}, printed was\n{done.stdout}"
    return directory


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_block_is_run_or_has_a_reason(page: Path) -> None:
    assert not list(faults(page))


def faults(page: Path) -> Iterator[str]:
    """Yield what is wrong with the blocks of a page before any is run."""
    for block in blocks(page):
        if block.language == "doctest" and page not in DOCTESTS:
            yield f"{block.place}: which test runs it?"
        elif block.language not in (*LANGUAGES, *DIRECTIVES, "doctest"):
            yield f"{block.place}: does not name what it is: {', '.join(LANGUAGES)}"
        elif block.not_run and len(block.not_run.split()) < 3:
            yield f"{block.place}: no reason"
        elif block.language == "text":
            lines = [line.lstrip("$ ") for line in block.text.splitlines()]
            if any(line.startswith(("labeltool ", "make ")) for line in lines):
                yield f"{block.place}: `sh` or `console`, not `text`, has commands"


@pytest.mark.parametrize(
    "text, fault",
    [
        ("```\nlabeltool init\n```\n", "does not name what it is"),
        ("    labeltool init\n", "does not name what it is"),
        ("```text\n$ labeltool init\n```\n", "not `text`, has commands"),
        ("<!-- not run: too long -->\n```sh\nx\n```\n", "no reason"),
        (">>> 1\n", ""),
        ("    >>> 1\n", "which test runs it?"),
        ("<!-- not run: it takes hours -->\n```sh\nx\n```\n", ""),
    ],
)
def test_a_block_that_is_neither_run_nor_marked_is_found(text: str, fault: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(text)
    found = "\n".join(faults(page))
    assert fault in found and bool(fault) == bool(found)


def test_a_command_that_fails_and_an_output_that_is_not_printed_are_found(
    new_reader: Callable[[Collection[str]], Reader], tmp_path: Path
) -> None:
    reader, page = new_reader([]), tmp_path / "page.md"
    page.write_text("```console\n$ mkdir a && cd a\n$ echo 3 clips\n12  clips\n```\n")
    assert run(reader, *blocks(page), reader.home) == reader.home / "a"
    page.write_text("```console\n$ echo 3 clips\n3 labels\n```\n")
    with pytest.raises(AssertionError, match=r"page.md:1: the page shows \['3 labels'\]"):
        run(reader, *blocks(page), reader.home)
    page.write_text("text\n\n```sh\ntrue\nlabeltool lable\ntrue\n```\n")
    with pytest.raises(AssertionError, match=r"page.md:3: exit code 2"):
        run(reader, *blocks(page), reader.home)
