"""Each construct, on many inputs: plain Python, converted, and with every choice of staged arguments on both stages."""

import itertools

import pytest

from gradtape.tracing.autograph import convert

from .stages import STAGES, Both, Graphs, S, check


def every_staging(args):
    """The arguments, with any of those staged that can be."""
    options = [(a, S(a)) if isinstance(a, (bool, int, float)) else (a,) for a in args]
    return itertools.product(*options)


# -- functions of integers --------------------------------------------------------------------------------------------------


def if_else(x, y):
    if x > y:
        z = x - y
    else:
        z = y - x
    return z


def if_without_else(x, y):
    if x > y:
        x = y
    return x + y


def elif_chain(x, y):
    if x < 0:
        r = 1
    elif x < y:
        r = 2
    elif x == y:
        r = 3
    else:
        r = 4
    return r


def branches_swap(x, y):
    if x > y:
        x, y = y, x
    return x * 10 + y


def nested_ifs(x, y):
    r = 0
    if x > 0:
        if y > 0:
            r = 1
        else:
            r = 2
        r = r + 10
    elif y > 0:
        r = 3
    return r


def variable_of_one_branch_unused_afterwards(x, y):
    if x > y:
        t = x * 2
        r = t
    else:
        r = y
    return r


def variable_of_both_branches(x, y):
    if x > y:
        t = x * 2
    else:
        t = y
    t = t + 1
    return t


def overwritten_in_branch_and_read_there(x, y):
    t = x
    if x > y:
        t = t + 1
        x = t
    else:
        x = t * 2
    return x


def early_return(x, y):
    if x > y:
        return x
    return y


def early_returns(x, y):
    if x > 5:
        return 1
    if y > 5:
        return 2
    if x == y:
        return 3
    z = x + y
    if z < 0:
        return z
    return -z


def return_in_nested_branch(x, y):
    if x > 0:
        if y > 0:
            return 1
        x = 7
    return x + y


def returns_in_both(x, y):
    if x > y:
        return x
    else:
        return y


def negated_test(x, y):
    if not x > y:
        return 1
    return 2


def while_loop(x, y):
    s = 0
    while s < x:
        s = s + 2
        y = y + 1
    return s * 100 + y


def while_that_does_not_start(x, y):
    while x > 100:
        x = x - 1
    return x + y


def while_true_with_break(x, y):
    while True:
        x = x + 3
        if x > y:
            break
    return x


def while_with_two_breaks(x, y):
    n = 0
    while n < 10:
        n = n + 1
        if n == x:
            break
        if n > y + 3:
            n = n * 100
            break
    return n


def while_with_continue(x, y):
    n = s = 0
    while n < 6:
        n = n + 1
        if n == x:
            continue
        s = s + n
        if n == y:
            continue
        s = s * 2
    return s


def while_with_return(x, y):
    n = 0
    while n < 5:
        n = n + 1
        if n * x > y:
            return n * 10
    return -n


def while_else(x, y):
    n = 0
    while n < 4:
        n = n + 1
        if n == x:
            break
    else:
        y = y + 100
    return n + y


def while_else_with_return(x, y):
    n = 0
    while n < x:
        n = n + 1
        if n == y:
            return 1000
        if n == 3:
            break
    else:
        return 2000
    return n


def nested_whiles(x, y):
    i = s = 0
    while i < x:
        j = 0
        while j < y:
            s = s + i * j
            j = j + 1
            if s > 7:
                break
        i = i + 1
    return s


def for_range(x, y):
    s = 0
    for i in range(x):
        s = s + i * y
    return s


def for_range_with_start(x, y):
    s = 0
    for i in range(x, y):
        s = s * 2 + i
    return s


def for_range_downwards(x, y):
    s = 0
    for i in range(x, -3, -2):
        s = s * 2 + i + y
    return s


def for_with_break(x, y):
    s = 0
    for i in range(8):
        if i == x:
            break
        s = s + y
    return s


def for_staged_range_with_break(x, y):
    s = 0
    for i in range(x):
        if i == y:
            break
        s = s + i
    return s


def for_with_continue(x, y):
    s = 0
    for i in range(x):
        if i == y:
            continue
        s = s + i
    return s


