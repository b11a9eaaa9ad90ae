"""Two stages without tensors, which find out whether control flow over staged values leaks into Python.

``Both`` computes at once on wrapped values: it runs both branches of every conditional, and every loop body once more than needed, each time on fresh
wrappers. ``Graphs`` is a small tracer: branches and bodies are traced once into graphs, which are then interpreted, and a value
that leaves its graph is an error. In both, a staged value has no truth value, length, items or index.
"""

from __future__ import annotations

import contextlib
import operator
from typing import Any

from gradtape.tracing.autograph import UNSET, convert, install

from .staged import LeakError, Staged, flatten, form, is_array, is_number, kind, rebuilt, take


class Stage:
    """What the two stages share: matching states, iteration, builtins."""

    def is_staged(self, x: Any) -> bool:
        return isinstance(x, Staged)

    iterates = is_staged

    def bounds(self, x: Any) -> Any:
        return None

    def index(self, start: Any, limit: Any, delta: Any) -> Any:
        return self.op(int, start)

    def length(self, x: Any) -> Any:
        return self.op(len, x)

    def item(self, x: Any, i: Any) -> Any:
        return self.op(take, x, i)

    def minimum(self, x: Any, y: Any) -> Any:
        return self.op(min, x, y)

    def logical_not(self, x: Any) -> Any:
        return self.op(operator.not_, x)

    def logical_and(self, x: Any, y: Any) -> Any:
        return self.cond(x, lambda _: (self.op(bool, y()),), lambda _: (False,), (UNSET,), ("and",))[0]

    def logical_or(self, x: Any, y: Any) -> Any:
        return self.cond(x, lambda _: (True,), lambda _: (self.op(bool, y()),), (UNSET,), ("or",))[0]

    def builtin(self, function: Any, args: Any, kwargs: Any) -> Any:
        return self.op(function, *args) if not kwargs else NotImplemented

    def for_range(
        self,
        start: Any,
        limit: Any,
        delta: Any,
        body_fn: Any,
        init: Any,
        extra_cond: Any,
        names: Any,
        invariants: Any = (),
    ) -> Any:
        more = lambda i: self.op(lambda i, limit, delta: i < limit if delta > 0 else i > limit, i, limit, delta)
        if extra_cond is None:
            test = lambda state: more(state[0])
        else:
            test = lambda state: self.logical_and(more(state[0]), lambda: extra_cond(state[1:]))
        body = lambda state: (state[0] + delta, *body_fn(state[0], state[1:]))
        return self.while_loop(test, body, (self.op(int, start), *init), ("the loop's index", *names))[1:]

    def matched(self, a: Any, b: Any, name: str) -> tuple[Any, Any]:
        """Two values of one variable in one form; leaves that differ become staged."""
        if a is UNSET or b is UNSET:
            if a is UNSET and b is UNSET:
                return a, b
            return (self.placeholder(b), b) if a is UNSET else (a, self.placeholder(a))
        if form(a) != form(b):
            raise TypeError(f"{name!r} has different structures: {form(a)} and {form(b)}")
        for x, y in zip(flatten(a), flatten(b), strict=True):
            if isinstance(x, Staged) or isinstance(y, Staged) or (is_number(x) and is_number(y)):
                if kind(self.example(x)) != kind(self.example(y)):
                    raise TypeError(
                        f"{name!r} has different types: {kind(self.example(x))} and {kind(self.example(y))}"
                    )
            elif not (x is y or (type(x) is type(y) and x == y)):
                raise TypeError(f"{name!r} has different values: {x!r} and {y!r}")
        return a, b

    def placeholder(self, like: Any) -> Any:
        zero = lambda x: (
            type(x)([zero(y) for y in x])
            if isinstance(x, tuple)
            else x * 0
            if is_array(x)
            else type(x)()
            if is_number(x)
            else x
        )
        return rebuilt(like, iter([zero(self.example(x)) for x in flatten(like)]))


def _stays(x: Any, y: Any) -> bool:
    return not isinstance(x, Staged) and not isinstance(y, Staged) and type(x) is type(y) and not is_array(x) and x == y


# -- computing at once ------------------------------------------------------------------------------------------------------


class Value(Staged):
    """A value in a wrapper."""

    def __init__(self, stage: Both, value: Any) -> None:
        assert not isinstance(value, Staged)
        self.stage, self.value = stage, value


