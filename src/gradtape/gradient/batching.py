"""BatchedTensor: a tensor that stands for a whole batch of tensors, so that one run of a program serves all of them.

Inside, the array has the batch as its first dimension; outside, shape and rank are those of one member. Every operation that
meets one goes through the row's ``batch`` rule, or, where a row has none, through a loop over the batch. Jacobians carry one batch of
cotangents through the backward pass this way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..core.state import state
from ..core.tensor import Tensor
from ..ground.primitive import Aval, Primitive
from ..primitives import indexing, structure


@contextmanager
def new_level() -> Iterator[int]:
    """The level of a new batch: above those of all batches around it, and above traced tensors."""
    state.batches += 1
    try:
        yield state.batches + 1
    finally:
        state.batches -= 1


class BatchedTensor(Tensor):
    """``t`` with its first dimension hidden. Batches nest: each operation unwraps those of the highest level among its inputs."""

    __slots__ = ("_special", "t")

    def __init__(self, t: Tensor, level: int) -> None:
        self.t = t
        self._special = level
        self._a = Aval(t._shape[1:], t._d)
        self._d = t._d
        self._k = 0

    def _interpret(self, p: Primitive, xs: tuple, attrs: dict[str, Any]) -> Any:
        level = self._special
        batched = tuple([x._special == level for x in xs])
        inner = tuple([x.t if b else x for x, b in zip(xs, batched, strict=True)])
        out = p.batch(p, inner, batched, attrs) if p.batch is not None else loop(p, inner, batched, attrs)
        out = tuple([BatchedTensor(o, level) for o in out]) if p.multi else BatchedTensor(out, level)
        # tapes around the batch have heard of the inner tensors; those opened inside know these
        for tape in state.tapes:
            tape._record(p, xs, out, attrs)
        return out

    def numpy(self) -> Any:
        """No single value: TypeError."""
        raise TypeError("A batched tensor has no single value: NumPy functions and Python control flow cannot read it.")

    __array__ = __bool__ = __int__ = __float__ = __index__ = numpy  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<batch of {self.t._shape[0]} tensors: shape={self.shape}, dtype={self._d.name}>"

    __str__ = __repr__


def loop(p: Primitive, xs: tuple, batched: tuple[bool, ...], attrs: dict[str, Any]) -> Any:
    """``p`` on each member of the batch in turn, the results stacked."""
    n = next(x._shape[0] for x, b in zip(xs, batched, strict=True) if b)
    outs = [
        p(*[indexing.take_one(x, 0, i) if b else x for x, b in zip(xs, batched, strict=True)], **attrs)
        for i in range(n)
    ]
    if p.multi:
        return tuple([structure.stack(*members, axis=0) for members in zip(*outs, strict=True)])
    return structure.stack(*outs, axis=0)


def batch_call(f: Callable, xs: list[Tensor]) -> Any:
    """``f`` on each member of the batches ``xs`` at once; gives a flat list of Tensors with the batch in front, None where ``f`` gave None."""
    with new_level() as level:
        outs = f(*[BatchedTensor(x, level) for x in xs])
        n = xs[0]._shape[0]
        return [None if o is None else unbatch(o, n, level) for o in outs]


def unbatch(o: Tensor, n: int, level: int) -> Tensor:
    """The Tensor inside, or ``o`` repeated ``n`` times where it does not depend on the batch."""
    if isinstance(o, BatchedTensor) and o._special == level:
        return o.t
    return structure.broadcast_to(o, shape=(n, *o._shape))
