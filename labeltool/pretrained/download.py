"""Published models, downloaded from their publishers: once a user, verified, and resumed after an interruption."""

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
from labeltool.util.files.locks import wait_for_lock
from labeltool.util.user_folders import cache_folder

_CHUNK_BYTES = 1 << 16
_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class PublishedModel:
    """A model that can be downloaded."""

    title: str
    url: str
    file: str
    bytes: int
    sha256: str
    licence: str
    rate_hz: int


def published_models() -> Mapping[str, PublishedModel]:
    """Return what `published_models.toml` lists, by name."""
    entries = tomllib.loads(
        resources.files("labeltool.pretrained").joinpath("published_models.toml").read_text(encoding="utf-8")
    )
    return {name: PublishedModel(**entry) for name, entry in entries.items()}


def fetch(model: PublishedModel, *, report: Progress, cache: Path | None = None) -> Path:
    """Return a model's file, downloaded where it is not in the cache.

    Parameters
    ----------
    cache
        A folder; default the user's (`user_folders.cache_folder`).

    Raises
    ------
    LabeltoolError
        When it cannot be downloaded, or is not what was published. What has arrived is kept, and the next call resumes.
    """
    import pooch

    pooch.get_logger().setLevel("ERROR")  # errors are reported here
    folder = cache_folder() if cache is None else cache
    part = folder / f"{model.sha256}.part"

    def download(url: str, output_file: str, _: Any) -> None:
        _resume(model, part, report)
        part.replace(output_file)

    try:
        # A second process finds what the first has downloaded.
        with wait_for_lock(folder / ".lock", "download", lambda what: report(what, 0, 0)):
            found = pooch.retrieve(
                model.url, f"sha256:{model.sha256}", fname=model.file, path=folder, downloader=download
            )
    except ValueError as error:  # pooch's for another hash; the wrong file is deleted
        raise LabeltoolError(
            "the download is not the model that was published",
            file=model.url,
            remedy="try again, or download it by hand",
        ) from error
    except PermissionError as error:
        raise LabeltoolError("cannot be written", file=error.filename or folder) from error
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise LabeltoolError(
            f"cannot be downloaded: {reason}",
            file=model.url,
            remedy=f"try again, or download it by hand and run `labeltool model add {model.file}`",
        ) from error
    return Path(found)


def _resume(model: PublishedModel, part: Path, report: Progress) -> None:
    """Download the missing part of a file."""
    received = part.stat().st_size if part.exists() else 0
    if received >= model.bytes:
        # Whole and not verified, after a kill; or too long, and downloaded again.
        if received == model.bytes:
            return
        part.unlink()
        received = 0
    request = urllib.request.Request(model.url, headers={"Range": f"bytes={received}-"} if received else {})
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as response:
        # A server may send all of it nevertheless.
        is_partial = response.status == http.HTTPStatus.PARTIAL_CONTENT
        received = received if is_partial else 0
        with part.open("ab" if is_partial else "wb") as file:
            while received < model.bytes and (chunk := response.read(min(_CHUNK_BYTES, model.bytes - received))):
                file.write(chunk)
                received += len(chunk)
                report("downloading", received, model.bytes, f"bytes of {model.file}")
    if received < model.bytes:
        raise urllib.error.URLError(f"it was interrupted after {received:,} of {model.bytes:,} bytes")
