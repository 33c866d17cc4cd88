"""The package's README: contents, commands, the C interface, the numbers, and changes to ST's application."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from labeltool.audio.frontend import LogMelFrontend
from labeltool.exporters.source import Source
from labeltool.exporters.stm32.codegen.frontend_tables import front_end_size, require_log_mel
from labeltool.exporters.stm32.tflite.ram import RamFigures
from labeltool.exporters.stm32.tflite.summary import Network, Tensor
from labeltool.exporters.stm32.verification.export_check import ExportCheck
from labeltool.exporters.stm32.verification.golden import MAX_CLIPS, golden_samples
from labeltool.exporters.stm32.verification.validation_set import Part, ValidationSet
from labeltool.networks.model_card import ModelCard
from labeltool.networks.model_folder import ModelFiles, one_line

_CONTENTS = """\
# labeltool model {model_id} for STM32

A network that classifies {labels} sounds: one patch of {patch_s:.2f} s every {patch_hop_s:.2f} s. Made by labeltool
without ST's tools. `labeltool verify` on this folder runs every check that needs no device;
`sha256sum -c MANIFEST.sha256` checks that the folder is complete and unchanged.

| file | contents |
| --- | --- |
| `model/model_int8.tflite` | the network: batch 1, int8 input and output |
| `model/labels.txt` | one label per line, in the order of the outputs (control characters escaped) |
| `model/model_config.json` | shapes, scales, labels, frontend (fingerprint `{fingerprint}`), clip rule |
| `c/ai_model_config.h` | configuration of ST's audio application, and values it has no names for (`AED_...`) |
| `c/user_mel_tables.{{c,h}}` | window and mel filters of the model's frontend |
| `c/aed_preproc.{{c,h}}` | the front end in C99, streaming: 16-bit samples in, int8 input of the network out |
| `c/aed_postproc.{{c,h}}` | scores of patches to probabilities of a clip, or smoothed probabilities of a stream |
| `c/aed_nn.{{c,h}}`, `c/aed_model.{{c,h}}` | the network in plain C for checks: scores of TensorFlow Lite Micro |
| `c/aed_tables.{{c,h}}`, `c/aed_math.h` | constants and functions used by these files |
| `test/` | a self-test on parts of the project's recordings, for this machine and emulated devices; `aed_run` |
| `validation/` | {patches} patches {part}: `val.npz` (m_inputs, m_outputs), the same as CSV, and their clips |
| `report.json` | all known numbers; a number that was not measured is absent |
"""

_COMMANDS = """\
## Analyse, validate, generate

With ST Edge AI Core (`stedgeai`) installed, run in this folder; replace `stm32u5` by your series:

    stedgeai analyze --model model/model_int8.tflite --target stm32u5 --optimization balanced \\
        --allocate-inputs --allocate-outputs
    stedgeai validate --model model/model_int8.tflite --target stm32u5 --optimization balanced \\
        --valinput validation/val.npz --classifier
    stedgeai generate --model model/model_int8.tflite --target stm32u5 --optimization balanced \\
        --allocate-inputs --allocate-outputs --output generated

`val.npz` and the CSV files contain the int8 codes at input and output (real = scale * (code - zero point)):

- input: {input_text}
- output: {output_text}

The outputs come from TensorFlow Lite's reference kernels on the computer that made this package.
`--valoutput validation/val_out.csv` compares with them from CSV.

In STM32CubeMX: create a project for your MCU; *Software Packs > Select Components*, select *X-CUBE-AI > Core*; under
*Middleware and Software Packs > X-CUBE-AI* press *Add network*, choose *TFLite* and browse to
`model/model_int8.tflite`; *Analyze*; as *Validation inputs* browse to `validation/val.npz`; *Validate on desktop*;
*Generate code*.
"""

_C_PATH = """\
## The C code: from the microphone to a label

`aed_preproc` takes any number of samples per call and provides the network's input whenever a patch is complete:

```c
#include "aed_nn.h" /* or ST's generated network */
#include "aed_postproc.h"
#include "aed_preproc.h"

static aed_preproc preproc;   /* aed_preproc_init(&preproc); before the first samples */
static aed_nn network;        /* memory of the network: one for each thread that runs it */
static aed_postproc postproc; /* aed_postproc_init(&postproc, 0.5F); 0.5: each patch halves the weight of the past */
static int8_t input[AED_N_MELS * AED_PATCH_FRAMES];

void on_samples(const int16_t *samples, uint32_t count)
{{
    int8_t scores[AED_LABELS];
    float probabilities[AED_LABELS];
    while (count > 0) {{
        const uint32_t used = aed_preproc_push(&preproc, samples, count);
        samples += used;
        count -= used;
        if (aed_preproc_ready(&preproc)) {{
            aed_level level;
            (void)aed_preproc_patch(&preproc, input, &level);
            (void)aed_nn_run(&network, input, scores);
            aed_postproc_push(&postproc, scores, level.loudness_db);
            aed_postproc_probabilities(&postproc, probabilities);
            const int32_t label = aed_postproc_answer(probabilities, AED_CLIP_THRESHOLD); /* or AED_UNKNOWN */
            (void)label; /* aed_labels[label] is its name */
        }}
    }}
}}
```

