"""What nobody expected ends in one line that names the file, the task and the log."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from labeltool.errors import LabeltoolError
from labeltool.project import Project
from labeltool.tasks import worker
from labeltool.tasks.process import LocalProcesses
from labeltool.tasks.registry import TASKS

# The reader of label tracks has a bug: a class of exception that no reader is known to raise.
BROKEN_IMPORT = """
import sys
from labeltool.cli import main
from labeltool.importers import audacity
def broken(path, encoding): raise ZeroDivisionError("of two numbers\\nand a line break")
audacity.parse = broken
sys.argv = ["labeltool", "--project", sys.argv[1], "import", "audacity", sys.argv[2]]
main.main()
"""


@pytest.mark.parametrize("debug", ["", "1"])
def test_a_bug_in_a_command_is_one_line_with_the_file_the_command_and_the_log(
    project: Project, tmp_path: Path, debug: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABELTOOL_DEBUG", debug)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    labels = tmp_path / "labels.txt"
    labels.write_text("1\t2\twren\n")
    done = subprocess.run(
        [sys.executable, "-c", BROKEN_IMPORT, project.directory, labels], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (1, "")
    *shown, line = done.stderr.splitlines()
    assert any("Traceback" in one for one in shown) is bool(debug)
    assert f"{labels}: import failed: ZeroDivisionError: of two numbers\\nand a line break" in line
    found = re.search(r"traceback is in (\S+labeltool-\w+\.log)\)", line)
    assert found and "in broken" in Path(found[1]).read_text()


def test_a_bug_in_a_task_reaches_the_parent_as_one_line_that_names_its_log(project: Project) -> None:
    job = LocalProcesses().start(project, TASKS["suggest"], no_such_option=7)
    with pytest.raises(LabeltoolError, match=r"suggest failed: \w+Error: .*traceback is in \S+suggest\.log"):
        job.wait(lambda *_: None)
    assert job.log is not None and "Traceback" in job.log.read_text()
    assert worker._reason(LabeltoolError("a reason"), "suggest", None) == "a reason"
