"""``tf.debugging``: checks that raise where a program goes wrong, with the values that show it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from .core import numerics
from .core.arguments import integer
from .core.operators import equal, greater, greater_equal, less, less_equal, not_equal, pair
from .core.tensor import Tensor, convert
from .core.variable import Variable
from .explain.hooks import on_gradient, on_operation
from .explain.journal import disable_explanations, enable_explanations, trace_lines
from .ground.dtypes import DType, as_dtype, float32
from .ground.errors import invalid
from .ground.shapes import TensorShape
from .primitives import elementwise as ew
from .primitives import structure as st


def _lead(message: Any) -> str:
    """The user's message as the start of ours."""
    return f"{message}\n" if message else ""


def _require(condition: Tensor, message: str, data: dict[str, Tensor], summarize: int | None) -> None:
    """Raise unless the condition holds everywhere; in a traced function, when that runs."""
    st.assert_that(condition, *data.values(), message=message, labels=tuple(data), summarize=summarize)


def Assert(condition: Any, data: Iterable, summarize: int | None = None, name: str | None = None) -> None:
    """Raise unless a condition is true.

    Args:
        condition: a bool, or a bool Tensor of one element.
        data: a list of Tensors, or of what converts to them, that the message shows.
        summarize: how many elements of each are shown; None means 3, a negative number all.
        name: ignored, for TensorFlow's sake.

    Raises:
        InvalidArgumentError: the condition is false.
        TypeError: ``data`` is no list.

    >>> import gradtape as tf
    >>> tf.debugging.Assert(tf.reduce_sum([1, 2]) == 3, ["the sum"])
    """
    if not isinstance(data, list | tuple):
        raise TypeError("data must be a list of what the message shows.")
    if isinstance(condition, Tensor) and condition._special:
        shown = {f"data[{i}]": convert(v) for i, v in enumerate(data)}
        _require(condition, "Expected the condition to be true.", shown, summarize)
    elif not condition:
        raise invalid(f"Expected '{condition!s}' to be true. Summarized data: {_data(data, summarize)}")


def _data(values: Iterable, summarize: int | None) -> str:
    """The first elements of each of ``values``, a line for each."""
    n = 3 if summarize is None else summarize
    lines = []
    for v in values:
        all_of_it = np.ravel(np.asarray(convert(v)))
        head = all_of_it[:n] if n >= 0 else all_of_it
        lines.append(", ".join(str(e) for e in head.tolist()) + (", ..." if len(head) < len(all_of_it) else ""))
    return "\n".join(lines)


# -- two tensors -----------------------------------------------------------------------------------------------------------


def _check(holds: Callable, sign: str, x: Any, y: Any, message: str | None, summarize: int | None) -> None:
    """Raise unless ``x sign y`` holds for all elements."""
    a, b = pair(holds.primitive, x, y)  # type: ignore[attr-defined]
    _require(holds(a, b), f"{_lead(message)}Condition x {sign} y did not hold.", {"x": a, "y": b}, summarize)


def _comparison(name: str, holds: Callable, sign: str, example: str) -> Callable:
    """The assertion that ``x sign y`` holds for all elements."""

    def f(x: Any, y: Any, message: str | None = None, summarize: int | None = None, name: str | None = None) -> None:
        _check(holds, sign, x, y, message, summarize)

    f.__name__ = f.__qualname__ = name
    f.__doc__ = f"""Raise unless ``x {sign} y`` for all elements. Of empty tensors it is true.

    Args:
        x: a Tensor, or anything that converts to one.
        y: a Tensor of the same dtype; the shapes must broadcast.
        message: the beginning of the error's message.
        summarize: how many elements of each are shown; None means 3, a negative number all.
        name: ignored, for TensorFlow's sake.

    Raises:
        InvalidArgumentError: it does not hold, the dtypes differ, or the shapes do not broadcast.

    >>> import gradtape as tf
    >>> {example}
    """
    return f


