"""What the labelling room does, for scripts: verdicts, taking them back, the journal, labels' names."""

from __future__ import annotations

from dataclasses import asdict

import click

from labeltool.commands.common import current_project, emit, json_option, narrate, project_option
from labeltool.records import Value

annotator_option = click.option("--annotator", metavar="NAME", help="Who says so; else as in labeltool.toml.")


@click.command()
@click.argument("clip")
@click.argument("label", required=False)
@click.option("--absent", is_flag=True, help="LABEL is not heard; without LABEL: none of the project's labels is.")
@click.option("--unsure", is_flag=True, help="LABEL may be heard; without LABEL: cannot tell what it is.")
@annotator_option
@project_option
@json_option
def mark(clip: str, label: str | None, absent: bool, unsure: bool, annotator: str | None, as_json: bool) -> None:
    """Say that LABEL is heard in CLIP (its id, or its file)."""
    from labeltool.store import clips, journal

    if absent and unsure:
        raise click.UsageError("--absent and --unsure exclude each other")
    if label is None and not (absent or unsure):
        raise click.UsageError("name a LABEL, or say --absent (none of them) or --unsure")
    value = Value.ABSENT if absent else Value.UNSURE if unsure else Value.PRESENT
    project = current_project()
    with project.open_store() as store:
        found = clips.find_clip(store, clip)
        row_id = journal.say(store, found.id, label, value, annotator=project.annotator(annotator))
    if as_json:
        emit({"row": row_id, "clip": found.id, "label": label, "value": value.value})
    else:
        narrate(f"clip {found.id}: {'the whole clip' if label is None else repr(label)} {value.value}")


@click.command()
@annotator_option
@project_option
@json_option
def undo(annotator: str | None, as_json: bool) -> None:
    """Take back the last verdict, skip or renaming; say it again to go further back."""
    from labeltool.store import journal

    project = current_project()
    with project.open_store() as store:
        row = journal.undo(store, annotator=project.annotator(annotator))
    if as_json:
        emit({"undone": asdict(row) if row else None})
    elif row is None:
        narrate("nothing to take back")
    else:
        narrate(f"took back: {_in_words(row.kind, row.clip_id, row.label, row.value, row.new_label)}")


@click.command()
@click.option("--clip", metavar="CLIP", help="Only of this clip (its id, or its file).")
@click.option("--limit", type=click.IntRange(min=1), help="Only the newest so many rows.")
@project_option
@json_option
def log(clip: str | None, limit: int | None, as_json: bool) -> None:
    """Show the journal, newest first: every verdict ever given, and what was taken back."""
    from labeltool.store import clips, journal

    with current_project().open_store() as store:
        clip_id = clips.find_clip(store, clip).id if clip else None
        if as_json:
            emit({"rows": [asdict(row) for row in journal.rows(store, clip_id=clip_id, limit=limit)]})
            return
        for row in journal.rows(store, clip_id=clip_id, limit=limit):
            told = _in_words(row.kind, row.clip_id, row.label, row.value, row.new_label)
            click.echo(f"{row.said_at}  {row.annotator}  {told}{'  (taken back)' if row.revoked else ''}")


@click.command()
@click.argument("old")
@click.argument("new")
@annotator_option
@project_option
def rename(old: str, new: str, annotator: str | None) -> None:
    """Let the label OLD go by the name NEW; where NEW exists, the two become one. `undo` takes it back."""
    from labeltool.store import journal

    project = current_project()
    with project.open_store() as store:
        journal.rename_label(store, old, new, annotator=project.annotator(annotator))
    narrate(f"{old!r} goes by {new!r}")


def _in_words(kind: str, clip_id: int | None, label: str | None, value: str | None, new_label: str | None) -> str:
    if kind == "rename":
        return f"rename {label!r} to {new_label!r}"
    if kind == "verdict":
        return f"clip {clip_id}: {'the whole clip' if label is None else repr(label)} {value}"
    return kind if clip_id is None else f"clip {clip_id}: {kind}"
