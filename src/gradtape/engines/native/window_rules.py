"""How convolutions and maximum poolings of little data are lowered: what windows meet is gathered into a matrix, and the rest is one product.

For much data the kernels of ``convolving`` and ``sliding`` are faster, and use threads. But each of them is a call from Python between two programs,
which takes longer than a small convolution, and a program that is in one piece can run many steps in one call.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ...ground.graph import Node
from ...primitives.convolution import Window
from .emit import Emitter
from .ir import I1, I32, Val
from .lower import Lowering, rule
from .ops import View

Shape = tuple[int, ...]
MOST = 1 << 23  # multiplications
PATCHES = 1 << 20  # elements that windows meet
TAPS = 16  # elements of a window of which the largest is looked for


def _some_floats(n: Node) -> bool:
    """Whether it is floats that are computed with, and there is something of all."""
    return n.outs[0].aval.dtype.is_floating and all(0 not in v.aval.shape for v in (*n.ins, *n.outs))


def _little(places: int, window: int, c: int, f: int) -> bool:
    return places * window * c <= PATCHES and places * window * c * f <= MOST


def _stretched(low: Lowering, x: View, pads: Sequence[tuple[int, int]], steps: Shape, value: float = 0.0) -> View:
    """``x`` [n, ..., c] with ``value`` around it, and between elements that get ``steps`` apart."""
    if not any(map(any, pads)) and all(s == 1 for s in steps):
        return x if x.buf is not None and not x.buf.scalar else low.copy(x)
    to = [slice(a, a + (d - 1) * s + 1, s) for d, s, (a, _) in zip(x.shape[1:-1], steps, pads, strict=True)]
    out = low.new((x.shape[0], *(t.stop + b for t, (_, b) in zip(to, pads, strict=True)), x.shape[-1]), x.t).view()
    low.put(low.number(value, x.t), out)
    low.put(x, out.index((slice(None), *to)))
    return out


def _patches(
    low: Lowering, x: View, pads: Sequence[tuple[int, int]], steps: Shape, places: Shape, size: Shape, window: Window
) -> View:
    """A matrix with a row for each place: what the window meets there. The gradient by the filters reads the one that the convolution has made."""
    key = (id(x.buf), x.offset, x.strides, x.shape, tuple(pads), steps, places, size, window)
    if key not in low.patches:
        y = _stretched(low, x, pads, steps)
        n, *along, c = y.strides
        strides = (
            n,
            *(a * s for a, s in zip(along, window.strides, strict=True)),
            *(a * d for a, d in zip(along, window.dilations, strict=True)),
            c,
        )
        met = View(y.buf, (x.shape[0], *places, *size, x.shape[-1]), y.t, y.offset, strides, None, y.after)
        low.patches[key] = low.reshape(met, (x.shape[0] * math.prod(places), math.prod(size) * x.shape[-1])), x.buf
    return low.patches[key][0]


def _met(low: Lowering, x: View, places: Shape, size: Shape, window: Window) -> View:
    from .convolving import reached

    pads = reached(x.shape[1:-1], places, size, window)
    return _patches(low, x, pads, (1,) * len(size), places, size, window)


def _conv_native(n: Node) -> bool:
    w, y = n.ins[1].aval.shape, n.outs[0].aval.shape
    return _some_floats(n) and n.attrs["window"].groups == 1 and _little(math.prod(y[:-1]), math.prod(w[:-2]), *w[-2:])


@rule("conv", _conv_native)
def _(low: Lowering, n: Node, x: View, w: View) -> View:
    out, size = n.outs[0].aval.shape, w.shape[:-2]
    met = _met(low, x, out[1:-1], size, n.attrs["window"])
    return low.reshape(low.product(met, low.reshape(w, (math.prod(w.shape[:-1]), w.shape[-1])), tiles=True), out)


def _conv_filter_native(n: Node) -> bool:
    w, y = n.outs[0].aval.shape, n.ins[1].aval.shape
    return _some_floats(n) and n.attrs["window"].groups == 1 and _little(math.prod(y[:-1]), math.prod(w[:-2]), *w[-2:])


@rule("conv_filter", _conv_filter_native)
def _(low: Lowering, n: Node, x: View, y: View) -> View:
    out = n.outs[0].aval.shape
    met = _met(low, x, y.shape[1:-1], out[:-2], n.attrs["window"])
    return low.reshape(low.product(met.transpose((1, 0)), low.reshape(y, (met.shape[0], out[-1])), tiles=True), out)


def _conv_input_native(n: Node) -> bool:
    (*size, c, f), out, window = n.ins[0].aval.shape, n.outs[0].aval.shape, n.attrs["window"]
    inside = all(a <= (k - 1) * d for k, d, (a, _) in zip(size, window.dilations, window.padding, strict=True))
    return _some_floats(n) and inside and window.groups == 1 and _little(math.prod(out[:-1]), math.prod(size), f, c)


@rule("conv_input", _conv_input_native)
def _(low: Lowering, n: Node, w: View, y: View) -> View:
    """Input i meets element k at place (i + p - d·k) / s: a convolution by the filters turned around, of y with s - 1 zeros between its elements."""
    out, window, (*size, c, f) = n.outs[0].aval.shape, n.attrs["window"], w.shape
    pads, used = [], []
    for i, o, k, s, (p, _), d in zip(
        out[1:-1], y.shape[1:-1], size, window.strides, window.padding, window.dilations, strict=True
    ):
        before, o = (k - 1) * d - p, min(o, (i + p - 1) // s + 1)
        pads.append((before, max(0, i + p - 1 - (o - 1) * s)))
        used.append(slice(0, o))
    plain = Window((1,) * len(size), ((0, 0),) * len(size), window.dilations)
    met = _patches(low, y.index((slice(None), *used)), pads, window.strides, out[1:-1], tuple(size), plain)
    turned = w.index((slice(None, None, -1),) * len(size))
    turned = turned.transpose((*range(len(size)), len(size) + 1, len(size)))
    return low.reshape(low.product(met, low.reshape(turned, (math.prod(size) * f, c)), tiles=True), out)


# -- maxima ------------------------------------------------------------------------------------------------------------------


def _is_larger(x: Val, best: Val) -> Val:
    """A NaN is larger than all, and the first one stays."""
    return x.compare("ugt", "sgt", best) & best.compare("ord", "", best)


def _max_pool_native(n: Node) -> bool:
    return _some_floats(n) and math.prod(n.attrs["size"]) <= TAPS and math.prod(n.outs[0].aval.shape) <= PATCHES


@rule("max_pool", _max_pool_native, carries=lambda n: n.outs[1:])
def _(low: Lowering, n: Node, x: View) -> list[View]:
    from .convolving import reached
    from .sliding import _first

    size, window, out = n.attrs["size"], n.attrs["window"], n.outs[0].aval.shape
    pads = reached(x.shape[1:-1], out[1:-1], size, window)
    first = low.number(0, I32)
    if any(map(any, pads)):
        first = low.constant(_first(1, x.shape[1:-1], out[1:-1], size, window).reshape(1, *out[1:-1], 1), I32)
    x = _stretched(low, x, pads, (1,) * len(size), -math.inf)
    best, which = low.number(-math.inf, x.t, out), first.broadcast(out)
    for k, at in enumerate(np.ndindex(*size)):
        of = zip(at, out[1:-1], window.strides, window.dilations, strict=True)
        v = x.index((slice(None), *(slice(j * d, j * d + (o - 1) * s + 1, s) for j, o, s, d in of)))
        larger = low.apply("larger", Emitter(_is_larger), [v, best], I1)
        which = low.map("select", larger, low.number(k, I32), which, out=I32, like=1)
        best = low.map("select", larger, v, best, out=x.t, like=1)
    return [best, which]


def _apart(n: Node) -> bool:
    """Whether the windows meet every element of the array just once."""
    window, whole = n.attrs["window"], n.outs[0].aval.shape[1:-1]
    dims = zip(
        n.attrs["size"], window.strides, window.padding, window.dilations, n.ins[0].aval.shape[1:-1], whole, strict=True
    )
    return all(k == s and p == (0, 0) and d == 1 and o * s == i for k, s, p, d, o, i in dims)


def _unpool_native(n: Node) -> bool:
    return _some_floats(n) and _apart(n) and math.prod(n.outs[0].aval.shape) <= PATCHES


@rule("unpool", _unpool_native, carries=lambda n: n.ins[1:])
def _(low: Lowering, n: Node, g: View, tap: View) -> View:
    size, out = n.attrs["size"], n.outs[0].aval.shape
    # each place has a dimension for the elements of its window behind its own
    split = (out[0], *(m for o, k in zip(g.shape[1:-1], size, strict=True) for m in (o, k)), out[-1])
    spread = (slice(None), *(i for _ in size for i in (slice(None), None)))
    numbers = np.arange(math.prod(size)).astype(f"i{tap.t.size}")
    k = low.constant(numbers.reshape((1, *(m for k in size for m in (1, k)), 1)), tap.t)
    chosen = low.apply("chosen", Emitter(lambda tap, k: tap.eq(k)), [tap.index(spread).broadcast(split), k], I1)
    given = g.index(spread).broadcast(split)
    return low.reshape(low.map("select", chosen, given, low.number(0, g.t), out=g.t, like=1), out)
