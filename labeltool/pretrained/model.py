"""A pretrained model at work: samples in, probabilities of its classes and an embedding out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from labeltool.audio.frontend_base import unit_samples
from labeltool.errors import LabeltoolError
from labeltool.networks import postprocessing
from labeltool.pretrained import runtimes
from labeltool.pretrained.card import CARD, PretrainedCard
from labeltool.pretrained.runtimes.base import NetworkLayout, Tensor, sha256_of
from labeltool.type_aliases import Float32, Int16

_MIN_DEVIATION = 1e-15  # silence stays silence
_MAX_LOGIT = 80.0  # the exponential of a larger one is no float32


@dataclass(frozen=True, slots=True)
class ClipDescription:
    """What a model computes of a clip, over windows that overlap by half.

    Attributes
    ----------
    embedding : (2 * width,) float32, optional
        As `PretrainedModel.embed`; None where the model has none.
    scores, peaks : (classes,) float32
        Mean and maximum of the probabilities of its classes, without windows of digital silence, which only pad a
        clip; zeros where all are silent.
    """

    embedding: Float32 | None
    scores: Float32
    peaks: Float32


class PretrainedModel:
    """A network and its card, loaded.

    Parameters
    ----------
    embedding
        Whether embeddings will be computed: a tensor inside a network costs it speed.

    Raises
    ------
    LabeltoolError
        When the file is not the one on the card or not as the card describes it, cannot be loaded, or has no embedding
        where one is wanted.
    """

    def __init__(self, path: Path, card: PretrainedCard, *, embedding: bool = False) -> None:
        runtime = runtimes.runtime_of(path)
        for file in runtime.network_files(path):
            _require_file(file, card.files.get(file.name))
        if embedding and card.embedding is None:
            raise LabeltoolError("has no embedding", file=path, remedy="`labeltool model add --embedding` may name one")
        self.card = card
        self._path = path
        self._embedding = card.embedding if embedding else None
        with runtimes.bounded_memory(path):
            layout = runtime.read_layout(path)
            _require_described(layout, card, path)
            inner = None if self._embedding in {one.name for one in layout.outputs} else self._embedding
            self._network = runtime.open_network(path, card.shape, inner)

    def __reduce__(self) -> tuple[Any, ...]:
        return opened_model, (self._path, self.card, self._embedding is not None)

    @property
    def fingerprint(self) -> str:
        """The card's fingerprint: caches of what the model computed are named by it."""
        return self.card.fingerprint

    def probabilities(self, pcm: Int16) -> Float32:
        """Score a window.

        Parameters
        ----------
        pcm : (window,) int16
            Mono, at the model's rate.

        Returns
        -------
        (classes,) float32

        Raises
        ------
        LabeltoolError
            When the network computes values that are no numbers.
        """
        return self._activated(self.scores(pcm))

    def scores(self, pcm: Int16) -> Float32:
        """Return the network's own scores of a window, before the activation; parameters as of `probabilities`."""
        return self._scores_of(self._run(pcm))

    def describe(self, pcm: Int16) -> ClipDescription:
        """Compute embedding and class scores of a clip together: each window runs through the network once.

        `pcm` is mono int16 at the model's rate; silence pads it to a window.
        """
        window = self.card.window
        padded = np.pad(pcm, (0, max(0, window - len(pcm))))
        embeddings, probabilities = [], []
        for first in range(0, len(padded) - window + 1, max(1, window // 2)):
            part = padded[first : first + window]
            computed = self._run(part)
            if self._embedding is not None:
                embeddings.append(self._vector(computed[self._embedding]))
            row = self._activated(self._scores_of(computed))
            probabilities.append(row if part.any() else np.zeros_like(row))
        sounding = [row for row in probabilities if row.any()]
        rows = np.stack(sounding or probabilities[:1])
        embedding = np.concatenate([np.mean(embeddings, axis=0), np.max(embeddings, axis=0)]) if embeddings else None
        return ClipDescription(embedding, rows.mean(axis=0), rows.max(axis=0))

    def embed(self, pcm: Int16) -> Float32:
        """Embed a clip.

        Parameters
        ----------
        pcm : (samples,) int16
            Mono, at the model's rate; padded with silence to a window.

        Returns
        -------
        (2 * width,) float32
            Mean and maximum over windows that overlap by half.
        """
        window = self.card.window
        padded = np.pad(pcm, (0, max(0, window - len(pcm))))
        rows = self._embeddings(padded, range(0, len(padded) - window + 1, window // 2))
        return np.concatenate([np.mean(rows, axis=0), np.max(rows, axis=0)]).astype(np.float32)

    def embed_moments(self, pcm: Int16, step_s: float) -> Float32:
        """Embed the window around each moment of a clip, `step_s` seconds apart from its beginning on.

        Parameters
        ----------
        pcm : (samples,) int16
            Mono, at the model's rate; beyond its ends there is silence.

        Returns
        -------
        (moments, width) float32
        """
        window = self.card.window
        padded = np.pad(pcm, (window // 2, window))
        moments = np.arange(0.0, len(pcm), step_s * self.card.rate_hz)
        return np.stack(self._embeddings(padded, np.rint(moments).astype(int).tolist()))

    def embed_window(self, pcm: Int16) -> Float32:
        """Embed one window, (window,) int16: (width,) float32."""
        return self._embeddings(pcm, [0])[0]

    def _embeddings(self, pcm: Int16, starts: Iterable[int]) -> list[Float32]:
        assert self._embedding is not None, "opened without its embedding"
        return [self._vector(self._run(pcm[first : first + self.card.window])[self._embedding]) for first in starts]

    def _scores_of(self, computed: dict[str, Float32]) -> Float32:
        row = self._vector(computed[self.card.scores])
        classes = self.card.classes
        if classes and len(row) != len(classes):
            raise LabeltoolError(f"has {len(row)} scores, and the list names {len(classes)} classes", file=self._path)
        return row

    def _activated(self, scores: Float32) -> Float32:
        if self.card.activation == "none":
            return scores
        (row,) = postprocessing.to_probabilities(np.clip(scores, -_MAX_LOGIT, _MAX_LOGIT)[None], self.card.activation)
        return np.asarray(row, np.float32)

    def _run(self, pcm: Int16) -> dict[str, Float32]:
        frontend = self.card.frontend
        if frontend is None:
            values = unit_samples(pcm)
            if self.card.standardised:
                values = (values - values.mean()) / (values.std() + np.float32(_MIN_DEVIATION))
        else:
            (values,) = frontend.patches(frontend.compute_frames(pcm))
            if [size for size in self.card.shape if size > 1] == [*values.shape[::-1]]:
                values = values.T  # some networks take time first
        values = np.ascontiguousarray(values, np.float32).reshape(self.card.shape)
        try:
            with runtimes.bounded_memory(self._path):
                return dict(self._network.run(values))
        except LabeltoolError as error:
            raise LabeltoolError(error.reason, file=self._path) from error

    def _vector(self, values: Float32) -> Float32:
        """Return one row: the mean over frames where the network has several in a window."""
        rows = values.reshape(-1, Tensor("", values.shape).width or 1)
        row = np.asarray(rows.mean(axis=0), np.float32)
        if not np.isfinite(row).all():
            raise LabeltoolError("computes values that are no numbers", file=self._path)
        return row


_opened: dict[tuple[Path, str, bool], PretrainedModel] = {}


def opened_model(path: Path, card: PretrainedCard, embedding: bool) -> PretrainedModel:
    """Return a model, which may have been sent to this process; it is loaded once, and one is kept at a time."""
    key = (path, card.fingerprint, embedding)
    found = _opened.get(key)
    if found is None:
        _opened.clear()
        found = _opened[key] = PretrainedModel(path, card, embedding=embedding)
    return found


def _require_file(path: Path, sha256: str | None) -> None:
    if sha256_of(path) != sha256:
        raise LabeltoolError(
            "is not the file that its card describes", file=path, remedy="`labeltool model remove`, then add it again"
        )


def _require_described(layout: NetworkLayout, card: PretrainedCard, path: Path) -> None:
    """Refuse a card that describes another network than this: it may come from anybody."""
    widths = {one.name: one.width for one in layout.outputs}
    shape = layout.input.shape
    if card.scores not in widths:
        reason = f"names an output {card.scores!r} that the network does not have"
    elif card.embedding not in {None, *widths, *(one.name for one in layout.inner)}:
        reason = f"names an embedding {card.embedding!r} that the network does not have"
    # 0: the file leaves it open; running the network shows it.
    elif card.classes and widths[card.scores] not in (0, len(card.classes)):
        reason = f"names {len(card.classes)} classes, and the network has {widths[card.scores]} scores"
    elif len(shape) != len(card.shape) or any(0 < a != b for a, b in zip(shape, card.shape, strict=True)):
        reason = f"describes input {[*card.shape]}, and the network takes {[*shape]}"
    else:
        return
    raise LabeltoolError(reason, file=path.with_name(CARD))
