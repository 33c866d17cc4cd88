"""The room's keys: tables, one a way to work, that the bindings, the help and the line of hints are made from."""

from __future__ import annotations

from dataclasses import dataclass, replace

from textual.binding import Binding, BindingType


@dataclass(frozen=True, slots=True)
class Key:
    """A key.

    Attributes
    ----------
    name
        What the settings call it.
    keys
        Textual's names, several parted by commas.
    action
        The action it runs.
    group
        The heading of the help it stands under.
    shown
        How the help names the key; "" where another line speaks for it.
    tells
        Its line of help.
    hint
        A word for the line at the bottom; "" keeps it out of there.
    """

    name: str
    keys: str
    action: str
    group: str
    shown: str
    tells: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Way:
    """A way to work: its name, what it is for, and its own keys beside those that every way has."""

    name: str
    title: str
    tells: str
    keys: tuple[Key, ...]
    hints: tuple[str, ...]

    def bindings(self) -> list[BindingType]:
        """Return the table as Textual bindings."""
        return [Binding(key.keys, key.action, key.tells, show=False, id=key.name) for key in self.keys]

    def groups(self) -> dict[str, list[Key]]:
        """Return the keys that have a line of help, by group."""
        grouped: dict[str, list[Key]] = {}
        for key in self.keys:
            if key.shown:
                grouped.setdefault(key.group, []).append(key)
        return grouped

    def hinted(self) -> list[Key]:
        """Return the keys of the line at the bottom, in the order they are given room."""
        named = {key.name: key for key in self.keys}
        return [named[name] for name in self.hints]


_ANSWER = (
    *(
        Key(
            f"take_{digit}",
            str(digit),
            f"take({digit})",
            "Answer",
            "1-9" if digit == 1 else "",
            "take the label with that digit",
            "take",
        )
        for digit in range(1, 10)
    ),
    Key("find", "slash", "find", "Answer", "/", "find a label, or make one", "find"),
    Key("none_of_these", "n", "none_of_these", "Answer", "n", "none of the labels is heard", "none"),
    Key("unsure", "x", "cannot_tell", "Answer", "x", "unsure: it cannot be told", "unsure"),
    Key("bad_audio", "b", "bad_audio", "Answer", "b", "bad audio: do not ask again", "bad"),
    Key("also", "m", "also", "Answer", "m", "then a label: it is that too; stay", "also"),
    Key("absent", "a", "absent", "Answer", "a", "then a label: it is not that; stay", "not"),
    Key("note", "N", "note", "Answer", "N", "write a note on the clip", "note"),
    Key("undo", "u", "undo", "Answer", "u", "take the last answer back", "undo"),
    Key("redo", "U", "redo", "Answer", "U", "say again what was taken back last", "redo"),
    Key("drop", "escape", "drop", "Answer", "Esc", "forget m or a; put a warning away"),
)

_LISTEN = (
    Key("play", "space", "toggle_play", "Listen", "Space", "play or pause", "play"),
    Key("replay", "r", "replay", "Listen", "r", "play from the beginning", "replay"),
    Key("loop", "l", "loop", "Listen", "l", "loop, without a gap", "loop"),
    Key("back", "left", "seek(-1)", "Listen", "← →", "back and forward"),
    Key("forward", "right", "seek(1)", "Listen", "", ""),
    Key("slower", "left_square_bracket", "faster(-1)", "Listen", "[ ]", "slower and faster, 0.5 to 2"),
    Key("faster", "right_square_bracket", "faster(1)", "Listen", "", ""),
    Key("quieter", "minus", "louder(-1)", "Listen", "- +", "quieter and louder, by 3 dB"),
    Key("louder", "plus,equals_sign", "louder(1)", "Listen", "", ""),
    Key("autoplay", "p", "autoplay", "Listen", "p", "play each clip as it appears, or not"),
    Key("contrast", "c", "contrast", "Look", "c", "contrast of the picture", "contrast"),
    Key("darker", "comma", "brighten(-1)", "Look", ", .", "darker and brighter: faint events show"),
    Key("brighter", "full_stop", "brighten(1)", "Look", "", ""),
    Key("theme", "T", "app.theme", "Look", "T", "dark or light"),
)

