"""Variables, attributes and items that staged branches and loops change: the right value afterwards, or an error that names them."""

import types

import pytest

from gradtape.ground.errors import InvalidArgumentError, UnimplementedError
from gradtape.tracing.autograph import convert, install

from .stages import STAGES, Both, LeakError, S, Value, check

VALUES = [-2, 0, 1, 3]


def every_stage(f, *args):
    """The results on both stages, which must agree with plain Python on fresh arguments made by each of ``args``."""
    expected = f(*[a.x if isinstance(a, S) else a() if callable(a) else a for a in args])
    for stage in STAGES:
        assert stage().run(f, *[a if isinstance(a, S) or not callable(a) else a() for a in args]) == expected


# -- attributes and items ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("x", VALUES)
def test_attribute_in_branch(x):
    def f(o, x):
        if x > 0:
            o.n = o.n + x
        else:
            o.n = -1
        return o.n * 10

    every_stage(f, lambda: types.SimpleNamespace(n=4), S(x))


@pytest.mark.parametrize("x", VALUES)
def test_attribute_in_one_branch(x):
    def f(o, x):
        if x > 0:
            o.n += 1
            o.inner.m = x
        return o.n * 10 + o.inner.m

    every_stage(f, lambda: types.SimpleNamespace(n=4, inner=types.SimpleNamespace(m=0)), S(x))


@pytest.mark.parametrize("x", VALUES)
def test_attribute_in_loop(x):
    class Counter:
        n = last = 0

        def run(self, limit):
            while self.n < limit:
                self.n = self.n + 2
                if self.n == 2:
                    continue
                self.last = self.n
            return self.n + self.last * 10

    expected = Counter().run(x)
    for stage in STAGES:
        assert stage().run(Counter().run, S(x)) == expected


@pytest.mark.parametrize("x", VALUES)
def test_item_in_branch_and_loop(x):
    def f(d, names, x):
        key = "k"
        if x > 0:
            d[key] = x
            names[-1] = 5
        for i in range(x):
            d["s"] = d["s"] + i
            d[names[0]] -= 1
        return d["k"] + 10 * d["s"] + d["n"] + (names[-1] if x > 1 else 0)

    every_stage(f, lambda: {"k": 1, "s": 2, "n": 3}, lambda: ["n", 0], S(x))


@pytest.mark.parametrize("x", VALUES)
def test_tuple_target_with_attribute(x):
    def f(o, x):
        if x > 0:
            o.a, (b, o.c) = x, (2, 3)
        else:
            b = 0
        return o.a + 10 * b + 100 * o.c

    every_stage(f, lambda: types.SimpleNamespace(a=1, c=1), S(x))


def test_new_attribute_in_one_branch_is_an_error():
    def f(o, x):
        if x > 0:
            o.new = 1
        return x

    for stage in STAGES:
        with pytest.raises(InvalidArgumentError, match=r"'o\.new' must also be initialized in the else branch"):
            stage().run(f, types.SimpleNamespace(), S(1))
    assert convert(f)(types.SimpleNamespace(), 1) == 1


def test_new_attribute_in_both_branches():
    def f(o, x):
        if x > 0:
            o.new = x
        else:
            o.new = 7
        return o.new

    for x in VALUES:
        every_stage(f, types.SimpleNamespace, S(x))


def test_object_made_inside_a_branch():
    def f(x):
        if x > 0:
            o = types.SimpleNamespace(v=1)
            o.v = o.v + x
            y = o.v
        else:
            y = 0
        return y

    for x in VALUES:
        check(f, S(x))


@pytest.mark.parametrize("x", VALUES)
def test_a_branch_that_fails_leaves_the_state(x):
    def f(o, x):
        y = 5
        try:
            if x > 0:
                o.n = 2
                y = 6
                {}["missing"]
        except KeyError:
            pass
        return o.n + y

    for stage in STAGES:
        o = types.SimpleNamespace(n=1)
        assert stage().run(f, o, S(x)) == 6  # a traced branch fails wherever the program goes
        assert o.n == 1


UNFIT = {
    "key changes": "def f(d, x):\n    for i in range(x):\n        d[i] = i\n    return d\n",
    "object changes": "def f(d, x):\n    e = d\n    while x > 0:\n        e.n = x\n        e = e.next\n    return d\n",
    "object from a call": "def f(d, x):\n    if x > 0:\n        d.get().n = x\n    return d\n",
    "slice": "def f(d, x):\n    if x > 0:\n        d[0:2] = [x, x]\n    return d\n",
    "part of another": "def f(d, x):\n    if x > 0:\n        d.a = d.b\n        d.a.n = x\n    return d\n",
}


