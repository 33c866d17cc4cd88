"""Reviewing: verdicts that people disagree on or that the model contradicts, the most suspicious first."""

from __future__ import annotations

from collections.abc import Sequence

from labeltool.annotation import review
from labeltool.annotation.listing import Listed
from labeltool.annotation.review import Suspicion
from labeltool.store import Store
from labeltool.tui.keys import REVIEW
from labeltool.tui.screens.list_base import Found, ListScreen, told
from labeltool.tui.services import Services
from labeltool.tui.text import fit
from labeltool.tui.widgets.clip_list import Part


class ReviewScreen(ListScreen):
    """What looks wrong; a verdict said again is settled and does not come back."""

    BINDINGS = REVIEW.bindings()

    def __init__(self, services: Services, *, repeat_s: float) -> None:
        super().__init__(services, REVIEW, repeat_s=repeat_s)
        self._suspicions: dict[int, Suspicion] = {}

    def find(self, store: Store) -> Found:
        """Seek the suspicious verdicts."""
        self._suspicions = {one.clip_id: one for one in review.suspicions(store)}
        return Found(list(self._suspicions), "verdicts that look wrong, the worst first")

    def empty(self) -> Sequence[str]:
        """Tell what would stand here."""
        return (
            "No verdict looks wrong.",
            "",
            "Here stands where annotators disagree and where the model is surer of another label.",
        )

    def tell(self, listed: Listed, width: int) -> list[Part]:
        """Return a clip's line with the reason to doubt it."""
        half = width // 2
        suspicion = self._suspicions.get(listed.clip.id)
        reason = suspicion.reason if suspicion is not None else ""
        return [*told(listed, width - half - 1), (" ", ""), (fit(reason, half), "$warning")]

    async def action_keep(self) -> None:
        """Say the doubted verdict again: it was meant."""
        if self.now is None or (suspicion := self._suspicions.get(self.now.clip.id)) is None:
            return
        await self.say("keep", suspicion.label, suspicion.value, relabels=False)
