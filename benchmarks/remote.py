"""Remote sounds against the same sounds on disk, by servers of which every fifth request fails, stalls or is cut.

    python benchmarks/remote.py [--sounds DIR] [--kills 6]

Three projects get the same recordings: from a folder, a web server, and an object store (moto, behind a proxy).
In each: import, `mark`, features of every clip, `detect` with one model. Printed: whether rows, features and events
equal those of the disk, and the bytes of bodies that the servers sent, against those of the files. Then spans alone: 20
clips of 5 s of a recording of an hour, bytes against those of the clips. Then import and features again on the web
server, killed (SIGKILL) at random moments and started again until they end: the same comparison.

Without `--sounds`, 60 tones of 5 s and two recordings of 5 minutes (WAV and FLAC) are made.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import boto3
import numpy as np
import soundfile
from moto.server import ThreadedMotoServer

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))  # the servers of the tests

from helpers.sound_server import SoundServer, serving  # noqa: E402

RATE_HZ = 44_100
FAULT_EVERY = 5
TIMEOUT_S = 3
MARKED = 12
SPANS = 20

FEATURES = """
import hashlib, json, sys
from pathlib import Path
from labeltool import project as projects
from labeltool.audio.feature_cache import FeatureCache
from labeltool.audio.frontend import LogMelFrontend
from labeltool.store import clips
if __name__ == "__main__":
    project = projects.load(Path(sys.argv[1]))
    with project.open_store() as store:
        stored = clips.all_clips(store)
    wanted = set(map(int, sys.argv[2:]))
    stored = [clip for clip in stored if not wanted or clip.id in wanted]
    cache = FeatureCache(project.features, LogMelFrontend())
    failed = cache.compute(stored)
    rows = {f"{Path(c.path).name} {c.start_s:.3f}": hashlib.sha256(cache.log_mel(c).tobytes()).hexdigest()
            for c, there in zip(stored, cache.has(stored)) if there}
    print(json.dumps({"features": rows, "failed": sorted(map(str, failed.values()))}))
"""


@dataclass(frozen=True)
class Found:
    """What a project has in the end, to be compared."""

    rows: list[tuple[object, ...]]
    features: dict[str, str]
    events: list[object]


class Place:
    """A project over one source, with a user's cache of its own."""

    def __init__(self, folder: Path, source: str, environment: dict[str, str]) -> None:
        self.folder, self.source = folder, source
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "XDG_CACHE_HOME": str(folder / "user"),
            **environment,
        }
        self.project = folder / "project"
        self.run("init", str(self.project), in_project=False)
        settings = self.project / "labeltool.toml"
        settings.write_text(settings.read_text().replace("timeout_s = 15", f"timeout_s = {TIMEOUT_S}"))

    def command(self, *arguments: str, in_project: bool = True) -> list[str]:
        return [
            sys.executable,
            "-m",
            "labeltool",
            *arguments,
            *(("--project", str(self.project)) if in_project else ()),
        ]

    def started(self, command: Sequence[str]) -> subprocess.Popen[str]:
        """Start a process, which leads a group of its own."""
        return subprocess.Popen(
            command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True,
        )  # fmt: skip

    def run(self, *arguments: str, in_project: bool = True) -> str:
        return self.finished(self.started(self.command(*arguments, in_project=in_project)))

    @staticmethod
    def finished(process: subprocess.Popen[str]) -> str:
        """Wait for a process, which must have done all of its work."""
        stdout, stderr = process.communicate()
        assert process.returncode == 0, stderr[-2000:]
        return stdout

    def features(self, *clip_ids: int) -> dict[str, str]:
        """Compute the features of all clips, or of some, in a process of its own; return their hashes."""
        done = json.loads(self.finished(self.started(self.features_command(*clip_ids))))
        assert not done["failed"], done["failed"]
        return dict(done["features"])

    def features_command(self, *clip_ids: int) -> list[str]:
        script = self.folder / "compute_features.py"
        script.write_text(FEATURES)
        return [sys.executable, str(script), str(self.project), *map(str, clip_ids)]

    def import_sounds(self, *options: str) -> None:
        self.run("import", "audio", self.source, *options)

    def mark(self) -> None:
        """Label some clips, by their ids."""
        for clip_id in range(1, MARKED + 1):
            self.run("mark", str(clip_id), "high" if clip_id % 2 else "low")

    def rows(self) -> list[tuple[object, ...]]:
        """Return what is stored of the clips, by the names of their files."""
        found = json.loads(self.run("clips", "--limit", "100000", "--json"))["clips"]
        names = ("start_s", "end_s", "present", "absent", "answered")
        return sorted((Path(one["file"]).name, *(str(one[name]) for name in names)) for one in found)

    def events(self, model: Path, files: Sequence[str]) -> list[object]:
        """Return the events that a model detects in files."""
        out = str(self.folder / "tracks")
        done = json.loads(self.run("detect", *files, "--model", str(model), "--json", "-o", out))
        assert not done["failed"], done["failed"]
        return [(Path(one["file"]).name, one["spans"]) for one in done["files"]]


