"""Program: a traced function ready to run, and to be differentiated by running other programs.

A program is a graph with the variables it reads and assigns. Running one under a tape records a single operation, whose backward
step is again a program: the graph of the function and its gradient is traced once, together, and parted into a forward program that also
gives the residuals, and a backward program that takes them. Where the backward pass is itself recorded (an outer tape), the
backward program takes the inputs instead and computes the residuals again, so that it is an ordinary function of everything it depends on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..core.state import state
from ..core.tensor import Tensor
from ..core.variable import Variable, in_turn, others
from ..gradient.batching import BatchedTensor, new_level
from ..gradient.forward import ForwardAccumulator
from ..ground.graph import Graph, Node, Value
from ..ground.primitive import Aval, Plan
from ..primitives import structure as st
from ..primitives.indexing import IndexedSlices
from . import simplify
from .replay import build, replay, tangent_graph, with_gradient, with_tangents, without_values
from .straight import updater


class Program:
    """A graph that runs.

    Args:
        graph: its inputs are ``n_args`` arguments, then the values of ``variables``; its outputs ``n_results`` results, then the new values of ``assigned``.
        variables: the variables read, in the order of the inputs.
        assigned: the variables assigned to, in the order of the outputs.
        compiler: makes a function of a list of arrays from a graph.
    """

    def __init__(
        self, graph: Graph, n_results: int, variables: list[Variable], assigned: list[Variable], compiler: Callable
    ) -> None:
        self.graph = graph
        self.n_results = n_results
        self.variables, self.assigned = variables, assigned
        self.compiler = compiler
        self.name = self.tf = graph.name
        self._dtypes = [v.aval.dtype for v in graph.outputs[:n_results]]
        self._run: Callable | None = None
        self._updating: Callable | None = None
        self._given = [False] * len(variables)  # which variables' memory the code may overwrite
        self._update: Callable[[Program, list[Tensor], list[Variable]], list[Tensor]] | None = (
            None  # how `direct` calls it
        )
        self._vjps: dict[Any, _Vjp] = {}

    @property
    def run(self) -> Callable:
        """The compiled graph: a list of arrays in, a list of arrays out."""
        if self._run is None:
            self._run = self.compiler(simplify.simplify(self.graph, final=True))
        return self._run

    @property
    def updating(self) -> Callable:
        """The compiled graph for programs that assign: the variables' memory may be written over."""
        if self._updating is None:
            first = len(self.graph.inputs) - len(self.variables)
            at = {id(v): first + i for i, v in enumerate(self.variables)}
            of = {id(v): self.n_results + j for j, v in enumerate(self.assigned)}
            # an output that is an input (or another output) as it stands keeps its memory
            plain = {id(v) for v in self.graph.inputs}
            outs = [id(v) for v in self.graph.outputs]
            donate = {at[k]: j for k, j in of.items() if k in at and outs[j] not in plain and outs.count(outs[j]) == 1}
            same = lambda i, j: self.graph.inputs[i].aval == self.graph.outputs[j].aval
            donate = {i: j for i, j in donate.items() if same(i, j)}
            self._updating = self.compiler(simplify.simplify(self.graph, final=True), donate=donate)
            self._given = [at[id(v)] in donate for v in self.variables]
            self._update = updater(self, self._updating, self._given)
        return self._updating

    def on(self, variables: list[Variable]) -> Program:
        """This program on other variables of the same forms."""
        _ = self.updating if self.assigned else self.run  # compiled once for all
        new = object.__new__(Program)
        new.__dict__.update(self.__dict__)
        of = {id(v): w for v, w in zip(self.variables, variables, strict=True)}
        new.variables, new.assigned = variables, [of[id(v)] for v in self.assigned]
        return new

    def __call__(self, args: list[Tensor]) -> list[Tensor]:
        """Run on plain tensors; assigns the variables and returns the results."""
        if self.assigned and state.trace is None and others():
            with in_turn(self.assigned):
                return self._call(args)
        return self._call(args)

    def _call(self, args: list[Tensor]) -> list[Tensor]:
        xs = [*args, *[v._read() for v in self.variables]] if self.variables else args
        trace = state.trace
        if trace is not None:
            outs = replay(self.graph, xs)
        elif any([x._special for x in xs]):
            outs = self._batched(xs)
        else:
            tracked = 0
            hearing = []
            for tape in state.tapes:
                mask = self._tracked(tape, xs)
                if mask:
                    hearing.append(tape)
                    tracked |= mask
            if not tracked:
                outs = self._plain(xs)
            elif all([isinstance(tape, ForwardAccumulator) for tape in hearing]):
                outs = self._pushed(xs, hearing[-1])
            else:
                outs = self._recorded(xs, tracked)
        for v, t in zip(self.assigned, outs[self.n_results :]):
            v.assign(Tensor(t._a, t._d) if not t._special else t)
        return outs[: self.n_results]

    @staticmethod
    def _tracked(tape: Any, xs: list[Tensor]) -> int:
        """Which of ``xs`` a tape follows, as bits."""
        live, mask = tape._live, 0
        for i, x in enumerate(xs):
            if x._k in live:
                mask |= 1 << i
        return mask

    def _pushed(self, xs: list[Tensor], accumulator: ForwardAccumulator) -> list[Tensor]:
        """Run under accumulators alone: values and tangents are one program, which those around the innermost see in its place."""
        moving = self._tracked(accumulator, xs)
        program: Program
        program, have = self.tangents(moving, values=True)
        ts = [accumulator._tangent(x._k) for i, x in enumerate(xs) if moving >> i & 1]
        tapes = state.tapes
        state.tapes = tapes[: tapes.index(accumulator)]
        try:
            found = program([*xs, *ts])  # type: ignore[list-item]
        finally:
            state.tapes = tapes
        n = len(self.graph.outputs)
        outs, rest = found[:n], iter(found[n:])
        accumulator._keep(outs, [next(rest) if h else None for h in have])
        return outs

    def _batched(self, xs: list[Tensor]) -> list[Tensor]:
        """Run on batches: a program for the whole of the innermost batch, unless something inside the batch hears of each operation."""
        level = max([x._special for x in xs])
        inner: list[Any] = [x.t if isinstance(x, BatchedTensor) and x._special == level else x for x in xs]
        batched = tuple([a is not b for a, b in zip(inner, xs, strict=True)])
        heard = any([self._tracked(tape, [x for x, b in zip(xs, batched, strict=True) if b]) for tape in state.tapes])
        if heard or self.assigned or self.graph.effect or not any(batched):
            return replay(self.graph, xs)
        program, is_batch = self.over_batch(
            batched, next(x._shape[0] for x, b in zip(inner, batched, strict=True) if b)
        )
        return [BatchedTensor(o, level) if b else o for o, b in zip(program(inner), is_batch, strict=True)]

    def over_batch(self, batched: tuple[bool, ...], n: int) -> tuple[Program, list[bool]]:
        """The program over ``n`` values of the inputs in ``batched`` at once; and which of its outputs then have the batch in front."""
        key = ("batch", batched, n, state.check)
        if key not in self._vjps:
            is_batch: list[bool] = []

            def f(xs: list) -> list:
                with new_level() as level:
                    ys = replay(
                        self.graph, [BatchedTensor(x, level) if b else x for x, b in zip(xs, batched, strict=True)]
                    )
                is_batch[:] = [isinstance(y, BatchedTensor) and y._special == level for y in ys]
                return [y.t if isinstance(y, BatchedTensor) and b else y for y, b in zip(ys, is_batch, strict=True)]

            forms = zip([v.aval for v in self.graph.inputs], batched, strict=True)
            graph = build(f, [Aval((n, *a.shape), a.dtype) if b else a for a, b in forms], self.name + "_batch")
            self._vjps[key] = (Program(graph, len(graph.outputs), [], [], self.compiler), is_batch)  # type: ignore[assignment]
        return self._vjps[key]  # type: ignore[return-value]

    def direct(self, args: list[Tensor]) -> list[Tensor]:
        """``self(args)`` where no tape records and nothing is traced."""
        if self.assigned:
            if self._update is None:
                _ = self.updating
            return self._update(self, args, self.variables)  # type: ignore[misc]
        for x in args:
            if x._special:
                return self(args)
        run = self._run or self.run
        results = run(
            [x._a for x in args] + [v._t._a for v in self.variables] if self.variables else [x._a for x in args]
        )
        return [Tensor(a, d) for a, d in zip(results, self._dtypes)]

    def front(self, single: bool) -> Callable | None:
        """What ``direct`` does as one native call on tensors, which gives the list of results (``single``: the first), or None to others; if there is such."""
        run = self.updating if self.assigned else self._run or self.run
        if not hasattr(getattr(run, "__self__", None), "entry"):
            return None
        from ..engines.native.front import front

        number = {id(v): i for i, v in enumerate(self.variables)}
        assigned = [(number[id(v)], v._d) for v in self.assigned]
        inputs = [(v.aval.shape, v.aval.dtype.np) for v in self.graph.inputs]
        return front(run, inputs, self.variables, self._dtypes, assigned, self._given, single)

    def _plain(self, xs: list[Tensor]) -> list[Tensor]:
        arrays = self.run([x._a for x in xs])
        outs = [Tensor(a, v.aval.dtype) for a, v in zip(arrays, self.graph.outputs)]
        for tape in state.tapes:  # no tape records this run, but a journal (debugging.trace_lines) notes it
            if hasattr(tape, "_called"):
                tape._called(self, xs, outs)
        return outs

    def _recorded(self, xs: list[Tensor], tracked: int) -> list[Tensor]:
        n = len(self.graph.outputs)
        wanted = sum(1 << j for j in range(self.n_results) if self.graph.outputs[j].aval.dtype.is_inexact)
        vjp = self.vjp(tracked, wanted)
        if vjp is None:
            return self._plain(xs)
        arrays = vjp.forward([x._a for x in xs])
        outs = tuple([Tensor(a, v.aval.dtype) for a, v in zip(arrays, self.graph.outputs)])
        op = _Run(self, tracked, xs, outs, arrays[n:], vjp, wanted)
        for tape in state.tapes:
            tape._record(op, tuple(xs), outs, None)
        return list(outs)

    def tangents(self, moving: int, values: bool = False) -> tuple[Program, list[bool]]:
        """The program from the inputs and the tangents of those in ``moving`` to the tangents of the results; and which of these it gives.

        With ``values`` it gives all that this program gives too, before them.
        """
        key = ("tangents", moving, values, state.check)
        if key not in self._vjps:
            ins = [i for i in range(len(self.graph.inputs)) if moving >> i & 1]
            if values:
                graph, have = with_tangents(self.graph, ins)
            else:
                graph, have = tangent_graph(self.graph, tuple(ins))
            made = Program(graph, len(graph.outputs), [], [], self.compiler)
            self._vjps[key] = (made, have)  # type: ignore[assignment]
        return self._vjps[key]  # type: ignore[return-value]

    # -- differentiation ----------------------------------------------------------------------------------------------
    def vjp(self, tracked: int, wanted: int) -> _Vjp | None:
        """The programs that differentiate the outputs in ``wanted`` with respect to the inputs in ``tracked``; None: there is no path."""
        key = (tracked, wanted, state.check)
        if key not in self._vjps:
            self._vjps[key] = _Vjp(self, tracked, wanted)
        found = self._vjps[key]
        return found if any(found.connected) else None


