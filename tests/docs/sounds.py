"""`sounds KIND PLACE ...`: the recordings and label files that a page takes for granted, made in its hidden setup."""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import soundfile

from labeltool.cli.demo.sounds import SAMPLE_RATE_HZ, SOUNDS, make_world
from labeltool.type_aliases import Float64

Event = tuple[float, float, str]
"""Start and end in seconds, and the label."""


def main() -> None:
    """Make what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    kinds = parser.add_subparsers(dest="kind", required=True)
    for kind in ("clips", "recording", "esc50", "urbansound8k"):
        own = kinds.add_parser(kind)
        own.add_argument("place", type=Path)
        own.add_argument("--labels", default="robin,wren", type=lambda text: text.split(","))
        own.add_argument("--each", default=4, type=int, help="clips of each label")
        own.add_argument("--seconds", default=30.0, type=float)
        own.add_argument("--seed", default=0, type=int)
        for table in TABLES:
            own.add_argument(f"--{table}", type=Path, help="write the labels there, too")
    given = parser.parse_args()
    {"clips": clips, "recording": recording, "esc50": esc50, "urbansound8k": urbansound8k}[given.kind](given)


def sound_of(labels: Sequence[str], label: str) -> str:
    """Return the demo's sound that stands for a label: its own where it has one."""
    return label if label in SOUNDS else sorted(SOUNDS)[labels.index(label) % len(SOUNDS)]


def write(path: Path, samples: Float64) -> None:
    """Write a sound at half of full scale."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.5 * samples / max(np.abs(samples).max(), 1e-9), SAMPLE_RATE_HZ)


def clips(given: argparse.Namespace) -> None:
    """Write a folder of clips for each label, or, without a label, a folder of clips."""
    rng = np.random.default_rng(given.seed)
    for number, label in enumerate(np.repeat(given.labels, given.each)):
        sound = SOUNDS[sound_of(given.labels, label)](rng, 2.0)
        write(given.place / label / f"{label}{number % given.each + 1:03}.wav", sound + rng.normal(0, 0.02, len(sound)))


def recording(given: argparse.Namespace) -> None:
    """Write a recording in which the labels come one after the other, and their times in the formats asked for."""
    rng = np.random.default_rng(given.seed)
    samples = rng.normal(0, 0.02, round(given.seconds * SAMPLE_RATE_HZ))
    events = list(schedule(given.labels, given.seconds))
    for start_s, end_s, label in events:
        sound = SOUNDS[sound_of(given.labels, label)](rng, end_s - start_s)
        first = round(start_s * SAMPLE_RATE_HZ)
        samples[first : first + len(sound)] += sound[: len(samples) - first]
    write(given.place, samples)
    for name, table in TABLES.items():
        path = getattr(given, name)
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(table(given.place.name, events), encoding="utf-8")


def schedule(labels: Sequence[str], seconds: float) -> Iterator[Event]:
    """Yield events of a second and a half, with pauses of as much."""
    for number, start_s in enumerate(np.arange(1.0, seconds - 2.0, 3.0)):
        yield float(start_s), float(start_s + 1.5), labels[number % len(labels)]


def audacity(_: str, events: Sequence[Event]) -> str:
    """Return an Audacity label track."""
    return "".join(f"{start_s:.6f}\t{end_s:.6f}\t{label}\n" for start_s, end_s, label in events)


def raven(_: str, events: Sequence[Event]) -> str:
    """Return a selection table of Raven."""
    head = "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)\tSpecies\n"
    rows = (
        f"{number}\tSpectrogram 1\t1\t{start_s:.3f}\t{end_s:.3f}\t2000.0\t8000.0\t{label}\n"
        for number, (start_s, end_s, label) in enumerate(events, 1)
    )
    return head + "".join(rows)


def birdnet(file: str, events: Sequence[Event]) -> str:
    """Return a table of results as BirdNET-Analyzer writes it."""
    head = "Start (s),End (s),Scientific name,Common name,Confidence,File\n"
    rows = (
        f"{start_s - start_s % 3:.1f},{start_s - start_s % 3 + 3:.1f},Aves aves,{label},0.8{number % 10},{file}\n"
        for number, (start_s, _, label) in enumerate(events)
    )
    return head + "".join(rows)


def species(file: str, events: Sequence[Event]) -> str:
    """Return a table whose label has a name of its own."""
    return "file,onset,offset,species\n" + "".join(
        f"{file},{start_s:g},{end_s:g},{label}\n" for start_s, end_s, label in events
    )


TABLES = {"audacity": audacity, "raven": raven, "birdnet": birdnet, "table": species}


def esc50(given: argparse.Namespace) -> None:
    """Write a data set in ESC-50's layout."""
    make_world(given.place.parent / ".world").esc_style.rename(given.place)


def urbansound8k(given: argparse.Namespace) -> None:
    """Write a data set in UrbanSound8K's layout: two clips in each of two folds."""
    rows = []
    for fold in (1, 2):
        for target, name in enumerate(("dog_bark", "siren")):
            file = f"{100 * fold + target}-{target}-0-0.wav"
            rng = np.random.default_rng(10 * fold + target)
            write(given.place / "audio" / f"fold{fold}" / file, SOUNDS[sound_of(["dog_bark"], name)](rng, 2.0))
            rows.append((file, 100 * fold + target, 0.0, 2.0, 1, fold, target, name))
    table = given.place / "metadata" / "UrbanSound8K.csv"
    table.parent.mkdir(parents=True)
    with table.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(("slice_file_name", "fsID", "start", "end", "salience", "fold", "classID", "class"))
        writer.writerows(rows)


if __name__ == "__main__":
    main()
