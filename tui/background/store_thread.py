"""A thread with its own store: a slow disk or another writer never blocks the screen."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from labeltool.errors import LabeltoolError
from labeltool.project import Project
from labeltool.store import Store
from labeltool.store.database import DatabaseExchanged

_T = TypeVar("_T")


async def attempt(work: Awaitable[_T], warn: Callable[[str], object]) -> _T | None:
    """Return the result of what is done with the store; None where it fails, after a warning."""
    try:
        return await work
    except LabeltoolError as error:
        warn(str(error))
        return None


class StoreThread:
    """Runs one function after the other on the project's store.

    Parameters
    ----------
    on_exchange
        Called, in the thread, when the database is not the one any more that was opened.
    """

    def __init__(self, project: Project, name: str, on_exchange: Callable[[DatabaseExchanged], None]) -> None:
        self._project = project
        self._on_exchange = on_exchange
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._store: Store | None = None
        self._closed = False
        # Before anything is shown: what is written later belongs to the database of which the clips on the screen are.
        self._check = self._executor.submit(self._with_store, Store.require_same_files)

    async def do(self, function: Callable[[Store], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._with_store, function)

    def check(self) -> None:
        """Let the thread look, when it has time, whether the database is still the one that was opened."""
        if self._check.done():
            self._check = self._executor.submit(self._with_store, Store.require_same_files)

    def close(self) -> None:
        """Finish what was started and close the store."""
        if not self._closed:
            self._closed = True
            self._executor.submit(self._close_store).result()
            self._executor.shutdown()

    def interrupt(self) -> None:
        """Break off the query that runs; nobody waits for it any more."""
        store = self._store
        if store is not None:
            store.connection.interrupt()

    def _with_store(self, function: Callable[[Store], _T]) -> _T:
        try:
            self._store = self._store or self._project.open_store()
            return function(self._store)
        except DatabaseExchanged as error:
            self._on_exchange(error)
            raise

    def _close_store(self) -> None:
        if self._store is not None:
            self._store.close()
