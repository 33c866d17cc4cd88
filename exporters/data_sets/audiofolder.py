"""A data set of sound files for Hugging Face's `datasets`: an AudioFolder with parts for training, validation, test.

The layout is that of the guide "Create an audio dataset" of `datasets` 3 and 4: `metadata.csv` in the folder of a part,
whose column `file_name` is relative to it.
"""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from labeltool.exporters.annotations import Carries, exportable, not_exported, write_csv, write_labels
from labeltool.exporters.data_sets import attribution, card, croissant
from labeltool.exporters.data_sets.clips import METADATA
from labeltool.exporters.data_sets.cut import HOW, cut, file_stems, with_failed
from labeltool.exporters.file_names import safe_stems
from labeltool.exporters.source import Source
from labeltool.records import Value
from labeltool.training.data_split import PARTS, Part

CARRIES = Carries(regions=False)

_COLUMNS = {
    **dict.fromkeys(("file_name", "label", "labels", "absent", "unsure", "recording", "recording_sha256"), "sc:Text"),
    **dict.fromkeys(("start_s", "end_s"), "sc:Float"),
    "fold": "sc:Integer",
    **dict.fromkeys(("group", "licence"), "sc:Text"),
}
"""Columns of the table of a part, and their types in Croissant."""

_LAYOUT = """\
## Files

{parts}, each with `metadata.csv`: a row for each clip with a label.

| column | meaning |
| --- | --- |
| file_name | the file, in the same folder |
| label | the label, where the clip has one; empty where it has several |
| labels | all labels that are present, as a JSON list; what is read as a number or as missing in `label` is text here |
| absent, unsure | labels that are not there, or perhaps, as JSON lists; all others are unchecked |
| recording, recording_sha256 | name and SHA-256 of the file that the clip was cut from |
| start_s, end_s | the clip, seconds from the start of the recording |
| fold | the official fold of the data set, empty without one |
| group | all clips of a group are in the same part |
| licence | licence of the recording, empty where it is not known |

    from datasets import load_dataset
    clips = load_dataset("audiofolder", data_dir=".")

{how} A row is a clip.

`croissant.json` describes the data set to machines (Croissant 1.1), `MANIFEST.sha256` has the SHA-256 of every file.
"""


def write(source: Source, directory: Path) -> pd.DataFrame:
    """Cut a file for each clip with a present label, and write a table for each part and the data set's card."""
    clips = exportable(source.annotations, CARRIES).drop_duplicates("clip_id").set_index("clip_id", drop=False)
    on_label = source.annotations[source.annotations["label"].notna()]
    on_label = on_label.assign(label=on_label["label"].map(CARRIES.text))
    for value, column in {Value.PRESENT: "labels", Value.ABSENT: "absent", Value.UNSURE: "unsure"}.items():
        lists = on_label[on_label["value"] == value].groupby("clip_id")["label"].agg(lambda labels: sorted(set(labels)))
        clips[column] = lists.reindex(clips.index).map(lambda labels: labels if isinstance(labels, list) else [])
    clips["label"] = clips["labels"].map(lambda labels: labels[0] if len(labels) == 1 else None)
    for column in ("labels", "absent", "unsure"):
        clips[column] = clips[column].map(lambda labels: json.dumps(labels, ensure_ascii=False))
    clips["recording"] = clips["path"].map(lambda path: Path(path).name)
    clips["part"] = clips["clip_id"].map(source.split.part_of)
    clips["file_name"] = clips["part"] + "/" + pd.Series(safe_stems(file_stems(clips)), index=clips.index) + ".wav"
    parts = [part for part in PARTS if (clips["part"] == part).any()]
    for part in parts:
        (directory / part).mkdir()
    reasons = cut(source, clips, directory)
    written = clips[reasons == ""]
    for part in parts:
        in_part = written[written["part"] == part]
        in_part = in_part.assign(file_name=in_part["file_name"].str.removeprefix(f"{part}/"))
        write_csv(in_part[list(_COLUMNS)], directory / part / METADATA)
    lost = _lost(source.annotations, clips)
    _describe(source, written, parts, lost["reason"], int((reasons != "").sum()), directory)
    return with_failed(lost, clips, reasons)


def _lost(annotations: pd.DataFrame, clips: pd.DataFrame) -> pd.DataFrame:
    """Return `not_exported`; absent and unsure labels of clips with a file are in its row, as present ones are."""
    not_present = annotations["label"].notna() & (annotations["value"] != Value.PRESENT)
    listed = annotations[not_present & annotations["clip_id"].isin(clips.index)]
    in_part = not_exported(listed.assign(value=Value.PRESENT), CARRIES)
    in_part["value"] = listed["value"].reindex(in_part.index)
    return pd.concat([not_exported(annotations.drop(listed.index), CARRIES), in_part]).sort_index()


def _describe(
    source: Source, clips: pd.DataFrame, parts: list[Part], lost: pd.Series[str], failed: int, directory: Path
) -> None:
    """Write what describes the data set: attributions, card and Croissant; `failed` clips could not be cut."""
    reasons = pd.concat([lost, pd.Series(["its recording cannot be read"] * failed, dtype=object)])
    name = "".join(letter if letter.isprintable() else " " for letter in source.project.directory.name)
    data = card.DataSet(name, list(parts), clips, reasons)
    attribution.write(source, clips, directory)
    write_labels(source.store, directory, as_of=source.as_of)
    layout = _LAYOUT.format(parts=", ".join(f"`{part}/`" for part in parts), how=HOW)
    card.write(source, data, layout, directory)
    croissant.write(data, source.state_of, _COLUMNS, METADATA, directory)
