"""An account of a computation: what a tape recorded, joined with what the journal noted, and the backward pass step by step."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from ..core.dispatch import apply
from ..core.state import state
from ..core.tensor import Tensor
from ..core.variable import Variable
from ..gradient import driver
from ..gradient.tape import GradientTape, _ones
from ..ground.graph import interpret
from ..ground.primitive import Aval, Primitive
from ..primitives import structure as st
from ..primitives.indexing import IndexedSlices
from . import journal as jr
from . import places
from .places import Names, Place


class Step:
    """One recorded operation.

    Attributes:
        number: its place in the order in which the operations ran, from 1.
        p: the row, or what was recorded in place of one.
        record: what the tape keeps of it.
        xs, outs: its inputs and outputs; None for those whose values nobody kept.
        place: the user's line, or None.
        in_keys, out_keys: the numbers under which the account knows the values. Constants have numbers below 0, what is not known at all 0.
        cotangents: after the backward pass the adjoint of each output as it was when the step was undone.
        parts: and what the step gave each input.
        totals: and what the adjoint of each input then was.
    """

    __slots__ = ("cotangents", "in_keys", "number", "out_keys", "outs", "p", "parts", "place", "record", "totals", "xs")

    def __init__(self, p: Any, record: tuple, xs: tuple, outs: tuple, place: Place | None, in_keys: tuple, out_keys: tuple) -> None:  # fmt: skip
        self.p, self.record, self.xs, self.outs, self.place = p, record, xs, outs, place
        self.in_keys, self.out_keys = in_keys, out_keys
        self.number = 0
        self.cotangents: list = [None] * len(out_keys)
        self.parts: list = [None] * len(in_keys)
        self.totals: list = [None] * len(in_keys)

    @property
    def name(self) -> str:
        """The row's name."""
        return self.p.name

    @property
    def attrs(self) -> dict[str, Any]:
        """The row's attributes."""
        return self.record[7] or {}

    @property
    def tracked(self) -> tuple[int, ...]:
        """The inputs to which a gradient flows, by number."""
        vjps = self.record[1]
        return vjps if getattr(self.p, "joint", None) is not None else tuple([i for i, _ in vjps])

    def input_name(self, i: int) -> str:
        """What the row calls its input ``i``."""
        inputs = getattr(self.p, "inputs", ())
        return inputs[i] if not getattr(self.p, "variadic", True) and i < len(inputs) else f"{i}"


class Leaf(NamedTuple):
    """What the computation starts from."""

    key: int
    kind: str  # "variable", "watched" or "constant"
    value: Any  # the array, or None where nobody kept it
    variable: Variable | None


class Account:
    """The steps of a computation, its values by key, and after ``backward`` the adjoints."""

    def __init__(self, steps: list[Step], noted: bool) -> None:
        self.steps = steps
        self.noted = noted  # whether a journal was kept
        self.gone = False  # the tape has dropped its records and there is no journal
        self.values: dict[int, Any] = {}
        self.leaves: dict[int, Leaf] = {}
        self.names: dict[int, str] = {}
        self.adjoints: dict[int, Any] = {}
        self.targets: list[int] = []
        self.makers: dict[int, Step] = {}
        for n, s in enumerate(steps):
            s.number = n + 1
            self.makers.update(dict.fromkeys(s.out_keys, s))

    def backward(self, cotangents: dict[int, Any]) -> None:
        """The backward pass from the given cotangents, with all that it finds on its way.

        Raises:
            LookupError: a derivative is not implemented.
        """
        self.targets = list(cotangents)
        pending = dict(cotangents)
        with unheard():
            for s in reversed(self.steps):
                gs = [pending.get(k) for k in s.out_keys]
                if any([g is not None for g in gs]):
                    s.cotangents = gs
                    s.parts = pulled_back(s, gs)
                    for i, part in enumerate(s.parts):
                        if part is not None:
                            k = s.in_keys[i]
                            pending[k] = driver.accumulate(pending[k], part) if k in pending else part
                            s.totals[i] = pending[k]
        self.adjoints = pending

    def below(self, keys: Any) -> set[int]:
        """The keys of all that depends on ``keys``, by recorded steps."""
        found = set(keys)
        for s in self.steps:
            if any([s.in_keys[i] in found for i in s.tracked]):
                found.update(s.out_keys)
        return found

    def above(self, keys: Any) -> set[int]:
        """The keys of all that ``keys`` depend on, by recorded steps."""
        found = set(keys)
        for s in reversed(self.steps):
            if not found.isdisjoint(s.out_keys):
                found.update([s.in_keys[i] for i in s.tracked])
        return found


