"""Makers of ``ast`` nodes at the position of another node."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

OPS = "ag__"  # the name by which converted code reaches its operators
_LOAD, _STORE = ast.Load(), ast.Store()
_NO_ARGS: dict[str, Any] = {
    "posonlyargs": [],
    "vararg": None,
    "kwonlyargs": [],
    "kw_defaults": [],
    "kwarg": None,
    "defaults": [],
}


class At:
    """Makes nodes at the position of ``node``."""

    __slots__ = ("_where",)

    def __init__(self, node: Any) -> None:
        self._where = {
            "lineno": node.lineno,
            "col_offset": node.col_offset,
            "end_lineno": getattr(node, "end_lineno", node.lineno),
            "end_col_offset": getattr(node, "end_col_offset", node.col_offset),
        }

    def name(self, id: str) -> ast.Name:
        """A name that is read."""
        return ast.Name(id=id, ctx=_LOAD, **self._where)

    def const(self, value: Any) -> ast.expr:
        """A constant; tuples of constants too."""
        if type(value) is tuple:
            return self.tuple([self.const(v) for v in value])
        return ast.Constant(value=value, **self._where)

    def tuple(self, items: list[ast.expr]) -> ast.expr:
        """A tuple of expressions."""
        return ast.Tuple(elts=items, ctx=_LOAD, **self._where)

    def op_name(self, name: str) -> ast.expr:
        """``ag__.name``."""
        return ast.Attribute(value=self.name(OPS), attr=name, ctx=_LOAD, **self._where)

    def op(self, name: str, *args: ast.expr, **kwargs: ast.expr) -> ast.expr:
        """``ag__.name(*args, **kwargs)``."""
        return ast.Call(
            func=self.op_name(name),
            args=list(args),
            keywords=[ast.keyword(arg=k, value=v, **self._where) for k, v in kwargs.items()],
            **self._where,
        )

    def args(self, *names: str) -> ast.arguments:
        """A function's parameters."""
        return ast.arguments(args=[ast.arg(arg=n, annotation=None, **self._where) for n in names], **_NO_ARGS)

    def thunk(self, value: ast.expr) -> ast.expr:
        """``lambda: value``."""
        return ast.Lambda(args=self.args(), body=value, **self._where)

    def keep(self, name: str, value: ast.expr) -> ast.expr:
        """``(name := value)``."""
        return ast.NamedExpr(target=ast.Name(id=name, ctx=_STORE, **self._where), value=value, **self._where)

    def choose(self, test: ast.expr, then: ast.expr, orelse: ast.expr) -> ast.expr:
        """``then if test else orelse``."""
        return ast.IfExp(test=test, body=then, orelse=orelse, **self._where)

    def bool_op(self, op: ast.boolop, *values: ast.expr) -> ast.BoolOp:
        """``x and y`` or ``x or y``."""
        return ast.BoolOp(op=op, values=list(values), **self._where)

    def not_(self, x: ast.expr) -> ast.expr:
        """``not x``."""
        return ast.UnaryOp(op=ast.Not(), operand=x, **self._where)

    def is_(self, x: ast.expr, value: Any, same: bool = True) -> ast.expr:
        """``x is value`` or ``x is not value``."""
        return self.compare(x, ast.Is() if same else ast.IsNot(), self.const(value))

    def compare(self, x: ast.expr, op: ast.cmpop, y: ast.expr) -> ast.expr:
        """``x op y``."""
        return ast.Compare(left=x, ops=[op], comparators=[y], **self._where)

    def assign(self, name: str, value: ast.expr) -> ast.stmt:
        """``name = value``."""
        return ast.Assign(targets=[ast.Name(id=name, ctx=_STORE, **self._where)], value=value, **self._where)

    def do(self, value: ast.expr) -> ast.stmt:
        """An expression as a statement."""
        return ast.Expr(value=value, **self._where)

    def returns(self, value: ast.expr) -> ast.stmt:
        """``return value``."""
        return ast.Return(value=value, **self._where)

    def skip(self) -> ast.stmt:
        """``pass``."""
        return ast.Pass(**self._where)

    def leave(self) -> ast.stmt:
        """``break``."""
        return ast.Break(**self._where)

    def when(self, test: ast.expr, then: list[ast.stmt], orelse: Sequence[ast.stmt] = ()) -> ast.stmt:
        """``if test: then else: orelse``."""
        return ast.If(test=test, body=then or [self.skip()], orelse=list(orelse), **self._where)

    def loop(self, test: ast.expr, body: list[ast.stmt]) -> ast.stmt:
        """``while test: body``."""
        return ast.While(test=test, body=body or [self.skip()], orelse=[], **self._where)

    def declare(self, kind: type, names: list[str]) -> list[ast.stmt]:
        """``nonlocal names`` or ``global names``, if there are any."""
        return [kind(names=names, **self._where)] if names else []

    def local(self, name: str) -> ast.stmt:
        """``name: 'local'``, which makes the name local and does nothing."""
        return ast.AnnAssign(
            target=ast.Name(id=name, ctx=_STORE, **self._where),
            annotation=self.const("local"),
            value=None,
            simple=1,
            **self._where,
        )

    def function(self, name: str, params: Sequence[str], body: list[ast.stmt]) -> ast.stmt:
        """``def name(params): body``."""
        fields: dict[str, Any] = {"type_params": []} if "type_params" in ast.FunctionDef._fields else {}  # Python 3.12
        fields |= self._where
        return ast.FunctionDef(name, self.args(*params), body or [self.skip()], [], None, **fields)


def copied(node: Any, **changes: Any) -> Any:
    """A node of the same kind and position with some fields changed."""
    kind: Any = type(node)
    new = kind.__new__(kind)
    new.__dict__.update(node.__dict__)
    for k, v in changes.items():
        setattr(new, k, v)
    return new
