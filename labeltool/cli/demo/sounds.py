"""Synthetic sounds for the demo: six classes, distinct but varied enough that a network has to be trained.

Every sound is mono float, peak 1, at `SAMPLE_RATE_HZ`, and depends on the random generator alone.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from labeltool.type_aliases import Float64
from labeltool.util.files.atomic_write import open_atomic, write_text

SAMPLE_RATE_HZ = 32_000
CLIP_S = 2.0
FOLDS = 5
# Sources for each sound and fold, and clips of each source: a source's clips are one group.
_SOURCES_A_FOLD = 1
_TAKES_A_SOURCE = 2


def _time(seconds: float) -> Float64:
    return np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ


def _tone(frequency_hz: Float64 | float, seconds: float) -> Float64:
    """Return a sine that follows a frequency over time."""
    steps = np.broadcast_to(frequency_hz, round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    return np.sin(2 * np.pi * np.cumsum(steps))


def _bird(rng: np.random.Generator, seconds: float) -> Float64:
    """Short rising and falling whistles around 3 kHz."""
    out = np.zeros(round(seconds * SAMPLE_RATE_HZ))
    low, swing, at = rng.uniform(2200, 3600), rng.uniform(500, 1500), rng.uniform(0, 0.15)
    while at < seconds - 0.12:
        length = rng.uniform(0.07, 0.11)
        time_s = _time(length) / length
        whistle = _tone(low + swing * np.sin(np.pi * time_s), length) * np.sin(np.pi * time_s) ** 2
        first = round(at * SAMPLE_RATE_HZ)
        out[first : first + len(whistle)] += whistle[: len(out) - first]
        at += length + rng.uniform(0.05, 0.15)
    return out


def _siren(rng: np.random.Generator, seconds: float) -> Float64:
    """A tone that slowly swings between two pitches."""
    middle, swing = rng.uniform(700, 1000), rng.uniform(200, 350)
    modulation = np.sin(2 * np.pi * rng.uniform(0.8, 1.6) * _time(seconds) + rng.uniform(0, 6))
    return _tone(middle + swing * modulation, seconds) + 0.3 * _tone(2 * (middle + swing * modulation), seconds)


def _knock(rng: np.random.Generator, seconds: float) -> Float64:
    """Dull knocks on wood, a few a second."""
    out = np.zeros(round(seconds * SAMPLE_RATE_HZ))
    pitch, gap, at = rng.uniform(120, 260), rng.uniform(0.18, 0.4), rng.uniform(0, 0.1)
    while at < seconds - 0.1:
        time_s = _time(0.1)
        hit = (np.sin(2 * np.pi * pitch * time_s) + 0.4 * rng.normal(size=len(time_s))) * np.exp(-time_s / 0.018)
        first = round(at * SAMPLE_RATE_HZ)
        out[first : first + len(hit)] += hit[: len(out) - first]
        at += gap * rng.uniform(0.9, 1.1)
    return out


def _bearing(rng: np.random.Generator, seconds: float) -> Float64:
    """A machine's hum with a whine that beats as the worn bearing turns."""
    turn = rng.uniform(22, 34)
    hum = sum(_tone(turn * 4 * k, seconds) / k for k in range(1, 6))
    beat = 0.5 + 0.5 * np.sin(2 * np.pi * rng.uniform(6, 11) * _time(seconds))
    return hum + 0.8 * beat * _tone(rng.uniform(4200, 5600), seconds)


def _rain(rng: np.random.Generator, seconds: float) -> Float64:
    """Steady hiss with drops."""
    samples = round(seconds * SAMPLE_RATE_HZ)
    hiss = np.diff(rng.normal(size=samples + 1))
    drops = (rng.random(samples) < rng.uniform(20, 60) / SAMPLE_RATE_HZ) * rng.normal(size=samples) * 12
    return 0.6 * hiss + np.convolve(drops, np.exp(-_time(0.004) / 0.0008), "same")


def _phone(rng: np.random.Generator, seconds: float) -> Float64:
    """Two-tone rings with pauses."""
    low = rng.uniform(420, 520)
    ring = np.sign(_tone(low, seconds)) * 0.4 + _tone(low * 1.26, seconds)
    on = (np.sin(2 * np.pi * rng.uniform(1.0, 1.6) * _time(seconds) + rng.uniform(0, 6)) > -0.3) * 1.0
    flutter = 0.5 + 0.5 * np.sign(np.sin(2 * np.pi * 20 * _time(seconds)))
    return ring * on * flutter


