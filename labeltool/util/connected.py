"""What is connected by pairs: sets that are joined, and which of them something is in (union-find)."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)


class Connected(Generic[T]):
    """Sets of items; an item that was not joined is one by itself."""

    def __init__(self) -> None:
        self._parents: dict[T, T] = {}

    def root(self, item: T) -> T:
        """Return the item that stands for the set of an item."""
        while (parent := self._parents.get(item, item)) != item:
            self._parents[item] = self._parents.get(parent, parent)
            item = parent
        return item

    def joins(self, one: T, other: T) -> bool:
        """Whether two items are in one set."""
        return self.root(one) == self.root(other)

    def join(self, one: T, other: T) -> None:
        """Make one set of those of two items; the first one's stands for it."""
        self._parents[self.root(other)] = self.root(one)
