"""Fixtures: synthetic sounds and projects, and the real recordings where they lie beside the checkout."""

from __future__ import annotations

import gc
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import settings

from helpers.exports import add_model
from helpers.level_network import LEVELS
from helpers.long_recording import write_two_hours
from helpers.made_once import made_once
from helpers.pretrained import converted, written
from helpers.progress import quiet
from helpers.real_data import REAL_DATA
from helpers.stm32 import LABELS
from helpers.tones import tone_writer
from helpers.training import TINY, train_quickly, work_here
from labeltool import project as projects
from labeltool.audio import files
from labeltool.audio.frontend import LogMelFrontend
from labeltool.networks.architectures import ARCHITECTURES
from labeltool.pretrained import registry
from labeltool.project import Project
from labeltool.records import Clip, Recording, Verdict
from labeltool.store import Store
from labeltool.store.importing import import_records
from labeltool.tasks.process import tensorflow_environment

_IN_MEMORY = "/dev/shm"
_NEEDED_BYTES = 4 << 30


def _is_fit_for_tests(folder: str) -> bool:
    """Whether tests may write and start programs there; they leave half a gigabyte at most."""
    if not os.access(folder, os.W_OK | os.X_OK):
        return False
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize >= _NEEDED_BYTES and not disk.f_flag & os.ST_NOEXEC


# Every commit waits for the disk, and the tests commit thousands of times.
if _is_fit_for_tests(_IN_MEMORY):
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", _IN_MEMORY)


# What is trained here has the numbers of what a task's process trains.
os.environ.update(tensorflow_environment())

# The imports of TensorFlow make objects by the hundred thousand: looking for garbage as often as usual takes a twelfth.
gc.set_threshold(50_000, 20, 20)


@pytest.fixture(scope="session", autouse=True)
def _signals_arrive() -> Iterator[None]:
    """A shell's `&` lets what it starts ignore SIGINT, nohup SIGHUP, and the programs under test would inherit that."""
    ignored = [one for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if signal.getsignal(one) is signal.SIG_IGN]
    for one in ignored:
        signal.signal(one, signal.SIG_DFL)
    yield
    for one in ignored:
        signal.signal(one, signal.SIG_IGN)


