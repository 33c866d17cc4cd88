"""What every command that reads or writes the store takes at 10,000, 100,000 and 1,000,000 clips.

    python benchmarks/million.py [--clips 10000 100000 1000000] [--folder F] [--only status ...]

It makes a project through the program itself: half of the clips are cut from recordings by `import audio`, half are the
spans of a table of labels; a thousandth as many recordings as clips. Suggestions, the queue and the rows by which clips
are compared are stored as a training stores them. Then each command runs in a process of its own. It prints processor
and wall seconds and the peak memory of the largest process, and the slope of processor time over clips, both as
logarithms, from the smallest project to the largest: 1 is linear, 0 is constant. What has no command (the next clips
and a page of batch review, as the app gets them; what a training reads) is read in a process of Python, whose start
counts too. `retrain` is stopped by its budget, and only its memory counts. For it and for `suggest` the cache is filled
with made-up features, 13 GB for a million clips: to compute them would take hours, and other commands read none.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from commands import Taken, command_line, measured

CLIP_S = 0.05
CLIPS_PER_RECORDING = 1000
LABELS = ("wren", "robin", "blackbird", "song thrush", "rain", "aeroplane", "dog", "voice", "wind", "tawny owl")
MOST_MB = 1000
SLOPES = {"constant": 0.2, "linear": 1.1}

# What is measured: its name, the arguments of `labeltool`, and how it may grow. {places} are those of `arguments`.
COMMANDS = (
    ("import audio", "import audio {sounds} --clip-seconds 0.05", "linear"),
    ("import table", "import table {table}", "linear"),
    ("import table, again", "import table {table}", "linear"),
    ("plant", "", ""),
    ("status", "status", "constant"),
    ("status --json", "status --json", "constant"),
    ("next clips", "", "constant"),
    ("mark", "mark {unlabelled} wren", "constant"),
    ("undo", "undo", "constant"),
    ("redo", "redo", "constant"),
    ("note", "note {unlabelled} loud", "constant"),
    ("log", "log --limit 20", "constant"),
    ("clips", "clips", "linear"),
    ("clips --label", "clips --label wren", "linear"),
    ("clips --unlabelled --text", "clips --unlabelled --text r1", "linear"),
    ("batch review, a page", "", "linear"),
    ("review", "review", "linear"),
    ("conflicts", "conflicts", "linear"),
    ("stats", "stats", "linear"),
    ("labels", "labels", "linear"),
    ("labels define", "labels define wren small", "linear"),
    ("group", "group", "linear"),
    ("lock", "lock", "linear"),
    ("similar CLIP", "similar {labelled}", "linear"),
    ("similar --clusters", "similar --clusters 20 --json", "linear"),
    ("check", "check imbalance spelling single-group", "linear"),
    ("export --table", "export --table -o {out}/table", "linear"),
    ("export --splits", "export --splits -o {out}/splits", "linear"),
    ("export --splits --folds", "export --splits --folds 5 -o {out}/folds", "linear"),
    ("export --audacity", "export --audacity -o {out}/audacity", "linear"),
    ("export --raven", "export --raven -o {out}/raven", "linear"),
    ("export --dcase", "export --dcase -o {out}/dcase", "linear"),
    ("export --label-studio", "export --label-studio -o {out}/studio", "linear"),
    ("journal export", "journal export -o {out}/journal.jsonl", "linear"),
    ("journal import", "--project {other} journal import {out}/journal.jsonl", "linear"),
    ("merge", "--project {other} merge {project}", "linear"),
    ("split-work", "split-work --into 2 -o {out}/people", "linear"),
    ("rename", "rename rain drizzle", "linear"),
    ("remove", "remove {sounds}/r1.wav", "linear"),
    ("remove --undo", "remove --undo {sounds}/r1.wav", "linear"),
    ("relocate", "relocate {sounds}", "linear"),
    ("backup", "backup {out}/backup.db", "linear"),
    ("restore", "restore {out}/backup.db", "linear"),
    ("retrain, what it reads", "", "linear"),
    ("made-up features", "", ""),
    ("retrain --budget", "retrain --budget 120 --json", ""),
    ("suggest", "suggest", "linear"),
)
NEED_FEATURES = {"made-up features", "retrain --budget", "suggest"}
NOT_MEASURED = {"plant", "made-up features"}


def write_sources(folder: Path, clips: int) -> None:
    """Write the recordings, and a table of labels of half of the clips."""
    import pandas as pd
    from imports import RATE_HZ, write_near_silence

    recordings = max(10, clips // CLIPS_PER_RECORDING)
    each = -(-clips // recordings) // 2
    (folder / "sounds").mkdir()
    for number in range(recordings):
        write_near_silence(folder / "sounds" / f"r{number}.wav", round(each * CLIP_S * RATE_HZ) / RATE_HZ, number)
    place = pd.RangeIndex(recordings * each)
    start_s = place % each * CLIP_S
    frame = pd.DataFrame({"file": [f"sounds/r{one}.wav" for one in place // each], "start": start_s})
    frame["end"] = start_s + CLIP_S / 2  # no clip that `import audio` cuts
    frame["label"] = [LABELS[one * 7919 % len(LABELS)] for one in place]
    frame.to_csv(folder / "table.csv", index=False, float_format="%.6f")


def plant(folder: Path) -> None:
    """Store suggestions, the queue, and the rows by which clips are compared."""
    import numpy as np
    from app import suggest
    from similar import random_features

    from labeltool import project as projects
    from labeltool.annotation.listing import Filter, matching
    from labeltool.similarity.index import NeighbourIndex, PrincipalSpace
    from labeltool.similarity.search import feature_source
    from labeltool.store import clips

    project = projects.load(folder / "project")
    with project.open_store(to_write=True) as store:
        unlabelled = matching(store, Filter(labelled=False)).tolist()
        suggest(store, np.random.default_rng(1).permutation(unlabelled).tolist(), LABELS)
        make = random_features(len(unlabelled), 128)
        directory = feature_source(project, store).folder(project)
        index = NeighbourIndex.make(directory, PrincipalSpace.fit(make(0, 4096)))
        every, size = matching(store), 10_000
        for first in range(0, len(every), size):
            some = clips.clips_by_ids(store, every[first : first + size].tolist())
            index.append(some, make(first, len(some)))


def next_clips(folder: Path) -> None:
    """Claim the next clips, as the app does."""
    from labeltool import project as projects
    from labeltool.annotation.next_clips import claim_clips

    with projects.load(folder / "project").open_store(to_write=True) as store:
        assert claim_clips(store, 5, annotator="somebody")


def batch_page(folder: Path) -> None:
    """Read the first page of a label's batch review, as the app does."""
    from labeltool import project as projects
    from labeltool.annotation.batch_review import next_page
    from labeltool.annotation.listing import count_by_predicted_label

    with projects.load(folder / "project").open_store(to_write=True) as store:
        assert next_page(store, next(iter(count_by_predicted_label(store))), 24, annotator="somebody").clip_ids


