"""``tf.print``."""

from __future__ import annotations

import sys
from typing import Any

from .core.state import state
from .core.tensor import Tensor, convert
from .ground import nest
from .ground.dtypes import of_numpy, string
from .ground.primitive import Primitive


def _leaf(x: Any) -> Any:
    if isinstance(x, Tensor):
        return x._a
    to = getattr(x, "_to_tensor", None)
    return to()._a if to is not None else NotImplemented


def print(*inputs: Any, **kwargs: Any) -> None:
    """Print tensors and other values as TensorFlow does: ``[1 2 3]``, long ones shortened.

    Args:
        *inputs: tensors, variables, Python values, nests of them.
        output_stream: ``sys.stderr`` (the default), ``sys.stdout``, another file, a logging function, or ``"file://PATH"``, which is appended to.
        summarize: how many first and last elements of each dimension to show; -1 shows all. Default 3.
        sep: what stands between inputs. Default a space.
        end: what comes after them. Default a newline.
        name: ignored.

    Raises:
        ValueError: an unknown keyword or stream.

    >>> import sys, gradtape as tf
    >>> tf.print("x =", tf.constant([1.0, 2.0]), output_stream=sys.stdout)
    x = [1 2]
    """
    stream = kwargs.pop("output_stream", None)
    kwargs.pop("name", None)
    summarize, sep, end = kwargs.pop("summarize", 3), kwargs.pop("sep", " "), kwargs.pop("end", "\n")
    if kwargs:
        raise ValueError(
            f"Unrecognized keyword arguments for tf.print: {', '.join(kwargs)}. It takes output_stream, summarize, sep, end and name."
        )
    if state.trace is not None:
        leaves = [convert(x) for x in nest.flatten(inputs) if _is_tensor(x)]
        form = nest.map_structure(lambda x: _HERE if _is_tensor(x) else x, inputs)
        state.trace.emit(
            print_row, tuple(leaves), {"form": form, "stream": stream, "sep": sep, "summarize": summarize, "end": end}
        )
        return
    _write(inputs, stream, sep, summarize, end)


_HERE = object()


def _is_tensor(x: Any) -> bool:
    return isinstance(x, Tensor) or hasattr(x, "_to_tensor")


def _print_kernel(*xs: Any, form: Any, stream: Any, sep: str, summarize: int, end: str) -> tuple:
    it = iter([Tensor(x, string if isinstance(x, bytes) else of_numpy[x.dtype]) for x in xs])
    _write(nest.map_structure(lambda x: next(it) if x is _HERE else x, form), stream, sep, summarize, end)
    return ()


print_row = Primitive(
    "print",
    "*xs",
    _print_kernel,
    shape=lambda *xs, **attrs: [],
    multi=True,
    effect=True,
    cases=lambda rng: [],
    doc="Prints its inputs.",
)


def _write(inputs: Any, stream: Any, sep: str, summarize: int, end: str) -> None:
    from .core.text import print_text

    text = print_text(inputs, sep=sep, summarize=3 if summarize is None else summarize, leaf=_leaf) + end
    stream = sys.stderr if stream is None else stream
    if isinstance(stream, str):
        if not stream.startswith("file://"):
            raise ValueError(
                f'Unknown output stream {stream!r}: give sys.stdout, sys.stderr, an open file, a logging function or "file://PATH".'
            )
        with open(stream[len("file://") :], "a") as f:
            f.write(text)
    elif hasattr(stream, "write"):
        stream.write(text)
        if hasattr(stream, "flush"):
            stream.flush()
    elif callable(stream):
        stream(text.rstrip("\n"))
    else:
        raise ValueError(
            f"Unknown output stream {stream!r}: give sys.stdout, sys.stderr, an open file, a logging function or 'file://PATH'."
        )
