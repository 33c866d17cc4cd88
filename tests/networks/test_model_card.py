"""The model card as JSON: what is written is read back, and a clip rule that is not known is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from labeltool.audio.frontend import LogMelFrontend
from labeltool.errors import LabeltoolError
from labeltool.networks.model_card import ModelCard, card_from_json
from labeltool.networks.postprocessing import ClipRule


def card_with(rule: ClipRule) -> ModelCard:
    frontend = LogMelFrontend()
    return ModelCard(
        architecture="miniresnet",
        frontend=frontend.to_dict(),
        fingerprint=frontend.fingerprint,
        labels=("cat", "dog"),
        clip_rule=rule,
    )


def text_with(rule: dict[str, Any]) -> str:
    return json.dumps({**json.loads(card_with(ClipRule()).to_json()), "clip_rule": rule})


@pytest.mark.parametrize(
    "rule",
    [ClipRule(0.3, temperature=1.7), ClipRule(0.0, temperature=0.5, head="sigmoid"), ClipRule(pooling="majority")],
)
def test_a_clip_rule_is_read_as_it_was_written(rule: ClipRule) -> None:
    card = card_with(rule)
    assert card_from_json(card.to_json()) == card


def test_a_clip_rule_of_before_there_were_heads_is_a_softmax() -> None:
    assert card_from_json(text_with({"loudness_exponent": 1, "temperature": 1})).clip_rule.head == "softmax"


@pytest.mark.parametrize(
    "rule", [{"head": "softplus"}, {"pooling": "loudest"}, {"power": 2}, {"temperature": "hot"}, 3], ids=str
)
def test_an_unknown_clip_rule_is_refused_in_a_line_with_its_file(rule: Any) -> None:
    with pytest.raises(LabeltoolError, match="not a model card") as refused:
        card_from_json(text_with(rule), file=Path("card.json"))
    assert "card.json" in str(refused.value) and "\n" not in str(refused.value)
