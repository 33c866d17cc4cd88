"""Faults of single recordings, by their measured values: silence, clipping, DC, opposite phase, missing ends."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from statistics import mode

import numpy as np

from labeltool.audio.completeness import COPY_AGAIN, Loss
from labeltool.checks.finding import Finding, Severity, Subject
from labeltool.checks.sound.measure import SILENT_DBFS
from labeltool.checks.sound_values import SoundValues
from labeltool.store import clips
from labeltool.util.counted import counted

_EXCLUDE = "`b` in the app excludes the clip, `labeltool remove {}` the recording"
# Tenths of a second whose channels cancel, as a share of those that are not silent, from which on it is a fault.
_MIN_CANCELLED_SHARE = 0.1
# Longer than what an encoder adds at the ends: two frames of MP3, one block of Vorbis.
_MIN_BEYOND_S = 0.1
# A recording whose last 0.1 s is within this of its own level does not fade out.
_ABRUPT_DB = 6.0
# Where most of at least this many recordings have one length, a shorter one that does not fade out was perhaps cut off.
_MIN_OF_ONE_LENGTH = 8
_SAME_LENGTH_S = 0.05


def find_silence(subject: Subject) -> list[Finding]:
    """Find clips that are silent from their beginning to their end, and not by channels that cancel."""
    limit = subject.project.settings.check.silence_dbfs
    excluded = clips.excluded(subject.store)
    found = []
    for clip in clips.all_clips(subject.store):
        values = subject.sound_values.get(clip.recording_id)
        if values is None or clip.id in excluded:
            continue
        loudest = float(values.channel_levels_of(clip.start_s, clip.end_s).max(initial=SILENT_DBFS))
        if loudest < limit:
            name = subject.name(clip.recording_id)
            level = "digital silence" if loudest <= SILENT_DBFS else f"at most {loudest:.0f} dBFS"
            message = f"clip {clip.id} is silent ({level}): {name} from {clip.start_s:g} to {clip.end_s:g} s"
            remedy = _EXCLUDE.format(shlex.quote(name))
            found.append(Finding("silence", message, remedy, (clip.id,), (clip.recording_id,), score=limit - loudest))
    return found


def find_clipping(subject: Subject) -> list[Finding]:
    """Find recordings with flat tops, or more than a 16-bit file can have."""
    limit = subject.project.settings.check.clipped_share

    def fault(values: SoundValues) -> tuple[float, str] | None:
        text = f"{values.clipped_share:.2%} of its samples are clipped"
        return (values.clipped_share, text) if values.clipped_share > limit else None

    return _each(subject, "clipping", fault, "record it with less gain, or exclude it: " + _EXCLUDE)


def find_not_finite(subject: Subject) -> list[Finding]:
    """Find recordings with samples that are NaN or infinite, as float files may have."""

    def fault(values: SoundValues) -> tuple[float, str] | None:
        text = f"{counted(values.not_finite, 'sample')} that are no numbers (NaN or infinite), read as 0 or full scale"
        return (values.not_finite, text) if values.not_finite else None

    return _each(
        subject, "not-finite", fault, "write the file again from where it comes, or " + _EXCLUDE, severity="error"
    )


def find_dc_offset(subject: Subject) -> list[Finding]:
    """Find recordings whose samples have a mean that is not 0."""
    limit = subject.project.settings.check.dc_offset

    def fault(values: SoundValues) -> tuple[float, str] | None:
        text = f"its mean is {values.dc:+.3f} of full scale, not 0"
        return (abs(values.dc), text) if abs(values.dc) > limit else None

    return _each(subject, "dc-offset", fault, "a high-pass filter at 20 Hz removes it, then import the new file")


def find_truncated(subject: Subject) -> list[Finding]:
    """Find files of which parts cannot be read, by their headers and structure, or that end where others go on."""
    lengths = [round(values.duration_s / _SAME_LENGTH_S) for values in subject.sound_values.values()]
    usual = mode(lengths) if lengths else 0
    is_usual = len(lengths) >= _MIN_OF_ONE_LENGTH and 2 * lengths.count(usual) > len(lengths)

    def fault(values: SoundValues) -> tuple[float, str] | None:
        reason = Loss(values.missing_s, values.damage).reason
        return None if reason is None else (values.missing_s, f"{reason} (it has {values.duration_s:.1f} s)")

    def cut_off(values: SoundValues) -> tuple[float, str] | None:
        missing_s = usual * _SAME_LENGTH_S - values.duration_s
        if not is_usual or missing_s <= _SAME_LENGTH_S or fault(values) or not _ends_abruptly(values):
            return None
        return missing_s, f"it ends abruptly after {values.duration_s:.1f} s, most others after {usual * 0.05:.1f} s"

    return [
        *_each(subject, "truncated", fault, COPY_AGAIN, severity="error"),
        *_each(subject, "truncated", cut_off, "is its end missing? " + _EXCLUDE, severity="note"),
        *_clips_beyond_the_end(subject),
    ]


def find_opposite_phase(subject: Subject) -> list[Finding]:
    """Find recordings of several channels that cancel, wholly or at times, in the mono mix that networks are given."""
    limit = subject.project.settings.check.cancelled_db
    silence = subject.project.settings.check.silence_dbfs

    def fault(values: SoundValues) -> tuple[float, str] | None:
        active = values.channel_levels_dbfs > silence
        lost = (values.channel_levels_dbfs - values.levels_dbfs)[active]
        share = float((lost > limit).mean()) if len(lost) else 0.0
        if share < _MIN_CANCELLED_SHARE:
            return None
        middle = float(np.median(lost[lost > limit]))
        quieter = "silent" if middle > 60 else f"{middle:.0f} dB quieter"
        return share, f"its channels cancel: the mono mix is {quieter} in {share:.0%} of it"

    remedy = "invert one channel, or take one alone (`sox {} new.wav remix 1`), then import that"
    return _each(subject, "opposite-phase", fault, remedy, severity="error")


def _each(
    subject: Subject,
    kind: str,
    fault: Callable[[SoundValues], tuple[float, str] | None],
    remedy: str,
    *,
    severity: Severity = "warning",
) -> list[Finding]:
    """Return a finding for each recording that has a fault: its score, and what is wrong."""
    found = []
    for number, values in subject.sound_values.items():
        if (one := fault(values)) is not None:
            name = subject.name(number)
            mended = remedy.format(shlex.quote(name))
            message = f"{name}: {one[1]}"
            found.append(Finding(kind, message, mended, recordings=(number,), score=one[0], severity=severity))
    return found


def _ends_abruptly(values: SoundValues) -> bool:
    return len(values.levels_dbfs) > 0 and float(values.levels_dbfs[-1]) > values.level_dbfs - _ABRUPT_DB


def _clips_beyond_the_end(subject: Subject) -> list[Finding]:
    """Return the clips that end later than their recording does."""
    found = []
    for clip in clips.all_clips(subject.store):
        values = subject.sound_values.get(clip.recording_id)
        beyond_s = clip.end_s - values.duration_s if values else 0.0
        if beyond_s > _MIN_BEYOND_S:
            name = subject.name(clip.recording_id)
            message = f"clip {clip.id} ends {beyond_s:.1f} s after the end of {name}"
            remedy = "`labeltool relocate FOLDER` finds the whole file; `b` in the app excludes the clip"
            found.append(Finding("truncated", message, remedy, (clip.id,), (clip.recording_id,), (), beyond_s, "error"))
    return found
