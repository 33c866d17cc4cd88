"""The measurement of backup and restore: nothing acknowledged is lost, and the script finds damage."""

from __future__ import annotations

import random
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import backup_restore


def test_a_backup_under_two_writers_is_restored_over_a_killed_project(tmp_path: Path) -> None:
    found = backup_restore.one_round(tmp_path / "project", random.Random(0))
    assert (found.lost, found.damaged, found.not_stopped) == (0, 0, 0)
    assert found.killed_wal_bytes > 0 and 10 <= found.before <= found.in_backup <= found.acknowledged
    assert found.live >= 10


def test_the_measurement_finds_damage(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "a.db", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE journal (id TEXT PRIMARY KEY, revokes TEXT REFERENCES journal (id))")
        connection.execute("INSERT INTO journal (id) VALUES ('1'), ('2')")
        assert backup_restore.rows_and_damage(tmp_path / "a.db") == ({"1", "2"}, 0)
        connection.execute("UPDATE journal SET revokes = '3' WHERE id = '1'")
        assert backup_restore.rows_and_damage(tmp_path / "a.db") == ({"1", "2"}, 1)
