"""An SFTP server of this machine's files, for one key."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paramiko


class _OneKey(paramiko.ServerInterface):
    def __init__(self, key: paramiko.PKey) -> None:
        self._key = key

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        return paramiko.AUTH_SUCCESSFUL if key == self._key else paramiko.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED


class _Files(paramiko.SFTPServerInterface):
    def stat(self, path: str) -> Any:
        try:
            return paramiko.SFTPAttributes.from_stat(Path(path).stat())
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)

    lstat = stat

    def list_folder(self, path: str) -> Any:
        try:
            return [
                paramiko.SFTPAttributes.from_stat(one.stat(), filename=one.name) for one in sorted(Path(path).iterdir())
            ]
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)

    def open(self, path: str, flags: int, attr: Any) -> Any:
        handle = paramiko.SFTPHandle(flags)
        try:
            handle.readfile = Path(path).open("rb")  # noqa: SIM115 - the handle closes it
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)
        return handle


@dataclass
class SftpServer:
    """A running server of the files of this machine; `url` is without a path."""

    url: str
    port: int
    host_key: paramiko.PKey
    key: paramiko.PKey
    connections: list[paramiko.Transport] = field(default_factory=list)

    def write_known_hosts(self, path: Path, *, is_other: bool = False) -> None:
        """Write the file of known servers: with this one's key, or with another one."""
        key = self.key if is_other else self.host_key
        path.write_text(f"[127.0.0.1]:{self.port} {key.get_name()} {key.get_base64()}\n")

    def close_connections(self) -> None:
        """Close all that are open."""
        for one in self.connections:
            one.close()

    def serve(self, listening: socket.socket) -> None:
        """Answer until the socket is closed."""
        with suppress(OSError):
            while True:
                transport = paramiko.Transport(listening.accept()[0])
                self.connections.append(transport)
                transport.add_server_key(self.host_key)
                transport.set_subsystem_handler("sftp", paramiko.SFTPServer, _Files)
                with suppress(EOFError, paramiko.SSHException):  # who does not trust the key goes away
                    transport.start_server(server=_OneKey(self.key))


@contextmanager
def serving_sftp(key_file: Path) -> Iterator[SftpServer]:
    """Serve this machine's files to whoever has a key, which is written to a file."""
    key = paramiko.RSAKey.generate(2048)
    key_file.parent.mkdir(parents=True, exist_ok=True)
    key.write_private_key_file(str(key_file))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        server = SftpServer(f"sftp://somebody@127.0.0.1:{port}", port, paramiko.RSAKey.generate(2048), key)
        threading.Thread(target=server.serve, args=(listening,), daemon=True).start()
        yield server
        server.close_connections()
        with suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