def for_with_return(x, y):
    for i in range(x):
        if i * i > y:
            return i
    return -1


def for_else(x, y):
    for i in range(3):
        if i == x:
            y = y + 1
            break
    else:
        y = y * 2
    return y


def for_else_always(x, y):
    for _ in range(x):
        y = y + 1
    else:
        y = y * 2
    return y


def for_python_list_with_staged_break(x, y):
    last = 0
    for v in [3, 1, 4, 1, 5]:
        last = v
        if v == x:
            break
        y = y + v
    return last * 100 + y


def target_after_loop_with_break(x, y):
    i = -1
    for i in range(6):
        if i > x:
            break
    return i + y


def nested_fors_with_return(x, y):
    for i in range(3):
        for j in range(3):
            if i * j == x:
                return i * 10 + j
        if i == y:
            return 99
    return -1


def nested_fors_with_breaks(x, y):
    s = 0
    for i in range(x):
        for j in range(4):
            if j == y:
                break
            s = s + 1
        if s > 5:
            break
        s = s + i
    return s


def loop_body_local(x, y):
    s = 0
    for i in range(x):
        t = i * 2
        if t > y:
            t = t + 1
        s = s + t
    return s


def first_assigned_in_the_loop(x, y):
    for i in range(x + 5):
        t = i + y
    return t


def returns_what_the_loop_made(x, y):
    n = 0
    while n < 9:
        n = n + 1
        t = n * x
        if t > y:
            return t
    return 0


def and_or(x, y):
    return 1 if (x > 0 and y > 0) or x == y else 0


def and_chain(x, y):
    if x > 0 and y > 0 and x < 5 and y < 5:
        return 1
    return 0


def or_value(x, y):
    return bool(x > y or y > 3 or x == 0)


def not_value(x, y):
    z = not x > y
    return 1 if z else 2


def chained(x, y):
    return 1 if 0 < x <= y < 5 else 0


def chained_value(x, y):
    z = -2 <= x < y != 3
    if z:
        return 5
    return 6


def conditional_expression(x, y):
    return (x if x > y else y) + (1 if y > 0 else 2 if x > 0 else 3)


def walrus_in_if(x, y):
    if (z := x + y) > 3:
        return z
    return -z


def walrus_in_while(x, y):
    while (x := x - 2) > y:
        pass
    return x


def walrus_in_while_with_else(x, y):
    n = 0
    while (x := x - 1) > y:
        n = n + x
        if n > 6:
            break
    else:
        n = n + 100
    return n * 10 + x


def with_around_return(x, y):
    with NOTHING:
        if x > y:
            return x
        y = y + 1
    return y


def with_around_break(x, y):
    n = 0
    while n < 5:
        with NOTHING:
            n = n + 1
            if n == x:
                break
            y = y + n
        y = y + 1
    return n + y


def try_around_return(x, y):
    try:
        if x > y:
            return x
        y = y + 1
    finally:
        x = 0
    return x + y


def try_else(x, y):
    try:
        if x > y:
            return 1
        z = x
    except KeyError:
        z = 2
    else:
        z = z + 10
    return z


def try_in_loop(x, y):
    for i in range(4):
        try:
            if i == x:
                continue
            if i == y:
                break
            x = x + 1
        finally:
            y = y + 1
    return x * 10 + y


def exception_from_python_value(x, y):
    try:
        if x > y:
            y = y + 1
        {}["missing"]
    except KeyError:
        y = y * 2
    return y


def match_values(x, y):
    match x:
        case 0:
            r = 1
        case 1 | 2:
            r = 2
        case 3 if y > 0:
            r = 3
        case z:
            r = z + y
    return r


def match_without_default(x, y):
    match x + 1:
        case 1:
            return 5
        case 2:
            y = 7
    return y


def match_in_loop(x, y):
    s = 0
    for i in range(5):
        match i:
            case 1:
                continue
            case 3 if x > y:
                break
        s = s + i
    return s


def augmented(x, y):
    s = 1
    for _ in range(3):
        if x > y:
            s += x
        else:
            s -= y
        s *= 2
    return s


def delete(x, y):
    t = x
    if x > y:
        x = t + 1
    else:
        x = t - 1
    del t
    return x


