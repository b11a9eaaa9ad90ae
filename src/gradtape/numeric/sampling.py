"""A function of numbers, arrays or tensors as a function of one flat vector, and its calls counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.state import state
from ..core.tensor import Tensor, constant, convert
from ..core.variable import Variable
from ..ground.dtypes import as_dtype
from ..ground.errors import invalid


class Form:
    """What one argument of the function is: a Python number, a NumPy array or a tensor, of which shape and dtype.

    Args:
        value: the argument. Integers become floats; a list becomes a NumPy array.
        which: how error messages call it.
    """

    def __init__(self, value: Any, which: str) -> None:
        if isinstance(value, Tensor | Variable):
            self.kind, array = "tensor", np.asarray(convert(value))
        elif isinstance(value, np.ndarray | np.generic):
            self.kind, array = "numpy", np.asarray(value)
        elif isinstance(value, bool | int | float | complex):
            self.kind, array = "python", np.asarray(value)
        else:
            self.kind, array = "numpy", np.asarray(value)
        if array.dtype.kind in "iu" and self.kind != "tensor":
            array = array.astype(np.float64)
        d = array.dtype
        if not (d.kind in "fc" or (d.kind == "V" and as_dtype(d).is_floating)):
            raise invalid(
                f"Differences are taken of functions of real or complex numbers, but {which} has dtype {d.name}. Give floats."
            )
        self.dtype, self.shape, self.size = d, array.shape, array.size
        self.wide = array.astype(np.result_type(d, np.float64) if d.kind in "fc" else np.float64).ravel()
        self.which = which

    def build(self, part: np.ndarray) -> Any:
        """The argument that stands at ``part`` of the flat vector."""
        d = self.dtype
        if part.dtype.kind == "c" and d.kind != "c":
            if d.itemsize < 4:
                raise invalid(
                    f"A complex step needs complex numbers, which {d.name} has none of: cast {self.which} to float32 or float64."
                )
            d = np.result_type(d, np.complex64)
        if self.kind == "python":
            return part[0].item()
        array = part.reshape(self.shape).astype(d)
        if self.kind == "tensor":
            return constant(array)
        return array if self.shape else array[()]

    def like(self, values: np.ndarray) -> Any:
        """Values of any shape as this argument's kind of thing."""
        if self.kind == "tensor":
            return constant(values.astype(self.dtype))
        if self.dtype.kind != "c" and values.dtype.kind == "c":
            values = values.real
        if self.kind == "python":
            return values.item() if values.ndim == 0 else values
        values = values.astype(self.dtype)
        return values if values.ndim else values[()]


class Sampled:
    """``f`` as a function of one flat float64 vector (complex128, where it is given one).

    Args:
        f: the function.
        x: its argument, or a tuple of its arguments.
    """

    def __init__(self, f: Callable, x: Any) -> None:
        if state.trace is not None:
            raise RuntimeError(
                "gradtape.numeric evaluates functions at numbers, which a tf.function that is being traced has none of: call it outside."
            )
        if not callable(f):
            raise TypeError(f"f must be a function, but is {f!r}.")
        self.f = f
        self.several = isinstance(x, tuple)
        args = x if isinstance(x, tuple) else (x,)
        names = [f"argument {i}" for i in range(len(args))] if self.several else ["x"]
        self.forms = [Form(a, n) for a, n in zip(args, names, strict=True)]
        if not self.forms:
            raise invalid("There is nothing to differentiate with respect to: x is an empty tuple.")
        self.x = np.concatenate([form.wide for form in self.forms])
        self.ends = list(np.cumsum([form.size for form in self.forms]))
        self.calls = 0
        self.eps = max([_eps(form.dtype) for form in self.forms])
        self.shape: tuple[int, ...] = ()
        self.y0 = self(self.x)
        self.shape = self.y0.shape

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """The value at a flat vector, in at least float64. It is an error that a complex argument gives a real result."""
        self.calls += 1
        imaginary = x.dtype.kind == "c" and self.x.dtype.kind != "c"
        args = [
            form.build(x[end - form.size : end]) if self.several else form.build(x)
            for form, end in zip(self.forms, self.ends, strict=True)
        ]
        try:
            given = self.f(*args)
        except Exception as error:
            if imaginary and isinstance(error, TypeError | ValueError):
                raise invalid(
                    f"The complex step gives the function complex numbers, and this one does not take them ({type(error).__name__}: "
                    f"{str(error).partition(chr(10))[0]}). Write it with operations that do (NumPy's or cmath's functions in place of math's, no comparisons), or use "
                    "method='central' or 'richardson'."
                ) from error
            if self.calls > 1:
                error.add_note(
                    f"gradtape.numeric evaluated the function at {', '.join([_short(a) for a in args])}, a step away from where the derivative is taken. At the edge of "
                    "a domain method='forward' or 'backward' steps to one side only; step= makes steps shorter."
                )
            raise
        y = result(given)
        if y.dtype.kind not in "fc":
            self.eps = max(self.eps, _eps(np.dtype(np.float64)))
            y = y.astype(np.float64)
        elif y.dtype.itemsize < 16:
            self.eps = max(self.eps, _eps(y.dtype))
            y = y.astype(np.result_type(y.dtype, np.float64))
        if imaginary and y.dtype.kind != "c":
            raise invalid(
                "The complex step needs an analytic function, but this one gave real numbers for a complex argument: it takes an absolute value, "
                "a real part, or does not depend on its argument. Use method='central' or 'richardson'."
            )
        return y

    def split(self, flat: np.ndarray) -> list[np.ndarray]:
        """The parts of the last axis that belong to each argument, in the arguments' shapes."""
        front = flat.shape[:-1]
        return [
            flat[..., end - form.size : end].reshape(front + form.shape)
            for form, end in zip(self.forms, self.ends, strict=True)
        ]


def _short(x: Any) -> str:
    text = repr(x.numpy() if isinstance(x, Tensor) else x)
    return text if len(text) <= 60 else text[:57] + "..."


def result(y: Any) -> np.ndarray:
    """What a function returned as an array of floats, complex numbers, or ints."""
    if isinstance(y, list | tuple):
        parts = [result(v) for v in y]
        try:
            return np.stack(parts) if parts else np.zeros(0)
        except ValueError:
            raise invalid(
                f"The function returned parts of different shapes, {[p.shape for p in parts]}: let it return one array."
            ) from None
    if isinstance(y, Tensor | Variable):
        y = convert(y)
        array = np.asarray(y)
        return array.astype(np.float32) if array.dtype.kind == "V" else array
    array = np.asarray(y)
    if array.dtype == object or array.dtype.kind not in "fciu":
        raise invalid(
            f"The function must return a number, an array or a tensor of them, but it returned {type(y).__name__}."
        )
    return array


def _eps(d: np.dtype) -> float:
    if d.kind in "fc":
        return float(np.finfo(d).eps)
    import ml_dtypes

    return float(ml_dtypes.finfo(d).eps)
