"""The sound of one page, between its app's process, which has the samples, and the page, which plays them."""

from __future__ import annotations

import asyncio
import json
import struct
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from labeltool.tui.media.clip_picture import PLAYBACK_RATE_HZ

_HEADER_BYTES = 44
_FRAME_BYTES = 2
# What an app is asked for at once; the second of a long recording that is decoded, and the time to decode it.
_PIECE_FRAMES = PLAYBACK_RATE_HZ
_DECODE_S, _RETRY_S = 10.0, 0.02
_MAX_SOUNDS = 6


class SoundChannel:
    """Passes on what an app plays to its page, and the page's reports to the app.

    Parameters
    ----------
    reader, writer
        The socket to the app's process (`labeltool.tui.media.page_player`).
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        send_to_page: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> None:
        self._reader, self._writer = reader, writer
        self._send_to_page = send_to_page
        self._requests: deque[asyncio.Future[bytes]] = deque()
        self._frames: dict[str, int] = {}

    async def run(self) -> None:
        """Pass on until the app's process closes its end."""
        try:
            while line := await self._reader.readline():
                message = json.loads(line)
                if "bytes" in message:
                    content = await self._reader.readexactly(message["bytes"])
                    request = self._requests.popleft()
                    if not request.done():
                        request.set_result(content)
                else:
                    self._remember(message.get("sound") or message["prefetch"], message["frames"])
                    await self._send_to_page(message)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._frames.clear()
            for request in self._requests:
                request.cancel()
            self._writer.close()

    def report(self, report: dict[str, Any]) -> None:
        if not isinstance(report, dict) or "read" in report:
            raise TypeError("not a report")
        self._write(report)

    def frames(self, sound_id: str) -> int | None:
        """Return the number of samples of a sound; None where this app does not have it."""
        return self._frames.get(sound_id)

    async def samples(self, sound_id: str, first: int, count: int) -> bytes:
        """Return 16-bit samples of a sound, once they are decoded.

        Raises
        ------
        TimeoutError
            Where they are not for a long time, as the file cannot be read.
        """
        async with asyncio.timeout(_DECODE_S):
            while True:
                request: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
                self._requests.append(request)
                self._write({"read": sound_id, "first": first, "count": count})
                if content := await request:
                    return content
                await asyncio.sleep(_RETRY_S)

    def _remember(self, sound_id: str, frames: int) -> None:
        self._frames.pop(sound_id, None)
        self._frames[sound_id] = frames
        while len(self._frames) > _MAX_SOUNDS:
            del self._frames[next(iter(self._frames))]

    def _write(self, message: dict[str, Any]) -> None:
        if not self._writer.is_closing():
            self._writer.write(json.dumps(message).encode() + b"\n")


async def wav_response(request: web.Request, channel: SoundChannel, sound_id: str, frames: int) -> web.StreamResponse:
    """Send a sound as a 16-bit mono WAV file, or the range of its bytes that the request asks for."""
    size = _HEADER_BYTES + frames * _FRAME_BYTES
    headers = {"Accept-Ranges": "bytes", "Content-Type": "audio/wav", "Cache-Control": "private, max-age=3600"}
    try:
        wanted = request.http_range
    except ValueError:
        wanted = slice(size, None)
    first, last, _ = wanted.indices(size)
    if first >= last:
        return web.Response(status=416, headers={"Content-Range": f"bytes */{size}"})
    partial = "Range" in request.headers
    if partial:
        headers["Content-Range"] = f"bytes {first}-{last - 1}/{size}"
    response = web.StreamResponse(status=206 if partial else 200, headers=headers)
    response.content_length = last - first
    while first < last:
        try:
            piece = await _bytes_from(channel, sound_id, frames, first, last)
        except (TimeoutError, asyncio.CancelledError):
            if response.prepared:
                raise
            return web.Response(status=503, text="not decoded")
        if not response.prepared:
            await response.prepare(request)
        await response.write(piece)
        first += len(piece)
    await response.write_eof()
    return response


async def _bytes_from(channel: SoundChannel, sound_id: str, frames: int, first: int, last: int) -> bytes:
    """Return some of the bytes of a WAV file from `first` on, at least one."""
    if first < _HEADER_BYTES:
        return _wav_header(frames)[first:last]
    frame, odd = divmod(first - _HEADER_BYTES, _FRAME_BYTES)
    count = -(-(last - _HEADER_BYTES) // _FRAME_BYTES) - frame
    return (await channel.samples(sound_id, frame, min(count, _PIECE_FRAMES)))[odd : odd + last - first]


def _wav_header(frames: int) -> bytes:
    """Return the header of a WAV file; its sizes end at 4 GB, which is 12 hours."""
    data = min(frames * _FRAME_BYTES, 0xFFFFFFFF - _HEADER_BYTES)
    fmt = (1, 1, PLAYBACK_RATE_HZ, PLAYBACK_RATE_HZ * _FRAME_BYTES, _FRAME_BYTES, 8 * _FRAME_BYTES)
    return struct.pack("<4sI8sIHHIIHH4sI", b"RIFF", data + 36, b"WAVEfmt ", 16, *fmt, b"data", data)
