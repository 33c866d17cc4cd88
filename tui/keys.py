"""The keys of each view, as tables: the bindings, the help page and the key hints are made from them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from textual.binding import Binding, BindingType


@dataclass(frozen=True, slots=True)
class Key:
    """A key and its action.

    Attributes
    ----------
    name
        The action's name in `[keys]` of the settings.
    keys
        Textual's names of the keys, separated by commas.
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
        return [Binding(key.keys, key.action, key.description, show=False, id=key.name) for key in self.keys]

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


_LABELLING = (
    *(
        Key(
            f"label_{digit}",
            str(digit),
            f"label({digit})",
            "Label",
            "1-9" if digit == 1 else "",
            "label with the n-th suggestion" if digit == 1 else f"label with suggestion {digit}",
            "label",
        )
        for digit in range(1, 10)
    ),
    Key("find_label", "slash", "find_label", "Label", "/", "find a label, or make a new one", "find"),
    Key("none_of_these", "n", "none_of_these", "Label", "n", "none of the labels", "none"),
    Key("unsure", "x", "unsure", "Label", "x", "unsure", "unsure"),
    Key("bad_audio", "b", "bad_audio", "Label", "b", "bad audio: never show this clip again", "bad"),
    Key("add_label", "m", "add_label", "Label", "m", "then a label: add it; stay on the clip", "add label"),
    Key("reject_label", "a", "reject_label", "Label", "a", "then a label: it is absent; stay", "reject label"),
    Key("note", "N", "note", "Label", "N", "write a note on the clip", "note"),
    Key("undo", "u", "undo", "Label", "u", "undo the last action", "undo"),
    Key("redo", "U", "redo", "Label", "U", "redo what was undone last", "redo"),
    Key("cancel", "escape", "cancel", "Label", "Esc", "cancel m or a; dismiss a warning"),
)

_ACCEPT_FIRST = Key("accept_first", "enter", "label(1)", "Label", "Enter", "accept the first suggestion", "accept")

