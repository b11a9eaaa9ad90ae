"""Why a gradient is None: the dataflow from source to target, recorded or not, and the first step on it that no gradient passes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..core.tensor import Tensor
from ..core.variable import Variable
from ..gradient.tape import GradientTape
from ..ground.primitive import Primitive
from . import places
from .causes import Finding
from .journal import Assignment, Entry, Journal
from .places import Names

_COMPARISONS = ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")


class Edge(NamedTuple):
    """A value goes into something."""

    x: Tensor
    by: Entry | Assignment
    i: int  # which input of an entry
    out: Tensor


class Flow:
    """The dataflow of a journal, as far as it leads to the target."""

    def __init__(self, journal: Journal, tape: GradientTape, target: Tensor) -> None:
        self.journal, self.tape, self.target = journal, tape, target
        self.serial = journal.serials.get(tape)
        self.edges: list[Edge] = []
        self.above: dict[int, Tensor] = {id(target): target}  # what the target was computed from, in any way
        todo = [target]
        while todo:
            t = todo.pop()
            for e in self._into(t):
                self.edges.append(e)
                if id(e.x) not in self.above:
                    self.above[id(e.x)] = e.x
                    todo.append(e.x)

    def _into(self, t: Tensor) -> list[Edge]:
        made = self.journal.made(t)
        if made is not None:
            return [Edge(x, made[0], i, t) for i, x in enumerate(made[0].xs)]
        a = self.journal.assignments.get(id(t))
        if a is None:
            return []
        edges = [Edge(a.value, a, 0, t)] if a.value is not None else []
        return [*edges, Edge(a.old, a, 1, t)] if a.old is not None and a.method != "assign" else edges

    def reached(self, starts: set[int], good: Any = None) -> set[int]:
        """The ids of what is reached from ``starts`` on the way to the target, by the edges that ``good`` holds of."""
        found = set(starts)
        for e in sorted(self.edges, key=lambda e: e.by.when):
            if id(e.x) in found and (good is None or good(e)):
                found.add(id(e.out))
        return found

    def recorded(self, e: Edge) -> bool:
        """Whether the tape recorded the step."""
        return isinstance(e.by, Entry) and self.serial in e.by.tapes and e.out._k in self.tape._live and e.x._k in self.tape._live  # fmt: skip

    def origins(self) -> list[Tensor]:
        """What the target was computed from in the end."""
        has = {id(e.out) for e in self.edges}
        return [t for k, t in self.above.items() if k not in has]


def differentiable(e: Edge) -> bool:
    """Whether a gradient can flow back along an edge, if it is recorded."""
    if isinstance(e.by, Assignment) or not e.x._d.is_inexact or not e.out._d.is_inexact:
        return False
    p = e.by.p
    if isinstance(p, Primitive):
        return p.rule(e.i) is not None
    if hasattr(p, "vjp") and hasattr(p, "program"):
        plan = p.plan(1 << e.i)
        return plan is not None
    return not hasattr(p, "program")  # of a custom gradient the sweep will tell


def starts_of(source: Any, journal: Journal) -> list[Tensor]:
    """The tensors that stand for the source: itself, or the values that were read from a variable."""
    if not isinstance(source, Variable):
        return [source]
    return [*[r.tensor for r in journal.reads.values() if r.variable is source], source._t]


def first_use(t: list[Tensor], journal: Journal, flow: Flow | None = None) -> Any:
    """The place of the first operation that used one of ``t``, by preference one on the way to the target."""
    ids = {id(x) for x in t}
    if flow is not None:
        on_path = [e for e in flow.edges if id(e.x) in ids and isinstance(e.by, Entry)]
        if on_path:
            return min(on_path, key=lambda e: e.by.when).by.place
    uses = [e for e in journal.entries if any([id(x) in ids for x in e.xs])]
    reads = [r for r in journal.reads.values() if id(r.tensor) in ids]
    return uses[0].place if uses else reads[0].place if reads else None


def watched(tape: GradientTape, source: Any) -> bool:
    """Whether the tape knows the source at all."""
    return bool(tape._keys_of(source))


def unwatched(tape: GradientTape, source: Any, place: Any) -> Finding:
    """Why the tape does not watch the source."""
    if not isinstance(source, Variable):
        return Finding("not_watched", place)
    if not source.trainable:
        return Finding("not_trainable", place)
    if not tape._auto:
        return Finding("variable_not_watched", place)
    return Finding("variable_not_read", place)


def findings(tape: GradientTape, target: Tensor, source: Any, journal: Journal | None, names: Names) -> list[Finding]:
    """The reasons, the one to begin with first; [] where nothing stands in the way of a gradient."""
    if journal is None:
        return _without_lines(tape, target, source)
    given, names = names, Names()
    names.update({**journal.names, **given})
    flow = Flow(journal, tape, target)
    starts = starts_of(source, journal)
    ids = {id(t) for t in starts}
    made = journal.made(target)
    if not source.dtype.is_inexact:
        return [Finding("integer_source", first_use(starts, journal, flow), v=source.dtype.name)]
    if id(target) not in flow.reached(ids):
        return _no_path(flow, source, starts, names)
    knows = watched(tape, source)
    found = []
    if not knows:
        origin = _replaced(flow, source, names)
        place = first_use(starts, journal, flow)
        entry = _first_entry(flow, ids)
        outside = entry is not None and flow.serial not in entry.tapes
        if origin is not None:
            found.append(origin)
        elif isinstance(source, Variable) and source.trainable and tape._auto and outside:
            pass  # it was read outside: that is what the blocking step says
        else:
            found.append(unwatched(tape, source, place))
    good = (
        (lambda e: differentiable(e) and flow.recorded(e))
        if knows
        else (lambda e: differentiable(e) and flow.serial in e.by.tapes)
    )  # type: ignore[union-attr]
    passable = flow.reached(ids, good)
    blocks = [e for e in flow.edges if id(e.x) in passable and not good(e)]
    for e in sorted(blocks, key=lambda e: e.by.when):
        f = _block(flow, e, names)
        if f is not None and not any([f.cause == g.cause and f.place == g.place for g in found]):
            found.append(f)
    if not found and not target._d.is_inexact:
        found.append(Finding("integer_target", made[0].place if made else None, v=target._d.name))
    return found if id(target) not in passable or not knows else []


def _first_entry(flow: Flow, ids: set[int]) -> Entry | None:
    uses = [e.by for e in flow.edges if id(e.x) in ids and isinstance(e.by, Entry)]
    return min(uses, key=lambda e: e.when, default=None)


def _block(flow: Flow, e: Edge, names: Names) -> Finding | None:
    """Why no gradient flows back along an edge."""
    by = e.by
    if isinstance(by, Assignment):
        how = {"_update": "assign_add or assign_sub", "assign": "assign", "__init__": "tf.Variable(...)"}.get(
            by.method, "a scatter"
        )
        return Finding("state", by.place, v=_called(by.variable, names), op=how)
    p = by.p
    if differentiable(e):
        if flow.serial in by.tapes:
            return Finding("watched_late", by.place)
        paused = any([t() is flow.tape and times[0] < by.when < max(times[1:], default=by.when + 1) for t, times in flow.journal.pauses])  # fmt: skip
        return Finding("recording_stopped" if paused else "outside_tape", by.place)
    if hasattr(p, "program"):
        return _inside(flow, e, names) or Finding("not_differentiable", by.place, op=f"the function {p.name}")
    if p.name == "stop_gradient":
        return Finding("stop_gradient", by.place)
    if p.name in ("cast", "bitcast") and not e.out._d.is_inexact:
        return Finding("integer", by.place, op=f"a cast to {e.out._d.name}", v=e.out._d.name)
    if isinstance(p, Primitive) and p.rule(e.i) is None and e.x._d.is_inexact:
        return Finding("not_differentiable", by.place, op=_word(p.name))
    if not e.x._d.is_inexact or not e.out._d.is_inexact:
        d = e.x._d if not e.x._d.is_inexact else e.out._d
        return Finding("integer", by.place, op=_word(p.name), v=d.name)
    return None


def _word(name: str) -> str:
    return "a comparison" if name in _COMPARISONS else f"tf.{name}"


def _inside(flow: Flow, e: Edge, names: Names) -> Finding | None:
    """The reason inside a traced function: its graph has the lines."""
    assert isinstance(e.by, Entry)
    graph = e.by.p.program.graph
    at = next((j for j, o in enumerate(e.by.outs) if o is e.out), 0)
    needed = {id(graph.outputs[at])}
    nodes = []
    for n in reversed(graph.nodes):
        if any([id(v) in needed for v in n.outs]):
            nodes.append(n)
            needed.update([id(v) for v in n.ins])
    good, anyway = {id(graph.inputs[e.i])}, {id(graph.inputs[e.i])}
    blocks = []
    for n in reversed(nodes):
        for i, v in enumerate(n.ins):
            if id(v) not in anyway:
                continue
            anyway.update([id(o) for o in n.outs])
            passes = (
                n.p.rule(i) is not None and v.aval.dtype.is_inexact and any([o.aval.dtype.is_inexact for o in n.outs])
            )
            if id(v) in good:
                if passes:
                    good.update([id(o) for o in n.outs])
                else:
                    blocks.append((n, v))
    place = lambda n: places.at(*n.line) if n.line else e.by.place  # type: ignore[union-attr]
    name = e.by.p.name
    if id(graph.outputs[at]) not in anyway:
        if not {id(v) for v in graph.inputs} & needed:
            return Finding("constant_target", e.by.place, name)
        return Finding("no_dependence", e.by.place, name, v="other arguments of the function or constants")
    for n, v in blocks:
        if n.p.name == "stop_gradient":
            return Finding("stop_gradient", place(n), name)
        if n.p.name == "assigned":
            return Finding("state", place(n), name, v="that is assigned in it", op="assign")
        if n.p.name == "cast":
            return Finding(
                "integer", place(n), name, op=f"a cast to {n.outs[0].aval.dtype.name}", v=n.outs[0].aval.dtype.name
            )
        if v.aval.dtype.is_inexact:
            return Finding("not_differentiable", place(n), name, op=_word(n.p.name))
        return Finding("integer", place(n), name, op=_word(n.p.name), v=v.aval.dtype.name)
    for n in nodes:  # each step may pass a gradient, and none came: the user's own rules may return None
        if n.p.name == "custom_gradient" and any([id(v) in good for v in n.ins]):
            return Finding("custom_gradient", place(n), name, op="the function")
    return None


# -- no path at all -----------------------------------------------------------------------------------------------------------
def _no_path(flow: Flow, source: Any, starts: list[Tensor], names: Names) -> list[Finding]:
    journal = flow.journal
    left = _left(flow, starts)
    if left is not None:
        return [left]
    replaced = _replaced(flow, source, names, used=False)
    if replaced is not None:
        return [replaced]
    made = journal.made(flow.target)
    if made is None and id(flow.target) not in journal.assignments and id(flow.target) not in journal.reads:
        return [Finding("constant_target", None)]
    origins = [_called_origin(t, flow, names) for t in flow.origins()]
    listed = ", ".join(dict.fromkeys([o for o in origins if o])) or "constants"
    place = made[0].place if made else None
    if not flow.edges:  # a function that returned a constant
        return [Finding("constant_target", place)]
    return [Finding("no_dependence", place, v=listed if len(listed) < 200 else listed[:197] + "...")]


def _called_origin(t: Tensor, flow: Flow, names: Names) -> str:
    read = flow.journal.reads.get(id(t))
    if read is not None:
        return _called(read.variable, names)
    if id(t) in names:
        return names[id(t)]
    return "" if not t._shape else f"a constant of shape {list(t._shape)}"


def _called(v: Variable, names: Names) -> str:
    return names.get(id(v)) or v._name.partition(":")[0]


def _left(flow: Flow, starts: list[Tensor]) -> Finding | None:
    """Where the value left gradtape, if something that the target was computed from came in afterwards."""
    journal = flow.journal
    follows: dict[int, Tensor] = {id(t): t for t in starts}
    steps: list[Any] = sorted([*journal.entries, *journal.assignments.values()], key=lambda s: s.when)
    for s in steps:
        if isinstance(s, Entry):
            if any([id(x) in follows for x in s.xs]):
                follows.update({id(o): o for o in s.outs})
        elif s.value is not None and id(s.value) in follows:
            follows[id(s.new)] = s.new
    last = journal.entries[-1].when + 1 if journal.entries else 0
    for exit in journal.exits:
        if id(exit.tensor) not in follows:
            continue
        for t in flow.origins():
            came = journal.first.get(id(t), last)
            if came < exit.when or id(t) in follows or id(t) in journal.reads or journal.made(t):
                continue
            if any([t is n for n in t._d.numbers.values()]) and not _same(t, exit.tensor):
                continue  # a number of the formula
            return Finding("numpy", exit.place, op=f"{exit.place.expression or exit.place.code} — {exit.how}")
    return None


def _same(t: Tensor, u: Tensor) -> bool:
    try:
        return bool(np.all(np.asarray(t._a) == np.asarray(u._a)))
    except (TypeError, ValueError):
        return False


def _replaced(flow: Flow, source: Any, names: Names, used: bool = True) -> Finding | None:
    """Whether the source is a tensor computed from a variable (or from what the target was computed from), which it has replaced."""
    made = None if isinstance(source, Variable) else flow.journal.made(source)
    if made is None or (used and flow.serial in made[0].tapes):
        return None
    todo, seen = [source], {id(source)}
    while todo:
        t = todo.pop()
        read = flow.journal.reads.get(id(t))
        if read is not None:
            return Finding("replaced", made[0].place, v=f"the variable {_called(read.variable, names)}")
        if not used and t is not source and id(t) in flow.above and t._k:
            return Finding("replaced", made[0].place, v=names.get(id(t), "the tensor that was differentiated first"))
        entry = flow.journal.made(t)
        for x in entry[0].xs if entry else ():
            if id(x) not in seen:
                seen.add(id(x))
                todo.append(x)
    return None


# -- without a journal ----------------------------------------------------------------------------------------------------------
def _without_lines(tape: GradientTape, target: Tensor, source: Any) -> list[Finding]:
    """What the tape alone can tell."""
    if not source.dtype.is_inexact:
        return [Finding("integer_source", None, v=source.dtype.name)]
    if not watched(tape, source):
        return [unwatched(tape, source, None)]
    if not target._d.is_inexact:
        return [Finding("integer_target", None, v=target._d.name)]
    if target._k not in tape._live:
        return [Finding("not_recorded", None)]
    if not tape._records and tape._used:
        return [Finding("gone", None)]
    return []
