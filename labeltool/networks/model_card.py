"""The model card: everything a reader of a model's folder needs to know of it, as typed fields and as JSON.

`card.json` is one flat object: the fields of `ModelCard`, and beside them those of `Measured` where the model was
measured on validation clips.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from labeltool.audio.trunk_frontend import Pools
from labeltool.errors import LabeltoolError
from labeltool.networks.heads import DEFAULT_THRESHOLD, Head
from labeltool.networks.postprocessing import ClipRule
from labeltool.networks.stream_rule import StreamRule
from labeltool.records import Skipped
from labeltool.util.files.bounded_read import parse_json

CARD_VERSION = 1

ReliabilityBin = tuple[float, float, int]
"""Of the predictions in one bin of confidence: mean confidence, accuracy, number."""


@dataclass(frozen=True, slots=True)
class LabelMetrics:
    """The recall and precision of one label, None where undefined; `clips` is the number of clips that have it."""

    label: str
    clips: int
    recall: float | None
    precision: float | None
    int8_recall: float | None
    int8_precision: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The metrics of a model; shares are 0 to 1.

    Attributes
    ----------
    clip_accuracy, patch_accuracy
        Under a softmax, share of clips (patches) whose most probable label is present; under a sigmoid, share of those
        on which every checked label is predicted correctly.
    label_accuracy
        Under a sigmoid, share of checked labels that are predicted correctly; under a softmax, `clip_accuracy`.
    int8_patch_agreement
        Share of patches for which float and int8 predict the same.
    ece
        Expected calibration error of the clips' probabilities.
    log_loss
        Mean `heads.log_loss` of the clips, of the float network.
    unknown
        Share of clips without a prediction, because no label reaches the threshold; int8.
    confusion
        (labels, labels), rows the true labels; see `evaluation.metrics.confusion`.
    reliability
        The bins of confidence that hold any predictions.
    """

    labels: tuple[str, ...]
    head: Head
    clips: int
    clip_accuracy: float
    label_accuracy: float
    patch_accuracy: float
    int8_clip_accuracy: float
    int8_label_accuracy: float
    int8_patch_agreement: float
    ece: float
    int8_ece: float
    log_loss: float
    unknown: float
    by_label: tuple[LabelMetrics, ...]
    confusion: tuple[tuple[int, ...], ...]
    int8_confusion: tuple[tuple[int, ...], ...]
    reliability: tuple[ReliabilityBin, ...]
    int8_reliability: tuple[ReliabilityBin, ...]


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file that training used: its name without folder, its hash, and a pretrained model's name or fingerprint."""

    file: str
    sha256: str
    name: str | None = None
    fingerprint: str | None = None


@dataclass(frozen=True, slots=True)
class TrunkSource:
    """The pretrained layers that a network begins with.

    Attributes
    ----------
    fingerprint
        Changes with anything that changes their features.
    channels, scale, zero_point
        Channels of their output, and what its codes stand for.
    units
        Units of the hidden layer of the head; 0: none.
    without_unlabelled
        Whether the estimated labels of unlabelled clips were not used, because they are worse than the head's.
    middle_channels
        Channels of the middle layer, which the features have too; 0: they do not.
    head_units
        That of the settings, which the chosen head may not have; None: from before it was noted.
    """

    name: str
    sha256: str
    layers: int
    fingerprint: str
    channels: int
    scale: float
    zero_point: int
    units: int
    pools: Pools
    without_unlabelled: bool = False
    middle_channels: int = 0
    head_units: int | None = None


@dataclass(frozen=True, slots=True)
class Beside:
    """A model trained beside this one on the same labels, and the log loss of both on the same validation clips."""

    model: int
    architecture: str
    log_loss: float | None
    own_log_loss: float | None

    @property
    def is_better(self) -> bool:
        """Whether the other one is known to be better."""
        return None not in (self.log_loss, self.own_log_loss) and (self.log_loss or 0.0) < (self.own_log_loss or 0.0)


@dataclass(frozen=True, slots=True)
class Comparison:
    """The last training from scratch: its clips and labels, and the log loss of it and of a warm start beside it."""

    clips: int
    labels: tuple[str, ...]
    warm_log_loss: float | None = None
    from_scratch_log_loss: float | None = None


