"""Projects of Audacity 3, written as Audacity writes them."""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def document_of(labels: Sequence[dict[str, Any]], width: int = 4) -> tuple[bytes, bytes]:
    """Return the dictionary of names and the document of one label track; characters are `width` bytes wide."""
    encoding = {1: "utf-8", 2: "utf-16-le", 4: "utf-32-le"}[width]
    names = ["project", "labeltrack", "name", "numlabels", "label", "t", "t1", "selLow", "selHigh", "title"]
    ids = {name: struct.pack("<H", number) for number, name in enumerate(names)}

    def text(value: str, length: str) -> bytes:
        return struct.pack(length, len(value.encode(encoding))) + value.encode(encoding)

    dictionary = b"\0" + bytes([width]) + b"".join(b"\x0f" + ids[name] + text(name, "<H") for name in names)
    document = b"\x0c" + text("<?xml ", "<i") + b"\x01" + ids["project"] + b"\x01" + ids["labeltrack"]
    document += (
        b"\x03" + ids["name"] + text("Birds", "<i") + b"\x04" + ids["numlabels"] + struct.pack("<i", len(labels))
    )
    for label in labels:
        document += b"\x01" + ids["label"]
        for name, value in label.items():
            packed = text(value, "<i") if isinstance(value, str) else struct.pack("<di", value, 10)
            document += (b"\x03" if isinstance(value, str) else b"\x0a") + ids[name] + packed
        document += b"\x02" + ids["label"]
    document += b"\x02" + ids["labeltrack"] + b"\x02" + ids["project"]
    return dictionary, document


def project_file(
    path: Path,
    labels: Sequence[dict[str, Any]],
    width: int = 4,
    application_id: int = 1096107097,
    document: bytes | None = None,
) -> Path:
    """Write an .aup3 of one label track; of `document`, where one is given, in place of that of the labels."""
    dictionary, of_labels = document_of(labels, width)
    content = dictionary, of_labels if document is None else document
    database = sqlite3.connect(path)
    database.execute("PRAGMA synchronous = OFF")
    with database:
        database.execute(f"PRAGMA application_id = {application_id}")
        for table in ("project", "autosave"):
            database.execute(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, dict BLOB, doc BLOB)")
        database.execute("INSERT INTO project VALUES (1, ?, ?)", content)
    database.close()
    return path
