"""Activations, softmax and the losses that are fused with it, and what dropout multiplies with."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..ground.dtypes import FLOAT, REAL
from ..ground.errors import InvalidArgumentError, invalid, user_line
from ..ground.primitive import Aval, Primitive
from ..ground.shapes import check_axis, dims_text
from . import elementwise as ew
from . import reduction as rd
from . import structure as st
from .elementwise import binary, elementwise, unary

_ndarray = np.ndarray

# -- kernels' common parts -----------------------------------------------------------------------------------------------


# np.maximum(x, 0) repeats a scalar element by element; against an array of zeros it runs two to three times as fast.
_BLOCK = 1 << 16
_zero_blocks: dict[Any, np.ndarray] = {}
_zero_views: dict[Any, np.ndarray] = {}


def _zeros(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Zeros, never to be written to, of up to ``_BLOCK`` elements: views of one block for each dtype."""
    key = (shape, dtype)
    view = _zero_views.get(key)
    if view is None:
        if dtype not in _zero_blocks:
            block = np.zeros(_BLOCK, dtype)
            block.flags.writeable = False
            _zero_blocks[dtype] = block
        if len(_zero_views) >= 512:
            _zero_views.clear()
        view = _zero_views[key] = _zero_blocks[dtype][: int(np.prod(shape))].reshape(shape)
    return view


# -- piecewise linear activations ------------------------------------------------------------------------------------------
# Each has a row of its own for its gradient. That row's derivative with respect to the features is zero, not None: so is,
# in TensorFlow, the second derivative of these activations.


def _gate(name: str, kernel: Callable, **row: Any) -> Primitive:
    """The row gradients · slope(features), for a slope that is piecewise constant."""
    row.setdefault("grad", (lambda g, features: gate(g, features), lambda g: st.zeros_like(g)))
    gate = elementwise(
        name,
        "gradients features",
        kernel,
        accepts=row.pop("accepts", REAL),
        widen=row.pop("widen", False),
        avoid=(0, 6),
        **row,
    )
    return gate


def _relu(x: Any) -> Any:
    if type(x) is not _ndarray:
        return x if x > 0 or x != x else x.dtype.type(0)
    if x.size > _BLOCK:
        return np.maximum(x, x.dtype.type(0))
    return np.maximum(x, _zeros(x.shape, x.dtype))


def _relu_into(x: np.ndarray, out: np.ndarray) -> np.ndarray:
    rows = x.size // _ROW
    if rows < 2 or not x.flags.c_contiguous:
        return np.maximum(x, x.dtype.type(0), out=out)
    n = rows * _ROW
    x1, out1 = x.reshape(-1), out.reshape(-1)
    np.maximum(x1[:n].reshape(rows, _ROW), _zeros((_ROW,), x.dtype), out=out1[:n].reshape(rows, _ROW))
    np.maximum(x1[n:], x.dtype.type(0), out=out1[n:])
    return out


_ROW = 1 << 13

relu = unary("relu", _relu, lambda g, out: relu_grad(g, out), (-3, 3), REAL, ufunc=_relu_into, avoid=(0,), widen=False,
             doc="max(x, 0), elementwise. Its gradient at 0 is 0.")  # fmt: skip


def _relu_grad(g: Any, y: Any) -> Any:
    if type(y) is not _ndarray:
        return g * g.dtype.type(y > 0)
    m = np.greater(y, _zeros((), y.dtype)).astype(g.dtype)  # a product of two floats beats one of float and bool
    return np.multiply(g, m, m) if m.shape == g.shape else g * m


def _relu_grad_into(g: np.ndarray, y: np.ndarray, out: np.ndarray) -> np.ndarray:
    np.greater(y, _zeros((), y.dtype), out=out)
    return np.multiply(g, out, out=out)


relu_grad = _gate("relu_grad", _relu_grad, ufunc=_relu_grad_into, domain=((-3, 3), (-3, 3)),
                  doc="The gradients where the features are positive, else 0.")  # fmt: skip

