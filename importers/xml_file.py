"""Label files in XML, read within bounds and without what an XML file may declare."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from xml.parsers import expat

from labeltool.errors import LabeltoolError
from labeltool.importers.base import MAX_TEXT_BYTES
from labeltool.util.files.bounded_read import read_bytes


def read_xml(
    path: Path,
    kind: str,
    remedy: str,
    begin: Callable[[str, dict[str, str]], None],
    text: Callable[[str], None] = lambda _: None,
) -> None:
    """Call `begin` with the name and the attributes of each element as it begins, and `text` with what follows it.

    Raises
    ------
    LabeltoolError
        When it is missing, damaged or declares entities, or a callback raises a `KeyError`, a `ValueError` or an
        `OverflowError`.
    """

    def refuse(*_: object) -> None:
        # An entity may stand for gigabytes of text; no label file has any.
        raise ValueError("it declares entities")

    parser = expat.ParserCreate()
    parser.StartElementHandler = begin
    parser.CharacterDataHandler = text
    parser.buffer_text = True
    parser.EntityDeclHandler = refuse
    if path.is_dir():
        raise LabeltoolError("is a directory, not a file", file=path, remedy=f"give the file itself: {kind}")
    try:
        parser.Parse(read_bytes(path, MAX_TEXT_BYTES), True)
    except OSError as error:
        raise LabeltoolError(f"cannot be read: {error.strerror}", file=path) from error
    except (expat.ExpatError, LookupError, ValueError, OverflowError) as error:
        raise LabeltoolError(f"is a damaged {kind}: {error}", file=path, remedy=remedy) from error
