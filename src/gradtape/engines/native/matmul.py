"""Matrix products: small ones in register tiles with what follows them applied before the store, large ones by BLAS."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from .emit import FEW
from .fusion import Group
from .ir import F32, I1, I32, I64, PTR, Code, Type, Val, fma
from .loops import across, compute, first_lanes, gather, key, lanes_for, scatter
from .ops import Buf, Map, Product, View, inlined

if TYPE_CHECKING:
    from .program import Frame

SHORT = 64  # operations after a product that are written out for each vector of a block
CUT = 128  # rows or columns of a block, at least,
SHARE = 4_000_000  # and multiplications
UNROLLED = 32  # multiplications of an inner dimension that are written out


def write_product(frame: Frame, group: Group) -> None:
    """Write the group's product, once for each matrix of the batch."""
    p = group.ops[0]
    assert isinstance(p, Product)
    code, batch = frame.code, p.out.shape[:-2]
    x, y = p.reads[:2]
    px, py = frame.pointer(x), frame.pointer(y)
    if not inlined(p):
        pz = frame.pointer(p.out.view())
        one: Val = code.const(1, p.out.t)
        scale = one if p.factor is None else frame.value(p.reads[3])
        if p.base is not None:
            _begin(frame, p)

    def over(axis: int, px: Val, py: Val, index: list[Val]) -> None:
        if axis < len(batch):

            def turn(i: Val, carried: list[Val]) -> list[Val]:
                qx, qy = (
                    code.offset(q, i * v.strides[axis], v.t.size) if v.strides[axis] else q
                    for q, v in ((px, x), (py, y))
                )
                over(axis + 1, qx, qy, [*index, i])
                return []

            code.loop(0, batch[axis], 1, [], turn)
        elif inlined(p):
            Tiles(frame, group, px, py, index).write()
        else:
            at = pz
            for i, s in zip(index, p.out.view().strides, strict=False):
                at = code.offset(at, i * s, p.out.t.size) if s else at
            share(frame, p, px, py, at, -scale if p.negative else scale)

    over(0, px, py, [])


