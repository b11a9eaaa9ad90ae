"""``tf.function``: a Python function traced once for each form of its arguments, and run as a program from then on."""

from __future__ import annotations

import contextlib
import functools
import inspect
import threading
import types
import warnings
import weakref
from collections import OrderedDict
from collections.abc import Callable
from operator import is_
from typing import Any

from ..core.state import state
from ..core.tensor import Tensor, convert
from ..core.variable import Variable
from ..ground import nest
from ..ground.errors import user_frame
from ..ground.primitive import Aval
from ..primitives.indexing import IndexedSlices
from . import engine
from .concrete import CACHE_SIZE, ConcreteFunction
from .signature import (
    Ref,
    TensorSpec,
    argument_names,
    bound_items,
    describe,
    is_leaf,
    key_of,
    leaves_of,
    parameters_of,
    replace_leaves,
    specs_of,
)
from .trace import EscapedError, Trace

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


@functools.cache
def _load() -> None:
    """Load what traces and compiles with the first function that is made, not in its first call."""
    from . import staging

    _ = staging
    engine.load()


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
        self._reduce = reduce_retracing
        self._by_identity = False  # variables among the arguments are told apart
        self._warned = False
        self._start()
        try:
            self._signature: inspect.Signature | None = inspect.signature(python_function)
        except (TypeError, ValueError):
            self._signature = None
        self._positional, self._simple = self._read_signature()
        self._skip = (
            int(next(iter(self._signature.parameters), "") in ("self", "cls")) if self._signature else 0
        )  # not in an input_signature
        self._input_signature = None if input_signature is None else self._checked(input_signature)
        self._method = False  # called as one: its object is told apart by identity
        _load()

    def _start(self) -> None:
        """Nothing traced yet."""
        self._lock = threading.RLock()
        self._traces: OrderedDict[Any, ConcreteFunction] = OrderedDict()
        # for reduce_retracing: the shapes met, joined, for each form
        self._met: OrderedDict[Any, list] = OrderedDict()
        self._open: OrderedDict[Any, ConcreteFunction | None] = OrderedDict()  # traces with open dimensions
        self._converted: Callable | None = None
        self._count = 0
        self._recent: list[bool] = []
        self._last: list[str] = []  # the latest arguments, in words
        self._variables_made = False
        # the latest trace's way for calls with tensors alone, and a reference to the object whose method it is
        self._front: tuple[Callable, Any] | None = None

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

    def show(self, *args: Any, **kwargs: Any) -> Any:
        """The function as a picture to step through, forward and then backward.

        Args:
            args, kwargs: arguments to show it with, whose values and derivatives the picture then has. Without them the latest trace is shown, with
                shapes in place of values.

        Returns:
            A ``Picture``: notebooks show it; ``save(path)`` writes the page, ``open()`` shows it in the browser, ``svg(path)`` and ``png(path)`` export.

        Raises:
            ValueError: no arguments, and the function has not been traced.

        Variables that the function assigns get their values back.

        >>> import gradtape as tf
        >>> @tf.function
        ... def f(x):
        ...     return tf.sin(x) * x
        >>> f.show(tf.constant(2.0))
        <Picture of 2 operations: save('picture.html') writes the page, open() shows it in the browser, svg() and png() export>
        """
        import importlib  # what shows stands above what it shows

        return importlib.import_module("gradtape.explain").show_function(self, args, kwargs)

    # -- calling ------------------------------------------------------------------------------------------------------
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if _eagerly:
            return self._python_function(*args, **kwargs)
        front = self._front
        if front is not None and not (kwargs or state.tapes or state.check) and state.trace is None:
            run, owner = front
            out = run(*args) if owner is None else run(*args[1:]) if args and owner() is args[0] else None
            if out is not None:
                return out if type(out) is Tensor else out[0]
        if kwargs or not self._simple or len(args) != self._positional:
            args, kwargs = self._bind(args, kwargs)
        if self._input_signature is not None:
            args = self._cast_to_signature(args)
        leaves: list[Any] = []
        parts: list[Any] = []
        variables = None
        for a in args:
            if type(a) is Tensor and type(a._a) is not bytes:
                leaves.append(a)
                parts += (a._d, a._a.shape)
            else:
                self._part(a, parts, leaves)
                variables = leaves
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
        if variables is not None or kwargs:
            variables = [x for x in leaves if isinstance(x, Variable)]
            if variables:
                leaves = [x for x in leaves if not isinstance(x, Variable)]
                if self._by_identity or (concrete is not None and concrete.captures(variables)):
                    # one that the function also knows by another way: what is assigned by one must show in the other
                    key = (*key, *[Ref(v, True) for v in variables])
                    concrete = self._traces.get(key)
        if concrete is None:
            count = self._count
            self._front = None
            try:
                concrete = self._find(key, args, kwargs, leaves, variables or [])
            except EscapedError as error:
                if not _around(error.trace):
                    raise
                return self._callable()(*args, **kwargs)  # made within the function that is being traced: a part of it
            if self._count > count:
                self._note(True, args, kwargs)
        else:
            if len(self._traces) >= CACHE_SIZE:
                with self._lock:
                    if key in self._traces:
                        self._traces.move_to_end(key)
            if self._recent:
                self._note(False, args, kwargs)
            elif not (state.tapes or state.check or kwargs) and state.trace is None:
                self._arm(concrete, args, leaves)
        return concrete.call_flat(leaves, variables if concrete._stand_ins else None)

    def _arm(self, concrete: ConcreteFunction, args: tuple, leaves: list) -> None:
        """Let the next call with tensors alone, of the same forms, go straight to the program."""
        owner = None
        if self._method and args:
            try:
                owner, args = weakref.ref(args[0]), args[1:]
            except TypeError:
                return
        if len(args) == len(leaves) and all(map(is_, args, leaves)):
            run = concrete.front
            self._front = None if run is None else (run, owner)

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
        try:
            t = a if isinstance(a, Tensor) else convert(a, None, spec.dtype)
        except (TypeError, ValueError) as e:
            raise TypeError(
                f"Binding inputs to tf.function failed due to `Cannot convert {a!r} to {spec!r}`. Function {self._name}."
            ) from e
        if t._d is not spec.dtype or not spec.shape.is_compatible_with(t._shape):
            raise TypeError(
                f"Binding inputs to tf.function failed due to `Can not cast TensorSpec(shape={t.shape}, dtype={t._d!r}, name=None) to {spec!r}`. Function {self._name}."
            )
        return t

    def get_concrete_function(self, *args: Any, **kwargs: Any) -> ConcreteFunction:
        """The trace for arguments of this form; TensorSpecs may stand for tensors, and may leave dimensions open.

        Raises:
            ValueError: a TensorSpec leaves the rank open.
        """
        if self._input_signature is not None and len(args) <= self._skip and not kwargs:
            args = (*args, *self._input_signature)
        args, kwargs = self._bind(args, kwargs)
        for x in leaves_of((args, kwargs)):
            if isinstance(x, TensorSpec) and x.shape.rank is None:
                raise ValueError(
                    f"{self._name}: a concrete function needs known ranks, but {x!r} leaves the rank open. Call the function itself: it traces for each rank."
                )
        key = self._key(args, kwargs)
        with self._lock:
            return self._traces.get(key) or self._open.get(key) or self._trace(key, args, kwargs, [])

    def _key(self, args: tuple, kwargs: dict) -> tuple:
        """The key of arguments of this form."""
        leaves: list[Any] = []
        parts: list[Any] = []
        for a in args:
            self._part(a, parts, leaves)
        if kwargs:
            parts.append(tuple([(k, key_of(v, leaves)) for k, v in kwargs.items()]))
        return (*parts, "checked") if state.check else tuple(parts)

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
                file, line = user_frame() or ("<unknown>", 0)
                warnings.warn_explicit(
                    f"{sum(self._recent)} out of the last {len(self._recent)} calls to {self._name} triggered tracing, which is expensive. {self._difference(args, kwargs)} "
                    "Pass tensors instead of Python values, keep shapes the same, and make tf.functions outside of loops.",
                    RetraceWarning, file, line)  # fmt: skip
            self._last = [describe(a) for a in (*args, *kwargs.values())]  # in words: the arguments are not held
        elif True not in self._recent:
            self._recent = []  # ten calls without tracing: no more counting until the next trace

    def _difference(self, args: tuple, kwargs: dict) -> str:
        if not self._last:
            return ""
        names = list(self._signature.parameters) if self._signature else []
        for i, (old, new) in enumerate(zip(self._last, map(describe, (*args, *kwargs.values())))):
            if old != new:
                name = names[i] if i < len(names) else f"#{i}"
                return f"Argument {name!r} was {old} and is now {new}."
        return ""

    def _find(
        self, key: Any, args: tuple, kwargs: dict, leaves: list[Tensor], variables: list[Variable]
    ) -> ConcreteFunction:
        """The trace for a form of arguments that is met for the first time."""
        with self._lock:
            found = self._traces.get(key)
            if found is None:
                wider = self._wider(args, kwargs, leaves)
                if wider is not None:
                    found = self._open_trace(*wider)
                    if found is not None and not any(None in v.aval.shape for v in found.graph.inputs[len(leaves) :]):
                        found = found.at(leaves, variables if found._stand_ins else None)
                if found is None:
                    found = self._trace(key, args, kwargs, variables)
                else:
                    self._keep(self._traces, key, found)
            return found

    def _keep(self, cache: OrderedDict, key: Any, value: Any) -> None:
        cache[key] = value
        if len(cache) > CACHE_SIZE:
            cache.popitem(last=False)

    def _wider(self, args: tuple, kwargs: dict, leaves: list[Tensor]) -> tuple[tuple, dict] | None:
        """The arguments with specs that leave dimensions open, where the signature or the shapes met so far ask for it."""
        if self._input_signature is not None:
            rest = iter(leaves_of(args[: self._skip]))
            wanted = [*rest, *nest.flatten(list(self._input_signature))]
            shapes = [
                x._shape if i >= len(wanted) or not isinstance(wanted[i], TensorSpec)
                else (None,) * len(x._shape) if wanted[i].shape.rank is None else tuple(wanted[i].shape)
                for i, x in enumerate(leaves)
            ]  # fmt: skip
        elif self._reduce:
            ranks = lambda x: TensorSpec([None] * len(x.shape), x.dtype)
            form = self._key(
                *replace_leaves((args, kwargs), lambda x: ranks(x if isinstance(x, TensorSpec) else convert(x)))
            )
            known = self._met.get(form)
            now = [x._shape for x in leaves]
            shapes = [
                s if m is None else tuple([d if d == e else None for d, e in zip(s, m, strict=True)])
                for s, m in zip(now, known or [None] * len(now), strict=True)
            ]
            self._keep(self._met, form, shapes)
        else:
            return None
        if not any([None in s for s in shapes]):
            return None
        it = iter(shapes)
        open_spec = lambda x: TensorSpec(next(it), x.dtype if isinstance(x, TensorSpec) else convert(x)._d)
        return replace_leaves((args, kwargs), open_spec)

    def _open_trace(self, args: tuple, kwargs: dict) -> ConcreteFunction | None:
        """The trace for specs with open dimensions; None where the function needs to know them."""
        key = self._key(args, kwargs)
        if key not in self._open:
            try:
                found = self._trace(key, args, kwargs, [])
            except Exception:  # if it is not for the open dimensions, tracing with known ones will say so
                found = None
            self._traces.pop(key, None)
            self._keep(self._open, key, found)
        return self._open[key]

    def _trace(self, key: Any, args: tuple, kwargs: dict, variables: list[Variable]) -> ConcreteFunction:
        """Trace for arguments of this form, and keep the trace."""
        f = self._callable()
        if not variables:
            variables = _variables_of((args, kwargs))
        concrete, made = self._trace_once(f, args, kwargs)
        if made:
            if self._variables_made:
                raise ValueError(_MADE_AGAIN)
            self._variables_made = True
            if variables:  # what was made may belong to them, as an optimizer's slots do
                self._by_identity = True
            concrete, again = self._trace_once(f, args, kwargs)  # as in TensorFlow: it must find them made
            if again:
                self._variables_made = False
                raise ValueError(_MADE_AGAIN)
        elif variables and not self._by_identity and concrete.captures(variables):
            concrete, _ = self._trace_once(f, args, kwargs, by_identity=True)
            key = (*key, *[Ref(v, True) for v in variables])
        self._keep(self._traces, key, concrete)
        if self._method and args:
            with contextlib.suppress(TypeError):  # no references to such an object
                weakref.finalize(args[0], Function._forget, weakref.ref(self)).atexit = False
        return concrete

    @staticmethod
    def _forget(me: weakref.ref) -> None:
        """An object has died whose method this is: what was traced for it goes, and the variables with it."""
        self = me()
        if self is not None:
            if self._front is not None and self._front[1] is not None and self._front[1]() is None:
                self._front = None
            for cache in (self._traces, self._open):
                for key in [k for k in list(cache) if any([type(p) is Ref and p._ref() is None for p in k])]:
                    cache.pop(key, None)

    def _callable(self) -> Callable:
        if self._converted is None:
            self._converted = self._python_function
            if self._autograph:
                from .staging import convert_control_flow

                self._converted = convert_control_flow(self._python_function)
        return self._converted

    def _trace_once(
        self, f: Callable, args: tuple, kwargs: dict, by_identity: bool = False
    ) -> tuple[ConcreteFunction, bool]:
        """One trace, and whether it made variables."""
        self._count += 1
        trace = Trace(self._name)
        names = argument_names(self._signature, args, kwargs)
        it = iter(names)
        stand_ins: dict[int, Variable] = {}
        in_place = None if by_identity or self._by_identity else lambda v: stand_ins.setdefault(id(v), v._stand_in())
        with trace:
            make = lambda x: trace.input(_aval(x), next(it))
            s_args, s_kwargs = replace_leaves((args, kwargs), make, in_place)
            n_args = len(trace.inputs)
            given = replace_leaves((s_args, s_kwargs), lambda x: x)
            try:
                result = f(*s_args, **s_kwargs)
            finally:  # also after an error: the user's objects may hold the variables by now
                if trace.created:
                    trace.initialise(leaves_of((args, kwargs)))
            if not _unchanged(given, (s_args, s_kwargs)):
                changed = [n for n, _ in bound_items(self._signature, args, kwargs)]
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
        graph.inputs = [t.value for t in trace.inputs[:n_args]] + [c.first.value for c in cells]
        structure = result
        if outputs == [0] and not nest.is_nested(result):
            structure = Tensor(None, None)  # type: ignore[arg-type]  # a single tensor
        concrete = ConcreteFunction(
            self._name, graph, trace.constants(), len(tensors), [c.variable for c in cells], [c.variable for c in assigned], self._compiler(),
            structure, outputs, _held(specs_of(args), self._method), specs_of(kwargs), parameters_of(self._signature, args, kwargs)[self._method :], names,
            trace._inner, list(stand_ins.values()), self._method,
        )  # fmt: skip
        concrete._again = lambda: self._replace(concrete)
        return concrete, bool(trace.created)

    def _replace(self, old: ConcreteFunction) -> ConcreteFunction:
        """Trace again what ``old`` is the trace of."""
        with self._lock:
            new, _ = self._trace_once(
                self._callable(),
                tuple([a() if isinstance(a, weakref.ref) else a for a in old._args]),
                old._kwargs,
                by_identity=not old._stand_ins,
            )
            for cache in (self._traces, self._open):
                cache.update({key: new for key, found in cache.items() if found is old})
            return new

    def _compiler(self) -> Callable:
        return functools.partial(engine.compile, fast_math=True) if self.fast_math else engine.compile

    def __getstate__(self) -> dict:
        """Without traces: a copy is traced anew."""
        fresh = (
            "_lock",
            "_traces",
            "_met",
            "_open",
            "_recent",
            "_last",
            "_converted",
            "_count",
            "_variables_made",
            "_front",
        )
        return {k: v for k, v in self.__dict__.items() if k not in fresh}

    def __setstate__(self, kept: dict) -> None:
        self.__dict__.update(kept)
        self._start()

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

    @property
    def __wrapped__(self) -> Any:
        """The Python method: ``inspect.signature`` has no ``self``, as of any bound method."""
        return types.MethodType(self.__func__.python_function, self.__self__)

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


