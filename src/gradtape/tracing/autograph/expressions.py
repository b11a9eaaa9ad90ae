"""Pass 3: calls, ``and``, ``or``, ``not``, ``x if c else y`` and chained comparisons.

A call ``f(x)`` becomes ``ag__.call(f)(x)``, where the operator gives f's converted form; no frame stands between
caller and callee. A choice becomes both choices: ``(ag__.and_(t, lambda: b) if ag__.staged(t := a) else t and b)``,
so that over Python values Python's own operators run. Inside the lambdas only the staged form stands, whose operators
take Python values too; so the text grows with the depth of nesting, not exponentially. Nodes are made anew where
something changes and shared where not.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from types import ModuleType
from typing import Any

from . import calls, overloads
from .build import OPS, At, copied
from .ir import PREFIX
from .names import binds_by_walrus, is_generator

_AND = ast.And
_NEVER_STAGED = (ast.Is, ast.IsNot, ast.In, ast.NotIn)
_PREDICATES = (isinstance, issubclass, hasattr, callable)
_SYMBOLS = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Is: "is",
    ast.IsNot: "is not",
    ast.In: "in",
    ast.NotIn: "not in",
}
_REFUSED = "`:=` under a condition that is a staged tensor is not supported here: assign the variable in a statement of its own."
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


class Expressions:
    """Converts expressions of one function.

    Args:
        resolve: gives the value of a global or built-in name, or raises LookupError; local names must raise.
        function: converts a nested function definition.
        readable: leave out what is there for speed only.
    """

    def __init__(self, resolve: Callable[[str], Any], function: Callable[[Any], Any], readable: bool) -> None:
        self._resolve, self._function, self.readable = resolve, function, readable
        self._temporaries = 0
        self._quick = True  # whether the Python form is given too
        self.super_args: tuple[str, str] | None = None  # what `super()` means in the method at hand

    def __call__(self, node: Any) -> Any:
        """The converted form of an expression, or of a statement that holds no others."""
        special = self._SPECIAL.get(type(node))
        return special(self, node) if special is not None else self._generic(node)

    def temporary(self) -> str:
        """A fresh name."""
        self._temporaries += 1
        return f"{PREFIX}{self._temporaries}"

    def _generic(self, node: Any) -> Any:
        changes = {}
        for f in node._fields:
            old = getattr(node, f, None)
            if isinstance(old, (ast.expr, ast.keyword, ast.comprehension, ast.FormattedValue)):
                new: Any = self(old)
                if new is not old:
                    changes[f] = new
            elif type(old) is list and old:
                new = [self(x) if isinstance(x, ast.AST) else x for x in old]
                if any(a is not b for a, b in zip(old, new, strict=True)):
                    changes[f] = new
        return copied(node, **changes) if changes else node

    def _leaf(self, node: Any) -> Any:
        return node

    def staged(self, at: At, x: ast.expr, keep: str = "") -> ast.expr:
        """A test whether ``x``, kept under a name if one is given, is staged.

        True and False are not, which is quick to see.
        """
        first = at.keep(keep, x) if keep else x
        if self.readable:
            return at.op("staged", first)
        again = at.name(keep) if keep else x
        return at.bool_op(
            ast.And(), at.is_(first, True, same=False), at.is_(again, False, same=False), at.op("staged", again)
        )

    # -- never staged ------------------------------------------------------------------------------------------------
    def is_python(self, test: Any) -> bool:
        """Whether a test is sure to give a Python value."""
        if isinstance(test, ast.Constant):
            return True
        if isinstance(test, ast.Compare):
            return all(isinstance(op, _NEVER_STAGED) for op in test.ops)
        if isinstance(test, ast.UnaryOp):
            return isinstance(test.op, ast.Not) and self.is_python(test.operand)
        if isinstance(test, ast.BoolOp):
            return all([self.is_python(v) for v in test.values])
        return isinstance(test, ast.Call) and any([self.known(test.func) is p for p in _PREDICATES])

    def known(self, func: Any) -> Any:
        """The library function that a global or built-in name, or an attribute of a module, stands for; else None."""
        path = []
        while isinstance(func, ast.Attribute):
            path.append(func.attr)
            func = func.value
        if not isinstance(func, ast.Name):
            return None
        try:
            value = self._resolve(func.id)
        except LookupError:
            return None
        for attr in reversed(path):
            if type(value) is not ModuleType:
                return None
            value = getattr(value, attr, None)
        return value if (callable(value) and calls.as_is(value)) or overloads.is_overloaded(value) else None

    # -- calls -------------------------------------------------------------------------------------------------------
    def _call(self, node: ast.Call) -> ast.expr:
        args = [self(a) for a in node.args]
        keywords = [self(k) for k in node.keywords]
        f = node.func
        if isinstance(f, ast.Name) and f.id == "super" and not args and not keywords and self.super_args:
            args = [At(node).name(n) for n in self.super_args]
            return copied(node, args=args)
        if not (isinstance(f, ast.Attribute) and isinstance(f.value, ast.Name) and f.value.id == OPS):
            known = self.known(f)
            if overloads.is_overloaded(known):
                f = At(f).op_name(known.__name__)
            elif known is None and not isinstance(f, ast.Lambda):
                f = At(f).op("call", self(f))
            else:
                f = self(f)
        return copied(node, func=f, args=args, keywords=keywords)

    # -- choices -----------------------------------------------------------------------------------------------------
    def _slow(self, node: Any) -> Any:
        """The form of an expression that stands in a thunk of the staged form."""
        quick, self._quick = self._quick, False
        try:
            return self(node)
        finally:
            self._quick = quick

    def staged_form(self, node: Any) -> Any:
        """The form of an expression that need not be quick over Python values."""
        return self(node) if binds_by_walrus(node) else self._slow(node)

    def _bool_op(self, node: ast.BoolOp) -> ast.expr:
        return self._chain(type(node.op) is _AND, node.values, node)

    def _chain(self, is_and: bool, values: list[ast.expr], node: ast.BoolOp) -> ast.expr:
        first, *rest = values
        if not rest:
            return self(first)
        at, op = At(first), "and_" if is_and else "or_"
        if self.is_python(first):
            return self._join(at, node, self(first), self._chain(is_and, rest, node))
        if not self._quick:
            return at.op(op, self(first), at.thunk(self._chain(is_and, rest, node)))
        t = self.temporary()
        if any(binds_by_walrus(v) for v in rest):
            staged = at.op("refuse", at.const(_REFUSED))
        else:
            self._quick = False
            staged = at.op(op, at.name(t), at.thunk(self._chain(is_and, rest, node)))
            self._quick = True
        test = self.staged(at, self(first), t)
        return at.choose(test, staged, self._join(at, node, at.name(t), self._chain(is_and, rest, node)))

    def _join(self, at: At, node: ast.BoolOp, x: ast.expr, rest: ast.expr) -> ast.expr:
        more = rest.values if isinstance(rest, ast.BoolOp) and type(rest.op) is type(node.op) else [rest]
        return at.bool_op(node.op, x, *more)

    def _unary(self, node: ast.UnaryOp) -> ast.expr:
        if not isinstance(node.op, ast.Not) or self.is_python(node.operand):
            return self._generic(node)
        at = At(node)
        if not self._quick:
            return at.op("not_", self(node.operand))
        t = self.temporary()
        return at.choose(self.staged(at, self(node.operand), t), at.op("not_", at.name(t)), at.not_(at.name(t)))

    def _if_exp(self, node: ast.IfExp) -> ast.expr:
        if self.is_python(node.test):
            return self._generic(node)
        at = At(node.test)
        if not self._quick:
            return at.op("if_exp", self(node.test), at.thunk(self(node.body)), at.thunk(self(node.orelse)))
        t = self.temporary()
        if binds_by_walrus(node.body) or binds_by_walrus(node.orelse):
            staged = at.op("refuse", at.const(_REFUSED))
        else:
            staged = at.op("if_exp", at.name(t), at.thunk(self._slow(node.body)), at.thunk(self._slow(node.orelse)))
        test = self.staged(at, self(node.test), t)
        return at.choose(test, staged, copied(node, test=at.name(t), body=self(node.body), orelse=self(node.orelse)))

    def _compare(self, node: ast.Compare) -> ast.expr:
        if len(node.ops) == 1 or all(isinstance(op, _NEVER_STAGED) for op in node.ops):
            return self._generic(node)
        at = At(node)
        if not self._quick:
            links = [
                at.tuple([at.const(_SYMBOLS[type(op)]), at.thunk(self(c))])
                for op, c in zip(node.ops, node.comparators, strict=True)
            ]
            return at.op("compare", self(node.left), *links)
        return self._links(self(node.left), node.ops, node.comparators, node)

    def _links(self, left: ast.expr, ops: list[ast.cmpop], right: list[ast.expr], node: ast.Compare) -> ast.expr:
        at = At(node)
        if len(ops) == 1:
            return copied(node, left=left, ops=ops, comparators=[self(right[0])])
        t, middle = self.temporary(), self.temporary()
        first = copied(node, left=left, ops=ops[:1], comparators=[at.keep(middle, self(right[0]))])
        if any(binds_by_walrus(c) for c in right[1:]):
            staged = at.op("refuse", at.const(_REFUSED))
        else:
            rest = copied(node, left=at.name(middle), ops=ops[1:], comparators=right[1:])
            staged = at.op("and_", at.name(t), at.thunk(self._slow(rest)))
        python = at.bool_op(ast.And(), at.name(t), self._links(at.name(middle), ops[1:], right[1:], node))
        return at.choose(self.staged(at, first, t), staged, python)

    # -- scopes ------------------------------------------------------------------------------------------------------
    def _lambda(self, node: ast.Lambda) -> ast.expr:
        if is_generator(node):
            return node
        super_args, self.super_args = self.super_args, None
        body = self(node.body)
        self.super_args = super_args
        return copied(node, args=self.defaults(node.args), body=body)

    def defaults(self, args: ast.arguments) -> ast.arguments:
        """A function's parameters with their defaults converted."""
        if not args.defaults and not args.kw_defaults:
            return args
        return copied(
            args, defaults=[self(d) for d in args.defaults], kw_defaults=[d and self(d) for d in args.kw_defaults]
        )

    def _comprehension(self, node: Any) -> Any:
        # `:=` may not stand in what a comprehension iterates over, so the quick forms cannot
        generators = []
        for g in node.generators:
            generators.append(copied(g, iter=self._slow(g.iter), ifs=[self(c) for c in g.ifs]))
        parts = {f: self(getattr(node, f)) for f in node._fields if f != "generators"}
        return copied(node, generators=generators, **parts)

    _SPECIAL: dict[type, Callable[[Any, Any], Any]] = {
        ast.Name: _leaf,
        ast.Constant: _leaf,
        ast.Call: _call,
        ast.BoolOp: _bool_op,
        ast.UnaryOp: _unary,
        ast.IfExp: _if_exp,
        ast.Compare: _compare,
        ast.Lambda: _lambda,
        **dict.fromkeys(_COMPREHENSIONS, _comprehension),
        **dict.fromkeys((ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef), lambda self, node: self._function(node)),
    }
