"""Backups of a project's database, and going back to one."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from labeltool.cli.common import current_project, emit, json_option, narrate, project_option


@click.command()
@click.argument("file", metavar="[FILE]", required=False, type=click.Path(path_type=Path))
@click.option("--overwrite", is_flag=True, help="Replace FILE, if it is there already.")
@project_option
@json_option
def backup(file: Path | None, overwrite: bool, as_json: bool) -> None:
    """Write all labels, clips and suggestions into FILE.

    FILE is a whole copy of the project's labels.db (default: a new name in its folder backups/). Others may go on
    labelling meanwhile. Sounds and models are not in it.

    \b
    labeltool backup
    labeltool backup /media/stick/birds.db
    """  # noqa: D301 - click's mark for "do not wrap" is a real backspace
    from labeltool.store import backup as backups

    project = current_project()
    with project.open_store() as store:
        made = backups.back_up(store, file or backups.default_path(project.database), overwrite=overwrite)
    if as_json:
        emit({"written": str(made.path), "bytes": made.size_bytes, "journal_rows": made.journal_rows})
    else:
        narrate(f"wrote {made.path}: {made.size_bytes / 1e6:.1f} MB, {made.journal_rows} rows in the journal")


@click.command()
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@project_option
@json_option
def restore(file: Path, as_json: bool) -> None:
    """Put a backup in the place of the project's labels.db.

    What was there is kept beside it, and named: restoring that goes back. An app that is open stops by itself.

    \b
    labeltool restore backups/daily-2026-05-04.db
    """  # noqa: D301 - click's mark for "do not wrap" is a real backspace
    from labeltool.store import backup as backups

    project = current_project(may_be_lost=True)
    kept = backups.restore(project.database, file)
    if kept is not None and not kept.exists():
        kept = kept.with_name(f"{kept.name}-wal")  # there was no labels.db any more
    if as_json:
        emit({"restored": str(file), "kept": None if kept is None else str(kept)})
        return
    narrate(f"{project.database} is {file} now")
    if kept is not None:
        back = f"; `labeltool restore {shlex.quote(str(kept))}` goes back to it" if kept.suffix == ".bak" else ""
        narrate(f"what was there is {kept}{back}")
