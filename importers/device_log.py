"""Predictions of a device: logs that the exported C prints, and the recordings they belong to.

The log format is that of the STM32 package (`aed_run`, and firmware that prints the same), versions 1 and 2:

```
# aed_run 2 model=0123456789abcdef labels=10 rate=16000 patch_s=1.044 patch_hop_s=0.5
0.000 -128 -128 97 -101 ...
0.500 -128 -120 81 -93 ...
event 2 0.000 1.544 0.871
```

`model` is the beginning of the SHA-256 of the int8 model's file. A line gives the time of the first sample of a patch
in seconds and the network's int8 outputs; -128 stands for 0, and 127 for 255/256. With `head=sigmoid` in the header
the outputs are independent. An `event` line (version 2) is an event that the device reported: index of the label, start
and end in seconds, largest probability. `# late HALF_BUFFERS START END` says which sound the device did not process.
Other lines that begin with `#` are comments.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from labeltool.audio.files import describe
from labeltool.errors import LabeltoolError
from labeltool.importers.base import clip_of, quoted, read_each, read_text, recording_beside, recording_of
from labeltool.importers.file_kinds import describe_kind
from labeltool.records import DeviceDetections, DeviceEvent, DevicePrediction, Imported, Recording, Skipped
from labeltool.util.time_grid import MICROSECONDS, length_us

VERSIONS = (1, 2)

# What no device exceeds: a longer time, or more labels, is a damaged line.
_LONGEST_LOG_S, _LONGEST_PATCH_S, _MOST_LABELS = 1e9, 3600.0, 10_000
_MOST_PATCHES, _MOST_UNREAD = 500_000, 50_000
_SHORTEST_CLIP_S = 1e-6
_MODEL = re.compile("[0-9a-f]{8,64}")
_HEADER = re.compile(r"# aed_run (\d{1,9})((?: \w+=\S+)*)\s*$")
_LATE = re.compile(r"# late \d+ (\d+\.\d+) (\d+\.\d+)\s*$")
_REMEDY = "give the output of aed_run, or of firmware made with the STM32 package"
# Half an int8 step of a softmax: a score of 0 stands for probabilities up to this.
_SMALLEST = 1 / 512


@dataclass(frozen=True, slots=True, order=True)
class DevicePatch:
    """A patch of a log: its start in seconds, and a probability for each output of the network."""

    start_s: float
    probabilities: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class DeviceLog:
    """A log.

    Attributes
    ----------
    version
        Version of its format; from 2 on the device reports events.
    model
        The beginning of the SHA-256 of the int8 model's file, hex.
    labels
        Number of outputs of the network.
    patch_s
        Duration of a patch, seconds.
    independent
        Whether the outputs are independent of each other (sigmoid head).
    patches
        In the order of time.
    events
        The events that the device reported, in the order of their lines.
    late
        Start and end of each part of the sound that the device did not process, seconds.
    skipped
        Lines that could not be read.
    """

    version: int
    model: str
    labels: int
    patch_s: float
    independent: bool
    patches: list[DevicePatch]
    events: list[DeviceEvent]
    late: list[tuple[float, float]]
    skipped: list[Skipped]


def read(files: Sequence[Path], audio: Path | None = None, clip_seconds: float = 2.0) -> Iterator[Imported]:
    """Read logs as predictions for clips of their recordings, and the events in them as detections.

    Parameters
    ----------
    files
        The logs.
    audio
        The recording of all logs; None finds the recording of each log beside it, with the same stem.
    clip_seconds
        Patches that begin within one interval of this length form a clip, seconds. The scores of a clip come from the
        mean of their log-probabilities, or of their log-odds where the outputs are independent.

    Yields
    ------
    Recording, Clip, DevicePrediction, DeviceDetections or Skipped
        Skipped is a line that cannot be read, a patch or an event after the end of the recording, or sound that the
        device did not process. A log of version 2 yields its DeviceDetections even where it has no event.

    Raises
    ------
    LabeltoolError
        When the only file is not such a log, has another version, or has no recording beside it; of several, it is
        `Failed` and the others are read.
    """
    if not _SHORTEST_CLIP_S <= clip_seconds <= _LONGEST_LOG_S:
        raise LabeltoolError(f"a clip length of {clip_seconds:g} s is not possible", remedy="give seconds above 0")
    yield from read_each(files, lambda file: _records(file, audio, clip_seconds))


def _records(file: Path, audio: Path | None, clip_seconds: float) -> Iterator[Imported]:
    """Yield the records of one log."""
    log = parse(file)
    recording = recording_of(describe(audio if audio is not None else recording_beside(file)))
    yield from log.skipped
    yield recording
    intervals: dict[int, list[DevicePatch]] = {}
    for patch in log.patches:
        intervals.setdefault(int(patch.start_s // clip_seconds), []).append(patch)
    for patches in intervals.values():
        yield from _predictions(file, log, recording, patches)
    if log.version > 1:
        yield from _detections(file, log, recording)
    if log.late:
        lost_s = sum(end_s - start_s for start_s, end_s in log.late)
        reason = f"the device was late {len(log.late)} times and did not process {lost_s:.3f} s of the sound"
        yield Skipped(str(file), None, reason)


def _predictions(
    file: Path, log: DeviceLog, recording: Recording, patches: Sequence[DevicePatch]
) -> Iterator[Imported]:
    """Yield the clip of some patches and its prediction."""
    start_us = round(patches[0].start_s * MICROSECONDS)
    end_us = min(
        round((patches[-1].start_s + log.patch_s) * MICROSECONDS), length_us(recording.frames, recording.sample_rate_hz)
    )
    if start_us >= end_us:
        yield Skipped(str(file), None, f"the patch at {patches[0].start_s:g} s is after the end of the recording")
        return
    clip = clip_of(recording, start_us, end_us)
    yield clip
    yield DevicePrediction(clip, log.model, _mean([patch.probabilities for patch in patches], log.independent))


def _detections(file: Path, log: DeviceLog, recording: Recording) -> Iterator[Imported]:
    """Yield the events of a log that begin inside its recording."""
    inside = [event for event in log.events if event.start_s < recording.duration_s]
    yield DeviceDetections(recording.sha256, log.model, log.labels, tuple(inside))
    for event in log.events:
        if event.start_s >= recording.duration_s:
            yield Skipped(str(file), None, f"the event at {event.start_s:g} s is after the end of the recording")


def parse(path: Path) -> DeviceLog:
    """Read a log without its recording.

    Raises
    ------
    LabeltoolError
        When it is missing, not a log, of another version, or of several models.
    """
    version = labels = 0
    header: dict[str, str] = {}
    patches: list[DevicePatch] = []
    events: list[DeviceEvent] = []
    late: list[tuple[float, float]] = []
    text, skipped = read_text(path, "a log of a device", _REMEDY)
    for number, line in enumerate(text.splitlines(), start=1):
        if match := _HEADER.match(line):
            found, fields = int(match[1]), dict(pair.split("=", 1) for pair in match[2].split())
            if found not in VERSIONS:
                raise LabeltoolError(
                    f"has log format {found}, not {VERSIONS[-1]}", file=path, line=number, remedy="update labeltool"
                )
            if header:
                # Their times begin at 0 again: nothing says which sound belongs to which run.
                raise LabeltoolError(
                    "contains several runs of a device", file=path, line=number, remedy="split it into one log per run"
                )
            version, header = found, _checked(fields, path, number)
            labels = int(header["labels"])
        elif match := _LATE.match(line):
            late.append((float(match[1]), float(match[2])))
        elif line.strip() and not line.startswith("#"):
            try:
                if version > 1 and line.startswith("event "):
                    events.append(_event(line, labels))
                else:
                    patches.append(_patch(line, labels))
            except ValueError as error:
                skipped.append(Skipped(str(path), number, str(error)))
        if len(skipped) > _MOST_UNREAD or len(patches) > _MOST_PATCHES:
            raise LabeltoolError(f"has more lines than a log of {_MOST_PATCHES} patches", file=path, remedy=_REMEDY)
    if not header:
        reason = f"{describe_kind(path, 'a log of a device')}: it has no line `# aed_run ...`"
        raise LabeltoolError(reason, file=path, remedy=_REMEDY)
    return DeviceLog(
        version=version,
        model=header["model"],
        labels=labels,
        patch_s=float(header["patch_s"]),
        independent=header.get("head") == "sigmoid",
        patches=sorted(patches),
        events=events,
        late=late,
        skipped=skipped,
    )


def _checked(fields: dict[str, str], path: Path, number: int) -> dict[str, str]:
    """Return the fields of a header whose numbers make sense; raises a `LabeltoolError` for others."""
    try:
        is_right = (
            _MODEL.fullmatch(fields["model"]) is not None
            and 0 < int(fields["labels"]) <= _MOST_LABELS
            and 0 < float(fields["patch_s"]) <= _LONGEST_PATCH_S
        )
    except (KeyError, ValueError):
        is_right = False
    if not is_right:
        raise LabeltoolError("has a damaged header", file=path, line=number, remedy=_REMEDY)
    return fields


def _event(line: str, labels: int) -> DeviceEvent:
    try:
        _, label, *numbers = line.split()
        index, (start_s, end_s, peak) = int(label), map(float, numbers)
    except ValueError:
        raise ValueError(f"is not a label, two times and a probability: {quoted(line)}") from None
    if not (0 <= index < labels and 0 <= start_s < end_s <= _LONGEST_LOG_S and 0 <= peak <= 1):
        raise ValueError(f"is out of range: {quoted(line)}")
    return DeviceEvent(index, start_s, end_s, peak)


def _patch(line: str, labels: int) -> DevicePatch:
    if not labels:
        raise ValueError("is before the header")
    time_s, *codes = line.split()
    if len(codes) != labels:
        raise ValueError(f"has {len(codes)} scores, not {labels}: {quoted(line)}")
    try:
        start_s, scores = float(time_s), [int(code) for code in codes]
    except ValueError:
        raise ValueError(f"is not a time and integer scores: {quoted(line)}") from None
    if not 0 <= start_s <= _LONGEST_LOG_S or not all(-128 <= score <= 127 for score in scores):
        raise ValueError(f"is out of range: {quoted(line)}")
    return DevicePatch(start_s, tuple((score + 128) / 256 for score in scores))


def _mean(patches: Sequence[tuple[float, ...]], independent: bool) -> tuple[float, ...]:
    """Return the normalised geometric mean of the probabilities of patches; of their odds where independent."""
    clipped = [
        [min(max(score, _SMALLEST), 1.0 - _SMALLEST) for score in scores] for scores in zip(*patches, strict=True)
    ]
    if independent:
        odds = [math.exp(sum(math.log(score / (1.0 - score)) for score in scores) / len(patches)) for scores in clipped]
        return tuple(value / (1.0 + value) for value in odds)
    powers = [math.exp(sum(math.log(score) for score in scores) / len(patches)) for scores in clipped]
    return tuple(value / sum(powers) for value in powers)
