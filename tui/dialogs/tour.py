"""The tour: a few steps below the view, each of which waits for the key that it explains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from labeltool.tui.shared_keys import View

_END, _CLOSE = "Esc ends the tour", "Esc closes the list"


@dataclass(frozen=True, slots=True)
class _Step:
    """What is explained, `{name}` standing for the key of an action, and the actions whose keys lead on.

    `opens`: they open a dialog, whose end leads on.
    """

    text: str
    actions: Sequence[str]
    opens: bool = False


_STEPS = (
    _Step("{play} plays the clip and pauses it. Press it.", ("play",)),
    _Step(
        "{find_label} finds a label by a few letters, or makes a new one. Press it, type, Enter.",
        ("find_label",),
        opens=True,
    ),
    _Step(
        "{accept_first} accepts the first suggestion; each label has a key, at its left. Press either: it is stored.",
        ("accept_first", "label_"),
    ),
    _Step("{undo} undoes the last action, also tomorrow. Press it.", ("undo",)),
    _Step("The views are at the top, each with its key. {browse} lists every clip. Press it.", ("browse",)),
    _Step("{label} goes back to labelling. Press it.", ("label",)),
    _Step("{commands} finds any action by its name, {help} shows all keys, {quit} quits. Press {help}.", ("help",)),
)


class Tour:
    """The steps, with the keys of a view as the settings have them."""

    def __init__(self, view: View) -> None:
        self._keys = view.keys
        self._at = 0
        self._opened = False

    @property
    def over(self) -> bool:
        return self._at >= len(_STEPS)

    @property
    def text(self) -> str:
        """The step, its number, and how to end the tour; "" when it is over."""
        if self.over:
            return ""
        shown = {key.name: key.shown for key in self._keys}
        text, escape = _STEPS[self._at].text.format(**shown), _CLOSE if self._opened else _END
        return f"Tour {self._at + 1}/{len(_STEPS)}: {text}   {escape}"

    def press(self, pressed: str) -> bool:
        """Go on if a key is one that the step waits for; return whether the text changed."""
        actions = () if self.over else _STEPS[self._at].actions
        for key in self._keys:
            wanted = key.name in actions or ("label_" in actions and key.name.startswith("label_"))
            if wanted and pressed in key.keys.split(","):
                self._opened = _STEPS[self._at].opens
                self._at += not self._opened
                return True
        return False

    def close_dialog(self) -> bool:
        """Go on where the step waits for the end of its dialog; return whether it went on."""
        went_on, self._opened = self._opened, False
        self._at += went_on
        return went_on
