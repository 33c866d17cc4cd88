"""Keys and views as tables, and the keys that several views share."""

from __future__ import annotations

from dataclasses import dataclass, replace

from textual.binding import Binding, BindingType

from labeltool.store.labels import LABEL_KEYS


@dataclass(frozen=True, slots=True)
class Key:
    """A key and its action.

    Attributes
    ----------
    name
        The action's name in `[keys]` of the settings.
    keys
        Textual's names of the keys, separated by commas; "" for an action that only the list of commands has.
    shown
        The key on the help page; "" where the line of another key includes it.
    description
        The line on the help page and in the command palette.
    hint
        The word in the key hints at the bottom; "" where there is none.
    action
        The Textual action; "" where it is that of the name.
    group
        The heading on the help page.
    """

    name: str
    keys: str
    shown: str = ""
    description: str = ""
    hint: str = ""
    action: str = ""
    group: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "action", self.action or self.name)


def keys_of(group: str, *keys: Key) -> tuple[Key, ...]:
    """Return keys under one heading of the help page."""
    return tuple(replace(key, group=group) for key in keys)


@dataclass(frozen=True, slots=True)
class View:
    """A view of the app.

    Attributes
    ----------
    name, title
        In the code, and on the screen.
    keys
        All keys that work in it.
    hints
        Names of the keys that the hints show, in the order in which they get space.
    """

    name: str
    title: str
    keys: tuple[Key, ...]
    hints: tuple[str, ...]

    def bindings(self) -> list[BindingType]:
        bound = (key for key in self.keys if key.keys)
        return [Binding(key.keys, key.action, key.description, show=False, id=key.name) for key in bound]

    def groups(self) -> dict[str, list[Key]]:
        """Return the keys that have a line on the help page, by group."""
        grouped: dict[str, list[Key]] = {}
        for key in self.keys:
            if key.shown:
                grouped.setdefault(key.group, []).append(key)
        return grouped

    def hint_keys(self) -> list[Key]:
        """Return the keys of the hints, in the order in which they get space."""
        named = {key.name: key for key in self.keys}
        return [named[name] for name in self.hints]


LABELLING = keys_of(
    "Label",
    *(
        Key(
            f"label_{key}",
            key,
            "1-9" if key == "1" else "",
            "give the label that has this key: 1-9, 0 and letters",
            "label",
            action=f"label_key({key!r})",
        )
        for key in LABEL_KEYS
    ),
    Key("find_label", "slash", "/", "find a label, or make a new one", "find"),
    Key("none_of_these", "n", "n", "none of the labels is present", "none"),
    Key("unsure", "d", "d", "unsure: you do not know the label", "unsure"),
    Key("bad_audio", "b", "b", "bad audio: never show this clip again", "bad"),
    Key("add_label", "m", "m", "add a label: this key, then the label's; the clip stays", "add label"),
    Key("reject_label", "x", "x", "reject a label: this key, then the label's; the clip stays", "reject label"),
    Key("note", "N", "N", "write a note on the clip", "note"),
    Key("undo", "u", "u", "undo the last action", "undo"),
    Key("redo", "U", "U", "redo what was undone last", "redo"),
    Key("cancel", "escape", "Esc", "cancel adding or rejecting; dismiss a warning"),
)

ACCEPT_FIRST = Key("accept_first", "enter", "Enter", "accept the first suggestion", "accept", group="Label")

PLAYBACK = keys_of(
    "Playback",
    Key("play", "space", "Space", "play or pause", "play", action="toggle_play"),
    Key("replay", "r", "r", "play from the start", "replay"),
    Key("loop", "l", "l", "loop without a gap", "loop"),
    Key("back", "left", "← →", "back and forward", action="seek(-1)"),
    Key("forward", "right", action="seek(1)"),
    Key("slower", "left_square_bracket", "[ ]", "slower and faster, 0.5 to 2", action="faster(-1)"),
    Key("faster", "right_square_bracket", action="faster(1)"),
    Key("quieter", "minus", "- +", "quieter and louder, by 3 dB", action="louder(-1)"),
    Key("louder", "plus,equals_sign", action="louder(1)"),
    Key("autoplay", "p", "p", "play each clip when it appears: on, off"),
)

