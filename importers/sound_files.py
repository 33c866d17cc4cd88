"""The sound files that label files belong to: named in their rows, or beside them."""

from __future__ import annotations

import csv
import filecmp
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice, takewhile
from pathlib import Path

from labeltool.audio.files import AUDIO_SUFFIXES, SUFFIXES_NOT_READ, walk
from labeltool.errors import LabeltoolError
from labeltool.importers.base import quoted, recording_beside, stems_of
from labeltool.records import Note
from labeltool.util.counted import counted
from labeltool.util.unicode_names import nfc
from labeltool.util.urls import is_url, path_of_url

_SOUND_SUFFIXES = AUDIO_SUFFIXES | SUFFIXES_NOT_READ
# Sound files of one folder that are looked at.
_MAX_FILES = 2_000_000
_ROOT = re.compile(r"(?:file:)?(?:[A-Za-z]:)?[\\/]")
_FOLD_FOLDER = re.compile(r"fold[ _-]?0*([0-9]{1,4})", re.IGNORECASE)
_MAX_NAMED = 3
# The list of label tracks that `exporters.audacity` writes, for names do not always tell the recording.
_INDEX, _MAX_INDEXED = "tracks.csv", 100_000


class SoundFiles:
    """Finds sound files; a folder is searched once, and only where a name is not simply the file's.

    Parameters
    ----------
    audio
        The recording of all label files, or the folder below which their sounds are; None: the folder of each label
        file. Nothing is read outside those folders, whatever path a row names.
    """

    def __init__(self, audio: Path | None = None) -> None:
        self._audio = audio
        self._files: dict[Path, dict[str, list[Path]]] = {}
        self._indexes: dict[Path, dict[str, str]] = {}
        self._absolute: dict[Path, dict[str, Path]] = {}
        self._names: dict[tuple[Path, Path], list[list[str]]] = {}

    @property
    def only(self) -> Path | None:
        """The recording of all label files, where one was given."""
        return None if self._audio is None or self._audio.is_dir() else self._audio

    def folder_of(self, file: Path) -> Path:
        """Return the folder in which the sounds of a label file are wanted first."""
        return self._audio if self._audio is not None and self._audio.is_dir() else file.parent

    def beside(self, file: Path) -> Path:
        """Return the recording of a label file: the given one, else that of its name beside it or in the folder."""
        if self.only is not None:
            return self.only
        listed = self._listed(file)
        if listed is not None and (found := self.named(file, listed, is_listed=True)) is not None:
            return found
        try:
            return recording_beside(file)
        except LabeltoolError:
            for stem in stems_of(file) if self._audio is not None else ():
                found = self.named(file, stem)
                if found is not None:
                    return found
            raise

    def named(self, file: Path, name: str, fold: int | None = None, *, is_listed: bool = False) -> Path | None:
        r"""Return the sound that a label file names; None where there is none.

        A path from the label file's folder, or from the given one, counts first. Else folders before the name decide
        between files of one name; it may be a path of another machine (`C:\x\a.WAV`), in another letter case or Unicode
        form, without a suffix, or with that of another sound format.

        Parameters
        ----------
        fold
            The official fold of a published data set: a folder of another fold is not searched, and of copies the least
            deep one, then the largest, is the original.
        is_listed
            Whether the name is of a list of all sounds, that of an export: of a path of another machine whose folders
            are not here, the sound in the folder itself is meant.

        Raises
        ------
        LabeltoolError
            When several files with other sounds fit equally well, or it is a URL and a folder was given.
        """
        if is_url(name):
            if self._audio is not None and self._audio.is_dir():  # of a stranger, perhaps: no server is asked
                raise LabeltoolError(
                    f"{quoted(name)} is a URL, and sounds are wanted in a folder",
                    remedy="import the file itself without --audio: `labeltool import table FILE`",
                )
            return path_of_url(name)
        parts = _parts(name)
        if not parts:
            return None
        roots = list(dict.fromkeys(one for one in (self._audio, file.parent) if one is not None and one.is_dir()))
        # A table below the given folder names what is beside it: other folders may have files of that name.
        for root in reversed(roots) if self._is_below(file) else roots:
            direct = self._at(root, parts)
            if len(direct) > 1:
                break
            if direct and (fold is None or _fold_of_folder(direct[0], root) in (None, fold)):
                return self._noted(file, parts, direct[0])
        is_relative = not _ROOT.match(name.strip())
        bests = (self._best(root, parts, fold, is_relative, is_listed) for root in roots)
        found = next((one for one in bests if one is not None), None)
        if found is not None and not (is_relative or is_listed):
            self._absolute.setdefault(file, {})[name.strip()] = found
        return None if found is None else self._noted(file, parts, found)

    def moved(self, file: Path) -> Iterator[Note]:
        """Yield a note where a label file names absolute paths at which its sounds are not."""
        named = self._absolute.get(file, {}).items()
        moved = [(name, sound) for name, sound in named if not _is_at(name, sound)]
        if moved:
            name, sound = moved[0]
            reason = f"names {counted(len(moved), 'path')} that are not here: sounds of the same file names were taken"
            yield Note(str(file), None, f"{reason}, {quoted(name)} as {sound}")

    def require_one(self, file: Path, name: str, sound: Path) -> None:
        """Refuse a name whose sound another name of the label file fits as well: files of several folders, one missing.

        To be asked when all names of the file were looked for.

        Raises
        ------
        LabeltoolError
            With the other name.
        """
        parts = _parts(name)
        agreed = _agreed(sound, parts)
        for other in self._names.get((file, sound), ()):
            pairs = zip(map(_folded, parts[-2::-1]), map(_folded, other[-2::-1]), strict=False)
            is_other = any(one != another for one, another in pairs)
            # A name without folders, and one whose folders are missing where the folder was not chosen for it.
            is_other |= agreed == 0 and len(parts) > 1 == len(other) and self._is_below(file)
            if is_other and _agreed(sound, other) >= agreed:
                both = f"{quoted('/'.join(parts))} and {quoted('/'.join(other))}"
                raise LabeltoolError(
                    f"{both} are two names, and only {quoted(sound.name)} in {quoted(sound.parent.name)} is there",
                    remedy="write one path where both are the same sound, else add the file that is missing",
                )

    def _is_below(self, file: Path) -> bool:
        """Return whether a label file is below the folder with the sounds."""
        return file.parent.resolve().is_relative_to(self.folder_of(file).resolve())

    def _noted(self, file: Path, parts: list[str], sound: Path) -> Path:
        names = self._names.setdefault((file, sound), [])
        if parts not in names:
            names.append(parts)
        return sound

    def _listed(self, file: Path) -> str | None:
        """Return the recording of a label file by the index of an export, in its folder or the one above."""
        for folder in (file.parent, file.parent.parent):
            index = folder / _INDEX
            if index not in self._indexes:
                self._indexes[index] = _index(index)
            if (listed := self._indexes[index].get(file.relative_to(folder).as_posix())) is not None:
                return listed
        return None

    def _at(self, root: Path, parts: list[str]) -> list[Path]:
        """Return the file at a path below a root; those with the suffixes of sounds, where the name has none."""
        direct, wanted = root.joinpath(*parts), _folded(parts[-1])
        with suppress(OSError, ValueError):  # a name that is too long, or with a zero in it
            if direct.is_file():
                return [direct]
        if _stem(wanted) != wanted:
            return []
        return [path for path in self._of_stem(root, wanted) if path.parent == direct.parent]

    def _of_stem(self, root: Path, stem: str) -> list[Path]:
        if root not in self._files:
            self._files[root] = _sounds_by_stem(root)
        return self._files[root].get(stem, [])

    def _best(self, root: Path, parts: list[str], fold: int | None, is_relative: bool, is_listed: bool) -> Path | None:
        wanted = _folded(parts[-1])

        def rank(path: Path) -> tuple[int, bool, bool, int]:
            below = path.relative_to(root).parts[:-1]
            agreed = _agreed(path, parts)
            # In a folder of another name. The root may be that of a path of another machine, not of a relative one;
            # where no folder of such a path is here, that is known of a list alone.
            may_differ = is_relative or is_listed or agreed > 0
            is_other = may_differ and agreed < min(len(below) or is_relative, len(parts) - 1)
            return -agreed, is_other, _folded(path.name) != wanted, 0 if fold is None else len(path.parts)

        files = self._of_stem(root, _stem(wanted))
        if fold is not None:
            files = [path for path in files if _fold_of_folder(path, root) in (None, fold)]
        best = min(map(rank, files), default=None)
        fitting = [path for path in files if rank(path) == best]
        if len(fitting) > 1 and fold is not None:
            return max(fitting, key=lambda path: path.stat().st_size)
        if len(fitting) > 1 and not _are_copies(fitting):
            names = ", ".join(str(path.relative_to(root)) for path in fitting[:_MAX_NAMED])
            raise LabeltoolError(
                f"{quoted('/'.join(parts))} may be any of {len(fitting)} files: {names}",
                remedy="name the folder too (--column folder=NAME), or give a folder with one of them as --audio",
            )
        return fitting[0] if fitting else None


