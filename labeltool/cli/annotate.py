"""Annotation from scripts: labels on clips, undo and redo, the journal, remarks, statistics."""

from __future__ import annotations

from dataclasses import asdict
from difflib import get_close_matches
from typing import TYPE_CHECKING, Literal

import click

from labeltool.cli.common import (
    Number,
    annotator_option,
    current_project,
    emit,
    limit_option,
    narrate,
    project_option,
    project_options,
    quoted,
)
from labeltool.util.counted import counted, listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from labeltool.annotation.people.agreement import Agreement, ProjectAgreement
    from labeltool.store import Store
    from labeltool.store.journal import JournalRow

_MAX_NAMED = 20
_MAX_COMPARED = 80


@click.command()
@click.argument("clip")
@click.argument("label", required=False)
@click.option("--checked", is_flag=True, help="Every sound in CLIP's recording is labelled: the rest is background.")
@click.option("--unchecked", is_flag=True, help="Revoke --checked.")
@click.option("--absent", is_flag=True, help="LABEL is absent; without LABEL: none of the project's labels is present.")
@click.option("--unsure", is_flag=True, help="LABEL may be present; without LABEL: the sound cannot be recognised.")
@click.option("--start", type=Number(), metavar="SECONDS", help="Label from here in its recording, not the whole clip.")
@click.option("--end", type=Number(), metavar="SECONDS", help="Label up to here; without it, to the end of CLIP.")
@annotator_option
@project_options
def mark(
    clip: str,
    label: str | None,
    checked: bool,
    unchecked: bool,
    absent: bool,
    unsure: bool,
    start: float | None,
    end: float | None,
    annotator: str | None,
    as_json: bool,
) -> None:
    """Label CLIP (its id, or its file): LABEL is present.

    With --checked, all of its recording is checked: outside the labelled regions no label is present.

    \b
    labeltool mark dawn.wav robin
    labeltool mark 17 robin --absent
    labeltool mark night.flac --checked
    labeltool mark 17 robin --start 62.5 --end 64
    """  # noqa: D301 - click's mark for "do not wrap" is a real backspace
    from labeltool.annotation import marking
    from labeltool.records import Value, label_name
    from labeltool.store import clips, journal, labels

    if checked or unchecked:
        others = (checked and unchecked, absent, unsure, label is not None, start is not None, end is not None)
        if any(others):
            raise click.UsageError("--checked and --unchecked stand alone: they are about a whole recording")
        _mark_recording(clip, checked, annotator, as_json)
        return
    if absent and unsure:
        raise click.UsageError("--absent and --unsure exclude each other")
    if label is None and not (absent or unsure):
        raise click.UsageError("name a LABEL, or give --absent (none of them) or --unsure")
    value = Value.ABSENT if absent else Value.UNSURE if unsure else Value.PRESENT
    project = current_project()
    with project.open_store() as store:
        newest = labels.newest_id(store.connection)
        found = clips.find_clip(store, clip)
        row_id = marking.mark(
            store, found, label, value, start_s=start, end_s=end, annotator=project.annotator(annotator)
        )
        clip_id = journal.row(store, row_id).clip_id
        is_new = labels.newest_id(store.connection) != newest
        names = clips.label_names(store) if is_new else []
        narrate_case(store, newest)
    label = None if label is None else label_name(label)
    if as_json:
        emit({"row": row_id, "clip": clip_id, "label": label, "value": value.value})
    else:
        what = "the whole clip" if label is None else repr(label)
        narrate(f"clip {clip_id}: {what} {value.value}{_about_new(label, names)}")


def _about_new(label: str | None, names: Sequence[str]) -> str:
    """Return that a label is new, and the one of the project that may have been meant; `names` are empty for others."""
    if label is None or not names:
        return ""
    others = [name for name in names if name.casefold() != label.casefold()]  # those in other case have a note
    near = get_close_matches(label[:_MAX_COMPARED], others, 1)
    return ", a new label" + (f" (did you mean {near[0]!r}? `labeltool undo`)" if near else "")


def narrate_case(store: Store, newest: int) -> None:
    """Say which labels later than an id differ from another in letter case only."""
    from labeltool.store import labels

    for note in labels.notes_on_case(store.connection, newest):
        narrate(f"note: {note.file}: {note.reason}")


