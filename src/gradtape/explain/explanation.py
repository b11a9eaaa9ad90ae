"""``tape.explain``: why a gradient is None, zero, NaN or infinite."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np

from ..core.tensor import Tensor
from ..core.variable import Variable, variable_of
from ..gradient.tape import GradientTape, _ones
from ..ground import nest
from ..ground.errors import user_python_frame
from ..primitives.indexing import IndexedSlices
from . import journal as jr
from . import places, unconnected, vanishing
from .account import Account, account_of, dense, unheard
from .causes import Finding
from .places import Names


class Explanation:
    """Why a gradient is what it is.

    Attributes:
        state: what the gradient is: "None", "zero", "NaN", "infinite" or "fine".
        cause: the cause in one word, "not_watched" for instance; the list is in docs/explaining.md.
        place: the user's line that causes it (``place.file``, ``place.line``, ``place.code``), or None where it was not noted.
        why: the cause in words.
        cure: what to do.
        also: further causes, as Explanations, which show once this one is cured.
        gradient: the gradient as an array, or None.
    """

    def __init__(self, state: str, finding: Finding, x: str, y: str, gradient: Any = None, noted: bool = True, also: list[Finding] | None = None) -> None:  # fmt: skip
        self.state, self.cause, self.place, self.gradient, self.noted = (
            state,
            finding.cause,
            finding.place,
            gradient,
            noted,
        )
        self.why, self.cure = finding.texts(x, y)
        self.source, self.target = x, y
        self.also = [Explanation(state, f, x, y, gradient, noted) for f in also or []]

    @property
    def line(self) -> int | None:
        """The number of the line."""
        return None if self.place is None else self.place.line

    def _lines(self) -> list[str]:
        head = f"The gradient of {self.target} with respect to {self.source} is {self.state}: {self.why}"
        out = [f"There is nothing to explain: the gradient of {self.target} with respect to {self.source} is {_short(self.gradient)}."] if self.state == "fine" else [head]  # fmt: skip
        if self.place is not None:
            out.append(f"  at {self.place}")
        if self.state == "fine":
            return out
        out.append(f"Cure: {self.cure}.")
        for a in self.also:
            out.append(f"And then: {a.why}" + (f"\n  at {a.place}" if a.place else ""))
        if not self.noted and self.place is None:
            out.append("Lines were not noted: put `tf.debugging.trace_lines()` around the tape to have them here.")
        return out

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def __repr__(self) -> str:
        return f"<Explanation {self.state}: {self.cause}{f' at {self.place.short}' if self.place else ''}>"

    def _repr_html_(self) -> str:
        head, *rest = self._lines()
        return f"<div><b>{escape(head)}</b>" + "".join([f"<br><code>{escape(t)}</code>" if t.startswith("  at") else f"<br>{escape(t)}" for t in rest]) + "</div>"  # fmt: skip


def _short(a: Any) -> str:
    from .account import brief

    return brief(a, 60)


def explain(tape: GradientTape, target: Any, source: Any) -> Any:
    """See ``GradientTape.explain``."""
    frame = user_python_frame()
    names = places.names_in(frame)
    with unheard():
        if isinstance(source, list | tuple | dict) or (
            nest.kind(type(source)) and not isinstance(source, Tensor | Variable)
        ):
            return nest.map_structure(lambda s: _one(tape, target, s, names), source)
        return _one(tape, target, source, names)


def _one(tape: GradientTape, target: Any, source: Any, names: Names) -> Explanation:
    source = variable_of(source)
    x = _name(source, names, "the source")
    targets = [variable_of(t) for t in nest.flatten(target)]
    y = _name(target if len(targets) > 1 else targets[0], names, "the target")
    journal = jr.journal_of(tape)
    noted = journal is not None
    if journal is not None:
        x = x if x not in ("the source", "the variable") else journal.names.get(id(source), x)
    say = lambda state, found, g=None: Explanation(state, found[0], x, y, g, noted, found[1:4])
    if not isinstance(source, Tensor | Variable):
        return say("None", [Finding("not_a_tensor", None, v=_a(source))])
    targets = [t._values if type(t) is IndexedSlices else t for t in targets]
    if not any([isinstance(t, Tensor | Variable) for t in targets]):
        return say("None", [_outside_target(targets[0], source, journal, tape)])
    flat = [t for t in targets if isinstance(t, Tensor | Variable)]
    tensors = [_last_value(tape, t) if isinstance(t, Variable) else t for t in flat]
    found: list[Finding] = []
    for t in tensors:
        found += unconnected.findings(tape, t, source, journal, names)
    keys = set(tape._keys_of(source))
    account = account_of(tape, names, unfold=True)
    live = {t._k: t for t in tensors if t._k in tape._live}
    if keys and live:
        try:
            account.backward({k: _ones(t) for k, t in live.items()})
        except LookupError as e:
            return say("None", [_unwritten(account, e)])
        gradient = _sum(account, keys)
        if gradient is not None:
            return _of_value(say, account, keys, gradient)
        found = found or _refused(account, keys, live)
    if not found:
        found = [Finding("gone" if account.gone else "not_recorded", None)]
    return say("None", found)


def _of_value(say: Any, account: Account, keys: set[int], gradient: Any) -> Explanation:
    a = np.asarray(gradient)
    if not np.all(np.isfinite(a)):
        state = "NaN" if np.isnan(a).any() else "infinite"
        return say(state, vanishing.not_finite(account, keys) or [Finding("not_finite", None)], gradient)
    if a.size and not np.any(a):
        return say("zero", vanishing.zero(account, keys), gradient)
    return say("fine", [Finding("fine", None)], gradient)


def _sum(account: Account, keys: set[int]) -> Any:
    parts = [dense(account.adjoints[k]) for k in keys if account.adjoints.get(k) is not None]
    return sum(parts[1:], parts[0]) if parts else None


def _refused(account: Account, keys: set[int], targets: Any) -> list[Finding]:
    """The steps whose own rule let nothing through, though they were recorded."""
    below, found = account.below(keys), []
    for s in account.steps:
        if any([g is not None for g in s.cotangents]):
            for i in s.tracked:
                if s.in_keys[i] in below and s.parts[i] is None:
                    if hasattr(s.p, "vjp") and not hasattr(s.p, "program"):
                        found.append(Finding("custom_gradient", s.place, op=s.name, v=_defined(s.p)))
                    else:
                        found.append(Finding("not_differentiable", s.place, op=f"tf.{s.name}"))
    return found


def _defined(p: Any) -> str:
    """Where the user's gradient function stands."""
    for cell in p.vjp.__closure__ or ():
        code = getattr(cell.cell_contents, "__code__", None)
        if code is not None and not code.co_filename.startswith(places._PACKAGE):
            return f" (its gradient function is defined at {code.co_filename}:{code.co_firstlineno})"
    return ""


