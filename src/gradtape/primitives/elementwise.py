"""Elementwise primitives: arithmetic, powers, exponentials, trigonometry, error and gamma functions, comparison, logic, complex parts."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from ..ground.dtypes import ANY, BOOL, COMPLEX, FLOAT, INEXACT, INT, NUMERIC, REAL, UINT, DType, bool_
from ..ground.errors import InvalidArgumentError, invalid
from ..ground.primitive import Aval, Primitive
from ..ground.shapes import broadcast, dims_text
from . import structure as st

# -- how an elementwise row is made ------------------------------------------------------------------------------------


def _shape_rule(out: DType | None, like: int = 0) -> Callable:
    def shape(*avals: Aval) -> Aval:
        return Aval(
            avals[0].shape if len(avals) == 1 else broadcast(*[a.shape for a in avals]), out or avals[like].dtype
        )

    return shape


def batch_elementwise(p: Primitive, xs: tuple, batched: tuple[bool, ...], attrs: dict[str, Any]) -> Any:
    """Batched inputs get ones between the batch dimension and their own, so that all align from the right."""
    rank = max(len(x._shape) - b for x, b in zip(xs, batched, strict=True))
    aligned = []
    for x, b in zip(xs, batched, strict=True):
        s = x._shape
        if b and len(s) - 1 < rank:
            x = st.reshape(x, shape=(s[0],) + (1,) * (rank - len(s) + 1) + s[1:])
        aligned.append(x)
    return p(*aligned, **attrs)


def elementwise(
    name: str, inputs: str, kernel: Callable, *, out: DType | None = None, like: int = 0, **row: Any
) -> Primitive:
    """A row whose output shape is its inputs' broadcast shape."""
    n = len(inputs.split())
    return Primitive(name, inputs, kernel, shape=row.pop("shape", None) or _shape_rule(out, like), out=out, like=like, broadcasts=n > 1,
                     elementwise=True, batch=batch_elementwise, **row)  # fmt: skip


def unary(
    name: str, kernel: Callable, grad: Callable | None, domain: tuple[float, float], accepts: int = INEXACT, **row: Any
) -> Primitive:
    """A row of one input; ``kernel`` is its ufunc unless ``ufunc`` says otherwise."""
    ufunc = row.pop("ufunc", kernel if isinstance(kernel, np.ufunc) else None)
    return elementwise(name, "x", kernel, grad=(grad,), domain=(domain,), accepts=accepts, ufunc=ufunc, **row)


def binary(name: str, kernel: Callable, grad_x: Callable | None, grad_y: Callable | None, domain: Any = ((-3, 3), (-3, 3)),
           accepts: int = NUMERIC, **row: Any) -> Primitive:  # fmt: skip
    """A row of two inputs that broadcast."""
    ufunc = row.pop("ufunc", kernel if isinstance(kernel, np.ufunc) else None)
    return elementwise(name, "x y", kernel, grad=(grad_x, grad_y), domain=domain, accepts=accepts, ufunc=ufunc, **row)


def special(name: str) -> Callable:
    """The kernel that is scipy.special's function ``name``, imported on its first use."""

    def kernel(*arrays: Any, **attrs: Any) -> Any:
        import scipy.special

        return getattr(scipy.special, name)(*arrays, **attrs)

    kernel.__name__ = name
    return kernel


# -- arithmetic --------------------------------------------------------------------------------------------------------

add = binary(
    "add",
    operator.add,
    lambda g: g,
    lambda g: g,
    ufunc=np.add,
    tf="AddV2",
    linear=True,
    widen=False,
    doc="x + y, elementwise.",
)
sub = binary(
    "subtract",
    operator.sub,
    lambda g: g,
    lambda g: -g,
    ufunc=np.subtract,
    widen=False,
    neutral=(None, 0),
    tf="Sub",
    label="sub",
    linear=True,
    doc="x - y, elementwise.",
)
mul = binary(
    "multiply",
    operator.mul,
    lambda g, y: g * y,
    lambda g, x: x * g,
    ufunc=np.multiply,
    widen=False,
    neutral=(1, 1),
    tf="Mul",
    label="mul",
    doc="x * y, elementwise.",
)
div = binary("divide", operator.truediv, lambda g, y: g / y, lambda g, x, y: g * ((-x / y) / y), ((-3, 3), (0.5, 3)), INEXACT,
             ufunc=np.true_divide, widen=False, neutral=(None, 1), tf="RealDiv", label="truediv", doc="x / y, elementwise.")  # fmt: skip
