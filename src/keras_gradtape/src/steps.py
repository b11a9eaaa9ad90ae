"""Steps over batches as programs: a batch in a call, or many batches of one form in one native call.

A call costs tens of microseconds beside the arithmetic of the step, which for a small model is most of the time. Where nobody looks between
the steps (no callback has a hook for batches) and the data are arrays, which can be read ahead, the trainer therefore runs a block of steps as
one loop in native code. The results are those of single steps. A block takes no longer than a progress bar waits between two drawings.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from keras.src import callbacks as callbacks_module
from keras.src import tree
from keras.src.trainers.data_adapters import array_slicing
from keras.src.trainers.data_adapters.array_data_adapter import ArrayDataAdapter
from keras.src.trainers.epoch_iterator import EpochIterator
from keras.src.utils.python_utils import is_default

import gradtape as tf

BLOCK_SECONDS = 0.05  # a progress bar draws no more often
SHORT = 1e-3  # seconds; in longer steps the cost of a call is not noticed
BLOCK_BYTES = 1 << 22  # of data in a block
WARM = 4  # steps that are timed before blocks are thought of
WORTH = 512  # steps for which it pays to compile the loop


class Steps:
    """A step as a compiled function.

    Args:
        step: a function of a batch.
        joined: the outputs of several batches are wanted, joined; else the last one's.
    """

    def __init__(self, step: Callable, joined: bool = False) -> None:
        self.one = tf.function(step, autograph=False)
        self.many = tf.function(self._outputs if joined else self._last, autograph=False)
        self.joined = joined
        self.seen = 0
        self.seconds = self.block_seconds = float("inf")  # of the fastest step, alone and in a block
        self.blocks = 0
        self.loses = False

    def __call__(self, batches: list) -> Any:
        """The step on each of the batches, those of one form in one call."""
        if len(batches) == 1:
            return self.one(batches[0])
        outs, i = [], 0
        forms = [_form(b) for b in batches]
        while i < len(batches):
            j = i + 1
            while j < len(batches) and forms[j] == forms[i]:
                j += 1
            outs.append(self.one(batches[i]) if j == i + 1 else self.block(batches[i:j]))
            i = j
        if not self.joined:
            return outs[-1]
        return outs[0] if len(outs) == 1 else tree.map_structure(lambda *parts: tf.concat(parts, axis=0), *outs)

    def block(self, batches: list) -> Any:
        """The step on batches of one form, in one call."""
        data = tree.map_structure(lambda *parts: None if parts[0] is None else _stacked(parts), *batches)
        return self.many(tf.constant(len(batches)), data)

    def timed(self, data: Any) -> Any:
        """The step on a batch, by the clock."""
        start = time.perf_counter()
        out = self.one(data)
        if self.seen:  # the first call compiles
            self.seconds = min(self.seconds, time.perf_counter() - start)
        self.seen += 1
        return out

    def in_block(self, batches: int, size: int, to_come: int) -> int:
        """How many steps a block should have; 1 where blocks do not pay.

        Args:
            batches: batches of one form in an epoch.
            size: bytes of a batch.
            to_come: steps until the training ends.
        """
        if self.seen <= WARM or self.seconds > SHORT or batches < 2 or self.seen + to_come < WORTH or self.loses:
            return 1
        most = min(batches, int(BLOCK_SECONDS / self.seconds), max(1, BLOCK_BYTES // max(size, 1)))
        return -(-batches // -(-batches // most))  # blocks of about one length

    def timed_block(self, n: int, data: Any) -> Any:
        """The last logs of ``n`` steps on stacked batches, by the clock: what does not gain by a loop is run step by step from then on."""
        start = time.perf_counter()
        out = self.many(tf.constant(n), data)
        if self.blocks and n > 1:  # the first call compiles
            self.block_seconds = min(self.block_seconds, (time.perf_counter() - start) / n)
            self.loses = self.blocks >= 3 and self.block_seconds > self.seconds
        self.blocks += 1
        self.seen += n
        return out

    # -- what is traced ---------------------------------------------------------------------------------------------------
    def _last(self, n: Any, data: Any) -> Any:
        """The logs of the last of ``n`` steps on stacked batches."""
        outs = self._specs(data)
        flat = tree.flatten(outs)
        at = [i for i, s in enumerate(flat) if isinstance(s, tf.TensorSpec)]

        def body(i: Any, *_: Any) -> tuple:
            new = tree.flatten(self.one(_taken(data, i)))
            return (i + 1, *[new[k] for k in at])

        start = [tf.zeros(flat[k].shape, flat[k].dtype) for k in at]
        for k, value in zip(at, tf.while_loop(lambda i, *_: i < n, body, (tf.constant(0), *start))[1:]):
            flat[k] = value
        return tree.pack_sequence_as(outs, flat)

    def _outputs(self, n: Any, data: Any) -> Any:
        """The outputs of the steps on stacked batches, joined."""
        outs = self._specs(data)
        count = next(x for x in tree.flatten(data) if x is not None).shape[0]
        arrays = [tf.TensorArray(s.dtype, size=count, element_shape=s.shape) for s in tree.flatten(outs)]

        def body(i: Any, arrays: Any) -> tuple:
            return i + 1, [a.write(i, x) for a, x in zip(arrays, tree.flatten(self.one(_taken(data, i))))]

        _, arrays = tf.while_loop(lambda i, _: i < n, body, (tf.constant(0), arrays))
        return tree.pack_sequence_as(outs, [a.concat() for a in arrays])

    def _specs(self, data: Any) -> Any:
        """What the step gives for one of stacked batches."""
        spec = tree.map_structure(lambda x: None if x is None else tf.TensorSpec(x.shape[1:], x.dtype), data)
        return self.one.get_concrete_function(spec).structured_outputs


def _taken(data: Any, i: Any) -> Any:
    return tree.map_structure(lambda x: None if x is None else x[i], data)


def _form(batch: Any) -> tuple:
    return tuple([None if x is None else (tuple(x.shape), str(x.dtype)) for x in tree.flatten(batch)])


def _stacked(parts: tuple) -> Any:
    return np.stack([np.asarray(x) for x in parts])


# -- who looks ------------------------------------------------------------------------------------------------------------

_HOOKS = {
    "train": ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end"),
    "test": ("on_test_batch_begin", "on_test_batch_end"),
    "predict": ("on_predict_batch_begin", "on_predict_batch_end"),
}


def observed(calls: Any, kind: str) -> bool:
    """Whether a callback looks at every batch. A progress bar does not: it draws some times a second."""
    return type(calls) is not callbacks_module.CallbackList or any([_looks(c, kind) for c in calls.callbacks])


def _looks(callback: Any, kind: str) -> bool:
    if type(callback) is callbacks_module.ProgbarLogger:
        return False
    if type(callback) is callbacks_module.ModelCheckpoint and callback.save_freq == "epoch":
        return False
    return not all([is_default(getattr(callback, hook)) for hook in _HOOKS[kind]])


# -- arrays, many batches at a time ---------------------------------------------------------------------------------------


class Rows:
    """The batches of arrays in the order of Keras's ``ArrayDataAdapter``, one or many at a time.

    Attributes:
        count: batches in an epoch.
        full: those that have all rows.
        nbytes: bytes of a full batch.
    """

    def __init__(self, adapter: ArrayDataAdapter) -> None:
        self._shuffle, self._size, self._rows = adapter._shuffle, adapter._batch_size, adapter._num_samples
        self._data = array_slicing.convert_to_sliceable(adapter._inputs, target_backend="numpy")
        self.count, self.full = adapter.num_batches, self._rows // self._size
        self._order: Any = None
        first = self.one(0) if self._shuffle != "batch" else None
        self.plain = first is not None and all(
            [x is None or (isinstance(x, np.ndarray) and x.dtype != object) for x in tree.flatten(first)]
        )
        self.nbytes = sum([x.nbytes for x in tree.flatten(first) if x is not None]) if self.plain else 0

    @classmethod
    def of(cls, batches: EpochIterator) -> Rows | None:
        """The data of an iterator, if they are arrays that it goes through whole."""
        adapter = batches.data_adapter
        if type(batches) is not EpochIterator or type(adapter) is not ArrayDataAdapter or batches.steps_per_epoch:
            return None
        rows = cls(adapter)
        return rows if rows.plain else None

    def shuffle(self) -> None:
        """Begin an epoch, with NumPy's random numbers as the adapter does."""
        self._order = np.random.permutation(self._rows) if self._shuffle else None

    def one(self, i: int) -> Any:
        """Batch number ``i``."""
        return self._at(i * self._size, min((i + 1) * self._size, self._rows))

    def block(self, i: int, n: int, room: int) -> Any:
        """The ``n`` full batches from number ``i``, stacked; with rows of no meaning behind them up to ``room`` batches."""
        parts = self._at(i * self._size, (i + n) * self._size)

        def stack(x: Any) -> Any:
            if n < room:
                x = np.concatenate([x, np.zeros(((room - n) * self._size, *x.shape[1:]), x.dtype)])
            return x.reshape(room, self._size, *x.shape[1:])

        return tree.map_structure(lambda x: None if x is None else stack(x), parts)

    def _at(self, start: int, stop: int) -> Any:
        where = slice(start, stop) if self._order is None else self._order[start:stop]
        return tree.map_structure(lambda s: s.convert_to_numpy(s[where]), self._data, none_is_leaf=False)


__all__ = ["Rows", "Steps", "observed"]
