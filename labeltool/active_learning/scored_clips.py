"""What is kept of the clips that a model scored: of a million, their embeddings would take gigabytes."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Sequence

import numpy as np

from labeltool.active_learning.queue_order import ClipPredictions
from labeltool.audio import descriptors
from labeltool.audio.frontend import Frontend
from labeltool.inference.embed import ClipEmbedding
from labeltool.networks.heads import Head
from labeltool.records import StoredClip
from labeltool.type_aliases import Float32


class ScoredClips:
    """The clips that a model scored so far.

    Parameters
    ----------
    compared_ids
        The clips by which the queue is ordered; they alone are described, and their embeddings kept.
    frontend
        Of the frames.

    Attributes
    ----------
    ids
        Of all, in the order in which they were scored.
    """

    def __init__(self, compared_ids: Collection[int], frontend: Frontend) -> None:
        self._frontend = frontend
        self.ids, self._probabilities = array("q"), _Rows()
        self._compared_ids, self._compared = compared_ids, list[StoredClip]()
        self._of_compared, self._int8, self._embeddings, self._width = _Rows(), _Rows(), _Rows(), 0

    @property
    def probabilities(self) -> Float32:
        """Of all, (clips, labels) float32."""
        return self._probabilities.together()

    def add(self, embeddings: Sequence[ClipEmbedding], frames: Sequence[Float32]) -> None:
        """Keep what is needed of some clips; frames : (frames, columns) each."""
        self.ids.extend(one.clip.id for one in embeddings)
        self._probabilities.add(one.probabilities for one in embeddings)
        for number, one in enumerate(embeddings):
            if one.clip.id in self._compared_ids:
                self._compared.append(one.clip)
                self._of_compared.add([one.probabilities])
                self._int8.add([] if one.int8_probabilities is None else [one.int8_probabilities])
                self._width = len(one.features)
                self._embeddings.add([np.concatenate([one.features, self._frontend.describe(frames[number])])])

    def predictions_to_order_by(self, head: Head) -> ClipPredictions:
        """Return what the queue is ordered by. To be called once: the embeddings are scaled in place.

        What the network has learned to separate, and descriptors of any sound: early on the latter guide better.
        """
        embeddings, int8 = self._embeddings.together(), self._int8.together()
        for columns in (slice(self._width), slice(self._width, None)) if self._compared else ():
            embeddings[:, columns] = descriptors.standardise(embeddings[:, columns])
        return ClipPredictions(
            self._compared, embeddings, self._of_compared.together(), head, int8 if len(int8) else None
        )


class _Rows:
    """Rows of numbers that come some at a time, in one block."""

    def __init__(self) -> None:
        self._numbers, self._width = array("f"), 1

    def add(self, rows: Iterable[Float32]) -> None:
        for row in rows:
            self._numbers.frombytes(np.asarray(row, np.float32).tobytes())
            self._width = len(row)

    def together(self) -> Float32:
        """Return all, (rows, numbers) float32."""
        return np.frombuffer(self._numbers, np.float32).reshape(-1, self._width)
