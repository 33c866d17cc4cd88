"""The data model: frozen dataclasses that importers yield and the store accepts and returns.

Times are seconds from the start of the recording, frequencies hertz. A recording is identified by the SHA-256 of its
file's bytes (of those that were seen first, where tags or the encoding were changed since), a clip by its recording's
hash and its span, a label by its name: so a record means the same in another project.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from labeltool.errors import LabeltoolError, in_one_line
from labeltool.hierarchy import NO_HIERARCHY, Hierarchy

if TYPE_CHECKING:
    import pandas as pd

# Characters without a width that no name needs: zero-width space, word joiner, byte order mark, soft hyphen, marks of
# the direction of writing (text has one by its letters). Joiners stay: Persian and emoji need them.
_INVISIBLE = dict.fromkeys(
    [0x200B, 0x2060, 0xFEFF, 0xAD, 0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
)

MAX_LABEL_CHARACTERS = 1000
"""A label is a name: every model's card has all of them, and a card has its bounds too."""


Carried = Literal["regions", "bands", "absent", "unsure", "confidence", "groups", "folds", "licence"]
"""What a format can say of a label or a recording, beside which label it is: bands are frequency ranges."""


def label_name(text: str) -> str:
    """Return the name of a label: composed (NFC), without blanks at its ends, one plain blank for any others.

    Names that look alike are one label, whoever typed or exported them.
    """
    return " ".join(unicodedata.normalize("NFC", text.translate(_INVISIBLE)).split())


class Value(StrEnum):
    """Value of a verdict on a label for a clip. No verdict at all is a fourth state: unchecked."""

    PRESENT = "present"
    ABSENT = "absent"
    UNSURE = "unsure"


@dataclass(frozen=True, slots=True)
class Recording:
    """A sound file.

    `path` is absolute. `group` names recordings that must stay on one side of a split (a source recording, a session);
    recordings with equal content share all their groups. It is `sha256` where nothing else is known, and `grouped_by`
    is who named it: the source, a person who asked for it (`--group-by`), or the names of the files; a
    recording that has a group in the project keeps it against the last two. `frames` counts sample frames at
    `sample_rate_hz`. `samples_sha256` is of the decoded samples (`audio.sound_reader`), None where it is not known;
    `columns` are the source's own about the recording (site, device), as pairs of name and value; `recorder_columns`
    those that its recorder wrote into the file, which count where the project has no value yet. `fault` is why parts of
    the file cannot be read; it is shown, not stored.
    """

    path: str
    sha256: str
    sample_rate_hz: int
    channels: int
    frames: int
    group: str
    licence: str | None = None
    samples_sha256: str | None = None
    columns: tuple[tuple[str, str], ...] = ()
    recorder_columns: tuple[tuple[str, str], ...] = ()
    grouped_by: Literal["source", "person", "names"] = "source"
    fault: str | None = None

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.frames / self.sample_rate_hz


@dataclass(frozen=True, slots=True)
class Clip:
    """A span of a recording, `0 <= start_s < end_s`; `fold` (1, 2, ...) only where the source fixes one."""

    recording_sha256: str
    start_s: float
    end_s: float
    fold: int | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """One judgement on one label for one clip.

    `label` None is the clip as a whole: absent means "none of the project's labels", unsure "cannot tell". `start_s`,
    `end_s`, `low_hz`, `high_hz` are bounds inside the recording where the verdict is narrower than its clip or more
    exact; `confidence` is the source's own, usually 0 to 1. `file` and `line` are where an import read it.
    """

    clip: Clip
    label: str | None
    value: Value = Value.PRESENT
    start_s: float | None = None
    end_s: float | None = None
    low_hz: float | None = None
    high_hz: float | None = None
    confidence: float | None = None
    track: str | None = None
    file: str | None = None
    line: int | None = None


MAX_TABLE_ROWS = 100_000
"""Of one `VerdictTable`."""


