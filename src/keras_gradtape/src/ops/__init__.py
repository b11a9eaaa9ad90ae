"""Keras's operations on gradtape, a module for each of Keras's."""

from types import FunctionType

from . import core, image, linalg, math, nn, numpy

__all__ = ["core", "image", "linalg", "math", "nn", "numpy"]

# Keras holds the signatures of its operations, which carry no types, against the backend's
for _module in (core, image, linalg, math, nn, numpy):
    for _f in vars(_module).values():
        if isinstance(_f, FunctionType) and _f.__module__.startswith(__name__):
            _f.__annotations__ = {}
