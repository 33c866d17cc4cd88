"""What a retraining returns."""

from __future__ import annotations

from dataclasses import dataclass, field

from labeltool.active_learning.result import SuggestResult
from labeltool.networks.heads import Head
from labeltool.networks.model_card import Beside, Comparison, ModelCard
from labeltool.records import Skipped

_OF_CARD = (
    *("parameters", "labels_seen", "pool_clips", "background_windows", "clip_accuracy", "int8_clip_accuracy"),
    *("validation_clips", "several_labels_clips", "background", "assumed_absent", "beside"),
)


@dataclass(frozen=True, slots=True)
class RetrainResult:
    """What `labeltool retrain --json` prints; accuracies are shares of the validation clips, None where there are none.

    Attributes that are not listed here are those of the model's card (`ModelCard`).

    Attributes
    ----------
    model
        Id of the new model.
    left_out, without_suggestion, measured_clips
        What a budget left no time for: labelled clips that it was not trained on, unlabelled clips without a
        suggestion, and validation clips but these, on which it was measured.
    embedding_model
        Name of the pretrained model whose embeddings the architecture takes; None for other architectures.
    several_labels_clips
        Clips that speak for a probability for each label (head "sigmoid").
    assumed_absent
        Labels hardly ever marked absent, for which clips without a mark are weak negatives.
    above_band, highest_hz
        Labels most of whose regions lie above the highest frequency that the network gets anything of, and that.
    compared
        Where a model was trained from scratch beside the warm start: the log loss of both.
    warm
        Whether it continues the last model.
    patch_s, other_patch_s
        Seconds of one input; those of the last model where they alone kept training from continuing it.
    suggester
        Id of the model that suggests labels.
    pretrained, why
        The pretrained model that suggests labels, None where a model trained here does, and why.
    suggestions
        Unlabelled clips with a suggestion.
    locked_clips
        Labelled clips of the locked test set, which it was not trained on.
    accepted_validation_clips
        Validation clips that were accepted automatically: too few others are labelled.
    skipped
        Files that could not be read.
    stages
        Seconds spent in each stage.
    seconds_until_trained, seconds
        Until the model was published, and in all.
    """

    model: int
    arch: str
    parameters: int
    labels_seen: int
    pool_clips: int
    background_windows: int
    clip_accuracy: float | None
    int8_clip_accuracy: float | None
    label_accuracy: float | None
    int8_label_accuracy: float | None
    validation_clips: int
    head: Head
    several_labels_clips: int
    background: str | None
    assumed_absent: tuple[str, ...]
    threshold: float
    compared: Comparison | None
    warm: bool
    patch_s: float
    other_patch_s: float | None
    embedding_model: str | None
    beside: Beside | None
    suggester: int | None
    pretrained: str | None
    why: str
    suggestions: int
    skipped: tuple[Skipped, ...]
    left_out: int = 0
    without_suggestion: int = 0
    above_band: tuple[str, ...] = ()
    highest_hz: float = 0.0
    measured_clips: int = 0
    locked_clips: int = 0
    accepted_validation_clips: int = 0
    stages: dict[str, float] = field(default_factory=dict)
    seconds_until_trained: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class RenewResult:
    """The model whose suggestions are in the store; None before there is any."""

    model: int | None


def retrain_result(model_id: int, patch_s: float, card: ModelCard, suggested: SuggestResult) -> RetrainResult:
    """Return the result of a retraining, without the times."""
    measured = card.measured
    return RetrainResult(
        **{name: getattr(card, name) for name in _OF_CARD},
        model=model_id,
        arch=card.architecture,
        label_accuracy=measured.label_accuracy if measured else None,
        int8_label_accuracy=measured.int8_label_accuracy if measured else None,
        head=card.clip_rule.head,
        threshold=card.clip_rule.threshold,
        compared=None,
        suggester=suggested.model,
        warm=card.parent is not None,
        patch_s=patch_s,
        other_patch_s=None,
        embedding_model=card.embedding_model.name if card.embedding_model else None,
        pretrained=suggested.pretrained,
        why=suggested.why,
        suggestions=suggested.suggestions,
        without_suggestion=suggested.left_out,
        measured_clips=measured.clips if measured else 0,
        skipped=tuple(dict.fromkeys((*card.skipped, *suggested.skipped))),
    )