@dataclass(frozen=True, slots=True, eq=False)
class VerdictTable:
    """Many clips and verdicts at once, one row each; it comes after its recordings.

    Attributes
    ----------
    rows
        At most `MAX_TABLE_ROWS` rows, in the order of their file, with these columns:

        - `recording_sha256` (object, str);
        - `start_us`, `end_us` (int64): the clip, whole microseconds of its recording;
        - `fold` (Int64): of the clip, <NA> without one;
        - `label` (object, str): as the source has it; None: the clip as a whole;
        - `value` (object, str): a `Value`; "present" without a label: the clip alone, without a verdict;
        - `start_s`, `end_s`, `low_hz`, `high_hz`, `confidence` (float64), NaN where not known, and `track`, `file`
          (object, str or None), `line` (Int64): as in a `Verdict`.
    """

    rows: pd.DataFrame


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that was skipped, or changed before it was stored, and why; the reason does not name the place."""

    file: str
    line: int | None = None
    reason: str = ""

    @classmethod
    def of(cls, error: LabeltoolError, file: str | Path = "") -> Self:
        """Return a failure: of the place that it names, or of `file` where that is the same or it names none."""
        is_of_file = error.file in (None, str(file), str(Path(file).resolve()))
        place = str(file) if file and is_of_file else error.file or ""
        return cls(in_one_line(place), error.line, in_one_line(error.without_place))

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.reason}" if place else self.reason


def skipped_files(errors: Iterable[LabeltoolError]) -> tuple[Skipped, ...]:
    """Return the files that failed and why, once a file, however many of its clips failed."""
    return tuple({error.file: Skipped.of(error) for error in errors}.values())


@dataclass(frozen=True, slots=True)
class Note(Skipped):
    """What an importer assumed of a file of which it skipped nothing."""


@dataclass(frozen=True, slots=True)
class GroupsNote(Note):
    """Which groups an import gave its recordings; it is about nothing where the project keeps those it has."""


@dataclass(frozen=True, slots=True)
class Damaged(Note):
    """A file that was imported, though parts of it cannot be read."""


@dataclass(frozen=True, slots=True)
class Failed(Skipped):
    """A file that could not be imported, while others were: a part of the work failed."""


@dataclass(frozen=True, slots=True)
class DevicePrediction:
    """Scores of a clip by a model that ran elsewhere, on an MCU say.

    `model` is the beginning of the SHA-256 of its int8 file, in hex; `scores` are probabilities in the order of its
    outputs.
    """

    clip: Clip
    model: str
    scores: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class DeviceEvent:
    """A span of a recording in which a device detected a label, in seconds.

    `label` is its index in the model's outputs; `peak` the largest smoothed probability.
    """

    label: int
    start_s: float
    end_s: float
    peak: float


@dataclass(frozen=True, slots=True)
class DeviceDetections:
    """All events that a device reported in a recording; none, where it reported none.

    `model` is the beginning of the SHA-256 of its int8 file, in hex; `labels` is its number of outputs.
    """

    recording_sha256: str
    model: str
    labels: int
    events: tuple[DeviceEvent, ...]


@dataclass(frozen=True, slots=True)
class Checked:
    """A part of a recording in which every sound is labelled: outside its labelled regions no label is present."""

    recording_sha256: str
    start_s: float
    end_s: float


Imported = Recording | Clip | Verdict | VerdictTable | Checked | DevicePrediction | DeviceDetections | Skipped
"""What an importer yields.

