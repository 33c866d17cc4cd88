"""Strong and weak labels as DCASE's tasks and sed_eval read them: tab-separated tables."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from labeltool.exporters.annotations import Carries, exportable, not_exported, one_field, write_csv
from labeltool.exporters.file_names import short_names
from labeltool.exporters.source import Source

_README = """\
# Labels for DCASE and sed_eval

Tab-separated, UTF-8, a header line; a field with a `"` is quoted. A space replaces tabs and line breaks.

| file | columns |
| --- | --- |
| `strong.tsv` | filename, onset, offset, event_label: a row for each label; seconds, all digits |
| `weak.tsv` | filename, event_labels: a row for each recording with its labels, a comma between them |
| `files.csv` | filename, path and SHA-256 of each recording |

`filename` is the recording's name, where several have one name the path below their common folder. In `weak.tsv` a
comma that is part of a label is written as `;`.

    import sed_eval
    events = sed_eval.io.load_event_list("strong.tsv", file_format="CSV")

Only present labels are written: the tables cannot express "absent" or "unsure"; a recording that is in none of them may
contain anything. They have no frequency ranges, confidences, annotators, folds, groups or licences. `not_exported.csv`
lists the annotations that are not in the tables, or in part, and why.
"""

CARRIES = Carries(text=one_field)


def write(source: Source, directory: Path) -> pd.DataFrame:
    """Write the tables of strong and weak labels, an index of the files, and a README."""
    rows = exportable(source.annotations, CARRIES)
    rows["filename"] = rows["path"].map(short_names(set(rows["path"]))).map(one_field)
    rows = rows.sort_values(["filename", "recording_id"], kind="stable")
    strong = rows.rename(columns={"start_s": "onset", "end_s": "offset", "label": "event_label"})
    _write_tsv(strong[["filename", "onset", "offset", "event_label"]], directory / "strong.tsv")
    recordings = rows.groupby(["filename", "recording_id"])
    weak = recordings["label"].agg(lambda labels: ",".join(sorted({label.replace(",", ";") for label in labels})))
    _write_tsv(weak.reset_index(name="event_labels")[["filename", "event_labels"]], directory / "weak.tsv")
    write_csv(recordings.first().reset_index()[["filename", "path", "recording_sha256"]], directory / "files.csv")
    (directory / "README.md").write_text(_README, encoding="utf-8", newline="\n")
    has_comma = source.annotations["label"].str.contains(",", regex=False, na=False).astype(bool)
    return not_exported(source.annotations, CARRIES, (has_comma, "in weak.tsv, a comma in its label is written as ;"))


def _write_tsv(table: pd.DataFrame, path: Path) -> None:
    table.to_csv(path, sep="\t", index=False, lineterminator="\n", encoding="utf-8")
