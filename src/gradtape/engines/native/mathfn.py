"""Vector math functions, one algorithm for float32 and float64: ranges reduced by exact steps, then a minimax polynomial.

The polynomials were fitted by Remez's exchange to the relative error, for the intervals that the comments name. ``fma`` is
used throughout, so results depend neither on the number of lanes nor on the compiler. NaN, infinities, signed zeros and
denormals give what NumPy gives. ``ULP`` holds the largest error of each, in units of the last place of the exact result, as
the tests measure and enforce it:

    function                     float32 float64   method
    exp                            1.0     1.0     x = n·log 2 + r; 1 + r + r²·q(r), scaled by 2ⁿ
    expm1                          1.5     2.0     the same without the 1
    log                            1.0     1.0     x = 2ᵏ(1 + f); series in f (float32), in f/(2 + f) (float64)
    log1p                          1.5     1.5     the same, with f from x without rounding 1 + x
    tanh                           1.5     1.5     odd polynomial below 0.625, else 1 - 2/(exp(2x) + 1)
    sinh, cosh                     2.0     2.0     odd polynomial below 1; exp(x)/2 ± 1/(2·exp(x))
    sigmoid                        2.5     2.5     exp(-|x|) or 1, over 1 + exp(-|x|), as the kernel
    softplus                       2.0     2.0     max(x, 0) + log1p(exp(-|x|)), as the kernel
    sin, cos                       2.0     2.0     Cody and Waite's reduction by π/2 in three parts; libm for huge x
    tan                            3.0     3.0     their quotient
    atan                           2.0     2.0     reduced to |x| < tan(π/8)
    atan2                          2.5     2.5     atan of the smaller over the larger
    asin, acos                     2.5     2.5     odd polynomial below ½, else through sqrt((1 - |x|)/2)
    asinh, acosh, atanh            2.5     2.5     log1p of forms without cancellation
    erf                            1.5     1.5     odd polynomial below 1, else 1 - erfc
    erfc                           4.0     4.0     exp(-x²)·p((x - a)/(x + a))/(1 + 2x) (Shepherd and Laframboise 1981)
    pow                            1.0     1.0     2 to y·log2(x), that of float32 in float64; float64 by a logarithm of 64 bits and more
    rsqrt                          1.5     1.5     1/sqrt(x), as the kernel
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from .ir import F32, F64, I32, I64, Code, Type, Val, fma, poly, where

INF = math.inf
ULP: dict[str, tuple[float, float]] = {}
MATH: dict[str, Callable[..., Val]] = {}


def mathfn(name: str, float32: float, float64: float, heavy: bool = False) -> Callable:
    """Enter a function in the table with its bounds in ulp. A heavy one is written once for each type and called (in short loops, written out)."""

    def enter(f: Callable[..., Val]) -> Callable[..., Val]:
        def inline(*xs: Val) -> Val:
            with xs[0].code.strict():
                return f(*xs)

        ULP[name] = (float32, float64)
        MATH[name] = (lambda *xs: inline(*xs) if xs[0].code.inline else _called(name, f, xs)) if heavy else inline
        return MATH[name]

    return enter


def _called(name: str, f: Callable[..., Val], xs: tuple[Val, ...]) -> Val:
    """``f`` as a function of its own, which its first use writes."""
    lanes = max(x.n for x in xs)
    xs = tuple(x.spread(lanes) for x in xs)
    code, t = xs[0].code, xs[0].t
    symbol = f"math.{name}.{f'v{lanes}' if lanes else ''}{t.suffix}"
    module = code.module
    if symbol not in module.internal:
        module.internal[symbol] = True
        inner = Code(module, symbol, [(t, lanes)] * len(xs), t.vector(lanes), "internal fastcc", "nounwind")
        r = f(*inner.params)
        inner.write(f"ret {r.type} {r.name}")
        inner.close()
    args = ", ".join(f"{x.type} {x.name}" for x in xs)
    return code.pure(f"call fastcc {xs[0].type} @{symbol}({args})", t, lanes)


def by_lanes(name: str, *xs: Val) -> Val:
    """libm's function of doubles, lane by lane."""
    code, t, lanes = xs[0].code, xs[0].t, max(x.n for x in xs)
    xs = tuple(x.spread(lanes) for x in xs)
    if not lanes:
        return code.call(name, F64, 0, [x.to(F64) for x in xs]).to(t)
    places = [code.stack(lanes * t.size) for _ in xs]
    for p, x in zip(places, xs, strict=True):
        code.store(x, p)

    def lane(i: Val, carried: list[Val]) -> list[Val]:
        at = [code.offset(p, i, t.size) for p in places]
        code.store(code.call(name, F64, 0, [code.load(a, t).to(F64) for a in at], pure=False).to(t), at[0])
        return []

    code.loop(0, lanes, 1, [], lane)
    return code.load(places[0], t, lanes)


