"""The line at the bottom: the keys used most, as many as fit, in groups; a click on one does what the key does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rich.cells import cell_len
from textual.content import Content
from textual.style import Style
from textual.widget import Widget

from labeltool.tui.shared_keys import Key, View

_SHORT_NAMES = {"Enter": "⏎", "Tab ⇧Tab": "Tab"}
_NARROW_NAMES = {"Space": "␣"}
_LISTEN = ("Playback",)
_VIEW = ("List", "Display", "App")
_ALWAYS = ("help", "quit")
# Below this width, in columns, the hints of two words have one, less is between them, and the keys of labels, which the
# labels have beside them, come last.
_NARROW_COLUMNS = 100
_ONE_WORD = {"add label": "add", "reject label": "reject", "next label": "next", "set start": "start"}
_BETWEEN_KEYS, _BETWEEN_GROUPS = ("  ", " "), (" │ ", "│")


def clickable(text: Content, action: str) -> Content:
    """Return text that runs an action of the screen, or with the prefix `app.` of the app; for `auto_links` False."""
    if not action:
        return text
    target = action if action.startswith("app.") else f"screen.{action}"
    return text.stylize(Style.from_meta({"@click": target}))


class KeyHints(Widget):
    """Shows the keys of a view in one line: those that label, those to listen with, those of the view."""

    auto_links = False

    def __init__(self, view: View, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._view = view

    def render(self) -> Content:
        """Return the line; a key that does not fit is skipped, those for help and to quit come first."""
        chosen: list[Key] = []
        keys, narrow = self._view.hint_keys(), self.size.width < _NARROW_COLUMNS
        if narrow:
            keys = [
                replace(key, hint=_ONE_WORD.get(key.hint, key.hint), shown=_NARROW_NAMES.get(key.shown, key.shown))
                for key in keys
            ]
            keys.sort(key=lambda key: key.name == "label_1")
        for key in sorted(keys, key=lambda key: key.name not in _ALWAYS):
            if cell_len(_line([*chosen, key], narrow=narrow).plain) <= self.size.width:
                chosen.append(key)
        return _line(chosen, narrow=narrow)


def _line(keys: Sequence[Key], *, narrow: bool) -> Content:
    groups: tuple[list[Content], ...] = ([], [], [])
    for key in keys:
        groups[1 if key.group in _LISTEN else 2 if key.group in _VIEW else 0].append(_hint(key))
    groups[2].sort(key=lambda hint: hint.plain.startswith("?"))
    between = Content.styled(_BETWEEN_GROUPS[narrow], "$faint")
    return between.join([Content(_BETWEEN_KEYS[narrow]).join(group) for group in groups if group])


def _hint(key: Key) -> Content:
    name = _SHORT_NAMES.get(key.shown, key.shown)
    hint = Content.assemble((name, "bold $accent"), (f" {key.hint}", "$quiet"))
    # `1-9` stands for nine keys: which of them is meant, a click does not tell.
    return hint if key.name.startswith("label_") else clickable(hint, key.action)
