"""Expressions: tensors without a value, that know what they are computed from.

An expression is a special tensor: the dispatch hands it every operation that meets one, and it answers with the expression of the result.
So there is a class for each elementwise row of the table, and a row's gradient rule, run on expressions, *is* its symbolic
derivative. Equal expressions are one object (they are looked up before they are made), so a formula is a graph in which common
parts occur once, however often they are written.

Expressions are made just as they are written while ``mode.tidy`` is off; derivatives and rewriting switch it on, and then
``tidy.py`` has a say in what is made.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from ..core.tensor import Tensor
from ..ground.dtypes import DType, as_dtype, bool_, complex128, float64
from ..ground.primitive import Aval, Primitive


class _Mode(threading.local):
    tidy = False


mode = _Mode()


@contextmanager
def tidied(on: bool = True) -> Iterator[None]:
    """Inside, expressions are simplified as they are made (or, with ``on=False``, made as they are written)."""
    before, mode.tidy = mode.tidy, on
    try:
        yield
    finally:
        mode.tidy = before


_made: WeakValueDictionary[Any, Expression] = WeakValueDictionary()  # every expression that lives, by what it is
_FORMS: dict[DType, Aval] = {}
_NO_ATTRS: dict[str, Any] = {}
_count = count(1).__next__

CLASSES: dict[str, type[Expression]] = {}  # by the row's name


def form(d: DType) -> Aval:
    """The abstract value of every expression of a dtype."""
    a = _FORMS.get(d)
    if a is None:
        a = _FORMS[d] = Aval((), d)
    return a


class Expression(Tensor):
    """A scalar formula. Made by operators and gradtape's functions on ``Var``s, or by the classes of this module.

    Attributes:
        args: the expressions that it is computed from; the first two are also ``a`` and ``b``.
        attrs: the row's attributes.
        value: what ``evaluate`` gave last.
    """

    __slots__ = ("_n", "_value", "args", "attrs")  # _n: the how-manieth to be made, by which products are ordered
    _special = 1 << 30  # above traces and batches: whatever meets an expression becomes one
    _unites = True
    primitive: Any = None
    args: tuple[Any, ...]
    attrs: dict[str, Any]
    _value: Any
    _n: int
    _of: Callable[..., Any]

    def __init__(self, *args: Any, **attrs: Any) -> None:
        pass  # __new__ has done it: the object may be an old one

    # -- what it is ----------------------------------------------------------------------------------------------------
    @property
    def a(self) -> Expression:
        """The first argument."""
        return self.args[0]

    @property
    def b(self) -> Expression:
        """The second argument."""
        if len(self.args) < 2:
            raise AttributeError(f"{type(self).__name__} has one argument: there is no `b`")
        return self.args[1]

    @property
    def value(self) -> Any:
        """What ``evaluate`` gave last; None before."""
        return self._value

    @property
    def name(self) -> str:
        """The row's name in the table; a variable's own."""
        return self.primitive.name

    @property
    def variables(self) -> list[Var]:
        """The variables in it, in the order in which its text mentions them first.

        >>> import gradtape as tf
        >>> y, x = tf.symbolic.variables("y x")
        >>> [v.name for v in (x * x * y).variables]
        ['x', 'y']
        """
        return [e for e in topological([self]) if isinstance(e, Var)]

    @property
    def size(self) -> int:
        """How many different expressions it consists of, itself and its variables and constants included."""
        return len(topological([self]))

    # -- the dispatch, which `making` puts here --------------------------------------------------------------------------
    _interpret: Callable[[Expression, Primitive, tuple, dict[str, Any]], Any]

    # -- what one does with it: each is a function of the module too ---------------------------------------------------
    def evaluate(self, values: dict[Any, Any] | None = None) -> Any:
        """The number that it stands for: ``symbolic.evaluate(self, values)``."""
        from .evaluation import evaluate

        return evaluate(self, values)

    def backpropagate(self, gradient: Any) -> None:
        """Add to the ``gradient`` of every variable: ``symbolic.backpropagate(self, gradient)``."""
        from .evaluation import backpropagate

        backpropagate(self, gradient)

    def gradients(self, var: Any) -> Expression:
        """The derivative, term by term as the rules give it, nothing simplified; ``diff`` simplifies.

        Args:
            var: a Var. With respect to a number the derivative is 0.

        Returns:
            An expression.

        Raises:
            TypeError: ``var`` is something else: a name, a list, a formula.

        >>> import gradtape as tf
        >>> x = tf.symbolic.Var("x")
        >>> print((x * x).gradients(x))
        (x) * (1) + (1) * (x)
        >>> print((x * x).diff(x))
        (2) * (x)
        """
        from .derivative import _var, forward

        if not isinstance(var, int | float | complex | np.generic | Const):
            var = _var(var)
        with tidied(False):
            return forward([self], var)[0]

    def diff(self, var: Any, n: int = 1) -> Expression:
        """The n-th derivative: ``symbolic.diff(self, var, n)``."""
        from .derivative import diff

        return diff(self, var, n)

    def simplify(self) -> Expression:
        """A simpler form: ``symbolic.simplify(self)``."""
        from .rewriting import simplify

        return simplify(self)

    def expand(self) -> Expression:
        """Multiplied out: ``symbolic.expand(self)``."""
        from .rewriting import expand

        return expand(self)

    def subs(self, *replaced: Any) -> Expression:
        """With variables or other parts replaced: ``symbolic.subs(self, ...)``."""
        from .rewriting import subs

        return subs(self, *replaced)

    def compile(self, args: Any = None, **options: Any) -> Any:
        """A fast function of arrays: ``symbolic.compile(self, args)``."""
        from .compilation import compile

        return compile(self, args, **options)

    def to_c(self, name: str = "f", derivatives: int = 0, args: Any = None) -> str:
        """C source: ``symbolic.to_c(self, name, derivatives)``."""
        from .csource import to_c

        return to_c(self, name, derivatives, args)

    def to_sympy(self) -> Any:
        """SymPy's form: ``symbolic.to_sympy(self)``."""
        from .exchange import to_sympy

        return to_sympy(self)

    def pretty(self) -> str:
        """The text as one writes it by hand: ``symbolic.pretty(self)``."""
        from .printing import pretty

        return pretty(self)

    def latex(self) -> str:
        """LaTeX source: ``symbolic.latex(self)``."""
        from .printing import latex

        return latex(self)

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex()}$"

    def __str__(self) -> str:
        from .printing import text

        return text(self)

    def __repr__(self) -> str:
        from .printing import text

        shown = text(self, 200)
        return f"<{type(self).__name__}: {shown}>"

    # -- identity ------------------------------------------------------------------------------------------------------
    def __hash__(self) -> int:
        return id(self) >> 4

    def __bool__(self) -> bool:
        if self.primitive is not None and self.primitive.name in ("equal", "not_equal"):
            return (self.args[0] is self.args[1]) == (self.primitive.name == "equal")
        raise TypeError(
            f"{self!r} has no truth value: it stands for a number that is not known yet. Use tf.where(condition, a, b), or symbolic.trace, which understands `if`."
        )

    __nonzero__ = __bool__

    def _scalar(self, what: str) -> Any:
        raise TypeError(
            f"{self!r} is no Python {what}: it stands for a number that is not known yet. Give its variables values and call evaluate()."
        )

    def numpy(self) -> Any:
        """No value of its own: TypeError."""
        raise TypeError(
            f"{self!r} has no value of its own. Use evaluate(), or compile() for arrays; inside NumPy functions use gradtape's functions."
        )

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        if dtype is not None and np.dtype(dtype).kind != "O":
            self.numpy()
        a = np.empty((), object)
        a[()] = self
        return a

    def __index__(self) -> int:
        return self._scalar("index")

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def __copy__(self) -> Expression:
        return self

    def __deepcopy__(self, memo: Any) -> Expression:
        return self

    def __reduce__(self) -> tuple:
        return _restored, (self.primitive.name, self.args, self.attrs)


