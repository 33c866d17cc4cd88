"""Schema 3: the queue."""

from __future__ import annotations

STATEMENTS = (
    # The order to ask in, written whole whenever it is reckoned anew; place 0 is asked first.
    "CREATE TABLE queue (clip_id INTEGER PRIMARY KEY REFERENCES clips (id), place INTEGER NOT NULL) STRICT",
    "CREATE INDEX queue_by_place ON queue (place)",
)
