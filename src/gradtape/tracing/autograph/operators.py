"""The operators that converted code calls as ``ag__.if_``, ``ag__.call`` and so on, gathered in one object."""

from __future__ import annotations

from typing import Any

from . import branches, calls, experimental, logic, loops, overloads, staging, variables
from .conversion import ops_cell


class Operators:
    """All operators; ``staged`` is the stage's own test, since it is asked most."""

    __slots__ = ("__dict__",)

    def __init__(self, stage: Any) -> None:
        self.staged = stage.is_staged
        self.call = calls.call
        self.iterate, self.Staged = overloads.iterate, overloads.Staged
        self.if_, self.while_, self.for_ = branches.if_, loops.while_, loops.for_
        self.loop_options = experimental.loop_options
        self.raising, self.refuse, self.python = branches.raising, branches.refuse, branches.python
        self.and_, self.or_, self.not_, self.if_exp = logic.and_, logic.or_, logic.not_, logic.if_exp
        self.compare, self.is_, self.assert_ = logic.compare, logic.is_, branches.assert_
        self.attribute, self.item = variables.Attribute, variables.Item
        for builtin, overload in overloads.TABLE.items():
            setattr(self, builtin.__name__, overload)


def _set(stage: Any) -> None:
    ops_cell.cell_contents = Operators(stage)


staging.follow(_set)