def _held(args: tuple, method: bool) -> tuple:
    """The arguments to keep: of a method's object only a reference, so that a trace does not keep it alive."""
    try:
        return (weakref.ref(args[0]), *args[1:]) if method else args
    except TypeError:
        return args


def _around(trace: Trace) -> bool:
    """Whether ``trace`` is on, here or further out."""
    t = state.trace
    while t is not None:
        if t is trace:
            return True
        t = t.parent
    return False


def _variables_of(args: Any) -> list[Variable]:
    """The variables of a nest of arguments, each once."""
    found: dict[int, Variable] = {}
    replace_leaves(args, lambda x: x, lambda v: found.setdefault(id(v), v))
    return list(found.values())


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


def function(func: Callable | None = None, input_signature: Any = None, autograph: bool = True, jit_compile: bool | None = None, reduce_retracing: bool = False,
             experimental_implements: Any = None, experimental_autograph_options: Any = None, experimental_attributes: Any = None,
             experimental_relax_shapes: Any = None, experimental_compile: Any = None, experimental_follow_type_hints: Any = None, fast_math: bool = False) -> Any:  # fmt: skip
    """Make a Python function over tensors into a compiled program; also a decorator.

    Args:
        func: the function. It is traced once for each form of its arguments (dtypes, shapes, Python values, structure).
        input_signature: a list of TensorSpecs that the arguments must fit. It is traced once, with unknown dimensions open, and compiled for each shape that is met.
        autograph: turn Python control flow over tensors into graph control flow.
        jit_compile: accepted; every function is compiled.
        reduce_retracing: where shapes change from call to call, trace once more with the dimensions that changed left open, and then not again.
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
