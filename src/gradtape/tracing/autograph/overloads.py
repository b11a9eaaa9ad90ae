"""Built-in functions that take staged values.

``range``, ``zip`` and ``enumerate`` of staged values give an Iteration, which only a converted ``for`` can run;
``len``, ``int``, ``float`` and others ask the stage. Over Python values they are the built-in functions.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

from . import staging
from .messages import invalid


class Iteration:
    """The staged iterations of a loop."""

    def __iter__(self, *_: Any) -> Any:
        raise invalid(
            "A staged range, zip or enumerate has no items while a function is traced: only a `for` statement of a "
            "converted function can run over it. Write the loop as a `for` statement, or use tf.map_fn."
        )

    __len__ = __getitem__ = __reversed__ = __contains__ = __iter__

    def bounds(self) -> tuple[Any, Any, Any]:
        """(start, limit, delta) of the loop's index."""
        raise NotImplementedError

    def item(self, i: Any) -> Any:
        """The value for an index."""
        raise NotImplementedError


class Range(Iteration):
    """``range`` with staged bounds."""

    def __init__(self, start: Any, limit: Any, delta: Any) -> None:
        self._bounds = start, limit, delta

    def bounds(self) -> tuple[Any, Any, Any]:
        """As given."""
        return self._bounds

    def item(self, i: Any) -> Any:
        """The index itself."""
        return i


class Axis(Iteration):
    """The first axis of a staged tensor."""

    def __init__(self, x: Any) -> None:
        self._x = x

    def bounds(self) -> tuple[Any, Any, Any]:
        """0 to the axis's length."""
        return 0, staging.stage.length(self._x), 1

    def item(self, i: Any) -> Any:
        """A slice."""
        return staging.stage.item(self._x, i)


class Zip(Iteration):
    """``zip`` of staged iterables; ranges among them run beside."""

    def __init__(self, parts: list[Iteration], strict: bool) -> None:
        self._parts, self._strict = parts, strict

    def bounds(self) -> tuple[Any, Any, Any]:
        """0 to the shortest length."""
        stage = staging.stage
        lengths = [_count(*p.bounds()) for p in self._parts]
        shortest = lengths[0]
        for n in lengths[1:]:
            if self._strict:
                stage.assert_(n == shortest, lambda: "zip(strict=True): the arguments have different lengths")
            shortest = stage.minimum(shortest, n)
        return 0, shortest, 1

    def item(self, i: Any) -> Any:
        """A tuple of the parts' items."""
        return tuple([_nth(p, i) for p in self._parts])


class Enumerate(Iteration):
    """``enumerate`` of a staged iterable."""

    def __init__(self, part: Iteration, start: Any) -> None:
        self._part, self._start = part, start

    def bounds(self) -> tuple[Any, Any, Any]:
        """0 to the part's length."""
        return 0, _count(*self._part.bounds()), 1

    def item(self, i: Any) -> Any:
        """(number, item)."""
        return (i if type(self._start) is int and self._start == 0 else i + self._start), _nth(self._part, i)


def _count(start: Any, limit: Any, delta: Any) -> Any:
    if type(start) is int and start == 0 and type(delta) is int and delta == 1:
        return limit
    staged = staging.stage.is_staged
    if not (staged(start) or staged(limit) or staged(delta)):
        return len(range(int(start), int(limit), int(delta)))
    return (limit - start + delta - (1 if staged(delta) or delta > 0 else -1)) // delta


def _nth(part: Iteration, i: Any) -> Any:
    if isinstance(part, Range):
        start, _, delta = part.bounds()
        return start + i * delta
    return part.item(i)


def iteration(x: Any) -> Iteration | None:
    """The staged iteration over ``x``; None if ``x`` is a Python iterable."""
    if isinstance(x, Iteration):
        return x
    if isinstance(x, Staged):
        return x.steps
    stage = staging.stage
    if not stage.iterates(x):
        return None
    bounds = stage.bounds(x)
    return Axis(x) if bounds is None else Range(*bounds)


class Staged:
    """What ``iterate`` gives for a staged iteration: no items for Python's own loop."""

    def __init__(self, steps: Iteration) -> None:
        self.steps = steps

    def __iter__(self) -> Any:
        return iter(())


def iterate(x: Any) -> Any:
    """An iterator over ``x``, or a Staged."""
    if type(x) in _PYTHON:
        return iter(x)
    steps = iteration(x)
    return iter(x) if steps is None else Staged(steps)


# types whose objects are never staged, so that a call on them need not ask the stage
_PYTHON: frozenset[Any] = frozenset(
    (bool, int, float, complex, str, bytes, range, list, tuple, dict, set, zip, enumerate, type(None))
    + (type(iter(range(0))), type(iter([])))
)


# -- the functions ---------------------------------------------------------------------------------------------------


def _any_staged(args: tuple[Any, ...]) -> bool:
    for a in args:  # noqa: SIM110 - a generator would cost more than the rest
        if a.__class__ not in _PYTHON and staging.stage.is_staged(a):
            return True
    return False


def _range(*args: Any) -> Any:
    for a in args:
        if a.__class__ is not int and _any_staged(args):
            break
    else:
        return range(*args)
    if len(args) == 1:
        return Range(0, args[0], 1)
    return Range(*args) if len(args) == 3 else Range(args[0], args[1], 1)


def _enumerate(iterable: Any, start: Any = 0) -> Any:
    part = None if iterable.__class__ in _PYTHON else iteration(iterable)
    if part is not None:
        return Enumerate(part, start)
    if staging.stage.is_staged(start):
        return ((start + i, x) for i, x in enumerate(iterable))
    return enumerate(iterable, start)


def _zip(*iterables: Any, strict: bool = False) -> Any:
    parts = [None if x.__class__ in _PYTHON else iteration(x) for x in iterables]
    if parts == [None] * len(parts):
        return zip(*iterables, strict=strict)
    if any(p is None for p in parts):
        kinds = ", ".join(
            "staged" if p is not None else builtins.type(x).__name__ for p, x in builtins.zip(parts, iterables)
        )
        raise invalid(
            f"zip of staged and Python iterables ({kinds}) has no form that is a staged loop: make all of them tensors, "
            "or none."
        )
    return Zip(parts, strict)  # type: ignore[arg-type]


def _numeric(function: Callable[..., Any]) -> Callable[..., Any]:
    def overload(*args: Any, **kwargs: Any) -> Any:
        for a in args:
            if a.__class__ not in _PYTHON and staging.stage.is_staged(a):
                break
        else:
            return function(*args, **kwargs)
        result = staging.stage.builtin(function, args, kwargs)
        return function(*args, **kwargs) if result is NotImplemented else result

    overload.__name__ = overload.__qualname__ = function.__name__
    return overload


TABLE: dict[Any, Callable[..., Any]] = {
    range: _range,
    enumerate: _enumerate,
    zip: _zip,
    **{f: _numeric(f) for f in (len, int, float, bool, abs, max, min, sum, any, all)},  # type: ignore[dict-item]
}
_IDS = frozenset(map(id, TABLE))


def is_overloaded(f: Any) -> bool:
    """Whether a built-in function has another form for staged values."""
    return id(f) in _IDS
