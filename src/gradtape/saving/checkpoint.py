"""``tf.train.Checkpoint``: the values of the variables that a graph of objects leads to, saved and restored."""

from __future__ import annotations

import os
from collections import deque
from typing import Any

import numpy as np

from ..core.state import state
from ..core.tensor import Tensor
from ..core.variable import Variable
from ..ground import dtypes as dt
from ..ground.errors import DataLossError, InvalidArgumentError, NotFoundError
from ..ground.shapes import TensorShape
from . import deferred, manifest, objects, store
from .objects import VALUE, text_of

KIND = "checkpoint"


class CheckpointOptions:
    """Accepted where TensorFlow takes options of checkpoints; none of them changes what gradtape does."""

    def __init__(self, experimental_io_device: Any = None, experimental_enable_async_checkpoint: bool = False, experimental_write_callbacks: Any = None,
                 enable_async: bool = False, experimental_skip_slot_variables: bool = False, experimental_sharding_callback: Any = None) -> None:  # fmt: skip
        self.experimental_io_device = experimental_io_device
        self.experimental_enable_async_checkpoint = experimental_enable_async_checkpoint
        self.experimental_write_callbacks = experimental_write_callbacks
        self.enable_async = enable_async
        self.experimental_skip_slot_variables = experimental_skip_slot_variables
        self.experimental_sharding_callback = experimental_sharding_callback


# -- saving ------------------------------------------------------------------------------------------------------------------------


def write_objects(path: str, root: Any) -> None:
    """Write the values of the variables that ``root`` leads to."""
    nodes = objects.with_values(objects.graph_of(root))
    tensors, listed = {}, []
    for node in nodes:
        entry: dict[str, Any] = {"children": node.links}
        if node.variable is not None:
            entry["value"] = node.key
            tensors[node.key] = node.variable._t._a
        listed.append(entry)
    store.write(path, tensors, {"kind": KIND, "objects": listed})


def file_of(path: Any) -> str:
    """The file of a checkpoint that is named as in TensorFlow, without a suffix, or by the file itself."""
    path = os.fspath(path)
    return path if path.endswith(store.SUFFIX) else path + store.SUFFIX


# -- restoring ----------------------------------------------------------------------------------------------------------------------


