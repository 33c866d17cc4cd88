"""Tones as files, as a data set, and as clips of a project."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from labeltool.project import Project
from labeltool.records import Clip, Recording, Value, Verdict
from labeltool.store import clips, models
from labeltool.store.importing import import_records

PITCH_HZ = {"low": 300.0, "middle": 1100.0, "high": 4200.0}
P, A, U = Value.PRESENT, Value.ABSENT, Value.UNSURE


def tone_writer(folder: Path) -> Callable[..., Path]:
    """Return a function that writes a sine with a little noise as a WAV file below a folder and returns its path."""

    def write(
        name: str | Path,
        *,
        frequency_hz: float = 440.0,
        seconds: float = 1.0,
        rate: int = 16_000,
        channels: int = 1,
        subtype: str = "PCM_16",
    ) -> Path:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        time_s = np.arange(round(seconds * rate)) / rate
        # Noise that depends on the name alone: equal calls write equal bytes, different names different sounds.
        noise = np.random.default_rng(list(path.name.encode())).normal(0, 0.01, len(time_s))
        tone = 0.3 * np.sin(2 * np.pi * frequency_hz * time_s) + noise
        soundfile.write(path, np.repeat(tone[:, None], channels, axis=1), rate, subtype=subtype)
        return path

    return write


def write_esc_set(directory: Path, write_tone: Callable[..., Path], *, folds: int = 3, takes: int = 2) -> Path:
    """Write an ESC-50-style set of three sounds that differ in pitch."""
    rows = []
    for fold in range(1, folds + 1):
        for target, (name, pitch) in enumerate({"low": 300, "middle": 1200, "high": 4000}.items()):
            for take in "ABCD"[:takes]:
                file = f"{fold}-{fold}0{target}-{take}-{target}.wav"
                frequency = pitch * (1 + 0.03 * fold)
                write_tone(directory / "audio" / file, frequency_hz=frequency, seconds=2.0)
                rows.append((file, fold, target, name, "True", f"{fold}0{target}", take))
    (directory / "meta").mkdir(parents=True, exist_ok=True)
    with (directory / "meta" / "esc50.csv").open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(("filename", "fold", "target", "category", "esc10", "src_file", "take"))
        writer.writerows(rows)
    return directory


def add_tones(project: Project, folder: Path, *sounds: tuple[Sequence[str], Mapping[str, Value] | None]) -> None:
    """Put clips into a project: which pitches sound, and their verdicts; None stands for "none of these"."""
    records: list[Any] = []
    folder.mkdir(exist_ok=True)
    start = len(list(folder.iterdir()))
    for number, (pitches, values) in enumerate(sounds, start):
        rng = np.random.default_rng(number)
        time_s = np.arange(24_000) / 16_000
        sound = rng.normal(0, 0.003, len(time_s))
        for pitch in pitches:
            sound += 0.2 * np.sin(2 * np.pi * PITCH_HZ[pitch] * rng.uniform(0.93, 1.07) * time_s)
        if not pitches:
            sound += rng.normal(0, 0.15, len(time_s))
        path = folder / f"{number}.wav"
        soundfile.write(path, sound, 16_000, subtype="PCM_16")
        from labeltool.audio.files import describe

        found = describe(path)
        recording = Recording(found.path, found.sha256, 16_000, 1, found.frames, f"g{number}")
        clip = Clip(recording.sha256, 0.0, 1.5)
        verdicts = [Verdict(clip, None, A)] if values is None else [Verdict(clip, *one) for one in values.items()]
        records += [recording, clip, *verdicts]
    with project.open_store() as store:
        import_records(store, records, kind="test", source=f"from {start}")


def suggestions(project: Project) -> list[Any]:
    with project.open_store() as store:
        return [models.suggestion(store, clip.id) for clip in clips.unlabelled(store)]
