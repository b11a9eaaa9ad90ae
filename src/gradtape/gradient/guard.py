"""The guard against accidental broadcasting: (n, 1) with (n,) under a recording tape."""

from __future__ import annotations

import linecache
import sys
import warnings
from typing import Any

from ..ground.errors import BroadcastWarning, user_frame

_seen: set[tuple[str, int]] = set()


def accidental_broadcast(p: Any, a: tuple, b: tuple) -> None:
    """Warn, once for each user line, if one shape is (n, 1) and the other (n,), n > 1."""
    if len(a) < len(b):
        column, row = b, a
    else:
        column, row = a, b
    if len(row) != 1 or column[1] != 1 or column[0] != row[0] or row[0] == 1:
        return
    where = user_frame()
    if where is None or where in _seen or _within_keras():
        return
    _seen.add(where)
    file, line = where
    n = row[0]
    code = linecache.getline(file, line).strip()
    warnings.warn_explicit(
        f"{p.name}: shapes {list(a)} and {list(b)} broadcast to [{n}, {n}], every element with every other. This is seldom meant: "
        f"give both one shape, for instance tf.squeeze(y, -1) or tf.reshape(y, [-1, 1])." + (f"\n  {code}" if code else ""),
        BroadcastWarning, file, line)  # fmt: skip


def _within_keras() -> bool:
    """Whether Keras's own code, or the batching of derivatives, asked for the operation: their broadcasts are meant."""
    f = sys._getframe(2)
    while f is not None:
        name = f.f_code.co_filename
        if "/keras/src/" in name or "/keras_gradtape/" in name:
            return True
        if name.endswith("batching.py"):  # a batch dimension of the library's own beside the user's
            return True
        if (name, f.f_lineno) == user_frame():
            return False
        f = f.f_back  # type: ignore[assignment]
    return False
