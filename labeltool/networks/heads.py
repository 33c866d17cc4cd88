"""What the network's last layer says: one label a clip (softmax), or any number of them (sigmoid).

What is known of a clip is two masses for each output: how far the label is `present` and how far it is `absent`. Both
are zero where nobody has checked, or was unsure: the loss passes such a label over. The masses are linear in the loss,
so soft labels and mixtures need nothing more.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from labeltool.type_aliases import Bools, Float32, Float64

Head = Literal["softmax", "sigmoid"]
"""The activation of the last layer, by its name in Keras."""

# What Keras' own cross-entropies hold probabilities away from 0 and 1 by.
_EPSILON = 1e-7


def log_loss(head: Head, probabilities: Float32, present: Float32, absent: Float32) -> Float64:
    """Return what each row is charged for its probabilities.

    A label known to be present costs `-log p`, one known to be absent `-log (1 - p)`. Under a softmax the first says
    all; the second teaches from a clip of which is known only what it is not (Kim et al. 2019, "NLNL").

    Parameters
    ----------
    probabilities, present, absent : (rows, outputs) float32

    Returns
    -------
    (rows,) float64
    """
    held = np.clip(probabilities.astype(np.float64), _EPSILON, 1.0 - _EPSILON)
    if head == "softmax":
        held = held / held.sum(axis=-1, keepdims=True)
    return np.asarray(-(present * np.log(held) + absent * np.log1p(-held)).sum(axis=-1), np.float64)


def tensor_log_loss(head: Head, probabilities: Any, wanted: Any) -> Any:
    """Compute the mean of `log_loss` as TensorFlow does, for a gradient.

    Parameters
    ----------
    wanted : (rows, outputs) or (rows, 2 * outputs) float32
        `known`: what is present and, where anything is absent, that beside it.
    """
    import keras
    import tensorflow as tf

    outputs = probabilities.shape[-1]
    present = wanted[:, :outputs]
    held = tf.clip_by_value(probabilities, _EPSILON, 1.0 - _EPSILON)
    if head == "softmax":
        loss = keras.losses.categorical_crossentropy(present, probabilities)
    else:
        loss = -tf.reduce_sum(present * tf.math.log(held), axis=-1)
    if wanted.shape[-1] > outputs:
        loss -= tf.reduce_sum(wanted[:, outputs:] * tf.math.log(1.0 - held), axis=-1)
    return tf.reduce_mean(loss)


def known(head: Head, present: Float32, absent: Float32) -> Float32:
    """Put both masses side by side, `(clips, 2 * outputs)`; under a softmax `present` alone where it says all."""
    return present if head == "softmax" and not absent.any() else np.concatenate([present, absent], axis=1)


def heard_together(one: Float32, other: Float32) -> Float32:
    """Return what is known of mixtures of clips of which `known` says `one` and `other`: rows of present and absent.

    In a mixture a label is present that is present in either, and absent that is absent in both.
    """
    half = one.shape[1] // 2
    present, absent = np.maximum(one[:, :half], other[:, :half]), np.minimum(one[:, half:], other[:, half:])
    return np.concatenate([present, absent], axis=1)


EVEN = 0.5
"""The probability from which a label judged for itself is more likely there than not."""


def said(probabilities: Float32, head: Head, threshold: float = EVEN) -> Bools:
    """Return which labels are said of each row, (rows, labels): the first (softmax), or all at the threshold."""
    if head == "sigmoid":
        return np.asarray(probabilities >= threshold)
    first = np.zeros(probabilities.shape, bool)
    first[np.arange(len(first)), probabilities.argmax(axis=1)] = True
    return first
