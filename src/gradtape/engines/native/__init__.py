"""The native engine: graphs compiled by LLVM for this machine.

``compile(graph)`` makes a function of NumPy arrays. LLVM (llvmlite) is loaded by the first compilation, never by an import.

The way of a graph: ``lower``, with its ``rules`` and ``row_rules``, takes its nodes to the operations of ``ops`` (maps, folds, products, control flow
...) over views of buffers;
``fusion`` groups them into loops and orders these, ``plan`` gives buffers their places; ``loops``, ``parallel``, ``matmul``, ``rows``,
``philox`` and ``control`` write the groups in IR, through the small language of ``ir``, with the tables of ``emit`` and ``mathfn`` for what
happens to the elements; ``outline`` lets equal groups share a function, ``program`` puts all together, ``calling`` makes the door for
Python. ``compiling`` turns IR into loaded code, by LLVM (``host``) or out of the disk ``cache`` by a loader of our own (``elf``);
``linking`` finds what the code refers to. ``engine`` parts a graph into what is native and what runs its kernels, and goes this way
only for graphs of which ``stored`` knows no program on disk. ``eager`` makes kernels of single rows, for large arrays in eager calls.
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
