"""GradientTape: records operations and differentiates what it recorded. The public face of reverse mode."""

from __future__ import annotations

import enum
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..core.dispatch import quiet
from ..core.state import state
from ..core.tensor import Tensor, _next_key, convert
from ..core.variable import Variable, variable_of
from ..ground import nest
from ..ground.errors import invalid
from ..primitives.indexing import IndexedSlices
from ..primitives.structure import broadcast_to, ones_like, zeros_like
from .driver import Record, accumulate, backward, reachable
from .guard import accidental_broadcast


class UnconnectedGradients(enum.Enum):
    """What ``gradient`` gives for a source that the target does not depend on: None, or zeros of the source's shape."""

    NONE = "none"
    ZERO = "zero"


_lock = threading.Lock()


def key_of(t: Tensor) -> int:
    """The key of a tensor, which it gets now if it has none; another thread may be about to give it one too."""
    if not t._k:
        with _lock:
            if not t._k:
                t._k = _next_key()
    return t._k


class GradientTape:
    """Record operations for automatic differentiation.

    Operations are recorded if they run inside the ``with`` block and at least one of their inputs is watched. Trainable variables
    are watched when they are read; tensors by ``watch``.

    Args:
        persistent: keep the records after the first ``gradient``, so that it may be called again.
        watch_accessed_variables: watch trainable variables when they are read. Otherwise only what ``watch`` names.

    Tapes nest, and the inner tape's ``gradient`` is itself recorded by the outer, to any order. Each thread has its own tapes.

    >>> import gradtape as tf
    >>> x = tf.constant(3.0)
    >>> with tf.GradientTape() as tape:
    ...     tape.watch(x)
    ...     y = x * x
    >>> print(tape.gradient(y, x))
    tf.Tensor(6.0, shape=(), dtype=float32)
    """

    __slots__ = (
        "__weakref__",
        "_active",
        "_auto",
        "_entered",
        "_leaves",
        "_live",
        "_persistent",
        "_reads",
        "_records",
        "_used",
        "_wanted",
    )

    def __init__(self, persistent: bool = False, watch_accessed_variables: bool = True) -> None:
        self._persistent = persistent
        self._auto = watch_accessed_variables
        self._active = False
        self._used = False
        self._entered = False
        self._wanted: set[int] | None = None  # ids of variables that `watch` named: every value they take is watched
        self._records: list[Record] = []
        self._live: set[int] = set()  # keys of watched values and of what was computed from them
        self._leaves: list[int] = []  # keys of what was watched
        self._reads: dict[int, list] = {}  # id of a variable -> the variable and the keys of the values read from it

    # -- recording ----------------------------------------------------------------------------------------------------
    def __enter__(self) -> GradientTape:
        if self._active:
            raise ValueError("Tape is already recording.")
        if self._used and not self._persistent:
            self._clear()  # as in TensorFlow, a used-up tape that is entered again starts afresh
        quiet()
        self._active = self._entered = True
        state.tapes = (*state.tapes, self)
        return self

    def __exit__(self, *exc: Any) -> None:
        if self._active:  # `gradient` inside the block stops a once-only tape
            self._stop()

    def _stop(self) -> None:
        self._active = False
        tapes = state.tapes
        state.tapes = tapes[:-1] if tapes and tapes[-1] is self else tuple([t for t in tapes if t is not self])

    def _record(self, p: Any, xs: tuple, out: Any, attrs: dict[str, Any] | None) -> None:
        """Called by the dispatch for every operation that runs while this tape records."""
        live = self._live
        if len(xs) == 2:
            x, y = xs
            kx, ky = x._k, y._k
            if kx in live:
                mask = 3 if ky in live else 1
            elif ky in live:
                mask = 2
            else:
                return
            keys: tuple = (kx, ky)
            sx, sy = x._a.shape, y._a.shape
            shapes: tuple | None = (sx, sy)
            if p.broadcasts:
                if sx == sy:
                    shapes = None if p.elementwise else shapes
                elif len(sx) + len(sy) == 3:
                    accidental_broadcast(p, sx, sy)
        elif len(xs) == 1:
            x = xs[0]
            if x._k not in live:
                return
            mask = 1
            keys = (x._k,)
            shapes = (x._a.shape,)
        else:
            mask = 0
            bit = 1
            for x in xs:
                if x._k in live:
                    mask |= bit
                bit += bit
            if not mask:
                return
            keys = tuple([x._k for x in xs])
            shapes = tuple([x._a.shape for x in xs])
        plans = p.plans
        plan = plans[mask] if mask in plans else p.plan(mask)
        if plan is None:
            return
        vjps, save_all, save, save_out = plan
        if p.multi:
            if not any([o._d.is_inexact for o in out]):
                return
            for o in out:
                if not o._k:
                    o._k = _next_key()
            out_key: Any = tuple([o._k for o in out])
            live.update(out_key)
        else:
            if not out._d.is_inexact:
                return
            out_key = out._k
            if not out_key:
                out._k = out_key = _next_key()
            live.add(out_key)
        ins = xs if save_all else save and tuple([x if s else None for x, s in zip(xs, save, strict=True)])
        self._records.append((p, vjps, keys, ins, shapes, out if save_out else None, out_key, attrs))  # type: ignore[arg-type]

    def _watch_variable(self, v: Variable, t: Tensor) -> None:
        """Watch ``t``, the value just read from ``v``."""
        k = key_of(t)
        self._live.add(k)
        self._leaves.append(k)
        reads = self._reads.get(id(v))
        if reads is None:
            self._reads[id(v)] = [v, k]
        else:
            reads.append(k)

    def watch(self, tensor: Any) -> None:
        """Record what is computed from ``tensor`` from here on.

        Args:
            tensor: a Tensor or Variable, or a nest of them.

        Raises:
            ValueError: something in it is neither.

        A tensor of integers has no gradient: watching it warns and does nothing.
        """
        for x in nest.flatten(tensor):
            x = variable_of(x)
            if isinstance(x, Variable):
                self._wanted = self._wanted or set()
                self._wanted.add(id(x))
                t = x._value()
                if t._k not in self._live:
                    self._watch_variable(x, t)
            elif isinstance(x, Tensor):
                if not x._d.is_inexact:
                    import warnings

                    warnings.warn(
                        f"The dtype of the watched tensor must be floating (e.g. tf.float32), got {x._d!r}: it has no gradient.",
                        stacklevel=2,
                    )
                    continue
                self._live.add(key_of(x))
                self._leaves.append(x._k)
            else:
                raise ValueError(
                    f"Passed in object {x!r} of type {type(x).__name__!r}, not a tf.Tensor or a tf.Variable: convert it with tf.constant first."
                )

    def watched_variables(self) -> tuple[Variable, ...]:
        """The variables watched so far, in the order they were made."""
        return tuple(sorted([reads[0] for reads in self._reads.values()], key=lambda v: v._uid))

    @contextmanager
    def stop_recording(self) -> Iterator[None]:
        """A block in which this tape does not record.

        Raises:
            RuntimeError: the tape has not been entered yet.
            ValueError: it is not recording now.
        """
        if not self._entered:
            raise RuntimeError(
                "Trying to stop recording a tape which is not recording: enter it first, with a `with` block."
            )
        if not self._active:
            raise ValueError("Tape is not recording.")
        self._stop()
        begin = [t._pause(self) for t in state.tapes if hasattr(t, "_pause")]  # a journal, if one is kept
        try:
            yield
        finally:
            for end in begin:
                end()
            self.__enter__()

    def reset(self) -> None:
        """Forget everything recorded and watched.

        Raises:
            ValueError: the tape is not recording.
        """
        if not self._active:
            raise ValueError("Tape is not recording: reset is for use inside the `with` block.")
        self._clear()

    def _clear(self) -> None:
        self._used = False
        self._wanted = None
        self._records = []
        self._live = set()
        self._leaves = []
        self._reads = {}

    # -- differentiating ----------------------------------------------------------------------------------------------
    def _check_unused(self, name: str) -> None:
        if not self._entered:
            raise RuntimeError(
                f"GradientTape.{name} was called on a tape that never recorded: compute the target inside its `with` block."
            )
        if self._used and not self._persistent:
            if name == "gradient":
                raise RuntimeError("GradientTape.gradient can only be called once on non-persistent tapes.")
            raise RuntimeError(
                "A non-persistent GradientTape can only be used to compute one set of gradients (or jacobians)"
            )

    def gradient(self, target: Any, sources: Any, output_gradients: Any = None,
                 unconnected_gradients: Any = UnconnectedGradients.NONE) -> Any:  # fmt: skip
        """The gradient of the sum of ``target`` with respect to ``sources``.

        Args:
            target: a Tensor, Variable or nest of them: what to differentiate.
            sources: a Tensor, Variable or nest of them: what to differentiate with respect to.
            output_gradients: the cotangents to start from, a nest like ``target``; None means ones.
            unconnected_gradients: ``UnconnectedGradients.NONE`` (or "none") or ``ZERO`` ("zero").

        Returns:
            A nest like ``sources`` of Tensors (IndexedSlices where rows were gathered from a source, None where ``target`` does not
            depend on it).

        Raises:
            RuntimeError: the tape is not persistent and was used before.
            ValueError: ``output_gradients`` does not have the form of ``target``, or ``unconnected_gradients`` is unknown.
            InvalidArgumentError: an output gradient has the wrong shape or dtype.
        """
        if self._used or not self._entered:
            self._check_unused("gradient")
        unconnected = _unconnected(unconnected_gradients)
        if target is None:
            raise TypeError(
                "Argument `target` should be a list or nested structure of Tensors, Variables or CompositeTensors to be differentiated, but received None."
            )
        targets = (
            [target]
            if type(target) is Tensor
            else [t._values if type(t) is IndexedSlices else t for t in nest.flatten(target)]
        )
        single = type(sources) is Variable or type(sources) is Tensor
        plain = type(sources) is list and not any([nest.kind(type(s)) for s in sources])
        flat = [sources] if single else sources if plain else nest.flatten(sources)
        source_keys = [self._keys_of(s) for s in flat]
        if self._active:
            self._stop_if_once_only()
        cotangents: dict[int, Any] = {}
        given = [None] * len(targets) if output_gradients is None else _output_gradients(targets, output_gradients)
        for t, g in zip(targets, given):
            for k in self._keys_of(t)[-1:]:  # of a variable, the value read last
                if g is None:
                    g = _ones(t)
                cotangents[k] = accumulate(cotangents[k], g) if k in cotangents else g
        results = self._backward(cotangents, source_keys, not self._persistent)
        if unconnected is UnconnectedGradients.ZERO:
            results = [zeros_like(convert(s)) if g is None else g for s, g in zip(flat, results, strict=True)]
        return results[0] if single else results if plain else nest.pack_sequence_as(sources, results)

    def _stop_if_once_only(self) -> None:
        if self._active and not self._persistent:
            self._stop()  # as in TensorFlow, a once-only tape stops recording at its first gradient

    def _spend(self) -> None:
        """Drop the records of a once-only tape after its one use."""
        self._used = True
        if not self._persistent:
            self._records = []

    def _backward(self, cotangents: dict[int, Any], source_keys: list, free: bool) -> list:
        """The cotangent of each source, or None; ``free`` uses the records up."""
        keep: set[int] = set()
        keep.update(*source_keys)
        records = self._records
        self._used = True
        if free:
            self._records = []
        elif self._active:
            records = records.copy()  # the backward pass is recorded on the very list it reads
        reach = None if keep.issuperset(self._leaves) else reachable(records, keep)
        cotangents = backward(records, cotangents, keep, reach, free)
        out = []
        for keys in source_keys:
            g = None
            for k in keys:
                if k in cotangents:
                    g = cotangents[k] if g is None else accumulate(g, cotangents[k])
            out.append(g)
        return out

    def _keys_of(self, x: Any) -> Any:
        """The keys under which this tape knows ``x``; a variable has one for each value read from it."""
        if type(x) is Variable or isinstance(x, Variable):
            reads = self._reads.get(id(x))
            return reads[1:] if reads else ()
        if isinstance(x, Tensor):
            return (x._k,) if x._k in self._live else ()
        if variable_of(x) is not x:
            return self._keys_of(variable_of(x))
        raise ValueError(f"Passed in object {x!r} of type {type(x).__name__!r}, not a tf.Tensor or a tf.Variable.")

    def jacobian(self, target: Any, sources: Any, unconnected_gradients: Any = UnconnectedGradients.NONE, parallel_iterations: Any = None,
                 experimental_use_pfor: bool = True, chunk_size: int | None = None) -> Any:  # fmt: skip
        """The Jacobian of ``target`` with respect to ``sources``, by one backward pass over a batch of cotangents.

        Args:
            target: a Tensor of any shape.
            sources: a Tensor, Variable or nest of them.
            unconnected_gradients: as for ``gradient``.
            parallel_iterations: accepted for TensorFlow's sake.
            experimental_use_pfor: False takes the rows one after the other, for gradient rules that need plain values.
            chunk_size: how many rows of the Jacobian to carry at once, to bound memory; None means all.

        Returns:
            A nest like ``sources`` of Tensors of shape ``target.shape + source.shape``.

        Raises:
            RuntimeError: the tape is not persistent and was used before.

        >>> import gradtape as tf
        >>> x = tf.constant([1.0, 2.0])
        >>> with tf.GradientTape() as tape:
        ...     tape.watch(x)
        ...     y = x * x
        >>> tape.jacobian(y, x).numpy().tolist()
        [[2.0, 0.0], [0.0, 4.0]]
        """
        from .jacobian import jacobian

        return jacobian(self, target, sources, _unconnected(unconnected_gradients), chunk_size, experimental_use_pfor)

    def batch_jacobian(self, target: Any, source: Any, unconnected_gradients: Any = UnconnectedGradients.NONE, parallel_iterations: Any = None,
                       experimental_use_pfor: bool = True, chunk_size: int | None = None) -> Any:  # fmt: skip
        """The Jacobian of each row of ``target`` with respect to the same row of ``source``.

        Args:
            target: a Tensor of shape (b, ...), each row of which depends only on the same row of ``source``.
            source: a Tensor or Variable of shape (b, ...).
            unconnected_gradients, parallel_iterations, experimental_use_pfor, chunk_size: as for ``jacobian``.

        Returns:
            A Tensor of shape ``(b,) + target.shape[1:] + source.shape[1:]``.

        Raises:
            RuntimeError: the tape is not persistent and was used before.
            ValueError: the first dimensions differ.
        """
        from .jacobian import batch_jacobian

        return batch_jacobian(self, target, source, _unconnected(unconnected_gradients), chunk_size)

    # -- showing: these stand above the tape, and are loaded when they are asked for ---------------------------------------
    def explain(self, target: Any, source: Any) -> Any:
        """Why the gradient of ``target`` with respect to ``source`` is None, zero, NaN or infinite: the cause, the user's line, the cure.

        Args:
            target: what was differentiated: a Tensor or Variable, or a nest of them.
            source: what it was differentiated with respect to, or a nest of that.

        Returns:
            An ``Explanation`` (``print`` shows it), or a nest of them like ``source``. It may be asked for before and after ``gradient``.

        Tapes keep no lines, because they have to be fast: ``tf.debugging.trace_lines()`` around the tape notes them. Without it the explanation says what
        the tape alone can tell.

        >>> import gradtape as tf
        >>> x = tf.constant(3.0)
        >>> with tf.GradientTape() as tape:
        ...     y = x * x
        >>> tape.gradient(y, x)
        >>> tape.explain(y, x).cause
        'not_watched'
        """
        import importlib

        return importlib.import_module("gradtape.explain").explain(self, target, source)

    def table(self, target: Any = None) -> Any:
        """Every recorded operation with its line, value, local derivatives and adjoint, in the order of the chain rule.

        Args:
            target: what the adjoints are the derivatives of; None for the last result that was recorded.

        Returns:
            A ``Table``: ``print`` shows it, notebooks too; it is a sequence of rows, and ``to_dict()`` gives plain data.

        A once-only tape drops its records at its first gradient: ask before that, or record under ``tf.debugging.trace_lines()``, which also notes the lines
        and those values that the tape itself need not keep.

        >>> import gradtape as tf
        >>> x = tf.Variable(3.0)
        >>> with tf.debugging.trace_lines(), tf.GradientTape() as tape:
        ...     y = tf.square(x)
        >>> row = tape.table(y)[0]
        >>> print(row.operation, row.value, row.local["x"], row.adjoint)
        square 9.0 6.0 1.0
        """
        import importlib

        return importlib.import_module("gradtape.explain").table(self, target)

    def show(self, target: Any = None, path: Any = None) -> Any:
        """The recorded computation as a picture to step through, forward and then backward.

        Args:
            target: what the backward pass starts from; None for the last result that was recorded.
            path: where to write the page, or None.

        Returns:
            A ``Picture``: notebooks show it; ``save(path)`` writes the page, ``open()`` shows it in the browser, ``svg(path)`` and ``png(path)`` export.

        >>> import gradtape as tf
        >>> x = tf.Variable(3.0)
        >>> with tf.debugging.trace_lines(), tf.GradientTape() as tape:
        ...     y = x * x + 1.0
        >>> "<html" in tape.show(y).html
        True
        """
        import importlib

        return importlib.import_module("gradtape.explain").show(self, target, path)


