"""The filters of the firmware's microphone: the C equals NumPy to the bit, and both do what a decimator is for."""

from __future__ import annotations

import subprocess
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from helpers import microphone
from helpers.stm32 import SANITISED, STRICT, needs, run
from labeltool.exporters.stm32.codegen import microphone_filters as filters
from labeltool.type_aliases import Float64, Int16

RATE = 16_000
WARNINGS = ("-Wshadow", "-Wcast-qual", "-Wdouble-promotion")

# Words on stdin in blocks of different sizes, samples on stdout.
PROGRAM = """\
#include <stdio.h>
#include "pdm.h"
#include "microphone_taps.h"

#ifndef TAPS
#define TAPS TRIPLE_TAPS
#endif
#ifndef FACTOR
#define FACTOR TRIPLE_FACTOR
#endif

int main(void)
{
    static int16_t words[5000], samples[5000];
    size_t block = 1, count;
#ifdef TRIPLE
    static decimator state;
    aed_status status = decimator_init(&state, triple_taps, TAPS, FACTOR);
#else
    static pdm_state state;
    aed_status status = pdm_init(&state);
#endif
    if (status != AED_OK) {
        return (int)status;
    }
    while ((count = fread(words, 2, block, stdin)) > 0) {
#ifdef TRIPLE
        const uint32_t written = decimator_push(&state, words, (uint32_t)count, samples);
#else
        const uint32_t written = pdm_push(&state, words, (uint32_t)count, samples);
#endif
        fwrite(samples, 2, written, stdout);
        block = block * 7 % 4999;
    }
    return 0;
}
"""


def build(folder: Path, *flags: str) -> Path:
    needs("gcc")
    sources = Path(str(files("labeltool.exporters.stm32").joinpath("csrc", "firmware")))
    (folder / "program.c").write_text(PROGRAM)
    (folder / "microphone_taps.h").write_text(filters.microphone_taps_h())
    command = ["gcc", *STRICT, *WARNINGS, *SANITISED, *flags, "-I", folder, "-I", sources, "-I", sources.parent]
    command += [folder / "program.c", sources / "decimate.c", sources / "pdm.c", "-o", folder / "program"]
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return folder / "program"


def sounds(samples: int) -> dict[str, Int16]:
    rng = np.random.default_rng(5)
    return {
        "noise": rng.integers(-32768, 32768, samples).astype(np.int16),
        "full scale": rng.choice(np.array([-32768, 32767], np.int16), samples),
        "one step": rng.integers(0, 2, samples).astype(np.int16),
        "held": np.full(samples, -32768, np.int16),
    }


def tone(hertz: float, rate: int, seconds: float = 0.5, amplitude: float = 0.5) -> Float64:
    return amplitude * np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate)


def pdm_bits(signal: Float64) -> np.ndarray:
    """Modulate by a sigma-delta modulator of second order, as a microphone does."""
    first = second = 0.0
    bits = np.empty(len(signal), np.uint8)
    for i, value in enumerate(signal.tolist()):
        out = 1.0 if second >= 0 else -1.0
        first += value - out
        second += first - out
        bits[i] = out > 0
    return bits


def words_of(bits: np.ndarray) -> bytes:
    return np.packbits(bits).view(">u2").astype("<u2").tobytes()


def decibels(samples: Int16, hertz: float) -> tuple[float, float]:
    """Return the level of a tone in full scales of a sine, dB, and that of everything else, without the beginning."""
    x = samples[400:].astype(float) / 32768
    time = np.arange(len(x)) / RATE
    basis = np.stack([np.sin(2 * np.pi * hertz * time), np.cos(2 * np.pi * hertz * time), np.ones(len(x))])
    parts = np.linalg.lstsq(basis.T, x, rcond=None)[0]
    rest = x - parts @ basis
    return 20 * np.log10(np.hypot(*parts[:2])), 10 * np.log10(2 * np.mean(rest**2) + 1e-12)


