"""From a function object to its definition's syntax tree, with positions as in the user's file.

A ``def`` is parsed alone: from its first line to where the indentation ends. A lambda needs its whole file, since its
statement may begin anywhere before; lambdas that share a line are told apart by the columns that their code objects
know.
"""

from __future__ import annotations

import ast
import linecache
from collections import OrderedDict
from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any

from .names import parameters

_FILES = 8  # syntax trees of whole files kept
_trees: OrderedDict[str, tuple[int, ast.Module]] = OrderedDict()


class NoSource(Exception):
    """The source of a function cannot be found, or is not the one that it was made from."""


def definition(f: FunctionType) -> Any:
    """The FunctionDef or Lambda node that ``f`` was made from. Raises NoSource."""
    code = f.__code__
    lines = linecache.getlines(code.co_filename, f.__globals__)
    first = code.co_firstlineno
    if not lines or first > len(lines):
        raise NoSource("its source is not available")
    is_lambda = code.co_name == "<lambda>"
    found = None if is_lambda else _alone(lines, code)
    if found is None:
        nodes = [
            n
            for n in ast.walk(_tree(code.co_filename, lines))
            if isinstance(n, ast.Lambda if is_lambda else ast.FunctionDef) and _matches(n, code)
        ]
        found = _closest(nodes, code)
    if found is None:
        raise NoSource("its source has changed since it was loaded")
    return found


def _alone(lines: list[str], code: CodeType) -> Any:
    """The definition, parsed by itself; None if that fails."""
    first = code.co_firstlineno
    text = lines[first - 1]
    indent = len(text) - len(text.lstrip())
    end = max(first, _last_line(code))
    while end < len(lines):
        line = lines[end].lstrip()
        if line and not line.startswith("#") and len(lines[end]) - len(line) <= indent:
            break
        end += 1
    # empty lines and a block around it put the definition where it stands in the file
    before = "\n" * (first - 1) if not indent or first < 2 else "\n" * (first - 2) + "if 1:\n"
    try:
        body = ast.parse(before + "".join(lines[first - 1 : end])).body
    except SyntaxError:
        return None
    node: Any = body[0].body[0] if indent and isinstance(body[0], ast.If) else body[0]
    return node if isinstance(node, ast.FunctionDef) and _matches(node, code) else None


def _last_line(code: CodeType) -> int:
    last = max([end or line or 0 for line, end, _, _ in code.co_positions()], default=0)
    return max([last, *[_last_line(c) for c in code.co_consts if isinstance(c, CodeType)]])


def _tree(file: str, lines: list[str]) -> ast.Module:
    text = "".join(lines)
    known = _trees.get(file)
    if known is not None and known[0] == hash(text):
        return known[1]
    try:
        tree = ast.parse(text)
    except SyntaxError:
        raise NoSource("its source is not Python") from None
    _trees[file] = hash(text), tree
    if len(_trees) > _FILES:
        _trees.popitem(last=False)
    return tree


def _matches(node: Any, code: CodeType) -> bool:
    """Whether a definition stands on the line of ``code`` and has its name and parameters."""
    decorators = getattr(node, "decorator_list", [])
    line = min([node.lineno, *[d.lineno for d in decorators]])
    count = code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & 4) + bool(code.co_flags & 8)
    given = [mangled(p, class_of(code)) for p in parameters(node.args)]
    return (
        line == code.co_firstlineno
        and getattr(node, "name", "<lambda>") == code.co_name
        and given == list(code.co_varnames[:count])
    )


def _closest(nodes: list[Any], code: CodeType) -> Any:
    """Of some lambdas the one whose body holds all the positions of ``code``; the innermost."""
    if len(nodes) < 2:
        return nodes[0] if nodes else None
    spans = [
        (line, col, end_line, end)
        for line, end_line, col, end in code.co_positions()
        if line is not None and col is not None and end
    ]
    spans = [s for s in spans if s != (s[0], 0, s[0], 0)]
    holding = [n for n in nodes if spans and all(_start(n.body) <= s[:2] and s[2:] <= _end(n.body) for s in spans)]
    holding.sort(key=lambda n: (_end(n)[0] - _start(n)[0], _end(n)[1] - _start(n)[1]))
    if holding:
        return holding[0]
    same = {ast.dump(n) for n in nodes}
    if len(same) == 1:
        return nodes[0]
    raise NoSource(
        "several lambdas share its line, and Python was started without column positions: put each on a line of its own"
    )


def _start(n: Any) -> tuple[int, int]:
    return n.lineno, n.col_offset


def _end(n: Any) -> tuple[int, int]:
    return n.end_lineno, n.end_col_offset


# -- private names of classes ----------------------------------------------------------------------------------------


def class_of(code: CodeType) -> str | None:
    """The name of the class that a method, or a function inside one, was written in."""
    path = code.co_qualname.split(".")
    for i in range(len(path) - 2, -1, -1):
        if path[i] != "<locals>" and path[i + 1] != "<locals>":
            return path[i]
    return None


def mangled(name: str, owner: str | None) -> str:
    """A name as Python writes it inside a class: ``__x`` is ``_Owner__x``."""
    if owner is None or not name.startswith("__") or name.endswith("__") or "." in name:
        return name
    return f"_{owner.lstrip('_')}{name}" if owner.strip("_") else name


def mangle(node: ast.AST, owner: str | None) -> ast.AST:
    """Write out the private names in a definition, in place, since it will be compiled outside of its class."""
    if owner is None or not owner.strip("_"):
        return node
    for n in _in_class(node):
        for field in ("id", "attr", "arg", "name", "asname", "rest"):
            value = getattr(n, field, None)
            if isinstance(value, str) and not (field == "name" and isinstance(n, ast.alias) and n.asname):
                setattr(n, field, mangled(value, owner))
        if isinstance(n, (ast.Global, ast.Nonlocal)):
            n.names = [mangled(x, owner) for x in n.names]
    return node


def _in_class(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes below, without the bodies of inner classes: those have names of their own."""
    stack = [node]
    while stack:
        n = stack.pop()
        yield n
        stack += [*n.bases, *n.keywords, *n.decorator_list] if isinstance(n, ast.ClassDef) else ast.iter_child_nodes(n)
