"""The keys of each view, as tables: the bindings, the help page and the key hints are made from them."""

from __future__ import annotations

from dataclasses import replace

from labeltool.tui.shared_keys import ACCEPT_FIRST, APP, DISPLAY, LABELLING, LIST, MARKS, PLAYBACK, Key, View

LABEL = View(
    "label",
    "Label",
    (
        ACCEPT_FIRST,
        *LABELLING,
        Key(
            "skip",
            "s",
            "skip",
            "Label",
            "s",
            "skip: the clip comes again at the end; after m or x the next clip",
            "skip",
        ),
        *PLAYBACK,
        *DISPLAY,
        *APP,
    ),
    (
        *("accept_first", "label_1", "find_label", "play", "undo", "skip", "none_of_these", "help", "quit", "unsure"),
        *("bad_audio", "add_label", "reject_label", "replay", "loop", "db_range", "train", "note"),
    ),
)

# Where x rejects a clip, there is no key to reject one label of it.
_LABELLING_OF_PAGES = tuple(key for key in LABELLING if key.name != "reject_label")

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
        Key(
            "auto_accept",
            "ctrl+a",
            "auto_accept",
            "Batch review",
            "Ctrl+a",
            "accept all above a probability, after a sample",
            "accept many",
        ),
        *LIST,
        *MARKS,
        *_LABELLING_OF_PAGES,
        *PLAYBACK,
        *DISPLAY,
        *APP,
    ),
    (
        *("accept", "reject", "up", "play_all", "next_label", "undo", "help", "label_1", "play"),
        *("auto_accept", "mark", "find_label", "quit", "loop", "db_range", "train"),
    ),
)

_WHOLE_CLUSTER = {
    "label_1": "give the label that has this key to all clips that are not rejected",
    "find_label": "find or make a label for all clips that are not rejected",
    "none_of_these": "none of the labels is present in any clip of the cluster",
    "unsure": "unsure, for the selected clip",
    "add_label": "add a label to the selected clip: this key, then the label's",
}

CLUSTERS = View(
    "clusters",
    "Clusters",
    (
        Key("reject", "x", "reject", "Clusters", "x", "reject the clip, or keep it after all", "reject"),
        replace(ACCEPT_FIRST, group="Clusters", description="label the clips with the first suggestion"),
        Key("play_all", "g", "play_all", "Clusters", "g", "play one clip after the other", "play all"),
        Key("next_cluster", "tab", "next_cluster(1)", "Clusters", "Tab ⇧Tab", "next cluster, previous cluster", "next"),
        Key("previous_cluster", "shift+tab", "next_cluster(-1)", "Clusters", "", ""),
        Key("recluster", "f", "recluster", "Clusters", "f", "cluster the clips that are left again", "recluster"),
        *LIST,
        *MARKS,
        *(replace(key, description=_WHOLE_CLUSTER.get(key.name, key.description)) for key in _LABELLING_OF_PAGES),
        *PLAYBACK,
        *DISPLAY,
        *APP,
    ),
    (
        *("label_1", "accept_first", "reject", "find_label", "up", "play_all", "next_cluster", "undo", "help", "play"),
        *("none_of_these", "quit", "recluster", "loop", "db_range", "train"),
    ),
)

SPLIT = replace(CLUSTERS, name="split", title="Split")

REVIEW = View(
    "review",
    "Review",
    (
        Key("keep", "k", "keep", "Review", "k", "keep the label: it is right", "keep"),
        Key("reject", "K", "reject", "Review", "K", "reject the label: it is absent", "reject"),
        replace(ACCEPT_FIRST, group="Review", description="replace the label by the first suggestion"),
        *LIST,
        *LABELLING,
        *PLAYBACK,
        *DISPLAY,
        *APP,
    ),
    (
        *("keep", "reject", "accept_first", "label_1", "find_label", "up", "play", "undo", "help", "reject_label"),
        *("quit", "unsure", "note", "loop", "db_range", "train"),
    ),
)

BROWSE = View(
    "browse",
    "Browse",
    (
        Key(
            "filter_file",
            "f",
            "filter_file",
            "Browse",
            "f",
            "filter clips: part of the path, label:..., unlabelled",
            "filter",
        ),
        Key("filter_label", "F", "filter_label", "Browse", "F", "filter clips by label", "by label"),
        Key(
            "filter_labelled",
            "o",
            "filter_labelled",
            "Browse",
            "o",
            "show unlabelled clips, labelled ones, or both",
            "unlabelled",
        ),
        Key("filter_transcript", "ctrl+f", "filter_transcript", "Browse", "Ctrl+f", "filter clips by transcript"),
        Key("next_order", "O", "next_order", "Browse", "O", "sort clips by the next column", "sort"),
        Key("show_all", "backspace", "show_all", "Browse", "⌫", "show all clips", "all"),
        replace(ACCEPT_FIRST, group="Browse"),
        *LIST,
        *MARKS,
        *LABELLING,
        *PLAYBACK,
        *DISPLAY,
        *APP,
    ),
    (
        *("filter_file", "filter_label", "next_order", "mark", "show_all", "up", "label_1", "find_label", "undo"),
        *("help", "play", "filter_labelled", "quit", "note", "loop", "db_range", "train"),
    ),
)

