"""Updates by large products, ``w - c·(x y)``, left to BLAS as a whole: it adds to a matrix as fast as it fills one."""

from __future__ import annotations

from collections import defaultdict

from .ops import Body, Buf, Map, Op, Product, View, inlined


def absorb_updates(body: Body) -> None:
    """Rewrite ``w ± c·(x y)`` and ``w ± x y`` as one product each, where the parts are used for nothing else."""
    readers: dict[Buf, list[Op]] = defaultdict(list)
    makers: dict[Buf, list[Op]] = defaultdict(list)
    for op in body.ops:
        for v in op.reads:
            if v.buf is not None:
                readers[v.buf].append(op)
        for b in op.writes:
            makers[b].append(op)
    outs = {v.buf for v in body.outs}
    gone: set[Op] = set()

    def made_for(v: View, reader: Op) -> Op | None:
        """The one operation that makes all of ``v`` for this reader alone."""
        b = v.buf
        if b is None or not v.whole or b in outs or readers[b] != [reader] or len(makers[b]) != 1:
            return None
        return makers[b][0]

    for at, op in enumerate(body.ops):
        if not isinstance(op, Map) or op.name not in ("add", "subtract") or not op.out.whole:
            continue
        for base, term in ((0, 1), (1, 0)) if op.name == "add" else ((0, 1),):
            w, made, factor = op.reads[base], made_for(op.reads[term], op), None
            scaled = made
            if isinstance(made, Map) and made.name == "multiply":
                for k in (0, 1):
                    c, p = made.reads[1 - k], made_for(made.reads[k], made)
                    if isinstance(p, Product) and c.scalar:
                        made, factor = p, c
                        break
            if not isinstance(made, Product) or inlined(made) or len(made.domain) != 2 or made.base is not None:
                continue
            if w.buf is None or w.buf.scalar or not w.whole or w.shape != made.domain or op.out.shape != made.domain:
                continue
            new = Product(*made.reads, op.out.buf)  # type: ignore[arg-type]
            new.update(w, factor, op.name == "subtract")
            body.ops[at] = new
            gone |= {made} if scaled is made else {made, scaled}  # type: ignore[arg-type]
            break
    if gone:
        body.ops[:] = [op for op in body.ops if op not in gone]
