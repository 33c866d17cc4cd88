"""What the store itself needs of a model's card, which is JSON text in the database."""

from __future__ import annotations

from dataclasses import dataclass, field

from labeltool.errors import LabeltoolError
from labeltool.util.files.bounded_read import parse_json


@dataclass(frozen=True, slots=True)
class _StoredRule:
    head: str = "softmax"


@dataclass(frozen=True, slots=True)
class StoredCard:
    """A card's fields, all of them with a default: that of a pretrained model has `pretrained` and `why` alone."""

    labels: tuple[str, ...] = ()
    background: str | None = None
    clip_rule: _StoredRule = field(default_factory=_StoredRule)
    test_fold: int | None = None
    validation_clips: int = 0
    pretrained: str | None = None
    why: str | None = None


def stored_card(text: str, model_id: int) -> StoredCard:
    """Read a card.

    Raises
    ------
    LabeltoolError
        When it is damaged; it names the model.
    """
    import msgspec

    try:
        return msgspec.convert(parse_json(text), StoredCard)
    except ValueError as error:
        raise LabeltoolError(
            f"the card of model {model_id} in labels.db is damaged: {error}",
            remedy="`labeltool retrain --from-scratch` trains another model",
        ) from error
