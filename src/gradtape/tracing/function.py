"""``tf.function``: a Python function traced once for each form of its arguments, and run as a program from then on."""

from __future__ import annotations

import functools
import inspect
import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from ..core.state import state
from ..core.tensor import Tensor, convert
from ..core.variable import Variable
from ..ground import nest
from ..ground.errors import ConversionError, user_line
from ..ground.primitive import Aval
from ..primitives.indexing import IndexedSlices
from . import engine, simplify
from .program import Program
from .signature import Ref, TensorSpec, describe, is_leaf, key_of, replace_leaves
from .trace import SymbolicTensor, Trace

CACHE_SIZE = 128  # traces kept for each function; the one not used for longest goes first

_eagerly = False


def run_functions_eagerly(run_eagerly: bool) -> None:
    """Run every tf.function as plain Python (for debugging), or trace again.

    >>> import gradtape as tf
    >>> tf.config.run_functions_eagerly(False)
    """
    global _eagerly
    _eagerly = bool(run_eagerly)


def functions_run_eagerly() -> bool:
    """Whether functions run as plain Python."""
    return _eagerly


class RetraceWarning(UserWarning):
    """A function was traced again and again: each trace costs time, and most programs need few."""


class ConcreteFunction:
    """One trace of a function: a program with the structure of its arguments and results.

    Attributes:
        graph: the traced graph; ``print(f.graph)`` shows it.
    """

    def __init__(self, name: str, program: Program, consts: list[Tensor], structure: Any, outputs: list[Any], args: tuple, kwargs: dict,
                 parameters: list[tuple[str, Any, Any]], input_names: list[str]) -> None:  # fmt: skip
        self.name = name
        self.program = program
        self._consts = consts  # eager tensors of the surroundings that the trace met
        self._structure = structure
        self._outputs = outputs  # for each leaf: the number of the program's result, or ("value", x)
        self._args, self._kwargs = args, kwargs
        self._parameters = parameters
        self._input_names = input_names
        self._inner: list[Tensor] = []  # eager tensors that branches and bodies hold as constants
        self._again: Callable[[], ConcreteFunction] = lambda: self
        self._method = 0  # 1 where the first argument is the object whose method it is

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

    def call_flat(self, leaves: list[Tensor]) -> Any:
        """Run on the tensors of the arguments, in order."""
        program = self.program
        if state.tapes:
            if self._inner and any([c._k and any([c._k in t._live for t in state.tapes]) for c in self._inner]):
                return self._again().call_flat(leaves)  # a branch or body holds as a constant what is now watched
            if self._consts:
                program, leaves = self._promoted(leaves)
            results = program(leaves)
        elif state.trace is None:
            results = program.direct(leaves)
        else:
            results = program(leaves)
        if type(self._structure) is Tensor:
            return results[0]
        return self._packed(results)

    def _packed(self, results: list) -> Any:
        """Results, or what stands for them, in the form that the function returns."""

        def leaf(o: Any) -> Any:
            if isinstance(o, int):
                return results[o]
            return o[1] if o[0] == "value" else IndexedSlices(results[o[1]], results[o[1] + 1], o[2])

        return nest.pack_sequence_as(self._structure, [leaf(o) for o in self._outputs])

    def _promoted(self, leaves: list[Tensor]) -> tuple[Program, list[Tensor]]:
        """The program with those constants as inputs that a tape watches, so that gradients flow to them."""
        watched = tuple([i for i, c in enumerate(self._consts) if c._k and any(c._k in t._live for t in state.tapes)])
        if not watched:
            return self.program, leaves
        return self._with_inputs(watched), [*leaves, *[self._consts[i] for i in watched]]

    def _with_inputs(self, which: tuple[int, ...]) -> Program:
        raise NotImplementedError

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        leaves: list[Tensor] = []
        want = self.program.graph.inputs[: len(self._input_names)]
        for name, spec, given in self._given(args, kwargs):
            before = len(leaves)
            key_of(given, leaves)
            if key_of(spec, []) != key_of(given, []) and len(leaves) - before == len(_leaves(spec)) == 0:
                raise TypeError(
                    f"Binding inputs to {self.name} failed: argument {name!r} was {describe(spec)} when it was traced, but is {describe(given)}."
                )
        if len(leaves) != len(want):
            raise TypeError(
                f"Binding inputs to {self.name} failed: it takes {len(want)} tensors, but {len(leaves)} were given."
            )
        for x, v, n in zip(leaves, want, self._input_names, strict=True):
            if x._d is not v.aval.dtype or x._shape != v.aval.shape:
                raise ConversionError(
                    f"Argument {n!r} of {self.name} must be {v.aval}, but is {x._d.name}{list(x._shape)}.{user_line()}"
                )
        return self.call_flat(leaves)

    def _given(self, args: tuple, kwargs: dict) -> list[tuple[str, Any, Any]]:
        """Each parameter's name, spec and argument; Python values that the trace was made for may be left out."""
        left = dict(kwargs)
        positional = list(args)
        out = []
        for name, kind, spec in self._parameters:
            names = [name, *[s.name for s in _leaves(spec) if s.name]] if is_leaf(spec) else [name]
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
            elif not _leaves(spec):
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


