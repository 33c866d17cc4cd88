"""What a task spends its time on: each stage it reports lasts until it reports another."""

from __future__ import annotations

import time

from labeltool.type_aliases import Progress


class StageClock:
    """Passes reports on and keeps how long each stage took.

    Parameters
    ----------
    report
        Called with stage, done, total and a text; gets every report.
    stage
        What is under way before the first report.
    """

    def __init__(self, report: Progress, stage: str) -> None:
        self._report = report
        self._stage = stage
        self._since_s = time.monotonic()
        self._spent_s: dict[str, float] = {}

    def __call__(self, stage: str, done: int, total: int, text: str = "", /) -> None:
        """Report how far a stage is; the one before it, if it was another, has ended."""
        self._turn_to(stage)
        self._report(stage, done, total, text)

    def spent(self) -> dict[str, float]:
        """Return the seconds of each stage until now, in the order they began."""
        self._turn_to(self._stage)
        return {stage: round(seconds, 2) for stage, seconds in self._spent_s.items()}

    def _turn_to(self, stage: str) -> None:
        now_s = time.monotonic()
        self._spent_s[self._stage] = self._spent_s.get(self._stage, 0.0) + now_s - self._since_s
        self._stage, self._since_s = stage, now_s
