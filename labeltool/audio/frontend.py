"""From 16-bit samples to what the network sees: one definition, the same on the laptop and on the chip.

Nothing here looks further than one patch, so a microcontroller computes it in a stream. Only NumPy is imported: the
mel filters are librosa's (Slaney scale and norm, after Malcolm Slaney's Auditory Toolbox, 1998) written out, and a
test holds them against librosa.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import lru_cache
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from labeltool.errors import LabeltoolError
from labeltool.type_aliases import Float32, Float64, Int16, Int64

Kind = Literal["log-mel", "pcm", "embedding"]

DEFINITION = 1
"""Version of the formulas below: raised whenever they change what comes out, so that every fingerprint changes."""

# Frames per batch: they stay in the first-level cache, and a product this small is done by one thread. With larger ones
# BLAS wakes its threads for every batch, which costs three to six times what it saves on a busy machine.
_BATCH_FRAMES = 16
# Of the rare peak above it, int8 codes would make all the rest coarse.
_MOST_LEVELS = 8.0


@dataclass(frozen=True, slots=True)
class Frontend:
    """The definition of log-mels, of plain samples for networks that hear for themselves, or of a borrowed ear's word.

    `log_mel = (10 log10(mel_power + floor) - offset_db) / scale_db`, where `mel_power` is the power spectrum of
    a periodic-Hann frame of samples in -1 to 1 under Slaney's mel filters. With `centred`, each patch is given to the
    network less its own mean, so that loudness does not reach it.

    Of the kind "pcm" a frame is one sample (`n_fft`, `hop` and `n_mels` are 1), from -1 to 1, and what is `centred` is
    the level: each patch is divided by its root mean square, or that of `floor` where it is quieter, and held to 8 of
    them.

    Of the kind "embedding" a frame is what a borrowed ear makes of a window of `n_fft` samples: `n_mels` numbers, and
    before them the window's level, which does not reach the network either (`labeltool.ears.frames` makes them). What
    is `centred` are the numbers: each frame is given as `hellinger` has it.

    Attributes
    ----------
    sample_rate_hz
        Hertz.
    n_fft, hop
        Frame length and distance between frames, samples. Frames are not centred: the first starts at sample 0.
    n_mels, low_hz, high_hz
        Number of mel bands and their range, hertz; of embeddings, their width.
    floor
        Power added before the logarithm: quieter sound than that vanishes in it.
    offset_db, scale_db
        The fixed affine scale: the decibels that become 0, and those that make 1.
    patch_frames, patch_hop
        Length of a patch and distance between patches, frames.
    centred
        Whether the network gets each patch less its own mean.
    kind
        "log-mel", "pcm" or "embedding".
    ear
        Fingerprint of the ear that makes embeddings; "" for any.
    """

    sample_rate_hz: int = 16_000
    n_fft: int = 1024
    hop: int = 320
    n_mels: int = 64
    low_hz: float = 20.0
    high_hz: float = 7500.0
    floor: float = 1e-5
    offset_db: float = -50.0
    scale_db: float = 15.0
    patch_frames: int = 50
    patch_hop: int = 25
    centred: bool = True
    kind: Kind = "log-mel"
    ear: str = ""

    def __post_init__(self) -> None:
        positive = ("sample_rate_hz", "n_fft", "hop", "n_mels", "floor", "scale_db", "patch_frames", "patch_hop")
        for name in positive:
            if not getattr(self, name) > 0:
                raise LabeltoolError(f"frontend: {name} must be above zero, not {getattr(self, name)!r}")
        if self.kind not in get_args(Kind):
            raise LabeltoolError(f"frontend: no kind is called {self.kind!r}", remedy="made by a newer version?")
        if self.kind == "pcm" and (self.n_fft, self.hop, self.n_mels) != (1, 1, 1):
            raise LabeltoolError("frontend: a frame of plain samples is one sample")
        if self.ear and self.kind != "embedding":
            raise LabeltoolError("frontend: only embeddings are an ear's")
        if not 0 <= self.low_hz < self.high_hz <= self.sample_rate_hz / 2:
            raise LabeltoolError(
                f"frontend: the mel range {self.low_hz:g} to {self.high_hz:g} Hz does not fit "
                f"a rate of {self.sample_rate_hz} Hz"
            )

    @property
    def fingerprint(self) -> str:
        """16 hex digits that change with anything that changes the numbers, and with nothing else."""
        described = json.dumps({"definition": DEFINITION, **self.to_dict()}, sort_keys=True)
        return hashlib.sha256(described.encode()).hexdigest()[:16]

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain JSON values."""
        kinds = {field.name: field.type for field in fields(self)}
        # Through the declared type, so that 7500 and 7500.0 are one frontend.
        cast = {"int": int, "float": float, "bool": bool}
        described = {name: cast.get(str(kinds[name]), str)(value) for name, value in asdict(self).items()}
        if self.kind == "log-mel":
            del described["kind"]  # fingerprints from before there was another stay as they are
        if not self.ear:
            del described["ear"]
        return described

    @classmethod
    def from_dict(cls, described: Mapping[str, Any]) -> Frontend:
        """Make the frontend that `to_dict` described.

        Raises
        ------
        LabeltoolError
            When a field is unknown or out of range: written by a newer version, or not a frontend.
        """
        unknown = set(described) - {field.name for field in fields(cls)}
        if unknown:
            raise LabeltoolError(f"frontend: unknown field {sorted(unknown)[0]!r}", remedy="made by a newer version?")
        try:
            return cls(**described)
        except TypeError as error:
            raise LabeltoolError(f"frontend: {error}") from error

    @property
    def patch_samples(self) -> int:
        """Samples under one patch."""
        return self.n_fft + (self.patch_frames - 1) * self.hop

    @property
    def patch_hop_s(self) -> float:
        """Seconds from one patch to the next."""
        return self.patch_hop * self.hop / self.sample_rate_hz

    @property
    def patch_s(self) -> float:
        """Seconds under one patch."""
        return self.patch_samples / self.sample_rate_hz

    @property
    def patch_hops_s(self) -> float:
        """Seconds of a patch as settings have it, counted in hops: 50 frames of 20 ms are one second.

        Windows of an ear, long and few, are counted whole.
        """
        return self.patch_s if self.kind == "embedding" else self.patch_frames * self.hop / self.sample_rate_hz

    def lasting(self, patch_s: float) -> Frontend:
        """Return the same frontend with patches as long as that, which overlap by half, or as its own if they are."""
        samples = patch_s * self.sample_rate_hz
        beyond = (samples - self.n_fft) / self.hop + 1 if self.kind == "embedding" else samples / self.hop
        frames = max(1, round(beyond))
        if frames == self.patch_frames:
            return self
        return replace(self, patch_frames=frames, patch_hop=max(1, frames // 2))

    def overlapping(self, deep: int) -> Frontend:
        """Return the same frontend with so many patches over one moment, as far as its frames allow."""
        if self.kind == "embedding" and self.patch_frames == 1:
            return replace(self, hop=max(1, self.n_fft // deep), patch_hop=1)
        return replace(self, patch_hop=max(1, self.patch_frames // deep))

    @property
    def columns(self) -> int:
        """Numbers that a frame has."""
        return self.n_mels + (self.kind == "embedding")

    def window(self) -> Float32:
        """Return the periodic Hann window, `(n_fft,) float32`."""
        return (0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(self.n_fft) / self.n_fft)).astype(np.float32)

    def mel_filters(self) -> Float32:
        """Return the Slaney mel filters, `(n_mels, n_fft // 2 + 1) float32`, per hertz (each has unit area)."""
        return _mel_filters(self.sample_rate_hz, self.n_fft, self.n_mels, self.low_hz, self.high_hz)

    def n_frames(self, samples: int) -> int:
        """Count the whole frames in so many samples."""
        return 0 if samples < self.n_fft else 1 + (samples - self.n_fft) // self.hop

    def log_mel(self, pcm: Int16) -> Float32:
        """Turn samples into log-mel frames.

        Parameters
        ----------
        pcm : (samples,) int16
            Mono, at `sample_rate_hz`.

        Returns
        -------
        (frames, n_mels) float32
            `n_frames(samples)` of them; a tail shorter than a frame is left out, as a stream would leave it.
        """
        assert self.kind != "embedding", "an ear makes these frames"
        if pcm.dtype != np.int16 or pcm.ndim != 1:
            raise ValueError(f"pcm must be one-dimensional int16, not {pcm.ndim}-dimensional {pcm.dtype}")
        if self.kind == "pcm":
            return pcm[:, None].astype(np.float32) / np.float32(32768.0)
        n = self.n_frames(len(pcm))
        out = np.empty((n, self.n_mels), np.float32)
        if n == 0:
            return out
        signal = pcm.astype(np.float32) / np.float32(32768.0)
        framed = np.lib.stride_tricks.sliding_window_view(signal, self.n_fft)[:: self.hop]
        window, filters = self.window(), self.mel_filters().T
        for first in range(0, n, _BATCH_FRAMES):
            spectrum = np.fft.rfft(framed[first : min(first + _BATCH_FRAMES, n)] * window).astype(np.complex64)
            power = np.square(spectrum.real) + np.square(spectrum.imag)
            out[first : first + len(power)] = self.log_of_power(power @ filters)
        return out

    def log_of_power(self, mel_power: Float32) -> Float32:
        """Apply floor, logarithm and scale to mel powers of any shape."""
        decibels = np.float32(10.0) * np.log10(mel_power + np.float32(self.floor))
        return np.asarray((decibels - np.float32(self.offset_db)) / np.float32(self.scale_db), np.float32)

    def power_of_log(self, log_mel: Float32) -> Float32:
        """Undo `log_of_power`: mel powers, never below zero."""
        power = np.power(np.float32(10.0), (log_mel * np.float32(self.scale_db) + np.float32(self.offset_db)) / 10)
        return np.asarray(np.maximum(power - np.float32(self.floor), 0), np.float32)

    def patch_starts(self, frames: int) -> Int64:
        """Return the first frame of each whole patch in so many frames."""
        return np.arange(0, max(0, frames - self.patch_frames + 1), self.patch_hop, dtype=np.int64)

    def patches(self, log_mel: Float32) -> Float32:
        """Cut log-mel frames into what the network takes.

        Parameters
        ----------
        log_mel : (frames, columns) float32

        Returns
        -------
        (patches, n_mels, patch_frames) float32
            Normalised; empty when there are fewer than `patch_frames` frames.
        """
        starts = self.patch_starts(len(log_mel))
        if len(starts) == 0:
            return np.empty((0, self.n_mels, self.patch_frames), np.float32)
        heard = log_mel[:, self.columns - self.n_mels :]
        views = np.lib.stride_tricks.sliding_window_view(heard, self.patch_frames, axis=0)
        return self.normalise(np.ascontiguousarray(views[starts]))

    def normalise(self, patches: Float32) -> Float32:
        """Take each patch's own mean (of plain samples and embeddings: level) off where the frontend is `centred`.

        `(n, mels, frames)` in and out.
        """
        if not self.centred:
            return patches
        if self.kind == "embedding":
            return hellinger(patches, float(np.sqrt(self.n_mels)), axis=1)
        if self.kind == "pcm":
            power = np.square(patches).mean(axis=(1, 2), keepdims=True, dtype=np.float32)
            level = np.sqrt(np.maximum(power, np.float32(self.floor)))
            return np.asarray(np.clip(patches / level, -_MOST_LEVELS, _MOST_LEVELS), np.float32)
        return np.asarray(patches - patches.mean(axis=(1, 2), keepdims=True, dtype=np.float32), np.float32)

    def loudness_db(self, log_mel: Float32) -> Float32:
        """Return how loud each patch is: the mean of its log-mels in decibels (of its powers, of all other kinds).

        It is the very mean, or level, that `normalise` takes off, or that stands beside an embedding.

        Parameters
        ----------
        log_mel : (frames, columns) float32

        Returns
        -------
        (patches,) float32, decibels
            What `aggregate.clip_scores` weighs the patches by.
        """
        starts = self.patch_starts(len(log_mel))
        if self.kind != "log-mel":
            powers = self.mean_powers(log_mel, starts)
            return np.asarray(10.0 * np.log10(powers + self.floor), np.float32)
        sums = np.concatenate([[0.0], np.cumsum(log_mel.mean(axis=1, dtype=np.float64))])
        means = (sums[starts + self.patch_frames] - sums[starts]) / self.patch_frames if len(starts) else np.empty(0)
        return (means * self.scale_db + self.offset_db).astype(np.float32)

    def mean_powers(self, frames: Float32, starts: Int64) -> Float64:
        """Return the mean power of the patch that begins at each start: of plain samples, or of levels in front."""
        sums = np.concatenate([[0.0], np.cumsum(np.square(frames[:, 0], dtype=np.float64))])
        return np.asarray((sums[starts + self.patch_frames] - sums[starts]) / self.patch_frames, np.float64)


def hellinger(rows: npt.NDArray[Any], length: float, axis: int = -1) -> npt.NDArray[Any]:
    """Return the square roots of embeddings, signs kept, each row of one length: as such, activations compare better.

    The inner product of two is the Hellinger kernel (Vedaldi and Zisserman 2012, "Efficient additive kernels via
    explicit feature maps"); a row of zeros, of which nothing was heard, stays one.
    """
    roots = np.sign(rows) * np.sqrt(np.abs(rows))
    roots *= length / np.maximum(np.linalg.norm(roots, axis=axis, keepdims=True), 1e-9)
    return np.asarray(roots)


def _hertz_to_mel(hertz: Float64) -> Float64:
    """Slaney's scale: 3 mels per 200 Hz up to 1 kHz, then 27 mels per factor 6.4."""
    linear = hertz * 3.0 / 200.0
    logarithmic = 15.0 + 27.0 * np.log(np.maximum(hertz, 1000.0) / 1000.0) / np.log(6.4)
    return np.where(hertz < 1000.0, linear, logarithmic)


def _mel_to_hertz(mels: Float64) -> Float64:
    linear = mels * 200.0 / 3.0
    logarithmic = 1000.0 * np.exp(np.log(6.4) * (mels - 15.0) / 27.0)
    return np.where(mels < 15.0, linear, logarithmic)


@lru_cache(maxsize=8)
def _mel_filters(sample_rate_hz: int, n_fft: int, n_mels: int, low_hz: float, high_hz: float) -> Float32:
    low, high = _hertz_to_mel(np.array([low_hz, high_hz], dtype=np.float64))
    edges = _mel_to_hertz(np.linspace(low, high, n_mels + 2))
    bins = np.arange(n_fft // 2 + 1) * (sample_rate_hz / n_fft)
    widths = np.diff(edges)
    ramps = edges[:, None] - bins[None, :]
    rising, falling = -ramps[:-2] / widths[:-1, None], ramps[2:] / widths[1:, None]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    filters = (triangles * (2.0 / (edges[2:] - edges[:-2]))[:, None]).astype(np.float32)
    filters.flags.writeable = False  # shared by every caller
    return filters
