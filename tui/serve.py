"""The app in a browser: a web server on this machine that runs one app for each page, through textual-serve.

textual-serve serves everyone who connects. Here a secret in the printed address is asked for, as other users of the
machine can connect too; requests from pages of other sites are refused; and what a client may ask for is bounded.
"""

from __future__ import annotations

import asyncio
import contextlib
import html
import json
import os
import secrets
import shlex
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web
from textual_serve.app_service import AppService
from textual_serve.server import Server, to_int

from labeltool.errors import ExitCode, LabeltoolError
from labeltool.project import Project
from labeltool.util import lifetime

_HOST = "127.0.0.1"
# Cells of the largest screens; each costs memory and time.
_MAX_COLUMNS, _MAX_ROWS = 600, 240
_MAX_MESSAGE_BYTES = 64 << 10
# What an app has not read yet, when its page is closed: nobody types that much.
_MAX_UNREAD_BYTES = 1 << 20
# How long an app has to quit, and the server with all of them.
_QUIT_S, _LEAVE_S = 1.2, 1.6
# textual-serve's page has no title, and takes keys only after a click.
_HEAD = """<head><title>{title}</title><script>
addEventListener("load", () => setTimeout(() => document.querySelector(".xterm-helper-textarea")?.focus()));
</script>"""
_FULL = """<!DOCTYPE html><html><head><title>{title}</title><meta http-equiv="refresh" content="3"></head><body>
<p>{sessions} pages are open already. This one opens when another is closed; <code>--sessions N</code> allows more.</p>
</body></html>"""
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def serve_app(
    project: Project, *, annotator: str, port: int | None, sessions: int, narrate: Callable[[str], None]
) -> None:
    """Serve the app; see `labeltool.tui.launch.serve`."""
    try:
        server_socket = socket.create_server((_HOST, port or 0))
    except OSError as error:
        reason = str(error.strerror).partition(" (")[0]  # Python adds the address
        raise LabeltoolError(
            f"cannot use port {port} of {_HOST}: {reason}", remedy="choose another with --port N"
        ) from error
    with server_socket:
        server = _AppServer(project, annotator, server_socket.getsockname()[1], sessions)
        narrate(f"the labelling app is at {server.address} for browsers on this machine; Ctrl-C ends it")
        narrate("who has this address can label; sound is played by this machine, not by the browser")
        # textual-serve prints the last messages of an app on stdout; they are for the user here.
        with contextlib.redirect_stdout(sys.stderr):
            asyncio.run(server.until_signalled(server_socket))


