"""Sounds and projects made on the spot; the real data only where it stands beside the checkout."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from chip_helpers import LABELS
from hypothesis import settings

from labeltool import project as projects
from labeltool.audio import files
from labeltool.audio.frontend import Frontend
from labeltool.project import Project
from labeltool.records import Clip, Imported, Recording, Verdict
from labeltool.store import Store
from labeltool.store.importing import take_in

# A slow machine is no failing test.
settings.register_profile("labeltool", deadline=None)
settings.load_profile("labeltool")

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


@pytest.fixture(scope="session")
def int8() -> bytes:
    """An untrained network, converted: right in every shape and scale."""
    import keras

    from labeltool.networks import build as networks
    from labeltool.networks import quantization

    keras.utils.set_random_seed(1)
    patches = np.random.default_rng(1).normal(0, 1, (16, 64, 50)).astype(np.float32)
    return quantization.to_int8(networks.build("miniresnet", len(LABELS), Frontend()), patches)


@pytest.fixture(scope="session")
def modelled(tmp_path_factory: pytest.TempPathFactory, int8: bytes) -> Project:
    """A project with six recordings and a model that saw the first three; never changed by a test but for exports."""
    from test_export_products import add_model

    folder = tmp_path_factory.mktemp("modelled")
    project = projects.create(folder / "project")
    write = tone_writer(folder)
    seen = []
    with project.open_store() as store:
        for number in range(6):
            path = write(f"{number}.wav", frequency_hz=300.0 * (number + 1), seconds=2.5)
            found = files.describe(path)
            licence = "CC BY 3.0" if number < 3 else "never seen"
            sound = Recording(found.path, found.sha256, found.sample_rate_hz, 1, found.frames, f"g{number}", licence)
            clip = Clip(found.sha256, 0.0, 2.5)
            take_in(store, [sound, clip, Verdict(clip, LABELS[number % 3])], kind="test", source="test")
            seen += [f"{found.sha256},0.0,2.5,g{number},train"] if number < 3 else []
    number = add_model(project, labels=LABELS, int8=int8, parameters=107_331, validation_clips=12)
    (project.models / str(number) / "seen.csv").write_text(
        "recording_sha256,start_s,end_s,group,part\n" + "\n".join(seen) + "\n"
    )
    return project


@pytest.fixture(scope="session")
def package(modelled: Project) -> Path:
    """The STM32 package of that model."""
    from test_export_products import export

    return Path(export(modelled, "stm32")["written"][0])


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


@pytest.fixture(scope="session")
def ear_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small ear: windows of 1600 samples, an embedding of seven, three scores."""
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(0)
    inputs = keras.Input((1600,), batch_size=1)
    hidden = keras.layers.Dense(12, activation="relu")(inputs)
    embedding = keras.layers.Dense(7, activation="relu")(hidden)
    model = keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(embedding))
    function = tf.function(lambda x: model(x)).get_concrete_function(tf.TensorSpec((1, 1600), tf.float32))
    path = tmp_path_factory.mktemp("ear") / "ear.tflite"
    path.write_bytes(tf.lite.TFLiteConverter.from_concrete_functions([function]).convert())
    return path
