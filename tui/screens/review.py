"""Review: labels that annotators disagree on or that predictions contradict, then detections to be judged.

Of what was detected in long recordings it shows those whose review narrows the intervals of the precision most.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.cells import cell_len

from labeltool.annotation import review
from labeltool.annotation.label_errors import read_list
from labeltool.annotation.listing import ListedClip
from labeltool.annotation.review import LabelIssue
from labeltool.evaluation.detections import detections_to_review
from labeltool.records import Value
from labeltool.store import Store
from labeltool.tui.keys import REVIEW
from labeltool.tui.screens.annotate_base import Answer
from labeltool.tui.screens.list_base import ListResult, ListScreen, clip_parts
from labeltool.tui.services import Services
from labeltool.tui.text import fit, one_line
from labeltool.tui.widgets.lists.clip_list import Part

# After these, which ones narrow the intervals most is computed anew.
_DETECTIONS = 10
# Of most reasons, and of what a narrow line keeps for file and labels.
_REASON_CELLS, _LINE_CELLS = 46, 30


class ReviewScreen(ListScreen):
    """Shows suspicious labels, and detections; a label that is confirmed does not come back."""

    BINDINGS = REVIEW.bindings()

    def __init__(self, services: Services, *, repeat_s: float) -> None:
        super().__init__(services, REVIEW, repeat_s=repeat_s)
        self._issues: dict[int, LabelIssue] = {}
        self._about = self._compared_with = ""
        self._detected: set[int] = set()

    def find(self, store: Store) -> ListResult:
        errors = read_list(self.services.project.cache)
        self._issues = {issue.clip_id: issue for issue in review.label_issues(store, errors)}
        self._compared_with = "" if self._issues else review.compared_with(store, errors)
        self._about = "suspicious labels, the most suspicious first"
        detected = detections_to_review(self.services.project, store, limit=_DETECTIONS)
        for one in detected:
            reason = f"detected as {one.label!r} ({one.score:.0%})"
            self._issues.setdefault(one.clip, LabelIssue(one.clip, one.label, Value.PRESENT, reason, 0.0))
        self._detected = {one.clip for one in detected}
        self._about += "; then detections" if detected else ""
        return ListResult(list(self._issues), self._about)

    def show_title(self) -> None:
        """Show what the list is, or the reason for the selected clip where its line has no space for it."""
        issue = self._issues.get(self.clips.clip_id or 0)
        is_cut = issue is not None and cell_len(issue.reason) > _reason_cells(self.clips.size.width - 2)
        self._list_title = one_line(issue.reason) if issue is not None and is_cut else self._about
        super().show_title()

    def show_next(self, clip_id: int) -> None:
        """Select the next clip, or read which detections are next."""
        if self.clips.clip_id == clip_id and clip_id in self._detected and not self.clips.following(1):
            self._current = None  # no key is for the clip that was judged
            self.load()
        else:
            super().show_next(clip_id)

    def empty(self) -> Sequence[str]:
        if not self.services.state.labelled:
            return ("There are no labels to review yet.", "", *self.offers(("label", "label clips")))
        return (
            "No label is suspicious.",
            "",
            "This view shows labels that annotators disagree on or that predictions contradict, and detections in",
            "long recordings, whose review measures their precision.",
            self._compared_with,
            "",
            *self.offers(
                ("train", "train a model, which is compared with the labels"),
                ("browse", "browse every clip"),
                ("label", "label on"),
            ),
        )

    def line_parts(self, listed: ListedClip, width: int) -> list[Part]:
        cells = _reason_cells(width)
        issue = self._issues.get(listed.clip.id)
        reason = issue.reason if issue is not None else ""
        return [*clip_parts(listed, width - cells - 1), (" ", ""), (fit(reason, cells), "$warning")]

    def command_titles(self) -> Mapping[str, str | None]:
        issue = self._issues.get(self.current.clip.id) if self.current is not None else None
        kept = f"keep the label: {issue.label} is {issue.value}" if issue is not None else None
        rejected = f"reject the label: {issue.label} is absent" if issue is not None else None
        return {**super().command_titles(), "keep": kept, "reject": rejected}

    async def action_keep(self) -> None:
        if self.current is None or (issue := self._issues.get(self.current.clip.id)) is None:
            return
        await self.annotate(Answer("keep", issue.label, issue.value, replaces=False))

    async def action_reject(self) -> None:
        if self.current is None or (issue := self._issues.get(self.current.clip.id)) is None:
            return
        await self.annotate(Answer("reject", issue.label, Value.ABSENT, replaces=False))


def _reason_cells(width: int) -> int:
    """Return the cells of the reason on a line of some cells: half of it, and more where that is few."""
    return max(width // 2, min(_REASON_CELLS, width - _LINE_CELLS))
