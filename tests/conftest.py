"""Sounds and projects made on the spot; the real data only where it stands beside the checkout."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from labeltool import project as projects
from labeltool.project import Project
from labeltool.records import Clip, Imported, Recording, Verdict
from labeltool.store import Store

REAL_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(autouse=True)
def _a_fixed_annotator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABELTOOL_ANNOTATOR", "ann")
    monkeypatch.setenv("LABELTOOL_AUDIO", "null")


@pytest.fixture
def real_data() -> Path:
    """The folder of real recordings and labels, which is not part of the project."""
    if not REAL_DATA.is_dir():
        pytest.skip("the real recordings are not part of the project and do not stand beside this checkout")
    return REAL_DATA


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


@pytest.fixture
def write_tone(tmp_path: Path) -> Callable[..., Path]:
    """Write tones below the test's folder."""
    return tone_writer(tmp_path)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A new project."""
    return projects.create(tmp_path / "project")


@pytest.fixture
def store(project: Project) -> Store:
    """A new project's store."""
    return project.open_store()


def records_of(name: str, *labels: str, group: str | None = None, fold: int | None = None) -> list[Imported]:
    """Make the records of a one-second recording that need no file: `name` stands for its content."""
    recording = Recording(f"/sounds/{name}.wav", name * 4, 16_000, 1, 16_000, group or name)
    clip = Clip(recording.sha256, 0.0, 1.0, fold)
    return [recording, clip, *(Verdict(clip, label) for label in labels)]
