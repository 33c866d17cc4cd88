"""The labels of the project: their keys, colours and counts; renaming, merging, splitting, retiring, defining."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from rich.cells import cell_len
from textual import work
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Static

from labeltool.annotation.label_overview import use_of
from labeltool.errors import LabeltoolError
from labeltool.records import label_name
from labeltool.store import Store, journal
from labeltool.store import labels as stored
from labeltool.store.label_acts import changes, split_queue
from labeltool.store.label_acts.split_queue import Split
from labeltool.store.labels import COLOURS, LABEL_KEYS, ProjectLabel
from labeltool.tui.background.store_thread import attempt
from labeltool.tui.dialogs.palette import Palette
from labeltool.tui.dialogs.prompts import Box, Confirm, KeyPrompt, TextPrompt, ask
from labeltool.tui.keymap import action_on, label_key_names, remapped
from labeltool.tui.keys import LABEL
from labeltool.tui.services import Services
from labeltool.tui.text import fit, truncate
from labeltool.tui.theme import label_colour
from labeltool.tui.widgets.lists.select_list import SelectList
from labeltool.util.counted import counted

_HELP = "k key  c colour  r rename  m merge  s split  d define  x retire  Del delete  u undo"
_LABEL_CELLS, _OTHER_CELLS = 30, 16
_KEYS = "1-9 0 e h j y z D G H J Q V W X Y Z"


class LabelsScreen(Box[bool]):
    """Opened by F3; returns whether labels were changed.

    `k`, then a key, gives the selected label that key; the label that has it gets the former one.
    """

    BOX = "labels"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f3,q", "close", "close", show=False),
        Binding("down", "move(1)", "next", show=False),
        Binding("up", "move(-1)", "previous", show=False),
        Binding("pagedown", "move(10)", "further", show=False),
        Binding("pageup", "move(-10)", "back", show=False),
        Binding("home", "move(-9999)", "first", show=False),
        Binding("end", "move(9999)", "last", show=False),
        Binding("k,enter", "set_key", "key", show=False),
        Binding("c", "next_colour", "colour", show=False),
        Binding("r", "rename", "rename", show=False),
        Binding("m", "merge", "merge", show=False),
        Binding("s", "split", "split", show=False),
        Binding("d", "define", "define", show=False),
        Binding("x", "retire", "retire", show=False),
        Binding("delete", "delete", "delete", show=False),
        Binding("u", "undo", "undo", show=False),
    ]

    def __init__(self, services: Services) -> None:
        self._rows = LabelRows(services, id="labels-rows")
        self._status = Static(Content(_HELP), id="labels-status")
        super().__init__("Labels", self._rows, self._status)
        self._services = services
        self._changed = False
        self.split: Split | None = None  # to go on with after closing
        self._acts = 0  # rows of the journal that were made here and not undone

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Return whether a key does something: most need a label."""
        return self._rows.count > 0 or action in ("close", "move", "undo")

    def on_mount(self) -> None:
        """Read the labels: another annotator may have changed them."""
        self._change(self._read_left, "", _HELP)

    def action_set_key(self) -> None:
        selected = self._rows.selected
        name, view = truncate(selected.name, _LABEL_CELLS), remapped(LABEL, self._services.keymap)

        def set_key(key: str) -> None:
            if key not in LABEL_KEYS or key not in label_key_names(view):
                used = action_on(view, key)
                what = f"is for {used.name.replace('_', ' ')}" if used is not None else "is no key of a label"
                self._show(f"{key} {what}; choose {_KEYS}")
            else:
                other = next((label.name for label in self._services.state.labels if label.key == key), selected.name)
                done = f"{key} gives {name} now"
                if other != selected.name:
                    done += f", {selected.key or 'no key'} {truncate(other, _OTHER_CELLS)}"
                self._change(lambda store: stored.set_key(store, selected.name, key), selected.name, done)

        has = f"it has {selected.key}" if selected.key else "it has none"
        lines = (
            f"Press the new key of {name}; {has}.",
            "A label that has the key already gets this one's.",
            f"Keys of labels: {_KEYS}.",
        )
        ask(self.app, KeyPrompt(*lines), set_key)

    def action_next_colour(self) -> None:
        selected = self._rows.selected
        place = COLOURS.index(selected.colour) + 1 if selected.colour else 0
        colour = COLOURS[place % len(COLOURS)]
        self._change(lambda store: stored.set_colour(store, selected.name, colour), selected.name, _HELP)

    def action_rename(self) -> None:
        """Rename the selected label; it keeps its key."""
        selected = self._rows.selected

        def rename(name: str) -> None:
            if name.strip() not in ("", selected.name):
                known = label_name(name) in [label.name for label in self._services.state.labels]
                change = self._merge if known else self._rename
                change(selected.name, label_name(name) if known else name)

        title = f"New name of {truncate(selected.name, _LABEL_CELLS)}"
        ask(self.app, TextPrompt(title, selected.name), rename)

    def action_merge(self) -> None:
        """Merge the selected label into another, which keeps its key."""
        old = self._rows.selected.name
        others = [label.name for label in self._services.state.labels if label.name != old]
        title = f"Merge {truncate(old, _LABEL_CELLS)} into which label?"
        ask(self.app, Palette(title, others, allows_new=False), lambda new: self._merge(old, new))

    def action_retire(self) -> None:
        """Retire the selected label, after its clips were shown where it has some."""
        label, annotator = self._rows.selected.name, self._services.session.annotator
        name, count = truncate(label, _LABEL_CELLS), self._services.state.label_counts.get(label, 0)
        done = f"{name} is retired; u brings it back"

        def retire() -> None:
            self._act(lambda store: changes.retire(store, label, annotator=annotator), "", done)

        if count:
            text = f"Retire {name}? It is no longer offered, nor trained on; {counted(count, 'clip')} keep it."
            self._ask("Retire a label", text, retire)
        else:
            retire()

    @work(group="labels")
    async def action_delete(self) -> None:
        """Undo every annotation with the selected label, after they were counted."""
        label, annotator = self._rows.selected.name, self._services.session.annotator
        name = truncate(label, _LABEL_CELLS)
        use = await attempt(self._services.reader.do(lambda store: use_of(store, label)), self._show)
        if use is None:
            return
        people = truncate(", ".join(use.annotators) or "nobody", _LABEL_CELLS)
        text = f"Delete {name}? {counted(use.annotations, 'annotation')} by {people} no longer count."
        done = f"{name} is deleted; u undoes it"

        def delete() -> None:
            self._act(lambda store: changes.delete(store, label, annotator=annotator), "", done)

        self._ask("Delete a label", text, delete)

    def action_define(self) -> None:
        selected, annotator = self._rows.selected, self._services.session.annotator
        label = selected.name

        def define(text: str) -> None:
            if text.strip() != selected.definition:
                self._act(lambda store: changes.define(store, label, text, annotator=annotator), label, _HELP)

        title = f"What is {truncate(label, _LABEL_CELLS)}, in a sentence?"
        ask(self.app, TextPrompt(title, selected.definition, selected=False), define)

    @work(group="labels")
    async def action_split(self) -> None:
        """Go on with the split of the selected label, or begin one."""
        label = self._rows.selected.name
        name = truncate(label, _LABEL_CELLS)
        splits = await attempt(self._services.reader.do(split_queue.splits), self._show)
        split = next((one for one in splits or () if one.label == label), None)
        if split is not None and split.left:
            self._open(split)
        if splits is None or (split is not None and split.left):
            return

        def confirm(text: str) -> None:
            try:
                names = changes.new_names(text.split(","))
            except LabeltoolError as error:
                self._show(str(error))
                return
            if names:
                count = self._services.state.label_counts.get(label, 0)
                into = truncate(", ".join(names), 2 * _LABEL_CELLS)
                text = f"Label {counted(count, 'clip')} of {name} again as {into}?"
                self._ask("Split a label", text, lambda: self._split(label, names))

        ask(self.app, TextPrompt(f"New names in place of {name}, with commas between"), confirm)

    @work(group="labels")
    async def _split(self, label: str, names: Sequence[str]) -> None:
        annotator = self._services.session.annotator
        found: list[Split | None] = []

        def split(store: Store) -> None:
            changes.split(store, label, names, annotator=annotator)
            found.append(split_queue.find_split(store, label))

        if await self._write(split) and found[0] is not None:
            self._open(found[0])

    def _open(self, split: Split) -> None:
        self.split = split
        self.action_close()

    def _ask(self, title: str, text: str, act: Callable[[], object]) -> None:
        ask(self.app, Confirm(title, (text, "u undoes it.")), lambda _: act())

    def action_undo(self) -> None:
        if self._acts:
            self._acts -= 1
            annotator = self._services.session.annotator

            def undo(store: Store) -> None:
                journal.undo(store, annotator=annotator)
                self._read_left(store)

            self._change(undo, "", _HELP)

    def _merge(self, old: str, new: str) -> None:
        """Rename a label to another, where that is wanted."""
        counts = self._services.state.label_counts
        of_old, of_new = (counted(counts.get(name, 0), "clip") for name in (old, new))
        old_name, new_name = truncate(old, _LABEL_CELLS), truncate(new, _LABEL_CELLS)
        text = f"Merge {of_old} of {old_name} into {new_name}, which has {of_new}?"
        self._ask("Merge labels", text, lambda: self._rename(old, new))

    def _rename(self, old: str, new: str) -> None:
        annotator = self._services.session.annotator
        done = f"{old} → {new}; u undoes it"
        self._act(lambda store: stored.rename(store, old, new, annotator=annotator), label_name(new), done)

    def _act(self, act: Callable[[Store], object], selected: str, done: str) -> None:
        """Do something to labels that `u` undoes, and select one."""

        def count(store: Store) -> None:
            act(store)
            self._acts += 1
            self._read_left(store)

        self._change(count, selected, done)

    @work(group="labels")
    async def _change(self, change: Callable[[Store], None], selected: str, done: str) -> None:
        """Change labels, and select one."""
        if await self._write(change):
            self._rows.select(selected)
            self._show(done)

    async def _write(self, change: Callable[[Store], None]) -> bool:
        state = self._services.state
        changed = await attempt(self._services.session.change_labels(change), self._show)
        if changed is not None:
            labels, counts = changed
            self._changed |= list(labels) != list(state.labels)
            state.labels = labels
            state.set_counts(counts)
        return changed is not None

    def _read_left(self, store: Store) -> None:
        self._rows.left = {split.label: len(split.left) for split in split_queue.splits(store) if split.left}

    def _show(self, text: str) -> None:
        self._status.update(Content(text))

    def action_close(self) -> None:
        self.dismiss(self._changed)