def assertion(x, y):
    assert x < 5, "too large"
    if y > 3:
        assert x != 2
    return x


def raised(x, y):
    if x > 5:
        raise ValueError("x")
    if y > 5:
        z = 1
    else:
        if x == y:
            raise KeyError("same")
        z = 2
    return z


def inner_function(x, y):
    def f(z):
        if z > y:
            return z - y
        return x

    return f(3) + f(-3)


def inner_function_changes_variable(x, y):
    n = 0

    def count(by):
        nonlocal n
        if by > 0:
            n = n + by
        else:
            n = n - 1

    count(x)
    if x > y:
        count(y)
    return n


def lambda_reads_later(x, y):
    n = x
    f = lambda: n * 10
    if x > y:
        n = y
    return f()


def recursion(x, y):
    return _sum_to(4, x) + y


def _sum_to(n, x):
    if n == 0:
        return 0
    if x > n:
        return n + _sum_to(n - 1, x)
    return _sum_to(n - 1, x)


def python_conditions_stay(x, y):
    names = []
    for name in ("a", "b", "c"):
        if name != "b":
            names.append(name)
            if x > y:
                x = x + len(names)
    return x + len("".join(names))


def unrolled_dict(x, y):
    table = {"p": 1, "q": 2}
    for k, v in table.items():
        if x > v:
            y = y + (3 if k == "p" else v)
    return y


def parameters_of_all_kinds(x, y, *rest, k=3, **options):
    if x > y:
        k = k + len(rest)
    return k + len(options)


def star_calls(x, y):
    args, kw = (x,), {"k": 4}
    return parameters_of_all_kinds(*args, y, 1, 2, **kw, z=1)


def unpacking(x, y):
    first, *rest = [x, y, 3]
    if first > y:
        (first, [second]) = rest[0], [rest[1]]
        return first + second
    return rest[0]


def comprehensions(x, y):
    a = [_sum_to(i, x) for i in range(3)]
    b = {i: v for i, v in enumerate(a)}
    return sum([v if v > 0 else y for v in a]) + b[2]


def f_string(x, y):
    name = f"{'a' if y is None else 'bb'!r:>{5}}"
    return x + len(name) if x > y else y


class _Nothing:
    def __enter__(self):
        return self

    def __exit__(self, *exc):
        return False


NOTHING = _Nothing()

FUNCTIONS = [
    f
    for f in list(globals().values())
    if callable(f)
    and getattr(f, "__module__", "") == __name__
    and getattr(f, "__code__", None)
    and f.__code__.co_varnames[:2] == ("x", "y")
]
VALUES = [(0, 0), (1, 2), (2, 1), (3, 0), (-1, 4), (6, 1), (4, 6), (5, -2)]


@pytest.mark.parametrize("f", FUNCTIONS, ids=lambda f: f.__name__)
def test_construct(f):
    for values in VALUES:
        for args in every_staging(values):
            check(f, *args)


def test_the_table_is_whole():
    assert len(FUNCTIONS) > 70


# -- loops over staged tensors ----------------------------------------------------------------------------------------------


def over_tensor(xs, k):
    s = 0
    for x in xs:
        if x > k:
            s = s + x
    return s


def over_tensor_with_break(xs, k):
    s = 0
    for x in xs:
        if x == k:
            break
        s = s * 2 + x
    else:
        s = -s
    return s


def over_tensor_with_return(xs, k):
    for x in xs:
        if x > k:
            return x
    return -1


def over_enumerate(xs, k):
    s = 0
    for i, x in enumerate(xs):
        s = s + i * x * k
    return s


def over_enumerate_from(xs, k):
    s = 0
    for i, x in enumerate(xs, k):
        s = s + i * x
    return s


def over_zip(xs, k):
    s = 0
    for x, y in zip(xs, xs):
        if x < k:
            continue
        s = s + x * y
    return s


def over_nested_iterators(xs, k):
    s = 0
    for i, (x, (j, y)) in enumerate(zip(xs, enumerate(xs, start=1))):
        s = s + i * x + j * y * k
    return s


def over_tensor_twice(xs, k):
    s = 0
    for x in xs:
        for y in xs:
            if y > x:
                break
            s = s + x * k
    return s


def guarded_index(xs, k):
    return xs[k] if k >= 0 and k < len(xs) and xs[k] > 1 else 0


