"""Which of a pretrained model's classes suggest which of the project's labels.

`mapping.toml` beside the model's card is what a person wants. For labels that it does not name, classes are proposed
anew each time: by name, compared word by word without a dictionary, and by the annotations so far.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from labeltool.errors import LabeltoolError
from labeltool.pretrained.class_names import classes_by_name, closest
from labeltool.records import label_name
from labeltool.type_aliases import Bools, Float32, Int64
from labeltool.util.files.atomic_write import write_text
from labeltool.util.files.bounded_read import MAX_TOML_BYTES, parse_toml, read_text
from labeltool.util.files.writable import writing_to

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

MAPPING_FILE = "mapping.toml"

Reason = Literal["by hand", "by name", "by answers", "none"]
"""Where a label's classes come from; "by answers": from the annotations."""

_PREAMBLE = """\
# Which classes of this model suggest which label: label = ["Class", "Another class"]
# What is written here counts. A label that is not here is mapped anew each time; [] lets no class suggest it.
"""

# A class is detected in a clip where its score, the mean over windows, reaches this, 0 to 1.
_DETECTION_THRESHOLD = 0.05
# A class is proposed by annotations when it is detected in this many clips of the label, and in this share of them,
_MIN_CLIPS = 3
_MIN_SHARE = 0.5
# and this many times as often as in the clips of any other label.
_MIN_LIFT = 3.0
# A name is given up after this many clips of the label at the earliest: the unusual ones are asked about first.
_MIN_CLIPS_AGAINST_NAME = 5
# Only the most specific ones: broader ones follow.
_MAX_CLASSES = 3


@dataclass(frozen=True, slots=True)
class LabelMapping:
    """A label, the indices of the classes that suggest it, and where that comes from."""

    label: str
    classes: tuple[int, ...]
    reason: Reason


def map_labels(
    folder: Path,
    classes: Sequence[str],
    labels: Sequence[str],
    *,
    scores: Float32 | None = None,
    present: Bools | None = None,
) -> list[LabelMapping]:
    """Map labels to classes: as the file has it, else by name and by annotations.

    Parameters
    ----------
    folder
        The model's; `mapping.toml` may be there.
    classes
        The model's, in the order of its scores.
    scores : (clips, classes) float32, optional
        Class scores of the annotated clips.
    present : (clips, labels) bool, optional
        Which labels were annotated as present in them.

    Raises
    ------
    LabeltoolError
        When the file cannot be read, or names a class that the model does not have.
    """
    by_hand = read_mapping(folder, classes)
    return [
        LabelMapping(one.label, by_hand[one.label], "by hand") if one.label in by_hand else one
        for one in propose_mapping(classes, labels, scores=scores, present=present)
    ]


def propose_mapping(
    classes: Sequence[str], labels: Sequence[str], *, scores: Float32 | None = None, present: Bools | None = None
) -> list[LabelMapping]:
    """Map labels to classes by name and by annotations, whatever the file has; parameters as of `map_labels`."""
    annotated = classes_by_annotations(scores, present) if scores is not None and present is not None else {}
    mapping = []
    for column, label in enumerate(labels):
        by_name, by_annotations = classes_by_name(classes, label), annotated.get(column, ())
        # A name that annotations support, or do not contradict yet, is the better guide.
        if by_name and not (by_annotations and _rarely_detected(scores, present, column, by_name)):
            mapping.append(LabelMapping(label, by_name, "by name"))
        else:
            mapping.append(LabelMapping(label, by_annotations, "by answers" if by_annotations else "none"))
    return mapping


def count_detections(scores: Float32, present: Bools) -> Int64:
    """Count in how many clips of each label each class is detected: (labels, classes)."""
    return np.asarray(present.T.astype(np.int64) @ (scores >= _DETECTION_THRESHOLD).astype(np.int64))


def classes_by_annotations(scores: Float32, present: Bools) -> dict[int, tuple[int, ...]]:
    """Return, label by label, the classes that separate its clips from the others'.

    Parameters
    ----------
    scores : (clips, classes) float32
    present : (clips, labels) bool

    Returns
    -------
    dict
        Index of a label to indices of classes, the most specific first; a class belongs to one label at most.
    """
    if present.shape[1] < 2 or not len(present):
        return {}
    detections = count_detections(scores, present).astype(np.float64)
    clips = present.sum(axis=0)[:, None].astype(np.float64)
    # As if each label had one clip more, with the class detected by half: three of three are no certainty.
    shares = (detections + 0.5) / (clips + 1.0)
    label = shares.argmax(axis=0)
    column = np.arange(scores.shape[1])
    others = shares.copy()
    others[label, column] = 0.0
    lift = shares[label, column] / np.maximum(others.max(axis=0), 1e-9)
    enough = (detections[label, column] >= _MIN_CLIPS) & (detections[label, column] >= _MIN_SHARE * clips[label, 0])
    found: dict[int, list[int]] = {}
    for one in np.argsort(-lift, kind="stable"):
        chosen = found.setdefault(int(label[one]), [])
        if enough[one] and lift[one] >= _MIN_LIFT and len(chosen) < _MAX_CLASSES:
            chosen.append(int(one))
    return {index: tuple(chosen) for index, chosen in found.items() if chosen}


