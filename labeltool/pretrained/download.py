"""Published models, fetched from their publishers: once a user, verified, and going on where a download broke off."""

from __future__ import annotations

import http.client
import tomllib
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from labeltool.errors import LabeltoolError
from labeltool.type_aliases import Progress
from labeltool.util.locks import one_at_a_time

_CHUNK_BYTES = 1 << 16
_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Offer:
    """A model that may be fetched: `file` is what it is called here, `bytes` and `sha256` what it must be."""

    title: str
    url: str
    file: str
    bytes: int
    sha256: str
    licence: str
    rate_hz: int


def offers() -> Mapping[str, Offer]:
    """Return what `registry.toml` lists, by name."""
    told = tomllib.loads(resources.files("labeltool.pretrained").joinpath("registry.toml").read_text(encoding="utf-8"))
    return {name: Offer(**entry) for name, entry in told.items()}


def fetch(offer: Offer, *, report: Progress, cache: Path | None = None) -> Path:
    """Return a model's file, downloaded where it is not in the cache yet.

    Parameters
    ----------
    cache
        A folder; default the user's (`$XDG_CACHE_HOME/labeltool`).

    Raises
    ------
    LabeltoolError
        When it cannot be had, or is not what was published. What came so far is kept, and the next call goes on from
        it.
    """
    import pooch

    pooch.get_logger().setLevel("ERROR")  # it would say on stderr what we say ourselves
    folder = cache if cache is not None else Path(pooch.os_cache("labeltool"))
    part = folder / f"{offer.sha256}.part"

    def download(url: str, output_file: str, _: Any) -> None:
        _go_on(offer, part, report)
        part.replace(output_file)

    try:
        # Whoever comes second finds what the first has fetched.
        with one_at_a_time(folder):
            found = pooch.retrieve(
                offer.url, f"sha256:{offer.sha256}", fname=offer.file, path=folder, downloader=download
            )
    except ValueError as error:  # pooch's word for another hash; what was wrong is deleted
        raise LabeltoolError(
            "what came is not the model that was published", file=offer.url, remedy="try again, or fetch it by hand"
        ) from error
    except PermissionError as error:
        raise LabeltoolError("cannot be written", file=error.filename or folder) from error
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise LabeltoolError(
            f"cannot be fetched: {reason}",
            file=offer.url,
            remedy=f"try again, or get it by hand and run `labeltool model add {offer.file}`",
        ) from error
    return Path(found)


def _go_on(offer: Offer, part: Path, report: Progress) -> None:
    """Download what is missing of a file."""
    have = part.stat().st_size if part.exists() else 0
    if have >= offer.bytes:
        # It was whole, and not verified: killed in between; or too long, and to be begun anew.
        if have == offer.bytes:
            return
        part.unlink()
        have = 0
    request = urllib.request.Request(offer.url, headers={"Range": f"bytes={have}-"} if have else {})
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:
        # A server may send all of it nevertheless.
        goes_on = answer.status == http.HTTPStatus.PARTIAL_CONTENT
        have = have if goes_on else 0
        with part.open("ab" if goes_on else "wb") as file:
            while have < offer.bytes and (chunk := answer.read(min(_CHUNK_BYTES, offer.bytes - have))):
                file.write(chunk)
                have += len(chunk)
                report("fetching", have, offer.bytes, f"bytes of {offer.file}")
    if have < offer.bytes:
        raise urllib.error.URLError(f"it broke off after {have:,} of {offer.bytes:,} bytes")