def any_lane(c: Val) -> Val:
    """Whether the condition holds in some lane."""
    if not c.n:
        return c
    return c.code.call(f"llvm.vector.reduce.or.v{c.n}i1", c.t, 0, [c])


# -- constants by type -------------------------------------------------------------------------------------------------------


class Format:
    """What the algorithms must know of a floating-point format."""

    def __init__(self, t: Type, integer: Type, mantissa: int, bias: int, **c: Any) -> None:
        self.t, self.integer, self.mantissa, self.bias = t, integer, mantissa, bias
        self.magic = 1.5 * 2.0**mantissa  # adding it rounds to an integer, which then stands in the low bits
        self.magic_bits = ((bias + mantissa) << mantissa) | (1 << (mantissa - 1))
        self.tiny = 2.0 ** (1 - bias)
        self.__dict__.update(c)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)


_EXP64 = (0.5, 0.16666666666666677, 0.041666666666666505, 0.00833333333332145, 0.0013888888888963877, 0.00019841269886660852, 2.480158717055165e-05, 2.7557243600204397e-06, 2.7557403498928344e-07, 2.5109272271013198e-08, 2.0875322802746607e-09)  # fmt: skip
FORMATS = {
    F32: Format(
        F32, I32, 23, 127, ln2=(0.693145751953125, 1.428606765330187e-06), half_pi=(1.5707963705062866, -4.371138828673793e-08, -1.7151245100058819e-15),
        exp_range=(-104.0, 89.0), expm1_low=-18.0, sqrt_half=0x3F3504F3, trig_limit=5e4, erfc_limit=10.06, erfc_a=2.0,
        # exp(r) = 1 + r + r²·q(r), |r| <= 0.3475
        exp=(0.4999999701976776, 0.16666541993618011, 0.04166721925139427, 0.008366694673895836, 0.0013881761115044355),
        # the same with the error relative to exp(r) - 1
        expm1=(0.5, 0.1666666567325592, 0.04166635870933533, 0.008333389647305012, 0.0013940893113613129, 0.0001984595728572458),
        # log(1 + f) = f - f²/2 + f³·p(f), sqrt(½) <= 1 + f <= sqrt(2)
        log=(0.3333333134651184, -0.2500081956386566, 0.20001228153705597, -0.1662335842847824, 0.14201724529266357, -0.13160139322280884, 0.1276177316904068, -0.07634840160608292),
        # f(x) = x + x³·p(x²): tanh below 0.625, sin below π/4, sinh below 1, atan below tan(π/8), asin below ½
        tanh=(-0.3333328068256378, 0.13331443071365356, -0.0537397675216198, 0.02063918113708496, -0.005705030634999275),
        sin=(-0.1666666716337204, 0.008333329111337662, -0.00019839296874124557, 2.7179737571714213e-06),
        sinh=(0.1666666716337204, 0.008333350531756878, 0.0001983614929486066, 2.8170136374683352e-06),
        atan=(-0.33333316445350647, 0.19998466968536377, -0.14243429899215698, 0.10592986643314362, -0.06075986847281456),
        asin=(0.16666752099990845, 0.07495291531085968, 0.04547134041786194, 0.024173952639102936, 0.042177002876996994),
        # cos(x) = 1 - x²/2 + x⁴·p(x²), below π/4
        cos=(0.04166664555668831, -0.0013887303648516536, 2.4431670681224205e-05),
        # erf(x) = x + x·p(x²), below 1
        erf=(0.12837916612625122, -0.3761262595653534, 0.11283587664365768, -0.026853876188397408, 0.005188410170376301, -0.0008010671590454876, 7.854785508243367e-05),
        # (1 + 2x)·exp(x²)·erfc(x) as a polynomial in (x - a)/(x + a)
        erfc=(1.2769783735275269, -0.0927639827132225, -0.16603142023086548, 0.16405534744262695, -0.054204296320676804, -0.008059877902269363, 0.008631676435470581, 0.0013135250192135572, -0.0012299212394282222, -0.000400574499508366),
    ),
    F64: Format(
        F64, I64, 52, 1023, ln2=(0.6931471805598903, 5.497923018708371e-14), half_pi=(1.5707963267948966, 6.123233995736766e-17, -1.4973849048591698e-33),
        exp_range=(-746.0, 710.0), expm1_low=-38.0, sqrt_half=0x3FE6A09E667F3BCD, trig_limit=1e6, erfc_limit=27.3, erfc_a=4.0,
        exp=_EXP64, expm1=_EXP64,
        # log(1 + f) = 2·atanh(s), s = f/(2 + f): 2s + s³·p(s²)
        log=(0.6666666666666735, 0.3999999999941111, 0.2857142874325923, 0.2222219847623143, 0.18183569732233623, 0.15313903316627284, 0.14797508156422653),
        # the same with p = 2/3 + x²·q(x²), for 67 bits
        log_rest=(0.3999999999999998, 0.2857142857144522, 0.22222222217510426, 0.1818181887351322, 0.15384556652568868, 0.13336325830710546, 0.11674647586061479, 0.11990438113658838),
        tanh=(-0.33333333333333315, 0.13333333333329742, -0.05396825396605883, 0.02186948846871363, -0.008863234312553713, 0.003592113999658551, -0.0014557259468221996, 0.0005894517941677418, -0.00023701171784058824, 9.155839121792693e-05, -3.018720036039165e-05, 6.042459525188529e-06),
        sin=(-0.1666666666666663, 0.008333333333321905, -0.0001984126982940913, 2.755731355582398e-06, -2.505073707578886e-08, 1.5895588466044728e-10),
        sinh=(0.16666666666666669, 0.008333333333333146, 0.0001984126984143268, 2.7557319156805096e-06, 2.5052123180866665e-08, 1.6057256205314642e-10, 7.758860489665944e-13),
        atan=(-0.3333333333333319, 0.19999999999952817, -0.14285714280121078, 0.11111110779788778, -0.09090897654811701, 0.07692058425653106, -0.06663084116182659, 0.05847746780298108, -0.050386721948858494, 0.03804870340556511, -0.017890047284215414),
        asin=(0.1666666666666676, 0.07499999999970637, 0.044642857174776056, 0.030381942699512138, 0.02237221523113463, 0.017351607463019187, 0.013980877112752033, 0.011398433638576174, 0.010783020457844659, 0.003695642550728186, 0.02173438089675375, -0.021038198275428, 0.03265372236904532),
        cos=(0.04166666666666659, -0.0013888888888872735, 2.4801587288644902e-05, -2.7557314117916736e-07, 2.0875692291708872e-09, -1.1358083742156821e-11),
        erf=(0.1283791670955126, -0.3761263890318375, 0.1128379167095486, -0.02686617064507311, 0.0052239776247813285, -0.0008548326978702324, 0.00012055331033594772, -1.4925593391646451e-05, 1.6460970488052699e-06, -1.6349996165100503e-07, 1.4657658716680904e-08, -1.1364723179406126e-09, 5.943533291654512e-11),
        erfc=(1.2329951186255526, -0.13962111684056286, 0.015379652102620036, 0.06809705425473443, -0.10103906603631731, 0.09373283499688786, -0.06633036581218632, 0.03716751556104341, -0.016197734052940053, 0.005031969768477366, -0.0007577733738023626, -0.0001992555736922862, 0.00015062234224845388, -2.4402952167828694e-05, -1.1224955079821148e-05, 5.717443192900676e-06, 3.014728019067072e-07, -8.346170757709707e-07, 6.274064791989705e-08, 1.1498745184849174e-07, -7.822035857839026e-09, -1.3573003105212705e-08, -1.7762231150861887e-09),
    ),
}  # fmt: skip