class _Saved:
    """The object graph of a checkpoint file, and what has been restored from it."""

    def __init__(self, reader: store.Reader) -> None:
        self.reader = reader
        try:
            self.nodes = [(dict(n["children"]), n.get("value")) for n in reader.metadata["objects"]]
            keys = [v for _, v in self.nodes if v is not None]
            links = [n for c, _ in self.nodes for n in c.values()]
            fine = self.nodes and set(keys) == set(reader.entries) and all(0 <= n < len(self.nodes) for n in links)
        except (KeyError, TypeError, ValueError, AttributeError):
            fine = False
        if not fine:
            raise DataLossError(f"{reader.path} is damaged: its graph of objects does not fit its tensors.")
        self.restored: set[int] = set()  # saved nodes
        self.bound: dict[int, Any] = {}  # live variables that have a value from here, by identity
        self.shared: list[
            str
        ] = []  # what could not be restored because the program has one variable where the checkpoint has two
        self.rest = deferred.Restoration(self._appeared)

    def restore(self, root: Any) -> None:
        """Give the variables that ``root`` leads to their values, all or none."""
        self._bind(root, 0, root, ())

    def _appeared(self, x: Any, node: int, owner: Any, path: tuple[str, ...]) -> None:
        self._bind(x, node, owner, path)

    def _bind(self, x: Any, node: int, owner: Any, path: tuple[str, ...]) -> None:
        """Pair the objects from ``x`` on with the saved ones from ``node`` on, by the names of the links between them."""
        wanted: list[tuple[Variable, int, tuple[str, ...]]] = []
        gaps: list[tuple[Any, tuple[str, ...], str, int]] = []
        shared: list[str] = []
        met: set[tuple[int, int]] = set()
        taken: dict[int, int] = {}
        queue = deque([(x, node, owner, path)])
        while queue:
            x, node, owner, path = queue.popleft()
            if (v := objects.variable_of(x)) is not None:
                x = v
            if (id(x), node) in met:
                continue
            met.add((id(x), node))
            links, key = self.nodes[node]
            if v is not None and key is not None:
                first = taken.setdefault(id(v), node)
                if first == node and id(v) not in self.bound:
                    wanted.append((v, node, path))
                elif first != node:
                    shared.append(
                        f"{key} (at {text_of(path)} is the variable that has the value of {self.nodes[first][1]})"
                    )
            if not objects.is_container(x) and v is None:
                owner, path = x, ()
            for name, n in links.items():
                found = objects.child(x, name)
                if found is None:
                    gaps.append((owner, path, name, n))
                else:
                    queue.append((found, n, owner, (*path, name)))
        values = self._values(wanted)
        for (v, n, _), t in zip(wanted, values, strict=True):
            deferred.put(v, t)
            self.bound[id(v)] = v
            self.restored.add(n)
        self.shared += shared
        for gap in gaps:
            self.rest.miss(*gap)
        deferred.wait(self.rest)

    def _values(self, wanted: list[tuple[Variable, int, tuple[str, ...]]]) -> list[Tensor]:
        """The tensors for variables; an error that names all that do not fit, before anything is changed."""
        wrong = []
        for v, n, _ in wanted:
            key = self.nodes[n][1]
            e = self.reader.entries[key]
            spec = v._shape_spec if v._shape_spec is not None else TensorShape(deferred.value(v)._shape)
            if e.dtype is not v._d or not spec.is_compatible_with(TensorShape(e.shape)):
                has, wants = (
                    f"{e.dtype.name}{list(e.shape)}",
                    f"{v._d.name}{list(spec) if spec.rank is not None else ''}",
                )
                wrong.append(f"\n  {key} is {has}, but the variable {v._name!r} is {wants}")
        if wrong:
            raise InvalidArgumentError(
                f"Received incompatible tensor{'s' if len(wrong) > 1 else ''} when attempting to restore from {self.reader.path}; no variable was changed:"
                + "".join(wrong)
            )
        read: dict[str, Any] = {}
        out = []
        for v, n, _ in wanted:
            key = self.nodes[n][1]
            a = read.get(key)
            if a is None:
                a = read[key] = self.reader.get(key)
            out.append(Tensor(a, v._d))
        return out

    def missing(self) -> list[str]:
        """The keys of saved values that no variable has received."""
        return [key for n, (_, key) in enumerate(self.nodes) if key is not None and n not in self.restored]


class CheckpointLoadStatus:
    """How much of a checkpoint was restored, and how much of the program: ``restore`` returns one.

    Without an assertion nothing is said about what did not match: that may come later, when the objects are made.
    """

    def __init__(self, saved: _Saved, root: Any) -> None:
        self._saved, self._root = saved, root

    def _unmatched(self) -> list[tuple[str, Variable]]:
        """Path and variable of what the program has and the checkpoint did not give a value."""
        return [
            (text_of(n.path), n.variable)
            for n in objects.graph_of(self._root)
            if n.variable is not None and id(n.variable) not in self._saved.bound
        ]

    def _report(self, unused: list[str], unmatched: list[tuple[str, Variable]]) -> str:
        lines = []
        entries = self._saved.reader.entries
        if unused:
            lines.append(f"{len(unused)} value(s) in the checkpoint that no object of the program received:")
            lines += [f"  {k.removesuffix(VALUE)}: {entries[k].dtype.name}{list(entries[k].shape)}" for k in unused]
        if unmatched:
            lines.append(
                f"Found {len(unmatched)} Python objects that were not bound to checkpointed values, likely due to changes in the Python program:"
            )
            lines += [
                f"  {path}: {v._d.name}{list(v.shape) if v.shape.rank is not None else ''}, named {v.name!r}"
                for path, v in unmatched
            ]
        if self._saved.shared:
            lines += [
                "The program has one variable where the checkpoint has several values:",
                *[f"  {s}" for s in self._saved.shared],
            ]
        return "\n".join(lines) + f"\nThe checkpoint is {self._saved.reader.path}."

    def assert_consumed(self) -> CheckpointLoadStatus:
        """Check that each value of the checkpoint went to a variable and each variable of the program has one.

        Raises:
            AssertionError: with the names, shapes and dtypes of all that is left over on either side.
        """
        deferred.settle()
        unused, unmatched = self._saved.missing(), self._unmatched()
        if unused or unmatched:
            raise AssertionError("Unresolved object in checkpoint.\n" * bool(unused) + self._report(unused, unmatched))
        return self

    def assert_existing_objects_matched(self) -> CheckpointLoadStatus:
        """Check that each variable that the program has by now received a value. The checkpoint may hold more.

        Raises:
            AssertionError: with the variables that have none.
        """
        deferred.settle()
        if unmatched := self._unmatched():
            raise AssertionError(self._report([], unmatched))
        return self

    def assert_nontrivial_match(self) -> CheckpointLoadStatus:
        """Check that anything was restored beside the counter of saves.

        Raises:
            AssertionError: nothing was.
        """
        deferred.settle()
        counter = getattr(self._root, "_save_counter", None)
        if not any([v is not counter for v in self._saved.bound.values()]):
            raise AssertionError("Nothing except the root object matched a checkpointed value.\n" + self._report(self._saved.missing(), self._unmatched()))  # fmt: skip
        return self

    def expect_partial(self) -> CheckpointLoadStatus:
        """Say that not everything need match. It never needs to be said: what is not asserted is not complained of."""
        return self

    def initialize_or_restore(self, session: Any = None) -> None:
        """Nothing: values are restored at once."""

    def run_restore_ops(self, session: Any = None) -> None:
        """Nothing: values are restored at once."""

    def __repr__(self) -> str:
        total = sum(key is not None for _, key in self._saved.nodes)
        return f"<CheckpointLoadStatus: {total - len(self._saved.missing())} of {total} values restored from {self._saved.reader.path}>"


