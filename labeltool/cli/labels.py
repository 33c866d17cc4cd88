"""The labels of the project: list, rename, define, order, split, retire and delete them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from labeltool.cli.annotate import narrate_case
from labeltool.cli.common import (
    annotator_option,
    current_project,
    emit,
    exit_for_failed,
    narrate,
    project_option,
    project_options,
    quoted,
)
from labeltool.cli.import_ import print_skipped, skipped_json
from labeltool.errors import in_one_line
from labeltool.util.counted import counted

if TYPE_CHECKING:
    from labeltool.annotation.label_overview import LabelOverview, LabelUse

_F = TypeVar("_F", bound=Callable[..., Any])


def effect_options(command: _F) -> _F:
    """Give a command that changes labels `--dry-run` and `--yes`, whose parameters are `dry_run` and `yes`."""
    dry_run = click.option("--dry-run", is_flag=True, help="Show what it concerns, change nothing.")
    yes = click.option("--yes", is_flag=True, help="Do not ask on a terminal.")
    return dry_run(yes(command))


def ask(question: str, yes: bool) -> None:
    """Ask on a terminal whether to go on; leave where that is not wanted.

    Raises
    ------
    click.Abort
        When it is not wanted.
    """
    if not yes and sys.stdin.isatty():
        click.confirm(question, abort=True, err=True)


@click.group(invoke_without_command=True)
@project_options
@click.pass_context
def labels(context: click.Context, as_json: bool) -> None:
    """List the labels; define, order, split, retire or delete one.

    \b
    labeltool labels
    labeltool labels define robin "song, not the alarm call" --example dawn.wav
    labeltool labels split bird robin wren
    """  # noqa: D301 - click's mark for "do not wrap" is a real backspace
    if context.invoked_subcommand is not None:
        return
    from labeltool.annotation.label_overview import label_overview

    with current_project().open_store() as store:
        found = label_overview(store)
    if as_json:
        emit({"labels": [_overview_json(one) for one in found]})
        return
    for one in found:
        click.echo(in_one_line(_line(one)))
    if not found:
        narrate("no labels yet: `labeltool label` or `labeltool mark` makes them")


@click.command()
@click.argument("old")
@click.argument("new")
@effect_options
@annotator_option
@project_option
def rename(old: str, new: str, dry_run: bool, yes: bool, annotator: str | None) -> None:
    """Rename the label OLD to NEW, or merge it into NEW.

    `labeltool undo` reverts it.

    \b
    labeltool rename robbin robin
    """  # noqa: D301 - click's mark for "do not wrap" is a real backspace
    from labeltool.annotation.label_overview import use_of
    from labeltool.store import clips
    from labeltool.store import labels as stored

    project = current_project()
    with project.open_store() as store:
        counts = clips.counts(store).labels
        merges = new in counts and new != old
        if dry_run or merges:
            use = use_of(store, old)
            into = (
                f"into {quoted(new)}, which has {counted(counts[new], 'clip')}"
                if merges
                else f"get the name {quoted(new)}"
            )
            _narrate_use(use, f"{counted(use.present, 'clip')} of {quoted(use.label)} {into}")
        if dry_run:
            return
        if merges:
            ask(f"Merge {quoted(old)} into {quoted(new)}?", yes)
        newest = stored.newest_id(store.connection)
        stored.rename(store, old, new, annotator=project.annotator(annotator))
        narrate_case(store, newest)
    narrate(f"renamed {old!r} to {new!r}")


@labels.command()
@click.argument("name")
@click.argument("text", required=False)
@click.option("--example", "examples", metavar="CLIP", multiple=True, help="A clip to listen to (its id, or its file).")
@annotator_option
@project_options
def define(name: str, text: str | None, examples: tuple[str, ...], annotator: str | None, as_json: bool) -> None:
    """Say in a sentence what a label means.

    The app shows TEXT while NAME is labelled, and plays the examples. An empty TEXT takes the definition away;
    `labeltool undo` reverts it.

    \b
    labeltool labels define robin "song, not the alarm call" --example dawn.wav
    """  # noqa: D301 - click's mark for "do not wrap" is a real backspace
    from labeltool.store import clips
    from labeltool.store.label_acts import changes

    if text is None and not examples:
        raise click.UsageError("give a TEXT, or an --example")
    project = current_project()
    with project.open_store() as store:
        clip_ids = [clips.find_clip(store, clip).id for clip in examples]
        changes.define(store, name, text, clip_ids, annotator=project.annotator(annotator))
    if as_json:
        emit({"label": name, "definition": text, "examples": clip_ids})
    else:
        narrate(f"{quoted(name)} is defined")


@labels.command()
@click.argument("child")
@click.argument("parent", required=False)
@click.option("--none", "is_none", is_flag=True, help="CHILD is a kind of no other label.")
@annotator_option
@project_options
def parent(child: str, parent: str | None, is_none: bool, annotator: str | None, as_json: bool) -> None:
    """Say that a label is a kind of another.

    `labeltool undo` reverts it.

    \b
    labeltool labels parent "dog bark" dog
    labeltool labels parent "dog bark" --none
    """  # noqa: D301 - click's mark for "do not wrap" is a real backspace
    from labeltool.store.label_acts import changes

    if (parent is None) is not is_none:
        raise click.UsageError("name a PARENT, or give --none")
    project = current_project()
    with project.open_store() as store:
        changes.set_parent(store, child, parent, annotator=project.annotator(annotator))
    if as_json:
        emit({"label": child, "parent": parent})
    else:
        narrate(f"{quoted(child)} is a kind of {quoted(parent) if parent is not None else 'no other label'}")


@labels.command("read")
@click.argument("file", type=click.Path(path_type=Path))
@annotator_option
@project_options
def read_list(file: Path, annotator: str | None, as_json: bool) -> None:
    """Read parents and definitions of labels from a table.

    FILE has the columns label and parent or definition, as `labels.csv` of an export. An empty field changes nothing.
    `labeltool undo` reverts it.

    \b
    labeltool labels read labels.csv
    """  # noqa: D301 - click's mark for "do not wrap" is a real backspace
    from labeltool.importers.label_list import read_label_list
    from labeltool.records import Skipped
    from labeltool.store.label_acts import changes

    project = current_project()
    listed, skipped = read_label_list(file)
    with project.open_store() as store:
        rows = [(one.name, one.parent, one.definition) for one in listed]
        changed, refused = changes.describe_labels(store, rows, annotator=project.annotator(annotator))
    skipped += [Skipped(str(file), listed[place].line, error.reason) for place, error in refused.items()]
    if as_json:
        emit({"rows": len(listed), "labels": changed, **skipped_json(skipped)})
    else:
        print_skipped(skipped)
        narrate(f"{counted(len(listed), 'row')}, {counted(changed, 'label')} changed")
    exit_for_failed(() if changed else skipped)


@labels.command()
@click.argument("old")
@click.argument("new", nargs=-1, required=True)
@effect_options
@annotator_option
@project_options
def split(old: str, new: tuple[str, ...], dry_run: bool, yes: bool, annotator: str | None, as_json: bool) -> None:
    """Label the clips of a label again with new ones.

    OLD stays on its clips until each is labelled again, in the app (F3, then s). One of NEW may be OLD itself.
    `labeltool undo` ends the split.

    \b
    labeltool labels split bird robin wren
    """  # noqa: D301 - click's mark for "do not wrap" is a real backspace
    from labeltool.annotation.label_overview import use_of
    from labeltool.store.label_acts import changes

    project = current_project()
    with project.open_store() as store:
        use = use_of(store, old)
        names = changes.new_names(new)
        into = ", ".join(map(quoted, names))
        if not as_json:
            _narrate_use(use, f"{counted(use.present, 'clip')} of {quoted(use.label)} to be labelled again as {into}")
        if not dry_run:
            ask(f"Split {quoted(use.label)}?", yes)
            changes.split(store, use.label, names, annotator=project.annotator(annotator))
    if as_json:
        emit(
            {"label": use.label, "into": names, "left": use.present, "examples": _examples(use), "changed": not dry_run}
        )
    elif not dry_run:
        narrate("`labeltool label`, then F3 and s on the label, shows them")


@labels.command()
@click.argument("name")
@effect_options
@annotator_option
@project_options
def retire(name: str, dry_run: bool, yes: bool, annotator: str | None, as_json: bool) -> None:
    """Offer a label no longer, nor train on it; its clips keep it.

    A new annotation with NAME brings it back, as does `labeltool undo`.

    \b
    labeltool labels retire "old class" --dry-run
    """  # noqa: D301 - click's mark for "do not wrap" is a real backspace
    from labeltool.annotation.label_overview import use_of
    from labeltool.store.label_acts import changes

    project = current_project()
    with project.open_store() as store:
        use = use_of(store, name)
        if not as_json:
            _narrate_use(
                use, f"{quoted(use.label)} is no longer offered nor trained on; {counted(use.present, 'clip')} keep it"
            )
        if not dry_run:
            ask(f"Retire {quoted(use.label)}?", yes)
            changes.retire(store, use.label, annotator=project.annotator(annotator))
    if as_json:
        emit({**_use_json(use), "changed": not dry_run})


@labels.command()
@click.argument("name")
@effect_options
@annotator_option
@project_options
def delete(name: str, dry_run: bool, yes: bool, annotator: str | None, as_json: bool) -> None:
    """Undo every annotation with a label, and retire it.

    Those of others and of imports too. `labeltool undo` brings all of it back.

    \b
    labeltool labels delete mistake --dry-run
    """  # noqa: D301 - click's mark for "do not wrap" is a real backspace
    from labeltool.annotation.label_overview import use_of
    from labeltool.store.label_acts import changes

    project = current_project()
    with project.open_store() as store:
        use = use_of(store, name)
        if not as_json:
            people = ", ".join(map(quoted, use.annotators)) or "nobody"
            _narrate_use(
                use, f"{counted(use.annotations, 'annotation')} with {quoted(use.label)} by {people} no longer count"
            )
        if not dry_run:
            ask(f"Delete {quoted(use.label)}?", yes)
            changes.delete(store, use.label, annotator=project.annotator(annotator))
    if as_json:
        emit({**_use_json(use), "changed": not dry_run})


def _narrate_use(use: LabelUse, effect: str) -> None:
    """Say what a change does, and which clips to listen to."""
    others = ", ".join(f"{count} {value}" for value, count in (("absent", use.absent), ("unsure", use.unsure)) if count)
    narrate(effect + (f" ({others})" if others else ""))
    for clip in use.examples:
        narrate(f"  clip {clip.id}  {clip.path}  {clip.start_s:g}-{clip.end_s:g} s")
    if use.children:
        narrate(f"it is the parent of {', '.join(map(quoted, use.children))}")


def _examples(use: LabelUse) -> list[int]:
    return [clip.id for clip in use.examples]


def _use_json(use: LabelUse) -> dict[str, object]:
    return {
        "label": use.label,
        "clips": {"present": use.present, "absent": use.absent, "unsure": use.unsure},
        "annotations": use.annotations,
        "annotators": use.annotators,
        "children": use.children,
        "examples": _examples(use),
    }


def _overview_json(one: LabelOverview) -> dict[str, object]:
    split = {"into": one.split.names, "left": len(one.split.left)} if one.split is not None else None
    return {
        **{"label": one.name, "clips": one.clips, "key": one.key, "colour": one.colour, "definition": one.definition},
        **{"parent": one.parent, "examples": one.examples, "split": split, "retired_at": one.retired_at},
    }


def _line(one: LabelOverview) -> str:
    parts = [f"{one.clips:7}  {one.key or ' '}  {quoted(one.name)}"]
    if one.parent is not None:
        parts.append(f"< {quoted(one.parent)}")
    if one.split is not None:
        parts.append(f"[{len(one.split.left)} to label again as {', '.join(map(quoted, one.split.names))}]")
    if one.retired_at is not None:
        parts.append("[retired]")
    if one.definition:
        parts.append(one.definition)
    return "  ".join(parts)
