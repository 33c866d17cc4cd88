"""Two projects become one, in both orders, twice and through a third: is it the same, and how long does it take.

    python benchmarks/merge.py --rows 10000

Each project is made by `tests/helpers/journal_rows.py`: imports of the same files, renamings, merges of labels, undo,
redo, splits, retired and deleted labels, definitions, parents, groups, removed recordings, regions, notes; with
`--shared` from a common beginning. Every merge is the command `labeltool merge` in a process of its own. One line of
JSON: lines of each journal and of the union, whether the journals of all results are the same bytes and their
annotations the same, and the processor's seconds of each merge.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from commands import labeltool  # noqa: E402

from helpers.journal_rows import act, fill_with_everything  # noqa: E402
from labeltool import project as projects  # noqa: E402
from labeltool.project import Project  # noqa: E402
from labeltool.store.text_journal.lines import export_lines  # noqa: E402
from labeltool.store.text_journal.reading import merge_database  # noqa: E402


def made(directory: Path, rows: int, seed: int, common: Project | None) -> Project:
    """Return a project with some number of rows or more."""
    project = projects.create(directory)
    with project.open_store() as store:
        store.connection.execute("PRAGMA synchronous = OFF")  # only while it is made
        if common is None:
            fill_with_everything(store, rows, seed=seed)
            return project
        merge_database(store, common.database, "common")
        rng = random.Random(seed)
        while store.connection.execute("SELECT COUNT(*) FROM journal").fetchone()[0] < rows:
            for _ in range(50):
                act(store, rng)
    return project


def merge(project: Project, other: Project) -> float:
    """Merge one into the other by the command; return the processor's seconds."""
    return round(labeltool("merge", other.directory, project=project.directory).processor_s, 1)


def truth(project: Project) -> tuple[bytes, list[str]]:
    """Return the journal as text, and the current annotations by content."""
    with project.open_store() as store:
        rows = store.connection.execute(
            "SELECT r.sha256, c.start_s, c.end_s, a.label, a.value, a.journal_id FROM current_annotations a "
            "JOIN clips c ON c.id = a.clip_id JOIN recordings r ON r.id = c.recording_id"
        )
        return b"".join(export_lines(store)), sorted(repr(tuple(row)) for row in rows)


def main() -> None:
    """Make two projects, merge them every way, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000, help="in each of the two")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--shared", type=int, default=0, help="rows that both have from the beginning")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        common = made(place / "common", wanted.shared, wanted.seed, None) if wanted.shared else None
        ann, bob = (made(place / name, wanted.rows, wanted.seed + n, common) for n, name in ((1, "ann"), (2, "bob")))
        originals = {name: projects.create(place / f"original {name}") for name in ("ann", "bob")}
        for name, one in (("ann", ann), ("bob", bob)):
            with originals[name].open_store() as store:
                merge_database(store, one.database, name)
        third = projects.create(place / "third")
        seconds = [
            merge(ann, originals["bob"]),
            merge(bob, originals["ann"]),
            merge(third, originals["ann"]),
            merge(third, originals["bob"]),
            merge(ann, originals["bob"]),
            merge(bob, third),
            merge(third, bob),
        ]
        found = [truth(one) for one in (ann, bob, third)]
        result = {
            "lines": [len(truth(one)[0].splitlines()) for one in originals.values()],
            "lines_of_the_union": len(found[0][0].splitlines()),
            "bytes": len(found[0][0]),
            "same_bytes": found[0][0] == found[1][0] == found[2][0],
            "annotations": len(found[0][1]),
            "same_annotations": found[0][1] == found[1][1] == found[2][1],
            "processor_seconds": seconds,
        }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
