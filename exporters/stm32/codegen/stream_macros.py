"""The constants of `aed_stream.c` in `aed_tables.h`, and each label's threshold."""

from __future__ import annotations

import numpy as np

from labeltool.audio.frontend import LogMelFrontend
from labeltool.audio.loudness_gate import gate_db
from labeltool.exporters.stm32.codegen.c_text import c_array, c_float
from labeltool.networks.model_card import ModelCard

THRESHOLDS_DECLARATION = """\
/* Smoothed probability at which an event of each label begins. */
extern const float aed_thresholds[AED_LABELS];
"""


def stream_macros(card: ModelCard, frontend: LogMelFrontend) -> dict[str, str]:
    """Return macros (without their prefix `AED_`) and values."""
    rule = card.stream_rule
    return {
        "GATE_DB": f"({c_float(gate_db(frontend))})",
        "STREAM_GAIN": f"({c_float(rule.gain)})",
        "STREAM_RELEASE": f"({c_float(rule.release)})",
        "STREAM_HOLD_PATCHES": f"({rule.hold_patches}U)",
        "STREAM_MIN_PATCHES": f"({rule.min_patches}U)",
    }


def thresholds_source(card: ModelCard) -> str:
    """Return the definition of `aed_thresholds`."""
    return c_array("const float aed_thresholds", np.array(card.stream_thresholds, np.float32))
