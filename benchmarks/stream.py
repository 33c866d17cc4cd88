"""The rule for streams: C and Python on the same sounds, and its events against those of `labeltool detect`.

    python benchmarks/stream.py ESC_DIR --project P --model 1 --equal
    python benchmarks/stream.py ESC_DIR --project P --model 1 --events --fold 2 --seconds 900

`--equal` compiles the package's C for this machine and compares every smoothed probability and every event with those
of `labeltool detect --as-device`'s Python: on silence, DC, one-bit noise, clipping, a quiet clip after a loud one
(`--loud`, `--quiet`), ten minutes of rain and an hour of joined clips. One line of JSON for each sound.

`--events` joins clips of a fold that the model was not trained on as `benchmarks/detect.py` does, and prints F1 by
sed_eval of both rules.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.resources import files as package_files
from pathlib import Path

import numpy as np
from detect import Events, read_sounds, scores, write_recording

from labeltool import project as projects
from labeltool.audio.files import read_pcm
from labeltool.audio.frontend import LogMelFrontend
from labeltool.exporters.stm32.codegen import network_c
from labeltool.exporters.stm32.codegen.frontend_tables import aed_tables, require_log_mel
from labeltool.exporters.stm32.tflite.summary import read_network
from labeltool.exporters.stm32.verification.toolchain import read_stream
from labeltool.inference import detect as inference_detect
from labeltool.inference.detect import DetectOptions
from labeltool.inference.device_detector import DeviceStream
from labeltool.networks import model_folder
from labeltool.networks.quantization import Int8Model
from labeltool.networks.stream_rule import StreamEvent
from labeltool.type_aliases import Float32, Int16

RAIN_S, HOUR_S, CROSSFADE_S = 600.0, 3600.0, 0.1
QUIETER_DB = 34.0


class BothWays:
    """A model's rule for streams in C and in Python."""

    def __init__(self, model: model_folder.ModelFiles, folder: Path) -> None:
        self.frontend: LogMelFrontend = require_log_mel(model.frontend)
        self._model = model
        self._kernels = Int8Model(model.int8)
        self._probe = self._compiled(folder)

    def _compiled(self, folder: Path) -> Path:
        sources = Path(str(package_files("labeltool.exporters.stm32").joinpath("csrc")))
        for path in [*sources.glob("*.[ch]"), sources / "test" / "aed_probe.c"]:
            shutil.copy(path, folder)
        network_c.write_c(self._model.int8, folder)
        texts = aed_tables(self._model, read_network(self._model.int8), "0" * 64)
        for name, text in zip(("aed_tables.c", "aed_tables.h"), texts, strict=True):
            (folder / name).write_text(text, encoding="utf-8")
        probe = folder / "aed_probe"
        command = ["gcc", "-std=c99", "-ffp-contract=off", "-O2", *sorted(folder.glob("*.c")), "-o", probe]
        subprocess.run(command, check=True)
        return probe

    def in_c(self, pcm: Int16) -> tuple[Float32, list[StreamEvent]]:
        """Return the smoothed probabilities and the events of samples."""
        output = subprocess.run([self._probe, "stream"], input=pcm.tobytes(), stdout=subprocess.PIPE, check=True).stdout
        found = read_stream(output, len(self._model.labels))
        return found.probabilities, list(found.events)

    def in_python(self, pcm: Int16) -> tuple[Float32, list[StreamEvent]]:
        """Return the same by the parts of `labeltool detect --as-device`, a minute at a time."""
        frontend, card = self.frontend, self._model.card
        background = None if card.background is None else card.labels.index(card.background)
        stream = DeviceStream(
            frontend, self._kernels, card.clip_rule, card.stream_rule, card.stream_thresholds, background
        )
        rows, events = [], []
        patches = len(frontend.patch_starts(frontend.n_frames(len(pcm))))
        hop, per_block = frontend.patch_hop * frontend.hop, 120
        for first in range(0, patches, per_block):
            count = min(per_block, patches - first)
            part = pcm[first * hop : (first + count - 1) * hop + frontend.patch_samples]
            smoothed, ended = stream.push(part)
            rows.append(smoothed)
            events += ended
        return np.concatenate(rows), events + stream.end()


def joined(paths: list[Path], seconds: float, rate: int) -> Int16:
    """Join clips, cut to where they are not digital silence, with short crossfades."""
    fade = round(CROSSFADE_S * rate)
    ramp = np.linspace(0, 1, fade)
    out = np.zeros(0)
    turn = 0
    while len(out) < seconds * rate:
        clip = read_pcm(str(paths[turn % len(paths)]), 0.0, None, rate).astype(np.float64)
        audible = np.flatnonzero(clip)
        clip = clip[audible[0] : audible[-1] + 1]
        turn += 1
        if len(clip) < 2 * fade:
            continue
        if len(out):
            out[-fade:] = out[-fade:] * (1 - ramp) + clip[:fade] * ramp
            clip = clip[fade:]
        out = np.concatenate([out, clip])
    return np.clip(np.rint(out[: round(seconds * rate)]), -32768, 32767).astype(np.int16)


def level_db(pcm: Int16) -> float:
    """Return the level of the samples that are not digital silence, dB of full scale."""
    audible = pcm[np.flatnonzero(pcm)[0] : np.flatnonzero(pcm)[-1] + 1] / 32768.0
    return float(10 * np.log10(np.square(audible).mean()))


