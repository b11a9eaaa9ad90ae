"""Programs known from before, found on disk by their graphs: nothing is lowered or written to learn the name of their code.

What is kept of a program is all that lowering and planning found out, and the name of its object code in the ``cache``. The name of
such an entry is a hash of the graph and of the sources that it would go through.
"""

from __future__ import annotations

import functools
import marshal
import os
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from ...ground.dtypes import DType
from ...ground.graph import Graph
from ...ground.shapes import TensorShape
from . import cache

LARGEST = 1 << 16  # bytes of a graph's constants, if it is to be found by them
_SOURCES = (
    os.path.dirname(__file__),
    *[os.path.join(os.path.dirname(__file__), "..", "..", d) for d in ("ground", "primitives")],
)


class Made:
    """A program that only has to be loaded.

    Attributes:
        donate: the output that is written over each of some inputs.
        externals: the symbols that the code leaves open.
        consts: the arrays that it reads.
        arena: bytes of memory for what lies between inputs and outputs.
        name, code: the object code, and its name in the cache.
    """

    def __init__(
        self,
        donate: dict[int, int],
        externals: set[str],
        consts: list[np.ndarray],
        arena: int,
        name: str,
        code: bytes,
    ) -> None:
        self.donate, self.externals, self.consts = donate, externals, consts
        self.arena, self.name, self.code = arena, name, code


def load(name: str) -> Made | None:
    """The program of an entry, or None."""
    data = cache.load(name)
    if data is None:
        return None
    donate, externals, consts, arena, code_name = marshal.loads(data)
    code = cache.load(code_name)
    if code is None:
        return None
    return Made(donate, externals, [np.frombuffer(c, np.uint8) for c in consts], arena, code_name, code)


def store(name: str, made: Made) -> None:
    """Keep what is known of a program."""
    consts = [c.tobytes() for c in made.consts]
    if sum(map(len, consts)) <= LARGEST:
        cache.store(name, marshal.dumps((made.donate, made.externals, consts, made.arena, made.name)))


# -- names ---------------------------------------------------------------------------------------------------------------------


class _Nameless(Exception):
    """The graph holds something of which it is not known whether two of it are equal."""


def name_of(graph: Graph, donate: dict[int, int], fast_math: bool, machine: str) -> str | None:
    """The name under which a program of this graph is kept; None where it has none."""
    where = sources()
    if where is None or cache.directory() is None:
        return None
    try:
        text = repr((_graph(graph, [0]), sorted(donate.items()), fast_math))
    except _Nameless:
        return None
    return cache.key(text, machine + where)


@functools.cache
def sources() -> str | None:
    """What changes with the code that graphs go through; None where it has no files."""
    found = [sys.version]
    try:
        for d in _SOURCES:
            with os.scandir(d) as files:
                found += sorted(
                    f"{f.name} {(s := f.stat()).st_size} {s.st_mtime_ns}" for f in files if f.name.endswith(".py")
                )
    except OSError:
        return None
    return "\n".join(found)


def _graph(graph: Graph, size: list[int]) -> tuple:
    numbers: dict[int, int] = {}

    def define(vs: Any) -> tuple:
        for v in vs:
            numbers[id(v)] = len(numbers)
        return tuple([(v.aval.dtype.name, v.aval.shape) for v in vs])

    def use(v: Any) -> Any:
        n = numbers.get(id(v))
        if n is not None:
            return n
        if v.const is None:
            raise _Nameless
        return _array(v.const, size)

    inputs = define(graph.inputs)
    nodes = [
        (
            n.p.name,
            [use(v) for v in n.ins],
            [(k, _attribute(n.attrs[k], size)) for k in sorted(n.attrs)],
            define(n.outs),
        )
        for n in graph.nodes
    ]
    return inputs, nodes, [use(v) for v in graph.outputs]


def _array(c: Any, size: list[int]) -> tuple:
    c = np.asarray(c)
    size[0] += c.nbytes
    if c.dtype.hasobject or size[0] > LARGEST:
        raise _Nameless
    return c.dtype.name, c.shape, c.tobytes()


def _attribute(x: Any, size: list[int]) -> Any:
    """An attribute as something whose text is the same for equal ones alone."""
    find = _ATTRIBUTES.get(type(x))
    if find is not None:
        return find(x, size)
    if isinstance(x, (np.ndarray, np.generic)):
        return _array(x, size)
    raise _Nameless


def _itself(x: Any, size: list[int]) -> Any:
    return x


_ATTRIBUTES: dict[type, Callable[[Any, list[int]], Any]] = {
    **dict.fromkeys((int, float, bool, complex, str, bytes, type(None)), _itself),
    tuple: lambda x, size: tuple([_attribute(y, size) for y in x]),
    list: lambda x, size: [_attribute(y, size) for y in x],
    dict: lambda x, size: {k: _attribute(x[k], size) for k in sorted(x)},
    slice: lambda x, size: ("slice", x.start, x.stop, x.step),
    DType: lambda x, size: ("dtype", x.name),
    TensorShape: lambda x, size: ("shape", repr(x)),
    Graph: _graph,
}
