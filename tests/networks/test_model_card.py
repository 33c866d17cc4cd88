"""The model card as JSON: what is written is read back, and a clip rule that is not known is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from helpers.exports import metrics
from labeltool.audio.frontend import LogMelFrontend
from labeltool.errors import LabeltoolError
from labeltool.networks import model_folder
from labeltool.networks.model_card import ModelCard, card_from_json
from labeltool.networks.postprocessing import ClipRule
from labeltool.networks.stream_rule import StreamRule


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


def test_a_card_with_metrics_is_read_as_it_was_written() -> None:
    card = replace(card_with(ClipRule()), measured=metrics(("cat", "dog"), 0.9, 0.7))
    assert card_from_json(card.to_json()) == card and (card.clip_accuracy, card.int8_clip_accuracy) == (0.9, 0.7)
    with_a_part = {name: value for name, value in json.loads(card.to_json()).items() if name != "ece"}
    assert card_from_json(json.dumps(with_a_part)).measured is None


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "{", '{"card_version": "x"}', "[]"], ids=["deep", "open", "word", "list"]
)
def test_a_damaged_card_is_one_line_with_its_file(text: str) -> None:
    with pytest.raises(LabeltoolError) as refused:
        card_from_json(text, file=Path("card.json"))
    assert "card.json" in str(refused.value) and "\n" not in str(refused.value)


def test_a_folder_whose_card_is_no_text_or_has_an_endless_frontend_is_refused_in_one_line(tmp_path: Path) -> None:
    values = json.loads(card_with(ClipRule()).to_json())
    values["frontend"]["rate_hz"] = 10**400
    for content in (b"\xff\xfe\x00", json.dumps(values).encode()):
        (tmp_path / "card.json").write_bytes(content)
        with pytest.raises(LabeltoolError) as refused:
            model_folder.read(tmp_path)
        assert "card.json" in str(refused.value) and "\n" not in str(refused.value)


def test_a_card_that_could_not_be_read_again_is_not_written(tmp_path: Path) -> None:
    card = card_with(ClipRule())
    model_folder.write_card(tmp_path, card)
    with pytest.raises(LabeltoolError, match="too long for its card"):
        model_folder.write_card(tmp_path, replace(card, labels=("x" * (5 << 20), "dog")))
    assert model_folder.read(tmp_path).card == card


@pytest.mark.parametrize(
    "rule", [{"head": "softplus"}, {"pooling": "loudest"}, {"power": 2}, {"temperature": "hot"}, 3], ids=str
)
def test_an_unknown_clip_rule_is_refused_in_a_line_with_its_file(rule: Any) -> None:
    with pytest.raises(LabeltoolError, match="not a model card") as refused:
        card_from_json(text_with(rule), file=Path("card.json"))
    assert "card.json" in str(refused.value) and "\n" not in str(refused.value)


def test_a_stream_rule_is_read_as_it_was_written_and_its_absence_means_the_default() -> None:
    rule = StreamRule(0.6, 0.4, 2, 3, (0.25, 0.5))
    assert card_from_json(replace(card_with(ClipRule()), stream_rule=rule).to_json()).stream_rule == rule
    older = json.loads(card_with(ClipRule(threshold=0.4)).to_json())
    del older["stream_rule"]
    card = card_from_json(json.dumps(older))
    assert card.stream_rule == StreamRule() and card.stream_thresholds == (0.4,) * len(card.labels)
    assert card_with(ClipRule(threshold=0.0)).stream_thresholds == (0.5,) * len(card.labels)


@pytest.mark.parametrize(
    "rule",
    [{"gain": 0}, {"gain": 0.5, "lift": 1}, {"thresholds": [0.5]}, {"thresholds": [0.5, 1.5]}, {"hold_patches": -1}],
)
def test_an_impossible_stream_rule_is_refused(rule: dict[str, Any]) -> None:
    text = json.dumps({**json.loads(card_with(ClipRule()).to_json()), "stream_rule": rule})
    with pytest.raises(LabeltoolError, match="is not a model card"):
        card_from_json(text)
