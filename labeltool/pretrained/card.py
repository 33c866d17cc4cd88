"""What is known of an ear, as `ear.json` beside its file says it."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from labeltool.audio.frontend import Frontend
from labeltool.errors import LabeltoolError
from labeltool.pretrained.runtimes.base import require_sane

CARD = "ear.json"
CARD_VERSION = 1

_HIGHEST_RATE_HZ = 1_000_000
_ANEW = "`labeltool model remove`, then add it"

Activation = Literal["none", "sigmoid", "softmax"]
"""What makes probabilities of the scores: nothing where they are that already."""

ACTIVATIONS: tuple[Activation, ...] = get_args(Activation)


@dataclass(frozen=True, slots=True)
class EarCard:
    """An ear's description.

    Attributes
    ----------
    files
        Name to SHA-256, the network first, then what belongs to it.
    rate_hz, window
        Samples a second, and how many it hears at once.
    shape
        What the network is given, every size fixed.
    classes
        Names in the order of the scores; empty where nobody said, and then it cannot classify.
    scores
        The output that holds them.
    activation
        Makes probabilities of them.
    embedding
        The tensor that holds it; None without one.
    frontend
        What the network hears through; None where it takes samples.
    standardised
        Whether each window is given to it less its mean and divided by its standard deviation.
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
        told = self.to_dict()
        heard = ("rate_hz", "window", "shape", "scores", "embedding", "standardised")
        frontend = self.frontend.fingerprint if self.frontend else None
        described = [list(self.files.values()), frontend, *(told[name] for name in heard)]
        return hashlib.sha256(json.dumps(described).encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {
            "ear_version": CARD_VERSION,
            "files": dict(self.files),
            "rate_hz": self.rate_hz,
            "window": self.window,
            "shape": list(self.shape),
            "scores": self.scores,
            "activation": self.activation,
            "embedding": self.embedding,
            "frontend": self.frontend.to_dict() if self.frontend else None,
            "standardised": self.standardised,
            "classes": list(self.classes),
        }

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> EarCard:
        """Make the card that `to_dict` described.

        Raises
        ------
        LabeltoolError, KeyError, TypeError, ValueError, AttributeError, OverflowError
            When it is none: it may come from a stranger.
        """
        if told["activation"] not in ACTIVATIONS or not told["files"]:
            raise ValueError(told["activation"])
        card = cls(
            files={str(name): str(sha256) for name, sha256 in told["files"].items()},
            rate_hz=int(told["rate_hz"]),
            window=int(told["window"]),
            shape=tuple(int(size) for size in told["shape"]),
            classes=tuple(str(name) for name in told["classes"]),
            scores=str(told["scores"]),
            activation=told["activation"],
            embedding=None if told["embedding"] is None else str(told["embedding"]),
            frontend=Frontend.from_dict(told["frontend"]) if told["frontend"] else None,
            standardised=bool(told["standardised"]),
        )
        for name in card.files:
            if Path(name).name != name or name == ".." or "\0" in name:
                raise LabeltoolError(f"speaks of {name[:80]!r}, which is no file beside it")
        if not 2 <= card.rate_hz <= _HIGHEST_RATE_HZ:
            raise LabeltoolError(f"tells of a rate of {card.rate_hz} Hz")
        if card.window < 2:
            raise LabeltoolError(f"tells of a window of {card.window} samples")
        if min(card.shape, default=1) < 1:
            raise LabeltoolError(f"tells of a shape of {[*card.shape]}")
        require_sane([card.window])
        require_sane(card.shape)
        heard = card.frontend
        if heard is not None and (heard.sample_rate_hz, heard.patch_samples) != (card.rate_hz, card.window):
            raise LabeltoolError("its frontend hears at another rate or another window")
        given = card.window if heard is None else heard.n_mels * heard.patch_frames
        if math.prod(card.shape) != given:
            raise LabeltoolError(f"its shape, {[*card.shape]}, does not hold the {given} numbers of a window")
        return card


def read_card(folder: Path) -> EarCard:
    """Read an ear's card.

    Raises
    ------
    LabeltoolError
        When there is none, it is damaged, or a newer version wrote it.
    """
    path = folder / CARD
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        if told["ear_version"] > CARD_VERSION:
            raise LabeltoolError("was written by a newer labeltool", file=path, remedy="update labeltool")
        return EarCard.from_dict(told)
    except LabeltoolError as error:
        raise LabeltoolError(error.reason, file=path, remedy=error.remedy or _ANEW) from error
    except OSError as error:
        raise LabeltoolError("cannot be read", file=path, remedy="`labeltool model list` names the ears") from error
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise LabeltoolError("is not an ear's card", file=path, remedy=_ANEW) from error


def card_beside(path: Path) -> EarCard | None:
    """Return the card beside a network's file; None where there is none, or it speaks of another file.

    Raises
    ------
    LabeltoolError
        As `read_card`.
    """
    if not path.with_name(CARD).is_file():
        return None
    card = read_card(path.parent)
    return card if card.network == path.name else None


def write_card(folder: Path, card: EarCard) -> None:
    """Write an ear's card."""
    (folder / CARD).write_text(json.dumps(card.to_dict(), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
