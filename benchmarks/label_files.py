"""What every file below some folders is taken for: rows taken, rows that are named as not taken, and the first reason.

Nothing is stored, and the sounds of the labels need not be there:

    python benchmarks/label_files.py ../shared/data/audacity ../shared/data/raven ...
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from labeltool.errors import LabeltoolError
from labeltool.importers import auto
from labeltool.records import Note, Skipped


def table_rows(folders: Sequence[Path]) -> Iterator[tuple[str, str, int, int, str]]:
    """Yield for each file its name, what it is, the rows taken and not taken, and why the first was not."""
    for folder in folders:
        for one in auto.sources([folder]):
            if isinstance(one, Skipped):
                yield one.file, "-", 0, 0, one.reason
            elif one.format.is_labels:
                yield (str(one.path), one.words, *_taken(one))


def _taken(one: auto.KnownSource) -> tuple[int, int, str]:
    rows, skipped = 0, []
    try:
        for part in one.format.parse_each([one.path], **one.options(None)):
            if isinstance(part, Skipped):
                skipped.append(part)
            else:
                rows += len(part[1])
    except LabeltoolError as error:
        return 0, 1, f"{error.line or ''} {error.reason}".strip()
    lines = [part for part in skipped if not isinstance(part, Note)]
    first = next(iter([*lines, *skipped]), None)
    reason = "" if first is None else f"{first.line or ''} {first.reason}"
    return rows, len(lines), reason.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    rows = list(table_rows(parser.parse_args().folders))
    print("| file | taken for | rows | not taken | line and reason of the first |\n| --- | --- | --- | --- | --- |")
    for file, words, taken, left, reason in rows:
        print(f"| {'/'.join(Path(file).parts[-2:])} | {words} | {taken} | {left} | {reason} |")
    known, taken, left = sum(row[1] != "-" for row in rows), sum(row[2] for row in rows), sum(row[3] for row in rows)
    print(f"\n{known} of {len(rows)} files known; {taken} rows taken, {left} not")


if __name__ == "__main__":
    main()
