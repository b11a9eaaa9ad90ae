"""Converted code stands where the user wrote it: for tracebacks, debuggers, coverage, inspect and warnings."""

import bdb
import inspect
import linecache
import sys
import traceback
import types
import warnings

import pytest

from gradtape.tracing.autograph import convert

from .programs import compiled
from .stages import STAGES, Both, S

SOURCE = '''\
def f(x, n):
    """Doc."""
    s = 0
    if x > 0:
        s = (1 +
             x)
    else:
        s = 2
    for i in range(n):
        if i == 1:
            continue
        while s > 5:
            s = s - 3
            if s == 4:
                break
        s = s + i
    t = s if s > n else n
    return t
'''


def codes(code):
    """A code object and those inside it."""
    yield code
    for c in code.co_consts:
        if isinstance(c, types.CodeType):
            yield from codes(c)


def lines_run(f, *args):
    """The lines of the file of ``f`` that a call runs, in order, as sys.settrace shows them."""
    seen = []
    file = f.__code__.co_filename

    def trace(frame, event, arg):
        if frame.f_code.co_filename != file:
            return None
        if event == "line":
            seen.append(frame.f_lineno)
        return trace

    old = sys.gettrace()
    sys.settrace(trace)
    try:
        f(*args)
    finally:
        sys.settrace(old)
    return seen


def test_code_keeps_its_file_and_lines():
    f = compiled(SOURCE, "f")
    g = convert(f)
    wanted = {line for c in codes(f.__code__) for _, _, line in c.co_lines() if line}
    for c in codes(g.__code__):
        assert c.co_filename == f.__code__.co_filename
        lines = {line for _, _, line in c.co_lines() if line}
        assert lines <= wanted
    assert wanted - {1} <= {line for c in codes(g.__code__) for _, _, line in c.co_lines() if line}
    assert inspect.getsource(g) == inspect.getsource(f) == SOURCE
    assert g.__code__.co_firstlineno == 1


def test_columns_are_those_of_the_source():
    """Each position of the converted code lies within the user's function."""
    f = compiled(SOURCE, "f")
    lines = SOURCE.splitlines()
    for c in codes(convert(f).__code__):
        for line, end_line, col, end in c.co_positions():
            if line is not None and col is not None:
                assert 1 <= line <= end_line <= len(lines)
                assert 0 <= col <= len(lines[line - 1]) and 0 <= end <= len(lines[end_line - 1])


@pytest.mark.parametrize("args", [(1, 4), (-1, 0), (9, 3), (0, 2)])
def test_the_same_lines_run(args):
    """Coverage sees what it would see of plain Python: no line more, none less."""
    f = compiled(SOURCE, "f")
    g = convert(f)
    plain, converted = lines_run(f, *args), lines_run(g, *args)
    assert set(converted) == set(plain)
    # and in the same order, apart from headers that are looked at again
    assert [line for line in dict.fromkeys(converted)] == [line for line in dict.fromkeys(plain)]


def test_early_returns_run_the_same_lines():
    source = "def f(x):\n    if x > 3:\n        return 1\n    y = x\n    if x > 2:\n        return y\n    for i in range(3):\n        if i == x:\n            return i\n        y += 1\n    return y\n"
    for x in range(-1, 5):
        f = compiled(source, "f")
        assert set(lines_run(convert(f), x)) == set(lines_run(f, x)), x


def test_staged_code_runs_both_branches_at_their_lines():
    f = compiled(SOURCE, "f")
    seen = set()
    file = f.__code__.co_filename

    def trace(frame, event, arg):
        if frame.f_code.co_filename != file:
            return trace
        seen.add(frame.f_lineno)
        return trace

    old = sys.gettrace()
    sys.settrace(trace)
    try:
        Both().run(f, S(1), S(4))
    finally:
        sys.settrace(old)
    assert {5, 8, 10, 11, 12, 13, 15, 16, 18} <= seen


def test_breakpoints():
    f = compiled(SOURCE, "f")
    g = convert(f)
    stops = []

    class Debugger(bdb.Bdb):
        def user_line(self, frame):
            if frame.f_lineno in (8, 16):
                stops.append((frame.f_lineno, frame.f_code.co_name, frame.f_locals.get("s"), frame.f_locals.get("x")))
            self.set_step()

    debugger = Debugger()
    debugger.runcall(g, -1, 1)
    assert stops == [(8, "f", 0, -1), (16, "f", 2, -1)]


def test_breakpoints_in_staged_code():
    f = compiled("def f(x):\n    y = 0\n    if x > 0:\n        y = 5\n    else:\n        y = 7\n    return y\n", "f")
    stops = []

    class Debugger(bdb.Bdb):
        def user_line(self, frame):
            if frame.f_code.co_filename == f.__code__.co_filename and frame.f_lineno in (4, 6):
                stops.append((frame.f_lineno, frame.f_code.co_name, frame.f_locals["y"]))

    debugger = Debugger()
    debugger.runcall(Both().run, f, S(1))
    assert [(line, name) for line, name, _ in stops] == [(4, "f"), (6, "f")]
    assert all(getattr(y, "value", y) == 0 for _, _, y in stops)  # each branch starts from the same state


