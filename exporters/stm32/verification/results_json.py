"""JSON of what the checks measured, for `report.json` and `labeltool verify --json`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from labeltool.exporters.stm32.verification.accuracy import Accuracy
from labeltool.exporters.stm32.verification.export_check import ExportCheck

_ST_PATH = (
    "the front end of ST's applications in NumPy and model/model_st.tflite in the reference kernels. st: the package's "
    "patches and clip rule. st_application: patches that do not overlap, all of the same weight (empty ones, every "
    "input code at the floor, skipped); an application prints the label of each patch, so its patch accuracy is what "
    "it shows"
)


def accuracy_json(accuracy: Accuracy) -> dict[str, Any]:
    """Return the figures of `Accuracy` by name."""
    return {
        "part": accuracy.part,
        "clips": accuracy.clips,
        **{f"clip_accuracy_{path}": accuracy.share(path) for path in accuracy.predicted},
        **{f"patch_accuracy_{path}": share for path, share in accuracy.patch_accuracy.items()},
        "how_st": _ST_PATH,
        "clips_on_which_c_and_int8_differ": accuracy.clips_that_differ,
        "right_by_label": {row.label: {"clips": row.clips, **row.correct} for row in accuracy.by_label()},
    }


def export_check_json(result: ExportCheck) -> dict[str, Any]:
    """Return what the export measured; what was not measured is absent."""
    values: dict[str, Any] = {"checks_passed": list(result.checks), "tools": dict(result.tools)}
    if result.accuracy is not None:
        values["held_out_clips"] = accuracy_json(result.accuracy)
    if result.instructions is not None:
        values["instructions_on_an_emulated_cortex_m4"] = asdict(result.instructions)
    return values