neg = unary(
    "negative",
    operator.neg,
    lambda g: -g,
    (-3, 3),
    NUMERIC,
    ufunc=np.negative,
    widen=False,
    tf="Neg",
    linear=True,
    doc="-x, elementwise.",
)


def _add_n(*xs: Any) -> Any:
    first = xs[0]
    if any(x.shape != first.shape for x in xs):
        raise ValueError("shapes differ")
    if len(xs) == 1:
        return first
    out = first + xs[1]
    for x in xs[2:]:
        out += x
    return out


def _add_n_shape(*xs: Aval) -> Aval:
    dims = list(xs[0].shape)
    for n, x in enumerate(xs):
        if x.ndim != len(dims) or any(None not in (d, e) and d != e for d, e in zip(x.shape, dims, strict=True)):
            raise invalid(
                f"Inputs to add_n must have the same size and shape. Input 0: {dims_text(xs[0].shape)} != input {n}: {dims_text(x.shape)}"
            )
        dims = [e if d is None else d for d, e in zip(x.shape, dims, strict=True)]
    return Aval(tuple(dims), xs[0].dtype)


add_n = Primitive("add_n", "*xs", _add_n, shape=_add_n_shape, grad=lambda g: g, accepts=NUMERIC, linear=True, tf="AddN",
                  batch=lambda p, xs, batched, attrs: p(*st._all_batched(xs, batched)),
                  cases=lambda rng: [(tuple(rng.uniform(-3, 3, (n, 2, 3))), {}) for n in (1, 2, 3)], doc="The sum of tensors of one shape.")  # fmt: skip


def _nonzero_divisor(f: Callable) -> Callable:
    def kernel(x: Any, y: Any) -> Any:
        if y.dtype.kind in "iu" and not np.all(y):
            raise InvalidArgumentError("Integer division by zero: the divisor holds a 0.")
        return f(x, y)

    return kernel


floordiv = binary("floordiv", _nonzero_divisor(operator.floordiv), None, None, ((-9, 9), (0.5, 3)), REAL, tf="FloorDiv",
                  doc="x // y, rounded towards minus infinity. Its gradient is None.")  # fmt: skip
floormod = binary("floormod", _nonzero_divisor(np.remainder), lambda g: g, lambda g, x, y: -g * floordiv(x, y), ((0.1, 0.9), (1.1, 3)), REAL,
                  ufunc=None, tf="FloorMod", doc="x % y with the sign of y.")  # fmt: skip
truncatemod = binary("truncatemod", _nonzero_divisor(np.fmod), lambda g: g, lambda g, x, y: -g * trunc(x / y), ((0.1, 0.9), (1.1, 3)), REAL,
                     ufunc=None, tf="TruncateMod", doc="The remainder of x / y with the sign of x.")  # fmt: skip


def _truncatediv(x: Any, y: Any) -> Any:
    if y.dtype.kind == "f":
        return np.trunc(x / y)
    q = np.floor_divide(np.abs(x), np.abs(y))
    return (q * (np.sign(x) * np.sign(y)).astype(q.dtype)).astype(x.dtype)[()]


truncatediv = binary("truncatediv", _nonzero_divisor(_truncatediv), None, None, ((-9, 9), (0.5, 3)), REAL, tf="TruncateDiv",
                     doc="x / y, rounded towards zero. Its gradient is None.")  # fmt: skip
maximum = binary("maximum", np.maximum, lambda g, x, y: select(greater_equal(x, y), g, st.zeros_like(g)),
                 lambda g, x, y: select(greater_equal(x, y), st.zeros_like(g), g), accepts=REAL, widen=False, doc="The larger of x and y; at a tie the gradient goes to x.")  # fmt: skip
minimum = binary("minimum", np.minimum, lambda g, x, y: select(less_equal(x, y), g, st.zeros_like(g)),
                 lambda g, x, y: select(less_equal(x, y), st.zeros_like(g), g), accepts=REAL, widen=False, doc="The smaller of x and y; at a tie the gradient goes to x.")  # fmt: skip


