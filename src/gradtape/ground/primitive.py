"""The row class of the table: all that gradtape knows of one operation, on adjacent lines.

A row states, in this order: its name and inputs, the shape/dtype rule, the NumPy kernel, the gradient, the rule for a batch
dimension, and where tests may sample it. Arrays are positional; metadata ("attributes") is keyword-only and static.

**Gradient rules** are one function for each input. Each maps the cotangent ``g`` of the output to the cotangent of that
input and is linear in ``g``; it says by the *names of its parameters* what else it needs, and only that is kept until the
backward pass::

    mul  = elementwise("multiply", "x y", ..., grad=(lambda g, y: g * y, lambda g, x: g * x))
    tanh = elementwise("tanh", "x", ...,       grad=(lambda g, out: g * (1 - out * out),))

The names that a rule may ask for:

    g                the cotangent (always first); for a row with several outputs a tuple, None where nothing flows
    x, y, ...        an input, by the name the row gives it; ``xs``: all of them
    x_shape, ...     its shape, which costs no memory; ``shapes``: all of them
    out              the output (or the tuple of outputs)
    i                which input this rule is being used for (for rows that take any number of inputs)
    anything else    the attribute of that name

In place of a function: ``None`` means the input has no derivative (integers, comparisons, rounding: the answer is None, the
same as for an unconnected one); ``not_implemented`` means it has one that nobody has written (a LookupError). A derivative
that is zero everywhere is a rule that returns zeros.

Rules are written with other primitives and operators, so they run eagerly, under an outer tape, batched or traced alike.
**Complex numbers** are handled by the driver: for a complex cotangent it calls ``conj(rule(conj(g)))``, which for a
holomorphic f is g·conj(f'), TensorFlow's convention. Rules of functions that are not holomorphic set ``holomorphic=False``
and get g as it is. **Un-broadcasting** is done by the driver too, for rows with ``broadcasts=True``.

For an elementwise row the same function serves forward mode: with a tangent in place of ``g`` it is the JVP.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .dtypes import ANY, FLOAT, HALF, STRING, DType, bfloat16, float16, of_numpy


class _Table(dict):
    """The rows by name. Asked for a row of a family that is not loaded yet, it loads the families."""

    complete: Callable[[], Any] = dict

    def __missing__(self, name: str) -> Primitive:
        self.complete()
        if name not in self:
            raise KeyError(name)
        return self[name]


TABLE: dict[str, Primitive] = _Table()


class Aval:
    """An abstract value: the shape and dtype that shape rules read and return. Unknown dimensions are None."""

    __slots__ = ("dtype", "shape")

    def __init__(self, shape: tuple[Any, ...], dtype: DType) -> None:
        self.shape = shape
        self.dtype = dtype

    @property
    def ndim(self) -> int:
        """The rank."""
        return len(self.shape)

    def __repr__(self) -> str:
        return f"{self.dtype.name}{list(self.shape)}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Aval) and self.shape == other.shape and self.dtype is other.dtype

    def __hash__(self) -> int:
        return hash((self.shape, self.dtype))


class Plan(NamedTuple):
    """What recording one operation keeps, and how its backward step runs, for one set of tracked inputs."""

    # (input number, adapter(g, ins, shapes, out, attrs), or None for g itself); for a joint row just the input numbers
    vjps: tuple[Any, ...]
    save_all: bool  # all inputs are residuals
    save: tuple[bool, ...] | None  # otherwise: which are; None: none
    save_out: bool  # so is the output


def not_implemented(g: Any) -> Any:
    """The gradient rule of a derivative that exists but that nobody has written."""
    raise LookupError("not implemented")


class Primitive:
    """One row of the table. Calling it applies the operation to tensors.

    Args:
        name: the key in the table.
        inputs: the inputs' names, ``"x y"``; ``"*xs"`` for any number of them.
        kernel: NumPy on arrays: ``kernel(*arrays, **attrs)``.
        shape: ``shape(*avals, **attrs) -> Aval`` (or a list of them); raises the user's error.
        grad: a tuple of rules, one for each input (``"*xs"``: a single rule), as the module says; None: not differentiable.
        joint: in place of ``grad``: ``joint(g, wanted, xs, out, attrs)`` gives the cotangents of all the inputs numbered in ``wanted`` at once, None
            where nothing flows. For rows whose backward step is one calculation, such as control flow.
        jvp: ``jvp(xs, ts, outs, attrs)`` gives the tangents of the outputs from those of the inputs (None for zero), for rows of which transposing the
            backward step would be wasteful, such as control flow.
        accepts: the kinds of dtype that the ``like``-th input may have.
        like: the input whose dtype the output has (and that ``accepts`` is about).
        out: the output's dtype where it does not depend on the inputs; ``"kernel"``: whatever the kernel returns.
        widen: float16 and bfloat16 are computed in float32, and the results rounded once. False for kernels that only move elements or do one
            operation on each. By default every row is widened that does not take all dtypes.
        broadcasts: inputs broadcast together, so cotangents must be summed back.
        multi: the kernel returns a tuple, and so does the row.
        holomorphic: False where the rule handles complex cotangents itself.
        linear: the row is linear in its differentiable inputs taken together, so it is its own JVP.
        multilinear: the row is linear in each of its differentiable inputs, the others held: a product, whose JVP is the product rule.
        elementwise: each element of the output depends on the same element of each input alone.
        sparse: cotangents may be IndexedSlices.
        outside: the row calls Python of the user's: like one with an effect it is never dropped, but its outputs are its own.
        dynamic: the output's shape depends on the inputs' values, so the row has no batch rule.
        surrogate: the gradient is somebody's choice and not the derivative, so no test can compare them.
        needs: what its gradient rules have to know to be applied while a program is traced: "shapes"; "nothing", as for control flow, which has graphs for
            its derivatives; "values", which only the run has.
        settle: ``settle(xs, attrs)``, for rows that wait for shapes or sizes: their outputs in a trace that knows more than the one before,
            tensors or, for what has become a constant, arrays. None: what they wait for is not known there either.
        open_shape: None in the attribute ``shape`` has a meaning of its own; elsewhere it is a dimension that has to be known.
        passes: the row's outputs are its inputs from this one on, as they are: only gradients see that it is there.
        neutral: for a row of two inputs, the numbers that as first and as second input leave the other, if it is real, bit for bit as it is;
            None: there is none.
        extends: the row whose outputs this one gives too, before its own, for the same inputs and attributes: it takes that one's place.
        effect: the row does something beside giving its outputs (prints, asserts): it is never dropped or reordered.
        batch: ``batch(p, xs, batched, attrs)``: the row over a leading batch dimension of the inputs flagged in ``batched``;
            None: a loop over the batch.
        ufunc: the NumPy ufunc that the kernel equals, where large arrays may be written into reused buffers.
        domain: for elementwise rows, an interval for each input from which tests sample; where the row is not smooth at a point, tests
            pass over it by ``avoid``.
        cases: for other rows, ``cases(rng) -> [(arrays, attrs), ...]``.
        avoid: points near which tests take no sample.
        tol: the relative tolerance of the gradient tests in float64 where it has to be wider than the default.
        reference: a NumPy/SciPy function of the arrays and attributes that the value tests compare with, where it is not the kernel's own.
        doc: one line for the public docstring.
        tf: the name TensorFlow gives the operation in its messages.
        label: the name of its nodes in a graph, where it is not the row's.
    """

    def __init__(
        self,
        name: str,
        inputs: str,
        kernel: Callable,
        *,
        shape: Callable,
        grad: tuple[Callable | None, ...] | Callable | None = None,
        joint: Callable | None = None,
        jvp: Callable | None = None,
        accepts: int = ANY,
        like: int = 0,
        out: DType | str | None = None,
        widen: bool | None = None,
        broadcasts: bool = False,
        multi: bool = False,
        holomorphic: bool = True,
        linear: bool = False,
        multilinear: bool = False,
        elementwise: bool = False,
        sparse: bool = False,
        passes: int | None = None,
        neutral: tuple[Any, Any] = (None, None),
        extends: Primitive | None = None,
        effect: bool = False,
        outside: bool = False,
        dynamic: bool = False,
        surrogate: bool = False,
        needs: str = "shapes",
        settle: Callable | None = None,
        open_shape: bool = False,
        batch: Callable | None = None,
        ufunc: Any = None,
        domain: Sequence[tuple[float, float]] | None = None,
        cases: Callable | None = None,
        avoid: Sequence[float] = (),
        tol: float = 1e-6,
        reference: Callable | None = None,
        doc: str = "",
        tf: str = "",
        label: str = "",
    ) -> None:
        if name in TABLE:
            raise ValueError(f"two rows are named {name!r}")
        self.name, self.kernel, self.shape, self.accepts, self.like, self.out = name, kernel, shape, accepts, like, out
        self.variadic = inputs.startswith("*")
        self.inputs = tuple(inputs.lstrip("*").split())
        if {"i", "out", "shapes"} & set(self.inputs) and not self.variadic:
            raise ValueError(f"row {name!r} names an input by a word that rules use for something else")
        self.grad = grad
        self.joint = joint
        self.jvp = jvp
        self.broadcasts, self.multi, self.holomorphic, self.linear = broadcasts, multi, holomorphic, linear
        self.multilinear = multilinear
        self.elementwise, self.batch, self.ufunc, self.sparse = elementwise, batch, ufunc, sparse
        self.effect, self.outside, self.dynamic, self.surrogate = effect, outside, dynamic, surrogate
        self.passes, self.neutral, self.extends = passes, neutral, extends
        self.needs, self.settle, self.open_shape = needs, settle, open_shape
        self.domain, self.cases, self.avoid, self.tol, self.reference = domain, cases, tuple(avoid), tol, reference
        self.doc, self.tf = doc, tf or "".join(w.capitalize() for w in name.split("_"))
        self.label = label or name
        self._check_rules()
        self.widen = bool(accepts & FLOAT) and (not accepts & STRING if widen is None else widen)
        self.lanes = (
            accepts | HALF if accepts & FLOAT and not self.widen else accepts
        )  # the dtypes that `kernel` itself computes with
        self.plans: dict[Any, Plan | None] = {}
        self.bound: Callable | None = None  # the dispatch, bound to this row on its first call without attributes
        TABLE[name] = self

    def compute(self, *arrays: Any, **attrs: Any) -> Any:
        """The kernel on arrays of any dtype that the row takes; ``kernel`` itself is for those in ``lanes``."""
        if not self.widen or not any([a.dtype in _HALVES for a in arrays]):
            return self.kernel(*arrays, **attrs)
        out = self.kernel(*[a.astype(np.float32) if a.dtype in _HALVES else a for a in arrays], **attrs)
        if isinstance(self.out, DType):
            return out
        if self.out is None and not self.multi:
            return out.astype(arrays[self.like].dtype)
        says = self.shape(*[Aval(a.shape, of_numpy[a.dtype]) for a in arrays], **attrs)
        if self.multi:
            return tuple([o.astype(s.dtype.np, copy=False) for o, s in zip(out, says, strict=True)])
        return out.astype(says.dtype.np, copy=False)

    def _check_rules(self) -> None:
        """A misspelt parameter would show only when somebody differentiates."""
        kernel = getattr(self.kernel, "__code__", None)
        if kernel is None or kernel.co_flags & 8:
            return
        attrs = kernel.co_varnames[kernel.co_argcount : kernel.co_argcount + kernel.co_kwonlyargcount]
        known = {"out", "i", "shapes", *self.inputs, *[f"{x}_shape" for x in self.inputs], *attrs}
        for rule in self.grad if isinstance(self.grad, tuple) else (self.grad,):
            if rule is None or rule is not_implemented:
                continue
            asked = rule.__code__.co_varnames[1 : rule.__code__.co_argcount]
            if not known.issuperset(asked):
                raise ValueError(
                    f"a gradient rule of row {self.name!r} asks for {sorted({*asked} - known)}, which the row does not have"
                )

    def rule(self, i: int) -> Callable | None:
        """The gradient rule of input ``i``."""
        if self.joint is not None:
            return self.joint
        if self.grad is None or callable(self.grad):
            return self.grad
        return self.grad[i]

    def plan(self, mask: int) -> Plan | None:
        """The plan for the tracked inputs in ``mask`` (bit i: input i); None when no derivative flows to any."""
        if self.joint is not None:
            wanted = tuple([i for i in range(mask.bit_length()) if mask >> i & 1])
            plan: Plan | None = Plan(wanted, True, None, True)
            self.plans[mask] = plan
            return plan
        save, save_xs, save_out, vjps = [False] * len(self.inputs), False, False, []
        for i in range(mask.bit_length()):
            rule = self.rule(i) if mask >> i & 1 else None
            if rule is None:
                continue
            exprs = []
            for name in rule.__code__.co_varnames[: rule.__code__.co_argcount]:
                if name in self.inputs:
                    save_xs |= self.variadic
                    save[self.inputs.index(name)] = True
                save_out |= name == "out"
                exprs.append(self._expression(name))
            vjps.append((i, None if _passes_on(rule) else _adapter(", ".join(exprs))(rule, i)))
        save_all = save_xs or (all(save) and not self.variadic)
        plan = Plan(tuple(vjps), save_all, tuple(save) if any(save) else None, save_out) if vjps else None
        self.plans[mask] = plan
        return plan

    def _expression(self, name: str) -> str:
        if name in ("g", "out", "shapes", "i"):
            return name
        if name in self.inputs:
            return "ins" if self.variadic else f"ins[{self.inputs.index(name)}]"
        if name.endswith("_shape") and name[:-6] in self.inputs:
            return f"shapes[{self.inputs.index(name[:-6])}]"
        return f"attrs[{name!r}]"

    if TYPE_CHECKING:  # the dispatch, which the core puts here

        def __call__(self, *xs: Any, **attrs: Any) -> Any: ...
        def _given(self, **attrs: Any) -> Callable: ...

    def __repr__(self) -> str:
        return f"<primitive {self.name}>"

    def __reduce__(self) -> tuple:
        return _row, (self.name,)


_HALVES = (float16.np, bfloat16.np)


def _row(name: str) -> Primitive:
    return TABLE[name]


class Given:
    """A row of one or two inputs with its attributes fixed, for hot paths: ``matmul_nt = Given(matmul, transpose_x=False, transpose_y=True)``."""

    __slots__ = ("attrs", "bound", "p")

    def __init__(self, p: Primitive, **attrs: Any) -> None:
        self.p, self.attrs = p, attrs
        self.bound: Callable | None = None

    def __call__(self, *xs: Any) -> Any:
        f = self.bound
        if f is None:
            f = self.bound = self.p._given(**self.attrs)
        return f(*xs)


def _passes_on(rule: Callable) -> bool:
    """Whether the rule is ``lambda g: g``: the driver then makes no call."""
    code = rule.__code__
    return code.co_code == _SAME.__code__.co_code and code.co_argcount == 1


_SAME = lambda g: g
_ADAPTERS: dict[str, Callable] = {}


def _adapter(args: str) -> Callable:
    """A function that picks a rule's arguments out of a record; one is compiled for each distinct list of parameters."""
    if args not in _ADAPTERS:
        source = f"lambda rule, i: lambda g, ins, shapes, out, attrs: rule({args})"
        _ADAPTERS[args] = eval(compile(source, "<gradtape adapter>", "eval"))
    return _ADAPTERS[args]
