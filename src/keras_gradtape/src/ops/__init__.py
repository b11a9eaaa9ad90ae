"""Keras's operations on gradtape, a module for each of Keras's."""

from . import core, image, linalg, math, nn, numpy

__all__ = ["core", "image", "linalg", "math", "nn", "numpy"]
