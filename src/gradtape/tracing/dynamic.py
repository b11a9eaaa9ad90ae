"""Gradients of operations whose shapes are not known while tracing.

Gradient rules compute with shapes. Where a traced shape has unknown dimensions, the rule is left for the run: a ``vjp`` row takes the
cotangents, inputs and outputs, and applies the rule to the tensors they then are.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.dispatch import apply
from ..core.state import apart
from ..core.tensor import Tensor
from ..gradient.forward import apply_vjp
from ..ground.dtypes import of_numpy
from ..ground.primitive import Aval, Plan, Primitive
from ..primitives.indexing import IndexedSlices
from ..primitives.structure import zeros_like
from .replay import pulled_back
from .trace import ruled


def tensors_of(arrays: Any) -> list[Tensor]:
    """The arrays that a kernel was given as eager tensors."""
    return [Tensor(a, of_numpy[np.asarray(a).dtype]) for a in arrays]


def _vjp_tensors(
    ts: list[Tensor], row: Primitive, n: int, attrs: dict, wanted: tuple[int, ...], present: tuple[int, ...]
) -> list[Tensor]:
    """The cotangents of the inputs ``wanted`` of ``row``, by its own rules, on tensors of known shape: cotangents, inputs, outputs."""
    k = len(present)
    xs, outs = tuple(ts[k : k + n]), ts[k + n :]
    ds = apply_vjp(row, xs, outs, attrs, wanted, dict(zip(present, ts, strict=False)))
    ds = [d.to_dense() if isinstance(d, IndexedSlices) else d for d in ds]
    return [zeros_like(xs[i]) if d is None else d for i, d in zip(wanted, ds, strict=True)]


def _vjp_kernel(*arrays: Any, **attrs: Any) -> tuple:
    with apart():
        return tuple([d._a for d in _vjp_tensors(tensors_of(arrays), **attrs)])


def _vjp_shape(
    *avals: Aval, row: Primitive, n: int, attrs: dict, wanted: tuple[int, ...], present: tuple[int, ...]
) -> list[Aval]:
    return [avals[len(present) + i] for i in wanted]


def _vjp_joint(g: tuple, wanted: tuple, xs: tuple, out: tuple, attrs: dict) -> list:
    return pulled_back(lambda ts: _vjp_tensors(ts, **attrs), xs, wanted, g)


def _vjp_settled(ts: list[Tensor], attrs: dict) -> list[Tensor] | None:
    """By the rule, as soon as that can know what it has to."""
    row = attrs["row"]
    if ruled(vjp_row, attrs).outside or (row.needs == "shapes" and any([None in t._shape for t in ts])):
        return None
    return _vjp_tensors(ts, **attrs)


vjp_row = Primitive("vjp", "*xs", _vjp_kernel, shape=_vjp_shape, joint=_vjp_joint, settle=_vjp_settled, holomorphic=False, multi=True, dynamic=True, surrogate=True,
                    cases=lambda rng: [], doc="The gradient rule of another row, applied when the program runs.")  # fmt: skip


class Later:
    """Stands for a row in a tape's record of a traced operation of unknown shape."""

    broadcasts = holomorphic = elementwise = sparse = False

    def __init__(self, p: Primitive) -> None:
        self.p = p
        self.name, self.tf, self.multi = p.name, p.tf, p.multi
        self.plans: dict[int, Plan | None] = {}

    def plan(self, mask: int) -> Plan | None:
        """All inputs and outputs are residuals."""
        real = self.p.plan(mask)
        plan = None
        if real is not None:
            wanted = real.vjps if self.p.joint is not None else tuple([i for i, _ in real.vjps])
            plan = Plan(wanted, True, None, True)
        self.plans[mask] = plan
        return plan

    def joint(self, g: Any, wanted: tuple[int, ...], xs: tuple, out: Any, attrs: dict | None) -> list:
        """A ``vjp`` row."""
        gs, outs = (g, out) if self.multi else ((g,), (out,))
        present = tuple([j for j, c in enumerate(gs) if c is not None])
        inputs = [*[gs[j] for j in present], *xs, *outs]
        return list(apply(vjp_row, *inputs, row=self.p, n=len(xs), attrs=attrs or {}, wanted=wanted, present=present))
