"""Pass 4: branches and loops become operators on functions, beside the Python statements for Python values.

An ``if`` becomes

    if ag__.staged(ag__1 := test):
        def ag__then(): ...
        def ag__else(): ...
        ag__.if_(ag__1, ag__then, ag__else, lambda: (x, y))
    elif ag__1: ...
    else: ...

and loops likewise: a Python loop that ends when its condition turns out to be staged, and the operator that takes
over from there. The functions share the variables of the function around them (``nonlocal``), so the operators reach
these through the cells of the lambda. Inside the functions only the operator form stands, which takes Python values
too; so the text grows with the depth of nesting, not exponentially.
"""

from __future__ import annotations

import ast
from typing import Any

from .build import At, copied
from .expressions import Expressions
from .ir import RESULT, Carried, For, Guard, If, Jump, Loop, Region, SetFlag, Simple, While, blocks
from .jumps import Lowered, start_of
from .liveness import Liveness
from .messages import unsupported
from .names import parameters, uses

_TRY, _BRANCH = "try", "branch"


class Statements:
    """Emits the body of one function.

    Args:
        args: its parameters.
        body: its statements, without a docstring.
        expressions: converts its expressions.
        file, name: for messages.
    """

    def __init__(
        self, args: ast.arguments, body: list[ast.stmt], expressions: Expressions, file: str, name: str
    ) -> None:
        self._expr, self._file, self._name = expressions, file, name
        self._body = uses(*body)
        self._globals = self._body.outer - self._body.nonlocals
        lowered = Lowered(body, file, name)
        self._liveness = Liveness(lowered, self._body)
        self._used = lowered.used
        self._done: dict[int, list[ast.stmt]] = {}
        self._leading: set[int] = set()  # calls of set_loop_options that begin a loop
        self._around: list[str] = []  # the try statements and staged branches around a statement
        self._undeclared = set(lowered.dropped)
        self._budget = 100 + 12 * sum(map(_size, lowered.block))
        statements = self._block(lowered.block, True)
        if lowered.returns:
            at = At(_Start(lowered.block[-1].node))  # a line that has run, whichever return was taken
            statements.append(at.returns(at.name(RESULT)))
        top = At(_Start(body[0]))
        declared = top.declare(ast.Global, sorted(self._globals)) + top.declare(
            ast.Nonlocal, sorted(self._body.nonlocals)
        )
        own = self._undeclared - self._body.outer - set(parameters(args))
        self.statements = [*declared, *[top.local(n) for n in sorted(own)], *statements]

    # -- blocks ------------------------------------------------------------------------------------------------------
    def _block(self, block: list[Any], inline: bool) -> list[ast.stmt]:
        """A block's statements: ``inline`` with both forms, else with the operator form only."""
        out: list[ast.stmt] = []
        for s in block:
            out += self._EMIT[type(s)](self, s, inline)
        return out

    def _simple(self, s: Simple, inline: bool) -> list[ast.stmt]:
        node: Any = s.node
        if not inline and self._around[-1:] != [_TRY]:
            if isinstance(node, ast.Raise):
                return self._raise(node)
            if isinstance(node, ast.Assert):
                return [self._assert(node)]
        if id(s) not in self._done:
            self._done[id(s)] = self._convert(node)
        return self._done[id(s)]

    def _convert(self, node: Any) -> list[ast.stmt]:
        if isinstance(node, (ast.Global, ast.Nonlocal)):
            return []  # stand at the top
        if isinstance(node, ast.AnnAssign):  # the annotation has no effect, and may not stand beside `nonlocal`
            if node.value is None:
                if isinstance(node.target, ast.Name):
                    self._undeclared.add(node.target.id)
                return []
            node = ast.copy_location(ast.Assign(targets=[node.target], value=node.value), node)
        if isinstance(node, ast.Assert) and not self._expr.is_python(node.test):
            at, t = At(node.test), self._expr.temporary()
            test = self._expr.staged(at, self._expr(node.test), t)
            python = copied(node, test=at.name(t), msg=node.msg and self._expr(node.msg))
            return [at.when(test, [self._assert(node, at.name(t))], [python])]
        if self._is_options(node) and id(node) not in self._leading:
            raise unsupported("set_loop_options must be the first statement of a loop.", node, self._file, self._name)
        return [self._expr(node)]

    def _is_options(self, node: Any) -> bool:
        """Whether a statement calls ``set_loop_options``: by its name, since what modules local names stand for is not known."""
        call = node.value if isinstance(node, ast.Expr) else None
        f = call.func if isinstance(call, ast.Call) else None
        return (f.attr if isinstance(f, ast.Attribute) else getattr(f, "id", None)) == "set_loop_options"

    def _options(self, s: Loop) -> Any:
        """The call of ``set_loop_options`` with which a loop's body begins, or None."""
        first = s.body[0] if s.body else None
        if not isinstance(first, Simple) or not self._is_options(first.node):
            return None
        node: Any = first.node
        self._leading.add(id(node))
        return node.value

    def _assert(self, node: ast.Assert, test: ast.expr | None = None) -> ast.stmt:
        at = At(node.test)
        message = [at.thunk(self._expr.staged_form(node.msg))] if node.msg is not None else []
        return at.do(at.op("assert_", test or self._expr.staged_form(node.test), *message))

    def _raise(self, node: ast.Raise) -> list[ast.stmt]:
        if node.exc is None:
            return [self._expr(node)]
        at = At(node)
        error = at.op("raising", self._expr(node.exc), at.const(_TRY in self._around))
        return [copied(node, exc=error, cause=node.cause and self._expr(node.cause))]

    def _set_flag(self, s: SetFlag, inline: bool) -> list[ast.stmt]:
        at = At(_Start(s.node))
        return [at.assign(s.flag, at.const(s.value))]

    def _jump(self, s: Jump, inline: bool) -> list[ast.stmt]:
        at = At(s.node)
        return [at.assign(s.flag, at.const(True)) if s.flag in self._used else at.skip()]

    # -- branches ----------------------------------------------------------------------------------------------------
    def _if(self, s: If, inline: bool) -> list[ast.stmt]:
        at = At(s.test)
        if self._expr.is_python(s.test):
            return [
                copied(
                    s.node,
                    test=self._expr(s.test),
                    body=self._block(s.then, inline) or [at.skip()],
                    orelse=self._block(s.orelse, inline),
                )
            ]
        if s.carried.unfit is None and not (inline and self._afford(s)):
            self._note_undeclared(s, inline)
            return self._branches(at, self._expr.staged_form(s.test), s.then, s.orelse, s.carried)
        t = self._expr.temporary()
        test, negated = s.test, False
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            test, negated = test.operand, True
        value = at.op("not_", at.name(t)) if negated else at.name(t)
        staged = self._branches(at, value, s.then, s.orelse, s.carried)
        python_test = at.not_(at.name(t)) if negated else at.name(t)
        python = copied(
            s.node,
            test=python_test,
            body=self._block(s.then, inline) or [at.skip()],
            orelse=self._block(s.orelse, inline),
        )
        return [at.when(self._expr.staged(at, self._expr(test), t), staged, [python])]

    def _guard(self, s: Guard, inline: bool) -> list[ast.stmt]:
        at = At(_Start(s.node))
        if s.carried.unfit is None and not (inline and self._afford(s)):
            self._note_undeclared(s, inline)
            return self._branches(at, self._any(at, s.flags), [], s.rest, s.carried, "rest")
        staged = self._branches(at, self._any(at, s.flags), [], s.rest, s.carried, "rest")
        free = [at.is_(at.name(f), False) for f in s.flags]
        pending = [self._expr.staged(at, at.name(f)) for f in s.flags]
        return [
            at.when(
                _joined(at, ast.And(), free),
                self._block(s.rest, inline),
                [at.when(_joined(at, ast.Or(), pending), staged)],
            )
        ]

    def _branches(
        self, at: At, test: ast.expr, then: list[Any], orelse: list[Any], carried: Carried, kind: str = "else"
    ) -> list[ast.stmt]:
        """The operator form of a conditional."""
        if carried.unfit is not None:
            return self._refusal(carried)
        out: list[ast.stmt] = []
        functions = []
        self._around.append(_BRANCH)
        for name, block in (("ag__then", then), (f"ag__{kind}", orelse)):
            if block:
                out.append(self._function(at, name, block))
            functions.append(at.name(name) if block else at.const(None))
        self._around.pop()
        extra = {"kind": at.const(kind)} if kind != "else" else {}
        out.append(
            at.do(at.op("if_", test, *functions, *self._carried(at, carried), **extra, **self._slots(at, carried)))
        )
        return out

    # -- loops -------------------------------------------------------------------------------------------------------
    def _while(self, s: While, inline: bool) -> list[ast.stmt]:
        self._options(s)
        at, test = At(s.test), s.test
        forever, python = isinstance(test, ast.Constant) and bool(test.value), self._expr.is_python(test)
        if python and not s.exits:
            return [copied(s.node, test=self._expr(test), body=self._block(s.body, inline) or [at.skip()], orelse=[])]
        if s.carried.unfit is None and not (inline and self._afford(s)):
            self._note_undeclared(s, inline)
            return self._loop(at, "while_", at.thunk(self._expr.staged_form(test)), s)
        going = [at.is_(at.name(f), False) for f in s.exits]
        pending = [self._expr.staged(at, at.name(f)) for f in s.exits]
        if not python:
            t = self._expr.temporary()
            going.append(self._holds(at, self._expr(test), t))
            pending.append(self._expr.staged(at, at.name(t)))
        elif not forever:
            going.append(self._expr(test))
        loop = at.loop(_joined(at, ast.And(), going), self._block(s.body, inline))
        first: dict[str, ast.expr] = {} if python or s.exits else {"first": at.name(t)}
        staged = self._loop(at, "while_", at.thunk(self._expr.staged_form(test)), s, first)
        return [loop, at.when(_joined(at, ast.Or(), pending), staged)]

    def _holds(self, at: At, test: ast.expr, t: str) -> ast.expr:
        """Whether a test, kept under the name ``t``, is a Python value that is true."""
        staged = at.op("staged", at.keep(t, test) if self._expr.readable else at.name(t))
        python = at.bool_op(ast.And(), at.not_(staged), at.name(t))
        if self._expr.readable:
            return python
        rest = at.bool_op(ast.And(), at.is_(at.name(t), False, same=False), *python.values)
        return at.bool_op(ast.Or(), at.is_(at.keep(t, test), True), rest)

    def _for(self, s: For, inline: bool) -> list[ast.stmt]:
        self._options(s)
        at = At(s.iterable)
        if s.carried.unfit is None and not (inline and self._afford(s)):
            self._note_undeclared(s, inline)
            return self._loop(at, "for_", self._expr.staged_form(s.iterable), s)
        t = self._expr.temporary()
        body = self._block(s.body, inline)
        if s.exits:
            body.append(
                at.when(_joined(at, ast.Or(), [at.is_(at.name(f), False, same=False) for f in s.exits]), [at.leave()])
            )
        python = copied(
            s.node,
            target=self._expr(s.target),
            iter=at.keep(t, at.op("iterate", self._expr(s.iterable))),
            body=body or [at.skip()],
            orelse=[],
        )
        kind = ast.copy_location(ast.Attribute(value=at.name(t), attr="__class__", ctx=ast.Load()), at.name(t))
        pending = [
            at.compare(kind, ast.Is(), at.op_name("Staged")),
            *[self._expr.staged(at, at.name(f)) for f in s.exits],
        ]
        return [python, at.when(_joined(at, ast.Or(), pending), self._loop(at, "for_", at.name(t), s))]

    def _loop(
        self, at: At, op: str, first: ast.expr, s: Loop, extra: dict[str, ast.expr] | None = None
    ) -> list[ast.stmt]:
        """The operator form of a loop."""
        if s.carried.unfit is not None:
            return self._refusal(s.carried)
        self._around.append(_BRANCH)
        if isinstance(s, For):
            bind = ast.copy_location(ast.Assign(targets=[self._expr(s.target)], value=at.name("ag__value")), s.target)
            body = self._function(at, "ag__body", s.body, ["ag__value"], bind)
        else:
            body = self._function(at, "ag__body", s.body)
        self._around.pop()
        done = at.thunk(self._any(at, s.exits)) if s.exits else at.const(None)
        if (options := self._options(s)) is not None:
            there = At(options)
            asked = there.thunk(copied(self._expr(options), func=there.op_name("loop_options")))
            extra = {**(extra or {}), "options": asked}
        call = at.op(
            op,
            first,
            at.name("ag__body"),
            done,
            *self._carried(at, s.carried),
            **self._slots(at, s.carried),
            **extra or {},
        )
        return [body, at.do(call)]

    # -- parts of the operator form ----------------------------------------------------------------------------------
    def _function(
        self, at: At, name: str, block: list[Any], params: list[str] | None = None, first: ast.stmt | None = None
    ) -> ast.stmt:
        names = set().union(
            *[self._liveness.effects(s).binds for s in block], uses(first).binds if first is not None else ()
        )
        shared = at.declare(ast.Global, sorted(names & self._globals)) + at.declare(
            ast.Nonlocal, sorted(names - self._globals)
        )
        return at.function(
            name, params or (), [*shared, *([first] if first is not None else []), *self._block(block, False)]
        )

    def _any(self, at: At, flags: list[str]) -> ast.expr:
        """Whether any flag is set."""
        first, *rest = flags
        return at.name(first) if not rest else at.op("or_", at.name(first), at.thunk(self._any(at, rest)))

    def _carried(self, at: At, c: Carried) -> list[ast.expr]:
        args: list[ast.expr] = [
            at.thunk(at.tuple([at.name(n) for n in c.out])),
            at.const(tuple([tuple(n) for i, n in enumerate(c.needs) if n or i < 2])),
        ]
        if c.keep:
            args.append(at.thunk(at.tuple([at.name(n) for n in c.keep])))
        return args

    def _slots(self, at: At, c: Carried) -> dict[str, ast.expr]:
        if not c.slots:
            return {}
        slots = []
        for text, n in c.slots.items():
            base = self._expr(n.value)
            if isinstance(n, ast.Attribute):
                slots.append(at.op("attribute", at.const(text), at.thunk(base), at.const(n.attr)))
            else:
                slots.append(at.op("item", at.const(text), at.thunk(at.tuple([base, self._expr(n.slice)]))))
        return {"slots": at.tuple(slots)}

    def _refusal(self, c: Carried) -> list[ast.stmt]:
        at, text = At(c.unfit), ast.unparse(c.unfit)
        message = (
            f"`{text}` is assigned under a staged condition or in a staged loop, where its place cannot be told "
            "beforehand. Assign to a variable, or to an attribute or item of an object that stays the same with a key "
            "that stays the same; collect the values of a loop in a tf.TensorArray."
        )
        return [at.do(at.op("refuse", at.const(message)))]

    def _afford(self, s: Any) -> bool:
        """Whether the text may grow by another copy of ``s``."""
        self._budget -= _size(s)
        return self._budget >= 0

    def _note_undeclared(self, s: Any, inline: bool) -> None:
        if inline:  # no inline copy makes its names local
            self._undeclared |= self._liveness.effects(s).binds

    # -- with, try, match --------------------------------------------------------------------------------------------
    def _region(self, s: Region, inline: bool) -> list[ast.stmt]:
        node, at = s.node, At(_Start(s.node))
        if isinstance(node, ast.With):
            body = self._block(s.blocks[0], inline) or [at.skip()]
            return [copied(node, items=[self._expr(i) for i in node.items], body=body)]
        if isinstance(node, ast.Match):
            cases = []
            for c, b in zip(node.cases, s.blocks, strict=True):
                guard = c.guard and At(c.guard).op("python", self._expr(c.guard))
                cases.append(copied(c, guard=guard, body=self._block(b, inline) or [At(c.pattern).skip()]))
            return [copied(node, subject=At(node.subject).op("python", self._expr(node.subject)), cases=cases)]
        first, *caught, orelse, final = s.blocks
        if node.handlers:
            self._around.append(_TRY)
        body = self._block(first, inline) or [at.skip()]
        if node.handlers:
            self._around.pop()
        handlers = [
            copied(h, type=h.type and self._expr(h.type), body=self._block(b, inline) or [At(h).skip()])
            for h, b in zip(node.handlers, caught, strict=True)
        ]
        return [
            copied(
                node,
                body=body,
                handlers=handlers,
                orelse=self._block(orelse, inline),
                finalbody=self._block(final, inline) or (node.finalbody and [at.skip()]),
            )
        ]

    _EMIT: dict[type, Any] = {
        Simple: _simple,
        SetFlag: _set_flag,
        Jump: _jump,
        If: _if,
        Guard: _guard,
        While: _while,
        For: _for,
        Region: _region,
    }


class _Start:
    """The place of a node's first character, as a node."""

    def __init__(self, node: Any) -> None:
        self.__dict__.update(start_of(node))


def _joined(at: At, op: ast.boolop, tests: list[ast.expr]) -> ast.expr:
    """Some tests joined by ``and`` or ``or``."""
    return tests[0] if len(tests) == 1 else at.bool_op(op, *tests)


def _size(s: Any) -> int:
    return 1 + sum([_size(inner) for b in blocks(s) for inner in b])
