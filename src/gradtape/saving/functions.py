"""Traced functions written down, and functions made of what was written: they run, differentiate and compile without their Python source."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from ..core.tensor import Tensor, convert
from ..core.variable import Variable
from ..ground import nest
from ..ground.errors import OpError
from ..primitives.indexing import IndexedSlices
from ..tracing import engine
from ..tracing.concrete import ConcreteFunction
from ..tracing.function import Function, _BoundFunction
from ..tracing.signature import TensorSpec, describe, key_of, leaves_of
from .notation import NotExportable, Reader, Writer, damaged

# -- which traces a function has -------------------------------------------------------------------------------------------------------


def traces_of(f: Any) -> list[ConcreteFunction]:
    """The traces to save: those with open dimensions, and those that are not just one of these for known shapes; a method's own ones."""
    if isinstance(f, ConcreteFunction):
        return [f]
    function, instance = (f.__func__, f.__self__) if isinstance(f, _BoundFunction) else (f, None)
    if function._input_signature is not None:
        f.get_concrete_function()
    kept = [c for c in function._open.values() if c is not None]
    special = {id(s) for c in kept for s in c._at.values()}
    kept += [c for c in function._traces.values() if id(c) not in special]
    if instance is not None:
        kept = [c for c in kept if c._method and c.instance is instance]
    return list({id(c): c for c in kept}.values())


# -- writing -----------------------------------------------------------------------------------------------------------------------------


def write_function(f: Any, writer: Writer, number: Callable[[Variable], int]) -> dict[str, Any]:
    """A function: its parameters and those of its traces that can be written, with the reasons why others cannot."""
    traces, left_out = [], []
    for c in traces_of(f):
        try:
            traces.append(write_concrete(c, writer, number))
        except NotExportable as e:
            if isinstance(f, ConcreteFunction):
                raise
            left_out.append(str(e))
    function: Any = f.__func__ if isinstance(f, _BoundFunction) else f
    skip = 1 if isinstance(f, _BoundFunction) else 0
    signature = getattr(function, "_signature", None)
    parameters = None
    if signature is not None and not isinstance(f, ConcreteFunction):
        parameters = [_parameter(p, writer) for p in list(signature.parameters.values())[skip:]]
    return {"name": getattr(function, "_name", None) or function.name, "doc": getattr(function, "__doc__", None) if not isinstance(f, ConcreteFunction) else None,
            "parameters": parameters, "traces": traces, "left_out": left_out}  # fmt: skip


def _parameter(p: inspect.Parameter, writer: Writer) -> list:
    if p.default is p.empty:
        return [p.name, p.kind.name]
    try:
        return [p.name, p.kind.name, writer.value(p.default)]
    except NotExportable:
        return [p.name, p.kind.name]


def write_concrete(c: ConcreteFunction, writer: Writer, number: Callable[[Variable], int]) -> dict[str, Any]:
    """One trace.

    Raises:
        NotExportable: it holds something that only this program has.
    """
    if c._stand_ins:
        raise NotExportable(
            f"{c.name} takes variables as arguments: give it their values, or let it find them in its object"
        )
    program = c.program
    try:
        return {
            "name": c.name,
            "graph": writer.graph(program.graph),
            "results": program.n_results,
            "variables": [number(v) for v in program.variables],
            "assigned": [_place(v, program.variables) for v in program.assigned],
            "fast_math": isinstance(program.compiler, functools.partial),
            "structure": None if type(c._structure) is Tensor else _structure(c._structure, writer),
            "outputs": [_output(o, writer) for o in c._outputs],
            "parameters": [[name, kind, _argument(spec, writer)] for name, kind, spec in c._parameters],
            "inputs": list(c._input_names),
        }  # fmt: skip
    except NotExportable as e:
        raise NotExportable(f"{c.name} cannot be saved: {e}") from None


def _place(v: Variable, among: list[Variable]) -> int:
    return next(i for i, w in enumerate(among) if w is v)


