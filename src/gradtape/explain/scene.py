"""What the picture shows: nodes, edges, steps and lines of the program, placed and folded, as data for the page."""

from __future__ import annotations

import linecache
from typing import Any

import numpy as np

from ..ground.drawing import arranged
from ..ground.primitive import Aval
from .account import Account, Step, brief, dense, local
from .folding import repeats
from .table import note_of

WIDE, NARROW = 270.0, 96.0
HEIGHT, GAP = 86.0, 34.0  # of a node; between layers
_ROW = 80.0  # what a layer is high in drawing.arranged
MANY = 60  # nodes from which on repeated blocks begin folded
LONG = 1200  # letters of a value that the panel shows


class Node:
    """A box of the picture."""

    def __init__(self, kind: str, title: str, name: str, value: Any, key: int) -> None:
        self.kind, self.title, self.name, self.value, self.key = kind, title, name, value, key
        self.step: Step | None = None
        self.ins: list[tuple[int, int]] = []  # (node, which input)
        self.constants: list[str] = []
        self.texts = {"value": "", "slopes": "", "adjoint": ""}  # what the box shows at the end


class Group:
    """Repeated blocks, or one of them."""

    def __init__(self, label: str, items: list[Any], kind: str) -> None:
        self.label, self.items, self.kind = label, items, kind


def nodes_of(account: Account) -> list[Node]:
    """The boxes, leaves first where they are used first. Constants of one element stand in the boxes that use them."""
    nodes: list[Node] = []
    at: dict[int, int] = {}
    for s in account.steps:
        me = Node("op", s.name, account.names.get(s.out_keys[0], ""), None, s.out_keys[0])
        me.step = s
        me.value = [None if o is None else o._a for o in s.outs]
        for i, k in enumerate(s.in_keys):
            leaf = account.leaves.get(k)
            if k not in at and k not in account.makers:
                value = leaf.value if leaf is not None else None if s.xs[i] is None else s.xs[i]._a
                if (leaf is None or leaf.kind == "constant") and (
                    value is None or (not isinstance(value, Aval) and np.size(value) == 1)
                ):
                    me.constants.append("?" if value is None else brief(value))
                    continue
                kind = "leaf" if leaf is not None and leaf.kind != "constant" else "constant"
                at[k] = len(nodes)
                nodes.append(Node(kind, _leaf_title(leaf), account.names.get(k, ""), [value], k))
            if k in at:
                me.ins.append((at[k], i))
        at.update({k: len(nodes) for k in s.out_keys})
        nodes.append(me)
    return nodes


def _leaf_title(leaf: Any) -> str:
    return (
        "constant" if leaf is None else {"variable": "variable", "watched": "watched tensor"}.get(leaf.kind, "constant")
    )


# -- folding and placing -----------------------------------------------------------------------------------------------------
def tree_of(nodes: list[Node]) -> Group:
    """The nodes with repeated blocks as groups of groups."""
    ops = [i for i, n in enumerate(nodes) if n.step is not None]
    signs = {i: _sign(nodes[i]) for i in ops}

    def folded(part: list[int]) -> list[Any]:
        items: list[Any] = []
        i = 0
        for r in repeats([signs[k] for k in part]):
            items += part[i : r.start]
            blocks: list[Any] = []
            for b in range(r.times):
                block = part[r.start + b * r.length : r.start + (b + 1) * r.length]
                blocks.append(block[0] if r.length == 1 else Group(f"{b + 1}", folded(block), "block"))
            what = ", ".join(dict.fromkeys([nodes[k].title for k in part[r.start : r.start + r.length]]))
            items.append(Group(f"{r.times} × {what}", blocks, "repeat"))
            i = r.stop
        return items + part[i:]

    root = Group("", folded(ops), "root")
    home: dict[int, list[Group]] = {}  # the groups that an operation stands in, from outside in

    def walk(g: Group, path: list[Group]) -> None:
        for item in g.items:
            if isinstance(item, Group):
                walk(item, [*path, item])
            else:
                home[item] = path

    walk(root, [root])
    readers: dict[int, list[int]] = {}
    for i in ops:
        for j, _ in nodes[i].ins:
            readers.setdefault(j, []).append(i)
    for j, n in enumerate(nodes):  # a leaf stands where all who read it stand
        if n.step is None:
            paths = [home[i] for i in readers.get(j, [])]
            common = [gs[0] for gs in zip(*paths) if all([g is gs[0] for g in gs])] if paths else [root]
            while common[-1].kind == "repeat":  # what all blocks read is to be seen when they are folded
                common.pop()
            common[-1].items.append(j)
    return root