class _Raw(ConcreteFunction):
    """A ConcreteFunction that kept its trace, so that constants can become inputs."""

    def __init__(self, *args: Any, raw: Any, order: list[int]) -> None:
        super().__init__(*args)
        self._raw = raw  # (graph before simplification, constants' values)
        self._variants: dict[tuple[int, ...], Program] = {}

    def _with_inputs(self, which: tuple[int, ...]) -> Program:
        found = self._variants.get(which)
        if found is None:
            from ..ground.graph import Graph, Value

            graph, values = self._raw
            n = len(self._input_names)
            fresh = {id(values[i]): Value(values[i].aval) for i in which}
            swap = lambda v: fresh.get(id(v), v)
            nodes, outs = _substitute(graph.nodes, graph.outputs, swap)
            inputs = graph.inputs[:n] + [fresh[id(values[i])] for i in which] + graph.inputs[n:]
            p = self.program
            found = Program(
                simplify.simplify(Graph(inputs, outs, nodes, graph.name)),
                p.n_results,
                p.variables,
                p.assigned,
                p.compiler,
            )
            self._variants[which] = found
        return found


def _substitute(nodes: list, outputs: list, swap: Callable) -> tuple[list, list]:
    from ..ground.graph import Node

    new: dict[int, Any] = {}
    look = lambda v: new.get(id(v)) or swap(v)
    out = []
    for n in nodes:
        m = Node(n.p, tuple([look(v) for v in n.ins]), n.attrs, [v.aval for v in n.outs], n.line)
        new.update({id(v): w for v, w in zip(n.outs, m.outs, strict=True)})
        out.append(m)
    return out, [look(v) for v in outputs]


