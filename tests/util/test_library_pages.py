"""Pages of libraries that were loaded, and are not needed."""

from __future__ import annotations

import subprocess
import sys

import pytest

# In a process of its own: a library that others use meanwhile would come back.
SCRIPT = """
import numpy as np
from labeltool.util.library_pages import release_library_pages

def pages():
    with open("/proc/self/smaps") as mappings:
        lines = mappings.readlines()
    mapped, kilobytes = False, 0
    for line in lines:
        if "-" in line.split()[0]:
            mapped = "multiarray" in line and " r-xp " in line
        elif mapped and line.startswith("Rss:"):
            kilobytes += int(line.split()[1])
    return kilobytes

np.sort(np.random.default_rng(0).normal(size=1000)) @ np.ones(1000)
before = pages()
release_library_pages()
print(before, pages())
print(int(np.sort(np.arange(100)[::-1]) @ np.ones(100)))
"""


@pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux tells a process of its pages, and only there are they let go"
)
def test_a_librarys_pages_are_let_go_and_it_works_on() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    (before, after), (total,) = (map(int, line.split()) for line in done.stdout.splitlines())
    assert after < before / 2
    assert total == 4950