DISPLAY = keys_of(
    "Display",
    Key("zoom_time_in", "ctrl+up", "Ctrl+↑ ↓", "zoom in time, in and out", "zoom", action="zoom_time(1)"),
    Key("zoom_time_out", "ctrl+down", action="zoom_time(-1)"),
    Key("pan_back", "ctrl+left", "Ctrl+← →", "show an earlier or a later part", action="pan(-1)"),
    Key("pan_forward", "ctrl+right", action="pan(1)"),
    Key("zoom_frequency_in", "shift+up", "⇧↑ ⇧↓", "zoom in frequency, in and out", action="zoom_frequency(1)"),
    Key("zoom_frequency_out", "shift+down", action="zoom_frequency(-1)"),
    Key("pan_up", "alt+up", "Alt+↑ ↓", "show higher or lower frequencies", action="pan_frequency(1)"),
    Key("pan_down", "alt+down", action="pan_frequency(-1)"),
    Key("show_whole", "ctrl+0", "Ctrl+0", "show all of the sound, all frequencies"),
    Key("colour_map", "f5", "F5", "spectrogram colours: teal, viridis, magma, grey", "colours"),
    Key("db_range", "f6,c", "F6", "spectrogram dB range: 40, 60, 80, down to the noise", "dB range"),
    Key("darker", "comma", ", .", "spectrogram darker, brighter (faint sounds)", action="brighten(-1)"),
    Key("brighter", "full_stop", action="brighten(1)"),
    Key("pixels", "f7", "F7", "spectrogram as pixels or as half blocks"),
    Key("theme", "T", "T", "dark or light theme", action="app.theme"),
)

APP = keys_of(
    "App",
    Key("label", "A", "A", "Label: the most informative unlabelled clip", "Label", action="app.view('label')"),
    Key(
        "batch_review",
        "S",
        "S",
        "Batch review: a page of clips predicted as one label",
        "Batch review",
        action="app.view('batch_review')",
    ),
    Key("clusters", "C", "C", "Clusters: similar unlabelled clips", "Clusters", action="app.view('clusters')"),
    Key("review", "R", "R", "Review: suspicious labels", "Review", action="app.view('review')"),
    Key("browse", "B", "B", "Browse: every clip, with filters", "Browse", action="app.view('browse')"),
    Key("similar", "L", "L", "Similar: the clips most similar to this one", "Similar", action="app.similar"),
    Key("regions", "w", "w", "Regions: label regions of the whole recording", "Regions", action="app.regions"),
    Key("find_events", "E", "E", "Find: the events of a label, from a few examples", "Find", action="app.view('find')"),
    Key("class_mapping", "M", "M", "Class mapping: classes of a pretrained model", action="app.view('class_mapping')"),
    Key("labels", "f3", "F3", "labels: keys, colours; rename, split, retire, define", action="app.labels"),
    Key("definitions", "f9", "F9", "what the labels mean, and examples to listen to", action="app.definitions"),
    Key("train", "t", "t", "train a model now, in the background", "train", action="app.train"),
    Key("cancel_training", "ctrl+t", "Ctrl+t", "stop the training that runs", action="app.cancel_training"),
    Key("progress", "P", "P", "progress: speed, goals, learning curves, confusions", action="app.progress"),
    Key("export", "ctrl+e", "Ctrl+e", "export: data sets, label tracks, tables, STM32 package", action="app.export"),
    Key("evaluate", "f8", "F8", "evaluate the newest model on clips it was not trained on", action="app.evaluate"),
    Key(
        "fetch_pretrained", "f4", "F4", "fetch yamnet, a pretrained model that suggests", action="app.fetch_pretrained"
    ),
    Key("settings", "f2", "F2", "settings: theme, sound output, keys, training", action="app.settings"),
    Key("commands", "colon,ctrl+p", ":", "find a command by its name"),
    Key("help", "question_mark,f1", "?", "this page", "keys"),
    Key("quit", "q,ctrl+c", "q", "quit; every label is on the disk already", "quit", action="app.quit"),
    Key("undo_import", "", "", "undo the last import: its labels no longer count", action="app.undo_import"),
    Key("open_project", "", "", "open another project", action="app.open_project"),
    Key("tour", "", "", "tour: the keys that matter, in one minute", action="app.tour"),
)

WITH_SOUND = (*PLAYBACK, *DISPLAY, *APP)

MARKS = keys_of(
    "List",
    Key("mark", "v", "v *", "mark clips from here on, or all: keys are for all of them", "mark"),
    Key("mark_all", "asterisk"),
)

LIST = keys_of(
    "List",
    Key("up", "up", "↑ ↓", "previous clip, next clip", "clip", action="move(-1)"),
    Key("down", "down", action="move(1)"),
    Key("page_up", "pageup", "PgUp PgDn", "page up, page down", action="page(-1)"),
    Key("page_down", "pagedown", action="page(1)"),
    Key("first", "home", "Home End", "first clip, last clip", action="end(False)"),
    Key("last", "end", action="end(True)"),
)