def _sign(n: Node) -> Any:
    s = n.step
    assert s is not None
    line = (s.place.file, s.place.line) if s.place else None
    return (s.name, line, len(s.in_keys), None if s.outs[0] is None else s.outs[0]._shape)


def placed(root: Group, nodes: list[Node]) -> dict[str, Any]:
    """The tree as data: for each group its items with the places that they have when all groups in it are folded, and the bends of its edges."""
    paths: dict[int, list[tuple[Group, int]]] = {}

    def walk(g: Group, path: list[tuple[Group, int]]) -> None:
        for at, item in enumerate(g.items):
            if isinstance(item, Group):
                walk(item, [*path, (g, at)])
            else:
                paths[item] = [*path, (g, at)]

    walk(root, [])
    edges: dict[int, dict[tuple[int, int], None]] = {}
    for v, n in enumerate(nodes):
        for u, _ in n.ins:
            for (g, a), (h, b) in zip(paths[u], paths[v]):
                if g is h and a != b:
                    edges.setdefault(id(g), {})[a, b] = None
                    break
    # what comes into a group from outside gets a lane of its own from the top: a narrow item in the first row
    ports: dict[int, dict[int, dict[int, None]]] = {}  # group -> (node outside -> items that read it)
    for v, n in enumerate(nodes):
        for u, _ in n.ins:
            outside = {id(g) for g, _ in paths[u]}
            for g, at in paths[v]:
                if id(g) not in outside:
                    ports.setdefault(id(g), {}).setdefault(u, {})[at] = None
    fold = len(nodes) > MANY

    def data(g: Group) -> dict[str, Any]:
        doors = ports.get(id(g), {})
        n = len(g.items)
        inside = [*edges.get(id(g), {}), *[(n + j, at) for j, ats in enumerate(doors.values()) for at in ats]]
        widths = [_group_width(i) if isinstance(i, Group) else width_of(nodes[i]) for i in g.items] + [6.0] * len(doors)
        late = [k for k, i in enumerate(g.items) if not isinstance(i, Group) and nodes[i].step is None]
        places, routes = arranged(widths, inside, late=late)
        scale = (HEIGHT + GAP) / _ROW
        row = lambda y: round((y - 17) * scale + HEIGHT / 2, 1)
        return {
            "label": g.label, "kind": g.kind, "folded": fold and g.kind != "root",
            "items": [data(i) if isinstance(i, Group) else i for i in g.items],
            "ports": list(doors), "w": [round(w, 1) for w in widths],
            "x": [round(x, 1) for x, _ in places], "y": [row(y) for _, y in places],
            "bends": {f"{a}>{b}": [[round(x, 1), row(y)] for x, y in r] for (a, b), r in zip(inside, routes, strict=True) if r},
        }  # fmt: skip

    return data(root)


def _group_width(g: Group) -> float:
    return max(150.0, min(360.0, 7.8 * (len(g.label) + 8) + 30))


def width_of(n: Node) -> float:
    """How wide a box is: as its longest line, in the letters that the page uses."""
    t = n.texts
    line = 9 if n.step is not None and n.step.place is not None else 7 if n.kind == "constant" else 0
    widest = max(
        7.7 * (len(_head(n)) + line), 7.0 * max(len(t["value"]), len(t["adjoint"])) + 14, 6.4 * len(t["slopes"])
    )
    return max(NARROW, min(WIDE, widest + 26))


def _head(n: Node) -> str:
    if n.kind != "op":
        return n.name or n.title
    constants = [] if n.title in ("while_loop", "while_history", "cond") else n.constants
    return (f"{n.name} = " if n.name else "") + f"{n.title} {' '.join(constants)}".strip()[:26]