def _abs(x: Val) -> Val:
    return x.intrinsic("fabs")


def sqrt(x: Val) -> Val:
    """The square root, rounded correctly."""
    return x.intrinsic("sqrt")


def copysign(x: Val, sign: Val) -> Val:
    """|x| with the sign of the other."""
    return x.intrinsic("copysign", sign)


def paired(x: Val, coefficients: tuple[float, ...]) -> Val:
    """A polynomial as one in x², of pairs of terms: one product more than by Horner's scheme, half the time until it is done."""
    y = x * x
    pairs = [coefficients[i : i + 2] for i in range(0, len(coefficients), 2)]
    *rest, p = [fma(x, c[1], c[0]) if len(c) > 1 else x.like(c[0]) for c in pairs]
    for q in reversed(rest):
        p = fma(p, y, q)
    return p


# -- exponentials ------------------------------------------------------------------------------------------------------------


def _power_of_two(n: Val, f: Format) -> Val:
    """2ⁿ of an integer n, where that is a normal number."""
    return ((n + f.bias) << f.mantissa).bits(f.t)


def _scaled(p: Val, n: Val, f: Format) -> Val:
    """p·2ⁿ, rounded once: the result may overflow or be denormal."""
    code = p.code
    if code.module.has_ldexp:
        bits = p.n * p.t.bits
        if bits in (128, 256, 512):  # AVX-512's instruction takes n as a float, as which it is at hand
            name = f"llvm.x86.avx512.mask.scalef.p{'s' if p.t is F32 else 'd'}.{bits}"
            mask = Val(code, "-1", Type("mask", "i16" if p.n == 16 else "i8", 8, "i", ""), 0)
            args = [p, n, p, mask]
            return code.call(name, p.t, p.n, [*args, code.const(4, I32)] if bits == 512 else args)
        lanes = f"v{p.n}" if p.n else ""
        return code.call(f"llvm.ldexp.{lanes}{p.t.suffix}.{lanes}i32", p.t, p.n, [p, n.to(I32)])
    whole = (n + f.magic).bits(f.integer) - f.magic_bits
    half = whole >> 1
    return p * _power_of_two(half, f) * _power_of_two(whole - half, f)


