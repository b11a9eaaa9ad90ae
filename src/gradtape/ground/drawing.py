"""A graph as a picture: layers from the inputs down to the results (Sugiyama, Tagawa and Toda, 1981), as SVG.

Each operation stands below everything it reads; within a layer, operations move towards the middle of what they are joined to. The graphs of
branches and loop bodies stand below the graph whose nodes hold them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from .graph import Graph, Value

HEIGHT, GAP_X, GAP_Y, MARGIN, LETTER = 34.0, 18.0, 46.0, 24.0, 7.1


class Box(NamedTuple):
    """What is drawn for an input, a node or a result."""

    label: str
    note: str  # the second line: what it gives
    kind: str  # "input", "node" or "result"
    title: str  # shown while the pointer rests on it

    @property
    def width(self) -> float:
        """Wide enough for both lines."""
        return max(46.0, LETTER * max(len(self.label), len(self.note)) + 16)


def layers(n: int, edges: Iterable[tuple[int, int]]) -> list[int]:
    """For each of ``n`` items the longest path to it. ``edges`` lead from lower numbers to higher ones, or at least have no cycle."""
    before: list[list[int]] = [[] for _ in range(n)]
    for a, b in edges:
        before[b].append(a)
    depth = [-1] * n
    for start in range(n):
        stack = [start]
        while stack:
            i = stack[-1]
            if depth[i] >= 0:
                stack.pop()
                continue
            waiting = [j for j in before[i] if depth[j] < 0]
            if waiting:
                stack += waiting
                continue
            depth[i] = 1 + max([depth[j] for j in before[i]], default=-1)
            stack.pop()
    return depth


MOST_BENDS = 6000  # in larger graphs long edges are drawn straight
Point = tuple[float, float]


def arranged(
    widths: Sequence[float], edges: Sequence[tuple[int, int]], sweeps: int = 6, late: Iterable[int] = ()
) -> tuple[list[Point], list[list[Point]]]:
    """The middle of each item, and the points by which each edge passes the layers between its ends.

    Args:
        widths: each item's width.
        edges: pairs of items, from above to below.
        sweeps: how often the layers are passed through, down and up, to bring each item to the barycentre of its neighbours.
        late: items to which nothing leads that stand just above their first reader, and not in the first layer.
    """
    n = len(widths)
    depth = layers(n, edges)
    readers: dict[int, int] = {}
    for a, b in edges:
        readers[a] = min(readers.get(a, depth[b]), depth[b])
    for i in late:
        depth[i] = readers.get(i, depth[i] + 1) - 1
    wide = list(widths)
    routes: list[list[int]] = [[] for _ in edges]
    if sum([depth[b] - depth[a] - 1 for a, b in edges]) <= MOST_BENDS:
        for route, (a, b) in zip(routes, edges, strict=True):
            for d in range(depth[a] + 1, depth[b]):
                route.append(len(wide))
                wide.append(4.0)
                depth.append(d)
    rows: list[list[int]] = [[] for _ in range(max(depth, default=-1) + 1)]
    for i, d in enumerate(depth):
        rows[d].append(i)
    above: list[list[int]] = [[] for _ in wide]
    below: list[list[int]] = [[] for _ in wide]
    for route, (a, b) in zip(routes, edges, strict=True):
        for i, j in zip([a, *route], [*route, b], strict=True):
            above[j].append(i)
            below[i].append(j)
    x = [0.0] * len(wide)

    def place(row: list[int], wanted: dict[int, float]) -> None:
        """In the order of ``wanted``, each where it wants to be as far as there is room."""
        row.sort(key=lambda i: wanted[i])
        at = [wanted[i] for i in row]
        for k in range(1, len(row)):  # push apart to the right, then take the mean shift back
            at[k] = max(at[k], at[k - 1] + (wide[row[k - 1]] + wide[row[k]]) / 2 + GAP_X)
        shift = sum([wanted[i] - a for i, a in zip(row, at, strict=True)]) / max(1, len(row))
        for i, a in zip(row, at, strict=True):
            x[i] = a + shift

    for row in rows:
        place(row, {i: float(k) * 120 for k, i in enumerate(row)})
    for s in range(sweeps):
        near = above if s % 2 == 0 else below
        for row in rows if s % 2 == 0 else rows[::-1]:
            place(row, {i: sum([x[j] for j in near[i]]) / len(near[i]) if near[i] else x[i] for i in row})
    left = min([x[i] - w / 2 for i, w in enumerate(wide)], default=0.0)
    middle = [(x[i] - left, depth[i] * (HEIGHT + GAP_Y) + HEIGHT / 2) for i in range(len(wide))]
    return middle[:n], [[middle[i] for i in route] for route in routes]


def _boxes(graph: Graph) -> tuple[list[Box], list[tuple[int, int]], list[tuple[str, Graph]]]:
    """What to draw of a graph: boxes, edges, and the graphs inside its nodes with their titles."""
    boxes: list[Box] = []
    at: dict[int, int] = {}
    edges: list[tuple[int, int]] = []
    inner: list[tuple[str, Graph]] = []
    for k, v in enumerate(graph.inputs):
        at[id(v)] = len(boxes)
        boxes.append(Box(f"input {k}", repr(v.aval), "input", f"input {k}: {v.aval}"))
    for n in graph.nodes:
        me = len(boxes)
        consts = [_constant(v) for v in n.ins if v.const is not None]
        label = n.p.name + (f" ({', '.join(consts)})" if consts else "")
        where = f"{n.line[0]}:{n.line[1]}" if n.line else ""
        graphs = [(k, a) for k, a in n.attrs.items() if hasattr(a, "nodes")]
        attrs = ", ".join([f"{k}={a!r}" for k, a in n.attrs.items() if not hasattr(a, "nodes")])
        boxes.append(
            Box(
                label[:40],
                ", ".join([repr(v.aval) for v in n.outs])[:40],
                "node",
                "\n".join(filter(None, [label, attrs, where])),
            )
        )
        inner += [(f"{k} of {n.p.name}", a) for k, a in graphs]
        edges += [(at[id(v)], me) for v in dict.fromkeys(n.ins) if v.const is None and id(v) in at]
        at.update({id(v): me for v in n.outs})
    for k, v in enumerate(graph.outputs):
        me = len(boxes)
        boxes.append(
            Box(
                f"result {k}" if v.const is None else f"result {k} = {_constant(v)}",
                repr(v.aval),
                "result",
                f"result {k}: {v.aval}",
            )
        )
        if id(v) in at:
            edges.append((at[id(v)], me))
    return boxes, edges, inner


def _curve(points: list[Point], dx: float, dy: float) -> str:
    """A path that is vertical at each of the points."""
    (x, y), *rest = [(px + dx, py + dy) for px, py in points]
    out = f"M{x:.1f} {y:.1f}"
    for u, v in rest:
        half = (y + v) / 2
        out += f"C{x:.1f} {half:.1f} {u:.1f} {half:.1f} {u:.1f} {v:.1f}"
        x, y = u, v
    return out


def _constant(v: Value) -> str:
    c: Any = v.const
    return (
        f"{c.item():.6g}"
        if not v.aval.shape and hasattr(c, "item") and v.aval.dtype.is_floating
        else repr(c.item())
        if not v.aval.shape and hasattr(c, "item")
        else f"const{list(v.aval.shape)}"
    )


_STYLE = """
.gt-graph { font: 12px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; background: #ffffff; color: #1c2733 }
.gt-graph rect { fill: #eef3f8; stroke: #7c93a8; rx: 5 } .gt-graph .input rect { fill: #e6f4e8; stroke: #5b9465 }
.gt-graph .result rect { fill: #fdf1dd; stroke: #b98a35 } .gt-graph text { fill: #1c2733; text-anchor: middle }
.gt-graph .note { fill: #5d6f80; font-size: 10.5px } .gt-graph path { fill: none; stroke: #9aabba; stroke-width: 1.2 }
.gt-graph .title { font-weight: bold; text-anchor: start }
@media (prefers-color-scheme: dark) {
.gt-graph { background: #14191f } .gt-graph rect { fill: #1f2a35; stroke: #5d7488 } .gt-graph .input rect { fill: #1b2f20; stroke: #4d8057 }
.gt-graph .result rect { fill: #352a16; stroke: #a37a30 } .gt-graph text { fill: #e2e9f0 } .gt-graph .note { fill: #9fb0c0 } .gt-graph path { stroke: #5f7284 } }
"""


def svg(graph: Graph) -> str:
    """The graph as a self-contained SVG picture, in light or dark as the reader prefers."""
    parts: list[str] = []
    top, right = MARGIN, 0.0
    todo: list[tuple[str, Graph]] = [(graph.name, graph)]
    seen: set[int] = set()
    while todo:
        title, g = todo.pop(0)
        if id(g) in seen:
            continue
        seen.add(id(g))
        boxes, edges, inner = _boxes(g)
        places, routes = arranged([b.width for b in boxes], edges)
        parts.append(f'<text class="title" x="{MARGIN:g}" y="{top + 4:.1f}">{escape(title)}</text>')
        top += 18
        for route, (a, b) in zip(routes, edges, strict=True):
            (ax, ay), (bx, by) = places[a], places[b]
            parts.append(f'<path d="{_curve([(ax, ay + HEIGHT / 2), *route, (bx, by - HEIGHT / 2)], MARGIN, top)}"/>')
        for box, (x, y) in zip(boxes, places, strict=True):
            cx, cy = x + MARGIN, top + y
            parts.append(
                f'<g class="{box.kind}"><title>{escape(box.title)}</title><rect x="{cx - box.width / 2:.1f}" y="{cy - HEIGHT / 2:.1f}" width="{box.width:.1f}" height="{HEIGHT:g}"/>'
                f'<text x="{cx:.1f}" y="{cy - 2:.1f}">{escape(box.label)}</text><text class="note" x="{cx:.1f}" y="{cy + 12:.1f}">{escape(box.note)}</text></g>'
            )
        right = max(
            [
                right,
                LETTER * len(title) + MARGIN,
                *[x + b.width / 2 + MARGIN for b, (x, _) in zip(boxes, places, strict=True)],
            ]
        )
        top += max([y for _, y in places], default=0.0) + HEIGHT + MARGIN
        todo = inner + todo
    size = f'width="{right + MARGIN:.0f}" height="{top:.0f}" viewBox="0 0 {right + MARGIN:.0f} {top:.0f}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="gt-graph" {size}><style>{_STYLE}</style>{"".join(parts)}</svg>'
    )
