"""A small language for writing LLVM IR: values with arithmetic, blocks, loops and branches.

``Val`` is a scalar or a vector of one element type; ``x * y + 1`` writes instructions, so emitters read like mathematics::

    code = Code(Module(), "f", [Val.parameter ...])
    y = x * x + 1.0
    r = where(y > 2.0, y, x)

Strictness: float instructions carry no fast-math flags unless ``code.flags`` says so; math functions run with none, always,
for their tricks of rounding must survive. ``fma`` is written out where it is wanted.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

# -- element types -------------------------------------------------------------------------------------------------------


class Type:
    """An element type in registers: ``kind`` is f (float), i (signed integer), b (bool), p (pointer) or h (a half precision, only stored)."""

    __slots__ = ("bits", "kind", "llvm", "name", "suffix")

    def __init__(self, name: str, llvm: str, bits: int, kind: str, suffix: str) -> None:
        self.name, self.llvm, self.bits, self.kind, self.suffix = name, llvm, bits, kind, suffix

    @property
    def size(self) -> int:
        """Bytes in memory (a bool takes one)."""
        return max(self.bits // 8, 1)

    def vector(self, lanes: int) -> str:
        """The LLVM type of ``lanes`` of these; 0 lanes: the scalar."""
        return f"<{lanes} x {self.llvm}>" if lanes else self.llvm

    def __repr__(self) -> str:
        return self.name


F32 = Type("float32", "float", 32, "f", "f32")
F64 = Type("float64", "double", 64, "f", "f64")
F16 = Type("float16", "half", 16, "h", "f16")
BF16 = Type("bfloat16", "i16", 16, "h", "i16")  # the upper half of a float32: not every machine has it as a type
I8 = Type("int8", "i8", 8, "i", "i8")
I32 = Type("int32", "i32", 32, "i", "i32")
I64 = Type("int64", "i64", 64, "i", "i64")
I1 = Type("bool", "i1", 1, "b", "i1")
PTR = Type("ptr", "ptr", 64, "p", "p0")
TYPES = {t.name: t for t in (F32, F64, F16, BF16, I32, I64, I1)}
CARRIED = {**TYPES, "uint8": I8}  # with what few rules make and read, by its bits


def rounded(c: Any, t: Type) -> Any:
    """The number ``c`` as type ``t`` has it."""
    if t.kind not in "fh":
        return c
    c = float(c)
    if t is F64 or c != c or c in (float("inf"), float("-inf")):
        return c
    try:
        c = struct.unpack("e" if t is F16 else "f", struct.pack("e" if t is F16 else "f", c))[0]
    except OverflowError:
        return float("inf") if c > 0 else float("-inf")
    if t is BF16:
        bits = struct.unpack("I", struct.pack("f", c))[0]
        c = struct.unpack("f", struct.pack("I", bits + 0x7FFF + (bits >> 16 & 1) & 0xFFFF0000))[0]
    return c


def literal(c: Any, t: Type) -> str:
    """``c`` as LLVM writes a constant of type ``t``; floats by their bits, as a float32's are those of the equal double."""
    if t.kind == "f":
        return f"0x{struct.unpack('Q', struct.pack('d', rounded(c, t)))[0]:016X}"
    if t is F16:
        return f"0xH{struct.unpack('H', struct.pack('e', rounded(c, t)))[0]:04X}"
    if t is BF16:
        return str(struct.unpack("I", struct.pack("f", rounded(c, t)))[0] >> 16)
    if t.kind == "b":
        return "true" if c else "false"
    return str(int(c))


# -- the module and the code of a function ---------------------------------------------------------------------------------


