"""The file ``checkpoint`` in a directory: which checkpoints there are, oldest first, and which is the latest, in TensorFlow's words.

It is written after a checkpoint and before older ones are deleted, so what it names is always there.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

from ..ground.errors import DataLossError
from . import store

NAME = "checkpoint"


class CheckpointState:
    """The contents of a ``checkpoint`` file, paths made absolute or relative to where the program runs, as the directory was given.

    Attributes:
        model_checkpoint_path: the latest checkpoint.
        all_model_checkpoint_paths: all that are kept, oldest first.
        all_model_checkpoint_timestamps: when each was saved, in seconds since 1970; may be empty.
        last_preserved_timestamp: when the last one was saved that is kept for good.
    """

    def __init__(self, model_checkpoint_path: str = "", all_model_checkpoint_paths: list[str] | None = None,
                 all_model_checkpoint_timestamps: list[float] | None = None, last_preserved_timestamp: float = 0.0) -> None:  # fmt: skip
        self.model_checkpoint_path = model_checkpoint_path
        self.all_model_checkpoint_paths = list(all_model_checkpoint_paths or [])
        self.all_model_checkpoint_timestamps = list(all_model_checkpoint_timestamps or [])
        self.last_preserved_timestamp = last_preserved_timestamp

    def __repr__(self) -> str:
        lines = [f"model_checkpoint_path: {json.dumps(self.model_checkpoint_path)}"]
        lines += [f"all_model_checkpoint_paths: {json.dumps(p)}" for p in self.all_model_checkpoint_paths]
        lines += [f"all_model_checkpoint_timestamps: {t!r}" for t in self.all_model_checkpoint_timestamps]
        if self.last_preserved_timestamp:
            lines.append(f"last_preserved_timestamp: {self.last_preserved_timestamp!r}")
        return "\n".join(lines) + "\n"


def update(directory: str, latest: str, paths: list[str], timestamps: list[float] | None = None, last_preserved: float = 0.0, name: str = NAME) -> None:  # fmt: skip
    """Write the file. Paths within the directory are written relative to it, so that it can be moved."""
    inside = lambda p: os.path.relpath(p, directory or ".") if not os.path.isabs(p) or os.path.isabs(directory) else p
    state = CheckpointState(inside(latest), [inside(p) for p in paths], timestamps, last_preserved)
    store.write_text(os.path.join(directory, name), repr(state))


_LINE = re.compile(r"\s*(\w+):\s*(\"(?:[^\"\\]|\\.)*\"|[-+.\deE]+)\s*")


def get_checkpoint_state(checkpoint_dir: Any, latest_filename: str | None = None) -> CheckpointState | None:
    """What the ``checkpoint`` file of a directory says; None where there is none.

    Args:
        checkpoint_dir: the directory.
        latest_filename: the name of the file, if it is not ``checkpoint``.

    Raises:
        DataLossError: the file is damaged.

    >>> import gradtape as tf, tempfile
    >>> tf.train.get_checkpoint_state(tempfile.mkdtemp()) is None
    True
    """
    directory = os.fspath(checkpoint_dir)
    path = os.path.join(directory, latest_filename or NAME)
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()
    except FileNotFoundError:
        return None
    state = CheckpointState()
    for line in lines:
        found = _LINE.fullmatch(line)
        if found is None and line.strip():
            raise DataLossError(f"{path} is damaged: it has the line {line!r}.")
        if found is None:
            continue
        key, word = found.groups()
        value = json.loads(word)
        if key == "model_checkpoint_path":
            state.model_checkpoint_path = os.path.join(directory, value)
        elif key == "all_model_checkpoint_paths":
            state.all_model_checkpoint_paths.append(os.path.join(directory, value))
        elif key == "all_model_checkpoint_timestamps":
            state.all_model_checkpoint_timestamps.append(float(value))
        elif key == "last_preserved_timestamp":
            state.last_preserved_timestamp = float(value)
    return state


def exists(path: str) -> bool:
    """Whether there is a checkpoint of that name."""
    return os.path.isfile(path + store.SUFFIX)


def latest_checkpoint(checkpoint_dir: Any, latest_filename: str | None = None) -> str | None:
    """The latest checkpoint in a directory, as ``restore`` takes it; None where there is none.

    Args:
        checkpoint_dir: the directory.
        latest_filename: the name of the file that says it, if it is not ``checkpoint``.

    >>> import gradtape as tf, tempfile
    >>> directory = tempfile.mkdtemp()
    >>> tf.train.Checkpoint(v=tf.Variable(1.0)).save(directory + "/a") == tf.train.latest_checkpoint(directory)
    True
    """
    state = get_checkpoint_state(checkpoint_dir, latest_filename)
    if state is None or not state.model_checkpoint_path or not exists(state.model_checkpoint_path):
        return None
    return state.model_checkpoint_path


def checkpoints_iterator(checkpoint_dir: Any, min_interval_secs: float = 0, timeout: float | None = None,
                         timeout_fn: Callable[[], bool] | None = None) -> Iterator[str]:  # fmt: skip
    """New checkpoints in a directory, each when it has come.

    Args:
        checkpoint_dir: the directory.
        min_interval_secs: the least time between two of them.
        timeout: how long to wait for the next, in seconds; None for ever.
        timeout_fn: called when that time is over; the iterator goes on if it returns False.

    >>> import gradtape as tf, tempfile
    >>> list(tf.train.checkpoints_iterator(tempfile.mkdtemp(), timeout=0))
    []
    """
    last = None
    while True:
        new = _wait_for_new(checkpoint_dir, last, timeout)
        if new is None:
            if timeout_fn is None or timeout_fn():
                return
            continue
        begun = time.time()
        last = new
        yield new
        time.sleep(max(0.0, begun + min_interval_secs - time.time()))


def _wait_for_new(directory: Any, last: str | None, timeout: float | None) -> str | None:
    until = None if timeout is None else time.time() + timeout
    while True:
        latest = latest_checkpoint(directory)
        if latest is not None and latest != last:
            return latest
        if until is not None and time.time() >= until:
            return None
        time.sleep(1 if until is None else min(1.0, max(0.001, until - time.time())))
