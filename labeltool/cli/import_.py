"""Importers of foreign formats: one command for each format of the registry."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labeltool.cli.common import (
    Number,
    PathOnDisk,
    ProgressDisplay,
    chosen_engine,
    current_project,
    emit,
    engine_options,
    exit_for_failed,
    json_option,
    narrate,
    project_option,
)
from labeltool.errors import LabeltoolError, in_one_line
from labeltool.util.counted import counted
from labeltool.util.library_messages import libraries_off_stderr

if TYPE_CHECKING:
    import pandas as pd

    from labeltool.importers.registry import Batch, Format, Option
    from labeltool.records import Skipped
    from labeltool.store.importing import ImportResult
    from labeltool.type_aliases import Progress

# Reasons shown before the rest is counted; --json has them all.
_REASONS_SHOWN = 10
_NOUNS = {"verdicts": "labels"}
# Keys of each row that a dry run shows.
_PROMISED = ("file", "line", "track", "start_s", "end_s", "label", "low_hz", "high_hz", "confidence")


class _Formats(click.Group):
    """The formats of the registry, which is read when a command or the help page is wanted."""

    def list_commands(self, context: click.Context) -> list[str]:
        from labeltool.importers.registry import FORMATS

        return list(FORMATS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        from labeltool.importers.registry import FORMATS

        return format_command(FORMATS[name]) if name in FORMATS else None

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(context, args)
        except click.UsageError as error:
            # Raven's tables and many others are read without a command of their own.
            more = "`labeltool import auto` finds out what a file is."
            raise click.UsageError(f"{error.format_message()} {more}", context) from error


@click.command("import", cls=_Formats)
@project_option
def import_() -> None:
    """Import recordings and labels.

    Importing the same thing again changes nothing.

    \b
    labeltool import auto ~/field
    labeltool import table labels.csv --column label=species --audio ~/sounds
    labeltool import audacity ~/field/labels.txt
    labeltool import audio ~/night --clip-seconds 5
    labeltool import esc50 ~/ESC-50 --subset esc10
    """  # noqa: D301 - click's mark for "do not wrap" is a real backspace
    click.get_current_context().with_resource(libraries_off_stderr())


def format_command(one: Format) -> click.Command:
    """Return the command that imports a format, with the argument and the options of its entry in the registry."""

    def run(
        sources: tuple[Path, ...] | Path, as_json: bool, group_by: str | None, dry_run: bool = False, **options: Any
    ) -> None:
        sources = sources if isinstance(sources, tuple) else (sources,)
        try:
            one.require_options(options)
        except LabeltoolError as error:
            raise click.UsageError(str(error)) from None
        if dry_run:
            _show_rows(one, sources, as_json, options)
        else:
            _import(partial(one.batches, sources, group_by=group_by, **options), as_json)

    several = one.takes != "directory"
    sources = click.Argument(
        ["sources"],
        metavar=f"{one.metavar}..." if several else one.metavar,
        nargs=-1 if several else 1,
        required=True,
        type=PathOnDisk(),
    )
    parameters: list[click.Parameter] = [sources, *map(_option, one.options), _GROUP_BY]
    if one.is_labels or one.name == "auto":
        parameters.append(_DRY_RUN)
    return json_option(
        project_option(engine_options(click.Command(one.name, help=one.help, params=parameters, callback=run)))
    )


_GROUP_BY = click.Option(
    ["--group-by"],
    metavar="RULE",
    help="What stays together in splits: folder, column:NAME, a pattern of names such as '{site}_{date}_*' (its fields "
    "become columns), name, none.  [default: the source's groups, else guessed from names]",
)
_DRY_RUN = click.Option(
    ["--dry-run"], is_flag=True, help="Read and report, store nothing; the recordings may be missing."
)


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _option(one: Option) -> click.Option:
    kinds: dict[str, tuple[str | None, click.ParamType[Any]]] = {
        "path": ("FILE", PathOnDisk()),
        "seconds": ("SECONDS", Number()),
        "choice": (None, click.Choice(one.choices)),
        "name": ("NAME", click.STRING),
    }
    if one.kind == "flag":
        return click.Option([_flag(one.name)], is_flag=True, help=one.help)
    if one.kind == "pairs":
        return click.Option([_flag(one.name)], multiple=True, metavar="MEANING=NAME", help=one.help)
    metavar, kind = kinds[one.kind]
    return click.Option(
        [_flag(one.name)],
        type=kind,
        metavar=metavar,
        default=one.default,
        show_default=True,
        help=one.help,
        callback=_checked_encoding if one.name == "encoding" else None,
    )


def _checked_encoding(_: click.Context, __: click.Parameter, name: str | None) -> str | None:
    try:
        b"x".decode(name or "utf-8")
    except UnicodeError:
        pass  # one with two bytes a character
    except LookupError:
        raise click.BadParameter(f"{name!r} is no text encoding") from None
    return name


def _show_rows(one: Format, sources: Sequence[Path], as_json: bool, options: dict[str, Any]) -> None:
    """Show the rows of label files; nothing is stored."""
    from labeltool.records import Skipped

    read = list(one.parse_each(sources, **options))
    parsed = [(file, rows) for item in read if not isinstance(item, Skipped) for file, rows in (item,)]
    skipped = [item for item in read if isinstance(item, Skipped)]
    rows = [row for file, table in parsed for row in _rows_as_json(file, table)]
    if as_json:
        emit({"recordings": 0, "clips": 0, "verdicts": 0, **skipped_json(skipped), "rows": rows})
    else:
        for row in rows:
            times = "\t".join("" if row[name] is None else f"{row[name]:.6f}" for name in ("start_s", "end_s"))
            click.echo(f"{times}\t{in_one_line(row['label'])}")
        print_skipped(skipped)
        left_out = len(skipped) - len(_by_kind(skipped)["note"])
        narrate(f"{len(rows)} labels read, {left_out} lines or files skipped; nothing stored")
    exit_for_failed(_by_kind(skipped)["failed"] or (() if rows else skipped))


def _rows_as_json(file: Path, table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a label file with the keys that are promised first; what is not known is None."""
    from labeltool.records import label_name

    names = {label: label_name(label) for label in table["label"].unique()}
    table = table.assign(file=str(file), label=table["label"].map(names))
    table = table[[*_PROMISED, *(name for name in table if name not in _PROMISED)]].astype(object)
    rows = table.where(table.notna(), None).to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in rows]


