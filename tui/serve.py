"""The app in a browser: a web server on this machine that runs one app for each page, through textual-serve."""

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


def serve_app(project: Project, *, annotator: str, port: int | None, narrate: Callable[[str], None]) -> None:
    """Serve the app; see `labeltool.tui.launch.serve`."""
    try:
        server_socket = socket.create_server((_HOST, port or 0))
    except OSError as error:
        reason = str(error.strerror).partition(" (")[0]  # Python adds the address
        raise LabeltoolError(
            f"cannot use port {port} of {_HOST}: {reason}", remedy="choose another with --port N"
        ) from error
    with server_socket:
        server = _AppServer(project, annotator, server_socket.getsockname()[1])
        narrate(f"the labelling app is at {server.public_url} for browsers on this machine; Ctrl-C ends it")
        narrate("sound is played by this machine, not by the browser")
        # textual-serve prints the last messages of an app on stdout; they are for the user here.
        with contextlib.redirect_stdout(sys.stderr):
            asyncio.run(server.until_signalled(server_socket))


class _AppServer(Server):
    """Runs one `labeltool label` for each page.

    textual-serve accepts every connection, and its page loads a font from the internet. Here requests from pages of
    other sites are refused, and no page loads anything from elsewhere.
    """

    def __init__(self, project: Project, annotator: str, port: int) -> None:
        program = [sys.executable, "-P", "-m", "labeltool", "--project", str(project.directory)]
        command = shlex.join([*program, "label", f"--annotator={annotator}"])
        super().__init__(
            f"exec {command}",
            host=_HOST,
            port=port,
            title=f"{project.directory.name}: sound is played by the machine that runs labeltool",
        )
        self._hosts = {f"{_HOST}:{port}", f"localhost:{port}"}
        self._sessions: set[asyncio.Task[None]] = set()

    async def until_signalled(self, server_socket: socket.socket) -> None:
        """Serve until SIGINT or SIGTERM; then quit every app."""
        runner = web.AppRunner(await self._make_app(), access_log=None)
        await runner.setup()
        ended = asyncio.Event()
        for signal_number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(signal_number, ended.set)
        await web.SockSite(runner, server_socket).start()
        await ended.wait()
        await runner.cleanup()

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        """Run an app for as long as its page is open."""
        session = asyncio.current_task()
        assert session is not None
        self._sessions.add(session)
        try:
            return await super().handle_websocket(request)
        finally:
            self._sessions.discard(session)

    async def on_startup(self, app: web.Application) -> None:
        """Print nothing: `serve_app` has printed the address."""

    async def on_shutdown(self, app: web.Application) -> None:
        """End the apps in good order."""
        for session in self._sessions:
            session.cancel()
        await asyncio.gather(*self._sessions, return_exceptions=True)

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()
        app.middlewares.append(self._only_own_pages)
        app.on_response_prepare.append(self._nothing_from_elsewhere)
        return app

    @web.middleware
    async def _only_own_pages(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        origin = request.headers.get("Origin")
        if request.host not in self._hosts or (origin and origin.removeprefix("http://") not in self._hosts):
            raise web.HTTPForbidden(text=f"the labelling app is served at {self.public_url} only")
        return await handler(request)

    async def _nothing_from_elsewhere(self, _: web.Request, response: web.StreamResponse) -> None:
        here = f"http://{_HOST}:{self.port} ws://{_HOST}:{self.port}"
        response.headers["Content-Security-Policy"] = f"default-src {here} data: blob: 'unsafe-inline' 'unsafe-eval'"