class _Quiet(threading.local):
    on = False  # whether the hooks on backward passes are not told


quiet = _Quiet()


@contextmanager
def unheard() -> Iterator[None]:
    """A block whose operations no tape, journal or hook hears of."""
    tapes, before = state.tapes, quiet.on
    state.tapes, quiet.on = (), True
    try:
        with np.errstate(all="ignore"):
            yield
    finally:
        state.tapes, quiet.on = tapes, before


def pulled_back(s: Step, gs: list) -> list:
    """What the cotangents ``gs`` of a step's outputs give each of its inputs, None where nothing flows."""
    p, vjps, _, ins, shapes, out, _, attrs = s.record
    mine = tuple(range(-1, -1 - len(s.in_keys), -1))
    outs = tuple(range(1, 1 + len(gs)))
    record = (p, vjps, mine, ins, shapes, out, outs if p.multi else 1, attrs)
    start = {k: g for k, g in zip(outs, gs, strict=True) if g is not None}
    found = driver.backward([record], start, {*mine, *outs}, None, False)
    return [found.get(k) for k in mine]


def dense(g: Any) -> Any:
    """The array of a cotangent."""
    if g is None:
        return None
    return (g.to_dense() if type(g) is IndexedSlices else g)._a


class Local(NamedTuple):
    """The derivative of a step's output with respect to one input.

    Attributes:
        form: "elementwise" (an array of the output's shape), "gradient" (of a single number; of the input's shape), "jacobian" (of both shapes), or "map"
            (too large to be written down).
        value: the array; None for a map.
    """

    form: str
    value: Any


LARGEST_JACOBIAN = 64


def local(s: Step, i: int) -> Local | None:
    """The derivative of the output of ``s`` with respect to input ``i``; None where there is none or its values are not known."""
    if s.record[2] is None:  # of a graph without values
        return None
    out = s.outs[0]
    if out is None and s.cotangents[0] is not None:  # of its form, at least
        out = s.cotangents[0].to_dense() if type(s.cotangents[0]) is IndexedSlices else s.cotangents[0]
    if i not in s.tracked or len(s.out_keys) != 1 or out is None:
        return None
    p, vjps, _, ins, shapes, kept, _, attrs = s.record
    with unheard():
        one = _ones(out)
        if isinstance(p, Primitive) and p.elementwise and p.joint is None:
            rule = dict(vjps)[i]
            d = one if rule is None else rule(one, ins, shapes, kept, attrs)
            return None if d is None else Local("elementwise", dense(d))
        x = s.xs[i]
        if out._shape == () or np.size(out._a) == 1:
            return _gradient(s, i, one)
        if x is None or np.size(x._a) * np.size(out._a) > LARGEST_JACOBIAN:
            return Local("map", None)
        rows = []
        for k in range(np.size(out._a)):
            unit = np.zeros(np.size(out._a), out._d.np)
            unit[k] = 1
            part = pulled_back(s, [Tensor(unit.reshape(out._shape), out._d)])[i]
            if part is None:
                return None
            rows.append(np.asarray(dense(part)))
        return Local("jacobian", np.stack(rows).reshape(out._shape + x._shape))


def _gradient(s: Step, i: int, one: Any) -> Local | None:
    part = pulled_back(s, [one])[i]
    return None if part is None else Local("gradient", dense(part))


