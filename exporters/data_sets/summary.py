"""What a data set contains, in numbers: labels by part, annotators and their agreement, licences."""

from __future__ import annotations

import json
from itertools import combinations

import pandas as pd

from labeltool.annotation.annotation_table import latest
from labeltool.records import Value


def labels_by_part(annotations: pd.DataFrame, clips: pd.DataFrame, parts: list[str]) -> pd.DataFrame:
    """Return a row for each label that is present, and one for all of them.

    Parameters
    ----------
    clips
        The clips of the data set by their id, with `part`, `group`, `start_s` and `end_s`.

    Returns
    -------
    pandas.DataFrame
        `label`; a column for each part, as text: its clips, their seconds, their groups; `absent`, `unsure` and
        `unchecked`, numbers of clips.
    """
    on_label = annotations[annotations["label"].notna() & annotations["clip_id"].isin(clips.index)]
    on_label = on_label.drop_duplicates(["clip_id", "label", "value"])
    rows = []
    for label, of_label in on_label.groupby("label"):
        by_value = {value: clips.loc[of_label.loc[of_label["value"] == value, "clip_id"]] for value in Value}
        if by_value[Value.PRESENT].empty:
            continue
        counts = [len(by_value[value]) for value in (Value.ABSENT, Value.UNSURE)]
        unchecked = len(clips) - len(by_value[Value.PRESENT]) - sum(counts)
        rows.append([label, *_by_part(by_value[Value.PRESENT], parts), *map(str, (*counts, unchecked))])
    rows.append(["all clips", *_by_part(clips, parts), "", "", ""])
    return pd.DataFrame(rows, columns=["label", *parts, "absent", "unsure", "unchecked"])


def _by_part(clips: pd.DataFrame, parts: list[str]) -> list[str]:
    in_parts = [clips[clips["part"] == part] for part in parts]
    return [f"{len(one)} / {seconds(one):.1f} / {one['group'].nunique()}" for one in in_parts]


def seconds(clips: pd.DataFrame) -> float:
    """Return the summed length of clips."""
    return float((clips["end_s"] - clips["start_s"]).sum())


def annotators(verdicts: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each annotator: `annotator`, and how many `annotations` on how many `clips`."""
    grouped = verdicts.groupby("annotator")
    counts = pd.DataFrame({"annotations": grouped.size(), "clips": grouped["clip_id"].nunique()})
    return counts.rename_axis("annotator").reset_index()


def agreement(verdicts: pd.DataFrame) -> pd.DataFrame:
    """Return how far each two annotators agree on the clips that both have labelled.

    An annotator has labelled a clip by naming the labels that are present, or by stating that none is. What they named
    last is compared as a whole, so that a clip with several labels is agreed on when all of them are.

    Returns
    -------
    pandas.DataFrame
        `annotators` (text), `clips`, `agreement` (0 to 1) and `kappa` (Cohen 1960), NaN where both used one label set
        only: chance alone would then agree.
    """
    named: dict[str, pd.Series[str]] = {}
    for annotator, of_one in verdicts.groupby("annotator"):
        last = latest(of_one)
        is_present = (last["value"] == Value.PRESENT) & last["label"].notna()
        is_none = last["label"].isna() & (last["value"] == Value.ABSENT)
        last = last[is_present | is_none]
        names = last.groupby("clip_id")["label"]
        named[str(annotator)] = names.agg(lambda labels: json.dumps(sorted(set(labels.dropna()))))
    rows = []
    for first, second in combinations(sorted(named), 2):
        both = named[first].index.intersection(named[second].index)
        if len(both):
            rows.append([f"{first}, {second}", len(both), *_agreement(named[first][both], named[second][both])])
    return pd.DataFrame(rows, columns=["annotators", "clips", "agreement", "kappa"])


def _agreement(first: pd.Series[str], second: pd.Series[str]) -> tuple[float, float]:
    observed = float((first == second).mean())
    shares = first.value_counts(normalize=True) * second.value_counts(normalize=True)
    expected = float(shares.sum())
    return observed, (observed - expected) / (1 - expected) if expected < 1 else float("nan")


def licences(clips: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each licence, "" where it is not known: `licence`, `recordings`, `clips`, `seconds`."""
    grouped = clips.assign(seconds=clips["end_s"] - clips["start_s"], licence=clips["licence"].fillna("")).groupby(
        "licence"
    )
    counts = {
        "recordings": grouped["recording_sha256"].nunique(),
        "clips": grouped.size(),
        "seconds": grouped["seconds"].sum().map("{:.1f}".format),
    }
    return pd.DataFrame(counts).rename_axis("licence").reset_index()
