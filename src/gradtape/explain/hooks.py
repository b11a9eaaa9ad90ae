"""Functions of the user's that are told of every operation, forward and backward."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, NamedTuple

from ..core.state import state
from ..core.tensor import Tensor
from ..gradient import driver
from . import journal as jr
from . import places
from .account import _step, pulled_back, quiet
from .places import Place


class OperationEvent(NamedTuple):
    """An operation has run.

    Attributes:
        name: its name in the table of operations.
        inputs: its inputs, a tuple of Tensors.
        outputs: its outputs, a tuple of Tensors.
        attributes: its static arguments, a dict.
        place: the user's line: ``place.file``, ``place.line``, ``place.code``, ``place.expression``.
    """

    name: str
    inputs: tuple
    outputs: tuple
    attributes: dict[str, Any]
    place: Place | None


class GradientEvent(NamedTuple):
    """The backward pass has gone through an operation.

    Attributes:
        name: the operation's name in the table of operations.
        inputs: its inputs, None for those whose values nobody kept.
        outputs: its outputs, likewise.
        cotangents: the adjoint of each output, None where nothing flows.
        gradients: what flows to each input, None where nothing does.
        attributes: the operation's static arguments, a dict.
        place: the user's line, where it was noted (``trace_lines``), else None.
    """

    name: str
    inputs: tuple
    outputs: tuple
    cotangents: tuple
    gradients: tuple
    attributes: dict[str, Any]
    place: Place | None


class _Teller:
    """Stands among the tapes and tells a function of what they hear."""

    _auto, _active, _wanted = False, True, None
    _live: frozenset = frozenset()

    def __init__(self, fn: Callable, names: frozenset | None) -> None:
        self.fn, self.names, self.busy = fn, names, False

    def _record(self, p: Any, xs: tuple, out: Any, attrs: dict[str, Any] | None) -> None:
        outs = tuple(out) if p.multi else (out,)
        if self.busy or (self.names is not None and p.name not in self.names):
            return
        if any([type(t) is not Tensor for t in (*xs, *outs)]):
            return
        self.busy, tapes = True, state.tapes
        state.tapes = ()  # what the function computes is nobody's business
        try:
            self.fn(OperationEvent(p.name, tuple(xs), outs, dict(attrs or {}), places.here()))
        finally:
            self.busy, state.tapes = False, tapes

    def _called(self, program: Any, xs: list, outs: list) -> None:
        self._record(jr._Untracked(program), tuple(xs), tuple(outs), None)


def _chosen(fn: Callable, names: Any) -> frozenset | None:
    if not callable(fn):
        raise TypeError(f"A hook must be a function of one event, but is {fn!r}.")
    if names is None:
        return None
    return frozenset([names] if isinstance(names, str) else names)


def on_operation(fn: Callable[[OperationEvent], Any], names: Any = None) -> AbstractContextManager[None]:
    """A block in which ``fn`` is told of every operation that runs in this thread.

    Args:
        fn: a function of an ``OperationEvent``: name, inputs, outputs, attributes, place. What it raises stops the program at that operation.
        names: the names of the operations to tell of, as ``tape.table()`` shows them (those of traced functions and custom gradients are the functions' own); None for all.

    Raises:
        TypeError: ``fn`` is no function.

    A traced ``tf.function`` runs as one operation; ``tf.config.run_functions_eagerly(True)`` shows what is in it.

    >>> import gradtape as tf
    >>> with tf.debugging.on_operation(lambda e: print(e.name, e.outputs[0].numpy())):
    ...     y = tf.square(tf.constant(3.0)) + 1.0
    square 9.0
    add 10.0
    """
    return _operations(_Teller(fn, _chosen(fn, names)))


@contextmanager
def _operations(teller: _Teller) -> Iterator[None]:
    state.tapes = (*state.tapes, teller)  # type: ignore[assignment]
    try:
        yield
    finally:
        state.tapes = tuple([t for t in state.tapes if t is not teller])


class _Local(threading.local):
    hooks: tuple = ()


_local = _Local()
_lock = threading.Lock()
_listening = 0


def on_gradient(fn: Callable[[GradientEvent], Any], names: Any = None) -> AbstractContextManager[None]:
    """A block in which ``fn`` is told of every step of the backward passes that run in this thread.

    Args:
        fn: a function of a ``GradientEvent``: name, inputs, outputs, cotangents, gradients, attributes, place.
        names: the names of the operations to tell of, as ``tape.table()`` shows them (those of traced functions and custom gradients are the functions' own); None for all.

    Raises:
        TypeError: ``fn`` is no function.

    >>> import gradtape as tf
    >>> x = tf.Variable(3.0)
    >>> with tf.GradientTape() as tape:
    ...     y = tf.square(x) + 1.0
    >>> with tf.debugging.on_gradient(lambda e: print(e.name, e.gradients[0].numpy())):
    ...     g = tape.gradient(y, x)
    add 1.0
    square 6.0
    """
    return _gradients((fn, _chosen(fn, names)))


@contextmanager
def _gradients(hook: tuple) -> Iterator[None]:
    global _listening
    _local.hooks = (*_local.hooks, hook)
    with _lock:
        _listening += 1
        driver.listener = _listen
    try:
        yield
    finally:
        _local.hooks = tuple([h for h in _local.hooks if h is not hook])
        with _lock:
            _listening -= 1
            if not _listening:
                driver.listener = None


def _listen(records: list, cotangents: dict[int, Any], keep: set[int], reach: set[int] | None, free: bool) -> Any:
    """The backward pass, step by step, with the hooks told of each; None where this thread has no hooks."""
    hooks = _local.hooks
    if not hooks or quiet.on:
        return None
    observer = jr.observer()
    made = {o._k: e for e in observer.journal.entries for o in e.outs if o._k} if observer is not None else {}
    pending = cotangents
    i = len(records)
    while i:
        i -= 1
        r = records.pop() if free else records[i]
        keys = (r[6],) if type(r[6]) is int else r[6]
        gs = [pending.get(k) if k in keep else pending.pop(k, None) for k in keys]
        if all([g is None for g in gs]):
            continue
        entry = made.get(keys[0])
        s = _step(r, entry.xs if entry else None, entry.outs if entry else None, entry.place if entry else None, {})
        quiet.on = True  # of a step's own steps nobody wants to hear
        try:
            parts = pulled_back(s, gs)
        finally:
            quiet.on = False
        for k, part in zip(r[2], parts, strict=True):
            if part is not None and (reach is None or k in reach):
                pending[k] = driver.accumulate(pending[k], part) if k in pending else part
        event = GradientEvent(s.name, s.xs, s.outs, tuple(gs), tuple(parts), dict(s.attrs), s.place)
        for fn, names in hooks:
            if names is None or s.name in names:
                tapes, state.tapes = state.tapes, ()
                try:
                    fn(event)
                finally:
                    state.tapes = tapes
    return pending
