"""The README of an application's folder: at most 250 words, in the order in which things are done."""

from __future__ import annotations

from labeltool.audio.frontend import LogMelFrontend
from labeltool.exporters.stm32.st_applications.applications import Application
from labeltool.networks.model_folder import ModelFiles

_README = """\
# {title}

For {tools}. Not run through ST's tools: `labeltool verify --stedgeai PATH` does so.

## 1. Generate the network

In this folder, with `stedgeai` installed:

{commands}

The model takes int8 log-mels in dB and gives float32 probabilities. `model_int8.tflite` is for the package's own C and
gives wrong results here.

## 2. Copy the files

| file | to |
| --- | --- |
{placements}

The header and `user_mel_tables.c` stop the build where the MCU, the C API or the network is another one.

## 3. Change in the application

{notes}

`user_config.yaml` is for ST's deployment script instead; its comments say what to fill in and to copy.{answers}
"""


def application_readme(application: Application, model: ModelFiles, frontend: LogMelFrontend) -> str:
    """Return the text of `README.md` of an application's folder."""
    commands = ("    stedgeai " + " ".join(arguments) for arguments in application.commands().values())
    notes = "\n".join(f"- {note}" for note in application.notes)
    return _README.format(
        title=application.title,
        tools=application.tools,
        commands="\n".join(commands),
        model=application.model,
        placements="\n".join(f"| `{one.file}` | `{one.place}` |" for one in application.placements),
        notes=notes.format(patch_s=frontend.patch_s),
        answers=_answers(model),
    )


def _answers(model: ModelFiles) -> str:
    """Return what a report means that is not a label, and what it leaves out."""
    several = (
        "\n\nOf several labels at once the application reports the most probable one alone."
        if model.rule.head == "sigmoid"
        else ""
    )
    background = (
        ""
        if model.background is None
        else f"\n\nClass {model.labels.index(model.background)} is not a label: it stands for none of them."
    )
    return several + background