_ROOM = (
    Key("ask", "A", "app.work('ask')", "Room", "A", "ask: the clip that teaches most", "ask"),
    Key("sweep", "S", "app.work('sweep')", "Room", "S", "sweep: pages of what the model is surest of", "sweep"),
    Key(
        "clusters",
        "C",
        "app.work('clusters')",
        "Room",
        "C",
        "clusters: what sounds alike, labelled at once",
        "clusters",
    ),
    Key("review", "R", "app.work('review')", "Room", "R", "review: verdicts that look wrong", "review"),
    Key("browse", "B", "app.work('browse')", "Room", "B", "browse: every clip, to filter and search", "browse"),
    Key("like", "L", "app.like", "Room", "L", "the like of this clip: what sounds most as it does", "like"),
    Key("whole", "w", "app.whole_recording", "Room", "w", "the whole recording, to mark spans in", "whole"),
    Key("mapping", "M", "app.mapping", "Room", "M", "mapping: which of an ear's classes suggest which label"),
    Key("train", "t", "app.train", "Room", "t", "train a model now, behind the screen", "train"),
    Key("stopwatch", "P", "app.stopwatch", "Room", "P", "the stopwatch: how fast, how often right"),
    Key("commands", "colon,ctrl+p", "commands", "Room", ":", "find any of these by its name"),
    Key("help", "question_mark,f1", "help", "Room", "?", "this page", "keys"),
    Key("leave", "q,ctrl+c", "app.leave", "Room", "q", "leave; every answer is on the disk already", "leave"),
)

ASK = Way(
    "ask",
    "Ask",
    "The clip that teaches most is played and shown; one key answers it.",
    (
        Key("take_first", "enter", "take(1)", "Answer", "Enter", "take the first label shown", "first"),
        *_ANSWER,
        Key("skip", "s", "skip", "Answer", "s", "skip, ask at the end; after m, a: go on", "skip"),
        *_LISTEN,
        *_ROOM,
    ),
    (
        *("take_first", "take_1", "find", "none_of_these", "unsure", "bad_audio", "skip", "undo", "help", "play"),
        *("leave", "like", "also", "absent", "replay", "loop", "contrast", "train", "note"),
    ),
)

_LIST = (
    Key("up", "up", "move(-1)", "List", "↑ ↓", "the clip above, the clip below", "clip"),
    Key("down", "down", "move(1)", "List", "", ""),
    Key("page_up", "pageup", "page(-1)", "List", "PgUp PgDn", "a page up, a page down"),
    Key("page_down", "pagedown", "page(1)", "List", "", ""),
    Key("first", "home", "end(False)", "List", "Home End", "the first clip, the last"),
    Key("last", "end", "end(True)", "List", "", ""),
)

SWEEP = Way(
    "sweep",
    "Sweep",
    "A page of clips the model holds for one label: strike out the wrong ones, accept the rest with one key.",
    (
        Key("strike", "x", "strike", "Sweep", "x", "strike the clip out, or take that back", "strike"),
        Key("accept", "enter", "accept", "Sweep", "Enter", "accept the page; what is struck out is not it", "accept"),
        Key("listen_through", "g", "listen_through", "Sweep", "g", "play one clip after the other", "play all"),
        Key("next_label", "tab", "label(1)", "Sweep", "Tab ⇧Tab", "the next label, the one before", "label"),
        Key("label_before", "shift+tab", "label(-1)", "Sweep", "", ""),
        Key("choose_label", "F", "choose_label", "Sweep", "F", "find the label to sweep"),
        *_LIST,
        # x strikes out here.
        *(replace(key, keys="X", shown="X") if key.name == "unsure" else key for key in _ANSWER),
        *_LISTEN,
        *_ROOM,
    ),
    (
        *("accept", "strike", "up", "listen_through", "next_label", "undo", "help", "take_1", "play", "ask"),
        *("find", "leave", "like", "review", "browse", "loop", "contrast", "train"),
    ),
)

