"""The app in a browser: a web server that runs one app for each page, through textual-serve.

textual-serve serves everyone who connects. Here only who passes `labeltool.web.gate` is served, and what a client may
ask for is bounded.
"""

from __future__ import annotations

import asyncio
import contextlib
import html
import itertools
import json
import shlex
import socket
import sys
from collections.abc import Callable, Sequence
from importlib import resources
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web
from textual_serve.app_service import AppService
from textual_serve.server import Server, to_int

from labeltool.project import Project
from labeltool.tui.serve.app_process import AppProcess
from labeltool.tui.serve.sound import wav_response
from labeltool.web.gate import Gate, is_loopback
from labeltool.web.serving import listen, until_signalled

# Cells of the largest screens; each costs memory and time.
_MAX_COLUMNS, _MAX_ROWS = 600, 240
_MAX_MESSAGE_BYTES = 64 << 10
_MAX_FONT_PX = 64
_FULL = """<!DOCTYPE html><html><head><title>{title}</title><meta http-equiv="refresh" content="3"></head><body>
<p>{sessions} pages are open already. This one opens when another is closed; <code>--sessions N</code> allows more.</p>
</body></html>"""
Command = Callable[[str], Sequence[str]]
_POLL_S = 0.05
_POLICY = "default-src {here} data: blob: 'unsafe-inline' 'unsafe-eval'; frame-ancestors 'none'"


def serve_app(
    project: Project,
    *,
    annotator: str,
    command: Command,
    host: str,
    port: int | None,
    sessions: int,
    narrate: Callable[[str], None],
) -> None:
    """Serve the app; see `labeltool.tui.launch.serve`."""
    server_socket = listen(host, port)
    with server_socket:
        server = _AppServer(project, annotator, command, host, server_socket.getsockname()[1], sessions)
        narrate(f"the labelling app is at {server.address} for browsers; Ctrl-C ends it")
        if is_loopback(host):
            narrate("who has this address can label on this machine; sound is played by the browser")
        else:
            narrate("who has this address can label; it and the sound go over the network unencrypted")
        # textual-serve prints the last messages of an app on stdout; they are for the user here.
        with contextlib.redirect_stdout(sys.stderr):
            asyncio.run(server.until_signalled(server_socket))


