"""A moment on a clock until which work may go on."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from labeltool.type_aliases import Progress

Clock = Callable[[], float]
"""Seconds from any beginning, as `time.monotonic` counts them: the same in all processes of one machine."""


class TimeIsUp(Exception):
    """Work was broken off that is of no use when it is not finished."""


@dataclass(frozen=True, slots=True)
class TimeLimit:
    """A moment, `at_s` on a clock; by default there is no limit."""

    at_s: float = math.inf
    clock: Clock = time.monotonic

    @property
    def left_s(self) -> float:
        """Seconds until then; below 0 afterwards."""
        return self.at_s - self.clock()

    @property
    def has_passed(self) -> bool:
        """Whether it is over."""
        return self.left_s <= 0

    def after(self, share: float) -> TimeLimit:
        """Return the moment when a share of what is left now has passed."""
        return replace(self, at_s=self.at_s - max(0.0, (1 - share) * self.left_s)) if math.isfinite(self.at_s) else self

    def stopping(self, report: Progress) -> Progress:
        """Return the same report, which raises `TimeIsUp` afterwards."""

        def stop(stage: str, done: int, total: int, text: str = "", /) -> None:
            if self.has_passed:
                raise TimeIsUp
            report(stage, done, total, text)

        return stop

    def __reduce__(self) -> tuple[Any, ...]:
        """Go to another process by the time of day: another machine counts from its own start."""
        return _limit_at, (time.time() + self.left_s, self.clock)


def _limit_at(time_s: float, clock: Clock) -> TimeLimit:
    return TimeLimit(clock() + (time_s - time.time()), clock)


NO_LIMIT = TimeLimit()
