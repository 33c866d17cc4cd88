"""Foreign formats, brought in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from labeltool.cli.common import Progress, current_project, emit, json_option, narrate, project_option
from labeltool.errors import in_one_line
from labeltool.records import Imported, Recording

# Reasons shown before the rest is counted; --json has them all.
_REASONS_SHOWN = 10

_path = click.Path(path_type=Path)


@click.group("import")
@project_option
def import_() -> None:
    """Bring in recordings and labels. Importing the same thing again changes nothing."""


@import_.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=_path)
@click.option("--audio", metavar="FILE", type=_path, help="The sound; else it is sought beside each FILE.")
@click.option("--dry-run", is_flag=True, help="Read and report, store nothing; the sound need not be there.")
@project_option
@json_option
def audacity(files: tuple[Path, ...], audio: Path | None, dry_run: bool, as_json: bool) -> None:
    """Label tracks of Audacity: exported .txt files or .aup3 projects."""
    from labeltool.importers import audacity as reader

    if not dry_run:
        _take_in("audacity", files, reader.read(files, audio), as_json)
        return
    rows: list[dict[str, Any]] = []
    skipped: list[dict[str, Any]] = []
    for file in files:
        parsed = reader.parse(file)
        rows += [asdict(row) for row in parsed.rows]
        skipped += [asdict(one) for one in parsed.skipped]
    if as_json:
        emit({"recordings": 0, "clips": 0, "verdicts": 0, "skipped": skipped, "rows": rows})
        return
    for row in rows:
        click.echo(f"{row['start_s']:.6f}\t{row['end_s']:.6f}\t{row['label']}")
    _tell_skipped(skipped)
    narrate(f"{len(rows)} labels read, {len(skipped)} lines not taken; nothing stored")


@import_.command()
@click.argument("directory", metavar="DIR", type=_path)
@click.option("--subset", type=click.Choice(["esc10"]), help="Only the ten classes of ESC-10.")
@project_option
@json_option
def esc50(directory: Path, subset: str | None, as_json: bool) -> None:
    """ESC-50 as published: DIR/meta/esc50.csv and DIR/audio; official folds and sources are kept."""
    from labeltool.importers import esc50 as reader

    _take_in("esc50", (directory,), reader.read(directory, subset), as_json)


@import_.command()
@click.argument("directory", metavar="DIR", type=_path)
@project_option
@json_option
def urbansound8k(directory: Path, as_json: bool) -> None:
    """UrbanSound8K as published: DIR/metadata and DIR/audio/foldN; official folds and sources are kept."""
    from labeltool.importers import urbansound8k as reader

    _take_in("urbansound8k", (directory,), reader.read(directory), as_json)


@import_.command()
@click.argument("files", metavar="LOG...", nargs=-1, required=True, type=_path)
@click.option("--audio", metavar="FILE", type=_path, help="The sound; else it is sought beside each LOG.")
@click.option("--clip-seconds", type=float, default=2.0, show_default=True, help="Length of the clips to ask about.")
@project_option
@json_option
def device(files: tuple[Path, ...], audio: Path | None, clip_seconds: float, as_json: bool) -> None:
    """Logs of a board running an exported model: what it heard becomes suggestions, the least sure asked first."""
    from labeltool.importers import device_log as reader

    _take_in("device", files, reader.read(files, audio, clip_seconds), as_json)


@import_.command("audio")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=_path)
@click.option("--clip-seconds", type=float, help="Cut recordings into clips of this length; else one clip each.")
@click.option("--hop-seconds", type=float, help="From one clip's start to the next; else the clip's length.")
@project_option
@json_option
def pool(paths: tuple[Path, ...], clip_seconds: float | None, hop_seconds: float | None, as_json: bool) -> None:
    """Recordings without labels: files, and folders with all that is in them."""
    from labeltool.importers import audio_files as reader

    if hop_seconds is not None and clip_seconds is None:
        raise click.UsageError("--hop-seconds needs --clip-seconds")
    _take_in("audio", paths, reader.read(paths, clip_seconds, hop_seconds), as_json)


def _take_in(kind: str, sources: Iterable[Path], records: Iterator[Imported], as_json: bool) -> None:
    from labeltool.store.importing import take_in

    with current_project().open_store() as store, Progress() as progress:
        source = ", ".join(str(path) for path in sources)
        intake = take_in(store, _counted(records, progress), kind=kind, source=source)
    skipped = [asdict(one) for one in intake.skipped]
    if as_json:
        emit(
            {
                "recordings": intake.recordings,
                "clips": intake.clips,
                "verdicts": intake.verdicts,
                "suggestions": intake.suggestions,
                "already_there": intake.already_there,
                "skipped": skipped,
            }
        )
        return
    _tell_skipped(skipped)
    taken = {name: getattr(intake, name) for name in intake.already_there}
    narrate(
        (", ".join(f"{count} {name}" for name, count in taken.items() if count) or "nothing new")
        + f" taken in; {sum(intake.already_there.values())} rows were there already; {len(skipped)} not taken"
    )


def _counted(records: Iterator[Imported], progress: Progress) -> Iterator[Imported]:
    recordings = 0
    for record in records:
        if isinstance(record, Recording):
            recordings += 1
            progress("reading", recordings, 0, Path(record.path).name)
        yield record


def _tell_skipped(skipped: list[dict[str, Any]]) -> None:
    for one in skipped[:_REASONS_SHOWN]:
        place = f"{one['file']}:{one['line']}" if one["line"] is not None else one["file"]
        narrate(in_one_line(f"not taken: {place}: {one['reason']}"))
    if len(skipped) > _REASONS_SHOWN:
        narrate(f"... and {len(skipped) - _REASONS_SHOWN} more: --json names them all")