class _AppServer(Server):
    """Runs one `labeltool label` for each page.

    Parameters
    ----------
    annotator
        Who labels on the first page; pages that are open beside it have a number after that name.
    command
        Returns what opens the project in the app for an annotator.
    sessions
        Pages at most.

    Attributes
    ----------
    address
        What a browser is to open; it has the secret, which the browser then keeps in a cookie.
    """

    def __init__(self, project: Project, annotator: str, command: Command, host: str, port: int, sessions: int) -> None:
        self._gate = Gate("labeltool label --serve", project.directory, host, port, _POLICY)
        super().__init__(shlex.join(command(annotator)), host=host, port=port, public_url=self._gate.url)
        self._page_title = html.escape(f"labeltool: {project.directory.name}")
        page = resources.files("labeltool.tui.serve").joinpath("page.html").read_text(encoding="utf-8")
        self._page = page.replace("{title}", self._page_title)
        self._script = resources.files("labeltool.tui.serve").joinpath("player.js").read_text(encoding="utf-8")
        self._annotator, self._command_of = annotator, command
        self._apps: set[AppProcess] = set()
        # Whether the page of a name is closed already, and its app about to end.
        self._closed: dict[str, bool] = {}
        self._max_sessions = sessions
        self._sessions: set[asyncio.Task[None]] = set()
        self.address = self._gate.address

    async def until_signalled(self, server_socket: socket.socket) -> None:
        """Serve until SIGINT, SIGTERM or SIGHUP; then quit every app."""
        await until_signalled(await self._make_app(), server_socket)

    async def handle_index(self, request: web.Request) -> web.Response:
        """Return the page of an app, or one that waits where there are too many."""
        if len(self._sessions) >= self._max_sessions:
            text = _FULL.format(title=self._page_title, sessions=self._max_sessions)
            return web.Response(status=503, text=text, content_type="text/html")
        font_px = min(max(1, to_int(request.query.get("fontsize", ""), 16)), _MAX_FONT_PX)
        return web.Response(text=self._page.replace("{font_size}", str(font_px)), content_type="text/html")

    async def handle_script(self, _: web.Request) -> web.Response:
        return web.Response(text=self._script, content_type="text/javascript")

    async def handle_sound(self, request: web.Request) -> web.StreamResponse:
        sound_id = request.match_info["sound_id"]
        for sound in (app.sound for app in self._apps if app.sound is not None):
            if (frames := sound.frames(sound_id)) is not None:
                return await wav_response(request, sound, sound_id, frames)
        raise web.HTTPNotFound(text="no app plays this sound any more")

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
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
            annotator = await self._free_annotator()
            app = AppProcess(
                shlex.join(self._command_of(annotator)),
                write_bytes=websocket.send_bytes,
                write_str=websocket.send_str,
                close=close,
                download_manager=self.download_manager,
            )
            self._apps.add(app)
            try:
                width, height = (to_int(request.query.get(name, ""), 0) for name in ("width", "height"))
                await app.start(*_size(width or 80, height or 24))
                await self._process_messages(websocket, app)
            finally:
                self._apps.discard(app)
                self._closed[annotator] = True
                try:
                    await app.stop()
                finally:
                    del self._closed[annotator]
        except asyncio.CancelledError:
            await websocket.close()
        finally:
            self._sessions.discard(session)
        return websocket

    async def _free_annotator(self) -> str:
        """Take a name that no open page labels under: two would get the same clips, and undo each other's labels.

        A page that is loaded again gets its name again: the app of before is waited for.
        """
        for number in itertools.count(1):
            name = self._annotator if number == 1 else f"{self._annotator}-{number}"
            while self._closed.get(name):
                await asyncio.sleep(_POLL_S)
            if name not in self._closed:
                break
        self._closed[name] = False
        return name

    async def _process_messages(self, websocket: web.WebSocketResponse, app_service: AppService) -> None:
        """Pass on keys and sizes; close the page at what its script does not send."""
        assert isinstance(app_service, AppProcess)
        async for message in websocket:
            try:
                if message.type != WSMsgType.TEXT:
                    raise TypeError("not text")
                await self._pass_on(json.loads(message.data), websocket, app_service)
            except (ValueError, TypeError, AttributeError, LookupError, OverflowError, RecursionError):
                await websocket.close(code=WSCloseCode.POLICY_VIOLATION)

    async def _pass_on(self, message: Any, websocket: web.WebSocketResponse, app: AppProcess) -> None:
        kind = message[0]
        if kind == "stdin":
            await app.send_bytes(message[1].encode())
        elif kind == "resize":
            await app.set_terminal_size(*_size(message[1]["width"], message[1]["height"]))
        elif kind == "sound" and app.sound is not None:
            app.sound.report(message[1])
        elif kind == "ping":
            await websocket.send_json(["pong", message[1]])
        elif kind == "blur":
            await app.blur()
        elif kind == "focus":
            await app.focus()

    async def on_startup(self, app: web.Application) -> None:
        """Print nothing: `serve_app` has printed the address."""

    async def on_shutdown(self, app: web.Application) -> None:
        for session in self._sessions:
            session.cancel()
        await asyncio.gather(*self._sessions, return_exceptions=True)

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()
        app.add_routes(
            [
                web.get("/player.js", self.handle_script),
                web.get("/sound/{sound_id}", self.handle_sound, allow_head=False),
            ]
        )
        self._gate.guard(app)
        return app


def _size(width: int, height: int) -> tuple[int, int]:
    """Return the nearest size that a terminal may have."""
    return max(1, min(int(width), _MAX_COLUMNS)), max(1, min(int(height), _MAX_ROWS))
