"""Operators for branches and loops: Python's own over Python values, the stage's over staged ones.

Each is given functions that share variables with the function they stand in, and lambdas that name those variables. What the stage sees are
functions of states: the operator sets the variables, runs the function, and reads them again.
"""

from __future__ import annotations

import itertools
import sys
import threading
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

from ...ground.errors import InvalidArgumentError, UnimplementedError
from . import overloads, staging
from .ir import PREFIX, RESULT
from .logic import and_, not_
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
    """What a raise statement inside a function of an operator raises: in a staged branch the program will raise ``error`` if it comes there.

    ``caught`` tells that a try statement with handlers stands around the branch, which could not catch that.
    """
    if _here.kinds[-1:] != ["branch"]:
        return error
    if caught:
        return UnimplementedError(
            "`raise` under a staged condition cannot be caught by the `try` around it: whether it happens is known only when the program runs. Raise it outside, or choose with an "
            "`if` instead." + at_frame(sys._getframe(1))
        )
    return _Raised(error() if isinstance(error, type) else error)


def assert_(condition: Any, message: Thunk | None = None) -> None:
    """``assert condition, message()``. Where a branch or loop is being traced, it holds for the program that comes there."""
    if _here.kinds or staging.stage.is_staged(condition):
        if condition is not True:
            staging.stage.assert_(condition, message or (lambda: ""))
    elif not condition:
        raise AssertionError(*([] if message is None else [message()]))


def _within(kind: str, f: Thunk) -> bool:
    """Run ``f`` inside a staged branch or loop."""
    _here.kinds.append(kind)
    try:
        f()
    finally:
        _here.kinds.pop()
    return True


# -- if ---------------------------------------------------------------------------------------------------------------------


def if_(pred: Any, then: Thunk | None, orelse: Thunk | None, names: Any, needs: Needs = ((), ()), keep: Any = None, slots: Sequence[Attribute] = (),
        kind: str = "else") -> None:  # fmt: skip
    """``if pred: then() else: orelse()``.

    Args:
        names: a lambda that gives the variables that either may change and that matter afterwards.
        needs: which of them must have a value at the end of ``then`` and of ``orelse``. What only one needs, the other leaves without, unless a
            third entry names it.
        keep: a lambda that gives variables that they read and change, but that do not matter afterwards.
        slots: attributes and items that they assign.
        kind: "rest" for what a jump may skip.
    """
    if not staging.stage.is_staged(pred):
        chosen = then if pred else orelse
        if chosen is not None:
            chosen()
        return
    frame = sys._getframe(1)
    carried, kept = Variables(names, slots), Variables(keep) if keep is not None else None
    start, start_kept = carried.read(), kept.read() if kept is not None else ()
    kept_too = needs[2] if len(needs) > 2 else ()
    others = {True: {*needs[1]}.difference(needs[0], kept_too), False: {*needs[0]}.difference(needs[1], kept_too)}  # what only the other branch's end needs
    ends: dict[bool, State] = {}
    raises: list[bool] = []

    def branch(which: bool, body: Thunk | None) -> Callable[[State], State]:
        def run(state: State) -> State:
            carried.write(state)
            if kept is not None:
                kept.write(start_kept)
            try:
                if body is not None:
                    _within("branch", body)
                other = {*needs[which]}.difference(
                    needs[not which], *needs[2:]
                )  # what only the other branch's end needs
                end = tuple(
                    [UNSET if p.text in other else x for p, x in zip(carried.parts, carried.read(), strict=True)]
                )
            except _Raised as raised:
                staging.stage.raise_(raised.error)
                end = (UNSET,) * len(state)
                raises.append(which)
            ends[which] = end
            if len(ends) == 2 and not raises:
                _check(carried, ends[True], ends[False], needs, orelse is not None, kind, frame)
            return end

        return run

    try:
        final = staging.stage.cond(pred, branch(True, then), branch(False, orelse), start, carried.names)
    except BaseException:
        carried.write(start)
        raise
    finally:
        if kept is not None:
            kept.write(start_kept)
    if len(ends) == 2 and not raises:
        # what only inner functions may read, and only one branch has set, has no value afterwards
        needed = {*needs[0], *needs[1]}
        one_sided = [
            (x is UNSET) != (y is UNSET) and not _is_own(p.text) and p.text not in needed
            for p, x, y in zip(carried.parts, ends[True], ends[False], strict=True)
        ]
        final = tuple([UNSET if only_one else x for only_one, x in zip(one_sided, final, strict=True)])
    carried.write(final)