def _unwritten(account: Account, error: LookupError) -> Finding:
    for s in account.steps:
        if f"({s.name!r}" in str(error) or f"of {s.name!r}" in str(error):
            return Finding("not_implemented", s.place, op=f"tf.{s.name}")
    return Finding("not_implemented", None, op="an operation")


def _last_value(tape: GradientTape, v: Variable) -> Tensor:
    """The value of a variable that the tape takes for the target: the one read last."""
    journal = jr.journal_of(tape)
    reads = [r for r in journal.reads.values() if r.variable is v] if journal is not None else []
    return reads[-1].tensor if reads else v._t


def _outside_target(target: Any, source: Any, journal: jr.Journal | None, tape: GradientTape) -> Finding:
    """The target is no tensor: where did the value leave?"""
    place, how = None, "as a number"
    if journal is not None:
        follows = {id(t) for t in unconnected.starts_of(source, journal)}
        for e in journal.entries:
            if any([id(x) in follows for x in e.xs]):
                follows.update([id(o) for o in e.outs])
        exits = [x for x in journal.exits if id(x.tensor) in follows]
        if exits:
            place, how = exits[-1].place, f"{exits[-1].place.expression or exits[-1].place.code} — {exits[-1].how}"
    return Finding("numpy_target", place, v=_a(target), op=how)


def _a(x: Any) -> str:
    name = type(x).__name__
    return f"a{'n' * (name[0] in 'aeiou')} {name}"


def _name(x: Any, names: Names, default: str) -> str:
    own = names.get(id(x), "")
    if not own and isinstance(x, Variable):
        own = x._name.partition(":")[0]
        return own if own != "Variable" else "the variable"
    return own or default
