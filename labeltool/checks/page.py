"""The findings as one HTML page: self-contained, light or dark as the reader's system is, every text escaped."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from labeltool.checks.registry import CHECKS
from labeltool.checks.run import CheckResult
from labeltool.errors import LabeltoolError, in_one_line
from labeltool.util.atomic_write import write_text

_MAX_LISTED = 1000
"""Findings of one kind on the page: more is no list that somebody goes through."""


def write_page(path: Path, title: str, result: CheckResult) -> None:
    """Write the page of a result, whole or not at all.

    Raises
    ------
    LabeltoolError
        When it cannot be written.
    """
    import jinja2  # 40 ms that other commands need not pay

    template = files("labeltool.checks").joinpath("page.html").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    environment.filters["line"] = in_one_line
    titles = {one.kind: one.title for one in CHECKS}
    kinds = [(kind, titles[kind], result.of_kind(kind)) for kind in result.checked]
    text = environment.from_string(template).render(title=title, kinds=kinds, result=result, listed=_MAX_LISTED)
    try:
        write_text(path.resolve(), text)
    except OSError as error:
        raise LabeltoolError(f"cannot be written: {error.strerror}", file=path) from error
