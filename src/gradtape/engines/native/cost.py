"""How long operations take, roughly: to decide whether to release Python's lock, to look for Ctrl-C, to use threads."""

from __future__ import annotations

from typing import Any

from .emit import LIBM
from .fusion import Group
from .matmul import work
from .ops import Draw, Fold, Map, Product, Scan, Scatter, Take, inlined
from .plan import Plan


def cost(g: Group, p: Plan, host: Any) -> float:
    """Nanoseconds that a group takes; loops inside count one turn."""
    n = 1
    for d in g.domain:
        n *= d
    total = 1.0
    lanes = host.width / 4 if n > 1 else 1
    for op in g.ops:
        if isinstance(op, Map):
            total += n * (LIBM if op.cost >= LIBM else 16 * op.cost / lanes)
        elif isinstance(op, Fold):
            total += n * 0.6 / lanes
        elif isinstance(op, Product):
            total += work(op) * (0.3 / lanes if inlined(op) else 0.01)
        elif isinstance(op, Take):
            total += op.out.bytes * 0.05 + 2 * op.reads[1].size
        elif isinstance(op, Draw):
            total += op.out.size * 1.5
        elif isinstance(op, Scan):
            total += op.out.size * (1.5 if op.dims[2] == 1 else 0.1)
        elif isinstance(op, Scatter):
            total += op.reads[1].size * 0.5 + (0 if op.base is not None else op.out.bytes * 0.03)
        else:
            total += sum(cost(h, q, host) for q in p.inner[op] for h in q.groups)
    return total
