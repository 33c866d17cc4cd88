"""The card of a data set: a README whose front matter Hugging Face reads, and what is in the data set and what is not.

Its keys are those of https://github.com/huggingface/hub-docs/blob/main/datasetcard.md.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from labeltool.annotation.annotation_table import all_verdicts
from labeltool.exporters.annotations import NOT_EXPORTED
from labeltool.exporters.data_sets import summary
from labeltool.exporters.data_sets.attribution import ATTRIBUTION, NOT_KNOWN
from labeltool.exporters.licences import identifier
from labeltool.exporters.markdown import cell, table
from labeltool.exporters.source import Source

_SIZES = ((1e3, "n<1K"), (1e4, "1K<n<10K"), (1e5, "10K<n<100K"), (1e6, "100K<n<1M"), (float("inf"), "n>1M"))

_FRONT_MATTER = """\
---
license:
{licences}
pretty_name: {name}
task_categories:
- audio-classification
tags:
- audio
- sound-event-detection
size_categories:
- {size}
configs:
- config_name: default
  data_files:
{files}
---

"""

_BODY = """\
# {title}

{clips} clips of {recordings} recordings in {groups} groups, {seconds:.1f} s, {labels} labels. The labels are those of
{state}: `labeltool export --audiofolder --as-of {state}` writes them again.

## Labels

Of each label and part: clips / seconds / groups. `absent`, `unsure`: clips where a person or a file states that the
label is not there, or perhaps. `unchecked`: clips without any statement about it, where it may be present.

{label_table}
## Parts

{split} No group is in two parts, and no nearly equal sound.

## Annotators

Annotations of these clips that were not undone; a file that was imported is an annotator.

{annotators}
{agreement}
## Licences

{licences}
{unknown}`{attribution}` and `attributions.csv` name each recording, its licence and what is known of its author.

## What is not here

{lost}
Beside these, clips that nobody has labelled, notes, and what was undone or replaced. `{not_exported}` has a row for
each annotation, with paths of the computer that wrote it: leave it out of what you publish.
"""

_AGREEMENT = """\
Clips that two annotators have both labelled, the share on which all labels that they named last are the same, and
Cohen's kappa of it.

"""


@dataclass(frozen=True, slots=True, eq=False)
class DataSet:
    """What was written of a data set.

    Attributes
    ----------
    clips
        The clips by their id, with `part`, `path`, `recording_id`, `recording_sha256`, `start_s`, `end_s`, `fold`,
        `group` and `licence`.
    lost
        The reason of each annotation that is not in it, or not wholly.
    """

    name: str
    parts: list[str]
    clips: pd.DataFrame
    lost: pd.Series[str]

    def describe(self) -> str:
        """Return a sentence for a catalogue."""
        return f"{len(self.clips)} labelled sound clips, {summary.seconds(self.clips):.1f} s, cut from recordings."


def write(source: Source, data: DataSet, layout: str, directory: Path) -> None:
    """Write the card, `README.md`; `layout`, its last section, describes the files and their columns in Markdown."""
    clips = data.clips
    label_table = summary.labels_by_part(source.annotations, clips, data.parts)
    verdicts = all_verdicts(source.store, source.as_of)
    verdicts = verdicts[verdicts["clip_id"].isin(clips.index)]
    by_licence = summary.licences(clips)
    unknown = by_licence.loc[by_licence["licence"] == "", "recordings"].sum()
    front_matter = _FRONT_MATTER.format(
        licences="\n".join(f"- {name}" for name in sorted({identifier(one) for one in by_licence["licence"]})),
        name=json.dumps(data.name, ensure_ascii=False),
        size=next(name for limit, name in _SIZES if len(clips) < limit),
        files="\n".join(f"  - split: {part}\n    path: {part}/**" for part in data.parts),
    )
    body = _BODY.format(
        title=cell(data.name),
        clips=len(clips),
        recordings=clips["recording_sha256"].nunique(),
        groups=clips["group"].nunique(),
        seconds=summary.seconds(clips),
        labels=len(label_table) - 1,
        state=source.state_of,
        label_table=table(label_table),
        split=_split(source, data),
        annotators=table(summary.annotators(verdicts)),
        agreement=_agreement(summary.agreement(verdicts)),
        licences=table(by_licence.replace({"licence": {"": NOT_KNOWN}})),
        unknown=f"{NOT_KNOWN}: {unknown} recordings. " if unknown else "",
        attribution=ATTRIBUTION,
        lost=_lost(data.lost),
        not_exported=NOT_EXPORTED,
    )
    (directory / "README.md").write_text(front_matter + body + "\n" + layout, encoding="utf-8", newline="\n")


def _split(source: Source, data: DataSet) -> str:
    split = source.split
    if not split.is_official:
        drawn = "Whole groups were drawn at random, so that the parts have about their shares of each label."
        return f"{drawn} The test set is locked." if split.is_locked else drawn
    folds = {part: clips["fold"].dropna().astype(int).unique() for part, clips in data.clips.groupby("part")}
    named = (f"{part}: {', '.join(map(str, sorted(folds[part])))}" for part in data.parts)
    return f"By the official folds ({'; '.join(named)}); a group with a clip of a fold is in the part of that, whole."


def _agreement(pairs: pd.DataFrame) -> str:
    if pairs.empty:
        return "No clip was labelled by two of them.\n"
    shown = pairs.assign(
        agreement=pairs["agreement"].map("{:.1%}".format),
        kappa=pairs["kappa"].map(lambda kappa: "not defined" if pd.isna(kappa) else f"{kappa:.2f}"),
    )
    return _AGREEMENT + table(shown)


def _lost(reasons: pd.Series[str]) -> str:
    if reasons.empty:
        return "Every annotation is here.\n"
    counts = reasons.value_counts().sort_index()
    return table(pd.DataFrame({"annotations": counts, "what is lacking": counts.index}))
