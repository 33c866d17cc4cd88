"""Exports, and the check of an STM32 package."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labeltool.cli.common import (
    Number,
    Whole,
    annotator_option,
    current_project,
    emit,
    exit_for_failed,
    narrate,
    nearby_project,
    project_options,
    run_task,
)
from labeltool.errors import LabeltoolError, in_one_line

if TYPE_CHECKING:
    from labeltool.exporters.registry import ExportResult

_DIVIDED = {"splits", "audiofolder"}
"""Products with a test set."""


class _ExportCommand(click.Command):
    """A command with an option for each product of the registry, which is read when the command or its help is used."""

    def get_params(self, context: click.Context) -> list[click.Parameter]:
        from labeltool.exporters.registry import EXPORTERS

        others = super().get_params(context)
        options = {name.replace("_", "-") for one in others for name in (*one.opts, f"--{one.name}")}
        for name in EXPORTERS:
            if f"--{name}" in options:
                EXPORTERS.refuse(name, f"--{name} is an option of `labeltool export` already")
        products = [click.Option([f"--{one.name}"], is_flag=True, help=one.help) for one in EXPORTERS.values()]
        return [*products, *others]


def _parsed_shares(context: click.Context, option: click.Parameter, text: str | None) -> tuple[int, int, int] | None:
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() and len(part) < 4 for part in parts):
        raise click.BadParameter("three whole numbers are needed, such as 70,15,15.", context, option)
    return int(parts[0]), int(parts[1]), int(parts[2])


@click.command(cls=_ExportCommand)
@click.option("--model", "model_id", type=Whole(), metavar="ID", help="Model.  [default: the newest of --arch]")
@click.option("--arch", metavar="NAME", help="Architecture.  [default: as in labeltool.toml, or the newest model's]")
@click.option(
    "-o",
    "--output",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Folder for the products' folders.  [default: exports/ of the project]",
)
@click.option(
    "--for",
    "st_applications",
    multiple=True,
    metavar="NAME",
    help="With --stm32: ST's application, u5-freertos, u5-threadx, u3 or n6; may be repeated.  "
    "[default: all that can run the model]",
)
@click.option(
    "--as-of", metavar="TIME|EVENT", help="The labels as they were then; UTC without an offset.  [default: now]"
)
@click.option(
    "--shares",
    callback=_parsed_shares,
    metavar="A,B,C",
    help="Per cent of the clips for training, validation and test.  [default: 70,15,15, or as in labeltool.toml]",
)
@click.option("--folds", type=Whole(2, 100), metavar="K", help="With --splits: one manifest with K folds instead.")
@click.option("--seed", type=Whole(0), metavar="N", default=0, show_default=True, help="Seed of the split.")
@click.option(
    "--block-hours",
    type=Number(0, 8784),
    default=24,
    show_default=True,
    metavar="H",
    help="Recordings of a site within H hours, counted from noon, stay together; 0: none do by time.",
)
@click.option("--lock", is_flag=True, help="Freeze the test set: no model is trained on it from now on.")
@click.option(
    "--force",
    is_flag=True,
    help="Also a model that loses more in int8 than labeltool.toml allows, and folds that part a group.",
)
@project_options
def export(output: Path | None, as_json: bool, **options: Any) -> None:
    """Export data sets, the int8 model or an STM32 package.

    Each product is a folder with a manifest of SHA-256 sums. Either all products are written or none. In data sets with
    parts a group is in one, and nearly equal sound, and what a recorder made in one night.

    \b
    labeltool export --stm32
    labeltool export --stm32 --for u5-freertos
    labeltool export --splits --audacity -o ~/products
    labeltool export --splits --shares 60,20,20 --lock
    labeltool export --audiofolder --as-of 2026-05-31T12:00
    """  # noqa: D301 - click's mark for "do not wrap" is a real backspace
    from labeltool.exporters.registry import EXPORTERS
    from labeltool.tasks.registry import EXPORT

    products = [name for name in EXPORTERS if options.pop(name.replace("-", "_"), False)]
    if not products:
        raise click.UsageError(f"name at least one of {', '.join(f'--{name}' for name in EXPORTERS)}")
    if options["model_id"] is not None and options["arch"] is not None:
        raise click.UsageError("--model and --arch exclude each other")
    _check_products(products, options)
    project = current_project()
    # What a person names may be reached by links; the project's own folder may not.
    where = str(output.resolve() if output else project.exports)
    result = run_task(project, EXPORT, products=products, output=where, **options)
    if as_json:
        emit(result)
    else:
        _narrate_result(result)
    exit_for_failed(result.skipped)


def _check_products(products: list[str], options: Mapping[str, Any]) -> None:
    """Refuse options of products that are not exported."""
    if options["st_applications"] and "stm32" not in products:
        raise click.UsageError("--for goes with --stm32")
    if options["lock"] and not _DIVIDED.intersection(products):
        raise click.UsageError("--lock goes with --splits or --audiofolder")
    if options["folds"] is not None and "splits" not in products:
        raise click.UsageError("--folds goes with --splits")
    if options["lock"] and options["as_of"] is not None:
        raise click.UsageError("--lock freezes a test set of now: it does not go with --as-of")
    if options["as_of"] is not None:
        _require_of_labels(products)


def _narrate_result(result: ExportResult) -> None:
    for directory in result.written:
        narrate(f"wrote {directory}")
    if lost := [f"{product} {count}" for product, count in result.lost.items() if count]:
        narrate(f"annotations not exported, or in part: {', '.join(lost)}; not_exported.csv in each folder says why")
    for note in (*result.notes, result.better_model):
        if note:
            narrate(note)


def _require_of_labels(products: list[str]) -> None:
    from labeltool.exporters.registry import require_of_labels

    try:
        require_of_labels(products)
    except LabeltoolError as error:
        raise click.UsageError(str(error)) from error


@click.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--st-sources",
    metavar="DIR",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Also compile and run ST's own C from here: its audio library and CMSIS-DSP.",
)
@click.option(
    "--stedgeai",
    metavar="PATH",
    type=click.Path(exists=True, dir_okay=False, resolve_path=True, path_type=Path),
    help="ST's tool: also run its commands for each of ST's applications, in a temporary folder.",
)
@project_options
def verify(directory: Path, st_sources: Path | None, stedgeai: Path | None, as_json: bool) -> None:
    """Check an STM32 package: its files, its C, its accuracy.

    The C is compiled and run on this machine and on emulated MCUs, and classifies the project's clips. So verify only
    your own packages, or those of people you trust. A check whose tools are missing on this machine is listed as not
    run.

    \b
    labeltool verify exports/stm32-3
    labeltool verify exports/stm32-3 --stedgeai ~/stedgeai/Utilities/linux/stedgeai
    """  # noqa: D301 - click's mark for "do not wrap" is a real backspace
    from labeltool.tasks.registry import VERIFY

    result = run_task(
        nearby_project(),
        VERIFY,
        directory=str(directory.resolve()),
        st_sources=None if st_sources is None else str(st_sources.resolve()),
        stedgeai=None if stedgeai is None else str(stedgeai),
    )
    if as_json:
        emit(result)
    else:
        width = max(len(check.name) for check in result.checks)
        for check in result.checks:
            click.echo(f"{check.outcome:<7}  {check.name:<{width}}  {in_one_line(check.detail)}")
    if not result.passed:
        failed = sum(check.outcome == "failed" for check in result.checks)
        raise LabeltoolError(f"{failed} of {len(result.checks)} checks failed", file=directory)


@click.command()
@click.option("--undo", is_flag=True, help="Release the test set; models may be trained on it again.")
@annotator_option
@project_options
def lock(undo: bool, annotator: str | None, as_json: bool) -> None:
    """Show the locked test set, on which no model is trained.

    `labeltool export --splits --lock` locks it. What joins its groups later belongs to it, and so does what is of
    nearly equal sound; `labeltool evaluate` measures on it.

    \b
    labeltool lock
    labeltool lock --undo
    """  # noqa: D301 - click's mark for "do not wrap" is a real backspace
    from labeltool.store.groups import unlock
    from labeltool.tasks.locking import locked_set

    project = current_project()
    with project.open_store(to_write=undo) as store:
        found = locked_set(store)
        if undo:
            unlock(store, annotator=project.annotator(annotator))
    if as_json:
        emit(found)
    elif not found.recordings:
        click.echo("no test set is locked; `labeltool export --splits --lock` locks one")
    else:
        click.echo(f"{'released' if undo else 'locked'}: {found}")
        if not undo:
            for label, count in found.labels.items():
                click.echo(f"{count:>7,}  {in_one_line(label)}")
