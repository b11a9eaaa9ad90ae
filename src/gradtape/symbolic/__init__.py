"""Formulas: expressions that are differentiated by the table's rules, rewritten, printed, compiled, and exchanged with SymPy and C.

>>> import gradtape as tf
>>> x, y = tf.symbolic.Var("x", value=3), tf.symbolic.Var("y", value=4)
>>> f = x * x * y + y + 2
>>> print(f)
((x) * (x)) * (y) + y + 2
>>> f.evaluate()
42
>>> print(f.diff(x).pretty())
2·x·y

``Var`` makes variables; operators and gradtape's functions (``tf.sin``, ``tf.where`` ...) of them make expressions; and there is a class for each elementwise
row of the table of operations (``Sin``, ``Maximum``, ``Lgamma`` ...), made from it.
"""

from __future__ import annotations

from typing import Any as _Any

from . import tidy as _tidy  # noqa: F401  (enters its rules)
from .compilation import compile, function
from .csource import to_c
from .derivative import diff, gradient, hessian, jacobian
from .evaluation import backpropagate, evaluate
from .exchange import from_sympy, to_sympy
from .expression import Const, Expression, Operation, Var, variables
from .making import class_of as _class_of
from .making import install_operators
from .printing import latex, pretty
from .rewriting import common_parts, expand, simplify, subs
from .tracing import trace

_NO_CLASS = ("identity", "check_numerics", "zeros_like", "ones_like", "cast")


def _classes() -> None:
    """A class for each elementwise row of the families that are loaded."""
    from ..primitives import TABLE

    for p in list(TABLE.values()):
        if p.elementwise and not p.multi and not p.variadic and p.name not in _NO_CLASS:
            cls = _class_of(p)
            globals()[cls.__name__] = cls


_classes()
install_operators()


def __getattr__(name: str) -> _Any:
    if name[:1].isupper():
        from ..primitives import complete

        complete()
        _classes()
        if name in globals():
            return globals()[name]
    raise AttributeError(f"module 'gradtape.symbolic' has no attribute {name!r}")


def __dir__() -> list[str]:
    from ..primitives import complete

    complete()
    _classes()
    return sorted(globals())


__all__ = [
    "Const",
    "Expression",
    "Operation",
    "Var",
    "backpropagate",
    "common_parts",
    "compile",
    "diff",
    "evaluate",
    "expand",
    "from_sympy",
    "function",
    "gradient",
    "hessian",
    "jacobian",
    "latex",
    "pretty",
    "simplify",
    "subs",
    "to_c",
    "to_sympy",
    "trace",
    "variables",
]
