"""What a board heard: the lines that the exported C prints, beside the recording they came from.

The format is the package's own (`aed_run`, and firmware that prints the same), version 1:

```
# aed_run 1 model=0123456789abcdef labels=10 rate=16000 patch_s=1.044 patch_hop_s=0.5
0.000 -128 -128 97 -101 ...
0.500 -128 -120 81 -93 ...
```

`model` is the beginning of the SHA-256 of the int8 model's file; a line gives the time of a patch's first sample in
seconds and the network's int8 outputs, of which -128 is 0 and 127 is 255/256. Where the header
says `head=sigmoid`, each output stands for itself. Other lines that begin with `#` are comments.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from labeltool.audio.files import describe
from labeltool.errors import LabeltoolError
from labeltool.importers.base import clip_of, read_text, recording_of, shown, sound_beside
from labeltool.records import Clip, Heard, Imported, Skipped
from labeltool.util.time_grid import MICROSECONDS, length_us

VERSION = 1

_HEADER = re.compile(r"# aed_run (\d+)((?: \w+=\S+)*)\s*$")
_REMEDY = "give what aed_run, or firmware made with the package, printed"
# Half an int8 step of a softmax: what the chip calls 0 is anything up to here.
_SMALLEST = 1 / 512


@dataclass(frozen=True, slots=True)
class DeviceLog:
    """A log's header and its patches, `(start_s, probabilities)` each, in order of time."""

    model: str
    labels: int
    patch_s: float
    independent: bool
    patches: list[tuple[float, tuple[float, ...]]]
    skipped: list[Skipped]


def read(files: Sequence[Path], audio: Path | None = None, clip_seconds: float = 2.0) -> Iterator[Imported]:
    """Read logs as suggestions for clips of their recordings.

    Parameters
    ----------
    files
        Logs.
    audio
        The recording all of them heard; None seeks each one's beside it, under the same stem.
    clip_seconds
        Patches that begin within so many seconds make one clip; its scores are the mean of their log-probabilities, or
        of their log-odds.

    Yields
    ------
    Recording, Clip, Heard or Skipped
        Skipped is a line that says nothing, or a patch beyond the recording's end.

    Raises
    ------
    LabeltoolError
        When a file is no such log, of another version, or has no sound beside it.
    """
    if not (math.isfinite(clip_seconds) and clip_seconds > 0):
        raise LabeltoolError(f"a clip length of {clip_seconds:g} s is not possible", remedy="give seconds above 0")
    for file in files:
        log = parse(file)
        recording = recording_of(describe(audio if audio is not None else sound_beside(file)))
        yield from log.skipped
        yield recording
        together: dict[int, list[tuple[float, tuple[float, ...]]]] = {}
        for patch in log.patches:
            together.setdefault(int(patch[0] // clip_seconds), []).append(patch)
        for patches in together.values():
            start_us = round(patches[0][0] * MICROSECONDS)
            end_us = min(
                round((patches[-1][0] + log.patch_s) * MICROSECONDS),
                length_us(recording.frames, recording.sample_rate_hz),
            )
            if start_us >= end_us:
                yield Skipped(str(file), None, f"what was heard at {patches[0][0]:g} s lies beyond the recording's end")
                continue
            clip: Clip = clip_of(recording, start_us, end_us)
            yield clip
            yield Heard(clip, log.model, _mean([scores for _, scores in patches], log.independent))


def parse(path: Path) -> DeviceLog:
    """Read a log, without any sound.

    Raises
    ------
    LabeltoolError
        When it is missing, no log, of another version, or of several models.
    """
    header: dict[str, str] = {}
    patches: list[tuple[float, tuple[float, ...]]] = []
    skipped: list[Skipped] = []
    for number, line in enumerate(read_text(path, "a board's log", _REMEDY).splitlines(), start=1):
        found = _HEADER.match(line)
        if found:
            if int(found[1]) != VERSION:
                raise LabeltoolError(f"is of format {found[1]}", file=path, line=number, remedy="update labeltool")
            told = dict(pair.split("=", 1) for pair in found[2].split())
            if header and told != header:
                raise LabeltoolError("speaks of several models", file=path, line=number, remedy="one log a model")
            header = told
        elif line.strip() and not line.startswith("#"):
            try:
                patches.append(_patch(line, int(header["labels"]) if header else 0))
            except ValueError as error:
                skipped.append(Skipped(str(path), number, str(error)))
    try:
        labels, patch_s = int(header["labels"]), float(header["patch_s"])
        independent = header.get("head") == "sigmoid"
        return DeviceLog(header["model"], labels, patch_s, independent, sorted(patches), skipped)
    except (KeyError, ValueError) as error:
        raise LabeltoolError("is not a board's log: no line `# aed_run ...`", file=path, remedy=_REMEDY) from error


def _patch(line: str, labels: int) -> tuple[float, tuple[float, ...]]:
    if not labels:
        raise ValueError("stands before the header")
    time_s, *codes = line.split()
    if len(codes) != labels:
        raise ValueError(f"has {len(codes)} scores, not {labels}: {shown(line)}")
    try:
        start_s, scores = float(time_s), [int(code) for code in codes]
    except ValueError:
        raise ValueError(f"is not a time and whole numbers: {shown(line)}") from None
    if not (math.isfinite(start_s) and start_s >= 0) or not all(-128 <= score <= 127 for score in scores):
        raise ValueError(f"is out of range: {shown(line)}")
    return start_s, tuple((score + 128) / 256 for score in scores)


def _mean(patches: Sequence[tuple[float, ...]], independent: bool) -> tuple[float, ...]:
    """Return the geometric mean of several patches' probabilities, normalised; of their odds, where independent."""
    held = [[min(max(score, _SMALLEST), 1.0 - _SMALLEST) for score in scores] for scores in zip(*patches, strict=True)]
    if independent:
        odds = [math.exp(sum(math.log(score / (1.0 - score)) for score in scores) / len(patches)) for scores in held]
        return tuple(value / (1.0 + value) for value in odds)
    powers = [math.exp(sum(math.log(score) for score in scores) / len(patches)) for scores in held]
    return tuple(value / sum(powers) for value in powers)