_PLAYBACK = (
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

_DISPLAY = (
    Key("contrast", "c", "contrast", "Display", "c", "contrast of the spectrogram", "contrast"),
    Key("darker", "comma", "brighten(-1)", "Display", ", .", "darker and brighter, for faint sounds"),
    Key("brighter", "full_stop", "brighten(1)", "Display", "", ""),
    Key("theme", "T", "app.theme", "Display", "T", "dark or light theme"),
)

_APP = (
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
    Key("class_mapping", "M", "app.class_mapping", "App", "M", "Class mapping: classes of a pretrained model"),
    Key("train", "t", "app.train", "App", "t", "train a model now, in the background", "train"),
    Key("statistics", "P", "app.statistics", "App", "P", "statistics: annotation speed, accepted suggestions"),
    Key("commands", "colon,ctrl+p", "commands", "App", ":", "find an action by its name"),
    Key("help", "question_mark,f1", "help", "App", "?", "this page", "keys"),
    Key("quit", "q,ctrl+c", "app.quit", "App", "q", "quit; every label is on the disk already", "quit"),
)

_LIST = (
    Key("up", "up", "move(-1)", "List", "↑ ↓", "previous clip, next clip", "clip"),
    Key("down", "down", "move(1)", "List", "", ""),
    Key("page_up", "pageup", "page(-1)", "List", "PgUp PgDn", "page up, page down"),
    Key("page_down", "pagedown", "page(1)", "List", "", ""),
    Key("first", "home", "end(False)", "List", "Home End", "first clip, last clip"),
    Key("last", "end", "end(True)", "List", "", ""),
)

LABEL = View(
    "label",
    "Label",
    (
        _ACCEPT_FIRST,
        *_LABELLING,
        Key("skip", "s", "skip", "Label", "s", "skip: show it again at the end; after m, a: next clip", "skip"),
        *_PLAYBACK,
        *_DISPLAY,
        *_APP,
    ),
    (
        *("accept_first", "label_1", "find_label", "none_of_these", "unsure", "bad_audio", "skip", "undo", "help"),
        *("play", "quit", "similar", "add_label", "reject_label", "replay", "loop", "contrast", "train", "note"),
    ),
)

# In these views x rejects a clip.
_UNSURE_ON_SHIFT = {"unsure": {"keys": "X", "shown": "X"}}

BATCH_REVIEW = View(
    "batch_review",
    "Batch review",
    (
        Key("reject", "x", "reject", "Batch review", "x", "reject the clip, or accept it again", "reject"),
        Key("accept", "enter", "accept", "Batch review", "Enter", "accept the page; rejected clips: absent", "accept"),
        Key("play_all", "g", "play_all", "Batch review", "g", "play one clip after the other", "play all"),
        Key(
            "next_label", "tab", "next_label(1)", "Batch review", "Tab ⇧Tab", "next label, previous label", "next label"
        ),
        Key("previous_label", "shift+tab", "next_label(-1)", "Batch review", "", ""),
        Key("choose_label", "F", "choose_label", "Batch review", "F", "find the label to review"),
        *_LIST,
        *(replace(key, **_UNSURE_ON_SHIFT.get(key.name, {})) for key in _LABELLING),
        *_PLAYBACK,
        *_DISPLAY,
        *_APP,
    ),
    (
        *("accept", "reject", "up", "play_all", "next_label", "undo", "help", "label_1", "play", "label"),
        *("find_label", "quit", "similar", "review", "browse", "loop", "contrast", "train"),
    ),
)

_WHOLE_CLUSTER = {
    "label_1": "label all clips that are not rejected",
    "find_label": "find a label for them, or make a new one",
    "none_of_these": "none of the labels, for all of them",
    "unsure": "unsure, for the selected clip",
    "add_label": "then a label: add it to the selected clip",
    "reject_label": "then a label: absent in the selected clip",
}

CLUSTERS = View(
    "clusters",
    "Clusters",
    (
        Key("reject", "x", "reject", "Clusters", "x", "reject the clip, or keep it after all", "reject"),
        replace(_ACCEPT_FIRST, group="Clusters", description="label the clips with the first suggestion"),
        Key("play_all", "g", "play_all", "Clusters", "g", "play one clip after the other", "play all"),
        Key("next_cluster", "tab", "next_cluster(1)", "Clusters", "Tab ⇧Tab", "next cluster, previous cluster", "next"),
        Key("previous_cluster", "shift+tab", "next_cluster(-1)", "Clusters", "", ""),
        Key("recluster", "f", "recluster", "Clusters", "f", "cluster the unlabelled clips again", "recluster"),
        *_LIST,
        *(
            replace(
                key,
                description=_WHOLE_CLUSTER.get(key.name, key.description),
                **_UNSURE_ON_SHIFT.get(key.name, {}),
            )
            for key in _LABELLING
        ),
        *_PLAYBACK,
        *_DISPLAY,
        *_APP,
    ),
    (
        *("label_1", "accept_first", "reject", "find_label", "up", "play_all", "next_cluster", "undo", "help", "play"),
        *("none_of_these", "label", "quit", "recluster", "similar", "batch_review", "browse", "loop", "contrast"),
        "train",
    ),
)

REVIEW = View(
    "review",
    "Review",
    (
        Key("keep", "k", "keep", "Review", "k", "the label is right: keep it", "keep"),
        replace(_ACCEPT_FIRST, group="Review", description="replace it by the first suggestion"),
        *_LIST,
        *_LABELLING,
        *_PLAYBACK,
        *_DISPLAY,
        *_APP,
    ),
    (
        *("keep", "accept_first", "label_1", "find_label", "up", "reject_label", "undo", "help", "play", "label"),
        *("browse", "quit", "similar", "unsure", "note", "loop", "contrast", "train"),
    ),
)

BROWSE = View(
    "browse",
    "Browse",
    (
        Key("filter_file", "f", "filter_file", "Browse", "f", "filter by file path", "file"),
        Key("filter_label", "F", "filter_label", "Browse", "F", "filter by label", "by label"),
        Key("filter_transcript", "v", "filter_transcript", "Browse", "v", "filter by transcript", "transcript"),
        Key("filter_labelled", "o", "filter_labelled", "Browse", "o", "unlabelled, labelled, both", "unlabelled"),
        Key("show_all", "0", "show_all", "Browse", "0", "show all clips", "all"),
        replace(_ACCEPT_FIRST, group="Browse"),
        *_LIST,
        *_LABELLING,
        *_PLAYBACK,
        *_DISPLAY,
        *_APP,
    ),
    (
        *("filter_file", "filter_label", "filter_labelled", "show_all", "up", "label_1", "find_label", "undo", "help"),
        *("play", "similar", "filter_transcript", "label", "review", "quit", "note", "loop", "contrast", "train"),
    ),
)

REGIONS = View(
    "regions",
    "Regions",
    (
        Key("set_start", "i", "set_start", "Region", "i", "the region starts here", "start"),
        Key("set_end", "o", "set_end", "Region", "o", "the region ends here", "end"),
        Key(
            "nudge_left",
            "less_than_sign,shift+left",
            "nudge(-1)",
            "Region",
            "< >",
            "by one column, with the start or end in hand",
        ),
        Key("nudge_right", "greater_than_sign,shift+right", "nudge(1)", "Region", "", ""),
        Key("go_to_start", "I", "go_to_end(False)", "Region", "I O", "to the start of the region, to its end"),
        Key("go_to_end", "O", "go_to_end(True)", "Region", "", ""),
        Key(
            "frequency_range",
            "f",
            "frequency_range",
            "Region",
            "f",
            "frequency range: ↑ ↓ move its top, f again its bottom",
            "frequencies",
        ),
        Key("no_frequency_range", "F", "no_frequency_range", "Region", "F", "no frequency range"),
        Key("next_region", "tab", "jump(1)", "Region", "Tab", "next label or suggestion", "next"),
        Key("previous_region", "shift+tab", "jump(-1)", "Region", "⇧Tab", "previous label or suggestion"),
        Key(
            "checked",
            "K",
            "mark_checked",
            "Region",
            "K",
            "every sound in the region, or in the recording, is labelled: the rest is background",
            "checked",
        ),
        Key("zoom_in", "up", "up(1)", "Display", "↑ ↓", "zoom in and out", "zoom"),
        Key("zoom_out", "down", "up(-1)", "Display", "", ""),
        Key("window_back", "pageup", "page(-1)", "Display", "PgUp PgDn", "one window back, one forward"),
        Key("window_forward", "pagedown", "page(1)", "Display", "", ""),
        Key("recording_start", "home", "end(False)", "Display", "Home End", "start of the recording, its end"),
        Key("recording_end", "end", "end(True)", "Display", "", ""),
        _ACCEPT_FIRST,
        *(key for key in _LABELLING if key.name not in ("bad_audio", "cancel")),
        Key("cancel", "escape", "cancel", "Label", "Esc", "cancel m or a, then the region, then go back"),
        Key("replay", "r", "replay", "Playback", "r", "play the region, or what is in view", "replay"),
        Key("loop", "l", "loop", "Playback", "l", "loop the region, or what is in view", "loop"),
        *(key for key in _PLAYBACK if key.name not in ("replay", "loop", "autoplay")),
        Key("autoplay", "p", "autoplay", "Playback", "p", "play what Tab goes to: on, off"),
        *_DISPLAY,
        Key("return", "w", "app.close_regions", "App", "w", "back to the previous view", "back"),
        *(key for key in _APP if key.name not in ("regions", "similar")),
    ),
    (
        *("set_start", "set_end", "label_1", "find_label", "replay", "next_region", "zoom_in", "undo", "help", "play"),
        *("return", "frequency_range", "checked", "loop", "reject_label", "quit", "note", "contrast", "train"),
    ),
)

FIND = View(
    "find",
    "Find",
    (
        Key("accept", "a,enter", "accept", "Find", "a", "accept: the label is present in the region", "accept"),
        Key("reject", "x", "reject", "Find", "x", "reject: the label is absent in the region", "reject"),
        Key("skip", "s", "skip_candidate", "Find", "s", "next candidate, without a label", "skip"),
        Key("choose_label", "F", "choose_label", "Find", "F", "find the events of another label", "label"),
        *(
            replace(key, **_UNSURE_ON_SHIFT.get(key.name, {}))
            for key in REGIONS.keys
            if key.name not in ("accept_first", "reject_label", "frequency_range", "no_frequency_range")
        ),
    ),
    (
        *("accept", "reject", "set_start", "set_end", "replay", "undo", "skip", "help", "play"),
        *("zoom_in", "choose_label", "return", "loop", "quit", "note", "contrast"),
    ),
)

_LINES = {"up": "previous line, next line", "first": "first line, last line"}

CLASS_MAPPING = View(
    "class_mapping",
    "Class mapping",
    (
        Key("add_class", "a", "add", "Class mapping", "a", "add a class to the label", "add"),
        Key("remove_class", "x,delete", "remove", "Class mapping", "x", "remove the class", "remove"),
        Key(
            "accept_proposal",
            "enter",
            "accept",
            "Class mapping",
            "Enter",
            "accept the proposal for the label",
            "accept",
        ),
        Key("accept_all", "P", "accept_all", "Class mapping", "P", "accept the proposals for all labels", "all"),
        *(replace(key, description=_LINES.get(key.name, key.description), hint=key.hint and "line") for key in _LIST),
        Key("close_mapping", "escape,q,M", "close", "Class mapping", "Esc", "back; new suggestions follow", "back"),
        *(key for key in _DISPLAY if key.name == "theme"),
        *(key for key in _APP if key.name == "help"),
    ),
    ("add_class", "remove_class", "accept_proposal", "accept_all", "up", "close_mapping", "help"),
)

VIEWS: tuple[View, ...] = (LABEL, BATCH_REVIEW, CLUSTERS, REVIEW, BROWSE, REGIONS, FIND, CLASS_MAPPING)
"""Every view, in the order of the help page."""
