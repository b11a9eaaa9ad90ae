"""Which names a piece of code reads and binds in its own scope, and what the functions defined in it see of them."""

from __future__ import annotations

import ast
from typing import Any

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
SCOPES = (*_FUNCTIONS, ast.Lambda, ast.ClassDef)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


class Uses:
    """What a piece of code does with names.

    Attributes:
        reads: names it reads, those that inner functions read included.
        binds: names it binds or deletes in this scope.
        captured: names that inner functions, lambdas, classes and generator expressions read, perhaps later.
        rebound: names of this scope that inner functions bind (``nonlocal``).
        slots: attributes and items that it assigns or deletes.
        calls: whether it calls anything.
        outer: names declared ``global`` or ``nonlocal``.
    """

    __slots__ = ("binds", "calls", "captured", "nonlocals", "outer", "reads", "rebound", "slots")

    def __init__(self) -> None:
        self.reads: set[str] = set()
        self.binds: set[str] = set()
        self.captured: set[str] = set()
        self.rebound: set[str] = set()
        self.outer: set[str] = set()
        self.nonlocals: set[str] = set()
        self.slots: list[Any] = []
        self.calls = False

    def add(self, other: Uses) -> None:
        """Take in what another piece of the same scope does."""
        self.reads |= other.reads
        self.binds |= other.binds
        self.captured |= other.captured
        self.rebound |= other.rebound
        self.outer |= other.outer
        self.nonlocals |= other.nonlocals
        self.slots += other.slots
        self.calls |= other.calls


def uses(*nodes: Any) -> Uses:
    """What some nodes of one scope do with names."""
    u = Uses()
    for n in nodes:
        _visit(n, u)
    return u


def parameters(args: ast.arguments) -> list[str]:
    """The names of a function's parameters, in the order of a code object's."""
    named = [a.arg for a in (*args.posonlyargs, *args.args, *args.kwonlyargs)]
    return named + [a.arg for a in (args.vararg, args.kwarg) if a is not None]


def _visit(n: Any, u: Uses) -> None:
    t = type(n)
    if t is ast.Name:
        if type(n.ctx) is ast.Load:
            u.reads.add(n.id)
        else:
            u.binds.add(n.id)
        return
    if t is ast.Constant:
        return
    special = _SPECIAL.get(t)
    if special is not None:
        special(n, u)
        return
    _children(n, u)


def _children(n: Any, u: Uses) -> None:
    for f in n._fields:
        v = getattr(n, f, None)
        if isinstance(v, ast.AST):
            _visit(v, u)
        elif type(v) is list:
            for x in v:
                if isinstance(x, ast.AST):
                    _visit(x, u)


def _call(n: ast.Call, u: Uses) -> None:
    u.calls = True
    _children(n, u)


def _slot(n: Any, u: Uses) -> None:
    if type(n.ctx) is not ast.Load:
        u.slots.append(n)
    _children(n, u)


def _augmented(n: ast.AugAssign, u: Uses) -> None:
    if type(n.target) is ast.Name:
        u.reads.add(n.target.id)
    _children(n, u)


def _annotated(n: ast.AnnAssign, u: Uses) -> None:
    # the annotation of a local variable is not evaluated; without a value nothing happens
    if n.value is not None:
        _visit(n.target, u)
        _visit(n.value, u)


def _named(n: Any, u: Uses) -> None:
    """Statements and patterns that bind the string in ``name`` or ``rest``."""
    name = n.rest if type(n) is ast.MatchMapping else n.name
    if isinstance(name, str):
        u.binds.add(name)
    elif name is not None:  # the Name of a type alias
        _visit(name, u)
        return
    _children(n, u)


def _imported(n: Any, u: Uses) -> None:
    for alias in n.names:
        u.binds.add(alias.asname or alias.name.split(".")[0])


def _declared(n: Any, u: Uses) -> None:
    u.outer.update(n.names)
    if type(n) is ast.Nonlocal:
        u.nonlocals.update(n.names)


def _function(n: Any, u: Uses) -> None:
    if type(n) is not ast.Lambda:
        u.binds.add(n.name)
        for d in n.decorator_list:
            _visit(d, u)
        for a in (*n.args.posonlyargs, *n.args.args, *n.args.kwonlyargs, n.args.vararg, n.args.kwarg):
            if a is not None and a.annotation is not None:
                _visit(a.annotation, u)
        if n.returns is not None:
            _visit(n.returns, u)
    for d in (*n.args.defaults, *n.args.kw_defaults):
        if d is not None:
            _visit(d, u)
    inner = uses(*n.body) if type(n) is not ast.Lambda else uses(n.body)
    local = (inner.binds - inner.outer) | set(parameters(n.args))
    _take_in(inner, local, u)


def _class(n: ast.ClassDef, u: Uses) -> None:
    u.binds.add(n.name)
    for x in (*n.decorator_list, *n.bases, *n.keywords):
        _visit(x, u)
    _take_in(uses(*n.body), set(), u)


def _take_in(inner: Uses, local: set[str], u: Uses) -> None:
    free = (inner.reads | inner.captured) - local
    u.reads |= free
    u.captured |= free
    u.rebound |= ((inner.binds & inner.nonlocals) | inner.rebound) - local


def _comprehension(n: Any, u: Uses) -> None:
    inner = Uses()
    targets: set[str] = set()
    for g in n.generators:
        targets |= uses(g.target).binds
        if g is n.generators[0]:
            _visit(g.iter, u)
        else:
            _visit(g.iter, inner)
        for c in g.ifs:
            _visit(c, inner)
    for x in (n.key, n.value) if type(n) is ast.DictComp else (n.elt,):
        _visit(x, inner)
    inner.reads -= targets
    inner.captured -= targets
    inner.binds -= targets  # what is left comes from := and is bound around the comprehension
    if type(n) is ast.GeneratorExp:  # runs later
        inner.captured |= inner.reads
    u.add(inner)


_SPECIAL: dict[type, Any] = {
    ast.Call: _call,
    ast.Attribute: _slot,
    ast.Subscript: _slot,
    ast.AugAssign: _augmented,
    ast.AnnAssign: _annotated,
    ast.ExceptHandler: _named,
    ast.MatchAs: _named,
    ast.MatchStar: _named,
    ast.MatchMapping: _named,
    ast.Import: _imported,
    ast.ImportFrom: _imported,
    ast.Global: _declared,
    ast.Nonlocal: _declared,
    ast.ClassDef: _class,
    **dict.fromkeys((*_FUNCTIONS, ast.Lambda), _function),
    **dict.fromkeys(_COMPREHENSIONS, _comprehension),
}
if hasattr(ast, "TypeAlias"):  # Python 3.12
    _SPECIAL[ast.TypeAlias] = _named


def binds_by_walrus(node: Any) -> bool:
    """Whether evaluating an expression binds a name of the scope around it (``:=``)."""
    return bool(uses(node).binds)


def is_generator(f: Any) -> bool:
    """Whether a function definition is one of a generator or coroutine."""
    if isinstance(f, ast.AsyncFunctionDef):
        return True
    stack = [f.body] if isinstance(f, ast.Lambda) else list(f.body)
    while stack:
        n = stack.pop()
        if isinstance(n, (ast.Yield, ast.YieldFrom, ast.Await)):
            return True
        if isinstance(n, SCOPES):
            stack += [*getattr(n, "decorator_list", ()), *(n.args.defaults if hasattr(n, "args") else ())]
        else:
            stack += ast.iter_child_nodes(n)
    return False
