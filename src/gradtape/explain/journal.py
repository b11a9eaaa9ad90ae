"""The journal: what a tape leaves out because it has to be fast. Every operation with its line and its values, recorded or not.

The journal is kept by an observer that stands among the tapes, as the check for NaN does, so programs that keep none pay nothing for it. It also
notes what tapes cannot see: reads of variables, assignments to them, and where a value left gradtape as a Python number or a NumPy array.
"""

from __future__ import annotations

import functools
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from ..core.state import state
from ..core.tensor import Tensor
from ..core.variable import Variable
from ..gradient.tape import GradientTape
from ..ground.errors import user_python_frame
from . import places
from .places import Place

LIMIT = 200_000  # operations kept


class Entry:
    """One operation that ran: ``outs = p(*xs, **attrs)``.

    Attributes:
        p: the row, or what was recorded in place of one.
        xs: its inputs.
        outs: its outputs.
        attrs: its attributes.
        place: where the user asked for it.
        tapes: the numbers of the tapes that were recording.
        when: its place in the order of all that happened.
    """

    __slots__ = ("attrs", "outs", "p", "place", "tapes", "when", "xs")

    def __init__(self, p: Any, xs: tuple, outs: tuple, attrs: dict, place: Place | None, tapes: frozenset, when: int):
        self.p, self.xs, self.outs, self.attrs = p, xs, outs, attrs
        self.place, self.tapes, self.when = place, tapes, when


class Read(NamedTuple):
    """A variable was read."""

    variable: Variable
    tensor: Tensor
    place: Place | None
    when: int


class Exit(NamedTuple):
    """A value left gradtape."""

    tensor: Tensor
    how: str
    place: Place
    when: int


class Assignment(NamedTuple):
    """A variable was assigned to: ``value`` is what was assigned or added, ``new`` the variable's value afterwards."""

    variable: Variable
    value: Tensor | None
    old: Tensor | None  # None where the variable was made
    new: Tensor
    method: str
    place: Place | None
    when: int


