"""Tracing: the same calls as in eager execution, on symbolic tensors, build a graph.

A symbolic tensor holds an abstract value (shape and dtype) where an eager one holds an array. The dispatch hands operations on it to
``SymbolicTensor._interpret``, which appends a node to the innermost trace. Tapes record symbolic operations by the same code as
eager ones, so a gradient taken while tracing adds its operations to the graph.

Variables are read and assigned through ``Trace.read`` and ``Trace.assign``: the first read makes an input of the graph, the last
assigned value an output, and in between the current value is a symbolic tensor like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..core import numerics
from ..core.state import state
from ..core.tensor import Tensor, convert
from ..core.variable import Variable
from ..ground.errors import user_frame
from ..ground.graph import Graph, Node, Value
from ..ground.primitive import Aval, Primitive
from ..primitives.elementwise import check_numerics

_NAMES = {"add": "add", "subtract": "sub", "multiply": "mul", "divide": "truediv", "sum": "Sum", "mean": "Mean", "identity": "Identity"}


class OperatorNotAllowedInGraphError(TypeError):
    """Python asked a traced tensor for its value: it has none yet."""


class SymbolicTensor(Tensor):
    """A tensor of a traced function: shape and dtype are known, the value is not."""

    __slots__ = ("_name", "trace", "value")
    _special = 1

    def __init__(self, trace: Trace, value: Value, name: str) -> None:
        self.trace, self.value, self._name = trace, value, name
        self._a = value.aval
        self._d = value.aval.dtype
        self._k = 0

    def _interpret(self, p: Primitive, xs: tuple, attrs: dict[str, Any]) -> Any:
        trace = state.trace
        if trace is None:
            raise _escaped(next(x for x in xs if isinstance(x, SymbolicTensor)))
        return trace.emit(p, xs, attrs)

    @property
    def name(self) -> str:
        """The name in the graph."""
        return self._name

    def _refuse(self, what: str) -> OperatorNotAllowedInGraphError:
        from ..ground.errors import user_line

        return OperatorNotAllowedInGraphError(
            f"Using a symbolic `tf.Tensor` as a Python `{what}` is not allowed: while a tf.function is traced, a tensor has no value yet. Use tf.cond or tf.while_loop, "
            f"leave autograph on, compute the value outside, or set tf.config.run_functions_eagerly(True) to debug.{user_line()}"
        )

    def __bool__(self) -> bool:
        raise self._refuse("bool")

    __nonzero__ = __bool__

    def __int__(self) -> int:
        raise self._refuse("int")

    def __float__(self) -> float:
        raise self._refuse("float")

    def __complex__(self) -> complex:
        raise self._refuse("complex")

    def __index__(self) -> int:
        raise self._refuse("int")

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        from ..ground.errors import user_line

        raise NotImplementedError(
            f"Cannot convert a symbolic tf.Tensor ({self._name}) to a numpy array. This error may indicate that you're trying to pass a Tensor to a NumPy call, "
            f"which is not supported: use the tf function of that name, or tf.py_function.{user_line()}"
        )

    def numpy(self) -> Any:
        """No value while tracing."""
        raise AttributeError("'SymbolicTensor' object has no attribute 'numpy': while a tf.function is traced, a tensor has no value yet")

    def __format__(self, spec: str) -> str:
        return format(str(self), spec) if spec else str(self)

    def __str__(self) -> str:
        return f'Tensor("{self._name}", shape={self.shape}, dtype={self._d.name})'

    def __repr__(self) -> str:
        return f"<tf.Tensor '{self._name}' shape={self.shape} dtype={self._d.name}>"

    def __deepcopy__(self, memo: Any) -> SymbolicTensor:
        return self

    def __reduce__(self) -> tuple:
        raise TypeError(f"A symbolic tensor ({self._name}) cannot be pickled.")


def _escaped(x: SymbolicTensor) -> Exception:
    return TypeError(
        f"{x} is out of scope: it was made while {x.trace.name!r} was traced and is used outside of it. Return it from the function, or keep values in a tf.Variable."
    )


class Trace:
    """A graph in the making. ``with trace:`` makes it the one that operations of this thread go to.

    Args:
        name: the function's name, for messages.
        parent: the trace around it (of which control flow traces its branches); values of it are captured as inputs.
    """

    def __init__(self, name: str, parent: Trace | None = None) -> None:
        self.name, self.parent = name, parent
        self.nodes: list[Node] = []
        self.inputs: list[SymbolicTensor] = []
        self.captures: list[tuple[SymbolicTensor, SymbolicTensor]] = []  # (the parent's tensor, the input that stands for it)
        self.variables: dict[int, _Cell] = {}
        self.created: list[Variable] = []
        self._consts: dict[int, tuple[Tensor, Value]] = {}
        self._captured: dict[int, SymbolicTensor] = {}
        self._counts: dict[str, int] = {}
        self.line: tuple[str, int] | None = None  # whose line new nodes are for, where it is not the caller's
        self._known: dict[int, tuple] = {}

    # While a trace is on, it sits among the tapes and hears of every operation on eager tensors. Those run at once, but if a result is used in the graph, so are
    # the operations that made it: a program differentiates with respect to what it took from its surroundings, and folds what is constant anyway.
    _auto = False
    _live: frozenset = frozenset()

    def _record(self, p: Any, xs: tuple, out: Any, attrs: dict[str, Any] | None) -> None:
        if getattr(p, "plan", None) is None or not isinstance(p, Primitive):
            return
        for i, o in enumerate(out if p.multi else (out,)):
            if type(o) is Tensor:
                self._known[id(o)] = (o, p, xs, attrs or {}, i)

    def made_by(self, x: Tensor) -> tuple | None:
        """The row and inputs of the operation that made an eager tensor while this trace, or one around it, was on."""
        known = self._known.get(id(x))
        if known is not None:
            return known[1], known[2]
        return self.parent.made_by(x) if self.parent is not None else None

    def __enter__(self) -> Trace:
        global _depth
        _depth += 1
        Variable._trace = staticmethod(_current)  # type: ignore[assignment]
        self._outer = state.trace, state.tapes
        state.trace, state.tapes = self, (self,)
        return self

    def __exit__(self, *exc: Any) -> None:
        global _depth
        state.trace, state.tapes = self._outer
        _depth -= 1
        if not _depth:
            Variable._trace = None

    # -- values -------------------------------------------------------------------------------------------------------
    def input(self, aval: Aval, name: str) -> SymbolicTensor:
        """A new input."""
        t = SymbolicTensor(self, Value(aval), self.unique(name) + ":0")
        self.inputs.append(t)
        return t

    def unique(self, name: str) -> str:
        """``name``, with a number behind it if it was used before."""
        n = self._counts.get(name, 0)
        self._counts[name] = n + 1
        return f"{name}_{n}" if n else name

    def value_of(self, x: Tensor) -> Value:
        """The value that stands for ``x`` here: its own, a captured one, or a constant."""
        if isinstance(x, SymbolicTensor):
            if x.trace is self:
                return x.value
            return self.capture(x).value
        known = self._consts.get(id(x))
        if known is None and id(x) in self._known:
            _, p, xs, attrs, i = self._known[id(x)]
            ins = tuple([self.value_of(y) for y in xs])
            avals = p.shape(*[v.aval for v in ins], **attrs)
            node = Node(p, ins, attrs, list(avals) if p.multi else [avals], self.line or user_frame())
            self.nodes.append(node)
            known = self._consts[id(x)] = (x, node.outs[i])
        if known is None:
            known = self._consts[id(x)] = (x, Value(Aval(x._shape, x._d), const=x._a))
        return known[1]

    def capture(self, x: SymbolicTensor) -> SymbolicTensor:
        """The input that stands for a tensor of a trace further out."""
        if self.parent is None:
            raise _escaped(x)
        t = self._captured.get(id(x.value))
        if t is None:
            if x.trace is not self.parent:
                outer = self.parent.capture(x)
            else:
                outer = x
            t = self.input(x.value.aval, "captured")
            self.captures.append((outer, t))
            self._captured[id(x.value)] = t
        return t

    def emit(self, p: Primitive, xs: tuple, attrs: dict[str, Any]) -> Any:
        """Append ``p`` on ``xs`` to the graph; what ``run`` is for eager tensors."""
        d = xs[p.like]._d if xs else None
        if d is not None and not d.kind & p.accepts:
            from ..core.dispatch import _bad_dtype

            raise _bad_dtype(p, d)
        ins = tuple([self.value_of(x) for x in xs])
        avals = p.shape(*[v.aval for v in ins], **attrs)
        node = Node(p, ins, attrs, list(avals) if p.multi else [avals], self.line or user_frame())
        self.nodes.append(node)
        if state.check:
            for v in node.outs:
                if v.aval.dtype.is_inexact and not p.effect:
                    told = {"message": numerics.message(p.name, v.aval.shape, v.aval.dtype)}
                    self.nodes.append(Node(check_numerics, (v,), told, [v.aval], node.line))
        base = self.unique(_NAMES.get(p.name, p.name))
        outs = tuple([SymbolicTensor(self, v, f"{base}:{i}") for i, v in enumerate(node.outs)])
        out: Any = outs if p.multi else outs[0]
        for tape in state.tapes:
            tape._record(p, xs, out, attrs)
        return out

    def local(self, x: Any) -> SymbolicTensor:
        """``x`` (eager, of this trace or of one further out) as a symbolic tensor of this trace."""
        x = convert(x)
        if isinstance(x, SymbolicTensor) and x.trace is self:
            return x
        return SymbolicTensor(self, self.value_of(x), self.unique("const") + ":0")

    # -- variables ----------------------------------------------------------------------------------------------------
    def cell(self, v: Variable) -> _Cell:
        """What this trace knows of ``v``; on the first meeting its value becomes an input (or a capture of the parent's)."""
        c = self.variables.get(id(v))
        if c is None:
            if self.parent is not None:
                outer = self.parent.cell(v).current
                first: Any = self.capture(outer) if isinstance(outer, SymbolicTensor) and outer.trace is self.parent else self._pass_in(outer)
            else:
                first = self.input(Aval(v._t._shape, v._d), v._name[:-2].replace(":", "_"))
            c = self.variables[id(v)] = _Cell(v, first)
        return c

    def _pass_in(self, outer: Tensor) -> SymbolicTensor:
        assert self.parent is not None
        return self.capture(self.parent.local(outer))

    def read(self, v: Variable) -> Tensor:
        """The current value of ``v``."""
        return self.cell(v).current

    def assign(self, v: Variable, t: Tensor) -> None:
        """Make ``t`` the current value of ``v``."""
        c = self.cell(v)
        # a tensor of its own, as in eager execution: tapes must not take the value read from the variable for the one assigned
        c.current = SymbolicTensor(self, self.value_of(t), v._name)
        c.assigned = True

    def root(self) -> Trace:
        """The outermost trace around this one."""
        return self if self.parent is None else self.parent.root()

    def update(self, v: Variable, p: Primitive, d: Tensor) -> None:
        """Make ``p(current, d)`` the current value of ``v``; as in eager execution no tape hears of it."""
        tapes, state.tapes = state.tapes, ()
        try:
            self.assign(v, p(self.read(v), d))
        finally:
            state.tapes = tapes

    def finish(self, outputs: Sequence[Tensor], name: str) -> Graph:
        """The graph that computes ``outputs``."""
        return Graph([t.value for t in self.inputs], [self.value_of(t) for t in outputs], self.nodes, name)


class _Cell:
    """A variable in a trace: its first and current value."""

    __slots__ = ("assigned", "current", "first", "variable")

    def __init__(self, v: Variable, first: SymbolicTensor) -> None:
        self.variable, self.first = v, first
        self.current: Tensor = first
        self.assigned = False


_depth = 0


def _current() -> Trace | None:
    return state.trace


def tracing() -> bool:
    """Whether this thread is tracing a function now."""
    return state.trace is not None


