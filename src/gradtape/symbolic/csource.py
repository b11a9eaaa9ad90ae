"""C source of expressions and their derivatives: one C99 function for each order, which needs nothing but the mathematics library."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from .derivative import _vars, gradient, hessian
from .evaluation import flat
from .expression import Const, Expression, Var, topological
from .making import expression
from .notation import C_HELPERS, SPELLINGS
from .printing import shared

_RESERVED = frozenset(
    re.findall(
        r"\w+",
        """auto break case char const continue default do double else enum extern float for goto if inline int long register restrict return short signed
        sizeof static struct switch typedef union unsigned void volatile while out main
        acos acosh asin asinh atan atan2 atanh ceil cos cosh erf erfc exp expm1 fabs floor fmax fmod gamma j0 j1 lgamma log log1p pow rint sin sinh sqrt tan tanh trunc y0 y1""",
    )
)


def to_c(e: Any, name: str = "f", derivatives: int = 0, args: Any = None) -> str:
    """C source of a function and its derivatives.

    Args:
        e: an expression, or a list of them (then the function has the type void and writes into an array ``out``).
        name: the C function's name.
        derivatives: how many orders of derivatives to add: with 1 also ``void NAME_grad(..., double *out)``, which writes the derivatives with respect to each
            argument, with 2 also ``void NAME_hess(..., double *out)``, the second derivatives row by row. For lists, ``NAME_jac``.
        args: the order of the arguments, Vars; None: that of first mention.

    Returns:
        C99 source text, which includes <math.h> and no more.

    Raises:
        NotImplementedError: an operation for which the C library has no function.
        ValueError: a name that is none in C, or is given twice; ``derivatives`` out of range; variables that ``args`` lacks.

    >>> import gradtape as tf
    >>> x, y = tf.symbolic.variables("x y")
    >>> print(tf.symbolic.to_c(x * x * y + y, "f", derivatives=1))
    #include <math.h>
    <BLANKLINE>
    double f(double x, double y) {
        return x * x * y + y;
    }
    <BLANKLINE>
    void f_grad(double x, double y, double *out) {
        out[0] = 2.0 * (x * y);
        out[1] = x * x + 1.0;
    }
    <BLANKLINE>
    """
    single = isinstance(e, Expression) or not isinstance(e, list | tuple | np.ndarray)
    roots = [expression(e)] if single else flat(e)
    most = 2 if single else 1
    if isinstance(derivatives, bool) or derivatives not in range(most + 1):
        raise ValueError(
            f"derivatives must be a number from 0 to {most}{'' if single else ' (for a list of expressions)'}, but is {derivatives!r}."
        )
    xs = _vars(args, topological(roots), "args lists the arguments, symbolic.Vars")
    known = {id(x) for x in xs}
    missing = [v.name for r in roots for v in r.variables if id(v) not in known]
    if missing:
        raise ValueError(f"args lacks the variables {list(dict.fromkeys(missing))} of the expression.")
    names = _names(name, xs)
    head = ", ".join(f"double {names[id(x)]}" for x in xs) or "void"
    out = f"{head}, double *out" if xs else "double *out"
    helpers: set[str] = set()
    parts = []
    if single:
        parts.append(_function(f"double {name}({head})", roots, names, helpers, False))
    else:
        parts.append(_function(f"void {name}({out})", roots, names, helpers, True))
    if derivatives:
        first = [d for r in roots for d in gradient(r, xs)]
        parts.append(_function(f"void {name}_{'grad' if single else 'jac'}({out})", first, names, helpers, True))
    if derivatives > 1:
        second = [d for row in hessian(roots[0], xs) for d in row]
        parts.append(_function(f"void {name}_hess({out})", second, names, helpers, True))
    return "\n".join(["#include <math.h>\n", *[C_HELPERS[h].lstrip("\n") for h in sorted(helpers)], *parts])


def _names(name: str, xs: list[Var]) -> dict[int, str]:
    for n in [name, *[x.name for x in xs]]:
        if not re.fullmatch(r"[A-Za-z_]\w*", n) or n in _RESERVED:
            raise ValueError(f"{n!r} cannot be a name in C (or means something there): give the variable another name.")
    names = [x.name for x in xs]
    if len(set(names)) < len(names) or name in names:
        raise ValueError(f"The function {name!r} and its arguments {names} must have different names in C.")
    return {id(x): x.name for x in xs}


def _number(v: Any) -> str:
    if isinstance(v, bool):
        return str(int(v))
    v = float(v)
    if v != v:
        return "NAN"
    if v in (float("inf"), float("-inf")):
        return "INFINITY" if v > 0 else "(-INFINITY)"
    return repr(v) if v >= 0 and repr(v)[0] != "-" else f"({v!r})"


def _function(head: str, roots: list[Expression], names: dict[int, str], helpers: set[str], many: bool) -> str:
    order = topological(roots)
    stem = "t"
    while any(re.fullmatch(rf"{stem}\d+", n) for n in names.values()):
        stem += "_"
    named = shared(roots, order, stem)
    # C evaluates an argument each time that its form mentions it: what is mentioned twice has a name
    for e in order:
        if e.args:
            form = _spelt(e)
            for i, x in enumerate(e.args):
                if x.args and id(x) not in named and form.count(f"{{{i}}}") > 1:
                    named[id(x)] = f"{stem}{len(named)}_"
    texts: dict[int, str] = {}  # in brackets where they need them
    lines = []
    for e in order:
        if isinstance(e, Const):
            texts[id(e)] = _number(e._value)
            continue
        if isinstance(e, Var):
            texts[id(e)] = names[id(e)]
            continue
        t = _infix(e, texts) or _power(e, texts) or _call(e, texts)
        for h in C_HELPERS:
            if h in t:
                helpers.add(h)
        if id(e) in named or len(t) > 4000:
            new = named.setdefault(id(e), f"{stem}{len(named)}_")
            lines.append(f"    const {'int' if not e._d.is_floating else 'double'} {new} = {_bare(t)};")
            t = new
        texts[id(e)] = t
    used = {texts[id(e)] for e in order if isinstance(e, Var)}
    lines[:0] = [f"    (void){n};" for n in names.values() if n not in used]
    if many:
        lines += [f"    out[{i}] = {_bare(texts[id(r)])};" for i, r in enumerate(roots)]
    else:
        lines.append(f"    return {_bare(texts[id(roots[0])])};")
    return "\n".join([head + " {", *lines, "}", ""])


def _call(e: Expression, texts: dict[int, str]) -> str:
    """Any other form, without brackets within brackets."""
    form = _spelt(e)
    args = [
        _bare(texts[id(x)]) if f"({{{i}}})" in form and form.count(f"{{{i}}}") == 1 else texts[id(x)]
        for i, x in enumerate(e.args)
    ]
    return form.format(*args, **e.attrs)


def _spelt(e: Expression) -> str:
    if not (e._d.is_floating or e._d.name == "bool"):
        raise NotImplementedError(f"C source is made of real numbers, not of {e._d.name} expressions such as {e!r}.")
    found = SPELLINGS.get(e.primitive.name)
    if e.primitive.name == "gelu":
        if e.attrs["approximate"]:
            return "({0} / (1.0 + exp(-1.5957691216057308 * {0} * (1.0 + 0.044715 * {0} * {0}))))"
        return "(0.5 * {0} * erfc(-0.7071067811865476 * {0}))"
    if found is None or not found.c:
        raise NotImplementedError(f"The C library has no function for {e.primitive.name}, which {e!r} contains.")
    return found.c


_LEVELS = {"add": (" + ", 1), "subtract": (" - ", 1), "multiply": (" * ", 2), "divide": (" / ", 2)}


def _infix(e: Expression, texts: dict[int, str]) -> str:
    """Sums and products without the brackets that C does not need to work them out in the same order."""
    if e.primitive.name not in _LEVELS:
        return ""
    sign, level = _LEVELS[e.primitive.name]
    left, right = e.args
    t = texts[id(left)]
    if left.primitive is not None and _LEVELS.get(left.primitive.name, ("", 0))[1] >= level:
        t = _bare(t)
    u = texts[id(right)]
    if level == 1 and right.primitive is not None and right.primitive.name in ("multiply", "divide"):
        u = _bare(u)
    return f"({t}{sign}{u})"


def _power(e: Expression, texts: dict[int, str]) -> str:
    """Squares, cubes and square roots as such."""
    if e.primitive.name != "pow" or not isinstance(e.args[1], Const):
        return ""
    x, n = texts[id(e.args[0])], e.args[1]._value
    plain = re.fullmatch(r"\w+", x)
    if n in (2, 3) and plain:
        return "(" + " * ".join([x] * n) + ")"
    return f"sqrt({_bare(x)})" if n == 0.5 else ""


def _bare(t: str) -> str:
    """Without brackets around the whole."""
    if not t.startswith("("):
        return t
    depth = 0
    for i, c in enumerate(t):
        depth += (c == "(") - (c == ")")
        if not depth:
            return t[1:-1] if i == len(t) - 1 else t
    return t


__all__ = ["to_c"]
