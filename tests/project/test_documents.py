"""The documents: files and links they name exist, and the front page stays short."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
FOLDERS = ("labeltool", "importers", "exporters", "tui", "tests", "benchmarks", "docs")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_files_and_links_that_a_document_names_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
    assert not [link for link in links if "://" not in link and not (document.parent / link).exists()]
    folders = "|".join(FOLDERS)
    paths = re.findall(rf"`((?:{folders})/[\w/.-]+)`", text)
    assert not [path for path in paths if not (ROOT / path).exists()]


def test_the_front_page_has_at_most_150_lines() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150