class Cut:
    """How a large product is cut for threads: along the rows of the result or along its columns, which changes no sum.

    Attributes:
        rows: along the rows.
        size, count: rows or columns of a block, and the number of blocks.
        n: rows or columns in all.
    """

    def __init__(self, p: Product, cores: int) -> None:
        self.rows = p.m > p.n
        self.n = p.m if self.rows else p.n
        count = max(
            1, min(cores, self.n // CUT, p.m * p.n * p.k // SHARE)
        )  # each block packs the whole other matrix anew
        self.size = -(-self.n // (count * 64)) * 64
        self.count = -(-self.n // self.size)


def share(frame: Frame, p: Product, px: Val, py: Val, pz: Val, scale: Val) -> None:
    """Offer a product that is BLAS's to the pool, perhaps in one piece: BLAS is to start no threads for it."""
    code, module, cut = frame.code, frame.code.module, Cut(p, frame.host.cores)
    table = code.stack(32, 16)
    for i, v in enumerate((px, py, pz, scale)):
        code.store(v, code.offset(table, 8 * i))
    x, y = p.reads[:2]
    views = [(v.shape[-2:], v.strides[-2:]) for v in (x, y)]
    key = ("product", p.out.t, *views, p.base is None)
    known = key in module.internal
    name = module.internal.setdefault(key, f"product{len(module.internal)}")
    module.declare("parallel.products", "void {}(ptr, ptr, i64)")
    code.write(f"call void @parallel.products(ptr @{name}, ptr {table.name}, i64 {cut.count})")
    if known:
        return
    body = Code(module, name, [(PTR, 0), (I64, 0), (I64, 0)], "void", "internal", "nounwind")
    given, first, last = body.params
    px, py, pz = (body.load(body.offset(given, 8 * i), PTR) for i in range(3))
    scale = body.load(body.offset(given, 24), p.out.t)

    def block(b: Val, carried: list[Val]) -> list[Val]:
        at = b * cut.size
        size = (body.int(cut.n) - at).intrinsic("smin", body.int(cut.size))
        if cut.rows:
            gemm(
                body,
                frame.host,
                p,
                body.offset(px, at * x.strides[-2], x.t.size),
                py,
                body.offset(pz, at * p.n, x.t.size),
                scale,
                m=size,
            )
        else:
            gemm(
                body,
                frame.host,
                p,
                px,
                body.offset(py, at * y.strides[-1], x.t.size),
                body.offset(pz, at, x.t.size),
                scale,
                n=size,
            )
        return []

    body.loop(first, last, 1, [], block)
    body.write("ret void")
    body.close()


def _begin(frame: Frame, p: Product) -> None:
    """Let the result begin as its base, where it does not lie there already."""
    code, pz, old = frame.code, frame.pointer(p.out.view()), frame.pointer(p.base)  # type: ignore[arg-type]
    moved = code.effect(f"icmp ne ptr {pz.name}, {old.name}", I1)
    code.when(moved, lambda: copy(code, pz, old, p.out.bytes))


# -- BLAS --------------------------------------------------------------------------------------------------------------------


def copy(code: Code, to: Val, source: Val, size: int) -> None:
    """Move bytes, which may overlap only by being the same."""
    code.call("memmove", PTR, 0, [to, source, code.int(size)], pure=False)


def gemm(
    code: Code, host: Any, p: Product, px: Val, py: Val, pz: Val, scale: Val, m: Val | None = None, n: Val | None = None
) -> None:
    """Call BLAS: it counts columns first, and so computes zᵀ = scale·yᵀ xᵀ, to which it adds what is there if the product has a base.

    Args:
        code, host, p: the product, and where it is written.
        px, py, pz: addresses of the matrices, or of the parts of them to take.
        scale: a factor.
        m, n: rows and columns of the part of the result that is wanted.
    """
    t, name = p.out.t, "blas.sgemm" if p.out.t is F32 else "blas.dgemm"
    integer = I64 if host.wide_blas else I32

    def layout(v: View, rows: int, columns: int) -> tuple[str, int]:
        s, u = v.strides[-2:]
        if u == 1 and (s >= columns or rows == 1):
            return "N", max(s, columns)
        return "T", max(u, rows)

    x, y = p.reads[:2]
    (tx, ldx), (ty, ldy) = layout(x, p.m, p.k), layout(y, p.k, p.n)

    def place(n: Val) -> Val:
        at = code.stack(8, 8)
        code.store(n, at)
        return at

    def number(n: int | Val) -> Val:
        return place(n.to(integer) if isinstance(n, Val) else code.const(n, integer))

    def letter(c: str) -> Val:
        return place(code.const(ord(c), I32))

    alpha, beta = place(scale), place(code.const(0 if p.base is None else 1, t))
    args = [
        letter(ty),
        letter(tx),
        number(p.n if n is None else n),
        number(p.m if m is None else m),
        number(p.k),
        alpha,
        py,
        number(ldy),
        px,
        number(ldx),
        beta,
        pz,
        number(p.n),
    ]
    code.module.declare(name, f"void {{}}({', '.join(['ptr'] * len(args))})")
    code.write(f"call void @{name}({', '.join(f'ptr {a.name}' for a in args)})")


# -- register tiles --------------------------------------------------------------------------------------------------------------


class Tiles:
    """One product of matrices in registers: blocks of the result are summed over k, finished and stored."""

    def __init__(self, frame: Frame, group: Group, px: Val, py: Val, index: list[Val]) -> None:
        p = group.ops[0]
        assert isinstance(p, Product)
        self.frame, self.group, self.p, self.code, self.px, self.py, self.index = (
            frame,
            group,
            p,
            frame.code,
            px,
            py,
            index,
        )
        self.t: Type = p.out.t
        self.sx, self.sy = list(p.reads[0].strides[-2:]), list(p.reads[1].strides[-2:])
        self.live = 0

    def write(self) -> None:
        """Write the loops in the form that the operands' layouts ask for."""
        p = self.p
        if p.form == "packed":
            self._pack()
        if p.form == "dots":
            self._dots()
        else:
            self._tiles("rows" if p.form == "rows" else "columns")

    def _pack(self) -> None:
        """Copy y, so that the columns of a row lie side by side."""
        code, p, size = self.code, self.p, self.t.size
        room = self.frame.scratch(self.group)
        lanes = lanes_for(code, self.frame.lanes, [size], p.k)
        sk, sn = self.sy

        def block(k: Val, live: int) -> None:
            """Elements k, k + 1, ... of each column: read along the column, written ``n`` apart."""

            def column(j: Val, carried: list[Val]) -> list[Val]:
                at = code.offset(code.offset(self.py, k * sk, size), j * sn, size)
                to = code.offset(code.offset(room, k * p.n, size), j, size)
                if sk == 1:
                    v = code.load(at, self.t, lanes, code.mask)
                else:
                    v = gather(code, at, self.t, sk, lanes, live or lanes)
                scatter(code, v, to, p.n, live or lanes)
                return []

            code.loop(0, p.n, 1, [], column)

        if not lanes:
            code.loop(
                0,
                p.n,
                1,
                [],
                lambda j, c: (
                    code.store(code.load(code.offset(self.py, j * sn, size), self.t), code.offset(room, j, size)),
                    [],
                )[1],
            )
        else:
            full = p.k // lanes * lanes
            code.loop(0, full, lanes, [], lambda k, c: (block(k, 0), [])[1])
            if p.k > full:
                code.mask = first_lanes(code, p.k - full, lanes)
                block(code.int(full), p.k - full)
                code.mask = None
        self.py, self.sy = room, [p.n, 1]

    # -- vectors along the columns of y, or along the rows of x

    def _tiles(self, along: str) -> None:
        code, p = self.code, self.p
        wide = along == "columns"
        length, count = (p.n, p.m) if wide else (p.m, p.n)
        self.lanes = lanes = lanes_for(code, self.frame.lanes, [self.t.size], length)
        step = max(lanes, 1)
        full = length // step
        registers = 32 if self.frame.wide_registers else 16
        # as many vectors side by side as divide the length, then as many rows as the registers hold
        across_ = next((c for c in (4, 3, 2, 1) if full % c == 0), 1) if full else 1
        if full > 4 and across_ == 1:
            across_ = 2
        most = max(1, min((registers - across_ - 2) // across_, 8 if across_ > 1 else 12))
        down = next((d for d in range(min(most, count), max(1, most // 2) - 1, -1) if count % d == 0), min(most, count))

        def column(start: Val, vectors: int) -> None:
            whole = count // down * down
            code.loop(0, whole, down, [], lambda i, c: (self._tile(i, down, start, vectors, wide), [])[1])
            if count > whole:
                with code.scope():
                    self._tile(code.int(whole), count - whole, start, vectors, wide)

        blocks = full // across_ * across_
        code.loop(0, blocks * step, across_ * step, [], lambda j, c: (column(j, across_), [])[1])
        if full > blocks:
            column(code.int(blocks * step), full - blocks)
        if length > full * step:
            self.live = length - full * step
            code.mask = first_lanes(code, self.live, lanes)
            column(code.int(full * step), 1)
            self.live, code.mask = 0, None

    def _tile(self, i: Val, down: int, j: Val, vectors: int, wide: bool) -> None:
        """``down`` lines from i on (rows of x, or columns of y), by ``vectors`` vectors from j on."""
        code, t, lanes, size = self.code, self.t, self.lanes, self.t.size
        (xm, xk), (yk, yn) = self.sx, self.sy
        # one operand gives single elements, the other vectors
        ones, so, ko = (self.px, xm, xk) if wide else (self.py, yn, yk)
        many, sm, km = (self.py, yn, yk) if wide else (self.px, xm, xk)
        ones = code.offset(ones, i * so, size) if so else ones
        many = code.offset(many, j * sm, size) if sm else many
        step = max(lanes, 1)

        def turn(k: Val, accs: list[Val]) -> list[Val]:
            a, b = (code.offset(q, k * s, size) if s else q for q, s in ((ones, ko), (many, km)))
            vs = [
                code.load(code.offset(b, v * step * sm, size), t, lanes, code.mask)
                if sm or not lanes
                else code.load(b, t).spread(lanes)
                for v in range(vectors)
            ]
            out = []
            for d in range(down):
                e = code.load(code.offset(a, d * so, size), t)
                out += [self._madd(e, v, accs[d * vectors + n]) for n, v in enumerate(vs)]
            return out

        accs = [code.const(0, t, lanes)] * (down * vectors)
        if self.p.k * len(accs) <= UNROLLED:
            for k in range(self.p.k):
                accs = turn(code.int(k), accs)
        else:
            accs = code.loop(0, self.p.k, 1, accs, turn)
        if len(accs) * sum(16 if isinstance(op, Map) and op.cost > FEW else 1 for op in self.group.ops) <= SHORT:
            for d in range(down):
                for v in range(vectors):
                    row, at = i + d if d else i, j + v * step if v else j
                    self._finish(*((row, at) if wide else (at, row)), accs[d * vectors + v], lanes, wide)
            return
        # much to do afterwards: written once, in a loop over the block
        size *= step
        block = code.stack(down * vectors * size)
        for n, a in enumerate(accs):
            code.store(a, code.offset(block, n * size))

        def line(d: Val, carried: list[Val]) -> list[Val]:
            def one(v: Val, carried: list[Val]) -> list[Val]:
                value = code.load(code.offset(block, d * vectors + v, size), t, lanes)
                at = (i + d, j + v * step)
                self._finish(*(at if wide else at[::-1]), value, lanes, wide)
                return []

            code.loop(0, vectors, 1, [], one)
            return []

        code.loop(0, down, 1, [], line)

    def _madd(self, x: Val, y: Val, z: Val) -> Val:
        if self.t.kind == "f":
            lanes = max(x.n, y.n, z.n)
            return fma(x.spread(lanes), y.spread(lanes), z)
        return x * y + z

    # -- dot products of rows of x and columns of y

    def _dots(self) -> None:
        code, p, t, size = self.code, self.p, self.t, self.t.size
        self.lanes = lanes = lanes_for(code, self.frame.lanes, [size], p.k)
        step = max(lanes, 1)
        full = p.k // step * step
        rows = next((r for r in (4, 3, 2) if p.m % r == 0), 1) if p.m > 1 else 1
        columns = next((c for c in (4, 3, 2) if p.n % c == 0), 1) if p.n > 1 and rows < 4 else 1
        (xm, _), (_, yn) = self.sx, self.sy

        def block(i: Val, j: Val) -> None:
            a, b = (code.offset(q, n * s, size) if s else q for q, n, s in ((self.px, i, xm), (self.py, j, yn)))

            def turn(k: Val, accs: list[Val]) -> list[Val]:
                xs = [
                    code.load(code.offset(code.offset(a, k, size), r * xm, size), t, lanes, code.mask)
                    for r in range(rows)
                ]
                ys = [
                    code.load(code.offset(code.offset(b, k, size), c * yn, size), t, lanes, code.mask)
                    for c in range(columns)
                ]
                if code.mask is not None:  # ones stand in the lanes that do not count
                    zero = code.const(0, t, lanes)
                    xs = [
                        code.pure(
                            f"select {code.mask.type} {code.mask.name}, {x.type} {x.name}, {zero.type} {zero.name}",
                            t,
                            lanes,
                        )
                        for x in xs
                    ]
                return [self._madd(xs[r], ys[c], accs[r * columns + c]) for r in range(rows) for c in range(columns)]

            accs = code.loop(0, full, step, [code.const(0, t, lanes)] * (rows * columns), turn)
            if p.k > full:
                code.mask = first_lanes(code, p.k - full, lanes)
                accs = turn(code.int(full), accs)
                code.mask = None
            for r in range(rows):
                for c in range(columns):
                    total = across(accs[r * columns + c], lambda u, v: u + v)
                    self._finish(i + r if r else i, j + c if c else j, total, 0, True)

        code.loop(
            0, p.m, rows, [], lambda i, _: (code.loop(0, p.n, columns, [], lambda j, __: (block(i, j), [])[1]), [])[1]
        )

    # -- what follows a product

    def _finish(self, i: Val, j: Val, value: Val, lanes: int, wide: bool) -> None:
        """Apply the group's maps to a vector of the result at (i, j) and store what is wanted."""
        code, rank = self.code, len(self.p.out.shape)
        index = [*self.index, i, j]
        vector = rank - 1 if wide else rank - 2
        known: dict[tuple, Val] = {}

        def address(v: View) -> Val:
            at = self.frame.pointer(v)
            for n, s in zip(index, v.strides, strict=True):
                at = code.offset(at, n if s == 1 else n * s, v.t.size) if s else at
            return at

        def load(v: View) -> Val:
            k = key(v)
            if k not in known:
                s = v.strides[vector] if lanes else 0
                p = address(v)
                known[k] = (
                    code.load(p, v.t)
                    if s == 0
                    else code.load(p, v.t, lanes, code.mask)
                    if s == 1
                    else gather(code, p, v.t, s, lanes, self.live or lanes)
                )
            return known[k]

        def store(v: View, x: Val) -> None:
            p, s = address(v), v.strides[vector] if lanes else 0
            if s == 0:
                code.store(x.lane(0), p)
            elif s == 1:
                code.store(x.spread(lanes), p, code.mask)
            else:
                scatter(code, x.spread(lanes), p, s, self.live or lanes)

        with code.scope():
            if self.p.out in self.group.stores:
                store(self.p.out.view(), value)
            given: dict[Buf, Val] = {self.p.out: value}
            compute(self.frame, self.group, load, _no_index, given, store, _no_fold)


def _no_index(axis: int) -> Val:
    raise NotImplementedError


def _no_fold(*args: object) -> None:
    raise NotImplementedError


def work(p: Product) -> int:
    """Multiplications."""
    return math.prod(p.out.shape) * p.k


__all__ = ["Tiles", "gemm", "work", "write_product"]
