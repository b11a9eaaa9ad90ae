"""Unsupported syntax is refused early: file, line, column, the source with a caret, and a way out. Python values still work."""

import itertools
import re
import traceback
import warnings

import pytest

from gradtape.ground.errors import InvalidArgumentError, UnimplementedError
from gradtape.tracing.autograph import AutographWarning, convert

from .stages import STAGES, Both, Graphs, S


def caret(error):
    """(line, the text under the carets) of a located message."""
    text = str(error)
    line = int(re.search(r'File ".*test_errors\.py", line (\d+)', text)[1])
    *_, source, marks = text.splitlines()
    return line, source[marks.index("^") : len(marks)]


def refusal(f, *args, kind=UnimplementedError):
    """The error on both stages, as (line relative to the function, text under the caret, message)."""
    found = set()
    for stage in STAGES:
        with pytest.raises(kind) as info:
            stage().run(f, *args)
        line, under = caret(info.value)
        found.add((line - f.__code__.co_firstlineno, under, str(info.value).splitlines()[0]))
    (only,) = found
    return only


def test_undefined_variable():
    def f(x):
        a = 1
        if x > a:
            y = 1
        return y

    line, under, message = refusal(f, S(1), kind=InvalidArgumentError)
    assert (line, under) == (2, "x > a") and "'y'" in message


def test_column_counts_characters():
    def f(x):
        if "ä" and x > 0:
            y = 1
        return y

    _, under, _ = refusal(f, S(1), kind=InvalidArgumentError)
    assert under.startswith('"ä" and x > 0') or under == "x > 0"


def test_item_with_changing_key():
    def f(d, n):
        for i in range(n):
            d[i] = 1
        return n

    line, under, message = refusal(f, {}, S(3))
    assert (line, under) == (2, "d[i]") and "TensorArray" in message
    assert convert(f)({}, 3) == 3


def test_item_with_changing_key_in_nested_statement():
    def f(d, n):
        while n > 0:
            if n > 2:
                d[n] = 1
            n = n - 1
        return n

    assert refusal(f, {}, S(3))[:2] == (3, "d[n]")
    assert convert(f)({}, 3) == 0


def test_walrus_under_staged_condition():
    def f(x):
        if x > 0 and (y := x + 1) > 3:
            return y
        return 0

    line, under, message = refusal(f, S(1))
    assert (line, under) == (1, "x > 0") and ":=" in message
    assert convert(f)(5) == 6


def test_walrus_in_staged_choice():
    def f(x):
        return (y := x) + y if x > 0 else 0

    assert refusal(f, S(1))[:2] == (1, "x > 0")


def test_walrus_in_staged_chain():
    def f(x):
        return 0 < x < (y := 3) and y

    assert ":=" in refusal(f, S(1))[2]


def test_staged_subject_of_a_structural_match():
    def f(x):
        match x:
            case [a, b]:
                return a
            case int():
                return 2
        return 3

    line, under, _ = refusal(f, S(1))
    assert (line, under) == (1, "x")


def test_staged_guard_of_a_structural_match():
    def f(x):
        match [1, 2]:
            case [a, b] if x > a:
                return b
        return 3

    assert refusal(f, S(1))[:2] == (2, "x > a")


def test_staged_value_against_singleton_pattern():
    def f(x):
        match x:
            case True:
                return 1
        return 2

    line, under, _ = refusal(f, S(True))
    assert (line, under) == (2, "True")
    assert convert(f)(True) == 1


def test_raise_under_staged_condition_inside_try():
    def f(x):
        try:
            if x > 0:
                raise ValueError("no")
        except ValueError:
            return 1
        return 2

    line, under, message = refusal(f, S(1))
    assert line == 3 and under.startswith("raise") and "try" in message
    assert [convert(f)(x) for x in (0, 1)] == [2, 1]


def test_raise_that_the_branch_itself_catches():
    def f(x):
        y = 0
        if x > 0:
            try:
                raise ValueError("no")
            except ValueError:
                y = 1
        return y

    for x in (0, 1):
        for stage in STAGES:
            assert stage().run(f, S(x)) == f(x)