class _Vjp:
    """A program and its gradient, traced together, parted into a forward and a backward half."""

    def __init__(self, program: Program, tracked: int, wanted: int) -> None:
        graph = program.graph
        ins = [i for i in range(len(graph.inputs)) if tracked >> i & 1]
        outs = [j for j in range(len(graph.outputs)) if wanted >> j & 1]
        n_in, n_out = len(graph.inputs), len(graph.outputs)
        joint, ds = with_gradient(graph, ins, outs, dense=False)
        # None for a gradient that is a Tensor, the dense shape for one that is IndexedSlices
        self.forms = [d._dense_shape if isinstance(d, IndexedSlices) else None for d in ds if d is not None]
        self.ins, self.outs = ins, outs
        self.connected = [d is not None for d in ds]
        self.plans: dict[int, Plan | None] = {}  # of the records of its runs
        # for each connected input the place of its gradient
        self.at = {i: n for n, i in enumerate([i for i, c in zip(ins, self.connected, strict=True) if c])}
        forward, backward, self.residual_inputs = partition(simplify.simplify(joint, final=True), n_in, n_out)
        self.n_out = n_out
        compiler = program.compiler
        self.forward = compiler(forward)
        self.backward_graph = backward
        self._backward: Callable | None = None
        self.compiler = compiler
        # for recorded backward passes: cotangents as a function of the inputs alone
        self._whole = without_values(joint, n_out)
        self._whole_program: Program | None = None

    def backward(self, arrays: list) -> list:
        """Residuals and cotangents in, gradients out, as arrays."""
        if self._backward is None:
            self._backward = self.compiler(self.backward_graph)
        return self._backward(arrays)

    def assemble(self, tensors: list[Tensor]) -> list:
        """The connected gradients from the outputs of the backward program."""
        it = iter(tensors)
        return [next(it) if form is None else IndexedSlices(next(it), next(it), form) for form in self.forms]

    def whole(self) -> Program:
        """The gradient as a program of the inputs and cotangents."""
        if self._whole_program is None:
            g = simplify.simplify(simplify.without_effects(self._whole))
            self._whole_program = Program(g, len(g.outputs), [], [], self.compiler)
        return self._whole_program


