"""The native engine: graphs compiled by LLVM for this machine.

``compile(graph)`` makes a function of NumPy arrays. LLVM (llvmlite) is loaded by the first compilation, never by an import.

The way of a graph: ``lower`` and its ``rules`` take its nodes to maps, folds, products and control flow over views of buffers;
``fusion`` groups them into loops and orders these, ``plan`` gives buffers their places; ``loops``, ``parallel``, ``matmul``, ``rows``
and ``control`` write the groups in IR, through the small language of ``ir``, with the tables of ``emit`` and ``mathfn`` for what
happens to the elements; ``outline`` lets equal groups share a function, ``program`` puts all together, ``calling`` makes the door for
Python. ``compiling`` turns IR into loaded code, by LLVM (``host``) or out of the disk ``cache`` by a loader of our own (``elf``).
``engine`` parts a graph into what is native and what runs its kernels.
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