def _squared_difference(x: Any, y: Any) -> Any:
    d = x - y
    return d * d if d.dtype.kind != "c" else np.conj(d) * d


def _real_part(g: Any) -> Any:
    return st.match(real(g), g) if g._d.is_complex else g


squared_difference = binary("squared_difference", _squared_difference, lambda g, x, y: 2 * _real_part(g) * (x - y), lambda g, x, y: -2 * _real_part(g) * (x - y),
                            holomorphic=False, doc="|x - y|², elementwise.")  # fmt: skip


def _no_nan(x: Any, y: Any) -> Any:
    zero = y == 0
    return np.where(zero, x.dtype.type(0), x / np.where(zero, y.dtype.type(1), y)).astype(x.dtype)[()]


divide_no_nan = binary("divide_no_nan", _no_nan, lambda g, y: divide_no_nan(g, y), lambda g, x, y: g * divide_no_nan(divide_no_nan(-x, y), y),
                       ((-3, 3), (0.5, 3)), INEXACT, tf="DivNoNan", doc="x / y, and 0 where y is 0.")  # fmt: skip
multiply_no_nan = binary("multiply_no_nan", lambda x, y: np.where(y == 0, x.dtype.type(0), x * y).astype(x.dtype)[()],
                         lambda g, y: multiply_no_nan(g, y), lambda g, x: multiply_no_nan(x, g), accepts=INEXACT, tf="MulNoNan",
                         doc="x * y, and 0 where y is 0 even if x is NaN or infinite.")  # fmt: skip
xdivy = binary("xdivy", lambda x, y: np.where(x == 0, x.dtype.type(0), x / y).astype(x.dtype)[()], lambda g, x, y: g * select(equal(x, st.zeros_like(x)), st.zeros_like(y), reciprocal(y)),
               lambda g, x, y: g * xdivy(-x, y * y), ((0.2, 3), (0.5, 3)), INEXACT, doc="x / y, and 0 where x is 0.")  # fmt: skip
xlogy = binary("xlogy", lambda x, y: np.where(x == 0, x.dtype.type(0), x * np.log(y)).astype(x.dtype)[()],
               lambda g, x, y: g * select(equal(x, st.zeros_like(x)), st.zeros_like(y), log(y)), lambda g, x, y: g * xdivy(x, y),
               ((0.2, 3), (0.5, 3)), INEXACT, doc="x * log(y), and 0 where x is 0.")  # fmt: skip
xlog1py = binary("xlog1py", lambda x, y: np.where(x == 0, x.dtype.type(0), x * np.log1p(y)).astype(x.dtype)[()],
                 lambda g, x, y: g * select(equal(x, st.zeros_like(x)), st.zeros_like(y), log1p(y)), lambda g, x, y: g * xdivy(x, y + 1),
                 ((0.2, 3), (0.5, 3)), INEXACT, doc="x * log1p(y), and 0 where x is 0.")  # fmt: skip

abs = unary("abs", np.abs, lambda g, x: st.match(g, x) * sign(x), (-3, 3), NUMERIC, ufunc=None, out="kernel", avoid=(0,), widen=False,  # type: ignore[arg-type]
            shape=lambda x: Aval(x.shape, x.dtype.real_dtype), doc="The absolute value; real for complex x.")  # fmt: skip


def _sign_grad(g: Any, x: Any) -> Any:
    """0 for real x. A complex x can turn on the unit circle: what g has across x/|x|, divided by |x|."""
    if not x._d.is_complex:
        return st.zeros_like(g)
    unit = sign(x)
    return divide_no_nan(g - unit * st.match(real(g * conj(unit)), x), st.match(abs(x), x))


sign = unary("sign", np.sign, _sign_grad, (-3, 3), NUMERIC, avoid=(0,), holomorphic=False, widen=False,
             doc="-1, 0 or 1, with gradient 0; x/|x| for complex x.")  # fmt: skip
