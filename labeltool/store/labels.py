"""Labels: names, keys and colours; renamings and merges, which are rows of the journal."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from labeltool.errors import LabeltoolError
from labeltool.records import MAX_LABEL_CHARACTERS, Note, label_name
from labeltool.store.database import Store, now
from labeltool.store.journal_rows import Until, append, is_revoked
from labeltool.store.label_acts import derived

LABEL_KEYS = "1234567890ehjyzDGHJQVWXYZ"
"""The keys that a label can have, in the order in which new labels get them."""

COLOURS = ("blue", "orange", "green", "pink", "sky", "yellow", "red", "purple", "brown", "grey")
"""The colours that a label can have, in the order of `LABEL_KEYS`."""

LABEL_ORDER = f"created_at, COALESCE(NULLIF(instr('{LABEL_KEYS}', hotkey), 0), 99), name"
"""SQL: an order of the table of labels that is the same in every project that has the same labels."""


@dataclass(frozen=True, slots=True)
class ProjectLabel:
    """A label of the project; key, colour and definition are empty where it has none."""

    name: str
    key: str = ""
    colour: str = ""
    former: tuple[str, ...] = ()
    definition: str = ""
    parent: str | None = None


def project_labels(store: Store) -> list[ProjectLabel]:
    """Return the labels in use, in the order they were created; each key is that of one label."""
    rows = store.connection.execute(
        "SELECT id, name, hotkey, colour, definition, (SELECT p.name FROM labels p WHERE p.id = l.parent_id) "
        f"FROM labels l WHERE merged_into IS NULL AND retired_at IS NULL ORDER BY {LABEL_ORDER}"
    ).fetchall()
    former: dict[int, tuple[str, ...]] = {}
    for name, number in store.connection.execute(
        f"SELECT name, merged_into FROM labels WHERE merged_into IS NOT NULL ORDER BY {LABEL_ORDER}"
    ):
        former[number] = (*former.get(number, ()), name)
    keys, labels = _keys_in_use(store.connection), []
    for number, name, stored, colour, definition, parent in rows:
        key = keys.get(number, "")
        if stored is None:
            colour = colour_of_key(key)
        # A database or a journal of others may have any text here.
        look = key, colour if colour in COLOURS else ""
        labels.append(ProjectLabel(name, *look, former.get(number, ()), definition or "", parent))
    return labels


def labels_as_of(store: Store, until: Until) -> list[tuple[str, str, str]]:
    """Return name, parent and definition ("" for none) of the labels in use at a time, in the order of creation."""
    connection = store.connection
    roots, acts = derived.renamings(connection, until), derived.label_acts(connection, until)
    parents, definitions = derived.parents_and_definitions(acts, roots)
    retired = derived.retirements(connection, acts, roots, until)
    names = connection.execute(f"SELECT name FROM labels WHERE {until.made} ORDER BY {LABEL_ORDER}", {"at": until.at})
    return [
        (name, parents.get(name, ""), definitions.get(name) or "")
        for (name,) in names.fetchall()
        if name not in roots and retired.get(name) is None
    ]


def _keys_in_use(connection: sqlite3.Connection) -> dict[int, str]:
    """Return the key of each label in use, by its id, where there are enough.

    Of two labels that have one key stored, as projects that became one may have, the older has it and the other the
    first that is free. That is not stored, for it hangs on all labels there are.
    """
    in_use, wanting, free = dict[int, str](), list[int](), {*LABEL_KEYS}
    for number, key in connection.execute(
        f"SELECT id, hotkey FROM labels WHERE merged_into IS NULL AND retired_at IS NULL ORDER BY {LABEL_ORDER}"
    ):
        if not free:  # thousands of labels may follow
            break
        if key in free:
            in_use[number] = key
            free.remove(key)
        else:
            wanting.append(number)
    return in_use | dict(zip(wanting, _without(connection, in_use.values()), strict=False))


def _without(connection: sqlite3.Connection, taken: Iterable[str]) -> list[str]:
    """Return the other keys; those of labels that were renamed or retired last: such a label returns with its key."""
    left = {*LABEL_KEYS}.difference(taken)
    if not left:
        return []
    others = {key for (key,) in connection.execute("SELECT DISTINCT hotkey FROM labels WHERE hotkey IS NOT NULL")}
    return sorted(left, key=lambda key: (key in others, LABEL_KEYS.index(key)))


def look_order(look: tuple[str | None, str | None, str | None]) -> tuple[str, int, int, str, str]:
    """Return by what the looks of a label in two projects are ordered; the last counts in both.

    It is the one that a person chose last; of two that nobody chose, the one with the first key.

    Parameters
    ----------
    look
        Key, colour, and when a person chose them.
    """
    key, colour, set_at = look[0] or "", look[1] or "", look[2] or ""
    place = LABEL_KEYS.index(key) if key in {*LABEL_KEYS} else len(LABEL_KEYS)
    return set_at, -place, -COLOURS.index(colour) if colour in COLOURS else -len(COLOURS), key, colour


def set_key(store: Store, name: str, key: str) -> None:
    """Give a label another key; the label that has it gets the former key of this one.

    Raises
    ------
    LabeltoolError
        When there is no such label, or the key is none of `LABEL_KEYS`.
    """
    if len(key) != 1 or key not in LABEL_KEYS:
        raise LabeltoolError(f"{key!r} cannot be the key of a label", remedy=f"one of {' '.join(LABEL_KEYS)}")
    with store.transaction() as connection:
        number, keys = _id_of(connection, name), _keys_in_use(connection)
        # What was computed for the others stays theirs.
        connection.executemany("UPDATE labels SET hotkey = ? WHERE id = ?", [(key, one) for one, key in keys.items()])
        # Names that a label was renamed from change with it: it returns when that is undone.
        connection.execute(
            "UPDATE labels SET hotkey = CASE WHEN hotkey = :key THEN :former ELSE :key END, look_set_at = :now "
            "WHERE id = :id OR hotkey = :key OR hotkey = :former",
            {"key": key, "former": keys.get(number), "id": number, "now": now()},
        )


def set_colour(store: Store, name: str, colour: str) -> None:
    """Give a label one of the `COLOURS`.

    Raises
    ------
    LabeltoolError
        When there is no such label.
    """
    with store.transaction() as connection:
        connection.execute(
            "UPDATE labels SET colour = ?, look_set_at = ? WHERE id = ?", (colour, now(), _id_of(connection, name))
        )


def add_label(store: Store, name: str, *, key: str) -> None:
    """Create a label of the name if there is none, with a key if that is free."""
    with store.transaction() as connection:
        ensure_label(connection, checked_name(name), key=key)


def checked_name(label: str) -> str:
    """Return text as the name of a label, see `label_name`.

    Raises
    ------
    LabeltoolError
        When it is empty, too long or not valid text.
    """
    name = label_name(label)
    if not name:
        raise LabeltoolError("a label needs a name")
    if len(name) > MAX_LABEL_CHARACTERS:
        raise LabeltoolError(f"a label has at most {MAX_LABEL_CHARACTERS} characters, this one {len(name)}")
    try:
        name.encode()
    except UnicodeEncodeError:
        # Bytes of the command line that are not UTF-8 come as lone surrogates.
        raise LabeltoolError(f"the label {label!a} is not text", remedy="is the terminal set to UTF-8?") from None
    return name


def ensure_label(
    connection: sqlite3.Connection, name: str, *, key: str = "", like: str | None = None, brings_back: bool = True
) -> None:
    """Create a label of the name if there is none, or bring back one that was retired.

    It gets the first free key, and its colour by that; one that was retired gets its own if that is still free.

    Parameters
    ----------
    key
        The key that it gets if that is free.
    brings_back
        False: one that was retired stays so, as when it is absent.
    """
    known = connection.execute("SELECT retired_at, hotkey, colour FROM labels WHERE name = ?", (name,)).fetchone()
    if known is not None and (known["retired_at"] is None or not brings_back):
        return
    if like is not None:
        look = connection.execute("SELECT hotkey, colour FROM labels WHERE name = ?", (like,)).fetchone()
    else:
        free = _without(connection, _keys_in_use(connection).values())
        if known is not None and known["hotkey"] in free and key not in free:
            look = known["hotkey"], known["colour"]
        else:
            key = key if key in free else next(iter(free), "")
            look = (key, colour_of_key(key)) if key else (None, None)
    connection.execute(
        "INSERT INTO labels (name, created_at, hotkey, colour) VALUES (?, ?, ?, ?) ON CONFLICT (name) DO UPDATE "
        "SET hotkey = excluded.hotkey, colour = excluded.colour, retired_at = NULL",
        (name, now(), *look),
    )


def colour_of_key(key: str) -> str:
    """Return the colour that a new label with a key gets; "" for none."""
    return COLOURS[LABEL_KEYS.index(key) % len(COLOURS)] if key else ""


def newest_id(connection: sqlite3.Connection) -> int:
    """Return the id of the label that was created last, 0 where there is none."""
    (last,) = connection.execute("SELECT COALESCE(MAX(id), 0) FROM labels").fetchone()
    return int(last)


def notes_on_case(connection: sqlite3.Connection, after: int) -> list[Note]:
    """Return a note on each label later than an id whose name differs from another's in its letter case only."""
    names = connection.execute("SELECT id, name FROM labels WHERE merged_into IS NULL ORDER BY id").fetchall()
    by_case: dict[str, str] = {}
    notes = []
    for number, name in names:
        other = by_case.setdefault(name.casefold(), name)
        if other != name and number > after:
            reason = f"differs from the label {other!r} in letter case only (`labeltool rename` makes them one)"
            notes.append(Note(repr(name), None, reason))
    return notes


