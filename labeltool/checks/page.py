"""The findings as one HTML page: self-contained, light or dark as the reader's system is, every text escaped."""

from __future__ import annotations

from pathlib import Path

from labeltool.checks.registry import CHECKS
from labeltool.checks.run import CheckResult
from labeltool.pages import render as pages

_MAX_LISTED = 1000
"""Findings of one kind on the page: more is no list that somebody goes through."""


def write_page(path: Path, title: str, result: CheckResult) -> None:
    """Write the page of a result, whole or not at all.

    Raises
    ------
    LabeltoolError
        When it cannot be written.
    """
    titles = {one.kind: one.title for one in CHECKS}
    kinds = [(kind, titles[kind], result.of_kind(kind)) for kind in result.checked]
    pages.write_page(
        path, pages.render("labeltool.checks", "page.html", title=title, kinds=kinds, result=result, listed=_MAX_LISTED)
    )
