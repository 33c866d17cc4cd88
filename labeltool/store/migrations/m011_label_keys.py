"""Schema 11: each label has a key and a colour of its own; those used most get the first keys."""

from __future__ import annotations

import sqlite3

_KEYS = "1234567890ehjyzDGHJQVWXYZ"
_COLOURS = ("blue", "orange", "green", "pink", "sky", "yellow", "red", "purple", "brown", "grey")

_LABELS = (
    "Names of sound classes; hotkey and colour are those of the labelling app, merged_into points to the label that "
    "a renamed label became."
)


def apply(connection: sqlite3.Connection) -> None:
    """Give keys and colours, and describe them; one transaction, which the caller opens."""
    connection.execute("CREATE INDEX labels_by_hotkey ON labels (hotkey) WHERE hotkey IS NOT NULL")
    used_most = connection.execute(
        """
        SELECT l.id FROM labels l
        LEFT JOIN labels n ON n.id = l.id OR n.merged_into = l.id
        LEFT JOIN latest_events e ON e.label = n.name AND e.value = 'present'
        WHERE l.merged_into IS NULL AND l.retired_at IS NULL
        GROUP BY l.id ORDER BY COUNT(DISTINCT e.clip_id) DESC, l.id LIMIT ?
        """,
        (len(_KEYS),),
    ).fetchall()
    connection.execute("UPDATE labels SET hotkey = NULL, colour = NULL")
    connection.executemany(
        "UPDATE labels SET hotkey = ?, colour = ? WHERE id = ?",
        [
            (key, _COLOURS[place % len(_COLOURS)], number)
            for place, (key, (number,)) in enumerate(zip(_KEYS, used_most, strict=False))
        ],
    )
    connection.execute("UPDATE descriptions SET description = ? WHERE name = 'labels'", (_LABELS,))
