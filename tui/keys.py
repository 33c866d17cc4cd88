"""The room's keys: one table that the bindings, the help and the line of hints are made from."""

from __future__ import annotations

from dataclasses import dataclass

from textual.binding import Binding, BindingType


@dataclass(frozen=True, slots=True)
class Key:
    """A key (Textual's names, several parted by commas), the action it runs, and its line of help.

    `shown` is how the help names the key.
    """

    keys: str
    action: str
    shown: str
    group: str
    tells: str


KEYS: tuple[Key, ...] = (
    Key("enter", "take(1)", "Enter", "Answer", "take the first label shown"),
    *(
        Key(str(digit), f"take({digit})", "1 - 9" if digit == 1 else "", "Answer", "take the label with that digit")
        for digit in range(1, 10)
    ),
    Key("slash", "find", "/", "Answer", "find a label, or make one"),
    Key("n", "none_of_these", "n", "Answer", "none of the labels is heard"),
    Key("x", "cannot_tell", "x", "Answer", "unsure: it cannot be told"),
    Key("b", "bad_audio", "b", "Answer", "bad audio: do not ask again"),
    Key("s", "skip", "s", "Answer", "skip, ask at the end; after m, a: go on"),
    Key("m", "also", "m + label", "Answer", "it is that too: say it and stay"),
    Key("a", "absent", "a + label", "Answer", "it is not that: say it and stay"),
    Key("u", "undo", "u", "Answer", "take the last answer back"),
    Key("U", "redo", "U", "Answer", "say again what was taken back last"),
    Key("escape", "drop", "Esc", "Answer", "forget m or a; put a warning away"),
    Key("space", "toggle_play", "Space", "Listen", "play or pause"),
    Key("r", "replay", "r", "Listen", "play from the beginning"),
    Key("l", "loop", "l", "Listen", "loop, without a gap"),
    Key("left", "seek(-1)", "← →", "Listen", "back and forward"),
    Key("right", "seek(1)", "", "Listen", ""),
    Key("left_square_bracket", "faster(-1)", "[ ]", "Listen", "slower and faster, 0.5 to 2"),
    Key("right_square_bracket", "faster(1)", "", "Listen", ""),
    Key("minus", "louder(-1)", "- +", "Listen", "quieter and louder, by 3 dB"),
    Key("plus,equals_sign", "louder(1)", "", "Listen", ""),
    Key("p", "autoplay", "p", "Listen", "play each clip as it appears, or not"),
    Key("c", "contrast", "c", "Look", "contrast of the picture"),
    Key("comma", "brighten(-1)", ", .", "Look", "darker and brighter: faint events show"),
    Key("full_stop", "brighten(1)", "", "Look", ""),
    Key("T", "theme", "T", "Look", "dark or light"),
    Key("t", "train", "t", "Room", "train a model now, behind the screen"),
    Key("question_mark,f1", "help", "?", "Room", "this page"),
    Key("q,ctrl+c", "leave", "q", "Room", "leave; every answer is on the disk already"),
)

HINTS: tuple[tuple[str, str], ...] = (
    ("⏎", "first"),
    ("1-9", "take"),
    ("/", "find"),
    ("n", "none"),
    ("x", "unsure"),
    ("b", "bad"),
    ("s", "skip"),
    ("u", "undo"),
    ("?", "keys"),
    ("space", "play"),
    ("q", "leave"),
    ("m", "also"),
    ("a", "not"),
    ("r", "replay"),
    ("l", "loop"),
    ("c", "contrast"),
    ("t", "train"),
)
"""What the line at the bottom tells, in the order it is given room."""


def bindings() -> list[BindingType]:
    """Return the table as Textual bindings."""
    return [Binding(key.keys, key.action, key.tells, show=False) for key in KEYS]


def groups() -> dict[str, list[Key]]:
    """Return the keys that have a line of help, by group."""
    grouped: dict[str, list[Key]] = {}
    for key in KEYS:
        if key.shown:
            grouped.setdefault(key.group, []).append(key)
    return grouped