class InitializationOnlyStatus:
    """What ``restore(None)`` returns: nothing is restored."""

    def _nothing(self) -> Any:
        raise AssertionError("No checkpoint specified (save_path=None); nothing is being restored.")

    assert_consumed = assert_existing_objects_matched = assert_nontrivial_match = run_restore_ops = _nothing

    def expect_partial(self) -> InitializationOnlyStatus:
        """Itself."""
        return self

    def initialize_or_restore(self, session: Any = None) -> None:
        """Nothing: variables have the values that they were made with."""


# -- the public class ---------------------------------------------------------------------------------------------------------------


class Checkpoint:
    """The variables of some objects, to be saved together.

    Args:
        root: a trackable object (``tf.Module``, ``tf.random.Generator``, a Keras layer ...) whose parts are saved as if they were this object's.
        **kwargs: trackable objects by name: also variables, and lists, tuples and dicts of such.

    Objects are found by the names of the attributes, list positions and dict keys that lead to them, so a program that makes the same
    structure can restore what another saved. Values for objects that do not exist yet wait for them.

    Raises:
        ValueError: something is not trackable, or a name is given twice.

    >>> import gradtape as tf, tempfile
    >>> v = tf.Variable([1.0, 2.0])
    >>> path = tf.train.Checkpoint(v=v).save(tempfile.mkdtemp() + "/model")
    >>> w = tf.Variable([0.0, 0.0])
    >>> _ = tf.train.Checkpoint(v=w).restore(path).assert_consumed()
    >>> w.numpy().tolist()
    [1.0, 2.0]
    """

    def __init__(self, root: Any = None, **kwargs: Any) -> None:
        if root is not None and (objects.is_container(root) or not objects.is_trackable(root)):
            raise _not_trackable("root", root)
        self._root = root
        self._save_counter: Variable | None = None
        for name, x in kwargs.items():
            if not (objects.is_trackable(x) or objects.is_function(x)):
                raise _not_trackable(name, x)
            if root is not None and (there := objects.child(root, name)) is not None and there is not x:
                raise ValueError(
                    f"Cannot create a Checkpoint with keyword argument {name} if root.{name} already exists."
                )
        vars(self).update(kwargs)

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)
        if deferred.pending:
            deferred.settle()

    def _trackable_children(self) -> dict[str, Any]:
        out = dict(objects.children(self._root)) if self._root is not None else {}
        own = {k: v for k, v in vars(self).items() if k not in ("_root", "_save_counter")}
        out.update({k: v for k, v in own.items() if v is not None})
        if self._save_counter is not None:
            out["save_counter"] = self._save_counter
        return out

    @property
    def save_counter(self) -> Variable:
        """An int64 Variable that counts the calls of ``save``; it is saved and restored too."""
        if self._save_counter is None:
            trace, state.trace = state.trace, None
            try:
                self._save_counter = Variable(np.int64(0), dtype=dt.int64, name="save_counter", trainable=False)
            finally:
                state.trace = trace
        return self._save_counter

    def write(self, file_prefix: Any, options: CheckpointOptions | None = None) -> str:
        """Write a checkpoint without a number, of which ``latest_checkpoint`` does not know.

        Args:
            file_prefix: the path without the suffix ``.safetensors``.
            options: accepted for TensorFlow's sake.

        Returns:
            ``file_prefix``, for ``read``.

        Raises:
            OSError: it could not be written. A checkpoint that was there is as it was.

        >>> import gradtape as tf, tempfile
        >>> tf.train.Checkpoint(v=tf.Variable(1.0)).write(tempfile.mkdtemp() + "/now")[-4:]
        '/now'
        """
        _outside("write")
        path = os.fspath(file_prefix)
        write_objects(file_of(path), self)
        return path

    def save(self, file_prefix: Any, options: CheckpointOptions | None = None) -> str:
        """Write a checkpoint with the next number, and note in the file ``checkpoint`` beside it that it is the latest.

        Args:
            file_prefix: the path without the number.
            options: accepted for TensorFlow's sake.

        Returns:
            The path with the number, for ``restore``: ``file_prefix-1`` and so on.

        Raises:
            OSError: it could not be written. Checkpoints that were there are as they were.
        """
        _outside("save")
        self.save_counter.assign_add(np.int64(1))
        path = f"{os.fspath(file_prefix)}-{int(self.save_counter.numpy())}"
        try:
            write_objects(file_of(path), self)
        except BaseException:
            self.save_counter.assign_sub(np.int64(1))
            raise
        manifest.update(os.path.dirname(path), path, [path])
        return path

    def read(self, save_path: Any, options: CheckpointOptions | None = None) -> CheckpointLoadStatus:
        """Restore what ``write`` has written.

        Args:
            save_path: what ``write`` returned.
            options: accepted for TensorFlow's sake.

        Returns:
            A status with which to assert how much matched: ``assert_consumed()``.

        Raises:
            NotFoundError: there is no such checkpoint.
            DataLossError: the file is damaged.
            InvalidArgumentError: shapes or dtypes do not fit; the message lists all that do not.
            In each case no variable is changed.
        """
        _outside("read")
        return _restored(save_path, self)

    def restore(self, save_path: Any, options: CheckpointOptions | None = None) -> Any:
        """Restore what ``save`` has written; see ``read``.

        Args:
            save_path: what ``save`` or ``tf.train.latest_checkpoint`` returned; None restores nothing.
            options: accepted for TensorFlow's sake.

        Returns:
            A status with which to assert how much matched: ``assert_consumed()``, ``assert_existing_objects_matched()``.
        """
        _outside("restore")
        if save_path is None:
            return InitializationOnlyStatus()
        made = self._save_counter is None
        self._save_counter = self.save_counter  # the checkpoint has a value for it
        try:
            return _restored(save_path, self)
        except BaseException:
            if made:
                self._save_counter = None
            raise

    def sync(self) -> None:
        """Nothing: checkpoints are on the disk when ``save`` returns."""


def _not_trackable(name: str, x: Any) -> ValueError:
    return ValueError(
        f"`Checkpoint` was expecting {name} to be a trackable object (a tf.Variable, tf.Module, tf.random.Generator, a Keras object"
        f"{'' if name == 'root' else ', or a list, tuple or dict of those'}), got {x!r}."
    )


def _outside(what: str) -> None:
    if state.trace is not None:
        raise NotImplementedError(
            f"Calling tf.train.Checkpoint.{what}() from a tf.function is not supported: variables have no value while it is traced. Call it outside."
        )


def _restored(save_path: Any, root: Any) -> CheckpointLoadStatus:
    try:
        reader = store.Reader(file_of(save_path), KIND)
    except NotFoundError:
        raise NotFoundError(
            f"Error when restoring from checkpoint at {os.fspath(save_path)}: there is no file {file_of(save_path)}. "
            "Please double-check that the path is correct. You may be missing the checkpoint suffix (e.g. the '-1' in 'path/to/ckpt-1')."
        ) from None
    saved = _Saved(reader)
    saved.restore(root)
    return CheckpointLoadStatus(saved, root)
