"""Files of SFTP servers by fsspec; as `ssh` does, it connects to none whose key is unknown or another one now."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import paramiko
from fsspec.implementations.sftp import SFTPFileSystem

from labeltool.audio.remote.fetching import TryAgainError
from labeltool.errors import LabeltoolError

# Texts of paramiko, which has one class of error for these: it is no use to try again.
_REFUSED = (
    ("not found in known_hosts", "the key of its server is not known", "connect with `ssh` once, and compare the key"),
    ("No authentication methods", "may not be read: there is no key of yours", "docs/remote.md says where keys go"),
)
_lock = threading.Lock()
_idle: dict[tuple[str | None, int | None, str | None], list[SftpFiles]] = {}
"""Connections that no request uses, by host, port and user: two threads cannot share one."""

# What fails is raised too; without a handler Python prints it with its traceback.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


class SftpFiles(SFTPFileSystem):  # type: ignore[misc, unused-ignore]
    """The files of a server by a connection; fsspec itself trusts whoever answers, and waits for ever."""

    def _connect(self) -> None:
        wait_s = self.ssh_kwargs["timeout"]
        waits = dict.fromkeys(("banner_timeout", "auth_timeout", "channel_timeout"), wait_s)
        self.client = paramiko.SSHClient()
        self.client.load_system_host_keys()
        try:
            self.client.connect(self.host, **waits, **self.ssh_kwargs)
        except paramiko.BadHostKeyException as error:
            raise LabeltoolError(
                "its server has another key than before",
                remedy="~/.ssh/known_hosts has the other; is it the same server?",
            ) from error
        except paramiko.AuthenticationException as error:
            raise LabeltoolError(
                f"may not be read: its server takes no key of yours ({error})",
                remedy="docs/remote.md says where keys go",
            ) from error
        except paramiko.SSHException as error:
            for text, reason, remedy in _REFUSED:
                if text in str(error):
                    raise LabeltoolError(reason, remedy=remedy) from error
            raise
        except OSError as error:
            raise TryAgainError(str(error) or type(error).__name__, is_unreachable=True) from error
        self.ftp = self.client.open_sftp()
        self.ftp.get_channel().settimeout(wait_s)

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        # fsspec takes `?` in a name, and what follows, for a query.
        scheme, slashes, place = path.partition("://")
        return "/" + place.partition("/")[2].rstrip("/") if slashes else scheme.rstrip("/")


@contextmanager
def connected(url: str, timeout_s: float) -> Iterator[SftpFiles]:
    """Lend a connection to a URL's server, one that is there or a new one; after a failure none of them is used again.

    Raises
    ------
    TryAgainError
        When there is no server.
    LabeltoolError
        When its key is unknown or another one, or none of the user's keys is taken.
    """
    server = urlsplit(url)
    where = (server.hostname, server.port, server.username)
    with _lock:
        idle = _idle.setdefault(where, [])
        files = idle.pop() if idle else None
    if files is None:
        # What the URL does not have may be in fsspec's settings.
        given: dict[str, Any] = {"host": where[0], "port": where[1], "username": where[2]}
        given = {name: value for name, value in given.items() if value is not None}
        files = SftpFiles(**given, timeout=timeout_s, skip_instance_cache=True)
    try:
        yield files
    except FileNotFoundError:
        with _lock:
            _idle[where].append(files)
        raise
    except BaseException:
        with _lock:
            lost, _idle[where] = [files, *_idle[where]], []
        for one in lost:
            one.client.close()
        raise
    with _lock:
        _idle[where].append(files)
