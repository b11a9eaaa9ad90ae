"""The public reductions, and running sums and products along an axis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..ground.dtypes import BOOL, as_dtype, bool_, float64, int16, int32, int64, kinds_text, uint16
from ..ground.errors import invalid
from ..ground.primitive import Primitive
from ..ground.shapes import dims_text
from ..primitives import elementwise as ew
from ..primitives import reduction as rd
from ..primitives import structure as st
from .arguments import axis_of, integer, reduction_axes
from .dispatch import interpret, run
from .tensor import Tensor, convert

# The attributes that say "all of it", by rank: reducing a whole tensor is what a training step does most.
_ALL: list[dict[str, Any]] = [{"axis": tuple(range(n)), "keepdims": False} for n in range(9)]


def _reduction(p: Primitive, name: str, example: str) -> Callable:
    """The public function of a row that reduces along ``axis``."""

    want = bool_ if p.accepts == BOOL else None

    def f(input_tensor: Any, axis: Any = None, keepdims: bool = False, name: str | None = None) -> Any:
        x = input_tensor
        if not isinstance(x, Tensor):
            x = x._to_tensor() if hasattr(x, "_to_tensor") else convert(x, want)
        rank = len(x._shape)
        if axis is None and not keepdims and rank < 9:
            attrs = _ALL[rank]
        else:
            attrs = {"axis": reduction_axes(axis, rank), "keepdims": bool(keepdims)}
        return run(p, (x,), attrs) if not x._special else interpret(p, (x,), attrs)

    f.__name__ = f.__qualname__ = name
    f.__doc__ = f"""{p.doc}

    Args:
        input_tensor: a Tensor, or anything that converts to one; dtypes: {kinds_text(p.accepts)}.
        axis: an axis or several (ints, or an integer tensor), negative ones counted from the end; None for all.
        keepdims: keep the reduced dimensions, with length 1.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the dtype of ``input_tensor``.

    Raises:
        InvalidArgumentError: an axis is out of range or given twice, or a dtype that it does not take.
        TypeError: ``axis`` is not made of integers.

    >>> import gradtape as tf
    >>> {example}
    """
    f.primitive = p  # type: ignore[attr-defined]
    return f


reduce_sum = _reduction(
    rd.sum, "reduce_sum", "tf.reduce_sum([[1., 2.], [3., 4.]], axis=0).numpy().tolist()\n    [4.0, 6.0]"
)
reduce_mean = _reduction(rd.mean, "reduce_mean", "tf.reduce_mean([[1., 2.], [3., 4.]]).numpy()\n    np.float32(2.5)")
reduce_prod = _reduction(
    rd.prod, "reduce_prod", "tf.reduce_prod([[1, 2], [3, 4]], axis=-1).numpy().tolist()\n    [2, 12]"
)
reduce_max = _reduction(
    rd.max, "reduce_max", "tf.reduce_max([[1., 5.], [3., 4.]], axis=1).numpy().tolist()\n    [5.0, 4.0]"
)
reduce_min = _reduction(
    rd.min, "reduce_min", "tf.reduce_min([[1., 5.], [3., 4.]], axis=1).numpy().tolist()\n    [1.0, 3.0]"
)
reduce_any = _reduction(
    rd.any, "reduce_any", "tf.reduce_any([[True, False], [False, False]], axis=1).numpy().tolist()\n    [True, False]"
)
reduce_all = _reduction(
    rd.all, "reduce_all", "tf.reduce_all([[True, True], [True, False]], axis=1).numpy().tolist()\n    [True, False]"
)
reduce_logsumexp = _reduction(
    rd.logsumexp, "reduce_logsumexp", "tf.reduce_logsumexp([1000.0, 0.0]).numpy()\n    np.float32(1000.0)"
)


def reduce_variance(input_tensor: Any, axis: Any = None, keepdims: bool = False, name: str | None = None) -> Any:
    """The variance along axes: the mean squared distance from the mean (not the sample's n/(n-1) times that).

    Args:
        input_tensor: a float or complex Tensor, or anything that converts to one.
        axis: an axis or several, None for all.
        keepdims: keep the reduced dimensions, with length 1.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the real dtype of ``input_tensor``.

    Raises:
        TypeError: integers, or an axis that is none.
        InvalidArgumentError: an axis is out of range or given twice.

    >>> import gradtape as tf
    >>> tf.math.reduce_variance([1., 2., 3., 6.]).numpy()
    np.float32(3.5)
    """
    x = convert(input_tensor)
    if x._d.is_integer:
        raise TypeError(f"Input must be either real or complex. Received integer type {x._d}: convert it with tf.cast.")
    axes = reduction_axes(axis, len(x._shape))
    apart = ew.sub(x, rd.mean(x, axis=axes, keepdims=True))
    squares = ew.real(ew.mul(apart, ew.conj(apart))) if x._d.is_complex else ew.square(apart)
    return rd.mean(squares, axis=axes, keepdims=bool(keepdims))


def reduce_std(input_tensor: Any, axis: Any = None, keepdims: bool = False, name: str | None = None) -> Any:
    """The standard deviation along axes: the square root of ``tf.math.reduce_variance``, whose arguments it takes.

    Returns:
        A Tensor of the real dtype of ``input_tensor``.

    Raises:
        TypeError: integers, or an axis that is none.
        InvalidArgumentError: an axis is out of range or given twice.

    >>> import gradtape as tf
    >>> tf.math.reduce_std([1., 1., 3., 3.]).numpy()
    np.float32(1.0)
    """
    return ew.sqrt(reduce_variance(input_tensor, axis, keepdims))


def reduce_euclidean_norm(input_tensor: Any, axis: Any = None, keepdims: bool = False, name: str | None = None) -> Any:
    """The square root of the sum of squared magnitudes along axes.

    Args:
        input_tensor: a numeric Tensor, or anything that converts to one. For integers the norm is rounded down.
        axis: an axis or several, None for all.
        keepdims: keep the reduced dimensions, with length 1.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the dtype of ``input_tensor``.

    Raises:
        InvalidArgumentError: an axis is out of range or given twice, or a dtype that has no norm.
        TypeError: ``axis`` is not made of integers.

    >>> import gradtape as tf
    >>> tf.math.reduce_euclidean_norm([[3., 4.], [5., 12.]], axis=1).numpy().tolist()
    [5.0, 13.0]
    """
    x = convert(input_tensor)
    d = x._d
    attrs = {"axis": reduction_axes(axis, len(x._shape)), "keepdims": bool(keepdims)}
    if d.is_floating:
        return ew.sqrt(rd.sum(ew.square(x), **attrs))
    if d.is_integer:
        return st.cast(ew.sqrt(rd.sum(ew.square(st.cast(x, float64)), **attrs)), d)
    return ew.sqrt(rd.sum(ew.mul(x, ew.conj(x)), **attrs))


def count_nonzero(
    input: Any, axis: Any = None, keepdims: bool | None = None, dtype: Any = int64, name: str | None = None
) -> Any:
    """How many elements along axes are not zero (for strings: not empty).

    Args:
        input: a Tensor of any dtype, or anything that converts to one.
        axis: an axis or several, None for all.
        keepdims: keep the reduced dimensions, with length 1.
        dtype: the dtype of the counts.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of ``dtype``.

    Raises:
        InvalidArgumentError: an axis is out of range or given twice.

    >>> import gradtape as tf
    >>> tf.math.count_nonzero([[0, 1, 2], [3, 0, 0]], axis=1).numpy().tolist()
    [2, 1]
    """
    x = convert(input)
    hits = st.cast(ew.not_equal(x, st.zeros_like(x)), int64)
    return st.cast(reduce_sum(hits, axis, bool(keepdims)), as_dtype(dtype))


def _arg(p: Primitive, name: str, example: str) -> Callable:
    """The public function of argmax or argmin."""

    def f(input: Any, axis: Any = None, output_type: Any = int64, name: str | None = None) -> Any:
        x = convert(input)
        if isinstance(axis, list | tuple):
            raise TypeError(f"axis must be an int or an integer tensor, but is {axis!r}.")
        a = axis_of(0 if axis is None else integer(axis, "axis"), len(x._shape), "dimension")
        d = as_dtype(output_type)
        if d not in _INDEX_TYPES:
            raise invalid(f"output_type must be int16, uint16, int32 or int64, but is {d.name}.")
        if x._shape[a] == 0:
            raise invalid(f"Reduction axis {a} is empty in shape {dims_text(x._shape)}: there is no element to choose.")
        return st.cast(p(x, axis=a), d)

    f.__name__ = f.__qualname__ = name
    f.__doc__ = f"""{p.doc} NaNs are passed over.

    Args:
        input: a real or bool Tensor, or anything that converts to one.
        axis: an int or an integer scalar tensor; None means 0.
        output_type: int16, uint16, int32 or int64.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of ``output_type`` without the dimension ``axis``.

    Raises:
        InvalidArgumentError: ``axis`` is out of range or has no elements, or ``output_type`` is another.
        TypeError: ``axis`` is no integer.

    >>> import gradtape as tf
    >>> {example}
    """
    f.primitive = p  # type: ignore[attr-defined]
    return f


_INDEX_TYPES = (int16, uint16, int32, int64)
argmax = _arg(rd.argmax, "argmax", "tf.argmax([[1., 3.], [4., 2.]], axis=1).numpy().tolist()\n    [1, 0]")
argmin = _arg(rd.argmin, "argmin", "tf.argmin([[1., 3.], [4., 2.]], axis=1).numpy().tolist()\n    [0, 1]")


def _running(p: Primitive, name: str, example: str) -> Callable:
    """The public function of a row that accumulates along an axis."""

    def f(x: Any, axis: Any = 0, exclusive: bool = False, reverse: bool = False, name: str | None = None) -> Any:
        x = convert(x)
        return p(x, axis=axis_of(axis, len(x._shape)), exclusive=bool(exclusive), reverse=bool(reverse))

    f.__name__ = f.__qualname__ = name
    f.__doc__ = f"""{p.doc}

    Args:
        x: a Tensor, or anything that converts to one; dtypes: {kinds_text(p.accepts)}.
        axis: the axis, an int or an integer scalar tensor.
        exclusive: leave the element itself out, so that the first is what an empty one gives.
        reverse: run from the end.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the shape and dtype of ``x``.

    Raises:
        InvalidArgumentError: ``axis`` is out of range, or a dtype that it does not take.

    >>> import gradtape as tf
    >>> {example}
    """
    f.primitive = p  # type: ignore[attr-defined]
    return f


cumsum = _running(rd.cumsum, "cumsum", "tf.cumsum([1, 2, 3], exclusive=True).numpy().tolist()\n    [0, 1, 3]")
cumprod = _running(rd.cumprod, "cumprod", "tf.math.cumprod([1, 2, 3], reverse=True).numpy().tolist()\n    [6, 6, 3]")
cumulative_logsumexp = _running(
    rd.cumulative_logsumexp,
    "cumulative_logsumexp",
    "tf.math.cumulative_logsumexp([0.0, 1000.0]).numpy().tolist()\n    [0.0, 1000.0]",
)

__all__ = [
    "reduce_sum", "reduce_mean", "reduce_prod", "reduce_max", "reduce_min", "reduce_any", "reduce_all", "reduce_logsumexp",
    "reduce_variance", "reduce_std", "reduce_euclidean_norm", "count_nonzero", "argmax", "argmin", "cumsum", "cumprod",
    "cumulative_logsumexp",
]  # fmt: skip
