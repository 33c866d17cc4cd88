"""Search, guided by coverage, for inputs that a reader does not answer: `make fuzz` (Atheris, Apache-2.0).

Every reader runs in a process of its own, in which an input may take 10 s and 2 GB. Inputs that fail are kept in a
folder; the exit code is 1 where there are any.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MAX_SECONDS, MAX_MB = 10, 2048
MAX_FAILURES = 10
"""Of a reader: the search begins anew after each, and most are alike."""


# Of Python, or of libFuzzer: an input took too long or too much memory, or native code crashed.
_ERROR = re.compile(r"^(?:\w+\.)*\w*(?:Error|Exception|Warning)\b.*|^==\d+== ?ERROR: .*|^SUMMARY: .*", re.MULTILINE)


def search(name: str, scratch: Path, libfuzzer: list[str]) -> None:
    """Search in this process until libFuzzer ends it; `scratch` is a folder for the files that are read."""
    import atheris

    with atheris.instrument_imports(include=["labeltool", "tomllib"]):
        from fuzz.readers import readers
    reader = readers(scratch)[name]
    atheris.Setup([name, *libfuzzer], lambda content: reader.read_bytes(content, scratch))
    atheris.Fuzz()


def searched(name: str, seconds: float, kept: Path) -> tuple[int, list[str]]:
    """Search in child processes; return the number of inputs tried, and the errors of those that failed."""
    from fuzz.readers import readers

    folder = kept / name.replace(" ", "-")
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(readers(folder)[name].seeds()):
        (corpus / f"seed-{number}").write_bytes(seed)
    tried, failures, end = 0, [], time.monotonic() + seconds
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as scratch:
        while len(failures) < MAX_FAILURES and (left := round(end - time.monotonic())) > 0:
            limits = [f"-max_total_time={left}", f"-timeout={MAX_SECONDS}", f"-rss_limit_mb={MAX_MB}"]
            places = [f"-artifact_prefix={folder}/", str(corpus)]
            done = subprocess.run(
                [sys.executable, "-m", "fuzz.run", "--search", name, scratch, *limits, "-max_len=65536", *places],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            )
            tried += max(map(int, re.findall(r"^#(\d+)", done.stdout, re.MULTILINE)), default=0)
            if done.returncode:
                found = _ERROR.search(done.stdout)
                failures.append(found[0] if found else done.stdout[-500:])
    return tried, failures


def main() -> int:
    """Search reader after reader and print a table; return the exit code."""
    from fuzz.readers import readers

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0, help="for each reader (default: %(default)g)")
    parser.add_argument("--only", nargs="*", metavar="READER", help="these readers")
    parser.add_argument("--kept", type=Path, default=Path("fuzz-findings"), help="folder for inputs that fail")
    given = parser.parse_args()
    failed = 0
    for name in given.only or readers(given.kept):
        begin = time.monotonic()
        tried, failures = searched(name, given.seconds, given.kept)
        rate = tried / (time.monotonic() - begin)
        print(f"{name:16} {tried:>9} inputs {rate:>7.0f} /s {len(failures):>3} failed", flush=True)
        for one in dict.fromkeys(failures):
            print(f"    {one}", flush=True)
        failed += len(failures)
    print(f"{failed} failures, in {given.kept}" if failed else "no failure")
    return int(failed > 0)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--search"]:
        search(sys.argv[2], Path(sys.argv[3]), sys.argv[4:])
    sys.exit(main())
