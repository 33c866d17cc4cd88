"""What the labelling room does, for scripts: verdicts, taking them back, the journal, labels' names."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from labeltool.cli.common import current_project, emit, json_option, narrate, project_option
from labeltool.records import Value

if TYPE_CHECKING:
    from labeltool.store.journal import JournalRow

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
    """Take back the last verdict, skip or renaming, or a whole swept page; say it again to go further back."""
    from labeltool.store import journal

    project = current_project()
    with project.open_store() as store:
        row = journal.undo(store, annotator=project.annotator(annotator))
    if as_json:
        emit({"undone": asdict(row) if row else None})
    elif row is None:
        narrate("nothing to take back")
    else:
        narrate(f"took back{_act_in_words(row)}")


@click.command()
@annotator_option
@project_option
@json_option
def redo(annotator: str | None, as_json: bool) -> None:
    """Say again what the last undo took back."""
    from labeltool.store import journal

    project = current_project()
    with project.open_store() as store:
        row = journal.redo(store, annotator=project.annotator(annotator))
    if as_json:
        emit({"redone": asdict(row) if row else None})
    else:
        narrate(f"said again{_act_in_words(row)}" if row else "nothing to say again")


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
            taken_back = "  (taken back)" if row.revoked else ""
            at_once = f" (one of {row.together} at once)" if row.together > 1 else ""
            click.echo(f"{row.said_at}  {row.annotator!r}  {_in_words(row)}{at_once}{taken_back}")


@click.command()
@click.argument("clip")
@click.argument("text")
@annotator_option
@project_option
def note(clip: str, text: str, annotator: str | None) -> None:
    """Keep a remark on CLIP (its id, or its file); it answers nothing."""
    from labeltool.store import clips, journal

    project = current_project()
    with project.open_store() as store:
        journal.note(store, clips.find_clip(store, clip).id, text, annotator=project.annotator(annotator))


@click.command()
@click.option("--annotator", metavar="NAME", help="Of one person; else of all.")
@project_option
@json_option
def stats(annotator: str | None, as_json: bool) -> None:
    """Show how fast people answer, how often the first suggestion was right, and what good questions saved."""
    from labeltool.annotation import pace

    project = current_project()
    with project.open_store() as store:
        found = pace.measure(store, annotator=annotator)
    saved = pace.labels_saved(project.cache)
    if as_json:
        emit({**asdict(found), "labels_saved": saved and asdict(saved)})
        return
    if saved:
        click.echo(f"labels saved      {saved.in_words()}")
    if not found.answers:
        click.echo("no answers by hand yet")
        return
    click.echo(f"answers           {found.answers}")
    if found.clips_per_minute is not None:
        click.echo(f"clips per minute  {found.clips_per_minute:.1f} (median {found.median_ms} ms an answer)")
    if found.first_right is not None:
        click.echo(f"first suggestion  right {found.first_right:.0%} of {found.suggested} times")


@click.command()
@click.argument("old")
@click.argument("new")
@annotator_option
@project_option
def rename(old: str, new: str, annotator: str | None) -> None:
    """Let the label OLD go by the name NEW; where NEW exists, the two become one. `undo` takes it back."""
    from labeltool.store import labels

    project = current_project()
    with project.open_store() as store:
        labels.rename(store, old, new, annotator=project.annotator(annotator))
    narrate(f"{old!r} goes by {new!r}")


def _act_in_words(row: JournalRow) -> str:
    """Say what an act says, by its last row."""
    many = f" {row.together} verdicts, the last" if row.together > 1 else ""
    return f"{many}: {_in_words(row)}"


def _in_words(row: JournalRow) -> str:
    """Say what a row says; quoted, for a name may hold a terminal's escape codes."""
    if row.kind == "rename":
        return f"rename {row.label!r} to {row.new_label!r}"
    if row.kind == "revoke":
        return "undo"
    if row.kind == "verdict":
        return f"clip {row.clip_id}: {'the whole clip' if row.label is None else repr(row.label)} {row.value}"
    return f"clip {row.clip_id}: {row.kind}{f' {row.note!r}' if row.note else ''}"
