"""Projects: made, looked at, their recordings found again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labeltool import project as projects
from labeltool.cli.common import Progress, current_project, emit, json_option, narrate, project_option, shown
from labeltool.errors import LabeltoolError, in_one_line

if TYPE_CHECKING:
    from labeltool.store.models import ModelRow


@click.command()
@click.argument("directory", metavar="[DIR]", default=".", type=click.Path(path_type=Path))
def init(directory: Path) -> None:
    """Make a project of DIR (default: here)."""
    made = projects.create(directory)
    narrate(f"made the project {made.directory}; next: labeltool import --help")


@click.command()
@project_option
@json_option
def status(as_json: bool) -> None:
    """Show what is there, what is labelled and what the model knows."""
    from labeltool.store import clips, models

    with current_project().open_store() as store:
        counts = clips.counts(store)
        model = models.latest(store)
        pending = models.pending(store, model.journal_mark if model else "")
        suggester = models.suggester(store)
    if as_json:
        emit(
            {
                "recordings": counts.recordings,
                "clips": counts.clips,
                "labelled": counts.labelled,
                "unlabelled": counts.unlabelled,
                "set_aside": counts.set_aside,
                "labels": counts.labels,
                "model": model.id if model else None,
                "pending_retrain": pending,
                "suggests": _suggests(suggester),
            }
        )
        return
    click.echo(f"recordings  {counts.recordings}")
    click.echo(f"clips       {counts.clips}: {counts.labelled} labelled, {counts.unlabelled} not yet")
    names = {name: shown(name) for name in counts.labels}
    width = max(map(len, names.values()), default=0)
    for name, count in sorted(counts.labels.items(), key=lambda item: (-item[1], item[0])):
        click.echo(f"  {names[name]:{width}}  {count}")
    if model is None:
        click.echo("model       none yet: labeltool retrain")
    else:
        accuracy = "not measured" if model.clip_accuracy is None else f"{model.clip_accuracy:.1%} of validation clips"
        click.echo(f"model       {model.id} ({model.architecture}), {accuracy}; {pending} answers since")
    if suggester is not None:
        click.echo(f"suggests    {_in_words(suggester)}")


def _suggests(suggester: ModelRow | None) -> dict[str, Any] | None:
    """Tell who suggests: an ear's name, or the network's id alone; and why it is the ear."""
    if suggester is None:
        return None
    return {
        "model": suggester.id,
        "ear": suggester.ear,
        "clip_accuracy": suggester.clip_accuracy,
        "why": suggester.card.get("why"),
    }


def _in_words(suggester: ModelRow) -> str:
    if suggester.ear is None:
        return f"model {suggester.id}"
    accuracy = suggester.clip_accuracy
    right = "" if accuracy is None else f", {accuracy:.1%} of the clips answered before it was told"
    return in_one_line(f"{suggester.ear}{right}: {suggester.card['why']}")


@click.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path))
@project_option
@json_option
def relocate(paths: tuple[Path, ...], as_json: bool) -> None:
    """Find recordings that were moved or renamed, by their content, in files and folders."""
    from labeltool.audio.files import content_hash, walk
    from labeltool.store import clips

    with current_project().open_store() as store, Progress() as progress:
        known = clips.recording_paths(store)
        missing = {sha256 for sha256, path in known.items() if not Path(path).is_file()}
        found: dict[str, str] = {}
        for path in paths:
            if not path.exists():
                raise LabeltoolError("no such file or folder", file=path)
        files = (file for path in paths for file in (walk(path) if path.is_dir() else (path,)))
        # To read a pipe would wait for ever.
        for done, path in enumerate(filter(Path.is_file, files), start=1):
            progress("hashing", done, 0, path.name)
            sha256 = content_hash(path)
            if sha256 in missing or (sha256 in known and _replaced(known[sha256], sha256)):
                found[sha256] = str(path.resolve())
        moved = clips.relocate(store, list(found.items())) if found else 0
    if as_json:
        emit({"relocated": moved, "missing": len(missing - set(found))})
    else:
        narrate(f"found {moved} recordings; {len(missing - set(found))} are still missing")


def _replaced(path: str, sha256: str) -> bool:
    from labeltool.audio.files import require_content

    try:
        require_content(path, sha256)
    except LabeltoolError:
        return True
    return False