square = unary("square", np.square, lambda g, x: g * (2 * x), (-3, 3), NUMERIC, widen=False, doc="x², elementwise.")
reciprocal = unary(
    "reciprocal",
    lambda x: 1 / x,
    lambda g, out: -g * out * out,
    (0.5, 3),
    ufunc=None,
    widen=False,
    tf="Reciprocal",
    doc="1 / x, elementwise.",
)
# For rules, which are linear in g: xdivy has, as in TensorFlow, the derivative 0 where x is 0, so a rule made of it would not be linear to a second tape.
quotient = binary("quotient", xdivy.kernel, lambda g, y: quotient(g, y), lambda g, x, y: g * quotient(-x, y * y), ((0.2, 3), (0.5, 3)), INEXACT,
                  doc="x / y, and 0 where x is 0; linear in x also there.")  # fmt: skip
sqrt = unary("sqrt", np.sqrt, lambda g, out: quotient(g * 0.5, out), (0.3, 4), widen=False, doc="The square root.")
rsqrt = unary(
    "rsqrt",
    lambda x: 1 / np.sqrt(x),
    lambda g, out: g * (-0.5 * out * out * out),
    (0.3, 4),
    ufunc=None,
    doc="1 / sqrt(x).",
)


def _pow(x: Any, y: Any) -> Any:
    if type(y) is not np.ndarray and y == 2:
        return x * x
    kind = y.dtype.kind
    if kind == "f":
        if type(y) is not np.ndarray and y == 0.5 and type(x) is np.ndarray:
            # for which NumPy takes the root, whose answers to -0 and to -inf are others
            root = np.sqrt(x) + y.dtype.type(0)
            return np.where(np.isneginf(x), np.inf, root).astype(root.dtype) if np.isnan(root).any() else root
        return np.power(x, y) if type(x) is np.ndarray or type(y) is np.ndarray else x**y
    if kind == "i" and np.any(y < 0):
        raise InvalidArgumentError(
            "Integers to negative integer powers are not allowed: use tf.cast to make the base a float."
        )
    return np.power(x, y)


def _safe_log(x: Any) -> Any:
    """log x, and 0 where that is no number (x <= 0, for complex x = 0)."""
    zero = st.zeros_like(x)
    safe = not_equal(x, zero) if x._d.is_complex else greater(x, zero)
    return select(safe, log(select(safe, x, st.ones_like(x))), zero)


def _pow_slope(u: Any, x: Any, y: Any) -> Any:
    if type(y) is not np.ndarray:
        if y == 2:
            return u * y * x
        if y == 1 and getattr(u, "shape", ()) == getattr(x, "shape", ()):
            return u * y  # x**0 is 1 for all x
    return u * y * _pow(x, y - y.dtype.type(1))


# u·y·x**(y-1) as one row: squares and cubes are everywhere, and four operations cost four times as much as one
pow_slope = elementwise("pow_slope", "u x y", _pow_slope, accepts=INEXACT, domain=((-3, 3), (0.3, 3), (-2, 2)),
                        grad=(lambda g, x, y: pow_slope(g, x, y), lambda g, u, x, y: pow_slope(g * u * y, x, y - 1),
                              lambda g, u, x, y: g * u * pow(x, y - 1) * (1 + y * _safe_log(x))), doc="u·y·x**(y-1), the derivative of pow along u.")  # fmt: skip
pow = binary(
    "pow",
    _pow,
    lambda g, x, y: pow_slope(g, x, y),
    lambda g, x, out: g * (out * _safe_log(x)),
    ((0.3, 3), (-2, 2)),
    neutral=(None, 1),
    doc="x raised to the power y.",
)

# -- exponentials and logarithms ---------------------------------------------------------------------------------------

exp = unary("exp", np.exp, lambda g, out: g * out, (-3, 3), doc="The exponential function.")
expm1 = unary("expm1", np.expm1, lambda g, x: g * exp(x), (-3, 3), doc="exp(x) - 1, exact for small x.")
log = unary("log", np.log, lambda g, x: g * reciprocal(x), (0.3, 4), doc="The natural logarithm.")
log1p = unary("log1p", np.log1p, lambda g, x: g / (1 + x), (-0.7, 3), doc="log(1 + x), exact for small x.")


def _sigmoid(x: Any) -> Any:
    if x.dtype.kind == "c":
        return 1 / (1 + np.exp(-x))
    # exp of a non-positive number cannot overflow; both halves keep full relative accuracy
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, x.dtype.type(1), e)[()] / (1 + e)


sigmoid = unary(
    "sigmoid", _sigmoid, lambda g, out: g * (out * (1 - out)), (-4, 4), ufunc=None, doc="1 / (1 + exp(-x))."
)


