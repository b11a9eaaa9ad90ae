"""The one gradient driver: records in, cotangents out. Iterative, linear in the number of records."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..core.state import state
from ..ground.errors import invalid
from ..ground.primitive import Primitive
from ..primitives import elementwise as ew
from ..primitives.indexing import IndexedSlices
from ..primitives.reduction import sum_to


class Record(NamedTuple):
    """One operation as a tape keeps it (as a plain tuple, in this order). ``ins`` and ``out`` hold only the residuals."""

    p: Primitive
    vjps: tuple
    in_keys: tuple[int, ...]
    ins: tuple | None
    shapes: tuple[tuple, ...] | None  # None where a broadcasting row met equal shapes
    out: Any
    out_key: Any  # an int; a tuple of ints for a row with several outputs
    attrs: dict[str, Any] | None


def accumulate(a: Any, b: Any) -> Any:
    """The sum of two cotangents; sparse ones stay sparse while both are."""
    if type(a) is IndexedSlices or type(b) is IndexedSlices:
        if type(a) is type(b):
            return a._merge(b)
        a, b = (x.to_dense() if type(x) is IndexedSlices else x for x in (a, b))
    if a._d is not b._d:
        raise invalid(
            f"A gradient rule gave a cotangent of dtype {b._d.name} where others are {a._d.name}: it must have its input's dtype."
        )
    return ew.add(a, b)


def reachable(records: list, keys: set[int]) -> set[int]:
    """The keys of all values that depend on ``keys``."""
    reach = set(keys)
    for r in records:
        if not reach.isdisjoint(r[2]):
            k = r[6]
            if type(k) is int:
                reach.add(k)
            else:
                reach.update(k)
    return reach


listener: Any = None  # while somebody listens to backward passes: may do one itself, or answer None


def backward(
    records: list, cotangents: dict[int, Any], keep: set[int], reach: set[int] | None, free: bool
) -> dict[int, Any]:
    """Carry ``cotangents`` (by key) from the outputs back through ``records``.

    Args:
        records: what a tape recorded, oldest first.
        cotangents: the cotangent of each target; changed in place and returned.
        keep: keys whose cotangents are wanted at the end; others are dropped once used.
        reach: where given, cotangents flow only to these keys.
        free: take the records off the list as they are used, so that residuals go as early as they can.
    """
    if listener is not None and (done := listener(records, cotangents, keep, reach, free)) is not None:
        return done
    pending = cotangents
    pop = records.pop
    trace = state.trace  # which is told whose gradient it is that is being traced
    i = len(records)
    while i:
        i -= 1
        p, vjps, in_keys, ins, shapes, out, out_key, attrs = pop() if free else records[i]
        if trace is not None:
            trace.pulls_back(p, out_key[0] if p.multi else out_key)
        if p.multi:
            g = tuple([_dense(pending.get(k) if k in keep else pending.pop(k, None)) for k in out_key])
            if all([c is None for c in g]):
                continue
            conjugate = p.holomorphic and any([c is not None and c._d.is_complex for c in g])
        else:
            if out_key not in pending:
                continue
            g = _dense(pending[out_key]) if out_key in keep else pending.pop(out_key)
            conjugate = g._d.is_complex and p.holomorphic
        if conjugate:
            g = _conj(g)
        if p.joint is not None:
            wanted = vjps if reach is None else tuple([n for n in vjps if in_keys[n] in reach])
            for n, c in zip(wanted, p.joint(g, wanted, ins, out, attrs) if wanted else (), strict=True):
                if c is not None:
                    k = in_keys[n]
                    c = c if k in keep else _dense(c)
                    pending[k] = accumulate(pending[k], c) if k in pending else c
            continue
        for n, vjp in vjps:
            k = in_keys[n]
            if reach is not None and k not in reach:
                continue
            d: Any = g
            if vjp is not None:
                try:
                    d = vjp(g, ins, shapes, out, attrs)
                except LookupError as e:
                    if e.args == ("not implemented",):
                        raise LookupError(
                            f"gradient registry has no entry for: {p.tf} (the derivative of {p.name!r} is not implemented)"
                        ) from None
                    raise
                if d is None:
                    continue
            if conjugate:
                d = ew.conj(d)
            if p.sparse and k not in keep:
                d = _dense(d)
            if shapes is not None and p.broadcasts and d._a.shape != shapes[n]:
                d = sum_to(d, shapes[n])
            if k in pending:
                d = accumulate(pending[k], d)
            pending[k] = d
    if trace is not None:
        trace.pulls_back(None, 0)
    return pending


def _dense(g: Any) -> Any:
    return g.to_dense() if type(g) is IndexedSlices else g


def _conj(g: Any) -> Any:
    return tuple([None if c is None else ew.conj(c) for c in g]) if type(g) is tuple else ew.conj(g)
