"""The frontend in integers against float64 and float32, on real sound: features that differ, and by how much.

    python benchmarks/fixed_point.py DATA_DIR [--fold 4] > fixed_point.md

DATA_DIR holds ESC-50's `audio/` and `meta/esc50.csv` as published. All ESC-10 clips of the fold are used, as recorded
and 20, 40 and 60 dB quieter (rounded to 16 bits again). An int8 step is 1/32, 0.47 dB with the default frontend.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from esc10_clips import read_clips

from labeltool.audio import files
from labeltool.audio.device import device_frontend
from labeltool.audio.frontend import LogMelFrontend
from labeltool.exporters.stm32.tflite.summary import TensorFormat
from labeltool.exporters.stm32.verification.golden import fixed_point_inputs, float_inputs

INPUT = TensorFormat((1, 64, 50, 1), "INT8", 1 / 32, 0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--fold", type=int, default=4)
    options = parser.parse_args()
    frontend = LogMelFrontend()
    clips = [clip for clip in read_clips(options.data)[0] if clip.fold == options.fold]
    sounds = [files.read_pcm(clip.path, 0.0, 5.0, frontend.sample_rate_hz) for clip in clips]
    print("| level, dB | frontend | values | one step off | largest difference | level differs by up to, dB |")
    print("| --- | --- | --- | --- | --- | --- |")
    for level in (0, -20, -40, -60):
        pcm = [np.rint(sound * 10.0 ** (level / 20)).astype(np.int16) for sound in sounds]
        expected = np.concatenate([device_frontend.in_float64(frontend, one, INPUT) for one in pcm]).astype(int)
        floats = [float_inputs(frontend, one, INPUT) for one in pcm]
        for name, front_end in (("float32", float_inputs), ("fixed point", fixed_point_inputs)):
            found = [front_end(frontend, one, INPUT) for one in pcm]
            steps = np.abs(np.concatenate([one.codes for one in found]) - expected)
            levels = [
                np.abs(one.loudness_db - other.loudness_db).max() for one, other in zip(found, floats, strict=True)
            ]
            print(
                f"| {level} | {name} | {steps.size:,} | {(steps > 0).mean():.3%} | {steps.max()} | {max(levels):.3f} |"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