def _softplus(x: Any) -> Any:
    return np.maximum(x, x.dtype.type(0)) + np.log1p(np.exp(-np.abs(x)))


softplus = unary(
    "softplus",
    _softplus,
    lambda g, x: g * sigmoid(x),
    (-4, 4),
    FLOAT,
    ufunc=None,
    doc="log(1 + exp(x)), without overflow.",
)

# -- trigonometric and hyperbolic --------------------------------------------------------------------------------------

sin = unary("sin", np.sin, lambda g, x: g * cos(x), (-3, 3), doc="The sine of x, in radians.")
cos = unary("cos", np.cos, lambda g, x: g * -sin(x), (-3, 3), doc="The cosine of x, in radians.")
tan = unary(
    "tan", np.tan, lambda g, x: g * square(reciprocal(cos(x))), (-1.2, 1.2), doc="The tangent of x, in radians."
)
asin = unary("asin", np.arcsin, lambda g, x: g * rsqrt(1 - x * x), (-0.85, 0.85), doc="The inverse sine, in radians.")
acos = unary(
    "acos", np.arccos, lambda g, x: -g * rsqrt(1 - x * x), (-0.85, 0.85), doc="The inverse cosine, in radians."
)
atan = unary("atan", np.arctan, lambda g, x: g / (1 + x * x), (-3, 3), doc="The inverse tangent, in radians.")
sinh = unary("sinh", np.sinh, lambda g, x: g * cosh(x), (-3, 3), doc="The hyperbolic sine.")
cosh = unary("cosh", np.cosh, lambda g, x: g * sinh(x), (-3, 3), doc="The hyperbolic cosine.")
tanh = unary("tanh", np.tanh, lambda g, out: g * (1 - out * out), (-3, 3), doc="The hyperbolic tangent.")
asinh = unary("asinh", np.arcsinh, lambda g, out: g / cosh(out), (-3, 3), doc="The inverse hyperbolic sine.")
acosh = unary("acosh", np.arccosh, lambda g, out: g / sinh(out), (1.3, 4), doc="The inverse hyperbolic cosine.")
atanh = unary("atanh", np.arctanh, lambda g, x: g / (1 - x * x), (-0.85, 0.85), doc="The inverse hyperbolic tangent.")
atan2 = binary("atan2", np.arctan2, lambda g, x, y: g * (y / (x * x + y * y)), lambda g, x, y: g * (-x / (x * x + y * y)), ((0.4, 3), (0.4, 3)), FLOAT,
               tf="Atan2", doc="The angle of the point (y, x) in radians: atan2(first, second), with the quadrant right.")  # fmt: skip

# -- error and gamma functions (Abramowitz & Stegun 6, 7; kernels from scipy.special) -----------------------------------

erf = unary(
    "erf",
    special("erf"),
    lambda g, x: g * (2 / math.sqrt(math.pi) * exp(-x * x)),
    (-2, 2),
    FLOAT,
    doc="The error function.",
)
erfc = unary(
    "erfc", special("erfc"), lambda g, x: g * (-2 / math.sqrt(math.pi) * exp(-x * x)), (-2, 2), FLOAT, doc="1 - erf(x)."
)
erfinv = unary("erfinv", special("erfinv"), lambda g, out: g * (math.sqrt(math.pi) / 2 * exp(out * out)), (-0.85, 0.85), FLOAT,
               doc="The inverse of the error function.")  # fmt: skip
ndtri = unary("ndtri", special("ndtri"), lambda g, out: g * (math.sqrt(2 * math.pi) * exp(out * out * 0.5)), (0.1, 0.9), FLOAT,
              doc="The inverse of the standard normal distribution function.")  # fmt: skip
lgamma = unary("lgamma", special("gammaln"), lambda g, x: g * digamma(x), (0.5, 4), FLOAT, doc="log|Γ(x)|.")
digamma = unary(
    "digamma", special("psi"), lambda g, x: g * polygamma(x, n=1), (0.5, 4), FLOAT, doc="The derivative of lgamma."
)


def _polygamma(x: Any, *, n: int) -> Any:
    import scipy.special

    return np.asarray(scipy.special.polygamma(n, x)).astype(x.dtype)[()]


