"""The journal as text, out of a project and into another: is it the same, how long does it take, how much memory.

    python benchmarks/journal_text.py --rows 100000
    python benchmarks/journal_text.py --database demo/project/labels.db

The project is a copy of one that is given, or made by `tests/helpers/journal_rows.py`: imports, labels with odd names,
batches, regions, undo, redo, renamings, notes, checked and removed recordings, of three people. Export, import into an
empty project, import again and export from there run as commands of their own. One line of JSON: rows and bytes of the
journal, seconds and the commands' largest memory, whether the two exports are the same bytes, and whether the projects
have the same annotations, counts, rows and reviews, before and after some undo and redo in both.
"""

from __future__ import annotations

import argparse
import filecmp
import json
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from commands import labeltool  # noqa: E402

from helpers.journal_rows import WHO, fill_with_everything  # noqa: E402
from labeltool import project as projects  # noqa: E402
from labeltool.annotation.review import label_issues  # noqa: E402
from labeltool.project import Project  # noqa: E402
from labeltool.store import clips, journal  # noqa: E402


def run(project: Project, *arguments: str | Path) -> dict[str, float]:
    """Run a command on a project; return its seconds and its largest memory."""
    taken = labeltool("journal", *arguments, project=project.directory)
    return {
        "seconds": round(taken.wall_s, 1),
        "processor_seconds": round(taken.processor_s, 1),
        "memory_mb": round(taken.peak_mb),
    }


def state(project: Project) -> list[Any]:
    """Return what the commands show of a project, and what undo and redo revert and repeat."""
    with project.open_store() as store:
        # A recording is known by its content: the number of its row is the project's own.
        labelled = [replace(one, clip=replace(one.clip, recording_id=0)) for one in clips.labelled(store)]
        found = [clips.counts(store), label_issues(store), list(journal.rows(store)), labelled]
        for who in WHO:
            for change in (journal.undo, journal.undo, journal.redo, journal.undo):
                row = change(store, annotator=who)
                # New rows have ids and times of their own.
                found.append(row and (row.kind, row.clip_id, row.label, row.value, row.batch_size))
        return [*found, clips.counts(store)]


def main() -> None:
    """Make a project, take its journal to another, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--database", type=Path, help="a project's labels.db, instead of --rows")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        first, second = (projects.create(Path(folder) / name) for name in ("first", "second"))
        if wanted.database:
            shutil.copyfile(wanted.database, first.database)
        with first.open_store() as store:
            store.connection.execute("PRAGMA synchronous = OFF")  # only while it is made
            store.connection.execute("DELETE FROM suggestions")  # what a model computed is compared with nothing
            if not wanted.database:
                fill_with_everything(store, wanted.rows, seed=wanted.seed)
            (rows,) = store.connection.execute("SELECT COUNT(*) FROM journal").fetchone()
        texts = [Path(folder) / name for name in ("first.jsonl", "second.jsonl")]
        result: dict[str, Any] = {"rows": rows}
        result["export"] = run(first, "export", "-o", texts[0])
        result["import"] = run(second, "import", texts[0])
        result["import_again"] = run(second, "import", texts[0])
        run(second, "export", "-o", texts[1])
        result["bytes"] = texts[0].stat().st_size
        result["same_bytes"] = filecmp.cmp(*texts, shallow=False)
        result["same_state"] = state(first) == state(second)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
