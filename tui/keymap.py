"""The table `[keys]` of the settings: other keys for the actions of `tui/keys.py`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from textual.binding import Binding
from textual.keys import Keys, key_to_character

from labeltool.errors import LabeltoolError
from labeltool.project import Project
from labeltool.settings import SETTINGS_FILE
from labeltool.tui.keys import WAYS, Key, Way

Keymap = Mapping[str, tuple[str, ...]]
"""Action names to Textual's names of the keys that run them."""

# Terminals send the first three as Enter and Tab; the last one is Textual's own, which leaves.
_NEVER_OURS = {"return", "ctrl+m", "ctrl+i", "ctrl+q"}
_NAMED = {key.value for key in Keys if re.fullmatch(r"[\w+]+", key.value)} - _NEVER_OURS
_SHOWN = {
    **{"enter": "Enter", "space": "Space", "escape": "Esc", "tab": "Tab", "shift+tab": "⇧Tab", "delete": "Del"},
    **{"left": "←", "right": "→", "up": "↑", "down": "↓", "pageup": "PgUp", "pagedown": "PgDn"},
    **{"home": "Home", "end": "End", "insert": "Ins", "backspace": "⌫"},
}


def read(project: Project) -> Keymap:
    """Return what the project's settings say of the keys.

    Raises
    ------
    LabeltoolError
        When they name an action or a key that there is not, or give two actions of one way to work the same key.
    """
    file = project.directory / SETTINGS_FILE
    actions = {key.name for way in WAYS for key in way.keys}
    keymap: dict[str, tuple[str, ...]] = {}
    for action, told in project.settings.keys.items():
        if action not in actions:
            raise LabeltoolError(
                f"[keys] names no action of the room: {action!r}", file=file, remedy=f"there are {_listed(actions)}"
            )
        keymap[action] = tuple(_named(key, action, file) for key in told)
    for way in WAYS:
        _check_that_none_is_shared(remapped(way, keymap), file)
    return keymap


def remapped(way: Way, keymap: Keymap) -> Way:
    """Return a way to work with other keys, in its bindings, its help and its hints."""
    keys = [replace(key, keys=",".join(keymap[key.name])) if key.name in keymap else key for key in way.keys]
    for place, key in enumerate(keys):
        spoken_for = _spoken_for(keys, place)
        if key.shown and any(other.name in keymap for other in spoken_for):
            keys[place] = replace(key, shown=" ".join(_shown(other.keys.split(",")[0]) for other in spoken_for))
    return replace(way, keys=tuple(keys))


def _spoken_for(keys: list[Key], place: int) -> list[Key]:
    """Return the key and those after it that have no line of help of their own."""
    after = place + 1
    while after < len(keys) and not keys[after].shown:
        after += 1
    return keys[place:after]


def _named(told: str, action: str, file: Path) -> str:
    """Return Textual's name for a key."""
    if told.lower() in _NAMED or re.fullmatch(r"alt\+[a-z0-9]", told):
        return told.lower()
    # Unicode's names too, as far as a keyboard goes: "banana" is rather a slip.
    character = told if len(told) == 1 else key_to_character(told)
    if character is None or not character.isprintable() or (len(told) > 1 and not character.isascii()):
        raise LabeltoolError(
            f"[keys] {action}: the room knows no key {told!r}",
            file=file,
            remedy="a character as it is typed, or a name such as enter, space, left, f5, ctrl+z",
        )
    if character == ",":
        return "comma"  # in Textual's lists it parts two keys
    return next(iter(Binding.make_bindings([Binding(character, "")]))).key


def _shown(key: str) -> str:
    return _SHOWN.get(key) or key_to_character(key) or key


def _check_that_none_is_shared(way: Way, file: Path) -> None:
    taken: dict[str, str] = {}
    for key in way.keys:
        for name in key.keys.split(","):
            other = taken.setdefault(name, key.name)
            if other != key.name:
                raise LabeltoolError(
                    f"[keys] {other} and {key.name} are both on {_shown(name)} in {way.name}",
                    file=file,
                    remedy="give one of them another key",
                )


def _listed(actions: set[str]) -> str:
    return ", ".join(sorted(actions))
