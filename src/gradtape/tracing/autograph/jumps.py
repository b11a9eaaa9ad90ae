"""Pass 1: ``break``, ``continue`` and ``return`` become flags, and the statements that they skip are guarded.

Where one branch of an ``if`` always jumps, what follows the ``if`` moves into the other branch, so that early returns
become plain conditionals without flags. Only a jump out of something that goes on (a loop, a with, a branch of a
branch) needs its flag. ``else`` of loops becomes a guarded block behind them. A function whose only ``return`` ends
it keeps it.
"""

from __future__ import annotations

import ast
from typing import Any

from . import patterns
from .ir import PREFIX, RESULT, RETURNED, For, Guard, If, Jump, Loop, Region, SetFlag, Simple, While, walk
from .messages import unsupported
from .names import SCOPES, binds_by_walrus, uses

_NONE: frozenset[str] = frozenset()
_TRIES = (ast.Try, ast.TryStar)


class _Flags:
    """The flags of one loop."""

    def __init__(self, n: int) -> None:
        tail = str(n) if n > 1 else ""
        self.breaks, self.continues, self.ends = f"{PREFIX}break{tail}", f"{PREFIX}continue{tail}", f"{PREFIX}end{tail}"
        self.own = {self.breaks, self.continues, self.ends}


class Lowered:
    """A function body without jumps.

    Attributes:
        block: its statements.
        used: the flags that something looks at.
        returns: whether the result is left in ``ag__result`` (else the body holds its ``return``).
        dropped: names that were bound only in code that cannot be reached.
    """

    def __init__(self, body: list[ast.stmt], file: str, name: str) -> None:
        self._file, self._name = file, name
        self._loops: dict[int, _Flags] = {}
        self._infos: dict[int, tuple[bool, frozenset[str]]] = {}
        self._expanded: dict[int, list[ast.stmt]] = {}
        self.dropped: set[str] = set()
        returns = _returns(body)
        self.returns = bool(returns) and returns != [body[-1]]
        if self.returns and self._info(body, None)[0]:
            body = [*body, ast.Return(value=None, **start_of(body[-1]))]
        self.block = self._block(body, None)
        self.used = {
            f
            for s in walk(self.block)
            for f in (s.flags if type(s) is Guard else s.exits if isinstance(s, Loop) else ())
        }
        self.block = _prune(self.block, self.used)
        if RETURNED in self.used:
            self.block.insert(0, SetFlag(RETURNED, False, body[0]))

    # -- what a block may do -----------------------------------------------------------------------------------------
    def _flags(self, node: Any) -> _Flags:
        return self._loops.setdefault(id(node), _Flags(len(self._loops) + 1))

    def _info(self, block: list[ast.stmt], loop: Any) -> tuple[bool, frozenset[str]]:
        """Whether the end of a block can be reached without a jump, and the flags of the jumps that may leave it."""
        falls, flags = True, _NONE
        for s in self._expand(block):
            f, g = self._info_of(s, loop)
            falls, flags = falls and f, flags | g
            if not falls:
                break
        return falls, flags

    def _info_of(self, s: ast.stmt, loop: Any) -> tuple[bool, frozenset[str]]:
        known = self._infos.get(id(s))
        if known is None:
            known = self._infos[id(s)] = self._find_info(s, loop)
        return known

    def _find_info(self, s: Any, loop: Any) -> tuple[bool, frozenset[str]]:
        if isinstance(s, ast.Return):
            return False, frozenset([RETURNED])
        if isinstance(s, (ast.Break, ast.Continue)):
            return False, frozenset([self._target(s, loop)])
        if isinstance(s, ast.Raise):
            return False, _NONE
        if isinstance(s, ast.If):
            return _either(self._info(s.body, loop), self._info(s.orelse, loop))
        if isinstance(s, (ast.While, ast.For)):
            own = self._flags(s)
            inside = self._info(self._loop_body(s), s)[1]
            falls, flags = self._info(s.orelse, loop)
            endless = isinstance(s, ast.While) and isinstance(s.test, ast.Constant) and bool(s.test.value)
            return (falls and not endless) or own.breaks in inside, flags | (inside - own.own)
        if isinstance(s, ast.With):
            falls, flags = self._info(s.body, loop)
            return True, flags  # it may swallow an exception
        if isinstance(s, _TRIES):
            body = self._info([*s.body, *s.orelse], loop)
            every = _either(body, *[self._info(h.body, loop) for h in s.handlers])
            return every[0] and self._info(s.finalbody, loop)[0], every[1]
        if isinstance(s, ast.Match):
            last = s.cases[-1]
            rest = [] if last.guard is None and patterns.irrefutable(last.pattern) else [(True, _NONE)]
            return _either(*[self._info(c.body, loop) for c in s.cases], *rest)
        return True, _NONE

    def _target(self, s: Any, loop: Any) -> str:
        flags = self._flags(loop)
        return flags.continues if isinstance(s, ast.Continue) else getattr(s, "flag", flags.breaks)

    def _expand(self, block: list[ast.stmt]) -> list[ast.stmt]:
        """A block with those match statements written as if statements that can be."""
        if not any(type(s) is ast.Match for s in block):
            return block
        out: list[ast.stmt] = []
        for s in block:
            if type(s) is ast.Match:
                if id(s) not in self._expanded:
                    self._expanded[id(s)] = patterns.as_ifs(s) or [s]
                out += self._expanded[id(s)]
            else:
                out.append(s)
        return out

    # -- lowering ----------------------------------------------------------------------------------------------------
    def _block(self, block: list[ast.stmt], loop: Any) -> list[Any]:
        out: list[Any] = []
        block = self._expand(block)
        for k, s in enumerate(block):
            rest = block[k + 1 :]
            falls, flags = self._info_of(s, loop)
            if isinstance(s, ast.Return) and self.returns:
                out += [Simple(_assign(RESULT, s)), Jump(RETURNED, s)]
                return self._drop(rest, out)
            if isinstance(s, (ast.Break, ast.Continue)):
                out.append(Jump(self._target(s, loop), s))
                return self._drop(rest, out)
            if isinstance(s, ast.If):
                then, orelse = s.body, s.orelse
                folds = bool(falls and flags and rest)
                if folds and not self._info(then, loop)[0]:
                    orelse = orelse + rest
                elif folds and not self._info(orelse, loop)[0]:
                    then = then + rest
                else:
                    folds = False
                out.append(If(s.test, self._block(then, loop), self._block(orelse, loop), s))
                if folds:
                    return out
            elif isinstance(s, (ast.While, ast.For)):
                out += self._loop(s, loop)
            elif isinstance(s, (ast.With, ast.Match, *_TRIES)):
                out.append(self._region(s, loop))
            else:
                out.append(Simple(s))
            if not falls:
                return self._drop(rest, out)
            if flags and rest:
                out.append(Guard(sorted(flags), self._block(rest, loop), s))
                return out
        return out

    def _drop(self, rest: list[ast.stmt], out: list[Any]) -> list[Any]:
        """``out``, after which ``rest`` is never reached; its names stay local."""
        if rest:
            self.dropped |= uses(*rest).binds
        return out

    def _loop_body(self, s: Any) -> list[ast.stmt]:
        """The body of a loop; where the test of a while binds names, it becomes the body's first statement."""
        if isinstance(s, ast.For) or not binds_by_walrus(s.test):
            return s.body
        if id(s) not in self._expanded:
            leave = ast.copy_location(ast.Break(), s.test)
            leave.flag = self._flags(s).ends  # type: ignore[attr-defined]
            skip = ast.copy_location(ast.Pass(), s.test)
            test = ast.copy_location(ast.If(test=s.test, body=[skip], orelse=[leave]), s.test)
            self._expanded[id(s)] = [test, *s.body]
        return self._expanded[id(s)]

    def _loop(self, s: Any, outer: Any) -> list[Any]:
        own = self._flags(s)
        body = self._loop_body(s)
        inside = self._info(body, s)[1]
        exits = sorted(inside & {own.breaks, own.ends, RETURNED})
        lowered = self._block(body, s)
        if own.continues in inside:
            lowered.insert(0, SetFlag(own.continues, False, s))
        loop: Any
        if isinstance(s, ast.While):
            loop = While(lowered, exits, own.continues, s)
            loop.test = s.test if body is s.body else ast.copy_location(ast.Constant(value=True), s.test)
        else:
            loop = For(lowered, exits, own.continues, s)
            loop.target, loop.iterable = s.target, s.iter
        out: list[Any] = [SetFlag(f, False, s) for f in exits if f in own.own]
        out.append(loop)
        if s.orelse:
            orelse = self._block(s.orelse, outer)
            skip = [f for f in exits if f != own.ends]
            out += [Guard(skip, orelse, s, own.own)] if skip else orelse
        return out

    def _region(self, s: Any, loop: Any) -> Region:
        if isinstance(s, ast.With):
            return Region(s, [self._block(s.body, loop)])
        if isinstance(s, ast.Match):
            return Region(s, [self._block(c.body, loop) for c in s.cases])
        jumps = self._info(s.finalbody, loop)[1]
        if jumps:
            jump = next(n for n in _jumps(s.finalbody) if isinstance(n, ast.Return) or self._target(n, loop) in jumps)
            word = type(jump).__name__.lower()
            message = (
                f"`{word}` inside `finally` throws away any exception on its way, and is not converted. Move it behind the "
                "try statement, or keep the function as Python with @tf.autograph.experimental.do_not_convert."
            )
            raise unsupported(message, jump, self._file, self._name)
        orelse = self._block(s.orelse, loop)
        flags = self._info(s.body, loop)[1]
        if flags and orelse:
            orelse = [Guard(sorted(flags), orelse, s)]
        return Region(
            s,
            [
                self._block(s.body, loop),
                *[self._block(h.body, loop) for h in s.handlers],
                orelse,
                self._block(s.finalbody, loop),
            ],
        )


