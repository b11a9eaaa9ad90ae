"""The numbers that every library computes with: NumPy arrays, the same in each process."""

from itertools import pairwise

import numpy as np

LEARNING_RATE = 0.001
STEPS = 1_000  # of the compiled descent


def mlp(sizes: list[int], batch: int) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Return ([w1, b1, w2, b2, ...], inputs, targets) of a fully connected network, all float32."""
    rng = np.random.default_rng(0)
    parameters = []
    for inputs, outputs in pairwise(sizes):
        parameters.append(rng.normal(0, np.sqrt(2 / (inputs + outputs)), (inputs, outputs)).astype(np.float32))
        parameters.append(np.zeros(outputs, np.float32))
    x = rng.normal(size=(batch, sizes[0])).astype(np.float32)
    y = rng.normal(size=(batch, sizes[-1])).astype(np.float32)
    return parameters, x, y


def vector(size: int) -> np.ndarray:
    return np.random.default_rng(1).normal(size=size).astype(np.float32)


def matrix(rows: int, columns: int, seed: int = 2) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, columns)).astype(np.float32)
