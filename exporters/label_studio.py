"""Tasks for Label Studio: the labels as annotations, the current suggestions as predictions, and the configuration.

The form is that of its guide "Import pre-annotated data", and of its audio regions (`<Labels>` on `<Audio>`).
"""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from urllib.parse import quote

import pandas as pd

from labeltool.exporters.annotations import Carries, exportable, not_exported, one_field, recordings, suggestions
from labeltool.exporters.file_names import common_folder
from labeltool.exporters.source import Source
from labeltool.util.urls import is_url

TASKS, CONFIG = "tasks.json", "config.xml"

_README = """\
# Tasks for Label Studio

`tasks.json`: a task for each recording with labels or suggestions. Labels are annotations, current suggestions of
models are predictions, with their probability as score and the model's unique id as version. `config.xml`: the
labelling interface with all labels.

1. Let Label Studio serve the recordings, which stay where they are. Before it starts, set
   `LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true` and `LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT` to

       {root}

2. Create a project. Settings > Labeling Interface > Code: paste `config.xml`.
3. Settings > Cloud Storage > Add Source Storage > Local files: that folder. Do not synchronise it: the tasks are made.
4. Import `tasks.json`.

Only present labels are written, as regions from one time to another: "absent" and "unsure", frequency ranges,
confidences, annotators, folds, groups and licences have no place in it. Where a label has no region of its own, its
clip is the region. A space replaces control characters. `not_exported.csv` lists the annotations that are not in the
tasks, or in part, and why.
"""

# What XML 1.0 cannot contain beside control characters.
_NOT_IN_XML = re.compile("[\ufffe\uffff]")


def _text(label: str) -> str:
    return _NOT_IN_XML.sub(" ", one_field(label))


CARRIES = Carries(text=_text)


def write(source: Source, directory: Path) -> pd.DataFrame:
    """Write the tasks, the configuration of their labelling interface, and a README."""
    rows = exportable(source.annotations, CARRIES)
    predicted = suggestions(source.store, source.as_of)
    predicted["label"] = predicted["label"].map(_text)
    known = recordings(source.store)
    known = known[known["recording_id"].isin([*rows["recording_id"], *predicted["recording_id"]])]
    root = common_folder(known["path"])
    annotated, suggested = dict(list(rows.groupby("recording_id"))), dict(list(predicted.groupby("recording_id")))
    with (directory / TASKS).open("w", encoding="utf-8", newline="\n") as file:
        separator = "[\n"
        known = known.sort_values(["path", "recording_sha256"])
        durations_s = (known["frames"] / known["sample_rate_hz"]).tolist()
        columns = known["recording_id"].tolist(), known["path"], known["recording_sha256"], durations_s
        for number, (recording_id, path, sha256, duration_s) in enumerate(zip(*columns, strict=True), start=1):
            local = "" if is_url(path) else quote(Path(path).relative_to(root).as_posix())
            audio = f"/data/local-files/?d={local}" if local else path
            task = {
                "id": number,
                "data": {"audio": audio, "path": path, "recording_sha256": sha256},
                "annotations": _annotations(annotated.get(recording_id), duration_s),
                "predictions": _predictions(suggested.get(recording_id), duration_s),
            }
            file.write(separator + json.dumps(task, ensure_ascii=False))
            separator = ",\n"
        file.write("\n]\n")
    config = _config(sorted({*rows["label"], *predicted["label"]}))
    (directory / CONFIG).write_text(config, encoding="utf-8", newline="\n")
    (directory / "README.md").write_text(_README.format(root=root), encoding="utf-8", newline="\n")
    return not_exported(source.annotations, CARRIES)


def _annotations(rows: pd.DataFrame | None, duration_s: float) -> list[dict[str, object]]:
    return [] if rows is None else [{"result": _regions(rows, duration_s, "label")}]


def _predictions(rows: pd.DataFrame | None, duration_s: float) -> list[dict[str, object]]:
    """Return a prediction for each model, with the mean of the regions' probabilities as its score."""
    if rows is None:
        return []
    return [
        {
            "model_version": model,
            "score": of_model["probability"].mean(),
            "result": [
                {**region, "score": score}
                for region, score in zip(
                    _regions(of_model, duration_s, f"{model}-"), of_model["probability"].tolist(), strict=True
                )
            ],
        }
        for model, of_model in rows.groupby("model")
    ]


def _regions(rows: pd.DataFrame, duration_s: float, name: str) -> list[dict[str, object]]:
    return [
        {
            "id": f"{name}{number}",
            "from_name": "label",
            "to_name": "audio",
            "type": "labels",
            "original_length": duration_s,
            "value": {"start": start_s, "end": end_s, "channel": 0, "labels": [label]},
        }
        for number, (start_s, end_s, label) in enumerate(
            zip(rows["start_s"].tolist(), rows["end_s"].tolist(), rows["label"], strict=True), start=1
        )
    ]


def _config(labels: list[str]) -> str:
    view = ET.Element("View")
    choices = ET.SubElement(view, "Labels", name="label", toName="audio")
    for label in labels:
        ET.SubElement(choices, "Label", value=label)
    ET.SubElement(view, "Audio", name="audio", value="$audio")
    ET.indent(view)
    return ET.tostring(view, encoding="unicode") + "\n"
