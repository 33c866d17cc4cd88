"""A web server of a test: files with ranges and ETags, or a proxy, which fails, stalls or cuts some responses."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass
class SoundServer:
    """A running server.

    Attributes
    ----------
    upstream
        Host and port of a server behind this one, whose responses it sends instead of files.
    fault_every, kinds
        One of this number of requests fails, stalls or is cut, in turn; 0: none.
    has_ranges
        Whether it answers with parts of files.
    needs
        The credentials that a request must have.
    redirects
        Where requests for a path are sent.
    requests, bytes_sent, faults
        What it has done; the bytes are those of bodies.
    is_down
        Whether it closes every connection at once.
    """

    folder: Path
    upstream: str = ""
    url: str = ""
    fault_every: int = 0
    kinds: tuple[str, ...] = ("fails", "stalls", "cuts")
    has_ranges: bool = True
    is_down: bool = False
    needs: str = ""
    redirects: dict[str, str] = field(default_factory=dict)
    requests: int = 0
    bytes_sent: int = 0
    faults: int = 0
    stopped: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def next_fault(self) -> str:
        with self.lock:
            self.requests += 1
            if not self.fault_every or self.requests % self.fault_every:
                return ""
            self.faults += 1
            return self.kinds[self.faults % len(self.kinds)]

    def count(self, size: int) -> None:
        with self.lock:
            self.bytes_sent += size


@lru_cache(maxsize=128)
def _content(path: Path, modified_ns: int) -> tuple[str, bytes]:
    content = path.read_bytes()
    return f'"{hashlib.md5(content).hexdigest()}"', content


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: SoundServer

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        state = self.state
        if state.is_down:
            self.close_connection = True
            self.connection.close()
            return
        fault = state.next_fault()
        if fault == "fails":
            self._head(503, {"Content-Length": "0"})
            return
        status, headers, content = self._forwarded() if state.upstream else self._file()
        size = headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(content))
        self._head(status, {**headers, "Content-Length": size})
        if fault:
            content = content[: len(content) // 8]
            self.close_connection = True
        try:
            state.count(len(content))
            self.wfile.write(content)
        except OSError:
            return
        if fault == "stalls":
            state.stopped.wait(30)

    do_HEAD = do_GET

    def _file(self) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and content of a file of the folder."""
        state = self.state
        if state.needs and self.headers.get("Authorization") != state.needs:
            return 401, {}, b""
        if self.path in state.redirects:
            return 302, {"Location": state.redirects[self.path]}, b""
        path = state.folder / self.path.partition("?")[0].lstrip("/")
        if not path.is_file():
            return 404, {}, b""
        etag, content = _content(path, path.stat().st_mtime_ns)
        headers = {"ETag": etag}
        match = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if match is None or not state.has_ranges:
            return 200, headers, content
        first, last = int(match[1]), min(int(match[2]), len(content) - 1)
        if first > last:
            return 416, {**headers, "Content-Range": f"bytes */{len(content)}"}, b""
        return 206, {**headers, "Content-Range": f"bytes {first}-{last}/{len(content)}"}, content[first : last + 1]

    def _forwarded(self) -> tuple[int, dict[str, str], bytes]:
        """Return the response of the server behind this one."""
        connection = HTTPConnection(self.state.upstream)
        connection.request(self.command, self.path, headers=dict(self.headers))
        response = connection.getresponse()
        content = response.read()
        connection.close()
        dropped = ("connection", "transfer-encoding", "date", "server")
        return response.status, {k: v for k, v in response.getheaders() if k.lower() not in dropped}, content

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """The client has gone."""


@contextmanager
def serving(folder: Path, upstream: str = "") -> Iterator[SoundServer]:
    """Serve a folder, or what another server has, until the end of the block."""
    state = SoundServer(folder, upstream)
    server = _Quiet(("127.0.0.1", 0), type("Handler", (_Handler,), {"state": state}))
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        state.stopped.set()
        server.shutdown()
        server.server_close()
        thread.join()