def _restored(name: str, args: tuple, attrs: dict[str, Any]) -> Expression:
    from .making import class_of_name

    return class_of_name(name)._of(args, attrs)


class Operation(Expression):
    """An expression that is a row of the table on other expressions."""

    __slots__ = ()

    def __new__(cls, *args: Any, **attrs: Any) -> Any:
        """The expression; the one that there is already, if there is one.

        Raises:
            TypeError: the wrong number of arguments, attributes that the row does not have, or something that is no number.
        """
        p = cls.primitive
        if p is None:
            raise TypeError(
                f"{cls.__name__} is not to be made itself: use one of its subclasses, such as symbolic.Sin."
            )
        if len(args) != len(p.inputs):
            raise TypeError(
                f"{cls.__name__} takes {len(p.inputs)} arguments ({', '.join(p.inputs)}), but got {len(args)}."
            )
        wanted = attributes(p)
        if set(attrs) != set(wanted):
            raise TypeError(
                f"{cls.__name__} takes the keywords {wanted}, but got {sorted(attrs)}."
                if wanted
                else f"{cls.__name__} takes no keywords, but got {sorted(attrs)}."
            )
        from .making import apply, expression

        with tidied(False):
            return apply(cls, tuple([expression(x) for x in args]), attrs or _NO_ATTRS)

    @classmethod
    def _of(cls, args: tuple, attrs: dict[str, Any]) -> Any:
        """The expression of these arguments, just so."""
        key = (cls, *map(id, args), *[(k, attrs[k]) for k in sorted(attrs)]) if attrs else (cls, *map(id, args))
        e = _made.get(key)
        if e is None:
            p = cls.primitive
            out = p.out
            d = args[p.like]._d
            if out is not None:
                d = out if out.__class__ is DType else p.shape(*[x._a for x in args], **attrs).dtype
            e = _new(cls)
            e.args, e.attrs, e._value, e._n = args, attrs, None, _count()
            e._d, e._a, e._k = d, form(d), 0
            _made[key] = e
        return e