relu6 = unary("relu6", lambda x: np.minimum(_relu(x), x.dtype.type(6)), lambda g, out: relu6_grad(g, out), (-3, 9), REAL, widen=False,
              avoid=(0, 6), doc="min(max(x, 0), 6), elementwise.")  # fmt: skip
relu6_grad = _gate("relu6_grad", lambda g, y: g * ((y > 0) & (y < 6)).astype(g.dtype), domain=((-3, 3), (-3, 9)),
                   doc="The gradients where the features lie between 0 and 6, else 0.")  # fmt: skip


def _leaky_relu(x: Any, *, alpha: float) -> Any:
    zero = x.dtype.type(0)
    return np.maximum(x, zero) + x.dtype.type(alpha) * np.minimum(x, zero)


def _leaky_relu_grad(g: Any, y: Any, *, alpha: float) -> Any:
    t = g.dtype
    m = (y > 0).astype(t)
    return g * (m + t.type(alpha) * (t.type(1) - m))


def _leaky_cases(n: int) -> Callable:
    sign = lambda rng: rng.choice([-1, 1], (2, 3))
    return lambda rng: [
        (tuple(rng.uniform(0.3, 3, (2, 3)) * sign(rng) for _ in range(n)), {"alpha": a}) for a in (0.2, 0.0, 2.0)
    ]


leaky_relu = elementwise("leaky_relu", "x", _leaky_relu, shape=lambda x, *, alpha: x, cases=_leaky_cases(1), accepts=FLOAT, avoid=(0,),
                         grad=(lambda g, x, alpha: leaky_relu_grad(g, x, alpha=alpha),),
                         doc="x where x is positive, else alpha·x.")  # fmt: skip
leaky_relu_grad = _gate("leaky_relu_grad", _leaky_relu_grad, accepts=FLOAT, widen=True, shape=lambda g, y, *, alpha: ew._shape_rule(None)(g, y), cases=_leaky_cases(2),
                        grad=(lambda g, features, alpha: leaky_relu_grad(g, features, alpha=alpha), lambda g: st.zeros_like(g)),
                        doc="The gradients, multiplied by alpha where the features are not positive.")  # fmt: skip


# -- smooth activations ------------------------------------------------------------------------------------------------------

# The fixed point of mean 0 and variance 1 (Klambauer et al. 2017, Self-Normalizing Neural Networks, equation 14).
_ALPHA = 1.6732632423543772848170429916717
_SCALE = 1.0507009873554804934193349852946


def _elu(x: Any) -> Any:
    return np.maximum(x, 0) + np.expm1(np.minimum(x, 0))


elu = unary("elu", _elu, lambda g, out: g * (ew.minimum(st.zeros_like(out), out) + 1), (-3, 3), FLOAT, avoid=(0,),
            doc="x where x is positive, else exp(x) - 1.")  # fmt: skip


def _selu(x: Any) -> Any:
    return x.dtype.type(_SCALE) * np.maximum(x, 0) + x.dtype.type(_SCALE * _ALPHA) * np.expm1(np.minimum(x, 0))


selu = unary("selu", _selu,
             lambda g, out: g * ew.select(ew.less(out, st.zeros_like(out)), out + _SCALE * _ALPHA, st.full_like(out, value=_SCALE)),
             (-3, 3), FLOAT, avoid=(0,), doc="elu with the scales that keep mean 0 and variance 1 from layer to layer.")  # fmt: skip
softsign = unary("softsign", lambda x: x / (1 + np.abs(x)), lambda g, x: g * ew.square(ew.reciprocal(1 + ew.abs(x))),
                 (-3, 3), FLOAT, avoid=(0,), doc="x / (1 + |x|), elementwise.")  # fmt: skip

# x·Φ(x), Φ the normal distribution function (Hendrycks & Gimpel 2016, Gaussian Error Linear Units), and its approximation
# x/2·(1 + tanh(u)) = x·sigmoid(2u) with 2u = c·(x + 0.044715·x³), c = 2·sqrt(2/π). Neither is written with 1 + erf or
# 1 + tanh, which cancel for negative x.
_C, _CUBIC = 2 * math.sqrt(2 / math.pi), 0.044715