def _structure(x: Any, writer: Writer) -> Any:
    """The form of results, 0 in place of the leaves."""
    if nest.is_nested(x):
        if isinstance(x, dict) or hasattr(x, "keys"):
            return {"d": [[writer.value(k), _structure(x[k], writer)] for k in x]}
        if isinstance(x, tuple) and hasattr(x, "_fields"):
            return {
                "nt": ["", type(x).__name__, [[k, _structure(v, writer)] for k, v in zip(x._fields, x, strict=True)]]
            }
        return {"t" if isinstance(x, tuple) else "l": [_structure(v, writer) for v in x]}
    return 0


def _output(o: Any, writer: Writer) -> Any:
    if isinstance(o, int):
        return o
    if o[0] == "value":
        return ["value", writer.value(o[1])]
    dense = o[2]
    return ["slices", o[1], writer.value(dense if dense is None or isinstance(dense, tuple) else tuple(dense))]


def _argument(spec: Any, writer: Writer) -> Any:
    if any([isinstance(x, IndexedSlices) for x in nest.flatten(spec)]):
        raise NotExportable("it takes IndexedSlices")
    return writer.value(spec)


# -- reading -----------------------------------------------------------------------------------------------------------------------------


def read_concrete(said: dict, reader: Reader, variables: Any) -> ConcreteFunction:
    """One trace.

    Raises:
        DataLossError: its parts do not fit together.
    """
    graph = reader.graph(said["graph"])
    mine = [variables[i] for i in said["variables"]]
    assigned = [mine[i] for i in said["assigned"]]
    names, n = [str(x) for x in said["inputs"]], int(said["results"])
    parameters = [(str(name), str(kind), reader.value(spec)) for name, kind, spec in said["parameters"]]
    outputs: list[Any] = [
        o
        if type(o) is int
        else ("value", reader.value(o[1]))
        if o[0] == "value"
        else ("slices", o[1], reader.value(o[2]))
        for o in said["outputs"]
    ]
    single = said["structure"] is None
    structure = Tensor(None, None) if single else reader.value(said["structure"])  # type: ignore[arg-type]
    results = [
        i for o in outputs for i in ([o] if isinstance(o, int) else [o[1], o[1] + 1] if o[0] == "slices" else [])
    ]
    specs = [s for _, _, p in parameters for s in leaves_of(p)]
    ends = graph.inputs[len(names) :]
    if (len(graph.outputs) != n + len(assigned) or any([type(i) is not int or not 0 <= i < n for i in results]) or len(specs) != len(names)
            or (outputs != [0] if single else len(nest.flatten(structure)) != len(outputs)) or len(ends) != len(mine)
            or any([v.aval.dtype is not w._d for v, w in zip(ends, mine)])
            or any([s.dtype is not v.aval.dtype or (tuple(s.shape) != v.aval.shape) for s, v in zip(specs, graph.inputs)])):  # fmt: skip
        raise damaged(f"the parts of the function {said['name']!r} do not fit together")
    compiler = functools.partial(engine.compile, fast_math=True) if said["fast_math"] else engine.compile
    args = tuple([p for _, kind, p in parameters if kind != "KEYWORD_ONLY"])
    kwargs = {name: p for name, kind, p in parameters if kind == "KEYWORD_ONLY"}
    return ConcreteFunction(str(said["name"]), graph, [], n, mine, assigned, compiler, structure, outputs, args, kwargs, parameters, names, [], [], False)  # fmt: skip