class Both(Stage):
    """Runs both branches and chooses."""

    def __init__(self) -> None:
        self.path = [True]  # whether the program would come here

    def op(self, f: Any, *args: Any) -> Any:
        return Value(self, f(*[self.example(a) for a in args]))

    def example(self, x: Any) -> Any:
        return x.value if isinstance(x, Value) else x

    def fresh(self, state: Any) -> Any:
        """The state in new wrappers."""
        wrap = lambda x: Value(self, self.example(x)) if is_number(x) else x
        return tuple([x if x is UNSET else rebuilt(x, iter([wrap(y) for y in flatten(x)])) for x in state])

    def copies(self, state: Any) -> Any:
        """The state with its staged values in new wrappers."""
        wrap = lambda x: Value(self, x.value) if isinstance(x, Value) else x
        return tuple([x if x is UNSET else rebuilt(x, iter([wrap(y) for y in flatten(x)])) for x in state])

    @contextlib.contextmanager
    def on(self, taken: bool) -> Any:
        self.path.append(self.path[-1] and taken)
        try:
            yield
        finally:
            self.path.pop()

    def cond(self, pred: Any, true_fn: Any, false_fn: Any, init: Any, names: Any) -> Any:
        assert isinstance(pred, Value) and len(init) == len(names)
        with self.on(bool(pred.value)):
            a = true_fn(self.copies(init))
        with self.on(not pred.value):
            b = false_fn(self.copies(init))
        assert len(a) == len(b) == len(names)
        out = []
        for x, y, name in zip(a, b, names, strict=True):
            x, y = self.matched(x, y, name)
            if x is UNSET:
                out.append(x)
                continue
            leaves = []
            for u, v in zip(flatten(x), flatten(y), strict=True):
                leaves.append(
                    u if _stays(u, v) or not is_number(u) else Value(self, self.example(u if pred.value else v))
                )
            out.append(rebuilt(x, iter(leaves)))
        return tuple(out)

    def while_loop(self, cond_fn: Any, body_fn: Any, init: Any, names: Any, invariants: Any = ()) -> Any:
        assert len(init) == len(names) and not any(x is UNSET for x in init)
        state = self.fresh(init)
        with self.on(False):  # a tracer always goes through test and body
            cond_fn(self.fresh(state))
            for x, y, name in zip(state, body_fn(self.fresh(state)), names, strict=True):
                self.matched(x, y, name)
        while self.example(cond_fn(self.fresh(state))):
            with self.on(True):
                state = self.fresh(body_fn(self.fresh(state)))
        return self.fresh(state)

    def assert_(self, condition: Any, message: Any) -> None:
        if self.path[-1] and not self.example(condition):
            raise AssertionError(self.example(message()))

    def raise_(self, error: BaseException) -> None:
        if self.path[-1]:
            raise error

    def run(self, f: Any, *args: Any) -> Any:
        """``f`` converted, on wrapped arguments; the value of the result."""
        old = install(self)
        try:
            result = convert(f)(*[Value(self, a.x) if isinstance(a, S) else a for a in args])
        finally:
            install(old)
        return self.value(result)

    def value(self, result: Any) -> Any:
        return rebuilt(_lists(result), iter([self.example(x) for x in flatten(_lists(result))]))


class S:
    """An argument that is to be staged."""

    def __init__(self, x: Any) -> None:
        self.x = x


def _lists(x: Any) -> Any:
    return (
        [_lists(y) for y in x]
        if isinstance(x, (tuple, list)) and any(isinstance(y, (Staged, tuple, list)) for y in x)
        else x
    )


# -- tracing ----------------------------------------------------------------------------------------------------------------


class Graph:
    """Steps in order, in the scope of another graph."""

    def __init__(self, outer: Graph | None) -> None:
        self.outer, self.steps = outer, []

    def sees(self, other: Graph | None) -> bool:
        return other is self or (self.outer is not None and self.outer.sees(other))


class Symbol(Staged):
    """A value of a graph. ``example`` is of its type."""

    def __init__(self, stage: Graphs, example: Any) -> None:
        self.stage, self.example, self.graph = stage, example, stage.graph


