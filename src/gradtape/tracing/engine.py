"""Which engine runs a graph: the native one where LLVM is there, else straight-line Python over the NumPy kernels."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ..ground.dtypes import BOOL, FLOAT, INT, UINT
from ..ground.graph import Graph, Node
from ..ground.primitive import Primitive
from . import interpreter


def _run_node(node: Node, xs: list[Any]) -> Any:
    """A node's kernel, with NumPy's warnings off and the user's line on errors."""
    try:
        with np.errstate(all="ignore"):
            return node.p.compute(*xs, **node.attrs)
    except (MemoryError, KeyboardInterrupt):
        raise
    except Exception as error:
        told = interpreter.located(error, node)
        raise told from (None if told is error else error)


_NATIVE = BOOL | INT | UINT | FLOAT  # what native code can be given; others run their kernels


def native_wanted() -> bool:
    """Whether graphs are compiled to native code; ``GRADTAPE_NATIVE=0`` turns it off."""
    return os.environ.get("GRADTAPE_NATIVE", "1") != "0"


def load() -> None:
    """Load the native engine's modules; LLVM only the first compilation loads."""
    if native_wanted():
        from ..engines.native import engine as native

        _ = native


def kernel(p: Primitive, dtype: np.dtype) -> Callable[[tuple, np.ndarray], None] | None:
    """``f(arrays, out)``: the row in native code for large arrays, where there is one."""
    if not native_wanted():
        return None
    from ..engines.native import eager

    try:
        return eager.find(p, dtype.name)
    except eager.Unsupported:
        return None


def compile(graph: Graph, donate: dict[int, int] | None = None, fast_math: bool = False) -> Callable[[list], list]:
    """A function of a list of arrays that runs ``graph``.

    Args:
        graph: the graph.
        donate: inputs, by number, whose memory may be taken for an output, by number.
        fast_math: allow contraction and reassociation.
    """
    if native_wanted() and all(v.aval.dtype.kind & _NATIVE for v in (*graph.inputs, *graph.outputs)):
        try:
            from ..engines.native.engine import compile as native

            return native(graph, donate=donate, partly=False, fast_math=fast_math, run=_run_node)
        except Exception as error:
            warnings.warn(
                f"{graph.name} could not be compiled ({type(error).__name__}: {error}) and runs by NumPy kernels. Please report this.",
                RuntimeWarning,
                stacklevel=2,
            )
    return interpreter.compile(graph)
