"""Who may use a page that this machine serves: whoever has the secret of the address that was printed.

Other users of the machine can connect too, and a browser sends what pages of other sites ask it for. So each request
needs the secret, which the browser keeps in a cookie, and a Host and an Origin of this machine. The page may be reached
under another port than the server's own, as through `ssh -L 9000:localhost:8000`.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
import secrets
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Gate:
    """Lets in who has the secret, and forbids a page to load anything from elsewhere.

    Parameters
    ----------
    command
        The command that serves, as it is named in messages.
    directory
        What is served: the project's directory.
    policy
        The Content-Security-Policy; `{here}` in it becomes the page's own origins, of HTTP and of WebSockets.

    Attributes
    ----------
    url
        The address of the page without the secret.
    address
        What a browser is to open.
    """

    def __init__(self, command: str, directory: Path, host: str, port: int, policy: str) -> None:
        self._command, self._policy = command, policy
        self._names = {"localhost", host.lower(), socket.gethostname().lower(), socket.getfqdn().lower()}
        self._secret = secrets.token_urlsafe(32)
        # A browser sends cookies to all ports of a machine, where `ssh -L` may put the servers of others.
        whose = hashlib.sha256(f"{socket.gethostname()} {directory} {port}".encode()).hexdigest()
        self._cookie = f"labeltool-{whose[:8]}"
        self.url = f"http://{_name_in_address(host)}:{port}"
        self.address = f"{self.url}/?token={self._secret}"

    def guard(self, app: web.Application) -> None:
        """Let the requests of an application pass through here."""
        app.middlewares.append(self._only_who_has_the_secret)
        app.on_response_prepare.append(self._nothing_from_elsewhere)

    @web.middleware
    async def _only_who_has_the_secret(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        origin = request.headers.get("Origin")
        # Another name: one of elsewhere that was made to mean this machine. Any port: `ssh -L` changes it.
        if not self._is_own(request.host) or (origin and origin != f"http://{request.host}"):
            raise web.HTTPForbidden(text=f"the page is served at {self.url} only")
        token = request.query.get("token")
        shown = request.cookies.get(self._cookie, "") if token is None else token
        if not secrets.compare_digest(shown.encode(errors="replace"), self._secret.encode()):
            raise web.HTTPForbidden(text=f"open the address that `{self._command}` has printed")
        if token is None or request.path != "/":
            return await handler(request)
        # The address without the secret, which is then neither seen nor kept in the browser's history.
        page = web.HTTPSeeOther(request.url.without_query_params("token").relative())
        page.set_cookie(self._cookie, self._secret, httponly=True, samesite="Strict")
        raise page

    async def _nothing_from_elsewhere(self, request: web.Request, response: web.StreamResponse) -> None:
        here = f"http://{request.host} ws://{request.host}" if self._is_own(request.host) else "'none'"
        response.headers["Content-Security-Policy"] = self._policy.replace("{here}", here)
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["X-Content-Type-Options"] = "nosniff"

    def _is_own(self, host: str) -> bool:
        """Return whether a Host header has a name of this machine, or a number, which no name server can give out."""
        name = re.sub(r":\d*$", "", host).lower()
        return name in self._names or _is_number(name.strip("[]"))


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches an address."""
    return host == "localhost" or (_is_number(host) and ipaddress.ip_address(host).is_loopback)


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _name_in_address(host: str) -> str:
    """Return what a browser is to open: the machine's name where the server listens on all of its addresses."""
    if _is_number(host) and ipaddress.ip_address(host).is_unspecified:
        return socket.gethostname()
    return f"[{host}]" if ":" in host else host