class _Run:
    """The row that a tape records for one run of a program."""

    broadcasts = holomorphic = False
    multi = sparse = postponed = True  # postponed: an accumulator may leave the tangents for when they are asked for

    def __init__(
        self, program: Program, tracked: int, xs: list[Tensor], outs: tuple, residuals: list, vjp: _Vjp, wanted: int
    ) -> None:
        self.name = self.tf = program.name
        self.program, self.xs, self.vjp, self.wanted = program, xs, vjp, wanted
        it = iter(residuals)
        self.residuals = [next(it) if i is None else xs[i]._a for i in vjp.residual_inputs]
        self.plans = vjp.plans  # one run is recorded like the next

    def plan(self, mask: int) -> Plan | None:
        """See ``Primitive.plan``: a gradient for each connected input."""
        v = self.vjp
        wanted = tuple([i for i in v.at if mask >> i & 1])
        plan = v.plans[mask] = Plan(wanted, False, None, False) if wanted else None
        return plan

    def jvp(self, xs: tuple, ts: list, outs: list, attrs: Any) -> list:
        """The tangents of the results, by a program of their own."""
        program, have = self.program.tangents(sum([1 << i for i, t in enumerate(ts) if t is not None]))
        found = iter(program([*xs, *[t for t in ts if t is not None]]))
        return [next(found) if h else None for h in have]

    def joint(self, g: tuple, wanted: tuple, ins: Any, out: Any, attrs: Any) -> list:
        ds = self._gradients(g)
        return [ds[self.vjp.at[i]] for i in wanted]

    def _gradients(self, g: tuple) -> list:
        v = self.vjp
        cotangents = []
        for j in v.outs:
            c = g[j]
            if c is None:
                form = self.program.graph.outputs[j].aval
                c = st.zeros_of(Tensor(form.dtype.type(0), form.dtype), shape=form.shape)
            cotangents.append(c)
        recorded = any([x._k in t._live for t in state.tapes for x in (*self.xs, *cotangents)])
        if recorded or state.trace is not None or any([c._special for c in cotangents]):
            return v.assemble(v.whole()([*self.xs, *cotangents]))
        arrays = v.backward([*self.residuals, *[c._a for c in cotangents]])
        return v.assemble([Tensor(a, o.aval.dtype) for a, o in zip(arrays, v.backward_graph.outputs)])


