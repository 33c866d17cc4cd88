"""Log-mels beside librosa's and a bare FFT, and all of an import and its suggestions beside a plain script.

    python benchmarks/features.py ESC_DIR [--rounds 15] [--pretrained yamnet.tflite --classes yamnet_class_map.csv]

First, on one core: clips of ESC-10's folds 1 to 4, 16-bit samples at 16 kHz in memory, to log-mels, by librosa
(`melspectrogram` and `power_to_db`), by the default frontend, and of the same windowed frames the float32 FFT alone,
one batch a clip, by SciPy and by NumPy; and SciPy's of as many frames, the same 96 again and again, which never leave
the cache. All take turns, so that the other load of the machine falls on each; processor time, medians of rounds, and
of each round's ratios with the smallest and the largest.

With a pretrained model, then: `labeltool init`, `model add`, `import folders` of 40 labelled clips, `import audio` of
the others up to `--clips`, and `suggest`, beside a plain script (`plain_script`) that loads each clip by librosa,
computes its log-mels, runs the model on windows that overlap by half, as here, fits scikit-learn's logistic regression
on their means and maxima and writes its suggestions. It is run twice: with the embedding, as labeltool, for which
`tf.lite` has to do without its fastest kernels; and with the scores, which need no inner tensor. Clips are those of the
folds, rotated by different times. Printed are wall-clock and processor time of all processes, and how many suggestions
both have and how many of them are the same.
"""

from __future__ import annotations

import os

