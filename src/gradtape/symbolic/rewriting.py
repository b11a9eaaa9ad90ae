"""Other forms of expressions: with parts replaced, multiplied out, simplified.

A sum is kept as {rest of a term: its number}, a term's rest as a product {base: exponent}; numbers are fractions while they are
exact. Whatever is no sum, product or power is an atom.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from ..ground.dtypes import bool_
from .evaluation import flat, like
from .expression import CLASSES, Const, Expression, Var, tidied, topological
from .making import apply, expression, rebuilt
from .tidy import make

Number = Any  # int, float or Fraction
Product = tuple  # ((base, exponent), ...) in order of the bases' numbers; exponents are numbers
Sum = dict  # Product -> Number

MOST_TERMS = 100_000  # of what expand makes


# -- subs ------------------------------------------------------------------------------------------------------------------


def subs(e: Any, *replaced: Any) -> Any:
    """An expression with parts of it replaced, all at the same time.

    Args:
        e: an expression, or a list or array of them.
        replaced: a mapping from parts (mostly Vars) to what takes their place, or a part and its replacement.

    Returns:
        Expressions, simplified where a replacement lets them be.

    Raises:
        TypeError: a replacement is neither a number nor an expression.

    >>> import gradtape as tf
    >>> x, y = tf.symbolic.variables("x y")
    >>> print((x * x + y).subs({x: y + 1, y: x}).pretty())
    (y + 1)² + x
    >>> print(tf.sin(x).subs(x, 0))
    0
    """
    if len(replaced) == 2:
        replaced = ({replaced[0]: replaced[1]},)
    if len(replaced) != 1 or not isinstance(replaced[0], dict):
        raise TypeError("subs takes a mapping {part: replacement}, or a part and its replacement.")
    new: dict[int, Expression] = {}
    for k, v in replaced[0].items():
        if not isinstance(k, Expression):
            raise TypeError(
                f"subs replaces expressions, not {k!r}{': give the variable itself, which expr.variables lists' if isinstance(k, str) else ''}."
            )
        new[id(k)] = expression(v)
    roots = flat(e)
    with tidied():
        return like(e, rebuilt(roots, lambda x: new.get(id(x))))


# -- sums of products ------------------------------------------------------------------------------------------------------


def _exact(v: Any) -> Number:
    return Fraction(v) if isinstance(v, int) else v


def _const(e: Expression) -> Number | None:
    """The number that a constant is; None for others, and for those that no arithmetic suits."""
    if (
        e.__class__ is not Const
        or e._d is bool_
        or e._d.is_integer
        or isinstance(e._value, complex)
        or not math.isfinite(e._value)
    ):
        return None
    return _exact(e._value)


class _Terms:
    """Expressions as sums of products, and back. One for each run, so that bases keep their numbers."""

    def __init__(self, expanding: bool) -> None:
        self.expanding = expanding
        self.number: dict[Expression, int] = {}  # bases in the order in which they were met
        self.sums: dict[int, Sum] = {}
        self.bools: dict[int, Expression] = {}  # what is no sum: truth values, whole numbers

    def order(self, base: Expression) -> int:
        return self.number.setdefault(base, len(self.number))

    def product(self, factors: dict[Expression, Number]) -> Product:
        return tuple(sorted([(b, n) for b, n in factors.items() if n], key=lambda f: self.order(f[0])))

    def times(self, p: Product, q: Product) -> Product:
        if not p or not q:
            return p or q
        factors = dict(p)
        for b, n in q:
            factors[b] = factors.get(b, 0) + n
        return self.product(factors)

    def atom(self, e: Expression) -> Sum:
        return {((e, Fraction(1)),): Fraction(1)}

    def of(self, e: Expression) -> Sum:
        """The sum that ``e``, whose arguments are in ``sums``, is."""
        c = _const(e)
        if c is not None:
            return {(): c} if c else {}
        if not e.args or not e._d.is_floating:
            return self.atom(e)
        name = e.primitive.name
        if name not in _ARITHMETIC:
            return self.atom(self.function(e))
        s = [self.sums[id(x)] for x in e.args]
        if name == "add" or name == "subtract":
            return self.plus(s[0], s[1], 1 if name == "add" else -1)
        if name == "negative":
            return {p: -k for p, k in s[0].items()}
        if name == "multiply":
            return self.multiplied(s[0], s[1])
        if name == "square":
            return self.multiplied(s[0], s[0])
        if name == "divide":
            return self.multiplied(s[0], self.power(s[1], Fraction(-1)))
        if name == "reciprocal":
            return self.power(s[0], Fraction(-1))
        if name == "pow":
            n = self.only_number(s[1])
            if n is not None:
                return self.power(s[0], n)
        return self.atom(self.function(e))

    def function(self, e: Expression) -> Expression:
        """A function of the arguments as they are now, with what is known of it."""
        args = [self.back(self.sums[id(x)]) if x._d.is_floating else self.bools.get(id(x), x) for x in e.args]
        name = e.primitive.name
        inner = args[0].primitive.name if args and args[0].primitive is not None else ""
        if (name, inner) in _INVERSE:
            return args[0].args[0]
        if name in _ODD and self.leading_minus(args[0]):
            return make("negative", make(name, make("negative", args[0])))
        if name in _EVEN and self.leading_minus(args[0]):
            return make(name, make("negative", args[0]))

        return apply(type(e), tuple(args), e.attrs)

    @staticmethod
    def leading_minus(e: Expression) -> bool:
        if e.__class__ is CLASSES["negative"]:
            return True
        first = e.args[0] if e.__class__ in (CLASSES["multiply"], CLASSES["divide"]) else e
        return first.__class__ is Const and isinstance(first._value, int | float) and first._value < 0

    def only_number(self, s: Sum) -> Number | None:
        if not s:
            return Fraction(0)
        return s.get(()) if len(s) == 1 else None

    def plus(self, s: Sum, t: Sum, sign: int) -> Sum:
        out = dict(s)
        for p, k in t.items():
            v = out.get(p, 0) + sign * k
            if v:
                out[p] = v
            else:
                out.pop(p, None)
        return out

    def multiplied(self, s: Sum, t: Sum) -> Sum:
        if not s or not t:
            return {}
        if (len(s) > 1 and not self.single(t)) or (len(t) > 1 and not self.single(s)):
            if not self.expanding:
                s, t = self.factored(s), self.factored(t)
            elif len(s) * len(t) > MOST_TERMS:
                raise ValueError(
                    f"Multiplied out this has up to {len(s) * len(t)} terms, more than {MOST_TERMS}. Evaluate or compile it as it is."
                )
        out: Sum = {}
        for p, k in s.items():
            for q, m in t.items():
                pq = self.times(p, q)
                v = out.get(pq, 0) + k * m
                if v:
                    out[pq] = v
                else:
                    out.pop(pq, None)
        return out

    def single(self, s: Sum) -> bool:
        """Whether multiplying by ``s`` leaves a sum of as many terms: a product; and not to be kept in brackets."""
        return len(s) == 1 and (self.expanding or () in s)

    def factored(self, s: Sum) -> Sum:
        """A sum of several terms as a number times one base, so that (2x + 2y) and (x + y) are one."""
        if len(s) < 2:
            return s
        first = next(iter(s.values()))
        if isinstance(first, float) or any([isinstance(k, float) for k in s.values()]):
            k: Number = 1.0 if first > 0 else -1.0
        else:
            k = Fraction(
                math.gcd(*[v.numerator for v in s.values()]), math.lcm(*[v.denominator for v in s.values()])
            ) * (1 if first > 0 else -1)
        return {((self.back({p: v / k for p, v in s.items()}), Fraction(1)),): k}

    def power(self, s: Sum, n: Number) -> Sum:
        if not n:
            return {(): Fraction(1)}
        if n == 1:
            return s
        if not s:
            return {} if n > 0 else self.atom(make("divide", Const(1), Const(0)))
        whole = n == int(n) if not isinstance(n, float) or math.isfinite(n) else False
        if len(s) > 1:
            if self.expanding and whole and 1 < n <= 64:
                out = s
                for bit in bin(int(n))[3:]:
                    out = self.multiplied(out, out)
                    if bit == "1":
                        out = self.multiplied(out, s)
                return out
            s = self.factored(s)
        ((p, k),) = s.items()
        if whole:
            # (x^a)^n is x^(a·n) for whole n
            return {tuple([(b, m * n) for b, m in p]): k ** int(n)}
        if not p:
            return {(): float(k) ** float(n)} if k > 0 else self.atom(make("pow", _constant(k), _constant(n)))
        if len(p) == 1 and k == 1 and p[0][1] == 1:
            return {((p[0][0], n),): Fraction(1)}
        return {((self.back(s), n),): Fraction(1)}

    # -- and back

    def back(self, s: Sum) -> Expression:
        """The expression of a sum: positive terms first."""
        if not s:
            return Const(0)
        terms = [(p, k) for p, k in s.items() if p]
        if () in s:
            terms.append(((), s[()]))
        terms = [t for t in terms if t[1] > 0] + [t for t in terms if t[1] <= 0] if terms[0][1] < 0 else terms
        total: Any = None
        for p, k in terms:
            t = self.term(p, abs(k) if total is not None else k)
            total = t if total is None else make("add" if k > 0 else "subtract", total, t)
        return total

    def term(self, p: Product, k: Number) -> Expression:
        over: Any = None
        under: Any = None
        number, divisor = (k.numerator, k.denominator) if isinstance(k, Fraction) else (k, 1)
        for b, n in p:
            m = abs(n)
            f = b if m == 1 else make("sqrt", b) if m == 0.5 else make("pow", b, _constant(m))
            if n > 0:
                over = f if over is None else make("multiply", over, f)
            else:
                under = f if under is None else make("multiply", under, f)
        if over is None:
            over = Const(number)
        elif number != 1:
            over = make("multiply", Const(number), over)
        if divisor != 1:
            under = Const(divisor) if under is None else make("multiply", Const(divisor), under)
        return over if under is None else make("divide", over, under)


def _constant(v: Number) -> Expression:
    if isinstance(v, Fraction):
        return Const(v.numerator) if v.denominator == 1 else make("divide", Const(v.numerator), Const(v.denominator))
    return Const(v)


_ARITHMETIC = ("add", "subtract", "negative", "multiply", "square", "divide", "reciprocal", "pow")
_INVERSE = {("exp", "log"), ("log", "exp"), ("expm1", "log1p"), ("log1p", "expm1"), ("sin", "asin"), ("cos", "acos"), ("tan", "atan"), ("sinh", "asinh"),
            ("asinh", "sinh"), ("tanh", "atanh"), ("atanh", "tanh"), ("cosh", "acosh"), ("erf", "erfinv")}  # fmt: skip
_ODD = ("sin", "tan", "asin", "atan", "sinh", "tanh", "asinh", "atanh", "erf", "erfinv")
_EVEN = ("cos", "cosh", "abs", "bessel_j0", "bessel_i0")


def _transformed(roots: list[Expression], expanding: bool) -> list[Expression]:
    t = _Terms(expanding)
    for e in topological(roots):
        if e._d.is_floating:
            s = t.of(e)
            t.sums[id(e)] = s if expanding else _pythagoras(t, s)
        elif e.args:
            args = tuple([t.back(t.sums[id(x)]) if x._d.is_floating else t.bools.get(id(x), x) for x in e.args])

            t.bools[id(e)] = apply(type(e), args, e.attrs)
    return [t.back(t.sums[id(r)]) if r._d.is_floating else t.bools.get(id(r), r) for r in roots]


def _pythagoras(t: _Terms, s: Sum) -> Sum:
    """k·sin²·r + k·cos²·r as k·r, and cosh² - sinh² likewise."""
    if len(s) < 2:
        return s
    for one, two, sign in (("sin", "cos", 1), ("cosh", "sinh", -1)):
        a, b = CLASSES[one], CLASSES[two]
        for p in list(s):
            for base, n in p:
                if n != 2 or base.__class__ is not a or p not in s:
                    continue
                rest = {x: m for x, m in p if x is not base}
                with_other = dict(rest)
                other = b._of(base.args, base.attrs)
                with_other[other] = with_other.get(other, 0) + Fraction(2)
                q = t.product(with_other)
                if q in s and s[q] == sign * s[p]:
                    k = s[p]
                    s = {x: m for x, m in s.items() if x not in (p, q)}
                    s = t.plus(s, {t.product(rest): k}, 1)
    return s


def expand(e: Any) -> Any:
    """An expression multiplied out: products of sums and whole powers of sums become sums of products, like terms are collected.

    Args:
        e: an expression, or a list or array of them.

    Returns:
        Expressions.

    Raises:
        ValueError: it would have more than 100,000 terms.

    >>> import gradtape as tf
    >>> x, y = tf.symbolic.variables("x y")
    >>> print(tf.symbolic.expand((x + y) ** 2 * (x - y)).pretty())
    x³ + x²·y - x·y² - y³
    """
    with tidied():
        return like(e, _transformed(flat(e), True))


def simplify(e: Any) -> Any:
    """A simpler form of an expression: like terms and equal factors collected, numbers worked out, inverse functions cancelled, sin² + cos² made 1.

    Brackets are kept or multiplied out, whichever is smaller. As in SymPy, variables are taken for numbers for which everything is
    defined: x/x is 1.

    Args:
        e: an expression, or a list or array of them.

    Returns:
        Expressions; the given one where nothing smaller is found.

    >>> import gradtape as tf
    >>> x, y = tf.symbolic.variables("x y")
    >>> print(tf.symbolic.simplify(x + y + x - 3 * y + x * x / x).pretty())
    3·x - 2·y
    >>> print(tf.symbolic.simplify(tf.sin(x) ** 2 + tf.cos(x) ** 2 + tf.exp(tf.math.log(y))).pretty())
    y + 1
    """
    roots = flat(e)
    out = []
    with tidied():
        for r in roots:
            best = (_transformed([r], False))[0]
            if _weight(best) > _weight(r) + 0.75:  # a little more is the price of one form for all
                best = r
            try:
                other = _transformed(_transformed([best], True), False)[0]
                best = other if _weight(other) < _weight(best) else best
            except ValueError:
                pass
            out.append(best)
    return like(e, out)


def _weight(e: Expression) -> float:
    """What a form costs to read and to compute."""
    return sum(
        [
            1.1 if x.args else 1.0 if x.__class__ is Var else 0.5 if isinstance(x._value, int) else 1.0
            for x in topological([e])
        ]
    )


def common_parts(e: Any) -> tuple[list[tuple[Var, Expression]], Any]:
    """The parts that occur more than once, each with a variable in its place.

    Args:
        e: an expression, or a list or array of them.

    Returns:
        A list of (variable, the part that it stands for), in an order in which each needs only those before it; and ``e`` with the
        variables put in.

    >>> import gradtape as tf
    >>> x = tf.symbolic.Var("x")
    >>> s = tf.sin(x) + 1
    >>> parts, rest = tf.symbolic.common_parts(s * s + s)
    >>> [(v.name, str(p)) for v, p in parts], str(rest)
    ([('t0', 'sin(x) + 1')], '(t0) * (t0) + t0')
    """
    from .printing import shared

    roots = flat(e)
    names = shared(roots)
    stand: dict[int, Expression] = {}
    parts: list[tuple[Var, Expression]] = []
    new: dict[int, Expression] = {}

    with tidied(False):
        for x in topological(roots):
            y = apply(type(x), tuple([new[id(a)] for a in x.args]), x.attrs) if x.args else x
            if id(x) in names:
                v = Var(names[id(x)], dtype=x._d)
                parts.append((v, y))
                stand[id(x)] = v
                y = v
            new[id(x)] = y
    return parts, like(e, [new[id(r)] for r in roots])


__all__ = ["common_parts", "expand", "simplify", "subs"]
