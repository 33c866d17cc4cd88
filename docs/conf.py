"""The documentation's site: `make docs` builds it into `build/docs`.

Sphinx with furo and MyST, for three reasons. The pages stay plain Markdown that reads well on a forge too; autodoc and
napoleon read the NumPy docstrings that the code has; and every link that leads nowhere is a warning. The alternative
for Markdown, MkDocs, is between two versions that do not fit each other (2.0 is a development release), and Zensical,
which would take its place, is at 0.1 and has no reader of docstrings of its own. Last releases, of November 2026:
Sphinx 9.2 (9.0 for Python 3.11), furo 2025.12, myst-parser 5.2.
"""

from __future__ import annotations

import re
from pathlib import Path

from sphinx.application import Sphinx

from labeltool import __version__

project = "labeltool"
author = "the labeltool contributors"
copyright = "the labeltool contributors, Apache-2.0"
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["README.md"]
nitpicky = True
# What the interface takes and returns beside its own classes: other projects' types, whose sites are not asked.
nitpick_ignore_regex = [("py:.*", r".*")]

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4  # `page.md#a-heading` leads to the heading, as on a forge
suppress_warnings = ["misc.highlighting_failure"]  # a command with its output is no clean console session

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
napoleon_numpy_docstring, napoleon_google_docstring, napoleon_use_ivar = True, False, True

smartquotes = False  # settings are copied with their quotes, and `--` is no dash

html_theme = "furo"
html_title = f"labeltool {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
templates_path: list[str] = []


def offer_files_of_the_repository(app: Sphinx, docname: str, source: list[str]) -> None:
    """Let links to Markdown outside of `docs/`, such as `../CONTRIBUTING.md`, lead to a copy of the file."""
    docs = Path(app.srcdir).resolve()
    page = (docs / docname).parent

    def offer(link: re.Match[str]) -> str:
        text, target = link["text"], (page / link["target"]).resolve()
        return link[0] if target.is_relative_to(docs) else f"{{download}}`{text} <{link['target']}>`"

    source[0] = re.sub(r"\[(?P<text>[^]]+)\]\((?P<target>\.\./[\w./-]+\.md)(?:#[^)]*)?\)", offer, source[0])


def setup(app: Sphinx) -> None:
    app.connect("source-read", offer_files_of_the_repository)
