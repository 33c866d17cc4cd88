"""A data set of sound files for Hugging Face's `datasets`: an AudioFolder with parts for training, validation, test.

The layout is that of the guide "Create an audio dataset" of `datasets` 3 and 4: `metadata.csv` in the folder of a part,
whose column `file_name` is relative to it.
"""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from labeltool.exporters.annotations import Carries, exportable, not_exported, write_csv
from labeltool.exporters.data_sets.clips import METADATA
from labeltool.exporters.data_sets.cut import HOW, cut, file_stems, with_failed
from labeltool.exporters.file_names import safe_stems
from labeltool.exporters.source import Source
from labeltool.exporters.splits import PARTS
from labeltool.records import Value
from labeltool.training.splits import Part

CARRIES = Carries(regions=False)

_COLUMNS = [
    *("file_name", "label", "labels", "absent", "unsure", "recording", "recording_sha256", "start_s", "end_s"),
    *("fold", "group", "licence"),
]

_README = """\
# Sound and labels

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

{how}

A row is a clip: the bounds of a label inside it, frequency ranges and confidences are not here, nor clips without a
present label. `not_exported.csv` lists what is lacking.
"""


def write(source: Source, directory: Path) -> pd.DataFrame:
    """Cut a file for each clip with a present label, and write a table for each part and the data set's card.

    Raises
    ------
    LabeltoolError
        When no clip has a label, or no recording can be read.
    """
    clips = exportable(source.annotations, CARRIES).drop_duplicates("clip_id").set_index("clip_id", drop=False)
    on_label = source.annotations[source.annotations["label"].notna()]
    for value, column in {Value.PRESENT: "labels", Value.ABSENT: "absent", Value.UNSURE: "unsure"}.items():
        lists = on_label[on_label["value"] == value].groupby("clip_id")["label"].agg(lambda labels: sorted(set(labels)))
        clips[column] = lists.reindex(clips.index).map(lambda labels: labels if isinstance(labels, list) else [])
    clips["label"] = clips["labels"].map(lambda labels: labels[0] if len(labels) == 1 else None)
    for column in ("labels", "absent", "unsure"):
        clips[column] = clips[column].map(lambda labels: json.dumps(labels, ensure_ascii=False))
    clips["recording"] = clips["path"].map(lambda path: Path(path).name)
    clips["part"] = clips["clip_id"].map(source.part_of)
    clips["file_name"] = clips["part"] + "/" + pd.Series(safe_stems(file_stems(clips)), index=clips.index) + ".wav"
    parts = [part for part in PARTS if (clips["part"] == part).any()]
    for part in parts:
        (directory / part).mkdir()
    reasons = cut(source, clips, directory)
    for part in parts:
        in_part = clips[(clips["part"] == part) & (reasons == "")]
        in_part = in_part.assign(file_name=in_part["file_name"].str.removeprefix(f"{part}/"))
        write_csv(in_part[_COLUMNS], directory / part / METADATA)
    (directory / "README.md").write_text(_card(parts, int((reasons == "").sum())), encoding="utf-8")
    lost = not_exported(source.annotations, CARRIES)
    # Absent and unsure labels of these clips are in their columns.
    is_there = (
        (lost["exported"] == "no") & lost["label"].notna() & source.annotations["clip_id"][lost.index].isin(clips.index)
    )
    return with_failed(lost[~is_there], clips, reasons)


def _card(parts: list[Part], clips: int) -> str:
    """Return the README with the front matter from which `datasets` knows the parts."""
    size = next(
        name
        for limit, name in (
            (1e3, "n<1K"),
            (1e4, "1K<n<10K"),
            (1e5, "10K<n<100K"),
            (1e6, "100K<n<1M"),
            (float("inf"), "n>1M"),
        )
        if clips < limit
    )
    lines = ["---", "task_categories:", "- audio-classification", "size_categories:", f"- {size}"]
    lines += ["configs:", "- config_name: default", "  data_files:"]
    for part in parts:
        lines += [f"  - split: {part}", f"    path: {part}/**"]
    names = ", ".join(f"`{part}/`" for part in parts)
    return "\n".join([*lines, "---", "", _README.format(parts=names, how=HOW)])