def _reduce(x: Val, f: Format) -> tuple[Val, Val, Val]:
    """x = n·log 2 + r, |r| <= log(2)/2: the integer n as a float and as an integer, and r."""
    t = fma(x, 1 / math.log(2), f.magic)
    n = t - f.magic
    r = fma(-n, f.ln2[1], fma(-n, f.ln2[0], x))
    return n, t.bits(f.integer) - f.magic_bits, r


def _exp(x: Val, low: bool = True, high: bool = True, shift: int = 0, more: Val | None = None) -> Val:
    """exp(x + more)·2**shift; without ``low`` or ``high``, x is known not to lie beyond that end of the range."""
    f = FORMATS[x.t]
    if high:
        top = f.exp_range[1] - shift
        x = where(x > top, top, x)
    if low:
        x = where(x < f.exp_range[0], f.exp_range[0], x)
    n, _, r = _reduce(x, f)
    if more is None:
        y = poly(r, (1.0, 1.0, *f.exp))
    else:
        tail = r * r * poly(r, f.exp)
        y = 1 + (r + (tail + fma(more, r + tail, more)))
    return _scaled(y, n + shift if shift else n, f)


@mathfn("exp", 1.0, 1.0)
def exp(x: Val) -> Val:
    return _exp(x)


@mathfn("expm1", 1.5, 2.0)
def expm1(x: Val) -> Val:
    f = FORMATS[x.t]
    y = where(x > f.exp_range[1], f.exp_range[1], x)
    _, n, r = _reduce(where(y < f.expm1_low, f.expm1_low, y), f)
    m = fma(r * r, poly(r, f.expm1), r)  # exp(r) - 1
    s = _power_of_two(n - 1, f)  # half of 2ⁿ, which may be out of range
    y = fma(m, s, s - 0.5)
    return where(n.eq(0), where(x.eq(0), x, m), y + y)


# -- logarithms --------------------------------------------------------------------------------------------------------------


def _split(x: Val, f: Format) -> tuple[Val, Val]:
    """x = 2ᵏ·m with sqrt(½) <= m < sqrt(2): k as an integer, and m. For positive normal x."""
    b = x.bits(f.integer)
    k = (b - f.sqrt_half) >> f.mantissa
    return k, (b - (k << f.mantissa)).bits(x.t)