_new = Tensor.__new__


def attributes(p: Primitive) -> list[str]:
    """The names of a row's attributes."""
    code = getattr(p.kernel, "__code__", None)
    return list(code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]) if code else []


# -- constants and variables -----------------------------------------------------------------------------------------------


class Const(Expression):
    """A number.

    Args:
        value: a Python or NumPy number; whole numbers stay whole.

    Raises:
        TypeError: no number.

    >>> import gradtape as tf
    >>> tf.symbolic.Const(2).evaluate()
    2
    """

    __slots__ = ()
    args = ()
    attrs = _NO_ATTRS

    def __new__(cls, value: Any, dtype: DType | None = None) -> Const:
        t = value.__class__
        if t is not int and t is not float:
            value = _python_number(value)
            t = value.__class__
        if dtype is None:
            dtype = float64 if t is int or t is float else bool_ if t is bool else complex128
        # 0.0 and -0.0 are two constants, and a NaN is one
        key = (cls, t, value if value == value and value else repr(value), dtype)
        e = _made.get(key)
        if e is None:
            e = _new(cls)
            e._value, e._d, e._a, e._k, e._n = value, dtype, form(dtype), 0, 0
            _made[key] = e
        return e  # type: ignore[return-value]

    def __bool__(self) -> bool:
        return bool(self._value)

    def _scalar(self, what: str) -> Any:
        return self._value

    @property
    def name(self) -> str:
        """The number as text."""
        return str(self._value)

    def __reduce__(self) -> tuple:
        return Const, (self._value, self._d)


