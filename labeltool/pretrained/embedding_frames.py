"""Frames of an `EmbeddingFrontend`: the embeddings that a pretrained model computes of a clip's windows."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from labeltool.audio.feature_cache import FrameFunction
from labeltool.audio.frontend import EmbeddingFrontend, Frontend
from labeltool.errors import LabeltoolError
from labeltool.networks.architectures import architecture
from labeltool.networks.device_targets import with_patch_length
from labeltool.pretrained import registry
from labeltool.pretrained.card import PretrainedCard, read_card
from labeltool.pretrained.model import opened_model
from labeltool.project import Project
from labeltool.type_aliases import Float32, Int16

_FULL_SCALE = 32768.0


@dataclass(frozen=True, slots=True)
class EmbeddingFrames:
    """Computes frames by a pretrained model; a process that it is sent to loads the model when it is called."""

    path: Path
    card: PretrainedCard
    frontend: EmbeddingFrontend

    def __call__(self, pcm: Int16) -> Float32:
        """Return the level and the embedding of each window of some samples: `(frames, columns) float32`.

        All numbers of a window of digital silence are zero.

        Raises
        ------
        LabeltoolError
            When the model's files are not those on its card, or it computes values that are no numbers.
        """
        window, hop = self.frontend.window, self.frontend.hop
        frames = np.zeros((self.frontend.n_frames(len(pcm)), self.frontend.columns), np.float32)
        for number, frame in enumerate(frames):
            samples = pcm[number * hop : number * hop + window]
            if samples.any():
                frame[0] = np.sqrt(np.square(samples / _FULL_SCALE).mean())
                frame[1:] = opened_model(self.path, self.card, True).embed_window(samples)
        return frames


def frame_function(frontend: Frontend, model_folders: Iterable[Path], name: str = "") -> FrameFunction:
    """Return the function that computes a frontend's frames: its own, or that of its pretrained model.

    Parameters
    ----------
    model_folders
        Folders as `Project.models`, which have the pretrained models.

    Raises
    ------
    LabeltoolError
        When the pretrained model is in none of the folders.
    """
    if not isinstance(frontend, EmbeddingFrontend):
        return frontend.compute_frames
    for models in model_folders:
        for path in registry.folders(models):
            with suppress(LabeltoolError):  # a model with a damaged card is not this one
                card = read_card(path)
                if card.fingerprint == frontend.pretrained:
                    return EmbeddingFrames(path / card.network, card, frontend)
    raise LabeltoolError(
        f"the model needs the pretrained model {name or frontend.pretrained[:16]}, which the project does not have",
        remedy="`labeltool model add` it again as it was, or retrain",
    )


def pretrained_for(project: Project, arch: str, name: str | None = None) -> Path | None:
    """Return the network's file of the pretrained model that an architecture is to use; None where it uses none.

    The one of that name, else that of the settings, else the only one of the project with an embedding.

    Raises
    ------
    LabeltoolError
        When there is none or several, or the architecture uses none and one is named.
    """
    if not isinstance(architecture(arch).frontend, EmbeddingFrontend):
        if name is not None:
            raise LabeltoolError(
                f"{arch} takes no embeddings, so it cannot use {name!r}",
                remedy="--teacher distils from a pretrained model",
            )
        return None
    known = registry.names(project)
    if name is None and project.settings.learning.pretrained in known:
        name = project.settings.learning.pretrained
    if name is None:
        name = _only_embedding_model(project, arch)
    if name not in known:
        raise LabeltoolError(
            f"the project has no pretrained model {name!r}",
            remedy=f"there are: {', '.join(known)}" if known else "`labeltool model fetch` or `add` brings one",
        )
    return registry.find(project, name)


def _only_embedding_model(project: Project, arch: str) -> str:
    able = registry.with_embeddings(project)
    if len(able) == 1:
        return able[0]
    count = "several of them" if able else "none with an embedding"
    remedy = f"--pretrained names one of {', '.join(able)}" if able else "`labeltool model fetch` or `add` brings one"
    raise LabeltoolError(f"{arch} takes embeddings of a pretrained model, and the project has {count}", remedy=remedy)


def embedding_frontend(arch: str, patch_s: float | None, path: Path, card: PretrainedCard) -> Frontend:
    """Return an architecture's frontend for the embeddings of a pretrained model: windows that overlap by half.

    Raises
    ------
    LabeltoolError
        When the model cannot be loaded or has no embedding, or no patch can be that long.
    """
    frontend = architecture(arch).frontend
    assert isinstance(frontend, EmbeddingFrontend), "an architecture that takes embeddings"
    width = len(opened_model(path, card, True).embed_window(np.zeros(card.window, np.int16)))
    frontend = replace(
        frontend,
        sample_rate_hz=card.rate_hz,
        window=card.window,
        hop=max(1, card.window // 2),
        width=width,
        pretrained=card.fingerprint,
    )
    return with_patch_length(frontend, patch_s)
