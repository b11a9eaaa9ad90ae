"""Products of tensors: the matrix product and its operator ``@``, matrix times vector, tensordot, einsum."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import numpy as np

from ..ground.dtypes import as_dtype
from ..ground.errors import invalid
from ..ground.shapes import dims_text
from ..primitives import contraction
from ..primitives.elementwise import conj
from ..primitives.structure import cast, expand_dims, reshape
from .arguments import axis_of, integers
from .operators import _defers, install, pair
from .tensor import Tensor, convert
from .variable import Variable

# -- matrices ----------------------------------------------------------------------------------------------------------


_product = contraction.matmul._given(transpose_x=False, transpose_y=False)


def matmul(a: Any, b: Any, transpose_a: bool = False, transpose_b: bool = False, adjoint_a: bool = False, adjoint_b: bool = False,
           a_is_sparse: bool = False, b_is_sparse: bool = False, output_type: Any = None, grad_a: bool = False, grad_b: bool = False,
           name: str | None = None) -> Any:  # fmt: skip
    """The matrix product a b, also as ``a @ b``; of batches of matrices where the rank is above 2.

    Args:
        a: a Tensor of shape (..., m, k), or anything that converts to one; any number type.
        b: a Tensor of shape (..., k, n) and the same dtype. The batch dimensions of both must broadcast.
        transpose_a, transpose_b: transpose the matrices of ``a`` or of ``b`` first.
        adjoint_a, adjoint_b: transpose and conjugate them first.
        a_is_sparse, b_is_sparse: hints that many elements are 0; ignored.
        output_type: the dtype of the product, to which both are converted first (int32 for int8 matrices, say); their own by default.
        grad_a, grad_b, name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of shape (..., m, n). float16 and bfloat16 are summed in float32.

    Raises:
        InvalidArgumentError: a rank below 2, inner or batch dimensions that do not fit, different dtypes.
        ValueError: both transpose and adjoint for one matrix.

    >>> import gradtape as tf
    >>> tf.matmul([[1.0, 2.0]], [[3.0], [4.0]]).numpy().tolist()
    [[11.0]]
    """
    if type(a) is Variable:
        a = a._read()
    if type(b) is Variable:
        b = b._read()
    if type(a) is Tensor and type(b) is Tensor and a._d is b._d and not (adjoint_a or adjoint_b or output_type):
        return contraction.product[bool(transpose_a), bool(transpose_b)](a, b)
    for which, transpose, adjoint in (("a", transpose_a, adjoint_a), ("b", transpose_b, adjoint_b)):
        if transpose and adjoint:
            raise ValueError(
                f"Only one of `transpose_{which}` and `adjoint_{which}` can be True. Received `transpose_{which}`={transpose}, `adjoint_{which}`={adjoint}."
            )
    if output_type is not None:
        d = as_dtype(output_type)
        a, b = cast(convert(a), d), cast(convert(b), d)
    x, y = pair(contraction.matmul, a, b)
    if x._d.is_complex:
        x, y = conj(x) if adjoint_a else x, conj(y) if adjoint_b else y
    return contraction.matmul(
        x, y, transpose_x=bool(transpose_a or adjoint_a), transpose_y=bool(transpose_b or adjoint_b)
    )


def _matmul_method(self: Any, other: Any) -> Any:
    if type(other) is Variable:
        other = other._read()
    if type(self) is Tensor and type(other) is Tensor and self._d is other._d:
        return _product(self, other)
    return NotImplemented if _defers(other) else matmul(self, other)


def _reflected_matmul(self: Any, other: Any) -> Any:
    return NotImplemented if _defers(other) else matmul(other, self)


install({"__matmul__": _matmul_method, "__rmatmul__": _reflected_matmul})


def matvec(a: Any, b: Any, transpose_a: bool = False, adjoint_a: bool = False, a_is_sparse: bool = False, b_is_sparse: bool = False,
           name: str | None = None) -> Any:  # fmt: skip
    """The product of a matrix and a vector, or of batches of them.

    Args:
        a: a Tensor of shape (..., m, k), or anything that converts to one; any number type.
        b: a Tensor of shape (..., k) and the same dtype. The batch dimensions of both must broadcast.
        transpose_a: transpose the matrices first.
        adjoint_a: transpose and conjugate them first.
        a_is_sparse, b_is_sparse, name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of shape (..., m).

    Raises:
        InvalidArgumentError: ``a`` is no matrix or ``b`` no vector, dimensions do not fit, or dtypes differ.
        ValueError: both ``transpose_a`` and ``adjoint_a``.

    >>> import gradtape as tf
    >>> tf.linalg.matvec([[1.0, 2.0], [3.0, 4.0]], [1.0, 10.0]).numpy().tolist()
    [21.0, 43.0]
    """
    x, y = pair(contraction.matmul, a, b)
    if not y._shape:
        raise invalid("In[1] ndims must be >= 1: matvec needs a vector or a batch of vectors, but b is a scalar.")
    out = matmul(x, expand_dims(y, len(y._shape)), transpose_a=transpose_a, adjoint_a=adjoint_a)
    return reshape(out, shape=out._shape[:-1])


# -- any number of dimensions --------------------------------------------------------------------------------------------


def tensordot(a: Any, b: Any, axes: Any, name: str | None = None) -> Any:
    """The sum of products of ``a`` and ``b`` along pairs of axes.

    Args:
        a: a Tensor, or anything that converts to one; any number type.
        b: a Tensor of the same dtype.
        axes: an int n, for the last n axes of ``a`` with the first n of ``b`` (0: the outer product); or two ints or two lists of
            ints, an axis of ``a`` for each axis of ``b``.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor with the other dimensions of ``a``, then those of ``b``.

    Raises:
        ValueError: ``axes`` has another form, or names more axes than there are.
        InvalidArgumentError: an axis is out of range, paired axes differ in length, or dtypes differ.

    >>> import gradtape as tf
    >>> tf.tensordot(tf.ones([2, 3, 4]), tf.ones([4, 3, 5]), [[1, 2], [1, 0]]).shape
    TensorShape([2, 5])
    """
    x, y = pair(contraction.matmul, a, b)
    s, t = x._shape, y._shape
    mine, yours = _contracted(axes, len(s), len(t))
    for i, j in zip(mine, yours, strict=True):
        if s[i] != t[j] and None not in (s[i], t[j]):
            raise invalid(f"Matrix size-incompatible: In[0]: {dims_text(s)}, In[1]: {dims_text(t)}: "
                          f"tensordot sums over axis {i} of a and axis {j} of b, which must have one length.")  # fmt: skip
    if len(t) == 2 <= len(s) and mine == (len(s) - 1,) and yours == (0,):
        return _product(x, y)
    letters = contraction.LETTERS
    left = letters[: len(s)]
    right = list(letters[len(s) : len(s) + len(t)])
    for i, j in zip(mine, yours, strict=True):
        right[j] = left[i]
    out = [label for i, label in enumerate(left) if i not in mine] + [
        label for j, label in enumerate(right) if j not in yours
    ]
    return contraction.einsum(x, y, equation=f"{left},{''.join(right)}->{''.join(out)}")


def _contracted(axes: Any, rank_a: int, rank_b: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The axes of a and of b that tensordot sums over, non-negative."""
    if isinstance(axes, Tensor | Variable | np.ndarray):
        axes = np.asarray(axes).tolist()
    if hasattr(axes, "__index__"):
        n = axes.__index__()
        if n < 0:
            raise ValueError(f"`axes` must be at least 0. Received: {n}.")
        if n > min(rank_a, rank_b):
            raise ValueError(f"`axes` must not be larger than the number of dimensions of either tensor. "
                             f"Received {n}, vs tensor dimensions {rank_a} and {rank_b}.")  # fmt: skip
        return tuple(range(rank_a - n, rank_a)), tuple(range(n))
    if axes is None or isinstance(axes, str) or len(axes) != 2:
        raise ValueError(f"`axes` must be an integer or have length 2. Received {axes!r}.")
    mine = tuple(axis_of(i, rank_a, "axis of a") for i in integers(axes[0], "axes"))
    yours = tuple(axis_of(i, rank_b, "axis of b") for i in integers(axes[1], "axes"))
    if len(mine) != len(yours):
        raise ValueError(f"Different number of contraction axes `a` and `b`, {len(mine)} != {len(yours)}.")
    if len(set(mine)) != len(mine) or len(set(yours)) != len(yours):
        raise ValueError(f"`axes` must name each axis of a tensor once. Received {axes!r}.")
    return mine, yours