SOUNDS: Mapping[str, Callable[[np.random.Generator, float], Float64]] = {
    "bearing": _bearing,
    "bird": _bird,
    "knock": _knock,
    "phone": _phone,
    "rain": _rain,
    "siren": _siren,
}
"""The sounds of the world by their label."""


@dataclass(frozen=True, slots=True)
class World:
    """Where the made-up world lies.

    `esc_style` is a folder like ESC-50's; `track` an Audacity label track beside `recording`; `pool` a folder without
    labels.
    """

    esc_style: Path
    recording: Path
    track: Path
    pool: Path


def make_world(directory: Path, *, seed: int = 7) -> World:
    """Write the world's sounds and labels; what is there already stays as it is.

    An ESC-style set of five folds, a recording of 40 s with a label track, and a dozen clips without labels.
    """
    world = World(directory / "esc-style", directory / "yard.wav", directory / "yard.txt", directory / "unlabelled")
    rng = np.random.default_rng(seed)
    _esc_style(world.esc_style, rng)
    _yard(world, rng)
    for number in range(12):
        name = list(SOUNDS)[number % len(SOUNDS)]
        _write(world.pool / f"night-{number + 1:02}.wav", _scene(SOUNDS[name](rng, CLIP_S), rng))
    return world


def _esc_style(directory: Path, rng: np.random.Generator) -> None:
    rows: list[tuple[object, ...]] = []
    for fold in range(1, FOLDS + 1):
        for target, (name, sound) in enumerate(SOUNDS.items()):
            for source in range(_SOURCES_A_FOLD):
                src_file = 1000 * fold + 100 * source + target
                # One source: one instance of the sound, recorded in several places.
                instance = rng.integers(2**32)
                for take in range(_TAKES_A_SOURCE):
                    letter = "ABCDEFGH"[take]
                    file = f"{fold}-{src_file}-{letter}-{target}.wav"
                    _write(directory / "audio" / file, _scene(sound(np.random.default_rng(instance), CLIP_S), rng))
                    rows.append((file, fold, target, name, True, src_file, letter))
    table = io.StringIO(newline="")
    writer = csv.writer(table)
    writer.writerow(("filename", "fold", "target", "category", "esc10", "src_file", "take"))
    writer.writerows(rows)
    write_text(directory / "meta" / "esc50.csv", table.getvalue())


def _yard(world: World, rng: np.random.Generator) -> None:
    seconds, lines, events = 40.0, [], np.zeros(round(40.0 * SAMPLE_RATE_HZ))
    at = 0.8
    while at < seconds - 3:
        name = str(rng.choice(list(SOUNDS)))
        length = float(rng.uniform(1.2, 2.2))
        sound = SOUNDS[name](rng, length)
        first = round(at * SAMPLE_RATE_HZ)
        events[first : first + len(sound)] += sound / np.abs(sound).max()
        lines.append(f"{at:.6f}\t{at + length:.6f}\t{name}\n")
        at += length + float(rng.uniform(0.4, 1.2))
    _write(world.recording, _scene(events, rng))
    write_text(world.track, "".join(lines))


def _scene(sound: Float64, rng: np.random.Generator) -> Float64:
    """Put a sound at some loudness into a noisy place, with an echo."""
    clean = sound / max(np.abs(sound).max(), 1e-9)
    delay = round(rng.uniform(0.02, 0.06) * SAMPLE_RATE_HZ)
    clean[delay:] = clean[delay:] + rng.uniform(0.1, 0.3) * clean[:-delay]
    # Brownish noise: louder low down, as rooms and wind are.
    spectrum = np.fft.rfft(rng.normal(size=len(clean)))
    spectrum /= np.sqrt(1 + np.arange(len(spectrum)) / (0.002 * len(spectrum)))
    noise = np.fft.irfft(spectrum, len(clean))
    noise *= 10 ** (-rng.uniform(14, 30) / 20) * clean.std() / noise.std()
    mixed: Float64 = (clean + noise) / np.abs(clean + noise).max() * 10 ** (-rng.uniform(1, 12) / 20)
    return mixed


def _write(path: Path, samples: Float64) -> None:
    import soundfile

    if not path.exists():
        with open_atomic(path) as file:
            soundfile.write(file, samples, SAMPLE_RATE_HZ, subtype="PCM_16", format="WAV")
