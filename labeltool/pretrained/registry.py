"""The ears of a project: `models/ears/<name>/` holds each one's files and its card."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

from labeltool.errors import LabeltoolError
from labeltool.pretrained import class_list, probe
from labeltool.pretrained.card import CARD, Activation, EarCard, read_card, write_card
from labeltool.pretrained.runtimes import FORMATS, base
from labeltool.project import Project
from labeltool.type_aliases import Progress
from labeltool.util.locks import one_at_a_time

_SAFE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")


def folder(project: Project, name: str) -> Path:
    """Return where an ear stands, or would.

    Raises
    ------
    LabeltoolError
        When that cannot be the name of one.
    """
    # A number would be taken for a model of the project.
    if not _SAFE.fullmatch(name) or name.isdigit():
        raise LabeltoolError(
            f"an ear cannot be called {name[:80]!r}",
            remedy="letters, digits, `-`, `_` and `.`, 64 at most, not digits alone",
        )
    return project.models / "ears" / name


def names(project: Project) -> list[str]:
    """Return what the project's ears are called, in order."""
    return [place.name for place in folders(project.models)]


def folders(models: Path) -> list[Path]:
    """Return the folders of the ears that stand among some models, in the order of their names."""
    return sorted(path.parent for path in (models / "ears").glob(f"[!.]*/{CARD}"))


def find(project: Project | None, named: str) -> Path:
    """Return the network's file of an ear: of this name on the shelf, or a file, or a folder with a card.

    Raises
    ------
    LabeltoolError
        When there is none.
    """
    known = names(project) if project is not None else []
    if project is not None and named in known:
        place = folder(project, named)
        return place / read_card(place).network
    path = Path(named)
    if (path / CARD).is_file():
        return path.resolve() / read_card(path).network
    if path.is_file():
        return path.resolve()
    told = f"; the project's are: {', '.join(known)}" if known else ""
    raise LabeltoolError(f"there is no file or ear {named!r}", remedy=f"`labeltool model add FILE` makes one{told}")


def add(
    project: Project | None,
    *,
    report: Progress,
    file: str,
    name: str | None = None,
    labels: str | None = None,
    frontend: str | None = None,
    rate_hz: int | None = None,
    window: int | None = None,
    embedding: str | None = None,
    standardised: bool = False,
    activation: Activation | None = None,
) -> dict[str, Any]:
    """Copy a network into the project and write down what it is; a task of the worker.

    Parameters
    ----------
    name
        What to call it; else as its file is called.
    labels, frontend
        Files, see `classes.read` and `introducing.read_frontend`.
    rate_hz, window, embedding, standardised, activation
        See `introducing.introduce`.

    Returns
    -------
    dict
        `{"name", "added", "classes", "rate_hz", "window", "activation", "embedding", "folder"}`; `added` is False where
        the very same was there.

    Raises
    ------
    LabeltoolError
        When the file is refused, or another ear has the name.
    """
    assert project is not None
    path = Path(file)
    if path.suffix.lower() in FORMATS and name is None and not _SAFE.fullmatch(path.stem):
        name = re.sub(r"[^A-Za-z0-9_-]+", "-", path.stem).strip("-")[:64] or "ear"
    called = name if name is not None else path.stem
    report("trying the model", 0, 0, path.name)
    card = probe.introduce(
        path,
        classes=class_list.read(Path(labels)) if labels else (),
        rate_hz=rate_hz,
        window=window,
        embedding=embedding,
        frontend=probe.read_frontend(Path(frontend)) if frontend else None,
        standardised=standardised,
        activation=activation,
    )
    place = folder(project, called)
    with one_at_a_time(place.parent):
        added = not _stands(place, card)
        if added:
            _put(place, card, path.parent)
    return {
        "name": called,
        "added": added,
        "classes": len(card.classes),
        "rate_hz": card.rate_hz,
        "window": card.window,
        "activation": card.activation,
        "embedding": card.embedding,
        "folder": str(place),
    }


def remove(project: Project, name: str) -> None:
    """Take an ear off the shelf.

    Raises
    ------
    LabeltoolError
        When there is none of that name.
    """
    place = folder(project, name)
    with one_at_a_time(place.parent):
        if not place.is_dir():
            known = ", ".join(names(project))
            raise LabeltoolError(
                f"there is no ear {name!r}", remedy=f"there are: {known}" if known else "none was added yet"
            )
        # Out of sight at once: what is half deleted is no ear.
        gone = place.with_name(f".{name}.removed")
        shutil.rmtree(gone, ignore_errors=True)
        place.rename(gone)
        shutil.rmtree(gone)


def _stands(place: Path, card: EarCard) -> bool:
    """Say whether this very ear is there already, whole."""
    if not place.exists():
        return False
    if read_card(place) != card or any(base.hashed(place / name) != sum_ for name, sum_ in card.files.items()):
        raise LabeltoolError(
            f"another ear is called {place.name!r}",
            remedy=f"give this one a `--name`, or `labeltool model remove {place.name}` first",
        )
    return True


def _put(place: Path, card: EarCard, source: Path) -> None:
    beside = place.with_name(f".{place.name}.partial")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    try:
        for name, sha256 in card.files.items():
            shutil.copyfile(source / name, beside / name)
            if base.hashed(beside / name) != sha256:
                raise LabeltoolError("changed while it was copied", file=source / name, remedy="try again")
        write_card(beside, card)
        beside.rename(place)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
