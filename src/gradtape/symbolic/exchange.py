"""To SymPy and back. SymPy is an optional package."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .evaluation import flat, like
from .expression import CLASSES, Const, Expression, Var, tidied, topological
from .making import class_of_name
from .notation import SPELLINGS
from .tidy import make


def _sympy() -> Any:
    try:
        import sympy
    except ImportError:
        raise ImportError(
            "This needs SymPy, which is not installed: pip install 'gradtape[sympy]', or pip install sympy."
        ) from None
    return sympy


def to_sympy(e: Any, symbols: dict[Any, Any] | None = None) -> Any:
    """The expression as SymPy has it.

    Args:
        e: an expression, or a list or array of them.
        symbols: SymPy's symbols by Var or by name; others are made, real ones of the variables' names.

    Returns:
        A SymPy expression (a list or array of them).

    Raises:
        ImportError: SymPy is not installed.
        NotImplementedError: it contains an operation that SymPy does not have.
        ValueError: two variables have one name.

    >>> import gradtape as tf
    >>> x = tf.symbolic.Var("x")
    >>> tf.symbolic.to_sympy(tf.sin(x) ** 2)
    sin(x)**2
    """
    sp = _sympy()
    roots = flat(e)
    given = symbols or {}
    made: dict[int, Any] = {}
    names: dict[str, Any] = {}
    for x in topological(roots):
        if isinstance(x, Const):
            made[id(x)] = sp.sympify(x._value)
        elif isinstance(x, Var):
            known = next((s for k, s in given.items() if k is x or (isinstance(k, str) and k == x.name)), None)
            if known is None:
                if x.name in names:
                    raise ValueError(
                        f"Two variables are named {x.name!r}: SymPy tells symbols apart by their names. Give symbols={{Var: Symbol}}."
                    )
                known = sp.Symbol(x.name, real=True, integer=True if x._d.is_integer else None)
            names[x.name] = made[id(x)] = known
        else:
            spelt = SPELLINGS.get(x.primitive.name)
            if spelt is None or spelt.sympy is None:
                raise NotImplementedError(f"SymPy has no form of {x.primitive.name}, which {x!r} contains.")
            made[id(x)] = spelt.sympy(sp, *[made[id(y)] for y in x.args], **x.attrs)
    return like(e, [made[id(r)] for r in roots])


def from_sympy(e: Any, variables: dict[Any, Var] | None = None) -> Any:
    """A SymPy expression as one of gradtape's.

    Args:
        e: a SymPy expression.
        variables: Vars by symbol or by name. For other symbols Vars of their names are made, one for each name.

    Returns:
        An expression; ``expr.variables`` lists its variables.

    Raises:
        ImportError: SymPy is not installed.
        NotImplementedError: it contains a function that the table of operations does not have, or the imaginary unit.

    >>> import gradtape as tf, sympy
    >>> x = sympy.Symbol("x")
    >>> print(tf.symbolic.from_sympy(x**2 + sympy.sin(x)))
    (x) ** (2) + sin(x)
    """
    sp = _sympy()
    e = sp.sympify(e)
    given = {str(k): v for k, v in (variables or {}).items()}
    made: dict[Any, Any] = {}
    with tidied():
        for x in sp.postorder_traversal(e):
            if x not in made:
                made[x] = _from(sp, x, made, given)
    return made[e]


def _from(sp: Any, x: Any, made: dict[Any, Any], given: dict[str, Var]) -> Any:
    if x.is_Symbol:
        return given.setdefault(str(x), Var(str(x)))
    if x is sp.true or x is sp.false:
        return Const(bool(x))
    if x.is_Integer:
        return Const(int(x))
    if x.is_Rational:
        return make("divide", Const(int(x.p)), Const(int(x.q)))
    if x.is_number and not x.args:
        if x.is_real or x in (sp.oo, -sp.oo, sp.nan):
            return Const(float(x))
        raise NotImplementedError(f"{x} is no real number, which expressions are made of.")
    if isinstance(x, sp.functions.elementary.piecewise.ExprCondPair) or x.func is sp.Tuple:
        return tuple(made[a] for a in x.args)
    args = [made[a] for a in x.args]
    if x.is_Add:
        return _folded("add", [made[a] for a in x.as_ordered_terms()])
    if x.is_Mul:
        over, under = x.as_numer_denom()
        if under != 1 and not under.has(sp.Add) and x.args and all(a in made for a in (over, under)):
            return make("divide", made[over], made[under])
        return _folded("multiply", args)
    if x.is_Pow:
        return _power(sp, x, args)
    if isinstance(x, sp.Piecewise):
        total = Const(float("nan"))
        for value, condition in reversed(args):
            total = make("select", condition, value, total)
        return total
    name = _NAMES.get(x.func.__name__)
    if callable(name):
        return name(*args)
    if name is None:
        raise NotImplementedError(f"gradtape has no operation for SymPy's {x.func.__name__}, which {x} contains.")
    class_of_name(name)
    return make(name, *args) if len(args) <= len(CLASSES[name].primitive.inputs) else _folded(name, args)


def _power(sp: Any, x: Any, args: list[Expression]) -> Any:
    base, n = x.args
    if base is sp.E:
        return make("exp", args[1])
    if n == sp.Rational(1, 2):
        return make("sqrt", args[0])
    if n == sp.Rational(-1, 2):
        return make("divide", Const(1), make("sqrt", args[0]))
    if n == -1:
        return make("divide", Const(1), args[0])
    return make("pow", args[0], args[1])


def _folded(name: str, args: list[Expression]) -> Any:
    total = args[0]
    for a in args[1:]:
        total = make(name, total, a)
    return total


def _polygamma(n: Any, x: Any) -> Any:
    if isinstance(n, Const) and isinstance(n._value, int):
        if not n._value:
            return make("digamma", x)
        return class_of_name("polygamma")._of((x,), {"n": n._value})
    return class_of_name("polygamma_of")(n, x)


_NAMES: dict[str, str | Callable[..., Any]] = {
    **{n: n for n in ("sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "atan2", "exp", "log", "erf", "erfc",
                      "erfinv", "floor", "sign", "digamma", "zeta")},
    "Abs": "abs", "ceiling": "ceil", "loggamma": "lgamma", "Max": "maximum", "Min": "minimum", "Mod": "floormod", "polygamma": _polygamma,
    "gamma": lambda x: make("exp", make("lgamma", x)), "Ei": "expint", "fresnelc": "fresnel_cos", "fresnels": "fresnel_sin",
    "Equality": "equal", "Unequality": "not_equal", "StrictLessThan": "less", "LessThan": "less_equal", "StrictGreaterThan": "greater",
    "GreaterThan": "greater_equal", "And": "logical_and", "Or": "logical_or", "Not": "logical_not", "Xor": "logical_xor",
    "ITE": lambda c, yes, no: make("logical_or", make("logical_and", c, yes), make("logical_and", make("logical_not", c), no)),
    "conjugate": lambda x: x, "re": lambda x: x, "sec": lambda x: make("divide", Const(1), make("cos", x)), "csc": lambda x: make("divide", Const(1), make("sin", x)),
    "cot": lambda x: make("divide", Const(1), make("tan", x)), "sinc": lambda x: make("select", make("equal", x, Const(0)), Const(1), make("divide", make("sin", x), x)),
    "Heaviside": lambda x, *at: make("select", make("less", x, Const(0)), Const(0), make("select", make("greater", x, Const(0)), Const(1), *at or [Const(0.5)])),
}  # fmt: skip

__all__ = ["from_sympy", "to_sympy"]
