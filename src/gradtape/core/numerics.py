"""The check of every result for NaN and infinities, forward and backward, eager and traced."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..ground.errors import InvalidArgumentError, user_line
from .state import state
from .tensor import Tensor


def _words(a: Any) -> str:
    n, bad = np.size(a), int(np.size(a) - np.count_nonzero(np.isfinite(a)))
    kinds = [
        f"{int(np.count_nonzero(f(a)))} {word}"
        for word, f in (("NaN", np.isnan), ("+inf", np.isposinf), ("-inf", np.isneginf))
        if np.any(f(np.real(a)))
    ]
    return f"{bad} of {n} elements ({', '.join(kinds)})"


def message(name: str, shape: tuple, dtype: Any, of: str | None = None) -> str:
    """What is wrong, without the place; ``of`` is the row whose gradient it is a part of."""
    gradient = f" in the gradient of {of!r}" if of else ""
    return f"Detected Infinity or NaN in the output of {name!r}{gradient} (shape {list(shape)}, dtype {dtype.name})"


class _Checker:
    """Sits among the tapes and looks at every result."""

    _auto, _active, _wanted = False, True, None
    _live: frozenset = frozenset()

    def _record(self, p: Any, xs: tuple, out: Any, attrs: Any) -> None:
        for o in out if p.multi else (out,):
            if type(o) is Tensor and o._d.is_inexact and not np.all(np.isfinite(o._a)):
                given = [x for x in xs if type(x) is Tensor and x._d.is_inexact]
                clean = all(np.all(np.isfinite(x._a)) for x in given)
                forms = ", ".join(f"{x._d.name}{list(x._shape)}" for x in given)
                origin = "All its inputs are finite: it began here." if clean else "An input was not finite already."
                raise InvalidArgumentError(
                    f"{message(p.name, o._shape, o._d)}: {_words(o._a)}. Inputs: {forms}. {origin}{user_line()}"
                )


_checker = _Checker()


def enable() -> None:
    """From now on, in this thread."""
    if not state.check:
        state.check = True
        state.tapes = (_checker, *state.tapes)


def disable() -> None:
    """No longer."""
    state.check = False
    state.tapes = tuple([t for t in state.tapes if t is not _checker])
