"""A web server that runs as long as its command: it listens before the address is printed, and ends on a signal."""

from __future__ import annotations

import asyncio
import signal
import socket

from aiohttp import web

from labeltool.errors import ExitCode, LabeltoolError
from labeltool.util import lifetime

# How long the server has to end with all that it started.
_LEAVE_S = 1.6


def listen(host: str, port: int | None) -> socket.socket:
    """Return a socket that listens; without a port, on a free one.

    Raises
    ------
    LabeltoolError
        When the address or the port cannot be used.
    """
    try:
        return socket.create_server((host, port or 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        reason = str(error.strerror).partition(" (")[0]  # Python adds the address
        what = f"port {port} of {host}" if port else f"the address {host}"
        raise LabeltoolError(f"cannot use {what}: {reason}", remedy="choose another with --host or --port") from error


async def until_signalled(
    app: web.Application, server_socket: socket.socket, *, ends_with_client: bool = False
) -> None:
    """Serve until SIGINT, SIGTERM or SIGHUP, then end what runs within two seconds.

    `ends_with_client`: a request is cancelled when its client has gone.
    """
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2, handler_cancellation=ends_with_client)
    await runner.setup()
    ended, loop = asyncio.Event(), asyncio.get_running_loop()
    for signal_number in lifetime.INTERRUPTS:
        try:
            loop.add_signal_handler(signal_number, ended.set)
        except NotImplementedError:  # Windows
            signal.signal(signal_number, lambda *_: loop.call_soon_threadsafe(ended.set))
    await web.SockSite(runner, server_socket).start()
    await ended.wait()
    lifetime.leave_within(_LEAVE_S, ExitCode.FINE)
    await runner.cleanup()
