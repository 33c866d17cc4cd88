"""The settings: those of the project, written into its `labeltool.toml`, and the user's sound output."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from textual import work
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from labeltool import project as projects
from labeltool.errors import LabeltoolError
from labeltool.settings import ColourMap, Pixels, Settings, ThemeName
from labeltool.tui import keymap
from labeltool.tui.dialogs.commands import title_of
from labeltool.tui.dialogs.palette import Palette
from labeltool.tui.dialogs.prompts import Box, KeyPrompt, TextPrompt, ask
from labeltool.tui.keymap import is_label_key
from labeltool.tui.keys import VIEWS
from labeltool.tui.media.look import DB_RANGES
from labeltool.tui.media.player import Player, output_names
from labeltool.tui.services import Services
from labeltool.tui.text import fit
from labeltool.util.user_state import change_user_state, read_user_state

_TITLE_CELLS, _VALUE_CELLS = 36, 18
_SYSTEM = "the system's"
_RESTART = "after a restart"
_KEYS, _OUTPUT = "keys", "output"


@dataclass(frozen=True, slots=True)
class _Setting:
    """A setting of the file, its title, what it can be (nothing: a number), and when a change of it takes effect."""

    table: str
    name: str
    title: str
    choices: Sequence[object] = ()
    effect: str = ""

    def value(self, settings: Settings) -> object:
        return getattr(getattr(settings, self.table), self.name)


_SETTINGS = (
    _Setting("app", "theme", "Theme", tuple(ThemeName)),
    _Setting("app", "autoplay", "Play each clip when it appears", (True, False)),
    _Setting("app", "colour_map", "Colours of spectrograms", tuple(ColourMap)),
    _Setting("app", "db_range", "dB range of spectrograms (0: noise)", DB_RANGES),
    _Setting("app", "pixels", "Pixels of spectrograms", tuple(Pixels)),
    _Setting("learning", "retrain_after", "Train after N labels (0: never)"),
    _Setting("learning", "query_strategy", "Query strategy", ("",), "next training"),
)


class SettingsScreen(Box[None]):
    """Opened by F2; Escape closes it."""

    BOX, SUBTITLE = "settings", "Enter or ← → change   Esc closes"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f2,q", "dismiss(None)", "close", show=False),
        Binding("left", "step(-1)", "previous value", show=False, priority=True),
        Binding("right", "step(1)", "next value", show=False, priority=True),
    ]

    def __init__(self, services: Services, on_change: Callable[[Settings], None]) -> None:
        self._list = OptionList(id="settings-list", markup=False)
        self._notice = Static(id="settings-notice")
        super().__init__("Settings of this project, in labeltool.toml", self._list, self._notice)
        self._services = services
        self._settings = services.state.settings
        self._on_change = on_change
        self._output = read_user_state().output_device
        self._selected = ""

    def on_mount(self) -> None:
        ids = [setting.name for setting in _SETTINGS] + [_KEYS]
        # In a browser the page plays: its machine's output is not chosen here.
        ids += [_OUTPUT] if type(self._services.player) is Player else []
        self._list.add_options([Option(self._line(name), id=name) for name in ids])
        self._list.highlighted = 0

    def _line(self, name: str) -> Content:
        setting = next((one for one in _SETTINGS if one.name == name), None)
        if setting is not None:
            title, effect = setting.title, setting.effect
            value = _shown(setting.value(self._settings))
        elif name == _KEYS:
            title, effect, count = "Keys", _RESTART, len(self._settings.keys)
            value = f"{count} changed" if count else "as delivered"
        else:
            title, effect, value = "Sound output, in every project", "", self._output or _SYSTEM
        free = _VALUE_CELLS if effect else 2 * _VALUE_CELLS
        if name == self._selected:
            text = fit(title, _TITLE_CELLS) + fit(value, free) + fit(effect, _VALUE_CELLS)
            return Content.styled(text, "bold reverse $accent")
        return Content.assemble(
            (fit(title, _TITLE_CELLS), "$foreground"), (fit(value, free), "bold $accent"), (effect, "$quiet")
        )

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Show the selected setting as the lists of the app do, which is seen without colours too."""
        before, self._selected = self._selected, event.option_id or ""
        for name in filter(None, (before, self._selected)):
            self._redraw(name)

    async def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Change a setting: by the next value, or by a question."""
        name = event.option_id or ""
        if name == _KEYS:
            self._choose_action()
        elif name == _OUTPUT:
            self._choose_output()
        elif name == "query_strategy":
            self._choose_strategy()
        elif name == "retrain_after":
            self._ask_number(next(setting for setting in _SETTINGS if setting.name == name))
        else:
            await self.action_step(1)

    async def action_step(self, steps: int) -> None:
        """Give the selected setting its next or previous value; a number gets more or less by one."""
        option = self._list.highlighted
        setting = _SETTINGS[option] if option is not None and option < len(_SETTINGS) else None
        if setting is None or setting.name == "query_strategy":
            return
        value = setting.value(self._settings)
        if not setting.choices:
            assert isinstance(value, int)
            await self._write(setting.table, setting.name, value + steps)
            return
        # A value that a person wrote into the file need not be one of the choices.
        at = setting.choices.index(value) if value in setting.choices else -1
        chosen = setting.choices[(at + steps) % len(setting.choices)]
        await self._write(setting.table, setting.name, str(chosen) if isinstance(chosen, str) else chosen)

    async def _write(self, table: str, name: str, value: object) -> None:
        """Write a setting and let the app take it up; show why it cannot be."""
        project = self._services.project
        try:
            if table == _KEYS:
                keys = {**self._settings.keys, name: (str(value),)}
                keymap.read(replace(project, settings=replace(self._settings, keys=keys)))
            settings = await asyncio.to_thread(projects.write_setting, project, table, name, value)
        except LabeltoolError as error:
            self._notice.update(Content.styled(str(error), "$warning"))
            return
        self._settings = settings
        self._notice.update(Content.styled("saved", "$quiet"))
        self._on_change(settings)
        self._redraw(_KEYS if table == _KEYS else name)

    def _redraw(self, name: str) -> None:
        self._list.replace_option_prompt(name, self._line(name))

    def _ask_number(self, setting: _Setting) -> None:
        async def write(text: str) -> None:
            number = text.strip()
            await self._write(setting.table, setting.name, int(number) if number.isdecimal() else text)

        ask(self.app, TextPrompt(setting.title, _shown(setting.value(self._settings))), write)

    def _choose_strategy(self) -> None:
        from labeltool.active_learning.strategies import STRATEGIES, SUMMARIES  # only where it is asked for

        names = sorted(STRATEGIES, key=lambda name: name != "default")
        lines = {f"{name}: {SUMMARIES[name]}" if name in SUMMARIES else name: name for name in names}
        palette = Palette("Query strategy: which clips come first", list(lines), allows_new=False)
        ask(self.app, palette, lambda line: self._write("learning", "query_strategy", lines[line]))

    # -- the sound output

    @work(exclusive=True, group="output")
    async def _choose_output(self) -> None:
        palette = Palette("Sound output", [_SYSTEM, *await asyncio.to_thread(output_names)], allows_new=False)
        ask(self.app, palette, lambda name: self._use_output("" if name == _SYSTEM else name))

    @work(exclusive=True, group="output")
    async def _use_output(self, name: str) -> None:
        player = self._services.player
        await asyncio.to_thread(player.use_output, name)
        change_user_state(output_device=name)
        self._output = name
        self._notice.update(Content.styled(player.silent or "the sound goes there now", "$quiet"))
        self._redraw(_OUTPUT)

    # -- keys

    def _choose_action(self) -> None:
        actions = {
            title_of(key): key
            for view in VIEWS
            for key in view.keys
            if key.keys and title_of(key) and not is_label_key(key)
        }

        def ask_key(description: str) -> None:
            prompt, name = KeyPrompt(f"Press the new key: {description}"), actions[description].name
            ask(self.app, prompt, lambda pressed: self._write(_KEYS, name, pressed))

        ask(self.app, Palette("Another key for which action?", list(actions), allows_new=False), ask_key)


def _shown(value: object) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
