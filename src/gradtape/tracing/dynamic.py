"""Gradients of operations whose shapes are not known while tracing.

Gradient rules compute with shapes. Where a traced shape has unknown dimensions, the rule is left for the run: a ``vjp`` row takes the
cotangents, inputs and outputs, and applies the rule to the tensors they then are.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.dispatch import apply
from ..core.state import state
from ..core.tensor import Tensor
from ..gradient.driver import backward
from ..gradient.tape import GradientTape
from ..ground.dtypes import of_numpy
from ..ground.primitive import Aval, Plan, Primitive
from ..primitives.indexing import IndexedSlices
from ..primitives.structure import zeros_like


def unknown(avals: Any) -> bool:
    """Whether some dimension of some abstract value is not known."""
    return any(None in a.shape for a in avals)


def _split(ts: Any, n: int, present: tuple[int, ...]) -> tuple[list, list, list]:
    """(cotangents, inputs, outputs) of the inputs of a ``vjp`` row."""
    k = len(present)
    return list(ts[:k]), list(ts[k : k + n]), list(ts[k + n :])


def _vjp_tensors(
    ts: list[Tensor], row: Primitive, n: int, attrs: dict, wanted: tuple[int, ...], present: tuple[int, ...]
) -> list[Tensor]:
    """The cotangents of the inputs ``wanted`` of ``p``, by its own rules, on tensors of known shape."""
    gs, xs, outs = _split(ts, n, present)
    p = row
    plan = p.plan(sum(1 << i for i in wanted))
    assert plan is not None
    keys = tuple(range(1, n + 1))
    out_keys = tuple(range(n + 1, n + 1 + len(outs)))
    shapes = tuple([x._shape for x in xs])
    out: Any = tuple(outs) if p.multi else outs[0]
    record = (p, plan.vjps, keys, tuple(xs), shapes, out, out_keys if p.multi else out_keys[0], attrs)
    cotangents = {out_keys[j]: g for j, g in zip(present, gs, strict=True)}
    found = backward([record], cotangents, {keys[i] for i in wanted}, None, False)
    ds = [found.get(keys[i]) for i in wanted]
    ds = [d.to_dense() if isinstance(d, IndexedSlices) else d for d in ds]
    return [zeros_like(xs[i]) if d is None else d for i, d in zip(wanted, ds, strict=True)]


def _vjp_kernel(*arrays: Any, **attrs: Any) -> tuple:
    outer, state.tapes, trace, state.trace = state.tapes, (), state.trace, None
    try:
        ts = [Tensor(a, of_numpy[np.asarray(a).dtype]) for a in arrays]
        return tuple([d._a for d in _vjp_tensors(ts, **attrs)])
    finally:
        state.tapes, state.trace = outer, trace


def _vjp_shape(
    *avals: Aval, row: Primitive, n: int, attrs: dict, wanted: tuple[int, ...], present: tuple[int, ...]
) -> list[Aval]:
    return [avals[len(present) + i] for i in wanted]


def _vjp_joint(g: tuple, wanted: tuple, xs: tuple, out: tuple, attrs: dict) -> list:
    with GradientTape() as tape:
        tape.watch([x for x in xs if x._d.is_inexact])
        ys = _vjp_tensors(list(xs), **attrs)
    some = [(y, c) for y, c in zip(ys, g, strict=True) if c is not None]
    return tape.gradient([y for y, _ in some], [xs[i] for i in wanted], output_gradients=[c for _, c in some])


vjp_row = Primitive("vjp", "*xs", _vjp_kernel, shape=_vjp_shape, joint=_vjp_joint, holomorphic=False, multi=True, dynamic=True, surrogate=True,
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
