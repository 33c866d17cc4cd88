"""A recording made of ESC-10 clips with the label track of all its events, to train on as a checked recording.

    python benchmarks/checked_recording.py ESC_DIR --folds 1 2 3 --seconds 1800 -o joined.flac
    labeltool --project P import audacity joined.txt --checked
    labeltool --project P retrain --test-fold 4
    python benchmarks/detect.py ESC_DIR --project P --model 1

It is joined as `benchmarks/detect.py` joins its recordings, of other folds and with other noise.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from detect import read_sounds, write_recording


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, metavar="ESC_DIR")
    parser.add_argument("--folds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--seconds", type=float, default=1800.0)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.flac")
    options = parser.parse_args()
    sounds = [sound for fold in options.folds for sound in read_sounds(options.data, fold)]
    events = write_recording(options.output, sounds, options.seconds, seed=1)
    rows = (f"{one['onset']:.6f}\t{one['offset']:.6f}\t{one['event_label']}\n" for one in events)
    options.output.with_suffix(".txt").write_text("".join(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
