"""The computation made visible: why a gradient is None, zero or NaN; the table of the chain rule; the picture to step through."""

from __future__ import annotations

from typing import Any

from ..core.tensor import Tensor
from ..core.variable import Variable
from ..gradient.tape import GradientTape, _ones
from ..ground import nest
from ..ground.errors import user_python_frame
from . import places
from .account import Account, account_of, unheard
from .explanation import Explanation, explain
from .table import Row, Table, table_of

__all__ = ["Explanation", "Row", "Table", "explain", "show", "table"]


def table(tape: GradientTape, target: Any = None) -> Table:
    """See ``GradientTape.table``."""
    names = places.names_in(user_python_frame())
    with unheard():
        return table_of(accounted(tape, target, names))


def show(tape: GradientTape, target: Any = None, path: Any = None) -> Any:
    """See ``GradientTape.show``."""
    from .picture import Picture

    names = places.names_in(user_python_frame())
    with unheard():
        picture = Picture(accounted(tape, target, names), names.get(id(tape), "tape"))
    if path is not None:
        picture.save(path)
    return picture


def show_function(function: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
    """See ``Function.show``."""
    from .traced import show_function

    return show_function(function, args, kwargs)


def accounted(tape: GradientTape, target: Any, names: places.Names) -> Account:
    """The account of a tape with its backward pass from ``target``."""
    account = account_of(tape, names, unfold=True)
    start: dict[int, Any] = {}
    if target is not None:
        for t in nest.flatten(target):
            if not isinstance(t, Tensor | Variable):
                raise ValueError(f"The target must be a tf.Tensor or a tf.Variable, but is {t!r}.")
            keys = list(tape._keys_of(t))[-1:]
            start.update(dict.fromkeys(keys, _ones(t)))
    elif account.steps:
        used = {k for s in account.steps for k in s.in_keys}
        ends = [s for s in account.steps if used.isdisjoint(s.out_keys)]
        last = ends[-1]
        for k, o in zip(last.out_keys, last.outs, strict=True):
            if o is not None and o._d.is_inexact:
                start[k] = _ones(o)
                break
    account.backward(start)
    return account