class Var(Expression):
    """A variable of an expression. Two variables are two, even of one name.

    Args:
        name: what it is called in texts.
        value: what it stands for when an expression is evaluated: a number, or an array.
        init_value: another name of ``value``.
        dtype: the dtype of what it stands for.

    Attributes:
        name: its name.
        value: what it stands for. Assign it.
        gradient: what ``backpropagate`` has accumulated.

    Raises:
        TypeError: ``name`` is no string, or both ``value`` and ``init_value`` are given.

    >>> import gradtape as tf
    >>> x, y = tf.symbolic.Var("x", value=3), tf.symbolic.Var("y", init_value=4)
    >>> f = x * x * y + y + 2
    >>> print(f, "=", f.evaluate())
    ((x) * (x)) * (y) + y + 2 = 42
    >>> f.backpropagate(1.0)
    >>> x.gradient, y.gradient
    (24.0, 10.0)
    """

    __slots__ = ("_name", "gradient")
    _name: str
    gradient: Any
    args = ()
    attrs = _NO_ATTRS

    def __new__(cls, name: str, value: Any = None, *, init_value: Any = None, dtype: Any = float64) -> Var:
        if not isinstance(name, str):
            raise TypeError(f"The name of a variable must be a string, but is {name!r}.")
        if value is not None and init_value is not None:
            raise TypeError("Give a variable's value as `value` or as `init_value`, not both.")
        e = _new(cls)
        d = as_dtype(dtype)
        e._name, e.gradient, e._d, e._a, e._k, e._n = name, 0, d, form(d), 0, _count()
        e.value = init_value if value is None else value
        return e

    @property
    def name(self) -> str:
        """What it is called."""
        return self._name

    @property
    def value(self) -> Any:
        """What it stands for."""
        return self._value

    @value.setter
    def value(self, value: Any) -> None:
        if isinstance(value, Expression) and not isinstance(value, Const):
            raise TypeError(
                f"A variable stands for a number, not for {value!r}: to put an expression in its place use subs."
            )
        self._value = 0 if value is None else value

    def __hash__(self) -> int:
        return id(self) >> 4

    def __reduce__(self) -> tuple:
        # a variable is itself: a copy in another process is another one, but the same within one pickle
        return Var, (self._name, self._value)


def variables(names: str | Iterable[str], shape: tuple[int, ...] | None = None) -> Any:
    """Several variables at once.

    Args:
        names: names between spaces or commas, or a list of them.
        shape: where given, an array of this shape for each name, whose elements are called ``x0``, ``x1`` ... or ``x0_1``.

    Returns:
        A list of Vars (with ``shape``, of NumPy arrays of them); for one name that itself.

    >>> import gradtape as tf
    >>> x, y = tf.symbolic.variables("x y")
    >>> print(x / y)
    (x) / (y)
    >>> print(tf.symbolic.variables("w", shape=(2,)).sum())
    w0 + w1
    """
    listed = names.replace(",", " ").split() if isinstance(names, str) else list(names)
    if not listed:
        raise ValueError("Give at least one name.")
    made: list[Any] = []
    for name in listed:
        if shape is None:
            made.append(Var(name))
            continue
        a = np.empty(shape, object)
        for at in np.ndindex(*a.shape):
            a[at] = Var(name + "_".join(map(str, at)))
        made.append(a)
    return made[0] if len(made) == 1 else made


def _python_number(value: Any) -> Any:
    if isinstance(value, bool | complex):
        return value
    if isinstance(value, int | float):
        return int(value) if isinstance(value, int) else float(value)
    if isinstance(value, np.generic | np.ndarray) and value.ndim == 0 and value.dtype.kind in "biufc":
        return value.item()
    if isinstance(value, np.ndarray | list | tuple):
        raise TypeError(
            f"An expression is a scalar formula and takes numbers, not the array {value!r}. Give arrays to what compile() makes, or as values of variables."
        )
    raise TypeError(f"{value!r} (a {type(value).__name__}) is no number, so it cannot be part of an expression.")


# -- graphs of expressions ---------------------------------------------------------------------------------------------------


def topological(roots: Iterable[Expression]) -> list[Expression]:
    """All expressions that ``roots`` consist of, each once and after its arguments; those of the first argument first. Without recursion: chains are long."""
    seen: set[int] = set()
    order: list[Expression] = []
    for root in roots:
        if id(root) in seen:
            continue
        seen.add(id(root))
        stack = [(root, iter(root.args))]
        while stack:
            e, rest = stack[-1]
            for x in rest:
                k = id(x)
                if k not in seen:
                    seen.add(k)
                    if x.args:
                        stack.append((x, iter(x.args)))
                        break
                    order.append(x)
            else:
                order.append(e)
                stack.pop()
    return order
