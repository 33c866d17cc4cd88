"""What sounds alike: the like of a clip, groups of clips, a map of all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labeltool.cli.common import current_project, emit, json_option, narrate, project_option, run_in_child, shown
from labeltool.errors import LabeltoolError, in_one_line

if TYPE_CHECKING:
    from labeltool.annotation.listing import Listed
    from labeltool.project import Project

_BY = {
    "ear": "compared as the borrowed ear {} hears them",
    "model": "compared as model {} hears them",
    "sound": "compared by loudness and change in their bands: there is no model or borrowed ear yet",
}


@click.command()
@click.argument("clip", required=False)
@click.option("--count", type=click.IntRange(min=1), default=10, show_default=True, help="So many at most.")
@click.option("--clusters", type=click.IntRange(1, 1000), metavar="K", help="Group the clips without an answer.")
@click.option(
    "--map", "picture", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Draw all clips, as PNG."
)
@project_option
@json_option
def similar(clip: str | None, count: int, clusters: int | None, picture: Path | None, as_json: bool) -> None:
    """List the clips that sound most like CLIP (its id, or its file), the nearest first.

    They are compared as a borrowed ear hears them where the project has one, else as its newest model does. Each clip
    is listened to once; two that have nothing in common are about 1.4 apart.
    """
    from labeltool.similarity import search
    from labeltool.store import clips

    if clip is None and clusters is None and picture is None:
        raise click.UsageError("name a CLIP, or say --clusters or --map")
    project = current_project()
    with project.open_store() as store:
        asked = clips.find_clip(store, clip) if clip is not None else None
        source = search.source_of(project, store)
        idle = clusters is None and picture is None and not search.waiting(project, store, source)
    result: dict[str, Any] = {"by": source.told}
    narrate(_BY[source.kind].format(source.name))
    if not idle:
        where = str(picture.resolve()) if picture else None
        done = run_in_child(project, "similar", clusters=clusters, picture=where)
        result |= {key: done[key] for key in ("clusters", "map", "drawn") if key in done}
    found = _like(project, asked.id, count) if asked is not None else []
    if as_json:
        for group in result.get("clusters", ()):
            group["size"] = len(group["clips"])
        if asked is not None:
            result |= {"clip": asked.id, "clips": [_as_json(row, distance) for row, distance in found]}
        emit(result)
        return
    for row, distance in found:
        said = ", ".join(map(shown, row.present)) or ("-" if row.answered else "")
        clip_told = f"{row.clip.id}  {row.clip.path}  {row.clip.start_s:g}-{row.clip.end_s:g} s"
        click.echo(in_one_line(f"{distance:.3f}  {clip_told}  {said}"))
    for group in result.get("clusters", ()):
        told = f"{len(group['clips'])} clips like {group['clip']}  {group['file']}"
        click.echo(in_one_line(f"{told}  {group['start_s']:g}-{group['end_s']:g} s"))
    if "map" in result:
        narrate(f"{result['drawn']} clips drawn: {in_one_line(result['map'])}")


def _like(project: Project, clip_id: int, count: int) -> list[tuple[Listed, float]]:
    from labeltool.annotation import listing
    from labeltool.similarity import search
    from labeltool.store import clips

    with project.open_store() as store:
        asked = clips.clip(store, clip_id)
        found = search.like(project, store, search.source_of(project, store), asked, count + 1)
        if found is None:
            raise LabeltoolError("cannot be compared", file=asked.path, remedy="can it be read? delete cache/similar?")
        others = {near.id: distance for near, distance in found.clips if near.id != asked.id}
        rows = listing.page(store, list(others))
    return [(row, others[row.clip.id]) for row in rows][:count]


def _as_json(row: Listed, distance: float) -> dict[str, Any]:
    return {
        "clip": row.clip.id,
        "file": row.clip.path,
        "start_s": row.clip.start_s,
        "end_s": row.clip.end_s,
        "distance": round(distance, 4),
        "present": row.present,
        "absent": row.absent,
        "unsure": row.unsure,
        "answered": row.answered,
    }