_FORMAT = re.compile(r"[A-Za-z]*(\.\.\.)?[A-Za-z]*(,[A-Za-z]*(\.\.\.)?[A-Za-z]*)*(->[A-Za-z]*(\.\.\.)?[A-Za-z]*)?")


def einsum(equation: str, *inputs: Any, **kwargs: Any) -> Any:
    """Sums of products of tensors' elements by Einstein's convention.

    Each tensor's dimensions are labelled by letters. The output has the dimensions named behind ``->``, and the products
    are summed over all others. A label that repeats within one tensor means its diagonal; ``...`` stands for any further
    dimensions, which broadcast. Without ``->``, the output has the labels that occur once, in alphabetical order.

    Args:
        equation: the labels, such as ``"ij,jk->ik"``.
        *inputs: a Tensor for each term of the equation, all of one number type.
        **kwargs: ``name``, ``optimize`` and ``greedy`` are ignored, for TensorFlow's sake: the order of contraction is
            always chosen for the fewest multiplications.

    Returns:
        A Tensor of the dtype of the inputs.

    Raises:
        ValueError: the equation is malformed, or has another number of terms than there are inputs.
        InvalidArgumentError: a rank or dimension does not fit its label, or dtypes differ.
        TypeError: an unknown keyword argument.

    >>> import gradtape as tf
    >>> tf.einsum("ij,kj->ik", [[1, 2], [3, 4]], [[1, 1], [0, 1]]).numpy().tolist()
    [[3, 2], [7, 4]]
    >>> tf.einsum("...ii->...", tf.ones([2, 3, 3])).numpy().tolist()
    [3.0, 3.0]
    """
    if kwargs and not kwargs.keys() <= {"name", "optimize", "greedy"}:
        unknown = ", ".join(sorted(kwargs.keys() - {"name", "optimize", "greedy"}))
        raise TypeError(f"Invalid keyword arguments for einsum: {unknown}. Valid arguments: name, optimize, greedy.")
    if not isinstance(equation, str):
        raise TypeError(f"The equation of einsum must be a string such as 'ij,jk->ik', but is {equation!r}.")
    xs = list(inputs)
    for i, v in enumerate(inputs):
        if type(v) is not Tensor:
            xs[i] = convert(v, None, next((w.dtype for w in inputs if isinstance(w, Tensor | Variable)), None))
    canonical, squeezed = _canonical(equation, tuple([x._shape for x in xs]))
    for i, shape in squeezed:
        xs[i] = reshape(xs[i], shape=shape)
    return contraction.einsum(*xs, equation=canonical)


