"""Native kernels for convolutions and pooling: loops over places, with the sums of a tile of places and filters held in registers.

They know nothing of dimensions, strides or paddings. What the window meets is told by tables of byte offsets: ``at[p]`` for a place p and
``runs[r]`` for a row of the window whose elements lie side by side in memory. So one kernel serves every convolution of a dtype; it
differs by the shape of its tile alone, and is compiled once.

Every function is ``void f(ptr table, i64 first, i64 last)`` over blocks of work, for the pool of threads. The words of the table are named
by the functions that write it, in ``convolving`` and ``sliding``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .host import Host
from .ir import I32, I64, PTR, Code, Type, Val, fma, where


class Body:
    """The code of one function over blocks of work."""

    def __init__(self, h: Host, t: Type, words: Sequence[str]) -> None:
        self.module = h.module()
        self.code = Code(self.module, "f", [(PTR, 0), (I64, 0), (I64, 0)], "void", "", "nounwind")
        self.t, self.lanes = t, h.lanes(t.size)
        self.words = {name: i for i, name in enumerate(words)}

    def word(self, name: str) -> Val:
        """A number of the table."""
        return self._word(name, I64)

    def pointer(self, name: str) -> Val:
        """An address of the table."""
        return self._word(name, PTR)

    def _word(self, name: str, t: Type) -> Val:
        at = self.code.offset(self.code.params[0], 8 * self.words[name])
        return self.code.load(at, t)

    def blocks(self, body: Callable[[Val], None]) -> str:
        """``body`` for each block; gives the IR."""
        code = self.code
        _, first, last = code.params
        code.loop(first, last, 1, [], lambda b, _: (body(b), [])[1])
        code.write("ret void")
        code.close()
        return self.module.text

    def each(self, start: Val | int, stop: Val | int, step: int, body: Callable[[Val], None]) -> None:
        """A loop that carries nothing."""
        self.code.loop(start, stop, step, [], lambda i, _: (body(i), [])[1])

    def least(self, x: Val, y: Val | int) -> Val:
        """The smaller of two integers."""
        return where(x < y, x, y)

    def quotient(self, x: Val, y: Val) -> tuple[Val, Val]:
        """x // y and x % y of numbers that are not negative."""
        q = self.code.pure(f"udiv i64 {x.name}, {y.name}", I64)
        return q, x - q * y

    def entry(self, table: Val, i: Val | int) -> Val:
        """An entry of a table of numbers."""
        return self.code.load(self.code.offset(table, i, 8), I64)

    def first_lanes(self, n: Val) -> Val:
        """The mask of the first ``n`` lanes; of all or none where n is large or negative."""
        lanes = self.code.lanes_of(range(self.lanes), I32)
        bounded = self.least(where(n < 0, 0, n), self.lanes)
        return lanes < bounded.to(I32).spread(self.lanes)

    def zeros(self, n: int) -> list[Val]:
        """``n`` vectors of zeros."""
        return [self.code.const(0, self.t, self.lanes)] * n


PRODUCTS = ("x", "w", "out", "at", "to", "runs", "n", "length", "places", "share", "parts", "filters", "x_group", "out_group", "w_group", "w_block", "groups")  # fmt: skip


