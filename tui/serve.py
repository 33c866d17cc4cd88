"""The room in a browser: a small web server on this machine that runs one room for each page, through textual-serve."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import signal
import socket
import sys
from collections.abc import Awaitable, Callable

from aiohttp import web
from textual_serve.server import Server

from labeltool.errors import LabeltoolError
from labeltool.project import Project

_HOST = "127.0.0.1"
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def serve_rooms(project: Project, *, annotator: str, port: int | None, tell: Callable[[str], None]) -> None:
    """Do what `labeltool.tui.serve` says."""
    try:
        listening = socket.create_server((_HOST, port or 0))
    except OSError as error:
        why = str(error.strerror).partition(" (")[0]  # Python adds the address
        raise LabeltoolError(f"port {port} of {_HOST} cannot be had: {why}", remedy="--port N takes another") from error
    with listening:
        server = _RoomServer(project, annotator, listening.getsockname()[1])
        tell(f"the labelling room is at {server.public_url} for browsers on this machine; Ctrl-C ends it")
        tell("sound is played by this machine, not by the browser")
        # What a room says at its end is for the person here; textual-serve prints it on stdout.
        with contextlib.redirect_stdout(sys.stderr):
            asyncio.run(server.until_signalled(listening))


class _RoomServer(Server):
    """One `labeltool label` a page.

    textual-serve trusts whoever connects and has its page fetch a font from the net. Here a page of another site gets
    nothing, though the person's browser can reach this machine, and no page fetches anything from elsewhere.
    """

    def __init__(self, project: Project, annotator: str, port: int) -> None:
        program = [sys.executable, "-m", "labeltool", "--project", str(project.directory)]
        command = shlex.join([*program, "label", f"--annotator={annotator}"])
        super().__init__(
            f"exec {command}",
            host=_HOST,
            port=port,
            title=f"{project.directory.name}: sound is played by the machine that runs labeltool",
        )
        self._hosts = {f"{_HOST}:{port}", f"localhost:{port}"}
        self._sittings: set[asyncio.Task[None]] = set()

    async def until_signalled(self, listening: socket.socket) -> None:
        """Serve until SIGINT or SIGTERM; then leave every room."""
        runner = web.AppRunner(await self._make_app(), access_log=None)
        await runner.setup()
        ended = asyncio.Event()
        for ending in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(ending, ended.set)
        await web.SockSite(runner, listening).start()
        await ended.wait()
        await runner.cleanup()

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        """Run a room for as long as its page is open."""
        sitting = asyncio.current_task()
        assert sitting is not None
        self._sittings.add(sitting)
        try:
            return await super().handle_websocket(request)
        finally:
            self._sittings.discard(sitting)

    async def on_startup(self, app: web.Application) -> None:
        """Say nothing; the terminal has been told."""

    async def on_shutdown(self, app: web.Application) -> None:
        """Leave the rooms, which end in good order."""
        for sitting in self._sittings:
            sitting.cancel()
        await asyncio.gather(*self._sittings, return_exceptions=True)

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()
        app.middlewares.append(self._only_own_pages)
        app.on_response_prepare.append(self._nothing_from_elsewhere)
        return app

    @web.middleware
    async def _only_own_pages(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        origin = request.headers.get("Origin")
        if request.host not in self._hosts or (origin and origin.removeprefix("http://") not in self._hosts):
            raise web.HTTPForbidden(text=f"the labelling room answers at {self.public_url} alone")
        return await handler(request)

    async def _nothing_from_elsewhere(self, _: web.Request, response: web.StreamResponse) -> None:
        here = f"http://{_HOST}:{self.port} ws://{_HOST}:{self.port}"
        response.headers["Content-Security-Policy"] = f"default-src {here} data: blob: 'unsafe-inline' 'unsafe-eval'"