assert_equal = _comparison("assert_equal", equal, "==", "tf.debugging.assert_equal([1, 2], [1, 2])")
assert_less = _comparison("assert_less", less, "<", "tf.debugging.assert_less([1, 2], 3)")
assert_less_equal = _comparison("assert_less_equal", less_equal, "<=", "tf.debugging.assert_less_equal([1, 2], 2)")
assert_greater = _comparison("assert_greater", greater, ">", "tf.debugging.assert_greater([1, 2], 0)")
assert_greater_equal = _comparison(
    "assert_greater_equal", greater_equal, ">=", "tf.debugging.assert_greater_equal([1, 2], 1)"
)


def assert_none_equal(
    x: Any, y: Any, summarize: int | None = None, message: str | None = None, name: str | None = None
) -> None:
    """Raise unless ``x != y`` for all elements. Of empty tensors it is true.

    Args:
        x: a Tensor, or anything that converts to one.
        y: a Tensor of the same dtype; the shapes must broadcast.
        summarize: how many elements of each are shown; None means 3, a negative number all.
        message: the beginning of the error's message. (TensorFlow has these two in this order here.)
        name: ignored, for TensorFlow's sake.

    Raises:
        InvalidArgumentError: it does not hold, the dtypes differ, or the shapes do not broadcast.

    >>> import gradtape as tf
    >>> tf.debugging.assert_none_equal([1, 2], 3)
    """
    _check(not_equal, "!=", x, y, message, summarize)


def assert_near(
    x: Any,
    y: Any,
    rtol: Any = None,
    atol: Any = None,
    message: str | None = None,
    summarize: int | None = None,
    name: str | None = None,
) -> None:
    """Raise unless ``|x - y| <= atol + rtol * |y|`` for all elements.

    Args:
        x: a numeric Tensor, or anything that converts to one.
        y: a Tensor of the same dtype; the shapes must broadcast.
        rtol: the relative tolerance; None means 10 times the dtype's machine epsilon.
        atol: the absolute tolerance; likewise.
        message: the beginning of the error's message.
        summarize: how many elements of each are shown; None means 3, a negative number all.
        name: ignored, for TensorFlow's sake.

    Raises:
        InvalidArgumentError: it does not hold, the dtypes differ, or the shapes do not broadcast.

    >>> import gradtape as tf
    >>> tf.debugging.assert_near(1.0, 1.0000001)
    """
    a, b = pair(ew.sub, x, y)
    d = a._d.real_dtype
    tolerances = []
    for given in (rtol, atol):
        if given is None:
            import ml_dtypes

            given = 10 * float(ml_dtypes.finfo(d.np).eps) if d.is_floating else 0
        tolerances.append(convert(given, d))
    r, t = tolerances
    within = ew.less_equal(ew.abs(ew.sub(a, b)), ew.add(t, ew.mul(r, ew.abs(b))))
    _require(
        within, f"{_lead(message)}x and y not equal to tolerance.", {"x": a, "y": b, "rtol": r, "atol": t}, summarize
    )


# -- one tensor --------------------------------------------------------------------------------------------------------------


def _sign(name: str, holds: Callable, sign: str, example: str) -> Callable:
    """The assertion that ``x sign 0`` holds for all elements."""

    def f(x: Any, message: str | None = None, summarize: int | None = None, name: str | None = None) -> None:
        t = convert(x)
        _require(
            holds(t, convert(0, t._d)),
            f"{_lead(message)}Condition x {sign} 0 did not hold element-wise: x (shape={t.shape} dtype={t._d.name})",
            {"x": t},
            summarize,
        )

    f.__name__ = f.__qualname__ = name
    f.__doc__ = f"""Raise unless ``x {sign} 0`` for all elements. Of an empty tensor it is true.

    Args:
        x: a real Tensor, or anything that converts to one.
        message: the beginning of the error's message.
        summarize: how many elements are shown; None means 3, a negative number all.
        name: ignored, for TensorFlow's sake.

    Raises:
        InvalidArgumentError: it does not hold.
        TypeError: ``x`` is no number.

    >>> import gradtape as tf
    >>> {example}
    """
    return f


