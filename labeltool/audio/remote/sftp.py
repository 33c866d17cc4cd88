"""Files of SFTP servers by fsspec; as `ssh` does, it connects to none whose key is unknown or another one now."""

from __future__ import annotations

import logging
import threading
from typing import Any
from urllib.parse import urlsplit

import paramiko
from fsspec.implementations.sftp import SFTPFileSystem

from labeltool.errors import LabeltoolError

_PORT = 22
# Servers refuse many connections that begin at once.
_connecting = threading.Lock()
# What fails is raised too; without a handler Python prints it with its traceback.
logging.getLogger("paramiko").addHandler(logging.NullHandler())
# Texts of paramiko, which has one class of error for these: it is no use to try again.
_REFUSED = (
    ("not found in known_hosts", "the key of its server is not known", "connect with `ssh` once, and compare the key"),
    ("No authentication methods", "may not be read: there is no key of yours", "docs/remote.md says where keys go"),
)


class SftpFiles(SFTPFileSystem):  # type: ignore[misc, unused-ignore]
    """The files of a server; fsspec itself trusts whoever answers, and waits for ever."""

    def _connect(self) -> None:
        self.client = paramiko.SSHClient()
        self.client.load_system_host_keys()
        try:
            self.client.connect(self.host, **self.ssh_kwargs)
        except paramiko.BadHostKeyException as error:
            raise LabeltoolError(
                "its server has another key than before",
                remedy="~/.ssh/known_hosts has the other; is it the same server?",
            ) from error
        except paramiko.SSHException as error:
            for text, reason, remedy in _REFUSED:
                if text in str(error):
                    raise LabeltoolError(reason, remedy=remedy) from error
            raise
        self.ftp = self.client.open_sftp()
        self.ftp.get_channel().settimeout(self.ssh_kwargs["timeout"])

    @classmethod
    def of(cls, url: str, timeout_s: float) -> SftpFiles:
        """Return the files of a URL's server; connections are kept."""
        server = urlsplit(url)
        where: dict[str, Any] = {"host": server.hostname, "port": server.port or _PORT, "username": server.username}
        with _connecting:
            return cls(**where, timeout=timeout_s)

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        # fsspec takes `?` in a name, and what follows, for a query.
        scheme, slashes, place = path.partition("://")
        return "/" + place.partition("/")[2].rstrip("/") if slashes else scheme.rstrip("/")
