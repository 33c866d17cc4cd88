"""Lists of clips, to read and for scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from labeltool.cli.common import current_project, emit, json_option, limit_option, project_options, quoted
from labeltool.errors import in_one_line

if TYPE_CHECKING:
    from labeltool.annotation.listing import ListedClip
    from labeltool.util.plugins import Registry


@click.command("clips")
@click.option("--text", metavar="TEXT", default="", help="Only files whose path contains TEXT.")
@click.option("--label", metavar="LABEL", help="Only clips with LABEL present.")
@click.option("--transcript", metavar="WORDS", default="", help="Only clips whose transcript contains WORDS.")
@click.option("--where", metavar="NAME=VALUE", multiple=True, help="Only recordings with VALUE in their column NAME.")
@click.option("--labelled/--unlabelled", default=None, help="Only labelled clips, or only unlabelled ones.")
@limit_option(100, "clips")
@project_options
def list_clips(
    text: str,
    label: str | None,
    transcript: str,
    where: tuple[str, ...],
    labelled: bool | None,
    limit: int,
    as_json: bool,
) -> None:
    """List clips with their labels and the model's prediction.

    \b
    labeltool clips --label robin
    labeltool clips --unlabelled --text night --limit 20
    labeltool clips --where site=A --where date=20240501
    """  # noqa: D301 - click's mark for "do not wrap" is a real backspace
    from labeltool.annotation import listing
    from labeltool.annotation.remote_clips import are_on_disk
    from labeltool.records import label_name

    if any("=" not in one for one in where):
        raise click.UsageError("--where takes NAME=VALUE, such as site=A")
    pairs = tuple((label_name(name), label_name(value)) for name, _, value in (one.partition("=") for one in where))
    with current_project().open_store() as store:
        found = listing.matching(store, listing.Filter(text, label, labelled, transcript, pairs))
        rows = listing.page(store, found[:limit])
        on_disk = are_on_disk(store, [row.clip.id for row in rows])
    if as_json:
        listed = [clip_json(row) for row in rows]
        for one in listed:
            if one["clip"] in on_disk:  # of a remote sound
                one["on_this_disk"] = on_disk[one["clip"]]
        emit({"matching": len(found), "clips": listed})
        return
    for row in rows:
        predicted = f"  (model: {quoted(row.top_label)} {row.top_probability:.0%})" if row.top_label else ""
        away = "" if on_disk.get(row.clip.id, True) else "  (needs the network)"
        click.echo(in_one_line(clip_line(row) + predicted + away))
    if len(found) > len(rows):
        click.echo(f"... and {len(found) - len(rows)} more: --limit", err=True)


@click.command()
@limit_option(20, "labels")
@project_options
def review(limit: int, as_json: bool) -> None:
    """List labels that annotators or predictions contradict.

    Disagreements of annotators come first, then the labels that `labeltool check label-error` found, or before the
    first check those to which the newest model gives the smallest probability.
    """
    from labeltool.annotation.label_errors import read_list
    from labeltool.annotation.review import label_issues

    project = current_project()
    with project.open_store() as store:
        found = label_issues(store, read_list(project.cache))
    if as_json:
        rows = [
            {"clip": one.clip_id, "label": one.label, "value": one.value.value, "reason": one.reason}
            for one in found[:limit]
        ]
        emit({"doubtful": len(found), "clips": rows})
        return
    for one in found[:limit]:
        click.echo(f"clip {one.clip_id}: {quoted(one.label)} {one.value}, but {in_one_line(one.reason)}")
    if not found:
        click.echo("no label is contradicted by another annotator or by predictions", err=True)


@click.command("formats")
@json_option
def list_formats(as_json: bool) -> None:
    """List formats and plug-ins, and what each format can carry.

    "in" is what `labeltool import` reads, "out" what `labeltool export` writes; then come the endings of files of
    pretrained models and the query strategies. The last column names the distribution.
    """
    from labeltool.active_learning.strategies import STRATEGIES
    from labeltool.exporters.registry import EXPORTERS
    from labeltool.importers.registry import FORMATS
    from labeltool.pretrained.runtimes import RUNTIMES

    registries: dict[str, Registry[Any]]
    registries = {"in": FORMATS, "out": EXPORTERS, "model": RUNTIMES, "strategy": STRATEGIES}
    rows = [
        (direction, name, getattr(registry[name], "carries", ()), registry.distribution(name))
        for direction, registry in registries.items()
        for name in registry
    ]
    if as_json:
        keys = ("direction", "name", "carries", "distribution")
        failed = [one for registry in registries.values() for one in registry.failures]
        emit({"formats": [dict(zip(keys, row, strict=True)) for row in rows], "failed": failed})
        return
    lines = [(direction, name, ", ".join(carries) or "-", of) for direction, name, carries, of in rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        click.echo(in_one_line("  ".join(f"{cell:{width}}" for cell, width in zip(line, widths, strict=True)).rstrip()))


def clip_line(row: ListedClip) -> str:
    """Describe a clip in one line: id, file, span, labels ("-" where it was annotated without any)."""
    labels = ", ".join(map(quoted, row.present)) or ("-" if row.labelled else "")
    return f"{row.clip.id}  {row.clip.path}  {row.clip.start_s:g}-{row.clip.end_s:g} s  {labels}"


def clip_json(row: ListedClip) -> dict[str, Any]:
    """Return a clip of a list as JSON values."""
    return {
        "clip": row.clip.id,
        "file": row.clip.path,
        "start_s": row.clip.start_s,
        "end_s": row.clip.end_s,
        "fold": row.clip.fold,
        "present": row.present,
        "absent": row.absent,
        "unsure": row.unsure,
        "answered": row.labelled,
        "suggestion": row.top_label,
        "probability": row.top_probability,
    }