def products(h: Host, t: Type, down: int, vectors: int) -> str:
    """out[to[p] + f] = Σ x[at[p] + runs[r] + k] · w[r, k, f] for each place p: a convolution.

    A tile is ``down`` places by ``vectors`` vectors of filters; w is packed in blocks of so many filters.
    """
    b = Body(h, t, PRODUCTS)
    code, size, lanes = b.code, t.size, b.lanes
    wide = vectors * lanes

    def work(block: Val) -> None:
        x, out, at, to, runs = map(b.pointer, ("x", "out", "at", "to", "runs"))
        group, part = b.quotient(block, b.word("parts"))
        first = part * b.word("share")
        last = b.least(first + b.word("share"), b.word("places"))
        x = code.offset(x, group * b.word("x_group"))
        out = code.offset(out, group * b.word("out_group"))
        w = code.offset(b.pointer("w"), group * b.word("w_group"))
        n, bytes_, filters, w_block = b.word("n"), b.word("length") * size, b.word("filters"), b.word("w_block")
        blocks, _ = b.quotient(filters + (wide - 1), code.int(wide))

        def filter_block(f: Val) -> None:
            here = code.offset(w, f * w_block)
            column = f * wide
            masks = [b.first_lanes(filters - column - v * lanes) for v in range(vectors)]

            def tile(p: Val, down: int) -> None:
                xs = [code.offset(x, b.entry(at, p + i)) for i in range(down)]

                def run(r: Val, carried: list[Val]) -> list[Val]:
                    start = b.entry(runs, r)

                    def element(k: Val, carried: list[Val]) -> list[Val]:
                        w, *sums = carried
                        ws = [code.load(code.offset(w, v * lanes * size), t, lanes) for v in range(vectors)]
                        for i in range(down):
                            e = code.load(code.offset(xs[i], k), t).spread(lanes)
                            for v in range(vectors):
                                sums[i * vectors + v] = fma(e, ws[v], sums[i * vectors + v])
                        return [code.offset(w, wide * size), *sums]

                    return code.loop(start, start + bytes_, size, carried, element, least=1)

                _, *sums = code.loop(0, n, 1, [here, *b.zeros(down * vectors)], run, least=1)
                for i in range(down):
                    row = code.offset(code.offset(out, b.entry(to, p + i)), column, size)
                    for v in range(vectors):
                        code.store(sums[i * vectors + v], code.offset(row, v * lanes * size), masks[v])

            whole, rest = b.quotient(last - first, code.int(down))
            b.each(first, first + whole * down, down, lambda p: tile(p, down))

            def remaining() -> None:
                code.choose(
                    whole > 0,
                    lambda: (tile(last - down, down), [])[1],  # some once more
                    lambda: (b.each(first, last, 1, lambda p: tile(p, 1)), [])[1],
                )

            code.when(rest > 0, remaining)

        b.each(0, blocks, 1, filter_block)

    return b.blocks(work)


SPREAD = ("y", "w", "out", "at", "to", "runs", "n", "length", "places", "filters", "y_group", "out_group", "w_group", "w_run", "w_block", "groups")  # fmt: skip


def spread(h: Host, t: Type, down: int, vectors: int) -> str:
    """out[to[p] + runs[r] + f] += Σ y[at[p] + k] · w[r, k, f] for each place p of an image: a transposed convolution.

    A block of work is an image, as windows overlap.
    """
    b = Body(h, t, SPREAD)
    code, size, lanes = b.code, t.size, b.lanes
    wide = vectors * lanes

    def work(block: Val) -> None:
        image, group = b.quotient(block, b.word("groups"))
        at, to, runs = map(b.pointer, ("at", "to", "runs"))
        places, bytes_, filters = b.word("places"), b.word("length") * size, b.word("filters")
        first = image * places
        last = first + places
        y = code.offset(b.pointer("y"), group * b.word("y_group"))
        out = code.offset(b.pointer("out"), group * b.word("out_group"))
        w = code.offset(b.pointer("w"), group * b.word("w_group"))
        blocks, _ = b.quotient(filters + (wide - 1), code.int(wide))

        def run(r: Val) -> None:
            start = b.entry(runs, r)

            def filter_block(f: Val) -> None:
                here = code.offset(code.offset(w, r * b.word("w_run")), f * b.word("w_block"))
                column = f * wide
                masks = [b.first_lanes(filters - column - v * lanes) for v in range(vectors)]
                base = code.offset(code.offset(out, start), column, size)

                def tile(p: Val, down: int) -> None:
                    ys = [code.offset(y, b.entry(at, p + i)) for i in range(down)]

                    def element(k: Val, carried: list[Val]) -> list[Val]:
                        w, *sums = carried
                        ws = [code.load(code.offset(w, v * lanes * size), t, lanes) for v in range(vectors)]
                        for i in range(down):
                            e = code.load(code.offset(ys[i], k), t).spread(lanes)
                            for v in range(vectors):
                                sums[i * vectors + v] = fma(e, ws[v], sums[i * vectors + v])
                        return [code.offset(w, wide * size), *sums]

                    _, *sums = code.loop(0, bytes_, size, [here, *b.zeros(down * vectors)], element, least=1)
                    for i in range(down):
                        row = code.offset(base, b.entry(to, p + i))
                        for v in range(vectors):
                            place = code.offset(row, v * lanes * size)
                            code.store(code.load(place, t, lanes, masks[v]) + sums[i * vectors + v], place, masks[v])

                whole, _ = b.quotient(last - first, code.int(down))
                middle = first + whole * down
                b.each(first, middle, down, lambda p: tile(p, down))
                b.each(middle, last, 1, lambda p: tile(p, 1))

            b.each(0, blocks, 1, filter_block)

        b.each(0, b.word("n"), 1, run)

    return b.blocks(work)


