"""The pretrained models of a project: `models/pretrained/NAME/` has each one's files and its card."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labeltool.errors import LabeltoolError
from labeltool.pretrained import class_list, probe
from labeltool.pretrained.card import CARD, Activation, PretrainedCard, read_card, write_card
from labeltool.pretrained.runtimes import RUNTIMES, base
from labeltool.project import Project
from labeltool.type_aliases import Progress
from labeltool.util.files.atomic_write import new_folder, remove_tree
from labeltool.util.files.locks import wait_for_lock
from labeltool.util.unicode_names import is_device

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
FOLDER = "pretrained"
"""Where they are among a project's models."""


def folder(project: Project, name: str) -> Path:
    """Return the folder of a pretrained model, which need not exist.

    Raises
    ------
    LabeltoolError
        When that cannot be a model's name.
    """
    # A number would be taken for a model of the project.
    if not _NAME.fullmatch(name) or name.isdigit() or is_device(name) or name.endswith("."):
        raise LabeltoolError(
            f"a pretrained model cannot be called {name[:80]!r}",
            remedy="letters, digits, `-`, `_` and `.`, 64 at most, not digits alone, no device of Windows",
        )
    return project.models / FOLDER / name


def names(project: Project) -> list[str]:
    """Return the names of the project's pretrained models, in order."""
    return [path.name for path in folders(project.models)]


def with_embeddings(project: Project) -> list[str]:
    """Return the names of the project's pretrained models that have embeddings, in order.

    Raises
    ------
    LabeltoolError
        When a model's card cannot be read.
    """
    return [name for name in names(project) if read_card(folder(project, name)).embedding is not None]


def folders(models: Path) -> list[Path]:
    """Return the folders of the pretrained models among a project's `models`, in the order of their names."""
    return sorted(path.parent for path in (models / FOLDER).glob(f"[!.]*/{CARD}"))


def find(project: Project | None, name_or_path: str) -> Path:
    """Return the network's file of a pretrained model: of this name in the project, or a file, or a folder with a card.

    Raises
    ------
    LabeltoolError
        When there is none.
    """
    known = names(project) if project is not None else []
    if project is not None and name_or_path in known:
        place = folder(project, name_or_path)
        return place / read_card(place).network
    path = Path(name_or_path)
    if (path / CARD).is_file():
        return path.resolve() / read_card(path).network
    if path.is_file():
        return path.resolve()
    listed = f"; the project's are: {', '.join(known)}" if known else ""
    raise LabeltoolError(
        f"there is no file or pretrained model {name_or_path!r}", remedy=f"`labeltool model add FILE` adds one{listed}"
    )


@dataclass(frozen=True, slots=True)
class AddResult:
    """A pretrained model in the project.

    Attributes
    ----------
    added
        False where the very same model was there already.
    embedding
        The tensor of its embedding; None where it has none.
    """

    name: str
    added: bool
    classes: int
    rate_hz: int
    window: int
    activation: Activation
    embedding: str | None
    folder: str


def add(
    project: Project | None,
    *,
    report: Progress,
    file: str,
    name: str | None = None,
    labels: str | None = None,
    frontend: str | None = None,
    **given: Any,
) -> AddResult:
    """Copy a network into the project and write its card; a task of the worker.

    Parameters
    ----------
    name
        Of the model; else the file's.
    labels, frontend
        Files, see `class_list.read` and `probe.read_frontend`.
    given
        Further fields of `probe.GivenProperties`: rate_hz, window, embedding, standardised, activation.

    Raises
    ------
    LabeltoolError
        When the file is refused, or another model has the name.
    """
    assert project is not None
    path = Path(file)
    name = name if name is not None else _name_from(path)
    report("trying the model", 0, 0, path.name)
    properties = probe.GivenProperties(
        classes=class_list.read(Path(labels)) if labels else (),
        frontend=probe.read_frontend(Path(frontend)) if frontend else None,
        **given,
    )
    card = probe.make_card(path, properties)
    target = folder(project, name)
    with wait_for_lock(_lock_of(target), "change of this model", lambda what: report(what, 0, 0)):
        added = not _has_model(target, card)
        if added:
            _copy(card, path.parent, target)
    return AddResult(
        name, added, len(card.classes), card.rate_hz, card.window, card.activation, card.embedding, str(target)
    )


def remove(project: Project, name: str) -> None:
    """Remove a pretrained model from the project.

    Raises
    ------
    LabeltoolError
        When there is none of that name.
    """
    target = folder(project, name)
    known = ", ".join(names(project))
    if not target.is_dir():
        raise _no_model(name, known)
    with wait_for_lock(_lock_of(target), "change of this model"):
        remove_tree(target)


def _no_model(name: str, known: str) -> LabeltoolError:
    remedy = f"there are: {known}" if known else "none was added yet"
    return LabeltoolError(f"there is no pretrained model {name!r}", remedy=remedy)


def _name_from(path: Path) -> str:
    """Return a model's name from its file's, without the characters that a name cannot have."""
    if path.suffix.lower() in RUNTIMES and not _NAME.fullmatch(path.stem):
        return re.sub(r"[^A-Za-z0-9_-]+", "-", path.stem).strip("-")[:64] or "pretrained"
    return path.stem


def _lock_of(folder: Path) -> Path:
    return folder.with_name(".lock")


def _has_model(folder: Path, card: PretrainedCard) -> bool:
    """Return whether a folder has this very model, whole.

    Raises
    ------
    LabeltoolError
        When it has another one.
    """
    if not folder.exists():
        return False
    if read_card(folder) != card or any(base.sha256_of(folder / name) != sum_ for name, sum_ in card.files.items()):
        raise LabeltoolError(
            f"another pretrained model is called {folder.name!r}",
            remedy=f"give this one a `--name`, or `labeltool model remove {folder.name}` first",
        )
    return True


def _copy(card: PretrainedCard, source: Path, target: Path) -> None:
    """Copy a model's files and card into a folder that appears when it is whole."""
    with new_folder(target.parent) as new:
        for name, sha256 in card.files.items():
            shutil.copyfile(source / name, new.path / name)
            if base.sha256_of(new.path / name) != sha256:
                raise LabeltoolError("changed while it was copied", file=source / name, remedy="try again")
        write_card(new.path, card)
        new.publish(target.name)
