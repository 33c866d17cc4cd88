"""Frontends: how 16-bit samples become frames, and frames the patches that a network takes.

There are three: log-mels, plain samples, and embeddings of a pretrained model. The first two look no further than one
patch, so a microcontroller computes them in a stream. One definition is used on the laptop and on the device: its
fingerprint is in every cache, model card and C table. Only NumPy and msgspec are imported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Annotated, Any, TypedDict

from msgspec import Meta, ValidationError, convert

from labeltool.audio.embedding_frontend import EmbeddingFrontend
from labeltool.audio.frontend_base import Frontend, mean_powers
from labeltool.audio.log_mel_frontend import LogMelFrontend
from labeltool.audio.sample_frontend import SampleFrontend
from labeltool.errors import LabeltoolError

__all__ = ["EmbeddingFrontend", "Frontend", "LogMelFrontend", "SampleFrontend", "frontend_from_dict", "mean_powers"]

_Rate = Annotated[int, Meta(ge=1, le=1_000_000)]
_Width = Annotated[int, Meta(ge=0, le=1 << 16)]
_Samples = Annotated[int, Meta(ge=1, le=100_000_000)]
_Number = Annotated[float, Meta(ge=-1e6, le=1e6)]


class _Description(TypedDict, total=False):
    """What a description may have, of every kind: it may come from anybody, and what is computed must stay bounded."""

    sample_rate_hz: _Rate
    n_fft: _Samples
    hop: _Samples
    n_mels: _Width
    low_hz: _Number
    high_hz: _Number
    floor: _Number
    offset_db: _Number
    scale_db: _Number
    patch_frames: _Samples
    patch_hop: _Samples
    centred: bool
    win_length: _Width
    spectrum: str
    mel_scale: str
    kind: str
    ear: str  # former name


_KEYS = frozenset(_Description.__annotations__)
_FROM_DICT: Mapping[str, Callable[[Mapping[str, Any]], Frontend]] = MappingProxyType(
    {
        "log-mel": lambda values: LogMelFrontend(**values),
        "pcm": SampleFrontend.from_dict,
        "embedding": EmbeddingFrontend.from_dict,
    }
)
_UPDATE = "made by a newer version?"


def frontend_from_dict(values: Mapping[str, Any]) -> Frontend:
    """Make the frontend that `to_dict` described.

    Raises
    ------
    LabeltoolError
        When a field is unknown or out of range: written by a newer version, or not a frontend.
    """
    if unknown := sorted(set(values) - _KEYS):
        raise LabeltoolError(f"frontend: unknown field {unknown[0]!r}", remedy=_UPDATE)
    try:
        convert(values, _Description)
    except ValidationError as error:
        raise LabeltoolError(f"frontend: {str(error).replace('`', '')}") from error
    kind = values.get("kind", "log-mel")
    if kind not in _FROM_DICT:
        raise LabeltoolError(f"frontend: unknown kind {kind!r}", remedy=_UPDATE)
    try:
        return _FROM_DICT[kind]({key: value for key, value in values.items() if key != "kind"})
    except TypeError as error:
        raise LabeltoolError(f"frontend: {error}") from error
