"""Operators for conditionals and what stands in them: Python's over Python values, the stage's over staged ones.

Each is given functions that share variables with the function they stand in, and lambdas that name those variables.
What the stage sees are functions of states: the operator sets the variables, runs the function, and reads them again.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

from ...ground.errors import InvalidArgumentError, UnimplementedError
from . import staging
from .ir import PREFIX, RESULT
from .messages import at_frame
from .staging import UNSET, State
from .variables import Attribute, Variables

Thunk = Callable[[], Any]
Needs = tuple[Sequence[str], ...]


class _Here(threading.local):
    """Which staged branches and loops are being traced, from the outside in."""

    def __init__(self) -> None:
        self.kinds: list[str] = []


_here = _Here()


class _Raised(BaseException):
    """A raise statement in a staged branch, on its way to that branch."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


def raising(error: Any, caught: bool) -> BaseException:
    """What a raise statement inside a function of an operator raises.

    In a staged branch that is something which makes the program raise ``error`` if it comes there.

    ``caught`` tells that a try statement with handlers stands around the branch, which could not catch that.
    """
    if _here.kinds[-1:] != ["branch"]:
        return error
    if caught:
        return UnimplementedError(
            "`raise` under a staged condition cannot be caught by the `try` around it: whether it happens is known only "
            "when the program runs. Raise it outside, or choose with an `if` instead." + at_frame(sys._getframe(1))
        )
    return _Raised(error() if isinstance(error, type) else error)


def assert_(condition: Any, message: Thunk | None = None) -> None:
    """``assert condition, message()``.

    Where a branch or loop is being traced, it holds for the program that comes there.
    """
    if _here.kinds or staging.stage.is_staged(condition):
        if condition is not True:
            staging.stage.assert_(condition, message or (lambda: ""))
    elif not condition:
        raise AssertionError(*([] if message is None else [message()]))


def within(kind: str, f: Thunk) -> bool:
    """Run ``f`` inside a staged branch or loop."""
    _here.kinds.append(kind)
    try:
        f()
    finally:
        _here.kinds.pop()
    return True


# -- if --------------------------------------------------------------------------------------------------------------


def if_(
    pred: Any,
    then: Thunk | None,
    orelse: Thunk | None,
    names: Any,
    needs: Needs = ((), ()),
    keep: Any = None,
    slots: Sequence[Attribute] = (),
    kind: str = "else",
) -> None:
    """``if pred: then() else: orelse()``.

    Args:
        names: a lambda that gives the variables that either may change and that matter afterwards.
        needs: which of them must have a value at the end of ``then`` and of ``orelse``. What only one needs, the other
            leaves without, unless a third entry names it.
        keep: a lambda that gives variables that they read and change, but that do not matter afterwards.
        slots: attributes and items that they assign.
        kind: "rest" for what a jump may skip.
    """
    if not staging.stage.is_staged(pred):
        chosen = then if pred else orelse
        if chosen is not None:
            chosen()
        return
    branches = _Branches(Variables(names, slots), needs, keep, sys._getframe(1))
    branches.kind, branches.has_else = kind, orelse is not None
    branches.finish(pred, then, orelse)


class _Branches:
    """The variables of a staged conditional, and its branches as functions of states."""

    kind, has_else = "else", True

    def __init__(self, carried: Variables, needs: Needs, keep: Any, frame: FrameType) -> None:
        self._carried, self._needs, self._frame = carried, needs, frame
        self._kept = Variables(keep if keep is not None else lambda: ())
        self._start, self._kept_start = carried.read(), self._kept.read()
        then, orelse, *both = map(set, needs)
        # what only the other branch's end needs
        self._foreign = {True: orelse.difference(then, *both), False: then.difference(orelse, *both)}
        self._ends: dict[bool, State] = {}  # of branches that do not raise

    def finish(self, pred: Any, then: Thunk | None, orelse: Thunk | None) -> None:
        """Stage the conditional and set the variables to what it gives."""
        branch = lambda which, body: lambda state: self._run(which, body, state)
        try:
            names = self._carried.names
            final = staging.stage.cond(pred, branch(True, then), branch(False, orelse), self._start, names)
        except BaseException:
            self._carried.write(self._start)
            raise
        finally:
            self._kept.write(self._kept_start)
        self._carried.write([UNSET if self._hidden(i) else x for i, x in enumerate(final)])

    def _run(self, which: bool, body: Thunk | None, state: State) -> State:
        self._carried.write(state)
        self._kept.write(self._kept_start)
        try:
            if body is not None:
                within("branch", body)
        except _Raised as raised:
            staging.stage.raise_(raised.error)
            return (UNSET,) * len(state)
        foreign, parts = self._foreign[which], self._carried.parts
        end = tuple([UNSET if p.text in foreign else x for p, x in zip(parts, self._carried.read(), strict=True)])
        self._ends[which] = end
        if len(self._ends) == 2:
            for p, x, y in zip(parts, self._ends[True], self._ends[False], strict=True):
                self._check(p.text, isinstance(p, Attribute), x, y)
        return end

    def _hidden(self, i: int) -> bool:
        """Whether an entry, which only inner functions may read, was set by one branch only: then it has no value."""
        name = self._carried.parts[i].text
        if len(self._ends) < 2 or name.startswith(PREFIX) or any([name in n for n in self._needs]):
            return False
        return (self._ends[True][i] is UNSET) != (self._ends[False][i] is UNSET)

    def _check(self, name: str, is_slot: bool, x: Any, y: Any) -> None:
        """Both branches must set what matters afterwards; ``x`` and ``y`` are what they set ``name`` to."""
        if x is not UNSET and y is not UNSET:
            if name == RESULT and (x is None) != (y is None):
                which = "if" if x is None else "else"
                self._fail(
                    f"the {which} branch must also have a return statement with a value: under a staged condition, a "
                    "function must return the same kind of value either way, but here it returns None in one case."
                )
        elif x is UNSET and y is not UNSET and (is_slot or name in self._needs[0]):
            if self.kind == "rest":
                self._fail(
                    f"{name!r} may have no value where a `break`, `continue` or `return` under a staged condition "
                    "skips its assignment, and is used afterwards: give it a value before."
                )
            self._fail(
                f"{name!r} must also be initialized in the if branch: it is assigned in the else branch and used "
                "afterwards."
            )
        elif y is UNSET and x is not UNSET and (is_slot or name in self._needs[1]):
            hint = "" if self.has_else else "there is none, so give it a value before the `if`: "
            self._fail(
                f"{name!r} must also be initialized in the else branch: {hint}it is assigned in the if branch and used "
                "afterwards."
            )

    def _fail(self, message: str) -> None:
        raise InvalidArgumentError(message + at_frame(self._frame))


# -- what staged values cannot decide --------------------------------------------------------------------------------


def refuse(message: str) -> Any:
    """Raise, where Python values would have been fine."""
    raise UnimplementedError(message + at_frame(sys._getframe(1)))


def python(x: Any) -> Any:
    """``x``, which a match statement looks at: it must be a Python value."""
    if staging.stage.is_staged(x):
        raise UnimplementedError(
            "A `match` statement with patterns that look into its subject, or its guard, cannot ask a staged tensor: "
            "match on Python values, or write `if` statements." + at_frame(sys._getframe(1))
        )
    return x