class RestoredFunction:
    """A function of a saved model: the traces that it had when it was saved.

    Attributes:
        concrete_functions: the traces.
        left_out: why others were not saved.
    """

    def __init__(self, said: dict, reader: Reader, variables: Any) -> None:
        self.__name__ = self.name = str(said["name"])
        self.__doc__ = None if said["doc"] is None else str(said["doc"])
        self.concrete_functions = [read_concrete(t, reader, variables) for t in said["traces"]]
        self.left_out = [str(reason) for reason in said["left_out"]]
        self._signature = None
        if said["parameters"] is not None:
            kinds = {k.name: k for k in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD)}  # fmt: skip
            ps = [
                inspect.Parameter(p[0], kinds[p[1]], **({"default": reader.value(p[2])} if len(p) > 2 else {}))
                for p in said["parameters"]
            ]
            self._signature = inspect.Signature(ps)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        given = self._bound(args, kwargs)
        for c in self.concrete_functions:
            leaves = _fitting(c, given)
            if leaves is not None:
                return c.call_flat(leaves)
        raise ValueError(self._no_match(given))

    def _bound(self, args: tuple, kwargs: dict) -> dict[str, Any]:
        """The arguments by the parameters' names."""
        if self._signature is None:
            return {f"arg{i}": a for i, a in enumerate(args)} | kwargs
        try:
            bound = self._signature.bind(*args, **kwargs)
        except TypeError as e:
            raise TypeError(
                f"Binding inputs to {self.name} failed due to `{e}`. Received args: {args} and kwargs: {kwargs} for signature: {self._signature}."
            ) from None
        bound.apply_defaults()
        return bound.arguments

    def get_concrete_function(self, *args: Any, **kwargs: Any) -> ConcreteFunction:
        """The saved trace for arguments of this form; TensorSpecs may stand for tensors.

        Raises:
            ValueError: there is none.
        """
        if not args and not kwargs and len(self.concrete_functions) == 1:
            return self.concrete_functions[0]
        given = self._bound(args, kwargs)
        for c in self.concrete_functions:
            if _fitting(c, given) is not None:
                return c
        raise ValueError(self._no_match(given))

    def _no_match(self, given: dict[str, Any]) -> str:
        if not self.concrete_functions:
            why = f" Traces that it had could not be saved: {'; '.join(self.left_out)}" if self.left_out else ""
            return f"Found zero restored functions for caller function: {self.name} was never called, and had no input_signature, before it was saved.{why}"
        lines = [f"Could not find matching concrete function to call loaded from the SavedModel. Got for {self.name}:"]
        lines += [f"    {name}: {describe(_shown(x))}" for name, x in given.items()] or ["    nothing"]
        lines.append(
            f"\n Expected these arguments to match one of the following {len(self.concrete_functions)} option(s):"
        )
        for i, c in enumerate(self.concrete_functions, 1):
            lines.append(f"\nOption {i}:")
            lines += [f"    {name}: {describe(spec)}" for name, _, spec in c._parameters] or ["    nothing"]
        lines += [f"\nNot saved: {reason}" for reason in self.left_out]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<RestoredFunction {self.name} with {len(self.concrete_functions)} traces>"


def _shown(x: Any) -> Any:
    return convert(x) if isinstance(x, Variable) else x


class _NoMatch(Exception):
    pass


def _fitting(c: ConcreteFunction, given: dict[str, Any]) -> list[Tensor] | None:
    """The tensors of the arguments, in order, if the trace was made for such; None if not."""
    if len(given) != len(c._parameters):
        return None
    leaves: list[Any] = []
    try:
        for name, _, spec in c._parameters:
            if name not in given:
                return None
            key_of(_as(spec, given[name]), leaves)
    except _NoMatch:
        return None
    return leaves


def _as(spec: Any, x: Any) -> Any:
    """``x`` with tensors where ``spec`` has some. _NoMatch where it cannot stand for ``spec``."""
    if isinstance(spec, TensorSpec):
        if isinstance(x, TensorSpec):
            t: Any = x
        else:
            try:
                t = convert(x, None, spec.dtype)
            except (TypeError, ValueError, OpError):
                raise _NoMatch from None
        if not spec.is_compatible_with(t):
            raise _NoMatch
        return t
    if isinstance(spec, dict):
        if not isinstance(x, dict) or spec.keys() != x.keys():
            raise _NoMatch
        return {k: _as(s, x[k]) for k, s in spec.items()}
    if isinstance(spec, list | tuple):
        if not isinstance(x, list | tuple) or isinstance(x, list) != isinstance(spec, list) or len(x) != len(spec):
            raise _NoMatch
        items = [_as(s, v) for s, v in zip(spec, x, strict=True)]
        return type(spec)(*items) if hasattr(spec, "_fields") else type(spec)(items)
    if isinstance(x, Tensor | Variable) or type(x) is not type(spec):
        raise _NoMatch
    try:
        same = x is spec or key_of(x, []) == key_of(spec, [])
    except TypeError:
        same = False
    if not same:
        raise _NoMatch
    return x