GATHERED = ("x", "y", "out", "at", "runs", "n", "length", "places", "share", "filters", "blocks", "groups", "x_group", "y_group", "y_place", "out_part", "out_group", "out_block")  # fmt: skip
SOME = 256  # places at a time, whose inputs stay in cache


def gathered(h: Host, t: Type, down: int, rest: int, vectors: int, ragged: bool) -> str:
    """out[r, k, f] += Σ x[at[p] + runs[r] + k] · y[p, f] over a share of the places: the gradient by the filters.

    A tile is ``down`` elements k (``rest`` at the end of a run) by ``vectors`` vectors of filters. Each share has an output of its own.
    """
    b = Body(h, t, GATHERED)
    code, size, lanes = b.code, t.size, b.lanes
    wide = vectors * lanes

    def work(block: Val) -> None:
        q, column = b.quotient(block, b.word("blocks"))
        part, group = b.quotient(q, b.word("groups"))
        first = part * b.word("share")
        last = b.least(first + b.word("share"), b.word("places"))
        at, runs, length, y_place = b.pointer("at"), b.pointer("runs"), b.word("length"), b.word("y_place")
        x = code.offset(b.pointer("x"), group * b.word("x_group"))
        y = code.offset(code.offset(b.pointer("y"), group * b.word("y_group")), column * (wide * size))
        out = code.offset(b.pointer("out"), part * b.word("out_part"))
        out = code.offset(code.offset(out, group * b.word("out_group")), column * b.word("out_block"))
        live = b.word("filters") - column * wide
        masks = [b.first_lanes(live - v * lanes) if ragged else None for v in range(vectors)]

        def some(start: Val) -> None:
            stop = b.least(start + SOME, last)
            y0 = code.offset(y, start * y_place)

            def run(r: Val) -> None:
                x0 = code.offset(x, b.entry(runs, r))
                out0 = code.offset(out, r * length * (wide * size))

                def tile(k: Val, down: int) -> None:
                    x1 = code.offset(x0, k, size)
                    out1 = code.offset(out0, k * (wide * size))
                    cells = [
                        code.offset(out1, (i * vectors + v) * lanes * size) for i in range(down) for v in range(vectors)
                    ]

                    def place(p: Val, carried: list[Val]) -> list[Val]:
                        y, *sums = carried
                        here = code.offset(x1, b.entry(at, p))
                        ys = [code.load(code.offset(y, v * lanes * size), t, lanes, masks[v]) for v in range(vectors)]
                        for i in range(down):
                            e = code.load(code.offset(here, i * size), t).spread(lanes)
                            for v in range(vectors):
                                sums[i * vectors + v] = fma(e, ys[v], sums[i * vectors + v])
                        return [code.offset(y, y_place), *sums]

                    _, *sums = code.loop(start, stop, 1, [y0, *[code.load(c, t, lanes) for c in cells]], place, least=1)
                    for s, c in zip(sums, cells, strict=True):
                        code.store(s, c)

                whole = length - rest
                b.each(0, whole, down, lambda k: tile(k, down))
                if rest:
                    tile(whole, rest)

            b.each(0, b.word("n"), 1, run)

        count, _ = b.quotient(last - first + (SOME - 1), code.int(SOME))
        b.each(first, first + count * SOME, SOME, some)

    return b.blocks(work)