_AT_ONCE = {
    "take_1": "that label for all not struck out",
    "find": "find a label for them, or make one",
    "none_of_these": "none of the labels is heard in them",
    "unsure": "unsure of this clip: it cannot be told",
    "also": "then a label: this clip is that too; stay",
    "absent": "then a label: this clip is not that; stay",
}

_LINES = {"up": "the line above, the line below", "first": "the first line, the last"}

CLUSTERS = Way(
    "clusters",
    "Clusters",
    "Open clips that sound alike, a group at a time: strike out what does not belong, label the rest with one key.",
    (
        Key("strike", "x", "strike", "Clusters", "x", "strike the clip out, or take that back", "strike"),
        Key(
            "take_first",
            "enter",
            "take(1)",
            "Clusters",
            "Enter",
            "the first label for all not struck out",
            "first",
        ),
        Key("listen_through", "g", "listen_through", "Clusters", "g", "play one clip after the other", "play all"),
        Key("next_group", "tab", "group(1)", "Clusters", "Tab ⇧Tab", "the next group, the one before", "group"),
        Key("group_before", "shift+tab", "group(-1)", "Clusters", "", ""),
        Key("regroup", "f", "regroup", "Clusters", "f", "form groups anew, of what is open now", "regroup"),
        *_LIST,
        # x strikes out here.
        *(
            replace(
                key,
                keys="X" if key.name == "unsure" else key.keys,
                shown="X" if key.name == "unsure" else key.shown,
                tells=_AT_ONCE.get(key.name, key.tells),
            )
            for key in _ANSWER
        ),
        *_LISTEN,
        *_ROOM,
    ),
    (
        *("take_1", "take_first", "strike", "find", "up", "listen_through", "next_group", "undo", "help", "play"),
        *("none_of_these", "ask", "leave", "regroup", "like", "sweep", "browse", "loop", "contrast", "train"),
    ),
)

REVIEW = Way(
    "review",
    "Review",
    "Verdicts that people disagree on or the model contradicts, the most suspicious first.",
    (
        Key("keep", "k", "keep", "Review", "k", "the verdict was meant: keep it", "keep"),
        Key("take_first", "enter", "take(1)", "Review", "Enter", "take the model's first label in its place", "first"),
        *_LIST,
        *_ANSWER,
        *_LISTEN,
        *_ROOM,
    ),
    (
        *("keep", "take_first", "take_1", "find", "up", "absent", "undo", "help", "play", "ask", "browse", "leave"),
        *("like", "unsure", "note", "loop", "contrast", "train"),
    ),
)

BROWSE = Way(
    "browse",
    "Browse",
    "Every clip there is, to look at, listen to and answer.",
    (
        Key(
            "filter_text", "f", "filter_text", "Browse", "f", "only clips whose file's path holds some letters", "file"
        ),
        Key("filter_label", "F", "filter_label", "Browse", "F", "only clips with a label", "label"),
        Key("filter_said", "v", "filter_said", "Browse", "v", "only clips in which some words are said", "said"),
        Key(
            "filter_answered",
            "o",
            "filter_answered",
            "Browse",
            "o",
            "only open clips, only answered ones, both",
            "open",
        ),
        Key("filter_nothing", "0", "filter_nothing", "Browse", "0", "every clip again", "all"),
        Key("take_first", "enter", "take(1)", "Browse", "Enter", "take the first label shown", "first"),
        *_LIST,
        *_ANSWER,
        *_LISTEN,
        *_ROOM,
    ),
    (
        *("filter_text", "filter_label", "filter_answered", "filter_nothing", "up", "take_1", "find", "undo", "help"),
        *("play", "like", "filter_said", "ask", "review", "leave", "note", "loop", "contrast", "train"),
    ),
)

