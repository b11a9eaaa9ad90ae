"""Operators for ``and``, ``or``, ``not``, ``x if c else y``, chained comparisons."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from . import staging
from .messages import unimplemented
from .staging import UNSET

Thunk = Callable[[], Any]


def and_(x: Any, y: Thunk) -> Any:
    """``x and y()``."""
    return staging.stage.logical_and(x, y) if staging.stage.is_staged(x) else x and y()


def or_(x: Any, y: Thunk) -> Any:
    """``x or y()``."""
    return staging.stage.logical_or(x, y) if staging.stage.is_staged(x) else x or y()


def not_(x: Any) -> Any:
    """``not x``."""
    return staging.stage.logical_not(x) if staging.stage.is_staged(x) else not x


def if_exp(pred: Any, x: Thunk, y: Thunk) -> Any:
    """``x() if pred else y()``."""
    if not staging.stage.is_staged(pred):
        return x() if pred else y()
    return staging.stage.cond(
        pred, lambda _: (x(),), lambda _: (y(),), (UNSET,), ("the value of the conditional expression",)
    )[0]


_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "is": operator.is_,
    "is not": operator.is_not,
    "in": lambda x, y: x in y,
    "not in": lambda x, y: x not in y,
}


def compare(x: Any, *links: tuple[str, Thunk]) -> Any:
    """``x < y() < z()`` and the like, for links ("<", y), ("<", z)."""
    (op, right), *rest = links
    y = right()
    first = _COMPARE[op](x, y)
    return first if not rest else and_(first, lambda: compare(y, *rest))


def is_(x: Any, value: Any) -> bool:
    """``x is value`` for the pattern ``case True``, ``case False`` or ``case None``."""
    if value is not None and staging.stage.is_staged(x):
        raise unimplemented(
            f"`case {value}` asks whether a value is the object {value}, which a staged tensor never is: write an `if` "
            "statement."
        )
    return x is value
