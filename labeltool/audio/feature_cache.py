"""Frames of clips, mostly log-mels, computed once in several processes and read back clip by clip.

`directory/<frontend fingerprint>-<computation>/` has shards: `<name>.npy` is the frames of some clips, one after the
other, `<name>.json` its index. A shard is written atomically, its index last, and never changed: an interrupted run
keeps what was done, a damaged shard is skipped and its clips are computed again. The folder may be deleted at will.
Where a bound on its size is given, the shards that were not used for longest are deleted, of any frontend.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from labeltool.audio.clip_samples import clip_pcm
from labeltool.audio.frontend import Frontend
from labeltool.audio.frontend_base import COMPUTATION
from labeltool.errors import LabeltoolError
from labeltool.parallel.dask_workers import KilledWorkers
from labeltool.parallel.engine import map_shards, processes_for, worker_count
from labeltool.records import StoredClip
from labeltool.type_aliases import Bools, Float32, Int16, Int64
from labeltool.util.files.atomic_write import open_atomic, remove_tree, write_text
from labeltool.util.files.bounded_read import MAX_TABLE_BYTES, parse_json, read_bytes
from labeltool.util.files.no_links import make_folder, open_folder
from labeltool.util.files.npz import UNREADABLE
from labeltool.util.files.writable import both, writing_to
from labeltool.util.time_limit import NO_LIMIT, TimeLimit

FrameFunction = Callable[[Int16], npt.NDArray[Any]]
"""Computes a frontend's frames, (frames, columns) of its `dtype`, of samples at its rate, (samples,) int16."""

_CLIPS_PER_SHARD = 64
# Of a clip's key, and where its frames are: in which shard, from which of its frames on, and how many.
_DIGEST = np.dtype("S16")
_PLACE = np.dtype([("shard", np.int32), ("first", np.int64), ("frames", np.int64)])
_INDEXES_AT_ONCE = 1024
# Frames of more bytes are mapped, not read: of an hour a training takes a second at a time. A map has a descriptor, and
# a process may have a thousand.
_MAX_READ = 1 << 20
# Of a cache that was full this share stays: to look through all shards after each batch would cost more than it keeps.
_SHARE_KEPT = 0.9
# Fewer clips than this are done here: a spawned process costs more than it saves.
_CLIPS_WORTH_A_PROCESS = 48