Build with `-ffp-contract=off` and without `-ffast-math` (`aed_math.h` gives the reason), as C99 or later, GNU modes
included, or as C++17. Then the results are bit-identical to those of labeltool's check; with other options
`aed_preproc_init` fails.

In `test/`, `make host` builds and runs the self-test on this machine, `make arm-m4` (`arm-m33`, `arm-m7`, `arm-m55`,
`arm-f405`) builds it for a device, and `make qemu` runs it on emulated devices and compares. `aed_run` processes a
recording of yours as the device does:

    ffmpeg -v error -i sound.wav -f s16le -ac 1 -ar {rate} - | build/host/aed_run

It prints log format 1, and firmware should print the same (with `test/aed_lines.h`): a header, then for each patch the
second at which it begins and the int8 scores in the order of the labels. `model` is the beginning of the SHA-256 of
the model's file. Other lines that begin with `#` are comments. `labeltool import device` reads such a log beside its
recording, and its predictions become suggestions.

    # aed_run 1 model={model_sha256} labels={labels} rate={rate} patch_s={patch_s:g} patch_hop_s={patch_hop_s:g}
    0.000000 -128 97 -101 ...
"""

_ST_APPLICATION = """\
## In ST's audio event application

The simplest way: replace its spectrogram by `aed_preproc`. Push the samples of the microphone into it, and give the
output of `aed_preproc_patch` to the network.

