"""Licences of recordings, as the cards of data sets name them."""

from __future__ import annotations

import re

_CREATIVE_COMMONS = re.compile(
    r"(?:https?://)?(?:www\.)?(?:creativecommons\.org/licenses/|cc[ -]?)"
    r"(by(?:[ -](?:nc|nd|sa))*)[ /-]v?([1-4]\.[05])(?:/.*)?",
    re.IGNORECASE | re.ASCII,
)
_CC0 = re.compile(r"(?:https?://)?(?:www\.)?(?:creativecommons\.org/publicdomain/zero/|cc[ -]?0).*", re.IGNORECASE)
# The identifiers of https://huggingface.co/docs/hub/repositories-licenses that data sets have.
_IDENTIFIER = re.compile(
    r"apache-2\.0|mit|cc0-1\.0|cc-by-(nc-)?[234]\.0|cc-by-2\.5|cc-by-sa-[34]\.0|cc-by-nd-4\.0|cc-by-nc-nd-[34]\.0|"
    r"cc-by-nc-sa-[234]\.0|cdla-sharing-1\.0|cdla-permissive-[12]\.0|odc-by|odbl|pddl"
)


def identifier(licence: str | None) -> str:
    """Return Hugging Face's identifier of a licence; "other" where it has none, "unknown" without a licence."""
    if not licence:
        return "unknown"
    name = "cc0-1.0" if _CC0.fullmatch(licence.strip()) else "-".join(licence.lower().split())
    if found := _CREATIVE_COMMONS.fullmatch(licence.strip()):
        name = f"cc-{_kind(found)}-{found[2]}"
    return name if _IDENTIFIER.fullmatch(name) else "other"


def address(licence: str) -> str:
    """Return where a Creative Commons licence is published; any other licence as it is."""
    if _CC0.fullmatch(licence.strip()):
        return "https://creativecommons.org/publicdomain/zero/1.0/"
    if found := _CREATIVE_COMMONS.fullmatch(licence.strip()):
        return f"https://creativecommons.org/licenses/{_kind(found)}/{found[2]}/"
    return licence


def _kind(found: re.Match[str]) -> str:
    return found[1].lower().replace(" ", "-")