@dataclass(slots=True)
class _Shard:
    """A shard: where it is, the number of its frames, the CRC-32 of their bytes, and what was found out of it.

    Attributes
    ----------
    offset
        Of the first frame; None before the shard was checked.
    is_gone
        Whether it is damaged or was deleted.
    """

    path: Path
    frames: int
    crc32: int
    offset: int | None = None
    is_gone: bool = False


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
    max_bytes
        Size of `directory`, with all frontends, beyond which `compute` deletes shards; None: no bound. What one call
        needs stays in any case.
    """

    def __init__(
        self, directory: Path, frontend: Frontend, frames: FrameFunction | None = None, *, max_bytes: int | None = None
    ) -> None:
        self.frontend = frontend
        self._frames = frames or frontend.compute_frames
        self.directory = Path(directory) / f"{frontend.fingerprint}-{COMPUTATION}"
        self._max_bytes = max_bytes
        self._bytes: int | None = None  # of all shards, as far as they are known; None before the first look
        # The clips' digests in their order, and the places. A million of both as objects would take 262 MB.
        self._digests: npt.NDArray[np.bytes_] = np.empty(0, _DIGEST)
        self._places: npt.NDArray[np.void] = np.empty(0, _PLACE)
        self._shards: list[_Shard] = []
        self._seen: set[str] = set()
        self._used: set[int] = set()
        self._read_indexes()

    def has(self, clips: Sequence[StoredClip]) -> Bools:
        """Return whether the frames of each clip are there, (clips,)."""
        shards = self._shards_of(clips)
        return np.isin(shards, [shard for shard in np.unique(shards) if shard >= 0 and self._is_whole(shard)])

    def compute(
        self,
        clips: Sequence[StoredClip],
        progress: Callable[[int, int], None] | None = None,
        limit: TimeLimit = NO_LIMIT,
    ) -> dict[str, LabeltoolError]:
        """Compute what is missing.

        Parameters
        ----------
        progress
            Called with `(clips done, clips to do)` as shards are finished.
        limit
            No clip is begun after it: the others stay missing, those that were given last.

        Returns
        -------
        dict of clip key to error
            The clips that could not be read; the others are computed all the same.
        """
        missing = self._missing(clips)
        if missing:  # another process may have computed them
            self._read_indexes()
            missing = self._missing(clips)
        if limit == NO_LIMIT:
            missing.sort(key=lambda clip: (clip.path, clip.key))  # neighbours on disk go together
        self._use(clips)
        if not missing or limit.has_passed:
            return {}
        with writing_to(self.directory, "the cache"):
            make_folder(self.directory)
        processes = processes_for(len(missing), at_least=_CLIPS_WORTH_A_PROCESS)
        size = min(_CLIPS_PER_SHARD, -(-len(missing) // (processes or worker_count())))
        shards = [missing[first : first + size] for first in range(0, len(missing), size)]
        failed: dict[str, LabeltoolError] = {}
        done = 0
        write = partial(_write_shard, self.directory, self.frontend, self._frames, limit)
        for clips_done, errors in map_shards(write, shards, processes, _killed):
            failed.update(errors)
            done += clips_done
            if progress is not None:
                progress(done, len(missing))
        self._read_indexes()
        self._use(clips)
        self._evict()
        return failed

    def log_mel(self, clip: StoredClip) -> Float32:
        """Return a clip's frames, `(frames, columns) float32`, read-only: a copy, or a map of the file's part.

        Raises
        ------
        LabeltoolError
            When they were not computed; when another process has deleted them since and the sound cannot be read.
        """
        (row,) = self._rows([clip])
        if row < 0 or not self._is_whole(self._places[row]["shard"]):
            raise LabeltoolError("the features of a clip are not in the cache", file=clip.path)
        try:
            frames = self._read(*self._places[row])
        except FileNotFoundError:
            frames = self._frames(clip_pcm(clip, self.frontend))
        frames.flags.writeable = False
        return frames

    def frame_count(self, clip: StoredClip) -> int:
        """Return the number of a clip's frames, of which there are some; they are not read."""
        (row,) = self._rows([clip])
        return int(self._places[row]["frames"])

    def _read(self, number: int, first: int, frames: int) -> Float32:
        dtype, columns, shard = np.dtype(self.frontend.dtype), self.frontend.columns, self._shards[number]
        assert shard.offset is not None, "it was checked"
        offset, count = shard.offset + int(first) * columns * dtype.itemsize, int(frames) * columns
        if count * dtype.itemsize > _MAX_READ:
            return np.memmap(shard.path, dtype, "r", offset, (int(frames), columns))
        return np.fromfile(shard.path, dtype, count, offset=offset).reshape(int(frames), columns)

    def _missing(self, clips: Sequence[StoredClip]) -> list[StoredClip]:
        """Return the clips whose frames are not there; of equal ones the last, as one computation does for them."""
        missing = (clips[row] for row in np.flatnonzero(~self.has(clips)).tolist())
        return list({clip.key: clip for clip in missing}.values())

    def _rows(self, clips: Sequence[StoredClip]) -> Int64:
        """Return the row of each clip in the index, (clips,), -1 where it has none."""
        digests = np.fromiter((_digest(clip.key) for clip in clips), _DIGEST, len(clips))
        rows = np.searchsorted(self._digests, digests)
        there = np.flatnonzero(rows < len(self._digests))
        found = np.full(len(clips), -1, np.int64)
        there = there[self._digests[rows[there]] == digests[there]]
        found[there] = rows[there]
        return found

    def _shards_of(self, clips: Sequence[StoredClip]) -> Int64:
        """Return the number of each clip's shard, (clips,), -1 where it has none."""
        rows = self._rows(clips)
        found, shards = rows >= 0, np.full(len(rows), -1, np.int64)
        shards[found] = self._places["shard"][rows[found]]
        return shards

    def _is_whole(self, number: int) -> bool:
        """Return whether a shard is neither damaged nor deleted.

        It is checked when it is first needed: a cache of gigabytes costs only what is read of it.
        """
        shard = self._shards[number]
        if shard.offset is None and not shard.is_gone:
            shard.offset = _offset_if_whole(shard.path, self.frontend, shard.frames, shard.crc32)
            shard.is_gone = shard.offset is None
        return not shard.is_gone

    def _use(self, clips: Sequence[StoredClip]) -> None:
        """Mark the shards of some clips as used now: they are the last to be deleted, and are not deleted here."""
        used = set(self._shards_of(clips).tolist()) - {-1}
        for path in (self._shards[number].path for number in used - self._used):
            # A project that is only read has no use marked.
            with suppress(OSError, LabeltoolError), open_folder(path.parent) as folder:
                folder.touch(f"{path.stem}.json")
        self._used = used

    def _evict(self) -> None:
        """Delete the shards that were not used for longest where all exceed the bound, down to a part of it.

        What another process has opened stays readable for it; what it has not, it computes again.
        """
        if self._max_bytes is None or (self._bytes is not None and self._bytes <= self._max_bytes):
            return
        shards = _shards(self.directory.parent)
        self._bytes = sum(size for _, _, size in shards)
        if self._bytes <= self._max_bytes:
            return
        excess = self._bytes - _SHARE_KEPT * self._max_bytes
        known = {shard.path: shard for shard in self._shards}
        used = {self._shards[number].path for number in self._used}
        for _, path, size in sorted(shards):
            if excess <= 0:
                break
            if path not in used:
                with suppress(OSError, LabeltoolError):
                    # The index first: frames without an index are nobody's.
                    remove_tree(path.with_suffix(".json"))
                    remove_tree(path)
                    excess -= size
                    self._bytes -= size
                    if path in known:
                        known[path].is_gone = True

    def _read_indexes(self) -> None:
        """Read the indexes of new shards; a damaged one is checked once."""
        for folder in both(self.directory):
            new: list[str] = []
            # By name: a project of a million clips has 15,000 of them, and each batch looks.
            with suppress(OSError), os.scandir(folder) as files_in:
                new = [one.name for one in files_in if one.name.endswith(".json") and one.name not in self._seen]
            self._seen.update(new)
            new.sort()
            for first in range(0, len(new), _INDEXES_AT_ONCE):
                self._add_places([self._read_index(folder / name) for name in new[first : first + _INDEXES_AT_ONCE]])

    def _read_index(self, index: Path) -> tuple[npt.NDArray[np.bytes_], npt.NDArray[np.void]]:
        """Return the digest and the place of each clip in a shard; none where the index is damaged."""
        path, number = index.with_suffix(".npy"), len(self._shards)
        try:
            content = parse_json(read_bytes(index, MAX_TABLE_BYTES))
            digests = np.array([_digest(str(key)) for key, _, _ in content["clips"]], _DIGEST)
            places = np.array([(number, int(first), int(frames)) for _, first, frames in content["clips"]], _PLACE)
            self._shards.append(_Shard(path, int(places["frames"].sum()), int(content["crc32"])))
        except UNREADABLE:
            return np.empty(0, _DIGEST), np.empty(0, _PLACE)
        if self._bytes is not None:
            with suppress(OSError):
                self._bytes += index.lstat().st_size + path.lstat().st_size
        return digests, places

    def _add_places(self, read: Sequence[tuple[npt.NDArray[np.bytes_], npt.NDArray[np.void]]]) -> None:
        """Add what was read of indexes; of a clip that is in several shards, the one that was read last counts."""
        digests, places = (np.concatenate(arrays)[::-1] for arrays in zip(*read, strict=True))
        order = np.argsort(digests, kind="stable")
        before = np.searchsorted(self._digests, digests[order])
        self._digests = np.insert(self._digests, before, digests[order])
        self._places = np.insert(self._places, before, places[order])


