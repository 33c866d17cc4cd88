"""stub"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labeltool.networks.dense_head import DenseHead


@dataclass(frozen=True)
class HeadSettings:
    units: int = 64
    seed: int = 0


@dataclass(frozen=True)
class HeadData:
    codes: list
    loudness_db: list
    present: np.ndarray
    absent: np.ndarray
    groups: list
    labelled: int
    head: str
    scale: float
    zero_point: int


def fit_head(data, settings):
    rng = np.random.default_rng(settings.seed)
    X = np.concatenate(data.codes).astype(np.float32)
    Y = np.repeat(data.present, [len(c) for c in data.codes], axis=0)
    X = data.scale * (X - data.zero_point)
    keep = Y.sum(1) > 0
    X, Y = X[keep], Y[keep]
    m, sd = X.mean(0), X.std(0) + 0.1
    K = [
        rng.normal(0, 1 / np.sqrt(X.shape[1]), (X.shape[1], settings.units)).astype("f4"),
        np.zeros((settings.units, Y.shape[1]), "f4"),
    ]
    B = [np.zeros(settings.units, "f4"), np.zeros(Y.shape[1], "f4")]
    P = [*K, *B]
    M = [np.zeros_like(p) for p in P]
    V = [np.zeros_like(p) for p in P]
    for t in range(1, 1001):
        i = rng.integers(0, len(X), 64)
        j = rng.integers(0, len(X), 64)
        l = rng.beta(0.5, 0.5, (64, 1)).astype("f4")
        x = (l * X[i] + (1 - l) * X[j] - m) / sd
        y = l * Y[i] + (1 - l) * Y[j]
        h = np.maximum(x @ P[0] + P[2], 0)
        z = h @ P[1] + P[3]
        p = np.exp(z - z.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        d = (p - y) / 64
        dh = (d @ P[1].T) * (h > 0)
        G = [x.T @ dh, h.T @ d, dh.sum(0), d.sum(0)]
        lr = 2e-3 * (1 - t / 1001)
        for q, g, a, b in zip(P, G, M, V):
            a *= 0.9
            a += 0.1 * g
            b *= 0.999
            b += 0.001 * g * g
            q -= lr * (a / (1 - 0.9**t) / (np.sqrt(b / (1 - 0.999**t)) + 1e-8) + 0.01 * q)
    k = P[0] / sd[:, None]
    return DenseHead(
        data.head, data.scale, data.zero_point, (k.astype("f4"), P[1]), ((P[2] - m @ k).astype("f4"), P[3])
    )
