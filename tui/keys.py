"""The keys of each view, as tables: the bindings, the help page and the key hints are made from them."""

from __future__ import annotations

from dataclasses import replace

from labeltool.tui.shared_keys import (
    ACCEPT_FIRST,
    APP,
    DISPLAY,
    LABELLING,
    LIST,
    MARKS,
    PLAYBACK,
    WITH_SOUND,
    Key,
    View,
    keys_of,
)

LABEL = View(
    "label",
    "Label",
    (
        ACCEPT_FIRST,
        *LABELLING,
        Key(
            "skip", "s", "s", "skip: the clip comes again at the end; after m or x the next clip", "skip", group="Label"
        ),
        *WITH_SOUND,
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
        *keys_of(
            "Batch review",
            Key("reject", "x", "x", "reject the clip, or accept it again", "reject"),
            Key("accept", "enter", "Enter", "accept the page; rejected clips: absent", "accept"),
            Key("play_all", "g", "g", "play one clip after the other", "play all"),
            Key("next_label", "tab", "Tab ⇧Tab", "next label, previous label", "next label", action="next_label(1)"),
            Key("previous_label", "shift+tab", action="next_label(-1)"),
            Key("choose_label", "F", "F", "find the label to review"),
            Key("auto_accept", "ctrl+a", "Ctrl+a", "accept all above a probability, after a sample", "accept many"),
        ),
        *LIST,
        *MARKS,
        *_LABELLING_OF_PAGES,
        *WITH_SOUND,
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
        *keys_of(
            "Clusters",
            Key("reject", "x", "x", "reject the clip, or keep it after all", "reject"),
            replace(ACCEPT_FIRST, description="label the clips with the first suggestion"),
            Key("play_all", "g", "g", "play one clip after the other", "play all"),
            Key("next_cluster", "tab", "Tab ⇧Tab", "next cluster, previous cluster", "next", action="next_cluster(1)"),
            Key("previous_cluster", "shift+tab", action="next_cluster(-1)"),
            Key("recluster", "f", "f", "cluster the clips that are left again", "recluster"),
        ),
        *LIST,
        *MARKS,
        *(replace(key, description=_WHOLE_CLUSTER.get(key.name, key.description)) for key in _LABELLING_OF_PAGES),
        *WITH_SOUND,
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
        *keys_of(
            "Review",
            Key("keep", "k", "k", "keep the label: it is right", "keep"),
            Key("reject", "K", "K", "reject the label: it is absent", "reject"),
            replace(ACCEPT_FIRST, description="replace the label by the first suggestion"),
        ),
        *LIST,
        *LABELLING,
        *WITH_SOUND,
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
        *keys_of(
            "Browse",
            Key("filter_file", "f", "f", "filter clips: part of the path, label:..., unlabelled", "filter"),
            Key("filter_label", "F", "F", "filter clips by label", "by label"),
            Key("filter_labelled", "o", "o", "show unlabelled clips, labelled ones, or both", "unlabelled"),
            Key("filter_transcript", "ctrl+f", "Ctrl+f", "filter clips by transcript"),
            Key("next_order", "O", "O", "sort clips by the next column", "sort"),
            Key("show_all", "backspace", "⌫", "show all clips", "all"),
            ACCEPT_FIRST,
        ),
        *LIST,
        *MARKS,
        *LABELLING,
        *WITH_SOUND,
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
        *keys_of(
            "Region",
            Key("set_start", "i", "i", "start the region at the playhead", "start"),
            Key("set_end", "o", "o", "end the region at the playhead", "end"),
            Key(
                "nudge_left",
                "less_than_sign,shift+left",
                "< >",
                "move the start or end of the region by one column",
                action="nudge(-1)",
            ),
            Key("nudge_right", "greater_than_sign,shift+right", action="nudge(1)"),
            Key("go_to_start", "I", "I O", "go to the start of the region, to its end", action="go_to_end(False)"),
            Key("go_to_end", "O", action="go_to_end(True)"),
            Key("frequency_range", "f", "f", "frequency range: ↑ ↓ move its top, f again its bottom", "frequencies"),
            Key("no_frequency_range", "F", "F", "remove the frequency range of the region"),
            Key("next_region", "tab", "Tab", "go to the next label or suggestion", "next", action="jump(1)"),
            Key("previous_region", "shift+tab", "⇧Tab", "go to the previous label or suggestion", action="jump(-1)"),
            Key(
                "checked",
                "K",
                "K",
                "mark as checked: every sound of the region or recording is labelled",
                "checked",
                action="mark_checked",
            ),
        ),
        *keys_of(
            "Display",
            Key("zoom_in", "up", "↑ ↓", "zoom in and out", "zoom", action="up(1)"),
            Key("zoom_out", "down", action="up(-1)"),
            Key("window_back", "pageup", "PgUp PgDn", "go one window back, one forward", action="page(-1)"),
            Key("window_forward", "pagedown", action="page(1)"),
            Key("recording_start", "home", "Home End", "start of the recording, its end", action="end(False)"),
            Key("recording_end", "end", action="end(True)"),
        ),
        ACCEPT_FIRST,
        *(key for key in LABELLING if key.name not in ("bad_audio", "cancel")),
        Key("cancel", "escape", "Esc", "cancel adding or rejecting, then the region, then go back", group="Label"),
        *keys_of(
            "Playback",
            Key("replay", "r", "r", "play the region, or what is in view", "replay"),
            Key("loop", "l", "l", "loop the region, or what is in view", "loop"),
        ),
        *(key for key in PLAYBACK if key.name not in ("replay", "loop", "autoplay")),
        Key("autoplay", "p", "p", "play each label or suggestion that Tab goes to: on, off", group="Playback"),
        *DISPLAY,
        Key("return", "w", "w", "back to the previous view", "back", action="app.previous_view", group="App"),
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
        *keys_of(
            "Find",
            Key("accept", "a,enter", "a", "accept: the label is present in the region", "accept"),
            Key("reject", "x", "x", "reject: the label is absent in the region", "reject"),
            Key("skip", "s", "s", "next candidate, without a label", "skip", action="skip_candidate"),
            Key("choose_label", "F", "F", "find the events of another label", "label"),
        ),
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
        *keys_of(
            "Class mapping",
            Key("add_class", "a", "a", "add a class to the label", "add", action="add"),
            Key("remove_class", "x,delete", "x", "remove the class", "remove", action="remove"),
            Key("accept_proposal", "enter", "Enter", "accept the proposal for the label", "accept", action="accept"),
            Key("accept_all", "ctrl+a", "Ctrl+a", "accept the proposals for all labels", "all"),
        ),
        *(replace(key, description=_LINES.get(key.name, key.description), hint=key.hint and "line") for key in LIST),
        Key(
            "close_mapping",
            "escape,M",
            "Esc",
            "back to the previous view; new suggestions follow",
            "back",
            action="app.previous_view",
            group="Class mapping",
        ),
        *(key for key in DISPLAY if key.name == "theme"),
        *(key for key in APP if key.name != "class_mapping"),
    ),
    ("add_class", "remove_class", "accept_proposal", "accept_all", "up", "close_mapping", "help", "quit"),
)

VIEWS: tuple[View, ...] = (LABEL, BATCH_REVIEW, CLUSTERS, REVIEW, BROWSE, REGIONS, FIND, CLASS_MAPPING)
"""Every view, in the order of the help page; Split has the keys of Clusters."""
