"""The commands of a view for the palette, each once, with its key and other words by which it is found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from labeltool.store.labels import ProjectLabel
from labeltool.tui.keymap import is_label_key, shown_key
from labeltool.tui.shared_keys import Key, View


@dataclass(frozen=True, slots=True)
class Command:
    """A line of the palette: an action, or where there is none, a label to give."""

    title: str
    key: str
    action: str = ""
    label: str = ""
    synonyms: Sequence[str] = ()


# Keys that share a line of the help have no description of their own.
_TITLES: Mapping[str, str] = {
    **{"back": "back by a twentieth of the clip", "forward": "forward by a twentieth of the clip"},
    **{"slower": "play slower", "faster": "play faster", "quieter": "quieter by 3 dB", "louder": "louder by 3 dB"},
    **{"darker": "spectrogram darker", "brighter": "spectrogram brighter", "help": "help: all keys"},
    **{"up": "previous line", "down": "next line", "page_up": "page up", "page_down": "page down"},
    **{"first": "first line", "last": "last line", "next_label": "next label", "previous_label": "previous label"},
    **{"next_cluster": "next cluster", "previous_cluster": "previous cluster"},
    **{
        "nudge_left": "move the start or end of the region left",
        "nudge_right": "move the start or end of the region right",
    },
    **{"go_to_start": "go to the start of the region", "go_to_end": "go to the end of the region"},
    **{"zoom_time_in": "zoom in, time", "zoom_time_out": "zoom out, time"},
    **{"zoom_frequency_in": "zoom in, frequency", "zoom_frequency_out": "zoom out, frequency"},
    **{"pan_back": "show an earlier part", "pan_forward": "show a later part"},
    **{"pan_up": "show higher frequencies", "pan_down": "show lower frequencies"},
    **{"mark": "mark clips from here on: keys are for all of them", "mark_all": "mark all clips"},
    **{"zoom_in": "zoom in", "zoom_out": "zoom out", "window_back": "go one window back"},
    **{"window_forward": "go one window forward", "recording_start": "go to the start of the recording"},
    **{"recording_end": "go to the end of the recording"},
}

_SYNONYMS: Mapping[str, Sequence[str]] = {
    "quit": ("exit", "close", "leave", "end"),
    "theme": ("dark", "light", "colours"),
    "labels": ("rename", "merge", "colour", "shortcut", "hotkey", "keys of labels"),
    "settings": ("options", "preferences", "configuration"),
    "export": ("save", "write", "download"),
    "undo": ("revert", "back out"),
    "redo": ("repeat", "again"),
    "undo_import": ("revert import", "wrong file"),
    "help": ("keys", "shortcuts", "manual"),
    "train": ("retrain", "learn", "fit"),
    "progress": ("statistics", "speed", "goals", "learning curve", "stats"),
    "find_label": ("new label", "search"),
    "find_events": ("search events",),
    "note": ("comment", "remark"),
    "unsure": ("don't know", "uncertain"),
    "bad_audio": ("exclude", "broken"),
    "play": ("pause", "stop"),
    "louder": ("volume up",),
    "quieter": ("volume down",),
    "regions": ("whole recording", "long recording", "segments"),
    "class_mapping": ("classes",),
    "none_of_these": ("negative", "background"),
    "reject_label": ("absent", "negative"),
}


def title_of(key: Key) -> str:
    """Return what a key does, as a line that stands alone."""
    return _TITLES.get(key.name, key.description)


def commands(view: View, labels: Sequence[ProjectLabel], titles: Mapping[str, str | None]) -> list[Command]:
    """Return the commands of a view, then one for each label of the project.

    Parameters
    ----------
    view
        With the keys of the settings.
    titles
        What some actions do just now, by their names in `[keys]`; None where an action would do nothing.
    """
    found: list[Command] = []
    for key in view.keys:
        title = titles[key.name] if key.name in titles else title_of(key)
        if title and not is_label_key(key) and key.name != "commands":
            words = (title.partition(";")[0].partition(":")[0], *_SYNONYMS.get(key.name, ()))
            found.append(Command(title, shown_key(key) if key.keys else "", key.action, synonyms=words))
    keys = {key.name: shown_key(key) for key in view.keys if is_label_key(key)}
    if keys:
        for label in labels:
            name = label.name
            found.append(Command(f"label as {name}", keys.get(f"label_{label.key}", ""), label=name, synonyms=(name,)))
    return found