# -- from tapes -----------------------------------------------------------------------------------------------------------
def records_of(tape: GradientTape, journal: jr.Journal | None) -> list:
    """What the tape recorded; where a once-only tape has dropped it, from the journal again."""
    if tape._records or journal is None:
        return list(tape._records)
    serial = journal.serials.get(tape)
    scratch = GradientTape()
    scratch._live = set(tape._leaves)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for e in journal.entries:
            if serial in e.tapes and any([o._k in tape._live for o in e.outs]) and getattr(e.p, "plans", None) is not None:  # fmt: skip
                scratch._record(e.p, e.xs, e.outs if e.p.multi else e.outs[0], e.attrs)
    return scratch._records


def account_of(tape: GradientTape, names: Names, unfold: bool = False) -> Account:
    """The account of what a tape recorded.

    Args:
        tape: the tape.
        names: names of objects, by id.
        unfold: put the operations of a traced function in place of its call.
    """
    journal = jr.journal_of(tape)
    records = records_of(tape, journal)
    variables = {k: reads[0] for reads in tape._reads.values() for k in reads[1:]}
    account = account_from(records, journal, variables, set(tape._leaves), names, unfold)
    account.gone = not records and tape._used and journal is None
    return account


def account_from(records: list, journal: jr.Journal | None, variables: dict[int, Variable], watched: set[int], names: Names, unfold: bool) -> Account:  # fmt: skip
    """The account of records.

    Args:
        records: what a tape recorded.
        journal: the journal that was kept meanwhile, or None.
        variables: the variables that were read, by the keys of their values.
        watched: the keys of what was watched.
        names: names of objects, by id.
        unfold: put the operations of a traced function in place of its call.
    """
    by_out: dict[int, jr.Entry] = {}
    tensors = dict(names.tensors)
    if journal is not None:
        for e in journal.entries:
            by_out.update({o._k: e for o in e.outs if o._k})
        tensors.update(journal.by_key())
        given, names = names, Names()
        names.update({**journal.names, **given})
        names.tensors = given.tensors
    constants: dict[int, int] = {}
    steps: list[Step] = []
    for r in records:
        found = by_out.get(r[6] if type(r[6]) is int else r[6][0])
        if unfold and hasattr(r[0], "program") and hasattr(r[0], "xs"):
            steps += _unfolded(r, found, constants)
        else:
            steps.append(_step(r, found.xs if found else None, found.outs if found else None, found.place if found else None, constants))  # fmt: skip
    account = Account(steps, journal is not None)
    _fill(account, tensors, variables, watched)
    _name(account, {**tensors, **_residuals(steps)}, names)
    return account


def _step(record: tuple, xs: Any, outs: Any, place: Place | None, constants: dict[int, int]) -> Step:
    p, _, keys, ins, _, out, out_key, _ = record
    out_keys = (out_key,) if type(out_key) is int else out_key
    if xs is None:
        xs = getattr(p, "xs", None) or ins or (None,) * len(keys)
        outs = (None,) * len(out_keys) if out is None else out if p.multi else (out,)
    in_keys = []
    for k, x in zip(keys, xs, strict=True):
        if k == 0 and x is not None:
            k = constants.setdefault(id(x), -1 - len(constants))
        in_keys.append(k)
    return Step(p, record, tuple(xs), tuple(outs), place, tuple(in_keys), out_keys)


def _unfolded(record: tuple, entry: jr.Entry | None, constants: dict[int, int]) -> list[Step]:
    """The operations of a traced function's run, once more and one by one."""
    from ..tracing import simplify

    p, tracked, keys = record[0], record[1], record[2]
    scratch = GradientTape(persistent=True, watch_accessed_variables=False)
    scratch._live = {keys[i] for i in tracked}
    return replayed(simplify.without_effects(p.program.graph), p.xs, scratch, record[6], constants)[0]


MOST_UNROLLED = 5000  # operations in all the turns of loops


