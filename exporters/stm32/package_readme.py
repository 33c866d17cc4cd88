"""The package's README: what to type, what the numbers are, what ST's application must change."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from labeltool.audio.frontend import Frontend
from labeltool.exporters.source import Source
from labeltool.exporters.stm32.codegen.frontend_tables import front_end_bytes
from labeltool.exporters.stm32.tflite.summary import Network
from labeltool.exporters.stm32.verification.export_check import Proof
from labeltool.exporters.stm32.verification.golden import MOST_CLIPS, golden_samples
from labeltool.exporters.stm32.verification.validation_set import Part, ValidationSet
from labeltool.networks.model_folder import ModelFiles, one_line

_PAGE = """\
# labeltool model {model_id} for STM32

A network that tells {labels} sounds apart, one patch of {patch_s:.2f} s every {patch_hop_s:.2f} s. Made by labeltool;
nothing in this folder was run through ST's tools. `labeltool verify` on this folder checks all that can be checked
without a board; `sha256sum -c MANIFEST.sha256` only that it is whole.

| file | what |
| --- | --- |
| `model/model_int8.tflite` | the network: batch 1, int8 in and out |
| `model/labels.txt` | a label a line, in the order of the outputs (control characters escaped) |
| `model/model_config.json` | shapes, scales, labels, frontend (fingerprint `{fingerprint}`), the rule for whole clips |
| `c/ai_model_config.h` | the configuration of ST's audio application, and what it has no names for (`AED_...`) |
| `c/user_mel_tables.{{c,h}}` | window and mel filters of the model's own frontend |
| `c/aed_preproc.{{c,h}}` | the front end in C99, in a stream: 16-bit samples in, the network's int8 input out |
| `c/aed_postproc.{{c,h}}` | from the network's answers to a clip's, or to a smoothed one of endless sound |
| `c/aed_nn.{{c,h}}`, `c/aed_model.{{c,h}}` | plain C, TensorFlow Lite Micro's scores bit for bit: to check with |
| `c/aed_tables.{{c,h}}`, `c/aed_math.h` | what those need |
| `test/` | a self-test on parts of the project's recordings, for this machine and for emulated chips; `aed_run` |
| `validation/` | {patches} patches {whose}: `val.npz` (m_inputs, m_outputs), the same as CSV, and where each is from |
| `report.json` | every number known; one that was not measured is not there |

## Analyse, validate, generate

With ST Edge AI Core (`stedgeai`) installed, in this folder; `stm32u5` stands for your series:

    stedgeai analyze --model model/model_int8.tflite --target stm32u5 --optimization balanced \\
        --allocate-inputs --allocate-outputs
    stedgeai validate --model model/model_int8.tflite --target stm32u5 --optimization balanced \\
        --valinput validation/val.npz --classifier
    stedgeai generate --model model/model_int8.tflite --target stm32u5 --optimization balanced \\
        --allocate-inputs --allocate-outputs --output generated

`val.npz` and the CSV files hold int8 codes, as they enter and leave the network (real = scale * (code - zero point)):

- in: {input_text}
- out: {output_text}

The answers are those of TensorFlow Lite's reference kernels, computed on the
laptop. `--valoutput validation/val_out.csv` compares with them from CSV.

In STM32CubeMX: new project for your board; *Software Packs > Select Components*, tick *X-CUBE-AI > Core*; under
*Middleware and Software Packs > X-CUBE-AI* press *Add network*, choose *TFLite* and browse to
`model/model_int8.tflite`; *Analyze*; as *Validation inputs* browse to `validation/val.npz`; *Validate on desktop*;
*Generate code*.

## The C path: from the microphone to an answer

`aed_preproc` hears any number of samples at a time, and gives the network's input whenever a patch is full:

```c
#include "aed_nn.h" /* or ST's generated network */
#include "aed_postproc.h"
#include "aed_preproc.h"

static aed_preproc ears;     /* aed_preproc_init(&ears); before the first samples */
static aed_postproc answers; /* aed_postproc_init(&answers, 0.5F); 0.5: each patch halves what came before */
static int8_t input[AED_N_MELS * AED_PATCH_FRAMES];

void on_samples(const int16_t *samples, uint32_t count)
{{
    int8_t scores[AED_LABELS];
    float probabilities[AED_LABELS];
    while (count > 0) {{
        const uint32_t taken = aed_preproc_push(&ears, samples, count);
        samples += taken;
        count -= taken;
        if (aed_preproc_ready(&ears)) {{
            const float loudness_db = aed_preproc_patch(&ears, input);
            (void)aed_nn_run(input, scores);
            aed_postproc_push(&answers, scores, loudness_db);
            aed_postproc_probabilities(&answers, probabilities);
            const int32_t label = aed_postproc_answer(probabilities, AED_CLIP_THRESHOLD); /* or AED_UNKNOWN */
            (void)label; /* aed_labels[label] is its name */
        }}
    }}
}}
```

Build it with `-std=c99` (no GNU mode, no `-ffast-math`: `aed_math.h` says why) and the bits are those of the laptop's
check. `-DAED_USE_CMSIS_DSP` computes the FFT by CMSIS-DSP.

