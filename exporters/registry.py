"""Products: what leaves a project, each a folder with a manifest of SHA-256 sums, whole or absent.

A product is a function in a module of its own that reads the store (and a model, where it needs one) and writes into an
empty directory; `PRODUCTS` names them. To add one: write the module, add a line there and an option to
`labeltool.commands.exports`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labeltool.errors import LabeltoolError
from labeltool.exporters import audacity, int8, splits, transcripts
from labeltool.exporters.atomic_folder import folder_for_exports, published
from labeltool.exporters.source import Report, Source
from labeltool.exporters.stm32 import package
from labeltool.project import Project

__all__ = ["PRODUCTS", "Product", "export"]


@dataclass(frozen=True, slots=True)
class Product:
    """An entry of the registry.

    Attributes
    ----------
    write
        Fills an empty directory.
    folder
        Name of the product's folder; `{model}` stands for the model's id.
    of_a_model
        Whether it is made from a model, and refused when the model loses too much in int8.
    """

    write: Callable[[Source, Path], None]
    folder: str
    of_a_model: bool


PRODUCTS: Mapping[str, Product] = {
    "splits": Product(splits.write, "splits", of_a_model=False),
    "audacity": Product(audacity.write, "audacity", of_a_model=False),
    "transcripts": Product(transcripts.write, "transcripts", of_a_model=False),
    "int8": Product(int8.write, "int8", of_a_model=True),
    "stm32": Product(package.write, "stm32-{model}", of_a_model=True),
}
"""Products by the name that `labeltool export --NAME` takes."""


def export(
    project: Project, *, report: Report, products: list[str], model_id: int | None, output: str, force: bool
) -> dict[str, Any]:
    """Write products, all of those asked for or none.

    Parameters
    ----------
    report
        Told how far it is: `report(stage, done, total, text)`.
    products
        Names from `PRODUCTS`.
    model_id
        None is the newest model, where one is needed.
    output
        The folder the products' folders go into.
    force
        Export a model that loses more clip accuracy in int8 than `labeltool.toml` allows.

    Returns
    -------
    dict
        `written` (the products' folders), `model` (its id; None when no product was made from one) and
        `int8_clip_accuracy` (None where it was not measured).

    Raises
    ------
    LabeltoolError
        Naming the product that could not be made.
    """
    unknown = [name for name in products if name not in PRODUCTS]
    if unknown:
        raise LabeltoolError(f"no product is called {unknown[0]!r}", remedy="there are: " + ", ".join(PRODUCTS))
    names = list(dict.fromkeys(products))
    folder = Path(output)
    written: list[str] = []
    with project.open_store() as store:
        source = Source(project, store, model_id, report)
        of_a_model = [name for name in names if PRODUCTS[name].of_a_model]
        for name in of_a_model:
            with _naming(name):
                source.check_model(force=force)
        # Every product is ready before the first takes its name: the stack publishes when all of them are written.
        with folder_for_exports(folder), ExitStack() as ready:
            for done, name in enumerate(names):
                report("export", done, len(names), name)
                with _naming(name):
                    target = folder / PRODUCTS[name].folder.format(model=source.model_id if name in of_a_model else "")
                    PRODUCTS[name].write(source, ready.enter_context(published(target)))
                written.append(str(target))
        report("export", len(names), len(names), "")
        return {
            "written": written,
            "model": source.model_id if of_a_model else None,
            "int8_clip_accuracy": source.model.card.get("int8_clip_accuracy") if of_a_model else None,
        }


@contextmanager
def _naming(product: str) -> Iterator[None]:
    try:
        yield
    except (LabeltoolError, OSError) as error:
        reason = str(error) if isinstance(error, LabeltoolError) else error.strerror or str(error)
        raise LabeltoolError(f"{product}: {reason}; nothing was exported") from error
