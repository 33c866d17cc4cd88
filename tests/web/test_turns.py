"""Visitors wait for each other in the order in which they came."""

from __future__ import annotations

import asyncio

from labeltool.web.turns import Turns


async def settled() -> None:
    """Let every task run until it waits."""
    for _ in range(20):
        await asyncio.sleep(0)


class Visitors:
    """Visitors by name: what each was reported, and who works."""

    def __init__(self) -> None:
        self.turns = Turns()
        self.reported: dict[str, list[int]] = {}
        self.working: list[str] = []
        self.done = asyncio.Event()
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def comes(self, name: str) -> None:
        self.reported[name] = []
        self.tasks[name] = asyncio.create_task(self._visit(name))
        await settled()

    async def leaves(self, name: str) -> None:
        self.tasks[name].cancel()
        await settled()

    async def finishes(self) -> None:
        self.done.set()
        await settled()

    async def _visit(self, name: str) -> None:
        async def report(before: int) -> None:
            self.reported[name].append(before)

        async with self.turns.turn(report):
            self.working.append(name)
            self.done.clear()
            try:
                await self.done.wait()
            finally:
                self.working.remove(name)


async def test_one_works_at_a_time_in_the_order_of_coming_and_all_know_their_place() -> None:
    visitors = Visitors()
    for name in "abc":
        await visitors.comes(name)
    assert visitors.working == ["a"]
    await visitors.finishes()
    assert visitors.working == ["b"]
    await visitors.finishes()
    assert visitors.working == ["c"]
    assert visitors.reported == {"a": [], "b": [1], "c": [2, 1]}
    await visitors.finishes()
    assert visitors.working == []


async def test_who_leaves_blocks_nobody() -> None:
    visitors = Visitors()
    for name in "abcd":
        await visitors.comes(name)
    await visitors.leaves("b")  # while waiting
    await visitors.leaves("a")  # while it is its turn
    assert visitors.working == ["c"]
    await visitors.leaves("c")
    assert visitors.working == ["d"]
