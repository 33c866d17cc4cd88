"""Frames of clips, mostly log-mels, computed once in several processes and read back by memory map.

`directory/<frontend fingerprint>-<computation>/` has shards: `<name>.npy` is the frames of some clips, one after the
other, `<name>.json` its index. A shard is written atomically, its index last, and never changed: an interrupted run
keeps what was done, a damaged shard is skipped and its clips are computed again. The folder may be deleted at will.
"""

from __future__ import annotations

import json
import uuid
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from labeltool.audio import files
from labeltool.audio.frontend import Frontend
from labeltool.audio.frontend_base import COMPUTATION
from labeltool.errors import LabeltoolError
from labeltool.parallel.dask_workers import KilledWorkers
from labeltool.parallel.engine import map_in_processes, processes_for, worker_count
from labeltool.records import StoredClip
from labeltool.type_aliases import Float32, Int16
from labeltool.util.atomic_write import open_atomic, write_text
from labeltool.util.bounded_read import MAX_TABLE_BYTES, parse_json, read_bytes
from labeltool.util.no_links import make_folder
from labeltool.util.npz import UNREADABLE
from labeltool.util.time_limit import NO_LIMIT, TimeLimit
from labeltool.util.writable import both

FrameFunction = Callable[[Int16], npt.NDArray[Any]]
"""Computes a frontend's frames, (frames, columns) of its `dtype`, of samples at its rate, (samples,) int16."""

_CLIPS_PER_SHARD = 64
# Fewer clips than this are done here: a spawned process costs more than it saves.
_CLIPS_WORTH_A_PROCESS = 48


@dataclass(frozen=True, slots=True)
class _Place:
    """A clip's frames in a shard."""

    shard: Path
    first: int
    frames: int


def padded_span(clip: StoredClip, frontend: Frontend) -> tuple[float, float]:
    """Return start and end of the span of its recording that represents a clip, seconds.

    A clip shorter than one patch is extended by the recording around it, the clip in the middle, moved where the file
    begins or ends.

    Raises
    ------
    LabeltoolError
        When the file cannot be read.
    """
    rate, wanted = frontend.sample_rate_hz, frontend.patch_samples
    if round((clip.end_s - clip.start_s) * rate) >= wanted:
        return clip.start_s, clip.end_s
    duration_s = files.duration_s(clip.path)
    start_s = max(0.0, min((clip.start_s + clip.end_s - wanted / rate) / 2, duration_s - wanted / rate))
    return start_s, start_s + wanted / rate


