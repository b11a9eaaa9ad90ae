"""The guard against accidental broadcasting: (n, 1) with (n,) under a recording tape."""

from __future__ import annotations

import linecache
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
    if where is None or where in _seen:
        return
    _seen.add(where)
    file, line = where
    n = row[0]
    code = linecache.getline(file, line).strip()
    warnings.warn_explicit(
        f"{p.name}: shapes {list(a)} and {list(b)} broadcast to [{n}, {n}], every element with every other. This is seldom meant: "
        f"give both one shape, for instance tf.squeeze(y, -1) or tf.reshape(y, [-1, 1])." + (f"\n  {code}" if code else ""),
        BroadcastWarning, file, line)  # fmt: skip
