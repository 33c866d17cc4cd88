"""The labels that a model detects in a recording, and the threshold of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from labeltool.errors import LabeltoolError
from labeltool.inference.device_detector import DeviceDetector
from labeltool.inference.window_scorers import ModelChoice, PretrainedScorer, WindowScorer
from labeltool.pretrained import class_mapping
from labeltool.pretrained.class_mapping import LabelMapping
from labeltool.project import Project
from labeltool.store import Store, clips, models
from labeltool.store.detections import scans
from labeltool.store.detections.operating_points import OperatingPoint, Source, points_in_use
from labeltool.type_aliases import Float32

_NAMED_IN_ERROR = 12


@dataclass(frozen=True, slots=True)
class Targets:
    """The labels to detect: the scorer's classes that are mapped to each, its threshold, and the source of a saved one.

    `unmapped` are the project's labels that no class of a pretrained model is mapped to.
    """

    mapping: Sequence[LabelMapping]
    thresholds: Sequence[float]
    mapped: int | None
    operating_points: dict[str, Source]
    unmapped: tuple[str, ...] = ()

    @property
    def by_label(self) -> dict[str, float]:
        """The threshold of each label."""
        return dict(zip(self.labels, self.thresholds, strict=True))

    @property
    def labels(self) -> list[str]:
        """Their names."""
        return [one.label for one in self.mapping]

    def scores(self, class_scores: Iterator[Float32]) -> Iterator[Float32]:
        """Turn blocks of (windows, classes) into blocks of (windows, labels)."""
        return (class_mapping.label_scores(block, self.mapping) for block in class_scores)


def find_targets(
    project: Project | None,
    choice: ModelChoice,
    scorer: WindowScorer | DeviceDetector,
    threshold: float | None,
    thresholds: Mapping[str, float],
) -> Targets:
    """Return what to detect; labels of the project where the classes of a pretrained model are mapped to any.

    Parameters
    ----------
    threshold, thresholds
        As `DetectOptions` has them.

    Raises
    ------
    LabeltoolError
        When a threshold is for a label that the model does not have.
    """
    current_names: dict[str, str] = {}
    labels: list[str] = []
    points: dict[str, OperatingPoint] = {}
    if project is not None:
        with project.open_store() as store:
            current_names, labels = clips.current_names(store), clips.label_names(store)
            points = _operating_points(store, choice, as_device=isinstance(scorer, DeviceDetector))
    mapping: list[LabelMapping] = []
    mapped: int | None = None
    unmapped: tuple[str, ...] = ()
    if isinstance(scorer, PretrainedScorer) and labels:
        of_all = class_mapping.map_labels(scorer.folder, scorer.labels, labels)
        mapping = [one for one in of_all if one.classes]
        mapped, unmapped = len(mapping), tuple(one.label for one in of_all if not one.classes)
    mapping = mapping or _own_classes(scorer, current_names)
    unknown = thresholds.keys() - {one.label for one in mapping}
    if unknown:
        names = ", ".join(one.label for one in mapping[:_NAMED_IN_ERROR])
        more = ", ..." if len(mapping) > _NAMED_IN_ERROR else ""
        first = next(name for name in thresholds if name in unknown)
        raise LabeltoolError(f"the model has no label {first!r}", remedy=f"its labels: {names}{more}")
    chosen, used = [], {}
    for one in mapping:
        wanted = thresholds.get(one.label, threshold)
        if wanted is None and one.label in points:
            wanted, used[one.label] = points[one.label].threshold, points[one.label].source
        chosen.append(_default_threshold(scorer, one) if wanted is None else wanted)
    return Targets(mapping, chosen, mapped, used, unmapped)


def _operating_points(store: Store, choice: ModelChoice, *, as_device: bool) -> dict[str, OperatingPoint]:
    """Return the operating points of a model of the project, or of a pretrained one that detected in it, by label."""
    if choice.model_id is not None:
        return points_in_use(store, models.uid(store, choice.model_id), as_device=as_device)
    uids = (one.uid for one in scans.scanned_models(store) if one.pretrained == choice.name)
    uid = next(uids, None)
    return {} if uid is None else points_in_use(store, uid, as_device=as_device)


def _default_threshold(scorer: WindowScorer | DeviceDetector, mapping: LabelMapping) -> float:
    """Return the model's threshold of a label; of outputs that became one label the lowest counts."""
    if isinstance(scorer, DeviceDetector):
        return min(scorer.thresholds[output] for output in mapping.classes)
    return scorer.threshold


def _own_classes(scorer: WindowScorer | DeviceDetector, current_names: Mapping[str, str]) -> list[LabelMapping]:
    """Map the scorer's classes to themselves, by the labels' current names."""
    outputs: dict[str, list[int]] = {}
    for output, name in enumerate(scorer.labels):
        if name != scorer.background:
            outputs.setdefault(current_names.get(name, name), []).append(output)
    return [LabelMapping(name, tuple(those), "by name") for name, those in outputs.items()]
