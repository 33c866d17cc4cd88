"""Thresholds from a review of detections, on long recordings whose events are known.

    python benchmarks/reviewed_detections.py ESC_DIR --yamnet yamnet.tflite --classes yamnet_class_map.csv

Recordings of an hour are made of clips of ESC-10, of folds 1 and 2 to be reviewed, and of folds 3 and 4 to judge by.
YAMNet detects in the former with a low threshold, `labeltool evaluate --detections` lists detections in tens, which
are reviewed by the truth: a detection is right where it overlaps an event of its label. What it chose is saved, and
`labeltool detect` then uses it. One line of JSON for each label: the threshold, the reviews, the precision by the
review and its interval, the true one of the same detections, and of the other recordings; and one for all: the share of
the table's intervals that cover the true precision.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from commands import labeltool
from detect import Events, read_sounds, write_recording

from labeltool import project as projects
from labeltool.records import Value
from labeltool.store import journal

LOW = 0.05
AT_ONCE = 10


def found(project: Path, paths: Sequence[Path], *options: object) -> dict[str, Any]:
    """Return what YAMNet detects in recordings."""
    detected = labeltool("detect", *paths, "--model", "yamnet", *options, "--json", project=project).json()
    return dict(detected)


def is_right(truth: Events, label: str, start_s: float, end_s: float) -> bool:
    """Return whether a detection overlaps an event of its label."""
    return any(one["event_label"] == label and one["onset"] < end_s and start_s < one["offset"] for one in truth)


def review(project: Path, truths: dict[str, Events], precision: float, width: float, most: int) -> dict[str, Any]:
    """Review by the truth what is listed, until nothing is or enough is reviewed; return the table."""
    ours = projects.find(project)
    reviewed = 0
    while True:
        options = ["--precision", precision, "--width", width, "--limit", AT_ONCE]
        result = labeltool("evaluate", "--detections", *options, "--json", project=project).json()
        chosen = {one["label"]: one["threshold"] for one in result["operating_points"]}
        is_narrow = [
            row["precision"] is not None and row["precision"]["high"] - row["precision"]["low"] <= width
            for row in result["thresholds"]
            if row["threshold"] == chosen.get(row["label"])
        ]
        if reviewed >= most or not result["next"] or (len(chosen) and all(is_narrow) and reviewed >= most // 2):
            return result
        with ours.open_store() as store:
            for one in result["next"]:
                truth = truths[Path(one["file"]).name]
                right = is_right(truth, one["label"], one["start_s"], one["end_s"])
                value = Value.PRESENT if right else Value.ABSENT
                journal.annotate(store, one["clip"], one["label"], value, annotator="truth")
        reviewed += len(result["next"])


def shares_right(detected: dict[str, Any], truths: dict[str, Events]) -> Callable[[str, float], tuple[int, float]]:
    """Return a function from label and threshold to the number of detections and the share that is right."""
    right = [
        (
            span["label"],
            span["probability"],
            is_right(truths[Path(one["file"]).name], span["label"], span["start_s"], span["end_s"]),
        )
        for one in detected["files"]
        for span in one["spans"]
    ]

    def share(label: str, threshold: float) -> tuple[int, float]:
        some = [one for name, score, one in right if name == label and score >= threshold]
        return len(some), round(sum(some) / len(some), 3) if some else float("nan")

    return share


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, metavar="ESC_DIR")
    parser.add_argument("--yamnet", type=Path, required=True)
    parser.add_argument("--classes", type=Path, required=True)
    parser.add_argument("--hours", type=int, default=2)
    parser.add_argument("--precision", type=float, default=0.9)
    parser.add_argument("--width", type=float, default=0.15)
    parser.add_argument("--most", type=int, default=400, help="reviewed detections")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        project = folder / "project"
        labeltool("init", project)
        labeltool("import", "esc50", options.data, "--subset", "esc10", project=project)
        labeltool("model", "add", options.yamnet, "--name", "yamnet", "--labels", options.classes, project=project)
        truths: dict[str, Events] = {}
        paths: dict[str, list[Path]] = {"reviewed": [], "rest": []}
        for kind, folds in (("reviewed", (1, 2)), ("rest", (3, 4))):
            sounds = [sound for fold in folds for sound in read_sounds(options.data, fold)]
            for hour in range(options.hours):
                path = folder / f"{kind}-{hour}.flac"
                truths[path.name] = write_recording(path, sounds, 3600.0, seed=100 * folds[0] + hour)
                paths[kind].append(path)
        labeltool("import", "audio", *paths["reviewed"], *paths["rest"], project=project)
        detected = found(project, paths["reviewed"], "--threshold", LOW)
        result = review(project, truths, options.precision, options.width, options.most)
        labeltool("evaluate", "--detections", "--precision", options.precision, "--save", project=project)
        truth = shares_right(detected, truths)
        covered = [
            row["precision"]["low"] - 1e-9
            <= truth(row["label"], row["threshold"])[1]
            <= row["precision"]["high"] + 1e-9
            for row in result["thresholds"]
            if row["precision"] is not None
        ]
        again, rest = (found(project, paths[kind]) for kind in ("reviewed", "rest"))
        on_reviewed, on_rest = (shares_right(one, truths) for one in (again, rest))
        for point in result["operating_points"]:
            label, threshold = point["label"], point["threshold"]
            print(
                json.dumps(
                    {
                        **{"label": label, "threshold": threshold, "used": rest["labels"][label]},
                        **{"reviewed": point["clips"], "precision": round(point["precision"], 3)},
                        "interval": [round(point["precision_low"], 3), round(point["precision_high"], 3)],
                        "true_in_the_review": truth(label, threshold),
                        "true_detected_again": on_reviewed(label, 0),
                        "true_in_other_recordings": on_rest(label, 0),
                    }
                )
            )
        rows, reviewed = result["thresholds"], {row["label"]: row["reviewed"] for row in reversed(result["thresholds"])}
        print(
            json.dumps(
                {
                    **{"detections": sum(len(one["spans"]) for one in detected["files"])},
                    **{"reviewed": sum(reviewed.values()), "intervals": len(covered), "covering": sum(covered)},
                    "labels_without_a_threshold": sorted({row["label"] for row in rows} - on_labels(result)),
                }
            )
        )


def on_labels(result: dict[str, Any]) -> set[str]:
    return {point["label"] for point in result["operating_points"]}


if __name__ == "__main__":
    main()
