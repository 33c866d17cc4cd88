"""The store: one SQLite file that holds what people said, and the tables derived from it.

`database` opens it, `intake` takes imports in, `journal` writes what people say (`appending` knows how, `labels` what
goes by which name), `clips`, `recordings`, `spans`, `queue` and `models` read, `sums` keeps what would take long to
count. sqlite3 of the standard library does the daily work: sqlite-utils, which migrates, loads pandas and would cost
every command a second.
"""

from labeltool.store.database import Store

__all__ = ["Store"]
