"""`labeltool verify`: all that can be checked of a package on this machine; a task of the worker."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from labeltool.errors import LabeltoolError
from labeltool.exporters.source import Report, Source
from labeltool.exporters.stm32.verification.accuracy import held_out_clips, measure
from labeltool.exporters.stm32.verification.checks import (
    Check,
    Package,
    check_configuration,
    check_features,
    check_manifest,
    chip_checks,
    host_checks,
    read_package,
)
from labeltool.exporters.stm32.verification.toolchain import Bench
from labeltool.networks import model_folder
from labeltool.project import Project

_C_AND_LAPTOP = "host: the C answers the project's clips as the int8 network does"
# A feature one step off may turn a clip that stands on the edge: one clip, or this share of them.
_MOST_OTHERWISE = 0.02


def verify(project: Project | None, *, report: Report, directory: str) -> dict[str, Any]:
    """Check a package: its manifest, its C on this machine and on emulated chips, and on the project's own clips.

    Whole packages only are built and run: what the manifest does not vouch for is not executed.

    Returns
    -------
    dict
        `package`, `passed` (no check failed), `checks` (`name`, `outcome`: "passed", "failed" or "not run", `detail`),
        `instructions` (by machine, what was counted) and `held_out` (accuracies; None where not measured).

    Raises
    ------
    LabeltoolError
        When the folder is no package at all.
    """
    folder = Path(directory)
    if not folder.is_dir():
        raise LabeltoolError("is no folder", file=folder)
    checks: list[Check] = []
    instructions: dict[str, dict[str, int]] = {}
    held_out: dict[str, Any] | None = None

    def tell(check: Check) -> None:
        checks.append(check)
        report("verify", len(checks), 0, check.name)

    tell(check_manifest(folder))
    if checks[0].outcome == "failed":
        tell(Check("everything else", "not run", "the package is not whole"))
    else:
        package = read_package(folder)
        tell(check_configuration(package))
        with tempfile.TemporaryDirectory(prefix="labeltool-verify-") as build:
            bench = Bench(folder, Path(build))
            for check in host_checks(package, bench):
                tell(check)
            if all(check.outcome == "passed" for check in checks):
                for check, counted in chip_checks(bench):
                    tell(check)
                    if counted:
                        instructions[check.name.split(":")[0]] = counted
                held_out = _on_the_projects_clips(project, report, package, bench, tell)
            else:
                tell(Check("chips and the project's clips", "not run", "they are compared with the host"))
    return {
        "package": directory,
        "passed": all(check.outcome != "failed" for check in checks),
        "checks": [check.to_dict() for check in checks],
        "instructions": instructions,
        "held_out": held_out,
    }


def _on_the_projects_clips(
    project: Project | None, report: Report, package: Package, bench: Bench, tell: Callable[[Check], None]
) -> dict[str, Any] | None:
    """Compare the C with the laptop on clips the model has not learnt from, where the project is there."""
    if project is None:
        tell(Check(_C_AND_LAPTOP, "not run", "no project here or above (--project DIR names one)"))
        return None
    with ExitStack() as stack:
        source = Source(project, stack.enter_context(project.open_store()), package.model, report)
        try:
            if source.model.int8 != (package.directory / "model" / model_folder.INT8).read_bytes():
                raise LabeltoolError(f"the project's model {package.model} is another one")
            clips = held_out_clips(source)
        except LabeltoolError as error:
            tell(Check(_C_AND_LAPTOP, "not run", str(error)))
            return None
        tell(check_features(package, bench, clips.pcm, f"{len(clips.pcm)} clips of the project"))
        found = measure(source, bench, clips)
    told = found.to_dict()
    otherwise = told["clips_on_which_c_and_int8_differ"]
    tell(
        Check(
            _C_AND_LAPTOP,
            "passed" if otherwise <= max(1, _MOST_OTHERWISE * len(found.truth)) else "failed",
            f"{len(found.truth)} clips ({found.part}): C {found.share('c'):.2%} right, int8 {found.share('int8'):.2%}; "
            f"{otherwise} answered otherwise",
        )
    )
    return told
