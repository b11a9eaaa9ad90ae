"""Calls of programs that assign variables, as straight-line Python: loops over arguments and variables took longer than small programs run.

A variable's memory is given to the program where by reference count nobody but the variable holds it, else a copy of it. A program
that wrote its result there returns the same array, and the variable keeps its tensor. Where other threads run, the program has the variables that
it assigns to itself from the first read to the last assignment.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.tensor import Tensor
from ..core.variable import in_turn, others
from ..ground.dtypes import float64

if TYPE_CHECKING:
    from .program import Program


def _read(i: int) -> str:
    return f"t{i} = v{i}._t; a{i} = t{i}._a"


def updater(
    program: Program, run: Callable[[list], list], given: list[bool]
) -> Callable[[Program, list[Tensor], list], list[Tensor]]:
    """A function of the program, its arguments and its variables that does what ``Program.direct`` does, for programs that assign.

    Args:
        program: the program.
        run: its code.
        given: for each variable, whether the code may overwrite its memory.
    """
    variables, n = program.variables, program.n_results
    inputs = [v.aval for v in program.graph.inputs]
    count = len(inputs) - len(variables)
    names: dict[str, Any] = {"T": Tensor, "run": run, "refs": sys.getrefcount, "others": others}
    names |= {"held_t": _HELD[0], "held_a": _HELD[1], "in_turn": in_turn}
    xs, vs = [f"x{i}" for i in range(count)], range(len(variables))
    lines = ["def update(program, args, variables):", f"    {', '.join(f'v{i}' for i in vs)}, = variables"]
    if xs:
        lines.append(f"    {', '.join(xs)}, = args")
        lines.append(f"    if {' or '.join(f'{x}._special' for x in xs)}: return program(args)")
    lines += ["    alone = not others()", "    if not alone: turn = in_turn(program.assigned)", "    try:"]
    for i in vs:
        lines.append(f"        {_read(i)}")
        if given[i] and inputs[count + i].shape:
            lines.append(
                f"        if not (alone and refs(t{i}) == held_t and refs(a{i}) == held_a): a{i} = a{i}.copy()"
            )
    lines.append(f"        r = run([{', '.join([f'{x}._a' for x in xs] + [f'a{i}' for i in vs])}])")
    at = {id(v): i for i, v in enumerate(variables)}
    for j, v in enumerate(program.assigned):
        i, r = at[id(v)], f"r[{n + j}]"
        names[f"d{i}"] = v._d
        same = f"if {r} is not a{i} or t{i}._a is not a{i} or t{i}._k: " if given[i] else ""
        lines.append(f"        {same}v{i}._t = T({r}, d{i})")
    lines += ["    finally:", "        if not alone: turn.close()"]
    names |= {f"k{j}": d for j, d in enumerate(program._dtypes)}
    lines.append(f"    return [{', '.join(f'T(r[{j}], k{j})' for j in range(n))}]")
    exec("\n".join(lines), names)  # of numbers and names that are written above
    return names["update"]


class _Probe:
    """Stands for a variable whose value nobody else holds."""

    def __init__(self) -> None:
        self._t = Tensor(np.empty(2), float64)


def _counts() -> tuple[int, int]:
    """What getrefcount says of such a value and its array in code as it is written above: differs between Python versions."""
    names: dict[str, Any] = {"refs": sys.getrefcount, "v0": _Probe()}
    exec(f"def counts():\n    {_read(0)}\n    return refs(t0), refs(a0)", names)
    return names["counts"]()


_HELD = _counts()
