"""Labelling many clips of a list at once: those that are marked, as one action, after a question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from textual import work

from labeltool.annotation import listing
from labeltool.annotation.auto_accept import MAX_CLIPS
from labeltool.annotation.listing import ListedClip
from labeltool.records import Value
from labeltool.store.journal import AnnotationContext, JournalRow
from labeltool.tui.dialogs.prompts import Confirm, ask
from labeltool.tui.screens.annotate_base import Answer
from labeltool.tui.screens.list_base import ListScreen
from labeltool.tui.widgets.suggestions import LabelMode

_IN_WORDS = {Value.PRESENT: "with", Value.ABSENT: "as without", Value.UNSURE: "as unsure of"}


@dataclass(frozen=True, slots=True)
class _Relabelling:
    """Clips that get a verdict, with the labels it replaces on each, and those of them that are labelled."""

    label: str | None
    value: Value
    replaced: Mapping[int, Sequence[str]]
    labelled: frozenset[int]
    unchanged: int

    def question(self) -> list[str]:
        """Return what will be done, a line each."""
        text = f"{_IN_WORDS[self.value]} {self.label}" if self.label is not None else _whole_clip(self.value)
        lines = [f"Label {len(self.replaced):,} clips {text}?"]
        if others := sum(bool(names) for names in self.replaced.values()):
            lines.append(f"{others:,} of them have other labels, which are replaced.")
        if self.unchanged:
            lines.append(f"{self.unchanged:,} have it already and stay as they are.")
        return [*lines, "It is one action: u undoes all of it."]


class BulkRelabelScreen(ListScreen):
    """Shows a list of which clips can be marked; the keys for labels are then for all of them."""

    async def annotate(self, answer: Answer) -> None:
        """Label the marked clips after a question; without a mark, the selected clip."""
        marked = list(self.clips.marked_ids)
        if not marked:
            await super().annotate(answer)
        elif len(marked) > MAX_CLIPS:
            self.notice.warn(f"{len(marked):,} clips are marked; one action is at most {MAX_CLIPS:,}: filter the list")
        elif not self._is_repeat(answer.key):
            mode = LabelMode.LABEL if answer.label is None else self._mode
            self._set_mode(LabelMode.LABEL)
            value = Value.ABSENT if mode is LabelMode.ABSENT else answer.value
            replaces = answer.replaces and mode is LabelMode.LABEL and value is Value.PRESENT
            self._ask_for_all(marked, answer.label, value, replaces)

    @work(exclusive=True, group="relabel")
    async def _ask_for_all(self, marked: Sequence[int], label: str | None, value: Value, replaces: bool) -> None:
        listed = await self.attempt(self.services.reader.do(lambda store: listing.page(store, marked)))
        if listed is None:
            return
        wanted = _relabelling(listed, label, value, replaces=replaces)
        if wanted.replaced:
            ask(self.app, Confirm("Label the marked clips", wanted.question()), lambda _: self._relabel(wanted))
        else:
            self.notice.show(f"all {len(marked):,} marked clips have it already")

    @work(group="relabel")
    async def _relabel(self, wanted: _Relabelling) -> None:
        rows = await self.attempt(
            self.services.session.annotate_batch(
                wanted.label,
                dict.fromkeys(wanted.replaced, wanted.value),
                contexts={clip_id: AnnotationContext(instead_of=names) for clip_id, names in wanted.replaced.items()},
                response_ms=None,  # the time is not for one clip after the other: it is no annotation speed
                include_labelled=wanted.labelled,
            )
        )
        if rows is None:
            return
        done = {row.clip_id for row in rows}
        self._count_labels(rows)
        for names in wanted.replaced.values():
            for name in names:
                self.services.state.count_label(name, -1)
        self.services.state.labelled += len(done - wanted.labelled)
        missed = len(wanted.replaced) - len(done)
        self.header.refresh()
        self.clips.remove_mark()
        self.show_title()
        self.reload()
        elsewhere = f", {missed} labelled elsewhere meanwhile" if missed else ""
        text = wanted.label if wanted.label is not None else _whole_clip(wanted.value)
        self.notice.show(f"{len(done):,} clips: {text}{elsewhere}; u undoes all of it")

    def show_undone_batch(self, rows: Sequence[JournalRow]) -> None:
        """Read all lines again, and select the last clip of the action."""
        if len(rows) > 1:
            self._lines.clear()
        super().show_undone_batch(rows)
        self._read_lines()


def _relabelling(listed: Sequence[ListedClip], label: str | None, value: Value, *, replaces: bool) -> _Relabelling:
    replaced: dict[int, tuple[str, ...]] = {}
    for one in listed:
        others = tuple(name for name in one.present if name != label) if replaces else ()
        if others or label is None or label not in _labels_with(one, value):
            replaced[one.clip.id] = others
    labelled = frozenset(one.clip.id for one in listed if one.labelled and one.clip.id in replaced)
    return _Relabelling(label, value, replaced, labelled, len(listed) - len(replaced))


def _labels_with(listed: ListedClip, value: Value) -> tuple[str, ...]:
    return {Value.PRESENT: listed.present, Value.ABSENT: listed.absent, Value.UNSURE: listed.unsure}[value]


def _whole_clip(value: Value) -> str:
    return "with none of the labels" if value is Value.ABSENT else "as unsure"