def rename(store: Store, old: str, new: str, *, annotator: str) -> None:
    """Rename the label `old` to `new`; where `new` exists, the two labels are merged.

    Later verdicts on `old`, by an import for instance, count for `new`. `undo` reverts it.

    Raises
    ------
    LabeltoolError
        When there is no label `old`, or the two are the same label already.
    """
    new = checked_name(new)
    with store.transaction() as connection:
        current = _current_names(connection)
        old = old if old in current else label_name(old)
        if old not in current:
            raise LabeltoolError(f"no label {old!r}", remedy="`labeltool labels` lists them")
        if current[old] != old:
            raise LabeltoolError(f"{old!r} was renamed to {current[old]!r}", remedy="rename that")
        if old == new:
            raise LabeltoolError("that is its name already")
        if current.get(new, new) != old:
            new = current.get(new, new)
        ensure_label(connection, new, like=old)
        append(connection, kind="rename", label=old, new_label=new, annotator=annotator, origin="human")
        update_derived_columns(connection)


def update_derived_columns(connection: sqlite3.Connection) -> None:
    """Compute the columns of the table of labels that come from the journal: see `label_acts.derived`."""
    for name in derived.derive(connection):
        ensure_label(connection, name)


def parents(connection: sqlite3.Connection) -> dict[str, str]:
    """Return the parent of each label that has one, by their current names; there is no cycle."""
    return dict(
        connection.execute(
            "SELECT l.name, p.name FROM labels l JOIN labels p ON p.id = l.parent_id WHERE l.merged_into IS NULL"
        ).fetchall()
    )


