"""The schema of `labels.db`, as numbered migrations.

`PRAGMA user_version` counts the migrations of a database, so that opening an up-to-date one needs only the standard
library; sqlite-utils, which loads pandas, is imported when there is something to migrate. A released migration is never
edited: the next change is a new module in `migrations`.

A database that others may have made is used only with the schema that the migrations make (`require_own_schema`).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sqlite3
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import closing, suppress
from functools import cache
from pathlib import Path
from typing import NamedTuple, NoReturn

from labeltool.errors import LabeltoolError
from labeltool.store.migrations import (
    m001_initial,
    m002_regions,
    m003_queue,
    m004_batches,
    m005_summaries,
    m006_transcripts,
    m007_vocabulary,
    m008_checked,
    m009_removal,
    m010_identity,
    m011_label_keys,
    m012_label_acts,
)
from labeltool.util.files.atomic_write import write_text

Step = Callable[[sqlite3.Connection], None]

APPLICATION_ID = 0x6C626C74
"""Identifies a SQLite file as labeltool's ("lblt"), so that no other program's `labels.db` is migrated."""


def _executing(statements: Sequence[str]) -> Step:
    """Return a step that executes the statements in order."""

    def step(connection: sqlite3.Connection) -> None:
        for statement in statements:
            connection.execute(statement)

    return step


MIGRATIONS: tuple[tuple[str, Step], ...] = (
    # sqlite-utils finds the steps that a database has had by these names: they never change.
    ("m001_initial", _executing((f"PRAGMA application_id = {APPLICATION_ID}", *m001_initial.STATEMENTS))),
    ("m002_marks_and_sweeps", _executing(m002_regions.STATEMENTS)),
    ("m003_queue", _executing(m003_queue.STATEMENTS)),
    ("m004_acts", _executing(m004_batches.STATEMENTS)),
    ("m005_sums", _executing(m005_summaries.STATEMENTS)),
    ("m006_transcripts", _executing(m006_transcripts.STATEMENTS)),
    ("m007_vocabulary", m007_vocabulary.apply),
    ("m008_checked", m008_checked.apply),
    ("m009_removal", m009_removal.apply),
    ("m010_identity", m010_identity.apply),
    ("m011_label_keys", m011_label_keys.apply),
    ("m012_label_acts", m012_label_acts.apply),
)

SCHEMA_VERSION = len(MIGRATIONS)
"""The `user_version` that this labeltool reads and writes."""


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a database up to `SCHEMA_VERSION`; each step is one transaction and is recorded by sqlite-utils."""
    from sqlite_utils import Database, Migrations  # loads pandas where installed: only when there is work

    numbered = Migrations("labeltool")
    for version, (name, step) in enumerate(MIGRATIONS, start=1):

        def apply(database: Database, step: Step = step, version: int = version) -> None:
            step(database.conn)
            database.conn.execute(f"PRAGMA user_version = {version}")

        numbered(name=name)(apply)
    numbered.apply(Database(connection, execute_plugins=False, recursive_triggers=False))


# -- databases that others may have made