os.environ.update({name: "1" for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")})

import argparse
import csv
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import librosa
import numpy as np
import scipy.fft
import soundfile
from commands import finished, labeltool

from labeltool.audio.files import read_pcm
from labeltool.audio.frontend import LogMelFrontend
from labeltool.type_aliases import Float32, Int16

FRONTEND = LogMelFrontend()
CLIP_S = 5.0
CLIPS_AT_ONCE = 40
LABELLED = 40


def librosa_log_mel(pcm: Int16) -> Float32:
    """Return log-mels as a script with librosa computes them, `(bands, frames)` decibels."""
    mels = librosa.feature.melspectrogram(
        y=pcm.astype(np.float32) / 32768,
        sr=FRONTEND.sample_rate_hz,
        n_fft=FRONTEND.n_fft,
        hop_length=FRONTEND.hop,
        center=False,
        n_mels=FRONTEND.n_mels,
        fmin=FRONTEND.low_hz,
        fmax=FRONTEND.high_hz,
    )
    return np.asarray(librosa.power_to_db(mels))


def windowed_frames(pcm: Int16) -> Float32:
    """Return what the FFT is given, `(frames, n_fft)`."""
    framed = np.lib.stride_tricks.sliding_window_view(pcm, FRONTEND.n_fft)[:: FRONTEND.hop]
    return np.ascontiguousarray(framed * (FRONTEND.window() / np.float32(32768)))


def compare_log_mels(data: Path, rounds: int) -> None:
    """Print the speeds and their ratios."""
    sounds = clips_of(data)[:: len(clips_of(data)) // CLIPS_AT_ONCE][:CLIPS_AT_ONCE]
    pcm = [read_pcm(path, 0.0, CLIP_S, FRONTEND.sample_rate_hz) for path, _ in sounds]
    frames = [windowed_frames(one) for one in pcm]
    again = np.ascontiguousarray(frames[0][:96])
    batches = sum(len(one) for one in frames) // len(again)
    np.ones(7_000_000, np.float32)  # from now on glibc keeps what is freed; else each large array costs page faults
    ways: dict[str, Callable[[], object]] = {
        "librosa": lambda: [librosa_log_mel(one) for one in pcm],
        "labeltool": lambda: [FRONTEND.log_mel(one) for one in pcm],
        "FFT alone (SciPy)": lambda: [scipy.fft.rfft(one, workers=1) for one in frames],
        "FFT alone (NumPy)": lambda: [np.fft.rfft(one) for one in frames],
        "FFT in the cache": lambda: [scipy.fft.rfft(again, workers=1) for _ in range(batches)],
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds + 1):
        for name, compute in ways.items():
            begun = time.process_time()
            compute()
            if turn:  # the first one warms up
                seconds[name].append(time.process_time() - begun)
    sound_s = sum(len(one) for one in pcm) / FRONTEND.sample_rate_hz
    for name, taken in seconds.items():
        print(f"{name:<20} {sound_s / np.median(taken):>8,.0f} x real time")
    for name in (name for name in ways if name != "labeltool"):
        ratios = np.divide(seconds[name], seconds["labeltool"])
        print(f"labeltool / {name:<20} {np.median(ratios):.2f} ({ratios.min():.2f} to {ratios.max():.2f})")


def clips_of(data: Path) -> list[tuple[Path, str]]:
    """Return the files of ESC-10's folds 1 to 4 and their labels."""
    with (data / "meta" / "esc50.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["fold"] != "5" and row["esc10"] == "True"]
    found = [(next((data / "audio").glob(f"{Path(row['filename']).stem}.*")), row["category"]) for row in rows]
    return sorted(found)


def write_clips(data: Path, folder: Path, count: int) -> None:
    """Write clips of 44.1 kHz: the first in folders of their labels, the others in one."""
    sounds = clips_of(data)
    sounds = [sounds[place * 37 % len(sounds)] for place in range(len(sounds))]  # all labels among the first
    for number in range(count):
        path, label = sounds[number % len(sounds)]
        samples, rate = soundfile.read(path, dtype="int16")
        place = folder / "labelled" / label if number < LABELLED else folder / "others"
        place.mkdir(parents=True, exist_ok=True)
        soundfile.write(place / f"clip{number:05}.wav", np.roll(samples, 997 * (number // len(sounds))), rate)


def plain_script(folder: Path, model: Path, inner: bool) -> None:
    """Do what a script of an afternoon does: log-mels and the model's numbers of each clip, a classifier, a table."""
    import tensorflow as tf
    from sklearn.linear_model import LogisticRegression

    kernels = tf.lite.experimental.OpResolverType
    interpreter = tf.lite.Interpreter(
        str(model),
        experimental_op_resolver_type=kernels.BUILTIN_WITHOUT_DEFAULT_DELEGATES if inner else kernels.AUTO,
        experimental_preserve_all_tensors=inner,
    )
    interpreter.allocate_tensors()
    given, wanted = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    if inner:
        details = interpreter.get_tensor_details()
        wanted = next(one["index"] for one in details if [*one["shape"]] in ([1, 1024], [1, 1, 1, 1024]))
    window, features, rows = 15_600, [], []
    paths = sorted(folder.rglob("*.wav"))
    for path in paths:
        samples, _ = librosa.load(path, sr=16_000)
        features.append(librosa_log_mel((samples * 32767).astype(np.int16)))
        found = []
        for first in range(0, len(samples) - window + 1, window // 2):
            interpreter.set_tensor(given, samples[first : first + window])
            interpreter.invoke()
            found.append(interpreter.get_tensor(wanted).ravel().astype(np.float32))
        rows.append(np.concatenate([np.mean(found, axis=0), np.max(found, axis=0)]))
    np.save(folder / "features.npy", np.concatenate(features, axis=1))
    labelled = [number for number, path in enumerate(paths) if path.parent.name != "others"]
    classifier = LogisticRegression(max_iter=1000)
    classifier.fit([rows[number] for number in labelled], [paths[number].parent.name for number in labelled])
    with (folder / "suggestions.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            (path.name, label) for path, label in zip(paths, classifier.predict(rows), strict=True)
        )


def compare_pipelines(data: Path, model: Path, classes: Path, count: int) -> None:
    """Print the times of both, and how far their suggestions agree."""
    with tempfile.TemporaryDirectory() as name:
        folder, project = Path(name), Path(name) / "project"
        write_clips(data, folder / "clips", count)
        labeltool("init", project)
        labeltool("model", "add", model, "--labels", classes, project=project)
        folders = labeltool("import", "folders", folder / "clips" / "labelled", project=project)
        others = labeltool("import", "audio", folder / "clips" / "others", project=project)
        suggest = labeltool("suggest", project=project)
        wall_s, processor_s = folders.wall_s + others.wall_s, folders.processor_s + others.processor_s
        print(f"labeltool: {'import':<26} {wall_s:>7.1f} s, processor {processor_s:>7.1f} s")
        print(f"labeltool: {'suggestions':<26} {suggest.wall_s:>7.1f} s, processor {suggest.processor_s:>7.1f} s")
        wall_s, processor_s = wall_s + suggest.wall_s, processor_s + suggest.processor_s
        listed = labeltool("clips", "--limit", count, "--json", project=project).json()
        ours = {Path(one["file"]).name: one["suggestion"] for one in listed["clips"]}
        script = [sys.executable, __file__, str(data), "--plain", str(folder / "clips"), "--pretrained", str(model)]
        for kind in ("embedding", "scores"):
            plain = finished([*script, "--by", kind], folder=folder)
            print(f"plain script by {kind}: {plain.wall_s:.1f} s, processor {plain.processor_s:.1f} s")
            print(f"  by labeltool's: {plain.wall_s / wall_s:.2f}, processor {plain.processor_s / processor_s:.2f}")
            with (folder / "clips" / "suggestions.csv").open(newline="") as file:
                theirs = dict(csv.reader(file))
            both = [name for name in theirs if ours.get(name)]
            same = sum(theirs[name] == ours[name] for name in both)
            print(f"  suggestions of both: {len(both)}; the same: {same}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--clips", type=int, default=2000)
    parser.add_argument("--pretrained", type=Path)
    parser.add_argument("--classes", type=Path)
    parser.add_argument("--plain", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--by", default="scores", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.plain:
        plain_script(given.plain, given.pretrained, given.by == "embedding")
        return
    compare_log_mels(given.data, given.rounds)
    if given.pretrained:
        compare_pipelines(given.data, given.pretrained.resolve(), given.classes.resolve(), given.clips)


if __name__ == "__main__":
    main()
