"""Class mapping: which classes of a pretrained model suggest which label, and how well they agree with the labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from textual import work
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Static

from labeltool.errors import LabeltoolError
from labeltool.pretrained import class_mapping, class_names, registry
from labeltool.pretrained.card import read_card
from labeltool.pretrained.class_mapping import LabelMapping
from labeltool.project import Project
from labeltool.store import Store, clips
from labeltool.tui.dialogs.palette import Palette
from labeltool.tui.dialogs.prompts import ask
from labeltool.tui.keys import CLASS_MAPPING
from labeltool.tui.screens.frame import ViewScreen
from labeltool.tui.services import Services
from labeltool.tui.text import fit, truncate
from labeltool.tui.widgets.lists.clip_list import ClipList, Part

if TYPE_CHECKING:
    from labeltool.pretrained.project_classes import AgreementResult, LabelAgreement

_RETRY_S = 0.5
# A class agrees with a label when it is predicted in half of the label's clips, and three times as often as elsewhere.
_MIN_RECALL, _MIN_LIFT = 0.5, 3.0
_NO_MODEL = (
    "No pretrained model with classes is here.",
    "",
    "Its classes, for example “Bark” and “Howl”, suggest the project's labels, here “dog”.",
    "`labeltool model fetch yamnet` fetches one of 4 MB, `labeltool model add` takes a file.",
    "",
)
_REASONS = {"by hand": "from the file", "by name": "by name", "by answers": "by agreement", "none": ""}


def mapped_model(project: Project) -> str | None:
    """Return the pretrained model to map: that of the settings, else the first in the registry that has classes."""
    names = [name for name in registry.names(project) if read_card(registry.folder(project, name)).classes]
    chosen = project.settings.learning.pretrained
    return chosen if chosen in names else next(iter(names), None)


@dataclass(frozen=True, slots=True)
class _Line:
    """A label, or below it a class by its index; `proposed` where the class is not mapped."""

    label: str
    place: int | None = None
    proposed: bool = False


class ClassMappingScreen(ViewScreen):
    """Shows the labels, and below each the classes that suggest it."""

    BINDINGS = CLASS_MAPPING.bindings()

    def __init__(self, services: Services, on_change: Callable[[], None]) -> None:
        super().__init__(services, CLASS_MAPPING)
        self.lines = ClipList(lambda at, width: [self._draw(at, width)], id="mapping")
        self._title = Static(id="clips-title")
        offers = self.offers(("fetch_pretrained", "fetch YAMNet now"), ("label", "label clips, which needs none"))
        self._empty = Static(Content("\n".join([*_NO_MODEL, *offers])), id="mapping-empty")
        self._on_change = on_change
        self._pretrained = ""
        self._folder = Path()
        self._names: Sequence[str] = ()
        self._mapped: dict[str, LabelMapping] = {}
        self._shown: list[_Line] = []
        self._agreement: AgreementResult | None = None  # before it was measured
        self._start_later = True
        self._changed = False

    def compose_body(self) -> ComposeResult:
        yield self._title
        yield self._empty
        yield self.lines

    def on_mount(self) -> None:
        """Wait for the process that measures the agreement."""
        self.set_interval(_RETRY_S, self._start_if_free)

    def enter(self) -> None:
        """Read the mapping, and start to measure how it agrees with the labels."""
        super().enter()
        self.reload()

    def reload(self) -> None:
        """Look for the pretrained model again, and read its mapping."""
        try:
            self._pretrained = mapped_model(self.services.project) or ""
            if self._pretrained:
                self._folder = registry.folder(self.services.project, self._pretrained)
                self._names = read_card(self._folder).classes
        except LabeltoolError as error:
            self._pretrained = ""
            self.notice.warn(str(error))
        self._empty.display, self.lines.display = not self._pretrained, bool(self._pretrained)
        self._start_later = True
        self._start_if_free()
        if self._pretrained:
            self._read()

    def leave(self) -> None:
        """Let the changed mapping suggest labels."""
        if self._changed:
            self._changed = False
            self._on_change()

    def _start_if_free(self) -> None:
        if self._start_later and self._pretrained:
            self._start_later = not self.services.class_agreement.start(name=self._pretrained)

    def show_agreement(self, agreement: AgreementResult) -> None:
        self._agreement = agreement
        self._read()

    @property
    def _figures(self) -> Mapping[str, LabelAgreement]:
        return self._agreement.labels if self._agreement is not None else {}

    # -- the screen

    @work(exclusive=True, group="mapping")
    async def _read(self) -> None:
        await self._change(lambda labels: None)

    async def _change(self, change: Callable[[Sequence[str]], None]) -> bool:
        """Change the file, read it again and show it; False where that failed."""

        def read(store: Store) -> list[LabelMapping]:
            labels = clips.label_names(store)
            change(labels)
            by_hand = class_mapping.read_mapping(self._folder, self._names)
            figures = self._figures
            by_name = class_mapping.propose_mapping(self._names, [name for name in labels if name not in figures])
            proposed = {one.label: one for one in by_name}
            proposed |= {name: LabelMapping(name, one.proposed, one.source) for name, one in figures.items()}
            return [
                LabelMapping(name, by_hand[name], "by hand") if name in by_hand else proposed[name] for name in labels
            ]

        mapping = await self.attempt(self.services.reader.do(read))
        if mapping is None:
            return False
        self._mapped = {one.label: one for one in mapping}
        selected, place = self._selected, self.lines.place
        self._shown = [line for one in mapping for line in self._lines_of(one)]
        at = self._shown.index(selected) if selected in self._shown else min(place, max(0, len(self._shown) - 1))
        self.lines.show(range(len(self._shown)), at=at)
        return True

    def _lines_of(self, one: LabelMapping) -> list[_Line]:
        figures = self._figures.get(one.label)
        proposed = figures.proposed if figures is not None else ()
        return [
            _Line(one.label),
            *(_Line(one.label, place) for place in one.classes),
            *(_Line(one.label, place, proposed=True) for place in proposed if place not in one.classes),
        ]

    @property
    def _selected(self) -> _Line | None:
        at = self.lines.clip_id
        return self._shown[at] if at is not None and at < len(self._shown) else None

    def on_clip_list_moved(self) -> None:
        """Show the model's name, and from how many clips the agreement is."""
        if not self._pretrained:
            self._title.update(Content.styled(self.view.title, "bold $foreground"))
            return
        pretrained, count = truncate(self._pretrained, 24), len(self._names)
        if not self._mapped:
            status = "no labels yet: label a few clips first"
        elif self._agreement is None:
            status = "predicting the labelled clips …"
        else:
            status = f"compared with {self._agreement.clips:,} labelled clips"
        head = f"Class mapping   {pretrained}, {count:,} classes   "
        self._title.update(Content.assemble((head, "bold $foreground"), (status, "$quiet")))

    def _draw(self, at: int, width: int) -> Sequence[Part]:
        if at >= len(self._shown):
            return [(" " * width, "")]
        line = self._shown[at]
        figures = self._figures.get(line.label)
        name_cells = max(12, width * 2 // 5)
        if line.place is None:
            one = self._mapped[line.label]
            text = _REASONS[one.reason] if one.classes else "no class suggests it"
            if figures is not None:
                text += f" · {figures.clips:,} clips" if text else f"{figures.clips:,} clips"
            return [(fit(line.label, name_cells), "bold $foreground"), (fit(text, width - name_cells), "$quiet")]
        mark, style = ("+ ", "$quiet") if line.proposed else ("  ", "$foreground")
        text, text_style = self._figures_of(line.place, figures)
        if line.proposed:
            text = f"proposed; {text}"
        name = fit(self._names[line.place], name_cells - 4)
        return [("  ", ""), (mark, "$accent"), (name, style), (fit(text, width - name_cells), text_style)]

    def _figures_of(self, place: int, figures: LabelAgreement | None) -> tuple[str, str]:
        """Return in how many clips of a label and of others a class is predicted, and the text's colour."""
        if figures is None:
            return "", "$quiet"
        elsewhere, others = self._elsewhere(place, figures)
        predicted = f"predicted in {figures.detections[place]:,} of its {figures.clips:,}"
        text = f"{predicted}, in {elsewhere:,} of {others:,} others"
        if not figures.clips:
            return text, "$quiet"
        share, share_elsewhere = self._shares(place, figures)
        agrees = share >= _MIN_RECALL and share >= _MIN_LIFT * share_elsewhere
        return text, "$success" if agrees else "$warning"

    def _elsewhere(self, place: int, figures: LabelAgreement) -> tuple[int, int]:
        """Return in how many clips without a label a class is predicted, and how many there are."""
        assert self._agreement is not None
        return self._agreement.detections[place] - figures.detections[place], self._agreement.clips - figures.clips

    def _shares(self, place: int, figures: LabelAgreement) -> tuple[float, float]:
        elsewhere, others = self._elsewhere(place, figures)
        return figures.detections[place] / max(1, figures.clips), elsewhere / max(1, others)

    # -- changes

    def action_add(self) -> None:
        line = self._selected
        if line is None:
            return
        label, mapped = line.label, self._mapped[line.label].classes

        names = dict.fromkeys(self._names[place] for place in self._ranked_classes(label) if place not in mapped)
        palette = Palette(f"Which class suggests {truncate(label, 24)}?", list(names), allows_new=False)
        ask(self.app, palette, lambda name: self._put(label, (*mapped, self._names.index(name))))

    def _ranked_classes(self, label: str) -> Sequence[int]:
        """Return all classes: those proposed, those predicted most in the label's clips, then in the model's order."""
        places = range(len(self._names))
        figures = self._figures.get(label)
        if figures is None:
            named = class_names.classes_by_name(self._names, label)
            return sorted(places, key=lambda place: place not in named)

        def order(place: int) -> tuple[bool, float]:
            share, elsewhere = self._shares(place, figures)
            return place not in figures.proposed, min(0.0, elsewhere - share)

        return sorted(places, key=order)

    def action_remove(self) -> None:
        line = self._selected
        if line is None or line.place is None or line.proposed:
            self.notice.show("select a mapped class to remove it")
            return
        self._put(line.label, [place for place in self._mapped[line.label].classes if place != line.place])

    def action_accept(self) -> None:
        """Accept the proposal: the selected class, or on a label all its classes."""
        line = self._selected
        if line is None:
            return
        mapped = self._mapped[line.label]
        figures = self._figures.get(line.label)
        if line.proposed and line.place is not None:
            self._put(line.label, (*mapped.classes, line.place))
        elif figures is not None and figures.proposed:
            self._put(line.label, figures.proposed)
        elif mapped.classes:
            self._put(line.label, mapped.classes)
        else:
            self.notice.show("no proposal for this label: a adds a class")

    @work(group="mapping-change")
    async def action_accept_all(self) -> None:
        """Accept the proposals for every label that the file does not map."""
        mapping = list(self._mapped.values())
        if await self._change(lambda labels: self._write(mapping)):
            self.notice.show(f"saved: {class_mapping.MAPPING_FILE}")

    def _write(self, mapping: Sequence[LabelMapping]) -> None:
        self._changed = class_mapping.add_to_mapping(self._folder, self._names, mapping) or self._changed

    @work(group="mapping-change")
    async def _put(self, label: str, places: Sequence[int]) -> None:
        def put(labels: Sequence[str]) -> None:
            class_mapping.set_mapping(self._folder, self._names, label, places)
            self._changed = True

        if await self._change(put):
            names = ", ".join(self._names[place] for place in places)
            self.notice.show(f"{label}: {names or 'no class suggests it'}")

    # -- moving

    def action_move(self, lines: int) -> None:
        self.lines.move(lines)

    def action_page(self, pages: int) -> None:
        self.lines.move_pages(pages)

    def action_end(self, last: bool) -> None:
        self.lines.move_to_end(last=last)