def _gelu(x: Any, *, approximate: bool) -> Any:
    if approximate:
        return x / (1 + np.exp(-_C * x * (1 + _CUBIC * (x * x))))
    import scipy.special

    return 0.5 * x * scipy.special.erfc(-math.sqrt(0.5) * x)


def _d_gelu(g: Any, x: Any, approximate: bool) -> Any:
    if approximate:
        s = ew.sigmoid(_C * x * (1 + _CUBIC * ew.square(x)))
        return g * (s + x * s * (1 - s) * (_C + 3 * _C * _CUBIC * ew.square(x)))
    return g * (0.5 * ew.erfc(-math.sqrt(0.5) * x) + x * ew.exp(-0.5 * ew.square(x)) * (1 / math.sqrt(2 * math.pi)))


gelu = elementwise("gelu", "x", _gelu, shape=lambda x, *, approximate: x, grad=(_d_gelu,), accepts=FLOAT,
                   cases=lambda rng: [((rng.uniform(-3, 3, (2, 3)),), {"approximate": a}) for a in (False, True)],
                   doc="x·Φ(x) with the normal distribution function Φ, or its approximation by tanh.")  # fmt: skip

# -- softmax -----------------------------------------------------------------------------------------------------------------
# The attribute `axis` is one non-negative int. NumPy is slow at reducing many short rows, so those are turned to columns.


def _short_rows(x: Any, axis: int) -> bool:
    """Whether turning ``x`` pays: it is reduced along its last axis, and that is short and has many rows."""
    n = x.shape[axis]
    return n <= 32 and axis == x.ndim - 1 and x.size >= 64 * n


def _columns(x: np.ndarray) -> np.ndarray:
    """``x`` as a matrix of one row for each class."""
    return x.reshape(-1, x.shape[-1]).T.copy()