class _Replay:
    """Runs a graph operation by operation. Of a branch it runs what was taken, of a loop the turns, unless they are too many."""

    def __init__(self, observer: jr.Observer) -> None:
        self.observer, self.left = observer, MOST_UNROLLED

    def __call__(self, graph: Any, xs: Sequence[Tensor]) -> list[Tensor]:
        env: dict[int, Tensor] = {id(v): x for v, x in zip(graph.inputs, xs, strict=True)}

        def value(v: Any) -> Tensor:
            if id(v) not in env:
                env[id(v)] = Tensor(v.const, v.aval.dtype)
            return env[id(v)]

        observer = self.observer
        ends = {n.line: n for n in graph.nodes}  # the last operation of a line has the value that the line is about
        for n in graph.nodes:
            observer.place = places.at(*n.line)._replace(function=graph.name) if n.line else None
            if n.line and ends[n.line] is n:
                observer.place = observer.place and observer.place.whole()
            ins = [value(v) for v in n.ins]
            out = self.inside(n, ins)
            if out is None:
                out = apply(n.p, *ins, **n.attrs)
            env.update({id(v): t for v, t in zip(n.outs, out if n.p.multi else (out,), strict=True)})
        return [value(v) for v in graph.outputs]

    def inside(self, n: Any, ins: list[Tensor]) -> list[Tensor] | None:
        """What control flow gives, by the operations in it; None for what is to be left one operation."""
        if n.p.name == "cond":
            return self(n.attrs["true" if ins[0]._a else "false"], ins[1:])
        if n.p.name != "while_loop":
            return None
        body, states = n.attrs["body"], n.attrs["n"]
        turns = self.turns(n, [x._a for x in ins], self.left // max(1, len(body.nodes)))
        if turns is None:
            return None
        self.left -= turns * len(body.nodes)
        now, fixed = ins[:states], ins[states:]
        for _ in range(turns):
            now = self(body, [*now, *fixed])
        return now

    @staticmethod
    def turns(n: Any, arrays: list, most: int) -> int | None:
        """How many turns a loop makes; None for more than ``most``."""
        test, body, states = n.attrs["cond"], n.attrs["body"], n.attrs["n"]
        now, fixed = arrays[:states], arrays[states:]
        with np.errstate(all="ignore"):
            for turn in range(most + 1):
                if not interpret(test, [*now, *fixed])[0]:
                    return turn
                now = interpret(body, [*now, *fixed])
        return None


def replayed(
    graph: Any, xs: list[Tensor], tape: GradientTape, out_keys: tuple, constants: dict[int, int]
) -> tuple[list[Step], list[Tensor]]:
    """The graph's operations on ``xs`` as steps, with the nodes' lines. ``tape`` has what is to be differentiated among its live keys.

    Args:
        graph: a graph without effects.
        xs: its inputs.
        tape: a tape that records nothing else.
        out_keys: the keys that the graph's outputs have outside; () for their own.
        constants: the numbers of constants, by id.

    Returns:
        The steps, and the graph's outputs.
    """
    observer = jr.Observer()
    before = state.tapes
    state.tapes = (observer, tape)  # type: ignore[assignment]
    run = _Replay(observer)
    try:
        outs: list[Tensor] = []
        for t in run(graph, xs):
            if any([t is o for o in (*xs, *outs)]):  # an output has a key of its own
                observer.place = None
                t = st.identity(t)
            outs.append(t)
    finally:
        state.tapes = before
    alias = {t._k: k for t, k in zip(outs, out_keys) if t._k}
    swap = lambda k: alias.get(k, k)
    entries = {o._k: e for e in observer.journal.entries for o in e.outs if o._k}
    steps = []
    for r in tape._records:
        e = entries[r[6] if type(r[6]) is int else r[6][0]]
        key = swap(r[6]) if type(r[6]) is int else tuple([swap(k) for k in r[6]])
        new = (*r[:2], tuple([swap(k) for k in r[2]]), *r[3:6], key, r[7])
        steps.append(_step(new, e.xs, e.outs, e.place, constants))
    return steps, outs


def _residuals(steps: list[Step]) -> dict[int, Tensor]:
    """What the records themselves keep of the values, by key."""
    found: dict[int, Tensor] = {}
    for s in steps:
        for k, x in (*zip(s.in_keys, s.xs, strict=True), *zip(s.out_keys, s.outs, strict=True)):
            if x is not None and k:
                found[k] = x
    return found


def _fill(account: Account, tensors: dict[int, Tensor], variables: dict[int, Variable], watched: set[int]) -> None:
    known = {**tensors, **_residuals(account.steps)}
    for k, v in variables.items():
        if k not in known and v._t._k == k:
            known[k] = v._t
    account.values = {k: t._a for k, t in known.items()}
    for s in account.steps:  # what one step knows, others can say too
        s.xs = tuple([known.get(k) if x is None and k else x for k, x in zip(s.in_keys, s.xs, strict=True)])
        s.outs = tuple([known.get(k) if o is None else o for k, o in zip(s.out_keys, s.outs, strict=True)])
        for k in s.in_keys:
            if k and k not in account.makers and k not in account.leaves:
                kind = "variable" if k in variables else "watched" if k in watched else "constant"
                account.leaves[k] = Leaf(k, kind, account.values.get(k), variables.get(k))


def _name(account: Account, tensors: dict[int, Tensor], names: dict[int, str]) -> None:
    """A name for each value: the program's own where it is known."""
    by_key = {t._k: names[id(t)] for t in tensors.values() if t._k and id(t) in names}
    taken: dict[str, int] = {}

    def give(key: int, name: str, numbered: bool = False) -> None:
        mine = f"{name}#" if numbered else name
        n = taken.get(mine, 0)
        taken[mine] = n + 1
        account.names[key] = f"{name}{n + 1}" if numbered else f"{name}·{n + 1}" if n else name

    for key, leaf in account.leaves.items():
        v = leaf.variable
        own = by_key.get(key, "")
        if v is not None:  # the name that it was made with counts, if it was given one
            plain = v._name.partition(":")[0]
            own = plain if plain != "Variable" else names.get(id(v), own)
        if own:
            give(key, own)
        else:
            give(key, "c" if leaf.kind == "constant" else "x", True)
    for s, following in zip(account.steps, [*account.steps[1:], None]):
        # of the operations that one expression comes down to, the last has the value that is given a name
        last = following is None or s.place != following.place
        for k in s.out_keys:
            own = by_key.get(k) or (s.place.assigned if s.place and last and len(s.out_keys) == 1 else "")
            if own:
                give(k, own)
            else:
                account.names[k] = f"v{s.number}" if len(s.out_keys) == 1 else f"v{s.number}.{s.out_keys.index(k)}"


# -- as text ---------------------------------------------------------------------------------------------------------------
def brief(a: Any, width: int = 28) -> str:
    """An array in few letters: its elements where they fit, else its shape and range."""
    if a is None:
        return "?"
    if isinstance(a, Aval):
        return repr(a)
    if type(a) is bytes:
        return repr(a)
    a = np.asarray(a)
    if a.dtype == object:
        return f"strings {list(a.shape)}"
    if a.shape == ():
        return _number(a[()])
    if a.size <= 8:
        text = _nested(a)
        if len(text) <= width:
            return text
    if not a.size:
        return f"empty {list(a.shape)}".replace(" ", "")
    shape = "×".join(map(str, a.shape))
    if a.dtype.kind in "bc" or a.dtype.kind not in "iuf":
        try:
            a = np.abs(a.astype(np.complex128)) if a.dtype.kind == "c" else a.astype(np.float64)
        except (TypeError, ValueError):
            return shape
    a = a.astype(np.float64)
    bad = int(np.count_nonzero(~np.isfinite(a)))
    low, high = np.nanmin(a) if not np.isnan(a).all() else np.nan, np.nanmax(a) if not np.isnan(a).all() else np.nan
    span = _number(low, 4) if low == high else f"{_number(low, 4)} … {_number(high, 4)}"
    return f"{shape}: {span}" + (f", {bad} not finite" if bad else "")


def _number(x: Any, digits: int = 6) -> str:
    if isinstance(x, bool | np.bool_):
        return str(bool(x))
    if isinstance(x, np.integer | int):
        return str(int(x))
    x = complex(x) if np.iscomplexobj(x) else float(x)
    if isinstance(x, complex):
        return f"{x:.{min(digits, 4)}g}"
    text = f"{x:.{digits}g}"
    return text if any([c in text for c in ".enf"]) else text + ".0"


def _nested(a: np.ndarray) -> str:
    if a.ndim == 0:
        return _number(a[()], 4)
    return "[" + ", ".join([_nested(b) for b in a]) + "]"
