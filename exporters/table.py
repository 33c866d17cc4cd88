"""All annotations as one table, and the current suggestions as another: CSV, and Parquet where pyarrow is installed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pandas as pd

from labeltool.errors import LabeltoolError
from labeltool.exporters.annotations import (
    DTYPES,
    SUGGESTION_DTYPES,
    suggestions,
    without_zeros,
    write_csv,
    write_labels,
)
from labeltool.exporters.source import Source

_README = """\
# Annotations

`annotations.csv`: a row for each current verdict of a person or a file that was imported. UTF-8, comma-separated, a
header line, every field quoted, empty where there is no value. `annotations.parquet` is the same with types; it is
written where pyarrow is installed (`pip install "labeltool[parquet]"`).

| column | type | meaning |
| --- | --- | --- |
| path | string | where the recording was when this was exported |
| recording_sha256 | string | SHA-256 of the recording's file; it identifies a file that has moved |
| start_s, end_s | float64 | the clip, seconds from the start of the recording |
| label | string | one label; empty: the verdict is on the clip as a whole |
| value | string | `present`, `absent`, `unsure`; without a label, `absent`: none of the labels, `unsure`: not clear |
| region_start_s, region_end_s | float64 | the verdict's own bounds in the recording, seconds; empty: its clip's |
| low_hz, high_hz | float64 | its frequency range, empty where a bound is not known |
| confidence | float64 | as the file that was imported gives it |
| track | string | the track of the label file that was imported |
| annotator | string | who labelled |
| origin | string | `human`, `suggestion` (a person accepted it), `auto-accepted`, `import`, `rule` (settled) |
| created_at | string | when, ISO 8601, UTC |
| fold | Int64 | the official fold of the data set, empty without one |
| group | string | what a split must keep together |
| licence | string | licence of the recording, empty where it is not known |

A label that is in no row of a clip is unchecked there. Times and frequencies have all their digits: they read back as
the same numbers.

`suggestions.csv` (and `.parquet`): what models predict for clips and regions without a label, as the app shows it:
path, recording_sha256, start_s, end_s, label, probability, and the unique id of the model.

    import pandas
    annotations = pandas.read_csv("annotations.csv", keep_default_na=False, na_values={"fold": "", "confidence": "",
        "region_start_s": "", "region_end_s": "", "low_hz": "", "high_hz": ""})

`keep_default_na=False` keeps labels such as `NA` and `null` as text. A spreadsheet would evaluate a label such as
`=SUM(A1)` as a formula: import that column as text.

Not in these tables: notes, skipped clips and bad audio, checked parts, transcripts, and what was undone or replaced.
`labeltool journal export` writes everything. No annotation is lost; `not_exported.csv` lists labels with a zero
character, in whose place is a space, if there are any.
"""


def write(source: Source, directory: Path) -> pd.DataFrame:
    """Write the tables, as CSV and where possible as Parquet, and a README that explains the columns."""
    table = source.annotations[list(DTYPES)]
    if table.empty:
        raise LabeltoolError("nothing is labelled yet", remedy="use `labeltool import` or `labeltool label`")
    label = table["label"].map(without_zeros, na_action="ignore").astype(object)
    lost = table[(label != table["label"]) & label.notna()]
    table = table.assign(label=label)
    tables = {"annotations": table, "suggestions": suggestions(source.store, source.as_of)[list(SUGGESTION_DTYPES)]}
    for name, frame in tables.items():
        write_csv(frame, directory / f"{name}.csv")
        if find_spec("pyarrow") is not None:
            # As text, a column without any value has a type, too.
            text = {column: "string" for column in frame.select_dtypes("object")}
            frame.astype(text).to_parquet(directory / f"{name}.parquet", engine="pyarrow", index=False)
    (directory / "README.md").write_text(_README, encoding="utf-8", newline="\n")
    write_labels(source.store, directory, as_of=source.as_of)
    return lost.assign(exported="in part", reason="characters of its label are replaced")
