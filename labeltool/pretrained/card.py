"""The card of a pretrained model: `pretrained.json` beside its file."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from msgspec import convert

from labeltool.audio.frontend import EmbeddingFrontend, Frontend, frontend_from_dict
from labeltool.errors import LabeltoolError
from labeltool.pretrained.runtimes.base import require_bounded_shape
from labeltool.util.files.atomic_write import write_text
from labeltool.util.files.bounded_read import parse_json, read_bytes

CARD = "pretrained.json"
CARD_VERSION = 1

_MAX_RATE_HZ = 1_000_000
_ADD_AGAIN = "`labeltool model remove`, then add it again"

Activation = Literal["none", "sigmoid", "softmax"]
"""What makes probabilities of the scores: nothing where they are probabilities."""


@dataclass(frozen=True, slots=True)
class PretrainedCard:
    """A pretrained model's description.

    Attributes
    ----------
    files
        Name to SHA-256, the network first, then what belongs to it.
    rate_hz, window
        Samples a second, and the number of samples in a window.
    shape
        Of the network's input, every size fixed.
    classes
        Names in the order of the scores; empty where there is no list, and then it cannot classify.
    embedding
        The tensor with the embedding; None without one.
    frontend
        Computes the network's input; None where it takes samples.
    standardised
        Whether a window is given to the network less its mean and divided by its standard deviation.
    """

    files: Mapping[str, str]
    rate_hz: int
    window: int
    shape: tuple[int, ...]
    classes: tuple[str, ...]
    scores: str
    activation: Activation = "none"
    embedding: str | None = None
    frontend: Frontend | None = None
    standardised: bool = False

    @property
    def network(self) -> str:
        """Name of the network's file."""
        return next(iter(self.files))

    @property
    def fingerprint(self) -> str:
        """SHA-256 in hex that changes with anything that changes an embedding or a logit, and with nothing else."""
        values = self.to_dict()
        names = ("rate_hz", "window", "shape", "scores", "embedding", "standardised")
        frontend = self.frontend.fingerprint if self.frontend else None
        described = [list(self.files.values()), frontend, *(values[name] for name in names)]
        return hashlib.sha256(json.dumps(described).encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        frontend = self.frontend.to_dict() if self.frontend else None
        return {"ear_version": CARD_VERSION, **values, "frontend": frontend}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> PretrainedCard:
        """Make the card that `to_dict` described.

        Raises
        ------
        LabeltoolError, KeyError, TypeError, ValueError, AttributeError
            When it is none: it may come from anybody.
        """
        card = convert({**values, "frontend": None}, cls)
        if frontend := values["frontend"]:
            card = replace(card, frontend=frontend_from_dict(frontend))
        if not card.files:
            raise ValueError("no files")
        card.require_consistent()
        return card

    def require_consistent(self) -> None:
        """Refuse a card whose values are out of bounds or contradict each other.

        Raises
        ------
        LabeltoolError
            When they do.
        """
        for name in self.files:
            if Path(name).name != name or name == ".." or "\0" in name:
                raise LabeltoolError(f"names {name[:80]!r}, which is no file beside it")
        if not 2 <= self.rate_hz <= _MAX_RATE_HZ:
            raise LabeltoolError(f"has an impossible rate, {self.rate_hz} Hz")
        if self.window < 2:
            raise LabeltoolError(f"has an impossible window, {self.window} samples")
        if min(self.shape, default=1) < 1:
            raise LabeltoolError(f"has an impossible shape, {[*self.shape]}")
        require_bounded_shape([self.window])
        require_bounded_shape(self.shape)
        values = self.window
        if (frontend := self.frontend) is not None:
            if isinstance(frontend, EmbeddingFrontend):
                raise LabeltoolError("its frontend needs another pretrained model")
            if (frontend.sample_rate_hz, frontend.patch_samples) != (self.rate_hz, self.window):
                raise LabeltoolError("its frontend has another rate or another window")
            values = frontend.n_features * frontend.patch_frames
        if math.prod(self.shape) != values:
            raise LabeltoolError(f"its shape, {[*self.shape]}, does not fit the {values} numbers of a window")


def read_card(folder: Path) -> PretrainedCard:
    """Read the card of a pretrained model.

    Raises
    ------
    LabeltoolError
        When there is none, it is damaged, or a newer version wrote it.
    """
    path = folder / CARD
    try:
        values = parse_json(read_bytes(path))
        if values["ear_version"] > CARD_VERSION:
            raise LabeltoolError("was written by a newer labeltool", file=path, remedy="update labeltool")
        return PretrainedCard.from_dict(values)
    except LabeltoolError as error:
        raise LabeltoolError(error.reason, file=path, remedy=error.remedy or _ADD_AGAIN) from error
    except OSError as error:
        raise LabeltoolError("cannot be read", file=path, remedy="`labeltool model list` names the models") from error
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise LabeltoolError("is not a pretrained model's card", file=path, remedy=_ADD_AGAIN) from error


def card_beside(path: Path) -> PretrainedCard | None:
    """Return the card beside a network's file; None where there is none, or it describes another file.

    Raises
    ------
    LabeltoolError
        As `read_card`.
    """
    if not (path.parent / CARD).is_file():
        return None
    card = read_card(path.parent)
    return card if card.network == path.name else None


def write_card(folder: Path, card: PretrainedCard) -> None:
    """Write the card of a pretrained model."""
    write_text(folder / CARD, json.dumps(card.to_dict(), ensure_ascii=False, indent=1) + "\n")