_LOG = "_sqlite_migrations"  # sqlite-utils' own table, whose form its version decides
_TOKENS = re.compile(
    r"""
    (--[^\n]* | /\*.*?(?:\*/|\Z) | [ \t\n\f\r]+)                        # comments and blanks
    | ' (?:[^']|'')* ' | " (?:[^"]|"")* " | ` (?:[^`]|``)* ` | \[ [^\]]* \]
    | [\w$]+ | .
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_PLAIN_NAME = re.compile(r'"([a-z_0-9]+)"')
_INDEX = re.compile(
    r'CREATE (UNIQUE )?INDEX (?:\w+|"[^"]*") ON (?:\w+|"[^"]*") \( (?:(?:\w+|"[^"]*"|,) )+\)', re.IGNORECASE
)
_COMPUTING = frozenset({"REFERENCES", "CHECK", "GENERATED", "AS"})
# Names that would stand for something else in labeltool's own SQL.
_RESERVED = re.compile(r"(?!sqlite_stat|sqlite_sequence|sqlite_autoindex_)sqlite_.*|pragma_.*|json_each|json_tree")

CURRENT_SCHEMA = "d3262c8f711c5825f1412bb0d6aecce73c99a796917fb3702da2fcaa6064bbb2"
"""Fingerprint of the schema that the migrations make: most databases have it, which saves comparing."""


class _Object(NamedTuple):
    """A row of `sqlite_master`; `sql` is empty for the index of a constraint."""

    type: str
    name: str
    table: str
    sql: str

    def __str__(self) -> str:
        return f"{self.type} {self.name!r}"


def require_own_schema(connection: sqlite3.Connection, version: int, path: Path) -> None:
    """Refuse a database whose schema can do or show other than what the migrations made.

    A database may come from a stranger: a trigger, a changed view or a computed column would take part in everything
    that labeltool does. A user's own views, tables and indexes stay where they only show or store.

    Parameters
    ----------
    connection
        With `trusted_schema` off; nothing of the database but its list of objects is read.

    Raises
    ------
    LabeltoolError
        Naming the object.
    """

    def refuse(reason: str) -> NoReturn:
        remedy = "nothing was changed; drop it if it is yours, or `labeltool restore FILE` brings back a backup"
        raise LabeltoolError(reason, file=path, remedy=remedy)

    rows = connection.execute("SELECT type, name, tbl_name, sql, rootpage FROM sqlite_master").fetchall()
    if not all(isinstance(value, str) for row in rows for value in row[:3]):
        refuse("is damaged: its schema has an object without a name")
    objects = [_Object(kind, name, table, _normalised(sql)) for kind, name, table, sql, _ in rows]
    pages = [row[4] for row in rows if row[4]]
    if len({one.name.lower() for one in objects}) < len(objects) or len(set(pages)) < len(pages):
        refuse("is damaged: two objects of its schema have one name or one place")
    others = [one for one in objects if one.table == _LOG]
    if version != SCHEMA_VERSION or fingerprint(one for one in objects if one.table != _LOG) != CURRENT_SCHEMA:
        own = objects_made_by(MIGRATIONS[:version])
        others = [one for one in objects if one not in own]
        names = {one.name for one in own}
        # A missing object that is there in another form is named as such.
        for one in (*others, *sorted(own.difference(objects))):
            if one.name in names:
                refuse(f"its {one} is {'not as labeltool makes it' if one in others else 'missing'}")
    tables = {one.name for one in others if one.type == "table"}
    for one in others:
        if not _only_shows_or_stores(one, tables):
            refuse(f"its {one} is not labeltool's, and could change what is stored or shown")


def fingerprint(objects: Iterable[_Object]) -> str:
    """Return a fingerprint of a schema, the same whichever SQLite wrote it."""
    return hashlib.sha256(repr(sorted(tuple(one) for one in objects)).encode("utf-8", "surrogatepass")).hexdigest()


@cache
def objects_made_by(steps: tuple[tuple[str, Step], ...]) -> frozenset[_Object]:
    """Return the objects that migrations make, without sqlite-utils' own table."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute("BEGIN")
        for _, step in steps:
            step(connection)
        rows = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master").fetchall()
    return frozenset(_Object(kind, name, table, _normalised(sql)) for kind, name, table, sql in rows)


def _normalised(sql: object) -> str:
    """Return SQL with single blanks, without comments, and without quotes that SQLite puts round names it changes.

    Our keywords are in capitals: a quoted one, which would be a name to SQLite, stays another word.
    """
    tokens = (token[0] for token in _TOKENS.finditer(sql if isinstance(sql, str) else "") if token[1] is None)
    return " ".join(_PLAIN_NAME.sub(r"\1", token) if token[0] == '"' else token for token in tokens)


def _only_shows_or_stores(one: _Object, tables: Collection[str]) -> bool:
    """Whether an object that is not labeltool's has no part in what labeltool does.

    Parameters
    ----------
    tables
        The tables that are not labeltool's: what is on them concerns nobody else.
    """
    if _RESERVED.fullmatch(one.name.lower()):
        return False
    if one.type == "index":
        index = _INDEX.fullmatch(one.sql)
        return one.table in tables if not one.sql else index is not None and (one.table in tables or not index[1])
    words = one.sql.split(" ")
    if one.type == "table":
        return words[:2] == ["CREATE", "TABLE"] and not _COMPUTING & {word.upper() for word in words}
    return one.type == "view" and words[:2] == ["CREATE", "VIEW"]


def table_descriptions(connection: sqlite3.Connection) -> dict[str, str]:
    """Return the description of each table and view, by its name."""
    return dict(connection.execute("SELECT name, description FROM descriptions ORDER BY name").fetchall())


def write_metadata(connection: sqlite3.Connection, database: Path) -> None:
    """Write `metadata.json` beside a database; a file that is there already stays, and a failure does not matter.

    Datasette, which does not read the database's own table `descriptions`, takes this file up by itself.

    Parameters
    ----------
    database
        Its file, whose stem is the name that Datasette gives it.
    """
    with suppress(OSError, sqlite3.Error):
        tables = {name: {"description": description} for name, description in table_descriptions(connection).items()}
        metadata = {"title": "A labeltool project", "databases": {database.stem: {"tables": tables}}}
        path = database.with_name("metadata.json")
        if not os.path.lexists(path):
            write_text(path, json.dumps(metadata, indent=2, ensure_ascii=False) + "\n")
