"""The frontend in integers (`AED_FIXED_POINT`): bit for bit its twin in Python, within one int8 step of float64."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers.stm32 import SANITISED, build, needs, network_of, run, write_c_sources
from labeltool.audio.device import device_frontend
from labeltool.audio.device.device_frontend import PatchInputs
from labeltool.audio.device.loudness_gate import gate_db
from labeltool.audio.frontend import LogMelFrontend
from labeltool.exporters.stm32.verification.golden import fixed_point_inputs, float_inputs
from labeltool.exporters.stm32.verification.toolchain import read_features

Pcm = npt.NDArray[np.int16]

FRONTENDS = {
    "default": LogMelFrontend(),
    "not centred, offset bands": LogMelFrontend(
        n_fft=512, hop=160, n_mels=40, low_hz=0, high_hz=8000, patch_frames=96, patch_hop=48, centred=False
    ),
    "gaps, high floor": LogMelFrontend(n_fft=2048, hop=2500, n_mels=48, patch_frames=5, patch_hop=7, floor=0.1),
    "tiny, an empty band, low floor": LogMelFrontend(
        n_fft=16, hop=3, n_mels=6, low_hz=0, high_hz=8000, patch_frames=3, patch_hop=1, floor=1e-7
    ),
}
LEVELS_DB = (0, -20, -40, -60, -80)


def sounds(samples: int = 40_000) -> dict[str, Pcm]:
    """Return silence, an offset, and noise, tones and chirps from full scale to below one step."""
    random = np.random.default_rng(4)
    time = np.arange(samples)
    real = {
        "silence": np.zeros(samples),
        "offset": np.full(samples, 32767),
        "last bit": random.integers(-1, 2, samples),
        "clipped": random.choice([-32768, 32767], samples),
        "edges": np.where(time % 7000 < 3500, -32768, 32767),
        "most negative": np.full(samples, -32768),
    }
    for level in LEVELS_DB:
        peak = 32767 * 10 ** (level / 20)
        real |= {
            f"noise {level} dB": random.normal(0, peak / 3, samples),
            f"tone {level} dB": peak * np.sin(0.3 * time),
            f"tone in a bin {level} dB": peak * np.sin(2 * np.pi * 100 / 1024 * time),
            f"chirp {level} dB": peak * np.sin(1e-5 * time**2),
            f"two tones {level} dB": peak * (0.9 * np.sin(0.3 * time) + 1e-3 * np.sin(1.7 * time)),
        }
    return {name: np.clip(np.rint(sound), -32768, 32767).astype(np.int16) for name, sound in real.items()}


def features(probe: Path, pcm: Pcm, frontend: LogMelFrontend) -> PatchInputs:
    return read_features(run(probe, "features", data=pcm.tobytes()), frontend)


@pytest.fixture(scope="module", params=FRONTENDS)
def probed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[LogMelFrontend, Path]:
    """A frontend, and a program that computes its features in integers."""
    frontend = FRONTENDS[request.param]
    folder = tmp_path_factory.mktemp("fixed")
    sources = write_c_sources(folder, frontend, network_of(frontend))
    return frontend, build(folder, "aed_probe.c", sources, "-DAED_FIXED_POINT", *SANITISED)


def test_the_c_equals_its_twin_and_is_within_one_step_of_float64(probed: tuple[LogMelFrontend, Path]) -> None:
    frontend, probe = probed
    network_input = network_of(frontend).input
    for name, pcm in sounds().items():
        found, golden = features(probe, pcm, frontend), fixed_point_inputs(frontend, pcm, network_input)
        assert len(found.codes) == len(frontend.patch_starts(frontend.n_frames(len(pcm)))) > 0
        assert np.array_equal(found.codes, golden.codes), name
        assert np.array_equal(found.loudness_db, golden.loudness_db), name
        assert np.array_equal(found.peak_db, golden.peak_db), name
        steps = np.abs(found.codes.astype(int) - device_frontend.in_float64(frontend, pcm, network_input))
        assert steps.max() <= 1, name
        in_floats = float_inputs(frontend, pcm, network_input)
        np.testing.assert_allclose(found.loudness_db, in_floats.loudness_db, atol=0.1, err_msg=name)
        np.testing.assert_allclose(found.peak_db, in_floats.peak_db, atol=0.1, err_msg=name)


def test_a_floor_that_is_too_low_for_it_is_refused_by_the_compiler(tmp_path: Path) -> None:
    needs("gcc")
    frontend = LogMelFrontend(floor=1e-6)
    write_c_sources(tmp_path, frontend, network_of(frontend))
    for defines, accepted in ([], True), (["-DAED_FIXED_POINT"], False):
        command = ["gcc", "-std=c99", *defines, "-fsyntax-only", tmp_path / "aed_preproc_fixed.c"]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (result.returncode == 0) == accepted
        assert accepted or "the floor of this frontend is too low" in result.stderr


def test_tones_between_all_bins_are_within_one_step_of_float64() -> None:
    frontend = LogMelFrontend()
    network_input = network_of(frontend).input
    time = np.arange(frontend.patch_samples)
    for number in range(0, 2000, 37):
        pcm = np.rint(32767 * np.sin(2 * np.pi * number / 4 / frontend.n_fft * time)).astype(np.int16)
        found = fixed_point_inputs(frontend, pcm, network_input).codes
        steps = np.abs(found.astype(int) - device_frontend.in_float64(frontend, pcm, network_input))
        assert steps.max() <= 1, number


def test_nothing_but_an_offset_or_the_last_bit_stays_below_the_gate() -> None:
    frontend = LogMelFrontend()
    for name in ("silence", "offset", "last bit", "most negative"):
        assert fixed_point_inputs(frontend, sounds()[name], network_of(frontend).input).peak_db.max() < gate_db(
            frontend
        )


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 45_000), st.integers(0, 32_768), st.integers(0, 2**32 - 1))
def test_any_sound_of_any_length_gives_the_codes_of_the_twin(
    probed: tuple[LogMelFrontend, Path], samples: int, loudest: int, seed: int
) -> None:
    frontend, probe = probed
    pcm = np.random.default_rng(seed).integers(-loudest, max(1, loudest), samples).astype(np.int16)
    golden = fixed_point_inputs(frontend, pcm, network_of(frontend).input)
    assert np.array_equal(features(probe, pcm, frontend).codes, golden.codes)
