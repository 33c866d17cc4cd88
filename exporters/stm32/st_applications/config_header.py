"""`ai_model_config.h`: a model's configuration with the names that an application of ST reads."""

from __future__ import annotations

from collections.abc import Sequence

from labeltool.audio.frontend import LogMelFrontend
from labeltool.exporters.stm32.codegen.c_text import c_float, c_string
from labeltool.exporters.stm32.codegen.frontend_tables import require_log_mel
from labeltool.exporters.stm32.st_applications.applications import APPLICATIONS, Application
from labeltool.exporters.stm32.st_model.frontend import logarithm_of
from labeltool.networks.model_folder import ModelFiles

_PREFIX = "CTRL_X_CUBE_AI_"

_HEADER = """\
/* labeltool model {model_id}: configuration of
   {title}; generated, do not edit. */
#ifndef AI_MODEL_CONFIG_H
#define AI_MODEL_CONFIG_H

#ifdef __cplusplus
extern "C" {{
#endif

{checks}
/* The class list is in the order of the model's outputs: {order}.
   {threshold}
   CTRL_X_CUBE_AI_{prefix}_... is ST's spelling in this application; others have {other}_. */
{values}
{buffer}
#ifdef __cplusplus
}}
#endif

#endif
"""

_OTHER_DEVICE = """\
/* The MCUs of the other applications that there are folders for. */
#if {others}
#error "this is another application's MCU: take the folder of your application from st/"
#endif
"""

# Each application defines the names that the header uses in its own way.
_MACROS = """\
/* What this application defines as macros before it includes this header; the preprocessor sees nothing else. */
"""

_NO_MACROS = """\
/* No name of the application is checked: the preprocessor sees no enumerators, or macros from after this header. */
"""

_NOT_DEFINED = """\
#ifndef {macro}
#error "include the application's own configuration header, which includes this one: {macro} is not defined"
#endif
"""

# The hardware DSP's tables and logarithm are others: the application would compute other features and say nothing.
_HSP = """\
#ifdef USE_HSP
#error "this model's features need a build without USE_HSP: remove the symbol from the project"
#endif
"""

_BUFFER = """
/* The application records two patches of 16-bit samples. */
#if 4U * (({p}SPECTROGRAM_COL - 1U) * {p}SPECTROGRAM_HOP_LENGTH + {p}SPECTROGRAM_NFFT) > {limit}U
#error "the microphone's driver takes a buffer of {limit} bytes at most: fewer columns are needed"
#endif
"""


def config_header(application: Application, model_id: int, model: ModelFiles) -> str:
    """Return the text of `ai_model_config.h` for an application."""
    frontend = require_log_mel(model.frontend)
    in_order = list(model.labels) == sorted(model.labels)
    limit = application.target.max_microphone_bytes
    threshold = model.rule.threshold
    return _HEADER.format(
        model_id=model_id,
        title=application.title,
        checks=_checks(application),
        order="it is alphabetical" if in_order else "it is not alphabetical and must not be sorted",
        prefix=application.prefix,
        other="MODEL" if application.prefix == "MODE" else "MODE",
        threshold=(
            "OOD_THR is the threshold that was chosen for whole clips; the application applies it to single patches:\n"
            "   one with less is unknown."
            if threshold
            else "OOD_THR is 0, for there were too few validation clips to choose one: nothing is unknown."
        ),
        values=_defines(_names(application, model_id, model, frontend)),
        buffer="" if limit is None else _BUFFER.format(p=_PREFIX, limit=limit),
    )


def class_list(labels: Sequence[str]) -> str:
    """Return the labels as the initialiser of an array of C strings, in the form of a macro."""
    return "{ \\\n    " + ", \\\n    ".join(c_string(label, continued=True) for label in labels) + " \\\n}"


def _checks(application: Application) -> str:
    """Return what the preprocessor can find out about the application that includes the header."""
    macros = dict.fromkeys(one.device_macro for one in APPLICATIONS.values())
    others = " || ".join(f"defined({macro})" for macro in macros if macro != application.device_macro)
    return "\n".join(
        (
            _OTHER_DEVICE.format(others=others),
            (_MACROS if application.defined_before else _NO_MACROS)
            + "\n".join(_NOT_DEFINED.format(macro=macro) for macro in application.defined_before),
            *([_HSP] if application.series == "stm32u3" else []),
        )
    )


def _names(application: Application, model_id: int, model: ModelFiles, frontend: LogMelFrontend) -> dict[str, str]:
    prefix = application.prefix
    model_values = {
        "NAME": c_string(f"labeltool model {model_id}"),
        "NB_OUTPUT": "(1U)",
        "OUTPUT_1": "(CTRL_AI_CLASS_DISTRIBUTION)",
        "CLASS_NUMBER": f"({len(model.labels)}U)",
        "CLASS_LIST": class_list(model.labels),
        # The model takes bands by columns, to which the application transposes its columns unless this is 1.
        **({"NO_TRANSPOSE": "0"} if application.series == "stm32u3" else {}),
    }
    return {
        **{f"{_PREFIX}{prefix}_{name}": value for name, value in model_values.items()},
        **spectrogram_macros(frontend, model.rule.threshold),
        **({"CTRL_SEQUENCE": "{CTRL_CMD_PARAM_AI, 0}"} if prefix == "MODE" else {}),
    }


def spectrogram_macros(frontend: LogMelFrontend, threshold: float) -> dict[str, str]:
    """Return the values of microphone, spectrogram and threshold by their macros, the same for every application."""
    slaney = frontend.mel_scale == "slaney"
    logarithm = {"db": "LOGMELSPECTROGRAM_SCALE_DB", "ln": "LOGMELSPECTROGRAM_SCALE_LOG"}[logarithm_of(frontend)]
    values = {
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
        "SPECTROGRAM_WINDOW_LENGTH": f"({frontend.frame_samples}U)",
        "SPECTROGRAM_NORMALIZE": f"({int(slaney)}U)",
        "SPECTROGRAM_FORMULA": "(MEL_SLANEY)" if slaney else "(MEL_HTK)",
        "SPECTROGRAM_FMIN": f"({c_float(frontend.low_hz)})",
        "SPECTROGRAM_FMAX": f"({c_float(frontend.high_hz)})",
        "SPECTROGRAM_TYPE": f"(SPECTRUM_TYPE_{frontend.spectrum.upper()})",
        "SPECTROGRAM_LOG_FORMULA": f"({logarithm})",
        # A patch whose sum is not over it is silence, and in some versions the sum stays 0: a negative one is passed.
        "SPECTROGRAM_SILENCE_THR": "(-1)",
        "SPECTROGRAM_WIN": "(user_win)",
        "SPECTROGRAM_MEL_LUT": "(user_melFiltersLut)",
        "SPECTROGRAM_MEL_START_IDX": "(user_melFiltersStartIndices)",
        "SPECTROGRAM_MEL_STOP_IDX": "(user_melFiltersStopIndices)",
        "OOD_THR": f"({c_float(threshold)})",
    }
    return {f"{_PREFIX}{name}": value for name, value in values.items()}


def _defines(values: dict[str, str]) -> str:
    width = max(map(len, values))
    return "\n".join(f"#define {name:<{width}} {value}" for name, value in values.items())
