"""The door for tensors: a C function from tensors to tensors around a program's entry, which takes and gives NumPy's objects.

One function serves all programs. What it must know of one stands in a table of 64-bit words: its entry, the form of its inputs, the
variables that some of them are, the dtypes of its results. It answers None to arguments of another form, which are then another trace's or the
general way's to take; nothing has happened yet. Where a program writes over a variable's memory, nobody else may hold that; nobody else may hold the
tensor of a variable that it assigns, for another thread may be about to replace it.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...core.tensor import Tensor
from ...core.variable import Variable
from ...ground.dtypes import DType, float64
from . import compiling
from .host import Unsupported, address, host
from .ir import I1, I32, I64, PTR, Code, Module, Val
from .linking import DATA, DIMS, DTYPE, LIST_ITEMS, LIST_SIZE, RANK, TYPE, definition, imports, python_function

MOST = 64  # inputs
TUPLE_ITEMS = 24
ENTRY, INPUTS, RESULTS, ASSIGNED, SINGLE, FIRST = range(6)  # words of the table; behind them a record for each input,
HOLDER, OVERWRITTEN, SCALAR_TYPE, ARRAY_DTYPE, DIMENSIONS, SIZES, RECORD = range(7)  # of these words,
# then the results' DTypes, then for each assignment the input that its variable is, and its DType


@functools.cache
def slots() -> dict[str, int]:
    """Where tensors and variables have their parts; Unsupported where objects look otherwise than this code will read them."""
    array, dtype = np.empty(2), float64
    t = Tensor(array, dtype)
    t._k = key = 1 << 40  # type: ignore[assignment]
    v = Variable.__new__(Variable)
    v._t = t
    words = lambda o: list((ctypes.c_uint64 * (type(o).__basicsize__ // 8)).from_address(id(o)))
    places = {"_a": (t, array), "_d": (t, dtype), "_k": (t, key), "_t": (v, t)}
    found = {name: [8 * i for i, w in enumerate(words(o)) if w == id(part)] for name, (o, part) in places.items()}
    box = [np.empty(1)]
    references = ctypes.c_uint32.from_address(id(box[0])).value
    if references != 1 or any(len(at) != 1 for at in found.values()):
        raise Unsupported("Python's objects have another layout than the native engine knows")
    return {name: at[0] for name, at in found.items()}


@functools.cache
def _function() -> tuple[Any, Any]:
    """The C function's description, and the code that must live as long."""
    h = host()
    at = slots()
    module = h.module()
    _write(module, at)
    local = {"gradtape.Tensor": id(Tensor), "python.zero": id(0), "python.none": id(None)}
    local["PyType_GenericAlloc"] = address(ctypes.pythonapi.PyType_GenericAlloc)
    code = compiling.link(h, module.text, imports(module.externals, [], local), ["front"])
    return definition(code.addresses["front"], "front"), code


def front(run: Callable, inputs: Sequence[tuple[tuple[int, ...], Any]], variables: Sequence[Any], results: Sequence[DType],
          assigned: Sequence[tuple[int, DType]], overwritten: Sequence[bool], single: bool) -> Callable | None:  # fmt: skip
    """A function from tensors to tensors that runs a compiled program; None where there can be none.

    Args:
        run: the program's function of arrays.
        inputs: shape and NumPy dtype of each of its inputs: first the arguments, then the variables.
        variables: the variables.
        results: the DType of each result.
        assigned: what follows the results: the number of the variable that it is the new value of, and its DType.
        overwritten: for each variable, whether the program writes over its memory.
        single: give the first result itself, not the list of all.

    Returns:
        ``f(*tensors)``: the results; None if the tensors' dtypes or shapes are others, or memory to be overwritten is held elsewhere.
    """
    program = getattr(run, "__self__", None)
    entry, releases = getattr(program, "entry", None), getattr(program, "releases", True)
    count = len(inputs) - len(variables)
    if entry is None or len(inputs) > MOST or (releases and assigned) or any(None in shape for shape, _ in inputs):
        return None
    try:
        defined, code = _function()
    except Unsupported:
        return None
    replaced = {i for i, _ in assigned}
    words: list[int] = [entry, len(inputs), len(results), len(assigned), int(single)]
    keep: list[Any] = [run, code, defined, variables, results]
    for i, (shape, dtype) in enumerate(inputs):
        dims = np.array(shape, np.int64)
        keep.append(dims)
        v = variables[i - count] if i >= count else None
        held = 0 if i - count not in replaced else 2 if overwritten[i - count] and shape else 1
        words += [id(v) if v is not None else 0, held]
        words += [0, id(dtype), len(shape), dims.ctypes.data] if shape else [id(dtype.type), 0, 0, 0]
    words += [id(d) for d in results]
    for i, d in assigned:
        words += [count + i, id(d)]
    table = np.array([count, *words], np.uint64)
    return python_function(defined, (table, keep))


