"""Pass 2: what each branch and loop changes, and what of that matters afterwards.

One backward walk over structured code. A name is live where its value may still be read; behind a jump that is what
is live at the jump's target, so a branch that leaves the loop needs no value for what only the rest of the loop
reads. Names that something may look at in ways the walk does not see (inner functions, exception handlers) are
carried where they have a value, but need none.
"""

from __future__ import annotations

import ast
from typing import Any

from .ir import (
    PREFIX,
    RESULT,
    RETURNED,
    Carried,
    For,
    Guard,
    If,
    Jump,
    Loop,
    Region,
    SetFlag,
    Simple,
    While,
    blocks,
    walk,
)
from .jumps import Lowered
from .names import Uses, uses

_EMPTY: frozenset[str] = frozenset()
Names = frozenset[str]


class Liveness:
    """Fills in ``carried`` of all statements of a function.

    Args:
        lowered: the function's body.
        body: what its body does with names.
    """

    def __init__(self, lowered: Lowered, body: Uses) -> None:
        self._outer = frozenset(body.outer)
        self._hidden = frozenset(body.captured | body.rebound)
        self._rebound = frozenset(body.rebound)
        self._used = lowered.used
        self._targets: dict[str, Names] = {RETURNED: self._outer | ({RESULT} if lowered.returns else _EMPTY)}
        self._floor = _EMPTY  # what handlers of exceptions read
        self._finals = _EMPTY  # what the finally blocks around read
        self._found: dict[int, tuple[Names, Names, Names, Names, Names]] = {}
        self._effects: dict[int, Uses] = {}
        self._block(lowered.block, self._targets[RETURNED])
        for s in walk(lowered.block):
            if id(s) in self._found:
                self._fill(s, *self._found[id(s)])

    # -- what statements change --------------------------------------------------------------------------------------
    def effects(self, s: Any) -> Uses:
        """What a statement does with names, those inside it included."""
        u = self._effects.get(id(s))
        if u is None:
            t = type(s)
            u = self._effects[id(s)] = Uses()
            if t is Simple:
                u.add(uses(s.node))
            elif t is SetFlag or t is Jump:
                u.binds |= {s.flag} & self._used
            elif t is If or t is While:
                u.add(uses(s.test))
            elif t is For:
                u.add(uses(s.iterable, s.target))
            elif t is Region:
                u.add(uses(*header(s.node)))
            for b in blocks(s):
                for inner in b:
                    u.add(self.effects(inner))
        return u

    # -- the backward walk -------------------------------------------------------------------------------------------
    def _block(self, block: list[Any], out: Names) -> Names:
        for s in reversed(block):
            out = self._statement(s, out)
        return out

    def _statement(self, s: Any, out: Names) -> Names:
        t = type(s)
        if t is Simple:
            u = self.effects(s)
            if isinstance(s.node, ast.Raise):
                return self._floor | u.reads
            if isinstance(s.node, ast.Return):
                return self._targets[RETURNED] | u.reads
            return (out - u.binds) | u.reads
        if t is SetFlag:
            return out - {s.flag}
        if t is Jump:
            return self._after_jump(s.flag, out) - {s.flag}
        if t is If:
            then, orelse = self._block(s.then, out), self._block(s.orelse, out)
            self._note(s, self._end(s.then, out), self._end(s.orelse, out), then | orelse, out)
            return then | orelse | uses(s.test).reads
        if t is Guard:
            rest = self._block(s.rest, out)
            skip = frozenset().union(*[out if f in s.reached else self._after_jump(f, out) for f in s.flags])
            self._note(s, skip, self._end(s.rest, out), rest, out)
            return rest | out | frozenset(s.flags)
        return self._region(s, out) if t is Region else self._loop(s, out)

    def _after_jump(self, flag: str, out: Names) -> Names:
        return self._targets.get(flag, _EMPTY) | self._finals | {n for n in out if n.startswith(PREFIX)}

    def _end(self, block: list[Any], out: Names) -> Names:
        """What must have a value at the end of a block."""
        ends = self._jumped(block, out)
        return out if ends is None else ends

    def _jumped(self, block: list[Any], out: Names) -> Names | None:
        """What is live behind a block that always ends in a jump; None for others."""
        last = block[-1] if block else None
        if type(last) is Jump:
            return self._after_jump(last.flag, out)
        if type(last) is Simple and isinstance(last.node, ast.Raise):
            return _EMPTY
        if type(last) is If:
            then, orelse = self._jumped(last.then, out), self._jumped(last.orelse, out)
            return None if then is None or orelse is None else then | orelse
        if type(last) is Region and isinstance(last.node, ast.With):
            return self._jumped(last.blocks[0], out)
        if type(last) is Region and not isinstance(last.node, ast.Match):
            body, *handlers, other, final = last.blocks
            ends = [self._jumped(body if self._jumped(body, out) is not None else other, out)]
            ends += [self._jumped(h, out) for h in handlers]
            known = [e for e in ends if e is not None]
            return self._jumped(final, out) if len(known) < len(ends) else frozenset().union(*known)
        return None

    def _loop(self, s: Loop, out: Names) -> Names:
        own: Names = _EMPTY
        if isinstance(s, While):
            head = out | uses(s.test).reads
        else:
            assert isinstance(s, For)
            own, head = frozenset(uses(s.target).binds), out
        head |= frozenset(s.exits)
        self._targets.update({f: out for f in s.exits if f != RETURNED})
        while True:
            self._targets[s.continues] = head
            body = (self._block(s.body, head) - own) | (uses(s.target).reads if isinstance(s, For) else _EMPTY)
            if body <= head:
                break
            head |= body
        self._note(s, out, self._end(s.body, head), body, head)
        return head | (uses(s.iterable).reads if isinstance(s, For) else _EMPTY)

    def _region(self, s: Region, out: Names) -> Names:
        node, floor, finals = s.node, self._floor, self._finals
        u = uses(*header(node))
        if isinstance(node, ast.With):
            self._floor = floor | out  # the manager may swallow an exception
            live = self._block(s.blocks[0], out) - u.binds
        elif isinstance(node, ast.Match):
            live = out.union(*[self._block(b, out) for b in s.blocks])
        else:
            body, *handlers, orelse, final = s.blocks
            for_jumps = self._block(final, _EMPTY)
            after = self._block(final, out)
            self._finals = finals | for_jumps
            self._floor = floor | after
            caught = after.union(*[self._block(h, after) for h in handlers])
            end = self._block(orelse, after)
            self._floor = floor | caught
            live = self._block(body, end) | caught
        self._floor, self._finals = floor, finals
        return live | u.reads

    # -- results -----------------------------------------------------------------------------------------------------
    def _note(self, s: Any, then: Names, orelse: Names, live_in: Names, out: Names) -> None:
        self._found[id(s)] = (then, orelse, live_in, out, self._floor)

    def _fill(self, s: Any, then: Names, orelse: Names, live_in: Names, out: Names, floor: Names) -> None:
        u = Uses()
        for b in blocks(s):
            for inner in b:
                u.add(self.effects(inner))
        if isinstance(s, For):
            u.add(uses(s.target))
        changed = u.binds | (self._rebound if u.calls else _EMPTY)
        hidden = floor | self._hidden | self._outer
        matters = then | orelse | hidden
        if isinstance(s, Loop):
            matters |= out
        c: Carried = s.carried
        kept = changed & matters
        users = {n for n in kept if not n.startswith(PREFIX)}
        c.out = sorted(kept)
        if isinstance(s, Loop):
            c.needs = sorted(users & then), sorted(users - orelse - hidden)
        else:
            c.needs = (
                sorted(users & then),
                sorted(users & orelse),
                sorted(users & (then ^ orelse) & (self._hidden | self._outer)),
            )
            c.keep = sorted((changed - kept) & live_in)
        self._slots(c, u, changed, live_in)

    def _slots(self, c: Carried, u: Uses, changed: set[str] | Names, live_in: Names) -> None:
        texts = {ast.unparse(n): n for n in u.slots}
        for text, n in texts.items():
            root: Any = n.value
            parts = [root]
            while isinstance(root, (ast.Attribute, ast.Subscript)):
                root = root.value
                parts.append(root)
            if isinstance(root, ast.Name) and root.id in changed and root.id not in live_in:
                continue  # the object was made inside
            names = uses(n.value, n.slice) if isinstance(n, ast.Subscript) else uses(n.value)
            sliced = isinstance(n, ast.Subscript) and any(
                isinstance(x, (ast.Slice, ast.Starred)) for x in ast.walk(n.slice)
            )
            if (
                names.calls
                or names.binds
                or sliced
                or names.reads & changed
                or any(ast.unparse(p) in texts for p in parts)
            ):
                c.unfit = c.unfit or n
            else:
                c.slots[text] = n


def header(node: Any) -> list[Any]:
    """What of a with, try or match statement is not inside its blocks."""
    if isinstance(node, ast.With):
        return list(node.items)
    if isinstance(node, ast.Match):
        return [node.subject, *[x for c in node.cases for x in (c.pattern, c.guard) if x is not None]]
    return [
        x
        for h in node.handlers
        for x in (h.type, *([ast.Name(h.name, ast.Store())] if h.name else []))
        if x is not None
    ]
