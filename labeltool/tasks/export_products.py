"""The products that a project can be exported as, for the app, which does not know the exporters."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module

from labeltool.records import Carried
from labeltool.tasks.registry import EXPORT


@dataclass(frozen=True, slots=True)
class Product:
    """A product of `labeltool export`, see `exporters.registry.Exporter` for the fields."""

    name: str
    help: str
    needs_model: bool
    carries: tuple[Carried, ...]


def products() -> list[Product]:
    """Return the products, those of plug-ins too, in the order of `labeltool export --help`."""
    exporters = import_module(EXPORT.module).EXPORTERS
    return [Product(one.name, one.help, one.needs_model, one.carries) for one in exporters.values()]
