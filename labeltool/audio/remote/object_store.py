"""Files of object stores and of SFTP servers, through fsspec; credentials are left to fsspec and its libraries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import fsspec
from fsspec.config import conf

from labeltool.audio.remote.fetching import Part, TryAgainError
from labeltool.audio.remote.limits import limits
from labeltool.audio.remote.reference import Reference
from labeltool.errors import LabeltoolError

# Names of errors of botocore, which is not imported here, that mean: nobody there, or nobody known.
_UNREACHABLE = {"EndpointConnectionError", "ConnectTimeoutError", "ClientConnectorError", "ConnectionRefusedError"}
_VERSIONS = ("ETag", "etag", "LastModified", "last_modified", "updated", "mtime")
_NO_CREDENTIALS = {"NoCredentialsError", "PartialCredentialsError", "PermissionError"}


class ObjectStore:
    """A filesystem of fsspec: `s3`, `gs` or `sftp`. Chained URLs never reach it.

    Raises
    ------
    ImportError
        When the library of the scheme is missing.
    """

    def __init__(self, scheme: str) -> None:
        self._scheme = scheme
        self._files: Callable[[str, float], AbstractContextManager[Any]] = self._opened
        if scheme == "sftp":
            from labeltool.audio.remote import sftp

            self._class, self._files = sftp.SftpFiles, sftp.connected
        else:
            self._class = fsspec.get_filesystem_class(scheme)

    def find(self, url: str, with_head: bool) -> tuple[Reference, bytes]:
        """Request size and version."""
        found = self._result(url, lambda files, path: files.info(path))
        if found.get("type") == "directory":
            raise LabeltoolError("is a folder, not a sound file", file=url)
        return _reference(url, found), b""

    def read(self, reference: Reference, first: int, count: int) -> Part:
        """Read a range of bytes, then the version: fsspec gives none with the bytes, and that of before may be gone."""

        def read_range(files: Any, path: str) -> bytes:
            return bytes(files.cat_file(path, start=first, end=first + count))

        content = self._result(reference.url, read_range)
        return Part(self.find(reference.url, False)[0], first, content)

    def files(self, url: str) -> Iterator[Reference] | None:
        """List a folder, one after the other; each inner folder when it is reached."""
        is_file = self._result(url, lambda files, path: not url.endswith("/") and files.info(path)["type"] == "file")
        return None if is_file else self._walk(url.rstrip("/"))

    def _walk(self, url: str) -> Iterator[Reference]:
        listed = self._result(url, lambda files, path: files.ls(path, detail=True))
        for one in sorted(listed, key=lambda one: str(one["name"])):
            name = str(one["name"]).rstrip("/").rpartition("/")[2]
            if name.startswith(".") or str(one["name"]).rstrip("/") == self._path(url):
                continue  # hidden, or the folder's own entry
            if one.get("type") == "directory":
                yield from self._walk(f"{url}/{name}")
            else:
                yield _reference(f"{url}/{name}", one)

    def _path(self, url: str) -> str:
        return str(self._class._strip_protocol(url)).rstrip("/")

    def _result(self, url: str, request: Any) -> Any:
        try:
            with self._files(url, limits().timeout_s) as files:
                return request(files, self._path(url))
        except FileNotFoundError as error:
            raise LabeltoolError("no such file", file=url, remedy="check the URL") from error
        except TryAgainError:
            raise
        except LabeltoolError as error:
            raise LabeltoolError(error.reason, file=url, remedy=error.remedy) from error
        except Exception as error:  # each library has its own
            names = {type(one).__name__ for one in (error, error.__cause__, error.__context__) if one is not None}
            if names & _NO_CREDENTIALS:
                raise LabeltoolError(
                    "may not be read: access is denied, or there are no credentials",
                    file=url,
                    remedy="docs/remote.md says where credentials go",
                ) from error
            raise TryAgainError(type(error).__name__, is_unreachable=bool(names & _UNREACHABLE)) from error

    @contextmanager
    def _opened(self, _url: str, wait_s: float) -> Iterator[Any]:
        own: dict[str, Any] = {"use_listings_cache": False}
        if self._scheme == "s3":
            # Tried again by `fetching`, which knows the limits.
            own["config_kwargs"] = {
                "connect_timeout": wait_s,
                "read_timeout": wait_s,
                "retries": {"max_attempts": 1, "mode": "standard"},
                **conf.get("s3", {}).get("config_kwargs", {}),
            }
        yield self._class(**own)


def _reference(url: str, found: Any) -> Reference:
    """Return a reference by what a filesystem has about a file; the time of the last change has many names."""
    version = next((found[name] for name in _VERSIONS if found.get(name)), "")
    size = found.get("size")
    if not isinstance(size, int) or size < 0:
        raise LabeltoolError("its server does not give its size", file=url)
    return Reference(url, size, str(version))