def _mark_recording(name: str, is_checked: bool, annotator: str | None, as_json: bool) -> None:
    """Mark a recording as checked, or revoke that."""
    from labeltool.store import checked, recordings

    project = current_project()
    with project.open_store() as store:
        recording = recordings.recording_of(store, name)
        mark_recording = checked.mark_checked if is_checked else checked.mark_unchecked
        mark_recording(store, recording, annotator=project.annotator(annotator))
    if as_json:
        emit({"recording": recording.path, "checked": is_checked})
    else:
        narrate(f"{recording.path}: {'checked' if is_checked else 'no longer checked'}")


@click.command()
@click.option("--import", "an_import", is_flag=True, help="The last import: all its labels no longer count.")
@annotator_option
@project_options
def undo(an_import: bool, annotator: str | None, as_json: bool) -> None:
    """Undo your last label, skip, removal, group or change of labels.

    A page of the batch review is undone as a whole. Repeat the command to go further back; `labeltool redo` reverts it.
    Imports are undone with --import: their recordings and clips stay; importing the file again brings the labels back.
    """
    if an_import:
        _undo_import(annotator, as_json)
    else:
        _go_back_or_on("undo", annotator, as_json)


def _undo_import(annotator: str | None, as_json: bool) -> None:
    from labeltool.store.importing.undo import undo_last_import

    project = current_project()
    with project.open_store() as store:
        undone = undo_last_import(store, annotator=project.annotator(annotator))
    if as_json:
        emit({"undone": asdict(undone) if undone else None})
    elif undone is None:
        narrate("nothing to undo: no import has labels")
    else:
        narrate(f"undone: {undone.describe()}; its recordings and clips stay")
        if undone.rows_left:
            narrate(f"{counted(undone.rows_left, 'annotation')} of other imports of it still count: repeat the command")
        if undone.unused_labels:
            names = listed([*map(quoted, undone.unused_labels)], _MAX_NAMED)
            narrate(f"no annotation has now: {names} (`labeltool labels retire NAME`)")


@click.command()
@annotator_option
@project_options
def redo(annotator: str | None, as_json: bool) -> None:
    """Redo what your last undo revoked."""
    _go_back_or_on("redo", annotator, as_json)


def _go_back_or_on(name: Literal["undo", "redo"], annotator: str | None, as_json: bool) -> None:
    from labeltool.store import journal

    project = current_project()
    with project.open_store() as store:
        last = next(journal.rows(store, limit=1), None)
        row = getattr(journal, name)(store, annotator=project.annotator(annotator))
    if as_json:
        emit({f"{name}ne": row.to_json() if row else None})
    elif row is None:
        narrate(f"nothing to {name} for {project.annotator(annotator)!r} (--annotator names another person)")
    else:
        rows = "labels" if row.kind == "verdict" else "rows"
        many = f" {row.batch_size} {rows}, the last" if row.batch_size > 1 else ""
        narrate(f"{name}ne{many}: {_describe(row)}")
    if name == "undo" and not as_json and last is not None and last.origin == "import" and last.kind == "verdict":
        narrate("the import since then stays: `labeltool undo --import` undoes it")


@click.command()
@click.option("--clip", metavar="CLIP", help="Only this clip (its id, or its file).")
@limit_option(None, "rows")
@project_options
def log(clip: str | None, limit: int | None, as_json: bool) -> None:
    """Show every label ever given and what was undone, newest first.

    \b
    labeltool log --clip dawn.wav --limit 5
    """  # noqa: D301 - click's mark for "do not wrap" is a real backspace
    from labeltool.store import clips, journal

    with current_project().open_store() as store:
        clip_id = clips.find_clip(store, clip).id if clip else None
        if as_json:
            emit({"rows": [row.to_json() for row in journal.rows(store, clip_id=clip_id, limit=limit)]})
            return
        for row in journal.rows(store, clip_id=clip_id, limit=limit):
            undone = "  (undone)" if row.revoked else ""
            batch = f" (one of {row.batch_size} in a batch)" if row.batch_size > 1 else ""
            click.echo(f"{row.created_at}  {row.annotator!r}  {_describe(row)}{batch}{undone}")