def read_to_train(folder: Path) -> None:
    """Read what a training reads of the store, and make its targets."""
    from labeltool import project as projects
    from labeltool.store import clips
    from labeltool.training.labelled_spans import read_training_clips
    from labeltool.training.targets import build_training_set

    with projects.load(folder / "project").open_store() as store:
        read = read_training_clips(store, min_window_s=1.0)
        assert build_training_set(read.labelled, read.background).clips
        assert clips.unlabelled_to_train_on(store)


def make_up_features(folder: Path) -> None:
    """Fill the cache with noise, 64 clips a shard as it has them."""
    import numpy as np

    from labeltool import project as projects
    from labeltool.audio.feature_cache import write_frames
    from labeltool.store import clips
    from labeltool.training.prepare import feature_cache_for, make_request

    project = projects.load(folder / "project")
    cache = feature_cache_for(project, make_request(project, project.settings.learning.architecture))
    cache.directory.mkdir(parents=True)
    rng, size = np.random.default_rng(1), (cache.frontend.patch_frames, cache.frontend.columns)
    noise = rng.normal(0.0, 1.0, (64, *size)).astype(np.float32)
    with project.open_store() as store:
        every = clips.all_clips(store)
    for first in range(0, len(every), len(noise)):
        level = np.float32(rng.normal(0.0, 0.3))
        write_frames(
            cache.directory,
            {clip.key: level + one for clip, one in zip(every[first : first + len(noise)], noise, strict=False)},
        )


