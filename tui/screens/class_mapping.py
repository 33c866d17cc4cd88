"""Mapping: which of a borrowed ear's classes suggest which label, beside how they agree with the answers so far."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from textual import work
from textual.app import ComposeResult
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from labeltool.errors import LabeltoolError
from labeltool.pretrained import class_mapping, registry
from labeltool.pretrained.card import read_card
from labeltool.pretrained.class_mapping import Mapped
from labeltool.project import Project
from labeltool.store import Store, clips
from labeltool.tui.background.class_agreement import Agreement, LabelFigures
from labeltool.tui.keymap import remapped
from labeltool.tui.keys import MAPPING
from labeltool.tui.screens.help import Help
from labeltool.tui.screens.palette import Palette
from labeltool.tui.services import Services
from labeltool.tui.text import clip, fit
from labeltool.tui.widgets.clip_list import ClipList, Part
from labeltool.tui.widgets.key_hints import Hints
from labeltool.tui.widgets.notice import Notice

_ASK_AGAIN_S = 0.5
# A class that is heard in half of a label's clips, and there three times as often as elsewhere, tells it from others.
_TELLING, _LIFT = 0.5, 3.0
_FROM = {"by hand": "as the file has it", "by name": "by name", "by answers": "by the answers", "none": ""}


def ear_of(project: Project) -> str | None:
    """Return whose classes are mapped: the ear of the settings, else the first on the shelf that has classes."""
    names = [name for name in registry.names(project) if read_card(registry.folder(project, name)).classes]
    chosen = project.settings.ear
    return chosen if chosen in names else next(iter(names), None)


@dataclass(frozen=True, slots=True)
class _Line:
    """A label, or beneath it the place of a class; `proposed` where that is not mapped."""

    label: str
    place: int | None = None
    proposed: bool = False


class MappingScreen(Screen[bool]):
    """Gives back whether anything was changed.

    Parameters
    ----------
    ear
        Whose classes.
    """

    BINDINGS = MAPPING.bindings()

    def __init__(self, services: Services, ear: str) -> None:
        super().__init__()
        self.services = services
        self.way = remapped(MAPPING, services.keymap)
        self.notice = Notice(id="notice")
        self.lines = ClipList(self._draw, id="mapping")
        self._title = Static(id="clips-title")
        self._ear = ear
        self._folder: Path = registry.folder(services.project, ear)
        self._names: Sequence[str] = read_card(self._folder).classes
        self._mapped: dict[str, Mapped] = {}
        self._shown: list[_Line] = []
        self._agreement = Agreement()
        self._wanted = True
        self._changed = False

    def compose(self) -> ComposeResult:
        """Lay the screen out."""
        yield self._title
        yield self.lines
        yield self.notice
        yield Hints(self.way, id="hints")

    def on_mount(self) -> None:
        """Read the mapping, and have it held against the answers."""
        self._read()
        self.set_interval(_ASK_AGAIN_S, self._ask)
        self._ask()

    def _ask(self) -> None:
        if self._wanted:
            self._wanted = not self.services.mapper.start(self._ear)

    def agreed(self, agreement: Agreement) -> None:
        """Show how the classes agree with the answers."""
        if agreement.failure:
            self.notice.warn(agreement.failure)
            return
        self._agreement = agreement
        self._read()

    # -- what is shown

    @work(exclusive=True, group="mapping")
    async def _read(self) -> None:
        await self._do(lambda labels: None)

    async def _do(self, change: Callable[[Sequence[str]], None]) -> bool:
        """Change the file, read what it has then, and show that; False where it could not be."""

        def read(store: Store) -> list[Mapped]:
            labels = clips.label_names(store)
            change(labels)
            by_hand = class_mapping.read(self._folder, self._names)
            figures = self._agreement.labels or {}
            unknown = class_mapping.proposed(self._names, [name for name in labels if name not in figures])
            proposed = {one.label: one for one in unknown} | {name: one.proposed for name, one in figures.items()}
            return [Mapped(name, by_hand[name], "by hand") if name in by_hand else proposed[name] for name in labels]

        try:
            found = await self.services.reader.do(read)
        except LabeltoolError as error:
            self.notice.warn(str(error))
            return False
        self._mapped = {one.label: one for one in found}
        here, place = self._here, self.lines.place
        self._shown = [line for one in found for line in self._lines_of(one)]
        at = self._shown.index(here) if here in self._shown else min(place, max(0, len(self._shown) - 1))
        self.lines.show(range(len(self._shown)), at=at)
        return True

    def _lines_of(self, one: Mapped) -> list[_Line]:
        figures = (self._agreement.labels or {}).get(one.label)
        proposed = figures.proposed.classes if figures is not None else ()
        return [
            _Line(one.label),
            *(_Line(one.label, place) for place in one.classes),
            *(_Line(one.label, place, proposed=True) for place in proposed if place not in one.classes),
        ]

    @property
    def _here(self) -> _Line | None:
        at = self.lines.clip_id
        return self._shown[at] if at is not None and at < len(self._shown) else None

    def on_clip_list_moved(self) -> None:
        """Tell whose classes these are, and of how many answers the figures are."""
        ear, count = clip(self._ear, 24), len(self._names)
        if not self._mapped:
            told = "no labels yet: answer a few clips first"
        elif self._agreement.labels is None:
            told = "listening to what was answered …"
        else:
            told = f"held against {self._agreement.clips:,} answered clips"
        head = f"Mapping   {ear}, {count:,} classes   "
        self._title.update(Content.assemble((head, "bold $foreground"), (told, "$quiet")))

    def _draw(self, at: int, width: int) -> Sequence[Part]:
        if at >= len(self._shown):
            return [(" " * width, "")]
        line = self._shown[at]
        figures = (self._agreement.labels or {}).get(line.label)
        long = max(12, width * 2 // 5)
        if line.place is None:
            one = self._mapped[line.label]
            told = _FROM[one.reason] if one.classes else "nothing suggests it"
            if figures is not None:
                told += f" · {figures.clips:,} clips" if told else f"{figures.clips:,} clips"
            return [(fit(line.label, long), "bold $foreground"), (fit(told, width - long), "$quiet")]
        mark, style = ("+ ", "$quiet") if line.proposed else ("  ", "$foreground")
        told, how = self._figures_of(line.place, figures)
        if line.proposed:
            told = f"proposed; {told}"
        name = fit(self._names[line.place], long - 4)
        return [("  ", ""), (mark, "$accent"), (name, style), (fit(told, width - long), how)]

    def _figures_of(self, place: int, figures: LabelFigures | None) -> tuple[str, str]:
        """Say in how many clips of a label and of others a class is heard, and in which colour."""
        if figures is None:
            return "", "$quiet"
        heard, others = figures.heard[place], self._agreement.clips - figures.clips
        elsewhere = self._agreement.heard[place] - heard
        told = f"heard in {heard:,} of its {figures.clips:,}, in {elsewhere:,} of {others:,} others"
        if not figures.clips:
            return told, "$quiet"
        return told, "$success" if self._tells(place, figures) else "$warning"

    def _tells(self, place: int, figures: LabelFigures) -> bool:
        share, elsewhere = self._shares(place, figures)
        return share >= _TELLING and share >= _LIFT * elsewhere

    def _shares(self, place: int, figures: LabelFigures) -> tuple[float, float]:
        heard = figures.heard[place]
        others = max(1, self._agreement.clips - figures.clips)
        return heard / max(1, figures.clips), (self._agreement.heard[place] - heard) / others

    # -- what is changed

    def action_add(self) -> None:
        """Find a class for the label."""
        here = self._here
        if here is None:
            return
        label, mapped = here.label, self._mapped[here.label].classes

        def take(name: str | None) -> None:
            if name is not None:
                self._put(label, (*mapped, self._names.index(name)))

        fitting = dict.fromkeys(self._names[place] for place in self._likely(label) if place not in mapped)
        self.app.push_screen(Palette(f"Which class suggests {clip(label, 24)}?", list(fitting), makes_new=False), take)

    def _likely(self, label: str) -> Sequence[int]:
        """Return all classes: what is proposed, then those heard there most, then as listed."""
        places = range(len(self._names))
        figures = (self._agreement.labels or {}).get(label)
        if figures is None:
            named = class_mapping.by_name(self._names, label)
            return sorted(places, key=lambda place: place not in named)

        def order(place: int) -> tuple[bool, float]:
            share, elsewhere = self._shares(place, figures)
            return place not in figures.proposed.classes, min(0.0, elsewhere - share)

        return sorted(places, key=order)

    def action_remove(self) -> None:
        """Take the highlighted class away from its label."""
        here = self._here
        if here is None or here.place is None or here.proposed:
            self.notice.tell("go to a class that is mapped to take it away")
            return
        self._put(here.label, [place for place in self._mapped[here.label].classes if place != here.place])

    def action_propose(self) -> None:
        """Accept what is proposed: the highlighted class, or on the label all of it."""
        here = self._here
        if here is None:
            return
        mapped = self._mapped[here.label]
        figures = (self._agreement.labels or {}).get(here.label)
        if here.proposed and here.place is not None:
            self._put(here.label, (*mapped.classes, here.place))
        elif figures is not None and figures.proposed.classes:
            self._put(here.label, figures.proposed.classes)
        elif mapped.classes:
            self._put(here.label, mapped.classes)
        else:
            self.notice.tell("nothing is proposed for it: a adds a class")

    @work(group="mapping-change")
    async def action_propose_all(self) -> None:
        """Accept what is proposed for every label of which the file says nothing."""
        found = list(self._mapped.values())
        if await self._do(lambda labels: self._write(found)):
            self.notice.tell(f"written down: {class_mapping.FILE}")

    def _write(self, found: Sequence[Mapped]) -> None:
        self._changed = class_mapping.write(self._folder, self._names, found) or self._changed

    @work(group="mapping-change")
    async def _put(self, label: str, places: Sequence[int]) -> None:
        def change(labels: Sequence[str]) -> None:
            class_mapping.put(self._folder, self._names, label, places)
            self._changed = True

        if await self._do(change):
            names = ", ".join(self._names[place] for place in places)
            self.notice.tell(f"{label}: {names or 'nothing suggests it'}")

    # -- moving, and leaving

    def action_move(self, lines: int) -> None:
        """Move the highlight."""
        self.lines.move(lines)

    def action_page(self, pages: int) -> None:
        """Move the highlight by what the screen shows."""
        self.lines.move_pages(pages)

    def action_end(self, last: bool) -> None:
        """Highlight the first or the last line."""
        self.lines.move_to_end(last=last)

    def action_help(self) -> None:
        """Show the keys."""
        self.app.push_screen(Help(self.way, []))

    def action_close(self) -> None:
        """Go back."""
        self.dismiss(self._changed)
