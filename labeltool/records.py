"""The records that walk through the house: plain frozen data, no behaviour, no imports of ours.

Importers yield them, the store takes them in and hands them out. Times are seconds from the start of the recording,
frequencies hertz. A recording is known by the SHA-256 of its file's bytes, a clip by its recording's hash and its span,
a label by its name: so a record means the same in somebody else's project.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Value(StrEnum):
    """What a verdict says of a label on a clip. No verdict at all is a fourth thing: unchecked."""

    PRESENT = "present"
    ABSENT = "absent"
    UNSURE = "unsure"


@dataclass(frozen=True, slots=True)
class Recording:
    """A sound file.

    `path` is absolute. `group` names what must never be parted in a split (a source recording, a session); recordings
    with equal content share all their groups. `frames` counts sample frames at `sample_rate_hz`.
    """

    path: str
    sha256: str
    sample_rate_hz: int
    channels: int
    frames: int
    group: str
    licence: str | None = None

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
    """Somebody's word on one label for one clip.

    `label` None speaks of the clip as a whole: absent means "none of the project's labels", unsure "cannot tell".
    `start_s`, `end_s`, `low_hz`, `high_hz` are bounds inside the recording where the verdict is narrower than its clip
    or more exact; `confidence` is the source's own, usually 0 to 1. `file` and `line` say where an import read it.
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


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something an importer did not take, or did not take as it stood, and why."""

    file: str
    line: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Heard:
    """What a model running elsewhere, on a board say, made of a clip.

    `model` is the beginning of the SHA-256 of its int8 file, in hex; `scores` are probabilities in the order of its
    outputs.
    """

    clip: Clip
    model: str
    scores: tuple[float, ...]


Imported = Recording | Clip | Verdict | Heard | Skipped
"""What an importer yields. A clip comes after its recording, what is said of it after the clip."""


@dataclass(frozen=True, slots=True)
class StoredClip:
    """A clip as the store hands it out.

    `path` is where its recording was last seen (absolute); `group` is the smallest set that may not be parted: groups
    that share a recording by content are already joined into one.
    """

    id: int
    recording_id: int
    path: str
    sha256: str
    start_s: float
    end_s: float
    fold: int | None
    group: str

    @property
    def key(self) -> str:
        """The clip's name in caches: the same wherever its recording lies."""
        return f"{self.sha256}@{self.start_s:.6f}-{self.end_s:.6f}"


@dataclass(frozen=True, slots=True)
class LabelledClip:
    """A clip with the verdicts that stand on it, label name to value; `none_of_these` when that was said."""

    clip: StoredClip
    verdicts: Mapping[str, Value]
    none_of_these: bool = False

    @property
    def present(self) -> tuple[str, ...]:
        """The labels heard, sorted by name."""
        return tuple(sorted(name for name, value in self.verdicts.items() if value is Value.PRESENT))


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What a model holds of a clip: label name to calibrated probability, most probable first.

    `background` is the probability that it is none of them; where `independent`, each label is judged for itself, and
    the probabilities sum to anything.
    """

    clip_id: int
    model_id: int
    probabilities: Mapping[str, float]
    background: float = 0.0
    independent: bool = False


@dataclass(frozen=True, slots=True)
class Event:
    """A stretch of a recording in which a model hears a label, seconds; `probability` is the highest in it."""

    label: str
    start_s: float
    end_s: float
    probability: float


@dataclass(frozen=True, slots=True)
class Word:
    """A word that was heard, seconds of the recording; `probability` is the speech model's own."""

    start_s: float
    end_s: float
    text: str
    probability: float


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of speech, a sentence or less, seconds of the recording; `words` where they were asked for."""

    start_s: float
    end_s: float
    text: str
    words: tuple[Word, ...] = ()


@dataclass(frozen=True, slots=True)
class Transcript:
    """What a speech model heard said in a clip; without segments where it heard nothing said.

    `model` is its name, `model_sha256` the content hash of its weights; `language` is a code such as `en`, with its
    probability where the model found it out, None where it was told. `asked` says how the model was asked.
    """

    clip_id: int
    model: str
    model_sha256: str
    language: str
    language_probability: float | None
    segments: tuple[Segment, ...]
    asked: str
    made_at: str = ""

    @property
    def text(self) -> str:
        """What was said, on one line."""
        return " ".join(segment.text for segment in self.segments)
