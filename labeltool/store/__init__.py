"""The store: one SQLite file with the journal of annotations and the tables derived from it.

`database` opens it, `schema` and `migrations` define it, `importing` stores what an importer read, `journal` appends
annotations (`journal_rows` the rows themselves) and `labels` renames; `text_journal` writes the journal as text and
reads it, `backup` copies the whole file and goes back to a copy; `clips`, `recordings`, `spans`, `queue`, `models` and
`transcripts` read and write the rest. sqlite3 of the standard library does the daily work: sqlite-utils, which
migrates, loads pandas and would cost every command a second.
"""

from labeltool.store.database import Store

__all__ = ["Store"]
