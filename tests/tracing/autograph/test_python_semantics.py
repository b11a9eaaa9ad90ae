"""What is Python's stays as it was: scopes, closures, calls, classes, generators, exceptions, tracebacks of values."""

import asyncio
import functools
import inspect
import types

import pytest

from gradtape.tracing.autograph import convert

from .stages import STAGES, S, check

COUNTER = 0
FACTOR = 3


def test_closure_cells_are_shared():
    n = 1

    def add(k):
        nonlocal n
        if k > 0:
            n += k
        return n

    g = convert(add)
    assert g is not add
    assert g(5) == 6 and n == 6
    n = 100
    assert g(1) == add(0) == 101


def test_cells_that_are_filled_later():
    def f(x):
        return later(x) if x else 0

    g = convert(f)

    def later(x):
        return x + 1

    assert g(4) == 5


def test_free_variable_without_value_raises_name_error():
    def f(x):
        if x:
            return never
        return 0

    with pytest.raises(NameError, match="never"):
        convert(f)(1)
    if FACTOR == 0:
        never = 1


def test_unbound_local_raises_as_in_python():
    def f(x):
        if x:
            y = 1
        return y

    with pytest.raises(NameError, match="y"):
        convert(f)(0)


def test_local_that_is_bound_only_in_unreachable_code_stays_local():
    def f(x):
        if x > 0:
            return FACTOR
        return 0
        FACTOR = 1

    with pytest.raises(UnboundLocalError):
        convert(f)(1)


def test_global_statement():
    def f(x):
        global COUNTER
        if x > 0:
            COUNTER = COUNTER + x
        return COUNTER

    global COUNTER
    COUNTER = 10
    assert convert(f)(5) == 15 and COUNTER == 15
    for stage in STAGES:
        COUNTER = 10
        assert stage().run(f, S(5)) == 15
        COUNTER = 10
        assert stage().run(f, S(-5)) == 10


def test_defaults_and_keyword_only_arguments():
    marker = object()

    def f(a, b=marker, /, c=2, *rest, k=marker, **kw):
        if a:
            return b, c, rest, k, kw
        return None

    g = convert(f)
    assert g(1) == (marker, 2, (), marker, {})
    assert g(1, 2, 3, 4, k=5, z=6) == (2, 3, (4,), 5, {"z": 6})
    assert g.__defaults__ is f.__defaults__ and g.__kwdefaults__ is f.__kwdefaults__
    assert inspect.signature(g) == inspect.signature(f)


def test_changed_defaults_are_seen():
    def f(a=1):
        return a if a > 0 else -a

    assert convert(f)() == 1
    f.__defaults__ = (-7,)
    assert convert(f)() == 7


def test_function_attributes_and_names():
    def f(x):
        """Doc."""
        if x:
            return 1

    f.note = "kept"
    g = convert(f)
    assert (g.__name__, g.__qualname__, g.__doc__, g.__module__, g.note) == (
        f.__name__,
        f.__qualname__,
        "Doc.",
        __name__,
        "kept",
    )
    assert g(0) is None and g(2) == 1


def test_functions_with_only_a_docstring():
    def f():
        """Nothing."""

    assert convert(f)() is None


def test_annotations_are_not_evaluated_and_do_no_harm():
    def f(x: "undefined" = 1) -> "also undefined":  # noqa: F722, F821
        y: int
        z: list[nothing] = x  # noqa: F821
        if z:
            y: int = z + 1
        else:
            y = 0
        return y

    check(f, 3)
    for stage in STAGES:
        assert stage().run(f, S(3)) == 4


def test_future_annotations():
    from .programs import compiled

    f = compiled(
        "from __future__ import annotations\ndef f(x: nothing) -> nothing:\n    def g(y: nothing): return y if y else x\n    return g(x)\n",
        "f",
    )
    assert convert(f)(3) == 3