def _import(batches: Callable[[Progress], Iterable[Batch]], as_json: bool) -> None:
    from labeltool.parallel import engine
    from labeltool.store.importing import ImportResult, import_records

    imported, project = ImportResult(), current_project()
    with (
        engine.using(chosen_engine(), project.cache),
        project.open_store(to_write=True) as store,
        ProgressDisplay() as progress,
    ):
        for batch in batches(progress):
            imported.add(import_records(store, batch.records, kind=batch.kind, source=batch.source, report=progress))
    if as_json:
        names = ("recordings", "clips", "verdicts", "checked", "suggestions", "already_there")
        emit({**{name: getattr(imported, name) for name in names}, **skipped_json(imported.skipped)})
    else:
        _print_result(imported)
    is_nothing = not imported.changes and not any(imported.already_there.values())
    exit_for_failed(imported.skipped if is_nothing else _by_kind(imported.skipped)["failed"])


def _print_result(imported: ImportResult) -> None:
    print_skipped(imported.skipped)
    counts = {name: getattr(imported, name) for name in imported.already_there} | {"checked parts": imported.checked}
    new, known = counted_nouns(counts) or "nothing new", counted_nouns(imported.already_there)
    already = f"; {known} already there" if known else ""
    kinds = _by_kind(imported.skipped)
    failed = len(kinds["failed"])
    left = [f"{number} skipped"] if (number := len(kinds["skipped"])) else []
    left += [f"{counted(failed, 'file')} failed"] if failed else []
    narrate(f"{new} imported{already}" + "".join(f"; {one}" for one in left))


def counted_nouns(counts: Mapping[str, int]) -> str:
    """Return the numbers that are not 0 with their nouns; "" where all are."""
    return ", ".join(
        counted(count, _NOUNS.get(plural, plural).removesuffix("s")) for plural, count in counts.items() if count
    )


def _by_kind(skipped: Sequence[Skipped]) -> dict[str, list[Skipped]]:
    """Return what failed, what was only assumed ("note"), and what was skipped, in the order of its lines."""
    from labeltool.records import Failed, Note

    kinds: dict[str, list[Skipped]] = {"failed": [], "note": [], "skipped": []}
    for one in skipped:
        kinds["failed" if isinstance(one, Failed) else "note" if isinstance(one, Note) else "skipped"].append(one)
    return kinds


def skipped_json(skipped: Sequence[Skipped]) -> dict[str, Any]:
    """Return what was skipped, what failed and what was noted, with the keys that the JSON of imports promises."""
    kinds = _by_kind(skipped)
    return {
        "skipped": [asdict(one) for one in skipped if one not in kinds["note"]],
        "failed": [{"file": one.file, "reason": one.reason} for one in kinds["failed"]],
        "notes": [asdict(one) for one in kinds["note"]],
    }


def print_skipped(skipped: Sequence[Skipped]) -> None:
    """Name on stderr every file that failed or is damaged, and of what was assumed or skipped the first."""
    from labeltool.records import Damaged, Failed

    for word, group in _by_kind(skipped).items():
        shown = [one for place, one in enumerate(group) if place < _REASONS_SHOWN or isinstance(one, (Failed, Damaged))]
        for one in shown:
            narrate(f"{'damaged' if isinstance(one, Damaged) else word}: {one}")
        if len(group) > len(shown):
            narrate(f"... and {len(group) - len(shown)} more: --json lists them all")
