"""Finding recordings that were moved, renamed, retagged or encoded anew, by their content."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from labeltool.audio import files
from labeltool.audio.remote.listing import sounds_at
from labeltool.audio.remote.reference import RemoteError, reference_of
from labeltool.errors import LabeltoolError
from labeltool.store import Store, recordings
from labeltool.store.importing.imported_recordings import store_samples_hashes
from labeltool.util.urls import as_url, is_there, is_url


def places_below(path: Path) -> Iterator[str]:
    """Yield the sound files at or below a path, or a URL; what is no regular file is passed over: it may never end.

    Raises
    ------
    LabeltoolError
        When a folder cannot be listed.
    """
    if is_url(path):
        for one in sounds_at(path, files.AUDIO_SUFFIXES):
            if isinstance(one, LabeltoolError):
                raise one
            yield one
    else:
        yield from map(str, filter(Path.is_file, files.walk(path) if path.is_dir() else (path,)))


class Relocation:
    """Compares files with the recordings of a project.

    Attributes
    ----------
    missing
        Recordings, by the hash of their bytes, whose file is not where it was, and was not found so far.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known = {sha256: recording for recording, sha256 in recordings.all_recordings(store)}
        self.missing = {sha256 for sha256, one in self._known.items() if not is_there(one.path)}
        self._found: dict[str, str] = {}
        self._samples: dict[str, str] = {}
        self._columns: dict[str, tuple[tuple[str, str], ...]] = {}
        # A file of another rate or length need not be decoded: it has other samples.
        self._alike: dict[tuple[int, int], list[str]] = defaultdict(list)
        for sha256, one in self._known.items():
            if one.samples_sha256 is not None:
                self._alike[one.sample_rate_hz, one.frames].append(sha256)

    def look_at(self, place: str) -> None:
        """Note where a file's recording is, if it has one and that is missing or replaced; a remote file is fetched.

        Raises
        ------
        OSError, LabeltoolError
            When the file cannot be read.
        """
        sha256 = files.content_hash(place)
        found = as_url(place) if is_url(place) else str(Path(place).resolve())
        if sha256 in self._known:
            if self._is_lost(sha256):
                self._note(sha256, found)
            self._complete(sha256, place)
        else:
            # The very bytes go before a copy in another encoding.
            for twin in self._with_samples_of(place):
                if twin not in self._found and self._is_lost(twin):
                    self._note(twin, found)
        self.missing -= self._found.keys()

    def store_found(self) -> int:
        """Store the new places, and hashes of samples that were not known; return how many recordings were found."""
        if self._samples:
            store_samples_hashes(self._store, self._samples)
        return recordings.relocate(self._store, list(self._found.items()), self._columns) if self._found else 0

    def _note(self, sha256: str, place: str) -> None:
        # Size and version, by which its blocks are found on this disk.
        self._columns[sha256] = reference_of(place).columns if is_url(place) else ()
        self._found[sha256] = place

    def _is_lost(self, sha256: str) -> bool:
        """Whether a recording is not where it was, or another sound is there now."""
        if sha256 in self.missing or sha256 in self._found:
            return True
        one = self._known[sha256]
        try:
            files.require_content(one.path, sha256, one.samples_sha256)
        except RemoteError:  # a server that fails now may have it
            return False
        except LabeltoolError:
            return True
        return False

    def _complete(self, sha256: str, path: str) -> None:
        """Note the hash of the samples of a recording that an older version imported."""
        if self._known[sha256].samples_sha256 is None and sha256 not in self._samples:
            with suppress(LabeltoolError):
                samples = files.samples_hash(path)
                if samples is not None:
                    self._samples[sha256] = samples

    def _with_samples_of(self, path: str) -> list[str]:
        with suppress(LabeltoolError):
            sound = files.describe(path, samples=False)
            if shas := self._alike.get((sound.sample_rate_hz, sound.frames)):
                samples = files.samples_hash(path)
                return [sha256 for sha256 in shas if self._known[sha256].samples_sha256 == samples]
        return []