def _ones(t: Any) -> Tensor:
    """The cotangent that a target gets where the user gives none."""
    if type(t) is not Tensor:
        return ones_like(convert(t))
    d = t._d
    return ones_like(t) if isinstance(t._a, np.ndarray) else Tensor(d.type(1), d)


def _unconnected(value: Any) -> UnconnectedGradients:
    if value is UnconnectedGradients.NONE:
        return value
    try:
        return UnconnectedGradients(value)
    except ValueError:
        raise ValueError(
            f"Unknown value for unconnected_gradients: {value!r}. Use tf.UnconnectedGradients.NONE or ZERO."
        ) from None


def _output_gradients(targets: list, given: Any) -> list:
    flat = nest.flatten(given)
    if len(flat) != len(targets):
        raise ValueError(
            f"output_gradients must have the form of target: target has {len(targets)} tensors, output_gradients {len(flat)}."
        )
    out: list = []
    for t, g in zip(targets, flat, strict=True):
        if g is None:
            out.append(None)
            continue
        t = convert(t)
        g = convert(g, None, t._d)
        if g._d is t._d and not g._shape:
            g = broadcast_to(g, shape=t._shape) if t._shape else g
        if g._d is not t._d or g._shape != t._shape:
            raise invalid(
                f"An output gradient must have its target's shape and dtype {t._d.name}{list(t._shape)}, but has {g._d.name}{list(g._shape)}."
            )
        out.append(g)
    return out
