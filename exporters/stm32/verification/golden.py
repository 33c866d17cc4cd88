"""Golden vectors for the self-test: parts of recordings, and what the device must compute from them, bit for bit."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from labeltool.audio.clip_samples import clip_pcm
from labeltool.audio.device import device_frontend
from labeltool.audio.device.device_frontend import PatchInputs
from labeltool.audio.frontend import LogMelFrontend
from labeltool.exporters.stm32.codegen.c_text import c_float, c_string
from labeltool.exporters.stm32.codegen.frontend_tables import require_log_mel
from labeltool.exporters.stm32.tflite.summary import Network, TensorFormat
from labeltool.exporters.stm32.verification import fixed_point_frontend
from labeltool.networks.model_folder import ModelFiles
from labeltool.networks.postprocessing import clip_scores
from labeltool.networks.quantization import Int8Model
from labeltool.records import StoredClip
from labeltool.type_aliases import Float32, Int8, Int16

MAX_CLIPS = 2
"""Maximum number of clips in the self-test: their samples must fit into the flash of a small MCU."""

_PER_LINE = 20


FrontEnd = Callable[[LogMelFrontend, Int16, TensorFormat], PatchInputs]
"""From samples to the patches of the network."""


def float_inputs(frontend: LogMelFrontend, pcm: Int16, network_input: TensorFormat) -> PatchInputs:
    """Compute the network's inputs as the C frontend in float32 does."""
    return device_frontend.patches(frontend, device_frontend.log_mel(frontend, pcm), network_input)


def fixed_point_inputs(frontend: LogMelFrontend, pcm: Int16, network_input: TensorFormat) -> PatchInputs:
    """Compute the network's inputs as the C frontend with `AED_FIXED_POINT` does."""
    return fixed_point_frontend.patches(frontend, fixed_point_frontend.log2_mel(frontend, pcm), network_input)


@dataclass(frozen=True, slots=True)
class Golden:
    """Input and expected output of clips of equal length.

    Attributes
    ----------
    pcm : (clips, samples) int16
    codes : (clips, patches, n_mels, patch_frames) int8
        The network's input.
    scores : (clips, patches, labels) int8
        Outputs of the reference kernels.
    probabilities : (clips, labels) float32
        Result of the clip rule.
    """

    pcm: Int16
    codes: Int8
    scores: Int8
    probabilities: Float32


def golden_samples(frontend: LogMelFrontend) -> int:
    """Return the number of samples of a clip in the self-test: two patches."""
    return frontend.patch_samples + frontend.patch_hop * frontend.hop


def loudest_part(clip: StoredClip, frontend: LogMelFrontend) -> Int16:
    """Return the part of a clip with its loudest patch, `(golden_samples,) int16`; zeros follow a short clip."""
    length = golden_samples(frontend)
    pcm = clip_pcm(clip, frontend)
    loudness = frontend.loudness_db(device_frontend.log_mel(frontend, pcm))
    start = max(0, min(int(loudness.argmax()) * frontend.patch_hop * frontend.hop, len(pcm) - length))
    part = pcm[start : start + length]
    return np.pad(part, (0, length - len(part)))


def golden(model: ModelFiles, network: Network, kernels: Int8Model, pcm: Int16, front_end: FrontEnd) -> Golden:
    """Compute what the device must compute from clips, `(clips, samples) int16`, with one of the frontends."""
    frontend = require_log_mel(model.frontend)
    codes, scores, probabilities = [], [], []
    for clip in pcm:
        patches = front_end(frontend, clip, network.input)
        clip_outputs = kernels.predict_int8(patches.codes)
        codes.append(patches.codes)
        scores.append(clip_outputs)
        probabilities.append(clip_scores(kernels.dequantise(clip_outputs), patches.loudness_db, model.rule))
    return Golden(pcm, np.stack(codes), np.stack(scores), np.stack(probabilities))


def golden_pcm_h(vectors: Golden) -> str:
    """Return the text of `golden_pcm.h`."""
    clips, samples = vectors.pcm.shape
    rows = ",\n".join(f"    {{\n{_integers(clip)}    }}" for clip in vectors.pcm)
    return (
        "/* Parts of recordings of the project, for the self-test; generated, do not edit. */\n"
        "#ifndef GOLDEN_PCM_H\n#define GOLDEN_PCM_H\n\n#include <stdint.h>\n\n"
        f"#define GOLDEN_CLIPS ({clips}U)\n#define GOLDEN_SAMPLES ({samples}U)\n\n"
        f"static const int16_t golden_pcm[GOLDEN_CLIPS][GOLDEN_SAMPLES] = {{\n{rows},\n}};\n\n#endif\n"
    )


def golden_scores_h(vectors: Golden, fixed_point: Golden | None, labels: tuple[str, ...]) -> str:
    """Return the text of `golden_scores.h`: expectations of the frontend in float32, and in fixed point if any."""
    expected = _expectations(vectors)
    if fixed_point is not None:
        expected = f"#ifdef AED_FIXED_POINT\n\n{_expectations(fixed_point)}#else\n\n{expected}#endif\n\n"
    names = "".join(f"    {c_string(label)},\n" for label in labels)
    return (
        "/* Expected results of the self-test on golden_pcm.h; generated, do not edit. */\n"
        "#ifndef GOLDEN_SCORES_H\n#define GOLDEN_SCORES_H\n\n#include <stdint.h>\n\n"
        '#include "aed_tables.h"\n#include "golden_pcm.h"\n\n'
        f"#define GOLDEN_PATCHES ({vectors.scores.shape[1]}U)\n\n"
        "/* golden_codes: CRC-32 of the network's int8 input, for each patch.\n"
        "   golden_scores: scores of TensorFlow Lite Micro's reference kernels for that input.\n"
        "   golden_probabilities: result of the clip rule for these scores, computed in float64. */\n"
        f"{expected}"
        "/* The labels, in the order of the model's outputs. */\n"
        f"static const char *const golden_labels[AED_LABELS] = {{\n{names}}};\n\n#endif\n"
    )


def _expectations(vectors: Golden) -> str:
    crcs = [[f"{zlib.crc32(patch.tobytes())}U" for patch in clip] for clip in vectors.codes]
    scores = [["{" + ", ".join(map(str, patch)) + "}" for patch in clip] for clip in vectors.scores.tolist()]
    probabilities = [[c_float(value) for value in clip] for clip in vectors.probabilities]
    return (
        f"static const uint32_t golden_codes[GOLDEN_CLIPS][GOLDEN_PATCHES] = {_nested(crcs)};\n\n"
        f"static const int8_t golden_scores[GOLDEN_CLIPS][GOLDEN_PATCHES][AED_LABELS] = {_nested(scores)};\n\n"
        f"static const float golden_probabilities[GOLDEN_CLIPS][AED_LABELS] = {_nested(probabilities)};\n\n"
    )


def _integers(values: Int16) -> str:
    lines = [values[first : first + _PER_LINE].tolist() for first in range(0, len(values), _PER_LINE)]
    return "".join("        " + ", ".join(map(str, line)) + ",\n" for line in lines)


def _nested(rows: list[list[str]]) -> str:
    return "{\n" + "".join("    {\n        " + ",\n        ".join(row) + ",\n    },\n" for row in rows) + "}"
