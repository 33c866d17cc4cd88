"""Self-contained HTML pages: rendered by Jinja with every value escaped, scripts allowed by their hash alone."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from labeltool.errors import in_one_line
from labeltool.util.files.atomic_write import write_text
from labeltool.util.files.writable import writing_to

if TYPE_CHECKING:
    from markupsafe import Markup


def render(package: str, template: str, *, script: str = "", **values: object) -> str:
    """Return a page.

    Parameters
    ----------
    package
        Whose template it is; it may extend `base.html` and include others of its package.
    script
        The only JavaScript of the page: the policy in its head has its hash, so that nothing else in it can run.
    """
    import jinja2  # 40 ms that other commands need not pay

    def read(name: str) -> str | None:
        for place in (package, "labeltool.pages"):
            if (found := files(place).joinpath(name)).is_file():
                return found.read_text(encoding="utf-8")
        return None

    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=jinja2.FunctionLoader(read),
    )
    environment.filters |= {"line": in_one_line, "marked": _marked}
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template(template).render(
        **values, script=script, script_policy=f"; script-src 'sha256-{digest}'" if script else ""
    )


def _marked(text: str) -> Markup:
    """Return a message in one line with its commands, which stand in backquotes, as code; all escaped."""
    from markupsafe import Markup, escape

    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(in_one_line(text)))))


def write_page(path: Path, text: str) -> Path:
    """Write a page, whole or not at all, and return where; a link in its place is replaced, not followed.

    Raises
    ------
    LabeltoolError
        When it cannot be written.
    """
    where = path.parent.resolve() / path.name
    with writing_to(path):
        write_text(where, text)
    return where
