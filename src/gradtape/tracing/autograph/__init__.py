"""AutoGraph: Python control flow over staged tensors becomes graph control flow; over Python values it stays Python.

``convert(f)`` gives the function that runs in place of ``f``; its branches and loops ask the installed stage
(``staging.py``) what to do with staged values. The transformation has four passes over the standard library's syntax
trees:

1. ``jumps.py``: break, continue and return become flags; early returns become plain conditionals.
2. ``liveness.py``: what each branch and loop changes, and what of that matters afterwards.
3. ``expressions.py``: calls, logic operators, conditional expressions.
4. ``statements.py``: branches and loops become operators on functions, beside the Python statements that they are for
   Python values.

``branches.py``, ``loops.py``, ``logic.py``, ``overloads.py`` and ``calls.py`` are the operators. All code keeps its
place in the user's file, so tracebacks, debuggers and coverage show that.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from types import FunctionType, MethodType
from typing import Any

from . import calls, experimental, operators, source, staging
from .conversion import converted_function, or_as_it_is, transformed
from .messages import AutographWarning
from .staging import UNSET, Stage, install

__all__ = [
    "UNSET",
    "AutographWarning",
    "Stage",
    "convert",
    "experimental",
    "install",
    "operators",
    "staging",
    "to_code",
]


def convert(f: Callable[..., Any]) -> Callable[..., Any]:
    """The converted form of a function, method, ``functools.partial`` or object with ``__call__``.

    Functions that it calls are converted when it calls them, unless they come from a library. What needs no
    conversion (built-in functions, generators, what ``do_not_convert`` marks) is given back as it is; so is, with a
    warning, a function whose source cannot be found.

    Raises:
        UnimplementedError: the function has syntax that is not supported; the message shows where.
    """
    if type(f) is MethodType and type(f.__func__) is FunctionType:
        new = convert(f.__func__)
        return f if new is f.__func__ else MethodType(new, f.__self__)
    if type(f) is not FunctionType:
        return calls.call(f)
    if calls.AS_IS in f.__dict__:
        return f
    try:
        return converted_function(f)
    except source.NoSource:
        return or_as_it_is(f)


def to_code(entity: Callable[..., Any], recursive: bool = True, experimental_optional_features: Any = None) -> str:
    """The source text of the converted form of a function, for reading.

    What runs differs from it only where ``ag__.staged(x)`` looks first whether x is True or False.

    Args:
        entity: a function or method.
        recursive, experimental_optional_features: accepted for TensorFlow's sake.

    Raises:
        ValueError: the function's source cannot be found.
        UnimplementedError: it has syntax that is not supported.

    >>> import gradtape as tf
    >>> print(tf.autograph.to_code(lambda x: not x))
    lambda x: ag__.not_(ag__1) if ag__.staged((ag__1 := x)) else not ag__1
    """
    f: Any = getattr(entity, "python_function", entity)  # of a tf.function
    f = f.__func__ if isinstance(f, MethodType) else f
    if not isinstance(f, FunctionType):
        raise ValueError(
            f"to_code takes a Python function or method, but {entity!r} is of type {type(entity).__name__}."
        )
    try:
        return ast.unparse(transformed(f, readable=True))
    except source.NoSource as e:
        raise ValueError(f"The code of {f.__qualname__} cannot be shown, because {e}.") from None
