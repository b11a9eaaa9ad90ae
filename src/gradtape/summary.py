"""``tf.summary``: numbers, histograms, pictures and texts for TensorBoard, written without TensorFlow.

>>> import tempfile, gradtape as tf
>>> writer = tf.summary.create_file_writer(tempfile.mkdtemp())
>>> with writer.as_default():
...     tf.summary.scalar("loss", 0.5, step=1)
True
>>> writer.close()
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np

from .core.state import state
from .core.tensor import Tensor, convert
from .core.variable import Variable
from .ground.errors import invalid
from .saving import events
from .tracing.outside import py_function

__all__ = [
    "SummaryMetadata", "SummaryWriter", "create_file_writer", "create_noop_writer", "experimental", "flush", "histogram", "image", "record_if",
    "scalar", "should_record_summaries", "text", "write",
]  # fmt: skip


class _Here(threading.local):
    """The writer, the step and whether to record, of this thread."""

    writer: SummaryWriter | None = None
    step: Any = None
    recording: Any = True


_here = _Here()


class SummaryWriter:
    """Writes summaries: into a file, or nowhere. Made by ``create_file_writer``."""

    def __init__(self, folder: str | None = None, suffix: str = "") -> None:
        self._file = None if folder is None else events.EventFile(folder, suffix)
        self._closed = False

    @contextlib.contextmanager
    def as_default(self, step: Any = None) -> Iterator[SummaryWriter]:
        """Write to this one within the context, at ``step`` where no other is given."""
        if self._closed:
            raise RuntimeError("SummaryWriter is already closed")
        old = _here.writer, _here.step
        _here.writer, _here.step = self, _here.step if step is None else step
        try:
            yield self
        finally:
            self.flush()
            _here.writer, _here.step = old[0], old[1] if step is not None else _here.step

    def set_as_default(self, step: Any = None) -> None:
        """Write to this one from now on."""
        if self._closed:
            raise RuntimeError("SummaryWriter is already closed")
        _here.writer = self
        if step is not None:
            _here.step = step

    def init(self) -> None:
        """Nothing: a writer is ready when it is made."""

    def flush(self) -> None:
        """Let others read what was written."""
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._closed = True
        if self._file is not None:
            self._file.close()


def create_file_writer(logdir: Any, max_queue: Any = None, flush_millis: Any = None, filename_suffix: str | None = None, name: str | None = None,
                       experimental_trackable: bool = False, experimental_mesh: Any = None) -> SummaryWriter:  # fmt: skip
    """A writer to a new file in the folder ``logdir``.

    Args:
        logdir: the folder, made if need be.
        filename_suffix: how the file's name ends. Default ".v2".
        max_queue, flush_millis, name, experimental_trackable, experimental_mesh: accepted for TensorFlow's sake; the file is flushed whenever the
            writer ceases to be the default.
    """
    if logdir is None:
        raise ValueError("`logdir` cannot be None")
    return SummaryWriter(str(convert(logdir).numpy().decode() if isinstance(logdir, Tensor) else logdir), filename_suffix or ".v2")  # fmt: skip


def create_noop_writer() -> SummaryWriter:
    """A writer that writes nothing."""
    return SummaryWriter()


def flush(writer: SummaryWriter | None = None, name: str | None = None) -> None:
    """Let others read what ``writer``, by default the current one, wrote."""
    writer = writer or _here.writer
    if writer is not None:
        writer.flush()


# -- whether and when -----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def record_if(condition: Any) -> Iterator[None]:
    """Write summaries within the context only where ``condition`` holds: a bool, a tensor, or a function that gives one."""
    old, _here.recording = _here.recording, condition
    try:
        yield
    finally:
        _here.recording = old


def should_record_summaries() -> bool:
    """Whether summaries are written now."""
    if _here.writer is None:
        return False
    c = _here.recording
    return bool(c() if callable(c) else c)


def _get_step() -> Any:
    """The step that ``set_step`` or ``as_default`` gave, or None."""
    return _here.step


def _set_step(step: Any) -> None:
    """The step of summaries that name none: an int, or a Variable, whose value at the time counts."""
    _here.step = step


@contextlib.contextmanager
def _summary_scope(name: str, default_name: str = "summary", values: Any = None) -> Iterator[tuple[str, str]]:
    """The tag and the scope of a summary."""
    from .module import name_scope

    with name_scope(name or default_name) as scope:
        yield scope.rstrip("/") or name or default_name, scope


experimental = SimpleNamespace(get_step=_get_step, set_step=_set_step, summary_scope=_summary_scope)


def _emit(tag: str, data: Any, step: Any, content: Callable[[np.ndarray], tuple[Any, bytes]]) -> bool:
    """Write a summary now, or each time the traced program runs: with the writer, step and condition of that moment."""
    if state.trace is not None:
        fixed = None if isinstance(step, Tensor | Variable) else step
        given = [convert(data)] + ([] if fixed is step else [convert(step)])

        def later(x: Any, at: Any = fixed) -> None:
            _write(tag, x, at, content)

        py_function(later, given, None)
        return True
    return _write(tag, data, step, content)


def _write(tag: str, data: Any, step: Any, content: Callable) -> bool:
    if not should_record_summaries():
        return False
    at = _here.step if step is None else step
    if at is None:
        raise ValueError("No step set. Please specify one either through the `step` argument or through tf.summary.experimental.set_step()")  # fmt: skip
    writer = _here.writer
    assert writer is not None
    if writer._closed:
        raise RuntimeError("SummaryWriter is already closed")
    if writer._file is not None:
        array = data if isinstance(data, str | bytes) else np.asarray(convert(data))
        writer._file.write(events.event(int(at), 5, events.value(tag, *content(array))))
    return True


# -- the summaries --------------------------------------------------------------------------------------------------------


def scalar(name: str, data: Any, step: Any = None, description: str | None = None) -> bool:
    """Write a number.

    Args:
        name: the tag, within the current name scopes.
        data: a real scalar.
        step: the step; by default the one of the context.
        description: a text in Markdown.

    Returns:
        Whether it was written: a writer is the default, and ``record_if`` does not forbid it. In a ``tf.function`` that is decided when it runs.

    Raises:
        ValueError: there is no step, or ``data`` is not a scalar.
    """
    with _summary_scope(name, "scalar_summary") as (tag, _):
        about = events.metadata("scalars", description=description or "")

        def content(x: np.ndarray) -> tuple:
            if x.ndim:
                raise invalid(f"tf.summary.scalar takes a scalar, but {tag!r} has shape {x.shape}.")
            return np.asarray(x, np.float32), about

        return _emit(tag, data, step, content)


def histogram(name: str, data: Any, step: Any = None, buckets: int | None = None, description: str | None = None) -> bool:  # fmt: skip
    """Write how often numbers fall into each of ``buckets`` (default 30) ranges of equal width.

    Args:
        name, step, description: as for ``scalar``.
        data: real numbers of any shape; those that are not finite are not counted.
        buckets: the number of ranges.
    """
    with _summary_scope(name, "histogram_summary") as (tag, _):
        about = events.metadata("histograms", description=description or "")
        count = 30 if buckets is None else buckets
        return _emit(tag, data, step, lambda x: (_ranges(x, count), about))


def _ranges(x: np.ndarray, count: int) -> np.ndarray:
    """Rows of lower edge, upper edge, number of elements."""
    x = np.asarray(x, np.float64).ravel()
    x = x[np.isfinite(x)]
    if not count or not x.size:
        return np.zeros((count, 3))
    low, high = x.min(), x.max()
    if low == high:  # as TensorBoard: all in the last
        return np.array([[low, high, 0.0]] * (count - 1) + [[low, high, float(x.size)]])
    numbers, edges = np.histogram(x, count, (low, high))
    return np.stack([edges[:-1], edges[1:], numbers], axis=1)


def image(name: str, data: Any, step: Any = None, max_outputs: int = 3, description: str | None = None) -> bool:
    """Write pictures.

    Args:
        name, step, description: as for ``scalar``.
        data: (count, height, width, channels); floats in [0, 1], uint8 or uint16.
        max_outputs: of these the first are written.
    """
    with _summary_scope(name, "image_summary") as (tag, _):
        about = events.metadata("images", description=description or "")

        def content(x: np.ndarray) -> tuple:
            if x.ndim != 4 or not 1 <= x.shape[3] <= 4:
                raise invalid(f"tf.summary.image takes (count, height, width, 1 to 4 channels), but {tag!r} has shape {x.shape}.")  # fmt: skip
            if x.dtype.kind == "f":
                x = np.clip(np.asarray(x, np.float32) * 255.5, 0, 255).astype(np.uint8)
            elif x.dtype not in (np.uint8, np.uint16):
                raise invalid(f"tf.summary.image takes floats, uint8 or uint16, but {tag!r} has dtype {x.dtype}.")
            size = [str(x.shape[2]).encode(), str(x.shape[1]).encode()]
            return [*size, *[events.png(picture) for picture in x[:max_outputs]]], about

        return _emit(tag, data, step, content)


def text(name: str, data: Any, step: Any = None, description: str | None = None) -> bool:
    """Write a text, in Markdown.

    Args:
        name, step, description: as for ``scalar``.
        data: a string, or a scalar string tensor.
    """
    with _summary_scope(name, "text_summary") as (tag, _):
        about = events.metadata("text", description=description or "")
        return _emit(tag, data, step, lambda x: (_bytes(x), about))


def write(tag: str, tensor: Any, step: Any = None, metadata: Any = None, name: str | None = None) -> bool:
    """Write a tensor or string under ``tag``, with a SummaryMetadata that says what it is.

    Args:
        tag: the tag, as it is.
        tensor: the value, or a function that gives it where summaries are recorded.
        step: as for ``scalar``.
        metadata: a ``SummaryMetadata``, or its bytes.
    """
    about = b"" if metadata is None else metadata if isinstance(metadata, bytes) else metadata.SerializeToString()
    if callable(tensor):
        if not should_record_summaries():
            return False
        tensor = tensor()
    return _emit(tag, tensor, step, lambda x: (_bytes(x) if isinstance(x, str | bytes) or x.dtype.kind in "OSU" else x, about))  # fmt: skip


def _bytes(x: Any) -> bytes:
    x = x if isinstance(x, str | bytes) else x.item() if hasattr(x, "item") else x
    return x.encode() if isinstance(x, str) else x


class SummaryMetadata:
    """What a summary is: the plug-in of TensorBoard that shows it, and a description."""

    def __init__(self) -> None:
        self.plugin_data = SimpleNamespace(plugin_name="", content=b"")
        self.summary_description = self.display_name = ""
        self.data_class = 0

    def SerializeToString(self) -> bytes:
        """The bytes of the protocol buffer."""
        p = self.plugin_data
        data = events.metadata(p.plugin_name, p.content, self.summary_description, self.data_class)
        return data + (events.field(2, self.display_name.encode()) if self.display_name else b"")


def __dir__() -> list[str]:
    return list(__all__)
