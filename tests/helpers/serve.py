"""`labeltool label --serve` and `labeltool serve` as processes, and a browser that has their secret."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from helpers.processes import children
from helpers.waits import DEADLINE_S, killed_late
from labeltool.project import Project


class Server:
    """`labeltool label --serve` of a project; `address` is what it printed, `url` that without the secret."""

    COMMAND: tuple[str, ...] = ("label", "--serve")

    def __init__(
        self, project: Project | None, *arguments: str, folder: Path | None = None, **environment: str
    ) -> None:
        of_project = ("--project", str(project.directory)) if project else ()
        self.process = subprocess.Popen(
            [*(sys.executable, "-m", "labeltool", *of_project), *self.COMMAND, *arguments],
            cwd=folder,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stderr is not None
        with killed_late(self.process):
            self.output = self.process.stderr.readline() + self.process.stderr.readline()
        found = re.search(r"(http://[\w.-]+:\d+)/\?token=[\w-]{40,}", self.output)
        assert found, self.output
        self.address, self.url = found.group(), found[1]

    def until_line(self, text: str) -> None:
        """Wait until it has written a line on stderr."""
        assert self.process.stderr is not None
        with killed_late(self.process):
            assert any(text == line.strip() for line in self.process.stderr), f"the server ended before {text!r}"

    def apps(self) -> list[int]:
        """The process ids of its apps, or of what computes for its page."""
        return children(self.process.pid)

    def end(self, ending: signal.Signals) -> tuple[int, str, str]:
        """Send a signal; return the exit code and what was written to stdout and stderr since the start."""
        self.process.send_signal(ending)
        stdout, stderr = self.process.communicate(timeout=DEADLINE_S)
        return self.process.returncode, stdout, stderr

    def close(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
            self.process.communicate(timeout=DEADLINE_S)


class PageServer(Server):
    """`labeltool serve`, in a project or in a folder."""

    COMMAND = ("serve",)


@asynccontextmanager
async def browser(server: Server) -> AsyncIterator[aiohttp.ClientSession]:
    """A browser that has opened the printed address."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as client:
        async with client.get(server.address) as page:
            assert (page.status, str(page.url)) == (200, f"{server.url}/")
        yield client
