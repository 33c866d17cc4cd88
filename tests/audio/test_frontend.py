"""The definition of the network's input: compared with librosa, stable, and computable in a stream."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from labeltool.audio.frontend import EmbeddingFrontend, LogMelFrontend, SampleFrontend, frontend_from_dict
from labeltool.audio.log_mel_frontend import YAMNET_FRONTEND
from labeltool.audio.mel_filters import mel_filters
from labeltool.errors import LabeltoolError


def noise(samples: int, seed: int = 0, loudness: float = 3000.0) -> np.ndarray:
    return np.clip(np.random.default_rng(seed).normal(0, loudness, samples), -32768, 32767).astype(np.int16)


@pytest.mark.parametrize(
    "frontend",
    [
        LogMelFrontend(),
        LogMelFrontend(n_fft=512, hop=160, low_hz=125.0),
        LogMelFrontend(sample_rate_hz=48_000, n_fft=2048),
    ],
)
def test_mel_filters_are_librosas(frontend: LogMelFrontend) -> None:
    import librosa

    theirs = librosa.filters.mel(
        sr=frontend.sample_rate_hz,
        n_fft=frontend.n_fft,
        n_mels=frontend.n_mels,
        fmin=frontend.low_hz,
        fmax=frontend.high_hz,
        htk=False,
        norm="slaney",
    )
    assert frontend.mel_filters().dtype == np.float32
    np.testing.assert_allclose(frontend.mel_filters(), theirs, rtol=1e-5, atol=1e-9)


def test_mel_filters_of_htk_without_norm_are_librosas() -> None:
    import librosa

    theirs = librosa.filters.mel(sr=16_000, n_fft=512, n_mels=64, fmin=125.0, fmax=7500.0, htk=True, norm=None)
    ours = mel_filters(16_000, 512, 64, 125.0, 7500.0, scale="htk")
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_log_mel_is_librosas_of_the_same_samples() -> None:
    import librosa

    frontend = LogMelFrontend()
    tone = 8000 * np.sin(2 * np.pi * 440 * np.arange(40_000) / 16_000)
    pcm = (noise(40_000, loudness=300) + tone).astype(np.int16)
    power = librosa.feature.melspectrogram(
        y=pcm.astype(np.float64) / 32768,
        sr=16_000,
        n_fft=1024,
        hop_length=320,
        window="hann",
        center=False,
        power=2.0,
        n_mels=64,
        fmin=20,
        fmax=7500,
    )
    expected = (10 * np.log10(power + frontend.floor) - frontend.offset_db) / frontend.scale_db
    ours = frontend.log_mel(pcm)
    assert ours.shape == (1 + (40_000 - 1024) // 320, 64) and ours.dtype == np.float32
    np.testing.assert_allclose(ours, expected.T, atol=2e-4)


FRONTENDS = [
    LogMelFrontend(),
    YAMNET_FRONTEND,
    LogMelFrontend(n_fft=513, hop=100, win_length=400, mel_scale="htk"),
    LogMelFrontend(n_fft=501, hop=100, win_length=400, spectrum="magnitude"),
    LogMelFrontend(n_fft=1 << 17, hop=1000, win_length=3000, n_mels=5),
    LogMelFrontend(n_fft=128, hop=64, n_mels=100),  # bands without a bin
]


@pytest.mark.parametrize("frontend", FRONTENDS, ids=lambda one: f"{one.n_fft}-{one.spectrum}")
def test_log_mels_are_their_definition_in_float64(frontend: LogMelFrontend) -> None:
    pcm = noise(frontend.frame_samples + 109 * frontend.hop)
    framed = np.lib.stride_tricks.sliding_window_view(pcm / 32768, frontend.frame_samples)[:: frontend.hop]
    values = np.abs(np.fft.rfft(framed * frontend.window().astype(np.float64), frontend.n_fft))
    values = values if frontend.spectrum == "magnitude" else np.square(values)
    mels = values @ frontend.mel_filters().T.astype(np.float64)
    expected = (10 * np.log10(mels + frontend.floor) - frontend.offset_db) / frontend.scale_db
    np.testing.assert_allclose(frontend.log_mel(pcm), expected, atol=2e-5)


@pytest.mark.parametrize("frontend", FRONTENDS[:4], ids=lambda one: f"{one.n_fft}-{one.spectrum}")
def test_a_frame_has_the_same_bits_however_samples_are_cut(frontend: LogMelFrontend) -> None:
    pcm = noise(frontend.frame_samples + 299 * frontend.hop)
    whole = frontend.log_mel(pcm)
    for first, frames in ((0, 1), (1, 16), (5, 95), (7, 96), (90, 97), (150, 150), (299, 1)):
        start = first * frontend.hop
        part = frontend.log_mel(pcm[start : start + frontend.frame_samples + (frames - 1) * frontend.hop])
        np.testing.assert_array_equal(part, whole[first : first + frames])


def test_a_stream_gives_what_the_whole_file_gives() -> None:
    frontend, pcm = LogMelFrontend(), noise(60_000)
    whole = frontend.patches(frontend.log_mel(pcm))
    loudness = frontend.loudness_db(frontend.log_mel(pcm))
    step = frontend.patch_hop * frontend.hop
    for index, patch in enumerate(whole):
        samples = pcm[index * step : index * step + frontend.patch_samples]
        alone = frontend.log_mel(samples)
        assert alone.shape == (50, 64)
        np.testing.assert_allclose(frontend.patches(alone)[0], patch, atol=1e-4)
        np.testing.assert_allclose(frontend.loudness_db(alone)[0], loudness[index], atol=1e-3)


def test_loudness_does_not_reach_the_network() -> None:
    frontend = replace(LogMelFrontend(), floor=1e-12)
    pcm = noise(frontend.patch_samples, loudness=1000)
    quiet, loud = frontend.log_mel(pcm), frontend.log_mel((pcm * 4).astype(np.int16))
    assert frontend.loudness_db(loud)[0] - frontend.loudness_db(quiet)[0] == pytest.approx(20 * np.log10(4), abs=0.05)
    np.testing.assert_allclose(frontend.patches(loud), frontend.patches(quiet), atol=5e-3)
    plain = replace(frontend, centred=False)
    assert np.abs(plain.patches(loud) - plain.patches(quiet)).mean() > 0.5


def test_power_and_log_undo_each_other() -> None:
    frontend = LogMelFrontend()
    power = np.geomspace(1e-6, 1e3, 64 * 50, dtype=np.float32).reshape(50, 64)
    back = frontend.power_of_log(frontend.log_of_power(power))
    np.testing.assert_allclose(back, power, rtol=1e-3, atol=1e-6)


def test_silence_and_full_scale_stay_finite() -> None:
    frontend = LogMelFrontend()
    for pcm in (np.zeros(20_000, np.int16), np.full(20_000, -32768, np.int16)):
        log_mel = frontend.log_mel(pcm)
        assert np.isfinite(log_mel).all() and np.isfinite(frontend.patches(log_mel)).all()


@pytest.mark.parametrize(
    "samples, frames, patches", [(0, 0, 0), (1023, 0, 0), (1024, 1, 0), (16_704, 50, 1), (80_000, 247, 8)]
)
def test_lengths(samples: int, frames: int, patches: int) -> None:
    frontend = LogMelFrontend()
    log_mel = frontend.log_mel(noise(samples))
    assert log_mel.shape == (frames, 64)
    assert frontend.patches(log_mel).shape == (patches, 64, 50)
    assert frontend.loudness_db(log_mel).shape == (patches,)


def test_only_sixteen_bit_samples_are_taken() -> None:
    with pytest.raises(ValueError, match="int16"):
        LogMelFrontend().log_mel(np.zeros(2000, np.float32))  # type: ignore[arg-type]


def test_fingerprint_changes_with_every_field_and_with_nothing_else() -> None:
    frontend = LogMelFrontend()
    doubled = {"sample_rate_hz", "n_fft", "hop", "n_mels", "patch_frames", "patch_hop"}
    others = {"centred": False, "win_length": 400, "spectrum": "magnitude", "mel_scale": "htk"}
    changed = {name: replace(frontend, **{name: value}) for name, value in others.items()}
    changed |= {name: replace(frontend, **{name: getattr(frontend, name) * 2}) for name in doubled}
    changed |= {
        field.name: replace(frontend, **{field.name: getattr(frontend, field.name) * 0.5})
        for field in fields(LogMelFrontend)
        if field.name not in changed
    }
    assert set(changed) == {field.name for field in fields(LogMelFrontend)}
    others = [SampleFrontend(), EmbeddingFrontend(), EmbeddingFrontend(pretrained="another"), *changed.values()]
    prints = [frontend.fingerprint, *(other.fingerprint for other in others)]
    assert len(set(prints)) == len(prints)
    assert replace(frontend, high_hz=7500).fingerprint == frontend.fingerprint  # an int is the same frequency


def test_yamnets_log_mels_are_tensorflows() -> None:
    import tensorflow as tf

    frontend = YAMNET_FRONTEND
    pcm = np.random.default_rng(0).normal(0, 3000, 15_600).astype(np.int16)
    spectrum = tf.abs(tf.signal.stft((pcm / 32768.0).astype(np.float32), 400, 160, 512))
    matrix = tf.signal.linear_to_mel_weight_matrix(64, 257, 16_000, 125.0, 7500.0)
    expected = np.log(spectrum.numpy() @ matrix.numpy() + 0.001)
    np.testing.assert_allclose(frontend.log_mel(pcm), expected, atol=2e-4)
    np.testing.assert_allclose(frontend.mel_filters(), matrix.numpy().T, atol=1e-5)
    assert frontend.patch_samples == 15_600 and len(frontend.patches(frontend.log_mel(pcm))) == 1


def test_a_dictionary_makes_the_same_frontend() -> None:
    for frontend in (LogMelFrontend(hop=160, floor=1e-4, centred=False), YAMNET_FRONTEND):
        assert frontend_from_dict(frontend.to_dict()) == frontend


@pytest.mark.parametrize("bad", [{"hop": 0}, {"high_hz": 9000.0}, {"floor": 0.0}, {"window": "hamming"}, {"hop": "a"}])
def test_an_impossible_frontend_is_refused(bad: dict[str, object]) -> None:
    with pytest.raises(LabeltoolError, match="frontend"):
        frontend_from_dict({**LogMelFrontend().to_dict(), **bad})


def test_the_fingerprint_is_the_same_in_another_process_that_loads_nothing_heavy() -> None:
    lines = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from labeltool.audio.frontend import LogMelFrontend; LogMelFrontend().mel_filters();"
            "print(LogMelFrontend().fingerprint);"
            "print([m for m in ('tensorflow', 'librosa', 'pandas', 'scipy') if m in sys.modules])",
        ],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONHASHSEED": "77", "PYTHONPATH": ":".join(sys.path)},
    ).stdout.split("\n")
    assert lines[0] == LogMelFrontend().fingerprint
    assert lines[1] == "[]"


_FIELDS = {
    "sample_rate_hz": 16_000,
    "floor": 1e-5,
    "low_hz": 20.0,
    "high_hz": 7500.0,
    "offset_db": -50.0,
    "scale_db": 15.0,
    "centred": True,
}


@pytest.mark.parametrize(
    ("values", "kind", "fingerprint"),
    [
        (
            {**_FIELDS, "n_fft": 1, "hop": 1, "n_mels": 1, "patch_frames": 16_000, "patch_hop": 8000, "kind": "pcm"},
            SampleFrontend,
            "01d597ace84e5bc6",
        ),
        (
            {
                **_FIELDS,
                **{"n_fft": 1, "hop": 1, "n_mels": 1, "patch_frames": 800, "patch_hop": 400, "kind": "pcm"},
                **{"sample_rate_hz": 8000, "high_hz": 4000.0},
            },
            SampleFrontend,
            "ca811f997cc4c77b",
        ),
        (
            {
                **_FIELDS,
                **{"n_fft": 15_600, "hop": 7800, "n_mels": 1024, "patch_frames": 1, "patch_hop": 1},
                **{"low_hz": 0.0, "high_hz": 8000.0, "floor": 1e-7, "kind": "embedding"},
            },
            EmbeddingFrontend,
            "05b40b5c1ca60763",
        ),
        (
            {
                **_FIELDS,
                **{"sample_rate_hz": 48_000, "n_fft": 144_000, "hop": 72_000, "n_mels": 320, "patch_frames": 1},
                **{"patch_hop": 1, "low_hz": 0.0, "high_hz": 24_000.0, "floor": 1e-7, "kind": "embedding"},
                "ear": "ab" * 32,  # former name
            },
            EmbeddingFrontend,
            "f1898a24ce59b037",
        ),
    ],
)
def test_cards_of_version_0_1_make_the_same_frontends(values: dict[str, Any], kind: type, fingerprint: str) -> None:
    frontend = frontend_from_dict(values)
    assert type(frontend) is kind and frontend.to_dict() == values and frontend.fingerprint == fingerprint