assert_positive = _sign("assert_positive", greater, ">", "tf.debugging.assert_positive([1, 2])")
assert_negative = _sign("assert_negative", less, "<", "tf.debugging.assert_negative([-1, -2])")
assert_non_negative = _sign("assert_non_negative", greater_equal, ">=", "tf.debugging.assert_non_negative([0, 1])")
assert_non_positive = _sign("assert_non_positive", less_equal, "<=", "tf.debugging.assert_non_positive([0, -1])")


def check_numerics(tensor: Any, message: str, name: str | None = None) -> Any:
    """The tensor itself; an error if it holds a NaN or an infinity. What flows back through it is checked as well.

    Args:
        tensor: a float Tensor, or anything that converts to one.
        message: the beginning of the error's message.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the same value.

    Raises:
        InvalidArgumentError: there is a NaN or an infinity in it (or, later, in its gradient), or its dtype is no float.
        TypeError: ``message`` is no string.

    >>> import gradtape as tf
    >>> tf.debugging.check_numerics([1.0, 2.0], "weights").numpy().tolist()
    [1.0, 2.0]
    """
    if not isinstance(message, str):
        raise TypeError(f"Expected string for argument 'message' not {message!r}.")
    return ew.check_numerics(convert(tensor), message=message)


def enable_check_numerics(stack_height_limit: int = 30, path_length_limit: int = 50) -> None:
    """Check every result in this thread for NaN and infinities, forward and backward, eager and in functions.

    Args:
        stack_height_limit, path_length_limit: accepted for TensorFlow's sake.

    From then on an operation whose result is not finite raises an InvalidArgumentError that names it, its inputs' forms, whether they were
    finite, and the user's line. A function is traced again with the checks in it.

    >>> import gradtape as tf
    >>> tf.debugging.enable_check_numerics()
    >>> try:
    ...     tf.math.log(tf.constant(-1.0))
    ... except tf.errors.InvalidArgumentError as e:
    ...     print(str(e).split(":")[0])
    ... finally:
    ...     tf.debugging.disable_check_numerics()
    Detected Infinity or NaN in the output of 'log' (shape [], dtype float32)
    """
    numerics.enable()


def disable_check_numerics() -> None:
    """Stop what ``enable_check_numerics`` began, in this thread.

    >>> import gradtape as tf
    >>> tf.debugging.disable_check_numerics()
    """
    numerics.disable()


def assert_all_finite(x: Any, message: str, name: str | None = None) -> Any:
    """``tf.debugging.check_numerics`` by another name.

    >>> import gradtape as tf
    >>> tf.debugging.assert_all_finite([1.0, 2.0], "weights").numpy().tolist()
    [1.0, 2.0]
    """
    return check_numerics(x, message)


# -- ranks, shapes and types -------------------------------------------------------------------------------------------------


def _check_rank(x: Any, message: str | None, good: Callable[[int], bool], wanted: str) -> None:
    t = convert(x)
    rank = len(t._shape)
    if not good(rank):
        raise ValueError(
            f"{_lead(message)}Tensor must have rank {wanted}. Received rank {rank}, shape {TensorShape(t._shape)}"
        )


def assert_rank(x: Any, rank: Any, message: str | None = None, name: str | None = None) -> None:
    """Raise unless ``x`` has a given rank.

    Args:
        x: a Tensor, or anything that converts to one.
        rank: an int, or an integer scalar Tensor.
        message: the beginning of the error's message.
        name: ignored, for TensorFlow's sake.

    Raises:
        ValueError: it has another.
        TypeError: ``rank`` is no integer.

    >>> import gradtape as tf
    >>> tf.debugging.assert_rank([[1, 2]], 2)
    """
    n = _rank(rank)
    _check_rank(x, message, lambda r: r == n, str(n))


