"""The columns of the table of labels that are computed from the journal: names of now, parents, definitions."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence

from labeltool.hierarchy import MAX_LEVELS, ancestors
from labeltool.store.journal_rows import ALL_ROWS, Until, is_revoked

LABEL_ACTS = "j.kind IN ('define', 'example', 'parent', 'retire', 'split')"  # as in the index journal_label_acts


def derive(connection: sqlite3.Connection) -> list[str]:
    """Write the columns of the table of labels that are derived; return the labels that are to be brought back."""
    roots, acts = renamings(connection), label_acts(connection)
    parents, definitions = parents_and_definitions(acts, roots)
    rows = connection.execute("SELECT id, name, merged_into, parent_id, definition FROM labels").fetchall()
    number_of = {row["name"]: row["id"] for row in rows}
    for number, name, *stored in rows:
        merged_into, parent_id = number_of.get(roots.get(name, "")), number_of.get(parents.get(name, ""))
        wanted = [merged_into, parent_id, definitions.get(name)]
        if wanted != stored:
            connection.execute(
                "UPDATE labels SET merged_into = ?, parent_id = ?, definition = ? WHERE id = ?", (*wanted, number)
            )
    return _retire(connection, acts, roots)


def label_acts(connection: sqlite3.Connection, until: Until = ALL_ROWS) -> list[sqlite3.Row]:
    """Return the rows of the journal about labels, the oldest first, each with whether it is `revoked`."""
    return connection.execute(
        f"SELECT j.id, j.kind, j.label, j.new_label, j.note, j.created_at, {is_revoked('j', until)} AS revoked "
        f"FROM journal j WHERE {LABEL_ACTS} AND {until.counts('j')} ORDER BY j.id",
        {"at": until.at},
    ).fetchall()


def parents_and_definitions(
    acts: Sequence[sqlite3.Row], roots: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str | None]]:
    """Return the parent and the definition of each label that has one, by the current names `roots` of `renamings`."""
    active = [act for act in acts if not act["revoked"]]
    definitions = {name: act["note"] or None for name, act in _last_acts(active, "define", roots).items()}
    return _without_cycles(_last_acts(active, "parent", roots), roots), definitions


def _last_acts(active: Sequence[sqlite3.Row], kind: str, roots: Mapping[str, str]) -> dict[str, sqlite3.Row]:
    """Return the last row of a kind about each label, by its current name; of a former name where there is no other."""
    of_former: dict[str, sqlite3.Row] = {}
    own: dict[str, sqlite3.Row] = {}
    for act in active:
        if act["kind"] == kind:
            name = act["label"]
            (of_former if name in roots else own)[roots.get(name, name)] = act
    return {**of_former, **own}


def _without_cycles(acts: Mapping[str, sqlite3.Row], roots: Mapping[str, str]) -> dict[str, str]:
    """Return the parent of each label; what makes a cycle, as rows of two people's journals may, is dropped."""
    found: dict[str, str] = {}
    for child, act in sorted(acts.items(), key=lambda one: str(one[1]["id"])):
        parent = roots.get(act["new_label"], act["new_label"])
        above = ancestors(found, parent)
        if child not in (parent, *above) and len(above) < MAX_LEVELS:
            found[child] = parent
    return found


def renamings(connection: sqlite3.Connection, until: Until = ALL_ROWS) -> dict[str, str]:
    """Return the name of each name that a label was renamed from, by the renamings that count and are not revoked."""
    renamed: dict[str, str] = {}
    for old, new in connection.execute(
        f"""
        SELECT j.label, j.new_label FROM journal j
        WHERE j.kind = 'rename' AND j.label <> j.new_label  -- a stranger's row may rename a label to itself
          AND {until.counts("j")}
          AND NOT {is_revoked("j", until)}
        ORDER BY j.id
        """,
        {"at": until.at},
    ):
        # The new name is in use again: renaming back and forth must not make a cycle.
        renamed.pop(new, None)
        renamed.pop(old, None)
        renamed[old] = new
    # The new name of a renaming was renamed only later: backwards each is known, with no walk along the others.
    for old in reversed(renamed):
        renamed[old] = renamed.get(renamed[old], renamed[old])
    return renamed


def _retire(connection: sqlite3.Connection, acts: Sequence[sqlite3.Row], roots: Mapping[str, str]) -> list[str]:
    """Write what is retired; return the labels that were used since, or whose retirement was undone."""
    retired = retirements(connection, acts, roots)
    connection.executemany(
        "UPDATE labels SET retired_at = :at WHERE name = :name AND retired_at IS NOT :at",
        [{"name": name, "at": at} for name, at in retired.items() if at is not None],
    )
    return [name for name, at in retired.items() if at is None]


def retirements(
    connection: sqlite3.Connection, acts: Sequence[sqlite3.Row], roots: Mapping[str, str], until: Until = ALL_ROWS
) -> dict[str, str | None]:
    """Return when each label was retired; None for one that was used since, or whose retirement was undone.

    Up to schema 11 a label was removed without a row of the journal: it stays so until it is used.
    """
    retired = {act["label"]: act for act in acts if act["kind"] == "retire" and not act["revoked"]}
    # After `until` too: when such a label is retired, its rows say, not the column, which is of now.
    ever = acts if until.at is None else label_acts(connection)
    was_retired = {act["label"] for act in ever if act["kind"] == "retire"}
    found = dict[str, str | None]()
    splits = [act for act in acts if act["kind"] == "split" and not act["revoked"]]
    for name, stored in connection.execute(
        "SELECT name, retired_at FROM labels WHERE retired_at IS NOT NULL OR name IN (SELECT value FROM json_each(?))",
        (json.dumps([*was_retired]),),
    ).fetchall():
        if name in roots:
            continue
        since, at = "", None if name in was_retired else stored
        if name in retired:
            since, at = retired[name]["id"], retired[name]["created_at"]
        is_new_name = any(act["id"] > since and name in split_names(act["note"]) for act in splits)
        names = [name, *(former for former, root in roots.items() if root == name)]
        is_back = at is None or is_new_name or _is_used_since(connection, names, since, until)
        found[name] = None if is_back else at
    return found


def _is_used_since(connection: sqlite3.Connection, names: Sequence[str], row_id: str, until: Until) -> bool:
    """Return whether an annotation other than absent, or a renaming, has a label since a row of the journal.

    `names` are the label's current name and then its former ones.
    """
    (is_used,) = connection.execute(
        f"""
        SELECT EXISTS (
            SELECT 1 FROM json_each(:names) n JOIN journal j ON j.label = n.value
            WHERE j.kind = 'verdict' AND j.value <> 'absent'
              AND j.id > :row AND {until.counts("j")} AND NOT {is_revoked("j", until)}
        ) OR EXISTS (
            SELECT 1 FROM journal j WHERE j.kind = 'rename' AND j.new_label = :name AND j.id > :row
              AND {until.counts("j")} AND NOT {is_revoked("j", until)}
        )
        """,
        {"names": json.dumps([*names]), "name": names[0], "row": row_id, "at": until.at},
    ).fetchone()
    return bool(is_used)


def split_names(note: str) -> list[str]:
    """Return the new names of a row of the kind `split`; none where a stranger's has no list of names."""
    try:
        names = json.loads(note)
    except (ValueError, RecursionError):
        return []
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
