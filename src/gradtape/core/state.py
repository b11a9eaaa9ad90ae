"""What is going on in this thread: the tapes that record, innermost last."""

from __future__ import annotations

import threading


class _State(threading.local):
    tapes: tuple = ()


state = _State()
