"""The table of primitives, a file for each family. ``gradtape.ground.primitive`` says what a row is.

The families that most programs use are loaded at once; each of the others by the faces that offer its operations, or
by asking the table for one of its rows.
"""

import importlib

from ..ground.primitive import TABLE, Primitive
from . import activation, contraction, elementwise, indexing, random, reduction, structure

LATER = (
    "convolution",
    "ctc",
    "distribution",
    "fourier",
    "pooling",
    "segment",
    "sorting",
    "special",
    "image",
    "windows",
    "solving",
    "decomposition",
    "matrix_functions",
)  # families loaded on first use


def complete() -> dict[str, Primitive]:
    """The whole table, all families loaded."""
    for family in LATER:
        importlib.import_module(f"{__name__}.{family}")
    return TABLE


TABLE.complete = complete  # type: ignore[attr-defined]

__all__ = [
    "LATER",
    "TABLE",
    "activation",
    "complete",
    "contraction",
    "elementwise",
    "indexing",
    "random",
    "reduction",
    "structure",
]
