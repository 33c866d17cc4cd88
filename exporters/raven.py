"""Selection tables for Raven, one for each recording, with the columns that Raven Pro 1.6 writes."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from labeltool.exporters.annotations import Carries, by_recording, exportable, not_exported, one_field
from labeltool.exporters.file_names import write_recording_files
from labeltool.exporters.source import Source

INDEX = "tables.csv"

_README = """\
# Selection tables for Raven

One `.selections.txt` for each recording with labels. Open the recording in Raven, then choose File > Open Selection
Table. `tables.csv` lists the recording of each table. Tab-separated, UTF-8, a row for each label:

| column | meaning |
| --- | --- |
| Selection, View, Channel | a number, `Spectrogram 1`, 1: labels are on all channels, a table names one |
| Begin Time (s), End Time (s) | seconds from the start of the recording, all digits |
| Low Freq (Hz), High Freq (Hz) | the frequency range; 0 and half the sample rate: not known, also when imported |
| Begin Path, Begin File | the recording |
| Annotation | the label |
| Confidence | as the file that was imported gives it, or empty |

Only present labels are written: a table cannot express "absent" or "unsure". It quotes nothing: a space replaces each
tab and line break, `'` each `"`. A selection has a duration: points are not written. It has no annotators, folds,
groups and licences. `not_exported.csv` lists the annotations that are not in the tables, or in part, and why.
"""


def _text(label: str) -> str:
    return one_field(label).replace('"', "'")


CARRIES = Carries(points=False, frequencies=True, confidence=True, text=_text)


def write(source: Source, directory: Path) -> pd.DataFrame:
    """Write a selection table for each recording with a present label, an index, and a README."""
    rows = exportable(source.annotations, CARRIES)
    tables = {id_: (_table(of_recording), len(of_recording)) for id_, of_recording in by_recording(rows)}
    write_recording_files(source.store, directory, tables, ".selections.txt", INDEX)
    (directory / "README.md").write_text(_README, encoding="utf-8", newline="\n")
    half_known = source.annotations["low_hz"].isna() != source.annotations["high_hz"].isna()
    nyquist_hz = source.annotations["sample_rate_hz"] / 2
    is_whole = (source.annotations["low_hz"] <= 1) & ((source.annotations["high_hz"] - nyquist_hz).abs() <= 1)
    return not_exported(
        source.annotations,
        CARRIES,
        (half_known, "the other bound of its frequencies is made up"),
        (is_whole, "its frequency range, that of the whole recording, means none"),
    )


def _table(rows: pd.DataFrame) -> str:
    table = pd.DataFrame(
        {
            "Selection": range(1, len(rows) + 1),
            "View": "Spectrogram 1",
            "Channel": 1,
            "Begin Time (s)": rows["start_s"],
            "End Time (s)": rows["end_s"],
            "Low Freq (Hz)": rows["low_hz"].fillna(0.0),
            "High Freq (Hz)": rows["high_hz"].fillna(rows["sample_rate_hz"] / 2),
            "Begin Path": rows["path"].map(_text),
            "Begin File": rows["path"].map(lambda path: _text(Path(path).name)),
            "Annotation": rows["label"],
            "Confidence": rows["confidence"],
        }
    )
    # 3: csv.QUOTE_NONE, as Raven quotes nothing.
    return table.to_csv(sep="\t", index=False, quoting=3, lineterminator="\n")
