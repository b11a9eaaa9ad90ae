"""ConcreteFunction: one trace of a ``tf.function``, with the structure of its arguments and results.

A trace may leave dimensions open. Its graph is then run by specialising it: replayed with the shapes that a call brings, every dimension is
known, sizes that were computed at run time become constants, and the result is compiled like any other graph. Python is not run again.
"""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Callable
from functools import cached_property
from typing import Any

from ..core.state import state
from ..core.tensor import Tensor
from ..core.variable import Variable
from ..ground import nest
from ..ground.errors import ConversionError, user_line
from ..ground.graph import Graph, Value, substitute
from ..ground.primitive import Aval
from ..primitives.indexing import IndexedSlices
from . import simplify
from .program import Program
from .replay import replay
from .signature import TensorSpec, describe, is_leaf, key_of, leaves_of, replace_leaves
from .trace import Trace

CACHE_SIZE = 128  # traces kept for each function, and shapes for each trace; the one not used for longest goes first


class _Value:
    """A result that is no tensor: the same at every call."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


class ConcreteFunction:
    """One trace of a function: a program with the structure of its arguments and results.

    Attributes:
        name: the function's name.
        graph: the traced graph; ``print(f.graph)`` shows it.
    """

    def __init__(self, name: str, graph: Graph, consts: list[tuple[Tensor, Value]], n_results: int, variables: list[Variable], assigned: list[Variable],
                 compiler: Callable, structure: Any, outputs: list[Any], args: tuple, kwargs: dict, parameters: list[tuple[str, Any, Any]],
                 input_names: list[str], inner: list[Tensor], stand_ins: list[Variable], method: bool) -> None:  # fmt: skip
        self.name = name
        self._traced = graph  # before simplification: constants can become inputs, open dimensions known ones
        self._consts = consts  # eager tensors of the surroundings that the trace met
        self._inner = inner  # eager tensors that branches and bodies hold as constants
        self.program = Program(simplify.simplify(graph), n_results, variables, assigned, compiler)
        self._structure = structure
        self._outputs = outputs  # for each leaf: the number of the program's result, or ("value", x)
        self._args, self._kwargs = args, kwargs
        self._parameters = parameters
        self._input_names = input_names
        self._stand_ins = stand_ins  # what the trace had for the variables among the arguments
        self._method = int(method)  # the first argument is the object whose method it is
        self._again: Callable[[], ConcreteFunction] = lambda: self
        self._variants: dict[tuple[int, ...], Program] = {}
        self._open = any(None in v.aval.shape for v in graph.inputs)
        self._at: OrderedDict[Any, ConcreteFunction] = OrderedDict()

    @property
    def graph(self) -> Any:
        """The traced graph."""
        return self.program.graph

    @property
    def variables(self) -> tuple[Variable, ...]:
        """The variables it reads or assigns."""
        return tuple(self.program.variables)

    @property
    def trainable_variables(self) -> tuple[Variable, ...]:
        """Those of ``variables`` that are trainable."""
        return tuple([v for v in self.program.variables if v.trainable])

    @property
    def inputs(self) -> list[TensorSpec]:
        """The specs of the graph's inputs."""
        return [TensorSpec(v.aval.shape, v.aval.dtype) for v in self.graph.inputs]

    @property
    def outputs(self) -> list[TensorSpec]:
        """The specs of the graph's results."""
        return [TensorSpec(v.aval.shape, v.aval.dtype) for v in self.graph.outputs[: self.program.n_results]]

    @property
    def structured_input_signature(self) -> tuple[tuple, dict]:
        """The arguments' specs, as the function takes them."""
        names = iter(self._input_names)
        spec = lambda x: TensorSpec(x.shape, x.dtype, next(names) if x.name is None else (next(names), x.name)[1])
        return replace_leaves(self._args, spec)[self._method :], replace_leaves(self._kwargs, spec)

    @property
    def structured_outputs(self) -> Any:
        """The results' specs, as the function returns them."""
        specs = self.outputs
        return self._packed(specs)

    def pretty_printed_signature(self, verbose: bool = True) -> str:
        """Arguments, results and captured variables in words."""
        lines = ["Input Parameters:"]
        lines += [f"  {name} ({kind}): {describe(value)}" for name, kind, value in self._parameters] or ["  None"]
        lines += ["Output Type:", "  " + describe(self.structured_outputs).replace("Literal[None]", "None")]
        lines += ["Captures:"] + ([f"  {v.name}: {describe(v)}" for v in self.program.variables] or ["  None"])
        return "\n".join(lines)

    @property
    def instance(self) -> Any:
        """The object whose method it is, while it lives; else None."""
        if not self._method or not self._args:
            return None
        return self._args[0]() if isinstance(self._args[0], weakref.ref) else self._args[0]

    # -- running ------------------------------------------------------------------------------------------------------
    def call_flat(self, leaves: list[Tensor], variables: list[Variable] | None = None) -> Any:
        """Run on the tensors and variables of the arguments, in order."""
        if self._open:
            known = self.at(leaves, variables)
            if known is not self:
                return known.call_flat(leaves, variables)
        program = self.program
        if state.trace is not None:
            if any([c._k for c in self._inner]):
                again = self._again()
                if again is not self and not any([c._k for c in again._inner]):
                    return again.call_flat(leaves, variables)
            state.trace.root()._inner.extend(self._inner)
            program, leaves = self._opened(
                tuple([i for i, (c, _) in enumerate(self._consts) if c._d.is_inexact]), leaves
            )
        elif state.tapes:
            if self._inner and any([c._k and any([c._k in t._live for t in state.tapes]) for c in self._inner]):
                return self._again().call_flat(
                    leaves, variables
                )  # a branch or body holds as a constant what is now watched
            if self._consts:
                program, leaves = self._promoted(leaves)
        if variables:
            program = program.on(self._bound(variables))
        if state.tapes or state.trace is not None:
            results = program(leaves)
        else:
            results = program.direct(leaves)
        return self._pack(results)

    @cached_property
    def front(self) -> Callable | None:
        """The native way for calls with tensors alone, where nothing records or traces; None if there is none."""
        if self._open or self._stand_ins:
            return None
        single = type(self._structure) is Tensor
        run = self.program.front(single)
        if run is None or single:
            return run
        pack = self._pack

        def front(*args: Any) -> Any:
            results = run(*args)
            return results if results is None else (pack(results),)  # which may be None

        return front

    def _bound(self, variables: list[Variable]) -> list[Variable]:
        """The program's variables, with the caller's in place of their stand-ins."""
        distinct = {id(v): v for v in variables}.values()
        given = {id(s): v for s, v in zip(self._stand_ins, distinct, strict=True)}
        return [given.get(id(v), v) for v in self.program.variables]

    def captures(self, variables: list[Variable]) -> bool:
        """Whether one of the caller's variables is also met by other ways than the arguments."""
        mine = {id(v) for v in self.program.variables}
        return any([id(v) in mine for v in variables])

    def at(self, leaves: list[Any], variables: list[Variable] | None = None) -> ConcreteFunction:
        """The trace for arguments of these shapes: itself, unless it leaves dimensions open."""
        program = self.program
        on = self._bound(variables) if variables else program.variables
        shapes = (*[tuple(x._shape) for x in leaves], *[v._value()._shape for v in on])
        if shapes == tuple([v.aval.shape for v in program.graph.inputs]):
            return self
        found = self._at.get(shapes)
        if found is None:
            found = self._at[shapes] = self._specialised(shapes)
            if len(self._at) > CACHE_SIZE:
                self._at.popitem(last=False)
        elif len(self._at) >= CACHE_SIZE:
            self._at.move_to_end(shapes)
        return found

    def _specialised(self, shapes: tuple) -> ConcreteFunction:
        trace, check = Trace(self.name), state.check
        with trace:
            xs = [trace.input(Aval(s, v.aval.dtype), "x") for s, v in zip(shapes, self._traced.inputs, strict=True)]
            state.check = False  # the checks are in the graph
            try:
                outs = replay(self._traced, list(xs), {id(v): t for t, v in self._consts})
            finally:
                state.check = check
            graph = trace.finish(outs, self.name)
        p = self.program
        new = ConcreteFunction(self.name, graph, trace.constants(), p.n_results, p.variables, p.assigned, p.compiler, self._structure, self._outputs,
                               self._args, self._kwargs, self._parameters, self._input_names, trace._inner, self._stand_ins, bool(self._method))  # fmt: skip
        new._again = lambda: self._again()._specialised(shapes)
        new._open = False  # also where a dimension could not be made known
        return new

    @cached_property
    def _pack(self) -> Callable[[list], Any]:
        """``_packed``, for plain lists, tuples and dicts as one expression."""
        values: dict[str, Any] = {}

        def text(x: Any) -> str:
            if type(x) is int:
                return f"r[{x}]"
            if type(x) in (list, tuple):
                inner = "".join([text(y) + ", " for y in x])
                return f"[{inner}]" if type(x) is list else f"({inner})"
            if type(x) is dict and all(type(k) in (str, int) for k in x):
                return "{" + ", ".join([f"{k!r}: {text(y)}" for k, y in x.items()]) + "}"
            if type(x) is _Value:
                values[f"v{len(values)}"] = x.value
                return f"v{len(values) - 1}"
            raise TypeError

        try:
            leaves = [o if isinstance(o, int) else _Value(o[1]) if o[0] == "value" else o for o in self._outputs]
            return eval(
                "lambda r: " + text(nest.pack_sequence_as(self._structure, leaves)), values
            )  # of what is written above
        except TypeError:
            return self._packed

    def _packed(self, results: list) -> Any:
        """Results, or what stands for them, in the form that the function returns."""

        def leaf(o: Any) -> Any:
            if isinstance(o, int):
                return results[o]
            return o[1] if o[0] == "value" else IndexedSlices(results[o[1]], results[o[1] + 1], o[2])

        return nest.pack_sequence_as(self._structure, [leaf(o) for o in self._outputs])

    def _promoted(self, leaves: list[Tensor]) -> tuple[Program, list[Tensor]]:
        """The program with those constants as inputs that a tape watches, so that gradients flow to them."""
        watched = tuple(
            [i for i, (c, _) in enumerate(self._consts) if c._k and any(c._k in t._live for t in state.tapes)]
        )
        return self._opened(watched, leaves)

    def _opened(self, which: tuple[int, ...], leaves: list[Tensor]) -> tuple[Program, list[Tensor]]:
        """The program with the constants numbered in ``which`` as inputs."""
        if not which:
            return self.program, leaves
        return self._with_inputs(which), [*leaves, *[self._consts[i][0] for i in which]]

    def _with_inputs(self, which: tuple[int, ...]) -> Program:
        found = self._variants.get(which)
        if found is None:
            graph, p = self._traced, self.program
            values = [self._consts[i][1] for i in which]
            fresh = {id(v): Value(v.aval) for v in values}
            nodes, outs = substitute(graph.nodes, graph.outputs, fresh)
            n = len(graph.inputs) - len(p.variables)
            inputs = [*graph.inputs[:n], *[fresh[id(v)] for v in values], *graph.inputs[n:]]
            whole = simplify.simplify(Graph(inputs, outs, nodes, graph.name))
            found = self._variants[which] = Program(whole, p.n_results, p.variables, p.assigned, p.compiler)
        return found

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        leaves: list[Any] = []
        want = self._traced.inputs[: len(self._input_names)]
        for name, spec, given in self._given(args, kwargs):
            if is_leaf(spec) and not (is_leaf(given) or isinstance(given, Variable)):
                raise TypeError(
                    f"Binding inputs to {self.name} failed: argument {name!r} must be a tensor, {describe(spec)}, but is {given!r}: make it one with tf.constant."
                )
            before = len(leaves)
            key_of(given, leaves)
            if key_of(spec, []) != key_of(given, []) and len(leaves) - before == len(leaves_of(spec)) == 0:
                raise TypeError(
                    f"Binding inputs to {self.name} failed: argument {name!r} was {describe(spec)} when it was traced, but is {describe(given)}."
                )
        variables = list({id(x): x for x in leaves if isinstance(x, Variable)}.values())
        leaves = [x for x in leaves if not isinstance(x, Variable)]
        if len(leaves) != len(want) or len(variables) != len(self._stand_ins):
            raise TypeError(
                f"Binding inputs to {self.name} failed: it takes {len(want)} tensors and {len(self._stand_ins)} variables, but {len(leaves)} and {len(variables)} were given."
            )
        for x, v, n in zip(leaves, want, self._input_names, strict=True):
            if x._d is not v.aval.dtype or not _fits(x._shape, v.aval.shape):
                raise ConversionError(
                    f"Argument {n!r} of {self.name} must be {v.aval}, but is {x._d.name}{list(x._shape)}.{user_line()}"
                )
        return self.call_flat(leaves, variables)

    def _given(self, args: tuple, kwargs: dict) -> list[tuple[str, Any, Any]]:
        """Each parameter's name, spec and argument; Python values that the trace was made for may be left out."""
        left = dict(kwargs)
        positional = list(args)
        out = []
        for name, kind, spec in self._parameters:
            names = [name, *[s.name for s in leaves_of(spec) if s.name]] if is_leaf(spec) else [name]
            by_name = next((n for n in names if n in left), None)
            if kind == "VAR_POSITIONAL":
                given: Any = tuple(positional)
                positional = []
            elif kind == "VAR_KEYWORD":
                given, left = left, {}
            elif by_name is not None:
                given = left.pop(by_name)
            elif positional and kind != "KEYWORD_ONLY":
                given = positional.pop(0)
            elif not leaves_of(spec):
                given = spec
            else:
                raise TypeError(
                    f"Binding inputs to {self.name} failed due to `missing a required argument: {name!r}`. Received args: {args} and kwargs: {kwargs}."
                )
            out.append((name, spec, given))
        if positional:
            raise TypeError(
                f"Binding inputs to {self.name} failed due to `too many positional arguments`. Received args: {args} and kwargs: {kwargs}."
            )
        if left:
            raise TypeError(
                f"Binding inputs to {self.name} failed due to `got an unexpected keyword argument {next(iter(left))!r}`. Received args: {args} and kwargs: {kwargs}."
            )
        return out

    def __repr__(self) -> str:
        return f"<ConcreteFunction {self.name} at {id(self):#x}>"

    def __str__(self) -> str:
        return "ConcreteFunction " + self.pretty_printed_signature()


def _fits(shape: tuple, want: tuple) -> bool:
    return shape == want or (
        len(shape) == len(want) and all([w is None or d == w for d, w in zip(shape, want, strict=True)])
    )