def _write(module: Module, at: dict[str, int]) -> None:
    """``ptr front(ptr self, ptr args, i64 n)``; ``self`` is a tuple with the table as its first item."""
    code = Code(module, "front", [(PTR, 0), (PTR, 0), (I64, 0)], "ptr", "", "nounwind")
    me, given, count = code.params
    read = lambda p, offset, t=PTR: code.effect(f"load {t.llvm}, ptr {code.offset(p, offset).name}", t)
    same = lambda p, q: code.effect(f"icmp eq ptr {p.name}, {q.name}", I1)
    symbol = lambda name: Val(code, module.external(name), PTR, 0)
    item = lambda p, i: code.load(code.offset(p, i, 8), PTR)

    def do(name: str, *args: Val) -> None:
        module.declare(name, f"void {{}}({', '.join(a.type for a in args)})")
        code.write(f"call void @{name}({', '.join(f'{a.type} {a.name}' for a in args)})")

    def need(c: Val) -> None:
        go = code.fresh("go")
        code.branch(c, go, "none")
        code.block(go)

    def new(a: Val, dtype: Val) -> Val:
        """A tensor around ``a``, whose reference it takes."""
        t = code.call("PyType_GenericAlloc", PTR, 0, [symbol("gradtape.Tensor"), code.int(0)], pure=False)
        made = code.fresh("made")
        code.branch(code.effect(f"icmp ne ptr {t.name}, null", I1), made, "memory")
        code.block(made)
        do("Py_IncRef", dtype)
        do("Py_IncRef", symbol("python.zero"))
        for part, x in (("_a", a), ("_d", dtype), ("_k", symbol("python.zero"))):
            code.store(x, code.offset(t, at[part]))
        return t

    table = read(read(me, TUPLE_ITEMS), DATA)
    need(count.eq(read(table, 0, I64)))
    head = code.offset(table, 8)
    word = lambda i, t=I64: read(head, 8 * i, t)
    inputs, results, assigned = word(INPUTS), word(RESULTS), word(ASSIGNED)
    records = code.offset(head, 8 * FIRST)
    dtypes = code.offset(records, inputs, 8 * RECORD)
    updates = code.offset(dtypes, results, 8)
    arrays, holders = code.stack(8 * MOST, 16), code.stack(8 * MOST, 16)

    def check(i: Val, _: list[Val]) -> list[Val]:
        record = code.offset(records, i, 8 * RECORD)
        part = lambda k, t=PTR: read(record, 8 * k, t)
        null = lambda p: code.effect(f"icmp eq ptr {p.name}, null", I1)
        holder = part(HOLDER)

        def argument() -> list[Val]:
            t = item(given, i)
            need(same(read(t, TYPE), symbol("gradtape.Tensor")))
            return [t]

        (t,) = code.choose(null(holder), argument, lambda: [read(holder, at["_t"])])
        a = read(t, at["_a"])

        def held() -> None:
            need(code.load(t, I32).eq(1) & (code.load(a, I32).eq(1) | part(OVERWRITTEN, I64).eq(1)))

        code.when(part(OVERWRITTEN, I64).ne(0), held)
        kind = part(SCALAR_TYPE)

        def scalar() -> list[Val]:
            need(same(read(a, TYPE), kind))
            return []

        def array() -> list[Val]:
            need(same(read(a, TYPE), symbol("numpy.ndarray")))
            need(same(read(a, DTYPE), part(ARRAY_DTYPE)))
            rank = part(DIMENSIONS, I64)
            need(read(a, RANK, I32).eq(rank.to(I32)))
            mine, wanted = read(a, DIMS), part(SIZES)

            def size(k: Val, _: list[Val]) -> list[Val]:
                need(code.load(code.offset(mine, k, 8), I64).eq(code.load(code.offset(wanted, k, 8), I64)))
                return []

            code.loop(0, rank, 1, [], size)
            return []

        code.choose(null(kind), array, scalar)
        code.store(a, code.offset(arrays, i, 8))
        code.store(t, code.offset(holders, i, 8))
        return []

    code.loop(0, inputs, 1, [], check)
    each = lambda f: lambda i, _: (f(i), [])[1]
    # a collection may run wherever objects are made, and with it the user's code: it may assign the variables too
    held = lambda name: code.loop(0, assigned, 1, [], each(lambda j: do(name, item(holders, code.load(code.offset(updates, j, 16), I64)))))  # fmt: skip
    held("Py_IncRef")
    code.loop(0, inputs, 1, [], each(lambda i: do("Py_IncRef", item(arrays, i))))
    entry = word(ENTRY, PTR)
    out = code.effect(f"call ptr {entry.name}(ptr null, ptr {arrays.name}, i64 {inputs.name})", PTR)
    code.loop(0, inputs, 1, [], each(lambda i: do("Py_DecRef", item(arrays, i))))
    good = code.fresh("good")
    code.branch(code.effect(f"icmp ne ptr {out.name}, null", I1), good, "error")
    code.block(good)
    items = read(out, LIST_ITEMS)

    def wrap(j: Val) -> None:
        place = code.offset(items, j, 8)
        code.store(new(code.load(place, PTR), item(dtypes, j)), place)

    code.loop(0, results, 1, [], each(wrap))

    def update(j: Val) -> None:
        place = code.offset(items, results + j, 8)
        a, record = code.load(place, PTR), code.offset(updates, j, 16)
        i = code.load(record, I64)
        t = item(holders, i)
        kept = same(a, item(arrays, i)) & same(read(t, at["_k"]), symbol("python.zero"))

        def assign() -> None:
            do("Py_IncRef", a)
            holder = read(code.offset(records, i, 8 * RECORD), 8 * HOLDER)
            made = new(a, read(record, 8))
            old = read(holder, at["_t"])
            code.store(made, code.offset(holder, at["_t"]))
            do("Py_DecRef", old)

        code.when(~kept, assign)

    code.loop(0, assigned, 1, [], each(update))
    held("Py_DecRef")
    code.loop(0, assigned, 1, [], each(lambda j: do("Py_DecRef", item(items, results + j))))
    code.store(results, code.offset(out, LIST_SIZE))  # the list of the results alone
    single, many = code.fresh("single"), code.fresh("many")
    code.branch(word(SINGLE).ne(0), single, many)
    code.block(single)
    first = read(items, 0)
    do("Py_IncRef", first)
    do("Py_DecRef", out)
    code.write(f"ret ptr {first.name}")
    code.block(many)
    code.write(f"ret ptr {out.name}")
    code.block("none")
    do("Py_IncRef", symbol("python.none"))
    code.write(f"ret ptr {symbol('python.none').name}")
    code.block("memory")
    do("Py_DecRef", out)
    code.write("ret ptr null")
    code.block("error")
    held("Py_DecRef")
    code.write("ret ptr null")
    code.close()
