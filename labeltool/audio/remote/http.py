"""Files of web servers, by ranges of bytes through fsspec's session: each answer is checked for its version."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import aiohttp
import fsspec
from fsspec.asyn import sync
from fsspec.config import conf

from labeltool.audio.remote.block_cache import BLOCK_BYTES
from labeltool.audio.remote.fetching import Part, TryAgainError
from labeltool.audio.remote.limits import limits
from labeltool.audio.remote.reference import Reference
from labeltool.errors import LabeltoolError

# Of a file from a server that gives no parts of files: it is in memory for a moment.
_MAX_WHOLE_BYTES = 512 << 20
# A line that is slower than this is taken for stalled.
_SLOWEST_BYTES_PER_S = 1 << 14
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
_OF_EMPTY_FILE = "bytes */0"
_REASONS = {
    401: ("needs credentials (401)", "docs/remote.md says where credentials go"),
    403: ("access is denied (403)", "docs/remote.md says where credentials go"),
    404: ("no such file", "check the URL"),
    410: ("no such file any more", "check the URL"),
}
_PASSING = {408, 409, 425, 429, 500, 502, 503, 504}


class Http:
    """`http` and `https`; redirects lead to these alone."""

    def __init__(self) -> None:
        # Its timeouts are given with each request; proxies and `.netrc` are the environment's.
        own = {"trust_env": True, **conf.get("https", {}).get("client_kwargs", {})}
        self._files: Any = fsspec.filesystem("https", client_kwargs=own)

    def find(self, url: str, with_head: bool) -> tuple[Reference, bytes]:
        """Request the first block, or only the head of the response, which has the size and the version."""
        part = self._get(url, 0, BLOCK_BYTES if with_head else 0)
        return part.reference, part.content

    def read(self, reference: Reference, first: int, count: int) -> Part:
        """Read a range of bytes."""
        return self._get(reference.url, first, count)

    def files(self, url: str) -> Iterator[Reference] | None:
        """Web servers do not list folders."""
        if url.endswith("/"):
            raise LabeltoolError(
                "a web server's folders cannot be listed",
                file=url,
                remedy="give the URLs of the files, or of a text or CSV file with one URL in each line",
            )
        return None

    def _get(self, url: str, first: int, count: int) -> Part:
        wait_s = limits().timeout_s
        total_s = 2 * wait_s + count / _SLOWEST_BYTES_PER_S
        timeout = aiohttp.ClientTimeout(total=total_s, sock_connect=wait_s, sock_read=wait_s)
        try:
            part: Part = sync(self._files.loop, self._ask, url, first, count, timeout)
        except TimeoutError as error:
            # A network that drops packets: `sync` puts its own error before aiohttp's.
            if isinstance(error.__cause__ or error, aiohttp.ConnectionTimeoutError):
                raise TryAgainError("no connection", is_unreachable=True) from error
            raise TryAgainError(f"nothing came for {wait_s:g} s") from error
        except aiohttp.ClientConnectorCertificateError as error:
            raise LabeltoolError("the certificate of its server is not valid", file=url) from error
        except aiohttp.ClientSSLError as error:
            raise LabeltoolError("the TLS connection that https needs fails", file=url) from error
        except aiohttp.ClientConnectorError as error:
            raise TryAgainError("no connection", is_unreachable=True) from error
        except (aiohttp.NonHttpUrlClientError, aiohttp.InvalidURL, aiohttp.TooManyRedirects) as error:
            raise LabeltoolError("redirects to a URL that is not http or https", file=url) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise TryAgainError(_in_words(error)) from error
        return part

    async def _ask(self, url: str, first: int, count: int, timeout: aiohttp.ClientTimeout) -> Part:
        session = await self._files.set_session()
        given = dict(self._files.kwargs)  # what a person has in fsspec's settings: headers, a user
        headers = {
            **given.pop("headers", {}),
            "Range": f"bytes={first}-{first + max(count, 1) - 1}",
            "Accept-Encoding": "identity",
        }
        async with session.get(self._files.encode_url(url), headers=headers, timeout=timeout, **given) as answer:
            version = answer.headers.get("ETag") or answer.headers.get("Last-Modified") or ""
            if answer.status == 416 and answer.headers.get("Content-Range") == _OF_EMPTY_FILE:
                return Part(Reference(url, 0, version), 0, b"")
            _require_success(url, answer.status)
            if answer.status == 206:
                begins, size = _range_of(answer.headers.get("Content-Range", ""))
            else:
                begins, size = 0, _whole_size(url, answer)
            wanted = min(count, size - first) if answer.status == 206 else size
            content = bytearray()
            if not count:
                return Part(Reference(url, size, version), 0, b"")
            async for piece in answer.content.iter_chunked(BLOCK_BYTES):
                content += piece
                if len(content) > wanted:
                    raise TryAgainError("more came than was requested")
            return Part(Reference(url, size, version), begins, bytes(content))


def _require_success(url: str, status: int) -> None:
    if status in (200, 206):
        return
    if status in _PASSING:
        raise TryAgainError(f"the server answers {status}")
    reason, remedy = _REASONS.get(status, (f"its server answers {status}", "check the URL"))
    raise LabeltoolError(reason, file=url, remedy=remedy)


def _range_of(text: str) -> tuple[int, int]:
    """Return where a range begins, and the size of the file."""
    match = _RANGE.fullmatch(text)
    if match is None:
        raise TryAgainError("the server does not name the part that came")
    return int(match[1]), int(match[3])


def _whole_size(url: str, answer: aiohttp.ClientResponse) -> int:
    size = answer.content_length
    if size is None or answer.headers.get("Content-Encoding", "identity") != "identity":
        raise LabeltoolError("its server does not give its size", file=url)
    if size > _MAX_WHOLE_BYTES:
        raise LabeltoolError(
            f"is larger than {_MAX_WHOLE_BYTES >> 20} MiB, and its server gives no parts of files",
            file=url,
            remedy="download it, and import the file",
        )
    return size


def _in_words(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientPayloadError | aiohttp.ServerDisconnectedError):
        return "the answer was cut"
    return type(error).__name__
