"""Match statements whose patterns are values are if statements; the others stay match statements.

``case 1 | 2:``, ``case Color.RED:``, ``case x if x > 0:`` and ``case _:`` ask for equality alone, which a staged
subject can answer. Sequence, mapping and class patterns look at the subject's Python type, so their choice is
Python's.
"""

from __future__ import annotations

import ast
from typing import Any

from .ir import PREFIX
from .names import binds_by_walrus


def irrefutable(p: ast.pattern) -> bool:
    """Whether a pattern matches everything."""
    if isinstance(p, ast.MatchAs):
        return p.pattern is None or irrefutable(p.pattern)
    return isinstance(p, ast.MatchOr) and irrefutable(p.patterns[-1])


def as_ifs(match: ast.Match) -> list[ast.stmt] | None:
    """The same choice by if statements, or None where patterns look into the subject."""
    subject, first = match.subject, []
    if not isinstance(subject, ast.Name) or any(
        [c.guard is not None and binds_by_walrus(c.guard) for c in match.cases]
    ):
        name = f"{PREFIX}subject{match.lineno}_{match.col_offset}"
        target = ast.copy_location(ast.Name(id=name, ctx=ast.Store()), subject)
        first = [ast.copy_location(ast.Assign(targets=[target], value=subject), subject)]
        subject = ast.copy_location(ast.Name(id=name, ctx=ast.Load()), subject)
    chain = _chain(match.cases, subject)
    return None if chain is None else [*first, *chain]


def _chain(cases: list[ast.match_case], subject: ast.Name) -> list[ast.stmt] | None:
    rest: list[ast.stmt] = []
    for c in reversed(cases):
        found = _test(c.pattern, subject)
        if found is None:
            return None
        test, names = found
        binds: list[ast.stmt] = [_bind(n, subject, c.pattern) for n in names]
        if not binds:
            test = _both(test, c.guard)
        elif test is None:
            rest = [*binds, *_if(c.guard, c.body, rest, c.pattern)]
            continue
        elif c.guard is not None:
            return None  # the names are bound before the guard, and what follows runs after either test
        rest = _if(test, [*binds, *c.body], rest, c.pattern)
    return rest


def _if(test: ast.expr | None, body: list[ast.stmt], rest: list[ast.stmt], at: Any) -> list[ast.stmt]:
    return body if test is None else [ast.copy_location(ast.If(test=test, body=body, orelse=rest), at)]


def _both(x: ast.expr | None, y: ast.expr | None) -> ast.expr | None:
    if x is None or y is None:
        return x or y
    return ast.copy_location(ast.BoolOp(op=ast.And(), values=[x, y]), x)


def _bind(name: str, subject: ast.Name, at: Any) -> ast.stmt:
    target = ast.copy_location(ast.Name(id=name, ctx=ast.Store()), at)
    return ast.copy_location(ast.Assign(targets=[target], value=subject), at)


def _test(p: ast.pattern, subject: ast.Name) -> tuple[ast.expr | None, list[str]] | None:
    """(test or None if it always holds, names to bind to the subject), or None for other patterns."""
    if isinstance(p, ast.MatchValue):
        return ast.copy_location(ast.Compare(left=subject, ops=[ast.Eq()], comparators=[p.value]), p), []
    if isinstance(p, ast.MatchSingleton):
        ops = ast.copy_location(ast.Name(id="ag__", ctx=ast.Load()), p)
        is_ = ast.copy_location(ast.Attribute(value=ops, attr="is_", ctx=ast.Load()), p)
        return ast.copy_location(
            ast.Call(func=is_, args=[subject, ast.copy_location(ast.Constant(value=p.value), p)], keywords=[]), p
        ), []
    if isinstance(p, ast.MatchAs):
        names = [p.name] if p.name else []
        if p.pattern is None:
            return None, names
        inner = _test(p.pattern, subject)
        return None if inner is None else (inner[0], inner[1] + names)
    if isinstance(p, ast.MatchOr):
        tests = []
        for q in p.patterns:
            inner = _test(q, subject)
            if inner is None or inner[1]:
                return None
            if inner[0] is None:
                return None, []
            tests.append(inner[0])
        return ast.copy_location(ast.BoolOp(op=ast.Or(), values=tests), p), []
    return None
