"""References to remote sounds: URL, size and version; from the server, or as known last where that is away."""

from __future__ import annotations

import hashlib
import json
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from msgspec import ValidationError, convert

from labeltool.audio.remote import block_cache
from labeltool.errors import LabeltoolError
from labeltool.util.files.bounded_read import parse_json, read_bytes
from labeltool.util.files.writable import kept

# No process requests it again meanwhile.
FRESH_S = 60.0

SIZE_COLUMN, VERSION_COLUMN = "size_bytes", "etag"
"""The recording's own columns that have its size and its version."""

_HASH = "samples_sha256"


@dataclass(frozen=True, slots=True)
class Reference:
    """A version of a remote sound; `version` is its ETag, else when it was modified, "" where neither is known."""

    url: str
    size_bytes: int
    version: str

    @property
    def id(self) -> str:
        """What the recording is known by, until it was read whole: of URL, size and version, as 64 hex digits."""
        return hashlib.sha256(f"{self.url}\n{self.size_bytes}\n{self.version}".encode()).hexdigest()

    @property
    def columns(self) -> tuple[tuple[str, str], ...]:
        """The recording's own columns that have its size and its version, as name and value."""
        pairs = ((SIZE_COLUMN, str(self.size_bytes)), (VERSION_COLUMN, self.version))
        return tuple(one for one in pairs if one[1])

    @property
    def folder(self) -> Path:
        """Its folder in the block cache."""
        return block_cache.folder_of(self.id)

    @property
    def blocks(self) -> int:
        """The number of its blocks."""
        return -(-self.size_bytes // block_cache.BLOCK_BYTES)

    @property
    def is_read_whole(self) -> bool:
        """Whether all of its blocks are on this disk."""
        return len(block_cache.blocks_of(self.folder)) >= self.blocks > 0

    @property
    def samples_sha256(self) -> str | None:
        """The hash of its samples, where it was decoded to its end on this machine; "" where it is damaged."""
        with suppress(OSError, ValueError, TypeError, KeyError):
            value = parse_json(read_bytes(kept(self.folder / "hashes.json"), block_cache.MAX_NOTE_BYTES))[_HASH]
            return value if isinstance(value, str) and len(value) in (0, 64) else None
        return None

    def keep_samples_sha256(self, samples_sha256: str) -> None:
        """Keep the hash of its samples, "" where it is damaged."""
        block_cache.write(self.folder / "hashes.json", json.dumps({_HASH: samples_sha256}).encode())


class RemoteError(LabeltoolError):
    """A remote sound could not be read now: the sound itself may be fine."""


class Unreachable(RemoteError):
    """A server cannot be reached now: no network, or it is down."""


def reference_of(url: str) -> Reference:
    """Return the reference of a URL: of the last minute, else the server's, else, where that is away, the last known.

    Raises
    ------
    LabeltoolError
        When the URL is refused, there is no such file, or it is not known and cannot be requested.
    """
    known, age_s = _known(url)
    if known is not None and age_s < FRESH_S:
        return known
    from labeltool.audio.remote import fetching
    from labeltool.audio.remote.waiting import require_wanted

    try:
        found, head = fetching.find(url, with_head=known is None)
    except Unreachable:
        if known is None:
            raise
        return known
    remember(found)
    if head:
        with block_cache.locked(found.folder, lambda: require_wanted(url)):
            for number in range(min(len(head) // block_cache.BLOCK_BYTES + 1, found.blocks)):
                first = number * block_cache.BLOCK_BYTES
                block = head[first : first + block_cache.BLOCK_BYTES]
                if len(block) == block_cache.BLOCK_BYTES or first + len(block) == found.size_bytes:
                    block_cache.write(block_cache.block_path(found.folder, number), block)
    return found


def known_reference(url: str) -> Reference | None:
    """Return the reference of a URL as it was known last, without a request; None where it never was."""
    return _known(url)[0]


def remember(reference: Reference) -> None:
    """Keep a reference that a server gave just now."""
    block_cache.write(_note(reference.url), json.dumps(asdict(reference)).encode())


def _known(url: str) -> tuple[Reference | None, float]:
    """Return the reference that is known, and how old that is in seconds."""
    note = kept(_note(url))
    try:
        age_s = time.time() - note.stat().st_mtime
        known = convert(parse_json(read_bytes(note, block_cache.MAX_NOTE_BYTES)), Reference)
    except (OSError, ValueError, ValidationError):
        return None, 0.0
    return (known, age_s) if known.url == url and known.size_bytes >= 0 else (None, 0.0)


def _note(url: str) -> Path:
    name = hashlib.sha256(url.encode()).hexdigest()
    return block_cache.root() / "urls" / name[:2] / f"{name}.json"