STEPS: dict[str, Callable[[Path], None]] = {
    "plant": plant,
    "made-up features": make_up_features,
    "next clips": next_clips,
    "batch review, a page": batch_page,
    "retrain, what it reads": read_to_train,
}


def arguments(folder: Path, command: str) -> list[str]:
    """Return a command line of `labeltool` with the places of this project."""
    places = {"project": folder / "project", "other": folder / "other", "out": folder / "out"}
    places |= {"sounds": folder / "sounds", "table": folder / "table.csv"}
    filled = command.format(**places, unlabelled=7, labelled=9)
    return (filled if command.startswith("--project") else f"--project {places['project']} {filled}").split()


def failed(taken: Taken) -> str:
    """Return the end of what a process that failed wrote; "" where it did not fail."""
    return taken.errors[-300:].strip().replace("\n", " ") if taken.code else ""


def measure(folder: Path, clips: int, only: list[str]) -> dict[str, Taken]:
    """Make a project of a number of clips and run the commands on it; print each row as soon as it is there."""
    python, here = sys.executable, str(Path(__file__).resolve())
    measured([python, here, "--child", "sources", "--folder", str(folder), "--clips", str(clips)])
    (folder / "out").mkdir()
    taken = {}
    for name in ("project", "other"):
        measured(command_line("init", folder / name))
    for name, command, _ in COMMANDS:
        needed = name.startswith(("import", "plant")) or (name in NOT_MEASURED and not NEED_FEATURES.isdisjoint(only))
        if only and name not in only and not needed:
            continue
        if name in STEPS:
            one = measured([python, here, "--child", name, "--folder", str(folder)])
        else:
            one = measured(command_line(*arguments(folder, command)))
        taken[name] = one
        stages = one.json()["stages"] if name == "retrain --budget" and not one.code else ""
        print(f"{clips}  {name}: {one.processor_s:.2f} s, {one.peak_mb:.0f} MB {failed(one)}{stages}", file=sys.stderr)
    return taken


def print_table(sizes: dict[int, dict[str, Taken]]) -> bool:
    """Print the table; return whether all grows as it may."""
    smallest, largest = min(sizes), max(sizes)
    print(f"processor s, peak MB; load {os.getloadavg()[0]:.1f}\n")
    heads = [f"{clips:,}" for clips in sizes]
    print(f"| command | {' | '.join(heads)} | slope |  |\n| --- |{' --- |' * (len(sizes) + 2)}")
    fits = True
    for name, _, grows in COMMANDS:
        rows = [one[name] for one in sizes.values() if name in one]
        if len(rows) < len(sizes) or name in NOT_MEASURED:
            continue
        cells = [failed(one) or f"{one.processor_s:.2f} ({one.wall_s:.2f} wall), {one.peak_mb:.0f}" for one in rows]
        growth = rows[-1].processor_s / rows[0].processor_s
        slope = math.log(growth) / math.log(largest / smallest) if len(sizes) > 1 else 0.0
        faults = ["failed"] * any(one.code for one in rows) + ["memory"] * (rows[-1].peak_mb > MOST_MB)
        faults += ["grows"] * (bool(grows) and slope > SLOPES[grows])
        fits &= not faults
        print(f"| {name} | {' | '.join(cells)} | {slope:.2f} | {', '.join(faults)} |", flush=True)
    return fits


def main() -> None:
    """Measure each size, print the table, and fail where something grows faster than it may."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--folder", type=Path, help="where the projects are made; default: a temporary one")
    parser.add_argument("--only", nargs="+", default=[], help="commands, beside the imports; default: all")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child == "sources":
        write_sources(options.folder, options.clips[0])
    elif options.child:
        STEPS[options.child](options.folder)
    else:
        sizes = {}
        for clips in options.clips:
            with tempfile.TemporaryDirectory(dir=options.folder) as name:
                sizes[clips] = measure(Path(name), clips, options.only)
        sys.exit(not print_table(sizes))


if __name__ == "__main__":
    main()