def name_in_use(connection: sqlite3.Connection, name: str) -> str:
    """Return the name of a label in use as the project has it.

    Raises
    ------
    LabeltoolError
        When there is no such label, or it was renamed or retired.
    """
    for wanted in dict.fromkeys((name, label_name(name))):
        row = connection.execute(
            "SELECT l.retired_at, t.name FROM labels l LEFT JOIN labels t ON t.id = l.merged_into WHERE l.name = ?",
            (wanted,),
        ).fetchone()
        if row is None:
            continue
        if row["name"] is not None:
            raise LabeltoolError(f"{wanted!r} was renamed to {row['name']!r}", remedy="name that")
        if row["retired_at"] is not None:
            raise LabeltoolError(f"the label {wanted!r} is retired", remedy="an annotation with it brings it back")
        return wanted
    raise LabeltoolError(f"no label {name!r}", remedy="`labeltool labels` lists them")


def _id_of(connection: sqlite3.Connection, name: str) -> int:
    row = connection.execute("SELECT id FROM labels WHERE name = ? AND merged_into IS NULL", (name,)).fetchone()
    if row is None:
        raise LabeltoolError(f"no label {name!r}", remedy="`labeltool labels` lists them")
    return int(row[0])


def _current_names(connection: sqlite3.Connection) -> dict[str, str]:
    """Return the current name of every name that a label ever had."""
    return dict(
        connection.execute(
            "SELECT l.name, COALESCE(t.name, l.name) FROM labels l LEFT JOIN labels t ON t.id = l.merged_into"
        ).fetchall()
    )


def unused_since(connection: sqlite3.Connection, time: str, names: set[str]) -> tuple[str, ...]:
    """Return the labels, of those that were called `names`, that are newer than a time and have no annotation now."""
    current = _current_names(connection)
    verdicts = f"FROM journal j WHERE j.kind = 'verdict' AND NOT {is_revoked('j')}"
    used = {current.get(name) for (name,) in connection.execute(f"SELECT DISTINCT j.label {verdicts}")}
    new = connection.execute(
        "SELECT name FROM labels WHERE created_at >= ? AND retired_at IS NULL ORDER BY id", (time,)
    )
    return tuple(name for (name,) in new if name in {current.get(one) for one in names} - used)


def by_current_names(probabilities: Mapping[str, float], renamed: Mapping[str, str]) -> dict[str, float]:
    """Return probabilities by the labels' current names, largest first; those of merged labels are added up.

    `renamed` is what `clips.current_names` returns.
    """
    summed: dict[str, float] = {}
    for name, probability in probabilities.items():
        current = renamed.get(name, name)
        summed[current] = min(1.0, summed.get(current, 0.0) + probability)
    return dict(sorted(summed.items(), key=lambda item: -item[1]))
