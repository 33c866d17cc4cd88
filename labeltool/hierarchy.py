"""Labels that are kinds of others: "dog bark" < "dog" < "animal"."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

MAX_LEVELS = 32
"""A label has no more labels above it: what people name has few levels, and a stranger's journal has to end."""


def ancestors(parents: Mapping[str, str], label: str) -> list[str]:
    """Return the labels above a label, the nearest first; at most `MAX_LEVELS` of them."""
    found: list[str] = []
    while label in parents and len(found) < MAX_LEVELS:
        label = parents[label]
        found.append(label)
    return found


class Hierarchy:
    """The labels above and below each label.

    Where a dog bark is present, so are the labels above it. Where no animal is, no label below it is present either. An
    animal of which nothing else is known may be a dog or not.

    Parameters
    ----------
    parents
        The parent of each label that has one, without a cycle.
    """

    def __init__(self, parents: Mapping[str, str]) -> None:
        self._above = {name: ancestors(parents, name) for name in parents}
        self._below: dict[str, list[str]] = {}
        for name, above in self._above.items():
            for other in above:
                self._below.setdefault(other, []).append(name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Hierarchy) and self._above == other._above

    def __hash__(self) -> int:
        return len(self._above)  # of each labelled clip: hashing thousands of names would take a millisecond each time

    @property
    def levels(self) -> int:
        """The number of levels: 1 where no label has a parent."""
        return 1 + max(map(len, self._above.values()), default=0)

    def above(self, names: Iterable[str]) -> set[str]:
        """Return the labels above any of some."""
        return {other for name in names for other in self._above.get(name, ())}

    def below(self, names: Iterable[str]) -> set[str]:
        """Return the labels below any of some."""
        return {other for name in names for other in self._below.get(name, ())}

    def at_level(self, name: str, level: int) -> str:
        """Return the label that stands for one at a level, 0 the most general: one above it, or itself."""
        path = [*reversed(self._above.get(name, ())), name]
        return path[min(level, len(path) - 1)]


NO_HIERARCHY = Hierarchy({})
"""Where no label has a parent."""