def make_sounds(folder: Path) -> None:
    """Write tones, low and high ones, and two longer recordings."""
    folder.mkdir(parents=True)
    for number in range(60):
        rng = np.random.default_rng(number)
        time_s = np.arange(5 * RATE_HZ) / RATE_HZ
        pitch = rng.uniform(300, 600) if number % 2 else rng.uniform(3000, 5000)
        sound = 0.3 * np.sin(2 * np.pi * pitch * time_s) + rng.normal(0, 0.02, len(time_s))
        soundfile.write(folder / f"tone{number:02}.wav", sound, RATE_HZ)
    for name in ("long.wav", "long.flac"):
        rng = np.random.default_rng(len(name))
        sound = rng.normal(0, 0.02, 300 * RATE_HZ)
        for second in range(0, 300, 10):
            at = slice(second * RATE_HZ, (second + 2) * RATE_HZ)
            pitch = 400 if second % 20 else 4000
            sound[at] += 0.3 * np.sin(2 * np.pi * pitch * np.arange(2 * RATE_HZ) / RATE_HZ)
        soundfile.write(folder / name, sound, RATE_HZ)


@contextmanager
def object_store(sounds: Path) -> Iterator[SoundServer]:
    """Run an object store with the sounds, behind a proxy that fails."""
    os.environ.update(AWS_ACCESS_KEY_ID="bench", AWS_SECRET_ACCESS_KEY="bench", AWS_DEFAULT_REGION="us-east-1")
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    store = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    store.start()
    host = ":".join(map(str, store.get_host_and_port()))
    client = boto3.client("s3", endpoint_url=f"http://{host}")
    client.create_bucket(Bucket="bucket")
    for path in sorted(sounds.iterdir()):
        client.upload_file(str(path), "bucket", f"season/{path.name}")
    with serving(sounds, upstream=host) as proxy:
        yield proxy
    store.stop()


def compare(name: str, expected: Found, found: Found, server: SoundServer, needed: int, began: float) -> None:
    same = [getattr(found, part) == getattr(expected, part) for part in ("rows", "features", "events")]
    print(
        f"{name:28} rows {len(found.rows)} {'equal' if same[0] else 'DIFFER'}, features "
        f"{'equal' if same[1] else 'DIFFER'}, events {'equal' if same[2] else 'DIFFER'}; {server.requests} requests, "
        f"{server.faults} faults; {server.bytes_sent / 1e6:.1f} MB of {needed / 1e6:.1f} MB: "
        f"{server.bytes_sent / needed:.3f} x; {time.monotonic() - began:.0f} s",
        flush=True,
    )