def test_decorators_are_not_applied_again():
    applied = []

    def decorate(f):
        applied.append(f)

        @functools.wraps(f)
        def wrapper(*args):
            return f(*args) if args[0] else -f(*args)

        return wrapper

    @decorate
    @decorate
    def f(x):
        if x > 0:
            return 10
        return 20

    assert len(applied) == 2
    assert [convert(f)(x) for x in (0, 1)] == [f(x) for x in (0, 1)] == [20, 10]
    assert len(applied) == 2


def test_wrappers_of_one_code_object_keep_their_closures():
    def times(k):
        def decorate(f):
            @functools.wraps(f)
            def wrapper(x):
                return k * f(x) if x else 0

            return wrapper

        return decorate

    def f(x):
        return x

    inner = times(3)(f)
    assert convert(inner)(2) == 6
    outer = times(5)(inner)  # functools.wraps copies the attributes of `inner`, its converted form among them
    assert convert(outer)(2) == 30
    assert convert(inner)(2) == 6


class Base:
    scale = 10

    def value(self, x):
        if x > 0:
            return x * self.scale
        return 0


class Derived(Base):
    __hidden = 7

    def value(self, x):
        if x > 1:
            return super().value(x) + 1
        elif x == 1:
            return super().value(x)
        return __class__.scale

    def secret(self, __x):
        y = 0
        if __x > 0:
            y = self.__hidden
            for __i in range(2):
                y += __i
        return y + __x

    def twice(self, x):
        def inner():
            return super(Derived, self).value(x) if x else self.__hidden

        return inner() + inner()

    def from_comprehension(self, x):
        return [self.__hidden + i for i in range(x) if i]

    @classmethod
    def of_class(cls, x):
        return cls.scale if x else None

    @staticmethod
    def of_none(x):
        return 1 if x else 2

    def __call__(self, x):
        return -x if x > 0 else x

    def kind(self, x):
        class Local(Base):
            def value(self, y):
                return super().value(y) if y else -1

        return Local().value(x)


@pytest.mark.parametrize(
    "name", ["value", "secret", "twice", "from_comprehension", "of_class", "of_none", "kind", "__call__"]
)
def test_methods(name):
    bound = getattr(Derived(), name)
    for x in range(4):
        assert convert(bound)(x) == bound(x)


def test_methods_with_staged_arguments():
    for name in ("value", "secret", "__call__"):
        for x in (-1, 0, 1, 3):
            for stage in STAGES:
                assert stage().run(getattr(Derived(), name), S(x)) == getattr(Derived(), name)(x)


def test_callable_object_and_partial():
    d = Derived()
    assert convert(d)(3) == -3

    def f(x, y, z=0):
        return x if y > z else -x

    p = functools.partial(f, 1, z=5)
    assert convert(p)(4) == -1 and isinstance(convert(p), functools.partial)
    for stage in STAGES:
        assert stage().run(p, S(9)) == 1


def test_lambda():
    f = lambda x, k=2: x * k if x > 0 else 0
    for x in (-1, 4):
        check(f, S(x))


def test_lambdas_on_one_line():
    fs = [lambda x: x if x > 0 else 1, lambda x: x if x > 5 else 2, (lambda x: lambda x: x if x > 9 else 3)(0)]
    assert [convert(f)(0) for f in fs] == [1, 2, 3]
    assert [convert(f)(7) for f in fs] == [7, 7, 3]


def test_lambda_in_a_statement_of_many_lines():
    f = dict(
        a=1,
        b=lambda x: x if x else -1,
    )["b"]
    assert convert(f)(0) == -1


def test_lambda_default_arguments_are_the_original_ones():
    fs = [lambda x, k=k: k if x else -k for k in range(3)]
    assert [convert(f)(1) for f in fs] == [0, 1, 2]


def test_generators_stay():
    def gen(n):
        for i in range(n):
            if i % 2:
                yield i

    def f(n):
        total = 0
        for v in gen(n):
            total += v
        return total if total else -1

    assert convert(gen) is gen
    check(f, 6)

    def with_inner(n):
        def inner():
            yield n
            yield n + 1

        return sum(inner()) if n > 0 else 0

    check(with_inner, S(4))