class Journal:
    """What happened around the tapes of one stretch of the program."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.makers: dict[int, tuple[Entry, int]] = {}  # id of a tensor -> the operation that made it, which output
        self.reads: dict[int, Read] = {}  # id of the tensor that was read
        self.exits: list[Exit] = []
        self.assignments: dict[int, Assignment] = {}  # id of the variable's new value
        self.first: dict[int, int] = {}  # id of a tensor that no noted operation made -> index of its first use
        self.names: dict[int, str] = {}  # what the program called variables and tensors from outside, by id
        self.serials: weakref.WeakKeyDictionary[GradientTape, int] = weakref.WeakKeyDictionary()
        self.pauses: list[
            tuple[weakref.ref[GradientTape], list[int]]
        ] = []  # when tape.stop_recording() began, and ended
        self.taped = -1  # index of the last operation under a tape
        self.full = False

    def after(self, index: int) -> Journal:
        """A new journal with what happened after ``index``."""
        new = Journal()
        for e in self.entries:
            if e.when > index:
                new.add(Entry(e.p, e.xs, e.outs, e.attrs, e.place, frozenset(), e.when))
        new.names = dict(self.names)
        new.pauses = [p for p in self.pauses if p[0]() is not None][-1000:]
        new.reads = {k: r for k, r in self.reads.items() if r.when > index}
        new.exits = [x for x in self.exits if x.when > index]
        new.assignments = {k: a for k, a in self.assignments.items() if a.when > index}
        return new

    def add(self, e: Entry) -> None:
        """Append an entry."""
        self.entries.append(e)
        for x in e.xs:
            if id(x) not in self.makers:
                self.first.setdefault(id(x), e.when)
        for j, o in enumerate(e.outs):
            self.makers[id(o)] = (e, j)

    def made(self, t: Tensor) -> tuple[Entry, int] | None:
        """The operation that made ``t``, and which of its outputs it is."""
        return self.makers.get(id(t))

    def value_of(self, key: int) -> Tensor | None:
        """The tensor that tapes know by ``key``."""
        return self.by_key().get(key)

    def by_key(self) -> dict[int, Tensor]:
        """The tensors that tapes know, by their keys."""
        found: dict[int, Tensor] = {}
        for e in self.entries:
            for t in (*e.xs, *e.outs):
                if t._k:
                    found[t._k] = t
        for r in self.reads.values():
            if r.tensor._k:
                found[r.tensor._k] = r.tensor
        return found


_journals: weakref.WeakKeyDictionary[GradientTape, Journal] = weakref.WeakKeyDictionary()


def journal_of(tape: GradientTape) -> Journal | None:
    """The journal that was kept while ``tape`` recorded, else the one that is being kept now, else None."""
    found = _journals.get(tape)
    if found is None and _local.observer is not None:
        return _local.observer.journal
    return found


class _Every:
    def __contains__(self, item: object) -> bool:
        return True


class Observer:
    """Stands among the tapes and notes what they hear."""

    _auto, _active = False, True
    _wanted: Any = _Every()  # it hears of every variable that is read
    _live: frozenset = frozenset()

    def __init__(self) -> None:
        self.journal = Journal()
        self.place: Place | None = None  # whose place entries get, where it is not the caller's
        self._clock = 0
        self._seen: tuple = ()
        self._tapes: frozenset = frozenset()

    def _now(self) -> int:
        self._clock += 1
        return self._clock

    def _pause(self, tape: GradientTape) -> Callable[[], None]:
        """A tape stops recording for a while; what is returned ends it."""
        times = [self._now()]
        self.journal.pauses.append((weakref.ref(tape), times))
        return lambda: times.append(self._now())

    def _recording(self) -> frozenset:
        """The numbers of the tapes that are recording. The first operation under a new outermost tape begins a new journal."""
        tapes = state.tapes
        if tapes is self._seen:
            return self._tapes
        mine = [t for t in tapes if isinstance(t, GradientTape)]
        journal = self.journal
        if mine and not any([t in journal.serials for t in mine]) and journal.taped >= 0:
            journal = self.journal = journal.after(journal.taped)
        for t in mine:
            if t not in journal.serials:
                journal.serials[t] = len(journal.serials)
                _journals[t] = journal
        self._seen = tapes
        self._tapes = frozenset([journal.serials[t] for t in mine])
        return self._tapes

    def _record(self, p: Any, xs: tuple, out: Any, attrs: dict[str, Any] | None) -> None:
        self._note(p, xs, tuple(out) if p.multi else (out,), attrs)

    def _called(self, program: Any, xs: list, outs: list) -> None:
        """A program ran of which no tape made a record."""
        self._note(_Untracked(program), tuple(xs), tuple(outs), None)

    def _note(self, p: Any, xs: tuple, outs: tuple, attrs: dict | None) -> None:
        if any([type(t) is not Tensor for t in (*xs, *outs)]):
            return  # batched or traced: what it comes down to is noted
        tapes = self._recording()
        journal = self.journal
        if len(journal.entries) >= LIMIT:
            if journal.taped >= 0:
                journal.full = True
                return
            journal = self.journal = journal.after(journal.entries[LIMIT // 2].when)
        index = self._now()
        if tapes:
            journal.taped = index
        frame = None if self.place is not None else user_python_frame()
        for x in xs:
            if id(x) not in journal.makers and id(x) not in journal.first and id(x) not in journal.reads:
                self._christen(x, frame)
        place = self.place or (places.of(frame) if frame is not None else None)
        journal.add(Entry(p, xs, outs, attrs or {}, place, tapes, index))

    def _watch_variable(self, v: Variable, t: Tensor) -> None:
        if type(t) is not Tensor:
            return
        self._recording()
        frame = user_python_frame()
        if id(v) not in self.journal.names:
            self._christen(v, frame)
        place = places.of(frame) if frame is not None else None
        self.journal.reads[id(t)] = Read(v, t, place, self._now())

    def _christen(self, x: Any, frame: Any) -> None:
        """Note what the program calls ``x`` where it uses it first."""
        name = places.name_in(frame, x)
        if name:
            self.journal.names[id(x)] = name

    def _left(self, x: Any, how: str, frame: Any) -> None:
        place = places.whose_value(frame)
        t = x._t if isinstance(x, Variable) else x
        if place is not None and type(t) is Tensor and len(self.journal.exits) < LIMIT:
            self.journal.exits.append(Exit(t, how, place, self._now()))

    def _assigned(self, v: Variable, value: Any, old: Tensor | None, method: str) -> None:
        t = value._t if isinstance(value, Variable) else value if type(value) is Tensor else None
        new = v._t
        if new is not old:
            self.journal.assignments[id(new)] = Assignment(v, t, old, new, method, places.here(), self._now())


class _Untracked:
    """Stands for the run of a program that no tape recorded."""

    multi = True
    broadcasts = holomorphic = elementwise = surrogate = False
    grad = joint = None

    def __init__(self, program: Any) -> None:
        self.name = self.tf = program.name
        self.program = program
        self.inputs = ("xs",)
        self.variadic = True


class _Local(threading.local):
    observer: Observer | None = None
    depth = 0


_local = _Local()


# -- what tapes cannot see: values that leave, and assignments -----------------------------------------------------------
_EXITS: tuple[tuple[type, str], ...] = ((Tensor, "numpy"), (Tensor, "__array__"), (Tensor, "__float__"), (Tensor, "__int__"), (Tensor, "__complex__"),
          (Variable, "numpy"), (Variable, "__array__"), (Variable, "__float__"), (Variable, "__int__"), (Variable, "__complex__"))  # fmt: skip
_ASSIGNS = ("__init__", "assign", "_update", "_scatter", "_scatter_nd")
_WORDS = {"__array__": "as a NumPy array", "numpy": "by .numpy()", "__float__": "by float()", "__int__": "by int()", "__complex__": "by complex()"}  # fmt: skip
_lock = threading.Lock()
_watchers = 0
_before: dict[tuple[type, str], Any] = {}


def _telling_exit(f: Callable, how: str) -> Callable:
    @functools.wraps(f)
    def told(self: Any, *args: Any, **kwargs: Any) -> Any:
        observer = _local.observer
        if observer is not None and state.trace is None:
            observer._left(self, how, sys._getframe(1))
        return f(self, *args, **kwargs)

    return told


def _telling_assignment(f: Callable, method: str) -> Callable:
    which = 2 if method == "_scatter_nd" else 1 if method == "_scatter" else 0  # the argument that holds the value

    @functools.wraps(f)
    def told(self: Any, *args: Any, **kwargs: Any) -> Any:
        observer = _local.observer
        if observer is None or state.trace is not None:
            return f(self, *args, **kwargs)
        old = None if method == "__init__" else self._t
        answer = f(self, *args, **kwargs)
        value = args[which] if len(args) > which else kwargs.get("initial_value", kwargs.get("value"))
        observer._assigned(self, getattr(value, "_values", value), old, method)
        return answer

    return told


def _patch(on: bool) -> None:
    """Methods that tell the observers take the place of those that do not, while some thread keeps a journal."""
    global _watchers
    with _lock:
        _watchers += 1 if on else -1
        if on and _watchers == 1:
            for owner, name in _EXITS:
                _before[owner, name] = f = owner.__dict__[name]
                setattr(owner, name, _telling_exit(f, _WORDS[name]))
            for name in _ASSIGNS:
                _before[Variable, name] = f = Variable.__dict__[name]
                setattr(Variable, name, _telling_assignment(f, name))
        elif not on and not _watchers:
            for (owner, name), f in _before.items():
                setattr(owner, name, f)
            _before.clear()


def enable_explanations() -> None:
    """From now on, in this thread, note the user's line and the values of every operation, for ``tape.explain``, ``tape.table`` and ``tape.show``.

    The values of the operations around the latest outermost tape are kept as long as that tape is, so this is for finding out, not for training.
    ``tf.debugging.trace_lines()`` does the same for a ``with`` block.

    >>> import gradtape as tf
    >>> tf.debugging.enable_explanations()
    >>> x = tf.Variable(3.0)
    >>> with tf.GradientTape() as tape:
    ...     y = tf.round(x)
    >>> tape.explain(y, x).cause
    'not_differentiable'
    >>> tf.debugging.disable_explanations()
    """
    _local.depth += 1
    if _local.depth == 1:
        _local.observer = Observer()
        state.tapes = (_local.observer, *state.tapes)
        _patch(True)


def disable_explanations() -> None:
    """Stop what ``enable_explanations`` began. What was noted for a tape stays with the tape.

    >>> import gradtape as tf
    >>> tf.debugging.disable_explanations()
    """
    if _local.depth == 0:
        return
    _local.depth -= 1
    if _local.depth == 0:
        observer, _local.observer = _local.observer, None
        state.tapes = tuple([t for t in state.tapes if t is not observer])
        _patch(False)


@contextmanager
def trace_lines() -> Iterator[None]:
    """A block in which the user's line and the values of every operation are noted, for ``tape.explain``, ``tape.table`` and ``tape.show``.

    It goes around the tapes: ``with tf.debugging.trace_lines(), tf.GradientTape() as tape:``. What was noted for a tape stays with the tape, and with it
    the values that were computed, so this is for finding out, not for training.

    >>> import gradtape as tf
    >>> x = tf.constant(3.0)
    >>> with tf.debugging.trace_lines(), tf.GradientTape() as tape:
    ...     y = x * x
    >>> print(tape.explain(y, x).cause)
    not_watched
    """
    enable_explanations()
    try:
        yield
    finally:
        disable_explanations()


def observer() -> Observer | None:
    """The observer of this thread, while a journal is kept."""
    return _local.observer