def _log(k: Val, m: Val, f: Format) -> Val:
    """k·log 2 + log(1 + m)."""
    k = k.to(f.t)
    if f.t is F32:
        z = m * m
        small = fma(z, m * poly(m, f.log), fma(k, f.ln2[1], z * -0.5))
        return fma(k, f.ln2[0], m + small)
    s = m / (m + 2)
    z = s * s
    half = m * m * 0.5
    # m - m²/2 + s·(m²/2 + z·p(z))
    return fma(k, f.ln2[0], m - (half - fma(s, fma(z, poly(z, f.log), half), k * f.ln2[1])))


@mathfn("log", 1.0, 1.0)
def log(x: Val) -> Val:
    f = FORMATS[x.t]
    denormal = x < f.tiny
    k, m = _split(where(denormal, x * 2.0 ** (f.mantissa + 1), x), f)
    y = _log(k - where(denormal, k.like(f.mantissa + 1), 0), m - 1, f)
    y = where(x > 0, y, where(x.eq(0), x.like(-INF), math.nan))
    return where(x < INF, y, x + x)  # infinity, and NaN


def _log1p(x: Val) -> Val:
    """log(1 + x) for finite x > -1, but for the sign of zero."""
    f = FORMATS[x.t]
    u = x + 1
    k, m = _split(u, f)
    s = _power_of_two(-k, f)
    m = where(u < 2.0 ** (f.mantissa + 2), fma(x, s, s - 1), m - 1)  # 2⁻ᵏ(1 + x) - 1
    return _log(k, m, f)


@mathfn("log1p", 1.5, 1.5)
def log1p(x: Val) -> Val:
    y = where(x > -1, _log1p(x), where(x.eq(-1), x.like(-INF), math.nan))
    return where((x < INF) & x.ne(0), y, x)


@mathfn("softplus", 2.0, 2.0)
def softplus(x: Val) -> Val:
    return where(x.isnan, x, where(x > 0, x, 0.0) + _log1p(_exp(-_abs(x), high=False)))


# -- hyperbolic functions ----------------------------------------------------------------------------------------------------


@mathfn("sigmoid", 2.5, 2.5)
def sigmoid(x: Val) -> Val:
    e = _exp(-_abs(x), high=False)
    return where(x >= 0, x.like(1.0), e) / (1 + e)


def _odd(x: Val, coefficients: tuple[float, ...]) -> Val:
    z = x * x
    return fma(x * z, poly(z, coefficients), x)


@mathfn("tanh", 1.5, 1.5)
def tanh(x: Val) -> Val:
    a = _abs(x)
    y = 1 - 2 / (_exp(a + a, low=False) + 1)
    return copysign(where(a < 0.625, _odd(x, FORMATS[x.t].tanh), y), x)


@mathfn("sinh", 2.0, 2.0)
def sinh(x: Val) -> Val:
    a = _abs(x)
    e = _exp(a, low=False, shift=-1)
    return where(a < 1, _odd(x, FORMATS[x.t].sinh), copysign(e - 0.25 / e, x))


@mathfn("cosh", 2.0, 2.0)
def cosh(x: Val) -> Val:
    e = _exp(_abs(x), low=False, shift=-1)
    return e + 0.25 / e