def _digest(key: str) -> bytes:
    """Return what stands for a clip's key: of a million, the keys themselves would take 130 MB."""
    return hashlib.sha256(key.encode()).digest()[:16]


def _offset_if_whole(shard: Path, frontend: Frontend, count: int, crc32: int) -> int | None:
    """Return the offset of the first of a shard's frames, (count, columns); None where they are not what was written.

    Parameters
    ----------
    crc32
        Of their bytes.
    """
    try:
        frames: Any = np.load(shard, mmap_mode="r", allow_pickle=False)
        whole = (
            frames.dtype == frontend.dtype
            and frames.shape == (count, frontend.columns)
            and _crc32_from(shard, frames.offset) == crc32
        )
    except UNREADABLE:
        return None
    return int(frames.offset) if whole else None


def _crc32_from(path: Path, offset: int) -> int:
    """Return the CRC-32 of a file from a byte on; not by its map, of which all would be in memory then."""
    crc32 = 0
    with path.open("rb") as file:
        file.seek(offset)
        while block := file.read(_MAX_READ):
            crc32 = zlib.crc32(block, crc32)
    return crc32


def _shards(root: Path) -> list[tuple[int, Path, int]]:
    """Return when each shard of any frontend was last used, nanoseconds, its path, and its size with its index."""
    found = []
    for shard in (one for folder in root.iterdir() if not folder.is_symlink() for one in folder.glob("*.npy")):
        with suppress(OSError):  # another process deletes, too; frames without their index are still being written
            index = shard.with_suffix(".json").lstat()
            found.append((index.st_mtime_ns, shard, shard.lstat().st_size + index.st_size))
    return found


def _killed(clip: StoredClip) -> tuple[int, dict[str, LabeltoolError]]:
    """Return what `_write_shard` does, of a clip that kills workers."""
    return 1, {clip.key: KilledWorkers.of_file(clip.path)}


def _write_shard(
    directory: Path, frontend: Frontend, frames_of: FrameFunction, limit: TimeLimit, clips: Sequence[StoredClip]
) -> tuple[int, dict[str, LabeltoolError]]:
    """Compute some clips and write them as one shard; runs in a worker."""
    failed: dict[str, LabeltoolError] = {}
    computed: dict[str, Float32] = {}
    for clip in clips:
        if limit.has_passed:
            break
        try:
            computed[clip.key] = frames_of(clip_pcm(clip, frontend))
        except LabeltoolError as error:
            failed[clip.key] = error
    if computed:
        with writing_to(directory, "the cache"):
            write_frames(directory, computed)
    return len(computed) + len(failed), failed


def write_frames(directory: Path, frames_of: Mapping[str, Float32]) -> None:
    """Write the frames of some clips, by their keys, as one shard into a cache's folder, which exists."""
    frames, name = np.concatenate([*frames_of.values()]), uuid.uuid4().hex
    ends = np.cumsum([len(one) for one in frames_of.values()]).tolist()
    entries = [(key, end - len(one), len(one)) for (key, one), end in zip(frames_of.items(), ends, strict=True)]
    with open_atomic(directory / f"{name}.npy") as file:
        np.save(file, frames)
    write_text(directory / f"{name}.json", json.dumps({"clips": entries, "crc32": zlib.crc32(frames.data)}))