def assert_rank_at_least(x: Any, rank: Any, message: str | None = None, name: str | None = None) -> None:
    """Raise unless ``x`` has at least a given rank. The arguments and errors are those of ``assert_rank``.

    >>> import gradtape as tf
    >>> tf.debugging.assert_rank_at_least([[1, 2]], 1)
    """
    n = _rank(rank)
    _check_rank(x, message, lambda r: r >= n, f"at least {n}")


def assert_rank_in(x: Any, ranks: Iterable, message: str | None = None, name: str | None = None) -> None:
    """Raise unless ``x`` has one of several ranks. The other arguments and the errors are those of ``assert_rank``.

    >>> import gradtape as tf
    >>> tf.debugging.assert_rank_in([[1, 2]], (1, 2))
    """
    ns = tuple(_rank(n) for n in ranks)
    _check_rank(x, message, lambda r: r in ns, f"in {ns}")


def _rank(value: Any) -> int:
    if value._shape if isinstance(value, Tensor | Variable) else np.ndim(value):
        raise ValueError(f"Rank must be a scalar, but is {value!r}.")
    return integer(value, "rank")


def assert_shapes(
    shapes: Any,
    data: Iterable | None = None,
    summarize: int | None = None,
    message: str | None = None,
    name: str | None = None,
) -> None:
    """Raise unless tensors have given shapes, in which a name stands for one size wherever it occurs.

    Args:
        shapes: pairs of a tensor and its shape: a dict or a list. A shape is a sequence (a string: of its letters) of ints, names, and None or
            "." for any size; "..." or "*" as its first entry stands for any number of dimensions. A tensor of shape () counts as [1] where one
            size is given.
        data: a list of what the message shows.
        summarize: how many elements of each are shown; None means 3, a negative number all.
        message: the beginning of the error's message.
        name: ignored, for TensorFlow's sake.

    Raises:
        ValueError: a rank or size is another.

    >>> import gradtape as tf
    >>> tf.debugging.assert_shapes([(tf.ones([4, 3]), ("N", "D")), (tf.ones([4]), ("N",))])
    """
    sizes: dict[Any, tuple[int, str]] = {}
    shown = f"\n{_data(data, summarize)}" if data is not None else ""
    for x, spec in list(shapes.items()) if isinstance(shapes, Mapping) else list(shapes):
        t = convert(x)
        have = t._shape
        label = f"Tensor shape={TensorShape(have)} dtype={t._d.name}"
        if not hasattr(spec, "__iter__"):
            raise ValueError(f"{_lead(message)}{label}: a specified shape must be iterable, but is {spec!r}.")
        want = list(spec)
        if want[:1] and want[0] in ("...", "*", ...):
            want = want[1:]
            assert_rank_at_least(t, len(want), message)
            have = have[len(have) - len(want) :]
        elif len(want) == 1 and not have:
            have = (1,)
        else:
            assert_rank(t, len(want), message)
        for i, (size, n) in enumerate(zip(want, have, strict=True)):
            if size in ("...", "*", ...):
                raise ValueError(
                    f"{_lead(message)}{label}, specified shape {spec!r}: `...` and `*` stand for dimensions as the first entry only, not at {i}."
                )
            if size is None or size == "." or n is None:
                continue
            literal = isinstance(size, int) or (isinstance(size, str) and size.isdecimal())
            wanted, source = (
                (int(size), "Specified explicitly")
                if literal
                else sizes.setdefault(size, (n, f"Specified by {label} dimension {i}"))
            )
            if wanted != n:
                raise ValueError(
                    f"{_lead(message)}{source}. {label} dimension {i} must have size {wanted}. Received size {n}, shape {TensorShape(t._shape)}{shown}"
                )


def assert_scalar(tensor: Any, message: str | None = None, name: str | None = None) -> None:
    """Raise ValueError unless a tensor has shape ().

    >>> import gradtape as tf
    >>> tf.debugging.assert_scalar(3)
    """
    t = convert(tensor)
    if t._shape:
        raise ValueError(f"{_lead(message)}Expected scalar shape, saw shape: {TensorShape(t._shape)}.")


