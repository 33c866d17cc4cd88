"""Keys and views as tables, and the keys that several views share."""

from __future__ import annotations

from dataclasses import dataclass

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
    action
        The Textual action.
    group
        The heading on the help page.
    shown
        The key on the help page; "" where the line of another key includes it.
    description
        The line on the help page and in the command palette.
    hint
        The word in the key hints at the bottom; "" where there is none.
    """

    name: str
    keys: str
    action: str
    group: str
    shown: str
    description: str
    hint: str = ""


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
        """Return the keys as Textual bindings."""
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


LABELLING = (
    *(
        Key(
            f"label_{key}",
            key,
            f"label_key({key!r})",
            "Label",
            "1-9" if key == "1" else "",
            "give the label that has this key: 1-9, 0 and letters",
            "label",
        )
        for key in LABEL_KEYS
    ),
    Key("find_label", "slash", "find_label", "Label", "/", "find a label, or make a new one", "find"),
    Key("none_of_these", "n", "none_of_these", "Label", "n", "none of the labels is present", "none"),
    Key("unsure", "d", "unsure", "Label", "d", "unsure: you do not know the label", "unsure"),
    Key("bad_audio", "b", "bad_audio", "Label", "b", "bad audio: never show this clip again", "bad"),
    Key(
        "add_label",
        "m",
        "add_label",
        "Label",
        "m",
        "add a label: this key, then the label's; the clip stays",
        "add label",
    ),
    Key(
        "reject_label",
        "x",
        "reject_label",
        "Label",
        "x",
        "reject a label: this key, then the label's; the clip stays",
        "reject label",
    ),
    Key("note", "N", "note", "Label", "N", "write a note on the clip", "note"),
    Key("undo", "u", "undo", "Label", "u", "undo the last action", "undo"),
    Key("redo", "U", "redo", "Label", "U", "redo what was undone last", "redo"),
    Key("cancel", "escape", "cancel", "Label", "Esc", "cancel adding or rejecting; dismiss a warning"),
)

ACCEPT_FIRST = Key("accept_first", "enter", "accept_first", "Label", "Enter", "accept the first suggestion", "accept")

PLAYBACK = (
    Key("play", "space", "toggle_play", "Playback", "Space", "play or pause", "play"),
    Key("replay", "r", "replay", "Playback", "r", "play from the start", "replay"),
    Key("loop", "l", "loop", "Playback", "l", "loop without a gap", "loop"),
    Key("back", "left", "seek(-1)", "Playback", "← →", "back and forward"),
    Key("forward", "right", "seek(1)", "Playback", "", ""),
    Key("slower", "left_square_bracket", "faster(-1)", "Playback", "[ ]", "slower and faster, 0.5 to 2"),
    Key("faster", "right_square_bracket", "faster(1)", "Playback", "", ""),
    Key("quieter", "minus", "louder(-1)", "Playback", "- +", "quieter and louder, by 3 dB"),
    Key("louder", "plus,equals_sign", "louder(1)", "Playback", "", ""),
    Key("autoplay", "p", "autoplay", "Playback", "p", "play each clip when it appears: on, off"),
)

DISPLAY = (
    Key("zoom_time_in", "ctrl+up", "zoom_time(1)", "Display", "Ctrl+↑ ↓", "zoom in time, in and out", "zoom"),
    Key("zoom_time_out", "ctrl+down", "zoom_time(-1)", "Display", "", ""),
    Key("pan_back", "ctrl+left", "pan(-1)", "Display", "Ctrl+← →", "show an earlier or a later part"),
    Key("pan_forward", "ctrl+right", "pan(1)", "Display", "", ""),
    Key("zoom_frequency_in", "shift+up", "zoom_frequency(1)", "Display", "⇧↑ ⇧↓", "zoom in frequency, in and out"),
    Key("zoom_frequency_out", "shift+down", "zoom_frequency(-1)", "Display", "", ""),
    Key("pan_up", "alt+up", "pan_frequency(1)", "Display", "Alt+↑ ↓", "show higher or lower frequencies"),
    Key("pan_down", "alt+down", "pan_frequency(-1)", "Display", "", ""),
    Key("show_whole", "ctrl+0", "show_whole", "Display", "Ctrl+0", "show all of the sound, all frequencies"),
    Key(
        "colour_map", "f5", "colour_map", "Display", "F5", "spectrogram colours: teal, viridis, magma, grey", "colours"
    ),
    Key(
        "db_range",
        "f6,c",
        "db_range",
        "Display",
        "F6",
        "spectrogram dB range: 40, 60, 80, down to the noise",
        "dB range",
    ),
    Key("darker", "comma", "brighten(-1)", "Display", ", .", "spectrogram darker, brighter (faint sounds)"),
    Key("brighter", "full_stop", "brighten(1)", "Display", "", ""),
    Key("pixels", "f7", "pixels", "Display", "F7", "spectrogram as pixels or as half blocks"),
    Key("theme", "T", "app.theme", "Display", "T", "dark or light theme"),
)

APP = (
    Key("label", "A", "app.view('label')", "App", "A", "Label: the most informative unlabelled clip", "Label"),
    Key(
        "batch_review",
        "S",
        "app.view('batch_review')",
        "App",
        "S",
        "Batch review: a page of clips predicted as one label",
        "Batch review",
    ),
    Key("clusters", "C", "app.view('clusters')", "App", "C", "Clusters: similar unlabelled clips", "Clusters"),
    Key("review", "R", "app.view('review')", "App", "R", "Review: suspicious labels", "Review"),
    Key("browse", "B", "app.view('browse')", "App", "B", "Browse: every clip, with filters", "Browse"),
    Key("similar", "L", "app.similar", "App", "L", "Similar: the clips most similar to this one", "Similar"),
    Key("regions", "w", "app.regions", "App", "w", "Regions: label regions of the whole recording", "Regions"),
    Key("find_events", "E", "app.view('find')", "App", "E", "Find: the events of a label, from a few examples", "Find"),
    Key("class_mapping", "M", "app.view('class_mapping')", "App", "M", "Class mapping: classes of a pretrained model"),
    Key("labels", "f3", "app.labels", "App", "F3", "labels: keys, colours; rename, split, retire, define"),
    Key("definitions", "f9", "app.definitions", "App", "F9", "what the labels mean, and examples to listen to"),
    Key("train", "t", "app.train", "App", "t", "train a model now, in the background", "train"),
    Key("cancel_training", "ctrl+t", "app.cancel_training", "App", "Ctrl+t", "stop the training that runs"),
    Key("progress", "P", "app.progress", "App", "P", "progress: speed, goals, learning curves, confusions"),
    Key("export", "ctrl+e", "app.export", "App", "Ctrl+e", "export: data sets, label tracks, tables, STM32 package"),
    Key("evaluate", "f8", "app.evaluate", "App", "F8", "evaluate the newest model on clips it was not trained on"),
    Key(
        "fetch_pretrained", "f4", "app.fetch_pretrained", "App", "F4", "fetch yamnet, a pretrained model that suggests"
    ),
    Key("settings", "f2", "app.settings", "App", "F2", "settings: theme, sound output, keys, training"),
    Key("commands", "colon,ctrl+p", "commands", "App", ":", "find a command by its name"),
    Key("help", "question_mark,f1", "help", "App", "?", "this page", "keys"),
    Key("quit", "q,ctrl+c", "app.quit", "App", "q", "quit; every label is on the disk already", "quit"),
    Key("open_project", "", "app.open_project", "App", "", "open another project"),
    Key("tour", "", "app.tour", "App", "", "tour: the keys that matter, in one minute"),
)

MARKS = (
    Key(
        "mark",
        "v",
        "mark",
        "List",
        "v *",
        "mark clips from here on, or all: keys are for all of them",
        "mark",
    ),
    Key("mark_all", "asterisk", "mark_all", "List", "", ""),
)

LIST = (
    Key("up", "up", "move(-1)", "List", "↑ ↓", "previous clip, next clip", "clip"),
    Key("down", "down", "move(1)", "List", "", ""),
    Key("page_up", "pageup", "page(-1)", "List", "PgUp PgDn", "page up, page down"),
    Key("page_down", "pagedown", "page(1)", "List", "", ""),
    Key("first", "home", "end(False)", "List", "Home End", "first clip, last clip"),
    Key("last", "end", "end(True)", "List", "", ""),
)
