"""The stage: what converted code asks of the machinery that traces.

A *stage* knows which values are staged (symbolic: they have no value yet) and makes graph control flow from
functions. Converted code reaches it through the operators of ``operators.py`` only, so that one object decides where
programs are staged to. ``install`` sets it.

State is a tuple with one entry for each variable of ``names``: a staged value, a Python value, or a nest of them; or
``UNSET``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

State = tuple[Any, ...]


class _Unset:
    """The state of a variable that has no value."""

    def __repr__(self) -> str:
        return "UNSET"

    def __bool__(self) -> bool:
        raise TypeError("UNSET has no truth value.")


UNSET = _Unset()


class Stage(Protocol):
    """The operations that a tracer offers to converted code.

    ``cond``, ``while_loop`` and ``for_range`` call the functions they are given as often as they like and in any
    order, each time with a whole state; the functions have no other effect on Python variables that matters
    afterwards. ``names`` are for messages: how the user would write the variable (``x``, ``self.x``), or words such
    as ``the return value``.
    """

    def is_staged(self, x: Any, /) -> bool:
        """Whether ``x`` is a value that is not known yet, so that a branch on it must be staged.

        Called often: a type test.
        """
        ...

    def iterates(self, x: Any, /) -> bool:
        """Whether ``for ... in x`` is to be a staged loop (a symbolic tensor; perhaps any tensor)."""
        ...

    def cond(
        self,
        pred: Any,
        true_fn: Callable[[State], State],
        false_fn: Callable[[State], State],
        init: State,
        names: tuple[str, ...],
    ) -> State:
        """The state after the branch that ``pred`` chooses, from ``init``.

        Entries of ``init`` and of what the branches return may be UNSET. Where one branch gives UNSET and the other a
        value, the result is of that value's type and anything goes in the branch without (nothing looks at it there);
        where both do, so does the result. A Python value that both branches agree on should stay one. If the stage
        knows ``pred`` after all, it may call that branch alone.
        """
        ...

    def while_loop(
        self, cond_fn: Callable[[State], Any], body_fn: Callable[[State], State], init: State, names: tuple[str, ...]
    ) -> State:
        """The state after repeating ``body_fn`` while ``cond_fn`` holds. No entry is UNSET.

        Where ``set_loop_options`` was given shape_invariants, these are passed as ``invariants=``, pairs of a value in
        ``init`` and a shape; so to ``for_range``.
        """
        ...

    def for_range(
        self,
        start: Any,
        limit: Any,
        delta: Any,
        body_fn: Callable[[Any, State], State],
        init: State,
        extra_cond: Callable[[State], Any] | None,
        names: tuple[str, ...],
    ) -> State:
        """The state after ``body_fn(i, state)`` for each i of the range, until ``extra_cond(state)`` (if given) is false.

        No entry is UNSET.
        """
        ...

    def index(self, start: Any, limit: Any, delta: Any, /) -> Any:
        """The first index of ``for_range``, as that would pass it."""
        ...

    def bounds(self, x: Any, /) -> tuple[Any, Any, Any] | None:
        """(start, limit, delta) if the iterable ``x`` is known to be a range, else None."""
        ...

    def length(self, x: Any, /) -> Any:
        """The length of the first axis of an iterable: an int where it is known."""
        ...

    def item(self, x: Any, i: Any, /) -> Any:
        """``x[i]`` for an iterable and a staged index."""
        ...

    def minimum(self, x: Any, y: Any, /) -> Any:
        """The smaller of two lengths."""
        ...

    def placeholder(self, like: Any, /) -> Any:
        """A value of the type (structure, dtype, shape) of ``like``, with any contents, usable in every scope.

        ``like`` may come from a trace that was given up.
        """
        ...

    def logical_and(self, x: Any, y: Callable[[], Any], /) -> Any:
        """``x and y()`` for a staged ``x``. ``y()`` must have no effect, such as an error, where ``x`` is false."""
        ...

    def logical_or(self, x: Any, y: Callable[[], Any], /) -> Any:
        """``x or y()`` for a staged ``x``. ``y()`` must have no effect, such as an error, where ``x`` is true."""
        ...

    def logical_not(self, x: Any, /) -> Any:
        """``not x`` for a staged ``x``."""
        ...

    def assert_(self, condition: Any, message: Callable[[], Any], /) -> None:
        """Raise AssertionError, or the stage's own error, when the program runs and ``condition`` is false.

        ``message()`` is to be called while tracing: it reads variables. ``condition`` may be a Python value: what is
        asserted inside a branch or loop counts for a program that comes there.
        """
        ...

    def raise_(self, error: BaseException, /) -> None:
        """Raise ``error``, or an error that tells of it, when the program comes to this place. Called inside a branch."""
        ...

    def builtin(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A built-in function of arguments of which one is staged; NotImplemented leaves it to Python.

        The function is ``len``, ``int``, ``float``, ``bool``, ``abs``, ``max``, ``min``, ``sum``, ``any`` or ``all``.
        """
        ...


class NoStage:
    """The stage before one is installed: nothing is staged, and all control flow is Python's."""

    def is_staged(self, x: Any) -> bool:
        """False."""
        return False

    iterates = is_staged


stage: Any = NoStage()

_followers: list[Callable[[Any], None]] = []


def install(new: Any) -> Any:
    """Make ``new`` the stage of all converted functions, those already converted too, and return the one before."""
    global stage
    old, stage = stage, new
    for follow in _followers:
        follow(new)
    return old


def follow(f: Callable[[Any], None]) -> None:
    """Call ``f(stage)`` now and whenever another stage is installed."""
    _followers.append(f)
    f(stage)
