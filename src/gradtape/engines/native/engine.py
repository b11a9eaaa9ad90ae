"""Graphs to callables: what can be compiled is, in as few native programs as possible; the rest runs its kernels in between."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...ground.graph import Graph, Node, Value
from .calling import Slow, Spec, definition, imports, python_function, write_entry
from .compiling import link
from .host import Host, Unsupported, host
from .ir import TYPES
from .lower import Lowering, is_native
from .program import write_program

Runner = Callable[..., Any]


class Program:
    """One native program, as the ``__self__`` of the function that runs it; it keeps what the code needs alive.

    Attributes:
        ir: the LLVM IR.
        arena: bytes of memory for what lies between inputs and outputs.
        cached: whether the object code came from the disk cache.
    """

    def __init__(
        self,
        h: Host,
        graph: Graph,
        nodes: Sequence[Node],
        outputs: Sequence[Value],
        donate: dict[int, int],
        fast_math: bool,
        run: Runner,
    ) -> None:
        self.consts: list[np.ndarray] = []
        low = Lowering(self.consts)
        body = low.run(graph.inputs, nodes, outputs)
        if low.can_fail:
            donate = {}  # a failing call must leave its inputs as they were
        written = write_program(body, h, donate, fast_math)
        self.args = [_spec(v) for v in graph.inputs]
        self.outs = [
            _spec(v, s if s[0] in ("arg", "same") else ("", None))
            for v, s in zip(outputs, written.plan.outs, strict=True)
        ]
        write_entry(written, self.args, self.outs, donate)
        self.ir = written.module.text
        self.arena, self.groups = written.arena, written.plan.groups
        self._block = (ctypes.c_void_p * 2)()
        self.function: Callable[..., list]
        self.slow = Slow(self.args, donate, lambda *xs: self.run(*xs))
        part = Graph(graph.inputs, list(outputs), list(nodes), graph.name)

        def failed(*xs: Any) -> list:
            """Run by the kernels, one of which raises."""
            xs = tuple(xs[0]) if len(xs) == 1 and type(xs[0]) is list else xs
            return run_nodes(part, list(xs), run)

        self.failed = failed
        local = {"arena": ctypes.addressof(self._block), "python.slow": id(self.slow), "python.failed": id(self.failed)}
        if "parallel.dispatch" in written.module.externals:
            from .threads import pool

            local["parallel.dispatch"] = pool(h).dispatch
        self._code = link(h, self.ir, imports(written.module.externals, self.consts, local), ["entry"])
        self.cached, entry = self._code.cached, self._code.addresses["entry"]
        self.definition = definition(entry, graph.name)
        self.run = python_function(self.definition, (self.definition, self._code))

    def door(self) -> Callable[..., list]:
        """The function that runs the program, which lives as long as it."""
        return python_function(self.definition, self)

    def __del__(self) -> None:
        block = getattr(self, "_block", None)
        if block is not None and block[1]:
            ctypes.pythonapi.PyMem_RawFree(ctypes.c_void_p(block[1]))
            block[1] = None


def _spec(v: Value, source: tuple[str, Any] = ("", None)) -> Spec:
    return Spec(tuple(v.aval.shape), v.aval.dtype.np, source)


def run_nodes(graph: Graph, arrays: list[Any], run: Runner) -> list[Any]:
    """The graph by its kernels, each through ``run(node, inputs)``."""
    env: dict[int, Any] = {id(v): a for v, a in zip(graph.inputs, arrays, strict=True)}

    def value(v: Value) -> Any:
        return v.const if v.const is not None else env[id(v)]

    for n in graph.nodes:
        r = run(n, [value(v) for v in n.ins])
        for v, a in zip(n.outs, r if n.p.multi else (r,), strict=True):
            env[id(v)] = a
    return [value(v) for v in graph.outputs]


def _kernel(n: Node, xs: list[Any]) -> Any:
    with np.errstate(all="ignore"):
        return n.p.kernel(*xs, **n.attrs)


def _known(v: Value) -> bool:
    """Whether a native program can take or give this value."""
    return v.aval.dtype.name in TYPES and None not in v.aval.shape


def compile(
    graph: Graph, *, donate: dict[int, int] | None = None, fast_math: bool = False, run: Runner | None = None
) -> Callable[..., list]:
    """Compile a graph into a function of arrays.

    Args:
        graph: the graph. What has unknown shapes, or a row or dtype without a native form, runs its NumPy kernel.
        donate: for some inputs, by number, the output whose value may be written over the input's memory. That output has the same
            shape and dtype, and the array given is not to be used again: the returned one may be the same object, but must not be.
        fast_math: allow multiplications and additions to contract and sums to be reordered.
        run: ``run(node, inputs)``, called for nodes that have no native form, and to raise the error of one that fails;
            the default calls the kernel.

    Returns:
        A function of the graph's inputs, NumPy arrays (scalars where the shape is ()), given one by one or as one list, that returns
        the list of outputs. Where inputs are not contiguous or aligned it makes copies of them.

    Raises:
        TypeError: by the function returned, for inputs of another shape or dtype.

    >>> import numpy as np
    >>> from gradtape.ground.dtypes import float32
    >>> from gradtape.ground.graph import Graph, Node, Value
    >>> from gradtape.ground.primitive import TABLE, Aval
    >>> import gradtape.primitives
    >>> x = Value(Aval((3,), float32))
    >>> node = Node(TABLE["multiply"], (x, x), {}, [x.aval], None)
    >>> square = compile(Graph([x], list(node.outs), [node]))
    >>> square(np.array([1, 2, 3], np.float32))
    [array([1., 4., 9.], dtype=float32)]
    """
    run = run or _kernel
    try:
        h = host()
    except Unsupported:
        return _Interpreted(graph, run)
    steps = _steps(graph)
    if len(steps) == 1 and steps[0][0] and all(_known(v) for v in (*graph.inputs, *graph.outputs)):
        program = Program(h, graph, graph.nodes, graph.outputs, donate or {}, fast_math, run)
        return program.door()
    return _Stepped(h, graph, steps, donate or {}, fast_math, run)


class _Interpreted:
    """A graph run by its kernels."""

    def __init__(self, graph: Graph, run: Runner) -> None:
        self.graph, self.run_node = graph, run
        self.__name__ = graph.name

    def __call__(self, *xs: Any) -> list:
        arrays = list(xs[0]) if len(xs) == 1 and type(xs[0]) is list else list(xs)
        if len(arrays) != len(self.graph.inputs):
            raise TypeError(f"The compiled graph takes {len(self.graph.inputs)} arrays, but got {len(arrays)}.")
        return run_nodes(self.graph, arrays, self.run_node)


def _steps(graph: Graph) -> list[tuple[bool, list[Node]]]:
    """The nodes in runs that are native or not: as few as the dependencies allow, those that are not in their own order."""
    level: dict[int, int] = {}  # by value: even levels are native
    steps: dict[int, list[Node]] = {}
    last = 0
    for n in graph.nodes:
        native = is_native(n)
        at = max((level.get(id(v), 0) for v in n.ins), default=0)
        at += (at % 2 == 0) != native
        if not native:
            at = last = max(at, last)
        steps.setdefault(at, []).append(n)
        for v in n.outs:
            level[id(v)] = at
    if not steps:
        return [(True, [])]
    return [(k % 2 == 0, steps[k]) for k in sorted(steps)]


class _Stepped:
    """Native programs and kernels in turn: a list of steps over numbered places."""

    def __init__(
        self,
        h: Host,
        graph: Graph,
        steps: list[tuple[bool, list[Node]]],
        donate: dict[int, int],
        fast_math: bool,
        run: Runner,
    ) -> None:
        self.__name__ = graph.name
        self.count = len(graph.inputs)
        places: dict[int, int] = {id(v): i for i, v in enumerate(graph.inputs)}
        consts: list[Any] = []
        used_later = [set() for _ in steps]  # type: list[set[int]]
        later = {id(v) for v in graph.outputs}
        for k in range(len(steps) - 1, -1, -1):
            used_later[k] = set(later)
            later |= {id(v) for n in steps[k][1] for v in n.ins}
        self.steps: list[tuple[Callable, list[int], list[int]]] = []

        def place(v: Value) -> int:
            if id(v) not in places:
                places[id(v)] = len(places)
                if v.const is not None:
                    consts.append((places[id(v)], v))
            return places[id(v)]

        self.programs = []
        for k, (native, nodes) in enumerate(steps):
            if not native:
                for n in nodes:
                    ins, outs = [place(v) for v in n.ins], [place(v) for v in n.outs]
                    self.steps.append((_node_step(n, run), ins, outs))
                continue
            made = {id(v) for n in nodes for v in n.outs}
            inputs: dict[int, Value] = {}
            for n in nodes:
                for v in n.ins:
                    if v.const is None and id(v) not in made:
                        inputs.setdefault(id(v), v)
            outs = [v for n in nodes for v in n.outs if id(v) in used_later[k]]
            given = self._donations(graph, donate, list(inputs.values()), outs, used_later[k])
            program = Program(
                h, Graph(list(inputs.values()), outs, nodes, graph.name), nodes, outs, given, fast_math, run
            )
            self.programs.append(program)
            self.steps.append((program.run, [place(v) for v in inputs.values()], [place(v) for v in outs]))
        self.outputs = [place(v) for v in graph.outputs]
        self.blank: list[Any] = [None] * len(places)
        for i, v in consts:
            self.blank[i] = v.const

    @staticmethod
    def _donations(
        graph: Graph, donate: dict[int, int], inputs: list[Value], outs: list[Value], later: set[int]
    ) -> dict[int, int]:
        """The donations that one program can make use of: its own input and output, the input not read again."""
        mine = {id(v): i for i, v in enumerate(inputs)}
        made = {id(v): j for j, v in enumerate(outs)}
        out = {}
        for i, j in donate.items():
            x, y = graph.inputs[i], graph.outputs[j]
            if id(x) in mine and id(y) in made and id(x) not in later:
                out[mine[id(x)]] = made[id(y)]
        return out

    def __call__(self, *xs: Any) -> list:
        arrays = xs[0] if len(xs) == 1 and type(xs[0]) is list else xs
        if len(arrays) != self.count:
            raise TypeError(f"The compiled graph takes {self.count} arrays, but got {len(arrays)}.")
        env = self.blank.copy()
        env[: self.count] = arrays
        for f, ins, outs in self.steps:
            r = f([env[i] for i in ins])
            for i, a in zip(outs, r, strict=True):
                env[i] = a
        return [env[i] for i in self.outputs]


def _node_step(n: Node, run: Runner) -> Callable[[list], Any]:
    if n.p.multi:
        return lambda xs: run(n, xs)
    return lambda xs: (run(n, xs),)


__all__ = ["Program", "compile", "run_nodes"]
