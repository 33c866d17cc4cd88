"""Review: labels that annotators disagree on or that predictions contradict, the most suspicious first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from labeltool.annotation import review
from labeltool.annotation.label_errors import read_list
from labeltool.annotation.listing import ListedClip
from labeltool.annotation.review import LabelIssue
from labeltool.store import Store
from labeltool.tui.keys import REVIEW
from labeltool.tui.screens.list_base import ListResult, ListScreen, clip_parts
from labeltool.tui.services import Services
from labeltool.tui.text import fit
from labeltool.tui.widgets.lists.clip_list import Part


class ReviewScreen(ListScreen):
    """Shows suspicious labels; a label that is confirmed does not come back."""

    BINDINGS = REVIEW.bindings()

    def __init__(self, services: Services, *, repeat_s: float) -> None:
        super().__init__(services, REVIEW, repeat_s=repeat_s)
        self._issues: dict[int, LabelIssue] = {}
        self._compared_with = ""

    def find(self, store: Store) -> ListResult:
        """Read the suspicious labels."""
        errors = read_list(self.services.project.cache)
        self._issues = {issue.clip_id: issue for issue in review.label_issues(store, errors)}
        self._compared_with = "" if self._issues else review.compared_with(store, errors)
        return ListResult(list(self._issues), "suspicious labels, the most suspicious first")

    def empty(self) -> Sequence[str]:
        """Return what this view shows."""
        if not self.services.state.labelled:
            return ("There are no labels to review yet.", "", *self.offers(("label", "label clips")))
        return (
            "No label is suspicious.",
            "",
            "This view shows labels that annotators disagree on or that predictions contradict.",
            self._compared_with,
            "",
            *self.offers(
                ("train", "train a model, which is compared with the labels"),
                ("browse", "browse every clip"),
                ("label", "label on"),
            ),
        )

    def line_parts(self, listed: ListedClip, width: int) -> list[Part]:
        """Return a clip's line with the reason why it is suspicious."""
        half = width // 2
        issue = self._issues.get(listed.clip.id)
        reason = issue.reason if issue is not None else ""
        return [*clip_parts(listed, width - half - 1), (" ", ""), (fit(reason, half), "$warning")]

    def command_titles(self) -> Mapping[str, str | None]:
        """Return which label is kept."""
        issue = self._issues.get(self.current.clip.id) if self.current is not None else None
        kept = f"keep the label: {issue.label} is {issue.value}" if issue is not None else None
        return {**super().command_titles(), "keep": kept}

    async def action_keep(self) -> None:
        """Confirm the suspicious label."""
        if self.current is None or (issue := self._issues.get(self.current.clip.id)) is None:
            return
        await self.annotate("keep", issue.label, issue.value, replaces=False)