def assert_type(tensor: Any, tf_type: Any, message: str | None = None, name: str | None = None) -> None:
    """Raise unless a tensor has a given dtype.

    Args:
        tensor: a Tensor, or anything that converts to one.
        tf_type: the dtype.
        message: the beginning of the error's message.
        name: ignored, for TensorFlow's sake.

    Raises:
        TypeError: it has another.

    >>> import gradtape as tf
    >>> tf.debugging.assert_type(tf.constant(1.0), tf.float32)
    """
    d, want = convert(tensor)._d, as_dtype(tf_type)
    if d is not want:
        raise TypeError(f"{_lead(message)}tensor must be of type {want!r}; got {d!r}")


def assert_integer(x: Any, message: str | None = None, name: str | None = None) -> None:
    """Raise TypeError unless a tensor has an integer dtype.

    >>> import gradtape as tf
    >>> tf.debugging.assert_integer([1, 2])
    """
    d = convert(x)._d
    if not d.is_integer:
        raise TypeError(f'{_lead(message)}Expected "x" to be integer type. Found: tensor of dtype {d}')


def assert_proper_iterable(values: Any) -> None:
    """Raise TypeError unless ``values`` can be iterated over and is meant to be: no tensor, array or string.

    >>> import gradtape as tf
    >>> tf.debugging.assert_proper_iterable([1, 2])
    """
    if isinstance(values, Tensor | np.ndarray | str | bytes):
        raise TypeError(f'Expected argument "values" to be a "proper" iterable. Found: {type(values)}')
    if not hasattr(values, "__iter__"):
        raise TypeError(f'Expected argument "values" to be iterable. Found: {type(values)}')


def assert_same_float_dtype(tensors: Iterable | None = None, dtype: Any = None) -> DType:
    """The one float dtype that tensors have.

    Args:
        tensors: Tensors and Nones, which are passed over; None for no tensors.
        dtype: the dtype that they must have, or None for that of the first.

    Returns:
        The dtype; float32 where there are neither tensors nor ``dtype``.

    Raises:
        ValueError: a tensor has another dtype, or it is no float.

    >>> import gradtape as tf
    >>> tf.debugging.assert_same_float_dtype([tf.constant(1.0), tf.constant(2.0)])
    tf.float32
    """
    d = None if dtype is None else as_dtype(dtype)
    for t in tensors or ():
        if t is None:
            continue
        d = d or t.dtype
        if t.dtype is not d:
            raise ValueError(f"{t}, type={t.dtype}, must be of the same type ({d}) as the others.")
    d = d or float32
    if not d.is_floating:
        raise ValueError(f"Expected floating point type, got {d}.")
    return d


def is_numeric_tensor(tensor: Any) -> bool:
    """Whether ``tensor`` is a Tensor of numbers.

    >>> import gradtape as tf
    >>> tf.debugging.is_numeric_tensor(tf.constant(1)), tf.debugging.is_numeric_tensor(1)
    (True, False)
    """
    return isinstance(tensor, Tensor) and tensor.dtype.is_numeric


__all__ = [
    "disable_check_numerics",
    "enable_check_numerics",
    "trace_lines", "enable_explanations", "disable_explanations", "on_operation", "on_gradient",
    "Assert", "assert_equal", "assert_none_equal", "assert_less", "assert_less_equal", "assert_greater", "assert_greater_equal", "assert_near",
    "assert_positive", "assert_negative", "assert_non_negative", "assert_non_positive", "assert_all_finite", "check_numerics",
    "assert_rank", "assert_rank_at_least", "assert_rank_in", "assert_shapes", "assert_scalar", "assert_type", "assert_integer",
    "assert_proper_iterable", "assert_same_float_dtype", "is_numeric_tensor",
]  # fmt: skip