@pytest.mark.parametrize("source", UNFIT.values(), ids=UNFIT)
def test_assignment_to_a_place_that_is_not_fixed_is_refused(source):
    from .programs import compiled

    f = compiled(source, "f")

    class Thing(dict):
        pass

    d = Thing()
    d.next = d.a = d.b = d
    d.get = lambda: d
    for stage in STAGES:
        with pytest.raises(UnimplementedError, match="is assigned under a staged condition or in a staged loop"):
            stage().run(f, d, S(2))


def test_assignment_to_such_a_place_over_python_values():
    def f(d, x):
        for i in range(x):
            d[i] = i
            if i > 1:
                d[i + 1] = 0
            d[0:0] = [7]
        return d

    assert convert(f)([0] * 9, 4) == f([0] * 9, 4)


# -- nonlocal ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("x", VALUES)
def test_nonlocal_under_staged_branch(x):
    def f(x):
        n, log = 1, []

        def g(v):
            nonlocal n
            if v > 0:
                n = n + v
            else:
                n = -5
            for i in range(v):
                n = n * 2 + i
            return n

        y = g(x)
        log.append(n)
        return n * 1000 + y

    check(f, S(x))


@pytest.mark.parametrize("x", VALUES)
def test_nonlocal_changed_by_a_call_in_a_branch(x):
    def f(x):
        n = 0

        def bump():
            nonlocal n
            n = n + 1

        if x > 0:
            bump()
            bump()
        else:
            bump()
        while x > 1:
            bump()
            x = x - 1
        return n

    check(f, S(x))


def test_nonlocal_of_an_outer_function():
    for x in VALUES:
        n = 3

        def f(x):
            nonlocal n
            if x > 0:
                n = x
            return n + 1

        expected = f(x)
        for stage in STAGES:
            n = 3
            assert stage().run(f, S(x)) == expected


@pytest.mark.parametrize("x", VALUES)
def test_captured_variable_of_one_branch(x):
    """A lambda that only one branch makes captures a variable that only that branch has."""

    def f(x):
        if x > 0:
            t = x * 2
            y = (lambda: t + 1)()
        else:
            y = 0
        return y

    check(f, S(x))


def test_captured_variable_of_one_branch_has_no_value_afterwards():
    def f(x):
        g = lambda: t
        if x > 0:
            t = 1
        return g()

    for stage in STAGES:
        with pytest.raises(NameError, match="t"):
            stage().run(f, S(1))


# -- variables without a value ----------------------------------------------------------------------------------------------


def undefined_in_else(x):
    if x > 0:
        y = 1
    return y


def undefined_in_if(x):
    if x > 0:
        pass
    else:
        y = 1
    return y


def undefined_in_elif(x):
    if x > 0:
        y = 1
    elif x > -1:
        z = 2
    else:
        y = 3
    return y


def undefined_after_break(x):
    while x < 10:
        x = x + 1
        if x == 3:
            break
        y = x
    return y


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (undefined_in_else, r"'y' must also be initialized in the else branch: there is none"),
        (undefined_in_if, r"'y' must also be initialized in the if branch"),
        (undefined_in_elif, r"'y' must also be initialized in the if branch"),
        (undefined_after_break, r"'y' must also be initialized in the if branch"),
    ],
)
def test_variable_of_one_branch_used_afterwards(f, message):
    for stage in STAGES:
        with pytest.raises(InvalidArgumentError, match=message) as info:
            stage().run(f, S(1))
        assert (
            f'test_state.py", line {f.__code__.co_firstlineno + 1}' in str(info.value)
            or "elif" in str(info.value)
            or "x == 3" in str(info.value)
        )
    assert convert(undefined_in_else)(1) == 1
    with pytest.raises(NameError):
        convert(undefined_in_else)(0)


def test_variable_of_neither_branch_is_pythons_error():
    def f(x):
        if x > 0:
            a = 1
        else:
            b = 1
        return missing  # noqa: F821

    with pytest.raises(NameError, match="missing"):
        Both().run(f, S(1))


def test_variable_that_a_break_skips():
    def f(x):
        z = 0
        for i in range(4):
            with NOTHING:
                if i == x:
                    continue
                y = i
            z = z * 10 + y + 1
        return z

    for x in (0, 2, 9):
        check(f, S(x))


