"""What a report says, as plain data: shares are 0 to 1, times seconds unless a name says otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from labeltool.annotation.people.agreement import ProjectAgreement
from labeltool.annotation.speed import AnnotationStatistics, LabelsSaved
from labeltool.evaluation.call_density import CallDensity
from labeltool.evaluation.intervals import Share
from labeltool.evaluation.report import CurvePoint
from labeltool.evaluation.thresholds import ThresholdRow
from labeltool.networks.model_card import ReliabilityBin

if TYPE_CHECKING:
    from labeltool.type_aliases import Float32


@dataclass(frozen=True, slots=True)
class ClassCount:
    """A label: the clips where it is present, absent or unsure, the groups these come from, those in the test set."""

    label: str
    clips: int
    absent: int
    unsure: int
    groups: int
    locked: int


@dataclass(frozen=True, slots=True)
class DataSet:
    """The data of a project.

    Attributes
    ----------
    hours
        Of all clips.
    excluded
        Clips that are excluded as bad audio.
    groups
        Sets of recordings that a split keeps together.
    classes
        The most frequent first.
    licences
        With their recordings, the most frequent first; "" where none is known.
    folds
        With their clips; empty where the source fixed none.
    largest_to_smallest
        How many times as many clips the most frequent label has as the rarest; None with fewer than two labels.
    even_classes
        The number of equally frequent labels that would have the same entropy; None likewise.
    agreement
        Of annotators; None where no clip has labels of two.
    """

    recordings: int
    clips: int
    labelled: int
    unlabelled: int
    excluded: int
    hours: float
    groups: int
    annotators: int
    classes: tuple[ClassCount, ...]
    licences: tuple[tuple[str, int], ...]
    folds: tuple[tuple[int, int], ...]
    largest_to_smallest: float | None
    even_classes: float | None
    agreement: ProjectAgreement | None


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """Precision and recall of a label on the clips that the model is judged by, with 95 % intervals, or None."""

    label: str
    clips: int
    precision: Share | None
    recall: Share | None
    int8_precision: Share | None
    int8_recall: Share | None


@dataclass(frozen=True, slots=True)
class Precision:
    """How well a form of the model does: float, int8, the C of a package; None where not measured.

    `why` says why it was not, or of the C on which clips it was.
    """

    name: str
    clips: int | None
    accuracy: float | None
    interval: Share | None
    ece: float | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class SavedThreshold:
    """A label's threshold in a stream, and what was measured there, where it was."""

    label: str
    threshold: float
    precision: Share | None
    recall: float | None
    source: str


@dataclass(frozen=True, slots=True)
class CrossValidation:
    """The cross-validation that was stored last, on `date`, with its number of labels: models trained for each fold."""

    clips: int
    folds: int
    accuracy: float
    int8_accuracy: float
    date: str
    labels: int


@dataclass(frozen=True, slots=True)
class ModelPart:
    """A model, measured on clips that it was not trained on.

    Attributes
    ----------
    measured_on
        Which clips these are, in words.
    unseen_labels
        Labels of clips that the model has no output for, and which count as wrong.
    confusion : (labels, labels)
        Rows the true labels, columns the predicted ones; float.
    """

    id: int
    architecture: str
    parameters: int
    labels_seen: int
    created_at: str
    measured_on: str
    clips: int
    labels: tuple[str, ...]
    unseen_labels: tuple[str, ...]
    independent: bool
    precisions: tuple[Precision, ...]
    by_label: tuple[ClassFigures, ...]
    confusion: tuple[tuple[int, ...], ...]
    calibration: tuple[ReliabilityBin, ...]
    int8_calibration: tuple[ReliabilityBin, ...]
    thresholds: tuple[ThresholdRow, ...]
    saved_thresholds: tuple[SavedThreshold, ...]
    curve: tuple[CurvePoint, ...]
    cross_validation: CrossValidation | None


@dataclass(frozen=True, slots=True, eq=False)
class Media:
    """The picture (PNG) and the sound (MP3) of a clip; `problem` says why one is missing."""

    picture: bytes | None = None
    sound: bytes | None = None
    top_hz: float = 0.0
    shown_s: float = 0.0
    problem: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Mistake:
    """A clip that the model is wrong about.

    Attributes
    ----------
    true, predicted
        Its labels, and those that the model predicts; either may be empty.
    confidence
        The probability of the wrong decision of which the model is most certain.
    scores
        The most probable labels.
    part
        What the clip is to the model, in words: a test clip, a validation clip, or another.
    name
        File and times; "" in a report that is shared.
    """

    clip: int
    true: tuple[str, ...]
    predicted: tuple[str, ...]
    confidence: float
    scores: tuple[tuple[str, float], ...]
    part: str
    name: str
    notes: tuple[str, ...]
    media: Media


@dataclass(frozen=True, slots=True)
class Mistakes:
    """The most confident mistakes, of `total`."""

    total: int
    shown: tuple[Mistake, ...]

    @property
    def audible(self) -> int:
        """The number of those that can be played."""
        return sum(one.media.sound is not None for one in self.shown)


@dataclass(frozen=True, slots=True, eq=False)
class MapClip:
    """A clip on the map; `mistake` links it to the error that is shown of it."""

    clip: int
    labels: tuple[str, ...]
    predicted: str
    name: str
    mistake: bool
    sound: bytes | None


@dataclass(frozen=True, slots=True, eq=False)
class MapPart:
    """The map of clips.

    Attributes
    ----------
    by
        What clips are compared by.
    total
        Clips of the project that can be read: of many, only a sample is on the map.
    points : (clips, 2) float32
    """

    by: str
    total: int
    clips: tuple[MapClip, ...]
    points: Float32


@dataclass(frozen=True, slots=True)
class WayOfLabelling:
    """Clips that got their labels in one way, and the minutes of people that took; None where no time is known."""

    way: str
    clips: int
    minutes: float | None


@dataclass(frozen=True, slots=True)
class Labelling:
    """What was asked of people, and what it saved.

    Attributes
    ----------
    strategy
        The query strategy that orders the queue.
    ways
        Each clip counts once, by its last verdict; relabelling without a time counts only where no other has one.
    saved_minutes
        Estimate: the clips that were labelled together, at the median time of a single one, less the time they took;
        negative where that was more.
    simulated
        The last `labeltool simulate`.
    """

    strategy: str
    statistics: AnnotationStatistics
    ways: tuple[WayOfLabelling, ...]
    saved_minutes: float | None
    simulated: LabelsSaved | None


@dataclass(frozen=True, slots=True)
class Missing:
    """A part that the report does not have, and why."""

    part: str
    why: str


@dataclass(frozen=True, slots=True)
class Report:
    """Everything on the page.

    Attributes
    ----------
    title
        The project's name; "" in a report that is shared.
    is_shared
        Whether it is without sound, paths, names of files and people, notes and sites.
    skipped
        Files that could not be read, each with its reason; without names in a report that is shared.
    """

    title: str
    created_at: str
    version: str
    is_shared: bool
    data_set: DataSet
    model: ModelPart | None
    mistakes: Mistakes | None
    map: MapPart | None
    labelling: Labelling
    density: CallDensity | None
    missing: tuple[Missing, ...]
    skipped: tuple[str, ...]