@lru_cache(maxsize=4096)
def _canonical(equation: str, shapes: tuple[tuple, ...]) -> tuple[str, tuple[tuple[int, tuple], ...]]:
    """The equation of the row for inputs of these shapes, and the inputs to reshape first, with their new shapes.

    An ellipsis becomes letters that the equation leaves free. Where a dimension of length 1 broadcasts, it is squeezed away.
    """
    bare = equation.replace(" ", "")
    if not _FORMAT.fullmatch(bare):
        raise ValueError(f"Subscripts have incorrect format: {equation}")
    left, arrow, out = bare.partition("->")
    terms = left.split(",")
    if len(terms) != len(shapes):
        raise ValueError(f'Got {len(shapes)} inputs for equation "{equation}", expecting {len(terms)}')
    if not arrow:
        out = "".join(sorted(label for label in set(left) - set(",.") if left.count(label) == 1))
    _check_output(equation, left, out)
    extra = []  # how many dimensions each term's ellipsis stands for
    for n, (term, shape) in enumerate(zip(terms, shapes, strict=True)):
        named = len(term.replace("...", ""))
        if "..." in term and len(shape) < named:
            raise invalid(
                f"Expected input {n} to have rank at least {named} but got: {len(shape)} (shape {dims_text(shape)} for {term!r})."
            )
        extra.append(len(shape) - named if "..." in term else 0)
    most = max(extra, default=0)
    if most and "..." not in out:
        raise invalid(
            f"Output contains {most} broadcasting dimension(s) but no ellipsis (...) was found in the output subscripts of {equation!r}."
        )
    free = "".join(label for label in contraction.LETTERS if label not in bare)[:most]
    if len(free) < most:
        raise ValueError(f"Too many dimensions for the letters of the alphabet: {equation}")
    terms = [t.replace("...", free[most - k :]) for t, k in zip(terms, extra, strict=True)]
    out = out.replace("...", free)
    wide = {
        label
        for t, shape in zip(terms, shapes, strict=True)
        for label, d in zip(t, shape, strict=False)
        if label in free and d != 1
    }
    squeezed = []
    for i, (term, shape) in enumerate(zip(terms, shapes, strict=True)):
        gone = [axis for axis, (label, d) in enumerate(zip(term, shape, strict=False)) if label in wide and d == 1]
        if gone:
            squeezed.append((i, tuple(d for axis, d in enumerate(shape) if axis not in gone)))
            terms[i] = "".join(label for axis, label in enumerate(term) if axis not in gone)
    return f"{','.join(terms)}->{out}", tuple(squeezed)


def _check_output(equation: str, left: str, out: str) -> None:
    labels = out.replace("...", "")
    if len(set(labels)) != len(labels):
        raise ValueError(f"Output subscripts contain a label appearing more than once: {equation}")
    for label in labels:
        if label not in left:
            raise ValueError(f"Output subscripts contain the label {label} not present in the input subscripts.")
