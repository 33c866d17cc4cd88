"""The registry of ST's audio applications that a package is made for.

To add one: a line in `labeltool.networks.device_targets` with what it demands of a patch, and one in `APPLICATIONS`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from labeltool.audio.frontend import LogMelFrontend
from labeltool.errors import LabeltoolError
from labeltool.exporters.stm32.codegen.st_mel_tables import sparse_filters
from labeltool.exporters.stm32.st_model.graph_edit import ST_MODEL
from labeltool.exporters.stm32.st_model.onnx_qdq import ONNX_MODEL
from labeltool.networks.device_targets import DEVICE_TARGETS, DeviceTarget

Placements = tuple[tuple[str, str], ...]
Step = Literal["analyze", "validate", "generate"]

ST_VALIDATION = "val_st.npz"
"""Name of the file in `validation/` with inputs and outputs of the models for ST's applications."""


@dataclass(frozen=True, slots=True)
class Application:
    """One application in one version.

    Attributes
    ----------
    target
        Its name, and what it demands of a patch.
    title, origin, tools
        What it is, with version and date; its repository on GitHub and the folder in it; the ST Edge AI Core versions
        it is for.
    prefix
        "MODE" or "MODEL": what the names of the class list begin with, after `CTRL_X_CUBE_AI_`.
    min_core
        Oldest major version of ST Edge AI Core whose network it takes; None where no macro has it.
    defined_before
        Macros that the application defines before it includes the configuration header.
    tables
        Type of the window's and the filters' numbers.
    series, generate, steps
        `--target` of stedgeai, further options of `stedgeai generate`, and the commands that run on a computer.
    yaml_layout
        Year of the model zoo services whose `user_config.yaml` it is deployed by.
    zoo_tool_version, board, project
        Values of `user_config.yaml`.
    output
        Baud rate and form of what it prints, as Markdown.
    firmware
        How the network of the firmware is generated, as Markdown, where that is not one of `commands`.
    """

    target: DeviceTarget
    title: str
    origin: str
    tools: str
    device_macro: str
    prefix: Literal["MODE", "MODEL"]
    api: Literal["legacy", "st-ai"]
    min_core: int | None
    defined_before: tuple[str, ...]
    tables: Literal["float32", "float16"]
    model: str
    series: str
    generate: tuple[str, ...]
    steps: tuple[Step, ...]
    yaml_layout: Literal[2025, 2026]
    zoo_tool_version: str
    board: str
    project: str
    placements: Placements
    notes: tuple[str, ...]
    output: str
    firmware: str = ""

    @property
    def name(self) -> str:
        """The name of its folder."""
        return self.target.name

    def commands(self) -> dict[Step, tuple[str, ...]]:
        """Return the arguments of `stedgeai` for each step, to be run in the application's folder of the package."""
        # The NPU's compiler reads the same options in every step; the C API is one of generated code alone.
        npu = tuple(option for option in self.generate if option == "--st-neural-art")
        common = ("--model", f"../../model/{self.model}", "--target", self.series)
        options: dict[Step, tuple[str, ...]] = {
            "analyze": npu,
            "validate": (*npu, "--valinput", f"../../validation/{ST_VALIDATION}", "--classifier"),
            "generate": self.generate,
        }
        return {step: (step, *common, *options[step]) for step in self.steps}

    def problem(self, frontend: LogMelFrontend, labels: int) -> str:
        """Return why the application cannot run a model; empty when it can."""
        problem = self.target.problem(frontend)
        if problem:
            most = self.target.most_frames(frontend)
            shorter = frontend.with_patches(most, most) if most else frontend
            fits = not self.target.problem(shorter)
            remedy = f': set target = "{self.name}" under [learning] in labeltool.toml and retrain'
            return problem + (remedy if fits else "")
        if self.target.max_side is not None and labels > self.target.max_side:
            return f"{labels} labels, it takes at most {self.target.max_side}"
        try:
            sparse_filters(frontend)
        except LabeltoolError as error:
            return error.reason
        return ""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The applications that a package is for, and why others are not, by name."""

    applications: tuple[Application, ...]
    not_made: Mapping[str, str]


_U5_NOTES = (
    "Patches do not overlap: a report each {patch_s:.2f} s.",
    "Copy the headers and library of the tool's version into `STM32_AI_Library`.",
)


def _u5(
    name: str, kind: str, placements: Placements, defined_before: tuple[str, ...], note: str, output: str
) -> Application:
    return Application(
        target=DEVICE_TARGETS[name],
        title=f"STM32U5 application sensing_{kind} of ST's model zoo services, March 2025 (B-U585I-IOT02A)",
        origin=f"STMicroelectronics/stm32ai-modelzoo-services`, `application_code/sensing_{kind}/STM32U5",
        tools="ST Edge AI Core 2.0 to 4.0, legacy C API 1.2.0",
        device_macro="STM32U585xx",
        prefix="MODE",
        api="legacy",
        min_core=None,
        defined_before=defined_before,
        tables="float32",
        model=ST_MODEL,
        series="stm32u5",
        generate=("--c-api", "legacy", "--allocate-inputs", "--allocate-outputs"),
        steps=("analyze", "validate", "generate"),
        yaml_layout=2025,
        zoo_tool_version="10.0.0",
        board="B-U585I-IOT02A",
        project=f"../../application_code/sensing_{kind}/STM32U5",
        placements=placements,
        notes=(*_U5_NOTES, note),
        output=output,
    )


_FREERTOS = _u5(
    "u5-freertos",
    "free_rtos",
    (
        ("ai_model_config.h", "Projects/Common/dpu/"),
        ("user_mel_tables.{c,h}", "Projects/Common/dpu/"),
        ("st_ai_output/network*", "Projects/Common/X-CUBE-AI/App/"),
    ),
    ("CTRL_AI_CLASS_DISTRIBUTION",),
    "Its sum for silence stays 0 with log-mels in dB: the header's threshold is negative, to report all patches.",
    '115,200 baud; for each patch `{{"class":"dog"}}` and `{{"predicted score":"0.98"}}`, or `{{"class":"unknown"}}`.',
)
_THREADX = _u5(
    "u5-threadx",
    "thread_x",
    (
        ("ai_model_config.h", "Projects/B-U585I-IOT02A/Applications/GS/Core/Inc/"),
        ("user_mel_tables.c", "Projects/B-U585I-IOT02A/Applications/GS/Core/Src/"),
        ("user_mel_tables.h", "Projects/B-U585I-IOT02A/Applications/GS/Core/Inc/"),
        ("st_ai_output/network*", "Projects/B-U585I-IOT02A/Applications/GS/X-CUBE-AI/App/"),
    ),
    (),
    "ST's README puts the header into `GS/Inc/`; its sources have it in `GS/Core/Inc/`, which the project searches.",
    '921,600 baud; for each patch a line like `{{"signal":1,"class":"dog","dist":[0.98,0.02]}},`, or "Unknown class".',
)
_U3 = Application(
    target=DEVICE_TARGETS["u3"],
    title="STM32U3 Getting Started Audio Event Detection v1.1, April 2026 (NUCLEO-U3C5ZI-Q)",
    origin="STMicroelectronics/STM32U3-GettingStarted-AudioEventDetection",
    tools="ST Edge AI Core 4.0 or newer",
    device_macro="STM32U3C5xx",
    prefix="MODEL",
    api="st-ai",
    min_core=4,
    defined_before=("CTRL_AI_CLASS_DISTRIBUTION", "CTRL_AI_SPECTROGRAM_LOG_MEL", "COM_TYPE_MIC"),
    tables="float32",
    model=ST_MODEL,
    series="stm32u3",
    generate=("--c-api", "st-ai", "--optimization", "time"),
    steps=("analyze", "validate", "generate"),
    yaml_layout=2026,
    zoo_tool_version="12.0.0",
    board="NUCLEO-U3C5ZI-Q",
    project='"FILL IN/STM32U3-GettingStarted-AudioEventDetection"',
    placements=(
        ("ai_model_config.h", "Dpu/Inc/"),
        ("user_mel_tables.c", "Dpu/Src/"),
        ("user_mel_tables.h", "Dpu/Inc/"),
        ("st_ai_output/*", "Model/"),
    ),
    notes=(
        "**Remove `USE_HSP` from the project's symbols** and generate without `--hsp`: its features are others (462 "
        "filter coefficients, no last bin, natural logarithm).",
        "Patches do not overlap: a report each {patch_s:.2f} s.",
        "`Middlewares/ST/stedgeai-lib` must be of the tool's version.",
    ),
    output='With the X-NUCLEO-IKS02A1; 115,200 baud; for each patch `"dog" detected after 92 s` or '
    "`Unknown class`, and all probabilities in percent.",
)
_N6 = Application(
    target=DEVICE_TARGETS["n6"],
    title="STM32N6 Getting Started Audio v2.1 (STM32N6570-DK)",
    origin="STMicroelectronics/STM32N6-GettingStarted-Audio",
    tools="ST Edge AI Core 2.2, or what your copy names",
    device_macro="STM32N657xx",
    prefix="MODEL",
    api="st-ai",
    min_core=2,
    defined_before=(),
    tables="float16",
    model=ONNX_MODEL,
    series="stm32n6",
    generate=("--st-neural-art",),
    steps=("analyze", "generate"),
    yaml_layout=2025,
    zoo_tool_version="10.2.0",
    board="STM32N6570-DK",
    project="../../application_code/audio/STM32N6",
    placements=(
        ("ai_model_config.h", "Projects/Dpu/"),
        ("user_mel_tables.{c,h}", "Projects/Dpu/"),
        ("st_ai_output/*.c, *.h", "Projects/X-CUBE-AI/models/"),
    ),
    notes=("Program the script's file of weights at 0x70180000.",),
    output='14,400 baud; for each patch `{{"class":"dog"}}` or `{{"class":"unknown"}}`.',
    firmware="In the application's `Projects/X-CUBE-AI/models/`: `generate-n6-model.sh PACKAGE/model/model_st.onnx`, "
    "which copies what it makes, and runs\n\n    stedgeai generate -m PACKAGE/model/model_st.onnx --target stm32n6 "
    "--st-neural-art default@user_neural_art.json\n",
)

APPLICATIONS: Mapping[str, Application] = MappingProxyType(
    {application.name: application for application in (_FREERTOS, _THREADX, _U3, _N6)}
)
"""The applications by name."""


def choose(
    names: Iterable[str], frontend: LogMelFrontend, labels: int, missing: Mapping[str, str] = MappingProxyType({})
) -> Chosen:
    """Return the applications to make folders for.

    Parameters
    ----------
    names
        The applications by name; none: all that can run the model.
    labels
        Number of the model's outputs.
    missing
        Why a model file could not be written, by its name.

    Raises
    ------
    LabeltoolError
        When there is no application of a given name, or it cannot run the model.
    """
    named = list(dict.fromkeys(names))
    unknown = [name for name in named if name not in APPLICATIONS]
    if unknown:
        raise LabeltoolError(
            f"no ST application is called {unknown[0]!r}", remedy="there are: " + ", ".join(APPLICATIONS)
        )
    applications = [APPLICATIONS[name] for name in named or APPLICATIONS]
    problems = {one.name: one.problem(frontend, labels) or missing.get(one.model, "") for one in applications}
    not_made = {name: problem for name, problem in problems.items() if problem}
    for name in named:
        if name in not_made:
            raise LabeltoolError(f"{name}: {not_made[name]}")
    return Chosen(tuple(APPLICATIONS[name] for name in problems if name not in not_made), MappingProxyType(not_made))