class Graphs(Stage):
    """Traces, then interprets."""

    def __init__(self) -> None:
        self.graph = Graph(None)
        self.traced = 0  # bodies and branches

    def example(self, x: Any) -> Any:
        return x.example if isinstance(x, Symbol) else x

    def seen(self, x: Any) -> Any:
        """``x``, which must be visible here."""
        if isinstance(x, Symbol) and not self.graph.sees(x.graph):
            raise LeakError("a value is used outside of the branch or loop that made it")
        return x

    def op(self, f: Any, *args: Any) -> Any:
        out = Symbol(self, f(*[self.example(self.seen(a)) for a in args]))
        self.graph.steps.append(
            lambda env: env.__setitem__(out, f(*[env.get(a, a) if isinstance(a, Symbol) else a for a in args]))
        )
        return out

    @contextlib.contextmanager
    def inside(self) -> Any:
        self.graph = inner = Graph(self.graph)
        self.traced += 1
        try:
            yield inner
        finally:
            self.graph = inner.outer

    def outputs(self, graph: Graph, state: Any) -> Any:
        """The leaves of a state as symbols or Python values of ``graph``."""
        return [self.seen(x) for entry in state if entry is not UNSET for x in flatten(entry)]

    def cond(self, pred: Any, true_fn: Any, false_fn: Any, init: Any, names: Any) -> Any:
        self.seen(pred)
        with self.inside() as true:
            a = true_fn(init)
            self.outputs(true, a)
        with self.inside() as false:
            b = false_fn(init)
            self.outputs(false, b)
        out, moves = [], []
        for x, y, name in zip(a, b, names, strict=True):
            x, y = self.matched(x, y, name)
            if x is UNSET:
                out.append(x)
                continue
            leaves = []
            for u, v in zip(flatten(x), flatten(y), strict=True):
                leaf = u if _stays(u, v) or not is_number(u) else Symbol(self, self.example(u))
                if isinstance(leaf, Symbol):
                    moves.append((leaf, u, v))
                leaves.append(leaf)
            out.append(rebuilt(x, iter(leaves)))

        def step(env: dict) -> None:
            taken = bool(env[pred])
            inner = dict(env)
            for s in (true if taken else false).steps:
                s(inner)
            for leaf, u, v in moves:
                chosen = u if taken else v
                env[leaf] = inner[chosen] if isinstance(chosen, Symbol) else chosen

        self.graph.steps.append(step)
        return tuple(out)

    def while_loop(self, cond_fn: Any, body_fn: Any, init: Any, names: Any, invariants: Any = ()) -> Any:
        assert not any(x is UNSET for x in init)
        first = [self.seen(x) for entry in init for x in flatten(entry)]
        fresh = lambda: [Symbol(self, self.example(x)) if is_number(x) else x for x in first]
        state = lambda leaves: tuple([rebuilt(entry, it) for it in [iter(leaves)] for entry in init])
        with self.inside() as body:
            ins = fresh()
            end = body_fn(state(ins))
            outs = self.outputs(body, end)
        for x, y, name in zip(init, end, names, strict=True):
            self.matched(x, y, name)
        with self.inside() as test:
            test_ins = fresh()
            go = self.seen(cond_fn(state(test_ins)))
        results = fresh()

        def step(env: dict) -> None:
            look = lambda x, e: e[x] if isinstance(x, Symbol) else x
            now = [look(x, env) for x in first]
            while True:
                inner = {**env, **{i: v for i, v in zip(test_ins, now, strict=True) if isinstance(i, Symbol)}}
                for s in test.steps:
                    s(inner)
                if not look(go, inner):
                    break
                inner = {**env, **{i: v for i, v in zip(ins, now, strict=True) if isinstance(i, Symbol)}}
                for s in body.steps:
                    s(inner)
                now = [look(o, inner) for o in outs]
            env.update({r: v for r, v in zip(results, now, strict=True) if isinstance(r, Symbol)})

        self.graph.steps.append(step)
        return state(results)

    def assert_(self, condition: Any, message: Any) -> None:
        self.seen(condition)

        def step(env: dict) -> None:
            if not (env[condition] if isinstance(condition, Symbol) else condition):
                raise AssertionError(message())

        self.graph.steps.append(step)

    def raise_(self, error: BaseException) -> None:
        def step(env: dict) -> None:
            raise error

        self.graph.steps.append(step)

    def run(self, f: Any, *args: Any) -> Any:
        """``f`` converted and traced, then run on the arguments; the value of the result."""
        feeds = {}
        given = []
        for a in args:
            given.append(Symbol(self, a.x) if isinstance(a, S) else a)
            if isinstance(a, S):
                feeds[given[-1]] = a.x
        old = install(self)
        try:
            result = _lists(convert(f)(*given))
        finally:
            install(old)
        leaves = [self.seen(x) for x in flatten(result)]
        env = dict(feeds)
        for step in self.graph.steps:
            step(env)
        return rebuilt(result, iter([env[x] if isinstance(x, Symbol) else x for x in leaves]))


STAGES = [Both, Graphs]


def outcome(f: Any, *args: Any) -> Any:
    """What a call gives: ("value", x), or the error."""
    try:
        return "value", f(*args)
    except LeakError:
        raise
    except Exception as e:
        return e


def plain(args: Any) -> list:
    """Arguments without their marks."""
    return [a.x if isinstance(a, S) else a for a in args]


def as_lists(x: Any) -> Any:
    """A nest with lists for tuples."""
    return [as_lists(y) for y in x] if isinstance(x, (tuple, list)) else x


def check(f: Any, *args: Any) -> None:
    """``f`` gives the same as plain Python, converted and with staged arguments, on both stages."""
    expected = outcome(f, *plain(args))
    results = {
        "converted": outcome(convert(f), *plain(args)),
        **{stage.__name__: outcome(stage().run, f, *args) for stage in STAGES},
    }
    if isinstance(expected, Exception):
        assert {k: type(r) for k, r in results.items()} == dict.fromkeys(results, type(expected)), results
        return
    for how, result in results.items():
        if isinstance(result, Exception):
            raise AssertionError(how) from result
        assert as_lists(result) == as_lists(expected), how