class LabelRows(SelectList):
    """Shows one line for each label: those with a key first, in the order of the keys."""

    def __init__(self, services: Services, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._state = services.state
        # Clips that are still to be labelled again, of labels that are being split.
        self.left: Mapping[str, int] = {}

    @property
    def _labels(self) -> list[ProjectLabel]:
        return sorted(
            self._state.labels, key=lambda label: LABEL_KEYS.index(label.key) if label.key else len(LABEL_KEYS)
        )

    @property
    def count(self) -> int:
        return len(self._state.labels)

    @property
    def selected(self) -> ProjectLabel:
        """The selected label, where there is one."""
        return self._labels[self.place]

    def select(self, name: str) -> None:
        """Select a label; one of no such name leaves the place selected."""
        names = [label.name for label in self._labels]
        self.move_to(names.index(name) if name in names else self.place)

    def empty(self) -> Content:
        return Content.styled("No labels yet", "$quiet")

    def line(self, place: int, width: int) -> Content:
        label = self._labels[place]
        clips = self._state.label_counts.get(label.name, 0)
        count = f"{clips:,}"
        colour = fit(label.colour, max(len(name) for name in COLOURS))
        name_cells = width - cell_len(colour) - 16
        style = "bold reverse $accent" if place == self.place else "$foreground" if clips else "$quiet"
        name = f"{label.name} < {label.parent}" if label.parent else label.name
        if label.name in self.left:
            name += f" (split: {self.left[label.name]:,} left)"
        return Content.assemble(
            (f" {label.key or ' '} ", "bold $accent"),
            ("▌" if label.colour else " ", label_colour(label.colour, dark=self.app.current_theme.dark)),
            (fit(name, name_cells), style),
            (f" {count:>9} ", "$foreground"),
            (colour, "$quiet"),
        )
