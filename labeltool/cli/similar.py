"""Similar sounds: clips like one, clusters, a map of all clips; the events of a label in hours of sound."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labeltool.cli.common import (
    Number,
    Whole,
    current_project,
    emit,
    engine_options,
    limit_option,
    narrate,
    project_options,
    run_task,
)
from labeltool.cli.lists import clip_json, clip_line
from labeltool.errors import LabeltoolError, in_one_line
from labeltool.util.counted import clock

if TYPE_CHECKING:
    from labeltool.annotation.listing import ListedClip
    from labeltool.project import Project
    from labeltool.similarity.find import FindResult

_COMPARED_BY = {
    "pretrained": "compared by the embeddings of the pretrained model {}",
    "model": "compared by the features of model {}",
    "sound": "compared by level and change in frequency bands: there is no model yet",
}


@click.command()
@click.argument("clip", required=False)
@limit_option(10, "clips")
@click.option("--clusters", type=Whole(1, 1000), metavar="K", help="Group the unlabelled clips.")
@click.option(
    "--map", "map_path", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Draw all clips (PNG)."
)
@engine_options
@project_options
def similar(clip: str | None, limit: int, clusters: int | None, map_path: Path | None, as_json: bool) -> None:
    """List the clips most similar to CLIP, the nearest first.

    CLIP is an id or a file. Clips are compared by the embeddings of a pretrained model where the project has one, else
    by the features of its newest model. They are computed once. Two clips that have nothing in common are about 1.4
    apart.

    \b
    labeltool similar dawn.wav --limit 5
    labeltool similar --clusters 20
    """  # noqa: D301 - click's mark for "do not wrap" is a real backspace
    from labeltool.similarity import search
    from labeltool.store import clips
    from labeltool.tasks.registry import SIMILAR

    if clip is None and clusters is None and map_path is None:
        raise click.UsageError("name a CLIP, or give --clusters or --map")
    project = current_project()
    with project.open_store() as store:
        target = clips.find_clip(store, clip) if clip is not None else None
        source = search.feature_source(project, store)
        current = clusters is None and map_path is None and not search.count_unindexed(project, store, source)
    narrate(_COMPARED_BY[source.kind].format(source.name))
    done = None
    if not current:
        # A link in the place of the map is replaced, not followed.
        where = str(map_path.parent.resolve() / map_path.name) if map_path else None
        done = run_task(project, SIMILAR, clusters=clusters, map_path=where)
    found = _nearest(project, target.id, limit) if target is not None else []
    groups = done.clusters if done is not None else None
    if as_json:
        result: dict[str, Any] = {"by": source.display_name}
        if groups is not None:
            result["clusters"] = [{**asdict(group), "size": len(group.clips)} for group in groups]
        if done is not None and done.map is not None:
            result |= {"map": done.map, "drawn": done.drawn}
        if target is not None:
            result |= {"clip": target.id, "clips": [_as_json(row, distance) for row, distance in found]}
        emit(result)
        return
    for row, distance in found:
        click.echo(in_one_line(f"{distance:.3f}  {clip_line(row)}"))
    for group in groups or ():
        members = f"{len(group.clips)} clips around {group.clip}  {group.file}"
        click.echo(in_one_line(f"{members}  {group.start_s:g}-{group.end_s:g} s"))
    if done is not None and done.map is not None:
        narrate(f"{done.drawn} clips drawn: {done.map}")


def _nearest(project: Project, clip_id: int, limit: int) -> list[tuple[ListedClip, float]]:
    """Return the clips nearest to one, with their distances."""
    from labeltool.annotation import listing
    from labeltool.similarity import search
    from labeltool.store import clips

    with project.open_store() as store:
        target = clips.clip(store, clip_id)
        found = search.similar_clips(project, store, search.feature_source(project, store), target, limit + 1)
        if found is None:
            raise LabeltoolError("cannot be compared", file=target.path, remedy="can it be read? delete cache/similar?")
        others = {near.id: distance for near, distance in found.clips if near.id != target.id}
        rows = listing.page(store, list(others))
    return [(row, others[row.clip.id]) for row in rows][:limit]


def _as_json(row: ListedClip, distance: float) -> dict[str, Any]:
    values = {**clip_json(row), "distance": round(distance, 4)}
    keys = ("clip", "file", "start_s", "end_s", "distance", "present", "absent", "unsure", "answered")
    return {key: values[key] for key in keys}


@click.command()
@click.argument("label")
@limit_option(10, "events to check")
@click.option(
    "--recall",
    type=Number(0, 1, min_open=True),
    metavar="R",
    default=0.9,
    show_default=True,
    help="Share of the events, as estimated, from which on the search is done.",
)
@click.option(
    "--pretrained",
    metavar="NAME",
    help="Pretrained model whose embeddings are compared.  [default: as in labeltool.toml, or the only one]",
)
@click.option("--processes", type=Whole(1, 64), metavar="N", help="Processes.  [default: one a core]")
@engine_options
@project_options
def find(label: str, limit: int, recall: float, pretrained: str | None, processes: int | None, as_json: bool) -> None:
    """Find the events of a label from a few examples.

    Those to check next are listed. The recordings are embedded once; an interrupted run continues. Events become
    suggested regions, in place of those of the last run. Check them in the app (`E`), or by the id that stands before
    each: `labeltool mark ID LABEL` accepts it, `--start` and `--end` move its edges, `--absent` rejects it. Run it
    again, and it uses the labels.

    \b
    labeltool find owl
    labeltool mark 17 owl && labeltool mark 21 owl --absent && labeltool find owl --limit 5
    """  # noqa: D301 - click's mark for "do not wrap" is a real backspace
    from labeltool.tasks.registry import FIND

    options = {"limit": limit, "recall": recall, "pretrained": pretrained, "processes": processes}
    result = run_task(current_project(), FIND, label=label, **options)
    if as_json:
        emit(asdict(result))
        return
    for one in result.candidates:
        place = f"{clock(one.start_s)}  {clock(one.end_s)}  {one.score:.2f}  {one.recording}"
        click.echo(in_one_line(f"{one.clip}  {place}"))
    narrate(_summary(result, recall))


def _summary(result: FindResult, bound: float) -> str:
    low, high = result.interval
    counts = f"{result.found} found ({result.accepted} checked), {low} to {high} likely"
    reached = "done" if result.done else f"below {bound:.0%}: check some more, then run it again"
    return f"{counts}; estimated recall {result.recall:.0%}, {reached}"