def start_of(node: Any) -> dict[str, int]:
    """The position of a node's first character, which stands on a line that runs whatever the node then does."""
    return {
        "lineno": node.lineno,
        "end_lineno": node.lineno,
        "col_offset": node.col_offset,
        "end_col_offset": node.col_offset,
    }


def _either(*infos: tuple[bool, frozenset[str]]) -> tuple[bool, frozenset[str]]:
    return any([f for f, _ in infos]), frozenset().union(*[g for _, g in infos])


def _jumps(block: list[ast.stmt]) -> list[Any]:
    """The jump statements of a block, not those of inner functions."""
    found = []
    stack: list[Any] = list(reversed(block))
    while stack:
        n = stack.pop()
        if isinstance(n, (ast.Return, ast.Break, ast.Continue)):
            found.append(n)
        elif isinstance(n, (ast.stmt, ast.ExceptHandler, ast.match_case)) and not isinstance(n, SCOPES):
            stack += reversed(list(ast.iter_child_nodes(n)))
    return found


def _returns(block: list[ast.stmt]) -> list[ast.Return]:
    return [n for n in _jumps(block) if isinstance(n, ast.Return)]


def _assign(name: str, s: ast.Return) -> ast.stmt:
    target = ast.copy_location(ast.Name(id=name, ctx=ast.Store()), s)
    value = s.value or ast.copy_location(ast.Constant(value=None), s)
    return ast.copy_location(ast.Assign(targets=[target], value=value), s)


def _prune(block: list[Any], used: set[str]) -> list[Any]:
    """A block without the assignments to flags that nothing looks at."""
    out = [s for s in block if type(s) is not SetFlag or s.flag in used]
    for s in out:
        t = type(s)
        if t is If:
            s.then, s.orelse = _prune(s.then, used), _prune(s.orelse, used)
        elif t is Guard:
            s.rest = _prune(s.rest, used)
        elif t is While or t is For:
            s.body = _prune(s.body, used)
        elif t is Region:
            s.blocks = [_prune(b, used) for b in s.blocks]
    return out