def label_scores(scores: Float32, mapping: Sequence[LabelMapping]) -> Float32:
    """Return scores of labels by scores of classes, `(clips, classes)` to `(clips, labels)`.

    Of several classes the largest score counts: they are names of one thing ("Dog", "Bark") that are detected together,
    and their sum would prefer the label with most classes.
    """
    by_label = np.zeros((len(scores), len(mapping)), np.float32)
    for column, one in enumerate(mapping):
        if one.classes:
            by_label[:, column] = scores[:, list(one.classes)].max(axis=1)
    return by_label


def read_mapping(folder: Path, classes: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Read what a person wants: label to indices of classes; empty where there is no file.

    Raises
    ------
    LabeltoolError
        When it cannot be read, or names a class that the model does not have.
    """
    import msgspec

    path = folder / MAPPING_FILE
    try:
        entries = parse_toml(read_text(path, MAX_TOML_BYTES))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise LabeltoolError(f"cannot be read as a mapping: {error}", file=path) from error
    indices = {name: index for index, name in reversed(list(enumerate(classes)))}
    folded = {name.casefold(): index for name, index in indices.items()}
    mapping: dict[str, tuple[int, ...]] = {}
    for label, value in entries.items():
        try:
            names = msgspec.convert([value] if isinstance(value, str) else value, list[str])
        except msgspec.ValidationError as error:
            reason = f"{label[:80]!r} needs a list of classes"
            raise LabeltoolError(reason, file=path, remedy='label = ["Class"]') from error
        found = []
        for name in names:
            index = indices.get(name, folded.get(name.casefold()))
            if index is None:
                remedy = f"did you mean {closest(name[:80], classes)!r}?"
                raise LabeltoolError(f"there is no class {name[:80]!r}", file=path, remedy=remedy)
            found.append(index)
        mapping[label] = tuple(dict.fromkeys(found))
    return {**{label_name(label): indices for label, indices in mapping.items()}, **mapping}


def add_to_mapping(folder: Path, classes: Sequence[str], mapping: Sequence[LabelMapping]) -> bool:
    """Write labels that the file does not name behind what is in it; return whether there were any."""
    existing = read_mapping(folder, classes)
    new = [one for one in mapping if one.label not in existing and one.classes]
    if not new:
        return False

    def add(document: TOMLDocument) -> None:
        for one in new:
            document[one.label] = [classes[index] for index in one.classes]

    _edit(folder, add)
    return True


def set_mapping(folder: Path, classes: Sequence[str], label: str, indices: Sequence[int]) -> None:
    """Write which classes a label gets, in place of its entry in the file.

    Nothing else is changed there, and comments stay; one behind a class on a line of its own goes with that class.

    Raises
    ------
    LabeltoolError
        As `read_mapping`.
    """
    read_mapping(folder, classes)
    names = [classes[index] for index in indices]

    def replace(document: TOMLDocument) -> None:
        from tomlkit.items import Array

        entry = document.get(label)
        if not isinstance(entry, Array):
            document[label] = names
            return
        # In place: a new list would lose the comments inside.
        for place in reversed(range(len(entry))):
            if str(entry[place]) not in names:
                del entry[place]
        for name in names:
            if name not in entry:
                entry.append(name)

    _edit(folder, replace)


def _edit(folder: Path, change: Callable[[TOMLDocument], None]) -> None:
    import tomlkit  # light commands need not pay for it

    path = folder / MAPPING_FILE
    text = read_text(path, MAX_TOML_BYTES) if path.exists() else _PREAMBLE
    document = tomlkit.parse(text if text.endswith("\n") or not text else f"{text}\n")
    change(document)
    with writing_to(path):
        write_text(path, tomlkit.dumps(document))


def _rarely_detected(scores: Float32 | None, present: Bools | None, label: int, classes: Sequence[int]) -> bool:
    """Return whether classes are detected in few clips of a label, of which there are enough to judge."""
    if scores is None or present is None:
        return False
    detected = scores[present[:, label]][:, list(classes)].max(axis=1) >= _DETECTION_THRESHOLD
    return len(detected) >= _MIN_CLIPS_AGAINST_NAME and float(detected.mean()) < _MIN_SHARE
