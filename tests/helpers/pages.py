"""The blocks of the documentation's pages, and how they are run: as a reader would, in a home of its own.

Every fenced block says what it is: `sh` is run, of `console` the lines that begin with `$` are run and the others must
be what was printed, `python` and `toml` are read by what they are for, `text` is a picture or an output. A comment
before a block says why it is not run (`<!-- not run: REASON -->`), or why it prints something else here
(`<!-- prints other figures: REASON -->`). Commands that a reader does not see, because they have the sounds already,
stand in `<!-- setup ... -->`, or `<!-- setup python ... -->`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
LANGUAGES = ("sh", "console", "python", "toml", "text", "json")

_NOT_RUN = re.compile(r"<!-- not run: (.+?) -->\s*\Z", re.DOTALL)
_OTHER_OUTPUT = re.compile(r"<!-- prints other figures: (.+?) -->\s*\Z", re.DOTALL)
_SETUP = re.compile(r"<!-- setup(?P<python> python)?\n(?P<text>.*?)-->\s*\Z", re.DOTALL)
_NUMBER = re.compile(r"\d[\d.,:]*")


@dataclass(frozen=True, slots=True)
class Block:
    """A block of a page.

    Attributes
    ----------
    language
        What the page says it is; "doctest" for one with prompts of Python, "" where it does not say.
    not_run, other_output
        The reason given in a comment before the block; empty: none.
    is_setup
        Whether the reader does not see it.
    """

    page: Path
    line: int
    language: str
    text: str
    not_run: str = ""
    other_output: str = ""
    is_setup: bool = False

    @property
    def place(self) -> str:
        """Page and line, as an editor opens them."""
        return f"{self.page.relative_to(ROOT) if self.page.is_relative_to(ROOT) else self.page.name}:{self.line}"

    @property
    def commands(self) -> str:
        """What a shell runs: of a session with outputs, the lines with a prompt."""
        if self.language != "console":
            return self.text
        return "\n".join(line[2:] for line in self.text.splitlines() if line.startswith("$ "))

    @property
    def shown(self) -> list[str]:
        """The lines of output that the page shows."""
        if self.language != "console" or self.other_output:
            return []
        return [line for line in self.text.splitlines() if line.strip() and not line.startswith("$ ")]


@dataclass(slots=True)
class _Comments:
    """What the comment just before a block says of it."""

    not_run: str = ""
    other_output: str = ""

    def read(self, comment: str) -> None:
        if found := _NOT_RUN.search(comment):
            self.not_run = " ".join(found[1].split())
        if found := _OTHER_OUTPUT.search(comment):
            self.other_output = " ".join(found[1].split())


def blocks(page: Path) -> Iterator[Block]:
    """Yield the blocks of a page in their order, hidden ones too."""
    before = _Comments()
    for token in MarkdownIt().enable("table").parse(page.read_text(encoding="utf-8")):
        if token.type not in ("html_block", "fence", "code_block"):
            if token.type.endswith("_open") and token.type not in ("list_item_open", "bullet_list_open"):
                before = _Comments()
            continue
        line = token.map[0] + 1 if token.map else 0
        if token.type == "html_block":
            before.read(token.content)
            if found := _SETUP.search(token.content):
                yield Block(page, line, "python" if found["python"] else "sh", found["text"], is_setup=True)
            continue
        language = token.info.split()[0] if token.info else ""
        if token.content.lstrip().startswith(">>> "):
            language = "doctest"
        yield Block(page, line, language, token.content, before.not_run, before.other_output)
        before = _Comments()


def is_printed(line: str, output: str) -> bool:
    """Return whether a line was printed, whatever its numbers are, and however many blanks stand between its words."""
    return _without_numbers(line) in {_without_numbers(one) for one in output.splitlines()}


def _without_numbers(line: str) -> str:
    return " ".join(_NUMBER.sub("0", line).split())


@dataclass(slots=True)
class Inline:
    """Code in the running text of a page, with its line."""

    page: Path
    line: int
    text: str
    place: str = field(init=False)

    def __post_init__(self) -> None:
        self.place = f"{self.page.relative_to(ROOT)}:{self.line}"


def inline_code(page: Path) -> Iterator[Inline]:
    """Yield the code in paragraphs, lists, headings and tables."""
    for token in MarkdownIt().enable("table").parse(page.read_text(encoding="utf-8")):
        for child in token.children or ():
            if child.type == "code_inline":
                yield Inline(page, (token.map or (0,))[0] + 1, child.content)


def main() -> None:
    """Say how many blocks of the pages are run, and why the others are not."""
    found = [block for page in PAGES for block in blocks(page) if not block.is_setup]
    run = [one for one in found if one.language in ("sh", "console", "python", "toml", "doctest") and not one.not_run]
    reasons = Counter(one.not_run for one in found if one.not_run)
    print(f"{len(run)} blocks run, {reasons.total()} not:")
    for reason, number in reasons.most_common():
        print(f"  {number:3}  {reason}")


if __name__ == "__main__":
    main()
