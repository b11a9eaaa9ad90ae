"""Tracing: the same calls as in eager execution, on symbolic tensors, build a graph.

A symbolic tensor holds an abstract value (shape and dtype) where an eager one holds an array. The dispatch hands operations on it to
``SymbolicTensor._interpret``, which appends a node to the innermost trace. Tapes record symbolic operations by the same code as
eager ones, so a gradient taken while tracing adds its operations to the graph.

Variables are read and assigned through ``Trace.read`` and ``Trace.assign``: the first read makes an input of the graph, the last
assigned value an output, and in between the current value is a symbolic tensor like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..core import numerics
from ..core.arguments import NoValue
from ..core.state import state, still_active
from ..core.tensor import Tensor, convert
from ..core.variable import Variable
from ..ground.dtypes import ANY
from ..ground.errors import user_frame
from ..ground.graph import Graph, Node, Value
from ..ground.primitive import Aval, Primitive
from ..ground.shapes import TensorShape
from ..primitives import structure as st
from ..primitives.elementwise import check_numerics

# A variable's new value. As in eager execution a tape knows the variable by every value that was read from it, and an assignment cuts the
# value off from what it was computed from: the cotangent goes to the variable.
assigned_row = Primitive("assigned", "old new", lambda old, new: new, shape=lambda old, new: new, grad=(lambda g: g, None), jvp=lambda xs, ts, outs, attrs: [ts[0]], accepts=ANY, passes=1, surrogate=True, cases=lambda rng: [],
                         doc="The second input, whose gradient is the first's.")  # fmt: skip


def _custom_kernel(*xs: Any, n: int, m: int, backward: Graph, connected: tuple[bool, ...]) -> tuple:
    return xs[:n]


def _custom_joint(g: tuple, wanted: tuple, xs: tuple, out: tuple, attrs: dict) -> list:
    from .replay import replay

    n, m = attrs["n"], attrs["m"]
    gs = [st.zeros_like(o) if c is None else c for c, o in zip(g, out, strict=True)]
    ds = iter(replay(attrs["backward"], [*gs, *xs[n + m :]]))
    of = [next(ds) if c else None for c in attrs["connected"]]
    return [of[i - n] if n <= i < n + m else None for i in wanted]


custom_row = Primitive("custom_gradient", "*xs", _custom_kernel, shape=lambda *xs, n, **attrs: list(xs[:n]), joint=_custom_joint, holomorphic=False, accepts=ANY, multi=True, passes=0, surrogate=True, cases=lambda rng: [],
                       doc="The first n inputs, whose gradient with respect to the next m inputs is a graph of its own.")  # fmt: skip


class OperatorNotAllowedInGraphError(TypeError):
    """Python asked a traced tensor for its value: it has none yet."""


class _Form(Aval):
    """What a symbolic tensor has for an array. A variable that is made from one finds its initial value by it."""

    __slots__ = ("value",)

    def __init__(self, value: Value) -> None:
        super().__init__(value.aval.shape, value.aval.dtype)
        self.value = value


def is_tensor(x: Any) -> bool:
    """Whether ``x`` is a tensor or has one."""
    return isinstance(x, (Tensor, Variable)) or hasattr(x, "_to_tensor")


def as_scalar(x: Tensor) -> Tensor:
    """A tensor of one element as a scalar, as conditions are taken; one of unknown dimensions has one element, or a call of it fails."""
    return st.reshape(x, shape=()) if x._shape and all([d in (1, None) for d in x._shape]) else x


def calls_back(*names: str) -> Callable[[Any], Any]:
    """Marks a function whose arguments ``names`` are functions, or nests of them, which converted code passes converted."""

    def mark(f: Any) -> Any:
        f.__dict__["__gradtape_calls_back__"] = names
        return f

    return mark


def ruled(p: Primitive, attrs: dict) -> Primitive:
    """The row itself; of a gradient rule that waits, the row whose rule, or rule's rule, it is."""
    while p.name == "vjp":
        p, attrs = attrs["row"], attrs["attrs"]
    return p