@click.command()
@click.argument("clip")
@click.argument("text")
@annotator_option
@project_option
def note(clip: str, text: str, annotator: str | None) -> None:
    """Store a remark on CLIP (its id, or its file).

    It is shown in the app and in `labeltool log`; it is no label.

    \b
    labeltool note dawn.wav "two robins?"
    """  # noqa: D301 - click's mark for "do not wrap" is a real backspace
    from labeltool.store import clips, journal

    project = current_project()
    with project.open_store() as store:
        journal.note(store, clips.find_clip(store, clip).id, text, annotator=project.annotator(annotator))


@click.command()
@click.option("--annotator", metavar="NAME", help="Only one person's labels.  [default: everybody's]")
@project_options
def stats(annotator: str | None, as_json: bool) -> None:
    """Show annotation speed, right suggestions, and agreement.

    After `labeltool simulate` also how many labels the query strategy saves, compared with random order. Agreement is
    that of the clips that two or more people labelled: 1 for perfect, 0 for that of chance, with 95 % intervals.
    """
    from labeltool.annotation import speed
    from labeltool.annotation.people.agreement import project_agreement

    project = current_project()
    with project.open_store() as store:
        found = speed.annotation_statistics(store, annotator=annotator)
        agreement = project_agreement(store)
    saved = speed.labels_saved(project.own_cache)
    if as_json:
        together = agreement and asdict(agreement)
        emit({**asdict(found), "labels_saved": saved and asdict(saved), "agreement": together})
        return
    if saved:
        click.echo(f"labels saved      {saved.describe()}")
    if not found.answers:
        click.echo("nothing labelled by hand yet")
        return
    click.echo(f"clips labelled    {found.answers}")
    if found.clips_per_minute is not None:
        click.echo(f"clips per minute  {found.clips_per_minute:.1f} (median {found.median_ms} ms a clip)")
    if found.first_right is not None:
        click.echo(f"first suggestion  right {found.first_right:.0%} of {found.suggested} times")
    if agreement is not None:
        for line in _agreement_lines(agreement):
            click.echo(line)


def _agreement_lines(found: ProjectAgreement) -> Iterator[str]:
    """Yield the agreement of annotators in lines."""
    yield f"agreement         {found.clips} clips labelled by two or more of {len(found.annotators)} people"
    yield f"  Krippendorff's alpha  {_describe_agreement(found.alpha)}"
    yield f"  Fleiss' kappa         {_describe_agreement(found.fleiss)}, {found.raters} people a clip"
    width = max(len(quoted(one.label)) for one in found.by_label) if found.by_label else 0
    for one in found.by_label:
        yield f"  {quoted(one.label):{width}}  alpha {_describe_agreement(one.alpha)}, given to {one.present}"
    for pair in found.by_pair:
        first, second = map(quoted, pair.annotators)
        yield f"  {first} and {second}  Cohen's kappa {_describe_agreement(pair.kappa)}"


def _describe_agreement(one: Agreement) -> str:
    if one.value is None:
        return f"not defined, for all chose the same; {one.clips} clips"
    interval = "no interval: too few clips or groups" if one.low is None else f"{one.low:.2f} to {one.high:.2f}"
    return f"{one.value:.2f} ({interval}); {one.same:.0%} the same, {one.clips} clips"


def _describe(row: JournalRow) -> str:
    """Describe a row; names are quoted, for they may hold a terminal's escape codes."""
    if row.kind == "rename":
        return f"rename {row.label!r} to {row.new_label!r}"
    if row.kind == "parent":
        return f"{row.label!r} has {'no parent' if row.label == row.new_label else f'the parent {row.new_label!r}'}"
    if row.kind == "define":
        return f"define {row.label!r}: {row.note!r}"
    if row.kind == "split":
        from labeltool.store.label_acts.derived import split_names

        return f"split {row.label!r} into {', '.join(map(repr, split_names(row.note or '')))}"
    if row.kind == "retire":
        return f"retire {row.label!r}"
    if row.kind == "revoke":
        return "undo"
    if row.kind in ("remove", "lock"):
        return f"{row.kind} {row.recording!r}"
    if row.kind == "group":
        return f"group {row.recording!r} as {row.group_name!r}"
    if row.kind == "example":
        return f"clip {row.clip_id}: example of {row.label!r}"
    if row.kind == "verdict":
        return f"clip {row.clip_id}: {'the whole clip' if row.label is None else repr(row.label)} {row.value}"
    return f"clip {row.clip_id}: {row.kind}{f' {row.note!r}' if row.note else ''}"
