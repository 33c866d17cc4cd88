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
_BEGIN = re.compile(rf"({'|'.join(SCHEMES)}):(//|/(?!/))", re.IGNORECASE)
_PATH_OF_URL = re.compile(rf"({'|'.join(SCHEMES)}):/(?!/)", re.IGNORECASE)
# Names in a query or a fragment whose value lets whoever has the URL in, as signed URLs of object stores have them.
_SECRETS = re.compile(
    r"signature|credential|token|secret|passw|pwd|jwt|accesskeyid|accessid|^sig$|^sas$|^auth(?!ors?$)"
    r"|(^|[_-])(api|access|subscription)?[_-]?key$",
    re.IGNORECASE,
)


def is_url(place: str | Path) -> bool:
    """Return whether a recording's place is a URL, not a path; also one that `checked_url` refuses."""
    return bool(_URL.match(text := str(place)) or _PATH_OF_URL.match(text))


def as_url(place: str | Path) -> str:
    """Return a URL with its scheme in small letters, and two slashes where a `Path` took them for one."""
    text = str(place)
    match = _BEGIN.match(text)
    return f"{match[1].lower()}://{text[match.end() :]}" if match else text


def path_of_url(place: str | Path) -> Path:
    """Return a URL that may be read and stored as a `Path`, from which `as_url` makes the same URL.

    Raises
    ------
    LabeltoolError
        As `checked_url`, and where the path would be another URL.
    """
    url = checked_url(place)
    path = Path(url)
    # A folder of a store is the same one without a slash at its end.
    if as_url(path) != (url if url.startswith("http") else url.removesuffix("/")):
        raise LabeltoolError(
            "has `//`, `/./` or a slash at its end, which is lost here",
            file=without_secrets(url),
            remedy="put the URL into a list, urls.txt, and import that",
        )
    return path


def checked_url(place: str | Path) -> str:
    """Return a URL that may be read and stored, its scheme in small letters.

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
            "has a scheme that is not supported", file=shown, remedy=f"these are read: {', '.join(SCHEMES)}"
        )
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        host = None
    lowest = 33 if scheme.startswith("http") else 32  # keys of objects may have blanks
    if not host or len(url) > MAX_CHARACTERS or any(ord(one) < lowest for one in url):
        raise LabeltoolError(
            "is no URL that can be read",
            file=shown,
            remedy=f"check the host; blanks are written %20; at most {MAX_CHARACTERS} characters",
        )
    if parts.password is not None or (parts.username and scheme != "sftp"):
        raise LabeltoolError(
            "has a user or a password in it, which would be stored",
            file=shown,
            remedy="leave it out; docs/remote.md says where credentials go",
        )
    named = (name for part in (parts.query, parts.fragment) for name, _ in parse_qsl(part, keep_blank_values=True))
    if any(map(_SECRETS.search, named)):
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