class SymbolicTensor(Tensor):
    """A tensor of a traced function: shape and dtype are known, the value is not."""

    __slots__ = ("_name", "trace", "value")
    _special = 1

    def __init__(self, trace: Trace, value: Value, name: str) -> None:
        self.trace, self.value, self._name = trace, value, name
        self._a = _Form(value)
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

        raise NoValue(
            f"Cannot convert a symbolic tf.Tensor ({self._name}) to a numpy array. This error may indicate that you're trying to pass a Tensor to a NumPy call, "
            f"which is not supported: use the tf function of that name, or tf.py_function.{user_line()}"
        )

    def set_shape(self, shape: Any) -> None:
        """Check that the shape is compatible with ``shape``; ValueError if not. A Python function's result of guessed rank has that shape from then on."""
        self.take_shape(shape)
        super().set_shape(shape)

    def take_shape(self, shape: Any) -> None:
        """Where the rank of a Python function's result was guessed, and nothing was done with it yet: it has this shape. The run will check it."""
        spec = TensorShape(shape)
        if spec.rank is not None and self._guessed():
            self._reshaped(tuple(spec))

    def flatten(self) -> None:
        """Where its rank was guessed, and nothing was done with it yet: it has its elements in a row."""
        if self._guessed():
            node = self.value.node
            node.attrs["call"].flat.add(node.outs.index(self.value))  # type: ignore[union-attr]
            self._reshaped((None,))

    def _guessed(self) -> bool:
        node = self.value.node
        call = None if node is None else node.attrs.get("call")
        if node is None or node.outs.index(self.value) not in getattr(call, "guessed", ()):
            return False
        return not any([v is self.value for n in self.trace.nodes for v in n.ins])

    def _reshaped(self, shape: tuple) -> None:
        node: Any = self.value.node
        i = node.outs.index(self.value)
        self.value.aval = Aval(shape, self._d)
        node.attrs["avals"] = (*node.attrs["avals"][:i], self.value.aval, *node.attrs["avals"][i + 1 :])
        node.attrs["call"].guessed.discard(i)
        self._a = _Form(self.value)

    def numpy(self) -> Any:
        """No value while tracing."""
        raise AttributeError(
            "'SymbolicTensor' object has no attribute 'numpy': while a tf.function is traced, a tensor has no value yet"
        )

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


class EscapedError(TypeError):
    """A traced tensor was used outside of its function."""

    trace: Trace


