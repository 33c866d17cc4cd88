"""Descriptions of the tables and views, for Datasette.

The database carries them in its table `descriptions`. Datasette reads descriptions from a file: `metadata.json` beside
the database, which `datasette PROJECT` takes up by itself.
"""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import suppress
from pathlib import Path

from labeltool.util.atomic_write import write_text

METADATA_FILE = "metadata.json"


def of_tables(connection: sqlite3.Connection) -> dict[str, str]:
    """Return the description of each table and view, by its name."""
    return dict(connection.execute("SELECT name, description FROM descriptions ORDER BY name").fetchall())


def write_metadata(connection: sqlite3.Connection, database: Path) -> None:
    """Write `metadata.json` beside a database; a file that is there already stays, and a failure does not matter.

    Parameters
    ----------
    connection
        Of the database, up to date.
    database
        Its file, whose stem is the name that Datasette gives it.
    """
    with suppress(OSError, sqlite3.Error):
        tables = {name: {"description": description} for name, description in of_tables(connection).items()}
        metadata = {"title": "A labeltool project", "databases": {database.stem: {"tables": tables}}}
        path = database.with_name(METADATA_FILE)
        if not os.path.lexists(path):
            write_text(path, json.dumps(metadata, indent=2, ensure_ascii=False) + "\n")