@dataclass(frozen=True, slots=True)
class PretrainedComparison:
    """The last comparison of a pretrained model that might suggest labels with a model trained here.

    Attributes
    ----------
    clips, labels
        What both were given then.
    is_worse
        Whether it did worse; else it was not compared.
    """

    pretrained: str
    clips: int
    labels: tuple[str, ...]
    why: str
    is_worse: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """What is known of a trained model.

    Attributes
    ----------
    labels
        Names in the order of the network's outputs.
    background
        The one of `labels` that is no label of the project but the class of "none of these"; None without one.
    stream_rule
        Makes events of the patches of a stream; the default in a card that has none.
    labels_seen, pool_clips, validation_clips
        Labelled clips, unlabelled clips it was trained on, and those of the first it was validated on.
    background_windows
        Windows of checked recordings without any label that it was trained or validated on.
    several_labels_clips, assumed_absent
        See `training.targets.TrainingSet`.
    teacher, embedding_model, backbone
        Files it was trained with: the teacher model, the pretrained model whose embeddings are its input, the weights
        it started with.
    trunk
        The pretrained layers it begins with; None for a network trained whole.
    worse_pretrained
        The pretrained model that did worse than it, or than a model before it, on the same labels.
    parent, compared
        The model a warm start continued; the last training from scratch.
    measured
        On the validation clips; None without any.
    """

    architecture: str
    frontend: dict[str, bool | int | float | str]
    fingerprint: str
    labels: tuple[str, ...]
    clip_rule: ClipRule
    stream_rule: StreamRule = field(default_factory=StreamRule)
    card_version: int = CARD_VERSION
    int8_sha256: str = ""
    parameters: int = 0
    macc: int = 0
    background: str | None = None
    several_labels_clips: int = 0
    assumed_absent: tuple[str, ...] = ()
    labels_seen: int = 0
    pool_clips: int = 0
    background_windows: int = 0
    validation_clips: int = 0
    teacher: SourceFile | None = None
    embedding_model: SourceFile | None = None
    backbone: SourceFile | None = None
    trunk: TrunkSource | None = None
    beside: Beside | None = None
    worse_pretrained: PretrainedComparison | None = None
    skipped: tuple[Skipped, ...] = ()
    seed: int = 0
    test_fold: int | None = None
    seconds: float = 0.0
    patches: int = 0
    losses: tuple[tuple[int, float], ...] = ()
    budget_s: float | None = None
    parent: int | None = None
    compared: Comparison | None = None
    versions: dict[str, str] | None = None
    measured: Measured | None = None

    @property
    def stream_thresholds(self) -> tuple[float, ...]:
        """Probability at which an event of each label begins: its own, else the clip rule's, else 0.5."""
        return self.stream_rule.thresholds or (self.clip_rule.threshold or DEFAULT_THRESHOLD,) * len(self.labels)

    @property
    def clip_accuracy(self) -> float | None:
        """Share of the validation clips right, float; None where there are none."""
        return self.measured.clip_accuracy if self.measured else None

    @property
    def int8_clip_accuracy(self) -> float | None:
        """The same of the int8 network."""
        return self.measured.int8_clip_accuracy if self.measured else None

    @property
    def log_loss(self) -> float | None:
        """The mean log loss of the validation clips; None where there are none."""
        return self.measured.log_loss if self.measured else None

    def to_json(self) -> str:
        """Return the text of `card.json`."""
        values = asdict(self)
        measured = values.pop("measured") or {}
        return json.dumps({**values, **measured}, ensure_ascii=False, indent=2) + "\n"


_MEASURED = frozenset(one.name for one in fields(Measured))
# A rule must be read whole: without a field that a newer version added, its scores are others.
_RULES: dict[str, frozenset[str]] = {
    name: frozenset(one.name for one in fields(rule))
    for name, rule in (("clip_rule", ClipRule), ("stream_rule", StreamRule))
}


def card_from_json(text: str, *, file: Path | None = None) -> ModelCard:
    """Read the text of a `card.json`.

    Raises
    ------
    LabeltoolError
        When it is no card, or one of a newer version; it names `file`.
    """
    import msgspec

    try:
        values = parse_json(text)
    except ValueError as error:
        raise LabeltoolError(f"is damaged: {error}", file=file) from error
    try:
        if values["card_version"] > CARD_VERSION:
            raise LabeltoolError("was written by a newer labeltool", file=file, remedy="update labeltool")
        for name, known in _RULES.items():
            if unknown := sorted(set(values.get(name, ())) - known):
                raise ValueError(f"unknown field {unknown[0]!r} of the {name.replace('_', ' ')}")
        card = msgspec.convert(_nested(values), ModelCard)
        if len(card.stream_thresholds) != len(card.labels):
            raise ValueError(f"{len(card.stream_thresholds)} thresholds for {len(card.labels)} labels")
        if card.background not in (None, *card.labels):
            raise ValueError(f"background {card.background!r} is not a label")
        return card
    except (KeyError, TypeError, ValueError) as error:
        raise LabeltoolError(f"is not a model card: {error}", file=file) from error


def _nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Put the metrics of a flat card into one value of their own."""
    if not values.keys() >= _MEASURED:
        return dict(values)
    return {**values, "measured": {name: values[name] for name in _MEASURED}}
