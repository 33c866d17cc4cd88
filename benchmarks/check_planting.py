"""Faults planted in a data set, for `check.py`: copies under other names and groups, faults of single recordings."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import soundfile
import soxr

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # records as the tests read them

from helpers.records import one_by_one, read_esc50
from labeltool import project as projects
from labeltool.audio.files import describe
from labeltool.importers.base import recording_of, whole_clip
from labeltool.project import Project
from labeltool.records import Recording, Verdict
from labeltool.store.importing import import_records
from labeltool.type_aliases import Float32

COPIES = 20
"""Re-encoded copies, and as many that are cut, shifted or mixed."""

FAULTS = {"silence": 10, "clipping": 10, "opposite-phase": 5, "dc-offset": 5, "truncated": 5}
TELEPHONE_HZ = 8_000


@dataclass(frozen=True, slots=True)
class Sound:
    """A recording that is one clip, with its label."""

    path: Path
    label: str
    group: str
    fold: int | None


@dataclass(slots=True)
class Planted:
    """What was planted.

    Attributes
    ----------
    copies
        Name of each copy to what was done, and the name of the recording that it is of.
    sources
        Name of each recording that was made to those of the recordings of the data set that it has sound of.
    faults
        Kind to the names of the recordings that have the fault.
    telephone_label
        The label whose recordings all went through a band of 4 kHz.
    """

    copies: dict[str, tuple[str, str]] = field(default_factory=dict)
    sources: dict[str, set[str]] = field(default_factory=dict)
    faults: dict[str, set[str]] = field(default_factory=dict)
    telephone_label: str = ""


def read_sounds(data: Path, folds: Sequence[int], subset: str | None = None) -> list[Sound]:
    """Return the recordings of some folds of a set in ESC-50's layout."""
    found: dict[str, Recording] = {}
    sounds = []
    for record in one_by_one(read_esc50(data, subset)):
        if isinstance(record, Recording):
            found[record.sha256] = record
        elif isinstance(record, Verdict) and record.label is not None and record.clip.fold in folds:
            recording = found[record.clip.recording_sha256]
            sounds.append(Sound(Path(recording.path), record.label, recording.group, record.clip.fold))
    return sounds


def make_project(directory: Path, sounds: Sequence[Sound]) -> Project:
    """Make a project of some sounds, each labelled."""
    project = projects.create(directory)
    records: list[Recording | Verdict | object] = []
    for sound in sounds:
        recording = recording_of(describe(sound.path), sound.group, "")
        clip = whole_clip(recording, sound.fold)
        records += [recording, clip, Verdict(clip, sound.label)]
    with project.open_store() as store:
        import_records(store, records, kind="benchmark", source=str(directory))
    return project


def plant_sound_faults(sounds: Sequence[Sound], folder: Path, seed: int) -> tuple[list[Sound], Planted]:
    """Replace recordings by faulty ones, let one label be recorded through a telephone, and add copies of others."""
    rng = np.random.default_rng(seed)
    planted = Planted()
    folder.mkdir(parents=True)
    planted.telephone_label = str(rng.choice(sorted({sound.label for sound in sounds})))
    result = [telephone(folder, sound) if sound.label == planted.telephone_label else sound for sound in sounds]
    for one, made in zip(sounds, result, strict=True):
        planted.sources[made.path.name] = {one.path.name}
    others = rng.permutation([n for n, sound in enumerate(result) if sound.label != planted.telephone_label]).tolist()
    for kind, count in FAULTS.items():
        for _ in range(count):
            place = others.pop()
            original = result[place]
            result[place] = _faulty(folder, original, kind, rng)
            planted.sources[result[place].path.name] = {original.path.name}
            planted.faults.setdefault(kind, set()).add(result[place].path.name)
    originals = [result[place] for place in others]
    return result + plant_copies(originals, folder, rng, planted), planted


def telephone(folder: Path, sound: Sound) -> Sound:
    """Return a sound as it comes through a telephone, at its own rate."""
    samples, rate = _read(sound)
    wide = soxr.resample(soxr.resample(samples, rate, TELEPHONE_HZ), TELEPHONE_HZ, rate)
    return _written(folder, sound, "telephone", (wide / max(1.0, float(np.abs(wide).max())), rate), ".ogg")


