"""``tf.clip_by_value``, ``tf.clip_by_norm``, ``tf.clip_by_global_norm`` and the global norm."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .core.arguments import reduction_axes
from .core.operators import multiply, truediv
from .core.tensor import Tensor, convert
from .ground.errors import invalid
from .ground.shapes import dims_text
from .math import add_n, maximum, minimum
from .primitives import elementwise as ew
from .primitives import reduction as rd
from .primitives import structure as st
from .primitives.indexing import IndexedSlices


def _on_values(f: Callable, t: Any, *args: Any) -> Any:
    """``f`` of a tensor, or of the rows of IndexedSlices."""
    if isinstance(t, IndexedSlices):
        return IndexedSlices(f(t.values, *args), t.indices, t._dense_shape)
    return f(convert(t), *args)


def _same_shape(x: Tensor, out: Tensor) -> Tensor:
    """``out``, unless a bound was so large that it broadcast the tensor."""
    if out._shape != x._shape:
        raise invalid(
            f"The bounds must broadcast to the tensor's shape {dims_text(x._shape)}, but together they have shape {dims_text(out._shape)}."
        )
    return out


def clip_by_value(t: Any, clip_value_min: Any, clip_value_max: Any, name: str | None = None) -> Any:
    """``t`` with its elements brought into [clip_value_min, clip_value_max]. No gradient flows where it was clipped.

    Args:
        t: a real Tensor, anything that converts to one, or IndexedSlices.
        clip_value_min: the least value; its shape must broadcast to that of ``t``.
        clip_value_max: the greatest value; likewise.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor (IndexedSlices) like ``t``.

    Raises:
        InvalidArgumentError: a bound has another dtype, or a shape that is larger than that of ``t``.
        TypeError: a float bound for integers.

    >>> import gradtape as tf
    >>> tf.clip_by_value([-1., 0.5, 3.], 0., 1.).numpy().tolist()
    [0.0, 0.5, 1.0]
    """

    def clip(x: Tensor) -> Tensor:
        return _same_shape(x, maximum(_same_shape(x, minimum(x, clip_value_max)), clip_value_min))

    return _on_values(clip, t)


def clip_by_norm(t: Any, clip_norm: Any, axes: Any = None, name: str | None = None) -> Any:
    """``t`` scaled down to the Euclidean norm ``clip_norm`` where its norm is greater.

    Args:
        t: a float Tensor, anything that converts to one, or IndexedSlices.
        clip_norm: the greatest norm; its shape must broadcast to that of ``t``. Below 0 it counts as 0.
        axes: the axes along which norms are taken; None for all.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor (IndexedSlices) like ``t``.

    Raises:
        InvalidArgumentError: an axis is out of range, ``clip_norm`` has another dtype or a shape larger than that of ``t``.

    >>> import gradtape as tf
    >>> tf.clip_by_norm([3.0, 4.0], 2.5).numpy().tolist()
    [1.5, 2.0]
    """

    def clip(x: Tensor) -> Tensor:
        bound = st.cast(convert(clip_norm, None, x._d), x._d)
        bound = ew.maximum(bound, st.zeros_like(bound))
        squares = rd.sum(ew.mul(x, x), axis=reduction_axes(axes, len(x._shape)), keepdims=True)
        some = ew.greater(squares, st.zeros_like(squares))
        # sqrt has no gradient at 0, and is not asked for one
        norm = ew.select(some, ew.sqrt(ew.select(some, squares, st.ones_like(squares))), squares)
        return ew.div(_same_shape(x, ew.mul(x, bound)), ew.maximum(norm, bound))

    return _on_values(clip, t)


def _values(t_list: Any) -> list:
    """The dense values in a list of gradients, None where there is none."""
    if isinstance(t_list, Tensor) or not isinstance(t_list, list | tuple):
        raise TypeError(f"t_list should be a sequence (a list or tuple) of tensors, but is {t_list!r}.")
    return [None if t is None else t.values if isinstance(t, IndexedSlices) else convert(t) for t in t_list]


def global_norm(t_list: Any, name: str | None = None) -> Any:
    """The Euclidean norm of several tensors taken together: sqrt(sum of the squares of all their elements).

    Args:
        t_list: a list of float Tensors, IndexedSlices and Nones, which are passed over.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of shape (): 0 where the list holds no tensor.

    Raises:
        TypeError: ``t_list`` is no list or tuple.
        InvalidArgumentError: the tensors have different dtypes, or one that is not numeric.

    >>> import gradtape as tf
    >>> tf.linalg.global_norm([[3.], None, [[4.]]]).numpy()
    np.float32(5.0)
    """
    squares = [
        rd.sum(ew.square(x), axis=tuple(range(len(x._shape))), keepdims=False) for x in _values(t_list) if x is not None
    ]
    return ew.sqrt(add_n(squares)) if squares else convert(0.0)


def clip_by_global_norm(t_list: Any, clip_norm: Any, use_norm: Any = None, name: str | None = None) -> tuple[list, Any]:
    """Several tensors scaled down together so that their global norm is at most ``clip_norm``.

    Args:
        t_list: a list of float Tensors, IndexedSlices and Nones.
        clip_norm: the greatest norm, a positive number or Tensor of shape ().
        use_norm: the global norm, where it is known already.
        name: ignored, for TensorFlow's sake.

    Returns:
        The list of scaled tensors, and the global norm. If the norm is infinite or NaN, so that no scale is right, they are NaN.

    Raises:
        TypeError: ``t_list`` is no list or tuple.
        InvalidArgumentError: the tensors have different dtypes, or one that is not numeric.

    >>> import gradtape as tf
    >>> clipped, norm = tf.clip_by_global_norm([[3.], [4.]], 1.)
    >>> norm.numpy()
    np.float32(5.0)

    The method: Pascanu et al., "On the difficulty of training recurrent neural networks", 2013.
    """
    values = _values(t_list)
    norm = global_norm(t_list) if use_norm is None else use_norm
    use = convert(norm)
    scale = multiply(clip_norm, minimum(truediv(1.0, use), truediv(st.ones_like(use), clip_norm)))
    scale = ew.add(scale, ew.sub(use, use))  # NaN where the norm is not finite
    clipped = [None if x is None else ew.mul(x, scale) for x in values]
    return [
        IndexedSlices(c, t.indices, t._dense_shape) if isinstance(t, IndexedSlices) else c
        for c, t in zip(clipped, t_list, strict=True)
    ], norm


__all__ = ["clip_by_value", "clip_by_norm", "clip_by_global_norm", "global_norm"]