polygamma = elementwise("polygamma", "x", _polygamma, shape=lambda x, *, n: x, grad=(lambda g, x, n: g * polygamma(x, n=n + 1),), accepts=FLOAT,
                        cases=lambda rng: [((rng.uniform(0.5, 4, (3,)),), {"n": n}) for n in (1, 2)], doc="The n-th derivative of digamma.")  # fmt: skip

# -- rounding: no derivative, so None, as in TensorFlow ------------------------------------------------------------------


def _on_floats(f: Callable) -> Callable:
    return lambda x: x if x.dtype.kind in "iu" else f(x)


floor = unary(
    "floor", np.floor, None, (-3, 3), FLOAT, widen=False, doc="The largest integer not above x. Its gradient is None."
)
ceil = unary(
    "ceil", np.ceil, None, (-3, 3), FLOAT, widen=False, doc="The smallest integer not below x. Its gradient is None."
)
round = unary(
    "round",
    _on_floats(np.rint),
    None,
    (-3, 3),
    REAL,
    widen=False,
    ufunc=None,
    doc="The nearest integer, halves to even. Its gradient is None.",
)
rint = unary(
    "rint",
    np.rint,
    None,
    (-3, 3),
    FLOAT,
    widen=False,
    doc="The nearest integer of a float, halves to even. Its gradient is None.",
)
trunc = unary("trunc", np.trunc, None, (-3, 3), FLOAT, widen=False, doc="x without its fraction. Its gradient is None.")

# -- comparison and logic --------------------------------------------------------------------------------------------------


def _compare(name: str, kernel: Callable, accepts: int, doc: str) -> Primitive:
    return binary(name, kernel, None, None, accepts=accepts, out=bool_, ufunc=None, widen=False, doc=doc)


def _equal(x: Any, y: Any) -> Any:
    return np.equal(x, y) if type(x) is not bytes and type(y) is not bytes else np.equal(st._array(x), st._array(y))


def _not_equal(x: Any, y: Any) -> Any:
    return (
        np.not_equal(x, y)
        if type(x) is not bytes and type(y) is not bytes
        else np.not_equal(st._array(x), st._array(y))
    )


equal = _compare("equal", _equal, ANY, "x == y, elementwise.")
not_equal = _compare("not_equal", _not_equal, ANY, "x != y, elementwise.")
less = _compare("less", np.less, REAL, "x < y, elementwise.")
less_equal = _compare("less_equal", np.less_equal, REAL, "x <= y, elementwise.")
greater = _compare("greater", np.greater, REAL, "x > y, elementwise.")
greater_equal = _compare("greater_equal", np.greater_equal, REAL, "x >= y, elementwise.")
logical_and = _compare("logical_and", np.logical_and, BOOL, "x and y, elementwise.")
logical_or = _compare("logical_or", np.logical_or, BOOL, "x or y, elementwise.")
logical_xor = _compare("logical_xor", np.logical_xor, BOOL, "Exactly one of x and y, elementwise.")
logical_not = unary("logical_not", np.logical_not, None, (0, 1), BOOL, doc="not x, elementwise.")
is_nan = unary("is_nan", np.isnan, None, (-3, 3), INEXACT, out=bool_, doc="Where x is NaN.")
is_inf = unary("is_inf", np.isinf, None, (-3, 3), INEXACT, out=bool_, doc="Where x is infinite.")
is_finite = unary(
    "is_finite", np.isfinite, None, (-3, 3), INEXACT, out=bool_, doc="Where x is neither NaN nor infinite."
)


def _check_numerics(x: Any, *, message: str) -> Any:
    if not np.all(np.isfinite(x)):
        found = [word for word, f in (("Inf", np.isinf), ("NaN", np.isnan)) if np.any(f(x))]
        raise InvalidArgumentError(f"{message} : Tensor had {' and '.join(found)} values")
    return x


check_numerics = elementwise("check_numerics", "x", _check_numerics, shape=lambda x, *, message: x, accepts=FLOAT, cases=lambda rng: [((rng.uniform(-3, 3, (2, 3)),), {"message": "m"})],
                             grad=(lambda g, message: check_numerics(g, message=f"Not a number (NaN) or infinity (Inf) values detected in gradient. {message}"),),
                             linear=True, effect=True, doc="The tensor itself; an error if it holds a NaN or an infinity, then or in its gradient.")  # fmt: skip
