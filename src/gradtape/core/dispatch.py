"""The one dispatch: every operation, eager or not, goes through here.

``run(p, xs, attrs)`` calls the row's kernel on the arrays, makes the output tensor and tells the recording tapes. ``bind1``, ``bind2`` and ``bind3``
make the same thing for one row of so many inputs without attributes, which is most of what programs do; operators and public functions
are what they return. Nothing is checked beforehand that NumPy checks anyway: when a kernel fails, ``_recover`` asks the row's shape rule
for the user's error. Inputs that are no plain tensors (batched, traced) interpret the operation themselves, by ``_interpret``.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ..ground.dtypes import STORAGE, DType, kinds_text, of_numpy, string
from ..ground.errors import InvalidArgumentError, OpError, invalid, user_line
from ..ground.primitive import Aval, Primitive
from ..primitives import indexing
from .buffers import BIG, run_large
from .state import state
from .tensor import Tensor, convert

_new = Tensor.__new__
_ndarray = np.ndarray


# NumPy warns of overflow, x/0 and NaN, TensorFlow does not. np.errstate costs more than a scalar operation, so the warnings
# are filtered where they arise; where a filter turns them into errors, `_recover` runs the kernel again in silence. Filters come and go
# (an import inside catch_warnings, a test runner), so tapes call `quiet` again when they start to record.
def quiet() -> None:
    """See to it that NumPy's floating-point warnings about gradtape's own arithmetic are not shown."""
    global _FILTER
    if _FILTER not in warnings.filters:
        warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"gradtape\.(core|ground|primitives)\b")
        _FILTER = warnings.filters[0]


_FILTER: Any = None
quiet()


def bind2(p: Primitive, slow: Callable, attrs: dict[str, Any] | None = None) -> Callable:
    """``f(x, y)`` that applies ``p`` to two plain tensors of one dtype, and leaves everything else to ``slow(x, y)``."""
    kernel, lanes, large, out_dtype = p.kernel, p.lanes, p.elementwise and p.out is None and not attrs, p.out
    if attrs:
        kernel = partial(kernel, **attrs)

    def f(x: Any, y: Any, name: str | None = None) -> Any:
        if type(x) is not Tensor or type(y) is not Tensor or x._d is not y._d:
            return slow(x, y)
        d = x._d
        a = x._a
        b = y._a
        try:
            if not d.lane & lanes:
                a = _beside(p, d)(a, b, **attrs or {})
            elif (type(a) is _ndarray or type(b) is _ndarray) and large and (a.nbytes >= BIG or b.nbytes >= BIG):
                a = run_large(p, (a, b))
            else:
                a = kernel(a, b)
        except Exception as error:
            a = _recover(p, (x, y), attrs or {}, error)
        out = _new(Tensor)
        out._a = a
        out._d = d if out_dtype is None else of_numpy[a.dtype] if out_dtype == "kernel" else out_dtype  # type: ignore[assignment]
        out._k = 0
        tapes = state.tapes
        if tapes:
            for tape in tapes:
                tape._record(p, (x, y), out, attrs)
        return out

    return f


def bind1(p: Primitive, slow: Callable, attrs: dict[str, Any] | None = None) -> Callable:
    """``f(x)`` that applies ``p`` to a plain tensor, and leaves everything else to ``slow(x)``."""
    kernel, lanes, large, out_dtype = p.kernel, p.lanes, p.elementwise and p.out is None and not attrs, p.out
    if attrs:
        kernel = partial(kernel, **attrs)

    def f(x: Any, name: str | None = None) -> Any:
        if type(x) is not Tensor:
            return slow(x)
        d = x._d
        a = x._a
        try:
            if not d.lane & lanes:
                a = _beside(p, d)(a, **attrs or {})
            else:
                a = run_large(p, (a,)) if large and type(a) is _ndarray and a.nbytes >= BIG else kernel(a)
        except Exception as error:
            a = _recover(p, (x,), attrs or {}, error)
        out = _new(Tensor)
        out._a = a
        out._d = d if out_dtype is None else of_numpy[a.dtype] if out_dtype == "kernel" else out_dtype  # type: ignore[assignment]
        out._k = 0
        tapes = state.tapes
        if tapes:
            for tape in tapes:
                tape._record(p, (x,), out, attrs)
        return out

    return f


def bind3(p: Primitive, slow: Callable) -> Callable:
    """``f(x, y, z)`` that applies ``p`` to three plain tensors, and leaves everything else to ``slow(x, y, z)``."""
    kernel, lanes, out_dtype = p.kernel, p.lanes, p.out

    def f(x: Any, y: Any, z: Any) -> Any:
        if type(x) is not Tensor or type(y) is not Tensor or type(z) is not Tensor:
            return slow(x, y, z)
        d = x._d
        try:
            a = kernel(x._a, y._a, z._a) if d.lane & lanes else _beside(p, d)(x._a, y._a, z._a)
        except Exception as error:
            a = _recover(p, (x, y, z), {}, error)
        out = _new(Tensor)
        out._a = a
        out._d = d if out_dtype is None else of_numpy[a.dtype] if out_dtype == "kernel" else out_dtype  # type: ignore[assignment]
        out._k = 0
        tapes = state.tapes
        if tapes:
            for tape in tapes:
                tape._record(p, (x, y, z), out, None)
        return out

    return f


def evaluate(p: Primitive, x: Tensor, y: Tensor) -> Any:
    """The array of ``p``, a row that is not widened, on two tensors; no tape hears of it."""
    try:
        return p.kernel(x._a, y._a)
    except Exception as error:
        return _recover(p, (x, y), {}, error)


def run(p: Primitive, xs: tuple, attrs: dict[str, Any]) -> Any:
    """Apply ``p`` to plain tensors ``xs``, any number of them, with attributes."""
    d = xs[p.like]._d if xs else None
    try:
        kernel = p.kernel if d is None or d.lane & p.lanes else _beside(p, d)
        r = kernel(*[x._a for x in xs], **attrs)
    except Exception as error:
        r = _recover(p, xs, attrs, error)
    if p.multi:
        out: Any = tuple([Tensor(a, of_numpy[a.dtype] if type(a) is not bytes else string) for a in r])
    else:
        o = p.out
        out = Tensor(r, d if o is None else of_numpy[r.dtype] if o == "kernel" else o)  # type: ignore[arg-type]
    tapes = state.tapes
    if tapes:
        for tape in tapes:
            tape._record(p, xs, out, attrs)
    return out


def _beside(p: Primitive, d: DType) -> Callable:
    """What runs for a dtype that the kernel itself does not take: float16 and bfloat16 are widened, of others nothing is done.

    Raises:
        InvalidArgumentError: the row is not defined for ``d``.
    """
    if d.kind & p.accepts:
        return p.compute
    raise _bad_dtype(p, d)


def _bad_dtype(p: Primitive, d: DType) -> InvalidArgumentError:
    hint = " It can be kept, moved and cast: convert it with tf.cast(x, tf.float32)." if d.kind == STORAGE else ""
    return invalid(f"{p.name} does not take {d.name} tensors: it is defined for {kinds_text(p.accepts)}.{hint}")


def apply(p: Primitive, *xs: Any, **attrs: Any) -> Any:
    """Apply ``p`` to tensors of any sort; values that are no tensors take the dtype of the first that is one."""
    if not attrs:
        f = p.bound
        if f is not None:
            return f(*xs)
        if not p.multi and not p.like and 1 <= len(xs) <= 3 and not p.variadic:
            p.bound = _bind(p, {})
    for x in xs:
        if type(x) is not Tensor:
            return _apply_general(p, xs, attrs)
    return run(p, xs, attrs)


def _bind(p: Primitive, attrs: dict[str, Any]) -> Callable:
    slow = lambda *xs: _apply_general(p, xs, attrs)
    if len(p.inputs) == 3:
        return bind3(p, slow)
    return (bind1 if len(p.inputs) == 1 else bind2)(p, slow, attrs)


def _given(p: Primitive, **attrs: Any) -> Callable:
    """``p`` with its attributes fixed: the dispatch bound to both, for rules and functions on hot paths. For rows of one or two inputs."""
    return _bind(p, attrs)


def _apply_general(p: Primitive, xs: tuple, attrs: dict[str, Any]) -> Any:
    hint = next((x._d for x in xs if isinstance(x, Tensor)), None)
    xs = tuple(x if isinstance(x, Tensor) else convert(x, None, hint) for x in xs)
    return interpret(p, xs, attrs)


def interpret(p: Primitive, xs: tuple, attrs: dict[str, Any]) -> Any:
    """``run``, or what the innermost special tensor among ``xs`` makes of it."""
    top = max(xs, key=lambda x: x._special)
    return top._interpret(p, xs, attrs) if top._special else run(p, xs, attrs)


Primitive.__call__ = apply  # type: ignore[method-assign,assignment]
Primitive._given = _given  # type: ignore[method-assign,assignment]
indexing._tensor = convert


def aval(x: Tensor) -> Aval:
    """The abstract value of a tensor."""
    return Aval(x._shape, x._d)


def _recover(p: Primitive, xs: tuple, attrs: dict[str, Any], error: Exception) -> Any:
    """After a kernel failed: run it again without warnings, or raise the error that tells the user what is wrong."""
    if isinstance(error, Warning | FloatingPointError):
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            return p.compute(*[x._a for x in xs], **attrs)
    if isinstance(error, OpError):
        raise type(error)(error.message.split("\n  at ")[0] + user_line()) from None
    if isinstance(error, MemoryError):
        raise error
    try:
        p.shape(*[aval(x) for x in xs], **attrs)
    except OpError as clear:
        raise clear from None
    given = ", ".join(f"{x._d.name}{list(x._shape)}" for x in xs)
    raise InvalidArgumentError(f"{p.name} failed on {given}: {error}{user_line()}") from error