def work(place: Place, model: Path | None, events_in: Sequence[str]) -> Found:
    """Import, label, compute features and detect; without a model, train it first."""
    place.import_sounds()
    place.mark()
    features = place.features()
    if model is None:
        model = place.project / "models" / "1"
        place.run("retrain", "--budget", "20")
    return Found(place.rows(), features, place.events(model, events_in))


def killed(place: Place, commands: Sequence[Callable[[], list[str]]], kills: int) -> int:
    """Run commands, kill each at random moments, start it again until it ends; return the number of kills."""
    rng, done = random.Random(1), 0
    for command in commands:
        for _ in range(kills):
            process = place.started(command())
            try:
                process.wait(rng.uniform(1.0, 8.0))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                done += 1
            process.communicate()
        place.finished(place.started(command()))
    return done


def spans(folder: Path) -> None:
    """Features of some clips of a long recording: the bytes of their blocks against their own."""
    sounds = folder / "hour"
    sounds.mkdir()
    rng = np.random.default_rng(0)
    with soundfile.SoundFile(sounds / "hour.wav", "w", RATE_HZ, 1) as file:
        for _ in range(60):
            file.write(rng.normal(0, 0.1, 60 * RATE_HZ))
    with serving(sounds) as server:
        server.fault_every = FAULT_EVERY
        place = Place(folder / "spans", f"{server.url}/hour.wav", {})
        place.import_sounds("--clip-seconds", "5")
        imported = server.bytes_sent
        chosen = sorted(random.Random(0).sample(range(1, 721), SPANS))
        place.features(*chosen)
        fetched, needed = server.bytes_sent - imported, SPANS * 5 * RATE_HZ * 2
        print(
            f"{'spans of an hour':28} import {imported / 1e3:.0f} kB; {SPANS} clips: {fetched / 1e6:.2f} MB of "
            f"{needed / 1e6:.2f} MB: {fetched / needed:.3f} x"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sounds", type=Path)
    parser.add_argument("--kills", type=int, default=6)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="remote-"))
    try:
        sounds = folder / "sounds"
        if options.sounds is None:
            make_sounds(sounds)
        else:
            shutil.copytree(options.sounds, sounds)
        names = sorted(path.name for path in sounds.iterdir())
        needed = sum((sounds / name).stat().st_size for name in names)
        (sounds / "list.txt").write_text("\n".join(names))
        searched = [name for name in names if name.startswith("long")] or names[:4]
        expected = work(Place(folder / "disk", str(sounds), {}), None, [str(sounds / name) for name in searched])
        model = folder / "disk" / "project" / "models" / "1"
        assert expected.events and expected.rows
        with serving(sounds) as server:
            server.fault_every = FAULT_EVERY
            began = time.monotonic()
            place = Place(folder / "http", f"{server.url}/list.txt", {})
            found = work(place, model, [f"{server.url}/{name}" for name in searched])
            compare("web server", expected, found, server, needed, began)
        with object_store(sounds) as server:
            server.fault_every = FAULT_EVERY
            began = time.monotonic()
            place = Place(folder / "s3", "s3://bucket/season/", {"AWS_ENDPOINT_URL": server.url})
            found = work(place, model, [f"s3://bucket/season/{name}" for name in searched])
            compare("object store", expected, found, server, needed, began)
        spans(folder)
        with serving(sounds) as server:
            server.fault_every = FAULT_EVERY
            began = time.monotonic()
            place = Place(folder / "killed", f"{server.url}/list.txt", {})
            commands = (lambda: place.command("import", "audio", place.source), place.features_command)
            kills = killed(place, commands, options.kills)
            place.mark()
            found = Found(
                place.rows(), place.features(), place.events(model, [f"{server.url}/{one}" for one in searched])
            )
            compare(f"web server, {kills} kills", expected, found, server, needed, began)
        digest = hashlib.sha256(json.dumps(expected.features, sort_keys=True).encode()).hexdigest()[:12]
        print(f"{len(expected.features)} clips with features, {digest}")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
