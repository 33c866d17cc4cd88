"""`labeltool review` where there is nothing to list."""

from __future__ import annotations

from helpers.command_line import labeltool_here
from labeltool.project import Project


def test_review_reports_that_nothing_is_contradicted(project: Project) -> None:
    result = labeltool_here(project, "review")
    assert not result.stdout and result.stderr.startswith("no label is contradicted")
