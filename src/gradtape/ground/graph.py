"""The graph that tracing makes: a pure function of arrays, as a list of operations in program order.

Values are what flows; a node applies one row of the table to values. Variables do not appear: tracing turns what is read
from them into inputs, and what was assigned to them into outputs. A node with effects (printing, an assertion) is kept, in order,
even where nobody uses its outputs.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

from .primitive import Aval, Primitive


class Value:
    """A value in a graph: an input, a constant, or an output of a node.

    Attributes:
        aval: its shape and dtype; unknown dimensions are None.
        node: the node that makes it; None for inputs and constants.
        const: the NumPy array or scalar of a constant, else None.
    """

    __slots__ = ("aval", "const", "node")

    def __init__(self, aval: Aval, node: Node | None = None, const: Any = None) -> None:
        self.aval, self.node, self.const = aval, node, const


class Node:
    """One operation: ``outs = p(*ins, **attrs)``, with the user's line that asked for it."""

    __slots__ = ("attrs", "ins", "line", "outs", "p")

    def __init__(
        self,
        p: Primitive,
        ins: tuple[Value, ...],
        attrs: dict[str, Any],
        avals: list[Aval],
        line: tuple[str, int] | None,
    ) -> None:
        self.p, self.ins, self.attrs, self.line = p, ins, attrs, line
        self.outs = tuple([Value(a, self) for a in avals])

    @property
    def effect(self) -> bool:
        """Whether it does something beside giving its outputs; control flow does if something inside does."""
        return self.p.effect or self.p.outside or any(isinstance(a, Graph) and a.effect for a in self.attrs.values())


class Graph:
    """Nodes in an order that computes ``outputs`` from ``inputs``."""

    def __init__(self, inputs: list[Value], outputs: list[Value], nodes: list[Node], name: str = "f") -> None:
        self.inputs, self.outputs, self.nodes, self.name = inputs, outputs, nodes, name
        self.compiled: Callable | None = None  # engines keep here what they made of it
        self.gradients: dict = {}  # and differentiation its gradient graphs

    @property
    def effect(self) -> bool:
        """Whether some node has an effect."""
        return any(n.effect for n in self.nodes)

    def subgraphs(self) -> Iterator[Graph]:
        """The graphs of control flow inside nodes."""
        for n in self.nodes:
            for a in n.attrs.values():
                if isinstance(a, Graph):
                    yield a

    def __str__(self) -> str:
        return text(self)

    def svg(self) -> str:
        """The graph as an SVG picture; notebooks show it."""
        from .drawing import svg

        return svg(self)

    _repr_svg_ = svg

    def draw(self, path: str | os.PathLike) -> None:
        """Write the picture to a file, whose name should end in ``.svg``."""
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.svg())


def interpret(graph: Graph, arrays: list[Any], kernel: Callable | None = None) -> list[Any]:
    """Run the graph with the rows' NumPy kernels: what every engine must agree with."""
    env: dict[int, Any] = {id(v): a for v, a in zip(graph.inputs, arrays, strict=True)}

    def value(v: Value) -> Any:
        return v.const if v.const is not None else env[id(v)]

    for n in graph.nodes:
        r = n.p.compute(*[value(v) for v in n.ins], **n.attrs)
        for v, a in zip(n.outs, r if n.p.multi else (r,), strict=True):
            env[id(v)] = a
    return [value(v) for v in graph.outputs]


def substitute(nodes: list[Node], outputs: list[Value], new: dict[int, Value]) -> tuple[list[Node], list[Value]]:
    """The nodes again, with the values in ``new`` (by id) in place of others, also of what the nodes give."""
    new = dict(new)

    def look(v: Value) -> Value:
        return new.get(id(v), v)

    out = []
    for n in nodes:
        m = Node(n.p, tuple([look(v) for v in n.ins]), n.attrs, [v.aval for v in n.outs], n.line)
        for v, w in zip(n.outs, m.outs, strict=True):
            new.setdefault(id(v), w)
        out.append(m)
    return out, [look(v) for v in outputs]


def text(graph: Graph) -> str:
    """The graph as text, a line for each node: names, shapes, dtypes and the user's line."""
    names: dict[int, str] = {}

    def name(v: Value) -> str:
        if v.const is not None and id(v) not in names:
            c = v.const
            return repr(c.item()) if not v.aval.shape and hasattr(c, "item") else f"const{list(v.aval.shape)}"
        return names.setdefault(id(v), f"%{len(names)}")

    lines = [f"{graph.name}({', '.join(f'{name(v)}: {v.aval}' for v in graph.inputs)})"]
    for n in graph.nodes:
        outs = ", ".join(f"{name(v)}: {v.aval}" for v in n.outs)
        attrs = "".join(f", {k}={'{...}' if isinstance(a, Graph) else a!r}" for k, a in n.attrs.items())
        where = f"  # line {n.line[1]}" if n.line else ""
        lines.append(f"  {outs} = {n.p.name}({', '.join(map(name, n.ins))}{attrs}){where}")
        for k, a in n.attrs.items():
            if isinstance(a, Graph):
                lines.append(f"    {k}:")
                lines += ["      " + line for line in text(a).splitlines()]
    lines.append(f"  return {', '.join(map(name, graph.outputs))}")
    return "\n".join(lines)
