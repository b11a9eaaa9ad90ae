"""Operators for loops: Python's own over Python values, the stage's over staged ones. See ``branches.py``."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

from ...ground.errors import UnimplementedError
from . import overloads, staging
from .branches import Needs, Thunk, if_, within
from .ir import PREFIX
from .logic import and_, not_
from .messages import at_frame
from .staging import UNSET, State
from .variables import Attribute, Variables


def while_(
    test: Thunk,
    body: Thunk,
    done: Thunk | None,
    names: Any,
    needs: Needs = ((), ()),
    slots: Sequence[Attribute] = (),
    first: Any = None,
) -> None:
    """``while not done() and test(): body()``; ``done`` tells whether a jump has left the loop.

    The first turns, as long as the conditions are Python values, run at once. ``first`` is the condition's first value where it was evaluated.
    """
    staged = staging.stage.is_staged
    go = test if done is None else lambda: and_(not_(done()), test)
    c = first
    if c is None:
        while not staged(c := go()):
            if not c:
                return
            body()
    loop = _Loop(names, needs, slots, sys._getframe(1))
    known = (
        {"first": c} if getattr(staging.stage, "takes_first", False) else {}
    )  # a condition may assign: it is not evaluated twice
    loop.finish(lambda start: staging.stage.while_loop(loop.test(go), loop.body(body), start, loop.names, **known))


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
                    "This loop over an endless Python iterator ends by a staged condition, which is not known while "
                    "the function is traced. Write it as a `while` loop." + at_frame(sys._getframe(1))
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

    loop.finish(run)


class _Unsettled(BaseException):
    """A turn has set variables that have no value before the loop: it must be staged with a start for these."""

    def __init__(self, state: State) -> None:
        self.state = state


class _Loop:
    """The variables of a staged loop, and functions of states made from functions on variables."""

    def __init__(self, names: Any, needs: Needs, slots: Sequence[Attribute], frame: FrameType) -> None:
        self._all, self._frame = Variables(names, slots), frame
        self._before = self._start = self._all.read()
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
        """The state after a turn.

        What has no value any more, or does not matter because the turn ended in a jump, keeps the value before.
        """
        now = self._all.read()
        if any([self._start[i] is UNSET and now[i] is not UNSET and self._matters(i) for i in range(len(now))]):
            raise _Unsettled(now)
        state = [
            old if now[i] is UNSET or self._all.parts[i].text in self._stale else now[i]
            for i, old in zip(self._places, before, strict=False)
        ]
        return (*state, True) if self._checked else tuple(state)

    def _matters(self, i: int) -> bool:
        return self._all.parts[i].text.startswith(PREFIX) or self._must_run(i)

    def _must_run(self, i: int) -> bool:
        """Whether the user expects the loop to set this variable."""
        return self._all.parts[i].text in self._needs or isinstance(self._all.parts[i], Attribute)

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
            within("loop", f)
            return self._read(state)

        return run

    def finish(self, run: Callable[[State], State]) -> None:
        """Stage the loop from the present state, by ``run``, and set the variables to the last state."""
        try:
            while True:
                try:
                    final = run((*[self._start[i] for i in self._places], *[False] * bool(self._checked)))
                    break
                except _Unsettled as e:
                    self._settle(e.state)
        except BaseException:
            self._all.write(self._before)
            raise
        self._write(final)
        if self._checked:
            unset = " and ".join(map(repr, self._checked))
            message = f"the loop must iterate at least once to initialize {unset}{at_frame(self._frame)}"
            staging.stage.assert_(final[-1], lambda: message)

    def _settle(self, after: State) -> None:
        """Give variables that had no value a start of the type that a turn has given them."""
        start = list(self._start)
        for i, x in enumerate(after):
            if start[i] is UNSET and x is not UNSET and self._matters(i):
                start[i] = staging.stage.placeholder(x)
                if self._must_run(i):
                    self._checked.append(self._all.parts[i].text)
        self._start = tuple(start)
        self._places = [i for i, x in enumerate(start) if x is not UNSET]
