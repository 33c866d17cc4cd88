"""One vocabulary, the field's (`docs/words.md`), in code, help pages, screen, documents and the database.

A line may have a retired word where its comment says why: "former name", which migrations and tests of them must know,
or "promised name", a JSON key that scripts rely on.
"""

from __future__ import annotations

import io
import re
import subprocess
import tokenize
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from labeltool.cli.main import cli
from labeltool.project import Project

ROOT = Path(__file__).resolve().parents[1]

# Parts of names: `heard_span` and `HeardSpan` have the part "heard".
RETIRED_IN_NAMES = frozenset(
    [
        "anew",
        "asked",
        "asking",
        "borrowed",
        "chip",
        "chips",
        "company",
        "descend",
        "descent",
        "door",
        "doubt",
        "doubted",
        "doubts",
        "ear",
        "ears",
        "earshot",
        "guess",
        "guessed",
        "guesses",
        "hear",
        "heard",
        "hearing",
        "hears",
        "hinting",
        "impression",
        "impressions",
        "introduce",
        "introducing",
        "kin",
        "kinship",
        "lacking",
        "learnt",
        "lesson",
        "lessons",
        "listener",
        "listens",
        "opinion",
        "rehearsal",
        "rehearse",
        "rehearsed",
        "said",
        "saying",
        "says",
        "shelf",
        "sitting",
        "stopwatch",
        "strike",
        "strikes",
        "struck",
        "surest",
        "sweep",
        "sweepable",
        "sweeping",
        "sweeps",
        "taught",
        "teach",
        "teaches",
        "tell",
        "tells",
        "theatre",
        "told",
        "unheard",
        "untold",
    ]
)

RETIRED_IN_TEXTS = re.compile(
    r"\b(?:ears?|earshot|borrowed|hears|heard|told|taught|learnt|said|kin|kinship|lessons?|surest|guess(?:es)?|"
    r"stopwatch|sitting|rehears\w*|shelf|chips?|sweeps?|sweeping)\b"
    r"|the like of|ways? to work|labelling room|str(?:ike|uck) out|tak(?:e|es|en|ing) back|say again|held for"
    r"|set aside|left out|\bso (?:many|long|wide)\b|the board\b"
    r"|\b(?:networks?|models?|classifiers?) (?:hears?|listens?|says?|tells?|knows?|holds?|thinks?)\b",
    re.IGNORECASE,
)

EXCEPTION = re.compile(r"  # .*(?:former|promised) names?$")

# The vocabulary itself, and the journal of experiments, which quotes names as they were.
EXEMPT = {"docs/words.md", "tests/test_words.py", "benchmarks/NOTES.md"}
# SQL of released schemas is never edited; the last step renames its words.
EXEMPT_FOLDER = "labeltool/store/migrations/m"


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    names = listed.stdout.splitlines()
    paths = [ROOT / name for name in names if name not in EXEMPT and not name.startswith(EXEMPT_FOLDER)]
    return [path for path in paths if path.is_file() and not path.is_symlink()]


def parts(name: str) -> set[str]:
    return {part.lower() for part in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}


def retired_in_code(source: str) -> Iterator[str]:
    """Yield retired names, and retired words in comments, docstrings and other strings, with their lines."""
    excepted = {number for number, line in enumerate(source.splitlines(), 1) if EXCEPTION.search(line)}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        line = token.start[0]
        if line in excepted:
            continue
        if token.type == tokenize.NAME and parts(token.string) & RETIRED_IN_NAMES:
            yield f"{line}: {token.string}"
        elif token.type in (tokenize.COMMENT, tokenize.STRING) or tokenize.tok_name[token.type] == "FSTRING_MIDDLE":
            yield from (f"{line}: {found}" for found in RETIRED_IN_TEXTS.findall(token.string))


@pytest.mark.parametrize("path", tracked("*.py"), ids=lambda path: str(path.relative_to(ROOT)))
def test_code_uses_the_words_of_the_field(path: Path) -> None:
    assert not parts(path.stem) & RETIRED_IN_NAMES
    assert not list(retired_in_code(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", tracked("*.md", "*.c", "*.h", "*.tcss"), ids=lambda path: str(path.relative_to(ROOT)))
def test_documents_and_c_sources_use_the_words_of_the_field(path: Path) -> None:
    assert not RETIRED_IN_TEXTS.findall(path.read_text(encoding="utf-8"))


def commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        for child_name, child in command.commands.items():
            yield from commands(child, f"{name} {child_name}")


@pytest.mark.parametrize("name, command", list(commands(cli, "labeltool")), ids=lambda value: str(value))
def test_help_pages_use_the_words_of_the_field(name: str, command: click.Command) -> None:
    with click.Context(command, info_name=name, help_option_names=["-h", "--help"]) as context:
        page = command.get_help(context)
    assert not RETIRED_IN_TEXTS.findall(page)
    # What lists of commands show: one line that is not cut.
    assert len(command.get_short_help_str(limit=1000)) <= 100 and page


def test_the_database_uses_the_words_of_the_field(project: Project) -> None:
    with project.open_store() as store:
        names = [name for row in store.connection.execute("SELECT name, tbl_name FROM sqlite_master") for name in row]
        names += [
            column
            for (table,) in store.connection.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")
            for (_, column, *_) in store.connection.execute(f"PRAGMA table_info('{table}')")
        ]
        texts = [
            text for row in store.connection.execute("SELECT sql FROM sqlite_master WHERE sql <> ''") for text in row
        ]
    retired = RETIRED_IN_NAMES | {"act", "place", "standing", "truth", "took", "waiting"}
    assert not [name for name in names if parts(name) & retired]
    assert not [found for text in texts for found in RETIRED_IN_TEXTS.findall(text)]


def test_a_retired_word_is_found_unless_a_comment_says_why_it_is_there() -> None:
    assert not list(retired_in_code('OLD = "ears"  # former name\n'))
    assert list(retired_in_code('NEW = "ears"  # a name\n')) == ["1: ears"]
    assert list(retired_in_code("def what_the_ear_heard(): ...")) == ["1: what_the_ear_heard"]
    assert list(retired_in_code('"""What the network hears."""')) == ["1: network hears"]
