"""Native kernels for windows that leave channels apart: pooling and depthwise convolutions. ``windows`` says what the tables are.

Vectors lie along the channels; ``taps[k]`` is the byte offset of element k of the window.
"""

from __future__ import annotations

from .host import Host
from .ir import I8, I32, Code, Type, Val, fma, where
from .windows import SOME, Body


def _channels(b: Body, body: object) -> None:
    """``body(c, mask)`` for each vector of channels."""
    channels = b.word("channels")
    count, _ = b.quotient(channels + (b.lanes - 1), b.code.int(b.lanes))
    b.each(0, count, 1, lambda i: body(i * b.lanes, b.first_lanes(channels - i * b.lanes)))  # type: ignore[operator]


def _share(b: Body, block: Val) -> tuple[Val, Val]:
    """The first place of a block, and the one after its last."""
    first = block * b.word("share")
    return first, b.least(first + b.word("share"), b.word("places"))


def _float(code: Code, table: Val, p: Val, t: Type) -> Val:
    return code.load(code.offset(table, p, t.size), t)


MAXIMA = ("x", "out", "tap", "at", "start", "taps", "n", "channels", "places", "share")


def maxima(h: Host, t: Type, tap: Type) -> str:
    """The maximum of each window, and which element attains it first; ``start[p]`` is the first inside the array. A NaN is larger than all."""
    b = Body(h, t, MAXIMA)
    code, lanes = b.code, b.lanes

    def work(block: Val) -> None:
        x, out, taps_out, at, start, taps = map(b.pointer, ("x", "out", "tap", "at", "start", "taps"))

        def place(p: Val) -> None:
            source = code.offset(x, b.entry(at, p))
            first = code.load(code.offset(start, p, 4), I32)
            row = p * b.word("channels")

            def channel(c: Val, mask: Val) -> None:
                here = code.offset(source, c, t.size)

                def element(k: Val, carried: list[Val]) -> list[Val]:
                    best, which = carried
                    v = code.load(code.offset(here, b.entry(taps, k)), t, lanes, mask)
                    better = v.compare("ugt", "sgt", best) & best.compare("ord", "", best)
                    return [where(better, v, best), where(better, k.to(I32).spread(lanes), which)]

                lowest = code.const(float("-inf"), t, lanes)
                best, which = code.loop(0, b.word("n"), 1, [lowest, first.spread(lanes)], element, least=1)
                code.store(best, code.offset(out, row + c, t.size), mask)
                code.store(which.to(tap), code.offset(taps_out, row + c, tap.size), mask)

            _channels(b, channel)

        b.each(*_share(b, block), 1, place)

    return b.blocks(work)


SUMS = ("x", "w", "out", "at", "taps", "n", "channels", "places", "share")
DOWN = 4  # places at a time, which share the loads of the weights


def sums(h: Host, t: Type, weighted: bool) -> str:
    """out[p, c] = Σ x[at[p] + taps[k] + c] · w[k, c]; without weights, the sum divided by w[p]."""
    b = Body(h, t, SUMS)
    code, lanes, size = b.code, b.lanes, t.size

    def work(block: Val) -> None:
        x, w, out, at, taps = map(b.pointer, ("x", "w", "out", "at", "taps"))
        channels = b.word("channels")

        def tile(p: Val, down: int) -> None:
            sources = [code.offset(x, b.entry(at, p + i)) for i in range(down)]

            def channel(c: Val, mask: Val) -> None:
                here = [code.offset(s, c, size) for s in sources]

                def element(k: Val, carried: list[Val]) -> list[Val]:
                    tap = b.entry(taps, k)
                    vs = [code.load(code.offset(s, tap), t, lanes, mask) for s in here]
                    if not weighted:
                        return [s + v for s, v in zip(carried, vs, strict=True)]
                    weight = code.load(code.offset(w, k * channels + c, size), t, lanes, mask)
                    return [fma(v, weight, s) for s, v in zip(carried, vs, strict=True)]

                totals = code.loop(0, b.word("n"), 1, b.zeros(down), element, least=1)
                for i, total in enumerate(totals):
                    if not weighted:
                        total = total / _float(code, w, p + i, t)
                    code.store(total, code.offset(out, (p + i) * channels + c, size), mask)

            _channels(b, channel)

        first, last = _share(b, block)
        whole, _ = b.quotient(last - first, code.int(DOWN))
        middle = first + whole * DOWN
        b.each(first, middle, DOWN, lambda p: tile(p, DOWN))
        b.each(middle, last, 1, lambda p: tile(p, 1))

    return b.blocks(work)


