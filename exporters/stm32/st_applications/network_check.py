"""C that compares the network which `stedgeai` generated with the model, when the application is built.

The configuration header is included before the generated network, so it cannot look at it; the file of the mel tables
can. What it finds at compile time the application would find on the device, or not at all.
"""

from __future__ import annotations

from labeltool.exporters.stm32.st_applications.applications import Application

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


def network_check(application: Application, inputs: int, labels: int) -> str:
    """Return the check, to be compiled with the application, for the numbers of the model's input and output values."""
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
