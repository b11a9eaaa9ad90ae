"""Shapes: the public TensorShape, and the small functions that shape rules are written with."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from .errors import invalid

Dims = tuple[Any, ...]


class TensorShape:
    """The shape of a tensor: its dimensions, each an int or None (unknown), or an unknown rank.

    Args:
        dims: an iterable of ints and Nones, an int, another TensorShape, or None for an unknown rank.

    >>> import gradtape as tf
    >>> tf.TensorShape([2, None]).rank
    2
    """

    __slots__ = ("_dims",)

    def __init__(self, dims: Any) -> None:
        if type(dims) is tuple and all([type(d) is int for d in dims]):
            self._dims: Dims | None = dims
        elif isinstance(dims, TensorShape):
            self._dims = dims._dims
        elif dims is None:
            self._dims = None
        elif hasattr(dims, "__index__") and not hasattr(dims, "__len__"):
            self._dims = (dims.__index__(),)
        else:
            self._dims = tuple(None if d is None else d.__index__() for d in dims)
        if self._dims is not None and any(d is not None and d < 0 for d in self._dims):
            raise ValueError(f"Dimensions must be >= 0, got {list(self._dims)}.")

    @classmethod
    def _of(cls, dims: Dims) -> TensorShape:
        """The shape of dimensions that are known to be right: those of a tensor."""
        shape = cls.__new__(cls)
        shape._dims = dims
        return shape

    @property
    def rank(self) -> int | None:
        """The number of dimensions, or None."""
        return None if self._dims is None else len(self._dims)

    ndims = rank

    @property
    def dims(self) -> list[int | None] | None:
        """The dimensions as a list, or None."""
        return None if self._dims is None else list(self._dims)

    def as_list(self) -> list[int | None]:
        """The dimensions as a list. ValueError when the rank is unknown."""
        return list(self._known())

    def is_fully_defined(self) -> bool:
        """Whether every dimension is known."""
        return self._dims is not None and None not in self._dims

    def num_elements(self) -> int | None:
        """The number of elements, or None where a dimension is unknown."""
        return math.prod(self._known()) if self.is_fully_defined() else None

    def _known(self) -> Dims:
        if self._dims is None:
            raise ValueError("Cannot take the length of shape with unknown rank.")
        return self._dims

    def is_compatible_with(self, other: Any) -> bool:
        """Whether one tensor could have both shapes."""
        a, b = self._dims, TensorShape(other)._dims
        if a is None or b is None:
            return True
        return len(a) == len(b) and all(x is None or y is None or x == y for x, y in zip(a, b, strict=True))

    def assert_is_compatible_with(self, other: Any) -> None:
        """ValueError unless ``is_compatible_with``."""
        if not self.is_compatible_with(other):
            raise ValueError(f"Shapes {self} and {TensorShape(other)} are incompatible")

    def assert_has_rank(self, rank: int) -> None:
        """ValueError unless the rank is ``rank`` or unknown."""
        if self.rank not in (None, rank):
            raise ValueError(f"Shape {self} must have rank {rank}")

    def with_rank(self, rank: int) -> TensorShape:
        """This shape, checked to have rank ``rank``."""
        self.assert_has_rank(rank)
        return self if self._dims is not None else TensorShape([None] * rank)

    def merge_with(self, other: Any) -> TensorShape:
        """The shape that knows what both know. ValueError where they disagree."""
        other = TensorShape(other)
        self.assert_is_compatible_with(other)
        if self._dims is None or other._dims is None:
            return other if self._dims is None else self
        return TensorShape(b if a is None else a for a, b in zip(self._dims, other._dims, strict=True))

    def concatenate(self, other: Any) -> TensorShape:
        """The dimensions of this shape followed by those of ``other``."""
        other = TensorShape(other)
        if self._dims is None or other._dims is None:
            return TensorShape(None)
        return TensorShape(self._dims + other._dims)

    def __add__(self, other: Any) -> TensorShape:
        return self.concatenate(other)

    def __radd__(self, other: Any) -> TensorShape:
        return TensorShape(other).concatenate(self)

    def __len__(self) -> int:
        return len(self._known())

    def __iter__(self) -> Iterator[Any]:
        return iter(self._known())

    def __getitem__(self, key: Any) -> Any:
        part = self._known()[key]
        return TensorShape(part) if isinstance(key, slice) else part

    def __bool__(self) -> bool:
        return self._dims is not None

    def __eq__(self, other: object) -> bool:
        try:
            return self._dims == TensorShape(other)._dims
        except (TypeError, ValueError, AttributeError):
            return False

    def __hash__(self) -> int:
        return hash(self._dims)

    def __repr__(self) -> str:
        return f"TensorShape({None if self._dims is None else list(self._dims)})"

    def __str__(self) -> str:
        return "<unknown>" if self._dims is None else str(self._dims)

    def __reduce__(self) -> tuple:
        return TensorShape, (self._dims,)


def dims_text(dims: Iterable[Any]) -> str:
    """``[2,3]``: a shape as TensorFlow's messages write it."""
    return "[" + ",".join("?" if d is None else str(d) for d in dims) + "]"


def broadcast(*shapes: Dims) -> Dims:
    """The shape that ``shapes`` broadcast to by NumPy's rules; None stands for an unknown dimension.

    Raises:
        InvalidArgumentError: they do not broadcast.
    """
    out: list[Any] = []
    rank = max((len(s) for s in shapes), default=0)
    for i in range(-rank, 0):
        dim: Any = 1
        for s in shapes:
            if len(s) < -i:
                continue
            d = s[i]
            if d == 1 or d == dim:
                continue
            if dim == 1 or (dim is None and d is not None):
                dim = d
            elif d is not None:
                raise invalid(
                    "Incompatible shapes: "
                    + " vs. ".join(map(dims_text, shapes))
                    + ". Dimensions must be equal or 1, aligned from the right."
                )
        out.append(dim)
    return tuple(out)


def check_axis(axis: int, rank: int, what: str = "axis") -> int:
    """``axis`` as a non-negative int. InvalidArgumentError unless ``-rank <= axis < rank``."""
    if not -rank <= axis < rank:
        raise invalid(f"{what} {axis} is out of range for a tensor of rank {rank}: it must lie in [{-rank}, {rank}).")
    return axis % rank if rank else 0


def check_axes(axis: int | Sequence[int] | None, rank: int, what: str = "axis") -> tuple[int, ...]:
    """``axis`` (an int, several, or None for all) as sorted non-negative ints without duplicates."""
    if axis is None:
        return tuple(range(rank))
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    out = tuple(check_axis(a, rank, what) for a in axes)
    if len(set(out)) != len(out):
        raise invalid(f"{what} {axes} names a dimension twice (rank {rank}).")
    return tuple(sorted(out))