TENSORS = [
    guarded_index,
    over_tensor,
    over_tensor_with_break,
    over_tensor_with_return,
    over_enumerate,
    over_enumerate_from,
    over_zip,
    over_nested_iterators,
    over_tensor_twice,
]


@pytest.mark.parametrize("f", TENSORS, ids=lambda f: f.__name__)
def test_loop_over_tensor(f):
    for xs in [(3, 1, 4, 1, 5), (2,), (7, 7)]:
        for k in (0, 1, 4):
            for args in itertools.product((S(xs),) if f is guarded_index else (xs, S(xs)), (k, S(k))):
                check(f, *args)


def test_numpy_rows_are_iterated():
    np = pytest.importorskip("numpy")

    def f(rows, k):
        s = rows[0] * 0
        for row in rows:
            s = s + row * k
        return s

    rows = np.arange(6.0).reshape(3, 2)
    for stage in STAGES:
        assert stage().run(f, S(rows), S(2.0)).tolist() == [12.0, 18.0]


def test_zip_runs_to_the_shortest():
    def f(xs, ys):
        s = 0
        for x, y in zip(xs, ys):
            s = s * 10 + x * y
        return s

    for args in [((1, 2, 3), (4, 5)), ((1,), (4, 5)), ((1, 2), (3, 4))]:
        for stage in STAGES:
            assert stage().run(f, *map(S, args)) == f(*args)


def test_strict_zip_asserts():
    def f(xs, ys):
        s = 0
        for x, y in zip(xs, ys, strict=True):
            s = s + x * y
        return s

    for stage in STAGES:
        assert stage().run(f, S((1, 2)), S((3, 4))) == 11
        with pytest.raises(AssertionError, match="different lengths"):
            stage().run(f, S((1, 2)), S((3, 4, 5)))


def test_range_in_zip():
    def f(xs, n):
        s = 0
        for x, i in zip(xs, range(n, 20, 3)):
            s = s + x * i
        return s

    for n in (1, 12, 15):
        for stage in STAGES:
            assert stage().run(f, S((1, 2, 3)), S(n)) == f((1, 2, 3), n)


# -- how often things are traced --------------------------------------------------------------------------------------------


def test_loops_stay_rolled():
    def f(n):
        s = 0
        for i in range(n):
            if i % 2 == 0:
                s = s + i
        return s

    stage = Graphs()
    assert stage.run(f, S(10_000)) == f(10_000)
    assert stage.traced == 4  # the body, its branches, the test


def test_python_conditions_are_not_staged():
    def f(x, flag):
        while flag:
            if flag == 2:
                x = x + 1
            flag -= 1
        return x

    stage = Graphs()
    assert stage.run(f, S(1), 5) == 2
    assert stage.traced == 0


def test_while_true_becomes_staged_after_its_first_turn():
    turns = []

    def f(x):
        while True:
            turns.append(1)
            x = x * 2
            if x > 1000:
                break
        return x

    assert Graphs().run(f, S(1)) == 1024
    assert len(turns) == 2


def test_constant_flags_stay_python():
    """Both branches return, so nothing that follows is staged."""

    def f(x):
        while True:
            if x > 0:
                return 1
            else:
                return 2

    stage = Graphs()
    assert stage.run(f, S(4)) == 1
    assert stage.traced == 2


def test_nested_returns_are_traced_in_linear_time():
    def f(n):
        for i in range(n):
            for j in range(n):
                for k in range(n):
                    if i * j * k == 6:
                        return i * 100 + j * 10 + k
        return -1

    stage = Graphs()
    assert stage.run(f, S(4)) == f(4)
    assert stage.traced < 60


def test_long_chains_do_not_explode():
    source = ["def f(x):"] + [f"    if x == {i}:\n        return {i * 7 % 31}" for i in range(60)] + ["    return -1"]
    from .programs import compiled

    f = compiled("\n".join(source) + "\n", "f")
    assert [Both().run(f, S(i)) for i in (0, 30, 59, 60)] == [f(i) for i in (0, 30, 59, 60)]
    assert [convert(f)(i) for i in (0, 30, 59, 60)] == [f(i) for i in (0, 30, 59, 60)]
