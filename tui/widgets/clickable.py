"""Text that runs an action when it is clicked."""

from __future__ import annotations

from textual.content import Content
from textual.style import Style


def clickable(text: Content, action: str) -> Content:
    """Return text that runs an action of the screen, or with the prefix `app.` of the app; for `auto_links` False."""
    target = action if action.startswith("app.") else f"screen.{action}"
    return text.stylize(Style.from_meta({"@click": target}))
