"""JSON of what the checks measured, for `report.json` and `labeltool verify --json`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from labeltool.exporters.stm32.verification.accuracy import Accuracy
from labeltool.exporters.stm32.verification.export_check import ExportCheck
from labeltool.exporters.stm32.verification.keeps_up import TargetFigures

_ST_PATH = (
    "the frontend of ST's applications in NumPy and model/model_st.tflite in the reference kernels. st: the package's "
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
        "right_by_label": accuracy.by_label(),
    }


def export_check_json(result: ExportCheck) -> dict[str, Any]:
    """Return what the export measured; what was not measured is absent."""
    values: dict[str, Any] = {"checks_passed": list(result.checks), "tools": dict(result.tools)}
    if result.accuracy is not None:
        values["held_out_clips"] = accuracy_json(result.accuracy)
    if result.instructions is not None:
        values["instructions_on_an_emulated_cortex_m4"] = asdict(result.instructions)
    return values


def keeps_up_json(targets: tuple[TargetFigures, ...]) -> dict[str, Any]:
    """Return the section `keeps_up` of `report.json`."""
    return {
        "how": "instructions counted by QEMU, not cycles, at -O2; a core is taken to do one in a cycle: slow flash and "
        "memory make it slower, two pipelines (Cortex-M7, M55) faster. The network is the portable aed_nn.c; ST's "
        "runtime is several times faster",
        "targets": [
            {
                "core": one.target.core,
                "example": one.target.example,
                "front_end": "fixed point (AED_FIXED_POINT)" if one.fixed_point else "float32",
                "instructions": asdict(one.counts),
                "front_end_million_instructions_per_s": round(one.front_end_mips, 2),
                "with_network_million_instructions_per_s": round(one.all_mips, 2),
                "front_end_alone": one.pace_at_clock(one.front_end_mips),
                "with_network": one.pace_at_clock(one.all_mips),
                "bytes": asdict(one.footprint),
                "memory": one.too_small or "fits",
            }
            for one in targets
        ],
        "STM32N6 NPU": "unknown: run stedgeai",
    }
