"""The frontend and clip rule in C: the same numbers as in Python, bit-exact where that can be guaranteed."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers.exports import model_card
from helpers.stm32 import CPUS, LABELS, SANITISED, STRICT, build, needs, network_of, run, write_c_sources
from labeltool.audio import files
from labeltool.audio.device import device_frontend, device_math
from labeltool.audio.device.device_frontend import PatchInputs
from labeltool.audio.device.device_tables import dc_bands
from labeltool.audio.frontend import LogMelFrontend
from labeltool.audio.log_mel_frontend import YAMNET_FRONTEND
from labeltool.errors import LabeltoolError
from labeltool.exporters.stm32.codegen.frontend_tables import aed_tables, check_frontend, front_end_size
from labeltool.exporters.stm32.verification.toolchain import read_features
from labeltool.importers import device_log
from labeltool.networks.model_folder import ModelFiles
from labeltool.networks.postprocessing import ClipRule, clip_scores

Pcm = npt.NDArray[np.int16]

FRONTENDS = {
    "default": LogMelFrontend(),
    "not centred": LogMelFrontend(n_fft=512, hop=160, n_mels=40, patch_frames=96, patch_hop=48, centred=False),
    "gaps": LogMelFrontend(n_fft=2048, hop=2500, n_mels=48, patch_frames=5, patch_hop=7),
    "tiny, an empty band": LogMelFrontend(
        n_fft=16, hop=3, n_mels=6, low_hz=0, high_hz=8000, patch_frames=3, patch_hop=1
    ),
    "YAMNet's": YAMNET_FRONTEND,
    "short window, gaps, powers": LogMelFrontend(
        n_fft=256, hop=300, n_mels=20, patch_frames=10, patch_hop=7, win_length=180, mel_scale="htk"
    ),
}


def sounds(samples: int = 40_000) -> dict[str, Pcm]:
    random = np.random.default_rng(4)
    time = np.arange(samples)
    real = {
        "silence": np.zeros(samples),
        "noise": random.normal(0, 3000, samples),
        "full scale": random.choice([-32768, 32767], samples),
        "one step": (random.random(samples) < 0.001).astype(float),
        "loud tone": 32767 * np.sin(0.3 * time),
        "rising": 3000 * np.sin(1e-5 * time**2) * np.minimum(1, time / samples * 4),
        "steps": np.where(time % 7000 < 3500, -32768, 32767),
    }
    return {name: np.clip(np.rint(sound), -32768, 32767).astype(np.int16) for name, sound in real.items()}


def features(probe: Path, pcm: Pcm, frontend: LogMelFrontend) -> PatchInputs:
    return read_features(run(probe, "features", data=pcm.tobytes()), frontend)


def golden_features(frontend: LogMelFrontend, pcm: Pcm) -> PatchInputs:
    frames = device_frontend.log_mel(frontend, pcm)
    return device_frontend.patches(frontend, frames, network_of(frontend).input)


@pytest.fixture(scope="module", params=FRONTENDS)
def probed_frontend(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[LogMelFrontend, Path]:
    frontend = FRONTENDS[request.param]
    folder = tmp_path_factory.mktemp("probe")
    sources = write_c_sources(folder, frontend, network_of(frontend))
    return frontend, build(folder, "aed_probe.c", sources, *SANITISED)


def test_features_equal_the_golden_ones_and_are_within_one_step_of_float64(
    probed_frontend: tuple[LogMelFrontend, Path],
) -> None:
    frontend, probe = probed_frontend
    network_input = network_of(frontend).input
    for name, pcm in sounds().items():
        found, golden = features(probe, pcm, frontend), golden_features(frontend, pcm)
        assert len(found.codes) == len(frontend.patch_starts(frontend.n_frames(len(pcm)))) > 0
        assert np.array_equal(found.codes, golden.codes), name
        assert np.array_equal(found.loudness_db, golden.loudness_db), name
        assert np.array_equal(found.peak_db, golden.peak_db), name
        steps = np.abs(found.codes.astype(int) - device_frontend.in_float64(frontend, pcm, network_input))
        assert steps.max() <= 1 and np.mean(steps > 0) < 0.001, name
        frames = frontend.compute_frames(pcm)
        np.testing.assert_allclose(found.loudness_db, frontend.loudness_db(frames), atol=0.01)
        above = frames[:, dc_bands(frontend) :].max(axis=1) * frontend.scale_db + frontend.offset_db
        peaks = [above[first : first + frontend.patch_frames].max() for first in frontend.patch_starts(len(frames))]
        np.testing.assert_allclose(found.peak_db, peaks, atol=0.01)


@pytest.mark.parametrize("frontend", [LogMelFrontend(), YAMNET_FRONTEND], ids=["default", "YAMNet's"])
def test_features_of_real_recordings_are_within_one_step_of_float64(
    real_data: Path, tmp_path: Path, frontend: LogMelFrontend
) -> None:
    network_input = network_of(frontend).input
    probe = build(tmp_path, "aed_probe.c", write_c_sources(tmp_path, frontend, network_of(frontend)), "-O2")
    recordings = sorted((real_data / "esc10" / "audio").iterdir())[::27]
    assert len(recordings) > 10
    for path in recordings:
        pcm = files.read_pcm(str(path), 0.0, 5.0, frontend.sample_rate_hz)
        codes = features(probe, pcm, frontend).codes
        assert np.array_equal(codes, golden_features(frontend, pcm).codes), path.name
        assert np.abs(codes.astype(int) - device_frontend.in_float64(frontend, pcm, network_input)).max() <= 1, (
            path.name
        )


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 45_000), st.integers(0, 32_768), st.randoms())
def test_features_of_any_sound_of_any_length_are_the_golden_ones(
    probed_frontend: tuple[LogMelFrontend, Path], samples: int, loudest: int, random: object
) -> None:
    frontend, probe = probed_frontend
    seed = random.getrandbits(32)  # type: ignore[attr-defined]
    pcm = np.random.default_rng(seed).integers(-loudest, max(1, loudest), samples).astype(np.int16)
    assert np.array_equal(features(probe, pcm, frontend).codes, golden_features(frontend, pcm).codes)


def test_a_patch_has_the_same_features_anywhere_in_the_stream(tmp_path: Path) -> None:
    frontend = LogMelFrontend(n_fft=256, hop=100, n_mels=20, patch_frames=10, patch_hop=7)
    probe = build(tmp_path, "aed_probe.c", write_c_sources(tmp_path, frontend, network_of(frontend)))
    piece = np.random.default_rng(2).normal(0, 1000, frontend.patch_samples).astype(np.int16)
    alone = features(probe, piece, frontend).codes
    shift = 13 * frontend.patch_hop * frontend.hop
    codes = features(probe, np.concatenate([np.zeros(shift, np.int16), piece]), frontend).codes
    assert np.array_equal(codes[-1], alone[0])


def test_the_blocks_of_the_stream_may_have_any_size(tmp_path: Path) -> None:
    frontend = LogMelFrontend(n_fft=64, hop=100, n_mels=8, patch_frames=4, patch_hop=3)
    sources = write_c_sources(tmp_path, frontend, network_of(frontend))
    (tmp_path / "pieces.c").write_text(
        '#include <stdio.h>\n#include "aed_nn.h"\n#include "aed_preproc.h"\n'
        "int main(void) {\n"
        "    static int16_t samples[5000]; static aed_preproc preproc; static int8_t input[AED_NN_INPUT_SIZE];\n"
        "    aed_level level;\n"
        "    for (uint32_t i = 0; i < 5000; i++) samples[i] = (int16_t)((int32_t)(i * 7919U % 65536U) - 32768);\n"
        "    for (uint32_t piece = 1; piece <= 5000; piece = piece * 3 + 1) {\n"
        "        (void)aed_preproc_init(&preproc);\n"
        "        for (uint32_t at = 0; at < 5000;) {\n"
        "            const uint32_t left = 5000 - at;\n"
        "            at += aed_preproc_push(&preproc, samples + at, piece < left ? piece : left);\n"
        "            if (aed_preproc_ready(&preproc)) {\n"
        "                (void)aed_preproc_patch(&preproc, input, &level);\n"
        "                if (aed_preproc_ready(&preproc)) return 1;\n"
        "                fwrite(input, sizeof input, 1, stdout);\n"
        "            }\n"
        "        }\n"
        '        fputs("|", stdout);\n'
        "    }\n"
        "    return 0;\n}\n"
    )
    found = run(build(tmp_path, "pieces.c", sources, *SANITISED))
    size = frontend.n_mels * frontend.patch_frames * len(frontend.patch_starts(frontend.n_frames(5000))) + 1
    runs = {found[first : first + size] for first in range(0, len(found), size)}
    assert len(runs) == 1 and len(found) == 8 * size


@pytest.mark.parametrize(
    "rule",
    [
        ClipRule(),
        ClipRule(0.0, 0.37),
        ClipRule(1.5, 2.5),
        ClipRule(1.0, 0.6, "sigmoid"),
        ClipRule(0.5, 0.2, "sigmoid"),
        ClipRule(1.0, 0.6, pooling="mean"),
        ClipRule(0.5, 1.2, pooling="majority"),
        ClipRule(0.0, 0.7, "sigmoid", pooling="mean"),
        ClipRule(0.5, 0.7, "sigmoid", pooling="majority"),
    ],
    ids=str,
)
def test_the_clip_rule_equals_the_one_in_python(tmp_path: Path, rule: ClipRule) -> None:
    frontend = LogMelFrontend(n_fft=64, hop=64, n_mels=8, patch_frames=4, patch_hop=4)
    write_c_sources(tmp_path, frontend, network_of(frontend), rule=rule)
    (tmp_path / "clips.c").write_text(
        '#include <stdio.h>\n#include "aed_postproc.h"\n'
        "typedef struct { int8_t scores[AED_LABELS]; int8_t newest; float loudness; } patch;\n"
        "int main(void) {\n"
        "    patch in; aed_clip state; float out[AED_LABELS];\n"
        "    if (aed_clip_init(&state) != AED_OK) return 1;\n"
        "    while (fread(&in, sizeof in, 1, stdin) == 1) {\n"
        "        const aed_level level = {in.loudness, in.loudness};\n"
        "        if (aed_clip_push(&state, in.scores, &level) != AED_OK) return 2;\n"
        "        if (in.newest) {\n"
        "            if (aed_clip_probabilities(&state, out) != AED_OK) return 3;\n"
        "            fwrite(out, sizeof out, 1, stdout); (void)aed_clip_init(&state);\n"
        "        }\n"
        "    }\n"
        "    return 0;\n}\n"
    )
    program = build(tmp_path, "clips.c", [tmp_path / "aed_postproc.c"], *SANITISED)
    random = np.random.default_rng(6)
    layout = np.dtype([("scores", np.int8, 3), ("newest", np.int8), ("loudness", np.float32)])
    patches, expected = np.zeros(2000, layout), []
    patches["scores"] = np.clip(random.normal(-60, 120, (2000, 3)), -128, 127)
    patches["loudness"] = random.uniform(-50, 40, 2000)
    ends = np.unique(np.append(random.choice(1999, 120, replace=False), 1999))
    patches["newest"][ends] = 1
    for clip in np.split(patches, ends[:-1] + 1):
        real = (clip["scores"].astype(np.float32) + np.float32(128)) / np.float32(256)
        expected.append(clip_scores(real, clip["loudness"], rule))
    found = np.frombuffer(run(program, data=patches.tobytes()), np.float32).reshape(-1, 3)
    np.testing.assert_allclose(found, np.stack(expected), atol=1e-5)


def test_an_uncertain_clip_is_unknown_and_wrong_calls_of_the_clip_rule_are_refused(tmp_path: Path) -> None:
    frontend = LogMelFrontend(n_fft=64, hop=64, n_mels=8, patch_frames=4, patch_hop=4)
    write_c_sources(tmp_path, frontend, network_of(frontend))
    calls = (
        "aed_clip_init(NULL)",
        "aed_clip_init(&state)",
        "aed_clip_probabilities(&state, p)",
        "aed_clip_push(NULL, dog, &quiet)",
        "aed_clip_push(&state, NULL, &quiet)",
        "aed_clip_push(&state, dog, NULL)",
        "aed_clip_push(&state, dog, &quiet)",
        "aed_clip_probabilities(NULL, p)",
        "aed_clip_probabilities(&state, NULL)",
        "aed_clip_probabilities(&state, p)",
        "aed_clip_answer(NULL, 0.0F)",
        "aed_clip_answer(p, 0.6F)",
        "aed_clip_push(&state, none, &loud)",
        "aed_clip_probabilities(&state, p)",
        "aed_clip_answer(p, 0.6F)",
        "aed_clip_answer(p, 0.0F)",
    )
    (tmp_path / "answers.c").write_text(
        '#include <stdio.h>\n#include "aed_postproc.h"\n'
        "int main(void) {\n"
        "    const int8_t dog[] = {-128, 127, -128}, none[] = {-42, -43, -43};\n"
        "    const aed_level quiet = {-20.0F, -10.0F}, loud = {20.0F, 30.0F};\n"
        "    aed_clip state; float p[AED_LABELS];\n"
        + "".join(f'    printf("%d ", (int){call});\n' for call in calls)
        + "    return 0;\n}\n"
    )
    output = run(build(tmp_path, "answers.c", [tmp_path / "aed_postproc.c"], *SANITISED)).decode()
    assert output.split() == ["1", "0", "2", "1", "1", "1", "0", "1", "1", "0", "-1", "1", "0", "0", "-1", "0"]


def test_logarithm_power_and_rounding_are_accurate_to_float32(tmp_path: Path) -> None:
    frontend = LogMelFrontend()
    write_c_sources(tmp_path, frontend, network_of(frontend))
    (tmp_path / "maths.c").write_text(
        '#include <stdio.h>\n#include "aed_math.h"\n'
        "int main(void) { float x[3]; while (fread(x, sizeof x, 1, stdin) == 1) {\n"
        "    const float out[3] = {aed_log2(x[0]), aed_exp2(x[1]), (float)aed_round(x[2])};\n"
        "    fwrite(out, sizeof out, 1, stdout); } return 0; }\n"
    )
    program = build(tmp_path, "maths.c", [], *SANITISED)
    random = np.random.default_rng(8)
    x = np.empty((100_000, 3), np.float32)
    x[:, 0] = 2.0 ** random.uniform(-125, 127, len(x))
    x[:1000, 0] = random.uniform(0.99, 1.01, 1000)
    x[:, 1] = random.uniform(-124, 126, len(x))
    x[:, 2] = np.round(random.uniform(-3000, 3000, len(x)) * 2) / 2  # many halves
    x[:3, 2] = 1e30, -1e30, 0.5
    found = np.frombuffer(run(program, data=x.tobytes()), np.float32).reshape(-1, 3)
    expected = np.log2(x[:, 0].astype(np.float64))
    assert (
        np.abs(found[:, 0] - expected) / np.maximum(3e-7, np.spacing(np.abs(expected).astype(np.float32)))
    ).max() < 1
    assert np.abs(found[:, 1] / np.exp2(x[:, 1].astype(np.float64)) - 1).max() < 3e-7
    assert np.array_equal(found[:, 2], np.clip(np.rint(x[:, 2]), -(2**21), 2**21))
    assert np.array_equal(found[:, 0], device_math.log2(x[:, 0])), "the logarithm in NumPy"
    assert np.array_equal(found[:, 1], device_math.exp2(x[:, 1])), "the power in NumPy"


def test_the_default_frontend_needs_at_most_8_kb_beside_the_patch_and_16_kb_of_tables(tmp_path: Path) -> None:
    frontend = LogMelFrontend()
    write_c_sources(tmp_path, frontend, network_of(frontend))
    names = ("window", "mel_coefficients", "mel_starts", "mel_lengths", "fft_places", "fft_twiddles", "fft_joints")
    tables = " + ".join(f"sizeof aed_{name}" for name in names)
    (tmp_path / "sizes.c").write_text(
        '#include <stdio.h>\n#include "aed_preproc.h"\n'
        'int main(void) { static aed_preproc preproc; printf("%zu %zu",'
        f" sizeof preproc - sizeof preproc.features, {tables}); return 0; }}\n"
    )
    ram, flash = map(int, run(build(tmp_path, "sizes.c", [tmp_path / "aed_tables.c"])).split())
    assert ram <= 8192 and flash <= 16384


def test_compiler_options_that_change_the_rounding_are_refused(tmp_path: Path) -> None:
    needs("gcc")
    write_c_sources(tmp_path, LogMelFrontend(), network_of(LogMelFrontend()))
    source = tmp_path / "aed_preproc.c"
    refused = subprocess.run(
        ["gcc", "-std=c99", "-ffast-math", "-fsyntax-only", source], capture_output=True, text=True, check=False
    )
    assert refused.returncode != 0 and "-ffast-math" in refused.stderr


_WRONG_CALLS = """\
#include <stdio.h>
#include <string.h>
#include "aed_preproc.h"
static aed_preproc preproc;
static int16_t samples[5000];
static int8_t input[AED_N_MELS * AED_PATCH_FRAMES];
int main(void) {
    aed_level level;
    const uint32_t patch = AED_N_FFT + (AED_PATCH_FRAMES - 1) * AED_HOP;
    memset(input, 99, sizeof input);
    printf("%d %d %d %d %d, ", (int)aed_preproc_init(NULL), (int)aed_preproc_push(NULL, samples, 1),
           (int)aed_preproc_push(&preproc, samples, 1), (int)aed_preproc_ready(&preproc), (int)aed_preproc_ready(NULL));
    printf("%d, ", (int)aed_preproc_patch(&preproc, input, &level));
    printf("%d %d ", (int)aed_preproc_init(&preproc), (int)aed_preproc_push(&preproc, NULL, 1));
    printf("%d ", aed_preproc_push(&preproc, samples, patch - 1) == patch - 1);
    printf("%d %d, ", (int)aed_preproc_patch(&preproc, input, &level), input[0]);
    printf("%d ", (int)aed_preproc_push(&preproc, samples, 9));
    printf("%d ", (int)aed_preproc_ready(&preproc));
    printf("%d %d %d, ", (int)aed_preproc_patch(NULL, input, &level), (int)aed_preproc_patch(&preproc, NULL, &level),
           (int)aed_preproc_patch(&preproc, input, NULL));
    printf("%d ", (int)aed_preproc_patch(&preproc, input, &level));
    printf("%d", (int)aed_preproc_patch(&preproc, input, &level));
    return 0;
}
"""


def test_calls_that_are_wrong_or_early_are_refused_and_write_nothing(tmp_path: Path) -> None:
    frontend = LogMelFrontend(n_fft=64, hop=100, n_mels=8, patch_frames=4, patch_hop=3)
    sources = write_c_sources(tmp_path, frontend, network_of(frontend))
    (tmp_path / "wrong_calls.c").write_text(_WRONG_CALLS)
    output = run(build(tmp_path, "wrong_calls.c", sources, *SANITISED)).decode()
    # 0: AED_OK, 1: AED_ERROR_ARGUMENT, 2: AED_ERROR_NOT_READY.
    assert output == "1 0 0 0 0, 2, 0 0 1 2 99, 1 1 1 1 1, 0 2"


@pytest.mark.parametrize("optimise", ["-O2", "-O3"])
@pytest.mark.parametrize("cpu", CPUS)
def test_it_compiles_for_the_devices_without_warnings_or_fused_operations(
    tmp_path: Path, cpu: str, optimise: str
) -> None:
    needs("arm-none-eabi-gcc", "arm-none-eabi-objdump")
    sources = write_c_sources(tmp_path, LogMelFrontend(), network_of(LogMelFrontend()))
    for source in sources[:3]:
        command = ["arm-none-eabi-gcc", *CPUS[cpu], "-mthumb", "-mfloat-abi=hard", *STRICT, optimise, "-c", source]
        built = subprocess.run([*command, "-o", tmp_path / "out.o"], capture_output=True, text=True, check=False)
        assert built.returncode == 0, built.stderr
        code = subprocess.run(
            ["arm-none-eabi-objdump", "-d", tmp_path / "out.o"], capture_output=True, text=True, check=True
        ).stdout
        assert not any(name in code for name in ("vfma", "vfms", "vfnm", "vmla.f", "vmls.f")), source.name


@pytest.mark.parametrize("n_fft", [1000, 8, 4096])
def test_an_fft_length_that_the_c_code_does_not_support_is_refused(n_fft: int) -> None:
    with pytest.raises(LabeltoolError, match="power of two from 16 to 2048"):
        check_frontend(LogMelFrontend(n_fft=n_fft))


def test_a_window_that_the_c_code_does_not_support_is_refused() -> None:
    with pytest.raises(LabeltoolError, match="multiple of 4 samples, not 402"):
        check_frontend(replace(YAMNET_FRONTEND, win_length=402))


def test_codes_are_kept_where_no_mean_is_subtracted() -> None:
    centred, plain = front_end_size(replace(YAMNET_FRONTEND, centred=True)), front_end_size(YAMNET_FRONTEND)
    assert (centred.patch, plain.patch) == (4 * 64 * 96, 64 * 96)
    assert centred.beside_the_patch == plain.beside_the_patch


def test_labels_and_sizes_in_the_tables_are_data(tmp_path: Path) -> None:
    labels = ('quo"te', "what??/", "صوت", "line\nbreak", "*/ #endif", "%s%n")
    frontend = LogMelFrontend(n_fft=64, hop=64, n_mels=8, patch_frames=4, patch_hop=4)
    write_c_sources(tmp_path, frontend, network_of(frontend, len(labels)), labels=labels)
    (tmp_path / "labels.c").write_text(
        '#include <stdio.h>\n#include "aed_tables.h"\n'
        "int main(void) { for (unsigned i = 0; i < AED_LABELS; i++) { fputs(aed_labels[i], stdout); putchar(0); }"
        " return 0; }\n"
    )
    found = run(build(tmp_path, "labels.c", [tmp_path / "aed_tables.c"]))
    assert tuple(found.decode().split("\0")[:-1]) == labels


def test_the_output_of_aed_run_is_read_by_the_importer_of_device_logs(tmp_path: Path) -> None:
    frontend = LogMelFrontend(n_fft=64, hop=50, n_mels=8, patch_frames=4, patch_hop=3)
    sources = write_c_sources(tmp_path, frontend, network_of(frontend))
    program = build(tmp_path, "aed_run.c", sources, *SANITISED)
    pcm = sounds(2000)["noise"]
    (tmp_path / "device.log").write_bytes(run(program, data=pcm.tobytes() + b"\x01"))
    lines = (tmp_path / "device.log").read_text().splitlines()
    assert lines[0].startswith("# aed_run 2 model=0000000000000000 labels=3 rate=16000 patch_s=")
    codes = golden_features(frontend, pcm).codes
    log = device_log.parse(tmp_path / "device.log")
    assert not log.skipped and len(log.patches) == len(codes) == 12 and lines[-1] == "# end patches=12"
    for number, (patch, patch_codes) in enumerate(zip(log.patches, codes, strict=True)):
        assert patch.start_s == pytest.approx(number * frontend.patch_hop_s, abs=1e-6)
        assert patch.probabilities == tuple((int(code) + 128) / 256 for code in patch_codes.ravel()[:3])


def test_the_tables_are_the_same_text_every_time(tmp_path: Path) -> None:
    model = ModelFiles(tmp_path, model_card(LABELS, int8_sha256=""), LogMelFrontend())
    assert aed_tables(model, network_of(LogMelFrontend()), "ab" * 32) == aed_tables(
        model, network_of(LogMelFrontend()), "ab" * 32
    )
