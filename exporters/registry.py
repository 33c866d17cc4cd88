"""The products that leave a project, each a folder with a manifest of SHA-256 sums, whole or absent.

To add one: write a module with a function `write(source, directory)` that fills an empty directory, and add a line to
`EXPORTERS`. `labeltool export --NAME` is made from that line. This module imports none of the products until one is
written, so that `labeltool export --help` stays light. Another distribution adds an `Exporter` through an entry point
of the group `labeltool.exporters` (`util/plugins.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, get_args

from labeltool.errors import LabeltoolError
from labeltool.exporters.atomic_folder import atomic_folder, locked_folder
from labeltool.records import Carried, Skipped, skipped_files
from labeltool.util.plugins import Registry, import_module, instance_named

if TYPE_CHECKING:
    import pandas as pd

    from labeltool.exporters.source import Source
    from labeltool.project import Project
    from labeltool.type_aliases import Progress


class Writer(Protocol):
    """The function of a product's module."""

    def __call__(self, source: Source, directory: Path) -> pd.DataFrame | None:
        """Write the product into an empty directory.

        Returns
        -------
        pandas.DataFrame or None
            The annotations that the format cannot express, as `annotations.not_exported` does; None where the product
            is not made of annotations.

        Raises
        ------
        LabeltoolError
            When it cannot be made from this project: there is nothing for it, a model that it does not support, or no
            file could be read.
        """


@dataclass(frozen=True, slots=True)
class Exporter:
    """A product of the registry.

    Attributes
    ----------
    name
        The option of `labeltool export` that writes it, without its dashes.
    module
        Name of the module that has its `write` function; in this file without `labeltool.exporters.`.
    folder
        Name of its folder; `{model}` stands for the model's id.
    needs_model
        Whether it is made from a model, and refused when the model loses too much accuracy in int8.
    carries
        What of the annotations it can say beside the label of a recording.
    of_labels
        Whether it is made of `source.annotations`, so that it can be made of those of an earlier time.
    """

    name: str
    help: str
    module: str
    folder: str
    needs_model: bool = False
    carries: tuple[Carried, ...] = ()
    of_labels: bool = False

    def write(self, source: Source, directory: Path) -> None:
        """Import the product's module and let it fill an empty directory, then list there what it could not express."""
        writer: Writer = import_module(self.module).write
        lost = writer(source, directory)
        if lost is not None:
            from labeltool.exporters.annotations import NOT_EXPORTED, write_csv

            write_csv(lost, directory / NOT_EXPORTED)
            source.lost[self.name] = len(lost)


def _by_name(*exporters: Exporter) -> Registry[Exporter]:
    own = {one.name: replace(one, module=f"labeltool.exporters.{one.module}") for one in exporters}
    return Registry("labeltool.exporters", own, instance_named(Exporter))


def _of_labels(name: str, help: str, module: str, *carries: Carried) -> Exporter:
    return Exporter(name, help, module, folder=name, carries=carries, of_labels=True)


EXPORTERS = _by_name(
    _of_labels(
        *("splits", "Training, validation and test manifests (CSV), by whole groups.", "splits"),
        *("groups", "folds", "licence"),
    ),
    Exporter("int8", "The int8 model (TFLite) with its labels and card.", "int8", "int8", needs_model=True),
    Exporter(
        "stm32",
        "A package for STM32Cube.AI: model, C sources, validation data.",
        "stm32.package",
        "stm32-{model}",
        needs_model=True,
    ),
    _of_labels("table", "All annotations as a table (CSV, Parquet).", "table", *get_args(Carried)),
    _of_labels(
        *("clips", "Labelled sound cut to files, a folder for each label.", "data_sets.clips"),
        *("regions", "bands", "confidence", "groups", "folds", "licence"),
    ),
    _of_labels(
        *("audiofolder", "A data set for Hugging Face (AudioFolder).", "data_sets.audiofolder"),
        *("absent", "unsure", "groups", "folds", "licence"),
    ),
    _of_labels("audacity", "A label track (.txt) for each recording.", "audacity", "regions", "bands"),
    _of_labels(
        *("audacity-by-label", "A label track (.txt) for each label of a recording.", "audacity_by_label"),
        *("regions", "bands"),
    ),
    _of_labels("raven", "A Raven selection table for each recording.", "raven", "regions", "bands", "confidence"),
    _of_labels("dcase", "Strong and weak labels as DCASE and sed_eval read them (TSV).", "dcase", "regions"),
    _of_labels("label-studio", "Tasks for Label Studio, with suggestions as predictions.", "label_studio", "regions"),
    Exporter(
        "transcripts",
        "Transcripts, a label track (.txt) for each recording.",
        "transcripts",
        "transcripts",
        carries=("regions",),
    ),
)
"""Products by the name that `labeltool export --NAME` takes, in the order of the help page."""


