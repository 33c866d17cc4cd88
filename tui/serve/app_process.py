"""The process that runs the app of one page."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shlex
import socket
from asyncio.subprocess import PIPE, Process
from typing import Any

from textual_serve.app_service import AppService

from labeltool.tui.media.page_player import SOUND_SOCKET
from labeltool.tui.serve.sound import SoundChannel
from labeltool.util import lifetime

# What an app has not read yet, when its page is closed: nobody types that much.
_MAX_UNREAD_BYTES = 1 << 20
# How long an app has to quit.
_QUIT_S = 1.2


class AppProcess(AppService):
    """The app of one page. It ends with the page, and the page with it; `sound` is None before the start."""

    sound: SoundChannel | None = None
    _sound_task: asyncio.Task[None] | None = None

    async def _open_app_process(self, width: int = 80, height: int = 24) -> Process:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = await asyncio.create_subprocess_exec(
                *shlex.split(self.command),
                stdin=PIPE,
                stdout=PIPE,
                stderr=PIPE,
                env={**self._build_environment(width, height), SOUND_SOCKET: str(theirs.fileno())},
                pass_fds=[theirs.fileno()],
                **lifetime.of_its_own(),  # the server's Ctrl-C is not for it
            )
        self._stdin = self._process.stdin
        self.sound = SoundChannel(*await asyncio.open_connection(sock=ours), self._send_sound)
        self._sound_task = asyncio.create_task(self.sound.run())
        return self._process

    async def _send_sound(self, message: dict[str, Any]) -> None:
        with contextlib.suppress(ConnectionError):  # the page is closed
            await self.remote_write_str(json.dumps(["sound", message]))

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
            lifetime.kill_with_children(self._process.pid)
        tasks = [task, *filter(None, [self._sound_task])]
        for running in tasks:
            running.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