@pytest.fixture(scope="session", autouse=True)
def _own_user_state(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep what the app keeps for its user out of the home of who runs the tests."""
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))


# A slow machine must not fail a test.
settings.register_profile("labeltool", deadline=None)
settings.load_profile("labeltool")


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: many tests wait, for a browser, a terminal or the end of a sound."""
    return (os.cpu_count() or 1) + 1


@pytest.fixture(autouse=True)
def _a_fixed_annotator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABELTOOL_ANNOTATOR", "ann")
    monkeypatch.setenv("LABELTOOL_AUDIO", "null")
    # pytest-xdist sets them for its workers; the app would take them for the size of every terminal.
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.delenv("LINES", raising=False)


@pytest.fixture
def real_data() -> Path:
    """The folder of real recordings and labels, which is not part of the project."""
    if not REAL_DATA.is_dir():
        pytest.skip("the real recordings are not part of the project and do not stand beside this checkout")
    return REAL_DATA


@pytest.fixture
def write_tone(tmp_path: Path) -> Callable[..., Path]:
    """Write tones below the test's folder."""
    return tone_writer(tmp_path)


@pytest.fixture(scope="session")
def int8(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An untrained network as an int8 file; its shapes and scales are right."""

    def make(folder: Path) -> None:
        import keras

        from labeltool.networks import build as networks
        from labeltool.networks import quantization

        keras.utils.set_random_seed(1)
        patches = np.random.default_rng(1).normal(0, 1, (16, 64, 50)).astype(np.float32)
        network = networks.build("miniresnet", len(LABELS), LogMelFrontend())
        written(folder / "model.tflite", quantization.to_int8(network, patches))

    return (made_once(tmp_path_factory, "int8", make) / "model.tflite").read_bytes()


@pytest.fixture(scope="session")
def modelled(tmp_path_factory: pytest.TempPathFactory, int8: bytes) -> Project:
    """A project with six recordings and a model trained on the first three; tests change nothing in it but exports."""
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
            import_records(store, [sound, clip, Verdict(clip, LABELS[number % 3])], kind="test", source="test")
            seen += [f"{found.sha256},0.0,2.5,g{number},train"] if number < 3 else []
    number = add_model(project, labels=LABELS, int8=int8, parameters=107_331, validation_clips=12)
    (project.models / str(number) / "seen.csv").write_text(
        "recording_sha256,start_s,end_s,group,part\n" + "\n".join(seen) + "\n"
    )
    return project


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every training in this process be a short one, measured on a quarter of the groups."""
    train_quickly(monkeypatch, validation_share=0.25)
    work_here(monkeypatch)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a network that trains fast."""
    monkeypatch.setitem(ARCHITECTURES, TINY.name, TINY)  # type: ignore[arg-type]
    work_here(monkeypatch)
    return TINY.name


@pytest.fixture(scope="session")
def new_project(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Project]:
    """Make new projects, as copies of one: the migrations of its database take longer than most tests."""
    empty = projects.create(tmp_path_factory.mktemp("new") / "project").directory
    return lambda directory: projects.load(shutil.copytree(empty, directory))


@pytest.fixture(scope="session")
def new_store(new_project: Callable[[Path], Project], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Store]:
    """Make empty stores, in a given folder or in new ones."""
    empty = new_project(tmp_path_factory.mktemp("empty") / "project").database

    def make(folder: Path | None = None) -> Store:
        store = Store.open(Path(shutil.copy(empty, folder or tmp_path_factory.mktemp("p"))))
        store.connection.execute("PRAGMA synchronous = OFF")
        return store

    return make


@pytest.fixture
def project(new_project: Callable[[Path], Project], tmp_path: Path) -> Project:
    """A new project."""
    return new_project(tmp_path / "project")


@pytest.fixture
def store(project: Project) -> Iterator[Store]:
    """A new project's store."""
    store = project.open_store()
    yield store
    store.close()


@pytest.fixture(scope="session")
def pretrained_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small pretrained model: windows of 1600 samples, an embedding of 7 numbers, scores of 3 classes."""

    def make(folder: Path) -> None:
        import keras

        keras.utils.set_random_seed(0)
        inputs = keras.Input((1600,), batch_size=1)
        hidden = keras.layers.Dense(12, activation="relu")(inputs)
        embedding = keras.layers.Dense(7, activation="relu")(hidden)
        model = keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(embedding))
        written(folder / "small.tflite", converted(lambda x: model(x), (1, 1600)))

    return made_once(tmp_path_factory, "pretrained", make) / "small.tflite"


@pytest.fixture(scope="session")
def level_model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pretrained model of the mean sample, above or below zero: an embedding of 8 numbers, scores of 3 classes."""

    def make(folder: Path) -> None:
        import tensorflow as tf

        slopes = np.array([[1, -1, 2, -2, 1, -1, 3, -3]], np.float32)
        bends = np.array([[0, 0, 0.1, 0.1, 0.3, 0.3, 0, 0]], np.float32)
        weights = np.zeros((8, 3), np.float32)
        weights[0, 0] = weights[1, 1] = 30.0

        def predict(samples: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            embedding = tf.nn.relu(tf.reduce_mean(samples, axis=1, keepdims=True) * slopes + bends)
            return embedding, tf.sigmoid(tf.matmul(embedding, weights) - 6.0)

        written(folder / "level.tflite", converted(predict, (1, 1600)))

    return made_once(tmp_path_factory, "levels", make) / "level.tflite"


@pytest.fixture
def level_project(project: Project, level_model_file: Path, tmp_path: Path) -> Project:
    """A project with that model and 24 clips, half of them above zero and half below."""
    names = written(tmp_path / "names.txt", b"Above, high\nBelow\nElsewhere\n")
    registry.add(
        project, report=quiet, file=str(level_model_file), name="pretrained", labels=str(names), rate_hz=16_000
    )
    assert projects.choose_pretrained(project, "pretrained")
    rng = np.random.default_rng(0)
    records: list[Recording | Clip] = []
    for number in range(24):
        level = tuple(LEVELS.values())[number % 2] * rng.uniform(0.8, 1.2)
        path = tmp_path / f"{number:02}.wav"
        soundfile.write(path, (level + rng.normal(0, 0.01, 3200)).astype(np.float32), 16_000, subtype="FLOAT")
        found = files.describe(path)
        sound = Recording(found.path, found.sha256, found.sample_rate_hz, 1, found.frames, f"g{number}")
        records += [sound, Clip(found.sha256, 0.0, 0.2)]
    with project.open_store() as store:
        import_records(store, records, kind="test", source="test")
    return projects.load(project.directory)


@pytest.fixture(scope="session")
def two_hours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two hours of near silence, with a hum of a minute and a half and a call of three seconds."""
    name = "two hours.flac"
    return made_once(tmp_path_factory, "long", lambda folder: write_two_hours(folder / name)) / name