def test_the_decimator_in_c_equals_numpy(tmp_path: Path) -> None:
    program = build(tmp_path, "-DTRIPLE")
    for name, sound in sounds(30_001).items():
        out = np.frombuffer(run(program, data=sound.tobytes()), np.int16)
        assert np.array_equal(out, microphone.from_triple_rate(sound)) and len(out) == 10_000, name


@pytest.mark.parametrize("flag", ["-DTAPS=0", "-DTAPS=143", "-DTAPS=194", "-DFACTOR=0"])
def test_a_decimator_refuses_taps_that_it_has_no_room_for(tmp_path: Path, flag: str) -> None:
    program = build(tmp_path, "-DTRIPLE", flag)
    assert subprocess.run([program], input=b"", check=False).returncode == 1  # AED_ERROR_ARGUMENT


@pytest.mark.parametrize("gain_bits", [0, 3, 5])
def test_the_pdm_converter_in_c_equals_numpy(tmp_path: Path, gain_bits: int) -> None:
    program = build(tmp_path, f"-DPDM_GAIN_BITS={gain_bits}U")
    rng = np.random.default_rng(6)
    for density in (0.0, 0.1, 0.5, 1.0):
        bits = (rng.random(16 * 20_003) < density).astype(np.uint8)
        out = np.frombuffer(run(program, data=words_of(bits)), np.int16)
        assert np.array_equal(out, microphone.from_pdm(bits, gain_bits)) and len(out) == 5_000, density


def test_the_bands_are_flat_and_empty() -> None:
    for taps, factor, cic in (
        (filters.triple_rate_taps(), filters.TRIPLE_FACTOR, False),
        (filters.pdm_taps(), filters.PDM_FACTOR, True),
    ):
        ripple, stop = filters.bands(taps, factor, cic=cic)
        assert ripple < 0.01 and stop < -70.0
        assert np.array_equal(taps, taps[::-1]) and len(taps) % 2 == 0  # what the C relies on
    # What the CIC folds onto the pass band before the second filter: the bands around multiples of its rate.
    cic_rate = filters.PDM_FACTOR
    for multiple in range(1, filters.CIC_FACTOR // 2 + 1):
        images = multiple * cic_rate + np.linspace(-filters.PASS_BAND, filters.PASS_BAND, 101)
        assert np.abs(filters.cic_response(images)).max() < 10 ** (-80 / 20)


@pytest.mark.parametrize("hertz", [100.0, 1000.0, 7200.0])
def test_tones_pass_the_decimator(hertz: float) -> None:
    sound = np.round(tone(hertz, 3 * RATE) * 32767).astype(np.int16)
    level, rest = decibels(microphone.from_triple_rate(sound), hertz)
    assert level == pytest.approx(-6.02, abs=0.02) and rest < -90


@pytest.mark.parametrize("hertz", [8800.0, 9000.0, 15_900.0, 17_000.0, 23_900.0])
def test_tones_that_would_alias_are_removed(hertz: float) -> None:
    sound = np.round(tone(hertz, 3 * RATE, amplitude=0.99) * 32767).astype(np.int16)
    out = microphone.from_triple_rate(sound)[400:].astype(float) / 32768
    assert np.sqrt(2) * out.std() < 10 ** (-70 / 20)


def test_a_microphone_of_bits_gives_its_tone(tmp_path: Path) -> None:
    bits = pdm_bits(tone(1000.0, 64 * RATE, seconds=0.25))
    level, rest = decibels(microphone.from_pdm(bits), 1000.0)
    assert (
        level == pytest.approx(-6.02, abs=0.05) and rest < -65
    )  # the modulator's own noise: a MEMS microphone has 64 dB
    louder, _ = decibels(microphone.from_pdm(pdm_bits(tone(1000.0, 64 * RATE, 0.25, 1 / 64)), 5), 1000.0)
    assert louder == pytest.approx(-6.02, abs=0.05)