def test_async_functions_stay():
    async def f(x):
        await asyncio.sleep(0)
        return x + 1

    assert convert(f) is f

    def g(x):
        return asyncio.run(f(x)) if x else 0

    assert convert(g)(1) == 2


def test_generator_expressions_capture_late():
    def f(x):
        n = 1
        g = (n * i for i in range(3))
        if x > 0:
            n = 5
        return sum(g)

    check(f, S(1))
    check(f, S(-1))


def test_comprehension_scopes():
    def f(x):
        i = 100
        a = [i for i in range(3) if i > x]
        b = {i: j for i in range(2) for j in range(i + 1) if i and not j}
        c = {(y := i) for i in range(2)}
        return a, b, c, i, y

    check(f, 0)


def test_walrus_over_python_values():
    def f(x):
        if x and (y := x + 1) and (z := y) > 2:
            return y + z
        return (w := 5) + w if x else (v := 6) - v

    for x in (0, 1, 3):
        assert convert(f)(x) == f(x)


def test_state_of_a_failed_branch_is_kept():
    def f(x):
        y = 0
        try:
            if x:
                y = 1
                raise KeyError
        except KeyError:
            return y
        return -1

    assert convert(f)(True) == 1


def test_finally_runs_once():
    log = []

    def f(x):
        for i in range(3):
            try:
                if i == x:
                    return i
                if i > x:
                    break
            finally:
                log.append(i)
        return -1

    assert convert(f)(1) == 1 and log == [0, 1]


def test_context_manager_that_swallows():
    import contextlib

    def f(x):
        with contextlib.suppress(KeyError):
            if x:
                return 1
            raise KeyError
        return 2

    assert [convert(f)(x) for x in (True, False)] == [1, 2]


def test_exceptions_keep_their_class_and_cause():
    class Mine(Exception):
        pass

    def f(x):
        try:
            if x:
                raise KeyError("k")
        except KeyError as e:
            raise Mine("m") from e

    with pytest.raises(Mine) as info:
        convert(f)(True)
    assert isinstance(info.value.__cause__, KeyError)


def test_bare_raise():
    def f(x):
        try:
            {}[x]
        except KeyError:
            if x:
                raise
            return 0

    assert convert(f)(0) == 0
    with pytest.raises(KeyError):
        convert(f)(1)


def test_except_groups():
    def f(x):
        try:
            if x:
                raise ExceptionGroup("g", [ValueError(), KeyError()])
        except* ValueError:
            x = 2
        except* KeyError:
            x += 1
        return x

    assert convert(f)(1) == 3 and convert(f)(0) == 0


def test_match_on_structure():
    def f(v):
        match v:
            case {"a": x, **rest} if x:
                return x, rest
            case [a, *b]:
                if a:
                    return a, b
            case Base(scale=s):
                return s
            case str() as text:
                return text
        return None

    for v in ({"a": 1, "b": 2}, {"a": 0}, [1, 2, 3], [0], Base(), "s", 4.5):
        assert convert(f)(v) == f(v)


def test_match_binds_before_its_guard():
    def f(v):
        match v:
            case 5 as n if n > 9:
                return 0
            case n if n > 3:
                return n
            case _:
                return n - 1

    for v in (1, 4, 5):
        assert convert(f)(v) == f(v)


def test_match_guard_that_rebinds_the_subject():
    def f(v):
        match v:
            case 1 if (v := 5) > 9:
                return 0
            case 1:
                return v * 100
        return v

    for v in (1, 2):
        assert convert(f)(v) == f(v)


def test_match_on_constants():
    def f(v):
        match v:
            case None:
                return "none"
            case True:
                return "true"
            case FACTORS.three:
                return "three"
            case -1 | "x":
                return "other"
        return "no"

    for v in (None, True, 1, 3, -1, "x", 9):
        assert convert(f)(v) == f(v)