class _AppProcess(AppService):
    """The app of one page. It ends with the page, and the page with it."""

    async def _open_app_process(self, width: int = 80, height: int = 24) -> Process:
        self._process = await asyncio.create_subprocess_exec(
            *shlex.split(self.command),
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env=self._build_environment(width, height),
            start_new_session=True,  # the server's Ctrl-C is not for it
        )
        self._stdin = self._process.stdin
        return self._process

    async def run(self) -> None:
        """Pass on what the app paints until it ends."""
        await super().run()
        await self.remote_close()

    async def on_data(self, payload: bytes) -> None:
        """Paint; an app that quits paints on after its page is closed."""
        with contextlib.suppress(ConnectionError):
            await super().on_data(payload)

    async def send_bytes(self, data: bytes) -> bool:
        """Pass on keys; return whether that could be done."""
        return await self._send(self.encode_packet(b"D", data))

    async def send_meta(self, data: dict[str, str | int | bool | None]) -> bool:
        """Pass on anything else; return whether that could be done."""
        return await self._send(self.encode_packet(b"M", json.dumps(data).encode()))

    async def _send(self, packet: bytes) -> bool:
        """Write without waiting until the app reads: the page's messages, its closing too, are read meanwhile."""
        if self.stdin.is_closing() or self.stdin.transport.get_write_buffer_size() > _MAX_UNREAD_BYTES:
            await self.remote_close()
            return False
        self.stdin.write(packet)
        return True

    async def stop(self) -> None:
        """Quit the app, and end it where it does not."""
        if self._task is None or self._process is None:
            return
        task, self._task = self._task, None
        await self._download_manager.cancel_app_downloads(app_service_id=self.app_service_id)
        await self.send_meta({"type": "quit"})
        try:
            await asyncio.wait_for(self._process.wait(), _QUIT_S)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class _AppServer(Server):
    """Runs one `labeltool label` for each page.

    Parameters
    ----------
    sessions
        Pages at most.

    Attributes
    ----------
    address
        What a browser is to open; it has the secret, which the browser then keeps in a cookie.
    """

    def __init__(self, project: Project, annotator: str, port: int, sessions: int) -> None:
        program = [sys.executable, "-P", "-m", "labeltool", "--project", str(project.directory)]
        super().__init__(
            shlex.join([*program, "label", f"--annotator={annotator}"]),
            host=_HOST,
            port=port,
            title=f"{project.directory.name}: sound is played by the machine that runs labeltool",
        )
        self._hosts = {f"{_HOST}:{port}", f"localhost:{port}"}
        self._secret = secrets.token_urlsafe(32)
        self._cookie = f"labeltool-{port}"  # a browser sends cookies to all ports of a machine
        self._page_title = html.escape(f"labeltool: {project.directory.name}")
        self._max_sessions = sessions
        self._sessions: set[asyncio.Task[None]] = set()
        self.address = f"{self.public_url}/?token={self._secret}"

    async def until_signalled(self, server_socket: socket.socket) -> None:
        """Serve until SIGINT, SIGTERM or SIGHUP; then quit every app."""
        runner = web.AppRunner(await self._make_app(), access_log=None, shutdown_timeout=0.2)
        await runner.setup()
        ended = asyncio.Event()
        for signal_number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(signal_number, ended.set)
        await web.SockSite(runner, server_socket).start()
        await ended.wait()
        lifetime.leave_within(_LEAVE_S, ExitCode.FINE)
        await runner.cleanup()

    async def handle_index(self, request: web.Request) -> web.Response:
        """Return the page of an app, or one that waits where there are too many."""
        if len(self._sessions) >= self._max_sessions:
            text = _FULL.format(title=self._page_title, sessions=self._max_sessions)
            return web.Response(status=503, text=text, content_type="text/html")
        page = await super().handle_index(request)
        assert isinstance(page, web.Response) and page.text is not None
        page.text = page.text.replace("<head>", _HEAD.format(title=self._page_title), 1)
        return page

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        """Run an app for as long as its page is open."""
        if len(self._sessions) >= self._max_sessions:
            raise web.HTTPServiceUnavailable(text=f"{self._max_sessions} pages are open already")
        session = asyncio.current_task()
        assert session is not None
        self._sessions.add(session)
        websocket = web.WebSocketResponse(heartbeat=15, max_msg_size=_MAX_MESSAGE_BYTES)

        async def close() -> None:
            await websocket.close()

        try:
            await websocket.prepare(request)
            app = _AppProcess(
                self.command,
                write_bytes=websocket.send_bytes,
                write_str=websocket.send_str,
                close=close,
                download_manager=self.download_manager,
            )
            try:
                width, height = (to_int(request.query.get(name, ""), 0) for name in ("width", "height"))
                await app.start(*_size(width or 80, height or 24))
                await self._process_messages(websocket, app)
            finally:
                await app.stop()
        except asyncio.CancelledError:
            await websocket.close()
        finally:
            self._sessions.discard(session)
        return websocket

    async def _process_messages(self, websocket: web.WebSocketResponse, app_service: AppService) -> None:
        """Pass on keys and sizes; close the page at what its script does not send."""
        async for message in websocket:
            try:
                if message.type != WSMsgType.TEXT:
                    raise TypeError("not text")
                await self._pass_on(json.loads(message.data), websocket, app_service)
            except (ValueError, TypeError, AttributeError, LookupError, OverflowError, RecursionError):
                await websocket.close(code=WSCloseCode.POLICY_VIOLATION)

    async def _pass_on(self, message: Any, websocket: web.WebSocketResponse, app: AppService) -> None:
        kind = message[0]
        if kind == "stdin":
            await app.send_bytes(message[1].encode())
        elif kind == "resize":
            await app.set_terminal_size(*_size(message[1]["width"], message[1]["height"]))
        elif kind == "ping":
            await websocket.send_json(["pong", message[1]])
        elif kind == "blur":
            await app.blur()
        elif kind == "focus":
            await app.focus()

    async def on_startup(self, app: web.Application) -> None:
        """Print nothing: `serve_app` has printed the address."""

    async def on_shutdown(self, app: web.Application) -> None:
        """End the apps in good order."""
        for session in self._sessions:
            session.cancel()
        await asyncio.gather(*self._sessions, return_exceptions=True)

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()
        app.middlewares.append(self._only_who_has_the_secret)
        app.on_response_prepare.append(self._nothing_from_elsewhere)
        return app

    @web.middleware
    async def _only_who_has_the_secret(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        origin = request.headers.get("Origin")
        # Another host: a name of elsewhere that was made to mean this machine.
        if request.host not in self._hosts or (origin and origin.removeprefix("http://") not in self._hosts):
            raise web.HTTPForbidden(text=f"the labelling app is served at {self.public_url} only")
        token = request.query.get("token")
        shown = request.cookies.get(self._cookie, "") if token is None else token
        if not secrets.compare_digest(shown.encode(errors="replace"), self._secret.encode()):
            raise web.HTTPForbidden(text="open the address that `labeltool label --serve` has printed")
        if token is None or request.path != "/":
            return await handler(request)
        # The address without the secret, which is then neither seen nor kept in the browser's history.
        page = web.HTTPSeeOther(request.url.without_query_params("token").relative())
        page.set_cookie(self._cookie, self._secret, httponly=True, samesite="Strict")
        raise page

    async def _nothing_from_elsewhere(self, _: web.Request, response: web.StreamResponse) -> None:
        here = f"http://{_HOST}:{self.port} ws://{_HOST}:{self.port}"
        policy = f"default-src {here} data: blob: 'unsafe-inline' 'unsafe-eval'; frame-ancestors 'none'"
        response.headers["Content-Security-Policy"] = policy
        response.headers["Referrer-Policy"] = "no-referrer"


def _size(width: int, height: int) -> tuple[int, int]:
    """Return the nearest size that a terminal may have."""
    return max(1, min(int(width), _MAX_COLUMNS)), max(1, min(int(height), _MAX_ROWS))