SPANS = Way(
    "spans",
    "Whole recording",
    "A long recording, to scroll and zoom in; spans are marked and labelled in it.",
    (
        Key("mark_in", "i", "mark_in", "Mark", "i", "the span begins here", "in"),
        Key("mark_out", "o", "mark_out", "Mark", "o", "the span ends here", "out"),
        Key(
            "nudge_left", "less_than_sign,shift+left", "nudge(-1)", "Mark", "< >", "by a column, with the end it is on"
        ),
        Key("nudge_right", "greater_than_sign,shift+right", "nudge(1)", "Mark", "", ""),
        Key("to_in", "I", "to_end(False)", "Mark", "I O", "to the span's beginning, to its end"),
        Key("to_out", "O", "to_end(True)", "Mark", "", ""),
        Key("band", "f", "band", "Mark", "f", "a band: ↑ ↓ move its top, f again its bottom", "band"),
        Key("no_band", "F", "no_band", "Mark", "F", "no band"),
        Key("following", "tab", "jump(1)", "Mark", "Tab", "the next label or suggestion", "next"),
        Key("previous", "shift+tab", "jump(-1)", "Mark", "⇧Tab", "the one before"),
        Key("zoom_in", "up", "rise(1)", "Look", "↑ ↓", "zoom in and out", "zoom"),
        Key("zoom_out", "down", "rise(-1)", "Look", "", ""),
        Key("window_back", "pageup", "page(-1)", "Look", "PgUp PgDn", "a window back, a window on"),
        Key("window_on", "pagedown", "page(1)", "Look", "", ""),
        Key("beginning", "home", "end(False)", "Look", "Home End", "the recording's beginning, its end"),
        Key("ending", "end", "end(True)", "Look", "", ""),
        Key("take_first", "enter", "take(1)", "Answer", "Enter", "take the first label shown", "first"),
        *(key for key in _ANSWER if key.name not in ("bad_audio", "drop")),
        Key("drop", "escape", "drop", "Answer", "Esc", "forget what was begun, then the mark, then go back"),
        Key("replay", "r", "replay", "Listen", "r", "play the marked span alone, or what is seen", "span"),
        Key("loop", "l", "loop", "Listen", "l", "loop the marked span, or what is seen", "loop"),
        Key("back", "left", "seek(-1)", "Listen", "← →", "back and forward"),
        Key("forward", "right", "seek(1)", "Listen", "", ""),
        *(key for key in _LISTEN if key.name not in ("replay", "loop", "back", "forward", "autoplay")),
        Key("autoplay", "p", "autoplay", "Listen", "p", "play what Tab goes to, or not"),
        Key("return", "w", "app.return", "Room", "w", "back to where you came from", "back"),
        *(key for key in _ROOM if key.name not in ("whole", "like")),
    ),
    (
        *("mark_in", "mark_out", "take_1", "find", "replay", "following", "zoom_in", "undo", "help", "play", "return"),
        *("band", "loop", "absent", "leave", "note", "contrast", "train"),
    ),
)

MAPPING = Way(
    "mapping",
    "Mapping",
    "Which of a borrowed ear's classes suggest which label, beside how they agree with the answers so far.",
    (
        Key("add_class", "a", "add", "Mapping", "a", "add a class to the label", "add"),
        Key("remove_class", "x,delete", "remove", "Mapping", "x", "take the class away", "remove"),
        Key(
            "accept_proposal", "enter", "propose", "Mapping", "Enter", "accept what is proposed for the label", "accept"
        ),
        Key("accept_all", "P", "propose_all", "Mapping", "P", "accept what is proposed for all labels", "all"),
        *(replace(key, tells=_LINES.get(key.name, key.tells), hint=key.hint and "line") for key in _LIST),
        Key("close_mapping", "escape,q,M", "close", "Mapping", "Esc", "back; the ear suggests anew", "back"),
        *(key for key in _LISTEN if key.name == "theme"),
        *(key for key in _ROOM if key.name == "help"),
    ),
    ("add_class", "remove_class", "accept_proposal", "accept_all", "up", "close_mapping", "help"),
)

WAYS: tuple[Way, ...] = (ASK, SWEEP, CLUSTERS, REVIEW, BROWSE, SPANS, MAPPING)
"""Every way to work, in the order of the help."""