def _sounds_by_stem(root: Path) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for path in islice(walk(root, _SOUND_SUFFIXES, []), _MAX_FILES):
        found.setdefault(_stem(_folded(path.name)), []).append(path)
    return found


def _are_copies(paths: Sequence[Path]) -> bool:
    try:
        return all(filecmp.cmp(paths[0], other, shallow=False) for other in paths[1:])
    except OSError:
        return False


def _index(path: Path) -> dict[str, str]:
    """Return the recordings of label tracks by their names, as `labeltool export` lists them; none without a list."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = islice(csv.DictReader(file), _MAX_INDEXED)
            return {row["track"]: row["path"] for row in rows if row.get("track") and row.get("path")}
    except (OSError, ValueError, csv.Error):
        return {}


def _parts(name: str) -> list[str]:
    """Return the folders and the name in a path of any system, without its root and what leads out of a folder."""
    parts = re.split(r"[\\/]+", re.sub(r"^(?:file:)?(?:[A-Za-z]:)?", "", name.strip()))
    return [part for part in parts if part not in ("", ".", "..")]


def _agreed(path: Path, parts: Sequence[str]) -> int:
    """Return how many folders of a name are those of a file, from its own upwards."""
    pairs = zip(map(_folded, parts[-2::-1]), map(_folded, path.parts[-2::-1]), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _is_at(name: str, sound: Path) -> bool:
    """Return whether a sound is at an absolute path that a label file names.

    By the text alone: to look there may ask a server, or wait for a drive that is gone.
    """
    plain = re.sub("^file:(?://(?=/))?(?:/(?=[A-Za-z]:))?", "", name)
    named = os.path.normcase(os.path.normpath(plain))
    return named in {os.path.normcase(sound.absolute()), os.path.normcase(sound.resolve())}


def _folded(name: str) -> str:
    return nfc(name).casefold()


def _stem(name: str) -> str:
    stem, dot, suffix = name.rpartition(".")
    return stem if dot and stem and f".{suffix}" in _SOUND_SUFFIXES else name


def _fold_of_folder(path: Path, root: Path) -> int | None:
    """Return the fold that a file's folder below the root is called after; None where it is called otherwise."""
    match = _FOLD_FOLDER.fullmatch(path.relative_to(root).parent.name)
    return int(match[1]) if match else None