SHARED = ("g", "w", "out", "to", "taps", "n", "channels", "places", "share")


def shared(h: Host, t: Type, how: str, tap: Type, add: bool) -> str:
    """What each place gives to the elements of its window: out[to[p] + taps[k] + c], added up or, where windows do not overlap, put.

    ``how`` is "tap": all to the element w[p, c]; "weight": g · w[k, c]; "mean": g / w[p].
    """
    b = Body(h, t, SHARED)
    code, lanes, size = b.code, b.lanes, t.size

    def work(block: Val) -> None:
        g, w, out, to, taps = map(b.pointer, ("g", "w", "out", "to", "taps"))
        channels = b.word("channels")

        def place(p: Val) -> None:
            target = code.offset(out, b.entry(to, p))
            row = p * channels

            def channel(c: Val, mask: Val) -> None:
                given = code.load(code.offset(g, row + c, size), t, lanes, mask)
                if how == "mean":
                    given = given / _float(code, w, p, t)
                elif how == "tap":
                    chosen = code.load(code.offset(w, row + c, tap.size), tap, lanes, mask)
                here = code.offset(target, c, size)

                def element(k: Val) -> None:
                    at = code.offset(here, b.entry(taps, k))
                    v = given
                    if how == "tap":
                        v = where(chosen.eq(k.to(tap).spread(lanes)), given, code.const(0, t, lanes))
                    elif how == "weight":
                        v = given * code.load(code.offset(w, k * channels + c, size), t, lanes, mask)
                    code.store(code.load(at, t, lanes, mask) + v if add else v, at, mask)

                b.each(0, b.word("n"), 1, element)

            _channels(b, channel)

        b.each(*_share(b, block), 1, place)

    return b.blocks(work)


WEIGHTS = ("x", "g", "out", "at", "taps", "n", "channels", "places", "share", "part")


def weights(h: Host, t: Type) -> str:
    """out[k, c] += Σ x[at[p] + taps[k] + c] · g[p, c] over a share of the places, which has an output of its own."""
    b = Body(h, t, WEIGHTS)
    code, lanes, size = b.code, b.lanes, t.size

    def work(block: Val) -> None:
        x, g, at, taps = map(b.pointer, ("x", "g", "at", "taps"))
        out = code.offset(b.pointer("out"), block * b.word("part"))
        channels, n = b.word("channels"), b.word("n")
        first, last = _share(b, block)

        def some(start: Val) -> None:
            stop = b.least(start + SOME, last)

            def channel(c: Val, mask: Val) -> None:
                x0, g0 = code.offset(x, c, size), code.offset(g, c, size)

                def elements(k: Val, down: int) -> None:
                    steps = [b.entry(taps, k + i) for i in range(down)]
                    cells = [code.offset(out, (k + i) * channels + c, size) for i in range(down)]

                    def place(p: Val, carried: list[Val]) -> list[Val]:
                        here = code.offset(x0, b.entry(at, p))
                        given = code.load(code.offset(g0, p * channels, size), t, lanes, mask)
                        return [
                            fma(code.load(code.offset(here, s), t, lanes, mask), given, total)
                            for s, total in zip(steps, carried, strict=True)
                        ]

                    before = [code.load(cell, t, lanes, mask) for cell in cells]
                    for total, cell in zip(code.loop(start, stop, 1, before, place, least=1), cells, strict=True):
                        code.store(total, cell, mask)

                whole, _ = b.quotient(n, code.int(DOWN))
                b.each(0, whole * DOWN, DOWN, lambda k: elements(k, DOWN))
                b.each(whole * DOWN, n, 1, lambda k: elements(k, 1))

            _channels(b, channel)

        count, _ = b.quotient(last - first + (SOME - 1), code.int(SOME))
        b.each(first, first + count * SOME, SOME, some)

    return b.blocks(work)


TAPS = {1: I8, 4: I32}  # the types of the numbers of a window's elements, by size
