"""Expressions as text: as the seeds write them, as one writes by hand, and in LaTeX.

Where a formula with many common parts would be too long, these are given names, and stand in lines of their own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from itertools import count
from typing import Any, NamedTuple

from .expression import CLASSES, Const, Expression, Var, topological
from .notation import GREEK, SPELLINGS

_TEXT = {
    "add": "{} + {}", "subtract": "{} - ({})", "multiply": "({}) * ({})", "divide": "({}) / ({})", "negative": "-({})", "pow": "({}) ** ({})",
    "floordiv": "({}) // ({})", "floormod": "({}) % ({})", "less": "({}) < ({})", "less_equal": "({}) <= ({})", "greater": "({}) > ({})",
    "greater_equal": "({}) >= ({})", "equal": "({}) == ({})", "not_equal": "({}) != ({})", "logical_and": "({}) & ({})", "logical_or": "({}) | ({})",
    "logical_xor": "({}) ^ ({})", "logical_not": "~({})", "bitwise_and": "({}) & ({})", "bitwise_or": "({}) | ({})", "bitwise_xor": "({}) ^ ({})",
    "invert": "~({})", "select": "where({}, {}, {})",
}  # fmt: skip
LONG = 1_000_000  # characters of a text whose common parts are written out each time
WIDE = 2_000  # the same, in parts, for what is to be read
NESTED = 200  # and then the parts of what is nested into something else


def _parts(e: Expression) -> list[str]:
    """What stands before, between and after the arguments."""
    name = e.primitive.name
    shape = _TEXT.get(name) or f"{name}({', '.join(['{}'] * len(e.args))}{_attributes(e)})"
    return shape.split("{}")


def _attributes(e: Expression) -> str:
    return "".join(f", {k}={v!r}" for k, v in sorted(e.attrs.items()))


def _length(e: Expression, order: list[Expression]) -> int:
    n: dict[int, int] = {}
    for x in order:
        n[id(x)] = sum(map(len, _parts(x))) + sum(n[id(y)] for y in x.args) if x.args else len(x.name)
    return n[id(e)]


def text(e: Expression, most: int | None = None) -> str:
    """The text in the style of the seeds, ``((x) * (x)) * (y) + y + 2``; cut after ``most`` characters."""
    order = topological([e])
    if most is None and _length(e, order) > LONG:
        named = shared([e], order)
        lines = [f"{named[id(x)]} = {_written(x, named, LONG)}" for x in order if id(x) in named]
        return "\n".join([*lines, _written(e, named, LONG)])
    return _written(e, {}, LONG if most is None else most)


def _written(e: Expression, named: dict[int, str], most: int) -> str:
    out: list[str] = []
    stack: list[Any] = [e]
    left = most
    while stack:
        x = stack.pop()
        if isinstance(x, str):
            out.append(x)
            left -= len(x)
            if left < 0:
                return "".join(out)[:most] + " ..."
            continue
        if id(x) in named and x is not e:
            stack.append(named[id(x)])
        elif not x.args:
            stack.append(x.name)
        else:
            parts = _parts(x)
            for part, y in zip(reversed(parts[1:]), reversed(x.args)):
                stack += [part, y]
            stack.append(parts[0])
    return "".join(out)


def shared(roots: list[Expression], order: list[Expression] | None = None, stem: str = "t") -> dict[int, str]:
    """Names for the expressions, by their ids, that ``roots`` contain more than once and that are neither variables nor constants."""
    order = topological(roots) if order is None else order
    uses: dict[int, int] = {}
    for e in order:
        for x in e.args:
            uses[id(x)] = uses.get(id(x), 0) + 1
    for r in roots:
        uses[id(r)] = uses.get(id(r), 0) + 1
    taken = {e.name for e in order if isinstance(e, Var)}
    named: dict[int, str] = {}
    k = 0
    for e in order:
        if e.args and uses.get(id(e), 0) > 1:
            while f"{stem}{k}" in taken:
                k += 1
            named[id(e)] = f"{stem}{k}"
            k += 1
    return named


# -- as written by hand --------------------------------------------------------------------------------------------------------

_SUM, _PRODUCT, _POWER, _ATOM = 1, 2, 3, 4  # how tightly a text holds together


class Piece(NamedTuple):
    """A text, and how tightly it holds together."""

    text: str
    level: int


class Style(NamedTuple):
    """A notation: how each form of text is made of the texts of its parts."""

    number: Callable[[Any], str]
    name: Callable[[str], str]
    product: Callable[[list[str]], str]
    fraction: Callable[[str, str], Piece]
    power: Callable[[str, Any, str], str]  # base, the exponent as an int or None, the exponent as text
    call: Callable[[Expression, list[Piece]], Piece]
    bracket: Callable[[str], str]
    open_fraction: bool  # whether a fraction's parts need no brackets
    where: Callable[[list[tuple[str, str]], str], str]


def _children(e: Expression, named: dict[int, str], top: bool) -> tuple[str, Any]:
    """What an expression is made of, for the eye: a sum of signed terms, a product over a product, or a function of its arguments."""
    if not e.args or (id(e) in named and not top):
        return "leaf", None
    c = CLASSES
    kinds = c["add"], c["subtract"], c["negative"]
    products = c["multiply"], c["divide"], c["square"], c["reciprocal"], c["pow"]
    closed = lambda x: id(x) in named
    if e.__class__ in kinds:
        terms: list[tuple[bool, Expression]] = []
        stack = [(e, True)]
        while stack:
            x, plus = stack.pop()
            if x.__class__ in kinds and (x is e or not closed(x)):
                if x.__class__ is kinds[2]:
                    stack.append((x.args[0], not plus))
                else:
                    stack.append((x.args[1], plus == (x.__class__ is kinds[0])))
                    stack.append((x.args[0], plus))
            else:
                terms.append((plus, x))
        return "sum", terms
    if e.__class__ in products:
        factors: list[tuple[Expression, Any]] = []
        todo: list[tuple[Expression, int]] = [(e, 1)]
        over = under = 1
        while todo:
            x, n = todo.pop()
            if x.__class__ is kinds[2] and not closed(x):
                over *= -1 if n % 2 else 1
                todo.append((x.args[0], n))
                continue
            if x.__class__ in products and (x is e or not closed(x)):
                kind = x.__class__
                if kind is products[0]:
                    todo += [(x.args[1], n), (x.args[0], n)]
                    continue
                if kind is products[1]:
                    todo += [(x.args[1], -n), (x.args[0], n)]
                    continue
                if kind is products[2]:
                    todo.append((x.args[0], 2 * n))
                    continue
                if kind is products[3]:
                    todo.append((x.args[0], -n))
                    continue
                power = x.args[1]._value if isinstance(x.args[1], Const) else None
                if isinstance(power, int) and not isinstance(power, bool) and not isinstance(x.args[0], Const):
                    todo.append((x.args[0], power * n))
                    continue
                if power is None or power < 0 or isinstance(x.args[0], Const) or n != 1 or isinstance(power, float):
                    factors.append((x, n))
                    continue
            factors.append((x, n))
        numbers: list[tuple[Expression, Any]] = []  # numbers stand in front, whole ones multiplied, a 1 left out
        merged: dict[int, list[Any]] = {}
        for at, (x, n) in enumerate(factors):
            v = x._value if isinstance(x, Const) else None
            if v.__class__ is int and abs(n) < 64:
                over, under = (over * v**n, under) if n > 0 else (over, under * v**-n)
            elif v is not None:
                numbers.append((x, n))
            else:
                merged.setdefault(id(x) if x.__class__ is not products[4] else -1 - at, [x, 0])[1] += n
        rest = [(x, n) for x, n in merged.values() if n]
        if over != 1 or not (numbers or rest):
            numbers.insert(0, (Const(over), 1))
        if under != 1:
            numbers.append((Const(under), -1))
        found = numbers + rest
        if len(found) == 1 and found[0][1] == 1 and found[0][0] is e:
            return "power", e.args
        return "product", found
    return "call", list(e.args)


def _cut(roots: list[Expression], order: list[Expression]) -> dict[int, str]:
    """Names for shared parts, and for parts of others that nest very deep: no text that is nested into others gets long."""
    sums = CLASSES["add"], CLASSES["subtract"], CLASSES["negative"]
    inside: dict[int, bool] = {}  # whether only sums contain it
    uses: dict[int, int] = {}
    for e in order:
        for x in e.args:
            inside[id(x)] = inside.get(id(x), True) and e.__class__ in sums
            uses[id(x)] = uses.get(id(x), 0) + 1
    for r in roots:
        inside[id(r)] = False
        uses[id(r)] = uses.get(id(r), 0) + 1
    taken = {e.name for e in order if isinstance(e, Var)}
    fresh = (n for n in (f"t{k}" for k in count()) if n not in taken)
    named: dict[int, str] = {}
    size: dict[int, int] = {}
    for e in order:
        n = 1 + sum([size[id(x)] for x in e.args])
        if (
            e.args
            and id(e) not in {id(r) for r in roots}
            and (uses[id(e)] > 1 or (n > NESTED and not (e.__class__ in sums and inside[id(e)])))
        ):
            named[id(e)] = next(fresh)
            n = 1
        size[id(e)] = n
    return named


def _display(roots: list[Expression], style: Style) -> str:
    order = topological(roots)
    size: dict[int, int] = {}
    for e in order:
        size[id(e)] = 1 + sum([size[id(x)] for x in e.args])
    named = _cut(roots, order) if max(size[id(r)] for r in roots) > WIDE else {}
    done: dict[tuple[int, bool], Piece] = {}

    def needed(kind: str, parts: Any) -> Iterable[Expression]:
        return (
            []
            if kind == "leaf"
            else [x for _, x in parts]
            if kind == "sum"
            else [x for x, _ in parts]
            if kind == "product"
            else parts
        )

    def build(root: Expression, top: bool) -> Piece:
        stack: list[tuple[Expression, bool, Any]] = [(root, top, None)]
        while stack:
            e, t, form = stack.pop()
            if (id(e), t) in done:
                continue
            if form is None:
                form = _children(e, named, t)
                stack.append((e, t, form))
                # a part that is the expression itself (a power in its own product) is finished by its own form
                stack += [(x, False, None) for x in needed(*form) if (id(x), False) not in done and x is not e]
                continue
            done[id(e), t] = _piece(e, form, lambda x: done[id(x), False], style, named)
        return done[id(root), top]

    lines = [(style.name(named[id(e)]), build(e, True).text) for e in order if id(e) in named]
    bodies = ", ".join(build(r, id(r) not in named).text for r in roots)
    return style.where(lines, bodies) if lines else bodies


def _piece(
    e: Expression, form: tuple[str, Any], of: Callable[[Expression], Piece], style: Style, named: dict[int, str]
) -> Piece:
    kind, parts = form
    if kind == "leaf":
        if isinstance(e, Const):
            shown = style.number(e._value)
            return Piece(
                shown, _SUM if shown.startswith("-") else _ATOM if re.fullmatch(r"[\w.]+", shown) else _PRODUCT
            )
        return Piece(style.name(named.get(id(e)) or e.name), _ATOM)
    if kind == "sum":
        out = ""
        for i, (plus, x) in enumerate(parts):
            p = of(x)
            shown = p.text
            if shown.startswith("-") and p.level != _ATOM:
                shown, plus = shown[1:], not plus
                p = Piece(shown, _SUM if " + " in shown or " - " in shown else _PRODUCT)
                if p.level == _SUM and not isinstance(x, Const):  # a sum that begins with a minus
                    shown, plus = style.bracket("-" + shown), not plus
            elif p.level == _SUM and not plus:
                shown = style.bracket(shown)
            out += (shown if plus else "-" + shown) if not i else (" + " if plus else " - ") + shown
        return Piece(out, _SUM if len(parts) > 1 else _PRODUCT)
    if kind == "power":
        base, exponent = (of(x) for x in parts)
        n = parts[1]._value if isinstance(parts[1], Const) else None
        shown = base.text if base.level >= _ATOM else style.bracket(base.text)
        return Piece(style.power(shown, n if isinstance(n, int) else None, exponent.text), _POWER)
    if kind == "product":
        return _product(e, parts, of, style)
    return style.call(e, [of(x) for x in parts])


def _product(
    e: Expression, parts: list[tuple[Expression, int]], of: Callable[[Expression], Piece], style: Style
) -> Piece:
    over: list[Piece] = []
    under: list[Piece] = []
    minus = False
    for x, n in parts:
        p = of(x)
        if p.text.startswith("-") and p.level != _ATOM and (isinstance(x, Const) or p.level == _PRODUCT):
            minus ^= bool(n % 2)
            p = Piece(p.text[1:], _ATOM if isinstance(x, Const) or re.fullmatch(r"\w+", p.text[1:]) else _PRODUCT)
        if abs(n) > 1:
            p = Piece(style.power(p.text if p.level >= _ATOM else style.bracket(p.text), abs(n), str(abs(n))), _POWER)
        (over if n > 0 else under).append(p)
    if len(over) > 1 and over[0].text == "1" and not isinstance(parts[0][0], Var) and minus:
        over = over[1:]

    def text_of(ps: list[Piece], alone: bool) -> str:
        if not ps:
            return "1"
        if len(ps) == 1:
            return ps[0].text if alone or ps[0].level >= _PRODUCT else style.bracket(ps[0].text)
        return style.product([p.text if p.level >= _PRODUCT else style.bracket(p.text) for p in ps])

    sign = "-" if minus else ""
    if not under:
        alone = len(over) == 1 and not minus
        return Piece(sign + text_of(over, alone), over[0].level if alone else _PRODUCT if over else _ATOM)
    bottom = text_of(under, style.open_fraction)
    if not style.open_fraction and (len(under) > 1 or under[0].level < _POWER) and not bottom.startswith("("):
        bottom = style.bracket(bottom)
    elif not style.open_fraction and len(under) > 1:
        bottom = style.bracket(text_of(under, False))
    p = style.fraction(text_of(over, style.open_fraction), bottom)
    return Piece(sign + p.text, _PRODUCT if minus else p.level)


_SUPERSCRIPT = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_INFIX = {"less": "<", "less_equal": "≤", "greater": ">", "greater_equal": "≥", "equal": "=", "not_equal": "≠", "logical_and": "and", "logical_or": "or",
          "floormod": "mod"}  # fmt: skip
_INFIX_LATEX = {"less": "<", "less_equal": r"\le", "greater": ">", "greater_equal": r"\ge", "equal": "=", "not_equal": r"\ne", "logical_and": r"\land",
                "logical_or": r"\lor", "floormod": r"\bmod"}  # fmt: skip


def _pretty_number(v: Any) -> str:
    return f"{v:.15g}" if isinstance(v, float) else str(v)


def _pretty_call(e: Expression, args: list[Piece]) -> Piece:
    name = e.primitive.name
    if name in _INFIX:
        return Piece(
            f" {_INFIX[name]} ".join(p.text if p.level > _SUM or name != "floormod" else f"({p.text})" for p in args), 0
        )
    if name == "sqrt":
        return Piece(
            "√" + (args[0].text if args[0].level >= _ATOM and len(args[0].text) < 8 else f"({args[0].text})"), _ATOM
        )
    if name == "abs":
        return Piece(f"|{args[0].text}|", _ATOM)
    if name == "select":
        return Piece(f"where({', '.join(p.text for p in args)})", _ATOM)
    return Piece(f"{name}({', '.join(p.text for p in args)}{_attributes(e)})", _ATOM)


def _pretty_power(base: str, n: int | None, exponent: str) -> str:
    return (
        base + str(n).translate(_SUPERSCRIPT)
        if n is not None
        else base + "^" + (exponent if re.fullmatch(r"[\w.]+", exponent) else f"({exponent})")
    )


def _pretty_where(lines: list[tuple[str, str]], body: str) -> str:
    return "\n".join([body, "where", *[f"  {name} = {value}" for name, value in lines]])


_PRETTY = Style(
    _pretty_number, str, "·".join, lambda a, b: Piece(f"{a}/{b}", _PRODUCT), _pretty_power, _pretty_call, lambda s: f"({s})", False, _pretty_where
)  # fmt: skip


def pretty(e: Expression) -> str:
    """The expression as one writes it by hand: products with a dot, powers raised, as few brackets as it takes.

    Args:
        e: the expression.

    Returns:
        The text. Where it is long, parts that occur several times have names, and stand below it.

    >>> import gradtape as tf
    >>> x, y = tf.symbolic.variables("x y")
    >>> tf.symbolic.pretty(x * x * y + y + 2)
    'x²·y + y + 2'
    >>> tf.symbolic.pretty(-tf.sin(x + 1) / (2 * x - y) ** 3)
    '-sin(x + 1)/(2·x - y)³'
    """
    return _display([e], _PRETTY)


# -- LaTeX ---------------------------------------------------------------------------------------------------------------------


def _latex_number(v: Any) -> str:
    if not isinstance(v, float):
        return str(v)
    shown = f"{v:.15g}"
    if "inf" in shown:
        return shown.replace("inf", r"\infty")
    if "e" in shown:
        m, _, k = shown.partition("e")
        return (f"{m} \\cdot " if m not in ("1", "-1") else m[:-1]) + f"10^{{{int(k)}}}"
    return shown if shown != "nan" else r"\mathrm{nan}"


def _latex_name(name: str) -> str:
    found = re.fullmatch(r"([A-Za-z]+?)_?(\d+(?:_\d+)*)?", name)
    stem, index = found.groups() if found else (name, None)
    if stem in GREEK:
        stem = "\\" + stem
    elif len(stem) > 1:
        stem = (
            r"\mathrm{"
            + stem.replace("_", r"\_").replace("#", r"\#").replace("%", r"\%").replace("&", r"\&").replace("$", r"\$")
            + "}"
        )
    return stem + (f"_{{{index.replace('_', ',')}}}" if index else "")


def _latex_call(e: Expression, args: list[Piece]) -> Piece:
    name, texts = e.primitive.name, [p.text for p in args]
    if name in _INFIX_LATEX:
        return Piece(f" {_INFIX_LATEX[name]} ".join(texts), 0)
    if name == "sqrt":
        return Piece(rf"\sqrt{{{texts[0]}}}", _ATOM)
    if name == "exp":
        return Piece(f"e^{{{texts[0]}}}", _POWER)
    around = {
        "abs": (r"\left|", r"\right|"),
        "floor": (r"\left\lfloor ", r"\right\rfloor"),
        "ceil": (r"\left\lceil ", r"\right\rceil"),
    }.get(name)
    if around:
        return Piece(around[0] + texts[0] + around[1], _ATOM)
    if name == "select":
        return Piece(
            rf"\begin{{cases}} {texts[1]} & \text{{if }} {texts[0]} \\ {texts[2]} & \text{{otherwise}} \end{{cases}}",
            _ATOM,
        )
    if name == "logical_not":
        return Piece(rf"\lnot {_latex_bracket(texts[0])}", _ATOM)
    if name == "polygamma":
        return Piece(rf"\psi^{{({e.attrs['n']})}}{_latex_bracket(texts[0])}", _ATOM)
    spelt = SPELLINGS[name].latex if name in SPELLINGS else ""
    head = spelt or r"\operatorname{" + name.replace("_", r"\_") + "}"
    extra = "".join(rf",\, {k.replace('_', ' ')}={v}" for k, v in sorted(e.attrs.items()))
    return Piece(head + _latex_bracket(", ".join(texts) + extra), _ATOM)


def _latex_bracket(s: str) -> str:
    return rf"\left({s}\right)"


def _latex_product(ps: list[str]) -> str:
    """Factors side by side, with a dot where two numbers would meet."""
    out = ps[0]
    for p in ps[1:]:
        out += (r" \cdot " if p[0].isdigit() else " ") + p
    return out


def _latex_where(lines: list[tuple[str, str]], body: str) -> str:
    rows = r" \\ ".join([body, r"\text{where}", *[f"{name} = {value}" for name, value in lines]])
    return rf"\begin{{gathered}} {rows} \end{{gathered}}"


_LATEX = Style(
    _latex_number, _latex_name, _latex_product, lambda a, b: Piece(rf"\frac{{{a}}}{{{b}}}", _PRODUCT),
    lambda base, n, exponent: f"{base}^{{{exponent if n is None else n}}}", _latex_call, _latex_bracket, True, _latex_where,
)  # fmt: skip


def latex(e: Any) -> str:
    r"""LaTeX source of an expression, or of a list of them with commas between. Notebooks show expressions by it.

    Args:
        e: the expression.

    Returns:
        The source, without dollars.

    >>> import gradtape as tf
    >>> x, alpha = tf.symbolic.variables("x alpha")
    >>> print(tf.symbolic.latex(tf.sqrt(x) / (1 + alpha**2)))
    \frac{\sqrt{x}}{1 + \alpha^{2}}
    """
    from .evaluation import flat

    return _display(flat(e), _LATEX)


__all__ = ["latex", "pretty", "shared", "text"]
