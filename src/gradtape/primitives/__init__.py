"""The table of primitives, a file for each family. ``gradtape.ground.primitive`` says what a row is."""

from . import structure, reduction, elementwise, activation, contraction, indexing, random  # noqa: I001  (structure first: the others build on it)
from ..ground.primitive import TABLE

__all__ = ["TABLE", "activation", "contraction", "elementwise", "indexing", "random", "reduction", "structure"]
