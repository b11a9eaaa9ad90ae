"""The engine that needs no compiler: a graph as straight-line Python over the rows' NumPy kernels.

Every value is dropped after its last use; each node stands on a line of its own, so that a failing kernel can be traced to the
user's line.
"""

from __future__ import annotations

import linecache
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.buffers import BIG, run_large
from ..ground.dtypes import HALF
from ..ground.errors import InvalidArgumentError, OpError
from ..ground.graph import Graph, Node, Value
from ..ground.primitive import Primitive


def compile(graph: Graph, donate: dict[int, int] | None = None) -> Callable[[list], list]:
    """A function of a list of arrays that runs ``graph`` with the rows' kernels."""
    env: dict[str, Any] = {"__name__": "gradtape.core.program"}
    names: dict[int, str] = {id(v): f"a{i}" for i, v in enumerate(graph.inputs)}

    def name(v: Value) -> str:
        if id(v) not in names:
            names[id(v)] = n = f"c{len(names)}"
            env[n] = v.const
        return names[id(v)]

    last: dict[int, int] = {}
    for i, n in enumerate(graph.nodes):
        for v in n.ins:
            last[id(v)] = i
    kept = {id(v) for v in graph.outputs}
    lines = [
        "def run(arrays):",
        f" {', '.join(names[id(v)] for v in graph.inputs) or '_'}{',' if graph.inputs else ''} = arrays"
        if graph.inputs
        else " pass",
    ]
    for i, n in enumerate(graph.nodes):
        args = [name(v) for v in n.ins]
        kernel = f"k{i}"
        half = any([v.aval.dtype.lane == HALF for v in n.ins])
        env[kernel] = n.p.compute if half else n.p.kernel
        outs = [f"v{i}_{j}" for j in range(len(n.outs))]
        names.update({id(v): o for v, o in zip(n.outs, outs, strict=True)})
        if n.attrs:
            env[f"t{i}"] = n.attrs
            call = f"{kernel}({', '.join(args)}{', ' if args else ''}**t{i})"
        elif n.p.elementwise and n.p.out is None and len(n.ins) < 3 and not half and _large(n.outs[0]):
            env[kernel] = _reusing(n.p)
            call = f"{kernel}({', '.join(args)})"
        else:
            call = f"{kernel}({', '.join(args)})"
        target = ", ".join(outs) + (", = " if n.p.multi and len(outs) == 1 else " = ") if outs else ""
        dead = [o for v, o in zip(n.outs, outs, strict=True) if id(v) not in last and id(v) not in kept]
        dead += [
            names[id(v)] for v in dict.fromkeys(n.ins) if v.const is None and last[id(v)] == i and id(v) not in kept
        ]
        lines.append(f" {target}{call}" + (f"; del {', '.join(dict.fromkeys(dead))}" if dead else ""))
    lines.append(f" return [{', '.join(name(v) for v in graph.outputs)}]")
    file = f"<gradtape graph {graph.name}>"
    exec(builtin_compile("\n".join(lines), file, "exec"), env)
    run = env["run"]
    first = 3  # the line of the first node
    quiet = np.errstate

    def call_run(arrays: list) -> list:
        try:
            with quiet(all="ignore"):
                return run(arrays)
        except Exception as error:
            node = _failed(error, file, graph, first)
            if node is None or isinstance(error, MemoryError | KeyboardInterrupt) or hasattr(error, "located"):
                raise  # `located`: inside a branch or body, whose line says more than ours
            raise located(error, node) from error

    return call_run


builtin_compile = __builtins__["compile"] if isinstance(__builtins__, dict) else __builtins__.compile


def _large(v: Value) -> bool:
    if None in v.aval.shape:
        return False
    n = v.aval.dtype.size
    for d in v.aval.shape:
        n *= d
    return n >= BIG


def _reusing(p: Primitive) -> Callable:
    return lambda *arrays: run_large(p, arrays)


def _failed(error: Exception, file: str, graph: Graph, first: int) -> Node | None:
    tb = error.__traceback__
    while tb is not None:
        if tb.tb_frame.f_code.co_filename == file and 0 <= tb.tb_lineno - first < len(graph.nodes):
            return graph.nodes[tb.tb_lineno - first]
        tb = tb.tb_next
    return None


def located(error: Exception, node: Node) -> Exception:
    """``error`` with the user's line of the node that raised it; as it is where a node of a branch or body has done so."""
    if hasattr(error, "located"):
        return error
    if node.p.name == "raise":  # the user's own error stays what it is
        error.located = True  # type: ignore[attr-defined]
        return error
    where = ""
    if node.line:
        file, line = node.line
        code = linecache.getline(file, line).strip()
        where = f"\n  at {file}:{line}" + (f": {code}" if code else "")
    if isinstance(error, OpError):
        new: Any = (
            type(error)(error.message.split("\n  at ")[0] + where) if where and where not in error.message else error
        )
    else:
        given = ", ".join(repr(v.aval) for v in node.ins)
        new = InvalidArgumentError(f"{node.p.name} failed on {given}: {error}{where}")
    new.located = True
    return new