FACTORS = types.SimpleNamespace(three=3)


def test_imports_and_classes_inside():
    def f(x):
        import math as m
        from os import path

        class C:
            k = x

            def double(self):
                return self.k * 2 if self.k else 0

        return m.floor(C().double() + 0.5) if path else None

    check(f, 3)


def test_star_expressions():
    def f(*args, **kw):
        a, *b = args
        c = [*b, *(0 for _ in range(2) if a)]
        d = {**kw, "z": a}
        return c, d if a else None

    assert convert(f)(1, 2, 3, k=4) == f(1, 2, 3, k=4)


def test_chained_assignment_and_nested_targets():
    def f(x):
        a = b = [0, 0]
        (a[0], [c, *d]), e = (x, [1, 2, 3]), 4
        if x:
            b[1], c = c, b[0]
        return a, c, d, e

    check(f, 2)
    check(f, 0)


def test_evaluation_order():
    log = []

    def say(x):
        log.append(x)
        return x

    def f():
        say(say)(say(1), *[say(2)], k=say(3)) if False else None
        return say(1) < say(2) < say(0) < say(9), say(0) or (say(4) and say(5))

    f()
    plain, log[:] = list(log), []
    convert(f)()
    assert log == plain


def test_operands_are_evaluated_once_and_only_when_needed():
    def fail():
        raise AssertionError

    def f(x):
        return (x and x[0]) or None if x is None or len(x) else fail()

    assert convert(f)(None) is None and convert(f)([3]) == 3


def test_values_of_and_or_are_the_operands():
    def f(x, y):
        return x and y, x or y, not x

    for x in (0, [], "", "s", 3):
        assert convert(f)(x, "y") == f(x, "y")


def test_is_and_in_are_never_staged():
    def f(x, names):
        if x is None or "a" not in names:
            return 1
        return 2 if x is not None and not isinstance(x, str) else 3

    for stage in STAGES:
        assert stage().run(f, S(1), ["a"]) == 2
        assert stage().run(f, S(1), ["b"]) == 1


def test_builtin_names_can_be_shadowed():
    def f(x, len=lambda x: 42):
        range = lambda n: [7]
        for i in range(3):
            x = x + i
        return len([x]) + x if x else 0

    check(f, 1)


def test_recursion_through_a_local_name():
    def f(n):
        def fact(k):
            if k <= 1:
                return 1
            return k * fact(k - 1)

        return fact(n)

    check(f, 5)


def test_mutual_recursion():
    assert convert(_even)(10) is True and convert(_even)(7) is False


def _even(n):
    return True if n == 0 else _odd(n - 1)


def _odd(n):
    return False if n == 0 else _even(n - 1)


def test_unusual_formatting():
    def f(
        x,
        y=(1, 2),
    ):  # the lines above are indented less than the function
        if x:
            z = 1
            w = 2
        else:
            z = w = 3
        text = """
not indented
"""
        return z + w + len(text) + (x)

    check(f, 1)
    check(f, 0)


def test_converted_functions_can_be_copied_and_pickled():
    import copy
    import pickle

    convert(_even)
    assert pickle.loads(pickle.dumps(_even)) is _even and copy.deepcopy(_even) is _even
    assert pickle.loads(pickle.dumps(vars(_even))) == {"__gradtape_converted__": None}


def test_numpy_values_stay_numpy():
    np = pytest.importorskip("numpy")

    def f(a, k):
        if k > 0:
            a = a + 1
        for row in a:
            if row.sum() > 3 and np.all(row > 0):
                return float(row[0]), len(row)
        return abs(k)

    a = np.arange(6.0).reshape(2, 3)
    assert convert(f)(a, np.int64(1)) == f(a, np.int64(1)) == (1.0, 3)
    assert convert(f)(-a, np.int64(-1)) == 1
