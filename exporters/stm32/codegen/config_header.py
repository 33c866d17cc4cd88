"""Input and output of the model: `ai_model_config.h` for ST's application, `model_config.json` for other programs."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from labeltool.exporters.stm32.codegen.c_text import c_float, c_identifiers, c_string
from labeltool.exporters.stm32.codegen.frontend_tables import model_macros, require_log_mel
from labeltool.exporters.stm32.tflite.summary import Network
from labeltool.networks.model_folder import ModelFiles

CONFIG_VERSION = 1

_PREFIX = "CTRL_X_CUBE_AI_"

_HEADER = """\
/* Configuration of ST's audio application for labeltool model {model_id}; generated, do not edit. */
#ifndef AI_MODEL_CONFIG_H
#define AI_MODEL_CONFIG_H

#ifdef __cplusplus
extern "C" {{
#endif

/* Names that ST's application reads. The class list is in the order of the model's outputs: {order}.
   The sensor is the microphone of the B-U585I-IOT02A: change its lines for other hardware. */
{st}
#define CTRL_SEQUENCE {{CTRL_CMD_PARAM_AI, 0}}

/* Values that ST's application has no names for; see the package's README. */
{aed}

/* Index of each label in the model's output. */
enum aed_label {{
{labels}
}};

#ifdef __cplusplus
}}
#endif

#endif
"""


def ai_model_config(model_id: int, model: ModelFiles, network: Network) -> str:
    """Return the text of `ai_model_config.h`."""
    frontend = require_log_mel(model.frontend)
    in_order = list(model.labels) == sorted(model.labels)
    return _HEADER.format(
        model_id=model_id,
        order="it is alphabetical" if in_order else "it is not alphabetical and must not be sorted",
        st=_defines(
            _PREFIX,
            {
                "MODE_NAME": c_string(f"labeltool model {model_id}"),
                "MODE_NB_OUTPUT": "(1U)",
                "MODE_OUTPUT_1": "(CTRL_AI_CLASS_DISTRIBUTION)",
                "MODE_CLASS_NUMBER": f"({len(model.labels)}U)",
                "MODE_CLASS_LIST": class_list(model.labels),
                "SENSOR_TYPE": "(COM_TYPE_MIC)",
                "SENSOR_NAME": '"imp34dt05"',
                "SENSOR_ODR": f"({c_float(frontend.sample_rate_hz)})",
                "SENSOR_FS": "(112.5F)",
                "NB_SAMPLES": "(0U)",
                "PREPROC": "(CTRL_AI_SPECTROGRAM_LOG_MEL)",
                "SPECTROGRAM_NMEL": f"({frontend.n_mels}U)",
                "SPECTROGRAM_COL": f"({frontend.patch_frames}U)",
                "SPECTROGRAM_HOP_LENGTH": f"({frontend.hop}U)",
                "SPECTROGRAM_NFFT": f"({frontend.n_fft}U)",
                "SPECTROGRAM_WINDOW_LENGTH": f"({frontend.n_fft}U)",
                "SPECTROGRAM_NORMALIZE": "(1U)",
                "SPECTROGRAM_FORMULA": "(MEL_SLANEY)",
                "SPECTROGRAM_FMIN": f"({c_float(frontend.low_hz)})",
                "SPECTROGRAM_FMAX": f"({c_float(frontend.high_hz)})",
                "SPECTROGRAM_TYPE": "(SPECTRUM_TYPE_POWER)",
                "SPECTROGRAM_LOG_FORMULA": "(LOGMELSPECTROGRAM_SCALE_DB)",
                "SPECTROGRAM_SILENCE_THR": "(0)",
                "SPECTROGRAM_WIN": "(user_win)",
                "SPECTROGRAM_MEL_LUT": "(user_melFiltersLut)",
                "SPECTROGRAM_MEL_START_IDX": "(user_melFiltersStartIndices)",
                "SPECTROGRAM_MEL_STOP_IDX": "(user_melFiltersStopIndices)",
                "OOD_THR": "(0.0F)",
            },
        ),
        aed=_defines("AED_", model_macros(model, network)),
        labels="\n".join(
            f"    {name} = {index}," for index, name in enumerate(c_identifiers("AED_LABEL_", model.labels))
        ),
    )


def class_list(labels: Sequence[str]) -> str:
    """Return the labels as the initialiser of an array of C strings, in the form of a macro."""
    return "{ \\\n    " + ", \\\n    ".join(c_string(label, continued=True) for label in labels) + " \\\n}"


def model_config(model_id: int, model: ModelFiles, network: Network) -> dict[str, Any]:
    """Return the values of `model_config.json`: what a program needs to use the model."""
    return {
        "config_version": CONFIG_VERSION,
        "model": model_id,
        "architecture": model.card.architecture,
        "sha256": hashlib.sha256(model.int8).hexdigest(),
        "labels": list(model.labels),
        "background": model.background,
        "input": asdict(network.input),
        "output": asdict(network.output),
        "clip_rule": asdict(model.rule),
        "fingerprint": model.frontend.fingerprint,
        "frontend": model.frontend.to_dict(),
    }


def _defines(prefix: str, values: dict[str, str]) -> str:
    width = max(map(len, values)) + len(prefix)
    return "\n".join(f"#define {prefix + name:<{width}} {value}" for name, value in values.items())
