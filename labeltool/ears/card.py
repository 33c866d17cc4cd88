"""What is known of an ear, as `ear.json` beside its file says it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from labeltool.errors import LabeltoolError
from labeltool.frontend import Frontend

CARD = "ear.json"
CARD_VERSION = 1

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
        """Make the card that `to_dict` described; raises KeyError, TypeError or ValueError where it is none."""
        if told["activation"] not in ACTIVATIONS or not told["files"]:
            raise ValueError(told["activation"])
        return cls(
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
    except OSError as error:
        raise LabeltoolError("cannot be read", file=path, remedy="`labeltool model list` names the ears") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise LabeltoolError(
            "is not an ear's card", file=path, remedy="`labeltool model remove`, then add it"
        ) from error


def write_card(folder: Path, card: EarCard) -> None:
    """Write an ear's card."""
    (folder / CARD).write_text(json.dumps(card.to_dict(), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