def plant_copies(sounds: Sequence[Sound], folder: Path, rng: np.random.Generator, planted: Planted) -> list[Sound]:
    """Return copies of some sounds, each a group of its own, and note them in `planted`."""
    copies = []
    chosen = rng.permutation(len(sounds))[: 2 * COPIES].tolist()
    for number, place in enumerate(chosen):
        sound = sounds[place]
        done: Callable[[Float32, int, np.random.Generator], tuple[str, Float32, int, str]]
        if number < COPIES:
            done = _re_encoded
        else:
            others = [other for other in sounds if other.group != sound.group]
            other = others[rng.integers(len(others))]
            done = _Changed(_read(other))
        how, samples, rate, suffix = done(*_read(sound), rng)
        copy = _written(folder, sound, f"copy{number}", (samples, rate), suffix)
        planted.copies[copy.path.name] = (how, sound.path.name)
        planted.sources[copy.path.name] = set(planted.sources.get(sound.path.name, {sound.path.name}))
        if how in ("shifted", "mixed"):
            planted.sources[copy.path.name] |= planted.sources.get(other.path.name, {other.path.name})
        copies.append(replace(copy, group=f"copy{number}", fold=None))
    return copies


def _read(sound: Sound) -> tuple[Float32, int]:
    samples, rate = soundfile.read(sound.path, dtype="float32", always_2d=True)
    return samples.mean(axis=1), rate


def _written(folder: Path, sound: Sound, name: str, content: tuple[Float32, int], suffix: str) -> Sound:
    path = folder / f"{name}-{sound.path.stem}{suffix}"
    subtype = "PCM_U8" if suffix == ".wav" and name.startswith("8bit") else None
    soundfile.write(path, *content, subtype=subtype)
    return replace(sound, path=path)


def _re_encoded(samples: Float32, rate: int, rng: np.random.Generator) -> tuple[str, Float32, int, str]:
    how = str(rng.choice(["mp3", "ogg", "8 bit", "16 kHz", "22 kHz", "gain"]))
    if how == "8 bit":
        return how, np.round(samples / max(1e-6, float(np.abs(samples).max())) * 100) / 127, rate, ".flac"
    if how == "16 kHz" or how == "22 kHz":
        new = {"16 kHz": 16_000, "22 kHz": 22_050}[how]
        return how, soxr.resample(samples, rate, new), new, ".flac"
    if how == "gain":
        gain = min(10 ** (rng.uniform(-12, 6) / 20), 1 / max(1e-6, float(np.abs(samples).max())))
        return how, samples * gain, rate, ".flac"
    return how, samples, rate, f".{how}"


@dataclass(frozen=True, slots=True)
class _Changed:
    """Cuts a sound, shifts it behind a part of another, or mixes it with that at -3 to 10 dB."""

    other: tuple[Float32, int]

    def __call__(self, samples: Float32, rate: int, rng: np.random.Generator) -> tuple[str, Float32, int, str]:
        other = soxr.resample(self.other[0], self.other[1], rate)
        other = np.resize(other, len(samples))
        how = str(rng.choice(["cut", "shifted", "mixed"]))
        if how == "cut":
            length = int(rng.uniform(0.4, 0.8) * len(samples))
            # With the loudest sample: many recordings have silence around their sound.
            loudest = int(np.abs(samples).argmax())
            first = int(rng.integers(max(0, loudest - length + 1), min(loudest, len(samples) - length) + 1))
            return how, samples[first : first + length], rate, ".flac"
        if how == "shifted":
            shift = int(rng.uniform(0.1, 2.0) * rate)
            return how, np.concatenate([other[:shift], samples])[: len(samples)], rate, ".flac"
        ratio = float(np.square(samples).mean() / max(1e-9, float(np.square(other).mean())))
        mixed = samples + other * np.sqrt(ratio / 10 ** (rng.uniform(-3, 10) / 10))
        return how, np.asarray(mixed / max(1.0, float(np.abs(mixed).max())), np.float32), rate, ".flac"


def _faulty(folder: Path, sound: Sound, kind: str, rng: np.random.Generator) -> Sound:
    samples, rate = _read(sound)
    peak = max(1e-6, float(np.abs(samples).max()))
    if kind == "silence":
        # Of different lengths: recordings of equal samples are one.
        samples = np.zeros(len(samples) - int(rng.integers(rate))) if rng.random() < 0.5 else samples / peak * 3e-4
    elif kind == "clipping":
        limit = float(np.quantile(np.abs(samples), rng.uniform(0.95, 0.995)))
        samples = np.clip(samples, -limit, limit) / limit * rng.uniform(0.3, 1.0)
    elif kind == "opposite-phase":
        # Some cancel altogether, some in a part of the recording.
        inverted = np.where(np.arange(len(samples)) < rng.uniform(0.3, 2.0) * len(samples), -samples, samples)
        samples = np.stack([samples, inverted], axis=1)
    elif kind == "dc-offset":
        samples = 0.9 * samples / max(1.0, peak) + rng.choice([-1, 1]) * rng.uniform(0.02, 0.1)
    found = _written(
        folder, sound, kind, (np.asarray(samples, np.float32), rate), ".flac" if kind != "truncated" else ".wav"
    )
    if kind == "truncated":
        content = found.path.read_bytes()
        found.path.write_bytes(content[: int(len(content) * rng.uniform(0.3, 0.9))])
    return found
