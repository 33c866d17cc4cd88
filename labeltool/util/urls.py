"""Which places are URLs of sounds, and which of these are refused. A URL is data: it never leads to a local file."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from labeltool.errors import LabeltoolError

SCHEMES = ("https", "http", "s3", "gs", "sftp")
"""The schemes that are read; everything else (`file`, `local`, `zip`, `data`, ...) is refused."""

MAX_CHARACTERS = 4096
"""Of a URL: as long as a path may be in the journal's text."""

# Of the form of a URL, chained ones (`zip::https://...`) too; one slash where it went through a `Path`.
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.\-:]*://")
_PATH_OF_URL = re.compile(rf"({'|'.join(SCHEMES)}):/(?!/)")
# Parts of a query that let whoever has the URL in, as signed URLs of object stores have them.
_SECRETS = re.compile(
    r"(x-amz-|x-goog-)?(signature|credential|security-token)|awsaccesskeyid|googleaccessid|sig|(access_?|auth_?)?token"
    r"|(api_?)?key|passw(or)?d|secret",
    re.IGNORECASE,
)


def is_url(place: str | Path) -> bool:
    """Return whether a recording's place is a URL, not a path; also one that `checked_url` refuses."""
    return bool(_URL.match(text := str(place)) or _PATH_OF_URL.match(text))


def as_url(place: str | Path) -> str:
    """Return a URL as it was written, where it went through a `Path`, which takes two slashes for one."""
    return _PATH_OF_URL.sub(r"\1://", str(place), count=1)


def checked_url(place: str | Path) -> str:
    """Return a URL that may be read and stored.

    Raises
    ------
    LabeltoolError
        When its scheme is not one of `SCHEMES`, it is chained, or it has a password, a signature or a token: the error
        does not show those.
    """
    url = as_url(place)
    scheme = url.partition(":")[0].lower()
    shown = without_secrets(url)
    if scheme not in SCHEMES or "::" in re.sub(r"\A[a-z0-9]+://(\S*@)?\[[^\]/]*\]", "", url, flags=re.IGNORECASE):
        raise LabeltoolError(
            "is no URL of a sound that is read", file=shown, remedy=f"these are read: {', '.join(SCHEMES)}"
        )
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        host = None
    if not host or len(url) > MAX_CHARACTERS or any(ord(one) < 33 for one in url):
        raise LabeltoolError("is no URL that can be read", file=shown, remedy="check its host, its length, its blanks")
    if parts.password is not None or (parts.username and scheme != "sftp"):
        raise LabeltoolError(
            "has a user or a password in it, which would be stored",
            file=shown,
            remedy="leave it out; docs/remote.md says where credentials go",
        )
    if any(_SECRETS.fullmatch(name) for name, _ in parse_qsl(parts.query, keep_blank_values=True)):
        raise LabeltoolError(
            "has a signature or a token in it, which would be stored",
            file=shown,
            remedy="give the URL without it; docs/remote.md says where credentials go",
        )
    return url


def without_secrets(url: str) -> str:
    """Return a URL for people: without user, password, query and fragment."""
    head, slashes, rest = url.partition("://")
    place = re.split(r"[?#]", rest, maxsplit=1)[0]
    host, slash, path = place.partition("/")
    return f"{head}{slashes}{host.rpartition('@')[2]}{slash}{path}"[:300]


def is_there(place: str | Path) -> bool:
    """Return whether a file is where a recording was last; a URL is taken to be there, no request is made."""
    return is_url(place) or Path(place).is_file()
