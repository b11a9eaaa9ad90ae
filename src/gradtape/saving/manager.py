"""``tf.train.CheckpointManager``: numbered checkpoints in a directory, of which the latest few are kept."""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from ..core.arguments import integer
from . import manifest
from .checkpoint import Checkpoint, CheckpointOptions, file_of


class CheckpointManager:
    """Saves checkpoints of one ``tf.train.Checkpoint`` in a directory and deletes old ones.

    Args:
        checkpoint: the Checkpoint.
        directory: where the files are; what an earlier run has left there is taken over.
        max_to_keep: how many checkpoints to keep; None keeps all.
        keep_checkpoint_every_n_hours: of those that would be deleted, keep one for each n hours for good.
        checkpoint_name: the files are named by it and a number.
        step_counter: a Variable or number of the training step, for ``checkpoint_interval``.
        checkpoint_interval: ``save`` does nothing until so many steps after the last checkpoint.
        init_fn: what ``restore_or_initialize`` calls where there is no checkpoint.
        last_checkpoint_step: the step of the last checkpoint of an earlier run.

    Raises:
        ValueError: ``max_to_keep`` is not positive, or an interval has no counter.

    >>> import gradtape as tf, tempfile
    >>> v = tf.Variable(0.0)
    >>> m = tf.train.CheckpointManager(tf.train.Checkpoint(v=v), tempfile.mkdtemp(), max_to_keep=2)
    >>> for _ in range(3):
    ...     path = m.save()
    >>> [p[-6:] for p in m.checkpoints]
    ['ckpt-2', 'ckpt-3']
    """

    def __init__(self, checkpoint: Checkpoint, directory: Any, max_to_keep: int | None, keep_checkpoint_every_n_hours: float | None = None,
                 checkpoint_name: str = "ckpt", step_counter: Any = None, checkpoint_interval: int | None = None,
                 init_fn: Callable[[], Any] | None = None, last_checkpoint_step: int | None = None) -> None:  # fmt: skip
        if max_to_keep is not None and max_to_keep <= 0:
            raise ValueError(f"Expected a positive integer or `None` for `max_to_keep`, got {max_to_keep}.")
        if checkpoint_interval is not None and step_counter is None:
            raise ValueError("`step_counter` should be passed if `checkpoint_interval` is not None.")
        self._checkpoint, self._directory = checkpoint, os.fspath(directory)
        self._max_to_keep, self._every_hours = max_to_keep, keep_checkpoint_every_n_hours
        self._name = checkpoint_name
        self._step_counter, self._interval, self._last_step = step_counter, checkpoint_interval, last_checkpoint_step
        self._init_fn = init_fn
        self._latest: str | None = None
        self._kept: OrderedDict[str, float] = OrderedDict()  # may be deleted, oldest first: path and time
        self._last_preserved = time.time()
        self._take_over()

    def _take_over(self) -> None:
        """What an earlier run has left."""
        state = manifest.get_checkpoint_state(self._directory)
        if state is None:
            return
        times = state.all_model_checkpoint_timestamps
        paths = state.all_model_checkpoint_paths
        if len(times) != len(paths):
            times = [time.time()] * len(paths)
        self._latest = state.model_checkpoint_path if manifest.exists(state.model_checkpoint_path) else None
        self._last_preserved = state.last_preserved_timestamp or self._last_preserved
        for path, when in zip(paths, times, strict=True):
            if manifest.exists(path):
                self._kept[path] = when

    @property
    def directory(self) -> str:
        """Where the files are."""
        return self._directory

    @property
    def checkpoint(self) -> Checkpoint:
        """The Checkpoint that is saved."""
        return self._checkpoint

    @property
    def checkpoint_interval(self) -> int | None:
        """The number of steps between two checkpoints, or None."""
        return self._interval

    @property
    def latest_checkpoint(self) -> str | None:
        """The latest checkpoint, as ``restore`` takes it; None where there is none."""
        return self._latest

    @property
    def checkpoints(self) -> list[str]:
        """The checkpoints that are managed, oldest first; not those that are kept for good."""
        return list(self._kept)

    def save(
        self, checkpoint_number: Any = None, check_interval: bool = True, options: CheckpointOptions | None = None
    ) -> str | None:
        """Save a checkpoint and delete those that are too many.

        Args:
            checkpoint_number: its number; None counts on.
            check_interval: False saves whether or not ``checkpoint_interval`` steps have passed.
            options: accepted for TensorFlow's sake.

        Returns:
            Its path, or None where it was not time yet.

        Raises:
            OSError: it could not be written. Checkpoints that were there are as they were.
        """
        step = None
        if self._interval is not None:
            step = integer(self._step_counter, "step_counter")
            if check_interval and self._last_step is not None and step < self._last_step + self._interval:
                return None
        counter = self._checkpoint.save_counter
        if checkpoint_number is None:
            counter.assign_add(1)
            number = int(counter.numpy())
        else:
            number = integer(checkpoint_number, "checkpoint_number")
        path = os.path.join(self._directory, f"{self._name}-{number}")
        try:
            self._checkpoint.write(path)
        except BaseException:
            if checkpoint_number is None:
                counter.assign_sub(1)
            raise
        self._last_step = step
        self._latest = path
        self._kept.pop(path, None)
        self._kept[path] = time.time()
        self._record(self._too_many())
        return path

    def _too_many(self) -> list[str]:
        """Take the oldest off the list; those that are not kept for good are to be deleted."""
        gone = []
        while self._max_to_keep is not None and len(self._kept) > self._max_to_keep:
            path, when = self._kept.popitem(last=False)
            if self._every_hours is not None and when - self._last_preserved >= self._every_hours * 3600:
                self._last_preserved = when
            else:
                gone.append(path)
        return gone

    def _record(self, gone: list[str]) -> None:
        assert self._latest is not None
        manifest.update(self._directory, self._latest, list(self._kept), list(self._kept.values()), self._last_preserved)  # fmt: skip
        for path in gone:
            try:
                os.unlink(file_of(path))
            except FileNotFoundError:
                pass

    def restore_or_initialize(self) -> str | None:
        """Restore the latest checkpoint; where there is none, call ``init_fn``.

        Returns:
            The path of the checkpoint, or None.
        """
        if self._latest is not None:
            self._checkpoint.restore(self._latest)
            if self._interval is not None:
                self._last_step = integer(self._step_counter, "step_counter")
            return self._latest
        if self._init_fn is not None:
            self._init_fn()
        return None

    def sync(self) -> None:
        """Nothing: checkpoints are on the disk when ``save`` returns."""

    def __repr__(self) -> str:
        return f"<CheckpointManager of {len(self._kept)} checkpoints in {self._directory!r}>"