@dataclass(frozen=True, slots=True)
class ExportResult:
    """What was exported.

    Attributes
    ----------
    model
        Id of the model; None when no product was made from one.
    int8_clip_accuracy
        Its accuracy on validation clips; None where it was not measured.
    better_model
        The model that did better, in words; "" where none is known.
    lost
        By product, the number of annotations that it lacks, wholly or in part: `not_exported.csv` names each.
    """

    written: tuple[str, ...]
    model: int | None
    int8_clip_accuracy: float | None
    better_model: str = ""
    lost: Mapping[str, int] = field(default_factory=dict)
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = ()


def export(
    project: Project,
    *,
    report: Progress,
    products: list[str],
    model_id: int | None,
    output: str,
    force: bool,
    st_applications: Sequence[str] = (),
    arch: str | None = None,
    as_of: str | None = None,
    **split: Any,
) -> ExportResult:
    """Write several products: either all of them or none; a task of the worker.

    Parameters
    ----------
    model_id
        The model to export, where one is needed; None is the newest of `arch`.
    force
        Export a model that loses more clip accuracy in int8 than `labeltool.toml` allows, and official folds that part
        a group.
    st_applications
        Names of ST's applications that the STM32 package is for; none: all that can run the model.
    arch
        An architecture; None is that of the settings.
    as_of
        The id of an event, or a time as `annotation_table.until_of` takes it: the labels are those of then. None: now.
    split
        The fields of `split_project.SplitOptions`.

    Raises
    ------
    LabeltoolError
        Naming the product that could not be made.
    """
    from labeltool.exporters.source import Source
    from labeltool.tasks.split_project import SplitOptions

    exporters = _exporters(products, as_of)
    options = SplitOptions(**split, force=force)
    options.check()
    with project.open_store(to_write=options.lock) as store:
        source = Source(project, store, model_id, report, st_applications, arch, as_of, options)
        with _nothing_exported():
            _check_source(exporters, source, force=force)
        written = _write_all(exporters, source, Path(output), lock_test_set=options.lock)
        about = source.lost, skipped_files(source.failed), tuple(dict.fromkeys(source.notes))
        if not any(exporter.needs_model for exporter in exporters):
            return ExportResult(written, None, None, "", *about)
        better = source.better_model() if model_id is None else ""
        return ExportResult(written, source.model_id, source.model.card.int8_clip_accuracy, better, *about)


def _check_source(exporters: Sequence[Exporter], source: Source, *, force: bool) -> None:
    """Refuse a model that is not to be exported, and note what a person should know of the labels."""
    for exporter in (one for one in exporters if one.needs_model):
        with _errors_of(exporter):
            source.check_model(force=force)
            source.note_other_labels()
    if any(exporter.of_labels for exporter in exporters):
        source.note_retired_labels()


def _write_all(exporters: Sequence[Exporter], source: Source, folder: Path, *, lock_test_set: bool) -> tuple[str, ...]:
    """Write the products and return their folders."""
    from labeltool.tasks.locking import lock

    written = []
    # Every product is complete before the first one gets its name: the stack renames them all at the end.
    with ExitStack() as ready:
        with _nothing_exported():
            ready.enter_context(locked_folder(folder))
            for exporter in exporters:
                source.report(f"exporting {exporter.name}", 0, 0)
                with _errors_of(exporter):
                    target = folder / exporter.folder.format(model=source.model_id if exporter.needs_model else "")
                    exporter.write(source, ready.enter_context(atomic_folder(target)))
                written.append(str(target))
        if lock_test_set:
            source.notes.append(lock(source.store, source.split, annotator=source.project.annotator()))
    return tuple(written)


def require_of_labels(products: Sequence[str]) -> None:
    """Raise a `LabeltoolError` for products that cannot be made of the labels of an earlier time."""
    if others := [f"--{name}" for name in products if not EXPORTERS[name].of_labels]:
        raise LabeltoolError(f"--as-of is for products made of labels, not for {', '.join(others)}")


def _exporters(products: Sequence[str], as_of: str | None) -> list[Exporter]:
    unknown = [name for name in products if name not in EXPORTERS]
    if unknown:
        raise LabeltoolError(f"no product is called {unknown[0]!r}", remedy="there are: " + ", ".join(EXPORTERS))
    if as_of is not None:
        require_of_labels(products)
    return [EXPORTERS[name] for name in dict.fromkeys(products)]


@contextmanager
def _errors_of(exporter: Exporter) -> Iterator[None]:
    """Put the product's name before an error."""
    try:
        yield
    except (LabeltoolError, OSError) as error:
        reason = str(error) if isinstance(error, LabeltoolError) else error.strerror or str(error)
        raise LabeltoolError(f"{exporter.name}: {reason}") from error


@contextmanager
def _nothing_exported() -> Iterator[None]:
    """Say in an error that nothing was exported."""
    try:
        yield
    except LabeltoolError as error:
        reason = f"{error.reason}; nothing was exported"
        raise LabeltoolError(reason, remedy=error.remedy, file=error.file, line=error.line) from error