def _is_own(name: str) -> bool:
    return name.startswith(PREFIX)


def _check(
    carried: Variables, then: State, orelse: State, needs: Needs, has_else: bool, kind: str, frame: FrameType
) -> None:
    """Both branches must set what matters afterwards."""
    slots = {p.text for p in carried.parts if isinstance(p, Attribute)}
    for part, a, b in zip(carried.parts, then, orelse, strict=True):
        name = part.text
        if a is UNSET and b is not UNSET and (name in needs[0] or name in slots):
            if kind == "rest":
                raise InvalidArgumentError(
                    f"{name!r} may have no value where a `break`, `continue` or `return` under a staged condition skips its assignment, and is used afterwards: give it a value before."
                    + at_frame(frame)
                )
            raise InvalidArgumentError(
                f"{name!r} must also be initialized in the if branch: it is assigned in the else branch and used afterwards.{at_frame(frame)}"
            )
        if b is UNSET and a is not UNSET and (name in needs[1] or name in slots):
            where = (
                "it is assigned in the if branch"
                if has_else
                else "there is none, so give it a value before the `if`: it is assigned in the if branch"
            )
            raise InvalidArgumentError(
                f"{name!r} must also be initialized in the else branch: {where} and used afterwards.{at_frame(frame)}"
            )
        if name == RESULT and (a is None) != (b is None) and a is not UNSET and b is not UNSET:
            which = "if" if a is None else "else"
            raise InvalidArgumentError(
                f"the {which} branch must also have a return statement with a value: under a staged condition, a function must return the same kind of value either way, but here it "
                f"returns None in one case.{at_frame(frame)}"
            )


# -- loops ------------------------------------------------------------------------------------------------------------------


def while_(
    test: Thunk, body: Thunk, done: Thunk | None, names: Any, needs: Needs = ((), ()), slots: Sequence[Attribute] = ()
) -> None:
    """``while not done() and test(): body()``; ``done`` tells whether a jump has left the loop. The first turns, whose conditions are Python values, run at once."""
    staged = staging.stage.is_staged
    go = test if done is None else lambda: and_(not_(done()), test)
    while not staged(c := go()):
        if not c:
            return
        body()
    loop = _Loop(names, needs, slots, sys._getframe(1))
    loop.finish(
        lambda start: staging.stage.while_loop(loop.test(go), loop.body(body), start, loop.names), lambda: body(), ()
    )


def for_(
    iterable: Any,
    body: Callable[[Any], None],
    done: Thunk | None,
    names: Any,
    needs: Needs = ((), ()),
    slots: Sequence[Attribute] = (),
) -> None:
    """``for value in iterable: body(value)``, until ``done()``, which tells whether a jump has left the loop."""
    staged, stage = staging.stage.is_staged, staging.stage
    steps = overloads.iteration(iterable)
    if steps is None:
        for value in iterable:
            if done is None:
                body(value)
                continue
            left = done()
            if not staged(left):
                if left:
                    break
                body(value)
                continue
            if isinstance(iterable, (itertools.count, itertools.cycle)):
                raise UnimplementedError(
                    "This loop over an endless Python iterator ends by a staged condition, which is not known while the function is traced. Write it as a `while` loop."
                    + at_frame(sys._getframe(1))
                )
            if_(left, None, lambda value=value: body(value), names, slots=slots, kind="rest")  # type: ignore[misc]
        return
    if done is not None and not staged(left := done()) and left:
        return
    loop = _Loop(names, needs, slots, sys._getframe(1))
    start, limit, delta = steps.bounds()
    more = None if done is None else loop.test(lambda: not_(done()))

    def run(init: State) -> State:
        step = lambda i, state: loop.body(lambda: body(steps.item(i)))(state)
        return stage.for_range(start, limit, delta, step, init, more, loop.names)

    loop.finish(run, lambda i: body(steps.item(i)), (start,))