def _rows(y: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The inverse of ``_columns``."""
    return np.ascontiguousarray(y.T).reshape(shape)


def _shifted(x: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """t = x - max(x), exp(t) and sum(exp(t)): no exponential overflows and the sum is at least 1."""
    t = x - np.maximum.reduce(x, axis, keepdims=True)
    e = np.exp(t)
    return t, e, np.add.reduce(e, axis, keepdims=True)


def _softmax(x: Any, *, axis: int) -> Any:
    if not x.size:
        return np.empty_like(x)
    if _short_rows(x, axis):
        return _rows(_softmax(_columns(x), axis=0), x.shape)
    _, e, s = _shifted(x, axis)
    return np.divide(e, s, out=e)


def _log_softmax(x: Any, *, axis: int) -> Any:
    if not x.size:
        return np.empty_like(x)
    if _short_rows(x, axis):
        return _rows(_log_softmax(_columns(x), axis=0), x.shape)
    t, _, s = _shifted(x, axis)
    return np.subtract(t, np.log(s), out=t)


def _along(x: Aval, *, axis: int) -> Aval:
    check_axis(axis, x.ndim)
    if not x.ndim:
        raise invalid("softmax needs a tensor of at least one dimension, but got a scalar.")
    return x


def _needs_axis(kernel: Callable) -> Callable:
    def f(x: Any, *, axis: int) -> Any:
        if axis >= x.ndim:
            raise ValueError("axis out of range")
        return kernel(x, axis=axis)

    return f


def _softmax_cases(rng: Any) -> list:
    return [
        ((rng.uniform(-3, 3, s),), {"axis": a})
        for s, a in (((4,), 0), ((2, 3), 1), ((2, 3), 0), ((2, 3, 2), 1), ((2, 40), 1))
    ]


def _softmax_row(name: str, kernel: Callable, grad: Callable, jvp: Callable, reference: str, doc: str) -> Primitive:
    def scipy_value(x: Any, *, axis: int) -> Any:
        import scipy.special

        return getattr(scipy.special, reference)(x, axis)

    return Primitive(name, "x", _needs_axis(kernel), shape=_along, grad=(grad,), accepts=FLOAT, batch=st._shift_axis,
                     jvp=lambda xs, ts, outs, attrs: [jvp(ts[0], outs[0], **attrs)], cases=_softmax_cases, reference=scipy_value, doc=doc)  # fmt: skip


def _sum(x: Any, axis: int) -> Any:
    return rd.sum(x, axis=(axis,), keepdims=True)


_through = lambda g, out, axis: (g - _sum(g * out, axis)) * out  # its matrix is symmetric
softmax = _softmax_row("softmax", _softmax, _through, _through, "softmax",
                       "exp(x) / sum(exp(x)) along an axis, without overflow.")  # fmt: skip
log_softmax = _softmax_row("log_softmax", _log_softmax, lambda g, out, axis: g - ew.exp(out) * _sum(g, axis),
                           lambda t, out, axis: t - _sum(ew.exp(out) * t, axis), "log_softmax",
                           "x - log(sum(exp(x))) along an axis, without overflow.")  # fmt: skip

# -- cross-entropies ---------------------------------------------------------------------------------------------------------
# Both rows give (loss, softmax - labels). The second output is the gradient of the loss with respect to the logits, so that
# the backward pass need not compute the softmax again; it is that also where the labels do not sum to 1, as in TensorFlow.


def _softmax_xent(z: Any, y: Any, *, axis: int) -> tuple:
    if z.shape != y.shape or z.dtype != y.dtype or axis >= z.ndim:
        raise ValueError("logits and labels differ")
    if not z.size:
        return np.zeros(z.shape[:axis] + z.shape[axis + 1 :], z.dtype)[()], np.empty_like(z)
    if _short_rows(z, axis):
        loss, back = _softmax_xent(_columns(z), _columns(y), axis=0)
        return loss.reshape(z.shape[:-1]), _rows(back, z.shape)
    t, e, s = _shifted(z, axis)
    loss = np.add.reduce(y * (np.log(s) - t), axis)
    np.divide(e, s, out=e)
    return loss, np.subtract(e, y, out=e)


def _softmax_xent_shape(logits: Aval, labels: Aval, *, axis: int) -> list[Aval]:
    if not logits.ndim:
        raise invalid("softmax cross-entropy needs logits of at least one dimension, but got a scalar.")
    a = check_axis(axis, logits.ndim)
    if logits.dtype is not labels.dtype:
        raise invalid(f"logits and labels must have one dtype, but have {logits.dtype.name} and {labels.dtype.name}.")
    fits = logits.ndim == labels.ndim and all(
        d == e or None in (d, e) for d, e in zip(logits.shape, labels.shape, strict=True)
    )
    if not fits:
        raise invalid(
            f"logits and labels must have the same shape, but have {dims_text(logits.shape)} and {dims_text(labels.shape)}."
        )
    return [Aval(logits.shape[:a] + logits.shape[a + 1 :], logits.dtype), logits]


def _d_logits(g: tuple, logits: Any, out: tuple, axis: int) -> Any:
    """The loss's cotangent times (softmax - labels), and the second output's through the softmax."""
    of_loss, of_back = g
    d = None if of_loss is None else st.expand_dims(of_loss, axis) * out[1]
    if of_back is None:
        return d
    p = softmax(logits, axis=axis)
    through = (of_back - _sum(of_back * p, axis)) * p
    return through if d is None else d + through


def _d_labels(g: tuple, logits: Any, axis: int) -> Any:
    of_loss, of_back = g
    d = None if of_loss is None else st.expand_dims(of_loss, axis) * -log_softmax(logits, axis=axis)
    if of_back is None:
        return d
    return -of_back if d is None else d - of_back


def _xent_jvp(xs: tuple, ts: list, outs: list, axis: int) -> list:
    """The transpose of the two rules: of the loss <out[1], ż> - <log softmax(z), ẏ>, of softmax - labels the softmax's less ẏ."""
    dz, dy = ts
    loss = back = None
    if dz is not None:
        loss = rd.sum(outs[1] * dz, axis=(axis,), keepdims=False)
        back = _through(dz, softmax(xs[0], axis=axis), axis)
    if dy is not None:
        of_labels = rd.sum(log_softmax(xs[0], axis=axis) * dy, axis=(axis,), keepdims=False)
        loss = -of_labels if loss is None else loss - of_labels
        back = -dy if back is None else back - dy
    return [loss, back]


def _xent_cases(rng: Any) -> list:
    def case(axis: int, *shape: int) -> tuple:
        y = rng.uniform(0.1, 1, shape)
        return (rng.uniform(-3, 3, shape), y / y.sum(axis, keepdims=True)), {"axis": axis}

    return [case(0, 4), case(1, 2, 3), case(0, 2, 3), case(1, 2, 3, 2), case(1, 2, 40)]


softmax_xent = Primitive(
    "softmax_xent", "logits labels", _softmax_xent, shape=_softmax_xent_shape, grad=(_d_logits, _d_labels), accepts=FLOAT,
    jvp=lambda xs, ts, outs, attrs: _xent_jvp(xs, ts, outs, attrs["axis"]),
    multi=True, batch=st._shift_axis, cases=_xent_cases, tf="SoftmaxCrossEntropyWithLogits",
    doc="The cross-entropy -sum(labels · log(softmax(logits))) along an axis, and softmax(logits) - labels.",
)  # fmt: skip


def _sparse_xent(z: Any, y: Any) -> tuple:
    if z.shape[:-1] != y.shape or y.dtype.kind not in "iu":
        raise ValueError("labels do not fit logits")
    classes = z.shape[-1]
    labels = np.reshape(y, -1)
    unsigned = labels.view(labels.dtype.str.replace("i", "u"))  # negative labels are very large ones
    if labels.size and np.maximum.reduce(unsigned) >= classes:
        bad = labels[np.argmax(unsigned >= classes)]
        raise InvalidArgumentError(f"Received a label value of {bad} which is outside the valid range of [0, {classes}): "
                                   f"there are {classes} logits for each label.{user_line()}")  # fmt: skip
    if not z.size:
        return np.zeros(y.shape, z.dtype)[()], np.empty_like(z)
    rows, each = z.reshape(-1, classes), np.arange(labels.size)
    if turned := _short_rows(rows, 1):
        t, e, s = _shifted(_columns(rows), 0)
        at = labels, each
    else:
        t, e, s = _shifted(rows, 1)
        at = each, labels
    loss = np.log(s.reshape(-1)) - t[at]
    np.divide(e, s, out=e)
    e[at] -= 1
    return loss.reshape(y.shape)[()], _rows(e, z.shape) if turned else e.reshape(z.shape)


def _sparse_xent_shape(logits: Aval, labels: Aval) -> list[Aval]:
    if not logits.ndim:
        raise invalid("`logits` cannot be a scalar: its last dimension holds the classes.")
    if not labels.dtype.is_integer:
        raise invalid(f"The labels must be class numbers of an integer dtype, but are {labels.dtype.name}.")
    fits = labels.ndim == logits.ndim - 1 and all(
        d == e or None in (d, e) for d, e in zip(labels.shape, logits.shape[:-1], strict=True)
    )
    if not fits:
        raise invalid(f"`labels` must have the shape of `logits` without its last dimension, {dims_text(logits.shape[:-1])}, "
                      f"but has {dims_text(labels.shape)}.")  # fmt: skip
    return [Aval(labels.shape, logits.dtype), logits]


def _sparse_d_logits(g: tuple, logits: Any, out: tuple) -> Any:
    return _d_logits(g, logits, out, len(logits._shape) - 1)


def _batch_sparse(p: Primitive, xs: tuple, batched: tuple, attrs: dict) -> Any:
    return p(*st._all_batched(xs, batched))


def _sparse_cases(rng: Any) -> list:
    return [
        ((rng.uniform(-3, 3, (*s, c)), rng.integers(0, c, s)), {})
        for s, c in (((), 4), ((5,), 3), ((2, 3), 2), ((2,), 40))
    ]


sparse_softmax_xent = Primitive(
    "sparse_softmax_xent", "logits labels", _sparse_xent, shape=_sparse_xent_shape, grad=(_sparse_d_logits, None),
    jvp=lambda xs, ts, outs, attrs: _xent_jvp(xs, [ts[0], None], outs, len(xs[0]._shape) - 1),
    accepts=FLOAT, multi=True, batch=_batch_sparse, cases=_sparse_cases, tf="SparseSoftmaxCrossEntropyWithLogits",
    doc="-log(softmax(logits)[label]) along the last axis, and softmax(logits) - one_hot(label).",
)  # fmt: skip


def _sigmoid_xent(x: Any, z: Any) -> Any:
    return np.maximum(x, 0) - x * z + np.log1p(np.exp(-np.abs(x)))


# -z·log(sigmoid(x)) - (1 - z)·log(1 - sigmoid(x)) = x - x·z + log(1 + exp(-x)), written without overflow
sigmoid_xent = binary("sigmoid_xent", _sigmoid_xent, lambda g, x, y: g * (ew.sigmoid(x) - y), lambda g, x: -g * x,
                      ((-4, 4), (0, 1)), FLOAT, tf="SigmoidCrossEntropyWithLogits",
                      doc="The cross-entropy of labels y with sigmoid(x), elementwise.")  # fmt: skip

# -- norms and masks -----------------------------------------------------------------------------------------------------------


def _l2_loss(x: Any) -> Any:
    flat = np.reshape(x, -1)
    return np.dot(flat, flat) * flat.dtype.type(0.5)


l2_loss = Primitive("l2_loss", "x", _l2_loss, shape=lambda x: Aval((), x.dtype), grad=(lambda g, x: g * x,), accepts=FLOAT,
                    jvp=lambda xs, ts, outs, attrs: [rd.sum(xs[0] * ts[0], axis=tuple(range(len(xs[0]._shape))), keepdims=False)],
                    batch=lambda p, xs, batched, attrs: rd.sum(ew.square(xs[0]), axis=tuple(range(1, len(xs[0]._shape))), keepdims=False) * 0.5,
                    cases=lambda rng: [((rng.uniform(-3, 3, s),), {}) for s in ((), (5,), (2, 3))], tf="L2Loss",
                    doc="Half the sum of the squares of all elements.")  # fmt: skip

_BITS: dict[int, Any] = {2: np.int16, 4: np.int32, 8: np.int64}


def _keep_where(x: Any, keep: Any) -> Any:
    if keep.dtype.kind != "b":
        raise ValueError("no bool mask")
    if type(x) is not _ndarray or type(keep) is not _ndarray:
        return np.where(keep, x, x.dtype.type(0))[()].astype(x.dtype)
    # All bits or none, by which np.where's unpredictable branches (ten times the cost) are avoided; 0 · inf would be NaN.
    bits = _BITS[x.dtype.itemsize]
    return (x.view(bits) & np.negative(keep.view(np.int8)).astype(bits)).view(x.dtype)


def _keep_shape(x: Aval, keep: Aval) -> Aval:
    if keep.dtype.name != "bool":
        raise invalid(f"The mask must be a bool tensor, but is {keep.dtype.name}.")
    return ew._shape_rule(None)(x, keep)


keep_where = elementwise("keep_where", "x keep", _keep_where, shape=_keep_shape, accepts=FLOAT, linear=True, widen=False, domain=((-3, 3), (0, 1)),
                         grad=(lambda g, keep: keep_where(g, keep), None),
                         reference=lambda x, keep: np.where(keep, x, 0.0), doc="x where the mask is true, else 0.")  # fmt: skip