def test_raise_under_staged_condition_happens_when_the_program_runs():
    def f(x, kind):
        if x > 3:
            raise KeyError("big") if kind else LookupError
        elif x > 2:
            if kind:
                raise ValueError
            y = 1
        else:
            y = 2
        return y

    for stage in STAGES:
        assert stage().run(f, S(1), True) == 2
        assert stage().run(f, S(3), False) == 1
        for x, kind, error in [(5, True, KeyError), (5, False, LookupError), (3, True, ValueError)]:
            with pytest.raises(error):
                stage().run(f, S(x), kind)


def test_endless_python_iterator_with_staged_break():
    def f(x):
        for i in itertools.count():
            if i > x:
                break
        return i

    assert refusal(f, S(3))[0] == 1
    assert convert(f)(3) == 4


def test_iterating_a_staged_range_in_a_comprehension():
    def f(n):
        return [i for i in range(n)]

    line, under, message = refusal(f, S(3), kind=InvalidArgumentError)
    assert (
        line == 1 and under in ("range(n)", "[i for i in range(n)]") and "tf.map_fn" in message
    )  # which, depends on the Python


def test_zip_of_staged_and_python_iterables():
    def f(xs):
        s = 0
        for a, b in zip(xs, [1, 2, 3]):
            s = s + a * b
        return s

    line, under, message = refusal(f, S((1, 2, 3)), kind=InvalidArgumentError)
    assert (line, under) == (2, "zip(xs, [1, 2, 3])") and "staged, list" in message


def jump_in_finally(x):
    for i in range(3):
        try:
            x += 1
        finally:
            if x > 1:
                break
    return x


def test_jump_in_finally_is_refused_when_converted():
    with pytest.raises(UnimplementedError, match="`break` inside `finally`") as info:
        convert(jump_in_finally)
    line, under = caret(info.value)
    assert (line - jump_in_finally.__code__.co_firstlineno, under) == (6, "break")
    assert "do_not_convert" in str(info.value)


def test_loops_inside_finally_are_fine():
    def f(x):
        try:
            x += 1
        finally:
            for i in range(5):
                if i > x:
                    break
                x += 1
        return x

    for stage in STAGES:
        assert stage().run(f, S(0)) == f(0)


def test_what_a_converted_function_calls_runs_unconverted_instead():
    def f(x):
        return jump_in_finally(x) if x is not None else None

    with pytest.warns(AutographWarning, match="(?s)jump_in_finally is not converted.*`break` inside `finally`"):
        assert convert(f)(0) == jump_in_finally(0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert convert(f)(0) == jump_in_finally(0)


def test_no_source():
    env = {}
    exec("def f(x):\n    return 1 if x else 2", env)
    with pytest.warns(AutographWarning, match=r"its source (is not available|has changed)") as caught:
        assert convert(env["f"]) is env["f"]
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert convert(env["f"]) is env["f"]


def test_no_source_but_nothing_to_convert():
    env = {}
    exec("def f(x):\n    return x + 1", env)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert convert(env["f"]) is env["f"]


def test_source_that_changed():
    import linecache

    from .programs import compiled

    f = compiled("def f(x):\n    return 1 if x else 2\n", "f")
    file = f.__code__.co_filename
    text = "# a line more\ndef g(x): pass\n"
    linecache.cache[file] = len(text), None, text.splitlines(True), file
    with pytest.warns(AutographWarning, match="its source has changed"):
        assert convert(f) is f


def test_a_stage_error_keeps_its_class_and_shows_the_line():
    class Odd(Exception):
        pass

    def helper(x):
        if x > 0:
            raise Odd("from the user")
        return x

    def f(x):
        y = x + 1
        if y is not None:
            return helper(3)
        return y

    with pytest.raises(Odd) as info:
        Both().run(f, S(1))
    lines = [
        (entry.name, entry.line)
        for entry in traceback.extract_tb(info.value.__traceback__)
        if entry.filename == __file__
    ][1:]
    assert lines == [("f", "return helper(3)"), ("helper", 'raise Odd("from the user")')]


def test_leak_is_reported_at_its_line():
    def f(x):
        if x > 0:
            y = [v for v in x]
        else:
            y = 0
        return y

    with pytest.raises(TypeError, match="used by Python") as info:
        Graphs().run(f, S(1))
    names = [(e.name, e.line) for e in traceback.extract_tb(info.value.__traceback__) if e.filename == __file__]
    assert ("f", "y = [v for v in x]") in names