def test_traceback_of_python_control_flow_has_no_foreign_frames():
    source = "def f(x, d):\n    for i in range(3):\n        if i == x:\n            while d:\n                with CTX:\n                    return [d][i + 5]\n    return 0\n"

    class Nothing:
        def __enter__(self):
            pass

        def __exit__(self, *_):
            pass

    f = compiled(source, "f", CTX=Nothing())
    found = []
    for g in (f, convert(f)):
        with pytest.raises(IndexError) as info:
            g(1, {1: 2})
        entries = traceback.extract_tb(info.value.__traceback__)[1:]
        found.append([(e.name, e.lineno, e.line, e.colno, e.end_colno) for e in entries])
    assert found[0] == found[1]
    assert len(found[1]) == 1


def test_traceback_through_calls_shows_callers_only():
    source = "def f(x):\n    return g(x) if x else 0\ndef g(x):\n    y = [h(v) for v in (x,)]\n    return y\nclass H:\n    def __call__(self, v):\n        return v.missing if v else 0\nh = H()\n"
    f = compiled(source, "f")
    for function in (f, convert(f)):
        with pytest.raises(AttributeError) as info:
            function(3)
        names = [e.name for e in traceback.extract_tb(info.value.__traceback__)[1:] if e.name != "<listcomp>"]
        assert names == ["f", "g", "__call__"]


def test_traceback_from_a_staged_branch():
    source = "def f(x):\n    y = 1\n    if x > 0:\n        y = {}['k']\n    return y\n"
    f = compiled(source, "f")
    for stage in STAGES:
        with pytest.raises(KeyError) as info:
            stage().run(f, S(1))
        mine = [
            (e.name, e.lineno, e.line)
            for e in traceback.extract_tb(info.value.__traceback__)
            if e.filename == f.__code__.co_filename
        ]
        assert mine == [("f", 3, "if x > 0:"), ("f", 4, "y = {}['k']")]


def test_multi_line_statement():
    source = "def f(x):\n    y = (x +\n         [1][x])\n    return y if y > 1 else (\n        None.oops)\n"
    f = compiled(source, "f")
    for function in (f, convert(f)):
        with pytest.raises(IndexError) as info:
            function(7)
        assert traceback.extract_tb(info.value.__traceback__)[-1].lineno == 3
        with pytest.raises(AttributeError) as info:
            function(0)
        assert traceback.extract_tb(info.value.__traceback__)[-1].lineno == 5


def test_warnings_point_at_the_user():
    source = "import warnings\ndef f(x):\n    if x:\n        warnings.warn('careful')\n    return x\n"
    f = compiled(source, "f")
    for function in (f, convert(f)):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            function(1)
        assert (caught[0].filename, caught[0].lineno) == (f.__code__.co_filename, 4)


def test_qualified_names():
    source = (
        "class A:\n    def m(self, x):\n        def inner(y):\n            return y if y else x\n        if x > 0:\n            def other(): return 1\n            class B:\n"
        "                def n(self): return 2\n        else:\n            other = B = None\n        return inner, other, B, lambda: x if x else 0\n"
    )
    a = compiled(source, "A")
    names = lambda results: [r.__qualname__ for r in results] + [results[2].n.__qualname__, results[2].__name__]
    assert names(convert(a.m)(None, 1)) == names(a.m(None, 1))
    assert {c.co_name for c in codes(convert(a.m).__code__)} <= {"m", "inner", "other", "B", "n", "<lambda>"}


def test_stack_is_not_deeper():
    def depth(x):
        if x:
            for _ in range(1):
                while x:
                    return len(inspect.stack(0))

    def f(x):
        return depth(x) if x else 0

    assert convert(f)(1) == f(1)


def test_recursion_limit_is_pythons():
    def f(n):
        if n == 0:
            return 0
        elif n < 0:
            return -1
        else:
            return 1 + f(n - 1)

    limit = sys.getrecursionlimit() - 150
    assert convert(f)(limit) == limit


def test_locals_and_frames():
    def f(x):
        y = 2
        if x:
            z = 3
        names = sorted(n for n in locals() if not n.startswith("ag__"))
        return names, sys._getframe().f_lineno

    assert convert(f)(1) == f(1)


def test_no_function_is_called_for_branches_and_loops_over_python_values():
    f = compiled(SOURCE, "f")
    g = convert(f)
    assert len(list(codes(g.__code__))) > 5  # such functions are there, for staged values
    calls = []

    def trace(frame, event, arg):
        if frame.f_code.co_filename == f.__code__.co_filename:
            calls.append(frame.f_code)

    old = sys.gettrace()
    sys.settrace(trace)
    try:
        g(3, 4)
    finally:
        sys.settrace(old)
    assert calls == [g.__code__]


def test_files_are_read_once():
    f = compiled(SOURCE, "f")
    assert f.__code__.co_filename in linecache.cache
    convert(f)
    del linecache.cache[f.__code__.co_filename]
    assert convert(f)(1, 2) == f(1, 2)
