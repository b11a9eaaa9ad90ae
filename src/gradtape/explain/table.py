"""``tape.table()``: the computation as a table, one row for each operation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any, NamedTuple, overload

from .account import Account, brief, dense, local
from .places import Place


class Row(NamedTuple):
    """One recorded operation.

    Attributes:
        number: its place in the order in which the operations ran, from 1.
        operation: its name.
        result: what the table calls its output; several are joined by commas.
        inputs: what it calls its inputs.
        place: the user's line, or None where it was not noted.
        value: the output (a tuple of several); None where nobody kept it.
        local: the derivative of the output with respect to each input through which a gradient flows, by the input's name: for elementwise
            operations an array of the output's shape, for a single number its gradient, else the Jacobian; None where that is too large or not known.
        adjoint: the derivative of the target with respect to the output; None where the target does not depend on it.
    """

    number: int
    operation: str
    result: str
    inputs: tuple[str, ...]
    place: Place | None
    value: Any
    local: dict[str, Any]
    adjoint: Any


class Table(Sequence):
    """The recorded operations in the order of the chain rule: from the target back to the sources. ``table.forward`` has them as they ran.

    Attributes:
        sources: the adjoints of what the computation starts from, by name.
        note: what could not be told, and how to get it.
    """

    def __init__(self, rows: list[Row], sources: dict[str, tuple[Any, Any]], target: str, note: str) -> None:
        self._rows = rows
        self.sources = sources
        self.target = target
        self.note = note

    @property
    def forward(self) -> list[Row]:
        """The rows in the order in which the operations ran."""
        return self._rows[::-1]

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, i: int) -> Row: ...
    @overload
    def __getitem__(self, i: slice) -> list[Row]: ...
    def __getitem__(self, i: Any) -> Any:
        return self._rows[i]

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    def to_dict(self) -> list[dict[str, Any]]:
        """The rows as plain data: numbers, strings, NumPy arrays and dicts. ``pandas.DataFrame`` takes it."""
        return [
            {**r._asdict(), "place": None if r.place is None else str(r.place), "local": dict(r.local)} for r in self._rows
        ]  # fmt: skip

    def _cells(self) -> list[tuple[str, ...]]:
        wanted = f"d{self.target}/d·"
        head = ("#", "line", "operation", "value", "local derivatives", wanted)
        body = []
        for r in self._rows:
            line = "" if r.place is None else r.place.short
            names = ", ".join(r.inputs)
            value = ", ".join([brief(v) for v in r.value]) if isinstance(r.value, tuple) else brief(r.value)
            parts = ", ".join([f"∂/∂{k} {'map' if d is None else brief(d, 20)}" for k, d in r.local.items()])
            adjoint = (
                ", ".join([_or_dash(a) for a in r.adjoint]) if isinstance(r.adjoint, tuple) else _or_dash(r.adjoint)
            )
            body.append((str(r.number), line, f"{r.result} = {r.operation}({names})", value, parts, adjoint))
        return [head, *body]

    def _feet(self) -> list[tuple[str, ...]]:
        return [("", "", n, brief(value), "", _or_dash(adjoint)) for n, (value, adjoint) in self.sources.items()]

    def __str__(self) -> str:
        cells, feet = self._cells(), self._feet()
        widths = [min(60, max([len(c[i]) for c in cells + feet])) for i in range(6)]
        rule = "  ".join(["─" * w for w in widths])
        line = lambda c: "  ".join([_cut(t, w).ljust(w) for t, w in zip(c, widths, strict=True)]).rstrip()
        lines = [line(cells[0]), rule, *[line(c) for c in cells[1:]]]
        if feet:
            lines += [rule, *[line(c) for c in feet]]
        return "\n".join(lines + ([self.note] if self.note else []))

    __repr__ = __str__

    def _repr_html_(self) -> str:
        cells = self._cells()
        cell = lambda tag, t: f'<{tag} style="text-align:left">{escape(t)}</{tag}>'
        rows = ["".join([cell("td", t) for t in c]) for c in cells[1:] + self._feet()]
        head = "".join([cell("th", t) for t in cells[0]])
        note = f"<p>{escape(self.note)}</p>" if self.note else ""
        return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join([f'<tr>{r}</tr>' for r in rows])}</tbody></table>{note}"


def _or_dash(a: Any) -> str:
    return "–" if a is None else brief(a)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def table_of(account: Account) -> Table:
    """The table of an account whose backward pass has been done."""
    rows = []
    name = lambda k: account.names.get(k, "·")
    for s in reversed(account.steps):
        ks = s.out_keys
        values = tuple([None if o is None else o._a for o in s.outs])
        adjoints = tuple([dense(account.adjoints.get(k)) for k in ks])
        derivatives: dict[str, Any] = {}
        for i in s.tracked:
            d = local(s, i)
            value, key = None if d is None else d.value, name(s.in_keys[i])
            both = key in derivatives  # the same value twice, as in x * x
            derivatives[key] = None if value is None or (both and derivatives[key] is None) else value + derivatives[key] if both else value  # fmt: skip
        rows.append(Row(s.number, s.name, ", ".join([name(k) for k in ks]), tuple([name(k) for k in s.in_keys]), s.place,
                        values[0] if len(ks) == 1 else values, derivatives, adjoints[0] if len(ks) == 1 else adjoints))  # fmt: skip
    sources = {
        name(k): (leaf.value, dense(account.adjoints.get(k)))
        for k, leaf in account.leaves.items()
        if leaf.kind != "constant"
    }
    target = ", ".join([name(k) for k in account.targets])
    return Table(rows, sources, target, note_of(account))


def note_of(account: Account) -> str:
    """What could not be told, and how to get it."""
    if account.gone:
        return "The tape has dropped its records: ask before its gradient is taken, make it persistent=True, or record under tf.debugging.trace_lines()."  # fmt: skip
    if not account.noted:
        return "Lines, and the values shown as ?, were not noted: record under `with tf.debugging.trace_lines():` to have them."  # fmt: skip
    return ""