class Function:
    """A Python function that runs as traced programs. Made by ``tf.function``."""

    def __init__(self, python_function: Callable, name: str | None = None, input_signature: Any = None, autograph: bool = True, jit_compile: bool | None = None,
                 reduce_retracing: bool = False, experimental_autograph_options: Any = None, fast_math: bool = False) -> None:  # fmt: skip
        if not callable(python_function):
            raise TypeError(f"{python_function!r} is not a callable object")
        self._python_function = python_function
        self._name: str = name or getattr(python_function, "__name__", None) or type(python_function).__name__
        functools.update_wrapper(self, python_function)
        self._autograph = autograph
        self.fast_math = fast_math
        self._lock = threading.RLock()
        self._traces: OrderedDict[Any, ConcreteFunction] = OrderedDict()
        self._count = 0
        self._recent: list[bool] = []
        self._variables_made = False
        self._last: list[Any] = []
        self._warned = False
        try:
            self._signature: inspect.Signature | None = inspect.signature(python_function)
        except (TypeError, ValueError):
            self._signature = None
        self._positional, self._simple = self._read_signature()
        self._skip = (
            int(next(iter(self._signature.parameters), "") in ("self", "cls")) if self._signature else 0
        )  # not in an input_signature
        self._input_signature = None if input_signature is None else self._checked(input_signature)
        self._converted: Callable | None = None
        self._method = False  # called as one: its object is told apart by identity

    def _read_signature(self) -> tuple[int, bool]:
        """How many positional parameters there are, and whether they are all there is."""
        if self._signature is None:
            return -1, False
        ps = self._signature.parameters.values()
        plain = all(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in ps)
        return len(ps), plain

    def _checked(self, specs: Any) -> tuple:
        """An input_signature that fits the function's parameters."""
        if not isinstance(specs, (list, tuple)):
            raise TypeError(f"input_signature must be either a tuple or a list, got {type(specs)}.")
        wrong = [s for s in nest.flatten(list(specs)) if not isinstance(s, TensorSpec)]
        if wrong:
            raise TypeError(
                f"input_signature must be a possibly nested sequence of TensorSpec objects, got invalid args {wrong} with types {[type(s) for s in wrong]}."
            )
        if self._signature is None:
            return tuple(specs)
        ps = list(self._signature.parameters.values())[self._skip :]
        named = [p for p in ps if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        if len(specs) > len(named) and not any(p.kind is p.VAR_POSITIONAL for p in ps):
            raise TypeError(f"input_signature contains {len(specs) - len(named)} extra type constraints.")
        for p in named[len(specs) :] + [p for p in ps if p.kind is p.KEYWORD_ONLY]:
            if p.default is p.empty:
                raise TypeError(f"input_signature missing type constraint for {p.name}")
        return tuple(specs)

    # -- public questions ---------------------------------------------------------------------------------------------
    @property
    def python_function(self) -> Callable:
        """The function as it was written."""
        return self._python_function

    @property
    def input_signature(self) -> tuple | None:
        """The input signature, or None."""
        return self._input_signature

    def experimental_get_tracing_count(self) -> int:
        """How often the function was traced."""
        return self._count

    def pretty_printed_concrete_signatures(self, verbose: bool = True) -> str:
        """The signatures of all traces in words."""
        return "\n\n".join(c.pretty_printed_signature(verbose) for c in self._traces.values())

    @property
    def graph(self) -> Any:
        """The graph of the latest trace. ValueError if there is none."""
        if not self._traces:
            raise ValueError(f"{self._name} has not been traced: call it, or get_concrete_function(...), first.")
        return next(reversed(self._traces.values())).graph

    # -- calling ------------------------------------------------------------------------------------------------------
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if _eagerly:
            return self._python_function(*args, **kwargs)
        if kwargs or not self._simple or len(args) != self._positional:
            args, kwargs = self._bind(args, kwargs)
        if self._input_signature is not None:
            args = self._cast_to_signature(args)
        leaves: list[Tensor] = []
        parts: list[Any] = []
        for a in args:
            if type(a) is Tensor and type(a._a) is not bytes:
                leaves.append(a)
                parts += (a._d, a._a.shape)
            else:
                self._part(a, parts, leaves)
        if kwargs:
            parts.append(tuple([(k, key_of(v, leaves)) for k, v in kwargs.items()]))
        if state.check:
            parts.append("checked")
        key = tuple(parts)
        try:
            concrete = self._traces.get(key)
        except TypeError as e:
            raise TypeError(
                f"An argument of {self._name} cannot be told apart by value ({e}): pass hashable Python objects or tensors."
            ) from None
        if concrete is None:
            concrete = self._trace(key, args, kwargs)
            self._note(True, args, kwargs)
        else:
            if len(self._traces) >= CACHE_SIZE:
                with self._lock:
                    if key in self._traces:
                        self._traces.move_to_end(key)
            if self._recent:
                self._note(False, args, kwargs)
        return concrete.call_flat(leaves)

    def _part(self, a: Any, parts: list, leaves: list) -> None:
        """Append the key of the argument ``a`` to ``parts``."""
        if not parts and self._method:
            parts.append(Ref(a, True))
        elif is_leaf(a):
            parts += key_of(a, leaves)
        else:
            parts.append(key_of(a, leaves))

    def _bind(self, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
        if self._signature is None:
            return args, dict(sorted(kwargs.items()))
        try:
            bound = self._signature.bind(*args, **kwargs)
        except TypeError as e:
            raise TypeError(
                f"Binding inputs to tf.function failed due to `{e}`. Received args: {args} and kwargs: {kwargs} for signature: {self._signature}."
            ) from None
        bound.apply_defaults()
        return bound.args, dict(sorted(bound.kwargs.items()))

    def _cast_to_signature(self, args: tuple) -> tuple:
        specs = self._input_signature or ()
        first, args = args[: self._skip], args[self._skip :]
        if len(args) > len(specs):
            rest = args[len(specs) :]
            if any(is_leaf(a) for a in rest):
                raise TypeError(
                    f"Binding inputs to tf.function failed: {len(args)} arguments were given for an input_signature of {len(specs)}."
                )
        out = []
        for a, s in zip(args, specs):
            out.append(self._cast_argument(a, s))
        return (*first, *out, *args[len(specs) :])

    def _cast_argument(self, a: Any, spec: Any) -> Any:
        if not isinstance(spec, TensorSpec):
            if isinstance(spec, (list, tuple)) and isinstance(a, (list, tuple)) and len(a) == len(spec):
                return type(a)([self._cast_argument(x, s) for x, s in zip(a, spec, strict=True)])
            if isinstance(spec, dict) and isinstance(a, dict) and spec.keys() == a.keys():
                return {k: self._cast_argument(a[k], spec[k]) for k in a}
            raise TypeError(f"Binding inputs to tf.function failed: {a!r} does not have the structure of {spec!r}.")
        if isinstance(a, TensorSpec):
            return a
        t = a if isinstance(a, Tensor) else convert(a, None, spec.dtype)
        if t._d is not spec.dtype or not spec.shape.is_compatible_with(t._shape):
            raise TypeError(
                f"Binding inputs to tf.function failed due to `Can not cast TensorSpec(shape={t.shape}, dtype={t._d!r}, name=None) to {spec!r}`. Function {self._name}."
            )
        return t

    def get_concrete_function(self, *args: Any, **kwargs: Any) -> ConcreteFunction:
        """The trace for arguments of this form; TensorSpecs may stand for tensors.

        Raises:
            ValueError: a TensorSpec has unknown dimensions: gradtape compiles for known shapes.
        """
        if self._input_signature is not None and len(args) <= self._skip and not kwargs:
            args = (*args, *self._input_signature)
        args, kwargs = self._bind(args, kwargs)
        leaves: list[Any] = []
        parts: list[Any] = []
        for a in args:
            self._part(a, parts, leaves)
        if kwargs:
            parts.append(tuple([(k, key_of(v, leaves)) for k, v in kwargs.items()]))
        key = tuple(parts)
        for x in leaves:
            if isinstance(x, TensorSpec) and not x.shape.is_fully_defined():
                raise ValueError(
                    f"{self._name}: a concrete function needs known shapes, but {x!r} leaves some open. Call the function itself: it specialises for each shape."
                )
        return self._traces.get(key) or self._trace(key, args, kwargs)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self
        self._method = True
        return _BoundFunction(self, instance)

    # -- tracing ------------------------------------------------------------------------------------------------------
    def _note(self, traced: bool, args: tuple, kwargs: dict) -> None:
        """Warn, once, when most of the latest calls had to trace."""
        recent = [*self._recent[-9:], traced]
        self._recent = (
            recent if any(recent) else []
        )  # after ten calls without tracing there is nothing to keep account of
        if traced:
            if sum(self._recent) >= 5 and self._count >= 5 and not self._warned:
                self._warned = True
                warnings.warn(
                    f"{sum(self._recent)} out of the last {len(self._recent)} calls to {self._name} triggered tracing, which is expensive. {self._difference(args, kwargs)} "
                    "Pass tensors instead of Python values, keep shapes the same, and make tf.functions outside of loops.",
                    RetraceWarning, stacklevel=3)  # fmt: skip
            self._last = [args, kwargs]
        elif True not in self._recent:
            self._recent = []  # ten calls without tracing: no more counting until the next trace

    def _difference(self, args: tuple, kwargs: dict) -> str:
        if not self._last:
            return ""
        names = list(self._signature.parameters) if self._signature else []
        old = [*self._last[0], *self._last[1].values()]
        new = [*args, *kwargs.values()]
        for i, (a, b) in enumerate(zip(old, new)):
            if describe(a) != describe(b):
                name = names[i] if i < len(names) else f"#{i}"
                return f"Argument {name!r} was {describe(a)} and is now {describe(b)}."
        return ""

    def _trace(self, key: Any, args: tuple, kwargs: dict) -> ConcreteFunction:
        with self._lock:
            found = self._traces.get(key)
            if found is not None:
                return found
            f = self._callable()
            concrete, made = self._trace_once(f, args, kwargs)
            if made:
                if self._variables_made:
                    raise ValueError(_MADE_AGAIN)
                self._variables_made = True
                concrete, again = self._trace_once(
                    f, args, kwargs
                )  # as in TensorFlow: the second trace must find them made
                if again:
                    self._variables_made = False
                    raise ValueError(_MADE_AGAIN)
            self._traces[key] = concrete
            if len(self._traces) > CACHE_SIZE:
                self._traces.popitem(last=False)
            return concrete

    def _callable(self) -> Callable:
        if self._converted is None:
            self._converted = self._python_function
            if self._autograph:
                from .staging import convert_control_flow

                self._converted = convert_control_flow(self._python_function)
        return self._converted

    def _trace_once(self, f: Callable, args: tuple, kwargs: dict) -> tuple[ConcreteFunction, bool]:
        self._count += 1
        trace = Trace(self._name)
        names = _argument_names(self._signature, args, kwargs)
        it = iter(names)
        with trace:
            make = lambda x: trace.input(_aval(x), next(it))
            s_args, s_kwargs = replace_leaves(args, make), replace_leaves(kwargs, make)
            n_args = len(trace.inputs)
            given = replace_leaves((s_args, s_kwargs), lambda x: x)
            try:
                result = f(*s_args, **s_kwargs)
            finally:  # also after an error: the user's objects may hold the variables by now
                if trace.created:
                    trace.initialise(_leaves((args, kwargs)))
            if not _unchanged(given, (s_args, s_kwargs)):
                changed = [n for n, _ in _bound_items(self._signature, args, kwargs)]
                raise ValueError(
                    f"{self._name} should not modify its Python input arguments ({', '.join(changed)}). Modifying a copy is allowed."
                )
            leaves = nest.flatten(result)
            outputs: list[Any] = []
            tensors: list[Tensor] = []
            for leaf in leaves:
                if leaf is None or not _convertible(leaf):
                    outputs.append(("value", leaf))
                elif isinstance(leaf, IndexedSlices):
                    outputs.append(("slices", len(tensors), leaf._dense_shape))
                    tensors += [convert(leaf.values), convert(leaf.indices)]
                else:
                    outputs.append(len(tensors))
                    tensors.append(leaf if isinstance(leaf, Tensor) else convert(leaf))
            cells = list(trace.variables.values())
            assigned = [c for c in cells if c.assigned]
            graph = trace.finish([*tensors, *[c.current for c in assigned]], self._name)
        # the variables' inputs, wherever they came up, go behind the arguments
        of_vars = [c.first.value for c in cells]
        graph.inputs = [t.value for t in trace.inputs[:n_args]] + of_vars
        outside = [(t, v) for t, v in trace._consts.values() if v.const is not None]
        consts, values = [t for t, _ in outside], [v for _, v in outside]
        program = Program(
            simplify.simplify(graph),
            len(tensors),
            [c.variable for c in cells],
            [c.variable for c in assigned],
            self._compiler(),
        )
        structure = tensors[0] if len(leaves) == 1 and not nest.is_nested(result) and outputs == [0] else result
        if isinstance(structure, SymbolicTensor) or (outputs == [0] and not nest.is_nested(result)):
            structure = Tensor(None, None)  # type: ignore[arg-type]  # a single tensor
        parameters = _parameters(self._signature, args, kwargs)[self._method :]
        concrete = _Raw(
            self._name,
            program,
            consts,
            structure,
            outputs,
            _specs(args),
            _specs(kwargs),
            parameters,
            names,
            raw=(graph, values),
            order=[],
        )
        concrete._method = int(self._method)
        concrete._inner, concrete._again = trace._inner, lambda: self._replace(concrete)
        return concrete, bool(trace.created)

    def _replace(self, old: ConcreteFunction) -> ConcreteFunction:
        """Trace again what ``old`` is the trace of."""
        with self._lock:
            new, _ = self._trace_once(self._callable(), old._args, old._kwargs)
            for key, found in self._traces.items():
                if found is old:
                    self._traces[key] = new
            return new

    def _compiler(self) -> Callable:
        return functools.partial(engine.compile, fast_math=True) if self.fast_math else engine.compile

    def __repr__(self) -> str:
        return f"<gradtape.Function {self._name}>"


_MADE_AGAIN = (
    "tf.function only supports singleton tf.Variables created on the first call. Make sure the tf.Variable is only created once or created outside tf.function. "
    "See https://www.tensorflow.org/guide/function#creating_tfvariables for more information."
)


class _BoundFunction:
    """A Function as a method of one object."""

    def __init__(self, function: Function, instance: Any) -> None:
        self.__self__, self.__func__ = instance, function
        self.__name__ = function._name
        self.__doc__ = function.__doc__

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.__func__(self.__self__, *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__func__, name)

    def get_concrete_function(self, *args: Any, **kwargs: Any) -> ConcreteFunction:
        """The trace for this object and arguments of this form."""
        return self.__func__.get_concrete_function(self.__self__, *args, **kwargs)


def _unchanged(a: Any, b: Any) -> bool:
    """Whether two nests hold the same objects in the same places."""
    if type(a) is not type(b) or not nest.is_nested(a):
        return a is b or isinstance(a, IndexedSlices)
    if len(a) != len(b):
        return False
    pairs = [(a[k], b.get(k)) for k in a] if hasattr(a, "keys") else zip(a, b, strict=True)
    return all([_unchanged(x, y) for x, y in pairs])


def _leaves(x: Any) -> list:
    out: list = []
    replace_leaves(x, lambda t: out.append(t if isinstance(t, TensorSpec) else convert(t)))
    return out


def _aval(x: Any) -> Aval:
    if isinstance(x, TensorSpec):
        return Aval(tuple(x.shape), x.dtype)
    t = convert(x)
    return Aval(t._shape, t._d)


def _convertible(x: Any) -> bool:
    return (
        isinstance(x, (Tensor, Variable, int, float, complex, str, bytes))
        or hasattr(x, "_to_tensor")
        or hasattr(x, "dtype")
    )


def _specs(x: Any) -> Any:
    return replace_leaves(x, lambda t: t if isinstance(t, TensorSpec) else TensorSpec((t := convert(t))._shape, t._d))


def _parameters(signature: inspect.Signature | None, args: tuple, kwargs: dict) -> list[tuple[str, Any, Any]]:
    if signature is None:
        return [(f"arg{i}", "POSITIONAL_ONLY", a) for i, a in enumerate(_specs(args))]
    bound = signature.bind(*args, **kwargs)
    bound.apply_defaults()
    return [(n, signature.parameters[n].kind.name, _specs(v)) for n, v in bound.arguments.items()]


def _argument_names(signature: inspect.Signature | None, args: tuple, kwargs: dict) -> list[str]:
    """A name for each tensor of the arguments: the parameter's, numbered within a nest."""
    out: list[str] = []
    items = _bound_items(signature, args, kwargs)
    for name, value in items:
        out += [name] if is_leaf(value) else [f"{name}_{i}" if i else name for i in range(len(_leaves(value)))]
    return out


def _bound_items(signature: inspect.Signature | None, args: tuple, kwargs: dict) -> list[tuple[str, Any]]:
    names: list[str] = []
    if signature is not None:
        for p in signature.parameters.values():
            if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD):
                names.append(p.name)
            elif p.kind is p.VAR_POSITIONAL:
                names += [p.name] * max(0, len(args) - len(names))
    names += [f"arg{i}" for i in range(len(names), len(args))]
    return [*zip(names, args), *kwargs.items()]


def function(func: Callable | None = None, input_signature: Any = None, autograph: bool = True, jit_compile: bool | None = None, reduce_retracing: bool = False,
             experimental_implements: Any = None, experimental_autograph_options: Any = None, experimental_attributes: Any = None,
             experimental_relax_shapes: Any = None, experimental_compile: Any = None, experimental_follow_type_hints: Any = None, fast_math: bool = False) -> Any:  # fmt: skip
    """Make a Python function over tensors into a compiled program; also a decorator.

    Args:
        func: the function. It is traced once for each form of its arguments (dtypes, shapes, Python values, structure).
        input_signature: a list of TensorSpecs that the arguments must fit; unknown dimensions are specialised when they are met.
        autograph: turn Python control flow over tensors into graph control flow.
        jit_compile: accepted; every function is compiled.
        reduce_retracing: accepted; see docs/differences.md.
        fast_math: allow contraction and reassociation of float arithmetic.

    Returns:
        A callable that does what ``func`` does.

    Raises:
        ValueError: the function makes variables on a call that is not its first.
        TypeError: arguments that do not fit ``input_signature``.

    >>> import gradtape as tf
    >>> @tf.function
    ... def f(x):
    ...     return x * x + 1.0
    >>> print(f(tf.constant(3.0)))
    tf.Tensor(10.0, shape=(), dtype=float32)
    """
    make = lambda f: Function(
        f, None, input_signature, autograph, jit_compile, reduce_retracing, experimental_autograph_options, fast_math
    )
    return make if func is None else make(func)