class _Nothing:
    def __enter__(self):
        pass

    def __exit__(self, *_):
        pass


NOTHING = _Nothing()


def test_first_assigned_in_a_loop_that_does_not_run():
    def f(n):
        for i in range(n):
            y = i + 1
        return y

    for stage in STAGES:
        assert stage().run(f, S(3)) == 3
        with pytest.raises(AssertionError, match="the loop must iterate at least once to initialize 'y'"):
            stage().run(f, S(0))


def test_first_assigned_in_a_while_that_does_not_run():
    def f(n):
        while n > 0:
            n = n - 1
            y, z = n, n + 1
        return y, z

    for stage in STAGES:
        assert stage().run(f, S(3)) == [0, 1]
        with pytest.raises(AssertionError, match="'y' and 'z'"):
            stage().run(f, S(0))


def test_attribute_that_a_loop_makes():
    def f(o, n):
        for i in range(n):
            o.last = i * 2
        return o.last

    for stage in STAGES:
        assert stage().run(f, types.SimpleNamespace(), S(3)) == 4
        with pytest.raises(AssertionError, match=r"to initialize 'o\.last'"):
            stage().run(f, types.SimpleNamespace(), S(0))


def test_return_value_needs_no_start():
    def f(n):
        while n > 0:
            n = n - 1
            if n == 2:
                return [n, {"a": n * 1.5}]
        return [0, {"a": 0.0}]

    for n in (5, 2):
        for stage in STAGES:
            assert stage().run(f, S(n)) == f(n)


def test_return_in_one_branch_only():
    def f(x):
        if x > 0:
            return x

    for stage in STAGES:
        with pytest.raises(InvalidArgumentError, match="the else branch must also have a return statement"):
            stage().run(f, S(1))
    assert convert(f)(1) == 1 and convert(f)(0) is None


def test_return_of_nothing():
    def f(o, x):
        for i in range(x):
            if i == 2:
                return
            o.n = i
        o.n = 100

    def g(o, x):
        f(o, x)
        return o.n

    for x in VALUES:
        every_stage(g, lambda: types.SimpleNamespace(n=0), S(x))


# -- what the stage is told -------------------------------------------------------------------------------------------------


def test_the_stage_names_variables():
    def dtype_changes(n):
        total = 0
        while n > 0:
            total = total + 0.5
            n = n - 1
        return total

    def structure_changes(n):
        if n > 0:
            pair = [n, n]
        else:
            pair = n
        return pair

    def result_changes(n):
        if n > 0:
            return 1.5
        return 1

    class Model:
        def attribute_changes(self, n):
            self.state = 1
            while n > 0:
                self.state = 2.5
                n = n - 1
            return self.state

    for f, name in [
        (dtype_changes, "total"),
        (structure_changes, "pair"),
        (result_changes, "the return value"),
        (Model().attribute_changes, r"self\.state"),
    ]:
        for stage in STAGES:
            with pytest.raises(TypeError, match=f"'{name}' has different"):
                stage().run(f, S(2))


def test_python_values_that_agree_stay():
    def f(x):
        if x > 0:
            mode, k = "a", 2
        else:
            mode, k = "a", 2
        return x * 10 if mode == "a" and k == 2 else x

    for stage in STAGES:
        assert stage().run(f, S(1)) == 10


def test_staged_values_in_python_containers_do_not_leak():
    """A list is no state: appending in a staged branch is Python's business, and a value of that branch stays in it."""

    def f(x):
        kept = []
        if x > 0:
            kept.append(x + 1)
            y = 1
        else:
            y = 2
        return kept[0] + y

    from .stages import Graphs

    with pytest.raises(LeakError):
        Graphs().run(f, S(1))


def test_flags_that_the_stage_has_evaluated():
    """A stage may give a concrete value that is no bool for a flag of jumps."""

    class Folding(Both):
        def cond(self, pred, true_fn, false_fn, init, names):
            out = super().cond(pred, true_fn, false_fn, init, names)
            return tuple([int(x.value) if isinstance(x, Value) and isinstance(x.value, bool) else x for x in out])

    def f(x):
        n = 0
        while n < 5:
            n = n + 1
            if x > n:
                continue
            if n == x + 1:
                break
        return n

    old = install(Folding())
    try:
        result = convert(f)(Value(Both(), 2))
    finally:
        install(old)
    assert getattr(result, "value", result) == f(2)