class Module:
    """Declarations and finished functions; ``externals`` are the symbols that linking must supply, and ``text`` is the IR."""

    def __init__(self) -> None:
        self.declared: dict[str, str] = {}
        self.functions: list[str] = []
        self.externals: set[str] = set()
        self.internal: dict[str, Any] = {}  # math functions emitted once, by name
        self.has_ldexp = False  # whether scaling by a power of two is an instruction

    def declare(self, name: str, signature: str) -> None:
        """``signature`` has ``{}`` where the name goes: ``double {}(double)``."""
        if name not in self.declared:
            self.declared[name] = "declare " + signature.format(f"@{name}")
            if not name.startswith("llvm."):
                self.externals.add(name)

    def external(self, name: str) -> str:
        """An address from outside: ``@name`` is a pointer to it."""
        if name not in self.declared:
            self.declared[name] = f"@{name} = external global i8"
            self.externals.add(name)
        return f"@{name}"

    @property
    def text(self) -> str:
        """The whole module."""
        return "\n".join([*self.declared.values(), *self.functions])


def _no_failure() -> Val:
    raise NotImplementedError("this code has no flag for failures")


class Code:
    """The instructions of one function, written in order; ``close`` hands them to the module.

    Equal pure instructions are written once: what has been computed is remembered by scope, so only where it dominates.
    """

    def __init__(
        self,
        module: Module,
        name: str,
        params: Sequence[tuple[Type, int]],
        result: str = "void",
        linkage: str = "internal",
        attributes: str = "",
    ) -> None:
        self.module, self.name = module, name
        self.flags = ""
        self.mask: Val | None = None  # the lanes that count, where not all do
        self.inline = False  # whether heavy functions are written out where they are used
        self.failure: Callable[[], Val] = _no_failure  # the address of the flag that `fail` raises
        self._n = 0
        self._known: dict[str, Val] = {}
        self._scopes: list[list[str]] = [[]]
        self.prologue: list[str] = []  # runs first, wherever it is asked for: addresses and what a closure holds
        self.lines: list[str] = []
        self.label = "start"
        self.params = tuple(Val(self, f"%a{i}", t, n) for i, (t, n) in enumerate(params))
        args = ", ".join(f"{p.type} noundef %a{i}" for i, p in enumerate(self.params))
        self._head = f"define {linkage} {result} @{name}({args}) {attributes} {{"

    def close(self) -> None:
        """Hand the finished function to the module."""
        self.module.functions.append(
            "\n".join([self._head, "entry:", *self.prologue, "  br label %start", "start:", *self.lines, "}"])
        )

    # -- instructions

    def fresh(self, stem: str = "v") -> str:
        """A new register's or label's name, without its sigil."""
        self._n += 1
        return f"{stem}{self._n}"

    def write(self, line: str) -> None:
        """An instruction without a result."""
        self.lines.append("  " + line)

    def effect(self, text: str, t: Type, lanes: int = 0) -> Val:
        """An instruction that must not be shared with an equal one: loads, calls with effects."""
        name = "%" + self.fresh()
        self.lines.append(f"  {name} = {text}")
        return Val(self, name, t, lanes)

    def pure(self, text: str, t: Type, lanes: int = 0) -> Val:
        """An instruction that depends on its operands alone."""
        v = self._known.get(text)
        if v is None:
            v = self._known[text] = self.effect(text, t, lanes)
            self._scopes[-1].append(text)
        return v

    def early(self, text: str, t: Type, lanes: int = 0) -> Val:
        """A pure instruction in the prologue, which dominates everything."""
        v = self._known.get(text)
        if v is None or v.name[1] != "e":
            name = "%" + self.fresh("e")
            self.prologue.append(f"  {name} = {text}")
            v = self._known[text] = Val(self, name, t, lanes)
        return v

    @contextmanager
    def scope(self) -> Iterator[None]:
        """What is computed inside is forgotten at the end: the block does not dominate what follows."""
        self._scopes.append([])
        yield
        for text in self._scopes.pop():
            del self._known[text]

    @contextmanager
    def strict(self) -> Iterator[None]:
        """No fast-math flags inside."""
        flags, self.flags = self.flags, ""
        yield
        self.flags = flags

    # -- control flow

    def block(self, label: str) -> None:
        """Begin a block."""
        self.lines.append(f"{label}:")
        self.label = label

    def jump(self, label: str) -> None:
        """An unconditional branch."""
        self.write(f"br label %{label}")

    def branch(self, c: Val, yes: str, no: str) -> None:
        """A conditional branch."""
        self.write(f"br i1 {c.name}, label %{yes}, label %{no}")

    def loop(
        self,
        start: Val | int,
        stop: Val | int,
        step: int,
        carried: Sequence[Val],
        body: Callable[[Val, list[Val]], Sequence[Val]],
        least: int = 0,
    ) -> list[Val]:
        """``for i in range(start, stop, step): carried = body(i, carried)``; gives what is carried at the end.

        ``stop - start`` must be a multiple of ``step``. With static bounds (or ``least`` = 1: at least one turn is certain)
        the test stands at the end alone.
        """
        one = least > 0
        if isinstance(start, int) and isinstance(stop, int):
            if start >= stop:
                return list(carried)
            if start + step >= stop:
                with self.scope():
                    return list(body(self.int(start), list(carried)))
            one = True
        first, last = self.as_val(start, I64), self.as_val(stop, I64)
        head, exit_ = self.fresh("loop"), self.fresh("done")
        before = self.label
        if not one:
            self.branch(self.pure(f"icmp slt i64 {first.name}, {last.name}", I1), head, exit_)
        else:
            self.jump(head)
        self.block(head)
        i = Val(self, "%" + self.fresh("i"), I64, 0)
        phis = [Val(self, "%" + self.fresh("c"), c.t, c.n) for c in carried]
        at = len(self.lines)
        self.lines += [""] * (1 + len(phis))
        with self.scope():
            after = list(body(i, phis))
            step_ = self.effect(f"add nsw i64 {i.name}, {step}", I64)
            again = self.effect(f"icmp slt i64 {step_.name}, {last.name}", I1)
            end = self.label
            self.branch(again, head, exit_)
        self.lines[at] = f"  {i.name} = phi i64 [ {first.name}, %{before} ], [ {step_.name}, %{end} ]"
        for k, (p, c, a) in enumerate(zip(phis, carried, after, strict=True)):
            self.lines[at + 1 + k] = f"  {p.name} = phi {p.type} [ {c.name}, %{before} ], [ {a.name}, %{end} ]"
        self.block(exit_)
        if one:
            return after
        return [
            self.effect(f"phi {c.type} [ {c.name}, %{before} ], [ {a.name}, %{end} ]", c.t, c.n)
            for c, a in zip(carried, after, strict=True)
        ]

    def choose(
        self, c: Val, yes: Callable[[], Sequence[Val]], no: Callable[[], Sequence[Val]], likely: bool | None = None
    ) -> list[Val]:
        """The values of ``yes()`` where the scalar ``c`` holds, else of ``no()``; only that one runs."""
        a, b, end = self.fresh("yes"), self.fresh("no"), self.fresh("end")
        self.branch(c, a, b)
        ends, results = [], []
        for label, f in ((a, yes), (b, no)):
            self.block(label)
            with self.scope():
                results.append(list(f()))
            ends.append(self.label)
            self.jump(end)
        self.block(end)
        return [
            self.effect(f"phi {x.type} [ {x.name}, %{ends[0]} ], [ {y.name}, %{ends[1]} ]", x.t, x.n)
            for x, y in zip(*results, strict=True)
        ]

    def when(self, c: Val, body: Callable[[], None]) -> None:
        """``body()`` where the scalar ``c`` holds."""
        self.choose(c, lambda: (body(), [])[1], lambda: [])

    # -- constants and memory

    def const(self, c: Any, t: Type, lanes: int = 0) -> Val:
        """The constant ``c``, in every lane."""
        c = rounded(c, t)
        text = literal(c, t)
        return Val(self, f"splat ({t.llvm} {text})" if lanes else text, t, lanes, c)

    def int(self, c: int) -> Val:
        """An i64."""
        return Val(self, str(c), I64, 0, c)

    def as_val(self, x: Any, t: Type, lanes: int = 0) -> Val:
        """``x`` itself, or as a constant."""
        return x if isinstance(x, Val) else self.const(x, t, lanes)

    def lanes_of(self, cs: Sequence[Any], t: Type) -> Val:
        """A constant vector."""
        return Val(self, "<" + ", ".join(f"{t.llvm} {literal(c, t)}" for c in cs) + ">", t, len(cs))

    def offset(self, p: Val, i: Val | int, size: int = 1) -> Val:
        """The address ``p + i * size`` (bytes)."""
        if isinstance(i, int):
            return self.pure(f"getelementptr i8, ptr {p.name}, i64 {i * size}", PTR) if i else p
        unit = {1: "i8", 2: "i16", 4: "i32", 8: "i64"}.get(size) or f"[{size} x i8]"
        return self.pure(f"getelementptr {unit}, ptr {p.name}, i64 {i.name}", PTR)

    def load(self, p: Val, t: Type, lanes: int = 0, mask: Val | None = None) -> Val:
        """What lies at ``p``; with a mask, ones in the lanes that are off."""
        if t.kind == "b":
            return self.load(p, I8, lanes, mask).ne(0)
        vt = t.vector(lanes)
        if mask is None:
            return self.effect(f"load {vt}, ptr {p.name}, align {t.size}", t, lanes)
        name = f"llvm.masked.load.v{lanes}{t.suffix}.p0"
        self.module.declare(name, f"{vt} {{}}(ptr, i32, <{lanes} x i1>, {vt})")
        return self.effect(
            f"call {vt} @{name}(ptr {p.name}, i32 {t.size}, {mask.type} {mask.name}, {vt} {self.const(1, t, lanes).name})",
            t,
            lanes,
        )

    def store(self, x: Val, p: Val, mask: Val | None = None) -> None:
        """Put ``x`` at ``p``."""
        if x.t.kind == "b":
            x = x.to(I8)
        if mask is None:
            return self.write(f"store {x.type} {x.name}, ptr {p.name}, align {x.t.size}")
        name = f"llvm.masked.store.v{x.n}{x.t.suffix}.p0"
        self.module.declare(name, f"void {{}}({x.type}, ptr, i32, <{x.n} x i1>)")
        return self.write(
            f"call void @{name}({x.type} {x.name}, ptr {p.name}, i32 {x.t.size}, {mask.type} {mask.name})"
        )

    def call(self, name: str, t: Type, lanes: int, args: Sequence[Val], pure: bool = True) -> Val:
        """A call of an external or intrinsic function of the given result type."""
        types = ", ".join(a.type for a in args)
        self.module.declare(name, f"{t.vector(lanes)} {{}}({types})")
        text = f"call {t.vector(lanes)} @{name}({', '.join(f'{a.type} {a.name}' for a in args)})"
        return self.pure(text, t, lanes) if pure else self.effect(text, t, lanes)

    def stack(self, size: int, align: int = 64) -> Val:
        """``size`` bytes of the stack, for as long as the function runs."""
        name = "%" + self.fresh("e")
        self.prologue.append(f"  {name} = alloca i8, i64 {size}, align {align}")
        return Val(self, name, PTR, 0)