To keep ST's spectrogram, copy the generated network over the application's network, and `ai_model_config.h` and
`user_mel_tables.{{c,h}}` over the files of the same names (in the getting-started application they are in its `Dpu` and
model folders). Three changes are then necessary, because this model was trained on other features than ST's application
computes. Without them accuracy drops (ST's own models: from 90 % to 55 % of clips between ST's Python and ST's C):

1. **The logarithm has a fixed floor and a fixed scale**, not the maximum of the clip. Each mel power becomes
   `(10 log10(power + {floor:g}) - ({offset_db:g})) / {scale_db:g}`.
2. **Frames are not centred, and silence is not removed**: the first frame starts at the first sample, and silent frames
   are used as well (`SILENCE_THR` is 0).
3. {mean_text}

Take the *mel powers* of the columns (ST's `MelSpectrogramColumn`, not the log-mel call that quantises at once), keep
the patch as float, and convert it to the network's input with:

```c
#include <math.h>
#include <stdint.h>
#include "ai_model_config.h"

/* mel: mel powers of a patch, CTRL_X_CUBE_AI_SPECTROGRAM_NMEL rows of CTRL_X_CUBE_AI_SPECTROGRAM_COL; overwritten. */
void patch_to_input(float *mel, int8_t *input)
{{
    const int n = (int)(CTRL_X_CUBE_AI_SPECTROGRAM_NMEL * CTRL_X_CUBE_AI_SPECTROGRAM_COL);
    float sum = 0.0F;
    for (int i = 0; i < n; i++) {{
        mel[i] = (10.0F * log10f(mel[i] + AED_LOG_FLOOR) - AED_LOG_OFFSET_DB) / AED_LOG_SCALE_DB;
        sum += mel[i];
    }}
    const float mean = AED_PATCH_LESS_ITS_MEAN ? sum / (float)n : 0.0F;
    for (int i = 0; i < n; i++) {{
        const float code = rintf((mel[i] - mean) / AED_INPUT_SCALE) + (float)AED_INPUT_ZERO_POINT;
        input[i] = (int8_t)fminf(fmaxf(code, -128.0F), 127.0F);
    }}
}}
```

Samples are 16-bit, divided by 32768. The probabilities of a clip longer than a patch come from all its patches: the
mean of {logits_text}, where each patch has the weight 10^({exponent:g} L / 10) and L is
its loudness, the mean of its log-mels in dB; divided by the temperature {temperature:g} and {ending_text}.
{label_text}
"""

_NUMBERS = """\
## Numbers

| number | value | kind |
| --- | --- | --- |
{numbers}

{checks}

Not known here: RAM and flash as planned by ST's tool (`stedgeai analyze`), inference time on the device
(`stedgeai validate --mode target`), accuracy with the device's microphone.
"""

_LABELS_AND_LICENCES = """\
## Labels

{label_rows}

## Licences

The generated C, tables and texts of this folder may be used without condition. The network was trained on recordings
under these licences: {licences}.
You must judge what they allow for a model. `test/golden_pcm.h` contains {golden_s:.1f} s of the project's recordings.
ST's tools, application and libraries come from ST under ST's terms; none of them is in this folder.
"""

_PATHS = {"float": "float network", "int8": "int8 network", "c": "this C, samples to label"}

_PARTS: Mapping[Part, str] = {
    "unseen": "of clips the model has not seen",
    "validation": "of clips the model was not trained on (some of them were used for validation)",
    "train": "of clips the model was trained on (there are no others)",
}


@dataclass(frozen=True, slots=True)
class _Number:
    """A row of the table of numbers; `kind` says how the value was obtained."""

    name: str
    value: str
    kind: str


def readme(
    source: Source, network: Network, validation: ValidationSet, ram: RamFigures, export_check: ExportCheck
) -> str:
    """Return the text of the package's README."""
    model = source.model
    return "\n".join(
        (
            _contents(source.model_id, model, validation),
            _COMMANDS.format(input_text=_quantisation(network.input), output_text=_quantisation(network.output)),
            _c_path(model),
            _st_application(model),
            _NUMBERS.format(
                numbers="\n".join(
                    f"| {row.name} | {row.value} | {row.kind} |"
                    for row in (
                        *_model_numbers(model.card, network, ram),
                        *_front_end_numbers(require_log_mel(model.frontend)),
                        *_measured_numbers(export_check),
                    )
                ),
                checks=_checks_text(export_check),
            ),
            _labels_and_licences(source, validation),
        )
    )


def _contents(model_id: int, model: ModelFiles, validation: ValidationSet) -> str:
    return _CONTENTS.format(
        model_id=model_id,
        labels=len(model.labels),
        patch_s=model.frontend.patch_s,
        patch_hop_s=model.frontend.patch_hop_s,
        fingerprint=model.frontend.fingerprint,
        patches=len(validation.inputs),
        part=_PARTS[validation.part],
    )


def _c_path(model: ModelFiles) -> str:
    return _C_PATH.format(
        rate=model.frontend.sample_rate_hz,
        model_sha256=hashlib.sha256(model.int8).hexdigest()[:16],
        labels=len(model.labels),
        patch_s=model.frontend.patch_s,
        patch_hop_s=model.frontend.patch_hop_s,
    )


def _st_application(model: ModelFiles) -> str:
    frontend, rule = require_log_mel(model.frontend), model.rule
    independent = rule.head == "sigmoid"
    return _ST_APPLICATION.format(
        floor=frontend.floor,
        offset_db=frontend.offset_db,
        scale_db=frontend.scale_db,
        mean_text=(
            "**The mean of each patch is subtracted from it**, so that loudness does not reach the network."
            if frontend.centred
            else "**The values go into the network unchanged**: no mean is subtracted."
        ),
        exponent=rule.loudness_exponent,
        temperature=rule.temperature,
        ending_text="converted back to probabilities" if independent else "normalised",
        logits_text={
            "log-mean": "the log-odds of their probabilities (clipped to 1/512 from 0 and 1)"
            if independent
            else "the logarithms of their probabilities (at least 1/512)",
            "mean": "their probabilities, of which the logarithm (or log-odds) is taken",
            "majority": "their votes, of which the logarithm (or log-odds) is taken",
        }[rule.pooling],
        label_text=_label_text(model),
    )


def _label_text(model: ModelFiles) -> str:
    """Return how the probabilities of a clip become labels, by the model's rule."""
    rule = model.rule
    threshold = f"{rule.threshold:g} (`AED_CLIP_THRESHOLD`, chosen on the model's validation clips)"
    if rule.head == "sigmoid":
        return (
            f"\nThe labels are independent: all labels with at least {threshold} are predicted, or none. ST's "
            "application uses the largest output only: read all of them instead."
        )
    unknown = f"\nA clip whose most probable label stays below {threshold} is unknown." if rule.threshold else ""
    background = (
        ""
        if model.background is None
        else f"\nThe output {_in_markdown(model.background)} (`AED_BACKGROUND`) is not a label: it was trained on "
        "clips without any of the labels, and is unknown too."
    )
    return unknown + background


def _quantisation(tensor: Tensor) -> str:
    return f"scale {tensor.scale:.9g}, zero point {tensor.zero_point}"


def _model_numbers(card: ModelCard, network: Network, ram: RamFigures) -> list[_Number]:
    counted, measured = "counted from the model file", "measured by labeltool"
    rows = [
        _Number("multiply-accumulates per patch", f"{network.macc:,}", counted),
        _Number("weights and biases, bytes", f"{network.weight_bytes:,}", counted),
    ]
    if ram.measured is not None:
        rows.append(_Number("RAM, TensorFlow Lite Micro's arena, bytes", f"{sum(ram.measured):,}", measured))
    rows.append(_Number("RAM, arena of `c/aed_nn.c`, bytes", f"{ram.planned:,}", "planned by labeltool"))
    rows.append(_Number("RAM, ST's arena", "run `stedgeai analyze`", "not known here"))
    for accuracy, name in ((card.clip_accuracy, "float network"), (card.int8_clip_accuracy, "int8 network")):
        if accuracy is not None:
            kind = f"{measured}, {card.validation_clips} validation clips"
            rows.append(_Number(f"clip accuracy, {name}", f"{accuracy:.1%}", kind))
    return rows


def _front_end_numbers(frontend: LogMelFrontend) -> list[_Number]:
    size, counted = front_end_size(frontend), "counted from the C"
    return [
        _Number("RAM, patch of the front end `c/aed_preproc.c`, bytes", f"{size.patch:,}", counted),
        _Number("RAM, rest of the front end, bytes", f"{size.beside_the_patch:,}", counted),
        _Number("flash, tables of the front end, bytes", f"{size.tables_in_flash:,}", counted),
    ]


def _measured_numbers(export_check: ExportCheck) -> list[_Number]:
    rows = []
    if export_check.instructions is not None:
        counts, kind = export_check.instructions, "counted by QEMU, Cortex-M4, `-O2`"
        rows += [
            _Number("instructions, front end, a patch of new frames", f"{counts.first_patch:,}", kind),
            _Number("instructions, front end, each following patch", f"{counts.next_patch:,}", kind),
            _Number("instructions, reference network `aed_nn`, a patch", f"{counts.network:,}", kind),
        ]
    accuracy = export_check.accuracy
    if accuracy is not None:
        kind = f"measured by labeltool, {accuracy.clips} {_PARTS[accuracy.part].removeprefix('of ')}"
        rows += [
            _Number(f"clip accuracy, {_PATHS[path]}", f"{accuracy.share(path):.1%}", kind)
            for path in accuracy.predicted
        ]
    return rows


def _checks_text(export_check: ExportCheck) -> str:
    text = "The export built this C and ran its checks; `report.json` names the checks and the tools."
    if export_check.not_measured:
        missing = "; ".join(f"{what} ({reason})" for what, reason in export_check.not_measured.items())
        text = f"Not checked during the export: {missing}."
    accuracy = export_check.accuracy
    if accuracy is None:
        return text
    paths = list(accuracy.predicted)
    rows = [("label", "clips", *(_PATHS[path] for path in paths)), ("---",) * (2 + len(paths))]
    for of_label in accuracy.by_label():
        # A vertical bar ends a table cell, even in code.
        label = _in_markdown(of_label.label).replace("|", "\\|")
        rows.append((label, str(of_label.clips), *(str(of_label.correct[path]) for path in paths)))
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return f"{text} Correct clips by label:\n\n{table}"


def _labels_and_licences(source: Source, validation: ValidationSet) -> str:
    frontend = require_log_mel(source.model.frontend)
    return _LABELS_AND_LICENCES.format(
        label_rows="\n".join(f"{index}. {_in_markdown(label)}" for index, label in enumerate(source.model.labels)),
        licences=", ".join(_in_markdown(licence) for licence in _licences(source)),
        golden_s=min(MAX_CLIPS, len(validation.clips)) * golden_samples(frontend) / frontend.sample_rate_hz,
    )


def _licences(source: Source) -> list[str]:
    """Return the licences of the recordings that the model was made from, with "not known" for unknown ones."""
    seen = source.model.groups_seen()
    rows = source.store.connection.execute("SELECT DISTINCT group_name, licence FROM recordings")
    licences = {row["licence"] or "not known" for row in rows if row["group_name"] in seen}
    return sorted(licences) or ["not known"]


def _in_markdown(text: str) -> str:
    """Return a text as one line of inline code, whatever characters it contains."""
    line = one_line(text)
    fence = "`"
    while fence in line:
        fence += "`"
    return f"{fence} {line} {fence}" if "`" in line else f"`{line}`"
