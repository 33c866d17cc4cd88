"""Plug-ins: entries that other distributions add to a registry of labeltool, found through their entry points.

A distribution names an object of one of its modules in its `pyproject.toml`:

    [project.entry-points."labeltool.importers"]
    birdbox = "birdbox:FORMAT"

Nothing of a plug-in is imported before its registry is listed, or asked for a name that is not labeltool's own. A
plug-in that cannot be loaded is one line on stderr, and the others are there. Distributions in the directory that a
command runs in are passed over, and so are its modules while a plug-in is imported: it may be a stranger's.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import RLock
from types import ModuleType
from typing import TYPE_CHECKING, TypeVar

from labeltool.errors import in_one_line

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

T = TypeVar("T")

_NAME = re.compile("[a-z][a-z0-9-]*")
_PATH_LOCK = RLock()  # of `sys.path` while it is another

OWN = "labeltool"
"""The distribution of the entries that are labeltool's own."""


@dataclass(frozen=True, slots=True)
class PluginFailure:
    """A plug-in that is not used: its name, its distribution with the version, and the reason, on one line."""

    name: str
    distribution: str
    reason: str


class Registry(Mapping[str, T]):
    """Entries by their name: labeltool's own, in their order, then those of plug-ins, by name.

    Parameters
    ----------
    own
        labeltool's own entries, which need no look-up of distributions.
    accept
        Returns the entry of a plug-in, given its name and the object that was loaded; any error of it, as of the
        import, is the reason why the plug-in is not used.
    """

    def __init__(self, group: str, own: Mapping[str, T], accept: Callable[[str, object], T]) -> None:
        self._group = group
        self._own = dict(own)
        self._accept = accept
        self._loaded: dict[str, T] = {}
        self._failures: dict[tuple[str, str], PluginFailure] = {}

    def __getitem__(self, name: str) -> T:
        if name in self._own:
            return self._own[name]
        if name not in self._loaded:
            self._load(only=name)
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        self._load()
        return iter((*self._own, *sorted(self._loaded)))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def distribution(self, name: str) -> str:
        """Return the distribution of an entry, with its version where it is not labeltool's own."""
        if name in self._own:
            return OWN
        return next(_distribution(point) for point in _entry_points(self._group) if point.name == name)

    def refuse(self, name: str, reason: str) -> None:
        """Remove the entry of a plug-in, for a reason that shows only where it is used."""
        self._fail((name, self.distribution(name)), reason)
        del self._loaded[name]

    @property
    def failures(self) -> tuple[PluginFailure, ...]:
        """The plug-ins that are not used, in the order of their names; loads all."""
        self._load()
        return tuple(one for _, one in sorted(self._failures.items()))

    def _load(self, only: str | None = None) -> None:
        """Load the plug-ins that are not loaded yet, or only those of a name."""
        for point in _entry_points(self._group):
            key = (point.name, _distribution(point))
            if only not in (None, point.name) or key in self._failures:
                continue
            if point.name in self._own:
                self._fail(key, f"the name is labeltool's own: {point.value} is not used")
            elif point.name in self._loaded:
                if key[1] != (other := self.distribution(point.name)):
                    self._fail(key, f"the name is taken by {other}: {point.value} is not used")
            else:
                try:
                    import_module(point.module)
                    self._loaded[point.name] = self._accept(point.name, point.load())
                except (Exception, SystemExit) as error:  # a stranger's module may raise anything
                    self._fail(key, f"cannot be loaded: {type(error).__name__}: {error}")

    def _fail(self, key: tuple[str, str], reason: str) -> None:
        name, distribution = key
        self._failures[key] = failure = PluginFailure(name, distribution, in_one_line(reason))
        line = f"labeltool: plug-in {failure.name!r} of {failure.distribution}: {failure.reason}"
        print(in_one_line(line), file=sys.stderr)


def instance_named(kind: type[T]) -> Callable[[str, object], T]:
    """Return what a registry accepts whose entries are of one class, with their own `name`."""

    def accept(name: str, loaded: object) -> T:
        if not isinstance(loaded, kind):
            raise TypeError(f"is no {kind.__name__}, but {type(loaded).__name__}")
        if (own := getattr(loaded, "name", None)) != name:
            raise ValueError(f"is named {own!r} itself")
        if not _NAME.fullmatch(name):
            raise ValueError("the name is no word of a-z, 0-9 and hyphens")
        return loaded

    return accept


def import_module(name: str) -> ModuleType:
    """Import a module of labeltool or of a plug-in; one in the directory that a command runs in never stands for it."""
    with _PATH_LOCK:
        before = sys.path
        sys.path = _path_elsewhere()
        try:
            return importlib.import_module(name)
        finally:
            sys.path = before


@cache
def _entry_points(group: str) -> tuple[EntryPoint, ...]:
    """Return the entry points of a group, sorted by their names and distributions, whatever order a disk has them in.

    A distribution counts once, as `sys.path` has it first.
    """
    from importlib.metadata import distributions  # its import takes longer than many a command

    found: dict[str, list[EntryPoint]] = {}
    for one in distributions(path=_path_elsewhere()):
        with suppress(Exception):  # damaged metadata, whoever's
            points = [point for point in one.entry_points if point.group == group]
            if points:  # the name is asked for last: it takes longest to read
                found.setdefault(one.name, points)
    of_group = (point for points in found.values() for point in points)
    return tuple(sorted(of_group, key=lambda point: (point.name, _distribution(point))))


def _path_elsewhere() -> list[str]:
    """Return `sys.path` without the directory that a command runs in, which `python -m` puts first."""
    try:
        here = Path.cwd()
    except FileNotFoundError:  # it was deleted
        return [entry for entry in sys.path if Path(entry).is_absolute()]
    return [entry for entry in sys.path if entry and Path(entry).resolve() != here]


def _distribution(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else "a distribution without a name"
