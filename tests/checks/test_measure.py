"""What is measured of a sound file: each fault shows in its value, and in no sound without it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from helpers import odd_sounds
from labeltool.checks.sound.measure import measure
from labeltool.errors import LabeltoolError

RATE = 44100
NAMES = (
    *("duration_s", "rate_hz", "channels", "level_dbfs", "peak", "dc", "clipped", "bandwidth_hz"),
    *("missing_s", "damage", "not_finite"),
)


def noise(seconds: float = 2.0, *, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0, 0.1, round(seconds * RATE))


def below(samples: np.ndarray, hertz: float) -> np.ndarray:
    spectrum = np.fft.rfft(samples)
    spectrum[np.fft.rfftfreq(len(samples), 1 / RATE) > hertz] = 0
    return np.fft.irfft(spectrum, len(samples))


def values(path: Path, samples: np.ndarray) -> dict[str, float]:
    soundfile.write(path, samples, RATE)
    return measured(path)


def measured(path: Path) -> dict[str, float]:
    return dict(zip(NAMES, measure(path)["single"].tolist(), strict=True))


@pytest.mark.parametrize("suffix", [".wav", ".ogg"])
def test_the_values_of_a_noise(tmp_path: Path, suffix: str) -> None:
    found = values(tmp_path / f"noise{suffix}", noise() + 0.02)
    assert found["duration_s"] == pytest.approx(2.0, abs=0.001)
    assert found["level_dbfs"] == pytest.approx(-19.8, abs=0.8)
    assert found["dc"] == pytest.approx(0.02, abs=0.002)
    assert found["clipped"] == 0
    assert found["bandwidth_hz"] > 0.7 * RATE / 2
    assert (found["missing_s"], found["damage"]) == (0, 0)


def test_digital_silence(tmp_path: Path) -> None:
    found = values(tmp_path / "silence.wav", np.zeros(RATE))
    assert (found["level_dbfs"], found["bandwidth_hz"], found["peak"]) == (-200, 0, 0)


@pytest.mark.parametrize("gain", [1.0, 0.3])
def test_flat_tops_are_clipping_at_whatever_level(tmp_path: Path, gain: float) -> None:
    clipped = np.clip(below(noise(), 5000.0), -0.08, 0.08)
    share = np.mean(np.abs(clipped) == 0.08)
    assert values(tmp_path / "clipped.flac", gain * clipped)["clipped"] == pytest.approx(share, rel=0.3)


def test_what_only_reaches_full_scale_is_not_clipped(tmp_path: Path) -> None:
    for hertz in (20.0, 100.0, 5000.0):
        tone = np.sin(2 * np.pi * hertz * np.arange(RATE) / RATE)
        assert values(tmp_path / "tone.wav", tone)["clipped"] == 0
    coarse = np.round(64 * below(noise(), 300.0)) / 64  # 7 bits: steps of equal samples everywhere
    assert values(tmp_path / "coarse.wav", coarse)["clipped"] == 0


def test_what_a_float_file_has_beyond_full_scale_is_clipped_in_16_bits(tmp_path: Path) -> None:
    path = tmp_path / "hot.wav"
    soundfile.write(path, noise() * 8, RATE, subtype="FLOAT")
    assert measured(path)["clipped"] == pytest.approx(np.mean(np.abs(noise() * 8) > 1), rel=0.1)


@pytest.mark.parametrize(("suffix", "within"), [(".wav", 400), (".ogg", 1600)])
def test_the_bandwidth_of_upsampled_sound(tmp_path: Path, suffix: str, within: float) -> None:
    found = values(tmp_path / f"telephone{suffix}", below(noise(), 4000.0))
    assert found["bandwidth_hz"] == pytest.approx(4000, abs=within)


def test_levels_of_each_tenth_of_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = np.concatenate([noise(1.0), np.zeros(RATE // 2), noise(0.25)])
    path = tmp_path / "sound.wav"
    soundfile.write(path, samples, RATE)
    arrays = measure(path)
    assert len(arrays["levels"]) == 18
    assert np.all(np.abs(arrays["levels"][[*range(10), 15, 16, 17]] + 20) < 1)
    assert np.all(arrays["levels"][10:15] == -200)
    # The same, however it is cut into blocks.
    monkeypatch.setattr("labeltool.audio.sound_reader._BLOCK_SAMPLES", 10_007)
    again = measure(path)
    assert again["levels"] == pytest.approx(arrays["levels"], abs=1e-3)
    assert again["single"][:6] == pytest.approx(arrays["single"][:6], rel=1e-5)


def test_files_that_were_cut_short(tmp_path: Path) -> None:
    promised = odd_sounds.wav(tmp_path / "promised.wav", claimed_bytes=4 * len(odd_sounds.samples()))
    assert measured(promised)["missing_s"] > 0.1
    for name in ("whole.ogg", "whole.flac", "whole.mp3", "whole.wav"):
        path = tmp_path / name
        assert values(path, noise())["damage"] == 0, name
        assert measured(path)["missing_s"] < 0.06, name  # an MP3 counts the frames of its encoder's delay
        path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
        found = measured(path)
        assert found["damage"] or found["missing_s"] > 0.3, name


def test_a_recorder_that_never_wrote_the_length_promises_nothing(tmp_path: Path) -> None:
    for claimed in (0, 0xFFFFFFFF):
        assert measured(odd_sounds.wav(tmp_path / "open.wav", claimed_bytes=claimed))["missing_s"] == 0


def test_a_file_that_is_no_sound(tmp_path: Path) -> None:
    path = tmp_path / "text.wav"
    path.write_text("no sound")
    with pytest.raises(LabeltoolError):
        measure(path)
