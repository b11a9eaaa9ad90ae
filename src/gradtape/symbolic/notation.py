"""How rows are spelt elsewhere: in C, in SymPy and in LaTeX. What has no entry has no such form, or (in LaTeX) its own name.

This says how operations are *written*; what they mean, their derivatives too, stands in the table of operations alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple


class Spelling(NamedTuple):
    """One row in three notations.

    Attributes:
        c: an expression of C, ``{0}`` for the first argument, ``{n}`` for the attribute ``n``.
        sympy: of SymPy's module, the arguments and the attributes (by name), SymPy's form.
        latex: the function's name in LaTeX.
    """

    c: str = ""
    sympy: Callable[..., Any] | None = None
    latex: str = ""


def _f(name: str) -> Callable[..., Any]:
    return lambda sp, *xs: getattr(sp, name)(*xs)


def _same(name: str, sympy: str = "", latex: str = "") -> Spelling:
    return Spelling(f"{name}({{0}})", _f(sympy or name), latex)


SPELLINGS: dict[str, Spelling] = {
    "add": Spelling("({0} + {1})", lambda sp, x, y: x + y),
    "subtract": Spelling("({0} - {1})", lambda sp, x, y: x - y),
    "multiply": Spelling("({0} * {1})", lambda sp, x, y: x * y),
    "divide": Spelling("({0} / {1})", lambda sp, x, y: x / y),
    "negative": Spelling("(-{0})", lambda sp, x: -x),
    "pow": Spelling("pow({0}, {1})", lambda sp, x, y: x**y),
    "pow_slope": Spelling("({0} * {2} * pow({1}, {2} - 1.0))", lambda sp, u, x, y: u * y * x ** (y - 1)),
    "square": Spelling("({0} * {0})", lambda sp, x: x**2),
    "reciprocal": Spelling("(1.0 / {0})", lambda sp, x: 1 / x),
    "squared_difference": Spelling("(({0} - {1}) * ({0} - {1}))", lambda sp, x, y: (x - y) ** 2),
    "divide_no_nan": Spelling("({1} == 0.0 ? 0.0 : {0} / {1})", lambda sp, x, y: sp.Piecewise((0, sp.Eq(y, 0)), (x / y, True))),
    "multiply_no_nan": Spelling("({1} == 0.0 ? 0.0 : {0} * {1})", lambda sp, x, y: x * y),
    "xdivy": Spelling("({0} == 0.0 ? 0.0 : {0} / {1})", lambda sp, x, y: x / y),
    "quotient": Spelling("({0} == 0.0 ? 0.0 : {0} / {1})", lambda sp, x, y: x / y),
    "xlogy": Spelling("({0} == 0.0 ? 0.0 : {0} * log({1}))", lambda sp, x, y: x * sp.log(y)),
    "xlog1py": Spelling("({0} == 0.0 ? 0.0 : {0} * log1p({1}))", lambda sp, x, y: x * sp.log(1 + y)),
    "maximum": Spelling("({0} > {1} || {0} != {0} ? {0} : {1})", _f("Max")),
    "minimum": Spelling("({0} < {1} || {0} != {0} ? {0} : {1})", _f("Min")),
    "floordiv": Spelling("floor({0} / {1})", lambda sp, x, y: sp.floor(x / y)),
    "floormod": Spelling("({0} - {1} * floor({0} / {1}))", _f("Mod")),
    "truncatediv": Spelling("trunc({0} / {1})", lambda sp, x, y: sp.sign(x) * sp.sign(y) * sp.floor(sp.Abs(x) / sp.Abs(y))),
    "truncatemod": Spelling("fmod({0}, {1})", lambda sp, x, y: sp.sign(x) * sp.Mod(sp.Abs(x), sp.Abs(y))),
    "abs": _same("fabs", "Abs"),
    "sign": Spelling("(({0} > 0.0) - ({0} < 0.0))", _f("sign"), r"\operatorname{sgn}"),
    "sqrt": _same("sqrt"),
    "rsqrt": Spelling("(1.0 / sqrt({0}))", lambda sp, x: 1 / sp.sqrt(x)),
    "exp": _same("exp"),
    "expm1": Spelling("expm1({0})", lambda sp, x: sp.exp(x) - 1),
    "log": _same("log", latex=r"\log"),
    "log1p": Spelling("log1p({0})", lambda sp, x: sp.log(1 + x)),
    "sigmoid": Spelling("(1.0 / (1.0 + exp(-{0})))", lambda sp, x: 1 / (1 + sp.exp(-x)), r"\sigma"),
    "softplus": Spelling("(fmax({0}, 0.0) + log1p(exp(-fabs({0}))))", lambda sp, x: sp.log(1 + sp.exp(x))),
    **{name: _same(name, latex=rf"\{name}") for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")},
    "asin": _same("asin", latex=r"\arcsin"),
    "acos": _same("acos", latex=r"\arccos"),
    "atan": _same("atan", latex=r"\arctan"),
    "asinh": _same("asinh", latex=r"\operatorname{arsinh}"),
    "acosh": _same("acosh", latex=r"\operatorname{arcosh}"),
    "atanh": _same("atanh", latex=r"\operatorname{artanh}"),
    "atan2": Spelling("atan2({0}, {1})", _f("atan2")),
    "erf": _same("erf"),
    "erfc": _same("erfc"),
    "erfinv": Spelling("", _f("erfinv"), r"\operatorname{erf}^{-1}"),
    "ndtri": Spelling("", lambda sp, x: sp.sqrt(2) * sp.erfinv(2 * x - 1), r"\Phi^{-1}"),
    "lgamma": Spelling("lgamma({0})", _f("loggamma"), r"\log\Gamma"),
    "digamma": Spelling("gt_polygamma(0, {0})", _f("digamma"), r"\psi"),
    "polygamma": Spelling("gt_polygamma({n}, {0})", lambda sp, x, n: sp.polygamma(n, x)),
    "polygamma_of": Spelling("gt_polygamma((int){0}, {1})", _f("polygamma")),
    "zeta": Spelling("", _f("zeta"), r"\zeta"),
    "floor": _same("floor"),
    "ceil": _same("ceil", "ceiling"),
    "trunc": Spelling("trunc({0})", lambda sp, x: sp.sign(x) * sp.floor(sp.Abs(x))),
    "round": Spelling("rint({0})", None),
    "rint": Spelling("rint({0})", None),
    "equal": Spelling("({0} == {1})", _f("Eq")),
    "not_equal": Spelling("({0} != {1})", _f("Ne")),
    "less": Spelling("({0} < {1})", _f("Lt")),
    "less_equal": Spelling("({0} <= {1})", _f("Le")),
    "greater": Spelling("({0} > {1})", _f("Gt")),
    "greater_equal": Spelling("({0} >= {1})", _f("Ge")),
    "logical_and": Spelling("({0} && {1})", _f("And")),
    "logical_or": Spelling("({0} || {1})", _f("Or")),
    "logical_xor": Spelling("(!{0} != !{1})", _f("Xor")),
    "logical_not": Spelling("(!{0})", _f("Not")),
    "is_nan": Spelling("({0} != {0})", None),
    "is_inf": Spelling("(isinf({0}) != 0)", None),
    "is_finite": Spelling("(isfinite({0}) != 0)", None),
    "select": Spelling("({0} ? {1} : {2})", lambda sp, c, x, y: sp.Piecewise((x, c), (y, True))),
    "keep_where": Spelling("({1} ? {0} : 0.0)", lambda sp, x, c: sp.Piecewise((x, c), (0, True))),
    "stop_gradient": Spelling("{0}", None),
    "conj": Spelling("{0}", _f("conjugate")),
    "real": Spelling("{0}", _f("re")),
    "imag": Spelling("", _f("im")),
    "angle": Spelling("", _f("arg")),
    "complex": Spelling("", lambda sp, x, y: x + sp.I * y),
    "relu": Spelling("({0} <= 0.0 ? 0.0 : {0})", lambda sp, x: sp.Max(x, 0)),
    "relu_grad": Spelling("({1} > 0.0 ? {0} : 0.0)", lambda sp, g, x: sp.Piecewise((g, x > 0), (0, True))),
    "relu6": Spelling("({0} <= 0.0 ? 0.0 : {0} > 6.0 ? 6.0 : {0})", lambda sp, x: sp.Min(sp.Max(x, 0), 6)),
    "relu6_grad": Spelling("({1} > 0.0 && {1} < 6.0 ? {0} : 0.0)", lambda sp, g, x: sp.Piecewise((g, sp.And(x > 0, x < 6)), (0, True))),
    "leaky_relu": Spelling("({0} > 0.0 ? {0} : {alpha} * {0})", lambda sp, x, alpha: sp.Piecewise((x, x > 0), (alpha * x, True))),
    "leaky_relu_grad": Spelling("({1} > 0.0 ? {0} : {alpha} * {0})", lambda sp, g, x, alpha: sp.Piecewise((g, x > 0), (alpha * g, True))),
    "elu": Spelling("({0} > 0.0 ? {0} : expm1({0}))", lambda sp, x: sp.Piecewise((x, x > 0), (sp.exp(x) - 1, True))),
    "selu": Spelling("(1.0507009873554805 * ({0} > 0.0 ? {0} : 1.6732632423543772 * expm1({0})))",
                     lambda sp, x: 1.0507009873554805 * sp.Piecewise((x, x > 0), (1.6732632423543772 * (sp.exp(x) - 1), True))),
    "softsign": Spelling("({0} / (1.0 + fabs({0})))", lambda sp, x: x / (1 + sp.Abs(x))),
    "gelu": Spelling("", None),
    "bessel_j0": Spelling("j0({0})", lambda sp, x: sp.besselj(0, x), "J_0"),
    "bessel_j1": Spelling("j1({0})", lambda sp, x: sp.besselj(1, x), "J_1"),
    "bessel_y0": Spelling("y0({0})", lambda sp, x: sp.bessely(0, x), "Y_0"),
    "bessel_y1": Spelling("y1({0})", lambda sp, x: sp.bessely(1, x), "Y_1"),
    "bessel_i0": Spelling("", lambda sp, x: sp.besseli(0, x), "I_0"),
    "bessel_i1": Spelling("", lambda sp, x: sp.besseli(1, x), "I_1"),
    "bessel_i0e": Spelling("", lambda sp, x: sp.exp(-sp.Abs(x)) * sp.besseli(0, x)),
    "bessel_i1e": Spelling("", lambda sp, x: sp.exp(-sp.Abs(x)) * sp.besseli(1, x)),
    "bessel_k0": Spelling("", lambda sp, x: sp.besselk(0, x), "K_0"),
    "bessel_k1": Spelling("", lambda sp, x: sp.besselk(1, x), "K_1"),
    "bessel_k0e": Spelling("", lambda sp, x: sp.exp(x) * sp.besselk(0, x)),
    "bessel_k1e": Spelling("", lambda sp, x: sp.exp(x) * sp.besselk(1, x)),
    "dawsn": Spelling("", lambda sp, x: sp.sqrt(sp.pi) / 2 * sp.exp(-(x**2)) * sp.erfi(x), "D_+"),
    "expint": Spelling("", _f("Ei"), r"\operatorname{Ei}"),
    "fresnel_cos": Spelling("", _f("fresnelc"), "C"),
    "fresnel_sin": Spelling("", _f("fresnels"), "S"),
    "spence": Spelling("", lambda sp, x: sp.polylog(2, 1 - x)),
    "igammac": Spelling("", lambda sp, a, x: sp.uppergamma(a, x) / sp.gamma(a), "Q"),
    "betainc": Spelling("", lambda sp, a, b, x: sp.betainc_regularized(a, b, 0, x), "I"),
    "sigmoid_xent": Spelling("(fmax({0}, 0.0) - {0} * {1} + log1p(exp(-fabs({0}))))", lambda sp, x, z: sp.log(1 + sp.exp(x)) - x * z),
}  # fmt: skip

GREEK = {
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu", "nu", "xi", "pi", "rho",
    "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega", "Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Phi", "Psi", "Omega",
}  # fmt: skip

# The sums Σ of polygamma's asymptotic series (DLMF 5.15.8) after the recurrence 5.15.5 has carried x beyond 20 + n.
C_HELPERS = {
    "gt_polygamma": r"""
static double gt_polygamma(int n, double x) {
    static const double b[10] = {1.0 / 6, -1.0 / 30, 1.0 / 42, -1.0 / 30, 5.0 / 66, -691.0 / 2730, 7.0 / 6, -3617.0 / 510, 43867.0 / 798, -174611.0 / 330};
    double f = 1.0, s = 0.0, t;
    int k, j;
    for (k = 2; k <= n; k++) f *= k;
    if (x <= 0.0 && x == floor(x)) return NAN;
    while (x < 20.0 + n) {
        s += n ? f / pow(x, n + 1) : -1.0 / x;
        x += 1.0;
    }
    if (n == 0) {
        s += log(x) - 0.5 / x;
        for (k = 1; k <= 10; k++) s -= b[k - 1] / (2 * k * pow(x, 2 * k));
        return s;
    }
    s += f / n / pow(x, n) + f / 2 / pow(x, n + 1);
    for (k = 1; k <= 10; k++) {
        t = b[k - 1] / pow(x, 2 * k + n);
        for (j = 2 * k + 1; j <= 2 * k + n - 1; j++) t *= j;
        s += t;
    }
    return n % 2 ? s : -s;
}
"""
}
