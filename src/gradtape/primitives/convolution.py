"""Convolutions in any number of spatial dimensions, channels last.

All of them come from one number that is linear in each of three arrays,

    A(x, w, y) = Σ x[n, s·o + d·k - p, c] · w[k, c, f] · y[n, o, f],

with the strides s, the dilations d, the zeros p before the input, and c and f running within a group of channels. Its derivative by y
is the convolution, that by x the transposed one, that by w the gradient of the filters: the rows ``conv``, ``conv_input`` and
``conv_filter``. So each row's gradients are the other two with the cotangent in the place of the array that it gives, to any order.

The kernels here are NumPy's: products of matrices over patches, a block of them at a time so that they stay in cache. Where there is a
native engine, it puts its own into ``native``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from ..ground.dtypes import FLOAT, INT
from ..ground.errors import invalid
from ..ground.primitive import Aval, Primitive
from ..ground.shapes import dims_text
from . import structure as st

Shape = tuple[int, ...]
PATCHES = 1 << 19  # bytes of patches at a time
native: Any = (
    None  # where there is an engine: has conv, conv_input and conv_filter, which give None for what they leave to NumPy
)


class Window(NamedTuple):
    """How a window goes over an array: a number, or a pair of them, for each spatial dimension."""

    strides: Shape
    padding: tuple[tuple[int, int], ...]  # zeros before and after
    dilations: Shape
    groups: int = 1

    def places(self, spatial: tuple, size: tuple) -> tuple:
        """Where a window of ``size`` fits along each dimension: the shape of the output.

        Raises:
            InvalidArgumentError: it does not fit.
        """
        out: list[Any] = []
        for n, k, s, (a, b), d in zip(spatial, size, self.strides, self.padding, self.dilations, strict=True):
            if n is None or k is None:
                out.append(None)
                continue
            room = n + a + b - (k - 1) * d - 1 + s
            if room < 0 or k < 1:
                raise invalid(
                    f"Computed output size would be negative: a window of {k} elements {d} apart does not fit into {n} elements with "
                    f"{a} and {b} zeros around them."
                )
            out.append(room // s)
        return tuple(out)


def overlap(n: int, o: int, k: int, s: int, p: int, d: int) -> tuple[slice, slice]:
    """The places among ``o`` at which element ``k`` of the window lies inside the array of ``n``, and what it meets there."""
    first = max(0, -((k * d - p) // s))
    last = min(o, (n - 1 + p - k * d) // s + 1)
    start = first * s + k * d - p
    return slice(first, max(first, last)), slice(start, start + max(0, (last - first - 1) * s + 1), s)


@lru_cache(maxsize=256)
def taps(spatial: Shape, places: Shape, size: Shape, window: Window) -> tuple:
    """For each element of the window: its index, and by ``overlap`` the part of the output and the part of the input that it joins."""
    out = []
    for at in np.ndindex(*size):
        pairs = [
            overlap(n, o, k, s, p, d)
            for n, o, k, s, (p, _), d in zip(
                spatial, places, at, window.strides, window.padding, window.dilations, strict=True
            )
        ]
        out.append((at, (slice(None), *(a for a, _ in pairs)), (slice(None), *(b for _, b in pairs))))
    return tuple(out)


# -- shapes ----------------------------------------------------------------------------------------------------------------


def _check_rank(what: str, x: Aval, window: Window) -> None:
    d = len(window.strides)
    if x.ndim != d + 2:
        raise invalid(
            f"The {what} of a convolution in {d} spatial dimension(s) must have {d + 2} dimensions, but {dims_text(x.shape)} has {x.ndim}."
        )


def _check_dtypes(x: Aval, y: Aval) -> None:
    if x.dtype != y.dtype:
        raise invalid(
            f"A convolution needs tensors of one dtype: got {x.dtype.name} and {y.dtype.name}. Convert one with tf.cast."
        )


def _check_channels(c: Any, each: Any, f: Any, groups: int) -> None:
    if None not in (c, each) and each * groups != c:
        raise invalid(
            f"The input has {c} channels, but the filters take {each}"
            + (
                f" in each of {groups} groups."
                if groups > 1
                else ": the last dimension of the input and the one before last of the filters must agree."
            )
        )
    if f is not None and f % groups:
        raise invalid(f"The number of filters, {f}, must be a multiple of that of the groups, {groups}.")


def _equal(x: tuple, y: tuple) -> bool:
    return len(x) == len(y) and all(a == b or None in (a, b) for a, b in zip(x, y, strict=True))


def _conv_shape(x: Aval, w: Aval, *, window: Window) -> Aval:
    _check_rank("input", x, window)
    _check_rank("filters", w, window)
    _check_dtypes(x, w)
    *size, each, f = w.shape
    _check_channels(x.shape[-1], each, f, window.groups)
    return Aval((x.shape[0], *window.places(x.shape[1:-1], tuple(size)), f), x.dtype)


def _conv_input_shape(w: Aval, y: Aval, *, shape: Shape, window: Window) -> Aval:
    _check_rank("output", y, window)
    _check_rank("filters", w, window)
    _check_dtypes(y, w)
    *size, each, f = w.shape
    _check_channels(None, each, f, window.groups)
    if not _equal((y.shape[-1],), (f,)):
        raise invalid(
            f"The tensor has {y.shape[-1]} channels, but there are {f} filters: shapes {dims_text(y.shape)} and {dims_text(w.shape)}."
        )
    places = window.places(shape, tuple(size))
    if not _equal(y.shape[1:-1], places):
        raise invalid(
            f"An output with spatial dimensions {dims_text(shape)} needs an input with {dims_text(places)}, but it has {dims_text(y.shape[1:-1])}."
        )
    return Aval((y.shape[0], *shape, None if each is None else each * window.groups), y.dtype)


def _conv_filter_shape(x: Aval, y: Aval, *, size: Shape, window: Window) -> Aval:
    _check_rank("input", x, window)
    _check_rank("output", y, window)
    _check_dtypes(x, y)
    c, f, groups = x.shape[-1], y.shape[-1], window.groups
    if c is not None and c % groups:
        raise invalid(f"The number of channels, {c}, must be a multiple of that of the groups, {groups}.")
    _check_channels(None, None, f, groups)
    places = (x.shape[0], *window.places(x.shape[1:-1], size))
    if not _equal(y.shape[:-1], places):
        raise invalid(
            f"The batch and spatial dimensions of the output must be {dims_text(places)}, but are {dims_text(y.shape[:-1])}."
        )
    return Aval((*size, None if c is None else c // groups, f), x.dtype)


# -- kernels -----------------------------------------------------------------------------------------------------------------


def _checked(rule: Any, kernel: Any) -> Any:
    """The kernel behind its shape rule; zeros where there is nothing to sum."""

    def f(a: Any, b: Any, **attrs: Any) -> Any:
        out = rule(Aval(a.shape, a.dtype), Aval(b.shape, b.dtype), **attrs).shape
        if not a.size or not b.size or not math.prod(out):
            return np.zeros(out, a.dtype)
        return kernel(a, b, out, **attrs)

    return f


def padded(x: np.ndarray, window: Window) -> np.ndarray:
    """``x`` with the window's zeros around it."""
    if not any(map(any, window.padding)):
        return x
    out = np.zeros(
        (len(x), *(n + a + b for n, (a, b) in zip(x.shape[1:-1], window.padding, strict=True)), x.shape[-1]), x.dtype
    )
    out[inside(x.shape, window)] = x
    return out