# -- signatures ------------------------------------------------------------------------------------------------------------------------


def signature_of(c: ConcreteFunction) -> tuple[list[tuple[str, TensorSpec]], dict[str, int]]:
    """Names and specs of the inputs of a serving signature, and for each output's name the number of the result.

    Raises:
        ValueError: an argument has no name of its own, or the results are no tensors, sequence of tensors or dict of them.
    """
    inputs = []
    for spec, name in zip([s for _, _, p in c._parameters for s in leaves_of(p)], c._input_names, strict=True):
        inputs.append((spec.name or name, TensorSpec(spec.shape, spec.dtype, spec.name or name)))
    if len({n for n, _ in inputs}) != len(inputs):
        raise ValueError(f"The inputs of the signature {c.name} need different names, but are {[n for n, _ in inputs]}: name its TensorSpecs.")  # fmt: skip
    s = c._structure
    if type(s) is Tensor:
        named: dict[str, Any] = {"output_0": c._outputs[0]}
    elif isinstance(s, dict) and all([isinstance(k, str) and not nest.is_nested(v) for k, v in s.items()]):
        named = dict(zip(sorted(s), c._outputs, strict=True))
    elif isinstance(s, list | tuple) and not any([nest.is_nested(v) for v in s]):
        named = {f"output_{i}": o for i, o in enumerate(c._outputs)}
    else:
        named = {"": ("value", s)}
    wrong = [k for k, o in named.items() if not isinstance(o, int)]
    if wrong:
        raise ValueError(
            f"Got a non-Tensor value in the output of the function {c.name} used to generate a SavedModel signature. "
            "Outputs for functions used as signatures must be a single Tensor, a sequence of Tensors, or a dictionary from string to Tensor."
        )
    return inputs, named


class Signature(ConcreteFunction):
    """An entry point of a saved model: takes tensors by name and returns a dict of tensors."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        names = [name for name, _, _ in self._parameters]
        if len(args) > (len(names) == 1):
            raise TypeError(f"The signature {self.name} takes its arguments by name: {', '.join(names)}.")
        given = dict(zip(names, args)) | kwargs
        if given.keys() != set(names):
            raise TypeError(f"The signature {self.name} takes the arguments {names}, but was given {list(given)}.")
        leaves = _fitting(self, given)
        if leaves is None:
            wrong = [
                f"{name}: {describe(_shown(given[name]))} for {describe(spec)}"
                for name, _, spec in self._parameters
                if not _fits(spec, given[name])
            ]
            raise TypeError(f"The signature {self.name} was given {'; '.join(wrong)}.")
        return self.call_flat(leaves)


def _fits(spec: Any, x: Any) -> bool:
    try:
        _as(spec, x)
    except _NoMatch:
        return False
    return True


def as_signature(c: ConcreteFunction, name: str) -> Signature:
    """The trace as a function of named tensors that returns a dict of tensors."""
    inputs, named = signature_of(c)
    order = sorted(named)
    parameters = [(n, "POSITIONAL_OR_KEYWORD", spec) for n, spec in inputs]
    p = c.program
    return Signature(name, c.graph, [], p.n_results, p.variables, p.assigned, p.compiler, dict.fromkeys(named, 0), [named[k] for k in order],
                     (), dict(inputs), parameters, [n for n, _ in inputs], [], [], False)  # fmt: skip


def is_exportable(x: Any) -> bool:
    """Whether ``x`` is a function that a saved model can hold."""
    return isinstance(x, Function | _BoundFunction | ConcreteFunction | RestoredFunction)
