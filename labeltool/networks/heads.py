"""The network's last layer: one label a clip (softmax), or any number of them (sigmoid); its targets and its loss.

A clip has two targets for each output: how far the label is `present` and how far it is `absent`. Both are zero where
the label was not checked, or the annotator was unsure: the loss ignores it. The targets are linear in the loss, so soft
labels and mixtures need nothing more.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from labeltool.type_aliases import Bools, Float32, Float64

Head = Literal["softmax", "sigmoid"]
"""The activation of the last layer, by its name in Keras."""

# Least distance of a probability from 0 and 1, as in Keras' own cross-entropies.
_EPSILON = 1e-7


def log_loss(head: Head, probabilities: Float32, present: Float32, absent: Float32) -> Float64:
    """Return the log loss of each row.

    A label that is present costs `-log p`, one that is absent `-log (1 - p)`. Under a softmax the first suffices; the
    second is for a clip of which only absent labels are known (Kim et al. 2019, "NLNL").

    Parameters
    ----------
    probabilities, present, absent : (rows, outputs) float32

    Returns
    -------
    (rows,) float64
    """
    clipped = np.clip(probabilities.astype(np.float64), _EPSILON, 1.0 - _EPSILON)
    if head == "softmax":
        clipped = clipped / clipped.sum(axis=-1, keepdims=True)
    return np.asarray(-(present * np.log(clipped) + absent * np.log1p(-clipped)).sum(axis=-1), np.float64)


def tensor_log_loss(head: Head, probabilities: Any, targets: Any) -> Any:
    """Compute the mean of `log_loss` with TensorFlow, for a gradient.

    Parameters
    ----------
    targets : (rows, outputs) or (rows, 2 * outputs) float32
        From `stack_targets`.
    """
    import keras
    import tensorflow as tf

    outputs = probabilities.shape[-1]
    present = targets[:, :outputs]
    clipped = tf.clip_by_value(probabilities, _EPSILON, 1.0 - _EPSILON)
    if head == "softmax":
        loss = keras.losses.categorical_crossentropy(present, probabilities)
    else:
        loss = -tf.reduce_sum(present * tf.math.log(clipped), axis=-1)
    if targets.shape[-1] > outputs:
        loss -= tf.reduce_sum(targets[:, outputs:] * tf.math.log(1.0 - clipped), axis=-1)
    return tf.reduce_mean(loss)


def stack_targets(head: Head, present: Float32, absent: Float32) -> Float32:
    """Stack both targets side by side, `(clips, 2 * outputs)`; under a softmax `present` alone where it suffices."""
    return present if head == "softmax" and not absent.any() else np.concatenate([present, absent], axis=1)


def mixture_targets(one: Float32, other: Float32) -> Float32:
    """Return the targets of mixtures of clips whose targets are `one` and `other`, present and absent side by side.

    In a mixture a label is present that is present in either, and absent that is absent in both.
    """
    half = one.shape[1] // 2
    present, absent = np.maximum(one[:, :half], other[:, :half]), np.minimum(one[:, half:], other[:, half:])
    return np.concatenate([present, absent], axis=1)


DEFAULT_THRESHOLD = 0.5
"""The probability from which a label of a sigmoid is more likely present than absent."""


def decide(probabilities: Float32, head: Head, threshold: float = DEFAULT_THRESHOLD) -> Bools:
    """Return the predicted labels of each row, (rows, labels): the most likely (softmax), or all at the threshold."""
    if head == "sigmoid":
        return np.asarray(probabilities >= threshold)
    first = np.zeros(probabilities.shape, bool)
    first[np.arange(len(first)), probabilities.argmax(axis=1)] = True
    return first
