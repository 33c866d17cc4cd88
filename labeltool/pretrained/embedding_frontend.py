"""Frames that a borrowed ear makes of sound: what architectures of the kind "embedding" hear by."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from labeltool.audio.feature_cache import Framer
from labeltool.audio.frontend import Frontend
from labeltool.errors import LabeltoolError
from labeltool.networks.architectures import architecture, lasting
from labeltool.pretrained import registry
from labeltool.pretrained.card import EarCard, read_card
from labeltool.pretrained.model import Ear
from labeltool.project import Project
from labeltool.type_aliases import Float32, Int16

_FULL_SCALE = 32768.0
_opened: dict[tuple[Path, str], Ear] = {}


@dataclass(frozen=True, slots=True)
class EarFrames:
    """Makes frames by an ear; may be sent to another process, which loads the ear when it first hears.

    Attributes
    ----------
    path, card
        The ear's network and what is known of it.
    frontend
        Of the kind "embedding", made for this ear.
    """

    path: Path
    card: EarCard
    frontend: Frontend

    def __call__(self, pcm: Int16) -> Float32:
        """Return what the ear makes of each window: `(frames, columns)`, the window's level before its embedding.

        A window without any sound is not heard: its numbers are all zero.

        Raises
        ------
        LabeltoolError
            When the ear is not what its card says, or computes what is no number.
        """
        window, hop = self.frontend.n_fft, self.frontend.hop
        frames = np.zeros((self.frontend.n_frames(len(pcm)), self.frontend.columns), np.float32)
        for number, frame in enumerate(frames):
            heard = pcm[number * hop : number * hop + window]
            if heard.any():
                frame[0] = np.sqrt(np.square(heard / _FULL_SCALE).mean())
                frame[1:] = _ear(self.path, self.card).embed_window(heard)
        return frames


def framer(frontend: Frontend, shelves: Iterable[Path], called: str = "") -> Framer:
    """Return what makes a frontend's frames of samples: itself, or the ear it names.

    Parameters
    ----------
    shelves
        Folders of models, as `Project.models`, beside which ears stand.
    called
        What the ear was called, where that is known.

    Raises
    ------
    LabeltoolError
        When the ear stands on none of the shelves.
    """
    if frontend.kind != "embedding":
        return frontend.log_mel
    for models in shelves:
        for path in registry.folders(models):
            with suppress(LabeltoolError):  # a damaged card is none of this ear
                card = read_card(path)
                if card.fingerprint == frontend.ear:
                    return EarFrames(path / card.network, card, frontend)
    raise LabeltoolError(
        f"the model hears by the borrowed network {called or frontend.ear[:16]}, which the project does not have",
        remedy="`labeltool model add` it again as it was, or retrain",
    )


def ear_for(project: Project, arch: str, named: str | None = None) -> Path | None:
    """Return the ear that an architecture is to hear by, the network's file; None where it hears for itself.

    The one that is named, else that of the settings, else the only one of the project's that embeds sounds.

    Raises
    ------
    LabeltoolError
        When there is none or several, or none is wanted and one is named.
    """
    if architecture(arch).frontend.kind != "embedding":
        if named is not None:
            raise LabeltoolError(
                f"{arch} hears for itself, not by {named!r}", remedy="--teacher lets a borrowed network teach it"
            )
        return None
    known = registry.names(project)
    if named is None and project.settings.ear in known:
        named = project.settings.ear
    if named is None:
        able = [name for name in known if read_card(registry.folder(project, name)).embedding is not None]
        if len(able) != 1:
            told = f"--ear names one of {', '.join(able)}" if able else "`labeltool model fetch` or `add` brings one"
            what = "several of them" if able else "none that embeds sounds"
            raise LabeltoolError(f"{arch} hears by a borrowed network, and the project has {what}", remedy=told)
        (named,) = able
    if named not in known:
        raise LabeltoolError(
            f"the project has no ear {named!r}",
            remedy=f"there are: {', '.join(known)}" if known else "`labeltool model fetch` or `add` brings one",
        )
    return registry.find(project, named)


def frontend_by(arch: str, patch_s: float | None, path: Path, card: EarCard) -> Frontend:
    """Return an architecture's frontend as an ear makes its frames: windows that overlap by half.

    Raises
    ------
    LabeltoolError
        When the ear cannot be loaded or has no embedding, or no patch can be so long.
    """
    width = len(_ear(path, card).embed_window(np.zeros(card.window, np.int16)))
    frontend = replace(
        architecture(arch).frontend,
        sample_rate_hz=card.rate_hz,
        n_fft=card.window,
        hop=max(1, card.window // 2),
        n_mels=width,
        high_hz=card.rate_hz / 2,
        ear=card.fingerprint,
    )
    return lasting(frontend, patch_s)


def _ear(path: Path, card: EarCard) -> Ear:
    """Return an ear, loaded once; one is kept at a time."""
    key = (path, card.fingerprint)
    if key not in _opened:
        _opened.clear()
        _opened[key] = Ear(path, card, embedding=True)
    return _opened[key]
