"""Random numbers in native code: the bits of Philox 4x64-10 (Salmon et al. 2011) as ``primitives.random`` and NumPy have them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...primitives.random import _FRACTION_BITS, _OF_A_STATE
from .ir import I32, I64, Code, Type, Val
from .loops import first_lanes
from .ops import Draw

if TYPE_CHECKING:
    from .program import Frame

_MULTIPLIERS = 0xD2E7470EE14C6C93, 0xCA5A826395121157
_BUMPS = 0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B
_ROUNDS = 10
_I128 = Type("int128", "i128", 128, "i", "i128")


def _signed(word: int) -> int:
    return word - (1 << 64) if word >> 63 else word


def _product(x: Val, m: int) -> tuple[Val, Val]:
    """The upper and lower word of x·m."""
    code = x.code
    wide = code.pure(f"zext i64 {x.name} to i128", _I128)
    p = code.pure(f"mul i128 {wide.name}, {m}", _I128)
    high = code.pure(f"lshr i128 {p.name}, 64", _I128)
    return code.pure(f"trunc i128 {high.name} to i64", I64), code.pure(f"trunc i128 {p.name} to i64", I64)


def _block(counter: list[Val], key: list[Val]) -> list[Val]:
    """The four words of one block."""
    c = counter
    for i in range(_ROUNDS):
        if i:
            key = [k + _signed(b) for k, b in zip(key, _BUMPS, strict=True)]
        (h0, l0), (h1, l1) = (_product(c[2 * k], m) for k, m in enumerate(_MULTIPLIERS))
        c = [h1 ^ c[1] ^ key[0], l1, h0 ^ c[3] ^ key[1], l0]
    return c


def write_draw(frame: Frame, op: Draw) -> None:
    """Block by block: four words, of which each makes one number of 8 bytes or two of 4."""
    code, t, n = frame.code, op.out.t, op.out.size
    words = [
        code.load(code.offset(frame.pointer(op.reads[0]), i, op.reads[0].t.size), op.reads[0].t).to(I64)
        for i in range(op.reads[0].size)
    ]
    zero = code.int(0)
    if len(words) == 2:
        key, high = words, [zero, zero]
    else:
        low, up, k = words
        key, high = [k, code.int(_signed(_OF_A_STATE))], [low, up]
    limit = frame.value(op.reads[1]) if len(op.reads) > 1 else None
    word = I64 if t.size == 8 else I32
    each = 32 // word.size
    place, to = code.stack(32, 32), None if op.out.scalar else frame.base(op.out)

    def numbers(b: Val) -> Val:
        for i, w in enumerate(_block([b + 1, code.int(op.draw), *high], key)):
            code.store(w, code.offset(place, 8 * i))
        return _made(code, code.load(place, word, each), t, limit)

    def turn(b: Val, carried: list[Val]) -> list[Val]:
        assert to is not None
        code.store(numbers(b), code.offset(to, b * each, t.size), code.mask)
        return []

    if to is None:
        frame.define(op.out, numbers(zero).lane(0))
        return
    code.loop(0, n // each, 1, [], turn)
    if n % each:
        code.mask = first_lanes(code, n % each, each)
        with code.scope():
            turn(code.int(n // each), [])
        code.mask = None


def _made(code: Code, w: Val, t: Type, limit: Val | None) -> Val:
    """The numbers that words make: below the limit or not, fractions by their topmost bits, or the words themselves."""
    if limit is not None:
        wide = code.pure(f"zext {w.type} {w.name} to {I64.vector(w.n)}", I64, w.n)
        return wide < limit
    if t.kind == "i":
        return w
    bits = next(n for d, n in _FRACTION_BITS.items() if d.name == t.name)
    top = code.pure(f"lshr {w.type} {w.name}, {w.like(w.t.bits - bits).name}", w.t, w.n)
    return top.to(t) * 2.0**-bits


__all__ = ["write_draw"]
