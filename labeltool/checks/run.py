"""Run checks over a project; a worker's task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from labeltool.checks.finding import SEVERITIES, Finding, Subject
from labeltool.checks.registry import checks_of
from labeltool.errors import LabeltoolError
from labeltool.project import Project
from labeltool.records import Skipped
from labeltool.type_aliases import Progress


@dataclass(frozen=True, slots=True)
class NotChecked:
    """A check that could not be done, and why."""

    kind: str
    reason: str


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What `check` returns; `findings` by kind in that order, then the worst first: by severity, then by score."""

    checked: tuple[str, ...]
    findings: tuple[Finding, ...]
    not_checked: tuple[NotChecked, ...]
    skipped: tuple[Skipped, ...]

    def of_kind(self, kind: str) -> list[Finding]:
        """Return the findings of a kind."""
        return [one for one in self.findings if one.kind == kind]


def check(project: Project, *, report: Progress, kinds: Sequence[str] = ()) -> CheckResult:
    """Do the checks of some kinds, or all; one that cannot be done stops no other.

    Raises
    ------
    LabeltoolError
        When there is no check of a kind, nothing to check, or the only one named cannot be done.
    """
    chosen = checks_of(kinds)
    checked, not_checked, found = list[str](), list[NotChecked](), list[Finding]()
    with project.open_store() as store:
        subject = Subject(project, store, report)
        if not subject.recordings:
            raise LabeltoolError("the project has no recordings to check", remedy="`labeltool import` adds some")
        for place, one in enumerate(chosen):
            report("checking", place, len(chosen), one.kind)
            try:
                findings = one.load()(subject)
            except LabeltoolError as error:
                if len(kinds) == 1:
                    raise
                not_checked.append(NotChecked(one.kind, str(error)))
                continue
            checked.append(one.kind)
            found += sorted(findings, key=lambda finding: (SEVERITIES.index(finding.severity), -finding.score))
        report("checking", len(chosen), len(chosen))
        skipped = tuple(dict.fromkeys(subject.skipped))
    return CheckResult(tuple(checked), tuple(found), tuple(not_checked), skipped)