In `test/`, `make host` builds and checks for this machine, `make arm-m4` (`arm-m33`, `arm-m7`, `arm-m55`, `arm-f405`)
builds for a chip, `make qemu` runs the same self-test on emulated chips and compares. `aed_run` hears your own
recording as the chip does:

    ffmpeg -v error -i sound.wav -f s16le -ac 1 -ar {rate} - | build/host/aed_run

It prints, and firmware should print (`test/aed_lines.h` does), format 1: a header; for each patch the second at which
it begins and the int8 scores in the order of the labels (`model` begins the SHA-256 of the model's file); other lines
that begin with `#` are remarks. `labeltool import device` reads such a log beside its recording, and the next clips to
label are those that the board got wrong.

    # aed_run 1 model={model_sha256} labels={labels} rate={rate} patch_s={patch_s:g} patch_hop_s={patch_hop_s:g}
    0.000000 -128 97 -101 ...

## In ST's audio event application

The simplest: leave out its spectrogram, push the microphone's samples into `aed_preproc`, and give the network what
`aed_preproc_patch` writes.

To keep ST's spectrogram instead, copy the generated network over the application's own, and `ai_model_config.h` and
`user_mel_tables.{{c,h}}` over the files of the same names (the getting-started application keeps them in its `Dpu` and
model folders). Then three things must change, for this model was not trained on what ST's application computes; left
as it is, it mishears (ST's own models fall from 90 % to 55 % of clips between ST's Python and ST's C):

1. **The logarithm has a fixed floor and a fixed scale**, no maximum of the clip: each mel power becomes
   `(10 log10(power + {floor:g}) - ({offset_db:g})) / {scale_db:g}`.
2. **Frames are not centred and nothing is cut out**: the first starts at the first sample, silence is heard like all
   else (`SILENCE_THR` is 0).
3. {mean_text}

So take the *mel powers* of the columns (ST's `MelSpectrogramColumn`, not the log-mel call that quantises at once), keep
the patch as float, and turn it into the network's input with:

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

Samples are 16-bit, divided by 32768. A clip longer than a patch is answered by all its patches: the mean of
{logits_text}, each patch weighing 10^({exponent:g} L / 10) where L is its
loudness, the mean of its log-mels in decibels; divided by the temperature {temperature:g} and {ending_text}.
{answer_text}

## Numbers

| number | value | kind |
| --- | --- | --- |
{numbers}

{proof}

Not known here, and so not stated: RAM and flash as ST's tool plans them (`stedgeai analyze` says), time on the chip
(`stedgeai validate --mode target`), accuracy on the board's microphone.

## Labels

{label_rows}

## Licences

The generated C, tables and texts of this folder may be used without condition. The network is made from recordings
under these licences: {licences}.
What they allow for a model is for you to judge; `test/golden_pcm.h` holds {golden_s:.1f} s of recordings of the project
themselves. ST's tools, application and libraries come from ST under ST's terms; none of them is in this folder.
"""


_PATHS = {"float": "float network", "int8": "int8 network", "c": "this C, PCM to answer"}

_WHOSE: Mapping[Part, str] = {
    "unseen": "of clips the model has not seen",
    "validation": "of clips the model did not learn from, but was checked on some",
    "train": "of clips the model learnt from, for want of others",
}


def readme(source: Source, network: Network, found: ValidationSet, memory: Mapping[str, Any], proof: Proof) -> str:
    """Return the text of the package's README; `memory` comes from `tflite.ram.ram_numbers`."""
    model = source.model
    frontend = model.frontend
    return _PAGE.format(
        model_id=source.model_id,
        labels=len(model.labels),
        patch_s=frontend.patch_s,
        patch_hop_s=frontend.patch_hop_s,
        fingerprint=frontend.fingerprint,
        patches=len(found.inputs),
        whose=_WHOSE[found.part],
        input_text=f"scale {network.input.scale:.9g}, zero point {network.input.zero_point}",
        output_text=f"scale {network.output.scale:.9g}, zero point {network.output.zero_point}",
        floor=frontend.floor,
        offset_db=frontend.offset_db,
        scale_db=frontend.scale_db,
        mean_text=(
            "**Each patch is given less its own mean**, so that loudness does not reach the network."
            if frontend.centred
            else "The values go into the network as they are: no mean is taken off."
        ),
        exponent=model.rule.loudness_exponent,
        temperature=model.rule.temperature,
        **_answer_texts(model),
        rate=frontend.sample_rate_hz,
        model_sha256=hashlib.sha256(model.int8).hexdigest()[:16],
        golden_s=min(MOST_CLIPS, len(found.clips)) * golden_samples(frontend) / frontend.sample_rate_hz,
        numbers="\n".join(
            f"| {name} | {value} | {kind} |"
            for name, value, kind in (
                *_numbers(model.card, network, memory),
                *_front_end(frontend),
                *_measured(proof),
            )
        ),
        proof=_proof(proof),
        label_rows="\n".join(f"{place}. {_in_markdown(label)}" for place, label in enumerate(model.labels)),
        licences=", ".join(_in_markdown(licence) for licence in _licences(source)),
    )


def _answer_texts(model: ModelFiles) -> dict[str, str]:
    """Say how a clip's scores come about and what is said of it, by the model's rule."""
    rule = model.rule
    several = rule.head == "sigmoid"
    threshold = f"{rule.threshold:g} (`AED_CLIP_THRESHOLD`, chosen on the model's validation clips)"
    told = {
        "ending_text": "turned back into a probability" if several else "normalised",
        "logits_text": {
            "log-mean": "log-odds of their probabilities (held 1/512 off 0 and 1)"
            if several
            else "logarithms of their probabilities (none below 1/512)",
            "mean": "their probabilities, of which the logarithm (or log-odds) is taken",
            "majority": "their votes, of which the logarithm (or log-odds) is taken",
        }[rule.pooling],
    }
    if several:
        told["answer_text"] = (
            f"\nEach label stands for itself: all that reach {threshold} are heard, or none is. ST's application takes "
            "the largest output for the one answer: read all of them instead."
        )
        return told
    unknown = f"\nA clip whose first label stays below {threshold} is unknown." if rule.threshold else ""
    background = (
        ""
        if model.background is None
        else f"\nThe output {_in_markdown(model.background)} (`AED_BACKGROUND`) is no label: it was taught on clips "
        "that are none of the labels, and is unknown too."
    )
    return told | {"answer_text": unknown + background}


def _numbers(card: dict[str, Any], network: Network, memory: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    counted = "counted from the model file"
    rows = [
        ("multiply-accumulates a patch", f"{network.macc:,}", counted),
        ("weights and biases, bytes", f"{network.weight_bytes:,}", counted),
    ]
    for key, name, kind in (
        ("measured_tflm_arena", "RAM, TensorFlow Lite Micro's arena, bytes", "measured on the laptop"),
        ("our_plan", "RAM, arena of `c/aed_nn.c`, bytes", "our plan"),
    ):
        if key in memory:
            rows.append((name, f"{memory[key]['bytes']:,}", kind))
    rows.append(("RAM, ST's arena", "run `stedgeai analyze`", "not known here"))
    clips = card.get("validation_clips")
    for key, name in (("clip_accuracy", "float network"), ("int8_clip_accuracy", "int8 network")):
        if card.get(key) is not None:
            kind = "measured on the laptop" + (f", {clips} validation clips" if clips else ", validation clips")
            rows.append((f"clips right, {name}", f"{card[key]:.1%}", kind))
    return rows


def _front_end(frontend: Frontend) -> list[tuple[str, str, str]]:
    names = {
        "patch": "RAM, patch of the front end `c/aed_preproc.c`, bytes",
        "beside_the_patch": "RAM, front end beside the patch, bytes",
        "tables_in_flash": "flash, tables of the front end, bytes",
    }
    size = front_end_bytes(frontend)
    return [(name, f"{size[key]:,}", "counted from the C") for key, name in names.items()]


def _measured(proof: Proof) -> list[tuple[str, str, str]]:
    names = {
        "first_patch": "instructions, front end, a patch of new frames",
        "next_patch": "instructions, front end, each patch after it",
        "network": "instructions, reference network `aed_nn`, a patch",
    }
    rows = [
        (names[key], f"{count:,}", "counted by QEMU, Cortex-M4, `-O2`")
        for key, count in proof.instructions.items()
        if key in names
    ]
    if proof.accuracy is not None:
        whose = f"measured on the laptop, {len(proof.accuracy.truth)} {_WHOSE[proof.accuracy.part].removeprefix('of ')}"
        rows += [
            (f"clips right, {_PATHS[path]}", f"{proof.accuracy.share(path):.1%}", whose)
            for path in proof.accuracy.answers
        ]
    return rows


def _proof(proof: Proof) -> str:
    told = "The C was built and checked here before this folder was published; `report.json` says by which tools."
    if proof.not_measured:
        lacking = "; ".join(f"{what} ({why})" for what, why in proof.not_measured.items())
        told = f"Not checked when this was exported: {lacking}."
    if proof.accuracy is None:
        return told
    paths = list(proof.accuracy.answers)
    rows = [("label", "clips", *(_PATHS[path] for path in paths)), ("---",) * (2 + len(paths))]
    for label, right in proof.accuracy.right_by_label().items():
        # Inside a table a bar ends the cell, even in code.
        rows.append((_in_markdown(label).replace("|", "\\|"), *(str(right[key]) for key in ("clips", *paths))))
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return f"{told} Of the same clips, label by label, right are:\n\n{table}"


def _licences(source: Source) -> list[str]:
    """Return the licences of the recordings the model was made from; those of unknown licence are named so."""
    seen = source.model.groups_seen()
    found = source.store.connection.execute("SELECT DISTINCT group_name, licence FROM recordings")
    named = {row["licence"] or "not known" for row in found if row["group_name"] in seen}
    return sorted(named) or ["not known"]


def _in_markdown(text: str) -> str:
    """Return a text as one line of code, whatever it holds."""
    line = one_line(text)
    fence = "`"
    while fence in line:
        fence += "`"
    return f"{fence} {line} {fence}" if "`" in line else f"`{line}`"
