"""Lists of clips, for looking and for scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from labeltool.cli.common import current_project, emit, json_option, project_option, shown
from labeltool.errors import in_one_line

if TYPE_CHECKING:
    from labeltool.annotation.listing import Listed


@click.command("clips")
@click.option("--text", metavar="TEXT", default="", help="Only where the file's path holds TEXT.")
@click.option("--label", metavar="LABEL", help="Only where LABEL was heard.")
@click.option("--said", metavar="WORDS", default="", help="Only where WORDS are said, by the transcripts.")
@click.option("--answered/--unanswered", default=None, help="Only with an answer, or only without.")
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True, help="So many at most.")
@project_option
@json_option
def list_clips(text: str, label: str | None, said: str, answered: bool | None, limit: int, as_json: bool) -> None:
    """List clips with what was said of them and what the model holds of them."""
    from labeltool.annotation import listing

    with current_project().open_store() as store:
        found = listing.matching(store, listing.Filter(text, label, answered, said))
        rows = listing.page(store, found[:limit])
    if as_json:
        emit({"matching": len(found), "clips": [_as_json(row) for row in rows]})
        return
    for row in rows:
        said = ", ".join(map(shown, row.present)) or ("-" if row.answered else "")
        held = f"  (model: {shown(row.top_label)} {row.top_probability:.0%})" if row.top_label else ""
        click.echo(
            in_one_line(f"{row.clip.id}  {row.clip.path}  {row.clip.start_s:g}-{row.clip.end_s:g} s  {said}{held}")
        )
    if len(found) > len(rows):
        click.echo(f"... and {len(found) - len(rows)} more: --limit", err=True)


@click.command()
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="So many at most.")
@project_option
@json_option
def review(limit: int, as_json: bool) -> None:
    """List verdicts that people disagree on or the model contradicts, the most suspicious first."""
    from labeltool.annotation import review as annotation_review

    with current_project().open_store() as store:
        found = annotation_review.suspicions(store)
    if as_json:
        told = [
            {"clip": one.clip_id, "label": one.label, "value": one.value.value, "reason": one.reason}
            for one in found[:limit]
        ]
        emit({"doubtful": len(found), "clips": told})
        return
    for one in found[:limit]:
        click.echo(f"clip {one.clip_id}: {shown(one.label)} {one.value}, but {in_one_line(one.reason)}")


def _as_json(row: Listed) -> dict[str, Any]:
    return {
        "clip": row.clip.id,
        "file": row.clip.path,
        "start_s": row.clip.start_s,
        "end_s": row.clip.end_s,
        "fold": row.clip.fold,
        "present": row.present,
        "absent": row.absent,
        "unsure": row.unsure,
        "answered": row.answered,
        "suggestion": row.top_label,
        "probability": row.top_probability,
    }
