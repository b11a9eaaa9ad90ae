"""What is going on in this thread: the tapes that record, innermost last, and the trace that operations on symbolic tensors go to."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class _State(threading.local):
    tapes: tuple = ()
    trace: Any = None
    batches: int = 0  # how many batches (vectorized_map, jacobian) are nested here
    check: bool = False  # whether every result is checked for NaN and infinities
    scope: str = ""  # what tf.name_scope puts before the names of variables


state = _State()


@contextmanager
def apart() -> Iterator[None]:
    """A context of no tapes and no trace."""
    before = state.tapes, state.trace
    state.tapes, state.trace = (), None
    try:
        yield
    finally:
        state.tapes, state.trace = before


def still_active(tapes: tuple) -> tuple:
    """``tapes`` without those that have stopped meanwhile: for putting back what was set aside."""
    return tuple([t for t in tapes if t._active])
