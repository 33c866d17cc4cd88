"""The site: built without a warning, whole without a network."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from helpers.pages import DOCS, ROOT
from helpers.waits import DEADLINE_S

pytestmark = [pytest.mark.docs, pytest.mark.slow, pytest.mark.xdist_group("site")]

# What a browser fetches by itself, in contrast to what a reader may follow.
_FETCHED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src", "object": "data"}
_NOT_FETCHED = {"canonical", "next", "prev", "index", "search", "author"}


class _Page(HTMLParser):
    """Links, anchors, and what is fetched with a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.fetched: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attributes}
        self.anchors |= {values[name] for name in ("id", "name") if name in values}
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if tag in _FETCHED and _FETCHED[tag] in values and values.get("rel") not in _NOT_FETCHED:
            self.fetched.append(values[_FETCHED[tag]])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` does; a warning is an error."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "-n", "--keep-going", "-q", "-b", "html", str(DOCS), str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=DEADLINE_S * 4)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, _Page]:
    return {path: _Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}


def test_every_page_of_the_documentation_is_in_the_site(pages: dict[Path, _Page], site: Path) -> None:
    built = {path.relative_to(site).with_suffix("") for path in pages}
    assert {path.relative_to(DOCS).with_suffix("") for path in DOCS.rglob("*.md")} <= built


def test_every_link_within_the_site_leads_somewhere(pages: dict[Path, _Page], site: Path) -> None:
    wrong = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.is_file():
                wrong.append(f"{path.relative_to(site)}: {link}")
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
                wrong.append(f"{path.relative_to(site)}: {link} (no such anchor)")
    assert sum(len(page.links) for page in pages.values()) > 100 and not wrong, "\n".join(wrong)


def test_nothing_is_fetched_from_elsewhere(pages: dict[Path, _Page], site: Path) -> None:
    elsewhere = [f"{path.name}: {url}" for path, page in pages.items() for url in page.fetched if urlsplit(url).netloc]
    elsewhere += [
        f"{path.name}: {url}"
        for path in (*site.rglob("*.css"), *site.rglob("*.svg"))
        for url in urls_in(path)
        if urlsplit(url).netloc
    ]
    assert not elsewhere
    missing = [
        f"{path.name}: {url}"
        for path, page in pages.items()
        for url in page.fetched
        if not url.startswith("data:") and not (path.parent / unquote(urlsplit(url).path)).is_file()
    ]
    assert not missing


def urls_in(style_sheet: Path) -> Iterator[str]:
    """Yield what a style sheet has fetched."""
    text = style_sheet.read_text(encoding="utf-8")
    for found in re.finditer(r"url\(\s*['\"]?([^'\")]+)|@import\s+['\"]([^'\"]+)", text):
        yield found[1] or found[2]