def inside(shape: Shape, window: Window) -> tuple:
    """Where in the padded array the array lies."""
    return (slice(None), *(slice(a, a + n) for n, (a, _) in zip(shape[1:-1], window.padding, strict=True)))


def patches(x: np.ndarray, places: Shape, size: Shape, window: Window) -> Iterator[tuple[tuple, np.ndarray]]:
    """What the window meets at each place in the padded ``x``, some places at a time: which, and an array [n, *places, *size, c]."""
    batch, channels = x.strides[0], x.strides[-1]
    along = x.strides[1:-1]
    view = np.lib.stride_tricks.as_strided(
        x, (len(x), *places, *size, x.shape[-1]),
        (batch, *(t * s for t, s in zip(along, window.strides, strict=True)), *(t * d for t, d in zip(along, window.dilations, strict=True)), channels),
        writeable=False,
    )  # fmt: skip
    line = math.prod(view.shape[2:]) * x.itemsize  # bytes for one place along the first dimension
    lines = max(1, PATCHES // line)
    if lines >= places[0]:
        several = lines // places[0]
        for n in range(0, len(x), several):
            yield (slice(n, n + several),), view[n : n + several]
    else:
        for n in range(len(x)):
            for o in range(0, places[0], lines):
                yield (slice(n, n + 1), slice(o, o + lines)), view[n : n + 1, o : o + lines]


def _filters(w: np.ndarray, groups: int) -> np.ndarray:
    """The filters as one matrix for each group: a column for each filter."""
    f = w.shape[-1]
    w = w.reshape(-1, f)
    return w if groups == 1 else np.moveaxis(w.reshape(len(w), groups, f // groups), 1, 0)


def product(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The product of matrices, or of a stack of them."""
    if x.dtype.kind in "iu":  # BLAS has no integers
        return np.einsum("...ij,...jk->...ik", x, y)
    return x.dot(y) if x.ndim == 2 else np.matmul(x, y)


def _depthwise(w: np.ndarray, window: Window) -> bool:
    """Whether each group has one channel: then the elements of the window are few vectors, not a matrix."""
    return w.shape[-2] == 1 and window.groups > 1


def _by_channel(y: np.ndarray, window: Window) -> np.ndarray:
    """An output of depthwise filters with the filters of each channel as a dimension of their own."""
    return y.reshape(*y.shape[:-1], window.groups, y.shape[-1] // window.groups)


def _conv(x: np.ndarray, w: np.ndarray, out: Shape, *, window: Window) -> np.ndarray:
    if native is not None and (y := native.conv(x, w, out, window)) is not None:
        return y
    size, places, g = w.shape[:-2], out[1:-1], window.groups
    if _depthwise(w, window):
        y = np.zeros(out, x.dtype)
        parts = _by_channel(y, window)
        for k, to, source in taps(x.shape[1:-1], places, size, window):
            parts[to] += x[source][..., None] * w[k].reshape(parts.shape[-2:])
        return y
    y = np.empty(out, x.dtype)
    w = _filters(w, g)
    for at, part in patches(padded(x, window), places, size, window):
        to = y[at]
        rows = to.size // out[-1]
        z = product(_gathered(part, g, rows), w)
        to[...] = (z if g == 1 else np.moveaxis(z, 0, 1)).reshape(to.shape)
    return y


def _gathered(part: np.ndarray, groups: int, rows: int) -> np.ndarray:
    """Patches as a matrix for each group: a row for each place."""
    if groups == 1:
        return part.reshape(rows, -1)
    d = part.ndim - 1
    apart = part.reshape(*part.shape[:-1], groups, part.shape[-1] // groups)
    return np.moveaxis(apart, d, 0).reshape(groups, rows, -1)


def _outputs(y: np.ndarray, groups: int, rows: int) -> np.ndarray:
    """Outputs as a matrix for each group: a row for each place."""
    y = y.reshape(rows, -1)
    return y if groups == 1 else np.moveaxis(y.reshape(rows, groups, -1), 1, 0)


def _conv_input(w: np.ndarray, y: np.ndarray, out: Shape, *, shape: Shape, window: Window) -> np.ndarray:
    if native is not None and (x := native.conv_input(w, y, out, window)) is not None:
        return x
    size, g = w.shape[:-2], window.groups
    x = np.zeros(out, y.dtype)
    joined = taps(shape, y.shape[1:-1], size, window)
    if _depthwise(w, window):
        parts = _by_channel(y, window)
        for k, at, to in joined:
            x[to] += np.einsum("...cm,cm->...c", parts[at], w[k].reshape(parts.shape[-2:]))
        return x
    turned = _filters(w, g).swapaxes(-1, -2)
    several = max(1, PATCHES // (math.prod(y.shape[1:-1]) * math.prod(size) * out[-1] * y.itemsize))
    for n in range(0, len(y), several):
        part = y[n : n + several]
        rows = part.size // part.shape[-1]
        z = product(_outputs(part, g, rows), turned)
        z = (z if g == 1 else np.moveaxis(z, 0, 1)).reshape(*part.shape[:-1], g, *size, out[-1] // g)
        for k, at, to in joined:
            meets = z[at][(..., slice(None), *k, slice(None))]
            x[n : n + several][to] += meets.reshape(*meets.shape[:-2], out[-1])
    return x


def _conv_filter(x: np.ndarray, y: np.ndarray, out: Shape, *, size: Shape, window: Window) -> np.ndarray:
    if native is not None and (w := native.conv_filter(x, y, out, window)) is not None:
        return w
    places, g = y.shape[1:-1], window.groups
    w = np.zeros(out, x.dtype)
    if _depthwise(w, window):
        parts = _by_channel(y, window)
        for k, at, source in taps(x.shape[1:-1], places, size, window):
            met = parts[at]
            w[k] = np.einsum("pc,pcm->cm", x[source].reshape(-1, g), met.reshape(-1, *met.shape[-2:])).reshape(out[-2:])
        return w
    total: Any = 0
    for at, part in patches(padded(x, window), places, size, window):
        met = y[at]
        rows = met.size // met.shape[-1]
        total = total + product(_gathered(part, g, rows).swapaxes(-1, -2), _outputs(met, g, rows))
    return (total if g == 1 else np.moveaxis(total, 0, 1)).reshape(out)


# -- batches -------------------------------------------------------------------------------------------------------------------
# A batch of inputs alone joins the images; where filters are batched, its members become groups of channels.


def _join(x: Any) -> Any:
    """[b, n, ...] as [b·n, ...]."""
    return st.reshape(x, shape=(x._shape[0] * x._shape[1], *x._shape[2:]))


def _part(x: Any, b: int) -> Any:
    """Its inverse."""
    return st.reshape(x, shape=(b, x._shape[0] // b, *x._shape[1:]))


def _to_channels(x: Any, b: int, batched: bool) -> Any:
    """[b, ..., c], or [...,  c] for all members alike, as [..., b·c]."""
    if not batched:
        x = st.broadcast_to(st.expand_dims(x, 0), shape=(b, *x._shape))
    n = len(x._shape)
    x = st.transpose(x, perm=(*range(1, n - 1), 0, n - 1))
    return st.reshape(x, shape=(*x._shape[:-2], b * x._shape[-1]))


def _from_channels(x: Any, b: int) -> Any:
    """Its inverse."""
    n = len(x._shape)
    x = st.reshape(x, shape=(*x._shape[:-1], b, x._shape[-1] // b))
    return st.transpose(x, perm=(n - 1, *range(n - 1), n))


def _batch(filters: int) -> Any:
    """The batch rule of a row whose input number ``filters`` holds the filters; -1: the output does."""

    def rule(p: Primitive, xs: tuple, batched: tuple, attrs: dict) -> Any:
        b = next(x._shape[0] for x, some in zip(xs, batched, strict=True) if some)
        if filters >= 0 and not batched[filters]:
            return _part(p(*[_join(x) if some else x for x, some in zip(xs, batched, strict=True)], **attrs), b)
        window = attrs["window"]
        grouped = {**attrs, "window": window._replace(groups=b * window.groups)}
        return _from_channels(p(*[_to_channels(x, b, some) for x, some in zip(xs, batched, strict=True)], **grouped), b)

    return rule


# -- rows ------------------------------------------------------------------------------------------------------------------------

# input's spatial dimensions, filters' (with the channels of a group, and filters), and how the window goes
_CASES: tuple[tuple[Shape, Shape, Window], ...] = (
    ((5,), (3, 2, 3), Window((1,), ((0, 0),), (1,))),
    ((6,), (3, 1, 4), Window((2,), ((1, 2),), (2,), 2)),
    ((4, 5), (3, 2, 2, 3), Window((1, 1), ((1, 1), (0, 1)), (1, 1))),
    ((5, 4), (2, 3, 2, 2), Window((2, 3), ((0, 1), (2, 0)), (2, 1))),
    ((3, 3), (1, 1, 3, 2), Window((1, 1), ((0, 0), (0, 0)), (1, 1))),
    ((4, 4), (2, 2, 1, 3), Window((2, 1), ((0, 0), (1, 1)), (1, 2), 3)),
    ((3, 4), (2, 2, 2, 4), Window((1, 2), ((1, 0), (0, 0)), (1, 1), 2)),
    ((3, 2, 3), (2, 2, 1, 1, 2), Window((1, 1, 2), ((0, 0), (1, 0), (0, 0)), (1, 1, 1))),
    ((2, 6), (3, 2, 1, 2), Window((1, 1), ((3, 3), (0, 0)), (2, 5))),  # some elements of the window meet zeros alone
)  # fmt: skip


def _arrays(rng: Any, spatial: Shape, w: Shape, window: Window, n: int = 2) -> tuple:
    """An input, filters, and an array like the output."""
    x = (n, *spatial, w[-2] * window.groups)
    y = (n, *window.places(spatial, w[:-2]), w[-1])
    return tuple(rng.uniform(-2, 2, s) for s in (x, w, y))


def _cases(rng: Any) -> Iterator[tuple]:
    for spatial, w, window in _CASES:
        yield *_arrays(rng, spatial, w, window), window


def _reference(x: Any, w: Any, y: Any, window: Window, give: str) -> Any:
    """The derivative of A by one of the arrays, of which only the shape counts, by its definition."""
    out = {"x": np.zeros_like(x), "w": np.zeros_like(w), "y": np.zeros_like(y)}
    each, many = w.shape[-2], w.shape[-1] // window.groups
    for n, *o in np.ndindex(y.shape[:-1]):
        for k in np.ndindex(w.shape[:-2]):
            at = [
                a * s + b * d - p
                for a, s, b, d, (p, _) in zip(o, window.strides, k, window.dilations, window.padding, strict=True)
            ]
            if any(not 0 <= i < m for i, m in zip(at, x.shape[1:-1], strict=True)):
                continue
            i, j = (n, *at), (n, *o)
            for f in range(y.shape[-1]):
                cs = slice(f // many * each, (f // many + 1) * each)
                out["x"][i][cs] += w[k][:, f] * y[j][f]
                out["w"][k][:, f] += x[i][cs] * y[j][f]
                out["y"][j][f] += (x[i][cs] * w[k][:, f]).sum()
    return out[give]


conv = Primitive(
    "conv", "x w", _checked(_conv_shape, _conv), shape=_conv_shape, accepts=FLOAT | INT, multilinear=True, batch=_batch(1),
    grad=(lambda g, w, x_shape, window: conv_input(w, g, shape=x_shape[1:-1], window=window),
          lambda g, x, w_shape, window: conv_filter(x, g, size=w_shape[:-2], window=window)),
    cases=lambda rng: [((x, w), {"window": window}) for x, w, _, window in _cases(rng)],
    reference=lambda x, w, *, window: _reference(x, w, np.zeros((len(x), *window.places(x.shape[1:-1], w.shape[:-2]), w.shape[-1]), x.dtype), window, "y"),
    tf="Conv2D", doc="The convolution (without turning the filters around) of an input [n, ..., c] with filters [..., c / groups, f].",
)  # fmt: skip
conv_input = Primitive(
    "conv_input", "w y", _checked(_conv_input_shape, _conv_input), shape=_conv_input_shape, like=1, accepts=FLOAT | INT, multilinear=True, batch=_batch(0),
    grad=(lambda g, y, w_shape, window: conv_filter(g, y, size=w_shape[:-2], window=window), lambda g, w, window: conv(g, w, window=window)),
    cases=lambda rng: [((w, y), {"shape": x.shape[1:-1], "window": window}) for x, w, y, window in _cases(rng)],
    reference=lambda w, y, *, shape, window: _reference(np.zeros((len(y), *shape, w.shape[-2] * window.groups), y.dtype), w, y, window, "x"),
    tf="Conv2DBackpropInput", doc="The transpose of the convolution with given filters, for inputs of the spatial dimensions ``shape``.",
)  # fmt: skip
conv_filter = Primitive(
    "conv_filter", "x y", _checked(_conv_filter_shape, _conv_filter), shape=_conv_filter_shape, accepts=FLOAT | INT, multilinear=True, batch=_batch(-1),
    grad=(lambda g, y, x_shape, window: conv_input(g, y, shape=x_shape[1:-1], window=window), lambda g, x, window: conv(x, g, window=window)),
    cases=lambda rng: [((x, y), {"size": w.shape[:-2], "window": window}) for x, w, y, window in _cases(rng)],
    reference=lambda x, y, *, size, window: _reference(x, np.zeros((*size, x.shape[-1] // window.groups, y.shape[-1]), x.dtype), y, window, "w"),
    tf="Conv2DBackpropFilter", doc="The gradient of a convolution of x by its filters of the spatial dimensions ``size``, for a cotangent y.",
)  # fmt: skip
