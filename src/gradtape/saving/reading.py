"""Checkpoints read without the objects that they were saved from: keys, shapes, dtypes, arrays."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from ..ground.dtypes import DType
from . import manifest, store
from .checkpoint import KIND, file_of


class CheckpointReader:
    """The tensors of a checkpoint by their keys: ``tf.train.load_checkpoint`` returns one."""

    def __init__(self, path: str) -> None:
        self._reader = store.Reader(file_of(path), KIND)

    def get_tensor(self, tensor_str: str) -> Any:
        """The array of that key.

        Raises:
            NotFoundError: there is no such key.
            DataLossError: its bytes are damaged.
        """
        return self._reader.get(tensor_str)

    def has_tensor(self, tensor_str: str) -> bool:
        """Whether there is that key."""
        return tensor_str in self._reader.entries

    def get_variable_to_shape_map(self) -> dict[str, list[int]]:
        """The shapes by key."""
        return {k: list(e.shape) for k, e in self._reader.entries.items()}

    def get_variable_to_dtype_map(self) -> dict[str, DType]:
        """The dtypes by key."""
        return {k: e.dtype for k, e in self._reader.entries.items()}

    def debug_string(self) -> bytes:
        """All keys with dtypes and shapes, a line for each."""
        entries: Iterable = sorted(self._reader.entries.items())
        return "\n".join(f"{k} ({e.dtype.name}) {list(e.shape)}" for k, e in entries).encode()


def load_checkpoint(ckpt_dir_or_file: Any) -> CheckpointReader:
    """A reader of a checkpoint.

    Args:
        ckpt_dir_or_file: a checkpoint, or a directory, for the latest checkpoint in it.

    Raises:
        ValueError: the directory has no checkpoints.
        NotFoundError: there is no such checkpoint.

    >>> import gradtape as tf, tempfile
    >>> path = tf.train.Checkpoint(v=tf.Variable(1.0)).save(tempfile.mkdtemp() + "/model")
    >>> tf.train.load_checkpoint(path).has_tensor("v/.ATTRIBUTES/VARIABLE_VALUE")
    True
    """
    path = os.fspath(ckpt_dir_or_file)
    if os.path.isdir(path):
        latest = manifest.latest_checkpoint(path)
        if latest is None:
            raise ValueError(f"Couldn't find 'checkpoint' file or checkpoints in given directory {path}")
        path = latest
    return CheckpointReader(path)


def list_variables(ckpt_dir_or_file: Any) -> list[tuple[str, list[int]]]:
    """Keys and shapes of the tensors of a checkpoint, sorted.

    Args:
        ckpt_dir_or_file: see ``tf.train.load_checkpoint``.

    >>> import gradtape as tf, tempfile
    >>> path = tf.train.Checkpoint(v=tf.Variable([1.0, 2.0])).write(tempfile.mkdtemp() + "/model")
    >>> tf.train.list_variables(path)
    [('v/.ATTRIBUTES/VARIABLE_VALUE', [2])]
    """
    return sorted(load_checkpoint(ckpt_dir_or_file).get_variable_to_shape_map().items())


def load_variable(ckpt_dir_or_file: Any, name: str) -> Any:
    """One tensor of a checkpoint as a NumPy array.

    Args:
        ckpt_dir_or_file: see ``tf.train.load_checkpoint``.
        name: its key; ``:0`` behind it is ignored.

    Raises:
        NotFoundError: there is no such key.

    >>> import gradtape as tf, tempfile
    >>> path = tf.train.Checkpoint(v=tf.Variable([1.0, 2.0])).write(tempfile.mkdtemp() + "/model")
    >>> tf.train.load_variable(path, "v/.ATTRIBUTES/VARIABLE_VALUE").tolist()
    [1.0, 2.0]
    """
    return load_checkpoint(ckpt_dir_or_file).get_tensor(name.removesuffix(":0"))
