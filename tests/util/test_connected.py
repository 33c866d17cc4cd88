"""Sets that are joined pair by pair."""

from __future__ import annotations

from labeltool.util.connected import Connected


def test_sets_that_are_joined() -> None:
    sets: Connected[str] = Connected()
    sets.join("a", "b")
    sets.join("c", "d")
    assert sets.joins("a", "b") and not sets.joins("b", "c")
    sets.join("b", "d")
    assert sets.joins("a", "c") and sets.root("d") == "a" and sets.root("x") == "x"