# -- the data ------------------------------------------------------------------------------------------------------------------
def scene_of(account: Account, title: str) -> dict[str, Any]:
    """All that the page needs."""
    nodes = nodes_of(account)
    long = LONG if len(nodes) <= 300 else LONG // 6
    name = lambda k: account.names.get(k, "")
    target = ", ".join([name(k) for k in account.targets]) or "result"
    at = {k: i for i, n in enumerate(nodes) for k in (n.step.out_keys if n.step else (n.key,))}
    files: dict[str, set[int]] = {}
    boxes: list[dict[str, Any]] = []
    for n in nodes:
        slopes = _slopes(n, account, long) if n.step is not None else []
        value = ", ".join([brief(v, 22) for v in n.value])
        s = n.step
        if s is not None and s.place is not None:
            files.setdefault(s.place.file, set()).add(s.place.line)
        keys = s.out_keys if s else (n.key,)
        adjoint = [dense(account.adjoints.get(k)) for k in keys]
        n.texts = {
            "value": value[:30],
            "slopes": "  ".join([f"∂/∂{d['of']} {d['text']}" for d in slopes])[:36],
            "adjoint": ", ".join([brief(a, 22) for a in adjoint if a is not None])[:30],
        }
        first = next((v for v in n.value if v is not None), None)
        boxes.append({
            "kind": n.kind, "head": _head(n), "op": n.title, "name": n.name, "value": value[:30], "full": _full(n.value, long),
            "form": "" if first is None else repr(first) if isinstance(first, Aval) else f"{np.asarray(first).dtype} {list(np.shape(first))}", "slopes": slopes,
            "adjoint": n.texts["adjoint"], "adjointFull": _full([a for a in adjoint if a is not None], long),
            "line": [s.place.file, s.place.line] if s is not None and s.place is not None else None,
            "code": (s.place.expression or s.place.code)[:300] if s is not None and s.place is not None else "",
            "attrs": _attrs(s), "doc": getattr(s.p, "doc", "") if s is not None else "", "ins": [list(p) for p in n.ins],
            "target": any([k in account.targets for k in keys]), "number": s.number if s else 0, "constants": n.constants,
        })  # fmt: skip
    steps: list[Any] = [["f", i] for i, n in enumerate(nodes) if n.step is not None]
    for i in range(len(nodes) - 1, -1, -1):
        s = nodes[i].step
        if s is not None and any([g is not None for g in s.cotangents]):
            gives = [
                [at[s.in_keys[j]], j, brief(dense(part), 22)[:30], brief(dense(s.totals[j]), 22)[:30]]
                for j, part in enumerate(s.parts)
                if part is not None and s.in_keys[j] in at
            ]
            steps.append(["b", i, ", ".join([brief(dense(g), 22) for g in s.cotangents if g is not None])[:30], gives])
    tree = placed(tree_of(nodes), nodes)
    return {"title": title, "target": target, "note": note_of(account), "nodes": boxes, "steps": steps, "tree": tree,
            "files": _sources(files), "height": HEIGHT, "gap": GAP}  # fmt: skip


def _slopes(n: Node, account: Account, long: int) -> list[dict[str, Any]]:
    s = n.step
    assert s is not None
    out = []
    for i in s.tracked:
        d = local(s, i)
        of = account.names.get(s.in_keys[i], "") or s.input_name(i)
        text = ("" if s.record[2] is None else "map") if d is None or d.value is None else brief(d.value, 16)[:22]
        if not text:
            continue
        out.append({"i": i, "of": of, "text": text, "full": "" if d is None or d.value is None else _full([d.value], long),
                    "form": "" if d is None else d.form})  # fmt: skip
    return out


def _full(values: list[Any], long: int) -> str:
    texts = []
    for v in values:
        if v is None or isinstance(v, Aval):
            texts.append("not kept" if v is None else repr(v))
            continue
        a = np.asarray(v)
        digits = 9 if a.size == 1 else 5
        how: Any = {"formatter": {"float_kind": lambda x, d=digits: f"{x:.{d}g}"}} if a.dtype.kind == "f" else {}
        text = np.array2string(a, threshold=200, edgeitems=3, max_line_width=44, **how) if a.dtype != object else str(a)
        texts.append(text if len(text) <= long else text[:long] + " …")
    return "\n".join(texts)


def _attrs(s: Step | None) -> str:
    if s is None:
        return ""
    return ", ".join([f"{k}={v!r}" for k, v in s.attrs.items() if not hasattr(v, "nodes")])[:200]


def _sources(files: dict[str, set[int]]) -> list[dict[str, Any]]:
    """The lines of the program around those that are shown."""
    out = []
    for file, lines in files.items():
        text = linecache.getlines(file)
        first, last = max(1, min(lines) - 3), min(len(text), max(lines) + 3)
        if last - first > 400:
            keep = sorted({n for at in lines for n in range(at - 3, at + 4) if 1 <= n <= len(text)})[:400]
        else:
            keep = list(range(first, last + 1))
        out.append({"file": file, "lines": [[n, text[n - 1].rstrip("\n")[:200]] for n in keep]})
    return out
