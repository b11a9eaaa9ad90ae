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
    options: Thunk | None = None,
) -> None:
    """``while not done() and test(): body()``; ``done`` tells whether a jump has left the loop.

    The first turns, as long as the conditions are Python values, run at once. ``first`` is the condition's first value
    where it was evaluated; ``options()`` is what ``set_loop_options`` was given.
    """
    staged = staging.stage.is_staged
    go = test if done is None else lambda: and_(not_(done()), test)
    c = first
    if c is None:
        while not staged(c := go()):
            if not c:
                return
            body()
    loop = _Loop(names, needs, slots, sys._getframe(1), options)

    def run(init: State) -> State:
        known = {}
        if c is not None and getattr(staging.stage, "takes_first", False):  # it may assign: it is not evaluated twice
            known["first"] = c if loop.limit is None else and_(init[-1] < loop.limit, lambda: c)
        return staging.stage.while_loop(loop.test(go), loop.body(body), init, loop.names, **known, **loop.forms)

    def turn(why: Thunk) -> bool:
        nonlocal c
        if c is None:
            c = go()
        if staged(c):
            staging.stage.assert_(c, why)
        elif not c:
            return False
        c = None
        return within("loop", body)

    loop.finish(run, turn)


def for_(
    iterable: Any,
    body: Callable[[Any], None],
    done: Thunk | None,
    names: Any,
    needs: Needs = ((), ()),
    slots: Sequence[Attribute] = (),
    options: Thunk | None = None,
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
    loop = _Loop(names, needs, slots, sys._getframe(1), options)
    start, limit, delta = steps.bounds()
    go = None if done is None else lambda: not_(done())

    def run(init: State) -> State:
        step = lambda i, state: loop.body(lambda: body(steps.item(i)))(state)
        more = None if go is None and loop.limit is None else loop.test(go)
        return stage.for_range(start, limit, delta, step, init, more, loop.names, **loop.forms)

    def turn(why: Thunk) -> bool:
        nonlocal start
        if go is not None and not staged(c := go()) and not c:
            return False
        if staged(start) or staged(limit) or staged(delta):
            more = start < limit if not staged(delta) and delta > 0 else (limit - start) * delta > 0
            stage.assert_(more if go is None else and_(more, go), why)
        elif not len(range(start, limit, delta)):
            return False
        i = stage.index(start, limit, delta)
        start = i + delta
        return within("loop", lambda: body(steps.item(i)))

    loop.finish(run, turn)


class _Unsettled(BaseException):
    """A turn has set variables that have no value before the loop: it must be staged with a start for these."""

    def __init__(self, state: State) -> None:
        self.state = state


class _NoLongerNone(BaseException):
    """A turn has set variables that are None before the loop: the first turn, which may ask for that, must stand alone."""

    def __init__(self, names: list[str]) -> None:
        self.names = names


def _given(options: Thunk) -> dict[str, Any]:
    """``options()`` before the loop, where variables may have no value."""
    cells = []
    for cell in getattr(options, "__closure__", None) or ():
        try:
            cell.cell_contents  # noqa: B018
        except ValueError:
            cells.append(cell)
    for cell in cells:
        cell.cell_contents = UNSET
    try:
        return options()
    finally:
        for cell in cells:
            del cell.cell_contents


class _Loop:
    """The variables of a staged loop, and functions of states made from functions on variables."""

    def __init__(
        self, names: Any, needs: Needs, slots: Sequence[Attribute], frame: FrameType, options: Thunk | None
    ) -> None:
        self._all, self._frame = Variables(names, slots), frame
        self._before = self._start = self._all.read()
        self._needs, self._stale = {*needs[0]}, {*needs[1]}
        self._places = [i for i, x in enumerate(self._start) if x is not UNSET]
        self._checked: list[str] = []
        self._options: dict[str, Any] = {} if options is None else _given(options)
        self.limit = self._options.get("maximum_iterations")
        self._turns = 0  # that stand alone before the loop

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the state's entries."""
        names = [self._all.names[i] for i in self._places]
        names += ["whether the loop has run"] * bool(self._checked)
        names += ["the number of turns"] * (self.limit is not None)
        return tuple(names)

    @property
    def forms(self) -> dict[str, Any]:
        """What the stage must be told of the shapes that variables keep."""
        given = self._options.get("shape_invariants")
        return {"invariants": tuple(given)} if given else {}

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
        none = [
            p.text
            for p, x, y in zip(self._all.parts, self._start, now, strict=True)
            if x is None and y is not None and y is not UNSET
        ]
        none = [n for n in none if not n.startswith(PREFIX) and n not in self._stale]
        if none and self._turns < len(now):
            raise _NoLongerNone(none)
        state += [True] * bool(self._checked)
        return tuple(state) if self.limit is None else (*state, before[-1] + 1)

    def _matters(self, i: int) -> bool:
        return self._all.parts[i].text.startswith(PREFIX) or self._must_run(i)

    def _must_run(self, i: int) -> bool:
        """Whether the user expects the loop to set this variable."""
        return self._all.parts[i].text in self._needs or isinstance(self._all.parts[i], Attribute)

    def test(self, go: Thunk | None) -> Callable[[State], Any]:
        """``go`` as a function of a state, which is false after the most turns to make."""

        def run(state: State) -> Any:
            self._write(state)
            if self.limit is None:
                return go()  # type: ignore[misc]
            fewer = state[-1] < self.limit
            return fewer if go is None else and_(fewer, go)

        return run

    def body(self, f: Thunk) -> Callable[[State], State]:
        """``f`` as a function of a state."""

        def run(state: State) -> State:
            self._write(state)
            within("loop", f)
            return self._read(state)

        return run

    def finish(self, run: Callable[[State], State], turn: Callable[[Thunk], bool]) -> None:
        """Stage the loop from the present state, by ``run``, and set the variables to the last state.

        ``turn(why)`` runs the first turn alone, or gives False if there is none; where only the program knows, that
        fails with the message ``why()``.
        """
        try:
            while True:
                try:
                    init = (*[self._start[i] for i in self._places], *[False] * bool(self._checked))
                    final = run((*init, *[self._turns] * (self.limit is not None)))
                    break
                except _Unsettled as e:
                    self._settle(e.state)
                except _NoLongerNone as e:
                    if not self._alone(turn, e.names):
                        return
        except BaseException:
            self._all.write(self._before)
            raise
        self._write(final)
        if self._checked:
            unset = " and ".join(map(repr, self._checked))
            message = f"the loop must iterate at least once to initialize {unset}{at_frame(self._frame)}"
            staging.stage.assert_(final[len(self._places)], lambda: message)

    def _alone(self, turn: Callable[[Thunk], bool], names: list[str]) -> bool:
        """Run one turn before the loop, which begins behind it; False if there is none."""
        which = " and ".join(map(repr, names))
        message = (
            f"the loop must iterate at least {self._turns + 1} time{'s' * bool(self._turns)}, because {which} is None before "
            f"and not afterwards{at_frame(self._frame)}"
        )
        self._all.write(self._before)
        if not turn(lambda: message):
            return False
        self._turns += 1
        self._before = self._start = self._all.read()
        self._places = [i for i, x in enumerate(self._start) if x is not UNSET]
        self._checked = []
        return True

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
