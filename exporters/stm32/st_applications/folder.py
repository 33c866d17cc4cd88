"""`st/NAME/` of a package: everything that one application needs beside the model."""

from __future__ import annotations

from labeltool.exporters.stm32.codegen.frontend_tables import require_log_mel
from labeltool.exporters.stm32.codegen.st_mel_tables import mel_tables
from labeltool.exporters.stm32.st_applications.applications import Application
from labeltool.exporters.stm32.st_applications.config_header import config_header
from labeltool.exporters.stm32.st_applications.readme import application_readme
from labeltool.exporters.stm32.st_applications.user_config import user_config
from labeltool.networks.model_folder import ModelFiles

FOLDER = "st"
"""The folder of a package that has a folder for each application."""

CONFIG_HEADER = "ai_model_config.h"

_CHECK = """\
/* The generated network must be this model's: {inputs} int8 in, {labels} float32 out. */
#ifdef __has_include
#if __has_include("{header}")
#define LABELTOOL_NETWORK_FOUND
#endif
#endif
#ifndef LABELTOOL_NETWORK_FOUND
#warning "{header} was not found: whether the network is this model's was not checked"
#else
#include "{header}"
#ifndef {network}_OUT_1_SIZE_BYTES
#error "{header} is of another C API: generate it with {api}"
#elif {network}_IN_1_SIZE != {inputs} || {network}_OUT_1_SIZE != {labels}
#error "{header} is of another model: generate it from model/{model}"
#elif {network}_IN_1_SIZE_BYTES != {inputs}
#error "{header} does not take int8: generate it from model/{model}"
#elif {network}_OUT_1_SIZE_BYTES != {output_bytes}
#error "{header} does not give float32: generate it from model/{model}, not from model_int8.tflite"
#endif
{version}#endif

"""

_LEGACY_VERSION = """\
#if defined(AI_PLATFORM_API_MINOR) && (AI_PLATFORM_API_MAJOR != 1 || AI_PLATFORM_API_MINOR != 2)
#error "the application calls version 1.2 of the legacy C API"
#endif
"""

_CORE_VERSION = """\
#if defined(STAI_TOOLS_VERSION_MAJOR) && STAI_TOOLS_VERSION_MAJOR < {core}
#error "the application needs ST Edge AI Core {core}.0 or newer"
#endif
"""


def application_files(application: Application, model_id: int, model: ModelFiles) -> dict[str, str]:
    """Return the texts of an application's folder by their paths in the package."""
    frontend = require_log_mel(model.frontend)
    tables, tables_header = mel_tables(frontend, application.tables)
    check = _network_check(application, frontend.n_mels * frontend.patch_frames, len(model.labels))
    texts = {
        CONFIG_HEADER: config_header(application, model_id, model),
        "user_mel_tables.c": check + tables,
        "user_mel_tables.h": tables_header,
        "user_config.yaml": user_config(application, model_id, model),
        "README.md": application_readme(application, model, frontend),
    }
    return {f"{FOLDER}/{application.name}/{name}": text for name, text in texts.items()}


def _network_check(application: Application, inputs: int, labels: int) -> str:
    """Return C that compares the network which `stedgeai` generated with the model, when the application is built.

    The configuration header is included before the generated network, so it cannot look at it; the file of the mel
    tables can. What it finds at compile time the application would find on the device, or not at all.
    """
    legacy = application.api == "legacy"
    return _CHECK.format(
        inputs=inputs,
        labels=labels,
        output_bytes=4 * labels,
        # With the NPU, `network.h` is the runtime's own.
        header="stai_network.h" if application.series == "stm32n6" else "network.h",
        network="AI_NETWORK" if legacy else "STAI_NETWORK",
        api=f"--c-api {application.api}",
        model=application.model,
        version=_LEGACY_VERSION if legacy else _CORE_VERSION.format(core=application.min_core),
    )
