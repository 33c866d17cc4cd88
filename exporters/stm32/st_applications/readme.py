"""The README of an application's folder: at most 250 words, in the order in which things are done."""

from __future__ import annotations

from labeltool.audio.frontend import LogMelFrontend
from labeltool.exporters.stm32.st_applications.applications import Application
from labeltool.exporters.stm32.st_model.frontend import UNITS, logarithm_of
from labeltool.networks.model_folder import ModelFiles

_README = """\
# {title}

From `{origin}` on GitHub, for {tools}.
Not run through ST's tools: `labeltool verify --stedgeai PATH` does.

## 1. Generate

{generate}

The model takes int8 log-mels in {unit} and gives float32 probabilities; `model_int8.tflite` is wrong here.

## 2. Copy

| file | to |
| --- | --- |
{placements}

They stop a build for another application's MCU, another network or C API; finding no network, they warn.

## 3. Change

{notes}

## 4. Run

{output}{answers}

## By script

`user_config.yaml` replaces the one beside `stm32ai_main.py` in the services' `audio_event_detection`. Its tool version
is STM32Cube.AI's: 12.0.1 is ST Edge AI Core 4.0.1.
"""

_CHECK = """\
{firmware}
In this folder, only to check the model (no `validate`: with the NPU it needs a board):
"""

_LARGEST_HALF = 65_504
"""The largest number in half precision."""


def application_readme(application: Application, model: ModelFiles, frontend: LogMelFrontend) -> str:
    """Return the text of `README.md` of an application's folder."""
    commands = ["    stedgeai " + " ".join(arguments) for arguments in application.commands().values()]
    intro = _CHECK.format(firmware=application.firmware) if application.firmware else "In this folder:\n"
    notes = (*application.notes, *_half_precision(application, frontend))
    return _README.format(
        title=application.title,
        unit=UNITS[logarithm_of(frontend)],
        origin=application.origin,
        tools=application.tools,
        generate="\n".join((intro, *commands)),
        placements="\n".join(f"| `{file}` | `{place}` |" for file, place in application.placements),
        notes="\n".join(f"- {note}" for note in notes).format(patch_s=frontend.patch_s),
        output=application.output.format(),
        answers=_answers(model),
    )


def _half_precision(application: Application, frontend: LogMelFrontend) -> list[str]:
    """Return what half precision does to a loud tone, where it does anything.

    A sine of amplitude 1 has a magnitude of a quarter of the Hann window's length, in the bin of its frequency.
    """
    power = (frontend.frame_samples // 4) ** 2
    if application.tables == "float32" or power <= _LARGEST_HALF:
        return []
    return [
        f"It computes in half precision, up to {_LARGEST_HALF:,}; a sine at full scale has a power of {power:,} "
        "and overflows. Leave 6 dB at the microphone."
    ]


def _answers(model: ModelFiles) -> str:
    """Return what a report means that is not a label, and what it leaves out."""
    several = (
        "\n\nOf several labels at once it reports the most probable one alone." if model.rule.head == "sigmoid" else ""
    )
    background = (
        ""
        if model.background is None
        else f"\n\nClass {model.labels.index(model.background)} is not a label: it stands for none of them."
    )
    return several + background
