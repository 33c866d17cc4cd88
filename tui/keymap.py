"""The table `[keys]` of the settings: other keys for the actions of `tui/keys.py`."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

from textual.binding import Binding
from textual.keys import Keys, key_to_character

from labeltool.errors import LabeltoolError
from labeltool.project import Project
from labeltool.tui.keys import VIEWS
from labeltool.tui.shared_keys import Key, View
from labeltool.util.files.project_names import SETTINGS_FILE

Keymap = Mapping[str, tuple[str, ...]]
"""Action names to Textual's names of the keys that run them."""

RENAMED_ACTIONS: Mapping[str, str] = {
    **{f"take_{digit}": f"label_{digit}" for digit in range(1, 10)},
    **{"take_first": "accept_first", "find": "find_label", "also": "add_label", "absent": "reject_label"},
    **{"drop": "cancel", "ask": "label", "sweep": "batch_review", "like": "similar", "whole": "regions"},  # former name
    **{"mapping": "class_mapping", "leave": "quit", "strike": "reject"},  # former name
    **{"stopwatch": "progress", "statistics": "progress"},  # former name
    **{"listen_through": "play_all", "label_before": "previous_label", "next_group": "next_cluster"},
    **{"group_before": "previous_cluster", "regroup": "recluster", "filter_text": "filter_file"},
    **{"filter_said": "filter_transcript", "filter_answered": "filter_labelled", "filter_nothing": "show_all"},
    **{"mark_in": "set_start", "mark_out": "set_end", "to_in": "go_to_start", "to_out": "go_to_end"},
    **{"band": "frequency_range", "no_band": "no_frequency_range", "following": "next_region"},
    **{"previous": "previous_region", "window_on": "window_forward"},
    **{"beginning": "recording_start", "ending": "recording_end", "contrast": "db_range"},
}
"""Former action names, still accepted in `[keys]`, to those of today."""

# Terminals send the first three as Enter and Tab; Textual quits on the last one.
_RESERVED = {"return", "ctrl+m", "ctrl+i", "ctrl+q"}
_KEY_NAMES = {key.value for key in Keys if re.fullmatch(r"[\w+]+", key.value)} - _RESERVED
_MAX_NAMES = 4  # of the keys on one line of the help
# Settings may have been written before the app itself used these: they win.
_SPARE = re.compile(r"f\d+|(ctrl|shift|alt)\+.*|[dvO]|asterisk|backspace")
_SHOWN = {
    **{"enter": "Enter", "space": "Space", "escape": "Esc", "tab": "Tab", "delete": "Del"},
    **{"left": "←", "right": "→", "up": "↑", "down": "↓", "pageup": "PgUp", "pagedown": "PgDn"},
    **{"slash": "/", "minus": "-", "plus": "+"},  # Unicode has other names for these
    **{"home": "Home", "end": "End", "insert": "Ins", "backspace": "⌫"},
}
_HELD = {"ctrl": "Ctrl+", "alt": "Alt+", "shift": "⇧"}


def read(project: Project) -> Keymap:
    """Return the keys that the project's settings change.

    Raises
    ------
    LabeltoolError
        When an action or a key does not exist, or two actions of one view are on the same key.
    """
    file = project.directory / SETTINGS_FILE
    actions = {key.name for view in VIEWS for key in view.keys if key.keys}
    keymap: dict[str, tuple[str, ...]] = {}
    for name, keys in project.settings.keys.items():
        action = RENAMED_ACTIONS.get(name, name)
        if action not in actions:
            raise LabeltoolError(
                f"[keys] names an unknown action: {name!r}",
                file=file,
                remedy=f"the actions are {', '.join(sorted(actions))}",
            )
        if action in keymap:
            raise LabeltoolError(f"[keys] names {action} twice, once as {name}", file=file, remedy="keep one of them")
        keymap[action] = tuple(_textual_name(key, action, file) for key in keys)
    for view in VIEWS:
        _refuse_shared_keys(remapped(view, keymap), file)
    return keymap