def clip_pcm(clip: StoredClip, frontend: Frontend) -> Int16:
    """Read the samples of a clip's `padded_span`; silence where the file is too short for it.

    Returns
    -------
    (samples,) int16
        At least `frontend.patch_samples` of them.

    Raises
    ------
    LabeltoolError
        When the file cannot be read, has another content now, or ends before the clip.
    """
    files.require_content(clip.path, clip.sha256, clip.samples_sha256)
    wanted = frontend.patch_samples
    pcm = files.read_pcm(clip.path, *padded_span(clip, frontend), frontend.sample_rate_hz)
    if len(pcm) < wanted:
        missing = wanted - len(pcm)
        pcm = np.pad(pcm, (missing // 2, missing - missing // 2))
    return pcm


class FeatureCache:
    """A cache of one frontend's frames.

    Parameters
    ----------
    directory
        In the project's `cache/`; made when something is written.
    frontend
        Its fingerprint names the folder underneath, with the way in which frames are computed: two ways differ in
        their last bits, and a training on frames of both would depend on when they were computed.
    frames
        Computes the frames, in other processes too; default the frontend itself.
    """

    def __init__(self, directory: Path, frontend: Frontend, frames: FrameFunction | None = None) -> None:
        self.frontend = frontend
        self._frames = frames or frontend.compute_frames
        self.directory = Path(directory) / f"{frontend.fingerprint}-{COMPUTATION}"
        self._places: dict[str, _Place] = {}
        self._maps: dict[Path, Float32] = {}
        self._seen_shards: set[Path] = set()
        self._read_indexes()

    def __contains__(self, clip: StoredClip) -> bool:
        return clip.key in self._places

    def compute(
        self,
        clips: Sequence[StoredClip],
        workers: int | None = None,
        progress: Callable[[int, int], None] | None = None,
        limit: TimeLimit = NO_LIMIT,
    ) -> dict[str, LabeltoolError]:
        """Compute what is missing.

        Parameters
        ----------
        clips
            Any; those in the cache cost nothing.
        workers
            Processes; default `engine.worker_count`, none for a few clips.
        progress
            Called with `(clips done, clips to do)` as shards are finished.
        limit
            No clip is begun after it: the others stay missing, those that were given last.

        Returns
        -------
        dict of clip key to error
            The clips that could not be read; the others are computed all the same.
        """
        self._read_indexes()
        missing = list({clip.key: clip for clip in clips if clip not in self}.values())  # one computation per key
        if limit == NO_LIMIT:
            missing.sort(key=lambda clip: (clip.path, clip.key))  # neighbours on disk go together
        if not missing or limit.has_passed:
            return {}
        self._make_directory()
        processes = processes_for(len(missing), at_least=_CLIPS_WORTH_A_PROCESS) or workers
        size = min(_CLIPS_PER_SHARD, -(-len(missing) // (processes or worker_count())))
        shards = [missing[first : first + size] for first in range(0, len(missing), size)]
        failed: dict[str, LabeltoolError] = {}
        done = 0
        for clips_done, errors in self._write_shards(shards, processes, limit):
            failed.update(errors)
            done += clips_done
            if progress is not None:
                progress(done, len(missing))
        self._read_indexes()
        return failed

    def _write_shards(
        self, shards: Sequence[Sequence[StoredClip]], processes: int | None, limit: TimeLimit
    ) -> Iterator[tuple[int, dict[str, LabeltoolError]]]:
        """Yield how many clips of each shard are done, and the errors of some; a clip that kills workers has one."""
        write = partial(_write_shard, self.directory, self.frontend, self._frames, limit)
        try:
            yield from map_in_processes(write, shards, processes)
        except KilledWorkers as error:
            each = [[clip] for shard in error.items for clip in shard]
            if len(each) > len(error.items):
                yield from self._write_shards(each, processes, limit)
                return
            for (clip,) in each:
                yield 1, {clip.key: KilledWorkers.of_file(clip.path)}

    def log_mel(self, clip: StoredClip) -> Float32:
        """Return a clip's frames, `(frames, columns) float32`, as a read-only view of the file.

        Raises
        ------
        LabeltoolError
            When they were not computed.
        """
        place = self._places.get(clip.key)
        if place is None:
            raise LabeltoolError("the features of a clip are not in the cache", file=clip.path)
        return self._maps[place.shard][place.first : place.first + place.frames]

    def _make_directory(self) -> None:
        try:
            make_folder(self.directory)
        except OSError as error:
            raise LabeltoolError(f"the cache cannot be written: {error.strerror}", file=self.directory) from error

    def _read_indexes(self) -> None:
        """Read the indexes of new shards; a damaged one is checked once."""
        for index in sorted(index for folder in both(self.directory) for index in folder.glob("*.json")):
            shard = index.with_suffix(".npy")
            if shard in self._seen_shards:
                continue
            self._seen_shards.add(shard)
            try:
                content = parse_json(read_bytes(index, MAX_TABLE_BYTES))
                places = {str(key): _Place(shard, int(first), int(n)) for key, first, n in content["clips"]}
                frames = np.load(shard, mmap_mode="r", allow_pickle=False)
                whole = (
                    frames.dtype == self.frontend.dtype
                    and frames.shape == (sum(place.frames for place in places.values()), self.frontend.columns)
                    and zlib.crc32(frames.data) == content["crc32"]
                )
            except UNREADABLE:
                continue
            if whole:
                self._places.update(places)
                self._maps[shard] = frames


def _write_shard(
    directory: Path, frontend: Frontend, frames_of: FrameFunction, limit: TimeLimit, clips: Sequence[StoredClip]
) -> tuple[int, dict[str, LabeltoolError]]:
    """Compute some clips and write them as one shard; runs in a worker."""
    failed: dict[str, LabeltoolError] = {}
    entries: list[tuple[str, int, int]] = []
    blocks: list[Float32] = []
    first = 0
    for clip in clips:
        if limit.has_passed:
            break
        try:
            block = frames_of(clip_pcm(clip, frontend))
        except LabeltoolError as error:
            failed[clip.key] = error
            continue
        entries.append((clip.key, first, len(block)))
        blocks.append(block)
        first += len(block)
    if blocks:
        frames = np.concatenate(blocks)
        name = uuid.uuid4().hex
        index = {"clips": entries, "crc32": zlib.crc32(frames.data)}
        try:
            with open_atomic(directory / f"{name}.npy") as file:
                np.save(file, frames)
            write_text(directory / f"{name}.json", json.dumps(index))
        except OSError as error:
            raise LabeltoolError(f"the cache cannot be written: {error.strerror}", file=directory) from error
    return len(entries) + len(failed), failed