bitwise_and = binary("bitwise_and", np.bitwise_and, None, None, accepts=INT | UINT, doc="The bits set in both.")
bitwise_or = binary("bitwise_or", np.bitwise_or, None, None, accepts=INT | UINT, doc="The bits set in either.")
bitwise_xor = binary("bitwise_xor", np.bitwise_xor, None, None, accepts=INT | UINT, doc="The bits set in exactly one.")
invert = unary("invert", np.invert, None, (-3, 3), INT | UINT, doc="Every bit flipped.")
left_shift = binary("left_shift", np.left_shift, None, None, ((0, 5), (0, 5)), INT | UINT, doc="x << y.")
right_shift = binary("right_shift", np.right_shift, None, None, ((0, 5), (0, 5)), INT | UINT, doc="x >> y.")


def _select_shape(condition: Aval, x: Aval, y: Aval) -> Aval:
    if condition.dtype is not bool_:
        raise invalid(f"The condition must be a bool tensor, but is {condition.dtype.name}.")
    return Aval(broadcast(condition.shape, x.shape, y.shape), x.dtype)


select = elementwise("select", "condition x y", lambda c, x, y: np.where(c, st._array(x), st._array(y))[()], shape=_select_shape, like=1, tf="SelectV2",
                     grad=(None, lambda g, condition: select(condition, g, st.zeros_like(g)), lambda g, condition: select(condition, st.zeros_like(g), g)),
                     linear=True, domain=((0, 1), (-3, 3), (-3, 3)), doc="x where the condition holds, else y.")  # fmt: skip

# -- complex numbers: these rules are not holomorphic and say themselves what becomes of g ---------------------------------

conj = unary(
    "conj",
    np.conj,
    lambda g: conj(g),
    (-3, 3),
    NUMERIC,
    holomorphic=False,
    linear=True,
    widen=False,
    doc="The complex conjugate.",
)
real = unary("real", lambda x: np.real(x)[()], lambda g, x: st.match(g, x), (-3, 3), NUMERIC, out="kernel", holomorphic=False, ufunc=None, widen=False,  # type: ignore[arg-type]
             shape=lambda x: Aval(x.shape, x.dtype.real_dtype), doc="The real part.")  # fmt: skip
imag = unary("imag", lambda x: np.imag(x)[()], lambda g, x: st.match(g, x) * st.full_like(x, value=1j), (-3, 3), COMPLEX, out="kernel", holomorphic=False,  # type: ignore[arg-type]
             ufunc=None, shape=lambda x: Aval(x.shape, x.dtype.real_dtype), doc="The imaginary part.")  # fmt: skip


def _complex(x: Any, y: Any) -> Any:
    if x.dtype != y.dtype:
        raise TypeError("different dtypes")
    out = np.empty(np.broadcast_shapes(x.shape, y.shape), np.complex64 if x.dtype.itemsize == 4 else np.complex128)
    out.real, out.imag = x, y
    return out[()]


def _complex_shape(x: Aval, y: Aval) -> Aval:
    from ..ground.dtypes import complex64, complex128, float32, float64

    if x.dtype not in (float32, float64) or x.dtype is not y.dtype:
        raise invalid(
            f"The real and imaginary parts must both be float32 or both float64, but are {x.dtype.name} and {y.dtype.name}."
        )
    return Aval(broadcast(x.shape, y.shape), complex64 if x.dtype is float32 else complex128)


complex = elementwise("complex", "x y", _complex, shape=_complex_shape, grad=(lambda g: real(g), lambda g: imag(g)), accepts=FLOAT, out="kernel",  # type: ignore[arg-type]
                      holomorphic=False, domain=((-3, 3), (-3, 3)), doc="The complex number with the given real and imaginary parts.")  # fmt: skip
angle = unary("angle", lambda x: np.angle(x)[()].astype(x.real.dtype), lambda g, x: st.match(g, x) * (x * st.full_like(x, value=1j) / st.match(real(x * conj(x)), x)),
              (0.3, 3), COMPLEX, out="kernel", holomorphic=False, ufunc=None, shape=lambda x: Aval(x.shape, x.dtype.real_dtype),  # type: ignore[arg-type]
              doc="The argument of a complex number, in radians.")  # fmt: skip