@mathfn("asinh", 2.5, 2.5, heavy=True)
def asinh(x: Val) -> Val:
    a = _abs(x)
    big = a > 2.0 ** (FORMATS[x.t].mantissa // 2 + 4)  # where 1 + a² is a²
    z = a * a
    y = _log1p(where(big, a - 1, a + z / (1 + sqrt(z + 1)))) + where(big, x.like(math.log(2)), 0.0)
    return where((a < INF) & x.ne(0), copysign(y, x), x)


@mathfn("acosh", 2.5, 2.5, heavy=True)
def acosh(x: Val) -> Val:
    big = x > 2.0 ** (FORMATS[x.t].mantissa // 2 + 4)
    t = x - 1
    y = _log1p(where(big, t, t + sqrt(t * (t + 2)))) + where(big, x.like(math.log(2)), 0.0)
    y = where(x.eq(1), 0.0, y)
    return where(x < 1, math.nan, where(x < INF, y, x))


@mathfn("atanh", 2.5, 2.5, heavy=True)
def atanh(x: Val) -> Val:
    a = _abs(x)
    y = 0.5 * _log1p(2 * a / (1 - a))
    y = where(a < 1, y, where(a.eq(1), x.like(INF), math.nan))
    return where(x.ne(0) & (a >= FORMATS[x.t].tiny), copysign(y, x), x)


# -- trigonometric functions ---------------------------------------------------------------------------------------------------


def _parts(x: Val, f: Format) -> tuple[Val, Val]:
    """sin and cos of a small x."""
    z = x * x
    return fma(x * z, paired(z, f.sin), x), fma(z, paired(z, (-0.5, *f.cos)), 1.0)


def _less(x: Val, n: Val | float, f: Format) -> Val:
    """x - n·π/2."""
    n = x.code.as_val(n, x.t, x.n)
    return fma(-n, f.half_pi[2], fma(-n, f.half_pi[1], fma(-n, f.half_pi[0], x)))


def _quadrants(x: Val) -> tuple[Val, Val, Val]:
    """x = n·π/2 + r: the integer n, sin(r) and cos(r)."""
    f = FORMATS[x.t]
    t = fma(x, 2 / math.pi, f.magic)
    return t.bits(f.integer), *_parts(_less(x, t - f.magic, f), f)


def _near(x: Val, known: Callable[[int, Val], Val], other: Callable[[], Val]) -> Val:
    """For single numbers ``known(n, r)`` where x = n·π/2 + r with |n| <= 2, else ``other()``.

    A loop waits for each result before it takes the next step. With n known, which the processor guesses right nearly always, there is half as much
    to wait for. The bits are those of the general way.
    """
    if x.n:
        return other()
    f, code = FORMATS[x.t], x.code
    a = _abs(x)

    def quadrant(n: int) -> Callable[[], list[Val]]:
        return lambda: [known(n, _less(x, float(n), f) if n else x)]

    def beyond() -> list[Val]:
        within = (a > 1.02 * 0.75 * math.pi) & (a < 0.98 * 1.25 * math.pi)
        halves = lambda: code.choose(x > 0, quadrant(2), quadrant(-2))
        return code.choose(within, halves, lambda: [other()])

    small = (a < 0.98 * 0.25 * math.pi) & x.ne(0)  # whose sign the polynomial loses
    return code.choose(small, quadrant(0), beyond)[0]


def _trig(name: str, x: Val, y: Val) -> Val:
    """y, or libm's function where x is too large for the reduction."""
    far = _abs(x) > FORMATS[x.t].trig_limit
    return x.code.choose(any_lane(far), lambda: [where(far, by_lanes(name, x), y)], lambda: [y])[0]


def _signed(y: Val, n: Val, at: int) -> Val:
    """-y where bit 1 of n is set."""
    b = (n & 2) << (at - 1)
    return (y.bits(n.t) ^ b).bits(y.t)


@mathfn("sin", 2.0, 2.0, heavy=True)
def sin(x: Val) -> Val:
    def general() -> Val:
        n, s, c = _quadrants(x)
        y = _signed(where((n & 1).eq(0), s, c), n, x.t.bits - 1)
        return _trig("sin", x, where(x.eq(0), x, y))

    def known(n: int, r: Val) -> Val:
        s = _parts(r, FORMATS[x.t])[0]
        return -s if n else s

    return _near(x, known, general)


@mathfn("cos", 2.0, 2.0, heavy=True)
def cos(x: Val) -> Val:
    def general() -> Val:
        n, s, c = _quadrants(x)
        return _trig("cos", x, _signed(where((n & 1).eq(0), c, s), n + 1 - ((n & 1) ^ 1), x.t.bits - 1))

    def known(n: int, r: Val) -> Val:
        c = _parts(r, FORMATS[x.t])[1]
        return -c if n else c

    return _near(x, known, general)


@mathfn("tan", 3.0, 3.0, heavy=True)
def tan(x: Val) -> Val:
    n, s, c = _quadrants(x)
    even = (n & 1).eq(0)
    y = where(even, s, -c) / where(even, c, s)
    return _trig("tan", x, where(x.eq(0), x, y))


def _atan(q: Val) -> tuple[Val, Val]:
    """atan of 0 <= q <= 1 as a sum: a main part, and what is left."""
    f = FORMATS[q.t]
    far = q > math.tan(math.pi / 8)
    r = where(far, (q - 1) / (q + 1), q)
    z = r * r
    main = where(far, q.like(f.half_pi[0] * 0.5), 0.0)
    tail = where(far, q.like(f.half_pi[1] * 0.5), 0.0)
    return main, r + fma(r * z, poly(z, f.atan), tail)


@mathfn("atan", 2.0, 2.0, heavy=True)
def atan(x: Val) -> Val:
    f = FORMATS[x.t]
    a = _abs(x)
    far = a > 1
    main, rest = _atan(where(far, 1 / a, a))
    y = where(far, f.half_pi[0] - main - (rest - f.half_pi[1]), main + rest)
    return copysign(y, x)


@mathfn("atan2", 2.5, 2.5, heavy=True)
def atan2(y: Val, x: Val) -> Val:
    f = FORMATS[x.t]
    ax, ay = _abs(x), _abs(y)
    steep = ay > ax
    top, bottom = where(steep, ax, ay), where(steep, ay, ax)
    q = where(ax.eq(ay), x.like(1.0), top / bottom)  # also for two infinities
    main, rest = _atan(where(bottom.eq(0), 0.0, q))
    nan = x.isnan | y.isnan
    left = x.bits(f.integer) < 0
    hi, lo = f.half_pi[0], f.half_pi[1]
    main, rest = where(steep, hi - main, main), where(steep, lo - rest, rest)
    main, rest = where(left, 2 * hi - main, main), where(left, 2 * lo - rest, rest)
    return where(nan, x + y, copysign(main + rest, y))


@mathfn("asin", 2.5, 2.5, heavy=True)
def asin(x: Val) -> Val:
    f = FORMATS[x.t]
    a = _abs(x)
    far = a > 0.5
    z = fma(a, -0.5, 0.5)
    r = _odd(where(far, sqrt(z), a), f.asin)
    y = where(far, f.half_pi[0] - (2 * r - f.half_pi[1]), r)
    return copysign(y, x)


@mathfn("acos", 2.5, 2.5, heavy=True)
def acos(x: Val) -> Val:
    f = FORMATS[x.t]
    a = _abs(x)
    far = a > 0.5
    z = fma(a, -0.5, 0.5)
    r = _odd(where(far, sqrt(z), x), f.asin)
    near = f.half_pi[0] - (r - f.half_pi[1])
    y = 2 * r
    return where(far, where(x > 0, y, 2 * f.half_pi[0] - (y - 2 * f.half_pi[1])), near)


# -- error functions -----------------------------------------------------------------------------------------------------------


def _erfc(a: Val) -> Val:
    """erfc of a >= 0."""
    f = FORMATS[a.t]
    a = where(a > f.erfc_limit, f.erfc_limit, a)
    t = (a - f.erfc_a) / (a + f.erfc_a)
    s = a * a
    error = fma(a, a, -s)  # exp(-a²) = exp(-s)·exp(-error)
    e = _exp(-s, high=False, more=-error)
    return e * (poly(t, f.erfc) / fma(a, 2.0, 1.0))


@mathfn("erfc", 4.0, 4.0, heavy=True)
def erfc(x: Val) -> Val:
    y = _erfc(_abs(x))
    near = 1 - _erf_near(x)
    return where(_abs(x) < 0.5, near, where(x < 0, 2 - y, y))


def _erf_near(x: Val) -> Val:
    z = x * x
    return fma(x, poly(z, FORMATS[x.t].erf), x)


@mathfn("erf", 1.5, 1.5, heavy=True)
def erf(x: Val) -> Val:
    a = _abs(x)
    return where(a < 1, _erf_near(x), copysign(1 - _erfc(a), x))


# -- powers --------------------------------------------------------------------------------------------------------------------


@mathfn("rsqrt", 1.5, 1.5)
def rsqrt(x: Val) -> Val:
    return 1 / sqrt(x)


def _two_sum(a: Val, b: Val) -> tuple[Val, Val]:
    """a + b exactly, as two numbers, for |a| >= |b|."""
    s = a + b
    return s, b - (s - a)


def _exact_log(x: Val) -> tuple[Val, Val]:
    """log of a positive finite float64 as the sum of two, to about 2⁻⁶⁷ of it."""
    f = FORMATS[F64]
    denormal = x < f.tiny
    k, m = _split(where(denormal, x * 2.0**53, x), f)
    k = (k - where(denormal, k.like(53), 0)).to(F64)
    g = m - 1
    d = m + 1
    d_low = m - (d - 1)
    s = g / d
    s_low = fma(-s, d_low, fma(-s, d, g)) / d  # what division left: (g - s·d)/d
    z = s * s
    z_low = fma(s, s, -z) + 2 * s * s_low
    p = poly(z, f.log_rest)
    # q = 2/3 + z·p, then s·z·q, each as a sum of two
    q, q_low = _two_sum(x.like(0.6666666666666666), z * p)
    q_low = q_low + 3.700743415417188e-17
    c = s * z
    c_low = fma(s, z, -c) + s * z_low + s_low * z
    u = c * q
    u_low = fma(c, q, -u) + (c * q_low + c_low * q)
    h, h_low = _two_sum(2 * s, u)
    low = h_low + u_low + 2 * s_low
    kh = k * 0.6931471805598903  # exact: the constant ends in zeros
    a, a_low = _two_sum(kh, h)
    first = where(k.eq(0), h, a)
    rest = where(k.eq(0), low, fma(k, 5.497923018708371e-14, low + a_low))
    return _two_sum(first, rest)


def _pow_near(x: Val, y: Val) -> Val:
    """x**y for positive x."""
    if x.t is F32:
        return _float_pow(x, y)
    high, low = _exact_log(x)
    finite = (x < INF) & (x > 0)
    high = where(finite, high, where(x.eq(0), x.like(-INF), x))
    e = y * high
    error = where(finite & (_abs(e) < 800), fma(y, high, -e) + y * low, 0.0)
    return _exp(e, more=error)


# log2((1 + s)/(1 - s)) = s·p(s²) for the mantissas between sqrt(½) and sqrt(2), to 2⁻³⁷ of it; (2ʳ - 1)/r for |r| <= ½, to 2⁻²⁸ of 2ʳ.
_LOG2 = (2.885390081790142, 0.9617966732662324, 0.5770836003392126, 0.41167174530661216, 0.3407489893406146)
_EXP2 = (0.6931472028559161, 0.24022647913508638, 0.05550332469769418, 0.0096184373654421, 0.001339887484402057, 0.0001535336086723647)  # fmt: skip


def _float_pow(x: Val, y: Val) -> Val:
    """x**y for positive float32 x: the exponent y·log2(x) in float64, whose one division is one of float32 improved by a step of Newton's."""
    f = FORMATS[F32]
    denormal = x < f.tiny
    k, m = _split(where(denormal, x * 2.0**24, x), f)
    k = k - where(denormal, k.like(24), 0)
    g = m - 1
    near, wide = (1 / (g + 2)).to(F64), g.to(F64)
    s = wide * (near * fma(near, -(wide + 2), 2.0))
    log_x = fma(s, poly(s * s, _LOG2), k.to(F64))
    e = y.to(F64) * where(x > 0, where(x < INF, log_x, INF), -INF)
    e = where(e > 252, 252, e)
    e = where(e < -252, -252, e)
    n = e.intrinsic("rint")
    r = (e - n).to(F32)
    return _scaled(fma(r, poly(r, _EXP2), 1.0), n.to(F32), f)


def _special_pow(x: Val, y: Val, r: Val) -> Val:
    """x**y, where r is |x|**y: for x that is not positive, infinities and NaN."""
    f = FORMATS[x.t]
    whole = y.intrinsic("rint").eq(y)  # also infinities
    half = y * 0.5
    odd = whole & half.intrinsic("rint").ne(half) & (_abs(y) < 2.0 ** (f.mantissa + 1))
    negative = x.bits(f.integer) < 0
    r = where(negative & odd, -r, r)
    r = where((x < 0) & ~whole & (_abs(x) < INF), math.nan, r)
    r = where(x.isnan | y.isnan, x + y, r)
    return where(y.eq(0) | x.eq(1), 1.0, where(x.eq(-1) & _abs(y).eq(INF), 1.0, r))


@mathfn("pow", 1.0, 1.0, heavy=True)
def pow(x: Val, y: Val) -> Val:
    r = _pow_near(_abs(x), y)
    plain = (x > 0) & (x < INF) & (_abs(y) < INF)
    return x.code.choose(any_lane(~plain), lambda: [_special_pow(x, y, r)], lambda: [r])[0]
