"""What is going on in this thread: the tapes that record, innermost last, and the trace that operations on symbolic tensors go to."""

from __future__ import annotations

import threading
from typing import Any


class _State(threading.local):
    tapes: tuple = ()
    trace: Any = None
    check: bool = False  # whether every result is checked for NaN and infinities


state = _State()
