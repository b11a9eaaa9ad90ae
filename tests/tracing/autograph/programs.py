"""Random programs over integers: nested if, while, for, with, try, match, and every jump out of them."""

from __future__ import annotations

import itertools
import linecache
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

VARIABLES = ["a", "b", "c"]
_serial = itertools.count()


@st.composite
def expressions(draw: Any, depth: int = 2) -> str:
    """An integer expression without effects; its values stay small."""
    kinds = ["name", "const"] + ["sum", "mod", "choice", "call", "product"] * (depth > 0)
    k = draw(st.sampled_from(kinds))
    sub = lambda: draw(expressions(depth - 1))
    if k == "name":
        return draw(st.sampled_from(VARIABLES))
    if k == "const":
        return str(draw(st.integers(-3, 5)))
    if k == "sum":
        return f"({sub()} {draw(st.sampled_from('+-'))} {sub()})"
    if k == "product":
        return f"({sub()} * {draw(st.integers(-2, 2))} % 11)"
    if k == "mod":
        return f"({sub()} % {draw(st.integers(2, 7))})"
    if k == "call":
        return draw(st.sampled_from(["helper", "inner"])) + f"({sub()})"
    return f"({sub()} if {draw(conditions(depth - 1))} else {sub()})"


@st.composite
def conditions(draw: Any, depth: int = 2) -> str:
    """A truth value."""
    k = draw(st.sampled_from(["compare", "chain", *["and", "or", "not"] * (depth > 0)]))
    op = lambda: draw(st.sampled_from(["<", "<=", ">", ">=", "==", "!="]))
    e = lambda: draw(expressions(max(depth - 1, 0)))
    if k == "compare":
        return f"{e()} {op()} {e()}"
    if k == "chain":
        return f"{e()} {op()} {e()} {op()} {e()}"
    if k == "not":
        return f"not ({draw(conditions(depth - 1))})"
    return f"(({draw(conditions(depth - 1))}) {k} ({draw(conditions(depth - 1))}))"


class _Writer:
    def __init__(self, draw: Any) -> None:
        self.draw, self.counters = draw, 0

    def block(self, depth: int, loop: bool, finals: bool, size: int = 3) -> list[str]:
        lines: list[str] = []
        for _ in range(self.draw(st.integers(1, size))):
            lines += self.statement(depth, loop, finals)
        return lines

    def inside(self, depth: int, loop: bool, finals: bool) -> list[str]:
        return ["    " + line for line in self.block(depth - 1, loop, finals)]

    def statement(self, depth: int, loop: bool, finals: bool) -> list[str]:
        draw = self.draw
        kinds = ["assign"] * 3 + ["augment", "swap", "item", "attribute"]
        if depth > 0:
            kinds += ["if"] * 5 + ["while", "for", "for list", "while true", "with", "try", "match", "walrus"] * 2
        if not finals:  # a jump out of `finally` is refused
            kinds += ["return"] + ["break", "continue"] * 2 * loop
        k = draw(st.sampled_from(kinds))
        e, c = lambda: draw(expressions()), lambda: draw(conditions())
        v = draw(st.sampled_from(VARIABLES))
        if k == "assign":
            return [f"{v} = {e()}"]
        if k == "augment":
            return [f"{v} += {e()}"]
        if k == "swap":
            return ["a, b = b, a"]
        if k == "item":
            return [f"box['k'] = {e()}", f"{v} = box['k'] - 1"]
        if k == "attribute":
            return [f"thing.x = {e()}", f"{v} = thing.x % 5"]
        if k == "return":
            return [f"return {e()}"]
        if k in ("break", "continue"):
            return [k]
        body = lambda: self.inside(depth, loop, finals)
        if k == "if":
            lines = [f"if {c()}:", *body()]
            for _ in range(draw(st.integers(0, 1))):
                lines += [f"elif {c()}:", *body()]
            return lines + (["else:", *body()] if draw(st.booleans()) else [])
        if k == "with":
            return ["with log:", *body()]
        if k == "try":
            lines = ["try:", *body()]
            if draw(st.booleans()):
                lines += ["except ValueError:", *body()]
                if draw(st.booleans()):
                    lines += ["else:", *body()]
            return [*lines, "finally:", *self.inside(depth, False, True)]
        if k == "match":
            lines = [
                f"match {e()} % 4:",
                "    case 0:",
                *["    " + s for s in body()],
                "    case 1 | 2 if " + c() + ":",
                *["    " + s for s in body()],
            ]
            return lines + (
                ["    case m:", "        a = m + 1", *["    " + s for s in body()]] if draw(st.booleans()) else []
            )
        self.counters += 1
        n = f"k{self.counters}"
        turn = (
            self.inside(depth, True, False) if not finals else ["    " + s for s in self.block(depth - 1, False, True)]
        )
        orelse = ["else:", *body()] if draw(st.booleans()) else []
        if k == "while":
            return [f"{n} = 0", f"while {n} < {draw(st.integers(0, 3))} and {c()}:", f"    {n} += 1", *turn, *orelse]
        if k == "walrus":
            return [f"{n} = 0", f"while ({n} := {n} + 1) < {draw(st.integers(1, 4))}:", *turn, *orelse]
        if k == "while true":
            return [
                f"{n} = 0",
                "while True:",
                f"    {n} += 1",
                f"    if {n} > {draw(st.integers(0, 3))} or {c()}:",
                "        break" if not finals else "        break",
                *turn,
                *orelse,
            ]
        if k == "for":
            return [f"for {n} in range({e()} % 4):", *turn, f"    {v} += {n}", *orelse]
        return [f"for {n} in [1, {draw(st.integers(0, 5))}, 3]:", *turn, f"    {v} = {v} - {n}", *orelse]


@st.composite
def programs(draw: Any) -> str:
    """The source of a function ``program(a, b, c, box, thing, log)``."""
    body = _Writer(draw).block(3, False, False, 4)
    lines = [
        "def program(a, b, c, box, thing, log):", "    def inner(x):", "        nonlocal_sum = x + 1", "        if nonlocal_sum > 3:", "            return nonlocal_sum - c",
        "        return 2", *["    " + s for s in body], "    return a + 10 * b + 100 * c + 1000 * box['k'] + 10000 * thing.x",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def helper(x: Any) -> Any:
    """Called by the programs."""
    for i in range(3):
        if x > i:
            return x - i
    return x + 1


def compiled(source: str, name: str = "program", **names: Any) -> Callable[..., Any]:
    """The function of a source text, which converters can find."""
    file = f"<generated {next(_serial)}>"
    linecache.cache[file] = len(source), None, source.splitlines(True), file
    env: dict[str, Any] = {"helper": helper, **names}
    exec(compile(source, file, "exec"), env)
    return env[name]