# -- values ------------------------------------------------------------------------------------------------------------------


class Val:
    """A value in a register or a constant (``const`` holds its number): ``n`` lanes of type ``t``, 0 lanes for a scalar."""

    __slots__ = ("code", "const", "n", "name", "t")

    def __init__(self, code: Code, name: str, t: Type, n: int, const: Any = None) -> None:
        self.code, self.name, self.t, self.n, self.const = code, name, t, n, const

    @property
    def type(self) -> str:
        """The LLVM type."""
        return self.t.vector(self.n)

    def like(self, c: Any) -> Val:
        """The constant ``c`` in this one's type."""
        return self.code.const(c, self.t, self.n)

    def spread(self, lanes: int) -> Val:
        """A scalar in every lane; a vector as it is."""
        if self.n or not lanes:
            return self
        if self.const is not None:
            return self.code.const(self.const, self.t, lanes)
        one = self.code.pure(
            f"insertelement {self.t.vector(lanes)} poison, {self.type} {self.name}, i64 0", self.t, lanes
        )
        return self.code.pure(
            f"shufflevector {one.type} {one.name}, {one.type} poison, <{lanes} x i32> zeroinitializer", self.t, lanes
        )

    def _pair(self, y: Any) -> tuple[Val, Val]:
        x = self
        if not isinstance(y, Val):
            y = x.like(y)
        if x.n != y.n:
            lanes = max(x.n, y.n)
            x, y = x.spread(lanes), y.spread(lanes)
        return x, y

    def _op(self, f: str, i: str, y: Any, flip: bool = False) -> Val:
        x, y = self._pair(y)
        if flip:
            x, y = y, x
        op = f"{f} {self.code.flags}" if self.t.kind == "f" else f"{i} "
        return self.code.pure(f"{op}{x.type} {x.name}, {y.name}", x.t, x.n)

    def __add__(self, y: Any) -> Val:
        return self._op("fadd", "add", y)

    def __radd__(self, y: Any) -> Val:
        return self._op("fadd", "add", y, True)

    def __sub__(self, y: Any) -> Val:
        return self._op("fsub", "sub", y)

    def __rsub__(self, y: Any) -> Val:
        return self._op("fsub", "sub", y, True)

    def __mul__(self, y: Any) -> Val:
        return self._op("fmul", "mul", y)

    def __rmul__(self, y: Any) -> Val:
        return self._op("fmul", "mul", y, True)

    def __truediv__(self, y: Any) -> Val:
        return self._op("fdiv", "sdiv", y)

    def __rtruediv__(self, y: Any) -> Val:
        return self._op("fdiv", "sdiv", y, True)

    def __and__(self, y: Any) -> Val:
        return self._op("", "and", y)

    def __or__(self, y: Any) -> Val:
        return self._op("", "or", y)

    def __xor__(self, y: Any) -> Val:
        return self._op("", "xor", y)

    def __lshift__(self, y: Any) -> Val:
        return self._op("", "shl", y)

    def __rshift__(self, y: Any) -> Val:
        return self._op("", "ashr", y)

    def __neg__(self) -> Val:
        if self.t.kind == "f":
            return self.code.pure(f"fneg {self.type} {self.name}", self.t, self.n)
        return self.like(0) - self

    def __invert__(self) -> Val:
        return self ^ (1 if self.t.kind == "b" else -1)

    def compare(self, f: str, i: str, y: Any) -> Val:
        """A comparison by LLVM's names of it for floats and for integers."""
        x, y = self._pair(y)
        op = f"fcmp {f}" if x.t.kind == "f" else f"icmp {i}"
        return self.code.pure(f"{op} {x.type} {x.name}, {y.name}", I1, x.n)

    def __lt__(self, y: Any) -> Val:
        return self.compare("olt", "slt", y)

    def __le__(self, y: Any) -> Val:
        return self.compare("ole", "sle", y)

    def __gt__(self, y: Any) -> Val:
        return self.compare("ogt", "sgt", y)

    def __ge__(self, y: Any) -> Val:
        return self.compare("oge", "sge", y)

    def eq(self, y: Any) -> Val:
        """Equality (``==`` is left to Python)."""
        return self.compare("oeq", "eq", y)

    def ne(self, y: Any) -> Val:
        """Its opposite: true for NaN."""
        return self.compare("une", "ne", y)

    @property
    def isnan(self) -> Val:
        """Where it is NaN."""
        return self.compare("uno", "", self)

    def intrinsic(self, name: str, *more: Val) -> Val:
        """``llvm.name`` of this and values of the same type."""
        args = [self, *more]
        lanes = max(a.n for a in args)
        args = [a.spread(lanes) for a in args]
        return self.code.call(f"llvm.{name}.{f'v{lanes}' if lanes else ''}{self.t.suffix}", self.t, lanes, args)

    def to(self, t: Type) -> Val:
        """Converted to type ``t`` as C does."""
        a, b = self.t, t
        if a is b:
            return self
        if self.const is not None and not (a.kind == "f" and b.kind != "f") and b.kind != "b":
            return self.code.const(self.const, b, self.n)
        if b.kind == "h":
            return _stored(self.to(F32), b)
        if a.kind == "h":
            return _widened(self).to(b)
        if b.kind == "b":
            return self.ne(0)
        if a.kind == "f":
            op = ("fpext" if b.bits > a.bits else "fptrunc") if b.kind == "f" else "fptosi"
        elif b.kind == "f":
            op = "uitofp" if a.kind == "b" else "sitofp"
        else:
            op = "zext" if a.kind == "b" else ("sext" if b.bits > a.bits else "trunc")
        return self.code.pure(f"{op} {self.type} {self.name} to {b.vector(self.n)}", b, self.n)

    def bits(self, t: Type) -> Val:
        """The same bits as another type of that size."""
        return self.code.pure(f"bitcast {self.type} {self.name} to {t.vector(self.n)}", t, self.n)

    def lane(self, i: int) -> Val:
        """One lane as a scalar."""
        return self.code.pure(f"extractelement {self.type} {self.name}, i64 {i}", self.t) if self.n else self

    def with_lane(self, i: int, x: Val) -> Val:
        """The vector with one lane replaced."""
        return self.code.pure(f"insertelement {self.type} {self.name}, {x.type} {x.name}, i64 {i}", self.t, self.n)


