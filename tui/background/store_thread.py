"""A thread with a store of its own: a slow disk or another writer never stops the picture."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from labeltool.project import Project
from labeltool.store import Store

_T = TypeVar("_T")


class StoreThread:
    """Does one thing after the other with the project's store, which it opens at the first.

    Parameters
    ----------
    name
        The thread's.
    """

    def __init__(self, project: Project, name: str) -> None:
        self._project = project
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._store: Store | None = None

    async def do(self, what: Callable[[Store], _T]) -> _T:
        """Return what `what` returns, once it is done.

        Raises
        ------
        LabeltoolError
            Those of `what`, and of opening the store.
        """
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._with_store, what)

    def close(self) -> None:
        """Finish what was begun and close the store."""
        self._executor.submit(self._close_store).result()
        self._executor.shutdown()

    def _with_store(self, what: Callable[[Store], _T]) -> _T:
        self._store = self._store or self._project.open_store()
        return what(self._store)

    def _close_store(self) -> None:
        if self._store is not None:
            self._store.close()