def loud_then_quiet(loud: Int16, quiet: Int16) -> tuple[Int16, int]:
    """Return the loud sound for ten seconds, then the quiet one `QUIETER_DB` below it, and where that begins."""
    gain = 10 ** ((level_db(loud) - QUIETER_DB - level_db(quiet)) / 20)
    begin = np.tile(loud[np.flatnonzero(loud)[0] : np.flatnonzero(loud)[-1] + 1], 8)[: 10 * 16_000]
    rest = np.rint(np.trim_zeros(quiet) * gain).astype(np.int16)
    return np.concatenate([begin, rest]), len(begin)


def plain_sounds(rate: int) -> Iterator[tuple[str, Int16]]:
    """Yield the sounds of which no class may come, and those at full scale."""
    n, random = 20 * rate, np.random.default_rng(0)
    yield "digital silence", np.zeros(n, np.int16)
    for level in (1, -1, 100, 10_000, 32_767, -32_768):
        yield f"DC {level}", np.full(n, level, np.int16)
    yield "one bit, 0/1", random.integers(0, 2, n).astype(np.int16)
    yield "one bit, +-1", random.choice(np.array([-1, 1], np.int16), n)
    yield "one bit, sparse", (random.random(n) < 0.001).astype(np.int16)
    yield "square, full scale", np.where(np.arange(n) % 40 < 20, 32_767, -32_768).astype(np.int16)
    yield "noise, clipped", np.clip(random.normal(0, 60_000, n), -32_768, 32_767).astype(np.int16)


def compare(both: BothWays, labels: tuple[str, ...], name: str, pcm: Int16) -> tuple[Float32, list[StreamEvent]]:
    """Print one line: whether C and Python agree bit for bit, and the events."""
    began = time.monotonic()
    by_c, c_events = both.in_c(pcm)
    c_s = time.monotonic() - began
    by_python, events = both.in_python(pcm)
    line = {
        "sound": name,
        "seconds": round(len(pcm) / both.frontend.sample_rate_hz, 1),
        "patches": len(by_c),
        "probabilities_equal": by_c.tobytes() == by_python.tobytes(),
        "events_equal": c_events == events,
        "events": len(events),
        "labels": sorted({labels[one.label] for one in events}),
        "c_s": round(c_s, 1),
        "python_s": round(time.monotonic() - began - c_s, 1),
    }
    print(json.dumps(line), flush=True)
    return by_python, events


def equal(model: model_folder.ModelFiles, data: Path, loud: Path, quiet: Path) -> None:
    """Compare C and Python on every sound."""
    labels = model.labels
    with tempfile.TemporaryDirectory() as folder:
        both = BothWays(model, Path(folder))
        rate = both.frontend.sample_rate_hz
        for name, pcm in plain_sounds(rate):
            compare(both, labels, name, pcm)
        after, at = loud_then_quiet(*(read_pcm(str(path), 0.0, None, rate) for path in (loud, quiet)))
        rows, events = compare(both, labels, f"{quiet.name} {QUIETER_DB:g} dB below {loud.name}", after)
        alone = -(-at // (both.frontend.patch_hop * both.frontend.hop))
        for number in range(alone - 3, min(alone + 5, len(rows))):
            best = int(rows[number].argmax())
            print(f"    patch {number - alone:+d} of the quiet sound alone: {labels[best]} {rows[number, best]:.2f}")
        for one in events:
            print(f"    {labels[one.label]}: patches {one.first_patch - alone:+d} to {one.last_patch - alone:+d}")
        clips = sorted((data / "audio").iterdir())
        compare(both, labels, "rain", joined([one for one in clips if one.stem.endswith("-10")], RAIN_S, rate))
        path = Path(folder) / "hour.flac"
        write_recording(path, read_sounds(data, 2), HOUR_S)
        compare(both, labels, "an hour of joined clips of fold 2", read_pcm(str(path), 0.0, None, rate))


def events(project: Path, model: str, data: Path, fold: int, seconds: float) -> None:
    """Print F1 of both rules on the joined clips of a fold."""
    silent: Callable[..., None] = lambda *_: None  # noqa: E731
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "joined.flac"
        truth: Events = write_recording(path, read_sounds(data, fold), seconds)
        for as_device in (False, True):
            options = DetectOptions(as_device=as_device)
            found = inference_detect.detect(
                projects.find(project), report=silent, files=[str(path)], model=model, options=options
            )
            spans = [{"label": one.label, "start_s": one.start_s, "end_s": one.end_s} for one in found.files[0].spans]
            print(json.dumps({"as_device": as_device, "fold": fold, **scores(truth, spans)}), flush=True)


def main() -> None:
    """Compare, or measure events."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, metavar="ESC_DIR")
    parser.add_argument("--project", type=Path, required=True, metavar="P")
    parser.add_argument("--model", default="1", metavar="ID")
    parser.add_argument("--equal", action="store_true")
    parser.add_argument("--events", action="store_true")
    parser.add_argument("--fold", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=900.0)
    parser.add_argument("--loud", type=Path, metavar="FILE")
    parser.add_argument("--quiet", type=Path, metavar="FILE")
    options = parser.parse_args()
    if options.equal and not (options.loud and options.quiet):
        parser.error("--equal needs --loud and --quiet")
    if options.equal:
        model = model_folder.read(projects.find(options.project).models / options.model)
        equal(model, options.data, options.loud, options.quiet)
    if options.events:
        events(options.project, options.model, options.data, options.fold, options.seconds)


if __name__ == "__main__":
    main()
