"""A folder of sounds for each label: DIR/LABEL/x.wav, also DIR/train/LABEL/x.wav."""

from __future__ import annotations

from pathlib import Path

from labeltool.audio.files import AUDIO_SUFFIXES, SUFFIXES_NOT_READ, walk
from labeltool.errors import LabeltoolError
from labeltool.importers.base import project_notes
from labeltool.importers.label_rows import ParsedLabels, label_rows
from labeltool.records import Failed, Skipped

SPLITS = frozenset({"train", "training", "val", "valid", "validation", "dev", "test", "testing", "eval", "evaluation"})
"""Folders around those of the labels, which say to which part of a split a sound belongs."""


def parse(directory: Path) -> ParsedLabels:
    """Read the labels of sounds from the folders that they are in; what lies in no folder of a label is skipped.

    A row is of a whole recording; `split` is an own column where the folders have it.
    """
    if not directory.is_dir():
        reason = "is a file, not a directory" if directory.exists() else "no such directory"
        raise LabeltoolError(reason, file=directory, remedy="give the directory with a folder for each label")
    unlisted: list[LabeltoolError] = []
    rows: list[dict[str, object]] = []
    skipped: list[Skipped] = [*project_notes([directory])]
    for sound in walk(directory, AUDIO_SUFFIXES | SUFFIXES_NOT_READ, unlisted):
        *folders, _ = sound.relative_to(directory).parts
        split = folders.pop(0) if folders and folders[0].casefold() in SPLITS else None
        if not folders:
            skipped.append(Skipped(str(sound), None, "is in no folder of a label"))
            continue
        rows.append({"recording": str(sound.relative_to(directory)), "label": folders[0], "split": split})
    skipped += map(Failed.of, unlisted)
    if not rows:
        raise LabeltoolError(
            "has no sound file in a folder of a label", file=directory, remedy="it has DIR/LABEL/x.wav, or another name"
        )
    table = label_rows(rows)
    return ParsedLabels(table if table["split"].notna().any() else table.drop(columns="split"), skipped)