REGIONS = View(
    "regions",
    "Regions",
    (
        Key("set_start", "i", "set_start", "Region", "i", "start the region at the playhead", "start"),
        Key("set_end", "o", "set_end", "Region", "o", "end the region at the playhead", "end"),
        Key(
            "nudge_left",
            "less_than_sign,shift+left",
            "nudge(-1)",
            "Region",
            "< >",
            "move the start or end of the region by one column",
        ),
        Key("nudge_right", "greater_than_sign,shift+right", "nudge(1)", "Region", "", ""),
        Key("go_to_start", "I", "go_to_end(False)", "Region", "I O", "go to the start of the region, to its end"),
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
        Key("no_frequency_range", "F", "no_frequency_range", "Region", "F", "remove the frequency range of the region"),
        Key("next_region", "tab", "jump(1)", "Region", "Tab", "go to the next label or suggestion", "next"),
        Key("previous_region", "shift+tab", "jump(-1)", "Region", "⇧Tab", "go to the previous label or suggestion"),
        Key(
            "checked",
            "K",
            "mark_checked",
            "Region",
            "K",
            "mark as checked: every sound of the region or recording is labelled",
            "checked",
        ),
        Key("zoom_in", "up", "up(1)", "Display", "↑ ↓", "zoom in and out", "zoom"),
        Key("zoom_out", "down", "up(-1)", "Display", "", ""),
        Key("window_back", "pageup", "page(-1)", "Display", "PgUp PgDn", "go one window back, one forward"),
        Key("window_forward", "pagedown", "page(1)", "Display", "", ""),
        Key("recording_start", "home", "end(False)", "Display", "Home End", "start of the recording, its end"),
        Key("recording_end", "end", "end(True)", "Display", "", ""),
        ACCEPT_FIRST,
        *(key for key in LABELLING if key.name not in ("bad_audio", "cancel")),
        Key("cancel", "escape", "cancel", "Label", "Esc", "cancel adding or rejecting, then the region, then go back"),
        Key("replay", "r", "replay", "Playback", "r", "play the region, or what is in view", "replay"),
        Key("loop", "l", "loop", "Playback", "l", "loop the region, or what is in view", "loop"),
        *(key for key in PLAYBACK if key.name not in ("replay", "loop", "autoplay")),
        Key("autoplay", "p", "autoplay", "Playback", "p", "play each label or suggestion that Tab goes to: on, off"),
        *DISPLAY,
        Key("return", "w", "app.previous_view", "App", "w", "back to the previous view", "back"),
        *(key for key in APP if key.name != "regions"),
    ),
    (
        *("set_start", "set_end", "label_1", "find_label", "replay", "next_region", "zoom_in", "undo", "help", "play"),
        *("return", "frequency_range", "checked", "loop", "reject_label", "quit", "note", "db_range", "train"),
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
            key
            for key in REGIONS.keys
            if key.name not in ("accept_first", "reject_label", "frequency_range", "no_frequency_range")
        ),
    ),
    (
        *("accept", "reject", "set_start", "set_end", "replay", "undo", "skip", "help", "play"),
        *("zoom_in", "choose_label", "return", "loop", "quit", "note", "db_range"),
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
        Key(
            "accept_all",
            "ctrl+a",
            "accept_all",
            "Class mapping",
            "Ctrl+a",
            "accept the proposals for all labels",
            "all",
        ),
        *(replace(key, description=_LINES.get(key.name, key.description), hint=key.hint and "line") for key in LIST),
        Key(
            "close_mapping",
            "escape,M",
            "app.previous_view",
            "Class mapping",
            "Esc",
            "back to the previous view; new suggestions follow",
            "back",
        ),
        *(key for key in DISPLAY if key.name == "theme"),
        *(key for key in APP if key.name != "class_mapping"),
    ),
    ("add_class", "remove_class", "accept_proposal", "accept_all", "up", "close_mapping", "help", "quit"),
)

VIEWS: tuple[View, ...] = (LABEL, BATCH_REVIEW, CLUSTERS, REVIEW, BROWSE, REGIONS, FIND, CLASS_MAPPING)
"""Every view, in the order of the help page; Split has the keys of Clusters."""