def _escaped(x: SymbolicTensor) -> EscapedError:
    inner = x.trace.parent is not None
    made = "in a branch or in the body of a loop" if inner else f"while {x.trace.name!r} was traced"
    way = (
        "Return it from there, or collect the values of a loop in a tf.TensorArray"
        if inner
        else "Return it from the function, or keep values in a tf.Variable"
    )
    error = EscapedError(f"{x} is out of scope: it was made {made} and is used outside of it. {way}.")
    error.trace = x.trace
    return error


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
        self.captures: list[
            tuple[SymbolicTensor, SymbolicTensor]
        ] = []  # (the parent's tensor, the input that stands for it)
        self.variables: dict[int, _Cell] = {}
        self.created: list[Variable] = []
        self._consts: dict[int, tuple[Tensor, Value]] = {}
        self._captured: dict[int, SymbolicTensor] = {}
        self._counts: dict[str, int] = {}
        self.leaving: dict[int, Tensor] = {}  # of a branch: the values of the variables that it returns, when it ends
        self.line: tuple[str, int] | None = None  # whose line new nodes are for, where it is not the caller's
        self._lines: dict[int, tuple[str, int] | None] = {}  # of the nodes that made what tapes follow, by their keys
        self._pulled: str | None = None  # the row whose gradient is being traced
        self._known: dict[int, tuple] = {}
        self._inner: list[Tensor] = []  # constants of branches and bodies, which cannot become inputs afterwards

    # While a trace is on, it sits among the tapes and hears of every operation on eager tensors. Those run at once, but if a result is used in the graph, so are
    # the operations that made it: a program differentiates with respect to what it took from its surroundings, and folds what is constant anyway.
    _auto, _active, _wanted = False, True, None
    _live: frozenset = frozenset()

    def _record(self, p: Any, xs: tuple, out: Any, attrs: dict[str, Any] | None) -> None:
        if not isinstance(p, Primitive):
            if hasattr(p, "vjp") and any([isinstance(o, SymbolicTensor) for o in out]):
                self._custom(p, xs, out)
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

    def _custom(self, p: Any, xs: tuple, outs: tuple) -> None:
        """The user's gradient of ``outs`` with respect to ``xs`` becomes part of the graph: tapes outside differentiate what they find there."""
        backward = Trace(p.name + "_gradient", self)
        with backward:
            gs = [backward.input(Aval(o._shape, o._d), "g") for o in outs]
            ds = [d.to_dense() if hasattr(d, "_merge") else d for d in p.vjp(tuple(gs))]
            graph = backward.finish([d for d in ds if d is not None], backward.name)
        graph.inputs = [t.value for t in gs] + [inner.value for _, inner in backward.captures]
        ins = tuple([self.value_of(x) for x in (*outs, *xs, *[outer for outer, _ in backward.captures])])
        attrs = {"n": len(outs), "m": len(xs), "backward": graph, "connected": tuple([d is not None for d in ds])}
        node = Node(custom_row, ins, attrs, [v.aval for v in ins[: len(outs)]], self.line or user_frame())
        self.nodes.append(node)
        for o, v in zip(outs, node.outs, strict=True):
            if isinstance(o, SymbolicTensor):
                o.value, o._a = v, _Form(v)

    def __enter__(self) -> Trace:
        global _depth
        _depth += 1
        Variable._trace = staticmethod(_current)  # type: ignore[assignment]
        self._outer = state.trace, state.tapes
        state.trace, state.tapes = self, (self,)
        return self

    def __exit__(self, *exc: Any) -> None:
        global _depth
        state.trace, state.tapes = self._outer[0], still_active(self._outer[1])
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
        if known is None and self.parent is not None and x._d.is_inexact:
            # a branch or body takes what a tape may watch as an input, so that gradients flow to it
            if x._k or self.parent._knows(x):
                return self.capture(self.parent.local(x)).value
            self.root()._inner.append(x)
        if known is None and id(x) in self._known:
            known = self._replayed(x)
        if known is None:
            known = self._consts[id(x)] = (x, Value(Aval(x._shape, x._d), const=x._a))
        return known[1]

    def _replayed(self, x: Tensor) -> tuple[Tensor, Value]:
        """The operations that made the eager tensor ``x`` while this trace was on, as nodes. Chains may be long, so without recursion."""
        stack = [x]
        while stack:
            y = stack[-1]
            if id(y) in self._consts:
                stack.pop()
                continue
            _, p, xs, attrs, at = self._known[id(y)]
            waiting = [z for z in xs if type(z) is Tensor and id(z) in self._known and id(z) not in self._consts]
            if waiting:
                stack.extend(waiting)
                continue
            ins = tuple([self.value_of(z) for z in xs])
            avals = p.shape(*[v.aval for v in ins], **attrs)
            avals = list(avals) if p.multi else [avals]
            avals[at] = Aval(y._shape, y._d)  # it has run: dimensions that the rule leaves open are known
            node = Node(p, ins, attrs, avals, self.line or user_frame())
            self.nodes.append(node)
            self._consts[id(y)] = (y, node.outs[at])
            stack.pop()
        return self._consts[id(x)]

    def _knows(self, x: Tensor) -> bool:
        return id(x) in self._known or (self.parent is not None and self.parent._knows(x))

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
        if None in attrs.get("shape", ()) and not p.open_shape:
            raise TypeError(f"{p.name} needs a shape whose dimensions are all known, but one is open: {attrs['shape']}")
        ins = tuple([self.value_of(x) for x in xs])
        avals = p.shape(*[v.aval for v in ins], **attrs)
        node = Node(p, ins, attrs, list(avals) if p.multi else [avals], self.line or user_frame())
        self.nodes.append(node)
        if state.check:
            for v in node.outs:
                if v.aval.dtype.is_inexact and not p.effect:
                    told = {"message": numerics.message(p.name, v.aval.shape, v.aval.dtype, self._pulled)}
                    self.nodes.append(Node(check_numerics, (v,), told, [v.aval], node.line))
        base = self.unique(p.label)
        outs = tuple([SymbolicTensor(self, v, f"{base}:{i}") for i, v in enumerate(node.outs)])
        out: Any = outs if p.multi else outs[0]
        if state.tapes:
            row: Any = p
            waits = ruled(p, attrs).needs == "values" or any(None in v.aval.shape for v in (*ins, *node.outs))
            if waits and not p.effect and p.needs != "nothing":
                from .dynamic import Later

                row = Later(p)
            for tape in state.tapes:
                tape._record(row, xs, out, attrs)
            for o in outs:
                if o._k:
                    self._lines[o._k] = node.line
        return out

    def pulls_back(self, p: Any, key: int) -> None:
        """What follows is the gradient of ``p``, whose output has this key, and is for its line; None: no longer."""
        self._pulled = p.name if p is not None else None
        self.line = self._lines.get(key)

    def later(self, f: Any, args: tuple, kwargs: dict, error: Exception) -> Any:
        """The call of a public function that needs values of traced tensors, for when these are known; see ``core.arguments.sized``."""
        from .late import later

        return later(self, f, args, kwargs, error)

    def local(self, x: Any) -> SymbolicTensor:
        """``x`` (eager, of this trace or of one further out) as a symbolic tensor of this trace."""
        x = convert(x)
        if isinstance(x, SymbolicTensor) and x.trace is self:
            return x
        t = SymbolicTensor(self, self.value_of(x), self.unique("const") + ":0")
        t._k = x._k  # it is the same value to every tape
        return t

    # -- variables ----------------------------------------------------------------------------------------------------
    def cell(self, v: Variable) -> _Cell:
        """What this trace knows of ``v``; on the first meeting its value becomes an input (or a capture of the parent's)."""
        c = self.variables.get(id(v))
        if c is None:
            if self.parent is not None:
                outer = self.parent.cell(v).current
                for tape in self._outer[1]:  # the tapes around this branch or body see that it reads the variable
                    if outer._k not in tape._live and (
                        (tape._auto and v._watched) or (tape._wanted is not None and id(v) in tape._wanted)
                    ):
                        tape._watch_variable(v, outer)
                # an input of its own, even where the tensor is captured by other ways too: a loop that assigns the variable has it for state
                outer = self.parent.local(outer)
                first: Any = self.input(outer.value.aval, "captured")
                self.captures.append((outer, first))
            else:
                shape = v._t._shape
                if v._shape_spec is not None and not v._shape_spec.is_fully_defined():
                    spec = (None,) * len(shape) if v._shape_spec.rank is None else tuple(v._shape_spec)
                    shape = spec
                first = self.input(Aval(shape, v._d), v._name[:-2].replace(":", "_"))
            c = self.variables[id(v)] = _Cell(v, first)
        return c

    def read(self, v: Variable) -> Tensor:
        """The current value of ``v``."""
        return self.cell(v).current

    def assign(self, v: Variable, t: Tensor) -> None:
        """Make ``t`` the current value of ``v``."""
        c = self.cell(v)
        # a tensor of its own, as in eager execution: tapes must not take the value read from the variable for the one assigned
        new = self.value_of(t)
        if v._d.is_inexact:
            node = Node(assigned_row, (self.value_of(c.current), new), {}, [new.aval], self.line or user_frame())
            self.nodes.append(node)
            new = node.outs[0]
        c.current = SymbolicTensor(self, new, v._name)
        c.assigned = True

    def root(self) -> Trace:
        """The outermost trace around this one."""
        return self if self.parent is None else self.parent.root()

    def update(self, v: Variable, p: Any, *ds: Tensor) -> None:
        """Make ``p(current, *ds)`` the current value of ``v``; as in eager execution no tape hears of it."""
        tapes, state.tapes = state.tapes, ()
        try:
            self.assign(v, p(self.read(v), *ds))
        finally:
            state.tapes = tapes

    def initialise(self, args: list) -> None:
        """Give the variables that were made here their initial values, where these are calculated: once, from the arguments of the first call."""
        from . import interpreter, simplify

        known = {id(t.value): x for t, x in zip(self.inputs, args)}
        made = {id(v) for n in self.nodes for v in n.outs} | {id(t.value) for t in self.inputs}
        for v in self.created:
            form = v._t._a
            if not isinstance(form, _Form):
                continue
            known.update({id(c.first.value): c.variable._t for c in self.variables.values()})
            graph = simplify.dead_code(simplify.without_effects(Graph([], [form.value], self.nodes, self.name)))
            used = {id(x): x for x in [y for n in graph.nodes for y in n.ins] + graph.outputs}
            graph.inputs = [x for k, x in used.items() if k in known]
            arrays = [getattr(known[id(x)], "_a", None) for x in graph.inputs]
            if id(form.value) not in made or any([a is None or isinstance(a, Aval) for a in arrays]):
                raise ValueError(
                    f"The initial value of the variable {v._name!r}, made inside the tf.function {self.name!r}, depends on tensors that have no value at the first call "
                    "(of a branch, a loop, or a function around it). Make the variable outside."
                )
            v._t = Tensor(interpreter.compile(simplify.simplify(graph, final=True))(arrays)[0], v._d)

    def constants(self) -> list[tuple[Tensor, Value]]:
        """The eager tensors of the surroundings that the graph holds as constants."""
        return [(t, v) for t, v in self._consts.values() if v.const is not None]

    def finish(self, outputs: Sequence[Tensor], name: str) -> Graph:
        """The graph that computes ``outputs``."""
        outs = [self.value_of(t) for t in outputs]  # which may capture, and so add to the inputs
        return Graph([t.value for t in self.inputs], outs, self.nodes, name)


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