class _Loop:
    """The variables of a staged loop, and functions of states made from functions on variables."""

    def __init__(self, names: Any, needs: Needs, slots: Sequence[Attribute], frame: FrameType) -> None:
        self._all, self._frame = Variables(names, slots), frame
        self._start = self._all.read()
        self._needs, self._stale = {*needs[0]}, {*needs[1]}
        self._places = [i for i, x in enumerate(self._start) if x is not UNSET]
        self._checked: list[str] = []

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the state's entries."""
        names = tuple([self._all.names[i] for i in self._places])
        return (*names, "whether the loop has run") if self._checked else names

    def _write(self, state: State) -> None:
        whole = [UNSET] * len(self._start)
        for i, x in zip(self._places, state, strict=False):
            whole[i] = x
        self._all.write(whole)

    def _read(self, before: State) -> State:
        """The state after a turn; what has no value any more, or does not matter because the turn ended in a jump, keeps the one before."""
        now = self._all.read()
        state = [
            old if now[i] is UNSET or self._all.parts[i].text in self._stale else now[i]
            for i, old in zip(self._places, before, strict=False)
        ]
        return (*state, True) if self._checked else tuple(state)

    def test(self, go: Thunk) -> Callable[[State], Any]:
        """``go`` as a function of a state."""

        def run(state: State) -> Any:
            self._write(state)
            return go()

        return run

    def body(self, f: Thunk) -> Callable[[State], State]:
        """``f`` as a function of a state."""

        def run(state: State) -> State:
            self._write(state)
            _within("loop", f)
            return self._read(state)

        return run

    def finish(self, run: Callable[[State], State], body: Callable[..., Any], index: State) -> None:
        """Run the loop from the present state and set the variables to the last. ``body(*index)`` is a turn."""
        try:
            self._settle(body, index)
            final = run((*[self._start[i] for i in self._places], *[False] * bool(self._checked)))
        except BaseException:
            self._all.write(self._start)
            raise
        self._write(final)
        if self._checked:
            unset = " and ".join(map(repr, self._checked))
            staging.stage.assert_(
                final[-1], lambda: f"the loop must iterate at least once to initialize {unset}{at_frame(self._frame)}"
            )

    def _settle(self, body: Callable[..., Any], index: State) -> None:
        """Give the variables that only the body sets a start of the type that a turn gives them; leave those that it does not set."""
        if len(self._places) == len(self._start):
            return

        def turn(state: State) -> State:
            self._all.write(state[len(index) :])
            _within("loop", lambda: body(*state[: len(index)]))
            return self._all.read()

        end = staging.stage.probe(turn, (*index, *self._start))
        start = list(self._start)
        for i, p in enumerate(self._all.parts):
            if start[i] is UNSET and end[i] is not UNSET and (_is_own(p.text) or p.text in self._needs):
                start[i] = staging.stage.placeholder(end[i])
                if p.text in self._needs:
                    self._checked.append(p.text)
        self._start = tuple(start)
        self._places = [i for i, x in enumerate(start) if x is not UNSET]


def refuse(message: str) -> Any:
    """Raise, where Python values would have been fine."""
    raise UnimplementedError(message + at_frame(sys._getframe(1)))


def python(x: Any) -> Any:
    """``x``, which a match statement looks at: it must be a Python value."""
    if staging.stage.is_staged(x):
        raise UnimplementedError(
            "A `match` statement with patterns that look into its subject, or its guard, cannot ask a staged tensor: match on Python values, or write `if` statements."
            + at_frame(sys._getframe(1))
        )
    return x
