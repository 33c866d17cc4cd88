"""A pretrained model whose classes are known by the pitch of a tone, for the app: no network runs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from labeltool.pretrained import registry
from labeltool.pretrained.card import PretrainedCard, read_card, write_card
from labeltool.pretrained.clip_cache import described
from labeltool.pretrained.model import ClipDescription
from labeltool.project import Project
from labeltool.records import StoredClip
from labeltool.type_aliases import Int16

CLASSES = ("Animal", "Bell", "Dog")


def add_pretrained(project: Project, name: str = "net") -> None:
    """Put a model into the project that cannot run: what it would compute is written by `describe`."""
    folder: Path = registry.folder(project, name)
    folder.mkdir(parents=True)
    (folder / "net.tflite").write_bytes(b"net")
    card = PretrainedCard(
        files={"net.tflite": hashlib.sha256(b"net").hexdigest()},
        rate_hz=8000,
        window=4000,
        shape=(1, 4000),
        classes=CLASSES,
        scores="scores",
        embedding="embedding",
    )
    write_card(folder, card)


def describe(project: Project, clips: Iterable[StoredClip], name: str = "net") -> None:
    """Describe clips, as the task does: Bell for a high tone, Dog for a low one, Animal for any."""
    model = ByPitch(registry.find(project, name).parent)
    for clip in clips:
        described(model, project.cache / "teacher", clip)  # type: ignore[arg-type]


class ByPitch:
    """Stands for the model: a tone above 1,000 Hz is a bell, a lower one a dog."""

    def __init__(self, folder: Path) -> None:
        self.card = read_card(folder)

    def describe(self, pcm: Int16) -> ClipDescription:
        spectrum = np.abs(np.fft.rfft(pcm))
        is_high = bool(spectrum.argmax() * 8000 / len(pcm) > 1000)
        scores = np.array([0.8, 0.7 if is_high else 0.01, 0.01 if is_high else 0.7], np.float32)
        embedding = np.full(8, 0.02, np.float32)
        embedding[1 if is_high else 4] = 1.0
        return ClipDescription(embedding, scores, scores)
