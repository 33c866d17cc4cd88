"""Write a report; a worker's task."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from labeltool.pages.render import write_page
from labeltool.project import Project
from labeltool.report import ERRORS
from labeltool.report.collect import Wanted, collect
from labeltool.report.contents import Missing, Precision
from labeltool.report.page import render_report
from labeltool.type_aliases import Progress
from labeltool.util.lifetime import exit_if_stopped


@dataclass(frozen=True, slots=True)
class ReportResult:
    """What `labeltool report --json` prints.

    Attributes
    ----------
    file, bytes
        The page and its size.
    model, measured_on, clips
        The model's id, on which clips it was measured, in words, and their number; None without a model.
    accuracy
        Of each form of the model; empty without one.
    errors, errors_shown, errors_audible
        Clips that it is wrong about, those on the page, and those of them that can be played.
    on_map, audible_on_map
        Clips on the map, and those that can be played there.
    charts
        Whether charts were drawn; without vl-convert the page has their tables alone.
    missing
        Parts that the report does not have, and why.
    unreadable
        Files that could not be read, with reasons; without names in a report that is shared.
    """

    file: str
    bytes: int
    is_shared: bool
    model: int | None
    measured_on: str | None
    clips: int | None
    accuracy: tuple[Precision, ...]
    errors: int
    errors_shown: int
    errors_audible: int
    on_map: int
    audible_on_map: int
    charts: bool
    missing: tuple[Missing, ...]
    unreadable: tuple[str, ...]


def report(
    project: Project,
    *,
    report: Progress,
    output: str | None = None,
    share: bool = False,
    model_id: int | None = None,
    errors: int = ERRORS,
) -> ReportResult:
    """Collect what is known of a project and write it as one HTML page.

    Parameters
    ----------
    output
        The file; None for one in the project's `reports`.
    share
        Leave out sound, paths, names of files and people, notes and sites.
    errors
        Number of errors to show at most.

    Raises
    ------
    LabeltoolError
        When there is nothing to report on, no such model, or the page cannot be written.
    """
    found = collect(project, Wanted(model_id, errors, share), report)
    report("the page", 0, 0)
    text, charts = render_report(found)
    exit_if_stopped()
    path = Path(output) if output is not None else project.reports / ("report-shared.html" if share else "report.html")
    where = write_page(path, text)
    model, mistakes, on_map = found.model, found.mistakes, found.map
    return ReportResult(
        file=str(where),
        bytes=len(text.encode()),
        is_shared=share,
        model=model.id if model else None,
        measured_on=model.measured_on if model else None,
        clips=model.clips if model else None,
        accuracy=model.precisions if model else (),
        errors=mistakes.total if mistakes else 0,
        errors_shown=len(mistakes.shown) if mistakes else 0,
        errors_audible=mistakes.audible if mistakes else 0,
        on_map=len(on_map.clips) if on_map else 0,
        audible_on_map=sum(one.sound is not None for one in on_map.clips) if on_map else 0,
        charts=charts,
        missing=found.missing,
        unreadable=found.skipped,
    )