def partition(joint: Graph, n_in: int, n_out: int) -> tuple[Graph, Graph, list[int | None]]:
    """Part ``joint`` (inputs and cotangents in, outputs and gradients out) into a forward and a backward graph.

    Returns:
        The forward graph (inputs in; outputs and residuals out), the backward graph (residuals and cotangents in, gradients out), and for each
        residual the number of the input that it is, or None where the forward graph computes it.
    """
    late = {id(v) for v in joint.inputs[n_in:]}
    front: list[Node] = []
    back: list[Node] = []
    for n in joint.nodes:
        if any(id(v) in late for v in n.ins):
            back.append(n)
            late.update(id(v) for v in n.outs)
        else:
            front.append(n)
    gradients = joint.outputs[n_out:]
    position = {id(v): i for i, v in enumerate(joint.inputs[:n_in])}
    residuals: dict[int, Value] = {}
    for v in [v for n in back for v in n.ins] + gradients:
        if v.const is None and id(v) not in late:
            residuals.setdefault(id(v), v)
    kept = list(residuals.values())
    # a fresh input for each residual: the two graphs share no values that both define
    forward = Graph(
        joint.inputs[:n_in], joint.outputs[:n_out] + [v for v in kept if id(v) not in position], front, joint.name
    )
    backward = Graph(kept + joint.inputs[n_in:], gradients, back, joint.name + "_gradient")
    return simplify.dead_code(forward), backward, [position.get(id(v)) for v in kept]
