"""A reader's machine: a home, programs, sounds; and one trained project that the pages which need it copy."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from collections.abc import Callable, Collection
from pathlib import Path

import numpy as np
import pytest

from helpers.pretrained import converted, written
from helpers.reader import Reader, reader_in

HERE = Path(__file__).resolve().parent
# Emulators and compilers for microcontrollers take minutes; tests/exporters/stm32 has them.
_NOT_A_READERS = ("arm-none-eabi-", "qemu-system-")
_OWN = {"labeltool": "program.py", "sounds": "sounds.py"}


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the programs of a reader: those of this machine, and this labeltool."""
    folder = tmp_path_factory.mktemp("programs")
    for directory in reversed(os.environ["PATH"].split(os.pathsep)):
        for program in Path(directory).iterdir() if Path(directory).is_dir() else ():
            if not program.name.startswith(_NOT_A_READERS) and os.access(program, os.X_OK):
                (folder / program.name).unlink(missing_ok=True)
                (folder / program.name).symlink_to(program)
    scripts = {name: f"{HERE / file}" for name, file in _OWN.items()} | {"python": ""}
    for name, script in scripts.items():
        path = folder / name
        path.unlink(missing_ok=True)
        path.write_text(f'#!/bin/sh\nexec "{sys.executable}" {script} "$@"\n')
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return folder


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, programs: Path) -> Path:
    """A home with the project `yard` of synthetic sounds, a small model and the sounds beside it."""
    home = tmp_path_factory.mktemp("trained")
    commands = """\
labeltool demo --sounds-only .
labeltool init yard
sed -i 's/# target = /target = /' yard/labeltool.toml
labeltool --project yard import esc50 sounds/esc-style
labeltool --project yard import audacity sounds/yard.txt
labeltool --project yard import audio sounds/unlabelled
labeltool --project yard retrain --budget 12
sed -i "s/max_int8_loss = .*/max_int8_loss = 1.0  # a few seconds of training promise nothing/" yard/labeltool.toml
"""
    done, _ = reader_in(home, programs).run(commands, home)
    assert done.returncode == 0, done.stdout
    return home


@pytest.fixture(scope="session")
def small_yamnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a network that takes and gives what YAMNet does, for three classes, and that nobody trained."""
    import tensorflow as tf

    rng = np.random.default_rng(0)
    to_bands, to_classes = rng.normal(0, 0.3, (26, 16)), rng.normal(0, 2, (16, 3))

    def predict(samples: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        levels = tf.reshape(tf.reduce_mean(tf.abs(tf.reshape(samples, (26, 600))), axis=1), (1, 26))
        embedding = tf.nn.relu(tf.matmul(levels, tf.constant(to_bands, tf.float32)) * 10)
        return embedding, tf.sigmoid(tf.matmul(embedding, tf.constant(to_classes, tf.float32)))

    folder = tmp_path_factory.mktemp("yamnet")
    written(folder / "yamnet.tflite", converted(predict, (15_600,)))
    (folder / "yamnet.csv").write_text("index,mid,display_name\n0,/a,Dog\n1,/b,Rain\n2,/c,Rooster\n")
    return folder


@pytest.fixture
def new_reader(tmp_path: Path, programs: Path, request: pytest.FixtureRequest) -> Callable[[Collection[str]], Reader]:
    """Make a reader with an empty home, or with copies of what a fixture has made: `trained`, `small_yamnet`."""

    def make(fixtures: Collection[str]) -> Reader:
        home = tmp_path / "home"
        home.mkdir()
        for name in fixtures:
            shutil.copytree(request.getfixturevalue(name), home, dirs_exist_ok=True)
        return reader_in(home, programs)

    return make