def _widened(x: Val) -> Val:
    """A stored half precision as a float32."""
    if x.t is F16:
        return x.code.pure(f"fpext {x.type} {x.name} to {F32.vector(x.n)}", F32, x.n)
    wide = x.code.pure(f"zext {x.type} {x.name} to {I32.vector(x.n)}", I32, x.n)
    return (wide << 16).bits(F32)


def _stored(x: Val, t: Type) -> Val:
    """A float32 rounded to a half precision, ties to even."""
    if t is F16:
        return x.code.pure(f"fptrunc {x.type} {x.name} to {t.vector(x.n)}", t, x.n)
    b = x.bits(I32)
    up = x.code.pure(f"lshr {b.type} {b.name}, {b.like(16).name}", I32, x.n)
    b = where(x.isnan, (b & -0x400000) | 0x400000, b + 0x7FFF + (up & 1))
    b = x.code.pure(f"lshr {b.type} {b.name}, {b.like(16).name}", I32, x.n)
    return x.code.pure(f"trunc {b.type} {b.name} to {t.vector(x.n)}", t, x.n)


def where(c: Val, x: Any, y: Any) -> Val:
    """x where c holds, else y."""
    if not isinstance(x, Val):
        x = y.like(x)
    x, y = x._pair(y)
    if c.n and not x.n:
        x, y = x.spread(c.n), y.spread(c.n)
    c = c.spread(x.n)
    return c.code.pure(f"select {c.type} {c.name}, {x.type} {x.name}, {y.type} {y.name}", x.t, x.n)


def fma(x: Val, y: Any, z: Any) -> Val:
    """x·y + z, rounded once."""
    return x.intrinsic("fma", y if isinstance(y, Val) else x.like(y), z if isinstance(z, Val) else x.like(z))


def poly(x: Val, coefficients: Sequence[float]) -> Val:
    """The polynomial with the given coefficients, constant first (Horner's scheme)."""
    *rest, top = coefficients
    p = x.like(top)
    for c in reversed(rest):
        p = fma(p, x, c)
    return p


def smaller(x: Val, y: Any) -> Val:
    """The smaller; ``y`` where either is NaN: one instruction on x86."""
    x, y = x._pair(y)
    return where(x < y, x, y)


def larger(x: Val, y: Any) -> Val:
    """The larger; ``y`` where either is NaN."""
    x, y = x._pair(y)
    return where(x > y, x, y)
