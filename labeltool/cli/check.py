"""The check of a data set: what is wrong with its sounds, labels and groups, and what mends it."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from labeltool.cli.common import (
    annotator_option,
    current_project,
    emit,
    limit_option,
    narrate,
    project_options,
    run_task,
)
from labeltool.errors import ExitCode, LabeltoolError, in_one_line

if TYPE_CHECKING:
    from labeltool.checks.run import CheckResult
    from labeltool.project import Project


class _Command(click.Command):
    """The command, whose help lists the kinds of checks."""

    def format_epilog(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        from labeltool.checks.registry import CHECKS

        with formatter.section("Kinds"):
            formatter.write_dl([(one.kind, one.title) for one in CHECKS])


@click.command(cls=_Command)
@click.argument("kinds", metavar="[KIND]...", nargs=-1)
@click.option("--strict", is_flag=True, help="Exit with 1 for an error, a warning or a missing file, as CI wants it.")
@click.option(
    "--join", is_flag=True, help="Make one group of the groups of near-duplicates; `labeltool undo` reverts it."
)
@annotator_option
@limit_option(10, "findings of a kind on the terminal")
@click.option(
    "-o", "--output", metavar="FILE.html", type=click.Path(path_type=Path), help="Write a page with all findings."
)
@project_options
def check(
    kinds: tuple[str, ...],
    strict: bool,
    join: bool,
    annotator: str | None,
    limit: int,
    output: Path | None,
    as_json: bool,
) -> None:
    """Check sounds, labels and groups, and name what mends them.

    Without a KIND, everything is checked. The worst come first. What is measured of a recording is kept in the cache.

    \b
    labeltool check
    labeltool check silence clipping
    labeltool check --strict -o check.html
    labeltool check near-duplicate --join
    """  # noqa: D301 - click's mark for "do not wrap" is a real backspace
    from labeltool.tasks.registry import CHECK

    project = current_project()
    result = run_task(project, CHECK, kinds=list(kinds))
    if output is not None:
        from labeltool.checks.page import write_page

        write_page(output, project.directory.resolve().name, result)
    joined = _join(project, result, annotator) if join else None
    if as_json:
        emit(result if joined is None else {**asdict(result), "joined": joined})
    else:
        _print(result, limit)
        if joined is not None:
            reverted = ": `labeltool undo` reverts it" if joined else ""
            narrate(f"{joined} recordings have another group now{reverted}")
    severities = Counter(one.severity for one in result.findings)
    if strict and (severities["error"] or severities["warning"] or result.skipped):
        raise click.exceptions.Exit(ExitCode.FAILED)


def _join(project: Project, result: CheckResult, annotator: str | None) -> int:
    from labeltool.checks.near_duplicates import KIND, join_found

    if KIND not in result.checked:
        raise LabeltoolError(f"--join needs the check {KIND!r}", remedy=f"`labeltool check {KIND} --join`")
    with project.open_store(to_write=True) as store:
        return join_found(store, result.of_kind(KIND), annotator=project.annotator(annotator))


def _print(result: CheckResult, limit: int) -> None:
    from labeltool.checks.registry import CHECKS

    titles = {one.kind: one.title for one in CHECKS}
    for kind in result.checked:
        if not (found := result.of_kind(kind)):
            continue
        click.echo(f"{titles[kind]} ({kind}): {len(found)}")
        for one in found[:limit]:
            click.echo(in_one_line(f"  {one.severity:7}  {one.message}"))
            click.echo(in_one_line(f"           -> {one.remedy}"))
        if len(found) > limit:
            narrate(f"  ... and {len(found) - limit} more: --limit")
    for failed in result.not_checked:
        narrate(f"not checked: {failed.kind}: {failed.reason}")
    severities = Counter(one.severity for one in result.findings)
    counts = ", ".join(
        f"{severities[name]} {name}{'s' * (severities[name] != 1)}" for name in ("error", "warning", "note")
    )
    narrate(f"{len(result.checked)} check{'s' * (len(result.checked) != 1)}: {counts}")
