"""Graphs to callables: what can be compiled is, in as few native programs as possible; the rest runs its kernels in between."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np

from ...ground.graph import Graph, Node, Value
from . import compiling, stored
from .host import Host, Unsupported, host
from .linking import Slow, Spec, definition, imports, python_function

Runner = Callable[..., Any]


class Program:
    """One native program, as the ``__self__`` of the function that runs it; it keeps what the code needs alive.

    Args:
        h: the machine.
        graph: all its nodes are native.
        donate: as for ``compile``.
        fast_math: as for ``compile``.
        run: runs a node by its kernel.
        made: the program, if it is known.
        name: the name to keep it by, if it is not.

    Attributes:
        arena: bytes of memory for what lies between inputs and outputs.
        cached: whether the object code came from the disk cache.
        entry: the address of the C function.
        releases: whether it lets go of Python's lock while it runs.
    """

    def __init__(
        self,
        h: Host,
        graph: Graph,
        donate: dict[int, int],
        fast_math: bool,
        run: Runner,
        made: stored.Made | None = None,
        name: str | None = None,
    ) -> None:
        self.cached = made is not None
        self._source = h, graph, donate, fast_math
        if made is None:
            made, self.cached = self._make()
            if name is not None:
                stored.store(name, made)
        self.consts, self.arena = made.consts, made.arena
        self.args = [_spec(v) for v in graph.inputs]
        self._block = (ctypes.c_void_p * 2)()
        self.slow = Slow(self.args, made.donate, lambda *xs: self.run(*xs))

        def failed(*xs: Any) -> list:
            """Run by the kernels, one of which raises."""
            xs = tuple(xs[0]) if len(xs) == 1 and type(xs[0]) is list else xs
            return run_nodes(graph, list(xs), run)

        self.failed = failed
        local = {"arena": ctypes.addressof(self._block), "python.slow": id(self.slow), "python.failed": id(self.failed)}
        if "parallel.dispatch" in made.externals or "parallel.products" in made.externals:
            from .threads import pool

            local["parallel.dispatch"], local["parallel.products"] = pool(h).dispatch, pool(h).products
        self._code = compiling.load(h, made.code, imports(made.externals, made.consts, local), ["entry"])
        self.entry = self._code.addresses["entry"]
        self.definition = definition(self.entry, graph.name)
        self.releases = "PyEval_SaveThread" in made.externals
        self.run = python_function(self.definition, (self.definition, self._code))

    def _written(self) -> tuple[Any, Any, dict[int, int]]:
        """The program as it is written for the compiler; what its lowering shared; and which inputs it overwrites."""
        from .calling import write_entry
        from .lower import Lowering, Shared
        from .program import write_program

        h, graph, donate, fast_math = self._source
        shared = Shared()
        low = Lowering(shared)
        body = low.run(graph.inputs, graph.nodes, graph.outputs)
        if low.can_fail:
            donate = {}  # a failing call must leave its inputs as they were
        written = write_program(body, h, donate, fast_math)
        args = [_spec(v) for v in graph.inputs]
        write_entry(
            written,
            args,
            [_spec(v, s) for v, s in zip(graph.outputs, _origins(written), strict=False)],
            donate,
            shared.slots,
        )
        return written, shared, donate

    def _make(self) -> tuple[stored.Made, bool]:
        """Lower, write and compile; gives the program, and whether its object code came from the disk cache."""
        written, shared, donate = self._written()
        name, code, cached = compiling.object_code(self._source[0], written.module.text)
        return stored.Made(donate, written.module.externals, shared.consts, written.arena, name, code), cached

    @property
    def ir(self) -> str:
        """The LLVM IR, to be read."""
        return self._written()[0].module.text

    @property
    def groups(self) -> list[Any]:
        """What runs together, in its order."""
        return self._written()[0].plan.groups

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


def _origins(written: Any) -> list[tuple[str, Any]]:
    """Where outputs come from that are inputs or other outputs as they stand."""
    return [s if s[0] in ("arg", "same") else ("", None) for s in written.plan.outs]


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
        return n.p.compute(*xs, **n.attrs)


def _known(v: Value) -> bool:
    """Whether a native program can take or give this value."""
    from .ir import CARRIED
    from .lower import is_stack

    return v.aval.dtype.name in CARRIED and (None not in v.aval.shape or is_stack(v))


def compile(
    graph: Graph,
    *,
    donate: dict[int, int] | None = None,
    partly: bool = True,
    fast_math: bool = False,
    run: Runner | None = None,
) -> Callable[..., list]:
    """Compile a graph into a function of arrays.

    Args:
        graph: the graph. What has unknown shapes, or a row or dtype without a native form, runs its NumPy kernel.
        donate: for some inputs, by number, the output whose value may be written over the input's memory. That output has the same
            shape and dtype, and the array given is not to be used again: the returned one may be the same object, but must not be.
        partly: take what is donated also where the graph has effects or some nodes run their kernels, which may fail when
            inputs have been written over.
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
    given = dict(donate or {}) if partly or not graph.effect else {}
    name = stored.name_of(graph, given, fast_math, h.key)
    made = stored.load(name) if name is not None else None
    if made is not None:
        return Program(h, graph, given, fast_math, run, made).door()
    steps = _steps(graph)
    if len(steps) == 1 and steps[0][0] and all(_known(v) for v in (*graph.inputs, *graph.outputs)):
        return Program(h, graph, given, fast_math, run, None, name).door()
    return _Stepped(h, graph, steps, given if partly else {}, fast_math, run)


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
    from .lower import is_native

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
            program = Program(h, Graph(list(inputs.values()), outs, nodes, graph.name), given, fast_math, run)
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