A clip comes after its recording; its verdicts and predictions come after the clip, detections after the recording. What
is checked comes after the verdicts, whose labels it knows.
"""


def clip_key(sha256: str, start_s: float, end_s: float) -> str:
    """Return `StoredClip.key`."""
    return f"{sha256}@{start_s:.6f}-{end_s:.6f}"


@dataclass(frozen=True, slots=True)
class StoredClip:
    """A clip in the store.

    `path` is absolute, the last known place of its recording; `group` is the smallest set that a split keeps together:
    groups that share a recording by content are already joined into one. `samples_sha256` is of the decoded samples,
    None where no import has seen them.
    """

    id: int
    recording_id: int
    path: str
    sha256: str
    start_s: float
    end_s: float
    fold: int | None
    group: str
    samples_sha256: str | None = None

    @property
    def key(self) -> str:
        """The clip's name in caches: the same wherever its recording is."""
        return clip_key(self.sha256, self.start_s, self.end_s)


@dataclass(frozen=True, slots=True)
class LabelledClip:
    """A clip with its current verdicts.

    Attributes
    ----------
    verdicts
        Label name to value.
    none_of_these
        A verdict that no label is present.
    """

    clip: StoredClip
    verdicts: Mapping[str, Value]
    none_of_these: bool = False
    hierarchy: Hierarchy = NO_HIERARCHY

    @property
    def present(self) -> tuple[str, ...]:
        """The labels that are present, sorted by name."""
        return tuple(sorted(name for name, value in self.verdicts.items() if value is Value.PRESENT))

    def at_level(self, level: int) -> LabelledClip:
        """Return the clip with the labels of a level of detail, 0 the most general, in the place of those below."""
        verdicts: dict[str, Value] = {}
        for name, value in self.all_verdicts.items():
            general = self.hierarchy.at_level(name, level)
            if value is Value.PRESENT:
                verdicts[general] = value
            elif general == name:  # of a more general one nothing is known
                verdicts.setdefault(name, value)
        return LabelledClip(self.clip, verdicts, self.none_of_these)

    @property
    def all_verdicts(self) -> Mapping[str, Value]:
        """The verdicts, and what they mean for labels above and below, see `Hierarchy`; unsure where that is open."""
        if self.hierarchy is NO_HIERARCHY:
            return self.verdicts
        by_value = {value: [name for name, given in self.verdicts.items() if given is value] for value in Value}
        return {
            **dict.fromkeys(self.hierarchy.below(by_value[Value.PRESENT]), Value.UNSURE),
            **dict.fromkeys(self.hierarchy.below(by_value[Value.ABSENT]), Value.ABSENT),
            **dict.fromkeys(self.hierarchy.above(by_value[Value.PRESENT]), Value.PRESENT),
            **self.verdicts,
        }


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A model's prediction for a clip: label name to calibrated probability, most probable first.

    `background` is the probability of none of the labels; where `independent`, each label is a decision of its own
    (sigmoid), and the probabilities need not sum to 1.
    """

    clip_id: int
    model_id: int
    probabilities: Mapping[str, float]
    background: float = 0.0
    independent: bool = False


@dataclass(frozen=True, slots=True)
class Event:
    """A span of a recording in which a model detected a label, in seconds; `probability` is its maximum there."""

    label: str
    start_s: float
    end_s: float
    probability: float


@dataclass(frozen=True, slots=True)
class Word:
    """A word in a transcript, in seconds of the recording; `probability` is the speech model's own."""

    start_s: float
    end_s: float
    text: str
    probability: float


@dataclass(frozen=True, slots=True)
class Segment:
    """A span of speech, a sentence or less, in seconds of the recording; `words` where word times were requested."""

    start_s: float
    end_s: float
    text: str
    words: tuple[Word, ...] = ()


@dataclass(frozen=True, slots=True)
class Transcript:
    """A speech model's transcript of a clip; without segments where it recognised no speech.

    `model` is its name, `model_sha256` the content hash of its weights; `language` is a code such as `en`, with its
    probability where the model detected it, None where it was given. `options` are the model's settings (JSON).
    """

    clip_id: int
    model: str
    model_sha256: str
    language: str
    language_probability: float | None
    segments: tuple[Segment, ...]
    options: str
    created_at: str = ""

    @property
    def text(self) -> str:
        """The whole text, on one line."""
        return " ".join(segment.text for segment in self.segments)