def remapped(view: View, keymap: Keymap) -> View:
    """Return a view with other keys, in its bindings, its help and its hints.

    The key of a label gives way to an action that the settings put on it.
    """
    spare = {name for names in keymap.values() for name in names if _SPARE.fullmatch(name)}
    taken = {name for key in view.keys for name in keymap.get(key.name, ())}
    keys = [
        replace(key, keys=",".join(keymap[key.name])) if key.name in keymap else _without(key, spare)
        for key in view.keys
        if key.name in keymap or not is_label_key(key) or key.keys not in taken
    ]
    for place, key in enumerate(keys):
        on_one_line = _on_one_line(keys, place)
        if key.shown and any(other.name in keymap for other in on_one_line):
            names = [shown_key(other) for other in on_one_line]
            if len(names) > _MAX_NAMES:
                names = [names[0], "…", names[-1]]
            keys[place] = replace(key, shown=" ".join(names))
    return replace(view, keys=tuple(keys))


def is_label_key(key: Key) -> bool:
    return key.action.startswith("label_key(")


def label_key_names(view: View) -> dict[str, str]:
    """Return the keys that labels can have in a view, with the names to show for them."""
    return {key.name.removeprefix("label_"): shown_key(key) for key in view.keys if is_label_key(key)}


def keys_of(view: View, names: Collection[str]) -> frozenset[str]:
    """Return Textual's names of the keys of some actions."""
    return frozenset(one for key in view.keys if key.name in names for one in key.keys.split(",") if one)


def shown_key(key: Key) -> str:
    """Return the name of the first of a key's keys."""
    return _shown(key.keys.split(",")[0])


def action_on(view: View, pressed: str) -> Key | None:
    """Return what a key does in a view, apart from giving a label; None where it does nothing."""
    actions = (key for key in view.keys if not is_label_key(key))
    return next((key for key in actions if _shown(pressed) in map(_shown, key.keys.split(","))), None)


def _without(key: Key, taken: set[str]) -> Key:
    """Return an action without the keys that the settings give to another one."""
    left = [name for name in key.keys.split(",") if name not in taken]
    return replace(key, keys=",".join(left), shown=key.shown if left else "")


def _on_one_line(keys: list[Key], place: int) -> list[Key]:
    """Return the key and those after it that have no help line of their own."""
    after = place + 1
    while after < len(keys) and keys[after].keys and not keys[after].shown:
        after += 1
    return keys[place:after]


def _textual_name(key: str, action: str, file: Path) -> str:
    """Return Textual's name for a key of the settings."""
    if key.lower() in _KEY_NAMES or re.fullmatch(r"alt\+[a-z0-9]", key):
        return key.lower()
    # Unicode's names are accepted for ASCII characters only: "banana" is a slip.
    character = key if len(key) == 1 else key_to_character(key)
    if character is None or not character.isprintable() or (len(key) > 1 and not character.isascii()):
        raise LabeltoolError(
            f"[keys] {action}: unknown key {key!r}",
            file=file,
            remedy="a character as it is typed, or a name such as enter, space, left, f5, ctrl+z",
        )
    if character == ",":
        return "comma"  # Textual separates keys by commas
    return next(iter(Binding.make_bindings([Binding(character, "")]))).key


def _shown(key: str) -> str:
    *held, last = key.split("+")
    name = _SHOWN.get(last) or key_to_character(last) or last
    return "".join(_HELD.get(one, f"{one}+") for one in held) + (name.upper() if re.fullmatch(r"f\d+", name) else name)


def _refuse_shared_keys(view: View, file: Path) -> None:
    action_of: dict[str, str] = {}
    for key in view.keys:
        for name in filter(None, key.keys.split(",")):
            other = action_of.setdefault(name, key.name)
            if other != key.name:
                raise LabeltoolError(
                    f"[keys] {other} and {key.name} are both on {_shown(name)} in {view.title}",
                    file=file,
                    remedy="give one of them another key",
                )
