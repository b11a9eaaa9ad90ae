"""BatchedTensor: a tensor that stands for a whole batch of tensors, so that one run of a program serves all of them.

Inside, the array has the batch as its first dimension; outside, shape and rank are those of one member. Every operation that
meets one goes through the row's ``batch`` rule, or, where a row has none, through a loop over the batch. Jacobians carry one batch of
cotangents through the backward pass this way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..core.tensor import Tensor
from ..ground.primitive import Aval, Primitive
from ..primitives import indexing, structure


class BatchedTensor(Tensor):
    """``t`` with its first dimension hidden."""

    __slots__ = ("t",)
    _special = 2  # before traced tensors: a batch may be of those

    def __init__(self, t: Tensor) -> None:
        self.t = t
        self._a = Aval(t._shape[1:], t._d)
        self._d = t._d
        self._k = 0

    def _interpret(self, p: Primitive, xs: tuple, attrs: dict[str, Any]) -> Any:
        batched = tuple([isinstance(x, BatchedTensor) for x in xs])
        inner = tuple([x.t if b else x for x, b in zip(xs, batched, strict=True)])
        out = p.batch(p, inner, batched, attrs) if p.batch is not None else loop(p, inner, batched, attrs)
        return tuple([BatchedTensor(o) for o in out]) if p.multi else BatchedTensor(out)

    def numpy(self) -> Any:
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
    outs = f(*[BatchedTensor(x) for x in xs])
    n = xs[0]._shape[0]
    return [None if o is None else unbatch(o, n) for o in outs]


def unbatch(o: Tensor, n: int) -> Tensor:
    """The Tensor inside, or ``o`` repeated ``n`` times where it does not depend on the batch."""
    return o.t if isinstance(o, BatchedTensor) else structure.broadcast_to(o, shape=(n, *o._shape))
