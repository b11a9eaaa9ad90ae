"""The native engine: graphs compiled by LLVM for this machine.

``compile(graph)`` makes a function of NumPy arrays. LLVM (llvmlite) is loaded by the first compilation, never by an import.

The way of a graph: ``lower`` takes its nodes to maps, folds, products and control flow over views of buffers; ``fusion`` groups
them into loops, orders these and gives buffers their places; ``loops``, ``matmul`` and ``control`` write the groups in IR, through
the small language of ``ir``, with the tables of ``emit`` and ``mathfn`` for what happens to the elements; ``program`` puts them
together and ``calling`` makes the door for Python; ``cache`` keeps object code on disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .engine import compile


def __getattr__(name: str) -> Any:
    if name == "compile":
        from .engine import compile

        return compile
    raise AttributeError(name)


__all__ = ["compile"]
